/*
 * The map of the worker: read this first.  Each struct is followed by the
 * functions of the file that owns it.
 *
 *   main.c       arguments, signals, start, drain
 *   settings.c   file -> checked settings
 *   log.c        one line an event
 *   fair.c       whose turn it is to take jobs, and how many   (pure)
 *   roster.c     the queues that are known, and not open       (pure)
 *   wake.c       the words by which producers tell of a queue
 *   sweep.c      the registry, and which queues have something
 *   run_many.c   queues of any tenant: opened when there is work
 *   run_due.c    and when a delayed job of one that is not open is due
 *   link.c       a sluice_redis_t on a libevent bufferevent
 *   link_replicas.c   what is said when replicas are too few
 *   links.c      which link a key's commands go to
 *   cluster.c    the map of a Redis Cluster, kept right
 *   master.c     where the master is that sentinels watch
 *   question.c   one command to a server, on a connection of its own
 *   tls.c        whom a connection trusts, and as whom it comes
 *   queue.c      the scripts as calls: plain values in, plain results out
 *   watch.c      BZPOPMIN on the markers: which queue may have a job
 *   run.c        the path of a job, the only file that calls the others
 *   run_events.c   that of a webhook
 *   message.c    a job's data -> who sends what to whom             (pure)
 *   channels/    one file a provider: render and verdict             (pure)
 *   events.c     a Meta webhook -> its messages and statuses         (pure)
 *   send.c       one HTTP request, one answer
 *   hub.c        libcurl multi on libevent, for some of the requests
 *   record.c     what became of a message, as a line of JSON         (pure)
 *   recorder.c   the streams of records -> the store, in groups
 *   store/       communication_logs in SQLite
 *   zones.c      the time zones of this machine, by name
 *   scheduler.c  a job scheduler's next time, from the opts of its job
 *   hook.c       what an operator is told, and how often         (pure)
 *   hooks.c      tells it: by HTTP, or by a command (hook_command.c)
 *   job_new.c    the members of a new job or scheduler           (pure)
 *   queue_admin.c, queue_new.c, queue_get.c   what people do with a queue
 *   text.c       text from elsewhere as JSON                     (pure)
 *   admin/       the REST API over queues
 *   ctl_*.c      sluicectl
 *
 * Times are milliseconds; "text" is UTF-8 with its length, not NUL-terminated
 * unless it says so.
 */

#ifndef SLUICE_WORKER_H
#define SLUICE_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <event2/event.h>
#include <jansson.h>
#include "core/envelope.h"
#include "core/gcra.h"
#include "core/keys.h"
#include "core/redis.h"
#include "core/retry.h"
#include "core/url.h"
#include "worker/tls.h"


/* ------------------------------------------------------------- settings.c */

typedef enum {
    QUEUE_SEND,      /* each job is a message */
    QUEUE_EVENTS,    /* each job is a webhook */
    QUEUE_NOOP       /* each job is done at once: benchmarks, drains */
} queue_kind_e;

typedef enum { CHANNEL_CLOUD_API } channel_kind_e;

typedef struct {
    char            *name;        /* section title: channel "whatsapp" */
    channel_kind_e   kind;        /* kind = cloud_api */
    char            *base_url;    /* "https://graph.facebook.com" */
    char            *version;     /* "v26.0" */
    char            *token;       /* of numbers that have none of their own */
    int64_t          timeout;     /* ms for the whole request, 30000 */
    int64_t          apart;       /* pair_rate: µs between two messages from one
                                     number to one recipient, 0 any */
} channel_t;

/* a sender: a WhatsApp phone number id */
typedef struct {
    char            *id;
    char            *token;       /* NULL: the channel's */
    double           rate;        /* a second, by the provider; 80 */
    int64_t          apart;       /* pair_rate; -1 the channel's */
} number_t;

/* what a queue's takes ask; an interval of 0: no such bucket */
typedef struct {
    double               floor;    /* part of the lowest class, 0.05 */
    sluice_gcra_limit_t  rate;     /* of all queues of the prefix */
    sluice_gcra_limit_t  quota;    /* the same, a day */
    sluice_gcra_limit_t  high, medium, low;
} limits_t;

typedef struct {
    char            *name;        /* section title: queue "messages" */
    char            *tenant;      /* or NULL */
    char            *prefix;      /* "{acme}" for tenant acme, else "bull" */
    queue_kind_e     kind;
    channel_t       *channel;     /* QUEUE_SEND */
    int              bullmq;      /* 5 or 6 */
    int              concurrency; /* jobs at once, 50 */
    limits_t         limits;
    int              weight;      /* beside other queues; with its tenant's */
    sluice_retry_t   retry;       /* of jobs without attempts */
    int64_t          lock;        /* lease, ms, 30000 */
    int64_t          stalled;     /* interval of the stalled check, ms, 30000 */
    int              max_stalled; /* 1 */
    int              keep_completed, keep_failed;              /* -1 all */
    int64_t          keep_completed_age, keep_failed_age;      /* s, 0 none */
    int64_t          keep_completed_bytes, keep_failed_bytes;  /* 0 any */
    int              metrics;     /* minutes, 0 none */
} queue_settings_t;

/* tenant "acme" { }: of all its queues */
typedef struct {
    char            *name;
    int              weight;      /* 1 */
    int              concurrency; /* 0 any */
} tenant_settings_t;

/* who may use the REST API */
typedef struct {
    char            *tenant;      /* only its queues; NULL all */
    char            *secret;
} admin_key_t;

/* what a hook may hear of */
typedef enum {
    HOOK_FAILED,     /* a job, for good */
    HOOK_STALLED,    /* a job, whose worker was gone */
    HOOK_DRAINED,    /* a queue has nothing left to do now */
    HOOK_PAUSED,     /* a queue, or what a provider let stop */
    HOOK_LIMITED,    /* a queue, by its rate */
    HOOK_MAX
} hook_event_e;

typedef struct {
    char             *name;
    bool              on[HOOK_MAX];
    char             *url, *command;   /* one of them */
    char             *secret;          /* or NULL */
    int64_t           interval;        /* us between two messages */
    int64_t           timeout;         /* ms */
    char            **queues; size_t nqueues;    /* none: all */
} hook_settings_t;

typedef struct {
    sluice_url_nodes_t  redis;
    tls_t            *redis_tls;       /* of rediss..://, else NULL */
    int64_t           redis_timeout;   /* ms, 5000 */
    int               wait_replicas;   /* that must have what is written */
    int64_t           wait_timeout;    /* ms, of one WAIT */
    char             *store;           /* path of the SQLite file, or NULL */
    char             *log_file;        /* NULL: stderr */
    int               log_level;
    bool              log_json;
    double            pace;            /* used part of a rate, 0.9 */
    int64_t           drain;           /* ms that TERM waits, 30000 */
    int64_t           claim_ttl;       /* ms, 86400000 */
    int               connections;     /* HTTP connections at most, 512 */
    int               concurrency;     /* jobs at once of all, 10000 */
    int               watch;           /* stock producers' markers, 100 */
    int64_t           sweep;           /* ms in which each queue is seen */
    queue_settings_t *queues;   size_t nqueues;
    queue_settings_t *patterns; size_t npatterns;    /* tenants = {"*"}: of
                                          each; prefix and tenant are NULL */
    tenant_settings_t *tenants; size_t ntenants;
    channel_t        *channels; size_t nchannels;
    number_t         *numbers;  size_t nnumbers;
    char             *admin_listen;    /* "unix:PATH", "ADDRESS:PORT", NULL */
    admin_key_t      *admin_keys; size_t nadmin_keys;
    hook_settings_t  *hooks; size_t nhooks;
} settings_t;

/*
 * Reads and checks a file.  All errors are written to `errors` ("file:line:
 * what"), one a line, at once.  NULL when there was any.
 */
settings_t *settings_load(const char *path, FILE *errors);
void settings_free(settings_t *settings);
const number_t *settings_number(const settings_t *settings, const char *id);

/* NULL: it has no section */
const tenant_settings_t *settings_tenant(const settings_t *settings,
    const char *name);

/* the pattern of the queue `name` of a tenant that is not listed; or NULL */
const queue_settings_t *settings_pattern(const settings_t *settings,
    const char *name);

/*
 * "{acme}:messages", NUL-terminated, from anybody: the pattern that it is of
 * and its tenant, 65 bytes; NULL when it is of none, or listed
 */
const queue_settings_t *settings_pattern_of(const settings_t *settings,
    const char *name, size_t len, char *tenant);

/* The pattern's queue of a tenant: 0 or -1; its texts are to be freed. */
int settings_derive(queue_settings_t *queue, const settings_t *settings,
    const queue_settings_t *pattern, const char *tenant);
void settings_queue_free(queue_settings_t *queue);

/* µs between two messages of a pair; `number` may be NULL */
int64_t settings_apart(const channel_t *channel, const number_t *number);


/* ------------------------------------------------------------------ log.c */

enum { LOG_DEBUG_, LOG_INFO_, LOG_WARN_, LOG_ERROR_ };

/*
 * log_event(LOG_WARN_, "retry", "queue", "%s", name, "delay", "%d", ms, NULL):
 * an event and pairs of key and printf format with its arguments (%s %d %zu
 * %lld %.3f %.*s only), as logfmt or JSON.  No secret, no body.
 */
void log_init(const char *file, int level, bool json);
void log_reopen(void);
void log_event(int level, const char *event, ...);


/* -------------------------------------------------------------- message.c */

/*
 * A job as take.lua gives it; all text NUL-terminated, never NULL ("" when
 * absent), in one piece of memory with the job (queue.c).
 */
typedef struct {
    char     *id, *name, *data, *opts, *defa, *deid;
    char     *scheduler;  /* rjk: the scheduler whose iteration it is */
    size_t    data_len;
    int64_t   timestamp, delay, priority;
    int       made;       /* atm: attempts ended before this one */
    int       started;    /* ats: this one included */
    int       stalls;     /* stc */
    char     *token;      /* of the lease */
} job_t;

void job_free(job_t *job);

/*
 * What a QUEUE_SEND job asks for.  Two forms of data are taken:
 *   the edge's CloudEvents envelope, whose source ends in
 *   "/<sender>/messages" and whose data is the Cloud API's request; or
 *   the request itself with a member "phone_number_id" (taken out before
 *   sending), as an application adds it with a BullMQ client.
 */
typedef struct {
    json_t      *body;         /* the request, owned */
    const char  *sender;       /* points into body's root or `hold` */
    const char  *recipient;    /* to or recipient, "" when there is none */
    const char  *campaign;     /* of the form without envelope, or NULL */
    json_t      *hold;
} message_t;

/* NULL, or why the job can never be sent (the member is named) */
const char *message_read(message_t *message, const job_t *job);
void message_free(message_t *message);

#define MESSAGE_TO_MAX    256    /* bytes of a recipient: BSUID, group id */
#define MESSAGE_PAIR_MAX  (SLUICE_KEYS_NAME_MAX + 1 + MESSAGE_TO_MAX + 1)

/*
 * "<sender>:<recipient>", for the pace of the pair, to MESSAGE_PAIR_MAX bytes;
 * what people put between the digits of a recipient is left out.
 */
void message_pair(char *dst, const message_t *message);


/* ---------------------------------------------------------------- channels */

/* one HTTP request; all owned, free with request_free() */
typedef struct {
    char    *url;
    char   **headers;     /* "Name: value", ended by NULL; may hold the token */
    char    *body;
    size_t   body_len;
    int64_t  timeout;     /* ms */
} request_t;

void request_free(request_t *request);

typedef enum {
    VERDICT_SENT,
    VERDICT_RETRY,           /* by the schedule, or not before `after` */
    VERDICT_WAIT,            /* a throttle, not a failure: no attempt is used */
    VERDICT_PAUSE_NUMBER,    /* as WAIT, for all messages of the sender */
    VERDICT_PAUSE_TENANT,    /* as WAIT, for the queue; and an alert */
    VERDICT_DEAD,            /* never */
    VERDICT_AMBIGUOUS        /* it may have been sent */
} verdict_e;

typedef struct {
    verdict_e  kind;
    int64_t    after;            /* ms, 0 by the schedule */
    int        code;             /* the provider's, 0 none */
    char       provider_id[256]; /* VERDICT_SENT: wamid */
    char       reason[512];      /* one line for people, without a secret */
} verdict_t;

/* what came of a request */
typedef struct {
    int         curl;       /* CURLcode, 0 fine */
    bool        sent;       /* some of the request may have reached the peer */
    long        status;     /* HTTP, 0 none */
    const char *body;
    size_t      body_len;
    int64_t     retry_after;/* ms from Retry-After, 0 none */
} answer_t;

typedef struct {
    const char  *name;
    /* NULL or why it cannot be sent; `job_id` goes into
       biz_opaque_callback_data unless the application set it */
    const char *(*render)(request_t *request, const channel_t *channel,
        const number_t *number, const message_t *message, const char *job_id);
    void        (*verdict)(verdict_t *verdict, const answer_t *answer);
} channel_api_t;

extern const channel_api_t  channel_cloud_api;


/* --------------------------------------------------------------- record.c */

/*
 * What became of a message, a row of communication_logs to be.  As JSON:
 * {"id","provider_id","tenant","channel","sender","recipient","payload",
 *  "status","error","code","campaign","attempts","at"}; absent when empty.
 * status: retry, sent, delivered, read, played, failed.  at: ms.
 */
typedef struct {
    const char *id;             /* ours; NULL: the provider's is known */
    const char *provider_id;
    const char *tenant, *channel, *sender, *recipient;
    const json_t *payload;      /* or NULL */
    const char *status;
    const char *error;
    int         code;
    const char *campaign;
    int         attempts;
    int64_t     at;
} record_t;

/* malloc()ed JSON text; NULL out of memory */
char *record_encode(const record_t *record);
/* the strings point into *hold, which the caller json_decref()s; 0, or -1 */
int record_decode(record_t *record, json_t **hold, const char *text,
    size_t len);

/* the order in which a status may only move: see store.h */
int record_rank(const char *status);


/* --------------------------------------------------------------- events.c */

/*
 * A webhook of Meta: each message and status of each entry and change.
 * `result` is the job's return value, a JSON text:
 *   {"messages":[{"id","from","type","number","timestamp"}...],
 *    "statuses":[{"id","status","recipient","number","timestamp"}...],
 *    "other":[{"field","number"|null}...]}
 * Ids and names over 512 bytes count as absent.  Over 8 MB (run_result.c) the
 * lists are empty, and "omitted":{"messages","statuses"} has their numbers.
 */
typedef struct {
    char    *result;
    char   **records;     /* record_encode()d statuses */
    size_t   nrecords;
    size_t   nmessages;
} events_t;

/* NULL, or why the job's data is no webhook (the pointer is named) */
const char *events_read(events_t *events, const job_t *job, const char *tenant);
void events_free(events_t *events);


#endif
