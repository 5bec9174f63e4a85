/*
 * HTTP requests by libcurl (hub.h), HTTP/2 where the peer offers it,
 * connections kept.  One request, one answer.
 */

#ifndef SLUICE_WORKER_SEND_H
#define SLUICE_WORKER_SEND_H

#include "worker/worker.h"


#define SEND_BODY_MAX  (256 * 1024)    /* of an answer; more is an error */


typedef struct sender_s  sender_t;
typedef struct send_s    send_t;

/*
 * Once a request, unless it is cancelled; the answer lives as long as the
 * call.  New requests may be begun in it.
 */
typedef void (*send_pt)(void *data, const answer_t *answer);


/*
 * At most so many connections, and requests at once; the others wait in line,
 * and their time begins when it is their turn.  NULL: out of memory.
 */
sender_t *sender_open(struct event_base *base, int connections);
void sender_limit(sender_t *sender, int connections);

/* open requests are dropped without an answer */
void sender_close(sender_t *sender);

/*
 * The request must outlive the answer.  Nothing is called from inside.  NULL:
 * out of memory, nothing was sent.
 */
send_t *sender_send(sender_t *sender, const request_t *request, send_pt done,
    void *data);

/* false: it was still in line, so nothing was sent */
bool sender_cancel(send_t *send);


#endif
