/*
 * Where secrets come from: the configuration, variables, files, the
 * environment, the tenant table.  No message shows one.
 */

#include "ngx_http_sluice_metrics.h"
#include "ngx_http_sluice_tenant.h"


/* of a variable; a longer one is no secret of anyone */
#define NGX_HTTP_SLUICE_SECRET_MAX  16384


static char *ngx_http_sluice_secret_env(ngx_conf_t *cf, const char *name,
    ngx_str_t *value, ngx_http_sluice_secret_t *secret);
static char *ngx_http_sluice_secret_value(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_sluice_secret_t *secret);
static ngx_uint_t ngx_http_sluice_secret_variable(
    ngx_http_core_main_conf_t *cmcf, const ngx_str_t *name);
static void ngx_http_sluice_secret_free(void *data);
static ngx_int_t ngx_http_sluice_secret_token(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_secret_t *secret,
    ngx_http_sluice_keys_t *keys);
static ngx_int_t ngx_http_sluice_secret_tenant(ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_verify_t *verify, ngx_http_sluice_keys_t *keys);
static ngx_int_t ngx_http_sluice_secret_own(
    const ngx_http_sluice_verify_t *verify, const ngx_str_t *text,
    ngx_http_sluice_keys_t *keys);


char *
ngx_http_sluice_secret(ngx_conf_t *cf, const char *name, ngx_str_t *value,
    ngx_http_sluice_secret_t *secret)
{
    ngx_str_t  rest;

    if (value->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "empty \"%s\" in \"sluice_verify\"", name);
        return NGX_CONF_ERROR;
    }

    if (ngx_strncmp(value->data, "file:", 5) == 0) {
        rest.data = value->data + 5;
        rest.len = value->len - 5;

        secret->file = ngx_http_sluice_secret_file(cf, &rest);

        return secret->file ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    if (ngx_strncmp(value->data, "env:", 4) == 0) {
        rest.data = value->data + 4;
        rest.len = value->len - 4;

        return ngx_http_sluice_secret_env(cf, name, &rest, secret);
    }

    return ngx_http_sluice_secret_value(cf, value, secret);
}


/*
 * NGINX keeps of its environment what "env" lists, so the name joins that
 * list: a binary upgrade then finds it again.
 */

static char *
ngx_http_sluice_secret_env(ngx_conf_t *cf, const char *name, ngx_str_t *value,
    ngx_http_sluice_secret_t *secret)
{
    char             *text;
    ngx_str_t        *env;
    ngx_uint_t        i;
    ngx_core_conf_t  *ccf;

    /* a configuration string ends with a zero byte */

    text = getenv((char *) value->data);

    if (value->len == 0 || text == NULL || *text == '\0') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%s\" in \"sluice_verify\": the environment "
                           "variable \"%V\" is %s", name, value,
                           text ? "empty" : "not set");
        return NGX_CONF_ERROR;
    }

    secret->value.value.len = ngx_strlen(text);
    secret->value.value.data = ngx_pnalloc(cf->pool, secret->value.value.len);
    if (secret->value.value.data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(secret->value.value.data, text, secret->value.value.len);

    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);
    env = ccf->env.elts;

    for (i = 0; i < ccf->env.nelts; i++) {
        if (env[i].len == value->len
            && ngx_strncmp(env[i].data, value->data, value->len) == 0)
        {
            return NGX_CONF_OK;
        }
    }

    env = ngx_array_push(&ccf->env);
    if (env == NULL) {
        return NGX_CONF_ERROR;
    }

    *env = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_sluice_secret_value(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_sluice_secret_t *secret)
{
    ngx_uint_t                    n, *index;
    ngx_http_complex_value_t     *cv;
    ngx_http_core_main_conf_t    *cmcf;
    ngx_http_sluice_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sluice_module);
    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    n = cmcf->variables.nelts;
    cv = &secret->value;

    if (ngx_http_sluice_value(cf, value, &cv) != NGX_CONF_OK) {
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
ngx_http_sluice_secret_variables(ngx_conf_t *cf,
    ngx_http_sluice_main_conf_t *mcf)
{
    ngx_uint_t                  i, *index;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    v = cmcf->variables.elts;
    index = mcf->secrets.elts;

    for (i = 0; i < mcf->secrets.nelts; i++) {

        if (!ngx_http_sluice_secret_variable(cmcf, &v[index[i]].name)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown variable in \"secret=\" or "
                               "\"verify_token=\" of \"sluice_verify\"");
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_sluice_secret_variable(ngx_http_core_main_conf_t *cmcf,
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

char *
ngx_http_sluice_secret_ready(ngx_conf_t *cf, const char *name,
    const sluice_scheme_t *scheme, ngx_http_sluice_secret_t *secret)
{
    const char          *why;
    ngx_pool_cleanup_t  *cln;

    if (secret->file) {
        secret->file->scheme = scheme;

        return ngx_http_sluice_secret_file_first(cf, name, secret->file);
    }

    if (scheme == NULL || secret->tenant || secret->value.lengths) {
        return NGX_CONF_OK;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    secret->key = sluice_key_create(scheme, (char *) secret->value.value.data,
                                    secret->value.value.len, &why);
    if (secret->key == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%s\" in \"sluice_verify %s\": %s", name,
                           sluice_scheme_name(scheme),
                           why ? why : "out of memory");
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_sluice_secret_free;
    cln->data = secret->key;

    return NGX_CONF_OK;
}


static void
ngx_http_sluice_secret_free(void *data)
{
    sluice_key_destroy(data);
}


ngx_int_t
ngx_http_sluice_secret_keys(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf, ngx_http_sluice_keys_t *keys)
{
    ngx_int_t                        rc;
    ngx_str_t                        text;
    ngx_uint_t                       i, k;
    const ngx_http_sluice_verify_t  *verify;
    const ngx_http_sluice_secret_t  *secret;

    verify = conf->verify;

    keys->n = 0;
    keys->nown = 0;
    keys->token.data = "";
    keys->token.len = 0;

    if (verify->tenant) {
        rc = ngx_http_sluice_tenant_find(r, ctx, conf);

        if (rc != NGX_OK && rc != NGX_DECLINED) {
            return rc;
        }
    }

    if (verify->token
        && ngx_http_sluice_secret_token(r, ctx, verify->token, keys) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < verify->nsecrets && keys->n < SLUICE_SCHEME_KEYS; i++) {
        secret = &verify->secrets[i];

        if (secret->key) {
            keys->keys[keys->n++] = secret->key;

        } else if (secret->file) {
            ngx_http_sluice_secret_file_fresh(secret->file,
                                              r->connection->log);

            for (k = 0; k < secret->file->n && keys->n < SLUICE_SCHEME_KEYS;
                 k++)
            {
                keys->keys[keys->n++] = secret->file->keys[k];
            }

        } else if (secret->tenant) {

            if (ngx_http_sluice_secret_tenant(ctx, verify, keys) != NGX_OK) {
                return NGX_ERROR;
            }

        } else if (ngx_http_complex_value(r,
                            (ngx_http_complex_value_t *) &secret->value, &text)
                   != NGX_OK
                   || ngx_http_sluice_secret_own(verify, &text, keys)
                      != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sluice_secret_token(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_secret_t *secret, ngx_http_sluice_keys_t *keys)
{
    ngx_str_t               text, texts[NGX_HTTP_SLUICE_SECRETS];

    static const ngx_str_t  name = ngx_string("verify_token");

    if (secret->file) {
        ngx_http_sluice_secret_file_fresh(secret->file, r->connection->log);

        text = secret->file->texts[0];

    } else if (secret->tenant) {

        if (ngx_http_sluice_tenant_secrets(ctx, &name, texts) == 0) {
            return NGX_OK;
        }

        text = texts[0];

    } else if (ngx_http_complex_value(r,
                            (ngx_http_complex_value_t *) &secret->value, &text)
               != NGX_OK)
    {
        return NGX_ERROR;
    }

    keys->token.data = (char *) text.data;
    keys->token.len = text.len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sluice_secret_tenant(ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_verify_t *verify, ngx_http_sluice_keys_t *keys)
{
    ngx_str_t   texts[NGX_HTTP_SLUICE_SECRETS];
    ngx_uint_t  i, n;

    n = ngx_http_sluice_tenant_secrets(ctx, &verify->name, texts);

    if (n == 0) {
        n = 1;
        ngx_str_null(&texts[0]);
    }

    for (i = 0; i < n && keys->n < SLUICE_SCHEME_KEYS; i++) {
        if (ngx_http_sluice_secret_own(verify, &texts[i], keys) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* What is no secret costs what one costs. */

static ngx_int_t
ngx_http_sluice_secret_own(const ngx_http_sluice_verify_t *verify,
    const ngx_str_t *text, ngx_http_sluice_keys_t *keys)
{
    const char    *why;
    sluice_key_t  *key;

    why = "it is too long";
    key = NULL;

    if (text->len <= NGX_HTTP_SLUICE_SECRET_MAX) {
        key = sluice_key_create(verify->scheme, (char *) text->data, text->len,
                                &why);
    }

    if (key == NULL && why) {
        key = sluice_key_nobody(verify->scheme);
    }

    if (key == NULL) {
        return NGX_ERROR;
    }

    keys->keys[keys->n++] = key;
    keys->own[keys->nown++] = key;

    return NGX_OK;
}


void
ngx_http_sluice_secret_done(ngx_http_sluice_keys_t *keys)
{
    while (keys->nown) {
        sluice_key_destroy(keys->own[--keys->nown]);
    }
}


uint64_t
ngx_http_sluice_metric_secret(const ngx_http_sluice_metrics_t *m, ngx_uint_t i,
    uintptr_t data)
{
    return ngx_http_sluice_metric_sum(m, i,
                                 offsetof(ngx_http_sluice_slot_t, secrets)
                                 + i * sizeof(ngx_atomic_t));
}


/* Those of the configuration, used or not, and what a tenant has used. */

ngx_int_t
ngx_http_sluice_metric_secret_of(const ngx_http_sluice_metrics_t *m,
    ngx_uint_t i, ngx_str_t *values)
{
    ngx_uint_t  scheme, secret;

    static u_char  digits[] = "12345678";

    scheme = i / NGX_HTTP_SLUICE_SECRETS;
    secret = i % NGX_HTTP_SLUICE_SECRETS;

    if (scheme == NGX_HTTP_SLUICE_SCHEMES
        || sluice_scheme_names[scheme] == NULL)
    {
        return NGX_DONE;
    }

    if (secret >= m->main->schemes[scheme]
        && ngx_http_sluice_metric_secret(m, i, 0) == 0)
    {
        return NGX_DECLINED;
    }

    values[0].data = (u_char *) sluice_scheme_names[scheme];
    values[0].len = ngx_strlen(values[0].data);
    values[1].data = &digits[secret];
    values[1].len = 1;

    return NGX_OK;
}
