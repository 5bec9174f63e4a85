/* TZif files for tests: a table of 64-bit times and a rule. */

#ifndef TESTS_UNIT_ZONE_FILE_H
#define TESTS_UNIT_ZONE_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>


typedef struct {
    int64_t  at;        /* utc; of the first row: ignored, the time before */
    int32_t  offset;
} zone_file_row_t;


static inline uint8_t *
zone_file_put(uint8_t *p, uint64_t value, int bytes)
{
    while (bytes-- != 0) {
        *p++ = (uint8_t) (value >> (8 * bytes));
    }

    return p;
}


static inline uint8_t *
zone_file_header(uint8_t *p, uint32_t times, uint32_t types, uint32_t chars)
{
    memcpy(p, "TZif2", 5);
    memset(p + 5, 0, 15 + 12);
    p = zone_file_put(p + 5 + 15 + 12, times, 4);
    p = zone_file_put(p, types, 4);

    return zone_file_put(p, chars, 4);
}


/* Returns its length; the first part, of 32 bits, is a stub. */

static inline size_t
zone_file(uint8_t *dst, const zone_file_row_t *rows, size_t n,
    const char *rule)
{
    size_t    i;
    uint8_t  *p;

    p = zone_file_header(dst, 0, 1, 1);
    memset(p, 0, 7);
    p = zone_file_header(p + 7, (uint32_t) n - 1, (uint32_t) n, 1);

    for (i = 1; i < n; i++) {
        p = zone_file_put(p, (uint64_t) rows[i].at, 8);
    }

    for (i = 1; i < n; i++) {
        *p++ = (uint8_t) i;
    }

    for (i = 0; i < n; i++) {
        p = zone_file_put(p, (uint32_t) rows[i].offset, 4);
        p = zone_file_put(p, 0, 2);
    }

    *p++ = '\0';
    p += sprintf((char *) p, "\n%s\n", rule);

    return (size_t) (p - dst);
}


#endif
