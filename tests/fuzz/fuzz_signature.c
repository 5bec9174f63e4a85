/*
 * Signatures of any bytes: one that is taken has exactly one spelling, and
 * what it says is compared with what OpenSSL encodes.  The first byte chooses
 * the encoding; the rest is the text.
 */

#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include <openssl/evp.h>

#include "core/signature.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check_hex(const uint8_t *claimed, size_t mac_len, const uint8_t *text,
    size_t len)
{
    size_t             i;

    static const char  digits[] = "0123456789abcdef";

    assert(len == 2 * mac_len);

    for (i = 0; i < mac_len; i++) {
        assert(tolower(text[2 * i]) == digits[claimed[i] >> 4]);
        assert(tolower(text[2 * i + 1]) == digits[claimed[i] & 0xf]);
    }
}


static void
check_base64(const uint8_t *claimed, size_t mac_len, const uint8_t *text,
    size_t len, int url)
{
    int      n;
    char     expected[2 * SLUICE_SIGNATURE_MAX];
    size_t   i;

    n = EVP_EncodeBlock((unsigned char *) expected, claimed, (int) mac_len);

    /* base64url may leave out its padding */

    if (url && len < (size_t) n) {
        while (n > 0 && expected[n - 1] == '=') {
            n--;
        }
    }

    assert(len == (size_t) n);

    for (i = 0; i < len; i++) {
        if (url) {
            expected[i] = (expected[i] == '+') ? '-'
                          : (expected[i] == '/') ? '_' : expected[i];
        }

        assert(text[i] == (uint8_t) expected[i]);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                       len;
    uint8_t                      claimed[SLUICE_SIGNATURE_MAX];
    sluice_signature_encoding_e  encoding;

    if (size == 0) {
        return 0;
    }

    encoding = (sluice_signature_encoding_e) ((data[0] & 3) % 3);

    data++;
    size--;

    len = sluice_signature_decode(claimed, sizeof(claimed), data, size,
                                  encoding);

    if (len == SLUICE_SIGNATURE_NONE) {
        return 0;
    }

    assert(len <= sizeof(claimed));

    if (encoding == SLUICE_SIGNATURE_HEX) {
        check_hex(claimed, len, data, size);

    } else {
        check_base64(claimed, len, data, size,
                     encoding == SLUICE_SIGNATURE_BASE64URL);
    }

    return 0;
}
