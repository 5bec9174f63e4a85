#include <errno.h>
#include <string.h>
#include "core/spool.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <nmmintrin.h>
#define SLUICE_SPOOL_SSE42  1
#endif


#define SLUICE_SPOOL_VERSION  1
#define SLUICE_SPOOL_FIXED    26    /* bytes of a payload before the base */
#define SLUICE_SPOOL_COPY     (SLUICE_SPOOL_HEADER / 2)

/* jobs and bytes of a call that several records share */
#define SLUICE_SPOOL_CALL_JOBS   64
#define SLUICE_SPOOL_CALL_BYTES  (1024 * 1024)


/* no text has the control characters: a body never looks like a record */
static const uint8_t  sluice_spool_magic[4] = { 0x01, 'S', 'L', 0x02 };
static const uint8_t  sluice_spool_file[8] = {
    'S', 'L', 'U', 'I', 'C', 'E', 0x01, 0x02
};


static void
sluice_spool_put(uint8_t *p, uint64_t value, int bytes)
{
    int  i;

    for (i = 0; i < bytes; i++) {
        p[i] = (uint8_t) (value >> (8 * i));
    }
}


static uint64_t
sluice_spool_get(const uint8_t *p, int bytes)
{
    int       i;
    uint64_t  value;

    value = 0;

    for (i = bytes - 1; i >= 0; i--) {
        value = value << 8 | p[i];
    }

    return value;
}


/* Four bits at a time: for machines without the instruction. */

static uint32_t
sluice_spool_crc_plain(uint32_t crc, const uint8_t *p, size_t len)
{
    static const uint32_t  table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
        0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75
    };

    while (len--) {
        crc ^= *p++;
        crc = table[crc & 0xf] ^ (crc >> 4);
        crc = table[crc & 0xf] ^ (crc >> 4);
    }

    return crc;
}


#if SLUICE_SPOOL_SSE42


__attribute__((target("sse4.2")))
static uint32_t
sluice_spool_crc_fast(uint32_t crc, const uint8_t *p, size_t len)
{
    uint64_t  sum, word;

    for (sum = crc; len >= 8; len -= 8, p += 8) {
        memcpy(&word, p, 8);
        sum = _mm_crc32_u64(sum, word);
    }

    crc = (uint32_t) sum;

    while (len--) {
        crc = _mm_crc32_u8(crc, *p++);
    }

    return crc;
}

#endif


uint32_t
sluice_spool_crc(uint32_t crc, const void *data, size_t len)
{
#if SLUICE_SPOOL_SSE42
    if (__builtin_cpu_supports("sse4.2")) {
        return ~sluice_spool_crc_fast(~crc, data, len);
    }
#endif

    return ~sluice_spool_crc_plain(~crc, data, len);
}


void
sluice_spool_header(uint8_t *dst, const sluice_spool_segment_t *segment)
{
    memset(dst, 0, SLUICE_SPOOL_HEADER);

    memcpy(dst, sluice_spool_file, 8);
    sluice_spool_put(dst + 8, SLUICE_SPOOL_VERSION, 4);
    sluice_spool_put(dst + 12, segment->salt, 4);
    memcpy(dst + 16, segment->name, SLUICE_SPOOL_NAME);

    sluice_spool_put(dst + SLUICE_SPOOL_COPY - 4,
                     sluice_spool_crc(0, dst, SLUICE_SPOOL_COPY - 4), 4);

    memcpy(dst + SLUICE_SPOOL_COPY, dst, SLUICE_SPOOL_COPY);
}


int
sluice_spool_header_read(sluice_spool_segment_t *segment, const uint8_t *p,
    size_t len)
{
    int  i;

    for (i = 0; i < 2; i++, p += SLUICE_SPOOL_COPY, len -= SLUICE_SPOOL_COPY) {

        if (len < SLUICE_SPOOL_COPY) {
            return 0;
        }

        if (memcmp(p, sluice_spool_file, 8) == 0
            && sluice_spool_get(p + 8, 4) == SLUICE_SPOOL_VERSION
            && sluice_spool_get(p + SLUICE_SPOOL_COPY - 4, 4)
               == sluice_spool_crc(0, p, SLUICE_SPOOL_COPY - 4))
        {
            segment->salt = (uint32_t) sluice_spool_get(p + 12, 4);
            memcpy(segment->name, p + 16, SLUICE_SPOOL_NAME);
            return 1;
        }
    }

    return 0;
}


static void
sluice_spool_write(sluice_spool_writer_t *writer, const void *data, size_t len)
{
    if (writer->wrong || len > SLUICE_SPOOL_PAYLOAD
        || writer->len > SLUICE_SPOOL_HEAD + SLUICE_SPOOL_PAYLOAD - len)
    {
        writer->wrong = 1;
        return;
    }

    if (writer->p && len) {
        memcpy(writer->p, data, len);
        writer->p += len;
    }

    writer->len += len;
}


void
sluice_spool_begin(sluice_spool_writer_t *writer, uint8_t *dst,
    const sluice_spool_record_t *record)
{
    uint8_t  fixed[SLUICE_SPOOL_HEAD + SLUICE_SPOOL_FIXED];

    memset(fixed, 0, SLUICE_SPOOL_HEAD);

    sluice_spool_put(fixed + 24, (uint64_t) record->time, 8);
    sluice_spool_put(fixed + 32, record->call, 8);
    sluice_spool_put(fixed + 40, record->major, 2);
    sluice_spool_put(fixed + 42, record->njobs, 2);
    sluice_spool_put(fixed + 44, record->nargs, 2);
    sluice_spool_put(fixed + 46, record->base_len, 2);
    sluice_spool_put(fixed + 48, record->connection_len, 2);

    writer->dst = dst;
    writer->p = dst;
    writer->len = 0;
    writer->args = (size_t) record->njobs * record->nargs;
    writer->piece = 0;

    writer->wrong = record->njobs == 0 || record->njobs > SLUICE_SPOOL_JOBS
                    || record->nargs == 0 || record->nargs > SLUICE_SPOOL_ARGS
                    || record->base_len == 0 || record->base_len > 0xffff
                    || record->connection_len > SLUICE_SPOOL_CONNECTION;

    sluice_spool_write(writer, fixed, sizeof(fixed));
    sluice_spool_write(writer, record->base, record->base_len);
    sluice_spool_write(writer, record->connection, record->connection_len);
}


void
sluice_spool_arg(sluice_spool_writer_t *writer, size_t len)
{
    uint8_t  length[4];

    if (writer->piece || writer->args == 0 || len > SLUICE_SPOOL_PAYLOAD) {
        writer->wrong = 1;
        return;
    }

    writer->args--;
    writer->piece = len;

    sluice_spool_put(length, len, 4);
    sluice_spool_write(writer, length, 4);
}


void
sluice_spool_piece(sluice_spool_writer_t *writer, const void *data, size_t len)
{
    if (len > writer->piece) {
        writer->wrong = 1;
        return;
    }

    writer->piece -= len;
    sluice_spool_write(writer, data, len);
}


size_t
sluice_spool_end(sluice_spool_writer_t *writer)
{
    if (writer->wrong || writer->args || writer->piece) {
        return 0;
    }

    if (writer->dst) {
        memcpy(writer->dst, sluice_spool_magic, 4);
        sluice_spool_put(writer->dst + 4, writer->len - SLUICE_SPOOL_HEAD, 4);
    }

    return writer->len;
}


uint64_t
sluice_spool_seal(const sluice_spool_segment_t *segment, uint64_t last,
    uint8_t *p, size_t len)
{
    size_t          n;
    const uint8_t  *end;

    for (end = p + len; p < end; p += SLUICE_SPOOL_HEAD + n) {
        n = (size_t) sluice_spool_get(p + 4, 4);

        sluice_spool_put(p + 8, ++last, 8);
        sluice_spool_put(p + 16, sluice_spool_crc(segment->salt,
                                                  p + SLUICE_SPOOL_HEAD, n),
                         4);
        sluice_spool_put(p + 20, sluice_spool_crc(segment->salt, p, 20), 4);
    }

    return last;
}


/* SLUICE_SPOOL_HEAD bytes at p: is it the head of a record after `last`? */

static int
sluice_spool_head(const sluice_spool_segment_t *segment, uint64_t last,
    const uint8_t *p)
{
    return memcmp(p, sluice_spool_magic, 4) == 0
           && sluice_spool_get(p + 4, 4) <= SLUICE_SPOOL_PAYLOAD
           && sluice_spool_get(p + 8, 8) > last
           && sluice_spool_get(p + 20, 4)
              == sluice_spool_crc(segment->salt, p, 20);
}


/* The payload as a record: 1, or 0 when it is none. */

static int
sluice_spool_payload(sluice_spool_record_t *record, const uint8_t *p,
    size_t len)
{
    size_t          i, n;
    const uint8_t  *last;

    if (len < SLUICE_SPOOL_FIXED) {
        return 0;
    }

    last = p + len;

    record->time = (int64_t) sluice_spool_get(p, 8);
    record->call = sluice_spool_get(p + 8, 8);
    record->major = (unsigned) sluice_spool_get(p + 16, 2);
    record->njobs = (unsigned) sluice_spool_get(p + 18, 2);
    record->nargs = (unsigned) sluice_spool_get(p + 20, 2);
    record->base_len = (size_t) sluice_spool_get(p + 22, 2);
    record->connection_len = (size_t) sluice_spool_get(p + 24, 2);
    p += SLUICE_SPOOL_FIXED;

    if (record->njobs == 0 || record->njobs > SLUICE_SPOOL_JOBS
        || record->nargs == 0 || record->nargs > SLUICE_SPOOL_ARGS
        || record->base_len == 0
        || record->connection_len > SLUICE_SPOOL_CONNECTION
        || record->base_len + record->connection_len > (size_t) (last - p))
    {
        return 0;
    }

    record->base = (const char *) p;
    p += record->base_len;
    record->connection = (const char *) p;
    p += record->connection_len;
    record->args = p;
    record->args_len = (size_t) (last - p);

    for (i = 0; i < (size_t) record->njobs * record->nargs; i++) {

        if (last - p < 4) {
            return 0;
        }

        n = (size_t) sluice_spool_get(p, 4);
        p += 4;

        if (n > (size_t) (last - p)) {
            return 0;
        }

        p += n;
    }

    return p == last;
}


sluice_spool_read_e
sluice_spool_read(const sluice_spool_segment_t *segment, uint64_t last,
    const uint8_t *p, size_t len, int end, sluice_spool_record_t *record,
    size_t *size)
{
    size_t          n;
    const uint8_t  *at, *stop;

    if (len < SLUICE_SPOOL_HEAD) {

        if (!end) {
            *size = SLUICE_SPOOL_HEAD;
            return SLUICE_SPOOL_MORE;
        }

        *size = len;
        return len ? SLUICE_SPOOL_TORN : SLUICE_SPOOL_END;
    }

    if (!sluice_spool_head(segment, last, p)) {

        /* on to the next head; the last bytes may be the beginning of one */

        stop = p + len - SLUICE_SPOOL_HEAD + 1;

        for (at = p + 1; at < stop; at++) {

            at = memchr(at, sluice_spool_magic[0], (size_t) (stop - at));
            if (at == NULL) {
                at = stop;
                break;
            }

            if (sluice_spool_head(segment, last, at)) {
                break;
            }
        }

        *size = (at == stop && end) ? len : (size_t) (at - p);
        return SLUICE_SPOOL_BAD;
    }

    n = (size_t) sluice_spool_get(p + 4, 4);
    *size = SLUICE_SPOOL_HEAD + n;

    if (len - SLUICE_SPOOL_HEAD < n) {

        if (!end) {
            return SLUICE_SPOOL_MORE;
        }

        *size = len;
        return SLUICE_SPOOL_TORN;
    }

    record->number = sluice_spool_get(p + 8, 8);

    if (sluice_spool_get(p + 16, 4)
        != sluice_spool_crc(segment->salt, p + SLUICE_SPOOL_HEAD, n)
        || !sluice_spool_payload(record, p + SLUICE_SPOOL_HEAD, n))
    {
        return SLUICE_SPOOL_BAD;
    }

    return SLUICE_SPOOL_GOOD;
}


void
sluice_spool_arg_next(const uint8_t **at, const uint8_t **data, size_t *len)
{
    *len = (size_t) sluice_spool_get(*at, 4);
    *data = *at + 4;
    *at += 4 + *len;
}


int
sluice_spool_joins(const sluice_spool_record_t *record, size_t njobs,
    size_t bytes, const sluice_spool_record_t *next)
{
    return record->call == 0 && next->call == 0
           && record->major == next->major
           && record->nargs == next->nargs
           && record->base_len == next->base_len
           && memcmp(record->base, next->base, next->base_len) == 0
           && njobs + next->njobs <= SLUICE_SPOOL_CALL_JOBS
           && bytes + next->args_len <= SLUICE_SPOOL_CALL_BYTES;
}


int
sluice_spool_append(sluice_spool_file_t *file, const sluice_spool_io_t *io,
    const void *data, size_t len, int sync)
{
    int             err;
    size_t          done, n;
    const uint8_t  *p;

    p = data;
    err = 0;

    for (done = 0; done < len && err == 0; done += n) {
        n = 0;
        err = io->write(io->data, p + done, len - done, &n);

        if (err == 0 && n == 0) {
            err = EIO;
        }
    }

    if (err == 0 && sync) {
        err = io->sync(io->data);

        /*
         * The system may have dropped what it could not write and call the
         * next sync a success: nothing is appended here any more.
         */

        if (err) {
            file->broken = 1;
        }
    }

    if (err == 0) {
        file->size += len;
        return 0;
    }

    /* a part of the group must not stand before the next one */

    if (io->truncate(io->data, file->size) != 0) {
        file->broken = 1;
    }

    return err;
}
