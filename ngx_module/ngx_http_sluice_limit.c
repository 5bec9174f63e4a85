/*
 * Rates in shared memory: for each key the theoretical arrival time of
 * core/gcra.h.  Rates are in the configuration, the zone holds only times.
 */

#include <openssl/evp.h>

#include "ngx_http_sluice_zone.h"


#define NGX_HTTP_SLUICE_DIGEST  32


/* A limit of this request, all values known. */

typedef struct {
    ngx_http_sluice_zone_t  *zone;
    ngx_http_sluice_node_t  *node;
    ngx_str_t                key;
    u_char                   digest[NGX_HTTP_SLUICE_DIGEST];
    uint32_t                 hash;
    sluice_gcra_limit_t      limit;
    int64_t                  units;
    int64_t                  cost;
    int64_t                  next;
} ngx_http_sluice_charge_t;


/* What a refusal tells the client. */

typedef struct {
    ngx_str_t                zone;
    int64_t                  wait;     /* µs, of the longest */
    int64_t                  quota;    /* units of a full burst */
    int64_t                  window;   /* µs to earn them */
} ngx_http_sluice_excess_t;


static ngx_int_t ngx_http_sluice_limit_charge(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_loc_conf_t *conf,
    ngx_uint_t early, ngx_http_sluice_excess_t *excess);
static ngx_int_t ngx_http_sluice_limit_prepare(ngx_http_request_t *r,
    const ngx_http_sluice_limit_t *limit, ngx_http_sluice_charge_t *charge);
static ngx_int_t ngx_http_sluice_limit_evaluate(ngx_http_request_t *r,
    ngx_http_complex_value_t *cv, ngx_int_t least, int64_t *number);


/*
 * NGX_DECLINED: the location's limits, early ones or the others, let the
 * request pass; else it was refused.
 */

ngx_int_t
ngx_http_sluice_limit_step(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf, ngx_uint_t early)
{
    u_char                    *p;
    int64_t                    seconds, window;
    ngx_int_t                  rc;
    ngx_str_t                  value;
    ngx_http_sluice_excess_t   excess;

    static const ngx_str_t     detail = ngx_string("the rate is exceeded");

    rc = ngx_http_sluice_limit_charge(r, ctx, conf, early, &excess);

    if (rc == NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_http_sluice_status_received(ctx, conf->enqueue != NULL);

    if (rc != NGX_BUSY) {
        ngx_http_sluice_status_outcome(ctx, NGX_HTTP_SLUICE_FAILED);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_sluice_status_outcome(ctx, NGX_HTTP_SLUICE_LIMITED);

    /* whole seconds, rounded up: at that time the request passes */

    seconds = excess.wait / 1000000 + (excess.wait % 1000000 != 0);
    window = excess.window / 1000000 + (excess.window % 1000000 != 0);

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "sluice limited the request by zone \"%V\" for %L us",
                  &excess.zone, excess.wait);

    p = ngx_pnalloc(r->pool, 3 * (excess.zone.len + 3 * NGX_INT64_LEN + 16));
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value.data = p;
    p = ngx_sprintf(p, "%L", seconds);
    value.len = p - value.data;

    if (ngx_http_sluice_respond_header(r, "Retry-After", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value.data = p;
    p = ngx_sprintf(p, "\"%V\";q=%L;w=%L", &excess.zone, excess.quota, window);
    value.len = p - value.data;

    if (ngx_http_sluice_respond_header(r, "RateLimit-Policy", &value)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value.data = p;
    p = ngx_sprintf(p, "\"%V\";r=0;t=%L", &excess.zone, seconds);
    value.len = p - value.data;

    if (ngx_http_sluice_respond_header(r, "RateLimit", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_sluice_respond_problem(r, conf->limit_status, &detail);
}


/* NGX_OK: all were charged; NGX_BUSY: none was, see *excess; NGX_ERROR. */

static ngx_int_t
ngx_http_sluice_limit_charge(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf, ngx_uint_t early,
    ngx_http_sluice_excess_t *excess)
{
    int64_t                          now, wait;
    uint64_t                         done, zones;
    ngx_int_t                        rc;
    ngx_uint_t                       i, n;
    const ngx_http_sluice_limit_t   *limit;
    ngx_http_sluice_charge_t         charges[NGX_HTTP_SLUICE_LIMITS];
    ngx_http_sluice_charge_t        *charge;

    limit = conf->limits->elts;
    n = 0;
    zones = 0;

    /*
     * Once a request: but what was refused is no page that says so when it
     * would be stored after all.
     */

    done = ctx->charged;

    if (conf->enqueue == NULL) {
        done |= ctx->refused;
    }

    /* all that may call other modules comes before the locks */

    for (i = 0; i < conf->limits->nelts; i++) {

        if (limit[i].early != early
            || (done & ((uint64_t) 1 << limit[i].zone->index)))
        {
            continue;
        }

        rc = ngx_http_sluice_limit_prepare(r, &limit[i], &charges[n]);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            zones |= (uint64_t) 1 << limit[i].zone->index;
            n++;
        }
    }

    if (n == 0) {
        return NGX_OK;
    }

    for (i = 0; i < n; i++) {
        ngx_http_sluice_zone_lock(charges[i].zone);
    }

    now = (int64_t) ngx_current_msec * 1000;
    excess->wait = 0;

    for (i = 0; i < n; i++) {
        charge = &charges[i];

        charge->node = ngx_http_sluice_zone_node(charge->zone, &charge->key,
                                                 charge->hash);

        wait = sluice_gcra_check(charge->node->tat, now, charge->cost,
                                 &charge->limit, &charge->next);

        if (wait > excess->wait) {
            excess->zone = charge->zone->shm_zone->shm.name;
            excess->wait = wait;
            excess->quota = charge->units + 1;
            excess->window = (charge->limit.interval > INT64_MAX / 2
                              - charge->limit.tolerance)
                             ? INT64_MAX / 2
                             : charge->limit.tolerance
                               + charge->limit.interval;
        }
    }

    for (i = n; i--; /* void */ ) {
        charge = &charges[i];

        if (excess->wait == 0) {
            charge->node->tat = charge->next;
        }

        ngx_http_sluice_zone_unlock(charge->zone);
    }

    if (excess->wait == 0) {
        ctx->charged |= zones;
        ctx->admitted = 1;
        ctx->limited = 0;

        return NGX_OK;
    }

    ctx->refused |= zones;
    ctx->limited = 1;

    return NGX_BUSY;
}


/* NGX_DECLINED: the limit does not apply, its key or its rate is empty. */

static ngx_int_t
ngx_http_sluice_limit_prepare(ngx_http_request_t *r,
    const ngx_http_sluice_limit_t *limit, ngx_http_sluice_charge_t *charge)
{
    ngx_str_t  rate;

    charge->zone = limit->zone;
    charge->node = NULL;
    charge->units = limit->units;
    charge->cost = limit->price;
    charge->limit.interval = limit->interval;

    if (ngx_http_complex_value(r, &limit->zone->key, &charge->key) != NGX_OK) {
        return NGX_ERROR;
    }

    if (charge->key.len == 0) {
        return NGX_DECLINED;
    }

    if (limit->rate) {

        if (ngx_http_complex_value(r, limit->rate, &rate) != NGX_OK) {
            return NGX_ERROR;
        }

        if (rate.len == 0) {
            return NGX_DECLINED;
        }

        charge->limit.interval = sluice_gcra_rate((char *) rate.data,
                                                  rate.len);

        if (charge->limit.interval == 0) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "sluice_limit in zone \"%V\": the value of \"%V\" "
                          "is not a rate, the limit is not applied",
                          &limit->zone->shm_zone->shm.name,
                          &limit->rate->value);
            return NGX_DECLINED;
        }
    }

    if (limit->burst
        && ngx_http_sluice_limit_evaluate(r, limit->burst, 0, &charge->units)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (limit->cost
        && ngx_http_sluice_limit_evaluate(r, limit->cost, 1, &charge->cost)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (__builtin_mul_overflow(charge->units, charge->limit.interval,
                               &charge->limit.tolerance))
    {
        charge->limit.tolerance = INT64_MAX;
    }

    if (charge->key.len > NGX_HTTP_SLUICE_KEY) {

        if (EVP_Digest(charge->key.data, charge->key.len, charge->digest, NULL,
                       EVP_sha256(), NULL)
            != 1)
        {
            return NGX_ERROR;
        }

        charge->key.data = charge->digest;
        charge->key.len = NGX_HTTP_SLUICE_DIGEST;
    }

    charge->hash = ngx_crc32_short(charge->key.data, charge->key.len);

    return NGX_OK;
}


/* An empty or wrong value leaves the number as it is, the latter is told. */

static ngx_int_t
ngx_http_sluice_limit_evaluate(ngx_http_request_t *r,
    ngx_http_complex_value_t *cv, ngx_int_t least, int64_t *number)
{
    ngx_int_t  n;
    ngx_str_t  value;

    if (ngx_http_complex_value(r, cv, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (value.len == 0) {
        return NGX_OK;
    }

    n = ngx_atoi(value.data, value.len);

    if (n == NGX_ERROR || n < least) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "sluice_limit: the value of \"%V\" is not a number "
                      "of at least %i, the default is taken", &cv->value,
                      least);
        return NGX_OK;
    }

    *number = n;

    return NGX_OK;
}
