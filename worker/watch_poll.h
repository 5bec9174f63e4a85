/*
 * The markers of idle queues in a cluster, asked in turns: all that wait at
 * once, a write a node.  For queues that have no BZPOPMIN, since its keys must
 * be in one slot.
 */

#ifndef SLUICE_WORKER_WATCH_POLL_H
#define SLUICE_WORKER_WATCH_POLL_H

#include "worker/watch.h"


#define WATCH_POLL  250    /* ms between two turns, at least; one more a queue:
                              with a few µs each that is below 1 % of Redis */

typedef struct poll_s    poll_t;
typedef struct polled_s  polled_t;


/* NULL: out of memory; `links` must outlive it */
poll_t *poll_open(struct event_base *base, links_t *links);
void poll_close(poll_t *poll);

/* as watch_add() and those behind it */
polled_t *poll_add(poll_t *poll, const char *marker, watch_pt marked,
    void *data);
void poll_remove(polled_t *polled);
void poll_want(polled_t *polled, bool wanted);

/* a marker that is of no use here, for other workers */
void poll_put_back(links_t *links, const char *marker,
    const redisReply *member, const redisReply *score);

/* when what the marker tells of is due; false: it is no marker */
bool poll_due(const redisReply *member, const redisReply *score,
    int64_t *due);


#endif
