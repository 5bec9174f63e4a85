/*
 * A lane's share of the jobs that the process does at once (fair.h).
 */

#include "worker/lane_parts.h"


/*
 * No more than half of the slots in one call, so that Redis works on a call
 * while this process works on the other.
 */

size_t
lane_room(const lane_t *lane)
{
    size_t  used, room, most;

    used = lane->busy + lane->asked;

    if (lane->stopped || used >= lane->concurrency
        || (lane->hold && clock_ms() < lane->hold))
    {
        return 0;
    }

    room = lane->concurrency - used;
    most = (lane->concurrency + LANE_CALLS - 1) / LANE_CALLS;
    most = (most < QUEUE_BATCH) ? most : QUEUE_BATCH;

    return (room < most) ? room : most;
}


/* neither the process nor the tenant may do one more */

bool
lane_share_full(const lane_t *lane)
{
    const fair_t        *fair;
    const fair_group_t  *group;

    fair = lane->conf.fair;
    group = lane->share.group;

    return fair->used >= fair->cap
           || (group && group->cap && group->used >= group->cap);
}


static void
lane_share_hold(lane_t *lane)
{
    size_t  asked;

    asked = lane->asked + lane->granted;

    fair_hold(lane->conf.fair, &lane->share, lane->busy + asked, asked);
}


/* whose turn it is has its own turn of the loop, but for who asks */

static void
lane_share_out(fair_t *fair, const lane_t *asking)
{
    size_t         n;
    lane_t        *lane;
    fair_queue_t  *queue;

    while ((n = fair_next(fair, &queue)) > 0) {
        lane = queue->data;
        lane->granted += n;

        if (lane != asking) {
            lane_touch(lane);
        }
    }
}


static void
lane_share_later(lane_t *lane)
{
    if (lane->conf.fair->first) {
        event_active(lane->conf.turn, 0, 0);
    }
}


/* once for all lanes that had their turn */

void
lane_share_on_turn(evutil_socket_t fd, short what, void *data)
{
    lane_share_out(data, NULL);
}


/*
 * While others wait it gets its share with them, later in this turn of the
 * loop: of slots that come one by one each would make a call.
 */

size_t
lane_share(lane_t *lane)
{
    size_t   n, room;
    fair_t  *fair;

    fair = lane->conf.fair;
    room = lane_vacant(lane);
    lane_share_hold(lane);

    if (room > lane->granted) {
        fair_want(fair, &lane->share, room - lane->granted);
    }

    if (fair->first == &lane->share && fair->last == &lane->share) {
        lane_share_out(fair, lane);
    }

    n = (room < lane->granted) ? room : lane->granted;
    lane->granted -= n;

    return n;
}


void
lane_share_end(lane_t *lane, bool ready)
{
    size_t  room;

    room = 0;

    if (ready && !lane->asleep
        && lane->calls < (lane->flowing ? LANE_CALLS : 1))
    {
        room = lane_vacant(lane);
    }

    if (lane->granted > room) {
        lane->granted = room;
    }

    lane_share_hold(lane);

    if (lane->asleep) {
        fair_rest(lane->conf.fair, &lane->share);
    } else {
        fair_want(lane->conf.fair, &lane->share, room - lane->granted);
    }

    lane_share_later(lane);
}


void
lane_share_leave(lane_t *lane)
{
    lane->granted = 0;
    fair_leave(lane->conf.fair, &lane->share);
    lane_share_later(lane);
}
