/*
 * What becomes of a job: its result, its record, and the end of its work.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/attempt.h"
#include "worker/run_parts.h"


#define RUN_RECORD_MAX  (1024 * 1024)        /* bytes of a message's record */
#define RUN_VALUE_MAX   (8 * 1024 * 1024)    /* bytes of a return value */


/*
 * The id that a message has in records and at the provider.  That of a job
 * which the edge made is unique; another's is unique in its queue only.
 */

void
run_id(work_t *work)
{
    const char  *id, *base;

    id = work->slot->job->id;
    base = lane_queue(work->slot->lane)->base;

    snprintf(work->id, sizeof(work->id), "%s%s",
             strncmp(id, "m-", 2) == 0 ? "" : base, id);
}


/*
 * What became of the message, for communication_logs.  A payload that no
 * provider takes must not fill the store or hold up the results of others.
 */

void
run_record(work_t *work, const char *status, const verdict_t *verdict)
{
    job_t     *job;
    record_t   record;

    if (work->message.body == NULL || work->edition->settings->store == NULL) {
        return;
    }

    job = work->slot->job;
    memset(&record, 0, sizeof(record_t));

    record.id = work->id;
    record.provider_id = verdict->provider_id[0] ? verdict->provider_id : NULL;
    record.tenant = work->conf->tenant;
    record.channel = work->conf->channel->name;
    record.sender = work->message.sender;
    record.recipient = work->message.recipient;
    record.payload = work->message.body;
    record.status = status;
    record.error = (verdict->kind == VERDICT_SENT) ? NULL : work->reason;
    record.code = verdict->code;
    record.campaign = work->message.campaign;
    record.attempts = job->made + 1;
    record.at = clock_wall_ms();

    work->record = record_encode(&record);

    if (work->record && strlen(work->record) > RUN_RECORD_MAX) {
        log_event(LOG_WARN_, "record_cut",
                  "queue", "%s", lane_queue(work->slot->lane)->name,
                  "job", "%s", job->id,
                  "bytes", "%zu", strlen(work->record), "reason", "%s",
                  "the payload is too long to be recorded", NULL);

        free(work->record);
        record.payload = NULL;
        work->record = record_encode(&record);
    }

    if (work->record) {
        work->slot->result.records = &work->record;
        work->slot->result.nrecords = 1;
    }
}


/* the return value of a webhook; what is too long is told by its numbers */

const char *
run_events_value(work_t *work)
{
    size_t     len;
    json_t    *root;
    events_t  *events;

    events = &work->events;
    len = strlen(events->result);

    if (len <= RUN_VALUE_MAX) {
        return events->result;
    }

    log_event(LOG_WARN_, "result_cut",
              "queue", "%s", lane_queue(work->slot->lane)->name,
              "job", "%s", work->slot->job->id, "bytes", "%zu", len,
              "messages", "%zu", events->nmessages,
              "statuses", "%zu", events->nrecords, "reason", "%s",
              "the return value is too long to be kept", NULL);

    root = json_pack("{s:[], s:[], s:[], s:{s:I, s:I}}",
                     "messages", "statuses", "other", "omitted",
                     "messages", (json_int_t) events->nmessages,
                     "statuses", (json_int_t) events->nrecords);

    work->value = root ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);

    return work->value;
}


void
run_fail(slot_t *slot, work_t *work, result_kind_e kind, int64_t delay)
{
    work->stack = attempt_stack(work->reason);

    slot->result.kind = kind;
    slot->result.delay = delay;
    slot->result.value = work->reason;
    slot->result.stack = work->stack ? work->stack : "[]";

    if (kind == RESULT_FAILED) {
        attempt_keep(slot->keep, sizeof(slot->keep), slot->job, false);
    }

    lane_settle(slot);
}


/* it can never be done */

void
run_dead(work_t *work, const char *reason)
{
    slot_t     *slot;
    verdict_t   verdict;

    slot = work->slot;

    memset(&verdict, 0, sizeof(verdict_t));
    verdict.kind = VERDICT_DEAD;

    snprintf(work->reason, sizeof(work->reason), "%s", reason);

    log_event(LOG_WARN_, "dead", "queue", "%s", lane_queue(slot->lane)->name,
              "job", "%s", slot->job->id, "attempt", "%d", slot->job->made + 1,
              "reason", "%s", work->reason, NULL);

    run_record(work, "failed", &verdict);
    run_fail(slot, work, RESULT_FAILED, 0);
}


void
run_delay(work_t *work, int64_t ms)
{
    work->slot->result.kind = RESULT_DELAY;
    work->slot->result.delay = (ms > 0) ? ms : 1;

    lane_settle(work->slot);
}


void
run_complete(slot_t *slot, const char *value)
{
    slot->result.kind = RESULT_COMPLETED;
    slot->result.value = value ? value : "null";
    attempt_keep(slot->keep, sizeof(slot->keep), slot->job, true);

    lane_settle(slot);
}


void
run_give_back(run_queue_t *queue, slot_t *slot)
{
    work_t  *work;

    if (slot->settled) {
        return;
    }

    work = slot->work;

    if (work && work->asking) {
        work->asking = false;
        admit_cancel(queue->admit, &work->ask);
    }

    if (work && work->sending) {
        if (sender_cancel(work->sending)) {
            log_event(LOG_WARN_, "given_back_open",
                      "queue", "%s", lane_queue(slot->lane)->name,
                      "job", "%s", slot->job->id, "reason", "%s",
                      "it may have been sent, and will be sent again", NULL);
        }

        work->sending = NULL;
    }

    if (work && work->hold) {
        event_del(work->hold);
    }

    if (work) {
        run_events_drop(work);
    }

    slot->result.kind = RESULT_RELEASE;
    slot->result.delay = 0;

    lane_settle(slot);
}


void
run_gone(void *data, slot_t *slot)
{
    work_t  *work;

    work = slot->work;

    if (work == NULL) {
        return;
    }

    if (work->sending) {
        (void) sender_cancel(work->sending);
    }

    if (work->hold) {
        event_free(work->hold);
    }

    run_events_drop(work);

    if (work->record || work->events.nrecords) {
        work->queue->wrote = true;
    }

    if (work->events.result) {
        events_free(&work->events);
    }

    message_free(&work->message);
    request_free(&work->request);
    run_edition_drop(work->edition);

    free(work->value);
    free(work->stack);
    free(work->claim);
    free(work->record);
    free(work);
}
