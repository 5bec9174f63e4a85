/*
 * The Redis client with a server that is a table of bytes.
 */

#include "tests/unit/redis_house.h"


static void
test_greeting(void **state)
{
    house_t  house;

    build(&house);

    strcpy(house.url.user, "edge");
    strcpy(house.url.password, "hunter2");
    house.url.db = 3;
    house.conf.name = "sluice";
    house.conf.scripts = scripts;
    house.conf.nscripts = 1;

    /* asked before there is a connection: it waits for the last answer */

    get(&house, "a", 0);
    assert_string_equal(taken(&house, 4096), "");
    assert_int_equal(sluice_redis_state(house.redis), SLUICE_REDIS_CLOSED);

    assert_int_equal(sluice_redis_connected(house.redis, 5), 0);
    assert_int_equal(sluice_redis_state(house.redis), SLUICE_REDIS_GREETING);
    assert_string_equal(taken(&house, 7),
        "*3\r\n$4\r\nAUTH\r\n$4\r\nedge\r\n$7\r\nhunter2\r\n"
        "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n"
        "*1\r\n$4\r\nINFO\r\n"
        "*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$6\r\nsluice\r\n" LOAD);

    assert_int_equal(feed(&house, "+OK\r\n+OK\r\n" INFO_REPLY), 0);
    assert_int_equal(sluice_redis_info(house.redis)->version, 70015);
    assert_int_equal(feed(&house, "-ERR no names here\r\n"), 0);
    get(&house, "b", 0);
    assert_string_equal(taken(&house, 4096), "");
    assert_int_equal(sluice_redis_state(house.redis), SLUICE_REDIS_GREETING);

    assert_int_equal(feed(&house, LOADED), 0);
    assert_int_equal(sluice_redis_state(house.redis), SLUICE_REDIS_READY);
    assert_string_equal(taken(&house, 4096), GET("a") GET("b"));

    assert_int_equal(feed(&house, "+A\r\n$1\r\nB\r\n"), 0);
    assert_string_equal(house.log, "a:A b:B ");

    demolish(&house);

    /* the default user; nothing but the version to ask for */

    build(&house);
    strcpy(house.url.password, "p");
    sluice_redis_connected(house.redis, 5);
    assert_string_equal(taken(&house, 1),
        "*2\r\n$4\r\nAUTH\r\n$1\r\np\r\n"
        "*1\r\n$4\r\nINFO\r\n");
    demolish(&house);

    build(&house);
    sluice_redis_connected(house.redis, 5);
    assert_string_equal(taken(&house, 1),
                        "*1\r\n$4\r\nINFO\r\n");
    demolish(&house);
}


static void
test_cuts(void **state)
{
    size_t   i, j, n;
    house_t  house;

    static const char   text[] = "+OK\r\n:-42\r\n$-1\r\n$6\r\na\r\nb\0c\r\n"
        "*3\r\n:1\r\n$0\r\n\r\n*2\r\n+x\r\n$-1\r\n-ERR no\r\n*0\r\n*-1\r\n";
    static const char  *log = "a:OK b:-42 c:nil d:a\r\nb e:[1,,[x,nil]] "
                              "f:-ERR no g:[ h:nil ";

    n = sizeof(text) - 1;

    for (i = 0; i <= n + 1; i++) {
        build(&house);
        ready(&house);

        for (j = 0; j < 8; j++) {
            get(&house, &"a\0b\0c\0d\0e\0f\0g\0h"[2 * j], 0);
        }

        (void) taken(&house, 5);

        if (i <= n) {
            assert_int_equal(sluice_redis_feed(house.redis, text, i), 0);
            assert_int_equal(sluice_redis_feed(house.redis, text + i, n - i),
                             0);

        } else {
            for (j = 0; j < n; j++) {
                assert_int_equal(sluice_redis_feed(house.redis, text + j, 1),
                                 0);
            }
        }

        assert_string_equal(house.log, log);
        assert_int_equal(sluice_redis_pending(house.redis), 0);
        assert_int_equal(sluice_redis_pending_bytes(house.redis), 0);

        demolish(&house);
    }
}


static void
test_big(void **state)
{
    char      *text;
    size_t     i, n, step;
    house_t    house;

    /* a reply of 5 MB that comes in reads of all sizes, and one behind it */

    n = 5000000;
    text = malloc(n + 64);
    assert_non_null(text);

    i = (size_t) sprintf(text, "*2\r\n$%zu\r\n", n);
    memset(text + i, 'x', n);
    memcpy(text + i + n, "\r\n:7\r\n+B\r\n", 10);
    n += i + 10;

    build(&house);
    ready(&house);
    get(&house, "a", 0);
    get(&house, "b", 0);
    (void) taken(&house, 4096);

    for (i = 0, step = 1; i < n; i += step, step = step * 2 + 1) {
        step = step < n - i ? step : n - i;
        assert_int_equal(sluice_redis_feed(house.redis, text + i, step), 0);
    }

    assert_string_equal(house.log,
                    "a:[xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx,7] b:B ");
    free(text);

    demolish(&house);
}


static void
test_noscript(void **state)
{
    house_t  house;

    build(&house);
    ready(&house);

    house.now = 10;
    get(&house, "a", 0);
    house.now = 11;
    eval(&house, "s");
    house.now = 12;
    get(&house, "b", 0);
    eval(&house, "t");
    assert_string_equal(taken(&house, 4096),
                        GET("a") EVAL("s") GET("b") EVAL("t"));

    /* two that are not written yet: the calls come back behind them */

    house.now = 13;
    get(&house, "c", 0);
    eval(&house, "u");
    assert_int_equal(sluice_redis_oldest(house.redis), 10);

    assert_int_equal(feed(&house, "+A\r\n" NOSCRIPT), 0);
    assert_string_equal(house.log, "a:A ");
    assert_int_equal(sluice_redis_pending(house.redis), 5);
    assert_int_equal(sluice_redis_oldest(house.redis), 11);

    house.now = 14;
    get(&house, "d", 0);
    assert_int_equal(feed(&house, "+B\r\n" NOSCRIPT), 0);
    assert_string_equal(house.log, "a:A b:B ");

    /* one load for both; u stands before it and gets its own answer */

    assert_string_equal(taken(&house, 4096), GET("c") EVAL("u") LOAD EVAL("s")
                                             GET("d") EVAL("t"));
    assert_int_equal(sluice_redis_pending(house.redis), 5);

    assert_int_equal(feed(&house, "+C\r\n" NOSCRIPT LOADED ":1\r\n"), 0);
    assert_string_equal(taken(&house, 4096), EVAL("u"));
    assert_string_equal(house.log, "a:A b:B c:C s:1 ");
    assert_int_equal(sluice_redis_oldest(house.redis), 12);

    assert_int_equal(feed(&house, "+D\r\n:2\r\n:3\r\n"), 0);
    assert_string_equal(house.log, "a:A b:B c:C s:1 d:D t:2 u:3 ");
    assert_int_equal(sluice_redis_pending(house.redis), 0);
    assert_int_equal(sluice_redis_pending_bytes(house.redis), 0);
    assert_int_equal(sluice_redis_oldest(house.redis), -1);

    /* another flush, later: loaded again */

    eval(&house, "v");
    (void) taken(&house, 4096);
    assert_int_equal(feed(&house, NOSCRIPT), 0);
    assert_string_equal(taken(&house, 4096), LOAD EVAL("v"));

    /* lost with a load on its way: told of the call and not of the load */

    house.log[0] = '\0';
    sluice_redis_lost(house.redis);
    assert_string_equal(house.log, "v:lost ");

    demolish(&house);
}


static void
test_noscript_for_ever(void **state)
{
    house_t  house;

    build(&house);
    ready(&house);

    eval(&house, "s");
    assert_string_equal(taken(&house, 4096), EVAL("s"));
    assert_int_equal(feed(&house, NOSCRIPT), 0);
    assert_string_equal(taken(&house, 4096), LOAD EVAL("s"));
    assert_int_equal(feed(&house, "-OOM no\r\n" NOSCRIPT), 0);
    assert_string_equal(taken(&house, 4096), LOAD EVAL("s"));
    assert_string_equal(house.log, "");
    assert_int_equal(feed(&house, "-OOM no\r\n" NOSCRIPT), 0);
    assert_string_equal(taken(&house, 4096), "");
    assert_string_equal(house.log,
                        "s:-NOSCRIPT No matching script. Please use  ");
    assert_int_equal(sluice_redis_pending(house.redis), 0);

    /* the word of a command that is no script call is its own */

    house.log[0] = '\0';
    get(&house, "a", 0);
    (void) taken(&house, 4096);
    assert_int_equal(feed(&house, "-NOSCRIPT x\r\n"), 0);
    assert_string_equal(house.log, "a:-NOSCRIPT x ");

    demolish(&house);
}


static void
test_lost(void **state)
{
    house_t  house;

    build(&house);
    ready(&house);

    get(&house, "a", 0);
    get(&house, "b", 1);
    (void) taken(&house, 30);
    get(&house, "c", 1);
    assert_int_equal(sluice_redis_begin(house.redis, 2, 0), 0);
    sluice_redis_arg(house.redis, "HALF", 4);

    /* half of a reply */

    assert_int_equal(feed(&house, "$5\r\nab"), 0);

    sluice_redis_lost(house.redis);
    assert_string_equal(house.log, "a:lost b:lost c:lost ");
    assert_int_equal(sluice_redis_state(house.redis), SLUICE_REDIS_CLOSED);

    /* what the functions queued waits for the next one, alone */

    assert_int_equal(sluice_redis_pending(house.redis), 2);
    assert_int_equal(feed(&house, "+A\r\n"), SLUICE_REDIS_PROTOCOL);
    ready(&house);
    assert_string_equal(taken(&house, 4096), GET("b") GET("c"));
    assert_int_equal(feed(&house, "+B\r\n+C\r\n"), 0);
    assert_string_equal(house.log, "a:lost b:lost c:lost b:B c:C ");

    /* never connected */

    house.log[0] = '\0';
    sluice_redis_lost(house.redis);
    sluice_redis_lost(house.redis);
    get(&house, "d", 0);
    sluice_redis_lost(house.redis);
    assert_string_equal(house.log, "d:lost ");

    demolish(&house);
}


static void
test_queueing(void **state)
{
    int      i;
    house_t  house;

    build(&house);
    ready(&house);

    get(&house, "a", 1000);
    get(&house, "b", 1000);

    /* every answer asks again, and rings and buffers turn under the call */

    for (i = 0; i < 1001; i++) {
        assert_string_equal(taken(&house, 4096), GET("a") GET("b"));
        assert_int_equal(sluice_redis_pending(house.redis), 2);
        assert_int_equal(feed(&house, "+A\r\n+B\r\n"), 0);
    }

    assert_int_equal(sluice_redis_pending(house.redis), 0);

    /* the ring grows where it stands: 2002 entries on */

    house.log[0] = '\0';

    for (i = 0; i < 200; i++) {
        house.n = (size_t) i % 3;
        get(&house, &"x\0y\0z"[2 * (i % 3)], 0);
    }

    (void) taken(&house, 4096);

    for (i = 0; i < 200; i++) {
        assert_int_equal(feed(&house, &"+0\r\n\0+1\r\n\0+2\r\n"[5 * (i % 3)]),
                         0);
        assert_int_equal(sluice_redis_pending(house.redis), 199 - i);
    }

    assert_memory_equal(house.log, "x:0 y:1 z:2 x:0 ", 16);
    assert_int_equal(strlen(house.log), 200 * 4);
    assert_null(strstr(house.log, "x:1"));
    assert_null(strstr(house.log, "y:2"));
    assert_null(strstr(house.log, "z:0"));

    demolish(&house);
}


static void
test_ages(void **state)
{
    house_t  house;

    build(&house);
    assert_int_equal(sluice_redis_oldest(house.redis), -1);

    house.now = 7;
    get(&house, "a", 0);
    assert_int_equal(sluice_redis_oldest(house.redis), 7);
    sluice_redis_lost(house.redis);
    assert_int_equal(sluice_redis_oldest(house.redis), -1);

    /* a server that accepts and says nothing */

    sluice_redis_connected(house.redis, 8);
    assert_int_equal(sluice_redis_oldest(house.redis), 8);
    get(&house, "a", 0);
    assert_int_equal(sluice_redis_oldest(house.redis), 7);
    (void) taken(&house, 4096);
    assert_int_equal(feed(&house, INFO_REPLY), 0);
    (void) taken(&house, 4096);
    assert_int_equal(feed(&house, "+A\r\n"), 0);
    assert_int_equal(sluice_redis_oldest(house.redis), -1);

    demolish(&house);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_greeting),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_big),
        cmocka_unit_test(test_noscript),
        cmocka_unit_test(test_noscript_for_ever),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_queueing),
        cmocka_unit_test(test_ages),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("redis", tests, NULL, NULL);
}
