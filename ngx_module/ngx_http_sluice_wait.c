/*
 * wait_replicas: what Redis has is answered once its replicas have it too, by
 * sluice_redis_hold().  What it holds has its answer also when they have not,
 * and ngx_http_sluice_wait_job() says what that is worth.
 */

#include "ngx_http_sluice_link.h"


static void ngx_http_sluice_wait_mark(void *data,
    char key[SLUICE_REDIS_MARK], int another);
static void ngx_http_sluice_wait_refused(void *data, const redisReply *reply);
static void ngx_http_sluice_wait_told(void *data, const redisReply *reply);


void
ngx_http_sluice_wait_init(ngx_http_sluice_server_t *server)
{
    if (server->client.replicas == 0) {
        return;
    }

    server->client.unsure = 1;
    server->client.shown = 1;
    server->client.waited = ngx_http_sluice_wait_told;

    if (server->nodes.kind == SLUICE_URL_CLUSTER) {
        server->client.mark = ngx_http_sluice_wait_mark;
        server->client.refused = ngx_http_sluice_wait_refused;
    }
}


static void
ngx_http_sluice_wait_mark(void *data, char key[SLUICE_REDIS_MARK], int another)
{
    ngx_http_sluice_link_t *link = data;

    link->mark += (another != 0);

    sluice_cluster_mark(&link->first->cluster->state, &link->target.node,
                        &link->mark, key);
}


/* The slot of the mark may have been moved. */

static void
ngx_http_sluice_wait_refused(void *data, const redisReply *reply)
{
    ngx_http_sluice_cluster_show(data, reply);
}


static void
ngx_http_sluice_wait_told(void *data, const redisReply *reply)
{
    ngx_http_sluice_link_t *link = data;

    ngx_str_t                        text;
    const ngx_http_sluice_server_t  *server;

    server = link->server;

    link->unreplicated = reply->type != REDIS_REPLY_INTEGER
                         || reply->integer
                            < (long long) server->client.replicas;

    if (!link->unreplicated) {
        ngx_http_sluice_redis_accepts(link);
        return;
    }

    ngx_http_sluice_redis_refuses(link);

    if (!ngx_http_sluice_batch_complains(link)) {
        return;
    }

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
                  &server->name, (int64_t) reply->integer,
                  (ngx_uint_t) server->client.replicas);
}


ngx_http_sluice_job_e
ngx_http_sluice_wait_job(const ngx_http_sluice_link_t *link)
{
    if (link->server->client.replicas == 0) {
        return NGX_HTTP_SLUICE_JOB_NONE;
    }

    if (sluice_redis_state(link->client) == SLUICE_REDIS_CLOSED) {
        return NGX_HTTP_SLUICE_JOB_AWAY;
    }

    return link->unreplicated ? NGX_HTTP_SLUICE_JOB_UNREPLICATED
                              : NGX_HTTP_SLUICE_JOB_NONE;
}
