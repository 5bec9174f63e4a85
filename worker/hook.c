#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "worker/hook.h"
#include "worker/text.h"


const char *const  hook_names[] = {
    "failed", "stalled", "drained", "paused", "limited", NULL
};

static const char *const  hook_types[] = {
    "job.failed", "job.stalled", "queue.drained", "queue.paused",
    "queue.limited"
};


hook_event_e
hook_event(const char *name)
{
    hook_event_e  event;

    for (event = 0; event < HOOK_MAX; event++) {
        if (strcmp(hook_names[event], name) == 0) {
            break;
        }
    }

    return event;
}


/* "<prefix>:<queue>": the queue's own name, behind the last colon */

static const char *
hook_queue(const char *queue)
{
    const char  *colon;

    colon = strrchr(queue, ':');

    return colon ? colon + 1 : queue;
}


/* the tenant of a prefix "{acme}": its length, 0 none */

static size_t
hook_tenant(const char *queue)
{
    size_t  len;

    len = (size_t) (hook_queue(queue) - queue);

    return (len > 3 && queue[0] == '{' && queue[len - 2] == '}'
            && sluice_keys_name_ok(queue + 1, len - 3))
           ? len - 3 : 0;
}


/* "messages", "acme/messages" or "prefix:messages" */

static bool
hook_is_queue(const char *wanted, const char *queue)
{
    size_t       len;
    const char  *name;

    name = hook_queue(queue);

    if (strcmp(wanted, name) == 0 || strcmp(wanted, queue) == 0) {
        return true;
    }

    len = hook_tenant(queue);

    return len && strncmp(wanted, queue + 1, len) == 0 && wanted[len] == '/'
           && strcmp(wanted + len + 1, name) == 0;
}


bool
hook_wants(const hook_settings_t *settings, const hook_told_t *told)
{
    size_t  i;

    if (!settings->on[told->event]) {
        return false;
    }

    for (i = 0; i < settings->nqueues; i++) {
        if (hook_is_queue(settings->queues[i], told->queue)) {
            return true;
        }
    }

    return settings->nqueues == 0;
}


/* no half of a character at the end */

static void
hook_copy(char *dst, size_t size, const char *text)
{
    size_t  len;

    len = text ? strlen(text) : 0;

    if (len >= size) {
        len = size - 1;

        while (len && ((unsigned char) text[len] & 0xc0) == 0x80) {
            len--;
        }
    }

    memcpy(dst, text ? text : "", len);
    dst[len] = '\0';
}


void
hook_tell(hook_state_t *state, const hook_told_t *told, int64_t wall)
{
    hook_pending_t  *event;

    event = &state->events[told->event];

    if (event->waits) {
        event->dropped++;

    } else {
        event->order = ++state->order;
    }

    event->waits = true;
    event->at = wall;
    event->attempts = told->attempts;
    event->wait = told->wait;
    hook_copy(event->queue, sizeof(event->queue), told->queue);
    hook_copy(event->job, sizeof(event->job), told->job);
    hook_copy(event->name, sizeof(event->name), told->name);
    hook_copy(event->reason, sizeof(event->reason), told->reason);
}


/* the one that has waited longest */

static hook_pending_t *
hook_next(const hook_state_t *state)
{
    size_t                 i;
    const hook_pending_t  *event, *next;

    next = NULL;

    for (i = 0; i < HOOK_MAX; i++) {
        event = &state->events[i];

        if (event->waits && (next == NULL || event->order < next->order)) {
            next = event;
        }
    }

    return (hook_pending_t *) next;
}


int64_t
hook_due(const hook_state_t *state, int64_t now)
{
    int64_t  tat;

    if (hook_next(state) == NULL) {
        return -1;
    }

    return (sluice_gcra_check(state->tat, now * 1000, 1, &state->limit, &tat)
            + 999) / 1000;
}


static json_t *
hook_text(const char *text)
{
    return text[0] ? text_json(text, strlen(text)) : NULL;
}


static json_t *
hook_data(const hook_pending_t *event, const char *hook, const char *host)
{
    size_t       len;
    json_t      *data, *member;
    const char  *name;

    name = hook_queue(event->queue);
    len = (size_t) (name - event->queue);
    data = json_pack("{s:s, s:s, s:o, s:o}", "hook", hook, "host", host,
                     "queue", text_json(name, strlen(name)),
                     "prefix", text_json(event->queue, len ? len - 1 : 0));

    len = hook_tenant(event->queue);
    json_object_set_new(data, "tenant", len ? json_stringn(event->queue + 1,
                                                           len)
                                            : json_null());

    if (event->job[0]) {
        member = json_pack("{s:o}", "id", hook_text(event->job));

        if (event->name[0]) {
            json_object_set_new(member, "name", hook_text(event->name));
        }

        json_object_set_new(data, "job", member);
    }

    if (event->reason[0]) {
        json_object_set_new(data, "reason", hook_text(event->reason));
    }

    if (event->attempts) {
        json_object_set_new(data, "attempts", json_integer(event->attempts));
    }

    if (event->wait) {
        json_object_set_new(data, "wait", json_integer(event->wait));
    }

    json_object_set_new(data, "dropped", json_integer(event->dropped));

    return data;
}


char *
hook_take(hook_state_t *state, const char *hook, const char *host, int64_t now,
    const char **type)
{
    char             at[40], *text;
    size_t           n;
    time_t           seconds;
    json_t          *message;
    int64_t          tat;
    struct tm        tm;
    hook_pending_t  *event;

    event = hook_next(state);

    if (event == NULL) {
        return NULL;
    }

    (void) sluice_gcra_check(state->tat, now * 1000, 1, &state->limit, &tat);
    state->tat = tat;

    *type = hook_types[event - state->events];
    seconds = (time_t) (event->at / 1000);
    gmtime_r(&seconds, &tm);
    n = strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(at + n, sizeof(at) - n, ".%03dZ", (int) (event->at % 1000));

    message = json_pack("{s:s, s:s, s:o}", "type", *type, "timestamp", at,
                        "data", hook_data(event, hook, host));
    text = message ? json_dumps(message, JSON_COMPACT) : NULL;
    json_decref(message);
    memset(event, 0, sizeof(hook_pending_t));

    return text;
}
