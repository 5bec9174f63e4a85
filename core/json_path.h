/*
 * Which pointers lead on: sets of pointers, a bit each, narrowed by a member's
 * name or an element's index.  For core/json*.c only.
 */

#ifndef SLUICE_CORE_JSON_PATH_H
#define SLUICE_CORE_JSON_PATH_H

#include <string.h>

#include "core/json.h"


typedef struct {
    const sluice_json_token_t  *token[SLUICE_JSON_POINTERS];
    uint32_t                    escaped;    /* pointers with ~0 or ~1 */
} sluice_json_paths_t;


/* The same as sluice_json_member(), for names or tokens with escapes. */
uint32_t sluice_json_member_decoded(const sluice_json_paths_t *paths,
    uint32_t through, size_t depth, const uint8_t *name, size_t len);


/*
 * memcmp() as a leaf: names are short, and without a call the loop around it
 * keeps its registers.
 */

static inline int
sluice_json_equal(const void *one, const void *two, size_t len)
{
    uint16_t     a2, b2;
    uint32_t     a4, b4, c4, d4;
    uint64_t     a8, b8;
    const char  *a, *b;

    a = one;
    b = two;

    while (len > 16) {
        memcpy(&a8, a, 8);
        memcpy(&b8, b, 8);

        if (a8 != b8) {
            return 0;
        }

        a += 8;
        b += 8;
        len -= 8;
    }

    /* two loads, which overlap where they must */

    if (len >= 8) {
        memcpy(&a8, a, 8);
        memcpy(&b8, b, 8);

        if (a8 != b8) {
            return 0;
        }

        memcpy(&a8, a + len - 8, 8);
        memcpy(&b8, b + len - 8, 8);

        return a8 == b8;
    }

    if (len >= 4) {
        memcpy(&a4, a, 4);
        memcpy(&b4, b, 4);
        memcpy(&c4, a + len - 4, 4);
        memcpy(&d4, b + len - 4, 4);

        return a4 == b4 && c4 == d4;
    }

    if (len >= 2) {
        memcpy(&a2, a, 2);
        memcpy(&b2, b, 2);

        return a2 == b2 && a[len - 1] == b[len - 1];
    }

    return len == 0 || *a == *b;
}


/*
 * Of the pointers through an object, those that go on by this member; `depth`
 * counts from 0.  A name that is not `plain` holds escapes or more than ASCII.
 */

static inline uint32_t
sluice_json_member(const sluice_json_paths_t *paths, uint32_t through,
    size_t depth, const uint8_t *name, size_t len, unsigned plain)
{
    uint32_t                    left;
    const sluice_json_token_t  *token;

    if (!plain || (through & paths->escaped) != 0) {
        return sluice_json_member_decoded(paths, through, depth, name, len);
    }

    left = through;

    do {
        token = &paths->token[__builtin_ctz(left)][depth];

        if (token->len != len || !sluice_json_equal(name, token->data, len)) {
            through ^= left & -left;
        }

        left &= left - 1;

    } while (left != 0);

    return through;
}


static inline uint32_t
sluice_json_element(const sluice_json_paths_t *paths, uint32_t through,
    size_t depth, int64_t index)
{
    uint32_t  left;

    left = through;

    do {
        if (paths->token[__builtin_ctz(left)][depth].index != index) {
            through ^= left & -left;
        }

        left &= left - 1;

    } while (left != 0);

    return through;
}


#endif
