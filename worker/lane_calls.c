/*
 * Results out and new jobs in: the calls of a lane.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/fault.h"
#include "worker/lane_parts.h"


slot_t *
lane_shift(lane_list_t *list)
{
    slot_t  *slot;

    slot = list->first;
    list->first = slot->after;
    list->n--;

    if (list->first == NULL) {
        list->last = NULL;
    }

    return slot;
}


lane_call_t *
lane_call(lane_t *lane)
{
    lane_call_t  *call;

    call = malloc(sizeof(lane_call_t));

    if (call) {
        call->lane = lane;
        call->n = 0;
        call->asked = 0;
        call->floor = 0;
        call->seq = ++lane->seq;
        call->at = clock_ms();
        snprintf(call->token, sizeof(call->token), "%s:%llu", lane->uuid,
                 (unsigned long long) call->seq);
    }

    return call;
}


/*
 * Redis takes neither the result nor a shorter one: the job's lease runs out,
 * and jobs behind it would end so too.
 */

static void
lane_give_up(lane_t *lane, slot_t *slot, const char *error)
{
    log_event(LOG_ERROR_, "result_not_written",
              "queue", "%s", lane->queue.name, "job", "%s", slot->job->id,
              "outcome", "%s", "it will be taken as stalled",
              "records", "%zu", slot->result.nrecords,
              "reason", "%s", error, NULL);

    lane->busy--;
    lane_free(lane, slot);
    lane_hold(lane, LANE_HOLD);
}


/* A result that is not to be had otherwise: dead, with the reason. */

static bool
lane_replace(slot_t *slot, const char *error)
{
    size_t     size;
    result_t  *result;

    static const char  text[] = "the result cannot be written: ";

    result = &slot->result;

    /* of the other kinds nothing was done that could be lost */

    if (slot->replaced
        || result->kind == RESULT_DELAY || result->kind == RESULT_RELEASE)
    {
        return false;
    }

    size = sizeof(text) + strlen(error);
    slot->replaced = malloc(size);

    if (slot->replaced == NULL) {
        return false;
    }

    snprintf(slot->replaced, size, "%s%s", text, error);

    log_event(LOG_ERROR_, "result_not_written",
              "queue", "%s", slot->lane->queue.name,
              "job", "%s", slot->job->id, "outcome", "%s", "dead",
              "records", "%zu", result->nrecords,
              "reason", "%s", error, NULL);

    result->kind = RESULT_FAILED;
    result->value = slot->replaced;
    result->stack = "[]";
    result->keep = "";
    result->nrecords = 0;

    return true;
}


/* back to its list, to be written again; `wrong`: why Redis never will */

void
lane_return(lane_t *lane, lane_list_t *list, slot_t *slot, const char *wrong)
{
    if (wrong) {
        if (!lane_replace(slot, wrong)) {
            lane_give_up(lane, slot, wrong);
            return;
        }

        list = &lane->finishes;
    }

    slot->writing = 0;
    lane_append(list, slot);
}


/*
 * The floor of the lowest class.  It grows with what is taken, so that a queue
 * that is held back by its rate gives that class no more than its part; what a
 * call could not use, having taken fewer jobs, is owed on.
 */

static take_t
lane_ask(lane_t *lane, lane_call_t *call)
{
    take_t  take;

    call->floor = (lane->owed < call->asked) ? (size_t) lane->owed
                                             : call->asked;
    lane->owed -= call->floor;

    take.count = call->asked;
    take.floor = call->floor;
    take.token = call->token;

    return take;
}


static void
lane_asked(lane_t *lane, const lane_call_t *call, size_t njobs)
{
    lane->owed += njobs * lane->floor;

    if (njobs < call->floor) {
        lane->owed += call->floor - njobs;
    }
}


/* What could not be written waits in its list. */

static void
lane_unwritten(lane_t *lane, lane_call_t *call, lane_list_t *list,
    queue_read_e why, const redisReply *reply)
{
    size_t       i;
    slot_t      *slot;
    const char  *wrong;

    wrong = NULL;

    if (why == QUEUE_READ_WRONG && call->n == 1) {
        wrong = (reply && reply->type == REDIS_REPLY_ERROR)
                ? reply->str : "the reply is not of the form agreed";
    }

    for (i = 0; i < call->n; i++) {
        slot = call->slots[i];

        slot->alone = (why == QUEUE_READ_WRONG);
        slot->unsure = 1;
        lane->busy += (list == &lane->finishes);
        lane_return(lane, list, slot, wrong);
    }
}


static void
lane_written(lane_t *lane, slot_t *slot, int code)
{
    if (lane_children(lane, slot, code)) {
        return;
    }

    if (code != 0 && slot->unsure && code >= -3) {
        log_event(LOG_INFO_, "result_written_before",
                  "queue", "%s", lane->queue.name, "job", "%s", slot->job->id,
                  NULL);

    } else if (code != 0) {
        log_event((code == -12) ? LOG_ERROR_ : LOG_WARN_, "result_refused",
                  "queue", "%s", lane->queue.name,
                  "job", "%s", slot->job->id, "code", "%d", code,
                  "reason", "%s", queue_code(code), NULL);
    }

    if (slot->result.kind == RESULT_FAILED
        && (code == 0 || (slot->unsure && code >= -3)))
    {
        lane_tell(lane, HOOK_FAILED, slot, slot->job->id, slot->result.value,
                  0);
    }

    lane_free(lane, slot);
}


static void
lane_on_finish(void *data, const redisReply *reply)
{
    int           codes[QUEUE_BATCH];
    size_t        i;
    lane_t       *lane;
    taken_t       taken;
    lane_call_t  *call = data;
    queue_read_e  rc;

    lane = call->lane;
    lane->asked -= call->asked;

    if (lane->waits) {
        lane->writes--;
    } else {
        lane->calls--;
    }

    fault_point("finish-reply", NULL);
    rc = queue_read_results(&lane->queue, reply, codes, call->n, call->token,
                            &taken);

    lane_asked(lane, call, (rc == QUEUE_READ_OK) ? taken.njobs : 0);

    if (rc != QUEUE_READ_OK) {
        if (reply) {
            lane_quiet(lane);
        }

        lane_unwritten(lane, call, &lane->finishes, rc, reply);

    } else {
        lane->pause = 0;

        for (i = 0; i < call->n; i++) {
            lane_written(lane, call->slots[i], codes[i]);
        }

        if (call->asked) {
            lane_bring(lane, &taken, call->at);
            lane_tell_taken(lane, &taken);
        }
    }

    free(call);
    lane_touch(lane);
}


/* the results that one call carries: more than the link takes never goes out */

static size_t
lane_collect(lane_call_t *call, lane_list_t *list, result_t *results)
{
    size_t   bytes, records;
    slot_t  *slot;

    bytes = 0;
    records = 0;

    while (list->n && call->n < QUEUE_BATCH) {
        slot = list->first;
        bytes += lane_bytes(&slot->result);
        records += slot->result.nrecords;

        if (call->n
            && (slot->alone || bytes > LANE_BYTES || records > LANE_RECORDS))
        {
            break;
        }

        (void) lane_shift(list);
        slot->writing = 1;

        results[call->n] = slot->result;
        call->slots[call->n++] = slot;

        if (slot->alone) {
            break;
        }
    }

    return call->n;
}


bool
lane_finish(lane_t *lane)
{
    size_t        n;
    take_t        take;
    result_t      results[QUEUE_BATCH];
    lane_call_t  *call;

    if (lane_is_large(&lane->finishes.first->result)) {
        return lane_records(lane, &lane->finishes);
    }

    call = lane_call(lane);

    if (call == NULL) {
        return false;
    }

    n = lane_collect(call, &lane->finishes, results);

    lane->busy -= n;
    call->asked = (call->slots[0]->alone || lane->waits) ? 0 : lane_share(lane);
    take = lane_ask(lane, call);

    fault_point("finish-call", NULL);

    if (queue_finish(lane_redis(lane), &lane->queue, results, n, &take,
                     lane_on_finish, call)
        != SLUICE_REDIS_OK)
    {
        lane_asked(lane, call, 0);
        lane_unwritten(lane, call, &lane->finishes, QUEUE_READ_AWAY, NULL);
        lane_quiet(lane);
        free(call);
        return false;
    }

    /*
     * Jobs must not be out of hand for as long as replicas are away: a take of
     * its own brings them.
     */

    if (lane->waits) {
        lane->writes++;
        lane->marked = (lane->calls > 0);
        lane->asleep = false;
        return true;
    }

    lane->calls++;
    lane->asked += call->asked;
    lane->marked = (lane->marked && call->asked == 0);

    return true;
}


static void
lane_on_retry(void *data, const redisReply *reply)
{
    int           codes[QUEUE_BATCH];
    size_t        i;
    lane_t       *lane;
    lane_call_t  *call = data;
    queue_read_e  rc;

    lane = call->lane;
    lane->others--;

    fault_point("retry-reply", NULL);
    rc = queue_read_results(&lane->queue, reply, codes, call->n, NULL, NULL);

    if (rc != QUEUE_READ_OK) {
        if (reply) {
            lane_quiet(lane);
        }

        lane_unwritten(lane, call, &lane->retries, rc, reply);

    } else {
        lane->pause = 0;

        for (i = 0; i < call->n; i++) {
            lane->busy--;
            lane_written(lane, call->slots[i], codes[i]);
        }
    }

    free(call);
    lane_touch(lane);
}


bool
lane_retry(lane_t *lane)
{
    size_t        n;
    result_t      results[QUEUE_BATCH];
    lane_call_t  *call;

    if (lane_is_large(&lane->retries.first->result)) {
        return lane_records(lane, &lane->retries);
    }

    call = lane_call(lane);

    if (call == NULL) {
        return false;
    }

    n = lane_collect(call, &lane->retries, results);

    fault_point("retry-call", NULL);

    if (queue_retry(lane_redis(lane), &lane->queue, results, n,
                    lane_on_retry, call)
        != SLUICE_REDIS_OK)
    {
        lane_unwritten(lane, call, &lane->retries, QUEUE_READ_AWAY, NULL);
        lane_quiet(lane);
        free(call);
        return false;
    }

    lane->others++;

    return true;
}


static void
lane_on_take(void *data, const redisReply *reply)
{
    lane_t       *lane;
    taken_t       taken;
    lane_call_t  *call = data;

    lane = call->lane;
    lane->calls--;
    lane->asked -= call->asked;

    fault_point("take-reply", NULL);

    if (queue_read_taken(&lane->queue, reply, call->token, &taken)
        == QUEUE_READ_OK)
    {
        lane->pause = 0;
        lane_asked(lane, call, taken.njobs);
        lane_bring(lane, &taken, call->at);
        lane_tell_taken(lane, &taken);

    } else {
        lane_asked(lane, call, 0);

        if (reply) {
            lane_quiet(lane);
        }
    }

    free(call);
    lane_touch(lane);
}


bool
lane_take(lane_t *lane)
{
    take_t        take;
    lane_call_t  *call;

    call = lane_call(lane);

    if (call == NULL) {
        return false;
    }

    call->asked = lane_share(lane);

    if (call->asked == 0) {
        free(call);
        return false;
    }

    take = lane_ask(lane, call);

    fault_point("take-call", NULL);

    if (queue_take(lane_redis(lane), &lane->queue, &take, lane_on_take, call)
        != SLUICE_REDIS_OK)
    {
        lane_asked(lane, call, 0);
        lane_quiet(lane);
        free(call);
        return false;
    }

    lane->calls++;
    lane->asked += call->asked;
    lane->marked = false;

    return true;
}
