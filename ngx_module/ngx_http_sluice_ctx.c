/*
 * The life of a request's state.
 */

#include "ngx_http_sluice_module.h"


static void ngx_http_sluice_ctx_gone(void *data);


ngx_http_sluice_ctx_t *
ngx_http_sluice_ctx_find(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_sluice_ctx_t  *ctx;

    r = r->main;

    ctx = ngx_http_get_module_ctx(r, ngx_http_sluice_module);

    if (ctx || !r->internal) {
        return ctx;
    }

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler == ngx_http_sluice_ctx_gone) {
            ctx = cln->data;

            /* redirected: a secret of variables may be another one by now */

            if (ctx->verified && ctx->verified->variable) {
                ctx->verified = NULL;
            }

            ctx->tenant_of = NULL;

            ngx_http_set_ctx(r, ctx, ngx_http_sluice_module);
            return ctx;
        }
    }

    return NULL;
}


ngx_http_sluice_ctx_t *
ngx_http_sluice_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t           *cln;
    ngx_http_sluice_ctx_t        *ctx;
    ngx_http_sluice_main_conf_t  *mcf;

    ctx = ngx_http_sluice_ctx_find(r);
    if (ctx) {
        return ctx;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_sluice_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    mcf = ngx_http_get_module_main_conf(r, ngx_http_sluice_module);

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_sluice_ctx_t));

    ctx->request = r;
    ctx->item.ctx = ctx;
    ctx->process = ngx_http_sluice_status_process(mcf);

    cln->handler = ngx_http_sluice_ctx_gone;

    ngx_http_set_ctx(r, ctx, ngx_http_sluice_module);

    return ctx;
}


/*
 * The request's pool goes: what became of nothing was aborted, unless NGINX
 * itself refused a body that turned out too large.  The request is still
 * there, being in the pool.
 */

static void
ngx_http_sluice_ctx_gone(void *data)
{
    ngx_http_sluice_ctx_t  *ctx = data;

    if (ctx->request->headers_out.status == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE) {
        ngx_http_sluice_status_refused(ctx, NGX_HTTP_SLUICE_WHY_BODY);

    } else {
        ngx_http_sluice_status_outcome(ctx, NGX_HTTP_SLUICE_ABORTED);
    }

    ngx_http_sluice_status_settle(ctx);
}
