/*
 * Where build/sluiced-fault ends, as by kill -9, or stands still, said by the
 * environment:
 *
 *   SLUICE_FAULT=STEP:N      when it comes to the step for the N-th time
 *   SLUICE_FAULT=STEP=TEXT   when it does so with a job whose id holds it
 *   SLUICE_FAULT_STOP=1      there it stops, as by SIGSTOP
 *   SLUICE_FAULT_UUID=TEXT   is in the token of each lease
 *
 * The steps are in the sources: grep fault_point worker/
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "worker/fault.h"


void
fault_point(const char *step, const char *job)
{
    size_t       n;
    const char  *fault;

    static int  seen;    /* of one step, so of one thread */

    fault = getenv("SLUICE_FAULT");
    n = strlen(step);

    if (fault == NULL || strncmp(fault, step, n) != 0) {
        return;
    }

    fault += n;

    if ((*fault == ':' && ++seen == atoi(fault + 1))
        || (*fault == '=' && job && strstr(job, fault + 1)))
    {
        (void) kill(getpid(), getenv("SLUICE_FAULT_STOP") ? SIGSTOP : SIGKILL);
    }
}


void
fault_uuid(char *uuid, size_t size)
{
    const char  *text;

    text = getenv("SLUICE_FAULT_UUID");

    if (text) {
        snprintf(uuid, size, "%s", text);
    }
}
