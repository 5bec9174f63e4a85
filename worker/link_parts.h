/*
 * For link.c alone: what its connection is made of (link_socket.c), and what is
 * said of replicas (link_replicas.c).
 */

#ifndef SLUICE_WORKER_LINK_PARTS_H
#define SLUICE_WORKER_LINK_PARTS_H

#include <event2/bufferevent.h>
#include <event2/event.h>
#include "worker/tls.h"


typedef struct {
    unsigned  misses;     /* WAITs since they are too few */
    int64_t   said;       /* when that was logged last */
} link_replicas_t;


/* A WAIT for `wanted` was answered with n: logged when that is news. */
void link_replicas_told(link_replicas_t *replicas, const char *name,
    unsigned wanted, long long n);

/* Not connected yet; NULL: out of memory.  `tls` may be NULL. */
struct bufferevent *link_stream(struct event_base *base, tls_t *tls,
    const char *host);

/* why it failed, of an event that is not BEV_EVENT_CONNECTED */
void link_failure(struct bufferevent *bev, const tls_t *tls, const char *host,
    short what, char *text, size_t size);

/* 0, or -1 and errno */
int link_connect_unix(struct bufferevent *bev, const char *path);


#endif
