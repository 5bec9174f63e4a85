/*
 * A disk and a Redis that fail, for test_spool_model.c.
 */

#ifndef SLUICE_TESTS_SPOOL_WORLD_H
#define SLUICE_TESTS_SPOOL_WORLD_H

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include "core/spool_replay.h"


#define FILES    8
#define BYTES    8192
#define JOBS     256
#define CALLS    64

#define CUT      9999    /* an error code of its own: the machine is gone */


typedef struct {
    char      name[SLUICE_SPOOL_NAME];
    uint8_t   data[BYTES];
    size_t    len;
    uint8_t   durable[BYTES];
    size_t    durable_len;
} disk_file_t;

/* where a job's record is, and what it was told */
typedef struct {
    int       acked;
    int       excused;    /* its record had the flipped bit, or was set aside */
    int       added;
    int       file;
    size_t    from;
    size_t    to;
} job_t;

/* a call, as Redis sees it */
typedef struct {
    int       spool;      /* else of a connection */
    int       file;
    uint64_t  number;
    uint64_t  upto;
    int       jobs[JOBS];
    int       njobs;
} call_t;

typedef struct {
    uint64_t     random;
    long         ops;
    long         cut;           /* the operation that does not return */
    int          faults;        /* percent */
    int          poison;        /* a job that Redis refuses, -1 none */

    disk_file_t  files[FILES];
    int          nfiles;
    int          current;       /* of the io */

    job_t        jobs[JOBS];
    int          njobs;

    uint64_t     position[FILES];
    uint8_t      called[CALLS + 1];
    int          ncalls;
    call_t       late[CALLS];
    int          nlate;
} world_t;


static world_t  world;


static uint64_t
rnd(world_t *w, uint64_t n)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;

    return (w->random >> 11) % n;
}


static int
chance(world_t *w, unsigned percent)
{
    return rnd(w, 100) < percent;
}


static int
disk_write(void *data, const void *p, size_t len, size_t *n)
{
    world_t *w = data;

    int           err;
    size_t        some;
    disk_file_t  *f;

    f = &w->files[w->current];
    some = len;
    err = 0;

    if (f->len + len > BYTES) {
        some = BYTES - f->len;
        err = some ? 0 : ENOSPC;
    }

    if (++w->ops == w->cut) {
        some = rnd(w, some + 1);
        err = CUT;

    } else if (chance(w, w->faults)) {
        some = rnd(w, some + 1);
        err = chance(w, 50) ? 0 : (chance(w, 50) ? ENOSPC : EIO);
    }

    memcpy(f->data + f->len, p, some);
    f->len += some;
    *n = some;

    return err;
}


static int
disk_truncate(void *data, uint64_t size)
{
    world_t *w = data;

    if (w->cut && w->ops >= w->cut) {
        return CUT;
    }

    if (++w->ops == w->cut) {

        if (chance(w, 50)) {
            w->files[w->current].len = size;
        }

        return CUT;
    }

    if (chance(w, w->faults)) {
        return EIO;
    }

    w->files[w->current].len = size;

    return 0;
}


/* Some of what was not synced is on the disk all the same, or garbage is. */

static void
disk_half(world_t *w, disk_file_t *f)
{
    size_t  i, to;

    to = f->len;

    if (f->len > f->durable_len) {
        to = f->durable_len + rnd(w, f->len - f->durable_len + 1);
    }

    for (i = 0; i < to; i++) {

        if (i < f->durable_len && f->durable[i] == f->data[i]) {
            continue;
        }

        f->durable[i] = chance(w, 95) ? f->data[i] : 0;
    }

    f->durable_len = to;
}


static int
disk_sync(void *data)
{
    world_t *w = data;

    disk_file_t  *f;

    f = &w->files[w->current];

    if (++w->ops == w->cut) {
        disk_half(w, f);
        return CUT;
    }

    if (chance(w, w->faults)) {
        disk_half(w, f);
        return EIO;
    }

    memcpy(f->durable, f->data, f->len);
    f->durable_len = f->len;

    return 0;
}


static const sluice_spool_io_t  disk = {
    &world, disk_write, disk_truncate, disk_sync
};


/* What Redis remembers (lua/include/once.lua); 0: it was run now. */

static uint64_t
redis_call(world_t *w, const call_t *call)
{
    int  i;

    if (call->spool) {

        if (w->position[call->file] >= call->number) {
            return w->position[call->file];
        }

        w->position[call->file] = call->upto;

    } else if (w->called[call->number]++) {
        return call->number;
    }

    for (i = 0; i < call->njobs; i++) {
        w->jobs[call->jobs[i]].added++;
    }

    return 0;
}


static void
redis_late(world_t *w, const call_t *call)
{
    if (w->nlate < CALLS) {
        w->late[w->nlate++] = *call;
    }
}


#endif
