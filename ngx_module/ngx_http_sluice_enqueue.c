/*
 * One job from one request: whose queue, which id, what is stored.
 */

#include "ngx_http_sluice_tenant.h"
#include "ngx_http_sluice_split.h"


static ngx_int_t ngx_http_sluice_enqueue_prefix(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_enqueue_t *enqueue,
    ngx_str_t *prefix);
static ngx_int_t ngx_http_sluice_enqueue_id(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_enqueue_t *enqueue);
static ngx_int_t ngx_http_sluice_enqueue_type(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_enqueue_t *enqueue,
    const ngx_http_sluice_verify_t *verify);
static ngx_int_t ngx_http_sluice_enqueue_data(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_loc_conf_t *conf);
static ngx_int_t ngx_http_sluice_enqueue_envelope(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_enqueue_t *enqueue,
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
    ngx_http_sluice_item_t *item, const ngx_http_sluice_enqueue_t *enqueue)
{
    u_char      base[SLUICE_KEYS_MAX];
    size_t      len;
    ngx_int_t   rc;
    ngx_str_t   prefix;

    ngx_str_null(&item->tenant);

    if (enqueue->base.len) {
        item->base = enqueue->base;
        item->queue = enqueue->queue.value;

        if (enqueue->tenant) {
            item->tenant = enqueue->tenant->value;
        }

        return NGX_OK;
    }

    if (ngx_http_complex_value(r,
                               (ngx_http_complex_value_t *) &enqueue->queue,
                               &item->queue)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!sluice_keys_name_ok((char *) item->queue.data, item->queue.len)) {
        ngx_str_null(&item->queue);
        return NGX_DECLINED;
    }

    rc = ngx_http_sluice_enqueue_prefix(r, item, enqueue, &prefix);

    if (rc != NGX_OK) {
        return rc;
    }

    len = ngx_http_sluice_enqueue_base(base,
                                       item->tenant.len ? &item->tenant : NULL,
                                       enqueue->prefix ? &prefix : NULL,
                                       &item->queue);
    if (len == 0) {
        return NGX_DECLINED;
    }

    item->base.data = ngx_pnalloc(r->pool, len);
    if (item->base.data == NULL) {
        return NGX_ERROR;
    }

    item->base.len = len;
    ngx_memcpy(item->base.data, base, len);

    return NGX_OK;
}


/*
 * The item's tenant or *prefix.  What comes from a request is a name, or a name
 * in braces for prefix=.
 */

static ngx_int_t
ngx_http_sluice_enqueue_prefix(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_enqueue_t *enqueue,
    ngx_str_t *prefix)
{
    char    *name;
    size_t   n;

    if (enqueue->whose) {

        if (item->ctx->tenant == NULL) {
            return NGX_DECLINED;
        }

        item->tenant = item->ctx->tenant->id;

        return NGX_OK;
    }

    if (enqueue->tenant) {

        if (ngx_http_complex_value(r, enqueue->tenant, &item->tenant)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (!sluice_keys_name_ok((char *) item->tenant.data,
                                 item->tenant.len))
        {
            ngx_str_null(&item->tenant);
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

        if (!sluice_keys_name_ok(name, n)
            || (enqueue->cluster && name == (char *) prefix->data))
        {
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
ngx_http_sluice_enqueue_job(ngx_http_request_t *r, ngx_http_sluice_item_t *item,
    const ngx_http_sluice_loc_conf_t *conf)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();
    item->ctx->time = (int64_t) tp->sec * 1000 + tp->msec;

    if (ngx_http_sluice_enqueue_type(r, item, conf->enqueue, conf->verify)
        != NGX_OK
        || ngx_http_sluice_dedupe_event(r, item, conf) != NGX_OK
        || ngx_http_sluice_enqueue_id(r, item, conf->enqueue) != NGX_OK
        || ngx_http_sluice_enqueue_opts(r, item, conf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_sluice_enqueue_data(r, item, conf);
}


static ngx_int_t
ngx_http_sluice_enqueue_id(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_enqueue_t *enqueue)
{
    ngx_str_t                   value;
    ngx_http_sluice_process_t  *process;

    item->id.data = ngx_pnalloc(r->pool, SLUICE_KEYS_ID_MAX + 1);
    if (item->id.data == NULL) {
        return NGX_ERROR;
    }

    ngx_str_null(&value);

    if (enqueue->id
        && ngx_http_complex_value(r, enqueue->id, &value) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (value.len) {
        item->id.len = sluice_keys_job_id((char *) item->id.data,
                                          enqueue->kind, (char *) value.data,
                                          value.len);

    } else if (item->event.len) {
        item->id.len = ngx_sprintf(item->id.data, "%c-%V", enqueue->kind,
                                   &item->event)
                       - item->id.data;

    } else {
        process = item->ctx->process;

        item->id.len = sluice_keys_new_id((char *) item->id.data,
                                          enqueue->kind, item->ctx->time,
                                          process->random,
                                          process->sequence++);
    }

    return item->id.len ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_sluice_enqueue_type(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_enqueue_t *enqueue,
    const ngx_http_sluice_verify_t *verify)
{
    ngx_int_t  rc;

    if (enqueue->name) {

        if (ngx_http_complex_value(r, enqueue->name, &item->type) != NGX_OK) {
            return NGX_ERROR;
        }

        if (item->type.len > NGX_HTTP_SLUICE_NAME
            || !sluice_json_is_text(item->type.data, item->type.len))
        {
            ngx_str_null(&item->type);
        }

    } else if (item->part
               && (rc = ngx_http_sluice_split_type(r, item)) != NGX_DECLINED)
    {
        if (rc != NGX_OK) {
            return NGX_ERROR;
        }

    } else if (verify->meta) {

        /* found on the way, when the body was scanned */

        if (ngx_http_sluice_json_event(r, item->ctx, &item->type) != NGX_OK) {
            return NGX_ERROR;
        }

    } else {

        if (ngx_http_sluice_verify_event(r, item->ctx) != NGX_OK) {
            return NGX_ERROR;
        }

        item->type = item->ctx->event_type;
    }

    if (item->type.len == 0) {
        item->type = verify->name;
    }

    return NGX_OK;
}


/* The item's webhook, or the body; and what is around it. */

static ngx_int_t
ngx_http_sluice_enqueue_data(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_loc_conf_t *conf)
{
    ngx_int_t               rc;
    u_char                 *p;
    ngx_str_t               head, tail;
    const sluice_split_t   *split;
    const sluice_text_t    *data;

    if (conf->enqueue->raw) {
        ngx_str_null(&item->head);
        ngx_str_null(&item->tail);
        item->data = item->ctx->body;

    } else {
        rc = ngx_http_sluice_enqueue_envelope(r, item, conf->enqueue,
                                              conf->verify);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (conf->enqueue->nredact) {
        return ngx_http_sluice_json_redact(r, item->ctx, &item->data);
    }

    if (item->part == NULL) {
        return NGX_OK;
    }

    split = item->ctx->split;
    head = item->head;
    tail = item->tail;

    item->head.len += sluice_split_head(NULL, split, item->part);
    item->tail.len += sluice_split_tail(NULL, split, item->part);

    if (item->head.len + item->tail.len > NGX_HTTP_SLUICE_DATA_MAX) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(r->pool, item->head.len + item->tail.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    item->head.data = p;
    p = ngx_cpymem(p, head.data, head.len);
    p += sluice_split_head(p, split, item->part);

    item->tail.data = p;
    p += sluice_split_tail(p, split, item->part);
    ngx_memcpy(p, tail.data, tail.len);

    data = sluice_split_data(split, item->part);

    item->data.data = (u_char *) data->data;
    item->data.len = data->len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sluice_enqueue_envelope(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_enqueue_t *enqueue,
    const ngx_http_sluice_verify_t *verify)
{
    const ngx_http_sluice_ctx_t *ctx = item->ctx;

    u_char             *p, head[4096];
    size_t              body;
    ngx_str_t           source;
    ngx_uint_t          short_head;
    sluice_text_t       headers[2 * NGX_HTTP_SLUICE_HEADERS];
    sluice_envelope_t   envelope;

    source = r->unparsed_uri;
    p = ngx_strlchr(source.data, source.data + source.len, '?');

    if (p) {
        source.len = p - source.data;
    }

    ngx_memzero(&envelope, sizeof(sluice_envelope_t));

    envelope.id = ngx_http_sluice_text(&item->id);
    envelope.source = ngx_http_sluice_text(&source);
    envelope.type = ngx_http_sluice_text(&item->type);
    envelope.time_ms = ctx->time;
    envelope.tenant = ngx_http_sluice_text(&item->tenant);
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

    /* most are written at once, and not measured before */

    short_head = sluice_envelope_room(&envelope) <= sizeof(head);

    item->head.len = sluice_envelope_head(short_head ? head : NULL, &envelope);
    item->tail.len = sluice_envelope_tail(NULL, &envelope);
    body = ctx->is_json ? 0 : sluice_envelope_body(NULL, &envelope,
                                                   ctx->body.data,
                                                   ctx->body.len);

    if (item->head.len + item->tail.len
        + (ctx->is_json ? ctx->body.len : body)
        > NGX_HTTP_SLUICE_DATA_MAX)
    {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(r->pool, item->head.len + item->tail.len + body);
    if (p == NULL) {
        return NGX_ERROR;
    }

    item->head.data = p;

    p = short_head ? ngx_cpymem(p, head, item->head.len)
                   : p + sluice_envelope_head(p, &envelope);

    item->tail.data = p;
    p += sluice_envelope_tail(p, &envelope);

    if (ctx->is_json) {
        item->data = ctx->body;

    } else {
        item->data.data = p;
        item->data.len = sluice_envelope_body(p, &envelope, ctx->body.data,
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
