/*
 * A server's address: a host, by name or as IPv4 or IPv6 without brackets, and
 * a port.
 */

#ifndef SLUICE_CORE_NODE_H
#define SLUICE_CORE_NODE_H

#include <stddef.h>


typedef struct {
    char  host[256];
    int   port;
} sluice_node_t;


/* 1: the same host, letters alike, and port */
int sluice_node_is(const sluice_node_t *one, const sluice_node_t *other);

/*
 * Sets the host, which is a name or an address as a server tells it: letters,
 * digits and "._-:%".  1, or 0: it is empty, too long or has other bytes, and
 * nothing is changed.
 */
int sluice_node_host(sluice_node_t *node, const char *text, size_t len);

/* 1 to 65535 of digits alone, or -1 */
int sluice_node_port(const char *text, size_t len);


#endif
