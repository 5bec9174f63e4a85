/*
 * What core/split.h must make of a webhook, done again with jansson: the same
 * items in the same order, each in the same surroundings, and no contact lost.
 */

#ifndef TESTS_UNIT_SPLIT_ORACLE_H
#define TESTS_UNIT_SPLIT_ORACLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/json.h"
#include "core/split.h"


#define ORACLE_FLAGS  (JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL               \
                       | JSON_REJECT_DUPLICATES)

#define oracle_require(yes)                                                   \
    do {                                                                      \
        if (!(yes)) {                                                         \
            fprintf(stderr, "split: line %d: %s\n", __LINE__, #yes);          \
            abort();                                                          \
        }                                                                     \
    } while (0)


/* a copy of the object without the members of a list of names, NULL its end */

static inline json_t *
oracle_without(json_t *object, const char *const *names, int arrays)
{
    size_t       i;
    json_t      *copy;
    json_t      *member;

    copy = json_copy(object);

    for (i = 0; names[i]; i++) {
        member = json_object_get(copy, names[i]);

        if (member && (!arrays || json_is_array(member))) {
            json_object_del(copy, names[i]);
        }
    }

    return copy;
}


/* {root, "entry": [entry]} */

static inline void
oracle_put(json_t *items, json_t *root, json_t *entry)
{
    json_t  *webhook;

    webhook = oracle_without(root, (const char *const []) { "entry", NULL },
                             0);
    json_object_set_new(webhook, "entry", json_pack("[O]", entry));
    json_array_append_new(items, webhook);
}


static inline void
oracle_put_in(json_t *items, json_t *root, json_t *entry, const char *list,
    json_t *element)
{
    json_t  *copy;

    static const char *const  lists[] = {
        "changes", "messaging", "standby", NULL
    };

    copy = oracle_without(entry, lists, 1);
    json_object_set_new(copy, list, json_pack("[O]", element));
    oracle_put(items, root, copy);
    json_decref(copy);
}


/* 1: the change was taken apart */

static inline int
oracle_change(json_t *items, json_t *root, json_t *entry, json_t *change,
    json_t *contacts)
{
    size_t       i;
    json_t      *value, *rest, *copy, *errors, *item, *list;
    const char  *name;

    static const char *const  lists[] = {
        "messages", "statuses", "contacts", "errors", NULL
    };

    value = json_object_get(change, "value");
    name = json_string_value(json_object_get(change, "field"));

    if (name == NULL || strcmp(name, "messages") != 0
        || json_string_length(json_object_get(change, "field")) != 8
        || !json_is_object(value)
        || json_array_size(json_object_get(value, "messages"))
           + json_array_size(json_object_get(value, "statuses")) == 0)
    {
        return 0;
    }

    json_object_foreach(value, name, list) {

        if (strcmp(name, "messages") != 0 && strcmp(name, "statuses") != 0) {
            continue;
        }

        json_array_foreach(list, i, item) {
            rest = oracle_without(value, lists, 1);
            json_object_set_new(rest, name, json_pack("[O]", item));
            copy = json_copy(change);
            json_object_set_new(copy, "value", rest);
            oracle_put_in(items, root, entry, "changes", copy);
            json_decref(copy);
        }
    }

    errors = json_object_get(value, "errors");

    if (json_is_array(errors)) {
        rest = oracle_without(value, lists, 1);
        json_object_set(rest, "errors", errors);
        copy = json_copy(change);
        json_object_set_new(copy, "value", rest);
        oracle_put_in(items, root, entry, "changes", copy);
        json_decref(copy);
    }

    if (json_is_array(json_object_get(value, "contacts"))) {
        json_array_extend(contacts, json_object_get(value, "contacts"));
    }

    return 1;
}


static inline json_t *
oracle_items(json_t *root, json_t *contacts)
{
    size_t       i, n;
    json_t      *items, *entry, *element, *list;
    const char  *name;
    int          lists;

    items = json_array();

    if (!json_is_array(json_object_get(root, "entry"))) {
        json_array_append(items, root);
        return items;
    }

    json_array_foreach(json_object_get(root, "entry"), i, entry) {

        lists = 0;

        json_object_foreach(entry, name, list) {

            if (!json_is_array(list)
                || (strcmp(name, "changes") != 0
                    && strcmp(name, "messaging") != 0
                    && strcmp(name, "standby") != 0))
            {
                continue;
            }

            lists = 1;

            json_array_foreach(list, n, element) {
                if (strcmp(name, "changes") != 0
                    || !oracle_change(items, root, entry, element, contacts))
                {
                    oracle_put_in(items, root, entry, name, element);
                }
            }
        }

        if (!lists) {
            oracle_put(items, root, entry);
        }
    }

    return items;
}


/* takes the contacts out of an item's change, and checks that each was there */

static inline size_t
oracle_contacts(json_t *item, json_t *contacts, json_t *seen)
{
    size_t   i, n;
    json_t  *value, *contact, *known;

    value = json_object_get(json_array_get(json_object_get(json_array_get(
                json_object_get(item, "entry"), 0), "changes"), 0), "value");

    json_array_foreach(json_object_get(value, "contacts"), i, contact) {
        json_array_foreach(contacts, n, known) {
            if (json_equal(contact, known)) {
                break;
            }
        }

        oracle_require(n < json_array_size(contacts));
        json_array_append(seen, contact);
    }

    return json_object_del(value, "contacts") == 0;
}


/* -1: nothing to compare; else how many items there are */

static inline int
oracle_compare(const uint8_t *text, size_t len, const sluice_split_t *split)
{
    size_t         i, n, head, tail, total;
    json_t        *root, *items, *item, *contacts, *contact, *known, *seen,
                  *expected;
    uint8_t       *out;
    json_error_t   error;
    const sluice_text_t  *data;

    root = json_loadb((const char *) text, len, ORACLE_FLAGS, &error);

    if (root == NULL) {
        return -1;
    }

    contacts = json_array();
    seen = json_array();
    items = oracle_items(root, contacts);

    oracle_require(json_array_size(items) == split->nitems);

    for (i = 0; i < split->nitems; i++) {
        head = sluice_split_head(NULL, split, &split->items[i]);
        data = sluice_split_data(split, &split->items[i]);
        tail = sluice_split_tail(NULL, split, &split->items[i]);
        total = head + data->len + tail;

        out = malloc(total + 1);
        oracle_require(out != NULL);
        oracle_require(sluice_split_head(out, split, &split->items[i])
                       == head);
        memcpy(out + head, data->data, data->len);
        oracle_require(sluice_split_tail(out + head + data->len, split,
                                         &split->items[i]) == tail);

        item = json_loadb((const char *) out, total, ORACLE_FLAGS, &error);
        oracle_require(item != NULL);

        if (split->nitems == 1) {
            oracle_require(json_equal(item, root));

        } else {
            expected = json_array_get(items, i);

            if (split->items[i].kind == SLUICE_SPLIT_MESSAGE
                || split->items[i].kind == SLUICE_SPLIT_STATUS)
            {
                (void) oracle_contacts(item, contacts, seen);
            }

            oracle_require(json_equal(item, expected));
        }

        json_decref(item);
        free(out);
    }

    if (split->nitems > 1) {
        json_array_foreach(contacts, i, contact) {
            json_array_foreach(seen, n, known) {
                if (json_equal(contact, known)) {
                    break;
                }
            }

            oracle_require(n < json_array_size(seen));
        }
    }

    json_decref(items);
    json_decref(contacts);
    json_decref(seen);
    json_decref(root);

    return (int) split->nitems;
}


/*
 * Reads and compares, with as little room as it may have.  -1: refused; -2:
 * nothing to compare with.
 */

static inline int
oracle_split(const uint8_t *text, size_t len)
{
    int                     rc;
    size_t                  offset;
    const char             *what;
    sluice_split_t          split;
    sluice_split_result_e   result;

    if (sluice_json_scan(text, len, NULL, 0, NULL, &offset)
        != SLUICE_JSON_OK)
    {
        return -1;
    }

    memset(&split, 0, sizeof(split));
    what = NULL;

    result = sluice_split_read(&split, text, len, &what);

    if (result == SLUICE_SPLIT_ROOM) {
        split.items = calloc(split.nitems + 1, sizeof(*split.items));
        split.changes = calloc(split.nchanges + 1, sizeof(*split.changes));
        split.contacts = calloc(split.ncontacts + 1, sizeof(*split.contacts));
        oracle_require(split.items && split.changes && split.contacts);

        result = sluice_split_read(&split, text, len, &what);
        oracle_require(result == SLUICE_SPLIT_OK);
    }

    oracle_require((result == SLUICE_SPLIT_FORM) == (what != NULL));

    rc = -1;

    if (result == SLUICE_SPLIT_OK) {
        rc = oracle_compare(text, len, &split);
        rc = (rc < 0) ? -2 : rc;
    }

    free(split.items);
    free(split.changes);
    free(split.contacts);

    return rc;
}


#endif
