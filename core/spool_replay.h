/*
 * The replay of a segment as decisions: which records are the next call, and
 * where it goes on after what became of the call.  The host reads the file and
 * makes the calls, one at a time.
 */

#ifndef SLUICE_CORE_SPOOL_REPLAY_H
#define SLUICE_CORE_SPOOL_REPLAY_H

#include "core/spool.h"


typedef struct {
    sluice_spool_segment_t  segment;
    uint64_t                last;      /* the number before what comes next */
    uint64_t                alone;     /* up to it one record a call */
    size_t                  most;      /* jobs of a call that joins records,
                                          set by the host; 0: as they fit */

    /* the call: records that lie side by side */
    sluice_spool_record_t   first;
    uint64_t                upto;      /* the last one's number */
    size_t                  nrecords;
    size_t                  njobs;
    size_t                  size;      /* bytes of all */
} sluice_spool_replay_t;


/* zeroed but for its segment, it stands before the first record */

/*
 * As sluice_spool_read(), but GOOD is a call of one record or several, at p;
 * records older than `since` (ms) are BAD.  After BAD the host sets *size bytes
 * aside and goes on behind them.
 */
sluice_spool_read_e sluice_spool_replay_next(sluice_spool_replay_t *replay,
    const uint8_t *p, size_t len, int end, int64_t since, size_t *size);

/*
 * The call was run: all of it, or, before, up to the record `position`
 * (UINT64_MAX: all).  Returns how many bytes are done with; 0: none.
 */
size_t sluice_spool_replay_done(sluice_spool_replay_t *replay,
    const uint8_t *p, uint64_t position);

/*
 * The call was refused for good.  Returns 0: its records are called one by one
 * from here on; else the bytes of the only one, to be set aside.
 */
size_t sluice_spool_replay_refused(sluice_spool_replay_t *replay);


#endif
