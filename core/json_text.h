/* What the scanner and the string functions of json.h share; for core/ only. */

#ifndef SLUICE_CORE_JSON_TEXT_H
#define SLUICE_CORE_JSON_TEXT_H

#include <stddef.h>
#include <stdint.h>


/*
 * Reads one escape of a string that the scanner has accepted: *p is at its
 * backslash and gets past it; a pair of surrogates is one escape.  Returns the
 * code point; a surrogate without its other half is returned as it is.
 */
uint32_t sluice_json_escaped(const uint8_t **p, const uint8_t *end);

/* Writes the code point as UTF-8, 1 to 4 bytes; returns past them. */
uint8_t *sluice_json_encode(uint8_t *dst, uint32_t code);


#endif
