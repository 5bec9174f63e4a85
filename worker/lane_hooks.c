/* What a lane tells hooks. */

#include "worker/hooks.h"
#include "worker/lane_parts.h"


void
lane_tell(lane_t *lane, hook_event_e event, const slot_t *slot,
    const char *job, const char *reason, int64_t wait)
{
    hook_told_t  told = {
        .event = event,
        .queue = lane->queue.name,
        .job = job,
        .name = slot ? slot->job->name : NULL,
        .reason = reason,
        .attempts = slot ? slot->job->made + 1 : 0,
        .wait = wait
    };

    hooks_tell(&told);
}


/* a state is told when it begins, not at each look */

void
lane_tell_taken(lane_t *lane, const taken_t *taken)
{
    take_status_e  before;

    before = lane->told;
    lane->told = taken->status;

    if (taken->njobs) {
        lane->worked = true;
    }

    switch (taken->status) {

    case TAKE_PAUSED:
        if (before != TAKE_PAUSED) {
            lane_tell(lane, HOOK_PAUSED, NULL, NULL, NULL, 0);
        }

        break;

    case TAKE_LIMITED:
        if (before != TAKE_LIMITED) {
            lane_tell(lane, HOOK_LIMITED, NULL, NULL, NULL, taken->value);
        }

        break;

    case TAKE_IDLE:
    case TAKE_DELAYED:
        if (lane->worked && lane->nslots == 0) {
            lane->worked = false;
            lane_tell(lane, HOOK_DRAINED, NULL, NULL, NULL, 0);
        }

        break;

    default:
        break;
    }
}
