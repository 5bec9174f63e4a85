/*
 * The slot of a Redis Cluster that a key is in: CRC16 (XMODEM) of the key or of
 * its hash tag, the bytes between the first '{' and the first '}' behind it
 * when there are any.
 */

#ifndef SLUICE_CORE_SLOT_H
#define SLUICE_CORE_SLOT_H

#include <stddef.h>


#define SLUICE_SLOTS  16384


/* 0 to SLUICE_SLOTS - 1; any bytes are a key */
unsigned sluice_slot(const void *key, size_t len);

/*
 * 1: every key that begins with this prefix is in one slot, so that a script
 * may be given one of them and touch the others.  0: each in its own.
 */
int sluice_slot_tagged(const void *prefix, size_t len);


#endif
