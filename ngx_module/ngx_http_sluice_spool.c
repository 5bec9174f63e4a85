/*
 * Batches to the disk.  Those of one turn, and of the turns in which a thread
 * writes the group before, become one group: one write, one fdatasync.
 */

#include "ngx_http_sluice_spool.h"


#if (NGX_THREADS)


/* ms after which a process that waits for its disk looks again */
#define NGX_HTTP_SLUICE_SPOOL_HOLD  60000

/* bytes of a buffer that is kept for the next group */
#define NGX_HTTP_SLUICE_SPOOL_KEPT  (1024 * 1024)


static size_t ngx_http_sluice_spool_record(ngx_http_sluice_batch_t *batch,
    u_char *dst, ngx_uint_t call);
static ngx_uint_t ngx_http_sluice_spool_room(ngx_http_sluice_spool_t *spool,
    size_t len);
static void ngx_http_sluice_spool_flush(ngx_event_t *ev);
static void ngx_http_sluice_spool_hold(ngx_event_t *ev);
static void ngx_http_sluice_spool_write(void *data, ngx_log_t *log);
static void ngx_http_sluice_spool_written(ngx_event_t *ev);
static void ngx_http_sluice_spool_settle(ngx_http_sluice_spool_t *spool);


ngx_http_sluice_spool_t *
ngx_http_sluice_spool_create(ngx_http_sluice_link_t *link)
{
    ngx_http_sluice_spool_t  *spool;

    spool = ngx_calloc(sizeof(ngx_http_sluice_spool_t), ngx_cycle->log);
    if (spool == NULL) {
        return NULL;
    }

    spool->link = link;
    spool->conf = link->main->spool;
    spool->ident = -1;

    ngx_queue_init(&spool->segments);
    ngx_queue_init(&spool->gathered);
    ngx_queue_init(&spool->writing);

    spool->flush.handler = ngx_http_sluice_spool_flush;
    spool->flush.data = spool;
    spool->flush.log = ngx_cycle->log;

    spool->hold.handler = ngx_http_sluice_spool_hold;
    spool->hold.data = spool;
    spool->hold.log = ngx_cycle->log;

    spool->task.ctx = spool;
    spool->task.handler = ngx_http_sluice_spool_write;
    spool->task.event.handler = ngx_http_sluice_spool_written;
    spool->task.event.data = spool;
    spool->task.event.log = ngx_cycle->log;

    ngx_http_sluice_replay_init(spool);

    ngx_queue_insert_tail(&link->spools, &spool->queue);
    link->nspools++;

    return spool;
}


void
ngx_http_sluice_spool_destroy(ngx_http_sluice_spool_t *spool)
{
    ngx_queue_t  *q;

    ngx_http_sluice_replay_destroy(spool);

    ngx_queue_remove(&spool->queue);
    spool->link->nspools--;

    while (!ngx_queue_empty(&spool->segments)) {
        q = ngx_queue_head(&spool->segments);
        ngx_queue_remove(q);
        ngx_http_sluice_segment_free(ngx_queue_data(q,
                                          ngx_http_sluice_segment_t, queue));
    }

    if (spool->segment) {
        ngx_http_sluice_segment_free(spool->segment);
    }

    if (spool->flush.posted) {
        ngx_delete_posted_event(&spool->flush);
    }

    if (spool->hold.timer_set) {
        ngx_del_timer(&spool->hold);
    }

    ngx_http_sluice_batch_drop(&spool->gathered);
    ngx_http_sluice_batch_drop(&spool->writing);

    ngx_free(spool->buf);
    ngx_free(spool->out);
    ngx_free(spool);
}


ngx_uint_t
ngx_http_sluice_spool_rests(const ngx_http_sluice_spool_t *spool)
{
    return spool->failed
           && ngx_current_msec - spool->since < NGX_HTTP_SLUICE_SPOOL_TICK;
}


ngx_int_t
ngx_http_sluice_spool_take(ngx_http_sluice_batch_t *batch, ngx_uint_t call)
{
    size_t                    len;
    ngx_http_sluice_spool_t  *spool;

    spool = batch->held ? batch->held : batch->link->spool;

    if (spool && spool == batch->link->spool && batch->link->first->cluster) {
        spool = ngx_http_sluice_held_slots(batch->link->first, batch->base,
                                           batch->len);
    }

    if (spool == NULL || ngx_http_sluice_batch_compact(batch) == 0
        || ngx_http_sluice_spool_rests(spool))
    {
        return NGX_DECLINED;
    }

    len = ngx_http_sluice_spool_record(batch, NULL, call);

    if (len == 0 || !ngx_http_sluice_spool_room(spool, len)) {
        return NGX_DECLINED;
    }

    (void) ngx_http_sluice_spool_record(batch, spool->buf + spool->len, call);

    /* the name of its connection is in the record */

    batch->link = spool->link;

    spool->len += len;
    spool->link->spooling += len;
    ngx_queue_insert_tail(&spool->gathered, &batch->queue);

    ngx_post_event(&spool->flush, &ngx_posted_events);

    if (!spool->hold.timer_set) {
        ngx_add_timer(&spool->hold, NGX_HTTP_SLUICE_SPOOL_HOLD);
    }

    return NGX_OK;
}


static size_t
ngx_http_sluice_spool_record(ngx_http_sluice_batch_t *batch, u_char *dst,
    ngx_uint_t call)
{
    ngx_uint_t              i;
    ngx_time_t             *tp;
    sluice_spool_record_t   record;
    sluice_spool_writer_t   writer;

    ngx_memzero(&record, sizeof(sluice_spool_record_t));

    tp = ngx_timeofday();

    record.time = (int64_t) tp->sec * 1000 + tp->msec;
    record.major = (unsigned) batch->major;
    record.njobs = (unsigned) batch->n;
    record.nargs = NGX_HTTP_SLUICE_ARGS;
    record.base = (char *) batch->base;
    record.base_len = batch->len;

    if (call) {
        record.call = batch->call;
        record.connection = batch->link->name;
        record.connection_len = sizeof(batch->link->name);
    }

    sluice_spool_begin(&writer, dst, &record);

    for (i = 0; i < batch->n; i++) {
        ngx_http_sluice_batch_job(NULL, &writer, batch->jobs[i]);
    }

    return sluice_spool_end(&writer);
}


/* What is held takes half of it: Redis may be away yet. */

ngx_uint_t
ngx_http_sluice_spool_fits(const ngx_http_sluice_spool_t *spool, size_t len)
{
    off_t  size;

    size = spool->conf->size;

    if (ngx_http_sluice_held_full(spool)) {
        size /= 2;
    }

    return ngx_http_sluice_spool_total(spool->link->main)
           + (off_t) (spool->link->spooling + len) <= size;
}


/* Room for a record in the group and on the disk: 1 or 0 */

static ngx_uint_t
ngx_http_sluice_spool_room(ngx_http_sluice_spool_t *spool, size_t len)
{
    size_t   most, size;
    u_char  *p;

    if (!ngx_http_sluice_spool_fits(spool, len)) {
        ngx_http_sluice_spool_complain(spool, NGX_ENOSPC, "", "is full");
        spool->full = ngx_current_msec;
        spool->refused = 1;
        return 0;
    }

    most = NGX_HTTP_SLUICE_SPOOL_BYTES;

    if (!ngx_http_sluice_held_full(spool)) {
        most += spool->link->server->connections * NGX_HTTP_SLUICE_BYTES;
    }

    if (spool->link->spooling + len > most) {
        ngx_http_sluice_spool_complain(spool, NGX_EAGAIN, "",
                                       "waits for its disk");
        return 0;
    }

    if (spool->size - spool->len >= len) {
        return 1;
    }

    size = ngx_max(2 * spool->size, NGX_HTTP_SLUICE_SPOOL_KEPT / 16);
    size = ngx_max(size, spool->len + len);

    p = ngx_alloc(size, ngx_cycle->log);
    if (p == NULL) {
        return 0;
    }

    if (spool->len) {
        ngx_memcpy(p, spool->buf, spool->len);
    }

    ngx_free(spool->buf);

    spool->buf = p;
    spool->size = size;

    return 1;
}


void
ngx_http_sluice_spool_ready(ngx_http_sluice_link_t *link)
{
    ngx_queue_t  *q;

    if (link->first->cluster) {
        link = link->first;
    }

    for (q = ngx_queue_head(&link->spools);
         q != ngx_queue_sentinel(&link->spools);
         q = ngx_queue_next(q))
    {
        ngx_http_sluice_replay_wake(ngx_queue_data(q, ngx_http_sluice_spool_t,
                                                   queue));
    }
}


ngx_uint_t
ngx_http_sluice_spool_usable(ngx_http_sluice_link_t *link)
{
    ngx_queue_t              *q;
    ngx_http_sluice_spool_t  *spool;

    for (q = ngx_queue_head(&link->spools);
         q != ngx_queue_sentinel(&link->spools);
         q = ngx_queue_next(q))
    {
        spool = ngx_queue_data(q, ngx_http_sluice_spool_t, queue);

        if (!ngx_http_sluice_held_full(spool)
            && (ngx_http_sluice_spool_rests(spool)
                || (spool->refused
                    && ngx_current_msec - spool->full
                       <= NGX_HTTP_SLUICE_AWAY)))
        {
            return 0;
        }
    }

    return link->spool != NULL;
}


static void
ngx_http_sluice_spool_flush(ngx_event_t *ev)
{
    ngx_http_sluice_spool_t *spool = ev->data;

    u_char                   *p;
    size_t                    size;
    ngx_queue_t              *q;
    ngx_http_sluice_batch_t  *batch;

    if (spool->busy || (spool->len == 0 && !spool->sync)) {
        return;
    }

    if (spool->segment == NULL) {
        spool->segment = ngx_http_sluice_segment_new(spool);
    }

    /* the two buffers take turns */

    p = spool->out;
    size = spool->out_size;
    spool->out = spool->buf;
    spool->out_len = spool->len;
    spool->out_size = spool->size;
    spool->buf = p;
    spool->len = 0;
    spool->size = size;

    spool->jobs = 0;

    while (!ngx_queue_empty(&spool->gathered)) {
        q = ngx_queue_head(&spool->gathered);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&spool->writing, q);

        batch = ngx_queue_data(q, ngx_http_sluice_batch_t, queue);
        spool->jobs += batch->n;
    }

    if (!spool->conf->interval
        || ngx_current_msec - spool->synced >= NGX_HTTP_SLUICE_SPOOL_TICK
        || spool->bytes + (off_t) spool->out_len >= spool->conf->segment)
    {
        spool->sync = 1;
        spool->synced = ngx_current_msec;
    }

    spool->busy = 1;
    spool->err = NGX_ENOMEM;

    if (spool->segment == NULL
        || ngx_thread_task_post(spool->conf->pool, &spool->task) != NGX_OK)
    {
        ngx_http_sluice_spool_settle(spool);
        ngx_http_sluice_batch_answer(spool->link);
    }
}


/* In a thread: touches the group and the segment, and nothing else. */

static void
ngx_http_sluice_spool_write(void *data, ngx_log_t *log)
{
    ngx_http_sluice_spool_t *spool = data;

    spool->err = ngx_http_sluice_segment_append(spool->conf, spool->segment,
                                                spool->out, spool->out_len,
                                                spool->sync);
}


static void
ngx_http_sluice_spool_written(ngx_event_t *ev)
{
    ngx_http_sluice_spool_t *spool = ev->data;

    ngx_http_sluice_spool_settle(spool);
    ngx_http_sluice_batch_answer(spool->link);
}


/* The group is on the disk, or it is not. */

static void
ngx_http_sluice_spool_settle(ngx_http_sluice_spool_t *spool)
{
    ngx_queue_t                *q;
    ngx_http_sluice_job_e       job;
    ngx_http_sluice_slot_t     *slot;
    ngx_http_sluice_segment_t  *segment;

    segment = spool->segment;
    slot = spool->link->main->process->slot;
    job = NGX_HTTP_SLUICE_JOB_SPOOLED;

    if (spool->err) {
        job = NGX_HTTP_SLUICE_JOB_FULL;
        slot->spool.errors++;
        spool->since = ngx_current_msec;
        ngx_http_sluice_spool_complain(spool, spool->err,
                                       segment ? segment->name : "",
                                       "could not be written");

    } else {
        slot->spool.written += spool->jobs;
    }

    spool->failed = (spool->err != 0);
    spool->busy = 0;
    spool->sync = 0;
    spool->link->spooling -= spool->out_len;
    spool->out_len = 0;

    if (spool->out_size > NGX_HTTP_SLUICE_SPOOL_KEPT) {
        ngx_free(spool->out);
        spool->out = NULL;
        spool->out_size = 0;
    }

    while (!ngx_queue_empty(&spool->writing)) {
        q = ngx_queue_head(&spool->writing);
        ngx_queue_remove(q);
        ngx_http_sluice_batch_done(ngx_queue_data(q, ngx_http_sluice_batch_t,
                                                  queue), job);
    }

    spool->bytes = 0;

    if (segment && segment->fd == NGX_INVALID_FILE) {
        ngx_http_sluice_segment_free(segment);
        spool->segment = NULL;

    } else if (segment) {
        spool->bytes = segment->file.size;

        if (segment->file.broken || spool->bytes >= spool->conf->segment) {
            ngx_http_sluice_spool_close(spool);
        }
    }

    ngx_http_sluice_spool_count(spool->link->main);

    if (spool->len) {
        ngx_post_event(&spool->flush, &ngx_posted_events);

    } else if (spool->hold.timer_set) {
        ngx_del_timer(&spool->hold);
    }

    ngx_http_sluice_replay_wake(spool);
}


void
ngx_http_sluice_spool_close(ngx_http_sluice_spool_t *spool)
{
    if (spool->segment && !spool->busy) {
        ngx_http_sluice_segment_insert(&spool->segments, spool->segment);
        spool->segment = NULL;
        spool->bytes = 0;
    }
}


static void
ngx_http_sluice_spool_hold(ngx_event_t *ev)
{
    ngx_add_timer(ev, NGX_HTTP_SLUICE_SPOOL_HOLD);
}


void
ngx_http_sluice_spool_complain(ngx_http_sluice_spool_t *spool, ngx_err_t err,
    const char *name, const char *what)
{
    spool->link->main->process->slot->spool.error = err;

    if (spool->complaint
        && (ngx_msec_int_t) (ngx_current_msec - spool->complained) < 1000)
    {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, err, "sluice_spool \"%V%s\" %s",
                  &spool->conf->dir, name, what);

    spool->complaint = 1;
    spool->complained = ngx_current_msec;
}


#endif
