#include "core/signature.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>


#define SLUICE_SIGNATURE_SECRET_KEY  32
#define SLUICE_SIGNATURE_SECRET_MAC  32


struct sluice_signature_s {
    EVP_MAC_CTX  *ctx;
};


static EVP_MAC_CTX *sluice_signature_keyed(
    sluice_signature_algorithm_e algorithm, const uint8_t *key, size_t len);
static int sluice_signature_hex(uint8_t *dst, size_t mac_len,
    const uint8_t *text, size_t len);
static int sluice_signature_base64(uint8_t *dst, size_t mac_len,
    const uint8_t *text, size_t len, sluice_signature_encoding_e encoding);
static int sluice_signature_sextet(uint8_t c,
    sluice_signature_encoding_e encoding);
static void sluice_signature_secret_init(void);
static int sluice_signature_secret_digest(EVP_MAC_CTX *ctx,
    const uint8_t *secret, size_t len, uint8_t *mac);


static CRYPTO_ONCE   sluice_signature_secret_once = CRYPTO_ONCE_STATIC_INIT;
static EVP_MAC_CTX  *sluice_signature_secret_ctx;


sluice_signature_t *
sluice_signature_create(sluice_signature_algorithm_e algorithm,
    const uint8_t *key, size_t len)
{
    sluice_signature_t  *signature;

    /* anyone can sign with the empty key */

    if (len == 0) {
        return NULL;
    }

    signature = malloc(sizeof(sluice_signature_t));
    if (signature == NULL) {
        return NULL;
    }

    signature->ctx = sluice_signature_keyed(algorithm, key, len);

    if (signature->ctx == NULL) {
        free(signature);
        return NULL;
    }

    return signature;
}


void
sluice_signature_destroy(sluice_signature_t *signature)
{
    if (signature == NULL) {
        return;
    }

    EVP_MAC_CTX_free(signature->ctx);
    free(signature);
}


int
sluice_signature_begin(sluice_signature_t *signature)
{
    /* without a key the context goes back to the key's prepared state */

    return EVP_MAC_init(signature->ctx, NULL, 0, NULL) == 1;
}


int
sluice_signature_update(sluice_signature_t *signature, const uint8_t *data,
    size_t len)
{
    if (len == 0) {
        return 1;
    }

    return EVP_MAC_update(signature->ctx, data, len) == 1;
}


int
sluice_signature_final(sluice_signature_t *signature, uint8_t *mac,
    size_t *len)
{
    return EVP_MAC_final(signature->ctx, mac, len, SLUICE_SIGNATURE_MAX) == 1;
}


int
sluice_signature_parse(uint8_t *claimed, size_t mac_len, const uint8_t *value,
    size_t len, const char *prefix, size_t prefix_len,
    sluice_signature_encoding_e encoding)
{
    if (len < prefix_len
        || (prefix_len != 0 && memcmp(value, prefix, prefix_len) != 0))
    {
        return 0;
    }

    value += prefix_len;
    len -= prefix_len;

    if (encoding == SLUICE_SIGNATURE_HEX) {
        return sluice_signature_hex(claimed, mac_len, value, len);
    }

    return sluice_signature_base64(claimed, mac_len, value, len, encoding);
}


sluice_signature_result_e
sluice_signature_check(const uint8_t *mac, size_t mac_len,
    const uint8_t *value, size_t len, const char *prefix, size_t prefix_len,
    sluice_signature_encoding_e encoding)
{
    uint8_t  claimed[SLUICE_SIGNATURE_MAX];

    if (mac_len == 0 || mac_len > SLUICE_SIGNATURE_MAX) {
        return SLUICE_SIGNATURE_FAILED;
    }

    if (!sluice_signature_parse(claimed, mac_len, value, len, prefix,
                                prefix_len, encoding))
    {
        return SLUICE_SIGNATURE_MALFORMED;
    }

    if (CRYPTO_memcmp(claimed, mac, mac_len) != 0) {
        return SLUICE_SIGNATURE_MISMATCH;
    }

    return SLUICE_SIGNATURE_VALID;
}


int
sluice_signature_secret_equal(const uint8_t *secret, size_t secret_len,
    const uint8_t *claimed, size_t claimed_len)
{
    int           equal;
    uint8_t       theirs[SLUICE_SIGNATURE_SECRET_MAC];
    uint8_t       ours[SLUICE_SIGNATURE_SECRET_MAC];
    EVP_MAC_CTX  *ctx;

    if (!CRYPTO_THREAD_run_once(&sluice_signature_secret_once,
                                sluice_signature_secret_init)
        || sluice_signature_secret_ctx == NULL)
    {
        return 0;
    }

    /* a copy, so that threads do not meet in one context */

    ctx = EVP_MAC_CTX_dup(sluice_signature_secret_ctx);
    if (ctx == NULL) {
        return 0;
    }

    equal = sluice_signature_secret_digest(ctx, secret, secret_len, ours)
            && sluice_signature_secret_digest(ctx, claimed, claimed_len,
                                              theirs)
            && CRYPTO_memcmp(ours, theirs, sizeof(ours)) == 0;

    EVP_MAC_CTX_free(ctx);

    return equal && secret_len != 0;
}


static EVP_MAC_CTX *
sluice_signature_keyed(sluice_signature_algorithm_e algorithm,
    const uint8_t *key, size_t len)
{
    char         *digest;
    EVP_MAC      *mac;
    OSSL_PARAM    params[2];
    EVP_MAC_CTX  *ctx;

    /* OSSL_PARAM has no const; the names are only read */

    static char  *names[] = { "SHA1", "SHA256", "SHA384", "SHA512" };

    digest = names[algorithm];

    mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (mac == NULL) {
        return NULL;
    }

    /* the context holds a reference of its own */

    ctx = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);

    if (ctx == NULL) {
        return NULL;
    }

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                                 digest, 0);
    params[1] = OSSL_PARAM_construct_end();

    if (EVP_MAC_init(ctx, key, len, params) != 1) {
        EVP_MAC_CTX_free(ctx);
        return NULL;
    }

    return ctx;
}


static int
sluice_signature_hex(uint8_t *dst, size_t mac_len, const uint8_t *text,
    size_t len)
{
    size_t   i;
    uint8_t  byte, c;

    if (len != 2 * mac_len) {
        return 0;
    }

    byte = 0;

    for (i = 0; i < len; i++) {
        c = text[i];

        if (c >= '0' && c <= '9') {
            c -= '0';

        } else {
            c |= 0x20;

            if (c < 'a' || c > 'f') {
                return 0;
            }

            c -= 'a' - 10;
        }

        byte = (uint8_t) (byte << 4 | c);

        if (i & 1) {
            dst[i / 2] = byte;
        }
    }

    return 1;
}


static int
sluice_signature_base64(uint8_t *dst, size_t mac_len, const uint8_t *text,
    size_t len, sluice_signature_encoding_e encoding)
{
    int       sextet;
    size_t    i, n, padding;
    uint32_t  bits;
    unsigned  nbits;

    n = (mac_len * 8 + 5) / 6;
    padding = (4 - n % 4) % 4;

    if (len != n + padding
        && !(encoding == SLUICE_SIGNATURE_BASE64URL && len == n))
    {
        return 0;
    }

    bits = 0;
    nbits = 0;

    for (i = 0; i < n; i++) {
        sextet = sluice_signature_sextet(text[i], encoding);

        if (sextet < 0) {
            return 0;
        }

        bits = bits << 6 | (uint32_t) sextet;
        nbits += 6;

        if (nbits >= 8) {
            nbits -= 8;
            *dst++ = (uint8_t) (bits >> nbits);
        }
    }

    /* one text a MAC: the bits left over are zero */

    if ((bits & ((1u << nbits) - 1)) != 0) {
        return 0;
    }

    for ( /* void */ ; i < len; i++) {
        if (text[i] != '=') {
            return 0;
        }
    }

    return 1;
}


static int
sluice_signature_sextet(uint8_t c, sluice_signature_encoding_e encoding)
{
    int  url;

    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }

    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }

    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }

    url = (encoding == SLUICE_SIGNATURE_BASE64URL);

    if (c == (url ? '-' : '+')) {
        return 62;
    }

    if (c == (url ? '_' : '/')) {
        return 63;
    }

    return -1;
}


/* processes forked later share the key, which is as good as their own */

static void
sluice_signature_secret_init(void)
{
    uint8_t  key[SLUICE_SIGNATURE_SECRET_KEY];

    if (RAND_bytes(key, sizeof(key)) != 1) {
        return;
    }

    sluice_signature_secret_ctx = sluice_signature_keyed(
                                      SLUICE_SIGNATURE_SHA256, key,
                                      sizeof(key));
    OPENSSL_cleanse(key, sizeof(key));
}


static int
sluice_signature_secret_digest(EVP_MAC_CTX *ctx, const uint8_t *secret,
    size_t len, uint8_t *mac)
{
    size_t  mac_len;

    return EVP_MAC_init(ctx, NULL, 0, NULL) == 1
           && (len == 0 || EVP_MAC_update(ctx, secret, len) == 1)
           && EVP_MAC_final(ctx, mac, &mac_len, SLUICE_SIGNATURE_SECRET_MAC)
              == 1;
}
