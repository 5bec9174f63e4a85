#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "core/date.h"
#include "core/zone.h"
#include "tests/unit/zone_file.h"
#include "worker/zones.h"


#define HOUR    3600
#define BERLIN  "CET-1CEST,M3.5.0,M10.5.0/3"


static int64_t
utc(int64_t year, int month, int day, int hour, int minute)
{
    return sluice_date_days(year, month, day) * SLUICE_DATE_DAY + hour * HOUR
           + minute * 60;
}


/* The bytes end where the heap's do; they are the caller's to free. */

static const char *
parse(sluice_zone_t *zone, uint8_t **bytes, const uint8_t *data, size_t len)
{
    *bytes = malloc(len + 1);
    assert_non_null(*bytes);
    memcpy(*bytes + 1, data, len);

    return sluice_zone_parse(zone, *bytes + 1, len);
}


static void
test_dates(void **state)
{
    int            length;
    int64_t        day, expected;
    sluice_date_t  date;

    assert_int_equal(sluice_date_days(1970, 1, 1), 0);
    assert_int_equal(sluice_date_days(2000, 3, 1), 11017);
    assert_int_equal(sluice_date_weekday(0), 4);
    assert_int_equal(sluice_date_weekday(-1), 3);
    assert_int_equal(sluice_date_weekday(-5), 6);

    /* 900 years, a day after the other */

    date = sluice_date(sluice_date_days(1500, 1, 1));
    expected = sluice_date_days(1500, 1, 1);

    while (date.year < 2400) {
        day = sluice_date_days(date.year, date.month, date.day);
        assert_int_equal(day, expected++);

        length = sluice_date_of_month(date.year, date.month);

        if (++date.day > length) {
            date.day = 1;

            if (++date.month > 12) {
                date.month = 1;
                date.year++;
            }
        }

        assert_int_equal(sluice_date(day + 1).year, date.year);
        assert_int_equal(sluice_date(day + 1).month, date.month);
        assert_int_equal(sluice_date(day + 1).day, date.day);
    }
}


static void
test_rules(void **state)
{
    size_t         i, len;
    uint8_t        data[512], *bytes;
    const char    *error;
    sluice_zone_t  zone;

    const zone_file_row_t  rows[] = { { 0, 0 } };

    static const struct {
        const char  *rule;
        const char  *error;    /* part of it, or NULL */
    } cases[] = {
        { "", NULL },
        { "UTC0", NULL },
        { "<+0545>-5:45", NULL },
        { "<-03>3", NULL },
        { BERLIN, NULL },
        { "EST5EDT,M3.2.0,M11.1.0", NULL },
        { "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", NULL },
        { "IST-2IDT,M3.4.4/26,M10.5.0", NULL },
        { "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", NULL },
        { "XXX3EDT4,0/0,J365/23", NULL },
        { "AAA-24BBB-24:59:59,J1/-167:59:59,365/167", NULL },
        { "0", "no standard time" },
        { "UT0", "no standard time" },
        { "UTC", "no standard time" },
        { "UTC25", "no standard time" },
        { "UTC+-1", "no standard time" },
        { "UTC1:60", "no standard time" },
        { "UTC1:00:60", "no standard time" },
        { "UTC1:", "no standard time" },
        { "<UTC0", "no standard time" },
        { "<U>0", "no standard time" },
        { "U1C0", "no standard time" },
        { "CET-1CEST", "when summer time" },
        { "CET-1,M3.5.0,M10.5.0/3", "name of summer time" },
        { "CET-1CEST-,M3.5.0,M10.5.0/3", "bad summer time" },
        { "CET-1CEST,M3.5.0", "when summer time" },
        { "CET-1CEST,M3.5.0,", "when summer time" },
        { "CET-1CEST,M3.5.0,M10.5.0/", "when summer time" },
        { "CET-1CEST,M3.5.0,M10.5.0/168", "when summer time" },
        { "CET-1CEST,M13.5.0,M10.5.0", "when summer time" },
        { "CET-1CEST,M0.5.0,M10.5.0", "when summer time" },
        { "CET-1CEST,M3.6.0,M10.5.0", "when summer time" },
        { "CET-1CEST,M3.0.0,M10.5.0", "when summer time" },
        { "CET-1CEST,M3.5.7,M10.5.0", "when summer time" },
        { "CET-1CEST,M3.5,M10.5.0", "when summer time" },
        { "CET-1CEST,J0,J1", "when summer time" },
        { "CET-1CEST,J366,J1", "when summer time" },
        { "CET-1CEST,366,1", "when summer time" },
        { "CET-1CEST,M3.5.0,M10.5.0/3 ", "when summer time" },
        { "CET-99999999999999999999", "no standard time" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        len = zone_file(data, rows, 1, cases[i].rule);
        error = parse(&zone, &bytes, data, len);

        if (cases[i].error == NULL) {
            assert_null(error);

        } else {
            assert_non_null(error);
            assert_non_null(strstr(error, cases[i].error));
        }

        free(bytes);
    }
}


static void
test_bad_files(void **state)
{
    size_t         i, len;
    uint8_t        data[512], *bytes;
    const char    *error;
    sluice_zone_t  zone;

    const zone_file_row_t  rows[] = { { 0, 0 }, { 10, 60 }, { 20, 90 } };

    /* one byte of the file: which, its value */

    static const struct {
        size_t       at;
        uint8_t      byte;
        const char  *error;
    } cases[] = {
        { 0, 't', "no TZif file" },
        { 36, 1, "no TZif file" },         /* 2^24 types in the first part */
        { 39, 0, "no TZif file" },
        { 39, 2, "64 bits" },
        { 51, 't', "64 bits" },
        { 51 + 28, 0xff, "64 bits" },      /* leap seconds, times, types */
        { 51 + 32, 0xff, "64 bits" },
        { 51 + 36, 0xff, "64 bits" },
        { 51 + 39, 0, "64 bits" },
        { 51 + 44 + 7, 20, "ascend" },
        { 51 + 44 + 7, 21, "ascend" },
        { 51 + 44 + 8, 0x80, "ascend" },
        { 51 + 44 + 16, 3, "no type" },
        { 51 + 44 + 18, 1, "26 hours" },
        { 51 + 44 + 18, 0xff, "26 hours" },
    };

    len = zone_file(data, rows, 3, "UTC0");
    assert_null(parse(&zone, &bytes, data, len));
    free(bytes);

    /* any piece of it */

    for (i = 0; i < len; i++) {
        assert_non_null(parse(&zone, &bytes, data, i));
        free(bytes);
    }

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        len = zone_file(data, rows, 3, "UTC0");
        data[cases[i].at] = cases[i].byte;
        error = parse(&zone, &bytes, data, len);

        assert_non_null(error);
        assert_non_null(strstr(error, cases[i].error));
        free(bytes);
    }

    /* leap seconds that fit */

    memset(data, 0, sizeof(data));
    memcpy(data, "TZif", 4);
    data[31] = 1;
    data[39] = 1;
    error = parse(&zone, &bytes, data, 44 + 6 + 8);
    assert_non_null(strstr(error, "leap seconds"));
    free(bytes);

    /* version 1: 32 bits and no rule */

    memset(data, 0, sizeof(data));
    memcpy(data, "TZif", 4);
    data[35] = 1;
    data[39] = 2;
    memset(data + 44, 0xff, 4);    /* at -1 */
    data[48] = 1;
    data[49 + 6 + 3] = 60;
    assert_null(parse(&zone, &bytes, data, 44 + 5 + 12));
    assert_int_equal(zone.width, 4);

    {
        sluice_zone_span_t  span;

        sluice_zone_span(&zone, -2, &span);
        assert_int_equal(span.offset, 0);
        assert_int_equal(span.until, -1);
        sluice_zone_span(&zone, -1, &span);
        assert_int_equal(span.offset, 60);
        assert_int_equal(span.from, -1);
        assert_int_equal(span.until, INT64_MAX);
    }

    free(bytes);
}


static void
test_spans(void **state)
{
    size_t              i, len;
    uint8_t             data[512];
    sluice_zone_t       zone;
    sluice_zone_span_t  span;

    const zone_file_row_t  rows[] = {
        { 0, 3208 }, { utc(1893, 3, 31, 23, 0), HOUR },
        { utc(2020, 3, 29, 1, 0), 2 * HOUR }
    };

    const struct {
        const char  *rule;
        int64_t      at;
        int32_t      offset;
        int64_t      from;
        int64_t      until;
    } cases[] = {
        { BERLIN, utc(1800, 1, 1, 0, 0), 3208, INT64_MIN, rows[1].at },
        { BERLIN, rows[1].at - 1, 3208, INT64_MIN, rows[1].at },
        { BERLIN, rows[1].at, HOUR, rows[1].at, rows[2].at },
        { BERLIN, rows[2].at, 2 * HOUR, rows[2].at, utc(2020, 10, 25, 1, 0) },
        { BERLIN, utc(2026, 3, 29, 0, 59), HOUR, utc(2025, 10, 26, 1, 0),
          utc(2026, 3, 29, 1, 0) },
        { BERLIN, utc(2026, 3, 29, 1, 0), 2 * HOUR, utc(2026, 3, 29, 1, 0),
          utc(2026, 10, 25, 1, 0) },
        { BERLIN, utc(3026, 7, 1, 0, 0), 2 * HOUR, utc(3026, 3, 26, 1, 0),
          utc(3026, 10, 29, 1, 0) },
        { "", utc(2026, 7, 1, 0, 0), 2 * HOUR, rows[2].at, INT64_MAX },
        { "CET-1", utc(2026, 7, 1, 0, 0), HOUR, rows[2].at, INT64_MAX },

        /* the other half of the earth: summer over the turn of the year */
        { "NZST-12NZDT,M9.5.0,M4.1.0/3", utc(2026, 1, 1, 0, 0), 13 * HOUR,
          utc(2025, 9, 27, 14, 0), utc(2026, 4, 4, 14, 0) },
        /* on the last Sunday, at minus one o'clock: on Saturday */
        { "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", utc(2026, 7, 1, 0, 0), -HOUR,
          utc(2026, 3, 29, 1, 0), utc(2026, 10, 25, 1, 0) },
        /* J does not count 29 February, the bare number does */
        { "AAA0BBB,J60/0,J300/0", utc(2024, 3, 1, 0, 0), HOUR,
          utc(2024, 3, 1, 0, 0), utc(2024, 10, 26, 23, 0) },
        { "AAA0BBB,J59/0,J300/0", utc(2024, 2, 29, 0, 0), HOUR,
          utc(2024, 2, 28, 0, 0), utc(2024, 10, 26, 23, 0) },
        { "AAA0BBB,59/0,J300/0", utc(2024, 2, 29, 0, 0), HOUR,
          utc(2024, 2, 29, 0, 0), utc(2024, 10, 26, 23, 0) },
        /* summer for ever */
        { "XXX3EDT2,0/0,J365/25", utc(2030, 1, 1, 3, 0), -2 * HOUR,
          utc(2030, 1, 1, 3, 0), utc(2031, 1, 1, 3, 0) },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        len = zone_file(data, rows, 3, cases[i].rule);
        assert_null(sluice_zone_parse(&zone, data, len));
        sluice_zone_span(&zone, cases[i].at, &span);

        assert_int_equal(span.offset, cases[i].offset);
        assert_int_equal(span.from, cases[i].from);
        assert_int_equal(span.until, cases[i].until);
    }

    sluice_zone_fixed(&zone, -HOUR);
    sluice_zone_span(&zone, 0, &span);
    assert_int_equal(span.offset, -HOUR);
    assert_int_equal(span.from, INT64_MIN);
    assert_int_equal(span.until, INT64_MAX);
}


static void
test_wall(void **state)
{
    size_t         i, len;
    int64_t        first, second;
    uint8_t        data[512];
    sluice_zone_t  zone;

    const zone_file_row_t  rows[] = {
        { 0, -10 * HOUR }, { utc(2011, 12, 30, 10, 0), 14 * HOUR },
        { utc(2020, 1, 1, 0, 0), HOUR }
    };

    const struct {
        int64_t             wall;
        sluice_zone_wall_e  rc;
        int64_t             first;
        int64_t             second;
    } cases[] = {
        { utc(2026, 3, 29, 1, 59), SLUICE_ZONE_ONCE, utc(2026, 3, 29, 0, 59),
          utc(2026, 3, 29, 0, 59) },
        { utc(2026, 3, 29, 2, 0), SLUICE_ZONE_SKIPPED, utc(2026, 3, 29, 1, 0),
          utc(2026, 3, 29, 0, 0) },
        { utc(2026, 3, 29, 2, 59), SLUICE_ZONE_SKIPPED, utc(2026, 3, 29, 1, 59),
          utc(2026, 3, 29, 0, 59) },
        { utc(2026, 3, 29, 3, 0), SLUICE_ZONE_ONCE, utc(2026, 3, 29, 1, 0),
          utc(2026, 3, 29, 1, 0) },
        { utc(2026, 10, 25, 1, 59), SLUICE_ZONE_ONCE, utc(2026, 10, 24, 23, 59),
          utc(2026, 10, 24, 23, 59) },
        { utc(2026, 10, 25, 2, 0), SLUICE_ZONE_TWICE, utc(2026, 10, 25, 0, 0),
          utc(2026, 10, 25, 1, 0) },
        { utc(2026, 10, 25, 2, 59), SLUICE_ZONE_TWICE,
          utc(2026, 10, 25, 0, 59), utc(2026, 10, 25, 1, 59) },
        { utc(2026, 10, 25, 3, 0), SLUICE_ZONE_ONCE, utc(2026, 10, 25, 2, 0),
          utc(2026, 10, 25, 2, 0) },

        /* a day that never was */
        { utc(2011, 12, 30, 12, 0), SLUICE_ZONE_SKIPPED,
          utc(2011, 12, 30, 22, 0), utc(2011, 12, 29, 22, 0) },
        { utc(2011, 12, 31, 0, 0), SLUICE_ZONE_ONCE, utc(2011, 12, 30, 10, 0),
          utc(2011, 12, 30, 10, 0) },
    };

    len = zone_file(data, rows, 3, BERLIN);
    assert_null(sluice_zone_parse(&zone, data, len));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(sluice_zone_utc(&zone, cases[i].wall, &first,
                                         &second),
                         cases[i].rc);
        assert_int_equal(first, cases[i].first);
        assert_int_equal(second, cases[i].second);
    }
}


static void
test_names(void **state)
{
    size_t         i;
    sluice_zone_t  zone;

    static const struct {
        const char  *name;
        int          good;
        int          known;
        int32_t      offset;
    } cases[] = {
        { "Europe/Berlin", 1, 0, 0 },
        { "America/Argentina/Buenos_Aires", 1, 0, 0 },
        { "Etc/GMT+3", 1, 0, 0 },
        { "UTC", 1, 1, 0 },
        { "utc", 1, 1, 0 },
        { "UTC+3", 1, 1, 3 * HOUR },
        { "UTC-03", 1, 1, -3 * HOUR },
        { "UTC+14", 1, 1, 14 * HOUR },
        { "utc-3:30", 0, 1, -3 * HOUR - 1800 },
        { "UTC+05:45", 0, 1, 5 * HOUR + 2700 },
        { "UTC+", 1, 0, 0 },
        { "UTC3", 1, 0, 0 },
        { "UTC+123", 1, 0, 0 },
        { "UTC+25", 1, 0, 0 },
        { "UTC+1:5", 0, 0, 0 },
        { "UTC+1:60", 0, 0, 0 },
        { "UTC+:30", 0, 0, 0 },
        { "UTC+1:300", 0, 0, 0 },
        { "UTC+1x", 1, 0, 0 },
        { "", 0, 0, 0 },
        { "/", 0, 0, 0 },
        { "/etc/passwd", 0, 0, 0 },
        { "Europe/", 0, 0, 0 },
        { "Europe//Berlin", 0, 0, 0 },
        { "..", 0, 0, 0 },
        { "../etc/passwd", 0, 0, 0 },
        { "Europe/../../x", 0, 0, 0 },
        { "zone.tab", 0, 0, 0 },
        { "Europe/Berlin ", 0, 0, 0 },
        { "Europe\\Berlin", 0, 0, 0 },
        { "Europe/Z\xc3\xbcrich", 0, 0, 0 },
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          1, 0, 0 },
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          0, 0, 0 },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(sluice_zone_name(cases[i].name,
                                          strlen(cases[i].name)),
                         cases[i].good);
        assert_int_equal(sluice_zone_known(&zone, cases[i].name,
                                           strlen(cases[i].name)),
                         cases[i].known);

        if (cases[i].known) {
            assert_int_equal(zone.standard, cases[i].offset);
        }
    }

    assert_false(sluice_zone_name("a\0b", 3));
}


/* The zones of this machine, beside its C library */

static void
test_library(void **state)
{
    int                   n;
    size_t                i;
    time_t                at;
    zones_t              *zones;
    uint64_t              random;
    struct tm             tm;
    const char           *error;
    sluice_zone_span_t    span;
    const sluice_zone_t  *zone;

    static const char  *names[] = {
        "UTC", "Europe/Berlin", "Europe/Dublin", "Europe/London",
        "America/New_York", "America/Sao_Paulo", "America/St_Johns",
        "America/Santiago", "America/Nuuk", "Asia/Gaza", "Asia/Kathmandu",
        "Asia/Jerusalem", "Africa/Casablanca", "Africa/Cairo",
        "Africa/Monrovia", "Antarctica/Troll", "Australia/Lord_Howe",
        "Pacific/Apia", "Pacific/Chatham", "EST5EDT", "Etc/GMT+3"
    };

    zones = zones_open(ZONES_DIR);
    assert_non_null(zones);
    random = 1;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(setenv("TZ", names[i], 1), 0);
        tzset();

        zone = zones_get(zones, names[i], strlen(names[i]), &error);
        assert_non_null(zone);

        for (n = 0; n < 5000; n++) {
            random = random * 6364136223846793005 + 1442695040888963407;

            /* 1850 to 2200 */

            at = (time_t) (utc(1850, 1, 1, 0, 0)
                           + (int64_t) ((random >> 20)
                                        % (350ull * 366 * 86400)));
            assert_non_null(localtime_r(&at, &tm));
            sluice_zone_span(zone, at, &span);

            assert_true(span.from <= at && at < span.until);
            assert_int_equal(span.offset, tm.tm_gmtoff);

            /* and at its ends */

            if (span.until != INT64_MAX) {
                at = (time_t) span.until;
                assert_non_null(localtime_r(&at, &tm));
                sluice_zone_span(zone, at, &span);
                assert_int_equal(span.from, at);
                assert_int_equal(span.offset, tm.tm_gmtoff);
            }
        }
    }

    unsetenv("TZ");
    tzset();
    zones_close(zones);
}


static void
test_zones(void **state)
{
    int                   i;
    char                  name[32];
    zones_t              *zones;
    const char           *error;
    const sluice_zone_t  *zone;

    zones = zones_open(ZONES_DIR);
    assert_non_null(zones);

    zone = zones_get(zones, "Europe/Berlin", 13, &error);
    assert_non_null(zone);
    assert_ptr_equal(zones_get(zones, "Europe/Berlin", 13, &error), zone);
    assert_non_null(zones_get(zones, "", 0, &error));

    assert_null(zones_get(zones, "../passwd", 9, &error));
    assert_string_equal(error, "that is no name of a time zone");
    assert_null(zones_get(zones, "Mars/Olympus", 12, &error));
    assert_string_equal(error, "there is no such time zone");
    assert_null(zones_get(zones, "Europe", 6, &error));
    assert_string_equal(error, "there is no such time zone");
    assert_null(zones_get(zones, "leapseconds", 11, &error));
    assert_string_equal(error, "it is no TZif file");

    /* more than are kept, all right; what failed has driven none out */

    assert_ptr_equal(zones_get(zones, "Europe/Berlin", 13, &error), zone);

    for (i = -99; i < 99; i++) {
        snprintf(name, sizeof(name), "UTC%+03d:%02d", i % 14, (i + 99) / 4);
        zone = zones_get(zones, name, strlen(name), &error);
        assert_non_null(zone);
    }

    zone = zones_get(zones, "Europe/Berlin", 13, &error);
    assert_non_null(zone);
    assert_int_equal(zone->summer, 2 * HOUR);

    /* the longest unused goes, not the last */

    assert_ptr_not_equal(zones_get(zones, "Asia/Tokyo", 10, &error), zone);
    assert_ptr_equal(zones_get(zones, "Europe/Berlin", 13, &error), zone);
    assert_int_equal(zone->summer, 2 * HOUR);

    zones_close(zones);
    zones_close(NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_spans),
        cmocka_unit_test(test_wall),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_library),
        cmocka_unit_test(test_zones),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}
