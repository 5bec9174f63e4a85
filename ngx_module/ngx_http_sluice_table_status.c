/*
 * What sluice_status shows of the tenant table.
 */

#include "ngx_http_sluice_table.h"


static uint64_t ngx_http_sluice_table_number(
    const ngx_http_sluice_metrics_t *m, ngx_uint_t i, uintptr_t data);
static uint64_t ngx_http_sluice_table_bytes(const ngx_http_sluice_metrics_t *m,
    ngx_uint_t i, uintptr_t data);
static uint64_t ngx_http_sluice_table_free(const ngx_http_sluice_metrics_t *m,
    ngx_uint_t i, uintptr_t data);


#define ngx_http_sluice_table_row(key, metric, type, help, field)             \
    { NULL, key, metric, NULL, type, help, ngx_http_sluice_table_number,      \
      offsetof(ngx_http_sluice_table_t, field), 0 }

const ngx_http_sluice_metric_t  ngx_http_sluice_table_metrics[] = {

    { NULL, "bytes", "tenants_bytes", NULL, NGX_HTTP_SLUICE_METRIC_GAUGE,
      "Size of the zone.", ngx_http_sluice_table_bytes, 0, 0 },

    { NULL, "free", "tenants_free_bytes", NULL, NGX_HTTP_SLUICE_METRIC_GAUGE,
      "Pages of the zone that hold nothing.", ngx_http_sluice_table_free, 0,
      0 },

    ngx_http_sluice_table_row("tenants", "tenants",
                              NGX_HTTP_SLUICE_METRIC_GAUGE,
                              "Tenants in the table.", tenants),

    ngx_http_sluice_table_row("refused", "tenants_refused",
                              NGX_HTTP_SLUICE_METRIC_GAUGE,
                              "Entries that the last load refused.", refused),

    ngx_http_sluice_table_row("no_memory", "tenants_no_memory",
                              NGX_HTTP_SLUICE_METRIC_GAUGE,
                              "Those of them that had no room.", nomem),

    ngx_http_sluice_table_row("loads", "tenants_loads_total",
                              NGX_HTTP_SLUICE_METRIC_COUNTER,
                              "Loads that were whole.", loads),

    ngx_http_sluice_table_row("loaded", "tenants_loaded_timestamp_seconds",
                              NGX_HTTP_SLUICE_METRIC_GAUGE,
                              "When the last one was.", loaded),

    ngx_http_sluice_table_row("checked", "tenants_checked_timestamp_seconds",
                              NGX_HTTP_SLUICE_METRIC_GAUGE,
                              "When Redis last said that it is current.",
                              checked),

    { NULL, NULL, NULL, NULL, 0, NULL, NULL, 0, 0 }
};


ngx_int_t
ngx_http_sluice_table_ident(const ngx_http_sluice_metrics_t *m, ngx_uint_t i,
    ngx_str_t *values)
{
    if (i || m->main->tenants == NULL) {
        return NGX_DONE;
    }

    values[0] = m->main->tenants->shm_zone->shm.name;

    return NGX_OK;
}


static uint64_t
ngx_http_sluice_table_number(const ngx_http_sluice_metrics_t *m, ngx_uint_t i,
    uintptr_t data)
{
    return *(const ngx_atomic_t *) ((u_char *) m->main->tenants->table + data);
}


static uint64_t
ngx_http_sluice_table_bytes(const ngx_http_sluice_metrics_t *m, ngx_uint_t i,
    uintptr_t data)
{
    return m->main->tenants->shm_zone->shm.size;
}


static uint64_t
ngx_http_sluice_table_free(const ngx_http_sluice_metrics_t *m, ngx_uint_t i,
    uintptr_t data)
{
    return m->main->tenants->shpool->pfree * ngx_pagesize;
}
