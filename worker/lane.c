#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <event2/util.h>
#include "worker/fault.h"
#include "worker/lane_parts.h"


#define LANE_LOOK   5000     /* ms between two looks at an idle queue */
#define LANE_SOON   20       /* ms after Redis refused a call, doubled... */
#define LANE_AGAIN  1000     /* ... up to this */


void
lane_touch(lane_t *lane)
{
    event_active(lane->turn, 0, 0);
}


void
lane_append(lane_list_t *list, slot_t *slot)
{
    slot->after = NULL;

    if (list->last) {
        list->last->after = slot;
    } else {
        list->first = slot;
    }

    list->last = slot;
    list->n++;
}


/* ------------------------------------------------------------------- slots */

static void
lane_add(lane_t *lane, job_t *job, int64_t at)
{
    slot_t  *slot;

    slot = calloc(1, sizeof(slot_t));

    if (slot == NULL) {
        /* its lease runs out and it is recovered */
        job_free(job);
        return;
    }

    slot->lane = lane;
    slot->job = job;
    slot->seq = lane->seq;
    slot->lease = at + lane->queue.lock;

    slot->result.id = job->id;
    slot->result.token = job->token;
    slot->result.stack = "";
    slot->result.value = "";
    slot->result.claim = "";
    slot->result.keep = slot->keep;

    if (job->scheduler[0]) {
        slot->iterating = 1;
        lane_append(&lane->iterations, slot);
    }

    slot->next = lane->slots;

    if (slot->next) {
        slot->next->prev = slot;
    }

    lane->slots = slot;
    lane->nslots++;
    lane->busy++;

    lane->conf.job(lane->conf.data, slot);
}


void
lane_free(lane_t *lane, slot_t *slot)
{
    lane->conf.gone(lane->conf.data, slot);

    if (slot->prev) {
        slot->prev->next = slot->next;
    } else {
        lane->slots = slot->next;
    }

    if (slot->next) {
        slot->next->prev = slot->prev;
    }

    lane->nslots--;

    job_free(slot->job);
    free(slot->replaced);
    free(slot);
}


void
lane_settle(slot_t *slot)
{
    lane_t  *lane;

    lane = slot->lane;
    slot->settled = 1;

    if (slot->iterating) {
        return;
    }

    if (slot->result.kind == RESULT_COMPLETED
        || slot->result.kind == RESULT_FAILED)
    {
        lane_append(&lane->finishes, slot);
    } else {
        lane_append(&lane->retries, slot);
    }

    lane_touch(lane);
}


/* -------------------------------------------------------------------- take */

/*
 * How many jobs a call may ask for.  No more than half of the slots in one, so
 * that Redis works on a call while this process works on the other.
 */

size_t
lane_room(const lane_t *lane)
{
    size_t  used, room, most;

    used = lane->busy + lane->asked;

    if (lane->stopped || used >= lane->concurrency
        || (lane->hold && clock_ms() < lane->hold))
    {
        return 0;
    }

    room = lane->concurrency - used;
    most = (lane->concurrency + LANE_CALLS - 1) / LANE_CALLS;
    most = (most < QUEUE_BATCH) ? most : QUEUE_BATCH;

    return (room < most) ? room : most;
}


/*
 * Redis refuses, or has no room for another call: not at once again.  A slot
 * that moves to another node is a matter of milliseconds.
 */

void
lane_quiet(lane_t *lane)
{
    int64_t  now;

    now = clock_ms();

    if (now >= lane->quiet) {
        lane->pause = lane->pause ? lane->pause * 2 : LANE_SOON;
        lane->pause = (lane->pause < LANE_AGAIN) ? lane->pause : LANE_AGAIN;
        lane->quiet = now + lane->pause;
    }

    lane_touch(lane);
}


static void
lane_on_turn(evutil_socket_t fd, short what, void *data)
{
    lane_t   *lane = data;
    int64_t   now;

    if (!lane_ready(lane)) {
        return;
    }

    now = clock_ms();

    if (now < lane->quiet) {
        clock_arm(lane->wake, lane->quiet - now + 1);
        return;
    }

    if (now < lane->hold) {
        clock_arm(lane->wake, lane->hold - now + 1);

    } else {
        lane->hold = 0;
    }

    while (lane->iterations.n && lane_iterate(lane)) {
        /* void */
    }

    while (lane->retries.n && lane_retry(lane)) {
        /* void */
    }

    while (lane->finishes.n && lane->calls < LANE_CALLS && lane_finish(lane)) {
        /* void */
    }

    /* an empty queue is asked once, not twice */

    while (!lane->asleep && lane->calls < (lane->flowing ? LANE_CALLS : 1)
           && lane_room(lane) > 0 && lane_take(lane))
    {
        /* void */
    }

    watch_want(lane->watched, lane->asleep && lane->heeds
                              && lane_room(lane) > 0);
}


/* ---------------------------------------------------------- sleep and wake */

static void
lane_sleep(lane_t *lane, int64_t ms, bool heeds)
{
    /*
     * The marker came on another connection while this take was on its way,
     * and may tell of a job that was added behind it: look again.
     */

    lane->asleep = !lane->marked;
    lane->heeds = heeds;
    lane->flowing = false;

    clock_arm(lane->wake, ms < LANE_LOOK ? ms : LANE_LOOK);
}


static void
lane_sleep_until(lane_t *lane, int64_t due)
{
    int64_t  wait;

    wait = due - clock_wall_ms();

    /*
     * Redis' clock decides.  When it is behind ours, what is due here is not
     * yet due there: ask less and less often.
     */

    if (wait > 0) {
        lane->skew = 0;

    } else {
        lane->skew = lane->skew ? lane->skew * 2 : 5;
        lane->skew = (lane->skew < LANE_AGAIN) ? lane->skew : LANE_AGAIN;
        wait = lane->skew;
    }

    lane_sleep(lane, wait, true);
}


static void
lane_refused(lane_t *lane, const char *refused)
{
    size_t       i;
    uint64_t     hash;
    const char  *p;

    /* FNV-1a of the id */

    hash = 14695981039346656037u;

    for (p = refused; *p && *p != ' '; p++) {
        hash = (hash ^ (unsigned char) *p) * 1099511628211u;
    }

    for (i = 0; i < LANE_REFUSED; i++) {
        if (lane->refused[i] == hash) {
            return;
        }
    }

    lane->refused[lane->nrefused++ % LANE_REFUSED] = hash;

    log_event(LOG_ERROR_, "job_refused", "queue", "%s", lane->queue.name,
              "job", "%.*s", (int) (p - refused), refused,
              "reason", "%s", *p ? p + 1 : "", NULL);
}


void
lane_taken(lane_t *lane, const taken_t *taken, int64_t at)
{
    size_t  i;

    switch (taken->status) {

    case TAKE_OK:
        lane->asleep = false;
        lane->flowing = true;
        lane->skew = 0;
        break;

    case TAKE_DELAYED:
        lane_sleep_until(lane, taken->value);
        break;

    case TAKE_LIMITED:
    case TAKE_CLASS:
        lane_sleep(lane, taken->value > 0 ? taken->value : 1,
                   taken->status == TAKE_CLASS);
        break;

    case TAKE_REFUSED:
        lane_refused(lane, taken->refused);
        lane_sleep(lane, LANE_LOOK, false);
        break;

    default:
        lane_sleep(lane, LANE_LOOK, true);
    }

    for (i = 0; i < taken->njobs; i++) {
        lane_add(lane, taken->jobs[i], at);
    }
}


static void
lane_on_wake(evutil_socket_t fd, short what, void *data)
{
    lane_t  *lane = data;

    lane->asleep = false;
    lane_touch(lane);
}


static bool
lane_on_marker(void *data, int64_t due)
{
    lane_t   *lane = data;
    int64_t   now;

    if (lane_room(lane) == 0) {
        return false;
    }

    lane->marked = (lane->calls > 0);
    now = clock_wall_ms();

    if (due > now) {

        if (lane->asleep) {
            lane_sleep_until(lane, due);
            lane_touch(lane);
        }

        return true;
    }

    lane->asleep = false;
    lane_touch(lane);

    return true;
}


void
lane_stop(lane_t *lane, bool stop)
{
    lane->stopped = stop;
    lane_touch(lane);
}


void
lane_hold(lane_t *lane, int64_t ms)
{
    int64_t  until;

    until = clock_ms() + ms;

    if (until > lane->hold) {
        lane->hold = until;
        lane_touch(lane);
    }
}


/* --------------------------------------------------------------- life time */

/* "bullmq:5.81.5": the majors pause in different ways and lose jobs mixed */

static void
lane_on_version(void *data, const redisReply *reply)
{
    int      major;
    lane_t  *lane = data;

    lane->others--;

    if (reply && reply->type == REDIS_REPLY_STRING
        && sscanf(reply->str, "bullmq:%d.", &major) == 1
        && major != lane->queue.bullmq)
    {
        log_event(LOG_WARN_, "bullmq_version",
                  "queue", "%s", lane->queue.name,
                  "bullmq", "%d", lane->queue.bullmq,
                  "found", "%s", reply->str, "reason", "%s",
                  "a client of another major uses this queue: a pause may lose"
                  " jobs", NULL);
    }
}


static void
lane_ask_version(lane_t *lane)
{
    char  meta[SLUICE_KEYS_MAX + sizeof("meta")];

    snprintf(meta, sizeof(meta), "%smeta", lane->queue.base);

    if (sluice_redis_command(lane_redis(lane), clock_ms(),
                             lane_on_version, lane, "HGET", meta, "version",
                             NULL)
        == SLUICE_REDIS_OK)
    {
        lane->others++;
    }
}


void
lane_link(lane_t *lane)
{
    const link_t  *link;

    link = lane_ready(lane) ? links_of(lane->conf.links, lane->queue.base)
                            : NULL;

    if (link == lane->link) {
        return;
    }

    lane->link = link;

    if (link == NULL) {
        return;
    }

    lane->asleep = false;
    lane->flowing = false;
    lane->quiet = 0;
    lane->pause = 0;

    lane_ask_version(lane);
    lane_extend(lane);
    clock_arm(lane->check, 0);
    lane_touch(lane);
}


lane_t *
lane_open(const lane_conf_t *conf)
{
    lane_t         *lane;
    unsigned char   b[16];

    lane = calloc(1, sizeof(lane_t));

    if (lane == NULL) {
        return NULL;
    }

    lane->conf = *conf;
    lane->conf.settings = NULL;

    evutil_secure_rng_get_bytes(b, sizeof(b));

    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;

    snprintf(lane->uuid, sizeof(lane->uuid),
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
             "%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5],
             b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    fault_uuid(lane->uuid, sizeof(lane->uuid));

    lane->turn = event_new(conf->base, -1, 0, lane_on_turn, lane);
    lane->wake = event_new(conf->base, -1, 0, lane_on_wake, lane);
    lane->lease = event_new(conf->base, -1, 0, lane_on_lease, lane);
    lane->check = event_new(conf->base, -1, 0, lane_on_check, lane);

    if (lane->turn == NULL || lane->wake == NULL || lane->lease == NULL
        || lane->check == NULL || lane_reload(lane, conf->settings) != 0)
    {
        lane_close(lane);
        return NULL;
    }

    lane->watched = watch_add(conf->watch, lane->queue.marker,
                              conf->settings->prefix, conf->settings->name,
                              lane_on_marker, lane);

    if (lane->watched == NULL) {
        lane_close(lane);
        return NULL;
    }

    clock_arm(lane->lease, lane->queue.lock / 2);
    lane_link(lane);

    return lane;
}


void
lane_close(lane_t *lane)
{
    if (lane->watched) {
        watch_remove(lane->watched);
    }

    while (lane->slots) {
        lane_free(lane, lane->slots);
    }

    if (lane->turn) {
        event_free(lane->turn);
    }

    if (lane->wake) {
        event_free(lane->wake);
    }

    if (lane->lease) {
        event_free(lane->lease);
    }

    if (lane->check) {
        event_free(lane->check);
    }

    free(lane);
}


const queue_t *
lane_queue(const lane_t *lane)
{
    return &lane->queue;
}


int
lane_reload(lane_t *lane, const queue_settings_t *settings)
{
    lane->concurrency = settings->concurrency;
    lane->floor = settings->limits.floor;

    if (queue_init(&lane->queue, settings) != 0) {
        return -1;
    }

    /* they may be shorter now than what the timers were set to */

    clock_arm(lane->lease, 0);
    clock_arm(lane->check, 0);

    lane->hold = 0;
    lane_touch(lane);

    return 0;
}


slot_t *
lane_slots(const lane_t *lane)
{
    return lane->slots;
}


bool
lane_idle(const lane_t *lane)
{
    return lane->nslots == 0 && lane->calls == 0 && lane->others == 0;
}
