#include "tests/vectors/request.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/signature.h"


static int
copy(sluice_text_t *text, const char *data, size_t len)
{
    char  *p;

    p = malloc(len + 1);
    if (p == NULL) {
        return 0;
    }

    memcpy(p, data, len);
    p[len] = '\0';
    text->data = p;
    text->len = len;

    return 1;
}


static int
add_header(request_t *request, const char *name, const json_t *value)
{
    char               *p;
    request_header_t   *header;

    if (request->nheaders == REQUEST_HEADERS || !json_is_string(value)) {
        return 0;
    }

    header = &request->headers[request->nheaders++];

    if (!copy(&header->name, name, strlen(name))
        || !copy(&header->value, json_string_value(value),
                 json_string_length(value)))
    {
        return 0;
    }

    for (p = (char *) header->name.data; *p != '\0'; p++) {
        *p = (char) tolower((unsigned char) *p);
    }

    return 1;
}


static int
load_body(request_t *request, const json_t *vector)
{
    size_t         len;
    const char    *text;
    const json_t  *encoding, *value;

    value = json_object_get(vector, "body");
    encoding = json_object_get(vector, "body_encoding");
    text = json_string_value(value);
    len = json_string_length(value);

    request->body = malloc(len + 1);

    if (request->body == NULL || text == NULL) {
        return 0;
    }

    if (!json_is_string(encoding)
        || strcmp(json_string_value(encoding), "base64") != 0)
    {
        memcpy(request->body, text, len);
        request->body_len = len;
        return 1;
    }

    request->body_len = sluice_signature_decode(request->body, len,
                                                (const uint8_t *) text, len,
                                                SLUICE_SIGNATURE_BASE64);

    return request->body_len != SLUICE_SIGNATURE_NONE;
}


static size_t
get_header(void *data, const char *name, size_t len, sluice_text_t *value)
{
    request_t *request = data;

    size_t  i, n;

    n = 0;

    for (i = 0; i < request->nheaders; i++) {
        if (request->headers[i].name.len == len
            && memcmp(request->headers[i].name.data, name, len) == 0
            && n++ == 0)
        {
            *value = request->headers[i].value;
        }
    }

    return n;
}


/* in two pieces, as bodies come */

static int
get_body(void *data, sluice_scheme_piece_pt piece, void *piece_data)
{
    request_t *request = data;

    size_t  half;

    half = request->body_len / 2;

    return piece(piece_data, request->body, half)
           && piece(piece_data, request->body + half,
                    request->body_len - half);
}


static int
get_whole(void *data, sluice_text_t *body)
{
    request_t *request = data;

    body->data = (const char *) request->body;
    body->len = request->body_len;

    return 1;
}


int
request_load(request_t *request, const json_t *vector)
{
    size_t       i;
    json_t      *value, *one;
    const char  *name, *url;

    memset(request, 0, sizeof(*request));

    json_object_foreach (json_object_get(vector, "headers"), name, value) {

        if (!json_is_array(value)) {
            if (!add_header(request, name, value)) {
                return 0;
            }

            continue;
        }

        json_array_foreach (value, i, one) {
            if (!add_header(request, name, one)) {
                return 0;
            }
        }
    }

    url = json_string_value(json_object_get(vector, "url"));
    name = json_string_value(json_object_get(vector, "method"));

    if (url == NULL || name == NULL || !copy(&request->url, url, strlen(url))
        || !copy(&request->request.method, name, strlen(name))
        || !load_body(request, vector))
    {
        return 0;
    }

    request_wire(request);

    return 1;
}


void
request_wire(request_t *request)
{
    const char        *p, *end;
    sluice_request_t  *r;

    r = &request->request;
    r->data = request;
    r->url = request->url;
    r->header = get_header;
    r->body = get_body;
    r->whole = get_whole;

    /* what is behind the host */

    end = r->url.data + r->url.len;
    p = memmem(r->url.data, r->url.len, "://", 3);
    p = (p != NULL) ? memchr(p + 3, '/', (size_t) (end - p - 3)) : NULL;

    r->target.data = (p != NULL) ? p : end;
    r->target.len = (size_t) (end - r->target.data);

    r->content_type.data = "";
    r->content_type.len = 0;
    (void) get_header(request, "content-type", 12, &r->content_type);
}


void
request_free(request_t *request)
{
    size_t  i;

    for (i = 0; i < request->nheaders; i++) {
        free((char *) request->headers[i].name.data);
        free((char *) request->headers[i].value.data);
    }

    free((char *) request->request.method.data);
    free((char *) request->url.data);
    free(request->body);
}
