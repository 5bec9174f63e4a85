/* Repeatable jobs: BullMQ's job schedulers. */

#include <stdlib.h>
#include <string.h>
#include "worker/admin/parts.h"


#define REPEAT_PAGE  20


/* ------------------------------------------------------- add, or change */

static void
repeat_scheduled(void *data, const redisReply *reply)
{
    int          code;
    call_t      *call = data;
    const char  *id;

    if (!call_read(call, queue_read_scheduled(&call->queue, reply, &id,
                                              &code)))
    {
        return;
    }

    if (id == NULL) {
        call_problem(call, 409, "id", "%s", queue_schedule_why(code));
        return;
    }

    call_answer(call, call->route.what == ROUTE_REPEAT_ADD ? 201 : 200,
                json_pack("{s:o, s:o}",
                          "id", text_json(call->text, strlen(call->text)),
                          "job", text_json(id, strlen(id))));
}


static void
repeat_schedule(call_t *call, json_t *object, json_t *opts)
{
    job_new_t              job;
    job_wrong_t            wrong;
    sluice_redis_result_e  rc;

    if (!job_new_scheduler(&job, object, opts, call_zones(call),
                           call->queue.bullmq, clock_wall_ms(), &wrong))
    {
        call_problem(call, 400, wrong.field, "%s", wrong.what);
        return;
    }

    rc = queue_schedule(call_redis(call), &call->queue, call->text, &job,
                        repeat_scheduled, call);
    job_new_free(&job);

    (void) call_sent(call, rc);
}


static bool
repeat_members(call_t *call)
{
    job_wrong_t  wrong;

    if (!job_new_scheduler_members(call->body, &wrong)) {
        call_problem(call, 400, wrong.field, "%s", wrong.what);
        return false;
    }

    return true;
}


/* call->text: the scheduler's id, that of its jobs' name when none is given */

static bool
repeat_id(call_t *call, bool known)
{
    json_t      *member;
    const char  *field;

    field = json_object_get(call->body, "id") ? "id" : "name";
    member = json_object_get(call->body, field);

    if (!json_is_string(member)
        || strlen(json_string_value(member)) != json_string_length(member)
        || json_string_length(member) == 0
        || (!known && !job_new_scheduler_id_ok(json_string_value(member))))
    {
        call_problem(call, 400, field, "must be a text of 1 to 128 bytes"
                     " without a colon and control characters%s",
                     field[0] == 'n' ? ", where there is no id" : "");
        return false;
    }

    call->text = strdup(json_string_value(member));

    if (call->text == NULL) {
        call_problem(call, 503, NULL, "out of memory");
    }

    return call->text != NULL;
}


void
repeat_add(call_t *call)
{
    if (repeat_members(call) && repeat_id(call, false)) {
        repeat_schedule(call, call->body, NULL);
    }
}


static void
repeat_stored(void *data, const redisReply *reply)
{
    call_t      *call = data;
    json_t      *opts, *object, *value;
    int64_t      iterations;
    const char  *name;

    if (!call_read(call, queue_read_kind(&call->queue, "schedulers", reply))) {
        return;
    }

    object = queue_scheduler(reply, &opts, &iterations);

    if (object == NULL || iterations < 0) {
        call_problem(call, object ? 409 : 404, "id", object
                     ? "it is a repeatable job of the old kind: see"
                       " docs/admin.md" : "there is no such scheduler");
        json_decref(object);
        json_decref(opts);
        return;
    }

    /* another schedule does not begin where the old one was */

    if (json_object_get(call->body, "pattern")) {
        json_object_del(object, "every");
        json_object_del(object, "offset");
    }

    if (json_object_get(call->body, "every")) {
        json_object_del(object, "pattern");
        json_object_del(object, "tz");
        json_object_del(object, "offset");
    }

    if (json_object_get(object, "pattern")) {
        json_object_del(object, "offset");
    }

    json_object_foreach (call->body, name, value) {

        /* without an id the name was it, and stays */

        if (strcmp(name, "id") != 0) {
            json_object_set(object, name, value);
        }
    }

    repeat_schedule(call, object, opts);
    json_decref(object);
    json_decref(opts);
}


void
repeat_change(call_t *call)
{
    char  key[SLUICE_KEYS_MAX + 16];

    if (!repeat_members(call) || !repeat_id(call, true)) {
        return;
    }

    snprintf(key, sizeof(key), "%srepeat:", call->queue.base);

    (void) call_sent(call, call_key(call, "HGETALL", key, call->text,
                                    repeat_stored));
}


/* ----------------------------------------------------------------- remove */

static void repeat_remove_some(call_t *call);


static void
repeat_removed(void *data, const redisReply *reply)
{
    int      codes[QUEUE_ADMIN_BATCH];
    call_t  *call = data;
    size_t   i, done, removed;

    if (!call_read(call, queue_read_codes(&call->queue, reply, codes,
                                          call->nids, &done)))
    {
        return;
    }

    for (i = 0, removed = 0; i < done; i++) {
        removed += codes[i] == 1;
    }

    call->done += removed;

    /* an id with a zero byte cannot be named: it would be asked for ever */

    if (call->flag && removed) {
        repeat_remove_some(call);
        return;
    }

    if (!call->flag && removed == 0) {
        call_problem(call, 404, "id", "there is no such scheduler");
        return;
    }

    call_answer(call, 200, json_pack("{s:I}", "removed",
                                     (json_int_t) call->done));
}


static void
repeat_listed(void *data, const redisReply *reply)
{
    call_t      *call = data;
    size_t       i;
    const char  *ids[QUEUE_ADMIN_BATCH];

    if (!call_read(call, queue_read_kind(&call->queue, "schedulers", reply))) {
        return;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0
        || reply->elements > QUEUE_ADMIN_BATCH)
    {
        call_answer(call, 200, json_pack("{s:I}", "removed",
                                         (json_int_t) call->done));
        return;
    }

    for (i = 0; i < reply->elements; i++) {
        ids[i] = reply->element[i]->str;
    }

    call->nids = reply->elements;

    (void) call_sent(call, queue_unschedule(call_redis(call), &call->queue,
                                            ids, call->nids, repeat_removed,
                                            call));
}


/*
 * Those that are there when it is their turn, some at a time.  One that comes
 * meanwhile may go, too; more than a million are not waited for.
 */

static void
repeat_remove_some(call_t *call)
{
    char  key[SLUICE_KEYS_MAX + 16], last[24];

    if (call->done >= 1000000) {
        call_answer(call, 200, json_pack("{s:I}", "removed",
                                         (json_int_t) call->done));
        return;
    }

    snprintf(key, sizeof(key), "%srepeat", call->queue.base);
    snprintf(last, sizeof(last), "%d", QUEUE_ADMIN_BATCH - 1);

    (void) call_sent(call, sluice_redis_command(call_redis(call), clock_ms(),
                                                repeat_listed, call, "ZRANGE",
                                                key, "0", last, NULL));
}


void
repeat_remove(call_t *call)
{
    const char  *id;

    id = call_text(call, "id");

    if (id == NULL) {
        call->flag = true;
        repeat_remove_some(call);
        return;
    }

    call->nids = 1;

    (void) call_sent(call, queue_unschedule(call_redis(call), &call->queue,
                                            &id, 1, repeat_removed, call));
}


/* ------------------------------------------------------------------- list */

static void
repeat_row(void *data, const redisReply *reply)
{
    call_t       *call = data;
    json_t       *row, *opts, *object;
    int64_t       iterations;
    queue_read_e  rc;

    /* one that is removed meanwhile is not shown; one error is enough */

    call->left--;
    rc = queue_read_kind(&call->queue, "schedulers", reply);

    if (rc != QUEUE_READ_OK) {
        call->step = rc;

    } else {
        row = json_array_get(call->answer, call->at);
        object = queue_scheduler(reply, &opts, &iterations);

        if (object) {
            json_object_update(row, object);
            json_object_set_new(row, "opts", opts ? opts : json_object());
            json_object_set_new(row, "iterations", iterations < 0
                                ? json_null() : json_integer(iterations));
        }

        json_decref(object);
    }

    call->at++;

    if (call->left > 0) {
        return;
    }

    if (call_read(call, call->step)) {
        call_answer(call, 200, json_pack("{s:I, s:I, s:I, s:O}",
                                         "total", (json_int_t) call->value,
                                         "page", (json_int_t) call->page,
                                         "count", (json_int_t) call->count,
                                         "schedulers", call->answer));
    }
}


static void
repeat_ranged(void *data, const redisReply *reply)
{
    char               key[SLUICE_KEYS_MAX + 16];
    call_t            *call = data;
    size_t             i;
    const redisReply  *id, *at;

    if (!call_read(call, queue_read_kind(&call->queue, "schedulers", reply))) {
        return;
    }

    call->answer = json_array();
    call->step = QUEUE_READ_OK;
    snprintf(key, sizeof(key), "%srepeat:", call->queue.base);

    /* the rows' calls may fail: `left` says how many answers are to come */

    for (i = 0; reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements;
         i += 2)
    {
        id = reply->element[i];
        at = reply->element[i + 1];

        json_array_append_new(call->answer,
                              json_pack("{s:o, s:I}",
                                        "id", text_json(id->str,
                                                          (size_t) id->len),
                                        "next", (json_int_t)
                                        strtoll(at->str, NULL, 10)));

        if (call_key(call, "HGETALL", key, id->str, repeat_row)
            != SLUICE_REDIS_OK)
        {
            call->step = QUEUE_READ_AWAY;
            break;
        }

        call->left++;
    }

    if (call->left == 0 && call_read(call, call->step)) {
        call_answer(call, 200, json_pack("{s:I, s:I, s:I, s:[]}",
                                         "total", (json_int_t) call->value,
                                         "page", (json_int_t) call->page,
                                         "count", (json_int_t) call->count,
                                         "schedulers"));
    }
}


static void
repeat_counted(void *data, const redisReply *reply)
{
    char      key[SLUICE_KEYS_MAX + 16], first[24], last[24];
    call_t   *call = data;
    int64_t   at;

    if (!call_read(call, queue_read_kind(&call->queue, "schedulers", reply))) {
        return;
    }

    call->value = reply->integer;
    at = (call->page - 1) * call->count;
    snprintf(key, sizeof(key), "%srepeat", call->queue.base);
    snprintf(first, sizeof(first), "%lld", (long long) at);
    snprintf(last, sizeof(last), "%lld", (long long) (at + call->count - 1));

    (void) call_sent(call, sluice_redis_command(call_redis(call), clock_ms(),
                                                repeat_ranged, call, "ZRANGE",
                                                key, first, last,
                                                "WITHSCORES", NULL));
}


void
repeat_list(call_t *call)
{
    char  key[SLUICE_KEYS_MAX + 16];

    call->page = 1;
    call->count = REPEAT_PAGE;

    if (!call_number(call, "page", 1, 1000000000, &call->page)
        || !call_number(call, "count", 1, QUEUE_ADMIN_BATCH, &call->count))
    {
        return;
    }

    snprintf(key, sizeof(key), "%srepeat", call->queue.base);

    (void) call_sent(call, sluice_redis_command(call_redis(call), clock_ms(),
                                                repeat_counted, call, "ZCARD",
                                                key, NULL));
}
