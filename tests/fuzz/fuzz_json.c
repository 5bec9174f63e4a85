/*
 * The scanner against jansson: both must accept or both refuse, and what a
 * pointer finds must be the value that jansson has there.
 *
 * Where they differ, and why that is right:
 *   - deeper than SLUICE_JSON_DEPTH: we refuse, jansson goes to 2048;
 *   - a number beyond a double: RFC 8259 sets no range, jansson refuses;
 *   - a lone surrogate as an escape: the grammar of RFC 8259 allows it (section
 *     8.2 calls it unpredictable), jansson refuses;
 *   - \u0000 in a name: jansson refuses, its names are C strings;
 *   - a duplicate on an extracted path: we refuse, jansson takes the last;
 *   - a NUL byte right after a number or literal: jansson 2.14 swallows it.
 * A \u0000 in a value and big integers are no difference, by the flags given.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/json.h"


#define FUZZ_FLAGS                                                            \
    (JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static const char *const  paths[] = {
    "", "/a", "/a/b", "/a/b/c", "/0", "/1", "/0/0", "/0/a", "/a/0", "/",
    "//", "/a~1b", "/~0", "/-", "/id", "/object", "/entry/0/id",
    "/entry/0/changes/0/value/metadata/phone_number_id",
    "/entry/0/changes/0/value/messages/0/id"
};

#define FUZZ_PATHS  (sizeof(paths) / sizeof(paths[0]))


static int
differs_rightly(const json_error_t *error)
{
    switch (json_error_code(error)) {

    case json_error_numeric_overflow:
    case json_error_null_byte_in_key:
        return 1;

    default:
        return strstr(error->text, "invalid Unicode '\\u") != NULL;
    }
}


/* the way of a pointer through jansson's values */

static json_t *
walk(json_t *value, const sluice_json_pointer_t *pointer)
{
    char    name[64];
    size_t  i, j, len;

    for (i = 0; i < pointer->ntokens && value != NULL; i++) {

        if (json_is_array(value)) {
            value = (pointer->token[i].index < 0)
                    ? NULL
                    : json_array_get(value, (size_t) pointer->token[i].index);
            continue;
        }

        len = 0;

        for (j = 0; j < pointer->token[i].len; j++) {
            name[len] = pointer->token[i].data[j];

            if (name[len] == '~') {
                name[len] = (pointer->token[i].data[++j] == '0') ? '~' : '/';
            }

            len++;
        }

        name[len] = '\0';
        value = json_object_get(value, name);
    }

    return value;
}


static void
compare(const sluice_json_value_t *value, const json_t *expected)
{
    size_t                 len, offset;
    uint8_t               *back, *escaped, *plain;
    sluice_json_value_t    again;
    sluice_json_pointer_t  whole;

    if (value->type == SLUICE_JSON_MISSING) {
        assert(expected == NULL);
        return;
    }

    assert(expected != NULL);

    switch (json_typeof(expected)) {

    case JSON_OBJECT:
        assert(value->type == SLUICE_JSON_OBJECT);
        break;

    case JSON_ARRAY:
        assert(value->type == SLUICE_JSON_ARRAY);
        break;

    case JSON_STRING:
        assert(value->type == SLUICE_JSON_STRING);
        assert(value->escaped == (value->len != 0 && memchr(value->data, '\\',
                                                  value->len) != NULL));

        plain = malloc(value->len + 1);
        len = sluice_json_unescape(plain, value);

        assert(len <= value->len);
        assert(len == json_string_length(expected));
        assert(memcmp(plain, json_string_value(expected), len) == 0);
        assert(sluice_json_is_text(plain, len)
               == (memchr(plain, 0, len) == NULL));

        /* there and back */

        escaped = malloc(sluice_json_escape(NULL, plain, len) + 1);
        again.data = escaped;
        again.len = sluice_json_escape(escaped, plain, len);
        back = malloc(again.len + 1);
        assert(sluice_json_unescape(back, &again) == len);
        assert(memcmp(back, plain, len) == 0);

        free(back);
        free(escaped);
        free(plain);
        return;

    case JSON_INTEGER:
    case JSON_REAL:
        assert(value->type == SLUICE_JSON_NUMBER);
        break;

    case JSON_TRUE:
        assert(value->type == SLUICE_JSON_TRUE);
        break;

    case JSON_FALSE:
        assert(value->type == SLUICE_JSON_FALSE);
        break;

    case JSON_NULL:
        assert(value->type == SLUICE_JSON_NULL);
        break;
    }

    /* what was found is a JSON text from its first byte to its last */

    assert(sluice_json_pointer(&whole, "", 0) == NULL);
    assert(sluice_json_scan(value->data, value->len, &whole, 1, &again,
                            &offset) == SLUICE_JSON_OK);
    assert(again.type == value->type && again.data == value->data
           && again.len == value->len);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                  i, offset;
    json_t                 *root;
    json_error_t            error;
    sluice_json_value_t     values[FUZZ_PATHS];
    sluice_json_result_e    plain, result;
    sluice_json_pointer_t   pointers[FUZZ_PATHS];

    for (i = 0; i < FUZZ_PATHS; i++) {
        assert(sluice_json_pointer(&pointers[i], paths[i], strlen(paths[i]))
               == NULL);
    }

    plain = sluice_json_scan(data, size, NULL, 0, NULL, &offset);
    assert(offset <= size);
    assert(plain != SLUICE_JSON_DUPLICATE);

    result = sluice_json_scan(data, size, pointers, FUZZ_PATHS, values,
                              &offset);
    assert(offset <= size);
    assert(result == plain || result == SLUICE_JSON_DUPLICATE);

    if (size != 0 && memchr(data, 0, size) != NULL) {
        assert(plain != SLUICE_JSON_OK);
        return 0;
    }

    root = json_loadb((const char *) data, size, FUZZ_FLAGS, &error);

    if (root != NULL) {
        assert(plain == SLUICE_JSON_OK || plain == SLUICE_JSON_DEEP);

    } else if (plain == SLUICE_JSON_OK) {
        assert(differs_rightly(&error));
    }

    if (result == SLUICE_JSON_DUPLICATE) {
        assert(json_loadb((const char *) data, size,
                          FUZZ_FLAGS | JSON_REJECT_DUPLICATES, &error)
               == NULL);
    }

    if (root != NULL && result == SLUICE_JSON_OK) {
        for (i = 0; i < FUZZ_PATHS; i++) {
            compare(&values[i], walk(root, &pointers[i]));
        }
    }

    json_decref(root);

    return 0;
}
