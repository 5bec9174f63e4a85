#include "core/spool_replay.h"


sluice_spool_read_e
sluice_spool_replay_next(sluice_spool_replay_t *replay, const uint8_t *p,
    size_t len, int end, int64_t since, size_t *size)
{
    size_t                  bytes, n;
    sluice_spool_read_e     rc;
    sluice_spool_record_t  *first, next;

    first = &replay->first;

    rc = sluice_spool_read(&replay->segment, replay->last, p, len, end, first,
                           size);

    if (rc != SLUICE_SPOOL_GOOD) {
        return rc;
    }

    if (first->time < since) {
        replay->last = first->number;
        return SLUICE_SPOOL_BAD;
    }

    replay->upto = first->number;
    replay->nrecords = 1;
    replay->njobs = first->njobs;
    replay->size = *size;
    bytes = first->args_len;

    while (first->number > replay->alone
           && sluice_spool_read(&replay->segment, replay->upto,
                                p + replay->size, len - replay->size, end,
                                &next, &n)
              == SLUICE_SPOOL_GOOD
           && next.time >= since
           && (replay->most == 0
               || replay->njobs + next.njobs <= replay->most)
           && sluice_spool_joins(first, replay->njobs, bytes, &next))
    {
        replay->upto = next.number;
        replay->nrecords++;
        replay->njobs += next.njobs;
        replay->size += n;
        bytes += next.args_len;
    }

    *size = replay->size;

    return SLUICE_SPOOL_GOOD;
}


size_t
sluice_spool_replay_done(sluice_spool_replay_t *replay, const uint8_t *p,
    uint64_t position)
{
    size_t                 done, n;
    sluice_spool_record_t  record;

    if (position >= replay->upto) {
        replay->last = replay->upto;
        return replay->size;
    }

    for (done = 0; done < replay->size; done += n) {

        if (sluice_spool_read(&replay->segment, replay->last, p + done,
                              replay->size - done, 1, &record, &n)
            != SLUICE_SPOOL_GOOD
            || record.number > position)
        {
            break;
        }

        replay->last = record.number;
    }

    return done;
}


size_t
sluice_spool_replay_refused(sluice_spool_replay_t *replay)
{
    if (replay->nrecords > 1) {
        replay->alone = replay->upto;
        return 0;
    }

    replay->last = replay->upto;

    return replay->size;
}
