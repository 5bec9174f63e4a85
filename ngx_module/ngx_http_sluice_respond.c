/*
 * sluice_respond STATUS [TYPE] BODY, and the answers of the module itself.
 */

#include "ngx_http_sluice_module.h"


static char *ngx_http_sluice_respond_parse(ngx_conf_t *cf,
    ngx_http_sluice_respond_t *respond, ngx_str_t *text);
static ngx_int_t ngx_http_sluice_respond_part(ngx_conf_t *cf,
    ngx_http_sluice_respond_t *respond, u_char *data, size_t len,
    ngx_uint_t variable);
static ngx_uint_t ngx_http_sluice_respond_error_page(ngx_http_request_t *r,
    ngx_uint_t status);


char *
ngx_http_sluice_respond(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sluice_loc_conf_t *lcf = conf;

    ngx_int_t                   status;
    ngx_str_t                  *value;
    ngx_http_sluice_respond_t  *respond;

    if (lcf->respond) {
        return "is duplicate";
    }

    value = cf->args->elts;

    status = ngx_atoi(value[1].data, value[1].len);

    if (status < 200 || status > 299) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid status \"%V\" of \"sluice_respond\": it is "
                           "the answer to what was accepted, 200 to 299",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    respond = ngx_pcalloc(cf->pool, sizeof(ngx_http_sluice_respond_t));
    if (respond == NULL) {
        return NGX_CONF_ERROR;
    }

    respond->status = status;

    if (cf->args->nelts == 4) {
        respond->type = value[2];
        respond->json = ngx_http_sluice_json_name(&value[2]);

    } else {
        ngx_str_set(&respond->type, "text/plain");
    }

    if (ngx_array_init(&respond->parts, cf->pool, 4,
                       sizeof(ngx_http_sluice_part_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    lcf->respond = respond;

    return ngx_http_sluice_respond_parse(cf, respond,
                                         &value[cf->args->nelts - 1]);
}


/*
 * Literals and variables are kept apart, so that under a JSON type the values
 * can be escaped and the literals not.
 */

static char *
ngx_http_sluice_respond_parse(ngx_conf_t *cf,
    ngx_http_sluice_respond_t *respond, ngx_str_t *text)
{
    u_char      *last, *name, *p, *start;
    ngx_uint_t   bracket;

    p = text->data;
    last = p + text->len;

    while (p < last) {

        for (start = p; p < last && *p != '$'; p++) { /* void */ }

        if (p > start
            && ngx_http_sluice_respond_part(cf, respond, start, p - start, 0)
               != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        if (p == last) {
            break;
        }

        p++;
        bracket = (p < last && *p == '{');
        name = p + bracket;

        for (p = name;
             p < last
             && ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z')
                 || (*p >= '0' && *p <= '9') || *p == '_');
             p++)
        { /* void */ }

        if (p == name || (*name >= '0' && *name <= '9')
            || (bracket && (p == last || *p != '}')))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid variable in \"%V\" of "
                               "\"sluice_respond\"", text);
            return NGX_CONF_ERROR;
        }

        if (ngx_http_sluice_respond_part(cf, respond, name, p - name, 1)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        p += bracket;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_sluice_respond_part(ngx_conf_t *cf,
    ngx_http_sluice_respond_t *respond, u_char *data, size_t len,
    ngx_uint_t variable)
{
    ngx_http_sluice_part_t  *part;

    part = ngx_array_push(&respond->parts);
    if (part == NULL) {
        return NGX_ERROR;
    }

    part->text.data = data;
    part->text.len = len;
    part->variable = NGX_ERROR;

    if (variable) {
        part->variable = ngx_http_get_variable_index(cf, &part->text);

        if (part->variable == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_sluice_respond_send(ngx_http_request_t *r,
    const ngx_http_sluice_respond_t *respond)
{
    u_char                     *p;
    size_t                      len;
    ngx_str_t                   text;
    ngx_uint_t                  i, n;
    ngx_str_t                  *value;
    ngx_http_sluice_part_t     *part;
    ngx_http_variable_value_t  *v;

    part = respond->parts.elts;
    n = respond->parts.nelts;
    value = NULL;

    if (n == 0 || (n == 1 && part[0].variable == NGX_ERROR)) {

        if (n) {
            text = part[0].text;

        } else {
            ngx_str_null(&text);
        }

        return ngx_http_sluice_respond_text(r, respond->status,
                                            &respond->type, &text);
    }

    value = ngx_palloc(r->pool, n * sizeof(ngx_str_t));
    if (value == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    len = 0;

    for (i = 0; i < n; i++) {

        if (part[i].variable == NGX_ERROR) {
            len += part[i].text.len;
            continue;
        }

        v = ngx_http_get_flushed_variable(r, part[i].variable);

        /* a copy: the next variable may set this one again, as a map does */

        ngx_str_null(&value[i]);

        if (v && v->valid && !v->not_found) {
            value[i].data = v->data;
            value[i].len = v->len;
        }

        len += respond->json ? sluice_json_escape(NULL, value[i].data,
                                                  value[i].len)
                             : value[i].len;
    }

    p = ngx_pnalloc(r->pool, len + 1);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text.data = p;

    for (i = 0; i < n; i++) {

        if (part[i].variable == NGX_ERROR) {
            p = ngx_cpymem(p, part[i].text.data, part[i].text.len);

        } else if (respond->json) {
            p += sluice_json_escape(p, value[i].data, value[i].len);

        } else {
            p = ngx_cpymem(p, value[i].data, value[i].len);
        }
    }

    text.len = p - text.data;

    return ngx_http_sluice_respond_text(r, respond->status, &respond->type,
                                        &text);
}


ngx_int_t
ngx_http_sluice_respond_text(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *type, ngx_str_t *text)
{
    ngx_int_t    rc;
    ngx_buf_t   *b;
    ngx_chain_t  out;

    r->headers_out.status = status;
    r->headers_out.content_length_n = text->len;

    if (type && status != NGX_HTTP_NO_CONTENT) {
        r->headers_out.content_type = *type;
        r->headers_out.content_type_len = type->len;
        r->headers_out.content_type_lowcase = NULL;
    }

    if (text->len == 0 || r->method == NGX_HTTP_HEAD
        || status == NGX_HTTP_NO_CONTENT)
    {
        r->header_only = 1;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = text->data;
    b->last = text->data + text->len;
    b->memory = 1;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


/*
 * The reason phrases of RFC 9110 are the titles of "about:blank" problems, see
 * RFC 9457, 4.2.1.
 */

static const char *
ngx_http_sluice_respond_title(ngx_uint_t status)
{
    switch (status) {
    case 400:  return "Bad Request";
    case 401:  return "Unauthorized";
    case 403:  return "Forbidden";
    case 404:  return "Not Found";
    case 405:  return "Method Not Allowed";
    case 413:  return "Content Too Large";
    case 415:  return "Unsupported Media Type";
    case 429:  return "Too Many Requests";
    case 503:  return "Service Unavailable";
    }

    return (status < 500) ? "Refused" : "Failed";
}


ngx_int_t
ngx_http_sluice_respond_handshake(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx)
{
    ngx_str_t               value;

    static const ngx_str_t  detail = ngx_string(
                                   "the subscription cannot be confirmed");

    ctx->handshake = (ctx->reply < NGX_HTTP_BAD_REQUEST) ? 1 : 2;
    ctx->process->slot->handshakes[ctx->handshake - 1]++;

    if (ctx->handshake == 2) {
        return ngx_http_sluice_respond_problem(r, ctx->reply, &detail);
    }

    /* what is given back came from the sender, perhaps from anyone */

    ngx_str_set(&value, "nosniff");

    if (ngx_http_sluice_respond_header(r, "X-Content-Type-Options", &value)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_sluice_respond_text(r, ctx->reply, &ctx->reply_type,
                                        &ctx->reply_text);
}


ngx_int_t
ngx_http_sluice_respond_problem(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *detail)
{
    u_char                 *p;
    size_t                  len;
    ngx_str_t               text;
    const char             *title;
    ngx_http_sluice_ctx_t  *ctx;

    static const ngx_str_t  type = ngx_string("application/problem+json");

    if (ngx_http_sluice_respond_error_page(r, status)) {
        return status;
    }

    ctx = ngx_http_sluice_ctx_find(r);

    if (ctx) {
        ngx_http_sluice_status_settle(ctx);
    }

    title = ngx_http_sluice_respond_title(status);

    len = sizeof("{\"type\":\"about:blank\",\"title\":\"\",\"status\":,"
                 "\"detail\":\"\"}\n")
          + ngx_strlen(title) + NGX_INT_T_LEN
          + sluice_json_escape(NULL, detail->data, detail->len);

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text.data = p;

    p = ngx_sprintf(p, "{\"type\":\"about:blank\",\"title\":\"%s\","
                       "\"status\":%ui,\"detail\":\"", title, status);
    p += sluice_json_escape(p, detail->data, detail->len);
    p = ngx_cpymem(p, "\"}\n", 3);

    text.len = p - text.data;

    /* as NGINX does for its own errors: the body goes, the connection stays */

    r->expect_tested = 1;

    if (ngx_http_discard_request_body(r) != NGX_OK) {
        r->keepalive = 0;
    }

    return ngx_http_sluice_respond_text(r, status, &type, &text);
}


static ngx_uint_t
ngx_http_sluice_respond_error_page(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_uint_t                 i;
    ngx_http_err_page_t       *page;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r->error_page || clcf->error_pages == NULL || r->uri_changes == 0) {
        return 0;
    }

    page = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {
        if (page[i].status == (ngx_int_t) status) {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_sluice_respond_forget(ngx_http_request_t *r, const char *name)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_out.headers.part;
    i = 0;

    while ((h = ngx_http_sluice_field(&part, &i)) != NULL) {
        if (ngx_strcmp(h->key.data, name) == 0) {
            h->hash = 0;
        }
    }
}


ngx_int_t
ngx_http_sluice_respond_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    /* of a refusal that led here by its error_page; challenges add up */

    if (ngx_strcmp(name, "WWW-Authenticate") != 0) {
        ngx_http_sluice_respond_forget(r, name);
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;

#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return NGX_OK;
}
