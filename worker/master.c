#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/sentinel.h"
#include "worker/master.h"
#include "worker/question.h"


#define MASTER_SAY_AGAIN  60000    /* ms between equal complaints */
#define MASTER_LOOK       500      /* ms between two looks at a held one */


struct master_s {
    sluice_sentinel_t   sentinel;
    char                name[SLUICE_URL_NAME];
    question_t         *question;
    struct event       *step;
    master_pt           found;
    void               *data;
    sluice_node_t       asked;
    sluice_node_t       last;        /* the master as it was told last */
    const char         *complaint;
    int64_t             said;
    bool                looking;     /* at the one that is held */
    bool                other;
};


static void
master_complain(master_t *master, const char *why)
{
    int64_t      now;
    const char  *because;

    now = clock_ms();

    if (why == master->complaint && now - master->said < MASTER_SAY_AGAIN) {
        return;
    }

    master->complaint = why;
    master->said = now;

    because = question_why(master->question);

    log_event(LOG_WARN_, "sentinel_failed",
              "sentinel", "%s", master->asked.host,
              "port", "%d", master->asked.port,
              "name", "%s", master->name, "error", "%s%s%s", why,
              because[0] ? ": " : "", because, NULL);
}


static void
master_on_answer(void *data, const redisReply *reply)
{
    const char  *why;
    master_t    *master = data;

    if (master->looking) {
        master->looking = false;
        master->other = sluice_sentinel_looked(&master->sentinel, reply);
        clock_arm(master->step, master->other
                                || master->sentinel.state
                                   != SLUICE_SENTINEL_HELD ? 0 : MASTER_LOOK);
        return;
    }

    why = sluice_sentinel_answered(&master->sentinel, reply, clock_ms());

    if (why) {
        master_complain(master, why);
    }

    /* the next question cannot be asked from the answer to this one */

    clock_arm(master->step, 0);
}


static void
master_connect(master_t *master, const sluice_node_t *node)
{
    if (!sluice_node_is(&master->last, node)) {
        master->last = *node;
        log_event(LOG_INFO_, "redis_master", "name", "%s", master->name,
                  "host", "%s", node->host, "port", "%d", node->port, NULL);
    }

    master->found(master->data, node);
}


static void
master_look(master_t *master)
{
    if (master->other) {
        master->other = false;
        master->found(master->data, NULL);
        return;
    }

    master->looking = true;

    if (question_ask(master->question, sluice_sentinel_look(&master->sentinel),
                     "SENTINEL", "get-master-addr-by-name", master->name)
        != 0)
    {
        master_on_answer(master, NULL);
    }
}


static void
master_on_step(evutil_socket_t fd, short what, void *data)
{
    master_t                *master = data;
    sluice_sentinel_step_t   step;

    /* one question at a time */

    if (master->looking) {
        return;
    }

    if (master->sentinel.state == SLUICE_SENTINEL_HELD) {
        master_look(master);
        return;
    }

    sluice_sentinel_next(&master->sentinel, clock_ms(), &step);

    switch (step.step) {

    case SLUICE_SENTINEL_ASK:
        master->asked = step.node;

        if (question_ask(master->question, &step.node, "SENTINEL",
                         "get-master-addr-by-name", master->name)
            != 0)
        {
            master_on_answer(master, NULL);
        }

        break;

    case SLUICE_SENTINEL_CONNECT:
        master_connect(master, &step.node);
        break;

    case SLUICE_SENTINEL_WAIT:
        clock_arm(master->step, step.wait);
        break;

    default:
        break;
    }
}


master_t *
master_open(struct event_base *base, const settings_t *settings,
    master_pt found, void *data)
{
    master_t  *master;

    master = calloc(1, sizeof(master_t));

    if (master == NULL) {
        return NULL;
    }

    sluice_sentinel_init(&master->sentinel, &settings->redis);
    memcpy(master->name, settings->redis.name, sizeof(master->name));

    master->found = found;
    master->data = data;
    master->step = event_new(base, -1, 0, master_on_step, master);
    master->question = question_open(base, settings, LINK_SENTINEL,
                                     master_on_answer, master);

    if (master->step == NULL || master->question == NULL) {
        master_close(master);
        return NULL;
    }

    return master;
}


void
master_find(master_t *master)
{
    master_on_step(-1, 0, master);
}


void
master_met(master_t *master)
{
    master->complaint = NULL;
    sluice_sentinel_met(&master->sentinel, clock_ms());
    clock_arm(master->step, MASTER_LOOK);
}


void
master_lost(master_t *master)
{
    master->other = false;
    sluice_sentinel_lost(&master->sentinel, clock_ms());
}


void
master_close(master_t *master)
{
    if (master == NULL) {
        return;
    }

    question_close(master->question);

    if (master->step) {
        event_free(master->step);
    }

    free(master);
}
