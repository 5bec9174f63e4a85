/*
 * The map of the edge: what a location is told, what a request carries, what a
 * process keeps, and the steps file by file.  Read this first, then
 * ngx_http_sluice_handler.c, which strings the steps together.
 *
 * Configuration (..._conf_t and what it points to) is read-only once it is
 * merged; a request's state is in ngx_http_sluice_ctx_t; a process' state in
 * ngx_http_sluice_process_t; what processes share is in zones.
 */

#ifndef NGX_HTTP_SLUICE_MODULE_H
#define NGX_HTTP_SLUICE_MODULE_H

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


typedef struct ngx_http_sluice_item_s  ngx_http_sluice_item_t;
typedef struct ngx_http_sluice_link_s        ngx_http_sluice_link_t;
typedef struct ngx_http_sluice_spool_conf_s  ngx_http_sluice_spool_conf_t;
typedef struct ngx_http_sluice_dedupe_s      ngx_http_sluice_dedupe_t;
typedef struct ngx_http_sluice_split_conf_s  ngx_http_sluice_split_conf_t;
typedef struct ngx_http_sluice_server_s  ngx_http_sluice_server_t;

typedef struct ngx_http_sluice_tenants_s      ngx_http_sluice_tenants_t;
typedef struct ngx_http_sluice_tenant_s       ngx_http_sluice_tenant_t;
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
    sluice_job_opts_t               options;    /* the constant ones */
    ngx_str_t                       opts;       /* their text */
    ngx_str_t                       base;       /* queue and prefix constant */
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
    int64_t                        *depth;      /* by class, or NULL */
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


/* What became of the enqueue. */

typedef enum {
    NGX_HTTP_SLUICE_JOB_NONE = 0,
    NGX_HTTP_SLUICE_JOB_WAITING,
    NGX_HTTP_SLUICE_JOB_ACCEPTED,
    NGX_HTTP_SLUICE_JOB_DUPLICATE,
    NGX_HTTP_SLUICE_JOB_SPOOLED,
    NGX_HTTP_SLUICE_JOB_FULL,        /* a bound of what is in flight */
    NGX_HTTP_SLUICE_JOB_AWAY,        /* no connection, or it was lost */
    NGX_HTTP_SLUICE_JOB_UNABLE,      /* Redis says that it cannot now */
    NGX_HTTP_SLUICE_JOB_UNREPLICATED, /* it is there, and may be lost yet */
    NGX_HTTP_SLUICE_JOB_REFUSED      /* the same again would be refused too */
} ngx_http_sluice_job_e;

typedef enum {
    NGX_HTTP_SLUICE_UNVERIFIED = 0,
    NGX_HTTP_SLUICE_VALID,
    NGX_HTTP_SLUICE_UNKNOWN          /* for the reason in ctx->failure */
} ngx_http_sluice_verdict_e;


/* One job, from the request to what Redis made of it. */

struct ngx_http_sluice_item_s {
    ngx_http_sluice_ctx_t          *ctx;
    ngx_http_sluice_item_t        **slot;       /* in a batch; NULL once out */
    ngx_str_t                       tenant;
    ngx_str_t                       queue;
    ngx_str_t                       base;       /* "<prefix>:<queue>:" */
    ngx_str_t                       id;
    ngx_str_t                       type;       /* of the event, the job name */
    ngx_str_t                       opts;
    ngx_str_t                       dedupe;     /* "ttl:key" or empty */
    ngx_str_t                       event;      /* what it is known by */
    ngx_str_t                       number;     /* of a split item */
    const sluice_split_item_t      *part;       /* NULL: the whole body */
    ngx_str_t                       head;       /* around the body */
    ngx_str_t                       data;
    ngx_str_t                       tail;
    int64_t                         delay;
    int64_t                         priority;
    int64_t                         wait;       /* ms, over the rate */
    ngx_http_sluice_job_e           job;
    unsigned                        quarantined:1;
};


/*
 * A request's state.  It is the data of a cleanup of the request's pool, so an
 * internal redirect, which forgets r->ctx, finds it again.
 */

struct ngx_http_sluice_ctx_s {
    ngx_http_request_t             *request;
    ngx_http_sluice_process_t      *process;

    const ngx_http_sluice_verify_t *verified;   /* what the verdict is on */
    ngx_http_sluice_verdict_e       verdict;
    ngx_http_sluice_why_e           failure;    /* of the verdict UNKNOWN */
    ngx_http_sluice_why_e           why;        /* it was refused */
    ngx_uint_t                      secret;     /* that matched, from 1 */
    ngx_str_t                       event_id;   /* the sender's own */
    ngx_str_t                       event_type; /* "<scheme>.<type>" */

    ngx_uint_t                      reply;      /* a handshake's status, or 0 */
    ngx_str_t                       reply_type;
    ngx_str_t                       reply_text;

    uint64_t                        charged;    /* zones, a bit each */
    uint64_t                        refused;    /* those of a refusal */

    ngx_http_sluice_pointers_t     *scanned;    /* what the values belong to */
    sluice_json_value_t            *values;

    ngx_http_sluice_tenant_t       *tenant;     /* NULL: unknown */
    ngx_http_sluice_tenant_conf_t  *tenant_of;  /* asked for so, */
    ngx_str_t                       tenant_key; /* with this value */

    ngx_str_t                       body;       /* in one piece, when joined */

    ngx_http_sluice_item_t          item;       /* the first or only one */
    sluice_split_t                 *split;
    ngx_http_sluice_item_t         *items;
    ngx_uint_t                      nitems;
    ngx_uint_t                      waiting;    /* of them, on their way */
    ngx_uint_t                      count;      /* of them, not settled yet */
    int64_t                         time;       /* ms, of the event */

    ngx_msec_t                      asked;
    ngx_msec_t                      took;
    ngx_http_sluice_job_e           job;        /* of all items */

    ngx_http_sluice_counter_e       outcome;    /* RECEIVED: none yet */

    unsigned                        events:1;   /* the group of the ledger */
    unsigned                        tenant_known:1; /* for good: the steps
                                                   do not ask again */
    unsigned                        counted:1;
    unsigned                        settled:1;  /* the outcome is counted */
    unsigned                        limited:1;  /* a limit refused */
    unsigned                        admitted:1; /* all limits let pass */
    unsigned                        dry_run:1;  /* one would have refused */
    unsigned                        body_read:1;
    unsigned                        body_known:1;
    unsigned                        is_json:1;
    unsigned                        handshake:2; /* 1 answered, 2 refused */
    unsigned                        unproven:1; /* and let pass, dry run */
    unsigned                        event_known:1;
};


extern ngx_module_t  ngx_http_sluice_module;


/* _module.c */

/* Compiles into *cv, which is allocated when it is NULL. */
char *ngx_http_sluice_value(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_complex_value_t **cv);
/* "name=" of "name=value", for messages: what follows may be a secret. */
ngx_str_t ngx_http_sluice_shown(const ngx_str_t *parameter);


/* _check.c */

/* The merged configuration of a location, when all of it is known */
char *ngx_http_sluice_check(ngx_conf_t *cf, ngx_http_sluice_loc_conf_t *conf);


/* _handler.c */

ngx_int_t ngx_http_sluice_preaccess_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_sluice_access_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_sluice_precontent_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_sluice_content_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_sluice_respond_handler(ngx_http_request_t *r);


/* _push.c */

/*
 * NGX_DONE: the items are on their way, and the last result answers; else what
 * the content handler returns.
 */
ngx_int_t ngx_http_sluice_push(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf);
/* The item's result is known: the last one answers.  Called from a batch. */
void ngx_http_sluice_enqueued(ngx_http_sluice_item_t *item);


/* _ctx.c */

/* The request's state, made when there is none; NULL: out of memory */
ngx_http_sluice_ctx_t *ngx_http_sluice_ctx(ngx_http_request_t *r);
/* The same, or NULL when there is none yet: for variables */
ngx_http_sluice_ctx_t *ngx_http_sluice_ctx_find(ngx_http_request_t *r);


/* _refuse.c: each returns what ngx_http_finalize_request() takes */

ngx_int_t ngx_http_sluice_refuse(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf,
    ngx_http_sluice_why_e why);
/* "sluice_verify_dry_run": says and counts what would be refused, once */
void ngx_http_sluice_refuse_dry(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf,
    ngx_http_sluice_why_e why);
ngx_int_t ngx_http_sluice_refuse_unverified(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx);
/* There is no verdict: rc of ngx_http_sluice_verify_check() and _greeting() */
ngx_int_t ngx_http_sluice_refuse_undecided(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, ngx_int_t rc);
ngx_int_t ngx_http_sluice_refuse_body(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_str_t *detail);
/* A body that fits into no job, however often it is sent */
ngx_int_t ngx_http_sluice_refuse_large(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx);
ngx_int_t ngx_http_sluice_refuse_unavailable(ngx_http_request_t *r);
/* The sender is to come again after NGX_HTTP_SLUICE_RETRY_AFTER. */
ngx_int_t ngx_http_sluice_refuse_later(ngx_http_request_t *r,
    ngx_uint_t status, const ngx_str_t *detail);
/*
 * Or NGX_DECLINED, there is nothing to refuse.  NGX_OK is an answer that was
 * sent.
 */
ngx_int_t ngx_http_sluice_refuse_method(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf);


/* _verify_conf.c, _verify.c */

char *ngx_http_sluice_verify(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * The verdict is left in ctx, and the reply when it was a handshake.  NGX_OK:
 * it is there; NGX_DECLINED: the body is larger than a job can be; NGX_BUSY:
 * there is no tenant table yet; NGX_ERROR: the body could not be read again or
 * memory is out.
 */
ngx_int_t ngx_http_sluice_verify_check(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf);

/*
 * A handshake that is decided without a signature.  NGX_DECLINED: it is none;
 * NGX_OK: the reply is in ctx; NGX_BUSY and NGX_ERROR as above.
 */
ngx_int_t ngx_http_sluice_verify_greeting(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf);

/* Does the verdict depend on the body? */
ngx_uint_t ngx_http_sluice_verify_body(const ngx_http_sluice_verify_t *verify);

/*
 * The sender's id and type of a verified event, into ctx->event_id and
 * event_type, each empty when there is none.  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_http_sluice_verify_event(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx);

/* The first field of a lower case name; *n: how many there are. */
ngx_table_elt_t *ngx_http_sluice_header(ngx_http_request_t *r,
    const ngx_str_t *name, ngx_uint_t hash, ngx_uint_t *n);


/* _secret.c */

/*
 * The value of secret= or verify_token=, which `name` says: a text that may
 * have variables, file:PATH or env:NAME.
 */
char *ngx_http_sluice_secret(ngx_conf_t *cf, const char *name,
    ngx_str_t *value, ngx_http_sluice_secret_t *secret);
/*
 * The scheme has all its settings: makes the keys of what is constant and
 * reads the files.  `scheme` is NULL where the text itself is wanted.
 */
char *ngx_http_sluice_secret_ready(ngx_conf_t *cf, const char *name,
    const sluice_scheme_t *scheme, ngx_http_sluice_secret_t *secret);
/* At the end of http{}: the variables of secrets are known, or NGX_ERROR */
ngx_int_t ngx_http_sluice_secret_variables(ngx_conf_t *cf,
    ngx_http_sluice_main_conf_t *mcf);
/*
 * The keys of the location's secrets, and the text that its handshake has to
 * bring; a NULL among the keys stands for an empty secret.  NGX_OK, NGX_BUSY
 * (there is no tenant table yet) or NGX_ERROR; after each of them
 * ngx_http_sluice_secret_done().
 */
ngx_int_t ngx_http_sluice_secret_keys(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf,
    ngx_http_sluice_keys_t *keys);
void ngx_http_sluice_secret_done(ngx_http_sluice_keys_t *keys);


/* _secret_file.c */

/* NULL: out of memory */
ngx_http_sluice_secret_file_t *ngx_http_sluice_secret_file(ngx_conf_t *cf,
    const ngx_str_t *path);
/* Reads it; what is wrong is an error of the configuration. */
char *ngx_http_sluice_secret_file_first(ngx_conf_t *cf, const char *name,
    ngx_http_sluice_secret_file_t *file);
/* In a worker process: says which files it may not read. */
void ngx_http_sluice_secret_begin(ngx_http_sluice_main_conf_t *mcf,
    ngx_log_t *log);
/* Reads it again when it has changed. */
void ngx_http_sluice_secret_file_fresh(ngx_http_sluice_secret_file_t *file,
    ngx_log_t *log);


/* _body.c */

typedef ngx_int_t (*ngx_http_sluice_piece_pt)(void *data, u_char *p,
    size_t len);

/* Calls `piece` for each piece, from memory or the temporary file. */
ngx_int_t ngx_http_sluice_body_pieces(ngx_http_request_t *r,
    ngx_http_sluice_piece_pt piece, void *data);
/*
 * ctx->body gets all of it, in place when it is in one buffer.  NGX_OK;
 * NGX_DECLINED: it is larger than a job can be; NGX_ERROR.
 */
ngx_int_t ngx_http_sluice_body_join(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx);


/* _json.c */

char *ngx_http_sluice_json(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_sluice_json_merge(ngx_conf_t *cf,
    ngx_http_sluice_loc_conf_t *conf);

/* Any of them is required. */
ngx_uint_t ngx_http_sluice_json_required(
    const ngx_http_sluice_pointers_t *pointers);

/* A media type says JSON. */
ngx_uint_t ngx_http_sluice_json_name(const ngx_str_t *type);
/* That of the request does. */
ngx_uint_t ngx_http_sluice_json_type(ngx_http_request_t *r);

/*
 * Scans ctx->body.  NGX_OK; NGX_HTTP_BAD_REQUEST with what is wrong in
 * `detail`; or NGX_ERROR.
 */
ngx_int_t ngx_http_sluice_json_scan(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, ngx_http_sluice_pointers_t *pointers,
    ngx_str_t *detail);

/*
 * A copy of ctx->body in which the values of redact= are "[redacted]"; the
 * body itself when it has none of them.  NGX_ERROR: out of memory
 */
ngx_int_t ngx_http_sluice_json_redact(ngx_http_request_t *r,
    const ngx_http_sluice_ctx_t *ctx, ngx_str_t *text);

/* The event's type from the body of the meta scheme: len 0 when it has none */
ngx_int_t ngx_http_sluice_json_event(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, ngx_str_t *type);


/* _limit_conf.c, _limit.c; the keys are in ngx_http_sluice_zone.h */

char *ngx_http_sluice_limit_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_sluice_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * NGX_DECLINED: the location's limits, early ones or the others, let the
 * request pass.  Else it was refused: what ngx_http_finalize_request() takes.
 */
ngx_int_t ngx_http_sluice_limit_step(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf,
    ngx_uint_t early);
/*
 * For an item of several in one request: charges the limits that are not early,
 * their variables read now, and sets *delay to the ms after which the item is
 * within all of them, 0: at once, a day at most.  `size` is what "cost=size/"
 * looks at.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_sluice_limit_delay(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf,
    off_t size, int64_t *delay);


/* _depth.c */

char *ngx_http_sluice_queue_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
/*
 * Do too many jobs wait in the queue of ctx->item, for its class?  Where
 * conf->depth is set and item->base is known.  NGX_DECLINED: it may go on; or
 * it was refused.
 */
ngx_int_t ngx_http_sluice_depth_step(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf);


/* _enqueue_conf.c, _enqueue_opts.c, _enqueue.c */

char *ngx_http_sluice_enqueue(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_sluice_enqueue_merge(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue, const ngx_http_sluice_verify_t *verify,
    ngx_http_sluice_main_conf_t *mcf);

/* Tenant, queue and key base.  NGX_OK; NGX_DECLINED: not a name; NGX_ERROR */
ngx_int_t ngx_http_sluice_enqueue_names(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_enqueue_t *enqueue);
/*
 * "<prefix>:<queue>:" from tenant, prefix (NULL: none) and queue, each checked
 * before.  Returns its length; 0: too long for `base`, SLUICE_KEYS_MAX bytes.
 */
size_t ngx_http_sluice_enqueue_base(u_char *base, const ngx_str_t *tenant,
    const ngx_str_t *prefix, const ngx_str_t *queue);
/* item->priority.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_sluice_enqueue_priority(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_enqueue_t *enqueue);
/* The whole job.  NGX_OK; NGX_DECLINED: it is too large; NGX_ERROR. */
ngx_int_t ngx_http_sluice_enqueue_job(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_loc_conf_t *conf);

/* Parameters; a text in place of NGX_CONF_OK says what is wrong. */
char *ngx_http_sluice_set_priority(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue, ngx_str_t *value);
char *ngx_http_sluice_set_delay(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue, ngx_str_t *value);
char *ngx_http_sluice_set_attempts(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue, ngx_str_t *value);
char *ngx_http_sluice_set_backoff(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue, ngx_str_t *value);

/* "5s", or ms as a number; else -1 */
int64_t ngx_http_sluice_delay(const ngx_str_t *value);


/* _redis_conf.c; the links themselves are in ngx_http_sluice_link.h */

char *ngx_http_sluice_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
/* Warns of names that cannot be resolved later either. */
void ngx_http_sluice_redis_resolvers(ngx_conf_t *cf,
    ngx_http_sluice_main_conf_t *mcf);
void ngx_http_sluice_redis_exit(ngx_http_sluice_main_conf_t *mcf);
/* At the end of http{}: the server of a name, or NULL */
ngx_http_sluice_server_t *ngx_http_sluice_redis_find(
    ngx_http_sluice_main_conf_t *mcf, const ngx_str_t *name);


/* _respond.c */

char *ngx_http_sluice_respond(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* Each returns what ngx_http_finalize_request() takes. */
ngx_int_t ngx_http_sluice_respond_send(ngx_http_request_t *r,
    const ngx_http_sluice_respond_t *respond);
ngx_int_t ngx_http_sluice_respond_text(ngx_http_request_t *r,
    ngx_uint_t status, const ngx_str_t *type, ngx_str_t *text);
/* The reply of ctx to a handshake, which is counted and never enqueued */
ngx_int_t ngx_http_sluice_respond_handshake(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx);
/*
 * application/problem+json, or the location's error_page for the status.
 * `detail` is plain text of ours: no control characters, quotes are escaped.
 */
ngx_int_t ngx_http_sluice_respond_problem(ngx_http_request_t *r,
    ngx_uint_t status, const ngx_str_t *detail);
/* A field of the answer, before it is sent */
ngx_int_t ngx_http_sluice_respond_header(ngx_http_request_t *r,
    const char *name, ngx_str_t *value);
/* The same taken back */
void ngx_http_sluice_respond_forget(ngx_http_request_t *r, const char *name);


/* _status.c; the numbers themselves are in _metrics.c, counting in _slots.h */

char *ngx_http_sluice_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_sluice_health(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/* _seen.c */

/* Notes the time of a durable item of a tenant. */
void ngx_http_sluice_seen(ngx_http_sluice_item_t *item);


/* _variables.c */

ngx_int_t ngx_http_sluice_variables_add(ngx_conf_t *cf);


#endif
