/*
 * What a sender would send: written apart from the checks, which it tests.
 */

#include "core/scheme_sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "core/jwt.h"
#include "core/scheme_parts.h"


#define SLUICE_SIGN_EXPIRY  300     /* seconds that a token is good for */
#define SLUICE_SIGN_TOO_LONG  "what is signed is too long"


typedef struct {
    const sluice_scheme_t    *scheme;
    const sluice_request_t   *request;
    const char               *secret;
    size_t                    len;
    sluice_text_t             id;
    sluice_text_t             url;
    sluice_text_t             body;
    int64_t                   now;
    char                      time[32];
    sluice_signed_request_t  *result;
} sluice_signing_t;


static const char *sluice_sign_signed(sluice_signing_t *s);
static const char *sluice_sign_twilio(sluice_signing_t *s);
static const char *sluice_sign_token(sluice_signing_t *s);
static const char *sluice_sign_jwt(sluice_signing_t *s);
static size_t sluice_sign_claims(const sluice_signing_t *s, char *dst,
    size_t size);
static const char *sluice_sign_mac(const sluice_signing_t *s,
    const char *text, size_t len, uint8_t *mac, size_t *mac_len);
static char *sluice_sign_message(const sluice_signing_t *s, size_t *len);
static const char *sluice_sign_put(sluice_signing_t *s,
    const sluice_sources_t *sources, const char *before, const char *data,
    size_t len);
static int sluice_sign_keep(sluice_signed_request_t *result,
    sluice_text_t *text, const char *one, size_t one_len, const char *two,
    size_t two_len);


const char *
sluice_scheme_sign(const sluice_scheme_t *scheme, const char *secret,
    size_t len, const sluice_text_t *id, const sluice_request_t *request,
    int64_t now, sluice_signed_request_t *result)
{
    sluice_signing_t  s;

    memset(result, 0, offsetof(sluice_signed_request_t, text));

    s.scheme = scheme;
    s.request = request;
    s.secret = secret;
    s.len = len;
    s.id = *id;
    s.now = now;
    s.result = result;
    s.url = (scheme->public_url.len != 0) ? scheme->public_url : request->url;

    snprintf(s.time, sizeof(s.time), "%lld",
             (long long) (scheme->milliseconds ? now * 1000 : now));

    if (!request->whole(request->data, &s.body)) {
        return "the body could not be read";
    }

    switch (scheme->preset->kind) {

    case SLUICE_KIND_SIGNED:
        return sluice_sign_signed(&s);

    case SLUICE_KIND_TWILIO:
        return sluice_sign_twilio(&s);

    case SLUICE_KIND_TOKEN:
        return sluice_sign_token(&s);

    default:
        return sluice_sign_jwt(&s);
    }
}


static const char *
sluice_sign_signed(sluice_signing_t *s)
{
    char                   *message;
    size_t                  len, n;
    uint8_t                 signature[SLUICE_SIGN_BYTES];
    char                    text[2 * SLUICE_SIGN_BYTES + SLUICE_SCHEME_SCRATCH];
    const char             *wrong;
    const sluice_scheme_t  *scheme;
    const sluice_source_t  *pair;

    scheme = s->scheme;

    if (scheme->id.n != 0 && s->id.len == 0) {
        return "the scheme signs an id: event=";
    }

    message = sluice_sign_message(s, &len);
    if (message == NULL) {
        return SLUICE_SCHEME_NO_MEMORY;
    }

    wrong = (scheme->algorithm < SLUICE_SCHEME_MACS)
            ? sluice_sign_mac(s, message, len, signature, &n)
            : sluice_sign_private(s->secret, s->len,
                         (scheme->algorithm == SLUICE_ALGORITHM_ED25519)
                         ? SLUICE_JWT_EDDSA : SLUICE_JWT_ES256,
                         message, len, signature, &n);
    free(message);

    if (wrong != NULL) {
        return wrong;
    }

    /* of a list, the time stands before the signature as another element */

    len = 0;
    pair = (scheme->timestamp.n != 0
            && scheme->timestamp.source[0]->kind == SLUICE_SOURCE_PAIR)
           ? scheme->timestamp.source[0] : NULL;

    if (scheme->prefix.len + (pair ? pair->name.len : 0)
        > SLUICE_SCHEME_SCRATCH - 64)
    {
        return SLUICE_SIGN_TOO_LONG;
    }

    if (pair != NULL) {
        len = (size_t) sprintf(text, "%s=%s%c", pair->name.data, s->time,
                               scheme->separator);
    }

    memcpy(text + len, scheme->prefix.data, scheme->prefix.len);
    len += scheme->prefix.len;
    len += sluice_signature_encode(text + len, signature, n,
                                   scheme->encoding);

    wrong = sluice_sign_put(s, &scheme->header, "", text, len);

    if (wrong == NULL && scheme->id.n != 0) {
        wrong = sluice_sign_put(s, &scheme->id, "", s->id.data, s->id.len);
    }

    if (wrong == NULL && scheme->timestamp.n != 0 && pair == NULL) {

        /* a time inside of a signed body is there already */

        for (n = 0; n < scheme->nparts; n++) {
            if (scheme->parts[n].kind == SLUICE_PART_TIMESTAMP) {
                return sluice_sign_put(s, &scheme->timestamp, "", s->time,
                                       strlen(s->time));
            }
        }
    }

    return wrong;
}


static char *
sluice_sign_message(const sluice_signing_t *s, size_t *len)
{
    char           *message, *p;
    size_t          i, pass;
    sluice_text_t   text;
    const char     *query;

    message = NULL;
    p = NULL;

    for (pass = 0; pass < 2; pass++) {
        *len = 0;

        for (i = 0; i < s->scheme->nparts; i++) {

            switch (s->scheme->parts[i].kind) {

            case SLUICE_PART_BODY:
                text = s->body;
                break;

            case SLUICE_PART_TIMESTAMP:
                text.data = s->time;
                text.len = strlen(s->time);
                break;

            case SLUICE_PART_ID:
                text = s->id;
                break;

            case SLUICE_PART_METHOD:
                text = s->request->method;
                break;

            case SLUICE_PART_PATH:
                text = s->request->target;
                query = memchr(text.data, '?', text.len);
                text.len = query ? (size_t) (query - text.data) : text.len;
                break;

            case SLUICE_PART_URL:
                text = s->url;
                break;

            default:
                text = s->scheme->parts[i].text;
            }

            if (p != NULL && text.len != 0) {
                memcpy(p + *len, text.data, text.len);
            }

            *len += text.len;
        }

        if (pass == 0) {
            message = malloc(*len + 1);
            if (message == NULL) {
                return NULL;
            }

            p = message;
        }
    }

    return message;
}


static const char *
sluice_sign_mac(const sluice_signing_t *s, const char *text, size_t len,
    uint8_t *mac, size_t *mac_len)
{
    int                  ok;
    unsigned             algorithm;
    const char          *why;
    sluice_key_t        *key;
    sluice_signature_t  *signature;

    key = sluice_key_create(s->scheme, s->secret, s->len, &why);
    if (key == NULL) {
        return (why != NULL) ? why : SLUICE_SCHEME_NO_MEMORY;
    }

    algorithm = s->scheme->algorithm;
    signature = key->mac[algorithm];

    ok = signature != NULL
         && sluice_signature_begin(signature)
         && sluice_signature_update(signature, (const uint8_t *) text, len)
         && sluice_signature_final(signature, mac, mac_len);

    sluice_key_destroy(key);

    return ok ? NULL : "OpenSSL refuses the secret, or it is a public key";
}


static const char *
sluice_sign_twilio(sluice_signing_t *s)
{
    int                  ok;
    char                 text[2 * SLUICE_SIGNATURE_MAX], added[80];
    size_t               len;
    uint8_t              mac[SLUICE_SIGNATURE_MAX], hash[SHA256_DIGEST_LENGTH];
    const char          *why;
    sluice_key_t        *key;
    sluice_reading_t     reading;

    key = sluice_key_create(s->scheme, s->secret, s->len, &why);
    if (key == NULL) {
        return (why != NULL) ? why : SLUICE_SCHEME_NO_MEMORY;
    }

    memset(&reading, 0, offsetof(sluice_reading_t, scratch));
    reading.scheme = s->scheme;
    reading.request = s->request;

    if (!sluice_read_is_form(s->request) && s->body.len != 0) {
        (void) SHA256((const unsigned char *) s->body.data, s->body.len,
                      hash);

        len = (size_t) sprintf(added, "%cbodySHA256=",
                               memchr(s->url.data, '?', s->url.len) ? '&'
                                                                    : '?');
        len += sluice_signature_encode(added + len, hash, sizeof(hash),
                                       SLUICE_SIGNATURE_HEX);

        if (!sluice_sign_keep(s->result, &s->result->url, s->url.data,
                              s->url.len, added, len))
        {
            sluice_key_destroy(key);
            return SLUICE_SIGN_TOO_LONG;
        }

        s->url = s->result->url;
    }

    ok = sluice_twilio_sign(&reading, &s->url, key, mac, &len);
    sluice_key_destroy(key);

    if (!ok) {
        return "the form is malformed or too long, or OpenSSL failed";
    }

    len = sluice_signature_encode(text, mac, len, SLUICE_SIGNATURE_BASE64);

    return sluice_sign_put(s, &s->scheme->header, "", text, len);
}


static const char *
sluice_sign_token(sluice_signing_t *s)
{
    return sluice_sign_put(s, &s->scheme->header,
                           sluice_text_is(&s->scheme->header.source[0]->name,
                                          "authorization")
                           ? "Bearer " : "", s->secret, s->len);
}


static const char *
sluice_sign_jwt(sluice_signing_t *s)
{
    int           algorithm, pem;
    char          header[128], payload[SLUICE_JWT_PAYLOAD];
    char          token[SLUICE_SIGN_TEXT / 2];
    size_t        len, n;
    uint8_t       signature[SLUICE_SIGN_BYTES];
    unsigned      fits;
    const char   *wrong;

    static const char *const  names[] = {
        "HS256", "HS384", "HS512", "RS256", "RS384", "RS512",
        "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"
    };

    pem = memmem(s->secret, s->len, "-----BEGIN", 10) != NULL;

    fits = pem ? sluice_sign_fits(s->secret, s->len)
               : 7u << SLUICE_JWT_HS256;

    fits &= s->scheme->algorithms;

    if (fits == 0) {
        return SLUICE_SIGN_NO_KEY;
    }

    for (algorithm = SLUICE_JWT_HS256;
         (fits & (1u << algorithm)) == 0;
         algorithm++)
    {
        /* void */
    }

    len = (size_t) sprintf(header, "{\"alg\":\"%s\",\"typ\":\"JWT\"}",
                           names[algorithm]);
    n = sluice_sign_claims(s, payload, sizeof(payload));

    if (n == 0) {
        return SLUICE_SIGN_TOO_LONG;
    }

    len = sluice_signature_encode(token, (const uint8_t *) header, len,
                                  SLUICE_SIGNATURE_BASE64URL);
    token[len++] = '.';
    len += sluice_signature_encode(token + len, (const uint8_t *) payload, n,
                                   SLUICE_SIGNATURE_BASE64URL);

    if (pem) {
        wrong = sluice_sign_private(s->secret, s->len, algorithm, token, len,
                                    signature, &n);

        if (wrong == NULL
            && (algorithm == SLUICE_JWT_ES256
                || algorithm == SLUICE_JWT_ES384)
            && !sluice_sign_raw((algorithm == SLUICE_JWT_ES256) ? 32 : 48,
                                signature, &n))
        {
            wrong = SLUICE_SIGN_NO_KEY;
        }

    } else {
        sluice_signature_t  *mac;

        mac = sluice_signature_create((sluice_signature_algorithm_e)
                                      (SLUICE_SIGNATURE_SHA256 + algorithm),
                                      (const uint8_t *) s->secret, s->len);

        wrong = (mac != NULL && sluice_signature_begin(mac)
                 && sluice_signature_update(mac, (const uint8_t *) token, len)
                 && sluice_signature_final(mac, signature, &n))
                ? NULL : "OpenSSL refuses the secret, or it is empty";

        sluice_signature_destroy(mac);
    }

    if (wrong != NULL) {
        return wrong;
    }

    token[len++] = '.';
    len += sluice_signature_encode(token + len, signature, n,
                                   SLUICE_SIGNATURE_BASE64URL);

    return sluice_sign_put(s, &s->scheme->header,
                           sluice_text_is(&s->scheme->header.source[0]->name,
                                          "authorization")
                           ? "Bearer " : "", token, len);
}


/* Names and values of settings are taken to need no escapes. */

static size_t
sluice_sign_claims(const sluice_signing_t *s, char *dst, size_t size)
{
    int                     n;
    size_t                  i, len;
    char                    hex[2 * SHA256_DIGEST_LENGTH + 1];
    uint8_t                 hash[SHA256_DIGEST_LENGTH];
    const sluice_scheme_t  *scheme;

    scheme = s->scheme;

    const struct {
        const char           *name;
        const sluice_text_t  *value;
    } texts[] = {
        { "iss", &scheme->issuer },
        { "aud", &scheme->audience },
        { "jti", &s->id }
    };

    const struct {
        const sluice_text_t  *name;
        const sluice_text_t  *text;
    } hashes[] = {
        { &scheme->body_hash, &s->body },
        { &scheme->url_hash, &s->url }
    };

    len = 0;

#define SLUICE_SIGN_CLAIM(...)                                               \
    n = snprintf(dst + len, size - len, __VA_ARGS__);                        \
    if (n < 0 || (size_t) n >= size - len) {                                 \
        return 0;                                                            \
    }                                                                        \
    len += (size_t) n

    SLUICE_SIGN_CLAIM("{\"iat\":%lld,\"exp\":%lld", (long long) s->now,
                      (long long) s->now + SLUICE_SIGN_EXPIRY);

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].value->len != 0) {
            SLUICE_SIGN_CLAIM(",\"%s\":\"%.*s\"", texts[i].name,
                              (int) texts[i].value->len,
                              texts[i].value->data);
        }
    }

    for (i = 0; i < scheme->nclaims; i++) {
        SLUICE_SIGN_CLAIM(",\"%s\":\"%s\"", scheme->claims[i].name.data,
                          scheme->claims[i].value.data);
    }

    for (i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
        if (hashes[i].name->len != 0) {
            (void) SHA256((const unsigned char *) hashes[i].text->data,
                          hashes[i].text->len, hash);
            hex[sluice_signature_encode(hex, hash, sizeof(hash),
                                        SLUICE_SIGNATURE_HEX)] = '\0';
            SLUICE_SIGN_CLAIM(",\"%s\":\"%s\"", hashes[i].name->data, hex);
        }
    }

    SLUICE_SIGN_CLAIM("}");

#undef SLUICE_SIGN_CLAIM

    return len;
}


static const char *
sluice_sign_put(sluice_signing_t *s, const sluice_sources_t *sources,
    const char *before, const char *data, size_t len)
{
    sluice_text_t            place;
    sluice_sign_value_t     *value;
    const sluice_source_t   *source;
    const sluice_sources_t  *header;

    static const char *const  kinds[] = { "", "pair:", "query:", "json:",
                                          "form:", "claim:" };

    /* the second place is a form's; all values are of the same one */

    header = &s->scheme->header;

    source = (header->n > 1 && sources->n > 1
              && header->source[1]->kind == SLUICE_SOURCE_FORM
              && sluice_read_is_form(s->request))
             ? sources->source[1] : sources->source[0];

    value = &s->result->values[s->result->n++];

    if (!sluice_sign_keep(s->result, &place, kinds[source->kind],
                          strlen(kinds[source->kind]), source->name.data,
                          source->name.len)
        || !sluice_sign_keep(s->result, &value->value, before,
                             strlen(before), data, len))
    {
        return SLUICE_SIGN_TOO_LONG;
    }

    value->place = place.data;

    return NULL;
}


/* Both, one behind the other, and a NUL. */

static int
sluice_sign_keep(sluice_signed_request_t *result, sluice_text_t *text,
    const char *one, size_t one_len, const char *two, size_t two_len)
{
    char    *p;
    size_t   len;

    len = one_len + two_len;

    if (one_len > sizeof(result->text) || two_len > sizeof(result->text)
        || len + 1 > sizeof(result->text) - result->used)
    {
        return 0;
    }

    p = result->text + result->used;
    memcpy(p, one, one_len);
    memcpy(p + one_len, two, two_len);
    p[len] = '\0';

    text->data = p;
    text->len = len;
    result->used += len + 1;

    return 1;
}
