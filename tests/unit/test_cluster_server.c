/*
 * What core/cluster.h takes for granted, with two real nodes of a cluster and,
 * after it, a sentinel with its master: private to this program, on free ports
 * of the loopback, gone at the end.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>
#include "core/cluster.h"
#include "core/sentinel.h"


#define PATIENCE  20000    /* ms */


typedef struct {
    pid_t           pid;
    char            dir[64];
    sluice_node_t   node;
    redisContext   *redis;
} server_t;


static server_t          servers[4];
static size_t            nservers;
static sluice_cluster_t  cluster;


static int64_t
clock_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


/* A port that is free, as is the one of the cluster's bus 10000 above it */

static int
free_port(void)
{
    int                  i, fd, port, ok;
    socklen_t            len;
    struct sockaddr_in   sin;

    for ( ;; ) {
        memset(&sin, 0, sizeof(sin));
        sin.sin_family = AF_INET;
        sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        port = 0;
        ok = 1;

        for (i = 0; i < 2; i++) {
            fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            len = sizeof(sin);

            if (bind(fd, (struct sockaddr *) &sin, len) == -1
                || getsockname(fd, (struct sockaddr *) &sin, &len) == -1)
            {
                ok = 0;
            }

            close(fd);

            if (i == 0) {
                port = ntohs(sin.sin_port);
                sin.sin_port = htons((uint16_t) (port + 10000));
                ok = port <= 55535;
            }
        }

        if (ok) {
            return port;
        }
    }
}


static redisReply *
say(server_t *server, const char *format, ...)
{
    va_list      args;
    redisReply  *reply;

    va_start(args, format);
    reply = redisvCommand(server->redis, format, args);
    va_end(args);

    assert_non_null(reply);

    return reply;
}


static void
expect(server_t *server, const char *text, const char *command)
{
    redisReply  *reply;

    reply = say(server, command);
    assert_non_null(reply->str);

    if (strncmp(reply->str, text, strlen(text)) != 0) {
        fail_msg("%s: %s, not %s", command, reply->str, text);
    }

    freeReplyObject(reply);
}


static server_t *
launch(const char *mode, const char *more)
{
    int        null;
    char       path[128];
    FILE      *conf;
    pid_t      parent;
    int64_t    deadline;
    server_t  *server;

    server = &servers[nservers++];
    mkdir("build", 0777);
    strcpy(server->dir, "build/test_cluster.XXXXXX");
    assert_non_null(mkdtemp(server->dir));

    strcpy(server->node.host, "127.0.0.1");
    server->node.port = free_port();

    snprintf(path, sizeof(path), "%s/redis.conf", server->dir);
    conf = fopen(path, "w");
    assert_non_null(conf);
    fprintf(conf, "bind 127.0.0.1\nport %d\ndir %s\n%s\n", server->node.port,
            server->dir, more);
    fclose(conf);

    parent = getpid();
    server->pid = fork();

    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);

        if (getppid() != parent) {
            _exit(1);
        }

        null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);

        execlp("redis-server", "redis-server", path, mode, (char *) NULL);
        _exit(127);
    }

    deadline = clock_ms() + PATIENCE;

    for ( ;; ) {
        server->redis = redisConnect("127.0.0.1", server->node.port);
        assert_non_null(server->redis);

        if (server->redis->err == 0) {
            return server;
        }

        redisFree(server->redis);
        server->redis = NULL;
        assert_true(clock_ms() < deadline);
        poll(NULL, 0, 10);
    }
}


static int
stop(void **state)
{
    char    command[128];
    size_t  i;

    for (i = 0; i < nservers; i++) {

        if (servers[i].redis) {
            redisFree(servers[i].redis);
        }

        if (servers[i].pid > 0) {
            kill(servers[i].pid, SIGKILL);
            waitpid(servers[i].pid, NULL, 0);
        }

        /* a directory of ours, named by mkdtemp() */
        snprintf(command, sizeof(command), "rm -rf %s", servers[i].dir);

        if (system(command) != 0) {
            return -1;
        }
    }

    nservers = 0;
    memset(servers, 0, sizeof(servers));

    return 0;
}


/* ---------------------------------------------------------------- a cluster */

static server_t *
server_of(const sluice_node_t *node)
{
    size_t  i;

    for (i = 0; i < nservers; i++) {
        if (sluice_node_is(&servers[i].node, node)) {
            return &servers[i];
        }
    }

    fail_msg("%s:%d is none of ours", node->host, node->port);

    return NULL;
}


static void
learn(void)
{
    int64_t         wait, deadline;
    redisReply     *reply;
    sluice_node_t   node;

    deadline = clock_ms() + PATIENCE;

    for ( ;; ) {
        wait = sluice_cluster_due(&cluster, clock_ms());

        if (wait == -1) {
            return;
        }

        assert_true(clock_ms() < deadline);
        poll(NULL, 0, (int) wait);

        if (sluice_cluster_due(&cluster, clock_ms()) == 0) {
            sluice_cluster_ask(&cluster, clock_ms(), &node);
            reply = say(server_of(&node), "CLUSTER SLOTS");
            (void) sluice_cluster_told(&cluster, reply, &node);
            freeReplyObject(reply);
        }
    }
}


/* INCR, or a script that increments what its key only begins; the answer */

static redisReply *
increment(const char *key, int script, int64_t patience)
{
    server_t                  *server;
    redisReply                *reply;
    const sluice_node_t       *node;
    sluice_cluster_call_t      call;
    sluice_cluster_verdict_t   out;

    memset(&call, 0, sizeof(call));
    call.until = clock_ms() + patience;
    call.whole = !script;
    memset(&out, 0, sizeof(out));

    for ( ;; ) {

        if (out.verdict == SLUICE_CLUSTER_MOVE
            || out.verdict == SLUICE_CLUSTER_ASK)
        {
            server = server_of(&out.node);

        } else {
            node = sluice_cluster_node(&cluster, sluice_slot(key, strlen(key)));
            assert_non_null(node);
            server = server_of(node);
        }

        if (out.verdict == SLUICE_CLUSTER_ASK) {
            freeReplyObject(say(server, "ASKING"));
        }

        reply = script ? say(server, "EVAL %s 1 %s",
                             "return redis.call('INCR', KEYS[1] .. 'id')", key)
                       : say(server, "INCR %s", key);

        sluice_cluster_judge(&cluster, &call, reply, &server->node, clock_ms(),
                             &out);

        if (out.verdict == SLUICE_CLUSTER_DELIVER) {
            return reply;
        }

        freeReplyObject(reply);

        if (out.verdict == SLUICE_CLUSTER_LATER) {
            poll(NULL, 0, (int) out.wait);
        }
    }
}


static void
incremented(const char *key, int script, long long value)
{
    redisReply  *reply;

    reply = increment(key, script, PATIENCE);
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    assert_int_equal(reply->integer, value);
    freeReplyObject(reply);
}


static void
test_slot_moves(void **state)
{
    char                 text[256], id[2][41];
    int64_t              deadline;
    unsigned             slot;
    server_t            *a, *b;
    redisReply          *reply;
    sluice_url_nodes_t   nodes;

    a = launch("--cluster-enabled yes", "save \"\"");
    b = launch("--cluster-enabled yes", "save \"\"");

    for (slot = 0; slot < 2; slot++) {
        reply = say(&servers[slot], "CLUSTER MYID");
        snprintf(id[slot], sizeof(id[slot]), "%s", reply->str);
        freeReplyObject(reply);
    }

    snprintf(text, sizeof(text), "redis+cluster://127.0.0.1:%d,127.0.0.1:%d",
             b->node.port, a->node.port);
    assert_null(sluice_url_parse_nodes(&nodes, text, strlen(text)));
    sluice_cluster_init(&cluster, &nodes);

    /* a node alone, without slots and later with them, tells no host */

    sluice_cluster_ask(&cluster, 0, &nodes.nodes[0]);
    reply = say(b, "CLUSTER SLOTS");
    assert_string_equal(sluice_cluster_told(&cluster, reply, &b->node),
                        "no node has slots");
    freeReplyObject(reply);

    for (slot = 0; slot < SLUICE_SLOTS; slot++) {
        redisAppendCommand(a->redis, "CLUSTER ADDSLOTS %u", slot);
    }

    for (slot = 0; slot < SLUICE_SLOTS; slot++) {
        assert_int_equal(redisGetReply(a->redis, (void **) &reply), REDIS_OK);
        freeReplyObject(reply);
    }

    snprintf(text, sizeof(text), "CLUSTER MEET 127.0.0.1 %d", b->node.port);
    expect(a, "OK", text);

    deadline = clock_ms() + PATIENCE;

    do {
        assert_true(clock_ms() < deadline);
        poll(NULL, 0, 20);
        reply = say(b, "CLUSTER INFO");
        slot = strstr(reply->str, "cluster_state:ok") != NULL;
        freeReplyObject(reply);

    } while (!slot);

    learn();

    slot = sluice_slot("{acme}:q:", 9);
    assert_int_equal(sluice_cluster_node(&cluster, slot)->port, a->node.port);

    reply = say(a, "CLUSTER KEYSLOT %s", "{acme}:q:");
    assert_int_equal(reply->integer, slot);
    freeReplyObject(reply);

    incremented("{acme}:q:id", 0, 1);
    incremented("{acme}:q:", 1, 2);

    /* the slot moves: the script is refused before it runs, wherever */

    snprintf(text, sizeof(text), "CLUSTER SETSLOT %u IMPORTING %s", slot,
             id[0]);
    expect(b, "OK", text);
    snprintf(text, sizeof(text), "CLUSTER SETSLOT %u MIGRATING %s", slot,
             id[1]);
    expect(a, "OK", text);

    reply = increment("{acme}:q:", 1, 100);
    assert_int_equal(reply->type, REDIS_REPLY_ERROR);
    assert_int_equal(strncmp(reply->str, "ASK ", 4), 0);
    freeReplyObject(reply);

    /* a command with all its keys: where the key is, or will be */

    incremented("{acme}:q:id", 0, 3);
    incremented("{acme}:other", 0, 1);

    snprintf(text, sizeof(text), "MIGRATE 127.0.0.1 %d {acme}:q:id 0 1000",
             b->node.port);
    expect(a, "OK", text);
    incremented("{acme}:q:id", 0, 4);
    incremented("{acme}:other", 0, 2);

    /* it has moved: MOVED, known from then on, and the new map says so too */

    snprintf(text, sizeof(text), "CLUSTER SETSLOT %u NODE %s", slot, id[1]);
    expect(b, "OK", text);
    expect(a, "OK", text);

    incremented("{acme}:q:", 1, 5);
    assert_int_equal(sluice_cluster_node(&cluster, slot)->port, b->node.port);
    learn();
    assert_int_equal(sluice_cluster_node(&cluster, slot)->port, b->node.port);
    assert_int_equal(sluice_cluster_node(&cluster, slot + 1)->port,
                     a->node.port);
    assert_int_equal(cluster.map.nnodes, 2);
}


/* --------------------------------------------------------------- a sentinel */

static void
test_sentinel(void **state)
{
    char                     text[256];
    server_t                *master, *watcher;
    redisReply              *reply;
    sluice_sentinel_t        sentinel;
    sluice_url_nodes_t       nodes;
    sluice_sentinel_step_t   step;

    master = launch("--appendonly no", "save \"\"");
    snprintf(text, sizeof(text), "sentinel monitor mine 127.0.0.1 %d 1",
             master->node.port);
    watcher = launch("--sentinel", text);

    snprintf(text, sizeof(text), "redis+sentinel://127.0.0.1:%d/mine",
             watcher->node.port);
    assert_null(sluice_url_parse_nodes(&nodes, text, strlen(text)));
    sluice_sentinel_init(&sentinel, &nodes);

    sluice_sentinel_next(&sentinel, 1, &step);
    assert_int_equal(step.step, SLUICE_SENTINEL_ASK);
    assert_int_equal(sluice_node_is(&step.node, &watcher->node), 1);

    reply = say(watcher, "SENTINEL get-master-addr-by-name other");
    assert_string_equal(sluice_sentinel_answered(&sentinel, reply, 1),
                        "the sentinel does not know the name");
    freeReplyObject(reply);

    sluice_sentinel_next(&sentinel, 1, &step);
    assert_int_equal(step.step, SLUICE_SENTINEL_WAIT);
    sluice_sentinel_next(&sentinel, 1 + step.wait, &step);
    assert_int_equal(step.step, SLUICE_SENTINEL_ASK);

    reply = say(watcher, "SENTINEL get-master-addr-by-name %s", nodes.name);
    assert_null(sluice_sentinel_answered(&sentinel, reply, 200));
    freeReplyObject(reply);

    sluice_sentinel_next(&sentinel, 200, &step);
    assert_int_equal(step.step, SLUICE_SENTINEL_CONNECT);
    assert_int_equal(sluice_node_is(&step.node, &master->node), 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(test_slot_moves, stop),
        cmocka_unit_test_teardown(test_sentinel, stop),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("cluster with a server", tests, NULL,
                                       stop);
}
