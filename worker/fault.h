/*
 * Points at which build/sluiced-fault ends, as by kill -9, or stands still;
 * nothing in any other build.  What it obeys is in tests/fault/point.c.
 */

#ifndef SLUICE_WORKER_FAULT_H
#define SLUICE_WORKER_FAULT_H

#ifdef SLUICE_FAULT

#include <stddef.h>

/* job: an id, or NULL where there are many or none */
void fault_point(const char *step, const char *job);

/* the uuid that leases get, when the test names one */
void fault_uuid(char *uuid, size_t size);

#else

#define fault_point(step, job)  ((void) 0)
#define fault_uuid(uuid, size)  ((void) 0)

#endif

#endif
