/*
 * Tokens: a secret as it is, or a JWT.
 */

#include "core/scheme_parts.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include "core/jwt.h"


static int sluice_jwt_verify(const sluice_jwt_t *jwt, sluice_key_t *key);
static int sluice_jwt_mac(const sluice_jwt_t *jwt, sluice_signature_t *mac);
static int sluice_jwt_public(const sluice_jwt_t *jwt, EVP_PKEY *key);
static int sluice_jwt_der(const sluice_jwt_t *jwt, unsigned char **der);
static void sluice_jwt_claims(sluice_reading_t *reading,
    const sluice_jwt_t *jwt, int64_t now, sluice_scheme_result_t *result);
static void sluice_jwt_times(const sluice_scheme_t *scheme,
    const sluice_jwt_t *jwt, int64_t now, sluice_scheme_result_t *result);
static void sluice_jwt_hashes(sluice_reading_t *reading,
    const sluice_jwt_t *jwt, sluice_scheme_result_t *result);
static int sluice_jwt_hash_is(const sluice_jwt_t *jwt,
    const sluice_text_t *name, const uint8_t *hash);


void
sluice_check_token(sluice_reading_t *reading, sluice_key_t *const *keys,
    size_t nkeys, sluice_scheme_result_t *result)
{
    size_t          i;
    uint8_t         digest[SLUICE_SIGNATURE_SECRET];
    unsigned        matched[SLUICE_SCHEME_KEYS];
    sluice_key_t   *all[SLUICE_SCHEME_KEYS];
    sluice_text_t   token;

    if (!sluice_read_bearer(reading, &token)) {
        sluice_verdict(result, SLUICE_SCHEME_MALFORMED,
                       "there is no \"Bearer\" before the key");
        return;
    }

    if (!sluice_signature_secret(digest, (const uint8_t *) token.data,
                                 token.len))
    {
        sluice_verdict(result, SLUICE_SCHEME_FAILED, "OpenSSL failed");
        return;
    }

    sluice_verdict_keys(reading->scheme, keys, nkeys, all);

    for (i = 0; i < nkeys; i++) {
        matched[i] = (CRYPTO_memcmp(digest, all[i]->digest, sizeof(digest))
                      == 0);
    }

    sluice_verdict_match(result, keys, nkeys, matched);

    if (result->verdict == SLUICE_SCHEME_MISMATCH) {
        result->step = "the key is another one";
    }
}


void
sluice_check_jwt(sluice_reading_t *reading, sluice_key_t *const *keys,
    size_t nkeys, int64_t now, sluice_scheme_result_t *result)
{
    int             rc;
    size_t          i;
    unsigned        matched[SLUICE_SCHEME_KEYS];
    const char     *wrong;
    sluice_jwt_t    jwt;
    sluice_key_t   *all[SLUICE_SCHEME_KEYS];
    sluice_text_t   token;

    if (!sluice_read_bearer(reading, &token)) {
        sluice_verdict(result, SLUICE_SCHEME_MALFORMED,
                       "there is no \"Bearer\" before the token");
        return;
    }

    wrong = sluice_jwt_parse(&jwt, token.data, token.len);

    if (wrong == NULL
        && (reading->scheme->algorithms & (1u << jwt.algorithm)) == 0)
    {
        wrong = "the token's algorithm is not allowed";
    }

    if (wrong != NULL) {
        sluice_verdict(result, SLUICE_SCHEME_MALFORMED, wrong);
        return;
    }

    sluice_verdict_keys(reading->scheme, keys, nkeys, all);

    for (i = 0; i < nkeys; i++) {
        rc = sluice_jwt_verify(&jwt, all[i]);

        if (rc < 0) {
            sluice_verdict(result, SLUICE_SCHEME_FAILED, "OpenSSL failed");
            return;
        }

        matched[i] = (unsigned) rc;
    }

    sluice_verdict_match(result, keys, nkeys, matched);

    if (result->verdict == SLUICE_SCHEME_VALID) {
        sluice_jwt_claims(reading, &jwt, now, result);
    }
}


/* 1 it is of the key, 0 not, -1 failed */

static int
sluice_jwt_verify(const sluice_jwt_t *jwt, sluice_key_t *key)
{
    int                  rc;
    sluice_signature_t  *mac;

    if (jwt->algorithm <= SLUICE_JWT_HS512) {
        mac = key->mac[SLUICE_SIGNATURE_SHA256 + jwt->algorithm];

        return (mac != NULL) ? sluice_jwt_mac(jwt, mac) : 0;
    }

    if (key->public == NULL) {
        return 0;
    }

    ERR_set_mark();
    rc = sluice_jwt_public(jwt, key->public);
    ERR_pop_to_mark();

    return rc;
}


static int
sluice_jwt_mac(const sluice_jwt_t *jwt, sluice_signature_t *mac)
{
    size_t   len;
    uint8_t  ours[SLUICE_SIGNATURE_MAX];

    if (!sluice_signature_begin(mac)
        || !sluice_signature_update(mac, (const uint8_t *) jwt->input.data,
                                    jwt->input.len)
        || !sluice_signature_final(mac, ours, &len))
    {
        return -1;
    }

    return len == jwt->signature_len
           && CRYPTO_memcmp(ours, jwt->signature, len) == 0;
}


static int
sluice_jwt_public(const sluice_jwt_t *jwt, EVP_PKEY *key)
{
    int             rc, id, der_len, pss;
    EVP_MD_CTX     *ctx;
    EVP_PKEY_CTX   *pkey;
    const EVP_MD   *md;
    unsigned char  *der;
    const uint8_t  *signature;

    id = EVP_PKEY_get_base_id(key);
    signature = jwt->signature;
    der_len = (int) jwt->signature_len;
    der = NULL;
    pss = 0;

    switch (jwt->algorithm) {

    case SLUICE_JWT_EDDSA:

        if (id != EVP_PKEY_ED25519) {
            return 0;
        }

        md = NULL;
        break;

    case SLUICE_JWT_ES256:
    case SLUICE_JWT_ES384:

        if (id != EVP_PKEY_EC
            || EVP_PKEY_get_bits(key)
               != (jwt->algorithm == SLUICE_JWT_ES256 ? 256 : 384))
        {
            return 0;
        }

        md = (jwt->algorithm == SLUICE_JWT_ES256) ? EVP_sha256()
                                                  : EVP_sha384();
        der_len = sluice_jwt_der(jwt, &der);
        if (der_len <= 0) {
            return der_len;
        }

        signature = der;
        break;

    default:

        if (id != EVP_PKEY_RSA) {
            return 0;
        }

        pss = (jwt->algorithm >= SLUICE_JWT_PS256);

        switch ((jwt->algorithm - SLUICE_JWT_RS256) % 3) {

        case 0:
            md = EVP_sha256();
            break;

        case 1:
            md = EVP_sha384();
            break;

        default:
            md = EVP_sha512();
        }
    }

    rc = -1;
    ctx = EVP_MD_CTX_new();

    if (ctx != NULL && EVP_DigestVerifyInit(ctx, &pkey, md, NULL, key) == 1
        && (!pss
            || (EVP_PKEY_CTX_set_rsa_padding(pkey, RSA_PKCS1_PSS_PADDING) == 1
                && EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey,
                                                    RSA_PSS_SALTLEN_DIGEST)
                   == 1)))
    {
        /* what is no signature at all is less than 0 */

        rc = EVP_DigestVerify(ctx, signature, (size_t) der_len,
                              (const unsigned char *) jwt->input.data,
                              jwt->input.len)
             == 1;
    }

    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);

    return rc;
}


/* A JWS has r and s side by side, OpenSSL takes DER.  Its length, 0, -1. */

static int
sluice_jwt_der(const sluice_jwt_t *jwt, unsigned char **der)
{
    int         len, half;
    BIGNUM     *r, *s;
    ECDSA_SIG  *signature;

    half = (jwt->algorithm == SLUICE_JWT_ES256) ? 32 : 48;

    if (jwt->signature_len != (size_t) (2 * half)) {
        return 0;
    }

    len = -1;
    signature = ECDSA_SIG_new();
    r = BN_bin2bn(jwt->signature, half, NULL);
    s = BN_bin2bn(jwt->signature + half, half, NULL);

    if (signature != NULL && r != NULL && s != NULL
        && ECDSA_SIG_set0(signature, r, s) == 1)
    {
        r = NULL;
        s = NULL;
        len = i2d_ECDSA_SIG(signature, der);
    }

    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(signature);

    return len;
}


static void
sluice_jwt_claims(sluice_reading_t *reading, const sluice_jwt_t *jwt,
    int64_t now, sluice_scheme_result_t *result)
{
    size_t                  i;
    const sluice_scheme_t  *scheme;

    static const sluice_text_t  iss = { "iss", 3 };

    scheme = reading->scheme;

    sluice_jwt_times(scheme, jwt, now, result);

    if (result->verdict != SLUICE_SCHEME_VALID) {
        return;
    }

    if (scheme->issuer.len != 0
        && !sluice_jwt_is(jwt, &iss, &scheme->issuer))
    {
        sluice_verdict(result, SLUICE_SCHEME_MISMATCH,
                       "the token is of another issuer");
        return;
    }

    if (scheme->audience.len != 0
        && !sluice_jwt_audience(jwt, &scheme->audience))
    {
        sluice_verdict(result, SLUICE_SCHEME_MISMATCH,
                       "the token is for another audience");
        return;
    }

    for (i = 0; i < scheme->nclaims; i++) {
        if (!sluice_jwt_is(jwt, &scheme->claims[i].name,
                           &scheme->claims[i].value))
        {
            sluice_verdict(result, SLUICE_SCHEME_MISMATCH,
                           "a claim of the token is missing or another one");
            return;
        }
    }

    sluice_jwt_hashes(reading, jwt, result);
}


/*
 * Valid for ever is not valid: "exp" is needed, or "iat" where the age is
 * limited.
 */

static void
sluice_jwt_times(const sluice_scheme_t *scheme, const sluice_jwt_t *jwt,
    int64_t now, sluice_scheme_result_t *result)
{
    int      has_exp, has_nbf, has_iat;
    int64_t  exp, nbf, iat;

    has_exp = sluice_jwt_time(jwt, "exp", &exp);
    has_nbf = sluice_jwt_time(jwt, "nbf", &nbf);
    has_iat = sluice_jwt_time(jwt, "iat", &iat);

    if (has_exp < 0 || has_nbf < 0 || has_iat < 0) {
        sluice_verdict(result, SLUICE_SCHEME_MALFORMED,
                       "the token's claims are no JSON, or a time is no "
                       "number");
        return;
    }

    if (scheme->tolerance != 0 && !has_iat) {
        sluice_verdict(result, SLUICE_SCHEME_MALFORMED,
                       "the token has no \"iat\"");
        return;
    }

    if (scheme->tolerance == 0 && !has_exp) {
        sluice_verdict(result, SLUICE_SCHEME_MALFORMED,
                       "the token has no \"exp\"");
        return;
    }

    if (has_exp && now >= exp + scheme->leeway) {
        sluice_verdict(result, SLUICE_SCHEME_STALE, "the token is expired");
        return;
    }

    if (has_nbf && now < nbf - scheme->leeway) {
        sluice_verdict(result, SLUICE_SCHEME_STALE,
                       "the token is not valid yet");
        return;
    }

    if (scheme->tolerance != 0 && !sluice_read_fresh(scheme, iat, now)) {
        sluice_verdict(result, SLUICE_SCHEME_STALE,
                       "the token's \"iat\" is too far from now");
    }
}


static void
sluice_jwt_hashes(sluice_reading_t *reading, const sluice_jwt_t *jwt,
    sluice_scheme_result_t *result)
{
    int                     has;
    size_t                  len;
    uint8_t                 hash[SHA256_DIGEST_LENGTH];
    sluice_text_t           url, value;
    const sluice_scheme_t  *scheme;

    scheme = reading->scheme;

    if (scheme->url_hash.len != 0) {
        url = sluice_read_url(reading);

        (void) SHA256((const unsigned char *) url.data, url.len, hash);

        if (!sluice_jwt_hash_is(jwt, &scheme->url_hash, hash)) {
            sluice_verdict(result, SLUICE_SCHEME_MISMATCH,
                           "the token is for another URL");
            return;
        }
    }

    if (scheme->body_hash.len == 0) {
        return;
    }

    if (!sluice_read_hash(reading, hash, &len)) {
        sluice_verdict(result, SLUICE_SCHEME_FAILED,
                       "the body could not be read, or OpenSSL failed");
        return;
    }

    has = sluice_jwt_claim(jwt, scheme->body_hash.data, scheme->body_hash.len,
                           &value);

    /* without a body there is nothing to hash */

    if (has == 0 && len == 0) {
        return;
    }

    if (has == 0) {
        sluice_verdict(result, SLUICE_SCHEME_MALFORMED,
                       "the token has no hash of the body");
        return;
    }

    if (!sluice_jwt_hash_is(jwt, &scheme->body_hash, hash)) {
        sluice_verdict(result, SLUICE_SCHEME_MISMATCH,
                       "the token is for another body");
    }
}


static int
sluice_jwt_hash_is(const sluice_jwt_t *jwt, const sluice_text_t *name,
    const uint8_t *hash)
{
    uint8_t        claimed[SHA256_DIGEST_LENGTH];
    sluice_text_t  value;

    return sluice_jwt_claim(jwt, name->data, name->len, &value) == 1
           && sluice_signature_decode(claimed, sizeof(claimed),
                                      (const uint8_t *) value.data, value.len,
                                      SLUICE_SIGNATURE_HEX)
              == sizeof(claimed)
           && CRYPTO_memcmp(claimed, hash, sizeof(claimed)) == 0;
}
