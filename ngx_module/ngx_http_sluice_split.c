/*
 * sluice_split meta [quarantine=QUEUE]: a job for each item of a webhook.
 * Variables are read anew for each item, so that tenant, rate and name are the
 * item's.
 */

#include "ngx_http_sluice_split.h"
#include "ngx_http_sluice_tenant.h"


/* room that most webhooks need at most */
#define NGX_HTTP_SLUICE_SPLIT_ROOM  4


static ngx_int_t ngx_http_sluice_split_room(ngx_http_request_t *r,
    sluice_split_t *split);
static ngx_int_t ngx_http_sluice_split_string(ngx_pool_t *pool,
    ngx_str_t *string, const sluice_text_t *text);
static ngx_int_t ngx_http_sluice_split_whose(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf);
static ngx_int_t ngx_http_sluice_split_job(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf);


char *
ngx_http_sluice_split(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sluice_loc_conf_t *lcf = conf;

    ngx_str_t                     *value;
    ngx_http_sluice_split_conf_t  *split;

    if (lcf->split) {
        return "is duplicate";
    }

    split = ngx_pcalloc(cf->pool, sizeof(ngx_http_sluice_split_conf_t));
    if (split == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "meta") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid form \"%V\" of \"sluice_split\": there is "
                           "\"meta\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    ngx_str_set(&split->quarantine, "quarantine");

    if (cf->args->nelts == 3) {

        if (ngx_strncmp(value[2].data, "quarantine=", 11) != 0
            || !sluice_keys_name_ok((char *) value[2].data + 11,
                                    value[2].len - 11))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" of \"sluice_split\": "
                               "it is quarantine= and a queue of A-Z a-z 0-9 "
                               "_ . -", &value[2]);
            return NGX_CONF_ERROR;
        }

        split->quarantine.data = value[2].data + 11;
        split->quarantine.len = value[2].len - 11;
    }

    if (ngx_http_sluice_enqueue_quarantine(cf, split->base, &split->quarantine)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    lcf->split = split;

    return NGX_CONF_OK;
}


char *
ngx_http_sluice_split_merge(ngx_conf_t *cf, ngx_http_sluice_loc_conf_t *conf)
{
    const char  *directive;

    directive = conf->split ? "sluice_split" : "sluice_dedupe";

    if ((conf->split || conf->dedupe) && conf->enqueue == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%s\" needs \"sluice_enqueue\" in its location",
                           directive);
        return NGX_CONF_ERROR;
    }

    if (conf->dedupe && conf->dedupe->key == NULL && conf->split == NULL
        && (conf->verify == NULL || conf->verify->scheme == NULL))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sluice_dedupe event\" needs a scheme of "
                           "\"sluice_verify\" that tells the event's id");
        return NGX_CONF_ERROR;
    }

    if (conf->split == NULL) {
        return NGX_CONF_OK;
    }

    if (conf->enqueue->id) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"id=\" of \"sluice_enqueue\" beside "
                           "\"sluice_split\", which gives each item its own");
        return NGX_CONF_ERROR;
    }

    if (conf->enqueue->nredact) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"redact=\" of \"sluice_enqueue\" beside "
                           "\"sluice_split\"");
        return NGX_CONF_ERROR;
    }

    if (conf->dedupe && conf->dedupe->key) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sluice_dedupe\" with a key of its own beside "
                           "\"sluice_split\": an item's is \"event\"");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_sluice_split_read(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    ngx_str_t *detail)
{
    ngx_uint_t               i;
    const char              *what;
    sluice_split_t          *split;
    sluice_split_result_e    result;
    const sluice_text_t     *people;
    ngx_http_sluice_item_t  *item;

    split = ngx_pcalloc(r->pool, sizeof(sluice_split_t));
    if (split == NULL) {
        return NGX_ERROR;
    }

    split->nitems = NGX_HTTP_SLUICE_SPLIT_ROOM;
    split->nchanges = NGX_HTTP_SLUICE_SPLIT_ROOM;
    split->ncontacts = NGX_HTTP_SLUICE_SPLIT_ROOM;

    do {
        if (ngx_http_sluice_split_room(r, split) != NGX_OK) {
            return NGX_ERROR;
        }

        result = sluice_split_read(split, ctx->body.data, ctx->body.len,
                                   &what);

    } while (result == SLUICE_SPLIT_ROOM);

    switch (result) {

    case SLUICE_SPLIT_OK:
        break;

    case SLUICE_SPLIT_MANY:
        return NGX_DECLINED;

    case SLUICE_SPLIT_DUPLICATE:
        ngx_str_set(detail, "duplicate member in JSON");
        return NGX_HTTP_BAD_REQUEST;

    default:
        detail->data = (u_char *) what;
        detail->len = ngx_strlen(what);
        return NGX_HTTP_BAD_REQUEST;
    }

    ctx->split = split;
    ctx->nitems = split->nitems;
    ctx->items = ngx_pcalloc(r->pool, (split->nitems + 1)
                                      * sizeof(ngx_http_sluice_item_t));
    if (ctx->items == NULL) {
        ctx->nitems = 0;
        return NGX_ERROR;
    }

    for (i = 0; i < split->nitems; i++) {
        item = &ctx->items[i];

        item->ctx = ctx;
        item->part = &split->items[i];

        people = item->part->people;

        if (ngx_http_sluice_split_string(r->pool, &item->number,
                                         sluice_split_number(split, item->part))
            != NGX_OK
            || ngx_http_sluice_split_string(r->pool, &item->contact,
                                            people[1].len ? &people[1]
                                                          : &people[0])
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    ngx_http_sluice_status_items(ctx, ctx->nitems);

    return NGX_OK;
}


static ngx_int_t
ngx_http_sluice_split_room(ngx_http_request_t *r, sluice_split_t *split)
{
    split->items = ngx_palloc(r->pool, split->nitems
                                       * sizeof(sluice_split_item_t));
    split->changes = ngx_palloc(r->pool, split->nchanges
                                         * sizeof(sluice_split_change_t));
    split->contacts = ngx_palloc(r->pool, (split->ncontacts + 1)
                                          * sizeof(sluice_split_contact_t));

    if (split->items == NULL || split->changes == NULL
        || split->contacts == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* a string of the JSON, with its escapes or without */

static ngx_int_t
ngx_http_sluice_split_string(ngx_pool_t *pool, ngx_str_t *string,
    const sluice_text_t *text)
{
    sluice_json_value_t  value;

    string->data = (u_char *) text->data;
    string->len = text->len;

    if (text->len == 0
        || ngx_strlchr(string->data, string->data + text->len, '\\') == NULL)
    {
        return NGX_OK;
    }

    value.data = string->data;
    value.len = text->len;
    value.type = SLUICE_JSON_STRING;
    value.escaped = 1;

    string->data = ngx_pnalloc(pool, text->len);
    if (string->data == NULL) {
        return NGX_ERROR;
    }

    string->len = sluice_json_unescape(string->data, &value);

    return NGX_OK;
}


/*
 * A variable that was read for an item is forgotten before the next: a "map"
 * of the item's number would keep the first one's tenant.
 */

ngx_int_t
ngx_http_sluice_split_jobs(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf)
{
    size_t                      bytes, size;
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_http_sluice_item_t     *item;
    ngx_http_sluice_tenant_t   *tenant;
    ngx_http_core_main_conf_t  *cmcf;
    ngx_http_variable_value_t  *saved;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    size = cmcf->variables.nelts * sizeof(ngx_http_variable_value_t);

    saved = ngx_palloc(r->pool, size);
    if (saved == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(saved, r->variables, size);

    tenant = ctx->tenant;
    bytes = 0;

    for (i = 0; i < ctx->nitems; i++) {

        item = &ctx->items[i];
        ctx->item = *item;

        rc = ngx_http_sluice_split_job(r, ctx, conf);

        *item = ctx->item;
        ctx->tenant = tenant;
        ngx_memcpy(r->variables, saved, size);

        if (rc != NGX_OK) {
            return rc;
        }

        bytes += item->head.len + item->data.len + item->tail.len;

        if (bytes > NGX_HTTP_SLUICE_DATA_MAX) {
            return NGX_DECLINED;
        }
    }

    ctx->item = ctx->items[0];

    return NGX_OK;
}


static ngx_int_t
ngx_http_sluice_split_job(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf)
{
    ngx_int_t                rc;
    ngx_http_sluice_item_t  *item;

    item = &ctx->item;

    rc = ngx_http_sluice_split_whose(r, ctx, conf);

    if (rc == NGX_OK) {
        rc = ngx_http_sluice_enqueue_names(r, item, conf->enqueue);
    }

    if (rc == NGX_DECLINED) {
        item->quarantined = 1;
        item->base = conf->split->base[conf->enqueue->cluster];
        item->queue = conf->split->quarantine;
        ngx_str_null(&item->tenant);

    } else if (rc != NGX_OK) {
        return rc;
    }

    if (conf->depth) {
        rc = ngx_http_sluice_depth_gate(r, ctx, conf, item->part->data.len);

        if (rc == NGX_BUSY) {

            /* not the tenant table's "not yet": the others are stored */

            item->job = NGX_HTTP_SLUICE_JOB_LIMITED;
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (!item->quarantined && conf->late
        && ngx_http_sluice_limit_delay(r, ctx, conf, item->part->data.len,
                                       &item->wait)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_sluice_enqueue_job(r, item, conf);
}


/*
 * The tenant that the item's number belongs to, where there is a table.  Who
 * proved to be one tenant has no say in the items of another.  NGX_DECLINED:
 * nobody's, or another's.
 */

static ngx_int_t
ngx_http_sluice_split_whose(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf)
{
    ngx_int_t                  rc;
    ngx_http_sluice_tenant_t  *tenant;

    if (conf->tenant == NULL) {
        return NGX_OK;
    }

    rc = ngx_http_sluice_tenant_lookup(r, NGX_HTTP_SLUICE_BY_NUMBER,
                                       &ctx->item.number, &tenant);

    if (rc == NGX_DECLINED && conf->tenant->by != NGX_HTTP_SLUICE_BY_NUMBER) {

        /* the table need not have the numbers of who is known otherwise */

        return ctx->tenant ? NGX_OK : NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (conf->verify->tenant
        || conf->tenant->by != NGX_HTTP_SLUICE_BY_NUMBER)
    {
        if (ctx->tenant == NULL || ctx->tenant->id.len != tenant->id.len
            || ngx_memcmp(ctx->tenant->id.data, tenant->id.data,
                          tenant->id.len)
               != 0)
        {
            return NGX_DECLINED;
        }
    }

    ctx->tenant = tenant;

    return NGX_OK;
}


/* As that of a webhook that is not split: its field, if it is a plain name. */

ngx_int_t
ngx_http_sluice_split_type(ngx_http_request_t *r, ngx_http_sluice_item_t *item)
{
    u_char               *p;
    const sluice_text_t  *field;

    static const char     meta[] = "meta.";

    field = &item->ctx->split->changes[item->part->change].field;

    ngx_str_null(&item->type);

    if (field->len > NGX_HTTP_SLUICE_TYPE - (sizeof(meta) - 1)
        || !sluice_keys_name_ok(field->data, field->len))
    {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(r->pool, sizeof(meta) - 1 + field->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    item->type.data = p;
    item->type.len = sizeof(meta) - 1 + field->len;

    p = ngx_cpymem(p, meta, sizeof(meta) - 1);
    ngx_memcpy(p, field->data, field->len);

    return NGX_OK;
}
