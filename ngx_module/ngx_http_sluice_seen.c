/*
 * When each tenant's last event became durable: a silence can be alarmed.
 *
 * The table is beside the slots.  A name has its place within the PROBES that
 * follow its hash; where none is free it takes that of the tenant silent for
 * longest.  Finding a name and storing its time take no lock, a new name does.
 */

#include "ngx_http_sluice_metrics.h"


#define NGX_HTTP_SLUICE_PROBES  32


static ngx_http_sluice_seen_t *ngx_http_sluice_seen_find(
    ngx_http_sluice_seen_t *table, const ngx_str_t *name, uint32_t hash);
static ngx_http_sluice_seen_t *ngx_http_sluice_seen_add(
    ngx_shm_zone_t *shm_zone, const ngx_str_t *name, uint32_t hash);
static uint64_t ngx_http_sluice_seen_last(const ngx_http_sluice_metrics_t *m,
    ngx_uint_t i, uintptr_t data);


const ngx_http_sluice_metric_t  ngx_http_sluice_seen_metrics[] = {

    { NULL, "last_event", "tenant_last_event_timestamp_seconds", NULL,
      NGX_HTTP_SLUICE_METRIC_GAUGE,
      "When the last event of the tenant became durable.",
      ngx_http_sluice_seen_last, 0, 1 },

    { NULL, NULL, NULL, NULL, 0, NULL, NULL, 0, 0 }
};


static ngx_http_sluice_seen_t *
ngx_http_sluice_seen_table(ngx_shm_zone_t *shm_zone)
{
    return (ngx_http_sluice_seen_t *)
               (ngx_http_sluice_status_slots(shm_zone)
                + NGX_HTTP_SLUICE_SLOTS);
}


void
ngx_http_sluice_seen(ngx_http_sluice_item_t *item)
{
    uint32_t                      hash;
    ngx_time_t                   *tp;
    ngx_http_sluice_ctx_t        *ctx;
    ngx_http_sluice_seen_t       *seen;
    ngx_http_sluice_main_conf_t  *mcf;

    ctx = item->ctx;

    if (item->tenant.len == 0 || item->tenant.len > SLUICE_KEYS_NAME_MAX
        || (item->job != NGX_HTTP_SLUICE_JOB_ACCEPTED
            && item->job != NGX_HTTP_SLUICE_JOB_DUPLICATE
            && item->job != NGX_HTTP_SLUICE_JOB_SPOOLED))
    {
        return;
    }

    /* a name that anyone may make up is no label */

    if (ctx->verdict != NGX_HTTP_SLUICE_VALID && ctx->tenant == NULL) {
        return;
    }

    mcf = ngx_http_get_module_main_conf(ctx->request, ngx_http_sluice_module);

    hash = ngx_murmur_hash2(item->tenant.data, item->tenant.len);

    seen = ngx_http_sluice_seen_find(ngx_http_sluice_seen_table(mcf->status),
                                     &item->tenant, hash);
    if (seen == NULL) {
        seen = ngx_http_sluice_seen_add(mcf->status, &item->tenant, hash);
    }

    tp = ngx_timeofday();
    seen->last = (ngx_atomic_uint_t) tp->sec * 1000 + tp->msec;
}


static ngx_http_sluice_seen_t *
ngx_http_sluice_seen_find(ngx_http_sluice_seen_t *table, const ngx_str_t *name,
    uint32_t hash)
{
    ngx_uint_t               i;
    ngx_http_sluice_seen_t  *seen;

    for (i = 0; i < NGX_HTTP_SLUICE_PROBES; i++) {
        seen = &table[(hash + i) % NGX_HTTP_SLUICE_SEEN];

        if (seen->len == name->len
            && ngx_memcmp(seen->name, name->data, name->len) == 0)
        {
            return seen;
        }
    }

    return NULL;
}


/* An entry is free until all of it is there, should the process be killed. */

static ngx_http_sluice_seen_t *
ngx_http_sluice_seen_add(ngx_shm_zone_t *shm_zone, const ngx_str_t *name,
    uint32_t hash)
{
    ngx_uint_t               i;
    ngx_slab_pool_t         *shpool;
    ngx_http_sluice_seen_t  *oldest, *seen, *table;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;
    table = ngx_http_sluice_seen_table(shm_zone);

    ngx_shmtx_lock(&shpool->mutex);

    seen = ngx_http_sluice_seen_find(table, name, hash);

    if (seen == NULL) {
        oldest = &table[hash % NGX_HTTP_SLUICE_SEEN];

        for (i = 0; i < NGX_HTTP_SLUICE_PROBES && oldest->len; i++) {
            seen = &table[(hash + i) % NGX_HTTP_SLUICE_SEEN];

            if (seen->len == 0 || seen->last < oldest->last) {
                oldest = seen;
            }
        }

        seen = oldest;

        seen->len = 0;
        ngx_memory_barrier();

        ngx_memcpy(seen->name, name->data, name->len);
        seen->last = 0;

        ngx_memory_barrier();
        seen->len = name->len;
    }

    ngx_shmtx_unlock(&shpool->mutex);

    return seen;
}


ngx_int_t
ngx_http_sluice_seen_ident(const ngx_http_sluice_metrics_t *m, ngx_uint_t i,
    ngx_str_t *values)
{
    ngx_http_sluice_seen_t  *seen;

    if (i == NGX_HTTP_SLUICE_SEEN) {
        return NGX_DONE;
    }

    seen = &ngx_http_sluice_seen_table(m->main->status)[i];

    if (seen->len == 0 || seen->last == 0) {
        return NGX_DECLINED;
    }

    values[0].data = seen->name;
    values[0].len = seen->len;

    return NGX_OK;
}


static uint64_t
ngx_http_sluice_seen_last(const ngx_http_sluice_metrics_t *m, ngx_uint_t i,
    uintptr_t data)
{
    return ngx_http_sluice_seen_table(m->main->status)[i].last;
}
