/*
 * What every channel's request is made of.
 */

#include <stdlib.h>
#include <string.h>
#include "worker/worker.h"


void
request_free(request_t *request)
{
    char  **header;

    if (request->headers != NULL) {
        for (header = request->headers; *header != NULL; header++) {

            /* one of them holds a token */
            explicit_bzero(*header, strlen(*header));
            free(*header);
        }
    }

    free(request->headers);
    free(request->url);
    free(request->body);

    memset(request, 0, sizeof(request_t));
}
