/*
 * When the first delayed job of a queue that is not open is due.
 */

#include <stdlib.h>
#include "worker/run_parts.h"


#define RUN_DUE  3600000    /* ms; a sweep says it again */


typedef struct {
    run_t         *run;
    known_t       *known;
    struct event  *event;
} due_t;


void
run_due_drop(known_t *known)
{
    due_t  *due;

    due = known->due;
    known->due = NULL;

    if (due) {
        event_free(due->event);
        free(due);
    }
}


static void
run_on_due(evutil_socket_t fd, short what, void *data)
{
    run_t    *run;
    due_t    *due = data;
    known_t  *known;

    run = due->run;
    known = due->known;

    run_due_drop(known);
    many_open(run, known);
}


void
run_due(run_t *run, known_t *known, int64_t at)
{
    due_t    *due;
    int64_t   wait;

    run_due_drop(known);

    if (at == 0) {
        return;
    }

    due = malloc(sizeof(due_t));

    if (due == NULL) {
        return;
    }

    due->run = run;
    due->known = known;
    due->event = event_new(run->base, -1, 0, run_on_due, due);

    if (due->event == NULL) {
        free(due);
        return;
    }

    known->due = due;

    wait = at - clock_wall_ms();
    wait = (wait < RUN_DUE) ? wait : RUN_DUE;
    clock_arm(due->event, wait > 0 ? wait : 0);
}
