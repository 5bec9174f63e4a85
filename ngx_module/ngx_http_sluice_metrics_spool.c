/*
 * What sluice_status shows of the spool.
 */

#include "ngx_http_sluice_metrics.h"


static uint64_t ngx_http_sluice_metric_age(
    const ngx_http_sluice_metrics_t *m, ngx_uint_t i, uintptr_t data);
static uint64_t ngx_http_sluice_metric_error(
    const ngx_http_sluice_metrics_t *m, ngx_uint_t i, uintptr_t data);


/* The spool: what all processes hold, and what they did. */

const ngx_http_sluice_metric_t  ngx_http_sluice_spool_metrics[] = {

    { NULL, "bytes", "spool_bytes", NULL, NGX_HTTP_SLUICE_METRIC_GAUGE,
      "Size of the files.", ngx_http_sluice_metric_sum,
      offsetof(ngx_http_sluice_slot_t, spool.bytes), 0 },

    { NULL, "segments", "spool_segments", NULL, NGX_HTTP_SLUICE_METRIC_GAUGE,
      "Files.", ngx_http_sluice_metric_sum,
      offsetof(ngx_http_sluice_slot_t, spool.segments), 0 },

    { NULL, "age", "spool_age_seconds", NULL, NGX_HTTP_SLUICE_METRIC_GAUGE,
      "Age of the oldest file.", ngx_http_sluice_metric_age, 0, 1 },

    ngx_http_sluice_slot_row(NULL, "written", "spool_jobs_total", "step",
                             "Jobs written, and given to Redis.",
                             spool.written),
    ngx_http_sluice_slot_row(NULL, "replayed", "spool_jobs_total", "step",
                             NULL, spool.replayed),
    ngx_http_sluice_slot_row(NULL, "bad", "spool_bad_total", NULL,
                             "Pieces of files that were set aside.",
                             spool.bad),
    ngx_http_sluice_slot_row(NULL, "errors", "spool_errors_total", NULL,
                             "Writes and reads that failed.", spool.errors),

    { NULL, "last_error", "spool_last_error", NULL,
      NGX_HTTP_SLUICE_METRIC_GAUGE, "The number (errno) of the last error.",
      ngx_http_sluice_metric_error, 0, 0 },

    ngx_http_sluice_metric_end
};


/* ms */

static uint64_t
ngx_http_sluice_metric_age(const ngx_http_sluice_metrics_t *m, ngx_uint_t i,
    uintptr_t data)
{
    uint64_t     now, oldest, time;
    ngx_uint_t   n;
    ngx_time_t  *tp;

    tp = ngx_timeofday();
    now = (uint64_t) tp->sec * 1000 + tp->msec;

    for (oldest = now, n = 0; n < NGX_HTTP_SLUICE_SLOTS; n++) {
        time = m->slots[n].spool.oldest;

        if (time && time < oldest) {
            oldest = time;
        }
    }

    return now - oldest;
}


/* Of whichever process; 0: none had one */

static uint64_t
ngx_http_sluice_metric_error(const ngx_http_sluice_metrics_t *m, ngx_uint_t i,
    uintptr_t data)
{
    ngx_uint_t  n;

    for (n = 0; n < NGX_HTTP_SLUICE_SLOTS; n++) {
        if (m->slots[n].spool.error) {
            return m->slots[n].spool.error;
        }
    }

    return 0;
}
