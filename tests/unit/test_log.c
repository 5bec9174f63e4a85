/*
 * A line of the log: escaped, bounded, one write.
 */

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "rows.h"
#include "worker/worker.h"


static char  path[] = "/tmp/sluice-log-XXXXXX";


/* what was written since the last call, behind the time */

static const char *
written(bool json)
{
    int           fd;
    ssize_t       n;
    static char   text[65536];
    const char   *rest;

    fd = open(path, O_RDONLY);
    assert_true(fd >= 0);

    n = read(fd, text, sizeof(text) - 1);
    assert_true(n >= 0);
    text[n] = '\0';

    close(fd);
    assert_int_equal(truncate(path, 0), 0);

    if (n == 0) {
        return "";
    }

    /* {"time":"2026-11-20T10:00:00.000Z",...  time=2026-11-20T10:00:00.000Z */

    assert_memory_equal(text, json ? "{\"time\":\"20" : "time=20",
                        json ? 11 : 7);
    rest = strchr(text, json ? ',' : ' ');
    assert_non_null(rest);
    assert_int_equal(rest[-(json ? 2 : 1)], 'Z');

    return rest + 1;
}


typedef struct {
    const char  *name;
    const char  *value;
    const char  *logfmt;
    const char  *json;
} value_row_t;

static const value_row_t  value_rows[] = {
    { "a word", "abc", "abc", "\"abc\"" },
    { "an empty value", "", "\"\"", "\"\"" },
    { "a space", "a b", "\"a b\"", "\"a b\"" },
    { "an equals sign", "a=b", "\"a=b\"", "\"a=b\"" },
    { "a quote", "a\"b", "\"a\\\"b\"", "\"a\\\"b\"" },
    { "a line end cannot forge a line", "a\nlevel=error",
      "\"a\\nlevel=error\"", "\"a\\nlevel=error\"" },
    { "an escape sequence", "\x1b[31m", "\"\\u001b[31m\"",
      "\"\\u001b[31m\"" },
    { "no UTF-8", "a\xff", "\"a\xef\xbf\xbd\"", "\"a\xef\xbf\xbd\"" },
    { "digits as text stay text", "12", "12", "\"12\"" },
    { "a conversion is no format", "%s%n", "%s%n", "\"%s%n\"" },
};


static void
test_value(void **state)
{
    char                expected[512];
    const value_row_t  *row = row_of(value_row_t, state);

    log_init(path, LOG_INFO_, false);
    log_event(LOG_WARN_, "test", "key", "%s", row->value, NULL);
    snprintf(expected, sizeof(expected), "level=warn event=test key=%s\n",
             row->logfmt);
    assert_string_equal(written(false), expected);

    log_init(path, LOG_INFO_, true);
    log_event(LOG_WARN_, "test", "key", "%s", row->value, NULL);
    snprintf(expected, sizeof(expected),
             "\"level\":\"warn\",\"event\":\"test\",\"key\":%s}\n", row->json);
    assert_string_equal(written(true), expected);
}


static void
test_formats(void **state)
{
    log_init(path, LOG_INFO_, true);
    log_event(LOG_INFO_, "f", "d", "%d", -1, "u", "%u", 2u, "zu", "%zu",
              (size_t) 3, "lld", "%lld", 4ll, "ld", "%ld", 5l, "f", "%.3f", 0.5,
              "part", "%.*s", 2, "abc", "mixed", "%d of %d", 1, 2,
              "percent", "%d%%", 9, "null", "%s", NULL, NULL);
    assert_string_equal(written(true),
        "\"level\":\"info\",\"event\":\"f\",\"d\":-1,\"u\":2,\"zu\":3,"
        "\"lld\":4,\"ld\":5,\"f\":0.500,\"part\":\"ab\",\"mixed\":\"1 of 2\","
        "\"percent\":\"9%\",\"null\":\"\"}\n");
}


static void
test_level(void **state)
{
    log_init(path, LOG_WARN_, false);
    log_event(LOG_INFO_, "no", NULL);
    assert_string_equal(written(false), "");
    log_event(LOG_ERROR_, "yes", NULL);
    assert_string_equal(written(false), "level=error event=yes\n");
}


static void
test_long(void **state)
{
    size_t       i, n;
    char         text[20000];
    json_t      *root;
    const char  *line;

    /* of three bytes each, so that no cut falls between two by chance */

    for (i = 0; i + 3 < sizeof(text); i += 3) {
        memcpy(text + i, "\xe2\x82\xac", 3);
    }

    text[i] = '\0';

    log_init(path, LOG_INFO_, true);
    log_event(LOG_INFO_, "long", "a", "%s", text, "b", "%s", "end", NULL);

    line = written(true);
    n = strlen(line);
    assert_true(n > 1000 && n < 2000);
    assert_memory_equal(line + n - 12, ",\"b\":\"end\"}\n", 12);
    assert_null(strstr(line, "\xef\xbf\xbd"));

    /* so much that it does not fit: it is still JSON */

    memset(text, 1, sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_event(LOG_INFO_, "long", "a", "%s", text, "b", "%s", text, "c", "%s",
              "end", NULL);

    line = written(true);
    assert_true(strlen(line) < 8192);

    root = json_loads(line - strlen("{\"time\":\"2026-11-20T10:00:00.000Z\","),
                      0, NULL);
    assert_non_null(root);
    json_decref(root);
}


static void
test_reopen(void **state)
{
    char  moved[64];

    snprintf(moved, sizeof(moved), "%s.1", path);

    log_init(path, LOG_INFO_, false);
    assert_int_equal(rename(path, moved), 0);
    log_event(LOG_INFO_, "old", NULL);
    log_reopen();
    log_event(LOG_INFO_, "new", NULL);

    assert_string_equal(written(false), "level=info event=new\n");

    /* a file that cannot be opened: the one that is open stays */

    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    log_reopen();
    assert_int_equal(rmdir(path), 0);

    assert_int_equal(rename(moved, path), 0);
    assert_string_equal(written(false), "level=info event=old\n");
}


int
main(void)
{
    int  rc, fd;

    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_level),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_reopen),
    };

    size_t  i;

    fd = mkstemp(path);

    if (fd < 0) {
        perror(path);
        return 1;
    }

    close(fd);

    rows_add(value_rows, test_value);

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        rows_tests[rows_count++] = tests[i];
    }

    rc = rows_run("log");

    log_init(NULL, LOG_INFO_, false);
    unlink(path);

    return rc;
}
