#include <string.h>
#include "core/date.h"
#include "core/zone_parts.h"


/* what a rule may say of hours: -167 to 167, RFC 9636 */
#define SLUICE_ZONE_HOURS  167

/* beyond this a year has no meaning and sums could overflow */
#define SLUICE_ZONE_FAR    (INT64_C(1) << 50)


typedef struct {
    const char  *p;
    const char  *last;
} sluice_zone_text_t;


/* A name, at least three letters, or <...> with digits and signs as well. */

static int
sluice_zone_rule_name(sluice_zone_text_t *text)
{
    char         c;
    int          quoted;
    const char  *start;

    quoted = (text->p < text->last && *text->p == '<');
    text->p += quoted;
    start = text->p;

    for ( /* void */ ; text->p < text->last; text->p++) {
        c = *text->p;

        if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) {
            continue;
        }

        if (quoted && ((c >= '0' && c <= '9') || c == '+' || c == '-')) {
            continue;
        }

        break;
    }

    if (text->p - start < 3) {
        return 0;
    }

    if (quoted) {
        return text->p < text->last && *text->p++ == '>';
    }

    return 1;
}


/* Digits of a number from min to max */

static int
sluice_zone_rule_number(sluice_zone_text_t *text, int min, int max, int *value)
{
    int  n, digits;

    n = 0;

    for (digits = 0;
         text->p < text->last && *text->p >= '0' && *text->p <= '9';
         digits++)
    {
        n = n * 10 + (*text->p++ - '0');

        if (n > max) {
            return 0;
        }
    }

    *value = n;

    return digits != 0 && n >= min;
}


static int
sluice_zone_rule_byte(sluice_zone_text_t *text, char c)
{
    if (text->p < text->last && *text->p == c) {
        text->p++;
        return 1;
    }

    return 0;
}


/* [+-]hh[:mm[:ss]] as seconds */

static int
sluice_zone_rule_time(sluice_zone_text_t *text, int hours, int32_t *seconds)
{
    int  h, m, s, sign;

    m = 0;
    s = 0;
    sign = 1;

    if (sluice_zone_rule_byte(text, '-')) {
        sign = -1;

    } else {
        (void) sluice_zone_rule_byte(text, '+');
    }

    if (!sluice_zone_rule_number(text, 0, hours, &h)) {
        return 0;
    }

    if (sluice_zone_rule_byte(text, ':')) {

        if (!sluice_zone_rule_number(text, 0, 59, &m)) {
            return 0;
        }

        if (sluice_zone_rule_byte(text, ':')
            && !sluice_zone_rule_number(text, 0, 59, &s))
        {
            return 0;
        }
    }

    *seconds = sign * (h * 3600 + m * 60 + s);

    return 1;
}


/* ",M3.5.0/2", ",J60" or ",59" */

static int
sluice_zone_rule_change(sluice_zone_text_t *text, sluice_zone_change_t *change)
{
    int  ok;

    memset(change, 0, sizeof(*change));
    change->seconds = 2 * 3600;

    if (!sluice_zone_rule_byte(text, ',')) {
        return 0;
    }

    if (sluice_zone_rule_byte(text, 'M')) {
        change->kind = 'M';
        ok = sluice_zone_rule_number(text, 1, 12, &change->month)
             && sluice_zone_rule_byte(text, '.')
             && sluice_zone_rule_number(text, 1, 5, &change->week)
             && sluice_zone_rule_byte(text, '.')
             && sluice_zone_rule_number(text, 0, 6, &change->day);

    } else if (sluice_zone_rule_byte(text, 'J')) {
        change->kind = 'J';
        ok = sluice_zone_rule_number(text, 1, 365, &change->day);

    } else {
        change->kind = '0';
        ok = sluice_zone_rule_number(text, 0, 365, &change->day);
    }

    if (ok && sluice_zone_rule_byte(text, '/')) {
        ok = sluice_zone_rule_time(text, SLUICE_ZONE_HOURS, &change->seconds);
    }

    return ok;
}


const char *
sluice_zone_rule_parse(sluice_zone_t *zone, const char *text, size_t len)
{
    int32_t             west;
    sluice_zone_text_t  rule;

    zone->rule = SLUICE_ZONE_KEEPS;

    if (len == 0) {
        return NULL;
    }

    rule.p = text;
    rule.last = text + len;

    if (!sluice_zone_rule_name(&rule)
        || !sluice_zone_rule_time(&rule, 24, &west))
    {
        return "its rule has no standard time";
    }

    /* POSIX counts to the west */

    zone->standard = -west;
    zone->summer = zone->standard + 3600;

    if (rule.p == rule.last) {
        zone->rule = SLUICE_ZONE_STANDARD;
        return NULL;
    }

    if (!sluice_zone_rule_name(&rule)) {
        return "its rule has a bad name of summer time";
    }

    if (rule.p < rule.last && *rule.p != ',') {

        if (!sluice_zone_rule_time(&rule, 24, &west)) {
            return "its rule has a bad summer time";
        }

        zone->summer = -west;
    }

    if (!sluice_zone_rule_change(&rule, &zone->to_summer)
        || !sluice_zone_rule_change(&rule, &zone->to_standard)
        || rule.p != rule.last)
    {
        return "its rule does not say when summer time begins and ends";
    }

    zone->rule = SLUICE_ZONE_SUMMER;

    return NULL;
}


/* When the clock shows the change, by the offset that holds before it */

static int64_t
sluice_zone_rule_when(const sluice_zone_change_t *change, int64_t year,
    int32_t offset)
{
    int      day;
    int64_t  days;

    switch (change->kind) {

    case 'M':
        days = sluice_date_days(year, change->month, 1);
        day = (change->day - sluice_date_weekday(days) + 7) % 7
              + (change->week - 1) * 7;

        if (day >= sluice_date_of_month(year, change->month)) {
            day -= 7;
        }

        days += day;
        break;

    case 'J':
        /* 29 February is not counted: day 60 is always 1 March */

        days = sluice_date_days(year, 1, 1) + change->day - 1;
        days += (change->day >= 60 && sluice_date_is_leap(year));
        break;

    default:
        days = sluice_date_days(year, 1, 1) + change->day;
    }

    return days * SLUICE_DATE_DAY + change->seconds - offset;
}


void
sluice_zone_rule_span(const sluice_zone_t *zone, int64_t utc,
    sluice_zone_span_t *span)
{
    int64_t        ends, starts, year;
    sluice_date_t  date;

    span->offset = zone->standard;
    span->from = INT64_MIN;
    span->until = INT64_MAX;

    if (zone->rule != SLUICE_ZONE_SUMMER
        || utc > SLUICE_ZONE_FAR || utc < -SLUICE_ZONE_FAR)
    {
        return;
    }

    date = sluice_date(utc / SLUICE_DATE_DAY);

    /* a change may lie days outside of its year: hours run to 167 */

    for (year = date.year - 2; year <= date.year + 2; year++) {
        starts = sluice_zone_rule_when(&zone->to_summer, year, zone->standard);
        ends = sluice_zone_rule_when(&zone->to_standard, year, zone->summer);

        if (ends <= utc && ends > span->from) {
            span->from = ends;
            span->offset = zone->standard;
        }

        /* at one moment, as in a zone of eternal summer: summer */

        if (starts <= utc && starts >= span->from) {
            span->from = starts;
            span->offset = zone->summer;
        }

        if (starts > utc && starts < span->until) {
            span->until = starts;
        }

        if (ends > utc && ends < span->until) {
            span->until = ends;
        }
    }
}
