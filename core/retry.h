/*
 * When a failed job is tried again.  Pure: attempt numbers, milliseconds and a
 * random number in, a decision out.
 */

#ifndef SLUICE_CORE_RETRY_H
#define SLUICE_CORE_RETRY_H

#include <stddef.h>
#include <stdint.h>


#define SLUICE_RETRY_STEPS  32    /* delays of one schedule */


typedef enum {
    SLUICE_RETRY_LIST,           /* the n-th delay for the n-th retry */
    SLUICE_RETRY_FIXED,          /* BullMQ "fixed" */
    SLUICE_RETRY_EXPONENTIAL     /* delay * factor^(n-1), at most max */
} sluice_retry_kind_e;

typedef struct {
    sluice_retry_kind_e  kind;
    int64_t              delay[SLUICE_RETRY_STEPS];    /* ms; [0] for others */
    size_t               ndelays;                      /* LIST */
    double               factor;                       /* EXPONENTIAL, 2 */
    int64_t              max;                          /* ms, 0 none */
    double               jitter;                       /* 0..1, as BullMQ's */
    int                  attempts;                     /* in all */
} sluice_retry_t;


/*
 * `made` attempts have failed (>= 1).  Returns the ms until the next, 0 for at
 * once, or -1 when there is none left.  `random` is uniform in [0, 1): jitter
 * j draws from [(1 - j) * delay, delay).
 */
int64_t sluice_retry_next(const sluice_retry_t *retry, int made,
    double random);

/* 5 s, 15 s, 45 s: four attempts in all */
void sluice_retry_messages(sluice_retry_t *retry);

/*
 * A list like "5s 15s 45s", or "exponential base=1s factor=2 max=1h jitter=0.2
 * attempts=8", or "fixed 10s attempts=3".  A list makes one attempt more than
 * it has delays unless attempts= says otherwise (the last delay then stays);
 * the others must say.  jitter= goes with all three.  Returns NULL or what is
 * wrong.
 */
const char *sluice_retry_parse(sluice_retry_t *retry, const char *text,
    size_t len);


/*
 * The pause before a reconnect: 200 ms doubling to 5 s, the last half random.
 * `failures` in a row, 1 for the first.
 */
int64_t sluice_retry_reconnect(unsigned failures, double random);

/*
 * "300ms", "5s", "2m", "1h30m", "7d" -> ms; -1 when it is not a duration.
 * Units from the largest to the smallest, each once; a number needs its unit.
 */
int64_t sluice_duration(const char *text, size_t len);


#endif
