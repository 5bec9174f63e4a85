/*
 * The calls of queue_admin.h with a real redis-server, private to this program:
 * what they ask for, and what their readers make of the answers.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>
#include "worker/link.h"
#include "worker/queue_admin.h"


static char            dir[64], sock[96];
static pid_t           pid;
static redisContext   *wire;         /* its socket carries the client too */
static sluice_redis_t *redis;
static queue_t         queue;
static char            got[4096];    /* what the last call came to */


/* the client's bytes, until all is answered */

static void
pump(void)
{
    char         buf[16384];
    size_t       len;
    ssize_t      n;
    const void  *p;

    for ( ;; ) {
        p = sluice_redis_output(redis, &len);

        if (len > 0) {
            n = write(wire->fd, p, len);
            assert_true(n > 0);
            sluice_redis_sent(redis, (size_t) n);
            continue;
        }

        if (sluice_redis_pending(redis) == 0
            && sluice_redis_state(redis) == SLUICE_REDIS_READY)
        {
            return;
        }

        n = read(wire->fd, buf, sizeof(buf));
        assert_true(n > 0);
        assert_int_equal(sluice_redis_feed(redis, buf, (size_t) n),
                         SLUICE_REDIS_OK);
    }
}


static int
start(void **state)
{
    int                    i;
    queue_settings_t       settings;

    static sluice_url_t         url;
    static sluice_redis_conf_t  conf;

    mkdir("build", 0777);
    strcpy(dir, "build/test_admin.XXXXXX");

    if (mkdtemp(dir) == NULL) {
        return -1;
    }

    sprintf(sock, "%s/s", dir);
    pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket",
               sock, "--save", "", "--logfile", "/dev/null", (char *) NULL);
        _exit(127);
    }

    for (i = 0; i < 2000; i++) {
        wire = redisConnectUnix(sock);

        if (wire != NULL && wire->err == 0) {
            break;
        }

        redisFree(wire);
        wire = NULL;
        poll(NULL, 0, 5);
    }

    conf.url = &url;
    conf.scripts = queue_admin_scripts;
    conf.nscripts = queue_admin_nscripts;
    redis = sluice_redis_create(&conf);

    memset(&settings, 0, sizeof(settings));
    settings.prefix = (char *) "bull";
    settings.name = (char *) "q";
    settings.bullmq = 6;

    if (wire == NULL || redis == NULL || queue_init(&queue, &settings) != 0
        || sluice_redis_connected(redis, clock_ms()) != SLUICE_REDIS_OK)
    {
        return -1;
    }

    pump();

    return 0;
}


static int
stop(void **state)
{
    sluice_redis_destroy(redis);
    redisFree(wire);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    unlink(sock);

    return rmdir(dir);
}


static void
run(const char *format, ...)
{
    va_list      args;
    redisReply  *reply;

    va_start(args, format);
    reply = redisvCommand(wire, format, args);
    va_end(args);

    assert_non_null(reply);
    assert_int_not_equal(reply->type, REDIS_REPLY_ERROR);
    freeReplyObject(reply);
}


/* an empty queue, then job `id` in `key` by `command` with `more` */

static void
put(const char *command, const char *key, const char *more, const char *id)
{
    run("HSET bull:q:%s name n-%s data {} opts {} timestamp 1000", id, id);

    if (more != NULL) {
        run("%s bull:q:%s %s %s", command, key, more, id);

    } else {
        run("%s bull:q:%s %s", command, key, id);
    }
}


static void
some(void)
{
    run("FLUSHALL");
    put("LPUSH", "wait", NULL, "a");
    put("LPUSH", "wait", NULL, "b");
    put("LPUSH", "wait", NULL, "c");
    put("LPUSH", "active", NULL, "d");
    put("ZADD", "delayed", "4096000", "e");
    put("ZADD", "prioritized", "5", "f");
    put("ZADD", "failed", "7", "g");
    put("ZADD", "failed", "8", "h");
    put("ZADD", "waiting-children", "8", "p");
    run("HSET bull:q:h failedReason boom finishedOn 8 atm 3");
    run("DEL bull:q:g");
}


/* ------------------------------------------------------- answers, as text */

static void
on_left(void *data, const redisReply *reply)
{
    int64_t  left = -1;

    assert_int_equal(queue_read_left(&queue, reply, &left), QUEUE_READ_OK);
    sprintf(got, "%d left", (int) left);
}


static void
on_codes(void *data, const redisReply *reply)
{
    int     codes[8];
    size_t  i, done;

    got[0] = '\0';

    if (queue_read_codes(&queue, reply, codes, 8, &done) != QUEUE_READ_OK) {
        strcpy(got, "wrong");
        return;
    }

    for (i = 0; i < done; i++) {
        sprintf(got + strlen(got), "%d ", codes[i]);
    }
}


static void
on_walk(void *data, const redisReply *reply)
{
    queue_walk_t  *walk = data;

    assert_int_equal(queue_read_walk(&queue, reply, walk), QUEUE_READ_OK);
    sprintf(got, "%d done, %d passed%s", (int) walk->done, (int) walk->passed,
            walk->end ? ", end" : "");
}


static void
on_updated(void *data, const redisReply *reply)
{
    int64_t  result;

    sprintf(got, "%s",
            queue_read_updated(&queue, reply, &result) == QUEUE_READ_OK
            ? "" : "wrong");

    if (got[0] == '\0') {
        sprintf(got, "%d", (int) result);
    }
}


static void
on_obliterated(void *data, const redisReply *reply)
{
    assert_int_equal(queue_read_obliterated(&queue, reply, data),
                     QUEUE_READ_OK);
}


static void
on_counts(void *data, queue_read_e result, const queue_counts_t *counts)
{
    size_t  i;

    sprintf(got, "%d:", (int) result);

    for (i = 0; i < STATE_MAX; i++) {
        sprintf(got + strlen(got), " %d", (int) counts->jobs[i]);
    }

    strcat(got, counts->paused ? " paused" : "");
}


static void
on_state(void *data, queue_read_e result, job_state_e state)
{
    sprintf(got, "%d: %s", (int) result, queue_states[state]);
}


static void
on_page(void *data, queue_read_e result, const queue_row_t *rows, size_t n)
{
    size_t  i;

    sprintf(got, "%d:%s", (int) result, n > 0 && rows == NULL ? " large" : "");

    for (i = 0; rows && i < n; i++) {
        sprintf(got + strlen(got), " %s=%s/%s/%d/%d%s", rows[i].id,
                rows[i].name, rows[i].reason, (int) rows[i].timestamp,
                (int) rows[i].attempts, rows[i].gone ? "/gone" : "");
    }
}


#define ADMIN(what, set, value, ...)                                          \
    do {                                                                      \
        const char  *ids_[] = { __VA_ARGS__ };                                \
        assert_int_equal(queue_admin(redis, &queue, what, set, value, ids_,   \
                                     sizeof(ids_) / sizeof(ids_[0]),          \
                                     on_codes, NULL), SLUICE_REDIS_OK);       \
        pump();                                                               \
    } while (0)

#define CALL(call)                                                            \
    do {                                                                      \
        assert_int_equal(call, SLUICE_REDIS_OK);                              \
        pump();                                                               \
    } while (0)


static void
feed(int n)
{
    run("EVAL %s 0 %d",
        "for i = 1, ARGV[1] do"
        "  local id = 'fed-' .. redis.call('INCR', 'fed')"
        "  redis.call('HSET', 'bull:q:' .. id, 'name', 'n', 'data', '{}')"
        "  redis.call('LPUSH', 'bull:q:wait', id)"
        "end", n);
}


static void
test_calls(void **state)
{
    int                 i;
    queue_walk_t        walk;
    queue_obliterate_t  gone;

    some();

    CALL(queue_pause(redis, &queue, true, on_left, NULL));
    assert_string_equal(got, "0 left");
    CALL(queue_counts(redis, &queue, on_counts, NULL));
    assert_string_equal(got, "0: 3 1 1 1 1 0 2 paused");
    CALL(queue_pause(redis, &queue, false, on_left, NULL));

    ADMIN(ADMIN_PROMOTE, "", 0, "e", "a");
    assert_string_equal(got, "1 -3 ");
    ADMIN(ADMIN_RETRY, "failed", 1, "g", "h", "x");
    assert_string_equal(got, "-1 1 -1 ");
    ADMIN(ADMIN_PRIORITY, "", 4, "a", "x");
    assert_string_equal(got, "1 -1 ");
    ADMIN(ADMIN_DELAY, "", 4, "a");
    assert_string_equal(got, "-3 ");
    ADMIN(ADMIN_REMOVE, "", 1, "a", "x");
    assert_string_equal(got, "1 -1 ");
    ADMIN(ADMIN_REMOVE, "failed", 0, "b");
    assert_string_equal(got, "-3 ");
    ADMIN(ADMIN_RETRY, "wait", 1, "g");
    assert_string_equal(got, "wrong");

    CALL(queue_update(redis, &queue, "b", "log", "line", 4, 5, on_updated,
                      NULL));
    assert_string_equal(got, "1");
    CALL(queue_update(redis, &queue, "x", "data", "{}", 2, 0, on_updated,
                      NULL));
    assert_string_equal(got, "-1");
    CALL(queue_update(redis, &queue, "b", "data", "{", 1, 0, on_updated,
                      NULL));
    assert_string_equal(got, "wrong");

    some();
    memset(&walk, 0, sizeof(walk));
    CALL(queue_move(redis, &queue, "failed", true, 7, &walk, on_walk, &walk));
    assert_string_equal(got, "0 done, 0 passed, end");
    CALL(queue_move(redis, &queue, "failed", true, 0, &walk, on_walk, &walk));
    assert_string_equal(got, "1 done, 0 passed, end");
    memset(&walk, 0, sizeof(walk));
    CALL(queue_clean(redis, &queue, "wait", 1, true, &walk, on_walk, &walk));
    assert_string_equal(got, "4 done, 0 passed, end");
    memset(&walk, 0, sizeof(walk));
    run("HSET bull:q:f timestamp 9000000000000");
    CALL(queue_clean(redis, &queue, "prioritized", 1, true, &walk, on_walk,
                     &walk));
    assert_string_equal(got, "0 done, 1 passed, end");

    memset(&walk, 0, sizeof(walk));
    feed(2 * QUEUE_ADMIN_BATCH);

    for (i = 0; i < 10 && !walk.end; i++) {
        CALL(queue_clean(redis, &queue, "wait", 0, false, &walk, on_walk,
                         &walk));
        feed(QUEUE_ADMIN_BATCH);
    }

    assert_int_equal(i, 2);
    assert_int_equal(walk.done, 2 * QUEUE_ADMIN_BATCH);

    memset(&gone, 0, sizeof(gone));
    CALL(queue_obliterate(redis, &queue, false, &gone, on_obliterated, &gone));
    assert_int_equal(gone.refused, -1);
    assert_true(gone.end);
    CALL(queue_pause(redis, &queue, true, on_left, NULL));
    memset(&gone, 0, sizeof(gone));
    CALL(queue_obliterate(redis, &queue, false, &gone, on_obliterated, &gone));
    assert_int_equal(gone.refused, -2);
    memset(&gone, 0, sizeof(gone));

    do {
        CALL(queue_obliterate(redis, &queue, true, &gone, on_obliterated,
                              &gone));
    } while (!gone.end);

    assert_int_equal(gone.refused, 0);
    CALL(queue_counts(redis, &queue, on_counts, NULL));
    assert_string_equal(got, "0: 0 0 0 0 0 0 0");
}


static void
test_getters(void **state)
{
    size_t  i;

    static const struct {
        job_state_e  state;
        bool         paused, newest;
        int          offset, n;
        const char  *page;
    } pages[] = {
        { STATE_WAITING, false, true, 0, 2,
          "0: c=n-c//1000/0 b=n-b//1000/0" },
        { STATE_WAITING, false, false, 0, 2,
          "0: a=n-a//1000/0 b=n-b//1000/0" },
        { STATE_WAITING, false, false, 1, 9,
          "0: b=n-b//1000/0 c=n-c//1000/0" },
        { STATE_WAITING, false, true, 3, 2, "0:" },
        { STATE_WAITING, true, true, 0, 2, "0: z=n-z//1000/0" },
        { STATE_FAILED, false, true, 0, 9,
          "0: h=n-h/boom/1000/3 g=//0/0/gone" },
        { STATE_FAILED, false, false, 0, 1, "0: g=//0/0/gone" },
        { STATE_DELAYED, false, false, 0, 200, "0: e=n-e//1000/0" },
        { STATE_CHILDREN, false, false, 0, 200, "0: p=n-p//1000/0" },
        { STATE_COMPLETED, false, false, 0, 200, "2:" },
    };

    static const char *const  states[][2] = {
        { "a", "0: waiting" }, { "d", "0: active" }, { "e", "0: delayed" },
        { "f", "0: prioritized" }, { "h", "0: failed" },
        { "p", "0: waiting-children" }, { "g", "0: unknown" },
        { "x", "0: unknown" }, { "meta", "0: unknown" },
        { "wait", "0: unknown" }
    };

    some();
    put("LPUSH", "paused", NULL, "z");
    run("SET bull:q:completed wrong");
    run("HSET bull:q:meta version x");

    CALL(queue_counts(redis, &queue, on_counts, NULL));
    assert_string_equal(got, "0: 4 1 1 1 1 -1 2");

    for (i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        CALL(queue_page(redis, &queue, pages[i].state, pages[i].paused,
                        pages[i].newest, pages[i].offset, (size_t) pages[i].n,
                        1000, on_page, NULL));

        assert_string_equal(got, pages[i].page);
    }

    /* one job is shown whatever it has, of several none */

    CALL(queue_page(redis, &queue, STATE_FAILED, false, true, 0, 1, 1, on_page,
                    NULL));
    assert_string_equal(got, "0: h=n-h/boom/1000/3");

    CALL(queue_page(redis, &queue, STATE_FAILED, false, true, 0, 9, 1, on_page,
                    NULL));
    assert_string_equal(got, "0: large");

    for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        CALL(queue_state(redis, &queue, states[i][0], on_state, NULL));
        assert_string_equal(got, states[i][1]);
    }
}


/* a connection that is lost answers each call once, and what is full never */

static void
test_lost(void **state)
{
    sluice_redis_t       *other;
    sluice_redis_conf_t   conf;

    static sluice_url_t  url;

    memset(&conf, 0, sizeof(conf));
    conf.url = &url;
    conf.max_count = 4;
    other = sluice_redis_create(&conf);
    assert_non_null(other);

    strcpy(got, "not called");
    assert_int_equal(queue_counts(other, &queue, on_counts, NULL),
                     SLUICE_REDIS_FULL);
    sluice_redis_lost(other);
    assert_string_equal(got, "not called");

    assert_int_equal(queue_page(other, &queue, STATE_FAILED, false, true, 0,
                                5, 1000, on_page, NULL), SLUICE_REDIS_OK);
    sluice_redis_lost(other);
    assert_string_equal(got, "1:");

    sluice_redis_destroy(other);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_getters),
        cmocka_unit_test(test_lost),
    };

    return cmocka_run_group_tests_name("queue_admin", tests, start, stop);
}
