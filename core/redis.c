/*
 * The connection: greeting, then replies in the order of the commands.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/redis_parts.h"


#define SLUICE_REDIS_SLICE     16384
#define SLUICE_REDIS_READER    (1024 * 1024)  /* buffer kept by the reader */
#define SLUICE_REDIS_ELEMENTS  (1024 * 1024)  /* of an array in a reply */
#define SLUICE_REDIS_DEPTH     16             /* of arrays in arrays */
#define SLUICE_REDIS_TRIES     3              /* of a script call */


sluice_redis_result_e
sluice_redis_fail(sluice_redis_t *redis, sluice_redis_result_e result,
    const char *fmt, ...)
{
    char     *p;
    va_list   args;

    va_start(args, fmt);
    vsnprintf(redis->error, sizeof(redis->error), fmt, args);
    va_end(args);

    /* the server's words end up in a log line */

    for (p = redis->error; *p; p++) {
        if ((unsigned char) *p < ' ' || *p == 0x7f) {
            *p = ' ';
        }
    }

    redis->failed = result;

    return result;
}


int
sluice_redis_is_error(const redisReply *reply, const char *code)
{
    size_t  n;

    n = strlen(code);

    return reply->type == REDIS_REPLY_ERROR
           && (size_t) reply->len >= n
           && memcmp(reply->str, code, n) == 0;
}


static int
sluice_redis_loading(const sluice_redis_t *redis,
    const sluice_script_t *script)
{
    size_t                       i;
    const sluice_redis_entry_t  *entry;

    for (i = 0; redis->nloads && i < redis->count; i++) {
        entry = sluice_redis_at(redis, i);

        if (entry->load && entry->script == script) {
            return 1;
        }
    }

    return 0;
}


/*
 * The front entry's script is not there (SCRIPT FLUSH, a restart behind a
 * proxy, a failover): it moves to the tail, behind a SCRIPT LOAD.  Many calls
 * may come back at once; those that follow find the load on its way.
 */

static int
sluice_redis_again(sluice_redis_t *redis)
{
    sluice_redis_entry_t    entry, load;
    sluice_redis_buffer_t  *b;

    b = &redis->out;
    memset(&load, 0, sizeof(load));

    if (!sluice_redis_room(redis, 2)) {
        return 0;
    }

    load.script = sluice_redis_at(redis, 0)->script;
    load.load = 1;

    if (!sluice_redis_loading(redis, load.script)) {

        if (!sluice_redis_put_load(b, load.script)) {
            b->tail = b->mark;
            return 0;
        }

        load.len = b->tail - b->mark;
    }

    if (!sluice_redis_reserve(b, sluice_redis_at(redis, 0)->len)) {
        b->tail = b->mark;
        return 0;
    }

    sluice_redis_pop(redis, &entry);
    sluice_redis_put(b, b->data + b->head, entry.len);

    b->head += entry.len;
    b->mark = b->tail;

    if (load.len) {
        load.asked = entry.asked;
        sluice_redis_push(redis, &load);
    }

    entry.tries++;
    sluice_redis_push(redis, &entry);

    return 1;
}


static int
sluice_redis_is_message(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 3
           && reply->element[0]->type == REDIS_REPLY_STRING
           && strcmp(reply->element[0]->str, "message") == 0
           && reply->element[2]->type == REDIS_REPLY_STRING;
}


/* *answer is freed by the caller, unless it was made NULL */

static sluice_redis_result_e
sluice_redis_answer(sluice_redis_t *redis, redisReply **answer)
{
    redisReply             *reply;
    sluice_redis_entry_t    entry;
    sluice_redis_buffer_t  *b;

    b = &redis->out;
    reply = *answer;

#ifdef REDIS_REPLY_PUSH
    if (reply->type == REDIS_REPLY_PUSH) {
        return sluice_redis_fail(redis, SLUICE_REDIS_PROTOCOL,
                                 "a push that nobody subscribed to");
    }
#endif

    if (redis->state == SLUICE_REDIS_GREETING) {
        return sluice_redis_greeted(redis, reply);
    }

    if (redis->message && sluice_redis_is_message(reply)) {
        redis->message(redis->listener, reply);
        return redis->failed;
    }

    if (redis->count == 0
        || sluice_redis_at(redis, 0)->len > b->sent - b->head)
    {
        if (reply->type != REDIS_REPLY_ERROR) {
            return sluice_redis_fail(redis, SLUICE_REDIS_PROTOCOL,
                                     "a reply that no command asked for");
        }

        return sluice_redis_fail(redis, SLUICE_REDIS_PROTOCOL,
                                 "an error that no command asked for: %.*s",
                                 sluice_redis_told(redis, reply), reply->str);
    }

    entry = *sluice_redis_at(redis, 0);

    if (entry.script && !entry.load && entry.tries < SLUICE_REDIS_TRIES
        && sluice_redis_is_error(reply, "NOSCRIPT")
        && sluice_redis_again(redis))
    {
        return SLUICE_REDIS_OK;
    }

    sluice_redis_pop(redis, &entry);
    b->head += entry.len;

    if (b->head == b->tail) {
        b->head = b->sent = b->mark = b->tail = 0;
    }

    if (redis->conf->refused && reply->type == REDIS_REPLY_ERROR) {
        redis->conf->refused(redis->conf->data, reply);
    }

    if (entry.held && reply->type != REDIS_REPLY_ERROR) {
        *answer = NULL;
        return sluice_redis_keep(redis, &entry, reply);
    }

    /* a refused SCRIPT LOAD is told by the NOSCRIPT of the call behind it */

    if (entry.reply) {
        entry.reply(entry.data, reply);
    }

    return redis->failed;
}


/*
 * hiredis allocates an array by the number that the server announces, and 1.x
 * nests without end and frees by recursion: garbage must not ask for gigabytes
 * or for the stack.
 */

static void *
sluice_redis_array(const redisReadTask *task, sluice_redis_elements_t n)
{
    sluice_redis_t  *redis = task->privdata;

    if (n > SLUICE_REDIS_ELEMENTS
        || redis->reader->ridx > SLUICE_REDIS_DEPTH)
    {
        redis->excess = 1;
        return NULL;
    }

    return redis->array(task, n);
}


static sluice_redis_result_e
sluice_redis_unread(sluice_redis_t *redis)
{
    if (redis->reader->err == REDIS_ERR_OOM && !redis->excess) {
        return sluice_redis_fail(redis, SLUICE_REDIS_NOMEM, "out of memory");
    }

    return sluice_redis_fail(redis, SLUICE_REDIS_PROTOCOL, "%s",
                             redis->excess ? "an array too large or too deep"
                                           : redis->reader->errstr);
}


sluice_redis_result_e
sluice_redis_feed(sluice_redis_t *redis, const void *data, size_t len)
{
    void                   *next;
    size_t                  n;
    redisReply             *reply;
    const char             *p;
    sluice_redis_result_e   result;

    sluice_redis_abandon(redis);

    if (redis->state == SLUICE_REDIS_CLOSED) {
        return SLUICE_REDIS_PROTOCOL;
    }

    /*
     * In slices: while replies are taken the reader moves what is left of its
     * buffer to the front again and again.
     */

    for (p = data; len && redis->failed == SLUICE_REDIS_OK; p += n, len -= n) {

        n = len < SLUICE_REDIS_SLICE ? len : SLUICE_REDIS_SLICE;

        if (redisReaderFeed(redis->reader, p, n) != REDIS_OK) {
            return sluice_redis_unread(redis);
        }

        for ( ;; ) {
            next = NULL;

            if (redisReaderGetReply(redis->reader, &next) != REDIS_OK) {
                return sluice_redis_unread(redis);
            }

            if (next == NULL) {
                break;
            }

            reply = next;
            result = sluice_redis_answer(redis, &reply);
            freeReplyObject(reply);

            if (result != SLUICE_REDIS_OK) {
                return result;
            }
        }
    }

    sluice_redis_trim(redis);

    return redis->failed;
}


void
sluice_redis_listen(sluice_redis_t *redis, sluice_redis_reply_pt message,
    void *data)
{
    redis->message = message;
    redis->listener = data;
}


const void *
sluice_redis_output(sluice_redis_t *redis, size_t *len)
{
    sluice_redis_buffer_t  *b;

    /*
     * The commands wait for the whole greeting: after a refused SELECT they
     * would be run in another database.
     */

    b = redis->state == SLUICE_REDIS_GREETING ? &redis->greeting : &redis->out;

    if (redis->nheld + redis->nkept) {
        sluice_redis_wait(redis);
    }

    if (redis->state == SLUICE_REDIS_CLOSED || redis->failed
        || b->sent == b->mark)
    {
        *len = 0;
        return "";
    }

    *len = b->mark - b->sent;

    return b->data + b->sent;
}


void
sluice_redis_sent(sluice_redis_t *redis, size_t len)
{
    sluice_redis_buffer_t  *b;

    b = redis->state == SLUICE_REDIS_GREETING ? &redis->greeting : &redis->out;

    b->sent += len < b->mark - b->sent ? len : b->mark - b->sent;
}


sluice_redis_result_e
sluice_redis_connected(sluice_redis_t *redis, int64_t now)
{
    redis->state = SLUICE_REDIS_GREETING;
    redis->failed = SLUICE_REDIS_OK;
    redis->error[0] = '\0';
    redis->since = now;
    redis->excess = 0;
    redis->reader = redisReaderCreate();

    if (redis->reader == NULL || !sluice_redis_greet(redis)) {
        return sluice_redis_fail(redis, SLUICE_REDIS_NOMEM, "out of memory");
    }

    redis->fn = *redis->reader->fn;
    redis->array = redis->fn.createArray;
    redis->fn.createArray = sluice_redis_array;
    redis->reader->fn = &redis->fn;
    redis->reader->privdata = redis;

    /* else a burst larger than 16k is an allocation for each read */
    redis->reader->maxbuf = SLUICE_REDIS_READER;

    return SLUICE_REDIS_OK;
}


void
sluice_redis_lost(sluice_redis_t *redis)
{
    size_t                 n;
    sluice_redis_entry_t   entry;

    sluice_redis_abandon(redis);
    sluice_redis_release(&redis->greeting);

    if (redis->reader) {
        redisReaderFree(redis->reader);
        redis->reader = NULL;
    }

    redis->state = SLUICE_REDIS_CLOSED;
    redis->out.head = redis->out.sent = redis->out.mark = redis->out.tail = 0;

    /* what the functions queue meanwhile is for the next connection */

    n = redis->count;
    sluice_redis_release_kept(redis, redis->conf->shown);

    for ( /* void */ ; n; n--) {
        sluice_redis_pop(redis, &entry);

        if (entry.reply) {
            entry.reply(entry.data, NULL);
        }
    }

    sluice_redis_trim(redis);
}


sluice_redis_t *
sluice_redis_create(const sluice_redis_conf_t *conf)
{
    sluice_redis_t  *redis;

    redis = calloc(1, sizeof(*redis));
    if (redis) {
        redis->conf = conf;
    }

    return redis;
}


void
sluice_redis_destroy(sluice_redis_t *redis)
{
    if (redis == NULL) {
        return;
    }

    if (redis->reader) {
        redisReaderFree(redis->reader);
    }

    sluice_redis_release(&redis->greeting);
    sluice_redis_release(&redis->out);

    while (redis->nkept) {
        freeReplyObject(redis->kept[--redis->nkept].answer);
    }

    free(redis->kept);
    free(redis->ring);
    free(redis);
}


sluice_redis_state_e
sluice_redis_state(const sluice_redis_t *redis)
{
    return redis->state;
}


size_t
sluice_redis_pending(const sluice_redis_t *redis)
{
    return redis->count - redis->nloads + redis->nkept;
}


size_t
sluice_redis_pending_bytes(const sluice_redis_t *redis)
{
    return redis->out.mark - redis->out.head;
}


int64_t
sluice_redis_oldest(const sluice_redis_t *redis)
{
    size_t   i, n;
    int64_t  oldest, asked;

    oldest = redis->state == SLUICE_REDIS_GREETING ? redis->since : -1;

    /* they stand in order, but for those that a NOSCRIPT moved */

    n = redis->nmoved ? redis->count : (redis->count != 0);

    for (i = 0; i < n; i++) {
        asked = sluice_redis_at(redis, i)->asked;

        if (oldest == -1 || asked < oldest) {
            oldest = asked;
        }
    }

    return oldest;
}


const char *
sluice_redis_error(const sluice_redis_t *redis)
{
    return redis->error;
}


const sluice_redis_info_t *
sluice_redis_info(const sluice_redis_t *redis)
{
    return &redis->info;
}
