/*
 * Cron patterns: when is the next time?  Pure, nothing is allocated.
 *
 * The patterns are those of cron-parser as BullMQ uses it, 4.9 in BullMQ 5 and
 * 5.10 in BullMQ 6, so that a scheduler goes on whoever takes its job; a
 * queue's major says by which of the two.  tests/interop/cron.js compares.
 *
 *   [second] minute hour day-of-month month day-of-week
 *
 *   *        each value; ? the same in the days, in BullMQ 6 in all fields
 *   1,3-5    lists and ranges, from low to high
 *   8/2      each 2nd from 8 on, and so 1-9/3 and * with a step
 *   JAN-DEC  names of months, SUN-SAT of weekdays, in any case; 0 and 7 are
 *            Sunday
 *   L        in day-of-month: the last day; 5L in day-of-week: the last Friday
 *   5#2      in day-of-week, alone: the second Friday
 *
 *   @yearly @monthly @weekly @daily @hourly; in BullMQ 6 also @annually
 *   @minutely @secondly @weekdays @weekends
 *
 * Where neither of the two days is *, one of them is enough: "0 0 13 * 5" is
 * the 13th and each Friday.  In BullMQ 5 "5#2" is stronger and rules out days
 * of the month in other weeks; and all days written out are a *.
 *
 * Refused, though cron-parser takes them for something: less than five fields
 * (it puts "0" and "*" before them), H (a random time, BullMQ 6), and what
 * only looks like a pattern: "1-2-3", "5*", "*L", "5L-6", "1L" as a day of the
 * month, MON as a month.
 */

#ifndef SLUICE_CORE_CRON_H
#define SLUICE_CORE_CRON_H

#include <stddef.h>
#include <stdint.h>
#include "core/zone.h"


#define SLUICE_CRON_NEVER  (-1)


typedef struct {
    uint64_t     seconds;        /* bit n is the value n */
    uint64_t     minutes;
    uint64_t     hours;
    uint64_t     days;           /* 1 to 31 */
    uint64_t     months;         /* 1 to 12 */
    uint64_t     weekdays;       /* 0 to 6, Sunday is 0 */
    uint64_t     last_weekdays;  /* the last such weekday of the month */
    int          nth;            /* only the nth of the month; 0: each */
    int          nth_day;        /* that holds for days of the month, too */
    int          last_day;       /* the last day of the month as well */
    int          any_day;        /* the day of the month does not matter */
    int          any_weekday;    /* the day of the week does not matter */
} sluice_cron_t;

typedef struct {
    const char  *field;          /* "minute", ..., or "pattern" */
    size_t       at;             /* byte of the text, from 0 */
    const char  *what;
} sluice_cron_error_t;


/*
 * `bullmq` is the major, 5 or 6.  Returns 0, or -1 with the error filled in.
 * A day that no month of the pattern has ("0 0 30 2 *") is an error.
 */
int sluice_cron_parse(sluice_cron_t *cron, int bullmq, const char *text,
    size_t len, sluice_cron_error_t *error);

/*
 * The first time after `after`, both in ms since 1970, `after` from 0 on; or
 * SLUICE_CRON_NEVER when there is none in 48 years, which is longer than any
 * date takes to come again.
 *
 * When the clock is set forward, what it skips runs as much later: 02:30 at
 * 03:30, once where two meet.  When it is set back, what is shown twice runs
 * the first time only.  A pattern of every hour just goes on, with the time
 * that passes, in both.
 */
int64_t sluice_cron_next(const sluice_cron_t *cron, const sluice_zone_t *zone,
    int64_t after);


#endif
