/*
 * The tenant table in shared memory.
 *
 * An entry is one allocation and never changes once it is published: what a
 * step needs of it is copied under the lock.  One process, the poller, asks
 * Redis for the table's version and loads what changed; the others read.
 *
 * A reader finds an old entry or a new one, never a part.  A process that is
 * killed while it changes the table may leave its memory in disorder: the next
 * that wants to change it makes the table anew, and until Redis was read again
 * requests are answered as before the first load.
 */

#ifndef NGX_HTTP_SLUICE_TABLE_H
#define NGX_HTTP_SLUICE_TABLE_H

#include "core/tenant.h"
#include "ngx_http_sluice_link.h"
#include "ngx_http_sluice_metrics.h"
#include "ngx_http_sluice_tenant.h"


#define NGX_HTTP_SLUICE_TABLE_DIGEST   16
#define NGX_HTTP_SLUICE_TABLE_VERSION  32    /* bytes of a version */


typedef struct ngx_http_sluice_entry_s  ngx_http_sluice_entry_t;
typedef struct ngx_http_sluice_key_s    ngx_http_sluice_key_t;

/* A way to an entry, in the chain of its bucket. */

struct ngx_http_sluice_key_s {
    ngx_http_sluice_key_t          *next;
    ngx_http_sluice_entry_t        *entry;
    u_char                         *data;
    uint32_t                        hash;
    uint16_t                        len;
    u_char                          by;         /* ngx_http_sluice_by_e */
};

struct ngx_http_sluice_entry_s {
    uint64_t                        generation; /* of the load that saw it */
    u_char                          digest[NGX_HTTP_SLUICE_TABLE_DIGEST];
    size_t                          copied;     /* bytes of `tenant` and what
                                                   it points to */
    uint32_t                        linked;     /* keys in their chains */
    uint32_t                        nkeys;
    ngx_http_sluice_key_t          *keys;
    unsigned                        enabled:1;
    ngx_http_sluice_tenant_t        tenant;
};

typedef struct {
    ngx_atomic_t                    poller;     /* pid, 0: nobody */
    ngx_atomic_t                    beat;       /* ms, of its last turn */
    ngx_atomic_t                    checked;    /* s, Redis knew the version */
    ngx_atomic_t                    loaded;     /* s, of a whole load, 0 none */
    ngx_atomic_t                    tenants;
    ngx_atomic_t                    refused;    /* entries of the last load */
    ngx_atomic_t                    nomem;      /* for which no memory was */
    ngx_atomic_t                    loads;
    ngx_atomic_t                    largest;    /* `copied` of any entry */
    ngx_atomic_t                    changing;   /* under the lock */
    uint64_t                        generation;
    u_char                          source[NGX_HTTP_SLUICE_TABLE_DIGEST];
    size_t                          version_len;
    u_char                          version[NGX_HTTP_SLUICE_TABLE_VERSION];
    ngx_uint_t                      mask;
    ngx_http_sluice_key_t         **buckets;
} ngx_http_sluice_table_t;

typedef enum {
    NGX_HTTP_SLUICE_LOAD_IDLE = 0,
    NGX_HTTP_SLUICE_LOAD_ASKED,      /* for the version */
    NGX_HTTP_SLUICE_LOAD_RUNS
} ngx_http_sluice_load_e;

/* sluice_tenants; `load...` is the process' own */

struct ngx_http_sluice_tenants_s {
    ngx_http_sluice_table_t        *table;
    ngx_slab_pool_t                *shpool;
    ngx_shm_zone_t                 *shm_zone;
    ngx_msec_t                      refresh;
    ngx_str_t                       server_name;
    const ngx_http_sluice_server_t *server;
    sluice_tenant_keys_t            keys;
    /* of the server and the keys: entries are read anew when they change */
    u_char                          source[NGX_HTTP_SLUICE_TABLE_DIGEST];

    ngx_event_t                     timer;
    ngx_http_sluice_main_conf_t    *main;
    sluice_tenant_t                *entry;      /* room to read one */
    ngx_http_sluice_entry_t         nobody;     /* copied for want of one */
    ngx_http_sluice_load_e          load;
    ngx_http_sluice_link_t         *link;       /* that was asked */
    char                            connection[NGX_HTTP_SLUICE_CONNECTION];
                                                /* of it */
    uint64_t                        load_generation;
    size_t                          load_version_len;
    u_char                          load_version[
                                              NGX_HTTP_SLUICE_TABLE_VERSION];
    ngx_uint_t                      load_seen;
    ngx_uint_t                      load_refused;
    ngx_uint_t                      load_nomem;
    unsigned                        anew:1;     /* whatever the version */
    time_t                          told;       /* a line a minute */
};


/* _tenant_conf.c */

/* At the end of http{}: the server is known, or NGX_ERROR. */
ngx_int_t ngx_http_sluice_tenants_init(ngx_conf_t *cf,
    ngx_http_sluice_main_conf_t *mcf);


/* _table.c */

/* An empty table in the zone's memory, which is new.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_sluice_table_create(ngx_http_sluice_tenants_t *tenants);

/* 1 and a bounded copy of the entry in the request's pool; 0: there is none,
   or it is disabled; NGX_ERROR. */
ngx_int_t ngx_http_sluice_table_find(ngx_http_request_t *r,
    ngx_http_sluice_tenants_t *tenants, ngx_http_sluice_by_e by,
    const u_char *data, size_t len, ngx_http_sluice_tenant_t **tenant);

/*
 * For the poller, an entry as Redis has it.  `keep` says that it is there and
 * could not be read: an older version stays.  1: there is an entry of this
 * digest or it was kept; 0: there is not.
 */
ngx_uint_t ngx_http_sluice_table_known(ngx_http_sluice_tenants_t *tenants,
    const u_char *id, size_t len, const u_char *digest, ngx_uint_t keep);
/* Puts it in the place of an older one.  NGX_OK; NGX_ERROR: no memory */
ngx_int_t ngx_http_sluice_table_put(ngx_http_sluice_tenants_t *tenants,
    const sluice_tenant_t *tenant, const u_char *digest);
/* Takes out what the last load has not seen; how many entries. */
ngx_uint_t ngx_http_sluice_table_sweep(ngx_http_sluice_tenants_t *tenants);


/* _table_load.c */

/* Of a process: asks for the table now and each `refresh`. */
void ngx_http_sluice_table_start(ngx_http_sluice_main_conf_t *mcf);
void ngx_http_sluice_table_exit(ngx_http_sluice_main_conf_t *mcf);


/* _table_status.c: an object of sluice_status, when there is a table */

extern const ngx_http_sluice_metric_t  ngx_http_sluice_table_metrics[];
ngx_int_t ngx_http_sluice_table_ident(const ngx_http_sluice_metrics_t *m,
    ngx_uint_t i, ngx_str_t *values);


#endif
