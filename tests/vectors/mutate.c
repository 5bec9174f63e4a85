/*
 * What a scheme covers, changed.  What means the same is not a change, and each
 * rule for that stands with its reason at the function.
 */

#include "tests/vectors/mutate.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>


static request_header_t *
header(request_t *r, const char *name, size_t len)
{
    size_t  i;

    for (i = 0; i < r->nheaders; i++) {
        if (r->headers[i].name.len == len
            && memcmp(r->headers[i].name.data, name, len) == 0)
        {
            return &r->headers[i];
        }
    }

    return NULL;
}


/* The header of a value; of several names, the one that the request has. */

static request_header_t *
header_of(request_t *r, const sluice_sources_t *sources)
{
    size_t             i;
    request_header_t  *found;

    for (i = 0; i < sources->n; i++) {
        if (sources->source[i]->kind == SLUICE_SOURCE_HEADER) {
            found = header(r, sources->source[i]->name.data,
                           sources->source[i]->name.len);
            if (found != NULL) {
                return found;
            }
        }
    }

    return NULL;
}


/* Of a time or an id, the header that goes with the signature's. */

static request_header_t *
field_of(request_t *r, const sluice_scheme_t *scheme,
    const sluice_sources_t *sources)
{
    size_t                  i;
    const sluice_source_t  *source;

    if (sources->n == 0) {
        return NULL;
    }

    for (i = 0; i + 1 < scheme->header.n; i++) {
        source = scheme->header.source[i];

        if (header(r, source->name.data, source->name.len) != NULL) {
            break;
        }
    }

    source = sources->source[i < sources->n ? i : sources->n - 1];

    return (source->kind == SLUICE_SOURCE_HEADER)
           ? header(r, source->name.data, source->name.len) : NULL;
}


static int
has_part(const sluice_scheme_t *scheme, sluice_part_e kind)
{
    size_t  i;

    for (i = 0; i < scheme->nparts; i++) {
        if (scheme->parts[i].kind == kind) {
            return 1;
        }
    }

    return 0;
}


static int
covers_body(const seed_t *seed)
{
    const sluice_scheme_t  *scheme;

    scheme = seed->v.scheme;

    return has_part(scheme, SLUICE_PART_BODY)
           || scheme->preset->kind == SLUICE_KIND_TWILIO
           || scheme->body_hash.len != 0;
}


static int
mutate_body(const seed_t *seed, request_t *r)
{
    char          *text;
    size_t         len, times;
    const seed_t  *other;

    if (!covers_body(seed)) {
        return 0;
    }

    other = &seeds.seed[rnd(seeds.n)];

    if (rnd(16) == 0) {
        len = other->v.request.body_len;
        text = malloc(len + 64);
        memcpy(text, other->v.request.body, len);

    } else {
        len = r->body_len;
        text = malloc(len + 64);
        memcpy(text, r->body, len);

        for (times = 1 + rnd(2); times != 0; times--) {
            change(text, &len, NULL);
        }
    }

    if ((len == r->body_len && memcmp(text, r->body, len) == 0)
        || same_form(seed, text, len))
    {
        free(text);
        return 0;
    }

    put_body(r, text, len);
    free(text);

    return 1;
}


/*
 * Of a list, every signature is damaged: one that is whole among others is
 * still the sender's.  Hex has two cases for one value.  What is before a token
 * ("Bearer") is not part of it.
 */

static int
mutate_signature(const seed_t *seed, request_t *r)
{
    int                     hit;
    char                    c, *text;
    size_t                  i, start, len, skip;
    request_header_t       *h;
    const sluice_scheme_t  *scheme;

    static const char  digits[] = "0123456789abcdef";
    static const char  base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno"
                                  "pqrstuvwxyz0123456789+/=-_.";

    scheme = seed->v.scheme;
    h = header_of(r, &scheme->header);

    if (h == NULL) {
        return 0;
    }

    len = h->value.len;
    text = malloc(len + 64);
    memcpy(text, h->value.data, len);

    if (scheme->separator == 0) {
        skip = (strncasecmp(text, "Bearer ", 7) == 0) ? 7 : 0;
        len -= skip;
        change(text + skip, &len, rnd(2) ? base64 : NULL);
        len += skip;

        /* a header's value ends before white space */

        hit = len != h->value.len || memcmp(text, h->value.data, len) != 0;

        if (scheme->encoding == SLUICE_SIGNATURE_HEX
            && scheme->preset->kind == SLUICE_KIND_SIGNED
            && len == h->value.len
            && strncasecmp(text, h->value.data, len) == 0)
        {
            hit = 0;
        }

    } else {
        hit = 0;

        for (start = 0; start < len; start = i + 1) {

            for (i = start; i < len && text[i] != scheme->separator; i++) {
                /* void */
            }

            skip = scheme->prefix.len;

            if (scheme->public_version.len != 0 && i - start > 4
                && memcmp(text + start, scheme->public_version.data,
                          scheme->public_version.len)
                   == 0)
            {
                skip = scheme->public_version.len;

            } else if (i - start <= skip
                       || memcmp(text + start, scheme->prefix.data, skip)
                          != 0)
            {
                continue;
            }

            start += skip + rnd(i - start - skip);

            do {
                c = (scheme->encoding == SLUICE_SIGNATURE_HEX)
                    ? digits[rnd(16)] : base64[rnd(64)];
            } while (c == text[start]);

            text[start] = c;
            hit = 1;
        }
    }

    if (hit) {
        put(&h->value, text, len);
    }

    free(text);

    return hit;
}


static int
mutate_fields(const seed_t *seed, request_t *r)
{
    char                    *text;
    size_t                   i, len;
    request_header_t        *h;
    const sluice_scheme_t   *scheme;

    scheme = seed->v.scheme;

    /* a body's time is the body's */

    h = field_of(r, scheme, rnd(2) ? &scheme->timestamp : &scheme->id);

    if (h == NULL) {
        return 0;
    }

    if (rnd(8) == 0) {

        /* gone, or there twice */

        if (rnd(2) == 0) {
            put(&h->value, "", 0);
            return 1;
        }

        if (r->nheaders == REQUEST_HEADERS) {
            return 0;
        }

        i = r->nheaders++;
        memset(&r->headers[i], 0, sizeof(request_header_t));
        put(&r->headers[i].name, h->name.data, h->name.len);
        put(&r->headers[i].value, h->value.data, h->value.len);
        return 1;
    }

    len = h->value.len;
    text = malloc(len + 64);
    memcpy(text, h->value.data, len);
    change(text, &len, rnd(2) ? "0123456789" : NULL);

    i = (len != h->value.len || memcmp(text, h->value.data, len) != 0);

    if (i) {
        put(&h->value, text, len);
    }

    free(text);

    return (int) i;
}


/* The time inside of the signature's header. */

static int
mutate_pair(const seed_t *seed, request_t *r)
{
    char              *p;
    size_t             i;
    request_header_t  *h;

    if (seed->v.scheme->timestamp.n == 0
        || seed->v.scheme->timestamp.source[0]->kind != SLUICE_SOURCE_PAIR)
    {
        return 0;
    }

    h = header_of(r, &seed->v.scheme->header);
    p = strchr(h->value.data, '=');

    if (p == NULL || p - h->value.data > 2) {
        return 0;
    }

    i = 1 + rnd(10);
    p[i] = (char) ('0' + (p[i] - '0' + 1 + (char) rnd(9)) % 10);

    return 1;
}


/* Bytes go from one signed value to the next: the same text, read otherwise. */

static int
mutate_boundary(const seed_t *seed, request_t *r)
{
    char               *text;
    size_t              n, len;
    request_header_t   *h;

    h = field_of(r, seed->v.scheme, &seed->v.scheme->timestamp);

    if (h == NULL || !has_part(seed->v.scheme, SLUICE_PART_TIMESTAMP)
        || !has_part(seed->v.scheme, SLUICE_PART_BODY))
    {
        return 0;
    }

    n = 1 + rnd(3);

    if (rnd(2) && r->body_len > n) {
        len = h->value.len + n;
        text = malloc(len + 1);
        memcpy(text, h->value.data, h->value.len);
        memcpy(text + h->value.len, r->body, n);
        put(&h->value, text, len);
        free(text);

        text = malloc(r->body_len);
        len = r->body_len - n;
        memcpy(text, r->body + n, len);

    } else if (h->value.len >= n) {
        len = r->body_len + n;
        text = malloc(len);
        memcpy(text, h->value.data + h->value.len - n, n);
        memcpy(text + n, r->body, r->body_len);
        put(&h->value, h->value.data, h->value.len - n);

    } else {
        return 0;
    }

    put_body(r, text, len);
    free(text);

    return 1;
}


/* The port that a scheme means may stand there or not. */

static int
mutate_url(const seed_t *seed, request_t *r)
{
    char                   *text, *port;
    size_t                  len, i;
    const sluice_scheme_t  *scheme;

    scheme = seed->v.scheme;

    if (scheme->public_url.len != 0
        || !(has_part(scheme, SLUICE_PART_URL)
             || scheme->preset->kind == SLUICE_KIND_TWILIO
             || scheme->url_hash.len != 0))
    {
        return 0;
    }

    len = r->url.len;
    text = malloc(len + 64);
    memcpy(text, r->url.data, len);
    change(text, &len, rnd(2) ? "abc/?&=:.0123456789" : NULL);

    for (i = 0; i < 2; i++) {
        port = memmem(text, len, i ? ":80" : ":443", i ? 3 : 4);

        if (port != NULL && port - text < 40) {
            free(text);
            return 0;
        }
    }

    i = (len != r->url.len || memcmp(text, r->url.data, len) != 0);

    if (i) {
        put(&r->url, text, len);
    }

    free(text);

    return (int) i;
}


static int
mutate_method(const seed_t *seed, request_t *r)
{
    if (!has_part(seed->v.scheme, SLUICE_PART_METHOD)) {
        return 0;
    }

    put(&r->request.method, rnd(2) ? "PUT" : "post", rnd(2) ? 3 : 4);

    return 1;
}


/* A form that is said to be something else, and the other way round. */

static int
mutate_type(const seed_t *seed, request_t *r)
{
    const char        *type;
    request_header_t  *h;

    if (seed->v.scheme->preset->kind != SLUICE_KIND_TWILIO
        || r->body_len == 0)
    {
        return 0;
    }

    h = header(r, "content-type", 12);
    if (h == NULL) {
        return 0;
    }

    type = "application/x-www-form-urlencoded";

    if (sluice_read_is_form(&r->request)) {
        type = rnd(2) ? "application/json" : "text/plain";

    } else {

        /* JSON that is whole is what was signed, whatever it is called */

        put_body(r, "", 0);
    }

    put(&h->value, type, strlen(type));

    return 1;
}


/* Mailgun signs two values inside of the body, and has the signature there. */

static int
mutate_inside(const seed_t *seed, request_t *r)
{
    char    c, *p;
    size_t  i, len;

    static const char *const  names[] = {
        "timestamp", "token", "signature"
    };

    if (strcmp(seed->v.scheme->preset->name, "mailgun") != 0) {
        return 0;
    }

    i = rnd(3);
    len = strlen(names[i]);

    /* the last one: JSON has "signature" outside as well */

    for (p = (char *) r->body + r->body_len - len; p > (char *) r->body; p--) {
        if (memcmp(p, names[i], len) == 0
            && (p[len] == '=' || memcmp(p + len, "\":\"", 3) == 0))
        {
            break;
        }
    }

    p += len + (p[len] == '=' ? 1 : 3) + rnd(8);

    do {
        c = "0123456789abcdef"[rnd(16)];
    } while (c == *p);

    *p = c;

    return 1;
}


int
mutate(const seed_t *seed, request_t *r)
{
    static int  (*const mutations[])(const seed_t *, request_t *) = {
        mutate_body, mutate_body, mutate_body, mutate_signature,
        mutate_signature, mutate_fields, mutate_pair, mutate_boundary,
        mutate_url, mutate_method, mutate_type, mutate_inside, mutate_inside
    };

    return mutations[rnd(sizeof(mutations) / sizeof(mutations[0]))](seed, r);
}
