/*
 * The links of a process: made, chosen, shown to other processes, freed.
 *
 * Of a connection Redis reads some 32 KB between two syncs of its disk, so more
 * of them make more of a sync (docs/redis.md).
 */

#include "ngx_http_sluice_spool.h"


static ngx_http_sluice_link_t *ngx_http_sluice_links_create(
    ngx_http_sluice_main_conf_t *mcf, const ngx_http_sluice_server_t *server);
static ngx_int_t ngx_http_sluice_links_kind(ngx_http_sluice_link_t *link);
static void ngx_http_sluice_links_destroy(ngx_http_sluice_link_t *first);


ngx_http_sluice_link_t *
ngx_http_sluice_redis_link(ngx_http_sluice_main_conf_t *mcf,
    const ngx_http_sluice_server_t *server)
{
    ngx_http_sluice_process_t  *process;

    process = ngx_http_sluice_status_process(mcf);

    if (process->links[server->index] == NULL) {
        process->links[server->index] =
                                   ngx_http_sluice_links_create(mcf, server);
    }

    return process->links[server->index];
}


static ngx_http_sluice_link_t *
ngx_http_sluice_links_create(ngx_http_sluice_main_conf_t *mcf,
    const ngx_http_sluice_server_t *server)
{
    ngx_uint_t               i;
    ngx_http_sluice_link_t  *first, *link;

    first = ngx_http_sluice_redis_create(mcf, server, &server->client);
    if (first == NULL) {
        return NULL;
    }

    first->first = first;
    first->links[0] = first;

    if (ngx_http_sluice_links_kind(first) != NGX_OK) {
        ngx_http_sluice_links_destroy(first);
        return NULL;
    }

#if (NGX_THREADS)

    if (mcf->spool) {
        first->spool = ngx_http_sluice_spool_create(first);

        if (first->spool == NULL) {
            ngx_http_sluice_links_destroy(first);
            return NULL;
        }
    }

#endif

    for (i = 1; first->cluster == NULL && i < server->connections; i++) {

        link = ngx_http_sluice_redis_create(mcf, server, &server->client);
        if (link == NULL) {
            ngx_http_sluice_links_destroy(first);
            return NULL;
        }

        link->first = first;
        link->spool = first->spool;
        first->links[i] = link;

        if (ngx_http_sluice_links_kind(link) != NGX_OK) {
            ngx_http_sluice_links_destroy(first);
            return NULL;
        }
    }

    return first;
}


/* Of a server that is several */

static ngx_int_t
ngx_http_sluice_links_kind(ngx_http_sluice_link_t *link)
{
    switch (link->server->nodes.kind) {

    case SLUICE_URL_SENTINEL:
        link->sentinel = ngx_alloc(sizeof(sluice_sentinel_t), ngx_cycle->log);
        if (link->sentinel == NULL) {
            return NGX_ERROR;
        }

        sluice_sentinel_init(link->sentinel, &link->server->nodes);

        return NGX_OK;

    case SLUICE_URL_CLUSTER:
        return ngx_http_sluice_cluster_create(link);

    default:
        return NGX_OK;
    }
}


/* The first one is the last: its spool takes what the others give up. */

static void
ngx_http_sluice_links_destroy(ngx_http_sluice_link_t *first)
{
    ngx_uint_t  i;

    if (first->cluster) {
        ngx_http_sluice_cluster_destroy(first);
    }

    for (i = first->server->connections; i; i--) {
        if (first->links[i - 1]) {
            ngx_http_sluice_redis_destroy(first->links[i - 1]);
        }
    }
}


ngx_http_sluice_link_t *
ngx_http_sluice_redis_create(ngx_http_sluice_main_conf_t *mcf,
    const ngx_http_sluice_server_t *server, const sluice_redis_conf_t *conf)
{
    ngx_uint_t               i;
    ngx_http_sluice_link_t  *link;

    link = ngx_calloc(sizeof(ngx_http_sluice_link_t), ngx_cycle->log);
    if (link == NULL) {
        return NULL;
    }

    link->conf = *conf;
    link->conf.data = link;

    link->client = sluice_redis_create(&link->conf);
    if (link->client == NULL) {
        ngx_free(link);
        return NULL;
    }

    link->server = server;
    link->ident = -1;
    link->main = mcf;
    link->address = ngx_random();
    link->host = &server->hosts[0];
    link->timeout = server->timeout;

    link->flush.handler = ngx_http_sluice_redis_flush;
    link->flush.data = link;
    link->flush.log = ngx_cycle->log;

    link->deadline.handler = ngx_http_sluice_redis_deadline;
    link->deadline.data = link;
    link->deadline.log = ngx_cycle->log;

    link->reconnect.handler = ngx_http_sluice_redis_reconnect;
    link->reconnect.data = link;
    link->reconnect.log = ngx_cycle->log;
    link->reconnect.cancelable = 1;

    link->told.handler = ngx_http_sluice_ask_told;
    link->told.data = link;
    link->told.log = ngx_cycle->log;

    ngx_queue_init(&link->open);
    ngx_queue_init(&link->sent);
    ngx_queue_init(&link->done);
    ngx_queue_init(&link->spare);
    ngx_queue_init(&link->spools);

    for (i = 0; i < NGX_HTTP_SLUICE_BUCKETS; i++) {
        ngx_queue_init(&link->buckets[i]);
    }

    return link;
}


void
ngx_http_sluice_redis_destroy(ngx_http_sluice_link_t *link)
{
    ngx_http_sluice_batch_flush(link);
    ngx_http_sluice_redis_close(link);
    sluice_redis_lost(link->client);
    sluice_redis_destroy(link->client);

    if (link->reconnect.timer_set) {
        ngx_del_timer(&link->reconnect);
    }

    if (link->asker) {
        ngx_http_sluice_redis_destroy(link->asker);
        link->asker = NULL;
    }

    ngx_http_sluice_watch_destroy(link);

    if (link->told.posted) {
        ngx_delete_posted_event(&link->told);
    }

    if (link->flush.posted) {
        ngx_delete_posted_event(&link->flush);
    }

#if (NGX_SSL)
    ngx_http_sluice_tls_forget(link);
#endif

#if (NGX_THREADS)
    while (!ngx_queue_empty(&link->spools)) {
        ngx_http_sluice_spool_destroy(
                             ngx_queue_data(ngx_queue_head(&link->spools),
                                            ngx_http_sluice_spool_t, queue));
    }
#endif

    ngx_http_sluice_batch_release(link);
    ngx_http_sluice_depth_release(link);

    if (link->sentinel) {
        ngx_free(link->sentinel);
    }

    ngx_free(link);
}


/*
 * Numbers of connections are spread before they are divided: those between two
 * clients' may be of connections that NGINX makes for them, each time as many.
 */

ngx_http_sluice_link_t *
ngx_http_sluice_redis_choose(ngx_http_sluice_link_t *first,
    const ngx_connection_t *client)
{
    uint32_t                 hash;
    ngx_uint_t               i, n;
    ngx_http_sluice_link_t  *link;

    n = first->server->connections;

    if (n == 1 || first->cluster) {
        return first;
    }

    hash = (uint32_t) client->number * 2654435769U;
    i = (hash >> 16) % n;
    link = first->links[i];

    if (ngx_http_sluice_redis_wake(link)
        && link->state == NGX_HTTP_SLUICE_LINK_READY)
    {
        return link;
    }

    /* while it is made, or Redis has no place for it: the next that is ready */

    do {
        i = (i + 1) % n;

        if (first->links[i]->state == NGX_HTTP_SLUICE_LINK_READY) {
            return first->links[i];
        }

    } while (first->links[i] != link);

    return first;
}


size_t
ngx_http_sluice_redis_pending(const ngx_http_sluice_link_t *link)
{
    size_t      n;
    ngx_uint_t  i;

    if (link->first->cluster) {
        return ngx_http_sluice_cluster_pending(link->first);
    }

    for (n = 0, i = 0; i < link->server->connections; i++) {
        n += sluice_redis_pending(link->first->links[i]->client);
    }

    return n;
}


/*
 * The first connection, and one after a good one, is worth the waiting.  While
 * Redis is away each attempt may last as long as the timeout.
 */

ngx_uint_t
ngx_http_sluice_redis_takes(ngx_http_sluice_link_t *link)
{
    if (link->spool && link->failures) {
        return link->state == NGX_HTTP_SLUICE_LINK_READY;
    }

    return link->state >= NGX_HTTP_SLUICE_LINK_RESOLVING;
}


ngx_uint_t
ngx_http_sluice_redis_usable(ngx_http_sluice_link_t *link)
{
    ngx_uint_t  away;

    if (link->cluster) {
        return ngx_http_sluice_cluster_usable(link, &away);
    }

    return link->state == NGX_HTTP_SLUICE_LINK_READY
           && (!link->waiting
               || ngx_current_msec - link->refused > NGX_HTTP_SLUICE_AWAY);
}


/* In a cluster each node is by itself. */

void
ngx_http_sluice_redis_refuses(ngx_http_sluice_link_t *link)
{
    link = link->first->cluster ? link : link->first;

    link->waiting = 1;
    link->refused = ngx_current_msec;
}


void
ngx_http_sluice_redis_accepts(ngx_http_sluice_link_t *link)
{
    link = link->first->cluster ? link : link->first;

    link->waiting = 0;
}


ngx_http_sluice_link_t *
ngx_http_sluice_redis_route(ngx_http_sluice_link_t *first, const void *key,
    size_t len)
{
    return first->cluster ? ngx_http_sluice_cluster_link(first, key, len, 0)
                          : first;
}


/* The state is also shown to the other processes, for sluice_status. */

void
ngx_http_sluice_redis_state(ngx_http_sluice_link_t *link,
    ngx_http_sluice_link_e state)
{
    ngx_atomic_uint_t             name;
    ngx_http_sluice_slot_link_t  *shown;

    if (link->asks) {
        link->state = state;
        return;
    }

    shown = &link->main->process->slot->links[link->server->index];
    name = ngx_crc32_long(link->server->name.data, link->server->name.len);

    /* the slot counts on, unless the server is another one since a reload */

    if (shown->name != name) {
        ngx_memzero(shown, sizeof(ngx_http_sluice_slot_link_t));
        shown->name = name;

    } else if (link->state != NGX_HTTP_SLUICE_LINK_UNUSED) {
        shown->states[link->state]--;
    }

    if (state != NGX_HTTP_SLUICE_LINK_UNUSED) {
        shown->states[state]++;
    }

    link->state = state;

    if (state == NGX_HTTP_SLUICE_LINK_READY) {
        shown->connects++;
    }
}


/* Of a process that ends: nobody is left to be answered. */

void
ngx_http_sluice_redis_exit(ngx_http_sluice_main_conf_t *mcf)
{
    ngx_uint_t  n;

    for (n = 0; n < NGX_HTTP_SLUICE_SERVERS; n++) {
        if (mcf->process->links[n]) {
            ngx_http_sluice_links_destroy(mcf->process->links[n]);
            mcf->process->links[n] = NULL;
        }
    }
}
