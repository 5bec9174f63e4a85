/*
 * Round after round over all queues of any tenant: the registry says which
 * there are, lua/sweep.lua which of them have something.
 * A round takes an interval, or longer when that were more than a hundredth of
 * Redis' time.
 */

#ifndef SLUICE_WORKER_SWEEP_H
#define SLUICE_WORKER_SWEEP_H

#include "worker/links.h"
#include "worker/roster.h"


#define SWEEP_BATCH  64    /* queues of a call, which takes 0.2 to 0.4 ms */
#define SWEEP_PAUSE  40    /* ms between two calls, at least */
#define SWEEP_NAMES  500   /* of the registry in one call */

typedef struct sweep_s  sweep_t;

typedef struct {
    links_t   *links;
    roster_t  *roster;
    int64_t    interval;       /* ms */

    /* a name of the registry: its record, or NULL */
    known_t  *(*found)(void *data, const char *name, size_t len);

    /* of a record: a job can be taken; nobody has looked for stalled jobs; its
       tenant has records; when the first delayed job is due (ms since 1970),
       or 0 */
    void      (*tells)(void *data, known_t *known, bool jobs, bool stalled,
                       bool records, int64_t due);
    void       *data;
} sweep_conf_t;


/* NULL: out of memory */
sweep_t *sweep_open(struct event_base *base, const sweep_conf_t *conf);

/* only after its links were closed */
void sweep_close(sweep_t *sweep);

void sweep_interval(sweep_t *sweep, int64_t interval);

/* another round now, as fast as it may be: something may have been missed */
void sweep_hurry(sweep_t *sweep);


#endif
