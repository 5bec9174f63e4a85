#include <stdint.h>
#include <string.h>
#include "core/slot.h"


static uint16_t
sluice_slot_crc(const unsigned char *p, size_t len)
{
    uint16_t  crc;

    /* of the polynomial 0x1021, four bits at a time */

    static const uint16_t  table[16] = {
        0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
        0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef
    };

    for (crc = 0; len; len--, p++) {
        crc = (uint16_t) (crc << 4 ^ table[crc >> 12 ^ *p >> 4]);
        crc = (uint16_t) (crc << 4 ^ table[crc >> 12 ^ (*p & 15)]);
    }

    return crc;
}


/* The length of the tag at *tag, or 0: there is none, or it is empty. */

static size_t
sluice_slot_tag(const unsigned char *key, size_t len,
    const unsigned char **tag)
{
    const unsigned char  *open, *close;

    open = len ? memchr(key, '{', len) : NULL;

    if (open == NULL) {
        return 0;
    }

    *tag = open + 1;
    close = memchr(*tag, '}', (size_t) (key + len - *tag));

    return close ? (size_t) (close - *tag) : 0;
}


unsigned
sluice_slot(const void *key, size_t len)
{
    size_t                n;
    const unsigned char  *tag;

    n = sluice_slot_tag(key, len, &tag);

    return (n ? sluice_slot_crc(tag, n) : sluice_slot_crc(key, len))
           % SLUICE_SLOTS;
}


int
sluice_slot_tagged(const void *prefix, size_t len)
{
    const unsigned char  *tag;

    return sluice_slot_tag(prefix, len, &tag) != 0;
}
