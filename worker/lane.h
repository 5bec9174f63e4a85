/*
 * One queue that is worked on: how many jobs at once, when to take more, the
 * leases, and the results on their way to Redis.  It knows nothing of what a
 * job is for.
 *
 * Results that come together go out together, in one call that also takes as
 * many new jobs as there are free slots; two such calls are in flight at most.
 * While Redis is away results wait here, in their slots: nothing new is taken,
 * so their number is bounded by `concurrency` and two calls.
 */

#ifndef SLUICE_WORKER_LANE_H
#define SLUICE_WORKER_LANE_H

#include "worker/fair.h"
#include "worker/links.h"
#include "worker/queue.h"
#include "worker/watch.h"
#include "worker/zones.h"


typedef struct lane_s  lane_t;
typedef struct slot_s  slot_t;

/* a job from its take until its result is written */
struct slot_s {
    lane_t    *lane;
    job_t     *job;
    result_t   result;        /* for lane_settle(); id, token are set already */
    char       keep[64];      /* for result.keep */
    void      *work;          /* the user's */

    /* lane.c's */
    slot_t    *prev, *next;   /* of all of the lane */
    slot_t    *after;         /* of the results that wait */
    uint64_t   seq;
    int64_t    lease;         /* clock_ms() at which it ends, as far as known */
    char      *replaced;      /* the reason, of a result that was not taken */
    unsigned   settled:1;     /* the result is there */
    unsigned   iterating:1;   /* and waits for the scheduler's next job */
    unsigned   writing:1;     /* it is on its way */
    unsigned   lost:1;        /* the lease is lost: do not send */
    unsigned   alone:1;       /* a call with it failed: write it by itself */
    unsigned   unsure:1;      /* the reply was lost: it may be written */
};

typedef struct {
    struct event_base       *base;
    links_t                 *links;
    watch_t                 *watch;      /* NULL: others wake it */
    fair_t                  *fair;       /* of all lanes, and what shares it
                                            out: lane_share_on_turn() of it */
    struct event            *turn;
    fair_group_t            *group;      /* of its tenant, or NULL */
    const queue_settings_t  *settings;   /* copied */
    zones_t                 *zones;      /* of schedulers' patterns */
    void                   (*job)(void *data, slot_t *slot);
    void                   (*gone)(void *data, slot_t *slot);
    void                    *data;
} lane_conf_t;


/*
 * conf->job is called for each job taken, conf->gone once after it, when the
 * slot is about to be freed: its result was written, or cannot be.  NULL: out
 * of memory, or a name too long.
 */
lane_t *lane_open(const lane_conf_t *conf);

/* only when lane_idle(), or after its links were closed */
void lane_close(lane_t *lane);

const queue_t *lane_queue(const lane_t *lane);

/* other limits, the same queue; 0 or -1 */
int lane_reload(lane_t *lane, const queue_settings_t *settings,
    fair_group_t *group);

/* somebody says that there is something to take */
void lane_word(lane_t *lane);

/*
 * Nothing came for so many ms, and a word or a time is what it waits for: when
 * its first delayed job is due, ms since 1970, or 0.
 */
bool lane_resting(const lane_t *lane, int64_t ms, int64_t *due);

void lane_share_on_turn(evutil_socket_t fd, short what, void *data);

/* The job's result is in slot->result: it will be written.  Once a slot. */
void lane_settle(slot_t *slot);

/* its lease is lost, or has ended by now: another may have the job */
bool lane_lost(const slot_t *slot);

/* asked in conf->job: it is to be released, and not to be run now */
bool lane_goes_back(const slot_t *slot);

/* take no more jobs, or again; or none for so many ms */
void lane_stop(lane_t *lane, bool stop);
void lane_hold(lane_t *lane, int64_t ms);

/* links changed: it looks whether it has another, or none */
void lane_link(lane_t *lane);

/* the first slot; the others are behind it by `next` */
slot_t *lane_slots(const lane_t *lane);

/* no slot is in use and no call is in flight */
bool lane_idle(const lane_t *lane);


#endif
