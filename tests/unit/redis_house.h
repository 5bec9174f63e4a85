/*
 * A client, its commands and a log of their answers, for test_redis*.c.
 */

#ifndef SLUICE_TESTS_REDIS_HOUSE_H
#define SLUICE_TESTS_REDIS_HOUSE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "core/redis.h"


#define INFO_REPLY   "$32\r\n# Server\r\nredis_version:7.0.15\r\n\r\n"
#define SHA          "0123456789012345678901234567890123456789"
#define LOAD         "*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n$8\r\nreturn 1\r\n"
#define LOADED       "$40\r\n" SHA "\r\n"
#define GET(key)     "*2\r\n$3\r\nGET\r\n$1\r\n" key "\r\n"
#define EVAL(key)    "*4\r\n$7\r\nEVALSHA\r\n$40\r\n" SHA                     \
                     "\r\n$1\r\n1\r\n$1\r\n" key "\r\n"
#define NOSCRIPT     "-NOSCRIPT No matching script. Please use EVAL.\r\n"


static const sluice_script_t  script = { "one", "return 1", 8, SHA };
static const sluice_script_t  *const scripts[] = { &script };

typedef struct house_s  house_t;

typedef struct {
    house_t     *house;
    const char  *name;
    unsigned     repeat;    /* queue a GET again so often */
} call_t;

struct house_s {
    sluice_url_t          url;
    sluice_redis_conf_t   conf;
    sluice_redis_t       *redis;
    call_t                call[16];
    size_t                n;
    char                  log[16384];    /* "name:reply " of each answer */
    int64_t               now;
};


static inline void
describe(char *dst, size_t size, const redisReply *reply)
{
    size_t  i;

    if (reply == NULL) {
        snprintf(dst, size, "lost");
        return;
    }

    switch (reply->type) {

    case REDIS_REPLY_INTEGER:
        snprintf(dst, size, "%lld", reply->integer);
        return;

    case REDIS_REPLY_NIL:
        snprintf(dst, size, "nil");
        return;

    case REDIS_REPLY_ARRAY:
        snprintf(dst, size, "[");

        for (i = 0; i < reply->elements; i++) {
            describe(dst + strlen(dst), size - strlen(dst),
                     reply->element[i]);
            strncat(dst, i + 1 < reply->elements ? "," : "]",
                    size - strlen(dst) - 1);
        }

        return;

    default:
        snprintf(dst, size, "%s%.40s",
                 reply->type == REDIS_REPLY_ERROR ? "-" : "", reply->str);
    }
}


static inline void  get(house_t *house, const char *key, unsigned repeat);


static inline void
answered(void *data, const redisReply *reply)
{
    call_t   *call = data;
    char      text[512];
    house_t  *house;

    house = call->house;

    if (call->repeat) {
        get(house, call->name, call->repeat - 1);
    }

    describe(text, sizeof(text), reply);

    if (strlen(house->log) < sizeof(house->log) - 600) {
        sprintf(house->log + strlen(house->log), "%s:%s ", call->name, text);
    }
}


static inline call_t *
call(house_t *house, const char *name, unsigned repeat)
{
    call_t  *c;

    c = &house->call[house->n++ % 16];
    c->house = house;
    c->name = name;
    c->repeat = repeat;

    return c;
}


static inline void
get(house_t *house, const char *key, unsigned repeat)
{
    assert_int_equal(sluice_redis_command(house->redis, house->now, answered,
                                          call(house, key, repeat), "GET",
                                          key, NULL),
                     SLUICE_REDIS_OK);
}


static inline void
eval(house_t *house, const char *key)
{
    assert_int_equal(sluice_redis_script(house->redis, &script, 1, 0,
                                         house->now), SLUICE_REDIS_OK);
    sluice_redis_arg(house->redis, key, strlen(key));
    assert_int_equal(sluice_redis_end(house->redis, answered,
                                      call(house, key, 0)),
                     SLUICE_REDIS_OK);
}


static inline void
build(house_t *house)
{
    memset(house, 0, sizeof(*house));

    house->conf.url = &house->url;
    house->redis = sluice_redis_create(&house->conf);
    assert_non_null(house->redis);
}


static inline void
demolish(house_t *house)
{
    sluice_redis_lost(house->redis);
    sluice_redis_destroy(house->redis);
}


/* All of the output, taken in steps of at most `step` bytes. */

static inline const char *
taken(house_t *house, size_t step)
{
    size_t        n, len;
    const void   *p;

    static char   text[16384];

    for (n = 0; ; n += len) {
        p = sluice_redis_output(house->redis, &len);

        if (len == 0) {
            break;
        }

        len = len < step ? len : step;
        assert_true(n + len < sizeof(text));
        memcpy(text + n, p, len);
        sluice_redis_sent(house->redis, len);
    }

    text[n] = '\0';

    return text;
}


static inline sluice_redis_result_e
feed(house_t *house, const char *text)
{
    return sluice_redis_feed(house->redis, text, strlen(text));
}


static inline void
ready(house_t *house)
{
    assert_int_equal(sluice_redis_connected(house->redis, house->now), 0);
    (void) taken(house, 4096);
    assert_int_equal(feed(house, INFO_REPLY), SLUICE_REDIS_OK);
    assert_int_equal(sluice_redis_state(house->redis), SLUICE_REDIS_READY);
}


#endif
