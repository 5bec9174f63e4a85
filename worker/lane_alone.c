/*
 * Jobs that were in hand when a worker ended, as often as their queue allows or
 * once less.  One of them may be what ended it, so each is run with nothing
 * else of its queue in hand; what came with it goes back to its line first.
 * Once less, for a worker may end before that is done.
 */

#include "worker/lane_parts.h"


static bool
lane_is_suspect(const lane_t *lane, const job_t *job)
{
    /* with defa it is failed without being run */

    return job->stalls > 0 && job->stalls + 1 >= lane->queue.max_stalled
           && job->defa[0] == '\0';
}


void
lane_bring(lane_t *lane, const taken_t *taken, int64_t at)
{
    size_t  i;
    bool    alone;

    alone = false;

    for (i = 0; i < taken->njobs; i++) {
        alone = (alone || lane_is_suspect(lane, taken->jobs[i]));
    }

    if (alone && !lane->alone) {
        log_event(LOG_WARN_, "one_at_a_time",
                  "queue", "%s", lane->queue.name, "reason", "%s",
                  "jobs have stalled, and one of them may be the cause", NULL);
    }

    lane->alone = alone;
    lane->back = (alone && lane->nslots + taken->njobs > 1);

    lane_taken(lane, taken, at);

    if (lane->back) {
        lane->back = false;
        lane->asleep = false;
    }
}


size_t
lane_vacant(const lane_t *lane)
{
    if (lane->alone && (lane->nslots > 0 || lane->asked > 0)) {
        return 0;
    }

    return (lane->alone && lane_room(lane) > 0) ? 1 : lane_room(lane);
}


bool
lane_goes_back(const slot_t *slot)
{
    return slot->lane->back && slot->job->defa[0] == '\0';
}
