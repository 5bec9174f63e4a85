/* hook { }: whom to tell of what. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/json.h"
#include "worker/hook_call.h"
#include "worker/settings_check.h"


cfg_opt_t  settings_hook_opts[] = {
    CFG_STR_LIST("on", NULL, CFGF_NODEFAULT),
    CFG_STR("url", NULL, CFGF_NODEFAULT),
    CFG_STR("command", NULL, CFGF_NODEFAULT),
    CFG_STR("secret", NULL, CFGF_NODEFAULT),
    CFG_STR("rate", "1r/10s", CFGF_NONE),
    CFG_STR("timeout", "10s", CFGF_NONE),
    CFG_STR_LIST("queues", NULL, CFGF_NODEFAULT),
    CFG_END()
};


const char *
settings_hook_on(cfg_opt_t *opt, const char *value)
{
    return hook_event(value) < HOOK_MAX
           ? NULL : "must be of failed, stalled, drained, paused, limited";
}


/* a private address is the operator's own choice here */

const char *
settings_hook_url(cfg_opt_t *opt, const char *value)
{
    size_t  n;

    n = (strncmp(value, "https://", 8) == 0) ? 8
        : (strncmp(value, "http://", 7) == 0) ? 7 : 0;

    return (n == 0 || strchr("/?#", value[n]) || !settings_is_clean(value))
           ? "must be a URL that starts with https:// or http://" : NULL;
}


const char *
settings_hook_command(cfg_opt_t *opt, const char *value)
{
    if (value[0] != '/') {
        return "must be the whole path of a program";
    }

    return access(value, X_OK) == 0 ? NULL : "cannot be executed";
}


const char *
settings_hook_rate(cfg_opt_t *opt, const char *value)
{
    return sluice_gcra_rate(value, strlen(value)) > 0
           ? NULL : "is not a rate such as \"1r/10s\", \"6r/m\"";
}


static void
settings_hook_secret(hook_settings_t *hook, cfg_t *sec)
{
    request_t    request;
    const char  *text, *wrong;

    text = cfg_getstr(sec, "secret");

    if (text == NULL) {
        return;
    }

    if (hook->command) {
        settings_error(sec, "hook \"%s\": secret is for url only", hook->name);
        return;
    }

    /* the check said already what is wrong with where it is */

    if (settings_secret(text, &hook->secret, &wrong) != 0) {
        return;
    }

    memset(&request, 0, sizeof(request_t));
    request.url = settings_dup("https://example.com/");
    request.body = settings_dup("{}");
    request.body_len = 2;
    wrong = hook_sign(&request, hook->secret, "h-0", 1);
    request_free(&request);

    if (wrong) {
        settings_error(sec, "hook \"%s\": secret %s", hook->name, wrong);
    }
}


static void
settings_hook(hook_settings_t *hook, cfg_t *sec)
{
    size_t       i;
    const char  *text;

    hook->name = settings_dup(cfg_title(sec));
    hook->url = settings_dup(cfg_getstr(sec, "url"));
    hook->command = settings_dup(cfg_getstr(sec, "command"));
    hook->timeout = settings_time(sec, "timeout");
    text = cfg_getstr(sec, "rate");
    hook->interval = sluice_gcra_rate(text, strlen(text));

    if (strlen(hook->name) == 0 || strlen(hook->name) > 128
        || !sluice_json_is_text((const uint8_t *) hook->name,
                                strlen(hook->name)))
    {
        settings_error(sec, "hook \"%s\": the name must be 1 to 128 bytes of"
                       " UTF-8", hook->name);
    }

    if ((hook->url == NULL) == (hook->command == NULL)) {
        settings_error(sec, "hook \"%s\": url or command, one of them, is"
                       " needed", hook->name);
    }

    for (i = 0; i < cfg_size(sec, "on"); i++) {
        hook_event_e  event;

        event = hook_event(cfg_getnstr(sec, "on", i));

        if (event < HOOK_MAX) {
            hook->on[event] = true;
        }
    }

    if (cfg_size(sec, "on") == 0) {
        settings_error(sec, "hook \"%s\": on is missing", hook->name);
    }

    hook->nqueues = cfg_size(sec, "queues");
    hook->queues = settings_alloc(hook->nqueues, sizeof(char *));

    for (i = 0; i < hook->nqueues; i++) {
        hook->queues[i] = settings_dup(cfg_getnstr(sec, "queues", i));
    }

    settings_hook_secret(hook, sec);
}


void
settings_hooks(settings_t *settings, cfg_t *cfg)
{
    size_t  i;

    settings->nhooks = cfg_size(cfg, "hook");
    settings->hooks = settings_alloc(settings->nhooks,
                                     sizeof(hook_settings_t));

    for (i = 0; i < settings->nhooks; i++) {
        settings_hook(&settings->hooks[i], cfg_getnsec(cfg, "hook", i));
    }
}


void
settings_hook_copy(hook_settings_t *to, const hook_settings_t *from)
{
    size_t  i;

    *to = *from;
    to->name = settings_dup(from->name);
    to->url = settings_dup(from->url);
    to->command = settings_dup(from->command);
    to->secret = settings_dup(from->secret);
    to->queues = settings_alloc(from->nqueues, sizeof(char *));

    for (i = 0; i < from->nqueues; i++) {
        to->queues[i] = settings_dup(from->queues[i]);
    }
}


void
settings_hook_free(hook_settings_t *hook)
{
    size_t  i;

    for (i = 0; i < hook->nqueues; i++) {
        free(hook->queues[i]);
    }

    if (hook->secret) {
        explicit_bzero(hook->secret, strlen(hook->secret));
    }

    free(hook->name);
    free(hook->url);
    free(hook->command);
    free(hook->secret);
    free(hook->queues);
}
