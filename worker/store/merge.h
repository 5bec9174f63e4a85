/*
 * What a record does to the row of its message: pure.
 */

#ifndef SLUICE_WORKER_STORE_MERGE_H
#define SLUICE_WORKER_STORE_MERGE_H

#include "worker/worker.h"


/* the part of a row that decides */
typedef struct {
    const char  *provider_id;    /* NULL: no provider has accepted it */
    const char  *status;
    const char  *error;          /* or NULL */
    int          code;
    int64_t      updated;        /* `at` of the record that gave the status */
    int64_t      accepted;       /* `at` of the worker's own, 0 none */
} merge_row_t;

typedef enum {
    MERGE_KEEP,      /* the status stays; the record may fill blanks */
    MERGE_TAKE,      /* the record's status, error and provider_id */
    MERGE_RESEND,    /* a new sending: the message's row starts again */
    MERGE_OTHER      /* of another sending: belongs to the row of its own */
} merge_e;


/* Does the record come from the path of a job, not from a webhook? */
bool merge_own(const record_t *record);

merge_e merge_decide(const merge_row_t *row, const record_t *record);


#endif
