/*
 * sluice_dedupe KEY|event [ttl=TIME]: the key under which Redis remembers that
 * an event has come.
 */

#include "ngx_http_sluice_split.h"


#define NGX_HTTP_SLUICE_DEDUPE_TTL  INT64_C(86400000)


char *
ngx_http_sluice_dedupe(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sluice_loc_conf_t *lcf = conf;

    ngx_str_t                 *value, s;
    ngx_http_sluice_dedupe_t  *dedupe;

    if (lcf->dedupe) {
        return "is duplicate";
    }

    dedupe = ngx_pcalloc(cf->pool, sizeof(ngx_http_sluice_dedupe_t));
    if (dedupe == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;
    dedupe->ttl = NGX_HTTP_SLUICE_DEDUPE_TTL;

    if (ngx_strcmp(value[1].data, "event") != 0) {

        if (ngx_http_script_variables_count(&value[1]) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the key \"%V\" of \"sluice_dedupe\" is "
                               "constant: all events but the first would be "
                               "duplicates; use \"event\" or variables",
                               &value[1]);
            return NGX_CONF_ERROR;
        }

        if (ngx_http_sluice_value(cf, &value[1], &dedupe->key)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    if (cf->args->nelts == 3) {

        s = value[2];

        if (s.len > 4 && ngx_strncmp(s.data, "ttl=", 4) == 0) {
            s.data += 4;
            s.len -= 4;
            dedupe->ttl = ngx_http_sluice_delay(&s);

        } else {
            dedupe->ttl = 0;
        }

        if (dedupe->ttl < 1 || dedupe->ttl > NGX_HTTP_SLUICE_DELAY_MAX) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" of \"sluice_dedupe\":"
                               " it is ttl= and a time like 10m, 24h",
                               &value[2]);
            return NGX_CONF_ERROR;
        }
    }

    lcf->dedupe = dedupe;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_sluice_dedupe_event(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_loc_conf_t *conf)
{
    const ngx_http_sluice_ctx_t *ctx = item->ctx;

    u_char         *p;
    ngx_str_t       source;
    ngx_uint_t      i;
    sluice_text_t   scheme;

    ngx_str_null(&item->event);

    if (conf->dedupe && conf->dedupe->key == NULL && item->part == NULL
        && ngx_http_sluice_verify_event(r, item->ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (item->part == NULL
        && (conf->dedupe == NULL || conf->dedupe->key
            || ctx->event_id.len == 0))
    {
        return NGX_OK;
    }

    item->event.data = ngx_pnalloc(r->pool, SLUICE_KEYS_NAME_MAX + 1);
    if (item->event.data == NULL) {
        return NGX_ERROR;
    }

    scheme.data = (char *) conf->verify->name.data;
    scheme.len = conf->verify->name.len;

    if (item->part) {
        item->event.len = SLUICE_SPLIT_ID;

        return sluice_split_id((char *) item->event.data, &scheme, ctx->split,
                               item->part)
               ? NGX_OK : NGX_ERROR;
    }

    /*
     * An id of digits alone may be a count that each of several senders keeps,
     * as Telegram's update_id: it counts where it was sent to.
     */

    for (i = 0; i < ctx->event_id.len; i++) {
        if (ctx->event_id.data[i] < '0' || ctx->event_id.data[i] > '9') {
            break;
        }
    }

    p = ngx_pnalloc(r->pool, scheme.len + r->uri.len + ctx->event_id.len + 2);
    if (p == NULL) {
        return NGX_ERROR;
    }

    source.data = p;
    p = ngx_cpymem(p, scheme.data, scheme.len);

    if (i == ctx->event_id.len) {
        *p++ = ' ';
        p = ngx_cpymem(p, r->uri.data, r->uri.len);
    }

    *p++ = '-';
    p = ngx_cpymem(p, ctx->event_id.data, ctx->event_id.len);
    source.len = p - source.data;

    item->event.len = sluice_keys_safe((char *) item->event.data,
                                       (char *) source.data, source.len);

    return item->event.len ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_sluice_dedupe_key(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_loc_conf_t *conf,
    sluice_job_opts_t *options)
{
    u_char                          *p;
    size_t                           len;
    ngx_str_t                        value;
    const ngx_http_sluice_dedupe_t  *dedupe;

    ngx_str_null(&item->dedupe);
    options->dedupe = NULL;

    dedupe = conf->dedupe;

    if (dedupe == NULL) {
        return NGX_OK;
    }

    value = item->event;

    if (dedupe->key && ngx_http_complex_value(r, dedupe->key, &value) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (value.len == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN + 1 + SLUICE_KEYS_NAME_MAX + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    item->dedupe.data = p;
    p = ngx_sprintf(p, "%L:", dedupe->ttl);

    if (dedupe->key) {
        len = sluice_keys_safe((char *) p, (char *) value.data, value.len);

        if (len == 0) {
            return NGX_ERROR;
        }

    } else {
        len = value.len;
        ngx_memcpy(p, value.data, len);
    }

    item->dedupe.len = p + len - item->dedupe.data;

    options->dedupe = (char *) p;
    options->dedupe_len = len;
    options->dedupe_ttl = dedupe->ttl;

    return NGX_OK;
}
