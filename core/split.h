/*
 * A webhook of Meta with many entries as a list of items: each message, each
 * status, each other change is one.  An item is written as a webhook of its
 * own: all that stands around it in the original, and of the lists that it is
 * in only the item, byte for byte.
 *
 *     split = { .items = items, .nitems = 4, ... };         with some room
 *     sluice_split_read(&split, text, len, &pointer);       again on ROOM
 *     sluice_split_head(dst, &split, item); the item's data;
 *     sluice_split_tail(dst, &split, item);
 *
 * The text must have passed sluice_json_scan().  Sources: Meta's documentation
 * of webhooks (entry, changes, field, value; WhatsApp: metadata, contacts,
 * messages, statuses, errors; Messenger and Instagram: messaging, standby).
 */

#ifndef SLUICE_CORE_SPLIT_H
#define SLUICE_CORE_SPLIT_H

#include <stddef.h>
#include <stdint.h>
#include "core/envelope.h"


#define SLUICE_SPLIT_MAX    2048     /* items, changes and contacts, each */
#define SLUICE_SPLIT_ID     40       /* hex digits of an item's id */
#define SLUICE_SPLIT_SPANS  5


typedef enum {
    SLUICE_SPLIT_OK = 0,
    SLUICE_SPLIT_ROOM,         /* n... says how much there is */
    SLUICE_SPLIT_FORM,         /* not a webhook of Meta */
    SLUICE_SPLIT_DUPLICATE,    /* a member that matters is there twice */
    SLUICE_SPLIT_MANY          /* more than SLUICE_SPLIT_MAX */
} sluice_split_result_e;

typedef enum {
    SLUICE_SPLIT_ENTRY = 0,    /* an entry of no known form */
    SLUICE_SPLIT_CHANGE,       /* of changes, messaging or standby */
    SLUICE_SPLIT_ERRORS,       /* the errors beside messages or statuses */
    SLUICE_SPLIT_MESSAGE,
    SLUICE_SPLIT_STATUS
} sluice_split_kind_e;

/* The members of an object but those that are lists of items, in place. */

typedef struct {
    size_t                        n;
    sluice_text_t                 spans[SLUICE_SPLIT_SPANS];
} sluice_split_rest_t;

/* Texts are those of the JSON: strings without quotes, escapes as they are. */

typedef struct {
    const char                   *list;       /* of the entry */
    sluice_split_rest_t           entry, change, value;
    sluice_text_t                 entry_id;   /* of the WABA, the page */
    sluice_text_t                 time;       /* of the entry */
    sluice_text_t                 field;
    sluice_text_t                 number;     /* phone_number_id */
    size_t                        first;      /* its items and contacts */
    size_t                        contacts;
    size_t                        ncontacts;
} sluice_split_change_t;

typedef struct {
    sluice_text_t                 data;
    sluice_text_t                 ids[2];     /* wa_id, user_id */
    unsigned                      known:1;    /* belongs to an item */
} sluice_split_contact_t;

typedef struct {
    sluice_split_kind_e           kind;
    size_t                        change;     /* its index */
    size_t                        contact;    /* its index + 1, 0 none */
    sluice_text_t                 data;       /* its bytes in the text */
    sluice_text_t                 id;         /* of a message or status */
    sluice_text_t                 status;
    sluice_text_t                 timestamp;
    sluice_text_t                 people[4];  /* sender or recipients */
} sluice_split_item_t;

/* The caller's arrays, with n... elements of room; after a read n... is how
   many are used, or on ROOM how many are needed. */

typedef struct {
    sluice_split_rest_t           root;
    sluice_text_t                 whole;      /* of a single item: the text */
    sluice_split_item_t          *items;
    size_t                        nitems;
    sluice_split_change_t        *changes;
    size_t                        nchanges;
    sluice_split_contact_t       *contacts;
    size_t                        ncontacts;
} sluice_split_t;


/* *what: on FORM the pointer and what must be there, a static text. */
sluice_split_result_e sluice_split_read(sluice_split_t *split,
    const uint8_t *text, size_t len, const char **what);

/* The number that an item is of, or else its entry's id; may be empty. */
const sluice_text_t *sluice_split_number(const sluice_split_t *split,
    const sluice_split_item_t *item);

/*
 * The item's webhook is head, data and tail; a single item's is the text as it
 * came.  With dst NULL only the length; else writes it and returns the same.
 */
size_t sluice_split_head(uint8_t *dst, const sluice_split_t *split,
    const sluice_split_item_t *item);
const sluice_text_t *sluice_split_data(const sluice_split_t *split,
    const sluice_split_item_t *item);
size_t sluice_split_tail(uint8_t *dst, const sluice_split_t *split,
    const sluice_split_item_t *item);

/*
 * The id of the item, the same whenever Meta sends it again: a digest of the
 * scheme, the number, the message's id and, of a status, what it says of whom
 * and when; of all else of its entry's id and time and its bytes.
 * dst has room for SLUICE_SPLIT_ID bytes.  1; 0: OpenSSL refuses.
 */
int sluice_split_id(char *dst, const sluice_text_t *scheme,
    const sluice_split_t *split, const sluice_split_item_t *item);


#endif
