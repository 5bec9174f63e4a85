/*
 * The directives, and the life of the configuration and of a process.
 */

#include "ngx_http_sluice_split.h"
#include "ngx_http_sluice_spool.h"
#include "ngx_http_sluice_table.h"


static void *ngx_http_sluice_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_sluice_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_sluice_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_sluice_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_sluice_init_phase(ngx_http_core_main_conf_t *cmcf,
    ngx_uint_t phase, ngx_http_handler_pt handler, ngx_uint_t last);
static ngx_int_t ngx_http_sluice_init_process(ngx_cycle_t *cycle);
static void ngx_http_sluice_exit_process(ngx_cycle_t *cycle);


static ngx_conf_num_bounds_t  ngx_http_sluice_status_bounds = {
    ngx_conf_check_num_bounds, 400, 599
};


static ngx_conf_enum_t  ngx_http_sluice_log_levels[] = {
    { ngx_string("info"), NGX_LOG_INFO },
    { ngx_string("notice"), NGX_LOG_NOTICE },
    { ngx_string("warn"), NGX_LOG_WARN },
    { ngx_string("error"), NGX_LOG_ERR },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_sluice_commands[] = {

    { ngx_string("sluice_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_sluice_redis,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sluice_spool"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_http_sluice_spool,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sluice_verify"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_sluice_verify,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sluice_verify_status"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_sluice_loc_conf_t, verify_status),
      &ngx_http_sluice_status_bounds },

    { ngx_string("sluice_tenants"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_sluice_tenants,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sluice_tenant"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE123,
      ngx_http_sluice_tenant,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sluice_verify_dry_run"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_sluice_loc_conf_t, verify_dry_run),
      NULL },

    { ngx_string("sluice_verify_log_level"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_sluice_loc_conf_t, verify_log_level),
      &ngx_http_sluice_log_levels },

    { ngx_string("sluice_limit_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_http_sluice_limit_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sluice_limit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_sluice_limit,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sluice_limit_status"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_sluice_loc_conf_t, limit_status),
      &ngx_http_sluice_status_bounds },

    { ngx_string("sluice_limit_dry_run"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_sluice_loc_conf_t, limit_dry_run),
      NULL },

    { ngx_string("sluice_limit_log_level"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_sluice_loc_conf_t, limit_log_level),
      &ngx_http_sluice_log_levels },

    { ngx_string("sluice_queue_limit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1234,
      ngx_http_sluice_queue_limit,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sluice_json"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE23,
      ngx_http_sluice_json,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sluice_enqueue"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_sluice_enqueue,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sluice_split"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_sluice_split,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sluice_dedupe"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_sluice_dedupe,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sluice_respond"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE23,
      ngx_http_sluice_respond,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sluice_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_sluice_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("sluice_health"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_sluice_health,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_sluice_module_ctx = {
    ngx_http_sluice_variables_add,         /* preconfiguration */
    ngx_http_sluice_init,                  /* postconfiguration */

    ngx_http_sluice_create_main_conf,      /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_sluice_create_loc_conf,       /* create location configuration */
    ngx_http_sluice_merge_loc_conf         /* merge location configuration */
};


ngx_module_t  ngx_http_sluice_module = {
    NGX_MODULE_V1,
    &ngx_http_sluice_module_ctx,           /* module context */
    ngx_http_sluice_commands,              /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_sluice_init_process,          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_sluice_exit_process,          /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_sluice_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_sluice_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_sluice_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    mcf->process = ngx_pcalloc(cf->pool, sizeof(ngx_http_sluice_process_t));
    if (mcf->process == NULL) {
        return NULL;
    }

    if (ngx_array_init(&mcf->servers, cf->pool, 2,
                       sizeof(ngx_http_sluice_server_t *))
        != NGX_OK
        || ngx_array_init(&mcf->zones, cf->pool, 2,
                          sizeof(ngx_http_sluice_zone_t *))
           != NGX_OK
        || ngx_array_init(&mcf->variables, cf->pool, 4, sizeof(ngx_str_t))
           != NGX_OK
        || ngx_array_init(&mcf->secrets, cf->pool, 4, sizeof(ngx_uint_t))
           != NGX_OK
        || ngx_array_init(&mcf->files, cf->pool, 4,
                          sizeof(ngx_http_sluice_secret_file_t *))
           != NGX_OK)
    {
        return NULL;
    }

    return mcf;
}


static void *
ngx_http_sluice_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_sluice_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_sluice_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->verify, conf->limits, conf->json, conf->pointers = NULL;
     *     conf->enqueue, conf->respond = NULL;
     *     conf->split, conf->dedupe = NULL;
     */

    conf->verify_status = NGX_CONF_UNSET_UINT;
    conf->verify_log_level = NGX_CONF_UNSET_UINT;
    conf->verify_dry_run = NGX_CONF_UNSET;
    conf->limit_status = NGX_CONF_UNSET_UINT;
    conf->limit_log_level = NGX_CONF_UNSET_UINT;
    conf->limit_dry_run = NGX_CONF_UNSET;
    conf->depth = NGX_CONF_UNSET_PTR;

    return conf;
}


static char *
ngx_http_sluice_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_sluice_loc_conf_t *prev = parent;
    ngx_http_sluice_loc_conf_t *conf = child;

    char                         *rv;
    ngx_uint_t                    i;
    ngx_http_sluice_limit_t      *limit;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_sluice_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sluice_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    ngx_conf_merge_uint_value(conf->verify_status, prev->verify_status,
                              NGX_HTTP_UNAUTHORIZED);
    ngx_conf_merge_uint_value(conf->verify_log_level, prev->verify_log_level,
                              NGX_LOG_INFO);
    ngx_conf_merge_value(conf->verify_dry_run, prev->verify_dry_run, 0);
    ngx_conf_merge_uint_value(conf->limit_status, prev->limit_status,
                              NGX_HTTP_TOO_MANY_REQUESTS);
    ngx_conf_merge_uint_value(conf->limit_log_level, prev->limit_log_level,
                              NGX_LOG_INFO);
    ngx_conf_merge_value(conf->limit_dry_run, prev->limit_dry_run, 0);
    ngx_conf_merge_ptr_value(conf->depth, prev->depth, NULL);

    if (conf->verify == NULL) {
        conf->verify = prev->verify;
    }

    if (conf->limits == NULL) {
        conf->limits = prev->limits;
    }

    if (conf->json == NULL) {
        conf->json = prev->json;
    }

    if (conf->limits) {
        limit = conf->limits->elts;

        for (i = 0; i < conf->limits->nelts; i++) {
            if (limit[i].early) {
                conf->early = 1;

            } else {
                conf->late = 1;
            }
        }
    }

    rv = ngx_http_sluice_tenant_merge(cf, prev, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (conf->enqueue) {
        rv = ngx_http_sluice_enqueue_merge(cf, conf->enqueue, conf->verify,
                                           mcf);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    /* beside "sluice_enqueue" its answer, alone the content */

    if (conf->respond && conf->enqueue == NULL) {

        if (conf->handler || clcf->handler) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "location \"%V\" has \"sluice_respond\" beside "
                               "another content", &clcf->name);
            return NGX_CONF_ERROR;
        }

        conf->handler = ngx_http_sluice_respond_handler;
        clcf->handler = conf->handler;
    }

    /* "if" and "limit_except" change the configuration, not what is served */

    if (clcf->noname && clcf->handler == NULL && prev->handler) {
        conf->enqueue = prev->enqueue;
        conf->split = prev->split;
        conf->dedupe = prev->dedupe;
        conf->respond = prev->respond;
        conf->handler = prev->handler;
        clcf->handler = prev->handler;
    }

    rv = ngx_http_sluice_split_merge(cf, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    rv = ngx_http_sluice_json_merge(cf, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_sluice_check(cf, conf);
}


char *
ngx_http_sluice_value(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_complex_value_t **cv)
{
    ngx_http_compile_complex_value_t  ccv;

    if (*cv == NULL) {
        *cv = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
        if (*cv == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = *cv;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_str_t
ngx_http_sluice_shown(const ngx_str_t *parameter)
{
    u_char     *last, *p;
    ngx_str_t   shown;

    shown = *parameter;
    last = shown.data + shown.len;

    for (p = shown.data; p < last; p++) {
        if (!((*p >= 'a' && *p <= 'z') || *p == '_')) {
            break;
        }
    }

    if (p < last && *p == '=') {
        shown.len = p + 1 - shown.data;

    } else if (p < last) {
        ngx_str_set(&shown, "...");
    }

    return shown;
}


static ngx_int_t
ngx_http_sluice_init(ngx_conf_t *cf)
{
    ngx_http_core_main_conf_t    *cmcf;
    ngx_http_sluice_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sluice_module);
    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    mcf->core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    ngx_http_sluice_redis_resolvers(cf, mcf);

    if (ngx_http_sluice_secret_variables(cf, mcf) != NGX_OK
        || ngx_http_sluice_status_zone(cf, mcf) != NGX_OK
        || ngx_http_sluice_tenants_init(cf, mcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /*
     * Handlers of a phase run from the last to the first.  Early limits come
     * after realip, the verification after all that may deny; what stands
     * before the content comes before mirror and try_files.
     */

    if (ngx_http_sluice_init_phase(cmcf, NGX_HTTP_PREACCESS_PHASE,
                                   ngx_http_sluice_preaccess_handler, 1)
        != NGX_OK
        || ngx_http_sluice_init_phase(cmcf, NGX_HTTP_ACCESS_PHASE,
                                      ngx_http_sluice_access_handler, 1)
           != NGX_OK
        || ngx_http_sluice_init_phase(cmcf, NGX_HTTP_PRECONTENT_PHASE,
                                      ngx_http_sluice_precontent_handler, 0)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sluice_init_phase(ngx_http_core_main_conf_t *cmcf, ngx_uint_t phase,
    ngx_http_handler_pt handler, ngx_uint_t last)
{
    ngx_array_t          *handlers;
    ngx_http_handler_pt  *h;

    handlers = &cmcf->phases[phase].handlers;

    h = ngx_array_push(handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    if (last) {
        h = handlers->elts;
        ngx_memmove(h + 1, h, (handlers->nelts - 1) * sizeof(*h));
    }

    *h = handler;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sluice_init_process(ngx_cycle_t *cycle)
{
    ngx_http_sluice_main_conf_t  *mcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_sluice_module);

    /* takes a slot now, so that a dead predecessor's is settled */

    if (mcf) {
        (void) ngx_http_sluice_status_process(mcf);
        ngx_http_sluice_table_start(mcf);
        ngx_http_sluice_spool_start(mcf);
        ngx_http_sluice_secret_begin(mcf, cycle->log);
    }

    return NGX_OK;
}


static void
ngx_http_sluice_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_sluice_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_sluice_module);

    if (mcf && mcf->process->pid == ngx_pid) {
        ngx_http_sluice_spool_stop(mcf);
        ngx_http_sluice_redis_exit(mcf);
        ngx_http_sluice_table_exit(mcf);
        ngx_http_sluice_status_leave(mcf);
    }
}
