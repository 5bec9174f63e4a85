/*
 * The daemon's work: every queue of the settings, from take to finish.
 */

#ifndef SLUICE_WORKER_RUN_H
#define SLUICE_WORKER_RUN_H

#include "worker/worker.h"


typedef struct run_s  run_t;


/*
 * Starts.  `drained` is called once after run_drain() or run_release(), when
 * every result is written.  NULL and why; else the settings are the run's.
 */
run_t *run_open(struct event_base *base, settings_t *settings,
    void (*drained)(void *data), void *data, char *error, size_t size);

/* what has no result yet is left to the stalled check of whoever is there */
void run_close(run_t *run);

/*
 * Other settings: 0 and they are the run's, or -1 and why, and the old stay
 * (the new ones are the caller's).
 */
int run_reload(run_t *run, settings_t *settings, char *error, size_t size);

/* jobs that are here */
size_t run_jobs(const run_t *run);

/* take nothing more, or again */
void run_pause(run_t *run, bool pause);

/* take nothing more, finish what is here */
void run_drain(run_t *run);

/* the same, but what is not sent yet, or has no answer, is given back */
void run_release(run_t *run);


#endif
