/*
 * May this message be sent now?  Asks of a queue that come in one turn of the
 * loop go to Redis in one call (lua/admit.lua: the claim and the sender's
 * pace).  Asks wait while Redis is away.
 */

#ifndef SLUICE_WORKER_ADMIT_H
#define SLUICE_WORKER_ADMIT_H

#include "worker/links.h"
#include "worker/queue.h"


typedef struct admit_s  admit_t;
typedef struct ask_s    ask_t;
typedef struct admit_call_s  admit_call_t;

/* one message; the user's memory, alive until it is answered or cancelled */
struct ask_s {
    admission_t   message;
    void         *data;

    /* admit.c's */
    ask_t         *next;
    admit_call_t  *call;      /* in flight */
    unsigned       listed:1;
    unsigned       alone:1;
};

/* admitted is NULL when the script fails for this message */
typedef void (*admit_pt)(void *data, const admitted_t *admitted);


admit_t *admit_open(struct event_base *base, links_t *links,
    const queue_t *queue, admit_pt done);

/* after its links were closed, or when nothing is asked and it is idle */
void admit_close(admit_t *admit);

/* no call is in flight, not even for who was cancelled */
bool admit_idle(const admit_t *admit);

void admit_ask(admit_t *admit, ask_t *ask, int64_t claim_ttl);

/* it will not be answered, and its memory may be freed */
void admit_cancel(admit_t *admit, ask_t *ask);

/* links changed */
void admit_link(admit_t *admit);


#endif
