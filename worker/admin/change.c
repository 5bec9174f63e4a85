/* The queue as a whole, or one job of it. */

#include <string.h>
#include "worker/admin/parts.h"


/* ------------------------------------------------------- pause and resume */

static void
change_paused(void *data, const redisReply *reply)
{
    call_t   *call = data;
    int64_t   left;

    left = 0;

    if (!call_read(call, queue_read_left(&call->queue, reply, &left))) {
        return;
    }

    if (left > 0) {
        change_pause(call);
        return;
    }

    call_answer(call, 200, json_pack("{s:b}", "paused",
                                     call->route.what == ROUTE_PAUSE));
}


void
change_pause(call_t *call)
{
    (void) call_sent(call, queue_pause(call_redis(call), &call->queue,
                                       call->route.what == ROUTE_PAUSE,
                                       change_paused, call));
}


/* ------------------------------------------------------------------ empty */

static const char *const  empty_states[] = {
    "wait", "paused", "prioritized", "delayed"
};


static void empty_go(call_t *call);


static void
empty_replied(void *data, const redisReply *reply)
{
    call_t  *call = data;

    if (!call_read(call, queue_read_walk(&call->queue, reply, &call->walk))) {
        return;
    }

    if (call->walk.end) {
        call->done += call->walk.done;
        call->value += call->walk.passed;
        memset(&call->walk, 0, sizeof(queue_walk_t));
        call->step++;
    }

    if (call->step == (call->flag ? 4U : 3U)) {
        call_answer(call, 200, json_pack("{s:I, s:I}",
                                         "removed", (json_int_t) call->done,
                                         "left", (json_int_t) call->value));
        return;
    }

    empty_go(call);
}


static void
empty_go(call_t *call)
{
    (void) call_sent(call, queue_clean(call_redis(call), &call->queue,
                                       empty_states[call->step], 0, false,
                                       &call->walk, empty_replied, call));
}


void
change_empty(call_t *call)
{
    if (call_flag(call, "delayed", &call->flag)) {
        empty_go(call);
    }
}


/* ---------------------------------------------------------------- one job */

/* false: it is answered, with what the script said */

static bool
change_read(call_t *call, const redisReply *reply)
{
    int     code;
    size_t  done;

    if (!call_read(call, queue_read_codes(&call->queue, reply, &code, 1,
                                          &done)))
    {
        return false;
    }

    if (code != 1) {
        call_refused(call, code);
        return false;
    }

    return true;
}


static void
change_replied(void *data, const redisReply *reply)
{
    call_t  *call = data;

    if (!change_read(call, reply)) {
        return;
    }

    call_answer(call, 200, json_pack("{s:o}", "id",
                                     text_json(call->route.id,
                                                 strlen(call->route.id))));
}


static void
change_one(call_t *call, admin_e what, const char *set, int64_t value)
{
    const char  *id;

    id = call->route.id;

    (void) call_sent(call, queue_admin(call_redis(call), &call->queue, what,
                                       set, value, &id, 1, change_replied,
                                       call));
}


/* asked first, so that a refusal can say in which state the job is */

static void
change_stated(void *data, queue_read_e result, job_state_e state)
{
    call_t       *call = data;
    job_state_e   wanted;

    if (!call_read(call, result)) {
        return;
    }

    wanted = (call->route.what == ROUTE_RETRY) ? STATE_FAILED : STATE_DELAYED;

    if (state != wanted) {
        call_problem(call, state == STATE_UNKNOWN ? 404 : 409, "id",
                     state == STATE_UNKNOWN ? "there is no such job"
                     : "the job is %s, not %s", queue_states[state],
                     queue_states[wanted]);
        return;
    }

    switch (call->route.what) {

    case ROUTE_RETRY:
        change_one(call, ADMIN_RETRY, "failed", call->flag);
        return;

    case ROUTE_PROMOTE:
        change_one(call, ADMIN_PROMOTE, "", 0);
        return;

    default:
        change_one(call, ADMIN_REMOVE, "delayed", 0);
    }
}


static void
change_ask(call_t *call, queue_stated_pt stated)
{
    (void) call_sent(call, queue_state(call_redis(call), &call->queue,
                                       call->route.id, stated, call));
}


void
change_retry(call_t *call)
{
    if (call_flag(call, "reset", &call->flag)) {
        change_ask(call, change_stated);
    }
}


void
change_promote(call_t *call)
{
    change_ask(call, change_stated);
}


void
change_remove(call_t *call)
{
    change_ask(call, change_stated);
}


/* ------------------------------------------------- data, delay, priority */

static void job_step(call_t *call);


static void
job_updated(void *data, const redisReply *reply)
{
    call_t   *call = data;
    int64_t   result;

    if (!call_read(call, queue_read_updated(&call->queue, reply, &result))) {
        return;
    }

    if (result < 0) {
        call_refused(call, -1);
        return;
    }

    job_step(call);
}


static void
job_changed(void *data, const redisReply *reply)
{
    call_t  *call = data;

    if (change_read(call, reply)) {
        job_step(call);
    }
}


/* the delay comes first: it is what a job in another state refuses */

static void
job_step(call_t *call)
{
    json_t      *member;
    const char  *id;

    static const char *const  names[] = { "delay", "priority", "data" };

    id = call->route.id;

    while (call->step < 3) {
        member = json_object_get(call->body, names[call->step]);
        call->step++;

        if (member == NULL) {
            continue;
        }

        if (call->step == 3) {
            (void) call_sent(call, queue_update(call_redis(call),
                                                &call->queue, id, "data",
                                                call->text,
                                                strlen(call->text), 0,
                                                job_updated, call));

        } else {
            (void) call_sent(call, queue_admin(call_redis(call), &call->queue,
                                               call->step == 1
                                               ? ADMIN_DELAY : ADMIN_PRIORITY,
                                               "", json_integer_value(member),
                                               &id, 1, job_changed, call));
        }

        return;
    }

    call_answer(call, 200, json_pack("{s:o}", "id",
                                     text_json(id, strlen(id))));
}


static void
job_stated(void *data, queue_read_e result, job_state_e state)
{
    call_t  *call = data;

    if (!call_read(call, result)) {
        return;
    }

    if (state != STATE_DELAYED) {
        call_problem(call, state == STATE_UNKNOWN ? 404 : 409, "id",
                     state == STATE_UNKNOWN ? "there is no such job"
                     : "the job is %s, not delayed", queue_states[state]);
        return;
    }

    job_step(call);
}


void
change_job(call_t *call)
{
    int64_t  number;
    json_t  *data;

    static const char *const  names[] = { "data", "delay", "priority", NULL };

    if (!call_members(call, names)
        || !call_member_number(call, "delay", 0, JOB_DELAY_MAX, &number)
        || !call_member_number(call, "priority", 0, JOB_PRIORITY_MAX,
                               &number))
    {
        return;
    }

    if (json_object_size(call->body) == 0) {
        call_problem(call, 400, "", "data, delay or priority is needed");
        return;
    }

    data = json_object_get(call->body, "data");

    if (data) {
        call->text = json_dumps(data, JSON_COMPACT|JSON_ENCODE_ANY);

        if (call->text == NULL) {
            call_problem(call, 500, NULL, "out of memory");
            return;
        }
    }

    change_ask(call, job_stated);
}
