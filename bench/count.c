/*
 * One piece of core, again and again: `count PIECE TIMES`.  Run under
 * callgrind with two values of TIMES, the difference is what the piece costs
 * (bench/count.js).  The body comes from the environment: WEBHOOK_BODY and its
 * signature WEBHOOK_SIGNATURE.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/envelope.h"
#include "core/gcra.h"
#include "core/json.h"
#include "core/redis.h"
#include "core/scheme.h"
#include "scripts.h"


#define COUNT_SECRET  "7e1a95c3f0d24b8896b1d3c5a2f4e607"


static const uint8_t  *body;
static size_t          body_len;


static void
count_require(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "count: %s\n", what);
        exit(1);
    }
}


/* what the edge looks for in Meta's webhooks, and all of the text checked */

static void
count_json(long times)
{
    size_t                 offset;
    sluice_json_value_t    value;
    sluice_json_pointer_t  pointer;
    static const char      text[] = "/entry/0/changes/0/field";

    count_require(sluice_json_pointer(&pointer, text, sizeof(text) - 1)
                  == NULL, "the pointer was refused");

    while (times-- > 0) {
        count_require(sluice_json_scan(body, body_len, &pointer, 1, &value,
                                       &offset) == SLUICE_JSON_OK
                      && value.len == sizeof("messages") - 1,
                      "the body was not understood");
    }
}


static size_t
count_header(void *data, const char *name, size_t len, sluice_text_t *value)
{
    *value = *(sluice_text_t *) data;

    return len == sizeof("x-hub-signature-256") - 1;
}


static int
count_body(void *data, sluice_scheme_piece_pt piece, void *piece_data)
{
    return piece(piece_data, body, body_len);
}


/* all of a check of meta, but for looking up the header */

static void
count_hmac(long times)
{
    const char              *why;
    sluice_key_t            *key;
    sluice_text_t            claim, token;
    sluice_scheme_t         *scheme;
    sluice_request_t         request;
    sluice_scheme_result_t   result;

    claim.data = getenv("WEBHOOK_SIGNATURE");
    count_require(claim.data != NULL, "WEBHOOK_SIGNATURE is not set");
    claim.len = strlen(claim.data);

    scheme = sluice_scheme_create("meta", 4);
    count_require(scheme != NULL && sluice_scheme_ready(scheme) == NULL,
                  "no scheme");

    key = sluice_key_create(scheme, COUNT_SECRET, sizeof(COUNT_SECRET) - 1,
                            &why);
    count_require(key != NULL, "no key");

    memset(&request, 0, sizeof(request));
    request.data = &claim;
    request.header = count_header;
    request.body = count_body;
    token.len = 0;

    while (times-- > 0) {
        sluice_scheme_check(scheme, &key, 1, &token, &request, 0, &result);
        count_require(result.verdict == SLUICE_SCHEME_VALID,
                      "the signature was not valid");
    }

    sluice_key_destroy(key);
    sluice_scheme_destroy(scheme);
}


static void
count_gcra(long times)
{
    int64_t              tat, now;
    sluice_gcra_limit_t  limit;

    tat = 0;
    now = 1000000;
    limit.interval = 20000;
    limit.tolerance = 10 * limit.interval;

    while (times-- > 0) {
        count_require(sluice_gcra_check(tat, now, 1, &limit, &tat) == 0,
                      "the limit refused");
        now += limit.interval;
    }
}


static void
count_envelope(long times)
{
    size_t             len;
    uint8_t            dst[1024];
    sluice_envelope_t  envelope = {
        .id = { "e-000001a2b3c4d5e6f7a8b9c0d1e2f3a4", 34 },
        .source = { "/hooks/meta", 11 },
        .type = { "meta.messages", 13 },
        .time_ms = 1795000000123,
        .tenant = { "acme", 4 },
        .scheme = { "meta", 4 },
        .verified = 1,
        .content_type = { "application/json", 16 },
        .data = SLUICE_ENVELOPE_JSON
    };

    while (times-- > 0) {
        len = sluice_envelope_head(NULL, &envelope)
              + sluice_envelope_tail(NULL, &envelope);
        count_require(len < sizeof(dst), "the envelope is too long");

        len = sluice_envelope_head(dst, &envelope);
        sluice_envelope_tail(dst + len, &envelope);
    }
}


static void
count_reply(void *data, const redisReply *reply)
{
    count_require(reply != NULL && reply->type == REDIS_REPLY_ARRAY,
                  "not the reply");
    (*(long *) data)++;
}


/* a call of the add script with one job, written, and its reply read */

static void
count_redis(long times)
{
    long                 replies, i;
    size_t               len;
    sluice_url_t         url;
    sluice_redis_t      *redis;
    sluice_redis_conf_t  conf;
    static const char    base[] = "{acme}:webhooks:";
    static const char    id[] = "e-000001a2b3c4d5e6f7a8b9c0d1e2f3a4";
    static const char    info[] = "$22\r\nredis_version:7.0.15\r\n\r\n";
    static const char    reply[] = "*1\r\n:1\r\n";

    count_require(sluice_url_parse(&url, "unix:/run/redis.sock", 20) == NULL,
                  "the URL was refused");

    memset(&conf, 0, sizeof(conf));
    conf.url = &url;

    redis = sluice_redis_create(&conf);
    count_require(redis != NULL, "no memory");
    sluice_redis_connected(redis, 1);
    replies = 0;

    (void) sluice_redis_output(redis, &len);
    sluice_redis_sent(redis, len);
    count_require(sluice_redis_feed(redis, info, sizeof(info) - 1)
                  == SLUICE_REDIS_OK
                  && sluice_redis_state(redis) == SLUICE_REDIS_READY,
                  "the greeting was refused");

    for (i = 0; i < times; i++) {
        count_require(sluice_redis_script(redis, &sluice_script_add, 1, 10, 1)
                      == SLUICE_REDIS_OK, "the command was refused");

        sluice_redis_arg(redis, base, sizeof(base) - 1);
        sluice_redis_arg_int(redis, 6);
        sluice_redis_arg(redis, id, sizeof(id) - 1);
        sluice_redis_arg(redis, "meta.messages", 13);
        sluice_redis_arg_begin(redis, body_len);
        sluice_redis_piece(redis, body, body_len);
        sluice_redis_arg(redis, "{\"attempts\":1}", 14);
        sluice_redis_arg_int(redis, 0);
        sluice_redis_arg_int(redis, 0);
        sluice_redis_arg_int(redis, 0);
        sluice_redis_arg_int(redis, 1795000000123);
        sluice_redis_arg(redis, "", 0);

        count_require(sluice_redis_end(redis, count_reply, &replies)
                      == SLUICE_REDIS_OK, "the command was not queued");

        (void) sluice_redis_output(redis, &len);
        sluice_redis_sent(redis, len);

        count_require(sluice_redis_feed(redis, reply, sizeof(reply) - 1)
                      == SLUICE_REDIS_OK, "the reply was refused");
    }

    count_require(replies == times, "replies are missing");

    sluice_redis_lost(redis);
    sluice_redis_destroy(redis);
}


static const struct {
    const char  *name;
    void       (*run)(long times);
} pieces[] = {
    { "json", count_json },
    { "hmac", count_hmac },
    { "gcra", count_gcra },
    { "envelope", count_envelope },
    { "redis", count_redis },
};


int
main(int argc, char **argv)
{
    size_t       i;
    const char  *text;

    text = getenv("WEBHOOK_BODY");

    if (argc != 3 || text == NULL) {
        fprintf(stderr, "usage: WEBHOOK_BODY=... count PIECE TIMES\n");
        return 2;
    }

    body = (const uint8_t *) text;
    body_len = strlen(text);

    for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        if (strcmp(argv[1], pieces[i].name) == 0) {
            pieces[i].run(atol(argv[2]));
            return 0;
        }
    }

    fprintf(stderr, "count: no piece is named \"%s\"\n", argv[1]);

    return 2;
}
