/*
 * What is said first on a connection, in one write: AUTH, SELECT, INFO, CLIENT
 * SETNAME, SCRIPT LOAD of each script.  A server that takes nobody (too many
 * clients, protected mode) says so in answer to the first of them, so that one
 * is never the name, whose refusal does not matter.
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
        return redis->script < conf->nscripts;
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

    redis->script = 0;
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

    if (sluice_redis_greets(redis, SLUICE_REDIS_GREET_SELECT)) {
        snprintf(db, sizeof(db), "%d", url->db);

        ok &= sluice_redis_put_array(b, 2);
        ok &= sluice_redis_put_bulk(b, "SELECT", 6);
        ok &= sluice_redis_put_bulk(b, db, strlen(db));
    }

    /* all sections: Redis 6.2 takes the name of one only */

    ok &= sluice_redis_put_array(b, 1);
    ok &= sluice_redis_put_bulk(b, "INFO", 4);

    if (sluice_redis_greets(redis, SLUICE_REDIS_GREET_NAME)) {
        ok &= sluice_redis_put_array(b, 3);
        ok &= sluice_redis_put_bulk(b, "CLIENT", 6);
        ok &= sluice_redis_put_bulk(b, "SETNAME", 7);
        ok &= sluice_redis_put_bulk(b, conf->name, strlen(conf->name));
    }

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


/* An ACL without INFO is no reason to stay away. */

static sluice_redis_result_e
sluice_redis_informed(sluice_redis_t *redis, const redisReply *reply)
{
    int                   len, version;
    sluice_redis_info_t  *info;

    info = &redis->info;

    if (reply->type == REDIS_REPLY_ERROR) {

        if (sluice_redis_is_error(reply, "NOPERM")) {
            memset(info, 0, sizeof(*info));
            return SLUICE_REDIS_OK;
        }

        len = sluice_redis_told(redis, reply);

        return sluice_redis_fail(redis, SLUICE_REDIS_REFUSED, "INFO: %.*s",
                                 len, reply->str);
    }

    if (reply->type == REDIS_REPLY_STRING) {
        sluice_redis_info_read(info, reply->str, (size_t) reply->len);

    } else {
        memset(info, 0, sizeof(*info));
    }

    version = info->version;

    if (version == 0) {
        return sluice_redis_fail(redis, SLUICE_REDIS_REFUSED,
                                 "INFO: no redis_version");
    }

    if (version < SLUICE_REDIS_VERSION_MIN) {
        return sluice_redis_fail(redis, SLUICE_REDIS_REFUSED,
                        "Redis %d.%d.%d is too old, %d.%d or later is needed",
                        version / 10000, version / 100 % 100, version % 100,
                        SLUICE_REDIS_VERSION_MIN / 10000,
                        SLUICE_REDIS_VERSION_MIN / 100 % 100);
    }

    if (info->replica && !redis->conf->replica) {
        return sluice_redis_fail(redis, SLUICE_REDIS_REFUSED,
                                 "it is a replica, not the master");
    }

    return SLUICE_REDIS_OK;
}


sluice_redis_result_e
sluice_redis_greeted(sluice_redis_t *redis, const redisReply *reply)
{
    int                     len;
    const char             *what, *name;
    const sluice_script_t  *script;

    static const char      *names[] = {
        "AUTH", "SELECT", "INFO", "CLIENT SETNAME", "SCRIPT LOAD "
    };

    what = names[redis->step];
    script = NULL;
    name = "";

    if (redis->step == SLUICE_REDIS_GREET_SCRIPT) {
        script = redis->conf->scripts[redis->script];
        name = script->name;
    }

    if (redis->step == SLUICE_REDIS_GREET_INFO
        && sluice_redis_informed(redis, reply) != SLUICE_REDIS_OK)
    {
        return redis->failed;
    }

    /* the name is for people: a proxy or an ACL may refuse it */

    if (reply->type == REDIS_REPLY_ERROR
        && redis->step != SLUICE_REDIS_GREET_INFO
        && redis->step != SLUICE_REDIS_GREET_NAME)
    {
        len = sluice_redis_told(redis, reply);

        return sluice_redis_fail(redis, SLUICE_REDIS_REFUSED, "%s%s: %.*s",
                                 what, name, len, reply->str);
    }

    if (script && (reply->type != REDIS_REPLY_STRING || reply->len != 40
                   || memcmp(reply->str, script->sha, 40) != 0))
    {
        return sluice_redis_fail(redis, SLUICE_REDIS_REFUSED,
                                 "%s%s: not the hash of its text", what, name);
    }

    if (script) {
        redis->script++;
    }

    while (redis->step < SLUICE_REDIS_GREET_SCRIPT) {
        redis->step++;

        if (sluice_redis_greets(redis, redis->step)) {
            return SLUICE_REDIS_OK;
        }
    }

    if (redis->script < redis->conf->nscripts) {
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
