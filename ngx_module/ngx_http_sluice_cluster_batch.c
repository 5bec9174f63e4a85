/*
 * A batch on its way through a cluster.  It waits in `listing` for the answer
 * of the registry, in `later` for a map, an owner of its slot or the end of the
 * slot's move, and in `sent` of a link for the answer to its call.
 */

#include "ngx_http_sluice_spool.h"


static void ngx_http_sluice_cluster_list(ngx_http_sluice_batch_t *batch,
    ngx_http_sluice_link_t *link, ngx_uint_t asking);
static void ngx_http_sluice_cluster_listed(void *data,
    const redisReply *reply);
static ngx_http_sluice_link_t *ngx_http_sluice_cluster_ready(
    ngx_http_sluice_batch_t *batch, const void *key, size_t len,
    ngx_uint_t spread);
static void ngx_http_sluice_cluster_later(ngx_http_sluice_batch_t *batch,
    ngx_msec_t wait);


void
ngx_http_sluice_cluster_batch(ngx_http_sluice_batch_t *batch)
{
    ngx_http_sluice_link_t  *first, *link;

    first = batch->link->first;

    /* a link of the last try may be gone */

    batch->link = first;

    if (!batch->begun) {
        ngx_memzero(&batch->routing, sizeof(sluice_cluster_call_t));
        batch->routing.until = (int64_t) ngx_current_msec
                               + (int64_t) first->server->timeout;
        batch->begun = 1;
        batch->unlisted = 0;
    }

    if (!batch->unlisted
        && !ngx_http_sluice_cluster_knows(first, batch->base, batch->len))
    {
        link = ngx_http_sluice_cluster_ready(batch, SLUICE_KEYS_REGISTRY,
                                         sizeof(SLUICE_KEYS_REGISTRY) - 1, 0);
        if (link) {
            ngx_http_sluice_cluster_list(batch, link, 0);
        }

        return;
    }

    link = ngx_http_sluice_cluster_ready(batch, batch->base, batch->len,
                                         batch->hash);
    if (link) {
        batch->link = link;
        batch->routing.whole = 0;

        ngx_http_sluice_batch_call(batch);
        ngx_post_event(&link->flush, &ngx_posted_events);
    }
}


/* The link that a key is to be asked for on; NULL: the batch is seen to. */

static ngx_http_sluice_link_t *
ngx_http_sluice_cluster_ready(ngx_http_sluice_batch_t *batch, const void *key,
    size_t len, ngx_uint_t spread)
{
    ngx_uint_t               map;
    ngx_http_sluice_link_t  *first, *link;

    first = batch->link;
    map = ngx_http_sluice_redis_wake(first);
    link = ngx_http_sluice_cluster_link(first, key, len, spread);

    if (link == NULL && map) {
        ngx_http_sluice_cluster_later(batch, SLUICE_CLUSTER_PAUSE);
        return NULL;
    }

    if (link == NULL || !ngx_http_sluice_redis_wake(link)
        || !ngx_http_sluice_redis_takes(link))
    {
        ngx_http_sluice_batch_keep(batch, 0, NGX_HTTP_SLUICE_JOB_AWAY);
        return NULL;
    }

    return link;
}


/* The queue into the registry, before its first job */

static void
ngx_http_sluice_cluster_list(ngx_http_sluice_batch_t *batch,
    ngx_http_sluice_link_t *link, ngx_uint_t asking)
{
    sluice_redis_result_e  result;

    batch->link = link;
    batch->routing.whole = 1;
    batch->base[batch->len - 1] = '\0';

    result = SLUICE_REDIS_OK;

    if (asking) {
        result = sluice_redis_command(link->client, ngx_current_msec, NULL,
                                      NULL, "ASKING", NULL);
    }

    if (result == SLUICE_REDIS_OK) {
        result = sluice_redis_command(link->client, ngx_current_msec,
                                      ngx_http_sluice_cluster_listed, batch,
                                      "SADD", SLUICE_KEYS_REGISTRY,
                                      (char *) batch->base, NULL);
    }

    batch->base[batch->len - 1] = ':';

    if (result != SLUICE_REDIS_OK) {
        ngx_http_sluice_batch_keep(batch, 0, NGX_HTTP_SLUICE_JOB_FULL);
        return;
    }

    ngx_queue_insert_tail(&link->first->cluster->listing, &batch->queue);
    ngx_post_event(&link->flush, &ngx_posted_events);
}


/*
 * A registry that is no set, or that this user may not write, is no reason to
 * refuse events: on one server it is none either.
 */

static void
ngx_http_sluice_cluster_listed(void *data, const redisReply *reply)
{
    ngx_http_sluice_batch_t *batch = data;

    ngx_http_sluice_link_t    *link;
    sluice_cluster_verdict_t   verdict;

    link = batch->link;

    ngx_queue_remove(&batch->queue);

    if (reply == NULL) {
        ngx_http_sluice_batch_keep(batch, 0, NGX_HTTP_SLUICE_JOB_AWAY);
        return;
    }

    switch (sluice_redis_reply_kind(reply)) {

    case SLUICE_REDIS_REPLY_OK:
        ngx_http_sluice_batch_learn(link->first, batch->base, batch->len);

        /* another queue may have its place before this one is written */

        batch->unlisted = 1;
        break;

    case SLUICE_REDIS_REPLY_WRONG:
    case SLUICE_REDIS_REPLY_DENIED:
        ngx_http_sluice_batch_complain(batch, reply);
        batch->unlisted = 1;
        break;

    default:
        ngx_http_sluice_cluster_judge(link, &batch->routing, reply, &verdict);

        if (verdict.verdict == SLUICE_CLUSTER_DELIVER) {
            ngx_http_sluice_batch_complain(batch, reply);
            ngx_http_sluice_batch_keep(batch, 0,
                                    ngx_http_sluice_batch_error(link, reply));
            return;
        }

        if (verdict.verdict == SLUICE_CLUSTER_LATER) {
            ngx_http_sluice_cluster_later(batch, (ngx_msec_t) verdict.wait);
            return;
        }

        if (verdict.verdict == SLUICE_CLUSTER_ASK) {
            link = ngx_http_sluice_cluster_node(link->first, &verdict.node, 0);

            if (link == NULL || !ngx_http_sluice_redis_wake(link)) {
                ngx_http_sluice_batch_keep(batch, 0,
                                           NGX_HTTP_SLUICE_JOB_AWAY);
                return;
            }

            ngx_http_sluice_cluster_list(batch, link, 1);
            return;
        }
    }

    ngx_http_sluice_batch_again(batch);
}


ngx_uint_t
ngx_http_sluice_cluster_again(ngx_http_sluice_batch_t *batch,
    const redisReply *reply)
{
    sluice_cluster_verdict_t  verdict;

    ngx_http_sluice_cluster_judge(batch->link, &batch->routing, reply,
                                  &verdict);

    switch (verdict.verdict) {

    case SLUICE_CLUSTER_DELIVER:
        return 0;

    case SLUICE_CLUSTER_LATER:
        ngx_http_sluice_cluster_later(batch, (ngx_msec_t) verdict.wait);
        return 1;

    default:
        ngx_http_sluice_batch_again(batch);
        return 1;
    }
}


/* What waits is bounded as what is on its way over a connection is. */

static void
ngx_http_sluice_cluster_later(ngx_http_sluice_batch_t *batch, ngx_msec_t wait)
{
    ngx_msec_int_t              left;
    ngx_http_sluice_cluster_t  *cluster;

    cluster = batch->link->first->cluster;

    left = (ngx_msec_int_t) ((ngx_msec_t) batch->routing.until
                             - ngx_current_msec);

    if (left <= 0) {
        ngx_http_sluice_batch_keep(batch, 0, NGX_HTTP_SLUICE_JOB_AWAY);
        return;
    }

    if (cluster->nlater == NGX_HTTP_SLUICE_COMMANDS
        || cluster->bytes + batch->bytes > NGX_HTTP_SLUICE_BYTES)
    {
        ngx_http_sluice_batch_keep(batch, 0, NGX_HTTP_SLUICE_JOB_FULL);
        return;
    }

    wait = ngx_min(ngx_max(wait, 1), (ngx_msec_t) left);

    batch->link = batch->link->first;
    batch->due = ngx_current_msec + wait;

    ngx_queue_insert_tail(&cluster->later, &batch->queue);
    cluster->nlater++;
    cluster->bytes += batch->bytes;

    /* ngx_add_timer() leaves one that is set a little later as it is */

    if (cluster->turn.timer_set
        && (ngx_msec_int_t) (cluster->turn.timer.key - batch->due) > 0)
    {
        ngx_del_timer(&cluster->turn);
    }

    if (!cluster->turn.timer_set) {
        ngx_add_timer(&cluster->turn, wait);
    }
}


void
ngx_http_sluice_cluster_kick(ngx_http_sluice_link_t *first)
{
    ngx_queue_t                *q;
    ngx_http_sluice_batch_t    *batch;
    ngx_http_sluice_cluster_t  *cluster;

    cluster = first->cluster;

    for (q = ngx_queue_head(&cluster->later);
         q != ngx_queue_sentinel(&cluster->later);
         q = ngx_queue_next(q))
    {
        batch = ngx_queue_data(q, ngx_http_sluice_batch_t, queue);
        batch->due = ngx_current_msec;
    }

    if (!ngx_queue_empty(&cluster->later)) {
        ngx_post_event(&cluster->turn, &ngx_posted_events);
    }
}


/* Those that are due, in their order */

void
ngx_http_sluice_cluster_turn(ngx_event_t *ev)
{
    ngx_http_sluice_link_t *first = ev->data;

    ngx_uint_t                  n;
    ngx_msec_t                  next;
    ngx_queue_t                *q;
    ngx_msec_int_t              left;
    ngx_http_sluice_batch_t    *batch;
    ngx_http_sluice_cluster_t  *cluster;

    cluster = first->cluster;
    next = NGX_TIMER_INFINITE;

    /* each once: what waits again is behind them */

    for (n = cluster->nlater; n; n--) {
        q = ngx_queue_head(&cluster->later);
        batch = ngx_queue_data(q, ngx_http_sluice_batch_t, queue);

        ngx_queue_remove(q);

        left = (ngx_msec_int_t) (batch->due - ngx_current_msec);

        if (left > 0) {
            ngx_queue_insert_tail(&cluster->later, q);
            next = ngx_min(next, (ngx_msec_t) left);
            continue;
        }

        cluster->nlater--;
        cluster->bytes -= batch->bytes;

        ngx_http_sluice_batch_again(batch);
    }

    if (next != NGX_TIMER_INFINITE && !cluster->turn.timer_set) {
        ngx_add_timer(&cluster->turn, next);
    }

    ngx_http_sluice_batch_answer(first);
}
