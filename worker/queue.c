#include <stdio.h>
#include <string.h>
#include "scripts.h"
#include "worker/link.h"
#include "worker/queue.h"


const sluice_script_t *const  queue_scripts[] = {
    &sluice_script_take,
    &sluice_script_finish,
    &sluice_script_retry,
    &sluice_script_extend,
    &sluice_script_recover,
    &sluice_script_admit,
    &sluice_script_iterate
};

const size_t  queue_nscripts = sizeof(queue_scripts) / sizeof(queue_scripts[0]);


static void
queue_bucket(queue_t *queue, const char *name,
    const sluice_gcra_limit_t *limit)
{
    size_t  len;

    if (limit->interval) {
        len = strlen(queue->limits);
        snprintf(queue->limits + len, sizeof(queue->limits) - len,
                 " %s:%lld:%lld", name, (long long) limit->interval,
                 (long long) limit->tolerance);
    }
}


int
queue_init(queue_t *queue, const queue_settings_t *settings)
{
    int          n;
    char         own[SLUICE_KEYS_MAX];
    size_t       len, prefix;

    memset(queue, 0, sizeof(queue_t));

    prefix = strlen(settings->prefix);

    len = sluice_keys_base(queue->base, sizeof(queue->base), settings->prefix,
                           prefix, settings->name, strlen(settings->name));

    /* a job's id is unique in its queue only, so are its claims */
    n = snprintf(own, sizeof(own), "%s:", settings->name);

    if (len == 0
        || n >= (int) sizeof(own)
        || sluice_keys_records(queue->records, sizeof(queue->records),
                               settings->prefix, prefix) == 0
        || sluice_keys_claim(queue->claims, sizeof(queue->claims),
                             settings->prefix, prefix, own, n) == 0
        || snprintf(queue->marker, sizeof(queue->marker), "%.*smarker",
                    (int) len, queue->base) >= (int) sizeof(queue->marker))
    {
        return -1;
    }

    memcpy(queue->name, queue->base, len - 1);
    memcpy(queue->prefix, settings->prefix, prefix);

    snprintf(queue->keep_completed, sizeof(queue->keep_completed), "%d:%lld",
             settings->keep_completed,
             (long long) settings->keep_completed_age);
    snprintf(queue->keep_failed, sizeof(queue->keep_failed), "%d:%lld",
             settings->keep_failed, (long long) settings->keep_failed_age);

    queue_bucket(queue, "rate", &settings->limits.rate);
    queue_bucket(queue, "quota", &settings->limits.quota);
    queue_bucket(queue, "high", &settings->limits.high);
    queue_bucket(queue, "medium", &settings->limits.medium);
    queue_bucket(queue, "low", &settings->limits.low);

    if (settings->kind == QUEUE_SEND) {
        len = strlen(queue->limits);
        snprintf(queue->limits + len, sizeof(queue->limits) - len,
                 " paces:%d", QUEUE_SOON);
    }

    queue->bullmq = settings->bullmq;
    queue->max_stalled = settings->max_stalled;
    queue->lock = settings->lock;
    queue->stalled = settings->stalled;
    queue->keep_completed_bytes = settings->keep_completed_bytes;
    queue->keep_failed_bytes = settings->keep_failed_bytes;
    queue->metrics = settings->metrics;

    return 0;
}


void
queue_text(sluice_redis_t *redis, const char *text)
{
    sluice_redis_arg(redis, text, strlen(text));
}


/* the six arguments with which a script takes */

static void
queue_take_arguments(sluice_redis_t *redis, const queue_t *queue,
    const take_t *take)
{
    sluice_redis_arg_int(redis, take->count);
    queue_text(redis, take->token);
    sluice_redis_arg_int(redis, queue->lock);
    queue_text(redis, "");
    queue_text(redis, "");
    queue_text(redis, "");
}


/* and those behind all others: schedulers, limits */

static void
queue_take_limits(sluice_redis_t *redis, const queue_t *queue,
    const take_t *take)
{
    int   n;
    char  floor[32];

    queue_text(redis, "1");

    n = take->floor ? snprintf(floor, sizeof(floor), "floor:%zu", take->floor)
                    : 0;

    sluice_redis_arg_begin(redis, n + strlen(queue->limits));
    sluice_redis_piece(redis, floor, n);
    sluice_redis_piece(redis, queue->limits, strlen(queue->limits));
}


sluice_redis_result_e
queue_take(sluice_redis_t *redis, const queue_t *queue, const take_t *take,
    sluice_redis_reply_pt reply, void *data)
{
    sluice_redis_result_e  rc;

    rc = sluice_redis_script(redis, &sluice_script_take, 1, 9, clock_ms());

    if (rc != SLUICE_REDIS_OK) {
        return rc;
    }

    queue_text(redis, queue->base);
    sluice_redis_arg_int(redis, queue->bullmq);
    queue_take_arguments(redis, queue, take);
    queue_take_limits(redis, queue, take);

    return sluice_redis_end(redis, reply, data);
}


sluice_redis_result_e
queue_iterate(sluice_redis_t *redis, const queue_t *queue, const job_t *job,
    int64_t at, sluice_redis_reply_pt reply, void *data)
{
    sluice_redis_result_e  rc;

    rc = sluice_redis_script(redis, &sluice_script_iterate, 1, 4, clock_ms());

    if (rc != SLUICE_REDIS_OK) {
        return rc;
    }

    queue_text(redis, queue->base);
    sluice_redis_arg_int(redis, queue->bullmq);
    queue_text(redis, job->scheduler);
    queue_text(redis, job->id);
    sluice_redis_arg_int(redis, at);

    sluice_redis_hold(redis);

    return sluice_redis_end(redis, reply, data);
}


sluice_redis_result_e
queue_finish(sluice_redis_t *redis, const queue_t *queue,
    const result_t *results, size_t n, const take_t *take,
    sluice_redis_reply_pt reply, void *data)
{
    size_t                  i, j, nargs;
    const result_t         *result;
    sluice_redis_result_e   rc;

    nargs = 15 + 9 * n;

    for (i = 0; i < n; i++) {
        nargs += results[i].nrecords;
    }

    rc = sluice_redis_script(redis, &sluice_script_finish, 3, nargs,
                             clock_ms());

    if (rc != SLUICE_REDIS_OK) {
        return rc;
    }

    queue_text(redis, queue->base);
    queue_text(redis, queue->records);
    queue_text(redis, queue->claims);

    sluice_redis_arg_int(redis, queue->bullmq);
    queue_take_arguments(redis, queue, take);
    queue_text(redis, queue->keep_completed);
    queue_text(redis, queue->keep_failed);
    sluice_redis_arg_int(redis, queue->metrics);
    sluice_redis_arg_int(redis, queue->keep_completed_bytes);
    sluice_redis_arg_int(redis, queue->keep_failed_bytes);
    sluice_redis_arg_int(redis, n);

    for (i = 0; i < n; i++) {
        result = &results[i];

        queue_text(redis, result->id);
        queue_text(redis, result->token);
        queue_text(redis, result->kind == RESULT_COMPLETED ? "completed"
                                                           : "failed");
        queue_text(redis, result->value);
        queue_text(redis, result->stack);
        queue_text(redis, result->keep);
        queue_text(redis, result->claim);
        sluice_redis_arg_int(redis, result->claim_ttl);
        sluice_redis_arg_int(redis, result->nrecords);

        for (j = 0; j < result->nrecords; j++) {
            queue_text(redis, result->records[j]);
        }
    }

    queue_take_limits(redis, queue, take);

    sluice_redis_hold(redis);

    return sluice_redis_end(redis, reply, data);
}


sluice_redis_result_e
queue_retry(sluice_redis_t *redis, const queue_t *queue,
    const result_t *results, size_t n, sluice_redis_reply_pt reply, void *data)
{
    bool                    children;
    size_t                  i, j, nargs;
    const result_t         *result;
    sluice_redis_result_e   rc;

    static const char *const  modes[] = {
        [RESULT_RETRY] = "retry",
        [RESULT_DELAY] = "delay",
        [RESULT_RELEASE] = "release",
        [RESULT_CHILDREN] = "children"
    };

    nargs = 2 + 7 * n;

    for (i = 0; i < n; i++) {
        nargs += results[i].nrecords;
    }

    rc = sluice_redis_script(redis, &sluice_script_retry, 2, nargs,
                             clock_ms());

    if (rc != SLUICE_REDIS_OK) {
        return rc;
    }

    queue_text(redis, queue->base);
    queue_text(redis, queue->records);
    sluice_redis_arg_int(redis, queue->bullmq);
    sluice_redis_arg_int(redis, n);

    for (i = 0; i < n; i++) {
        result = &results[i];
        children = (result->kind == RESULT_CHILDREN);

        queue_text(redis, result->id);
        queue_text(redis, result->token);
        queue_text(redis, modes[result->kind]);
        sluice_redis_arg_int(redis, result->delay);
        queue_text(redis, children ? "" : result->value);
        queue_text(redis, children ? "" : result->stack);
        sluice_redis_arg_int(redis, result->nrecords);

        for (j = 0; j < result->nrecords; j++) {
            queue_text(redis, result->records[j]);
        }
    }

    sluice_redis_hold(redis);

    return sluice_redis_end(redis, reply, data);
}


sluice_redis_result_e
queue_extend(sluice_redis_t *redis, const queue_t *queue,
    const char *const *pairs, size_t n, sluice_redis_reply_pt reply,
    void *data)
{
    size_t                 i;
    sluice_redis_result_e  rc;

    rc = sluice_redis_script(redis, &sluice_script_extend, 1, 1 + 2 * n,
                             clock_ms());

    if (rc != SLUICE_REDIS_OK) {
        return rc;
    }

    queue_text(redis, queue->base);
    sluice_redis_arg_int(redis, queue->lock);

    for (i = 0; i < 2 * n; i++) {
        queue_text(redis, pairs[i]);
    }

    return sluice_redis_end(redis, reply, data);
}


sluice_redis_result_e
queue_recover(sluice_redis_t *redis, const queue_t *queue,
    sluice_redis_reply_pt reply, void *data)
{
    sluice_redis_result_e  rc;

    rc = sluice_redis_script(redis, &sluice_script_recover, 1, 3, clock_ms());

    if (rc != SLUICE_REDIS_OK) {
        return rc;
    }

    queue_text(redis, queue->base);
    sluice_redis_arg_int(redis, queue->bullmq);
    sluice_redis_arg_int(redis, queue->stalled);
    sluice_redis_arg_int(redis, queue->max_stalled);

    return sluice_redis_end(redis, reply, data);
}


static void
queue_pace(sluice_redis_t *redis, const queue_t *queue, const char *name)
{
    char    pace[SLUICE_KEYS_MAX * 2];
    size_t  len;

    len = sluice_keys_pace(pace, sizeof(pace), queue->prefix,
                           strlen(queue->prefix), name, strlen(name));
    sluice_redis_arg(redis, pace, len);
}


static void
queue_joined(sluice_redis_t *redis, const char *one, const char *two)
{
    sluice_redis_arg_begin(redis, strlen(one) + strlen(two));
    sluice_redis_piece(redis, one, strlen(one));
    sluice_redis_piece(redis, two, strlen(two));
}


sluice_redis_result_e
queue_admit(sluice_redis_t *redis, const queue_t *queue,
    const admission_t *messages, size_t n, int64_t claim_ttl, int64_t horizon,
    sluice_redis_reply_pt reply, void *data)
{
    size_t                  i;
    const admission_t      *message;
    sluice_redis_result_e   rc;

    rc = sluice_redis_script(redis, &sluice_script_admit, 4 * n, 9 * n,
                             clock_ms());

    if (rc != SLUICE_REDIS_OK) {
        return rc;
    }

    for (i = 0; i < n; i++) {
        message = &messages[i];

        queue_joined(redis, queue->base, message->id);
        queue_joined(redis, queue->claims, message->id);
        queue_pace(redis, queue, message->sender);
        queue_pace(redis, queue, message->pair);
    }

    for (i = 0; i < n; i++) {
        message = &messages[i];

        queue_text(redis, message->token);
        sluice_redis_arg_int(redis, claim_ttl);
        sluice_redis_arg_int(redis, horizon);
        queue_text(redis, message->sender);
        queue_text(redis, message->pair + strlen(message->sender) + 1);
        sluice_redis_arg_int(redis, message->interval);
        sluice_redis_arg_int(redis, message->tolerance);
        sluice_redis_arg_int(redis, message->apart);
        sluice_redis_arg_int(redis, message->borrow);
    }

    sluice_redis_hold(redis);

    return sluice_redis_end(redis, reply, data);
}
