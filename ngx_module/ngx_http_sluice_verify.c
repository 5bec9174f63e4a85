/*
 * Who sent this: the host of core/scheme.h, which gives it the request's raw
 * bytes and keeps its verdict.
 */

#include "ngx_http_sluice_tenant.h"


/* What core sees of a request. */

typedef struct {
    ngx_http_request_t     *r;
    ngx_http_sluice_ctx_t  *ctx;
    sluice_request_t        request;
    unsigned                large:1;    /* the body, for one piece */
} ngx_http_sluice_view_t;

typedef struct {
    sluice_scheme_piece_pt  piece;
    void                   *data;
} ngx_http_sluice_piece_t;


static ngx_int_t ngx_http_sluice_verify_verdict(ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_verify_t *verify,
    const sluice_scheme_result_t *result);
static ngx_int_t ngx_http_sluice_verify_tenant_key(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf);
static ngx_int_t ngx_http_sluice_verify_reply(ngx_http_sluice_ctx_t *ctx,
    const sluice_scheme_result_t *result);
static ngx_int_t ngx_http_sluice_verify_view(ngx_http_sluice_view_t *view,
    ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_verify_t *verify);
static ngx_int_t ngx_http_sluice_verify_url(ngx_http_request_t *r,
    const ngx_http_sluice_verify_t *verify, ngx_str_t *url);
static size_t ngx_http_sluice_verify_field(void *data, const char *name,
    size_t len, sluice_text_t *value);
static int ngx_http_sluice_verify_pieces(void *data,
    sluice_scheme_piece_pt piece, void *piece_data);
static ngx_int_t ngx_http_sluice_verify_piece(void *data, u_char *p,
    size_t len);
static int ngx_http_sluice_verify_whole(void *data, sluice_text_t *body);


static ngx_inline sluice_text_t
ngx_http_sluice_verify_text(const ngx_str_t *s)
{
    sluice_text_t  text;

    text.data = (const char *) s->data;
    text.len = s->len;

    return text;
}


ngx_uint_t
ngx_http_sluice_verify_body(const ngx_http_sluice_verify_t *verify)
{
    return verify->needs
           & (SLUICE_SCHEME_NEEDS_BODY|SLUICE_SCHEME_NEEDS_WHOLE);
}


ngx_int_t
ngx_http_sluice_verify_check(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf)
{
    ngx_int_t                        rc;
    ngx_http_sluice_keys_t           keys;
    ngx_http_sluice_view_t           view;
    sluice_scheme_result_t           result;
    const ngx_http_sluice_verify_t  *verify;

    verify = conf->verify;

    ctx->verified = NULL;
    ctx->verdict = NGX_HTTP_SLUICE_UNVERIFIED;
    ctx->secret = 0;
    ctx->reply = 0;
    ctx->event_known = 0;

    if (verify->digests) {
        return ngx_http_sluice_verify_tenant_key(r, ctx, conf);
    }

    if (ngx_http_sluice_verify_view(&view, r, ctx, verify) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_sluice_secret_keys(r, ctx, conf, &keys);

    if (rc == NGX_OK) {
        sluice_scheme_check(verify->scheme, keys.keys, keys.n, &keys.token,
                            &view.request, ngx_time(), &result);

        rc = view.large ? NGX_DECLINED
                        : ngx_http_sluice_verify_verdict(ctx, verify, &result);
    }

    ngx_http_sluice_secret_done(&keys);

    return rc;
}


ngx_int_t
ngx_http_sluice_verify_greeting(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf)
{
    ngx_int_t                        rc;
    ngx_http_sluice_keys_t           keys;
    ngx_http_sluice_view_t           view;
    sluice_scheme_result_t           result;
    const ngx_http_sluice_verify_t  *verify;

    verify = conf->verify;

    if (r->method != NGX_HTTP_GET || verify->digests) {
        return NGX_DECLINED;
    }

    if (ngx_http_sluice_verify_view(&view, r, ctx, verify) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_sluice_secret_keys(r, ctx, conf, &keys);

    if (rc == NGX_OK) {
        rc = sluice_scheme_greeting(verify->scheme, keys.keys, keys.n,
                                    &keys.token, &view.request, &result)
             ? ngx_http_sluice_verify_reply(ctx, &result)
             : NGX_DECLINED;
    }

    ngx_http_sluice_secret_done(&keys);

    if (rc == NGX_OK) {

        /* where an error_page leads, a verdict of before has not this reply */

        ctx->verified = NULL;
    }

    return rc;
}


static ngx_int_t
ngx_http_sluice_verify_verdict(ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_verify_t *verify,
    const sluice_scheme_result_t *result)
{
    ctx->verdict = NGX_HTTP_SLUICE_UNKNOWN;

    switch (result->verdict) {

    case SLUICE_SCHEME_VALID:
        ctx->verdict = NGX_HTTP_SLUICE_VALID;
        ctx->secret = result->key + 1;
        ctx->process->slot->secrets[verify->index][result->key]++;
        break;

    case SLUICE_SCHEME_MISSING:
        ctx->failure = NGX_HTTP_SLUICE_WHY_MISSING;
        break;

    case SLUICE_SCHEME_MALFORMED:
        ctx->failure = NGX_HTTP_SLUICE_WHY_MALFORMED;
        break;

    case SLUICE_SCHEME_MISMATCH:
        ctx->failure = NGX_HTTP_SLUICE_WHY_MISMATCH;
        break;

    case SLUICE_SCHEME_STALE:
        ctx->failure = NGX_HTTP_SLUICE_WHY_STALE;
        break;

    case SLUICE_SCHEME_EMPTY:
        ctx->failure = NGX_HTTP_SLUICE_WHY_SECRET;
        break;

    default: /* SLUICE_SCHEME_FAILED */
        ctx->verdict = NGX_HTTP_SLUICE_UNVERIFIED;
        return NGX_ERROR;
    }

    ctx->verified = verify;

    return result->status ? ngx_http_sluice_verify_reply(ctx, result) : NGX_OK;
}


/* The tenant's keys are digests: core would need the keys themselves. */

static ngx_int_t
ngx_http_sluice_verify_tenant_key(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf)
{
    ngx_int_t                        rc;
    ngx_str_t                        name, key;
    ngx_uint_t                       n;
    ngx_table_elt_t                 *h;
    const ngx_http_sluice_verify_t  *verify;

    verify = conf->verify;

    rc = ngx_http_sluice_tenant_find(r, ctx, conf);

    if (rc != NGX_OK && rc != NGX_DECLINED) {
        return rc;
    }

    ctx->verified = verify;
    ctx->verdict = NGX_HTTP_SLUICE_UNKNOWN;

    name.data = (u_char *) sluice_scheme_field(verify->scheme, 0);
    name.len = ngx_strlen(name.data);

    h = ngx_http_sluice_header(r, &name, ngx_hash_key(name.data, name.len),
                               &n);

    if (h == NULL || n > 1) {
        ctx->failure = n ? NGX_HTTP_SLUICE_WHY_MALFORMED
                         : NGX_HTTP_SLUICE_WHY_MISSING;
        return NGX_OK;
    }

    key = h->value;

    if (verify->bearer) {

        if (key.len < 7
            || ngx_strncasecmp(key.data, (u_char *) "Bearer ", 7) != 0)
        {
            ctx->failure = NGX_HTTP_SLUICE_WHY_MALFORMED;
            return NGX_OK;
        }

        key.data += 7;
        key.len -= 7;
    }

    n = ngx_http_sluice_tenant_api_key(ctx, &key);

    if (n == 0) {
        ctx->failure = NGX_HTTP_SLUICE_WHY_MISMATCH;
        return NGX_OK;
    }

    ctx->verdict = NGX_HTTP_SLUICE_VALID;
    ctx->secret = n;

    /* a table's entry may have more keys than are told apart */

    ctx->process->slot->secrets[verify->index]
                               [ngx_min(n, NGX_HTTP_SLUICE_SECRETS) - 1]++;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sluice_verify_reply(ngx_http_sluice_ctx_t *ctx,
    const sluice_scheme_result_t *result)
{
    ctx->reply = result->status;

    ctx->reply_type.data = (u_char *) result->type;
    ctx->reply_type.len = result->type ? ngx_strlen(result->type) : 0;

    ctx->reply_text.len = result->len;
    ctx->reply_text.data = ngx_pnalloc(ctx->request->pool, result->len);
    if (ctx->reply_text.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(ctx->reply_text.data, result->answer, result->len);

    return NGX_OK;
}


ngx_int_t
ngx_http_sluice_verify_event(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx)
{
    u_char                          *p;
    sluice_text_t                    body;
    ngx_http_sluice_view_t           view;
    sluice_scheme_event_t            event;
    const ngx_http_sluice_verify_t  *verify;

    if (ctx->event_known) {
        return NGX_OK;
    }

    ngx_str_null(&ctx->event_id);
    ngx_str_null(&ctx->event_type);

    verify = ctx->verified;

    if (verify == NULL || ctx->verdict != NGX_HTTP_SLUICE_VALID) {
        return NGX_OK;
    }

    r = r->main;

    if (ngx_http_sluice_verify_view(&view, r, ctx, verify) != NGX_OK) {
        return NGX_ERROR;
    }

    body.data = "";
    body.len = 0;

    if (ctx->body_read && !ngx_http_sluice_verify_whole(&view, &body)
        && !view.large)
    {
        return NGX_ERROR;
    }

    sluice_scheme_event(verify->scheme, &view.request, &body, &event);

    if (event.type.len > NGX_HTTP_SLUICE_TYPE
        || !sluice_json_is_text((u_char *) event.type.data, event.type.len))
    {
        event.type.len = 0;
    }

    p = ngx_pnalloc(r->pool, event.id.len + event.type.len
                             + verify->name.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->event_id.data = p;
    ctx->event_id.len = event.id.len;
    p = ngx_cpymem(p, event.id.data, event.id.len);

    if (event.type.len) {
        ctx->event_type.data = p;
        p = ngx_cpymem(p, verify->name.data, verify->name.len);
        *p++ = '.';
        p = ngx_cpymem(p, event.type.data, event.type.len);
        ctx->event_type.len = p - ctx->event_type.data;
    }

    /* asked before the body was read there may be more to know later */

    ctx->event_known = ctx->body_read;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sluice_verify_view(ngx_http_sluice_view_t *view,
    ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_verify_t *verify)
{
    ngx_str_t  url;

    ngx_str_null(&url);

    if ((verify->needs & SLUICE_SCHEME_NEEDS_URL)
        && ngx_http_sluice_verify_url(r, verify, &url) != NGX_OK)
    {
        return NGX_ERROR;
    }

    view->r = r;
    view->ctx = ctx;
    view->large = 0;

    view->request.data = view;
    view->request.method = ngx_http_sluice_verify_text(&r->method_name);
    view->request.url = ngx_http_sluice_verify_text(&url);
    view->request.target = ngx_http_sluice_verify_text(&r->unparsed_uri);
    view->request.header = ngx_http_sluice_verify_field;
    view->request.body = ngx_http_sluice_verify_pieces;
    view->request.whole = ngx_http_sluice_verify_whole;

    if (r->headers_in.content_type) {
        view->request.content_type =
            ngx_http_sluice_verify_text(&r->headers_in.content_type->value);

    } else {
        view->request.content_type.data = "";
        view->request.content_type.len = 0;
    }

    return NGX_OK;
}


/* What the sender has used, as far as this end can see it. */

static ngx_int_t
ngx_http_sluice_verify_url(ngx_http_request_t *r,
    const ngx_http_sluice_verify_t *verify, ngx_str_t *url)
{
    u_char     *p;
    ngx_str_t   host, scheme;

    if (verify->public_url) {
        return ngx_http_complex_value(r, verify->public_url, url);
    }

    ngx_str_set(&scheme, "http://");

#if (NGX_HTTP_SSL)

    if (r->connection->ssl) {
        ngx_str_set(&scheme, "https://");
    }

#endif

    host = r->headers_in.host ? r->headers_in.host->value
                              : r->headers_in.server;

    url->len = scheme.len + host.len + r->unparsed_uri.len;
    url->data = ngx_pnalloc(r->pool, url->len);
    if (url->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(url->data, scheme.data, scheme.len);
    p = ngx_cpymem(p, host.data, host.len);
    ngx_memcpy(p, r->unparsed_uri.data, r->unparsed_uri.len);

    return NGX_OK;
}


static size_t
ngx_http_sluice_verify_field(void *data, const char *name, size_t len,
    sluice_text_t *value)
{
    ngx_http_sluice_view_t *view = data;

    ngx_str_t         key;
    ngx_uint_t        n;
    ngx_table_elt_t  *h;

    key.data = (u_char *) name;
    key.len = len;

    h = ngx_http_sluice_header(view->r, &key,
                               ngx_hash_key(key.data, key.len), &n);

    if (h) {
        *value = ngx_http_sluice_verify_text(&h->value);
    }

    return n;
}


static int
ngx_http_sluice_verify_pieces(void *data, sluice_scheme_piece_pt piece,
    void *piece_data)
{
    ngx_http_sluice_view_t *view = data;

    ngx_http_sluice_piece_t  to;

    to.piece = piece;
    to.data = piece_data;

    return ngx_http_sluice_body_pieces(view->r,
                                       ngx_http_sluice_verify_piece, &to)
           == NGX_OK;
}


static ngx_int_t
ngx_http_sluice_verify_piece(void *data, u_char *p, size_t len)
{
    ngx_http_sluice_piece_t *to = data;

    return to->piece(to->data, p, len) ? NGX_OK : NGX_ERROR;
}


static int
ngx_http_sluice_verify_whole(void *data, sluice_text_t *body)
{
    ngx_http_sluice_view_t *view = data;

    ngx_int_t  rc;

    rc = ngx_http_sluice_body_join(view->r, view->ctx);

    if (rc != NGX_OK) {
        view->large = (rc == NGX_DECLINED);
        return 0;
    }

    *body = ngx_http_sluice_verify_text(&view->ctx->body);

    if (body->len == 0) {
        body->data = "";
    }

    return 1;
}


ngx_table_elt_t *
ngx_http_sluice_header(ngx_http_request_t *r, const ngx_str_t *name,
    ngx_uint_t hash, ngx_uint_t *n)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *found, *h;

    *n = 0;
    found = NULL;

    part = &r->headers_in.headers.part;
    i = 0;

    while ((h = ngx_http_sluice_field(&part, &i)) != NULL) {

        if (h->hash == hash
            && h->key.len == name->len
            && ngx_strncmp(h->lowcase_key, name->data, name->len) == 0)
        {
            if (found == NULL) {
                found = h;
            }

            (*n)++;
        }
    }

    return found;
}
