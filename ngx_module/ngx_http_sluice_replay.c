/*
 * The replay of a spool: the oldest file is read, its calls are made one at a
 * time, beside live events, and it is removed when all were run.  What touches
 * the file is done by a thread, what is next by core/spool_replay.h.
 */

#include "ngx_http_sluice_spool.h"


#if (NGX_THREADS)


#define NGX_HTTP_SLUICE_REPLAY_READ_SIZE  (256 * 1024)


static void ngx_http_sluice_replay_step(ngx_event_t *ev);
static void ngx_http_sluice_replay_begin(ngx_http_sluice_replay_t *replay);
static ngx_uint_t ngx_http_sluice_replay_open(ngx_http_sluice_spool_t *spool);
static void ngx_http_sluice_replay_next(ngx_http_sluice_spool_t *spool);
static void ngx_http_sluice_replay_post(ngx_http_sluice_spool_t *spool,
    ngx_http_sluice_replay_e op, size_t want);
static void ngx_http_sluice_replay_thread(void *data, ngx_log_t *log);
static ngx_err_t ngx_http_sluice_replay_read(
    ngx_http_sluice_replay_t *replay);
static void ngx_http_sluice_replay_done(ngx_event_t *ev);
static void ngx_http_sluice_replay_close(ngx_http_sluice_spool_t *spool);


void
ngx_http_sluice_replay_init(ngx_http_sluice_spool_t *spool)
{
    ngx_http_sluice_replay_t  *replay;

    replay = &spool->replay;

    replay->step.handler = ngx_http_sluice_replay_step;
    replay->step.data = spool;
    replay->step.log = ngx_cycle->log;
    replay->step.cancelable = 1;

    replay->task.ctx = spool;
    replay->task.handler = ngx_http_sluice_replay_thread;
    replay->task.event.handler = ngx_http_sluice_replay_done;
    replay->task.event.data = spool;
    replay->task.event.log = ngx_cycle->log;
}


void
ngx_http_sluice_replay_destroy(ngx_http_sluice_spool_t *spool)
{
    ngx_http_sluice_replay_t  *replay;

    replay = &spool->replay;

    if (spool->link->replaying == spool) {
        ngx_http_sluice_replay_pass(spool);
    }

    if (replay->step.timer_set) {
        ngx_del_timer(&replay->step);
    }

    if (replay->step.posted) {
        ngx_delete_posted_event(&replay->step);
    }

    ngx_free(replay->buf);
}


/* Never at once: the caller may be inside the client. */

void
ngx_http_sluice_replay_wake(ngx_http_sluice_spool_t *spool)
{
    ngx_http_sluice_replay_t  *replay;

    replay = &spool->replay;

    if (replay->busy || replay->calling || replay->step.timer_set
        || ngx_exiting
        || (spool->bytes == 0 && ngx_queue_empty(&spool->segments)))
    {
        return;
    }

    ngx_post_event(&replay->step, &ngx_posted_events);
}


/* In a cluster what is refused is one node's state, or one slot's. */

void
ngx_http_sluice_replay_later(ngx_http_sluice_spool_t *spool, ngx_msec_t pause)
{
    if (spool->link->cluster && spool->link->replaying == spool) {
        ngx_http_sluice_replay_pass(spool);
    }

    if (!spool->replay.step.timer_set) {
        ngx_add_timer(&spool->replay.step, pause);
    }
}


void
ngx_http_sluice_replay_aside(ngx_http_sluice_spool_t *spool, size_t len)
{
    ngx_http_sluice_replay_post(spool, NGX_HTTP_SLUICE_REPLAY_ASIDE, len);
}


void
ngx_http_sluice_replay_remove(ngx_http_sluice_spool_t *spool)
{
    ngx_http_sluice_replay_post(spool, NGX_HTTP_SLUICE_REPLAY_REMOVE, 0);
}


static void
ngx_http_sluice_replay_step(ngx_event_t *ev)
{
    ngx_http_sluice_spool_t *spool = ev->data;

    ngx_http_sluice_link_t  *link;

    link = spool->link;

    if (spool->replay.busy || spool->replay.calling || ngx_exiting) {
        return;
    }

    if (link->cluster == NULL && link->state != NGX_HTTP_SLUICE_LINK_READY) {

        /* the link wakes the replay when it is */

        (void) ngx_http_sluice_redis_wake(link);
        ngx_http_sluice_batch_answer(link);
        return;
    }

    /* what another connection was told of may be on no replica: once more */

    if (link->cluster == NULL
        && ngx_http_sluice_connect_anew(link, spool->replay.connection)
        && link->server->client.replicas)
    {
        ngx_http_sluice_replay_begin(&spool->replay);
    }

    if (link->replaying == spool && !spool->replay.given) {
        ngx_http_sluice_replay_pass(spool);
    }

    spool->replay.given = 0;
    spool->replay.waiting = 0;

    if (ngx_http_sluice_held_room(spool) == 0) {
        ngx_http_sluice_replay_later(spool, NGX_HTTP_SLUICE_REPLAY_FULL);

    } else if (ngx_http_sluice_replay_open(spool)) {
        ngx_http_sluice_replay_next(spool);
    }

    if (link->replaying == spool && !spool->replay.calling) {
        ngx_http_sluice_replay_pass(spool);
    }
}


/*
 * The spools of a link make one call at a time, and take turns: a turn ends
 * with the pause after the call, or when there is no call to be made.
 */

void
ngx_http_sluice_replay_pass(ngx_http_sluice_spool_t *spool)
{
    ngx_queue_t              *q;
    ngx_http_sluice_link_t   *link;
    ngx_http_sluice_spool_t  *next;

    link = spool->link;
    link->replaying = NULL;

    for (q = ngx_queue_next(&spool->queue);
         q != &spool->queue;
         q = ngx_queue_next(q))
    {
        if (q == ngx_queue_sentinel(&link->spools)) {
            continue;
        }

        next = ngx_queue_data(q, ngx_http_sluice_spool_t, queue);

        if (next->replay.waiting) {
            next->replay.waiting = 0;
            next->replay.given = 1;
            link->replaying = next;
            ngx_post_event(&next->replay.step, &ngx_posted_events);
            return;
        }
    }
}


/* Of the file, from its first record on */

static void
ngx_http_sluice_replay_begin(ngx_http_sluice_replay_t *replay)
{
    replay->pos = 0;
    replay->len = 0;
    replay->offset = 0;
    ngx_memzero(&replay->state, sizeof(sluice_spool_replay_t));
}


/* The oldest file; the one that is written when there is no other: 1 or 0 */

static ngx_uint_t
ngx_http_sluice_replay_open(ngx_http_sluice_spool_t *spool)
{
    ngx_queue_t               *q;
    ngx_http_sluice_replay_t  *replay;

    replay = &spool->replay;

    if (replay->segment) {
        return 1;
    }

    if (ngx_queue_empty(&spool->segments)) {

        /* one that another process left is older than our own */

        ngx_http_sluice_segment_adopt(spool->link->main);

        if (spool->bytes) {
            ngx_http_sluice_spool_close(spool);
        }

        if (ngx_queue_empty(&spool->segments)) {
            return 0;
        }
    }

    q = ngx_queue_head(&spool->segments);

    replay->segment = ngx_queue_data(q, ngx_http_sluice_segment_t, queue);
    ngx_http_sluice_replay_begin(replay);

    return 1;
}


static void
ngx_http_sluice_replay_next(ngx_http_sluice_spool_t *spool)
{
    size_t                     have, size;
    int64_t                    since;
    ngx_uint_t                 end;
    ngx_time_t                *tp;
    ngx_http_sluice_replay_t  *replay;

    replay = &spool->replay;
    have = replay->len - replay->pos;
    end = replay->offset + (off_t) replay->len
          >= (off_t) replay->segment->file.size;

    if (replay->offset == 0 && replay->pos == 0) {

        if (!end && have < SLUICE_SPOOL_HEADER) {
            ngx_http_sluice_replay_post(spool, NGX_HTTP_SLUICE_REPLAY_READ,
                                        NGX_HTTP_SLUICE_REPLAY_READ_SIZE);
            return;
        }

        /* of a process that was killed while it made the file */

        if (have < SLUICE_SPOOL_HEADER) {
            ngx_http_sluice_replay_remove(spool);
            return;
        }

        if (!sluice_spool_header_read(&replay->state.segment, replay->buf,
                                      have))
        {
            ngx_http_sluice_replay_post(spool, NGX_HTTP_SLUICE_REPLAY_RENAME,
                                        0);
            return;
        }

        replay->pos = SLUICE_SPOOL_HEADER;
        have -= SLUICE_SPOOL_HEADER;
    }

    tp = ngx_timeofday();
    since = (int64_t) tp->sec * 1000 + tp->msec - spool->conf->age;

    replay->state.most = ngx_http_sluice_held_room(spool);

    switch (sluice_spool_replay_next(&replay->state,
                                     replay->buf + replay->pos, have, end,
                                     since, &size))
    {
    case SLUICE_SPOOL_GOOD:
        ngx_http_sluice_replay_call(spool);
        return;

    case SLUICE_SPOOL_MORE:
        ngx_http_sluice_replay_post(spool, NGX_HTTP_SLUICE_REPLAY_READ,
                                    ngx_max(size,
                                            NGX_HTTP_SLUICE_REPLAY_READ_SIZE));
        return;

    case SLUICE_SPOOL_BAD:
        ngx_http_sluice_replay_aside(spool, size);
        return;

    case SLUICE_SPOOL_TORN:
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "sluice_spool \"%s\" ends within a record: %uz bytes of "
                      "an event that was not answered", replay->segment->name,
                      size);
        /* fall through */

    case SLUICE_SPOOL_END:

        if (spool->link->server->client.replicas
            && spool->link->cluster == NULL)
        {
            replay->link = spool->link;
            ngx_http_sluice_replay_wait(spool);
            return;
        }

        ngx_http_sluice_replay_remove(spool);
    }
}


static void
ngx_http_sluice_replay_post(ngx_http_sluice_spool_t *spool,
    ngx_http_sluice_replay_e op, size_t want)
{
    u_char                    *p;
    size_t                     have;
    ngx_http_sluice_replay_t  *replay;

    replay = &spool->replay;
    replay->op = op;
    replay->want = want;

    if (op == NGX_HTTP_SLUICE_REPLAY_READ) {

        have = replay->len - replay->pos;

        if (replay->size < want) {
            p = ngx_alloc(want, ngx_cycle->log);
            if (p == NULL) {
                ngx_http_sluice_replay_later(spool,
                                             NGX_HTTP_SLUICE_REPLAY_PAUSE);
                return;
            }

            if (have) {
                ngx_memcpy(p, replay->buf + replay->pos, have);
            }

            ngx_free(replay->buf);
            replay->buf = p;
            replay->size = want;

        } else if (have) {
            ngx_memmove(replay->buf, replay->buf + replay->pos, have);
        }

        replay->offset += replay->pos;
        replay->pos = 0;
        replay->len = have;
    }

    if (ngx_thread_task_post(spool->conf->pool, &replay->task) != NGX_OK) {
        ngx_http_sluice_replay_later(spool, NGX_HTTP_SLUICE_REPLAY_PAUSE);
        return;
    }

    replay->busy = 1;
}


/* In a thread: the replay's members are its own until it is done. */

static void
ngx_http_sluice_replay_thread(void *data, ngx_log_t *log)
{
    ngx_http_sluice_spool_t *spool = data;

    ngx_http_sluice_replay_t  *replay;

    replay = &spool->replay;

    switch (replay->op) {

    case NGX_HTTP_SLUICE_REPLAY_READ:
        replay->err = ngx_http_sluice_replay_read(replay);
        break;

    case NGX_HTTP_SLUICE_REPLAY_ASIDE:
        replay->err = ngx_http_sluice_segment_aside(spool->conf,
                                                  replay->segment,
                                                  &replay->state.segment,
                                                  replay->buf + replay->pos,
                                                  replay->want);
        break;

    default:
        replay->err = ngx_http_sluice_segment_remove(spool->conf,
                                   replay->segment,
                                   replay->op
                                   == NGX_HTTP_SLUICE_REPLAY_RENAME);
    }
}


static ngx_err_t
ngx_http_sluice_replay_read(ngx_http_sluice_replay_t *replay)
{
    ssize_t  n;

    do {
        n = pread(replay->segment->fd, replay->buf + replay->len,
                  replay->size - replay->len,
                  replay->offset + (off_t) replay->len);
    } while (n == -1 && ngx_errno == NGX_EINTR);

    if (n == -1) {
        return ngx_errno;
    }

    replay->len += n;

    /* shorter than it was: somebody cut it */

    if (n == 0) {
        replay->segment->file.size = replay->offset + replay->len;
    }

    return 0;
}


static void
ngx_http_sluice_replay_done(ngx_event_t *ev)
{
    ngx_http_sluice_spool_t *spool = ev->data;

    ngx_http_sluice_slot_t    *slot;
    ngx_http_sluice_replay_t  *replay;

    replay = &spool->replay;
    slot = spool->link->main->process->slot;

    replay->busy = 0;

    if (replay->err) {
        slot->spool.errors++;
        ngx_http_sluice_spool_complain(spool, replay->err,
                                       replay->segment->name,
                                       "could not be replayed");
        ngx_http_sluice_replay_later(spool, NGX_HTTP_SLUICE_REPLAY_PAUSE);
        return;
    }

    switch (replay->op) {

    case NGX_HTTP_SLUICE_REPLAY_READ:
        break;

    case NGX_HTTP_SLUICE_REPLAY_ASIDE:
        replay->pos += replay->want;
        /* fall through */

    case NGX_HTTP_SLUICE_REPLAY_RENAME:
        slot->spool.bad++;

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "sluice_spool \"%s\": %uz bytes are bad, refused or "
                      "too old: they are set aside in its .bad",
                      replay->segment->name,
                      replay->op == NGX_HTTP_SLUICE_REPLAY_ASIDE
                      ? replay->want : (size_t) replay->segment->file.size);

        if (replay->op == NGX_HTTP_SLUICE_REPLAY_ASIDE) {
            break;
        }

        /* fall through */

    case NGX_HTTP_SLUICE_REPLAY_REMOVE:
        ngx_http_sluice_held_forget(spool, replay->segment);
        ngx_http_sluice_replay_close(spool);
    }

    ngx_http_sluice_replay_wake(spool);
}


void
ngx_http_sluice_replay_leave(ngx_http_sluice_spool_t *spool)
{
    ngx_http_sluice_replay_t  *replay;

    replay = &spool->replay;

    if (!spool->busy && spool->segment && !spool->segment->dirty) {
        ngx_http_sluice_spool_close(spool);
    }

    if (replay->busy || replay->calling) {
        return;
    }

    while (!ngx_queue_empty(&spool->segments)) {
        replay->segment = ngx_queue_data(ngx_queue_head(&spool->segments),
                                         ngx_http_sluice_segment_t, queue);

        ngx_http_sluice_replay_close(spool);
    }
}


static void
ngx_http_sluice_replay_close(ngx_http_sluice_spool_t *spool)
{
    ngx_http_sluice_replay_t  *replay;

    replay = &spool->replay;

    ngx_queue_remove(&replay->segment->queue);
    ngx_http_sluice_segment_free(replay->segment);
    replay->segment = NULL;

    ngx_free(replay->buf);
    replay->buf = NULL;
    replay->size = 0;

    ngx_http_sluice_spool_count(spool->link->main);
}


#endif
