/*
 * The tenant table for sluicectl: read as a whole, checked as the edge checks
 * it, changed together with its version.
 *
 *   ctl_tenants.c       the commands that show and remove; options
 *   ctl_tenants_set.c   `set` and `import`
 *   ctl_tenant.c        the table: reading, secrets, checks, writing
 */

#ifndef SLUICE_WORKER_CTL_TENANT_H
#define SLUICE_WORKER_CTL_TENANT_H

#include "core/tenant.h"
#include "worker/ctl.h"


typedef struct {
    ctl_t                 *ctl;
    json_t                *entries;     /* id: an object, or another text */
    char                   version[32];
    sluice_tenant_keys_t   keys;        /* of --key-file; n 0: none */
    json_t                *changed;     /* id: an object, or null to remove */
} ctl_tenants_t;


/* The keys of a file; ends the program when they are wrong. */
void ctl_tenant_keys(ctl_tenants_t *tenants, const char *path);

/* Reads the table, by id, and forgets what was to be changed. */
void ctl_tenant_read(ctl_tenants_t *tenants);

/*
 * Checks an entry and notes it as changed; its secrets are sealed under the
 * first key, when there is one.  `id` is not the entry's own text.  NULL, or
 * what is wrong: "/rate is not ...".
 */
const char *ctl_tenant_put(ctl_tenants_t *tenants, const char *id,
    json_t *entry);

/* Does a changed entry claim what another one has?  NULL, or a text */
const char *ctl_tenant_claims(ctl_tenants_t *tenants);

/* Writes what has changed: false when the table has another version by now. */
bool ctl_tenant_write(ctl_tenants_t *tenants);

/*
 * A copy for people: with secrets in clear (`open`), sealed (there is a key),
 * or "..." in the place of clear ones.  NULL and *why: one does not open.
 */
json_t *ctl_tenant_shown(ctl_tenants_t *tenants, const char *id,
    json_t *entry, bool open, const char **why);

int ctl_tenants_set(ctl_tenants_t *tenants, int argc, char **argv);
int ctl_tenants_import(ctl_tenants_t *tenants, int argc, char **argv);


#endif
