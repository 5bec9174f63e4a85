/*
 * Any text as a cron pattern, behind a byte that says of which major and where
 * the search begins: an error names a place in the text; a next time is later,
 * is what the pattern says, and nothing lies before it.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "core/cron.h"
#include "core/date.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check(int ok)
{
    if (!ok) {
        abort();
    }
}


static void
check_time(const sluice_cron_t *cron, int64_t at)
{
    int            of_day;
    int64_t        day;
    sluice_date_t  date;

    check(at % 1000 == 0);
    day = at / 1000 / SLUICE_DATE_DAY;
    of_day = (int) (at / 1000 % SLUICE_DATE_DAY);
    date = sluice_date(day);

    check(cron->seconds >> (of_day % 60) & 1);
    check(cron->minutes >> (of_day / 60 % 60) & 1);
    check(cron->hours >> (of_day / 3600) & 1);
    check(cron->months >> date.month & 1);
    check((cron->days >> date.day & 1) || cron->last_day
          || !cron->any_weekday);
    check(((cron->weekdays | cron->last_weekdays) >> sluice_date_weekday(day)
           & 1)
          || !cron->any_day || cron->any_weekday);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                  bullmq, i;
    int64_t              at, next;
    const char          *text;
    sluice_cron_t        cron;
    sluice_zone_t        zone;
    sluice_cron_error_t  error;

    if (size == 0) {
        return 0;
    }

    bullmq = 5 + (data[0] & 1);
    at = INT64_C(1767225600000) + (int64_t) (data[0] >> 1) * 54321987;
    text = (const char *) data + 1;
    size--;

    memset(&error, 0, sizeof(error));

    if (sluice_cron_parse(&cron, bullmq, text, size, &error) != 0) {
        check(error.field != NULL && error.what != NULL && error.at <= size);
        return 0;
    }

    sluice_zone_fixed(&zone, 0);

    for (i = 0; i < 3; i++) {
        next = sluice_cron_next(&cron, &zone, at);

        if (next == SLUICE_CRON_NEVER) {
            break;
        }

        check(next > at);
        check_time(&cron, next);
        check(sluice_cron_next(&cron, &zone, next - 1) == next);
        check(sluice_cron_next(&cron, &zone, at + (next - at) / 2) == next);
        at = next;
    }

    return 0;
}
