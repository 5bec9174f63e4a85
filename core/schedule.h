/*
 * A job scheduler's next time, as BullMQ 5 and 6 work it out.  Times are ms
 * since 1970 by the clock of whoever asks; 0 where a time is not set.
 *
 * An iteration is made when the one before is taken, however late: what was
 * missed in between is one run, not many.
 */

#ifndef SLUICE_CORE_SCHEDULE_H
#define SLUICE_CORE_SCHEDULE_H

#include <stdint.h>
#include "core/cron.h"


#define SLUICE_SCHEDULE_NONE  (-1)

/* ten years: more than this between two runs is no schedule */
#define SLUICE_SCHEDULE_MAX   INT64_C(315360000000)


typedef struct {
    const sluice_cron_t  *cron;         /* "pattern", or NULL */
    const sluice_zone_t  *zone;         /* "tz", of the pattern */
    int64_t               every;        /* "every", ms, or 0 */
    int64_t               offset;       /* "offset" of every, ms; 0: none */
    int64_t               start;        /* "startDate" */
    int64_t               end;          /* "endDate" */
    int64_t               limit;        /* "limit": iterations in all, 0: any */
    int                   immediately;  /* "immediately": the first at once */
} sluice_schedule_t;


/*
 * Can it be made at `now`?  Returns NULL, or what is wrong, which names the
 * option.
 */
const char *sluice_schedule_check(const sluice_schedule_t *schedule,
    int64_t now);

/*
 * When is the first iteration?  With every: at once, or at the start, or at
 * the next multiple of every that is `offset` later.  With a pattern: its next
 * time after now and after the start, or at once.
 *
 * *offset is what BullMQ stores beside it, to be given again as `offset`: how
 * the iterations of every lie; 0 for a pattern.  NONE: never.
 */
int64_t sluice_schedule_first(const sluice_schedule_t *schedule, int64_t now,
    int64_t *offset);

/*
 * The one after that of `prev`, which is number `count`, from 1 on, and is
 * taken at `now`.  With every: as much later, or, when that is over, the next
 * that lies as the others do.  NONE: it was the last, by the limit or the end.
 * BullMQ looks at the end before it makes an iteration of every and not at
 * that iteration's time: the last of them may be later than the end.
 */
int64_t sluice_schedule_next(const sluice_schedule_t *schedule, int64_t prev,
    int64_t count, int64_t now, int64_t *offset);


#endif
