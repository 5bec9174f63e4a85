/*
 * Time zones: what the clocks of a place show, from the bytes of a TZif file
 * (RFC 9636, versions 1 to 4), as /usr/share/zoneinfo holds them.  The caller
 * reads the file; nothing is allocated, a zone points into its bytes.
 *
 * "utc" is seconds since 1970, "wall" the same count of what the clock shows:
 * wall = utc + offset.  Both lie within 2^53 of 1970.
 */

#ifndef SLUICE_CORE_ZONE_H
#define SLUICE_CORE_ZONE_H

#include <stddef.h>
#include <stdint.h>


#define SLUICE_ZONE_NAME  64    /* bytes of a name at most */


/* One of the two changes of a year, by a rule that goes on for ever. */

typedef struct {
    char                    kind;       /* 'M', 'J' or '0', as POSIX says */
    int                     month;      /* M: 1 to 12 */
    int                     week;       /* M: 1 to 5, 5 the last */
    int                     day;        /* M: weekday; J: 1-365; 0: 0-365 */
    int32_t                 seconds;    /* after midnight, may be negative */
} sluice_zone_change_t;

typedef enum {
    SLUICE_ZONE_KEEPS,       /* no rule: the last of the table stays */
    SLUICE_ZONE_STANDARD,    /* always standard time */
    SLUICE_ZONE_SUMMER       /* and summer time each year */
} sluice_zone_rule_e;

typedef struct {
    const uint8_t          *times;      /* when the offset changes, ascending */
    const uint8_t          *indexes;    /* into the types, one a time */
    const uint8_t          *types;
    size_t                  ntimes;
    size_t                  width;      /* bytes of a time: 4 or 8 */

    sluice_zone_rule_e      rule;       /* after the table */
    int32_t                 standard;   /* seconds east of Greenwich */
    int32_t                 summer;
    sluice_zone_change_t    to_summer;
    sluice_zone_change_t    to_standard;
} sluice_zone_t;

/* A stretch of time with one offset: [from, until) in utc. */

typedef struct {
    int32_t                 offset;     /* seconds east of Greenwich */
    int64_t                 from;       /* INT64_MIN: since ever */
    int64_t                 until;      /* INT64_MAX: for ever */
} sluice_zone_span_t;

typedef enum {
    SLUICE_ZONE_ONCE,        /* the clock shows it once */
    SLUICE_ZONE_SKIPPED,     /* never: the clock was set forward past it */
    SLUICE_ZONE_TWICE        /* twice: the clock was set back before it */
} sluice_zone_wall_e;


/*
 * Returns NULL, or what is wrong with the bytes.  They must outlive the zone.
 * Files with leap seconds ("right/...") are refused: their times are not those
 * of clocks that count as POSIX does.
 */
const char *sluice_zone_parse(sluice_zone_t *zone, const uint8_t *data,
    size_t len);

/* A zone without changes, UTC with 0. */
void sluice_zone_fixed(sluice_zone_t *zone, int32_t offset);

/*
 * May this be read below a directory of zones?  Parts of letters, digits, "_",
 * "+" and "-" with a "/" between: no dot, so no way out of the directory.
 */
int sluice_zone_name(const char *name, size_t len);

/*
 * Names that luxon, and with it BullMQ, knows without a file: "UTC" in any
 * case, "UTC+3", "utc-3:30".  Returns 1 and the zone, or 0.
 */
int sluice_zone_known(sluice_zone_t *zone, const char *name, size_t len);


/* The stretch that `utc` lies in. */
void sluice_zone_span(const sluice_zone_t *zone, int64_t utc,
    sluice_zone_span_t *span);

/*
 * When does the clock show `wall`?  ONCE: both the same; TWICE: the first and
 * the second time; SKIPPED: *first is as much later on the clock as it was set
 * forward, *second as much earlier.
 */
sluice_zone_wall_e sluice_zone_utc(const sluice_zone_t *zone, int64_t wall,
    int64_t *first, int64_t *second);


#endif
