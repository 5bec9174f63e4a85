/*
 * The scripts' replies as plain values.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/queue.h"


#define QUEUE_JOB_FIELDS  14


queue_read_e
queue_read_kind(const queue_t *queue, const char *call,
    const redisReply *reply)
{
    if (reply == NULL) {
        return QUEUE_READ_AWAY;
    }

    switch (sluice_redis_reply_kind(reply)) {

    case SLUICE_REDIS_REPLY_OK:
        return QUEUE_READ_OK;

    case SLUICE_REDIS_REPLY_WRONG:
        log_event(LOG_ERROR_, "script_failed", "queue", "%s", queue->name,
                  "call", "%s", call, "error", "%s", reply->str, NULL);
        return QUEUE_READ_WRONG;

    default:
        log_event(LOG_WARN_, "redis_refuses", "queue", "%s", queue->name,
                  "call", "%s", call, "error", "%s", reply->str, NULL);
        return QUEUE_READ_AWAY;
    }
}


queue_read_e
queue_nonsense(const queue_t *queue, const char *call)
{
    log_event(LOG_ERROR_, "script_reply", "queue", "%s", queue->name,
              "call", "%s", call, "error", "%s",
              "the reply is not of the form agreed", NULL);

    return QUEUE_READ_WRONG;
}


static int64_t
queue_number(const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_INTEGER) {
        return reply->integer;
    }

    return (reply->type == REDIS_REPLY_STRING) ? strtoll(reply->str, NULL, 10)
                                               : 0;
}


static bool
queue_is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING
           || reply->type == REDIS_REPLY_STATUS;
}


/* The job and all its text are one piece of memory. */

static job_t *
queue_job(const redisReply *reply, const char *token)
{
    char        *p, **text;
    job_t       *job;
    size_t       i, size, len;
    redisReply  *field;

    static const size_t  kept[] = { 0, 1, 2, 3, 10, 11, 13 };

    size = sizeof(job_t) + strlen(token) + 1;

    for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        field = reply->element[kept[i]];
        size += (queue_is_text(field) ? field->len : 0) + 1;
    }

    job = malloc(size);

    if (job == NULL) {
        return NULL;
    }

    p = (char *) (job + 1);

    for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        field = reply->element[kept[i]];
        len = queue_is_text(field) ? field->len : 0;

        text = (i == 0) ? &job->id : (i == 1) ? &job->name
               : (i == 2) ? &job->data : (i == 3) ? &job->opts
               : (i == 4) ? &job->defa : (i == 5) ? &job->deid
               : &job->scheduler;

        if (i == 2) {
            job->data_len = len;
        }

        memcpy(p, len ? field->str : "", len);
        p[len] = '\0';

        *text = p;
        p += len + 1;
    }

    job->token = strcpy(p, token);

    job->timestamp = queue_number(reply->element[4]);
    job->delay = queue_number(reply->element[5]);
    job->priority = queue_number(reply->element[6]);
    job->made = queue_number(reply->element[7]);
    job->started = queue_number(reply->element[8]);
    job->stalls = queue_number(reply->element[9]);

    return job;
}


void
job_free(job_t *job)
{
    free(job);
}


queue_read_e
queue_read_taken(const queue_t *queue, const redisReply *reply,
    const char *token, taken_t *taken)
{
    size_t        i;
    redisReply   *jobs, *value;
    queue_read_e  rc;

    static const char *const  statuses[] = {
        "ok", "idle", "delayed", "limited", "paused", "full", "class",
        "refused"
    };

    memset(taken, 0, offsetof(taken_t, jobs));
    taken->njobs = 0;

    rc = queue_read_kind(queue, "take", reply);

    if (rc != QUEUE_READ_OK) {
        return rc;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3
        || !queue_is_text(reply->element[0])
        || reply->element[2]->type != REDIS_REPLY_ARRAY
        || reply->element[2]->elements > QUEUE_BATCH)
    {
        return queue_nonsense(queue, "take");
    }

    value = reply->element[1];
    jobs = reply->element[2];

    for (i = 0; strcmp(reply->element[0]->str, statuses[i]) != 0; i++) {
        if (i == TAKE_REFUSED) {
            return queue_nonsense(queue, "take");
        }
    }

    taken->status = i;

    if (i == TAKE_REFUSED) {
        snprintf(taken->refused, sizeof(taken->refused), "%s",
                 queue_is_text(value) ? value->str : "");
    } else {
        taken->value = queue_number(value);
    }

    for (i = 0; i < jobs->elements; i++) {
        if (jobs->element[i]->type != REDIS_REPLY_ARRAY
            || jobs->element[i]->elements != QUEUE_JOB_FIELDS)
        {
            (void) queue_nonsense(queue, "take");
            continue;
        }

        /* without memory for it the job's lease runs out: it is recovered */

        taken->jobs[taken->njobs] = queue_job(jobs->element[i], token);
        taken->njobs += (taken->jobs[taken->njobs] != NULL);
    }

    return QUEUE_READ_OK;
}


queue_read_e
queue_read_results(const queue_t *queue, const redisReply *reply, int *codes,
    size_t n, const char *token, taken_t *taken)
{
    size_t        i;
    redisReply   *list;
    const char   *call;
    queue_read_e  rc;

    call = taken ? "finish" : "retry";

    if (taken) {
        taken->status = TAKE_OK;
        taken->njobs = 0;
    }

    rc = queue_read_kind(queue, call, reply);

    if (rc != QUEUE_READ_OK) {
        return rc;
    }

    list = (redisReply *) reply;

    if (taken) {
        if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 1) {
            return queue_nonsense(queue, call);
        }

        list = reply->element[0];
    }

    if (list->type != REDIS_REPLY_ARRAY || list->elements != n) {
        return queue_nonsense(queue, call);
    }

    for (i = 0; i < n; i++) {
        codes[i] = queue_number(list->element[i]);
    }

    if (taken && reply->elements > 1
        && reply->element[1]->type == REDIS_REPLY_ARRAY)
    {
        (void) queue_read_taken(queue, reply->element[1], token, taken);
    }

    return QUEUE_READ_OK;
}


const char *
queue_read_id(const redisReply *reply, size_t i)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || i >= reply->elements || !queue_is_text(reply->element[i]))
    {
        return NULL;
    }

    return reply->element[i]->str;
}


queue_read_e
queue_read_admitted(const queue_t *queue, const redisReply *reply,
    admitted_t *admitted, size_t n)
{
    size_t        i, j;
    redisReply   *one;
    queue_read_e  rc;

    static const char *const  verdicts[] = { "go", "again", "done", "wait" };

    rc = queue_read_kind(queue, "admit", reply);

    if (rc != QUEUE_READ_OK) {
        return rc;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != n) {
        return queue_nonsense(queue, "admit");
    }

    for (i = 0; i < n; i++) {
        one = reply->element[i];

        if (one->type != REDIS_REPLY_ARRAY || one->elements != 2
            || !queue_is_text(one->element[0]))
        {
            return queue_nonsense(queue, "admit");
        }

        for (j = 0; strcmp(one->element[0]->str, verdicts[j]) != 0; j++) {
            if (j == ADMIT_WAIT) {
                return queue_nonsense(queue, "admit");
            }
        }

        admitted[i].verdict = j;
        admitted[i].value = queue_is_text(one->element[1])
                            ? one->element[1]->str : "";
        admitted[i].wait = queue_number(one->element[1]);
    }

    return QUEUE_READ_OK;
}


const char *
queue_code(int code)
{
    switch (code) {
    case 0:
        return "done";
    case -1:
        return "the job is gone";
    case -2:
        return "its lease ran out";
    case -3:
        return "it is no longer active";
    case -4:
        return "it has unfinished children";
    case -6:
        return "another worker has its lease";
    case -9:
        return "it has failed children";
    case -12:
        return "its parent's keys cannot be written";
    default:
        return "unknown code";
    }
}
