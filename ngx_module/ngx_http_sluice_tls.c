/*
 * rediss://: TLS on a link's connection, by NGINX's own ngx_ssl.
 *
 * ngx_ssl accepts any certificate and keeps the verdict, as for proxy_pass; it
 * is asked for once the handshake is done, and nothing is written before.
 */

#include "ngx_http_sluice_link.h"

#if (NGX_SSL)
#include <openssl/x509v3.h>
#endif


#define NGX_HTTP_SLUICE_TLS_DEPTH  9


#if (NGX_SSL)

static char *ngx_http_sluice_tls_create(ngx_conf_t *cf,
    ngx_http_sluice_tls_t *tls);
static void ngx_http_sluice_tls_handshaken(ngx_connection_t *c);
static ngx_int_t ngx_http_sluice_tls_check(ngx_http_sluice_link_t *link,
    u_char *why, size_t size);
static void ngx_http_sluice_tls_save_session(ngx_connection_t *c);

/*
 * A module that was built with SSL also loads into an NGINX without, which
 * says so when it is asked for TLS.
 */

#pragma weak ngx_ssl_create
#pragma weak ngx_ssl_cleanup_ctx
#pragma weak ngx_ssl_certificate
#pragma weak ngx_ssl_trusted_certificate
#pragma weak ngx_ssl_client_session_cache
#pragma weak ngx_ssl_create_connection
#pragma weak ngx_ssl_set_session
#pragma weak ngx_ssl_get_session
#pragma weak ngx_ssl_handshake
#pragma weak ngx_ssl_check_host
#pragma weak ngx_ssl_shutdown

#endif


ngx_int_t
ngx_http_sluice_tls_parameter(ngx_http_sluice_tls_t *tls, ngx_str_t *value)
{
    ngx_str_t   s, *file;

    if (ngx_strcmp(value->data, "tls_verify=on") == 0) {
        tls->unverified = 0;
        tls->given = 1;
        return NGX_OK;
    }

    if (ngx_strcmp(value->data, "tls_verify=off") == 0) {
        tls->unverified = 1;
        tls->given = 1;
        return NGX_OK;
    }

    s = *value;

    if (ngx_strncmp(s.data, "tls_ca=", 7) == 0) {
        file = &tls->ca;
        s.data += 7;
        s.len -= 7;

    } else if (ngx_strncmp(s.data, "tls_cert=", 9) == 0) {
        file = &tls->certificate;
        s.data += 9;
        s.len -= 9;

    } else if (ngx_strncmp(s.data, "tls_key=", 8) == 0) {
        file = &tls->key;
        s.data += 8;
        s.len -= 8;

    } else if (ngx_strncmp(s.data, "tls_name=", 9) == 0) {
        file = &tls->name;
        s.data += 9;
        s.len -= 9;

    } else {
        return NGX_DECLINED;
    }

    if (s.len == 0) {
        return NGX_DECLINED;
    }

    *file = s;
    tls->given = 1;

    return NGX_OK;
}


char *
ngx_http_sluice_tls_init(ngx_conf_t *cf, ngx_http_sluice_server_t *server)
{
    ngx_http_sluice_tls_t  *tls;

    tls = &server->tls;

    if (!server->url.tls) {

        if (tls->given) {
            return "has \"tls_\" parameters without \"rediss://\"";
        }

        return NGX_CONF_OK;
    }

    if ((tls->certificate.len == 0) != (tls->key.len == 0)) {
        return "needs \"tls_cert\" and \"tls_key\" together";
    }

    if (tls->unverified && tls->ca.len) {
        return "has \"tls_ca\" beside \"tls_verify=off\"";
    }

#if (NGX_SSL)

    if (ngx_ssl_create) {
        return ngx_http_sluice_tls_create(cf, tls);
    }

#endif

    return "with \"rediss://\" needs an NGINX that was built with SSL";
}


#if (NGX_SSL)


static char *
ngx_http_sluice_tls_create(ngx_conf_t *cf, ngx_http_sluice_tls_t *tls)
{
    ngx_ssl_t           *ssl;
    struct in6_addr      in6;
    ngx_pool_cleanup_t  *cln;

    ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (ssl == NULL) {
        return NGX_CONF_ERROR;
    }

    ssl->log = cf->log;

    if (ngx_ssl_create(ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(ssl);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    /* what waits to be written moves and grows between two attempts */

    SSL_CTX_set_mode(ssl->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE
                               |SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);

    if (tls->certificate.len
        && ngx_ssl_certificate(cf, ssl, &tls->certificate, &tls->key, NULL)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (tls->ca.len) {

        if (ngx_ssl_trusted_certificate(cf, ssl, &tls->ca,
                                        NGX_HTTP_SLUICE_TLS_DEPTH)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

    } else if (!tls->unverified
               && SSL_CTX_set_default_verify_paths(ssl->ctx) != 1)
    {
        return "found no certificates of the system to trust";
    }

    if (ngx_ssl_client_session_cache(cf, ssl, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    tls->ssl = ssl;
    tls->address = tls->name.len
                   && (ngx_inet_addr(tls->name.data, tls->name.len)
                       != INADDR_NONE
                       || inet_pton(AF_INET6, (char *) tls->name.data, &in6)
                          == 1);

    return NGX_CONF_OK;
}


/* The one that was given, else the host's; 1: it is an address. */

static ngx_uint_t
ngx_http_sluice_tls_name(const ngx_http_sluice_link_t *link, ngx_str_t *name)
{
    const ngx_http_sluice_tls_t  *tls;

    tls = &link->server->tls;

    if (tls->name.len) {
        *name = tls->name;
        return tls->address;
    }

    name->data = (u_char *) link->host->node.host;
    name->len = ngx_strlen(name->data);

    return !link->host->by_name;
}


void
ngx_http_sluice_tls_connected(ngx_http_sluice_link_t *link)
{
    ngx_int_t                     rc;
    ngx_str_t                     name;
    ngx_connection_t             *c;
    const ngx_http_sluice_tls_t  *tls;

    c = link->connection;
    tls = &link->server->tls;

    ngx_http_sluice_redis_state(link, NGX_HTTP_SLUICE_LINK_HANDSHAKE);

    /* ngx_ssl keeps its state in the connection's pool */

    c->pool = ngx_create_pool(512, ngx_cycle->log);

    if (c->pool == NULL
        || ngx_ssl_create_connection(tls->ssl, c, NGX_SSL_CLIENT) != NGX_OK)
    {
        ngx_http_sluice_redis_lost(link, "no memory for TLS");
        return;
    }

    if (!ngx_http_sluice_tls_name(link, &name)
        && SSL_set_tlsext_host_name(c->ssl->connection, (char *) name.data)
           == 0)
    {
        ngx_http_sluice_redis_lost(link, "the server name cannot be sent");
        return;
    }

    c->ssl->save_session = ngx_http_sluice_tls_save_session;

    if (link->session && ngx_ssl_set_session(c, link->session) != NGX_OK) {
        ngx_http_sluice_tls_forget(link);
    }

    rc = ngx_ssl_handshake(c);

    if (rc == NGX_AGAIN) {
        c->ssl->handler = ngx_http_sluice_tls_handshaken;
        return;
    }

    ngx_http_sluice_tls_handshaken(c);
}


/* Called by an event, or inside of the above. */

static void
ngx_http_sluice_tls_handshaken(ngx_connection_t *c)
{
    u_char                   why[256];
    ngx_http_sluice_link_t  *link;

    link = c->data;

    if (!c->ssl->handshaked) {
        ngx_http_sluice_tls_forget(link);
        ngx_http_sluice_redis_lost(link, "the TLS handshake failed");

    } else if (ngx_http_sluice_tls_check(link, why, sizeof(why)) != NGX_OK) {
        ngx_http_sluice_tls_forget(link);
        ngx_http_sluice_redis_lost(link, (char *) why);

    } else {
        c->read->handler = ngx_http_sluice_redis_read;
        c->write->handler = ngx_http_sluice_redis_write;

        ngx_http_sluice_greet(link);

        /* writes the greeting, and reads what came with the handshake */

        if (link->connection == c) {
            ngx_post_event(c->write, &ngx_posted_events);
            ngx_post_event(c->read, &ngx_posted_events);
        }
    }

    ngx_post_event(&link->flush, &ngx_posted_events);
}


static ngx_int_t
ngx_http_sluice_tls_check(ngx_http_sluice_link_t *link, u_char *why,
    size_t size)
{
    int                           ok;
    long                          result;
    X509                         *certificate;
    ngx_str_t                     name;
    ngx_connection_t             *c;
    const ngx_http_sluice_tls_t  *tls;

    c = link->connection;
    tls = &link->server->tls;

    if (tls->unverified) {
        return NGX_OK;
    }

    result = SSL_get_verify_result(c->ssl->connection);

    if (result != X509_V_OK) {
        ngx_snprintf(why, size, "its certificate is not valid: %s%Z",
                     X509_verify_cert_error_string(result));
        return NGX_ERROR;
    }

    if (ngx_http_sluice_tls_name(link, &name)) {

        /* ngx_ssl_check_host() knows names only */

        certificate = SSL_get1_peer_certificate(c->ssl->connection);
        ok = certificate
             && X509_check_ip_asc(certificate, (char *) name.data, 0)
                == 1;
        X509_free(certificate);

    } else {
        ok = ngx_ssl_check_host(c, &name) == NGX_OK;
    }

    if (!ok) {
        ngx_snprintf(why, size, "its certificate is not for \"%V\"%Z",
                     &name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_sluice_tls_save_session(ngx_connection_t *c)
{
    ngx_http_sluice_link_t *link = c->data;

    ngx_http_sluice_tls_forget(link);
    link->session = ngx_ssl_get_session(c);
}


void
ngx_http_sluice_tls_forget(ngx_http_sluice_link_t *link)
{
    if (link->session) {
        ngx_ssl_free_session(link->session);
        link->session = NULL;
    }
}


void
ngx_http_sluice_tls_close(ngx_connection_t *c)
{
    ngx_pool_t  *pool;

    pool = c->pool;

    if (c->ssl) {

        /* nothing is waited for or sent: the connection may be a dead one */

        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = 1;

        (void) ngx_ssl_shutdown(c);
    }

    ngx_close_connection(c);

    if (pool) {
        ngx_destroy_pool(pool);
    }
}

#endif
