/*
 * When a lane looks for jobs again: what a take found, words, markers, times.
 */

#include "worker/lane_parts.h"


#define LANE_LOOK   5000     /* ms between two looks at an idle queue */


static void
lane_sleep(lane_t *lane, int64_t ms, bool heeds)
{
    /*
     * The marker came on another connection while this take was on its way,
     * and may tell of a job that was added behind it: look again.
     */

    lane->asleep = !lane->marked;
    lane->heeds = heeds;
    lane->flowing = false;

    clock_arm(lane->wake, ms < LANE_LOOK ? ms : LANE_LOOK);
}


static void
lane_sleep_until(lane_t *lane, int64_t due)
{
    int64_t  wait;

    wait = due - clock_wall_ms();

    /*
     * Redis' clock decides.  When it is behind ours, what is due here is not
     * yet due there: ask less and less often.
     */

    if (wait > 0) {
        lane->skew = 0;

    } else {
        lane->skew = lane->skew ? lane->skew * 2 : 5;
        lane->skew = (lane->skew < LANE_AGAIN) ? lane->skew : LANE_AGAIN;
        wait = lane->skew;
    }

    lane_sleep(lane, wait, true);
}


static void
lane_refused(lane_t *lane, const char *refused)
{
    size_t       i;
    uint64_t     hash;
    const char  *p;

    /* FNV-1a of the id */

    hash = 14695981039346656037u;

    for (p = refused; *p && *p != ' '; p++) {
        hash = (hash ^ (unsigned char) *p) * 1099511628211u;
    }

    for (i = 0; i < LANE_REFUSED; i++) {
        if (lane->refused[i] == hash) {
            return;
        }
    }

    lane->refused[lane->nrefused++ % LANE_REFUSED] = hash;

    log_event(LOG_ERROR_, "job_refused", "queue", "%s", lane->queue.name,
              "job", "%.*s", (int) (p - refused), refused,
              "reason", "%s", *p ? p + 1 : "", NULL);
}


void
lane_taken(lane_t *lane, const taken_t *taken, int64_t at)
{
    size_t  i;

    lane->status = taken->status;
    lane->due = (taken->status == TAKE_DELAYED) ? taken->value : 0;

    if (taken->njobs) {
        lane->last = clock_ms();
    }

    switch (taken->status) {

    case TAKE_OK:
        lane->asleep = false;
        lane->flowing = true;
        lane->skew = 0;
        break;

    case TAKE_DELAYED:
        lane_sleep_until(lane, taken->value);
        break;

    case TAKE_LIMITED:
    case TAKE_CLASS:
        lane_sleep(lane, taken->value > 0 ? taken->value : 1,
                   taken->status == TAKE_CLASS);
        break;

    case TAKE_REFUSED:
        lane_refused(lane, taken->refused);
        lane_sleep(lane, LANE_LOOK, false);
        break;

    default:
        lane_sleep(lane, LANE_LOOK, true);
    }

    for (i = 0; i < taken->njobs; i++) {
        lane_add(lane, taken->jobs[i], at);
    }
}


void
lane_on_wake(evutil_socket_t fd, short what, void *data)
{
    lane_t  *lane = data;

    lane->asleep = false;
    lane_touch(lane);
}


bool
lane_on_marker(void *data, int64_t due)
{
    lane_t   *lane = data;
    int64_t   now;

    if (lane_room(lane) == 0) {
        return false;
    }

    lane->marked = (lane->calls > 0);
    now = clock_wall_ms();

    if (due > now) {

        if (lane->asleep) {
            lane_sleep_until(lane, due);
            lane_touch(lane);
        }

        return true;
    }

    lane->asleep = false;
    lane_touch(lane);

    if (lane_share_full(lane)) {
        /* it looks when it can; the marker is for who can now */
        watch_want(lane->watched, false);
        return false;
    }

    return true;
}


/*
 * A word came: what it tells of may have been added behind a take that is on
 * its way.
 */

void
lane_word(lane_t *lane)
{
    lane->marked = (lane->calls > 0);
    lane->asleep = false;
    lane_touch(lane);
}


bool
lane_resting(const lane_t *lane, int64_t ms, int64_t *due)
{
    *due = lane->due;

    return lane_idle(lane) && lane->asleep && clock_ms() - lane->last >= ms
           && (lane->status == TAKE_IDLE || lane->status == TAKE_DELAYED
               || lane->status == TAKE_PAUSED);
}


void
lane_stop(lane_t *lane, bool stop)
{
    lane->stopped = stop;
    lane_touch(lane);
}


void
lane_hold(lane_t *lane, int64_t ms)
{
    int64_t  until;

    until = clock_ms() + ms;

    if (until > lane->hold) {
        lane->hold = until;
        lane_touch(lane);
    }
}
