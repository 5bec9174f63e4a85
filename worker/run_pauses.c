/*
 * For how long nothing may be sent under a name, as a provider has said.
 */

#include <stdlib.h>
#include <string.h>
#include "worker/run_parts.h"


#define RUN_PAUSES  1024    /* names remembered */


int64_t
run_paused(run_t *run, const char *name)
{
    size_t   i;
    int64_t  now;

    if (run->npauses == 0) {
        return 0;
    }

    now = clock_ms();

    for (i = 0; i < run->npauses; /* void */ ) {

        if (run->pauses[i].until <= now) {
            free(run->pauses[i].name);
            run->pauses[i] = run->pauses[--run->npauses];
            continue;
        }

        if (strcmp(run->pauses[i].name, name) == 0) {
            return run->pauses[i].until - now;
        }

        i++;
    }

    return 0;
}


void
run_set_pause(run_t *run, const char *name, int64_t ms)
{
    char         *copy;
    size_t        i;
    int64_t       until;
    run_pause_t  *pauses;

    until = clock_ms() + ms;

    for (i = 0; i < run->npauses; i++) {
        if (strcmp(run->pauses[i].name, name) == 0) {
            if (run->pauses[i].until < until) {
                run->pauses[i].until = until;
            }

            return;
        }
    }

    /* forgotten is harmless: the provider says it again */

    if (run->npauses == RUN_PAUSES) {
        return;
    }

    copy = strdup(name);
    pauses = realloc(run->pauses, (run->npauses + 1) * sizeof(run_pause_t));

    if (pauses) {
        run->pauses = pauses;
    }

    if (copy == NULL || pauses == NULL) {
        free(copy);
        return;
    }

    run->pauses[run->npauses].name = copy;
    run->pauses[run->npauses].until = until;
    run->npauses++;
}


void
run_forget_pauses(run_t *run)
{
    while (run->npauses) {
        free(run->pauses[--run->npauses].name);
    }
}
