#include "core/jwt.h"

#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/signature.h"


#define SLUICE_JWT_NAME  64


static const char *sluice_jwt_header(sluice_jwt_t *jwt, const char *text,
    size_t len);
static size_t sluice_jwt_decode(uint8_t *dst, size_t size, const char *text,
    size_t len);
static int sluice_jwt_find(const sluice_jwt_t *jwt, const char *name,
    size_t len, sluice_json_value_t *value);
static int sluice_jwt_string(const sluice_json_value_t *value,
    const sluice_text_t *text);


static const char *const  sluice_jwt_names[] = {
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512",
    "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"
};


int
sluice_jwt_algorithm(const char *name, size_t len)
{
    size_t  i;

    for (i = 0; i < sizeof(sluice_jwt_names) / sizeof(char *); i++) {
        if (strlen(sluice_jwt_names[i]) == len
            && memcmp(sluice_jwt_names[i], name, len) == 0)
        {
            return (int) i;
        }
    }

    return -1;
}


const char *
sluice_jwt_parse(sluice_jwt_t *jwt, const char *token, size_t len)
{
    const char  *first, *second, *end, *error;

    end = token + len;
    first = memchr(token, '.', len);
    second = (first != NULL)
             ? memchr(first + 1, '.', (size_t) (end - first - 1)) : NULL;

    if (second == NULL
        || memchr(second + 1, '.', (size_t) (end - second - 1)) != NULL)
    {
        return "the token has not three parts";
    }

    jwt->input.data = token;
    jwt->input.len = (size_t) (second - token);

    error = sluice_jwt_header(jwt, token, (size_t) (first - token));
    if (error != NULL) {
        return error;
    }

    jwt->payload_len = sluice_jwt_decode(jwt->payload, sizeof(jwt->payload),
                                         first + 1,
                                         (size_t) (second - first - 1));
    jwt->signature_len = sluice_jwt_decode(jwt->signature,
                                           sizeof(jwt->signature), second + 1,
                                           (size_t) (end - second - 1));

    if (jwt->payload_len == SLUICE_SIGNATURE_NONE
        || jwt->signature_len == SLUICE_SIGNATURE_NONE
        || jwt->signature_len == 0)
    {
        return "the token's payload or signature is not base64url, or too "
               "long";
    }

    return NULL;
}


static const char *
sluice_jwt_header(sluice_jwt_t *jwt, const char *text, size_t len)
{
    size_t                 n, offset;
    uint8_t                header[SLUICE_JWT_HEADER];
    sluice_json_value_t    values[2];
    sluice_json_pointer_t  pointers[2];

    n = sluice_jwt_decode(header, sizeof(header), text, len);

    if (n == SLUICE_SIGNATURE_NONE) {
        return "the token's header is not base64url, or too long";
    }

    (void) sluice_json_pointer(&pointers[0], "/alg", 4);
    (void) sluice_json_pointer(&pointers[1], "/crit", 5);

    if (sluice_json_scan(header, n, pointers, 2, values, &offset)
        != SLUICE_JSON_OK)
    {
        return "the token's header is no JSON";
    }

    if (values[1].type != SLUICE_JSON_MISSING) {
        return "the token has critical extensions";
    }

    if (values[0].type != SLUICE_JSON_STRING) {
        return "the token has no algorithm";
    }

    jwt->algorithm = sluice_jwt_algorithm((const char *) values[0].data,
                                          values[0].len);

    return (jwt->algorithm < 0) ? "the token's algorithm is not allowed"
                                : NULL;
}


/* A JWS has no padding. */

static size_t
sluice_jwt_decode(uint8_t *dst, size_t size, const char *text, size_t len)
{
    if (len != 0 && text[len - 1] == '=') {
        return SLUICE_SIGNATURE_NONE;
    }

    return sluice_signature_decode(dst, size, (const uint8_t *) text, len,
                                   SLUICE_SIGNATURE_BASE64URL);
}


int
sluice_jwt_claim(const sluice_jwt_t *jwt, const char *name, size_t len,
    sluice_text_t *value)
{
    int                  rc;
    sluice_json_value_t  found;

    rc = sluice_jwt_find(jwt, name, len, &found);

    if (rc == 1) {

        if (found.type != SLUICE_JSON_STRING
            && found.type != SLUICE_JSON_NUMBER)
        {
            return -1;
        }

        value->data = (const char *) found.data;
        value->len = found.len;
    }

    return rc;
}


int
sluice_jwt_time(const sluice_jwt_t *jwt, const char *name, int64_t *time)
{
    int                  rc;
    size_t               i;
    sluice_json_value_t  value;

    rc = sluice_jwt_find(jwt, name, strlen(name), &value);

    if (rc != 1) {
        return rc;
    }

    if (value.type != SLUICE_JSON_NUMBER) {
        return -1;
    }

    *time = 0;

    for (i = 0; i < value.len && value.data[i] != '.'; i++) {

        /* twelve digits: the year 33000 */

        if (value.data[i] < '0' || value.data[i] > '9' || i == 12) {
            return -1;
        }

        *time = *time * 10 + (value.data[i] - '0');
    }

    for ( /* void */ ; i < value.len; i++) {
        if (value.data[i] == 'e' || value.data[i] == 'E') {
            return -1;
        }
    }

    return 1;
}


int
sluice_jwt_is(const sluice_jwt_t *jwt, const sluice_text_t *name,
    const sluice_text_t *text)
{
    sluice_json_value_t  value;

    return sluice_jwt_find(jwt, name->data, name->len, &value) == 1
           && value.type == SLUICE_JSON_STRING
           && sluice_jwt_string(&value, text);
}


int
sluice_jwt_audience(const sluice_jwt_t *jwt, const sluice_text_t *text)
{
    int                    n;
    char                   names[SLUICE_JWT_AUDIENCES][SLUICE_JWT_NAME];
    size_t                 i, offset;
    sluice_json_value_t    values[1 + SLUICE_JWT_AUDIENCES];
    sluice_json_pointer_t  pointers[1 + SLUICE_JWT_AUDIENCES];

    (void) sluice_json_pointer(&pointers[0], "/aud", 4);

    for (i = 0; i < SLUICE_JWT_AUDIENCES; i++) {
        n = snprintf(names[i], sizeof(names[i]), "/aud/%zu", i);
        (void) sluice_json_pointer(&pointers[i + 1], names[i], (size_t) n);
    }

    if (sluice_json_scan(jwt->payload, jwt->payload_len, pointers,
                         1 + SLUICE_JWT_AUDIENCES, values, &offset)
        != SLUICE_JSON_OK)
    {
        return 0;
    }

    if (values[0].type == SLUICE_JSON_STRING) {
        return sluice_jwt_string(&values[0], text);
    }

    if (values[0].type != SLUICE_JSON_ARRAY) {
        return 0;
    }

    for (i = 1; i <= SLUICE_JWT_AUDIENCES; i++) {
        if (values[i].type == SLUICE_JSON_STRING
            && sluice_jwt_string(&values[i], text))
        {
            return 1;
        }
    }

    return 0;
}


static int
sluice_jwt_find(const sluice_jwt_t *jwt, const char *name, size_t len,
    sluice_json_value_t *value)
{
    char                   text[SLUICE_JWT_NAME];
    size_t                 offset;
    sluice_json_pointer_t  pointer;

    if (len > sizeof(text) - 1) {
        return -1;
    }

    text[0] = '/';
    memcpy(text + 1, name, len);

    if (sluice_json_pointer(&pointer, text, len + 1) != NULL
        || sluice_json_scan(jwt->payload, jwt->payload_len, &pointer, 1,
                            value, &offset)
           != SLUICE_JSON_OK)
    {
        return -1;
    }

    return value->type != SLUICE_JSON_MISSING;
}


/* some writers escape the slashes of a URL */

static int
sluice_jwt_string(const sluice_json_value_t *value, const sluice_text_t *text)
{
    size_t   len;
    uint8_t  decoded[SLUICE_JWT_HEADER];

    if (!value->escaped) {
        return value->len == text->len
               && memcmp(value->data, text->data, text->len) == 0;
    }

    if (value->len > sizeof(decoded)) {
        return 0;
    }

    len = sluice_json_unescape(decoded, value);

    return len == text->len && memcmp(decoded, text->data, len) == 0;
}
