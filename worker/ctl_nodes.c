#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "core/cluster.h"
#include "core/sentinel.h"
#include "worker/ctl.h"
#include "worker/ctl_nodes.h"
#include "worker/link.h"


typedef struct nodes_call_s  nodes_call_t;

/* a command on its way */
struct nodes_call_s {
    nodes_call_t           *next;
    char                   *text;
    size_t                  len;
    unsigned                slot;
    ctl_server_t           *server;
    unsigned long           sent;      /* the order on its server */
    bool                    asking;    /* ASKING's answer comes first */
    sluice_cluster_call_t   call;
    redisReply             *reply;
};

struct ctl_nodes_s {
    const sluice_url_nodes_t  *url;
    tls_t                     *tls;
    sluice_cluster_t           cluster;
    ctl_server_t              *servers;
    nodes_call_t              *first, **last;
    unsigned long              sent;
    unsigned                   slot;    /* of the last key */
};


static void
nodes_pause(int64_t ms)
{
    struct timespec  ts;

    ts.tv_sec = (time_t) (ms / 1000);
    ts.tv_nsec = (long) (ms % 1000 * 1000000);
    nanosleep(&ts, NULL);
}


static ctl_server_t *
nodes_connect(const sluice_url_t *conf, const sluice_node_t *node, tls_t *tls,
    char error[CTL_ERROR])
{
    sluice_url_t   url;
    ctl_server_t  *server;

    url = *conf;
    memcpy(url.host, node->host, sizeof(url.host));
    url.port = node->port;

    server = ctl_server_open(&url, tls, error);
    explicit_bzero(&url, sizeof(url));

    return server;
}


/* ------------------------------------------------------------- sentinels */

static redisReply *
master_ask(const sluice_url_nodes_t *url, tls_t *tls,
    const sluice_node_t *node, char error[CTL_ERROR])
{
    redisReply    *reply;
    ctl_server_t  *server;
    const char    *words[] = { "SENTINEL", "get-master-addr-by-name",
                               url->name, NULL };

    server = nodes_connect(&url->sentinel, node, tls, error);
    reply = server ? ctl_server_ask(server, words, error) : NULL;
    ctl_server_close(server);

    return reply;
}


/* NULL: it cannot be reached, or is no master any more */

static ctl_server_t *
master_connect(const sluice_url_nodes_t *url, tls_t *tls,
    const sluice_node_t *node, char error[CTL_ERROR])
{
    bool          replica;
    redisReply   *reply;
    ctl_server_t *server;

    static const char *const  role[] = { "ROLE", NULL };

    server = nodes_connect(&url->url, node, tls, error);
    reply = server ? ctl_server_ask(server, role, error) : NULL;

    /* a user who may not ask is told by what it asks for */

    replica = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements
              && reply->element[0]->type == REDIS_REPLY_STRING
              && strcmp(reply->element[0]->str, "master") != 0;

    if (reply == NULL || replica) {

        if (replica) {
            snprintf(error, CTL_ERROR, "%s, port %d, is no master", node->host,
                     node->port);
        }

        ctl_server_close(server);
        server = NULL;
    }

    if (reply) {
        freeReplyObject(reply);
    }

    return server;
}


ctl_server_t *
ctl_nodes_master(const sluice_url_nodes_t *url, tls_t *tls)
{
    char                     error[CTL_ERROR] = "";
    int64_t                  until;
    redisReply              *reply;
    const char              *why;
    ctl_server_t            *server;
    sluice_sentinel_t        sentinel;
    sluice_sentinel_step_t   step;

    until = clock_ms() + CTL_TIMEOUT * 1000;
    sluice_sentinel_init(&sentinel, url);

    do {
        sluice_sentinel_next(&sentinel, clock_ms(), &step);

        if (step.step == SLUICE_SENTINEL_ASK) {
            reply = master_ask(url, tls, &step.node, error);
            why = sluice_sentinel_answered(&sentinel, reply, clock_ms());

            if (reply) {
                if (why) {
                    snprintf(error, CTL_ERROR, "%s, port %d: %s",
                             step.node.host, step.node.port, why);
                }

                freeReplyObject(reply);
            }

        } else if (step.step == SLUICE_SENTINEL_CONNECT) {
            server = master_connect(url, tls, &step.node, error);

            if (server) {
                return server;
            }

            sluice_sentinel_lost(&sentinel, clock_ms());

        } else {
            nodes_pause(step.wait);
        }
    } while (clock_ms() < until);

    ctl_fail(CTL_REDIS, "the sentinels tell of no master \"%s\": %s",
             url->name, error);
}


/* --------------------------------------------------------------- a cluster */

/* the map, when a new one is wanted */

static void
nodes_learn(ctl_nodes_t *nodes)
{
    char            error[CTL_ERROR] = "";
    int64_t         wait, until;
    redisReply     *reply;
    const char     *why;
    ctl_server_t   *server;
    sluice_node_t   node;

    static const char *const  words[] = { "CLUSTER", "SLOTS", NULL };

    until = clock_ms() + CTL_TIMEOUT * 1000;

    while ((wait = sluice_cluster_due(&nodes->cluster, clock_ms())) != -1) {

        if (clock_ms() > until) {
            ctl_fail(CTL_REDIS, "no node tells of the cluster: %s", error);
        }

        if (wait > 0) {
            nodes_pause(wait);
            continue;
        }

        sluice_cluster_ask(&nodes->cluster, clock_ms(), &node);

        server = nodes_connect(&nodes->url->url, &node, nodes->tls, error);
        reply = server ? ctl_server_ask(server, words, error) : NULL;
        why = sluice_cluster_told(&nodes->cluster, reply, &node);

        if (reply) {
            if (why) {
                snprintf(error, CTL_ERROR, "%s, port %d: %s", node.host,
                         node.port, why);
            }

            freeReplyObject(reply);
        }

        ctl_server_close(server);
    }
}


static ctl_server_t *
nodes_server(ctl_nodes_t *nodes, const sluice_node_t *node,
    char error[CTL_ERROR])
{
    ctl_server_t  *server;

    for (server = nodes->servers; server; server = server->next) {
        if (server->url.port == node->port
            && strcasecmp(server->url.host, node->host) == 0)
        {
            return server;
        }
    }

    server = nodes_connect(&nodes->url->url, node, nodes->tls, error);

    if (server == NULL) {
        sluice_cluster_lost(&nodes->cluster, node);
        return NULL;
    }

    server->next = nodes->servers;
    nodes->servers = server;

    return server;
}


static void
nodes_send(ctl_nodes_t *nodes, nodes_call_t *call, ctl_server_t *server,
    bool asking)
{
    char  error[CTL_ERROR];

    static const char  text[] = "*1\r\n$6\r\nASKING\r\n";

    if ((asking && !ctl_server_put(server, text, sizeof(text) - 1, error))
        || !ctl_server_put(server, call->text, call->len, error))
    {
        ctl_fail(CTL_REDIS, "%s", error);
    }

    call->server = server;
    call->asking = asking;
    call->sent = ++nodes->sent;
}


/* to whoever has its slot, as soon as somebody has */

static void
nodes_route(ctl_nodes_t *nodes, nodes_call_t *call)
{
    char                  error[CTL_ERROR];
    ctl_server_t         *server;
    const sluice_node_t  *node;

    snprintf(error, CTL_ERROR, "no node has slot %u", call->slot);

    for ( ;; ) {
        nodes_learn(nodes);

        node = sluice_cluster_node(&nodes->cluster, call->slot);
        server = node ? nodes_server(nodes, node, error) : NULL;

        if (server) {
            nodes_send(nodes, call, server, false);
            return;
        }

        if (clock_ms() > call->call.until) {
            ctl_fail(CTL_REDIS, "%s", error);
        }

        nodes_pause(SLUICE_CLUSTER_INTERVAL);
        nodes->cluster.wanted = 1;
    }
}


/* the answer of the call's server that is to be read next, which is whose? */

static nodes_call_t *
nodes_next(ctl_nodes_t *nodes, const ctl_server_t *server)
{
    nodes_call_t  *call, *next;

    next = NULL;

    for (call = nodes->first; call; call = call->next) {
        if (call->server == server && call->reply == NULL
            && (next == NULL || call->sent < next->sent))
        {
            next = call;
        }
    }

    return next;
}


static void
nodes_judge(ctl_nodes_t *nodes, nodes_call_t *call, redisReply *reply)
{
    char                       error[CTL_ERROR];
    ctl_server_t              *server;
    sluice_node_t              from;
    sluice_cluster_verdict_t   out;

    memset(&from, 0, sizeof(from));
    memcpy(from.host, call->server->url.host, sizeof(from.host));
    from.port = call->server->url.port;

    sluice_cluster_judge(&nodes->cluster, &call->call, reply, &from,
                         clock_ms(), &out);

    if (out.verdict == SLUICE_CLUSTER_DELIVER) {
        call->reply = reply;
        return;
    }

    freeReplyObject(reply);

    if (out.verdict == SLUICE_CLUSTER_LATER) {
        nodes_pause(out.wait);
        nodes_route(nodes, call);
        return;
    }

    server = nodes_server(nodes, &out.node, error);

    if (server) {
        nodes_send(nodes, call, server, out.verdict == SLUICE_CLUSTER_ASK);

    } else {
        nodes_route(nodes, call);
    }
}


static void
nodes_read(ctl_nodes_t *nodes, ctl_server_t *server)
{
    char           error[CTL_ERROR];
    redisReply    *reply;
    nodes_call_t  *call;

    call = nodes_next(nodes, server);
    reply = ctl_server_reply(server, error);

    if (reply && call->asking) {
        freeReplyObject(reply);
        reply = ctl_server_reply(server, error);
    }

    if (reply == NULL) {
        ctl_fail(CTL_REDIS, "%s", error);
    }

    nodes_judge(nodes, call, reply);
}


/* the i-th word of a command as RESP; NULL: there are not so many */

static const char *
nodes_word(const char *text, int i, size_t *len)
{
    int    n;
    char  *p;

    n = (int) strtol(text + 1, &p, 10);

    *len = 0;

    for (p += 2; n > 0; n--, p += *len + 2) {
        *len = strtoul(p + 1, &p, 10);
        p += 2;

        if (i-- == 0) {
            return p;
        }
    }

    return NULL;
}


/* where its first key is: of those that sluicectl sends */

static const char *
nodes_key(const char *text, size_t *len, bool *script)
{
    int          i;
    const char  *word;

    word = nodes_word(text, 0, len);
    *script = (*len >= 4 && strncasecmp(word, "EVAL", 4) == 0);

    if (*script) {
        return nodes_word(text, 3, len);
    }

    if (*len == 5 && strncasecmp(word, "XREAD", 5) == 0) {

        for (i = 1; (word = nodes_word(text, i, len)) != NULL; i++) {
            if (*len == 7 && strncasecmp(word, "STREAMS", 7) == 0) {
                return nodes_word(text, i + 1, len);
            }
        }
    }

    return nodes_word(text, 1, len);
}


void
ctl_nodes_put(ctl_nodes_t *nodes, char *text, size_t len)
{
    bool           script;
    size_t         n;
    const char    *key;
    nodes_call_t  *call;

    call = calloc(1, sizeof(nodes_call_t));

    if (call == NULL) {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    key = nodes_key(text, &n, &script);

    if (key) {
        nodes->slot = sluice_slot(key, n);
    }

    call->text = text;
    call->len = len;
    call->slot = nodes->slot;
    call->call.until = clock_ms() + CTL_TIMEOUT * 1000;
    call->call.whole = !script;

    nodes_route(nodes, call);

    *nodes->last = call;
    nodes->last = &call->next;
}


redisReply *
ctl_nodes_reply(ctl_nodes_t *nodes)
{
    redisReply    *reply;
    nodes_call_t  *call;

    call = nodes->first;

    while (call->reply == NULL) {
        nodes_read(nodes, call->server);
    }

    nodes->first = call->next;

    if (nodes->first == NULL) {
        nodes->last = &nodes->first;
    }

    reply = call->reply;
    redisFreeCommand(call->text);
    free(call);

    return reply;
}


ctl_nodes_t *
ctl_nodes_open(const sluice_url_nodes_t *url, tls_t *tls)
{
    ctl_nodes_t  *nodes;

    nodes = calloc(1, sizeof(ctl_nodes_t));

    if (nodes == NULL) {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    nodes->url = url;
    nodes->tls = tls;
    nodes->last = &nodes->first;
    sluice_cluster_init(&nodes->cluster, url);
    nodes_learn(nodes);

    return nodes;
}
