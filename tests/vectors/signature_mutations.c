/*
 * signature_mutations [N] [SEED]
 *
 * N requests, each a valid one of the vectors with something changed that its
 * scheme covers, are refused: body, signature, time, id, URL, method, secret,
 * clock.  What a scheme does not cover is not changed, and what means the same
 * is not counted: mutate.c has the rules and their reasons.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/vectors/mutate.h"


seeds_t  seeds;


static void
copy_request(request_t *r, const request_t *from)
{
    size_t  i;

    memset(r, 0, sizeof(request_t));
    r->nheaders = from->nheaders;

    for (i = 0; i < r->nheaders; i++) {
        put(&r->headers[i].name, from->headers[i].name.data,
            from->headers[i].name.len);
        put(&r->headers[i].value, from->headers[i].value.data,
            from->headers[i].value.len);
    }

    put(&r->url, from->url.data, from->url.len);
    put(&r->request.method, from->request.method.data,
        from->request.method.len);
    put_body(r, (char *) from->body, from->body_len);
    request_wire(r);
}


static int
accepted(const seed_t *seed, sluice_key_t *key, request_t *r, int64_t now)
{
    sluice_scheme_result_t  result;

    request_wire(r);

    sluice_scheme_check(seed->v.scheme, &key, 1, &seed->v.token, &r->request,
                        now, &result);

    return result.verdict == SLUICE_SCHEME_VALID;
}


/*
 * No NUL: an HMAC fills its key up with them.  A public key may be written in
 * many ways, so only those that are hex are changed.
 */

static int
try_secret(const seed_t *seed, int *bad)
{
    char                    text[8192];
    size_t                  i, len;
    request_t               r;
    const char             *why;
    sluice_key_t           *key;
    const sluice_scheme_t  *scheme;

    scheme = seed->v.scheme;
    len = strlen(seed->secret);

    if (len > 256 || len == 0
        || (seed->v.keys[0]->public != NULL
            && strcmp(scheme->preset->name, "discord") != 0))
    {
        return 0;
    }

    memcpy(text, seed->secret, len);
    change(text, &len, "0123456789abcdefABCDEF+/xyz");

    for (i = 0; i < len; i++) {
        if (text[i] == '\0') {
            return 0;
        }
    }

    text[len] = '\0';

    if (strcmp(text, seed->secret) == 0
        || (scheme->decode
            && scheme->secret_encoding == SLUICE_SIGNATURE_HEX
            && strcasecmp(text, seed->secret) == 0))
    {
        return 0;
    }

    key = sluice_key_create(scheme, text, len, &why);
    copy_request(&r, &seed->v.request);
    *bad = accepted(seed, key, &r, seed->now);

    request_free(&r);
    sluice_key_destroy(key);

    return 1;
}


static int
try_clock(const seed_t *seed, int *bad)
{
    int64_t    far;
    request_t  r;

    far = 100000 + (int64_t) rnd(1000000000);

    if (seed->v.scheme->tolerance != 0 && rnd(2)) {
        far = -far;

    } else if (seed->v.scheme->tolerance == 0
               && seed->v.scheme->preset->kind != SLUICE_KIND_JWT)
    {
        return 0;
    }

    copy_request(&r, &seed->v.request);
    *bad = accepted(seed, seed->v.keys[0], &r, seed->now + far);
    request_free(&r);

    return 1;
}


static int
try_request(const seed_t *seed, int *bad)
{
    int        changed;
    size_t     i;
    request_t  r;

    copy_request(&r, &seed->v.request);

    changed = mutate(seed, &r);

    if (changed) {
        *bad = accepted(seed, seed->v.keys[0], &r, seed->now);
    }

    if (*bad) {
        fwrite("# body: ", 1, 8, stdout);
        fwrite(r.body, 1, r.body_len < 300 ? r.body_len : 300, stdout);
        printf("\n# url: %s\n", r.url.data);

        for (i = 0; i < r.nheaders; i++) {
            printf("# %s: %s\n", r.headers[i].name.data,
                   r.headers[i].value.data);
        }
    }

    request_free(&r);

    return changed;
}


/* Only the secret that matches stays: another may match another change. */

static void
take(const json_t *vector)
{
    size_t                   i, key;
    json_t                  *public;
    seed_t                  *seed;
    sluice_scheme_result_t   result;

    seed = &seeds.seed[seeds.n];
    memset(seed, 0, sizeof(seed_t));

    seed->id = vector_option(vector, "id", "");
    seed->now = json_integer_value(json_object_get(vector, "now"));

    if (seeds.n == SEEDS_MAX - 1
        || strcmp(vector_option(vector, "expect", ""), "valid") != 0
        || !vector_prepare(&seed->v, vector))
    {
        vector_done(&seed->v);
        return;
    }

    sluice_scheme_check(seed->v.scheme, seed->v.keys, seed->v.nkeys,
                        &seed->v.token, &seed->v.request.request, seed->now,
                        &result);

    if (result.verdict != SLUICE_SCHEME_VALID) {
        vector_done(&seed->v);
        return;
    }

    key = result.key;

    for (i = 0; i < seed->v.nkeys; i++) {
        if (i != key) {
            sluice_key_destroy(seed->v.keys[i]);
        }
    }

    seed->v.keys[0] = seed->v.keys[key];
    seed->v.nkeys = 1;

    i = json_array_size(json_object_get(vector, "secrets"));
    public = json_array_get(json_object_get(vector, "public_keys"), key - i);

    seed->secret = strdup((key < i)
        ? json_string_value(json_array_get(json_object_get(vector, "secrets"),
                                           key))
        : vector_option(public, "value", ""));

    seeds.n++;
}


int
main(int argc, char **argv)
{
    int            bad, did;
    long           i, n, skipped;
    size_t         k, f;
    json_t        *files[2], *vector;
    const seed_t  *seed;

    static const char *const  names[] = {
        "tests/vectors/signature_vectors.json", "tests/vectors/own.json"
    };

    n = (argc > 1) ? atol(argv[1]) : 20000;
    seeds.state = (argc > 2) ? strtoull(argv[2], NULL, 10) : 1;
    seeds.state = seeds.state * 0x9e3779b97f4a7c15u + 1;

    for (f = 0; f < 2; f++) {
        files[f] = json_load_file(names[f], 0, NULL);

        if (!json_is_array(files[f])) {
            fprintf(stderr, "%s cannot be read\n", names[f]);
            return 2;
        }

        json_array_foreach (files[f], k, vector) {
            take(vector);
        }
    }

    printf("1..1\n");

    skipped = 0;
    bad = 0;

    for (i = 0; i < n && !bad; /* void */ ) {
        seed = &seeds.seed[rnd(seeds.n)];

        switch (rnd(16)) {

        case 0:
            did = try_secret(seed, &bad);
            break;

        case 1:
            did = try_clock(seed, &bad);
            break;

        default:
            did = try_request(seed, &bad);
        }

        i += did;
        skipped += !did;

        if (bad) {
            printf("# %s was taken after change %ld\n", seed->id, i);
        }
    }

    printf("%sok 1 - %ld changes of %zu valid requests are refused\n",
           bad ? "not " : "", n, seeds.n);
    printf("# %ld that change nothing that is covered are not counted\n",
           skipped);

    for (k = 0; k < seeds.n; k++) {
        vector_done(&seeds.seed[k].v);
        free(seeds.seed[k].secret);
    }

    json_decref(files[0]);
    json_decref(files[1]);

    return bad;
}
