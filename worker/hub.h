/*
 * A multi handle of libcurl on libevent.  libcurl walks all connections of one
 * at each request's begin and end, so a sender has several: each for as many
 * requests as an HTTP/2 connection has streams.
 */

#ifndef SLUICE_WORKER_HUB_H
#define SLUICE_WORKER_HUB_H

#include <curl/curl.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>


#define HUB_REQUESTS  100    /* at once, and connections */


typedef struct hub_s  hub_t;

/* A request has ended; it is to be removed.  Others may be, too. */
typedef void (*hub_pt)(CURL *easy, CURLcode code);

struct hub_s {
    struct event_base  *base;
    CURLM              *multi;
    struct event       *timer;
    hub_pt              done;
    size_t              open;     /* requests */
    size_t              limit;    /* of them, and of connections */
};


/* NULL: out of memory */
hub_t *hub_open(struct event_base *base, size_t limit, hub_pt done);
void hub_limit(hub_t *hub, size_t limit);

/* when no request is in it */
void hub_close(hub_t *hub);

/* false: out of memory; it is to be removed all the same */
bool hub_add(hub_t *hub, CURL *easy);
void hub_remove(hub_t *hub, CURL *easy);


#endif
