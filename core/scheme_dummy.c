/*
 * Keys that nobody has: what is refused for want of a key costs what one costs.
 */

#include "core/scheme_parts.h"

#include <stdlib.h>
#include <string.h>

#include "core/jwt.h"


/* base64 of DER, with what stands behind each line of it */

#define SLUICE_DUMMY_ED25519(end)                                            \
    "MCowBQYDK2VwAyEADjqiT+Po30KFkyGJZRhSklDLMORKe6ZAsvyyPv769H8=" end

#define SLUICE_DUMMY_P256(end)                                               \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEV2wMYHk8eVhVf1NST5dZhLg23McY" end   \
    "anjeYg4xHI6dmV3EwpJn6hU4+Y0MQw0ODd5xrpD3i2Q/NfZA2LPn8pm4YQ==" end

#define SLUICE_DUMMY_P384(end)                                               \
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEJ8Fqq69lPLbwzp8Gt85l9F43BsKEf+Wr" end   \
    "k92u1kPZNOvpRv6r61mW86FJsgF603F+bfILY9UPSEQHIMRUsFkBrdmSpPTmkAL7" end   \
    "3JLOaSP+rNuZJgfytGRHsBEqB5nvaINM" end

#define SLUICE_DUMMY_RSA(end)                                                \
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu7pb8G96VqP07xq36vGN" end   \
    "E30rNwlGQt17ha6+Jvt8eKCTxZL+fHrzES4aHdwKPFyqyjHBPoR7IPnb0GTOfXH+" end   \
    "4mxfkaLvgE9P9MY+HKyD+3f8gISekOv7fVUs8Hh6l7HFAZ5LCtrB0GRGcnvcpgJm" end   \
    "ZaErUFEykykFLuTmpKy3HdNeTZdpf52K9Jq3rttqEUUi+B7JjU9tYbmQuGLdfPX0" end   \
    "yt1XKjdKD2Rt4k/9z8H8yIK83PthqLYOll/s56kZKR9AwHfxC8c26dJSqf8bwhMg" end   \
    "otUoY1gEhqNYrGhY2d6gezs0qjhwUuDUoAgKdb2VGl4GpiVHoqS3iKhO4kC/TbrU" end   \
    "GQIDAQAB" end

#define SLUICE_DUMMY_PEM(key)                                                \
    "-----BEGIN PUBLIC KEY-----\n" key("\n") "-----END PUBLIC KEY-----\n"


typedef struct {
    unsigned     algorithms;        /* of a JWT, as bits */
    const char  *der;
    const char  *pem;
} sluice_dummy_t;


static const char *sluice_dummy_text(const sluice_scheme_t *scheme);
static const sluice_dummy_t *sluice_dummy_public(
    const sluice_scheme_t *scheme);


static const char  sluice_dummy_secret[] = "this one never matches anything";
static const char  sluice_dummy_base64[] = "bm9ib2R5IGhhcyB0aGlzIHNlY3JldCE=";
/* hex of 32 bytes: a secret, or what is no less a key of Ed25519 than others */
static const char  sluice_dummy_hex[] =
    "0e3aa24fe3e8df428593218965185292"
    "50cb30e44a7ba640b2fcb23efefaf47f";

static const sluice_dummy_t  sluice_dummies[] = {

    { 0x3fu << SLUICE_JWT_RS256,
      SLUICE_DUMMY_RSA(""), SLUICE_DUMMY_PEM(SLUICE_DUMMY_RSA) },

    { 1u << SLUICE_JWT_ES256,
      SLUICE_DUMMY_P256(""), SLUICE_DUMMY_PEM(SLUICE_DUMMY_P256) },

    { 1u << SLUICE_JWT_ES384,
      SLUICE_DUMMY_P384(""), SLUICE_DUMMY_PEM(SLUICE_DUMMY_P384) },

    { 1u << SLUICE_JWT_EDDSA,
      SLUICE_DUMMY_ED25519(""), SLUICE_DUMMY_PEM(SLUICE_DUMMY_ED25519) },

    { 0, NULL, NULL }
};


sluice_key_t *
sluice_key_dummy(const sluice_scheme_t *scheme)
{
    unsigned               macs;
    sluice_key_t          *key;
    const sluice_dummy_t  *public;

    key = calloc(1, sizeof(sluice_key_t));
    if (key == NULL) {
        return NULL;
    }

    public = sluice_dummy_public(scheme);
    macs = 0;

    if (scheme->preset->kind == SLUICE_KIND_JWT) {
        macs = scheme->algorithms << SLUICE_SIGNATURE_SHA256 & 0xe;

    } else if (public == NULL && scheme->preset->kind != SLUICE_KIND_TOKEN) {
        macs = 1u << scheme->algorithm;
    }

    if (sluice_key_macs(key, macs, (const uint8_t *) sluice_dummy_secret,
                        sizeof(sluice_dummy_secret) - 1)
        != NULL
        || (public != NULL
            && !sluice_key_read(key, public->der, strlen(public->der))))
    {
        sluice_key_destroy(key);
        return NULL;
    }

    return key;
}


sluice_key_t *
sluice_key_nobody(const sluice_scheme_t *scheme)
{
    const char    *text, *why;
    sluice_key_t  *key;

    text = sluice_dummy_text(scheme);
    key = sluice_key_create(scheme, text, strlen(text), &why);

    if (key != NULL) {
        key->nobody = 1;
    }

    return key;
}


/* A secret in the form in which the sender's own are. */

static const char *
sluice_dummy_text(const sluice_scheme_t *scheme)
{
    const sluice_dummy_t  *public;

    public = sluice_dummy_public(scheme);

    if (public != NULL && scheme->preset->kind == SLUICE_KIND_JWT) {
        return public->pem;
    }

    if (scheme->decode && scheme->secret_encoding == SLUICE_SIGNATURE_HEX
        && scheme->algorithm != SLUICE_ALGORITHM_ECDSA_P256)
    {
        return sluice_dummy_hex;
    }

    if (public != NULL) {
        return public->der;
    }

    return scheme->decode ? sluice_dummy_base64 : sluice_dummy_secret;
}


/* NULL: the scheme has no public keys, or seldom. */

static const sluice_dummy_t *
sluice_dummy_public(const sluice_scheme_t *scheme)
{
    unsigned               algorithms;
    const sluice_dummy_t  *public;

    algorithms = 0;

    if (scheme->preset->kind == SLUICE_KIND_JWT) {
        algorithms = scheme->algorithms;

    } else if (scheme->algorithm == SLUICE_ALGORITHM_ED25519) {
        algorithms = 1u << SLUICE_JWT_EDDSA;

    } else if (scheme->algorithm == SLUICE_ALGORITHM_ECDSA_P256) {
        algorithms = 1u << SLUICE_JWT_ES256;
    }

    for (public = sluice_dummies; public->der != NULL; public++) {
        if (algorithms & public->algorithms) {
            return public;
        }
    }

    return NULL;
}
