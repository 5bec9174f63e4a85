/*
 * A process' connection to a Redis server, and the jobs on their way through
 * it: batches of one turn of the event loop, written, then answered.
 */

#ifndef NGX_HTTP_SLUICE_LINK_H
#define NGX_HTTP_SLUICE_LINK_H

#include "core/cluster.h"
#include "core/sentinel.h"
#include "core/spool.h"
#include "ngx_http_sluice_module.h"


#define NGX_HTTP_SLUICE_BATCH       32       /* jobs of one EVALSHA */
#define NGX_HTTP_SLUICE_BUCKETS     64
#define NGX_HTTP_SLUICE_ARGS        9        /* of add.lua for a job */
#define NGX_HTTP_SLUICE_LINKS       16       /* connections= of a server */
#define NGX_HTTP_SLUICE_CONNECTION  20       /* bytes of its name, hex digits */
#define NGX_HTTP_SLUICE_SHOWN       (256 + sizeof("[]:65535"))
#define NGX_HTTP_SLUICE_KNOWN       1024     /* queues known as registered */
#define NGX_HTTP_SLUICE_LISTED      10000    /* ms until one is registered
                                                again: Redis may have lost its
                                                data over a connection */
#define NGX_HTTP_SLUICE_AWAY        5000     /* ms for which a "not now" counts
                                                for sluice_health */


typedef struct ngx_http_sluice_batch_s   ngx_http_sluice_batch_t;
typedef struct ngx_http_sluice_cluster_s ngx_http_sluice_cluster_t;
typedef struct ngx_http_sluice_depths_s  ngx_http_sluice_depths_t;
typedef struct ngx_http_sluice_spool_s   ngx_http_sluice_spool_t;


/* sluice_redis */

typedef struct {
    ngx_str_t                       ca;         /* "": the system's */
    ngx_str_t                       certificate;
    ngx_str_t                       key;
    ngx_str_t                       name;       /* in the server's, or ""
                                                   for the host's */
#if (NGX_SSL)
    ngx_ssl_t                      *ssl;
#endif
    unsigned                        given:1;    /* any of its parameters */
    unsigned                        unverified:1;
    unsigned                        address:1;  /* the name is one */
} ngx_http_sluice_tls_t;

/* Where a link connects to */

typedef struct {
    sluice_node_t                   node;       /* unless it is a path */
    ngx_str_t                       shown;      /* for logs: no password */
    ngx_addr_t                     *addrs;      /* found while configuring */
    ngx_uint_t                      naddrs;
    unsigned                        by_name:1;  /* a host name, no address */
} ngx_http_sluice_host_t;

struct ngx_http_sluice_server_s {
    ngx_str_t                       name;
    ngx_str_t                       shown;      /* of all hosts */
    sluice_url_t                    url;
    sluice_url_nodes_t              nodes;      /* kind; of several servers */
    ngx_http_sluice_host_t         *hosts;      /* one, sentinels or seeds */
    ngx_uint_t                      nhosts;
    ngx_msec_t                      timeout;
    ngx_uint_t                      connections;    /* of a process */
    ngx_uint_t                      index;
    ngx_http_sluice_tls_t           tls;
    sluice_redis_conf_t             client;
    sluice_redis_conf_t             asker;      /* of _ask.c */
};


/* _cluster.c */

struct ngx_http_sluice_cluster_s {
    sluice_cluster_t                state;
    ngx_queue_t                     links;      /* to its nodes, by `peer` */
    ngx_queue_t                     later;      /* batches that wait */
    ngx_queue_t                     listing;    /* that wait for the registry */
    ngx_uint_t                      nlater;
    size_t                          bytes;      /* of later */
    ngx_event_t                     turn;       /* keeps an exit waiting */
    ngx_event_t                     ask;        /* does not */
    unsigned                        leaving:1;  /* links to no node */
    unsigned                        told:1;     /* by anybody, ever */
};


/* _batch.c */

/* A queue that is in the registry */

typedef struct {
    ngx_msec_t                      listed;     /* when it was entered last */
    u_char                          base[SLUICE_KEYS_MAX];
} ngx_http_sluice_known_t;

struct ngx_http_sluice_batch_s {
    ngx_queue_t                     queue;      /* open, sent, spooled, done */
    ngx_queue_t                     bucket;     /* while it is open */
    uint64_t                        call;       /* its number, when sent */
    ngx_http_sluice_link_t         *link;
    ngx_http_sluice_spool_t        *held;       /* not for Redis: NULL, or */
    ngx_http_sluice_job_e           result;     /* of all, when not NONE */
    sluice_cluster_call_t           routing;    /* of _cluster_batch.c */
    ngx_msec_t                      due;
    unsigned                        begun:1;    /* routing is set */
    unsigned                        unlisted:1; /* the registry is wrong */
    ngx_uint_t                      major;
    uint32_t                        hash;
    size_t                          len;        /* of base */
    size_t                          bytes;      /* of the jobs' data */
    u_char                          base[SLUICE_KEYS_MAX];
    ngx_uint_t                      n;
    ngx_http_sluice_item_t         *jobs[NGX_HTTP_SLUICE_BATCH];
    uint8_t                         results[NGX_HTTP_SLUICE_BATCH];
};

/* what a connection loads in its greeting */
extern const sluice_script_t *const  ngx_http_sluice_batch_scripts[1];

/*
 * Takes the item along with those of this loop turn, to Redis or, item->held
 * being set, to the spool.  NGX_OK: it will be answered by
 * ngx_http_sluice_enqueued(), later than this call; NGX_ERROR.
 */
ngx_int_t ngx_http_sluice_batch_add(ngx_http_sluice_link_t *link,
    ngx_http_sluice_item_t *item, ngx_uint_t major);
/* A batch that waited: it is written now. */
void ngx_http_sluice_batch_again(ngx_http_sluice_batch_t *batch);
/* Not for Redis: to the spool, or done.  `call`: it may have been run. */
void ngx_http_sluice_batch_keep(ngx_http_sluice_batch_t *batch,
    ngx_uint_t call, ngx_http_sluice_job_e result);
/* What to do with a batch that was answered with an error */
ngx_http_sluice_job_e ngx_http_sluice_batch_error(
    ngx_http_sluice_link_t *link, const redisReply *reply);
void ngx_http_sluice_batch_complain(ngx_http_sluice_batch_t *batch,
    const redisReply *reply);
/* Writes the open batches as commands. */
void ngx_http_sluice_batch_flush(ngx_http_sluice_link_t *link);
/* The batch is over: its results, or this one for all, are to be answered. */
void ngx_http_sluice_batch_done(ngx_http_sluice_batch_t *batch,
    ngx_http_sluice_job_e result);
/* 1, once a second: something is to be logged about jobs of the server. */
ngx_uint_t ngx_http_sluice_batch_complains(ngx_http_sluice_link_t *link);
/* Answers the requests of the batches that are done, on whichever link. */
void ngx_http_sluice_batch_answer(ngx_http_sluice_link_t *link);
/* Batches whose requests are left unanswered */
void ngx_http_sluice_batch_drop(ngx_queue_t *queue);
/* Without the requests that are over; how many jobs are left. */
ngx_uint_t ngx_http_sluice_batch_compact(ngx_http_sluice_batch_t *batch);
/* Frees what a link that ends keeps. */
void ngx_http_sluice_batch_release(ngx_http_sluice_link_t *link);


/* _wait.c: wait_replicas */

/* What the server's client does for it */
void ngx_http_sluice_wait_init(ngx_http_sluice_server_t *server);
/*
 * In the function of what was held, when Redis answered: NONE, the replicas
 * have it; else UNREPLICATED, or AWAY when that is not known.
 */
ngx_http_sluice_job_e ngx_http_sluice_wait_job(
    const ngx_http_sluice_link_t *link);


/* _depth.c */

/* 0 high, 1 medium, 2 low */
ngx_uint_t ngx_http_sluice_depth_class(int64_t priority);
/*
 * How many jobs of the class may be given to the queue from the spool now; 0:
 * the queue is full, or that is not known yet and will be.
 */
size_t ngx_http_sluice_depth_room(ngx_http_sluice_link_t *link,
    ngx_str_t *base, ngx_uint_t class);
/* Redis has stored n jobs in the queue. */
void ngx_http_sluice_depth_add(ngx_http_sluice_link_t *link,
    const u_char *base, size_t len, ngx_uint_t n);
/* Frees what it keeps, when no answer can come any more. */
void ngx_http_sluice_depth_release(ngx_http_sluice_link_t *link);


/* _call.c */

/* Into the output of batch->link: sent, or kept when it is full. */
void ngx_http_sluice_batch_call(ngx_http_sluice_batch_t *batch);
void ngx_http_sluice_batch_reply(void *data, const redisReply *reply);
/*
 * With a spool: KEYS[2] of the batch's call, what is remembered of those of the
 * connection, and the arguments that go with it.
 */
void ngx_http_sluice_batch_once_key(ngx_http_sluice_batch_t *batch);
void ngx_http_sluice_batch_once(ngx_http_sluice_batch_t *batch);
/* ARGV of a job, into a command or, client being NULL, a record */
void ngx_http_sluice_batch_job(sluice_redis_t *client,
    sluice_spool_writer_t *writer, const ngx_http_sluice_item_t *item);
/* The queue, when the link knows it as registered; or NULL */
ngx_http_sluice_known_t *ngx_http_sluice_batch_known(
    ngx_http_sluice_link_t *link, const u_char *base, size_t len);
/* It was registered now, and is known when there is memory. */
void ngx_http_sluice_batch_learn(ngx_http_sluice_link_t *link,
    const u_char *base, size_t len);
/* Before a queue's first job, and now and then; base[len] is NUL. */
void ngx_http_sluice_batch_register(ngx_http_sluice_link_t *link,
    u_char *base, size_t len);
/* Forgets which queues are in the registry. */
void ngx_http_sluice_batch_forget(ngx_http_sluice_link_t *link);


/*
 * _links.c, _redis.c, _connect.c, _tls.c
 *
 * A process has as many links to a server as its connections= says.  All carry
 * jobs; the first one alone has what there is once for the server: depths of
 * queues, spools and their replay, tables, what is known of its health.
 */

struct ngx_http_sluice_link_s {
    /* three pointers and an int, as in ngx_connection_t: debug logs of events
       print the fourth member as a descriptor */
    const ngx_http_sluice_server_t *server;
    sluice_redis_t                 *client;
    ngx_connection_t               *connection;
    int                             ident;

    sluice_redis_conf_t             conf;       /* of client */
    ngx_http_sluice_main_conf_t    *main;
    ngx_http_sluice_link_t         *first;      /* to the server: itself, or */
    ngx_http_sluice_link_t         *links[NGX_HTTP_SLUICE_LINKS];
                                                /* of the first: all */
    ngx_http_sluice_cluster_t      *cluster;    /* of the first, or NULL */
    sluice_sentinel_t              *sentinel;   /* that tells, or NULL */
    ngx_http_sluice_link_t         *asker;      /* or NULL */
    ngx_http_sluice_link_t         *asks;       /* of an asker: who wants it */
    ngx_event_t                     told;       /* posted, by its asker */
    ngx_http_sluice_link_t         *watcher;    /* of the first, or NULL */
    ngx_event_t                     look;       /* its timer, or posted by it */
    const ngx_http_sluice_host_t   *host;       /* the server's, or `target` */
    ngx_http_sluice_host_t          target;
    ngx_addr_t                      addr;       /* of target */
    ngx_sockaddr_t                  numeric;
    u_char                          shown[NGX_HTTP_SLUICE_SHOWN];
    ngx_queue_t                     peer;       /* of a cluster's links */
    ngx_uint_t                      nth;        /* of those to its node */
    ngx_msec_t                      timeout;
    ngx_http_sluice_link_e          state;
    ngx_resolver_ctx_t             *resolving;
    ngx_event_t                     flush;      /* posted */
    ngx_event_t                     deadline;   /* keeps an exit waiting */
    ngx_event_t                     reconnect;  /* does not */
    ngx_msec_t                      since;      /* when connecting or
                                                   being ready began */
    ngx_msec_t                      next;       /* not before, when down */
    ngx_msec_t                      refused;    /* of the first, or of a node:
                                                   last "not now" of Redis */
    ngx_uint_t                      failures;
    ngx_uint_t                      address;
    ngx_msec_t                      complained; /* last, once a second */
    ngx_sockaddr_t                  sockaddr;
#if (NGX_SSL)
    ngx_ssl_session_t              *session;    /* to resume, or NULL */
#endif
    char                            name[NGX_HTTP_SLUICE_CONNECTION];
    uint64_t                        calls;      /* of this connection */
    ngx_queue_t                     open;       /* batches of this turn */
    ngx_queue_t                     sent;       /* in the order of calls */
    ngx_queue_t                     done;       /* of the first: of all, to
                                                   be answered */
    ngx_queue_t                     spare;
    ngx_uint_t                      nspare;
    ngx_queue_t                     buckets[NGX_HTTP_SLUICE_BUCKETS];
    ngx_http_sluice_known_t        *known[NGX_HTTP_SLUICE_KNOWN];
    ngx_http_sluice_depths_t       *depths;     /* of queues, or NULL */
    ngx_http_sluice_spool_t        *spool;      /* NULL without sluice_spool */
    ngx_queue_t                     spools;     /* it, and those of _held.c */
    ngx_uint_t                      nspools;
    size_t                          spooling;   /* bytes that wait for the
                                                   disk, of all spools */
    ngx_http_sluice_spool_t        *replaying;  /* whose turn it is, or NULL */
    unsigned                        made:1;     /* it was ready, so that what
                                                   is lost may have been run */
    unsigned                        waiting:1;  /* `refused` is set */
    unsigned                        complaint:1; /* `complained` is set */
    unsigned                        unreplicated:1;  /* the last WAIT told */
    unsigned                        mark;       /* in the key of the write
                                                   before it, of a cluster */
    unsigned                        demoted:1;  /* it became a replica */
    unsigned                        replaced:1; /* sentinels told that */
    unsigned                        told_evicts:1;
    unsigned                        told_no_aof:1;
};

/* The first link to a server, made at first use; NULL: out of memory */
ngx_http_sluice_link_t *ngx_http_sluice_redis_link(
    ngx_http_sluice_main_conf_t *mcf, const ngx_http_sluice_server_t *server);
/*
 * Of the links to the first one's server the one for a client's jobs: always
 * the same while it is ready, so that they stay in their order.
 */
ngx_http_sluice_link_t *ngx_http_sluice_redis_choose(
    ngx_http_sluice_link_t *first, const ngx_connection_t *client);
/* Commands without their reply, of all links to the link's server */
size_t ngx_http_sluice_redis_pending(const ngx_http_sluice_link_t *link);
/* Ready, or on its way: 1.  Down and not to be tried yet: 0. */
ngx_uint_t ngx_http_sluice_redis_wake(ngx_http_sluice_link_t *link);
/* A job is given to it: else, with a spool, there is nothing to wait for. */
ngx_uint_t ngx_http_sluice_redis_takes(ngx_http_sluice_link_t *link);
/* Does the first link, and its server, take jobs now, as far as is known? */
ngx_uint_t ngx_http_sluice_redis_usable(ngx_http_sluice_link_t *link);


/* Between _links.c, _redis.c and _connect.c */

/* Not connected; NULL: out of memory */
ngx_http_sluice_link_t *ngx_http_sluice_redis_create(
    ngx_http_sluice_main_conf_t *mcf, const ngx_http_sluice_server_t *server,
    const sluice_redis_conf_t *conf);
/* Is it not taking jobs just now?  Shown by sluice_health. */
void ngx_http_sluice_redis_refuses(ngx_http_sluice_link_t *link);
void ngx_http_sluice_redis_accepts(ngx_http_sluice_link_t *link);
/* Its connection ends; what waits is not answered. */
void ngx_http_sluice_redis_close(ngx_http_sluice_link_t *link);
/* Nobody is left to be answered. */
void ngx_http_sluice_redis_destroy(ngx_http_sluice_link_t *link);

/* Finds an address and connects; the state tells what came of it. */
void ngx_http_sluice_connect(ngx_http_sluice_link_t *link);
/* The same, when the host is known */
void ngx_http_sluice_connect_host(ngx_http_sluice_link_t *link);
/* Is it another connection than the one named?  Its name is there then. */
ngx_uint_t ngx_http_sluice_connect_anew(const ngx_http_sluice_link_t *link,
    char name[NGX_HTTP_SLUICE_CONNECTION]);
/* From now on it connects to this node. */
void ngx_http_sluice_connect_target(ngx_http_sluice_link_t *link,
    const sluice_node_t *node);
/* The socket is open: the handshake of TLS or the greeting begins. */
void ngx_http_sluice_connected(ngx_http_sluice_link_t *link);
void ngx_http_sluice_greet(ngx_http_sluice_link_t *link);
/* The greeting is over: jobs may come. */
void ngx_http_sluice_greeted(ngx_http_sluice_link_t *link);
void ngx_http_sluice_redis_state(ngx_http_sluice_link_t *link,
    ngx_http_sluice_link_e state);
void ngx_http_sluice_redis_flush(ngx_event_t *ev);
void ngx_http_sluice_redis_deadline(ngx_event_t *ev);
void ngx_http_sluice_redis_reconnect(ngx_event_t *ev);
void ngx_http_sluice_redis_read(ngx_event_t *rev);
void ngx_http_sluice_redis_write(ngx_event_t *wev);
/* 1, or 0 when the connection was lost */
ngx_uint_t ngx_http_sluice_redis_send(ngx_http_sluice_link_t *link);
/* After all that changes what waits. */
void ngx_http_sluice_redis_settle(ngx_http_sluice_link_t *link);
/* The caller calls ngx_http_sluice_batch_answer() when it is done. */
void ngx_http_sluice_redis_lost(ngx_http_sluice_link_t *link,
    const char *why);


/*
 * _ask.c: where the master is, asked of sentinels, and the map of a cluster,
 * of any node.  The asker is a link of its own, to one server for one answer.
 */

/* The next sentinel is asked, or the master connected to, or it is lost. */
void ngx_http_sluice_ask_sentinel(ngx_http_sluice_link_t *link);
/* A link that asks for this one, made in *asker at first; NULL: no memory */
ngx_http_sluice_link_t *ngx_http_sluice_asker(ngx_http_sluice_link_t **asker,
    ngx_http_sluice_link_t *link);
/* The answer, or that there is none, is told to the core, then link->told is
   posted. */
void ngx_http_sluice_ask(ngx_http_sluice_link_t *link,
    const sluice_node_t *node);
/* The question that is on its way is given up. */
void ngx_http_sluice_ask_end(ngx_http_sluice_link_t *link, const char *why);
void ngx_http_sluice_ask_told(ngx_event_t *ev);


/*
 * _watch.c: is the master that is held still the one of the sentinels?  The
 * first link has a watcher, as an asker one, but its connection stays.
 */

/* Of a link that is ready, at any time */
void ngx_http_sluice_watch(ngx_http_sluice_link_t *link);
void ngx_http_sluice_watch_destroy(ngx_http_sluice_link_t *first);


/*
 * _cluster.c: the first link to a cluster has no connection: it gathers
 * batches, and knows the map and a link, or connections= of them, to each node.
 */

ngx_int_t ngx_http_sluice_cluster_create(ngx_http_sluice_link_t *first);
/* The links, and what waits; not the first */
void ngx_http_sluice_cluster_destroy(ngx_http_sluice_link_t *first);
/* Asks for the map when it is time; 0: nobody has told one. */
ngx_uint_t ngx_http_sluice_cluster_wake(ngx_http_sluice_link_t *first);
/* Does any node take jobs now, as far as is known?  `away`: all but one */
ngx_uint_t ngx_http_sluice_cluster_usable(ngx_http_sluice_link_t *first,
    ngx_uint_t *away);
size_t ngx_http_sluice_cluster_pending(const ngx_http_sluice_link_t *first);
/* The map was asked for. */
void ngx_http_sluice_cluster_told(ngx_http_sluice_link_t *first);
/* Of a node's link: it was lost; it is ready. */
void ngx_http_sluice_cluster_lost(ngx_http_sluice_link_t *link);
void ngx_http_sluice_cluster_greeted(ngx_http_sluice_link_t *link);
/*
 * The link for a key, or NULL: nobody is known to have its slot.  `spread`
 * tells connections= apart.
 */
ngx_http_sluice_link_t *ngx_http_sluice_cluster_link(
    ngx_http_sluice_link_t *first, const void *key, size_t len,
    ngx_uint_t spread);
/* The link to a node, made when there is none; NULL: out of memory */
ngx_http_sluice_link_t *ngx_http_sluice_cluster_node(
    ngx_http_sluice_link_t *first, const sluice_node_t *node, ngx_uint_t nth);
/* core/cluster.h's, with what follows for the map */
void ngx_http_sluice_cluster_judge(ngx_http_sluice_link_t *link,
    sluice_cluster_call_t *call, const redisReply *reply,
    sluice_cluster_verdict_t *verdict);
/* For an answer that is not worth another try: the map is mended by it. */
void ngx_http_sluice_cluster_show(ngx_http_sluice_link_t *link,
    const redisReply *reply);
/* Is the queue in the registry, as far as is known?  Now and then it is entered
   again, for which nobody waits. */
ngx_uint_t ngx_http_sluice_cluster_knows(ngx_http_sluice_link_t *first,
    const u_char *base, size_t len);

/*
 * The link that a key of any server is to be asked for on: the first, or that
 * of its node.  NULL: there is none.
 */
ngx_http_sluice_link_t *ngx_http_sluice_redis_route(
    ngx_http_sluice_link_t *first, const void *key, size_t len);


/*
 * _cluster_batch.c: a batch goes to the node of its queue when that is in the
 * registry, which is in a slot of its own; what cannot be now waits, within
 * the server's timeout.
 */

void ngx_http_sluice_cluster_batch(ngx_http_sluice_batch_t *batch);
/* 1: the error was no answer, the batch goes on. */
ngx_uint_t ngx_http_sluice_cluster_again(ngx_http_sluice_batch_t *batch,
    const redisReply *reply);
/* What waits is tried now: there is a map, or nobody tells one. */
void ngx_http_sluice_cluster_kick(ngx_http_sluice_link_t *first);
/* A timer's, of the batches that wait */
void ngx_http_sluice_cluster_turn(ngx_event_t *ev);


/* _prefix.c: is the prefix of constant queues one for the server? */
ngx_int_t ngx_http_sluice_enqueue_tagged(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue);


/* _tls.c: rediss:// */

/* NGX_OK: it was one of the "tls_" parameters and is kept; NGX_DECLINED */
ngx_int_t ngx_http_sluice_tls_parameter(ngx_http_sluice_tls_t *tls,
    ngx_str_t *value);
/* After the last of them. */
char *ngx_http_sluice_tls_init(ngx_conf_t *cf,
    ngx_http_sluice_server_t *server);

#if (NGX_SSL)
/* The socket is open: the handshake begins, and after it the greeting. */
void ngx_http_sluice_tls_connected(ngx_http_sluice_link_t *link);
/* Instead of ngx_close_connection(): before the handshake too. */
void ngx_http_sluice_tls_close(ngx_connection_t *c);
/* Frees the session that would be resumed. */
void ngx_http_sluice_tls_forget(ngx_http_sluice_link_t *link);
#endif


#endif
