/*
 * Twilio: HMAC-SHA1 over the public URL, then the fields of a form, sorted.
 * JSON and what else there is comes by its SHA-256 in the signed URL.
 */

#include "core/scheme_parts.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>


#define SLUICE_TWILIO_FORM    65536    /* bytes; a message has 1,600 letters */
#define SLUICE_TWILIO_FIELDS    256
#define SLUICE_TWILIO_URLS        2


typedef struct {
    const char  *name;
    size_t       name_len;
    const char  *value;
    size_t       value_len;
} sluice_twilio_field_t;

typedef struct {
    /* text, port, text: with the port or without, both are signed */
    sluice_text_t           url[SLUICE_TWILIO_URLS][3];
    size_t                  nurls;

    size_t                  nfields;
    sluice_twilio_field_t  *fields;
} sluice_twilio_t;


static sluice_read_e sluice_twilio_form(sluice_twilio_t *twilio,
    sluice_reading_t *reading);
static int sluice_twilio_compare(const void *one, const void *two);
static int sluice_twilio_bytes(const char *one, size_t one_len,
    const char *two, size_t two_len);
static void sluice_twilio_urls(sluice_twilio_t *twilio, sluice_text_t url);
static void sluice_twilio_hash(sluice_reading_t *reading,
    sluice_scheme_result_t *result);
static int sluice_twilio_mac(const sluice_twilio_t *twilio,
    const sluice_text_t *url, sluice_signature_t *mac, uint8_t *ours,
    size_t *len);


void
sluice_check_twilio(sluice_reading_t *reading, sluice_key_t *const *keys,
    size_t nkeys, sluice_scheme_result_t *result)
{
    size_t            i, k, len, claimed_len;
    uint8_t           ours[SLUICE_SIGNATURE_MAX];
    uint8_t           claimed[SLUICE_SIGNATURE_MAX];
    unsigned          matched[SLUICE_SCHEME_KEYS];
    sluice_read_e     rc;
    sluice_key_t     *all[SLUICE_SCHEME_KEYS];
    sluice_twilio_t   twilio;

    claimed_len = sluice_signature_decode(claimed, sizeof(claimed),
                                     (const uint8_t *) reading->claim.data,
                                     reading->claim.len,
                                     SLUICE_SIGNATURE_BASE64);

    if (claimed_len != SHA_DIGEST_LENGTH) {
        sluice_verdict(result, SLUICE_SCHEME_MALFORMED,
                       "the signature is not of the form");
        return;
    }

    memset(&twilio, 0, sizeof(twilio));

    if (sluice_read_is_form(reading->request)) {
        rc = sluice_twilio_form(&twilio, reading);

        if (rc != SLUICE_READ_FOUND) {
            free(twilio.fields);
            sluice_verdict_read(result, rc, "",
                                "the form is malformed or too long");
            return;
        }
    }

    sluice_twilio_urls(&twilio, sluice_read_url(reading));
    sluice_verdict_keys(reading->scheme, keys, nkeys, all);

    for (i = 0; i < nkeys; i++) {
        matched[i] = 0;

        for (k = 0; k < twilio.nurls; k++) {

            if (!sluice_twilio_mac(&twilio, twilio.url[k],
                                   all[i]->mac[SLUICE_SIGNATURE_SHA1], ours,
                                   &len))
            {
                free(twilio.fields);
                sluice_verdict(result, SLUICE_SCHEME_FAILED,
                               "OpenSSL failed");
                return;
            }

            matched[i] |= (len == claimed_len
                           && CRYPTO_memcmp(ours, claimed, len) == 0);
        }
    }

    free(twilio.fields);

    sluice_verdict_match(result, keys, nkeys, matched);

    if (result->verdict == SLUICE_SCHEME_VALID) {
        sluice_twilio_hash(reading, result);
    }
}


int
sluice_twilio_sign(sluice_reading_t *reading, const sluice_text_t *url,
    sluice_key_t *key, uint8_t *mac, size_t *len)
{
    int              ok;
    sluice_text_t    pieces[3];
    sluice_twilio_t  twilio;

    memset(&twilio, 0, sizeof(twilio));
    memset(pieces, 0, sizeof(pieces));
    pieces[0] = *url;

    ok = (!sluice_read_is_form(reading->request)
          || sluice_twilio_form(&twilio, reading) == SLUICE_READ_FOUND)
         && sluice_twilio_mac(&twilio, pieces,
                              key->mac[SLUICE_SIGNATURE_SHA1], mac, len);

    free(twilio.fields);

    return ok;
}


/* The decoded bytes stand behind the fields in one block of bounded size. */

static sluice_read_e
sluice_twilio_form(sluice_twilio_t *twilio, sluice_reading_t *reading)
{
    char                   *dst;
    size_t                  n, len;
    const char             *p, *end;
    sluice_read_e           rc;
    sluice_form_field_t     raw;
    sluice_twilio_field_t  *field;

    rc = sluice_read_body(reading);

    if (rc != SLUICE_READ_FOUND) {
        return rc;
    }

    if (reading->body.len > SLUICE_TWILIO_FORM) {
        return SLUICE_READ_MALFORMED;
    }

    p = reading->body.data;
    end = p + reading->body.len;
    n = 0;

    while (sluice_form_next(&p, end, &raw)) {

        /* Twilio always writes it, and "ab" would be "a=b" in what is signed */

        if (!raw.assigned || ++n > SLUICE_TWILIO_FIELDS) {
            return SLUICE_READ_MALFORMED;
        }
    }

    if (n == 0) {
        return SLUICE_READ_FOUND;
    }

    twilio->fields = malloc(n * sizeof(sluice_twilio_field_t)
                            + reading->body.len);
    if (twilio->fields == NULL) {
        return SLUICE_READ_FAILED;
    }

    dst = (char *) (twilio->fields + n);
    p = reading->body.data;

    while (sluice_form_next(&p, end, &raw)) {
        field = &twilio->fields[twilio->nfields++];

        len = sluice_form_decode(dst, raw.name, raw.name_len);
        if (len == SLUICE_FORM_MALFORMED) {
            return SLUICE_READ_MALFORMED;
        }

        field->name = dst;
        field->name_len = len;
        dst += len;

        len = sluice_form_decode(dst, raw.value, raw.value_len);
        if (len == SLUICE_FORM_MALFORMED) {
            return SLUICE_READ_MALFORMED;
        }

        field->value = dst;
        field->value_len = len;
        dst += len;
    }

    qsort(twilio->fields, n, sizeof(sluice_twilio_field_t),
          sluice_twilio_compare);

    return SLUICE_READ_FOUND;
}


static int
sluice_twilio_compare(const void *one, const void *two)
{
    int                           order;
    const sluice_twilio_field_t  *a, *b;

    a = one;
    b = two;

    order = sluice_twilio_bytes(a->name, a->name_len, b->name, b->name_len);

    return (order != 0) ? order
                        : sluice_twilio_bytes(a->value, a->value_len,
                                              b->value, b->value_len);
}


static int
sluice_twilio_bytes(const char *one, size_t one_len, const char *two,
    size_t two_len)
{
    int     order;
    size_t  len;

    len = (one_len < two_len) ? one_len : two_len;
    order = (len != 0) ? memcmp(one, two, len) : 0;

    if (order != 0 || one_len == two_len) {
        return order;
    }

    return (one_len < two_len) ? -1 : 1;
}


/*
 * As it is; with the port that its scheme means, when it has none; without it,
 * when it has that one.  Any other port is signed as it stands.
 */

static void
sluice_twilio_urls(sluice_twilio_t *twilio, sluice_text_t url)
{
    size_t          i, skip, host;
    const char     *p;
    sluice_text_t  *second, port;

    twilio->url[0][0] = url;
    twilio->nurls = 1;

    if (url.len > 8 && memcmp(url.data, "https://", 8) == 0) {
        skip = 8;
        port.data = ":443";
        port.len = 4;

    } else if (url.len > 7 && memcmp(url.data, "http://", 7) == 0) {
        skip = 7;
        port.data = ":80";
        port.len = 3;

    } else {
        return;
    }

    for (host = skip; host < url.len; host++) {
        if (strchr("/?#", url.data[host]) != NULL) {
            break;
        }
    }

    second = twilio->url[1];
    second[0].data = url.data;
    second[0].len = host;
    second[2].data = url.data + host;
    second[2].len = url.len - host;

    if (host - skip > port.len
        && memcmp(url.data + host - port.len, port.data, port.len) == 0)
    {
        second[0].len -= port.len;
        twilio->nurls = 2;
        return;
    }

    p = NULL;

    for (i = skip; i < host; i++) {

        /* the colons of an IPv6 address are in brackets */

        if (url.data[i] == ':') {
            p = url.data + i;

        } else if (url.data[i] == ']') {
            p = NULL;
        }
    }

    if (p == NULL) {
        second[1] = port;
        twilio->nurls = 2;
    }
}


static int
sluice_twilio_mac(const sluice_twilio_t *twilio, const sluice_text_t *url,
    sluice_signature_t *mac, uint8_t *ours, size_t *len)
{
    size_t                        i;
    const sluice_twilio_field_t  *field;

    if (!sluice_signature_begin(mac)) {
        return 0;
    }

    for (i = 0; i < 3; i++) {
        if (!sluice_signature_update(mac, (const uint8_t *) url[i].data,
                                     url[i].len))
        {
            return 0;
        }
    }

    for (i = 0; i < twilio->nfields; i++) {
        field = &twilio->fields[i];

        /* a set: the same name and value counts once */

        if (i != 0 && sluice_twilio_compare(field - 1, field) == 0) {
            continue;
        }

        if (!sluice_signature_update(mac, (const uint8_t *) field->name,
                                     field->name_len)
            || !sluice_signature_update(mac, (const uint8_t *) field->value,
                                        field->value_len))
        {
            return 0;
        }
    }

    return sluice_signature_final(mac, ours, len);
}


/*
 * A body that is no form is signed by its hash in the URL, or not at all.  The
 * hash counts for a form as well: else JSON could be replaced by an empty one.
 */

static void
sluice_twilio_hash(sluice_reading_t *reading, sluice_scheme_result_t *result)
{
    size_t         len;
    uint8_t        hash[SHA256_DIGEST_LENGTH];
    uint8_t        claimed[SHA256_DIGEST_LENGTH];
    sluice_text_t  value;
    sluice_read_e  rc;

    static const sluice_text_t  name = { "bodySHA256", 10 };

    rc = sluice_read_query(reading, &name, &value);

    if (rc == SLUICE_READ_MISSING && sluice_read_is_form(reading->request)) {
        return;
    }

    if (!sluice_read_hash(reading, hash, &len)) {
        sluice_verdict(result, SLUICE_SCHEME_FAILED,
                       "the body could not be read, or OpenSSL failed");
        return;
    }

    if (rc == SLUICE_READ_MISSING && len == 0) {
        return;
    }

    if (rc == SLUICE_READ_MISSING) {
        sluice_verdict(result, SLUICE_SCHEME_MALFORMED,
                       "the URL has no bodySHA256, and the body is no form");
        return;
    }

    if (rc != SLUICE_READ_FOUND
        || sluice_signature_decode(claimed, sizeof(claimed),
                                   (const uint8_t *) value.data, value.len,
                                   SLUICE_SIGNATURE_HEX)
           != sizeof(claimed))
    {
        sluice_verdict(result, SLUICE_SCHEME_MALFORMED,
                       "bodySHA256 is not of the form, or is there twice");
        return;
    }

    if (CRYPTO_memcmp(claimed, hash, sizeof(hash)) != 0) {
        sluice_verdict(result, SLUICE_SCHEME_MISMATCH,
                       "bodySHA256 is of another body");
    }
}
