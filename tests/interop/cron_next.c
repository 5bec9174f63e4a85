/*
 * What core/cron says, a line a question: "BULLMQ\tPATTERN\tZONE\tMS\tTIMES"
 * on standard input, answered by the next TIMES times after MS, "never" after
 * the last there is, or "error: FIELD at BYTE: WHAT".
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/cron.h"
#include "worker/zones.h"


static void
answer(zones_t *zones, char *line)
{
    int                    n, times;
    char                  *field[5];
    int64_t                at;
    const char            *error;
    sluice_cron_t          cron;
    const sluice_zone_t   *zone;
    sluice_cron_error_t    wrong;

    for (n = 0; n < 5; n++) {
        field[n] = strsep(&line, n < 4 ? "\t" : "\n");

        if (field[n] == NULL) {
            printf("error: five fields, please\n");
            return;
        }
    }

    if (sluice_cron_parse(&cron, atoi(field[0]), field[1], strlen(field[1]),
                          &wrong)
        != 0)
    {
        printf("error: %s at %zu: %s\n", wrong.field, wrong.at, wrong.what);
        return;
    }

    zone = zones_get(zones, field[2], strlen(field[2]), &error);

    if (zone == NULL) {
        printf("error: zone: %s\n", error);
        return;
    }

    at = strtoll(field[3], NULL, 10);

    for (times = atoi(field[4]); times > 0; times--) {
        at = sluice_cron_next(&cron, zone, at);

        if (at == SLUICE_CRON_NEVER) {
            printf("never ");
            break;
        }

        printf("%" PRId64 " ", at);
    }

    putchar('\n');
}


int
main(void)
{
    char      line[4096];
    zones_t  *zones;

    zones = zones_open(ZONES_DIR);

    if (zones == NULL) {
        return 1;
    }

    while (fgets(line, sizeof(line), stdin) != NULL) {
        answer(zones, line);
    }

    zones_close(zones);

    return ferror(stdin) ? 1 : 0;
}
