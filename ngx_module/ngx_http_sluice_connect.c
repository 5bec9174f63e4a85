/*
 * How a link gets its connection: an address that was found while configuring,
 * or a name that the resolver is asked for each time.
 */

#include "ngx_http_sluice_spool.h"


static ngx_int_t ngx_http_sluice_connect_name(ngx_http_sluice_link_t *link);
static socklen_t ngx_http_sluice_connect_known(ngx_http_sluice_link_t *link);
static void ngx_http_sluice_connect_resolved(ngx_resolver_ctx_t *ctx);
static void ngx_http_sluice_connect_to(ngx_http_sluice_link_t *link,
    struct sockaddr *sockaddr, socklen_t socklen);
static void ngx_http_sluice_connect_keepalive(ngx_connection_t *c);


void
ngx_http_sluice_connect(ngx_http_sluice_link_t *link)
{
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

    if (link->sentinel) {
        ngx_http_sluice_redis_state(link, NGX_HTTP_SLUICE_LINK_RESOLVING);
        ngx_http_sluice_redis_settle(link);
        ngx_http_sluice_ask_sentinel(link);
        return;
    }

    ngx_http_sluice_connect_host(link);
}


ngx_uint_t
ngx_http_sluice_connect_anew(const ngx_http_sluice_link_t *link,
    char name[NGX_HTTP_SLUICE_CONNECTION])
{
    if (ngx_memcmp(name, link->name, NGX_HTTP_SLUICE_CONNECTION) == 0) {
        return 0;
    }

    ngx_memcpy(name, link->name, NGX_HTTP_SLUICE_CONNECTION);

    return 1;
}


void
ngx_http_sluice_connect_host(ngx_http_sluice_link_t *link)
{
    socklen_t  socklen;

    if (link->host->by_name && ngx_http_sluice_connect_name(link) == NGX_OK) {
        return;
    }

    socklen = ngx_http_sluice_connect_known(link);

    if (socklen == 0) {
        ngx_http_sluice_redis_lost(link, "the host name is not resolved");
        return;
    }

    ngx_http_sluice_connect_to(link, &link->sockaddr.sockaddr, socklen);
}


/* An address that was found while configuring; 0: there is none. */

static socklen_t
ngx_http_sluice_connect_known(ngx_http_sluice_link_t *link)
{
    const ngx_addr_t              *addr;
    const ngx_http_sluice_host_t  *host;

    host = link->host;

    if (host->naddrs == 0) {
        return 0;
    }

    addr = &host->addrs[link->address++ % host->naddrs];

    ngx_memcpy(&link->sockaddr, addr->sockaddr, addr->socklen);

    if (link->sockaddr.sockaddr.sa_family != AF_UNIX) {
        ngx_inet_set_port(&link->sockaddr.sockaddr,
                          (in_port_t) host->node.port);
    }

    return addr->socklen;
}


/* Its name may be one of the URL, which was resolved while configuring. */

void
ngx_http_sluice_connect_target(ngx_http_sluice_link_t *link,
    const sluice_node_t *node)
{
    size_t                         len;
    u_char                        *name, *p;
    ngx_uint_t                     i;
    struct sockaddr_in            *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6           *sin6;
#endif
    ngx_http_sluice_host_t        *target;
    const ngx_http_sluice_host_t  *host;

    target = &link->target;

    if (link->host == target && sluice_node_is(&target->node, node)) {
        return;
    }

    ngx_memzero(target, sizeof(ngx_http_sluice_host_t));
    ngx_memzero(&link->numeric, sizeof(ngx_sockaddr_t));

    target->node = *node;
    link->host = target;

    name = (u_char *) target->node.host;
    len = ngx_strlen(name);

    p = ngx_sprintf(link->shown, ngx_strchr(name, ':') ? "[%s]:%d" : "%s:%d",
                    name, node->port);
    target->shown.data = link->shown;
    target->shown.len = p - link->shown;

    target->addrs = &link->addr;
    target->naddrs = 1;

    link->addr.sockaddr = &link->numeric.sockaddr;

    sin = &link->numeric.sockaddr_in;
    sin->sin_addr.s_addr = ngx_inet_addr(name, len);

    if (sin->sin_addr.s_addr != INADDR_NONE) {
        sin->sin_family = AF_INET;
        link->addr.socklen = sizeof(struct sockaddr_in);

    } else {
        sin->sin_addr.s_addr = 0;
        target->by_name = 1;
        target->naddrs = 0;
    }

#if (NGX_HAVE_INET6)

    sin6 = &link->numeric.sockaddr_in6;

    if (target->by_name
        && ngx_inet6_addr(name, len, sin6->sin6_addr.s6_addr) == NGX_OK)
    {
        sin6->sin6_family = AF_INET6;
        link->addr.socklen = sizeof(struct sockaddr_in6);
        target->by_name = 0;
        target->naddrs = 1;
    }

#endif

    for (i = 0; target->by_name && i < link->server->nhosts; i++) {
        host = &link->server->hosts[i];

        if (ngx_strcasecmp((u_char *) host->node.host, name) == 0) {
            target->addrs = host->addrs;
            target->naddrs = host->naddrs;
            break;
        }
    }

#if (NGX_SSL)
    ngx_http_sluice_tls_forget(link);
#endif
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

    ctx->name.data = (u_char *) link->host->node.host;
    ctx->name.len = ngx_strlen(link->host->node.host);
    ctx->handler = ngx_http_sluice_connect_resolved;
    ctx->data = link;
    ctx->timeout = link->timeout;

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
    ngx_http_sluice_link_t  *link;

    link = ctx->data;

    if (ctx->state == NGX_OK && ctx->naddrs) {
        i = link->address++ % ctx->naddrs;

        socklen = ctx->addrs[i].socklen;
        ngx_memcpy(&link->sockaddr, ctx->addrs[i].sockaddr, socklen);
        ngx_inet_set_port(&link->sockaddr.sockaddr,
                          (in_port_t) link->host->node.port);

    } else {

        /* what was found while configuring is better than nothing */

        socklen = ngx_http_sluice_connect_known(link);
    }

    ngx_resolve_name_done(ctx);
    link->resolving = NULL;

    /* whoever wants the link may be on the stack, and is not to be answered */

    ngx_post_event(&link->first->flush, &ngx_posted_events);

    if (socklen == 0) {
        ngx_http_sluice_redis_lost(link, "the host name is not resolved");
        return;
    }

    ngx_http_sluice_connect_to(link, &link->sockaddr.sockaddr, socklen);
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
    peer.name = (ngx_str_t *) &link->host->shown;
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

    if (link->first->cluster == NULL) {
        ngx_http_sluice_batch_forget(link);
    }

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

    if (link->asks) {
        ngx_http_sluice_redis_state(link, NGX_HTTP_SLUICE_LINK_READY);
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "sluice_redis \"%V\" is connected to %V",
                  &link->server->name, &link->host->shown);

    link->since = ngx_current_msec;
    link->failures = 0;
    link->waiting = 0;
    link->made = 1;
    ngx_http_sluice_redis_state(link, NGX_HTTP_SLUICE_LINK_READY);

    if (link->sentinel) {
        sluice_sentinel_met(link->sentinel, (int64_t) ngx_current_msec);
        ngx_http_sluice_watch(link);
    }

    if (link->first->cluster) {
        ngx_http_sluice_cluster_greeted(link);
    }

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
