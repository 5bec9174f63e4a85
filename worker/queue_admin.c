#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "scripts.h"
#include "worker/link.h"
#include "worker/queue_admin.h"


const sluice_script_t *const  queue_admin_scripts[] = {
    &sluice_script_insert,
    &sluice_script_schedule,
    &sluice_script_unschedule,
    &sluice_script_requeue,
    &sluice_script_move,
    &sluice_script_pause,
    &sluice_script_remove,
    &sluice_script_clean,
    &sluice_script_obliterate,
    &sluice_script_change,
    &sluice_script_update
};

const size_t  queue_admin_nscripts =
    sizeof(queue_admin_scripts) / sizeof(queue_admin_scripts[0]);


sluice_redis_result_e
queue_begin(sluice_redis_t *redis, const queue_t *queue,
    const sluice_script_t *script, size_t nargs)
{
    sluice_redis_result_e  rc;

    rc = sluice_redis_script(redis, script, 1, 1 + nargs, clock_ms());

    if (rc == SLUICE_REDIS_OK) {
        sluice_redis_hold(redis);
        queue_text(redis, queue->base);
        sluice_redis_arg_int(redis, queue->bullmq);
    }

    return rc;
}


static queue_read_e
admin_integer(const queue_t *queue, const char *call, const redisReply *reply,
    int64_t *result)
{
    queue_read_e  rc;

    rc = queue_read_kind(queue, call, reply);

    if (rc != QUEUE_READ_OK) {
        return rc;
    }

    if (reply->type != REDIS_REPLY_INTEGER) {
        return queue_nonsense(queue, call);
    }

    *result = reply->integer;

    return QUEUE_READ_OK;
}


sluice_redis_result_e
queue_pause(sluice_redis_t *redis, const queue_t *queue, bool pause,
    sluice_redis_reply_pt reply, void *data)
{
    sluice_redis_result_e  rc;

    rc = queue_begin(redis, queue, &sluice_script_pause, 2);

    if (rc != SLUICE_REDIS_OK) {
        return rc;
    }

    queue_text(redis, pause ? "pause" : "resume");
    sluice_redis_arg_int(redis, 7000);

    return sluice_redis_end(redis, reply, data);
}


queue_read_e
queue_read_left(const queue_t *queue, const redisReply *reply, int64_t *left)
{
    return admin_integer(queue, "pause", reply, left);
}


sluice_redis_result_e
queue_admin(sluice_redis_t *redis, const queue_t *queue, admin_e what,
    const char *set, int64_t value, const char *const *ids, size_t n,
    sluice_redis_reply_pt reply, void *data)
{
    size_t                  i;
    sluice_redis_result_e   rc;
    const sluice_script_t  *script;

    script = (what == ADMIN_REMOVE) ? &sluice_script_remove
             : (what == ADMIN_DELAY || what == ADMIN_PRIORITY)
             ? &sluice_script_change : &sluice_script_requeue;

    rc = queue_begin(redis, queue, script,
                     (script == &sluice_script_change ? 3 : 2) + n);

    if (rc != SLUICE_REDIS_OK) {
        return rc;
    }

    switch (what) {

    case ADMIN_RETRY:
    case ADMIN_PROMOTE:
        queue_text(redis, what == ADMIN_PROMOTE ? "delayed" : set);
        sluice_redis_arg_int(redis, what == ADMIN_PROMOTE ? 0 : value);
        break;

    case ADMIN_REMOVE:
        sluice_redis_arg_int(redis, value);
        queue_text(redis, set);
        break;

    default:
        queue_text(redis, what == ADMIN_DELAY ? "delay" : "priority");
        sluice_redis_arg_int(redis, value);
        sluice_redis_arg_int(redis, 0);
    }

    for (i = 0; i < n; i++) {
        queue_text(redis, ids[i]);
    }

    return sluice_redis_end(redis, reply, data);
}


queue_read_e
queue_read_codes(const queue_t *queue, const redisReply *reply, int *codes,
    size_t n, size_t *done)
{
    size_t        i;
    queue_read_e  rc;

    rc = queue_read_kind(queue, "admin", reply);

    if (rc != QUEUE_READ_OK) {
        return rc;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0
        || reply->elements > n)
    {
        return queue_nonsense(queue, "admin");
    }

    for (i = 0; i < reply->elements; i++) {
        if (reply->element[i]->type != REDIS_REPLY_INTEGER) {
            return queue_nonsense(queue, "admin");
        }

        codes[i] = (int) reply->element[i]->integer;
    }

    *done = reply->elements;

    return QUEUE_READ_OK;
}


sluice_redis_result_e
queue_move(sluice_redis_t *redis, const queue_t *queue, const char *set,
    bool reset, int64_t upto, const queue_walk_t *walk,
    sluice_redis_reply_pt reply, void *data)
{
    sluice_redis_result_e  rc;

    rc = queue_begin(redis, queue, &sluice_script_move, 5);

    if (rc != SLUICE_REDIS_OK) {
        return rc;
    }

    queue_text(redis, set);
    sluice_redis_arg_int(redis, reset);

    if (upto > 0) {
        sluice_redis_arg_int(redis, upto);

    } else {
        queue_text(redis, "");
    }

    sluice_redis_arg_int(redis, walk->passed);
    sluice_redis_arg_int(redis, QUEUE_ADMIN_BATCH);

    return sluice_redis_end(redis, reply, data);
}


sluice_redis_result_e
queue_clean(sluice_redis_t *redis, const queue_t *queue, const char *state,
    int64_t grace, bool announce, const queue_walk_t *walk,
    sluice_redis_reply_pt reply, void *data)
{
    sluice_redis_result_e  rc;

    rc = queue_begin(redis, queue, &sluice_script_clean, 5);

    if (rc != SLUICE_REDIS_OK) {
        return rc;
    }

    queue_text(redis, state);
    sluice_redis_arg_int(redis, grace);
    sluice_redis_arg_int(redis, walk->passed);
    sluice_redis_arg_int(redis, QUEUE_ADMIN_BATCH);
    sluice_redis_arg_int(redis, announce);

    return sluice_redis_end(redis, reply, data);
}


/* { looked at, moved, passed } or { looked at, passed, ids, there } */

queue_read_e
queue_read_walk(const queue_t *queue, const redisReply *reply,
    queue_walk_t *walk)
{
    bool          ids;
    int64_t       looked;
    queue_read_e  rc;

    rc = queue_read_kind(queue, "walk", reply);

    if (rc != QUEUE_READ_OK) {
        return rc;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 3
        || reply->elements > 4 || reply->element[0]->type != REDIS_REPLY_INTEGER
        || reply->element[1]->type != REDIS_REPLY_INTEGER)
    {
        return queue_nonsense(queue, "walk");
    }

    ids = (reply->elements == 4);

    if (reply->element[2]->type != (ids ? REDIS_REPLY_ARRAY
                                        : REDIS_REPLY_INTEGER)
        || (ids && reply->element[3]->type != REDIS_REPLY_INTEGER))
    {
        return queue_nonsense(queue, "walk");
    }

    looked = reply->element[0]->integer;

    if (ids && walk->looked == 0) {
        walk->there = reply->element[3]->integer;
    }

    walk->looked += looked;
    walk->done += ids ? (int64_t) reply->element[2]->elements
                      : reply->element[1]->integer;
    walk->passed += ids ? reply->element[1]->integer
                        : reply->element[2]->integer;
    walk->end = looked < QUEUE_ADMIN_BATCH
                || (ids && walk->looked >= walk->there);

    return QUEUE_READ_OK;
}


sluice_redis_result_e
queue_update(sluice_redis_t *redis, const queue_t *queue, const char *id,
    const char *what, const char *value, size_t len, int64_t keep,
    sluice_redis_reply_pt reply, void *data)
{
    sluice_redis_result_e  rc;

    rc = queue_begin(redis, queue, &sluice_script_update, 4);

    if (rc != SLUICE_REDIS_OK) {
        return rc;
    }

    queue_text(redis, id);
    queue_text(redis, what);
    sluice_redis_arg(redis, value, len);

    if (keep > 0) {
        sluice_redis_arg_int(redis, keep);

    } else {
        queue_text(redis, "");
    }

    return sluice_redis_end(redis, reply, data);
}


queue_read_e
queue_read_updated(const queue_t *queue, const redisReply *reply,
    int64_t *result)
{
    return admin_integer(queue, "update", reply, result);
}


sluice_redis_result_e
queue_obliterate(sluice_redis_t *redis, const queue_t *queue, bool force,
    const queue_obliterate_t *state, sluice_redis_reply_pt reply, void *data)
{
    sluice_redis_result_e  rc;

    rc = queue_begin(redis, queue, &sluice_script_obliterate, 3);

    if (rc != SLUICE_REDIS_OK) {
        return rc;
    }

    sluice_redis_arg_int(redis, force);
    sluice_redis_arg_int(redis, QUEUE_ADMIN_BATCH);
    queue_text(redis, state->text);

    return sluice_redis_end(redis, reply, data);
}


queue_read_e
queue_read_obliterated(const queue_t *queue, const redisReply *reply,
    queue_obliterate_t *state)
{
    queue_read_e  rc;

    rc = queue_read_kind(queue, "obliterate", reply);

    if (rc != QUEUE_READ_OK) {
        return rc;
    }

    if (reply->type == REDIS_REPLY_INTEGER) {
        state->refused = (int) reply->integer;
        state->end = true;

        return QUEUE_READ_OK;
    }

    if (reply->type != REDIS_REPLY_STRING
        || (size_t) reply->len >= sizeof(state->text))
    {
        return queue_nonsense(queue, "obliterate");
    }

    memcpy(state->text, reply->str, (size_t) reply->len + 1);
    state->end = reply->len == 0;

    return QUEUE_READ_OK;
}
