/*
 * Secrets at rest: AES-256-GCM under the keys of a file.
 */

#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include "core/signature.h"
#include "core/tenant.h"


#define SLUICE_TENANT_VERSION  1
#define SLUICE_TENANT_TAG      16
#define SLUICE_TENANT_HEAD                                                    \
    (1 + SLUICE_TENANT_KEY_ID + SLUICE_TENANT_NONCE)


static const char *sluice_tenant_keys_line(sluice_tenant_keys_t *keys,
    const char *text, size_t len);
static const char *sluice_tenant_unlock(uint8_t *dst, size_t *len,
    const uint8_t *key, const char *id, size_t id_len, const uint8_t *box,
    size_t box_len);


int
sluice_tenant_digest(uint8_t digest[SLUICE_TENANT_DIGEST], const void *key,
    size_t len)
{
    return EVP_Digest(key, len, digest, NULL, EVP_sha256(), NULL) == 1;
}


const char *
sluice_tenant_keys(sluice_tenant_keys_t *keys, const char *text, size_t len,
    size_t *line)
{
    size_t       n;
    const char  *end, *error, *last;

    memset(keys, 0, sizeof(sluice_tenant_keys_t));

    last = text + len;

    for (*line = 1; text < last; (*line)++) {

        end = memchr(text, '\n', (size_t) (last - text));
        if (end == NULL) {
            end = last;
        }

        n = (size_t) (end - text);

        while (n && (text[n - 1] == ' ' || text[n - 1] == '\t'
                     || text[n - 1] == '\r'))
        {
            n--;
        }

        if (n && text[0] != '#') {
            error = sluice_tenant_keys_line(keys, text, n);

            if (error) {
                OPENSSL_cleanse(keys, sizeof(sluice_tenant_keys_t));
                return error;
            }
        }

        text = (end == last) ? last : end + 1;
    }

    *line = 0;

    return keys->n ? NULL : "there is no key";
}


static const char *
sluice_tenant_keys_line(sluice_tenant_keys_t *keys, const char *text,
    size_t len)
{
    size_t                       i;
    uint8_t                      digest[SLUICE_TENANT_DIGEST], *key;
    sluice_signature_encoding_e  encoding;

    if (keys->n == SLUICE_TENANT_KEYS) {
        return "there are more than 8 keys";
    }

    key = keys->key[keys->n].key;
    encoding = (len == 2 * SLUICE_TENANT_KEY) ? SLUICE_SIGNATURE_HEX
                                              : SLUICE_SIGNATURE_BASE64;

    if (sluice_signature_decode(key, SLUICE_TENANT_KEY, (const uint8_t *) text,
                                len, encoding)
        != SLUICE_TENANT_KEY)
    {
        return "it is not 64 hex digits or base64 of 32 bytes";
    }

    if (!sluice_tenant_digest(digest, key, SLUICE_TENANT_KEY)) {
        return "OpenSSL has no SHA-256";
    }

    memcpy(keys->key[keys->n].id, digest, SLUICE_TENANT_KEY_ID);

    for (i = 0; i < keys->n; i++) {
        if (memcmp(keys->key[i].id, digest, SLUICE_TENANT_KEY_ID) == 0) {
            return "the key is there twice";
        }
    }

    keys->n++;

    return NULL;
}


size_t
sluice_tenant_seal(char *dst, const sluice_tenant_keys_t *keys,
    const char *id, size_t id_len, const void *secret, size_t len,
    const uint8_t nonce[SLUICE_TENANT_NONCE])
{
    int              n, ok;
    size_t           size;
    uint8_t          box[SLUICE_TENANT_HEAD + SLUICE_TENANT_SECRET
                         + SLUICE_TENANT_TAG];
    uint8_t         *p;
    EVP_CIPHER_CTX  *ctx;

    if (keys->n == 0 || len == 0 || len > SLUICE_TENANT_SECRET) {
        return 0;
    }

    box[0] = SLUICE_TENANT_VERSION;
    memcpy(box + 1, keys->key[0].id, SLUICE_TENANT_KEY_ID);
    memcpy(box + 1 + SLUICE_TENANT_KEY_ID, nonce, SLUICE_TENANT_NONCE);
    p = box + SLUICE_TENANT_HEAD;

    ctx = EVP_CIPHER_CTX_new();

    /* the mode adds no padding: the ciphertext is as long as the text */

    ok = ctx != NULL
         && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL,
                               keys->key[0].key, nonce) == 1
         && EVP_EncryptUpdate(ctx, NULL, &n, (const uint8_t *) id,
                              (int) id_len) == 1
         && EVP_EncryptUpdate(ctx, p, &n, secret, (int) len) == 1
         && EVP_EncryptFinal_ex(ctx, p + len, &n) == 1
         && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, SLUICE_TENANT_TAG,
                                p + len) == 1;

    EVP_CIPHER_CTX_free(ctx);

    if (!ok) {
        return 0;
    }

    size = SLUICE_TENANT_HEAD + len + SLUICE_TENANT_TAG;

    size = sluice_signature_encode(dst, box, size, SLUICE_SIGNATURE_BASE64);
    dst[size] = '\0';

    return size;
}


const char *
sluice_tenant_open(uint8_t *dst, size_t *len, const sluice_tenant_keys_t *keys,
    const char *id, size_t id_len, const char *sealed, size_t sealed_len)
{
    size_t   i, size;
    uint8_t  box[SLUICE_TENANT_HEAD + SLUICE_TENANT_SECRET
                 + SLUICE_TENANT_TAG];

    size = sluice_signature_decode(box, sizeof(box), (const uint8_t *) sealed,
                                   sealed_len, SLUICE_SIGNATURE_BASE64);

    if (size == SLUICE_SIGNATURE_NONE) {
        return "is not base64, or too long";
    }

    if (size <= SLUICE_TENANT_HEAD + SLUICE_TENANT_TAG) {
        return "is no sealed secret";
    }

    if (box[0] != SLUICE_TENANT_VERSION) {
        return "is sealed in a way that is not known here";
    }

    for (i = 0; keys && i < keys->n; i++) {
        if (memcmp(keys->key[i].id, box + 1, SLUICE_TENANT_KEY_ID) == 0) {
            return sluice_tenant_unlock(dst, len, keys->key[i].key, id,
                                        id_len, box, size);
        }
    }

    return "is sealed under a key that is not in the key file";
}


static const char *
sluice_tenant_unlock(uint8_t *dst, size_t *len, const uint8_t *key,
    const char *id, size_t id_len, const uint8_t *box, size_t box_len)
{
    int              n, ok;
    size_t           size;
    uint8_t          tag[SLUICE_TENANT_TAG];
    const uint8_t   *nonce, *p;
    EVP_CIPHER_CTX  *ctx;

    nonce = box + 1 + SLUICE_TENANT_KEY_ID;
    p = box + SLUICE_TENANT_HEAD;
    size = box_len - SLUICE_TENANT_HEAD - SLUICE_TENANT_TAG;

    memcpy(tag, p + size, SLUICE_TENANT_TAG);

    ctx = EVP_CIPHER_CTX_new();

    ok = ctx != NULL
         && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1
         && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, SLUICE_TENANT_TAG,
                                tag) == 1
         && EVP_DecryptUpdate(ctx, NULL, &n, (const uint8_t *) id,
                              (int) id_len) == 1
         && EVP_DecryptUpdate(ctx, dst, &n, p, (int) size) == 1
         && EVP_DecryptFinal_ex(ctx, dst + size, &n) == 1;

    EVP_CIPHER_CTX_free(ctx);

    if (!ok) {

        /* what does not authenticate is not to be seen */

        OPENSSL_cleanse(dst, size);
        return "does not open: damaged, or of another tenant";
    }

    *len = size;

    return NULL;
}
