#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include "worker/scheduler.h"


/* ms of its iteration, from the id "repeat:<scheduler>:<ms>"; -1 none */

static int64_t
scheduler_prev(const job_t *job)
{
    char        *end;
    size_t       len;
    int64_t      ms;
    const char  *p;

    static const char  head[] = "repeat:";

    len = strlen(job->scheduler);
    p = job->id;

    if (strncmp(p, head, sizeof(head) - 1) != 0) {
        return -1;
    }

    p += sizeof(head) - 1;

    if (strncmp(p, job->scheduler, len) != 0 || p[len] != ':'
        || p[len + 1] < '0' || p[len + 1] > '9')
    {
        return -1;
    }

    ms = strtoll(p + len + 1, &end, 10);

    return (*end == '\0') ? ms : -1;
}


/* a number of ms or of iterations; 0 when it is not there */

static int
scheduler_number(json_t *repeat, const char *name, int64_t *number,
    char *error, size_t size)
{
    double   value;
    json_t  *option;

    *number = 0;
    option = json_object_get(repeat, name);

    if (option == NULL || json_is_null(option)) {
        return 0;
    }

    value = json_number_value(option);

    if (!json_is_number(option) || value < 0 || value > 9007199254740991.0) {
        snprintf(error, size, "%s is not a number from 0 on", name);
        return -1;
    }

    *number = value;

    return 0;
}


static int
scheduler_pattern(sluice_schedule_t *schedule, sluice_cron_t *cron,
    zones_t *zones, int bullmq, json_t *repeat, char *error, size_t size)
{
    json_t               *pattern, *tz;
    const char           *what;
    sluice_cron_error_t   wrong;

    pattern = json_object_get(repeat, "pattern");
    tz = json_object_get(repeat, "tz");

    if (pattern == NULL || json_is_null(pattern)) {
        return 0;
    }

    if (!json_is_string(pattern)) {
        snprintf(error, size, "pattern is not a text");
        return -1;
    }

    if (sluice_cron_parse(cron, bullmq, json_string_value(pattern),
                          json_string_length(pattern), &wrong)
        != 0)
    {
        snprintf(error, size, "pattern, %s, byte %zu: %s", wrong.field,
                 wrong.at, wrong.what);
        return -1;
    }

    schedule->zone = zones_get(zones,
                               json_is_string(tz) ? json_string_value(tz) : "",
                               json_is_string(tz) ? json_string_length(tz) : 0,
                               &what);

    if (schedule->zone == NULL) {
        snprintf(error, size, "tz: %s", what);
        return -1;
    }

    schedule->cron = cron;

    return 0;
}


int64_t
scheduler_next(zones_t *zones, int bullmq, const job_t *job, int64_t now,
    char *error, size_t size)
{
    json_t             *opts, *repeat;
    int64_t             at, count, prev, offset;
    const char         *wrong;
    sluice_cron_t       cron;
    sluice_schedule_t   schedule;

    memset(&schedule, 0, sizeof(sluice_schedule_t));

    prev = scheduler_prev(job);
    opts = json_loads(job->opts, 0, NULL);
    repeat = json_object_get(opts, "repeat");
    at = SCHEDULER_WRONG;

    if (prev < 0) {
        snprintf(error, size, "the job's id is not one of its scheduler");

    } else if (!json_is_object(repeat)) {
        snprintf(error, size, "the job's opts have no repeat");

    } else if (scheduler_number(repeat, "every", &schedule.every, error, size)
               == 0
               && scheduler_number(repeat, "offset", &schedule.offset, error,
                                   size) == 0
               && scheduler_number(repeat, "startDate", &schedule.start,
                                   error, size) == 0
               && scheduler_number(repeat, "endDate", &schedule.end, error,
                                   size) == 0
               && scheduler_number(repeat, "limit", &schedule.limit, error,
                                   size) == 0
               && scheduler_number(repeat, "count", &count, error, size) == 0
               && scheduler_pattern(&schedule, &cron, zones, bullmq, repeat,
                                    error, size) == 0)
    {
        /* that the end is over is no fault of this one */

        wrong = sluice_schedule_check(&schedule, 0);

        if (wrong) {
            snprintf(error, size, "%s", wrong);
        } else {
            at = sluice_schedule_next(&schedule, prev, count ? count : 1, now,
                                      &offset);
        }
    }

    json_decref(opts);

    return at;
}
