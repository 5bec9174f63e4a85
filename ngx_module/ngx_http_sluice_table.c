/*
 * The table's memory: entries, and the chains of keys that lead to them.
 */

#include "ngx_http_sluice_table.h"


/* one bucket for so many bytes of the zone: two or three keys in each */
#define NGX_HTTP_SLUICE_BUCKET  1024

/* buckets of one hold of the lock while sweeping */
#define NGX_HTTP_SLUICE_SWEEP  64


typedef struct {
    size_t  tenant;      /* with its secrets' array */
    size_t  copied;      /* and all its texts */
    size_t  keys;        /* where the keys begin */
    size_t  all;
    size_t  nkeys;
} ngx_http_sluice_sizes_t;


static void ngx_http_sluice_table_lock(ngx_http_sluice_tenants_t *tenants);
static void ngx_http_sluice_table_unlock(ngx_http_sluice_tenants_t *tenants);
static ngx_http_sluice_entry_t *ngx_http_sluice_table_look(
    const ngx_http_sluice_table_t *table, ngx_http_sluice_by_e by,
    const u_char *data, size_t len);
static void ngx_http_sluice_table_copy(ngx_http_sluice_tenant_t *tenant,
    const ngx_http_sluice_entry_t *entry);
static void ngx_http_sluice_table_sizes(ngx_http_sluice_sizes_t *sizes,
    const sluice_tenant_t *tenant);
static void ngx_http_sluice_table_fill(ngx_http_sluice_entry_t *entry,
    const ngx_http_sluice_sizes_t *sizes, const sluice_tenant_t *tenant);
static void ngx_http_sluice_table_link(ngx_http_sluice_table_t *table,
    ngx_http_sluice_entry_t *entry);
static void ngx_http_sluice_table_unlink(ngx_http_sluice_tenants_t *tenants,
    ngx_http_sluice_key_t **chain);


static ngx_inline uint32_t
ngx_http_sluice_table_hash(ngx_http_sluice_by_e by, const u_char *data,
    size_t len)
{
    return ngx_crc32_long((u_char *) data, len) + by;
}


ngx_int_t
ngx_http_sluice_table_create(ngx_http_sluice_tenants_t *tenants)
{
    ngx_uint_t                n;
    ngx_slab_pool_t          *shpool;
    ngx_http_sluice_table_t  *table;

    shpool = tenants->shpool;
    n = 64;

    while (n * 2 * NGX_HTTP_SLUICE_BUCKET <= tenants->shm_zone->shm.size) {
        n *= 2;
    }

    table = ngx_slab_calloc_locked(shpool, sizeof(ngx_http_sluice_table_t));
    if (table == NULL) {
        return NGX_ERROR;
    }

    table->mask = n - 1;
    table->buckets = ngx_slab_calloc_locked(shpool,
                                         n * sizeof(ngx_http_sluice_key_t *));
    if (table->buckets == NULL) {
        return NGX_ERROR;
    }

    /* an entry for which there is no memory is told by name */

    shpool->log_nomem = 0;
    shpool->data = table;
    tenants->table = table;

    return NGX_OK;
}


/*
 * To change the table.  When the one who did so before was killed, everything
 * is made anew: in the same order, and so at the same addresses.
 */

static void
ngx_http_sluice_table_lock(ngx_http_sluice_tenants_t *tenants)
{
    ngx_atomic_uint_t         loads, poller;
    uint64_t                  generation;
    ngx_http_sluice_table_t  *table;

    ngx_shmtx_lock(&tenants->shpool->mutex);

    table = tenants->table;

    if (table->changing) {

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "sluice_tenants: the process %uA was killed while it "
                      "changed the table, it is loaded anew",
                      table->changing);

        poller = table->poller;
        loads = table->loads;
        generation = table->generation;

        ngx_explicit_memzero(tenants->shpool->start,
                             tenants->shpool->end - tenants->shpool->start);
        ngx_slab_init(tenants->shpool);

        (void) ngx_http_sluice_table_create(tenants);

        table->poller = poller;
        table->beat = ngx_current_msec;
        table->loads = loads;

        /* a load that saw entries of the old table is none of this one */

        table->generation = generation + 1;
    }

    table->changing = ngx_pid;

    ngx_memory_barrier();
}


static void
ngx_http_sluice_table_unlock(ngx_http_sluice_tenants_t *tenants)
{
    ngx_memory_barrier();

    tenants->table->changing = 0;

    ngx_shmtx_unlock(&tenants->shpool->mutex);
}


ngx_int_t
ngx_http_sluice_table_find(ngx_http_request_t *r,
    ngx_http_sluice_tenants_t *tenants, ngx_http_sluice_by_e by,
    const u_char *data, size_t len, ngx_http_sluice_tenant_t **tenant)
{
    size_t                    room;
    ngx_int_t                 rc;
    ngx_http_sluice_entry_t  *entry;

    room = tenants->table->largest;

    for ( ;; ) {

        room = ngx_max(room, sizeof(ngx_http_sluice_tenant_t));

        *tenant = ngx_palloc(r->pool, room);
        if (*tenant == NULL) {
            return NGX_ERROR;
        }

        ngx_shmtx_lock(&tenants->shpool->mutex);

        entry = ngx_http_sluice_table_look(tenants->table, by, data, len);

        rc = (entry && entry->enabled);

        /* who is not there costs what one costs */

        if (entry == NULL) {
            entry = &tenants->nobody;
        }

        if (entry->copied <= room) {
            ngx_http_sluice_table_copy(*tenant, entry);

        } else {

            /* it grew meanwhile */

            room = entry->copied;
            rc = NGX_AGAIN;
        }

        ngx_shmtx_unlock(&tenants->shpool->mutex);

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }
}


/*
 * Under the lock.  Where two entries claim a key, the one whose id comes first
 * has it, in whatever order they were loaded.
 */

static ngx_http_sluice_entry_t *
ngx_http_sluice_table_look(const ngx_http_sluice_table_t *table,
    ngx_http_sluice_by_e by, const u_char *data, size_t len)
{
    uint32_t                  hash;
    ngx_http_sluice_key_t    *key;
    ngx_http_sluice_entry_t  *found;

    hash = ngx_http_sluice_table_hash(by, data, len);
    found = NULL;

    for (key = table->buckets[hash & table->mask]; key; key = key->next) {

        if (key->hash != hash || key->by != by || key->len != len
            || ngx_memcmp(key->data, data, len) != 0)
        {
            continue;
        }

        if (found == NULL
            || ngx_memn2cmp(key->entry->tenant.id.data, found->tenant.id.data,
                            key->entry->tenant.id.len, found->tenant.id.len)
               < 0)
        {
            found = key->entry;
        }
    }

    return found;
}


/* Everything in one piece; pointers move with it. */

static void
ngx_http_sluice_table_copy(ngx_http_sluice_tenant_t *tenant,
    const ngx_http_sluice_entry_t *entry)
{
    u_char                           *to;
    ngx_uint_t                        i;
    const u_char                     *from;
    ngx_http_sluice_tenant_secret_t  *secret;

    ngx_memcpy(tenant, &entry->tenant, entry->copied);

    from = (const u_char *) &entry->tenant;
    to = (u_char *) tenant;

#define ngx_http_sluice_moved(p)  ((void *) (to + ((u_char *) (p) - from)))

    tenant->id.data = ngx_http_sluice_moved(tenant->id.data);
    tenant->queue.data = ngx_http_sluice_moved(tenant->queue.data);
    tenant->rate.data = ngx_http_sluice_moved(tenant->rate.data);
    tenant->burst.data = ngx_http_sluice_moved(tenant->burst.data);
    tenant->class.data = ngx_http_sluice_moved(tenant->class.data);
    tenant->keys = ngx_http_sluice_moved(tenant->keys);
    tenant->secrets = ngx_http_sluice_moved(tenant->secrets);

    secret = tenant->secrets;

    for (i = 0; i < tenant->nsecrets; i++) {
        secret[i].scheme.data = ngx_http_sluice_moved(secret[i].scheme.data);
        secret[i].value.data = ngx_http_sluice_moved(secret[i].value.data);
    }
}


ngx_uint_t
ngx_http_sluice_table_known(ngx_http_sluice_tenants_t *tenants,
    const u_char *id, size_t len, const u_char *digest, ngx_uint_t keep)
{
    ngx_uint_t                known;
    ngx_http_sluice_entry_t  *entry;

    ngx_shmtx_lock(&tenants->shpool->mutex);

    entry = ngx_http_sluice_table_look(tenants->table, NGX_HTTP_SLUICE_BY_ID,
                                       id, len);

    known = entry
            && (keep || ngx_memcmp(entry->digest, digest,
                                   NGX_HTTP_SLUICE_TABLE_DIGEST)
                        == 0);

    if (known) {
        entry->generation = tenants->table->generation;
    }

    ngx_shmtx_unlock(&tenants->shpool->mutex);

    return known;
}


ngx_int_t
ngx_http_sluice_table_put(ngx_http_sluice_tenants_t *tenants,
    const sluice_tenant_t *tenant, const u_char *digest)
{
    ngx_uint_t                 i;
    ngx_http_sluice_key_t    **chain, *key;
    ngx_http_sluice_table_t   *table;
    ngx_http_sluice_sizes_t    sizes;
    ngx_http_sluice_entry_t   *entry, *old;

    table = tenants->table;

    ngx_http_sluice_table_sizes(&sizes, tenant);

    ngx_http_sluice_table_lock(tenants);

    entry = ngx_slab_alloc_locked(tenants->shpool, sizes.all);

    if (entry == NULL) {
        ngx_http_sluice_table_unlock(tenants);
        return NGX_ERROR;
    }

    ngx_http_sluice_table_fill(entry, &sizes, tenant);

    entry->generation = table->generation;
    ngx_memcpy(entry->digest, digest, NGX_HTTP_SLUICE_TABLE_DIGEST);

    if (entry->copied > table->largest) {
        table->largest = entry->copied;
    }

    old = ngx_http_sluice_table_look(table, NGX_HTTP_SLUICE_BY_ID,
                                     entry->tenant.id.data,
                                     entry->tenant.id.len);

    /* whole before anyone can find it, also if this process ends here */

    ngx_memory_barrier();

    ngx_http_sluice_table_link(table, entry);

    /* the last one frees it */

    for (i = old ? old->nkeys : 0; i > 0; i--) {
        key = &old->keys[i - 1];
        chain = &table->buckets[key->hash & table->mask];

        while (*chain && *chain != key) {
            chain = &(*chain)->next;
        }

        if (*chain) {
            ngx_http_sluice_table_unlink(tenants, chain);
        }
    }

    ngx_http_sluice_table_unlock(tenants);

    return NGX_OK;
}


static void
ngx_http_sluice_table_sizes(ngx_http_sluice_sizes_t *sizes,
    const sluice_tenant_t *tenant)
{
    size_t  i, n;

    sizes->tenant = sizeof(ngx_http_sluice_tenant_t)
                + tenant->nsecrets * sizeof(ngx_http_sluice_tenant_secret_t);

    n = sizes->tenant + tenant->id.len + tenant->queue.len + tenant->rate.len
        + tenant->burst.len + tenant->class.len
        + tenant->napi_keys * SLUICE_TENANT_DIGEST;

    for (i = 0; i < tenant->nsecrets; i++) {
        n += tenant->secrets[i].scheme.len + tenant->secrets[i].value.len;
    }

    sizes->copied = n;

    n = ngx_align(offsetof(ngx_http_sluice_entry_t, tenant) + n,
                  sizeof(void *));

    sizes->keys = n;
    sizes->nkeys = 1 + tenant->napi_keys + tenant->npaths + tenant->nnumbers;

    n += sizes->nkeys * sizeof(ngx_http_sluice_key_t);

    for (i = 0; i < tenant->npaths; i++) {
        n += tenant->paths[i].len;
    }

    for (i = 0; i < tenant->nnumbers; i++) {
        n += tenant->numbers[i].len;
    }

    sizes->all = n;
}


static u_char *
ngx_http_sluice_table_text(u_char *p, ngx_str_t *to, const sluice_text_t *from)
{
    to->data = p;
    to->len = from->len;

    return ngx_cpymem(p, from->data, from->len);
}


static ngx_http_sluice_key_t *
ngx_http_sluice_table_key(ngx_http_sluice_key_t *key,
    ngx_http_sluice_entry_t *entry, ngx_http_sluice_by_e by, u_char *data,
    size_t len)
{
    key->next = NULL;
    key->entry = entry;
    key->by = by;
    key->data = data;
    key->len = len;
    key->hash = ngx_http_sluice_table_hash(by, data, len);

    return key + 1;
}


static void
ngx_http_sluice_table_fill(ngx_http_sluice_entry_t *entry,
    const ngx_http_sluice_sizes_t *sizes, const sluice_tenant_t *tenant)
{
    u_char                           *p;
    size_t                            i;
    ngx_http_sluice_key_t            *key;
    ngx_http_sluice_tenant_t         *t;
    ngx_http_sluice_tenant_secret_t  *secret;

    ngx_memzero(entry, sizes->keys);

    entry->enabled = tenant->enabled;
    entry->copied = sizes->copied;
    entry->nkeys = sizes->nkeys;
    entry->keys = (ngx_http_sluice_key_t *) ((u_char *) entry + sizes->keys);

    t = &entry->tenant;
    t->nsecrets = tenant->nsecrets;
    t->nkeys = tenant->napi_keys;
    t->secrets = (ngx_http_sluice_tenant_secret_t *) (t + 1);

    p = (u_char *) t + sizes->tenant;

    t->keys = p;
    p = ngx_cpymem(p, tenant->api_keys,
                   tenant->napi_keys * SLUICE_TENANT_DIGEST);

    p = ngx_http_sluice_table_text(p, &t->id, &tenant->id);
    p = ngx_http_sluice_table_text(p, &t->queue, &tenant->queue);
    p = ngx_http_sluice_table_text(p, &t->rate, &tenant->rate);
    p = ngx_http_sluice_table_text(p, &t->burst, &tenant->burst);
    p = ngx_http_sluice_table_text(p, &t->class, &tenant->class);

    secret = t->secrets;

    for (i = 0; i < tenant->nsecrets; i++) {
        p = ngx_http_sluice_table_text(p, &secret[i].scheme,
                                       &tenant->secrets[i].scheme);
        p = ngx_http_sluice_table_text(p, &secret[i].value,
                                       &tenant->secrets[i].value);
    }

    /* the keys, and behind them the texts that only they need */

    key = ngx_http_sluice_table_key(entry->keys, entry, NGX_HTTP_SLUICE_BY_ID,
                                    t->id.data, t->id.len);

    for (i = 0; i < tenant->napi_keys; i++) {
        key = ngx_http_sluice_table_key(key, entry,
                                        NGX_HTTP_SLUICE_BY_API_KEY,
                                        t->keys + i * SLUICE_TENANT_DIGEST,
                                        SLUICE_TENANT_DIGEST);
    }

    p = (u_char *) (entry->keys + entry->nkeys);

    for (i = 0; i < tenant->npaths; i++) {
        ngx_memcpy(p, tenant->paths[i].data, tenant->paths[i].len);
        key = ngx_http_sluice_table_key(key, entry, NGX_HTTP_SLUICE_BY_PATH, p,
                                        tenant->paths[i].len);
        p += tenant->paths[i].len;
    }

    for (i = 0; i < tenant->nnumbers; i++) {
        ngx_memcpy(p, tenant->numbers[i].data, tenant->numbers[i].len);
        key = ngx_http_sluice_table_key(key, entry, NGX_HTTP_SLUICE_BY_NUMBER,
                                        p, tenant->numbers[i].len);
        p += tenant->numbers[i].len;
    }
}


static void
ngx_http_sluice_table_link(ngx_http_sluice_table_t *table,
    ngx_http_sluice_entry_t *entry)
{
    ngx_uint_t               i;
    ngx_http_sluice_key_t   *key, **bucket;

    table->tenants++;
    entry->linked = entry->nkeys;

    for (i = 0; i < entry->nkeys; i++) {
        key = &entry->keys[i];
        bucket = &table->buckets[key->hash & table->mask];

        key->next = *bucket;
        *bucket = key;
    }
}


/* Under the lock: takes *chain out; the entry goes with its last key. */

static void
ngx_http_sluice_table_unlink(ngx_http_sluice_tenants_t *tenants,
    ngx_http_sluice_key_t **chain)
{
    ngx_http_sluice_key_t    *key;
    ngx_http_sluice_entry_t  *entry;

    key = *chain;
    entry = key->entry;

    *chain = key->next;

    if (--entry->linked) {
        return;
    }

    tenants->table->tenants--;

    /* it held secrets */

    ngx_explicit_memzero(&entry->tenant, entry->copied);

    ngx_slab_free_locked(tenants->shpool, entry);
}


ngx_uint_t
ngx_http_sluice_table_sweep(ngx_http_sluice_tenants_t *tenants)
{
    size_t                     largest;
    ngx_uint_t                 i;
    ngx_atomic_uint_t          before;
    ngx_http_sluice_key_t    **chain;
    ngx_http_sluice_table_t   *table;

    table = tenants->table;
    largest = 0;

    ngx_http_sluice_table_lock(tenants);

    before = table->tenants;

    for (i = 0; i <= table->mask; i++) {

        /* readers wait for a part of it only */

        if (i % NGX_HTTP_SLUICE_SWEEP == NGX_HTTP_SLUICE_SWEEP - 1) {
            ngx_http_sluice_table_unlock(tenants);
            ngx_http_sluice_table_lock(tenants);
        }

        chain = &table->buckets[i];

        while (*chain) {

            if ((*chain)->entry->generation != table->generation) {
                ngx_http_sluice_table_unlink(tenants, chain);
                continue;
            }

            largest = ngx_max(largest, (*chain)->entry->copied);
            chain = &(*chain)->next;
        }
    }

    table->largest = largest;
    before -= table->tenants;

    ngx_http_sluice_table_unlock(tenants);

    return before;
}
