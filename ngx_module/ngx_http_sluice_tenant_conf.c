/*
 * sluice_tenants zone=name:size [refresh=TIME] [key_file=PATH] [redis=NAME]
 * sluice_tenant VALUE [by=id|path|api_key|number] [quarantine=QUEUE]
 */

#include <openssl/evp.h>

#include "ngx_http_sluice_table.h"


#define NGX_HTTP_SLUICE_KEY_FILE  16384    /* bytes of it at most */


static char *ngx_http_sluice_tenants_parameter(ngx_conf_t *cf,
    ngx_http_sluice_tenants_t *tenants, ngx_str_t *value);
static char *ngx_http_sluice_tenants_zone(ngx_conf_t *cf,
    ngx_http_sluice_tenants_t *tenants, ngx_str_t *value);
static void ngx_http_sluice_tenants_nobody(ngx_http_sluice_entry_t *entry);
static char *ngx_http_sluice_tenants_keys(ngx_conf_t *cf,
    ngx_http_sluice_tenants_t *tenants, ngx_str_t *path);
static ngx_int_t ngx_http_sluice_tenants_table(ngx_shm_zone_t *shm_zone,
    void *data);


/* not the module's: a "sluice_limit_zone" could have the name */
static ngx_uint_t  ngx_http_sluice_tenants_tag;


char *
ngx_http_sluice_tenants(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sluice_main_conf_t *mcf = conf;

    char                       *rv;
    ngx_str_t                  *value;
    ngx_uint_t                  i;
    ngx_http_sluice_tenants_t  *tenants;

    if (mcf->tenants) {
        return "is duplicate";
    }

    tenants = ngx_pcalloc(cf->pool, sizeof(ngx_http_sluice_tenants_t));
    if (tenants == NULL) {
        return NGX_CONF_ERROR;
    }

    tenants->refresh = 1000;
    tenants->main = mcf;
    ngx_str_set(&tenants->server_name, "default");

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_http_sluice_tenants_parameter(cf, tenants, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (tenants->shm_zone == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sluice_tenants\" needs a \"zone=\"");
        return NGX_CONF_ERROR;
    }

    mcf->tenants = tenants;

    return NGX_CONF_OK;
}


static char *
ngx_http_sluice_tenants_parameter(ngx_conf_t *cf,
    ngx_http_sluice_tenants_t *tenants, ngx_str_t *value)
{
    int64_t    ms;
    ngx_str_t  s;

    if (ngx_strncmp(value->data, "zone=", 5) == 0
        && tenants->shm_zone == NULL)
    {
        return ngx_http_sluice_tenants_zone(cf, tenants, value);
    }

    if (ngx_strncmp(value->data, "refresh=", 8) == 0) {

        ms = sluice_duration((char *) value->data + 8, value->len - 8);

        if (ms >= 100 && ms <= 3600 * 1000) {
            tenants->refresh = ms;
            return NGX_CONF_OK;
        }

    } else if (ngx_strncmp(value->data, "key_file=", 9) == 0
               && tenants->keys.n == 0)
    {
        s.data = value->data + 9;
        s.len = value->len - 9;

        return ngx_http_sluice_tenants_keys(cf, tenants, &s);

    } else if (ngx_strncmp(value->data, "redis=", 6) == 0) {

        tenants->server_name.data = value->data + 6;
        tenants->server_name.len = value->len - 6;

        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of \"sluice_tenants\"",
                       value);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_sluice_tenants_zone(ngx_conf_t *cf,
    ngx_http_sluice_tenants_t *tenants, ngx_str_t *value)
{
    ssize_t    size;
    ngx_str_t  name;

    size = ngx_http_sluice_zone_size(cf, value, 16 * ngx_pagesize, &name);
    if (size == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    tenants->shm_zone = ngx_shared_memory_add(cf, &name, size,
                                              &ngx_http_sluice_tenants_tag);
    if (tenants->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    tenants->shm_zone->init = ngx_http_sluice_tenants_table;
    tenants->shm_zone->data = tenants;

    ngx_http_sluice_tenants_nobody(&tenants->nobody);

    return NGX_CONF_OK;
}


/* An entry of no tenant, for what is not in the table. */

static void
ngx_http_sluice_tenants_nobody(ngx_http_sluice_entry_t *entry)
{
    u_char                    *p;
    ngx_http_sluice_tenant_t  *t;

    t = &entry->tenant;
    p = (u_char *) t;

    t->id.data = p;
    t->queue.data = p;
    t->rate.data = p;
    t->burst.data = p;
    t->class.data = p;
    t->keys = p;
    t->secrets = (ngx_http_sluice_tenant_secret_t *) p;

    entry->copied = sizeof(ngx_http_sluice_tenant_t);
}


/* No message shows what the file holds. */

static char *
ngx_http_sluice_tenants_keys(ngx_conf_t *cf,
    ngx_http_sluice_tenants_t *tenants, ngx_str_t *path)
{
    u_char       buf[NGX_HTTP_SLUICE_KEY_FILE];
    size_t       line;
    ssize_t      n;
    ngx_fd_t     fd;
    const char  *what;

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", path);
        return NGX_CONF_ERROR;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_fd_n " \"%V\" failed", path);
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", path);
    }

    if (n == -1) {
        return NGX_CONF_ERROR;
    }

    line = 0;
    what = (n == sizeof(buf)) ? "it is too long"
                              : sluice_tenant_keys(&tenants->keys,
                                                   (char *) buf, n, &line);

    ngx_explicit_memzero(buf, sizeof(buf));

    if (what) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"key_file\" \"%V\", line %uz: %s", path, line,
                           what);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* A reload finds the table of the zone with the same name and size. */

static ngx_int_t
ngx_http_sluice_tenants_table(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_sluice_tenants_t *old = data;

    ngx_http_sluice_tenants_t  *tenants;

    tenants = shm_zone->data;
    tenants->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (old || shm_zone->shm.exists) {
        tenants->table = tenants->shpool->data;
        return NGX_OK;
    }

    return ngx_http_sluice_table_create(tenants);
}


ngx_int_t
ngx_http_sluice_tenants_init(ngx_conf_t *cf, ngx_http_sluice_main_conf_t *mcf)
{
    u_char                      digest[EVP_MAX_MD_SIZE], *p;
    u_char                      source[sizeof(sluice_tenant_keys_t) + 512];
    ngx_uint_t                  i;
    ngx_http_sluice_tenants_t  *tenants;

    tenants = mcf->tenants;

    if (tenants == NULL) {
        return NGX_OK;
    }

    tenants->server = ngx_http_sluice_redis_find(mcf, &tenants->server_name);

    if (tenants->server == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sluice_tenants\" needs a \"sluice_redis\" with "
                           "the name \"%V\"", &tenants->server_name);
        return NGX_ERROR;
    }

    p = ngx_slprintf(source, source + 512, "%V/%d", &tenants->server->shown,
                     tenants->server->url.db);

    for (i = 0; i < tenants->keys.n; i++) {
        p = ngx_cpymem(p, tenants->keys.key[i].id, SLUICE_TENANT_KEY_ID);
    }

    if (EVP_Digest(source, p - source, digest, NULL, EVP_sha256(), NULL) != 1) {
        return NGX_ERROR;
    }

    ngx_memcpy(tenants->source, digest, NGX_HTTP_SLUICE_TABLE_DIGEST);

    return NGX_OK;
}


char *
ngx_http_sluice_tenant_merge(ngx_conf_t *cf,
    const ngx_http_sluice_loc_conf_t *prev, ngx_http_sluice_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_sluice_main_conf_t  *mcf;

    /* not for a page of ours, such as sluice_status */

    if (conf->tenant == NULL
        && (conf->handler == NULL || conf->enqueue || conf->respond))
    {
        conf->tenant = prev->tenant;
    }

    if (conf->tenant == NULL) {
        return NGX_CONF_OK;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sluice_module);

    if (mcf->tenants == NULL) {
        clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sluice_tenant\" in \"%V\" needs a "
                           "\"sluice_tenants\"", &clcf->name);
        return NGX_CONF_ERROR;
    }

    if (conf->enqueue && conf->enqueue->tenant == NULL
        && conf->enqueue->prefix == NULL)
    {
        conf->enqueue->whose = 1;
        conf->enqueue->base.len = 0;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_sluice_tenant(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sluice_loc_conf_t *lcf = conf;

    ngx_str_t                      *value, s;
    ngx_uint_t                      i, n;
    ngx_http_complex_value_t       *cv;
    ngx_http_sluice_tenant_conf_t  *tenant;

    static ngx_str_t                ways[] = {
        ngx_string("by=id"), ngx_string("by=path"), ngx_string("by=api_key"),
        ngx_string("by=number")
    };

    if (lcf->tenant) {
        return "is duplicate";
    }

    tenant = ngx_pcalloc(cf->pool, sizeof(ngx_http_sluice_tenant_conf_t));
    if (tenant == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;
    cv = &tenant->value;

    if (ngx_http_sluice_value(cf, &value[1], &cv) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        for (n = 0; n < sizeof(ways) / sizeof(ngx_str_t); n++) {
            if (value[i].len == ways[n].len
                && ngx_strncmp(value[i].data, ways[n].data, ways[n].len) == 0)
            {
                break;
            }
        }

        if (n < sizeof(ways) / sizeof(ngx_str_t)) {
            tenant->by = n;
            continue;
        }

        s.data = value[i].data + 11;
        s.len = value[i].len - 11;

        if (ngx_strncmp(value[i].data, "quarantine=", 11) == 0
            && sluice_keys_name_ok((char *) s.data, s.len))
        {
            tenant->quarantine = s;

            if (ngx_http_sluice_enqueue_quarantine(cf, tenant->base, &s)
                != NGX_OK)
            {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of \"sluice_tenant\"",
                           &value[i]);
        return NGX_CONF_ERROR;
    }

    lcf->tenant = tenant;

    return NGX_CONF_OK;
}
