/*
 * The numbers of sluice_status, section by section, and where they come from.
 */

#include "ngx_http_sluice_metrics.h"
#include "ngx_http_sluice_table.h"


static void ngx_http_sluice_metrics_links(ngx_http_sluice_metrics_t *m,
    ngx_uint_t i);
static uint64_t ngx_http_sluice_metric_ledger(
    const ngx_http_sluice_metrics_t *m, ngx_uint_t i, uintptr_t data);
static uint64_t ngx_http_sluice_metric_flight(
    const ngx_http_sluice_metrics_t *m, ngx_uint_t i, uintptr_t data);
static uint64_t ngx_http_sluice_metric_bucket(
    const ngx_http_sluice_metrics_t *m, ngx_uint_t i, uintptr_t data);
static ngx_int_t ngx_http_sluice_metric_server(
    const ngx_http_sluice_metrics_t *m, ngx_uint_t i, ngx_str_t *values);
static uint64_t ngx_http_sluice_metric_link(
    const ngx_http_sluice_metrics_t *m, ngx_uint_t i, uintptr_t data);
static ngx_int_t ngx_http_sluice_metric_zone(
    const ngx_http_sluice_metrics_t *m, ngx_uint_t i, ngx_str_t *values);
static uint64_t ngx_http_sluice_metric_bytes(
    const ngx_http_sluice_metrics_t *m, ngx_uint_t i, uintptr_t data);
static uint64_t ngx_http_sluice_metric_keys(
    const ngx_http_sluice_metrics_t *m, ngx_uint_t i, uintptr_t data);


/* The ledger: the rows of a group add up to its "received". */

#define ngx_http_sluice_ledger_data(group, counter)                           \
    ((group) * NGX_HTTP_SLUICE_COUNTERS + (counter))

#define ngx_http_sluice_outcome_row(group, prefix, key, counter)              \
    { NULL, key, prefix "_total", "outcome", NGX_HTTP_SLUICE_METRIC_COUNTER,  \
      "What became of them.", ngx_http_sluice_metric_ledger,                  \
      ngx_http_sluice_ledger_data(group, counter), 0 }

#define ngx_http_sluice_ledger_rows(group, prefix, what)                      \
    { NULL, "received", prefix "_received_total", NULL,                       \
      NGX_HTTP_SLUICE_METRIC_COUNTER, what,                                   \
      ngx_http_sluice_metric_ledger,                                          \
      ngx_http_sluice_ledger_data(group, NGX_HTTP_SLUICE_RECEIVED), 0 },      \
    ngx_http_sluice_outcome_row(group, prefix, "enqueued",                    \
                                NGX_HTTP_SLUICE_ENQUEUED),                    \
    ngx_http_sluice_outcome_row(group, prefix, "spooled",                     \
                                NGX_HTTP_SLUICE_SPOOLED),                     \
    ngx_http_sluice_outcome_row(group, prefix, "duplicate",                   \
                                NGX_HTTP_SLUICE_DUPLICATE),                   \
    ngx_http_sluice_outcome_row(group, prefix, "passed",                      \
                                NGX_HTTP_SLUICE_PASSED),                      \
    ngx_http_sluice_outcome_row(group, prefix, "limited",                     \
                                NGX_HTTP_SLUICE_LIMITED),                     \
    ngx_http_sluice_outcome_row(group, prefix, "refused",                     \
                                NGX_HTTP_SLUICE_REFUSED),                     \
    ngx_http_sluice_outcome_row(group, prefix, "failed",                      \
                                NGX_HTTP_SLUICE_FAILED),                      \
    ngx_http_sluice_outcome_row(group, prefix, "aborted",                     \
                                NGX_HTTP_SLUICE_ABORTED),                     \
    { NULL, "in_flight", prefix "_in_flight", NULL,                           \
      NGX_HTTP_SLUICE_METRIC_GAUGE, "Received, and not answered yet.",        \
      ngx_http_sluice_metric_flight, group, 0 }

static const ngx_http_sluice_metric_t  ngx_http_sluice_event_metrics[] = {
    ngx_http_sluice_ledger_rows(1, "events",
                            "Events at locations with sluice_enqueue."),
    ngx_http_sluice_metric_end
};

static const ngx_http_sluice_metric_t  ngx_http_sluice_guarded_metrics[] = {
    ngx_http_sluice_ledger_rows(0, "guarded",
                            "Requests at locations without sluice_enqueue."),
    ngx_http_sluice_metric_end
};


/* Counters of the slots: one row each. */

#define ngx_http_sluice_refusal_row(key, why)                                 \
    ngx_http_sluice_slot_row(NULL, key, "refused_total", "reason",            \
                             "Requests refused, by their reason.",            \
                             refused[why])

static const ngx_http_sluice_metric_t  ngx_http_sluice_refused_metrics[] = {
    ngx_http_sluice_refusal_row("missing", NGX_HTTP_SLUICE_WHY_MISSING),
    ngx_http_sluice_refusal_row("malformed", NGX_HTTP_SLUICE_WHY_MALFORMED),
    ngx_http_sluice_refusal_row("mismatch", NGX_HTTP_SLUICE_WHY_MISMATCH),
    ngx_http_sluice_refusal_row("stale", NGX_HTTP_SLUICE_WHY_STALE),
    ngx_http_sluice_refusal_row("empty_secret", NGX_HTTP_SLUICE_WHY_SECRET),
    ngx_http_sluice_refusal_row("unverified", NGX_HTTP_SLUICE_WHY_UNVERIFIED),
    ngx_http_sluice_refusal_row("tenant", NGX_HTTP_SLUICE_WHY_TENANT),
    ngx_http_sluice_refusal_row("body", NGX_HTTP_SLUICE_WHY_BODY),
    ngx_http_sluice_refusal_row("method", NGX_HTTP_SLUICE_WHY_METHOD),
    ngx_http_sluice_metric_end
};

#define ngx_http_sluice_dry_row(key, why)                                     \
    ngx_http_sluice_slot_row(NULL, key, "verify_dry_run_total", "reason",     \
                             "Requests that a dry run let pass.",             \
                             dry_run[why])

static const ngx_http_sluice_metric_t  ngx_http_sluice_dry_metrics[] = {
    ngx_http_sluice_dry_row("missing", NGX_HTTP_SLUICE_WHY_MISSING),
    ngx_http_sluice_dry_row("malformed", NGX_HTTP_SLUICE_WHY_MALFORMED),
    ngx_http_sluice_dry_row("mismatch", NGX_HTTP_SLUICE_WHY_MISMATCH),
    ngx_http_sluice_dry_row("stale", NGX_HTTP_SLUICE_WHY_STALE),
    ngx_http_sluice_dry_row("empty_secret", NGX_HTTP_SLUICE_WHY_SECRET),
    ngx_http_sluice_dry_row("unverified", NGX_HTTP_SLUICE_WHY_UNVERIFIED),
    ngx_http_sluice_metric_end
};

/* i is the scheme's index times NGX_HTTP_SLUICE_SECRETS, and the secret's */

static const ngx_http_sluice_metric_t  ngx_http_sluice_secret_metrics[] = {
    { NULL, "verified", "verified_total", NULL, NGX_HTTP_SLUICE_METRIC_COUNTER,
      "Requests that a secret verified.", ngx_http_sluice_metric_secret, 0, 0 },
    ngx_http_sluice_metric_end
};

#define ngx_http_sluice_handshake_row(key, n)                                 \
    ngx_http_sluice_slot_row(NULL, key, "handshakes_total", "result",         \
                             "Handshakes of a scheme.", handshakes[n])

static const ngx_http_sluice_metric_t  ngx_http_sluice_handshake_metrics[] = {
    ngx_http_sluice_handshake_row("answered", 0),
    ngx_http_sluice_handshake_row("refused", 1),
    ngx_http_sluice_metric_end
};


static const ngx_http_sluice_metric_t  ngx_http_sluice_split_metrics[] = {
    ngx_http_sluice_slot_row(NULL, "items", "split_items_total", NULL,
                             "Items of webhooks.", items),
    ngx_http_sluice_slot_row(NULL, "quarantined", "split_quarantined_total",
                             NULL, "Items in quarantine.", quarantined),
    ngx_http_sluice_metric_end
};


#define ngx_http_sluice_limit_row(key, n)                                     \
    ngx_http_sluice_slot_row(NULL, key, "limit_total", "result",              \
                             "What limits did beside the rate.", limits[n])

static const ngx_http_sluice_metric_t  ngx_http_sluice_limit_metrics[] = {
    ngx_http_sluice_limit_row("dry_run", NGX_HTTP_SLUICE_LIMIT_DRY_RUN),
    ngx_http_sluice_limit_row("delayed", NGX_HTTP_SLUICE_LIMIT_DELAYED),
    ngx_http_sluice_limit_row("queue", NGX_HTTP_SLUICE_LIMIT_QUEUE),
    ngx_http_sluice_limit_row("spooled", NGX_HTTP_SLUICE_LIMIT_SPOOLED),
    ngx_http_sluice_metric_end
};


/* How long events wait for Redis: the bounds are those of _slots.c. */

#define ngx_http_sluice_bucket_row(key, n)                                    \
    { "le", key, "enqueue_seconds", "le", NGX_HTTP_SLUICE_METRIC_HISTOGRAM,   \
      "Time from a job to the reply of Redis or the disk.",                   \
      ngx_http_sluice_metric_bucket, n, 0 }

static const ngx_http_sluice_metric_t  ngx_http_sluice_time_metrics[] = {
    ngx_http_sluice_bucket_row("0.001", 0),
    ngx_http_sluice_bucket_row("0.002", 1),
    ngx_http_sluice_bucket_row("0.005", 2),
    ngx_http_sluice_bucket_row("0.01", 3),
    ngx_http_sluice_bucket_row("0.025", 4),
    ngx_http_sluice_bucket_row("0.1", 5),
    ngx_http_sluice_bucket_row("0.5", 6),
    ngx_http_sluice_bucket_row("2.5", 7),
    ngx_http_sluice_bucket_row("+Inf", 8),

    { NULL, "sum", "enqueue_seconds", NULL, NGX_HTTP_SLUICE_METRIC_HISTOGRAM,
      NULL, ngx_http_sluice_metric_sum,
      offsetof(ngx_http_sluice_slot_t, took), 1 },

    { NULL, "count", "enqueue_seconds", NULL, NGX_HTTP_SLUICE_METRIC_HISTOGRAM,
      NULL, ngx_http_sluice_metric_bucket, NGX_HTTP_SLUICE_TIMES - 1, 0 },

    ngx_http_sluice_metric_end
};


/* Redis servers: i is the server's index. */

#define ngx_http_sluice_link_row(member, key, metric, label, type, help,      \
    field)                                                                    \
    { member, key, metric, label, type, help, ngx_http_sluice_metric_link,    \
      offsetof(ngx_http_sluice_metrics_link_t, field), 0 }

#define ngx_http_sluice_state_row(key, state)                                 \
    ngx_http_sluice_link_row("connections", key, "redis_connections",         \
                             "state",                                         \
                             NGX_HTTP_SLUICE_METRIC_GAUGE,                    \
                             "Connections of processes by their state.",      \
                             states[state])

static const ngx_http_sluice_metric_t  ngx_http_sluice_redis_metrics[] = {

    ngx_http_sluice_link_row(NULL, "pending", "redis_pending", NULL,
                             NGX_HTTP_SLUICE_METRIC_GAUGE,
                             "Commands without their reply.", pending),

    ngx_http_sluice_link_row(NULL, "connects", "redis_connects_total", NULL,
                             NGX_HTTP_SLUICE_METRIC_COUNTER,
                             "Connections that became ready.", connects),

    ngx_http_sluice_link_row(NULL, "losses", "redis_losses_total", NULL,
                             NGX_HTTP_SLUICE_METRIC_COUNTER,
                             "Connections lost or not made.", losses),

    ngx_http_sluice_link_row(NULL, "version", "redis_version", NULL,
                             NGX_HTTP_SLUICE_METRIC_GAUGE,
                             "Version of the server, 70015 is 7.0.15, "
                             "0 is not known.", version),

    ngx_http_sluice_link_row(NULL, "evicts", "redis_evicts", NULL,
                             NGX_HTTP_SLUICE_METRIC_GAUGE,
                             "1 when the maxmemory-policy of the server is "
                             "not noeviction.", evicts),

    ngx_http_sluice_link_row(NULL, "no_aof", "redis_no_aof", NULL,
                             NGX_HTTP_SLUICE_METRIC_GAUGE,
                             "1 when appendonly is off at the server.",
                             no_aof),

    ngx_http_sluice_state_row("unused", NGX_HTTP_SLUICE_LINK_UNUSED),
    ngx_http_sluice_state_row("down", NGX_HTTP_SLUICE_LINK_DOWN),
    ngx_http_sluice_state_row("resolving", NGX_HTTP_SLUICE_LINK_RESOLVING),
    ngx_http_sluice_state_row("connecting", NGX_HTTP_SLUICE_LINK_CONNECTING),
    ngx_http_sluice_state_row("handshake", NGX_HTTP_SLUICE_LINK_HANDSHAKE),
    ngx_http_sluice_state_row("greeting", NGX_HTTP_SLUICE_LINK_GREETING),
    ngx_http_sluice_state_row("ready", NGX_HTTP_SLUICE_LINK_READY),
    ngx_http_sluice_metric_end
};


/* Zones of limits: i is the zone's index. */

static const ngx_http_sluice_metric_t  ngx_http_sluice_zone_metrics[] = {

    { NULL, "bytes", "zone_bytes", NULL, NGX_HTTP_SLUICE_METRIC_GAUGE,
      "Size of the zone.", ngx_http_sluice_metric_bytes, 0, 0 },

    { NULL, "keys", "zone_keys", NULL, NGX_HTTP_SLUICE_METRIC_GAUGE,
      "Keys in the zone.", ngx_http_sluice_metric_keys,
      offsetof(ngx_http_sluice_zone_shared_t, keys), 0 },

    { NULL, "evicted", "zone_evicted_total", NULL,
      NGX_HTTP_SLUICE_METRIC_COUNTER, "Keys that had to make room.",
      ngx_http_sluice_metric_keys,
      offsetof(ngx_http_sluice_zone_shared_t, evicted), 0 },

    ngx_http_sluice_metric_end
};


#define ngx_http_sluice_no_idents  { { NULL, NULL }, { NULL, NULL } }

const ngx_http_sluice_section_t  ngx_http_sluice_sections[] = {

    { "events", NULL, ngx_http_sluice_no_idents,
      ngx_http_sluice_event_metrics },

    { "guarded", NULL, ngx_http_sluice_no_idents,
      ngx_http_sluice_guarded_metrics },

    { "refused", NULL, ngx_http_sluice_no_idents,
      ngx_http_sluice_refused_metrics },

    { "verify_dry_run", NULL, ngx_http_sluice_no_idents,
      ngx_http_sluice_dry_metrics },

    { "secrets", ngx_http_sluice_metric_secret_of,
      { { "scheme", "scheme" }, { "index", "index" } },
      ngx_http_sluice_secret_metrics },

    { "handshakes", NULL, ngx_http_sluice_no_idents,
      ngx_http_sluice_handshake_metrics },

    { "split", NULL, ngx_http_sluice_no_idents,
      ngx_http_sluice_split_metrics },

    { "limits", NULL, ngx_http_sluice_no_idents,
      ngx_http_sluice_limit_metrics },

    { "enqueue_time", NULL, ngx_http_sluice_no_idents,
      ngx_http_sluice_time_metrics },

    { "redis", ngx_http_sluice_metric_server,
      { { "name", "server" }, { NULL, NULL } }, ngx_http_sluice_redis_metrics },

    { "nodes", ngx_http_sluice_node_ident,
      { { "name", "server" }, { "node", "node" } },
      ngx_http_sluice_node_metrics },

    { "spool", NULL, ngx_http_sluice_no_idents,
      ngx_http_sluice_spool_metrics },

    { "zones", ngx_http_sluice_metric_zone,
      { { "name", "zone" }, { NULL, NULL } }, ngx_http_sluice_zone_metrics },

    { "tenants", ngx_http_sluice_table_ident,
      { { "name", "zone" }, { NULL, NULL } }, ngx_http_sluice_table_metrics },

    { "last_events", ngx_http_sluice_seen_ident,
      { { "tenant", "tenant" }, { NULL, NULL } },
      ngx_http_sluice_seen_metrics },

    { NULL, NULL, ngx_http_sluice_no_idents, NULL }
};


/*
 * What was received is derived from the others, so that the sum balances
 * although processes count on.
 */

void
ngx_http_sluice_metrics_take(ngx_http_sluice_metrics_t *m,
    ngx_http_sluice_main_conf_t *mcf, ngx_pool_t *pool)
{
    ngx_uint_t         group, i, n;
    ngx_atomic_uint_t  outcomes[NGX_HTTP_SLUICE_COUNTERS];

    ngx_memzero(m, sizeof(ngx_http_sluice_metrics_t));

    m->main = mcf;
    m->pool = pool;
    m->slots = ngx_http_sluice_status_slots(mcf->status);

    for (group = 0; group < 2; group++) {

        for (n = 0; n < NGX_HTTP_SLUICE_SLOTS; n++) {

            m->flight[group] += ngx_http_sluice_status_flight(&m->slots[n],
                                                              group, outcomes);

            for (i = NGX_HTTP_SLUICE_ENQUEUED; i < NGX_HTTP_SLUICE_COUNTERS;
                 i++)
            {
                m->ledger[group][i] += outcomes[i];
            }
        }

        m->ledger[group][NGX_HTTP_SLUICE_RECEIVED] = m->flight[group];

        for (i = NGX_HTTP_SLUICE_ENQUEUED; i < NGX_HTTP_SLUICE_COUNTERS; i++) {
            m->ledger[group][NGX_HTTP_SLUICE_RECEIVED] += m->ledger[group][i];
        }
    }

    for (i = 0; i < mcf->servers.nelts; i++) {
        ngx_http_sluice_metrics_links(m, i);
    }
}


/*
 * What went through links is counted for good; how they are now, and what they
 * found at the server, is known of processes that run.
 */

static void
ngx_http_sluice_metrics_links(ngx_http_sluice_metrics_t *m, ngx_uint_t i)
{
    uint32_t                            name;
    ngx_uint_t                          n, state, unused;
    ngx_http_sluice_server_t          **server;
    ngx_http_sluice_metrics_link_t     *sum;
    const ngx_http_sluice_slot_link_t  *link;

    server = m->main->servers.elts;
    name = ngx_crc32_long(server[i]->name.data, server[i]->name.len);
    sum = &m->links[i];

    for (n = 0; n < NGX_HTTP_SLUICE_SLOTS; n++) {
        link = &m->slots[n].links[i];
        unused = 0;

        /* a cluster has as many as nodes, and none before it is asked */

        if (m->slots[n].pid && server[i]->nodes.kind != SLUICE_URL_CLUSTER) {
            unused = server[i]->connections;
        }

        /* a slot may be to another server so far, from before a reload */

        if (link->name != name) {
            sum->states[NGX_HTTP_SLUICE_LINK_UNUSED] += unused;
            continue;
        }

        sum->connects += link->connects;
        sum->losses += link->losses;

        if (m->slots[n].pid) {
            sum->pending += link->pending;
            sum->version = ngx_max(sum->version, link->version);
            sum->evicts = ngx_max(sum->evicts, link->evicts);
            sum->no_aof = ngx_max(sum->no_aof, link->no_aof);

            /* a process from before a reload may have had more of them */

            for (state = NGX_HTTP_SLUICE_LINK_DOWN;
                 state < NGX_HTTP_SLUICE_LINK_STATES;
                 state++)
            {
                sum->states[state] += link->states[state];
                unused -= ngx_min(unused, link->states[state]);
            }

            sum->states[NGX_HTTP_SLUICE_LINK_UNUSED] += unused;
        }
    }
}


uint64_t
ngx_http_sluice_metric_sum(const ngx_http_sluice_metrics_t *m, ngx_uint_t i,
    uintptr_t data)
{
    uint64_t    sum;
    ngx_uint_t  n;

    for (sum = 0, n = 0; n < NGX_HTTP_SLUICE_SLOTS; n++) {
        sum += *(const ngx_atomic_t *) ((const u_char *) &m->slots[n] + data);
    }

    return sum;
}


static uint64_t
ngx_http_sluice_metric_ledger(const ngx_http_sluice_metrics_t *m, ngx_uint_t i,
    uintptr_t data)
{
    return m->ledger[data / NGX_HTTP_SLUICE_COUNTERS]
                    [data % NGX_HTTP_SLUICE_COUNTERS];
}


static uint64_t
ngx_http_sluice_metric_flight(const ngx_http_sluice_metrics_t *m, ngx_uint_t i,
    uintptr_t data)
{
    return m->flight[data];
}


/* A bucket counts what the smaller ones do, too. */

static uint64_t
ngx_http_sluice_metric_bucket(const ngx_http_sluice_metrics_t *m, ngx_uint_t i,
    uintptr_t data)
{
    uint64_t    sum;
    ngx_uint_t  n;

    for (sum = 0, n = 0; n <= data; n++) {
        sum += ngx_http_sluice_metric_sum(m, i,
                                 offsetof(ngx_http_sluice_slot_t, times)
                                 + n * sizeof(ngx_atomic_t));
    }

    return sum;
}


static ngx_int_t
ngx_http_sluice_metric_server(const ngx_http_sluice_metrics_t *m, ngx_uint_t i,
    ngx_str_t *values)
{
    ngx_http_sluice_server_t  **server;

    if (i == m->main->servers.nelts) {
        return NGX_DONE;
    }

    server = m->main->servers.elts;
    values[0] = server[i]->name;

    return NGX_OK;
}


static uint64_t
ngx_http_sluice_metric_link(const ngx_http_sluice_metrics_t *m, ngx_uint_t i,
    uintptr_t data)
{
    return *(const uint64_t *) ((const u_char *) &m->links[i] + data);
}


static ngx_http_sluice_zone_t *
ngx_http_sluice_metric_zone_at(const ngx_http_sluice_metrics_t *m,
    ngx_uint_t i)
{
    ngx_http_sluice_zone_t  **zone;

    zone = m->main->zones.elts;

    return zone[i];
}


static ngx_int_t
ngx_http_sluice_metric_zone(const ngx_http_sluice_metrics_t *m, ngx_uint_t i,
    ngx_str_t *values)
{
    if (i == m->main->zones.nelts) {
        return NGX_DONE;
    }

    values[0] = ngx_http_sluice_metric_zone_at(m, i)->shm_zone->shm.name;

    return NGX_OK;
}


static uint64_t
ngx_http_sluice_metric_bytes(const ngx_http_sluice_metrics_t *m, ngx_uint_t i,
    uintptr_t data)
{
    return ngx_http_sluice_metric_zone_at(m, i)->shm_zone->shm.size;
}


static uint64_t
ngx_http_sluice_metric_keys(const ngx_http_sluice_metrics_t *m, ngx_uint_t i,
    uintptr_t data)
{
    ngx_http_sluice_zone_shared_t  *sh;

    sh = ngx_http_sluice_metric_zone_at(m, i)->sh;

    return *(const ngx_atomic_t *) ((const u_char *) sh + data);
}
