/*
 * rediss://: TLS as a client, by OpenSSL.  Who answers is verified unless that
 * is turned off: by the authorities of `ca` or of the system, and by name.
 */

#ifndef SLUICE_WORKER_TLS_H
#define SLUICE_WORKER_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <openssl/ssl.h>


typedef struct tls_s  tls_t;

/* files are PEM; NULL: not given */
typedef struct {
    const char  *ca;        /* the system's */
    const char  *cert;      /* of this client, with its chain */
    const char  *key;
    const char  *name;      /* the certificate's; else each host */
    bool         unverified;
} tls_conf_t;


/*
 * Reads the files.  NULL, and in `error` what is wrong, with the name of the
 * setting and what goes before it ("redis_tls_", "--tls-").
 */
tls_t *tls_create(const tls_conf_t *conf, const char *before, char *error,
    size_t size);
/* One owner more; each of them drops it.  NULL is none. */
tls_t *tls_hold(tls_t *tls);
void tls_drop(tls_t *tls);

/* A connection to the host, not shaken hands yet, or NULL: out of memory. */
SSL *tls_open(const tls_t *tls, const char *host);

/* Why it failed; `code` is of ERR_get_error(), or 0. */
void tls_why(const tls_t *tls, const SSL *ssl, const char *host,
    unsigned long code, char *text, size_t size);


#endif
