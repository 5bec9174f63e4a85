/*
 * The words by which producers tell of a queue that has something now (the
 * channel sluice:wake, see lua/include/wake.lua), on a connection of its own.
 * A user who may not subscribe gets none, and says so once.
 */

#ifndef SLUICE_WORKER_WAKE_H
#define SLUICE_WORKER_WAKE_H

#include "worker/links.h"


#define WAKE_CHANNEL  "sluice:wake"

typedef struct wake_s  wake_t;

typedef struct {
    links_t  *peer;     /* as in links_conf_t */

    /* "<prefix>:<queue>", NUL-terminated; from whom, nobody knows */
    void    (*word)(void *data, const char *name, size_t len);

    /* words come from now on; some may have been lost before */
    void    (*listens)(void *data);
    void     *data;
} wake_conf_t;


/* What it needs of settings and conf is copied.  NULL: out of memory. */
wake_t *wake_open(struct event_base *base, const settings_t *settings,
    const wake_conf_t *conf);
void wake_close(wake_t *wake);

/* words come */
bool wake_listens(const wake_t *wake);


#endif
