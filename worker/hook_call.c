#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include "worker/hook_call.h"
#include "worker/hook_command.h"
#include "worker/link.h"


/* ms before the tries behind the first */
static const int64_t  call_again[] = { 1000, 5000, 25000 };

#define CALL_TRIES  (1 + sizeof(call_again) / sizeof(call_again[0]))


struct hook_call_s {
    struct event_base      *base;
    sender_t               *sender;
    const hook_settings_t  *settings;
    const char             *type;
    char                    id[SLUICE_KEYS_ID_MAX + 1];
    request_t               request;
    send_t                 *sending;
    command_t              *command;
    struct event           *timer;
    size_t                  tries;
    hook_called_pt          done;
    void                   *data;
};


static void call_send(hook_call_t *call);


static void
call_free(hook_call_t *call)
{
    if (call->timer) {
        event_free(call->timer);
    }

    request_free(&call->request);
    free(call);
}


static void
call_end(hook_call_t *call, const char *failed)
{
    void            *data;
    hook_called_pt   done;

    if (failed) {
        log_event(LOG_ERROR_, "hook_failed", "hook", "%s",
                  call->settings->name, "type", "%s", call->type,
                  "tries", "%zu", call->tries, "reason", "%s", failed, NULL);

    } else {
        log_event(LOG_INFO_, "hook_told", "hook", "%s", call->settings->name,
                  "type", "%s", call->type, "tries", "%zu", call->tries, NULL);
    }

    done = call->done;
    data = call->data;
    call_free(call);
    done(data);
}


/* -------------------------------------------------------------- a request */

static void
call_answered(void *data, const answer_t *answer)
{
    bool          again;
    char          failed[160];
    hook_call_t  *call = data;

    call->sending = NULL;

    if (answer->curl == 0 && answer->status >= 200 && answer->status < 300) {
        call_end(call, NULL);
        return;
    }

    again = answer->curl != 0 || answer->status >= 500
            || answer->status == 408 || answer->status == 429;

    if (again && call->tries < CALL_TRIES) {
        clock_arm(call->timer, call_again[call->tries - 1]);
        return;
    }

    if (answer->curl != 0) {
        snprintf(failed, sizeof(failed), "no answer (curl %d)", answer->curl);

    } else {
        snprintf(failed, sizeof(failed), "status %ld", answer->status);
    }

    call_end(call, failed);
}


static void
call_on_timer(evutil_socket_t fd, short what, void *data)
{
    call_send(data);
}


static void
call_free_headers(request_t *request)
{
    char  **header;

    for (header = request->headers; header && *header; header++) {
        free(*header);
    }

    free(request->headers);
    request->headers = NULL;
}


/* each try is signed with its own time */

static void
call_send(hook_call_t *call)
{
    const char  *wrong;

    call->tries++;
    call_free_headers(&call->request);
    wrong = hook_sign(&call->request, call->settings->secret, call->id,
                      clock_wall_ms() / 1000);

    if (wrong == NULL) {
        call->sending = sender_send(call->sender, &call->request,
                                    call_answered, call);
    }

    if (call->sending == NULL) {
        call_end(call, wrong ? wrong : "out of memory");
    }
}


/* -------------------------------------------------------------- a command */

static void
call_ended(void *data, int status)
{
    char          failed[80];
    hook_call_t  *call = data;

    call->command = NULL;

    if (status == 0) {
        call_end(call, NULL);
        return;
    }

    if (status == -1) {
        snprintf(failed, sizeof(failed), "killed: it did not end in time");

    } else if (WIFSIGNALED(status)) {
        snprintf(failed, sizeof(failed), "signal %d", WTERMSIG(status));

    } else {
        snprintf(failed, sizeof(failed), "exit status %d",
                 WEXITSTATUS(status));
    }

    call_end(call, failed);
}


static void
call_run(hook_call_t *call)
{
    char         hook[160], type[64];
    const char  *env[3];

    snprintf(hook, sizeof(hook), "SLUICE_HOOK=%s", call->settings->name);
    snprintf(type, sizeof(type), "SLUICE_EVENT=%s", call->type);
    env[0] = hook;
    env[1] = type;
    env[2] = NULL;

    call->tries = 1;
    call->command = command_start(call->base, call->settings->command, env,
                                  call->request.body, call->settings->timeout,
                                  call_ended, call);

    if (call->command == NULL) {
        call_end(call, strerror(errno));
    }
}


/* the first try is of the loop's next turn: who tells never waits for it */

static void
call_on_begin(evutil_socket_t fd, short what, void *data)
{
    hook_call_t  *call = data;

    event_assign(call->timer, call->base, -1, 0, call_on_timer, call);

    if (call->settings->command) {
        call_run(call);

    } else {
        call_send(call);
    }
}


hook_call_t *
hook_call(struct event_base *base, sender_t *sender,
    const hook_settings_t *settings, char *text, const char *type,
    hook_called_pt done, void *data)
{
    size_t        len;
    uint64_t      process;
    hook_call_t  *call;

    static uint32_t  count;

    call = calloc(1, sizeof(hook_call_t));

    if (call == NULL) {
        free(text);
        return NULL;
    }

    call->base = base;
    call->sender = sender;
    call->settings = settings;
    call->type = type;
    call->done = done;
    call->data = data;
    call->request.body = text;
    call->request.body_len = strlen(text);
    call->request.timeout = settings->timeout;
    call->request.url = settings->url ? strdup(settings->url) : NULL;
    call->timer = evtimer_new(base, call_on_begin, call);

    if (call->timer == NULL || (settings->url && call->request.url == NULL)) {
        call_free(call);
        return NULL;
    }

    evutil_secure_rng_get_bytes(&process, sizeof(process));
    len = sluice_keys_new_id(call->id, 'h', clock_wall_ms(), process, ++count);
    call->id[len] = '\0';

    clock_arm(call->timer, 0);

    return call;
}


void
hook_call_drop(hook_call_t *call)
{
    if (call->sending) {
        (void) sender_cancel(call->sending);
    }

    if (call->command) {
        command_leave(call->command);
    }

    call_free(call);
}
