/*
 * A master that sentinels watch, as decisions: whom to ask where it is, and
 * what to connect to.  No I/O and no clock: times are ms that the caller gives.
 *
 * The host asks sluice_sentinel_next() what to do, does it, and tells what came
 * of it; after each event it asks again:
 *
 *      ASK      connect to the node with the sentinels' user and password, a
 *               client (core/redis.h) without scripts, and ask
 *               SENTINEL get-master-addr-by-name <name>; the answer, or NULL
 *               after a timeout of its own, to sluice_sentinel_answered()
 *      CONNECT  make the connection to the master.  Its greeting refuses a
 *               replica, so there is no ROLE to ask.  sluice_sentinel_met()
 *               when it is ready, or sluice_sentinel_lost()
 *      WAIT     ask again in so many ms
 *      STAY     nothing, until something happens
 *
 *      LOST -> ASKING -> TOLD -> CONNECTING -> HELD -> LOST
 *
 * When the master is lost it is asked for again, never connected to by the old
 * address.  It is lost also when it answers READONLY and the like
 * (SLUICE_REDIS_REPLY_REPLICA): the host drops the connection then, as it does
 * without sentinels.
 *
 * While it is held the host asks the sentinel of sluice_sentinel_look() now and
 * then, and leaves the master when sluice_sentinel_looked() says so: a failover
 * that somebody asks for ends the clients of the old one only some ten seconds
 * after the new one was promoted, and what they write meanwhile is lost.
 *
 * Left out: +switch-master over pub/sub, which tells no more than that; and
 * SENTINEL sentinels, since names in the URL are resolved at each connect and
 * an address that a sentinel tells of itself is often one that only it can
 * reach.  What no client can notice is a master that is cut off with it from
 * the others: it takes writes that the failover throws away.  wait_replicas=1
 * or the server's min-replicas-to-write is against that.
 */

#ifndef SLUICE_CORE_SENTINEL_H
#define SLUICE_CORE_SENTINEL_H

#include <stddef.h>
#include <stdint.h>
#include <hiredis/hiredis.h>
#include "core/node.h"
#include "core/url.h"


#define SLUICE_SENTINEL_QUARANTINE  5000    /* ms after no answer */
#define SLUICE_SENTINEL_PAUSE       100     /* ms, doubled to 1600 */
#define SLUICE_SENTINEL_GOOD        1000    /* ms: held so long, the master
                                               is asked for at once */

typedef enum {
    SLUICE_SENTINEL_STAY = 0,
    SLUICE_SENTINEL_ASK,
    SLUICE_SENTINEL_CONNECT,
    SLUICE_SENTINEL_WAIT
} sluice_sentinel_step_e;

typedef struct {
    sluice_sentinel_step_e  step;
    sluice_node_t           node;    /* of ASK, CONNECT */
    int64_t                 wait;    /* of WAIT */
} sluice_sentinel_step_t;

typedef enum {
    SLUICE_SENTINEL_LOST = 0,
    SLUICE_SENTINEL_ASKING,
    SLUICE_SENTINEL_TOLD,
    SLUICE_SENTINEL_CONNECTING,
    SLUICE_SENTINEL_HELD
} sluice_sentinel_state_e;

typedef struct {
    sluice_node_t  node;
    int64_t        until;            /* in quarantine */
    unsigned       quarantine:1;
    unsigned       tried:1;          /* in this round */
} sluice_sentinel_one_t;

typedef struct {
    sluice_sentinel_one_t    sentinels[SLUICE_URL_NODES];  /* best first */
    size_t                   nsentinels;
    sluice_sentinel_state_e  state;
    sluice_node_t            master;    /* of TOLD and later */
    size_t                   current;   /* who is asked, or told of it */
    int64_t                  since;     /* when HELD began */
    int64_t                  next;      /* LOST: not before */
    unsigned                 failures;  /* in a row */
    unsigned                 pausing:1; /* `next` is set */
    unsigned                 agrees:1;  /* HELD: sentinels[look] told of it */
    size_t                   look;
} sluice_sentinel_t;


/* `nodes` is of SLUICE_URL_SENTINEL. */
void sluice_sentinel_init(sluice_sentinel_t *sentinel,
    const sluice_url_nodes_t *nodes);

/* ASK and CONNECT are said once: they are then under way. */
void sluice_sentinel_next(sluice_sentinel_t *sentinel, int64_t now,
    sluice_sentinel_step_t *out);

/* NULL, or why this sentinel was of no use; the next is asked then. */
const char *sluice_sentinel_answered(sluice_sentinel_t *sentinel,
    const redisReply *reply, int64_t now);

/* The connection to the master is ready: its greeting is over. */
void sluice_sentinel_met(sluice_sentinel_t *sentinel, int64_t now);

/* HELD: whom to ask whether it is the master still; NULL in other states. */
const sluice_node_t *sluice_sentinel_look(const sluice_sentinel_t *sentinel);

/*
 * The answer, or NULL: 1 when it tells of another master than before, so that
 * this one is to be left.  A sentinel that gives none is asked no more, but the
 * next one, and that only counts once it has told of this master: it may be
 * behind the others.
 */
int sluice_sentinel_looked(sluice_sentinel_t *sentinel,
    const redisReply *reply);

/* The connection to the master was lost, refused, or is to a replica. */
void sluice_sentinel_lost(sluice_sentinel_t *sentinel, int64_t now);


#endif
