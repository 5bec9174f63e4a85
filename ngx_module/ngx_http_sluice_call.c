/*
 * What a batch says in a call of lua/add.lua, or in a record of the spool: its
 * jobs, and what lets a call that may come twice be run once.
 */

#include "ngx_http_sluice_spool.h"
#include "scripts.h"


/* calls after which those that were answered are forgotten by Redis */
#define NGX_HTTP_SLUICE_FORGET  16


static void ngx_http_sluice_batch_registered(void *data,
    const redisReply *reply);


static ngx_inline void
ngx_http_sluice_batch_arg(sluice_redis_t *client,
    sluice_spool_writer_t *writer, const void *data, size_t len)
{
    if (client) {
        sluice_redis_arg(client, data, len);

    } else {
        sluice_spool_arg(writer, len);
        sluice_spool_piece(writer, data, len);
    }
}


static ngx_inline void
ngx_http_sluice_batch_int(sluice_redis_t *client,
    sluice_spool_writer_t *writer, int64_t value)
{
    u_char  text[NGX_INT64_LEN];

    if (client) {
        sluice_redis_arg_int(client, value);

    } else {
        ngx_http_sluice_batch_arg(NULL, writer, text,
                                  ngx_sprintf(text, "%L", value) - text);
    }
}


/* As lua/add.lua lists them */

void
ngx_http_sluice_batch_job(sluice_redis_t *client,
    sluice_spool_writer_t *writer, const ngx_http_sluice_item_t *item)
{
    size_t  len;

    ngx_http_sluice_batch_arg(client, writer, item->id.data, item->id.len);
    ngx_http_sluice_batch_arg(client, writer, item->type.data, item->type.len);

    len = item->head.len + item->data.len + item->tail.len;

    if (client) {
        sluice_redis_arg_begin(client, len);
        sluice_redis_piece(client, item->head.data, item->head.len);
        sluice_redis_piece(client, item->data.data, item->data.len);
        sluice_redis_piece(client, item->tail.data, item->tail.len);

    } else {
        sluice_spool_arg(writer, len);
        sluice_spool_piece(writer, item->head.data, item->head.len);
        sluice_spool_piece(writer, item->data.data, item->data.len);
        sluice_spool_piece(writer, item->tail.data, item->tail.len);
    }

    ngx_http_sluice_batch_arg(client, writer, item->opts.data, item->opts.len);
    ngx_http_sluice_batch_int(client, writer, item->delay);
    ngx_http_sluice_batch_int(client, writer, item->priority);
    ngx_http_sluice_batch_arg(client, writer, "0", 1);
    ngx_http_sluice_batch_int(client, writer, item->ctx->time);
    ngx_http_sluice_batch_arg(client, writer, item->dedupe.data,
                              item->dedupe.len);
}


void
ngx_http_sluice_batch_call(ngx_http_sluice_batch_t *batch)
{
    ngx_uint_t               i;
    sluice_redis_t          *client;
    ngx_http_sluice_link_t  *link;
    sluice_redis_result_e    result;

    link = batch->link;
    client = link->client;

    result = sluice_redis_script(client, &sluice_script_add,
                                 link->spool ? 2 : 1,
                                 1 + NGX_HTTP_SLUICE_ARGS * batch->n
                                 + (link->spool ? 4 : 0),
                                 ngx_current_msec);

    if (result == SLUICE_REDIS_OK) {

        sluice_redis_arg(client, batch->base, batch->len);

        if (link->spool) {
            ngx_http_sluice_batch_once_key(batch);
        }

        sluice_redis_arg_int(client, batch->major);

        for (i = 0; i < batch->n; i++) {
            ngx_http_sluice_batch_job(client, NULL, batch->jobs[i]);
        }

        if (link->spool) {
            ngx_http_sluice_batch_once(batch);
        }

        sluice_redis_hold(client);
        result = sluice_redis_end(client, ngx_http_sluice_batch_reply, batch);
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "sluice batch \"%s\": %ui jobs, %d", batch->base, batch->n,
                   result);

    if (result != SLUICE_REDIS_OK) {
        ngx_http_sluice_batch_keep(batch, 0, NGX_HTTP_SLUICE_JOB_FULL);
        return;
    }

    ngx_queue_insert_tail(&link->sent, &batch->queue);
}


/* What is remembered of this connection's calls: KEYS[2], and its arguments */

void
ngx_http_sluice_batch_once_key(ngx_http_sluice_batch_t *batch)
{
    char    key[SLUICE_KEYS_MAX];
    size_t  len;

    /* 0, when the prefix is too long for it, is an error of the call */

    len = sluice_keys_edge(key, sizeof(key), (char *) batch->base, batch->len,
                           batch->link->name, NGX_HTTP_SLUICE_CONNECTION);

    sluice_redis_arg(batch->link->client, key, len);
}


void
ngx_http_sluice_batch_once(ngx_http_sluice_batch_t *batch)
{
    uint64_t                  upto;
    ngx_queue_t              *q;
    sluice_redis_t           *client;
    ngx_http_sluice_link_t   *link;
    ngx_http_sluice_batch_t  *oldest;

    link = batch->link;
    client = link->client;
    upto = 0;

    batch->call = ++link->calls;

    /* now and then what was answered is forgotten */

    if (batch->call % NGX_HTTP_SLUICE_FORGET == 0) {

        upto = batch->call - 1;

        if (!ngx_queue_empty(&link->sent)) {
            q = ngx_queue_head(&link->sent);
            oldest = ngx_queue_data(q, ngx_http_sluice_batch_t, queue);
            upto = oldest->call - 1;
        }
    }

    sluice_redis_arg(client, "call", 4);
    sluice_redis_arg_int(client, (int64_t) batch->call);
    sluice_redis_arg_int(client, (int64_t) upto);
    sluice_redis_arg_int(client, ngx_http_sluice_spool_ttl(link->main->spool));
}


static ngx_inline ngx_http_sluice_known_t **
ngx_http_sluice_batch_place(ngx_http_sluice_link_t *link, const u_char *base,
    size_t len)
{
    return &link->known[ngx_crc32_short((u_char *) base, len)
                        % NGX_HTTP_SLUICE_KNOWN];
}


ngx_http_sluice_known_t *
ngx_http_sluice_batch_known(ngx_http_sluice_link_t *link, const u_char *base,
    size_t len)
{
    ngx_http_sluice_known_t  *known;

    known = *ngx_http_sluice_batch_place(link, base, len);

    return known && ngx_strcmp(known->base, base) == 0 ? known : NULL;
}


void
ngx_http_sluice_batch_learn(ngx_http_sluice_link_t *link, const u_char *base,
    size_t len)
{
    ngx_http_sluice_known_t  **known;

    known = ngx_http_sluice_batch_place(link, base, len);

    if (*known == NULL) {
        *known = ngx_alloc(sizeof(ngx_http_sluice_known_t), ngx_cycle->log);
        if (*known == NULL) {
            return;
        }
    }

    (*known)->listed = ngx_current_msec;
    ngx_memcpy((*known)->base, base, len + 1);
}


/*
 * The queue is entered into the registry before its first job, on the same
 * connection.  The table remembers which ones were: a place that two queues
 * share costs an SADD that changes nothing.
 */

void
ngx_http_sluice_batch_register(ngx_http_sluice_link_t *link, u_char *base,
    size_t len)
{
    sluice_redis_result_e     result;
    ngx_http_sluice_known_t  *known;

    known = ngx_http_sluice_batch_known(link, base, len);

    if (known && ngx_current_msec - known->listed < NGX_HTTP_SLUICE_LISTED) {
        return;
    }

    /* "<prefix>:<queue>", the base without its last colon */

    base[len - 1] = '\0';

    result = sluice_redis_command(link->client, ngx_current_msec,
                                  ngx_http_sluice_batch_registered, link,
                                  "SADD", SLUICE_KEYS_REGISTRY, (char *) base,
                                  NULL);
    base[len - 1] = ':';

    if (result == SLUICE_REDIS_OK) {
        ngx_http_sluice_batch_learn(link, base, len);
    }
}


static void
ngx_http_sluice_batch_registered(void *data, const redisReply *reply)
{
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        ngx_http_sluice_batch_forget(data);
    }
}


void
ngx_http_sluice_batch_forget(ngx_http_sluice_link_t *link)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_SLUICE_KNOWN; i++) {
        if (link->known[i]) {
            link->known[i]->base[0] = '\0';
        }
    }
}
