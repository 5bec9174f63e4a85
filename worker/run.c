/*
 * The path of a job:
 *
 *     run_job       taken: what kind is it?
 *     run_message   read it; is its number paused?
 *     run_admitted  claimed, at its sender's pace      (admit.c)
 *     run_send      render, send                       (channels/, send.c)
 *     run_answered  verdict                            (channels/, attempt.c)
 *     run_verdict   record, then finished, again later or dead
 *
 * Each job ends in one lane_settle().
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <event2/util.h>
#include "core/json.h"
#include "worker/attempt.h"
#include "worker/fault.h"
#include "worker/hooks.h"
#include "worker/run_parts.h"


#define RUN_BURST  100000    /* µs by which a burst may run ahead */
#define RUN_RATE   80        /* a second, of a number not in the settings */
#define RUN_BORROW 45        /* of a pair at once, by the provider */


static void run_ask(work_t *work);
static void run_send(work_t *work);
static void run_verdict(work_t *work, const verdict_t *verdict);


static const channel_api_t *const  run_apis[] = {
    [CHANNEL_CLOUD_API] = &channel_cloud_api
};


/* ----------------------------------------------------------------- messages */

static void
run_message(work_t *work)
{
    job_t       *job;
    const char  *error;

    job = work->slot->job;

    run_id(work);
    attempt_schedule(&work->schedule, job, &work->conf->retry);

    error = message_read(&work->message, job);

    /* whoever deferred a failure has decided already */

    if (job->defa[0] || error) {
        run_dead(work, job->defa[0] ? job->defa : error);
        return;
    }

    run_ask(work);
}


static void
run_ask(work_t *work)
{
    int64_t          pause, apart;
    settings_t      *settings;
    const queue_t   *queue;
    const number_t  *number;

    queue = lane_queue(work->slot->lane);
    settings = work->edition->settings;

    pause = run_paused(work->queue->run, work->message.sender);

    if (pause == 0) {
        pause = run_paused(work->queue->run, queue->name);
    }

    if (pause) {
        run_delay(work, pause);
        return;
    }

    number = settings_number(settings, work->message.sender);

    work->ask.data = work;
    work->ask.message.id = work->slot->job->id;
    work->ask.message.token = work->slot->job->token;
    work->ask.message.sender = work->message.sender;
    work->ask.message.interval = 1e6 / ((number ? number->rate : RUN_RATE)
                                        * settings->pace);
    work->ask.message.tolerance = RUN_BURST;

    message_pair(work->pair, &work->message);
    apart = settings_apart(work->conf->channel, number);

    work->ask.message.pair = work->pair;
    work->ask.message.apart = apart / settings->pace;
    work->ask.message.borrow = RUN_BORROW * settings->pace;

    work->asking = true;
    admit_ask(work->queue->admit, &work->ask, settings->claim_ttl);
}


static void
run_on_turn(evutil_socket_t fd, short what, void *data)
{
    run_ask(data);
}


static void
run_wait(work_t *work, int64_t ms)
{
    if (ms < QUEUE_SOON && work->hold == NULL) {
        work->hold = event_new(work->queue->run->base, -1, 0, run_on_turn,
                               work);
    }

    if (ms >= QUEUE_SOON || work->hold == NULL) {
        run_delay(work, ms);
        return;
    }

    clock_arm(work->hold, (ms > 0) ? ms : 1);
}


/*
 * A claim of another job with the same id: away with it, and ask again; once,
 * for it may be that nobody lets us.
 */

static bool
run_unclaim(work_t *work)
{
    int             n;
    char            key[SLUICE_KEYS_MAX * 2];
    links_t        *links;
    const queue_t  *queue;

    links = work->queue->run->links;
    queue = lane_queue(work->slot->lane);

    n = snprintf(key, sizeof(key), "%s%s", queue->claims,
                 work->slot->job->id);

    if (work->unclaimed || n >= (int) sizeof(key)) {
        return false;
    }

    work->unclaimed = true;

    (void) sluice_redis_command(link_redis(links_of(links, key)), clock_ms(),
                                NULL, NULL, "DEL", key, NULL);
    run_ask(work);

    return true;
}


/*
 * The claim holds the result of a message with this id.  Ids that Redis counts
 * begin anew with an emptied queue, so theirs is bound to the job's time.
 */

static bool
run_done(work_t *work, const char *stored)
{
    bool         same;
    job_t       *job;
    json_t      *root;

    job = work->slot->job;
    root = json_loads(stored, 0, NULL);

    same = json_is_object(root)
           && (strspn(job->id, "0123456789") != strlen(job->id)
               || json_integer_value(json_object_get(root, "timestamp"))
                  == job->timestamp);

    if (same) {
        json_object_del(root, "timestamp");
        work->value = json_dumps(root, JSON_COMPACT);

        log_event(LOG_INFO_, "sent_before",
                  "queue", "%s", lane_queue(work->slot->lane)->name,
                  "job", "%s", job->id, NULL);

        run_complete(work->slot, work->value);
    }

    json_decref(root);

    return same;
}


void
run_admitted(void *data, const admitted_t *admitted)
{
    work_t     *work = data;
    verdict_t   verdict;

    work->asking = false;

    if (admitted && admitted->verdict == ADMIT_DONE
        && (run_done(work, admitted->value) || run_unclaim(work)))
    {
        return;
    }

    if (admitted == NULL || admitted->verdict == ADMIT_DONE) {
        memset(&verdict, 0, sizeof(verdict_t));
        verdict.kind = VERDICT_RETRY;
        snprintf(verdict.reason, sizeof(verdict.reason),
                 "the claim or the pace of this message cannot be used");
        run_verdict(work, &verdict);
        return;
    }

    switch (admitted->verdict) {

    case ADMIT_WAIT:
        run_wait(work, admitted->wait);
        return;

    case ADMIT_AGAIN:

        /*
         * A failed attempt leaves its claim open too; only a crash or a lost
         * lease leaves it open without having raised the count of attempts.
         */

        if (strcmp(admitted->value, work->slot->job->token) != 0) {
            log_event(work->slot->job->stalls ? LOG_WARN_ : LOG_DEBUG_,
                      "sent_again",
                      "queue", "%s", lane_queue(work->slot->lane)->name,
                      "job", "%s", work->slot->job->id, "reason", "%s",
                      "an attempt before this one ended without a result",
                      NULL);
        }

        break;

    default:
        break;
    }

    run_send(work);
}


static void
run_answered(void *data, const answer_t *answer)
{
    work_t     *work = data;
    verdict_t   verdict;

    work->sending = NULL;

    fault_point("verdict", work->slot->job->id);

    memset(&verdict, 0, sizeof(verdict_t));
    run_apis[work->conf->channel->kind]->verdict(&verdict, answer);
    run_verdict(work, &verdict);
}


static void
run_send(work_t *work)
{
    answer_t              answer;
    const char           *error;
    const number_t       *number;
    const channel_api_t  *api;

    fault_point("send", work->slot->job->id);

    /* somebody else has the job by now */

    if (lane_lost(work->slot)) {
        run_give_back(work->queue, work->slot);
        return;
    }

    api = run_apis[work->conf->channel->kind];
    number = settings_number(work->edition->settings, work->message.sender);

    error = api->render(&work->request, work->conf->channel, number,
                        &work->message, work->id);

    if (error) {
        run_dead(work, error);
        return;
    }

    work->began = clock_ms();
    work->sending = sender_send(work->queue->run->sender, &work->request,
                                run_answered, work);

    if (work->sending == NULL) {
        memset(&answer, 0, sizeof(answer_t));
        answer.curl = 27;    /* CURLE_OUT_OF_MEMORY */
        answer.body = "";
        run_answered(work, &answer);
    }
}


/* dst: six times as long as the text, and its NUL */

static void
run_escape(char *dst, const char *text)
{
    dst[sluice_json_escape((uint8_t *) dst, (const uint8_t *) text,
                           strlen(text))] = '\0';
}


/* the job's return value, and what answers a second job with its id */

static void
run_sent_texts(work_t *work, const verdict_t *verdict)
{
    char  id[sizeof(work->id) * 6], provider[sizeof(verdict->provider_id) * 6];

    run_escape(id, work->id);
    run_escape(provider, verdict->provider_id);

    if (asprintf(&work->value, "{\"id\":\"%s\",\"provider_id\":\"%s\"}",
                 id, provider)
        == -1)
    {
        work->value = NULL;
    }

    if (asprintf(&work->claim, "{\"id\":\"%s\",\"provider_id\":\"%s\","
                 "\"timestamp\":%lld}", id, provider,
                 (long long) work->slot->job->timestamp)
        == -1)
    {
        work->claim = NULL;
    }
}


static void
run_sent(work_t *work, const verdict_t *verdict)
{
    job_t    *job;
    slot_t   *slot;

    slot = work->slot;
    job = slot->job;

    run_sent_texts(work, verdict);

    if (work->claim) {
        slot->result.claim = work->claim;
        slot->result.claim_ttl = work->edition->settings->claim_ttl;
    }

    log_event(LOG_INFO_, "sent", "queue", "%s", lane_queue(slot->lane)->name,
              "job", "%s", job->id, "sender", "%s", work->message.sender,
              "provider_id", "%s", verdict->provider_id,
              "attempt", "%d", job->made + 1,
              "ms", "%lld", (long long) (clock_ms() - work->began), NULL);

    run_record(work, "sent", verdict);
    run_complete(slot, work->value);
}


static void
run_stop_sending(work_t *work, const verdict_t *verdict, int64_t ms)
{
    bool            number;
    hook_told_t     told = { .event = HOOK_PAUSED };
    const queue_t  *queue;

    number = (verdict->kind == VERDICT_PAUSE_NUMBER);
    queue = lane_queue(work->slot->lane);

    told.queue = queue->name;
    told.job = work->slot->job->id;
    told.name = work->slot->job->name;
    told.reason = verdict->reason;
    told.wait = ms;
    hooks_tell(&told);

    run_set_pause(work->queue->run, number ? work->message.sender
                                           : queue->name, ms);

    if (!number) {
        lane_hold(work->slot->lane, ms);
    }

    log_event(LOG_ERROR_, number ? "alert_number_paused"
                                 : "alert_queue_paused",
              "queue", "%s", queue->name,
              "sender", "%s", work->message.sender,
              "ms", "%lld", (long long) ms, "code", "%d", verdict->code,
              "reason", "%s", verdict->reason, NULL);
}


static void
run_verdict(work_t *work, const verdict_t *verdict)
{
    job_t      *job;
    slot_t     *slot;
    attempt_t   attempt;

    slot = work->slot;
    job = slot->job;

    attempt_decide(&attempt, verdict, job, &work->schedule,
                   verdict->kind == VERDICT_SENT ? 0 : random_unit());

    if (attempt.kind == ATTEMPT_DONE) {
        run_sent(work, verdict);
        return;
    }

    snprintf(work->reason, sizeof(work->reason), "%s", verdict->reason);

    if (verdict->kind == VERDICT_PAUSE_NUMBER
        || verdict->kind == VERDICT_PAUSE_TENANT)
    {
        run_stop_sending(work, verdict, attempt.delay);
    }

    log_event(attempt.kind == ATTEMPT_DELAY ? LOG_INFO_ : LOG_WARN_,
              attempt.kind == ATTEMPT_DEAD ? "dead"
              : attempt.kind == ATTEMPT_RETRY ? "retry" : "delay",
              "queue", "%s", lane_queue(slot->lane)->name,
              "job", "%s", job->id, "sender", "%s", work->message.sender,
              "attempt", "%d", job->made + 1,
              "ambiguous", "%d", verdict->kind == VERDICT_AMBIGUOUS,
              "delay_ms", "%lld", (long long) attempt.delay,
              "code", "%d", verdict->code, "reason", "%s", work->reason, NULL);

    switch (attempt.kind) {

    case ATTEMPT_DEAD:
        run_record(work, "failed", verdict);
        run_fail(slot, work, RESULT_FAILED, 0);
        return;

    case ATTEMPT_RETRY:
        run_record(work, "retry", verdict);
        run_fail(slot, work, RESULT_RETRY, attempt.delay);
        return;

    default:
        run_fail(slot, work, RESULT_DELAY, attempt.delay);
    }
}


void
run_job(void *data, slot_t *slot)
{
    job_t        *job;
    work_t       *work;
    run_queue_t  *queue = data;

    job = slot->job;

    fault_point("job", job->id);

    if (queue->run->releasing || lane_goes_back(slot)) {
        run_give_back(queue, slot);
        return;
    }

    if (queue->conf->kind == QUEUE_NOOP && job->defa[0] == '\0') {
        run_complete(slot, NULL);
        return;
    }

    work = calloc(1, sizeof(work_t));

    if (work == NULL) {
        run_give_back(queue, slot);
        return;
    }

    slot->work = work;

    work->queue = queue;
    work->slot = slot;
    work->conf = queue->conf;
    work->edition = run_edition_hold(queue->edition);

    if (queue->conf->kind == QUEUE_SEND) {
        run_message(work);

    } else if (job->defa[0]) {
        run_dead(work, job->defa);

    } else {
        run_events(work);
    }
}
