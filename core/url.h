/*
 * redis://[user[:password]@]host[:port][/db], host may be [v6]; rediss:// is
 * the same over TLS; unix:/path[?db=N][&user=U][&password=P].  %XX is decoded
 * in user, password.
 */

#ifndef SLUICE_CORE_URL_H
#define SLUICE_CORE_URL_H

#include <stddef.h>


typedef struct {
    char      path[256];        /* of a unix socket, or "" */
    char      host[256];
    int       port;             /* 6379 */
    char      user[128];        /* "" is the default user */
    char      password[512];    /* "" is none */
    int       db;
    int       tls;              /* 1: rediss:// */
} sluice_url_t;


/*
 * Returns NULL or what is wrong, which never repeats the password.
 * redis+sentinel: and redis+cluster: are told to be unsupported by name.
 */
const char *sluice_url_parse(sluice_url_t *url, const char *text, size_t len);


#endif
