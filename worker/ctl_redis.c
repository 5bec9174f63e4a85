/*
 * The connection.  Blocking: a command has nothing else to do.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/ctl.h"


#define CTL_TIMEOUT  10    /* s, to connect and for an answer */


static void ctl_greet(ctl_t *ctl, const sluice_url_t *url);


redisContext *
ctl_redis(ctl_t *ctl)
{
    sluice_url_t     url;
    const char      *error;
    struct timeval   tv = { CTL_TIMEOUT, 0 };

    if (ctl->redis != NULL) {
        return ctl->redis;
    }

    if (ctl->url != NULL) {
        error = sluice_url_parse(&url, ctl->url, strlen(ctl->url));

        if (error == NULL && url.tls) {
            error = "rediss: (TLS) is not supported by sluicectl";
        }

        if (error != NULL) {
            ctl_fail(CTL_USAGE, "-r: %s", error);
        }

    } else {
        url = ctl_settings(ctl)->redis;
    }

    ctl->redis = (url.path[0] != '\0')
                 ? redisConnectUnixWithTimeout(url.path, tv)
                 : redisConnectWithTimeout(url.host, url.port, tv);

    if (ctl->redis == NULL) {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    if (ctl->redis->err != 0) {
        if (url.path[0] != '\0') {
            ctl_fail(CTL_REDIS, "cannot connect to unix:%s: %s", url.path,
                     ctl->redis->errstr);
        }

        ctl_fail(CTL_REDIS, "cannot connect to %s, port %d: %s", url.host,
                 url.port, ctl->redis->errstr);
    }

    redisSetTimeout(ctl->redis, tv);
    ctl_greet(ctl, &url);
    explicit_bzero(&url, sizeof(url));

    return ctl->redis;
}


/* an error to AUTH may quote what was sent: its first word tells enough */

static void
ctl_auth(ctl_t *ctl)
{
    redisReply  *reply;

    reply = ctl_reply_any(ctl);

    if (reply->type == REDIS_REPLY_ERROR) {
        ctl_fail(CTL_REDIS, "Redis refuses AUTH: %.*s",
                 (int) strcspn(reply->str, " "), reply->str);
    }

    freeReplyObject(reply);
}


static void
ctl_greet(ctl_t *ctl, const sluice_url_t *url)
{
    if (url->password[0] != '\0' && url->user[0] != '\0') {
        ctl_ask(ctl, "AUTH %s %s", url->user, url->password);
        ctl_auth(ctl);

    } else if (url->password[0] != '\0') {
        ctl_ask(ctl, "AUTH %s", url->password);
        ctl_auth(ctl);
    }

    if (url->db != 0) {
        ctl_ask(ctl, "SELECT %d", url->db);
        freeReplyObject(ctl_reply(ctl, "SELECT"));
    }
}


void
ctl_ask(ctl_t *ctl, const char *format, ...)
{
    int            rc;
    va_list        args;
    redisContext  *redis;

    redis = ctl_redis(ctl);

    va_start(args, format);
    rc = redisvAppendCommand(redis, format, args);
    va_end(args);

    if (rc != REDIS_OK) {
        ctl_fail(CTL_REDIS, "Redis: %s", redis->errstr);
    }
}


void
ctl_ask_argv(ctl_t *ctl, int argc, const char **argv)
{
    redisContext  *redis;

    redis = ctl_redis(ctl);

    if (redisAppendCommandArgv(redis, argc, argv, NULL) != REDIS_OK) {
        ctl_fail(CTL_REDIS, "Redis: %s", redis->errstr);
    }
}


redisReply *
ctl_reply_any(ctl_t *ctl)
{
    void          *reply;
    redisContext  *redis;

    redis = ctl_redis(ctl);

    if (redisGetReply(redis, &reply) != REDIS_OK) {
        ctl_fail(CTL_REDIS, "Redis: %s", redis->errstr);
    }

    return reply;
}


redisReply *
ctl_reply(ctl_t *ctl, const char *what)
{
    redisReply  *reply;

    reply = ctl_reply_any(ctl);

    if (reply->type == REDIS_REPLY_ERROR) {
        ctl_fail(CTL_REDIS, "Redis refuses %s: %s", what, reply->str);
    }

    return reply;
}


redisReply *
ctl_script(ctl_t *ctl, const sluice_script_t *script,
    const ctl_queue_t *queue, int argc, const char **argv)
{
    const char  *keys[] = { queue->base };

    return ctl_eval(ctl, script, 1, keys, argc, argv);
}


redisReply *
ctl_eval(ctl_t *ctl, const sluice_script_t *script, int nkeys,
    const char **keys, int argc, const char **argv)
{
    int           n;
    char          number[16];
    redisReply   *reply;
    const char  **all;

    n = 3 + nkeys;
    all = malloc((size_t) (argc + n) * sizeof(char *));

    if (all == NULL) {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    all[0] = "EVALSHA";
    all[1] = script->sha;
    snprintf(number, sizeof(number), "%d", nkeys);
    all[2] = number;
    memcpy(all + 3, keys, (size_t) nkeys * sizeof(char *));
    memcpy(all + n, argv, (size_t) argc * sizeof(char *));

    ctl_ask_argv(ctl, argc + n, all);
    reply = ctl_reply_any(ctl);

    if (reply->type == REDIS_REPLY_ERROR
        && strncmp(reply->str, "NOSCRIPT", sizeof("NOSCRIPT") - 1) == 0)
    {
        freeReplyObject(reply);
        all[0] = "EVAL";
        all[1] = script->text;
        ctl_ask_argv(ctl, argc + n, all);
        reply = ctl_reply_any(ctl);
    }

    free(all);

    if (reply->type == REDIS_REPLY_ERROR) {
        ctl_fail(CTL_REDIS, "Redis refuses the script %s: %s", script->name,
                 reply->str);
    }

    return reply;
}


int64_t
ctl_integer(const redisReply *reply, int64_t otherwise)
{
    char     *end;
    int64_t   n;

    if (reply == NULL) {
        return otherwise;
    }

    if (reply->type == REDIS_REPLY_INTEGER) {
        return reply->integer;
    }

    if (reply->type != REDIS_REPLY_STRING || reply->len == 0) {
        return otherwise;
    }

    /* a score may be written as a fraction */

    n = strtoll(reply->str, &end, 10);

    return (*end == '\0' || *end == '.') ? n : otherwise;
}
