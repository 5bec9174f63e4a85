/* What pointers find. */

#include "core/json.h"
#include "tests/unit/rows.h"


#define OK         SLUICE_JSON_OK
#define SYNTAX     SLUICE_JSON_SYNTAX
#define DUPLICATE  SLUICE_JSON_DUPLICATE

#define T(s)       s, sizeof(s) - 1


typedef struct {
    const char            *name;
    const char            *pointer;
    const char            *text;
    sluice_json_result_e   result;
    sluice_json_type_e     type;
    const char            *value;      /* raw */
    unsigned               escaped;
} extract_t;

typedef struct {
    const char  *name;
    const char  *pointer;
    size_t       len;
    const char  *error;
} pointer_t;


static const extract_t  extracts[] = {

    /* RFC 6901, section 5 */

    { "the whole", "", " {\"a\": [1] } ", OK, SLUICE_JSON_OBJECT,
      "{\"a\": [1] }", 0 },
    { "member", "/foo", "{\"foo\":[\"bar\",\"baz\"]}", OK, SLUICE_JSON_ARRAY,
      "[\"bar\",\"baz\"]", 0 },
    { "element", "/foo/0", "{\"foo\":[\"bar\",\"baz\"]}", OK,
      SLUICE_JSON_STRING, "bar", 0 },
    { "empty name", "/", "{\"\":0}", OK, SLUICE_JSON_NUMBER, "0", 0 },
    { "~1 is a slash", "/a~1b", "{\"a/b\":1}", OK, SLUICE_JSON_NUMBER, "1",
      0 },
    { "~0 is a tilde", "/m~0n", "{\"m~n\":8}", OK, SLUICE_JSON_NUMBER, "8",
      0 },
    { "~01 is ~1", "/~01", "{\"~1\":5}", OK, SLUICE_JSON_NUMBER, "5", 0 },
    { "~01 is not a slash", "/~01", "{\"/\":5}", OK, SLUICE_JSON_MISSING,
      NULL, 0 },
    { "~1 is not ~1", "/~1", "{\"~1\":5}", OK, SLUICE_JSON_MISSING, NULL,
      0 },
    { "percent sign", "/c%d", "{\"c%d\":2}", OK, SLUICE_JSON_NUMBER, "2", 0 },
    { "quote in a name", "/k\"l", "{\"k\\\"l\":6}", OK, SLUICE_JSON_NUMBER,
      "6", 0 },
    { "space as a name", "/ ", "{\" \":7}", OK, SLUICE_JSON_NUMBER, "7", 0 },
    { "UTF-8 in a name", "/\xc3\xa9", "{\"\xc3\xa9\":1}", OK,
      SLUICE_JSON_NUMBER, "1", 0 },
    { "UTF-8 beside an ASCII name", "/a", "{\"\xc3\xa9\":1,\"a\":2}", OK,
      SLUICE_JSON_NUMBER, "2", 0 },

    /* names with escapes */

    { "\\u0061 is a", "/a", "{\"\\u0061\":1}", OK, SLUICE_JSON_NUMBER, "1",
      0 },
    { "an escape in the middle", "/abcdefgh", "{\"abcd\\u0065fgh\":1}", OK,
      SLUICE_JSON_NUMBER, "1", 0 },
    { "an escaped slash", "/a~1b", "{\"a\\/b\":1}", OK, SLUICE_JSON_NUMBER,
      "1", 0 },
    { "an escaped tilde", "/~0", "{\"\\u007E\":1}", OK, SLUICE_JSON_NUMBER,
      "1", 0 },
    { "two bytes from an escape", "/\xc3\xa9", "{\"\\u00e9\":1}", OK,
      SLUICE_JSON_NUMBER, "1", 0 },
    { "three bytes from an escape", "/\xe2\x82\xac", "{\"\\u20AC\":1}", OK,
      SLUICE_JSON_NUMBER, "1", 0 },
    { "four bytes from a pair", "/\xf0\x9f\x98\x80",
      "{\"\\ud83d\\ude00\":1}", OK, SLUICE_JSON_NUMBER, "1", 0 },
    { "a lone surrogate is no U+FFFD", "/\xef\xbf\xbd", "{\"\\ud83d\":1}",
      OK, SLUICE_JSON_MISSING, NULL, 0 },
    { "a surrogate before a pair", "/\xf0\x9f\x98\x80",
      "{\"\\ud83d\\ud83d\\ude00\":1}", OK, SLUICE_JSON_MISSING, NULL, 0 },
    { "an escaped name that goes on", "/a", "{\"\\u0061b\":1}", OK,
      SLUICE_JSON_MISSING, NULL, 0 },
    { "an escaped name that ends early", "/ab", "{\"\\u0061\":1}", OK,
      SLUICE_JSON_MISSING, NULL, 0 },
    { "NUL is no end of a name", "/a", "{\"a\\u0000\":1}", OK,
      SLUICE_JSON_MISSING, NULL, 0 },
    { "the control escapes", "/\b\f\n\r\t", "{\"\\b\\f\\n\\r\\t\":1}", OK,
      SLUICE_JSON_NUMBER, "1", 0 },
    { "backslashes", "/\\\\", "{\"\\\\\\u005c\":1}", OK, SLUICE_JSON_NUMBER,
      "1", 0 },

    /* names of every length that compares differently */

    { "name of 2", "/id", "{\"ix\":0,\"xd\":0,\"id\":1}", OK,
      SLUICE_JSON_NUMBER, "1", 0 },
    { "name of 3", "/ids", "{\"idx\":0,\"xds\":0,\"ixs\":0,\"ids\":1}", OK,
      SLUICE_JSON_NUMBER, "1", 0 },
    { "name of 5", "/field", "{\"fielx\":0,\"xield\":0,\"field\":1}", OK,
      SLUICE_JSON_NUMBER, "1", 0 },
    { "name of 8", "/messages", "{\"messagex\":0,\"xessages\":0,"
      "\"messages\":1}", OK, SLUICE_JSON_NUMBER, "1", 0 },
    { "name of 15", "/phone_number_id", "{\"phone_number_ix\":0,"
      "\"xhone_number_id\":0,\"phone_nuxber_id\":0,\"phone_number_id\":1}",
      OK, SLUICE_JSON_NUMBER, "1", 0 },
    { "name of 17", "/messaging_product", "{\"messaging_producx\":0,"
      "\"xessaging_product\":0,\"messaginx_product\":0,"
      "\"messaging_product\":1}", OK, SLUICE_JSON_NUMBER, "1", 0 },
    { "name of 40", "/aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd",
      "{\"aaaaaaaaaabbbbbbbbbbccccccccccddddddddde\":0,"
      "\"aaaaaaaaaabbbbbbbbbbcccccxccccdddddddddd\":0,"
      "\"aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd\":1}", OK,
      SLUICE_JSON_NUMBER, "1", 0 },

    /* values */

    { "null", "/a", "{\"a\": null }", OK, SLUICE_JSON_NULL, "null", 0 },
    { "true", "/a", "{\"a\":true}", OK, SLUICE_JSON_TRUE, "true", 0 },
    { "false", "/a", "{\"a\":false}", OK, SLUICE_JSON_FALSE, "false", 0 },
    { "number", "/a", "{\"a\":-1.5e3 ,\"b\":1}", OK, SLUICE_JSON_NUMBER,
      "-1.5e3", 0 },
    { "string", "/a", "{\"a\":\"b c\"}", OK, SLUICE_JSON_STRING, "b c", 0 },
    { "empty string", "/a", "{\"a\":\"\"}", OK, SLUICE_JSON_STRING, "", 0 },
    { "string with an escape", "/a", "{\"a\":\"b\\n\"}", OK,
      SLUICE_JSON_STRING, "b\\n", 1 },
    { "UTF-8 is no escape", "/a", "{\"a\":\"\xc3\xa9\"}", OK,
      SLUICE_JSON_STRING, "\xc3\xa9", 0 },
    { "an escape elsewhere", "/a", "{\"b\":\"\\n\",\"a\":\"x\"}", OK,
      SLUICE_JSON_STRING, "x", 0 },
    { "object with escapes inside", "/a", "{\"a\":{\"b\":\"\\n\"}}", OK,
      SLUICE_JSON_OBJECT, "{\"b\":\"\\n\"}", 0 },
    { "empty object", "/a", "{\"a\":{ }}", OK, SLUICE_JSON_OBJECT, "{ }",
      0 },
    { "empty array", "/a", "{\"a\":[]}", OK, SLUICE_JSON_ARRAY, "[]", 0 },
    { "root string", "", "\"a\\\"\"", OK, SLUICE_JSON_STRING, "a\\\"", 1 },
    { "root number", "", " 12 ", OK, SLUICE_JSON_NUMBER, "12", 0 },
    { "root null", "", "null", OK, SLUICE_JSON_NULL, "null", 0 },

    /* paths */

    { "deep", "/entry/0/changes/1/value/id",
      "{\"entry\":[{\"id\":0,\"changes\":[{\"value\":{\"id\":1}},"
      "{\"x\":[],\"value\":{\"x\":{\"id\":2},\"id\":3}}]},"
      "{\"changes\":[0,{\"value\":{\"id\":4}}]}]}", OK, SLUICE_JSON_NUMBER,
      "3", 0 },
    { "a name elsewhere does not count", "/a/b", "{\"b\":1,\"c\":{\"b\":2},"
      "\"a\":{\"c\":{\"b\":3}}}", OK, SLUICE_JSON_MISSING, NULL, 0 },
    { "path through a string", "/a/b", "{\"a\":\"b\"}", OK,
      SLUICE_JSON_MISSING, NULL, 0 },
    { "path through null", "/a/b", "{\"a\":null}", OK, SLUICE_JSON_MISSING,
      NULL, 0 },
    { "path through a root number", "/a", "1", OK, SLUICE_JSON_MISSING, NULL,
      0 },
    { "path longer than the text", "/a/b/c", "{\"a\":{\"b\":{}}}", OK,
      SLUICE_JSON_MISSING, NULL, 0 },
    { "second element", "/1", "[1,[2],3]", OK, SLUICE_JSON_ARRAY, "[2]", 0 },
    { "last element", "/2", "[1,[2],3]", OK, SLUICE_JSON_NUMBER, "3", 0 },
    { "past the last element", "/3", "[1,[2],3]", OK, SLUICE_JSON_MISSING,
      NULL, 0 },
    { "eleventh element", "/10", "[0,1,2,3,4,5,6,7,8,9,\"x\"]", OK,
      SLUICE_JSON_STRING, "x", 0 },
    { "element of an element", "/1/0", "[[1],[2]]", OK, SLUICE_JSON_NUMBER,
      "2", 0 },
    { "after the end of an array", "/-", "[1,2]", OK, SLUICE_JSON_MISSING,
      NULL, 0 },
    { "leading zero is no index", "/01", "[1,2]", OK, SLUICE_JSON_MISSING,
      NULL, 0 },
    { "a name is no index", "/a", "[1,2]", OK, SLUICE_JSON_MISSING, NULL,
      0 },
    { "an index is a name too", "/0", "{\"0\":1}", OK, SLUICE_JSON_NUMBER,
      "1", 0 },
    { "01 is a name", "/01", "{\"1\":0,\"01\":1}", OK, SLUICE_JSON_NUMBER,
      "1", 0 },
    { "- is a name", "/-", "{\"-\":1}", OK, SLUICE_JSON_NUMBER, "1", 0 },
    { "an index beyond the type", "/99999999999999999999", "[1]", OK,
      SLUICE_JSON_MISSING, NULL, 0 },
    { "white space around", "/a/0",
      " {\r\n\t\"a\" :\t[\n{ } ] } ", OK, SLUICE_JSON_OBJECT, "{ }", 0 },

    /* duplicates */

    { "duplicate of the target", "/a", "{\"a\":1,\"a\":1}", DUPLICATE, 0,
      NULL, 0 },
    { "duplicate, one escaped", "/a", "{\"a\":1,\"\\u0061\":1}", DUPLICATE,
      0, NULL, 0 },
    { "duplicate, both escaped", "/a", "{\"\\u0061\":1,\"\\u0061\":1}",
      DUPLICATE, 0, NULL, 0 },
    { "duplicate of a ~ token", "/~0", "{\"~\":1,\"\\u007e\":1}", DUPLICATE,
      0, NULL, 0 },
    { "duplicate on the way", "/a/b", "{\"a\":{\"b\":1},\"a\":{}}",
      DUPLICATE, 0, NULL, 0 },
    { "duplicate on the way, scalar", "/a/b", "{\"a\":0,\"a\":{\"b\":1}}",
      DUPLICATE, 0, NULL, 0 },
    { "duplicate in an element", "/0/a", "[{\"a\":1,\"a\":1}]", DUPLICATE, 0,
      NULL, 0 },
    { "duplicate in another element", "/0/a", "[{\"a\":1},{\"a\":1,\"a\":1}]",
      OK, SLUICE_JSON_NUMBER, "1", 0 },
    { "the same name in two elements", "/1/a", "[{\"a\":1},{\"a\":2}]", OK,
      SLUICE_JSON_NUMBER, "2", 0 },
    { "duplicate of another name", "/a", "{\"b\":1,\"a\":2,\"b\":3}", OK,
      SLUICE_JSON_NUMBER, "2", 0 },
    { "duplicate inside the target", "/a", "{\"a\":{\"b\":1,\"b\":2}}", OK,
      SLUICE_JSON_OBJECT, "{\"b\":1,\"b\":2}", 0 },
    { "the name again, deeper", "/a", "{\"a\":{\"a\":1}}", OK,
      SLUICE_JSON_OBJECT, "{\"a\":1}", 0 },
    { "duplicate before a syntax error", "/a", "{\"a\":1,\"a\":1", DUPLICATE,
      0, NULL, 0 },
    { "a syntax error before the duplicate", "/a", "{\"a\":01,\"a\":1}",
      SYNTAX, 0, NULL, 0 },
};


static const pointer_t  pointers[] = {
    { "the whole", T(""), NULL },
    { "one token", T("/a"), NULL },
    { "empty tokens", T("//"), NULL },
    { "the most tokens", T("/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g"), NULL },
    { "one token too many", T("/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g/h"),
      "has too many reference tokens" },
    { "no slash", T("a"), "must start with a slash" },
    { "a fragment", T("#/a"), "must start with a slash" },
    { "a space before", T(" /a"), "must start with a slash" },
    { "~ at the end", T("/a~"), "has a ~ that is neither ~0 nor ~1" },
    { "~ at the end of a token", T("/a~/b"),
      "has a ~ that is neither ~0 nor ~1" },
    { "~2", T("/a~2"), "has a ~ that is neither ~0 nor ~1" },
    { "not UTF-8", T("/\xff"), "is not UTF-8" },
    { "a NUL", T("/a\0b"), "is not UTF-8" },
};


static void
test_extract(void **state)
{
    size_t                  len, offset;
    uint8_t                *text;
    const extract_t        *row;
    sluice_json_value_t     value;
    sluice_json_pointer_t   pointer;

    row = row_of(extract_t, state);

    assert_null(sluice_json_pointer(&pointer, row->pointer,
                                    strlen(row->pointer)));

    len = strlen(row->text);
    text = rows_bytes(row->text, len);

    assert_int_equal(sluice_json_scan(text, len, &pointer, 1, &value,
                                      &offset), row->result);

    if (row->result == SLUICE_JSON_OK) {
        assert_int_equal(value.type, row->type);
        assert_int_equal(value.escaped, row->escaped);

        if (row->value != NULL) {
            assert_int_equal(value.len, strlen(row->value));
            assert_memory_equal(value.data, row->value, value.len);
        }
    }

    free(text);
}


static void
test_pointer(void **state)
{
    char                   *text;
    const char             *error;
    const pointer_t        *row;
    sluice_json_pointer_t   pointer;

    row = row_of(pointer_t, state);
    text = (char *) rows_bytes(row->pointer, row->len);

    error = sluice_json_pointer(&pointer, text, row->len);

    if (row->error == NULL) {
        assert_null(error);

    } else {
        assert_non_null(error);
        assert_string_equal(error, row->error);
    }

    free(text);
}


static const char  webhook[] =
    "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"2155\","
    "\"changes\":[{\"value\":{\"metadata\":{\"phone_number_id\":\"4988\"},"
    "\"messages\":[{\"from\":\"3519\",\"id\":\"wamid.1\",\"text\":{\"body\":"
    "\"\\u0041\xc3\xa9\"}},{\"id\":\"wamid.2\"}],\"n\":-1.5e3,\"x\":[null,"
    "true,false]},\"field\":\"messages\"}]}]}";


/* several pointers at once, which share ways, targets and the whole */

static void
test_many_pointers(void **state)
{
    size_t                  i, offset;
    sluice_json_value_t     values[SLUICE_JSON_POINTERS];
    sluice_json_pointer_t   compiled[SLUICE_JSON_POINTERS];

    static const struct {
        const char  *pointer;
        const char  *value;
    } found[] = {
        { "", webhook },
        { "/object", "whatsapp_business_account" },
        { "/entry/0/id", "2155" },
        { "/entry/0/changes/0/value/metadata",
          "{\"phone_number_id\":\"4988\"}" },
        { "/entry/0/changes/0/value/metadata/phone_number_id", "4988" },
        { "/entry/0/changes/0/value/messages/0/id", "wamid.1" },
        { "/entry/0/changes/0/value/messages/1/id", "wamid.2" },
        { "/entry/0/changes/0/value/messages/2/id", NULL },
        { "/entry/0/changes/0/field", "messages" },
        { "/entry/0/changes/0/value/x/1", "true" },
        { "/entry/0/changes/0/value/n", "-1.5e3" },
        { "/entry/1", NULL },
        { "/object", "whatsapp_business_account" },
        { "/entry/0/changes/0/value/messages/0/text/body",
          "\\u0041\xc3\xa9" },
    };

    /* the same set repeated up to the last bit */

    for (i = 0; i < SLUICE_JSON_POINTERS; i++) {
        assert_null(sluice_json_pointer(&compiled[i], found[i % 14].pointer,
                                        strlen(found[i % 14].pointer)));
    }

    assert_int_equal(sluice_json_scan((const uint8_t *) webhook,
                                      sizeof(webhook) - 1, compiled,
                                      SLUICE_JSON_POINTERS, values, &offset),
                     OK);

    for (i = 0; i < SLUICE_JSON_POINTERS; i++) {
        if (found[i % 14].value == NULL) {
            assert_int_equal(values[i].type, SLUICE_JSON_MISSING);
            continue;
        }

        assert_int_equal(values[i].len, strlen(found[i % 14].value));
        assert_memory_equal(values[i].data, found[i % 14].value,
                            values[i].len);
    }
}


/* no beginning of a text is a text, nor is any read beyond its end */

static void
test_beginnings(void **state)
{
    size_t                  len, offset;
    uint8_t                *text;
    sluice_json_value_t     value;
    sluice_json_pointer_t   pointer;

    assert_null(sluice_json_pointer(&pointer, "/entry/0/id", 11));

    for (len = 1; len < sizeof(webhook) - 1; len++) {
        text = rows_bytes(webhook, len);
        assert_int_equal(sluice_json_scan(text, len, &pointer, 1, &value,
                                          &offset), SYNTAX);
        assert_true(offset <= len);
        free(text);
    }
}


/* a pointer of the most tokens, in a text as deep and deeper */

static void
test_longest_pointer(void **state)
{
    char                    text[256], *p;
    size_t                  i, offset;
    sluice_json_value_t     value;
    sluice_json_pointer_t   pointer;

    static const char  path[] = "/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a";

    assert_null(sluice_json_pointer(&pointer, path, sizeof(path) - 1));

    p = text;

    for (i = 0; i < SLUICE_JSON_TOKENS + 4; i++) {
        p = stpcpy(p, "{\"a\":");
    }

    p = stpcpy(p, "1");

    for (i = 0; i < SLUICE_JSON_TOKENS + 4; i++) {
        p = stpcpy(p, "}");
    }

    assert_int_equal(sluice_json_scan((uint8_t *) text, (size_t) (p - text),
                                      &pointer, 1, &value, &offset), OK);
    assert_int_equal(value.type, SLUICE_JSON_OBJECT);
    assert_int_equal(value.len, 4 * 6 + 1);
}


int
main(void)
{
    rows_add(extracts, test_extract);
    rows_add(pointers, test_pointer);
    rows_add_one("many pointers", test_many_pointers, NULL);
    rows_add_one("every beginning of a text", test_beginnings, NULL);
    rows_add_one("the longest pointer", test_longest_pointer, NULL);

    return rows_run("json_path");
}
