/*
 * sluice_queue_limit NUMBER [medium=NUMBER] [low=NUMBER] [over=spool] | off
 */

#include "ngx_http_sluice_module.h"


static char *ngx_http_sluice_depth_parameter(ngx_conf_t *cf, ngx_str_t *value,
    const char *name, int64_t *number);
static void ngx_http_sluice_depth_least(ngx_conf_t *cf, const int64_t *limits);


char *
ngx_http_sluice_queue_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sluice_loc_conf_t *lcf = conf;

    char                          *rv;
    int64_t                       *limits;
    ngx_str_t                     *value;
    ngx_uint_t                     i;
    ngx_http_sluice_depth_conf_t  *depth;

    if (lcf->depth != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0 && cf->args->nelts == 2) {
        lcf->depth = NULL;
        return NGX_CONF_OK;
    }

    depth = ngx_pcalloc(cf->pool, sizeof(ngx_http_sluice_depth_conf_t));
    if (depth == NULL) {
        return NGX_CONF_ERROR;
    }

    limits = depth->limits;

    for (i = 1; i < cf->args->nelts; i++) {

        if (i == 1) {
            rv = ngx_http_sluice_depth_parameter(cf, &value[i], "",
                                                 &limits[0]);

        } else if (ngx_strncmp(value[i].data, "medium=", 7) == 0) {
            rv = ngx_http_sluice_depth_parameter(cf, &value[i], "medium=",
                                                 &limits[1]);

        } else if (ngx_strncmp(value[i].data, "low=", 4) == 0) {
            rv = ngx_http_sluice_depth_parameter(cf, &value[i], "low=",
                                                 &limits[2]);

        } else if (ngx_strcmp(value[i].data, "over=spool") == 0) {
            depth->spool = 1;
            continue;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" of "
                               "\"sluice_queue_limit\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    for (i = 1; i < NGX_HTTP_SLUICE_CLASSES; i++) {

        if (limits[i] == 0) {
            limits[i] = limits[i - 1];
        }

        if (limits[i] > limits[i - 1]) {
            return "has a lower class with a higher number: "
                   "the lower one is refused first";
        }
    }

    if (depth->spool) {
        ngx_http_sluice_depth_least(cf, limits);
    }

    lcf->depth = depth;

    return NGX_CONF_OK;
}


static char *
ngx_http_sluice_depth_parameter(ngx_conf_t *cf, ngx_str_t *value,
    const char *name, int64_t *number)
{
    size_t     skip;
    ngx_int_t  n;

    skip = ngx_strlen(name);
    n = ngx_atoi(value->data + skip, value->len - skip);

    if (n == NGX_ERROR || n == 0 || *number) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number \"%V\" in \"sluice_queue_limit\"",
                           value);
        return NGX_CONF_ERROR;
    }

    *number = n;

    return NGX_CONF_OK;
}


/* A queue whose events are in the spool, and that no location has asked for */

static void
ngx_http_sluice_depth_least(ngx_conf_t *cf, const int64_t *limits)
{
    ngx_uint_t                    i;
    ngx_http_sluice_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sluice_module);

    for (i = 0; i < NGX_HTTP_SLUICE_CLASSES; i++) {
        if (mcf->held[i] == 0 || limits[i] < mcf->held[i]) {
            mcf->held[i] = limits[i];
        }
    }
}
