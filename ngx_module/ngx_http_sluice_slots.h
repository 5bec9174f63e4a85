/*
 * Counting: what a process writes into its slot of the zone, and when.  Part
 * of ngx_http_sluice_module.h, which includes it.
 */

#ifndef NGX_HTTP_SLUICE_SLOTS_H
#define NGX_HTTP_SLUICE_SLOTS_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "core/scheme.h"


#define NGX_HTTP_SLUICE_SLOTS       127      /* processes that are counted */
#define NGX_HTTP_SLUICE_SEEN        16384    /* tenants and their last event */
#define NGX_HTTP_SLUICE_TIMES       9        /* of a histogram */
#define NGX_HTTP_SLUICE_SERVERS     16       /* sluice_redis */
#define NGX_HTTP_SLUICE_SCHEMES     48       /* of core */
#define NGX_HTTP_SLUICE_SECRETS     SLUICE_SCHEME_KEYS  /* of sluice_verify */


typedef struct ngx_http_sluice_ctx_s        ngx_http_sluice_ctx_t;
typedef struct ngx_http_sluice_main_conf_s  ngx_http_sluice_main_conf_t;
typedef struct ngx_http_sluice_process_s    ngx_http_sluice_process_t;


/* The counters of a group add up: received is the sum of all others. */

typedef enum {
    NGX_HTTP_SLUICE_RECEIVED = 0,
    NGX_HTTP_SLUICE_ENQUEUED,
    NGX_HTTP_SLUICE_SPOOLED,       /* on the disk, until Redis takes it */
    NGX_HTTP_SLUICE_DUPLICATE,
    NGX_HTTP_SLUICE_PASSED,        /* answered or handed on by the location */
    NGX_HTTP_SLUICE_LIMITED,
    NGX_HTTP_SLUICE_REFUSED,
    NGX_HTTP_SLUICE_FAILED,
    NGX_HTTP_SLUICE_ABORTED,
    NGX_HTTP_SLUICE_COUNTERS
} ngx_http_sluice_counter_e;

/* Why a request was refused; the sum is `refused` of both groups. */

typedef enum {
    NGX_HTTP_SLUICE_WHY_MISSING = 0,  /* no signature or key */
    NGX_HTTP_SLUICE_WHY_MALFORMED,
    NGX_HTTP_SLUICE_WHY_MISMATCH,
    NGX_HTTP_SLUICE_WHY_STALE,        /* outside of the tolerance */
    NGX_HTTP_SLUICE_WHY_SECRET,       /* the secret is empty */
    NGX_HTTP_SLUICE_WHY_UNVERIFIED,   /* came around the verification */
    NGX_HTTP_SLUICE_WHY_TENANT,
    NGX_HTTP_SLUICE_WHY_BODY,         /* empty, not JSON, a member missing */
    NGX_HTTP_SLUICE_WHY_METHOD,
    NGX_HTTP_SLUICE_WHYS
} ngx_http_sluice_why_e;

/* What limits did beside refusing for a rate. */

typedef enum {
    NGX_HTTP_SLUICE_LIMIT_DRY_RUN = 0,
    NGX_HTTP_SLUICE_LIMIT_DELAYED,
    NGX_HTTP_SLUICE_LIMIT_QUEUE,       /* refused: too many jobs wait */
    NGX_HTTP_SLUICE_LIMIT_SPOOLED,     /* the same, and taken by the spool */
    NGX_HTTP_SLUICE_LIMIT_DONE
} ngx_http_sluice_limit_e;

/* A connection to a Redis server */

typedef enum {
    NGX_HTTP_SLUICE_LINK_UNUSED = 0,
    NGX_HTTP_SLUICE_LINK_DOWN,
    NGX_HTTP_SLUICE_LINK_RESOLVING,
    NGX_HTTP_SLUICE_LINK_CONNECTING,
    NGX_HTTP_SLUICE_LINK_HANDSHAKE,
    NGX_HTTP_SLUICE_LINK_GREETING,
    NGX_HTTP_SLUICE_LINK_READY,
    NGX_HTTP_SLUICE_LINK_STATES
} ngx_http_sluice_link_e;

/* A process' links to a server, as other processes see them */

typedef struct {
    ngx_atomic_t                    name;       /* crc32 of the server's */
    ngx_atomic_t                    states[NGX_HTTP_SLUICE_LINK_STATES];
                                                /* links, but those unused */
    ngx_atomic_t                    pending;
    ngx_atomic_t                    connects;
    ngx_atomic_t                    losses;
    ngx_atomic_t                    version;    /* 70015 is 7.0.15, 0 none */
    ngx_atomic_t                    evicts;     /* 1: not noeviction */
    ngx_atomic_t                    no_aof;     /* 1: appendonly is off */
} ngx_http_sluice_slot_link_t;

/* The spool of a process; the first three are of files that it holds now. */

typedef struct {
    ngx_atomic_t                    bytes;
    ngx_atomic_t                    segments;
    ngx_atomic_t                    oldest;     /* ms, when it was begun */
    ngx_atomic_t                    written;    /* jobs */
    ngx_atomic_t                    replayed;   /* jobs */
    ngx_atomic_t                    bad;        /* pieces set aside */
    ngx_atomic_t                    errors;
    ngx_atomic_t                    error;      /* the last one's errno */
} ngx_http_sluice_slot_spool_t;

/*
 * Written by one process.  The next one that takes the slot counts on: a
 * counter is never added up, moved or set back.  A new one needs only its
 * member here and its row in _metrics.c.
 */

typedef struct {
    ngx_atomic_t                    pid;        /* 0: nobody's */
    ngx_atomic_t                    began;      /* when the process did, for
                                                   a pid is used again */
    ngx_atomic_t                    counters[2][NGX_HTTP_SLUICE_COUNTERS];
    ngx_atomic_t                    refused[NGX_HTTP_SLUICE_WHYS];
    ngx_atomic_t                    dry_run[NGX_HTTP_SLUICE_WHYS];  /* passed */
    ngx_atomic_t                    handshakes[2];   /* answered, refused */
    ngx_atomic_t                    items;      /* of sluice_split */
    ngx_atomic_t                    quarantined;
    ngx_atomic_t                    limits[NGX_HTTP_SLUICE_LIMIT_DONE];
    ngx_atomic_t                    secrets[NGX_HTTP_SLUICE_SCHEMES]
                                           [NGX_HTTP_SLUICE_SECRETS];
    ngx_atomic_t                    times[NGX_HTTP_SLUICE_TIMES];
    ngx_atomic_t                    took;       /* ms, of all in times */
    ngx_http_sluice_slot_link_t     links[NGX_HTTP_SLUICE_SERVERS];
    ngx_http_sluice_slot_spool_t    spool;
} ngx_http_sluice_slot_t;

/* A tenant that was heard; the table follows the slots in their zone. */

typedef struct {
    ngx_atomic_t                    last;       /* ms since 1970 */
    ngx_atomic_t                    len;        /* 0: the entry is free */
    u_char                          name[64];   /* SLUICE_KEYS_NAME_MAX */
} ngx_http_sluice_seen_t;


/* _slots.c */

ngx_int_t ngx_http_sluice_status_zone(ngx_conf_t *cf,
    ngx_http_sluice_main_conf_t *mcf);

/* NGX_HTTP_SLUICE_SLOTS of them, also of processes that ended */
ngx_http_sluice_slot_t *ngx_http_sluice_status_slots(ngx_shm_zone_t *shm_zone);
/*
 * Received, and nothing became of it yet.  `outcomes` gets the counters after
 * RECEIVED, as they were at that moment.
 */
ngx_atomic_uint_t ngx_http_sluice_status_flight(
    const ngx_http_sluice_slot_t *slot, ngx_uint_t group,
    ngx_atomic_uint_t *outcomes);

/* This process' state, with its slot of the zone. */
ngx_http_sluice_process_t *ngx_http_sluice_status_process(
    ngx_http_sluice_main_conf_t *mcf);
void ngx_http_sluice_status_leave(ngx_http_sluice_main_conf_t *mcf);

/*
 * Counts the request as received, and once what became of it.  That is known
 * for good when Redis has the job, when a refusal is answered and not left to
 * an error_page, and at the request's end: until then a job that is stored
 * after all, or a failure, takes the place of what was noted before.
 */
void ngx_http_sluice_status_received(ngx_http_sluice_ctx_t *ctx,
    ngx_uint_t events);
void ngx_http_sluice_status_outcome(ngx_http_sluice_ctx_t *ctx,
    ngx_http_sluice_counter_e outcome);
/* The request turned out to be n events: each counts. */
void ngx_http_sluice_status_items(ngx_http_sluice_ctx_t *ctx, ngx_uint_t n);
/* What became of one of its items, for good */
void ngx_http_sluice_status_item(ngx_http_sluice_ctx_t *ctx,
    ngx_http_sluice_counter_e outcome);
void ngx_http_sluice_status_refused(ngx_http_sluice_ctx_t *ctx,
    ngx_http_sluice_why_e why);
void ngx_http_sluice_status_settle(ngx_http_sluice_ctx_t *ctx);
/* A job's time to the reply of Redis, for the histogram */
void ngx_http_sluice_status_took(ngx_http_sluice_process_t *process,
    ngx_msec_t took);


#endif
