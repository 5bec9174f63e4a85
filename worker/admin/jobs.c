/* What there is in a queue: its numbers, pages of jobs, one job. */

#include <stdlib.h>
#include <string.h>
#include "worker/admin/parts.h"


#define JOBS_PAGE   20
/* of a page, unless it is one job: all else of sluiced waits while it is
   written */
#define JOBS_BYTES  (16 * 1024 * 1024)


static void jobs_counted(void *data, queue_read_e result,
    const queue_counts_t *counts);


/* ---------------------------------------------------------------- numbers */

static json_t *
jobs_statistics(const queue_counts_t *counts)
{
    size_t   i;
    json_t  *object;

    object = json_object();

    for (i = 0; i < STATE_MAX; i++) {
        json_object_set_new(object, queue_states[i],
                            counts->jobs[i] < 0
                            ? json_null() : json_integer(counts->jobs[i]));
    }

    return object;
}


void
jobs_queue(call_t *call)
{
    (void) call_sent(call, queue_counts(call_redis(call), &call->queue,
                                        jobs_counted, call));
}


static void jobs_paged(void *data, queue_read_e result,
    const queue_row_t *rows, size_t n);


static void
jobs_counted(void *data, queue_read_e result, const queue_counts_t *counts)
{
    call_t  *call = data;

    if (!call_read(call, result)) {
        return;
    }

    if (call->route.what == ROUTE_QUEUE) {
        call_answer(call, 200, json_pack("{s:s, s:b, s:o}",
                                         "name", call->queue.name,
                                         "paused", counts->paused,
                                         "statistics",
                                         jobs_statistics(counts)));
        return;
    }

    call->counts = *counts;

    (void) call_sent(call, queue_page(call_redis(call), &call->queue,
                                      call->state,
                                      counts->paused
                                      && call->queue.bullmq == 5,
                                      true, (call->page - 1) * call->count,
                                      (size_t) call->count, JOBS_BYTES,
                                      jobs_paged, call));
}


/* ------------------------------------------------------------------ pages */

void
jobs_page(call_t *call)
{
    call->state = STATE_WAITING;
    call->page = 1;
    call->count = JOBS_PAGE;

    if (call_state(call, &call->state)
        && call_number(call, "page", 1, 1000000000, &call->page)
        && call_number(call, "count", 1, QUEUE_ADMIN_BATCH, &call->count)
        && call_flag(call, "statistics", &call->statistics))
    {
        jobs_queue(call);
    }
}


/* JSON as it is; what is none, as text */

static json_t *
jobs_json(const char *text)
{
    json_t  *value;

    if (text[0] == '\0') {
        return json_null();
    }

    value = json_loads(text, JSON_DECODE_ANY|JSON_ALLOW_NUL, NULL);

    return value ? value : text_json(text, strlen(text));
}


static json_t *
jobs_time(int64_t ms)
{
    return ms > 0 ? json_integer(ms) : json_null();
}


static json_t *
jobs_row(const queue_row_t *row, job_state_e state)
{
    return json_pack("{s:o, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
                     " s:o, s:I, s:I, s:I}",
                     "id", text_json(row->id, strlen(row->id)),
                     "state", queue_states[state], "gone", row->gone,
                     "name", text_json(row->name, strlen(row->name)),
                     "data", jobs_json(row->data),
                     "opts", jobs_json(row->opts),
                     "progress", jobs_json(row->progress),
                     "returnvalue", jobs_json(row->returnvalue),
                     "error", row->reason[0]
                     ? text_json(row->reason, strlen(row->reason))
                     : json_null(),
                     "timestamp", jobs_time(row->timestamp),
                     "started", jobs_time(row->started),
                     "finished", jobs_time(row->finished),
                     "attempts", (json_int_t) row->attempts,
                     "delay", (json_int_t) row->delay,
                     "priority", (json_int_t) row->priority);
}


static void
jobs_paged(void *data, queue_read_e result, const queue_row_t *rows, size_t n)
{
    call_t   *call = data;
    size_t    i;
    json_t   *list, *answer;

    if (!call_read(call, result)) {
        return;
    }

    if (rows == NULL) {
        call_problem(call, 400, "count", "these jobs are more than 16 MB: ask"
                     " for fewer");
        return;
    }

    list = json_array();

    for (i = 0; i < n; i++) {
        json_array_append_new(list, jobs_row(&rows[i], call->state));
    }

    answer = json_pack("{s:s, s:I, s:I, s:I, s:o}",
                       "state", queue_states[call->state],
                       "total", (json_int_t) call->counts.jobs[call->state],
                       "page", (json_int_t) call->page,
                       "count", (json_int_t) call->count, "jobs", list);

    if (answer && call->statistics) {
        json_object_set_new(answer, "statistics",
                            jobs_statistics(&call->counts));
    }

    call_answer(call, 200, answer);
}


/* ---------------------------------------------------------------- one job */

static const char *const  one_fields[] = {
    "name", "data", "opts", "progress", "returnvalue", "failedReason",
    "timestamp", "processedOn", "finishedOn", "atm", "delay", "priority",
    "stacktrace"
};

#define ONE_FIELDS  (sizeof(one_fields) / sizeof(one_fields[0]))


static void
one_replied(void *data, const redisReply *reply)
{
    call_t       *call = data;
    size_t        i;
    json_t       *answer;
    const char   *text[ONE_FIELDS];
    queue_row_t   row;

    if (!call_read(call, queue_read_kind(&call->queue, "job", reply))) {
        return;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != ONE_FIELDS) {
        call_read(call, QUEUE_READ_WRONG);
        return;
    }

    for (i = 0; i < ONE_FIELDS; i++) {
        text[i] = reply->element[i]->type == REDIS_REPLY_STRING
                  ? reply->element[i]->str : "";
    }

    /* it was removed between the two calls */

    if (text[0][0] == '\0' && text[6][0] == '\0') {
        call_refused(call, -1);
        return;
    }

    memset(&row, 0, sizeof(queue_row_t));
    row.id = call->route.id;
    row.name = text[0];
    row.data = text[1];
    row.opts = text[2];
    row.progress = text[3];
    row.returnvalue = text[4];
    row.reason = text[5];
    row.timestamp = strtoll(text[6], NULL, 10);
    row.started = strtoll(text[7], NULL, 10);
    row.finished = strtoll(text[8], NULL, 10);
    row.attempts = strtoll(text[9], NULL, 10);
    row.delay = strtoll(text[10], NULL, 10);
    row.priority = strtoll(text[11], NULL, 10);

    answer = jobs_row(&row, call->state);

    if (answer) {
        json_object_set_new(answer, "stacktrace", jobs_json(text[12]));
    }

    call_answer(call, 200, answer);
}


static void
one_stated(void *data, queue_read_e result, job_state_e state)
{
    call_t                 *call = data;
    size_t                  i, base, id;
    sluice_redis_t         *redis;

    if (!call_read(call, result)) {
        return;
    }

    if (state == STATE_UNKNOWN) {
        call_refused(call, -1);
        return;
    }

    call->state = state;
    redis = call_redis(call);
    base = strlen(call->queue.base);
    id = strlen(call->route.id);

    if (!call_sent(call, sluice_redis_begin(redis, 2 + ONE_FIELDS,
                                            clock_ms())))
    {
        return;
    }

    sluice_redis_arg(redis, "HMGET", 5);
    sluice_redis_arg_begin(redis, base + id);
    sluice_redis_piece(redis, call->queue.base, base);
    sluice_redis_piece(redis, call->route.id, id);

    for (i = 0; i < ONE_FIELDS; i++) {
        sluice_redis_arg(redis, one_fields[i], strlen(one_fields[i]));
    }

    (void) call_sent(call, sluice_redis_end(redis, one_replied, call));
}


void
jobs_one(call_t *call)
{
    (void) call_sent(call, queue_state(call_redis(call), &call->queue,
                                       call->route.id, one_stated, call));
}
