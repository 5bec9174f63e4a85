/*
 * What sluice_status shows of the nodes of clusters, and of masters that
 * sentinels tell of: as the process knows them that answers.
 */

#include "ngx_http_sluice_metrics.h"


typedef struct {
    uint64_t                 ready;
    uint64_t                 pending;
    uint64_t                 slots;
} ngx_http_sluice_node_numbers_t;


static ngx_http_sluice_link_t *ngx_http_sluice_node_at(
    const ngx_http_sluice_metrics_t *m, ngx_uint_t i);
static void ngx_http_sluice_node_add(const ngx_http_sluice_link_t *link,
    const ngx_http_sluice_host_t *host, ngx_http_sluice_node_numbers_t *sum);
static ngx_uint_t ngx_http_sluice_node_slots(const sluice_cluster_map_t *map,
    const sluice_node_t *node);
static uint64_t ngx_http_sluice_metric_node(const ngx_http_sluice_metrics_t *m,
    ngx_uint_t i, uintptr_t data);


const ngx_http_sluice_metric_t  ngx_http_sluice_node_metrics[] = {

    { NULL, "ready", "redis_node_ready", NULL, NGX_HTTP_SLUICE_METRIC_GAUGE,
      "Connections of this process that are ready.",
      ngx_http_sluice_metric_node,
      offsetof(ngx_http_sluice_node_numbers_t, ready), 0 },

    { NULL, "pending", "redis_node_pending", NULL,
      NGX_HTTP_SLUICE_METRIC_GAUGE,
      "Commands of this process without their reply.",
      ngx_http_sluice_metric_node,
      offsetof(ngx_http_sluice_node_numbers_t, pending), 0 },

    { NULL, "slots", "redis_node_slots", NULL, NGX_HTTP_SLUICE_METRIC_GAUGE,
      "Slots of a cluster that the node has.", ngx_http_sluice_metric_node,
      offsetof(ngx_http_sluice_node_numbers_t, slots), 0 },

    ngx_http_sluice_metric_end
};


/* The first link to the i-th node of all servers */

static ngx_http_sluice_link_t *
ngx_http_sluice_node_at(const ngx_http_sluice_metrics_t *m, ngx_uint_t i)
{
    ngx_uint_t               n;
    ngx_queue_t             *q;
    ngx_http_sluice_link_t  *first, *link;

    for (n = 0; n < m->main->servers.nelts; n++) {

        first = m->main->process->links[n];

        if (first == NULL) {
            continue;
        }

        if (first->sentinel && first->host == &first->target && i-- == 0) {
            return first;
        }

        if (first->cluster == NULL) {
            continue;
        }

        for (q = ngx_queue_head(&first->cluster->links);
             q != ngx_queue_sentinel(&first->cluster->links);
             q = ngx_queue_next(q))
        {
            link = ngx_queue_data(q, ngx_http_sluice_link_t, peer);

            if (link->nth == 0 && i-- == 0) {
                return link;
            }
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_sluice_node_ident(const ngx_http_sluice_metrics_t *m, ngx_uint_t i,
    ngx_str_t *values)
{
    ngx_http_sluice_link_t  *link;

    link = ngx_http_sluice_node_at(m, i);

    if (link == NULL) {
        return NGX_DONE;
    }

    values[0] = link->server->name;
    values[1] = link->host->shown;

    return NGX_OK;
}


static void
ngx_http_sluice_node_add(const ngx_http_sluice_link_t *link,
    const ngx_http_sluice_host_t *host, ngx_http_sluice_node_numbers_t *sum)
{
    if (sluice_node_is(&link->host->node, &host->node)) {
        sum->ready += link->state == NGX_HTTP_SLUICE_LINK_READY;
        sum->pending += sluice_redis_pending(link->client);
    }
}


static ngx_uint_t
ngx_http_sluice_node_slots(const sluice_cluster_map_t *map,
    const sluice_node_t *node)
{
    size_t      i;
    ngx_uint_t  n, slots;

    for (i = 0; i < map->nnodes; i++) {
        if (sluice_node_is(&map->nodes[i], node)) {
            break;
        }
    }

    for (slots = 0, n = 0; i < map->nnodes && n < SLUICE_SLOTS; n++) {
        slots += map->slots[n] == i;
    }

    return slots;
}


static uint64_t
ngx_http_sluice_metric_node(const ngx_http_sluice_metrics_t *m, ngx_uint_t i,
    uintptr_t data)
{
    ngx_uint_t                       n;
    ngx_queue_t                     *q;
    ngx_http_sluice_link_t          *first, *link;
    ngx_http_sluice_node_numbers_t   sum;

    ngx_memzero(&sum, sizeof(ngx_http_sluice_node_numbers_t));

    link = ngx_http_sluice_node_at(m, i);

    if (link == NULL) {
        return 0;
    }

    first = link->first;

    if (first->cluster == NULL) {

        for (n = 0; n < first->server->connections; n++) {
            ngx_http_sluice_node_add(first->links[n], link->host, &sum);
        }

        return *(uint64_t *) ((u_char *) &sum + data);
    }

    for (q = ngx_queue_head(&first->cluster->links);
         q != ngx_queue_sentinel(&first->cluster->links);
         q = ngx_queue_next(q))
    {
        ngx_http_sluice_node_add(ngx_queue_data(q, ngx_http_sluice_link_t,
                                                peer),
                                 link->host, &sum);
    }

    sum.slots = ngx_http_sluice_node_slots(&first->cluster->state.map,
                                           &link->host->node);

    return *(uint64_t *) ((u_char *) &sum + data);
}
