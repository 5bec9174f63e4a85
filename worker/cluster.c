#include <stdlib.h>
#include <string.h>
#include "worker/cluster.h"
#include "worker/question.h"


#define CLUSTER_SAY_AGAIN  60000    /* ms between equal complaints */


struct cluster_s {
    sluice_cluster_t   cluster;
    question_t        *question;
    struct event      *due;
    struct event      *tell;
    cluster_user_t    *users;
    sluice_node_t      asked;
    const char        *complaint;
    int64_t            said;
};


static void
cluster_plan(cluster_t *cluster)
{
    int64_t  due;

    due = sluice_cluster_due(&cluster->cluster, clock_ms());

    if (due >= 0) {
        clock_arm(cluster->due, due);
    }
}


static void
cluster_complain(cluster_t *cluster, const char *why)
{
    int64_t      now;
    const char  *because;

    now = clock_ms();

    if (why == cluster->complaint && now - cluster->said < CLUSTER_SAY_AGAIN) {
        return;
    }

    cluster->complaint = why;
    cluster->said = now;

    because = question_why(cluster->question);

    log_event(LOG_WARN_, "cluster_map_failed",
              "node", "%s", cluster->asked.host,
              "port", "%d", cluster->asked.port, "error", "%s%s%s", why,
              because[0] ? ": " : "", because, NULL);
}


static void
cluster_on_answer(void *data, const redisReply *reply)
{
    cluster_t   *cluster = data;
    const char  *why;

    why = sluice_cluster_told(&cluster->cluster, reply, &cluster->asked);

    if (why) {
        cluster_complain(cluster, why);

    } else {
        cluster->complaint = NULL;
        event_active(cluster->tell, 0, 0);
    }

    cluster_plan(cluster);
}


static void
cluster_on_due(evutil_socket_t fd, short what, void *data)
{
    cluster_t  *cluster = data;

    if (sluice_cluster_due(&cluster->cluster, clock_ms()) != 0) {
        cluster_plan(cluster);
        return;
    }

    sluice_cluster_ask(&cluster->cluster, clock_ms(), &cluster->asked);

    if (question_ask(cluster->question, &cluster->asked, "CLUSTER", "SLOTS",
                     NULL)
        != 0)
    {
        cluster_on_answer(cluster, NULL);
    }
}


static void
cluster_on_tell(evutil_socket_t fd, short what, void *data)
{
    cluster_t       *cluster = data;
    cluster_user_t  *user, *next;

    for (user = cluster->users; user; user = next) {
        next = user->next;
        user->changed(user->data);
    }
}


static void
cluster_free(cluster_t *cluster)
{
    question_close(cluster->question);

    if (cluster->due) {
        event_free(cluster->due);
    }

    if (cluster->tell) {
        event_free(cluster->tell);
    }

    free(cluster);
}


cluster_t *
cluster_open(struct event_base *base, const settings_t *settings)
{
    cluster_t  *cluster;

    cluster = calloc(1, sizeof(cluster_t));

    if (cluster == NULL) {
        return NULL;
    }

    sluice_cluster_init(&cluster->cluster, &settings->redis);

    cluster->due = event_new(base, -1, 0, cluster_on_due, cluster);
    cluster->tell = event_new(base, -1, 0, cluster_on_tell, cluster);
    cluster->question = question_open(base, settings, LINK_ANY,
                                      cluster_on_answer, cluster);

    if (cluster->due == NULL || cluster->tell == NULL
        || cluster->question == NULL)
    {
        cluster_free(cluster);
        return NULL;
    }

    cluster_plan(cluster);

    return cluster;
}


void
cluster_join(cluster_t *cluster, cluster_user_t *user)
{
    user->next = cluster->users;
    cluster->users = user;
}


void
cluster_leave(cluster_t *cluster, cluster_user_t *user)
{
    cluster_user_t  **p;

    for (p = &cluster->users; *p != user; p = &(*p)->next) {
        /* it is there */
    }

    *p = user->next;

    if (cluster->users == NULL) {
        cluster_free(cluster);
    }
}


const sluice_node_t *
cluster_node(const cluster_t *cluster, unsigned slot)
{
    return sluice_cluster_node(&cluster->cluster, slot);
}


bool
cluster_has(const cluster_t *cluster, const sluice_node_t *node)
{
    return sluice_cluster_has(&cluster->cluster, node);
}


void
cluster_mark(const cluster_t *cluster, const sluice_node_t *node,
    unsigned *mark, char key[SLUICE_REDIS_MARK])
{
    sluice_cluster_mark(&cluster->cluster, node, mark, key);
}


void
cluster_lost(cluster_t *cluster, const sluice_node_t *node)
{
    sluice_cluster_lost(&cluster->cluster, node);
    cluster_plan(cluster);
}


/*
 * The caller gets the error too and asks again later, by the map of then: so
 * the call is not one that is to be sent on from here.
 */

void
cluster_refused(cluster_t *cluster, const redisReply *reply,
    const sluice_node_t *node)
{
    sluice_cluster_call_t      call;
    sluice_cluster_verdict_t   verdict;

    memset(&call, 0, sizeof(sluice_cluster_call_t));
    call.until = INT64_MIN;

    sluice_cluster_judge(&cluster->cluster, &call, reply, node, clock_ms(),
                         &verdict);

    if (strncmp(reply->str, "MOVED ", 6) == 0) {
        event_active(cluster->tell, 0, 0);
    }

    cluster_plan(cluster);
}
