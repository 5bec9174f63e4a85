/*
 * Header values of any bytes: one that is taken has exactly one spelling, and
 * what it says is compared with what OpenSSL decodes.  The first byte chooses
 * encoding, length and prefix; the rest is the header.
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
    size_t                        mac_len, prefix_len;
    uint8_t                       claimed[SLUICE_SIGNATURE_MAX];
    const char                   *prefix;
    sluice_signature_result_e     result;
    sluice_signature_encoding_e   encoding;

    static const size_t        lengths[] = { 20, 32, 48, 64 };
    static const char *const   prefixes[] = { "", "sha256=", "v0=", "=" };

    if (size == 0) {
        return 0;
    }

    encoding = (sluice_signature_encoding_e) ((data[0] & 3) % 3);
    mac_len = lengths[data[0] >> 2 & 3];
    prefix = prefixes[data[0] >> 4 & 3];
    prefix_len = strlen(prefix);

    data++;
    size--;

    memset(claimed, 0xa5, sizeof(claimed));

    if (!sluice_signature_parse(claimed, mac_len, data, size, prefix,
                                prefix_len, encoding))
    {
        result = sluice_signature_check(claimed, mac_len, data, size, prefix,
                                        prefix_len, encoding);
        assert(result == SLUICE_SIGNATURE_MALFORMED);

        return 0;
    }

    assert(size >= prefix_len && memcmp(data, prefix, prefix_len) == 0);

    if (encoding == SLUICE_SIGNATURE_HEX) {
        check_hex(claimed, mac_len, data + prefix_len, size - prefix_len);

    } else {
        check_base64(claimed, mac_len, data + prefix_len, size - prefix_len,
                     encoding == SLUICE_SIGNATURE_BASE64URL);
    }

    result = sluice_signature_check(claimed, mac_len, data, size, prefix,
                                    prefix_len, encoding);
    assert(result == SLUICE_SIGNATURE_VALID);

    claimed[mac_len - 1] ^= 1;
    result = sluice_signature_check(claimed, mac_len, data, size, prefix,
                                    prefix_len, encoding);
    assert(result == SLUICE_SIGNATURE_MISMATCH);

    return 0;
}
