/*
 * The tenant of a request: what the other steps need to know.  The table that
 * it comes from is in ngx_http_sluice_table.h.
 */

#ifndef NGX_HTTP_SLUICE_TENANT_H
#define NGX_HTTP_SLUICE_TENANT_H

#include "ngx_http_sluice_module.h"


/* sluice_tenant */

typedef enum {
    NGX_HTTP_SLUICE_BY_ID = 0,
    NGX_HTTP_SLUICE_BY_PATH,
    NGX_HTTP_SLUICE_BY_API_KEY,
    NGX_HTTP_SLUICE_BY_NUMBER
} ngx_http_sluice_by_e;

struct ngx_http_sluice_tenant_conf_s {
    ngx_http_complex_value_t        value;
    ngx_http_sluice_by_e            by;
    ngx_str_t                       quarantine; /* a queue; len 0: none */
    ngx_str_t                       base[2];    /* of it; in a cluster */
};

typedef struct {
    ngx_str_t                       scheme;     /* of core/scheme.h, or
                                                   "verify_token" */
    ngx_str_t                       value;
} ngx_http_sluice_tenant_secret_t;

/* A copy of a table's entry in the request's pool: one version, whole. */

struct ngx_http_sluice_tenant_s {
    ngx_str_t                       id;
    ngx_str_t                       queue;      /* never empty */
    ngx_str_t                       rate;       /* these may be empty */
    ngx_str_t                       burst;
    ngx_str_t                       class;
    ngx_uint_t                      nsecrets;
    ngx_http_sluice_tenant_secret_t *secrets;
    ngx_uint_t                      nkeys;
    u_char                         *keys;       /* SHA-256 of API keys */
};


/* _tenant_conf.c, _tenant.c */

char *ngx_http_sluice_tenants(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_sluice_tenant(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
/* What a location inherits, and what it tells its "sluice_enqueue" */
char *ngx_http_sluice_tenant_merge(ngx_conf_t *cf,
    const ngx_http_sluice_loc_conf_t *prev, ngx_http_sluice_loc_conf_t *conf);

/*
 * Whose request this is, by the location's "sluice_tenant": looked up once for
 * a value, left in ctx->tenant.  NGX_OK; NGX_DECLINED: unknown or disabled, or
 * the location has no "sluice_tenant" (ctx->tenant is NULL); NGX_BUSY: the
 * table was never loaded (503, never a 4xx); NGX_ERROR.
 */
ngx_int_t ngx_http_sluice_tenant_find(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf);

/* Is the value in the body?  Then that has to be there for the step. */
ngx_uint_t ngx_http_sluice_tenant_body(const ngx_http_sluice_loc_conf_t *conf);

/*
 * The step: ctx->tenant is not asked for again.  NGX_DECLINED, also for a
 * tenant that is unknown; else what ngx_http_finalize_request() takes.
 */
ngx_int_t ngx_http_sluice_tenant_step(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf);

/*
 * Of an unknown tenant, after the verification.  NGX_OK: the item goes to the
 * location's quarantine; NGX_DECLINED: it is refused; NGX_AGAIN: the tenant is
 * known, or the location has none.
 */
ngx_int_t ngx_http_sluice_tenant_quarantine(ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf);

/*
 * The tenant's secrets of a scheme ("verify_token": what its handshake must
 * bring), NGX_HTTP_SLUICE_SECRETS at most.  0 for an unknown tenant: that must
 * cost what one secret costs.  They live as long as the request.
 */
ngx_uint_t ngx_http_sluice_tenant_secrets(const ngx_http_sluice_ctx_t *ctx,
    const ngx_str_t *scheme, ngx_str_t *secrets);

/*
 * "sluice_verify api_key secret=tenant": is the digest of the key (without its
 * "Bearer ") one of the tenant's?  Which one, from 1, or 0.  Costs the same
 * for an unknown tenant.
 */
ngx_uint_t ngx_http_sluice_tenant_api_key(const ngx_http_sluice_ctx_t *ctx,
    const ngx_str_t *key);

/* $sluice_tenant...: `data` is the offset of the ngx_str_t in the tenant. */
ngx_int_t ngx_http_sluice_tenant_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

/*
 * For an item of its own ("sluice_split"): the tenant of a value, in the
 * request's pool.  As ngx_http_sluice_tenant_find(), and nothing is kept.
 */
ngx_int_t ngx_http_sluice_tenant_lookup(ngx_http_request_t *r,
    ngx_http_sluice_by_e by, const ngx_str_t *value,
    ngx_http_sluice_tenant_t **tenant);


#endif
