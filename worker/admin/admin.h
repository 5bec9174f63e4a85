/*
 * The REST API over the queues of the settings, and those of the registry that
 * they mean by tenants = {"*"} (docs/admin.md): HTTP/1.1 on a unix socket or
 * the loopback, behind NGINX, with an API key.
 */

#ifndef SLUICE_WORKER_ADMIN_ADMIN_H
#define SLUICE_WORKER_ADMIN_ADMIN_H

#include <stddef.h>
#include <event2/event.h>
#include "worker/worker.h"


typedef struct admin_s  admin_t;


/* settings->admin_listen is given.  NULL and why. */
admin_t *admin_open(struct event_base *base, const settings_t *settings,
    char *error, size_t size);

/* Other queues and keys; where it listens stays.  They must outlive it. */
void admin_settings(admin_t *admin, const settings_t *settings);

/* Whoever waits for an answer gets 503.  NULL is fine. */
void admin_close(admin_t *admin);


#endif
