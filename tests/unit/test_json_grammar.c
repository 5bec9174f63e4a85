/*
 * What is JSON and what is not.  The names of the rows follow the usual suites:
 * y_ must be accepted, n_ refused, i_ is our choice.
 */

#include "core/json.h"
#include "tests/unit/rows.h"


#define OK         SLUICE_JSON_OK
#define EMPTY      SLUICE_JSON_EMPTY
#define SYNTAX     SLUICE_JSON_SYNTAX
#define DEEP       SLUICE_JSON_DEEP

#define T(s)       s, sizeof(s) - 1


typedef struct {
    const char            *name;
    const char            *text;
    size_t                 len;
    sluice_json_result_e   result;
    size_t                 offset;
} grammar_t;


static const grammar_t  grammar[] = {

    /* structure */

    { "y_object_empty", T("{}"), OK, 2 },
    { "y_object_empty_space", T("{ \t\r\n}"), OK, 6 },
    { "y_object_one", T("{\"a\":1}"), OK, 7 },
    { "y_object_space_everywhere", T(" { \"a\" : 1 , \"b\" : [ ] } "), OK, 25 },
    { "y_object_empty_name", T("{\"\":0}"), OK, 6 },
    { "y_object_duplicate_off_path", T("{\"a\":1,\"a\":2}"), OK, 13 },
    { "y_object_names_of_escapes", T("{\"\\u0061\\n\":1}"), OK, 14 },
    { "y_array_empty", T("[]"), OK, 2 },
    { "y_array_empty_space", T("[ ]"), OK, 3 },
    { "y_array_nested", T("[[],[[]],{\"a\":[{}]}]"), OK, 20 },
    { "y_array_space", T("[ 1 ,\n2 ]"), OK, 9 },
    { "y_array_of_all", T("[null,true,false,0,\"\",[],{}]"), OK, 28 },
    { "y_root_null", T("null"), OK, 4 },
    { "y_root_true", T("true"), OK, 4 },
    { "y_root_false", T("false"), OK, 5 },
    { "y_root_number", T("7"), OK, 1 },
    { "y_root_string", T("\"a\""), OK, 3 },
    { "y_root_space_around", T(" \n7\r\t"), OK, 5 },
    { "n_empty", T(""), EMPTY, 0 },
    { "n_white_space_only", T(" \t\r\n"), EMPTY, 4 },
    { "n_form_feed", T("\f1"), SYNTAX, 0 },
    { "n_vertical_tab", T("[1\v]"), SYNTAX, 2 },
    { "n_no_break_space", T("\xc2\xa0" "1"), SYNTAX, 0 },
    { "n_byte_order_mark", T("\xef\xbb\xbf{}"), SYNTAX, 0 },
    { "n_nul", T("\0"), SYNTAX, 0 },
    { "n_nul_after", T("1\0"), SYNTAX, 1 },
    { "n_comment", T("[1/**/]"), SYNTAX, 2 },
    { "n_comment_line", T("//\n1"), SYNTAX, 0 },
    { "n_root_two_values", T("1 2"), SYNTAX, 2 },
    { "n_root_comma", T("1,"), SYNTAX, 1 },
    { "n_root_comma_value", T("{},{}"), SYNTAX, 2 },
    { "n_root_two_objects", T("{}{}"), SYNTAX, 2 },
    { "n_root_close", T("]"), SYNTAX, 0 },
    { "n_root_close_after", T("{}}"), SYNTAX, 2 },
    { "n_root_close_array_after", T("1]"), SYNTAX, 1 },
    { "n_root_colon", T(":"), SYNTAX, 0 },
    { "n_root_member", T("\"a\":1"), SYNTAX, 3 },
    { "n_root_name", T("a"), SYNTAX, 0 },
    { "n_object_open", T("{"), SYNTAX, 1 },
    { "n_object_name_only", T("{\"a\""), SYNTAX, 4 },
    { "n_object_name_close", T("{\"a\"}"), SYNTAX, 4 },
    { "n_object_colon_only", T("{\"a\":"), SYNTAX, 5 },
    { "n_object_no_value", T("{\"a\":}"), SYNTAX, 5 },
    { "n_object_no_value_comma", T("{\"a\":,\"b\":1}"), SYNTAX, 5 },
    { "n_object_unfinished", T("{\"a\":1"), SYNTAX, 6 },
    { "n_object_comma_unfinished", T("{\"a\":1,"), SYNTAX, 7 },
    { "n_object_trailing_comma", T("{\"a\":1,}"), SYNTAX, 7 },
    { "n_object_trailing_comma_space", T("{\"a\":1, }"), SYNTAX, 8 },
    { "n_object_two_commas", T("{\"a\":1,,\"b\":2}"), SYNTAX, 7 },
    { "n_object_leading_comma", T("{,\"a\":1}"), SYNTAX, 1 },
    { "n_object_comma_only", T("{,}"), SYNTAX, 1 },
    { "n_object_no_comma", T("{\"a\":1 \"b\":2}"), SYNTAX, 7 },
    { "n_object_no_colon", T("{\"a\" 1}"), SYNTAX, 5 },
    { "n_object_two_colons", T("{\"a\"::1}"), SYNTAX, 5 },
    { "n_object_comma_for_colon", T("{\"a\",1}"), SYNTAX, 4 },
    { "n_object_equals_sign", T("{\"a\"=1}"), SYNTAX, 4 },
    { "n_object_name_number", T("{1:1}"), SYNTAX, 1 },
    { "n_object_name_bare", T("{a:1}"), SYNTAX, 1 },
    { "n_object_name_null", T("{null:1}"), SYNTAX, 1 },
    { "n_object_name_quotes", T("{'a':1}"), SYNTAX, 1 },
    { "n_object_name_array", T("{[]:1}"), SYNTAX, 1 },
    { "n_object_value_only", T("{\"a\",\"b\"}"), SYNTAX, 4 },
    { "n_object_close_array", T("{\"a\":1]"), SYNTAX, 6 },
    { "n_object_empty_close_array", T("{]"), SYNTAX, 1 },
    { "n_array_open", T("["), SYNTAX, 1 },
    { "n_array_unfinished", T("[1"), SYNTAX, 2 },
    { "n_array_comma_unfinished", T("[1,"), SYNTAX, 3 },
    { "n_array_trailing_comma", T("[1,]"), SYNTAX, 3 },
    { "n_array_leading_comma", T("[,1]"), SYNTAX, 1 },
    { "n_array_comma_only", T("[,]"), SYNTAX, 1 },
    { "n_array_two_commas", T("[1,,2]"), SYNTAX, 3 },
    { "n_array_no_comma", T("[1 2]"), SYNTAX, 3 },
    { "n_array_no_comma_string", T("[\"a\"\"b\"]"), SYNTAX, 4 },
    { "n_array_colon", T("[\"a\":1]"), SYNTAX, 4 },
    { "n_array_close_object", T("[1}"), SYNTAX, 2 },
    { "n_array_empty_close_object", T("[}"), SYNTAX, 1 },
    { "n_array_nested_unfinished", T("[[]"), SYNTAX, 3 },
    { "n_array_crossed", T("[{]}"), SYNTAX, 2 },
    { "n_array_star", T("[*]"), SYNTAX, 1 },

    /* literals */

    { "n_literal_cut_null", T("nul"), SYNTAX, 0 },
    { "n_literal_cut_true", T("[tru]"), SYNTAX, 1 },
    { "n_literal_cut_false", T("fals"), SYNTAX, 0 },
    { "n_literal_longer", T("nulll"), SYNTAX, 4 },
    { "n_literal_capitals", T("True"), SYNTAX, 0 },
    { "n_literal_all_capitals", T("NULL"), SYNTAX, 0 },
    { "n_literal_undefined", T("undefined"), SYNTAX, 0 },
    { "n_literal_nan", T("NaN"), SYNTAX, 0 },
    { "n_literal_infinity", T("Infinity"), SYNTAX, 0 },
    { "n_literal_followed", T("[true false]"), SYNTAX, 6 },

    /* numbers */

    { "y_number_zero", T("0"), OK, 1 },
    { "y_number_minus_zero", T("-0"), OK, 2 },
    { "y_number_integer", T("[1234567890]"), OK, 12 },
    { "y_number_negative", T("-1"), OK, 2 },
    { "y_number_fraction", T("0.5"), OK, 3 },
    { "y_number_fraction_zeros", T("10.000"), OK, 6 },
    { "y_number_exponent", T("1e5"), OK, 3 },
    { "y_number_exponent_capital", T("1E5"), OK, 3 },
    { "y_number_exponent_plus", T("1e+5"), OK, 4 },
    { "y_number_exponent_minus", T("1e-5"), OK, 4 },
    { "y_number_exponent_zeros", T("0e00"), OK, 4 },
    { "y_number_all_parts", T("-12.34e-56"), OK, 10 },
    { "i_number_huge", T("1e999999999999"), OK, 14 },
    { "i_number_long", T("123456789012345678901234567890"), OK, 30 },
    { "n_number_leading_zero", T("01"), SYNTAX, 1 },
    { "n_number_two_zeros", T("00"), SYNTAX, 1 },
    { "n_number_minus_leading_zero", T("-01"), SYNTAX, 2 },
    { "n_number_minus", T("-"), SYNTAX, 1 },
    { "n_number_minus_in_array", T("[-]"), SYNTAX, 2 },
    { "n_number_two_minus", T("--1"), SYNTAX, 1 },
    { "n_number_minus_space", T("- 1"), SYNTAX, 1 },
    { "n_number_plus", T("+1"), SYNTAX, 0 },
    { "n_number_leading_dot", T(".5"), SYNTAX, 0 },
    { "n_number_trailing_dot", T("1."), SYNTAX, 2 },
    { "n_number_dot_exponent", T("1.e5"), SYNTAX, 2 },
    { "n_number_two_dots", T("1.2.3"), SYNTAX, 3 },
    { "n_number_exponent_alone", T("1e"), SYNTAX, 2 },
    { "n_number_exponent_sign_alone", T("1e+"), SYNTAX, 3 },
    { "n_number_exponent_two_signs", T("1e+-1"), SYNTAX, 3 },
    { "n_number_exponent_fraction", T("1e1.5"), SYNTAX, 3 },
    { "n_number_two_exponents", T("1e1e1"), SYNTAX, 3 },
    { "n_number_hexadecimal", T("0x1"), SYNTAX, 1 },
    { "n_number_octal", T("0o7"), SYNTAX, 1 },
    { "n_number_underscore", T("1_000"), SYNTAX, 1 },
    { "n_number_letter_after", T("1a"), SYNTAX, 1 },
    { "n_number_space_inside", T("1 000"), SYNTAX, 2 },
    { "n_number_minus_infinity", T("-Infinity"), SYNTAX, 1 },
    { "n_number_full_width", T("\xef\xbc\x91"), SYNTAX, 0 },

    /* strings */

    { "y_string_empty", T("\"\""), OK, 2 },
    { "y_string_delete", T("\"\x7f\""), OK, 3 },
    { "y_string_escapes", T("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), OK, 18 },
    { "y_string_u_lower", T("\"\\u00ff\""), OK, 8 },
    { "y_string_u_upper", T("\"\\uABCD\""), OK, 8 },
    { "y_string_u_nul", T("\"\\u0000\""), OK, 8 },
    { "y_string_u_pair", T("\"\\ud83d\\ude00\""), OK, 14 },
    { "y_string_u_lone_high", T("\"\\ud800\""), OK, 8 },
    { "y_string_u_lone_low", T("\"\\udc00\""), OK, 8 },
    { "y_string_u_reversed_pair", T("\"\\ude00\\ud83d\""), OK, 14 },
    { "y_string_separators", T("\"\xe2\x80\xa8\xe2\x80\xa9\""), OK, 8 },
    { "y_string_comment_inside", T("\"/*\""), OK, 4 },
    { "n_string_open", T("\""), SYNTAX, 1 },
    { "n_string_unfinished", T("\"a"), SYNTAX, 2 },
    { "n_string_backslash_end", T("\"\\"), SYNTAX, 1 },
    { "n_string_backslash_quote", T("\"\\\""), SYNTAX, 3 },
    { "n_string_escape_x", T("\"\\x41\""), SYNTAX, 1 },
    { "n_string_escape_quote", T("\"\\'\""), SYNTAX, 1 },
    { "n_string_escape_0", T("\"\\0\""), SYNTAX, 1 },
    { "n_string_escape_a", T("\"\\a\""), SYNTAX, 1 },
    { "n_string_escape_v", T("\"\\v\""), SYNTAX, 1 },
    { "n_string_escape_capital_u", T("\"\\U0041\""), SYNTAX, 1 },
    { "n_string_escape_utf8", T("\"\\\xc3\xa9\""), SYNTAX, 1 },
    { "n_string_escape_line_feed", T("\"\\\n\""), SYNTAX, 1 },
    { "n_string_escape_nul", T("\"\\\0\""), SYNTAX, 1 },
    { "n_string_u_none", T("\"\\u\""), SYNTAX, 1 },
    { "n_string_u_three", T("\"\\u004\""), SYNTAX, 1 },
    { "n_string_u_three_end", T("\"\\u004"), SYNTAX, 1 },
    { "n_string_u_letter", T("\"\\u004g\""), SYNTAX, 1 },
    { "n_string_u_sign", T("\"\\u+041\""), SYNTAX, 1 },
    { "n_string_u_space", T("\"\\u 041\""), SYNTAX, 1 },
    { "n_string_u_low_cut", T("\"\\ud83d\\ude0\""), SYNTAX, 7 },
    { "n_string_line_feed", T("\"a\nb\""), SYNTAX, 2 },
    { "n_string_tab", T("\"\t\""), SYNTAX, 1 },
    { "n_string_nul", T("\"\0\""), SYNTAX, 1 },
    { "n_string_unit_separator", T("\"\x1f\""), SYNTAX, 1 },
    { "n_string_quotes", T("'a'"), SYNTAX, 0 },
    { "n_string_name_control", T("{\"a\x01\":1}"), SYNTAX, 3 },
    { "n_string_name_escape", T("{\"\\q\":1}"), SYNTAX, 2 },
    { "n_string_name_unfinished", T("{\"a"), SYNTAX, 3 },

    /* UTF-8: the ends of each row of Unicode's table 3-7, and past them */

    { "y_utf8_2_first", T("\"\xc2\x80\""), OK, 4 },
    { "y_utf8_2_last", T("\"\xdf\xbf\""), OK, 4 },
    { "y_utf8_3_first", T("\"\xe0\xa0\x80\""), OK, 5 },
    { "y_utf8_before_surrogates", T("\"\xed\x9f\xbf\""), OK, 5 },
    { "y_utf8_after_surrogates", T("\"\xee\x80\x80\""), OK, 5 },
    { "y_utf8_3_last", T("\"\xef\xbf\xbf\""), OK, 5 },
    { "y_utf8_4_first", T("\"\xf0\x90\x80\x80\""), OK, 6 },
    { "y_utf8_4_last", T("\"\xf4\x8f\xbf\xbf\""), OK, 6 },
    { "y_utf8_name", T("{\"\xc3\xa9\":1}"), OK, 8 },
    { "n_utf8_continuation", T("\"\x80\""), SYNTAX, 1 },
    { "n_utf8_continuation_last", T("\"\xbf\""), SYNTAX, 1 },
    { "n_utf8_overlong_2_c0", T("\"\xc0\xaf\""), SYNTAX, 1 },
    { "n_utf8_overlong_2_c1", T("\"\xc1\xbf\""), SYNTAX, 1 },
    { "n_utf8_overlong_3", T("\"\xe0\x9f\xbf\""), SYNTAX, 1 },
    { "n_utf8_overlong_4", T("\"\xf0\x8f\xbf\xbf\""), SYNTAX, 1 },
    { "n_utf8_overlong_nul", T("\"\xc0\x80\""), SYNTAX, 1 },
    { "n_utf8_surrogate_first", T("\"\xed\xa0\x80\""), SYNTAX, 1 },
    { "n_utf8_surrogate_last", T("\"\xed\xbf\xbf\""), SYNTAX, 1 },
    { "n_utf8_above", T("\"\xf4\x90\x80\x80\""), SYNTAX, 1 },
    { "n_utf8_f5", T("\"\xf5\x80\x80\x80\""), SYNTAX, 1 },
    { "n_utf8_5_bytes", T("\"\xf8\x88\x80\x80\x80\""), SYNTAX, 1 },
    { "n_utf8_fe", T("\"\xfe\""), SYNTAX, 1 },
    { "n_utf8_ff", T("\"\xff\""), SYNTAX, 1 },
    { "n_utf8_cut_2", T("\"\xc3\""), SYNTAX, 1 },
    { "n_utf8_cut_3", T("\"\xe2\x82\""), SYNTAX, 1 },
    { "n_utf8_cut_4", T("\"\xf0\x9f\x98\""), SYNTAX, 1 },
    { "n_utf8_cut_by_end", T("\"\xf0\x9f\x98"), SYNTAX, 1 },
    { "n_utf8_third_not_one", T("\"\xe2\x82 \""), SYNTAX, 1 },
    { "n_utf8_fourth_not_one", T("\"\xf0\x9f\x98 \""), SYNTAX, 1 },
    { "n_utf8_name", T("{\"\xff\":1}"), SYNTAX, 2 },
    { "n_utf8_outside", T("[\xc3\xa9]"), SYNTAX, 1 },
    { "n_latin1", T("\"caf\xe9\""), SYNTAX, 4 },
    { "n_utf16", T("\xff\xfe[\0]\0"), SYNTAX, 0 },
    { "n_utf16_without_mark", T("[\0]\0"), SYNTAX, 1 },
};


static void
test_grammar(void **state)
{
    size_t            offset;
    uint8_t          *text;
    const grammar_t  *row;

    row = row_of(grammar_t, state);
    text = rows_bytes(row->text, row->len);
    offset = (size_t) -1;

    assert_int_equal(sluice_json_scan(text, row->len, NULL, 0, NULL, &offset),
                     row->result);
    assert_int_equal(offset, row->offset);

    free(text);
}


/* 128 levels are taken, of either kind; the bracket of the 129th is not */

static void
test_depth(void **state)
{
    size_t                 i, offset;
    char                   text[8 * SLUICE_JSON_DEPTH + 16], *p;
    unsigned               extra, object;
    sluice_json_result_e   result;

    for (object = 0; object < 2; object++) {
        for (extra = 0; extra < 2; extra++) {
            p = text;

            for (i = 0; i < SLUICE_JSON_DEPTH + extra; i++) {
                p = stpcpy(p, object ? "{\"a\":" : "[");
            }

            p = stpcpy(p, "0");

            for (i = 0; i < SLUICE_JSON_DEPTH + extra; i++) {
                p = stpcpy(p, object ? "}" : "]");
            }

            result = sluice_json_scan((uint8_t *) text, (size_t) (p - text),
                                      NULL, 0, NULL, &offset);

            assert_int_equal(result, extra ? DEEP : OK);

            if (extra) {
                assert_int_equal(offset,
                                 SLUICE_JSON_DEPTH * (object ? 5 : 1));
            }
        }
    }

    /* as many brackets as a client likes to send */

    for (i = 0; i < sizeof(text); i++) {
        text[i] = '[';
    }

    assert_int_equal(sluice_json_scan((uint8_t *) text, sizeof(text), NULL, 0,
                                      NULL, &offset), DEEP);
}


/* every special byte at each place of strings around the steps of 8 and 16 */

static void
test_steps(void **state)
{
    size_t     at, i, len, offset;
    uint8_t   *text, c;

    static const struct {
        const char            *bytes;
        size_t                 len;
        sluice_json_result_e   result;
    } specials[] = {
        { "\"", 1, SYNTAX },
        { "\x1f", 1, SYNTAX },
        { "\0", 1, SYNTAX },
        { "\x80", 1, SYNTAX },
        { "\xff", 1, SYNTAX },
        { "\\x", 2, SYNTAX },
        { "\\n", 2, OK },
        { "\x7f", 1, OK },
        { "!", 1, OK },
        { "#", 1, OK },
        { "[", 1, OK },
        { "]", 1, OK },
        { "\xc3\xa9", 2, OK },
    };

    for (len = 0; len < 40; len++) {
        for (at = 0; at <= len; at++) {
            for (i = 0; i < sizeof(specials) / sizeof(specials[0]); i++) {
                text = malloc(len + specials[i].len + 2);
                assert_non_null(text);

                c = (uint8_t) ('a' + at % 26);
                text[0] = '"';
                memset(text + 1, c, at);
                memcpy(text + 1 + at, specials[i].bytes, specials[i].len);
                memset(text + 1 + at + specials[i].len, c, len - at);
                text[len + specials[i].len + 1] = '"';

                assert_int_equal(sluice_json_scan(text,
                                                  len + specials[i].len + 2,
                                                  NULL, 0, NULL, &offset),
                                 specials[i].result);

                if (specials[i].result == SYNTAX) {
                    assert_int_equal(offset,
                                     at + 1 + (specials[i].bytes[0] == '"'));
                }

                /* without its end */

                assert_int_equal(sluice_json_scan(text,
                                                  len + specials[i].len + 1,
                                                  NULL, 0, NULL, &offset)
                                 == SLUICE_JSON_OK,
                                 specials[i].bytes[0] == '"' && at == len);

                free(text);
            }
        }
    }
}


int
main(void)
{
    rows_add(grammar, test_grammar);
    rows_add_one("depth", test_depth, NULL);
    rows_add_one("every byte at every place", test_steps, NULL);

    return rows_run("json_grammar");
}
