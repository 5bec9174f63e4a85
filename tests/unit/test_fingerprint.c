#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "core/fingerprint.h"


static const struct {
    const char  *text, *print;
} cases[] = {
    { "", "" },
    { "boom", "boom" },
    { "131056 (#131056) Pair rate limit hit for 4915123",
      "131056 (#131056) Pair rate limit hit for #" },
    { "connect ECONNREFUSED 10.0.0.7:443",
      "connect ECONNREFUSED #.#.#.#:#" },
    { "timeout after 5003 ms", "timeout after # ms" },
    { "no answer within 5s", "no answer within #" },
    { "HTTP 503 from api-2.example.org", "HTTP 503 from #.example.org" },
    { "status=500 id 7", "status=500 id #" },
    { "Status: 500", "Status: 500" },
    { "error code 17, try 3", "error code 17, try #" },
    { "error 4b2 of job", "error # of job" },
    { "{\"code\":\"42\",\"n\":42}", "{\"code\":\"42\",\"n\":#}" },
    { "job 7c9e6679-7425-40de-944b-e07fc1f90ae7 is gone", "job # is gone" },
    { "  spaces \t and\ttabs ", "spaces and tabs" },
    { "first 1\nsecond", "first #" },
    { "first\r\nsecond", "first" },
    { "decode 5 codec 6", "decode # codec #" },
    { "zwölf 12", "zwölf #" },
    { "5", "5" },
    { "x", "x" },
};


static void
test_cases(void **state)
{
    char    dst[SLUICE_FINGERPRINT_MAX];
    char   *text;
    size_t  i, len;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        len = strlen(cases[i].text);
        text = malloc(len + 1);
        assert_non_null(text);
        memcpy(text, cases[i].text, len);

        /* of the text alone: its end is not marked */

        text = realloc(text, len ? len : 1);
        assert_int_equal(sluice_fingerprint(dst, text, len),
                         strlen(cases[i].print));
        assert_string_equal(dst, cases[i].print);
        free(text);
    }
}


/* long texts are cut, between characters */

static void
test_long(void **state)
{
    char    dst[SLUICE_FINGERPRINT_MAX], text[1024];
    size_t  i, n;

    memset(text, 'x', sizeof(text));
    assert_int_equal(sluice_fingerprint(dst, text, sizeof(text)), 0);

    for (i = 0; i < sizeof(text); i++) {
        text[i] = (i % 2) ? ' ' : 'x';
    }

    assert_int_equal(sluice_fingerprint(dst, text, sizeof(text)),
                     SLUICE_FINGERPRINT_MAX - 1);

    for (n = 0; n < 4; n++) {
        memset(text, '.', n);

        for (i = n; i + 3 <= sizeof(text); i += 3) {
            memcpy(text + i, "\xe2\x82\xac", 3);
        }

        assert_int_equal((sluice_fingerprint(dst, text, i) - n) % 3, 0);
    }

    /* bytes that are no text */

    memset(text, 0x80, sizeof(text));
    assert_true(sluice_fingerprint(dst, text, sizeof(text))
                < SLUICE_FINGERPRINT_MAX);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_long),
    };

    return cmocka_run_group_tests_name("fingerprint", tests, NULL, NULL);
}
