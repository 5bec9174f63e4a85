/*
 * Every Redis key name that the programs build, in one place.  A queue's keys
 * are BullMQ's, <prefix>:<queue>:<suffix>; the scripts derive them and the
 * jobs' keys from the base "<prefix>:<queue>:", which is their KEYS[1].  Ours
 * live beside them under the empty queue name, <prefix>::sluice:<what>, which
 * no BullMQ queue can have.
 *
 * Each writer returns the length written, without a terminating NUL being
 * counted, or 0 when dst has no room (size counts the NUL).
 */

#ifndef SLUICE_CORE_KEYS_H
#define SLUICE_CORE_KEYS_H

#include <stddef.h>
#include <stdint.h>


#define SLUICE_KEYS_NAME_MAX  64                 /* tenant, queue */
#define SLUICE_KEYS_MAX       256                /* any key built here */
#define SLUICE_KEYS_REGISTRY  "sluice:queues"    /* set of "<prefix>:<queue>" */
/* the tenant table, core/tenant.h; both are in one slot of a cluster */
#define SLUICE_KEYS_TENANTS   "sluice:tenants"   /* hash of entries by id */
#define SLUICE_KEYS_TENANTS_VERSION  "{sluice:tenants}:version"
#define SLUICE_KEYS_ID_MAX    67                 /* "e-" and 64, or a digest */


/* [A-Za-z0-9_.-]{1,64}: a tenant, a queue, or the free part of a job id */
int sluice_keys_name_ok(const char *name, size_t len);

/* "{acme}" for tenant acme */
size_t sluice_keys_tenant_prefix(char *dst, size_t size, const char *tenant,
    size_t len);

/* "<prefix>:<queue>:", KEYS[1] of every queue script */
size_t sluice_keys_base(char *dst, size_t size, const char *prefix,
    size_t prefix_len, const char *queue, size_t queue_len);

/* "<prefix>::sluice:records", the stream of records */
size_t sluice_keys_records(char *dst, size_t size, const char *prefix,
    size_t prefix_len);

/* "<prefix>::sluice:claim:<job id>" */
size_t sluice_keys_claim(char *dst, size_t size, const char *prefix,
    size_t prefix_len, const char *id, size_t id_len);

/* "<prefix>::sluice:pace:<sender>" */
size_t sluice_keys_pace(char *dst, size_t size, const char *prefix,
    size_t prefix_len, const char *sender, size_t sender_len);

/*
 * What lua/add.lua remembers of calls that may come twice, beside the queue of
 * the base "<prefix>:<queue>:": "<prefix>::sluice:edge:<name>" of a connection,
 * "<prefix>::sluice:spool:<name>" of a spool's segment.
 */
size_t sluice_keys_edge(char *dst, size_t size, const char *base,
    size_t base_len, const char *name, size_t name_len);
size_t sluice_keys_spool(char *dst, size_t size, const char *base,
    size_t base_len, const char *name, size_t name_len);

/*
 * A job id that cannot collide with a key of the queue or an integer id:
 * kind ('e' event, 'm' message), '-', and sluice_keys_safe() of the source.
 * dst has room for SLUICE_KEYS_ID_MAX bytes.  Returns the length, or 0 when
 * OpenSSL refuses the digest.
 */
size_t sluice_keys_job_id(char *dst, char kind, const char *source,
    size_t len);

/*
 * The source as it is when it is sluice_keys_name_ok(), else the first 40 hex
 * digits of its SHA-256; so is a source that is 40 hex digits in lower case
 * itself.  dst has room for SLUICE_KEYS_NAME_MAX + 1.  Returns the length, or
 * 0 when OpenSSL refuses the digest.
 */
size_t sluice_keys_safe(char *dst, const char *source, size_t len);

/*
 * A job id from nothing: milliseconds (12 hex digits), the process' random
 * number (12) and a counter (8), so ids sort by time.
 */
size_t sluice_keys_new_id(char *dst, char kind, int64_t now_ms,
    uint64_t process, uint32_t counter);


#endif
