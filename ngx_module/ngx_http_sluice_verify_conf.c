/*
 * sluice_verify SCHEME secret=VALUE [secret=VALUE ...] [...]
 */

#include "ngx_http_sluice_module.h"


/* What a scheme takes beside secret=. */

#define NGX_HTTP_SLUICE_TAKES_TOKEN   1
#define NGX_HTTP_SLUICE_TAKES_HEADER  2
#define NGX_HTTP_SLUICE_TAKES_FORM    4    /* algorithm=, encoding=, prefix= */


typedef struct {
    ngx_str_t                      name;
    ngx_http_sluice_scheme_e       scheme;
    ngx_uint_t                     takes;
    ngx_str_t                      header;
    ngx_str_t                      prefix;
} ngx_http_sluice_preset_t;


/*
 * meta: "X-Hub-Signature-256: sha256=<hex>" over the raw body (Meta, "Webhooks
 * from Meta: Validate payloads").
 */

static const ngx_http_sluice_preset_t  ngx_http_sluice_presets[] = {

    { ngx_string("none"), NGX_HTTP_SLUICE_SCHEME_NONE, 0,
      ngx_null_string, ngx_null_string },

    { ngx_string("meta"), NGX_HTTP_SLUICE_SCHEME_META,
      NGX_HTTP_SLUICE_TAKES_TOKEN,
      ngx_string("x-hub-signature-256"), ngx_string("sha256=") },

    { ngx_string("hmac"), NGX_HTTP_SLUICE_SCHEME_HMAC,
      NGX_HTTP_SLUICE_TAKES_HEADER|NGX_HTTP_SLUICE_TAKES_FORM,
      ngx_string("x-signature"), ngx_null_string },

    { ngx_string("api_key"), NGX_HTTP_SLUICE_SCHEME_API_KEY,
      NGX_HTTP_SLUICE_TAKES_HEADER,
      ngx_string("authorization"), ngx_null_string }
};


static char *ngx_http_sluice_verify_parameter(ngx_conf_t *cf,
    ngx_http_sluice_verify_t *verify, const ngx_http_sluice_preset_t *preset,
    ngx_str_t *value);
static char *ngx_http_sluice_verify_secret(ngx_conf_t *cf,
    ngx_http_sluice_verify_t *verify, ngx_str_t *value);
static char *ngx_http_sluice_verify_value(ngx_conf_t *cf, const char *name,
    ngx_str_t *value, ngx_http_complex_value_t **cv);
static ngx_uint_t ngx_http_sluice_verify_variable(
    ngx_http_core_main_conf_t *cmcf, const ngx_str_t *name);
static char *ngx_http_sluice_verify_keys(ngx_conf_t *cf,
    ngx_http_sluice_verify_t *verify);
static void ngx_http_sluice_verify_free(void *data);


char *
ngx_http_sluice_verify(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sluice_loc_conf_t *lcf = conf;

    char                            *rv;
    u_char                          *p;
    ngx_str_t                       *value, s;
    ngx_uint_t                       i;
    ngx_http_sluice_verify_t        *verify;
    const ngx_http_sluice_preset_t  *preset;

    if (lcf->verify) {
        return "is duplicate";
    }

    value = cf->args->elts;
    preset = NULL;

    for (i = 0; i < sizeof(ngx_http_sluice_presets) / sizeof(*preset); i++) {
        if (value[1].len == ngx_http_sluice_presets[i].name.len
            && ngx_strncmp(value[1].data, ngx_http_sluice_presets[i].name.data,
                           value[1].len)
               == 0)
        {
            preset = &ngx_http_sluice_presets[i];
        }
    }

    if (preset == NULL) {
        s = ngx_http_sluice_shown(&value[1]);

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown scheme \"%V\" in \"sluice_verify\": "
                           "it may be meta, hmac, api_key or none", &s);
        return NGX_CONF_ERROR;
    }

    verify = ngx_pcalloc(cf->pool, sizeof(ngx_http_sluice_verify_t));
    if (verify == NULL) {
        return NGX_CONF_ERROR;
    }

    verify->scheme = preset->scheme;
    verify->name = preset->name;
    verify->header = preset->header;
    verify->prefix = preset->prefix;
    verify->algorithm = SLUICE_SIGNATURE_SHA256;
    verify->encoding = SLUICE_SIGNATURE_HEX;

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_sluice_verify_parameter(cf, verify, preset, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    lcf->verify = verify;

    if (verify->scheme == NGX_HTTP_SLUICE_SCHEME_NONE) {
        return NGX_CONF_OK;
    }

    if (verify->nsecrets == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sluice_verify %V\" needs a \"secret=\"",
                           &verify->name);
        return NGX_CONF_ERROR;
    }

    p = ngx_pnalloc(cf->pool, verify->header.len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    verify->header_hash = ngx_hash_strlow(p, verify->header.data,
                                          verify->header.len);
    verify->header.data = p;

    verify->bearer = verify->scheme == NGX_HTTP_SLUICE_SCHEME_API_KEY
                     && verify->header.len == sizeof("authorization") - 1
                     && ngx_strncmp(p, "authorization", verify->header.len)
                        == 0;

    return ngx_http_sluice_verify_keys(cf, verify);
}


static char *
ngx_http_sluice_verify_parameter(ngx_conf_t *cf,
    ngx_http_sluice_verify_t *verify, const ngx_http_sluice_preset_t *preset,
    ngx_str_t *value)
{
    ngx_str_t  s;

    if (preset->scheme != NGX_HTTP_SLUICE_SCHEME_NONE
        && ngx_strncmp(value->data, "secret=", 7) == 0)
    {
        s.data = value->data + 7;
        s.len = value->len - 7;

        return ngx_http_sluice_verify_secret(cf, verify, &s);
    }

    if ((preset->takes & NGX_HTTP_SLUICE_TAKES_TOKEN)
        && ngx_strncmp(value->data, "verify_token=", 13) == 0)
    {
        s.data = value->data + 13;
        s.len = value->len - 13;

        return ngx_http_sluice_verify_value(cf, "verify_token=", &s,
                                            &verify->verify_token);
    }

    if ((preset->takes & NGX_HTTP_SLUICE_TAKES_HEADER)
        && ngx_strncmp(value->data, "header=", 7) == 0)
    {
        verify->header.data = value->data + 7;
        verify->header.len = value->len - 7;

        if (verify->header.len == 0) {
            goto invalid;
        }

        return NGX_CONF_OK;
    }

    if ((preset->takes & NGX_HTTP_SLUICE_TAKES_FORM) == 0) {
        goto invalid;
    }

    if (ngx_strncmp(value->data, "prefix=", 7) == 0) {
        verify->prefix.data = value->data + 7;
        verify->prefix.len = value->len - 7;

    } else if (ngx_strcmp(value->data, "algorithm=sha1") == 0) {
        verify->algorithm = SLUICE_SIGNATURE_SHA1;

    } else if (ngx_strcmp(value->data, "algorithm=sha256") == 0) {
        verify->algorithm = SLUICE_SIGNATURE_SHA256;

    } else if (ngx_strcmp(value->data, "algorithm=sha384") == 0) {
        verify->algorithm = SLUICE_SIGNATURE_SHA384;

    } else if (ngx_strcmp(value->data, "algorithm=sha512") == 0) {
        verify->algorithm = SLUICE_SIGNATURE_SHA512;

    } else if (ngx_strcmp(value->data, "encoding=hex") == 0) {
        verify->encoding = SLUICE_SIGNATURE_HEX;

    } else if (ngx_strcmp(value->data, "encoding=base64") == 0) {
        verify->encoding = SLUICE_SIGNATURE_BASE64;

    } else if (ngx_strcmp(value->data, "encoding=base64url") == 0) {
        verify->encoding = SLUICE_SIGNATURE_BASE64URL;

    } else {
        goto invalid;
    }

    return NGX_CONF_OK;

invalid:

    /* a secret stands behind a misspelt name as well */

    s = ngx_http_sluice_shown(value);

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of \"sluice_verify %V\"", &s,
                       &preset->name);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_sluice_verify_secret(ngx_conf_t *cf, ngx_http_sluice_verify_t *verify,
    ngx_str_t *value)
{
    ngx_http_complex_value_t  *cv;

    if (verify->nsecrets == NGX_HTTP_SLUICE_SECRETS) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sluice_verify\" takes at most %d secrets",
                           NGX_HTTP_SLUICE_SECRETS);
        return NGX_CONF_ERROR;
    }

    cv = &verify->secrets[verify->nsecrets++].value;

    if (ngx_http_sluice_verify_value(cf, "secret=", value, &cv)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (cv->lengths) {
        verify->variable = 1;
    }

    return NGX_CONF_OK;
}


/* The value itself is a secret: no message shows it. */

static char *
ngx_http_sluice_verify_value(ngx_conf_t *cf, const char *name,
    ngx_str_t *value, ngx_http_complex_value_t **cv)
{
    ngx_uint_t                    n, *index;
    ngx_http_core_main_conf_t    *cmcf;
    ngx_http_sluice_main_conf_t  *mcf;

    if (value->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "empty \"%s\" in \"sluice_verify\"", name);
        return NGX_CONF_ERROR;
    }

    if (ngx_strncmp(value->data, "file:", 5) == 0
        || ngx_strncmp(value->data, "env:", 4) == 0
        || ngx_strcmp(value->data, "tenant") == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%s\" in \"sluice_verify\" from a file, the "
                           "environment or the tenant is not supported", name);
        return NGX_CONF_ERROR;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sluice_module);
    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    n = cmcf->variables.nelts;

    if (ngx_http_sluice_value(cf, value, cv) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    for ( /* void */ ; n < cmcf->variables.nelts; n++) {
        index = ngx_array_push(&mcf->secrets);
        if (index == NULL) {
            return NGX_CONF_ERROR;
        }

        *index = n;
    }

    return NGX_CONF_OK;
}


/*
 * A "$" in a secret makes a variable of what follows, and NGINX's own message
 * would show it as the name of one that is unknown.
 */

ngx_int_t
ngx_http_sluice_verify_variables(ngx_conf_t *cf,
    ngx_http_sluice_main_conf_t *mcf)
{
    ngx_uint_t                  i, *index;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    v = cmcf->variables.elts;
    index = mcf->secrets.elts;

    for (i = 0; i < mcf->secrets.nelts; i++) {

        if (!ngx_http_sluice_verify_variable(cmcf, &v[index[i]].name)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown variable in \"secret=\" or "
                               "\"verify_token=\" of \"sluice_verify\"");
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_sluice_verify_variable(ngx_http_core_main_conf_t *cmcf,
    const ngx_str_t *name)
{
    ngx_uint_t            i;
    ngx_hash_key_t       *key;
    ngx_http_variable_t  *prefix;

    key = cmcf->variables_keys->keys.elts;

    for (i = 0; i < cmcf->variables_keys->keys.nelts; i++) {
        if (key[i].key.len == name->len
            && ngx_strncmp(key[i].key.data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    prefix = cmcf->prefix_variables.elts;

    for (i = 0; i < cmcf->prefix_variables.nelts; i++) {
        if (prefix[i].name.len <= name->len
            && ngx_strncmp(prefix[i].name.data, name->data,
                           prefix[i].name.len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* Constant secrets are keyed once: a fifth of the cost of a MAC is its key. */

static char *
ngx_http_sluice_verify_keys(ngx_conf_t *cf, ngx_http_sluice_verify_t *verify)
{
    ngx_uint_t                 i;
    ngx_pool_cleanup_t        *cln;
    ngx_http_sluice_secret_t  *secret;

    if (!ngx_http_sluice_verify_body(verify)) {
        return NGX_CONF_OK;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_sluice_verify_free;
    cln->data = verify;

    for (i = 0; i < verify->nsecrets; i++) {
        secret = &verify->secrets[i];

        if (secret->value.lengths) {
            continue;
        }

        secret->signature = sluice_signature_create(verify->algorithm,
                                                    secret->value.value.data,
                                                    secret->value.value.len);
        if (secret->signature == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "OpenSSL refuses the secret or the algorithm of "
                               "\"sluice_verify %V\"", &verify->name);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static void
ngx_http_sluice_verify_free(void *data)
{
    ngx_http_sluice_verify_t *verify = data;

    ngx_uint_t  i;

    for (i = 0; i < verify->nsecrets; i++) {
        sluice_signature_destroy(verify->secrets[i].signature);
    }
}
