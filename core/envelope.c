#include "core/envelope.h"

#include <string.h>

#include "core/date.h"
#include "core/json.h"


#define SLUICE_ENVELOPE_NAMES    320   /* the names of all members, the time */
#define SLUICE_ENVELOPE_ESCAPED  6     /* \u001f; with it "", or ":" */


/* dst NULL counts only */

typedef struct {
    uint8_t  *dst;
    size_t    len;
} sluice_envelope_out_t;


#define sluice_envelope_literal(out, text)                                    \
    sluice_envelope_put(out, text, sizeof(text) - 1)


static void sluice_envelope_put(sluice_envelope_out_t *out, const void *data,
    size_t len);
static void sluice_envelope_string(sluice_envelope_out_t *out,
    const sluice_text_t *text);
static void sluice_envelope_time(sluice_envelope_out_t *out, int64_t time_ms);
static void sluice_envelope_digits(uint8_t *dst, int64_t number,
    unsigned digits);
static size_t sluice_envelope_base64(uint8_t *dst, const uint8_t *src,
    size_t len);


size_t
sluice_envelope_room(const sluice_envelope_t *envelope)
{
    size_t  i, len;

    len = envelope->id.len + envelope->source.len + envelope->type.len
          + envelope->tenant.len + envelope->scheme.len
          + envelope->content_type.len;

    for (i = 0; i < 2 * envelope->nheaders; i++) {
        len += envelope->headers[i].len + 1;
    }

    return SLUICE_ENVELOPE_NAMES + SLUICE_ENVELOPE_ESCAPED * len;
}


size_t
sluice_envelope_head(uint8_t *dst, const sluice_envelope_t *envelope)
{
    size_t                 i;
    sluice_envelope_out_t  out;

    out.dst = dst;
    out.len = 0;

    sluice_envelope_literal(&out, "{\"specversion\":\"1.0\",\"id\":");
    sluice_envelope_string(&out, &envelope->id);
    sluice_envelope_literal(&out, ",\"source\":");
    sluice_envelope_string(&out, &envelope->source);
    sluice_envelope_literal(&out, ",\"type\":");
    sluice_envelope_string(&out, &envelope->type);
    sluice_envelope_literal(&out, ",\"time\":");
    sluice_envelope_time(&out, envelope->time_ms);

    if (envelope->tenant.len != 0) {
        sluice_envelope_literal(&out, ",\"tenant\":");
        sluice_envelope_string(&out, &envelope->tenant);
    }

    if (envelope->scheme.len != 0) {
        sluice_envelope_literal(&out, ",\"signaturescheme\":");
        sluice_envelope_string(&out, &envelope->scheme);
    }

    if (envelope->verified) {
        sluice_envelope_literal(&out, ",\"verified\":true");

    } else {
        sluice_envelope_literal(&out, ",\"verified\":false");
    }

    if (envelope->nheaders != 0) {
        sluice_envelope_literal(&out, ",\"headers\":{");

        for (i = 0; i < envelope->nheaders; i++) {
            if (i != 0) {
                sluice_envelope_literal(&out, ",");
            }

            sluice_envelope_string(&out, &envelope->headers[2 * i]);
            sluice_envelope_literal(&out, ":");
            sluice_envelope_string(&out, &envelope->headers[2 * i + 1]);
        }

        sluice_envelope_literal(&out, "}");
    }

    if (envelope->content_type.len != 0) {
        sluice_envelope_literal(&out, ",\"datacontenttype\":");
        sluice_envelope_string(&out, &envelope->content_type);
    }

    switch (envelope->data) {

    case SLUICE_ENVELOPE_JSON:
        sluice_envelope_literal(&out, ",\"data\":");
        break;

    case SLUICE_ENVELOPE_TEXT:
        sluice_envelope_literal(&out, ",\"data\":\"");
        break;

    case SLUICE_ENVELOPE_BINARY:
        sluice_envelope_literal(&out, ",\"data_base64\":\"");
        break;

    case SLUICE_ENVELOPE_NONE:
        break;
    }

    return out.len;
}


size_t
sluice_envelope_tail(uint8_t *dst, const sluice_envelope_t *envelope)
{
    sluice_envelope_out_t  out;

    out.dst = dst;
    out.len = 0;

    if (envelope->data == SLUICE_ENVELOPE_TEXT
        || envelope->data == SLUICE_ENVELOPE_BINARY)
    {
        sluice_envelope_literal(&out, "\"");
    }

    sluice_envelope_literal(&out, "}");

    return out.len;
}


size_t
sluice_envelope_body(uint8_t *dst, const sluice_envelope_t *envelope,
    const uint8_t *body, size_t len)
{
    switch (envelope->data) {

    case SLUICE_ENVELOPE_TEXT:
        return sluice_json_escape(dst, body, len);

    case SLUICE_ENVELOPE_BINARY:
        return sluice_envelope_base64(dst, body, len);

    case SLUICE_ENVELOPE_JSON:
    case SLUICE_ENVELOPE_NONE:
        break;
    }

    return 0;
}


static void
sluice_envelope_put(sluice_envelope_out_t *out, const void *data, size_t len)
{
    if (out->dst != NULL) {
        memcpy(out->dst + out->len, data, len);
    }

    out->len += len;
}


static void
sluice_envelope_string(sluice_envelope_out_t *out, const sluice_text_t *text)
{
    uint8_t  *dst;

    sluice_envelope_literal(out, "\"");

    dst = (out->dst != NULL) ? out->dst + out->len : NULL;

    out->len += sluice_json_escape(dst, (const uint8_t *) text->data,
                                   text->len);

    sluice_envelope_literal(out, "\"");
}


/* RFC 3339 in UTC; gmtime() would need the C library's lock and a time_t. */

static void
sluice_envelope_time(sluice_envelope_out_t *out, int64_t time_ms)
{
    int64_t        of_day;
    uint8_t        text[] = "\"0000-00-00T00:00:00.000Z\"";
    sluice_date_t  date;

    static const int64_t  day_ms = 86400000;

    if (out->dst == NULL) {
        out->len += sizeof(text) - 1;
        return;
    }

    /* what four digits can say: 1970 to 9999 */

    if (time_ms < 0) {
        time_ms = 0;

    } else if (time_ms > INT64_C(253402300799999)) {
        time_ms = INT64_C(253402300799999);
    }

    of_day = time_ms % day_ms;
    date = sluice_date(time_ms / day_ms);

    sluice_envelope_digits(text + 1, date.year, 4);
    sluice_envelope_digits(text + 6, date.month, 2);
    sluice_envelope_digits(text + 9, date.day, 2);
    sluice_envelope_digits(text + 12, of_day / 3600000, 2);
    sluice_envelope_digits(text + 15, of_day / 60000 % 60, 2);
    sluice_envelope_digits(text + 18, of_day / 1000 % 60, 2);
    sluice_envelope_digits(text + 21, of_day % 1000, 3);

    sluice_envelope_put(out, text, sizeof(text) - 1);
}


static void
sluice_envelope_digits(uint8_t *dst, int64_t number, unsigned digits)
{
    while (digits-- != 0) {
        dst[digits] = (uint8_t) ('0' + number % 10);
        number /= 10;
    }
}


static size_t
sluice_envelope_base64(uint8_t *dst, const uint8_t *src, size_t len)
{
    size_t    size;
    uint32_t  bits;

    static const uint8_t  alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    size = (len + 2) / 3 * 4;

    if (dst == NULL) {
        return size;
    }

    while (len >= 3) {
        bits = (uint32_t) src[0] << 16 | (uint32_t) src[1] << 8 | src[2];

        *dst++ = alphabet[bits >> 18];
        *dst++ = alphabet[bits >> 12 & 0x3f];
        *dst++ = alphabet[bits >> 6 & 0x3f];
        *dst++ = alphabet[bits & 0x3f];

        src += 3;
        len -= 3;
    }

    if (len != 0) {
        bits = (uint32_t) src[0] << 16
               | (uint32_t) (len == 2 ? src[1] : 0) << 8;

        *dst++ = alphabet[bits >> 18];
        *dst++ = alphabet[bits >> 12 & 0x3f];
        *dst++ = (len == 2) ? alphabet[bits >> 6 & 0x3f] : '=';
        *dst++ = '=';
    }

    return size;
}
