/*
 * The connection.  Blocking: a command has nothing else to do.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include "worker/ctl.h"


#define CTL_TIMEOUT  10    /* s, to connect and for an answer */


static void ctl_tls(ctl_t *ctl, const sluice_url_t *url);
static redisReply *ctl_tls_reply(ctl_t *ctl);
static void ctl_greet(ctl_t *ctl, const sluice_url_t *url);


redisContext *
ctl_redis(ctl_t *ctl)
{
    sluice_url_t     url;
    const char      *error;
    struct timeval   tv = { CTL_TIMEOUT, 0 };

    static const tls_conf_t  none;

    if (ctl->redis != NULL) {
        return ctl->redis;
    }

    if (ctl->url != NULL) {
        error = sluice_url_parse(&url, ctl->url, strlen(ctl->url));

        if (error != NULL) {
            ctl_fail(CTL_USAGE, "-r: %s", error);
        }

    } else {
        url = ctl_settings(ctl)->redis;
    }

    if (memcmp(&ctl->tls_conf, &none, sizeof(tls_conf_t)) != 0
        && (ctl->url == NULL || !url.tls))
    {
        ctl_fail(CTL_USAGE, "--tls-... is for -r rediss://... only");
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

    if (url.tls) {
        ctl_tls(ctl, &url);
    }

    ctl_greet(ctl, &url);
    explicit_bzero(&url, sizeof(url));

    return ctl->redis;
}


/*
 * hiredis 0.14 knows no TLS: it has connected, and formats and parses; what it
 * would write and read goes through here.
 */

static void
ctl_tls_why(ctl_t *ctl, int rc, char *text, size_t size)
{
    int  what;

    what = SSL_get_error(ctl->ssl, rc);

    if (what == SSL_ERROR_WANT_READ || what == SSL_ERROR_WANT_WRITE) {
        snprintf(text, size, "no answer within %d seconds", CTL_TIMEOUT);

    } else {
        tls_why(ctl->tls, ctl->ssl, ERR_get_error(), text, size);
    }
}


static void
ctl_tls(ctl_t *ctl, const sluice_url_t *url)
{
    int   rc;
    char  error[512];

    ctl->tls = (ctl->url == NULL)
               ? tls_hold(ctl_settings(ctl)->redis_tls)
               : tls_create(&ctl->tls_conf, url->host, "--tls-", error,
                            sizeof(error));

    if (ctl->tls == NULL) {
        ctl_fail(CTL_USAGE, "%s", error);
    }

    ctl->ssl = tls_open(ctl->tls);

    if (ctl->ssl == NULL || SSL_set_fd(ctl->ssl, ctl->redis->fd) != 1) {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    rc = SSL_connect(ctl->ssl);

    if (rc != 1) {
        ctl_tls_why(ctl, rc, error, sizeof(error));
        ctl_fail(CTL_REDIS, "cannot connect to %s, port %d: %s", url->host,
                 url->port, error);
    }
}


static void
ctl_tls_fail(ctl_t *ctl, int rc)
{
    char  error[256];

    ctl_tls_why(ctl, rc, error, sizeof(error));
    ctl_fail(CTL_REDIS, "Redis: %s", error);
}


static redisReply *
ctl_tls_reply(ctl_t *ctl)
{
    int            rc;
    char           buf[16384];
    void          *reply;
    redisReader   *reader;

    reader = ctl->redis->reader;

    for ( ;; ) {
        if (redisReaderGetReply(reader, &reply) != REDIS_OK) {
            ctl_fail(CTL_REDIS, "Redis: %s", reader->errstr);
        }

        if (reply != NULL) {
            return reply;
        }

        rc = SSL_read(ctl->ssl, buf, sizeof(buf));

        if (rc <= 0) {
            ctl_tls_fail(ctl, rc);
        }

        (void) redisReaderFeed(reader, buf, (size_t) rc);
    }
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


/* takes the text; len is what hiredis' formatter returned */

static void
ctl_put(ctl_t *ctl, char *text, int len)
{
    int  rc;

    if (len <= 0) {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    if (ctl->ssl) {
        rc = SSL_write(ctl->ssl, text, len);

        if (rc <= 0) {
            ctl_tls_fail(ctl, rc);
        }

    } else if (redisAppendFormattedCommand(ctl->redis, text, (size_t) len)
               != REDIS_OK)
    {
        ctl_fail(CTL_REDIS, "Redis: %s", ctl->redis->errstr);
    }

    redisFreeCommand(text);
}


void
ctl_ask(ctl_t *ctl, const char *format, ...)
{
    int       len;
    char     *text;
    va_list   args;

    (void) ctl_redis(ctl);

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

    (void) ctl_redis(ctl);

    len = (int) redisFormatCommandArgv(&text, argc, argv, NULL);

    ctl_put(ctl, text, len);
}


redisReply *
ctl_reply_any(ctl_t *ctl)
{
    void          *reply;
    redisContext  *redis;

    redis = ctl_redis(ctl);

    if (ctl->ssl) {
        return ctl_tls_reply(ctl);
    }

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
