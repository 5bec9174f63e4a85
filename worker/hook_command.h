/*
 * A program of the operator's: no shell, the message on its standard input, a
 * time in which it has to end.
 */

#ifndef SLUICE_WORKER_HOOK_COMMAND_H
#define SLUICE_WORKER_HOOK_COMMAND_H

#include "worker/worker.h"


typedef struct command_s  command_t;

/* `status` as of waitpid(), -1: it was killed when its time was over */
typedef void (*command_ended_pt)(void *data, int status);


/*
 * Starts it with a group of processes of its own, PATH and what `env` says, and
 * no file of ours.  At most 4096 bytes of text are sure not to be cut.  NULL
 * with errno.  `ended` is called once, unless it is left.
 */
command_t *command_start(struct event_base *base, const char *path,
    const char *const *env, const char *text, int64_t timeout,
    command_ended_pt ended, void *data);

/* it goes on, nobody is told */
void command_leave(command_t *command);


#endif
