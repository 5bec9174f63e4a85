/* Changes of a valid request of a vector, for signature_mutations.c. */

#ifndef SLUICE_TESTS_VECTORS_MUTATE_H
#define SLUICE_TESTS_VECTORS_MUTATE_H

#include "core/scheme_parts.h"
#include "tests/vectors/vector.h"


#define SEEDS_MAX  1024


typedef struct {
    const char  *id;
    vector_t     v;
    char        *secret;        /* the one that matches */
    int64_t      now;
} seed_t;

typedef struct {
    size_t    n;
    seed_t    seed[SEEDS_MAX];
    uint64_t  state;            /* of rnd() */
} seeds_t;


extern seeds_t  seeds;


/* 0 to n - 1 */
uint64_t rnd(uint64_t n);
/* A copy takes the place of a text that is malloc()ed. */
void put(sluice_text_t *text, const char *data, size_t len);
void put_body(request_t *r, const char *data, size_t len);
/* Some bytes become others, at most 16 more. */
void change(char *text, size_t *len, const char *alphabet);
/* 1 when a form with this body has the signed text of the seed's. */
int same_form(const seed_t *seed, const char *body, size_t len);

/*
 * Something that the scheme covers is changed: 1, or 0 when there is nothing of
 * it, or it means the same.
 */
int mutate(const seed_t *seed, request_t *r);


#endif
