/*
 * The path of a webhook: it is read, and done.  A long one takes many ms; those
 * wait in a line, and one is read in each turn of the loop, so that leases are
 * renewed and other queues served between them.
 */

#include <stdlib.h>
#include "worker/run_parts.h"


#define RUN_EVENTS_LONG  16384    /* bytes of a webhook */


static void
run_events_read(work_t *work)
{
    slot_t      *slot;
    const char  *error;

    slot = work->slot;
    error = events_read(&work->events, slot->job, work->conf->tenant);

    if (error) {
        run_dead(work, error);
        return;
    }

    if (work->edition->settings->store) {
        slot->result.records = work->events.records;
        slot->result.nrecords = work->events.nrecords;
    }

    log_event(LOG_DEBUG_, "event", "queue", "%s", lane_queue(slot->lane)->name,
              "job", "%s", slot->job->id,
              "messages", "%zu", work->events.nmessages,
              "statuses", "%zu", work->events.nrecords, NULL);

    run_complete(slot, run_events_value(work));
}


void
run_events(work_t *work)
{
    run_t  *run;

    run = work->queue->run;

    if (work->slot->job->data_len < RUN_EVENTS_LONG) {
        run_events_read(work);
        return;
    }

    if (run->events) {
        run->events_last->next = work;

    } else {
        run->events = work;
        clock_arm(run->read, 0);
    }

    run->events_last = work;
    work->in_line = true;
}


void
run_events_on_turn(evutil_socket_t fd, short what, void *data)
{
    run_t   *run = data;
    work_t  *work;

    work = run->events;

    if (work == NULL) {
        return;
    }

    run_events_drop(work);

    /* a timer, which lets the loop look at its connections first */

    if (run->events) {
        clock_arm(run->read, 0);
    }

    /* somebody else has the job by now */

    if (lane_lost(work->slot)) {
        run_give_back(work->queue, work->slot);
        return;
    }

    run_events_read(work);
}


void
run_events_drop(work_t *work)
{
    run_t   *run;
    work_t  *before, **at;

    if (!work->in_line) {
        return;
    }

    run = work->queue->run;
    before = NULL;

    for (at = &run->events; *at != work; at = &(*at)->next) {
        before = *at;
    }

    *at = work->next;

    if (run->events_last == work) {
        run->events_last = before;
    }

    work->next = NULL;
    work->in_line = false;
}
