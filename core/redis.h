/*
 * The Redis client as a state machine without I/O.  The host owns the socket,
 * the timers and the clock; it feeds what it read, writes what is in the output
 * and tells when the connection is there or lost.  RESP2; replies are parsed by
 * hiredis' reader.
 *
 *      host                              client
 *      connect()                         CLOSED
 *      sluice_redis_connected()   ->     GREETING: AUTH, SELECT, INFO, CLIENT
 *                                        SETNAME, SCRIPT LOAD
 *      sluice_redis_output(), _sent()    the bytes to write
 *      sluice_redis_feed()        ->     READY after the greeting, then the
 *                                        replies in order; ask for output again
 *      sluice_redis_lost()        ->     CLOSED; every command is answered
 *
 * Commands may be given in any state: until READY they wait, up to the bounds,
 * and nothing of them is in the output.  Each accepted command is answered by
 * exactly one call of its function, with the reply or with NULL when the
 * connection was lost (then it is not known whether Redis ran it; those that
 * were never written are answered so too).
 *
 * NOSCRIPT is handled inside: the bytes of a command are kept until its reply,
 * so the script is loaded and the call repeated on the same connection.  Such
 * a call is run later than commands that were given after it.
 */

#ifndef SLUICE_CORE_REDIS_H
#define SLUICE_CORE_REDIS_H

#include <stddef.h>
#include <stdint.h>
#include <hiredis/hiredis.h>
#include "core/url.h"


typedef struct {
    const char  *name;     /* "add" */
    const char  *text;
    size_t       len;
    char         sha[41];
} sluice_script_t;

typedef enum {
    SLUICE_REDIS_CLOSED,
    SLUICE_REDIS_GREETING,
    SLUICE_REDIS_READY
} sluice_redis_state_e;

typedef enum {
    SLUICE_REDIS_OK = 0,
    SLUICE_REDIS_FULL,        /* over a bound: nothing was queued */
    SLUICE_REDIS_NOMEM,       /* out of memory: nothing was queued */
    SLUICE_REDIS_PROTOCOL,    /* not RESP, or nobody asked for it: lose it */
    SLUICE_REDIS_REFUSED      /* the greeting was refused: lose it */
} sluice_redis_result_e;

typedef struct sluice_redis_s  sluice_redis_t;

/*
 * One command's answer.  reply is NULL when the connection was lost; it is
 * freed by the client after the call.  The function may queue commands but
 * must not call sluice_redis_feed, _lost or _destroy.
 */
typedef void (*sluice_redis_reply_pt)(void *data, const redisReply *reply);

#define SLUICE_REDIS_MARK  64    /* bytes of the key of a mark, its NUL too */

typedef struct {
    const sluice_url_t            *url;        /* user, password, db */
    const sluice_script_t *const  *scripts;    /* loaded in the greeting */
    size_t                         nscripts;
    const char                    *name;       /* CLIENT SETNAME, or NULL */
    size_t                         max_bytes;  /* unanswered, 0 no bound */
    size_t                         max_count;
    unsigned                       replica:1;  /* one will do: nothing is
                                                  written */

    /* each error, shown before the command's function gets it; or NULL */
    sluice_redis_reply_pt          refused;
    void                          *data;

    /* of sluice_redis_hold() */
    unsigned                       replicas;   /* 0: there is nothing to wait
                                                  for */
    int64_t                        wait;       /* ms that they have for it */
    unsigned                       unsure:1;   /* after that the answer is NULL;
                                                  else they are asked again */
    unsigned                       shown:1;    /* with unsure, and `waited`,
                                                  which has told before: it is
                                                  what Redis answered; so it is
                                                  when the connection is lost,
                                                  in the state CLOSED */

    /* a key for the write before a WAIT, in a slot that this node of a cluster
       has; another than the last one, which was refused; or NULL */
    void                         (*mark)(void *data,
                                         char key[SLUICE_REDIS_MARK],
                                         int another);

    /* a WAIT was answered: the integer is how many have it; with `shown` also
       the error by which Redis refused that; or NULL */
    sluice_redis_reply_pt          waited;
} sluice_redis_conf_t;


/* conf and what it points to must outlive the client.  NULL: out of memory. */
sluice_redis_t *sluice_redis_create(const sluice_redis_conf_t *conf);

/* Commands that are pending are never answered: call _lost first. */
void sluice_redis_destroy(sluice_redis_t *redis);

sluice_redis_state_e sluice_redis_state(const sluice_redis_t *redis);

/*
 * One command: begin with the number of arguments (command word included),
 * each argument whole or in pieces, then end.  `now` (ms) is when it was asked,
 * for sluice_redis_oldest().  `arg_begin` announces the length of an argument
 * whose bytes follow in `piece` calls.  What goes wrong on the way is told by
 * end, and then nothing is queued: FULL, NOMEM, or PROTOCOL when the arguments
 * or bytes are not those that were announced.  After a begin that is not OK the
 * other calls do nothing and end is never OK.  Another begin, a feed or a lost
 * in between drops the unfinished command.  `reply` may be NULL.
 */
sluice_redis_result_e sluice_redis_begin(sluice_redis_t *redis, size_t argc,
    int64_t now);
void sluice_redis_arg(sluice_redis_t *redis, const void *data, size_t len);
void sluice_redis_arg_int(sluice_redis_t *redis, int64_t value);
void sluice_redis_arg_begin(sluice_redis_t *redis, size_t len);
void sluice_redis_piece(sluice_redis_t *redis, const void *data, size_t len);
sluice_redis_result_e sluice_redis_end(sluice_redis_t *redis,
    sluice_redis_reply_pt reply, void *data);

/*
 * Between begin and end: the command is answered when conf->replicas of the
 * server have all that was written until then, or with NULL when the connection
 * is lost before; an error is answered at once.  Commands are followed by
 * "SET sluice:wait" and a WAIT where those are written out, one at a time:
 * Redis runs nothing else of the connection meanwhile, so what comes then
 * shares the next.  Without conf->shown the connection is of no use when Redis
 * refuses them.
 */
void sluice_redis_hold(sluice_redis_t *redis);

/*
 * The same for a script: writes EVALSHA, sha, nkeys; then nkeys + nargs
 * arguments follow.
 */
sluice_redis_result_e sluice_redis_script(sluice_redis_t *redis,
    const sluice_script_t *script, size_t nkeys, size_t nargs, int64_t now);

/* A whole command of C strings, ended by NULL: for the rare ones. */
sluice_redis_result_e sluice_redis_command(sluice_redis_t *redis, int64_t now,
    sluice_redis_reply_pt reply, void *data, ...);

/*
 * Whoever subscribes (RESP2) gets the messages of his channels there: arrays of
 * "message", channel, text, between the replies.  It outlasts a loss; the
 * subscription does not.  Without it a message breaks the protocol.
 */
void sluice_redis_listen(sluice_redis_t *redis, sluice_redis_reply_pt message,
    void *data);

/* What is to be written: *len may be 0.  Valid until the next call. */
const void *sluice_redis_output(sluice_redis_t *redis, size_t *len);
void sluice_redis_sent(sluice_redis_t *redis, size_t len);

/* OK, or NOMEM: lose it.  `now` counts for sluice_redis_oldest() as well. */
sluice_redis_result_e sluice_redis_connected(sluice_redis_t *redis,
    int64_t now);
sluice_redis_result_e sluice_redis_feed(sluice_redis_t *redis,
    const void *data, size_t len);
void sluice_redis_lost(sluice_redis_t *redis);

/*
 * Unanswered commands, their bytes, and when the oldest was asked, or -1.  The
 * greeting is no command, but while it is unanswered it has an age.  A command
 * that Redis has answered and that is held is one without bytes and age.
 */
size_t sluice_redis_pending(const sluice_redis_t *redis);
size_t sluice_redis_pending_bytes(const sluice_redis_t *redis);
int64_t sluice_redis_oldest(const sluice_redis_t *redis);

/* Why the greeting was refused or the protocol broken; never a secret. */
const char *sluice_redis_error(const sluice_redis_t *redis);


/* What an error reply means for the caller. */
typedef enum {
    SLUICE_REDIS_REPLY_OK = 0,     /* not an error */
    SLUICE_REDIS_REPLY_AWAY,       /* LOADING, OOM, MISCONF, BUSY, NOREPLICAS,
                                      NOSCRIPT after a SCRIPT LOAD, ...: the
                                      server's state, try later */
    SLUICE_REDIS_REPLY_REPLICA,    /* READONLY, MASTERDOWN, UNBLOCKED: it is
                                      the master no more, try later on another
                                      connection, which may lead elsewhere */
    SLUICE_REDIS_REPLY_DENIED,     /* NOAUTH, WRONGPASS, NOPERM: try later,
                                      somebody has to allow it */
    SLUICE_REDIS_REPLY_WRONG       /* WRONGTYPE and all others: the same call
                                      would meet the same again */
} sluice_redis_reply_e;

sluice_redis_reply_e sluice_redis_reply_kind(const redisReply *reply);

/*
 * What INFO told.  All is 0 when the server does not let this user ask it; what
 * its text does not have is 0 or "".
 */
typedef struct {
    int       version;          /* see sluice_redis_version */
    char      policy[32];       /* maxmemory_policy */
    unsigned  evicts:1;         /* it is known, and not noeviction */
    unsigned  no_aof:1;         /* the append only file is off */
    unsigned  replica:1;
} sluice_redis_info_t;

void sluice_redis_info_read(sluice_redis_info_t *info, const char *text,
    size_t size);

/* Of the last greeting that was answered. */
const sluice_redis_info_t *sluice_redis_info(const sluice_redis_t *redis);

/*
 * INFO's redis_version as major * 10000 + minor * 100 + patch, or 0.  Below
 * SLUICE_REDIS_VERSION_MIN a server is refused.
 */
#define SLUICE_REDIS_VERSION_MIN  60200
int sluice_redis_version(const char *info, size_t len);


#endif
