/*
 * The bytes of the commands, their places in line, and RESP.  This is written
 * here and not by hiredis' formatter: that one wants each argument whole and
 * allocates the command, while a webhook's body comes in pieces between the
 * head and tail of its envelope.
 */

#include <stdlib.h>
#include <string.h>
#include "core/redis_parts.h"


#define SLUICE_REDIS_BUFFER     4096           /* bytes to begin with */
#define SLUICE_REDIS_RING       64             /* entries to begin with */
#define SLUICE_REDIS_IDLE       (1024 * 1024)  /* bytes kept when idle */
#define SLUICE_REDIS_IDLE_RING  16384          /* entries kept when idle */


int
sluice_redis_reserve(sluice_redis_buffer_t *b, size_t n)
{
    size_t    live, size;
    uint8_t  *data;

    if (b->size - b->tail >= n) {
        return 1;
    }

    live = b->tail - b->head;

    if (n > SIZE_MAX / 4 || live > SIZE_MAX / 4) {
        return 0;
    }

    if (b->head >= live && b->size - live >= n) {

        /* no more is moved than was answered: linear in what passes */

        memmove(b->data, b->data + b->head, live);

    } else {
        size = b->size ? b->size : SLUICE_REDIS_BUFFER;

        while (size < live + n) {
            size *= 2;
        }

        if (size == b->size) {
            size *= 2;
        }

        data = malloc(size);
        if (data == NULL) {
            return 0;
        }

        if (live) {
            memcpy(data, b->data + b->head, live);
        }

        free(b->data);
        b->data = data;
        b->size = size;
    }

    b->sent -= b->head;
    b->mark -= b->head;
    b->tail = live;
    b->head = 0;

    return 1;
}


void
sluice_redis_release(sluice_redis_buffer_t *b)
{
    free(b->data);
    memset(b, 0, sizeof(*b));
}


void
sluice_redis_put(sluice_redis_buffer_t *b, const void *data, size_t len)
{
    if (len) {
        memcpy(b->data + b->tail, data, len);
        b->tail += len;
    }
}


size_t
sluice_redis_header(char *dst, char type, uint64_t n)
{
    size_t    i, len;
    uint64_t  rest;

    len = 1;

    for (rest = n; rest >= 10; rest /= 10) {
        len++;
    }

    dst[0] = type;

    for (i = len; i != 0; i--) {
        dst[i] = (char) ('0' + n % 10);
        n /= 10;
    }

    dst[len + 1] = '\r';
    dst[len + 2] = '\n';

    return len + 3;
}


int
sluice_redis_put_array(sluice_redis_buffer_t *b, size_t argc)
{
    char    header[SLUICE_REDIS_HEADER];
    size_t  n;

    n = sluice_redis_header(header, '*', argc);

    if (!sluice_redis_reserve(b, n)) {
        return 0;
    }

    sluice_redis_put(b, header, n);

    return 1;
}


int
sluice_redis_put_bulk(sluice_redis_buffer_t *b, const void *data, size_t len)
{
    char    header[SLUICE_REDIS_HEADER];
    size_t  n;

    n = sluice_redis_header(header, '$', len);

    if (len > SIZE_MAX / 4 || !sluice_redis_reserve(b, n + len + 2)) {
        return 0;
    }

    sluice_redis_put(b, header, n);
    sluice_redis_put(b, data, len);
    sluice_redis_put(b, "\r\n", 2);

    return 1;
}


int
sluice_redis_put_load(sluice_redis_buffer_t *b, const sluice_script_t *script)
{
    return sluice_redis_put_array(b, 3)
           && sluice_redis_put_bulk(b, "SCRIPT", 6)
           && sluice_redis_put_bulk(b, "LOAD", 4)
           && sluice_redis_put_bulk(b, script->text, script->len);
}


sluice_redis_entry_t *
sluice_redis_at(const sluice_redis_t *redis, size_t i)
{
    return &redis->ring[(redis->first + i) & (redis->size - 1)];
}


int
sluice_redis_room(sluice_redis_t *redis, size_t n)
{
    size_t                 i, size;
    sluice_redis_entry_t  *ring;

    if (redis->size - redis->count >= n) {
        return 1;
    }

    size = redis->size ? redis->size * 2 : SLUICE_REDIS_RING;

    if (size > SIZE_MAX / sizeof(sluice_redis_entry_t)) {
        return 0;
    }

    ring = malloc(size * sizeof(sluice_redis_entry_t));
    if (ring == NULL) {
        return 0;
    }

    for (i = 0; i < redis->count; i++) {
        ring[i] = *sluice_redis_at(redis, i);
    }

    free(redis->ring);
    redis->ring = ring;
    redis->size = size;
    redis->first = 0;

    return 1;
}


void
sluice_redis_push(sluice_redis_t *redis, const sluice_redis_entry_t *entry)
{
    redis->count++;
    *sluice_redis_at(redis, redis->count - 1) = *entry;

    redis->nloads += entry->load;
    redis->nmoved += entry->tries > 1;
    redis->nheld += entry->held;
}


void
sluice_redis_pop(sluice_redis_t *redis, sluice_redis_entry_t *entry)
{
    *entry = *sluice_redis_at(redis, 0);

    redis->first = (redis->first + 1) & (redis->size - 1);
    redis->count--;
    redis->nloads -= entry->load;
    redis->nmoved -= entry->tries > 1;
    redis->nheld -= entry->held;
}


void
sluice_redis_trim(sluice_redis_t *redis)
{
    if (redis->count || redis->writing) {
        return;
    }

    if (redis->out.size > SLUICE_REDIS_IDLE) {
        sluice_redis_release(&redis->out);
    }

    if (redis->size > SLUICE_REDIS_IDLE_RING) {
        free(redis->ring);
        redis->ring = NULL;
        redis->size = 0;
        redis->first = 0;
    }
}
