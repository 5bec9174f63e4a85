/*
 * sluice_verify SCHEME secret=VALUE [secret=VALUE ...] [...]
 */

#include "ngx_http_sluice_module.h"


static char *ngx_http_sluice_verify_unknown(ngx_conf_t *cf, ngx_str_t *name);
static char *ngx_http_sluice_verify_parameter(ngx_conf_t *cf,
    ngx_http_sluice_verify_t *verify, ngx_str_t *value);
static char *ngx_http_sluice_verify_secret(ngx_conf_t *cf,
    ngx_http_sluice_verify_t *verify, ngx_str_t *value);
static char *ngx_http_sluice_verify_token(ngx_conf_t *cf,
    ngx_http_sluice_verify_t *verify, ngx_str_t *value);
static char *ngx_http_sluice_verify_ready(ngx_conf_t *cf,
    ngx_http_sluice_verify_t *verify);
static void ngx_http_sluice_verify_free(void *data);


char *
ngx_http_sluice_verify(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sluice_loc_conf_t *lcf = conf;

    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_pool_cleanup_t        *cln;
    ngx_http_sluice_verify_t  *verify;

    if (lcf->verify) {
        return "is duplicate";
    }

    value = cf->args->elts;

    verify = ngx_pcalloc(cf->pool, sizeof(ngx_http_sluice_verify_t));
    if (verify == NULL) {
        return NGX_CONF_ERROR;
    }

    verify->name = value[1];
    lcf->verify = verify;

    if (ngx_strcmp(value[1].data, "none") != 0) {

        for (i = 0; sluice_scheme_names[i]; i++) {
            if (ngx_strcmp(value[1].data, sluice_scheme_names[i]) == 0) {
                break;
            }
        }

        if (sluice_scheme_names[i] == NULL) {
            return ngx_http_sluice_verify_unknown(cf, &value[1]);
        }

        verify->index = i % NGX_HTTP_SLUICE_SCHEMES;
        verify->meta = ngx_strcmp(value[1].data, "meta") == 0;

        cln = ngx_pool_cleanup_add(cf->pool, 0);
        if (cln == NULL) {
            return NGX_CONF_ERROR;
        }

        verify->scheme = sluice_scheme_create((char *) value[1].data,
                                              value[1].len);
        if (verify->scheme == NULL) {
            return "is out of memory";
        }

        cln->handler = ngx_http_sluice_verify_free;
        cln->data = verify->scheme;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_http_sluice_verify_parameter(cf, verify, &value[i])
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return verify->scheme ? ngx_http_sluice_verify_ready(cf, verify)
                          : NGX_CONF_OK;
}


static char *
ngx_http_sluice_verify_unknown(ngx_conf_t *cf, ngx_str_t *name)
{
    u_char      list[1024], *last, *p;
    ngx_str_t   shown;
    ngx_uint_t  i;

    p = list;
    last = list + sizeof(list);

    for (i = 0; sluice_scheme_names[i]; i++) {
        p = ngx_slprintf(p, last, "%s, ", sluice_scheme_names[i]);
    }

    shown = ngx_http_sluice_shown(name);

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown scheme \"%V\" in \"sluice_verify\": it may be "
                       "%*snone", &shown, (size_t) (p - list), list);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_sluice_verify_parameter(ngx_conf_t *cf,
    ngx_http_sluice_verify_t *verify, ngx_str_t *value)
{
    u_char      *p;
    ngx_str_t    s;
    const char  *why;

    why = NULL;
    p = ngx_strlchr(value->data, value->data + value->len, '=');

    if (verify->scheme == NULL || p == NULL) {
        goto invalid;
    }

    s.data = p + 1;
    s.len = value->data + value->len - s.data;

    if (ngx_strncmp(value->data, "secret=", 7) == 0) {
        return ngx_http_sluice_verify_secret(cf, verify, &s);
    }

    if (ngx_strncmp(value->data, "verify_token=", 13) == 0
        && (sluice_scheme_needs(verify->scheme) & SLUICE_SCHEME_TAKES_TOKEN))
    {
        return ngx_http_sluice_verify_token(cf, verify, &s);
    }

    if (ngx_strncmp(value->data, "public_url=", 11) == 0
        && ngx_http_script_variables_count(&s))
    {
        return ngx_http_sluice_value(cf, &s, &verify->public_url);
    }

    why = sluice_scheme_set(verify->scheme, (char *) value->data,
                            p - value->data, (char *) s.data, s.len);
    if (why == NULL) {
        return NGX_CONF_OK;
    }

invalid:

    /* a secret stands behind a misspelt name as well */

    s = ngx_http_sluice_shown(value);

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of \"sluice_verify %V\"%s%s",
                       &s, &verify->name, why ? ": " : "", why ? why : "");

    return NGX_CONF_ERROR;
}


static char *
ngx_http_sluice_verify_secret(ngx_conf_t *cf, ngx_http_sluice_verify_t *verify,
    ngx_str_t *value)
{
    ngx_http_sluice_secret_t  *secret;

    if (verify->nsecrets == NGX_HTTP_SLUICE_SECRETS) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sluice_verify\" takes at most %d secrets",
                           NGX_HTTP_SLUICE_SECRETS);
        return NGX_CONF_ERROR;
    }

    secret = &verify->secrets[verify->nsecrets++];

    if (ngx_strcmp(value->data, "tenant") == 0) {
        secret->tenant = 1;
        verify->tenant = 1;

        return NGX_CONF_OK;
    }

    return ngx_http_sluice_secret(cf, "secret=", value, secret);
}


static char *
ngx_http_sluice_verify_token(ngx_conf_t *cf, ngx_http_sluice_verify_t *verify,
    ngx_str_t *value)
{
    if (verify->token) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"verify_token=\" in \"sluice_verify\"");
        return NGX_CONF_ERROR;
    }

    verify->token = ngx_pcalloc(cf->pool, sizeof(ngx_http_sluice_secret_t));
    if (verify->token == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_strcmp(value->data, "tenant") == 0) {
        verify->token->tenant = 1;
        verify->tenant = 1;

        return NGX_CONF_OK;
    }

    return ngx_http_sluice_secret(cf, "verify_token=", value, verify->token);
}


static char *
ngx_http_sluice_verify_ready(ngx_conf_t *cf, ngx_http_sluice_verify_t *verify)
{
    ngx_uint_t                    i, n;
    const char                   *field, *why;
    ngx_http_sluice_secret_t     *secret;
    ngx_http_sluice_main_conf_t  *mcf;

    if (verify->nsecrets == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sluice_verify %V\" needs a \"secret=\"",
                           &verify->name);
        return NGX_CONF_ERROR;
    }

    why = sluice_scheme_ready(verify->scheme);

    if (why) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"sluice_verify %V\": %s",
                           &verify->name, why);
        return NGX_CONF_ERROR;
    }

    for (n = 0, i = 0; i < verify->nsecrets; i++) {
        secret = &verify->secrets[i];

        if (ngx_http_sluice_secret_ready(cf, "secret=", verify->scheme, secret)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }

        verify->variable |= secret->value.lengths != NULL;

        n += secret->file ? secret->file->n : !secret->tenant;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sluice_module);

    n = ngx_min(n, NGX_HTTP_SLUICE_SECRETS);
    mcf->schemes[verify->index] = ngx_max(mcf->schemes[verify->index], n);

    if (verify->token
        && ngx_http_sluice_secret_ready(cf, "verify_token=", NULL,
                                        verify->token)
           != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    verify->variable |= verify->tenant || verify->public_url;

    verify->needs = sluice_scheme_needs(verify->scheme);

    field = sluice_scheme_field(verify->scheme, 0);
    verify->bearer = field && ngx_strcmp(field, "authorization") == 0;

    if (ngx_strcmp(verify->name.data, "api_key") == 0 && verify->tenant) {

        if (verify->nsecrets > 1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"secret=tenant\" of \"sluice_verify "
                               "api_key\" is the only one: the table has "
                               "digests of keys");
            return NGX_CONF_ERROR;
        }

        verify->digests = 1;
    }

    return NGX_CONF_OK;
}


static void
ngx_http_sluice_verify_free(void *data)
{
    sluice_scheme_destroy(data);
}
