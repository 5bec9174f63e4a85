/*
 * The calls of the replay, one at a time, and what becomes of them.
 */

#include "ngx_http_sluice_spool.h"
#include "scripts.h"


#if (NGX_THREADS)


static void ngx_http_sluice_replay_records(ngx_http_sluice_spool_t *spool);
static void ngx_http_sluice_replay_reply(void *data, const redisReply *reply);
static ngx_uint_t ngx_http_sluice_replay_stored(const redisReply *reply);
static void ngx_http_sluice_replay_calls(ngx_http_sluice_spool_t *spool);
static ngx_uint_t ngx_http_sluice_replay_route(ngx_http_sluice_spool_t *spool,
    u_char *base, size_t len);
static void ngx_http_sluice_replay_listed(void *data, const redisReply *reply);
static void ngx_http_sluice_replay_ran(ngx_http_sluice_spool_t *spool,
    uint64_t position);
static void ngx_http_sluice_replay_refused(ngx_http_sluice_spool_t *spool,
    const redisReply *reply);
static void ngx_http_sluice_replay_waited(void *data, const redisReply *reply);


/* The call that core/spool_replay.h found at `pos` */

void
ngx_http_sluice_replay_call(ngx_http_sluice_spool_t *spool)
{
    char                           key[SLUICE_KEYS_MAX];
    size_t                         len;
    u_char                         base[SLUICE_KEYS_MAX];
    sluice_redis_t                *client;
    sluice_redis_result_e          result;
    ngx_http_sluice_replay_t      *replay;
    const sluice_spool_record_t   *first;

    replay = &spool->replay;
    first = &replay->state.first;

    if (first->call) {
        len = sluice_keys_edge(key, sizeof(key), first->base, first->base_len,
                               first->connection, first->connection_len);
    } else {
        len = sluice_keys_spool(key, sizeof(key), first->base,
                                first->base_len, replay->segment->id.name,
                                SLUICE_SPOOL_NAME);
    }

    if (len == 0 || first->base_len >= sizeof(base)) {
        (void) sluice_spool_replay_refused(&replay->state);
        ngx_http_sluice_replay_aside(spool, replay->state.size);
        return;
    }

    ngx_http_sluice_held_base(spool, first->base, first->base_len);

    if (ngx_http_sluice_held_room(spool) == 0) {
        ngx_http_sluice_replay_later(spool, NGX_HTTP_SLUICE_REPLAY_FULL);
        return;
    }

    if (spool->link->replaying && spool->link->replaying != spool) {
        replay->waiting = 1;
        return;
    }

    ngx_memcpy(base, first->base, first->base_len);
    base[first->base_len] = '\0';

    replay->link = spool->link;

    if (spool->link->cluster) {

        if (!ngx_http_sluice_replay_route(spool, base, first->base_len)) {
            return;
        }

    } else {
        ngx_http_sluice_batch_register(spool->link, base, first->base_len);
    }

    client = replay->link->client;

    result = sluice_redis_script(client, &sluice_script_add, 2,
                                 1 + replay->state.njobs * first->nargs + 4,
                                 ngx_current_msec);

    if (result == SLUICE_REDIS_OK) {
        sluice_redis_arg(client, first->base, first->base_len);
        sluice_redis_arg(client, key, len);
        sluice_redis_arg_int(client, first->major);

        ngx_http_sluice_replay_records(spool);

        if (first->call) {
            sluice_redis_arg(client, "call", 4);
            sluice_redis_arg_int(client, (int64_t) first->call);
            sluice_redis_arg(client, "0", 1);

        } else {
            sluice_redis_arg(client, "spool", 5);
            sluice_redis_arg_int(client, (int64_t) first->number);
            sluice_redis_arg_int(client, (int64_t) replay->state.upto);
        }

        sluice_redis_arg_int(client, ngx_http_sluice_spool_ttl(spool->conf));

        result = sluice_redis_end(client, ngx_http_sluice_replay_reply, spool);
    }

    if (result != SLUICE_REDIS_OK) {
        ngx_http_sluice_replay_later(spool, NGX_HTTP_SLUICE_REPLAY_PAUSE);
        return;
    }

    ngx_http_sluice_replay_calls(spool);
}


static void
ngx_http_sluice_replay_calls(ngx_http_sluice_spool_t *spool)
{
    spool->link->replaying = spool;
    spool->replay.calling = 1;
    spool->replay.asked = ngx_current_msec;

    ngx_post_event(&spool->replay.link->flush, &ngx_posted_events);
}


/*
 * In a cluster: the queue's node, when the queue is in the registry; else that
 * is asked first.  0: not now.
 */

static ngx_uint_t
ngx_http_sluice_replay_route(ngx_http_sluice_spool_t *spool, u_char *base,
    size_t len)
{
    const char                *key;
    ngx_uint_t                 listed;
    sluice_redis_result_e      result;
    ngx_http_sluice_link_t    *link;
    ngx_http_sluice_replay_t  *replay;

    replay = &spool->replay;
    link = spool->link;

    listed = ngx_strcmp(replay->listed, base) == 0
             || ngx_http_sluice_cluster_knows(link, base, len);

    (void) ngx_http_sluice_redis_wake(link);

    key = listed ? (char *) base : SLUICE_KEYS_REGISTRY;
    link = ngx_http_sluice_redis_route(link, key, ngx_strlen(key));

    if (link == NULL || !ngx_http_sluice_redis_wake(link)
        || link->state != NGX_HTTP_SLUICE_LINK_READY)
    {
        ngx_http_sluice_replay_later(spool, NGX_HTTP_SLUICE_REPLAY_PAUSE);
        return 0;
    }

    replay->link = link;

    if (listed) {
        return 1;
    }

    ngx_memcpy(replay->listed, base, len + 1);
    base[len - 1] = '\0';

    result = sluice_redis_command(link->client, ngx_current_msec,
                                  ngx_http_sluice_replay_listed, spool,
                                  "SADD", SLUICE_KEYS_REGISTRY,
                                  (char *) base, NULL);
    if (result != SLUICE_REDIS_OK) {
        replay->listed[0] = '\0';
        ngx_http_sluice_replay_later(spool, NGX_HTTP_SLUICE_REPLAY_PAUSE);
        return 0;
    }

    ngx_http_sluice_replay_calls(spool);

    return 0;
}


/* What is refused for good is refused to the events that come, too. */

static void
ngx_http_sluice_replay_listed(void *data, const redisReply *reply)
{
    ngx_http_sluice_spool_t *spool = data;

    ngx_http_sluice_replay_t  *replay;

    replay = &spool->replay;
    replay->calling = 0;

    if (reply == NULL) {
        replay->listed[0] = '\0';
        ngx_http_sluice_replay_later(spool, NGX_HTTP_SLUICE_REPLAY_PAUSE);
        return;
    }

    if (sluice_redis_reply_kind(reply) == SLUICE_REDIS_REPLY_AWAY
        || sluice_redis_reply_kind(reply) == SLUICE_REDIS_REPLY_REPLICA)
    {
        replay->listed[0] = '\0';
        ngx_http_sluice_replay_refused(spool, reply);
        return;
    }

    ngx_http_sluice_replay_wake(spool);
}


static void
ngx_http_sluice_replay_records(ngx_http_sluice_spool_t *spool)
{
    size_t                     i, len, n, size;
    uint64_t                   last;
    const uint8_t             *at, *data, *p;
    sluice_spool_record_t      record;
    ngx_http_sluice_replay_t  *replay;

    replay = &spool->replay;
    p = replay->buf + replay->pos;
    last = replay->state.last;

    for (n = 0; n < replay->state.nrecords; n++, p += size) {

        (void) sluice_spool_read(&replay->state.segment, last, p,
                                 replay->state.size, 1, &record, &size);
        last = record.number;
        at = record.args;

        for (i = 0; i < (size_t) record.njobs * record.nargs; i++) {
            sluice_spool_arg_next(&at, &data, &len);
            sluice_redis_arg(spool->replay.link->client, data, len);
        }
    }
}


/*
 * The next call is made in another turn; while live events are on their way,
 * after as much time as this one took, so that they have at least half.
 */

static void
ngx_http_sluice_replay_reply(void *data, const redisReply *reply)
{
    ngx_http_sluice_spool_t *spool = data;

    uint64_t                      position;
    ngx_http_sluice_replay_t     *replay;
    const sluice_spool_record_t  *first;

    replay = &spool->replay;
    replay->calling = 0;

    if (reply == NULL) {

        if (spool->link->cluster) {
            ngx_http_sluice_replay_later(spool, NGX_HTTP_SLUICE_REPLAY_PAUSE);
        }

        return;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_http_sluice_replay_refused(spool, reply);
        return;
    }

    first = &replay->state.first;
    position = UINT64_MAX;

    if (reply->type == REDIS_REPLY_ARRAY
        && reply->elements == replay->state.njobs)
    {
        spool->link->main->process->slot->spool.replayed +=
                                                     replay->state.njobs;
        ngx_http_sluice_depth_add(spool->link, (u_char *) first->base,
                                  first->base_len,
                                  ngx_http_sluice_replay_stored(reply));

    } else if (reply->type == REDIS_REPLY_INTEGER
               && (first->call ? reply->integer == (long long) first->call
                               : reply->integer >= (long long) first->number))
    {
        /* all of it was run before, or a part */

        if (first->call == 0) {
            position = (uint64_t) reply->integer;
        }

    } else {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "sluice_redis \"%V\" answered a call from the spool "
                      "with an unexpected reply", &spool->link->server->name);
        ngx_http_sluice_replay_later(spool, NGX_HTTP_SLUICE_REPLAY_PAUSE);
        return;
    }

    ngx_http_sluice_redis_accepts(replay->link);

    if (spool->link->cluster && spool->link->server->client.replicas) {
        replay->position = position;
        ngx_http_sluice_replay_wait(spool);
        return;
    }

    ngx_http_sluice_replay_ran(spool, position);
}


static void
ngx_http_sluice_replay_ran(ngx_http_sluice_spool_t *spool, uint64_t position)
{
    ngx_http_sluice_replay_t  *replay;

    replay = &spool->replay;
    ngx_memzero(&replay->routing, sizeof(sluice_cluster_call_t));

    replay->pos += sluice_spool_replay_done(&replay->state,
                                            replay->buf + replay->pos,
                                            position);

    if (ngx_http_sluice_redis_pending(spool->link) > 1
        && ngx_current_msec != replay->asked)
    {
        /* not _later(): it has its turn until then */

        ngx_add_timer(&replay->step, ngx_current_msec - replay->asked);
        return;
    }

    ngx_http_sluice_replay_wake(spool);
}


static ngx_uint_t
ngx_http_sluice_replay_stored(const redisReply *reply)
{
    size_t      i;
    ngx_uint_t  n;

    for (i = 0, n = 0; i < reply->elements; i++) {
        n += reply->element[i]->type == REDIS_REPLY_INTEGER
             && reply->element[i]->integer == 1;
    }

    return n;
}


static void
ngx_http_sluice_replay_refused(ngx_http_sluice_spool_t *spool,
    const redisReply *reply)
{
    size_t                     size;
    ngx_str_t                  text;
    sluice_cluster_verdict_t   verdict;
    ngx_http_sluice_replay_t  *replay;

    replay = &spool->replay;

    if (sluice_redis_reply_kind(reply) == SLUICE_REDIS_REPLY_REPLICA) {
        replay->link->demoted = 1;
    }

    if (spool->link->cluster) {
        replay->routing.until = (int64_t) ngx_current_msec
                                + (int64_t) spool->link->server->timeout;

        ngx_http_sluice_cluster_judge(replay->link, &replay->routing, reply,
                                      &verdict);

        if (verdict.verdict == SLUICE_CLUSTER_MOVE) {
            ngx_http_sluice_replay_wake(spool);
            return;
        }

        if (verdict.verdict == SLUICE_CLUSTER_LATER) {
            ngx_http_sluice_replay_later(spool, (ngx_msec_t) verdict.wait);
            return;
        }
    }

    if (sluice_redis_reply_kind(reply) != SLUICE_REDIS_REPLY_WRONG) {
        ngx_http_sluice_replay_later(spool, NGX_HTTP_SLUICE_REPLAY_PAUSE);
        return;
    }

    /* what is refused for good would be refused for ever */

    text.data = (u_char *) reply->str;
    text.len = ngx_min((size_t) reply->len, 200);

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "sluice_redis \"%V\" refused %uz jobs of \"%*s\" from the "
                  "spool: %V", &spool->link->server->name,
                  replay->state.njobs, replay->state.first.base_len,
                  replay->state.first.base, &text);

    size = sluice_spool_replay_refused(&replay->state);

    if (size == 0) {
        ngx_http_sluice_replay_wake(spool);
        return;
    }

    ngx_http_sluice_replay_aside(spool, size);
}


/* A command that needs no key's leave, held until they have what was run. */

void
ngx_http_sluice_replay_wait(ngx_http_sluice_spool_t *spool)
{
    sluice_redis_t            *client;
    sluice_redis_result_e      result;
    ngx_http_sluice_replay_t  *replay;

    replay = &spool->replay;
    client = replay->link->client;

    result = sluice_redis_begin(client, 1, ngx_current_msec);

    if (result == SLUICE_REDIS_OK) {
        sluice_redis_arg(client, "TIME", 4);
        sluice_redis_hold(client);
        result = sluice_redis_end(client, ngx_http_sluice_replay_waited,
                                  spool);
    }

    if (result != SLUICE_REDIS_OK) {
        ngx_http_sluice_replay_later(spool, NGX_HTTP_SLUICE_REPLAY_PAUSE);
        return;
    }

    replay->calling = 1;

    /* a WAIT is shared: nobody waits for its end to make a call */

    if (spool->link->replaying == spool) {
        ngx_http_sluice_replay_pass(spool);
    }

    ngx_post_event(&replay->link->flush, &ngx_posted_events);
}


static void
ngx_http_sluice_replay_waited(void *data, const redisReply *reply)
{
    ngx_http_sluice_spool_t *spool = data;

    ngx_http_sluice_replay_t  *replay;

    replay = &spool->replay;
    replay->calling = 0;

    /* not enough of them: the file is kept, and it is asked again */

    if (reply == NULL || reply->type == REDIS_REPLY_ERROR
        || ngx_http_sluice_wait_job(replay->link) != NGX_HTTP_SLUICE_JOB_NONE)
    {
        ngx_http_sluice_replay_later(spool, NGX_HTTP_SLUICE_REPLAY_PAUSE);
        return;
    }

    if (spool->link->cluster) {
        ngx_http_sluice_replay_ran(spool, replay->position);
        return;
    }

    ngx_http_sluice_replay_remove(spool);
}


#endif
