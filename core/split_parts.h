/* What the reader of core/split.h and its steps share: core/split*.c only. */

#ifndef SLUICE_CORE_SPLIT_PARTS_H
#define SLUICE_CORE_SPLIT_PARTS_H

#include "core/split.h"


typedef struct {
    sluice_split_t         *split;
    const uint8_t          *p, *end, *limit;
    size_t                  items, changes, contacts;
    size_t                  most_items, most_changes, most_contacts;
    sluice_split_result_e   result;
    sluice_split_item_t     spare;
} sluice_split_walk_t;

typedef struct {
    const uint8_t          *start;    /* the quote of its name */
    size_t                  index;    /* in the names asked for, or their n */
} sluice_split_member_t;


/* Past a value of any kind. */
void sluice_split_skip(sluice_split_walk_t *walk);
/* Is this byte next, after white space? */
int sluice_split_at(sluice_split_walk_t *walk, uint8_t c);
/* Past the value that is next, as text: a string without its quotes. */
sluice_text_t sluice_split_text(sluice_split_walk_t *walk);

/*
 * The next member of the object whose bracket or member was passed; 0 past its
 * end.  *seen gets a bit for each of the names: one that comes twice ends the
 * walk.
 */
int sluice_split_next(sluice_split_walk_t *walk,
    sluice_split_member_t *member, const char *const *names, size_t n,
    unsigned *seen);
/* Is there another element in the array?  0 past its end. */
int sluice_split_element(sluice_split_walk_t *walk);

/*
 * A member that was passed stays: one span with the one before it, if that
 * stayed too.
 */
void sluice_split_keep(sluice_split_walk_t *walk, sluice_split_rest_t *rest,
    const sluice_split_member_t *member, unsigned *joined);

/* One more; returns its index. */
size_t sluice_split_count(sluice_split_walk_t *walk, size_t *n, size_t *most);
/* An item of the change that is put next; the spare one when there is no room:
   what is wrong is found in the first pass. */
sluice_split_item_t *sluice_split_push(sluice_split_walk_t *walk,
    sluice_split_kind_e kind);
void sluice_split_put(sluice_split_walk_t *walk,
    const sluice_split_change_t *change);


#endif
