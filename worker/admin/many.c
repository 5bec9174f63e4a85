/* Many jobs: some in each call of Redis, until all are done. */

#include <stdlib.h>
#include <string.h>
#include "worker/admin/parts.h"


#define MANY_IDS  1000


/* ------------------------------------------------------------------ purge */

static void purge_go(call_t *call);


static void
purge_replied(void *data, const redisReply *reply)
{
    call_t  *call = data;

    if (!call_read(call, queue_read_walk(&call->queue, reply, &call->walk))) {
        return;
    }

    if (!call->walk.end) {
        purge_go(call);
        return;
    }

    call->done += call->walk.done;
    call->count += call->walk.passed;
    memset(&call->walk, 0, sizeof(queue_walk_t));

    /* those of BullMQ 5 that wait in a paused queue */

    if (call->state == STATE_WAITING && call->step++ == 0) {
        purge_go(call);
        return;
    }

    call_answer(call, 200, json_pack("{s:I, s:I}",
                                     "removed", (json_int_t) call->done,
                                     "left", (json_int_t) call->count));
}


static void
purge_go(call_t *call)
{
    const char  *state;

    state = (call->state != STATE_WAITING) ? queue_states[call->state]
            : call->step == 0 ? "wait" : "paused";

    (void) call_sent(call, queue_clean(call_redis(call), &call->queue, state,
                                       call->value, true, &call->walk,
                                       purge_replied, call));
}


void
many_purge(call_t *call)
{
    const char  *age;

    call->state = STATE_UNKNOWN;

    if (!call_state(call, &call->state)) {
        return;
    }

    if (call->state == STATE_UNKNOWN || call->state == STATE_CHILDREN) {
        call_problem(call, 400, "state", call->state == STATE_UNKNOWN
                     ? "is missing" : "jobs that wait for their children are"
                     " removed with the others of their flow only");
        return;
    }

    age = call_text(call, "age");

    if (age) {
        call->value = sluice_duration(age, strlen(age));

        if (call->value < 0) {
            call_problem(call, 400, "age", "is not a duration such as \"5s\","
                         " \"1h30m\", \"7d\"");
            return;
        }
    }

    purge_go(call);
}


/* ---------------------------------------------------------------- requeue */

static void requeue_go(call_t *call);


static void
requeue_refused(call_t *call, const char *id, int code)
{
    json_array_append_new(call->answer,
                          json_pack("{s:o, s:s}",
                                    "id", text_json(id, strlen(id)),
                                    "why", call_why(code)));
}


static void
requeue_replied(void *data, const redisReply *reply)
{
    int      codes[QUEUE_ADMIN_BATCH];
    call_t  *call = data;
    size_t   i, done;

    if (!call_read(call, queue_read_codes(&call->queue, reply, codes,
                                          call->left, &done)))
    {
        return;
    }

    for (i = 0; i < done; i++) {
        if (codes[i] == 1) {
            call->done++;

        } else {
            requeue_refused(call, call->ids[call->at + i], codes[i]);
        }
    }

    call->at += done;

    if (call->at < call->nids) {
        requeue_go(call);
        return;
    }

    call_answer(call, 200, json_pack("{s:I, s:O}",
                                     "requeued", (json_int_t) call->done,
                                     "refused", call->answer));
}


static void
requeue_go(call_t *call)
{
    call->left = call->nids - call->at;

    if (call->left > QUEUE_ADMIN_BATCH) {
        call->left = QUEUE_ADMIN_BATCH;
    }

    (void) call_sent(call, queue_admin(call_redis(call), &call->queue,
                                       ADMIN_RETRY, "failed", call->flag,
                                       call->ids + call->at, call->left,
                                       requeue_replied, call));
}


static void
requeue_moved(void *data, const redisReply *reply)
{
    call_t  *call = data;

    if (!call_read(call, queue_read_walk(&call->queue, reply, &call->walk))) {
        return;
    }

    if (call->walk.end) {
        call_answer(call, 200,
                    json_pack("{s:I, s:I}",
                              "requeued", (json_int_t) call->walk.done,
                              "left", (json_int_t) call->walk.passed));
        return;
    }

    (void) call_sent(call, queue_move(call_redis(call), &call->queue,
                                      "failed", call->flag, call->value,
                                      &call->walk, requeue_moved, call));
}


/* by the clock of Redis: what fails again meanwhile stays */

static void
requeue_timed(void *data, const redisReply *reply)
{
    call_t  *call = data;

    if (!call_read(call, queue_read_kind(&call->queue, "time", reply))) {
        return;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
        call_read(call, QUEUE_READ_WRONG);
        return;
    }

    call->value = strtoll(reply->element[0]->str, NULL, 10) * 1000
                  + strtoll(reply->element[1]->str, NULL, 10) / 1000;

    (void) call_sent(call, queue_move(call_redis(call), &call->queue,
                                      "failed", call->flag, call->value,
                                      &call->walk, requeue_moved, call));
}


static bool
requeue_ids(call_t *call, json_t *list)
{
    size_t   i;
    json_t  *id;

    if (!json_is_array(list) || json_array_size(list) == 0
        || json_array_size(list) > MANY_IDS)
    {
        call_problem(call, 400, "ids", "must be a list of 1 to %d ids",
                     MANY_IDS);
        return false;
    }

    call->nids = json_array_size(list);
    call->ids = calloc(call->nids, sizeof(char *));
    call->answer = json_array();

    if (call->ids == NULL || call->answer == NULL) {
        call_problem(call, 500, NULL, "out of memory");
        return false;
    }

    json_array_foreach (list, i, id) {
        if (!json_is_string(id) || json_string_length(id) == 0
            || strlen(json_string_value(id)) != json_string_length(id))
        {
            call_problem(call, 400, "ids", "must be texts: the one at %zu is"
                         " none", i);
            return false;
        }

        call->ids[i] = json_string_value(id);
    }

    return true;
}


void
many_requeue(call_t *call)
{
    bool     all;
    json_t  *ids;

    static const char *const  names[] = { "ids", "all", "reset", NULL };

    all = false;
    ids = json_object_get(call->body, "ids");

    if (!call_members(call, names) || !call_member_flag(call, "all", &all)
        || !call_member_flag(call, "reset", &call->flag))
    {
        return;
    }

    if (all == (ids != NULL)) {
        call_problem(call, 400, "ids", "either ids, or all as true, is"
                     " needed");
        return;
    }

    if (all) {
        (void) call_sent(call, sluice_redis_command(call_redis(call),
                                                    clock_ms(), requeue_timed,
                                                    call, "TIME", NULL));

    } else if (requeue_ids(call, ids)) {
        requeue_go(call);
    }
}


/* ------------------------------------------------------------- obliterate */

static void obliterate_go(call_t *call);


static void
obliterate_replied(void *data, const redisReply *reply)
{
    call_t  *call = data;

    if (!call_read(call, queue_read_obliterated(&call->queue, reply,
                                                &call->obliterate)))
    {
        return;
    }

    if (call->obliterate.refused) {
        call_problem(call, 409, "name", call->obliterate.refused == -1
                     ? "the queue is not paused"
                     : "the queue has active jobs: force=true removes them as"
                       " well");

    } else if (call->obliterate.end) {
        call_answer(call, 200, json_pack("{s:b}", "obliterated", true));

    } else {
        obliterate_go(call);
    }
}


static void
obliterate_go(call_t *call)
{
    (void) call_sent(call, queue_obliterate(call_redis(call), &call->queue,
                                            call->flag, &call->obliterate,
                                            obliterate_replied, call));
}


void
many_obliterate(call_t *call)
{
    const char  *confirm;

    if (!call_flag(call, "force", &call->flag)) {
        return;
    }

    confirm = call_text(call, "confirm");

    if (confirm == NULL || strcmp(confirm, call->route.queue) != 0) {
        call_problem(call, 400, "confirm", "must be the name of the queue:"
                     " all of its jobs are removed");
        return;
    }

    obliterate_go(call);
}
