#include <string.h>
#include "core/zone_parts.h"


#define SLUICE_ZONE_HEADER  44
#define SLUICE_ZONE_TYPE    6     /* offset, daylight, name */

/* a wall time and utc differ by less than this */
#define SLUICE_ZONE_REACH   (SLUICE_ZONE_OFFSET + 1)


typedef struct {
    size_t  isutc;
    size_t  isstd;
    size_t  leap;
    size_t  times;
    size_t  types;
    size_t  chars;
} sluice_zone_counts_t;


static size_t
sluice_zone_u32(const uint8_t *p)
{
    return (size_t) p[0] << 24 | (size_t) p[1] << 16 | (size_t) p[2] << 8
           | p[3];
}


static int64_t
sluice_zone_time(const sluice_zone_t *zone, size_t n)
{
    uint64_t        high;
    const uint8_t  *p;

    p = zone->times + n * zone->width;

    if (zone->width == 4) {
        return (int32_t) (uint32_t) sluice_zone_u32(p);
    }

    high = sluice_zone_u32(p);

    return (int64_t) (high << 32 | sluice_zone_u32(p + 4));
}


static int32_t
sluice_zone_type_offset(const sluice_zone_t *zone, size_t type)
{
    const uint8_t  *p;

    p = zone->types + type * SLUICE_ZONE_TYPE;

    return (int32_t) (uint32_t) sluice_zone_u32(p);
}


/* Returns the bytes of the block behind the header, 0 when it is none. */

static size_t
sluice_zone_header(const uint8_t *data, size_t len, size_t width,
    sluice_zone_counts_t *counts)
{
    size_t  size;

    if (len < SLUICE_ZONE_HEADER || memcmp(data, "TZif", 4) != 0) {
        return 0;
    }

    counts->isutc = sluice_zone_u32(data + 20);
    counts->isstd = sluice_zone_u32(data + 24);
    counts->leap = sluice_zone_u32(data + 28);
    counts->times = sluice_zone_u32(data + 32);
    counts->types = sluice_zone_u32(data + 36);
    counts->chars = sluice_zone_u32(data + 40);

    /* each is below 2^32 and no factor above 12: no overflow */

    size = counts->times * (width + 1) + counts->types * SLUICE_ZONE_TYPE
           + counts->chars + counts->leap * (width + 4) + counts->isstd
           + counts->isutc;

    if (counts->types == 0 || size > len - SLUICE_ZONE_HEADER) {
        return 0;
    }

    return size;
}


static const char *
sluice_zone_table(sluice_zone_t *zone, const sluice_zone_counts_t *counts)
{
    size_t   i;
    int64_t  last, time;
    int32_t  offset;

    if (counts->leap != 0) {
        return "it counts leap seconds";
    }

    for (i = 0; i < counts->types; i++) {
        offset = sluice_zone_type_offset(zone, i);

        if (offset < -SLUICE_ZONE_OFFSET || offset > SLUICE_ZONE_OFFSET) {
            return "an offset is more than 26 hours";
        }
    }

    last = INT64_MIN;

    for (i = 0; i < counts->times; i++) {
        time = sluice_zone_time(zone, i);

        if (time <= last) {
            return "its times do not ascend";
        }

        if (zone->indexes[i] >= counts->types) {
            return "a time has no type";
        }

        last = time;
    }

    return NULL;
}


const char *
sluice_zone_parse(sluice_zone_t *zone, const uint8_t *data, size_t len)
{
    size_t                 size;
    const char            *error;
    const uint8_t         *end, *rule;
    sluice_zone_counts_t   counts;

    memset(zone, 0, sizeof(*zone));

    zone->width = 4;
    size = sluice_zone_header(data, len, zone->width, &counts);

    if (size == 0) {
        return "it is no TZif file";
    }

    end = data + len;

    /* version 2 repeats all with times of 64 bits, the first is not read */

    if (data[4] >= '2') {
        data += SLUICE_ZONE_HEADER + size;
        zone->width = 8;
        size = sluice_zone_header(data, (size_t) (end - data), zone->width,
                                  &counts);

        if (size == 0) {
            return "its part of 64 bits is missing or cut off";
        }
    }

    zone->ntimes = counts.times;
    zone->times = data + SLUICE_ZONE_HEADER;
    zone->indexes = zone->times + counts.times * zone->width;
    zone->types = zone->indexes + counts.times;

    error = sluice_zone_table(zone, &counts);

    if (error != NULL || zone->width == 4) {
        return error;
    }

    rule = data + SLUICE_ZONE_HEADER + size;

    if (rule == end || *rule++ != '\n') {
        return "its rule is missing";
    }

    for (data = rule; data < end && *data != '\n'; data++) {
        /* the rule */
    }

    if (data == end) {
        return "its rule is cut off";
    }

    return sluice_zone_rule_parse(zone, (const char *) rule,
                                  (size_t) (data - rule));
}


void
sluice_zone_fixed(sluice_zone_t *zone, int32_t offset)
{
    memset(zone, 0, sizeof(*zone));

    zone->rule = SLUICE_ZONE_STANDARD;
    zone->standard = offset;
}


int
sluice_zone_name(const char *name, size_t len)
{
    char    c;
    size_t  i, part;

    if (len > SLUICE_ZONE_NAME) {
        return 0;
    }

    part = 0;

    for (i = 0; i < len; i++) {
        c = name[i];

        if (c == '/') {

            if (part == 0) {
                return 0;
            }

            part = 0;
            continue;
        }

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
              || (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-'))
        {
            return 0;
        }

        part++;
    }

    return part != 0;
}


int
sluice_zone_known(sluice_zone_t *zone, const char *name, size_t len)
{
    int     n, sign;
    size_t  digits, i;

    if (len < 3 || (name[0] | 0x20) != 'u' || (name[1] | 0x20) != 't'
        || (name[2] | 0x20) != 'c')
    {
        return 0;
    }

    if (len == 3) {
        sluice_zone_fixed(zone, 0);
        return 1;
    }

    /* +3, +03, +3:30, +03:30 */

    sign = (name[3] == '-') ? -1 : 1;

    if (name[3] != '+' && name[3] != '-') {
        return 0;
    }

    n = 0;

    for (i = 4; i < len && name[i] >= '0' && name[i] <= '9'; i++) {
        n = n * 10 + (name[i] - '0');

        if (i > 5) {
            return 0;
        }
    }

    digits = i - 4;
    n *= 60;

    if (i < len && len - i == 3 && name[i] == ':'
        && name[i + 1] >= '0' && name[i + 1] <= '5'
        && name[i + 2] >= '0' && name[i + 2] <= '9')
    {
        n += (name[i + 1] - '0') * 10 + (name[i + 2] - '0');
        i = len;
    }

    if (digits == 0 || i != len || n > 24 * 60) {
        return 0;
    }

    sluice_zone_fixed(zone, sign * n * 60);

    return 1;
}


void
sluice_zone_span(const sluice_zone_t *zone, int64_t utc,
    sluice_zone_span_t *span)
{
    size_t   high, low, middle;
    int64_t  last;

    /* the number of times that have come */

    low = 0;
    high = zone->ntimes;

    while (low < high) {
        middle = low + (high - low) / 2;

        if (sluice_zone_time(zone, middle) <= utc) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    if (low == zone->ntimes && zone->rule != SLUICE_ZONE_KEEPS) {
        sluice_zone_rule_span(zone, utc, span);

        if (low != 0) {
            last = sluice_zone_time(zone, low - 1);
            span->from = (span->from > last) ? span->from : last;
        }

        return;
    }

    span->from = low ? sluice_zone_time(zone, low - 1) : INT64_MIN;
    span->until = (low < zone->ntimes) ? sluice_zone_time(zone, low)
                                       : INT64_MAX;
    span->offset = sluice_zone_type_offset(zone,
                                           low ? zone->indexes[low - 1] : 0);
}


sluice_zone_wall_e
sluice_zone_utc(const sluice_zone_t *zone, int64_t wall, int64_t *first,
    int64_t *second)
{
    int                 n, skipped;
    int64_t             utc;
    sluice_zone_span_t  before, span;

    n = 0;
    skipped = 0;
    sluice_zone_span(zone, wall - SLUICE_ZONE_REACH, &span);

    *first = wall - span.offset;
    *second = *first;

    for ( ;; ) {
        utc = wall - span.offset;

        if (utc >= span.from && utc < span.until) {
            *second = utc;

            if (n++ == 0) {
                *first = utc;
            }
        }

        if (span.until > wall + SLUICE_ZONE_REACH) {
            break;
        }

        before = span;
        sluice_zone_span(zone, before.until, &span);

        /* set forward past it; a clock may come back to it later */

        if (n == 0 && !skipped && wall - before.offset >= before.until
            && wall - span.offset < span.from)
        {
            skipped = 1;
            *first = wall - before.offset;
            *second = wall - span.offset;
        }
    }

    if (n == 0) {
        return SLUICE_ZONE_SKIPPED;
    }

    return (n > 1) ? SLUICE_ZONE_TWICE : SLUICE_ZONE_ONCE;
}
