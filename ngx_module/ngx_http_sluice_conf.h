/*
 * What the directives say (..._conf_t and what it points to), and what a
 * process keeps.  Configuration is read-only once it is merged.
 */

#ifndef NGX_HTTP_SLUICE_CONF_H
#define NGX_HTTP_SLUICE_CONF_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "core/envelope.h"
#include "core/gcra.h"
#include "core/job.h"
#include "core/json.h"
#include "core/keys.h"
#include "core/redis.h"
#include "core/retry.h"
#include "core/scheme.h"
#include "core/split.h"
#include "core/url.h"

#include "ngx_http_sluice_slots.h"


#define NGX_HTTP_SLUICE_LIMITS      8        /* of one location */
#define NGX_HTTP_SLUICE_CLASSES     3        /* high, medium, low */
#define NGX_HTTP_SLUICE_ZONES       64       /* a bit each in a request */
#define NGX_HTTP_SLUICE_HEADERS     32       /* of headers= */
#define NGX_HTTP_SLUICE_REDACT      8        /* redact= of one location */
#define NGX_HTTP_SLUICE_BYTES       (64 * 1024 * 1024)    /* in flight */
#define NGX_HTTP_SLUICE_DATA_MAX    (NGX_HTTP_SLUICE_BYTES / 2)  /* a job's */
#define NGX_HTTP_SLUICE_COMMANDS    65536                 /* in flight */
#define NGX_HTTP_SLUICE_RETRY_AFTER 5        /* seconds, when Redis is away */
#define NGX_HTTP_SLUICE_TYPE        64       /* bytes of an event's type */
#define NGX_HTTP_SLUICE_NAME        256      /* bytes of a job's name */
#define NGX_HTTP_SLUICE_PREFIX      128      /* bytes of a queue's prefix */
#define NGX_HTTP_SLUICE_DELAY_MAX   INT64_C(315360000000) /* ms, 10 years */


typedef struct ngx_http_sluice_server_s       ngx_http_sluice_server_t;
typedef struct ngx_http_sluice_link_s         ngx_http_sluice_link_t;
typedef struct ngx_http_sluice_spool_conf_s   ngx_http_sluice_spool_conf_t;
typedef struct ngx_http_sluice_dedupe_s       ngx_http_sluice_dedupe_t;
typedef struct ngx_http_sluice_split_conf_s   ngx_http_sluice_split_conf_t;
typedef struct ngx_http_sluice_tenants_s      ngx_http_sluice_tenants_t;
typedef struct ngx_http_sluice_tenant_conf_s  ngx_http_sluice_tenant_conf_t;


/* sluice_verify */

/*
 * The secrets of a file as a process has read them last: not the
 * configuration's, though allocated with it.
 */

typedef struct {
    ngx_str_t                       path;
    const sluice_scheme_t          *scheme;     /* NULL: texts without keys */
    ngx_uint_t                      n;
    ngx_str_t                       texts[NGX_HTTP_SLUICE_SECRETS];
    sluice_key_t                   *keys[NGX_HTTP_SLUICE_SECRETS];
    u_char                         *data;       /* what the texts are in */
    off_t                           size;
    time_t                          mtime;
    ngx_file_uniq_t                 uniq;
    time_t                          read;       /* when */
    time_t                          checked;
    time_t                          told;       /* that it cannot be used */
} ngx_http_sluice_secret_file_t;

/* One secret= or verify_token= */

typedef struct {
    ngx_http_complex_value_t        value;
    sluice_key_t                   *key;        /* of a constant */
    ngx_http_sluice_secret_file_t  *file;       /* of file:PATH */
    unsigned                        tenant:1;   /* the tenant's, any number */
} ngx_http_sluice_secret_t;

typedef struct {
    sluice_scheme_t                *scheme;     /* NULL: none */
    ngx_str_t                       name;       /* of the scheme, or "none" */
    ngx_uint_t                      index;      /* of its counters */
    ngx_uint_t                      needs;      /* SLUICE_SCHEME_NEEDS_... */
    ngx_uint_t                      nsecrets;
    ngx_http_sluice_secret_t        secrets[NGX_HTTP_SLUICE_SECRETS];
    ngx_http_sluice_secret_t       *token;      /* verify_token= */
    ngx_http_complex_value_t       *public_url; /* with variables */
    unsigned                        meta:1;     /* its type is in the body */
    unsigned                        bearer:1;   /* "Bearer <key>" */
    unsigned                        tenant:1;   /* a secret is the tenant's */
    unsigned                        digests:1;  /* all are, of API keys */
    unsigned                        variable:1; /* what it takes may change */
} ngx_http_sluice_verify_t;

/* The keys of one check: those of the configuration, and some made for it. */

typedef struct {
    ngx_uint_t                      n;
    sluice_key_t                   *keys[SLUICE_SCHEME_KEYS];
    ngx_uint_t                      nown;
    sluice_key_t                   *own[SLUICE_SCHEME_KEYS];
    sluice_text_t                   token;
} ngx_http_sluice_keys_t;


/* sluice_limit_zone, sluice_limit */

typedef struct {
    ngx_rbtree_t                    rbtree;
    ngx_rbtree_node_t               sentinel;
    ngx_queue_t                     queue;      /* the latest used first */
    u_char                         *nodes;
    ngx_uint_t                      nnodes;
    ngx_uint_t                      busy;       /* its lock is held */
    ngx_atomic_t                    keys;
    ngx_atomic_t                    evicted;
} ngx_http_sluice_zone_shared_t;

typedef struct {
    ngx_http_sluice_zone_shared_t  *sh;
    ngx_slab_pool_t                *shpool;
    ngx_http_complex_value_t        key;
    ngx_shm_zone_t                 *shm_zone;
    ngx_uint_t                      index;      /* also the order of locking */
} ngx_http_sluice_zone_t;

typedef struct {
    ngx_http_sluice_zone_t         *zone;
    ngx_http_complex_value_t       *rate;       /* NULL: constant, interval */
    ngx_http_complex_value_t       *burst;      /* NULL: constant */
    ngx_http_complex_value_t       *cost;       /* NULL: constant */
    int64_t                         interval;   /* µs */
    int64_t                         units;      /* of the burst */
    int64_t                         price;      /* of a request, >= 1 */
    off_t                           piece;      /* bytes that cost 1, or 0 */
    unsigned                        early:1;
} ngx_http_sluice_limit_t;


/* sluice_queue_limit */

typedef struct {
    int64_t                         limits[NGX_HTTP_SLUICE_CLASSES];
    unsigned                        spool:1;    /* over=spool */
} ngx_http_sluice_depth_conf_t;


/* sluice_json */

typedef struct {
    ngx_int_t                       index;      /* of the variable, in mcf */
    ngx_str_t                       text;       /* the pointer as written */
    unsigned                        required:1;
} ngx_http_sluice_json_t;

typedef struct {
    ngx_uint_t                      n;          /* the location's own */
    ngx_uint_t                      typed;      /* and the event type's */
    ngx_uint_t                      total;      /* and those of redact= */
    ngx_http_sluice_json_t          fields[SLUICE_JSON_POINTERS];
    sluice_json_pointer_t           pointers[SLUICE_JSON_POINTERS];
} ngx_http_sluice_pointers_t;


/* sluice_enqueue */

typedef struct {
    ngx_http_complex_value_t        queue;
    ngx_http_complex_value_t       *tenant;
    ngx_http_complex_value_t       *prefix;
    ngx_http_complex_value_t       *name;
    ngx_http_complex_value_t       *id;         /* without its "e-" or "m-" */
    ngx_http_complex_value_t       *priority;   /* NULL: constant */
    ngx_http_complex_value_t       *delay;      /* NULL: constant */
    ngx_http_complex_value_t       *group;      /* NULL: constant */
    sluice_job_opts_t               options;    /* the constant ones */
    ngx_str_t                       opts;       /* their text */
    ngx_str_t                       base;       /* queue and prefix constant */
    ngx_uint_t                      cluster;    /* 1: prefixes have a tag */
    ngx_str_t                       server_name;
    ngx_http_sluice_server_t       *server;
    ngx_uint_t                      nheaders;
    ngx_str_t                       headers[NGX_HTTP_SLUICE_HEADERS];
    ngx_uint_t                      hashes[NGX_HTTP_SLUICE_HEADERS];
    ngx_uint_t                      nredact;
    ngx_str_t                       redact[NGX_HTTP_SLUICE_REDACT];
    ngx_uint_t                      major;      /* of BullMQ: 5 or 6 */
    u_char                          kind;       /* of the job id: e or m */
    unsigned                        raw:1;
    unsigned                        whose:1;    /* the prefix is that of
                                                   "sluice_tenant" */
} ngx_http_sluice_enqueue_t;


/* sluice_respond: literals and variables in turn */

typedef struct {
    ngx_str_t                       text;
    ngx_int_t                       variable;   /* NGX_ERROR: a literal */
} ngx_http_sluice_part_t;

typedef struct {
    ngx_uint_t                      status;
    ngx_str_t                       type;
    ngx_array_t                     parts;      /* ngx_http_sluice_part_t */
    unsigned                        json:1;     /* values are escaped */
} ngx_http_sluice_respond_t;


/* A process' own: allocated with the configuration, filled in the process. */

struct ngx_http_sluice_process_s {
    ngx_pid_t                       pid;
    uint64_t                        random;     /* 48 bits, for job ids */
    uint32_t                        sequence;
    time_t                          told;       /* of an empty secret */
    ngx_http_sluice_slot_t         *slot;       /* never NULL once begun */
    ngx_http_sluice_slot_t          unshared;   /* when the zone is full */
    ngx_http_sluice_link_t         *links[NGX_HTTP_SLUICE_SERVERS];
    ngx_event_t                     tick;       /* of sluice_spool */
};


struct ngx_http_sluice_main_conf_s {
    ngx_array_t                     servers;    /* ngx_http_sluice_server_t * */
    ngx_array_t                     zones;      /* ngx_http_sluice_zone_t * */
    ngx_array_t                     variables;  /* ngx_str_t, of sluice_json */
    ngx_array_t                     secrets;    /* ngx_uint_t, new variables */
    ngx_array_t                     files;      /* ..._secret_file_t * */
    u_char                          schemes[NGX_HTTP_SLUICE_SCHEMES];
                                                /* secrets of each, at most */
    ngx_shm_zone_t                 *status;
    ngx_http_sluice_spool_conf_t   *spool;      /* NULL: none */
    int64_t                         held[NGX_HTTP_SLUICE_CLASSES];
                                                /* the lowest numbers with
                                                   over=spool; 0: none */
    ngx_http_sluice_tenants_t      *tenants;    /* NULL: no table */
    ngx_http_core_loc_conf_t       *core;       /* of http{}: the resolver */
    ngx_http_sluice_process_t      *process;
};

typedef struct {
    ngx_http_sluice_verify_t       *verify;
    ngx_uint_t                      verify_status;
    ngx_http_sluice_tenant_conf_t  *tenant;
    ngx_uint_t                      verify_log_level;
    ngx_flag_t                      verify_dry_run;
    ngx_array_t                    *limits;     /* ngx_http_sluice_limit_t */
    ngx_uint_t                      limit_status;
    ngx_uint_t                      limit_log_level;
    ngx_flag_t                      limit_dry_run;
    ngx_http_sluice_depth_conf_t   *depth;      /* NULL: no limit */
    ngx_array_t                    *json;       /* ngx_http_sluice_json_t */
    ngx_http_sluice_pointers_t     *pointers;   /* made from it, or NULL */
    ngx_http_sluice_enqueue_t      *enqueue;
    ngx_http_sluice_split_conf_t   *split;
    ngx_http_sluice_dedupe_t       *dedupe;
    ngx_http_sluice_respond_t      *respond;
    ngx_http_handler_pt             handler;    /* ours, of the content */
    unsigned                        early:1;    /* of the limits, any */
    unsigned                        late:1;
} ngx_http_sluice_loc_conf_t;


#endif
