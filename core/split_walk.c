/*
 * Steps over a text that is known to be JSON: nothing is checked twice, and
 * nothing beyond its end is read whatever it is.
 */

#include <string.h>
#include "core/json.h"
#include "core/json_grammar.h"
#include "core/split_parts.h"


/* bytes of an escaped member name that is looked at */
#define SLUICE_SPLIT_NAME  128


void
sluice_split_skip(sluice_split_walk_t *walk)
{
    size_t          depth;
    uint8_t         c;
    unsigned        plain;
    const uint8_t  *p, *stop;

    depth = 0;

    while (walk->p < walk->end) {
        c = *walk->p;

        if (c == '"') {
            p = sluice_json_string(walk->p + 1, walk->limit, walk->end, &plain,
                                   &stop);
            walk->p = p ? p + 1 : walk->end;

            if (depth == 0) {
                return;
            }

            continue;
        }

        if (c == '{' || c == '[') {
            depth++;

        } else if (c == '}' || c == ']') {

            /* a scalar ended, or a container */

            if (depth == 0) {
                return;
            }

            if (--depth == 0) {
                walk->p++;
                return;
            }

        } else if (depth == 0 && (c == ',' || sluice_json_is_space(c))) {
            return;
        }

        walk->p++;
    }
}


int
sluice_split_at(sluice_split_walk_t *walk, uint8_t c)
{
    walk->p = sluice_json_space(walk->p, walk->end);

    return walk->p < walk->end && *walk->p == c;
}


sluice_text_t
sluice_split_text(sluice_split_walk_t *walk)
{
    sluice_text_t   text;
    const uint8_t  *start;

    walk->p = sluice_json_space(walk->p, walk->end);
    start = walk->p;

    sluice_split_skip(walk);

    text.data = (const char *) start;
    text.len = (size_t) (walk->p - start);

    if (text.len >= 2 && *start == '"') {
        text.data++;
        text.len -= 2;
    }

    return text;
}


static size_t
sluice_split_name(const uint8_t *name, size_t len, unsigned plain,
    const char *const *names, size_t n)
{
    size_t               i;
    uint8_t              decoded[SLUICE_SPLIT_NAME];
    sluice_json_value_t  value;

    if (!plain && len <= SLUICE_SPLIT_NAME) {
        value.data = name;
        value.len = len;
        value.type = SLUICE_JSON_STRING;
        value.escaped = 1;

        len = sluice_json_unescape(decoded, &value);
        name = decoded;
    }

    for (i = 0; i < n; i++) {
        if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0) {
            return i;
        }
    }

    return n;
}


int
sluice_split_next(sluice_split_walk_t *walk, sluice_split_member_t *member,
    const char *const *names, size_t n, unsigned *seen)
{
    unsigned        plain;
    const uint8_t  *name, *p, *stop;

    p = sluice_json_space(walk->p, walk->end);

    if (p < walk->end && *p == ',') {
        p = sluice_json_space(p + 1, walk->end);
    }

    if (p == walk->end || *p != '"' || walk->result != SLUICE_SPLIT_OK) {
        walk->p = (p < walk->end) ? p + 1 : p;
        return 0;
    }

    member->start = p;
    name = p + 1;

    p = sluice_json_string(name, walk->limit, walk->end, &plain, &stop);

    if (p == NULL) {
        walk->p = walk->end;
        return 0;
    }

    member->index = sluice_split_name(name, (size_t) (p - name), plain, names,
                                      n);

    if (member->index < n) {

        if (*seen & (1U << member->index)) {
            walk->result = SLUICE_SPLIT_DUPLICATE;
        }

        *seen |= 1U << member->index;
    }

    p = sluice_json_space(p + 1, walk->end);
    p = sluice_json_space((p < walk->end) ? p + 1 : p, walk->end);

    walk->p = p;

    return 1;
}


int
sluice_split_element(sluice_split_walk_t *walk)
{
    if (sluice_split_at(walk, ',')) {
        walk->p++;
        walk->p = sluice_json_space(walk->p, walk->end);
    }

    if (walk->p == walk->end) {
        return 0;
    }

    if (*walk->p == ']' || walk->result != SLUICE_SPLIT_OK) {
        walk->p++;
        return 0;
    }

    return 1;
}


void
sluice_split_keep(sluice_split_walk_t *walk, sluice_split_rest_t *rest,
    const sluice_split_member_t *member, unsigned *joined)
{
    sluice_text_t  *span;

    if (!*joined && rest->n < SLUICE_SPLIT_SPANS) {
        rest->spans[rest->n++].data = (const char *) member->start;
    }

    *joined = 1;

    span = &rest->spans[rest->n - 1];
    span->len = (size_t) ((const char *) walk->p - span->data);
}


size_t
sluice_split_count(sluice_split_walk_t *walk, size_t *n, size_t *most)
{
    size_t  i;

    i = (*n)++;

    if (*n > *most) {
        *most = *n;
    }

    if (*n > SLUICE_SPLIT_MAX && walk->result == SLUICE_SPLIT_OK) {
        walk->result = SLUICE_SPLIT_MANY;
    }

    return i;
}


sluice_split_item_t *
sluice_split_push(sluice_split_walk_t *walk, sluice_split_kind_e kind)
{
    size_t                i;
    sluice_split_item_t  *item;

    i = sluice_split_count(walk, &walk->items, &walk->most_items);

    item = (i < walk->split->nitems) ? &walk->split->items[i] : &walk->spare;

    memset(item, 0, sizeof(sluice_split_item_t));
    item->kind = kind;
    item->change = walk->changes;

    return item;
}


void
sluice_split_put(sluice_split_walk_t *walk,
    const sluice_split_change_t *change)
{
    size_t  i;

    i = sluice_split_count(walk, &walk->changes, &walk->most_changes);

    if (i < walk->split->nchanges) {
        walk->split->changes[i] = *change;
    }
}
