/*
 * The links of a process: made, chosen, shown to other processes, freed.
 *
 * Of a connection Redis reads some 32 KB between two syncs of its disk, so more
 * of them make more of a sync (docs/redis.md).
 */

#include "ngx_http_sluice_spool.h"


static ngx_http_sluice_link_t *ngx_http_sluice_links_create(
    ngx_http_sluice_main_conf_t *mcf, const ngx_http_sluice_server_t *server);
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

    first = ngx_http_sluice_redis_create(mcf, server);
    if (first == NULL) {
        return NULL;
    }

    first->first = first;
    first->links[0] = first;

#if (NGX_THREADS)

    if (mcf->spool) {
        first->spool = ngx_http_sluice_spool_create(first);

        if (first->spool == NULL) {
            ngx_http_sluice_links_destroy(first);
            return NULL;
        }
    }

#endif

    for (i = 1; i < server->connections; i++) {

        link = ngx_http_sluice_redis_create(mcf, server);
        if (link == NULL) {
            ngx_http_sluice_links_destroy(first);
            return NULL;
        }

        link->first = first;
        link->spool = first->spool;
        first->links[i] = link;
    }

    return first;
}


/* The first one is the last: its spool takes what the others give up. */

static void
ngx_http_sluice_links_destroy(ngx_http_sluice_link_t *first)
{
    ngx_uint_t  i;

    for (i = first->server->connections; i; i--) {
        if (first->links[i - 1]) {
            ngx_http_sluice_redis_destroy(first->links[i - 1]);
        }
    }
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

    if (n == 1) {
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
    return link->state == NGX_HTTP_SLUICE_LINK_READY
           && (!link->waiting
               || ngx_current_msec - link->refused > NGX_HTTP_SLUICE_AWAY);
}


/* The state is also shown to the other processes, for sluice_status. */

void
ngx_http_sluice_redis_state(ngx_http_sluice_link_t *link,
    ngx_http_sluice_link_e state)
{
    ngx_atomic_uint_t             name;
    ngx_http_sluice_slot_link_t  *shown;

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
