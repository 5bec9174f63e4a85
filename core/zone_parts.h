/* What the files of core/zone.h share: core/zone*.c only. */

#ifndef SLUICE_CORE_ZONE_PARTS_H
#define SLUICE_CORE_ZONE_PARTS_H

#include "core/zone.h"


/* an offset's bound by RFC 9636: -25:59:59 to 26:00:00 and their mirror */
#define SLUICE_ZONE_OFFSET  93600


/*
 * A rule of POSIX' TZ with the extensions of RFC 9636, section 3.3.2, as
 * "CET-1CEST,M3.5.0,M10.5.0/3"; an empty one keeps the table's last offset.
 * Returns NULL or what is wrong.
 */
const char *sluice_zone_rule_parse(sluice_zone_t *zone, const char *text,
    size_t len);

/* The stretch by the rule alone; the rule must not be KEEPS. */
void sluice_zone_rule_span(const sluice_zone_t *zone, int64_t utc,
    sluice_zone_span_t *span);


#endif
