/*
 * What sluice_status shows, as tables: a section is an object of the JSON, or
 * a list of objects, and each of its rows is a member there and a sample of
 * Prometheus.  A new number is a row; what it is made of is one function.
 *
 *     JSON         "section": {"key": 1, "member": {"key": 2}}
 *     Prometheus   nginx_sluice_metric{label="key"} 2
 */

#ifndef NGX_HTTP_SLUICE_METRICS_H
#define NGX_HTTP_SLUICE_METRICS_H

#include "ngx_http_sluice_link.h"


typedef struct ngx_http_sluice_section_s  ngx_http_sluice_section_t;


/* All links to a server, see ngx_http_sluice_slot_link_t */

typedef struct {
    uint64_t                        pending;
    uint64_t                        connects;
    uint64_t                        losses;
    uint64_t                        version;
    uint64_t                        evicts;
    uint64_t                        no_aof;
    uint64_t                        states[NGX_HTTP_SLUICE_LINK_STATES];
} ngx_http_sluice_metrics_link_t;


/* What the getters read from: one moment of the ledger, and all the rest. */

typedef struct {
    ngx_http_sluice_main_conf_t    *main;
    const ngx_http_sluice_slot_t   *slots;    /* NGX_HTTP_SLUICE_SLOTS */
    ngx_atomic_uint_t               ledger[2][NGX_HTTP_SLUICE_COUNTERS];
    ngx_atomic_uint_t               flight[2];
    ngx_http_sluice_metrics_link_t  links[NGX_HTTP_SLUICE_SERVERS];
    ngx_pool_t                     *pool;     /* of the request */
} ngx_http_sluice_metrics_t;


typedef enum {
    NGX_HTTP_SLUICE_METRIC_COUNTER = 0,
    NGX_HTTP_SLUICE_METRIC_GAUGE,
    NGX_HTTP_SLUICE_METRIC_HISTOGRAM     /* "_bucket", or "_" and the key */
} ngx_http_sluice_metric_e;


/* The value of the section's i-th object; 0 where there are none. */
typedef uint64_t (*ngx_http_sluice_metric_pt)(
    const ngx_http_sluice_metrics_t *m, ngx_uint_t i, uintptr_t data);

/* Rows of one metric stand together, the first one's help is shown. */

typedef struct {
    const char                     *member;   /* around the key, or NULL */
    const char                     *key;
    const char                     *metric;   /* after "nginx_sluice_" */
    const char                     *label;    /* of the key, or NULL */
    ngx_http_sluice_metric_e        type;
    const char                     *help;
    ngx_http_sluice_metric_pt       value;
    uintptr_t                       data;
    ngx_uint_t                      seconds;  /* 1: the value is ms */
} ngx_http_sluice_metric_t;


/* What tells the objects of a list apart: safe text, no quotes in it. */

typedef struct {
    const char                     *key;      /* in JSON */
    const char                     *label;    /* in Prometheus */
} ngx_http_sluice_ident_t;

/*
 * Names the i-th object.  NGX_OK; NGX_DECLINED: it is left out; NGX_DONE:
 * there are no more.
 */
typedef ngx_int_t (*ngx_http_sluice_ident_pt)(
    const ngx_http_sluice_metrics_t *m, ngx_uint_t i, ngx_str_t *values);

#define NGX_HTTP_SLUICE_IDENTS  2

struct ngx_http_sluice_section_s {
    const char                     *name;
    ngx_http_sluice_ident_pt        ident;    /* NULL: one object, no list */
    ngx_http_sluice_ident_t         idents[NGX_HTTP_SLUICE_IDENTS];
    const ngx_http_sluice_metric_t *metrics;  /* up to one without a key */
};

/* The last row; and a row that is a counter of the slots, `field` there */
#define ngx_http_sluice_metric_end                                            \
    { NULL, NULL, NULL, NULL, 0, NULL, NULL, 0, 0 }

#define ngx_http_sluice_slot_row(member, key, metric, label, help, field)     \
    { member, key, metric, label, NGX_HTTP_SLUICE_METRIC_COUNTER, help,       \
      ngx_http_sluice_metric_sum, offsetof(ngx_http_sluice_slot_t, field), 0 }

/* Rows that stand in files of their own */
extern const ngx_http_sluice_metric_t  ngx_http_sluice_spool_metrics[];

/* _metrics_nodes.c */
extern const ngx_http_sluice_metric_t  ngx_http_sluice_node_metrics[];
ngx_int_t ngx_http_sluice_node_ident(const ngx_http_sluice_metrics_t *m,
    ngx_uint_t i, ngx_str_t *values);

/* All of them, up to one without a name */
extern const ngx_http_sluice_section_t  ngx_http_sluice_sections[];


/* _seen.c: the last event of each tenant */
extern const ngx_http_sluice_metric_t  ngx_http_sluice_seen_metrics[];
ngx_int_t ngx_http_sluice_seen_ident(const ngx_http_sluice_metrics_t *m,
    ngx_uint_t i, ngx_str_t *values);


/* The moment to show. */
void ngx_http_sluice_metrics_take(ngx_http_sluice_metrics_t *m,
    ngx_http_sluice_main_conf_t *mcf, ngx_pool_t *pool);

/* A counter of the slots: `data` is its offset in ngx_http_sluice_slot_t. */
uint64_t ngx_http_sluice_metric_sum(const ngx_http_sluice_metrics_t *m,
    ngx_uint_t i, uintptr_t data);

/*
 * _secret.c: what each secret verified.  i is the scheme's index times
 * NGX_HTTP_SLUICE_SECRETS, and the secret's.
 */
uint64_t ngx_http_sluice_metric_secret(const ngx_http_sluice_metrics_t *m,
    ngx_uint_t i, uintptr_t data);
ngx_int_t ngx_http_sluice_metric_secret_of(const ngx_http_sluice_metrics_t *m,
    ngx_uint_t i, ngx_str_t *values);


#endif
