/*
 * A new job, or a new job scheduler, from the members of a JSON object, in
 * BullMQ's names: what lua/insert.lua and lua/schedule.lua are given.  Pure.
 *
 *     name, data, delay, priority, attempts, lifo, removeOnComplete,
 *     removeOnFail, keepLogs, stackTraceLimit, groupKey
 *     backoff         ms, or {"type", "delay", "jitter"}
 *     deduplication   {"id", "ttl", "extend", "replace", "keepLastIfActive",
 *                     "reschedule"}
 *
 * of a scheduler without delay and deduplication, but with
 *
 *     every (ms) | pattern, tz, limit, startDate, endDate (ms since 1970),
 *     immediately, offset
 *
 * Any other member but "id", which is the caller's, is an error.
 */

#ifndef SLUICE_WORKER_JOB_NEW_H
#define SLUICE_WORKER_JOB_NEW_H

#include "worker/scheduler.h"


#define JOB_DELAY_MAX     INT64_C(315360000000)    /* ms: ten years */
#define JOB_PRIORITY_MAX  2097151
#define JOB_DUE_MAX       INT64_C(2199023255550)   /* lua/include/due.lua */
#define JOB_ATTEMPTS_MAX  1000000


typedef struct {
    char  field[64];      /* the member: "delay", "backoff.type" */
    char  what[256];      /* "must be ..."; without a value */
} job_wrong_t;

typedef struct {
    const char  *name;    /* in the object */
    char        *data;    /* JSON; owned, as are the others */
    char        *opts;    /* in the names that are stored */
    char        *plan;    /* of a scheduler: ARGV[8] of schedule.lua */
    int64_t      at;      /* of a scheduler: its first iteration */
    int64_t      offset;
} job_new_t;


/*
 * `id` is that of the job, "" none.  False with what is wrong; then nothing is
 * to be freed.
 */
bool job_new_read(job_new_t *job, json_t *object, const char *id,
    job_wrong_t *wrong);

/* `opts` in the names that are stored are what the members change, or NULL */
bool job_new_scheduler(job_new_t *job, json_t *object, json_t *opts,
    zones_t *zones, int bullmq, int64_t now, job_wrong_t *wrong);

/* are they members of a scheduler? */
bool job_new_scheduler_members(json_t *object, job_wrong_t *wrong);

void job_new_free(job_new_t *job);

/*
 * A scheduler's id from outside: 1 to 128 bytes, no colon, which would let it
 * meet the ids of another's jobs, no control character.
 */
bool job_new_scheduler_id_ok(const char *id);


#endif
