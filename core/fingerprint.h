/*
 * What errors have in common: the text of an error without what differs from
 * job to job.  Its first line, in which each word that holds a digit is "#":
 * numbers, ids, addresses, times.  A number that says what went wrong stays: at
 * the start, or behind "#" or one of the words code, error, http and status.
 *
 *     131056 (#131056) Pair rate limit hit for 4915123    131056 (#131056)
 *                                               Pair rate limit hit for #
 *     connect ECONNREFUSED 10.0.0.7:443      connect ECONNREFUSED #.#.#.#:#
 */

#ifndef SLUICE_CORE_FINGERPRINT_H
#define SLUICE_CORE_FINGERPRINT_H

#include <stddef.h>


#define SLUICE_FINGERPRINT_MAX  160


/*
 * Ended by a zero byte, at most SLUICE_FINGERPRINT_MAX - 1 bytes, whole
 * characters when the text is UTF-8.  Returns its length.
 */
size_t sluice_fingerprint(char dst[SLUICE_FINGERPRINT_MAX], const char *text,
    size_t len);


#endif
