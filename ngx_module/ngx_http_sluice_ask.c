/*
 * One question over a connection of its own: sentinels are asked where the
 * master is, nodes of a cluster for its map.  What is answered is judged by
 * core/sentinel.h and core/cluster.h at once, what follows from it is done by
 * a posted event, since the asker's client may not be touched meanwhile.
 */

#include "ngx_http_sluice_link.h"


static void ngx_http_sluice_asked(void *data, const redisReply *reply);


void
ngx_http_sluice_ask_sentinel(ngx_http_sluice_link_t *link)
{
    sluice_sentinel_step_t  step;

    sluice_sentinel_next(link->sentinel, (int64_t) ngx_current_msec, &step);

    switch (step.step) {

    case SLUICE_SENTINEL_ASK:
        ngx_http_sluice_ask(link, &step.node);
        return;

    case SLUICE_SENTINEL_CONNECT:
        ngx_http_sluice_connect_target(link, &step.node);
        ngx_http_sluice_connect_host(link);
        return;

    case SLUICE_SENTINEL_STAY:
        return;

    case SLUICE_SENTINEL_WAIT:
        ngx_http_sluice_redis_lost(link, "no sentinel tells its master");
    }
}


/* Half of the timeout, so that within it another may be asked. */

ngx_http_sluice_link_t *
ngx_http_sluice_asker(ngx_http_sluice_link_t **asker,
    ngx_http_sluice_link_t *link)
{
    if (*asker == NULL) {

        *asker = ngx_http_sluice_redis_create(link->main, link->server,
                                              &link->server->asker);
        if (*asker == NULL) {
            return NULL;
        }

        (*asker)->first = link->first;
        (*asker)->asks = link;
        (*asker)->timeout = ngx_max(link->server->timeout / 2, 1);
    }

    return *asker;
}


void
ngx_http_sluice_ask(ngx_http_sluice_link_t *link, const sluice_node_t *node)
{
    sluice_redis_result_e    result;
    ngx_http_sluice_link_t  *asker;

    asker = ngx_http_sluice_asker(&link->asker, link);
    result = SLUICE_REDIS_NOMEM;

    /* it may have the connection of the last question yet */

    if (asker) {
        ngx_http_sluice_ask_end(link, "it is done");
    }

    if (asker && link->sentinel) {
        result = sluice_redis_command(asker->client, ngx_current_msec,
                                      ngx_http_sluice_asked, asker,
                                      "SENTINEL", "get-master-addr-by-name",
                                      link->server->nodes.name, NULL);
    } else if (asker) {
        result = sluice_redis_command(asker->client, ngx_current_msec,
                                      ngx_http_sluice_asked, asker,
                                      "CLUSTER", "SLOTS", NULL);
    }

    if (result != SLUICE_REDIS_OK) {

        if (link->sentinel) {
            (void) sluice_sentinel_answered(link->sentinel, NULL,
                                            (int64_t) ngx_current_msec);
        } else {
            (void) sluice_cluster_told(&link->cluster->state, NULL, node);
        }

        ngx_post_event(&link->told, &ngx_posted_events);
        return;
    }

    ngx_http_sluice_connect_target(asker, node);
    ngx_http_sluice_connect(asker);
}


static void
ngx_http_sluice_asked(void *data, const redisReply *reply)
{
    ngx_http_sluice_link_t *asker = data;

    const char              *error;
    ngx_http_sluice_link_t  *link;

    link = asker->asks;

    if (link->sentinel) {
        error = sluice_sentinel_answered(link->sentinel, reply,
                                         (int64_t) ngx_current_msec);
    } else {
        error = sluice_cluster_told(&link->cluster->state, reply,
                                    &asker->target.node);
    }

    /* without an answer it was said why */

    if (error && reply) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "sluice_redis \"%V\" asked %V: %s",
                      &link->server->name, &asker->host->shown, error);
    }

    ngx_post_event(&link->told, &ngx_posted_events);
}


void
ngx_http_sluice_ask_end(ngx_http_sluice_link_t *link, const char *why)
{
    ngx_http_sluice_link_t  *asker;

    asker = link->asker;

    if (asker->state >= NGX_HTTP_SLUICE_LINK_RESOLVING) {
        ngx_http_sluice_redis_lost(asker, why);
    }
}


void
ngx_http_sluice_ask_told(ngx_event_t *ev)
{
    ngx_http_sluice_link_t *link = ev->data;

    /* another question may be on its way by now */

    if (link->asker && sluice_redis_pending(link->asker->client) == 0) {
        ngx_http_sluice_ask_end(link, "it is done");
    }

    if (link->cluster) {
        ngx_http_sluice_cluster_told(link);

    } else if (link->state == NGX_HTTP_SLUICE_LINK_RESOLVING
               && link->resolving == NULL)
    {
        ngx_http_sluice_ask_sentinel(link);
    }

    ngx_http_sluice_batch_answer(link);
}
