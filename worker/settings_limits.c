/* The limits of queue { }: buckets that its takes ask, and the floor. */

#include <stdlib.h>
#include <string.h>
#include "worker/settings_check.h"


#define LIMITS_AHEAD  100000                      /* µs, without a burst */
#define LIMITS_DAY    INT64_C(86400000000)        /* µs */
#define LIMITS_MOST   INT64_C(999999999999999)    /* µs, what take.lua reads */


double
settings_percent(const char *value)
{
    char    *end;
    double   percent;

    if (value[0] < '0' || value[0] > '9') {
        return -1;
    }

    percent = strtod(value, &end);

    return (strcmp(end, "%") == 0) ? percent / 100 : -1;
}


int64_t
settings_pair(const char *value)
{
    int64_t  interval;

    if (value && strcmp(value, "off") == 0) {
        return 0;
    }

    interval = value ? sluice_gcra_rate(value, strlen(value)) : 0;

    return interval ? interval : -1;
}


static void
limits_rate(sluice_gcra_limit_t *limit, cfg_t *sec, const char *key)
{
    const char  *text;

    text = cfg_getstr(sec, key);

    if (text) {
        limit->interval = sluice_gcra_rate(text, strlen(text));
        limit->tolerance = LIMITS_AHEAD;
    }
}


static int64_t
limits_ahead(int64_t jobs, int64_t interval)
{
    return (jobs > LIMITS_MOST / interval) ? LIMITS_MOST : jobs * interval;
}


void
settings_limits(limits_t *limits, cfg_t *sec)
{
    int64_t  quota;

    memset(limits, 0, sizeof(limits_t));

    limits->floor = settings_percent(cfg_getstr(sec, "floor"));

    limits_rate(&limits->rate, sec, "rate");
    limits_rate(&limits->high, sec, "rate_high");
    limits_rate(&limits->medium, sec, "rate_medium");
    limits_rate(&limits->low, sec, "rate_low");

    if (cfg_size(sec, "burst") && cfg_getstr(sec, "rate") == NULL) {
        settings_error(sec, "queue \"%s\": burst needs a rate",
                       cfg_title(sec));

    } else if (cfg_size(sec, "burst") && limits->rate.interval) {
        limits->rate.tolerance = limits_ahead(cfg_getint(sec, "burst"),
                                              limits->rate.interval);
    }

    quota = cfg_getint(sec, "quota");

    if (quota > 0) {
        limits->quota.interval = (LIMITS_DAY + quota - 1) / quota;
        limits->quota.tolerance = (quota - 1) * limits->quota.interval;
    }
}


static bool
limits_differ(const sluice_gcra_limit_t *one, const sluice_gcra_limit_t *two)
{
    return one->interval && two->interval
           && (one->interval != two->interval
               || one->tolerance != two->tolerance);
}


const char *
settings_limits_differ(const limits_t *one, const limits_t *two)
{
    return limits_differ(&one->rate, &two->rate) ? "rate or burst"
           : limits_differ(&one->quota, &two->quota) ? "quota" : NULL;
}
