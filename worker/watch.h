/*
 * Which idle queue may have a job: a blocking BZPOPMIN on the markers of up to
 * WATCH_GROUP queues a connection.  Only queues that want to know are waited
 * for.  When one more wants to know while a wait is open without it, the wait
 * is ended by a CLIENT UNBLOCK from the main connection and begun again.
 *
 * In a cluster the keys of a BZPOPMIN must be in one slot, so a group is of one
 * slot; beyond WATCH_SLOTS of them queues are asked in turns (watch_poll.h).
 */

#ifndef SLUICE_WORKER_WATCH_H
#define SLUICE_WORKER_WATCH_H

#include "worker/links.h"


#define WATCH_GROUP  100     /* on 1,000 keys a wake costs Redis 0.3 ms */
#define WATCH_WAIT   5       /* s that one BZPOPMIN waits at most */
#define WATCH_SLOTS  64      /* connections of a process to a cluster */


typedef struct watch_s    watch_t;
typedef struct watched_s  watched_t;

/*
 * A marker was popped.  due is 0 ("there may be something"), or the ms since
 * 1970 at which the next delayed job is due.  false: the queue has no use for
 * it now, so it is put back for other workers.
 */
typedef bool (*watch_pt)(void *data, int64_t due);


/* What it needs of settings is copied; main_links must outlive it. */
watch_t *watch_open(struct event_base *base, const settings_t *settings,
    links_t *main_links);
void watch_close(watch_t *watch);

/*
 * A queue, at first not waited for.  NULL: out of memory.  `marker` is its key
 * and must outlive it.
 */
watched_t *watch_add(watch_t *watch, const char *marker, const char *prefix,
    const char *queue, watch_pt marked, void *data);
void watch_remove(watched_t *watched);

void watch_want(watched_t *watched, bool wanted);


#endif
