/*
 * sluice_dedupe and sluice_split: an event once, and a webhook as many.
 */

#ifndef NGX_HTTP_SLUICE_SPLIT_H
#define NGX_HTTP_SLUICE_SPLIT_H

#include "ngx_http_sluice_module.h"
#include "core/split.h"


struct ngx_http_sluice_dedupe_s {
    ngx_http_complex_value_t       *key;        /* NULL: the event's own id */
    int64_t                         ttl;        /* ms */
};

struct ngx_http_sluice_split_conf_s {
    ngx_str_t                       quarantine; /* a queue */
    ngx_str_t                       base[2];    /* of it; in a cluster */
};


/* _dedupe.c */

char *ngx_http_sluice_dedupe(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * What the event is known by, the same when it is sent again: of a split item,
 * or with "sluice_dedupe event"; else, or when the sender gives it no id, it is
 * empty.  A text of sluice_keys_safe(), left in item->event.
 */
ngx_int_t ngx_http_sluice_dedupe_event(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_loc_conf_t *conf);

/*
 * The item's key for add.lua, and as a part of the job's opts.  An empty key
 * is none.  After ngx_http_sluice_dedupe_event().
 */
ngx_int_t ngx_http_sluice_dedupe_key(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_loc_conf_t *conf,
    sluice_job_opts_t *options);


/* _split.c */

char *ngx_http_sluice_split(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_sluice_split_merge(ngx_conf_t *cf,
    ngx_http_sluice_loc_conf_t *conf);

/*
 * ctx->items of the body, which is JSON.  NGX_OK, there may be none;
 * NGX_HTTP_BAD_REQUEST with what is wrong in `detail`; NGX_DECLINED: there are
 * too many; NGX_ERROR.
 */
ngx_int_t ngx_http_sluice_split_read(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, ngx_str_t *detail);

/* item->type.  NGX_OK; NGX_DECLINED: it has none; NGX_ERROR */
ngx_int_t ngx_http_sluice_split_type(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item);

/*
 * Each item with the variables as they are for it: whose it is, its delay, its
 * job.  NGX_OK; NGX_DECLINED: together they are too large; NGX_BUSY: there is
 * no tenant table yet; NGX_ERROR.
 */
ngx_int_t ngx_http_sluice_split_jobs(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf);


#endif
