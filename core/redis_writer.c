/*
 * A command is written where it will be sent from.  Nothing of it counts until
 * it is ended and fits: one that was announced wrongly would shift all replies
 * behind it on a connection that others share.
 */

#include <stdarg.h>
#include <string.h>
#include "core/redis_parts.h"


void
sluice_redis_abandon(sluice_redis_t *redis)
{
    redis->out.tail = redis->out.mark;
    redis->writing = 0;
}


/* "*3" or "$5", and room for the len bytes and the CR LF behind it */

static int
sluice_redis_announce(sluice_redis_t *redis, char type, size_t count,
    size_t len)
{
    char                    header[SLUICE_REDIS_HEADER];
    size_t                  max, n, used;
    sluice_redis_buffer_t  *b;

    n = sluice_redis_header(header, type, count);

    b = &redis->out;
    max = redis->conf->max_bytes;
    used = b->tail - b->head + n + (type == '$' ? 2 : 0);

    if (max && (used > max || len > max - used)) {
        redis->result = SLUICE_REDIS_FULL;
        return 0;
    }

    if (len > SIZE_MAX / 4
        || !sluice_redis_reserve(b, SLUICE_REDIS_HEADER + len + 2))
    {
        redis->result = SLUICE_REDIS_NOMEM;
        return 0;
    }

    /* a constant size is no call, and there are a dozen headers a job */

    memcpy(b->data + b->tail, header, SLUICE_REDIS_HEADER);
    b->tail += n;

    return 1;
}


static inline void
sluice_redis_write_end(sluice_redis_buffer_t *b)
{
    b->data[b->tail++] = '\r';
    b->data[b->tail++] = '\n';
}


sluice_redis_result_e
sluice_redis_begin(sluice_redis_t *redis, size_t argc, int64_t now)
{
    sluice_redis_abandon(redis);

    if (redis->conf->max_count
        && redis->count - redis->nloads >= redis->conf->max_count)
    {
        return SLUICE_REDIS_FULL;
    }

    if (!sluice_redis_room(redis, 1)) {
        return SLUICE_REDIS_NOMEM;
    }

    redis->result = SLUICE_REDIS_OK;

    if (!sluice_redis_announce(redis, '*', argc, 0)) {
        return redis->result;
    }

    memset(&redis->entry, 0, sizeof(redis->entry));
    redis->entry.asked = now;
    redis->entry.tries = 1;
    redis->args = argc;
    redis->piece = 0;
    redis->writing = 1;

    return SLUICE_REDIS_OK;
}


/*
 * Inlined: the exported ones may not be, being in a shared object, and a job
 * has a dozen arguments.
 */

static inline void
sluice_redis_write_begin(sluice_redis_t *redis, size_t len)
{
    if (!redis->writing || redis->result != SLUICE_REDIS_OK) {
        return;
    }

    if (redis->args == 0 || redis->piece) {
        redis->result = SLUICE_REDIS_PROTOCOL;
        return;
    }

    redis->args--;

    /* the pieces have their room from here on */

    if (!sluice_redis_announce(redis, '$', len, len)) {
        return;
    }

    if (len == 0) {
        sluice_redis_write_end(&redis->out);
    }

    redis->piece = len;
}


static inline void
sluice_redis_write_piece(sluice_redis_t *redis, const void *data, size_t len)
{
    if (!redis->writing || redis->result != SLUICE_REDIS_OK || len == 0) {
        return;
    }

    if (len > redis->piece) {
        redis->result = SLUICE_REDIS_PROTOCOL;
        return;
    }

    memcpy(redis->out.data + redis->out.tail, data, len);
    redis->out.tail += len;
    redis->piece -= len;

    if (redis->piece == 0) {
        sluice_redis_write_end(&redis->out);
    }
}


void
sluice_redis_arg_begin(sluice_redis_t *redis, size_t len)
{
    sluice_redis_write_begin(redis, len);
}


void
sluice_redis_piece(sluice_redis_t *redis, const void *data, size_t len)
{
    sluice_redis_write_piece(redis, data, len);
}


void
sluice_redis_arg(sluice_redis_t *redis, const void *data, size_t len)
{
    sluice_redis_write_begin(redis, len);
    sluice_redis_write_piece(redis, data, len);
}


void
sluice_redis_arg_int(sluice_redis_t *redis, int64_t value)
{
    char      text[20];
    size_t    i;
    uint64_t  n;

    /* most arguments of a script are numbers: printf would cost the most */

    n = value < 0 ? 0 - (uint64_t) value : (uint64_t) value;
    i = sizeof(text);

    do {
        text[--i] = (char) ('0' + n % 10);
        n /= 10;
    } while (n);

    if (value < 0) {
        text[--i] = '-';
    }

    sluice_redis_write_begin(redis, sizeof(text) - i);
    sluice_redis_write_piece(redis, text + i, sizeof(text) - i);
}


sluice_redis_result_e
sluice_redis_end(sluice_redis_t *redis, sluice_redis_reply_pt reply,
    void *data)
{
    if (!redis->writing) {
        return SLUICE_REDIS_PROTOCOL;
    }

    if (redis->result == SLUICE_REDIS_OK && (redis->args || redis->piece)) {
        redis->result = SLUICE_REDIS_PROTOCOL;
    }

    if (redis->result != SLUICE_REDIS_OK) {
        sluice_redis_abandon(redis);
        return redis->result;
    }

    redis->entry.reply = reply;
    redis->entry.data = data;
    redis->entry.len = redis->out.tail - redis->out.mark;
    redis->out.mark = redis->out.tail;
    redis->writing = 0;

    sluice_redis_push(redis, &redis->entry);

    return SLUICE_REDIS_OK;
}


sluice_redis_result_e
sluice_redis_script(sluice_redis_t *redis, const sluice_script_t *script,
    size_t nkeys, size_t nargs, int64_t now)
{
    sluice_redis_result_e  result;

    result = sluice_redis_begin(redis, 3 + nkeys + nargs, now);

    if (result == SLUICE_REDIS_OK) {
        redis->entry.script = script;

        sluice_redis_arg(redis, "EVALSHA", 7);
        sluice_redis_arg(redis, script->sha, 40);
        sluice_redis_arg_int(redis, (int64_t) nkeys);
    }

    return result;
}


sluice_redis_result_e
sluice_redis_command(sluice_redis_t *redis, int64_t now,
    sluice_redis_reply_pt reply, void *data, ...)
{
    size_t                  argc;
    va_list                 args;
    const char             *arg;
    sluice_redis_result_e   result;

    argc = 0;

    va_start(args, data);
    while (va_arg(args, const char *) != NULL) {
        argc++;
    }
    va_end(args);

    result = sluice_redis_begin(redis, argc, now);
    if (result != SLUICE_REDIS_OK) {
        return result;
    }

    va_start(args, data);
    while ((arg = va_arg(args, const char *)) != NULL) {
        sluice_redis_arg(redis, arg, strlen(arg));
    }
    va_end(args);

    return sluice_redis_end(redis, reply, data);
}
