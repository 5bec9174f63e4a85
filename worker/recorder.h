/*
 * The streams of records, <prefix>::sluice:records of each prefix of the
 * settings, into the store, in groups.
 *
 * A record leaves its stream only after the store has it, and the store takes
 * any record twice without harm, so a crash of either side repeats some and
 * loses none.  The store works in a thread of its own: one that is busy, full
 * or away delays nobody, the records wait in Redis.  What is no record is set
 * aside in <prefix>::sluice:records:bad, the last RECORDER_BAD of them.
 *
 * Without a `store` in the settings there is no recorder, and nobody may write
 * records then: no one would take them out of the streams again.
 */

#ifndef SLUICE_WORKER_RECORDER_H
#define SLUICE_WORKER_RECORDER_H

#include "worker/worker.h"


#define RECORDER_GROUP   500     /* records of one transaction, about */
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

/* Nothing that was read is on its way to the store: a good time to close. */
bool recorder_idle(const recorder_t *recorder);

/* Waits for what the store is doing, 2 s at most; the rest stays in Redis. */
void recorder_close(recorder_t *recorder);


#endif
