/* A request of a vector, as core/scheme.h takes it from its host. */

#ifndef SLUICE_TESTS_VECTORS_REQUEST_H
#define SLUICE_TESTS_VECTORS_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "core/scheme.h"


#define REQUEST_HEADERS  32


typedef struct {
    sluice_text_t  name;       /* lower case */
    sluice_text_t  value;
} request_header_t;

/* All texts are blocks of memory of their own. */

typedef struct {
    sluice_request_t   request;
    size_t             nheaders;
    request_header_t   headers[REQUEST_HEADERS];
    sluice_text_t      url;
    uint8_t           *body;
    size_t             body_len;
} request_t;


/* 1, or 0 when the vector is broken; the request must not move after it. */
int request_load(request_t *request, const json_t *vector);
/* After headers, url, body or method were changed. */
void request_wire(request_t *request);
void request_free(request_t *request);


#endif
