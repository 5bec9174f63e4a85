/*
 * Two steps over bytes that the JSON scanner and the escaper share: to the end
 * of a run that needs no attention, and over one sequence of UTF-8.  A header,
 * because they are the inside of every loop.
 *
 * SSE2 where the compiler has it (every x86-64); else eight bytes at a time
 * in a register.  SLUICE_UTF8_PORTABLE asks for the latter.
 */

#ifndef SLUICE_CORE_UTF8_H
#define SLUICE_CORE_UTF8_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && !defined(SLUICE_UTF8_PORTABLE)
#define SLUICE_UTF8_SSE2  1
#define SLUICE_UTF8_STEP  16
#include <emmintrin.h>
#else
#define SLUICE_UTF8_SSE2  0
#define SLUICE_UTF8_STEP  8
#endif


#define SLUICE_UTF8_ONES   UINT64_C(0x0101010101010101)
#define SLUICE_UTF8_HIGHS  UINT64_C(0x8080808080808080)


/* plain in a JSON string: ASCII, no control character, '"' or '\' */

static inline int
sluice_utf8_is_plain(uint8_t c)
{
    /* the three ranges of 0x20 to 0x7f that '"' and '\' leave */

    return (unsigned) c - 0x23 < 0x5c - 0x23
           || (unsigned) c - 0x5d < 0x80 - 0x5d
           || (unsigned) c - 0x20 < 0x22 - 0x20;
}


/*
 * Are eight bytes plain?  x - 1 borrows into the high bit where a byte x of
 * less than 0x80 is zero.  A borrow may mark the byte above as well, but then
 * the one below is special.
 */

static inline int
sluice_utf8_are_plain(const uint8_t *p)
{
    uint64_t  backslash, control, quote, word;

    memcpy(&word, p, 8);

    quote = (word ^ (SLUICE_UTF8_ONES * '"')) - SLUICE_UTF8_ONES;
    backslash = (word ^ (SLUICE_UTF8_ONES * '\\')) - SLUICE_UTF8_ONES;
    control = word - SLUICE_UTF8_ONES * ' ';

    return ((word | quote | backslash | control) & SLUICE_UTF8_HIGHS) == 0;
}


/* Before this a whole step can be read; computed once for many runs. */

static inline const uint8_t *
sluice_utf8_limit(const uint8_t *start, const uint8_t *end)
{
    return (end - start < SLUICE_UTF8_STEP) ? start
                                            : end - (SLUICE_UTF8_STEP - 1);
}


/* Returns the first byte from p on that is not plain, or end. */

static inline const uint8_t *
sluice_utf8_plain(const uint8_t *p, const uint8_t *limit, const uint8_t *end)
{
#if (SLUICE_UTF8_SSE2)
    __m128i   bytes, special;
    unsigned  mask;

    while (p < limit) {
        bytes = _mm_loadu_si128((const __m128i *) (const void *) p);

        /* signed, so that less than a space is also 0x80 and above */

        special = _mm_cmplt_epi8(bytes, _mm_set1_epi8(' '));
        special = _mm_or_si128(special,
                               _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
        special = _mm_or_si128(special,
                               _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));

        mask = (unsigned) _mm_movemask_epi8(special);

        if (mask != 0) {
            return p + __builtin_ctz(mask);
        }

        p += SLUICE_UTF8_STEP;
    }

    if (end - p >= 8 && sluice_utf8_are_plain(p)) {
        p += 8;
    }
#else
    while (p < limit && sluice_utf8_are_plain(p)) {
        p += SLUICE_UTF8_STEP;
    }
#endif

    while (p < end && sluice_utf8_is_plain(*p)) {
        p++;
    }

    return p;
}


/* Returns the first byte from p on that is NUL or not ASCII, or end. */

static inline const uint8_t *
sluice_utf8_ascii(const uint8_t *p, const uint8_t *end)
{
#if (SLUICE_UTF8_SSE2)
    __m128i   bytes;
    unsigned  mask;

    while (end - p >= SLUICE_UTF8_STEP) {
        bytes = _mm_loadu_si128((const __m128i *) (const void *) p);

        mask = (unsigned) _mm_movemask_epi8(
                   _mm_cmplt_epi8(bytes, _mm_set1_epi8(1)));

        if (mask != 0) {
            return p + __builtin_ctz(mask);
        }

        p += SLUICE_UTF8_STEP;
    }
#else
    uint64_t  word;

    while (end - p >= SLUICE_UTF8_STEP) {
        memcpy(&word, p, 8);

        if (((word | (word - SLUICE_UTF8_ONES)) & SLUICE_UTF8_HIGHS) != 0) {
            break;
        }

        p += SLUICE_UTF8_STEP;
    }
#endif

    while (p < end && *p != 0 && *p < 0x80) {
        p++;
    }

    return p;
}


/*
 * The length of the sequence at p, whose first byte is 0x80 or above: 2 to 4,
 * or 0 when it is not UTF-8 (Unicode, table 3-7: no overlong form, no
 * surrogate, nothing above U+10FFFF) or not whole before end.
 */

static inline size_t
sluice_utf8_sequence(const uint8_t *p, const uint8_t *end)
{
    size_t   len;
    uint8_t  c, high, low;

    c = *p;
    low = 0x80;
    high = 0xbf;

    if (c < 0xc2) {
        return 0;

    } else if (c < 0xe0) {
        len = 2;

    } else if (c < 0xf0) {
        len = 3;

        if (c == 0xe0) {
            low = 0xa0;

        } else if (c == 0xed) {
            high = 0x9f;
        }

    } else if (c < 0xf5) {
        len = 4;

        if (c == 0xf0) {
            low = 0x90;

        } else if (c == 0xf4) {
            high = 0x8f;
        }

    } else {
        return 0;
    }

    if ((size_t) (end - p) < len || p[1] < low || p[1] > high
        || (len > 2 && (p[2] & 0xc0) != 0x80)
        || (len > 3 && (p[3] & 0xc0) != 0x80))
    {
        return 0;
    }

    return len;
}


#endif
