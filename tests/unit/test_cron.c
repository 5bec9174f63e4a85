#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "core/cron.h"
#include "core/date.h"
#include "tests/unit/zone_file.h"


/* "2026-03-29 01:30:00" in UTC as ms; "never" */

static int64_t
ms(const char *text)
{
    int  year, month, day, hour, minute, second;

    if (strcmp(text, "never") == 0) {
        return SLUICE_CRON_NEVER;
    }

    assert_int_equal(sscanf(text, "%d-%d-%d %d:%d:%d", &year, &month, &day,
                            &hour, &minute, &second),
                     6);

    return (sluice_date_days(year, month, day) * SLUICE_DATE_DAY
            + hour * 3600 + minute * 60 + second) * 1000;
}


/* The text ends where the heap's bytes do. */

static int
parse(sluice_cron_t *cron, int bullmq, const char *text,
    sluice_cron_error_t *error)
{
    int     rc;
    char   *copy;
    size_t  len;

    len = strlen(text);
    copy = malloc(len + 1);
    assert_non_null(copy);
    memcpy(copy + 1, text, len);
    memset(error, 0, sizeof(*error));
    rc = sluice_cron_parse(cron, bullmq, copy + 1, len, error);
    free(copy);

    return rc;
}


static void
test_errors(void **state)
{
    int                  bullmq, rc;
    size_t               i;
    sluice_cron_t        cron;
    sluice_cron_error_t  error;

    static const struct {
        const char  *text;
        const char  *field;
        size_t       at;
        const char  *what;     /* part of it */
        int          only;     /* in this major of BullMQ; 0: in both */
    } cases[] = {
        { "", "pattern", 0, "less than five fields", 0 },
        { "* * * *", "pattern", 7, "less than five fields", 0 },
        { "  0 0 * * * * 2026", "pattern", 14, "more than six fields", 0 },
        { "@reboot", "pattern", 0, "no such name", 0 },
        { "@Daily", "pattern", 0, "no such name", 0 },
        { "@daily ", "pattern", 0, "no such name", 0 },
        { "@weekdays", "pattern", 0, "no such name", 5 },
        { "60 * * * *", "minute", 0, "not from 0 to 59", 0 },
        { "0 60 * * * *", "minute", 2, "not from 0 to 59", 0 },
        { "60 0 * * * *", "second", 0, "not from 0 to 59", 0 },
        { "0 0,24 * * *", "hour", 4, "not from 0 to 23", 0 },
        { "0 0 0 * *", "day of month", 4, "not from 1 to 31", 0 },
        { "0 0 1-32 * *", "day of month", 6, "not from 1 to 31", 0 },
        { "0 0 * 13 *", "month", 6, "not from 1 to 12", 0 },
        { "0 0 * * 8", "day of week", 8, "not from 0 to 7", 0 },
        { "0 0 * * 99999999999999999999", "day of week", 8, "from 0 to 7", 0 },
        { "9-3 * * * *", "minute", 0, "from high to low", 0 },
        { "0 0 * * FRI-MON", "day of week", 8, "from high to low", 0 },
        { "*/0 * * * *", "minute", 1, "a step", 0 },
        { "*/ * * * *", "minute", 1, "a step", 0 },
        { "*/-1 * * * *", "minute", 1, "a step", 0 },
        { "*/5/2 * * * *", "minute", 3, "no place here", 0 },
        { "1-2-3 * * * *", "minute", 3, "no place here", 0 },
        { "5* * * * *", "minute", 1, "no place here", 0 },
        { "** * * * *", "minute", 1, "no place here", 0 },
        { "1,,2 * * * *", "minute", 2, "a value is missing", 0 },
        { "1, * * * *", "minute", 2, "a value is missing", 0 },
        { ",1 * * * *", "minute", 0, "a value is missing", 0 },
        { "5- * * * *", "minute", 2, "a value is missing", 0 },
        { "-5 * * * *", "minute", 0, "a value is missing", 0 },
        { "x * * * *", "minute", 0, "a value is missing", 0 },
        { "JAN * * * *", "minute", 0, "a value is missing", 0 },
        { "L * * * *", "minute", 0, "a value is missing", 0 },
        { "0 0 * MON *", "month", 6, "a value is missing", 0 },
        { "0 0 * * MONDAY", "day of week", 11, "no place here", 0 },
        { "0 0 * * L", "day of week", 8, "a value is missing", 0 },
        { "0 0 * * MO", "day of week", 8, "a value is missing", 0 },
        { "0 0 L-2 * *", "day of month", 5, "no place here", 0 },
        { "0 0 15W * *", "day of month", 6, "no place here", 0 },
        { "0 0 1L * *", "day of month", 5, "no place here", 0 },
        { "0 0 * * *L", "day of week", 9, "no place here", 0 },
        { "0 0 * * 1-3L", "day of week", 11, "no place here", 0 },
        { "0 0 * * 5L#2", "day of week", 10, "no place here", 0 },
        { "0 0 * * 5#0", "day of week", 8, "not from 1 to 5", 0 },
        { "0 0 * * 5#6", "day of week", 8, "not from 1 to 5", 0 },
        { "0 0 * * 5#", "day of week", 8, "not from 1 to 5", 0 },
        { "0 0 * * 5#2,1", "day of week", 8, "alone", 0 },
        { "0 0 * * 1,5#2", "day of week", 10, "alone", 0 },
        { "0 0 * * 1L,5#2", "day of week", 11, "alone", 0 },
        { "0 0 * * 1-5#2", "day of week", 8, "alone", 0 },
        { "0 0 * * *#2", "day of week", 8, "alone", 0 },
        { "0 0 * * 5#2#1", "day of week", 8, "alone", 0 },
        { "H * * * *", "minute", 0, "H, a random time", 0 },
        { "0 0 30 2 *", "day of month", 4, "no month has such a day", 0 },
        { "0 0 31 4,6,9,11 *", "day of month", 4, "no month has", 0 },
        { "0 0 31 2 1", "day of month", 4, "no month has such a day", 5 },
        { "0 0 L,31 2 *", "day of month", 4, "no month has such a day", 5 },
        { "? * * * *", "minute", 0, "a value is missing", 5 },
        { "1,1 * * * *", "minute", 2, "there twice", 6 },
        { "*/2,4 * * * *", "minute", 4, "there twice", 6 },
        { "0 0 * * 0,7", "day of week", 10, "there twice", 6 },
        { "0 0 L,1,L * *", "day of month", 8, "there twice", 6 },
        { "0 0 * * 5L,FRIL", "day of week", 11, "there twice", 6 },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (bullmq = 5; bullmq <= 6; bullmq++) {
            rc = parse(&cron, bullmq, cases[i].text, &error);

            if (cases[i].only != 0 && cases[i].only != bullmq) {
                assert_int_equal(rc, 0);
                continue;
            }

            assert_int_equal(rc, -1);
            assert_string_equal(error.field, cases[i].field);
            assert_int_equal(error.at, cases[i].at);
            assert_non_null(strstr(error.what, cases[i].what));
        }
    }
}


static void
test_next(void **state)
{
    int                  bullmq;
    size_t               i, n;
    int64_t              at;
    sluice_cron_t        cron;
    sluice_zone_t        zone;
    sluice_cron_error_t  error;

    static const struct {
        const char  *text;
        const char  *after;
        const char  *times[3];
        int          only;
    } cases[] = {
        { "* * * * * *", "2026-01-01 00:00:00",
          { "2026-01-01 00:00:01", "2026-01-01 00:00:02" }, 0 },
        { "* * * * *", "2026-01-01 00:00:00",
          { "2026-01-01 00:01:00", "2026-01-01 00:02:00" }, 0 },
        { "*/15 10-12/2 * * *", "2026-01-01 10:31:00",
          { "2026-01-01 10:45:00", "2026-01-01 12:00:00",
            "2026-01-01 12:15:00" }, 0 },
        { "5/20 59 23 31 12 *", "2026-01-01 00:00:00",
          { "2026-12-31 23:59:05", "2026-12-31 23:59:25",
            "2026-12-31 23:59:45" }, 0 },
        { "30 1 2 3 4 *", "2026-04-03 02:01:29",
          { "2026-04-03 02:01:30", "2027-04-03 02:01:30" }, 0 },
        { "30 1 2 3 4 *", "2026-04-03 02:01:30",
          { "2027-04-03 02:01:30", "2028-04-03 02:01:30" }, 0 },

        /* names, Sunday as 0 and as 7 */
        { "0 0 * jan-MAR/2 mon", "2026-01-20 00:00:00",
          { "2026-01-26 00:00:00", "2026-03-02 00:00:00" }, 0 },
        { "0 0 * * 7", "2026-01-01 00:00:00",
          { "2026-01-04 00:00:00", "2026-01-11 00:00:00" }, 0 },
        { "0 0 * * 5-7", "2026-01-01 00:00:00",
          { "2026-01-02 00:00:00", "2026-01-03 00:00:00",
            "2026-01-04 00:00:00" }, 0 },

        /* last and nth */
        { "0 0 L * *", "2028-01-31 00:00:00",
          { "2028-02-29 00:00:00", "2028-03-31 00:00:00" }, 0 },
        { "0 0 L,15 * *", "2026-02-01 00:00:00",
          { "2026-02-15 00:00:00", "2026-02-28 00:00:00" }, 0 },
        { "0 0 * * FRIL", "2026-01-01 00:00:00",
          { "2026-01-30 00:00:00", "2026-02-27 00:00:00" }, 0 },
        { "0 0 * * 7L", "2026-01-19 00:00:00",
          { "2026-01-25 00:00:00", "2026-02-22 00:00:00" }, 0 },
        { "0 0 * * 1,3L", "2026-01-20 00:00:00",
          { "2026-01-26 00:00:00", "2026-01-28 00:00:00",
            "2026-02-02 00:00:00" }, 0 },
        { "0 0 * * 5#2", "2026-01-01 00:00:00",
          { "2026-01-09 00:00:00", "2026-02-13 00:00:00" }, 0 },
        { "0 0 * * 5#5", "2026-01-01 00:00:00",
          { "2026-01-30 00:00:00", "2026-05-29 00:00:00" }, 0 },

        /* one of both days; what a * is */
        { "0 0 13 * 5", "2026-01-05 00:00:00",
          { "2026-01-09 00:00:00", "2026-01-13 00:00:00",
            "2026-01-16 00:00:00" }, 0 },
        { "0 0 1 * 5L", "2026-01-05 00:00:00",
          { "2026-01-30 00:00:00", "2026-02-01 00:00:00" }, 0 },
        { "0 0 ? * 1", "2026-01-01 00:00:00",
          { "2026-01-05 00:00:00", "2026-01-12 00:00:00" }, 0 },
        { "0 0 1-31 * 1", "2026-01-01 00:00:00",
          { "2026-01-05 00:00:00", "2026-01-12 00:00:00" }, 5 },
        { "0 0 1-31 * 1", "2026-01-01 00:00:00",
          { "2026-01-02 00:00:00", "2026-01-03 00:00:00" }, 6 },
        { "0 0 1-30 4 1", "2026-01-01 00:00:00",
          { "2026-04-06 00:00:00", "2026-04-13 00:00:00" }, 5 },
        { "0 0 1 * 1-7", "2026-01-01 00:00:00",
          { "2026-02-01 00:00:00", "2026-03-01 00:00:00" }, 5 },
        { "0 0 5 8 3#4", "2026-01-01 00:00:00",
          { "2026-08-26 00:00:00", "2027-08-25 00:00:00" }, 5 },
        { "0 0 5 8 3#4", "2026-01-01 00:00:00",
          { "2026-08-05 00:00:00", "2026-08-26 00:00:00" }, 6 },
        { "0 0 * * 3-5,6,4,4/2", "2026-01-04 00:00:00",
          { "2026-01-05 00:00:00", "2026-01-06 00:00:00" }, 5 },
        { "0 0 1/13,13-28,10-23 * *", "2026-01-01 00:00:00",
          { "2026-01-10 00:00:00", "2026-01-11 00:00:00" }, 5 },
        { "0 0 * * 2-7/3", "2026-01-01 00:00:00",
          { "2026-01-02 00:00:00", "2026-01-04 00:00:00",
            "2026-01-06 00:00:00" }, 5 },
        { "0 0 * * 2-7/3", "2026-01-01 00:00:00",
          { "2026-01-02 00:00:00", "2026-01-06 00:00:00" }, 6 },

        /* dates that are rare, and never */
        { "0 0 29 2 *", "2096-03-01 00:00:00",
          { "2104-02-29 00:00:00", "2108-02-29 00:00:00" }, 0 },
        { "0 0 * 2 1#5", "2072-03-01 00:00:00",
          { "2112-02-29 00:00:00" }, 0 },
        { "0 0 31 2,4 1#5", "2026-01-01 00:00:00",
          { "2029-04-30 00:00:00" }, 0 },

        { "@yearly", "2026-05-05 05:05:05", { "2027-01-01 00:00:00" }, 0 },
        { "@monthly", "2026-05-05 05:05:05", { "2026-06-01 00:00:00" }, 0 },
        { "@weekly", "2026-05-05 05:05:05", { "2026-05-10 00:00:00" }, 0 },
        { "@daily", "2026-05-05 05:05:05", { "2026-05-06 00:00:00" }, 0 },
        { "@hourly", "2026-05-05 05:05:05", { "2026-05-05 06:00:00" }, 0 },
        { "@annually", "2026-05-05 05:05:05", { "2027-01-01 00:00:00" }, 6 },
        { "@minutely", "2026-05-05 05:05:05", { "2026-05-05 05:06:00" }, 6 },
        { "@secondly", "2026-05-05 05:05:05", { "2026-05-05 05:05:06" }, 6 },
        { "@weekdays", "2026-05-08 05:05:05", { "2026-05-11 00:00:00" }, 6 },
        { "@weekends", "2026-05-05 05:05:05", { "2026-05-09 00:00:00" }, 6 },
        { "? ? ? ? ?", "2026-01-01 00:00:00", { "2026-01-01 00:01:00" }, 6 },
        { " \t0 0\n* * * ", "2026-01-01 00:00:00",
          { "2026-01-02 00:00:00" }, 0 },
    };

    sluice_zone_fixed(&zone, 0);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (bullmq = 5; bullmq <= 6; bullmq++) {

            if (cases[i].only != 0 && cases[i].only != bullmq) {
                continue;
            }

            assert_int_equal(parse(&cron, bullmq, cases[i].text, &error), 0);
            at = ms(cases[i].after);

            for (n = 0; n < 3 && cases[i].times[n] != NULL; n++) {
                at = sluice_cron_next(&cron, &zone, at);
                assert_int_equal(at, ms(cases[i].times[n]));
            }
        }
    }

    /* parts of a second; the ends of time */

    assert_int_equal(parse(&cron, 6, "* * * * * *", &error), 0);
    assert_int_equal(sluice_cron_next(&cron, &zone, 0), 1000);
    assert_int_equal(sluice_cron_next(&cron, &zone, 1), 1000);
    assert_int_equal(sluice_cron_next(&cron, &zone, 999), 1000);
    assert_int_equal(sluice_cron_next(&cron, &zone, 1000), 2000);
    assert_int_equal(sluice_cron_next(&cron, &zone, -5), 1000);
    assert_int_equal(sluice_cron_next(&cron, &zone, INT64_MIN), 1000);
    assert_int_equal(sluice_cron_next(&cron, &zone, INT64_MAX),
                     SLUICE_CRON_NEVER);
    assert_int_equal(sluice_cron_next(&cron, &zone,
                                      INT64_C(8640000000000000)),
                     INT64_C(8640000000001000));

    /* what the parser would refuse is searched for and not found */

    memset(&cron, 0, sizeof(cron));
    cron.seconds = cron.minutes = cron.hours = 1;
    cron.days = (uint64_t) 1 << 30;
    cron.months = 1 << 2;
    cron.any_weekday = 1;
    assert_int_equal(sluice_cron_next(&cron, &zone, 0), SLUICE_CRON_NEVER);
    cron.months = 0;
    assert_int_equal(sluice_cron_next(&cron, &zone, 0), SLUICE_CRON_NEVER);
    cron.months = 1 << 1;
    cron.hours = 0;
    assert_int_equal(sluice_cron_next(&cron, &zone, 0), SLUICE_CRON_NEVER);
}


#define BERLIN  "CET-1CEST,M3.5.0,M10.5.0/3"
#define CAIRO   "EET-2EEST,M4.5.5/0,M10.5.4/24"
#define LORD    "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"
#define TROLL   "<+00>0<+02>-2,M3.5.0/1,M10.5.0/3"


/* Times in UTC; the clock of the zone beside them */

static void
test_changes(void **state)
{
    size_t               i, len, n;
    int64_t              at;
    uint8_t              data[512];
    sluice_cron_t        cron;
    sluice_zone_t        zone;
    sluice_cron_error_t  error;

    const zone_file_row_t  rows[] = { { 0, 0 } };

    static const struct {
        const char  *rule;
        const char  *text;
        const char  *after;
        const char  *times[4];
    } cases[] = {
        /* 29 March 2026, 02:00 is 03:00 */
        { BERLIN, "30 2 * * *", "2026-03-28 12:00:00",
          { "2026-03-29 01:30:00", "2026-03-30 00:30:00" } },
        { BERLIN, "30 2,3 * * *", "2026-03-28 12:00:00",
          { "2026-03-29 01:30:00", "2026-03-30 00:30:00",
            "2026-03-30 01:30:00" } },
        { BERLIN, "0 * * * *", "2026-03-28 23:30:00",
          { "2026-03-29 00:00:00", "2026-03-29 01:00:00",
            "2026-03-29 02:00:00" } },
        { BERLIN, "15 */2 * * *", "2026-03-29 00:00:00",
          { "2026-03-29 01:15:00", "2026-03-29 02:15:00",
            "2026-03-29 04:15:00" } },
        /* as well when the question comes in the hour behind it */
        { BERLIN, "*/20 2 * * *", "2026-03-29 01:00:00",
          { "2026-03-29 01:20:00", "2026-03-29 01:40:00",
            "2026-03-30 00:00:00" } },

        /* 25 October 2026, 03:00 is 02:00 */
        { BERLIN, "30 2 * * *", "2026-10-24 12:00:00",
          { "2026-10-25 00:30:00", "2026-10-26 01:30:00" } },
        { BERLIN, "*/20 2,3 * * *", "2026-10-25 00:30:00",
          { "2026-10-25 00:40:00", "2026-10-25 02:00:00",
            "2026-10-25 02:20:00" } },
        { BERLIN, "0 * * * *", "2026-10-24 23:30:00",
          { "2026-10-25 00:00:00", "2026-10-25 01:00:00",
            "2026-10-25 02:00:00" } },
        { BERLIN, "*/30 0-23 * * *", "2026-10-25 00:00:00",
          { "2026-10-25 00:30:00", "2026-10-25 01:00:00",
            "2026-10-25 01:30:00", "2026-10-25 02:00:00" } },
        { BERLIN, "30 2 * * *", "2026-10-25 01:10:00",
          { "2026-10-26 01:30:00" } },

        /* 24 April 2026, a Friday that begins at 01:00 */
        { CAIRO, "0 0 * * *", "2026-04-23 12:00:00",
          { "2026-04-23 22:00:00", "2026-04-24 21:00:00" } },
        { CAIRO, "30 0 * * 5", "2026-04-23 12:00:00",
          { "2026-04-23 22:30:00", "2026-04-30 21:30:00" } },
        { CAIRO, "0 0,1 24 4 *", "2026-04-23 12:00:00",
          { "2026-04-23 22:00:00", "2027-04-23 22:00:00",
            "2027-04-23 23:00:00" } },
        /* 29 October, whose last hour comes twice */
        { CAIRO, "30 23 * * *", "2026-10-29 12:00:00",
          { "2026-10-29 20:30:00", "2026-10-30 21:30:00" } },

        /* half an hour: 4 October 2026, 02:00 is 02:30 */
        { LORD, "0 2 * * *", "2026-10-03 12:00:00",
          { "2026-10-03 15:30:00", "2026-10-04 15:00:00" } },
        { LORD, "*/20 2 * * *", "2026-10-03 12:00:00",
          { "2026-10-03 15:30:00", "2026-10-03 15:40:00",
            "2026-10-03 15:50:00", "2026-10-04 15:00:00" } },
        { LORD, "*/30 * * * *", "2026-10-03 15:00:00",
          { "2026-10-03 15:30:00", "2026-10-03 16:00:00" } },
        { LORD, "45 1 * * *", "2026-04-04 12:00:00",
          { "2026-04-04 14:45:00", "2026-04-05 15:15:00" } },
        { LORD, "15 * * * *", "2026-04-04 14:00:00",
          { "2026-04-04 14:15:00", "2026-04-04 15:45:00" } },

        /* two hours: 29 March 2026, 01:00 is 03:00 */
        { TROLL, "30 1,2 * * *", "2026-03-28 12:00:00",
          { "2026-03-29 01:30:00", "2026-03-29 02:30:00",
            "2026-03-29 23:30:00" } },
        { TROLL, "30 1,2 * * *", "2026-10-24 12:00:00",
          { "2026-10-24 23:30:00", "2026-10-25 00:30:00",
            "2026-10-26 01:30:00" } },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        len = zone_file(data, rows, 1, cases[i].rule);
        assert_null(sluice_zone_parse(&zone, data, len));
        assert_int_equal(parse(&cron, 6, cases[i].text, &error), 0);
        at = ms(cases[i].after);

        for (n = 0; n < 4 && cases[i].times[n] != NULL; n++) {
            at = sluice_cron_next(&cron, &zone, at);
            assert_int_equal(at, ms(cases[i].times[n]));
        }
    }
}


/* Samoa had no 30 December 2011: a day that is no day runs nothing */

static void
test_day_line(void **state)
{
    size_t               len;
    int64_t              at;
    uint8_t              data[512];
    sluice_cron_t        cron;
    sluice_zone_t        zone;
    sluice_cron_error_t  error;

    const zone_file_row_t  rows[] = {
        { 0, -10 * 3600 }, { 1325239200, 14 * 3600 }
    };

    len = zone_file(data, rows, 2, "");
    assert_null(sluice_zone_parse(&zone, data, len));

    assert_int_equal(parse(&cron, 6, "0 12 30 12 *", &error), 0);
    at = sluice_cron_next(&cron, &zone, ms("2011-12-29 12:00:00"));
    assert_int_equal(at, ms("2012-12-29 22:00:00"));

    assert_int_equal(parse(&cron, 6, "0 12 * * *", &error), 0);
    at = sluice_cron_next(&cron, &zone, ms("2011-12-29 23:00:00"));
    assert_int_equal(at, ms("2011-12-30 22:00:00"));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_day_line),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("cron", tests, NULL, NULL);
}
