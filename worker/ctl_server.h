/*
 * One blocking connection to a Redis or sentinel.  What goes wrong is told as
 * one line, which never holds a secret.
 */

#ifndef SLUICE_WORKER_CTL_SERVER_H
#define SLUICE_WORKER_CTL_SERVER_H

#include <hiredis/hiredis.h>
#include "core/url.h"
#include "worker/tls.h"


#define CTL_TIMEOUT  10    /* s, to connect and for an answer */
#define CTL_ERROR    640   /* bytes of the line */

typedef struct ctl_server_s  ctl_server_t;

struct ctl_server_s {
    redisContext   *redis;
    SSL            *ssl;
    tls_t          *tls;      /* of rediss://, else NULL */
    sluice_url_t    url;      /* no password any more */
    ctl_server_t   *next;     /* the owner's */
};


/* Connected and greeted.  NULL and why. */
ctl_server_t *ctl_server_open(const sluice_url_t *url, tls_t *tls,
    char error[CTL_ERROR]);
void ctl_server_close(ctl_server_t *server);

/* a command as hiredis formats it; false and why */
bool ctl_server_put(ctl_server_t *server, const char *text, size_t len,
    char error[CTL_ERROR]);

/* the next answer; NULL and why */
redisReply *ctl_server_reply(ctl_server_t *server, char error[CTL_ERROR]);

/* both of a command of words, ended by NULL */
redisReply *ctl_server_ask(ctl_server_t *server, const char *const *words,
    char error[CTL_ERROR]);


#endif
