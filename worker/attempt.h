/*
 * What becomes of a job after an attempt: the verdict of a channel, the job's
 * own options and the queue's schedule in, a decision out.  Pure.
 */

#ifndef SLUICE_WORKER_ATTEMPT_H
#define SLUICE_WORKER_ATTEMPT_H

#include "worker/worker.h"


typedef enum {
    ATTEMPT_DONE,       /* completed */
    ATTEMPT_DEAD,       /* failed for good */
    ATTEMPT_RETRY,      /* this attempt failed; again after `delay` */
    ATTEMPT_DELAY       /* again after `delay`, no attempt used */
} attempt_kind_e;

typedef struct {
    attempt_kind_e  kind;
    int64_t         delay;        /* ms */
    bool            exhausted;    /* DEAD for want of attempts */
} attempt_t;


/*
 * The job's schedule: its own opts.attempts (1 or more) with opts.backoff (a
 * number, fixed or exponential, jitter), else the queue's.  A backoff of an
 * unknown type keeps the attempts and takes the queue's delays.
 */
void attempt_schedule(sluice_retry_t *schedule, const job_t *job,
    const sluice_retry_t *queue);

/* `random` is uniform in [0, 1) */
void attempt_decide(attempt_t *attempt, const verdict_t *verdict,
    const job_t *job, const sluice_retry_t *schedule, double random);

/*
 * The job's own removeOnComplete or removeOnFail as "count:age:limit" for
 * finish.lua, or "" when it says nothing.
 */
void attempt_keep(char *dst, size_t size, const job_t *job, bool completed);

/* `reason` as the JSON array of a stacktrace, malloc()ed; NULL no memory */
char *attempt_stack(const char *reason);


#endif
