/*
 * The queues of any tenant that are known, by name: a small record each, for
 * most of them have nothing to do.  Pure.
 */

#ifndef SLUICE_WORKER_ROSTER_H
#define SLUICE_WORKER_ROSTER_H

#include <stdbool.h>
#include <stddef.h>


typedef struct known_s   known_t;
typedef struct roster_s  roster_t;

struct known_s {
    known_t       *next;         /* roster.c's */
    void          *queue;        /* what works on it, or NULL */
    void          *due;          /* a timer, or NULL */
    void          *stock;        /* its marker is watched, or NULL */
    unsigned       round;        /* the last in which it was registered */
    unsigned       asked:1;      /* a call in flight has it */
    char           name[];       /* "<prefix>:<queue>" */
};


/* NULL: out of memory; free()s every record */
roster_t *roster_open(void);
void roster_close(roster_t *roster);

size_t roster_count(const roster_t *roster);

/* NULL: not there; or, of add, out of memory */
known_t *roster_find(const roster_t *roster, const char *name, size_t len);
known_t *roster_add(roster_t *roster, const char *name, size_t len);
void roster_remove(roster_t *roster, known_t *known);

/*
 * All records, some at a time: *place is 0 at first, and 0 again when that was
 * all.  A record that stays is among them at least once, whatever is added and
 * removed between two calls; but of a bucket with more than `size`, as only
 * names have that were made for it, the others come in the next rounds.
 * Returns how many.
 */
size_t roster_next(roster_t *roster, size_t *place, known_t **found,
    size_t size);


#endif
