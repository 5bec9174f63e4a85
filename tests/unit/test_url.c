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
        { "rediss+sentinel://a/n", "rediss+sentinel: is not supported" },
        { "REDISS+cluster://a", "rediss+cluster: is not supported" },
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


/* no byte behind the text may be read */

static const char *
parse_nodes(sluice_url_nodes_t *nodes, const char *text)
{
    char        *copy;
    size_t       len;
    const char  *error;

    len = strlen(text);
    copy = malloc(len + 1);
    assert_non_null(copy);
    memcpy(copy + 1, text, len);
    memset(nodes, '#', sizeof(*nodes));
    error = sluice_url_parse_nodes(nodes, copy + 1, len);
    free(copy);

    return error;
}


static void
test_nodes(void **state)
{
    size_t               i, n;
    char                 hosts[512];
    sluice_url_nodes_t   nodes;

    static const struct {
        const char         *text;
        sluice_url_kind_e   kind;
        const char         *hosts;
        const char         *name;
        const char         *user;
        const char         *password;
        int                 db;
        int                 tls;
        const char         *sentinel_user;
        const char         *sentinel_password;
    } cases[] = {
        { "redis+sentinel://a/name", SLUICE_URL_SENTINEL, "a 26379 ", "name",
          "", "", 0, 0, "", "" },
        { "redis+sentinel://u:p%40@a:1,[::1]:2,c/my-m.1/3", SLUICE_URL_SENTINEL,
          "a 1 ::1 2 c 26379 ", "my-m.1", "u", "p@", 3, 0, "", "" },
        { "Rediss+Sentinel://a/n/?sentinel_password=q%26&sentinel_user=w",
          SLUICE_URL_SENTINEL, "a 26379 ", "n", "", "", 0, 1, "w", "q&" },
        { "redis+sentinel://:p@a/n?sentinel_password=", SLUICE_URL_SENTINEL,
          "a 26379 ", "n", "", "p", 0, 0, "", "" },
        { "redis+cluster://a", SLUICE_URL_CLUSTER, "a 6379 ", "", "", "", 0, 0,
          "", "" },
        { "rediss+cluster://u:p@a,b:7,[fe80::1]/0", SLUICE_URL_CLUSTER,
          "a 6379 b 7 fe80::1 6379 ", "", "u", "p", 0, 1, "", "" },
        { "redis+cluster://a:1,a:2/", SLUICE_URL_CLUSTER, "a 1 a 2 ", "", "",
          "", 0, 0, "", "" },
        { "rediss://u:p@h:1/2", SLUICE_URL_ONE, "", "", "u", "p", 2, 1, "",
          "" },
        { "unix:/run/redis.sock", SLUICE_URL_ONE, "", "", "", "", 0, 0, "",
          "" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_null(parse_nodes(&nodes, cases[i].text));

        for (hosts[0] = '\0', n = 0; n < nodes.nnodes; n++) {
            sprintf(hosts + strlen(hosts), "%s %d ", nodes.nodes[n].host,
                    nodes.nodes[n].port);
        }

        assert_int_equal(nodes.kind, cases[i].kind);
        assert_string_equal(hosts, cases[i].hosts);
        assert_string_equal(nodes.name, cases[i].name);
        assert_string_equal(nodes.url.user, cases[i].user);
        assert_string_equal(nodes.url.password, cases[i].password);
        assert_int_equal(nodes.url.db, cases[i].db);
        assert_int_equal(nodes.url.tls, cases[i].tls);
        assert_string_equal(nodes.sentinel.user, cases[i].sentinel_user);
        assert_string_equal(nodes.sentinel.password,
                            cases[i].sentinel_password);
        assert_int_equal(nodes.sentinel.db, 0);
    }
}


static void
test_bad_nodes(void **state)
{
    size_t               i;
    const char          *error;
    sluice_url_nodes_t   nodes, zero;

    static const struct {
        const char  *text;
        const char  *error;    /* part of it */
    } cases[] = {
        { "", "must begin with" },
        { "redis+sentinel:a/n", "redis+sentinel: is not supported" },
        { "redis://a,b", "a character in the host" },
        { "redis+sentinel://", "the host is missing" },
        { "redis+sentinel:///n", "the host is missing" },
        { "redis+sentinel://a,/n", "the host is missing" },
        { "redis+sentinel://,a/n", "the host is missing" },
        { "redis+sentinel://a,,b/n", "the host is missing" },
        { "redis+sentinel://a,A:26379/n", "a host is given twice" },
        { "redis+sentinel://a:0/n", "the port must be" },
        { "redis+sentinel://a", "needs the name" },
        { "redis+sentinel://a/", "needs the name" },
        { "redis+sentinel://a//1", "needs the name" },
        { "redis+sentinel://a?sentinel_user=u", "needs the name" },
        { "redis+sentinel://a/n%41", "a character in the name" },
        { "redis+sentinel://a/n/x", "the database must be a number" },
        { "redis+sentinel://a/n/1/2", "the database must be a number" },
        { "redis+sentinel://a/n?", "unknown parameter" },
        { "redis+sentinel://a/n/1?", "unknown parameter" },
        { "redis+sentinel://a/n?secret=1", "unknown parameter" },
        { "redis+sentinel://a/n?sentinel_user=u&", "unknown parameter" },
        { "redis+sentinel://a/n?sentinel_user=u&sentinel_user=u", "twice" },
        { "redis+sentinel://a/n?sentinel_password=secret%0", "a % in the" },
        { "redis+sentinel://a/n#x", "a # in a name" },
        { "redis+sentinel://a/n?sentinel_password=a@b", "%2F, %3F or %23" },
        { "redis+sentinel://:se cret@a/n", "a space or control" },
        { "redis+sentinel://:secret@b@a/n", "must be written %40" },
        { "redis+cluster://", "the host is missing" },
        { "redis+cluster://:secret@", "the host is missing" },
        { "redis+cluster://a,::1", "must be in brackets" },
        { "redis+cluster://a/1", "a cluster has no databases" },
        { "redis+cluster://a/00", "a cluster has no databases" },
        { "redis+cluster://a?x", "a cluster has no databases" },
        { "redis+cluster://a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q",
          "more than 16 hosts" },
    };

    memset(&zero, 0, sizeof(zero));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        error = parse_nodes(&nodes, cases[i].text);

        assert_non_null(error);
        assert_non_null(strstr(error, cases[i].error));
        assert_null(strstr(error, "secret"));
        assert_memory_equal(&nodes, &zero, sizeof(nodes));
    }

    assert_null(parse_nodes(&nodes,
                        "redis+cluster://a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p"));
    assert_int_equal(nodes.nnodes, SLUICE_URL_NODES);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_bad_nodes),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
