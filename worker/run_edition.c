/*
 * Settings while jobs are worked on under them, and what they say of tenants.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/run_parts.h"


edition_t *
run_edition_hold(edition_t *edition)
{
    edition->refs++;

    return edition;
}


void
run_edition_drop(edition_t *edition)
{
    if (edition == NULL || --edition->refs > 0) {
        return;
    }

    if (edition->of) {
        settings_queue_free(&edition->queue);
        run_edition_drop(edition->of);

    } else {
        settings_free(edition->settings);
    }

    free(edition);
}


edition_t *
run_edition_derive(edition_t *edition, const queue_settings_t *pattern,
    const char *tenant)
{
    edition_t  *derived;

    derived = calloc(1, sizeof(edition_t));

    if (derived == NULL) {
        return NULL;
    }

    if (settings_derive(&derived->queue, edition->settings, pattern, tenant)
        != 0)
    {
        free(derived);
        return NULL;
    }

    derived->settings = edition->settings;
    derived->of = run_edition_hold(edition);

    return run_edition_hold(derived);
}


fair_group_t *
run_group(run_t *run, const settings_t *settings, const char *tenant)
{
    run_group_t              *group;
    const tenant_settings_t  *section;

    section = settings_tenant(settings, tenant);

    if (section == NULL) {
        return NULL;
    }

    for (group = run->groups; group; group = group->next) {
        if (strcmp(group->name, tenant) == 0) {
            break;
        }
    }

    if (group == NULL) {
        group = calloc(1, sizeof(run_group_t));

        /* without it only the cap is missing */
        if (group == NULL) {
            return NULL;
        }

        snprintf(group->name, sizeof(group->name), "%s", tenant);
        group->next = run->groups;
        run->groups = group;
    }

    group->group.cap = section->concurrency;

    return &group->group;
}


bool
run_works(const run_t *run, const char *name, size_t len)
{
    char  tenant[SLUICE_KEYS_NAME_MAX + 1];

    return settings_pattern_of(run->edition->settings, name, len, tenant)
           != NULL;
}
