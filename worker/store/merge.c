/*
 * For one sending (one provider_id) the highest rank wins; before any, the
 * newest record; of several sendings, the one accepted last.  Ties go by time
 * and text, so that the outcome is a function of the set of records and never
 * of their order.
 */

#include <string.h>
#include "worker/store/merge.h"


static int merge_text(const char *a, const char *b);
static int merge_tie(const merge_row_t *row, const record_t *record);


bool
merge_own(const record_t *record)
{
    return record->attempts > 0 || record->channel != NULL
           || record->payload != NULL;
}


merge_e
merge_decide(const merge_row_t *row, const record_t *record)
{
    int  rank;

    rank = record_rank(record->status) - record_rank(row->status);

    if (record->provider_id == NULL) {

        /*
         * A failed attempt.  It says nothing of one that the provider has
         * accepted: an attempt of unknown outcome was sent after all when a
         * status comes with our id, whatever became of the next.
         */

        if (row->provider_id != NULL) {
            return MERGE_KEEP;
        }

        if (record->at != row->updated) {
            return (record->at > row->updated) ? MERGE_TAKE : MERGE_KEEP;
        }

        if (rank != 0) {
            return (rank > 0) ? MERGE_TAKE : MERGE_KEEP;
        }

        return (merge_tie(row, record) > 0) ? MERGE_TAKE : MERGE_KEEP;
    }

    if (row->provider_id == NULL) {
        return MERGE_TAKE;
    }

    if (strcmp(row->provider_id, record->provider_id) != 0) {

        if (!merge_own(record)) {
            return MERGE_OTHER;
        }

        if (record->at != row->accepted) {
            return (record->at > row->accepted) ? MERGE_RESEND : MERGE_OTHER;
        }

        return (strcmp(record->provider_id, row->provider_id) > 0)
               ? MERGE_RESEND : MERGE_OTHER;
    }

    if (rank != 0) {
        return (rank > 0) ? MERGE_TAKE : MERGE_KEEP;
    }

    /* the first time that it was read is when it was read */

    if (record->at != row->updated) {
        return (record->at < row->updated) ? MERGE_TAKE : MERGE_KEEP;
    }

    return (merge_tie(row, record) > 0) ? MERGE_TAKE : MERGE_KEEP;
}


static int
merge_tie(const merge_row_t *row, const record_t *record)
{
    if (record->code != row->code) {
        return (record->code > row->code) ? 1 : -1;
    }

    return merge_text(record->error, row->error);
}


static int
merge_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "");
}
