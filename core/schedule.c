#include <stddef.h>
#include "core/schedule.h"


const char *
sluice_schedule_check(const sluice_schedule_t *schedule, int64_t now)
{
    if (schedule->cron != NULL && schedule->every != 0) {
        return "pattern and every exclude each other";
    }

    if (schedule->cron == NULL && schedule->every == 0) {
        return "pattern or every is required";
    }

    if (schedule->every < 0 || schedule->every > SLUICE_SCHEDULE_MAX) {
        return "every is not from 1 ms to ten years";
    }

    if (schedule->offset < 0 || schedule->offset > SLUICE_SCHEDULE_MAX) {
        return "offset is not from 0 to ten years";
    }

    if (schedule->limit < 0) {
        return "limit is not from 1 on";
    }

    if (schedule->start < 0 || schedule->end < 0) {
        return "startDate or endDate is before 1970";
    }

    if (schedule->immediately && schedule->start != 0) {
        return "immediately and startDate exclude each other";
    }

    if (schedule->end != 0 && schedule->end <= now) {
        return "endDate is over";
    }

    return NULL;
}


/*
 * The first time that lies at `offset` of `every` and is later than now; with
 * an offset above `every` it is not the first, as in BullMQ.
 */

static int64_t
sluice_schedule_slot(const sluice_schedule_t *schedule, int64_t offset,
    int64_t now)
{
    int64_t  slot;

    slot = now - now % schedule->every + offset;

    return slot > now ? slot : slot + schedule->every;
}


static int64_t
sluice_schedule_cron(const sluice_schedule_t *schedule, int64_t after)
{
    int64_t  at;

    if (after < schedule->start) {
        after = schedule->start;
    }

    at = sluice_cron_next(schedule->cron, schedule->zone, after);

    if (at == SLUICE_CRON_NEVER
        || (schedule->end != 0 && at > schedule->end))
    {
        return SLUICE_SCHEDULE_NONE;
    }

    return at;
}


int64_t
sluice_schedule_first(const sluice_schedule_t *schedule, int64_t now,
    int64_t *offset)
{
    int64_t  at;

    *offset = 0;

    if (schedule->end != 0 && now > schedule->end) {
        return SLUICE_SCHEDULE_NONE;
    }

    if (schedule->cron != NULL) {
        return schedule->immediately ? now
                                     : sluice_schedule_cron(schedule, now);
    }

    if (schedule->start != 0) {
        at = schedule->start > now ? schedule->start : now;

    } else if (schedule->offset != 0) {
        at = sluice_schedule_slot(schedule, schedule->offset, now);

    } else {
        at = now;
    }

    *offset = schedule->offset ? schedule->offset : at % schedule->every;

    return at;
}


int64_t
sluice_schedule_next(const sluice_schedule_t *schedule, int64_t prev,
    int64_t count, int64_t now, int64_t *offset)
{
    int64_t  at;

    *offset = 0;

    if (schedule->limit != 0 && count >= schedule->limit) {
        return SLUICE_SCHEDULE_NONE;
    }

    if (schedule->end != 0 && now > schedule->end) {
        return SLUICE_SCHEDULE_NONE;
    }

    if (schedule->cron != NULL) {
        return sluice_schedule_cron(schedule, prev > now ? prev : now);
    }

    *offset = schedule->offset ? schedule->offset : prev % schedule->every;
    at = prev + schedule->every;

    return at < now ? sluice_schedule_slot(schedule, *offset, now) : at;
}
