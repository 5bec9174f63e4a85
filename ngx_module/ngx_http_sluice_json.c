/*
 * sluice_json $variable /json/pointer [required]: values of the body, found in
 * one pass over it.
 */

#include "ngx_http_sluice_module.h"


static ngx_int_t ngx_http_sluice_json_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_sluice_json_text(ngx_http_request_t *r,
    const sluice_json_value_t *value, ngx_str_t *text);
static ngx_int_t ngx_http_sluice_json_detail(ngx_http_request_t *r,
    ngx_str_t *detail, const char *what, const ngx_str_t *pointer,
    size_t offset);


/* The event's type of Meta's webhooks, behind the location's own pointers. */

#define NGX_HTTP_SLUICE_EVENT_POINTERS  2

static ngx_str_t  ngx_http_sluice_event_pointers[] = {
    ngx_string("/entry/0/changes/0/field"),
    ngx_string("/object")
};


char *
ngx_http_sluice_json(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sluice_loc_conf_t *lcf = conf;

    const char                   *error;
    ngx_str_t                    *name, *value;
    ngx_uint_t                    i, n;
    ngx_http_variable_t          *v;
    sluice_json_pointer_t         pointer;
    ngx_http_sluice_json_t       *field;
    ngx_http_sluice_main_conf_t  *mcf;

    value = cf->args->elts;
    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sluice_module);

    if (value[1].len < 2 || value[1].data[0] != '$') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid variable name \"%V\" in \"sluice_json\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    value[1].data++;
    value[1].len--;

    error = sluice_json_pointer(&pointer, (char *) value[2].data,
                                value[2].len);
    if (error) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid JSON pointer \"%V\" in \"sluice_json\": "
                           "it %s", &value[2], error);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 4 && ngx_strcmp(value[3].data, "required") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of \"sluice_json\"",
                           &value[3]);
        return NGX_CONF_ERROR;
    }

    if (lcf->json == NULL) {
        lcf->json = ngx_array_create(cf->pool, 4,
                                     sizeof(ngx_http_sluice_json_t));
        if (lcf->json == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (lcf->json->nelts
        == SLUICE_JSON_POINTERS - NGX_HTTP_SLUICE_EVENT_POINTERS
           - NGX_HTTP_SLUICE_REDACT)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "more than %d \"sluice_json\" in one location",
                           SLUICE_JSON_POINTERS
                           - NGX_HTTP_SLUICE_EVENT_POINTERS
                           - NGX_HTTP_SLUICE_REDACT);
        return NGX_CONF_ERROR;
    }

    /* one number for the variable, wherever it is set */

    name = mcf->variables.elts;

    for (i = 0; i < mcf->variables.nelts; i++) {
        if (name[i].len == value[1].len
            && ngx_strncasecmp(name[i].data, value[1].data, value[1].len) == 0)
        {
            break;
        }
    }

    if (i == mcf->variables.nelts) {

        v = ngx_http_add_variable(cf, &value[1],
                                  NGX_HTTP_VAR_CHANGEABLE
                                  |NGX_HTTP_VAR_NOCACHEABLE);
        if (v == NULL) {
            return NGX_CONF_ERROR;
        }

        if (v->get_handler) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the variable \"$%V\" of \"sluice_json\" is "
                               "set elsewhere", &value[1]);
            return NGX_CONF_ERROR;
        }

        v->get_handler = ngx_http_sluice_json_variable;
        v->data = i;

        name = ngx_array_push(&mcf->variables);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[1];
    }

    field = lcf->json->elts;

    for (n = 0; n < lcf->json->nelts; n++) {
        if (field[n].index == (ngx_int_t) i) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate \"sluice_json $%V\"", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    field = ngx_array_push(lcf->json);
    if (field == NULL) {
        return NGX_CONF_ERROR;
    }

    field->index = i;
    field->text = value[2];
    field->required = cf->args->nelts == 4;

    return NGX_CONF_OK;
}


/* The pointers of one scan: the location's, of the event's type, of redact=. */

char *
ngx_http_sluice_json_merge(ngx_conf_t *cf, ngx_http_sluice_loc_conf_t *conf)
{
    ngx_str_t                   *text;
    ngx_uint_t                   i, n, event, redact;
    ngx_http_sluice_json_t      *field;
    ngx_http_sluice_pointers_t  *pointers;

    n = conf->json ? conf->json->nelts : 0;

    event = conf->enqueue && conf->enqueue->name == NULL
            && conf->verify && conf->verify->meta;

    redact = conf->enqueue ? conf->enqueue->nredact : 0;

    if (n == 0 && !event && redact == 0) {
        return NGX_CONF_OK;
    }

    pointers = ngx_pcalloc(cf->pool, sizeof(ngx_http_sluice_pointers_t));
    if (pointers == NULL) {
        return NGX_CONF_ERROR;
    }

    pointers->n = n;
    pointers->typed = n + (event ? NGX_HTTP_SLUICE_EVENT_POINTERS : 0);
    pointers->total = pointers->typed + redact;

    field = conf->json ? conf->json->elts : NULL;

    for (i = 0; i < pointers->total; i++) {

        if (i < n) {
            pointers->fields[i] = field[i];
            text = &field[i].text;

        } else if (i < pointers->typed) {
            text = &ngx_http_sluice_event_pointers[i - n];

        } else {
            text = &conf->enqueue->redact[i - pointers->typed];
        }

        (void) sluice_json_pointer(&pointers->pointers[i], (char *) text->data,
                                   text->len);
    }

    conf->pointers = pointers;

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_http_sluice_json_required(const ngx_http_sluice_pointers_t *pointers)
{
    ngx_uint_t  i;

    for (i = 0; i < pointers->n; i++) {
        if (pointers->fields[i].required) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_sluice_json_type(ngx_http_request_t *r)
{
    return r->headers_in.content_type
           && ngx_http_sluice_json_name(&r->headers_in.content_type->value);
}


ngx_uint_t
ngx_http_sluice_json_name(const ngx_str_t *type)
{
    u_char  *last, *p;
    size_t   len;

    p = type->data;
    last = p + type->len;

    while (p < last && *p != ';' && *p != ' ' && *p != '\t') {
        p++;
    }

    len = p - type->data;

    if (len == sizeof("application/json") - 1) {
        return ngx_strncasecmp(type->data, (u_char *) "application/json", len)
               == 0;
    }

    return len > sizeof("application/+json") - 1
           && ngx_strncasecmp(type->data, (u_char *) "application/",
                              sizeof("application/") - 1)
              == 0
           && ngx_strncasecmp(p - (sizeof("+json") - 1), (u_char *) "+json",
                              sizeof("+json") - 1)
              == 0;
}


ngx_int_t
ngx_http_sluice_json_scan(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    ngx_http_sluice_pointers_t *pointers, ngx_str_t *detail)
{
    size_t                  offset;
    ngx_uint_t              i, n;
    sluice_json_result_e    result;

    n = pointers ? pointers->total : 0;

    if (n) {
        ctx->values = ngx_palloc(r->pool, n * sizeof(sluice_json_value_t));
        if (ctx->values == NULL) {
            return NGX_ERROR;
        }
    }

    ctx->scanned = NULL;
    offset = 0;

    result = sluice_json_scan(ctx->body.data, ctx->body.len,
                              n ? pointers->pointers : NULL, n, ctx->values,
                              &offset);

    if (result == SLUICE_JSON_EMPTY) {
        ngx_str_set(detail, "the body is empty");
        return NGX_HTTP_BAD_REQUEST;
    }

    if (result != SLUICE_JSON_OK) {

        if (ngx_http_sluice_json_detail(r, detail,
                                        sluice_json_strerror(result), NULL,
                                        offset)
            == NGX_ERROR)
        {
            return NGX_ERROR;
        }

        return result == SLUICE_JSON_SYNTAX ? NGX_HTTP_UNSUPPORTED_MEDIA_TYPE
                                            : NGX_HTTP_BAD_REQUEST;
    }

    ctx->scanned = pointers;

    for (i = 0; n && i < pointers->n; i++) {
        if (pointers->fields[i].required
            && ctx->values[i].type == SLUICE_JSON_MISSING)
        {
            return ngx_http_sluice_json_detail(r, detail, NULL,
                                               &pointers->fields[i].text, 0);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sluice_json_detail(ngx_http_request_t *r, ngx_str_t *detail,
    const char *what, const ngx_str_t *pointer, size_t offset)
{
    u_char  *p;
    size_t   len;

    len = what ? ngx_strlen(what) : pointer->len;

    p = ngx_pnalloc(r->pool, len + sizeof(" at byte  is missing") - 1
                             + NGX_SIZE_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    detail->data = p;

    if (what) {
        p = ngx_sprintf(p, "%s at byte %uz", what, offset);

    } else {
        p = ngx_sprintf(p, "%V is missing", pointer);
    }

    detail->len = p - detail->data;

    return NGX_HTTP_BAD_REQUEST;
}


/* Of what the sender named it only harmless characters are taken. */

ngx_int_t
ngx_http_sluice_json_event(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    ngx_str_t *type)
{
    u_char               *p;
    ngx_uint_t            i;
    sluice_json_value_t  *value;

    static const char     meta[] = "meta.";

    ngx_str_null(type);

    if (ctx->scanned == NULL || ctx->scanned->typed == ctx->scanned->n) {
        return NGX_OK;
    }

    for (i = ctx->scanned->n; i < ctx->scanned->typed; i++) {
        value = &ctx->values[i];

        if (value->type == SLUICE_JSON_STRING
            && value->len <= NGX_HTTP_SLUICE_TYPE - (sizeof(meta) - 1)
            && sluice_keys_name_ok((const char *) value->data, value->len))
        {
            p = ngx_pnalloc(r->pool, sizeof(meta) - 1 + value->len);
            if (p == NULL) {
                return NGX_ERROR;
            }

            type->data = p;
            type->len = sizeof(meta) - 1 + value->len;

            p = ngx_cpymem(p, meta, sizeof(meta) - 1);
            ngx_memcpy(p, value->data, value->len);

            return NGX_OK;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_sluice_json_redact(ngx_http_request_t *r,
    const ngx_http_sluice_ctx_t *ctx, ngx_str_t *text)
{
    u_char                     *from, *p, *start, *last;
    ngx_uint_t                  i, n, next;
    const sluice_json_value_t  *value, *values[NGX_HTTP_SLUICE_REDACT];

    static const char           redacted[] = "\"[redacted]\"";

    *text = ctx->body;
    n = 0;

    for (i = ctx->scanned->typed; i < ctx->scanned->total; i++) {
        value = &ctx->values[i];

        if (value->type == SLUICE_JSON_MISSING) {
            continue;
        }

        /* in the order of the text */

        for (next = n++; next && values[next - 1]->data > value->data; next--) {
            values[next] = values[next - 1];
        }

        values[next] = value;
    }

    if (n == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, ctx->body.len + n * (sizeof(redacted) - 1));
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;
    from = ctx->body.data;

    for (i = 0; i < n; i++) {
        start = (u_char *) values[i]->data;
        last = start + values[i]->len;

        if (values[i]->type == SLUICE_JSON_STRING) {
            start--;
            last++;
        }

        /* what is inside of another is gone with it */

        if (start >= from) {
            p = ngx_cpymem(p, from, start - from);
            p = ngx_cpymem(p, redacted, sizeof(redacted) - 1);
            from = last;
        }
    }

    p = ngx_cpymem(p, from, ctx->body.data + ctx->body.len - from);
    text->len = p - text->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sluice_json_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t               text;
    ngx_uint_t              i;
    ngx_http_sluice_ctx_t  *ctx;

    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;
    v->escape = 0;
    v->len = 0;

    ctx = ngx_http_sluice_ctx_find(r);

    for (i = 0; ctx && ctx->scanned && i < ctx->scanned->n; i++) {

        if (ctx->scanned->fields[i].index != (ngx_int_t) data) {
            continue;
        }

        if (ctx->values[i].type == SLUICE_JSON_MISSING) {
            break;
        }

        if (ngx_http_sluice_json_text(r, &ctx->values[i], &text) != NGX_OK) {
            return NGX_ERROR;
        }

        v->data = text.data;
        v->len = (unsigned) text.len;

        return NGX_OK;
    }

    v->not_found = 1;

    return NGX_OK;
}


/*
 * A string is its text, null is empty, all else is the JSON as it came.  The
 * variable may end up in a header, so no control character leaves: a string
 * that escapes one stays as it is escaped, and blanks between tokens are
 * spaces.
 */

static ngx_int_t
ngx_http_sluice_json_text(ngx_http_request_t *r,
    const sluice_json_value_t *value, ngx_str_t *text)
{
    size_t   i, len;
    u_char  *p;

    if (value->type == SLUICE_JSON_NULL) {
        ngx_str_set(text, "");
        return NGX_OK;
    }

    text->data = (u_char *) value->data;
    text->len = value->len;

    if (value->type != SLUICE_JSON_ARRAY && value->type != SLUICE_JSON_OBJECT
        && !value->escaped)
    {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, value->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (value->type == SLUICE_JSON_STRING) {
        len = sluice_json_unescape(p, value);

        for (i = 0; i < len; i++) {
            if (p[i] < 0x20) {
                return NGX_OK;
            }
        }

        text->len = len;

    } else {
        for (i = 0; i < value->len; i++) {
            p[i] = (value->data[i] < 0x20) ? ' ' : value->data[i];
        }
    }

    text->data = p;

    return NGX_OK;
}
