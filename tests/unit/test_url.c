#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>
#include "core/url.h"


static const char *
parse(sluice_url_t *url, const char *text)
{
    char        *copy;
    size_t       len;
    const char  *error;

    /* no byte behind the text may be read */

    len = strlen(text);
    copy = malloc(len + 1);
    assert_non_null(copy);
    copy += 1;
    memcpy(copy, text, len);
    error = sluice_url_parse(url, copy, len);
    free(copy - 1);

    return error;
}


static void
test_good(void **state)
{
    size_t        i;
    sluice_url_t  url;

    static const struct {
        const char  *text;
        const char  *path;
        const char  *host;
        int          port;
        const char  *user;
        const char  *password;
        int          db;
    } cases[] = {
        { "redis://localhost", "", "localhost", 6379, "", "", 0 },
        { "REDIS://h/", "", "h", 6379, "", "", 0 },
        { "redis://10.0.0.1:7000/15", "", "10.0.0.1", 7000, "", "", 15 },
        { "redis://my_redis-1.internal.:1/0", "", "my_redis-1.internal.", 1,
          "", "", 0 },
        { "redis://h:65535/999999999", "", "h", 65535, "", "", 999999999 },
        { "redis://[::1]", "", "::1", 6379, "", "", 0 },
        { "redis://[fe80::a:B]:6380/1", "", "fe80::a:B", 6380, "", "", 1 },
        { "redis://[::ffff:10.0.0.1]/2", "", "::ffff:10.0.0.1", 6379, "", "",
          2 },
        { "redis://u@h", "", "h", 6379, "u", "", 0 },
        { "redis://:p@h", "", "h", 6379, "", "p", 0 },
        { "redis://u:p@h:1/2", "", "h", 1, "u", "p", 2 },
        { "redis://u:p:q@h", "", "h", 6379, "u", "p:q", 0 },
        { "redis://@h", "", "h", 6379, "", "", 0 },
        { "redis://%75:%40%2f%3A%25%c3%bC@h", "", "h", 6379, "u",
          "@/:%\xc3\xbc", 0 },
        { "redis://:a+b&c=d!@h", "", "h", 6379, "", "a+b&c=d!", 0 },
        { "rediss://u:p@h:6380/2", "", "h", 6380, "u", "p", 2 },
        { "REDISS://[::1]", "", "::1", 6379, "", "", 0 },
        { "unix:/run/redis.sock", "/run/redis.sock", "", 6379, "", "", 0 },
        { "unix:///run/redis.sock", "/run/redis.sock", "", 6379, "", "", 0 },
        { "unix:/r?db=3", "/r", "", 6379, "", "", 3 },
        { "unix:/r?user=u&password=%26p%3d&db=3", "/r", "", 6379, "u", "&p=",
          3 },
        { "unix:/r?password=", "/r", "", 6379, "", "", 0 },
        { "unix:/a%20b:c", "/a%20b:c", "", 6379, "", "", 0 },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&url, '#', sizeof(url));

        assert_null(parse(&url, cases[i].text));
        assert_string_equal(url.path, cases[i].path);
        assert_string_equal(url.host, cases[i].host);
        assert_int_equal(url.port, cases[i].port);
        assert_string_equal(url.user, cases[i].user);
        assert_string_equal(url.password, cases[i].password);
        assert_int_equal(url.db, cases[i].db);
        assert_int_equal(url.tls, strncasecmp(cases[i].text, "rediss", 6) == 0);
    }
}


static void
test_bad(void **state)
{
    size_t        i;
    const char   *error;
    sluice_url_t  url, zero;

    static const struct {
        const char  *text;
        const char  *error;    /* part of it */
    } cases[] = {
        { "", "must begin with redis://, rediss:// or unix:/" },
        { "localhost:6379", "must begin with" },
        { "redis:/h", "must begin with" },
        { "http://h", "must begin with" },
        { "rediss:", "must begin with" },
        { "rediss:/h", "must begin with" },
        { "rediss://:secret@", "the host is missing" },
        { "rediss:///run/redis.sock", "the host is missing" },
        { "redis+sentinel://a,b/name", "redis+sentinel: is not supported" },
        { "redis+cluster://a,b", "redis+cluster: is not supported" },
        { "redis://", "the host is missing" },
        { "redis:///1", "the host is missing" },
        { "redis://:secret@", "the host is missing" },
        { "redis://:secret@:1", "the host is missing" },
        { "redis://h:", "port" },
        { "redis://h:0", "port" },
        { "redis://h:65536", "port" },
        { "redis://h:6379x", "port" },
        { "redis://h:-1", "port" },
        { "redis://h:4294973675", "port" },
        { "redis://h/x", "the database must be a number" },
        { "redis://h/-1", "the database must be a number" },
        { "redis://h/1/", "the database must be a number" },
        { "redis://h/1?x=1", "the database must be a number" },
        { "redis://h/9999999999", "the database must be a number" },
        { "redis://h?db=1", "only the database may follow" },
        { "redis://h#1", "only the database may follow" },
        { "redis://::1", "must be in brackets" },
        { "redis://a:b:1", "must be in brackets" },
        { "redis://[::1", "not closed" },
        { "redis://[]", "the host is missing" },
        { "redis://[::1]x", "only a port may follow" },
        { "redis://[10.0.0.1]", "not an IPv6 address" },
        { "redis://[::g]", "not an IPv6 address" },
        { "redis://h%41", "a character in the host" },
        { "redis://a,b", "a character in the host" },
        { "redis://h ", "a space or control character" },
        { "redis://:a\nsecret@h", "a space or control character" },
        { "redis://:a/secret@h", "must be written %2F" },
        { "redis://:a?secret@h", "must be written %2F" },
        { "redis://:a#secret@h", "must be written %2F" },
        { "redis://:a@secret@h", "must be written %40" },
        { "redis://:secret%@h", "a % in the password" },
        { "redis://:secret%4@h", "a % in the password" },
        { "redis://:secret%4g@h", "a % in the password" },
        { "redis://:secret%00@h", "a % in the password" },
        { "redis://u%zz:secret@h", "a % in the user" },
        { "unix:", "unix: needs the absolute path" },
        { "unix:/", "unix: needs the absolute path" },
        { "unix:run/redis.sock", "unix: needs the absolute path" },
        { "unix://run/redis.sock", "unix: needs the absolute path" },
        { "unix:?db=1", "unix: needs the absolute path" },
        { "unix:/r?", "unknown parameter" },
        { "unix:/r?db=1&", "unknown parameter" },
        { "unix:/r?port=1", "unknown parameter" },
        { "unix:/r?secret", "unknown parameter" },
        { "unix:/r?db=", "the database must be a number" },
        { "unix:/r?db=1&db=2", "given twice" },
        { "unix:/r?password=secret&password=secret", "given twice" },
        { "unix:/r?password=secret%4", "a % in the password" },
    };

    memset(&zero, 0, sizeof(zero));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        error = parse(&url, cases[i].text);

        assert_non_null(error);
        assert_non_null(strstr(error, cases[i].error));
        assert_null(strstr(error, "secret"));

        /* and nothing of it is left */

        assert_memory_equal(&url, &zero, sizeof(url));
    }

    error = sluice_url_parse(&url, "redis://h\0x", 11);
    assert_non_null(error);
}


static void
test_lengths(void **state)
{
    size_t        i, n;
    char          text[1200], x[1000];
    const char   *error;
    sluice_url_t  url;

    static const struct {
        const char  *format;
        size_t       max;
        const char  *error;
    } cases[] = {
        { "redis://%.*s", 255, "the host is longer than 255 bytes" },
        { "redis://%.*s@h", 127, "the user is longer than 127 bytes" },
        { "redis://:%.*s@h", 511, "the password is longer than 511 bytes" },
        { "unix:/%.*s", 106, "the socket's path is longer than 107 bytes" },
        { "unix:/r?user=%.*s", 127, "the user is longer than 127 bytes" },
        { "unix:/r?password=%.*s", 511,
          "the password is longer than 511 bytes" },
    };

    memset(x, 'x', sizeof(x));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        for (n = cases[i].max; n <= cases[i].max + 1; n++) {
            /* the format is one of the table's */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            snprintf(text, sizeof(text), cases[i].format, (int) n, x);
#pragma GCC diagnostic pop
            error = parse(&url, text);

            if (n == cases[i].max) {
                assert_null(error);
            } else {
                assert_string_equal(error, cases[i].error);
            }
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_lengths),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
