/*
 * Webhook signatures: a keyed HMAC over pieces of a body, how one is written
 * in a header, and the comparison of secrets.  Facts on the schemes: each
 * provider's own documentation, named in scheme_presets.c.
 */

#ifndef SLUICE_CORE_SIGNATURE_H
#define SLUICE_CORE_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>


#define SLUICE_SIGNATURE_MAX     64    /* bytes of the longest MAC, SHA-512 */
#define SLUICE_SIGNATURE_SECRET  32    /* of a secret's digest */
#define SLUICE_SIGNATURE_NONE    ((size_t) -1)


typedef enum {
    SLUICE_SIGNATURE_SHA1,
    SLUICE_SIGNATURE_SHA256,
    SLUICE_SIGNATURE_SHA384,
    SLUICE_SIGNATURE_SHA512
} sluice_signature_algorithm_e;

typedef enum {
    SLUICE_SIGNATURE_HEX,
    SLUICE_SIGNATURE_BASE64,
    SLUICE_SIGNATURE_BASE64URL
} sluice_signature_encoding_e;

typedef struct sluice_signature_s  sluice_signature_t;


/*
 * A MAC with its key, to be used again and again by one thread.  NULL when
 * the key is empty (an empty secret never matches) or memory is out.
 */
sluice_signature_t *sluice_signature_create(
    sluice_signature_algorithm_e algorithm, const uint8_t *key, size_t len);
void sluice_signature_destroy(sluice_signature_t *signature);

/* begin, any number of updates, final: 1, or 0 when OpenSSL refuses. */
int sluice_signature_begin(sluice_signature_t *signature);
int sluice_signature_update(sluice_signature_t *signature,
    const uint8_t *data, size_t len);
/* mac has room for SLUICE_SIGNATURE_MAX; *len gets the MAC's length */
int sluice_signature_final(sluice_signature_t *signature, uint8_t *mac,
    size_t *len);

/*
 * Decodes all of a text into dst, which has room for size bytes: its length,
 * or SLUICE_SIGNATURE_NONE when it is not of the encoding or too long.  One
 * text for one value: base64 with its padding, base64url with all of it or
 * none, bits that are left over are zero.
 */
size_t sluice_signature_decode(uint8_t *dst, size_t size, const uint8_t *text,
    size_t len, sluice_signature_encoding_e encoding);
/* Writes the text without a NUL, base64url without padding; its length. */
size_t sluice_signature_encode(char *dst, const uint8_t *data, size_t len,
    sluice_signature_encoding_e encoding);

/*
 * Equality of two secrets without telling where they differ: the digests
 * under a key of this process are compared, so neither the content nor the
 * length of `secret` shows.  An empty secret never matches.  1 or 0.
 */
int sluice_signature_secret_equal(const uint8_t *secret, size_t secret_len,
    const uint8_t *claimed, size_t claimed_len);
/* The digest alone, which means something in this process only.  1 or 0 */
int sluice_signature_secret(uint8_t digest[SLUICE_SIGNATURE_SECRET],
    const uint8_t *secret, size_t len);


#endif
