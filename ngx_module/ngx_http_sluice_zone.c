/*
 * All nodes are in one array and in one queue, the latest used first and the
 * free ones last; those with a key are also in a tree.  Tree and queue can be
 * made anew from the array.
 */

#include "ngx_http_sluice_zone.h"


/*
 * What was written before is written when the next is: to the compiler alone,
 * since a process is killed between two instructions.
 */
#define ngx_http_sluice_zone_step()  __atomic_signal_fence(__ATOMIC_SEQ_CST)


static void ngx_http_sluice_zone_build(ngx_http_sluice_zone_shared_t *sh);


ngx_int_t
ngx_http_sluice_zone_create(ngx_http_sluice_zone_t *zone)
{
    size_t                          size;
    ngx_http_sluice_zone_shared_t  *sh;

    sh = ngx_slab_calloc(zone->shpool, sizeof(ngx_http_sluice_zone_shared_t));
    if (sh == NULL) {
        return NGX_ERROR;
    }

    size = zone->shpool->pfree * ngx_pagesize;

    sh->nodes = ngx_slab_calloc(zone->shpool, size);
    if (sh->nodes == NULL) {
        return NGX_ERROR;
    }

    sh->nnodes = size / NGX_HTTP_SLUICE_CHUNK;

    ngx_http_sluice_zone_build(sh);

    zone->sh = sh;
    zone->shpool->data = sh;

    return NGX_OK;
}


static void
ngx_http_sluice_zone_build(ngx_http_sluice_zone_shared_t *sh)
{
    u_char                  *p;
    ngx_uint_t               i;
    ngx_http_sluice_node_t  *node;

    ngx_rbtree_init(&sh->rbtree, &sh->sentinel, ngx_str_rbtree_insert_value);
    ngx_queue_init(&sh->queue);
    sh->keys = 0;

    p = sh->nodes;

    for (i = 0; i < sh->nnodes; i++, p += NGX_HTTP_SLUICE_CHUNK) {
        node = (ngx_http_sluice_node_t *) p;

        if (node->sn.str.len == 0) {
            ngx_queue_insert_tail(&sh->queue, &node->queue);
            continue;
        }

        ngx_rbtree_insert(&sh->rbtree, &node->sn.node);
        ngx_queue_insert_head(&sh->queue, &node->queue);
        sh->keys++;
    }
}


void
ngx_http_sluice_zone_lock(ngx_http_sluice_zone_t *zone)
{
    ngx_shmtx_lock(&zone->shpool->mutex);

    if (zone->sh->busy) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "sluice puts zone \"%V\" in order: a process has died "
                      "while it had the lock", &zone->shm_zone->shm.name);

        ngx_http_sluice_zone_build(zone->sh);
    }

    zone->sh->busy = 1;
    ngx_http_sluice_zone_step();
}


void
ngx_http_sluice_zone_unlock(ngx_http_sluice_zone_t *zone)
{
    ngx_http_sluice_zone_step();
    zone->sh->busy = 0;

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


ngx_http_sluice_node_t *
ngx_http_sluice_zone_node(ngx_http_sluice_zone_t *zone, ngx_str_t *key,
    uint32_t hash)
{
    ngx_queue_t                    *q;
    ngx_http_sluice_node_t         *node;
    ngx_http_sluice_zone_shared_t  *sh;

    sh = zone->sh;

    node = (ngx_http_sluice_node_t *) ngx_str_rbtree_lookup(&sh->rbtree, key,
                                                            hash);

    if (node == NULL) {
        q = ngx_queue_last(&sh->queue);
        node = ngx_queue_data(q, ngx_http_sluice_node_t, queue);

        if (node->sn.str.len) {
            ngx_rbtree_delete(&sh->rbtree, &node->sn.node);
            sh->keys--;
            sh->evicted++;
        }

        /* free until all of the new key is there */

        node->sn.str.len = 0;
        ngx_http_sluice_zone_step();

        node->sn.node.key = hash;
        node->sn.str.data = node->data;
        node->tat = 0;
        node->backlog = 0;
        ngx_memcpy(node->data, key->data, key->len);

        ngx_http_sluice_zone_step();
        node->sn.str.len = key->len;

        ngx_rbtree_insert(&sh->rbtree, &node->sn.node);
        sh->keys++;
    }

    ngx_queue_remove(&node->queue);
    ngx_queue_insert_head(&sh->queue, &node->queue);

    return node;
}
