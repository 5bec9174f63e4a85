/*
 * The Redis client against bad servers, bad callers and its own bounds.
 */

#include "tests/unit/redis_house.h"


#define DEEP  "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"


#ifdef __SANITIZE_ADDRESS__
/* of sanitizer/allocator_interface.h, which Debian's GCC does not install */
int __sanitizer_install_malloc_and_free_hooks(
    void (*allocated)(const volatile void *p, size_t size),
    void (*freed)(const volatile void *p));
size_t __sanitizer_get_current_allocated_bytes(void);
const char *__asan_default_options(void);


/* malloc() says no to more */

const char *
__asan_default_options(void)
{
    return "allocator_may_return_null=1:max_allocation_size_mb=40";
}

#endif


static void
test_refused(void **state)
{
    size_t   i;
    house_t  house;

    static const struct {
        const char  *replies;
        const char  *error;
    } cases[] = {
        { "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
          "AUTH: WRONGPASS invalid username-password pair or user is disabled."
        },
        { "-ERR unknown command 'AUTH', with args beginning with: 'hunt"
          "\r\n", "AUTH: ERR" },
        { "-ERR unknown command `AUTH`, with args beginning with: `hunt\r\n",
          "AUTH: ERR" },
        { "-ERR no such password: hunter2\r\n", "AUTH: ERR" },
        { "-DENIED Redis is running in protected mode\r\n",
          "AUTH: DENIED Redis is running in protected mode" },
        { "-ERR max number of clients reached\r\n",
          "AUTH: ERR max number of clients reached" },
        { "+OK\r\n-ERR DB index is out of range\r\n",
          "SELECT: ERR DB index is out of range" },
        { "+OK\r\n-ERR what is hunter2?\r\n", "SELECT: ERR" },
        { "+OK\r\n-ERR a \t\x01 b\r\n", "SELECT: ERR a    b" },
        { "+OK\r\n-NOAUTH Authentication required.\r\n",
          "SELECT: NOAUTH Authentication required." },
        { "+OK\r\n+OK\r\n-BUSY Redis is busy running a script\r\n",
          "INFO: BUSY Redis is busy running a script" },
        { "+OK\r\n+OK\r\n$33\r\nredis_version:7.0.15\r\nrole:slave\r\n\r\n",
          "it is a replica, not the master" },
        { "+OK\r\n+OK\r\n$20\r\nredis_version:6.0.16\r\n",
          "Redis 6.0.16 is too old, 6.2 or later is needed" },
        { "+OK\r\n+OK\r\n$19\r\nredis_version:5.0.7\r\n",
          "Redis 5.0.7 is too old, 6.2 or later is needed" },
        { "+OK\r\n+OK\r\n$5\r\nhello\r\n", "INFO: no redis_version" },
        { "+OK\r\n+OK\r\n:1\r\n", "INFO: no redis_version" },
        { "+OK\r\n+OK\r\n" INFO_REPLY "-LOADING Redis is loading\r\n",
          "SCRIPT LOAD one: LOADING Redis is loading" },
        { "+OK\r\n+OK\r\n" INFO_REPLY "$40\r\n"
          "a123456789012345678901234567890123456789\r\n",
          "SCRIPT LOAD one: not the hash of its text" },
        { "+OK\r\n+OK\r\n" INFO_REPLY "$0\r\n\r\n",
          "SCRIPT LOAD one: not the hash of its text" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        build(&house);

        strcpy(house.url.password, "hunter2");
        house.url.db = 99;
        house.conf.scripts = scripts;
        house.conf.nscripts = 1;

        sluice_redis_connected(house.redis, 0);
        get(&house, "a", 0);
        (void) taken(&house, 4096);

        assert_int_equal(feed(&house, cases[i].replies),
                         SLUICE_REDIS_REFUSED);
        assert_string_equal(sluice_redis_error(house.redis), cases[i].error);

        /* nothing more is written or read, and it says so again */

        assert_string_equal(taken(&house, 4096), "");
        assert_int_equal(feed(&house, "+OK\r\n"), SLUICE_REDIS_REFUSED);
        assert_int_equal(sluice_redis_pending(house.redis), 1);

        sluice_redis_lost(house.redis);
        assert_string_equal(house.log, "a:lost ");
        assert_string_equal(sluice_redis_error(house.redis), cases[i].error);

        /* the next connection begins anew */

        sluice_redis_connected(house.redis, 0);
        assert_string_equal(sluice_redis_error(house.redis), "");
        (void) taken(&house, 4096);
        assert_int_equal(feed(&house, "+OK\r\n+OK\r\n" INFO_REPLY LOADED), 0);
        assert_int_equal(sluice_redis_state(house.redis), SLUICE_REDIS_READY);

        demolish(&house);
    }
}


/* Who is only asked something may be a replica. */

static void
test_replica(void **state)
{
    house_t  house;

    build(&house);
    house.conf.replica = 1;

    sluice_redis_connected(house.redis, 0);
    (void) taken(&house, 4096);

    assert_int_equal(feed(&house,
                          "$34\r\nredis_version:7.0.15\r\nrole:slave\r\n\r\n"),
                     SLUICE_REDIS_OK);
    assert_int_equal(sluice_redis_state(house.redis), SLUICE_REDIS_READY);

    demolish(&house);
}


static void
test_bounds(void **state)
{
    house_t                house;
    sluice_redis_result_e  result;

    build(&house);
    house.conf.max_count = 3;
    house.conf.max_bytes = 3 * 20 + 10;
    ready(&house);

    get(&house, "a", 0);
    get(&house, "b", 0);
    assert_int_equal(sluice_redis_pending_bytes(house.redis), 40);

    /* by bytes: at the announcement already, whatever its length */

    assert_int_equal(sluice_redis_begin(house.redis, 2, 0), 0);
    sluice_redis_arg(house.redis, "SET", 3);
    sluice_redis_arg_begin(house.redis, 13);
    sluice_redis_piece(house.redis, "0123456789abc", 13);
    assert_int_equal(sluice_redis_end(house.redis, NULL, NULL),
                     SLUICE_REDIS_FULL);

    assert_int_equal(sluice_redis_begin(house.redis, 1, 0), 0);
    sluice_redis_arg_begin(house.redis, SIZE_MAX - 2);
    assert_int_equal(sluice_redis_end(house.redis, NULL, NULL),
                     SLUICE_REDIS_FULL);
    assert_int_equal(sluice_redis_pending_bytes(house.redis), 40);

    /* and exactly */

    assert_int_equal(sluice_redis_begin(house.redis, 2, 0), 0);
    sluice_redis_arg(house.redis, "SET", 3);
    sluice_redis_arg(house.redis, "12345678901", 10);
    assert_int_equal(sluice_redis_end(house.redis, NULL, NULL), 0);
    assert_int_equal(sluice_redis_pending_bytes(house.redis), 70);

    /* by count */

    assert_int_equal(sluice_redis_begin(house.redis, 1, 0),
                     SLUICE_REDIS_FULL);
    assert_int_equal(sluice_redis_end(house.redis, NULL, NULL),
                     SLUICE_REDIS_PROTOCOL);

    (void) taken(&house, 4096);
    assert_int_equal(feed(&house, "+A\r\n+B\r\n+C\r\n"), 0);
    assert_string_equal(house.log, "a:A b:B ");

    /* the retry of a call is never refused, and a load counts as no command */

    house.conf.max_bytes = sizeof(EVAL("s")) - 1;
    house.conf.max_count = 1;
    eval(&house, "s");
    (void) taken(&house, 4096);
    assert_int_equal(feed(&house, NOSCRIPT), 0);
    assert_int_equal(sluice_redis_pending(house.redis), 1);
    assert_string_equal(taken(&house, 4096), LOAD EVAL("s"));

    assert_int_equal(sluice_redis_begin(house.redis, 1, 0),
                     SLUICE_REDIS_FULL);
    house.conf.max_count = 2;
    assert_int_equal(sluice_redis_begin(house.redis, 1, 0),
                     SLUICE_REDIS_FULL);
    house.conf.max_bytes = 1000;
    get(&house, "d", 0);
    (void) taken(&house, 4096);
    assert_int_equal(feed(&house, LOADED ":1\r\n+D\r\n"), 0);
    assert_string_equal(house.log, "a:A b:B s:1 d:D ");

    /* memory that there cannot be */

    house.conf.max_bytes = 0;
    assert_int_equal(sluice_redis_begin(house.redis, 1, 0), 0);
    sluice_redis_arg_begin(house.redis, SIZE_MAX - 2);
    result = sluice_redis_end(house.redis, NULL, NULL);
    assert_int_equal(result, SLUICE_REDIS_NOMEM);
    assert_int_equal(sluice_redis_pending_bytes(house.redis), 0);

    demolish(&house);
}


static void
test_misuse(void **state)
{
    house_t          house;
    sluice_redis_t  *redis;

    build(&house);
    ready(&house);
    redis = house.redis;

    get(&house, "a", 0);

    assert_int_equal(sluice_redis_end(redis, NULL, NULL),
                     SLUICE_REDIS_PROTOCOL);

    /* an argument less */
    sluice_redis_begin(redis, 2, 0);
    sluice_redis_arg(redis, "GET", 3);
    assert_int_equal(sluice_redis_end(redis, NULL, NULL),
                     SLUICE_REDIS_PROTOCOL);

    /* an argument more */
    sluice_redis_begin(redis, 1, 0);
    sluice_redis_arg(redis, "GET", 3);
    sluice_redis_arg(redis, "a", 1);
    assert_int_equal(sluice_redis_end(redis, NULL, NULL),
                     SLUICE_REDIS_PROTOCOL);

    /* bytes less, and in the middle of a piece the next argument */
    sluice_redis_begin(redis, 2, 0);
    sluice_redis_arg_begin(redis, 3);
    sluice_redis_piece(redis, "GE", 2);
    sluice_redis_arg(redis, "a", 1);
    assert_int_equal(sluice_redis_end(redis, NULL, NULL),
                     SLUICE_REDIS_PROTOCOL);

    sluice_redis_begin(redis, 1, 0);
    sluice_redis_arg_begin(redis, 3);
    sluice_redis_piece(redis, "GE", 2);
    assert_int_equal(sluice_redis_end(redis, NULL, NULL),
                     SLUICE_REDIS_PROTOCOL);

    /* bytes more */
    sluice_redis_begin(redis, 1, 0);
    sluice_redis_arg_begin(redis, 3);
    sluice_redis_piece(redis, "GE", 2);
    sluice_redis_piece(redis, "T1", 2);
    assert_int_equal(sluice_redis_end(redis, NULL, NULL),
                     SLUICE_REDIS_PROTOCOL);

    /* one that was never ended */
    sluice_redis_begin(redis, 3, 0);
    sluice_redis_arg(redis, "GET", 3);

    /* pieces, an empty one too, and an empty argument */
    sluice_redis_begin(redis, 3, 0);
    sluice_redis_arg_begin(redis, 3);
    sluice_redis_piece(redis, "S", 1);
    sluice_redis_piece(redis, NULL, 0);
    sluice_redis_piece(redis, "ET", 2);
    sluice_redis_arg(redis, NULL, 0);
    sluice_redis_arg_int(redis, INT64_MIN);
    assert_int_equal(sluice_redis_end(redis, NULL, NULL), 0);

    assert_string_equal(taken(&house, 3), GET("a")
        "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$20\r\n-9223372036854775808\r\n");

    demolish(&house);
}


static void
test_protocol(void **state)
{
    size_t   i;
    house_t  house;

    static const struct {
        const char  *text;
        const char  *error;
        unsigned     asked:1;
    } cases[] = {
        { "+A\r\n", "a reply that no command asked for", 0 },
        { "-ERR idle\r\n", "an error that no command asked for: ERR idle", 0 },
        { "+A\r\n+B\r\n", "a reply that no command asked for", 1 },
        { "HTTP/1.1 400 Bad Request\r\n", "Protocol error", 1 },
        { ":12x\r\n", "", 1 },
        { "$x\r\n", "", 1 },
        { "*99999999999999\r\n", "", 1 },
        { "*2000000\r\n", "an array too large or too deep", 1 },
        { DEEP DEEP DEEP DEEP, "", 1 },
        { "\xff\xfe", "Protocol error", 1 },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        build(&house);
        ready(&house);

        if (cases[i].asked) {
            get(&house, "a", 0);
            (void) taken(&house, 4096);
        }

        /* b waits unwritten: no reply can be its */

        get(&house, "b", 0);

        assert_int_equal(feed(&house, cases[i].text), SLUICE_REDIS_PROTOCOL);
        assert_int_equal(strncmp(sluice_redis_error(house.redis),
                                 cases[i].error, strlen(cases[i].error)), 0);
        assert_int_equal(feed(&house, "+A\r\n"), SLUICE_REDIS_PROTOCOL);
        assert_null(strstr(house.log, "b:"));
        assert_string_equal(taken(&house, 4096), "");

        demolish(&house);
        assert_non_null(strstr(house.log, "b:lost"));
    }

    /* half of the command is written, the reply is an oracle's */

    build(&house);
    ready(&house);
    get(&house, "a", 0);
    sluice_redis_sent(house.redis, 19);
    assert_int_equal(feed(&house, "+A\r\n"), SLUICE_REDIS_PROTOCOL);
    demolish(&house);

    /* a greeting answered before it was written */

    build(&house);
    sluice_redis_connected(house.redis, 0);
    assert_int_equal(feed(&house, INFO_REPLY), SLUICE_REDIS_PROTOCOL);
    assert_int_equal(sluice_redis_state(house.redis), SLUICE_REDIS_GREETING);
    demolish(&house);
}


#ifdef __SANITIZE_ADDRESS__

static size_t  allocations;


static void
allocated(const volatile void *p, size_t size)
{
    allocations++;
}


static void
freed(const volatile void *p)
{
}


static void
round_trip(house_t *house, unsigned n, const char *body, size_t len)
{
    unsigned  i;

    for (i = 0; i < n; i++) {
        assert_int_equal(sluice_redis_begin(house->redis, 2, 0), 0);
        sluice_redis_arg(house->redis, "ECHO", 4);
        sluice_redis_arg_begin(house->redis, len);
        sluice_redis_piece(house->redis, body, len / 2);
        sluice_redis_piece(house->redis, body + len / 2, len - len / 2);
        assert_int_equal(sluice_redis_end(house->redis, NULL, NULL), 0);
    }

    (void) sluice_redis_output(house->redis, &len);
    sluice_redis_sent(house->redis, len);
}


static void
test_memory(void **state)
{
    int       i, j;
    size_t    before;
    house_t   house;

    static char  body[100000];

    build(&house);
    ready(&house);
    assert_int_equal(
              __sanitizer_install_malloc_and_free_hooks(allocated, freed), 1);

    /* always some in flight: the buffer is never empty and never grows */

    round_trip(&house, 100, body, 300);

    for (i = 0; i < 200; i++) {

        if (i == 10) {
            allocations = 0;
        }

        round_trip(&house, 50, body, 300);

        for (j = 0; j < 50; j++) {
            assert_int_equal(feed(&house, "+OK\r\n"), 0);
        }
    }

    /* only what hiredis makes of a reply: the object and its text */

    assert_int_equal(allocations, 190 * 2 * 50);

    /* a burst's memory is given back */

    for (j = 0; j < 100; j++) {
        assert_int_equal(feed(&house, "+OK\r\n"), 0);
    }

    before = __sanitizer_get_current_allocated_bytes();
    round_trip(&house, 100, body, sizeof(body));
    assert_true(__sanitizer_get_current_allocated_bytes()
                > before + 100 * sizeof(body));

    for (j = 0; j < 100; j++) {
        assert_int_equal(feed(&house, "+OK\r\n"), 0);
    }

    assert_true(__sanitizer_get_current_allocated_bytes() <= before);

    demolish(&house);
}


static void
test_out_of_memory(void **state)
{
    size_t                  i, n;
    house_t                 house;
    sluice_redis_result_e   result;

    static char             chunk[1024 * 1024];

    build(&house);
    ready(&house);

    /* a command too large is not queued, and the next one is */

    assert_int_equal(sluice_redis_begin(house.redis, 1, 0), 0);
    sluice_redis_arg_begin(house.redis, 50 * sizeof(chunk));
    sluice_redis_piece(house.redis, chunk, sizeof(chunk));
    assert_int_equal(sluice_redis_end(house.redis, NULL, NULL),
                     SLUICE_REDIS_NOMEM);
    assert_int_equal(sluice_redis_pending(house.redis), 0);

    /* a script call that cannot be kept twice: its NOSCRIPT is the answer */

    assert_int_equal(sluice_redis_script(house.redis, &script, 1, 0, 0), 0);
    sluice_redis_arg_begin(house.redis, 20 * sizeof(chunk));

    for (i = 0; i < 20; i++) {
        sluice_redis_piece(house.redis, chunk, sizeof(chunk));
    }

    assert_int_equal(sluice_redis_end(house.redis, answered,
                                      call(&house, "s", 0)), 0);
    get(&house, "a", 0);
    (void) sluice_redis_output(house.redis, &n);
    sluice_redis_sent(house.redis, n);
    assert_int_equal(feed(&house, "-NOSCRIPT x\r\n+A\r\n"), 0);
    assert_string_equal(house.log, "s:-NOSCRIPT x a:A ");

    /* a reply too large loses the connection, and all is answered */

    get(&house, "b", 0);
    (void) taken(&house, 4096);
    assert_int_equal(feed(&house, "$52428800\r\n"), 0);

    for (i = 0, result = SLUICE_REDIS_OK;
         i < 50 && result == SLUICE_REDIS_OK; i++)
    {
        result = sluice_redis_feed(house.redis, chunk, sizeof(chunk));
    }

    assert_int_equal(result, SLUICE_REDIS_NOMEM);
    assert_string_equal(sluice_redis_error(house.redis), "out of memory");
    demolish(&house);
    assert_string_equal(house.log, "s:-NOSCRIPT x a:A b:lost ");
}

#endif


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_replica),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_protocol),
#ifdef __SANITIZE_ADDRESS__
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_out_of_memory),
#endif
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("redis faults", tests, NULL, NULL);
}
