/*
 * New jobs and job schedulers, as calls like those of queue_admin.h.
 */

#ifndef SLUICE_WORKER_QUEUE_NEW_H
#define SLUICE_WORKER_QUEUE_NEW_H

#include "worker/job_new.h"
#include "worker/queue_admin.h"


/* `id` "" takes the queue's counter */
sluice_redis_result_e queue_insert(sluice_redis_t *redis,
    const queue_t *queue, const char *id, const job_new_t *job,
    sluice_redis_reply_pt reply, void *data);

/*
 * *what ("added", "duplicate", "deduplicated") and *id are the reply's: with
 * "deduplicated" the job that is there instead.
 */
queue_read_e queue_read_inserted(const queue_t *queue,
    const redisReply *reply, const char **what, const char **id);

/* a scheduler is added, or changed */
sluice_redis_result_e queue_schedule(sluice_redis_t *redis,
    const queue_t *queue, const char *id, const job_new_t *job,
    sluice_redis_reply_pt reply, void *data);

/* *id of the next job is the reply's, or NULL: *code is schedule.lua's */
queue_read_e queue_read_scheduled(const queue_t *queue,
    const redisReply *reply, const char **id, int *code);

/* why a scheduler is not changed, by schedule.lua's code */
const char *queue_schedule_why(int code);

/* n <= QUEUE_ADMIN_BATCH ids of schedulers; queue_read_codes() */
sluice_redis_result_e queue_unschedule(sluice_redis_t *redis,
    const queue_t *queue, const char *const *ids, size_t n,
    sluice_redis_reply_pt reply, void *data);

/*
 * A scheduler's hash, names and values in turns -> what job_new_scheduler()
 * takes: name, data, every or pattern, ...  *opts are those of its jobs as they
 * are stored, or NULL; *iterations how many there were, -1 when it is not one
 * but a repeatable job of the old kind.  NULL: it is not there, or cannot be
 * read.
 */
json_t *queue_scheduler(const redisReply *hash, json_t **opts,
    int64_t *iterations);


#endif
