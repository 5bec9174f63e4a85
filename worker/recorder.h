/*
 * The streams of records, <prefix>::sluice:records, into the store, in groups:
 * those of each prefix of the settings, and those that somebody tells of, until
 * they are empty.
 *
 * A record leaves its stream only after the store has it, and the store takes
 * any record twice without harm, so a crash of either side repeats some and
 * loses none.  The store works in a thread of its own: one that is busy, full
 * or away delays nobody, the records wait in Redis.  What is no record is set
 * aside in <prefix>::sluice:records:bad, the last RECORDER_BAD of them, and
 * stays where it is while Redis refuses its copy.
 *
 * Without a `store` in the settings there is no recorder, and nobody may write
 * records then: no one would take them out of the streams again.
 */

#ifndef SLUICE_WORKER_RECORDER_H
#define SLUICE_WORKER_RECORDER_H

#include "worker/worker.h"


#define RECORDER_GROUP   500     /* records of one transaction, about */
#define RECORDER_BYTES   (8 * 1024 * 1024)    /* and bytes; twice at most */
#define RECORDER_GATHER  50      /* ms between two that are not full */
#define RECORDER_BAD     10000


typedef struct recorder_s  recorder_t;

/*
 * Opens the store and starts.  What it needs of settings is copied.  NULL and
 * *error (malloc()ed, NULL out of memory) when the store cannot be opened;
 * settings->store must not be NULL.
 */
recorder_t *recorder_open(struct event_base *base, const settings_t *settings,
    char **error);

/*
 * There are records in the stream of the prefix; `behind`: maybe some that were
 * read, and left, by a process that is gone.  In the order in which they are
 * told of, some in each group.
 */
void recorder_tell(recorder_t *recorder, const char *prefix, bool behind);

/* Waits for what the store is doing, 2 s at most; the rest stays in Redis. */
void recorder_close(recorder_t *recorder);


#endif
