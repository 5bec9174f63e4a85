/*
 * Who may take jobs now: deficit round robin by weight over the queues that
 * have work, in units of jobs, under caps of the process and of tenants.  The
 * cap of a queue is in what it wants.  Pure: no clock, no I/O.
 *
 * Each queue says how many jobs it could take, and what it holds; fair_next()
 * says who takes how many.  A queue's turn is its weight times a quantum, which
 * is small when few jobs are permitted at once: it is what another waits for.
 * Who can take nothing when its turn comes, or less than it has left, goes on
 * as soon as it can.
 * A queue that had no work comes first, once a round, so that the first job of
 * one does not wait for the backlog of another.
 */

#ifndef SLUICE_WORKER_FAIR_H
#define SLUICE_WORKER_FAIR_H

#include <stdbool.h>
#include <stddef.h>


#define FAIR_QUANTUM  16     /* jobs of a turn, at weight 1, at most */
#define FAIR_ASKED    512    /* on their way from Redis: more only wait there */


typedef struct fair_queue_s  fair_queue_t;

/* jobs at once of all queues of a tenant */
typedef struct {
    size_t         cap;        /* 0: any */
    size_t         used;
    fair_queue_t  *first;      /* those that wait for it */
} fair_group_t;

/* the user's memory; zeroed, then data, weight and group are set */
struct fair_queue_s {
    void          *data;
    fair_group_t  *group;      /* or NULL */
    size_t         weight;     /* 1 or more */

    /* fair.c's */
    fair_queue_t  *prev, *next;
    size_t         want, deficit, used, asked;
    unsigned       listed:1;   /* in the round */
    unsigned       blocked:1;  /* waits for its group */
    unsigned       busy:1;     /* has work, and can take none now */
    unsigned       known:1;    /* had its turn since it came */
};

typedef struct {
    size_t         cap;        /* jobs at once, 1 or more */
    size_t         used, asked;
    fair_queue_t  *first, *last;
} fair_t;


/* how many jobs it could take now, besides what it holds; 0: not now */
void fair_want(fair_t *fair, fair_queue_t *queue, size_t want);

/* it has no work: what is left of its turn is lost */
void fair_rest(fair_t *fair, fair_queue_t *queue);

/*
 * What it holds: jobs in hand and on their way, and the latter alone.  It may
 * be more than what was given, as after a call that failed.
 */
void fair_hold(fair_t *fair, fair_queue_t *queue, size_t used, size_t asked);

/*
 * The next to take, and how many jobs, which count as held and asked from now
 * on; or 0.  To be asked until it is 0, after each of the calls above.
 */
size_t fair_next(fair_t *fair, fair_queue_t **queue);

/* it is gone, with what it held */
void fair_leave(fair_t *fair, fair_queue_t *queue);

/* another cap, or group, of what may hold jobs */
void fair_regroup(fair_t *fair, fair_queue_t *queue, fair_group_t *group);


#endif
