/*
 * Tokens of any bytes: one that is taken has one spelling, and its claims are
 * those that jansson finds.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/jwt.h"
#include "core/signature.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check_claims(const sluice_jwt_t *jwt)
{
    int             rc;
    int64_t         time;
    json_t         *claims, *value;
    sluice_text_t   text;

    claims = json_loadb((const char *) jwt->payload, jwt->payload_len,
                        JSON_REJECT_DUPLICATES | JSON_DECODE_ANY
                        | JSON_ALLOW_NUL, NULL);

    rc = sluice_jwt_time(jwt, "exp", &time);

    if (rc == 1) {

        /* numbers beyond jansson's own range are refused by it alone */

        value = json_object_get(claims, "exp");

        if (value != NULL) {
            assert(json_is_number(value));
            assert((double) time <= json_number_value(value) + 1);
            assert(json_number_value(value) <= (double) time + 1);
        }
    }

    if (claims != NULL && rc == 0) {
        assert(json_object_get(claims, "exp") == NULL);
    }

    text.data = "audience";
    text.len = 8;

    rc = sluice_jwt_audience(jwt, &text);
    value = json_object_get(claims, "aud");

    if (claims != NULL && rc) {
        assert(json_is_array(value)
               || strcmp(json_string_value(value), "audience") == 0);
    }

    if (json_is_string(value) && json_string_length(value) == 8
        && memcmp(json_string_value(value), "audience", 8) == 0)
    {
        assert(rc);
    }

    rc = sluice_jwt_claim(jwt, "jti", 3, &text);
    assert(rc != 1 || (text.data >= (const char *) jwt->payload
                       && text.data + text.len
                          <= (const char *) jwt->payload + jwt->payload_len));

    json_decref(claims);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char          *token, *again;
    size_t         len, start;
    sluice_jwt_t  *jwt;

    /* blocks of their own, so that a byte beyond is seen */

    token = malloc(size + 1);
    jwt = malloc(sizeof(sluice_jwt_t));
    assert(token != NULL && jwt != NULL);
    memcpy(token, data, size);

    if (sluice_jwt_parse(jwt, token, size) == NULL) {
        assert(jwt->algorithm >= SLUICE_JWT_HS256
               && jwt->algorithm <= SLUICE_JWT_EDDSA);
        assert(jwt->input.len < size && token[jwt->input.len] == '.');

        again = malloc(2 * SLUICE_JWT_PAYLOAD);
        assert(again != NULL);

        len = sluice_signature_encode(again, jwt->signature,
                                      jwt->signature_len,
                                      SLUICE_SIGNATURE_BASE64URL);
        start = jwt->input.len + 1;
        assert(len == size - start && memcmp(again, token + start, len) == 0);

        len = sluice_signature_encode(again, jwt->payload, jwt->payload_len,
                                      SLUICE_SIGNATURE_BASE64URL);
        start = (size_t) ((char *) memchr(token, '.', size) - token) + 1;
        assert(len == jwt->input.len - start
               && memcmp(again, token + start, len) == 0);

        free(again);
        check_claims(jwt);
    }

    free(token);
    free(jwt);

    return 0;
}
