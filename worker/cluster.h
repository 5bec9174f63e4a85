/*
 * The map of a Redis Cluster, kept right: core/cluster.h with its timer and
 * questions.  It is shared by all links that are opened with a peer.
 */

#ifndef SLUICE_WORKER_CLUSTER_H
#define SLUICE_WORKER_CLUSTER_H

#include "core/cluster.h"
#include "worker/worker.h"


typedef struct cluster_s        cluster_t;
typedef struct cluster_user_s   cluster_user_t;

/* the user's memory */
struct cluster_user_s {
    void           (*changed)(void *data);    /* slots have other nodes; from
                                                 the loop, not from a call */
    void            *data;
    cluster_user_t  *next;                    /* cluster.c's */
};


/*
 * What it needs of settings is copied.  NULL: out of memory.  It is freed with
 * its last user.
 */
cluster_t *cluster_open(struct event_base *base, const settings_t *settings);
void cluster_join(cluster_t *cluster, cluster_user_t *user);
void cluster_leave(cluster_t *cluster, cluster_user_t *user);

/* as in core/cluster.h */
const sluice_node_t *cluster_node(const cluster_t *cluster, unsigned slot);
bool cluster_has(const cluster_t *cluster, const sluice_node_t *node);
void cluster_mark(const cluster_t *cluster, const sluice_node_t *node,
    unsigned *mark, char key[SLUICE_REDIS_MARK]);
void cluster_lost(cluster_t *cluster, const sluice_node_t *node);

/* an error that the node answered with */
void cluster_refused(cluster_t *cluster, const redisReply *reply,
    const sluice_node_t *node);


#endif
