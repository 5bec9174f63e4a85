/*
 * A signature over a text that has the body in it: HMAC, Ed25519, ECDSA.
 * One pass over the body for all keys.
 */

#include "core/scheme_parts.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/sha.h>


#define SLUICE_SIGNED_ED25519  64    /* bytes of a signature */
#define SLUICE_SIGNED_DER      80    /* of ECDSA on P-256, at most 72 */


typedef struct {
    unsigned   public:1;                     /* for Ed25519 keys only */
    size_t     len;
    uint8_t    data[SLUICE_SIGNED_DER];
} sluice_claimed_t;

typedef struct {
    size_t               nclaimed;
    sluice_claimed_t     claimed[SLUICE_SCHEME_CLAIMED];

    sluice_text_t        timestamp;
    sluice_text_t        id;
    int64_t              time;

    size_t               nmacs;
    sluice_signature_t  *mac[SLUICE_SCHEME_KEYS];

    EVP_MD_CTX          *digest;             /* ECDSA signs one */
    uint8_t              hash[SHA256_DIGEST_LENGTH];

    /* Ed25519 signs the text itself, in one piece */
    unsigned             collect:1;
    uint8_t             *text;
    size_t               size;
    size_t               len;

    size_t               body;               /* bytes of it */

    /* what a CRC signs for anyone is no event */
    unsigned             asked:1;
    size_t               total;
} sluice_signed_t;


static int sluice_signed_claims(sluice_signed_t *s,
    const sluice_reading_t *reading);
static int sluice_signed_claimed(sluice_signed_t *s,
    const sluice_scheme_t *scheme, const char *p, size_t len);
static int sluice_signed_inputs(sluice_signed_t *s, sluice_reading_t *reading,
    sluice_scheme_result_t *result);
static int sluice_signed_begin(sluice_signed_t *s,
    const sluice_scheme_t *scheme, sluice_key_t **keys, size_t nkeys);
static int sluice_signed_feed(sluice_signed_t *s,
    const sluice_reading_t *reading);
static int sluice_signed_piece(void *data, const uint8_t *p, size_t len);
static int sluice_signed_body(void *data, const uint8_t *p, size_t len);
static int sluice_signed_match(sluice_signed_t *s,
    const sluice_scheme_t *scheme, sluice_key_t *key, size_t *mac,
    unsigned *matched);
static unsigned sluice_signed_public(const sluice_signed_t *s, EVP_PKEY *key,
    const sluice_claimed_t *claimed);


void
sluice_check_signed(sluice_reading_t *reading, sluice_key_t *const *keys,
    size_t nkeys, int64_t now, sluice_scheme_result_t *result)
{
    size_t                  i, mac;
    unsigned                matched[SLUICE_SCHEME_KEYS];
    sluice_key_t           *all[SLUICE_SCHEME_KEYS];
    sluice_signed_t         s;
    const sluice_scheme_t  *scheme;

    scheme = reading->scheme;

    memset((char *) &s + offsetof(sluice_signed_t, timestamp), 0,
           sizeof(s) - offsetof(sluice_signed_t, timestamp));

    if (!sluice_signed_claims(&s, reading)) {
        sluice_verdict(result, SLUICE_SCHEME_MALFORMED,
                       "the signature is not of the form");
        return;
    }

    if (!sluice_signed_inputs(&s, reading, result)) {
        return;
    }

    sluice_verdict_keys(scheme, keys, nkeys, all);

    sluice_verdict(result, SLUICE_SCHEME_FAILED,
                   "OpenSSL or the memory failed, or the body could not be "
                   "read");
    mac = 0;
    s.asked = (scheme->crc.len != 0);

    if (!sluice_signed_begin(&s, scheme, all, nkeys)
        || !sluice_signed_feed(&s, reading)
        || (s.digest != NULL
            && EVP_DigestFinal_ex(s.digest, s.hash, NULL) != 1))
    {
        goto done;
    }

    for (i = 0; i < nkeys; i++) {
        if (!sluice_signed_match(&s, scheme, all[i], &mac, &matched[i])) {
            goto done;
        }
    }

    sluice_verdict_match(result, keys, nkeys, matched);

    if (result->verdict != SLUICE_SCHEME_VALID) {
        goto done;
    }

    if (s.asked && s.total != 0 && s.total <= SLUICE_GREET_CRC) {
        sluice_verdict(result, SLUICE_SCHEME_MISMATCH,
                       "what is signed is what anyone may have signed, by "
                       "\"crc\"");
        goto done;
    }

    if (!sluice_read_fresh(scheme, s.time, now)) {
        sluice_verdict(result, SLUICE_SCHEME_STALE,
                       "the time that is signed is too far from now");
        goto done;
    }

    if (scheme->preset->greet > SLUICE_GREET_META
        && s.body <= SLUICE_SCHEME_HANDSHAKE)
    {
        sluice_greet_signed(reading, keys[result->key], result);
    }

done:

    EVP_MD_CTX_free(s.digest);
    free(s.text);
}


/* One signature, or the elements of a list that are of the version known. */

static int
sluice_signed_claims(sluice_signed_t *s, const sluice_reading_t *reading)
{
    char         separator;
    const char  *p, *end, *stop;

    s->nclaimed = 0;
    separator = reading->scheme->separator;
    p = reading->claim.data;
    end = p + reading->claim.len;

    if (separator == 0) {
        return sluice_signed_claimed(s, reading->scheme, p,
                                     reading->claim.len) == 1;
    }

    for ( ;; ) {
        stop = memchr(p, separator, (size_t) (end - p));

        if (sluice_signed_claimed(s, reading->scheme, p,
                                  (size_t) ((stop != NULL ? stop : end) - p))
            < 0)
        {
            return 0;
        }

        if (stop == NULL) {
            return s->nclaimed != 0;
        }

        p = stop + 1;
    }
}


/* 1 taken, 0 not a signature that is known here, -1 too many */

static int
sluice_signed_claimed(sluice_signed_t *s, const sluice_scheme_t *scheme,
    const char *p, size_t len)
{
    size_t             want;
    sluice_claimed_t  *claimed;

    static const size_t  lengths[] = { 20, 32, 48, 64 };

    if (s->nclaimed == SLUICE_SCHEME_CLAIMED) {
        return -1;
    }

    claimed = &s->claimed[s->nclaimed];
    claimed->public = 0;

    if (len >= scheme->prefix.len
        && memcmp(p, scheme->prefix.data, scheme->prefix.len) == 0)
    {
        p += scheme->prefix.len;
        len -= scheme->prefix.len;

        want = (scheme->algorithm < SLUICE_SCHEME_MACS)
               ? lengths[scheme->algorithm]
               : (scheme->algorithm == SLUICE_ALGORITHM_ED25519)
                 ? SLUICE_SIGNED_ED25519 : 0;

    } else if (scheme->public_version.len != 0
               && len >= scheme->public_version.len
               && memcmp(p, scheme->public_version.data,
                         scheme->public_version.len)
                  == 0)
    {
        p += scheme->public_version.len;
        len -= scheme->public_version.len;

        claimed->public = 1;
        want = SLUICE_SIGNED_ED25519;

    } else {
        return 0;
    }

    claimed->len = sluice_signature_decode(claimed->data,
                                           sizeof(claimed->data),
                                           (const uint8_t *) p, len,
                                           scheme->encoding);

    if (claimed->len == SLUICE_SIGNATURE_NONE || claimed->len == 0
        || (want != 0 && claimed->len != want))
    {
        return 0;
    }

    s->nclaimed++;

    return 1;
}


static int
sluice_signed_inputs(sluice_signed_t *s, sluice_reading_t *reading,
    sluice_scheme_result_t *result)
{
    size_t                  i;
    sluice_read_e           rc;
    const sluice_part_t    *part;
    const sluice_scheme_t  *scheme;

    scheme = reading->scheme;

    if (scheme->timestamp.n != 0) {
        rc = sluice_read_with(reading, &scheme->timestamp, &s->timestamp);

        if (rc == SLUICE_READ_FOUND
            && !sluice_read_time(scheme, &s->timestamp, &s->time))
        {
            rc = SLUICE_READ_MALFORMED;
        }

        if (rc != SLUICE_READ_FOUND) {
            sluice_verdict_read(result, rc, "the timestamp is missing",
                                "the timestamp is no Unix time, or is there "
                                "twice");
            return 0;
        }
    }

    if (scheme->id.n == 0) {
        return 1;
    }

    rc = sluice_read_with(reading, &scheme->id, &s->id);

    /* one text has one reading: the id ends where what follows begins */

    for (i = 0; rc == SLUICE_READ_FOUND && i + 1 < scheme->nparts; i++) {
        part = &scheme->parts[i];

        if (part->kind == SLUICE_PART_ID
            && part[1].kind == SLUICE_PART_TEXT
            && memchr(s->id.data, part[1].text.data[0], s->id.len) != NULL)
        {
            rc = SLUICE_READ_MALFORMED;
        }
    }

    if (rc != SLUICE_READ_FOUND) {
        sluice_verdict_read(result, rc, "the id is missing",
                            "the id is not of the form, or is there twice");
        return 0;
    }

    return 1;
}


static int
sluice_signed_begin(sluice_signed_t *s, const sluice_scheme_t *scheme,
    sluice_key_t **keys, size_t nkeys)
{
    size_t  i;

    if (scheme->algorithm == SLUICE_ALGORITHM_ECDSA_P256) {
        s->digest = EVP_MD_CTX_new();

        return s->digest != NULL
               && EVP_DigestInit_ex(s->digest, EVP_sha256(), NULL) == 1;
    }

    for (i = 0; i < nkeys; i++) {

        if (keys[i]->public != NULL) {
            s->collect = 1;
            continue;
        }

        s->mac[s->nmacs] = keys[i]->mac[scheme->algorithm];

        if (s->mac[s->nmacs] == NULL
            || !sluice_signature_begin(s->mac[s->nmacs++]))
        {
            return 0;
        }
    }

    return 1;
}


static int
sluice_signed_feed(sluice_signed_t *s, const sluice_reading_t *reading)
{
    int                      ok;
    size_t                   i;
    const char              *query;
    sluice_text_t            text;
    const sluice_part_t     *part;
    const sluice_request_t  *request;

    request = reading->request;

    for (i = 0; i < reading->scheme->nparts; i++) {
        part = &reading->scheme->parts[i];

        switch (part->kind) {

        case SLUICE_PART_BODY:
            ok = request->body(request->data, sluice_signed_body, s);

            if (!ok) {
                return 0;
            }

            continue;

        case SLUICE_PART_TIMESTAMP:
            text = s->timestamp;
            break;

        case SLUICE_PART_ID:
            text = s->id;
            break;

        case SLUICE_PART_METHOD:
            text = request->method;
            break;

        case SLUICE_PART_PATH:
            text = request->target;
            query = memchr(text.data, '?', text.len);

            if (query != NULL) {
                text.len = (size_t) (query - text.data);
            }

            break;

        case SLUICE_PART_URL:
            text = sluice_read_url(reading);
            break;

        default:
            text = part->text;
        }

        if (!sluice_signed_piece(s, (const uint8_t *) text.data, text.len)) {
            return 0;
        }
    }

    return 1;
}


static int
sluice_signed_body(void *data, const uint8_t *p, size_t len)
{
    sluice_signed_t *s = data;

    s->body += len;

    return sluice_signed_piece(data, p, len);
}


static int
sluice_signed_piece(void *data, const uint8_t *p, size_t len)
{
    sluice_signed_t *s = data;

    size_t         i, size;
    uint8_t       *text;
    sluice_text_t  asked;

    if (len == 0) {
        return 1;
    }

    if (s->asked) {
        asked.data = (const char *) p;
        asked.len = len;

        s->total += len;
        s->asked = (sluice_greet_asks(&asked) != 0);
    }

    for (i = 0; i < s->nmacs; i++) {
        if (!sluice_signature_update(s->mac[i], p, len)) {
            return 0;
        }
    }

    if (s->digest != NULL && EVP_DigestUpdate(s->digest, p, len) != 1) {
        return 0;
    }

    if (!s->collect) {
        return 1;
    }

    if (len > s->size - s->len) {
        size = s->size + len + 1024 + s->size / 2;

        text = realloc(s->text, size);
        if (text == NULL) {
            return 0;
        }

        s->text = text;
        s->size = size;
    }

    memcpy(s->text + s->len, p, len);
    s->len += len;

    return 1;
}


/* Each signature with each key, whichever matches. */

static int
sluice_signed_match(sluice_signed_t *s, const sluice_scheme_t *scheme,
    sluice_key_t *key, size_t *mac, unsigned *matched)
{
    size_t   i, len;
    uint8_t  ours[SLUICE_SIGNATURE_MAX];

    *matched = 0;
    len = 0;

    if (key->public == NULL) {

        if (!sluice_signature_final(s->mac[(*mac)++], ours, &len)) {
            return 0;
        }

        for (i = 0; i < s->nclaimed; i++) {
            *matched |= (!s->claimed[i].public && s->claimed[i].len == len
                         && CRYPTO_memcmp(s->claimed[i].data, ours, len) == 0);
        }

        return 1;
    }

    for (i = 0; i < s->nclaimed; i++) {
        if (s->claimed[i].public
            || scheme->algorithm >= SLUICE_SCHEME_MACS)
        {
            *matched |= sluice_signed_public(s, key->public, &s->claimed[i]);
        }
    }

    return 1;
}


static unsigned
sluice_signed_public(const sluice_signed_t *s, EVP_PKEY *key,
    const sluice_claimed_t *claimed)
{
    int            rc;
    EVP_MD_CTX    *md;
    EVP_PKEY_CTX  *ctx;

    /* why a signature is refused is not for the queue of the host's errors */

    ERR_set_mark();
    rc = 0;

    if (s->digest != NULL) {
        ctx = EVP_PKEY_CTX_new(key, NULL);

        if (ctx != NULL && EVP_PKEY_verify_init(ctx) == 1
            && EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1)
        {
            rc = EVP_PKEY_verify(ctx, claimed->data, claimed->len, s->hash,
                                 sizeof(s->hash));
        }

        EVP_PKEY_CTX_free(ctx);

    } else {
        md = EVP_MD_CTX_new();

        if (md != NULL
            && EVP_DigestVerifyInit(md, NULL, NULL, NULL, key) == 1)
        {
            rc = EVP_DigestVerify(md, claimed->data, claimed->len, s->text,
                                  s->len);
        }

        EVP_MD_CTX_free(md);
    }

    ERR_pop_to_mark();

    return rc == 1;
}
