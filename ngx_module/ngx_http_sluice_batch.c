/*
 * The jobs of one turn of the event loop that go to one queue become one call
 * of add.lua: Redis needs a quarter less for each.  A posted event closes the
 * turn; no job waits for another turn.
 *
 * A batch outlives its requests.  It points to their state, and a request that
 * is over clears its place and leaves it (ngx_http_sluice_request_gone), so
 * that the results of the others stay where they belong.
 */

#include "ngx_http_sluice_spool.h"
#include "scripts.h"


/* batches kept for reuse */
#define NGX_HTTP_SLUICE_SPARE  64

/* bytes that end a call: large ones hold Redis up, and fit only as a whole */
#define NGX_HTTP_SLUICE_CALL   (1024 * 1024)


const sluice_script_t *const  ngx_http_sluice_batch_scripts[1] = {
    &sluice_script_add
};


static ngx_http_sluice_batch_t *ngx_http_sluice_batch_open(
    ngx_http_sluice_link_t *link, const ngx_str_t *base, ngx_uint_t major,
    ngx_http_sluice_spool_t *held);
static void ngx_http_sluice_batch_write(ngx_http_sluice_batch_t *batch);
static void ngx_http_sluice_batch_owner(ngx_http_sluice_item_t *item,
    const redisReply *reply);
static void ngx_http_sluice_batch_free(ngx_http_sluice_batch_t *batch);


ngx_int_t
ngx_http_sluice_batch_add(ngx_http_sluice_link_t *link,
    ngx_http_sluice_item_t *item, ngx_uint_t major)
{
    ngx_http_sluice_batch_t  *batch;
    ngx_http_sluice_spool_t  *held;

    held = NULL;

    if (item->held) {
        held = ngx_http_sluice_held(link->first, &item->base,
                               ngx_http_sluice_depth_class(item->priority));
        if (held == NULL) {
            return NGX_ERROR;
        }
    }

    batch = ngx_http_sluice_batch_open(link, &item->base, major, held);
    if (batch == NULL) {
        return NGX_ERROR;
    }

    item->slot = &batch->jobs[batch->n];
    batch->jobs[batch->n++] = item;
    batch->bytes += item->head.len + item->data.len + item->tail.len;

    if (batch->n == NGX_HTTP_SLUICE_BATCH
        || batch->bytes >= NGX_HTTP_SLUICE_CALL)
    {
        ngx_http_sluice_batch_write(batch);
    }

    /* sends and answers: never inside the caller, who is in a handler */

    ngx_post_event(&link->flush, &ngx_posted_events);

    return NGX_OK;
}


static ngx_inline ngx_uint_t
ngx_http_sluice_batch_is(const ngx_http_sluice_batch_t *batch,
    const ngx_str_t *base, ngx_uint_t major,
    const ngx_http_sluice_spool_t *held)
{
    return batch->major == major && batch->held == held
           && batch->len == base->len
           && ngx_memcmp(batch->base, base->data, base->len) == 0;
}


static ngx_http_sluice_batch_t *
ngx_http_sluice_batch_open(ngx_http_sluice_link_t *link,
    const ngx_str_t *base, ngx_uint_t major, ngx_http_sluice_spool_t *held)
{
    uint32_t                  hash;
    ngx_queue_t              *bucket, *q;
    ngx_http_sluice_link_t   *first;
    ngx_http_sluice_batch_t  *batch;

    /* most jobs follow one of the same queue */

    if (!ngx_queue_empty(&link->open)) {
        q = ngx_queue_last(&link->open);
        batch = ngx_queue_data(q, ngx_http_sluice_batch_t, queue);

        if (ngx_http_sluice_batch_is(batch, base, major, held)) {
            return batch;
        }
    }

    hash = ngx_crc32_short(base->data, base->len);
    bucket = &link->buckets[hash % NGX_HTTP_SLUICE_BUCKETS];

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        batch = ngx_queue_data(q, ngx_http_sluice_batch_t, bucket);

        if (batch->hash == hash
            && ngx_http_sluice_batch_is(batch, base, major, held))
        {
            return batch;
        }
    }

    first = link->first;

    if (!ngx_queue_empty(&first->spare)) {
        q = ngx_queue_head(&first->spare);
        ngx_queue_remove(q);
        first->nspare--;

        batch = ngx_queue_data(q, ngx_http_sluice_batch_t, queue);

    } else {
        batch = ngx_alloc(sizeof(ngx_http_sluice_batch_t), ngx_cycle->log);
        if (batch == NULL) {
            return NULL;
        }
    }

    batch->link = link;
    batch->held = held;
    batch->result = NGX_HTTP_SLUICE_JOB_NONE;
    batch->major = major;
    batch->hash = hash;
    batch->len = base->len;
    batch->bytes = 0;
    batch->begun = 0;
    batch->n = 0;

    /* sluice_keys_base() never exceeds it; ends in NUL for a command's text */

    ngx_memcpy(batch->base, base->data, base->len);
    batch->base[base->len] = '\0';

    ngx_queue_insert_tail(&link->open, &batch->queue);
    ngx_queue_insert_tail(bucket, &batch->bucket);

    return batch;
}


void
ngx_http_sluice_batch_flush(ngx_http_sluice_link_t *link)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&link->open)) {
        q = ngx_queue_head(&link->open);
        ngx_http_sluice_batch_write(
                           ngx_queue_data(q, ngx_http_sluice_batch_t, queue));
    }
}


/* Out of the open ones, into the client's output, the spool or those done. */

static void
ngx_http_sluice_batch_write(ngx_http_sluice_batch_t *batch)
{
    ngx_queue_remove(&batch->queue);
    ngx_queue_remove(&batch->bucket);

    ngx_http_sluice_batch_again(batch);
}


void
ngx_http_sluice_batch_again(ngx_http_sluice_batch_t *batch)
{
    if (ngx_http_sluice_batch_compact(batch) == 0) {
        ngx_http_sluice_batch_free(batch);
        return;
    }

    if (batch->held) {
        ngx_http_sluice_batch_keep(batch, 0, NGX_HTTP_SLUICE_JOB_FULL);
        return;
    }

    if (batch->link->first->cluster) {
        ngx_http_sluice_cluster_batch(batch);
        return;
    }

    if (!ngx_http_sluice_redis_takes(batch->link)) {
        ngx_http_sluice_batch_keep(batch, 0, NGX_HTTP_SLUICE_JOB_AWAY);
        return;
    }

    ngx_http_sluice_batch_register(batch->link, batch->base, batch->len);
    ngx_http_sluice_batch_call(batch);
}


void
ngx_http_sluice_batch_keep(ngx_http_sluice_batch_t *batch, ngx_uint_t call,
    ngx_http_sluice_job_e result)
{
    /* what is refused for its own sake would be refused again */

    if (result == NGX_HTTP_SLUICE_JOB_REFUSED
        || ngx_http_sluice_spool_take(batch, call) != NGX_OK)
    {
        ngx_http_sluice_batch_done(batch, result);
    }
}


/* Requests that are over before anything was written leave no job behind. */

ngx_uint_t
ngx_http_sluice_batch_compact(ngx_http_sluice_batch_t *batch)
{
    ngx_uint_t  i, n;

    for (i = 0, n = 0; i < batch->n; i++) {

        if (batch->jobs[i]) {
            batch->jobs[n] = batch->jobs[i];
            batch->jobs[n]->slot = &batch->jobs[n];
            n++;
        }
    }

    batch->n = n;

    return n;
}


void
ngx_http_sluice_batch_reply(void *data, const redisReply *reply)
{
    ngx_http_sluice_batch_t *batch = data;

    ngx_uint_t               i, stored;
    const redisReply        *element;
    ngx_http_sluice_job_e    job;
    ngx_http_sluice_link_t  *link;

    link = batch->link;

    ngx_queue_remove(&batch->queue);

    if (reply == NULL) {

        /*
         * Whether Redis has run it is not known.  The spool's replay finds out;
         * without one the sender tries again, and an id that came with the
         * event makes the second time a duplicate.
         */

        ngx_http_sluice_batch_keep(batch, link->made,
                                   NGX_HTTP_SLUICE_JOB_AWAY);
        return;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != batch->n) {

        if (link->first->cluster
            && ngx_http_sluice_cluster_again(batch, reply))
        {
            return;
        }

        ngx_http_sluice_batch_complain(batch, reply);
        ngx_http_sluice_batch_keep(batch, 0,
                                   ngx_http_sluice_batch_error(link, reply));
        return;
    }

    job = ngx_http_sluice_wait_job(link);

    if (job == NGX_HTTP_SLUICE_JOB_NONE) {
        ngx_http_sluice_redis_accepts(link);
    }

    for (i = 0, stored = 0; i < batch->n; i++) {
        element = reply->element[i];

        if (element->type == REDIS_REPLY_INTEGER && element->integer == 1) {
            batch->results[i] = NGX_HTTP_SLUICE_JOB_ACCEPTED;
            stored++;

        } else if (element->type == REDIS_REPLY_INTEGER
                   && element->integer == 0)
        {
            batch->results[i] = NGX_HTTP_SLUICE_JOB_DUPLICATE;

        } else if (element->type == REDIS_REPLY_ARRAY && element->elements == 1
                   && element->element[0]->type == REDIS_REPLY_STRING)
        {
            batch->results[i] = NGX_HTTP_SLUICE_JOB_DUPLICATE;
            ngx_http_sluice_batch_owner(batch->jobs[i], element->element[0]);

        } else {
            batch->results[i] = NGX_HTTP_SLUICE_JOB_REFUSED;
            ngx_http_sluice_batch_complain(batch, element);
        }
    }

    ngx_http_sluice_depth_add(link->first, batch->base, batch->len, stored);

    for (i = 0; job && i < batch->n; i++) {

        if (batch->results[i] != NGX_HTTP_SLUICE_JOB_REFUSED) {
            batch->results[i] = job;
        }
    }

    ngx_http_sluice_batch_done(batch, NGX_HTTP_SLUICE_JOB_NONE);
}


/*
 * A state of the server is no fault of the jobs: the same call is worth another
 * try, and the health of the process shows it.
 */

ngx_http_sluice_job_e
ngx_http_sluice_batch_error(ngx_http_sluice_link_t *link,
    const redisReply *reply)
{
    switch (sluice_redis_reply_kind(reply)) {

    case SLUICE_REDIS_REPLY_REPLICA:
        link->demoted = 1;
        break;

    case SLUICE_REDIS_REPLY_AWAY:
    case SLUICE_REDIS_REPLY_DENIED:
        break;

    default:
        return NGX_HTTP_SLUICE_JOB_REFUSED;
    }

    ngx_http_sluice_redis_refuses(link);

    return NGX_HTTP_SLUICE_JOB_UNABLE;
}


/* A job with the item's dedupe key came first: the item is that one. */

static void
ngx_http_sluice_batch_owner(ngx_http_sluice_item_t *item,
    const redisReply *reply)
{
    u_char  *p;

    if (item == NULL) {
        return;
    }

    p = ngx_pnalloc(item->ctx->request->pool, reply->len + 1);

    if (p) {
        ngx_memcpy(p, reply->str, reply->len);
        item->id.data = p;
        item->id.len = reply->len;
    }
}


ngx_uint_t
ngx_http_sluice_batch_complains(ngx_http_sluice_link_t *link)
{
    link = link->first;

    if (link->complaint
        && (ngx_msec_int_t) (ngx_current_msec - link->complained) < 1000)
    {
        return 0;
    }

    link->complaint = 1;
    link->complained = ngx_current_msec;

    return 1;
}


void
ngx_http_sluice_batch_complain(ngx_http_sluice_batch_t *batch,
    const redisReply *reply)
{
    ngx_str_t                text;
    ngx_http_sluice_link_t  *link;

    link = batch->link;

    if (!ngx_http_sluice_batch_complains(link)) {
        return;
    }

    ngx_str_set(&text, "an unexpected reply");

    if (reply->type == REDIS_REPLY_ERROR) {
        text.data = (u_char *) reply->str;
        text.len = ngx_min((size_t) reply->len, 200);
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "sluice_redis \"%V\" refused %ui jobs of \"%s\": %V",
                  &link->server->name, batch->n, batch->base, &text);
}


/*
 * Requests are not answered here: this may run inside the client, and what an
 * answer sets off (an error_page, the next request) may need the client.
 */

void
ngx_http_sluice_batch_done(ngx_http_sluice_batch_t *batch,
    ngx_http_sluice_job_e result)
{
    batch->result = result;

    /* a link to a node may be gone before the answer */

    batch->link = batch->link->first;

    ngx_queue_insert_tail(&batch->link->done, &batch->queue);
}


void
ngx_http_sluice_batch_answer(ngx_http_sluice_link_t *link)
{
    ngx_uint_t                i;
    ngx_queue_t              *q;
    ngx_http_sluice_item_t   *item;
    ngx_http_sluice_batch_t  *batch;

    link = link->first;

    while (!ngx_queue_empty(&link->done)) {

        q = ngx_queue_head(&link->done);
        ngx_queue_remove(q);

        batch = ngx_queue_data(q, ngx_http_sluice_batch_t, queue);

        for (i = 0; i < batch->n; i++) {
            item = batch->jobs[i];

            if (item == NULL) {
                continue;
            }

            batch->jobs[i] = NULL;
            item->slot = NULL;

            item->job = batch->result ? batch->result : batch->results[i];

            ngx_http_sluice_enqueued(item);
        }

        ngx_http_sluice_batch_free(batch);
    }
}


static void
ngx_http_sluice_batch_free(ngx_http_sluice_batch_t *batch)
{
    ngx_http_sluice_link_t  *link;

    link = batch->link->first;

    if (link->nspare == NGX_HTTP_SLUICE_SPARE) {
        ngx_free(batch);
        return;
    }

    ngx_queue_insert_head(&link->spare, &batch->queue);
    link->nspare++;
}


void
ngx_http_sluice_batch_drop(ngx_queue_t *queue)
{
    ngx_uint_t                i;
    ngx_queue_t              *q;
    ngx_http_sluice_batch_t  *batch;

    while (!ngx_queue_empty(queue)) {
        q = ngx_queue_head(queue);
        ngx_queue_remove(q);

        batch = ngx_queue_data(q, ngx_http_sluice_batch_t, queue);

        for (i = 0; i < batch->n; i++) {
            if (batch->jobs[i]) {
                batch->jobs[i]->slot = NULL;
            }
        }

        ngx_free(batch);
    }
}


/* Of a link that ends: requests that still wait are left unanswered. */

void
ngx_http_sluice_batch_release(ngx_http_sluice_link_t *link)
{
    ngx_uint_t    i;
    ngx_queue_t  *q;

    ngx_http_sluice_batch_drop(&link->done);

    while (!ngx_queue_empty(&link->spare)) {
        q = ngx_queue_head(&link->spare);
        ngx_queue_remove(q);
        ngx_free(ngx_queue_data(q, ngx_http_sluice_batch_t, queue));
    }

    for (i = 0; i < NGX_HTTP_SLUICE_KNOWN; i++) {
        if (link->known[i]) {
            ngx_free(link->known[i]);
        }
    }
}
