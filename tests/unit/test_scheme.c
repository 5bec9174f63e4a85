/*
 * Settings, keys and what a scheme is asked; the verdicts are in
 * tests/vectors.
 */

#include "tests/unit/scheme_house.h"


typedef struct {
    const char  *row;
    const char  *scheme;
    const char  *name;
    const char  *value;
    const char  *wrong;       /* part of the text; NULL: it is taken */
} setting_t;

static const setting_t  settings[] = {
    { "header", "hmac", "header", "X-Sig", NULL },
    { "two headers", "shopify", "header", "a,b", NULL },
    { "a header of a preset", "meta", "header", "x-forwarded-signature",
      NULL },
    { "no header", "hmac", "header", "", "empty name" },
    { "a header with a space", "hmac", "header", "x y",
      "is not the name of a header" },
    { "an empty alternative", "hmac", "header", "a,,b", "empty name" },
    { "Mailgun's is in the body", "mailgun", "header", "x-sig",
      "is not a setting" },
    { "algorithm", "hmac", "algorithm", "sha512", NULL },
    { "an algorithm that is unknown", "hmac", "algorithm", "md5",
      "is not sha1" },
    { "the algorithm of a preset", "meta", "algorithm", "sha1",
      "is not a setting" },
    { "encoding", "hmac", "encoding", "base64url", NULL },
    { "an encoding that is unknown", "hmac", "encoding", "utf8",
      "is not hex" },
    { "seconds", "stripe", "tolerance", "300", NULL },
    { "seconds with a unit", "stripe", "tolerance", "300s", NULL },
    { "minutes", "stripe", "tolerance", "5m", NULL },
    { "hours", "stripe", "tolerance", "1h", NULL },
    { "days", "stripe", "tolerance", "3d", NULL },
    { "no tolerance", "stripe", "tolerance", "0", NULL },
    { "a negative tolerance", "stripe", "tolerance", "-1",
      "is not a time" },
    { "a unit alone", "stripe", "tolerance", "m", "is not a time" },
    { "two units", "stripe", "tolerance", "5ms", "is not a time" },
    { "a tolerance of eight digits", "stripe", "tolerance", "10000000",
      "is not a time" },
    { "an empty tolerance", "stripe", "tolerance", "", "is not a time" },
    { "the tolerance of a token", "telegram", "tolerance", "5m",
      "has no time" },
    { "the tolerance of Twilio", "twilio", "tolerance", "5m",
      "has no time" },
    { "public_url", "square", "public_url", "https://h/p", NULL },
    { "a public_url without a scheme", "square", "public_url", "h/p",
      "is not a URL" },
    { "public_url where none is signed", "meta", "public_url", "https://h/p",
      "does not sign the URL" },
    { "signed", "hmac", "signed", "{method} {path}\n{url}{body}.", NULL },
    { "an empty text", "hmac", "signed", "", "is empty" },
    { "another name in braces", "hmac", "signed", "{boddy}", "other names" },
    { "an open brace", "hmac", "signed", "{body", "other names" },
    { "two bodies", "hmac", "signed", "{body}{body}", "more than one" },
    { "too many pieces", "hmac", "signed",
      "{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}{id}",
      "too many pieces" },
    { "a pointer", "hmac", "timestamp", "json:/a/b", NULL },
    { "no pointer", "hmac", "timestamp", "json:a", "no JSON pointer" },
    { "too many places", "hmac", "id", "a,b,c,d,e,f,g,h,i",
      "too many places" },
    { "separator", "hmac", "separator", "comma", NULL },
    { "another separator", "hmac", "separator", ",", "is not comma" },
    { "unit", "hmac", "timestamp_unit", "ms", NULL },
    { "another unit", "hmac", "timestamp_unit", "us", "is not s or ms" },
    { "secret_encoding", "hmac", "secret_encoding", "plain", NULL },
    { "another secret_encoding", "hmac", "secret_encoding", "base64url",
      "is not plain" },
    { "a setting that is unknown", "hmac", "salt", "x", "is not a setting" },
    { "a setting of JWT", "hmac", "issuer", "x", "is not a setting" },
    { "a setting of hmac", "jwt", "prefix", "x", "is not a setting" },
    { "algorithms", "jwt", "algorithms", "HS256,ES384,EdDSA", NULL },
    { "none", "jwt", "algorithms", "none", "is not a list" },
    { "none among others", "jwt", "algorithms", "HS256,none",
      "is not a list" },
    { "algorithms of a preset", "vonage", "algorithms", "RS256",
      "is not a setting" },
    { "leeway of a preset", "messagebird", "leeway", "10s", NULL },
    { "claim", "jwt", "claim", "a:b:c", NULL },
    { "a claim without a value", "jwt", "claim", "a", "is not NAME:VALUE" },
    { "an empty issuer", "jwt", "issuer", "", "is empty" },
    { "a setting of a token", "api_key", "header", "x-api-key", NULL },
    { "another of a token", "api_key", "prefix", "x", "is not a setting" }
};


typedef struct {
    const char  *row;
    const char  *scheme;
    const char  *settings;    /* "a=b c=d" */
    const char  *wrong;
} ready_t;

static const ready_t  readies[] = {
    { "hmac", "hmac", "", NULL },
    { "a time that is signed", "hmac",
      "timestamp=x-t signed={timestamp}{body}", NULL },
    { "a time that is not signed", "hmac", "timestamp=x-t",
      "is not signed" },
    { "a time of a query that is not signed", "hmac", "timestamp=query:t",
      "is not signed" },
    { "a time inside of the body", "hmac", "timestamp=json:/t", NULL },
    { "a time inside of a body that is not signed", "hmac",
      "timestamp=json:/t id=x signed={id}", "is not signed" },
    { "no time", "hmac", "signed={timestamp}{body}",
      "\"timestamp\" is missing" },
    { "no id", "hmac", "signed={id}{body}", "\"id\" is missing" },
    { "tolerance without a time", "hmac", "tolerance=5m", "no \"timestamp\"" },
    { "tolerance of a preset without a time", "github", "tolerance=5m",
      "no \"timestamp\"" },
    { "tolerance of a preset", "discord", "tolerance=5m", NULL },
    { "a pair without a list", "hmac",
      "timestamp=pair:t signed={timestamp}{body}", "\"separator\" is missing" },
    { "a list without a prefix", "hmac", "separator=comma",
      "\"prefix\" is missing" },
    { "a CRC", "hmac", "crc=crc_token", NULL },
    { "a CRC with a public key", "hmac", "crc=c algorithm=ed25519",
      "needs an HMAC" },
    { "id, then the body", "hmac",
      "id=x signed={id}{body}", "where {id} ends" },
    { "the body, then an id", "hmac",
      "id=x signed={body}.{id}", "where {body} ends" },
    { "an id with its end", "hmac", "id=x signed={id}.{body}", NULL },
    { "an id, a time, the body", "hmac",
      "timestamp=x-t id=x signed={id}{timestamp}{body}", "where {id} ends" },
    { "an id with its end, a time, the body", "hmac",
      "timestamp=x-t id=x signed={id}.{timestamp}{body}", NULL },
    { "a time, then an id", "hmac",
      "timestamp=x-t id=x signed={timestamp}{id}", NULL },
    { "an id, then a time", "hmac",
      "timestamp=x-t id=x signed={id}{timestamp}", NULL },
    { "the body between texts and a time", "hmac",
      "timestamp=x-t signed=a.{body}.b.{timestamp}", NULL },
    { "the URL, then the body", "hmac", "signed={url}{body}", NULL },
    { "the URL, an id, the body", "hmac",
      "id=x signed={url}{id}{body}", "where {id} ends" },
    { "a path, a line, the body", "hmac", "signed={path}\n{body}", NULL },
    { "a path, a question mark, the body", "hmac",
      "signed={path}?{body}", NULL },
    { "a path, a slash, the body", "hmac",
      "signed={path}/{body}", "where {path} ends" },
    { "method, path, the body", "hmac",
      "signed={method}{path}{body}", "where {path} ends" },
    { "method, path, a line, the body", "hmac",
      "signed={method}{path}\n{body}", NULL },
    { "method, path", "hmac", "signed={method}{path}", NULL },
    { "method, URL, the body, a time", "hmac",
      "timestamp=x-t signed={method}{url}{body}{timestamp}", NULL },
    { "method, an id", "hmac",
      "id=x signed={method}{id}", "where {method} ends" },
    { "method, a letter, the body", "hmac",
      "signed={method}X{body}", "where {method} ends" },
    { "method, a bar, the body", "hmac", "signed={method}|{body}", NULL },
    { "the body, a line, a path", "hmac", "signed={body}\n{path}", NULL },
    { "the body, a line, method, path", "hmac",
      "signed={body}\n{method}{path}", "where {body} ends" },
    { "two ids", "hmac", "id=x signed={id}.{id}", NULL },
    { "jwt", "jwt", "algorithms=HS256", NULL },
    { "jwt without algorithms", "jwt", "", "\"algorithms\" is missing" }
};


typedef struct {
    const char  *row;
    const char  *scheme;
    const char  *settings;
    const char  *secret;
    const char  *wrong;
} key_row_t;

#define ED25519_HEX                                                          \
    "4fa1788b30b8fc0b987e372ca934b950aa37db9d6d8c92b443924a9aa51112bf"
#define P256_BASE64                                                          \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEUuWYqEKFTYUnHDzpVDJkPDC/tRpIc1ks"   \
    "yYTwxPuu55Ea8WZNNWzLZO566REzAfmknkG1z/B6VS2ZDrhYahpLdw=="
#define P256_PEM                                                             \
    "-----BEGIN PUBLIC KEY-----\n"                                           \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEUuWYqEKFTYUnHDzpVDJkPDC/tRpI\n"     \
    "c1ksyYTwxPuu55Ea8WZNNWzLZO566REzAfmknkG1z/B6VS2ZDrhYahpLdw==\n"         \
    "-----END PUBLIC KEY-----\n"

static const key_row_t  key_rows[] = {
    { "a secret", "meta", "", "s", NULL },
    { "an empty secret", "meta", "", "", "is empty" },
    { "an empty token", "telegram", "", "", "is empty" },
    { "an empty secret of a JWT", "vonage", "", "", "is empty" },
    { "base64 behind whsec_", "standard", "", "whsec_c2VjcmV0", NULL },
    { "base64", "svix", "", "c2VjcmV0", NULL },
    { "nothing behind whsec_", "standard", "", "whsec_", "is empty" },
    { "no base64", "standard", "", "whsec_***", "is not base64" },
    { "Stripe's whsec_ is part of it", "stripe", "", "whsec_***", NULL },
    { "a public key behind whpk_", "standard", "",
      "whpk_T6F4izC4/AuYfjcsqTS5UKo3251tjJK0Q5JKmqUREr8=", NULL },
    { "half a public key", "standard", "", "whpk_T6F4izC4", "32 bytes" },
    { "hex", "hmac", "secret_encoding=hex", "00ff", NULL },
    { "no hex", "hmac", "secret_encoding=hex", "0", "is not hex" },
    { "a key in hex", "discord", "", ED25519_HEX, NULL },
    { "a key in hex, too short", "discord", "", "4fa1", "32 bytes as hex" },
    { "a key of another kind", "discord", "", P256_PEM, "another kind" },
    { "a key in base64", "sendgrid", "", P256_BASE64, NULL },
    { "a key in PEM", "sendgrid", "", P256_PEM, NULL },
    { "no key", "sendgrid", "", "secret", "is no public key" },
    { "HS", "jwt", "algorithms=HS256", "secret", NULL },
    { "ES", "jwt", "algorithms=ES256", P256_PEM, NULL },
    { "ES with a secret", "jwt", "algorithms=ES256", "secret",
      "is no public key" },
    { "HS with a public key", "jwt", "algorithms=HS256", P256_PEM,
      "no algorithm in" },
    { "RS with a key of ES", "jwt", "algorithms=RS256", P256_PEM,
      "no algorithm in" },
    { "ES384 with a key of P-256", "jwt", "algorithms=ES384", P256_PEM,
      "no algorithm in" },
    { "PEM that is none", "jwt", "algorithms=HS256,RS256",
      "-----BEGIN PUBLIC KEY-----\n", "no public key in PEM" }
};


typedef struct {
    const char  *row;
    unsigned     needs;
    const char  *field;
    const char  *keeps;
    size_t       body_max;
} asked_t;

#define BODY   SLUICE_SCHEME_NEEDS_BODY
#define WHOLE  SLUICE_SCHEME_NEEDS_WHOLE
#define URL    SLUICE_SCHEME_NEEDS_URL
#define TOKEN  SLUICE_SCHEME_TAKES_TOKEN

static const asked_t  askeds[] = {
    { "meta", BODY | TOKEN, "x-hub-signature-256", NULL, 3 * 1024 * 1024 },
    { "twilio", BODY | WHOLE | URL, "x-twilio-signature",
      "i-twilio-idempotency-token", 0 },
    { "stripe", BODY, "stripe-signature", NULL, 0 },
    { "github", BODY, "x-hub-signature-256", "x-github-event",
      25 * 1024 * 1024 },
    { "gitlab_token", 0, "x-gitlab-token", "x-gitlab-event", 0 },
    { "slack", BODY | WHOLE, "x-slack-signature", "x-slack-retry-num", 0 },
    { "shopify", BODY, "x-shopify-hmac-sha256", "x-shopify-topic", 0 },
    { "square", BODY | URL, "x-square-hmacsha256-signature", NULL, 0 },
    { "mailgun", WHOLE, NULL, NULL, 0 },
    { "linear", BODY | WHOLE, "linear-signature", "linear-event", 0 },
    { "vonage", BODY, "authorization", NULL, 0 },
    { "messagebird", BODY | URL, "messagebird-signature-jwt", NULL, 0 },
    { "evolution", 0, "authorization", NULL, 0 },
    { "api_key", 0, "authorization", NULL, 0 },
    { "hmac", BODY, "x-signature", NULL, 0 }
};


static void
check_text(const char *said, const char *expected)
{
    if (expected == NULL) {
        assert_null(said);
        return;
    }

    assert_non_null(said);

    if (strstr(said, expected) == NULL) {
        fail_msg("\"%s\" is not about \"%s\"", said, expected);
    }
}


static void
test_setting(void **state)
{
    char             *value;
    size_t            len;
    const setting_t  *row;
    sluice_scheme_t  *scheme;

    row = row_of(setting_t, state);
    len = strlen(row->value);
    value = (char *) rows_bytes(row->value, len);
    scheme = sluice_scheme_create(row->scheme, strlen(row->scheme));

    check_text(sluice_scheme_set(scheme, row->name, strlen(row->name), value,
                                 len), row->wrong);

    free(value);
    sluice_scheme_destroy(scheme);
}


static void
test_ready(void **state)
{
    const ready_t    *row;
    sluice_scheme_t  *scheme;

    row = row_of(ready_t, state);
    scheme = scheme_with(row->scheme, row->settings);

    check_text(sluice_scheme_ready(scheme), row->wrong);
    sluice_scheme_destroy(scheme);
}


static void
test_key(void **state)
{
    char              *secret;
    size_t             len;
    const char        *why;
    sluice_key_t      *key;
    const key_row_t   *row;
    sluice_scheme_t   *scheme;

    row = row_of(key_row_t, state);
    scheme = scheme_with(row->scheme, row->settings);
    len = strlen(row->secret);
    secret = (char *) rows_bytes(row->secret, len);

    assert_null(sluice_scheme_ready(scheme));

    key = sluice_key_create(scheme, secret, len, &why);
    check_text(why, row->wrong);
    assert_int_equal(key == NULL, row->wrong != NULL);

    free(secret);
    sluice_key_destroy(key);
    sluice_scheme_destroy(scheme);
}


static void
test_asked(void **state)
{
    const char       *said;
    const asked_t    *row;
    sluice_scheme_t  *scheme;

    row = row_of(asked_t, state);
    scheme = scheme_with(row->row, "");

    assert_null(sluice_scheme_ready(scheme));
    assert_string_equal(sluice_scheme_name(scheme), row->row);
    assert_int_equal(sluice_scheme_needs(scheme), row->needs);
    assert_int_equal(sluice_scheme_body_max(scheme), row->body_max);

    said = sluice_scheme_field(scheme, 0);
    check_text(said, row->field);

    said = sluice_scheme_keeps(scheme, 0);
    check_text(said, row->keeps);

    assert_null(sluice_scheme_field(scheme, 9));
    assert_null(sluice_scheme_keeps(scheme, 9));

    sluice_scheme_destroy(scheme);
}


/* Every name makes a scheme, every scheme a verdict, "none" none. */

static void
test_names(void **state)
{
    size_t            n;
    sluice_scheme_t  *scheme;

    for (n = 0; sluice_scheme_names[n] != NULL; n++) {
        scheme = sluice_scheme_create(sluice_scheme_names[n],
                                      strlen(sluice_scheme_names[n]));
        assert_non_null(scheme);
        assert_string_equal(sluice_scheme_name(scheme),
                            sluice_scheme_names[n]);
        sluice_scheme_destroy(scheme);
    }

    assert_int_equal(n, 29);
    assert_null(sluice_scheme_create("none", 4));
    assert_null(sluice_scheme_create("", 0));
    assert_null(sluice_scheme_create("metas", 5));

    sluice_scheme_destroy(NULL);
    sluice_key_destroy(NULL);
}


static void
test_second_field(void **state)
{
    sluice_scheme_t  *scheme;

    scheme = scheme_with("meta", "");
    check_text(sluice_scheme_field(scheme, 1), "x-hub-signature");
    assert_null(sluice_scheme_field(scheme, 2));
    sluice_scheme_destroy(scheme);

    scheme = scheme_with("svix", "");
    check_text(sluice_scheme_field(scheme, 1), "webhook-signature");
    sluice_scheme_destroy(scheme);
}


/*
 * A preset is what "hmac" can be told: what is signed by the one is taken by
 * the other, with the settings of the table.
 */

static void
test_preset(void **state)
{
    const char               *why;
    sluice_key_t             *key;
    sluice_text_t             id;
    sluice_scheme_t          *preset, *hmac;
    sluice_request_t          request;
    const sluice_preset_t    *row;
    sluice_scheme_result_t    result;
    sluice_signed_request_t  *made;

    static const char  secret[] = "c2VjcmV0";

    row = row_of(sluice_preset_t, state);
    made = malloc(sizeof(sluice_signed_request_t));
    assert_non_null(made);

    request_of(&request, made, &id);

    preset = scheme_with(row->name, "");
    hmac = scheme_with("hmac", row->settings);
    assert_null(sluice_scheme_ready(preset));
    assert_null(sluice_scheme_ready(hmac));

    assert_null(sluice_scheme_sign(preset, secret, sizeof(secret) - 1, &id,
                                   &request, 1795000000, made));

    key = sluice_key_create(hmac, secret, sizeof(secret) - 1, &why);
    assert_non_null(key);

    sluice_scheme_check(hmac, &key, 1, &id, &request, 1795000000, &result);
    assert_int_equal(result.verdict, SLUICE_SCHEME_VALID);

    sluice_key_destroy(key);
    sluice_scheme_destroy(preset);
    sluice_scheme_destroy(hmac);
    free(made);
}


/* All that sign with an HMAC and have all of it in headers. */

static void
add_presets(void)
{
    const sluice_preset_t  *preset;

    for (preset = sluice_presets; preset->name != NULL; preset++) {
        if (preset->kind == SLUICE_KIND_SIGNED
            && strstr(preset->settings, "algorithm=e") == NULL
            && strstr(preset->settings, "json:") == NULL)
        {
            rows_add_one(preset->name, test_preset, preset);
        }
    }
}


int
main(void)
{
    add_presets();
    rows_add(settings, test_setting);
    rows_add(readies, test_ready);
    rows_add(key_rows, test_key);
    rows_add(askeds, test_asked);
    rows_add_one("names", test_names, NULL);
    rows_add_one("the second field", test_second_field, NULL);

    return rows_run("scheme");
}
