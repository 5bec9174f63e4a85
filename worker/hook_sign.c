/* The headers of a hook's request, by Standard Webhooks. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/scheme_sign.h"
#include "worker/hook_call.h"


static size_t
sign_header(void *data, const char *name, size_t len, sluice_text_t *value)
{
    return 0;
}


static int
sign_body(void *data, sluice_scheme_piece_pt piece, void *piece_data)
{
    const request_t  *request = data;

    return piece(piece_data, (const uint8_t *) request->body,
                 request->body_len);
}


static int
sign_whole(void *data, sluice_text_t *body)
{
    const request_t  *request = data;

    body->data = request->body;
    body->len = request->body_len;

    return 1;
}


static const char *
sign_headers(request_t *request, const sluice_signed_request_t *result,
    const char *id)
{
    size_t        i, n;
    const char   *place;

    n = 0;
    request->headers = calloc(result->n + 3, sizeof(char *));

    if (request->headers == NULL
        || asprintf(&request->headers[n++], "Content-Type: application/json")
           < 0
        || (result->n == 0
            && asprintf(&request->headers[n++], "webhook-id: %s", id) < 0))
    {
        return "out of memory";
    }

    for (i = 0; i < result->n; i++) {
        place = result->values[i].place;

        if (asprintf(&request->headers[n++], "%s: %.*s", place,
                     (int) result->values[i].value.len,
                     result->values[i].value.data)
            < 0)
        {
            return "out of memory";
        }
    }

    return NULL;
}


const char *
hook_sign(request_t *request, const char *secret, const char *id, int64_t now)
{
    const char               *wrong;
    sluice_text_t             event;
    sluice_scheme_t          *scheme;
    sluice_request_t          asked;
    sluice_signed_request_t  *result;

    result = calloc(1, sizeof(sluice_signed_request_t));

    if (result == NULL || secret == NULL) {
        wrong = result ? sign_headers(request, result, id) : "out of memory";
        free(result);

        return wrong;
    }

    memset(&asked, 0, sizeof(sluice_request_t));
    asked.data = request;
    asked.method.data = "POST";
    asked.method.len = 4;
    asked.url.data = request->url;
    asked.url.len = strlen(request->url);
    asked.target.data = "/";
    asked.target.len = 1;
    asked.content_type.data = "application/json";
    asked.content_type.len = strlen(asked.content_type.data);
    asked.header = sign_header;
    asked.body = sign_body;
    asked.whole = sign_whole;

    event.data = id;
    event.len = strlen(id);
    scheme = sluice_scheme_create("standard", strlen("standard"));
    wrong = scheme ? sluice_scheme_ready(scheme) : "out of memory";

    if (wrong == NULL) {
        wrong = sluice_scheme_sign(scheme, secret, strlen(secret), &event,
                                   &asked, now, result);
    }

    if (wrong == NULL) {
        wrong = sign_headers(request, result, id);
    }

    sluice_scheme_destroy(scheme);
    free(result);

    return wrong;
}
