/*
 * The store in a thread of its own: records in, a call in the loop when they
 * are written.
 */

#ifndef SLUICE_WORKER_RECORDER_WRITER_H
#define SLUICE_WORKER_RECORDER_WRITER_H

#include "worker/worker.h"


typedef struct recorder_writer_s  recorder_writer_t;

/* error: NULL when all was written, else nothing was */
typedef void (*recorder_writer_pt)(void *data, const char *error);


/* NULL and *error (malloc()ed) when the store cannot be opened */
recorder_writer_t *recorder_writer_open(struct event_base *base,
    const char *path, recorder_writer_pt done, void *data, char **error);

/* One group at a time; the records must stay until `done` was called. */
void recorder_writer_give(recorder_writer_t *writer, const record_t *records,
    size_t n);

/* Waits for a group that is being written; `done` is not called. */
void recorder_writer_close(recorder_writer_t *writer);


#endif
