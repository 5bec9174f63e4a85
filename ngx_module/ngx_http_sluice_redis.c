/*
 * core/redis.h on NGINX's events: a connection, made at first use, made again
 * after a pause, drained before the process exits.
 *
 * Replies come in order, so one timer on the oldest command is the deadline of
 * all.  It is not cancelable while a command waits: a process that quits stays
 * for the answers.  Nothing else of a link holds a process back.
 */

#include "ngx_http_sluice_spool.h"


#define NGX_HTTP_SLUICE_READ  16384

/* ms after which a connection that was lost had been a good one */
#define NGX_HTTP_SLUICE_SOUND  1000


static ngx_err_t ngx_http_sluice_redis_socket_error(ngx_connection_t *c);
static void ngx_http_sluice_redis_unasked(ngx_http_sluice_link_t *link,
    const char *why);


ngx_uint_t
ngx_http_sluice_redis_wake(ngx_http_sluice_link_t *link)
{
    if (link->state >= NGX_HTTP_SLUICE_LINK_RESOLVING) {
        return 1;
    }

    if (link->cluster) {
        return ngx_http_sluice_cluster_wake(link);
    }

    if (link->state == NGX_HTTP_SLUICE_LINK_DOWN
        && (ngx_msec_int_t) (link->next - ngx_current_msec) > 0)
    {
        return 0;
    }

    ngx_http_sluice_connect(link);

    return link->state >= NGX_HTTP_SLUICE_LINK_RESOLVING;
}


static ngx_err_t
ngx_http_sluice_redis_socket_error(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    return err;
}


/* The turn is over: its batches go out in one write. */

void
ngx_http_sluice_redis_flush(ngx_event_t *ev)
{
    ngx_http_sluice_link_t *link = ev->data;

    /* the connection may have been lost since the jobs came */

    if (!ngx_queue_empty(&link->open)) {
        (void) ngx_http_sluice_redis_wake(link);
    }

    ngx_http_sluice_batch_flush(link);

    if (link->connection == NULL || ngx_http_sluice_redis_send(link)) {
        ngx_http_sluice_redis_settle(link);
    }

    ngx_http_sluice_batch_answer(link);
}


void
ngx_http_sluice_redis_read(ngx_event_t *rev)
{
    u_char                   buf[NGX_HTTP_SLUICE_READ];
    ssize_t                  n;
    ngx_connection_t        *c;
    sluice_redis_result_e    result;
    ngx_http_sluice_link_t  *link;

    c = rev->data;
    link = c->data;

    if (c->close) {

        /*
         * The process quits, or worker_shutdown_timeout is over (c->error).
         * What waits is still answered in the first case.
         */

        c->close = 0;

        if (c->error) {
            ngx_http_sluice_redis_lost(link, "the process is shutting down");
            ngx_http_sluice_batch_answer(link);
            return;
        }

        ngx_http_sluice_redis_settle(link);
        return;
    }

    if (link->state == NGX_HTTP_SLUICE_LINK_CONNECTING) {
        ngx_http_sluice_redis_write(c->write);

        if (link->connection != c
            || link->state <= NGX_HTTP_SLUICE_LINK_HANDSHAKE)
        {
            return;
        }
    }

    do {
        n = c->recv(c, buf, NGX_HTTP_SLUICE_READ);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR || n == 0) {
            ngx_http_sluice_redis_lost(link, n ? "reading failed"
                                               : "closed by Redis");
            ngx_http_sluice_batch_answer(link);
            return;
        }

        result = sluice_redis_feed(link->client, buf, n);

        if (result != SLUICE_REDIS_OK) {
            ngx_http_sluice_redis_lost(link, sluice_redis_error(link->client));
            ngx_http_sluice_batch_answer(link);
            return;
        }

    } while (rev->ready);

    if (link->state == NGX_HTTP_SLUICE_LINK_GREETING
        && sluice_redis_state(link->client) == SLUICE_REDIS_READY)
    {
        ngx_http_sluice_greeted(link);
    }

    if (link->demoted) {

        /* the name, or what is behind the address, may be another by now */

        ngx_http_sluice_redis_lost(link, "it became a replica");
        ngx_http_sluice_batch_answer(link);
        return;
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_http_sluice_redis_lost(link, "no event for reading");
        ngx_http_sluice_batch_answer(link);
        return;
    }

    if (ngx_http_sluice_redis_send(link)) {
        ngx_http_sluice_redis_settle(link);
    }

    ngx_http_sluice_batch_answer(link);
}


void
ngx_http_sluice_redis_write(ngx_event_t *wev)
{
    ngx_err_t                err;
    ngx_connection_t        *c;
    ngx_http_sluice_link_t  *link;

    c = wev->data;
    link = c->data;

    if (link->state == NGX_HTTP_SLUICE_LINK_CONNECTING) {

        err = ngx_http_sluice_redis_socket_error(c);

        if (err) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, err,
                          "connect() to %V failed", &link->host->shown);
            ngx_http_sluice_redis_lost(link, "no connection");
            ngx_http_sluice_batch_answer(link);
            return;
        }

        if (!wev->ready) {
            return;
        }

        ngx_http_sluice_connected(link);
    }

    if (link->connection && ngx_http_sluice_redis_send(link)) {
        ngx_http_sluice_redis_settle(link);
    }

    ngx_http_sluice_batch_answer(link);
}


/* 1, or 0 when the connection was lost */

ngx_uint_t
ngx_http_sluice_redis_send(ngx_http_sluice_link_t *link)
{
    size_t             len;
    ssize_t            n;
    const void        *p;
    ngx_connection_t  *c;

    c = link->connection;

    if (link->state < NGX_HTTP_SLUICE_LINK_GREETING) {
        return 1;
    }

    for ( ;; ) {
        p = sluice_redis_output(link->client, &len);

        if (len == 0 || !c->write->ready) {
            break;
        }

        n = c->send(c, (u_char *) p, len);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR) {
            ngx_http_sluice_redis_lost(link, "writing failed");
            return 0;
        }

        sluice_redis_sent(link->client, n);
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_http_sluice_redis_lost(link, "no event for writing");
        return 0;
    }

    return 1;
}


/*
 * After all that changes what waits: the deadline, the readiness to be closed
 * as idle, and the closing when the process quits.
 */

void
ngx_http_sluice_redis_settle(ngx_http_sluice_link_t *link)
{
    size_t             pending;
    ngx_uint_t         busy;
    ngx_connection_t  *c;

    c = link->connection;
    pending = sluice_redis_pending(link->client);
    busy = pending || !ngx_queue_empty(&link->open);

    link->main->process->slot->links[link->server->index].pending =
                                           ngx_http_sluice_redis_pending(link);

    if (c) {
        c->idle = !busy;
    }

    /* one that is being made is wanted by a request that is not here yet */

    if (!busy && ngx_exiting && link->state == NGX_HTTP_SLUICE_LINK_READY
        && !(link->first->cluster && link->first->cluster->nlater))
    {
        ngx_http_sluice_redis_close(link);
        ngx_http_sluice_redis_state(link, NGX_HTTP_SLUICE_LINK_UNUSED);
        return;
    }

    link->deadline.cancelable = !busy;

    if (!busy && link->state == NGX_HTTP_SLUICE_LINK_READY) {

        if (link->deadline.timer_set) {
            ngx_del_timer(&link->deadline);
        }

        return;
    }

    if (!link->deadline.timer_set
        && link->state >= NGX_HTTP_SLUICE_LINK_RESOLVING)
    {
        ngx_add_timer(&link->deadline, link->timeout);
    }
}


void
ngx_http_sluice_redis_deadline(ngx_event_t *ev)
{
    ngx_http_sluice_link_t *link = ev->data;

    int64_t         oldest;
    ngx_msec_int_t  left;

    oldest = sluice_redis_oldest(link->client);

    if (link->state >= NGX_HTTP_SLUICE_LINK_RESOLVING
        && link->state <= NGX_HTTP_SLUICE_LINK_HANDSHAKE)
    {
        oldest = link->since;
    }

    if (oldest == -1) {
        ngx_http_sluice_redis_settle(link);
        return;
    }

    left = (ngx_msec_int_t) ((ngx_msec_t) oldest + link->timeout
                             - ngx_current_msec);

    if (left > 0) {
        ngx_add_timer(&link->deadline, left);
        return;
    }

    if (link->connection) {
        link->connection->timedout = 1;
    }

    ngx_http_sluice_redis_lost(link, "timed out");
    ngx_http_sluice_batch_answer(link);
}


void
ngx_http_sluice_redis_reconnect(ngx_event_t *ev)
{
    ngx_http_sluice_link_t *link = ev->data;

    if (ngx_exiting || link->state != NGX_HTTP_SLUICE_LINK_DOWN) {
        return;
    }

    ngx_http_sluice_connect(link);
    ngx_http_sluice_batch_answer(link);
}


/*
 * All that waits is answered as lost.  The caller calls
 * ngx_http_sluice_batch_answer() when it is done with the link.
 *
 * Redis' own "timeout", a proxy or an administrator closes a good connection
 * while Redis is there: the next one is made at once, without a pause in which
 * events are refused.
 */

void
ngx_http_sluice_redis_lost(ngx_http_sluice_link_t *link, const char *why)
{
    size_t      pending;
    int64_t     pause;
    ngx_uint_t  level, sound;

    if (link->asks) {
        ngx_http_sluice_redis_unasked(link, why);
        return;
    }

    pending = sluice_redis_pending(link->client);

    sound = link->state == NGX_HTTP_SLUICE_LINK_READY
            && !link->connection->timedout
            && ngx_current_msec - link->since >= NGX_HTTP_SLUICE_SOUND;

    level = (sound && pending == 0) ? NGX_LOG_NOTICE : NGX_LOG_ERR;

    ngx_log_error(level, ngx_cycle->log, 0,
                  "sluice_redis \"%V\" at %V is away: %s, %uz commands lost",
                  &link->server->name, &link->host->shown, why, pending);

    link->main->process->slot->links[link->server->index].losses++;

    ngx_http_sluice_redis_close(link);
    ngx_http_sluice_redis_state(link, NGX_HTTP_SLUICE_LINK_DOWN);

    if (link->asker) {
        ngx_http_sluice_ask_end(link, "timed out");
    }

    sluice_redis_lost(link->client);

    link->main->process->slot->links[link->server->index].pending =
                                           ngx_http_sluice_redis_pending(link);

    pause = 0;

    if (!sound) {
        link->failures++;
        pause = sluice_retry_reconnect(link->failures,
                                   (double) (ngx_random() & 0xffff) / 0x10000);
    }

    if (link->sentinel) {
        sluice_sentinel_lost(link->sentinel, (int64_t) ngx_current_msec);

        /* it has pauses of its own, shorter ones: it is asked who took over */

        pause = link->sentinel->pausing
                ? link->sentinel->next - (int64_t) ngx_current_msec : 0;
        pause = ngx_max(pause, 0);
    }

    if (link->first->cluster) {
        ngx_http_sluice_cluster_lost(link);
    }

    link->next = ngx_current_msec + pause;

    if (!ngx_exiting) {
        ngx_add_timer(&link->reconnect, (ngx_msec_t) pause);
    }
}


/* An asker's: its question is answered by that. */

static void
ngx_http_sluice_redis_unasked(ngx_http_sluice_link_t *link, const char *why)
{
    ngx_uint_t  level;

    /* a sentinel is needed to find the master, not to keep it */

    level = (link == link->first->watcher) ? NGX_LOG_INFO : NGX_LOG_ERR;

    if (sluice_redis_pending(link->client)) {
        ngx_log_error(level, ngx_cycle->log, 0,
                      "sluice_redis \"%V\" asked %V in vain: %s",
                      &link->server->name, &link->host->shown, why);
    }

    ngx_http_sluice_redis_close(link);
    ngx_http_sluice_redis_state(link, NGX_HTTP_SLUICE_LINK_DOWN);

    sluice_redis_lost(link->client);
}


void
ngx_http_sluice_redis_close(ngx_http_sluice_link_t *link)
{
    if (link->deadline.timer_set) {
        ngx_del_timer(&link->deadline);
    }

    if (link->resolving) {
        ngx_resolve_name_done(link->resolving);
        link->resolving = NULL;
    }

    if (link->connection) {
#if (NGX_SSL)
        ngx_http_sluice_tls_close(link->connection);
#else
        ngx_close_connection(link->connection);
#endif
        link->connection = NULL;
    }
}
