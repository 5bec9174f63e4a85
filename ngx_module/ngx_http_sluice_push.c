/*
 * The content: the request's items become jobs, are sent to Redis, and the
 * last result answers.
 */

#include "ngx_http_sluice_split.h"
#include "ngx_http_sluice_spool.h"


static ngx_int_t ngx_http_sluice_send(ngx_http_sluice_link_t *link,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_loc_conf_t *conf);
static ngx_int_t ngx_http_sluice_answer(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx);
static void ngx_http_sluice_answer_count(ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf,
    ngx_http_sluice_counter_e outcome);
static void ngx_http_sluice_request_gone(void *data);


ngx_int_t
ngx_http_sluice_push(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf)
{
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    ngx_http_cleanup_t           *cln;
    ngx_http_sluice_link_t       *link;
    ngx_http_sluice_main_conf_t  *mcf;

    if (ctx->job == NGX_HTTP_SLUICE_JOB_WAITING) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    mcf = ngx_http_get_module_main_conf(r, ngx_http_sluice_module);

    link = ngx_http_sluice_redis_link(mcf, conf->enqueue->server);

    if (link) {
        link = ngx_http_sluice_redis_choose(link, r->connection);
    }

    if (conf->split) {
        rc = ngx_http_sluice_split_jobs(r, ctx, conf);

    } else {
        rc = ngx_http_sluice_enqueue_job(r, &ctx->item, conf);
        ctx->items = &ctx->item;
        ctx->nitems = 1;
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_sluice_refuse_large(r, ctx);
    }

    if (rc == NGX_BUSY) {
        ngx_http_sluice_status_outcome(ctx, NGX_HTTP_SLUICE_FAILED);
        return ngx_http_sluice_refuse_unavailable(r);
    }

    if (link == NULL || rc != NGX_OK) {
        ngx_http_sluice_status_outcome(ctx, NGX_HTTP_SLUICE_FAILED);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        ngx_http_sluice_status_outcome(ctx, NGX_HTTP_SLUICE_FAILED);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_sluice_request_gone;
    cln->data = ctx;

    ctx->asked = ngx_current_msec;
    ctx->took = 0;
    ctx->waiting = 0;

    for (i = 0; i < ctx->nitems; i++) {

        if (ctx->items[i].job == NGX_HTTP_SLUICE_JOB_LIMITED) {
            continue;
        }

        if (ngx_http_sluice_send(link, &ctx->items[i], conf) == NGX_OK) {
            ctx->waiting++;
        }
    }

    if (ctx->waiting == 0) {
        return ngx_http_sluice_answer(r, ctx);
    }

    ctx->job = NGX_HTTP_SLUICE_JOB_WAITING;

    return NGX_DONE;
}


/*
 * NGX_OK: the item is on its way, to the spool when there is one and Redis is
 * away; else its job says why it is not.
 */

static ngx_int_t
ngx_http_sluice_send(ngx_http_sluice_link_t *link,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_loc_conf_t *conf)
{
    if (!ngx_http_sluice_redis_wake(link) && link->spool == NULL) {
        item->job = NGX_HTTP_SLUICE_JOB_AWAY;
        return NGX_ERROR;
    }

    if (ngx_http_sluice_batch_add(link, item, conf->enqueue->major) != NGX_OK)
    {
        item->job = NGX_HTTP_SLUICE_JOB_FULL;
        return NGX_ERROR;
    }

    item->job = NGX_HTTP_SLUICE_JOB_WAITING;

    return NGX_OK;
}


void
ngx_http_sluice_enqueued(ngx_http_sluice_item_t *item)
{
    ngx_connection_t       *c;
    ngx_http_request_t     *r;
    ngx_http_sluice_ctx_t  *ctx;

    ctx = item->ctx;
    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "sluice enqueued: %d, \"%V\"", item->job, &item->id);

    ngx_http_sluice_seen(item);

    if (--ctx->waiting) {
        return;
    }

    ctx->took = ngx_current_msec - ctx->asked;

    ngx_http_sluice_status_took(ctx->process, ctx->took);

    ngx_http_finalize_request(r, ngx_http_sluice_answer(r, ctx));

    /* r may be gone, and nobody else runs what the finalizing has posted */

    ngx_http_run_posted_requests(c);
}


/*
 * The request's job is that of the first item that could not be stored; else
 * it is limited, when one was; else it is accepted, or a duplicate when all of
 * its items are.
 */

static ngx_int_t
ngx_http_sluice_answer(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx)
{
    ngx_str_t                          empty;
    ngx_uint_t                         failed, i, limited;
    const ngx_http_sluice_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_sluice_module);

    failed = 0;
    limited = 0;
    ctx->job = NGX_HTTP_SLUICE_JOB_DUPLICATE;

    for (i = 0; i < ctx->nitems; i++) {

        switch (ctx->items[i].job) {

        case NGX_HTTP_SLUICE_JOB_ACCEPTED:
            ngx_http_sluice_answer_count(ctx, conf,
                                         NGX_HTTP_SLUICE_ENQUEUED);
            ctx->process->slot->quarantined += ctx->items[i].quarantined;

            if (!failed) {
                ctx->job = NGX_HTTP_SLUICE_JOB_ACCEPTED;
            }

            break;

        case NGX_HTTP_SLUICE_JOB_SPOOLED:
            ngx_http_sluice_answer_count(ctx, conf,
                                         NGX_HTTP_SLUICE_SPOOLED);

            if (!failed && ctx->job == NGX_HTTP_SLUICE_JOB_DUPLICATE) {
                ctx->job = NGX_HTTP_SLUICE_JOB_SPOOLED;
            }

            break;

        case NGX_HTTP_SLUICE_JOB_DUPLICATE:
            ngx_http_sluice_answer_count(ctx, conf,
                                         NGX_HTTP_SLUICE_DUPLICATE);
            break;

        case NGX_HTTP_SLUICE_JOB_LIMITED:
            limited = 1;
            break;

        default:
            if (!failed) {
                ctx->job = ctx->items[i].job;
                failed = 1;
            }
        }
    }

    if (ctx->nitems == 0) {

        /* a webhook without entries */

        ctx->job = NGX_HTTP_SLUICE_JOB_NONE;
        ngx_http_sluice_status_outcome(ctx, NGX_HTTP_SLUICE_PASSED);

    } else {

        /* a duplicate has got the first one's id */

        ctx->item.id = ctx->items[0].id;
    }

    if (failed) {
        ngx_http_sluice_status_outcome(ctx, NGX_HTTP_SLUICE_FAILED);
        return ngx_http_sluice_refuse_unavailable(r);
    }

    if (limited) {
        ctx->job = NGX_HTTP_SLUICE_JOB_LIMITED;
        return ngx_http_sluice_depth_refuse(r, ctx, conf);
    }

    /* of a refusal that had this as its error_page */

    ngx_http_sluice_respond_forget(r, "Retry-After");

    if (conf->respond) {
        return ngx_http_sluice_respond_send(r, conf->respond);
    }

    ngx_str_null(&empty);

    return ngx_http_sluice_respond_text(r, NGX_HTTP_OK, NULL, &empty);
}


/* The error_page of a split stores the whole: all items that are left. */

static void
ngx_http_sluice_answer_count(ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf, ngx_http_sluice_counter_e outcome)
{
    ngx_uint_t  n;

    for (n = conf->split ? 1 : ctx->count; n; n--) {
        ngx_http_sluice_status_item(ctx, outcome);
    }
}


/*
 * The request is over, perhaps before its answer: the batch keeps the place,
 * so that the other results stay where they belong, and forgets the request.
 */

static void
ngx_http_sluice_request_gone(void *data)
{
    ngx_http_sluice_ctx_t *ctx = data;

    ngx_uint_t               i;
    ngx_http_sluice_item_t  *item;

    for (i = 0; i < ctx->nitems; i++) {
        item = &ctx->items[i];

        if (item->slot) {
            *item->slot = NULL;
            item->slot = NULL;
        }
    }
}
