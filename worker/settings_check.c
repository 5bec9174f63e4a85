#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "worker/settings_check.h"


/*
 * Each checks the last value of an option.  Returns NULL or what is wrong,
 * which goes behind the key's name.
 */
typedef const char *(*settings_check_pt)(cfg_opt_t *opt, const char *value);

typedef struct {
    const char         *section;      /* "root" outside of any */
    const char         *key;
    settings_check_pt   check;
    double              min, max;     /* numbers; durations in ms */
    const char         *range;
} settings_rule_t;


/* one load at a time; the parser's callbacks carry nothing of the caller's */
static FILE                   *errors_file;
static const char             *errors_path;     /* the file read first */
static size_t                  errors_count;
static char                    errors_last[512];
static const settings_rule_t  *current;


static void
settings_on_error(cfg_t *cfg, const char *fmt, va_list args)
{
    char         text[512];
    const char  *path;

    path = errors_path;

    /* the parser's name for a text in memory */

    if (cfg && cfg->filename && strcmp(cfg->filename, "[buf]") != 0) {
        path = cfg->filename;
    }

    vsnprintf(text, sizeof(text), fmt, args);

    /* a list is checked with each value and again at its end */

    if (errors_count && strcmp(text, errors_last) == 0) {
        return;
    }

    snprintf(errors_last, sizeof(errors_last), "%s", text);

    fprintf(errors_file, "%s:%d: %s\n", path, cfg ? cfg->line : 0,
            strstr(text, SETTINGS_END)
            ? "the file ends inside of a section: a } is missing" : text);
    errors_count++;
}


void
settings_error(cfg_t *cfg, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    settings_on_error(cfg, fmt, args);
    va_end(args);
}


size_t
settings_errors(void)
{
    return errors_count;
}


static const char *
check_duration(cfg_opt_t *opt, const char *value)
{
    int64_t  ms;

    ms = sluice_duration(value, strlen(value));

    if (ms < 0) {
        return "is not a duration such as \"300ms\", \"5s\", \"1h30m\"";
    }

    return (ms < current->min || ms > current->max) ? current->range : NULL;
}


static const char *
check_number(cfg_opt_t *opt, const char *value)
{
    double        number;
    unsigned int  last;

    last = cfg_opt_size(opt) - 1;
    number = (opt->type == CFGT_INT) ? (double) cfg_opt_getnint(opt, last)
                                     : cfg_opt_getnfloat(opt, last);

    /* written so that NaN is out of range */
    return (number >= current->min && number <= current->max) ? NULL
                                                              : current->range;
}


static const char *
check_rate(cfg_opt_t *opt, const char *value)
{
    return sluice_gcra_rate(value, strlen(value))
           ? NULL : "must be a rate such as \"50r/s\", \"10r/5s\", \"300r/m\"";
}


static const char *
check_pair(cfg_opt_t *opt, const char *value)
{
    return (settings_pair(value) < 0)
           ? "must be off or a rate such as \"10r/m\"" : NULL;
}


static const char *
check_floor(cfg_opt_t *opt, const char *value)
{
    double  part;

    part = settings_percent(value);

    return (part >= 0 && part <= 0.5) ? NULL : "must be from 0% to 50%";
}


static const char *
check_redis(cfg_opt_t *opt, const char *value)
{
    static sluice_url_nodes_t  url;

    return settings_url(&url, value);
}


static const char *
check_given(cfg_opt_t *opt, const char *value)
{
    return value[0] ? NULL : "is empty";
}


static const char *
check_listen(cfg_opt_t *opt, const char *value)
{
    return settings_listen(value);
}


static const char *
check_level(cfg_opt_t *opt, const char *value)
{
    return (settings_log_level(value) < 0)
           ? "must be debug, info, warn or error" : NULL;
}


static const char *
check_format(cfg_opt_t *opt, const char *value)
{
    return (strcmp(value, "logfmt") != 0 && strcmp(value, "json") != 0)
           ? "must be logfmt or json" : NULL;
}


static const char *
check_retry(cfg_opt_t *opt, const char *value)
{
    static sluice_retry_t  retry;

    return sluice_retry_parse(&retry, value, strlen(value));
}


static const char *
check_channel_kind(cfg_opt_t *opt, const char *value)
{
    return strcmp(value, "cloud_api") != 0 ? "must be cloud_api" : NULL;
}


static const char *
check_base_url(cfg_opt_t *opt, const char *value)
{
    size_t  n;

    n = (strncmp(value, "https://", 8) == 0) ? 8
        : (strncmp(value, "http://", 7) == 0) ? 7 : 0;

    if (n == 0 || value[n] == '\0' || value[n] == '/'
        || !settings_is_clean(value))
    {
        return "must be a URL that starts with https:// or http://";
    }

    if (strchr(value, '?') || strchr(value, '#') || strchr(value + n, '@')) {
        return "must have no user, query or fragment";
    }

    return (value[strlen(value) - 1] == '/') ? "must not end in a slash" : NULL;
}


static const char *
check_version(cfg_opt_t *opt, const char *value)
{
    int  n;

    n = 0;
    (void) sscanf(value, "v%*[0-9].%*[0-9]%n", &n);

    return (n == 0 || value[n]) ? "must be like \"v26.0\"" : NULL;
}


static const char *
check_token(cfg_opt_t *opt, const char *value)
{
    char        *secret;
    const char  *error;

    if (settings_secret(value, &secret, &error) != 0) {
        return error;
    }

    explicit_bzero(secret, strlen(secret));
    free(secret);

    return NULL;
}


static const char *
check_name(cfg_opt_t *opt, const char *value)
{
    return settings_queue_name(value);
}


static const char *
check_prefix(cfg_opt_t *opt, const char *value)
{
    if (value[0] == '\0' || strlen(value) > 128 || !settings_is_clean(value)) {
        return "must be 1 to 128 characters without white space";
    }

    return NULL;
}


static const char *
check_tenant(cfg_opt_t *opt, const char *value)
{
    return (strcmp(value, "*") == 0
            || sluice_keys_name_ok(value, strlen(value)))
           ? NULL : "must be names of 1 to 64 characters of A-Z a-z 0-9 _ . -,"
                    " or \"*\"";
}


static const char *
check_queue_kind(cfg_opt_t *opt, const char *value)
{
    return (strcmp(value, "send") != 0 && strcmp(value, "events") != 0
            && strcmp(value, "noop") != 0)
           ? "must be send, events or noop" : NULL;
}


#define SETTINGS_DAY  86400000.0

static const settings_rule_t  settings_rules[] = {
    { "root", "redis", check_redis, 0, 0, NULL },
    { "root", "redis_timeout", check_duration, 50, SETTINGS_DAY / 24,
      "must be from 50ms to 1h" },
    { "root", "wait_replicas", check_number, 0, 16, "must be from 0 to 16" },
    { "root", "wait_timeout", check_duration, 10, SETTINGS_DAY / 48,
      "must be from 10ms to 30m" },
    { "root", "redis_tls_ca", check_given, 0, 0, NULL },
    { "root", "redis_tls_cert", check_given, 0, 0, NULL },
    { "root", "redis_tls_key", check_given, 0, 0, NULL },
    { "root", "redis_tls_name", check_given, 0, 0, NULL },
    { "root", "pace", check_number, 0.01, 1, "must be from 0.01 to 1" },
    { "root", "drain", check_duration, 0, SETTINGS_DAY,
      "must be from 0s to 1d" },
    { "root", "claim_ttl", check_duration, 1000, 30 * SETTINGS_DAY,
      "must be from 1s to 30d" },
    { "root", "connections", check_number, 1, 65536,
      "must be from 1 to 65536" },
    { "root", "concurrency", check_number, 1, 1000000,
      "must be from 1 to 1000000" },
    { "root", "watch", check_number, 0, 10000, "must be from 0 to 10000" },
    { "root", "sweep", check_duration, 1000, SETTINGS_DAY / 24,
      "must be from 1s to 1h" },
    { "tenant", "weight", check_number, 1, 1000, "must be from 1 to 1000" },
    { "tenant", "concurrency", check_number, 0, 1000000,
      "must be 0 (any) or a number of jobs" },
    { "log", "level", check_level, 0, 0, NULL },
    { "log", "format", check_format, 0, 0, NULL },
    { "admin", "listen", check_listen, 0, 0, NULL },
    { "admin", "key", check_token, 0, 0, NULL },
    { "admin|tenant", "key", check_token, 0, 0, NULL },
    { "hook", "on", settings_hook_on, 0, 0, NULL },
    { "hook", "url", settings_hook_url, 0, 0, NULL },
    { "hook", "command", settings_hook_command, 0, 0, NULL },
    { "hook", "secret", check_token, 0, 0, NULL },
    { "hook", "rate", settings_hook_rate, 0, 0, NULL },
    { "hook", "timeout", check_duration, 100, SETTINGS_DAY / 24,
      "must be from 100ms to 1h" },
    { "schedule", "retry", check_retry, 0, 0, NULL },
    { "channel", "kind", check_channel_kind, 0, 0, NULL },
    { "channel", "base_url", check_base_url, 0, 0, NULL },
    { "channel", "version", check_version, 0, 0, NULL },
    { "channel", "token", check_token, 0, 0, NULL },
    { "channel", "timeout", check_duration, 100, SETTINGS_DAY / 24,
      "must be from 100ms to 1h" },
    { "channel", "pair_rate", check_pair, 0, 0, NULL },
    { "number", "pair_rate", check_pair, 0, 0, NULL },
    { "number", "token", check_token, 0, 0, NULL },
    { "number", "rate", check_number, 0.001, 100000,
      "must be from 0.001 to 100000 messages a second" },
    { "queue", "name", check_name, 0, 0, NULL },
    { "queue", "tenants", check_tenant, 0, 0, NULL },
    { "queue", "prefix", check_prefix, 0, 0, NULL },
    { "queue", "kind", check_queue_kind, 0, 0, NULL },
    { "queue", "bullmq", check_number, 5, 6, "must be 5 or 6" },
    { "queue", "concurrency", check_number, 1, 10000,
      "must be from 1 to 10000" },
    { "queue", "floor", check_floor, 0, 0, NULL },
    { "queue", "rate", check_rate, 0, 0, NULL },
    { "queue", "burst", check_number, 0, 1e6, "must be from 0 to 1000000" },
    { "queue", "rate_high", check_rate, 0, 0, NULL },
    { "queue", "rate_medium", check_rate, 0, 0, NULL },
    { "queue", "rate_low", check_rate, 0, 0, NULL },
    { "queue", "quota", check_number, 0, 1e9,
      "must be 0 (none) or a number of jobs a day" },
    { "queue", "weight", check_number, 1, 1000, "must be from 1 to 1000" },
    { "queue", "lock", check_duration, 200, SETTINGS_DAY,
      "must be from 200ms to 1d" },
    { "queue", "stalled", check_duration, 200, SETTINGS_DAY,
      "must be from 200ms to 1d" },
    { "queue", "max_stalled", check_number, 0, 1000, "must be from 0 to 1000" },
    { "queue", "keep_completed", check_number, -1, 1e9,
      "must be -1 (all) or a number of jobs" },
    { "queue", "keep_failed", check_number, -1, 1e9,
      "must be -1 (all) or a number of jobs" },
    { "queue", "keep_completed_age", check_duration, 0, 3660 * SETTINGS_DAY,
      "must be at most 3660d" },
    { "queue", "keep_failed_age", check_duration, 0, 3660 * SETTINGS_DAY,
      "must be at most 3660d" },
    { "queue", "keep_completed_bytes", check_number, 0, 1e15,
      "must be 0 (any) or a number of bytes" },
    { "queue", "keep_failed_bytes", check_number, 0, 1e15,
      "must be 0 (any) or a number of bytes" },
    { "queue", "metrics", check_number, 0, 100000,
      "must be from 0 (none) to 100000 minutes" },
};

#define SETTINGS_NRULES  (sizeof(settings_rules) / sizeof(settings_rules[0]))


static int
settings_on_value(cfg_t *cfg, cfg_opt_t *opt)
{
    size_t       i, j;
    const char  *section, *value, *wrong;

    for (i = 0; i < SETTINGS_NRULES; i++) {
        current = &settings_rules[i];
        section = strrchr(current->section, '|');
        section = section ? section + 1 : current->section;

        if (strcmp(section, cfg->name) != 0
            || strcmp(current->key, opt->name) != 0)
        {
            continue;
        }

        for (j = 0; j < cfg_opt_size(opt); j++) {
            value = (opt->type == CFGT_STR) ? cfg_opt_getnstr(opt, j) : "";
            wrong = current->check(opt, value ? value : "");

            if (wrong && strcmp(cfg->name, "root") == 0) {
                settings_error(cfg, "%s %s", opt->name, wrong);

            } else if (wrong && cfg_title(cfg)) {
                settings_error(cfg, "%s \"%s\": %s %s", cfg->name,
                               cfg_title(cfg), opt->name, wrong);

            } else if (wrong) {
                settings_error(cfg, "%s: %s %s", cfg->name, opt->name, wrong);
            }

            if (wrong) {
                break;
            }
        }
    }

    /* go on: all errors are shown at once */
    return 0;
}


void
settings_check(cfg_t *cfg, const char *path, FILE *errors)
{
    char    key[64];
    size_t  i;

    errors_file = errors;
    errors_path = path;
    errors_count = 0;

    cfg_set_error_function(cfg, settings_on_error);

    for (i = 0; i < SETTINGS_NRULES; i++) {
        snprintf(key, sizeof(key), "%s%s%s",
                 strcmp(settings_rules[i].section, "root") == 0
                 ? "" : settings_rules[i].section,
                 strcmp(settings_rules[i].section, "root") == 0 ? "" : "|",
                 settings_rules[i].key);

        cfg_set_validate_func(cfg, key, settings_on_value);
    }
}


int
settings_include(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
    char         *path;
    struct stat   st;

    path = (argc == 1) ? cfg_searchpath(cfg->path, argv[0]) : NULL;

    /* the scanner ends the process when a read fails, as of a directory */

    if (path && stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        cfg_error(cfg, "include: \"%s\" is not a file", argv[0]);
        free(path);
        return 1;
    }

    free(path);

    return cfg_include(cfg, opt, argc, argv);
}
