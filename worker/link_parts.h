/* What a link's connection is made of: link_socket.c, for link.c alone. */

#ifndef SLUICE_WORKER_LINK_PARTS_H
#define SLUICE_WORKER_LINK_PARTS_H

#include <event2/bufferevent.h>
#include <event2/event.h>
#include "worker/tls.h"


/* Not connected yet; NULL: out of memory.  `tls` may be NULL. */
struct bufferevent *link_stream(struct event_base *base, tls_t *tls,
    const char *host);

/* 0, or -1 and errno */
int link_connect_unix(struct bufferevent *bev, const char *path);


#endif
