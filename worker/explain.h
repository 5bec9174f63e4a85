/*
 * Why is a job not running?  From what Redis holds, read at one time, to the
 * reasons, the strongest first.  Pure.
 */

#ifndef SLUICE_WORKER_EXPLAIN_H
#define SLUICE_WORKER_EXPLAIN_H

#include "worker/queue_admin.h"


#define EXPLAIN_MAX  12


/* text is never NULL, "" when it is not there; times are ms */
typedef struct {
    job_state_e  state;          /* UNKNOWN: its id is nowhere */
    bool         there;          /* it has a hash */
    int64_t      now, due;       /* due: of a delayed job, since 1970 */
    int64_t      ahead;          /* jobs before it, -1 not known */
    int64_t      priority, finished;
    int64_t      attempts;       /* made */
    int64_t      stalls;
    const char  *error;          /* the last */
    const char  *doom;           /* defa: it will fail with this */
    const char  *worker;         /* pb */
    bool         paused;
    int64_t      concurrency, active;    /* of the queue; 0 any */
    int64_t      limit, used;    /* of the rate; 0 none */
    int64_t      limited;        /* for so many ms more */
    int64_t      lock;           /* ms that its lease lasts, -1 none */
    const char  *token;          /* of the lease */
    int64_t      children;       /* unfinished */
    const char  *child;          /* one of them */
    const char  *scheduler;
    bool         scheduled;      /* the scheduler is there */
    const char  *group, *first;  /* groupKey, and whose turn it is */
    const char  *owner;          /* of a deduplication id that is asked for */
    int64_t      workers;        /* connections of workers, -1 not known */
} explain_facts_t;

typedef struct {
    size_t  n;
    struct {
        const char  *code;       /* "paused", ...: docs/sluicectl.md */
        char         text[640];
    } why[EXPLAIN_MAX];
} explain_t;


void explain(explain_t *answer, const explain_facts_t *facts);


#endif
