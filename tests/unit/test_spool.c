/* The format of a segment: what is written is read, and nothing else is. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "core/spool.h"


static const sluice_spool_segment_t  segment = {
    "0123456789abcdef0123456789abcdef", 0x5eed5eed
};


/* One record of jobs with two arguments each; returns its size. */

static size_t
record(uint8_t *dst, uint64_t number, unsigned njobs, const char *data)
{
    unsigned               i;
    size_t                 len;
    sluice_spool_record_t  r;
    sluice_spool_writer_t  w;

    memset(&r, 0, sizeof(r));
    r.time = 1700000000000;
    r.major = 6;
    r.njobs = njobs;
    r.nargs = 2;
    r.base = "{acme}:events:";
    r.base_len = strlen(r.base);

    if (number % 2 == 0) {
        r.call = number * 10;
        r.connection = "c0ffee";
        r.connection_len = 6;
    }

    len = strlen(data);
    sluice_spool_begin(&w, dst, &r);

    for (i = 0; i < njobs; i++) {
        sluice_spool_arg(&w, 4);
        sluice_spool_piece(&w, "e-id", 4);
        sluice_spool_arg(&w, len);
        sluice_spool_piece(&w, data, len / 2);
        sluice_spool_piece(&w, data + len / 2, len - len / 2);
    }

    len = sluice_spool_end(&w);

    if (dst) {

        /* sealed for another segment before, as after one that failed */

        sluice_spool_segment_t  other = { "", 99 };

        (void) sluice_spool_seal(&other, 7, dst, len);
        assert_int_equal(sluice_spool_seal(&segment, number - 1, dst, len),
                         number);
    }

    return len;
}


static void
test_crc(void **state)
{
    uint8_t   data[100];
    uint32_t  crc;
    size_t    i;

    /* RFC 3720, B.4 */

    memset(data, 0, 32);
    assert_int_equal(sluice_spool_crc(0, data, 32), 0x8a9136aa);
    memset(data, 0xff, 32);
    assert_int_equal(sluice_spool_crc(0, data, 32), 0x62a8ab43);
    assert_int_equal(sluice_spool_crc(0, "123456789", 9), 0xe3069283);

    for (i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t) i;
    }

    for (i = 0; i <= sizeof(data); i++) {
        crc = sluice_spool_crc(7, data, i);
        crc = sluice_spool_crc(crc, data + i, sizeof(data) - i);
        assert_int_equal(crc, sluice_spool_crc(7, data, sizeof(data)));
    }
}


static void
test_header(void **state)
{
    size_t                  i;
    uint8_t                 h[SLUICE_SPOOL_HEADER];
    sluice_spool_segment_t  got;

    sluice_spool_header(h, &segment);
    assert_true(sluice_spool_header_read(&got, h, sizeof(h)));
    assert_memory_equal(got.name, segment.name, SLUICE_SPOOL_NAME);
    assert_int_equal(got.salt, segment.salt);

    /* any one byte may be bad; of less than a copy nothing is known */

    for (i = 0; i < sizeof(h); i++) {
        h[i] ^= 0x10;
        memset(&got, 0, sizeof(got));
        assert_true(sluice_spool_header_read(&got, h, sizeof(h)));
        assert_int_equal(got.salt, segment.salt);
        h[i] ^= 0x10;

        assert_int_equal(sluice_spool_header_read(&got, h, i),
                         i >= sizeof(h) / 2);
    }

    h[3] ^= 1;
    h[sizeof(h) / 2 + 3] ^= 1;
    assert_false(sluice_spool_header_read(&got, h, sizeof(h)));
}


static void
test_record(void **state)
{
    size_t                  len, size;
    uint8_t                 b[1024];
    const uint8_t          *at, *data;
    sluice_spool_record_t   r;

    size = record(b, 2, 3, "{\"a\":1}");
    assert_int_equal(record(NULL, 2, 3, "{\"a\":1}"), size);

    assert_int_equal(sluice_spool_read(&segment, 1, b, size, 0, &r, &len),
                     SLUICE_SPOOL_GOOD);
    assert_int_equal(len, size);
    assert_int_equal(r.number, 2);
    assert_int_equal(r.call, 20);
    assert_int_equal(r.time, 1700000000000);
    assert_int_equal(r.major, 6);
    assert_int_equal(r.njobs, 3);
    assert_int_equal(r.nargs, 2);
    assert_int_equal(r.base_len, 14);
    assert_memory_equal(r.base, "{acme}:events:", 14);
    assert_int_equal(r.connection_len, 6);
    assert_memory_equal(r.connection, "c0ffee", 6);

    at = r.args;
    sluice_spool_arg_next(&at, &data, &len);
    assert_int_equal(len, 4);
    assert_memory_equal(data, "e-id", 4);
    sluice_spool_arg_next(&at, &data, &len);
    assert_int_equal(len, 7);
    assert_memory_equal(data, "{\"a\":1}", 7);

    /* every length of it but the whole one */

    for (len = 0; len < size; len++) {
        size_t  need;

        assert_int_equal(sluice_spool_read(&segment, 1, b, len, 0, &r, &need),
                         SLUICE_SPOOL_MORE);
        assert_int_equal(need, len < SLUICE_SPOOL_HEAD ? SLUICE_SPOOL_HEAD
                                                       : size);
        assert_int_equal(sluice_spool_read(&segment, 1, b, len, 1, &r, &need),
                         len ? SLUICE_SPOOL_TORN : SLUICE_SPOOL_END);
    }
}


static void
test_writer(void **state)
{
    unsigned               i;
    sluice_spool_record_t  r;
    sluice_spool_writer_t  w;

    struct {
        unsigned     njobs, nargs;
        size_t       base, connection;
        unsigned     args;
        size_t       announced, given;
        int          ok;
    } cases[] = {
        { 1, 1, 1, 0, 1, 3, 3, 1 },
        { 1, 1, 1, 0, 0, 3, 3, 0 },     /* an argument too few */
        { 1, 1, 1, 0, 2, 3, 3, 0 },     /* too many */
        { 1, 1, 1, 0, 1, 3, 2, 0 },     /* a piece too short */
        { 1, 1, 1, 0, 1, 3, 4, 0 },     /* too long */
        { 0, 1, 1, 0, 0, 3, 3, 0 },
        { 1001, 1, 1, 0, 1001, 0, 0, 0 },
        { 1000, 1, 1, 0, 1000, 0, 0, 1 },
        { 1, 0, 1, 0, 0, 0, 0, 0 },
        { 1, 65, 1, 0, 65, 0, 0, 0 },
        { 1, 1, 0, 0, 1, 0, 0, 0 },
        { 1, 1, 1, 33, 1, 0, 0, 0 },
        { 1, 1, 1, 32, 1, 0, 0, 1 },
        { 1, 1, 1, 0, 1, SLUICE_SPOOL_PAYLOAD, 0, 0 },
    };

    static const char  text[64];
    size_t             n, k;

    for (n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
        memset(&r, 0, sizeof(r));
        r.njobs = cases[n].njobs;
        r.nargs = cases[n].nargs;
        r.base = text;
        r.base_len = cases[n].base;
        r.connection = text;
        r.connection_len = cases[n].connection;

        sluice_spool_begin(&w, NULL, &r);

        for (i = 0; i < cases[n].args; i++) {
            sluice_spool_arg(&w, cases[n].announced);

            for (k = 0; k < cases[n].given; k++) {
                sluice_spool_piece(&w, text, 1);
            }
        }

        if ((sluice_spool_end(&w) != 0) != cases[n].ok) {
            fail_msg("case %zu", n);
        }
    }
}


/* One byte changed anywhere: the record is set aside, its neighbours stay. */

static void
test_bad_byte(void **state)
{
    int                     good, n;
    size_t                  at, first, i, second, size, total;
    uint8_t                 b[1024];
    uint64_t                last;
    sluice_spool_record_t   r;
    sluice_spool_read_e     rc;

    first = record(b, 1, 1, "{}");
    second = record(b + first, 2, 1, "{\"a\":\"\\u0001SL\"}");
    total = first + second + record(b + first + second, 3, 2, "{}");

    for (i = 0; i < total; i++) {
        b[i] ^= 0x04;
        last = 0;
        good = 0;

        for (at = 0, n = 0; n < 20; n++, at += size) {
            rc = sluice_spool_read(&segment, last, b + at, total - at, 1, &r,
                                   &size);

            if (rc == SLUICE_SPOOL_END || rc == SLUICE_SPOOL_TORN) {
                break;
            }

            assert_true(size > 0 && at + size <= total);

            if (rc == SLUICE_SPOOL_GOOD) {
                good++;
                last = r.number;
            }
        }

        assert_true(n < 20);
        assert_int_equal(good, 2);
        b[i] ^= 0x04;
    }
}


/* What has the look of a record, without the segment's salt */

static void
test_forged(void **state)
{
    size_t                  at, first, n, size, total;
    uint8_t                 b[1024], fake[256];
    sluice_spool_record_t   r;
    sluice_spool_segment_t  other;

    other = segment;
    other.salt++;

    first = record(b, 1, 1, "{}");
    memcpy(fake, b, first);
    assert_int_equal(sluice_spool_read(&other, 0, b, first, 1, &r, &size),
                     SLUICE_SPOOL_BAD);
    assert_int_equal(size, first);

    /* a number again */

    total = first + record(b + first, 1, 1, "{}");
    total += record(b + total, 3, 1, "{}");
    assert_int_equal(sluice_spool_read(&segment, 0, b, total, 1, &r, &size),
                     SLUICE_SPOOL_GOOD);
    at = size;
    assert_int_equal(sluice_spool_read(&segment, 1, b + at, total - at, 1, &r,
                                       &size), SLUICE_SPOOL_BAD);
    assert_int_equal(size, first);

    /* bytes that are none, read in whatever pieces */

    memset(b, 0x01, sizeof(b));

    for (n = SLUICE_SPOOL_HEAD; n < sizeof(b); n++) {
        assert_int_equal(sluice_spool_read(&segment, 0, b, n, 0, &r, &size),
                         SLUICE_SPOOL_BAD);
        assert_int_equal(size, n - SLUICE_SPOOL_HEAD + 1);
        assert_int_equal(sluice_spool_read(&segment, 0, b, n, 1, &r, &size),
                         SLUICE_SPOOL_BAD);
        assert_int_equal(size, n);
    }
}


/* Payloads that a writer does not make, under good CRCs */

static void
test_payload(void **state)
{
    size_t                  i, n, size;
    uint8_t                 b[1024], c[1024];
    uint32_t                crc;
    sluice_spool_record_t   r;

    n = record(b, 2, 2, "{}");

    for (i = SLUICE_SPOOL_HEAD; i < n; i++) {
        int  bit;

        for (bit = 0; bit < 8; bit++) {
            memcpy(c, b, n);
            c[i] ^= (uint8_t) (1 << bit);

            crc = sluice_spool_crc(segment.salt, c + SLUICE_SPOOL_HEAD,
                                   n - SLUICE_SPOOL_HEAD);
            memcpy(c + 16, &crc, 4);
            crc = sluice_spool_crc(segment.salt, c, 20);
            memcpy(c + 20, &crc, 4);

            /* good or bad, but within its bounds (the sanitizer looks) */

            if (sluice_spool_read(&segment, 0, c, n, 1, &r, &size)
                == SLUICE_SPOOL_GOOD)
            {
                const uint8_t  *at, *data;
                size_t          len, k;

                at = r.args;

                for (k = 0; k < r.njobs * r.nargs; k++) {
                    sluice_spool_arg_next(&at, &data, &len);
                    assert_true(data + len <= c + n);
                }
            }
        }
    }
}


static void
test_joins(void **state)
{
    sluice_spool_record_t  a, b;

    memset(&a, 0, sizeof(a));
    a.major = 6;
    a.njobs = 4;
    a.nargs = 8;
    a.base = "bull:a:";
    a.base_len = 7;
    a.args_len = 100;
    b = a;

    assert_true(sluice_spool_joins(&a, 4, 100, &b));
    assert_true(sluice_spool_joins(&a, 60, 100, &b));
    assert_false(sluice_spool_joins(&a, 61, 100, &b));
    assert_true(sluice_spool_joins(&a, 4, 1024 * 1024 - 100, &b));
    assert_false(sluice_spool_joins(&a, 4, 1024 * 1024 - 99, &b));

    b.base = "bull:b:";
    assert_false(sluice_spool_joins(&a, 4, 100, &b));
    b = a;
    b.major = 5;
    assert_false(sluice_spool_joins(&a, 4, 100, &b));
    b = a;
    b.nargs = 9;
    assert_false(sluice_spool_joins(&a, 4, 100, &b));
    b = a;
    b.call = 1;
    assert_false(sluice_spool_joins(&a, 4, 100, &b));
    assert_false(sluice_spool_joins(&b, 4, 100, &a));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_crc),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_writer),
        cmocka_unit_test(test_bad_byte),
        cmocka_unit_test(test_forged),
        cmocka_unit_test(test_payload),
        cmocka_unit_test(test_joins),
    };

    return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
