/*
 * Where the master is that sentinels watch: core/sentinel.h with its timers and
 * questions.
 *
 *     master_find() -> found(), whenever that may be: connect, then
 *         master_met() when it is ready
 *         master_lost() when it is not any more, or was never; then
 *     master_find()
 */

#ifndef SLUICE_WORKER_MASTER_H
#define SLUICE_WORKER_MASTER_H

#include "worker/worker.h"


typedef struct master_s  master_t;

/*
 * Connect to it now; or NULL: it is another one since, leave it.  A failover
 * promotes a replica seconds before the old master hears of it, and what that
 * one is told meanwhile is lost: so the sentinel is asked again all the time.
 */
typedef void (*master_pt)(void *data, const sluice_node_t *node);


/* What it needs of settings is copied.  NULL: out of memory. */
master_t *master_open(struct event_base *base, const settings_t *settings,
    master_pt found, void *data);

void master_find(master_t *master);
void master_met(master_t *master);
void master_lost(master_t *master);

/* NULL is fine. */
void master_close(master_t *master);


#endif
