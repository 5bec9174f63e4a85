/*
 * The keys of a limit zone: 128 bytes each, all of them allocated when the zone
 * is made.  The lock is the zone's own; between _lock() and _unlock() a process
 * may be killed at any instruction: the next that locks puts the zone in order
 * from the keys, which are whole at any time, and loses none.
 */

#ifndef NGX_HTTP_SLUICE_ZONE_H
#define NGX_HTTP_SLUICE_ZONE_H

#include "ngx_http_sluice_module.h"


typedef struct {
    ngx_str_node_t  sn;        /* str.len: 0 when it is free */
    ngx_queue_t     queue;
    int64_t         tat;       /* µs */
    u_char          backlog;   /* 1: items were delayed up to the tat */
    u_char          data[1];
} ngx_http_sluice_node_t;

#define NGX_HTTP_SLUICE_CHUNK  128
#define NGX_HTTP_SLUICE_KEY                                                   \
    (NGX_HTTP_SLUICE_CHUNK - offsetof(ngx_http_sluice_node_t, data))


/* In the memory of zone->shpool, which is new.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_sluice_zone_create(ngx_http_sluice_zone_t *zone);

void ngx_http_sluice_zone_lock(ngx_http_sluice_zone_t *zone);
void ngx_http_sluice_zone_unlock(ngx_http_sluice_zone_t *zone);

/*
 * Under the lock: the key's node, made with the time 0 when there is none.  The
 * key used longest ago makes room.  1 to NGX_HTTP_SLUICE_KEY bytes.
 */
ngx_http_sluice_node_t *ngx_http_sluice_zone_node(ngx_http_sluice_zone_t *zone,
    ngx_str_t *key, uint32_t hash);


#endif
