/*
 * What the steps have found, for access logs, keys and answers.  Before its
 * step has run a variable is not found, which a log shows as "-".
 */

#include "ngx_http_sluice_tenant.h"


static ngx_int_t ngx_http_sluice_variable_string(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_sluice_variable_event(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_sluice_variable_verify(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_sluice_variable_secret(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_sluice_variable_limit(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_sluice_variable_enqueue(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_sluice_variable_time(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


#define ngx_http_sluice_variable(name, handler, data)                         \
    { ngx_string(name), NULL, handler, data, NGX_HTTP_VAR_NOCACHEABLE, 0 }


static ngx_http_variable_t  ngx_http_sluice_variables[] = {

    ngx_http_sluice_variable("sluice_tenant", ngx_http_sluice_tenant_variable,
                             offsetof(ngx_http_sluice_tenant_t, id)),

    ngx_http_sluice_variable("sluice_tenant_rate",
                             ngx_http_sluice_tenant_variable,
                             offsetof(ngx_http_sluice_tenant_t, rate)),

    ngx_http_sluice_variable("sluice_tenant_burst",
                             ngx_http_sluice_tenant_variable,
                             offsetof(ngx_http_sluice_tenant_t, burst)),

    ngx_http_sluice_variable("sluice_tenant_class",
                             ngx_http_sluice_tenant_variable,
                             offsetof(ngx_http_sluice_tenant_t, class)),

    ngx_http_sluice_variable("sluice_tenant_queue",
                             ngx_http_sluice_tenant_variable,
                             offsetof(ngx_http_sluice_tenant_t, queue)),

    ngx_http_sluice_variable("sluice_queue", ngx_http_sluice_variable_string,
                             offsetof(ngx_http_sluice_ctx_t, item.queue)),

    ngx_http_sluice_variable("sluice_event_id",
                             ngx_http_sluice_variable_event,
                             offsetof(ngx_http_sluice_ctx_t, event_id)),

    ngx_http_sluice_variable("sluice_job_id", ngx_http_sluice_variable_string,
                             offsetof(ngx_http_sluice_ctx_t, item.id)),

    ngx_http_sluice_variable("sluice_item_number",
                             ngx_http_sluice_variable_string,
                             offsetof(ngx_http_sluice_ctx_t, item.number)),

    ngx_http_sluice_variable("sluice_item_contact",
                             ngx_http_sluice_variable_string,
                             offsetof(ngx_http_sluice_ctx_t, item.contact)),

    ngx_http_sluice_variable("sluice_event_type",
                             ngx_http_sluice_variable_event,
                             offsetof(ngx_http_sluice_ctx_t, event_type)),

    ngx_http_sluice_variable("sluice_verify_status",
                             ngx_http_sluice_variable_verify, 0),

    ngx_http_sluice_variable("sluice_secret_index",
                             ngx_http_sluice_variable_secret, 0),

    ngx_http_sluice_variable("sluice_limit_status",
                             ngx_http_sluice_variable_limit, 0),

    ngx_http_sluice_variable("sluice_enqueue_status",
                             ngx_http_sluice_variable_enqueue, 0),

    ngx_http_sluice_variable("sluice_enqueue_time",
                             ngx_http_sluice_variable_time, 0),

      ngx_http_null_variable
};


static const char  *ngx_http_sluice_verify_statuses[] = {
    "missing", "malformed", "mismatch", "stale", "empty_secret", "unverified"
};

static const char  *ngx_http_sluice_dry_statuses[] = {
    "missing_dry_run", "malformed_dry_run", "mismatch_dry_run",
    "stale_dry_run", "empty_secret_dry_run"
};

static const char  *ngx_http_sluice_enqueue_statuses[] = {
    NULL, "waiting", "accepted", "duplicate", "spooled", "full",
    "away", "unable", "unreplicated", "refused", "limited"
};


ngx_int_t
ngx_http_sluice_variables_add(ngx_conf_t *cf)
{
    ngx_http_variable_t  *v, *var;

    for (v = ngx_http_sluice_variables; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sluice_variable_set(ngx_http_variable_value_t *v, const void *data,
    size_t len)
{
    v->valid = (len != 0);
    v->no_cacheable = 1;
    v->not_found = (len == 0);
    v->escape = 0;
    v->data = (u_char *) data;
    v->len = (unsigned) len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sluice_variable_text(ngx_http_variable_value_t *v, const char *text)
{
    return ngx_http_sluice_variable_set(v, text, text ? ngx_strlen(text) : 0);
}


static ngx_int_t
ngx_http_sluice_variable_string(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t              *s;
    ngx_http_sluice_ctx_t  *ctx;

    ctx = ngx_http_sluice_ctx_find(r);

    if (ctx == NULL) {
        return ngx_http_sluice_variable_set(v, NULL, 0);
    }

    s = (ngx_str_t *) ((u_char *) ctx + data);

    return ngx_http_sluice_variable_set(v, s->data, s->len);
}


/* What the sender says of the event, looked for when somebody asks. */

static ngx_int_t
ngx_http_sluice_variable_event(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_sluice_ctx_t  *ctx;

    ctx = ngx_http_sluice_ctx_find(r);

    if (ctx && ngx_http_sluice_verify_event(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    /* the job's name, where nothing else says what it is */

    if (data == offsetof(ngx_http_sluice_ctx_t, event_type)
        && ctx && ctx->event_type.len == 0)
    {
        data = offsetof(ngx_http_sluice_ctx_t, item.type);
    }

    return ngx_http_sluice_variable_string(r, v, data);
}


/* Of a location with "none" the answer is none, whoever sent the request. */

static ngx_int_t
ngx_http_sluice_variable_verify(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_sluice_ctx_t       *ctx;
    ngx_http_sluice_loc_conf_t  *conf;

    ctx = ngx_http_sluice_ctx_find(r);

    if (ctx && ctx->handshake) {
        return ngx_http_sluice_variable_text(v, ctx->handshake == 1
                                                ? "handshake"
                                                : "handshake_refused");
    }

    if (ctx && ctx->verdict == NGX_HTTP_SLUICE_VALID) {
        return ngx_http_sluice_variable_text(v, "valid");
    }

    if (ctx && ctx->verdict == NGX_HTTP_SLUICE_UNKNOWN) {
        return ngx_http_sluice_variable_text(v, ctx->unproven
                              ? ngx_http_sluice_dry_statuses[ctx->failure]
                              : ngx_http_sluice_verify_statuses[ctx->failure]);
    }

    if (ctx && ctx->unproven) {
        return ngx_http_sluice_variable_text(v, "unverified_dry_run");
    }

    if (ctx && ctx->outcome == NGX_HTTP_SLUICE_REFUSED
        && ctx->why == NGX_HTTP_SLUICE_WHY_UNVERIFIED)
    {
        return ngx_http_sluice_variable_text(v, "unverified");
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_sluice_module);

    if (conf->verify && conf->verify->scheme == NULL) {
        return ngx_http_sluice_variable_text(v, "none");
    }

    return ngx_http_sluice_variable_set(v, NULL, 0);
}


static ngx_int_t
ngx_http_sluice_variable_secret(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_sluice_ctx_t  *ctx;

    static const u_char     digits[] = "0123456789";

    ctx = ngx_http_sluice_ctx_find(r);

    /* there are at most 8 secrets */

    if (ctx == NULL || ctx->secret == 0) {
        return ngx_http_sluice_variable_set(v, NULL, 0);
    }

    return ngx_http_sluice_variable_set(v, &digits[ctx->secret % 10], 1);
}


static ngx_int_t
ngx_http_sluice_variable_limit(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_sluice_ctx_t  *ctx;

    ctx = ngx_http_sluice_ctx_find(r);

    if (ctx == NULL || (!ctx->limited && !ctx->admitted && !ctx->dry_run)) {
        return ngx_http_sluice_variable_set(v, NULL, 0);
    }

    return ngx_http_sluice_variable_text(v, ctx->limited ? "limited"
                                            : ctx->dry_run ? "limited_dry_run"
                                            : "passed");
}


static ngx_int_t
ngx_http_sluice_variable_enqueue(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_sluice_ctx_t  *ctx;

    ctx = ngx_http_sluice_ctx_find(r);

    return ngx_http_sluice_variable_text(v,
                    ctx ? ngx_http_sluice_enqueue_statuses[ctx->job] : NULL);
}


/* Seconds with milliseconds, as $request_time. */

static ngx_int_t
ngx_http_sluice_variable_time(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                 *p;
    ngx_http_sluice_ctx_t  *ctx;

    ctx = ngx_http_sluice_ctx_find(r);

    if (ctx == NULL || ctx->job <= NGX_HTTP_SLUICE_JOB_WAITING) {
        return ngx_http_sluice_variable_set(v, NULL, 0);
    }

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN + 4);
    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_sluice_variable_set(v, p,
                   ngx_sprintf(p, "%T.%03M", (time_t) (ctx->took / 1000),
                               ctx->took % 1000)
                   - p);
}
