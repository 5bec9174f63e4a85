/*
 * The parameters of sluice_enqueue that end up in BullMQ's opts: priority=,
 * delay=, attempts= and backoff=.
 */

#include "ngx_http_sluice_module.h"


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


int64_t
ngx_http_sluice_delay(const ngx_str_t *value)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    return (n == NGX_ERROR) ? sluice_duration((char *) value->data, value->len)
                            : n;
}
