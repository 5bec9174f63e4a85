/*
 * A Redis Cluster, as decisions: which node has a slot, what an answer of it
 * means, whom to ask for the map and when.  No I/O and no clock: times are ms
 * that the caller gives.
 *
 * A host keeps one client (core/redis.h) and connection a node, found by
 * address, and
 *
 *   - asks for the map with CLUSTER SLOTS when sluice_cluster_due() is 0, on a
 *     connection to the node of sluice_cluster_ask(), and gives the answer, or
 *     NULL when there is none, to sluice_cluster_told().  It then closes the
 *     connections to nodes that are not in the map when their last command is
 *     answered, never earlier;
 *   - sends a command to sluice_cluster_node() of the slot of its first key;
 *     without one (NULL: no map yet, or nobody has the slot) it waits, within
 *     the bounds of a client that is not connected;
 *   - shows each answer to sluice_cluster_judge() before anybody else.  So the
 *     command's arguments are kept until then: the worker's lanes and the
 *     edge's batches can write theirs again.  What was answered NULL (lost) is
 *     never sent again here: it may have been run;
 *   - calls sluice_cluster_lost() when the connection to a node is lost.
 *
 * Per connection stays: the scripts (NOSCRIPT is met on each), the name of
 * lua/add.lua's answers, a WAIT for replicas, a batch (jobs of one queue are in
 * one slot).  Per cluster: bounds, the spool, what a host counts.
 *
 * Prefixes: a queue needs one with a hash tag (sluice_slot_tagged()), else its
 * keys are in many slots and scripts are refused.  The host says so when it is
 * configured.  Keys of no tenant, sluice:queues and sluice:tenants, have slots
 * of their own, so no script may touch them beside a queue's.
 *
 * ASK and scripts: ours are given the base of a queue, KEYS[1], and build the
 * rest.  No key has the base's name, so while a slot moves its node answers ASK
 * to each of them before anything is run.  To follow it would be wrong: the
 * next node has a part of the queue, the script would find no "id" and no
 * "meta", begin them anew, and MIGRATE would then fail with BUSYKEY.  So a call
 * that touches more than its keys waits until the slot has moved, which is what
 * `whole` is about: a slot in motion is "not now" for its tenants, briefly.
 *
 * Blocking pops: all keys of a BZPOPMIN must be in one slot, else CROSSSLOT.
 * The worker's watch has up to 100 queues a connection, and 16,384 slots make
 * a connection a slot senseless.  So on a cluster a queue is watched by
 * itself only while few are (its marker's slot, WATCH_GROUP 1); with more, by
 * a sweep: a pipelined ZPOPMIN of the markers of the idle queues, a write a
 * node, at an interval that keeps the cost bounded, longer for a queue that
 * was idle for long.  A pop that blocks when its slot moves away is answered
 * MOVED by the old node: judge it like any other.
 */

#ifndef SLUICE_CORE_CLUSTER_H
#define SLUICE_CORE_CLUSTER_H

#include <stddef.h>
#include <stdint.h>
#include <hiredis/hiredis.h>
#include "core/node.h"
#include "core/redis.h"
#include "core/slot.h"
#include "core/url.h"


#define SLUICE_CLUSTER_NODES     128     /* masters of a map */
#define SLUICE_CLUSTER_NOBODY    0xff    /* has the slot */
#define SLUICE_CLUSTER_HOPS      5       /* redirects of a call in a row */
#define SLUICE_CLUSTER_INTERVAL  200     /* ms between questions for the map, */
#define SLUICE_CLUSTER_ROUND     1000    /* when nobody of all has answered */
#define SLUICE_CLUSTER_PAUSE     20      /* ms, doubled to 640 */


/* ---------------------------------------------------------------- the map */

typedef struct {
    sluice_node_t  nodes[SLUICE_CLUSTER_NODES];
    size_t         nnodes;
    uint8_t        slots[SLUICE_SLOTS];    /* of nodes[], or NOBODY */
} sluice_cluster_map_t;


/*
 * Reads the answer of CLUSTER SLOTS; `asked` is who gave it, for what it says
 * of itself without a host.  Replicas are left out.  NULL, or what is wrong:
 * the map is then empty.
 */
const char *sluice_cluster_map_read(sluice_cluster_map_t *map,
    const redisReply *reply, const sluice_node_t *asked);

/* The slot is another node's now, unless there is no room for it: 0. */
int sluice_cluster_map_move(sluice_cluster_map_t *map, unsigned slot,
    const sluice_node_t *node);


/* -------------------------------------------------------------- an answer */

/*
 * One command on its way, zeroed before it is sent first; the caller sets
 * `until` and `whole`.
 */
typedef struct {
    int64_t   until;      /* ms: when it is given up */
    unsigned  hops;       /* redirects since the last pause */
    unsigned  pauses;
    unsigned  whole:1;    /* it touches no key but those of its arguments */
} sluice_cluster_call_t;

typedef enum {
    SLUICE_CLUSTER_DELIVER = 0,    /* it is the answer */
    SLUICE_CLUSTER_MOVE,           /* send it to `node` */
    SLUICE_CLUSTER_ASK,            /* ASKING and it, at once, to `node` */
    SLUICE_CLUSTER_LATER           /* in `wait` ms to its slot's node then */
} sluice_cluster_verdict_e;

typedef struct {
    sluice_cluster_verdict_e  verdict;
    sluice_node_t             node;
    int64_t                   wait;
} sluice_cluster_verdict_t;

typedef struct {
    unsigned        slot;
    sluice_node_t   node;
    unsigned        ask:1;         /* ASK, else MOVED */
    unsigned        nowhere:1;     /* "?": which node is not said */
} sluice_cluster_redirect_t;


/*
 * "MOVED 3999 host:port" or "ASK ...": 1 and *to; 0: it is none of them, or
 * none that could be followed.  An empty host is that of `from`.
 */
int sluice_cluster_redirect(sluice_cluster_redirect_t *to, const char *text,
    size_t len, const sluice_node_t *from);


/* -------------------------------------------------------------- the whole */

typedef struct {
    sluice_node_t         seeds[SLUICE_URL_NODES];
    size_t                nseeds;
    sluice_cluster_map_t  map;
    sluice_node_t         hint;        /* the next to be asked */
    size_t                next;        /* of the seeds and nodes */
    int64_t               asked;       /* when it was asked last */
    unsigned              failures;    /* to get the map, in a row */
    unsigned              wanted:1;
    unsigned              asking:1;
    unsigned              once:1;      /* `asked` is set */
    unsigned              hinted:1;    /* `hint` is set */
} sluice_cluster_t;


/* At first the map is empty and wanted.  `nodes` is of SLUICE_URL_CLUSTER. */
void sluice_cluster_init(sluice_cluster_t *cluster,
    const sluice_url_nodes_t *nodes);

/* Who has the slot, or NULL; valid until the map changes. */
const sluice_node_t *sluice_cluster_node(const sluice_cluster_t *cluster,
    unsigned slot);

/* 1: the node has slots, its connection is to be kept. */
int sluice_cluster_has(const sluice_cluster_t *cluster,
    const sluice_node_t *node);

/*
 * "sluice:wait:{N}", the key of a write before a WAIT, with the first N from
 * *mark on whose slot the node has; *mark is that N.
 */
void sluice_cluster_mark(const sluice_cluster_t *cluster,
    const sluice_node_t *node, unsigned *mark, char key[SLUICE_REDIS_MARK]);

/*
 * What to do with the answer to a call that `from` gave.  What MOVED says is
 * put into the map, and a new one is wanted when the old is wrong.  A call that
 * cannot be settled until call->until is delivered with the error that it met
 * last, for which sluice_redis_reply_kind() says AWAY.
 */
void sluice_cluster_judge(sluice_cluster_t *cluster,
    sluice_cluster_call_t *call, const redisReply *reply,
    const sluice_node_t *from, int64_t now, sluice_cluster_verdict_t *out);

/* The connection to a node was lost or not made: who took its place? */
void sluice_cluster_lost(sluice_cluster_t *cluster,
    const sluice_node_t *node);

/* ms until the map is to be asked for, or -1: not until something happens */
int64_t sluice_cluster_due(const sluice_cluster_t *cluster, int64_t now);

/*
 * Whom to ask: who told of a change first, then all in turn, seeds and nodes.
 * Nobody else is asked until sluice_cluster_told().
 */
void sluice_cluster_ask(sluice_cluster_t *cluster, int64_t now,
    sluice_node_t *node);

/*
 * The answer of the node asked, or NULL: it gave none.  NULL, or what is
 * wrong: the map is as before, and the next is asked when it is due.
 */
const char *sluice_cluster_told(sluice_cluster_t *cluster,
    const redisReply *reply, const sluice_node_t *from);


#endif
