/*
 * Jobs that got children while they ran, from whoever added them with this job
 * as their parent: its result is refused until those are done.  It is put into
 * `waiting-children`, and run once more when they are.  What was sent is not
 * sent again: its claim holds the result.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/attempt.h"
#include "worker/lane_parts.h"


/* one of them failed, and with it this job; the text is BullMQ's */

static bool
lane_childless(slot_t *slot)
{
    int        n;
    char      *reason, *stack, *both;
    result_t  *result;

    static const char  text[] = "Cannot complete job %s because it has at least"
                                " one failed child";

    if (slot->replaced) {
        return false;
    }

    n = snprintf(NULL, 0, text, slot->job->id) + 1;
    reason = malloc(n);

    if (reason == NULL) {
        return false;
    }

    snprintf(reason, n, text, slot->job->id);

    /* in one piece: the slot frees one */

    stack = attempt_stack(reason);
    both = stack ? realloc(reason, n + strlen(stack) + 1) : NULL;

    if (both == NULL) {
        free(reason);
        free(stack);
        return false;
    }

    strcpy(both + n, stack);
    free(stack);

    log_event(LOG_WARN_, "dead", "queue", "%s", slot->lane->queue.name,
              "job", "%s", slot->job->id, "attempt", "%d", slot->job->made + 1,
              "reason", "%s", both, NULL);

    attempt_keep(slot->keep, sizeof(slot->keep), slot->job, false);

    slot->replaced = both;
    result = &slot->result;
    result->kind = RESULT_FAILED;
    result->value = both;
    result->stack = both + n;

    return true;
}


bool
lane_children(lane_t *lane, slot_t *slot, int code)
{
    result_t  *result;

    result = &slot->result;

    if (code == -4 && result->kind == RESULT_COMPLETED) {
        log_event(LOG_INFO_, "children_unfinished",
                  "queue", "%s", lane->queue.name, "job", "%s", slot->job->id,
                  NULL);
        result->kind = RESULT_CHILDREN;

    } else if (code == 1 && result->kind == RESULT_CHILDREN) {
        /* they were quicker */
        result->kind = RESULT_COMPLETED;

    } else if (code != -9 || !lane_childless(slot)) {
        return false;
    }

    /* those were written when it was refused */

    result->nrecords = 0;

    slot->writing = 0;
    lane->busy++;
    lane_append((result->kind == RESULT_CHILDREN) ? &lane->retries
                                                  : &lane->finishes, slot);

    return true;
}
