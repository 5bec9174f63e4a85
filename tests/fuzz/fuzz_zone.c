/*
 * Any bytes as a TZif file: nothing outside of them is read; what is taken
 * gives stretches that follow each other, walls that are what the clock shows,
 * and a next time that is later.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "core/cron.h"
#include "core/zone.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check(int ok)
{
    if (!ok) {
        abort();
    }
}


static int64_t
wall_of(const sluice_zone_t *zone, int64_t utc)
{
    sluice_zone_span_t  span;

    sluice_zone_span(zone, utc, &span);
    check(span.from <= utc && utc < span.until);
    check(span.offset >= -93600 && span.offset <= 93600);

    return utc + span.offset;
}


static void
check_wall(const sluice_zone_t *zone, int64_t wall)
{
    int64_t             first, second;
    sluice_zone_wall_e  rc;

    rc = sluice_zone_utc(zone, wall, &first, &second);

    if (rc == SLUICE_ZONE_SKIPPED) {
        check(first > second);
        check(wall_of(zone, first) != wall && wall_of(zone, second) != wall);
        return;
    }

    check(wall_of(zone, first) == wall && wall_of(zone, second) == wall);
    check(rc == SLUICE_ZONE_ONCE ? first == second : first < second);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                  i;
    int64_t              at, next, utc;
    const char          *error;
    sluice_cron_t        cron;
    sluice_zone_t        zone;
    sluice_zone_span_t   span;
    sluice_cron_error_t  wrong;

    static const char  *const patterns[] = {
        "30 2 * * *", "0 0 0 29 2 *", "15 * * * *", "0 0,1,23 1 * *"
    };

    error = sluice_zone_parse(&zone, data, size);

    if (error != NULL) {
        check(error[0] != '\0');
        return 0;
    }

    utc = 0;

    for (i = 0; i < 300; i++) {
        sluice_zone_span(&zone, utc, &span);
        check(span.from <= utc && utc < span.until);
        check_wall(&zone, utc + span.offset);

        if (span.until == INT64_MAX || span.until > INT64_C(1) << 53) {
            break;
        }

        check_wall(&zone, span.until + span.offset);
        check_wall(&zone, span.until + span.offset - 1);
        utc = span.until;
        sluice_zone_span(&zone, utc, &span);
        check(span.from == utc);
    }

    for (i = 0; i < 4; i++) {
        check(sluice_cron_parse(&cron, 6, patterns[i], strlen(patterns[i]),
                                &wrong)
              == 0);
        at = INT64_C(1767225600000);
        next = sluice_cron_next(&cron, &zone, at);

        if (next != SLUICE_CRON_NEVER) {
            check(next > at && next % 1000 == 0);

            /* there is nothing between them */

            check(sluice_cron_next(&cron, &zone, next - 1) == next);
            check(sluice_cron_next(&cron, &zone, at + (next - at) / 2)
                  == next);
        }
    }

    return 0;
}
