#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "core/schedule.h"


/* all times are ms after this one, a multiple of 10 s and of a day's hour */
#define T     INT64_C(1800000000000)
#define NONE  INT64_MIN
#define DAY   INT64_C(86400000)


typedef struct {
    const char  *pattern;     /* or NULL */
    int64_t      every;
    int64_t      offset;
    int64_t      start;       /* after T, NONE not set */
    int64_t      end;
    int64_t      limit;
    int          immediately;
} options_t;


static void
schedule_of(sluice_schedule_t *schedule, sluice_cron_t *cron,
    sluice_zone_t *zone, const options_t *options)
{
    sluice_cron_error_t  error;

    memset(schedule, 0, sizeof(*schedule));
    sluice_zone_fixed(zone, 0);

    if (options->pattern != NULL) {
        assert_int_equal(sluice_cron_parse(cron, 6, options->pattern,
                                           strlen(options->pattern), &error),
                         0);
        schedule->cron = cron;
        schedule->zone = zone;
    }

    schedule->every = options->every;
    schedule->offset = options->offset;
    schedule->start = (options->start == NONE) ? 0 : T + options->start;
    schedule->end = (options->end == NONE) ? 0 : T + options->end;
    schedule->limit = options->limit;
    schedule->immediately = options->immediately;
}


/*
 * What BullMQ 5.81.5 and 6.7.0 do, both the same, with a clock that stands at
 * the times given: the scheduler is made at `made`, its iterations are taken
 * at `taken`.
 */

static void
test_stock(void **state)
{
    size_t             i, n;
    int64_t            at, offset;
    sluice_cron_t      cron;
    sluice_zone_t      zone;
    sluice_schedule_t  schedule;

    static const struct {
        options_t  options;
        int64_t    made;
        int64_t    first;       /* NONE: no iteration */
        int64_t    offset;
        struct {
            int64_t  taken;
            int64_t  next;      /* NONE: it was the last */
        } steps[4];
    } cases[] = {
        { { NULL, 10000, 0, NONE, NONE, 0, 0 }, 0, 0, 0,
          { { 10000, 10000 }, { 20000, 20000 } } },
        { { NULL, 10000, 0, NONE, NONE, 0, 0 }, 1234, 1234, 1234,
          { { 1234, 11234 }, { 11234, 21234 }, { 11300, 31234 },
            { 45000, 51234 } } },
        { { NULL, 10000, 0, NONE, NONE, 0, 0 }, 1234, 1234, 1234,
          { { 1234, 11234 }, { 11234, 21234 }, { 41000, 41234 },
            { 91234, 101234 } } },
        { { NULL, 10000, 0, NONE, NONE, 0, 0 }, 1234, 1234, 1234,
          { { 15234, 21234 }, { 47000, 51234 } } },
        { { NULL, 7000, 0, NONE, NONE, 0, 0 }, 1234, 1234, 2234,
          { { 1234, 8234 }, { 8234, 15234 }, { 9000, 22234 },
            { 30000, 36234 } } },
        /* the clock was set back */
        { { NULL, 10000, 0, NONE, NONE, 0, 0 }, 31234, 31234, 1234,
          { { 1234, 41234 } } },
        { { NULL, 10000, 0, 25000, NONE, 0, 0 }, 1234, 25000, 5000,
          { { 25000, 35000 }, { 35000, 45000 }, { 61000, 65000 } } },
        { { NULL, 10000, 0, -25000, NONE, 0, 0 }, 1234, 1234, 1234,
          { { 15000, 21234 } } },

        { { NULL, 10000, 3000, NONE, NONE, 0, 0 }, 1234, 3000, 3000,
          { { 3000, 13000 }, { 13100, 23000 }, { 47000, 53000 },
            { 52999, 63000 } } },
        { { NULL, 10000, 3000, NONE, NONE, 0, 0 }, 3000, 13000, 3000,
          { { 3000, 23000 } } },
        { { NULL, 10000, 3000, NONE, NONE, 0, 0 }, 1234, 3000, 3000,
          { { 13000, 13000 }, { 13000, 23000 }, { 43000, 53000 } } },
        { { NULL, 10000, 3000, NONE, NONE, 0, 0 }, 1234, 3000, 3000,
          { { 13000, 13000 }, { 13000, 23000 }, { 42999, 43000 } } },
        { { NULL, 10000, 3000, NONE, NONE, 0, 0 }, 1234, 3000, 3000,
          { { 13000, 13000 }, { 13000, 23000 }, { 43001, 53000 } } },
        { { NULL, 10000, 500, NONE, NONE, 0, 0 }, 1234, 10500, 500,
          { { 3000, 20500 }, { 47000, 50500 } } },
        { { NULL, 10000, 13000, NONE, NONE, 0, 0 }, 1234, 13000, 13000,
          { { 13000, 23000 }, { 45000, 53000 } } },
        { { NULL, 10000, 25000, NONE, NONE, 0, 0 }, 1234, 25000, 25000,
          { { 25000, 35000 }, { 35100, 45000 }, { 61000, 85000 },
            { 200000, 225000 } } },
        { { NULL, 10000, 10000, NONE, NONE, 0, 0 }, 1234, 10000, 10000,
          { { 13000, 20000 }, { 45000, 50000 } } },
        { { NULL, 10000, 7000, 25000, NONE, 0, 0 }, 1234, 25000, 7000,
          { { 25000, 35000 }, { 61000, 67000 } } },
        { { NULL, 10000, 7000, -25000, NONE, 0, 0 }, 1234, 1234, 7000,
          { { 25000, 27000 }, { 61000, 67000 } } },

        { { NULL, 10000, 0, NONE, NONE, 0, 1 }, 1234, 1234, 1234,
          { { 15000, 21234 } } },
        { { NULL, 10000, 0, NONE, NONE, 2, 0 }, 1234, 1234, 1234,
          { { 1234, 11234 }, { 11234, NONE } } },
        { { NULL, 10000, 0, NONE, NONE, 1, 0 }, 1234, 1234, 1234,
          { { 1234, NONE } } },
        { { NULL, 10000, 0, NONE, 15000, 0, 0 }, 1234, 1234, 1234,
          { { 1234, 11234 }, { 11234, 21234 }, { 21234, NONE } } },
        { { NULL, 10000, 0, NONE, 11234, 0, 0 }, 1234, 1234, 1234,
          { { 1234, 11234 }, { 11234, 21234 } } },
        { { NULL, 10000, 0, 50000, 40000, 0, 0 }, 1234, 50000, 0,
          { { 50000, NONE } } },

        { { "*/10 * * * * *", 0, 0, NONE, NONE, 0, 0 }, 1234, 10000, 0,
          { { 10000, 20000 }, { 20000, 30000 }, { 47000, 50000 },
            { 50000, 60000 } } },
        { { "*/10 * * * * *", 0, 0, NONE, NONE, 0, 0 }, 1234, 10000, 0,
          { { 10500, 20000 }, { 47000, 50000 } } },
        { { "*/10 * * * * *", 0, 0, NONE, NONE, 0, 0 }, 1234, 10000, 0,
          { { 9000, 20000 } } },
        { { "*/10 * * * * *", 0, 3000, NONE, NONE, 0, 0 }, 1234, 10000, 0,
          { { 13000, 20000 }, { 20000, 30000 }, { 23000, 40000 } } },
        { { "*/10 * * * * *", 0, 0, NONE, NONE, 0, 1 }, 1234, 1234, 0,
          { { 1234, 10000 }, { 10000, 20000 } } },
        { { "*/10 * * * * *", 0, 0, NONE, NONE, 0, 1 }, 1234, 1234, 0,
          { { 35000, 40000 } } },
        { { "*/10 * * * * *", 0, 0, NONE, NONE, 1, 1 }, 1234, 1234, 0,
          { { 1234, NONE } } },
        { { "*/10 * * * * *", 0, 0, 30000, NONE, 0, 0 }, 1234, 40000, 0,
          { { 40000, 50000 } } },
        { { "*/10 * * * * *", 0, 0, 29999, NONE, 0, 0 }, 1234, 30000, 0,
          { { 30000, 40000 }, { 50000, 60000 } } },
        { { "*/10 * * * * *", 0, 0, NONE, 25000, 0, 0 }, 1234, 10000, 0,
          { { 10000, 20000 }, { 20000, NONE } } },
        { { "*/10 * * * * *", 0, 0, NONE, 20000, 0, 0 }, 1234, 10000, 0,
          { { 10000, 20000 }, { 20000, NONE } } },
        { { "*/10 * * * * *", 0, 0, NONE, 5000, 0, 0 }, 1234, NONE, 0,
          { { 0, 0 } } },
        { { "*/10 * * * * *", 0, 0, NONE, NONE, 2, 0 }, 1234, 10000, 0,
          { { 10000, 20000 }, { 20000, NONE } } },
        { { "@daily", 0, 0, NONE, NONE, 0, 0 }, 1234, 57600000, 0,
          { { 10, 57600000 + DAY } } },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        schedule_of(&schedule, &cron, &zone, &cases[i].options);
        at = sluice_schedule_first(&schedule, T + cases[i].made, &offset);

        if (cases[i].first == NONE) {
            assert_int_equal(at, SLUICE_SCHEDULE_NONE);
            continue;
        }

        assert_int_equal(at - T, cases[i].first);
        assert_int_equal(offset, cases[i].offset);

        for (n = 0; n < 4 && cases[i].steps[n].taken != 0; n++) {

            /* what was stored is what comes back */

            if (schedule.cron == NULL) {
                schedule.offset = offset;
            }

            at = sluice_schedule_next(&schedule, at, (int64_t) n + 1,
                                      T + cases[i].steps[n].taken, &offset);

            if (cases[i].steps[n].next == NONE) {
                assert_int_equal(at, SLUICE_SCHEDULE_NONE);
                break;
            }

            assert_int_equal(at - T, cases[i].steps[n].next);
            assert_int_equal(offset, cases[i].offset);
        }
    }

    /* over before it began; what was made before offsets were stored */

    schedule_of(&schedule, &cron, &zone, &cases[0].options);
    schedule.end = T;
    assert_int_equal(sluice_schedule_first(&schedule, T + 1, &offset),
                     SLUICE_SCHEDULE_NONE);
    schedule.end = 0;
    assert_int_equal(sluice_schedule_next(&schedule, T + 1234, 1, T + 50000,
                                          &offset) - T,
                     51234);
    assert_int_equal(offset, 1234);
}


static void
test_check(void **state)
{
    size_t              i;
    const char         *error;
    sluice_cron_t       cron;
    sluice_zone_t       zone;
    sluice_schedule_t   schedule;

    static const struct {
        options_t    options;
        const char  *error;    /* part of it, or NULL */
    } cases[] = {
        { { NULL, 1, 0, NONE, NONE, 0, 0 }, NULL },
        { { NULL, 315360000000, 315360000000, 1, 1, 1, 0 }, NULL },
        { { "* * * * *", 0, 0, NONE, NONE, 0, 1 }, NULL },
        { { "* * * * *", 10, 0, NONE, NONE, 0, 0 }, "pattern and every" },
        { { NULL, 0, 0, NONE, NONE, 0, 0 }, "pattern or every" },
        { { NULL, -1, 0, NONE, NONE, 0, 0 }, "every is" },
        { { NULL, 315360000001, 0, NONE, NONE, 0, 0 }, "every is" },
        { { NULL, 1, -1, NONE, NONE, 0, 0 }, "offset is" },
        { { NULL, 1, 315360000001, NONE, NONE, 0, 0 }, "offset is" },
        { { NULL, 1, 0, NONE, NONE, -1, 0 }, "limit is" },
        { { NULL, 1, 0, -T - 1, NONE, 0, 0 }, "startDate" },
        { { NULL, 1, 0, NONE, -T - 1, 0, 0 }, "endDate" },
        { { NULL, 1, 0, NONE, 0, 0, 0 }, "endDate is over" },
        { { "* * * * *", 0, 0, 1, NONE, 0, 1 }, "immediately and startDate" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        schedule_of(&schedule, &cron, &zone, &cases[i].options);
        error = sluice_schedule_check(&schedule, T);

        if (cases[i].error == NULL) {
            assert_null(error);

        } else {
            assert_non_null(error);
            assert_non_null(strstr(error, cases[i].error));
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_stock),
        cmocka_unit_test(test_check),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
