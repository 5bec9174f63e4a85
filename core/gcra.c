/*
 * The generic cell rate algorithm in its "virtual scheduling" form (ITU-T
 * I.371): a key may run ahead of its schedule by the tolerance, and the unit
 * that arrives exactly on time passes as well.
 */

#include "core/gcra.h"


#define SLUICE_GCRA_SECOND       INT64_C(1000000)
#define SLUICE_GCRA_PERIOD_MAX   (INT64_C(366) * 86400 * SLUICE_GCRA_SECOND)


static const char *sluice_gcra_number(const char *p, const char *last,
    int64_t *number);


/*
 * A tolerance or a cost is the user's and may be absurd: the sums stop at the
 * ends of the type instead of wrapping around into a free pass.
 */

static int64_t
sluice_gcra_add(int64_t a, int64_t b)
{
    int64_t  sum;

    if (__builtin_add_overflow(a, b, &sum)) {
        return (b > 0) ? INT64_MAX : INT64_MIN;
    }

    return sum;
}


int64_t
sluice_gcra_check(int64_t tat, int64_t now, int64_t cost,
    const sluice_gcra_limit_t *limit, int64_t *next)
{
    int64_t  charged, furthest, span, start;

    /* the last unit of a full burst leaves exactly this */

    furthest = sluice_gcra_add(sluice_gcra_add(now, limit->tolerance),
                               limit->interval);

    if (tat > furthest) {
        tat = furthest;
    }

    start = (tat > now) ? tat : now;

    if (__builtin_mul_overflow(cost, limit->interval, &span)) {
        span = INT64_MAX;
    }

    charged = sluice_gcra_add(start, span);

    if (charged > furthest) {
        *next = tat;

        return sluice_gcra_add(charged, -furthest);
    }

    *next = charged;

    return 0;
}


int64_t
sluice_gcra_reserve(int64_t tat, int64_t now, int64_t cost,
    const sluice_gcra_limit_t *limit, int64_t horizon, int64_t *next)
{
    int64_t  furthest, last, span, start;

    furthest = sluice_gcra_add(sluice_gcra_add(now, limit->tolerance),
                               limit->interval);
    last = sluice_gcra_add(furthest, horizon);

    start = (tat > now) ? tat : now;

    if (__builtin_mul_overflow(cost, limit->interval, &span)) {
        span = INT64_MAX;
    }

    *next = sluice_gcra_add(start, span);

    if (*next > last) {
        *next = last;
    }

    return (*next > furthest) ? *next - furthest : 0;
}


int64_t
sluice_gcra_left(int64_t tat, int64_t now, const sluice_gcra_limit_t *limit)
{
    int64_t  furthest, start;

    furthest = sluice_gcra_add(sluice_gcra_add(now, limit->tolerance),
                               limit->interval);
    start = (tat > now) ? tat : now;

    return (furthest > start) ? (furthest - start) / limit->interval : 0;
}


int64_t
sluice_gcra_rate(const char *text, size_t len)
{
    int64_t      count, period, unit;
    const char  *last, *p;

    last = text + len;

    p = sluice_gcra_number(text, last, &count);

    if (p == NULL || last - p < 3 || p[0] != 'r' || p[1] != '/') {
        return 0;
    }

    p += 2;
    period = 1;

    if (*p >= '0' && *p <= '9') {
        p = sluice_gcra_number(p, last, &period);

        if (p == NULL) {
            return 0;
        }
    }

    if (last - p != 1) {
        return 0;
    }

    switch (*p) {

    case 's':
        unit = SLUICE_GCRA_SECOND;
        break;

    case 'm':
        unit = 60 * SLUICE_GCRA_SECOND;
        break;

    case 'h':
        unit = 3600 * SLUICE_GCRA_SECOND;
        break;

    case 'd':
        unit = 86400 * SLUICE_GCRA_SECOND;
        break;

    default:
        return 0;
    }

    if (period > SLUICE_GCRA_PERIOD_MAX / unit) {
        return 0;
    }

    /* rounded up: a rate is never exceeded by the rounding */

    return (period * unit + count - 1) / count;
}


/* 1 to 999999999, or NULL */

static const char *
sluice_gcra_number(const char *p, const char *last, int64_t *number)
{
    int64_t      n;
    const char  *first;

    first = p;
    n = 0;

    while (p < last && *p >= '0' && *p <= '9' && p - first < 9) {
        n = n * 10 + (*p - '0');
        p++;
    }

    if (n == 0) {
        return NULL;
    }

    *number = n;

    return p;
}
