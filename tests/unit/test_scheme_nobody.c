/*
 * The key of nobody: made for each scheme, it neither matches nor signs, also
 * where somebody knows its text.
 */

#include "tests/unit/scheme_house.h"


typedef struct {
    const char  *row;
    const char  *scheme;
    const char  *settings;    /* "a=b c=d" */
    const char  *secret;      /* its text, where one can sign with it */
} nobody_t;

#define NOBODY         "this one never matches anything"
#define NOBODY_BASE64  "bm9ib2R5IGhhcyB0aGlzIHNlY3JldCE="
#define NOBODY_HEX                                                           \
    "0e3aa24fe3e8df42859321896518529250cb30e44a7ba640b2fcb23efefaf47f"

static const nobody_t  nobodies[] = {
    { "meta", "meta", "", NOBODY },
    { "standard", "standard", "", NOBODY_BASE64 },
    { "telegram", "telegram", "", NOBODY },
    { "vonage", "vonage", "", NOBODY },
    { "hmac", "hmac", "crc=crc", NOBODY },
    { "hmac in hex", "hmac", "secret_encoding=hex", NOBODY_HEX },
    { "hmac in base64", "hmac", "secret_encoding=base64", NOBODY_BASE64 },
    { "hmac with Ed25519", "hmac", "algorithm=ed25519", NULL },
    { "hmac with ECDSA in hex", "hmac",
      "algorithm=ecdsa-p256 secret_encoding=hex", NULL },
    { "discord", "discord", "", NULL },
    { "sendgrid", "sendgrid", "", NULL },
    { "HS", "jwt", "algorithms=HS256,HS512", NOBODY },
    { "RS", "jwt", "algorithms=RS256", NULL },
    { "PS", "jwt", "algorithms=PS512", NULL },
    { "ES256", "jwt", "algorithms=ES256", NULL },
    { "ES384", "jwt", "algorithms=ES384", NULL },
    { "EdDSA", "jwt", "algorithms=EdDSA", NULL },
    { "HS and RS", "jwt", "algorithms=HS256,RS256", NULL }
};


static void
check_signed(const sluice_scheme_t *scheme, const char *secret,
    sluice_key_t *nobody)
{
    const char               *why;
    sluice_key_t             *key;
    sluice_text_t             id;
    sluice_request_t          request;
    sluice_scheme_result_t    result;
    sluice_signed_request_t  *made;

    made = malloc(sizeof(sluice_signed_request_t));
    assert_non_null(made);
    request_of(&request, made, &id);

    assert_null(sluice_scheme_sign(scheme, secret, strlen(secret), &id,
                                   &request, 1795000000, made));

    key = sluice_key_create(scheme, secret, strlen(secret), &why);
    sluice_scheme_check(scheme, &key, 1, &id, &request, 1795000000, &result);
    assert_int_equal(result.verdict, SLUICE_SCHEME_VALID);
    sluice_key_destroy(key);

    sluice_scheme_check(scheme, &nobody, 1, &id, &request, 1795000000,
                        &result);
    assert_int_equal(result.verdict, SLUICE_SCHEME_EMPTY);

    request.method.data = "GET";
    request.method.len = 3;
    request.target.data = "/p?crc=abc";
    request.target.len = 10;
    result.status = 0;

    (void) sluice_scheme_greeting(scheme, &nobody, 1, &id, &request, &result);
    assert_int_not_equal(result.status, 200);

    free(made);
}


static void
test_nobody(void **state)
{
    sluice_key_t     *nobody;
    const nobody_t   *row;
    sluice_scheme_t  *scheme;

    row = row_of(nobody_t, state);
    scheme = scheme_with(row->scheme, row->settings);
    assert_null(sluice_scheme_ready(scheme));

    nobody = sluice_key_nobody(scheme);
    assert_non_null(nobody);

    if (row->secret != NULL) {
        check_signed(scheme, row->secret, nobody);
    }

    sluice_key_destroy(nobody);
    sluice_scheme_destroy(scheme);
}


int
main(void)
{
    rows_add(nobodies, test_nobody);

    return rows_run("scheme_nobody");
}
