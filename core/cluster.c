#include <stdio.h>
#include <string.h>
#include "core/cluster.h"


void
sluice_cluster_init(sluice_cluster_t *cluster,
    const sluice_url_nodes_t *nodes)
{
    memset(cluster, 0, sizeof(*cluster));
    memset(cluster->map.slots, SLUICE_CLUSTER_NOBODY,
           sizeof(cluster->map.slots));
    memcpy(cluster->seeds, nodes->nodes, sizeof(cluster->seeds));

    cluster->nseeds = nodes->nnodes;
    cluster->wanted = 1;
}


const sluice_node_t *
sluice_cluster_node(const sluice_cluster_t *cluster, unsigned slot)
{
    unsigned  i;

    i = cluster->map.slots[slot];

    return i == SLUICE_CLUSTER_NOBODY ? NULL : &cluster->map.nodes[i];
}


int
sluice_cluster_has(const sluice_cluster_t *cluster, const sluice_node_t *node)
{
    size_t  i;

    for (i = 0; i < cluster->map.nnodes; i++) {
        if (sluice_node_is(&cluster->map.nodes[i], node)) {
            return 1;
        }
    }

    return 0;
}


/* -------------------------------------------------------------- an answer */

int
sluice_cluster_redirect(sluice_cluster_redirect_t *to, const char *text,
    size_t len, const sluice_node_t *from)
{
    const char  *p, *last, *colon;

    memset(to, 0, sizeof(*to));
    last = text + len;

    if (len >= 6 && memcmp(text, "MOVED ", 6) == 0) {
        p = text + 6;

    } else if (len >= 4 && memcmp(text, "ASK ", 4) == 0) {
        p = text + 4;
        to->ask = 1;

    } else {
        return 0;
    }

    if (p == last || *p == ' ') {
        return 0;
    }

    for ( /* void */ ; p < last && *p >= '0' && *p <= '9'; p++) {
        to->slot = to->slot * 10 + (unsigned) (*p - '0');

        if (to->slot >= SLUICE_SLOTS) {
            return 0;
        }
    }

    if (p == last || *p++ != ' ') {
        return 0;
    }

    /* an IPv6 address is without brackets: the last colon is the port's */

    for (colon = last; colon > p && colon[-1] != ':'; colon--) {
        /* void */
    }

    if (colon == p) {
        return 0;
    }

    to->node.port = sluice_node_port(colon, (size_t) (last - colon));
    colon--;

    if (to->node.port == -1) {
        return 0;
    }

    if (colon == p) {
        memcpy(to->node.host, from->host, sizeof(to->node.host));
        return 1;
    }

    if (colon - p == 1 && *p == '?') {
        to->nowhere = 1;
        return 1;
    }

    return sluice_node_host(&to->node, p, (size_t) (colon - p));
}


static void
sluice_cluster_later(sluice_cluster_call_t *call, int64_t now,
    sluice_cluster_verdict_t *out)
{
    int64_t   wait;
    unsigned  n;

    if (now >= call->until) {
        return;
    }

    n = call->pauses++;
    wait = (int64_t) SLUICE_CLUSTER_PAUSE << (n < 5 ? n : 5);

    if (wait > call->until - now) {
        wait = call->until - now;
    }

    call->hops = 0;
    out->verdict = SLUICE_CLUSTER_LATER;
    out->wait = wait;
}


static void
sluice_cluster_redirected(sluice_cluster_t *cluster,
    sluice_cluster_call_t *call, const sluice_cluster_redirect_t *to,
    int64_t now, sluice_cluster_verdict_t *out)
{
    if (!to->ask) {
        cluster->wanted = 1;

        if (!to->nowhere) {
            (void) sluice_cluster_map_move(&cluster->map, to->slot, &to->node);
            cluster->hint = to->node;
            cluster->hinted = 1;
        }
    }

    if (now >= call->until) {
        return;
    }

    if (to->nowhere || (to->ask && !call->whole)
        || call->hops == SLUICE_CLUSTER_HOPS)
    {
        sluice_cluster_later(call, now, out);
        return;
    }

    call->hops++;
    out->node = to->node;
    out->verdict = to->ask ? SLUICE_CLUSTER_ASK : SLUICE_CLUSTER_MOVE;
}


static int
sluice_cluster_code(const redisReply *reply, const char *code)
{
    size_t  n;

    n = strlen(code);

    return (size_t) reply->len >= n && memcmp(reply->str, code, n) == 0
           && ((size_t) reply->len == n || reply->str[n] == ' ');
}


void
sluice_cluster_judge(sluice_cluster_t *cluster, sluice_cluster_call_t *call,
    const redisReply *reply, const sluice_node_t *from, int64_t now,
    sluice_cluster_verdict_t *out)
{
    sluice_cluster_redirect_t  to;

    memset(out, 0, sizeof(*out));

    if (reply == NULL || reply->type != REDIS_REPLY_ERROR) {
        return;
    }

    if (sluice_cluster_redirect(&to, reply->str, (size_t) reply->len, from)) {
        sluice_cluster_redirected(cluster, call, &to, now, out);
        return;
    }

    if (sluice_cluster_code(reply, "TRYAGAIN")) {
        sluice_cluster_later(call, now, out);
        return;
    }

    if (sluice_cluster_code(reply, "CLUSTERDOWN")) {
        cluster->wanted = 1;
        sluice_cluster_later(call, now, out);
        return;
    }

    /* its state, which another node may have ended by taking its place */

    if (sluice_cluster_code(reply, "LOADING")
        || sluice_redis_reply_kind(reply) == SLUICE_REDIS_REPLY_REPLICA)
    {
        cluster->wanted = 1;
    }
}


/* ---------------------------------------------------------------- the map */

void
sluice_cluster_mark(const sluice_cluster_t *cluster, const sluice_node_t *node,
    unsigned *mark, char key[SLUICE_REDIS_MARK])
{
    int                   len;
    unsigned              n, most;
    const sluice_node_t  *owner;

    /* a node with few slots may be given the last one, and one without any */

    most = sluice_cluster_has(cluster, node) ? 4 * SLUICE_SLOTS : 1;

    for (n = 0; n < most; n++, (*mark)++) {

        len = snprintf(key, SLUICE_REDIS_MARK, "sluice:wait:{%u}", *mark);
        owner = sluice_cluster_node(cluster, sluice_slot(key, (size_t) len));

        if (owner && sluice_node_is(owner, node)) {
            return;
        }
    }
}


void
sluice_cluster_lost(sluice_cluster_t *cluster, const sluice_node_t *node)
{
    if (sluice_cluster_has(cluster, node)) {
        cluster->wanted = 1;
    }
}


int64_t
sluice_cluster_due(const sluice_cluster_t *cluster, int64_t now)
{
    int64_t  pause, passed;

    if (!cluster->wanted || cluster->asking) {
        return -1;
    }

    if (!cluster->once) {
        return 0;
    }

    pause = cluster->failures && cluster->failures
                                 % (cluster->nseeds + cluster->map.nnodes) == 0
            ? SLUICE_CLUSTER_ROUND : SLUICE_CLUSTER_INTERVAL;

    passed = now - cluster->asked;

    return passed < 0 ? pause : passed < pause ? pause - passed : 0;
}


void
sluice_cluster_ask(sluice_cluster_t *cluster, int64_t now,
    sluice_node_t *node)
{
    size_t  i;

    cluster->asking = 1;
    cluster->wanted = 0;
    cluster->asked = now;
    cluster->once = 1;

    if (cluster->hinted) {
        cluster->hinted = 0;
        *node = cluster->hint;
        return;
    }

    i = cluster->next++ % (cluster->nseeds + cluster->map.nnodes);

    *node = i < cluster->nseeds ? cluster->seeds[i]
                                : cluster->map.nodes[i - cluster->nseeds];
}


const char *
sluice_cluster_told(sluice_cluster_t *cluster, const redisReply *reply,
    const sluice_node_t *from)
{
    const char            *error;
    sluice_cluster_map_t   map;

    cluster->asking = 0;

    error = "no answer to CLUSTER SLOTS";

    if (reply == NULL
        || (error = sluice_cluster_map_read(&map, reply, from)) != NULL)
    {
        cluster->failures++;
        cluster->wanted = 1;
        return error;
    }

    cluster->map = map;
    cluster->failures = 0;

    return NULL;
}
