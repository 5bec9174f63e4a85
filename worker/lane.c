#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <event2/util.h>
#include "worker/fault.h"
#include "worker/lane_parts.h"


#define LANE_SOON  20    /* ms after Redis refused a call, doubled to _AGAIN */


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

void
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

    now = clock_ms();

    if (now < lane->quiet) {
        clock_arm(lane->wake, lane->quiet - now + 1);
    }

    if (!lane_ready(lane) || now < lane->quiet) {
        lane_share_end(lane, false);
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

    /*
     * A result is in Redis at once, however long its answer is held: what was
     * sent must not be known here only.
     */

    while (lane->finishes.n && (lane->waits || lane->calls < LANE_CALLS)
           && lane_finish(lane))
    {
        /* void */
    }

    /* an empty queue is asked once, not twice */

    while (!lane->asleep && lane->calls < (lane->flowing ? LANE_CALLS : 1)
           && lane_take(lane))
    {
        /* void */
    }

    lane_share_end(lane, true);

    if (lane->watched) {
        watch_want(lane->watched, lane->asleep && lane->heeds
                                  && lane_room(lane) > 0);
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
    lane->waits = links_waits(conf->links);
    lane->share.data = lane;
    lane->last = clock_ms();

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
        || lane->check == NULL
        || lane_reload(lane, conf->settings, conf->group) != 0)
    {
        lane_close(lane);
        return NULL;
    }

    if (conf->watch) {
        lane->watched = watch_add(conf->watch, lane->queue.marker,
                                  conf->settings->prefix, conf->settings->name,
                                  lane_on_marker, lane);

        if (lane->watched == NULL) {
            lane_close(lane);
            return NULL;
        }
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

    lane_share_leave(lane);

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
lane_reload(lane_t *lane, const queue_settings_t *settings,
    fair_group_t *group)
{
    lane->concurrency = settings->concurrency;
    lane->floor = settings->limits.floor;
    lane->share.weight = settings->weight;
    fair_regroup(lane->conf.fair, &lane->share, group);

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
    return lane->nslots == 0 && lane->calls == 0 && lane->writes == 0
           && lane->others == 0;
}
