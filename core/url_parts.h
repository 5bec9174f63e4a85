/*
 * What url.c and url_nodes.c share.
 */

#ifndef SLUICE_CORE_URL_PARTS_H
#define SLUICE_CORE_URL_PARTS_H

#include "core/url.h"


/* NULL, or that there is a byte that no URL has. */
const char *sluice_url_bytes(const char *text, size_t len);

/* The first c in [p, last), or NULL. */
const char *sluice_url_find(const char *p, const char *last, char c);

/* -1 when it is not a number of at most 9 digits */
int sluice_url_number(const char *p, const char *last);

/* One of the texts, decoded: NULL or what is wrong. */
const char *sluice_url_user(sluice_url_t *url, const char *p,
    const char *last);
const char *sluice_url_password(sluice_url_t *url, const char *p,
    const char *last);

/*
 * Reads the user and password at *hosts, which is moved behind them; *end is
 * then the end of the hosts.
 */
const char *sluice_url_authority(sluice_url_t *url, const char **hosts,
    const char **end, const char *last);

/* host[:port]; without a port the node keeps its own */
const char *sluice_url_host(sluice_node_t *node, const char *p,
    const char *last);


#endif
