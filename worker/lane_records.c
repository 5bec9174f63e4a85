/*
 * A result with more records than one call should carry: they go out ahead of
 * it, some at a time, as plain commands between which Redis serves others.
 * Records are facts and may come twice, so a part that is not known to have
 * arrived is written again.
 */

#include <stdlib.h>
#include <string.h>
#include "worker/fault.h"
#include "worker/lane_parts.h"


typedef struct {
    lane_t       *lane;
    lane_list_t  *list;
    slot_t       *slot;
    size_t        asked;      /* commands whose reply is still to come */
    size_t        written;    /* of the first of them, without a gap */
    queue_read_e  failed;
    char         *error;
} lane_part_t;


size_t
lane_bytes(const result_t *result)
{
    size_t  i, n;

    n = strlen(result->value) + strlen(result->stack);

    for (i = 0; i < result->nrecords; i++) {
        n += strlen(result->records[i]);
    }

    return n;
}


bool
lane_is_large(const result_t *result)
{
    return result->nrecords > LANE_RECORDS
           || (result->nrecords && lane_bytes(result) > LANE_BYTES);
}


static void
lane_part_end(lane_part_t *part)
{
    lane_t    *lane;
    slot_t    *slot;
    result_t  *result;

    lane = part->lane;
    slot = part->slot;
    result = &slot->result;

    fault_point("records-reply", NULL);
    lane->others--;
    result->records += part->written;
    result->nrecords -= part->written;

    if (part->failed == QUEUE_READ_WRONG) {
        lane_return(lane, part->list, slot,
                    part->error ? part->error : "out of memory");

    } else {
        lane_return(lane, part->list, slot, NULL);
    }

    lane_touch(lane);
    free(part->error);
    free(part);
}


static void
lane_on_record(void *data, const redisReply *reply)
{
    queue_read_e  rc;
    lane_part_t  *part = data;

    if (part->failed == QUEUE_READ_OK) {
        rc = queue_read_kind(&part->lane->queue, "XADD", reply);

        if (rc == QUEUE_READ_OK) {
            part->written++;

        } else {
            part->failed = rc;

            if (rc == QUEUE_READ_WRONG) {
                part->error = strdup(reply->str);
            }

            if (reply) {
                lane_quiet(part->lane);
            }
        }
    }

    if (--part->asked == 0) {
        lane_part_end(part);
    }
}


static bool
lane_record(lane_part_t *part, const char *record)
{
    size_t           i;
    lane_t          *lane;
    sluice_redis_t  *redis;

    lane = part->lane;
    redis = lane_redis(lane);

    const char *const  args[] = {
        "XADD", lane->queue.records, "*", "r", record
    };

    (void) sluice_redis_begin(redis, 5, clock_ms());
    sluice_redis_hold(redis);

    for (i = 0; i < 5; i++) {
        sluice_redis_arg(redis, args[i], strlen(args[i]));
    }

    return sluice_redis_end(redis, lane_on_record, part) == SLUICE_REDIS_OK;
}


bool
lane_records(lane_t *lane, lane_list_t *list)
{
    size_t        bytes;
    result_t     *result;
    lane_part_t  *part;

    part = calloc(1, sizeof(lane_part_t));

    if (part == NULL) {
        return false;
    }

    part->lane = lane;
    part->list = list;
    part->slot = list->first;
    part->failed = QUEUE_READ_OK;

    result = &part->slot->result;
    bytes = 0;

    fault_point("records-call", NULL);

    while (part->asked < result->nrecords && part->asked < LANE_RECORDS
           && bytes < LANE_BYTES / 2
           && lane_record(part, result->records[part->asked]))
    {
        bytes += strlen(result->records[part->asked]);
        part->asked++;
    }

    if (part->asked == 0) {
        lane_quiet(lane);
        free(part);
        return false;
    }

    (void) lane_shift(list);
    lane->others++;

    return true;
}
