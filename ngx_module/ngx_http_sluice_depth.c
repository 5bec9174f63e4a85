/*
 * The gate of sluice_queue_limit: how many jobs wait in a queue, and what
 * becomes of an event when they are too many.
 *
 * How many jobs wait in a queue is asked beside the traffic, at most once a
 * second for a queue with traffic, and no request waits for the answer.  In
 * between this process adds the jobs that it has stored itself: those alone,
 * or what a rate refuses, or a duplicate, would close the gate for others.
 */

#include "ngx_http_sluice_spool.h"


#define NGX_HTTP_SLUICE_DEPTHS        1024   /* queues that are known */
#define NGX_HTTP_SLUICE_DEPTH_ASK     1000   /* ms from answer to question */
#define NGX_HTTP_SLUICE_DEPTH_KNOWN   5000   /* ms for which it is believed */
#define NGX_HTTP_SLUICE_DEPTH_FRESH   2000   /* the same, for the replay */


typedef struct {
    ngx_str_node_t                  sn;         /* by the queue's base */
    ngx_queue_t                     used;       /* the latest first */
    int64_t                         waiting;
    int64_t                         sum;        /* of the answers so far */
    ngx_msec_t                      since;      /* when it was known */
    ngx_uint_t                      asked;      /* answers that are missing */
    const int64_t                  *limits;     /* of a location, or NULL */
    ngx_http_sluice_link_t         *link;       /* that was asked */
    unsigned                        tried:1;
    unsigned                        known:1;
    unsigned                        failed:1;
    unsigned                        answered:1; /* known, or not to be known */
    u_char                          base[1];    /* sn.str is there */
} ngx_http_sluice_depth_t;

struct ngx_http_sluice_depths_s {
    ngx_uint_t                      n;
    ngx_queue_t                     used;
    ngx_rbtree_t                    rbtree;
    ngx_rbtree_node_t               sentinel;
};


static ngx_uint_t ngx_http_sluice_depth_over(ngx_http_sluice_link_t *link,
    ngx_str_t *base, const int64_t *limits, ngx_uint_t class,
    ngx_uint_t half);
static ngx_http_sluice_depth_t *ngx_http_sluice_depth_get(
    ngx_http_sluice_link_t *link, ngx_str_t *base);
static ngx_http_sluice_depth_t *ngx_http_sluice_depth_fresh(
    ngx_http_sluice_link_t *link, ngx_str_t *base);
static void ngx_http_sluice_depth_ask(ngx_http_sluice_link_t *link,
    ngx_http_sluice_depth_t *depth);
static void ngx_http_sluice_depth_reply(void *data, const redisReply *reply);


/* The keys of jobs that wait, of BullMQ 5 and 6 */

static const struct {
    const char  *command;
    const char  *suffix;
} ngx_http_sluice_depth_keys[] = {
    { "LLEN", "wait" },
    { "LLEN", "paused" },
    { "ZCARD", "prioritized" },
    { NULL, NULL }
};


/* high is 0, medium 10, low 100; numbers in between are the next lower */

ngx_uint_t
ngx_http_sluice_depth_class(int64_t priority)
{
    return (priority == 0) ? 0 : (priority <= 10) ? 1 : 2;
}


ngx_int_t
ngx_http_sluice_depth_step(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf)
{
    ngx_int_t  rc;

    rc = ngx_http_sluice_depth_gate(r, ctx, conf, ctx->body.len);

    if (rc == NGX_OK) {
        return NGX_DECLINED;
    }

    if (rc != NGX_BUSY) {
        ngx_http_sluice_status_outcome(ctx, NGX_HTTP_SLUICE_FAILED);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_sluice_depth_refuse(r, ctx, conf);
}


ngx_int_t
ngx_http_sluice_depth_refuse(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf)
{
    static const ngx_str_t  detail = ngx_string("the queue is full");

    ngx_http_sluice_status_outcome(ctx, NGX_HTTP_SLUICE_LIMITED);

    return ngx_http_sluice_refuse_later(r, conf->limit_status, &detail);
}


ngx_int_t
ngx_http_sluice_depth_gate(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf, size_t size)
{
    ngx_uint_t                    class, held;
    const char                   *what;
    ngx_http_sluice_item_t       *item;
    ngx_http_sluice_link_t       *link;
    ngx_http_sluice_limit_e       done;
    ngx_http_sluice_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_sluice_module);
    item = &ctx->item;
    item->held = 0;

    if (ngx_http_sluice_enqueue_priority(r, item, conf->enqueue) != NGX_OK) {
        return NGX_ERROR;
    }

    link = ngx_http_sluice_redis_link(mcf, conf->enqueue->server);
    if (link == NULL) {
        return NGX_ERROR;
    }

    class = ngx_http_sluice_depth_class(item->priority);

    /* those on the disk come first, as long as the queue is not half empty */

    held = conf->depth->spool
           && ngx_http_sluice_held_any(link, &item->base, class);

    if (!ngx_http_sluice_depth_over(link, &item->base, conf->depth->limits,
                                    class, held))
    {
        return NGX_OK;
    }

    if (conf->limit_dry_run) {
        what = "would limit";
        done = NGX_HTTP_SLUICE_LIMIT_DRY_RUN;
        ctx->dry_run = 1;

    } else if (conf->depth->spool
               && ngx_http_sluice_held_takes(link, &item->base, class, size))
    {
        what = "spools";
        done = NGX_HTTP_SLUICE_LIMIT_SPOOLED;
        item->held = 1;

    } else {
        what = "limited";
        done = NGX_HTTP_SLUICE_LIMIT_QUEUE;
        ctx->limited = 1;
    }

    ctx->process->slot->limits[done]++;

    ngx_log_error(conf->limit_log_level, r->connection->log, 0,
                  "sluice %s the request: too many jobs wait in \"%V\"",
                  what, &item->base);

    return (done == NGX_HTTP_SLUICE_LIMIT_QUEUE) ? NGX_BUSY : NGX_OK;
}


static ngx_uint_t
ngx_http_sluice_depth_over(ngx_http_sluice_link_t *link, ngx_str_t *base,
    const int64_t *limits, ngx_uint_t class, ngx_uint_t half)
{
    ngx_http_sluice_depth_t  *depth;

    depth = ngx_http_sluice_depth_fresh(link, base);

    if (depth == NULL) {
        return 0;
    }

    depth->limits = limits;

    if (!depth->known
        || ngx_current_msec - depth->since > NGX_HTTP_SLUICE_DEPTH_KNOWN)
    {
        return 0;
    }

    return depth->waiting >= (half ? limits[class] / 2 : limits[class]);
}


size_t
ngx_http_sluice_depth_room(ngx_http_sluice_link_t *link, ngx_str_t *base,
    ngx_uint_t class)
{
    int64_t                   limit;
    ngx_http_sluice_depth_t  *depth;

    limit = link->main->held[class];

    if (limit == 0) {
        return NGX_MAX_SIZE_T_VALUE;
    }

    depth = ngx_http_sluice_depth_fresh(link, base);

    if (depth == NULL || !depth->answered
        || ngx_current_msec - depth->since > NGX_HTTP_SLUICE_DEPTH_FRESH)
    {
        return 0;
    }

    if (!depth->known) {
        return NGX_MAX_SIZE_T_VALUE;
    }

    if (depth->limits) {
        limit = depth->limits[class];
    }

    return (depth->waiting < limit) ? (size_t) (limit - depth->waiting) : 0;
}


void
ngx_http_sluice_depth_add(ngx_http_sluice_link_t *link, const u_char *base,
    size_t len, ngx_uint_t n)
{
    ngx_str_t                 name;
    ngx_http_sluice_depth_t  *depth;

    if (link->depths == NULL) {
        return;
    }

    name.data = (u_char *) base;
    name.len = len;

    depth = (ngx_http_sluice_depth_t *)
                ngx_str_rbtree_lookup(&link->depths->rbtree, &name,
                                      ngx_crc32_short(name.data, name.len));
    if (depth) {
        depth->waiting += n;
    }
}


/* What is known of the queue; asks about it when that is some time ago. */

static ngx_http_sluice_depth_t *
ngx_http_sluice_depth_fresh(ngx_http_sluice_link_t *link, ngx_str_t *base)
{
    ngx_http_sluice_depth_t  *depth;

    depth = ngx_http_sluice_depth_get(link, base);

    if (depth && depth->asked == 0
        && (!depth->tried
            || ngx_current_msec - depth->since >= NGX_HTTP_SLUICE_DEPTH_ASK))
    {
        ngx_http_sluice_depth_ask(link, depth);
    }

    return depth;
}


/* NULL: all that are known have a question on its way, or no memory */

static ngx_http_sluice_depth_t *
ngx_http_sluice_depth_get(ngx_http_sluice_link_t *link, ngx_str_t *base)
{
    uint32_t                   hash;
    ngx_http_sluice_depth_t   *depth;
    ngx_http_sluice_depths_t  *depths;

    depths = link->depths;

    if (depths == NULL) {
        depths = ngx_calloc(sizeof(ngx_http_sluice_depths_t), ngx_cycle->log);
        if (depths == NULL) {
            return NULL;
        }

        ngx_queue_init(&depths->used);
        ngx_rbtree_init(&depths->rbtree, &depths->sentinel,
                        ngx_str_rbtree_insert_value);

        link->depths = depths;
    }

    hash = ngx_crc32_short(base->data, base->len);
    depth = (ngx_http_sluice_depth_t *)
                ngx_str_rbtree_lookup(&depths->rbtree, base, hash);

    if (depth) {
        ngx_queue_remove(&depth->used);
        ngx_queue_insert_head(&depths->used, &depth->used);

        return depth;
    }

    if (depths->n == NGX_HTTP_SLUICE_DEPTHS) {
        depth = ngx_queue_data(ngx_queue_last(&depths->used),
                               ngx_http_sluice_depth_t, used);

        if (depth->asked) {
            return NULL;
        }

        ngx_queue_remove(&depth->used);
        ngx_rbtree_delete(&depths->rbtree, &depth->sn.node);
        ngx_free(depth);
        depths->n--;
    }

    depth = ngx_calloc(sizeof(ngx_http_sluice_depth_t) + base->len,
                       ngx_cycle->log);
    if (depth == NULL) {
        return NULL;
    }

    ngx_memcpy(depth->base, base->data, base->len);
    depth->sn.node.key = hash;
    depth->sn.str.data = depth->base;
    depth->sn.str.len = base->len;

    ngx_rbtree_insert(&depths->rbtree, &depth->sn.node);
    ngx_queue_insert_head(&depths->used, &depth->used);
    depths->n++;

    return depth;
}


/* The commands go out with those of this turn. */

static void
ngx_http_sluice_depth_ask(ngx_http_sluice_link_t *link,
    ngx_http_sluice_depth_t *depth)
{
    u_char                 *p;
    ngx_uint_t              i;
    const char             *command;
    sluice_redis_t         *client;
    sluice_redis_result_e   result;
    char                    key[SLUICE_KEYS_MAX + sizeof("prioritized")];

    link = ngx_http_sluice_redis_route(link, depth->base, depth->sn.str.len);

    if (link == NULL) {
        return;
    }

    depth->link = link;

    if (link->state != NGX_HTTP_SLUICE_LINK_READY) {
        return;
    }

    depth->sum = 0;
    depth->failed = 0;
    client = link->client;

    for (i = 0; ngx_http_sluice_depth_keys[i].command; i++) {

        command = ngx_http_sluice_depth_keys[i].command;
        p = ngx_sprintf((u_char *) key, "%V%s", &depth->sn.str,
                        ngx_http_sluice_depth_keys[i].suffix);

        result = sluice_redis_begin(client, 2, ngx_current_msec);

        if (result == SLUICE_REDIS_OK) {
            sluice_redis_arg(client, command, ngx_strlen(command));
            sluice_redis_arg(client, key, p - (u_char *) key);

            /* jobs that were stored before are added before */

            sluice_redis_hold(client);
            result = sluice_redis_end(client, ngx_http_sluice_depth_reply,
                                      depth);
        }

        if (result != SLUICE_REDIS_OK) {
            depth->failed = 1;
            break;
        }

        depth->asked++;
        depth->tried = 1;
    }

    ngx_post_event(&link->flush, &ngx_posted_events);
}


/* What is not known is not refused: Redis says itself what it cannot take. */

static void
ngx_http_sluice_depth_reply(void *data, const redisReply *reply)
{
    ngx_http_sluice_depth_t *depth = data;

    depth->asked--;

    if (reply == NULL || reply->type != REDIS_REPLY_INTEGER) {
        depth->failed = 1;

        if (depth->link->first->cluster) {
            ngx_http_sluice_cluster_show(depth->link, reply);
        }

    } else {
        depth->sum += reply->integer;
    }

    if (depth->asked == 0) {
        depth->waiting = depth->sum;
        depth->since = ngx_current_msec;
        depth->known = !depth->failed;
        depth->answered = (reply != NULL);
    }
}


void
ngx_http_sluice_depth_release(ngx_http_sluice_link_t *link)
{
    ngx_queue_t  *q;

    if (link->depths == NULL) {
        return;
    }

    while (!ngx_queue_empty(&link->depths->used)) {
        q = ngx_queue_head(&link->depths->used);
        ngx_queue_remove(q);
        ngx_free(ngx_queue_data(q, ngx_http_sluice_depth_t, used));
    }

    ngx_free(link->depths);
    link->depths = NULL;
}
