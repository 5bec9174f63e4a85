/*
 * What the spools of a process hold, and what is looked after each second.
 */

#include "ngx_http_sluice_spool.h"


#if (NGX_THREADS)


static void ngx_http_sluice_spool_sum(const ngx_http_sluice_spool_t *spool,
    ngx_http_sluice_slot_spool_t *sum);
static void ngx_http_sluice_spool_tick(ngx_event_t *ev);
static void ngx_http_sluice_spool_look(ngx_http_sluice_spool_t *spool);


/* Bytes of all processes: each shows those of the files that it holds. */

off_t
ngx_http_sluice_spool_total(ngx_http_sluice_main_conf_t *mcf)
{
    off_t                    total;
    ngx_uint_t               i;
    ngx_http_sluice_slot_t  *slots;

    slots = ngx_http_sluice_status_slots(mcf->status);

    for (total = 0, i = 0; i < NGX_HTTP_SLUICE_SLOTS; i++) {
        total += slots[i].spool.bytes;
    }

    if (mcf->process->slot == &mcf->process->unshared) {
        total += mcf->process->slot->spool.bytes;
    }

    return total;
}


void
ngx_http_sluice_spool_count(ngx_http_sluice_main_conf_t *mcf)
{
    ngx_uint_t                     i;
    ngx_queue_t                   *q;
    ngx_http_sluice_link_t        *link;
    ngx_http_sluice_slot_spool_t  *shown, sum;

    ngx_memzero(&sum, sizeof(ngx_http_sluice_slot_spool_t));

    for (i = 0; i < mcf->servers.nelts; i++) {

        link = mcf->process->links[i];
        if (link == NULL) {
            continue;
        }

        for (q = ngx_queue_head(&link->spools);
             q != ngx_queue_sentinel(&link->spools);
             q = ngx_queue_next(q))
        {
            ngx_http_sluice_spool_sum(ngx_queue_data(q,
                                                     ngx_http_sluice_spool_t,
                                                     queue),
                                      &sum);
        }
    }

    shown = &mcf->process->slot->spool;
    shown->bytes = sum.bytes;
    shown->segments = sum.segments;
    shown->oldest = sum.oldest;
}


static void
ngx_http_sluice_spool_sum(const ngx_http_sluice_spool_t *spool,
    ngx_http_sluice_slot_spool_t *sum)
{
    int64_t                     time;
    ngx_queue_t                *q;
    ngx_http_sluice_segment_t  *segment;

    time = 0;

    for (q = ngx_queue_head(&spool->segments);
         q != ngx_queue_sentinel(&spool->segments);
         q = ngx_queue_next(q))
    {
        segment = ngx_queue_data(q, ngx_http_sluice_segment_t, queue);

        if (time == 0) {
            time = ngx_http_sluice_segment_time(segment);
        }

        sum->bytes += segment->file.size;
        sum->segments++;
    }

    if (spool->bytes) {

        if (time == 0) {
            time = ngx_http_sluice_segment_time(spool->segment);
        }

        sum->bytes += spool->bytes;
        sum->segments++;
    }

    if (time && (sum->oldest == 0 || (ngx_atomic_uint_t) time < sum->oldest)) {
        sum->oldest = time;
    }
}


/*
 * Each second: files that nobody holds, what was not synced, and the replay.  A
 * process that a slow client keeps from quitting leaves its files to others.
 */

static void
ngx_http_sluice_spool_tick(ngx_event_t *ev)
{
    ngx_uint_t                    i;
    ngx_queue_t                  *next, *q;
    ngx_http_sluice_link_t       *link;
    ngx_http_sluice_main_conf_t  *mcf;

    mcf = ((ngx_http_sluice_link_t *) ev->data)->main;

    ngx_add_timer(ev, NGX_HTTP_SLUICE_SPOOL_TICK);

    if (!ngx_exiting) {
        ngx_http_sluice_segment_adopt(mcf);
    }

    for (i = 0; i < mcf->servers.nelts; i++) {

        link = mcf->process->links[i];
        if (link == NULL) {
            continue;
        }

        for (q = ngx_queue_head(&link->spools);
             q != ngx_queue_sentinel(&link->spools);
             q = next)
        {
            next = ngx_queue_next(q);

            ngx_http_sluice_spool_look(ngx_queue_data(q,
                                                      ngx_http_sluice_spool_t,
                                                      queue));
        }
    }
}


/* It may be gone afterwards. */

static void
ngx_http_sluice_spool_look(ngx_http_sluice_spool_t *spool)
{
    if (!spool->busy && spool->segment && spool->segment->dirty) {
        spool->sync = 1;
        ngx_post_event(&spool->flush, &ngx_posted_events);
    }

    if (ngx_exiting) {
        ngx_http_sluice_replay_leave(spool);
        return;
    }

    ngx_http_sluice_replay_wake(spool);
    ngx_http_sluice_held_tick(spool);
}


void
ngx_http_sluice_spool_start(ngx_http_sluice_main_conf_t *mcf)
{
    ngx_event_t             *tick;
    ngx_http_sluice_link_t  *link;

    if (mcf->spool == NULL) {
        return;
    }

    tick = &mcf->process->tick;
    link = ngx_calloc(sizeof(ngx_http_sluice_link_t), ngx_cycle->log);

    if (link == NULL) {
        return;
    }

    /* no link, but what debug logs look into has its form */

    link->ident = -1;
    link->main = mcf;

    tick->handler = ngx_http_sluice_spool_tick;
    tick->data = link;
    tick->log = ngx_cycle->log;
    tick->cancelable = 1;

    ngx_add_timer(tick, 1);
}


void
ngx_http_sluice_spool_stop(ngx_http_sluice_main_conf_t *mcf)
{
    ngx_event_t  *tick;

    tick = &mcf->process->tick;

    if (tick->timer_set) {
        ngx_del_timer(tick);
    }

    ngx_free(tick->data);
    tick->data = NULL;
}


#endif
