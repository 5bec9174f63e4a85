/*
 * One job from one request: whose queue, which id, what is stored.
 */

#include "ngx_http_sluice_module.h"


static ngx_int_t ngx_http_sluice_enqueue_prefix(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_enqueue_t *enqueue,
    ngx_str_t *prefix);
static ngx_int_t ngx_http_sluice_enqueue_id(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_enqueue_t *enqueue);
static ngx_int_t ngx_http_sluice_enqueue_type(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_enqueue_t *enqueue,
    const ngx_http_sluice_verify_t *verify);
static ngx_int_t ngx_http_sluice_enqueue_opts(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_enqueue_t *enqueue);
static ngx_int_t ngx_http_sluice_enqueue_envelope(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_enqueue_t *enqueue,
    const ngx_http_sluice_verify_t *verify);
static size_t ngx_http_sluice_enqueue_headers(ngx_http_request_t *r,
    const ngx_http_sluice_enqueue_t *enqueue, sluice_text_t *pairs);


static ngx_inline sluice_text_t
ngx_http_sluice_text(const ngx_str_t *s)
{
    sluice_text_t  text;

    text.data = (const char *) s->data;
    text.len = s->len;

    return text;
}


ngx_int_t
ngx_http_sluice_enqueue_names(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_enqueue_t *enqueue)
{
    u_char      base[SLUICE_KEYS_MAX];
    size_t      len;
    ngx_int_t   rc;
    ngx_str_t   prefix;

    ngx_str_null(&ctx->tenant);

    if (enqueue->base.len) {
        ctx->base = enqueue->base;
        ctx->queue = enqueue->queue.value;

        if (enqueue->tenant) {
            ctx->tenant = enqueue->tenant->value;
        }

        return NGX_OK;
    }

    if (ngx_http_complex_value(r,
                               (ngx_http_complex_value_t *) &enqueue->queue,
                               &ctx->queue)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!sluice_keys_name_ok((char *) ctx->queue.data, ctx->queue.len)) {
        ngx_str_null(&ctx->queue);
        return NGX_DECLINED;
    }

    rc = ngx_http_sluice_enqueue_prefix(r, ctx, enqueue, &prefix);

    if (rc != NGX_OK) {
        return rc;
    }

    len = ngx_http_sluice_enqueue_base(base,
                                       enqueue->tenant ? &ctx->tenant : NULL,
                                       enqueue->prefix ? &prefix : NULL,
                                       &ctx->queue);
    if (len == 0) {
        return NGX_DECLINED;
    }

    ctx->base.data = ngx_pnalloc(r->pool, len);
    if (ctx->base.data == NULL) {
        return NGX_ERROR;
    }

    ctx->base.len = len;
    ngx_memcpy(ctx->base.data, base, len);

    return NGX_OK;
}


/*
 * ctx->tenant or *prefix.  What comes from a request is a name, or a name in
 * braces for prefix=.
 */

static ngx_int_t
ngx_http_sluice_enqueue_prefix(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_enqueue_t *enqueue,
    ngx_str_t *prefix)
{
    char    *name;
    size_t   n;

    if (enqueue->tenant) {

        if (ngx_http_complex_value(r, enqueue->tenant, &ctx->tenant)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (!sluice_keys_name_ok((char *) ctx->tenant.data, ctx->tenant.len)) {
            ngx_str_null(&ctx->tenant);
            return NGX_DECLINED;
        }

        return NGX_OK;
    }

    if (enqueue->prefix == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, enqueue->prefix, prefix) != NGX_OK) {
        return NGX_ERROR;
    }

    if (enqueue->prefix->lengths) {
        name = (char *) prefix->data;
        n = prefix->len;

        if (n > 2 && name[0] == '{' && name[n - 1] == '}') {
            name++;
            n -= 2;
        }

        if (!sluice_keys_name_ok(name, n)) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


size_t
ngx_http_sluice_enqueue_base(u_char *base, const ngx_str_t *tenant,
    const ngx_str_t *prefix, const ngx_str_t *queue)
{
    char         own[SLUICE_KEYS_MAX];
    size_t       len;
    const char  *p;

    p = "bull";
    len = sizeof("bull") - 1;

    if (tenant) {
        len = sluice_keys_tenant_prefix(own, sizeof(own),
                                        (char *) tenant->data, tenant->len);
        p = own;

    } else if (prefix) {
        p = (char *) prefix->data;
        len = prefix->len;
    }

    return sluice_keys_base((char *) base, SLUICE_KEYS_MAX, p, len,
                            (char *) queue->data, queue->len);
}


ngx_int_t
ngx_http_sluice_enqueue_job(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_enqueue_t *enqueue,
    const ngx_http_sluice_verify_t *verify)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();
    ctx->time = (int64_t) tp->sec * 1000 + tp->msec;

    if (ngx_http_sluice_enqueue_id(r, ctx, enqueue) != NGX_OK
        || ngx_http_sluice_enqueue_type(r, ctx, enqueue, verify) != NGX_OK
        || ngx_http_sluice_enqueue_opts(r, ctx, enqueue) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (enqueue->raw) {
        ngx_str_null(&ctx->head);
        ngx_str_null(&ctx->tail);
        ctx->data = ctx->body;

        return NGX_OK;
    }

    return ngx_http_sluice_enqueue_envelope(r, ctx, enqueue, verify);
}


static ngx_int_t
ngx_http_sluice_enqueue_id(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_enqueue_t *enqueue)
{
    ngx_str_t                   value;
    ngx_http_sluice_process_t  *process;

    ctx->id.data = ngx_pnalloc(r->pool, SLUICE_KEYS_ID_MAX + 1);
    if (ctx->id.data == NULL) {
        return NGX_ERROR;
    }

    ngx_str_null(&value);

    if (enqueue->id
        && ngx_http_complex_value(r, enqueue->id, &value) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (value.len) {
        ctx->id.len = sluice_keys_job_id((char *) ctx->id.data, enqueue->kind,
                                         (char *) value.data, value.len);

    } else {
        process = ctx->process;

        ctx->id.len = sluice_keys_new_id((char *) ctx->id.data, enqueue->kind,
                                         ctx->time, process->random,
                                         process->sequence++);
    }

    return ctx->id.len ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_sluice_enqueue_type(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_enqueue_t *enqueue,
    const ngx_http_sluice_verify_t *verify)
{
    if (enqueue->name) {

        if (ngx_http_complex_value(r, enqueue->name, &ctx->type) != NGX_OK) {
            return NGX_ERROR;
        }

        if (ctx->type.len > NGX_HTTP_SLUICE_NAME
            || !sluice_json_is_text(ctx->type.data, ctx->type.len))
        {
            ngx_str_null(&ctx->type);
        }

    } else if (ngx_http_sluice_json_event(r, ctx, &ctx->type) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->type.len == 0) {
        ctx->type = verify->name;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sluice_enqueue_opts(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_enqueue_t *enqueue)
{
    int64_t            number;
    ngx_str_t          value;
    sluice_job_opts_t  options;

    ctx->opts = enqueue->opts;
    ctx->priority = enqueue->options.priority;
    ctx->delay = enqueue->options.delay;

    if (enqueue->priority == NULL && enqueue->delay == NULL) {
        return NGX_OK;
    }

    if (enqueue->priority) {

        if (ngx_http_complex_value(r, enqueue->priority, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        number = value.len ? sluice_job_priority((char *) value.data,
                                                 value.len)
                           : 0;

        if (number < 0) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "sluice_enqueue: the value of \"%V\" is not a "
                          "priority, none is set", &enqueue->priority->value);
            number = 0;
        }

        ctx->priority = number;
    }

    if (enqueue->delay) {

        if (ngx_http_complex_value(r, enqueue->delay, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        number = value.len ? ngx_http_sluice_delay(&value) : 0;

        if (number < 0 || number > NGX_HTTP_SLUICE_DELAY_MAX) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "sluice_enqueue: the value of \"%V\" is not a "
                          "time, none is set", &enqueue->delay->value);
            number = 0;
        }

        ctx->delay = number;
    }

    ctx->opts.data = ngx_pnalloc(r->pool, SLUICE_JOB_OPTS_MAX);
    if (ctx->opts.data == NULL) {
        return NGX_ERROR;
    }

    options = enqueue->options;
    options.priority = ctx->priority;
    options.delay = ctx->delay;

    ctx->opts.len = sluice_job_opts((char *) ctx->opts.data, &options);

    return NGX_OK;
}


static ngx_int_t
ngx_http_sluice_enqueue_envelope(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_enqueue_t *enqueue,
    const ngx_http_sluice_verify_t *verify)
{
    u_char             *p;
    size_t              body;
    ngx_str_t           source;
    sluice_text_t       headers[2 * NGX_HTTP_SLUICE_HEADERS];
    sluice_envelope_t   envelope;

    source = r->unparsed_uri;
    p = ngx_strlchr(source.data, source.data + source.len, '?');

    if (p) {
        source.len = p - source.data;
    }

    ngx_memzero(&envelope, sizeof(sluice_envelope_t));

    envelope.id = ngx_http_sluice_text(&ctx->id);
    envelope.source = ngx_http_sluice_text(&source);
    envelope.type = ngx_http_sluice_text(&ctx->type);
    envelope.time_ms = ctx->time;
    envelope.tenant = ngx_http_sluice_text(&ctx->tenant);
    envelope.scheme = ngx_http_sluice_text(&verify->name);
    envelope.verified = ctx->verified == verify
                        && ctx->verdict == NGX_HTTP_SLUICE_VALID;

    if (r->headers_in.content_type) {
        envelope.content_type =
                  ngx_http_sluice_text(&r->headers_in.content_type->value);
    }

    envelope.headers = headers;
    envelope.nheaders = ngx_http_sluice_enqueue_headers(r, enqueue, headers);

    if (ctx->is_json) {
        envelope.data = SLUICE_ENVELOPE_JSON;

    } else if (sluice_json_is_text(ctx->body.data, ctx->body.len)) {
        envelope.data = SLUICE_ENVELOPE_TEXT;

    } else {
        envelope.data = SLUICE_ENVELOPE_BINARY;
    }

    ctx->head.len = sluice_envelope_head(NULL, &envelope);
    ctx->tail.len = sluice_envelope_tail(NULL, &envelope);
    body = ctx->is_json ? 0 : sluice_envelope_body(NULL, &envelope,
                                                   ctx->body.data,
                                                   ctx->body.len);

    if (ctx->head.len + ctx->tail.len + (ctx->is_json ? ctx->body.len : body)
        > NGX_HTTP_SLUICE_DATA_MAX)
    {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(r->pool, ctx->head.len + ctx->tail.len + body);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->head.data = p;
    p += sluice_envelope_head(p, &envelope);

    ctx->tail.data = p;
    p += sluice_envelope_tail(p, &envelope);

    if (ctx->is_json) {
        ctx->data = ctx->body;

    } else {
        ctx->data.data = p;
        ctx->data.len = sluice_envelope_body(p, &envelope, ctx->body.data,
                                             ctx->body.len);
    }

    return NGX_OK;
}


/* The first of each name in the list; the rest of the request stays here. */

static size_t
ngx_http_sluice_enqueue_headers(ngx_http_request_t *r,
    const ngx_http_sluice_enqueue_t *enqueue, sluice_text_t *pairs)
{
    size_t            pair;
    ngx_uint_t        i, n;
    ngx_table_elt_t  *h;

    pair = 0;

    for (i = 0; i < enqueue->nheaders; i++) {

        h = ngx_http_sluice_header(r, &enqueue->headers[i],
                                   enqueue->hashes[i], &n);
        if (h) {
            pairs[2 * pair] = ngx_http_sluice_text(&enqueue->headers[i]);
            pairs[2 * pair + 1] = ngx_http_sluice_text(&h->value);
            pair++;
        }
    }

    return pair;
}
