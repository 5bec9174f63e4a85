/*
 * The tenant table as sluicectl has it in hand.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include "core/keys.h"
#include "scripts.h"
#include "worker/ctl_tenant.h"


static int tenant_compare(const void *one, const void *two);
static json_t *tenant_seal(ctl_tenants_t *tenants, const char *id,
    const char *value);
static json_t *tenant_open(ctl_tenants_t *tenants, const char *id,
    const char *sealed, const char **why);
static const char *tenant_seal_all(ctl_tenants_t *tenants, const char *id,
    json_t *entry);
static const char *tenant_check(ctl_tenants_t *tenants, const char *id,
    json_t *entry);


void
ctl_tenant_keys(ctl_tenants_t *tenants, const char *path)
{
    FILE        *in;
    char         text[16384];
    size_t       len, line;
    const char  *what;

    in = fopen(path, "r");

    if (in == NULL) {
        ctl_fail(CTL_USAGE, "%s: %s", path, strerror(errno));
    }

    len = fread(text, 1, sizeof(text), in);
    fclose(in);

    line = 0;
    what = (len == sizeof(text)) ? "it is too long"
                                 : sluice_tenant_keys(&tenants->keys, text,
                                                      len, &line);
    OPENSSL_cleanse(text, sizeof(text));

    if (what != NULL) {
        ctl_fail(CTL_USAGE, "%s:%zu: %s", path, line, what);
    }
}


static int
tenant_compare(const void *one, const void *two)
{
    redisReply *const  *a = one, *const *b = two;

    return strcmp((*a)->str, (*b)->str);
}


void
ctl_tenant_read(ctl_tenants_t *tenants)
{
    size_t       i;
    json_t      *entry;
    redisReply  *reply;

    ctl_ask(tenants->ctl, "GET %s", SLUICE_KEYS_TENANTS_VERSION);
    ctl_ask(tenants->ctl, "HGETALL %s", SLUICE_KEYS_TENANTS);

    reply = ctl_reply(tenants->ctl, SLUICE_KEYS_TENANTS_VERSION);
    snprintf(tenants->version, sizeof(tenants->version), "%s",
             reply->type == REDIS_REPLY_STRING ? reply->str : "0");
    freeReplyObject(reply);

    json_decref(tenants->entries);
    json_decref(tenants->changed);
    tenants->entries = json_object();
    tenants->changed = json_object();

    reply = ctl_reply(tenants->ctl, SLUICE_KEYS_TENANTS);

    /* a hash has no order of its own; an object keeps that of its making */

    qsort(reply->element, reply->elements / 2, 2 * sizeof(redisReply *),
          tenant_compare);

    for (i = 0; i + 1 < reply->elements; i += 2) {

        /* what is no name was not written by us, and nobody reads it */

        if (!sluice_keys_name_ok(reply->element[i]->str,
                                 reply->element[i]->len))
        {
            continue;
        }

        entry = json_loadb(reply->element[i + 1]->str,
                           reply->element[i + 1]->len, JSON_REJECT_DUPLICATES,
                           NULL);

        if (!json_is_object(entry)) {
            json_decref(entry);
            entry = json_string("malformed");
        }

        json_object_set_new(tenants->entries, reply->element[i]->str, entry);
    }

    freeReplyObject(reply);
}


static json_t *
tenant_seal(ctl_tenants_t *tenants, const char *id, const char *value)
{
    char      sealed[SLUICE_TENANT_SEALED(SLUICE_TENANT_SECRET)];
    size_t    len;
    uint8_t   nonce[SLUICE_TENANT_NONCE];

    len = strlen(value);

    if (RAND_bytes(nonce, sizeof(nonce)) != 1
        || sluice_tenant_seal(sealed, &tenants->keys, id, strlen(id), value,
                              len, nonce)
           == 0)
    {
        ctl_fail(CTL_USAGE, "OpenSSL refuses to seal a secret of \"%s\"", id);
    }

    return json_string(sealed);
}


static json_t *
tenant_open(ctl_tenants_t *tenants, const char *id, const char *sealed,
    const char **why)
{
    json_t   *value;
    size_t    len;
    uint8_t  *text;

    *why = NULL;
    text = malloc(strlen(sealed) + 1);

    if (text == NULL) {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    *why = sluice_tenant_open(text, &len, &tenants->keys, id, strlen(id),
                              sealed, strlen(sealed));

    value = (*why == NULL) ? ctl_string((char *) text, len) : NULL;
    OPENSSL_cleanse(text, strlen(sealed));
    free(text);

    return value;
}


/* All under the first key; what is not of the form is left to the check. */

static const char *
tenant_seal_all(ctl_tenants_t *tenants, const char *id, json_t *entry)
{
    size_t        i;
    json_t       *secret, *value;
    const char   *sealed, *text, *why;

    static char   what[256];

    json_array_foreach(json_object_get(entry, "secrets"), i, secret) {

        sealed = json_string_value(json_object_get(secret, "sealed"));
        text = json_string_value(json_object_get(secret, "value"));

        if (sealed != NULL && text == NULL) {
            value = tenant_open(tenants, id, sealed, &why);

            if (value == NULL) {
                snprintf(what, sizeof(what), "/secrets/%zu/sealed %s", i, why);
                return what;
            }

        } else if (text != NULL && sealed == NULL && *text != '\0'
                   && strlen(text) <= SLUICE_TENANT_SECRET)
        {
            value = json_string(text);

        } else {
            continue;
        }

        json_object_set_new(secret, "sealed",
                            tenant_seal(tenants, id,
                                        json_string_value(value)));
        json_object_del(secret, "value");
        json_decref(value);
    }

    return NULL;
}


/* As the edge reads it; without a key what is sealed is taken as it is. */

static const char *
tenant_check(ctl_tenants_t *tenants, const char *id, json_t *entry)
{
    int                     good;
    char                   *text;
    size_t                  i;
    json_t                 *copy, *secret;
    const char             *name;
    json_t                 *member;
    sluice_tenant_error_t   error;

    static char             what[256];
    static sluice_tenant_t  tenant;

    static const char      *names = " id enabled secrets api_keys paths"
                                    " numbers rate burst queue class created"
                                    " updated ";

    json_object_foreach(entry, name, member) {
        char  word[64];

        snprintf(word, sizeof(word), " %.60s ", name);

        if (strstr(names, word) == NULL) {
            snprintf(what, sizeof(what), "/%.60s is not known", name);
            return what;
        }
    }

    copy = json_deep_copy(entry);

    if (tenants->keys.n == 0) {
        json_array_foreach(json_object_get(copy, "secrets"), i, secret) {
            if (json_is_string(json_object_get(secret, "sealed"))
                && json_object_get(secret, "value") == NULL)
            {
                json_object_set_new(secret, "value", json_string("sealed"));
                json_object_del(secret, "sealed");
            }
        }
    }

    text = json_dumps(copy, JSON_COMPACT);
    json_decref(copy);

    if (text == NULL) {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    good = sluice_tenant_parse(&tenant, id, strlen(id), text, strlen(text),
                               &tenants->keys, &error);
    sluice_tenant_cleanse(&tenant);
    OPENSSL_cleanse(text, strlen(text));
    free(text);

    if (good) {
        return NULL;
    }

    snprintf(what, sizeof(what), "%s%s%s", error.pointer,
             error.pointer[0] ? " " : "", error.what);

    return what;
}


const char *
ctl_tenant_put(ctl_tenants_t *tenants, const char *id, json_t *entry)
{
    json_t           *old;
    const char       *what;
    struct timespec   now;

    what = tenant_check(tenants, id, entry);

    if (what == NULL && tenants->keys.n != 0) {
        what = tenant_seal_all(tenants, id, entry);
    }

    if (what != NULL) {
        return what;
    }

    clock_gettime(CLOCK_REALTIME, &now);

    old = json_object_get(json_object_get(tenants->entries, id), "created");

    if (json_object_get(entry, "created") == NULL) {
        json_object_set_new(entry, "created", old ? json_copy(old)
                            : json_integer((json_int_t) now.tv_sec * 1000));
    }

    json_object_set_new(entry, "updated",
                        json_integer((json_int_t) now.tv_sec * 1000
                                     + now.tv_nsec / 1000000));
    json_object_set_new(entry, "id", json_string(id));
    json_object_set(tenants->changed, id, entry);

    /* sealed it is longer */

    return tenant_check(tenants, id, entry);
}


const char *
ctl_tenant_claims(ctl_tenants_t *tenants)
{
    char         claim[512];
    size_t       i, n;
    json_t      *all, *claims, *entry, *value;
    const char  *id, *other;

    static char         what[512];
    static const char  *members[] = { "paths", "numbers", "api_keys" };

    all = json_copy(tenants->entries);
    json_object_update(all, tenants->changed);

    claims = json_object();
    what[0] = '\0';

    json_object_foreach(all, id, entry) {

        for (n = 0; n < sizeof(members) / sizeof(members[0]); n++) {

            json_array_foreach(json_object_get(entry, members[n]), i, value) {

                snprintf(claim, sizeof(claim), "%s %s", members[n],
                         json_is_string(value) ? json_string_value(value)
                                               : "");

                other = json_string_value(json_object_get(claims, claim));

                if (other != NULL && strcmp(other, id) != 0
                    && (json_object_get(tenants->changed, id) != NULL
                        || json_object_get(tenants->changed, other) != NULL))
                {
                    snprintf(what, sizeof(what), "%s: /%s/%zu is also that of "
                             "%s", id, members[n], i, other);
                }

                json_object_set_new(claims, claim, json_string(id));
            }
        }
    }

    json_decref(claims);
    json_decref(all);

    return what[0] ? what : NULL;
}


bool
ctl_tenant_write(ctl_tenants_t *tenants)
{
    int           n;
    bool          written;
    json_t       *entry;
    const char   *id;
    redisReply   *reply;
    const char  **argv;
    const char   *keys[] = { SLUICE_KEYS_TENANTS,
                             SLUICE_KEYS_TENANTS_VERSION };

    argv = calloc(2 * json_object_size(tenants->changed) + 1, sizeof(char *));

    if (argv == NULL) {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    n = 0;
    argv[n++] = tenants->version;

    json_object_foreach(tenants->changed, id, entry) {
        argv[n++] = id;
        argv[n++] = json_is_null(entry) ? "" : json_dumps(entry, JSON_COMPACT);
    }

    reply = ctl_eval(tenants->ctl, &sluice_script_tenants, 2, keys, n, argv);
    written = ctl_integer(reply, -1) > 0;
    freeReplyObject(reply);

    return written;
}


json_t *
ctl_tenant_shown(ctl_tenants_t *tenants, const char *id, json_t *entry,
    bool open, const char **why)
{
    size_t       i;
    json_t      *copy, *secret, *value;
    const char  *sealed, *text;

    *why = NULL;
    copy = json_deep_copy(entry);

    json_array_foreach(json_object_get(copy, "secrets"), i, secret) {

        sealed = json_string_value(json_object_get(secret, "sealed"));
        text = json_string_value(json_object_get(secret, "value"));

        if (open && sealed != NULL) {
            value = tenant_open(tenants, id, sealed, why);

            if (value == NULL) {
                json_decref(copy);
                return NULL;
            }

            json_object_set_new(secret, "value", value);
            json_object_del(secret, "sealed");

        } else if (!open && text != NULL && tenants->keys.n != 0) {
            json_object_set_new(secret, "sealed",
                                tenant_seal(tenants, id, text));
            json_object_del(secret, "value");

        } else if (!open && text != NULL) {
            json_object_set_new(secret, "value", json_string("..."));
        }
    }

    return copy;
}
