#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "core/retry.h"


#define YEARS  315360000000    /* ten */


static void
test_durations(void **state)
{
    size_t  i;

    static const struct {
        const char  *text;
        int64_t      ms;
    } cases[] = {
        { "300ms", 300 }, { "0s", 0 }, { "5s", 5000 }, { "2m", 120000 },
        { "1h30m", 5400000 }, { "7d", 604800000 }, { "1s500ms", 1500 },
        { "1d2h3m4s5ms", 93784005 }, { "1m1ms", 60001 }, { "007s", 7000 },
        { "1000000d", 86400000000000 },
        { "", -1 }, { "5", -1 }, { "s", -1 }, { "-5s", -1 }, { "+5s", -1 },
        { "5 s", -1 }, { " 5s", -1 }, { "5s ", -1 }, { "5S", -1 },
        { "5x", -1 }, { "1.5s", -1 }, { "5sec", -1 }, { "30m1h", -1 },
        { "1s1s", -1 }, { "1ms1s", -1 }, { "1ms1m", -1 }, { "5s5", -1 },
        { "99999999999999999999d", -1 }, { "9223372036854775807ms", -1 },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(sluice_duration(cases[i].text,
                                         strlen(cases[i].text)),
                         cases[i].ms);
    }

    /* as far as the length says */
    assert_int_equal(sluice_duration("5s500ms", 2), 5000);
    assert_int_equal(sluice_duration("5ms", 2), 300000);
}


static void
test_schedules(void **state)
{
    size_t          i;
    sluice_retry_t  retry;

    static const struct {
        const char  *text;
        int          made;
        double       random;
        int64_t      next;
    } cases[] = {
        { "5s 15s 45s", 1, 0.5, 5000 },
        { "5s 15s 45s", 2, 0.5, 15000 },
        { "5s 15s 45s", 3, 0.5, 45000 },
        { "5s 15s 45s", 4, 0.5, -1 },
        { "5s 15s 45s", 0, 0.5, 5000 },
        { "\t5s   15s ", 2, 0, 15000 },
        { "5s", 1, 0, 5000 },
        { "5s", 2, 0, -1 },
        { "0s 1s", 1, 0, 0 },
        { "5s 15s attempts=5", 4, 0, 15000 },
        { "5s 15s attempts=5", 5, 0, -1 },
        { "5s 15s attempts=1", 1, 0, -1 },
        { "10s jitter=0.5", 1, 0, 5000 },
        { "10s jitter=0.5", 1, 0.5, 7500 },
        { "10s jitter=1", 1, 0, 0 },
        { "10s jitter=1", 1, 0.99999, 9999 },
        { "fixed 10s attempts=3", 1, 0, 10000 },
        { "fixed 10s attempts=3", 2, 0, 10000 },
        { "fixed 10s attempts=3", 3, 0, -1 },
        { "fixed 1s attempts=2 jitter=0.2", 1, 0, 800 },
        { "exponential base=1s attempts=8", 1, 0, 1000 },
        { "exponential base=1s attempts=8", 2, 0, 2000 },
        { "exponential base=1s attempts=8", 7, 0, 64000 },
        { "exponential base=1s attempts=8", 8, 0, -1 },
        { "exponential attempts=8 factor=3 base=1s", 4, 0, 27000 },
        { "exponential base=1s factor=1.5 attempts=8", 3, 0, 2250 },
        { "exponential base=1s factor=1 attempts=1000", 999, 0, 1000 },
        { "exponential base=1s factor=2 max=1h jitter=0.2 attempts=1000",
          12, 0.5, 1843200 },
        { "exponential base=1s factor=2 max=1h jitter=0.2 attempts=1000",
          13, 0.5, 3240000 },
        { "exponential base=1s factor=2 max=1h jitter=0.2 attempts=1000",
          999, 0.5, 3240000 },
        { "exponential base=1s factor=1000 attempts=1000", 999, 0, YEARS },
        { "exponential base=0s factor=1000 attempts=1000", 999, 0, 0 },
        { "exponential base=5s max=5s attempts=3", 2, 0, 5000 },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&retry, '#', sizeof(retry));

        assert_null(sluice_retry_parse(&retry, cases[i].text,
                                       strlen(cases[i].text)));
        assert_int_equal(sluice_retry_next(&retry, cases[i].made,
                                           cases[i].random),
                         cases[i].next);
    }
}


static void
test_bad_schedules(void **state)
{
    size_t          i;
    const char     *error;
    sluice_retry_t  retry;

    static const struct {
        const char  *text;
        const char  *error;    /* part of it */
    } cases[] = {
        { "", "a delay is missing" },
        { "  ", "a delay is missing" },
        { "5", "a delay must be a duration" },
        { "5s, 15s", "a delay must be a duration" },
        { "never", "a delay must be a duration" },
        { "4000d", "a delay must be a duration of at most ten years" },
        { "1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s "
          "1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s", "more than 32 delays" },
        { "attempts=3", "a delay is missing" },
        { "5s attempts=0", "attempts must be" },
        { "5s attempts=", "attempts must be" },
        { "5s attempts=1.5", "attempts must be" },
        { "5s attempts=1001", "attempts must be" },
        { "5s attempts=-1", "attempts must be" },
        { "5s attempts=9999999999", "attempts must be" },
        { "5s jitter=1.1", "jitter must be" },
        { "5s jitter=.5", "jitter must be" },
        { "5s jitter=1.", "jitter must be" },
        { "5s jitter=0..5", "jitter must be" },
        { "5s jitter=nan", "jitter must be" },
        { "5s attempts=3 15s", "neither attempts= nor jitter=" },
        { "5s factor=2", "neither attempts= nor jitter=" },
        { "fixed attempts=3", "a delay is missing" },
        { "fixed 5s", "attempts= is missing" },
        { "fixed 5s 6s attempts=3", "fixed takes one delay" },
        { "exponential", "exponential needs base=" },
        { "exponential attempts=3", "exponential needs base=" },
        { "exponential base=1s", "attempts= is missing" },
        { "exponential 1s attempts=3", "exponential takes base=" },
        { "exponential base=1 attempts=3", "base must be a duration" },
        { "exponential base=4000d attempts=3", "base must be a duration" },
        { "exponential base=1s max=0s attempts=3", "max must be a duration" },
        { "exponential base=1s max=x attempts=3", "max must be a duration" },
        { "exponential base=2s max=1s attempts=3", "max is below base" },
        { "exponential base=1s factor=0.5 attempts=3", "factor must be" },
        { "exponential base=1s factor=1001 attempts=3", "factor must be" },
        { "exponentially base=1s", "a delay must be a duration" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        error = sluice_retry_parse(&retry, cases[i].text,
                                   strlen(cases[i].text));
        assert_non_null(error);
        assert_non_null(strstr(error, cases[i].error));
    }
}


static void
test_messages(void **state)
{
    int             i;
    sluice_retry_t  retry;

    static const int64_t  delays[] = { 5000, 15000, 45000, -1 };

    sluice_retry_messages(&retry);

    for (i = 0; i < 4; i++) {
        assert_int_equal(sluice_retry_next(&retry, i + 1, 0.7), delays[i]);
    }

    /* a schedule that a job brings may hold less than parse would give */

    memset(&retry, 0, sizeof(retry));
    assert_int_equal(sluice_retry_next(&retry, 1, 0), -1);
    retry.attempts = 2;
    assert_int_equal(sluice_retry_next(&retry, 1, 0), 0);

    retry.kind = SLUICE_RETRY_FIXED;
    retry.delay[0] = INT64_MAX;
    assert_int_equal(sluice_retry_next(&retry, 1, 0), YEARS);

    retry.kind = SLUICE_RETRY_EXPONENTIAL;
    retry.attempts = 2000000000;
    retry.delay[0] = 1;
    retry.factor = 2;
    assert_int_equal(sluice_retry_next(&retry, 1999999999, 0), YEARS);
}


static void
test_reconnect(void **state)
{
    size_t  i;

    static const struct {
        unsigned  failures;
        double    random;
        int64_t   pause;
    } cases[] = {
        { 0, 0, 100 }, { 1, 0, 100 }, { 1, 0.5, 150 }, { 2, 0, 200 },
        { 3, 0, 400 }, { 5, 0, 1600 }, { 6, 0, 2500 }, { 7, 0, 2500 },
        { 4294967295u, 0, 2500 }, { 4294967295u, 0.9999, 4999 },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(sluice_retry_reconnect(cases[i].failures,
                                                cases[i].random),
                         cases[i].pause);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_bad_schedules),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_reconnect),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
