#include <stdlib.h>
#include <string.h>
#include "worker/cluster.h"
#include "worker/links.h"


#define LINKS_LATER  1000    /* ms between two looks at a node that went */


typedef struct links_node_s  links_node_t;

struct links_node_s {
    links_t        *links;
    links_node_t   *next;
    sluice_node_t   node;
    link_t         *link;
    unsigned        mark;     /* see sluice_cluster_mark() */
};

struct links_s {
    struct event_base  *base;
    settings_t          settings;    /* what a link needs */
    links_conf_t        conf;
    link_t             *link;        /* no cluster; else leads nowhere */
    cluster_t          *cluster;     /* else NULL */
    cluster_user_t      user;
    links_node_t       *nodes;       /* of the cluster */
    struct event       *sweep;
    bool                closing;
};


static void
links_changed(links_t *links)
{
    if (links->conf.changed) {
        links->conf.changed(links->conf.data);
    }
}


static void
links_on_state(void *data, bool ready)
{
    links_changed(data);
}


static void
links_on_mark(void *data, char key[SLUICE_REDIS_MARK], int another)
{
    links_node_t  *node = data;

    node->mark += (another != 0);

    cluster_mark(node->links->cluster, &node->node, &node->mark, key);
}


static link_t *
links_connect(links_t *links, link_to_e to, links_node_t *node,
    link_state_pt state, sluice_redis_reply_pt refused)
{
    link_conf_t  conf;

    memset(&conf, 0, sizeof(link_conf_t));
    conf.to = to;
    conf.node = node ? &node->node : NULL;
    conf.name = links->conf.name;
    conf.scripts = links->conf.scripts;
    conf.nscripts = links->conf.nscripts;
    conf.timeout = links->conf.timeout;
    conf.waits = links->conf.waits;
    conf.state = state;
    conf.refused = refused;
    conf.mark = node ? links_on_mark : NULL;
    conf.data = node ? (void *) node : (void *) links;

    return link_open(links->base, &links->settings, &conf);
}


/* --------------------------------------------------------------- a cluster */

static void
links_on_node(void *data, bool ready)
{
    links_node_t  *node = data;

    if (!ready) {
        cluster_lost(node->links->cluster, &node->node);
    }

    links_changed(node->links);
}


static void
links_on_refused(void *data, const redisReply *reply)
{
    links_node_t  *node = data;

    cluster_refused(node->links->cluster, reply, &node->node);
}


static void
links_node_free(links_node_t *node)
{
    link_close(node->link);
    free(node);
}


static link_t *
links_node(links_t *links, const sluice_node_t *node)
{
    links_node_t  *one;

    for (one = links->nodes; one; one = one->next) {
        if (sluice_node_is(&one->node, node)) {
            return one->link;
        }
    }

    one = calloc(1, sizeof(links_node_t));

    if (one == NULL) {
        return links->link;
    }

    one->links = links;
    one->node = *node;
    one->link = links_connect(links, LINK_SERVER, one, links_on_node,
                              links_on_refused);

    if (one->link == NULL) {
        free(one);
        return links->link;
    }

    one->next = links->nodes;
    links->nodes = one;

    return one->link;
}


/*
 * A node that has no slots any more is left when it has answered: what is
 * pending there may have been run.
 */

static void
links_on_sweep(evutil_socket_t fd, short what, void *data)
{
    links_t       *links = data;
    links_node_t  *node, **p;

    for (p = &links->nodes; *p; /* void */ ) {
        node = *p;

        if (cluster_has(links->cluster, &node->node)) {
            p = &node->next;

        } else if (sluice_redis_pending(link_redis(node->link)) == 0) {
            *p = node->next;
            links_node_free(node);

        } else {
            clock_arm(links->sweep, LINKS_LATER);
            p = &node->next;
        }
    }
}


static void
links_on_map(void *data)
{
    links_t  *links = data;

    links_changed(links);
    links_on_sweep(-1, 0, links);
}


static bool
links_join(links_t *links)
{
    links->sweep = event_new(links->base, -1, 0, links_on_sweep, links);

    links->cluster = links->conf.peer ? links->conf.peer->cluster
                                      : cluster_open(links->base,
                                                     &links->settings);

    if (links->cluster) {
        links->user.changed = links_on_map;
        links->user.data = links;
        cluster_join(links->cluster, &links->user);
    }

    return links->sweep && links->cluster;
}


/* --------------------------------------------------------------- life time */

links_t *
links_open(struct event_base *base, const settings_t *settings,
    const links_conf_t *conf)
{
    bool      cluster;
    links_t  *links;

    links = calloc(1, sizeof(links_t));

    if (links == NULL) {
        return NULL;
    }

    cluster = (settings->redis.kind == SLUICE_URL_CLUSTER);

    links->base = base;
    links->conf = *conf;
    links->settings.redis = settings->redis;
    links->settings.redis_tls = tls_hold(settings->redis_tls);
    links->settings.redis_timeout = settings->redis_timeout;
    links->settings.wait_replicas = settings->wait_replicas;
    links->settings.wait_timeout = settings->wait_timeout;
    links->link = links_connect(links, cluster ? LINK_NOWHERE : LINK_SERVER,
                                NULL, links_on_state, NULL);

    if (links->link == NULL || (cluster && !links_join(links))) {
        links_close(links);
        return NULL;
    }

    return links;
}


link_t *
links_of(links_t *links, const char *key)
{
    const sluice_node_t  *node;

    if (links->cluster == NULL || links->closing) {
        return links->link;
    }

    node = cluster_node(links->cluster, sluice_slot(key, strlen(key)));

    return node ? links_node(links, node) : links->link;
}


bool
links_waits(const links_t *links)
{
    return links->conf.waits != LINK_WAITS_NOT
           && links->settings.wait_replicas > 0;
}


bool
links_slot(const links_t *links, const char *key, unsigned *slot)
{
    *slot = links->cluster ? sluice_slot(key, strlen(key)) : 0;

    return links->cluster != NULL;
}


void
links_close(links_t *links)
{
    links_node_t  *node;

    if (links == NULL) {
        return;
    }

    links->conf.changed = NULL;
    links->closing = true;

    while (links->nodes) {
        node = links->nodes;
        links->nodes = node->next;
        links_node_free(node);
    }

    if (links->link) {
        link_close(links->link);
    }

    if (links->cluster) {
        cluster_leave(links->cluster, &links->user);
    }

    if (links->sweep) {
        event_free(links->sweep);
    }

    tls_drop(links->settings.redis_tls);
    free(links);
}
