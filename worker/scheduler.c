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


/* what `repeat` says; the cron and the zone are good until the next call */

static int
scheduler_read(sluice_schedule_t *schedule, sluice_cron_t *cron,
    zones_t *zones, int bullmq, json_t *repeat, int64_t now, char *error,
    size_t size)
{
    size_t       i;
    const char  *wrong;

    const struct {
        const char  *name;
        int64_t     *value;
    } numbers[] = {
        { "every", &schedule->every },
        { "offset", &schedule->offset },
        { "startDate", &schedule->start },
        { "endDate", &schedule->end },
        { "limit", &schedule->limit }
    };

    memset(schedule, 0, sizeof(sluice_schedule_t));

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (scheduler_number(repeat, numbers[i].name, numbers[i].value, error,
                             size)
            != 0)
        {
            return -1;
        }
    }

    schedule->immediately = json_is_true(json_object_get(repeat,
                                                         "immediately"));

    if (scheduler_pattern(schedule, cron, zones, bullmq, repeat, error, size)
        != 0)
    {
        return -1;
    }

    wrong = sluice_schedule_check(schedule, now);

    if (wrong) {
        snprintf(error, size, "%s", wrong);
        return -1;
    }

    return 0;
}


int64_t
scheduler_first(zones_t *zones, int bullmq, json_t *repeat, int64_t now,
    int64_t *offset, char *error, size_t size)
{
    sluice_cron_t       cron;
    sluice_schedule_t   schedule;

    if (scheduler_read(&schedule, &cron, zones, bullmq, repeat, now, error,
                       size)
        != 0)
    {
        return SCHEDULER_WRONG;
    }

    return sluice_schedule_first(&schedule, now, offset);
}


int64_t
scheduler_next(zones_t *zones, int bullmq, const job_t *job, int64_t now,
    char *error, size_t size)
{
    json_t             *opts, *repeat;
    int64_t             at, count, prev, offset;
    sluice_cron_t       cron;
    sluice_schedule_t   schedule;

    prev = scheduler_prev(job);
    opts = json_loads(job->opts, 0, NULL);
    repeat = json_object_get(opts, "repeat");
    at = SCHEDULER_WRONG;

    if (prev < 0) {
        snprintf(error, size, "the job's id is not one of its scheduler");

    } else if (!json_is_object(repeat)) {
        snprintf(error, size, "the job's opts have no repeat");

    /* that the end is over is no fault of this one: as of 1970 it is not */

    } else if (scheduler_read(&schedule, &cron, zones, bullmq, repeat, 0,
                              error, size) == 0
               && scheduler_number(repeat, "count", &count, error, size) == 0)
    {
        at = sluice_schedule_next(&schedule, prev, count ? count : 1, now,
                                  &offset);
    }

    json_decref(opts);

    return at;
}
