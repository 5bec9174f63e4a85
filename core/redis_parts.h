/*
 * The inside of the Redis client, for core/redis*.c alone.  All commands of
 * the host live in one buffer,
 *
 *      data   head          sent          mark         tail
 *      |      | unanswered  | unwritten   | unfinished |
 *
 * and in a ring of the same order: since the commands lie side by side, an
 * entry needs only its length.  Their bytes are kept past the write until the
 * reply, so that a NOSCRIPT can be answered here with the same bytes again.
 * Buffer and ring are reused: in the steady state a command allocates nothing.
 * The greeting has a buffer of its own, written out first.
 *
 *      redis.c             the connection and its replies
 *      redis_greeting.c    what is said first and what must be answered
 *      redis_writer.c      begin .. end
 *      redis_buffer.c      buffer, ring, RESP
 *      redis_reply.c       what an error means
 *      redis_held.c        answers that wait for replicas
 *      redis_info.c        what INFO tells
 */

#ifndef SLUICE_CORE_REDIS_PARTS_H
#define SLUICE_CORE_REDIS_PARTS_H

#include "core/redis.h"


#define SLUICE_REDIS_HEADER  24    /* "$", 20 digits, CR LF */

#if HIREDIS_MAJOR >= 1
typedef size_t  sluice_redis_elements_t;
#else
typedef int     sluice_redis_elements_t;
#endif


typedef struct {
    uint8_t                  *data;
    size_t                    size;
    size_t                    head;
    size_t                    sent;
    size_t                    mark;
    size_t                    tail;
} sluice_redis_buffer_t;

typedef struct {
    sluice_redis_reply_pt     reply;
    void                     *data;
    const sluice_script_t    *script;    /* NULL: not a script call */
    size_t                    len;
    int64_t                   asked;
    unsigned                  tries:8;   /* calls so far */
    unsigned                  load:1;    /* our own: SCRIPT LOAD of script, or
                                            a WAIT and the write before it */
    unsigned                  held:1;    /* the answer waits for replicas */
} sluice_redis_entry_t;

/* an answer that does */
typedef struct {
    sluice_redis_reply_pt     reply;
    void                     *data;
    redisReply               *answer;
} sluice_redis_kept_t;

typedef enum {
    SLUICE_REDIS_GREET_AUTH,
    SLUICE_REDIS_GREET_SELECT,
    SLUICE_REDIS_GREET_INFO,
    SLUICE_REDIS_GREET_NAME,
    SLUICE_REDIS_GREET_SCRIPT
} sluice_redis_greet_e;

struct sluice_redis_s {
    const sluice_redis_conf_t  *conf;
    sluice_redis_state_e        state;
    sluice_redis_result_e       failed;      /* of this connection */
    char                        error[256];

    sluice_redis_buffer_t       out;
    sluice_redis_entry_t       *ring;
    size_t                      size;        /* a power of two, or 0 */
    size_t                      first;
    size_t                      count;
    size_t                      nloads;      /* entries that are our own */
    size_t                      nmoved;      /* entries older than they stand */
    size_t                      nheld;       /* entries to be kept */

    sluice_redis_kept_t        *kept;        /* in the order of answers */
    size_t                      nkept;
    size_t                      room;        /* of kept */
    int64_t                     asked;       /* when the last one was */
    unsigned                    marks;       /* refused, in a row */
    unsigned                    waiting:1;   /* a WAIT is on its way */
    unsigned                    marked:1;    /* the write before it was */

    sluice_redis_entry_t        entry;       /* of the unfinished command */
    sluice_redis_result_e       result;
    size_t                      args;        /* still to come */
    size_t                      piece;       /* bytes still to come */
    unsigned                    writing:1;

    sluice_redis_buffer_t       greeting;
    sluice_redis_greet_e        step;        /* the next answer's command */
    size_t                      script;      /* its script */
    int64_t                     since;
    sluice_redis_info_t         info;

    sluice_redis_reply_pt       message;     /* of a channel, or NULL */
    void                       *listener;

    redisReader                *reader;
    redisReplyObjectFunctions   fn;
    void                     *(*array)(const redisReadTask *task,
                                       sluice_redis_elements_t n);
    unsigned                    excess:1;
};


/* The greeting into its buffer: 1, or 0 out of memory. */
int sluice_redis_greet(sluice_redis_t *redis);

/* An answer to it: READY after the last. */
sluice_redis_result_e sluice_redis_greeted(sluice_redis_t *redis,
    const redisReply *reply);

/* How many bytes of an error reply may be shown: it may quote the password. */
int sluice_redis_told(const sluice_redis_t *redis, const redisReply *reply);

/* Is it an error that begins with the code? */
int sluice_redis_is_error(const redisReply *reply, const char *code);

/* The connection is of no use any more; the text is for sluice_redis_error. */
sluice_redis_result_e sluice_redis_fail(sluice_redis_t *redis,
    sluice_redis_result_e result, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Forgets a command that was begun and not ended. */
void sluice_redis_abandon(sluice_redis_t *redis);

/* Room for n more bytes; then sluice_redis_put cannot fail.  1 or 0. */
int sluice_redis_reserve(sluice_redis_buffer_t *b, size_t n);
void sluice_redis_release(sluice_redis_buffer_t *b);
void sluice_redis_put(sluice_redis_buffer_t *b, const void *data, size_t len);

/* "*3" or "$5" and CR LF: dst has SLUICE_REDIS_HEADER bytes. */
size_t sluice_redis_header(char *dst, char type, uint64_t n);

/* An array's head, a whole bulk string, SCRIPT LOAD: 1, or 0 no memory. */
int sluice_redis_put_array(sluice_redis_buffer_t *b, size_t argc);
int sluice_redis_put_bulk(sluice_redis_buffer_t *b, const void *data,
    size_t len);
int sluice_redis_put_load(sluice_redis_buffer_t *b,
    const sluice_script_t *script);

/* The i-th oldest entry. */
sluice_redis_entry_t *sluice_redis_at(const sluice_redis_t *redis, size_t i);

/* Room for n more entries; then sluice_redis_push cannot fail.  1 or 0. */
int sluice_redis_room(sluice_redis_t *redis, size_t n);
void sluice_redis_push(sluice_redis_t *redis,
    const sluice_redis_entry_t *entry);
void sluice_redis_pop(sluice_redis_t *redis, sluice_redis_entry_t *entry);

/* A burst's memory goes back when all of it was answered. */
void sluice_redis_trim(sluice_redis_t *redis);

/* Takes the answer: OK, or NOMEM. */
sluice_redis_result_e sluice_redis_keep(sluice_redis_t *redis,
    const sluice_redis_entry_t *entry, redisReply *answer);

/* A WAIT behind what is to be written, when it is time for one. */
void sluice_redis_wait(sluice_redis_t *redis);

/* All that are kept are answered: as they were, or with NULL. */
void sluice_redis_release_kept(sluice_redis_t *redis, int known);


#endif
