/* Tokens and their claims; signatures are in tests/vectors. */

#include "tests/unit/rows.h"

#include "core/jwt.h"
#include "core/signature.h"


typedef struct {
    const char  *row;
    const char  *header;
    const char  *payload;
    const char  *rest;        /* behind the payload */
    const char  *wrong;
} token_t;

static const token_t  tokens[] = {
    { "HS256", "{\"alg\":\"HS256\"}", "{}", ".AA", NULL },
    { "EdDSA", "{\"alg\":\"EdDSA\",\"typ\":\"JWT\"}", "{}", ".AA", NULL },
    { "none", "{\"alg\":\"none\"}", "{}", ".AA", "is not allowed" },
    { "None", "{\"alg\":\"None\"}", "{}", ".AA", "is not allowed" },
    { "an algorithm in another case", "{\"alg\":\"hs256\"}", "{}", ".AA",
      "is not allowed" },
    { "an algorithm with escapes", "{\"alg\":\"HS25\\u0036\"}", "{}", ".AA",
      "is not allowed" },
    { "no algorithm", "{}", "{}", ".AA", "has no algorithm" },
    { "a number as algorithm", "{\"alg\":1}", "{}", ".AA",
      "has no algorithm" },
    { "two algorithms", "{\"alg\":\"HS256\",\"alg\":\"RS256\"}", "{}", ".AA",
      "is no JSON" },
    { "critical extensions", "{\"alg\":\"HS256\",\"crit\":[\"b64\"]}", "{}",
      ".AA", "critical" },
    { "critical extensions that are none", "{\"alg\":\"HS256\",\"crit\":null}",
      "{}", ".AA", "critical" },
    { "a header that is no JSON", "alg", "{}", ".AA", "is no JSON" },
    { "two parts", "{\"alg\":\"HS256\"}", "{}", "", "three parts" },
    { "four parts", "{\"alg\":\"HS256\"}", "{}", ".AA.AA", "three parts" },
    { "no signature", "{\"alg\":\"HS256\"}", "{}", ".", "not base64url" },
    { "a signature with padding", "{\"alg\":\"HS256\"}", "{}", ".AA==",
      "not base64url" },
    { "a signature with bits left over", "{\"alg\":\"HS256\"}", "{}", ".AB",
      "not base64url" },
    { "a signature in base64", "{\"alg\":\"HS256\"}", "{}", ".+/AA",
      "not base64url" }
};


typedef struct {
    const char  *row;
    const char  *payload;
    int          rc;          /* of "exp" */
    int64_t      time;
    int          audience;    /* 1 when "you" is meant */
} claim_t;

static const claim_t  claims[] = {
    { "a time", "{\"exp\":1795000000}", 1, 1795000000, 0 },
    { "a fraction", "{\"exp\":1795000000.9}", 1, 1795000000, 0 },
    { "zero", "{\"exp\":0}", 1, 0, 0 },
    { "no time", "{}", 0, 0, 0 },
    { "a text", "{\"exp\":\"1795000000\"}", -1, 0, 0 },
    { "null", "{\"exp\":null}", -1, 0, 0 },
    { "negative", "{\"exp\":-1}", -1, 0, 0 },
    { "an exponent", "{\"exp\":1e10}", -1, 0, 0 },
    { "an exponent behind a fraction", "{\"exp\":1.5e10}", -1, 0, 0 },
    { "thirteen digits", "{\"exp\":1795000000000}", -1, 0, 0 },
    { "two times", "{\"exp\":1,\"exp\":2}", -1, 0, 0 },
    { "an array", "[1]", 0, 0, 0 },
    { "no JSON", "{\"exp\":1", -1, 0, 0 },
    { "an audience", "{\"aud\":\"you\"}", 0, 0, 1 },
    { "another audience", "{\"aud\":\"youngsters\"}", 0, 0, 0 },
    { "an audience with escapes", "{\"aud\":\"y\\u006fu\"}", 0, 0, 1 },
    { "one of several", "{\"aud\":[\"me\",\"you\"]}", 0, 0, 1 },
    { "none of several", "{\"aud\":[\"me\",1,null,[\"you\"]]}", 0, 0, 0 },
    { "the ninth", "{\"aud\":[1,2,3,4,5,6,7,8,\"you\"]}", 0, 0, 0 },
    { "an object", "{\"aud\":{\"0\":\"you\"}}", 0, 0, 0 },
    { "no audience", "{}", 0, 0, 0 }
};


static size_t
make(char *token, const char *header, const char *payload, const char *rest)
{
    size_t  len;

    len = sluice_signature_encode(token, (const uint8_t *) header,
                                  strlen(header), SLUICE_SIGNATURE_BASE64URL);
    token[len++] = '.';
    len += sluice_signature_encode(token + len, (const uint8_t *) payload,
                                   strlen(payload),
                                   SLUICE_SIGNATURE_BASE64URL);
    memcpy(token + len, rest, strlen(rest));

    return len + strlen(rest);
}


static void
test_token(void **state)
{
    char             token[512], *copy;
    size_t           len;
    const char      *wrong;
    sluice_jwt_t     jwt;
    const token_t   *row;

    row = row_of(token_t, state);
    len = make(token, row->header, row->payload, row->rest);
    copy = (char *) rows_bytes(token, len);

    wrong = sluice_jwt_parse(&jwt, copy, len);

    if (row->wrong == NULL) {
        assert_null(wrong);

    } else {
        assert_non_null(wrong);
        assert_non_null(strstr(wrong, row->wrong));
    }

    free(copy);
}


static void
test_claim(void **state)
{
    char             token[512];
    size_t           len;
    int64_t          time;
    sluice_jwt_t     jwt;
    sluice_text_t    you;
    const claim_t   *row;

    row = row_of(claim_t, state);
    len = make(token, "{\"alg\":\"HS256\"}", row->payload, ".AA");
    time = 0;
    you.data = "you";
    you.len = 3;

    assert_null(sluice_jwt_parse(&jwt, token, len));
    assert_int_equal(sluice_jwt_time(&jwt, "exp", &time), row->rc);

    if (row->rc == 1) {
        assert_int_equal(time, row->time);
    }

    assert_int_equal(sluice_jwt_audience(&jwt, &you), row->audience);
}


static void
test_too_long(void **state)
{
    char          *token;
    char           payload[SLUICE_JWT_PAYLOAD + 2];
    size_t         len;
    sluice_jwt_t   jwt;

    token = malloc(2 * sizeof(payload));
    assert_non_null(token);

    memset(payload, ' ', sizeof(payload));
    payload[SLUICE_JWT_PAYLOAD] = '\0';
    len = make(token, "{\"alg\":\"HS256\"}", payload, ".AA");
    assert_null(sluice_jwt_parse(&jwt, token, len));

    payload[SLUICE_JWT_PAYLOAD] = ' ';
    payload[SLUICE_JWT_PAYLOAD + 1] = '\0';
    len = make(token, "{\"alg\":\"HS256\"}", payload, ".AA");
    assert_non_null(sluice_jwt_parse(&jwt, token, len));

    free(token);
}


int
main(void)
{
    rows_add(tokens, test_token);
    rows_add(claims, test_claim);
    rows_add_one("a payload that is too long", test_too_long, NULL);

    return rows_run("jwt");
}
