/*
 * The scanner.  It keeps one small record for each open container and, for the
 * value that it is about to read, the set of pointers whose path leads there.
 * The set is narrowed by each member name and array index; once it is empty,
 * nothing below is looked at beyond its grammar.
 */

#include "core/json.h"
#include "core/json_grammar.h"
#include "core/json_path.h"


typedef struct {
    uint32_t  whole;      /* the pointers that this container is the value of */
    uint32_t  through;    /* those that go on into it */
    uint32_t  seen;       /* of them, those whose member has been read */
    unsigned  close;      /* '}' or ']'; nothing around the text */
    int64_t   index;      /* of the next element of an array */
} sluice_json_level_t;


static void sluice_json_begin(sluice_json_value_t *values, uint32_t set,
    sluice_json_type_e type, const uint8_t *start);
static void sluice_json_end(sluice_json_value_t *values, uint32_t set,
    const uint8_t *end, unsigned plain);


static inline sluice_json_result_e
sluice_json_stop(sluice_json_result_e result, const uint8_t *text,
    const uint8_t *p, size_t *offset)
{
    *offset = (size_t) (p - text);

    return result;
}


sluice_json_result_e
sluice_json_scan(const uint8_t *text, size_t len,
    const sluice_json_pointer_t *pointers, size_t n,
    sluice_json_value_t *values, size_t *offset)
{
    size_t                depth, i;
    uint32_t              here, live;
    unsigned              plain;
    const uint8_t        *end, *limit, *p, *start, *stop;
    sluice_json_type_e    type;
    sluice_json_level_t  *level;
    sluice_json_paths_t   paths;

    /* by the number of their tokens, which is the depth where they end */
    uint32_t              ends[SLUICE_JSON_TOKENS + 1];

    /* the first is around the text */
    sluice_json_level_t   levels[SLUICE_JSON_DEPTH + 1];

    end = text + len;
    limit = sluice_utf8_limit(text, end);
    p = sluice_json_space(text, end);

    if (p == end) {
        return sluice_json_stop(SLUICE_JSON_EMPTY, text, p, offset);
    }

    live = 0;
    paths.escaped = 0;
    memset(ends, 0, sizeof(ends));

    for (i = 0; i < n; i++) {
        memset(&values[i], 0, sizeof(sluice_json_value_t));
        paths.token[i] = pointers[i].token;
        paths.escaped |= (uint32_t) pointers[i].escaped << i;
        ends[pointers[i].ntokens] |= UINT32_C(1) << i;
        live |= UINT32_C(1) << i;
    }

    depth = 0;
    level = levels;
    level->whole = 0;
    level->close = UINT8_MAX + 1;

    for ( ;; ) {

        /* a value, to which the pointers in `live` lead */

        if (p == end) {
            return sluice_json_stop(SLUICE_JSON_SYNTAX, text, p, offset);
        }

        here = 0;

        if (live != 0) {
            here = live & ends[depth];
        }

        if (*p == '{' || *p == '[') {

            if (depth == SLUICE_JSON_DEPTH) {
                return sluice_json_stop(SLUICE_JSON_DEEP, text, p, offset);
            }

            if (here != 0) {
                sluice_json_begin(values, here,
                                  (*p == '{') ? SLUICE_JSON_OBJECT
                                              : SLUICE_JSON_ARRAY, p);
            }

            depth++;
            level++;
            level->whole = here;
            level->through = live ^ here;
            level->seen = 0;
            level->index = 0;

            /* in ASCII a closing bracket follows its opening one by two */

            level->close = *p + 2;

            p++;

            if (p != end && *p <= ' ') {
                p = sluice_json_space(p, end);
            }

            if (p == end || *p != level->close) {
                goto inside;
            }

        } else if (*p == '"') {
            start = p + 1;
            p = sluice_json_string(start, limit, end, &plain, &stop);

            if (p == NULL) {
                return sluice_json_stop(SLUICE_JSON_SYNTAX, text, stop,
                                        offset);
            }

            if (here != 0) {
                sluice_json_begin(values, here, SLUICE_JSON_STRING, start);
                sluice_json_end(values, here, p, plain);
            }

            p++;

        } else if (sluice_json_is_space(*p)) {
            p = sluice_json_space(p, end);
            continue;

        } else {
            start = p;
            p = sluice_json_scalar(p, end, &type, &stop);

            if (p == NULL) {
                return sluice_json_stop(SLUICE_JSON_SYNTAX, text, stop,
                                        offset);
            }

            if (here != 0) {
                sluice_json_begin(values, here, type, start);
                sluice_json_end(values, here, p, 1);
            }
        }

        /* after a value: whatever ends here, too, up to a comma */

        while (p != end && *p != ',') {

            if (*p == level->close) {
                p++;

                if (level->whole != 0) {
                    sluice_json_end(values, level->whole, p, 1);
                }

                depth--;
                level--;

            } else if (sluice_json_is_space(*p)) {
                p++;

            } else {
                return sluice_json_stop(SLUICE_JSON_SYNTAX, text, p, offset);
            }
        }

        if (p == end) {
            return sluice_json_stop(depth == 0 ? SLUICE_JSON_OK
                                               : SLUICE_JSON_SYNTAX,
                                    text, p, offset);
        }

        p++;

    inside:

        live = 0;

        if (level->close != '}') {

            if (depth == 0) {
                return sluice_json_stop(SLUICE_JSON_SYNTAX, text, p - 1,
                                        offset);
            }

            if (level->through != 0) {
                live = sluice_json_element(&paths, level->through, depth - 1,
                                           level->index);
                level->index++;
            }

            continue;
        }

        if (p == end || *p != '"') {
            p = sluice_json_space(p, end);

            if (p == end || *p != '"') {
                return sluice_json_stop(SLUICE_JSON_SYNTAX, text, p, offset);
            }
        }

        start = p + 1;
        p = sluice_json_string(start, limit, end, &plain, &stop);

        if (p == NULL) {
            return sluice_json_stop(SLUICE_JSON_SYNTAX, text, stop, offset);
        }

        if (level->through != 0) {
            live = sluice_json_member(&paths, level->through, depth - 1,
                                      start, (size_t) (p - start), plain);

            if ((live & level->seen) != 0) {
                return sluice_json_stop(SLUICE_JSON_DUPLICATE, text,
                                        start - 1, offset);
            }

            level->seen |= live;
        }

        p++;

        if (p == end || *p != ':') {
            p = sluice_json_space(p, end);

            if (p == end || *p != ':') {
                return sluice_json_stop(SLUICE_JSON_SYNTAX, text, p, offset);
            }
        }

        p++;
    }
}


const char *
sluice_json_strerror(sluice_json_result_e result)
{
    switch (result) {

    case SLUICE_JSON_OK:
        return "well-formed JSON";

    case SLUICE_JSON_EMPTY:
        return "empty where JSON is expected";

    case SLUICE_JSON_DEEP:
        return "JSON nested too deep";

    case SLUICE_JSON_DUPLICATE:
        return "duplicate member in JSON";

    case SLUICE_JSON_SYNTAX:
        break;
    }

    return "malformed JSON";
}


static void
sluice_json_begin(sluice_json_value_t *values, uint32_t set,
    sluice_json_type_e type, const uint8_t *start)
{
    sluice_json_value_t  *value;

    do {
        value = &values[__builtin_ctz(set)];
        set &= set - 1;

        value->type = type;
        value->data = start;

    } while (set != 0);
}


static void
sluice_json_end(sluice_json_value_t *values, uint32_t set,
    const uint8_t *end, unsigned plain)
{
    sluice_json_value_t  *value;

    do {
        value = &values[__builtin_ctz(set)];
        set &= set - 1;

        value->len = (size_t) (end - value->data);
        value->escaped = !plain
                         && memchr(value->data, '\\', value->len) != NULL;

    } while (set != 0);
}
