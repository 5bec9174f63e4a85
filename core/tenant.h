/*
 * An entry of the tenant table: a JSON object, the value of a field (the
 * tenant's id) of the Redis hash SLUICE_KEYS_TENANTS.  Writers change it by
 * lua/tenants.lua, which bumps SLUICE_KEYS_TENANTS_VERSION with it.
 *
 *   {"id":"acme", "enabled":true,
 *    "secrets":[{"scheme":"meta","sealed":"AbCd..."},
 *               {"scheme":"stripe","value":"whsec_..."}],
 *    "api_keys":["<SHA-256 of a key, 64 hex digits>"],
 *    "paths":["/hooks/acme"], "numbers":["498877665544332"],
 *    "rate":"50r/s", "burst":100, "queue":"events", "class":"high",
 *    "created":1795000000000, "updated":1795000000000}
 *
 * All members may be left out; unknown ones are ignored, so that an older
 * reader takes what a newer writer wrote.
 *
 * A sealed secret is base64 of: version (1), key id (4), nonce (12), the
 * ciphertext of AES-256-GCM, tag (16); the tenant's id is the additional data,
 * so that a secret does not open in another tenant's entry.
 */

#ifndef SLUICE_CORE_TENANT_H
#define SLUICE_CORE_TENANT_H

#include <stddef.h>
#include <stdint.h>
#include "core/envelope.h"


#define SLUICE_TENANT_JSON      16384    /* bytes of an entry */
#define SLUICE_TENANT_SECRETS   8
#define SLUICE_TENANT_API_KEYS  16
#define SLUICE_TENANT_PATHS     16
#define SLUICE_TENANT_NUMBERS   16
#define SLUICE_TENANT_SECRET    4096     /* bytes of a secret */
#define SLUICE_TENANT_PATH      256
#define SLUICE_TENANT_NUMBER    64
#define SLUICE_TENANT_DIGEST    32       /* of an API key: SHA-256 */
#define SLUICE_TENANT_KEYS      8        /* of a key file */
#define SLUICE_TENANT_KEY       32
#define SLUICE_TENANT_KEY_ID    4
#define SLUICE_TENANT_NONCE     12
#define SLUICE_TENANT_QUEUE     "events" /* of an entry without one */

/* room for a sealed secret of len bytes, with a NUL */
#define SLUICE_TENANT_SEALED(len)  (((len) + 33 + 2) / 3 * 4 + 1)


/* The keys that seal and open secrets, as a key file lists them. */
typedef struct {
    size_t               n;
    struct {
        uint8_t          id[SLUICE_TENANT_KEY_ID];
        uint8_t          key[SLUICE_TENANT_KEY];
    } key[SLUICE_TENANT_KEYS];
} sluice_tenant_keys_t;

typedef struct {
    sluice_text_t        scheme;    /* the name of a scheme, "verify_token" */
    sluice_text_t        value;     /* in clear */
} sluice_tenant_secret_t;

typedef struct {
    sluice_text_t           id;
    unsigned                enabled:1;
    size_t                  nsecrets;
    sluice_tenant_secret_t  secrets[SLUICE_TENANT_SECRETS];
    size_t                  napi_keys;
    uint8_t                 api_keys[SLUICE_TENANT_API_KEYS]
                                    [SLUICE_TENANT_DIGEST];
    size_t                  npaths;
    sluice_text_t           paths[SLUICE_TENANT_PATHS];
    size_t                  nnumbers;
    sluice_text_t           numbers[SLUICE_TENANT_NUMBERS];
    sluice_text_t           rate;      /* empty: not given */
    sluice_text_t           burst;
    sluice_text_t           queue;
    sluice_text_t           class;
    /* where the texts are: it holds secrets, cleanse it */
    size_t                  used;
    uint8_t                 text[SLUICE_TENANT_JSON];
} sluice_tenant_t;

typedef struct {
    const char             *what;          /* static text, no content */
    char                    pointer[64];   /* "/secrets/0/sealed" */
} sluice_tenant_error_t;


/*
 * An entry of the tenant `id`.  `keys` may be NULL: a sealed secret is an
 * error then.  1, or 0 and what is wrong where; then `tenant` is void.
 */
int sluice_tenant_parse(sluice_tenant_t *tenant, const char *id,
    size_t id_len, const char *json, size_t len,
    const sluice_tenant_keys_t *keys, sluice_tenant_error_t *error);

/* Forgets all that an entry holds. */
void sluice_tenant_cleanse(sluice_tenant_t *tenant);

/* The digest by which an API key is known: 1, or 0 when OpenSSL refuses. */
int sluice_tenant_digest(uint8_t digest[SLUICE_TENANT_DIGEST],
    const void *key, size_t len);


/*
 * A key file: a key a line, 64 hex digits or base64 of 32 bytes; the first
 * seals, all open; blank lines and those that begin with # are skipped.
 * NULL, or what is wrong with line *line (0: with the whole).
 */
const char *sluice_tenant_keys(sluice_tenant_keys_t *keys, const char *text,
    size_t len, size_t *line);

/*
 * Writes the sealed secret, with a NUL, to dst, SLUICE_TENANT_SEALED(len)
 * bytes.  The nonce must be random.  Returns the length, or 0 when OpenSSL
 * refuses.
 */
size_t sluice_tenant_seal(char *dst, const sluice_tenant_keys_t *keys,
    const char *id, size_t id_len, const void *secret, size_t len,
    const uint8_t nonce[SLUICE_TENANT_NONCE]);

/*
 * Opens it into dst, which has room for sealed_len bytes.  NULL and *len, or
 * what is wrong: static text.
 */
const char *sluice_tenant_open(uint8_t *dst, size_t *len,
    const sluice_tenant_keys_t *keys, const char *id, size_t id_len,
    const char *sealed, size_t sealed_len);


#endif
