/*
 * The map of the edge: what a request carries, and the steps file by file.
 * Read this first, then ngx_http_sluice_handler.c, which strings the steps
 * together.
 *
 * Configuration and a process' state are in ngx_http_sluice_conf.h; a request's
 * state is in ngx_http_sluice_ctx_t; what processes share is in zones.
 */

#ifndef NGX_HTTP_SLUICE_MODULE_H
#define NGX_HTTP_SLUICE_MODULE_H

#include "ngx_http_sluice_conf.h"


typedef struct ngx_http_sluice_item_s    ngx_http_sluice_item_t;
typedef struct ngx_http_sluice_tenant_s  ngx_http_sluice_tenant_t;


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
    NGX_HTTP_SLUICE_JOB_REFUSED,     /* the same again would be refused too */
    NGX_HTTP_SLUICE_JOB_LIMITED      /* of a split: its queue is full */
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
    ngx_str_t                       contact;    /* and who wrote, or is told */
    const sluice_split_item_t      *part;       /* NULL: the whole body */
    ngx_str_t                       head;       /* around the body */
    ngx_str_t                       data;
    ngx_str_t                       tail;
    int64_t                         delay;
    int64_t                         priority;
    int64_t                         wait;       /* ms, over the rate */
    ngx_http_sluice_job_e           job;
    unsigned                        quarantined:1;
    unsigned                        held:1;     /* its queue is full: it is
                                                   for the spool */
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
/*
 * A body that had to be JSON and is not: 415 where its fields say something
 * else, 400 where they say JSON
 */
ngx_int_t ngx_http_sluice_refuse_syntax(ngx_http_request_t *r,
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


/* The next field of a list, from its first part and 0 on; NULL: none is left */

static ngx_inline ngx_table_elt_t *
ngx_http_sluice_field(ngx_list_part_t **part, ngx_uint_t *i)
{
    while (*i == (*part)->nelts) {

        if ((*part)->next == NULL) {
            return NULL;
        }

        *part = (*part)->next;
        *i = 0;
    }

    return (ngx_table_elt_t *) (*part)->elts + (*i)++;
}


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
 * `detail`; NGX_HTTP_UNSUPPORTED_MEDIA_TYPE, so too: it is no JSON at all; or
 * NGX_ERROR.
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

/*
 * Of a parameter "zone=NAME:SIZE", which it begins with: sets *name and returns
 * the size, `least` or more.  NGX_ERROR: what is wrong has been logged.
 */
ssize_t ngx_http_sluice_zone_size(ngx_conf_t *cf, const ngx_str_t *value,
    size_t least, ngx_str_t *name);
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


/* _depth_conf.c, _depth.c */

char *ngx_http_sluice_queue_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
/*
 * Do too many jobs wait in the queue of ctx->item, for its class?  Where
 * conf->depth is set and item->base is known; `size`: bytes of its data.
 * NGX_OK: it may go on, to the spool when item->held is set; NGX_BUSY: it is to
 * be refused; NGX_ERROR.
 */
ngx_int_t ngx_http_sluice_depth_gate(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf,
    size_t size);
/* After NGX_BUSY.  What ngx_http_finalize_request() takes */
ngx_int_t ngx_http_sluice_depth_refuse(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf);
/* Both for a request of one event.  NGX_DECLINED: it may go on. */
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
/* base[0] for a queue of nobody, base[1] the same in a cluster */
ngx_int_t ngx_http_sluice_enqueue_quarantine(ngx_conf_t *cf, ngx_str_t *base,
    const ngx_str_t *queue);
size_t ngx_http_sluice_enqueue_base(u_char *base, const ngx_str_t *tenant,
    const ngx_str_t *prefix, const ngx_str_t *queue);
/* item->priority.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_sluice_enqueue_priority(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_enqueue_t *enqueue);
/* item->opts, priority and delay, and what dedupes it.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_sluice_enqueue_opts(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_loc_conf_t *conf);
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
char *ngx_http_sluice_set_group(ngx_conf_t *cf,
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
