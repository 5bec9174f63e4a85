/*
 * A Redis connection: core's client (core/redis.h) on a libevent bufferevent.
 * It connects by itself, and again after a pause (sluice_retry_reconnect)
 * whenever it is lost, refused or too slow, and says so in the log; a server
 * that greets but refuses a WAIT is as one that is away.  With sentinels it
 * asks them each time where the master is.  A server that says that it is no
 * master any more is left.
 *
 *     link_conf_t  conf = { .name = "sluiced", .scripts = scripts,
 *                           .nscripts = 2, .state = on_state, .data = me };
 *     link_t      *link = link_open(base, settings, &conf);
 *
 *     if (link_ready(link)) {
 *         sluice_redis_command(link_redis(link), clock_ms(), on_reply, me,
 *                              "PING", NULL);
 *     }
 *     ...
 *     link_close(link);
 */

#ifndef SLUICE_WORKER_LINK_H
#define SLUICE_WORKER_LINK_H

#include <time.h>
#include <event2/util.h>
#include "worker/worker.h"


typedef struct link_s  link_t;

/*
 * ready: the greeting is done.  Not ready: the connection was lost and every
 * pending command has been answered with NULL before this call; also when a
 * connect failed.  Commands may be queued; link_close() must not be called.
 */
typedef void (*link_state_pt)(void *data, bool ready);

/* as in sluice_redis_conf_t */
typedef void (*link_mark_pt)(void *data, char key[SLUICE_REDIS_MARK],
    int another);

typedef enum {
    LINK_SERVER,
    LINK_ANY,         /* a node of a cluster, master or not, to ask it */
    LINK_SENTINEL,
    LINK_NOWHERE      /* never ready: what is queued is answered with NULL */
} link_to_e;

/* when sluice_redis_hold() is answered, with wait_replicas */
typedef enum {
    LINK_WAITS_NOT,    /* at once */
    LINK_WAITS,        /* when the replicas have it, however long that takes */
    LINK_WAITS_ONCE    /* or with NULL after wait_timeout */
} link_waits_e;

typedef struct {
    link_to_e                      to;        /* those of the last three are
                                                 not logged here */
    const sluice_node_t           *node;      /* copied; NULL: as the URL says,
                                                 which is not of a cluster */
    const char                    *name;      /* CLIENT SETNAME, or NULL */
    const sluice_script_t *const  *scripts;   /* must outlive the link */
    size_t                         nscripts;
    int64_t                        timeout;   /* ms for an answer; 0:
                                                 settings->redis_timeout */
    link_waits_e                   waits;
    link_state_pt                  state;     /* or NULL */
    sluice_redis_reply_pt          refused;   /* each error, shown before its
                                                 command's function; or NULL */
    link_mark_pt                   mark;      /* of a node of a cluster */
    void                          *data;
} link_conf_t;


/*
 * Starts to connect; nothing is called before the loop runs.  What it needs of
 * settings and conf is copied, but for the scripts.  NULL: out of memory.
 */
link_t *link_open(struct event_base *base, const settings_t *settings,
    const link_conf_t *conf);

/*
 * The client to queue commands on, one or many.  What is queued in this turn
 * of the loop is written at its end, in one write.
 */
sluice_redis_t *link_redis(link_t *link);

bool link_ready(const link_t *link);

/* why it was lost, the last time; "" when it was not */
const char *link_why(const link_t *link);

/*
 * Every pending command is answered with NULL, then all is freed; the state
 * function is not called.  Not from a reply or state function of this link.
 */
void link_close(link_t *link);


/* milliseconds: since some start, never set back; and since 1970 */

static inline int64_t
clock_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


static inline int64_t
clock_wall_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


/* the event fires in ms, instead of when it would have */

static inline void
clock_arm(struct event *event, int64_t ms)
{
    struct timeval  tv;

    tv.tv_sec = (time_t) (ms / 1000);
    tv.tv_usec = (suseconds_t) (ms % 1000 * 1000);

    event_add(event, &tv);
}


/* uniform in [0, 1), as core/retry.h takes it */

static inline double
random_unit(void)
{
    uint32_t  bits;

    evutil_secure_rng_get_bytes(&bits, sizeof(bits));

    return bits / 4294967296.0;
}


#endif
