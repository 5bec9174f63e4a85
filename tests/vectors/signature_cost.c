/*
 * signature_cost FILE ID WHO TIMES
 *
 * The valid request ID of FILE is checked TIMES times: with its own key (WHO is
 * "right"), with the key of somebody else ("bad"), with none, as of a tenant
 * that is unknown ("unknown").  For constant-time.t, under callgrind.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vectors/vector.h"


/* Somebody else's secret of the same form, or public key. */

static sluice_key_t *
another(const vector_t *v, const json_t *vector)
{
    char          text[256];
    size_t        len;
    const char   *secret, *why;

    static const char  ed25519[] =
        "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8";
    static const char  p256[] =
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE7VmNcSiW+h75Xfp1xdn8BTNAVJ"
        "+ShKi235K76kB0z/sw1My5WMxCLP7OZdzPYxqZH9b9Aoxqt5mJY0s8sdjuTQ==";

    secret = json_string_value(json_array_get(
                                   json_object_get(vector, "secrets"), 0));

    if (secret == NULL) {
        secret = (strcmp(sluice_scheme_name(v->scheme), "discord") == 0)
                 ? ed25519 : p256;
        return sluice_key_create(v->scheme, secret, strlen(secret), &why);
    }

    len = (size_t) snprintf(text, sizeof(text), "%s", secret);
    text[len - 5] = (text[len - 5] == 'A') ? 'B' : 'A';

    return sluice_key_create(v->scheme, text, len, &why);
}


int
main(int argc, char **argv)
{
    long                     i, times;
    size_t                   k;
    int64_t                  now;
    json_t                  *vectors, *vector;
    vector_t                 v;
    sluice_key_t            *key;
    sluice_scheme_result_t   result;
    sluice_scheme_verdict_e  expected;

    if (argc != 5) {
        fprintf(stderr, "usage: signature_cost FILE ID WHO TIMES\n");
        return 2;
    }

    vectors = json_load_file(argv[1], 0, NULL);
    times = atol(argv[4]);
    vector = NULL;

    json_array_foreach (vectors, k, vector) {
        if (strcmp(vector_option(vector, "id", ""), argv[2]) == 0) {
            break;
        }
    }

    memset(&v, 0, sizeof(v));

    if (k == json_array_size(vectors) || !vector_prepare(&v, vector)) {
        fprintf(stderr, "signature_cost: there is no such vector\n");
        return 2;
    }

    now = json_integer_value(json_object_get(vector, "now"));
    key = v.keys[0];
    expected = SLUICE_SCHEME_VALID;

    if (strcmp(argv[3], "bad") == 0) {
        key = another(&v, vector);
        expected = SLUICE_SCHEME_MISMATCH;

    } else if (strcmp(argv[3], "unknown") == 0) {
        key = NULL;
        expected = SLUICE_SCHEME_EMPTY;
    }

    for (i = 0; i < times; i++) {
        sluice_scheme_check(v.scheme, &key, 1, &v.token, &v.request.request,
                            now, &result);

        if (result.verdict != expected) {
            fprintf(stderr, "signature_cost: verdict %d: %s\n",
                    result.verdict, result.step);
            return 1;
        }
    }

    if (key != v.keys[0]) {
        sluice_key_destroy(key);
    }

    vector_done(&v);
    json_decref(vectors);

    return 0;
}
