/*
 * What the file says, made into structs.  The values of single keys were
 * checked while they were read (settings_check.c), with their lines; here is
 * what concerns several of them.
 */

#include <confuse.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/settings_check.h"


static cfg_opt_t  schedule_opts[] = {
    CFG_STR("retry", NULL, CFGF_NODEFAULT),
    CFG_END()
};

static cfg_opt_t  channel_opts[] = {
    CFG_STR("kind", "cloud_api", CFGF_NONE),
    CFG_STR("base_url", "https://graph.facebook.com", CFGF_NONE),
    CFG_STR("version", "v26.0", CFGF_NONE),
    CFG_STR("token", NULL, CFGF_NODEFAULT),
    CFG_STR("timeout", "30s", CFGF_NONE),
    CFG_END()
};

static cfg_opt_t  number_opts[] = {
    CFG_STR("token", NULL, CFGF_NODEFAULT),
    CFG_FLOAT("rate", 80, CFGF_NONE),
    CFG_END()
};

static cfg_opt_t  queue_opts[] = {
    CFG_STR("name", NULL, CFGF_NODEFAULT),
    CFG_STR_LIST("tenants", NULL, CFGF_NODEFAULT),
    CFG_STR("prefix", NULL, CFGF_NODEFAULT),
    CFG_STR("kind", "send", CFGF_NONE),
    CFG_STR("channel", NULL, CFGF_NODEFAULT),
    CFG_STR("schedule", "messages", CFGF_NONE),
    CFG_INT("bullmq", 6, CFGF_NONE),
    CFG_INT("concurrency", 50, CFGF_NONE),
    CFG_STR("lock", "30s", CFGF_NONE),
    CFG_STR("stalled", "30s", CFGF_NONE),
    CFG_INT("max_stalled", 1, CFGF_NONE),
    CFG_INT("keep_completed", 1000, CFGF_NONE),
    CFG_INT("keep_failed", -1, CFGF_NONE),
    CFG_STR("keep_completed_age", "1d", CFGF_NONE),
    CFG_STR("keep_failed_age", "14d", CFGF_NONE),
    CFG_INT("keep_completed_bytes", 0, CFGF_NONE),
    CFG_INT("keep_failed_bytes", 0, CFGF_NONE),
    CFG_INT("metrics", 0, CFGF_NONE),
    CFG_END()
};

static cfg_opt_t  log_opts[] = {
    CFG_STR("file", NULL, CFGF_NODEFAULT),
    CFG_STR("level", "info", CFGF_NONE),
    CFG_STR("format", "logfmt", CFGF_NONE),
    CFG_END()
};

#define SETTINGS_TITLED  (CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES)

static cfg_opt_t  settings_opts[] = {
    CFG_STR("redis", NULL, CFGF_NODEFAULT),
    CFG_STR("redis_timeout", "5s", CFGF_NONE),
    CFG_STR("redis_tls_ca", NULL, CFGF_NODEFAULT),
    CFG_STR("redis_tls_cert", NULL, CFGF_NODEFAULT),
    CFG_STR("redis_tls_key", NULL, CFGF_NODEFAULT),
    CFG_STR("redis_tls_name", NULL, CFGF_NODEFAULT),
    CFG_BOOL("redis_tls_verify", cfg_true, CFGF_NONE),
    CFG_STR("store", NULL, CFGF_NODEFAULT),
    CFG_FLOAT("pace", 0.9, CFGF_NONE),
    CFG_STR("drain", "30s", CFGF_NONE),
    CFG_STR("claim_ttl", "24h", CFGF_NONE),
    CFG_INT("connections", 512, CFGF_NONE),
    CFG_SEC("log", log_opts, CFGF_NONE),
    CFG_SEC("admin", settings_admin_opts, CFGF_NONE),
    CFG_SEC("schedule", schedule_opts, SETTINGS_TITLED),
    CFG_SEC("channel", channel_opts, SETTINGS_TITLED),
    CFG_SEC("number", number_opts, SETTINGS_TITLED),
    CFG_SEC("queue", queue_opts, SETTINGS_TITLED),
    CFG_FUNC("include", settings_include),
    CFG_INT(SETTINGS_END, 0, CFGF_NONE),
    CFG_END()
};


#define SETTINGS_FILE  (1024 * 1024)    /* bytes of a file at most */


/* running out of memory while starting is not worth a path of its own */

void *
settings_alloc(size_t n, size_t size)
{
    void  *p;

    p = calloc(n ? n : 1, size);

    if (p == NULL) {
        perror("settings");
        abort();
    }

    return p;
}


char *
settings_dup(const char *text)
{
    char  *p;

    if (text == NULL) {
        return NULL;
    }

    p = settings_alloc(strlen(text) + 1, 1);

    return strcpy(p, text);
}


static int64_t
settings_time(cfg_t *sec, const char *key)
{
    const char  *text;

    text = cfg_getstr(sec, key);

    return sluice_duration(text, strlen(text));
}


static char *
settings_token(cfg_t *sec)
{
    char        *secret;
    const char  *text, *error;

    text = cfg_getstr(sec, "token");

    if (text == NULL) {
        return NULL;
    }

    /* the check said already what is wrong */
    return settings_secret(text, &secret, &error) == 0 ? secret : NULL;
}


static void
settings_channels(settings_t *settings, cfg_t *cfg)
{
    size_t      i;
    cfg_t      *sec;
    channel_t  *channel;

    settings->nchannels = cfg_size(cfg, "channel");
    settings->channels = settings_alloc(settings->nchannels,
                                        sizeof(channel_t));

    for (i = 0; i < settings->nchannels; i++) {
        sec = cfg_getnsec(cfg, "channel", i);
        channel = &settings->channels[i];

        channel->name = settings_dup(cfg_title(sec));
        channel->kind = CHANNEL_CLOUD_API;
        channel->base_url = settings_dup(cfg_getstr(sec, "base_url"));
        channel->version = settings_dup(cfg_getstr(sec, "version"));
        channel->token = settings_token(sec);
        channel->timeout = settings_time(sec, "timeout");
    }
}


static void
settings_numbers(settings_t *settings, cfg_t *cfg)
{
    size_t     i;
    cfg_t     *sec;
    number_t  *number;

    settings->nnumbers = cfg_size(cfg, "number");
    settings->numbers = settings_alloc(settings->nnumbers, sizeof(number_t));

    for (i = 0; i < settings->nnumbers; i++) {
        sec = cfg_getnsec(cfg, "number", i);
        number = &settings->numbers[i];

        number->id = settings_dup(cfg_title(sec));
        number->token = settings_token(sec);
        number->rate = cfg_getfloat(sec, "rate");
    }
}


static void
settings_schedule(queue_settings_t *queue, cfg_t *cfg, cfg_t *sec)
{
    cfg_t       *schedule;
    const char  *name, *text;

    name = cfg_getstr(sec, "schedule");
    schedule = cfg_gettsec(cfg, "schedule", name);
    text = schedule ? cfg_getstr(schedule, "retry") : NULL;

    sluice_retry_messages(&queue->retry);

    if (text) {
        (void) sluice_retry_parse(&queue->retry, text, strlen(text));

    } else if (schedule == NULL && strcmp(name, "messages") != 0) {
        settings_error(sec, "queue \"%s\": schedule \"%s\" is not defined",
                       cfg_title(sec), name);
    }
}


static void
settings_channel(queue_settings_t *queue, settings_t *settings, cfg_t *sec)
{
    size_t       i;
    const char  *name;

    name = cfg_getstr(sec, "channel");

    if (queue->kind != QUEUE_SEND) {
        if (name) {
            settings_error(sec, "queue \"%s\": channel is for kind send only",
                           cfg_title(sec));
        }

        return;
    }

    if (name == NULL) {
        settings_error(sec, "queue \"%s\": channel is missing",
                       cfg_title(sec));
        return;
    }

    for (i = 0; i < settings->nchannels; i++) {
        if (strcmp(settings->channels[i].name, name) == 0) {
            queue->channel = &settings->channels[i];
            return;
        }
    }

    settings_error(sec, "queue \"%s\": channel \"%s\" is not defined",
                   cfg_title(sec), name);
}


/* one queue of one tenant; `tenant` is NULL for a queue under a prefix */

static void
settings_queue(settings_t *settings, cfg_t *cfg, cfg_t *sec,
    const char *tenant)
{
    char               prefix[SLUICE_KEYS_NAME_MAX + 3];
    size_t             i;
    const char        *text;
    queue_settings_t  *queue, *other;

    queue = &settings->queues[settings->nqueues];
    memset(queue, 0, sizeof(queue_settings_t));

    text = cfg_getstr(sec, "prefix");

    if (tenant) {
        snprintf(prefix, sizeof(prefix), "{%s}", tenant);
        text = prefix;
    }

    queue->prefix = settings_dup(text ? text : "bull");
    queue->tenant = settings_dup(tenant);

    text = cfg_getstr(sec, "name");
    queue->name = settings_dup(text ? text : cfg_title(sec));

    text = cfg_getstr(sec, "kind");
    queue->kind = (strcmp(text, "send") == 0) ? QUEUE_SEND
                  : (strcmp(text, "events") == 0) ? QUEUE_EVENTS : QUEUE_NOOP;

    queue->bullmq = cfg_getint(sec, "bullmq");
    queue->concurrency = cfg_getint(sec, "concurrency");
    queue->lock = settings_time(sec, "lock");
    queue->stalled = settings_time(sec, "stalled");
    queue->max_stalled = cfg_getint(sec, "max_stalled");
    queue->keep_completed = cfg_getint(sec, "keep_completed");
    queue->keep_failed = cfg_getint(sec, "keep_failed");
    queue->keep_completed_age = settings_time(sec, "keep_completed_age") / 1000;
    queue->keep_failed_age = settings_time(sec, "keep_failed_age") / 1000;
    queue->keep_completed_bytes = cfg_getint(sec, "keep_completed_bytes");
    queue->keep_failed_bytes = cfg_getint(sec, "keep_failed_bytes");
    queue->metrics = cfg_getint(sec, "metrics");

    settings_schedule(queue, cfg, sec);
    settings_channel(queue, settings, sec);

    for (i = 0; i < settings->nqueues; i++) {
        other = &settings->queues[i];

        if (strcmp(other->prefix, queue->prefix) == 0
            && strcmp(other->name, queue->name) == 0)
        {
            settings_error(sec, "queue \"%s\": \"%s:%s\" is already worked by"
                           " another queue section", cfg_title(sec),
                           queue->prefix, queue->name);
        }
    }

    settings->nqueues++;
}


static void
settings_queues(settings_t *settings, cfg_t *cfg)
{
    size_t       i, j, n, total;
    cfg_t       *sec;
    const char  *bad;

    n = cfg_size(cfg, "queue");
    total = 0;

    for (i = 0; i < n; i++) {
        total += 1 + cfg_size(cfg_getnsec(cfg, "queue", i), "tenants");
    }

    settings->queues = settings_alloc(total, sizeof(queue_settings_t));

    for (i = 0; i < n; i++) {
        sec = cfg_getnsec(cfg, "queue", i);
        bad = settings_queue_name(cfg_title(sec));

        if (bad && cfg_getstr(sec, "name") == NULL) {
            settings_error(sec, "queue \"%s\": the name %s", cfg_title(sec),
                           bad);
        }

        if (cfg_size(sec, "tenants") && cfg_getstr(sec, "prefix")) {
            settings_error(sec, "queue \"%s\": tenants and prefix exclude each"
                           " other", cfg_title(sec));
        }

        if (cfg_size(sec, "tenants") == 0) {
            settings_queue(settings, cfg, sec, NULL);
        }

        for (j = 0; j < cfg_size(sec, "tenants"); j++) {
            settings_queue(settings, cfg, sec,
                           cfg_getnstr(sec, "tenants", j));
        }
    }

    if (n == 0) {
        settings_error(cfg, "no queue section: there is nothing to work on");
    }
}


static void
settings_tls(settings_t *settings, cfg_t *cfg)
{
    char        error[512];
    tls_conf_t  conf;

    conf.ca = cfg_getstr(cfg, "redis_tls_ca");
    conf.cert = cfg_getstr(cfg, "redis_tls_cert");
    conf.key = cfg_getstr(cfg, "redis_tls_key");
    conf.name = cfg_getstr(cfg, "redis_tls_name");
    conf.unverified = !cfg_getbool(cfg, "redis_tls_verify");

    if (!settings->redis.tls) {
        if (conf.ca || conf.cert || conf.key || conf.name || conf.unverified) {
            settings_error(cfg, "redis_tls_... is for rediss:// only");
        }

        return;
    }

    settings->redis_tls = tls_create(&conf, settings->redis.host,
                                     "redis_tls_", error, sizeof(error));

    if (settings->redis_tls == NULL) {
        settings_error(cfg, "%s", error);
    }
}


static settings_t *
settings_build(cfg_t *cfg)
{
    cfg_t       *sec;
    const char  *text;
    settings_t  *settings;

    settings = settings_alloc(1, sizeof(settings_t));

    text = cfg_getstr(cfg, "redis");

    if (text == NULL) {
        settings_error(cfg, "redis is missing");

    } else {
        (void) settings_url(&settings->redis, text);
        settings_tls(settings, cfg);
    }

    text = cfg_getstr(cfg, "store");

    if (text && text[0]) {
        settings->store = settings_dup(text);
    }

    settings->redis_timeout = settings_time(cfg, "redis_timeout");
    settings->pace = cfg_getfloat(cfg, "pace");
    settings->drain = settings_time(cfg, "drain");
    settings->claim_ttl = settings_time(cfg, "claim_ttl");
    settings->connections = cfg_getint(cfg, "connections");

    sec = cfg_getsec(cfg, "log");
    text = cfg_getstr(sec, "file");
    settings->log_file = (text && text[0]) ? settings_dup(text) : NULL;
    settings->log_level = settings_log_level(cfg_getstr(sec, "level"));
    settings->log_json = (strcmp(cfg_getstr(sec, "format"), "json") == 0);

    settings_channels(settings, cfg);
    settings_numbers(settings, cfg);
    settings_queues(settings, cfg);
    settings_admin(settings, cfg);

    return settings;
}


/*
 * The text of the file and one setting more.  libconfuse takes the end of a
 * file for the end of any open section; that setting is unknown in them all.
 */

static char *
settings_text(const char *path, FILE *errors)
{
    FILE    *fp;
    char    *text;
    size_t   n;

    static const char  end[] = "\n" SETTINGS_END " = 1\n";

    text = settings_alloc(SETTINGS_FILE + sizeof(end), 1);
    errno = 0;
    fp = fopen(path, "r");
    n = fp ? fread(text, 1, SETTINGS_FILE, fp) : 0;

    if (fp == NULL || ferror(fp) || n == SETTINGS_FILE) {
        fprintf(errors, "%s: cannot be read: %s\n", path,
                errno ? strerror(errno) : "longer than 1 MB");
        free(text);
        text = NULL;

    } else {
        memcpy(text + n, end, sizeof(end));
    }

    if (fp) {
        fclose(fp);
    }

    return text;
}


settings_t *
settings_load(const char *path, FILE *errors)
{
    int          rc;
    char         dir[4096], *text;
    cfg_t       *cfg;
    settings_t  *settings;

    settings = NULL;
    text = settings_text(path, errors);

    if (text == NULL) {
        return NULL;
    }

    cfg = cfg_init(settings_opts, CFGF_NONE);

    if (cfg == NULL) {
        fprintf(errors, "%s: out of memory\n", path);
        free(text);
        return NULL;
    }

    /* an include is relative to the file that is read first */

    snprintf(dir, sizeof(dir), "%s", path);
    cfg_add_searchpath(cfg, dirname(dir));

    settings_check(cfg, path, errors);

    rc = cfg_parse_buf(cfg, text);
    free(text);

    if (rc == CFG_SUCCESS) {

        /* what is missing from the file is missing from its first line on */
        cfg->line = 1;
        settings = settings_build(cfg);

    } else if (settings_errors() == 0) {
        fprintf(errors, "%s: cannot be read\n", path);
    }

    cfg_free(cfg);

    if (settings_errors()) {
        settings_free(settings);
        return NULL;
    }

    return settings;
}


void
settings_free(settings_t *settings)
{
    size_t  i;

    if (settings == NULL) {
        return;
    }

    for (i = 0; i < settings->nqueues; i++) {
        free(settings->queues[i].name);
        free(settings->queues[i].tenant);
        free(settings->queues[i].prefix);
    }

    for (i = 0; i < settings->nchannels; i++) {
        free(settings->channels[i].name);
        free(settings->channels[i].base_url);
        free(settings->channels[i].version);
        free(settings->channels[i].token);
    }

    for (i = 0; i < settings->nnumbers; i++) {
        free(settings->numbers[i].id);
        free(settings->numbers[i].token);
    }

    settings_admin_free(settings);
    free(settings->queues);
    free(settings->channels);
    free(settings->numbers);
    free(settings->store);
    free(settings->log_file);
    tls_drop(settings->redis_tls);
    free(settings);
}


const number_t *
settings_number(const settings_t *settings, const char *id)
{
    size_t  i;

    for (i = 0; i < settings->nnumbers; i++) {
        if (strcmp(settings->numbers[i].id, id) == 0) {
            return &settings->numbers[i];
        }
    }

    return NULL;
}
