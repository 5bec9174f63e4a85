/*
 * sluice_status [json]: the counters of all processes, and what they know of
 * Redis and of the zones.  sluice_health: does this process take events?
 */

#include "ngx_http_sluice_link.h"


static ngx_int_t ngx_http_sluice_status_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_sluice_health_handler(ngx_http_request_t *r);
static u_char *ngx_http_sluice_status_group(u_char *p, const char *name,
    const ngx_http_sluice_slot_t *slots, ngx_uint_t group);
static u_char *ngx_http_sluice_status_refusals(u_char *p,
    const ngx_http_sluice_slot_t *slots);
static u_char *ngx_http_sluice_status_servers(u_char *p,
    const ngx_http_sluice_slot_t *slots, ngx_http_sluice_main_conf_t *mcf);
static u_char *ngx_http_sluice_status_zones(u_char *p,
    ngx_http_sluice_main_conf_t *mcf);


/* room for a name of at most 64 bytes and its numbers */
#define NGX_HTTP_SLUICE_ROOM   512
#define NGX_HTTP_SLUICE_ROOMS  6


static const char  *ngx_http_sluice_counters[] = {
    "received", "enqueued", "duplicate", "passed", "limited", "refused",
    "failed", "aborted"
};

static const char  *ngx_http_sluice_reasons[] = {
    "missing", "malformed", "mismatch", "empty_secret", "unverified", "tenant",
    "body", "method"
};

static const char  *ngx_http_sluice_states[] = {
    "unused", "down", "resolving", "connecting", "greeting", "ready"
};

static ngx_str_t  ngx_http_sluice_json_content =
                                             ngx_string("application/json");


char *
ngx_http_sluice_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_sluice_loc_conf_t  *lcf = conf;

    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "json") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of \"sluice_status\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    if (lcf->handler) {
        return "is beside another content of sluice";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_sluice_status_handler;
    lcf->handler = clcf->handler;

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
ngx_http_sluice_status_handler(ngx_http_request_t *r)
{
    u_char                       *p;
    size_t                        size;
    ngx_int_t                     rc;
    ngx_str_t                     text;
    ngx_http_sluice_slot_t       *slots;
    ngx_http_sluice_main_conf_t  *mcf;

    rc = ngx_http_sluice_status_begin(r);

    if (rc != NGX_OK) {
        return rc;
    }

    mcf = ngx_http_get_module_main_conf(r, ngx_http_sluice_module);
    slots = ngx_http_sluice_status_slots(mcf->status);

    size = NGX_HTTP_SLUICE_ROOM * (NGX_HTTP_SLUICE_ROOMS + mcf->servers.nelts
                                   + mcf->zones.nelts);

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text.data = p;

    *p++ = '{';
    p = ngx_http_sluice_status_group(p, "events", slots, 1);
    p = ngx_http_sluice_status_group(p, "guarded", slots, 0);
    p = ngx_http_sluice_status_refusals(p, slots);
    p = ngx_http_sluice_status_servers(p, slots, mcf);
    p = ngx_http_sluice_status_zones(p, mcf);
    *p++ = '}';
    *p++ = LF;

    text.len = p - text.data;

    return ngx_http_sluice_respond_text(r, NGX_HTTP_OK,
                                        &ngx_http_sluice_json_content, &text);
}


static u_char *
ngx_http_sluice_status_group(u_char *p, const char *name,
    const ngx_http_sluice_slot_t *slots, ngx_uint_t group)
{
    ngx_uint_t         i, n;
    ngx_atomic_uint_t  flight, sums[NGX_HTTP_SLUICE_COUNTERS];

    ngx_memzero(sums, sizeof(sums));
    flight = 0;

    for (n = 0; n <= NGX_HTTP_SLUICE_SLOTS; n++) {

        /*
         * What was received is derived from the others, so that the sum
         * balances although processes count on.
         */

        flight += ngx_http_sluice_status_flight(&slots[n], group);

        for (i = NGX_HTTP_SLUICE_ENQUEUED; i < NGX_HTTP_SLUICE_COUNTERS; i++) {
            sums[i] += slots[n].counters[group][i];
        }
    }

    sums[NGX_HTTP_SLUICE_RECEIVED] = flight;

    for (i = NGX_HTTP_SLUICE_ENQUEUED; i < NGX_HTTP_SLUICE_COUNTERS; i++) {
        sums[NGX_HTTP_SLUICE_RECEIVED] += sums[i];
    }

    p = ngx_sprintf(p, "\"%s\":{", name);

    for (i = 0; i < NGX_HTTP_SLUICE_COUNTERS; i++) {
        p = ngx_sprintf(p, "\"%s\":%uA,", ngx_http_sluice_counters[i],
                        sums[i]);
    }

    return ngx_sprintf(p, "\"in_flight\":%uA},", flight);
}


static u_char *
ngx_http_sluice_status_refusals(u_char *p, const ngx_http_sluice_slot_t *slots)
{
    ngx_uint_t         i, n;
    ngx_atomic_uint_t  sum, handshakes[2];

    p = ngx_cpymem(p, "\"refused\":{", sizeof("\"refused\":{") - 1);

    for (i = 0; i < NGX_HTTP_SLUICE_WHYS; i++) {

        for (sum = 0, n = 0; n <= NGX_HTTP_SLUICE_SLOTS; n++) {
            sum += slots[n].refused[i];
        }

        p = ngx_sprintf(p, "%s\"%s\":%uA", i ? "," : "",
                        ngx_http_sluice_reasons[i], sum);
    }

    handshakes[0] = 0;
    handshakes[1] = 0;

    for (n = 0; n <= NGX_HTTP_SLUICE_SLOTS; n++) {
        handshakes[0] += slots[n].handshakes[0];
        handshakes[1] += slots[n].handshakes[1];
    }

    return ngx_sprintf(p, "},\"handshakes\":{\"answered\":%uA,"
                          "\"refused\":%uA},", handshakes[0], handshakes[1]);
}


static u_char *
ngx_http_sluice_status_servers(u_char *p, const ngx_http_sluice_slot_t *slots,
    ngx_http_sluice_main_conf_t *mcf)
{
    uint32_t                    name;
    ngx_uint_t                  i, k, n, processes[6];
    ngx_atomic_uint_t           connects, losses, pending;
    ngx_http_sluice_server_t  **server;

    p = ngx_cpymem(p, "\"redis\":[", sizeof("\"redis\":[") - 1);

    server = mcf->servers.elts;

    for (i = 0; i < mcf->servers.nelts; i++) {

        name = ngx_crc32_long(server[i]->name.data, server[i]->name.len);
        ngx_memzero(processes, sizeof(processes));
        connects = losses = pending = 0;

        for (n = 0; n <= NGX_HTTP_SLUICE_SLOTS; n++) {

            if (slots[n].links[i].name != name) {
                processes[0] += (slots[n].pid != 0);
                continue;
            }

            connects += slots[n].links[i].connects;
            losses += slots[n].links[i].losses;

            if (n) {
                pending += slots[n].links[i].pending;
                processes[slots[n].links[i].state % 6]++;
            }
        }

        p = ngx_sprintf(p, "%s{\"name\":\"%V\",\"pending\":%uA,"
                           "\"connects\":%uA,\"losses\":%uA,\"processes\":{",
                        i ? "," : "", &server[i]->name, pending, connects,
                        losses);

        for (k = 0; k < 6; k++) {
            p = ngx_sprintf(p, "%s\"%s\":%ui", k ? "," : "",
                            ngx_http_sluice_states[k], processes[k]);
        }

        *p++ = '}';
        *p++ = '}';
    }

    return ngx_cpymem(p, "],", 2);
}


static u_char *
ngx_http_sluice_status_zones(u_char *p, ngx_http_sluice_main_conf_t *mcf)
{
    ngx_uint_t                i;
    ngx_http_sluice_zone_t  **zone;

    p = ngx_cpymem(p, "\"zones\":[", sizeof("\"zones\":[") - 1);

    zone = mcf->zones.elts;

    for (i = 0; i < mcf->zones.nelts; i++) {
        p = ngx_sprintf(p, "%s{\"name\":\"%V\",\"bytes\":%uz,\"keys\":%uA,"
                           "\"evicted\":%uA}", i ? "," : "",
                        &zone[i]->shm_zone->shm.name,
                        zone[i]->shm_zone->shm.size, zone[i]->sh->keys,
                        zone[i]->sh->evicted);
    }

    *p++ = ']';

    return p;
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
    ngx_uint_t                    i;
    ngx_http_sluice_link_t       *link;
    ngx_http_sluice_server_t    **server;
    ngx_http_sluice_main_conf_t  *mcf;

    rc = ngx_http_sluice_status_begin(r);

    if (rc != NGX_OK) {
        return rc;
    }

    mcf = ngx_http_get_module_main_conf(r, ngx_http_sluice_module);
    server = mcf->servers.elts;

    for (i = 0; i < mcf->servers.nelts; i++) {

        link = ngx_http_sluice_redis_link(mcf, server[i]);
        if (link == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        (void) ngx_http_sluice_redis_wake(link);

        if (ngx_http_sluice_redis_usable(link)) {
            continue;
        }

        p = ngx_pnalloc(r->pool, server[i]->name.len
                                 + sizeof("redis \"\" is resolving, waits"));
        if (p == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        detail.data = p;
        p = ngx_sprintf(p, "redis \"%V\" is %s", &server[i]->name,
                        link->state == NGX_HTTP_SLUICE_LINK_READY
                        ? "not accepting"
                        : ngx_http_sluice_states[link->state]);
        detail.len = p - detail.data;

        return ngx_http_sluice_respond_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                               &detail);
    }

    ngx_str_set(&text, "{\"status\":\"ready\"}\n");

    return ngx_http_sluice_respond_text(r, NGX_HTTP_OK,
                                        &ngx_http_sluice_json_content, &text);
}
