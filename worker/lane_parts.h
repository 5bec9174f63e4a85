/*
 * What lane.c (slots, turns), lane_sleep.c (when to look for jobs),
 * lane_share.c (how many of them), lane_calls.c (results out, jobs in),
 * lane_records.c (what is too long for one call), lane_lease.c (leases,
 * stalled jobs), lane_scheduler.c (the next job of a scheduler),
 * lane_children.c (jobs that wait for their children) and lane_alone.c (jobs
 * that may have ended a worker) share.
 */

#ifndef SLUICE_WORKER_LANE_PARTS_H
#define SLUICE_WORKER_LANE_PARTS_H

#include "worker/hook.h"
#include "worker/lane.h"


#define LANE_CALLS    2        /* finish and take calls in flight */
#define LANE_REFUSED  32       /* refused jobs remembered as logged */
#define LANE_BYTES    (8 * 1024 * 1024)    /* of the results of one call */
#define LANE_RECORDS  1000     /* of one call */
#define LANE_AGAIN    1000     /* ms after Redis refused a call */
#define LANE_HOLD     5000     /* ms without a take after a result was lost */


typedef struct {
    slot_t   *first, *last;
    size_t    n;
} lane_list_t;

struct lane_s {
    lane_conf_t      conf;
    queue_t          queue;
    size_t           concurrency;
    watched_t       *watched;
    const link_t    *link;         /* when it was ready last: to compare */
    struct event    *turn;         /* at the end of the loop's turn */
    struct event    *wake;         /* look again */
    struct event    *lease;
    struct event    *check;        /* for stalled jobs */
    slot_t          *slots;
    size_t           nslots;
    lane_list_t      finishes, retries;
    lane_list_t      iterations;   /* jobs of schedulers, just taken */
    size_t           busy;         /* slots but those in a finish call */
    size_t           asked;        /* jobs that calls in flight may bring */
    size_t           granted;      /* and that the next one may ask for */
    fair_queue_t     share;        /* of what the process may do */
    int              calls;        /* takes and finishes in flight */
    int              writes;       /* finishes that wait for replicas */
    int              others;       /* other calls in flight */
    uint64_t         seq;
    double           floor;        /* part of the lowest class */
    double           owed;         /* jobs of it that its floor is behind */
    int64_t          hold;         /* take nothing before */
    int64_t          quiet;        /* call nothing before */
    int64_t          pause;        /* ms, of the last quiet; 0: all is well */
    int64_t          skew;         /* ms, see lane_sleep_until() */
    int64_t          last;         /* when there was a job last */
    int64_t          due;          /* as the last take said, or 0 */
    take_status_e    status;       /* of the last take */
    uint64_t         refused[LANE_REFUSED];
    size_t           nrefused;
    char             uuid[40];
    bool             stopped;
    bool             waits;        /* for replicas: links_waits() */
    bool             alone;        /* one job at a time: lane_alone.c */
    bool             back;         /* what is just taken goes back */
    bool             asleep;       /* the last take found nothing more */
    bool             heeds;        /* asleep, and a marker may wake it */
    bool             flowing;      /* the last take found all it asked for */
    bool             marked;       /* a marker came since the last take */
    take_status_e    told;         /* of the last take, as hooks know it */
    bool             worked;       /* since it was drained */
};

/* a call in flight */
typedef struct {
    lane_t   *lane;
    size_t    n, asked, floor;
    uint64_t  seq;
    int64_t   at;        /* clock_ms() when it was made */
    char      token[64];
    slot_t   *slots[QUEUE_BATCH];
} lane_call_t;


/* lane.c */
void lane_touch(lane_t *lane);
void lane_quiet(lane_t *lane);
void lane_add(lane_t *lane, job_t *job, int64_t at);
void lane_free(lane_t *lane, slot_t *slot);
void lane_append(lane_list_t *list, slot_t *slot);

/* lane_sleep.c */
void lane_taken(lane_t *lane, const taken_t *taken, int64_t at);
void lane_on_wake(evutil_socket_t fd, short what, void *data);
bool lane_on_marker(void *data, int64_t due);

/*
 * lane_share.c: how many jobs one call may ask for; how many it may now, for
 * the others want some too, those being the call's; whether the process or the
 * tenant is at its `concurrency`; and, at the end of a turn, whether it may
 * make calls at all.
 */
size_t lane_room(const lane_t *lane);
size_t lane_share(lane_t *lane);
bool lane_share_full(const lane_t *lane);
void lane_share_end(lane_t *lane, bool ready);
void lane_share_leave(lane_t *lane);

/* lane_calls.c: one call; false when it could not be queued */
lane_call_t *lane_call(lane_t *lane);
slot_t *lane_shift(lane_list_t *list);
void lane_return(lane_t *lane, lane_list_t *list, slot_t *slot,
    const char *wrong);
bool lane_finish(lane_t *lane);
bool lane_retry(lane_t *lane);
bool lane_take(lane_t *lane);

/* lane_records.c: a part of the first result's records; false as above */
size_t lane_bytes(const result_t *result);
bool lane_is_large(const result_t *result);
bool lane_records(lane_t *lane, lane_list_t *list);

/*
 * lane_children.c: true when a job whose result was refused, or whose wait for
 * its children was, goes on; it is in the list that it needs then.
 */
bool lane_children(lane_t *lane, slot_t *slot, int code);

/* lane_scheduler.c: one call, or none; false when it could not be queued */
bool lane_iterate(lane_t *lane);

/* lane_hooks.c: slot or job where it is one's event, else NULL */
void lane_tell(lane_t *lane, hook_event_e event, const slot_t *slot,
    const char *job, const char *reason, int64_t wait);
void lane_tell_taken(lane_t *lane, const taken_t *taken);

/*
 * lane_alone.c: lane_taken() and lane_room(), when there are jobs of which each
 * must be run alone
 */
void lane_bring(lane_t *lane, const taken_t *taken, int64_t at);
size_t lane_vacant(const lane_t *lane);

/* lane_lease.c */
void lane_extend(lane_t *lane);
void lane_on_lease(evutil_socket_t fd, short what, void *data);
void lane_on_check(evutil_socket_t fd, short what, void *data);


static inline bool
lane_ready(const lane_t *lane)
{
    return link_ready(links_of(lane->conf.links, lane->queue.base));
}


static inline sluice_redis_t *
lane_redis(const lane_t *lane)
{
    return link_redis(links_of(lane->conf.links, lane->queue.base));
}


#endif
