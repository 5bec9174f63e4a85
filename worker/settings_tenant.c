/* tenant { }, and the queues of tenants that are not listed. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/settings_check.h"


cfg_opt_t  settings_tenant_opts[] = {
    CFG_INT("weight", 1, CFGF_NONE),
    CFG_INT("concurrency", 0, CFGF_NONE),
    CFG_END()
};


void
settings_tenants(settings_t *settings, cfg_t *cfg)
{
    size_t              i;
    cfg_t              *sec;
    const char         *name;
    tenant_settings_t  *tenant;

    settings->ntenants = cfg_size(cfg, "tenant");
    settings->tenants = settings_alloc(settings->ntenants,
                                       sizeof(tenant_settings_t));

    for (i = 0; i < settings->ntenants; i++) {
        sec = cfg_getnsec(cfg, "tenant", i);
        name = cfg_title(sec);
        tenant = &settings->tenants[i];

        if (!sluice_keys_name_ok(name, strlen(name))) {
            settings_error(sec, "tenant \"%s\": the name must be 1 to 64"
                           " characters of A-Z a-z 0-9 _ . -", name);
        }

        tenant->name = settings_dup(name);
        tenant->weight = cfg_getint(sec, "weight");
        tenant->concurrency = cfg_getint(sec, "concurrency");
    }
}


const tenant_settings_t *
settings_tenant(const settings_t *settings, const char *name)
{
    size_t  i;

    for (i = 0; name && i < settings->ntenants; i++) {
        if (strcmp(settings->tenants[i].name, name) == 0) {
            return &settings->tenants[i];
        }
    }

    return NULL;
}


const queue_settings_t *
settings_pattern(const settings_t *settings, const char *name)
{
    size_t  i;

    for (i = 0; i < settings->npatterns; i++) {
        if (strcmp(settings->patterns[i].name, name) == 0) {
            return &settings->patterns[i];
        }
    }

    return NULL;
}


const queue_settings_t *
settings_pattern_of(const settings_t *settings, const char *name, size_t len,
    char *tenant)
{
    size_t                   i, n;
    const char              *end;
    const queue_settings_t  *pattern;

    end = memchr(name, '}', len);

    if (len < 5 || name[0] != '{' || end == NULL || end[1] != ':'
        || memchr(name, '\0', len) != NULL)
    {
        return NULL;
    }

    n = end - name - 1;
    pattern = settings_pattern(settings, end + 2);

    if (pattern == NULL || !sluice_keys_name_ok(name + 1, n)) {
        return NULL;
    }

    memcpy(tenant, name + 1, n);
    tenant[n] = '\0';

    for (i = 0; i < settings->nqueues; i++) {
        if (settings->queues[i].tenant
            && strcmp(settings->queues[i].tenant, tenant) == 0
            && strcmp(settings->queues[i].name, pattern->name) == 0)
        {
            return NULL;
        }
    }

    return pattern;
}


int
settings_derive(queue_settings_t *queue, const settings_t *settings,
    const queue_settings_t *pattern, const char *tenant)
{
    char                      prefix[SLUICE_KEYS_NAME_MAX + 3];
    const tenant_settings_t  *section;

    snprintf(prefix, sizeof(prefix), "{%s}", tenant);

    *queue = *pattern;
    queue->name = strdup(pattern->name);
    queue->tenant = strdup(tenant);
    queue->prefix = strdup(prefix);

    section = settings_tenant(settings, tenant);

    if (section) {
        queue->weight *= section->weight;
    }

    if (queue->name && queue->tenant && queue->prefix) {
        return 0;
    }

    settings_queue_free(queue);

    return -1;
}


void
settings_queue_free(queue_settings_t *queue)
{
    free(queue->name);
    free(queue->tenant);
    free(queue->prefix);
}


void
settings_tenants_free(settings_t *settings)
{
    size_t  i;

    for (i = 0; i < settings->npatterns; i++) {
        settings_queue_free(&settings->patterns[i]);
    }

    for (i = 0; i < settings->ntenants; i++) {
        free(settings->tenants[i].name);
    }

    free(settings->patterns);
    free(settings->tenants);
}
