/*
 * Rate arithmetic: the generic cell rate algorithm on one number, the
 * "theoretical arrival time" (tat).  Times are microseconds of any clock that
 * the caller uses throughout; the functions read none.
 */

#ifndef SLUICE_CORE_GCRA_H
#define SLUICE_CORE_GCRA_H

#include <stddef.h>
#include <stdint.h>


typedef struct {
    int64_t  interval;    /* µs between two units at the sustained rate, > 0 */
    int64_t  tolerance;   /* µs that a burst may run ahead: burst * interval */
} sluice_gcra_limit_t;


/*
 * Would `cost` units (>= 1) pass at `now`?
 *
 * Returns 0 and sets *next to the tat to store, or returns the µs to wait,
 * > 0, and sets *next to the tat pulled in to what the limit can explain: a
 * longer limit before a reload or a clock set back must not lock a key out.
 * Nothing is charged until the caller stores *next, so several limits can be
 * asked first and charged together.  An idle key passes burst + 1 units; a
 * cost above that never passes, however long the caller waits.
 */
int64_t sluice_gcra_check(int64_t tat, int64_t now, int64_t cost,
    const sluice_gcra_limit_t *limit, int64_t *next);


/*
 * For what is delayed, not refused: the `cost` units get their place in any
 * case.  Returns the µs after `now` at which they are within the limit, 0 to
 * `horizon`, and sets *next to the tat to store.  What was given before
 * stands, the tat is pulled in only to what `horizon` explains.
 */
int64_t sluice_gcra_reserve(int64_t tat, int64_t now, int64_t cost,
    const sluice_gcra_limit_t *limit, int64_t horizon, int64_t *next);


/* Units that would pass at `now`, at most those of a full burst */
int64_t sluice_gcra_left(int64_t tat, int64_t now,
    const sluice_gcra_limit_t *limit);


/*
 * "50r/s", "10r/5s", "300r/m", "1000r/1h", "1r/d" -> µs between two units,
 * rounded up.  Returns the interval, at least 1, or 0 when the text is not a
 * rate: numbers from 1 to 999999999, a period of at most 366 days.
 */
int64_t sluice_gcra_rate(const char *text, size_t len);


#endif
