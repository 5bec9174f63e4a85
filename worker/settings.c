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
    CFG_STR("pair_rate", "10r/m", CFGF_NONE),
    CFG_END()
};

static cfg_opt_t  number_opts[] = {
    CFG_STR("token", NULL, CFGF_NODEFAULT),
    CFG_FLOAT("rate", 80, CFGF_NONE),
    CFG_STR("pair_rate", NULL, CFGF_NODEFAULT),
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
    CFG_INT("wait_replicas", 0, CFGF_NONE),
    CFG_STR("wait_timeout", NULL, CFGF_NODEFAULT),
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
    CFG_SEC("hook", settings_hook_opts, SETTINGS_TITLED),
    CFG_SEC("schedule", schedule_opts, SETTINGS_TITLED),
    CFG_SEC("channel", channel_opts, SETTINGS_TITLED),
    CFG_SEC("number", number_opts, SETTINGS_TITLED),
    CFG_INT("concurrency", 10000, CFGF_NONE),
    CFG_INT("watch", 100, CFGF_NONE),
    CFG_STR("sweep", "30s", CFGF_NONE),
    CFG_SEC("tenant", settings_tenant_opts, SETTINGS_TITLED),
    CFG_SEC("queue", settings_queue_opts, SETTINGS_TITLED),
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


int64_t
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
        channel->apart = settings_pair(cfg_getstr(sec, "pair_rate"));
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
        number->apart = settings_pair(cfg_getstr(sec, "pair_rate"));
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

    if (!settings->redis.url.tls) {
        if (conf.ca || conf.cert || conf.key || conf.name || conf.unverified) {
            settings_error(cfg, "redis_tls_... is for rediss:// only");
        }

        return;
    }

    settings->redis_tls = tls_create(&conf, "redis_tls_", error,
                                     sizeof(error));

    if (settings->redis_tls == NULL) {
        settings_error(cfg, "%s", error);
    }
}


/*
 * A job may have to wait for the end of another's WAIT before its own, and a
 * lease, renewed in its middle, for one.
 */

static void
settings_replicas(settings_t *settings, cfg_t *cfg)
{
    size_t   i;
    int64_t  lock;

    lock = INT64_MAX;

    for (i = 0; i < settings->nqueues; i++) {
        if (settings->queues[i].lock < lock) {
            lock = settings->queues[i].lock;
        }
    }

    for (i = 0; i < settings->npatterns; i++) {
        if (settings->patterns[i].lock < lock) {
            lock = settings->patterns[i].lock;
        }
    }

    settings->wait_replicas = cfg_getint(cfg, "wait_replicas");

    if (cfg_getstr(cfg, "wait_timeout") == NULL) {
        settings->wait_timeout = (settings->redis_timeout < lock)
                                 ? settings->redis_timeout / 4 : lock / 4;
        return;
    }

    settings->wait_timeout = settings_time(cfg, "wait_timeout");

    if (settings->wait_replicas == 0) {
        settings_error(cfg, "wait_timeout is for wait_replicas only");

    } else if (settings->wait_timeout > settings->redis_timeout / 2) {
        settings_error(cfg, "wait_timeout must be at most half of"
                       " redis_timeout");

    } else if (settings->wait_timeout > lock / 4) {
        settings_error(cfg, "wait_timeout must be at most a quarter of the"
                       " lock of each queue");
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
    settings->concurrency = cfg_getint(cfg, "concurrency");
    settings->watch = cfg_getint(cfg, "watch");
    settings->sweep = settings_time(cfg, "sweep");

    sec = cfg_getsec(cfg, "log");
    text = cfg_getstr(sec, "file");
    settings->log_file = (text && text[0]) ? settings_dup(text) : NULL;
    settings->log_level = settings_log_level(cfg_getstr(sec, "level"));
    settings->log_json = (strcmp(cfg_getstr(sec, "format"), "json") == 0);

    settings_channels(settings, cfg);
    settings_numbers(settings, cfg);
    settings_tenants(settings, cfg);
    settings_queues(settings, cfg);
    settings_replicas(settings, cfg);
    settings_admin(settings, cfg);
    settings_hooks(settings, cfg);

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
        settings_queue_free(&settings->queues[i]);
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

    for (i = 0; i < settings->nhooks; i++) {
        settings_hook_free(&settings->hooks[i]);
    }

    free(settings->hooks);
    settings_tenants_free(settings);
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


int64_t
settings_apart(const channel_t *channel, const number_t *number)
{
    return (number && number->apart >= 0) ? number->apart : channel->apart;
}
