/* Text from elsewhere. */

#ifndef SLUICE_WORKER_TEXT_H
#define SLUICE_WORKER_TEXT_H

#include <jansson.h>
#include <stddef.h>


/* A JSON string; what is no UTF-8 becomes U+FFFD.  NULL: out of memory. */
json_t *text_json(const char *text, size_t len);


#endif
