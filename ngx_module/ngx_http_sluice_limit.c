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
    int64_t                  next;       /* to be stored */
    int64_t                  unchanged;  /* the same without the charge */
} ngx_http_sluice_charge_t;


/* What a refusal tells the client. */

typedef struct {
    ngx_str_t                zone;
    int64_t                  wait;     /* µs, of the longest */
    int64_t                  quota;    /* units of a full burst */
    int64_t                  window;   /* µs to earn them */
    int64_t                  left;     /* units that are there */
} ngx_http_sluice_excess_t;


/* The limits of one step that apply, in the order of locking */

typedef struct {
    ngx_uint_t                n;
    uint64_t                  zones;   /* a bit each */
    ngx_http_sluice_charge_t  charges[NGX_HTTP_SLUICE_LIMITS];
} ngx_http_sluice_charges_t;


/* µs: an item is not delayed for longer, whatever waits before it */
#define NGX_HTTP_SLUICE_HORIZON  (INT64_C(86400) * 1000000)


static ngx_int_t ngx_http_sluice_limit_refuse(ngx_http_request_t *r,
    const ngx_http_sluice_loc_conf_t *conf,
    const ngx_http_sluice_excess_t *excess);
static ngx_int_t ngx_http_sluice_limit_collect(ngx_http_request_t *r,
    const ngx_http_sluice_loc_conf_t *conf, ngx_uint_t early, uint64_t done,
    off_t size, ngx_http_sluice_charges_t *charges);
static ngx_int_t ngx_http_sluice_limit_charge(
    ngx_http_sluice_charges_t *charges, ngx_http_sluice_excess_t *excess);
static int64_t ngx_http_sluice_limit_reserve(
    ngx_http_sluice_charges_t *charges);
static ngx_int_t ngx_http_sluice_limit_prepare(ngx_http_request_t *r,
    const ngx_http_sluice_limit_t *limit, off_t size,
    ngx_http_sluice_charge_t *charge);
static ngx_int_t ngx_http_sluice_limit_evaluate(ngx_http_request_t *r,
    ngx_http_complex_value_t *cv, ngx_int_t least, int64_t *number);
static off_t ngx_http_sluice_limit_size(ngx_http_request_t *r);


ngx_int_t
ngx_http_sluice_limit_step(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf, ngx_uint_t early)
{
    uint64_t                   done;
    ngx_int_t                  rc;
    ngx_http_sluice_excess_t   excess;
    ngx_http_sluice_charges_t  charges;

    /*
     * Once a request: but what was refused is no page that says so when it
     * would be stored after all.
     */

    done = ctx->charged;

    if (conf->enqueue == NULL) {
        done |= ctx->refused;
    }

    rc = ngx_http_sluice_limit_collect(r, conf, early, done,
                                       ngx_http_sluice_limit_size(r),
                                       &charges);

    if (rc == NGX_OK && charges.n == 0) {
        return NGX_DECLINED;
    }

    if (rc == NGX_OK) {
        rc = ngx_http_sluice_limit_charge(&charges, &excess);
    }

    if (rc == NGX_OK) {
        ctx->charged |= charges.zones;
        ctx->admitted = 1;
        ctx->limited = 0;

        return NGX_DECLINED;
    }

    if (rc == NGX_BUSY) {
        ngx_log_error(conf->limit_log_level, r->connection->log, 0,
                      "sluice %s the request by zone \"%V\" for %L us",
                      conf->limit_dry_run ? "would limit" : "limited",
                      &excess.zone, excess.wait);

        if (conf->limit_dry_run) {
            ctx->charged |= charges.zones;
            ctx->dry_run = 1;
            ctx->process->slot->limits[NGX_HTTP_SLUICE_LIMIT_DRY_RUN]++;

            return NGX_DECLINED;
        }
    }

    ngx_http_sluice_status_received(ctx, conf->enqueue != NULL);

    if (rc != NGX_BUSY) {
        ngx_http_sluice_status_outcome(ctx, NGX_HTTP_SLUICE_FAILED);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->refused |= charges.zones;
    ctx->limited = 1;

    ngx_http_sluice_status_outcome(ctx, NGX_HTTP_SLUICE_LIMITED);

    return ngx_http_sluice_limit_refuse(r, conf, &excess);
}


ngx_int_t
ngx_http_sluice_limit_delay(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_loc_conf_t *conf, off_t size, int64_t *delay)
{
    int64_t                    wait;
    ngx_http_sluice_charges_t  charges;

    *delay = 0;

    if (!conf->late) {
        return NGX_OK;
    }

    if (ngx_http_sluice_limit_collect(r, conf, 0, 0, size, &charges)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (charges.n == 0) {
        return NGX_OK;
    }

    wait = ngx_http_sluice_limit_reserve(&charges);

    if (wait == 0) {
        ctx->admitted = 1;
        return NGX_OK;
    }

    ngx_log_error(conf->limit_log_level, r->connection->log, 0,
                  "sluice %s an item for %L us",
                  conf->limit_dry_run ? "would delay" : "delayed", wait);

    if (conf->limit_dry_run) {
        ctx->dry_run = 1;
        ctx->process->slot->limits[NGX_HTTP_SLUICE_LIMIT_DRY_RUN]++;

        return NGX_OK;
    }

    ctx->limited = 1;
    ctx->process->slot->limits[NGX_HTTP_SLUICE_LIMIT_DELAYED]++;

    *delay = (wait + 999) / 1000;

    return NGX_OK;
}


/* Whole seconds, rounded up: at that time the request passes. */

static ngx_int_t
ngx_http_sluice_limit_refuse(ngx_http_request_t *r,
    const ngx_http_sluice_loc_conf_t *conf,
    const ngx_http_sluice_excess_t *excess)
{
    u_char                  *p;
    int64_t                  seconds, window;
    ngx_str_t                value;

    static const ngx_str_t   detail = ngx_string("the rate is exceeded");

    seconds = excess->wait / 1000000 + (excess->wait % 1000000 != 0);
    window = excess->window / 1000000 + (excess->window % 1000000 != 0);

    p = ngx_pnalloc(r->pool, 3 * (excess->zone.len + 3 * NGX_INT64_LEN + 16));
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
    p = ngx_sprintf(p, "\"%V\";q=%L;w=%L", &excess->zone, excess->quota,
                    window);
    value.len = p - value.data;

    if (ngx_http_sluice_respond_header(r, "RateLimit-Policy", &value)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value.data = p;
    p = ngx_sprintf(p, "\"%V\";r=%L;t=%L", &excess->zone, excess->left,
                    seconds);
    value.len = p - value.data;

    if (ngx_http_sluice_respond_header(r, "RateLimit", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_sluice_respond_problem(r, conf->limit_status, &detail);
}


/* All that may call other modules comes before the locks. */

static ngx_int_t
ngx_http_sluice_limit_collect(ngx_http_request_t *r,
    const ngx_http_sluice_loc_conf_t *conf, ngx_uint_t early, uint64_t done,
    off_t size, ngx_http_sluice_charges_t *charges)
{
    uint64_t                        zone;
    ngx_int_t                       rc;
    ngx_uint_t                      i;
    const ngx_http_sluice_limit_t  *limit;

    charges->n = 0;
    charges->zones = 0;

    limit = conf->limits->elts;

    for (i = 0; i < conf->limits->nelts; i++) {

        zone = (uint64_t) 1 << limit[i].zone->index;

        if (limit[i].early != early || (done & zone)) {
            continue;
        }

        rc = ngx_http_sluice_limit_prepare(r, &limit[i], size,
                                           &charges->charges[charges->n]);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            charges->zones |= zone;
            charges->n++;
        }
    }

    return NGX_OK;
}


static void
ngx_http_sluice_limit_lock(ngx_http_sluice_charges_t *charges)
{
    ngx_uint_t                 i;
    ngx_http_sluice_charge_t  *charge;

    for (i = 0; i < charges->n; i++) {
        ngx_http_sluice_zone_lock(charges->charges[i].zone);
    }

    for (i = 0; i < charges->n; i++) {
        charge = &charges->charges[i];
        charge->node = ngx_http_sluice_zone_node(charge->zone, &charge->key,
                                                 charge->hash);
    }
}


/* The times are stored, those of a refusal too: they charge nothing. */

static void
ngx_http_sluice_limit_unlock(ngx_http_sluice_charges_t *charges)
{
    ngx_uint_t                 i;
    ngx_http_sluice_charge_t  *charge;

    for (i = charges->n; i--; /* void */ ) {
        charge = &charges->charges[i];
        charge->node->tat = charge->next;

        ngx_http_sluice_zone_unlock(charge->zone);
    }
}


/* NGX_OK: all were charged; NGX_BUSY: none was, see *excess. */

static ngx_int_t
ngx_http_sluice_limit_charge(ngx_http_sluice_charges_t *charges,
    ngx_http_sluice_excess_t *excess)
{
    int64_t                    now, tat, wait;
    ngx_uint_t                 i;
    ngx_http_sluice_charge_t  *charge;

    ngx_http_sluice_limit_lock(charges);

    now = (int64_t) ngx_current_msec * 1000;
    excess->wait = 0;

    for (i = 0; i < charges->n; i++) {
        charge = &charges->charges[i];
        tat = charge->node->tat;

        if (charge->node->backlog) {

            /* items were delayed that far: it is no clock set back */

            wait = sluice_gcra_reserve(tat, now, charge->cost, &charge->limit,
                                       NGX_HTTP_SLUICE_HORIZON, &charge->next);

            if (wait == 0) {
                charge->node->backlog = 0;

            } else {
                charge->next = tat;
            }

        } else {
            wait = sluice_gcra_check(tat, now, charge->cost, &charge->limit,
                                     &charge->next);
        }

        charge->unchanged = (wait == 0) ? tat : charge->next;

        if (wait > excess->wait) {
            excess->zone = charge->zone->shm_zone->shm.name;
            excess->wait = wait;
            excess->quota = charge->units + 1;
            excess->left = sluice_gcra_left(tat, now, &charge->limit);
            excess->window = (charge->limit.interval > INT64_MAX / 2
                              - charge->limit.tolerance)
                             ? INT64_MAX / 2
                             : charge->limit.tolerance
                               + charge->limit.interval;
        }
    }

    for (i = 0; excess->wait && i < charges->n; i++) {
        charges->charges[i].next = charges->charges[i].unchanged;
    }

    ngx_http_sluice_limit_unlock(charges);

    return excess->wait ? NGX_BUSY : NGX_OK;
}


/* All are charged in any case.  Returns the µs until all would have passed. */

static int64_t
ngx_http_sluice_limit_reserve(ngx_http_sluice_charges_t *charges)
{
    int64_t                    longest, now, wait;
    ngx_uint_t                 i;
    ngx_http_sluice_charge_t  *charge;

    ngx_http_sluice_limit_lock(charges);

    now = (int64_t) ngx_current_msec * 1000;
    longest = 0;

    for (i = 0; i < charges->n; i++) {
        charge = &charges->charges[i];

        wait = sluice_gcra_reserve(charge->node->tat, now, charge->cost,
                                   &charge->limit, NGX_HTTP_SLUICE_HORIZON,
                                   &charge->next);

        charge->node->backlog = (wait > 0);

        if (wait > longest) {
            longest = wait;
        }
    }

    ngx_http_sluice_limit_unlock(charges);

    return longest;
}


/* NGX_DECLINED: the limit does not apply, its key or its rate is empty. */

static ngx_int_t
ngx_http_sluice_limit_prepare(ngx_http_request_t *r,
    const ngx_http_sluice_limit_t *limit, off_t size,
    ngx_http_sluice_charge_t *charge)
{
    ngx_str_t  rate;

    charge->zone = limit->zone;
    charge->units = limit->units;
    charge->cost = limit->price;

    if (limit->piece && size > 0) {
        charge->cost = (size - 1) / limit->piece + 1;
    }

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

    /* more than there ever is takes all of it, and does not wait for ever */

    if (charge->cost - 1 > charge->units) {
        charge->cost = charge->units + 1;
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


/* Bytes of the body, as far as they are known */

static off_t
ngx_http_sluice_limit_size(ngx_http_request_t *r)
{
    off_t         size;
    ngx_chain_t  *cl;

    if (r->request_body == NULL) {
        return r->headers_in.content_length_n;
    }

    size = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    return size;
}
