/*
 * The next time of the job scheduler whose iteration a job is, from the job's
 * own opts.
 */

#ifndef SLUICE_WORKER_SCHEDULER_H
#define SLUICE_WORKER_SCHEDULER_H

#include "core/schedule.h"
#include "worker/worker.h"
#include "worker/zones.h"


#define SCHEDULER_WRONG  (-2)


/*
 * ms since 1970; SLUICE_SCHEDULE_NONE: it was the last, by the limit or the
 * end; SCHEDULER_WRONG with the error, which names the option.  `now` is
 * when the job was taken.
 */
int64_t scheduler_next(zones_t *zones, int bullmq, const job_t *job,
    int64_t now, char *error, size_t size);


#endif
