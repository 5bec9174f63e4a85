/*
 * The jobs of job schedulers: the next iteration is added while the first runs.
 * Its result is not written before that is done: when this process ends
 * meanwhile, the job is recovered, and whoever takes it goes on from it.
 */

#include "worker/fault.h"
#include "worker/lane_parts.h"
#include "worker/scheduler.h"


static void
lane_iterated(slot_t *slot)
{
    slot->iterating = 0;

    if (slot->settled) {
        lane_settle(slot);
    }
}


static void
lane_stopped(slot_t *slot, const char *reason)
{
    log_event(LOG_ERROR_, "scheduler_stopped",
              "queue", "%s", slot->lane->queue.name,
              "scheduler", "%s", slot->job->scheduler,
              "job", "%s", slot->job->id, "reason", "%s", reason, NULL);
}


static void
lane_on_iterate(void *data, const redisReply *reply)
{
    slot_t        *slot = data;
    lane_t        *lane;
    queue_read_e   rc;

    lane = slot->lane;
    lane->others--;

    fault_point("iterate-reply", slot->job->id);
    rc = queue_read_kind(&lane->queue, "iterate", reply);

    if (rc == QUEUE_READ_AWAY) {
        if (reply) {
            lane_quiet(lane);
        }

        lane_append(&lane->iterations, slot);
        return;
    }

    if (rc == QUEUE_READ_OK && reply->type == REDIS_REPLY_INTEGER
        && reply->integer < 0)
    {
        lane_stopped(slot, reply->integer == -10
                           ? "the job of its next time is there already"
                           : "the job's opts cannot be read");
    }

    lane_iterated(slot);
}


bool
lane_iterate(lane_t *lane)
{
    char     error[256];
    slot_t  *slot;
    int64_t  at;

    slot = lane_shift(&lane->iterations);
    at = scheduler_next(lane->conf.zones, lane->queue.bullmq, slot->job,
                        clock_wall_ms(), error, sizeof(error));

    if (at >= 0) {
        fault_point("iterate-call", slot->job->id);

        if (queue_iterate(lane_redis(lane), &lane->queue, slot->job,
                          at, lane_on_iterate, slot)
            != SLUICE_REDIS_OK)
        {
            lane_append(&lane->iterations, slot);
            lane_quiet(lane);
            return false;
        }

        lane->others++;
        return true;
    }

    if (at == SCHEDULER_WRONG) {
        lane_stopped(slot, error);
    }

    lane_iterated(slot);

    return true;
}
