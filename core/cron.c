#include <string.h>
#include "core/cron.h"


#define SLUICE_CRON_FIELDS  6
#define SLUICE_CRON_LARGE   1000000    /* a number that is out of any range */

#define SLUICE_CRON_DAY     3
#define SLUICE_CRON_MONTH   4
#define SLUICE_CRON_WEEKDAY 5

/* the bits min to max */
#define sluice_cron_bits(min, max)                                            \
    ((UINT64_MAX >> (63 - (max))) & (UINT64_MAX << (min)))


typedef struct {
    const char  *name;
    int          min;
    int          max;
    const char  *range;          /* what is said when a value is outside */
    const char  *names;          /* three letters each, the first is min */
} sluice_cron_field_t;

typedef struct {
    int                   bullmq;
    const char           *text;
    const char           *p;
    const char           *last;      /* of the field */
    int                   number;    /* of the field */
    uint64_t              values;    /* Sunday is 0 only */
    uint64_t              lasts;     /* 0 to 7, as they were written */
    int                   count;     /* of the values, each time it is there */
    int                   longest;   /* days of the longest of the months */
    sluice_cron_error_t  *error;
} sluice_cron_reader_t;

typedef struct {
    int  from;
    int  to;
    int  step;
    int  span;                   /* from-to, * or from/step: not one value */
} sluice_cron_range_t;


static const sluice_cron_field_t  sluice_cron_fields[SLUICE_CRON_FIELDS] = {
    { "second", 0, 59, "a value is not from 0 to 59", NULL },
    { "minute", 0, 59, "a value is not from 0 to 59", NULL },
    { "hour", 0, 23, "a value is not from 0 to 23", NULL },
    { "day of month", 1, 31, "a value is not from 1 to 31", NULL },
    { "month", 1, 12, "a value is not from 1 to 12",
      "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC" },
    { "day of week", 0, 7, "a value is not from 0 to 7",
      "SUNMONTUEWEDTHUFRISAT" }
};

static const struct {
    const char  *name;
    const char  *pattern;
    int          bullmq;         /* from this major on */
} sluice_cron_presets[] = {
    { "@yearly", "0 0 0 1 1 *", 5 },
    { "@monthly", "0 0 0 1 * *", 5 },
    { "@weekly", "0 0 0 * * 0", 5 },
    { "@daily", "0 0 0 * * *", 5 },
    { "@hourly", "0 0 * * * *", 5 },
    { "@annually", "0 0 0 1 1 *", 6 },
    { "@minutely", "0 * * * * *", 6 },
    { "@secondly", "* * * * * *", 6 },
    { "@weekdays", "0 0 0 * * 1-5", 6 },
    { "@weekends", "0 0 0 * * 0,6", 6 }
};


static int
sluice_cron_fail(sluice_cron_reader_t *reader, const char *at,
    const char *what)
{
    reader->error->field = sluice_cron_fields[reader->number].name;
    reader->error->at = (size_t) (at - reader->text);
    reader->error->what = what;

    return -1;
}


static int
sluice_cron_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}


/* The next byte is this one: past it */

static int
sluice_cron_byte(sluice_cron_reader_t *reader, char c)
{
    if (reader->p < reader->last && *reader->p == c) {
        reader->p++;
        return 1;
    }

    return 0;
}


/* Digits, or -1 when there are none; what is too large is LARGE. */

static int
sluice_cron_number(sluice_cron_reader_t *reader)
{
    int  n;

    if (reader->p == reader->last || *reader->p < '0' || *reader->p > '9') {
        return -1;
    }

    n = 0;

    while (reader->p < reader->last && *reader->p >= '0' && *reader->p <= '9')
    {
        n = n * 10 + (*reader->p++ - '0');

        if (n > SLUICE_CRON_LARGE) {
            n = SLUICE_CRON_LARGE;
        }
    }

    return n;
}


/* A number or a name of the field; -1 with the error. */

static int
sluice_cron_value(sluice_cron_reader_t *reader)
{
    int                         i, n;
    const char                 *names, *start;
    const sluice_cron_field_t  *field;

    field = &sluice_cron_fields[reader->number];
    start = reader->p;
    n = sluice_cron_number(reader);

    if (n > field->max || (n >= 0 && n < field->min)) {
        return sluice_cron_fail(reader, start, field->range);
    }

    if (n >= 0) {
        return n;
    }

    names = field->names;

    for (i = 0; names != NULL && reader->last - reader->p >= 3 && names[i];
         i += 3)
    {
        if ((reader->p[0] & ~0x20) == names[i]
            && (reader->p[1] & ~0x20) == names[i + 1]
            && (reader->p[2] & ~0x20) == names[i + 2])
        {
            reader->p += 3;
            return field->min + i / 3;
        }
    }

    if (reader->p < reader->last && *reader->p == 'H') {
        return sluice_cron_fail(reader, start,
                                "H, a random time, is not supported");
    }

    return sluice_cron_fail(reader, start, "a value is missing or no value");
}


/* "*", "5", "5-9", and each with "/2" */

static int
sluice_cron_range(sluice_cron_reader_t *reader, sluice_cron_range_t *range)
{
    const char                 *start;
    const sluice_cron_field_t  *field;

    field = &sluice_cron_fields[reader->number];
    start = reader->p;
    range->step = 1;
    range->span = 1;

    if (sluice_cron_byte(reader, '*')
        || ((reader->bullmq >= 6 || reader->number == SLUICE_CRON_DAY
             || reader->number == SLUICE_CRON_WEEKDAY)
            && sluice_cron_byte(reader, '?')))
    {
        range->from = field->min;
        range->to = field->max;

    } else {
        range->from = sluice_cron_value(reader);

        if (range->from < 0) {
            return -1;
        }

        range->to = range->from;
        range->span = 0;

        if (sluice_cron_byte(reader, '-')) {
            range->to = sluice_cron_value(reader);
            range->span = 1;

            if (range->to < 0) {
                return -1;
            }

            if (range->to < range->from) {
                return sluice_cron_fail(reader, start,
                                        "a range goes from high to low");
            }
        }
    }

    start = reader->p;

    if (sluice_cron_byte(reader, '/')) {

        if (!range->span) {
            range->to = field->max;
            range->span = 1;
        }

        range->step = sluice_cron_number(reader);

        if (range->step <= 0) {
            return sluice_cron_fail(reader, start,
                                    "a step is not a number from 1 on");
        }
    }

    return 0;
}


/* The values of a range; BullMQ 6 takes none of them twice. */

static int
sluice_cron_add(sluice_cron_reader_t *reader, const sluice_cron_range_t *range,
    const char *start)
{
    int       n;
    uint64_t  values;

    values = 0;

    for (n = range->from; n <= range->to; n += range->step) {
        values |= (uint64_t) 1 << n;
        reader->count += (reader->number != SLUICE_CRON_DAY
                          || n <= reader->longest);
    }

    if (reader->number == SLUICE_CRON_WEEKDAY) {

        /* cron-parser 4 takes Sunday into each range that ends in 7 */

        if (reader->bullmq < 6 && range->span && range->to == 7
            && range->from > 0)
        {
            values |= 1;
            reader->count++;
        }

        if (values & 1 << 7) {
            values = (values & ~((uint64_t) 1 << 7)) | 1;
        }
    }

    if (reader->bullmq >= 6 && (reader->values & values) != 0) {
        return sluice_cron_fail(reader, start, "a value is there twice");
    }

    reader->values |= values;

    return 0;
}


/* One of a list: a range, "L" as a day of the month, "5L" as a weekday */

static int
sluice_cron_item(sluice_cron_reader_t *reader, sluice_cron_t *cron)
{
    const char           *start;
    sluice_cron_range_t   range;

    start = reader->p;

    if (reader->number == SLUICE_CRON_DAY && sluice_cron_byte(reader, 'L')) {

        if (cron->last_day && reader->bullmq >= 6) {
            return sluice_cron_fail(reader, start, "a value is there twice");
        }

        cron->last_day = 1;
        reader->count++;
        return 0;
    }

    if (sluice_cron_range(reader, &range) != 0) {
        return -1;
    }

    if (reader->number == SLUICE_CRON_WEEKDAY) {

        if (!range.span && sluice_cron_byte(reader, 'L')) {

            if (reader->bullmq >= 6 && (reader->lasts >> range.from & 1)) {
                return sluice_cron_fail(reader, start,
                                        "a value is there twice");
            }

            reader->lasts |= (uint64_t) 1 << range.from;
            reader->count++;
            cron->last_weekdays |= (uint64_t) 1 << range.from % 7;

            return 0;
        }

        if (sluice_cron_byte(reader, '#')) {
            cron->nth = sluice_cron_number(reader);
            cron->nth_day = reader->bullmq < 6;

            if (cron->nth < 1 || cron->nth > 5) {
                return sluice_cron_fail(reader, start,
                                        "what follows # is not from 1 to 5");
            }

            if (range.span || reader->values || reader->lasts
                || reader->p < reader->last)
            {
                return sluice_cron_fail(reader, start,
                                      "# goes with one day of the week alone");
            }
        }
    }

    return sluice_cron_add(reader, &range, start);
}


static int
sluice_cron_list(sluice_cron_reader_t *reader, sluice_cron_t *cron)
{
    for ( ;; ) {

        if (sluice_cron_item(reader, cron) != 0) {
            return -1;
        }

        if (reader->p == reader->last) {
            return 0;
        }

        if (!sluice_cron_byte(reader, ',')) {
            return sluice_cron_fail(reader, reader->p,
                                    "a byte that has no place here");
        }
    }
}


/* The days of the longest of the months */

static int
sluice_cron_longest(uint64_t months)
{
    if (months & (1 << 1 | 1 << 3 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 10
                  | 1 << 12))
    {
        return 31;
    }

    return (months == 1 << 2) ? 29 : 30;
}


/*
 * Is it a "*"?  To cron-parser 5 when it is written so, to 4 when there are as
 * many values as that would give, be they others; Sunday counts as 0 and 7.
 */

static int
sluice_cron_any(sluice_cron_reader_t *reader, const char *start)
{
    if (reader->bullmq >= 6) {
        return reader->last - start == 1 && (*start == '*' || *start == '?');
    }

    if (reader->number == SLUICE_CRON_DAY) {
        return reader->count >= reader->longest;
    }

    return reader->count == 8;
}


/* Only with days that exist can there be a next time. */

static int
sluice_cron_dates(sluice_cron_reader_t *reader, sluice_cron_t *cron,
    const char *days)
{
    int       one_month;
    uint64_t  possible;

    possible = sluice_cron_bits(1, reader->longest);

    if (cron->days == 0 || (cron->days & possible) != 0) {
        return 0;
    }

    /*
     * Another kind of day may match, but cron-parser 4 does not look at it
     * when there is a single month.
     */

    one_month = (cron->months & (cron->months - 1)) == 0;

    if ((cron->any_weekday && !cron->last_day)
        || (reader->bullmq < 6 && one_month))
    {
        reader->number = SLUICE_CRON_DAY;

        return sluice_cron_fail(reader, days, "no month has such a day");
    }

    return 0;
}


static int
sluice_cron_field(sluice_cron_reader_t *reader, sluice_cron_t *cron)
{
    const char  *start;

    start = reader->p;
    reader->values = 0;
    reader->lasts = 0;
    reader->count = 0;

    if (sluice_cron_list(reader, cron) != 0) {
        return -1;
    }

    switch (reader->number) {

    case 0:
        cron->seconds = reader->values;
        break;

    case 1:
        cron->minutes = reader->values;
        break;

    case 2:
        cron->hours = reader->values;
        break;

    case SLUICE_CRON_DAY:
        cron->days = reader->values;
        cron->any_day = sluice_cron_any(reader, start);
        break;

    case SLUICE_CRON_MONTH:
        cron->months = reader->values;
        reader->longest = sluice_cron_longest(cron->months);
        break;

    default:
        cron->weekdays = reader->values;
        cron->any_weekday = sluice_cron_any(reader, start);
    }

    return 0;
}


static int
sluice_cron_pattern(sluice_cron_reader_t *reader, sluice_cron_t *cron,
    size_t len)
{
    size_t       field, i, nfields, start;
    const char  *fields[SLUICE_CRON_FIELDS], *ends[SLUICE_CRON_FIELDS];

    nfields = 0;
    reader->error->field = "pattern";

    for (i = 0; i < len; /* void */) {

        if (sluice_cron_is_space(reader->text[i])) {
            i++;
            continue;
        }

        if (nfields == SLUICE_CRON_FIELDS) {
            reader->error->at = i;
            reader->error->what = "more than six fields";
            return -1;
        }

        for (start = i; i < len && !sluice_cron_is_space(reader->text[i]);
             i++)
        {
            /* the field */
        }

        fields[nfields] = reader->text + start;
        ends[nfields++] = reader->text + i;
    }

    if (nfields < SLUICE_CRON_FIELDS - 1) {
        reader->error->at = len;
        reader->error->what = "less than five fields";
        return -1;
    }

    cron->seconds = 1;
    start = SLUICE_CRON_FIELDS - nfields;

    for (i = 0; i < nfields; i++) {

        /* the month before the days, whose number is by it */

        field = (i == 0) ? SLUICE_CRON_MONTH - start
                         : i - (i <= SLUICE_CRON_MONTH - start);

        reader->p = fields[field];
        reader->last = ends[field];
        reader->number = (int) (start + field);

        if (sluice_cron_field(reader, cron) != 0) {
            return -1;
        }
    }

    return sluice_cron_dates(reader, cron, fields[SLUICE_CRON_DAY - start]);
}


int
sluice_cron_parse(sluice_cron_t *cron, int bullmq, const char *text,
    size_t len, sluice_cron_error_t *error)
{
    size_t                i;
    const char           *name;
    sluice_cron_reader_t  reader;

    const size_t  npresets = sizeof(sluice_cron_presets)
                             / sizeof(sluice_cron_presets[0]);

    memset(cron, 0, sizeof(*cron));
    memset(&reader, 0, sizeof(reader));

    reader.bullmq = bullmq;
    reader.text = text;
    reader.error = error;

    if (len != 0 && text[0] == '@') {

        for (i = 0; i < npresets; i++) {
            name = sluice_cron_presets[i].name;

            if (bullmq >= sluice_cron_presets[i].bullmq
                && len == strlen(name) && memcmp(text, name, len) == 0)
            {
                reader.text = sluice_cron_presets[i].pattern;
                len = strlen(reader.text);

                return sluice_cron_pattern(&reader, cron, len);
            }
        }

        error->field = "pattern";
        error->at = 0;
        error->what = "no such name of a pattern";

        return -1;
    }

    return sluice_cron_pattern(&reader, cron, len);
}
