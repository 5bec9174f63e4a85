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

/* "name=" and what reads the text behind it: NULL or what is wrong with it */

typedef struct {
    const char    *name;
    size_t         len;
    const char  *(*read)(sluice_url_t *url, const char *p, const char *last);
} sluice_url_parameter_t;

/*
 * What follows at p: nothing, or "?name=value&...", each name of the list once
 * at most.  NULL, `unknown`, `twice`, or what is wrong with a value.
 */
const char *sluice_url_parameters(sluice_url_t *url, const char *p,
    const char *last, const sluice_url_parameter_t *parameters, size_t n,
    const char *unknown, const char *twice);

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
