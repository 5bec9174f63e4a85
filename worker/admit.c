#include <stdlib.h>
#include <string.h>
#include "worker/admit.h"
#include "worker/fault.h"


#define ADMIT_HORIZON  3600000    /* ms: nobody is given a turn later */
#define ADMIT_SOON     20         /* ms after Redis refused a call, doubled */
#define ADMIT_AGAIN    1000       /* up to this */


struct admit_s {
    links_t         *links;
    const queue_t   *queue;
    admit_pt         done;
    struct event    *turn;
    ask_t           *first, *last;
    int64_t          claim_ttl;
    int64_t          pause;         /* ms, the last; 0: all is well */
    size_t           calls;         /* in flight */
};

struct admit_call_s {
    admit_t  *admit;
    size_t    n;
    ask_t    *asks[QUEUE_BATCH];    /* NULL: cancelled */
};


static void
admit_append(admit_t *admit, ask_t *ask)
{
    ask->next = NULL;
    ask->listed = 1;

    if (admit->last) {
        admit->last->next = ask;
    } else {
        admit->first = ask;
    }

    admit->last = ask;
}


static void
admit_later(admit_t *admit)
{
    admit->pause = admit->pause ? admit->pause * 2 : ADMIT_SOON;
    admit->pause = (admit->pause < ADMIT_AGAIN) ? admit->pause : ADMIT_AGAIN;

    clock_arm(admit->turn, admit->pause);
}


static void
admit_on_reply(void *data, const redisReply *reply)
{
    size_t          i;
    ask_t          *ask;
    admit_t        *admit;
    admitted_t      admitted[QUEUE_BATCH];
    admit_call_t   *call = data;
    queue_read_e    rc;

    admit = call->admit;
    admit->calls--;

    fault_point("admit-reply", NULL);
    rc = queue_read_admitted(admit->queue, reply, admitted, call->n);

    for (i = 0; i < call->n; i++) {
        ask = call->asks[i];

        if (ask == NULL) {
            continue;
        }

        ask->call = NULL;

        if (rc == QUEUE_READ_OK) {
            admit->done(ask->data, &admitted[i]);

        } else if (rc == QUEUE_READ_WRONG && call->n == 1) {
            admit->done(ask->data, NULL);

        } else {
            ask->alone = (rc == QUEUE_READ_WRONG);
            admit_append(admit, ask);
        }
    }

    if (rc == QUEUE_READ_OK) {
        admit->pause = 0;

    } else if (reply) {
        admit_later(admit);
    }

    free(call);
}


static void
admit_on_turn(evutil_socket_t fd, short what, void *data)
{
    size_t          i;
    ask_t          *ask;
    link_t         *link;
    admit_t        *admit = data;
    admission_t     messages[QUEUE_BATCH];
    admit_call_t   *call;

    link = links_of(admit->links, admit->queue->base);

    while (admit->first && link_ready(link)) {

        call = malloc(sizeof(admit_call_t));

        if (call == NULL) {
            admit_later(admit);
            return;
        }

        call->admit = admit;
        call->n = 0;

        while (admit->first && call->n < QUEUE_BATCH
               && !(admit->first->alone && call->n))
        {
            ask = admit->first;
            admit->first = ask->next;

            if (admit->first == NULL) {
                admit->last = NULL;
            }

            ask->listed = 0;
            ask->call = call;
            messages[call->n] = ask->message;
            call->asks[call->n++] = ask;

            if (ask->alone) {
                break;
            }
        }

        fault_point("admit-call", NULL);

        if (queue_admit(link_redis(link), admit->queue, messages,
                        call->n, admit->claim_ttl, ADMIT_HORIZON,
                        admit_on_reply, call)
            != SLUICE_REDIS_OK)
        {
            for (i = 0; i < call->n; i++) {
                call->asks[i]->call = NULL;
                admit_append(admit, call->asks[i]);
            }

            free(call);
            admit_later(admit);
            return;
        }

        admit->calls++;
    }
}


admit_t *
admit_open(struct event_base *base, links_t *links, const queue_t *queue,
    admit_pt done)
{
    admit_t  *admit;

    admit = calloc(1, sizeof(admit_t));

    if (admit == NULL) {
        return NULL;
    }

    admit->links = links;
    admit->queue = queue;
    admit->done = done;
    admit->turn = event_new(base, -1, 0, admit_on_turn, admit);

    if (admit->turn == NULL) {
        free(admit);
        return NULL;
    }

    return admit;
}


void
admit_close(admit_t *admit)
{
    event_free(admit->turn);
    free(admit);
}


bool
admit_idle(const admit_t *admit)
{
    return admit->calls == 0;
}


void
admit_ask(admit_t *admit, ask_t *ask, int64_t claim_ttl)
{
    admit->claim_ttl = claim_ttl;

    ask->alone = 0;

    admit_append(admit, ask);
    event_active(admit->turn, 0, 0);
}


void
admit_cancel(admit_t *admit, ask_t *ask)
{
    size_t   i;
    ask_t  **p, *last;

    if (!ask->listed) {
        for (i = 0; ask->call && i < ask->call->n; i++) {
            if (ask->call->asks[i] == ask) {
                ask->call->asks[i] = NULL;
            }
        }

        ask->call = NULL;
        return;
    }

    last = NULL;

    for (p = &admit->first; *p != ask; p = &(*p)->next) {
        last = *p;
    }

    *p = ask->next;

    if (admit->last == ask) {
        admit->last = last;
    }

    ask->listed = 0;
}


void
admit_link(admit_t *admit)
{
    event_active(admit->turn, 0, 0);
}
