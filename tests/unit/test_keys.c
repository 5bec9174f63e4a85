#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "core/keys.h"


static void
test_names(void **state)
{
    int   i;
    char  c, name[66];

    assert_true(sluice_keys_name_ok("a", 1));
    assert_true(sluice_keys_name_ok("AZaz09_.-", 9));
    assert_false(sluice_keys_name_ok("", 0));
    assert_false(sluice_keys_name_ok(NULL, 0));

    for (i = 0; i < 256; i++) {
        c = (char) i;
        assert_int_equal(sluice_keys_name_ok(&c, 1),
                         c != '\0'
                         && strchr("abcdefghijklmnopqrstuvwxyz"
                                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789_.-", c) != NULL);
    }

    memset(name, 'x', sizeof(name));
    assert_true(sluice_keys_name_ok(name, 64));
    assert_false(sluice_keys_name_ok(name, 65));

    name[63] = ':';
    assert_false(sluice_keys_name_ok(name, 64));
}


static void
test_writers(void **state)
{
    char    dst[SLUICE_KEYS_MAX];
    size_t  n;

    assert_int_equal(sluice_keys_tenant_prefix(dst, sizeof(dst), "acme", 4),
                     6);
    assert_string_equal(dst, "{acme}");

    assert_int_equal(sluice_keys_base(dst, sizeof(dst), "{acme}", 6,
                                      "messages", 8), 16);
    assert_string_equal(dst, "{acme}:messages:");

    assert_int_equal(sluice_keys_records(dst, sizeof(dst), "bull", 4), 20);
    assert_string_equal(dst, "bull::sluice:records");

    assert_int_equal(sluice_keys_claim(dst, sizeof(dst), "bull", 4, "m-1", 3),
                     22);
    assert_string_equal(dst, "bull::sluice:claim:m-1");

    assert_int_equal(sluice_keys_edge(dst, sizeof(dst), "{a:b}:events:", 13,
                                      "0f", 2), 21);
    assert_string_equal(dst, "{a:b}::sluice:edge:0f");

    assert_int_equal(sluice_keys_spool(dst, sizeof(dst), "bull:q:", 7, "0f",
                                       2), 21);
    assert_string_equal(dst, "bull::sluice:spool:0f");
    assert_int_equal(sluice_keys_spool(dst, 21, "bull:q:", 7, "0f", 2), 0);

    assert_int_equal(sluice_keys_claim(dst, sizeof(dst), "bull", 4, NULL, 0),
                     19);
    assert_string_equal(dst, "bull::sluice:claim:");

    assert_int_equal(sluice_keys_pace(dst, sizeof(dst), "{a}", 3, "106", 3),
                     20);
    assert_string_equal(dst, "{a}::sluice:pace:106");

    /* not a byte past the room, and the NUL needs one */

    for (n = 0; n <= 8; n++) {
        memset(dst, '#', sizeof(dst));
        assert_int_equal(sluice_keys_base(dst, n, "bull", 4, "q", 1),
                         n >= 8 ? 7 : 0);
        assert_int_equal(dst[n], '#');
    }
}


static void
test_job_id(void **state)
{
    char    dst[SLUICE_KEYS_ID_MAX];
    size_t  i;

    static const struct {
        const char  *source;
        size_t       len;
        const char  *id;
    } cases[] = {
        { "wamid.HBgL", 10, "e-wamid.HBgL" },
        { "42", 2, "e-42" },
        { "0123456789012345678901234567890123456789012345678901234567890123",
          64, "e-0123456789012345678901234567890123456789012345678901234567890"
              "123" },

        /* printf %s abc= | sha256sum | cut -c 1-40 */
        { "abc=", 4, "e-894b2bd86b2154d5f8b98042c6d06982e260c762" },

        /* what looks like a digest is digested, too */
        { "894b2bd86b2154d5f8b98042c6d06982e260c762", 40,
          "e-197d75ea42039c864bf84f504733e919e565f45e" },
        { "894b2bd86b2154d5f8b98042c6d06982e260c76", 39,
          "e-894b2bd86b2154d5f8b98042c6d06982e260c76" },
        { "894B2bd86b2154d5f8b98042c6d06982e260c762", 40,
          "e-894B2bd86b2154d5f8b98042c6d06982e260c762" },
        { "", 0, "e-e3b0c44298fc1c149afbf4c8996fb92427ae41e4" },
        { "a\0b", 3, "e-" },
        { "01234567890123456789012345678901234567890123456789012345678901234",
          65, "e-" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t  n, len;

        memset(dst, '#', sizeof(dst));
        len = strlen(cases[i].id);
        n = sluice_keys_job_id(dst, 'e', cases[i].source, cases[i].len);

        assert_int_equal(n, len == 2 ? 42 : len);
        assert_int_equal(strlen(dst), n);
        assert_int_equal(strncmp(dst, cases[i].id, len), 0);
        assert_true(sluice_keys_name_ok(dst + 2, n - 2));
    }

    sluice_keys_job_id(dst, 'm', "7", 1);
    assert_string_equal(dst, "m-7");
}


static void
test_new_id(void **state)
{
    char  a[SLUICE_KEYS_ID_MAX], b[SLUICE_KEYS_ID_MAX];

    assert_int_equal(sluice_keys_new_id(a, 'e', 1790000000000,
                                        0xffff0123456789ab, 0xdeadbeef), 34);
    assert_string_equal(a, "e-01a0c4506c000123456789abdeadbeef");

    /* in the order of time, then of the counter */

    sluice_keys_new_id(a, 'm', 1790000000000, 9, 7);
    sluice_keys_new_id(b, 'm', 1790000000000, 9, 8);
    assert_true(strcmp(a, b) < 0);
    sluice_keys_new_id(b, 'm', 1790000000001, 1, 0);
    assert_true(strcmp(a, b) < 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_writers),
        cmocka_unit_test(test_job_id),
        cmocka_unit_test(test_new_id),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
