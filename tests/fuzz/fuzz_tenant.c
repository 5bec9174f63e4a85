/*
 * Any bytes as an entry of the tenant table and as a key file: what is taken
 * is an object for jansson as well and lies inside of its room, what is
 * refused says where.
 */

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "core/tenant.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static sluice_tenant_t  tenant;


static void
check(int ok)
{
    if (!ok) {
        abort();
    }
}


static void
check_text(const sluice_text_t *text)
{
    const char  *first;

    first = (char *) tenant.text;

    check(text->len == 0
          || (text->data >= first
              && text->data + text->len <= first + tenant.used));
}


static void
check_keys(const char *text, size_t len)
{
    size_t                line;
    const char           *what;
    sluice_tenant_keys_t  keys;

    what = sluice_tenant_keys(&keys, text, len, &line);
    check((what == NULL) == (keys.n > 0));
    check(keys.n <= SLUICE_TENANT_KEYS && line <= len + 1);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                        i, line;
    json_t                       *json;
    const char                   *text;
    sluice_tenant_error_t         error;

    static const char             key[] =
           "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    static sluice_tenant_keys_t   keys;

    if (keys.n == 0) {
        check(sluice_tenant_keys(&keys, key, sizeof(key) - 1, &line) == NULL);
    }

    text = (const char *) data;

    check_keys(text, size);

    if (!sluice_tenant_parse(&tenant, "acme", 4, text, size, &keys, &error)) {
        check(error.what != NULL && error.what[0] != '\0');
        check(error.pointer[0] == '\0' || error.pointer[0] == '/');
        return 0;
    }

    check(tenant.used <= sizeof(tenant.text));
    check(tenant.nsecrets <= SLUICE_TENANT_SECRETS);
    check(tenant.queue.len != 0);

    for (i = 0; i < tenant.nsecrets; i++) {
        check_text(&tenant.secrets[i].scheme);
        check_text(&tenant.secrets[i].value);
        check(tenant.secrets[i].value.len != 0);
    }

    for (i = 0; i < tenant.npaths; i++) {
        check_text(&tenant.paths[i]);
        check(tenant.paths[i].data[0] == '/');
    }

    for (i = 0; i < tenant.nnumbers; i++) {
        check_text(&tenant.numbers[i]);
    }

    check_text(&tenant.rate);
    check_text(&tenant.burst);
    check_text(&tenant.class);

    /* jansson has limits of its own for numbers, which may be anywhere */

    json = json_loadb(text, size, JSON_ALLOW_NUL,
                      NULL);
    check(json == NULL || json_is_object(json));
    json_decref(json);

    sluice_tenant_cleanse(&tenant);

    return 0;
}
