#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "worker/roster.h"


#define ROSTER_BUCKETS  64    /* at first; a power of two */


struct roster_s {
    known_t  **buckets;
    size_t     nbuckets, count;
};


/* FNV-1a */

static size_t
roster_hash(const char *name, size_t len)
{
    size_t    i;
    uint64_t  hash;

    hash = 14695981039346656037u;

    for (i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char) name[i]) * 1099511628211u;
    }

    return (size_t) (hash ^ hash >> 32);
}


static known_t **
roster_bucket(const roster_t *roster, const char *name, size_t len)
{
    return &roster->buckets[roster_hash(name, len) & (roster->nbuckets - 1)];
}


roster_t *
roster_open(void)
{
    roster_t  *roster;

    roster = calloc(1, sizeof(roster_t));

    if (roster == NULL) {
        return NULL;
    }

    roster->nbuckets = ROSTER_BUCKETS;
    roster->buckets = calloc(ROSTER_BUCKETS, sizeof(known_t *));

    if (roster->buckets == NULL) {
        free(roster);
        return NULL;
    }

    return roster;
}


void
roster_close(roster_t *roster)
{
    size_t    i;
    known_t  *known;

    if (roster == NULL) {
        return;
    }

    for (i = 0; i < roster->nbuckets; i++) {
        while ((known = roster->buckets[i]) != NULL) {
            roster->buckets[i] = known->next;
            free(known);
        }
    }

    free(roster->buckets);
    free(roster);
}


size_t
roster_count(const roster_t *roster)
{
    return roster->count;
}


known_t *
roster_find(const roster_t *roster, const char *name, size_t len)
{
    known_t  *known;

    for (known = *roster_bucket(roster, name, len); known; known = known->next)
    {
        if (strncmp(known->name, name, len) == 0 && known->name[len] == '\0') {
            return known;
        }
    }

    return NULL;
}


/* those of bucket i go to i or to i + nbuckets: see roster_next() */

static void
roster_grow(roster_t *roster)
{
    size_t     i, n;
    known_t   *known, **buckets, **old, **bucket;

    n = roster->nbuckets;
    buckets = calloc(2 * n, sizeof(known_t *));

    if (buckets == NULL) {
        return;
    }

    old = roster->buckets;
    roster->buckets = buckets;
    roster->nbuckets = 2 * n;

    for (i = 0; i < n; i++) {
        while ((known = old[i]) != NULL) {
            old[i] = known->next;
            bucket = roster_bucket(roster, known->name, strlen(known->name));
            known->next = *bucket;
            *bucket = known;
        }
    }

    free(old);
}


known_t *
roster_add(roster_t *roster, const char *name, size_t len)
{
    known_t  *known, **bucket;

    known = calloc(1, sizeof(known_t) + len + 1);

    if (known == NULL) {
        return NULL;
    }

    memcpy(known->name, name, len);

    if (roster->count >= roster->nbuckets) {
        roster_grow(roster);
    }

    bucket = roster_bucket(roster, name, len);
    known->next = *bucket;
    *bucket = known;
    roster->count++;

    return known;
}


void
roster_remove(roster_t *roster, known_t *known)
{
    known_t  **p;

    p = roster_bucket(roster, known->name, strlen(known->name));

    while (*p != known) {
        p = &(*p)->next;
    }

    *p = known->next;
    roster->count--;
    free(known);
}


size_t
roster_next(roster_t *roster, size_t *place, known_t **found,
    size_t size)
{
    size_t    n, in;
    known_t  *known, *rest, **p;

    n = 0;

    while (*place < roster->nbuckets) {

        in = 0;

        for (known = roster->buckets[*place]; known; known = known->next) {
            in++;
        }

        if (n && n + in > size) {
            return n;
        }

        for (p = &roster->buckets[*place]; *p && n < size; p = &(*p)->next) {
            found[n++] = *p;
        }

        /* those without room come first in the next round */

        rest = *p;
        *p = NULL;

        for (p = &rest; *p; p = &(*p)->next) { /* void */ }

        *p = roster->buckets[*place];
        roster->buckets[*place] = rest;

        (*place)++;
    }

    *place = 0;

    return n;
}
