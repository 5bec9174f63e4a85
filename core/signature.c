#include "core/signature.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>


#define SLUICE_SIGNATURE_SECRET_KEY  32


struct sluice_signature_s {
    EVP_MAC_CTX  *ctx;
};


/* of each byte that is a hex digit: its value, and that it is one */

#define SLUICE_SIGNATURE_DIGIT  0x10

static const uint8_t  sluice_signature_digits[256] = {
    ['0'] = 0x10, ['1'] = 0x11, ['2'] = 0x12, ['3'] = 0x13, ['4'] = 0x14,
    ['5'] = 0x15, ['6'] = 0x16, ['7'] = 0x17, ['8'] = 0x18, ['9'] = 0x19,
    ['A'] = 0x1a, ['B'] = 0x1b, ['C'] = 0x1c, ['D'] = 0x1d, ['E'] = 0x1e,
    ['F'] = 0x1f,
    ['a'] = 0x1a, ['b'] = 0x1b, ['c'] = 0x1c, ['d'] = 0x1d, ['e'] = 0x1e,
    ['f'] = 0x1f
};


static EVP_MAC_CTX *sluice_signature_keyed(
    sluice_signature_algorithm_e algorithm, const uint8_t *key, size_t len);
static int sluice_signature_hex(uint8_t *dst, const uint8_t *text,
    size_t len);
static int sluice_signature_base64(uint8_t *dst, size_t n, const uint8_t *text,
    sluice_signature_encoding_e encoding);
static int sluice_signature_sextet(uint8_t c,
    sluice_signature_encoding_e encoding);
static void sluice_signature_secret_init(void);
static int sluice_signature_secret_digest(EVP_MAC_CTX *ctx,
    const uint8_t *secret, size_t len, uint8_t *mac);
static EVP_MAC_CTX *sluice_signature_secret_copy(void);


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


size_t
sluice_signature_decode(uint8_t *dst, size_t size, const uint8_t *text,
    size_t len, sluice_signature_encoding_e encoding)
{
    size_t  n, padding, decoded;

    if (encoding == SLUICE_SIGNATURE_HEX) {
        decoded = len / 2;

        if (len % 2 != 0 || decoded > size
            || !sluice_signature_hex(dst, text, len))
        {
            return SLUICE_SIGNATURE_NONE;
        }

        return decoded;
    }

    padding = 0;

    while (padding < 2 && padding < len && text[len - padding - 1] == '=') {
        padding++;
    }

    n = len - padding;
    decoded = n / 4 * 3 + n % 4 * 3 / 4;

    if (n % 4 == 1
        || (len % 4 != 0
            && !(encoding == SLUICE_SIGNATURE_BASE64URL && padding == 0))
        || decoded > size
        || !sluice_signature_base64(dst, n, text, encoding))
    {
        return SLUICE_SIGNATURE_NONE;
    }

    return decoded;
}


size_t
sluice_signature_encode(char *dst, const uint8_t *data, size_t len,
    sluice_signature_encoding_e encoding)
{
    char              *p;
    size_t             i;
    uint32_t           bits;
    const char        *alphabet;

    static const char  hex[] = "0123456789abcdef";
    static const char  base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char  base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "abcdefghijklmnopqrstuvwxyz0123456789-_";

    p = dst;

    if (encoding == SLUICE_SIGNATURE_HEX) {

        for (i = 0; i < len; i++) {
            *p++ = hex[data[i] >> 4];
            *p++ = hex[data[i] & 0xf];
        }

        return (size_t) (p - dst);
    }

    alphabet = (encoding == SLUICE_SIGNATURE_BASE64URL) ? base64url : base64;

    for (i = 0; i < len; i += 3) {
        bits = (uint32_t) data[i] << 16;
        bits |= (i + 1 < len) ? (uint32_t) data[i + 1] << 8 : 0;
        bits |= (i + 2 < len) ? data[i + 2] : 0;

        *p++ = alphabet[bits >> 18];
        *p++ = alphabet[bits >> 12 & 0x3f];

        if (i + 1 < len) {
            *p++ = alphabet[bits >> 6 & 0x3f];

        } else if (encoding == SLUICE_SIGNATURE_BASE64) {
            *p++ = '=';
        }

        if (i + 2 < len) {
            *p++ = alphabet[bits & 0x3f];

        } else if (encoding == SLUICE_SIGNATURE_BASE64) {
            *p++ = '=';
        }
    }

    return (size_t) (p - dst);
}


int
sluice_signature_secret_equal(const uint8_t *secret, size_t secret_len,
    const uint8_t *claimed, size_t claimed_len)
{
    int           equal;
    uint8_t       theirs[SLUICE_SIGNATURE_SECRET];
    uint8_t       ours[SLUICE_SIGNATURE_SECRET];
    EVP_MAC_CTX  *ctx;

    ctx = sluice_signature_secret_copy();
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


int
sluice_signature_secret(uint8_t digest[SLUICE_SIGNATURE_SECRET],
    const uint8_t *secret, size_t len)
{
    int           ok;
    EVP_MAC_CTX  *ctx;

    ctx = sluice_signature_secret_copy();
    ok = ctx != NULL
         && sluice_signature_secret_digest(ctx, secret, len, digest);

    EVP_MAC_CTX_free(ctx);

    return ok;
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
sluice_signature_hex(uint8_t *dst, const uint8_t *text, size_t len)
{
    size_t    i;
    uint8_t   high, low;
    unsigned  valid;

    valid = SLUICE_SIGNATURE_DIGIT;

    for (i = 0; i + 1 < len; i += 2) {
        high = sluice_signature_digits[text[i]];
        low = sluice_signature_digits[text[i + 1]];

        valid &= high & low;
        dst[i / 2] = (uint8_t) (high << 4 | (low & 0xf));
    }

    return valid != 0;
}


/* the n characters before the padding, which the caller has looked at */

static int
sluice_signature_base64(uint8_t *dst, size_t n, const uint8_t *text,
    sluice_signature_encoding_e encoding)
{
    int       sextet;
    size_t    i;
    uint32_t  bits;
    unsigned  nbits;

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

    /* one text a value: the bits left over are zero */

    return (bits & ((1u << nbits) - 1)) == 0;
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
           && EVP_MAC_final(ctx, mac, &mac_len, SLUICE_SIGNATURE_SECRET) == 1;
}


/* a copy, so that threads do not meet in one context */

static EVP_MAC_CTX *
sluice_signature_secret_copy(void)
{
    if (!CRYPTO_THREAD_run_once(&sluice_signature_secret_once,
                                sluice_signature_secret_init)
        || sluice_signature_secret_ctx == NULL)
    {
        return NULL;
    }

    return EVP_MAC_CTX_dup(sluice_signature_secret_ctx);
}
