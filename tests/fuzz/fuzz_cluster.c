/*
 * A cluster and a sentinel that say anything: three bytes of choices, a text
 * as a redirect, then all of it as RESP.  What is read is in bounds, calls are
 * settled in time, and there is always somebody to ask.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "core/cluster.h"
#include "core/sentinel.h"


#define UNTIL  2000


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check(int ok)
{
    if (!ok) {
        abort();
    }
}


static void
check_node(const sluice_node_t *node)
{
    size_t  i;

    check(memchr(node->host, '\0', sizeof(node->host)) != NULL);
    check(node->host[0] != '\0');
    check(node->port >= 1 && node->port <= 65535);

    for (i = 0; node->host[i]; i++) {
        check(node->host[i] > ' ' && node->host[i] <= '~');
    }
}


static void
check_map(const sluice_cluster_map_t *map)
{
    size_t  i;

    check(map->nnodes <= SLUICE_CLUSTER_NODES);

    for (i = 0; i < map->nnodes; i++) {
        check_node(&map->nodes[i]);
    }

    for (i = 0; i < SLUICE_SLOTS; i++) {
        check(map->slots[i] < map->nnodes
              || map->slots[i] == SLUICE_CLUSTER_NOBODY);
    }
}


static void
cluster_says(sluice_cluster_t *cluster, const redisReply *reply,
    unsigned choice, int64_t *now)
{
    unsigned                   n;
    sluice_node_t              node;
    sluice_cluster_call_t      call;
    sluice_cluster_verdict_t   out;

    memset(&call, 0, sizeof(call));
    call.until = *now + UNTIL;
    call.whole = choice & 1;

    for (n = 0; ; n++) {
        check(n < 1000);
        sluice_cluster_judge(cluster, &call, reply, &cluster->seeds[0], *now,
                             &out);

        if (out.verdict == SLUICE_CLUSTER_DELIVER) {
            break;
        }

        if (out.verdict == SLUICE_CLUSTER_LATER) {
            check(out.wait > 0);
            *now += out.wait;
            check(*now <= call.until);

        } else {
            check_node(&out.node);
            check(out.verdict != SLUICE_CLUSTER_ASK || call.whole);
        }
    }

    check(reply->type == REDIS_REPLY_ERROR || n == 0);

    if (choice & 2) {
        sluice_cluster_lost(cluster, &cluster->map.nodes[0]);
    }

    *now += choice;

    if (sluice_cluster_due(cluster, *now) == 0) {
        sluice_cluster_ask(cluster, *now, &node);
        check_node(&node);

        if (sluice_cluster_told(cluster, choice & 4 ? NULL : reply, &node)) {
            check(sluice_cluster_due(cluster, *now) > 0);
        }
    }
}


static void
sentinel_says(sluice_sentinel_t *sentinel, const redisReply *reply,
    unsigned choice, int64_t *now)
{
    size_t                   i;
    sluice_sentinel_step_t   step;

    sluice_sentinel_next(sentinel, *now, &step);

    if (step.step == SLUICE_SENTINEL_WAIT) {
        check(step.wait > 0 && step.wait <= 1600);
        *now += step.wait;
        sluice_sentinel_next(sentinel, *now, &step);
        check(step.step == SLUICE_SENTINEL_ASK);
    }

    if (step.step == SLUICE_SENTINEL_ASK) {
        check_node(&step.node);
        (void) sluice_sentinel_answered(sentinel, choice & 8 ? NULL : reply,
                                        *now);

    } else if (step.step == SLUICE_SENTINEL_CONNECT) {
        check_node(&step.node);

        if (choice & 16) {
            sluice_sentinel_met(sentinel, *now);

        } else {
            sluice_sentinel_lost(sentinel, *now);
        }

    } else {
        check(sentinel->state == SLUICE_SENTINEL_HELD);
        *now += choice & 32 ? 5000 : 0;
        sluice_sentinel_lost(sentinel, *now);
    }

    for (i = 0; i < sentinel->nsentinels; i++) {
        check_node(&sentinel->sentinels[i].node);
    }

    check(sentinel->current < sentinel->nsentinels);
}


static void
check_redirect(const uint8_t *data, size_t size, const sluice_node_t *from)
{
    sluice_cluster_redirect_t  to;

    if (!sluice_cluster_redirect(&to, (const char *) data, size, from)) {
        return;
    }

    check(to.slot < SLUICE_SLOTS);
    check(to.nowhere == (to.node.host[0] == '\0'));

    if (!to.nowhere) {
        check_node(&to.node);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void                    *reply;
    int64_t                  now;
    unsigned                 n;
    redisReader             *reader;
    sluice_sentinel_t        sentinel;
    sluice_url_nodes_t       nodes;

    static const char        text[] = "redis+sentinel://a,b,[::1]/m";
    static sluice_cluster_t  cluster;

    if (size < 3) {
        return 0;
    }

    check(sluice_url_parse_nodes(&nodes, text, sizeof(text) - 1) == NULL);
    sluice_sentinel_init(&sentinel, &nodes);
    sluice_cluster_init(&cluster, &nodes);

    check_redirect(data + 3, size - 3, &nodes.nodes[0]);
    (void) sluice_slot(data, size);

    reader = redisReaderCreate();
    check(reader != NULL);
    (void) redisReaderFeed(reader, (const char *) data + 3, size - 3);
    now = 100000;

    for (n = 0; n < 8; n++) {

        if (redisReaderGetReply(reader, &reply) != REDIS_OK || reply == NULL) {
            break;
        }

        cluster_says(&cluster, reply, data[n % 3], &now);
        sentinel_says(&sentinel, reply, data[n % 3], &now);
        freeReplyObject(reply);
    }

    check_map(&cluster.map);
    redisReaderFree(reader);

    return 0;
}
