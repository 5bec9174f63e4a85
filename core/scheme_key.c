/*
 * Secrets and public keys, made ready once.
 */

#include "core/scheme_parts.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "core/jwt.h"


#define SLUICE_KEY_ED25519   32
#define SLUICE_KEY_RSA_BITS  2048
#define SLUICE_KEY_PEM       "-----BEGIN"
#define SLUICE_KEY_EMPTY     "is empty"


static const char *sluice_key_symmetric(sluice_key_t *key,
    const sluice_scheme_t *scheme, const char *secret, size_t len);
static const char *sluice_key_asymmetric(sluice_key_t *key,
    const sluice_scheme_t *scheme, const char *secret, size_t len);
static const char *sluice_key_raw(sluice_key_t *key, const char *text,
    size_t len, sluice_signature_encoding_e encoding);
static const char *sluice_key_token(sluice_key_t *key,
    const sluice_scheme_t *scheme, const char *secret, size_t len);
static int sluice_key_curve(EVP_PKEY *key, const char *name);


sluice_key_t *
sluice_key_create(const sluice_scheme_t *scheme, const char *secret,
    size_t len, const char **why)
{
    sluice_key_t  *key;

    /* anyone can sign with the empty key */

    if (len == 0) {
        *why = SLUICE_KEY_EMPTY;
        return NULL;
    }

    *why = NULL;

    key = calloc(1, sizeof(sluice_key_t));
    if (key == NULL) {
        return NULL;
    }

    /* what OpenSSL refuses is told by *why, not in the host's error queue */

    ERR_set_mark();

    switch (scheme->preset->kind) {

    case SLUICE_KIND_TOKEN:

        if (!sluice_signature_secret(key->digest, (const uint8_t *) secret,
                                     len))
        {
            *why = SLUICE_SCHEME_NO_MEMORY;
        }

        break;

    case SLUICE_KIND_JWT:
        *why = sluice_key_token(key, scheme, secret, len);
        break;

    default:
        *why = (scheme->algorithm < SLUICE_SCHEME_MACS)
               ? sluice_key_symmetric(key, scheme, secret, len)
               : sluice_key_asymmetric(key, scheme, secret, len);
    }

    ERR_pop_to_mark();

    if (*why != NULL) {
        sluice_key_destroy(key);

        if (strcmp(*why, SLUICE_SCHEME_NO_MEMORY) == 0) {
            *why = NULL;
        }

        return NULL;
    }

    return key;
}


void
sluice_key_destroy(sluice_key_t *key)
{
    size_t  i;

    if (key == NULL) {
        return;
    }

    for (i = 0; i < SLUICE_SCHEME_MACS; i++) {
        sluice_signature_destroy(key->mac[i]);
    }

    EVP_PKEY_free(key->public);
    free(key);
}


static const char *
sluice_key_symmetric(sluice_key_t *key, const sluice_scheme_t *scheme,
    const char *secret, size_t len)
{
    size_t       n;
    uint8_t     *decoded;
    const char  *why;

    if (scheme->public_prefix.len != 0 && len > scheme->public_prefix.len
        && memcmp(secret, scheme->public_prefix.data,
                  scheme->public_prefix.len)
           == 0)
    {
        return sluice_key_raw(key, secret + scheme->public_prefix.len,
                              len - scheme->public_prefix.len,
                              SLUICE_SIGNATURE_BASE64);
    }

    if (len >= scheme->secret_prefix.len && scheme->secret_prefix.len != 0
        && memcmp(secret, scheme->secret_prefix.data,
                  scheme->secret_prefix.len)
           == 0)
    {
        secret += scheme->secret_prefix.len;
        len -= scheme->secret_prefix.len;
    }

    if (len == 0) {
        return SLUICE_KEY_EMPTY;
    }

    if (!scheme->decode) {
        return sluice_key_macs(key, 1u << scheme->algorithm,
                               (const uint8_t *) secret, len);
    }

    decoded = malloc(len);
    if (decoded == NULL) {
        return SLUICE_SCHEME_NO_MEMORY;
    }

    n = sluice_signature_decode(decoded, len, (const uint8_t *) secret, len,
                                scheme->secret_encoding);

    if (n == SLUICE_SIGNATURE_NONE) {
        why = (scheme->secret_encoding == SLUICE_SIGNATURE_HEX)
              ? "is not hex" : "is not base64";

    } else if (n == 0) {
        why = SLUICE_KEY_EMPTY;

    } else {
        why = sluice_key_macs(key, 1u << scheme->algorithm, decoded, n);
    }

    OPENSSL_cleanse(decoded, len);
    free(decoded);

    return why;
}


const char *
sluice_key_macs(sluice_key_t *key, unsigned algorithms,
    const uint8_t *secret, size_t len)
{
    size_t  i;

    for (i = 0; i < SLUICE_SCHEME_MACS; i++) {

        if ((algorithms & (1u << i)) == 0) {
            continue;
        }

        key->mac[i] = sluice_signature_create(
                          (sluice_signature_algorithm_e) i, secret, len);
        if (key->mac[i] == NULL) {
            return SLUICE_SCHEME_NO_MEMORY;
        }
    }

    return NULL;
}


static const char *
sluice_key_asymmetric(sluice_key_t *key, const sluice_scheme_t *scheme,
    const char *secret, size_t len)
{
    if (sluice_key_read(key, secret, len)) {

        if (scheme->algorithm == SLUICE_ALGORITHM_ED25519
            ? EVP_PKEY_get_base_id(key->public) == EVP_PKEY_ED25519
            : sluice_key_curve(key->public, "prime256v1"))
        {
            return NULL;
        }

        return "is a public key of another kind";
    }

    if (scheme->algorithm == SLUICE_ALGORITHM_ED25519) {
        return sluice_key_raw(key, secret, len,
                              scheme->decode ? scheme->secret_encoding
                                             : SLUICE_SIGNATURE_BASE64);
    }

    return "is no public key: PEM, or base64 of the DER inside";
}


static const char *
sluice_key_raw(sluice_key_t *key, const char *text, size_t len,
    sluice_signature_encoding_e encoding)
{
    uint8_t  raw[SLUICE_KEY_ED25519];

    if (sluice_signature_decode(raw, sizeof(raw), (const uint8_t *) text, len,
                                encoding)
        != sizeof(raw))
    {
        return (encoding == SLUICE_SIGNATURE_HEX)
               ? "is no public key: 32 bytes as hex"
               : "is no public key: 32 bytes as base64";
    }

    key->public = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw,
                                              sizeof(raw));

    return (key->public != NULL) ? NULL : SLUICE_SCHEME_NO_MEMORY;
}


/*
 * A public key must never become the secret of an HMAC: whoever has it, and
 * that is everyone, could sign.
 */

static const char *
sluice_key_token(sluice_key_t *key, const sluice_scheme_t *scheme,
    const char *secret, size_t len)
{
    unsigned  macs;

    if (memmem(secret, len, SLUICE_KEY_PEM, sizeof(SLUICE_KEY_PEM) - 1)
        != NULL)
    {
        if (!sluice_key_read(key, secret, len)) {
            return "is no public key in PEM";
        }

        if ((sluice_key_fits(key->public) & scheme->algorithms) == 0) {
            return "is a public key of no algorithm in \"algorithms\", or "
                   "RSA of less than 2048 bits";
        }

        return NULL;
    }

    macs = scheme->algorithms << SLUICE_SIGNATURE_SHA256 & 0xe;

    if (macs == 0) {
        return "is no public key in PEM";
    }

    return sluice_key_macs(key, macs, (const uint8_t *) secret, len);
}


int
sluice_key_read(sluice_key_t *key, const char *text, size_t len)
{
    BIO            *bio;
    size_t          n;
    uint8_t        *der;
    const uint8_t  *p;

    if (len > INT_MAX) {
        return 0;
    }

    if (memmem(text, len, SLUICE_KEY_PEM, sizeof(SLUICE_KEY_PEM) - 1)
        != NULL)
    {
        bio = BIO_new_mem_buf(text, (int) len);

        if (bio != NULL) {
            key->public = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
            BIO_free(bio);
        }

        return key->public != NULL;
    }

    der = malloc(len);
    if (der == NULL) {
        return 0;
    }

    n = sluice_signature_decode(der, len, (const uint8_t *) text, len,
                                SLUICE_SIGNATURE_BASE64);

    if (n != SLUICE_SIGNATURE_NONE && n != SLUICE_KEY_ED25519) {
        p = der;
        key->public = d2i_PUBKEY(NULL, &p, (long) n);
    }

    free(der);

    return key->public != NULL;
}


static int
sluice_key_curve(EVP_PKEY *key, const char *name)
{
    char    curve[64];
    size_t  len;

    return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC
           && EVP_PKEY_get_group_name(key, curve, sizeof(curve), &len) == 1
           && strcmp(curve, name) == 0;
}


unsigned
sluice_key_fits(EVP_PKEY *key)
{
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) {
        return 1u << SLUICE_JWT_EDDSA;
    }

    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
        return (EVP_PKEY_get_bits(key) >= SLUICE_KEY_RSA_BITS)
               ? 0x3fu << SLUICE_JWT_RS256 : 0;
    }

    if (sluice_key_curve(key, "prime256v1")) {
        return 1u << SLUICE_JWT_ES256;
    }

    return sluice_key_curve(key, "secp384r1") ? 1u << SLUICE_JWT_ES384 : 0;
}
