/*
 * One setting of a scheme, as in docs/schemes.md.
 */

#include "core/scheme_parts.h"

#include <stdlib.h>
#include <string.h>

#include "core/jwt.h"


#define SLUICE_TIME_FORM  "is not a time: \"300\", \"300s\", \"5m\", \"1h\""


typedef struct {
    const char  *word;
    unsigned     value;
} sluice_word_t;


static const char *sluice_set_any(sluice_scheme_t *scheme, const char *name,
    size_t name_len, const sluice_text_t *value);
static const char *sluice_set_hmac(sluice_scheme_t *scheme, const char *name,
    size_t name_len, const sluice_text_t *value);
static const char *sluice_set_jwt(sluice_scheme_t *scheme, const char *name,
    size_t name_len, const sluice_text_t *value);
static const char *sluice_set_time(int64_t *seconds,
    const sluice_text_t *value);
static const char *sluice_set_text(sluice_scheme_t *scheme,
    sluice_text_t *text, const sluice_text_t *value);
static const char *sluice_set_signed(sluice_scheme_t *scheme,
    const sluice_text_t *value);
static const char *sluice_set_claim(sluice_scheme_t *scheme,
    const sluice_text_t *value);
static const char *sluice_set_algorithms(sluice_scheme_t *scheme,
    const sluice_text_t *value);
static int sluice_set_word(const sluice_word_t *words,
    const sluice_text_t *value, unsigned *result);
static int sluice_set_is(const char *name, size_t len, const char *word);


/* what a setting that is not the scheme's gives */

static const char  sluice_set_unknown[] = "is not a setting of this scheme";


const char *
sluice_scheme_set(sluice_scheme_t *scheme, const char *name, size_t name_len,
    const char *value, size_t len)
{
    const char     *error;
    sluice_text_t   text;

    text.data = value;
    text.len = len;

    error = sluice_set_any(scheme, name, name_len, &text);

    if (error == sluice_set_unknown
        && scheme->preset->kind == SLUICE_KIND_JWT)
    {
        error = sluice_set_jwt(scheme, name, name_len, &text);
    }

    /* presets are told in the words of "hmac" */

    if (error == sluice_set_unknown && scheme->own
        && (scheme->preset->kind == SLUICE_KIND_SIGNED
            || scheme->preset->kind == SLUICE_KIND_TWILIO))
    {
        error = sluice_set_hmac(scheme, name, name_len, &text);
    }

    return error;
}


static const char *
sluice_set_any(sluice_scheme_t *scheme, const char *name, size_t name_len,
    const sluice_text_t *value)
{
    if (sluice_set_is(name, name_len, "header")) {

        if (!scheme->own && scheme->header.n != 0
            && scheme->header.source[0]->kind != SLUICE_SOURCE_HEADER)
        {
            return sluice_set_unknown;
        }

        return sluice_scheme_sources(scheme, &scheme->header, value->data,
                                     value->len);
    }

    if (sluice_set_is(name, name_len, "tolerance")) {

        if (scheme->preset->kind == SLUICE_KIND_TOKEN
            || scheme->preset->kind == SLUICE_KIND_TWILIO)
        {
            return "the scheme has no time";
        }

        scheme->tolerance_set = 1;

        return sluice_set_time(&scheme->tolerance, value);
    }

    if (sluice_set_is(name, name_len, "public_url")) {

        if ((sluice_scheme_needs(scheme) & SLUICE_SCHEME_NEEDS_URL) == 0
            && !scheme->own)
        {
            return "the scheme does not sign the URL";
        }

        if (!(value->len > 8 && memcmp(value->data, "https://", 8) == 0)
            && !(value->len > 7 && memcmp(value->data, "http://", 7) == 0))
        {
            return "is not a URL: \"https://hooks.example.com/path\"";
        }

        return sluice_set_text(scheme, &scheme->public_url, value);
    }

    return sluice_set_unknown;
}


static const char *
sluice_set_hmac(sluice_scheme_t *scheme, const char *name, size_t name_len,
    const sluice_text_t *value)
{
    unsigned     result;
    const char  *error;

    static const sluice_word_t  algorithms[] = {
        { "sha1", SLUICE_SIGNATURE_SHA1 },
        { "sha256", SLUICE_SIGNATURE_SHA256 },
        { "sha384", SLUICE_SIGNATURE_SHA384 },
        { "sha512", SLUICE_SIGNATURE_SHA512 },
        { "ed25519", SLUICE_ALGORITHM_ED25519 },
        { "ecdsa-p256", SLUICE_ALGORITHM_ECDSA_P256 },
        { NULL, 0 }
    };

    static const sluice_word_t  encodings[] = {
        { "hex", SLUICE_SIGNATURE_HEX },
        { "base64", SLUICE_SIGNATURE_BASE64 },
        { "base64url", SLUICE_SIGNATURE_BASE64URL },
        { NULL, 0 }
    };

    static const sluice_word_t  secrets[] = {
        { "hex", SLUICE_SIGNATURE_HEX },
        { "base64", SLUICE_SIGNATURE_BASE64 },
        { "plain", SLUICE_SIGNATURE_BASE64URL + 1 },
        { NULL, 0 }
    };

    static const sluice_word_t  separators[] = {
        { "comma", ',' }, { "semicolon", ';' }, { "space", ' ' }, { NULL, 0 }
    };

    static const sluice_word_t  units[] = {
        { "s", 0 }, { "ms", 1 }, { NULL, 0 }
    };

    if (sluice_set_is(name, name_len, "algorithm")) {
        return sluice_set_word(algorithms, value, &scheme->algorithm)
               ? NULL : "is not sha1, sha256, sha384, sha512, ed25519 or "
                        "ecdsa-p256";
    }

    if (sluice_set_is(name, name_len, "encoding")) {
        if (!sluice_set_word(encodings, value, &result)) {
            return "is not hex, base64 or base64url";
        }

        scheme->encoding = (sluice_signature_encoding_e) result;
        return NULL;
    }

    if (sluice_set_is(name, name_len, "secret_encoding")) {
        if (!sluice_set_word(secrets, value, &result)) {
            return "is not plain, hex or base64";
        }

        scheme->decode = (result <= SLUICE_SIGNATURE_BASE64URL);
        scheme->secret_encoding = (sluice_signature_encoding_e) result;
        return NULL;
    }

    if (sluice_set_is(name, name_len, "separator")) {
        if (!sluice_set_word(separators, value, &result)) {
            return "is not comma, semicolon or space";
        }

        scheme->separator = (char) result;
        return NULL;
    }

    if (sluice_set_is(name, name_len, "timestamp_unit")) {
        if (!sluice_set_word(units, value, &result)) {
            return "is not s or ms";
        }

        scheme->milliseconds = result;
        return NULL;
    }

    if (sluice_set_is(name, name_len, "prefix")) {
        return sluice_set_text(scheme, &scheme->prefix, value);
    }

    if (sluice_set_is(name, name_len, "secret_prefix")) {
        return sluice_set_text(scheme, &scheme->secret_prefix, value);
    }

    if (sluice_set_is(name, name_len, "public_prefix")) {
        return sluice_set_text(scheme, &scheme->public_prefix, value);
    }

    if (sluice_set_is(name, name_len, "public_version")) {
        return sluice_set_text(scheme, &scheme->public_version, value);
    }

    if (sluice_set_is(name, name_len, "signed")) {
        return sluice_set_signed(scheme, value);
    }

    if (sluice_set_is(name, name_len, "timestamp")) {
        error = sluice_scheme_sources(scheme, &scheme->timestamp, value->data,
                                      value->len);

        if (error == NULL && !scheme->tolerance_set) {
            scheme->tolerance = 300;
        }

        return error;
    }

    if (sluice_set_is(name, name_len, "id")) {
        return sluice_scheme_sources(scheme, &scheme->id, value->data,
                                     value->len);
    }

    if (sluice_set_is(name, name_len, "crc")) {
        return (value->len != 0) ? sluice_set_text(scheme, &scheme->crc, value)
                                 : "is empty";
    }

    return sluice_set_unknown;
}


static const char *
sluice_set_jwt(sluice_scheme_t *scheme, const char *name, size_t name_len,
    const sluice_text_t *value)
{
    if (sluice_set_is(name, name_len, "leeway")) {
        return sluice_set_time(&scheme->leeway, value);
    }

    if (!scheme->own && strcmp(scheme->preset->name, "jwt") != 0) {
        return sluice_set_unknown;
    }

    if (sluice_set_is(name, name_len, "algorithms")) {
        return sluice_set_algorithms(scheme, value);
    }

    if (value->len == 0) {
        return "is empty";
    }

    if (sluice_set_is(name, name_len, "issuer")) {
        return sluice_set_text(scheme, &scheme->issuer, value);
    }

    if (sluice_set_is(name, name_len, "audience")) {
        return sluice_set_text(scheme, &scheme->audience, value);
    }

    if (sluice_set_is(name, name_len, "body_hash")) {
        return sluice_set_text(scheme, &scheme->body_hash, value);
    }

    if (sluice_set_is(name, name_len, "url_hash")) {
        return sluice_set_text(scheme, &scheme->url_hash, value);
    }

    if (sluice_set_is(name, name_len, "claim")) {
        return sluice_set_claim(scheme, value);
    }

    return sluice_set_unknown;
}


static const char *
sluice_set_time(int64_t *seconds, const sluice_text_t *value)
{
    size_t   i;
    int64_t  n;

    n = 0;

    for (i = 0; i < value->len && i < 7; i++) {
        if (value->data[i] < '0' || value->data[i] > '9') {
            break;
        }

        n = n * 10 + (value->data[i] - '0');
    }

    if (i == 0 || value->len - i > 1) {
        return SLUICE_TIME_FORM;
    }

    if (value->len > i) {
        switch (value->data[i]) {

        case 's':
            break;

        case 'm':
            n *= 60;
            break;

        case 'h':
            n *= 60 * 60;
            break;

        case 'd':
            n *= 24 * 60 * 60;
            break;

        default:
            return SLUICE_TIME_FORM;
        }
    }

    *seconds = n;

    return NULL;
}


static const char *
sluice_set_text(sluice_scheme_t *scheme, sluice_text_t *text,
    const sluice_text_t *value)
{
    if (!sluice_scheme_keep(scheme, text, value->data, value->len)) {
        return SLUICE_SCHEME_NO_MEMORY;
    }

    return NULL;
}


static const char *
sluice_set_signed(sluice_scheme_t *scheme, const sluice_text_t *value)
{
    unsigned        kind, bodies;
    const char     *p, *end, *close;
    sluice_part_t  *part;
    sluice_text_t   text, name;

    static const sluice_word_t  names[] = {
        { "body", SLUICE_PART_BODY },
        { "timestamp", SLUICE_PART_TIMESTAMP },
        { "id", SLUICE_PART_ID },
        { "method", SLUICE_PART_METHOD },
        { "path", SLUICE_PART_PATH },
        { "url", SLUICE_PART_URL },
        { NULL, 0 }
    };

    if (sluice_set_text(scheme, &text, value) != NULL) {
        return SLUICE_SCHEME_NO_MEMORY;
    }

    scheme->nparts = 0;
    bodies = 0;
    p = text.data;
    end = p + text.len;

    while (p < end) {

        if (scheme->nparts == SLUICE_SCHEME_PARTS) {
            return "has too many pieces";
        }

        part = &scheme->parts[scheme->nparts++];

        if (*p != '{') {
            part->kind = SLUICE_PART_TEXT;
            part->text.data = p;

            close = memchr(p, '{', (size_t) (end - p));
            p = (close != NULL) ? close : end;

            part->text.len = (size_t) (p - part->text.data);
            continue;
        }

        close = memchr(p, '}', (size_t) (end - p));

        name.data = p + 1;
        name.len = (close != NULL) ? (size_t) (close - p - 1) : 0;

        if (close == NULL || !sluice_set_word(names, &name, &kind)) {
            return "has other names in braces than {body}, {timestamp}, {id}, "
                   "{method}, {path} and {url}";
        }

        part->kind = (sluice_part_e) kind;
        bodies += (part->kind == SLUICE_PART_BODY);
        p = close + 1;
    }

    if (scheme->nparts == 0) {
        return "is empty";
    }

    return (bodies > 1) ? "has more than one {body}" : NULL;
}


static const char *
sluice_set_claim(sluice_scheme_t *scheme, const sluice_text_t *value)
{
    const char      *colon;
    sluice_claim_t  *claim;

    colon = memchr(value->data, ':', value->len);

    if (colon == NULL || colon == value->data) {
        return "is not NAME:VALUE";
    }

    if (scheme->nclaims == SLUICE_SCHEME_CLAIMS) {
        return "is given too often";
    }

    claim = &scheme->claims[scheme->nclaims];

    if (!sluice_scheme_keep(scheme, &claim->name, value->data,
                            (size_t) (colon - value->data))
        || !sluice_scheme_keep(scheme, &claim->value, colon + 1,
                       (size_t) (value->data + value->len - colon - 1)))
    {
        return SLUICE_SCHEME_NO_MEMORY;
    }

    scheme->nclaims++;

    return NULL;
}


static const char *
sluice_set_algorithms(sluice_scheme_t *scheme, const sluice_text_t *value)
{
    int          algorithm;
    size_t       n, len;
    const char  *p, *comma;

    scheme->algorithms = 0;
    p = value->data;
    len = value->len;

    for ( ;; ) {
        comma = memchr(p, ',', len);
        n = (comma != NULL) ? (size_t) (comma - p) : len;

        algorithm = sluice_jwt_algorithm(p, n);
        if (algorithm < 0) {
            return "is not a list of HS256, HS384, HS512, RS256, RS384, "
                   "RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA";
        }

        scheme->algorithms |= 1u << algorithm;

        if (comma == NULL) {
            return NULL;
        }

        p += n + 1;
        len -= n + 1;
    }
}


static int
sluice_set_word(const sluice_word_t *words, const sluice_text_t *value,
    unsigned *result)
{
    for ( /* void */ ; words->word != NULL; words++) {
        if (sluice_text_is(value, words->word)) {
            *result = words->value;
            return 1;
        }
    }

    return 0;
}


static int
sluice_set_is(const char *name, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(name, word, len) == 0;
}
