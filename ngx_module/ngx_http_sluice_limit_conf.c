/*
 * sluice_limit_zone $key zone=name:size
 * sluice_limit zone=name rate=VALUE [burst=VALUE] [cost=VALUE] [early]
 */

#include "ngx_http_sluice_zone.h"


/* µs between two requests: of less the rounding would be a tenth and more */
#define NGX_HTTP_SLUICE_INTERVAL  10


static ngx_int_t ngx_http_sluice_zone_init(ngx_shm_zone_t *shm_zone,
    void *data);
static char *ngx_http_sluice_limit_parameter(ngx_conf_t *cf,
    ngx_http_sluice_limit_t *limit, ngx_str_t *value);
static char *ngx_http_sluice_limit_number(ngx_conf_t *cf, ngx_str_t *parameter,
    size_t skip, ngx_int_t least, ngx_http_complex_value_t **cv,
    int64_t *constant);


char *
ngx_http_sluice_limit_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sluice_main_conf_t *mcf = conf;

    ssize_t                    size;
    ngx_str_t                 *value, name;
    ngx_shm_zone_t            *shm_zone;
    ngx_http_sluice_zone_t    *zone, **slot;
    ngx_http_complex_value_t  *cv;

    value = cf->args->elts;

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_sluice_zone_t));
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    cv = &zone->key;

    if (ngx_http_sluice_value(cf, &value[1], &cv) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_strncmp(value[2].data, "zone=", 5) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of \"sluice_limit_zone\"",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    size = ngx_http_sluice_zone_size(cf, &value[2], 8 * ngx_pagesize, &name);
    if (size == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    if (mcf->zones.nelts == NGX_HTTP_SLUICE_ZONES) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "more than %d \"sluice_limit_zone\"",
                           NGX_HTTP_SLUICE_ZONES);
        return NGX_CONF_ERROR;
    }

    shm_zone = ngx_shared_memory_add(cf, &name, size, &ngx_http_sluice_module);
    if (shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (shm_zone->data) {

        /* made by a "sluice_limit" before this, or a second time */

        zone = shm_zone->data;

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is already bound to key \"%V\"",
                           &name, &zone->key.value);
        return NGX_CONF_ERROR;
    }

    slot = ngx_array_push(&mcf->zones);
    if (slot == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = zone;

    zone->shm_zone = shm_zone;
    zone->index = mcf->zones.nelts - 1;

    shm_zone->init = ngx_http_sluice_zone_init;
    shm_zone->data = zone;

    return NGX_CONF_OK;
}


ssize_t
ngx_http_sluice_zone_size(ngx_conf_t *cf, const ngx_str_t *value,
    size_t least, ngx_str_t *name)
{
    u_char     *p;
    ssize_t     size;
    ngx_str_t   s;

    name->data = value->data + 5;
    p = (u_char *) ngx_strchr(name->data, ':');

    if (p == NULL) {
        goto invalid;
    }

    name->len = p - name->data;

    s.data = p + 1;
    s.len = value->data + value->len - s.data;

    size = ngx_parse_size(&s);

    if (size == NGX_ERROR
        || !sluice_keys_name_ok((char *) name->data, name->len))
    {
        goto invalid;
    }

    if (size < (ssize_t) least) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small", name);
        return NGX_ERROR;
    }

    return size;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid zone \"%V\": it must be zone=name:size",
                       value);

    return NGX_ERROR;
}


/*
 * A reload finds the state of the zone with the same name and size; the same
 * memory with another key would mix what does not belong together.
 */

static ngx_int_t
ngx_http_sluice_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_sluice_zone_t *old = data;

    ngx_http_sluice_zone_t  *zone;

    zone = shm_zone->data;

    if (old) {

        if (zone->key.value.len != old->key.value.len
            || ngx_strncmp(zone->key.value.data, old->key.value.data,
                           zone->key.value.len)
               != 0)
        {
            ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                          "sluice_limit_zone \"%V\" uses the key \"%V\" while "
                          "it used the key \"%V\" before", &shm_zone->shm.name,
                          &zone->key.value, &old->key.value);
            return NGX_ERROR;
        }

        zone->sh = old->sh;
        zone->shpool = old->shpool;

        return NGX_OK;
    }

    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shm_zone->shm.exists) {
        zone->sh = zone->shpool->data;
        return NGX_OK;
    }

    return ngx_http_sluice_zone_create(zone);
}


char *
ngx_http_sluice_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sluice_loc_conf_t *lcf = conf;

    char                         *rv;
    ngx_str_t                    *value, name;
    ngx_uint_t                    i;
    ngx_http_sluice_zone_t      **zone;
    ngx_http_sluice_limit_t      *limit, *last, limits;
    ngx_http_sluice_main_conf_t  *mcf;

    value = cf->args->elts;
    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sluice_module);

    ngx_memzero(&limits, sizeof(ngx_http_sluice_limit_t));
    limits.price = 1;
    ngx_str_null(&name);

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "zone=", 5) == 0) {
            name.data = value[i].data + 5;
            name.len = value[i].len - 5;
            continue;
        }

        rv = ngx_http_sluice_limit_parameter(cf, &limits, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (name.len == 0) {
        return "needs a \"zone=\"";
    }

    if (limits.interval == 0 && limits.rate == NULL) {
        return "needs a \"rate=\"";
    }

    zone = mcf->zones.elts;

    for (i = 0; i < mcf->zones.nelts; i++) {
        if (zone[i]->shm_zone->shm.name.len == name.len
            && ngx_strncmp(zone[i]->shm_zone->shm.name.data, name.data,
                           name.len)
               == 0)
        {
            limits.zone = zone[i];
        }
    }

    if (limits.zone == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown zone \"%V\" in \"sluice_limit\": it must "
                           "be defined before by \"sluice_limit_zone\"",
                           &name);
        return NGX_CONF_ERROR;
    }

    if (lcf->limits == NULL) {
        lcf->limits = ngx_array_create(cf->pool, 2,
                                       sizeof(ngx_http_sluice_limit_t));
        if (lcf->limits == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (lcf->limits->nelts == NGX_HTTP_SLUICE_LIMITS) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "more than %d \"sluice_limit\" in one place",
                           NGX_HTTP_SLUICE_LIMITS);
        return NGX_CONF_ERROR;
    }

    limit = lcf->limits->elts;

    for (i = 0; i < lcf->limits->nelts; i++) {
        if (limit[i].zone == limits.zone) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "zone \"%V\" is used twice: one key has one "
                               "rate", &name);
            return NGX_CONF_ERROR;
        }
    }

    /*
     * Kept in the order in which they are locked: by name, which processes of
     * another configuration, those that a reload replaces, have as well.
     */

    last = ngx_array_push(lcf->limits);
    if (last == NULL) {
        return NGX_CONF_ERROR;
    }

    limit = lcf->limits->elts;

    for (i = lcf->limits->nelts - 1;
         i && ngx_memn2cmp(limit[i - 1].zone->shm_zone->shm.name.data,
                             name.data,
                             limit[i - 1].zone->shm_zone->shm.name.len,
                             name.len)
                > 0;
         i--)
    {
        limit[i] = limit[i - 1];
    }

    limit[i] = limits;

    return NGX_CONF_OK;
}


static char *
ngx_http_sluice_limit_parameter(ngx_conf_t *cf, ngx_http_sluice_limit_t *limit,
    ngx_str_t *value)
{
    ngx_str_t  s;

    if (ngx_strcmp(value->data, "early") == 0) {
        limit->early = 1;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "burst=", 6) == 0) {
        return ngx_http_sluice_limit_number(cf, value, 6, 0, &limit->burst,
                                            &limit->units);
    }

    if (ngx_strncmp(value->data, "cost=size/", 10) == 0) {
        s.data = value->data + 10;
        s.len = value->len - 10;

        limit->piece = ngx_parse_offset(&s);

        if (limit->piece <= 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid size in \"%V\" of \"sluice_limit\"",
                               value);
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "cost=", 5) == 0) {
        return ngx_http_sluice_limit_number(cf, value, 5, 1, &limit->cost,
                                            &limit->price);
    }

    if (ngx_strncmp(value->data, "rate=", 5) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of \"sluice_limit\"",
                           value);
        return NGX_CONF_ERROR;
    }

    s.data = value->data + 5;
    s.len = value->len - 5;

    if (ngx_http_script_variables_count(&s)) {
        return ngx_http_sluice_value(cf, &s, &limit->rate);
    }

    limit->interval = sluice_gcra_rate((char *) s.data, s.len);

    if (limit->interval == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid rate \"%V\" in \"sluice_limit\": it may "
                           "be 50r/s, 10r/5s, 300r/m", &s);
        return NGX_CONF_ERROR;
    }

    if (limit->interval < NGX_HTTP_SLUICE_INTERVAL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the rate \"%V\" in \"sluice_limit\" is above "
                           "100000r/s", &s);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_sluice_limit_number(ngx_conf_t *cf, ngx_str_t *parameter, size_t skip,
    ngx_int_t least, ngx_http_complex_value_t **cv, int64_t *constant)
{
    ngx_int_t  n;
    ngx_str_t  s;

    s.data = parameter->data + skip;
    s.len = parameter->len - skip;

    if (ngx_http_script_variables_count(&s)) {
        return ngx_http_sluice_value(cf, &s, cv);
    }

    n = ngx_atoi(s.data, s.len);

    if (n == NGX_ERROR || n < least) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number in \"%V\" of \"sluice_limit\"",
                           parameter);
        return NGX_CONF_ERROR;
    }

    *constant = n;

    return NGX_CONF_OK;
}
