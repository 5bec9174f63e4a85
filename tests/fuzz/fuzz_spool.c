/*
 * Any bytes as a segment: the reader comes to the end, in bounds, and what it
 * reads is the same however the bytes come.  The input is pieces, each a byte
 * of flags and one of length: as they are, or in the place of a payload with
 * the CRCs that they need to be looked at.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "core/spool_replay.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static const sluice_spool_segment_t  segment = {
    "0123456789abcdef0123456789abcdef", 0x12345678
};


static void
check(int ok)
{
    if (!ok) {
        abort();
    }
}


static void
put(uint8_t *p, uint64_t value, int bytes)
{
    int  i;

    for (i = 0; i < bytes; i++) {
        p[i] = (uint8_t) (value >> (8 * i));
    }
}


/* A head before `len` bytes at p + SLUICE_SPOOL_HEAD */

static void
head(uint8_t *p, uint64_t number, size_t len)
{
    memcpy(p, "\1SL\2", 4);
    put(p + 4, len, 4);
    put(p + 8, number, 8);
    put(p + 16, sluice_spool_crc(segment.salt, p + SLUICE_SPOOL_HEAD, len), 4);
    put(p + 20, sluice_spool_crc(segment.salt, p, 20), 4);
}


static size_t
build(uint8_t *dst, size_t room, const uint8_t *data, size_t size)
{
    size_t    len, n;
    uint64_t  number;
    uint8_t   flags;

    len = 0;
    number = 0;

    while (size >= 2) {
        flags = data[0];
        n = data[1];
        data += 2;
        size -= 2;
        n = n < size ? n : size;

        if (len + n + SLUICE_SPOOL_HEAD > room) {
            break;
        }

        if (flags & 1) {
            memcpy(dst + len, data, n);
            len += n;

        } else {
            memcpy(dst + len + SLUICE_SPOOL_HEAD, data, n);
            head(dst + len, ++number, n);
            len += SLUICE_SPOOL_HEAD + n;

            if (flags & 2) {
                dst[len - 1] ^= 0x80;
            }
        }

        data += n;
        size -= n;
    }

    return len;
}


/* Reads all, `window` bytes more at a time; a sum of what it has read. */

static uint64_t
read_all(const uint8_t *p, size_t len, size_t window)
{
    size_t                  at, have, i, n, size;
    uint64_t                sum;
    const uint8_t          *arg, *text;
    sluice_spool_read_e     rc;
    sluice_spool_replay_t   replay;

    memset(&replay, 0, sizeof(replay));
    replay.segment = segment;
    have = window < len ? window : len;
    sum = 0;

    for (at = 0; ; ) {
        rc = sluice_spool_replay_next(&replay, p + at, have - at, have == len,
                                      0, &size);

        switch (rc) {

        case SLUICE_SPOOL_END:
        case SLUICE_SPOOL_TORN:
            check(have == len);
            return sum;

        case SLUICE_SPOOL_MORE:
            check(have < len && size > have - at);
            n = at + size > have + window ? at + size : have + window;
            have = n < len ? n : len;
            break;

        case SLUICE_SPOOL_BAD:
            check(size > 0 && size <= have - at);
            at += size;
            break;

        case SLUICE_SPOOL_GOOD:
            check(size > 0 && size <= have - at && replay.njobs > 0);
            arg = replay.first.args;

            for (i = 0; i < replay.first.njobs * replay.first.nargs; i++) {
                sluice_spool_arg_next(&arg, &text, &n);
                check(text + n <= p + at + size);
                sum = sluice_spool_crc((uint32_t) sum, text, n);
            }

            check(arg == replay.first.args + replay.first.args_len);

            /* one record at a time, so that windows do not matter */

            replay.alone = UINT64_MAX;
            n = sluice_spool_replay_done(&replay, p + at, replay.first.number);
            check(n > 0 && n <= size);
            sum += replay.last << 32;
            at += n;
        }
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                  len;
    uint64_t                sum;
    sluice_spool_segment_t  got;

    static uint8_t          file[65536];

    (void) sluice_spool_header_read(&got, data, size);

    len = build(file, sizeof(file), data, size);
    sum = read_all(file, len, len + 1);

    check(read_all(file, len, 1) == sum);
    check(read_all(file, len, 37) == sum);

    return 0;
}
