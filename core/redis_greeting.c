/*
 * What is said first on a connection, in one write: AUTH, CLIENT SETNAME,
 * SELECT, INFO server, SCRIPT LOAD of each script.
 */

#include <stdio.h>
#include <string.h>
#include "core/redis_parts.h"


static int
sluice_redis_greets(const sluice_redis_t *redis, sluice_redis_greet_e step)
{
    const sluice_redis_conf_t  *conf;

    conf = redis->conf;

    switch (step) {

    case SLUICE_REDIS_GREET_AUTH:
        return conf->url->user[0] || conf->url->password[0];

    case SLUICE_REDIS_GREET_NAME:
        return conf->name != NULL;

    case SLUICE_REDIS_GREET_SELECT:
        return conf->url->db != 0;

    case SLUICE_REDIS_GREET_INFO:
        return 1;

    default:
        return redis->nth < conf->nscripts;
    }
}


int
sluice_redis_greet(sluice_redis_t *redis)
{
    int                         ok;
    char                        db[16];
    size_t                      i;
    const sluice_url_t         *url;
    sluice_redis_buffer_t      *b;
    const sluice_redis_conf_t  *conf;

    b = &redis->greeting;
    conf = redis->conf;
    url = conf->url;
    ok = 1;

    redis->nth = 0;
    redis->step = SLUICE_REDIS_GREET_AUTH;

    while (!sluice_redis_greets(redis, redis->step)) {
        redis->step++;
    }

    if (sluice_redis_greets(redis, SLUICE_REDIS_GREET_AUTH)) {
        ok &= sluice_redis_put_array(b, url->user[0] ? 3 : 2);
        ok &= sluice_redis_put_bulk(b, "AUTH", 4);

        if (url->user[0]) {
            ok &= sluice_redis_put_bulk(b, url->user, strlen(url->user));
        }

        ok &= sluice_redis_put_bulk(b, url->password, strlen(url->password));
    }

    if (sluice_redis_greets(redis, SLUICE_REDIS_GREET_NAME)) {
        ok &= sluice_redis_put_array(b, 3);
        ok &= sluice_redis_put_bulk(b, "CLIENT", 6);
        ok &= sluice_redis_put_bulk(b, "SETNAME", 7);
        ok &= sluice_redis_put_bulk(b, conf->name, strlen(conf->name));
    }

    if (sluice_redis_greets(redis, SLUICE_REDIS_GREET_SELECT)) {
        snprintf(db, sizeof(db), "%d", url->db);

        ok &= sluice_redis_put_array(b, 2);
        ok &= sluice_redis_put_bulk(b, "SELECT", 6);
        ok &= sluice_redis_put_bulk(b, db, strlen(db));
    }

    ok &= sluice_redis_put_array(b, 2);
    ok &= sluice_redis_put_bulk(b, "INFO", 4);
    ok &= sluice_redis_put_bulk(b, "server", 6);

    for (i = 0; i < conf->nscripts; i++) {
        ok &= sluice_redis_put_load(b, conf->scripts[i]);
    }

    b->mark = b->tail;

    return ok;
}


/*
 * A server quotes what it did not understand: "unknown command 'AUTH', with
 * args beginning with: 'the passw".  Then only the error's code is told.
 */

int
sluice_redis_told(const sluice_redis_t *redis, const redisReply *reply)
{
    int          secret;
    size_t       i, len;
    const char  *text, *password;

    text = reply->str;
    len = (size_t) reply->len;
    password = redis->conf->url->password;

    secret = password[0]
             && memmem(text, len, password, strlen(password)) != NULL;

    if (redis->state == SLUICE_REDIS_GREETING
        && redis->step == SLUICE_REDIS_GREET_AUTH)
    {
        secret |= memchr(text, '\'', len) != NULL
                  || memchr(text, '`', len) != NULL
                  || memchr(text, '"', len) != NULL;
    }

    if (!secret) {
        return (int) (len < 200 ? len : 200);
    }

    for (i = 0; i < len && i < 16; i++) {
        if (text[i] < 'A' || text[i] > 'Z') {
            break;
        }
    }

    return (int) i;
}


sluice_redis_result_e
sluice_redis_greeted(sluice_redis_t *redis, const redisReply *reply)
{
    int                     version, len;
    const char             *what, *name;
    const sluice_script_t  *script;

    static const char      *names[] = {
        "AUTH", "CLIENT SETNAME", "SELECT", "INFO server", "SCRIPT LOAD "
    };

    what = names[redis->step];
    script = NULL;
    name = "";

    if (redis->step == SLUICE_REDIS_GREET_SCRIPT) {
        script = redis->conf->scripts[redis->nth];
        name = script->name;
    }

    /* the name is for people: a proxy or an ACL may refuse it */

    if (reply->type == REDIS_REPLY_ERROR
        && redis->step != SLUICE_REDIS_GREET_NAME)
    {
        len = sluice_redis_told(redis, reply);

        return sluice_redis_fail(redis, SLUICE_REDIS_REFUSED, "%s%s: %.*s",
                                 what, name, len, reply->str);
    }

    if (redis->step == SLUICE_REDIS_GREET_INFO) {
        version = reply->type == REDIS_REPLY_STRING
                  ? sluice_redis_version(reply->str, (size_t) reply->len) : 0;

        if (version == 0) {
            return sluice_redis_fail(redis, SLUICE_REDIS_REFUSED,
                                     "INFO server: no redis_version");
        }

        if (version < SLUICE_REDIS_VERSION_MIN) {
            return sluice_redis_fail(redis, SLUICE_REDIS_REFUSED,
                        "Redis %d.%d.%d is too old, %d.%d or later is needed",
                        version / 10000, version / 100 % 100, version % 100,
                        SLUICE_REDIS_VERSION_MIN / 10000,
                        SLUICE_REDIS_VERSION_MIN / 100 % 100);
        }
    }

    if (script && (reply->type != REDIS_REPLY_STRING || reply->len != 40
                   || memcmp(reply->str, script->sha, 40) != 0))
    {
        return sluice_redis_fail(redis, SLUICE_REDIS_REFUSED,
                                 "%s%s: not the hash of its text", what, name);
    }

    if (script) {
        redis->nth++;
    }

    while (redis->step < SLUICE_REDIS_GREET_SCRIPT) {
        redis->step++;

        if (sluice_redis_greets(redis, redis->step)) {
            return SLUICE_REDIS_OK;
        }
    }

    if (redis->nth < redis->conf->nscripts) {
        return SLUICE_REDIS_OK;
    }

    if (redis->greeting.sent < redis->greeting.mark) {
        return sluice_redis_fail(redis, SLUICE_REDIS_PROTOCOL,
                                 "a reply to a command that was not sent");
    }

    sluice_redis_release(&redis->greeting);
    redis->state = SLUICE_REDIS_READY;

    return SLUICE_REDIS_OK;
}
