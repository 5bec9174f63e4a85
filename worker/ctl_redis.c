/*
 * The connection.  Blocking: a command has nothing else to do.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/ctl.h"
#include "worker/ctl_nodes.h"


struct ctl_redis_s {
    sluice_url_nodes_t   url;
    tls_t               *tls;
    ctl_server_t        *server;    /* NULL: a cluster */
    ctl_nodes_t         *nodes;
};


static ctl_redis_t *
ctl_redis(ctl_t *ctl)
{
    char          error[CTL_ERROR];
    const char   *wrong;
    ctl_redis_t  *redis;

    static const tls_conf_t  none;

    if (ctl->redis != NULL) {
        return ctl->redis;
    }

    redis = calloc(1, sizeof(ctl_redis_t));

    if (redis == NULL) {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    if (ctl->url != NULL) {
        wrong = sluice_url_parse_nodes(&redis->url, ctl->url,
                                       strlen(ctl->url));

        if (wrong != NULL) {
            ctl_fail(CTL_USAGE, "-r: %s", wrong);
        }

    } else {
        redis->url = ctl_settings(ctl)->redis;
    }

    if (memcmp(&ctl->tls_conf, &none, sizeof(tls_conf_t)) != 0
        && (ctl->url == NULL || !redis->url.url.tls))
    {
        ctl_fail(CTL_USAGE, "--tls-... is for -r rediss://... only");
    }

    if (redis->url.url.tls) {
        redis->tls = (ctl->url == NULL)
                     ? tls_hold(ctl_settings(ctl)->redis_tls)
                     : tls_create(&ctl->tls_conf, "--tls-", error,
                                  sizeof(error));

        if (redis->tls == NULL) {
            ctl_fail(CTL_USAGE, "%s", error);
        }
    }

    ctl->redis = redis;

    switch (redis->url.kind) {

    case SLUICE_URL_CLUSTER:
        redis->nodes = ctl_nodes_open(&redis->url, redis->tls);
        break;

    case SLUICE_URL_SENTINEL:
        redis->server = ctl_nodes_master(&redis->url, redis->tls);
        break;

    default:
        redis->server = ctl_server_open(&redis->url.url, redis->tls, error);

        if (redis->server == NULL) {
            ctl_fail(CTL_REDIS, "%s", error);
        }
    }

    return redis;
}


bool
ctl_is_cluster(ctl_t *ctl)
{
    return ctl_redis(ctl)->nodes != NULL;
}


/* takes the text; len is what hiredis' formatter returned */

static void
ctl_put(ctl_t *ctl, char *text, int len)
{
    char          error[CTL_ERROR];
    ctl_redis_t  *redis;

    redis = ctl_redis(ctl);

    if (len <= 0) {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    if (redis->nodes) {
        ctl_nodes_put(redis->nodes, text, (size_t) len);
        return;
    }

    if (!ctl_server_put(redis->server, text, (size_t) len, error)) {
        ctl_fail(CTL_REDIS, "%s", error);
    }

    redisFreeCommand(text);
}


void
ctl_ask(ctl_t *ctl, const char *format, ...)
{
    int       len;
    char     *text;
    va_list   args;

    va_start(args, format);
    len = redisvFormatCommand(&text, format, args);
    va_end(args);

    ctl_put(ctl, text, len);
}


void
ctl_ask_argv(ctl_t *ctl, int argc, const char **argv)
{
    int    len;
    char  *text;

    len = (int) redisFormatCommandArgv(&text, argc, argv, NULL);

    ctl_put(ctl, text, len);
}


redisReply *
ctl_reply_any(ctl_t *ctl)
{
    char          error[CTL_ERROR];
    redisReply   *reply;
    ctl_redis_t  *redis;

    redis = ctl_redis(ctl);

    if (redis->nodes) {
        return ctl_nodes_reply(redis->nodes);
    }

    reply = ctl_server_reply(redis->server, error);

    if (reply == NULL) {
        ctl_fail(CTL_REDIS, "%s", error);
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
