/*
 * A Redis Cluster: the map, and links to its nodes, by core/cluster.h.  Links
 * are made when they are first needed, or when the map is told, and end when
 * the map has their node no more and nothing is on its way.
 */

#include "ngx_http_sluice_spool.h"


/* ms until links that were busy are looked at again */
#define NGX_HTTP_SLUICE_CLUSTER_LEAVE  1000


static void ngx_http_sluice_cluster_ask(ngx_http_sluice_link_t *first);
static void ngx_http_sluice_cluster_asks(ngx_event_t *ev);
static void ngx_http_sluice_cluster_sweep(ngx_http_sluice_link_t *first);
static void ngx_http_sluice_cluster_meet(ngx_http_sluice_link_t *first);
static void ngx_http_sluice_cluster_enter(ngx_http_sluice_link_t *link,
    ngx_http_sluice_known_t *known);
static void ngx_http_sluice_cluster_entered(void *data,
    const redisReply *reply);


ngx_int_t
ngx_http_sluice_cluster_create(ngx_http_sluice_link_t *first)
{
    ngx_http_sluice_cluster_t  *cluster;

    cluster = ngx_calloc(sizeof(ngx_http_sluice_cluster_t), ngx_cycle->log);
    if (cluster == NULL) {
        return NGX_ERROR;
    }

    sluice_cluster_init(&cluster->state, &first->server->nodes);

    ngx_queue_init(&cluster->links);
    ngx_queue_init(&cluster->later);
    ngx_queue_init(&cluster->listing);

    cluster->turn.handler = ngx_http_sluice_cluster_turn;
    cluster->turn.data = first;
    cluster->turn.log = ngx_cycle->log;

    cluster->ask.handler = ngx_http_sluice_cluster_asks;
    cluster->ask.data = first;
    cluster->ask.log = ngx_cycle->log;
    cluster->ask.cancelable = 1;

    first->cluster = cluster;

    return NGX_OK;
}


void
ngx_http_sluice_cluster_destroy(ngx_http_sluice_link_t *first)
{
    ngx_queue_t                *q;
    ngx_http_sluice_cluster_t  *cluster;

    cluster = first->cluster;

    while (!ngx_queue_empty(&cluster->links)) {
        q = ngx_queue_head(&cluster->links);
        ngx_queue_remove(q);
        ngx_http_sluice_redis_destroy(ngx_queue_data(q,
                                             ngx_http_sluice_link_t, peer));
    }

    ngx_http_sluice_batch_flush(first);
    ngx_http_sluice_batch_drop(&cluster->later);

    if (cluster->turn.timer_set) {
        ngx_del_timer(&cluster->turn);
    }

    if (cluster->turn.posted) {
        ngx_delete_posted_event(&cluster->turn);
    }

    if (cluster->ask.timer_set) {
        ngx_del_timer(&cluster->ask);
    }

    if (cluster->ask.posted) {
        ngx_delete_posted_event(&cluster->ask);
    }

    /* the first one's asker has it yet */

    if (first->asker) {
        ngx_http_sluice_redis_destroy(first->asker);
        first->asker = NULL;
    }

    first->cluster = NULL;
    ngx_free(cluster);
}


ngx_uint_t
ngx_http_sluice_cluster_wake(ngx_http_sluice_link_t *first)
{
    sluice_cluster_t  *state;

    state = &first->cluster->state;

    if (state->wanted) {
        ngx_http_sluice_cluster_ask(first);
    }

    return state->map.nnodes || state->failures < state->nseeds;
}


/* Now, or when it is time */

static void
ngx_http_sluice_cluster_ask(ngx_http_sluice_link_t *first)
{
    int64_t                     due;
    sluice_node_t               node;
    ngx_http_sluice_cluster_t  *cluster;

    cluster = first->cluster;

    due = ngx_exiting && ngx_queue_empty(&cluster->later)
          ? -1 : sluice_cluster_due(&cluster->state,
                                    (int64_t) ngx_current_msec);

    if (due == 0) {
        sluice_cluster_ask(&cluster->state, (int64_t) ngx_current_msec,
                           &node);
        ngx_http_sluice_ask(first, &node);
        return;
    }

    if (due == -1) {

        if (!cluster->leaving || ngx_exiting) {
            return;
        }

        due = NGX_HTTP_SLUICE_CLUSTER_LEAVE;
    }

    if (!cluster->ask.timer_set) {
        ngx_add_timer(&cluster->ask, (ngx_msec_t) due);
    }
}


/* A timer's, or posted where the links may not be touched */

static void
ngx_http_sluice_cluster_asks(ngx_event_t *ev)
{
    ngx_http_sluice_link_t *first = ev->data;

    ngx_http_sluice_cluster_sweep(first);
    ngx_http_sluice_cluster_ask(first);
    ngx_http_sluice_batch_answer(first);
}


void
ngx_http_sluice_cluster_told(ngx_http_sluice_link_t *first)
{
    ngx_http_sluice_cluster_t  *cluster;

    cluster = first->cluster;

    if (cluster->state.failures == 0) {

        if (!cluster->told) {
            cluster->told = 1;
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                          "sluice_redis \"%V\" is a cluster of %uz nodes",
                          &first->server->name, cluster->state.map.nnodes);
        }

        ngx_http_sluice_cluster_sweep(first);
        ngx_http_sluice_cluster_meet(first);
        ngx_http_sluice_spool_ready(first);
    }

    ngx_http_sluice_cluster_kick(first);
    ngx_http_sluice_cluster_ask(first);
}


/* From a handler of an event, where nobody else has a link at hand */

static void
ngx_http_sluice_cluster_sweep(ngx_http_sluice_link_t *first)
{
    ngx_queue_t                *next, *q;
    ngx_http_sluice_link_t     *link;
    ngx_http_sluice_cluster_t  *cluster;

    cluster = first->cluster;
    cluster->leaving = 0;

    for (q = ngx_queue_head(&cluster->links);
         q != ngx_queue_sentinel(&cluster->links);
         q = next)
    {
        next = ngx_queue_next(q);
        link = ngx_queue_data(q, ngx_http_sluice_link_t, peer);

        if (sluice_cluster_has(&cluster->state, &link->target.node)) {
            continue;
        }

        if (sluice_redis_pending(link->client)) {
            cluster->leaving = 1;
            continue;
        }

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "sluice_redis \"%V\": %V has no slots any more",
                      &first->server->name, &link->host->shown);

        ngx_queue_remove(q);
        ngx_http_sluice_redis_state(link, NGX_HTTP_SLUICE_LINK_UNUSED);
        ngx_http_sluice_redis_destroy(link);
    }
}


/* So that no event waits for a connection, and their state is known */

static void
ngx_http_sluice_cluster_meet(ngx_http_sluice_link_t *first)
{
    size_t                   i;
    ngx_http_sluice_link_t  *link;

    for (i = 0; !ngx_exiting && i < first->cluster->state.map.nnodes; i++) {

        link = ngx_http_sluice_cluster_node(first,
                                     &first->cluster->state.map.nodes[i], 0);
        if (link) {
            (void) ngx_http_sluice_redis_wake(link);
        }
    }
}


ngx_http_sluice_link_t *
ngx_http_sluice_cluster_node(ngx_http_sluice_link_t *first,
    const sluice_node_t *node, ngx_uint_t nth)
{
    ngx_queue_t                *q;
    ngx_http_sluice_link_t     *link;
    ngx_http_sluice_cluster_t  *cluster;

    cluster = first->cluster;

    for (q = ngx_queue_head(&cluster->links);
         q != ngx_queue_sentinel(&cluster->links);
         q = ngx_queue_next(q))
    {
        link = ngx_queue_data(q, ngx_http_sluice_link_t, peer);

        if (link->nth == nth && sluice_node_is(&link->target.node, node)) {
            return link;
        }
    }

    link = ngx_http_sluice_redis_create(first->main, first->server,
                                        &first->server->client);
    if (link == NULL) {
        return NULL;
    }

    link->first = first;
    link->spool = first->spool;
    link->nth = nth;

    ngx_http_sluice_connect_target(link, node);
    ngx_queue_insert_tail(&cluster->links, &link->peer);

    return link;
}


ngx_http_sluice_link_t *
ngx_http_sluice_cluster_link(ngx_http_sluice_link_t *first, const void *key,
    size_t len, ngx_uint_t spread)
{
    const sluice_node_t  *node;

    node = sluice_cluster_node(&first->cluster->state, sluice_slot(key, len));

    if (node == NULL) {
        return NULL;
    }

    return ngx_http_sluice_cluster_node(first, node,
                                        spread % first->server->connections);
}


/* What is wanted is asked for when the client that was answered is done. */

void
ngx_http_sluice_cluster_judge(ngx_http_sluice_link_t *link,
    sluice_cluster_call_t *call, const redisReply *reply,
    sluice_cluster_verdict_t *verdict)
{
    ngx_http_sluice_cluster_t  *cluster;

    cluster = link->first->cluster;

    sluice_cluster_judge(&cluster->state, call, reply, &link->target.node,
                         (int64_t) ngx_current_msec, verdict);

    if (cluster->state.wanted) {
        ngx_post_event(&cluster->ask, &ngx_posted_events);
    }
}


void
ngx_http_sluice_cluster_show(ngx_http_sluice_link_t *link,
    const redisReply *reply)
{
    sluice_cluster_call_t     call;
    sluice_cluster_verdict_t  verdict;

    ngx_memzero(&call, sizeof(sluice_cluster_call_t));

    ngx_http_sluice_cluster_judge(link, &call, reply, &verdict);
}


void
ngx_http_sluice_cluster_lost(ngx_http_sluice_link_t *link)
{
    ngx_http_sluice_cluster_t  *cluster;

    cluster = link->first->cluster;

    sluice_cluster_lost(&cluster->state, &link->target.node);

    ngx_post_event(&cluster->ask, &ngx_posted_events);
}


/*
 * The registry may have lost what it was told last, when another node took the
 * place of its own: it is told again of what is known.
 */

void
ngx_http_sluice_cluster_greeted(ngx_http_sluice_link_t *link)
{
    ngx_uint_t                i;
    ngx_http_sluice_link_t   *first;
    ngx_http_sluice_known_t  *known;

    first = link->first;

    if (ngx_http_sluice_redis_route(first, SLUICE_KEYS_REGISTRY,
                                    sizeof(SLUICE_KEYS_REGISTRY) - 1)
        != link)
    {
        return;
    }

    for (i = 0; i < NGX_HTTP_SLUICE_KNOWN; i++) {
        known = first->known[i];

        if (known) {
            ngx_http_sluice_cluster_enter(link, known);
        }
    }
}


/* Nobody waits for it: what fails is done again with a later job. */

static void
ngx_http_sluice_cluster_enter(ngx_http_sluice_link_t *link,
    ngx_http_sluice_known_t *known)
{
    size_t  len;

    len = ngx_strlen(known->base);
    known->base[len - 1] = '\0';

    (void) sluice_redis_command(link->client, ngx_current_msec,
                                ngx_http_sluice_cluster_entered, link, "SADD",
                                SLUICE_KEYS_REGISTRY, (char *) known->base,
                                NULL);

    known->base[len - 1] = ':';

    ngx_post_event(&link->flush, &ngx_posted_events);
}


static void
ngx_http_sluice_cluster_entered(void *data, const redisReply *reply)
{
    if (reply && reply->type == REDIS_REPLY_ERROR) {
        ngx_http_sluice_cluster_show(data, reply);
    }
}


ngx_uint_t
ngx_http_sluice_cluster_knows(ngx_http_sluice_link_t *first,
    const u_char *base, size_t len)
{
    ngx_http_sluice_link_t   *link;
    ngx_http_sluice_known_t  *known;

    known = ngx_http_sluice_batch_known(first, base, len);

    if (known == NULL) {
        return 0;
    }

    if (ngx_current_msec - known->listed < NGX_HTTP_SLUICE_LISTED) {
        return 1;
    }

    /* the registry's node holds up nobody: it is told when it comes back */

    known->listed = ngx_current_msec;

    link = ngx_http_sluice_redis_route(first, SLUICE_KEYS_REGISTRY,
                                       sizeof(SLUICE_KEYS_REGISTRY) - 1);

    if (link && ngx_http_sluice_redis_wake(link)
        && link->state == NGX_HTTP_SLUICE_LINK_READY)
    {
        ngx_http_sluice_cluster_enter(link, known);
    }

    return 1;
}


ngx_uint_t
ngx_http_sluice_cluster_usable(ngx_http_sluice_link_t *first, ngx_uint_t *away)
{
    ngx_uint_t               usable;
    ngx_queue_t             *q;
    ngx_http_sluice_link_t  *link;

    usable = 0;
    *away = 0;

    for (q = ngx_queue_head(&first->cluster->links);
         q != ngx_queue_sentinel(&first->cluster->links);
         q = ngx_queue_next(q))
    {
        link = ngx_queue_data(q, ngx_http_sluice_link_t, peer);

        if (ngx_http_sluice_redis_usable(link)) {
            usable++;

        } else {
            (*away)++;
        }
    }

    return usable;
}


size_t
ngx_http_sluice_cluster_pending(const ngx_http_sluice_link_t *first)
{
    size_t                   n;
    ngx_queue_t             *q;
    ngx_http_sluice_link_t  *link;

    for (n = first->cluster->nlater,
             q = ngx_queue_head(&first->cluster->links);
         q != ngx_queue_sentinel(&first->cluster->links);
         q = ngx_queue_next(q))
    {
        link = ngx_queue_data(q, ngx_http_sluice_link_t, peer);
        n += sluice_redis_pending(link->client);
    }

    return n;
}
