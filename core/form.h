/*
 * application/x-www-form-urlencoded, as a query or a body: names and values in
 * order, then decoded.  No allocation.
 */

#ifndef SLUICE_CORE_FORM_H
#define SLUICE_CORE_FORM_H

#include <stddef.h>


#define SLUICE_FORM_MALFORMED  ((size_t) -1)


typedef struct {
    const char  *name;
    size_t       name_len;
    const char  *value;
    size_t       value_len;
    unsigned     assigned:1;     /* there was a "=" */
} sluice_form_field_t;


/*
 * The next field at *p, not decoded; empty ones ("&&") are left out.  Moves *p
 * behind it.  1, or 0 at the end.
 */
int sluice_form_next(const char **p, const char *end,
    sluice_form_field_t *field);

/*
 * Decodes "+" and "%41"; dst has room for len bytes and may be src.  Returns
 * the length, or SLUICE_FORM_MALFORMED when a "%" has no two hex digits.
 */
size_t sluice_form_decode(char *dst, const char *src, size_t len);


#endif
