/*
 * sluice_status [json|prometheus]: the numbers of ngx_http_sluice_metrics.c in
 * one of two forms.  sluice_health: does this process take events?
 */

#include "ngx_http_sluice_spool.h"
#include "ngx_http_sluice_metrics.h"


#define NGX_HTTP_SLUICE_TEXT   8192     /* bytes at first */
#define NGX_HTTP_SLUICE_LINE   1024     /* of help, or of a sample */


/* A text that grows; without memory it is empty in the end. */

typedef struct {
    ngx_pool_t               *pool;
    u_char                   *start;
    u_char                   *pos;
    u_char                   *end;
    unsigned                  failed:1;
} ngx_http_sluice_text_t;


static ngx_int_t ngx_http_sluice_status_json(ngx_http_request_t *r);
static ngx_int_t ngx_http_sluice_status_prometheus(ngx_http_request_t *r);
static ngx_int_t ngx_http_sluice_health_handler(ngx_http_request_t *r);
static void ngx_http_sluice_status_object(ngx_http_sluice_text_t *text,
    const ngx_http_sluice_metrics_t *m,
    const ngx_http_sluice_section_t *section, ngx_uint_t i,
    const ngx_str_t *values);
static void ngx_http_sluice_status_samples(ngx_http_sluice_text_t *text,
    const ngx_http_sluice_metrics_t *m,
    const ngx_http_sluice_section_t *section,
    const ngx_http_sluice_metric_t *metric);


static const char  *ngx_http_sluice_states[] = {
    "unused", "down", "resolving", "connecting", "handshake", "greeting",
    "ready"
};

static const char  *ngx_http_sluice_metric_types[] = {
    "counter", "gauge", "histogram"
};

static ngx_str_t  ngx_http_sluice_json_content =
                                             ngx_string("application/json");

static ngx_str_t  ngx_http_sluice_prometheus_content =
                         ngx_string("text/plain; version=0.0.4; charset=utf-8");


char *
ngx_http_sluice_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sluice_loc_conf_t  *lcf = conf;

    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    value = cf->args->elts;

    if (lcf->handler) {
        return "is beside another content of sluice";
    }

    if (cf->args->nelts == 1 || ngx_strcmp(value[1].data, "json") == 0) {
        lcf->handler = ngx_http_sluice_status_json;

    } else if (ngx_strcmp(value[1].data, "prometheus") == 0) {
        lcf->handler = ngx_http_sluice_status_prometheus;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of \"sluice_status\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = lcf->handler;

    return NGX_CONF_OK;
}


char *
ngx_http_sluice_health(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sluice_loc_conf_t  *lcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    if (lcf->handler) {
        return "is beside another content of sluice";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_sluice_health_handler;
    lcf->handler = clcf->handler;

    return NGX_CONF_OK;
}


/* The body is not looked at; nobody may keep the numbers. */

static ngx_int_t
ngx_http_sluice_status_begin(ngx_http_request_t *r)
{
    ngx_int_t  rc;
    ngx_str_t  value;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_str_set(&value, "no-store");

    return ngx_http_sluice_respond_header(r, "Cache-Control", &value);
}


static ngx_int_t
ngx_http_sluice_status_take(ngx_http_request_t *r,
    ngx_http_sluice_metrics_t *m, ngx_http_sluice_text_t *text)
{
    ngx_int_t  rc;

    rc = ngx_http_sluice_status_begin(r);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_sluice_metrics_take(m,
                   ngx_http_get_module_main_conf(r, ngx_http_sluice_module),
                   r->pool);

    ngx_memzero(text, sizeof(ngx_http_sluice_text_t));
    text->pool = r->pool;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sluice_status_send(ngx_http_request_t *r, const ngx_str_t *type,
    const ngx_http_sluice_text_t *text)
{
    ngx_str_t  body;

    if (text->failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.data = text->start;
    body.len = text->pos - text->start;

    return ngx_http_sluice_respond_text(r, NGX_HTTP_OK, type, &body);
}


/* Where the next text goes; at least NGX_HTTP_SLUICE_LINE bytes are there. */

static u_char *
ngx_http_sluice_status_room(ngx_http_sluice_text_t *text)
{
    u_char  *p;
    size_t   size;

    if (text->end - text->pos >= NGX_HTTP_SLUICE_LINE) {
        return text->pos;
    }

    size = text->start ? 2 * (text->end - text->start) : NGX_HTTP_SLUICE_TEXT;

    p = ngx_palloc(text->pool, size);

    if (p == NULL) {
        text->failed = 1;
        text->pos = text->start;
        return NULL;
    }

    if (text->start) {
        ngx_memcpy(p, text->start, text->pos - text->start);
        (void) ngx_pfree(text->pool, text->start);
    }

    text->pos = p + (text->pos - text->start);
    text->start = p;
    text->end = p + size;

    return text->pos;
}


static void
ngx_http_sluice_status_write(ngx_http_sluice_text_t *text, const char *fmt,
    ...)
{
    u_char   *p;
    va_list   args;

    p = text->failed ? NULL : ngx_http_sluice_status_room(text);

    if (p) {
        va_start(args, fmt);
        text->pos = ngx_vslprintf(p, p + NGX_HTTP_SLUICE_LINE, fmt, args);
        va_end(args);
    }
}


static void
ngx_http_sluice_status_value(ngx_http_sluice_text_t *text,
    const ngx_http_sluice_metrics_t *m,
    const ngx_http_sluice_metric_t *metric, ngx_uint_t i)
{
    uint64_t  value;

    value = metric->value(m, i, metric->data);

    if (metric->seconds) {
        ngx_http_sluice_status_write(text, "%uL.%03uL", value / 1000,
                                     value % 1000);

    } else {
        ngx_http_sluice_status_write(text, "%uL", value);
    }
}


static ngx_int_t
ngx_http_sluice_status_json(ngx_http_request_t *r)
{
    ngx_int_t                         rc;
    ngx_str_t                         values[NGX_HTTP_SLUICE_IDENTS];
    ngx_uint_t                        i, n;
    ngx_http_sluice_text_t            text;
    ngx_http_sluice_metrics_t         m;
    const ngx_http_sluice_section_t  *section;

    rc = ngx_http_sluice_status_take(r, &m, &text);

    if (rc != NGX_OK) {
        return rc;
    }

    for (section = ngx_http_sluice_sections; section->name; section++) {

        ngx_http_sluice_status_write(&text, "%s\"%s\":",
                              section == ngx_http_sluice_sections ? "{" : ",",
                              section->name);

        if (section->ident == NULL) {
            ngx_http_sluice_status_object(&text, &m, section, 0, NULL);
            continue;
        }

        ngx_http_sluice_status_write(&text, "[");

        for (i = 0, n = 0; /* void */ ; i++) {
            rc = section->ident(&m, i, values);

            if (rc == NGX_DONE) {
                break;
            }

            if (rc != NGX_OK) {
                continue;
            }

            ngx_http_sluice_status_write(&text, n++ ? "," : "");
            ngx_http_sluice_status_object(&text, &m, section, i, values);
        }

        ngx_http_sluice_status_write(&text, "]");
    }

    ngx_http_sluice_status_write(&text, "}\n");

    return ngx_http_sluice_status_send(r, &ngx_http_sluice_json_content,
                                       &text);
}


static void
ngx_http_sluice_status_object(ngx_http_sluice_text_t *text,
    const ngx_http_sluice_metrics_t *m,
    const ngx_http_sluice_section_t *section, ngx_uint_t i,
    const ngx_str_t *values)
{
    ngx_uint_t                       k;
    const char                      *comma, *member;
    const ngx_http_sluice_metric_t  *metric;

    ngx_http_sluice_status_write(text, "{");

    comma = "";
    member = NULL;

    for (k = 0; values && k < NGX_HTTP_SLUICE_IDENTS; k++) {

        if (section->idents[k].key) {
            ngx_http_sluice_status_write(text, "%s\"%s\":\"%V\"", comma,
                                         section->idents[k].key, &values[k]);
            comma = ",";
        }
    }

    for (metric = section->metrics; metric->key; metric++) {

        if (member && (metric->member == NULL
                       || ngx_strcmp(metric->member, member) != 0))
        {
            ngx_http_sluice_status_write(text, "}");
            member = NULL;
        }

        if (metric->member && member == NULL) {
            member = metric->member;
            ngx_http_sluice_status_write(text, "%s\"%s\":{", comma, member);
            comma = "";
        }

        ngx_http_sluice_status_write(text, "%s\"%s\":", comma, metric->key);
        ngx_http_sluice_status_value(text, m, metric, i);
        comma = ",";
    }

    ngx_http_sluice_status_write(text, member ? "}}" : "}");
}


static ngx_int_t
ngx_http_sluice_status_prometheus(ngx_http_request_t *r)
{
    ngx_int_t                         rc;
    ngx_http_sluice_text_t            text;
    ngx_http_sluice_metrics_t         m;
    const ngx_http_sluice_metric_t   *metric;
    const ngx_http_sluice_section_t  *section;

    rc = ngx_http_sluice_status_take(r, &m, &text);

    if (rc != NGX_OK) {
        return rc;
    }

    for (section = ngx_http_sluice_sections; section->name; section++) {

        for (metric = section->metrics; metric->key; metric++) {

            /* the samples of a metric stand together, below its help */

            if (metric == section->metrics
                || ngx_strcmp(metric->metric, metric[-1].metric) != 0)
            {
                ngx_http_sluice_status_samples(&text, &m, section, metric);
            }
        }
    }

    return ngx_http_sluice_status_send(r, &ngx_http_sluice_prometheus_content,
                                       &text);
}


/* Of all objects of the section, each with all rows of the metric */

static void
ngx_http_sluice_status_samples(ngx_http_sluice_text_t *text,
    const ngx_http_sluice_metrics_t *m,
    const ngx_http_sluice_section_t *section,
    const ngx_http_sluice_metric_t *metric)
{
    ngx_int_t                        rc;
    ngx_str_t                        values[NGX_HTTP_SLUICE_IDENTS];
    ngx_uint_t                       i, k;
    const char                      *brace, *suffix;
    const ngx_http_sluice_metric_t  *row;

    ngx_http_sluice_status_write(text,
                                 "# HELP nginx_sluice_%s %s\n"
                                 "# TYPE nginx_sluice_%s %s\n",
                                 metric->metric, metric->help, metric->metric,
                                 ngx_http_sluice_metric_types[metric->type]);

    for (i = 0; /* void */ ; i++) {
        rc = section->ident ? section->ident(m, i, values)
                            : i ? NGX_DONE : NGX_OK;

        if (rc == NGX_DONE) {
            return;
        }

        if (rc != NGX_OK) {
            continue;
        }

        for (row = metric;
             row->key && ngx_strcmp(row->metric, metric->metric) == 0;
             row++)
        {
            suffix = "";

            if (row->type == NGX_HTTP_SLUICE_METRIC_HISTOGRAM) {
                suffix = row->label ? "bucket" : row->key;
            }

            ngx_http_sluice_status_write(text, "nginx_sluice_%s%s%s",
                                         row->metric, *suffix ? "_" : "",
                                         suffix);
            brace = "{";

            for (k = 0; section->ident && k < NGX_HTTP_SLUICE_IDENTS; k++) {

                if (section->idents[k].label) {
                    ngx_http_sluice_status_write(text, "%s%s=\"%V\"", brace,
                                                 section->idents[k].label,
                                                 &values[k]);
                    brace = ",";
                }
            }

            if (row->label) {
                ngx_http_sluice_status_write(text, "%s%s=\"%s\"", brace,
                                             row->label, row->key);
                brace = ",";
            }

            ngx_http_sluice_status_write(text, *brace == ',' ? "} " : " ");
            ngx_http_sluice_status_value(text, m, row, i);
            ngx_http_sluice_status_write(text, "\n");
        }
    }
}


/*
 * 200 when this process has all its Redis servers, else 503.  Asking makes a
 * process connect that has not yet, so the next answer is better.
 */

static ngx_int_t
ngx_http_sluice_health_handler(ngx_http_request_t *r)
{
    u_char                       *p;
    ngx_int_t                     rc;
    ngx_str_t                     detail, text;
    ngx_uint_t                    away, i, partial, usable;
    ngx_http_sluice_link_t       *link;
    ngx_http_sluice_server_t    **server;
    ngx_http_sluice_main_conf_t  *mcf;

    rc = ngx_http_sluice_status_begin(r);

    if (rc != NGX_OK) {
        return rc;
    }

    mcf = ngx_http_get_module_main_conf(r, ngx_http_sluice_module);
    server = mcf->servers.elts;
    partial = 0;

    for (i = 0; i < mcf->servers.nelts; i++) {

        link = ngx_http_sluice_redis_link(mcf, server[i]);
        if (link == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        (void) ngx_http_sluice_redis_wake(link);

        away = 0;

        usable = link->cluster ? ngx_http_sluice_cluster_usable(link, &away)
                               : ngx_http_sluice_redis_usable(link);
        partial |= usable && away;

        if (usable || ngx_http_sluice_spool_usable(link)) {
            continue;
        }

        p = ngx_pnalloc(r->pool, server[i]->name.len
                                 + sizeof("redis \"\" is resolving, waits"));
        if (p == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        detail.data = p;
        p = ngx_sprintf(p, "redis \"%V\" is %s", &server[i]->name,
                        away || link->state == NGX_HTTP_SLUICE_LINK_READY
                        ? "not accepting"
                        : link->cluster
                        ? "down" : ngx_http_sluice_states[link->state]);
        detail.len = p - detail.data;

        return ngx_http_sluice_respond_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                               &detail);
    }

    ngx_str_set(&text, "{\"status\":\"ready\"}\n");

    if (partial) {
        ngx_str_set(&text, "{\"status\":\"partial\"}\n");
    }

    return ngx_http_sluice_respond_text(r, NGX_HTTP_OK,
                                        &ngx_http_sluice_json_content, &text);
}
