#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "worker/hook_call.h"
#include "worker/hooks.h"
#include "worker/link.h"
#include "worker/settings_check.h"


typedef struct hooks_s  hooks_t;
typedef struct live_s   live_t;

/* a hook of the settings; a message at a time is on its way */
struct live_s {
    live_t           *next;
    hook_settings_t   settings;
    hook_state_t      state;
    struct event     *timer;
    hook_call_t      *call;
    bool              leaving;     /* no longer in the settings */
};

struct hooks_s {
    struct event_base  *base;
    sender_t           *sender;
    live_t             *lives;
    char                host[256];
};


/* one a process, as the log */
static hooks_t  *hooks;


static void live_go(live_t *live);


static void
live_free(live_t *live)
{
    live_t  **at;

    for (at = &hooks->lives; *at != live; at = &(*at)->next) {
        /* void */
    }

    *at = live->next;

    if (live->call) {
        hook_call_drop(live->call);
    }

    event_free(live->timer);
    settings_hook_free(&live->settings);
    free(live);
}


static void
live_called(void *data)
{
    live_t  *live = data;

    live->call = NULL;

    if (live->leaving) {
        live_free(live);

    } else {
        live_go(live);
    }
}


static void
live_go(live_t *live)
{
    char        *text;
    int64_t      due;
    const char  *type;

    due = hook_due(&live->state, clock_ms());

    if (live->call || due < 0) {
        return;
    }

    if (due > 0) {
        clock_arm(live->timer, due);
        return;
    }

    text = hook_take(&live->state, live->settings.name, hooks->host,
                     clock_ms(), &type);
    live->call = text ? hook_call(hooks->base, hooks->sender, &live->settings,
                                  text, type, live_called, live) : NULL;

    if (live->call == NULL) {
        log_event(LOG_ERROR_, "hook_failed", "hook", "%s",
                  live->settings.name, "reason", "%s", "out of memory", NULL);
    }
}


static void
live_on_timer(evutil_socket_t fd, short what, void *data)
{
    live_go(data);
}


void
hooks_tell(const hook_told_t *told)
{
    live_t  *live;

    for (live = hooks ? hooks->lives : NULL; live; live = live->next) {
        if (!live->leaving && hook_wants(&live->settings, told)) {
            hook_tell(&live->state, told, clock_wall_ms());
            live_go(live);
        }
    }
}


static live_t *
live_open(const hook_settings_t *settings)
{
    live_t  *live;

    live = calloc(1, sizeof(live_t));

    if (live == NULL) {
        return NULL;
    }

    live->timer = evtimer_new(hooks->base, live_on_timer, live);

    if (live->timer == NULL) {
        free(live);
        return NULL;
    }

    settings_hook_copy(&live->settings, settings);
    live->state.limit.interval = settings->interval;

    return live;
}


void
hooks_settings(const settings_t *settings)
{
    int      n;
    size_t   i;
    live_t  *old, *live, *next, *fresh;

    if (hooks == NULL) {
        return;
    }

    fresh = NULL;

    for (i = 0; i < settings->nhooks; i++) {
        live = live_open(&settings->hooks[i]);

        if (live == NULL) {
            log_event(LOG_ERROR_, "hook_failed", "hook", "%s",
                      settings->hooks[i].name, "reason", "%s", "out of memory",
                      NULL);
            continue;
        }

        for (old = hooks->lives; old; old = old->next) {
            if (!old->leaving
                && strcmp(old->settings.name, live->settings.name) == 0)
            {
                live->state = old->state;
                live->state.limit.interval = live->settings.interval;
            }
        }

        live->next = fresh;
        fresh = live;
    }

    for (old = hooks->lives; old; old = next) {
        next = old->next;
        old->leaving = true;
        event_del(old->timer);

        if (old->call == NULL) {
            live_free(old);
        }
    }

    for (live = fresh; live; live = next) {
        next = live->next;
        live->next = hooks->lives;
        hooks->lives = live;
        live_go(live);
    }

    /* a connection each: none waits for a sink of another that says nothing */

    for (n = 1, live = hooks->lives; live; live = live->next) {
        n++;
    }

    sender_limit(hooks->sender, n);
}


int
hooks_open(struct event_base *base, const settings_t *settings)
{
    hooks = calloc(1, sizeof(hooks_t));

    if (hooks == NULL) {
        return -1;
    }

    hooks->base = base;
    hooks->sender = sender_open(base, 1);

    if (hooks->sender == NULL) {
        hooks_close();
        return -1;
    }

    (void) gethostname(hooks->host, sizeof(hooks->host) - 1);
    hooks_settings(settings);

    return 0;
}


void
hooks_close(void)
{
    if (hooks == NULL) {
        return;
    }

    while (hooks->lives) {
        live_free(hooks->lives);
    }

    if (hooks->sender) {
        sender_close(hooks->sender);
    }

    free(hooks);
    hooks = NULL;
}
