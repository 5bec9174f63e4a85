/*
 * The parameters of sluice_enqueue that end up in BullMQ's opts: priority=,
 * delay=, attempts=, backoff= and group=; and the opts of a job.
 */

#include "ngx_http_sluice_split.h"


static ngx_int_t ngx_http_sluice_enqueue_group(ngx_pool_t *pool,
    sluice_job_opts_t *options, const ngx_str_t *value);


char *
ngx_http_sluice_set_priority(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue, ngx_str_t *value)
{
    if (ngx_http_script_variables_count(value)) {
        return ngx_http_sluice_value(cf, value, &enqueue->priority);
    }

    enqueue->options.priority = sluice_job_priority((char *) value->data,
                                                    value->len);

    if (enqueue->options.priority < 0) {
        return "it is high, medium, low or a number up to 2097151";
    }

    return NGX_CONF_OK;
}


char *
ngx_http_sluice_set_delay(ngx_conf_t *cf, ngx_http_sluice_enqueue_t *enqueue,
    ngx_str_t *value)
{
    if (ngx_http_script_variables_count(value)) {
        return ngx_http_sluice_value(cf, value, &enqueue->delay);
    }

    enqueue->options.delay = ngx_http_sluice_delay(value);

    if (enqueue->options.delay < 0
        || enqueue->options.delay > NGX_HTTP_SLUICE_DELAY_MAX)
    {
        return "it is a time like 500ms, 5s, 1h30m";
    }

    return NGX_CONF_OK;
}


char *
ngx_http_sluice_set_attempts(ngx_conf_t *cf,
    ngx_http_sluice_enqueue_t *enqueue, ngx_str_t *value)
{
    enqueue->options.attempts = ngx_atoi(value->data, value->len);

    if (enqueue->options.attempts == NGX_ERROR
        || enqueue->options.attempts > SLUICE_JOB_ATTEMPTS_MAX)
    {
        return "it is a number up to 10000";
    }

    return NGX_CONF_OK;
}


char *
ngx_http_sluice_set_backoff(ngx_conf_t *cf, ngx_http_sluice_enqueue_t *enqueue,
    ngx_str_t *value)
{
    ngx_str_t  delay;

    delay = *value;

    if (value->len > 6 && ngx_strncmp(value->data, "fixed:", 6) == 0) {
        enqueue->options.backoff = SLUICE_JOB_BACKOFF_FIXED;
        delay.data += 6;
        delay.len -= 6;

    } else if (value->len > 12
               && ngx_strncmp(value->data, "exponential:", 12) == 0)
    {
        enqueue->options.backoff = SLUICE_JOB_BACKOFF_EXPONENTIAL;
        delay.data += 12;
        delay.len -= 12;

    } else {
        return "it is fixed:TIME or exponential:TIME";
    }

    enqueue->options.pause = ngx_http_sluice_delay(&delay);

    if (enqueue->options.pause < 0) {
        return "it is fixed:TIME or exponential:TIME";
    }

    return NGX_CONF_OK;
}


char *
ngx_http_sluice_set_group(ngx_conf_t *cf, ngx_http_sluice_enqueue_t *enqueue,
    ngx_str_t *value)
{
    if (ngx_http_script_variables_count(value)) {
        return ngx_http_sluice_value(cf, value, &enqueue->group);
    }

    return (ngx_http_sluice_enqueue_group(cf->pool, &enqueue->options, value)
            == NGX_OK)
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* an empty one is none */

static ngx_int_t
ngx_http_sluice_enqueue_group(ngx_pool_t *pool, sluice_job_opts_t *options,
    const ngx_str_t *value)
{
    char  *p;

    options->group_len = 0;

    if (value->len == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, SLUICE_JOB_GROUP_MAX);
    if (p == NULL) {
        return NGX_ERROR;
    }

    options->group = p;
    options->group_len = sluice_job_group(p, (char *) value->data, value->len);

    return options->group_len ? NGX_OK : NGX_ERROR;
}


int64_t
ngx_http_sluice_delay(const ngx_str_t *value)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    return (n == NGX_ERROR) ? sluice_duration((char *) value->data, value->len)
                            : n;
}


ngx_int_t
ngx_http_sluice_enqueue_priority(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_enqueue_t *enqueue)
{
    int64_t    number;
    ngx_str_t  value;

    item->priority = enqueue->options.priority;

    if (enqueue->priority == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, enqueue->priority, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    number = value.len ? sluice_job_priority((char *) value.data, value.len)
                       : 0;

    if (number < 0) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "sluice_enqueue: the value of \"%V\" is not a "
                      "priority, none is set", &enqueue->priority->value);
        number = 0;
    }

    item->priority = number;

    return NGX_OK;
}


ngx_int_t
ngx_http_sluice_enqueue_opts(ngx_http_request_t *r,
    ngx_http_sluice_item_t *item, const ngx_http_sluice_loc_conf_t *conf)
{
    int64_t                           number;
    ngx_str_t                         value;
    sluice_job_opts_t                 options;
    const ngx_http_sluice_enqueue_t  *enqueue;

    enqueue = conf->enqueue;

    item->opts = enqueue->opts;
    item->priority = enqueue->options.priority;
    item->delay = enqueue->options.delay;

    options = enqueue->options;

    if (ngx_http_sluice_dedupe_key(r, item, conf, &options) != NGX_OK) {
        return NGX_ERROR;
    }

    if (enqueue->priority == NULL && enqueue->delay == NULL
        && enqueue->group == NULL && options.dedupe == NULL && item->wait == 0)
    {
        return NGX_OK;
    }

    if (ngx_http_sluice_enqueue_priority(r, item, enqueue) != NGX_OK) {
        return NGX_ERROR;
    }

    if (enqueue->delay) {

        if (ngx_http_complex_value(r, enqueue->delay, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        number = value.len ? ngx_http_sluice_delay(&value) : 0;

        if (number < 0 || number > NGX_HTTP_SLUICE_DELAY_MAX) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "sluice_enqueue: the value of \"%V\" is not a "
                          "time, none is set", &enqueue->delay->value);
            number = 0;
        }

        item->delay = number;
    }

    if (enqueue->group) {

        if (ngx_http_complex_value(r, enqueue->group, &value) != NGX_OK
            || ngx_http_sluice_enqueue_group(r->pool, &options, &value)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    /* of an item that is over its rate */

    if (item->wait > item->delay) {
        item->delay = item->wait;
    }

    item->opts.data = ngx_pnalloc(r->pool,
                                  SLUICE_JOB_OPTS_MAX + options.group_len);
    if (item->opts.data == NULL) {
        return NGX_ERROR;
    }

    options.priority = item->priority;
    options.delay = item->delay;

    item->opts.len = sluice_job_opts((char *) item->opts.data, &options);

    return NGX_OK;
}
