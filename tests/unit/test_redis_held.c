/*
 * Answers that wait for replicas.
 */

#include "tests/unit/redis_house.h"


#define SET(key, len)  "*3\r\n$3\r\nSET\r\n$" #len "\r\n" key "\r\n$0\r\n\r\n"
#define WAIT           "*3\r\n$4\r\nWAIT\r\n$1\r\n2\r\n$3\r\n300\r\n"
#define ASKED          SET("sluice:wait", 11) WAIT


static long long  told[8];    /* -1: an error */
static size_t     ntold;


static void
waited(void *data, const redisReply *reply)
{
    told[ntold++ % 8] = reply->type == REDIS_REPLY_INTEGER ? reply->integer
                                                           : -1;
}


static void
mark(void *data, char key[SLUICE_REDIS_MARK], int another)
{
    static unsigned  nth;

    nth += (another != 0);
    snprintf(key, SLUICE_REDIS_MARK, "m%u", nth);
}


static void
hold(house_t *house, const char *key)
{
    assert_int_equal(sluice_redis_script(house->redis, &script, 1, 0,
                                         house->now), SLUICE_REDIS_OK);
    sluice_redis_arg(house->redis, key, strlen(key));
    sluice_redis_hold(house->redis);
    assert_int_equal(sluice_redis_end(house->redis, answered,
                                      call(house, key, 0)),
                     SLUICE_REDIS_OK);
}


static void
build_waiting(house_t *house)
{
    build(house);
    house->conf.replicas = 2;
    house->conf.wait = 300;
    house->conf.waited = waited;
    ntold = 0;
    ready(house);
}


static void
test_held(void **state)
{
    house_t  house;

    build_waiting(&house);

    /* what is not held is answered at once, and asks for no WAIT */

    get(&house, "a", 0);
    assert_string_equal(taken(&house, 7), GET("a"));
    assert_int_equal(feed(&house, "+A\r\n"), 0);

    hold(&house, "s");
    get(&house, "b", 0);
    assert_string_equal(taken(&house, 7), EVAL("s") GET("b") ASKED);
    assert_int_equal(feed(&house, "+S\r\n+B\r\n"), 0);
    assert_string_equal(house.log, "a:A b:B ");
    assert_int_equal(sluice_redis_pending(house.redis), 1);

    /* one WAIT at a time: what comes meanwhile shares the next */

    hold(&house, "t");
    hold(&house, "u");
    get(&house, "c", 0);
    assert_string_equal(taken(&house, 4096), EVAL("t") EVAL("u") GET("c"));
    assert_int_equal(feed(&house, "+OK\r\n:2\r\n"), 0);
    assert_string_equal(house.log, "a:A b:B s:S ");
    assert_string_equal(taken(&house, 4096), ASKED);
    assert_int_equal(feed(&house, "+T\r\n*1\r\n+U\r\n+C\r\n+OK\r\n"), 0);
    assert_string_equal(house.log, "a:A b:B s:S c:C ");
    assert_int_equal(feed(&house, ":3\r\n"), 0);
    assert_string_equal(house.log, "a:A b:B s:S c:C t:T u:[U] ");

    assert_string_equal(taken(&house, 4096), "");
    assert_int_equal(sluice_redis_pending(house.redis), 0);
    assert_int_equal(ntold, 2);
    assert_int_equal(told[1], 3);

    /* an error is an answer: nothing was run */

    hold(&house, "v");
    (void) taken(&house, 4096);
    assert_int_equal(feed(&house, "-MOVED 1 x:1\r\n"), 0);
    assert_string_equal(house.log,
                        "a:A b:B s:S c:C t:T u:[U] v:-MOVED 1 x:1 ");

    demolish(&house);
}


static void
test_too_few(void **state)
{
    house_t  house;

    build_waiting(&house);

    /* they are asked again, for as long as it takes */

    house.now = 10;
    hold(&house, "s");
    (void) taken(&house, 4096);
    assert_int_equal(feed(&house, "+S\r\n+OK\r\n:1\r\n"), 0);
    assert_string_equal(taken(&house, 4096), ASKED);
    assert_int_equal(feed(&house, "+OK\r\n:0\r\n"), 0);
    assert_int_equal(sluice_redis_oldest(house.redis), -1);
    assert_string_equal(taken(&house, 4096), ASKED);
    assert_string_equal(house.log, "");

    /* each is as old as it is, not as what it is for */

    assert_int_equal(sluice_redis_oldest(house.redis), 610);
    assert_int_equal(feed(&house, "+OK\r\n:2\r\n"), 0);
    assert_string_equal(house.log, "s:S ");
    assert_int_equal(ntold, 3);
    assert_int_equal(sluice_redis_oldest(house.redis), -1);

    demolish(&house);

    /* or it is not known */

    build_waiting(&house);
    house.conf.unsure = 1;
    hold(&house, "s");
    (void) taken(&house, 4096);
    assert_int_equal(feed(&house, "+S\r\n+OK\r\n:1\r\n"), 0);
    assert_string_equal(house.log, "s:lost ");
    assert_string_equal(taken(&house, 4096), "");
    demolish(&house);
}


static void
test_shown(void **state)
{
    size_t   i;
    house_t  house;

    static const struct { const char *reply; long long told; }  cases[] = {
        { "+OK\r\n:2\r\n", 2 },
        { "+OK\r\n:1\r\n", 1 },
        { "-OOM too big\r\n:2\r\n", -1 },
        { "+OK\r\n-NOPERM no\r\n", -1 },
        { "+OK\r\n+2\r\n", -1 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        build_waiting(&house);
        house.conf.unsure = 1;
        house.conf.shown = 1;

        hold(&house, "s");
        (void) taken(&house, 4096);
        assert_int_equal(feed(&house, "+S\r\n"), 0);
        assert_string_equal(house.log, "");
        assert_int_equal(feed(&house, cases[i].reply), 0);
        assert_string_equal(house.log, "s:S ");
        assert_int_equal(ntold, 1);
        assert_int_equal(told[0], cases[i].told);
        assert_string_equal(taken(&house, 4096), "");

        /* the connection is good, and the next one asks again */

        hold(&house, "t");
        assert_string_equal(taken(&house, 4096), EVAL("t") ASKED);
        assert_int_equal(feed(&house, "+T\r\n+OK\r\n"), 0);
        hold(&house, "u");
        (void) taken(&house, 4096);

        /* what Redis has answered is shown when it is lost, too */

        sluice_redis_lost(house.redis);
        assert_string_equal(house.log, "s:S t:T u:lost ");
        assert_int_equal(ntold, 1);

        demolish(&house);
    }
}


static void
test_lost(void **state)
{
    house_t  house;

    build_waiting(&house);

    hold(&house, "s");
    get(&house, "a", 2);
    (void) taken(&house, 4096);
    assert_int_equal(feed(&house, "+S\r\n"), 0);
    sluice_redis_lost(house.redis);
    assert_string_equal(house.log, "s:lost a:lost ");

    /* the next connection asks for what is its own */

    hold(&house, "t");
    ready(&house);
    assert_string_equal(taken(&house, 4096), GET("a") EVAL("t") ASKED);
    assert_int_equal(feed(&house, "+A\r\n+T\r\n+OK\r\n:2\r\n"), 0);
    assert_string_equal(house.log, "s:lost a:lost a:A t:T ");

    /* without an answer to what was held */

    hold(&house, "u");
    (void) taken(&house, 4096);
    assert_int_equal(feed(&house, "+A\r\n+U\r\n"), 0);
    demolish(&house);
    assert_string_equal(house.log,
                        "s:lost a:lost a:A t:T a:A u:lost ");
}


static void
test_noscript(void **state)
{
    house_t  house;

    build_waiting(&house);

    /* run behind the WAIT that was for it: it needs another */

    hold(&house, "s");
    assert_string_equal(taken(&house, 4096), EVAL("s") ASKED);
    assert_int_equal(feed(&house, NOSCRIPT), 0);
    assert_string_equal(taken(&house, 4096), LOAD EVAL("s"));
    assert_int_equal(feed(&house, "+OK\r\n:2\r\n"), 0);
    assert_string_equal(taken(&house, 4096), ASKED);
    assert_int_equal(feed(&house, LOADED "+S\r\n"), 0);
    assert_string_equal(house.log, "");
    assert_int_equal(feed(&house, "+OK\r\n:2\r\n"), 0);
    assert_string_equal(house.log, "s:S ");

    demolish(&house);
}


static void
test_refused(void **state)
{
    size_t   i;
    house_t  house;

    static const struct { const char *reply, *error; }  cases[] = {
        { "-NOPERM no\r\n:2\r\n", "cannot wait for replicas: NOPERM no" },
        { "-OOM too big\r\n:2\r\n", "cannot wait for replicas: OOM too big" },
        { "+OK\r\n-ERR no WAIT here\r\n",
          "cannot wait for replicas: ERR no WAIT here" },
        { "+OK\r\n+2\r\n", "cannot wait for replicas: " }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        build_waiting(&house);
        hold(&house, "s");
        (void) taken(&house, 4096);
        assert_int_equal(feed(&house, "+S\r\n"), 0);
        assert_int_equal(feed(&house, cases[i].reply), SLUICE_REDIS_REFUSED);
        assert_string_equal(sluice_redis_error(house.redis), cases[i].error);
        assert_string_equal(house.log, "");
        demolish(&house);
        assert_string_equal(house.log, "s:lost ");
    }
}


static void
test_marks(void **state)
{
    char     text[256];
    size_t   i;
    house_t  house;

    build_waiting(&house);
    house.conf.mark = mark;

    /* another slot is tried, and then used */

    hold(&house, "s");
    assert_string_equal(taken(&house, 4096), EVAL("s") SET("m0", 2) WAIT);
    assert_int_equal(feed(&house, "+S\r\n-MOVED 1 x:1\r\n:2\r\n"), 0);
    assert_string_equal(house.log, "");
    assert_string_equal(taken(&house, 4096), SET("m1", 2) WAIT);
    assert_int_equal(feed(&house, "-ASK 1 x:1\r\n:2\r\n"), 0);
    assert_string_equal(taken(&house, 4096), SET("m2", 2) WAIT);
    assert_int_equal(feed(&house, "+OK\r\n:2\r\n"), 0);
    assert_string_equal(house.log, "s:S ");
    assert_int_equal(ntold, 1);

    hold(&house, "t");
    assert_string_equal(taken(&house, 4096), EVAL("t") SET("m2", 2) WAIT);
    assert_int_equal(feed(&house, "+T\r\n"), 0);

    /* but not for ever */

    for (i = 0; i < 8; i++) {
        assert_int_equal(feed(&house, "-MOVED 1 x:1\r\n:2\r\n"), 0);
        snprintf(text, sizeof(text), i + 3 < 10 ? SET("m%zu", 2) WAIT
                                                : SET("m%zu", 3) WAIT, i + 3);
        assert_string_equal(taken(&house, 4096), text);
    }

    assert_int_equal(feed(&house, "-MOVED 1 x:1\r\n"), SLUICE_REDIS_REFUSED);

    demolish(&house);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_too_few),
        cmocka_unit_test(test_shown),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_noscript),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_marks)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("redis held", tests, NULL, NULL);
}
