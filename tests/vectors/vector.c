#include "tests/vectors/vector.h"

#include <stdio.h>
#include <string.h>


const char *
vector_option(const json_t *object, const char *name, const char *otherwise)
{
    const char  *value;

    value = json_string_value(json_object_get(object, name));

    return (value != NULL) ? value : otherwise;
}


static int
set(vector_t *v, const char *name, const char *value)
{
    const char  *wrong;

    wrong = sluice_scheme_set(v->scheme, name, strlen(name), value,
                              strlen(value));

    if (wrong != NULL) {
        snprintf(v->error, VECTOR_ERROR, "\"%s\" %s", name, wrong);
        return 0;
    }

    return 1;
}


/* The options of a vector in the words of our settings. */

static int
settings(vector_t *v, const json_t *options)
{
    char           number[32], list[VECTOR_ERROR];
    size_t         i, k;
    json_t        *value, *item;
    const char    *name;

    static const struct {
        const char  *theirs;
        const char  *ours;       /* NULL: is not a setting */
    } names[] = {
        { "tolerance_s", "tolerance" },
        { "leeway_s", "leeway" },
        { "clock_tolerance_s", "leeway" },
        { "notification_url", "public_url" },
        { "public_url", "public_url" },
        { "algorithm", "algorithm" },
        { "encoding", "encoding" },
        { "prefix", "prefix" },
        { "template", "signed" },
        { "signature_header", "header" },
        { "timestamp_header", "timestamp" },
        { "timestamp_unit", "timestamp_unit" },
        { "id_header", "id" },
        { "secret_encoding", "secret_encoding" },
        { "algorithms", "algorithms" },
        { "issuer", "issuer" },
        { "audience", "audience" },
        { "body_hash_claim", "body_hash" },
        { "header", "header" },
        { "crc", "crc" },
        { "separator", "separator" },
        { "claim", "claim" },
        { "verify_token", NULL }
    };

    json_object_foreach ((json_t *) options, name, value) {

        for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            if (strcmp(names[i].theirs, name) == 0) {
                break;
            }
        }

        if (i == sizeof(names) / sizeof(names[0])) {
            snprintf(v->error, VECTOR_ERROR, "option \"%s\" is not known",
                     name);
            return 0;
        }

        if (names[i].ours == NULL) {
            continue;
        }

        list[0] = '\0';

        json_array_foreach (value, k, item) {
            snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
                     k ? "," : "", json_string_value(item));
        }

        snprintf(number, sizeof(number), "%lld",
                 (long long) json_integer_value(value));

        if (!set(v, names[i].ours,
                 json_is_integer(value) ? number
                 : json_is_array(value) ? list : json_string_value(value)))
        {
            return 0;
        }
    }

    return 1;
}


/*
 * An empty secret is a key that is none, as the host has it; one that is
 * refused for another reason too.
 */

static void
add_key(vector_t *v, const char *secret)
{
    const char  *why;

    if (v->nkeys < SLUICE_SCHEME_KEYS) {
        v->keys[v->nkeys++] = sluice_key_create(v->scheme, secret,
                                                strlen(secret), &why);
    }
}


int
vector_prepare(vector_t *v, const json_t *vector)
{
    size_t         i;
    json_t        *value;
    const char    *name, *wrong;

    static const char *const  names[][2] = {
        { "generic-hmac", "hmac" },
        { "jwt-bearer", "jwt" },
        { "standard-webhooks", "standard" },
        { "gitlab-token", "gitlab_token" },
        { "gitlab-signature", "gitlab" }
    };

    name = vector_option(vector, "scheme", "");

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i][0], name) == 0) {
            name = names[i][1];
        }
    }

    v->scheme = sluice_scheme_create(name, strlen(name));
    if (v->scheme == NULL) {
        snprintf(v->error, VECTOR_ERROR, "no scheme is named \"%s\"", name);
        return 0;
    }

    if (!settings(v, json_object_get(vector, "options"))) {
        return 0;
    }

    wrong = sluice_scheme_ready(v->scheme);

    if (wrong != NULL) {
        snprintf(v->error, VECTOR_ERROR, "%s", wrong);
        return 0;
    }

    json_array_foreach (json_object_get(vector, "secrets"), i, value) {
        add_key(v, json_string_value(value));
    }

    json_array_foreach (json_object_get(vector, "public_keys"), i, value) {
        add_key(v, vector_option(value, "value", ""));
    }

    v->token.data = vector_option(json_object_get(vector, "options"),
                                  "verify_token", "");
    v->token.len = strlen(v->token.data);

    if (!request_load(&v->request, vector)) {
        snprintf(v->error, VECTOR_ERROR, "the request is broken");
        return 0;
    }

    return 1;
}


void
vector_done(vector_t *v)
{
    size_t  i;

    for (i = 0; i < v->nkeys; i++) {
        sluice_key_destroy(v->keys[i]);
    }

    sluice_scheme_destroy(v->scheme);
    request_free(&v->request);
}
