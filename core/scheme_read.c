/*
 * Values of a request: out of its headers, its query, a form or JSON.
 */

#include "core/scheme_parts.h"

#include <string.h>
#include <strings.h>

#include "core/jwt.h"


#define SLUICE_READ_SECONDS       10    /* digits, from 2001 to 2286 */
#define SLUICE_READ_MILLISECONDS  13
#define SLUICE_READ_NAME          64
#define SLUICE_BEARER             "Bearer "


typedef struct {
    EVP_MD_CTX  *ctx;
    size_t       len;
} sluice_read_hash_t;


static sluice_read_e sluice_read_value(sluice_reading_t *reading,
    const sluice_source_t *source, sluice_text_t *value);
static sluice_read_e sluice_read_header(sluice_reading_t *reading,
    const sluice_text_t *name, sluice_text_t *value);
static sluice_read_e sluice_read_pair(sluice_reading_t *reading,
    const sluice_text_t *name, sluice_text_t *value);
static sluice_read_e sluice_read_field(sluice_reading_t *reading,
    const char *p, const char *end, const sluice_text_t *name,
    sluice_text_t *value);
static int sluice_read_is(const sluice_form_field_t *field,
    const sluice_text_t *name);
static sluice_read_e sluice_read_json(sluice_reading_t *reading,
    const sluice_json_pointer_t *pointer, sluice_text_t *value);
static sluice_read_e sluice_read_token(sluice_reading_t *reading,
    const sluice_text_t *name, sluice_text_t *value);
static int sluice_read_piece(void *data, const uint8_t *p, size_t len);


sluice_read_e
sluice_read_claim(sluice_reading_t *reading)
{
    sluice_read_e            rc;
    const sluice_sources_t  *header;

    header = &reading->scheme->header;
    rc = SLUICE_READ_MISSING;

    for (reading->alternative = 0;
         reading->alternative < header->n;
         reading->alternative++)
    {
        rc = sluice_read_value(reading, header->source[reading->alternative],
                               &reading->claim);
        if (rc != SLUICE_READ_MISSING) {
            break;
        }
    }

    return rc;
}


sluice_read_e
sluice_read_with(sluice_reading_t *reading, const sluice_sources_t *sources,
    sluice_text_t *value)
{
    size_t  i;

    i = reading->alternative;

    if (i >= sources->n) {
        i = sources->n - 1;
    }

    return sluice_read_value(reading, sources->source[i], value);
}


sluice_read_e
sluice_read_first(sluice_reading_t *reading, const sluice_sources_t *sources,
    sluice_text_t *value)
{
    size_t         i;
    sluice_read_e  rc;

    rc = SLUICE_READ_MISSING;

    for (i = 0; i < sources->n; i++) {
        rc = sluice_read_value(reading, sources->source[i], value);
        if (rc == SLUICE_READ_FOUND || rc == SLUICE_READ_FAILED) {
            break;
        }
    }

    return rc;
}


static sluice_read_e
sluice_read_value(sluice_reading_t *reading, const sluice_source_t *source,
    sluice_text_t *value)
{
    sluice_read_e  rc;

    switch (source->kind) {

    case SLUICE_SOURCE_HEADER:
        return sluice_read_header(reading, &source->name, value);

    case SLUICE_SOURCE_PAIR:
        return sluice_read_pair(reading, &source->name, value);

    case SLUICE_SOURCE_QUERY:
        return sluice_read_query(reading, &source->name, value);

    case SLUICE_SOURCE_CLAIM:
        return sluice_read_token(reading, &source->name, value);

    default:
        break;
    }

    /* a body is one of both, whatever it looks like */

    if (sluice_read_is_form(reading->request)
        != (source->kind == SLUICE_SOURCE_FORM))
    {
        return SLUICE_READ_MISSING;
    }

    rc = sluice_read_body(reading);

    if (rc != SLUICE_READ_FOUND) {
        return rc;
    }

    if (source->kind == SLUICE_SOURCE_JSON) {
        return sluice_read_json(reading, &source->pointer, value);
    }

    return sluice_read_field(reading, reading->body.data,
                             reading->body.data + reading->body.len,
                             &source->name, value);
}


static sluice_read_e
sluice_read_header(sluice_reading_t *reading, const sluice_text_t *name,
    sluice_text_t *value)
{
    size_t  n;

    n = reading->request->header(reading->request->data, name->data,
                                 name->len, value);
    if (n > 1) {
        return SLUICE_READ_MALFORMED;
    }

    return (n == 0 || value->len == 0) ? SLUICE_READ_MISSING
                                       : SLUICE_READ_FOUND;
}


static sluice_read_e
sluice_read_pair(sluice_reading_t *reading, const sluice_text_t *name,
    sluice_text_t *value)
{
    size_t         len;
    const char    *p, *end, *stop;
    sluice_read_e  rc;

    if (reading->claim.len == 0) {
        return SLUICE_READ_MISSING;
    }

    rc = SLUICE_READ_MISSING;
    p = reading->claim.data;
    end = p + reading->claim.len;

    for ( ;; ) {
        stop = memchr(p, reading->scheme->separator, (size_t) (end - p));
        len = (size_t) ((stop != NULL ? stop : end) - p);

        if (len > name->len && p[name->len] == '='
            && memcmp(p, name->data, name->len) == 0)
        {
            if (rc == SLUICE_READ_FOUND) {
                return SLUICE_READ_MALFORMED;
            }

            rc = SLUICE_READ_FOUND;
            value->data = p + name->len + 1;
            value->len = len - name->len - 1;
        }

        if (stop == NULL) {
            return (rc == SLUICE_READ_FOUND && value->len == 0)
                   ? SLUICE_READ_MISSING : rc;
        }

        p = stop + 1;
    }
}


sluice_read_e
sluice_read_query(sluice_reading_t *reading, const sluice_text_t *name,
    sluice_text_t *value)
{
    const char  *p, *end;

    end = reading->request->target.data + reading->request->target.len;
    p = memchr(reading->request->target.data, '?',
               reading->request->target.len);

    if (p == NULL) {
        return SLUICE_READ_MISSING;
    }

    return sluice_read_field(reading, p + 1, end, name, value);
}


static sluice_read_e
sluice_read_field(sluice_reading_t *reading, const char *p, const char *end,
    const sluice_text_t *name, sluice_text_t *value)
{
    char                 *dst;
    size_t                len;
    sluice_read_e         rc;
    sluice_form_field_t   field;

    rc = SLUICE_READ_MISSING;

    while (sluice_form_next(&p, end, &field)) {

        if (!sluice_read_is(&field, name)) {
            continue;
        }

        if (rc == SLUICE_READ_FOUND
            || field.value_len > SLUICE_SCHEME_SCRATCH - reading->used)
        {
            return SLUICE_READ_MALFORMED;
        }

        dst = reading->scratch + reading->used;
        len = sluice_form_decode(dst, field.value, field.value_len);

        if (len == SLUICE_FORM_MALFORMED) {
            return SLUICE_READ_MALFORMED;
        }

        rc = SLUICE_READ_FOUND;
        value->data = dst;
        value->len = len;
        reading->used += len;
    }

    return (rc == SLUICE_READ_FOUND && value->len == 0) ? SLUICE_READ_MISSING
                                                        : rc;
}


static int
sluice_read_is(const sluice_form_field_t *field, const sluice_text_t *name)
{
    char    decoded[3 * SLUICE_READ_NAME];
    size_t  len;

    if (field->name_len == name->len
        && memcmp(field->name, name->data, name->len) == 0)
    {
        return 1;
    }

    if (field->name_len <= name->len || field->name_len > sizeof(decoded)) {
        return 0;
    }

    len = sluice_form_decode(decoded, field->name, field->name_len);

    return len == name->len && memcmp(decoded, name->data, len) == 0;
}


static sluice_read_e
sluice_read_json(sluice_reading_t *reading,
    const sluice_json_pointer_t *pointer, sluice_text_t *value)
{
    size_t               offset;
    uint8_t             *dst;
    sluice_json_value_t  found;

    if (sluice_json_scan((const uint8_t *) reading->body.data,
                         reading->body.len, pointer, 1, &found, &offset)
        != SLUICE_JSON_OK)
    {
        return SLUICE_READ_MALFORMED;
    }

    switch (found.type) {

    case SLUICE_JSON_STRING:
    case SLUICE_JSON_NUMBER:
        break;

    case SLUICE_JSON_MISSING:
    case SLUICE_JSON_NULL:
        return SLUICE_READ_MISSING;

    default:
        return SLUICE_READ_MALFORMED;
    }

    value->data = (const char *) found.data;
    value->len = found.len;

    if (found.type == SLUICE_JSON_STRING && found.escaped) {

        if (found.len > SLUICE_SCHEME_SCRATCH - reading->used) {
            return SLUICE_READ_MALFORMED;
        }

        dst = (uint8_t *) reading->scratch + reading->used;
        value->len = sluice_json_unescape(dst, &found);
        value->data = (char *) dst;
        reading->used += value->len;
    }

    return (value->len == 0) ? SLUICE_READ_MISSING : SLUICE_READ_FOUND;
}


/* A claim of a token that was verified. */

static sluice_read_e
sluice_read_token(sluice_reading_t *reading, const sluice_text_t *name,
    sluice_text_t *value)
{
    char          *dst;
    sluice_jwt_t   jwt;
    sluice_text_t  token;

    if (reading->claim.len == 0
        || !sluice_read_bearer(reading, &token)
        || sluice_jwt_parse(&jwt, token.data, token.len) != NULL
        || sluice_jwt_claim(&jwt, name->data, name->len, value) != 1
        || value->len > SLUICE_SCHEME_SCRATCH - reading->used)
    {
        return SLUICE_READ_MISSING;
    }

    dst = reading->scratch + reading->used;
    memcpy(dst, value->data, value->len);
    reading->used += value->len;
    value->data = dst;

    return SLUICE_READ_FOUND;
}


/* A secret in Authorization stands behind "Bearer", in any other alone. */

int
sluice_read_bearer(const sluice_reading_t *reading, sluice_text_t *token)
{
    size_t                  len;
    const sluice_source_t  *source;

    *token = reading->claim;
    source = reading->scheme->header.source[reading->alternative];

    if (!sluice_text_is(&source->name, "authorization")) {
        return 1;
    }

    len = sizeof(SLUICE_BEARER) - 1;

    if (token->len <= len || strncasecmp(token->data, SLUICE_BEARER, len) != 0)
    {
        return 0;
    }

    token->data += len;
    token->len -= len;

    return 1;
}


sluice_read_e
sluice_read_body(sluice_reading_t *reading)
{
    if (!reading->whole) {

        if (!reading->request->whole(reading->request->data, &reading->body))
        {
            return SLUICE_READ_FAILED;
        }

        reading->whole = 1;
    }

    return SLUICE_READ_FOUND;
}


int
sluice_read_is_form(const sluice_request_t *request)
{
    size_t              len;

    static const char   form[] = "application/x-www-form-urlencoded";

    len = sizeof(form) - 1;

    return request->content_type.len >= len
           && strncasecmp(request->content_type.data, form, len) == 0
           && (request->content_type.len == len
               || strchr("; \t", request->content_type.data[len]) != NULL);
}


/* A length of one, so that no digit can go over to what is signed behind. */

int
sluice_read_time(const sluice_scheme_t *scheme, const sluice_text_t *text,
    int64_t *time)
{
    size_t  i;

    if (text->len != (scheme->milliseconds ? SLUICE_READ_MILLISECONDS
                                           : SLUICE_READ_SECONDS))
    {
        return 0;
    }

    *time = 0;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] < '0' || text->data[i] > '9') {
            return 0;
        }

        *time = *time * 10 + (text->data[i] - '0');
    }

    return 1;
}


int
sluice_read_fresh(const sluice_scheme_t *scheme, int64_t time, int64_t now)
{
    int64_t  unit, age;

    if (scheme->tolerance == 0) {
        return 1;
    }

    unit = scheme->milliseconds ? 1000 : 1;
    age = now * unit - time;

    return age <= scheme->tolerance * unit && age >= -scheme->tolerance * unit;
}


int
sluice_read_hash(const sluice_reading_t *reading, uint8_t *hash, size_t *len)
{
    int                      ok;
    sluice_read_hash_t       body;
    const sluice_request_t  *request;

    request = reading->request;
    body.len = 0;
    body.ctx = EVP_MD_CTX_new();

    ok = body.ctx != NULL
         && EVP_DigestInit_ex(body.ctx, EVP_sha256(), NULL) == 1
         && request->body(request->data, sluice_read_piece, &body)
         && EVP_DigestFinal_ex(body.ctx, hash, NULL) == 1;

    EVP_MD_CTX_free(body.ctx);

    *len = body.len;

    return ok;
}


static int
sluice_read_piece(void *data, const uint8_t *p, size_t len)
{
    sluice_read_hash_t *body = data;

    body->len += len;

    return EVP_DigestUpdate(body->ctx, p, len) == 1;
}


sluice_text_t
sluice_read_url(const sluice_reading_t *reading)
{
    return (reading->scheme->public_url.len != 0)
           ? reading->scheme->public_url : reading->request->url;
}
