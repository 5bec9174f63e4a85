/*
 * redis://[user[:password]@]host[:port][/db], host may be [v6]; rediss:// is
 * the same over TLS; unix:/path[?db=N][&user=U][&password=P].  %XX is decoded
 * in user, password.
 */

#ifndef SLUICE_CORE_URL_H
#define SLUICE_CORE_URL_H

#include <stddef.h>
#include "core/node.h"


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
 * redis+sentinel:, redis+cluster: and those with rediss+ are told to be
 * unsupported by name.
 */
const char *sluice_url_parse(sluice_url_t *url, const char *text, size_t len);


/*
 * Of several servers:
 *
 *   redis+sentinel://[user[:password]@]host[:port][,host[:port]...]
 *       /name[/db][?sentinel_user=U][&sentinel_password=P]
 *   redis+cluster://[user[:password]@]host[:port][,host[:port]...]
 *
 * rediss+sentinel:// and rediss+cluster:// are the same over TLS, to the
 * sentinels too.  User and password are those of the servers; a sentinel is
 * given its own or none.
 */

#define SLUICE_URL_NODES  16     /* hosts of a URL */
#define SLUICE_URL_NAME   128    /* of what sentinels watch, with its NUL */

typedef enum {
    SLUICE_URL_ONE = 0,     /* any of sluice_url_parse() */
    SLUICE_URL_SENTINEL,
    SLUICE_URL_CLUSTER
} sluice_url_kind_e;

typedef struct {
    sluice_url_kind_e  kind;
    sluice_url_t       url;         /* host and port are only set of ONE */
    sluice_url_t       sentinel;    /* user, password, tls for a sentinel */
    sluice_node_t      nodes[SLUICE_URL_NODES];    /* none of ONE */
    size_t             nnodes;
    char               name[SLUICE_URL_NAME];
} sluice_url_nodes_t;


/* Returns NULL or what is wrong, as sluice_url_parse() does. */
const char *sluice_url_parse_nodes(sluice_url_nodes_t *nodes,
    const char *text, size_t len);


#endif
