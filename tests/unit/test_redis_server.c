/*
 * The Redis client with a real redis-server, private to this program: a
 * directory and a Unix socket below build/, a password, gone at the end.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <openssl/sha.h>
#include <cmocka.h>
#include "core/redis.h"


#define PASSWORD  "pass word '\"%"


typedef struct {
    pid_t    pid;
    char     dir[64];
    char     socket[96];
    char     conf[96];
} server_t;

typedef struct {
    sluice_url_t          url;
    sluice_redis_conf_t   conf;
    sluice_redis_t       *redis;
    int                   fd;
    size_t                answers;
    int                   type;        /* of the last answer */
    long long             integer;
    char                 *text;
    size_t                len;
} client_t;


static server_t  server;


static int64_t
clock_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


static int
dial(void)
{
    int                 fd;
    struct sockaddr_un  un;

    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1) {
        return -1;
    }

    memset(&un, 0, sizeof(un));
    un.sun_family = AF_UNIX;
    strcpy(un.sun_path, server.socket);

    if (connect(fd, (struct sockaddr *) &un, sizeof(un)) == -1) {
        close(fd);
        return -1;
    }

    return fd;
}


static int
start(void **state)
{
    int       fd, null;
    FILE     *conf;
    pid_t     parent;
    int64_t   deadline;

    mkdir("build", 0777);
    strcpy(server.dir, "build/test_redis.XXXXXX");

    if (mkdtemp(server.dir) == NULL) {
        return -1;
    }

    sprintf(server.socket, "%s/redis.sock", server.dir);
    sprintf(server.conf, "%s/redis.conf", server.dir);

    conf = fopen(server.conf, "w");
    if (conf == NULL) {
        return -1;
    }

    fprintf(conf, "port 0\nunixsocket redis.sock\ndir %s\nsave \"\"\n"
            "requirepass \"pass word '\\\"%%\"\ndatabases 16\n"
            "proto-max-bulk-len 64mb\n", server.dir);
    fclose(conf);

    parent = getpid();
    server.pid = fork();

    if (server.pid == 0) {

        /* not even a crash of this program leaves it behind */

        prctl(PR_SET_PDEATHSIG, SIGKILL);

        if (getppid() != parent) {
            _exit(1);
        }

        null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);

        execlp("redis-server", "redis-server", server.conf, (char *) NULL);
        _exit(127);
    }

    for (deadline = clock_ms() + 10000; clock_ms() < deadline; ) {
        fd = dial();

        if (fd != -1) {
            close(fd);
            return 0;
        }

        if (waitpid(server.pid, NULL, WNOHANG) == server.pid) {
            break;
        }

        poll(NULL, 0, 5);
    }

    fprintf(stderr, "redis-server does not start in %s\n", server.dir);

    return -1;
}


static int
stop(void **state)
{
    kill(server.pid, SIGTERM);
    waitpid(server.pid, NULL, 0);
    unlink(server.socket);
    unlink(server.conf);

    return rmdir(server.dir);
}


static void
answered(void *data, const redisReply *reply)
{
    client_t  *client = data;

    client->answers++;
    client->type = 0;
    client->len = 0;

    if (reply == NULL) {
        return;
    }

    client->type = reply->type;
    client->integer = reply->integer;

    if (reply->str) {
        client->len = (size_t) reply->len;
        client->text = realloc(client->text, client->len + 1);
        memcpy(client->text, reply->str, client->len + 1);
    }
}


static void
build(client_t *client)
{
    memset(client, 0, sizeof(*client));

    strcpy(client->url.password, PASSWORD);
    client->conf.url = &client->url;
    client->conf.name = "test";
    client->redis = sluice_redis_create(&client->conf);
    client->fd = -1;
}


static void
demolish(client_t *client)
{
    if (client->fd != -1) {
        close(client->fd);
    }

    sluice_redis_lost(client->redis);
    sluice_redis_destroy(client->redis);
    free(client->text);
}


/*
 * Reads and writes until the greeting is through and all is answered, or the
 * connection is of no use any more.
 */

static sluice_redis_result_e
run(client_t *client)
{
    size_t                  len;
    ssize_t                 n;
    const void             *p;
    struct pollfd           pfd;
    sluice_redis_result_e   result;

    static char             buf[70000];

    if (client->fd == -1) {
        client->fd = dial();
        assert_int_not_equal(client->fd, -1);
        fcntl(client->fd, F_SETFL, O_NONBLOCK);
        assert_int_equal(sluice_redis_connected(client->redis, 0), 0);
    }

    while (sluice_redis_state(client->redis) != SLUICE_REDIS_READY
           || sluice_redis_pending(client->redis))
    {
        p = sluice_redis_output(client->redis, &len);

        pfd.fd = client->fd;
        pfd.events = (short) (POLLIN | (len ? POLLOUT : 0));
        assert_int_equal(poll(&pfd, 1, 20000), 1);

        if (pfd.revents & POLLOUT) {
            n = send(client->fd, p, len, MSG_NOSIGNAL);

            if (n > 0) {
                sluice_redis_sent(client->redis, (size_t) n);
            }
        }

        if (pfd.revents & ~POLLOUT) {
            n = recv(client->fd, buf, sizeof(buf), 0);

            if (n == 0 || (n == -1 && errno != EAGAIN)) {
                sluice_redis_lost(client->redis);
                close(client->fd);
                client->fd = -1;
                return SLUICE_REDIS_PROTOCOL;
            }

            if (n > 0) {
                result = sluice_redis_feed(client->redis, buf, (size_t) n);

                if (result != SLUICE_REDIS_OK) {
                    return result;
                }
            }
        }
    }

    return SLUICE_REDIS_OK;
}


static void
ask(client_t *client, const char *a, const char *b, const char *c,
    const char *d)
{
    assert_int_equal(sluice_redis_command(client->redis, 0, answered, client,
                                          a, b, c, d, NULL), SLUICE_REDIS_OK);
    assert_int_equal(run(client), SLUICE_REDIS_OK);
}


static void
test_database(void **state)
{
    client_t  a, b;

    build(&a);
    a.url.db = 3;
    ask(&a, "SET", "where", "three", NULL);
    assert_int_equal(a.type, REDIS_REPLY_STATUS);
    ask(&a, "CLIENT", "GETNAME", NULL, NULL);
    assert_string_equal(a.text, "test");

    build(&b);
    ask(&b, "EXISTS", "where", NULL, NULL);
    assert_int_equal(b.integer, 0);
    ask(&b, "SELECT", "3", NULL, NULL);
    ask(&b, "GET", "where", NULL, NULL);
    assert_string_equal(b.text, "three");

    demolish(&a);
    demolish(&b);
}


static void
test_refusals(void **state)
{
    client_t  c;

    build(&c);
    strcpy(c.url.password, "wrong-secret");
    sluice_redis_command(c.redis, 0, answered, &c, "SET", "x", "y", NULL);
    assert_int_equal(run(&c), SLUICE_REDIS_REFUSED);
    assert_non_null(strstr(sluice_redis_error(c.redis), "AUTH: WRONGPASS"));
    assert_null(strstr(sluice_redis_error(c.redis), "wrong-secret"));
    assert_int_equal(c.answers, 0);
    demolish(&c);

    build(&c);
    c.url.password[0] = '\0';
    assert_int_equal(run(&c), SLUICE_REDIS_REFUSED);
    assert_non_null(strstr(sluice_redis_error(c.redis), "INFO: NOAUTH"));
    demolish(&c);

    /* the write must not go to database 0 */

    build(&c);
    c.url.db = 16;
    sluice_redis_command(c.redis, 0, answered, &c, "SET", "stray", "1", NULL);
    assert_int_equal(run(&c), SLUICE_REDIS_REFUSED);
    assert_string_equal(sluice_redis_error(c.redis),
                        "SELECT: ERR DB index is out of range");
    close(c.fd);
    c.fd = -1;
    sluice_redis_lost(c.redis);
    assert_int_equal(c.answers, 1);
    assert_int_equal(c.type, 0);
    c.url.db = 0;
    ask(&c, "EXISTS", "stray", NULL, NULL);
    assert_int_equal(c.integer, 0);
    demolish(&c);
}


static void
test_user(void **state)
{
    client_t  admin, c;

    build(&admin);
    assert_int_equal(sluice_redis_command(admin.redis, 0, answered, &admin,
                                          "ACL", "SETUSER", "edge", "on",
                                          ">geheim", "~own:*", "+@all",
                                          "-@dangerous", "+info", NULL), 0);
    assert_int_equal(run(&admin), SLUICE_REDIS_OK);
    assert_int_equal(admin.type, REDIS_REPLY_STATUS);

    build(&c);
    strcpy(c.url.user, "edge");
    strcpy(c.url.password, "geheim");
    ask(&c, "ACL", "WHOAMI", NULL, NULL);
    assert_string_equal(c.text, "edge");
    ask(&c, "SET", "other", "1", NULL);
    assert_int_equal(c.type, REDIS_REPLY_ERROR);
    assert_memory_equal(c.text, "NOPERM", 6);
    demolish(&c);

    ask(&admin, "ACL", "SETUSER", "edge", "-info");

    build(&c);
    strcpy(c.url.user, "edge");
    strcpy(c.url.password, "geheim");
    ask(&c, "ACL", "WHOAMI", NULL, NULL);
    assert_string_equal(c.text, "edge");
    assert_int_equal(sluice_redis_info(c.redis)->version, 0);
    demolish(&c);

    demolish(&admin);
}


static void
test_scripts(void **state)
{
    int              i;
    char             key[16];
    client_t         c;
    unsigned char    digest[20];
    sluice_script_t  script = { .name = "count" };

    const sluice_script_t  *scripts[] = { &script };

    script.text = "return redis.call('INCRBY', KEYS[1], ARGV[1])";
    script.len = strlen(script.text);
    SHA1((const unsigned char *) script.text, script.len, digest);

    for (i = 0; i < 20; i++) {
        sprintf(script.sha + 2 * i, "%02x", digest[i]);
    }

    build(&c);
    c.conf.scripts = scripts;
    c.conf.nscripts = 1;
    assert_int_equal(run(&c), SLUICE_REDIS_OK);

    /* one flush at the start of 300 calls, one amid them */

    for (i = 0; i < 300; i++) {

        if (i == 0 || i == 150) {
            assert_int_equal(sluice_redis_command(c.redis, 0, NULL, NULL,
                                                  "SCRIPT", "FLUSH", NULL),
                             0);
        }

        assert_int_equal(sluice_redis_script(c.redis, &script, 1, 1, 0), 0);
        sprintf(key, "count:%d", i % 3);
        sluice_redis_arg(c.redis, key, strlen(key));
        sluice_redis_arg_int(c.redis, i);
        assert_int_equal(sluice_redis_end(c.redis, answered, &c), 0);
    }

    assert_int_equal(run(&c), SLUICE_REDIS_OK);
    assert_int_equal(c.answers, 300);
    assert_int_equal(c.type, REDIS_REPLY_INTEGER);

    /* each was run once: 0 + 3 + ... + 297 */

    ask(&c, "GET", "count:0", NULL, NULL);
    assert_string_equal(c.text, "14850");
    ask(&c, "GET", "count:2", NULL, NULL);
    assert_string_equal(c.text, "15050");

    demolish(&c);
}


static void
test_bytes(void **state)
{
    char      *big;
    size_t     i, len;
    client_t   c;

    build(&c);

    /* every byte, also those that end a line of RESP */

    len = 20 * 1024 * 1024;
    big = malloc(len);

    for (i = 0; i < len; i++) {
        big[i] = (char) (i * 7 + i / 256);
    }

    assert_int_equal(sluice_redis_begin(c.redis, 2, 0), 0);
    sluice_redis_arg(c.redis, "ECHO", 4);
    sluice_redis_arg_begin(c.redis, len);

    for (i = 0; i < len; i += 4096) {
        sluice_redis_piece(c.redis, big + i, 4096);
    }

    assert_int_equal(sluice_redis_end(c.redis, answered, &c), 0);
    assert_int_equal(run(&c), SLUICE_REDIS_OK);
    assert_int_equal(c.type, REDIS_REPLY_STRING);
    assert_int_equal(c.len, len);
    assert_memory_equal(c.text, big, len);
    free(big);

    /* more than the server takes: it says so while we write, and hangs up */

    assert_int_equal(sluice_redis_begin(c.redis, 2, 0), 0);
    sluice_redis_arg(c.redis, "ECHO", 4);
    sluice_redis_arg_begin(c.redis, 65 * 1024 * 1024);

    big = calloc(1, 65 * 1024 * 1024);
    sluice_redis_piece(c.redis, big, 65 * 1024 * 1024);
    free(big);

    assert_int_equal(sluice_redis_end(c.redis, answered, &c), 0);
    assert_int_equal(run(&c), SLUICE_REDIS_PROTOCOL);
    assert_int_equal(c.answers, c.fd == -1 ? 2 : 1);

    demolish(&c);
    assert_int_equal(c.answers, 2);
}


static void
test_hangup(void **state)
{
    client_t  c;

    build(&c);
    assert_int_equal(run(&c), SLUICE_REDIS_OK);

    sluice_redis_command(c.redis, 0, answered, &c, "SET", "before", "1", NULL);
    sluice_redis_command(c.redis, 0, NULL, NULL, "QUIT", NULL);
    sluice_redis_command(c.redis, 0, answered, &c, "SET", "after", "1", NULL);

    assert_int_equal(run(&c), SLUICE_REDIS_PROTOCOL);
    assert_int_equal(c.fd, -1);
    assert_int_equal(c.answers, 2);
    assert_int_equal(c.type, 0);
    assert_int_equal(sluice_redis_state(c.redis), SLUICE_REDIS_CLOSED);

    /* the same client on its next connection */

    ask(&c, "EXISTS", "before", NULL, NULL);
    assert_int_equal(c.integer, 1);
    ask(&c, "EXISTS", "after", NULL, NULL);
    assert_int_equal(c.integer, 0);

    demolish(&c);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_database),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_user),
        cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_hangup),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("redis server", tests, start, stop);
}
