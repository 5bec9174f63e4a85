/* The inside of strings. */

#include "core/json.h"
#include "tests/unit/rows.h"


#define T(s)       s, sizeof(s) - 1


typedef struct {
    const char  *name;
    const char  *escaped;
    size_t       escaped_len;
    const char  *plain;
    size_t       plain_len;
} escape_t;

typedef struct {
    const char  *name;
    const char  *text;
    size_t       len;
    int          is_text;
} text_t;


static const escape_t  escapes[] = {
    { "nothing", T(""), T("") },
    { "ASCII", T("abc /~\x7f"), T("abc /~\x7f") },
    { "quotes", T("a\\\"b\\\\"), T("a\"b\\") },
    { "short escapes", T("\\b\\f\\n\\r\\t"), T("\b\f\n\r\t") },
    { "NUL and others", T("\\u0000\\u0001\\u000b\\u001f"),
      T("\0\x01\x0b\x1f") },
    { "UTF-8", T("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
      T("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80") },
    { "more than a step of 16",
      T("0123456789abcdef0123456789\\n0123456789abcdef\\\""),
      T("0123456789abcdef0123456789\n0123456789abcdef\"") },
};


static const escape_t  unescapes[] = {
    { "slash", T("\\/"), T("/") },
    { "one byte", T("\\u0041\\u007f"), T("A\x7f") },
    { "two bytes", T("\\u0080\\u07FF"), T("\xc2\x80\xdf\xbf") },
    { "three bytes", T("\\u0800\\uffff"), T("\xe0\xa0\x80\xef\xbf\xbf") },
    { "four bytes", T("\\ud800\\udc00\\uDBFF\\uDFFF"),
      T("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf") },
    { "lone high", T("a\\ud800b"), T("a\xef\xbf\xbd" "b") },
    { "lone high at the end", T("\\ud800"), T("\xef\xbf\xbd") },
    { "lone low", T("\\udc00b"), T("\xef\xbf\xbd" "b") },
    { "reversed pair", T("\\udc00\\ud800"),
      T("\xef\xbf\xbd\xef\xbf\xbd") },
    { "high, then a pair", T("\\ud83d\\ud83d\\ude00"),
      T("\xef\xbf\xbd\xf0\x9f\x98\x80") },
    { "high, then what is above a low", T("\\ud83d\\ue000"),
      T("\xef\xbf\xbd\xee\x80\x80") },
    { "high, then another escape", T("\\ud83d\\n"), T("\xef\xbf\xbd\n") },
    { "high, then a letter's escape", T("\\ud83d\\u0041"),
      T("\xef\xbf\xbd" "A") },
};


static const escape_t  replaced[] = {
    { "a byte of Latin-1", T("caf\xef\xbf\xbd"), T("caf\xe9") },
    { "each byte of a surrogate",
      T("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"), T("\xed\xa0\x80") },
    { "a cut sequence", T("\xef\xbf\xbd\xef\xbf\xbd"), T("\xe2\x82") },
};


static const text_t  texts[] = {
    { "nothing", T(""), 1 },
    { "ASCII with controls", T("\x01\t\n\x1f\x7f\"\\"), 1 },
    { "UTF-8", T("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), 1 },
    { "NUL", T("\0"), 0 },
    { "NUL after UTF-8", T("\xc3\xa9\0"), 0 },
    { "NUL after 20 bytes", T("01234567890123456789\0"), 0 },
    { "NUL in the first of 40 bytes",
      T("\0" "123456789012345678901234567890123456789"), 0 },
    { "NUL in the middle of 40 bytes",
      T("01234567890123456789\0" "1234567890123456789"), 0 },
    { "Latin-1", T("caf\xe9"), 0 },
    { "Latin-1 after 20 bytes", T("01234567890123456789\xe9"), 0 },
    { "overlong", T("\xc0\xaf"), 0 },
    { "surrogate", T("\xed\xa0\x80"), 0 },
    { "cut", T("\xe2\x82"), 0 },
};


static void
test_unescape(void **state)
{
    size_t                len;
    uint8_t              *data, *plain;
    const escape_t       *row;
    sluice_json_value_t   value;

    row = row_of(escape_t, state);
    data = rows_bytes(row->escaped, row->escaped_len);
    plain = malloc(row->escaped_len);

    memset(&value, 0, sizeof(value));
    value.type = SLUICE_JSON_STRING;
    value.data = data;
    value.len = row->escaped_len;
    value.escaped = 1;

    len = sluice_json_unescape(plain, &value);

    assert_int_equal(len, row->plain_len);
    assert_memory_equal(plain, row->plain, len);

    free(data);
    free(plain);
}


static void
test_escape(void **state)
{
    size_t           len;
    uint8_t         *escaped, *plain;
    const escape_t  *row;

    row = row_of(escape_t, state);
    plain = rows_bytes(row->plain, row->plain_len);

    len = sluice_json_escape(NULL, plain, row->plain_len);
    assert_int_equal(len, row->escaped_len);

    escaped = malloc(len);
    assert_int_equal(sluice_json_escape(escaped, plain, row->plain_len), len);
    assert_memory_equal(escaped, row->escaped, len);

    free(escaped);
    free(plain);
}


static void
test_text(void **state)
{
    uint8_t       *text;
    const text_t  *row;

    row = row_of(text_t, state);
    text = rows_bytes(row->text, row->len);

    assert_int_equal(sluice_json_is_text(text, row->len), row->is_text);

    free(text);
}


static void
test_strerror(void **state)
{
    static const char *const  expected[] = {
        "well-formed JSON", "empty where JSON is expected", "malformed JSON",
        "JSON nested too deep", "duplicate member in JSON"
    };

    size_t  i;

    for (i = 0; i < 5; i++) {
        assert_string_equal(sluice_json_strerror((sluice_json_result_e) i),
                            expected[i]);
    }
}


int
main(void)
{
    rows_add(escapes, test_escape);
    rows_add(replaced, test_escape);
    rows_add(escapes, test_unescape);
    rows_add(unescapes, test_unescape);
    rows_add(texts, test_text);
    rows_add_one("results have a text", test_strerror, NULL);

    return rows_run("json_text");
}
