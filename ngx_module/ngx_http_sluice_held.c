/*
 * Spools of queues that are full, and of slots of a cluster.  Each of the first
 * is for a queue and a class, since each class has a number of its own; queues
 * are told apart by a hash, and two that have the same only wait for one
 * another.
 */

#include "ngx_http_sluice_spool.h"


#if (NGX_THREADS)


#define NGX_HTTP_SLUICE_HELD       256     /* of a link */
#define NGX_HTTP_SLUICE_HELD_IDLE  5000    /* ms until one is freed */
#define NGX_HTTP_SLUICE_HELD_SLOTS 1024    /* of a cluster that share one */


static ngx_http_sluice_spool_t *ngx_http_sluice_held_find(
    ngx_http_sluice_link_t *link, const u_char *name);


/* and "s" for slots, whose class nobody asks for */

static const u_char  ngx_http_sluice_held_classes[] = "hmls";


static void
ngx_http_sluice_held_name(u_char *name, const ngx_str_t *base,
    ngx_uint_t class)
{
    ngx_sprintf(name, "%c%08xD%Z", ngx_http_sluice_held_classes[class],
                ngx_crc32_long(base->data, base->len));
}


ngx_http_sluice_spool_t *
ngx_http_sluice_held(ngx_http_sluice_link_t *link, const ngx_str_t *base,
    ngx_uint_t class)
{
    u_char                    name[NGX_HTTP_SLUICE_HELD_NAME + 1];
    ngx_http_sluice_spool_t  *spool;

    ngx_http_sluice_held_name(name, base, class);

    spool = ngx_http_sluice_held_named(link, name);

    if (spool) {
        ngx_http_sluice_held_base(spool, (char *) base->data, base->len);
    }

    return spool;
}


ngx_http_sluice_spool_t *
ngx_http_sluice_held_slots(ngx_http_sluice_link_t *link, const u_char *base,
    size_t len)
{
    u_char                    name[NGX_HTTP_SLUICE_HELD_NAME + 1];
    ngx_http_sluice_spool_t  *spool;

    ngx_sprintf(name, "s%08xD%Z",
                sluice_slot(base, len) / NGX_HTTP_SLUICE_HELD_SLOTS);

    spool = ngx_http_sluice_held_named(link, name);

    return spool ? spool : link->spool;
}


ngx_http_sluice_spool_t *
ngx_http_sluice_held_named(ngx_http_sluice_link_t *link, const u_char *name)
{
    u_char                   *class;
    ngx_http_sluice_spool_t  *spool;

    spool = ngx_http_sluice_held_find(link, name);

    if (spool == NULL) {

        class = (u_char *) ngx_strchr(ngx_http_sluice_held_classes, name[0]);

        if (class == NULL || *class == '\0'
            || link->nspools > NGX_HTTP_SLUICE_HELD)
        {
            return NULL;
        }

        spool = ngx_http_sluice_spool_create(link);
        if (spool == NULL) {
            return NULL;
        }

        ngx_memcpy(spool->held, name, NGX_HTTP_SLUICE_HELD_NAME);
        spool->class = class - ngx_http_sluice_held_classes;
    }

    spool->used = ngx_current_msec;

    return spool;
}


static ngx_http_sluice_spool_t *
ngx_http_sluice_held_find(ngx_http_sluice_link_t *link, const u_char *name)
{
    ngx_queue_t              *q;
    ngx_http_sluice_spool_t  *spool;

    for (q = ngx_queue_head(&link->spools);
         q != ngx_queue_sentinel(&link->spools);
         q = ngx_queue_next(q))
    {
        spool = ngx_queue_data(q, ngx_http_sluice_spool_t, queue);

        if (ngx_memcmp(spool->held, name, NGX_HTTP_SLUICE_HELD_NAME) == 0) {
            return spool;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_http_sluice_held_idle(const ngx_http_sluice_spool_t *spool)
{
    return spool->segment == NULL && !spool->busy && spool->len == 0
           && !spool->replay.busy && !spool->replay.calling
           && ngx_queue_empty(&spool->segments);
}


ngx_uint_t
ngx_http_sluice_held_any(ngx_http_sluice_link_t *link, const ngx_str_t *base,
    ngx_uint_t class)
{
    u_char                    name[NGX_HTTP_SLUICE_HELD_NAME + 1];
    ngx_http_sluice_spool_t  *spool;

    if (link->nspools == 1) {
        return 0;
    }

    ngx_http_sluice_held_name(name, base, class);

    spool = ngx_http_sluice_held_find(link, name);

    return spool && !ngx_http_sluice_held_idle(spool);
}


ngx_uint_t
ngx_http_sluice_held_takes(ngx_http_sluice_link_t *link,
    const ngx_str_t *base, ngx_uint_t class, size_t size)
{
    ngx_http_sluice_spool_t  *spool;

    spool = ngx_http_sluice_held(link, base, class);

    return spool && !ngx_http_sluice_spool_rests(spool)
           && ngx_http_sluice_spool_fits(spool, size);
}


void
ngx_http_sluice_held_base(ngx_http_sluice_spool_t *spool, const char *base,
    size_t len)
{
    if (!ngx_http_sluice_held_full(spool)) {
        return;
    }

    ngx_memcpy(spool->base, base, len);
    spool->queue_base.data = spool->base;
    spool->queue_base.len = len;
}


size_t
ngx_http_sluice_held_room(ngx_http_sluice_spool_t *spool)
{
    if (!ngx_http_sluice_held_full(spool)) {
        return NGX_MAX_SIZE_T_VALUE;
    }

    /* its first record will tell */

    if (spool->queue_base.len == 0) {
        return 1;
    }

    return ngx_http_sluice_depth_room(spool->link, &spool->queue_base,
                                      spool->class);
}


/*
 * A queue that is full again and again makes many short files; what is not
 * forgotten here expires.  A file that was taken over may be one that sluicectl
 * restored, which may be done again and changes nothing then.
 */

void
ngx_http_sluice_held_forget(ngx_http_sluice_spool_t *spool,
    const ngx_http_sluice_segment_t *segment)
{
    char                     key[SLUICE_KEYS_MAX];
    ngx_http_sluice_link_t  *link;

    if (segment->taken || spool->queue_base.len == 0) {
        return;
    }

    link = ngx_http_sluice_redis_route(spool->link, spool->base,
                                       spool->queue_base.len);

    if (link == NULL || link->state != NGX_HTTP_SLUICE_LINK_READY
        || sluice_keys_spool(key, sizeof(key), (char *) spool->base,
                             spool->queue_base.len, segment->id.name,
                             SLUICE_SPOOL_NAME)
           == 0)
    {
        return;
    }

    (void) sluice_redis_command(link->client, ngx_current_msec, NULL, NULL,
                                "DEL", key, NULL);

    ngx_post_event(&link->flush, &ngx_posted_events);
}


/* A batch that was opened for it is written in the same turn. */

void
ngx_http_sluice_held_tick(ngx_http_sluice_spool_t *spool)
{
    if (spool->held[0]
        && ngx_current_msec - spool->used >= NGX_HTTP_SLUICE_HELD_IDLE
        && ngx_http_sluice_held_idle(spool))
    {
        ngx_http_sluice_spool_destroy(spool);
    }
}


#endif
