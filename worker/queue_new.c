#include <stdlib.h>
#include <string.h>
#include "scripts.h"
#include "worker/queue_new.h"


sluice_redis_result_e
queue_insert(sluice_redis_t *redis, const queue_t *queue, const char *id,
    const job_new_t *job, sluice_redis_reply_pt reply, void *data)
{
    sluice_redis_result_e  rc;

    rc = queue_begin(redis, queue, &sluice_script_insert, 8);

    if (rc != SLUICE_REDIS_OK) {
        return rc;
    }

    queue_text(redis, id);
    queue_text(redis, job->name);
    queue_text(redis, job->data);
    queue_text(redis, job->opts);
    queue_text(redis, "");
    queue_text(redis, "");
    sluice_redis_arg_int(redis, 0);
    queue_text(redis, "");

    return sluice_redis_end(redis, reply, data);
}


queue_read_e
queue_read_inserted(const queue_t *queue, const redisReply *reply,
    const char **what, const char **id)
{
    queue_read_e  rc;

    rc = queue_read_kind(queue, "insert", reply);

    if (rc != QUEUE_READ_OK) {
        return rc;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || reply->element[0]->type != REDIS_REPLY_STRING
        || reply->element[1]->type != REDIS_REPLY_STRING)
    {
        return queue_nonsense(queue, "insert");
    }

    *what = reply->element[0]->str;
    *id = reply->element[1]->str;

    return QUEUE_READ_OK;
}


sluice_redis_result_e
queue_schedule(sluice_redis_t *redis, const queue_t *queue, const char *id,
    const job_new_t *job, sluice_redis_reply_pt reply, void *data)
{
    sluice_redis_result_e  rc;

    rc = queue_begin(redis, queue, &sluice_script_schedule, 7);

    if (rc != SLUICE_REDIS_OK) {
        return rc;
    }

    queue_text(redis, id);
    sluice_redis_arg_int(redis, job->at);
    sluice_redis_arg_int(redis, job->offset);
    queue_text(redis, job->name);
    queue_text(redis, job->data);
    queue_text(redis, job->opts);
    queue_text(redis, job->plan);

    return sluice_redis_end(redis, reply, data);
}


queue_read_e
queue_read_scheduled(const queue_t *queue, const redisReply *reply,
    const char **id, int *code)
{
    queue_read_e  rc;

    rc = queue_read_kind(queue, "schedule", reply);

    if (rc != QUEUE_READ_OK) {
        return rc;
    }

    if (reply->type != REDIS_REPLY_STRING
        && reply->type != REDIS_REPLY_INTEGER)
    {
        return queue_nonsense(queue, "schedule");
    }

    *id = (reply->type == REDIS_REPLY_STRING) ? reply->str : NULL;
    *code = (reply->type == REDIS_REPLY_STRING) ? 0 : (int) reply->integer;

    return QUEUE_READ_OK;
}


const char *
queue_schedule_why(int code)
{
    return code == -10 ? "the job of its next time is there already, and does"
                         " not wait"
                       : "the jobs of its next three times are there already";
}


sluice_redis_result_e
queue_unschedule(sluice_redis_t *redis, const queue_t *queue,
    const char *const *ids, size_t n, sluice_redis_reply_pt reply, void *data)
{
    size_t                 i;
    sluice_redis_result_e  rc;

    rc = queue_begin(redis, queue, &sluice_script_unschedule, n);

    if (rc != SLUICE_REDIS_OK) {
        return rc;
    }

    for (i = 0; i < n; i++) {
        queue_text(redis, ids[i]);
    }

    return sluice_redis_end(redis, reply, data);
}


/* a number is stored as text */

static json_t *
new_member(const char *name, const redisReply *value)
{
    char     *end;
    int64_t   number;

    if (strcmp(name, "data") == 0) {
        return json_loadb(value->str, (size_t) value->len,
                          JSON_DECODE_ANY|JSON_ALLOW_NUL, NULL);
    }

    if (strcmp(name, "name") == 0 || strcmp(name, "pattern") == 0
        || strcmp(name, "tz") == 0)
    {
        return json_stringn(value->str, (size_t) value->len);
    }

    number = strtoll(value->str, &end, 10);

    return (*end == '\0' && end != value->str) ? json_integer(number) : NULL;
}


json_t *
queue_scheduler(const redisReply *hash, json_t **opts, int64_t *iterations)
{
    size_t             i, k;
    json_t            *object, *member;
    const char        *name;
    const redisReply  *value;

    static const char *const  names[] = {
        "name", "data", "every", "pattern", "tz", "limit", "startDate",
        "endDate", "offset"
    };

    *opts = NULL;
    *iterations = -1;

    if (hash->type != REDIS_REPLY_ARRAY || hash->elements == 0) {
        return NULL;
    }

    object = json_object();

    for (i = 0; i + 1 < hash->elements; i += 2) {
        name = hash->element[i]->str;
        value = hash->element[i + 1];

        if (strcmp(name, "opts") == 0) {
            *opts = json_loadb(value->str, (size_t) value->len, JSON_ALLOW_NUL,
                               NULL);

        } else if (strcmp(name, "ic") == 0) {
            *iterations = strtoll(value->str, NULL, 10);
        }

        for (k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
            if (strcmp(name, names[k]) != 0) {
                continue;
            }

            member = new_member(name, value);

            if (member) {
                json_object_set_new(object, name, member);
            }
        }
    }

    return object;
}
