/*
 * The times of job schedulers: the first from what somebody asks for, the next
 * from the opts of the job that is the iteration before.
 */

#ifndef SLUICE_WORKER_SCHEDULER_H
#define SLUICE_WORKER_SCHEDULER_H

#include "core/schedule.h"
#include "worker/worker.h"
#include "worker/zones.h"


#define SCHEDULER_WRONG  (-2)


/*
 * ms since 1970 of the first iteration of `repeat`, a JSON object; *offset is
 * to be stored.  NONE: there is no time before the end.  SCHEDULER_WRONG with
 * the error, which begins with the option.
 */
int64_t scheduler_first(zones_t *zones, int bullmq, json_t *repeat,
    int64_t now, int64_t *offset, char *error, size_t size);

/*
 * ms since 1970; SLUICE_SCHEDULE_NONE: it was the last, by the limit or the
 * end; SCHEDULER_WRONG with the error, which names the option.  `now` is
 * when the job was taken.
 */
int64_t scheduler_next(zones_t *zones, int bullmq, const job_t *job,
    int64_t now, char *error, size_t size);


#endif
