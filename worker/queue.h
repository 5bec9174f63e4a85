/*
 * The scripts as calls: plain values in, plain results out.  A call is queued
 * on a client (link_redis()); its reply, in the caller's reply function, is
 * read by the matching queue_read_ function.
 */

#ifndef SLUICE_WORKER_QUEUE_H
#define SLUICE_WORKER_QUEUE_H

#include "worker/worker.h"


#define QUEUE_BATCH  64    /* jobs of one call */
#define QUEUE_SOON   200   /* ms that a message may wait here for its turn */


/* the scripts, for link_conf_t */
extern const sluice_script_t *const  queue_scripts[];
extern const size_t                  queue_nscripts;


/* what every call of a queue says: its names and its rules */
typedef struct {
    char     name[SLUICE_KEYS_MAX];       /* "<prefix>:<queue>" */
    char     base[SLUICE_KEYS_MAX];       /* "<prefix>:<queue>:" */
    char     marker[SLUICE_KEYS_MAX];
    char     records[SLUICE_KEYS_MAX];
    char     claims[SLUICE_KEYS_MAX];     /* what claims' keys begin with */
    char     prefix[SLUICE_KEYS_MAX];
    char     limits[256];                 /* the buckets that a take asks */
    char     keep_completed[48];
    char     keep_failed[48];
    int      bullmq;
    int      max_stalled;
    int      metrics;
    int64_t  lock, stalled;
    int64_t  keep_completed_bytes, keep_failed_bytes;
} queue_t;

/* 0, or -1: a name is too long */
int queue_init(queue_t *queue, const queue_settings_t *settings);

/* an argument of a call, ended by NUL */
void queue_text(sluice_redis_t *redis, const char *text);


/* ------------------------------------------------------------------- take */

typedef enum {
    TAKE_OK,         /* as many as asked for: there may be more */
    TAKE_IDLE,
    TAKE_DELAYED,    /* nothing until `value`, ms since 1970 */
    TAKE_LIMITED,    /* by a rate limit, for `value` ms */
    TAKE_PAUSED,
    TAKE_FULL,       /* the queue's own concurrency */
    TAKE_CLASS,      /* a class, for `value` ms; the others have no more */
    TAKE_REFUSED     /* `refused`: id, space, reason; it stays where it is */
} take_status_e;

typedef struct {
    take_status_e   status;
    int64_t         value;
    char            refused[256];
    job_t          *jobs[QUEUE_BATCH];    /* the reader's to free */
    size_t          njobs;
} taken_t;

typedef enum {
    QUEUE_READ_OK,
    QUEUE_READ_AWAY,     /* no reply, or a state of the server: try later */
    QUEUE_READ_WRONG     /* an error of ours or of the queue's data: logged */
} queue_read_e;

/*
 * What a call may take: `token` is that of the leases; so many of the `count`
 * jobs, at most QUEUE_BATCH, come from the lowest class first.
 */
typedef struct {
    size_t       count, floor;
    const char  *token;
} take_t;

sluice_redis_result_e queue_take(sluice_redis_t *redis, const queue_t *queue,
    const take_t *take, sluice_redis_reply_pt reply, void *data);
queue_read_e queue_read_taken(const queue_t *queue, const redisReply *reply,
    const char *token, taken_t *taken);


/* the next iteration of the scheduler that the job is of, at `at`, once */
sluice_redis_result_e queue_iterate(sluice_redis_t *redis,
    const queue_t *queue, const job_t *job, int64_t at,
    sluice_redis_reply_pt reply, void *data);


/* ----------------------------------------------------------------- results */

typedef enum {
    RESULT_COMPLETED,
    RESULT_FAILED,     /* for good */
    RESULT_RETRY,      /* an attempt ends; again after `delay`, 0 at once */
    RESULT_DELAY,      /* not now: again after `delay`, no attempt used */
    RESULT_RELEASE,    /* back to the front of its line */
    RESULT_CHILDREN    /* completed, but for its children: it waits for them */
} result_kind_e;

/* what became of a job, to be written; nothing is owned */
typedef struct {
    result_kind_e        kind;
    const char          *id, *token;
    const char          *value;      /* returnvalue (JSON) or the reason */
    const char          *stack;      /* JSON array; "" none */
    const char          *keep;       /* "count:age:limit" or "" */
    const char          *claim;      /* its result for later, or "" */
    int64_t              claim_ttl;
    int64_t              delay;
    char *const         *records;
    size_t               nrecords;
} result_t;

/*
 * Completed and failed jobs; takes new ones in the same call, none with a count
 * of 0.  n <= QUEUE_BATCH.
 */
sluice_redis_result_e queue_finish(sluice_redis_t *redis, const queue_t *queue,
    const result_t *results, size_t n, const take_t *take,
    sluice_redis_reply_pt reply, void *data);

/* The other kinds; of RESULT_CHILDREN the value is kept.  n <= QUEUE_BATCH. */
sluice_redis_result_e queue_retry(sluice_redis_t *redis, const queue_t *queue,
    const result_t *results, size_t n, sluice_redis_reply_pt reply,
    void *data);

/*
 * One code a job: 0, or a negative one (section "Returns" of finish.lua); for
 * queue_finish also what was taken (njobs 0, TAKE_OK when nothing was asked).
 * `taken` is NULL for queue_retry.
 */
queue_read_e queue_read_results(const queue_t *queue, const redisReply *reply,
    int *codes, size_t n, const char *token, taken_t *taken);

/* what a code means, for a log line */
const char *queue_code(int code);


/* ------------------------------------------------------- leases and stalls */

/* ids and tokens by turns, n pairs, n <= 1000; the reply: ids that are lost */
sluice_redis_result_e queue_extend(sluice_redis_t *redis, const queue_t *queue,
    const char *const *pairs, size_t n, sluice_redis_reply_pt reply,
    void *data);

/* the reply: ids moved back to the line */
sluice_redis_result_e queue_recover(sluice_redis_t *redis,
    const queue_t *queue, sluice_redis_reply_pt reply, void *data);

/* the i-th id of such a reply, NULL past the last */
const char *queue_read_id(const redisReply *reply, size_t i);
queue_read_e queue_read_kind(const queue_t *queue, const char *call,
    const redisReply *reply);

/* logs that a reply is not of the form agreed: WRONG */
queue_read_e queue_nonsense(const queue_t *queue, const char *call);


/* ------------------------------------------------------------------- admit */

typedef enum {
    ADMIT_GO,
    ADMIT_AGAIN,    /* an attempt before this one ended without a result */
    ADMIT_DONE,     /* `value`: the result that the claim holds */
    ADMIT_WAIT      /* `wait` ms; nothing is claimed */
} admit_e;

typedef struct {
    const char  *id;         /* the claim's, after queue->claims */
    const char  *token;
    const char  *sender;
    const char  *pair;       /* "<sender>:<recipient>" */
    int64_t      interval;   /* µs between two messages of the sender */
    int64_t      tolerance;  /* µs */
    int64_t      apart;      /* µs between two of the pair, 0 any */
    int64_t      borrow;     /* of them at once, made up for later */
} admission_t;

typedef struct {
    admit_e      verdict;
    const char  *value;      /* points into the reply */
    int64_t      wait;
} admitted_t;

/* n <= QUEUE_BATCH */
sluice_redis_result_e queue_admit(sluice_redis_t *redis, const queue_t *queue,
    const admission_t *messages, size_t n, int64_t claim_ttl, int64_t horizon,
    sluice_redis_reply_pt reply, void *data);
queue_read_e queue_read_admitted(const queue_t *queue,
    const redisReply *reply, admitted_t *admitted, size_t n);


#endif
