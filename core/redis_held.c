/*
 * Answers that wait until replicas have what was written.  Replies come in
 * order, so that of a WAIT is for all that is kept then; a call that a NOSCRIPT
 * moved behind it waits for the next.
 *
 * A WAIT is about the last write of the connection, and a call that is made
 * again writes nothing: what it tells of may be another connection's and on no
 * replica yet.  So each WAIT has a write of its own before it.
 */

#include <stdlib.h>
#include <string.h>
#include "core/redis_parts.h"


#define SLUICE_REDIS_KEPT   16    /* room at first, */
#define SLUICE_REDIS_SPARE  1024  /* and without any at most */
#define SLUICE_REDIS_MARKS  8     /* in other slots that are tried */


void
sluice_redis_hold(sluice_redis_t *redis)
{
    if (redis->writing && redis->conf->replicas) {
        redis->entry.held = 1;
        redis->asked = redis->entry.asked;
    }
}


sluice_redis_result_e
sluice_redis_keep(sluice_redis_t *redis, const sluice_redis_entry_t *entry,
    redisReply *answer)
{
    size_t                room;
    sluice_redis_kept_t  *kept;

    if (redis->nkept == redis->room) {
        room = redis->room ? redis->room * 2 : SLUICE_REDIS_KEPT;
        kept = realloc(redis->kept, room * sizeof(sluice_redis_kept_t));

        if (kept == NULL) {
            freeReplyObject(answer);

            if (entry->reply) {
                entry->reply(entry->data, NULL);
            }

            return sluice_redis_fail(redis, SLUICE_REDIS_NOMEM,
                                     "out of memory");
        }

        redis->kept = kept;
        redis->room = room;
    }

    kept = &redis->kept[redis->nkept++];
    kept->reply = entry->reply;
    kept->data = entry->data;
    kept->answer = answer;

    return SLUICE_REDIS_OK;
}


void
sluice_redis_release_kept(sluice_redis_t *redis, int known)
{
    size_t                i, n;
    sluice_redis_kept_t  *kept;

    /* nothing is kept meanwhile: the functions do not feed */

    n = redis->nkept;
    redis->nkept = 0;

    for (i = 0; i < n; i++) {
        kept = &redis->kept[i];

        if (kept->reply) {
            kept->reply(kept->data, known ? kept->answer : NULL);
        }

        freeReplyObject(kept->answer);
    }

    if (redis->room > SLUICE_REDIS_SPARE) {
        free(redis->kept);
        redis->kept = NULL;
        redis->room = 0;
    }
}


static void
sluice_redis_unwaited(sluice_redis_t *redis, const redisReply *reply)
{
    if (redis->conf->shown) {
        redis->conf->waited(redis->conf->data, reply);
        sluice_redis_release_kept(redis, 1);
        return;
    }

    (void) sluice_redis_fail(redis, SLUICE_REDIS_REFUSED,
                             "cannot wait for replicas: %.*s",
                             reply->type == REDIS_REPLY_ERROR
                             ? sluice_redis_told(redis, reply) : 0,
                             reply->type == REDIS_REPLY_ERROR ? reply->str
                                                              : "");
}


static void
sluice_redis_on_mark(void *data, const redisReply *reply)
{
    sluice_redis_t  *redis = data;

    redis->marked = reply && reply->type != REDIS_REPLY_ERROR;

    if (reply == NULL || redis->marked) {
        redis->marks = 0;
        return;
    }

    /* its slot was moved, or is: the next one may be here */

    if (redis->conf->mark
        && sluice_redis_reply_kind(reply) == SLUICE_REDIS_REPLY_AWAY
        && redis->marks < SLUICE_REDIS_MARKS)
    {
        redis->marks++;
        return;
    }

    redis->marks = 0;
    sluice_redis_unwaited(redis, reply);
}


static void
sluice_redis_on_wait(void *data, const redisReply *reply)
{
    int                         enough;
    const sluice_redis_conf_t  *conf;
    sluice_redis_t             *redis = data;

    conf = redis->conf;
    redis->waiting = 0;

    if (reply == NULL) {
        return;
    }

    if (reply->type != REDIS_REPLY_INTEGER) {
        sluice_redis_unwaited(redis, reply);
        return;
    }

    enough = reply->integer >= (long long) conf->replicas;

    /* it took that long: it is later by now for the next one */

    redis->asked += enough ? 0 : conf->wait;

    if (!redis->marked) {
        return;
    }

    if (conf->waited) {
        conf->waited(conf->data, reply);
    }

    if (enough) {
        sluice_redis_release_kept(redis, 1);

    } else if (conf->unsure) {
        sluice_redis_release_kept(redis, conf->shown);
    }
}


/* what is ours counts for nobody */

static int
sluice_redis_own(sluice_redis_t *redis, size_t argc)
{
    if (sluice_redis_begin(redis, argc, redis->asked) != SLUICE_REDIS_OK) {
        return 0;
    }

    redis->entry.load = 1;

    return 1;
}


void
sluice_redis_wait(sluice_redis_t *redis)
{
    char  mark[SLUICE_REDIS_MARK] = "sluice:wait";

    if (redis->waiting || redis->state != SLUICE_REDIS_READY || redis->failed)
    {
        return;
    }

    if (redis->conf->mark) {
        redis->conf->mark(redis->conf->data, mark, redis->marks > 0);
    }

    if (!sluice_redis_own(redis, 3)) {
        return;
    }

    sluice_redis_arg(redis, "SET", 3);
    sluice_redis_arg(redis, mark, strlen(mark));
    sluice_redis_arg(redis, "", 0);

    if (sluice_redis_end(redis, sluice_redis_on_mark, redis) != SLUICE_REDIS_OK
        || !sluice_redis_own(redis, 3))
    {
        return;
    }

    sluice_redis_arg(redis, "WAIT", 4);
    sluice_redis_arg_int(redis, redis->conf->replicas);
    sluice_redis_arg_int(redis, redis->conf->wait);

    redis->waiting = sluice_redis_end(redis, sluice_redis_on_wait, redis)
                     == SLUICE_REDIS_OK;
}
