/* queue { }: one of the struct's queues for each tenant of a section. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/slot.h"
#include "worker/settings_check.h"


cfg_opt_t  settings_queue_opts[] = {
    CFG_STR("name", NULL, CFGF_NODEFAULT),
    CFG_STR_LIST("tenants", NULL, CFGF_NODEFAULT),
    CFG_STR("prefix", NULL, CFGF_NODEFAULT),
    CFG_STR("kind", "send", CFGF_NONE),
    CFG_STR("channel", NULL, CFGF_NODEFAULT),
    CFG_STR("schedule", "messages", CFGF_NONE),
    CFG_INT("bullmq", 6, CFGF_NONE),
    CFG_INT("concurrency", 50, CFGF_NONE),
    CFG_STR("floor", "5%", CFGF_NONE),
    CFG_STR("rate", NULL, CFGF_NODEFAULT),
    CFG_INT("burst", 0, CFGF_NODEFAULT),
    CFG_STR("rate_high", NULL, CFGF_NODEFAULT),
    CFG_STR("rate_medium", NULL, CFGF_NODEFAULT),
    CFG_STR("rate_low", NULL, CFGF_NODEFAULT),
    CFG_INT("quota", 0, CFGF_NONE),
    CFG_INT("weight", 1, CFGF_NONE),
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


/* the last one is of all other tenants: it has no prefix and tenant itself */

static void
settings_any(settings_t *settings, cfg_t *sec)
{
    queue_settings_t  *queue, *pattern;

    queue = &settings->queues[--settings->nqueues];

    if (settings_pattern(settings, queue->name)) {
        settings_error(sec, "queue \"%s\": \"%s\" of tenant \"*\" is already"
                       " worked by another queue section", cfg_title(sec),
                       queue->name);
    }

    pattern = &settings->patterns[settings->npatterns++];
    *pattern = *queue;

    free(pattern->prefix);
    free(pattern->tenant);
    pattern->prefix = NULL;
    pattern->tenant = NULL;
}


/* one queue of one tenant; `tenant` is NULL for a queue under a prefix */

static void
settings_queue(settings_t *settings, cfg_t *cfg, cfg_t *sec,
    const char *tenant)
{
    char                      prefix[SLUICE_KEYS_NAME_MAX + 3];
    size_t                    i;
    const char               *text;
    queue_settings_t         *queue, *other;
    const tenant_settings_t  *section;

    queue = &settings->queues[settings->nqueues];
    memset(queue, 0, sizeof(queue_settings_t));

    text = cfg_getstr(sec, "prefix");

    if (tenant) {
        snprintf(prefix, sizeof(prefix), "{%s}", tenant);
        text = prefix;
    }

    queue->prefix = settings_dup(text ? text : "bull");
    queue->tenant = settings_dup(tenant);

    if (settings->redis.kind == SLUICE_URL_CLUSTER
        && !sluice_slot_tagged(queue->prefix, strlen(queue->prefix)))
    {
        settings_error(sec, "queue \"%s\": the keys of prefix \"%s\" are all"
                       " over the cluster: give it a tenant, or a prefix with"
                       " a hash tag, as {%s}", cfg_title(sec), queue->prefix,
                       queue->prefix);
    }

    text = cfg_getstr(sec, "name");
    queue->name = settings_dup(text ? text : cfg_title(sec));

    text = cfg_getstr(sec, "kind");
    queue->kind = (strcmp(text, "send") == 0) ? QUEUE_SEND
                  : (strcmp(text, "events") == 0) ? QUEUE_EVENTS : QUEUE_NOOP;

    queue->bullmq = cfg_getint(sec, "bullmq");
    queue->concurrency = cfg_getint(sec, "concurrency");
    section = settings_tenant(settings, tenant);
    queue->weight = cfg_getint(sec, "weight")
                    * (section ? section->weight : 1);
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

    settings_limits(&queue->limits, sec);
    settings_schedule(queue, cfg, sec);
    settings_channel(queue, settings, sec);

    for (i = 0; i < settings->nqueues; i++) {
        other = &settings->queues[i];

        if (strcmp(other->prefix, queue->prefix) != 0) {
            continue;
        }

        text = settings_limits_differ(&other->limits, &queue->limits);

        if (text) {
            settings_error(sec, "queue \"%s\": %s differs from that of \"%s\","
                           " and is shared by all queues of \"%s\"",
                           cfg_title(sec), text, other->name, queue->prefix);
        }

        if (strcmp(other->name, queue->name) == 0) {
            settings_error(sec, "queue \"%s\": \"%s:%s\" is already worked by"
                           " another queue section", cfg_title(sec),
                           queue->prefix, queue->name);
        }
    }

    settings->nqueues++;
}


void
settings_queues(settings_t *settings, cfg_t *cfg)
{
    size_t       i, j, n, total;
    cfg_t       *sec;
    const char  *bad, *tenant;

    n = cfg_size(cfg, "queue");
    total = 0;

    for (i = 0; i < n; i++) {
        total += 1 + cfg_size(cfg_getnsec(cfg, "queue", i), "tenants");
    }

    settings->queues = settings_alloc(total, sizeof(queue_settings_t));
    settings->patterns = settings_alloc(total, sizeof(queue_settings_t));

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
            tenant = cfg_getnstr(sec, "tenants", j);

            settings_queue(settings, cfg, sec, tenant);

            if (strcmp(tenant, "*") == 0) {
                settings_any(settings, sec);
            }
        }
    }

    if (n == 0) {
        settings_error(cfg, "no queue section: there is nothing to work on");
    }
}
