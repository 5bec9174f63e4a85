/*
 * sluice_enqueue QUEUE [parameter=VALUE ...]: what of a job can be known while
 * configuring is made here, once.
 */

#include "ngx_http_sluice_link.h"


typedef char *(*ngx_http_sluice_set_pt)(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue, ngx_str_t *value);

typedef struct {
    ngx_str_t               name;
    ngx_http_sluice_set_pt  set;
} ngx_http_sluice_parameter_t;


static char *ngx_http_sluice_set_tenant(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue, ngx_str_t *value);
static char *ngx_http_sluice_set_prefix(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue, ngx_str_t *value);
static char *ngx_http_sluice_set_redis(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue, ngx_str_t *value);
static char *ngx_http_sluice_set_bullmq(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue, ngx_str_t *value);
static char *ngx_http_sluice_set_name(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue, ngx_str_t *value);
static char *ngx_http_sluice_set_id(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue, ngx_str_t *value);
static char *ngx_http_sluice_set_envelope(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue, ngx_str_t *value);
static char *ngx_http_sluice_set_headers(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue, ngx_str_t *value);
static char *ngx_http_sluice_set_redact(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue, ngx_str_t *value);
static ngx_int_t ngx_http_sluice_enqueue_redact(
    ngx_http_sluice_enqueue_t *enqueue, const ngx_str_t *scheme);
static ngx_int_t ngx_http_sluice_enqueue_credentials(ngx_conf_t *cf,
    const ngx_http_sluice_enqueue_t *enqueue,
    const ngx_http_sluice_verify_t *verify);
static ngx_int_t ngx_http_sluice_enqueue_keeps(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue, const ngx_http_sluice_verify_t *verify);
static char *ngx_http_sluice_enqueue_constant(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue);


static const ngx_http_sluice_parameter_t  ngx_http_sluice_parameters[] = {
    { ngx_string("tenant="),   ngx_http_sluice_set_tenant },
    { ngx_string("prefix="),   ngx_http_sluice_set_prefix },
    { ngx_string("redis="),    ngx_http_sluice_set_redis },
    { ngx_string("bullmq="),   ngx_http_sluice_set_bullmq },
    { ngx_string("name="),     ngx_http_sluice_set_name },
    { ngx_string("id="),       ngx_http_sluice_set_id },
    { ngx_string("priority="), ngx_http_sluice_set_priority },
    { ngx_string("delay="),    ngx_http_sluice_set_delay },
    { ngx_string("attempts="), ngx_http_sluice_set_attempts },
    { ngx_string("backoff="),  ngx_http_sluice_set_backoff },
    { ngx_string("group="),    ngx_http_sluice_set_group },
    { ngx_string("envelope="), ngx_http_sluice_set_envelope },
    { ngx_string("headers="),  ngx_http_sluice_set_headers },
    { ngx_string("redact="),   ngx_http_sluice_set_redact }
};

#define NGX_HTTP_SLUICE_PARAMETERS                                            \
    (sizeof(ngx_http_sluice_parameters) / sizeof(ngx_http_sluice_parameter_t))


char *
ngx_http_sluice_enqueue(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sluice_loc_conf_t *lcf = conf;

    char                              *rv;
    ngx_str_t                         *value, s;
    ngx_uint_t                         i, n, seen;
    ngx_http_complex_value_t          *cv;
    ngx_http_core_loc_conf_t          *clcf;
    ngx_http_sluice_enqueue_t         *enqueue;

    if (lcf->enqueue) {
        return "is duplicate";
    }

    if (lcf->handler) {
        return "is beside another content of sluice";
    }

    enqueue = ngx_pcalloc(cf->pool, sizeof(ngx_http_sluice_enqueue_t));
    if (enqueue == NULL) {
        return NGX_CONF_ERROR;
    }

    enqueue->kind = 'e';
    enqueue->major = 6;
    ngx_str_set(&enqueue->server_name, "default");

    value = cf->args->elts;

    cv = &enqueue->queue;

    if (ngx_http_sluice_value(cf, &value[1], &cv) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (enqueue->queue.lengths == NULL
        && !sluice_keys_name_ok((char *) value[1].data, value[1].len))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid queue \"%V\" in \"sluice_enqueue\": it may "
                           "have 1 to 64 of A-Z a-z 0-9 _ . -", &value[1]);
        return NGX_CONF_ERROR;
    }

    seen = 0;

    for (i = 2; i < cf->args->nelts; i++) {

        for (n = 0; n < NGX_HTTP_SLUICE_PARAMETERS; n++) {
            if (ngx_strncmp(value[i].data,
                            ngx_http_sluice_parameters[n].name.data,
                            ngx_http_sluice_parameters[n].name.len)
                == 0)
            {
                break;
            }
        }

        if (n == NGX_HTTP_SLUICE_PARAMETERS
            || ((seen & (1 << n))
                && ngx_http_sluice_parameters[n].set
                   != ngx_http_sluice_set_redact))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "%s parameter \"%V\" of \"sluice_enqueue\"",
                               n == NGX_HTTP_SLUICE_PARAMETERS ? "invalid"
                                                               : "duplicate",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        seen |= 1 << n;

        s.data = value[i].data + ngx_http_sluice_parameters[n].name.len;
        s.len = value[i].len - ngx_http_sluice_parameters[n].name.len;

        rv = (s.len == 0) ? "" : ngx_http_sluice_parameters[n].set(cf, enqueue,
                                                                   &s);
        if (rv == NGX_CONF_ERROR) {
            return rv;
        }

        if (rv != NGX_CONF_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value in \"%V\" of \"sluice_enqueue\""
                               "%s%s", &value[i], *rv ? ": " : "", rv);
            return NGX_CONF_ERROR;
        }
    }

    if (enqueue->tenant && enqueue->prefix) {
        return "takes \"tenant=\" or \"prefix=\", not both";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_sluice_content_handler;
    lcf->handler = clcf->handler;

    lcf->enqueue = enqueue;

    return ngx_http_sluice_enqueue_constant(cf, enqueue);
}


/* The key base, when it is constant. */

static char *
ngx_http_sluice_enqueue_constant(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue)
{
    u_char  base[SLUICE_KEYS_MAX];

    if (enqueue->queue.lengths
        || (enqueue->tenant && enqueue->tenant->lengths)
        || (enqueue->prefix && enqueue->prefix->lengths))
    {
        return NGX_CONF_OK;
    }

    enqueue->base.len = ngx_http_sluice_enqueue_base(base,
                            enqueue->tenant ? &enqueue->tenant->value : NULL,
                            enqueue->prefix ? &enqueue->prefix->value : NULL,
                            &enqueue->queue.value);

    enqueue->base.data = ngx_pnalloc(cf->pool, enqueue->base.len);
    if (enqueue->base.data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(enqueue->base.data, base, enqueue->base.len);

    return NGX_CONF_OK;
}


/* At the end of http{}, where all "sluice_redis" are known. */

char *
ngx_http_sluice_enqueue_merge(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue, const ngx_http_sluice_verify_t *verify,
    ngx_http_sluice_main_conf_t *mcf)
{
    enqueue->server = ngx_http_sluice_redis_find(mcf, &enqueue->server_name);

    if (enqueue->server == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sluice_enqueue %V\" needs a \"sluice_redis\" "
                           "with the name \"%V\"", &enqueue->queue.value,
                           &enqueue->server_name);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_sluice_enqueue_tagged(cf, enqueue) != NGX_OK
        || ngx_http_sluice_enqueue_credentials(cf, enqueue, verify) != NGX_OK
        || ngx_http_sluice_enqueue_keeps(cf, enqueue, verify) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (verify && ngx_http_sluice_enqueue_redact(enqueue, &verify->name)
                  != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "too many \"redact=\" in \"sluice_enqueue %V\"",
                           &enqueue->queue.value);
        return NGX_CONF_ERROR;
    }

    enqueue->opts.data = ngx_pnalloc(cf->pool,
                                     SLUICE_JOB_OPTS_MAX
                                     + enqueue->options.group_len);
    if (enqueue->opts.data == NULL) {
        return NGX_CONF_ERROR;
    }

    enqueue->opts.len = sluice_job_opts((char *) enqueue->opts.data,
                                        &enqueue->options);

    return NGX_CONF_OK;
}


/* What proves who sent a request is not stored with it. */

static ngx_int_t
ngx_http_sluice_enqueue_credentials(ngx_conf_t *cf,
    const ngx_http_sluice_enqueue_t *enqueue,
    const ngx_http_sluice_verify_t *verify)
{
    ngx_uint_t          i, n;
    const char         *field;
    const ngx_str_t    *name;
    static const char  *fields[] = {
        "authorization", "cookie", "proxy-authorization"
    };

    for (i = 0; i < enqueue->nheaders; i++) {
        name = &enqueue->headers[i];

        for (n = 0; /* void */ ; n++) {

            if (n < 3) {
                field = fields[n];

            } else {
                field = (verify && verify->scheme)
                        ? sluice_scheme_field(verify->scheme, n - 3) : NULL;
            }

            if (field == NULL) {
                break;
            }

            if (name->len == ngx_strlen(field)
                && ngx_strncmp(name->data, field, name->len) == 0)
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"headers=\" of \"sluice_enqueue %V\" may "
                                   "not have \"%V\": credentials are not "
                                   "stored", &enqueue->queue.value, name);
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/* What an event of the scheme is not complete without, unless it is listed. */

static ngx_int_t
ngx_http_sluice_enqueue_keeps(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue, const ngx_http_sluice_verify_t *verify)
{
    ngx_str_t    name;
    ngx_uint_t   i, n;
    const char  *field;

    if (verify == NULL || verify->scheme == NULL) {
        return NGX_OK;
    }

    for (n = 0; /* void */ ; n++) {
        field = sluice_scheme_keeps(verify->scheme, n);

        if (field == NULL) {
            return NGX_OK;
        }

        name.data = (u_char *) field;
        name.len = ngx_strlen(field);

        for (i = 0; i < enqueue->nheaders; i++) {
            if (enqueue->headers[i].len == name.len
                && ngx_strncmp(enqueue->headers[i].data, field, name.len) == 0)
            {
                break;
            }
        }

        if (i < enqueue->nheaders) {
            continue;
        }

        if (i == NGX_HTTP_SLUICE_HEADERS) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"headers=\" of \"sluice_enqueue %V\" leaves "
                               "no room for those of the scheme \"%V\"",
                               &enqueue->queue.value, &verify->name);
            return NGX_ERROR;
        }

        enqueue->headers[i] = name;
        enqueue->hashes[i] = ngx_hash_key(name.data, name.len);
        enqueue->nheaders++;
    }
}


static char *
ngx_http_sluice_set_tenant(ngx_conf_t *cf, ngx_http_sluice_enqueue_t *enqueue,
    ngx_str_t *value)
{
    if (ngx_http_sluice_value(cf, value, &enqueue->tenant)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (enqueue->tenant->lengths == NULL
        && !sluice_keys_name_ok((char *) value->data, value->len))
    {
        return "it may have 1 to 64 of A-Z a-z 0-9 _ . -";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_sluice_set_prefix(ngx_conf_t *cf, ngx_http_sluice_enqueue_t *enqueue,
    ngx_str_t *value)
{
    size_t  i;

    if (ngx_http_sluice_value(cf, value, &enqueue->prefix)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (enqueue->prefix->lengths) {
        return NGX_CONF_OK;
    }

    if (value->len > NGX_HTTP_SLUICE_PREFIX) {
        return "it is too long";
    }

    for (i = 0; i < value->len; i++) {
        if (value->data[i] <= ' ' || value->data[i] >= 0x7f) {
            return "it may have printable ASCII without spaces";
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_sluice_set_redis(ngx_conf_t *cf, ngx_http_sluice_enqueue_t *enqueue,
    ngx_str_t *value)
{
    enqueue->server_name = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_sluice_set_bullmq(ngx_conf_t *cf, ngx_http_sluice_enqueue_t *enqueue,
    ngx_str_t *value)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    if (n != 5 && n != 6) {
        return "it is BullMQ's major version, 5 or 6";
    }

    enqueue->major = n;

    return NGX_CONF_OK;
}


static char *
ngx_http_sluice_set_name(ngx_conf_t *cf, ngx_http_sluice_enqueue_t *enqueue,
    ngx_str_t *value)
{
    return ngx_http_sluice_value(cf, value, &enqueue->name);
}


/* The kind is a literal: what a request says never chooses it. */

static char *
ngx_http_sluice_set_id(ngx_conf_t *cf, ngx_http_sluice_enqueue_t *enqueue,
    ngx_str_t *value)
{
    if (value->len >= 2 && value->data[1] == '-'
        && (value->data[0] == 'm' || value->data[0] == 'e'))
    {
        enqueue->kind = value->data[0];
        value->data += 2;
        value->len -= 2;
    }

    if (value->len == 0) {
        return NGX_CONF_OK;
    }

    return ngx_http_sluice_value(cf, value, &enqueue->id);
}


static char *
ngx_http_sluice_set_envelope(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue, ngx_str_t *value)
{
    if (ngx_strcmp(value->data, "raw") == 0) {
        enqueue->raw = 1;

    } else if (ngx_strcmp(value->data, "cloudevents") != 0) {
        return "it is cloudevents or raw";
    }

    return NGX_CONF_OK;
}


/* Found in the location's one scan of the body, see ngx_http_sluice_json.c. */

static char *
ngx_http_sluice_set_redact(ngx_conf_t *cf, ngx_http_sluice_enqueue_t *enqueue,
    ngx_str_t *value)
{
    const char             *error;
    sluice_json_pointer_t   pointer;

    error = sluice_json_pointer(&pointer, (char *) value->data, value->len);
    if (error) {
        return (char *) error;
    }

    if (enqueue->nredact == NGX_HTTP_SLUICE_REDACT) {
        return "there are more than 8";
    }

    enqueue->redact[enqueue->nredact++] = *value;

    return NGX_CONF_OK;
}


/* Evolution has the instance's API key in every event. */

static ngx_int_t
ngx_http_sluice_enqueue_redact(ngx_http_sluice_enqueue_t *enqueue,
    const ngx_str_t *scheme)
{
    ngx_uint_t        i;
    ngx_str_t         key = ngx_string("/apikey");

    if (scheme->len != 9 || ngx_strncmp(scheme->data, "evolution", 9) != 0) {
        return NGX_OK;
    }

    for (i = 0; i < enqueue->nredact; i++) {
        if (enqueue->redact[i].len == key.len
            && ngx_strncmp(enqueue->redact[i].data, key.data, key.len) == 0)
        {
            return NGX_OK;
        }
    }

    if (enqueue->nredact == NGX_HTTP_SLUICE_REDACT) {
        return NGX_ERROR;
    }

    enqueue->redact[enqueue->nredact++] = key;

    return NGX_OK;
}


static char *
ngx_http_sluice_set_headers(ngx_conf_t *cf, ngx_http_sluice_enqueue_t *enqueue,
    ngx_str_t *value)
{
    u_char     *last, *next, *p;
    ngx_str_t  *header;

    last = value->data + value->len;

    for (p = value->data; p < last; p = next + 1) {

        next = ngx_strlchr(p, last, ',');
        if (next == NULL) {
            next = last;
        }

        if (next == p || next + 1 == last) {
            return "it is a list of names with a comma between them";
        }

        if (enqueue->nheaders == NGX_HTTP_SLUICE_HEADERS) {
            return "it has more than 32 names";
        }

        header = &enqueue->headers[enqueue->nheaders];

        header->len = next - p;
        header->data = ngx_pnalloc(cf->pool, header->len);
        if (header->data == NULL) {
            return NGX_CONF_ERROR;
        }

        enqueue->hashes[enqueue->nheaders++] = ngx_hash_strlow(header->data, p,
                                                               header->len);
    }

    return NGX_CONF_OK;
}
