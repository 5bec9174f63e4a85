#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "core/cluster.h"
#include "core/redis.h"
#include "reply.h"
#include "rows.h"


#define ID  "$4\r\n0123\r\n"


static const sluice_node_t  asked = { "10.0.0.9", 7000 };


/* --------------------------------------------------------------- redirects */

typedef struct {
    const char  *name;
    const char  *text;
    const char  *to;      /* NULL: none */
} redirect_row_t;


static void
test_redirect(void **state)
{
    int                         rc;
    char                        to[512];
    uint8_t                    *text;
    const redirect_row_t       *row;
    sluice_cluster_redirect_t   redirect;

    row = row_of(redirect_row_t, state);
    text = rows_bytes(row->text, strlen(row->text));

    rc = sluice_cluster_redirect(&redirect, (const char *) text,
                                 strlen(row->text), &asked);
    free(text);

    assert_int_equal(rc, row->to != NULL);

    if (row->to) {
        snprintf(to, sizeof(to), "%s %u %s %d%s",
                 redirect.ask ? "ask" : "moved", redirect.slot,
                 redirect.node.host, redirect.node.port,
                 redirect.nowhere ? " nowhere" : "");
        assert_string_equal(to, row->to);
    }
}


static const redirect_row_t  redirects[] = {
    { "moved", "MOVED 3999 127.0.0.1:6381", "moved 3999 127.0.0.1 6381" },
    { "ask", "ASK 16383 redis-1.example:1", "ask 16383 redis-1.example 1" },
    { "IPv6", "MOVED 0 ::1:7000", "moved 0 ::1 7000" },
    { "IPv6 with a zone", "MOVED 0 fe80::1%eth0:7000",
      "moved 0 fe80::1%eth0 7000" },
    { "no host: the one asked", "MOVED 1 :7001", "moved 1 10.0.0.9 7001" },
    { "no name is set", "MOVED 1 ?:7001", "moved 1  7001 nowhere" },
    { "a slot that is none", "MOVED 16384 h:1", NULL },
    { "a slot beyond all numbers", "MOVED 99999999999999999999 h:1", NULL },
    { "no slot", "MOVED  h:1", NULL },
    { "a negative slot", "MOVED -1 h:1", NULL },
    { "no address", "MOVED 1 ", NULL },
    { "no address either", "MOVED 1", NULL },
    { "no port", "MOVED 1 h", NULL },
    { "an empty port", "MOVED 1 h:", NULL },
    { "port 0", "MOVED 1 h:0", NULL },
    { "a port too high", "MOVED 1 h:65536", NULL },
    { "more behind it", "MOVED 1 h:1 x", NULL },
    { "a space in the host", "MOVED 1 a b:1", NULL },
    { "a control character", "MOVED 1 a\nb:1", NULL },
    { "another word", "MOVEDX 1 h:1", NULL },
    { "a word alone", "ASK", NULL },
    { "nothing", "", NULL },
    { "in lower case", "moved 1 h:1", NULL },
};


static void
test_redirect_long(void **state)
{
    char                        text[400];
    sluice_cluster_redirect_t   to;

    memset(text, 'h', sizeof(text));
    memcpy(text, "MOVED 1 ", 8);

    memcpy(text + 8 + 255, ":1", 2);
    assert_int_equal(sluice_cluster_redirect(&to, text, 8 + 257, &asked), 1);
    assert_int_equal(strlen(to.node.host), 255);

    memcpy(text + 8 + 255, "h:1", 3);
    assert_int_equal(sluice_cluster_redirect(&to, text, 8 + 258, &asked), 0);
}


/* ------------------------------------------------------------------- maps */

typedef struct {
    const char  *name;
    const char  *resp;
    const char  *error;    /* part of it, or NULL */
    const char  *map;      /* "first-last host port " of what is in a row */
} map_row_t;


static void
describe(const sluice_cluster_map_t *map, char *dst)
{
    unsigned  i, first;

    dst[0] = '\0';

    for (first = 0, i = 1; i <= SLUICE_SLOTS; i++) {

        if (i < SLUICE_SLOTS && map->slots[i] == map->slots[first]) {
            continue;
        }

        if (map->slots[first] != SLUICE_CLUSTER_NOBODY) {
            sprintf(dst + strlen(dst), "%u-%u %s %d ", first, i - 1,
                    map->nodes[map->slots[first]].host,
                    map->nodes[map->slots[first]].port);
        }

        first = i;
    }
}


static void
test_map(void **state)
{
    char                   text[1024];
    redisReply            *reply;
    const char            *error;
    const map_row_t       *row;
    sluice_cluster_map_t   map;

    row = row_of(map_row_t, state);
    reply = reply_of(row->resp);
    memset(&map, '#', sizeof(map));

    error = sluice_cluster_map_read(&map, reply, &asked);
    freeReplyObject(reply);

    if (row->error) {
        assert_non_null(error);
        assert_non_null(strstr(error, row->error));
        assert_int_equal(map.nnodes, 0);

    } else {
        assert_null(error);
    }

    describe(&map, text);
    assert_string_equal(text, row->map);
}


static const map_row_t  maps[] = {
    { "Redis 6.2: two masters, a replica",
      "*2\r\n"
      "*4\r\n:0\r\n:8191\r\n*3\r\n$9\r\n127.0.0.1\r\n:7000\r\n" ID
      "*3\r\n$9\r\n127.0.0.1\r\n:7002\r\n" ID
      "*3\r\n:8192\r\n:16383\r\n*3\r\n$9\r\n127.0.0.1\r\n:7001\r\n" ID,
      NULL, "0-8191 127.0.0.1 7000 8192-16383 127.0.0.1 7001 " },
    { "Redis 7: a fourth member, empty",
      "*1\r\n*3\r\n:0\r\n:16383\r\n*4\r\n$2\r\nh1\r\n:7000\r\n" ID "*0\r\n",
      NULL, "0-16383 h1 7000 " },
    { "Redis 7: an address, the name beside it",
      "*1\r\n*3\r\n:0\r\n:16383\r\n*4\r\n$3\r\n::1\r\n:7000\r\n" ID
      "*2\r\n$8\r\nhostname\r\n$2\r\nh1\r\n",
      NULL, "0-16383 ::1 7000 " },
    { "no name is set: its address",
      "*1\r\n*3\r\n:0\r\n:16383\r\n*4\r\n$1\r\n?\r\n:7000\r\n" ID
      "*4\r\n$1\r\nx\r\n$1\r\ny\r\n$2\r\nip\r\n$7\r\n1.2.3.4\r\n",
      NULL, "0-16383 1.2.3.4 7000 " },
    { "no name is set, nor an address: its slots are nobody's",
      "*2\r\n*3\r\n:0\r\n:9\r\n*4\r\n$1\r\n?\r\n:7000\r\n" ID "*0\r\n"
      "*3\r\n:10\r\n:10\r\n*3\r\n$1\r\nh\r\n:7001\r\n" ID,
      NULL, "10-10 h 7001 " },
    { "nil is the one asked, with the port told",
      "*1\r\n*3\r\n:0\r\n:1\r\n*4\r\n$-1\r\n:7005\r\n" ID "*0\r\n",
      NULL, "0-1 10.0.0.9 7005 " },
    { "so is an empty host",
      "*1\r\n*3\r\n:5\r\n:5\r\n*3\r\n$0\r\n\r\n:7005\r\n" ID,
      NULL, "5-5 10.0.0.9 7005 " },
    { "ranges of one master are one node, whatever the case",
      "*3\r\n*3\r\n:0\r\n:0\r\n*2\r\n$1\r\na\r\n:1\r\n"
      "*3\r\n:2\r\n:2\r\n*2\r\n$1\r\nA\r\n:1\r\n"
      "*3\r\n:1\r\n:1\r\n*2\r\n$1\r\na\r\n:1\r\n",
      NULL, "0-2 a 1 " },
    { "no slots", "*0\r\n", "no node has slots", "" },
    { "not a cluster", "-ERR This instance has cluster support disabled\r\n",
      "refused", "" },
    { "not an array", "+OK\r\n", "not what", "" },
    { "not an array of arrays", "*1\r\n:1\r\n", "not what", "" },
    { "a range without a node", "*1\r\n*2\r\n:0\r\n:1\r\n", "not what", "" },
    { "texts for slots",
      "*1\r\n*3\r\n$1\r\n0\r\n$1\r\n1\r\n*2\r\n$1\r\na\r\n:1\r\n", "not what",
      "" },
    { "a slot below 0", "*1\r\n*3\r\n:-1\r\n:1\r\n*2\r\n$1\r\na\r\n:1\r\n",
      "range of slots", "" },
    { "a slot too high",
      "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\na\r\n:1\r\n", "range of slots",
      "" },
    { "a range backwards", "*1\r\n*3\r\n:2\r\n:1\r\n*2\r\n$1\r\na\r\n:1\r\n",
      "range of slots", "" },
    { "port 0", "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\na\r\n:0\r\n",
      "host or port", "" },
    { "a port too high",
      "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\na\r\n:65536\r\n", "host or port",
      "" },
    { "a port as text",
      "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n", "host or port",
      "" },
    { "a node of one member", "*1\r\n*3\r\n:0\r\n:1\r\n*1\r\n$1\r\na\r\n",
      "host or port", "" },
    { "a node that is a number", "*1\r\n*3\r\n:0\r\n:1\r\n:1\r\n",
      "host or port", "" },
    { "a host that is a number", "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n:1\r\n:1\r\n",
      "host or port", "" },
    { "a host with a space",
      "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$3\r\na b\r\n:1\r\n", "host or port",
      "" },
    { "one good, one bad: none of it",
      "*2\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\na\r\n:1\r\n:2\r\n", "not what",
      "" },
};


static void
test_map_full(void **state)
{
    int                    i, n;
    char                   resp[16384];
    redisReply            *reply;
    sluice_node_t          node;
    sluice_cluster_map_t   map;

    for (n = 128; n <= 129; n++) {
        sprintf(resp, "*%d\r\n", n);

        for (i = 0; i < n; i++) {
            sprintf(resp + strlen(resp), "*3\r\n:%d\r\n:%d\r\n*2\r\n$1\r\na"
                    "\r\n:%d\r\n", i, i, i + 1);
        }

        reply = reply_of(resp);

        if (n == 129) {
            assert_string_equal(sluice_cluster_map_read(&map, reply, &asked),
                                "more than 128 masters");
            assert_int_equal(map.nnodes, 0);

        } else {
            assert_null(sluice_cluster_map_read(&map, reply, &asked));
            assert_int_equal(map.nnodes, 128);
            assert_int_equal(map.nodes[map.slots[127]].port, 128);

            /* to one that is known, but there is no room for another */

            node = map.nodes[5];
            assert_int_equal(sluice_cluster_map_move(&map, 9, &node), 1);
            assert_int_equal(map.slots[9], 5);

            node.port = 1000;
            assert_int_equal(sluice_cluster_map_move(&map, 9, &node), 0);
            assert_int_equal(map.slots[9], 5);
        }

        freeReplyObject(reply);
    }
}


/* --------------------------------------------------------------- verdicts */

typedef struct {
    const char  *name;
    const char  *resp;
    int          whole;
    int          late;        /* it is time to give it up */
    const char  *verdict;
    int          wanted;      /* a map */
} verdict_row_t;

static const char  *const verdicts[] = { "deliver", "move", "ask", "later" };


static void
start(sluice_cluster_t *cluster)
{
    const char          *url;
    redisReply          *reply;
    sluice_node_t        node;
    sluice_url_nodes_t   nodes;

    url = "redis+cluster://seed1,seed2";
    assert_null(sluice_url_parse_nodes(&nodes, url, strlen(url)));

    sluice_cluster_init(cluster, &nodes);
    assert_null(sluice_cluster_node(cluster, 0));
    assert_int_equal(sluice_cluster_due(cluster, 5000), 0);

    sluice_cluster_ask(cluster, 5000, &node);
    assert_string_equal(node.host, "seed1");
    assert_int_equal(sluice_cluster_due(cluster, 9000), -1);

    reply = reply_of("*2\r\n"
                     "*3\r\n:0\r\n:99\r\n*2\r\n$1\r\na\r\n:1\r\n"
                     "*3\r\n:100\r\n:199\r\n*2\r\n$1\r\nb\r\n:2\r\n");
    assert_null(sluice_cluster_told(cluster, reply, &node));
    freeReplyObject(reply);

    assert_string_equal(sluice_cluster_node(cluster, 99)->host, "a");
    assert_string_equal(sluice_cluster_node(cluster, 100)->host, "b");
    assert_null(sluice_cluster_node(cluster, 200));
    assert_int_equal(sluice_cluster_due(cluster, 9000), -1);
}


static void
judge(sluice_cluster_t *cluster, sluice_cluster_call_t *call,
    const char *resp, int64_t now, sluice_cluster_verdict_t *out)
{
    redisReply  *reply;

    reply = reply_of(resp);
    sluice_cluster_judge(cluster, call, reply, &cluster->map.nodes[0], now,
                         out);

    if (reply) {
        freeReplyObject(reply);
    }
}


static void
test_verdict(void **state)
{
    char                       text[400];
    sluice_cluster_t          *cluster;
    const verdict_row_t       *row;
    sluice_cluster_call_t      call;
    sluice_cluster_verdict_t   out;

    row = row_of(verdict_row_t, state);
    cluster = calloc(1, sizeof(*cluster));
    assert_non_null(cluster);
    start(cluster);

    memset(&call, 0, sizeof(call));
    call.until = row->late ? 10000 : 10500;
    call.whole = row->whole;

    judge(cluster, &call, row->resp, 10000, &out);

    snprintf(text, sizeof(text), "%s", verdicts[out.verdict]);

    if (out.node.host[0]) {
        snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s %d",
                 out.node.host, out.node.port);
    }

    if (out.wait) {
        sprintf(text + strlen(text), " %d", (int) out.wait);
    }

    assert_string_equal(text, row->verdict);
    assert_int_equal(sluice_cluster_due(cluster, 10000),
                     row->wanted ? 0 : -1);
    free(cluster);
}


static const verdict_row_t  answers[] = {
    { "an answer", ":1\r\n", 0, 0, "deliver", 0 },
    { "lost", NULL, 0, 0, "deliver", 0 },
    { "an error of the command", "-WRONGTYPE x\r\n", 0, 0, "deliver", 0 },
    { "keys of several slots", "-CROSSSLOT Keys in request\r\n", 0, 0,
      "deliver", 0 },
    { "moved", "-MOVED 7 c:3\r\n", 0, 0, "move c 3", 1 },
    { "moved, too late", "-MOVED 7 c:3\r\n", 0, 1, "deliver", 1 },
    { "moved to the same host", "-MOVED 7 :3\r\n", 0, 0, "move a 3", 1 },
    { "moved to nowhere", "-MOVED 7 ?:3\r\n", 0, 0, "later 20", 1 },
    { "moved, in words that cannot be read", "-MOVED 7\r\n", 0, 0, "deliver",
      0 },
    { "ask of a call with all its keys", "-ASK 7 c:3\r\n", 1, 0, "ask c 3",
      0 },
    { "ask of a script: it waits", "-ASK 7 c:3\r\n", 0, 0, "later 20", 0 },
    { "ask, too late", "-ASK 7 c:3\r\n", 1, 1, "deliver", 0 },
    { "some keys are here, some there", "-TRYAGAIN Multiple keys\r\n", 0, 0,
      "later 20", 0 },
    { "the same, too late", "-TRYAGAIN\r\n", 0, 1, "deliver", 0 },
    { "down", "-CLUSTERDOWN The cluster is down\r\n", 0, 0, "later 20", 1 },
    { "a master that became a replica", "-READONLY You can't\r\n", 0, 0,
      "deliver", 1 },
    { "a master that starts", "-LOADING Redis is\r\n", 0, 0, "deliver", 1 },
    { "a word that begins so", "-TRYAGAINX\r\n", 0, 0, "deliver", 0 },
    { "a text that is no error", "+MOVED 7 c:3\r\n", 0, 0, "deliver", 0 },
};


static void
test_hops(void **state)
{
    int                        i, n;
    int64_t                    now;
    sluice_cluster_t          *cluster;
    sluice_cluster_call_t      call;
    sluice_cluster_verdict_t   out;

    static const int64_t  waits[] = { 20, 40, 80, 160, 320, 640, 640, 100 };

    cluster = calloc(1, sizeof(*cluster));
    assert_non_null(cluster);
    start(cluster);

    /* two nodes that send to each other: five times, then a pause */

    memset(&call, 0, sizeof(call));
    now = 10000;
    call.until = now + 20 + 40 + 80 + 160 + 320 + 640 + 640 + 100;

    for (i = 0; i < 8; i++) {

        for (n = 0; n < SLUICE_CLUSTER_HOPS; n++) {
            judge(cluster, &call, n & 1 ? "-MOVED 7 a:1\r\n"
                                        : "-MOVED 7 b:2\r\n", now, &out);
            assert_int_equal(out.verdict, SLUICE_CLUSTER_MOVE);
        }

        judge(cluster, &call, "-MOVED 7 b:2\r\n", now, &out);
        assert_int_equal(out.verdict, SLUICE_CLUSTER_LATER);
        assert_int_equal(out.wait, waits[i]);
        now += out.wait;
    }

    judge(cluster, &call, "-MOVED 7 b:2\r\n", now, &out);
    assert_int_equal(out.verdict, SLUICE_CLUSTER_DELIVER);

    /* what was moved is known at once */

    assert_string_equal(sluice_cluster_node(cluster, 7)->host, "b");
    assert_string_equal(sluice_cluster_node(cluster, 8)->host, "a");

    free(cluster);
}


/* ---------------------------------------------------------------- the map */

/* who is asked, in a row, when nobody answers and when */

static void
test_rounds(void **state)
{
    char               key[SLUICE_REDIS_MARK];
    size_t             i;
    int64_t            now;
    unsigned           mark = 0;
    sluice_node_t      node;
    sluice_cluster_t  *cluster;

    static const struct {
        const char  *host;
        int          wait;
    } turns[] = {
        { "seed2", 200 }, { "a", 200 }, { "b", 200 }, { "seed1", 1000 },
        { "seed2", 200 }, { "a", 200 }, { "b", 200 }, { "seed1", 1000 },
    };

    cluster = calloc(1, sizeof(*cluster));
    assert_non_null(cluster);
    start(cluster);
    now = 10000;

    node.port = 1;
    strcpy(node.host, "nobody");
    sluice_cluster_lost(cluster, &node);
    assert_int_equal(sluice_cluster_due(cluster, now), -1);
    assert_int_equal(sluice_cluster_has(cluster, &node), 0);

    /* no key is looked for: that takes milliseconds */
    sluice_cluster_mark(cluster, &node, &mark, key);
    assert_string_equal(key, "sluice:wait:{0}");

    strcpy(node.host, "A");
    assert_int_equal(sluice_cluster_has(cluster, &node), 1);
    sluice_cluster_lost(cluster, &node);
    assert_int_equal(sluice_cluster_due(cluster, now), 0);

    for (i = 0; i < sizeof(turns) / sizeof(turns[0]); i++) {
        sluice_cluster_ask(cluster, now, &node);
        assert_string_equal(node.host, turns[i].host);
        assert_int_equal(sluice_cluster_due(cluster, now), -1);
        assert_non_null(sluice_cluster_told(cluster, NULL, &node));
        assert_int_equal(sluice_cluster_due(cluster, now), turns[i].wait);
        assert_int_equal(sluice_cluster_due(cluster, now - 5000),
                         turns[i].wait);
        now += turns[i].wait;
        assert_int_equal(sluice_cluster_due(cluster, now), 0);
    }

    /* the old map is kept all the while */

    assert_string_equal(sluice_cluster_node(cluster, 100)->host, "b");

    free(cluster);
}


static void
test_moved_then_map(void **state)
{
    redisReply                *reply;
    sluice_node_t              node;
    sluice_cluster_t          *cluster;
    sluice_cluster_call_t      call;
    sluice_cluster_verdict_t   out;

    cluster = calloc(1, sizeof(*cluster));
    assert_non_null(cluster);
    start(cluster);

    memset(&call, 0, sizeof(call));
    call.until = 20000;

    /* soon after the last one: not before the interval is over */

    judge(cluster, &call, "-MOVED 7 c:3\r\n", 5050, &out);
    assert_int_equal(sluice_cluster_due(cluster, 5050), 150);

    /* who has the slot now knows the most, and is asked first */

    sluice_cluster_ask(cluster, 5200, &node);
    assert_string_equal(node.host, "c");

    /* what happens while it is asked may be newer than its answer */

    judge(cluster, &call, "-MOVED 8 d:4\r\n", 5201, &out);
    assert_int_equal(sluice_cluster_due(cluster, 5201), -1);

    reply = reply_of("*1\r\n*3\r\n:0\r\n:99\r\n*2\r\n$0\r\n\r\n:3\r\n");
    assert_null(sluice_cluster_told(cluster, reply, &node));
    freeReplyObject(reply);

    assert_string_equal(sluice_cluster_node(cluster, 8)->host, "c");
    assert_null(sluice_cluster_node(cluster, 100));
    assert_int_equal(sluice_cluster_due(cluster, 5201), 199);

    sluice_cluster_ask(cluster, 5400, &node);
    assert_string_equal(node.host, "d");

    /* an answer that is none leaves the map as it is */

    reply = reply_of("-ERR This instance has cluster support disabled\r\n");
    assert_non_null(sluice_cluster_told(cluster, reply, &node));
    freeReplyObject(reply);
    assert_string_equal(sluice_cluster_node(cluster, 8)->host, "c");

    sluice_cluster_ask(cluster, 5600, &node);
    assert_string_equal(node.host, "seed2");

    free(cluster);
}


int
main(void)
{
    rows_add(redirects, test_redirect);
    rows_add_one("hosts of 255 bytes", test_redirect_long, NULL);
    rows_add(maps, test_map);
    rows_add_one("128 masters", test_map_full, NULL);
    rows_add(answers, test_verdict);
    rows_add_one("redirects are bounded, pauses grow", test_hops, NULL);
    rows_add_one("whom to ask for the map, and when", test_rounds, NULL);
    rows_add_one("a move, then the map", test_moved_then_map, NULL);

    return rows_run("cluster");
}
