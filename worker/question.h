/*
 * One command to one server, on a connection of its own that is closed after
 * the answer: a sentinel is asked for the master, a node for the map of its
 * cluster.
 */

#ifndef SLUICE_WORKER_QUESTION_H
#define SLUICE_WORKER_QUESTION_H

#include "worker/link.h"


#define QUESTION_TIMEOUT  1000    /* ms: others know the answer, too */


typedef struct question_s  question_t;


/*
 * `to` is whom it will ask.  What it needs of settings is copied.  NULL: out of
 * memory.
 */
question_t *question_open(struct event_base *base, const settings_t *settings,
    link_to_e to, sluice_redis_reply_pt reply, void *data);

/*
 * Three words, for that is what there is to be asked; the last may be NULL.
 * `reply` is called once, with NULL when there is no answer, and must not ask.
 * When it cannot be asked, -1.
 */
int question_ask(question_t *question, const sluice_node_t *node,
    const char *first, const char *second, const char *third);

/* from `reply`: why there is no answer, or "" */
const char *question_why(const question_t *question);

/* NULL is fine. */
void question_close(question_t *question);


#endif
