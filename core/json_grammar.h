/* The grammar of RFC 8259 below its structure; for core/json*.c only. */

#ifndef SLUICE_CORE_JSON_GRAMMAR_H
#define SLUICE_CORE_JSON_GRAMMAR_H

#include "core/json.h"
#include "core/utf8.h"


/*
 * The rest of a string, from its first byte that is not plain.  Returns the
 * closing quote, or NULL and *stop, where it gave up.
 */
const uint8_t *sluice_json_string_rest(const uint8_t *p,
    const uint8_t *limit, const uint8_t *end, const uint8_t **stop);

/*
 * A value that is neither string nor container.  Returns past it, or NULL and
 * *stop.
 */
const uint8_t *sluice_json_scalar(const uint8_t *p, const uint8_t *end,
    sluice_json_type_e *type, const uint8_t **stop);


static inline int
sluice_json_is_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}


static inline const uint8_t *
sluice_json_space(const uint8_t *p, const uint8_t *end)
{
    while (p < end && sluice_json_is_space(*p)) {
        p++;
    }

    return p;
}


/*
 * p is past the opening quote.  Returns the closing one, or NULL and *stop,
 * where it gave up.  *plain is 0 when there was anything to look at.
 */

static inline const uint8_t *
sluice_json_string(const uint8_t *p, const uint8_t *limit,
    const uint8_t *end, unsigned *plain, const uint8_t **stop)
{
    p = sluice_utf8_plain(p, limit, end);

    if (p < end && *p == '"') {
        *plain = 1;
        return p;
    }

    *plain = 0;

    return sluice_json_string_rest(p, limit, end, stop);
}


#endif
