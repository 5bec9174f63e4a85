/*
 * sluice_spool PATH size=SIZE [segment=SIZE] [sync=always|interval] [age=TIME]
 */

#include "ngx_http_sluice_spool.h"


#define NGX_HTTP_SLUICE_SEGMENT      (64 * 1024 * 1024)
#define NGX_HTTP_SLUICE_SEGMENT_MIN  (64 * 1024)
#define NGX_HTTP_SLUICE_AGE          INT64_C(86400000)     /* a day, ms */
#define NGX_HTTP_SLUICE_AGE_MAX      (365 * NGX_HTTP_SLUICE_AGE)


static const char  ngx_http_sluice_spool_threads[] =
    "needs an NGINX that was built with threads (--with-threads)";


#if (NGX_THREADS)


static char *ngx_http_sluice_spool_parameter(ngx_conf_t *cf,
    ngx_http_sluice_spool_conf_t *spool, ngx_str_t *value);
static char *ngx_http_sluice_spool_path(ngx_conf_t *cf,
    ngx_http_sluice_spool_conf_t *spool, ngx_str_t *value);


char *
ngx_http_sluice_spool(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sluice_main_conf_t *mcf = conf;

    char                          *rv;
    ngx_str_t                     *value;
    ngx_uint_t                     i;
    ngx_http_sluice_spool_conf_t  *spool;

    if (ngx_thread_pool_add == NULL) {
        return (char *) ngx_http_sluice_spool_threads;
    }

    if (mcf->spool) {
        return "is duplicate";
    }

    value = cf->args->elts;

    spool = ngx_pcalloc(cf->pool, sizeof(ngx_http_sluice_spool_conf_t));
    if (spool == NULL) {
        return NGX_CONF_ERROR;
    }

    spool->age = NGX_HTTP_SLUICE_AGE;

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_sluice_spool_parameter(cf, spool, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (spool->size == 0) {
        return "must have \"size=\"";
    }

    if (spool->segment == 0) {
        spool->segment = ngx_min(NGX_HTTP_SLUICE_SEGMENT, spool->size / 4);
    }

    if (spool->segment > spool->size) {
        return "has a \"segment=\" larger than its \"size=\"";
    }

    rv = ngx_http_sluice_spool_path(cf, spool, &value[1]);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    spool->pool = ngx_thread_pool_add(cf, NULL);
    if (spool->pool == NULL) {
        return NGX_CONF_ERROR;
    }

    mcf->spool = spool;

    return NGX_CONF_OK;
}


static char *
ngx_http_sluice_spool_parameter(ngx_conf_t *cf,
    ngx_http_sluice_spool_conf_t *spool, ngx_str_t *value)
{
    ngx_str_t  s;

    if (ngx_strncmp(value->data, "size=", 5) == 0) {
        s.data = value->data + 5;
        s.len = value->len - 5;
        spool->size = ngx_parse_offset(&s);

        if (spool->size >= 4 * NGX_HTTP_SLUICE_SEGMENT_MIN) {
            return NGX_CONF_OK;
        }

    } else if (ngx_strncmp(value->data, "segment=", 8) == 0) {
        s.data = value->data + 8;
        s.len = value->len - 8;
        spool->segment = ngx_parse_offset(&s);

        if (spool->segment >= NGX_HTTP_SLUICE_SEGMENT_MIN) {
            return NGX_CONF_OK;
        }

    } else if (ngx_strncmp(value->data, "age=", 4) == 0) {
        spool->age = sluice_duration((char *) value->data + 4, value->len - 4);

        if (spool->age >= 1000 && spool->age <= NGX_HTTP_SLUICE_AGE_MAX) {
            return NGX_CONF_OK;
        }

    } else if (ngx_strcmp(value->data, "sync=always") == 0) {
        spool->interval = 0;
        return NGX_CONF_OK;

    } else if (ngx_strcmp(value->data, "sync=interval") == 0) {
        spool->interval = 1;
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of \"sluice_spool\"", value);

    return NGX_CONF_ERROR;
}


/* NGINX makes its paths itself and gives them to the user of the workers. */

static char *
ngx_http_sluice_spool_path(ngx_conf_t *cf, ngx_http_sluice_spool_conf_t *spool,
    ngx_str_t *value)
{
    u_char           *p;
    ngx_path_t       *path;
    ngx_file_info_t   fi;

    path = ngx_pcalloc(cf->pool, sizeof(ngx_path_t));
    if (path == NULL) {
        return NGX_CONF_ERROR;
    }

    path->name = *value;

    while (path->name.len > 1 && path->name.data[path->name.len - 1] == '/') {
        path->name.data[--path->name.len] = '\0';
    }

    if (path->name.len == 0
        || ngx_conf_full_name(cf->cycle, &path->name, 0) != NGX_OK)
    {
        return "needs a path";
    }

    path->conf_file = cf->conf_file->file.name.data;
    path->line = cf->conf_file->line;

    if (path->name.len >= NGX_MAX_PATH) {
        return "has a path that is too long";
    }

    if (ngx_add_path(cf, &path) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    p = ngx_pnalloc(cf->pool, path->name.len + 2);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    spool->dir.data = p;
    p = ngx_cpymem(p, path->name.data, path->name.len);
    *p++ = '/';
    *p = '\0';
    spool->dir.len = path->name.len + 1;

    if (ngx_file_info(path->name.data, &fi) == NGX_FILE_ERROR) {
        return NGX_CONF_OK;
    }

    if (!ngx_is_dir(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of \"sluice_spool\" is not a directory",
                           &path->name);
        return NGX_CONF_ERROR;
    }

    if (ngx_file_access(&fi) & 0077) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%V\" of \"sluice_spool\" is open to other users: "
                           "events will be in it", &path->name);
    }

    return NGX_CONF_OK;
}


#else


char *
ngx_http_sluice_spool(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return (char *) ngx_http_sluice_spool_threads;
}


#endif
