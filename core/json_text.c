/* The inside of JSON strings: escaped, unescaped, and what may stand there. */

#include "core/json.h"
#include "core/json_text.h"
#include "core/utf8.h"


#define SLUICE_JSON_REPLACEMENT  0xfffd


static const uint8_t  sluice_json_hex[] = "0123456789abcdef";


static uint32_t sluice_json_code_unit(const uint8_t *p);


size_t
sluice_json_unescape(uint8_t *dst, const sluice_json_value_t *value)
{
    uint8_t        *first;
    uint32_t        code;
    const uint8_t  *end, *p, *run;

    first = dst;
    p = value->data;
    end = p + value->len;

    while (p < end) {
        run = memchr(p, '\\', (size_t) (end - p));

        if (run == NULL) {
            run = end;
        }

        memcpy(dst, p, (size_t) (run - p));
        dst += run - p;
        p = run;

        if (p < end) {
            code = sluice_json_escaped(&p, end);

            if (code >= 0xd800 && code < 0xe000) {
                code = SLUICE_JSON_REPLACEMENT;
            }

            dst = sluice_json_encode(dst, code);
        }
    }

    return (size_t) (dst - first);
}


uint32_t
sluice_json_escaped(const uint8_t **p, const uint8_t *end)
{
    uint32_t        code, low;
    const uint8_t  *escape;

    escape = *p;
    *p += 2;

    switch (escape[1]) {

    case 'b':
        return '\b';

    case 'f':
        return '\f';

    case 'n':
        return '\n';

    case 'r':
        return '\r';

    case 't':
        return '\t';

    case 'u':
        break;

    default:    /* '"', '\', '/' */
        return escape[1];
    }

    *p += 4;
    code = sluice_json_code_unit(escape + 2);

    if (code >= 0xd800 && code < 0xdc00 && end - *p >= 6
        && escape[6] == '\\' && escape[7] == 'u')
    {
        low = sluice_json_code_unit(escape + 8);

        if (low >= 0xdc00 && low < 0xe000) {
            *p += 6;
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
    }

    return code;
}


size_t
sluice_json_escape(uint8_t *dst, const uint8_t *src, size_t len)
{
    size_t          n, size;
    uint8_t         c, out[6];
    const uint8_t  *end, *from, *limit, *piece;

    if (len == 0) {
        return 0;
    }

    size = 0;
    end = src + len;
    limit = sluice_utf8_limit(src, end);

    while (src < end) {
        from = src;
        src = sluice_utf8_plain(src, limit, end);

        if (dst != NULL && src != from) {
            memcpy(dst + size, from, (size_t) (src - from));
        }

        size += (size_t) (src - from);

        if (src == end) {
            break;
        }

        c = *src;

        if (c >= 0x80) {
            n = sluice_utf8_sequence(src, end);
            piece = src;
            src += n;

            if (n == 0) {
                n = (size_t) (sluice_json_encode(out, SLUICE_JSON_REPLACEMENT)
                              - out);
                piece = out;
                src++;
            }

        } else {
            out[0] = '\\';
            out[1] = c;
            n = 2;
            piece = out;
            src++;

            switch (c) {

            case '"':
            case '\\':
                break;

            case '\b':
                out[1] = 'b';
                break;

            case '\f':
                out[1] = 'f';
                break;

            case '\n':
                out[1] = 'n';
                break;

            case '\r':
                out[1] = 'r';
                break;

            case '\t':
                out[1] = 't';
                break;

            default:
                out[1] = 'u';
                out[2] = '0';
                out[3] = '0';
                out[4] = sluice_json_hex[c >> 4];
                out[5] = sluice_json_hex[c & 0xf];
                n = 6;
            }
        }

        if (dst != NULL) {
            memcpy(dst + size, piece, n);
        }

        size += n;
    }

    return size;
}


int
sluice_json_is_text(const uint8_t *src, size_t len)
{
    size_t          n;
    const uint8_t  *end;

    if (len == 0) {
        return 1;
    }

    end = src + len;

    while (src < end) {
        src = sluice_utf8_ascii(src, end);

        while (src < end && *src >= 0x80) {
            n = sluice_utf8_sequence(src, end);

            if (n == 0) {
                return 0;
            }

            src += n;
        }

        if (src < end && *src == 0) {
            return 0;
        }
    }

    return 1;
}


uint8_t *
sluice_json_encode(uint8_t *dst, uint32_t code)
{
    if (code < 0x80) {
        *dst++ = (uint8_t) code;
        return dst;
    }

    if (code < 0x800) {
        *dst++ = (uint8_t) (0xc0 | code >> 6);

    } else {
        if (code < 0x10000) {
            *dst++ = (uint8_t) (0xe0 | code >> 12);

        } else {
            *dst++ = (uint8_t) (0xf0 | code >> 18);
            *dst++ = (uint8_t) (0x80 | (code >> 12 & 0x3f));
        }

        *dst++ = (uint8_t) (0x80 | (code >> 6 & 0x3f));
    }

    *dst++ = (uint8_t) (0x80 | (code & 0x3f));

    return dst;
}


/* four hex digits, which the scanner has seen to be such */

static uint32_t
sluice_json_code_unit(const uint8_t *p)
{
    uint32_t  code, digit;
    unsigned  i;

    code = 0;

    for (i = 0; i < 4; i++) {
        digit = p[i];
        digit = (digit <= '9') ? digit - '0' : (digit | 0x20) - 'a' + 10;
        code = code << 4 | (digit & 0xf);
    }

    return code;
}
