#include "core/signature.h"
#include "tests/unit/rows.h"


#define HEX        SLUICE_SIGNATURE_HEX
#define BASE64     SLUICE_SIGNATURE_BASE64
#define BASE64URL  SLUICE_SIGNATURE_BASE64URL


typedef enum { VALID, MALFORMED, MISMATCH } result_e;

typedef struct {
    const char                    *name;
    sluice_signature_algorithm_e   algorithm;
    const char                    *key;
    size_t                         key_len;
    const char                    *data;
    const char                    *mac;    /* hex */
} mac_t;

typedef struct {
    const char                   *name;
    sluice_signature_encoding_e   encoding;
    size_t                        mac_len;    /* bytes 0xfb 0xef 0xff 0 1 */
    const char                   *value;
    result_e                      result;
} header_t;

typedef struct {
    const char  *name;
    const char  *secret;
    const char  *claimed;
    int          equal;
} secret_t;


/* RFC 4231, cases 2 and 6, and RFC 2202, case 2 */

#define JEFE  "Jefe", 4, "what do ya want for nothing?"
#define LONG_KEY                                                              \
    "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"    \
    "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"    \
    "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"    \
    "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"    \
    "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"    \
    "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"    \
    "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"    \
    "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"

static const mac_t  macs[] = {
    { "SHA-1", SLUICE_SIGNATURE_SHA1, JEFE,
      "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79" },

    { "SHA-256", SLUICE_SIGNATURE_SHA256, JEFE,
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },

    { "SHA-384", SLUICE_SIGNATURE_SHA384, JEFE,
      "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
      "8e2240ca5e69e2c78b3239ecfab21649" },

    { "SHA-512", SLUICE_SIGNATURE_SHA512, JEFE,
      "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
      "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737" },

    { "key longer than a block", SLUICE_SIGNATURE_SHA256, LONG_KEY,
      sizeof(LONG_KEY) - 1,
      "Test Using Larger Than Block-Size Key - Hash Key First",
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },

    { "no data", SLUICE_SIGNATURE_SHA256, "key", 3, "",
      "5d5d139563c95b5967b9bd9a8c9b233a9dedb45072794cd232dc1b74832607d0" },
};


static const header_t  headers[] = {
    { "hex", HEX, 5, "fbefff0001", VALID },
    { "hex in capitals", HEX, 5, "FBEFff0001", VALID },
    { "another MAC", HEX, 5, "fbefff0002", MISMATCH },
    { "another first byte", HEX, 5, "ebefff0001", MISMATCH },
    { "empty", HEX, 5, "", MALFORMED },
    { "one digit short", HEX, 5, "fbefff000", MALFORMED },
    { "one byte short", HEX, 5, "fbefff00", MALFORMED },
    { "one digit more", HEX, 5, "fbefff00010", MALFORMED },
    { "one byte more", HEX, 5, "fbefff000100", MALFORMED },
    { "not a digit: g", HEX, 5, "fbefff000g", MALFORMED },
    { "not a digit: /", HEX, 5, "fbefff000/", MALFORMED },
    { "not a digit: :", HEX, 5, "fbefff000:", MALFORMED },
    { "not a digit: @", HEX, 5, "fbefff000@", MALFORMED },
    { "not a digit: `", HEX, 5, "fbefff000`", MALFORMED },
    { "not a digit: 0x10 and up", HEX, 5, "fbefff000\x11", MALFORMED },
    { "white space before", HEX, 5, " fbefff000", MALFORMED },
    { "white space after", HEX, 5, "fbefff0001 ", MALFORMED },
    { "two values joined", HEX, 5, "fbefff0001, fbefff0001", MALFORMED },

    { "base64", BASE64, 5, "++//AAE=", VALID },
    { "base64, nothing to pad", BASE64, 3, "++//", VALID },
    { "base64, two to pad", BASE64, 4, "++//AA==", VALID },
    { "base64, another MAC", BASE64, 5, "++//AAI=", MISMATCH },
    { "base64 without padding", BASE64, 5, "++//AAE", MALFORMED },
    { "base64, half the padding", BASE64, 4, "++//AA=", MALFORMED },
    { "base64, padding too many", BASE64, 5, "++//AAE==", MALFORMED },
    { "base64, padding where none is due", BASE64, 3, "++//====",
      MALFORMED },
    { "base64, bits left over", BASE64, 5, "++//AAF=", MALFORMED },
    { "base64, bits left over of four", BASE64, 4, "++//AB==",
      MALFORMED },
    { "base64, = inside", BASE64, 5, "++//=AE=", MALFORMED },
    { "base64 of the other alphabet", BASE64, 5, "--__AAE=", MALFORMED },
    { "base64, one byte more", BASE64, 5, "++//AAEA", MALFORMED },
    { "base64, line feed after", BASE64, 5, "++//AAE=\n", MALFORMED },
    { "base64, white space inside", BASE64, 5, "++// AE=", MALFORMED },

    { "base64url", BASE64URL, 5, "--__AAE", VALID },
    { "base64url with padding", BASE64URL, 5, "--__AAE=", VALID },
    { "base64url, half the padding", BASE64URL, 4, "--__AA=",
      MALFORMED },
    { "base64url, letter for padding", BASE64URL, 5, "--__AAEA",
      MALFORMED },
    { "base64url, bits left over", BASE64URL, 5, "--__AAF", MALFORMED },
    { "base64url of the other alphabet", BASE64URL, 5, "++//AAE",
      MALFORMED },
};


static const secret_t  secrets[] = {
    { "the same", "s3cret", "s3cret", 1 },
    { "the same, of one byte", "s", "s", 1 },
    { "another last byte", "s3cret", "s3creT", 0 },
    { "a beginning", "s3cret", "s3cre", 0 },
    { "more", "s3cret", "s3cret ", 0 },
    { "nothing claimed", "s3cret", "", 0 },
    { "an empty secret, something claimed", "", "s3cret", 0 },
    { "an empty secret, nothing claimed", "", "", 0 },
};


static void
hex_of(char *dst, const uint8_t *mac, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        sprintf(dst + 2 * i, "%02x", mac[i]);
    }
}


static void
test_mac(void **state)
{
    char                 text[2 * SLUICE_SIGNATURE_MAX + 1];
    size_t               cut, data_len, len;
    uint8_t              mac[SLUICE_SIGNATURE_MAX], *data;
    const mac_t         *row;
    sluice_signature_t  *signature;

    row = row_of(mac_t, state);
    data_len = strlen(row->data);
    data = rows_bytes(row->data, data_len);

    signature = sluice_signature_create(row->algorithm,
                                        (const uint8_t *) row->key,
                                        row->key_len);
    assert_non_null(signature);

    /* in two pieces, cut everywhere, all on one context */

    for (cut = 0; cut <= data_len; cut++) {
        assert_int_equal(sluice_signature_begin(signature), 1);
        assert_int_equal(sluice_signature_update(signature, data, cut), 1);
        assert_int_equal(sluice_signature_update(signature, data + cut,
                                                 data_len - cut), 1);
        assert_int_equal(sluice_signature_final(signature, mac, &len), 1);

        hex_of(text, mac, len);
        assert_string_equal(text, row->mac);
    }

    /* one that was left half way does not stain the next */

    assert_int_equal(sluice_signature_begin(signature), 1);
    assert_int_equal(sluice_signature_update(signature,
                                             (const uint8_t *) "x", 1), 1);
    assert_int_equal(sluice_signature_begin(signature), 1);
    assert_int_equal(sluice_signature_update(signature, data, data_len), 1);
    assert_int_equal(sluice_signature_final(signature, mac, &len), 1);

    hex_of(text, mac, len);
    assert_string_equal(text, row->mac);

    sluice_signature_destroy(signature);
    free(data);
}


static void
test_header(void **state)
{
    size_t           decoded, len;
    uint8_t         *value, *dst;
    const header_t  *row;

    static const uint8_t  mac[] = { 0xfb, 0xef, 0xff, 0x00, 0x01 };

    row = row_of(header_t, state);
    len = strlen(row->value);
    value = rows_bytes(row->value, len);
    dst = malloc(row->mac_len);

    decoded = sluice_signature_decode(dst, row->mac_len, value, len,
                                      row->encoding);

    if (row->result == MALFORMED) {
        assert_int_not_equal(decoded, row->mac_len);

    } else {
        assert_int_equal(decoded, row->mac_len);
        assert_int_equal(memcmp(dst, mac, decoded) == 0,
                         row->result == VALID);
    }

    free(value);
    free(dst);
}


/* What is encoded is decoded to itself. */

static void
test_encode(void **state)
{
    char      text[2 * SLUICE_SIGNATURE_MAX];
    size_t    i, len, n;
    uint8_t   data[SLUICE_SIGNATURE_MAX], again[SLUICE_SIGNATURE_MAX];
    unsigned  encoding;

    for (i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t) (i * 37 + 11);
    }

    for (encoding = HEX; encoding <= BASE64URL; encoding++) {
        for (n = 0; n <= sizeof(data); n++) {
            len = sluice_signature_encode(text, data, n, encoding);

            assert_int_equal(sluice_signature_decode(again, sizeof(again),
                                                     (uint8_t *) text, len,
                                                     encoding), n);
            assert_memory_equal(again, data, n);
        }
    }
}


static void
test_secret(void **state)
{
    size_t           claimed_len, secret_len;
    uint8_t         *claimed, *secret;
    const secret_t  *row;

    row = row_of(secret_t, state);
    secret_len = strlen(row->secret);
    claimed_len = strlen(row->claimed);
    secret = rows_bytes(row->secret, secret_len);
    claimed = rows_bytes(row->claimed, claimed_len);

    assert_int_equal(sluice_signature_secret_equal(secret, secret_len,
                                                   claimed, claimed_len),
                     row->equal);

    free(secret);
    free(claimed);
}


static void
test_empty_key(void **state)
{
    assert_null(sluice_signature_create(SLUICE_SIGNATURE_SHA256,
                                        (const uint8_t *) "", 0));
    assert_null(sluice_signature_create(SLUICE_SIGNATURE_SHA256, NULL, 0));

    sluice_signature_destroy(NULL);
}


int
main(void)
{
    rows_add(macs, test_mac);
    rows_add(headers, test_header);
    rows_add(secrets, test_secret);
    rows_add_one("an empty key is refused", test_empty_key, NULL);
    rows_add_one("encoded and decoded", test_encode, NULL);

    return rows_run("signature");
}
