/*
 * The queues of a run: opened, changed by a reload, drained.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/run_parts.h"


#define RUN_TICK  50    /* ms */


static void
run_queue_close(run_queue_t *queue)
{
    if (queue->known) {
        many_left(queue->run, queue);
    }

    if (queue->lane) {
        lane_close(queue->lane);
    }

    if (queue->admit) {
        admit_close(queue->admit);
    }

    run_edition_drop(queue->edition);
    free(queue);
}


static run_queue_t *
run_queue_open(run_t *run, edition_t *edition, const queue_settings_t *conf,
    void *known, bool watch)
{
    lane_conf_t   lane;
    run_queue_t  *queue;

    queue = calloc(1, sizeof(run_queue_t));

    if (queue == NULL) {
        return NULL;
    }

    queue->run = run;
    queue->conf = conf;
    queue->known = known;
    queue->many = (known != NULL);
    queue->edition = run_edition_hold(edition);

    memset(&lane, 0, sizeof(lane_conf_t));
    lane.base = run->base;
    lane.links = run->links;
    lane.watch = watch ? run->watch : NULL;
    lane.fair = &run->fair;
    lane.turn = run->share;
    lane.group = run_group(run, edition->settings, conf->tenant);
    lane.settings = conf;
    lane.zones = run->zones;
    lane.job = run_job;
    lane.gone = run_gone;
    lane.data = queue;

    queue->lane = lane_open(&lane);

    if (queue->lane) {
        queue->admit = admit_open(run->base, run->links,
                                  lane_queue(queue->lane), run_admitted);
    }

    if (queue->admit == NULL) {
        run_queue_close(queue);
        return NULL;
    }

    if (run->paused || run->draining) {
        lane_stop(queue->lane, true);
    }

    return queue;
}


run_queue_t *
run_queue_add(run_t *run, edition_t *edition, const queue_settings_t *conf,
    void *known, bool watch)
{
    run_queue_t  *queue;

    queue = run_queue_open(run, edition, conf, known, watch);

    if (queue) {
        queue->next = run->queues;
        run->queues = queue;
    }

    return queue;
}


run_queue_t *
run_queue_find(run_t *run, const queue_settings_t *conf)
{
    run_queue_t  *queue;

    for (queue = run->queues; queue; queue = queue->next) {
        if (!queue->many && strcmp(queue->conf->prefix, conf->prefix) == 0
            && strcmp(queue->conf->name, conf->name) == 0)
        {
            return queue;
        }
    }

    return NULL;
}


static void
run_on_links(void *data)
{
    run_t        *run = data;
    run_queue_t  *queue;

    for (queue = run->queues; queue; queue = queue->next) {
        lane_link(queue->lane);
        admit_link(queue->admit);
    }
}


size_t
run_jobs(const run_t *run)
{
    size_t              n;
    const slot_t       *slot;
    const run_queue_t  *queue;

    n = 0;

    for (queue = run->queues; queue; queue = queue->next) {
        for (slot = lane_slots(queue->lane); slot; slot = slot->next) {
            n++;
        }
    }

    return n;
}


static void
run_on_tick(evutil_socket_t fd, short what, void *data)
{
    bool           idle;
    run_t         *run = data;
    run_queue_t   *queue, **p;

    idle = true;

    for (p = &run->queues; *p; /* void */ ) {
        queue = *p;

        if (queue->wrote && run->recorder) {
            queue->wrote = false;
            recorder_tell(run->recorder, queue->conf->prefix, false);
        }

        if (((queue->leaving && lane_idle(queue->lane))
             || (queue->known && many_rests(run, queue)))
            && admit_idle(queue->admit))
        {
            *p = queue->next;
            run_queue_close(queue);
            continue;
        }

        idle = (idle && lane_idle(queue->lane));
        p = &queue->next;
    }

    if (run->draining && idle && run->drained) {
        run->drained(run->data);
        run->drained = NULL;
    }
}


/* ---------------------------------------------------------------- life time */

recorder_t *
run_recorder(run_t *run, const settings_t *settings, char *error, size_t size)
{
    char        *why;
    recorder_t  *recorder;

    why = NULL;
    recorder = recorder_open(run->base, settings, &why);

    if (recorder == NULL) {
        snprintf(error, size, "store \"%s\": %s", settings->store,
                 why ? why : "out of memory");
    }

    free(why);

    return recorder;
}


/*
 * A provider that hangs keeps its connections: with fewer than there may be
 * messages under way, others wait for it.
 */

static void
run_warn_connections(const settings_t *settings)
{
    size_t   i;
    int64_t  n;

    n = 0;

    for (i = 0; i < settings->nqueues; i++) {
        if (settings->queues[i].kind == QUEUE_SEND) {
            n += settings->queues[i].concurrency;
        }
    }

    if (n > settings->concurrency) {
        n = settings->concurrency;
    }

    if (n > settings->connections) {
        log_event(LOG_WARN_, "connections_few",
                  "connections", "%d", settings->connections,
                  "concurrency", "%lld", (long long) n, "reason", "%s",
                  "less than the concurrency of all send queues: a provider"
                  " that hangs delays the others", NULL);
    }
}


/* opens what is new; all or nothing */

int
run_open_queues(run_t *run, edition_t *edition, char *error, size_t size)
{
    size_t                   i;
    run_queue_t             *queue, *opened;
    const queue_settings_t  *conf;

    opened = NULL;

    for (i = 0; i < edition->settings->nqueues; i++) {
        conf = &edition->settings->queues[i];

        if (run_queue_find(run, conf)) {
            continue;
        }

        queue = run_queue_open(run, edition, conf, NULL, true);

        if (queue == NULL) {
            snprintf(error, size, "queue \"%s:%s\" cannot be opened: out of"
                     " memory, or its name is too long", conf->prefix,
                     conf->name);

            while (opened) {
                queue = opened;
                opened = queue->next;
                run_queue_close(queue);
            }

            return -1;
        }

        queue->next = opened;
        opened = queue;
    }

    while (opened) {
        queue = opened;
        opened = queue->next;
        queue->next = run->queues;
        run->queues = queue;
    }

    run_warn_connections(edition->settings);

    return 0;
}


void
run_pause(run_t *run, bool pause)
{
    run_queue_t  *queue;

    run->paused = pause;

    for (queue = run->queues; queue; queue = queue->next) {
        lane_stop(queue->lane, pause || queue->leaving || run->draining);
    }

    many_pause(run);
}


void
run_drain(run_t *run)
{
    run->draining = true;
    run_pause(run, run->paused);
}


/*
 * The oldest is to be taken first again.  Each call puts its jobs in front of
 * those of the call before it, so the newest go out first, a call's worth at a
 * time.
 */

static void
run_release_queue(run_queue_t *queue)
{
    size_t   n;
    slot_t  *slot, *newest, *oldest;

    for (newest = lane_slots(queue->lane); newest; newest = oldest->next) {

        oldest = newest;
        n = !newest->settled;

        while (n < QUEUE_BATCH && oldest->next) {
            oldest = oldest->next;
            n += !oldest->settled;
        }

        for (slot = oldest; slot != newest; slot = slot->prev) {
            run_give_back(queue, slot);
        }

        run_give_back(queue, newest);
    }
}


void
run_release(run_t *run)
{
    run_queue_t  *queue;

    run->releasing = true;
    run_drain(run);

    for (queue = run->queues; queue; queue = queue->next) {
        run_release_queue(queue);
    }
}


run_t *
run_open(struct event_base *base, settings_t *settings,
    void (*drained)(void *data), void *data, char *error, size_t size)
{
    run_t           *run;
    edition_t       *edition;
    links_conf_t     links;
    struct timeval   tv = { 0, RUN_TICK * 1000 };

    run = calloc(1, sizeof(run_t));
    edition = calloc(1, sizeof(edition_t));

    if (run == NULL || edition == NULL) {
        free(run);
        free(edition);
        snprintf(error, size, "out of memory");
        return NULL;
    }

    edition->settings = settings;
    run->fair.cap = settings->concurrency;

    memset(&links, 0, sizeof(links_conf_t));
    links.name = "sluiced";
    links.scripts = queue_scripts;
    links.nscripts = queue_nscripts;
    links.waits = LINK_WAITS;
    links.changed = run_on_links;
    links.data = run;

    snprintf(error, size, "out of memory");

    run->base = base;
    run->edition = run_edition_hold(edition);
    run->drained = drained;
    run->data = data;

    run->sender = sender_open(base, settings->connections);
    run->zones = zones_open(ZONES_DIR);
    run->links = links_open(base, settings, &links);
    run->tick = event_new(base, -1, EV_PERSIST, run_on_tick, run);
    run->share = event_new(base, -1, 0, lane_share_on_turn, &run->fair);
    run->read = event_new(base, -1, 0, run_events_on_turn, run);

    if (run->links) {
        run->watch = watch_open(base, settings, run->links);
    }

    if (run->sender == NULL || run->zones == NULL || run->tick == NULL
        || run->share == NULL || run->read == NULL || run->watch == NULL
        || run_open_queues(run, edition, error, size) != 0
        || many_reload(run) != 0)
    {
        goto failed;
    }

    if (settings->store) {
        run->recorder = run_recorder(run, settings, error, size);

        if (run->recorder == NULL) {
            goto failed;
        }
    }

    event_add(run->tick, &tv);

    return run;

failed:

    /* they stay the caller's */
    edition->settings = NULL;
    run_close(run);

    return NULL;
}


void
run_close(run_t *run)
{
    run_queue_t  *queue;
    run_group_t  *group;

    run->drained = NULL;

    links_close(run->links);

    while (run->queues) {
        queue = run->queues;
        run->queues = queue->next;
        run_queue_close(queue);
    }

    many_close(run);
    watch_close(run->watch);
    zones_close(run->zones);

    if (run->sender) {
        sender_close(run->sender);
    }

    if (run->recorder) {
        recorder_close(run->recorder);
    }

    if (run->tick) {
        event_free(run->tick);
    }

    if (run->share) {
        event_free(run->share);
    }

    if (run->read) {
        event_free(run->read);
    }

    while (run->groups) {
        group = run->groups;
        run->groups = group->next;
        free(group);
    }

    run_forget_pauses(run);
    free(run->pauses);
    run_edition_drop(run->edition);
    free(run);
}
