/*
 * The request as a list of steps, by phase:
 *
 *     preaccess    early limits
 *     access       handshake, method, body, signature       (last of all)
 *     precontent   proof of the verdict, body, JSON, tenant, queue, limits
 *     content      the job, Redis, the answer
 *
 * The steps do not call each other.
 */

#include "ngx_http_sluice_split.h"
#include "ngx_http_sluice_tenant.h"


static ngx_int_t ngx_http_sluice_read(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx);
static void ngx_http_sluice_read_done(ngx_http_request_t *r);
static ngx_int_t ngx_http_sluice_parse(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf);
static ngx_uint_t ngx_http_sluice_proven(const ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf);


/* A phase ends here: whatever rc is, the phases do not go on. */

static ngx_int_t
ngx_http_sluice_end(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_finalize_request(r, rc);

    return NGX_DONE;
}


static ngx_inline ngx_uint_t
ngx_http_sluice_verifies(const ngx_http_sluice_loc_conf_t *conf)
{
    return conf->verify && conf->verify->scheme;
}


/* Is the tenant known, or none asked for, or each item's own? */

static ngx_inline ngx_uint_t
ngx_http_sluice_whose(const ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf)
{
    return ctx->tenant || conf->tenant == NULL
           || (conf->split && conf->tenant->by == NGX_HTTP_SLUICE_BY_NUMBER);
}


ngx_int_t
ngx_http_sluice_preaccess_handler(ngx_http_request_t *r)
{
    ngx_int_t                          rc;
    ngx_http_sluice_ctx_t             *ctx;
    const ngx_http_sluice_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_sluice_module);

    if (!conf->early || r != r->main) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_sluice_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_sluice_limit_step(r, ctx, conf, 1);

    return (rc == NGX_DECLINED) ? rc : ngx_http_sluice_end(r, rc);
}


ngx_int_t
ngx_http_sluice_access_handler(ngx_http_request_t *r)
{
    ngx_int_t                          rc;
    ngx_http_sluice_ctx_t             *ctx;
    const ngx_http_sluice_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_sluice_module);

    if (!ngx_http_sluice_verifies(conf)) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_sluice_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_sluice_verify_greeting(r, ctx, conf);

    if (rc == NGX_OK) {
        return ngx_http_sluice_end(r,
                                   ngx_http_sluice_respond_handshake(r, ctx));
    }

    ngx_http_sluice_status_received(ctx, conf->enqueue != NULL);

    if (rc != NGX_DECLINED) {
        return ngx_http_sluice_end(r,
                                   ngx_http_sluice_refuse_undecided(r, ctx,
                                                                    rc));
    }

    rc = ngx_http_sluice_refuse_method(r, ctx, conf);

    if (rc != NGX_DECLINED) {
        return ngx_http_sluice_end(r, rc);
    }

    if (ngx_http_sluice_verify_body(conf->verify)
        || ngx_http_sluice_tenant_body(conf))
    {
        rc = ngx_http_sluice_read(r, ctx);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    rc = ngx_http_sluice_tenant_step(r, ctx, conf);

    if (rc != NGX_DECLINED) {
        return ngx_http_sluice_end(r, rc);
    }

    if (ctx->verified != conf->verify) {
        rc = ngx_http_sluice_verify_check(r, ctx, conf);

        if (rc != NGX_OK) {
            return ngx_http_sluice_end(r,
                                   ngx_http_sluice_refuse_undecided(r, ctx,
                                                                    rc));
        }
    }

    if (!ngx_http_sluice_whose(ctx, conf)) {
        return ngx_http_sluice_end(r,
                        ngx_http_sluice_refuse(r, ctx, conf,
                                               NGX_HTTP_SLUICE_WHY_TENANT));
    }

    if (ctx->reply) {
        ngx_http_sluice_status_outcome(ctx, NGX_HTTP_SLUICE_PASSED);
        return ngx_http_sluice_end(r,
                                   ngx_http_sluice_respond_handshake(r, ctx));
    }

    if (ctx->verdict == NGX_HTTP_SLUICE_VALID) {
        return NGX_OK;
    }

    if (conf->verify_dry_run) {
        ngx_http_sluice_refuse_dry(r, ctx, conf, ctx->failure);

        /* it is not stopped here, and "satisfy any" is not satisfied by it */

        return NGX_DECLINED;
    }

    return ngx_http_sluice_end(r,
                         ngx_http_sluice_refuse(r, ctx, conf, ctx->failure));
}


ngx_int_t
ngx_http_sluice_precontent_handler(ngx_http_request_t *r)
{
    ngx_int_t                          rc;
    ngx_http_sluice_ctx_t             *ctx;
    const ngx_http_sluice_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_sluice_module);

    if (!ngx_http_sluice_verifies(conf) && !conf->late
        && conf->pointers == NULL && conf->enqueue == NULL
        && conf->tenant == NULL)
    {
        return NGX_DECLINED;
    }

    if (r != r->main) {

        /*
         * The access phase did not run, and there is no body to look at.  What
         * the main request has proven holds for its parts, unless the secret
         * may be another one here.
         */

        ctx = ngx_http_sluice_ctx_find(r);

        if (ngx_http_sluice_verifies(conf) && !conf->verify_dry_run
            && (ctx == NULL || conf->verify->variable
                || !ngx_http_sluice_proven(ctx, conf)))
        {
            return NGX_HTTP_FORBIDDEN;
        }

        return NGX_DECLINED;
    }

    ctx = ngx_http_sluice_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_sluice_status_received(ctx, conf->enqueue != NULL);

    if (!ngx_http_sluice_proven(ctx, conf)) {

        if (!conf->verify_dry_run) {
            return ngx_http_sluice_end(r,
                                   ngx_http_sluice_refuse_unverified(r, ctx));
        }

        ngx_http_sluice_refuse_dry(r, ctx, conf,
                                   NGX_HTTP_SLUICE_WHY_UNVERIFIED);
    }

    rc = ngx_http_sluice_refuse_method(r, ctx, conf);

    if (rc != NGX_DECLINED) {
        return ngx_http_sluice_end(r, rc);
    }

    if (conf->pointers || conf->enqueue) {

        rc = ngx_http_sluice_read(r, ctx);

        if (rc != NGX_OK) {
            return rc;
        }

        rc = ngx_http_sluice_parse(r, ctx, conf);

        if (rc != NGX_DECLINED) {
            return ngx_http_sluice_end(r, rc);
        }
    }

    rc = ngx_http_sluice_tenant_step(r, ctx, conf);

    if (rc != NGX_DECLINED) {
        return ngx_http_sluice_end(r, rc);
    }

    if (conf->enqueue && ctx->item.base.data) {

        /* of the location that led here by its error_page */

        ngx_memzero(&ctx->item, sizeof(ngx_http_sluice_item_t));
        ctx->item.ctx = ctx;
    }

    if (conf->split) {
        rc = ngx_http_sluice_whose(ctx, conf) ? NGX_OK : NGX_DECLINED;

    } else {
        rc = ngx_http_sluice_tenant_quarantine(ctx, conf);

        if (rc == NGX_AGAIN && conf->enqueue) {
            rc = ngx_http_sluice_enqueue_names(r, &ctx->item, conf->enqueue);
        }
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_sluice_end(r,
                        ngx_http_sluice_refuse(r, ctx, conf,
                                               NGX_HTTP_SLUICE_WHY_TENANT));
    }

    if (rc == NGX_ERROR) {
        ngx_http_sluice_status_outcome(ctx, NGX_HTTP_SLUICE_FAILED);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (conf->enqueue && conf->depth && conf->split == NULL) {
        rc = ngx_http_sluice_depth_step(r, ctx, conf);

        if (rc != NGX_DECLINED) {
            return ngx_http_sluice_end(r, rc);
        }
    }

    if (conf->late && conf->split == NULL) {
        rc = ngx_http_sluice_limit_step(r, ctx, conf, 0);

        if (rc != NGX_DECLINED) {
            return ngx_http_sluice_end(r, rc);
        }
    }

    if (conf->enqueue == NULL) {
        ngx_http_sluice_status_outcome(ctx, NGX_HTTP_SLUICE_PASSED);
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_sluice_content_handler(ngx_http_request_t *r)
{
    ngx_int_t                          rc;
    ngx_http_sluice_ctx_t             *ctx;
    const ngx_http_sluice_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_sluice_module);

    if (r != r->main) {
        return NGX_HTTP_FORBIDDEN;
    }

    ctx = ngx_http_sluice_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if ((!ngx_http_sluice_proven(ctx, conf) && !conf->verify_dry_run)
        || !ctx->body_read)
    {
        return ngx_http_sluice_refuse_unverified(r, ctx);
    }

    rc = ngx_http_sluice_push(r, ctx, conf);

    if (rc == NGX_DONE) {

        /* dropped by the finalizing in ngx_http_sluice_enqueued() */

        r->main->count++;
    }

    return rc;
}


/* The content of a location with "sluice_respond" alone. */

ngx_int_t
ngx_http_sluice_respond_handler(ngx_http_request_t *r)
{
    const ngx_http_sluice_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_sluice_module);

    if (ngx_http_discard_request_body(r) != NGX_OK) {
        r->keepalive = 0;
    }

    return ngx_http_sluice_respond_send(r, conf->respond);
}


/*
 * NGX_OK: the body is there; else what the phase handler returns.  When the
 * body comes later the phases go on at the same handler, which reads again.
 */

static ngx_int_t
ngx_http_sluice_read(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (ctx->body_read) {
        return NGX_OK;
    }

    rc = ngx_http_read_client_request_body(r, ngx_http_sluice_read_done);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return ngx_http_sluice_end(r, NGX_DONE);
}


static void
ngx_http_sluice_read_done(ngx_http_request_t *r)
{
    ngx_http_sluice_ctx_t  *ctx;

    ctx = ngx_http_sluice_ctx_find(r);

    if (ctx == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ctx->body_read = 1;

    r->preserve_body = 1;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
}


/*
 * Verified first, parsed after.  NGX_DECLINED: the values are in ctx, or the
 * body is not JSON and does not have to be; else it was refused.
 */

static ngx_int_t
ngx_http_sluice_parse(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf)
{
    ngx_int_t               rc;
    ngx_str_t               detail;
    ngx_uint_t              raw;

    static const ngx_str_t  empty = ngx_string("the body is empty");

    rc = ngx_http_sluice_body_join(r, ctx);

    if (rc == NGX_DECLINED) {
        return ngx_http_sluice_refuse_large(r, ctx);
    }

    if (rc != NGX_OK) {
        ngx_http_sluice_status_outcome(ctx, NGX_HTTP_SLUICE_FAILED);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->body.len == 0) {

        /* "sluice_json" of a server is also that of its pages */

        if (conf->enqueue == NULL
            && (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_OPTIONS))
            && !ngx_http_sluice_json_required(conf->pointers))
        {
            return NGX_DECLINED;
        }

        return ngx_http_sluice_refuse_body(r, ctx, &empty);
    }

    raw = conf->enqueue && (conf->enqueue->raw || conf->split
                            || conf->enqueue->nredact);

    ctx->is_json = raw || (conf->pointers && conf->pointers->n)
                   || ngx_http_sluice_json_type(r);

    if (!ctx->is_json) {
        return NGX_DECLINED;
    }

    rc = ngx_http_sluice_json_scan(r, ctx, conf->pointers, &detail);

    if (rc == NGX_OK && conf->split) {
        rc = ngx_http_sluice_split_read(r, ctx, &detail);
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_sluice_refuse_large(r, ctx);
    }

    if (rc == NGX_HTTP_BAD_REQUEST) {
        return ngx_http_sluice_refuse_body(r, ctx, &detail);
    }

    if (rc == NGX_HTTP_UNSUPPORTED_MEDIA_TYPE) {
        return ngx_http_sluice_refuse_syntax(r, ctx, &detail);
    }

    if (rc != NGX_OK) {
        ngx_http_sluice_status_outcome(ctx, NGX_HTTP_SLUICE_FAILED);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_http_sluice_proven(const ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf)
{
    return !ngx_http_sluice_verifies(conf)
           || (ctx->verified == conf->verify
               && ctx->verdict == NGX_HTTP_SLUICE_VALID);
}
