/*
 * Whose request this is: a copy of the tenant's entry, for the steps.
 */

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "ngx_http_sluice_tenant.h"


ngx_int_t
ngx_http_sluice_tenant_find(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf)
{
    ctx->tenant = NULL;

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_sluice_tenant_lookup(ngx_http_request_t *r, ngx_http_sluice_by_e by,
    const ngx_str_t *value, ngx_http_sluice_tenant_t **tenant)
{
    *tenant = NULL;

    return NGX_DECLINED;
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
    u_char      digest[32];
    ngx_uint_t  found, i;

    static const u_char  nobody[32];

    if (EVP_Digest(key->data, key->len, digest, NULL, EVP_sha256(), NULL)
        != 1)
    {
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
