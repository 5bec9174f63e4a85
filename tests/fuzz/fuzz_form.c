/*
 * Forms of any bytes: the fields, put together again, are the form without its
 * empty fields; what is decoded is no longer than it was, also in place, and is
 * told to be malformed where a "%" has no two digits.
 */

#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/form.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check_decode(const char *text, size_t len)
{
    int      malformed;
    char    *copy;
    size_t   i, n, decoded;

    malformed = 0;
    n = len;

    for (i = 0; i < len; i++) {
        if (text[i] != '%') {
            continue;
        }

        if (len - i < 3 || !isxdigit((unsigned char) text[i + 1])
            || !isxdigit((unsigned char) text[i + 2]))
        {
            malformed = 1;
            break;
        }

        n -= 2;
        i += 2;
    }

    copy = malloc(len + 1);
    assert(copy != NULL);
    memcpy(copy, text, len);

    decoded = sluice_form_decode(copy, copy, len);
    assert(decoded == (malformed ? SLUICE_FORM_MALFORMED : n));

    if (!malformed && memchr(text, '%', len) == NULL) {
        for (i = 0; i < len; i++) {
            assert(copy[i] == (text[i] == '+' ? ' ' : text[i]));
        }
    }

    free(copy);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                 *again, *form;
    size_t                i, len, plain;
    const char           *p;
    sluice_form_field_t   field;

    /* a block of its own, so that a byte beyond is seen */

    form = malloc(size + 1);
    again = malloc(size + 1);
    assert(form != NULL && again != NULL);
    memcpy(form, data, size);

    len = 0;
    p = form;

    while (sluice_form_next(&p, form + size, &field)) {
        assert(field.name_len + field.value_len + field.assigned != 0);

        if (len != 0) {
            again[len++] = '&';
        }

        memcpy(again + len, field.name, field.name_len);
        len += field.name_len;

        if (field.assigned) {
            again[len++] = '=';
        }

        memcpy(again + len, field.value, field.value_len);
        len += field.value_len;

        check_decode(field.name, field.name_len);
        check_decode(field.value, field.value_len);
    }

    assert(p == form + size);

    plain = 0;

    for (i = 0; i < size; i++) {
        if (form[i] != '&'
            || (plain != 0 && form[plain - 1] != '&'))
        {
            form[plain++] = form[i];
        }
    }

    if (plain != 0 && form[plain - 1] == '&') {
        plain--;
    }

    assert(plain == len && memcmp(form, again, len) == 0);

    free(form);
    free(again);

    return 0;
}
