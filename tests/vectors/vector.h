/* A vector of a file, as a scheme, its keys and a request. */

#ifndef SLUICE_TESTS_VECTORS_VECTOR_H
#define SLUICE_TESTS_VECTORS_VECTOR_H

#include "tests/vectors/request.h"


#define VECTOR_ERROR  256


typedef struct {
    sluice_scheme_t         *scheme;
    size_t                   nkeys;
    sluice_key_t            *keys[SLUICE_SCHEME_KEYS];
    sluice_text_t            token;
    sluice_scheme_result_t   result;
    request_t                request;
    char                     error[VECTOR_ERROR];
} vector_t;


/* A member that is a string, else what is given. */
const char *vector_option(const json_t *object, const char *name,
    const char *otherwise);
/* 1, or 0 with v->error; v is zeroed before, and must not move after it. */
int vector_prepare(vector_t *v, const json_t *vector);
void vector_done(vector_t *v);


#endif
