/*
 * signature_vectors FILE
 *
 * Each vector of FILE against core/signature.h, a TAP line each.  A scheme, a
 * kind or an option that is not built is skipped with the reason.  Where a
 * vector says that the answer is the implementation's, ours is only told.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "core/signature.h"


typedef struct {
    const char                     *header;
    const char                     *prefix;
    sluice_signature_algorithm_e    algorithm;
    sluice_signature_encoding_e     encoding;
} scheme_t;


static const char *
option(const json_t *options, const char *name, const char *otherwise)
{
    const char  *value;

    value = json_string_value(json_object_get(options, name));

    return (value != NULL) ? value : otherwise;
}


static int
choice(const char *const *names, size_t n, const char *name)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0) {
            return (int) i;
        }
    }

    return -1;
}


/* Returns NULL, or why the vector is not for what is built. */

static const char *
scheme_of(scheme_t *scheme, const json_t *vector)
{
    int            algorithm, encoding;
    const char    *name;
    const json_t  *options;

    /* in the order of the enums */

    static const char *const  algorithms[] = {
        "sha1", "sha256", "sha384", "sha512"
    };

    static const char *const  encodings[] = { "hex", "base64", "base64url" };

    name = option(vector, "scheme", "");
    options = json_object_get(vector, "options");

    if (strcmp(name, "meta") == 0) {

        if (strcmp(option(vector, "kind", ""), "delivery") != 0) {
            return "handshakes are decided in the NGINX module";
        }

        scheme->header = "X-Hub-Signature-256";
        scheme->prefix = "sha256=";
        scheme->algorithm = SLUICE_SIGNATURE_SHA256;
        scheme->encoding = SLUICE_SIGNATURE_HEX;

        return NULL;
    }

    if (strcmp(name, "generic-hmac") != 0) {
        return "the scheme is not built";
    }

    if (strcmp(option(options, "template", "{body}"), "{body}") != 0) {
        return "templates are not built";
    }

    if (strcmp(option(options, "secret_encoding", "plain"), "plain") != 0) {
        return "encoded secrets are not built";
    }

    algorithm = choice(algorithms, 4, option(options, "algorithm", "sha256"));
    encoding = choice(encodings, 3, option(options, "encoding", "hex"));

    if (algorithm < 0 || encoding < 0) {
        return "the algorithm or the encoding is not built";
    }

    scheme->header = option(options, "signature_header", "X-Signature");
    scheme->prefix = option(options, "prefix", "");
    scheme->algorithm = (sluice_signature_algorithm_e) algorithm;
    scheme->encoding = (sluice_signature_encoding_e) encoding;

    return NULL;
}


/* The only value of a header; NULL when there is none or more than one. */

static const json_t *
header_of(json_t *headers, const char *name)
{
    json_t        *value;
    const char    *key;
    const json_t  *found;

    found = NULL;

    json_object_foreach (headers, key, value) {

        if (strcasecmp(key, name) != 0) {
            continue;
        }

        if (json_is_array(value) && json_array_size(value) == 1) {
            value = json_array_get(value, 0);
        }

        if (found != NULL || !json_is_string(value)) {
            return NULL;
        }

        found = value;
    }

    return found;
}


static uint8_t *
body_of(const json_t *vector, size_t *len)
{
    int            n;
    uint8_t       *body;
    const char    *text;
    const json_t  *value;

    value = json_object_get(vector, "body");
    text = json_string_value(value);
    *len = json_string_length(value);

    body = malloc(*len + 1);

    if (body == NULL || text == NULL) {
        free(body);
        return NULL;
    }

    if (strcmp(option(vector, "body_encoding", "utf-8"), "base64") != 0) {
        memcpy(body, text, *len);
        return body;
    }

    n = EVP_DecodeBlock(body, (const unsigned char *) text, (int) *len);

    if (n < 0) {
        free(body);
        return NULL;
    }

    /* EVP_DecodeBlock() counts what was padding */

    while (*len != 0 && text[*len - 1] == '=') {
        (*len)--;
        n--;
    }

    *len = (size_t) n;

    return body;
}


static sluice_signature_result_e
verify(const scheme_t *scheme, const char *secret, size_t secret_len,
    const uint8_t *body, size_t len, const json_t *header)
{
    size_t                      mac_len;
    uint8_t                     mac[SLUICE_SIGNATURE_MAX];
    sluice_signature_t         *signature;
    sluice_signature_result_e   result;

    signature = sluice_signature_create(scheme->algorithm,
                                        (const uint8_t *) secret, secret_len);
    if (signature == NULL) {
        return SLUICE_SIGNATURE_FAILED;
    }

    result = SLUICE_SIGNATURE_FAILED;

    /* in two pieces, as bodies come */

    if (sluice_signature_begin(signature)
        && sluice_signature_update(signature, body, len / 2)
        && sluice_signature_update(signature, body + len / 2, len - len / 2)
        && sluice_signature_final(signature, mac, &mac_len))
    {
        result = sluice_signature_check(mac, mac_len,
                             (const uint8_t *) json_string_value(header),
                             json_string_length(header), scheme->prefix,
                             strlen(scheme->prefix), scheme->encoding);
    }

    sluice_signature_destroy(signature);

    return result;
}


/* 1 valid, 0 invalid, -1 when the vector itself is broken */

static int
run(const scheme_t *scheme, const json_t *vector)
{
    int            valid;
    size_t         i, len;
    json_t        *secret;
    uint8_t       *body;
    const json_t  *header;

    body = body_of(vector, &len);

    if (body == NULL) {
        return -1;
    }

    valid = 0;
    header = header_of(json_object_get(vector, "headers"), scheme->header);

    if (header != NULL) {
        json_array_foreach (json_object_get(vector, "secrets"), i, secret) {
            valid |= verify(scheme, json_string_value(secret),
                            json_string_length(secret), body, len, header)
                     == SLUICE_SIGNATURE_VALID;
        }
    }

    free(body);

    return valid;
}


int
main(int argc, char **argv)
{
    int            valid, expected;
    size_t         i, failed, ran;
    json_t        *vector, *vectors;
    scheme_t       scheme;
    const char    *id, *name, *reason;
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
    ran = 0;

    json_array_foreach (vectors, i, vector) {
        id = option(vector, "id", "without an id");
        name = option(vector, "name", "");
        reason = scheme_of(&scheme, vector);

        if (reason != NULL) {
            printf("ok %zu - %s # skip %s\n", i + 1, id, reason);
            continue;
        }

        ran++;
        valid = run(&scheme, vector);
        expected = strcmp(option(vector, "expect", ""), "valid") == 0;

        if (valid == expected) {
            printf("ok %zu - %s %s\n", i + 1, id, name);

        } else if (strcmp(option(vector, "strength", ""),
                          "implementation-defined") == 0 && valid >= 0)
        {
            printf("ok %zu - %s %s: %s by us\n", i + 1, id, name,
                   valid ? "valid" : "invalid");

        } else {
            printf("not ok %zu - %s %s\n# expected %s: %s\n", i + 1, id, name,
                   option(vector, "expect", "valid or invalid"),
                   option(vector, "why", ""));
            failed++;
        }
    }

    printf("# %zu run, %zu failed\n", ran, failed);
    json_decref(vectors);

    return failed != 0 || ran == 0;
}
