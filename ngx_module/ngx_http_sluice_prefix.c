/*
 * Prefixes of queues in a cluster: without a hash tag each key of a queue is in
 * a slot of its own, and no script may touch them all.
 */

#include "ngx_http_sluice_link.h"


ngx_int_t
ngx_http_sluice_enqueue_tagged(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue)
{
    ngx_str_t  prefix;

    enqueue->cluster = enqueue->server->nodes.kind == SLUICE_URL_CLUSTER;

    if (!enqueue->cluster || enqueue->tenant || enqueue->whose) {
        return NGX_OK;
    }

    ngx_str_set(&prefix, "bull");

    if (enqueue->prefix) {

        if (enqueue->prefix->lengths) {
            return NGX_OK;
        }

        prefix = enqueue->prefix->value;
    }

    if (sluice_slot_tagged(prefix.data, prefix.len)) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"sluice_enqueue %V\" has the prefix \"%V\", whose "
                       "keys are in many slots of a cluster: give it "
                       "\"tenant=\", or a \"prefix=\" in braces",
                       &enqueue->queue.value, &prefix);

    return NGX_ERROR;
}


ngx_int_t
ngx_http_sluice_enqueue_quarantine(ngx_conf_t *cf, ngx_str_t *base,
    const ngx_str_t *queue)
{
    u_char      text[SLUICE_KEYS_MAX];
    ngx_uint_t  i;

    static const ngx_str_t  prefixes[] = {
        ngx_string("bull"), ngx_string("{bull}")
    };

    for (i = 0; i < 2; i++) {
        base[i].len = ngx_http_sluice_enqueue_base(text, NULL, &prefixes[i],
                                                   queue);

        base[i].data = ngx_pnalloc(cf->pool, base[i].len);
        if (base[i].data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(base[i].data, text, base[i].len);
    }

    return NGX_OK;
}
