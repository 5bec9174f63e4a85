/*
 * wait_replicas: what Redis has is answered once its replicas have it too.
 *
 * One WAIT is on its way at a time, since Redis runs nothing of a connection
 * that waits: the batches that are written meanwhile share the next one.
 * Replies come in order, so the reply to a WAIT is for all batches that were
 * answered before it, those that a NOSCRIPT moved included.
 *
 * A WAIT is about the last write of the connection, and a duplicate writes
 * nothing: the first job may be another connection's and on no replica yet.
 * So each WAIT has a write of its own before it.
 *
 * The replay of the spool waits in the same way for a file that it has done
 * with: all of its calls were answered before a reply that comes now.
 */

#include "ngx_http_sluice_spool.h"


/* marks in other slots that are tried for a WAIT */
#define NGX_HTTP_SLUICE_MARKS  8


static void ngx_http_sluice_wait_marked(void *data, const redisReply *reply);
static void ngx_http_sluice_wait_reply(void *data, const redisReply *reply);
static void ngx_http_sluice_wait_complain(ngx_http_sluice_link_t *link,
    const redisReply *reply);
static void ngx_http_sluice_wait_release(ngx_http_sluice_link_t *link,
    ngx_http_sluice_job_e job);


void
ngx_http_sluice_wait_add(ngx_http_sluice_batch_t *batch)
{
    ngx_http_sluice_link_t  *link;

    link = batch->link;

    ngx_queue_insert_tail(&link->unwaited, &batch->queue);
    ngx_http_sluice_wait_ask(link);

    if (!link->asking) {
        ngx_http_sluice_wait_release(link, NGX_HTTP_SLUICE_JOB_FULL);
    }
}


void
ngx_http_sluice_wait_ask(ngx_http_sluice_link_t *link)
{
    u_char                           replicas[NGX_INT_T_LEN + 1];
    u_char                           timeout[NGX_INT_T_LEN + 1];
    char                             mark[SLUICE_REDIS_MARK] = "sluice:wait";
    sluice_redis_t                  *client;
    const ngx_http_sluice_server_t  *server;

    server = link->server;
    client = link->client;

    if (link->asking
        || (sluice_redis_pending(client) == 0
            && ngx_queue_empty(&link->unwaited)
            && !ngx_http_sluice_spool_unwaited(link)))
    {
        return;
    }

    ngx_sprintf(replicas, "%ui%Z", server->replicas);
    ngx_sprintf(timeout, "%M%Z", server->wait);

    if (link->first->cluster) {
        sluice_cluster_mark(&link->first->cluster->state, &link->target.node,
                            &link->mark, mark);
    }

    if (sluice_redis_command(client, ngx_current_msec,
                             ngx_http_sluice_wait_marked, link, "SET",
                             mark, "", NULL)
        == SLUICE_REDIS_OK
        && sluice_redis_command(client, ngx_current_msec,
                                ngx_http_sluice_wait_reply, link, "WAIT",
                                (char *) replicas, (char *) timeout, NULL)
           == SLUICE_REDIS_OK)
    {
        link->asking = 1;
        ngx_post_event(&link->flush, &ngx_posted_events);
    }
}


static void
ngx_http_sluice_wait_marked(void *data, const redisReply *reply)
{
    ngx_http_sluice_link_t *link = data;

    link->marked = reply && reply->type != REDIS_REPLY_ERROR;

    /* the slot of the mark was moved, or is: the next one may be there */

    link->moved = link->first->cluster && reply && !link->marked
                  && sluice_redis_reply_kind(reply) == SLUICE_REDIS_REPLY_AWAY
                  && link->retries < NGX_HTTP_SLUICE_MARKS;

    if (link->moved) {
        link->retries++;
        link->mark++;
        ngx_http_sluice_cluster_show(link, reply);

    } else {
        link->retries = 0;
    }
}


static void
ngx_http_sluice_wait_reply(void *data, const redisReply *reply)
{
    ngx_http_sluice_link_t *link = data;

    link->asking = 0;

    if (reply == NULL) {
        ngx_http_sluice_wait_release(link, NGX_HTTP_SLUICE_JOB_AWAY);
        ngx_http_sluice_spool_waited(link, 0);
        return;
    }

    if (link->moved && reply->type != REDIS_REPLY_ERROR) {
        ngx_http_sluice_wait_ask(link);

        if (link->asking) {
            return;
        }
    }

    if (link->marked && reply->type == REDIS_REPLY_INTEGER
        && reply->integer >= (long long) link->server->replicas)
    {
        ngx_http_sluice_redis_accepts(link);
        ngx_http_sluice_wait_release(link, NGX_HTTP_SLUICE_JOB_NONE);
        ngx_http_sluice_spool_waited(link, 1);

    } else if (!ngx_queue_empty(&link->unwaited)
               || ngx_http_sluice_spool_unwaited(link))
    {
        ngx_http_sluice_redis_refuses(link);
        ngx_http_sluice_wait_complain(link, reply);
        ngx_http_sluice_wait_release(link, NGX_HTTP_SLUICE_JOB_UNREPLICATED);
        ngx_http_sluice_spool_waited(link, 0);
    }

    /* for what was written meanwhile */

    ngx_http_sluice_wait_ask(link);
}


static void
ngx_http_sluice_wait_complain(ngx_http_sluice_link_t *link,
    const redisReply *reply)
{
    ngx_str_t                        text;
    const ngx_http_sluice_server_t  *server;

    if (!ngx_http_sluice_batch_complains(link)) {
        return;
    }

    server = link->server;

    if (reply->type == REDIS_REPLY_ERROR) {
        text.data = (u_char *) reply->str;
        text.len = ngx_min((size_t) reply->len, 200);

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "sluice_redis \"%V\" refused to wait for replicas: %V",
                      &server->name, &text);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "sluice_redis \"%V\" has jobs on %L of %ui replicas",
                  &server->name, (int64_t) reply->integer, server->replicas);
}


/* The batches that were answered get what is to be told of their jobs. */

static void
ngx_http_sluice_wait_release(ngx_http_sluice_link_t *link,
    ngx_http_sluice_job_e job)
{
    ngx_uint_t                i;
    ngx_queue_t              *q;
    ngx_http_sluice_batch_t  *batch;

    while (!ngx_queue_empty(&link->unwaited)) {
        q = ngx_queue_head(&link->unwaited);
        ngx_queue_remove(q);

        batch = ngx_queue_data(q, ngx_http_sluice_batch_t, queue);

        for (i = 0; job && i < batch->n; i++) {

            if (batch->results[i] != NGX_HTTP_SLUICE_JOB_REFUSED) {
                batch->results[i] = job;
            }
        }

        ngx_http_sluice_batch_done(batch, NGX_HTTP_SLUICE_JOB_NONE);
    }
}
