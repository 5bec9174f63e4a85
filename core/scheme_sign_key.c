/*
 * Signatures of private keys, for scheme_sign.c.
 */

#include "core/scheme_parts.h"

#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "core/jwt.h"


const char *
sluice_sign_private(const char *pem, size_t pem_len, int algorithm,
    const char *text, size_t len, uint8_t *signature, size_t *signature_len)
{
    int            ok;
    BIO           *bio;
    EVP_PKEY      *key;
    EVP_MD_CTX    *ctx;
    const EVP_MD  *md;
    EVP_PKEY_CTX  *pkey;

    ERR_set_mark();

    bio = BIO_new_mem_buf(pem, (int) pem_len);
    key = (bio != NULL) ? PEM_read_bio_PrivateKey(bio, NULL, NULL, "") : NULL;
    ctx = EVP_MD_CTX_new();

    md = (algorithm == SLUICE_JWT_EDDSA) ? NULL
         : (algorithm == SLUICE_JWT_ES384
            || (algorithm < SLUICE_JWT_ES256 && algorithm % 3 == 1))
           ? EVP_sha384()
         : (algorithm < SLUICE_JWT_ES256 && algorithm % 3 == 2)
           ? EVP_sha512() : EVP_sha256();

    *signature_len = SLUICE_SIGN_BYTES;

    ok = key != NULL && ctx != NULL
         && (sluice_key_fits(key) & (1u << algorithm)) != 0
         && EVP_DigestSignInit(ctx, &pkey, md, NULL, key) == 1
         && (algorithm < SLUICE_JWT_PS256 || algorithm > SLUICE_JWT_PS512
             || (EVP_PKEY_CTX_set_rsa_padding(pkey, RSA_PKCS1_PSS_PADDING)
                 == 1
                 && EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey,
                                                     RSA_PSS_SALTLEN_DIGEST)
                    == 1))
         && EVP_DigestSign(ctx, signature, signature_len,
                           (const unsigned char *) text, len)
            == 1;

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    BIO_free(bio);
    ERR_pop_to_mark();

    return ok ? NULL : SLUICE_SIGN_NO_KEY;
}


unsigned
sluice_sign_fits(const char *pem, size_t len)
{
    BIO       *bio;
    unsigned   fits;
    EVP_PKEY  *key;

    ERR_set_mark();

    bio = BIO_new_mem_buf(pem, (int) len);
    key = (bio != NULL) ? PEM_read_bio_PrivateKey(bio, NULL, NULL, "") : NULL;
    fits = (key != NULL) ? sluice_key_fits(key) : 0;

    EVP_PKEY_free(key);
    BIO_free(bio);
    ERR_pop_to_mark();

    return fits;
}


int
sluice_sign_raw(int half, uint8_t *signature, size_t *len)
{
    int             ok;
    ECDSA_SIG      *sig;
    const uint8_t  *p;

    p = signature;
    sig = d2i_ECDSA_SIG(NULL, &p, (long) *len);

    ok = sig != NULL
         && BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, half) == half
         && BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + half, half)
            == half;

    ECDSA_SIG_free(sig);
    *len = (size_t) (2 * half);

    return ok;
}
