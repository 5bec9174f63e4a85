#include <string.h>
#include "core/sentinel.h"


void
sluice_sentinel_init(sluice_sentinel_t *sentinel,
    const sluice_url_nodes_t *nodes)
{
    size_t  i;

    memset(sentinel, 0, sizeof(*sentinel));
    sentinel->nsentinels = nodes->nnodes;

    for (i = 0; i < nodes->nnodes; i++) {
        sentinel->sentinels[i].node = nodes->nodes[i];
    }
}


/* The one at `from` gets the place `to`, the others close up. */

static void
sluice_sentinel_place(sluice_sentinel_t *sentinel, size_t from, size_t to)
{
    sluice_sentinel_one_t  one, *list;

    list = sentinel->sentinels;
    one = list[from];

    for ( /* void */ ; from > to; from--) {
        list[from] = list[from - 1];
    }

    for ( /* void */ ; from < to; from++) {
        list[from] = list[from + 1];
    }

    list[to] = one;
}


static void
sluice_sentinel_round(sluice_sentinel_t *sentinel)
{
    size_t  i;

    for (i = 0; i < sentinel->nsentinels; i++) {
        sentinel->sentinels[i].tried = 0;
    }
}


/* Another round, after a pause that grows. */

static void
sluice_sentinel_pause(sluice_sentinel_t *sentinel, int64_t now)
{
    unsigned  n;

    n = sentinel->failures++;

    sluice_sentinel_round(sentinel);
    sentinel->state = SLUICE_SENTINEL_LOST;
    sentinel->next = now + ((int64_t) SLUICE_SENTINEL_PAUSE << (n < 4 ? n : 4));
    sentinel->pausing = 1;
}


/*
 * Who is to be asked, or -1: all were.  When all are in quarantine, the first:
 * its quarantine is nearest its end or as good as another's.
 */

static int
sluice_sentinel_pick(sluice_sentinel_t *sentinel, int64_t now)
{
    size_t                  i;
    unsigned                tried;
    sluice_sentinel_one_t  *one;

    tried = 0;

    for (i = 0; i < sentinel->nsentinels; i++) {
        one = &sentinel->sentinels[i];

        if (one->quarantine && now >= one->until) {
            one->quarantine = 0;
        }

        if (!one->tried && !one->quarantine) {
            return (int) i;
        }

        tried |= one->tried;
    }

    return tried ? -1 : 0;
}


void
sluice_sentinel_next(sluice_sentinel_t *sentinel, int64_t now,
    sluice_sentinel_step_t *out)
{
    int  i;

    memset(out, 0, sizeof(*out));

    if (sentinel->state == SLUICE_SENTINEL_TOLD) {
        sentinel->state = SLUICE_SENTINEL_CONNECTING;
        out->step = SLUICE_SENTINEL_CONNECT;
        out->node = sentinel->master;
        return;
    }

    if (sentinel->state != SLUICE_SENTINEL_LOST) {
        return;
    }

    if (sentinel->pausing && now >= sentinel->next) {
        sentinel->pausing = 0;
    }

    i = sentinel->pausing ? -1 : sluice_sentinel_pick(sentinel, now);

    if (i >= 0) {
        sentinel->state = SLUICE_SENTINEL_ASKING;
        sentinel->current = (size_t) i;
        sentinel->sentinels[i].tried = 1;
        out->step = SLUICE_SENTINEL_ASK;
        out->node = sentinel->sentinels[i].node;
        return;
    }

    if (!sentinel->pausing) {
        sluice_sentinel_pause(sentinel, now);
    }

    out->step = SLUICE_SENTINEL_WAIT;
    out->wait = sentinel->next - now;
}


static int
sluice_sentinel_read(sluice_node_t *node, const redisReply *reply)
{
    const redisReply  *host, *port;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
        return 0;
    }

    host = reply->element[0];
    port = reply->element[1];

    if (host->type != REDIS_REPLY_STRING || port->type != REDIS_REPLY_STRING) {
        return 0;
    }

    memset(node, 0, sizeof(*node));
    node->port = sluice_node_port(port->str, (size_t) port->len);

    return node->port != -1
           && sluice_node_host(node, host->str, (size_t) host->len);
}


const char *
sluice_sentinel_answered(sluice_sentinel_t *sentinel, const redisReply *reply,
    int64_t now)
{
    sluice_node_t           node;
    sluice_sentinel_one_t  *one;

    if (sentinel->state != SLUICE_SENTINEL_ASKING) {
        return NULL;
    }

    sentinel->state = SLUICE_SENTINEL_LOST;

    if (reply == NULL) {
        one = &sentinel->sentinels[sentinel->current];
        one->quarantine = 1;
        one->until = now + SLUICE_SENTINEL_QUARANTINE;

        sluice_sentinel_place(sentinel, sentinel->current,
                              sentinel->nsentinels - 1);

        return "the sentinel gives no answer";
    }

    if (reply->type == REDIS_REPLY_NIL) {
        return "the sentinel does not know the name";
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        return "the sentinel refuses to tell";
    }

    if (!sluice_sentinel_read(&node, reply)) {
        return "not what a sentinel answers";
    }

    sentinel->master = node;
    sentinel->state = SLUICE_SENTINEL_TOLD;

    return NULL;
}


void
sluice_sentinel_met(sluice_sentinel_t *sentinel, int64_t now)
{
    if (sentinel->state != SLUICE_SENTINEL_CONNECTING) {
        return;
    }

    sentinel->state = SLUICE_SENTINEL_HELD;
    sentinel->since = now;

    sluice_sentinel_round(sentinel);
    sluice_sentinel_place(sentinel, sentinel->current, 0);
    sentinel->current = 0;
    sentinel->look = 0;
    sentinel->agrees = 1;
}


const sluice_node_t *
sluice_sentinel_look(const sluice_sentinel_t *sentinel)
{
    return sentinel->state == SLUICE_SENTINEL_HELD
           ? &sentinel->sentinels[sentinel->look].node : NULL;
}


int
sluice_sentinel_looked(sluice_sentinel_t *sentinel, const redisReply *reply)
{
    sluice_node_t  node;

    if (sentinel->state != SLUICE_SENTINEL_HELD) {
        return 0;
    }

    if (reply && sluice_sentinel_read(&node, reply)) {

        if (sluice_node_is(&node, &sentinel->master)) {
            sentinel->agrees = 1;
            return 0;
        }

        if (sentinel->agrees) {
            return 1;
        }
    }

    sentinel->agrees = 0;
    sentinel->look = (sentinel->look + 1) % sentinel->nsentinels;

    return 0;
}


void
sluice_sentinel_lost(sluice_sentinel_t *sentinel, int64_t now)
{
    switch (sentinel->state) {

    case SLUICE_SENTINEL_HELD:

        if (now - sentinel->since >= SLUICE_SENTINEL_GOOD) {
            sentinel->failures = 0;
            sentinel->state = SLUICE_SENTINEL_LOST;
            return;
        }

        break;

    case SLUICE_SENTINEL_CONNECTING:

        /* others may know better where it is */

        sluice_sentinel_place(sentinel, sentinel->current,
                              sentinel->nsentinels - 1);
        break;

    default:
        return;
    }

    sluice_sentinel_pause(sentinel, now);
}
