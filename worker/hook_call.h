/*
 * One message of a hook on its way: a request, with some tries, or a command.
 */

#ifndef SLUICE_WORKER_HOOK_CALL_H
#define SLUICE_WORKER_HOOK_CALL_H

#include "worker/hook.h"
#include "worker/send.h"


typedef struct hook_call_s  hook_call_t;

/* once; the call is freed behind it */
typedef void (*hook_called_pt)(void *data);


/*
 * Takes the text, also when it fails.  The settings must outlive the call.
 * NULL: it could not be begun, which is logged.
 */
hook_call_t *hook_call(struct event_base *base, sender_t *sender,
    const hook_settings_t *settings, char *text, const char *type,
    hook_called_pt done, void *data);

/* without its end; a command goes on by itself */
void hook_call_drop(hook_call_t *call);

/*
 * The headers of a signed request (Standard Webhooks).  NULL, or what is wrong,
 * with the secret when it begins with "is ".
 */
const char *hook_sign(request_t *request, const char *secret, const char *id,
    int64_t now);


#endif
