#include "core/cron.h"
#include "core/date.h"


#define SLUICE_CRON_NONE     INT64_MAX

/* 29 February of one weekday: 28 years, and 40 over a year like 2100 */
#define SLUICE_CRON_HORIZON  (INT64_C(48) * 366 * SLUICE_DATE_DAY)

/* the last time that a JavaScript Date can hold */
#define SLUICE_CRON_LAST     INT64_C(8640000000000000)

#define SLUICE_CRON_HOURS    ((UINT64_C(1) << 24) - 1)


/* The first value from n on, -1 when there is none. */

static int
sluice_cron_from(uint64_t values, int n)
{
    if (n > 63 || values >> n == 0) {
        return -1;
    }

    return n + __builtin_ctzll(values >> n);
}


/* The first matching second of a day from `second` on, or -1 */

static int
sluice_cron_second(const sluice_cron_t *cron, int second)
{
    int  h, m, s;

    h = second / 3600;
    m = second / 60 % 60;
    s = second % 60;

    if (cron->hours >> h & 1) {

        if (cron->minutes >> m & 1) {
            s = sluice_cron_from(cron->seconds, s);

            if (s >= 0) {
                return h * 3600 + m * 60 + s;
            }
        }

        m = sluice_cron_from(cron->minutes, m + 1);

        if (m >= 0) {
            return h * 3600 + m * 60 + sluice_cron_from(cron->seconds, 0);
        }
    }

    h = sluice_cron_from(cron->hours, h + 1);

    if (h < 0) {
        return -1;
    }

    return h * 3600 + sluice_cron_from(cron->minutes, 0) * 60
           + sluice_cron_from(cron->seconds, 0);
}


static int
sluice_cron_day(const sluice_cron_t *cron, const sluice_date_t *date,
    int weekday)
{
    int  by_day, by_weekday, longest, nth;

    longest = sluice_date_of_month(date->year, date->month);
    nth = (cron->nth == 0 || (date->day + 6) / 7 == cron->nth);

    by_day = ((cron->days >> date->day & 1)
              || (cron->last_day && date->day == longest))
             && (nth || !cron->nth_day);

    by_weekday = ((cron->weekdays >> weekday & 1) && nth)
                 || ((cron->last_weekdays >> weekday & 1)
                     && date->day > longest - 7);

    if (cron->any_weekday) {
        return by_day;
    }

    return by_weekday || (!cron->any_day && by_day);
}


/* The first matching wall time of [from, until), or NONE */

static int64_t
sluice_cron_wall(const sluice_cron_t *cron, int64_t from, int64_t until)
{
    int            second;
    int64_t        day, wall;
    sluice_date_t  date;

    day = (from >= 0 ? from : from - SLUICE_DATE_DAY + 1) / SLUICE_DATE_DAY;
    second = (int) (from - day * SLUICE_DATE_DAY);
    date = sluice_date(day);

    while (day * SLUICE_DATE_DAY < until) {

        if (!(cron->months >> date.month & 1)) {
            day += sluice_date_of_month(date.year, date.month) - date.day + 1;
            date = sluice_date(day);
            second = 0;
            continue;
        }

        if (sluice_cron_day(cron, &date, sluice_date_weekday(day))) {
            second = sluice_cron_second(cron, second);

            if (second >= 0) {
                wall = day * SLUICE_DATE_DAY + second;
                return wall < until ? wall : SLUICE_CRON_NONE;
            }
        }

        second = 0;
        day++;

        if (++date.day > sluice_date_of_month(date.year, date.month)) {
            date = sluice_date(day);
        }
    }

    return SLUICE_CRON_NONE;
}


/*
 * The first time from `from` on, before `until`, in a stretch of one offset
 * that the offset `before` came before.
 */

static int64_t
sluice_cron_span(const sluice_cron_t *cron, const sluice_zone_span_t *span,
    int32_t before, int64_t from, int64_t until)
{
    int64_t  change, late, time, wall;

    late = SLUICE_CRON_NONE;
    change = (int64_t) span->offset - before;

    if (cron->hours != SLUICE_CRON_HOURS) {

        /*
         * What was skipped, by the clock as it was; a skipped day (Samoa's 30
         * December 2011) is no day of that year.
         */

        if (change > 0 && change < SLUICE_DATE_DAY
            && from < span->from + change)
        {
            wall = sluice_cron_wall(cron, from + before,
                                    span->from + span->offset);

            if (wall != SLUICE_CRON_NONE && wall - before < until) {
                late = wall - before;
            }
        }

        /* what was shown before runs no second time */

        if (change < 0 && from < span->from - change) {
            from = span->from - change;
        }
    }

    if (from >= until) {
        return late;
    }

    wall = sluice_cron_wall(cron, from + span->offset, until + span->offset);
    time = (wall == SLUICE_CRON_NONE) ? wall : wall - span->offset;

    return time < late ? time : late;
}


int64_t
sluice_cron_next(const sluice_cron_t *cron, const sluice_zone_t *zone,
    int64_t after)
{
    int32_t             before;
    int64_t             from, horizon, time, until;
    sluice_zone_span_t  past, span;

    if (after < 0) {
        after = 0;
    }

    if (after > SLUICE_CRON_LAST) {
        return SLUICE_CRON_NEVER;
    }

    from = after / 1000 + 1;
    horizon = from + SLUICE_CRON_HORIZON;

    sluice_zone_span(zone, from, &span);
    before = span.offset;

    if (span.from != INT64_MIN) {
        sluice_zone_span(zone, span.from - 1, &past);
        before = past.offset;
    }

    for ( ;; ) {
        until = span.until < horizon ? span.until : horizon;
        time = sluice_cron_span(cron, &span, before, from, until);

        if (time != SLUICE_CRON_NONE) {
            return time * 1000;
        }

        if (until == horizon) {
            return SLUICE_CRON_NEVER;
        }

        before = span.offset;
        from = until;
        sluice_zone_span(zone, from, &span);
    }
}
