/*
 * What people and the REST API do with a queue, as calls like those of queue.h:
 * plain values in, plain results out.  A call over many jobs does some of them:
 * the caller repeats, as each says, so that Redis is never held up for long.
 */

#ifndef SLUICE_WORKER_QUEUE_ADMIN_H
#define SLUICE_WORKER_QUEUE_ADMIN_H

#include "worker/queue.h"


/* jobs of one call: some ms of Redis' time */
#define QUEUE_ADMIN_BATCH  200


/* the scripts, for link_conf_t */
extern const sluice_script_t *const  queue_admin_scripts[];
extern const size_t                  queue_admin_nscripts;


/* ---------------------------------------------------------------- scripts */

/* the script, its queue and the major: `nargs` more follow */
sluice_redis_result_e queue_begin(sluice_redis_t *redis, const queue_t *queue,
    const sluice_script_t *script, size_t nargs);

/* 0 jobs left to move, or again: queue_read_left() */
sluice_redis_result_e queue_pause(sluice_redis_t *redis, const queue_t *queue,
    bool pause, sluice_redis_reply_pt reply, void *data);
queue_read_e queue_read_left(const queue_t *queue, const redisReply *reply,
    int64_t *left);

typedef enum {
    ADMIN_RETRY,        /* `set` "failed" or "completed"; `value` 1 forgets
                           the attempts made */
    ADMIN_PROMOTE,
    ADMIN_REMOVE,       /* `set` "" or one of remove.lua; `value` 1 with what is
                           below it in its flow */
    ADMIN_DELAY,        /* `value` ms from now */
    ADMIN_PRIORITY      /* `value`, behind the others of that priority */
} admin_e;

/* n <= QUEUE_ADMIN_BATCH ids */
sluice_redis_result_e queue_admin(sluice_redis_t *redis, const queue_t *queue,
    admin_e what, const char *set, int64_t value, const char *const *ids,
    size_t n, sluice_redis_reply_pt reply, void *data);

/*
 * One code an id, as the scripts say, for the first *done of the n ids: the
 * caller repeats with the others.
 */
queue_read_e queue_read_codes(const queue_t *queue, const redisReply *reply,
    int *codes, size_t n, size_t *done);

/* where a call over a whole set stands; zero at first */
typedef struct {
    int64_t  passed;    /* over, and left where they are */
    int64_t  done;
    int64_t  looked;    /* at so many, */
    int64_t  there;     /* of so many that a clean found at first */
    bool     end;
} queue_walk_t;

/*
 * All of "failed", "completed" or "delayed" back to the line: those that were
 * finished up to `upto`, ms since 1970, 0 any.
 */
sluice_redis_result_e queue_move(sluice_redis_t *redis, const queue_t *queue,
    const char *set, bool reset, int64_t upto, const queue_walk_t *walk,
    sluice_redis_reply_pt reply, void *data);

/*
 * Removes the jobs of a state (clean.lua) older than `grace` ms, 0 all; for
 * draining without `announce`.  As many as there are at the first call: a queue
 * that is fed faster than that is not emptied.
 */
sluice_redis_result_e queue_clean(sluice_redis_t *redis, const queue_t *queue,
    const char *state, int64_t grace, bool announce, const queue_walk_t *walk,
    sluice_redis_reply_pt reply, void *data);

/* of queue_move() and queue_clean(): adds to the walk */
queue_read_e queue_read_walk(const queue_t *queue, const redisReply *reply,
    queue_walk_t *walk);

/* "data", "progress" (JSON) or "log"; keep lines of the log, 0 all */
sluice_redis_result_e queue_update(sluice_redis_t *redis,
    const queue_t *queue, const char *id, const char *what, const char *value,
    size_t len, int64_t keep, sluice_redis_reply_pt reply, void *data);

/* 1, of a log its lines, or -1 there is no such job */
queue_read_e queue_read_updated(const queue_t *queue, const redisReply *reply,
    int64_t *result);

/* `state`: zero at first, then as queue_read_obliterated() left it */
typedef struct {
    char  text[32];
    bool  end;
    int   refused;      /* -1 it is not paused, -2 it has active jobs */
} queue_obliterate_t;

sluice_redis_result_e queue_obliterate(sluice_redis_t *redis,
    const queue_t *queue, bool force, const queue_obliterate_t *state,
    sluice_redis_reply_pt reply, void *data);
queue_read_e queue_read_obliterated(const queue_t *queue,
    const redisReply *reply, queue_obliterate_t *state);

/* ---------------------------------------------------------------- getters */

/*
 * Each is some plain commands; its function is called once, with what came of
 * them, or has never been called when the call was not OK.
 */

typedef enum {
    STATE_WAITING,
    STATE_ACTIVE,
    STATE_DELAYED,
    STATE_PRIORITIZED,
    STATE_CHILDREN,
    STATE_COMPLETED,
    STATE_FAILED,
    STATE_UNKNOWN
} job_state_e;

#define STATE_MAX  STATE_UNKNOWN

/* "waiting", "active", ..., as BullMQ names them */
extern const char *const  queue_states[];

typedef struct {
    int64_t  jobs[STATE_MAX];    /* -1: the key is of another type */
    bool     paused;
} queue_counts_t;

typedef void (*queue_counted_pt)(void *data, queue_read_e result,
    const queue_counts_t *counts);
sluice_redis_result_e queue_counts(sluice_redis_t *redis,
    const queue_t *queue, queue_counted_pt done, void *data);

/*
 * The state of one job.  A job that is nowhere else waits: its list, which may
 * be long, is not searched.  UNKNOWN: there is no such job.
 */
typedef void (*queue_stated_pt)(void *data, queue_read_e result,
    job_state_e state);
sluice_redis_result_e queue_state(sluice_redis_t *redis, const queue_t *queue,
    const char *id, queue_stated_pt done, void *data);

/* a job of a page; text is "" and numbers are 0 where it has none */
typedef struct {
    const char  *id, *name, *data, *opts, *progress, *returnvalue, *reason;
    int64_t      timestamp, started, finished, attempts, delay, priority;
    bool         gone;       /* its id is in the set, the job itself is not */
} queue_row_t;

/*
 * A page of a state: n <= QUEUE_ADMIN_BATCH jobs behind the first `offset`.
 * Newest first, or else in the order in which they are taken or were finished.
 * The ids of a paused queue of BullMQ 5 are in `paused`.  Several jobs of more
 * than `most` bytes of text are not read to their end: then rows is NULL.
 */
typedef void (*queue_paged_pt)(void *data, queue_read_e result,
    const queue_row_t *rows, size_t n);
sluice_redis_result_e queue_page(sluice_redis_t *redis, const queue_t *queue,
    job_state_e state, bool paused, bool newest, int64_t offset, size_t n,
    size_t most, queue_paged_pt done, void *data);


#endif
