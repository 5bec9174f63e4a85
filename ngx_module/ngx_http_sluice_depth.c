/*
 * sluice_queue_limit NUMBER [medium=NUMBER] [low=NUMBER] | off
 *
 * How many jobs wait in a queue is asked beside the traffic, at most once a
 * second for a queue with traffic, and no request waits for the answer.  In
 * between this process adds the jobs that it has stored itself: those alone,
 * or what a rate refuses, or a duplicate, would close the gate for others.
 */

#include "ngx_http_sluice_link.h"


#define NGX_HTTP_SLUICE_DEPTHS        1024   /* queues that are known */
#define NGX_HTTP_SLUICE_DEPTH_ASK     1000   /* ms from answer to question */
#define NGX_HTTP_SLUICE_DEPTH_KNOWN   5000   /* ms for which it is believed */


typedef struct {
    ngx_str_node_t                  sn;         /* by the queue's base */
    ngx_queue_t                     used;       /* the latest first */
    int64_t                         waiting;
    int64_t                         sum;        /* of the answers so far */
    ngx_msec_t                      since;      /* when it was known */
    ngx_uint_t                      asked;      /* answers that are missing */
    unsigned                        tried:1;
    unsigned                        known:1;
    unsigned                        failed:1;
    u_char                          base[1];    /* sn.str is there */
} ngx_http_sluice_depth_t;

struct ngx_http_sluice_depths_s {
    ngx_uint_t                      n;
    ngx_queue_t                     used;
    ngx_rbtree_t                    rbtree;
    ngx_rbtree_node_t               sentinel;
};


static char *ngx_http_sluice_depth_parameter(ngx_conf_t *cf, ngx_str_t *value,
    const char *name, int64_t *number);
static ngx_int_t ngx_http_sluice_depth_check(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_loc_conf_t *conf);
static ngx_uint_t ngx_http_sluice_depth_over(ngx_http_sluice_link_t *link,
    ngx_str_t *base, int64_t limit);
static ngx_http_sluice_depth_t *ngx_http_sluice_depth_get(
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


char *
ngx_http_sluice_queue_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sluice_loc_conf_t *lcf = conf;

    char        *rv;
    int64_t     *limits;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (lcf->depth != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0 && cf->args->nelts == 2) {
        lcf->depth = NULL;
        return NGX_CONF_OK;
    }

    limits = ngx_pcalloc(cf->pool, NGX_HTTP_SLUICE_CLASSES * sizeof(int64_t));
    if (limits == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (i == 1) {
            rv = ngx_http_sluice_depth_parameter(cf, &value[i], "",
                                                 &limits[0]);

        } else if (ngx_strncmp(value[i].data, "medium=", 7) == 0) {
            rv = ngx_http_sluice_depth_parameter(cf, &value[i], "medium=",
                                                 &limits[1]);

        } else if (ngx_strncmp(value[i].data, "low=", 4) == 0) {
            rv = ngx_http_sluice_depth_parameter(cf, &value[i], "low=",
                                                 &limits[2]);

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" of "
                               "\"sluice_queue_limit\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    for (i = 1; i < NGX_HTTP_SLUICE_CLASSES; i++) {

        if (limits[i] == 0) {
            limits[i] = limits[i - 1];
        }

        if (limits[i] > limits[i - 1]) {
            return "has a lower class with a higher number: "
                   "the lower one is refused first";
        }
    }

    lcf->depth = limits;

    return NGX_CONF_OK;
}


static char *
ngx_http_sluice_depth_parameter(ngx_conf_t *cf, ngx_str_t *value,
    const char *name, int64_t *number)
{
    size_t     skip;
    ngx_int_t  n;

    skip = ngx_strlen(name);
    n = ngx_atoi(value->data + skip, value->len - skip);

    if (n == NGX_ERROR || n == 0 || *number) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number \"%V\" in \"sluice_queue_limit\"",
                           value);
        return NGX_CONF_ERROR;
    }

    *number = n;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_sluice_depth_step(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf)
{
    ngx_int_t               rc;

    static const ngx_str_t  detail = ngx_string("the queue is full");

    rc = ngx_http_sluice_depth_check(r, &ctx->item, conf);

    if (rc == NGX_OK) {
        return NGX_DECLINED;
    }

    if (rc != NGX_BUSY) {
        ngx_http_sluice_status_outcome(ctx, NGX_HTTP_SLUICE_FAILED);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_log_error(conf->limit_log_level, r->connection->log, 0,
                  "sluice %s the request: too many jobs wait in \"%V\"",
                  conf->limit_dry_run ? "would limit" : "limited",
                  &ctx->item.base);

    if (conf->limit_dry_run) {
        ctx->dry_run = 1;
        ctx->process->slot->limits[NGX_HTTP_SLUICE_LIMIT_DRY_RUN]++;

        return NGX_DECLINED;
    }

    ctx->limited = 1;
    ctx->process->slot->limits[NGX_HTTP_SLUICE_LIMIT_QUEUE]++;

    ngx_http_sluice_status_outcome(ctx, NGX_HTTP_SLUICE_LIMITED);

    return ngx_http_sluice_refuse_later(r, conf->limit_status, &detail);
}


/* NGX_OK; NGX_BUSY: too many wait for the class of the item; NGX_ERROR */

static ngx_int_t
ngx_http_sluice_depth_check(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_loc_conf_t *conf)
{
    ngx_uint_t                    class;
    ngx_http_sluice_link_t       *link;
    ngx_http_sluice_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_sluice_module);

    if (ngx_http_sluice_enqueue_priority(r, item, conf->enqueue) != NGX_OK) {
        return NGX_ERROR;
    }

    link = ngx_http_sluice_redis_link(mcf, conf->enqueue->server);
    if (link == NULL) {
        return NGX_ERROR;
    }

    /* high is 0, medium 10, low 100; numbers in between are the next lower */

    class = (item->priority == 0) ? 0 : (item->priority <= 10) ? 1 : 2;

    return ngx_http_sluice_depth_over(link, &item->base, conf->depth[class])
           ? NGX_BUSY : NGX_OK;
}


static ngx_uint_t
ngx_http_sluice_depth_over(ngx_http_sluice_link_t *link,
    ngx_str_t *base, int64_t limit)
{
    ngx_msec_t                age;
    ngx_http_sluice_depth_t  *depth;

    depth = ngx_http_sluice_depth_get(link, base);
    if (depth == NULL) {
        return 0;
    }

    age = ngx_current_msec - depth->since;

    if (depth->asked == 0
        && (!depth->tried || age >= NGX_HTTP_SLUICE_DEPTH_ASK))
    {
        ngx_http_sluice_depth_ask(link, depth);
    }

    if (!depth->known || age > NGX_HTTP_SLUICE_DEPTH_KNOWN) {
        return 0;
    }

    return depth->waiting >= limit;
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
    ngx_uint_t  i;
    char        key[SLUICE_KEYS_MAX + sizeof("prioritized")];

    if (link->state != NGX_HTTP_SLUICE_LINK_READY) {
        return;
    }

    depth->sum = 0;
    depth->failed = 0;

    for (i = 0; ngx_http_sluice_depth_keys[i].command; i++) {

        *ngx_sprintf((u_char *) key, "%V%s", &depth->sn.str,
                     ngx_http_sluice_depth_keys[i].suffix) = '\0';

        if (sluice_redis_command(link->client, ngx_current_msec,
                                 ngx_http_sluice_depth_reply, depth,
                                 ngx_http_sluice_depth_keys[i].command, key,
                                 NULL)
            != SLUICE_REDIS_OK)
        {
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

    } else {
        depth->sum += reply->integer;
    }

    if (depth->asked == 0) {
        depth->waiting = depth->sum;
        depth->since = ngx_current_msec;
        depth->known = !depth->failed;
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
