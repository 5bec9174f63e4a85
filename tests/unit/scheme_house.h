/*
 * A scheme with settings, and a request that was signed, for test_scheme*.c.
 */

#ifndef SLUICE_TESTS_SCHEME_HOUSE_H
#define SLUICE_TESTS_SCHEME_HOUSE_H

#include "tests/unit/rows.h"

#include "core/scheme.h"
#include "core/scheme_parts.h"
#include "core/scheme_sign.h"


static sluice_scheme_t *
scheme_with(const char *name, const char *text)
{
    const char       *p, *end, *equals;
    sluice_scheme_t  *scheme;

    scheme = sluice_scheme_create(name, strlen(name));
    assert_non_null(scheme);

    for (p = text; *p != '\0'; p = end + (*end == ' ')) {
        end = p + strcspn(p, " ");
        equals = strchr(p, '=');

        assert_null(sluice_scheme_set(scheme, p, (size_t) (equals - p),
                                      equals + 1,
                                      (size_t) (end - equals - 1)));
    }

    return scheme;
}


static size_t
get_header(void *data, const char *name, size_t len, sluice_text_t *value)
{
    size_t                          i;
    const sluice_signed_request_t  *made;

    made = data;

    for (i = 0; i < made->n; i++) {
        if (strlen(made->values[i].place) == len
            && memcmp(made->values[i].place, name, len) == 0)
        {
            *value = made->values[i].value;
            return 1;
        }
    }

    return 0;
}


static int
get_body(void *data, sluice_scheme_piece_pt piece, void *piece_data)
{
    return piece(piece_data, (const uint8_t *) "{\"a\":1}", 7);
}


static int
get_whole(void *data, sluice_text_t *body)
{
    body->data = "{\"a\":1}";
    body->len = 7;

    return 1;
}


static void
request_of(sluice_request_t *request, sluice_signed_request_t *made,
    sluice_text_t *id)
{
    memset(request, 0, sizeof(sluice_request_t));
    request->data = made;
    request->header = get_header;
    request->body = get_body;
    request->whole = get_whole;
    request->method.data = "POST";
    request->method.len = 4;
    request->url.data = "https://h/p";
    request->url.len = 11;
    request->target.data = "/p";
    request->target.len = 2;
    request->content_type.data = "";
    id->data = "id";
    id->len = 2;
}


#endif
