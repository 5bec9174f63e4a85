#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "core/tenant.h"


#define KEY1  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY2  "ZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmY="

/* SHA-256 of "test" */
#define DIGEST  "9F86D081884c7d659a2feaa0c55ad015"                            \
                "a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define NOTHING "e3b0c44298fc1c149afbf4c8996fb924"                            \
                "27ae41e4649b934ca495991b7852b855"


static sluice_tenant_t        tenant;
static sluice_tenant_error_t  error;


static int
parse(const char *id, const char *json, const sluice_tenant_keys_t *keys)
{
    int      rc;
    char    *copy;
    size_t   len;

    /* no byte behind the text may be read */

    len = strlen(json);
    copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, json, len);
    rc = sluice_tenant_parse(&tenant, id, strlen(id), copy, len, keys, &error);
    free(copy);

    return rc;
}


static void
is_text(const sluice_text_t *text, const char *expected)
{
    assert_int_equal(text->len, strlen(expected));
    assert_memory_equal(text->data, expected, text->len);
}


static sluice_tenant_keys_t
keys_of(const char *text)
{
    size_t                line;
    sluice_tenant_keys_t  keys;

    assert_null(sluice_tenant_keys(&keys, text, strlen(text), &line));

    return keys;
}


static void
test_whole(void **state)
{
    uint8_t  digest[SLUICE_TENANT_DIGEST];

    assert_true(parse("acme",
        "{\"id\":\"acme\",\"enabled\":true,\"note\":{\"any\":[1]},"
        "\"secrets\":[{\"scheme\":\"meta\",\"value\":\"a\\u0062c\"},"
        "{\"value\":\"t\",\"scheme\":\"verify_token\"}],"
        "\"api_keys\":[\"" DIGEST "\"],\"paths\":[\"/hooks/acme\",\"/x\"],"
        "\"numbers\":[\"498877665544332\"],\"rate\":\"50r/s\",\"burst\":100,"
        "\"queue\":\"in\",\"class\":\"low\",\"created\":1,"
        "\"updated\":1795000000000}", NULL));

    is_text(&tenant.id, "acme");
    assert_true(tenant.enabled);
    assert_int_equal(tenant.nsecrets, 2);
    is_text(&tenant.secrets[0].scheme, "meta");
    is_text(&tenant.secrets[0].value, "abc");
    is_text(&tenant.secrets[1].scheme, "verify_token");
    is_text(&tenant.secrets[1].value, "t");
    assert_int_equal(tenant.napi_keys, 1);
    assert_true(sluice_tenant_digest(digest, "test", 4));
    assert_memory_equal(tenant.api_keys[0], digest, SLUICE_TENANT_DIGEST);
    assert_int_equal(tenant.npaths, 2);
    is_text(&tenant.paths[0], "/hooks/acme");
    is_text(&tenant.paths[1], "/x");
    assert_int_equal(tenant.nnumbers, 1);
    is_text(&tenant.numbers[0], "498877665544332");
    is_text(&tenant.rate, "50r/s");
    is_text(&tenant.burst, "100");
    is_text(&tenant.queue, "in");
    is_text(&tenant.class, "low");

    sluice_tenant_cleanse(&tenant);
    assert_int_equal(tenant.nsecrets, 0);
    assert_int_equal(tenant.text[4], 0);
}


static void
test_least(void **state)
{
    assert_true(parse("a", " { } ", NULL));
    assert_true(tenant.enabled);
    assert_int_equal(tenant.nsecrets + tenant.napi_keys + tenant.npaths
                     + tenant.nnumbers, 0);
    assert_int_equal(tenant.rate.len + tenant.burst.len + tenant.class.len, 0);
    is_text(&tenant.queue, SLUICE_TENANT_QUEUE);

    assert_true(parse("a", "{\"enabled\":false,\"burst\":0}", NULL));
    assert_false(tenant.enabled);
    is_text(&tenant.burst, "0");
}


/* each is refused, and the pointer says where */

static void
test_wrong(void **state)
{
    size_t  i;

    static const struct {
        const char  *json;
        const char  *pointer;
        const char  *what;
    } cases[] = {
        { "", "", "empty" },
        { "{", "", "malformed" },
        { "[]", "", "not an object" },
        { "\"a\"", "", "not an object" },
        { "{\"id\":\"b\"}", "/id", "not the name" },
        { "{\"id\":1}", "/id", "not a string" },
        { "{\"rate\":\"1r/s\",\"rate\":\"1r/s\"}", "", "duplicate" },
        { "{\"enabled\":1}", "/enabled", "neither" },
        { "{\"enabled\":null}", "/enabled", "neither" },
        { "{\"secrets\":{}}", "/secrets", "not an array" },
        { "{\"secrets\":[1]}", "/secrets/0", "not an object" },
        { "{\"secrets\":[{}]}", "/secrets/0/scheme", "name of a scheme" },
        { "{\"secrets\":[{\"scheme\":\"meta\"}]}", "/secrets/0", "one of" },
        { "{\"secrets\":[{\"scheme\":\"meta\",\"value\":\"a\"},"
          "{\"scheme\":\"meta\",\"value\":\"a\",\"sealed\":\"b\"}]}",
          "/secrets/1", "one of" },
        { "{\"secrets\":[{\"scheme\":\"meta\",\"value\":\"\"}]}",
          "/secrets/0/value", "1 to 4096" },
        { "{\"secrets\":[{\"scheme\":\"meta\",\"value\":7}]}",
          "/secrets/0/value", "not a string" },
        { "{\"secrets\":[{\"scheme\":\"meta\",\"value\":\"a\","
          "\"value\":\"b\"}]}", "/secrets/0", "twice" },
        { "{\"secrets\":[{\"scheme\":\"a b\",\"value\":\"a\"}]}",
          "/secrets/0/scheme", "name of a scheme" },
        { "{\"secrets\":[{\"scheme\":\"meta\",\"sealed\":\"AAAA\"}]}",
          "/secrets/0/sealed", "no sealed secret" },
        { "{\"secrets\":[{\"scheme\":\"meta\",\"sealed\":"
          "\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}",
          "/secrets/0/sealed", "not in the key file" },
        { "{\"secrets\":[{\"scheme\":\"meta\",\"sealed\":"
          "\"AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}",
          "/secrets/0/sealed", "not known here" },
        { "{\"secrets\":[{\"scheme\":\"meta\",\"sealed\":"
          "\"AQAAAAAAAAAAAAAAAAAA*AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}",
          "/secrets/0/sealed", "not base64" },
        { "{\"secrets\":[1,2,3,4,5,6,7,8,9]}", "/secrets", "too many" },
        { "{\"api_keys\":[\"ab\"]}", "/api_keys/0", "64 hex" },
        { "{\"api_keys\":[\"" DIGEST "\",\"" DIGEST "0\"]}", "/api_keys/1",
          "64 hex" },
        { "{\"api_keys\":[7]}", "/api_keys/0", "64 hex" },
        { "{\"api_keys\":[\"" DIGEST "\",\"" NOTHING "\"]}", "/api_keys/1",
          "empty key" },
        { "{\"paths\":\"/x\"}", "/paths", "not an array" },
        { "{\"paths\":[\"x\"]}", "/paths/0", "slash" },
        { "{\"paths\":[\"/x\",\"\"]}", "/paths/1", "empty" },
        { "{\"paths\":[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7]}", "/paths",
          "too many" },
        { "{\"numbers\":[498877665544332]}", "/numbers/0", "not a string" },
        { "{\"numbers\":[\"01234567890123456789012345678901234567890123456789"
          "012345678901234\"]}", "/numbers/0", "too long" },
        { "{\"rate\":50}", "/rate", "not a string" },
        { "{\"rate\":\"50\"}", "/rate", "not a rate" },
        { "{\"rate\":\"\"}", "/rate", "not a rate" },
        { "{\"burst\":-1}", "/burst", "whole number" },
        { "{\"burst\":1.5}", "/burst", "whole number" },
        { "{\"burst\":1e3}", "/burst", "whole number" },
        { "{\"burst\":\"1\"}", "/burst", "whole number" },
        { "{\"burst\":1234567890}", "/burst", "too large" },
        { "{\"updated\":\"now\"}", "/updated", "whole number" },
        { "{\"queue\":\"a b\"}", "/queue", "A-Z" },
        { "{\"queue\":\"\"}", "/queue", "A-Z" },
        { "{\"class\":\"urgent\"}", "/class", "high, medium" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (parse("a", cases[i].json, NULL)) {
            fail_msg("taken: %s", cases[i].json);
        }

        if (strstr(error.what, cases[i].what) == NULL
            || strcmp(error.pointer, cases[i].pointer) != 0)
        {
            fail_msg("%s: \"%s\" at \"%s\"", cases[i].json, error.what,
                     error.pointer);
        }
    }

    assert_false(parse("a b", "{}", NULL));
    assert_string_equal(error.pointer, "/id");
    assert_false(parse("", "{}", NULL));
}


static void
test_long(void **state)
{
    char  json[SLUICE_TENANT_JSON + 16];

    /* as many bytes as there may be, all of them kept */

    memset(json, ' ', sizeof(json));
    json[0] = '{';
    json[SLUICE_TENANT_JSON - 65] = '}';
    json[SLUICE_TENANT_JSON - 64] = '\0';
    assert_true(parse("a", json, NULL));

    json[SLUICE_TENANT_JSON - 65] = ' ';
    json[SLUICE_TENANT_JSON - 64] = '}';
    json[SLUICE_TENANT_JSON - 63] = '\0';
    assert_false(parse("a", json, NULL));
    assert_string_equal(error.what, "is too long");
}


static void
test_keys(void **state)
{
    size_t                i, line;
    const char           *what;
    sluice_tenant_keys_t  keys;

    static const struct {
        const char  *text;
        size_t       n;
        size_t       line;     /* of an error */
        const char  *what;
    } cases[] = {
        { KEY1, 1, 0, NULL },
        { KEY1 "\n", 1, 0, NULL },
        { "# sealing\r\n" KEY1 " \r\n\n# old\n" KEY2 "\n", 2, 0, NULL },
        { "", 0, 0, "no key" },
        { "\n#\n\n", 0, 0, "no key" },
        { KEY1 "\n" KEY1, 0, 2, "twice" },
        { "\nabc\n", 0, 2, "64 hex" },
        { KEY1 "0\n", 0, 1, "64 hex" },
        { "!" KEY2, 0, 1, "64 hex" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        what = sluice_tenant_keys(&keys, cases[i].text,
                                  strlen(cases[i].text), &line);
        assert_int_equal(keys.n, cases[i].n);
        assert_int_equal(line, cases[i].line);

        if (cases[i].what == NULL) {
            assert_null(what);

        } else {
            assert_non_null(what);
            assert_non_null(strstr(what, cases[i].what));
        }
    }

    keys = keys_of(KEY1);
    assert_int_equal(keys.key[0].key[31], 0x1f);
    keys = keys_of(KEY2);
    assert_int_equal(keys.key[0].key[0], 0x66);
}


static void
test_seal(void **state)
{
    char                   entry[1024];
    char                   box[SLUICE_TENANT_SEALED(SLUICE_TENANT_SECRET)];
    char                   old[SLUICE_TENANT_SEALED(6)];
    char                   secret[SLUICE_TENANT_SECRET + 1];
    size_t                 i, n, len;
    uint8_t                opened[sizeof(box)];
    uint8_t                nonce[SLUICE_TENANT_NONCE] = { 1, 2, 3 };
    const char            *what;
    sluice_tenant_keys_t   both, first, second;

    first = keys_of(KEY1);
    second = keys_of(KEY2);
    both = keys_of(KEY2 "\n" KEY1);

    memset(secret, 's', sizeof(secret));

    for (i = 1; i <= SLUICE_TENANT_SECRET; i += (i < 40) ? 1 : 676) {
        n = sluice_tenant_seal(box, &first, "acme", 4, secret, i, nonce);
        assert_int_equal(n, SLUICE_TENANT_SEALED(i) - 1);
        assert_int_equal(box[n], '\0');

        assert_null(sluice_tenant_open(opened, &len, &first, "acme", 4, box,
                                       n));
        assert_int_equal(len, i);
        assert_memory_equal(opened, secret, i);
    }

    assert_int_equal(sluice_tenant_seal(box, &first, "a", 1, secret, 0, nonce),
                     0);
    assert_int_equal(sluice_tenant_seal(box, &first, "a", 1, secret,
                                        SLUICE_TENANT_SECRET + 1, nonce), 0);

    /* rotation: the old key still opens, the new one seals */

    n = sluice_tenant_seal(old, &first, "acme", 4, "secret", 6, nonce);
    assert_null(sluice_tenant_open(opened, &len, &both, "acme", 4, old, n));
    what = sluice_tenant_open(opened, &len, &second, "acme", 4, old, n);
    assert_string_equal(what,
                        "is sealed under a key that is not in the key file");
    n = sluice_tenant_seal(box, &both, "acme", 4, "secret", 6, nonce);
    assert_null(sluice_tenant_open(opened, &len, &second, "acme", 4, box, n));

    /* another tenant's */

    memset(opened, 'x', sizeof(opened));
    what = sluice_tenant_open(opened, &len, &first, "acmf", 4, old,
                              strlen(old));
    assert_string_equal(what, "does not open: damaged, or of another tenant");
    assert_int_equal(opened[0], 0);

    /* any one bit of it */

    for (i = 0; i < strlen(old); i++) {
        char  c = old[i];

        old[i] = (c == 'A') ? 'B' : 'A';
        assert_non_null(sluice_tenant_open(opened, &len, &first, "acme", 4,
                                           old, strlen(old)));
        old[i] = c;
    }

    /* in an entry */

    snprintf(entry, sizeof(entry),
             "{\"secrets\":[{\"scheme\":\"meta\",\"sealed\":\"%s\"},"
             "{\"scheme\":\"meta\",\"value\":\"other\"}]}", old);
    assert_true(parse("acme", entry, &first));
    assert_int_equal(tenant.nsecrets, 2);
    is_text(&tenant.secrets[0].value, "secret");
    is_text(&tenant.secrets[1].value, "other");

    assert_false(parse("globex", entry, &first));
    assert_string_equal(error.pointer, "/secrets/0/sealed");
    assert_false(parse("acme", entry, NULL));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_least),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_seal)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
