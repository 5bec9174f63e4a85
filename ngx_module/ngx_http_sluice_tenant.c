/*
 * Whose request this is: a copy of the tenant's entry, for the steps.
 */

#include <openssl/crypto.h>

#include "ngx_http_sluice_table.h"


static ngx_uint_t ngx_http_sluice_tenant_peek(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf);
static void ngx_http_sluice_tenant_bearer(ngx_str_t *key);


ngx_int_t
ngx_http_sluice_tenant_find(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf)
{
    ngx_int_t                  rc;
    ngx_str_t                  value;
    ngx_uint_t                 peeked;
    ngx_http_sluice_tenant_t  *tenant;

    if (conf->tenant == NULL) {
        ctx->tenant = NULL;
        ctx->tenant_of = NULL;
        return NGX_DECLINED;
    }

    if (ctx->tenant_of != conf->tenant) {
        ctx->tenant = NULL;
        ctx->tenant_known = 0;

    } else if (ctx->tenant_known) {
        return ctx->tenant ? NGX_OK : NGX_DECLINED;
    }

    peeked = ngx_http_sluice_tenant_peek(r, ctx, conf);

    rc = ngx_http_complex_value(r, &conf->tenant->value, &value);

    if (peeked) {
        ctx->scanned = NULL;
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->tenant_of == conf->tenant
        && ctx->tenant_key.len == value.len
        && ngx_memcmp(ctx->tenant_key.data, value.data, value.len) == 0)
    {
        return ctx->tenant ? NGX_OK : NGX_DECLINED;
    }

    rc = ngx_http_sluice_tenant_lookup(r, conf->tenant->by, &value, &tenant);

    ctx->tenant = (rc == NGX_OK) ? tenant : NULL;

    /* a table that is loaded by now is asked again */

    ctx->tenant_of = (rc == NGX_OK || rc == NGX_DECLINED) ? conf->tenant
                                                          : NULL;
    ctx->tenant_key = value;

    return rc;
}


ngx_uint_t
ngx_http_sluice_tenant_body(const ngx_http_sluice_loc_conf_t *conf)
{
    return conf->tenant && conf->tenant->by == NGX_HTTP_SLUICE_BY_NUMBER
           && conf->pointers && conf->pointers->n;
}


/* A table that is not there yet is no fault of the sender. */

ngx_int_t
ngx_http_sluice_tenant_step(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf)
{
    ngx_int_t  rc;

    rc = ngx_http_sluice_tenant_find(r, ctx, conf);

    if (rc == NGX_OK || rc == NGX_DECLINED) {
        ctx->tenant_known = 1;
        return NGX_DECLINED;
    }

    ngx_http_sluice_status_outcome(ctx, NGX_HTTP_SLUICE_FAILED);

    return (rc == NGX_BUSY) ? ngx_http_sluice_refuse_unavailable(r)
                            : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


ngx_int_t
ngx_http_sluice_tenant_quarantine(ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf)
{
    if (conf->tenant == NULL || ctx->tenant) {
        return NGX_AGAIN;
    }

    if ((conf->verify && conf->verify->scheme)
        || conf->enqueue == NULL
        || conf->tenant->quarantine.len == 0)
    {
        return NGX_DECLINED;
    }

    ngx_str_null(&ctx->item.tenant);
    ctx->item.queue = conf->tenant->quarantine;
    ctx->item.base = conf->tenant->base[conf->enqueue->cluster];

    return NGX_OK;
}


/*
 * A number in the body is looked at before the signature is checked, since it
 * says whose signature that is.  The values are for the lookup alone: no step
 * or variable sees them before the body is verified.
 */

static ngx_uint_t
ngx_http_sluice_tenant_peek(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf)
{
    ngx_str_t  detail;

    if (!ngx_http_sluice_tenant_body(conf)
        || ctx->scanned == conf->pointers
        || !ctx->body_read
        || ngx_http_sluice_body_join(r, ctx) != NGX_OK)
    {
        return 0;
    }

    /* what is malformed or missing leaves the variables empty */

    (void) ngx_http_sluice_json_scan(r, ctx, conf->pointers, &detail);

    return 1;
}


ngx_int_t
ngx_http_sluice_tenant_lookup(ngx_http_request_t *r, ngx_http_sluice_by_e by,
    const ngx_str_t *value, ngx_http_sluice_tenant_t **tenant)
{
    u_char                        digest[SLUICE_TENANT_DIGEST];
    ngx_int_t                     rc;
    ngx_str_t                     key;
    ngx_http_sluice_main_conf_t  *mcf;

    *tenant = NULL;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_sluice_module);

    if (mcf->tenants == NULL) {
        return NGX_DECLINED;
    }

    if (!mcf->tenants->table->loaded) {
        return NGX_BUSY;
    }

    key = *value;

    if (by == NGX_HTTP_SLUICE_BY_API_KEY) {

        ngx_http_sluice_tenant_bearer(&key);

        if (!sluice_tenant_digest(digest, key.data, key.len)) {
            return NGX_ERROR;
        }

        key.data = digest;
        key.len = sizeof(digest);
    }

    rc = ngx_http_sluice_table_find(r, mcf->tenants, by, key.data, key.len,
                                    tenant);

    if (rc != 1) {
        *tenant = NULL;
    }

    return rc == 1 ? NGX_OK : rc == 0 ? NGX_DECLINED : NGX_ERROR;
}


/* $http_authorization is a value, too. */

static void
ngx_http_sluice_tenant_bearer(ngx_str_t *key)
{
    if (key->len > sizeof("Bearer ") - 1
        && ngx_strncasecmp(key->data, (u_char *) "Bearer ",
                           sizeof("Bearer ") - 1)
           == 0)
    {
        key->data += sizeof("Bearer ") - 1;
        key->len -= sizeof("Bearer ") - 1;
    }
}


ngx_int_t
ngx_http_sluice_tenant_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                         *s;
    ngx_http_sluice_ctx_t             *ctx;
    const ngx_http_sluice_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_sluice_module);

    v->valid = 0;
    v->not_found = 1;
    v->no_cacheable = 1;
    v->escape = 0;

    ctx = (conf->tenant && r == r->main) ? ngx_http_sluice_ctx(r)
                                         : ngx_http_sluice_ctx_find(r);
    if (ctx == NULL) {
        return NGX_OK;
    }

    if (conf->tenant && r == r->main
        && ngx_http_sluice_tenant_find(r, ctx, conf) == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    if (ctx->tenant) {
        s = (ngx_str_t *) ((u_char *) ctx->tenant + data);

    } else if (conf->tenant == NULL
               && data == offsetof(ngx_http_sluice_tenant_t, id))
    {
        s = &ctx->item.tenant;

    } else {
        return NGX_OK;
    }

    v->valid = (s->len != 0);
    v->not_found = (s->len == 0);
    v->data = s->data;
    v->len = (unsigned) s->len;

    return NGX_OK;
}


ngx_uint_t
ngx_http_sluice_tenant_secrets(const ngx_http_sluice_ctx_t *ctx,
    const ngx_str_t *scheme, ngx_str_t *secrets)
{
    ngx_uint_t                              i, n;
    const ngx_http_sluice_tenant_secret_t  *secret;

    if (ctx->tenant == NULL) {
        return 0;
    }

    secret = ctx->tenant->secrets;
    n = 0;

    for (i = 0; i < ctx->tenant->nsecrets; i++) {

        if (n < NGX_HTTP_SLUICE_SECRETS
            && secret[i].scheme.len == scheme->len
            && ngx_strncmp(secret[i].scheme.data, scheme->data, scheme->len)
               == 0)
        {
            secrets[n++] = secret[i].value;
        }
    }

    return n;
}


ngx_uint_t
ngx_http_sluice_tenant_api_key(const ngx_http_sluice_ctx_t *ctx,
    const ngx_str_t *key)
{
    u_char               digest[SLUICE_TENANT_DIGEST];
    ngx_uint_t           found, i;

    static const u_char  nobody[SLUICE_TENANT_DIGEST];

    if (!sluice_tenant_digest(digest, key->data, key->len)) {
        return 0;
    }

    if (ctx->tenant == NULL || ctx->tenant->nkeys == 0) {
        (void) CRYPTO_memcmp(digest, nobody, sizeof(digest));
        return 0;
    }

    found = 0;

    for (i = 0; i < ctx->tenant->nkeys; i++) {
        if (CRYPTO_memcmp(digest, ctx->tenant->keys + i * sizeof(digest),
                          sizeof(digest))
            == 0)
        {
            found = i + 1;
        }
    }

    return found;
}
