/*
 * The ways to say no.  Each counts the request's outcome, logs it for the one
 * who configures, tells the client as little as it needs, and returns what
 * ngx_http_finalize_request() takes.
 */

#include "ngx_http_sluice_module.h"


static const char  *ngx_http_sluice_whys[] = {
    "no signature or key",
    "malformed signature or key",
    "signature or key does not match",
    "signed outside of the tolerance",
    "the secret is empty or unusable",
    "not verified",
    "the tenant is unknown, or it or the queue is not a name",
    "malformed body",
    "method not allowed"
};


/* Anyone can ask for a tenant that has no secret: an error once a minute. */

static ngx_uint_t
ngx_http_sluice_refuse_level(ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf, ngx_http_sluice_why_e why)
{
    if (why == NGX_HTTP_SLUICE_WHY_SECRET
        && ngx_time() - ctx->process->told >= 60)
    {
        ctx->process->told = ngx_time();
        return NGX_LOG_ERR;
    }

    return conf->verify_log_level;
}


void
ngx_http_sluice_refuse_dry(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf, ngx_http_sluice_why_e why)
{
    ngx_uint_t  level;

    if (ctx->unproven) {
        return;
    }

    ctx->unproven = 1;
    ctx->process->slot->dry_run[why]++;

    level = ngx_http_sluice_refuse_level(ctx, conf, why);

    ngx_log_error(level, r->connection->log, 0,
                  "sluice lets the request pass, dry run: %s",
                  ngx_http_sluice_whys[why]);
}


/* Bad signature and unknown tenant look the same from outside. */

ngx_int_t
ngx_http_sluice_refuse(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf, ngx_http_sluice_why_e why)
{
    ngx_str_t               value;
    ngx_uint_t              level;

    static const ngx_str_t  refused = ngx_string(
                                "the request could not be authenticated");
    static const ngx_str_t  unknown = ngx_string("there is no such queue");

    level = ngx_http_sluice_refuse_level(ctx, conf, why);

    ngx_log_error(level, r->connection->log, 0,
                  "sluice refused the request: %s", ngx_http_sluice_whys[why]);

    ngx_http_sluice_status_refused(ctx, why);

    if (conf->verify == NULL || conf->verify->scheme == NULL) {
        return ngx_http_sluice_respond_problem(r, NGX_HTTP_NOT_FOUND,
                                               &unknown);
    }

    if (conf->verify->bearer && conf->verify_status == NGX_HTTP_UNAUTHORIZED) {
        ngx_str_set(&value, "Bearer");

        if (ngx_http_sluice_respond_header(r, "WWW-Authenticate", &value)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return ngx_http_sluice_respond_problem(r, conf->verify_status, &refused);
}


/* Fails closed: nobody asked for a verdict where one is needed. */

ngx_int_t
ngx_http_sluice_refuse_unverified(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx)
{
    static const ngx_str_t  detail = ngx_string(
                                "the request was not verified");

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "sluice refused the request: it reached the content of a "
                  "location with \"sluice_verify\" around the verification");

    ngx_http_sluice_status_refused(ctx, NGX_HTTP_SLUICE_WHY_UNVERIFIED);

    return ngx_http_sluice_respond_problem(r, NGX_HTTP_FORBIDDEN, &detail);
}


/* NGX_DECLINED: the method is right, or the location enqueues nothing. */

ngx_int_t
ngx_http_sluice_refuse_method(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf)
{
    ngx_str_t               value;

    static const ngx_str_t  detail = ngx_string("events are sent by POST");

    if (r->method == NGX_HTTP_POST || conf->enqueue == NULL) {
        return NGX_DECLINED;
    }

    ngx_http_sluice_status_refused(ctx, NGX_HTTP_SLUICE_WHY_METHOD);

    ngx_str_set(&value, "POST");

    if (ngx_http_sluice_respond_header(r, "Allow", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_sluice_respond_problem(r, NGX_HTTP_NOT_ALLOWED, &detail);
}


ngx_int_t
ngx_http_sluice_refuse_body(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_str_t *detail)
{
    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "sluice refused the request: %V", detail);

    ngx_http_sluice_status_refused(ctx, NGX_HTTP_SLUICE_WHY_BODY);

    return ngx_http_sluice_respond_problem(r, NGX_HTTP_BAD_REQUEST, detail);
}


/* The fields are looked at only here: what parses is taken as it is. */

ngx_int_t
ngx_http_sluice_refuse_syntax(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_str_t *detail)
{
    ngx_str_t               value;
    ngx_uint_t              n;
    const char             *field;
    ngx_table_elt_t        *coding;

    static const ngx_str_t  name = ngx_string("content-encoding");
    static const ngx_str_t  coded = ngx_string(
                                "the body has a content coding");

    coding = ngx_http_sluice_header(r, &name,
                                    ngx_hash_key(name.data, name.len), &n);

    if (coding && (n > 1
                   || (coding->value.len
                       && (coding->value.len != sizeof("identity") - 1
                           || ngx_strncasecmp(coding->value.data,
                                              (u_char *) "identity",
                                              sizeof("identity") - 1)
                              != 0))))
    {
        field = "Accept-Encoding";
        ngx_str_set(&value, "identity");
        detail = &coded;

    } else if (!ngx_http_sluice_json_type(r)) {
        field = "Accept";
        ngx_str_set(&value, "application/json");

    } else {
        return ngx_http_sluice_refuse_body(r, ctx, detail);
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "sluice refused the request: %V", detail);

    ngx_http_sluice_status_refused(ctx, NGX_HTTP_SLUICE_WHY_BODY);

    if (ngx_http_sluice_respond_header(r, field, &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_sluice_respond_problem(r, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                           detail);
}


ngx_int_t
ngx_http_sluice_refuse_large(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx)
{
    static const ngx_str_t  detail = ngx_string("the body is too large");

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "sluice refused the request: %V", &detail);

    ngx_http_sluice_status_refused(ctx, NGX_HTTP_SLUICE_WHY_BODY);

    return ngx_http_sluice_respond_problem(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                           &detail);
}


/* Never a 4xx: a sender gives up on those, and the fault is ours. */

ngx_int_t
ngx_http_sluice_refuse_unavailable(ngx_http_request_t *r)
{
    static const ngx_str_t  detail = ngx_string(
                                "the event could not be stored, try again");

    return ngx_http_sluice_refuse_later(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                        &detail);
}


ngx_int_t
ngx_http_sluice_refuse_later(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *detail)
{
    u_char     *p;
    ngx_str_t   value;

    p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value.data = p;
    value.len = ngx_sprintf(p, "%d", NGX_HTTP_SLUICE_RETRY_AFTER) - p;

    if (ngx_http_sluice_respond_header(r, "Retry-After", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_sluice_respond_problem(r, status, detail);
}


ngx_int_t
ngx_http_sluice_refuse_undecided(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, ngx_int_t rc)
{
    if (rc == NGX_DECLINED) {
        return ngx_http_sluice_refuse_large(r, ctx);
    }

    ngx_http_sluice_status_outcome(ctx, NGX_HTTP_SLUICE_FAILED);

    return (rc == NGX_BUSY) ? ngx_http_sluice_refuse_unavailable(r)
                            : NGX_HTTP_INTERNAL_SERVER_ERROR;
}
