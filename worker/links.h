/*
 * The connections to Redis for one purpose: one, or one to each node of a
 * cluster.  Which of them a key's commands go to may change at any time, so it
 * is asked for at each call and never kept:
 *
 *     links_conf_t  conf = { .name = "sluiced", .scripts = scripts,
 *                            .nscripts = 2, .changed = on_change, .data = me };
 *     links_t      *links = links_open(base, settings, &conf);
 *
 *     link = links_of(links, queue->base);
 *
 *     if (link_ready(link)) {
 *         sluice_redis_command(link_redis(link), clock_ms(), on_reply, me,
 *                              "HLEN", key, NULL);
 *     }
 */

#ifndef SLUICE_WORKER_LINKS_H
#define SLUICE_WORKER_LINKS_H

#include "worker/link.h"


typedef struct links_s  links_t;

typedef struct {
    links_t                       *peer;      /* the map of its cluster is
                                                 shared; or NULL */
    const char                    *name;      /* as in link_conf_t */
    const sluice_script_t *const  *scripts;
    size_t                         nscripts;
    int64_t                        timeout;
    link_waits_e                   waits;

    /*
     * A link is ready or was lost, or keys are another link's now: whoever
     * waits asks links_of() again.  Commands may be queued; links_close() must
     * not be called.  Or NULL.
     */
    void                         (*changed)(void *data);
    void                          *data;
} links_conf_t;


/* As link_open(). */
links_t *links_open(struct event_base *base, const settings_t *settings,
    const links_conf_t *conf);

/*
 * The link that the key's commands go to; never NULL, but not ready when it is
 * not known who has the key.  It is opened when it is asked for first.
 *
 * In a cluster a call may be answered MOVED, ASK, CLUSTERDOWN or TRYAGAIN, for
 * which queue_read_kind() says QUEUE_READ_AWAY: nothing was run, and it is to
 * be asked again after a moment, by links_of() as it is then.  The map has been
 * put right, or is on its way.
 */
link_t *links_of(links_t *links, const char *key);

/* are the answers of sluice_redis_hold() those of replicas? */
bool links_waits(const links_t *links);

/* its number; false: not a cluster, all keys are as one */
bool links_slot(const links_t *links, const char *key, unsigned *slot);

/* As link_close(), for all; NULL is fine. */
void links_close(links_t *links);


#endif
