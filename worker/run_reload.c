/*
 * Other settings while the work goes on: jobs that are here end under those
 * with which they began.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/fault.h"
#include "worker/run_parts.h"


static bool
run_same_server(const sluice_url_t *a, const sluice_url_t *b)
{
    return strcmp(a->path, b->path) == 0 && strcmp(a->host, b->host) == 0
           && a->port == b->port && a->db == b->db
           && a->tls == b->tls && strcmp(a->user, b->user) == 0
           && strcmp(a->password, b->password) == 0;
}


static bool
run_same_url(const sluice_url_nodes_t *a, const sluice_url_nodes_t *b)
{
    size_t  i;

    if (a->kind != b->kind || a->nnodes != b->nnodes
        || strcmp(a->name, b->name) != 0
        || !run_same_server(&a->url, &b->url)
        || !run_same_server(&a->sentinel, &b->sentinel))
    {
        return false;
    }

    for (i = 0; i < a->nnodes; i++) {
        if (!sluice_node_is(&a->nodes[i], &b->nodes[i])) {
            return false;
        }
    }

    return true;
}


static bool
run_same_text(const char *a, const char *b)
{
    return (a && b) ? strcmp(a, b) == 0 : a == b;
}


/* which streams the recorder reads, and where to */

static bool
run_same_records(const settings_t *a, const settings_t *b)
{
    size_t  i, j;

    if (!run_same_text(a->store, b->store)) {
        return false;
    }

    for (i = 0; i < b->nqueues; i++) {
        for (j = 0; j < a->nqueues; j++) {
            if (strcmp(a->queues[j].prefix, b->queues[i].prefix) == 0) {
                break;
            }
        }

        if (j == a->nqueues) {
            return false;
        }
    }

    return true;
}


/* what is no longer in the settings finishes its jobs and goes */

static void
run_change_queues(run_t *run, edition_t *edition)
{
    size_t                   i;
    run_queue_t             *queue;
    const queue_settings_t  *conf;

    for (queue = run->queues; queue; queue = queue->next) {
        queue->leaving = true;
    }

    for (i = 0; i < edition->settings->nqueues; i++) {
        conf = &edition->settings->queues[i];
        queue = run_queue_find(run, conf);

        queue->leaving = false;

        run_edition_drop(queue->edition);
        queue->edition = run_edition_hold(edition);
        queue->conf = conf;

        (void) lane_reload(queue->lane, conf,
                           run_group(run, edition->settings, conf->tenant));
    }

    for (queue = run->queues; queue; queue = queue->next) {
        if (queue->known) {
            many_change(run, queue);
        }

        lane_stop(queue->lane, queue->leaving || run->paused || run->draining);
    }
}


int
run_reload(run_t *run, settings_t *settings, char *error, size_t size)
{
    bool         same;
    edition_t   *edition, *old;
    recorder_t  *recorder;

    if (!run_same_url(&run->edition->settings->redis, &settings->redis)) {
        snprintf(error, size, "redis cannot be changed by a reload: restart");
        return -1;
    }

    edition = calloc(1, sizeof(edition_t));

    if (edition == NULL) {
        snprintf(error, size, "out of memory");
        return -1;
    }

    edition->settings = settings;
    edition->refs = 1;

    same = run_same_records(run->edition->settings, settings);
    recorder = run->recorder;

    if (!same && settings->store) {
        recorder = run_recorder(run, settings, error, size);

        if (recorder == NULL) {
            free(edition);
            return -1;
        }

    } else if (!same) {
        recorder = NULL;
    }

    if (run_open_queues(run, edition, error, size) != 0) {
        if (recorder != run->recorder && recorder) {
            recorder_close(recorder);
        }

        free(edition);
        return -1;
    }

    fault_point("reload", NULL);

    if (recorder != run->recorder && run->recorder) {
        recorder_close(run->recorder);
    }

    run->recorder = recorder;
    old = run->edition;
    run->edition = edition;
    run->fair.cap = settings->concurrency;
    run_change_queues(run, edition);

    if (many_reload(run) != 0) {
        log_event(LOG_ERROR_, "queues_not_found", "reason", "%s",
                  "out of memory: tenants \"*\" have to wait for a reload",
                  NULL);
    }

    /* what they were for may be mended: a token, a rate */
    run_forget_pauses(run);
    sender_limit(run->sender, settings->connections);

    run_edition_drop(old);

    fault_point("reloaded", NULL);

    return 0;
}
