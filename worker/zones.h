/*
 * The time zones of this machine, by name, as core/zone reads them: files of
 * a directory, kept for as long as this is, the longest unused one dropped
 * when there are too many.
 */

#ifndef SLUICE_WORKER_ZONES_H
#define SLUICE_WORKER_ZONES_H

#include <stddef.h>
#include "core/zone.h"


#define ZONES_DIR    "/usr/share/zoneinfo"
#define ZONES_LOCAL  "/etc/localtime"
#define ZONES_KEPT   128          /* of some 350 that are not links */
#define ZONES_FILE   (64 * 1024)  /* bytes; the largest is 4 KB */


typedef struct zones_s  zones_t;


/* dir must outlive it.  NULL: out of memory. */
zones_t *zones_open(const char *dir);
void zones_close(zones_t *zones);

/*
 * The zone of that name ("Europe/Berlin", "UTC", "UTC+3"); of an empty one the
 * machine's own, UTC where that is not set.  Good until the next call.  NULL
 * with *error, a text: no name of a zone, no such zone, ...
 */
const sluice_zone_t *zones_get(zones_t *zones, const char *name, size_t len,
    const char **error);


#endif
