#include "core/json_grammar.h"


static const uint8_t *sluice_json_number(const uint8_t *p,
    const uint8_t *end, const uint8_t **stop);
static const uint8_t *sluice_json_literal(const uint8_t *p,
    const uint8_t *end, const char *literal, size_t len,
    const uint8_t **stop);


const uint8_t *
sluice_json_string_rest(const uint8_t *p, const uint8_t *limit,
    const uint8_t *end, const uint8_t **stop)
{
    size_t    i, len;
    uint8_t   c;

    while (p < end) {

        if (*p >= 0x80) {
            len = sluice_utf8_sequence(p, end);

            if (len == 0) {
                break;
            }

            p += len;

        } else if (*p == '\\') {
            *stop = p;

            if (end - p < 2) {
                return NULL;
            }

            switch (p[1]) {

            case '"':
            case '\\':
            case '/':
            case 'b':
            case 'f':
            case 'n':
            case 'r':
            case 't':
                p += 2;
                break;

            case 'u':
                if (end - p < 6) {
                    return NULL;
                }

                for (i = 2; i < 6; i++) {
                    c = p[i];

                    if ((c < '0' || c > '9')
                        && ((c | 0x20) < 'a' || (c | 0x20) > 'f'))
                    {
                        return NULL;
                    }
                }

                p += 6;
                break;

            default:
                return NULL;
            }

        } else if (*p == '"') {
            return p;

        } else if (*p < 0x20) {
            break;

        } else {
            p = sluice_utf8_plain(p, limit, end);
        }
    }

    *stop = p;

    return NULL;
}


const uint8_t *
sluice_json_scalar(const uint8_t *p, const uint8_t *end,
    sluice_json_type_e *type, const uint8_t **stop)
{
    switch (*p) {

    case 'n':
        *type = SLUICE_JSON_NULL;
        return sluice_json_literal(p, end, "null", 4, stop);

    case 'f':
        *type = SLUICE_JSON_FALSE;
        return sluice_json_literal(p, end, "false", 5, stop);

    case 't':
        *type = SLUICE_JSON_TRUE;
        return sluice_json_literal(p, end, "true", 4, stop);

    default:
        *type = SLUICE_JSON_NUMBER;
        return sluice_json_number(p, end, stop);
    }
}


static const uint8_t *
sluice_json_number(const uint8_t *p, const uint8_t *end,
    const uint8_t **stop)
{
    const uint8_t  *first;

    if (p < end && *p == '-') {
        p++;
    }

    if (p < end && *p == '0') {
        p++;

    } else {
        first = p;

        while (p < end && *p >= '0' && *p <= '9') {
            p++;
        }

        if (p == first) {
            *stop = p;
            return NULL;
        }
    }

    if (p < end && *p == '.') {
        first = ++p;

        while (p < end && *p >= '0' && *p <= '9') {
            p++;
        }

        if (p == first) {
            *stop = p;
            return NULL;
        }
    }

    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;

        if (p < end && (*p == '+' || *p == '-')) {
            p++;
        }

        first = p;

        while (p < end && *p >= '0' && *p <= '9') {
            p++;
        }

        if (p == first) {
            *stop = p;
            return NULL;
        }
    }

    return p;
}


static const uint8_t *
sluice_json_literal(const uint8_t *p, const uint8_t *end,
    const char *literal, size_t len, const uint8_t **stop)
{
    if ((size_t) (end - p) < len || memcmp(p, literal, len) != 0) {
        *stop = p;
        return NULL;
    }

    return p + len;
}
