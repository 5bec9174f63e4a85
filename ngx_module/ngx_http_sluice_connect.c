/*
 * How a link gets its connection: an address that was found while configuring,
 * or a name that the resolver is asked for each time.
 */

#include "ngx_http_sluice_spool.h"


static ngx_int_t ngx_http_sluice_connect_name(ngx_http_sluice_link_t *link);
static void ngx_http_sluice_connect_resolved(ngx_resolver_ctx_t *ctx);
static void ngx_http_sluice_connect_to(ngx_http_sluice_link_t *link,
    struct sockaddr *sockaddr, socklen_t socklen);
static void ngx_http_sluice_connect_keepalive(ngx_connection_t *c);


void
ngx_http_sluice_connect(ngx_http_sluice_link_t *link)
{
    const ngx_addr_t  *addr;

    if (link->reconnect.timer_set) {
        ngx_del_timer(&link->reconnect);
    }

    link->since = ngx_current_msec;

    /* what is called from now on is called on this connection */

    link->made = 0;
    link->calls = 0;
    (void) ngx_sprintf((u_char *) link->name, "%012xL%08xD",
                       link->main->process->random,
                       link->main->process->sequence++);

    if (link->server->by_name) {

        if (ngx_http_sluice_connect_name(link) == NGX_OK) {
            return;
        }

        if (link->server->naddrs == 0) {
            ngx_http_sluice_redis_lost(link, "the host name is not resolved");
            return;
        }
    }

    addr = &link->server->addrs[link->address++ % link->server->naddrs];

    ngx_http_sluice_connect_to(link, addr->sockaddr, addr->socklen);
}


/* NGX_OK: the name is asked for; NGX_DECLINED: there is nobody to ask. */

static ngx_int_t
ngx_http_sluice_connect_name(ngx_http_sluice_link_t *link)
{
    ngx_resolver_ctx_t        *ctx;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = link->main->core;

    if (clcf->resolver == NULL) {
        return NGX_DECLINED;
    }

    ctx = ngx_resolve_start(clcf->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        return NGX_DECLINED;
    }

    ctx->name.data = (u_char *) link->server->url.host;
    ctx->name.len = ngx_strlen(link->server->url.host);
    ctx->handler = ngx_http_sluice_connect_resolved;
    ctx->data = link;
    ctx->timeout = link->server->timeout;

    link->resolving = ctx;
    ngx_http_sluice_redis_state(link, NGX_HTTP_SLUICE_LINK_RESOLVING);
    ngx_http_sluice_redis_settle(link);

    /* the handler may be called at once; on an error ctx is free */

    if (ngx_resolve_name(ctx) != NGX_OK) {
        link->resolving = NULL;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static void
ngx_http_sluice_connect_resolved(ngx_resolver_ctx_t *ctx)
{
    socklen_t                socklen;
    ngx_uint_t               i;
    const ngx_addr_t        *addr;
    ngx_http_sluice_link_t  *link;

    link = ctx->data;
    socklen = 0;

    if (ctx->state == NGX_OK && ctx->naddrs) {
        i = link->address++ % ctx->naddrs;

        socklen = ctx->addrs[i].socklen;
        ngx_memcpy(&link->sockaddr, ctx->addrs[i].sockaddr, socklen);
        ngx_inet_set_port(&link->sockaddr.sockaddr,
                          (in_port_t) link->server->url.port);

    } else if (link->server->naddrs) {

        /* what was found while configuring is better than nothing */

        i = link->address++ % link->server->naddrs;
        addr = &link->server->addrs[i];

        socklen = addr->socklen;
        ngx_memcpy(&link->sockaddr, addr->sockaddr, socklen);
    }

    ngx_resolve_name_done(ctx);
    link->resolving = NULL;

    if (socklen == 0) {
        ngx_http_sluice_redis_lost(link, "the host name is not resolved");
        ngx_http_sluice_batch_answer(link);
        return;
    }

    ngx_http_sluice_connect_to(link, &link->sockaddr.sockaddr, socklen);
    ngx_http_sluice_batch_answer(link);
}


static void
ngx_http_sluice_connect_to(ngx_http_sluice_link_t *link,
    struct sockaddr *sockaddr, socklen_t socklen)
{
    ngx_int_t              rc;
    ngx_connection_t      *c;
    ngx_peer_connection_t  peer;

    ngx_memzero(&peer, sizeof(ngx_peer_connection_t));

    peer.sockaddr = sockaddr;
    peer.socklen = socklen;
    peer.name = (ngx_str_t *) &link->server->shown;
    peer.get = ngx_event_get_peer;
    peer.log = ngx_cycle->log;
    peer.log_error = NGX_ERROR_ERR;

    rc = ngx_event_connect_peer(&peer);

    if (rc == NGX_ERROR || rc == NGX_DECLINED || rc == NGX_BUSY) {

        /* NGX_ERROR may leave the connection open */

        if (peer.connection) {
            ngx_close_connection(peer.connection);
        }

        ngx_http_sluice_redis_lost(link, "no connection");
        return;
    }

    c = peer.connection;

    c->data = link;
    c->pool = NULL;
    c->read->handler = ngx_http_sluice_redis_read;
    c->write->handler = ngx_http_sluice_redis_write;

    if (sockaddr->sa_family != AF_UNIX) {
        (void) ngx_tcp_nodelay(c);
        ngx_http_sluice_connect_keepalive(c);
    }

    link->connection = c;
    ngx_http_sluice_redis_state(link, NGX_HTTP_SLUICE_LINK_CONNECTING);

    if (rc == NGX_OK) {
        ngx_http_sluice_connected(link);

        if (link->connection == NULL || !ngx_http_sluice_redis_send(link)) {
            return;
        }
    }

    ngx_http_sluice_redis_settle(link);
}


/*
 * An idle connection that a firewall forgot, or whose host is gone, is found
 * before an event has to wait for it.  What fails here does no harm.
 */

static void
ngx_http_sluice_connect_keepalive(ngx_connection_t *c)
{
    int  on;

    on = 1;

    (void) setsockopt(c->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(int));

#if (NGX_HAVE_KEEPALIVE_TUNABLE)
    {
    int  idle, interval, count;

    idle = 60;
    interval = 10;
    count = 3;

    (void) setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(int));
    (void) setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval,
                      sizeof(int));
    (void) setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(int));
    }
#endif
}


void
ngx_http_sluice_connected(ngx_http_sluice_link_t *link)
{
#if (NGX_SSL)

    if (link->server->url.tls) {
        ngx_http_sluice_tls_connected(link);
        return;
    }

#endif

    ngx_http_sluice_greet(link);
}


void
ngx_http_sluice_greet(ngx_http_sluice_link_t *link)
{
    ngx_http_sluice_redis_state(link, NGX_HTTP_SLUICE_LINK_GREETING);

    link->demoted = 0;

    /* this may be another server, or one that was flushed */

    ngx_http_sluice_batch_forget(link);

    if (sluice_redis_connected(link->client, ngx_current_msec)
        != SLUICE_REDIS_OK)
    {
        ngx_http_sluice_redis_lost(link, sluice_redis_error(link->client));
    }
}


void
ngx_http_sluice_greeted(ngx_http_sluice_link_t *link)
{
    const sluice_redis_info_t    *info;
    ngx_http_sluice_slot_link_t  *shown;

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "sluice_redis \"%V\" is connected to %V",
                  &link->server->name, &link->server->shown);

    link->since = ngx_current_msec;
    link->failures = 0;
    link->waiting = 0;
    link->made = 1;
    ngx_http_sluice_redis_state(link, NGX_HTTP_SLUICE_LINK_READY);
    ngx_http_sluice_spool_ready(link);

    info = sluice_redis_info(link->client);

    if (info->version == 0) {
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "sluice_redis \"%V\": its user may not ask INFO, the "
                      "version of Redis is not known", &link->server->name);
    }

    /* each process says it once, and again after it was put right */

    if (info->evicts && !link->first->told_evicts) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "sluice_redis \"%V\" may drop jobs when its memory is "
                      "full: its \"maxmemory-policy\" is %s, not noeviction",
                      &link->server->name, info->policy);
    }

    if (info->no_aof && !link->first->told_no_aof) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "sluice_redis \"%V\" loses jobs when it stops: its "
                      "\"appendonly\" is off", &link->server->name);
    }

    link->first->told_evicts = info->evicts;
    link->first->told_no_aof = info->no_aof;

    shown = &link->main->process->slot->links[link->server->index];

    shown->version = info->version;
    shown->evicts = info->evicts;
    shown->no_aof = info->no_aof;
}
