/*
 * What one hook has to tell, and when: pure, with `now` as a parameter.
 *
 * A hook is told of many things and may speak at a rate.  Of each event the
 * newest is kept until it is its turn; what came before it since the last turn
 * is only counted ("dropped"), so that nothing is passed over in silence and a
 * hook needs the same memory whatever happens.
 */

#ifndef SLUICE_WORKER_HOOK_H
#define SLUICE_WORKER_HOOK_H

#include "core/gcra.h"
#include "worker/worker.h"


#define HOOK_REASON  512


/* what happened, not owned; text may be NULL */
typedef struct {
    hook_event_e  event;
    const char   *queue;       /* "<prefix>:<queue>" */
    const char   *job, *name;  /* of the job, where it is one's event */
    const char   *reason;
    int           attempts;
    int64_t       wait;        /* ms that it lasts, 0 not known */
} hook_told_t;

typedef struct {
    bool          waits;
    int64_t       at;          /* ms since 1970, when it was told */
    uint64_t      order;       /* of the events of this hook */
    int64_t       dropped;
    char          queue[SLUICE_KEYS_MAX];
    char          job[256], name[256], reason[HOOK_REASON];
    int           attempts;
    int64_t       wait;
} hook_pending_t;

typedef struct {
    hook_pending_t       events[HOOK_MAX];
    sluice_gcra_limit_t  limit;
    int64_t              tat;
    uint64_t             order;
} hook_state_t;


/* "failed", "stalled", ...: as the settings have them */
extern const char *const  hook_names[];

/* HOOK_MAX: none of them */
hook_event_e hook_event(const char *name);

/* Does the hook want to hear of it? */
bool hook_wants(const hook_settings_t *settings, const hook_told_t *told);

void hook_tell(hook_state_t *state, const hook_told_t *told, int64_t wall);

/*
 * When may it speak: 0 now, ms to wait, -1 nothing waits.  `now` is of a clock
 * that is not set back, in ms.
 */
int64_t hook_due(const hook_state_t *state, int64_t now);

/*
 * What it says, the oldest first: JSON, malloc()ed, and its type.  One turn is
 * charged.  NULL: nothing waits, or out of memory.
 *
 *   {"type":"job.failed","timestamp":"2026-11-21T10:00:00.000Z","data":{
 *    "hook","host","queue","prefix","tenant"|null,"job":{"id","name"},
 *    "reason","attempts","wait","dropped"}}
 */
char *hook_take(hook_state_t *state, const char *hook, const char *host,
    int64_t now, const char **type);


#endif
