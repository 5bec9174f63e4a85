#include "core/form.h"

#include <string.h>


static int sluice_form_digit(char c);


int
sluice_form_next(const char **p, const char *end, sluice_form_field_t *field)
{
    const char  *start, *stop, *equals;

    start = *p;

    while (start < end && *start == '&') {
        start++;
    }

    if (start == end) {
        *p = end;
        return 0;
    }

    stop = memchr(start, '&', (size_t) (end - start));
    if (stop == NULL) {
        stop = end;
    }

    equals = memchr(start, '=', (size_t) (stop - start));

    field->assigned = (equals != NULL);

    if (equals == NULL) {
        equals = stop;
    }

    field->name = start;
    field->name_len = (size_t) (equals - start);
    field->value = field->assigned ? equals + 1 : stop;
    field->value_len = (size_t) (stop - field->value);

    *p = stop;

    return 1;
}


size_t
sluice_form_decode(char *dst, const char *src, size_t len)
{
    int     high, low;
    char   *start;
    size_t  i;

    start = dst;

    for (i = 0; i < len; i++) {

        if (src[i] == '+') {
            *dst++ = ' ';
            continue;
        }

        if (src[i] != '%') {
            *dst++ = src[i];
            continue;
        }

        if (len - i < 3) {
            return SLUICE_FORM_MALFORMED;
        }

        high = sluice_form_digit(src[i + 1]);
        low = sluice_form_digit(src[i + 2]);

        if (high < 0 || low < 0) {
            return SLUICE_FORM_MALFORMED;
        }

        *dst++ = (char) (high << 4 | low);
        i += 2;
    }

    return (size_t) (dst - start);
}


static int
sluice_form_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }

    return -1;
}
