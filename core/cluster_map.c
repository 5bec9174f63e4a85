/*
 * CLUSTER SLOTS, of Redis 6.2 to 8 and Valkey:
 *
 *   [first, last, [host, port, id(, [name, value, ...])], replicas ...] ...
 *
 * The host is an address, a name, "" or nil for the one asked, or "?": a name
 * is preferred and none is set, the address then is among the last list.
 */

#include <string.h>
#include "core/cluster.h"


typedef enum {
    SLUICE_CLUSTER_NODE_OK = 0,
    SLUICE_CLUSTER_NODE_UNKNOWN,    /* where it is was not said */
    SLUICE_CLUSTER_NODE_BAD
} sluice_cluster_node_e;


static int
sluice_cluster_is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING
           || reply->type == REDIS_REPLY_STATUS;
}


static int
sluice_cluster_is(const redisReply *reply, const char *text)
{
    return sluice_cluster_is_text(reply)
           && (size_t) reply->len == strlen(text)
           && memcmp(reply->str, text, strlen(text)) == 0;
}


/* The address when the name is "?", or NULL */

static const redisReply *
sluice_cluster_ip(const redisReply *reply)
{
    size_t             i;
    const redisReply  *list;

    if (reply->elements < 4 || reply->element[3]->type != REDIS_REPLY_ARRAY) {
        return NULL;
    }

    list = reply->element[3];

    for (i = 0; i + 1 < list->elements; i += 2) {

        if (sluice_cluster_is(list->element[i], "ip")
            && sluice_cluster_is_text(list->element[i + 1])
            && list->element[i + 1]->len)
        {
            return list->element[i + 1];
        }
    }

    return NULL;
}


static sluice_cluster_node_e
sluice_cluster_node_read(sluice_node_t *node, const redisReply *reply,
    const sluice_node_t *asked)
{
    const redisReply  *host, *port;

    memset(node, 0, sizeof(*node));

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2) {
        return SLUICE_CLUSTER_NODE_BAD;
    }

    host = reply->element[0];
    port = reply->element[1];

    if (port->type != REDIS_REPLY_INTEGER || port->integer < 1
        || port->integer > 65535)
    {
        return SLUICE_CLUSTER_NODE_BAD;
    }

    node->port = (int) port->integer;

    if (host->type == REDIS_REPLY_NIL
        || (sluice_cluster_is_text(host) && host->len == 0))
    {
        memcpy(node->host, asked->host, sizeof(node->host));
        return SLUICE_CLUSTER_NODE_OK;
    }

    if (sluice_cluster_is(host, "?")) {
        host = sluice_cluster_ip(reply);

        if (host == NULL) {
            return SLUICE_CLUSTER_NODE_UNKNOWN;
        }
    }

    if (!sluice_cluster_is_text(host)
        || !sluice_node_host(node, host->str, (size_t) host->len))
    {
        return SLUICE_CLUSTER_NODE_BAD;
    }

    return SLUICE_CLUSTER_NODE_OK;
}


/* The node's place, or -1: there is no room. */

static int
sluice_cluster_map_add(sluice_cluster_map_t *map, const sluice_node_t *node)
{
    size_t  i;

    for (i = 0; i < map->nnodes; i++) {
        if (sluice_node_is(&map->nodes[i], node)) {
            return (int) i;
        }
    }

    if (map->nnodes == SLUICE_CLUSTER_NODES) {
        return -1;
    }

    map->nodes[map->nnodes++] = *node;

    return (int) i;
}


int
sluice_cluster_map_move(sluice_cluster_map_t *map, unsigned slot,
    const sluice_node_t *node)
{
    int  i;

    i = sluice_cluster_map_add(map, node);

    if (i == -1) {
        return 0;
    }

    map->slots[slot] = (uint8_t) i;

    return 1;
}


static const char *
sluice_cluster_range_read(sluice_cluster_map_t *map, const redisReply *reply,
    const sluice_node_t *asked)
{
    int                 i;
    long long           first, last;
    sluice_node_t       node;
    redisReply *const  *part;

    part = reply->element;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 3
        || part[0]->type != REDIS_REPLY_INTEGER
        || part[1]->type != REDIS_REPLY_INTEGER)
    {
        return "not what CLUSTER SLOTS answers";
    }

    first = part[0]->integer;
    last = part[1]->integer;

    if (first < 0 || first > last || last >= SLUICE_SLOTS) {
        return "a range of slots that no cluster has";
    }

    switch (sluice_cluster_node_read(&node, part[2], asked)) {

    case SLUICE_CLUSTER_NODE_UNKNOWN:
        return NULL;

    case SLUICE_CLUSTER_NODE_BAD:
        return "a node without a host or port that could be connected to";

    default:
        break;
    }

    i = sluice_cluster_map_add(map, &node);

    if (i == -1) {
        return "more than 128 masters";
    }

    memset(map->slots + first, i, (size_t) (last - first + 1));

    return NULL;
}


static void
sluice_cluster_map_empty(sluice_cluster_map_t *map)
{
    memset(map, 0, sizeof(*map));
    memset(map->slots, SLUICE_CLUSTER_NOBODY, sizeof(map->slots));
}


const char *
sluice_cluster_map_read(sluice_cluster_map_t *map, const redisReply *reply,
    const sluice_node_t *asked)
{
    size_t       i;
    const char  *error;

    sluice_cluster_map_empty(map);

    if (reply->type == REDIS_REPLY_ERROR) {
        return "CLUSTER SLOTS is refused";
    }

    if (reply->type != REDIS_REPLY_ARRAY) {
        return "not what CLUSTER SLOTS answers";
    }

    for (error = NULL, i = 0; error == NULL && i < reply->elements; i++) {
        error = sluice_cluster_range_read(map, reply->element[i], asked);
    }

    if (error == NULL && map->nnodes == 0) {
        error = "no node has slots";
    }

    if (error) {
        sluice_cluster_map_empty(map);
    }

    return error;
}
