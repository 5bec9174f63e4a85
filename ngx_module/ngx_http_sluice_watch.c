/*
 * The master may have been replaced while its connection is there: a failover
 * that somebody asks for ends the clients of the old one seconds after the new
 * one was promoted, and what they write meanwhile is lost.  So each process
 * asks a sentinel twice a second, over one connection that stays.
 */

#include "ngx_http_sluice_link.h"


#define NGX_HTTP_SLUICE_LOOK  500    /* ms between two questions */


static void ngx_http_sluice_watch_look(ngx_event_t *ev);
static ngx_http_sluice_link_t *ngx_http_sluice_watch_held(
    ngx_http_sluice_link_t *first);
static void ngx_http_sluice_watch_told(void *data, const redisReply *reply);
static void ngx_http_sluice_watch_leave(ngx_http_sluice_link_t *first);


void
ngx_http_sluice_watch(ngx_http_sluice_link_t *link)
{
    ngx_http_sluice_link_t  *first;

    first = link->first;

    if (first->look.handler == NULL) {
        first->look.handler = ngx_http_sluice_watch_look;
        first->look.data = first;
        first->look.log = ngx_cycle->log;
        first->look.cancelable = 1;
    }

    if (!first->look.timer_set) {
        ngx_add_timer(&first->look, NGX_HTTP_SLUICE_LOOK);
    }
}


static void
ngx_http_sluice_watch_look(ngx_event_t *ev)
{
    ngx_http_sluice_link_t *first = ev->data;

    ngx_http_sluice_link_t  *link, *watcher;

    if (first->replaced) {
        first->replaced = 0;
        ngx_http_sluice_watch_leave(first);
        return;
    }

    link = ngx_http_sluice_watch_held(first);

    /* without one, it goes on when there is one again */

    if (link == NULL || ngx_exiting) {
        return;
    }

    ngx_add_timer(&first->look, NGX_HTTP_SLUICE_LOOK);

    watcher = ngx_http_sluice_asker(&first->watcher, first);

    if (watcher == NULL || sluice_redis_pending(watcher->client)) {
        return;
    }

    if (!sluice_node_is(&watcher->target.node,
                        sluice_sentinel_look(link->sentinel)))
    {
        ngx_http_sluice_redis_close(watcher);
        ngx_http_sluice_redis_state(watcher, NGX_HTTP_SLUICE_LINK_DOWN);
        sluice_redis_lost(watcher->client);
        ngx_http_sluice_connect_target(watcher,
                                       sluice_sentinel_look(link->sentinel));
    }

    watcher->asks = link;

    if (sluice_redis_command(watcher->client, ngx_current_msec,
                             ngx_http_sluice_watch_told, watcher, "SENTINEL",
                             "get-master-addr-by-name",
                             link->server->nodes.name, NULL)
        != SLUICE_REDIS_OK)
    {
        return;
    }

    if (watcher->state < NGX_HTTP_SLUICE_LINK_RESOLVING) {
        ngx_http_sluice_connect(watcher);

    } else if (ngx_http_sluice_redis_send(watcher)) {
        ngx_http_sluice_redis_settle(watcher);
    }
}


static ngx_http_sluice_link_t *
ngx_http_sluice_watch_held(ngx_http_sluice_link_t *first)
{
    ngx_uint_t               i;
    ngx_http_sluice_link_t  *link;

    for (i = 0; i < first->server->connections; i++) {
        link = first->links[i];

        if (link->state == NGX_HTTP_SLUICE_LINK_READY
            && sluice_sentinel_look(link->sentinel))
        {
            return link;
        }
    }

    return NULL;
}


/* The watcher's client may not be touched from here: what follows is posted. */

static void
ngx_http_sluice_watch_told(void *data, const redisReply *reply)
{
    ngx_http_sluice_link_t *watcher = data;

    ngx_http_sluice_link_t  *first;

    first = watcher->first;

    if (sluice_sentinel_looked(watcher->asks->sentinel, reply)) {
        first->replaced = 1;
        ngx_post_event(&first->look, &ngx_posted_events);
    }
}


static void
ngx_http_sluice_watch_leave(ngx_http_sluice_link_t *first)
{
    ngx_uint_t               i;
    sluice_node_t            old;
    ngx_http_sluice_link_t  *link;

    old = first->watcher->asks->sentinel->master;

    for (i = 0; i < first->server->connections; i++) {
        link = first->links[i];

        if (link->state == NGX_HTTP_SLUICE_LINK_READY
            && sluice_node_is(&link->sentinel->master, &old))
        {
            ngx_http_sluice_redis_lost(link,
                                      "the sentinels tell of another master");
        }
    }

    ngx_http_sluice_batch_answer(first);
}


void
ngx_http_sluice_watch_destroy(ngx_http_sluice_link_t *first)
{
    if (first->look.timer_set) {
        ngx_del_timer(&first->look);
    }

    if (first->look.posted) {
        ngx_delete_posted_event(&first->look);
    }

    if (first->watcher) {
        ngx_http_sluice_redis_destroy(first->watcher);
        first->watcher = NULL;
    }
}
