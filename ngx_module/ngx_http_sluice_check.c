/*
 * What fits together in a location, at the end of http{}: errors where a
 * request would get around a step, warnings where one could not pass.
 */

#include "ngx_http_sluice_module.h"


static ngx_uint_t ngx_http_sluice_returns(ngx_conf_t *cf);


char *
ngx_http_sluice_check(ngx_conf_t *cf, ngx_http_sluice_loc_conf_t *conf)
{
    size_t                        max;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_sluice_main_conf_t  *mcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->enqueue && conf->verify == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sluice_enqueue\" in location \"%V\" has no "
                           "\"sluice_verify\": to take requests from anyone "
                           "say \"sluice_verify none\"", &clcf->name);
        return NGX_CONF_ERROR;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sluice_module);

    if (conf->depth && conf->depth->spool && mcf->spool == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"over=spool\" of \"sluice_queue_limit\" in \"%V\" "
                           "needs \"sluice_spool\"", &clcf->name);
        return NGX_CONF_ERROR;
    }

    if (conf->handler && conf->handler != clcf->handler) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "location \"%V\" has \"sluice_enqueue\" or another "
                           "content of sluice beside that of another module",
                           &clcf->name);
        return NGX_CONF_ERROR;
    }

    if (conf->enqueue && ngx_http_sluice_returns(cf)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"return\" beside \"sluice_enqueue\" in \"%V\": "
                           "it would answer and store nothing; use "
                           "\"sluice_respond\"", &clcf->name);
        return NGX_CONF_ERROR;
    }

    if ((conf->enqueue || conf->pointers) && !clcf->noname
        && (clcf->client_max_body_size == 0
            || clcf->client_max_body_size > NGX_HTTP_SLUICE_DATA_MAX))
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"client_max_body_size\" in location \"%V\" allows "
                           "more than the %dm that fit into a job: a larger "
                           "body is received and refused", &clcf->name,
                           NGX_HTTP_SLUICE_DATA_MAX / (1024 * 1024));
    }

    if (conf->verify == NULL || conf->verify->scheme == NULL) {
        return NGX_CONF_OK;
    }

    if (conf->verify->tenant && conf->tenant == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sluice_verify\" in \"%V\" takes a value from the "
                           "tenant, and there is no \"sluice_tenant\"",
                           &clcf->name);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_sluice_returns(cf)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"return\" beside \"sluice_verify\" in "
                           "\"%V\": it would answer before the "
                           "verification; use \"sluice_respond\", or "
                           "\"sluice_verify none\"", &clcf->name);
        return NGX_CONF_ERROR;
    }

    max = sluice_scheme_body_max(conf->verify->scheme);

    if (conf->enqueue && clcf->client_max_body_size
        && clcf->client_max_body_size < (off_t) max)
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"client_max_body_size\" in location \"%V\" is "
                           "below the %uzm that the scheme \"%V\" may send",
                           &clcf->name, max / (1024 * 1024),
                           &conf->verify->name);
    }

    return NGX_CONF_OK;
}


/*
 * Does the location answer from the rewrite phase?  The codes of the rewrite
 * module are the first member of its configuration.  They have sizes of their
 * own, so the function's address is looked for at every word.  A "return" of
 * an error refuses, which is no way around a verification.
 */

static ngx_uint_t
ngx_http_sluice_returns(ngx_conf_t *cf)
{
    void                           *rewrite;
    ngx_uint_t                      i;
    uintptr_t                      *word;
    ngx_array_t                    *codes;
    ngx_http_script_return_code_t  *code;

    for (i = 0; cf->cycle->modules[i]; i++) {
        if (ngx_strcmp(cf->cycle->modules[i]->name, "ngx_http_rewrite_module")
            == 0)
        {
            break;
        }
    }

    if (cf->cycle->modules[i] == NULL) {
        return 0;
    }

    rewrite = ((ngx_http_conf_ctx_t *) cf->ctx)
                  ->loc_conf[cf->cycle->modules[i]->ctx_index];

    if (rewrite == NULL) {
        return 0;
    }

    codes = *(ngx_array_t **) rewrite;
    if (codes == NULL) {
        return 0;
    }

    word = codes->elts;

    for (i = 0; i + sizeof(ngx_http_script_return_code_t) <= codes->nelts;
         i += sizeof(uintptr_t), word++)
    {
        if (*word != (uintptr_t) ngx_http_script_return_code) {
            continue;
        }

        code = (ngx_http_script_return_code_t *) word;

        if (code->status < NGX_HTTP_BAD_REQUEST) {
            return 1;
        }
    }

    return 0;
}
