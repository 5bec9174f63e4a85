#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include "worker/ctl_server.h"


/*
 * hiredis 0.14 knows no TLS: it has connected, and formats and parses; what it
 * would write and read goes through here.
 */

static void
server_tls_why(ctl_server_t *server, int rc, char *text, size_t size)
{
    int  what;

    what = SSL_get_error(server->ssl, rc);

    if (what == SSL_ERROR_WANT_READ || what == SSL_ERROR_WANT_WRITE) {
        snprintf(text, size, "no answer within %d seconds", CTL_TIMEOUT);

    } else {
        tls_why(server->tls, server->ssl, server->url.host, ERR_get_error(),
                text, size);
    }
}


static bool
server_tls_failed(ctl_server_t *server, int rc, char error[CTL_ERROR])
{
    char  why[256];

    server_tls_why(server, rc, why, sizeof(why));
    snprintf(error, CTL_ERROR, "Redis: %s", why);

    return false;
}


static bool
server_connect(ctl_server_t *server, char error[CTL_ERROR])
{
    int                  rc;
    char                 why[128];
    const sluice_url_t  *url;
    struct timeval       tv = { CTL_TIMEOUT, 0 };

    url = &server->url;
    server->redis = (url->path[0] != '\0')
                    ? redisConnectUnixWithTimeout(url->path, tv)
                    : redisConnectWithTimeout(url->host, url->port, tv);

    if (server->redis == NULL) {
        snprintf(error, CTL_ERROR, "out of memory");
        return false;
    }

    if (server->redis->err != 0 && url->path[0] != '\0') {
        snprintf(error, CTL_ERROR, "cannot connect to unix:%s: %s", url->path,
                 server->redis->errstr);
        return false;
    }

    if (server->redis->err != 0) {
        snprintf(error, CTL_ERROR, "cannot connect to %s, port %d: %s",
                 url->host, url->port, server->redis->errstr);
        return false;
    }

    redisSetTimeout(server->redis, tv);

    if (server->tls == NULL) {
        return true;
    }

    server->ssl = tls_open(server->tls, url->host);

    if (server->ssl == NULL || SSL_set_fd(server->ssl, server->redis->fd) != 1)
    {
        snprintf(error, CTL_ERROR, "out of memory");
        return false;
    }

    rc = SSL_connect(server->ssl);

    if (rc != 1) {
        server_tls_why(server, rc, why, sizeof(why));
        snprintf(error, CTL_ERROR, "cannot connect to %s, port %d: %s",
                 url->host, url->port, why);
        return false;
    }

    return true;
}


/* an error to AUTH may quote what was sent: its first word tells enough */

static bool
server_say(ctl_server_t *server, const char *const *words,
    char error[CTL_ERROR])
{
    bool         ok;
    redisReply  *reply;

    reply = ctl_server_ask(server, words, error);

    if (reply == NULL) {
        return false;
    }

    ok = (reply->type != REDIS_REPLY_ERROR);

    if (!ok && strcmp(words[0], "AUTH") == 0) {
        snprintf(error, CTL_ERROR, "Redis refuses AUTH: %.*s",
                 (int) strcspn(reply->str, " "), reply->str);

    } else if (!ok) {
        snprintf(error, CTL_ERROR, "Redis refuses %s: %s", words[0],
                 reply->str);
    }

    freeReplyObject(reply);

    return ok;
}


static bool
server_greet(ctl_server_t *server, const sluice_url_t *url,
    char error[CTL_ERROR])
{
    char         db[16];
    const char  *user[] = { "AUTH", url->user, url->password, NULL };
    const char  *password[] = { "AUTH", url->password, NULL };
    const char  *select[] = { "SELECT", db, NULL };

    if (url->password[0] != '\0'
        && !server_say(server, url->user[0] != '\0' ? user : password, error))
    {
        return false;
    }

    snprintf(db, sizeof(db), "%d", url->db);

    return url->db == 0 || server_say(server, select, error);
}


ctl_server_t *
ctl_server_open(const sluice_url_t *url, tls_t *tls, char error[CTL_ERROR])
{
    ctl_server_t  *server;

    server = calloc(1, sizeof(ctl_server_t));

    if (server == NULL) {
        snprintf(error, CTL_ERROR, "out of memory");
        return NULL;
    }

    server->url = *url;
    server->tls = url->tls ? tls_hold(tls) : NULL;
    explicit_bzero(server->url.password, sizeof(server->url.password));

    if (!server_connect(server, error) || !server_greet(server, url, error)) {
        ctl_server_close(server);
        return NULL;
    }

    return server;
}


void
ctl_server_close(ctl_server_t *server)
{
    if (server == NULL) {
        return;
    }

    if (server->ssl) {
        SSL_free(server->ssl);
    }

    if (server->redis) {
        redisFree(server->redis);
    }

    tls_drop(server->tls);
    free(server);
}


bool
ctl_server_put(ctl_server_t *server, const char *text, size_t len,
    char error[CTL_ERROR])
{
    int  rc;

    if (server->ssl) {
        rc = SSL_write(server->ssl, text, (int) len);

        return rc > 0 || server_tls_failed(server, rc, error);
    }

    if (redisAppendFormattedCommand(server->redis, text, len) != REDIS_OK) {
        snprintf(error, CTL_ERROR, "Redis: %s", server->redis->errstr);
        return false;
    }

    return true;
}


redisReply *
ctl_server_reply(ctl_server_t *server, char error[CTL_ERROR])
{
    int            rc;
    char           buf[16384];
    void          *reply;
    redisReader   *reader;

    if (server->ssl == NULL) {

        if (redisGetReply(server->redis, &reply) == REDIS_OK) {
            return reply;
        }

        snprintf(error, CTL_ERROR, "Redis: %s", server->redis->errstr);

        return NULL;
    }

    reader = server->redis->reader;

    for ( ;; ) {
        if (redisReaderGetReply(reader, &reply) != REDIS_OK) {
            snprintf(error, CTL_ERROR, "Redis: %s", reader->errstr);
            return NULL;
        }

        if (reply != NULL) {
            return reply;
        }

        rc = SSL_read(server->ssl, buf, sizeof(buf));

        if (rc <= 0) {
            (void) server_tls_failed(server, rc, error);
            return NULL;
        }

        (void) redisReaderFeed(reader, buf, (size_t) rc);
    }
}


redisReply *
ctl_server_ask(ctl_server_t *server, const char *const *words,
    char error[CTL_ERROR])
{
    int     n, len;
    bool    ok;
    char   *text;

    for (n = 0; words[n]; n++) {
        /* void */
    }

    len = (int) redisFormatCommandArgv(&text, n, (const char **) words, NULL);

    if (len <= 0) {
        snprintf(error, CTL_ERROR, "out of memory");
        return NULL;
    }

    ok = ctl_server_put(server, text, (size_t) len, error);
    redisFreeCommand(text);

    return ok ? ctl_server_reply(server, error) : NULL;
}
