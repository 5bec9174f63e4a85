/*
 * One pass over the text, down to the members of each message.  What a change
 * is can stand behind what is in it, so items are noted on the way and taken
 * back when they turn out to be none.
 */

#include <string.h>
#include "core/json_grammar.h"
#include "core/split_parts.h"


static void sluice_split_alone(sluice_split_walk_t *walk,
    const uint8_t *text);
static void sluice_split_entry(sluice_split_walk_t *walk);
static void sluice_split_list(sluice_split_walk_t *walk, const char *list);
static int sluice_split_inside(sluice_split_walk_t *walk,
    sluice_split_change_t *change);
static void sluice_split_value(sluice_split_walk_t *walk,
    sluice_split_change_t *change, sluice_text_t *errors);
static void sluice_split_items(sluice_split_walk_t *walk,
    sluice_split_kind_e kind);
static void sluice_split_contacts(sluice_split_walk_t *walk);
static void sluice_split_match(sluice_split_t *split,
    const sluice_split_change_t *change, size_t last);


sluice_split_result_e
sluice_split_read(sluice_split_t *split, const uint8_t *text, size_t len,
    const char **what)
{
    size_t                 i;
    unsigned               joined, seen;
    sluice_split_walk_t    walk;
    sluice_split_member_t  member;

    static const char *const  names[] = { "entry", "field", "value" };

    memset(&walk, 0, sizeof(sluice_split_walk_t));

    walk.split = split;
    walk.p = text;
    walk.end = text + len;
    walk.limit = sluice_utf8_limit(text, walk.end);

    memset(&split->root, 0, sizeof(sluice_split_rest_t));
    split->whole.data = NULL;
    split->whole.len = 0;
    seen = 0;
    joined = 0;

    if (!sluice_split_at(&walk, '{')) {
        *what = "the body must be an object";
        return SLUICE_SPLIT_FORM;
    }

    walk.p++;

    while (sluice_split_next(&walk, &member, names, 3, &seen)) {

        if (member.index != 0) {
            sluice_split_skip(&walk);
            sluice_split_keep(&walk, &split->root, &member, &joined);
            continue;
        }

        joined = 0;

        if (!sluice_split_at(&walk, '[')) {
            *what = "/entry must be an array";
            return SLUICE_SPLIT_FORM;
        }

        walk.p++;

        while (sluice_split_element(&walk)) {
            sluice_split_entry(&walk);
        }
    }

    if (walk.result == SLUICE_SPLIT_OK && (seen & 1) == 0) {

        if (seen != 6) {
            *what = "/entry is missing";
            return SLUICE_SPLIT_FORM;
        }

        sluice_split_alone(&walk, text);
    }

    if (walk.result != SLUICE_SPLIT_OK) {
        return walk.result;
    }

    if (walk.most_items > split->nitems || walk.most_changes > split->nchanges
        || walk.most_contacts > split->ncontacts)
    {
        split->nitems = walk.most_items;
        split->nchanges = walk.most_changes;
        split->ncontacts = walk.most_contacts;

        return SLUICE_SPLIT_ROOM;
    }

    split->nitems = walk.items;
    split->nchanges = walk.changes;
    split->ncontacts = walk.contacts;

    if (walk.items == 1) {
        split->whole.data = (const char *) text;
        split->whole.len = len;

        return SLUICE_SPLIT_OK;
    }

    for (i = 0; i < walk.changes; i++) {
        sluice_split_match(split, &split->changes[i],
                           (i + 1 < walk.changes) ? split->changes[i + 1].first
                                                  : walk.items);
    }

    return SLUICE_SPLIT_OK;
}


/* The test button of Meta's dashboard sends one change without an entry. */

static void
sluice_split_alone(sluice_split_walk_t *walk, const uint8_t *text)
{
    sluice_split_item_t    *item;
    sluice_split_change_t   change;

    memset(&change, 0, sizeof(sluice_split_change_t));
    change.list = "changes";

    walk->p = text;
    (void) sluice_split_at(walk, '{');
    text = walk->p;

    (void) sluice_split_inside(walk, &change);

    walk->items = 0;
    walk->contacts = 0;
    change.ncontacts = 0;

    item = sluice_split_push(walk, SLUICE_SPLIT_CHANGE);

    item->data.data = (const char *) text;
    item->data.len = (size_t) (walk->p - text);

    sluice_split_put(walk, &change);
}


static void
sluice_split_entry(sluice_split_walk_t *walk)
{
    size_t                  first, i;
    unsigned                joined, lists, seen;
    const uint8_t          *start;
    sluice_split_item_t    *item;
    sluice_split_change_t   entry;
    sluice_split_member_t   member;

    static const char *const  names[] = {
        "id", "time", "changes", "messaging", "standby"
    };

    memset(&entry, 0, sizeof(sluice_split_change_t));

    first = walk->changes;
    start = walk->p;
    lists = 0;

    if (!sluice_split_at(walk, '{')) {
        sluice_split_skip(walk);

    } else {
        walk->p++;
        seen = 0;
        joined = 0;

        while (sluice_split_next(walk, &member, names, 5, &seen)) {

            if (member.index >= 2 && member.index < 5
                && sluice_split_at(walk, '['))
            {
                lists = 1;
                joined = 0;
                sluice_split_list(walk, names[member.index]);
                continue;
            }

            if (member.index == 0) {
                entry.entry_id = sluice_split_text(walk);

            } else if (member.index == 1) {
                entry.time = sluice_split_text(walk);

            } else {
                sluice_split_skip(walk);
            }

            sluice_split_keep(walk, &entry.entry, &member, &joined);
        }
    }

    if (!lists) {
        entry.first = walk->items;
        entry.contacts = walk->contacts;

        item = sluice_split_push(walk, SLUICE_SPLIT_ENTRY);

        item->data.data = (const char *) start;
        item->data.len = (size_t) (walk->p - start);

        sluice_split_put(walk, &entry);
    }

    for (i = first; i < walk->changes && i < walk->split->nchanges; i++) {
        walk->split->changes[i].entry = entry.entry;
        walk->split->changes[i].entry_id = entry.entry_id;
        walk->split->changes[i].time = entry.time;
    }
}


static void
sluice_split_list(sluice_split_walk_t *walk, const char *list)
{
    const uint8_t          *start;
    sluice_split_item_t    *item;
    sluice_split_change_t   change;

    walk->p++;

    while (sluice_split_element(walk)) {

        memset(&change, 0, sizeof(sluice_split_change_t));

        change.list = list;
        change.first = walk->items;
        change.contacts = walk->contacts;

        start = walk->p;

        if (*list != 'c' || *start != '{'
            || !sluice_split_inside(walk, &change))
        {
            if (walk->p == start) {
                sluice_split_skip(walk);
            }

            walk->items = change.first;
            walk->contacts = change.contacts;

            item = sluice_split_push(walk, SLUICE_SPLIT_CHANGE);

            item->data.data = (const char *) start;
            item->data.len = (size_t) (walk->p - start);
        }

        change.ncontacts = walk->contacts - change.contacts;

        sluice_split_put(walk, &change);
    }
}


/* Past the change that is next.  1: it was taken apart; 0: it is one item. */

static int
sluice_split_inside(sluice_split_walk_t *walk, sluice_split_change_t *change)
{
    unsigned                joined, object, seen;
    sluice_text_t           errors;
    sluice_split_item_t    *item;
    sluice_split_member_t   member;

    static const char *const  names[] = { "field", "value" };

    walk->p++;
    seen = 0;
    joined = 0;
    object = 0;
    errors.len = 0;

    while (sluice_split_next(walk, &member, names, 2, &seen)) {

        if (member.index == 1 && sluice_split_at(walk, '{')) {
            object = 1;
            joined = 0;
            sluice_split_value(walk, change, &errors);
            continue;
        }

        if (member.index == 0 && sluice_split_at(walk, '"')) {
            change->field = sluice_split_text(walk);

        } else {
            sluice_split_skip(walk);
        }

        sluice_split_keep(walk, &change->change, &member, &joined);
    }

    /* only here: the field "calls" has statuses of its own meaning */

    if (!object || change->field.len != 8
        || memcmp(change->field.data, "messages", 8) != 0
        || walk->items == change->first)
    {
        return 0;
    }

    if (errors.len) {
        item = sluice_split_push(walk, SLUICE_SPLIT_ERRORS);
        item->data = errors;
    }

    return 1;
}


static void
sluice_split_value(sluice_split_walk_t *walk, sluice_split_change_t *change,
    sluice_text_t *errors)
{
    unsigned               inner, joined, seen;
    const uint8_t         *start;
    sluice_split_member_t  member, number;

    static const char *const  names[] = {
        "metadata", "messages", "statuses", "contacts", "errors"
    };
    static const char *const  metadata[] = { "phone_number_id" };

    walk->p++;
    seen = 0;
    joined = 0;

    while (sluice_split_next(walk, &member, names, 5, &seen)) {

        if (member.index >= 1 && member.index <= 4
            && sluice_split_at(walk, '['))
        {
            joined = 0;
            start = walk->p;

            switch (member.index) {

            case 1:
                sluice_split_items(walk, SLUICE_SPLIT_MESSAGE);
                break;

            case 2:
                sluice_split_items(walk, SLUICE_SPLIT_STATUS);
                break;

            case 3:
                sluice_split_contacts(walk);
                break;

            default:
                sluice_split_skip(walk);
                errors->data = (const char *) start;
                errors->len = (size_t) (walk->p - start);
            }

            continue;
        }

        if (member.index == 0 && sluice_split_at(walk, '{')) {
            walk->p++;
            inner = 0;

            while (sluice_split_next(walk, &number, metadata, 1, &inner)) {

                if (number.index == 0 && sluice_split_at(walk, '"')) {
                    change->number = sluice_split_text(walk);

                } else {
                    sluice_split_skip(walk);
                }
            }

        } else {
            sluice_split_skip(walk);
        }

        sluice_split_keep(walk, &change->value, &member, &joined);
    }
}


static void
sluice_split_items(sluice_split_walk_t *walk, sluice_split_kind_e kind)
{
    unsigned                seen;
    sluice_text_t           text;
    const uint8_t          *start;
    sluice_split_item_t    *item;
    sluice_split_member_t   member;

    static const char *const  names[] = {
        "id", "status", "timestamp", "from", "from_user_id",
        "recipient_id", "recipient_user_id", "recipient_participant_id",
        "recipient_participant_user_id"
    };

    walk->p++;

    while (sluice_split_element(walk)) {

        item = sluice_split_push(walk, kind);
        start = walk->p;

        if (*start != '{') {
            sluice_split_skip(walk);

        } else {
            walk->p++;
            seen = 0;

            while (sluice_split_next(walk, &member, names, 9, &seen)) {

                text = sluice_split_text(walk);

                if (member.index == 0) {
                    item->id = text;

                } else if (member.index == 1) {
                    item->status = text;

                } else if (member.index == 2) {
                    item->timestamp = text;

                } else if (member.index < 5 && kind == SLUICE_SPLIT_MESSAGE) {
                    item->people[member.index - 3] = text;

                } else if (member.index >= 5 && member.index < 9
                           && kind == SLUICE_SPLIT_STATUS)
                {
                    item->people[member.index - 5] = text;
                }
            }
        }

        item->data.data = (const char *) start;
        item->data.len = (size_t) (walk->p - start);
    }
}


static void
sluice_split_contacts(sluice_split_walk_t *walk)
{
    size_t                   i;
    unsigned                 seen;
    const uint8_t           *start;
    sluice_text_t            text;
    sluice_split_member_t    member;
    sluice_split_contact_t   contact;

    static const char *const  names[] = { "wa_id", "user_id" };

    walk->p++;

    while (sluice_split_element(walk)) {

        memset(&contact, 0, sizeof(sluice_split_contact_t));
        start = walk->p;

        if (*start != '{') {
            sluice_split_skip(walk);

        } else {
            walk->p++;
            seen = 0;

            while (sluice_split_next(walk, &member, names, 2, &seen)) {

                text = sluice_split_text(walk);

                if (member.index < 2) {
                    contact.ids[member.index] = text;
                }
            }
        }

        contact.data.data = (const char *) start;
        contact.data.len = (size_t) (walk->p - start);

        i = sluice_split_count(walk, &walk->contacts, &walk->most_contacts);

        if (i < walk->split->ncontacts) {
            walk->split->contacts[i] = contact;
        }
    }
}


static int
sluice_split_same(const sluice_split_contact_t *contact,
    const sluice_split_item_t *item)
{
    size_t               i, n;
    const sluice_text_t  *id;

    for (n = 0; n < 2; n++) {
        id = &contact->ids[n];

        for (i = 0; id->len && i < 4; i++) {
            if (item->people[i].len == id->len
                && memcmp(item->people[i].data, id->data, id->len) == 0)
            {
                return 1;
            }
        }
    }

    return 0;
}


/* Most often the contacts stand in the order of the messages. */

static void
sluice_split_match(sluice_split_t *split, const sluice_split_change_t *change,
    size_t last)
{
    size_t                   i, n, next;
    sluice_split_contact_t  *contact;

    contact = &split->contacts[change->contacts];
    next = 0;

    for (i = change->first; i < last && change->ncontacts; i++) {

        for (n = 0; n < change->ncontacts; n++, next++) {

            if (next == change->ncontacts) {
                next = 0;
            }

            if (sluice_split_same(&contact[next], &split->items[i])) {
                contact[next].known = 1;
                split->items[i].contact = change->contacts + next + 1;
                break;
            }
        }
    }
}
