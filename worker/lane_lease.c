/*
 * Leases are kept up by a timer of their own; jobs whose worker is gone are
 * looked for at start and at every interval.
 */

#include <stdlib.h>
#include <string.h>
#include "worker/fault.h"
#include "worker/lane_parts.h"


#define LANE_LEASES  500      /* of one call */
#define LANE_SOON    500      /* ms after Redis refused to renew */


bool
lane_lost(const slot_t *slot)
{
    return slot->lost || clock_ms() >= slot->lease;
}


static void
lane_on_extend(void *data, const redisReply *reply)
{
    size_t        i;
    lane_t       *lane;
    slot_t       *slot;
    const char   *id;
    lane_call_t  *call = data;
    queue_read_e  rc;

    lane = call->lane;
    lane->others--;

    fault_point("extend-reply", NULL);

    rc = queue_read_kind(&lane->queue, "extend", reply);

    /* a link that was lost renews when it is back: lane_link() */

    if (rc == QUEUE_READ_AWAY && reply) {
        clock_arm(lane->lease, LANE_SOON);
    }

    if (rc == QUEUE_READ_OK) {

        for (slot = lane->slots; slot; slot = slot->next) {
            if (slot->seq < call->seq) {
                slot->lease = call->at + lane->queue.lock;
            }
        }

        for (i = 0; (id = queue_read_id(reply, i)) != NULL; i++) {
            for (slot = lane->slots; slot; slot = slot->next) {

                /* taken again since: that lease is another */

                if (slot->seq >= call->seq || slot->writing || slot->lost
                    || strcmp(slot->job->id, id) != 0)
                {
                    continue;
                }

                slot->lost = 1;
                log_event(LOG_WARN_, "lease_lost",
                          "queue", "%s", lane->queue.name, "job", "%s", id,
                          NULL);
            }
        }
    }

    free(call);
}


void
lane_extend(lane_t *lane)
{
    size_t        n;
    slot_t       *slot;
    const char   *pairs[LANE_LEASES * 2];
    lane_call_t  *call;

    for (slot = lane->slots; slot; /* void */ ) {

        for (n = 0; slot && n < LANE_LEASES; slot = slot->next) {
            if (!slot->writing && !slot->lost) {
                pairs[2 * n] = slot->job->id;
                pairs[2 * n + 1] = slot->job->token;
                n++;
            }
        }

        call = n ? lane_call(lane) : NULL;

        if (call == NULL) {
            return;
        }

        if (queue_extend(lane_redis(lane), &lane->queue, pairs, n,
                         lane_on_extend, call)
            != SLUICE_REDIS_OK)
        {
            free(call);
            return;
        }

        lane->others++;
    }
}


void
lane_on_lease(evutil_socket_t fd, short what, void *data)
{
    lane_t  *lane = data;

    if (lane_ready(lane)) {
        lane_extend(lane);
    }

    clock_arm(lane->lease, lane->queue.lock / 2);
}


static void
lane_on_recover(void *data, const redisReply *reply)
{
    size_t       i;
    lane_t      *lane = data;
    const char  *id;

    lane->others--;

    fault_point("recover-reply", NULL);

    if (queue_read_kind(&lane->queue, "recover", reply) != QUEUE_READ_OK) {
        return;
    }

    for (i = 0; (id = queue_read_id(reply, i)) != NULL; i++) {
        log_event(LOG_WARN_, "stalled", "queue", "%s", lane->queue.name,
                  "job", "%s", id, NULL);
        lane_tell(lane, HOOK_STALLED, NULL, id, NULL, 0);
    }

    if (i) {
        lane->asleep = false;
        lane_touch(lane);
    }
}


void
lane_on_check(evutil_socket_t fd, short what, void *data)
{
    lane_t  *lane = data;

    if (lane_ready(lane)
        && queue_recover(lane_redis(lane), &lane->queue,
                         lane_on_recover, lane)
           == SLUICE_REDIS_OK)
    {
        lane->others++;
    }

    clock_arm(lane->check, lane->queue.stalled);
}
