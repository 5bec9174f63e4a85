/*
 * The JSON of a tenant's entry.  It is scanned once as a whole, its arrays
 * once each: an entry is small, and read when it changed.
 */

#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>
#include "core/gcra.h"
#include "core/json.h"
#include "core/keys.h"
#include "core/signature.h"
#include "core/tenant.h"


typedef struct {
    sluice_tenant_t             *tenant;
    const sluice_tenant_keys_t  *keys;
    sluice_tenant_error_t       *error;
} sluice_tenant_parse_t;

enum {
    FIELD_ROOT = 0,
    FIELD_ID,
    FIELD_ENABLED,
    FIELD_SECRETS,
    FIELD_API_KEYS,
    FIELD_PATHS,
    FIELD_NUMBERS,
    FIELD_RATE,
    FIELD_BURST,
    FIELD_QUEUE,
    FIELD_CLASS,
    FIELD_CREATED,
    FIELD_UPDATED,
    FIELDS
};

static const char  *sluice_tenant_fields[FIELDS] = {
    "", "/id", "/enabled", "/secrets", "/api_keys", "/paths", "/numbers",
    "/rate", "/burst", "/queue", "/class", "/created", "/updated"
};


static int sluice_tenant_secrets(sluice_tenant_parse_t *parse,
    const sluice_json_value_t *array);
static int sluice_tenant_secret(sluice_tenant_parse_t *parse, size_t i,
    const sluice_json_value_t *members);
static int sluice_tenant_api_keys(sluice_tenant_parse_t *parse,
    const sluice_json_value_t *array);
static int sluice_tenant_list(sluice_tenant_parse_t *parse, const char *name,
    const sluice_json_value_t *array, size_t max, size_t longest,
    sluice_text_t *list, size_t *n);
static int sluice_tenant_settings(sluice_tenant_parse_t *parse,
    const sluice_json_value_t *values);
static int sluice_tenant_elements(sluice_tenant_parse_t *parse,
    const char *name, const sluice_json_value_t *array, size_t max,
    sluice_json_value_t *values, size_t *n);


static int
sluice_tenant_wrong(sluice_tenant_parse_t *parse, const char *pointer,
    const char *what)
{
    parse->error->what = what;
    snprintf(parse->error->pointer, sizeof(parse->error->pointer), "%s",
             pointer);

    return 0;
}


static int
sluice_tenant_wrong_at(sluice_tenant_parse_t *parse, const char *name,
    size_t i, const char *member, const char *what)
{
    char  pointer[64];

    snprintf(pointer, sizeof(pointer), "%s/%zu%s", name, i, member);

    return sluice_tenant_wrong(parse, pointer, what);
}


/* All values are of one scan of one text, so that decoded they have room. */

static sluice_text_t
sluice_tenant_text(sluice_tenant_parse_t *parse,
    const sluice_json_value_t *value)
{
    sluice_text_t     text;
    sluice_tenant_t  *tenant;

    tenant = parse->tenant;

    text.data = (char *) tenant->text + tenant->used;
    text.len = 0;

    if (value->type == SLUICE_JSON_STRING) {
        text.len = sluice_json_unescape(tenant->text + tenant->used, value);
        tenant->used += text.len;
    }

    return text;
}


static int
sluice_tenant_is(const sluice_text_t *text, const char *word)
{
    return text->len == strlen(word) && memcmp(text->data, word, text->len)
                                        == 0;
}


int
sluice_tenant_parse(sluice_tenant_t *tenant, const char *id, size_t id_len,
    const char *json, size_t len, const sluice_tenant_keys_t *keys,
    sluice_tenant_error_t *error)
{
    size_t                  i, offset;
    sluice_text_t           text;
    sluice_json_result_e    result;
    sluice_json_value_t     values[FIELDS];
    sluice_json_pointer_t   pointers[FIELDS];
    sluice_tenant_parse_t   parse;

    memset(tenant, 0, offsetof(sluice_tenant_t, text));
    memset(error, 0, sizeof(sluice_tenant_error_t));

    parse.tenant = tenant;
    parse.keys = keys;
    parse.error = error;

    if (!sluice_keys_name_ok(id, id_len)) {
        return sluice_tenant_wrong(&parse, "/id",
                                   "must be 1 to 64 of A-Z a-z 0-9 _ . -");
    }

    /* also the room for all texts of it */

    if (len > SLUICE_TENANT_JSON - SLUICE_KEYS_NAME_MAX) {
        return sluice_tenant_wrong(&parse, "", "is too long");
    }

    memcpy(tenant->text, id, id_len);
    tenant->used = id_len;
    tenant->id.data = (char *) tenant->text;
    tenant->id.len = id_len;

    for (i = 0; i < FIELDS; i++) {
        (void) sluice_json_pointer(&pointers[i], sluice_tenant_fields[i],
                                   strlen(sluice_tenant_fields[i]));
    }

    result = sluice_json_scan((const uint8_t *) json, len, pointers, FIELDS,
                              values, &offset);

    if (result != SLUICE_JSON_OK) {
        return sluice_tenant_wrong(&parse, "", sluice_json_strerror(result));
    }

    if (values[FIELD_ROOT].type != SLUICE_JSON_OBJECT) {
        return sluice_tenant_wrong(&parse, "", "is not an object");
    }

    if (values[FIELD_ID].type == SLUICE_JSON_STRING) {
        text = sluice_tenant_text(&parse, &values[FIELD_ID]);

        if (text.len != id_len || memcmp(text.data, id, id_len) != 0) {
            return sluice_tenant_wrong(&parse, "/id",
                                       "is not the name of the entry");
        }

    } else if (values[FIELD_ID].type != SLUICE_JSON_MISSING) {
        return sluice_tenant_wrong(&parse, "/id", "is not a string");
    }

    switch (values[FIELD_ENABLED].type) {

    case SLUICE_JSON_MISSING:
    case SLUICE_JSON_TRUE:
        tenant->enabled = 1;
        break;

    case SLUICE_JSON_FALSE:
        break;

    default:
        return sluice_tenant_wrong(&parse, "/enabled",
                                   "is neither true nor false");
    }

    return sluice_tenant_secrets(&parse, &values[FIELD_SECRETS])
           && sluice_tenant_api_keys(&parse, &values[FIELD_API_KEYS])
           && sluice_tenant_list(&parse, "/paths", &values[FIELD_PATHS],
                                 SLUICE_TENANT_PATHS, SLUICE_TENANT_PATH,
                                 tenant->paths, &tenant->npaths)
           && sluice_tenant_list(&parse, "/numbers", &values[FIELD_NUMBERS],
                                 SLUICE_TENANT_NUMBERS, SLUICE_TENANT_NUMBER,
                                 tenant->numbers, &tenant->nnumbers)
           && sluice_tenant_settings(&parse, values);
}


void
sluice_tenant_cleanse(sluice_tenant_t *tenant)
{
    OPENSSL_cleanse(tenant->text, tenant->used);
    memset(tenant, 0, offsetof(sluice_tenant_t, text));
}


/*
 * The elements of an array, or what is wrong with it; values has room for one
 * more than max, which shows that there are too many.
 */

static int
sluice_tenant_elements(sluice_tenant_parse_t *parse, const char *name,
    const sluice_json_value_t *array, size_t max, sluice_json_value_t *values,
    size_t *n)
{
    char                    text[SLUICE_TENANT_API_KEYS + 1][4];
    size_t                  i, offset;
    sluice_json_pointer_t   pointers[SLUICE_TENANT_API_KEYS + 1];

    *n = 0;

    if (array->type == SLUICE_JSON_MISSING) {
        return 1;
    }

    if (array->type != SLUICE_JSON_ARRAY) {
        return sluice_tenant_wrong(parse, name, "is not an array");
    }

    for (i = 0; i <= max; i++) {
        snprintf(text[i], sizeof(text[i]), "/%u", (unsigned) i & 0x1f);
        (void) sluice_json_pointer(&pointers[i], text[i], strlen(text[i]));
    }

    if (sluice_json_scan(array->data, array->len, pointers, max + 1, values,
                         &offset)
        != SLUICE_JSON_OK)
    {
        return sluice_tenant_wrong(parse, name, "is malformed");
    }

    while (*n <= max && values[*n].type != SLUICE_JSON_MISSING) {
        (*n)++;
    }

    if (*n > max) {
        return sluice_tenant_wrong(parse, name, "has too many elements");
    }

    return 1;
}


static int
sluice_tenant_secrets(sluice_tenant_parse_t *parse,
    const sluice_json_value_t *array)
{
    size_t                 i, k, n, offset;
    sluice_json_value_t    elements[SLUICE_TENANT_SECRETS + 1];
    sluice_json_value_t    members[3];
    sluice_json_pointer_t  pointers[3];

    static const char     *names[3] = { "/scheme", "/value", "/sealed" };

    if (!sluice_tenant_elements(parse, "/secrets", array,
                                SLUICE_TENANT_SECRETS, elements, &n))
    {
        return 0;
    }

    for (k = 0; k < 3; k++) {
        (void) sluice_json_pointer(&pointers[k], names[k], strlen(names[k]));
    }

    for (i = 0; i < n; i++) {

        if (elements[i].type != SLUICE_JSON_OBJECT) {
            return sluice_tenant_wrong_at(parse, "/secrets", i, "",
                                          "is not an object");
        }

        if (sluice_json_scan(elements[i].data, elements[i].len, pointers, 3,
                             members, &offset)
            != SLUICE_JSON_OK)
        {
            return sluice_tenant_wrong_at(parse, "/secrets", i, "",
                                          "has a member twice");
        }

        for (k = 0; k < 3; k++) {
            if (members[k].type != SLUICE_JSON_STRING
                && members[k].type != SLUICE_JSON_MISSING)
            {
                return sluice_tenant_wrong_at(parse, "/secrets", i, names[k],
                                              "is not a string");
            }
        }

        if (!sluice_tenant_secret(parse, i, members)) {
            return 0;
        }
    }

    parse->tenant->nsecrets = n;

    return 1;
}


static int
sluice_tenant_secret(sluice_tenant_parse_t *parse, size_t i,
    const sluice_json_value_t *members)
{
    size_t                   len;
    const char              *what;
    sluice_text_t            sealed;
    sluice_tenant_t         *tenant;
    sluice_tenant_secret_t  *secret;

    tenant = parse->tenant;
    secret = &tenant->secrets[i];

    secret->scheme = sluice_tenant_text(parse, &members[0]);

    if (!sluice_keys_name_ok(secret->scheme.data, secret->scheme.len)) {
        return sluice_tenant_wrong_at(parse, "/secrets", i, "/scheme",
                                      "must be the name of a scheme");
    }

    if ((members[1].type == SLUICE_JSON_STRING)
        == (members[2].type == SLUICE_JSON_STRING))
    {
        return sluice_tenant_wrong_at(parse, "/secrets", i, "",
                                      "needs one of value and sealed");
    }

    if (members[1].type == SLUICE_JSON_STRING) {
        secret->value = sluice_tenant_text(parse, &members[1]);

        if (secret->value.len == 0
            || secret->value.len > SLUICE_TENANT_SECRET)
        {
            return sluice_tenant_wrong_at(parse, "/secrets", i, "/value",
                                          "must have 1 to 4096 bytes");
        }

        return 1;
    }

    /* opened in its own place: what is sealed is longer than what it holds */

    sealed = sluice_tenant_text(parse, &members[2]);

    what = sluice_tenant_open((uint8_t *) sealed.data, &len, parse->keys,
                              tenant->id.data, tenant->id.len, sealed.data,
                              sealed.len);
    if (what) {
        return sluice_tenant_wrong_at(parse, "/secrets", i, "/sealed", what);
    }

    secret->value.data = sealed.data;
    secret->value.len = len;

    return 1;
}


static int
sluice_tenant_api_keys(sluice_tenant_parse_t *parse,
    const sluice_json_value_t *array)
{
    size_t               i, n;
    uint8_t              nothing[SLUICE_TENANT_DIGEST];
    sluice_json_value_t  elements[SLUICE_TENANT_API_KEYS + 1];

    if (!sluice_tenant_digest(nothing, "", 0)) {
        return sluice_tenant_wrong(parse, "/api_keys", "needs SHA-256");
    }

    if (!sluice_tenant_elements(parse, "/api_keys", array,
                                SLUICE_TENANT_API_KEYS, elements, &n))
    {
        return 0;
    }

    for (i = 0; i < n; i++) {

        if (elements[i].type != SLUICE_JSON_STRING
            || sluice_signature_decode(parse->tenant->api_keys[i],
                                       SLUICE_TENANT_DIGEST, elements[i].data,
                                       elements[i].len, SLUICE_SIGNATURE_HEX)
               != SLUICE_TENANT_DIGEST)
        {
            return sluice_tenant_wrong_at(parse, "/api_keys", i, "",
                                          "is not 64 hex digits");
        }

        /* whoever brings no key would have this one */

        if (memcmp(parse->tenant->api_keys[i], nothing, sizeof(nothing))
            == 0)
        {
            return sluice_tenant_wrong_at(parse, "/api_keys", i, "",
                                          "is that of an empty key");
        }
    }

    parse->tenant->napi_keys = n;

    return 1;
}


static int
sluice_tenant_list(sluice_tenant_parse_t *parse, const char *name,
    const sluice_json_value_t *array, size_t max, size_t longest,
    sluice_text_t *list, size_t *n)
{
    size_t               i;
    sluice_json_value_t  elements[SLUICE_TENANT_PATHS + 1];

    if (!sluice_tenant_elements(parse, name, array, max, elements, n)) {
        return 0;
    }

    for (i = 0; i < *n; i++) {

        if (elements[i].type != SLUICE_JSON_STRING) {
            return sluice_tenant_wrong_at(parse, name, i, "",
                                          "is not a string");
        }

        list[i] = sluice_tenant_text(parse, &elements[i]);

        if (list[i].len == 0 || list[i].len > longest) {
            return sluice_tenant_wrong_at(parse, name, i, "",
                                          "is empty or too long");
        }

        if (longest == SLUICE_TENANT_PATH && list[i].data[0] != '/') {
            return sluice_tenant_wrong_at(parse, name, i, "",
                                          "must begin with a slash");
        }
    }

    return 1;
}


static int
sluice_tenant_settings(sluice_tenant_parse_t *parse,
    const sluice_json_value_t *values)
{
    size_t                      i;
    sluice_text_t              *texts[FIELDS];
    sluice_tenant_t            *tenant;
    const sluice_json_value_t  *value;

    tenant = parse->tenant;

    memset(texts, 0, sizeof(texts));
    texts[FIELD_RATE] = &tenant->rate;
    texts[FIELD_QUEUE] = &tenant->queue;
    texts[FIELD_CLASS] = &tenant->class;

    for (i = FIELD_RATE; i < FIELDS; i++) {
        value = &values[i];

        if (value->type == SLUICE_JSON_MISSING) {
            continue;
        }

        if (texts[i]) {

            if (value->type != SLUICE_JSON_STRING) {
                return sluice_tenant_wrong(parse, sluice_tenant_fields[i],
                                           "is not a string");
            }

            *texts[i] = sluice_tenant_text(parse, value);
            continue;
        }

        /* burst and times: whole numbers, which the raw text shows */

        if (value->type != SLUICE_JSON_NUMBER || value->len > 15
            || strspn((const char *) value->data, "0123456789") < value->len)
        {
            return sluice_tenant_wrong(parse, sluice_tenant_fields[i],
                                       "is not a whole number from 0 on");
        }

        if (i == FIELD_BURST) {

            if (value->len > 9) {
                return sluice_tenant_wrong(parse, "/burst", "is too large");
            }

            tenant->burst.data = (char *) tenant->text + tenant->used;
            tenant->burst.len = value->len;
            memcpy(tenant->text + tenant->used, value->data, value->len);
            tenant->used += value->len;
        }
    }

    if (values[FIELD_RATE].type == SLUICE_JSON_STRING
        && sluice_gcra_rate(tenant->rate.data, tenant->rate.len) == 0)
    {
        return sluice_tenant_wrong(parse, "/rate",
                                   "is not a rate such as 50r/s");
    }

    if (values[FIELD_CLASS].type == SLUICE_JSON_STRING
        && !sluice_tenant_is(&tenant->class, "high")
        && !sluice_tenant_is(&tenant->class, "medium")
        && !sluice_tenant_is(&tenant->class, "low"))
    {
        return sluice_tenant_wrong(parse, "/class",
                                   "is not high, medium or low");
    }

    if (values[FIELD_QUEUE].type == SLUICE_JSON_MISSING) {
        tenant->queue.data = SLUICE_TENANT_QUEUE;
        tenant->queue.len = sizeof(SLUICE_TENANT_QUEUE) - 1;

    } else if (!sluice_keys_name_ok(tenant->queue.data, tenant->queue.len)) {
        return sluice_tenant_wrong(parse, "/queue",
                                   "must be 1 to 64 of A-Z a-z 0-9 _ . -");
    }

    return 1;
}
