/*
 * The spool against a disk and a Redis that fail.  A run appends groups of
 * records to segments, on a simulated file system with short writes, ENOSPC,
 * EIO, failing syncs and a cut at some operation; after the cut, by kill or by
 * loss of power, and perhaps a flipped bit, what is left is replayed into a
 * simulated Redis, with lost replies, late calls, refusals and more cuts.
 *
 * Then each job that was acknowledged is there, once (but for those of a record
 * with the flipped bit), and no other is there twice.
 *
 * SPOOL_RUNS=1000000 build/tests/test_spool_model makes more runs.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "tests/unit/spool_world.h"


/* A record of new jobs, perhaps of a call whose outcome is not known */

static size_t
put_record(world_t *w, uint8_t *dst, int base)
{
    int                    i;
    char                   text[32];
    call_t                 call;
    size_t                 len;
    sluice_spool_record_t  record;
    sluice_spool_writer_t  writer;

    memset(&record, 0, sizeof(record));
    record.time = 1000;
    record.major = 6;
    record.njobs = 1 + (unsigned) rnd(w, 3);
    record.nargs = 1;
    record.base = base ? "bull:a:" : "bull:b:";
    record.base_len = 7;

    memset(&call, 0, sizeof(call));

    if (chance(w, 30) && w->ncalls < CALLS) {
        record.connection = "conn";
        record.connection_len = 4;
        record.call = ++w->ncalls;
        call.number = record.call;
    }

    sluice_spool_begin(&writer, dst, &record);

    for (i = 0; i < (int) record.njobs; i++) {
        w->jobs[w->njobs].file = w->current;
        call.jobs[call.njobs++] = w->njobs;
        len = (size_t) sprintf(text, "%d ", w->njobs++);
        sluice_spool_arg(&writer, len);
        sluice_spool_piece(&writer, text, len);
    }

    len = sluice_spool_end(&writer);
    assert_true(len > 0);

    /* the first time: it was run, it was lost, or it is still on its way */

    if (record.call) {

        switch (rnd(w, 3)) {
        case 0:
            (void) redis_call(w, &call);
            break;
        case 1:
            redis_late(w, &call);
            break;
        }
    }

    return len;
}


/* A group, as the host appends it.  0: go on; 1: a new segment; CUT. */

static int
put_group(world_t *w, sluice_spool_file_t *file,
    const sluice_spool_segment_t *segment, uint64_t *number)
{
    int      err, first, from, i, n;
    size_t   len, size;
    uint8_t  group[2048];

    first = w->njobs;
    len = 0;

    for (n = 1 + (int) rnd(w, 4); n; n--) {

        from = w->njobs;
        size = put_record(w, group + len, rnd(w, 3) > 0);

        for (i = from; i < w->njobs; i++) {
            w->jobs[i].from = file->size + len;
            w->jobs[i].to = file->size + len + size;
        }

        len += size;
    }

    *number = sluice_spool_seal(segment, *number, group, len);
    err = sluice_spool_append(file, &disk, group, len, 1);

    for (i = first; i < w->njobs; i++) {
        w->jobs[i].acked = (err == 0);

        if (err) {
            w->jobs[i].file = -1;
        }
    }

    return err == CUT || (w->cut && w->ops >= w->cut) ? CUT : file->broken;
}


static void
write_phase(world_t *w)
{
    int                     i, rc;
    uint8_t                 header[SLUICE_SPOOL_HEADER];
    uint64_t                number;
    disk_file_t            *f;
    sluice_spool_file_t     file;
    sluice_spool_segment_t  segment;

    for (rc = 1; w->nfiles < FILES && rc != CUT; ) {

        f = &w->files[w->nfiles];
        w->current = w->nfiles++;

        memset(f, 0, sizeof(disk_file_t));
        memset(&file, 0, sizeof(file));

        for (i = 0; i < SLUICE_SPOOL_NAME; i++) {
            segment.name[i] = "0123456789abcdef"[rnd(w, 16)];
        }

        memcpy(f->name, segment.name, SLUICE_SPOOL_NAME);
        segment.salt = (uint32_t) w->random;
        number = 0;

        sluice_spool_header(header, &segment);

        rc = sluice_spool_append(&file, &disk, header, sizeof(header), 1);

        if (rc) {
            continue;
        }

        for (i = 0; i < 4 && w->njobs < JOBS - 12; i++) {
            rc = put_group(w, &file, &segment, &number);

            if (rc) {
                break;
            }
        }
    }
}


/* One bit of what the jobs are in */

static void
flip(world_t *w)
{
    int           i;
    size_t        at;
    disk_file_t  *f;

    f = &w->files[rnd(w, (uint64_t) w->nfiles)];

    if (f->len == 0) {
        return;
    }

    at = rnd(w, f->len);
    f->data[at] ^= (uint8_t) (1 << rnd(w, 8));

    for (i = 0; i < w->njobs; i++) {
        if (w->jobs[i].file == f - w->files && w->jobs[i].from <= at
            && at < w->jobs[i].to)
        {
            w->jobs[i].excused = 1;
        }
    }
}


static void
read_call(world_t *w, const sluice_spool_replay_t *replay, const uint8_t *p,
    int file, call_t *call)
{
    size_t                  k, len, n, size;
    uint64_t                last;
    const uint8_t          *at, *data;
    sluice_spool_record_t   record;

    memset(call, 0, sizeof(call_t));
    call->spool = (replay->first.call == 0);
    call->file = file;
    call->number = call->spool ? replay->first.number : replay->first.call;
    call->upto = replay->upto;

    last = replay->last;

    for (n = 0; n < replay->nrecords; n++, p += size) {
        assert_int_equal(sluice_spool_read(&replay->segment, last, p,
                                           replay->size, 1, &record, &size),
                         SLUICE_SPOOL_GOOD);
        last = record.number;
        at = record.args;

        for (k = 0; k < record.njobs; k++) {
            sluice_spool_arg_next(&at, &data, &len);
            call->jobs[call->njobs++] = atoi((const char *) data);
        }
    }
}


/* One segment, as the host replays it: 1 when it is done, 0 after a cut. */

static int
replay_file(world_t *w, int n)
{
    int                     end, i, steps;
    size_t                  at, have, size;
    call_t                  call;
    uint64_t                position;
    disk_file_t            *f;
    sluice_spool_replay_t   replay;

    f = &w->files[n];
    memset(&replay, 0, sizeof(replay));

    if (!sluice_spool_header_read(&replay.segment, f->data, f->len)) {
        return 1;
    }

    have = SLUICE_SPOOL_HEADER;

    for (at = have, steps = 0; steps < 10000; steps++) {

        end = (have >= f->len);
        replay.most = rnd(w, 3) ? 0 : 1 + rnd(w, 20);

        switch (sluice_spool_replay_next(&replay, f->data + at, have - at, end,
                                         0, &size))
        {
        case SLUICE_SPOOL_END:
        case SLUICE_SPOOL_TORN:
            return 1;

        case SLUICE_SPOOL_MORE:
            assert_true(size > have - at && !end);
            have = at + size + rnd(w, 200);
            have = have < f->len ? have : f->len;
            continue;

        case SLUICE_SPOOL_BAD:
            assert_true(size > 0 && size <= have - at);
            at += size;
            continue;

        case SLUICE_SPOOL_GOOD:
            assert_true(replay.most == 0 || replay.nrecords == 1
                        || replay.njobs <= replay.most);
            break;
        }

        read_call(w, &replay, f->data + at, n, &call);

        for (i = 0; i < call.njobs; i++) {
            if (call.jobs[i] == w->poison) {
                break;
            }
        }

        if (i < call.njobs) {
            size = sluice_spool_replay_refused(&replay);
            at += size;

            for (i = 0; size && i < call.njobs; i++) {
                w->jobs[call.jobs[i]].excused = 1;
            }

            continue;
        }

        switch (rnd(w, 12)) {

        case 0:     /* refused, or lost on the way there */
            continue;

        case 1:     /* the reply is lost */
            (void) redis_call(w, &call);
            continue;

        case 2:     /* it comes later */
            redis_late(w, &call);
            continue;

        case 3:     /* killed before */
            return 0;

        case 4:     /* killed after */
            (void) redis_call(w, &call);
            return 0;

        case 5:     /* one that is late comes between */
            if (w->nlate) {
                (void) redis_call(w, &w->late[--w->nlate]);
            }
            /* fall through */

        default:
            position = redis_call(w, &call);

            if (position == 0 || !call.spool) {
                position = UINT64_MAX;
            }

            at += sluice_spool_replay_done(&replay, f->data + at, position);
        }
    }

    fail_msg("the replay does not end");

    return 1;
}


static void
run(uint64_t seed, long cut, int faults, int power, int bits, int poison)
{
    int       i, n;
    world_t  *w;

    w = &world;
    memset(w->jobs, 0, sizeof(w->jobs));
    memset(w->position, 0, sizeof(w->position));
    memset(w->called, 0, sizeof(w->called));
    w->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    w->ops = 0;
    w->cut = cut;
    w->faults = faults;
    w->nfiles = w->njobs = w->ncalls = w->nlate = 0;
    w->poison = -1;

    for (i = 0; i < 4; i++) {
        (void) rnd(w, 2);
    }

    write_phase(w);

    for (i = 0; power && i < w->nfiles; i++) {
        disk_half(w, &w->files[i]);
        memcpy(w->files[i].data, w->files[i].durable, w->files[i].durable_len);
        w->files[i].len = w->files[i].durable_len;
    }

    if (bits) {
        flip(w);
    }

    if (poison && w->njobs) {
        w->poison = (int) rnd(w, (uint64_t) w->njobs);
    }

    for (i = 0; i < w->nfiles; i++) {
        for (n = 0; !replay_file(w, i); n++) {
            assert_true(n < 10000);
        }
    }

    while (w->nlate) {
        (void) redis_call(w, &w->late[--w->nlate]);
    }

    for (i = 0; i < w->njobs; i++) {

        if (w->jobs[i].added > 1
            || (w->jobs[i].acked && !w->jobs[i].added
                && !w->jobs[i].excused))
        {
            fail_msg("seed %llu cut %ld: job %d was added %d times, acked %d",
                     (unsigned long long) seed, cut, i, w->jobs[i].added,
                     w->jobs[i].acked);
        }
    }
}


static void
test_cuts(void **state)
{
    long         n, runs;
    const char  *text;

    text = getenv("SPOOL_RUNS");
    runs = text ? atol(text) : 24000;

    /* each cut point comes in every combination of the other faults */

    for (n = 0; n < runs; n++) {
        run((uint64_t) n, n % 5 ? 1 + n % 97 : 0, n % 3 == 0 ? 15 : 0,
            n % 2 == 0, n % 7 == 0, n % 11 == 0);
    }
}


/* What the model would not see if it were blind: it finds a broken spool. */

static void
test_whole(void **state)
{
    int  acked, i;

    run(1, 0, 0, 0, 0, 0);

    for (acked = 0, i = 0; i < world.njobs; i++) {
        acked += world.jobs[i].acked;
        assert_int_equal(world.jobs[i].added, 1);
    }

    assert_int_equal(acked, world.njobs);
    assert_true(acked > 100);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_cuts),
    };

    return cmocka_run_group_tests_name("spool model", tests, NULL, NULL);
}
