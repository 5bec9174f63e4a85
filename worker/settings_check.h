/*
 * The checks of single settings, made where they are read so that each error
 * has its line.  For settings*.c only.
 */

#ifndef SLUICE_WORKER_SETTINGS_CHECK_H
#define SLUICE_WORKER_SETTINGS_CHECK_H

#include <confuse.h>
#include <stdio.h>
#include "worker/worker.h"


/* a setting at the end of every file: see settings_text() */
#define SETTINGS_END  "end-of-settings"

/* Begins a load: errors are counted from 0 and written to `errors`. */
void settings_check(cfg_t *cfg, const char *path, FILE *errors);
size_t settings_errors(void);

/* "file:line: what"; the line is where the parser is in that section */
void settings_error(cfg_t *cfg, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* cfg_include() for what can be read */
int settings_include(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv);

/* neither white space nor a control character */
bool settings_is_clean(const char *text);

/* sluice_url_parse(); the path of a socket may be relative */
const char *settings_url(sluice_url_nodes_t *url, const char *text);

/*
 * A secret as it is, or "file:PATH" (the end of line is cut off), or
 * "env:NAME".  0 and *secret, malloc()ed; or -1 and *error, which never
 * repeats the secret.
 */
int settings_secret(const char *text, char **secret, const char **error);

/* NULL or what is wrong with it */
const char *settings_queue_name(const char *name);

/* settings.c; running out of memory ends the process */
void *settings_alloc(size_t n, size_t size);
char *settings_dup(const char *text);

/* ms; of what the check let pass */
int64_t settings_time(cfg_t *sec, const char *key);

/* settings_queue.c: queue { }; after the channels and tenants */
extern cfg_opt_t  settings_queue_opts[];
void settings_queues(settings_t *settings, cfg_t *cfg);

/* settings_tenant.c: tenant { }; before the queues */
extern cfg_opt_t  settings_tenant_opts[];
void settings_tenants(settings_t *settings, cfg_t *cfg);
void settings_tenants_free(settings_t *settings);

/* settings_admin.c: admin { }; and NULL or what is wrong with `listen` */
extern cfg_opt_t  settings_admin_opts[];
void settings_admin(settings_t *settings, cfg_t *cfg);
void settings_admin_free(settings_t *settings);
const char *settings_listen(const char *value);

/* settings_limits.c; "5%" -> 0.05, or -1 */
double settings_percent(const char *value);
void settings_limits(limits_t *limits, cfg_t *sec);

/* µs between two messages, 0 for "off"; -1 none, or no rate */
int64_t settings_pair(const char *value);

/* NULL, or what two queues of one prefix, which share it, say differently */
const char *settings_limits_differ(const limits_t *one, const limits_t *two);

/* settings_hook.c: hook { }; and the checks of its settings */
extern cfg_opt_t  settings_hook_opts[];
void settings_hooks(settings_t *settings, cfg_t *cfg);
void settings_hook_copy(hook_settings_t *to, const hook_settings_t *from);
void settings_hook_free(hook_settings_t *hook);
const char *settings_hook_on(cfg_opt_t *opt, const char *value);
const char *settings_hook_url(cfg_opt_t *opt, const char *value);
const char *settings_hook_command(cfg_opt_t *opt, const char *value);
const char *settings_hook_rate(cfg_opt_t *opt, const char *value);

/* "debug", "info", "warn", "error" -> LOG_*_, or -1 */
int settings_log_level(const char *name);


#endif
