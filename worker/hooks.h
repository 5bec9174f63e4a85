/*
 * Hooks: an operator hears of what happens to queues, by HTTP or by a command.
 * As with the log there is one of them a process, and whoever knows something
 * tells it: it never waits, never fails, and its memory does not grow.
 */

#ifndef SLUICE_WORKER_HOOKS_H
#define SLUICE_WORKER_HOOKS_H

#include "worker/hook.h"


/* 0, or -1: out of memory.  The settings are copied. */
int hooks_open(struct event_base *base, const settings_t *settings);

/*
 * Other settings.  What waits at a hook of the same name waits on; what is on
 * its way comes to its end.
 */
void hooks_settings(const settings_t *settings);

void hooks_tell(const hook_told_t *told);

/* what waits is not told any more; commands that run go on */
void hooks_close(void);


#endif
