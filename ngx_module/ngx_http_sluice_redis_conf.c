/*
 * sluice_redis URL [name=NAME] [timeout=TIME] [connections=N]
 *              [password_file=PATH] [wait_replicas=N [wait_timeout=TIME]]
 *              [tls_ca=FILE] [tls_cert=FILE tls_key=FILE] [tls_name=NAME]
 *              [tls_verify=on|off]
 */

#include "ngx_http_sluice_link.h"


static char *ngx_http_sluice_redis_parameter(ngx_conf_t *cf,
    ngx_http_sluice_server_t *server, ngx_str_t *value);
static char *ngx_http_sluice_redis_password(ngx_conf_t *cf,
    ngx_http_sluice_server_t *server, ngx_str_t *path);
static char *ngx_http_sluice_redis_hosts(ngx_conf_t *cf,
    ngx_http_sluice_server_t *server);
static char *ngx_http_sluice_redis_address(ngx_conf_t *cf,
    ngx_http_sluice_host_t *host, const char *path);


char *
ngx_http_sluice_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sluice_main_conf_t *mcf = conf;

    char                       *rv;
    const char                 *error;
    ngx_str_t                  *value;
    ngx_uint_t                  i;
    ngx_http_sluice_server_t   *server, **slot;

    value = cf->args->elts;

    if (mcf->servers.nelts == NGX_HTTP_SLUICE_SERVERS) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "more than %d \"sluice_redis\"",
                           NGX_HTTP_SLUICE_SERVERS);
        return NGX_CONF_ERROR;
    }

    server = ngx_pcalloc(cf->pool, sizeof(ngx_http_sluice_server_t));
    if (server == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_str_set(&server->name, "default");
    server->timeout = 1000;
    server->connections = 1;

    /* the URL may hold a password: it is in no message */

    error = sluice_url_parse_nodes(&server->nodes, (char *) value[1].data,
                                   value[1].len);
    if (error) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URL of \"sluice_redis\": %s", error);
        return NGX_CONF_ERROR;
    }

    server->url = server->nodes.url;

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_sluice_redis_parameter(cf, server, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (server->client.wait && server->client.replicas == 0) {
        return "has \"wait_timeout\" without \"wait_replicas\"";
    }

    /* a job may have to wait for the end of another's WAIT before its own */

    if (server->client.wait == 0) {
        server->client.wait = ngx_max(server->timeout / 4, 1);

    } else if (server->client.wait > (int64_t) server->timeout / 2) {
        return "has a \"wait_timeout\" above half of its \"timeout\"";
    }

    rv = ngx_http_sluice_tls_init(cf, server);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    slot = mcf->servers.elts;

    for (i = 0; i < mcf->servers.nelts; i++) {
        if (slot[i]->name.len == server->name.len
            && ngx_strncmp(slot[i]->name.data, server->name.data,
                           server->name.len)
               == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate \"sluice_redis\" with the name "
                               "\"%V\"", &server->name);
            return NGX_CONF_ERROR;
        }
    }

    server->index = mcf->servers.nelts;

    server->client.url = &server->url;
    server->client.scripts = ngx_http_sluice_batch_scripts;
    server->client.nscripts = 1;
    server->client.name = "sluice-nginx";
    server->client.max_bytes = NGX_HTTP_SLUICE_BYTES;
    server->client.max_count = NGX_HTTP_SLUICE_COMMANDS;
    ngx_http_sluice_wait_init(server);

    /* no scripts; and a replica knows the map of its cluster as well */

    server->asker.url = (server->nodes.kind == SLUICE_URL_SENTINEL)
                        ? &server->nodes.sentinel : &server->url;
    server->asker.name = "sluice-nginx";
    server->asker.replica = 1;

    slot = ngx_array_push(&mcf->servers);
    if (slot == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = server;

    return ngx_http_sluice_redis_hosts(cf, server);
}


static char *
ngx_http_sluice_redis_parameter(ngx_conf_t *cf,
    ngx_http_sluice_server_t *server, ngx_str_t *value)
{
    int64_t    ms;
    ngx_int_t  n;
    ngx_str_t  s;

    if (ngx_strncmp(value->data, "name=", 5) == 0) {

        server->name.data = value->data + 5;
        server->name.len = value->len - 5;

        if (sluice_keys_name_ok((char *) server->name.data, server->name.len))
        {
            return NGX_CONF_OK;
        }

    } else if (ngx_strncmp(value->data, "timeout=", 8) == 0) {

        ms = sluice_duration((char *) value->data + 8, value->len - 8);

        if (ms > 0 && ms <= 3600 * 1000) {
            server->timeout = ms;
            return NGX_CONF_OK;
        }

    } else if (ngx_strncmp(value->data, "connections=", 12) == 0) {

        n = ngx_atoi(value->data + 12, value->len - 12);

        if (n > 0 && n <= NGX_HTTP_SLUICE_LINKS) {
            server->connections = n;
            return NGX_CONF_OK;
        }

    } else if (ngx_strncmp(value->data, "wait_replicas=", 14) == 0) {

        n = ngx_atoi(value->data + 14, value->len - 14);

        if (n > 0 && n <= 100) {
            server->client.replicas = n;
            return NGX_CONF_OK;
        }

    } else if (ngx_strncmp(value->data, "wait_timeout=", 13) == 0) {

        ms = sluice_duration((char *) value->data + 13, value->len - 13);

        if (ms > 0 && ms <= 3600 * 1000) {
            server->client.wait = ms;
            return NGX_CONF_OK;
        }

    } else if (ngx_strncmp(value->data, "password_file=", 14) == 0) {

        s.data = value->data + 14;
        s.len = value->len - 14;

        return ngx_http_sluice_redis_password(cf, server, &s);

    } else if (ngx_http_sluice_tls_parameter(&server->tls, value) == NGX_OK) {
        return NGX_CONF_OK;
    }

    /* a password may stand where it does not belong */

    s = ngx_http_sluice_shown(value);

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of \"sluice_redis\"", &s);

    return NGX_CONF_ERROR;
}


/* The first line of the file. */

static char *
ngx_http_sluice_redis_password(ngx_conf_t *cf,
    ngx_http_sluice_server_t *server, ngx_str_t *path)
{
    size_t       len;
    u_char       buf[sizeof(server->url.password) + 2];
    ssize_t      n;
    ngx_file_t   file;

    if (path->len == 0
        || ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK)
    {
        return "needs a path in \"password_file=\"";
    }

    ngx_memzero(&file, sizeof(ngx_file_t));

    file.name = *path;
    file.log = cf->log;
    file.fd = ngx_open_file(path->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (file.fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", path);
        return NGX_CONF_ERROR;
    }

    n = ngx_read_file(&file, buf, sizeof(buf), 0);

    if (ngx_close_file(file.fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", path);
    }

    if (n == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    for (len = 0; len < (size_t) n; len++) {
        if (buf[len] == LF || buf[len] == CR || buf[len] == '\0') {
            break;
        }
    }

    if (len == 0 || len >= sizeof(server->url.password)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the first line of \"%V\" is no password: it is %s",
                           path, len ? "too long" : "empty");
        return NGX_CONF_ERROR;
    }

    ngx_memzero(server->url.password, sizeof(server->url.password));
    ngx_memcpy(server->url.password, buf, len);
    ngx_explicit_memzero(buf, sizeof(buf));

    return NGX_CONF_OK;
}


/* The one server, the sentinels, or nodes of the cluster */

static char *
ngx_http_sluice_redis_hosts(ngx_conf_t *cf, ngx_http_sluice_server_t *server)
{
    char                    *rv;
    size_t                   len;
    u_char                  *p;
    ngx_uint_t               i;
    ngx_http_sluice_host_t  *host;

    server->nhosts = ngx_max(server->nodes.nnodes, 1);

    server->hosts = ngx_pcalloc(cf->pool, server->nhosts
                                          * sizeof(ngx_http_sluice_host_t));
    if (server->hosts == NULL) {
        return NGX_CONF_ERROR;
    }

    len = 0;

    for (i = 0; i < server->nhosts; i++) {
        host = &server->hosts[i];

        if (server->nodes.nnodes) {
            host->node = server->nodes.nodes[i];

        } else {
            ngx_memcpy(host->node.host, server->url.host,
                       sizeof(host->node.host));
            host->node.port = server->url.port;
        }

        rv = ngx_http_sluice_redis_address(cf, host, server->url.path);
        if (rv != NGX_CONF_OK) {
            return rv;
        }

        len += host->shown.len + 1;
    }

    len += sizeof("/") + ngx_strlen(server->nodes.name);

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    server->shown.data = p;

    for (i = 0; i < server->nhosts; i++) {
        p = ngx_sprintf(p, "%s%V", i ? "," : "", &server->hosts[i].shown);
    }

    if (server->nodes.kind == SLUICE_URL_SENTINEL) {
        p = ngx_sprintf(p, "/%s", server->nodes.name);
    }

    server->shown.len = p - server->shown.data;

    return NGX_CONF_OK;
}


/*
 * A name that cannot be resolved now does not stop the start: the resolver is
 * asked when connecting, and meanwhile Redis is away.
 */

static char *
ngx_http_sluice_redis_address(ngx_conf_t *cf, ngx_http_sluice_host_t *host,
    const char *path)
{
    size_t      len;
    u_char     *p;
    ngx_url_t   u;

    len = ngx_strlen(path) + ngx_strlen(host->node.host)
          + sizeof("redis://[]:65535");

    p = ngx_pnalloc(cf->pool, 2 * len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    host->shown.data = p;

    if (path[0]) {
        p = ngx_sprintf(p, "unix:%s", path);

    } else if (ngx_strchr(host->node.host, ':')) {
        p = ngx_sprintf(p, "[%s]:%d", host->node.host, host->node.port);

    } else {
        p = ngx_sprintf(p, "%s:%d", host->node.host, host->node.port);

        host->by_name = ngx_inet_addr((u_char *) host->node.host,
                                      ngx_strlen(host->node.host))
                        == INADDR_NONE;
    }

    host->shown.len = p - host->shown.data;
    *p++ = '\0';

    /* ngx_parse_url() keeps pointers into its text, and changes it */

    u.url.data = p;
    u.url.len = host->shown.len;
    ngx_memcpy(p, host->shown.data, u.url.len + 1);

    if (ngx_parse_url(cf->pool, &u) == NGX_OK) {
        host->addrs = u.addrs;
        host->naddrs = u.naddrs;

        return NGX_CONF_OK;
    }

    ngx_conf_log_error(host->by_name ? NGX_LOG_WARN : NGX_LOG_EMERG, cf, 0,
                       "\"sluice_redis\" %V: %s", &host->shown,
                       u.err ? u.err : "no such address");

    return host->by_name ? NGX_CONF_OK : NGX_CONF_ERROR;
}


ngx_http_sluice_server_t *
ngx_http_sluice_redis_find(ngx_http_sluice_main_conf_t *mcf,
    const ngx_str_t *name)
{
    ngx_uint_t                  i;
    ngx_http_sluice_server_t  **server;

    server = mcf->servers.elts;

    for (i = 0; i < mcf->servers.nelts; i++) {
        if (server[i]->name.len == name->len
            && ngx_strncmp(server[i]->name.data, name->data, name->len) == 0)
        {
            return server[i];
        }
    }

    return NULL;
}


void
ngx_http_sluice_redis_resolvers(ngx_conf_t *cf,
    ngx_http_sluice_main_conf_t *mcf)
{
    ngx_uint_t                  i, n;
    ngx_resolver_t             *resolver;
    ngx_http_sluice_host_t     *host;
    ngx_http_sluice_server_t  **server;

    /* http{} has one without servers when it was told of none */

    resolver = mcf->core->resolver;

    if (resolver && resolver->connections.nelts) {
        return;
    }

    server = mcf->servers.elts;

    for (i = 0; i < mcf->servers.nelts; i++) {

        for (n = 0; n < server[i]->nhosts; n++) {
            host = &server[i]->hosts[n];

            if (host->by_name && host->naddrs == 0) {
                ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                                   "\"sluice_redis\" %V has no address and "
                                   "\"http\" has no \"resolver\": it will "
                                   "stay away until a reload", &host->shown);
            }
        }
    }
}
