/* Fields of a form, and what they decode to. */

#include "tests/unit/rows.h"

#include "core/form.h"


typedef struct {
    const char  *row;
    const char  *form;
    const char  *fields;      /* "name>value|...": ">" where there was "=" */
} form_t;

static const form_t  forms[] = {
    { "nothing", "", "" },
    { "one", "a=b", "a>b|" },
    { "two", "a=b&c=d", "a>b|c>d|" },
    { "without a value", "a=&b=", "a>|b>|" },
    { "without a sign", "a&b", "a|b|" },
    { "without a name", "=a", ">a|" },
    { "two signs", "a=b=c", "a>b=c|" },
    { "empty fields", "&&a=b&&&c=d&", "a>b|c>d|" },
    { "only empty fields", "&&&", "" },
    { "a sign alone", "=", ">|" },
    { "not decoded", "a%3D=%26", "a%3D>%26|" }
};


typedef struct {
    const char  *row;
    const char  *text;
    const char  *decoded;     /* NULL: malformed */
    size_t       len;
} decode_t;

#define DECODED(text)  text, sizeof(text) - 1

static const decode_t  decodes[] = {
    { "nothing", "", DECODED("") },
    { "plain", "abc", DECODED("abc") },
    { "plus", "a+b++", DECODED("a b  ") },
    { "escapes", "%41%2b%25", DECODED("A+%") },
    { "either case", "%c3%BC", DECODED("\303\274") },
    { "NUL", "a%00b", DECODED("a\0b") },
    { "cut after the sign", "a%", NULL, 0 },
    { "cut after a digit", "a%4", NULL, 0 },
    { "no digits", "%zz", NULL, 0 },
    { "one digit", "%4z", NULL, 0 },
    { "a sign of its own", "%%41", NULL, 0 },
    { "no UTF-8", "%ff", DECODED("\377") }
};


static void
test_form(void **state)
{
    char                  fields[256], *form;
    size_t                len;
    const char           *p;
    const form_t         *row;
    sluice_form_field_t   field;

    row = row_of(form_t, state);
    len = strlen(row->form);
    form = (char *) rows_bytes(row->form, len);
    p = form;
    fields[0] = '\0';

    while (sluice_form_next(&p, form + len, &field)) {
        snprintf(fields + strlen(fields), sizeof(fields) - strlen(fields),
                 "%.*s%s%.*s|", (int) field.name_len, field.name,
                 field.assigned ? ">" : "", (int) field.value_len,
                 field.value);
    }

    assert_string_equal(fields, row->fields);
    assert_ptr_equal(p, form + len);
    assert_int_equal(sluice_form_next(&p, form + len, &field), 0);

    free(form);
}


static void
test_decode(void **state)
{
    char            *text;
    size_t           len;
    const decode_t  *row;

    row = row_of(decode_t, state);
    text = (char *) rows_bytes(row->text, strlen(row->text));

    len = sluice_form_decode(text, text, strlen(row->text));

    if (row->decoded == NULL) {
        assert_int_equal(len, SLUICE_FORM_MALFORMED);

    } else {
        assert_int_equal(len, row->len);
        assert_memory_equal(text, row->decoded, len);
    }

    free(text);
}


int
main(void)
{
    rows_add(forms, test_form);
    rows_add(decodes, test_decode);

    return rows_run("form");
}
