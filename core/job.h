/*
 * The job record that the programs exchange through lua/add.lua: BullMQ's opts
 * as both write them, and the words that both read for a priority.  Sources:
 * BullMQ's option names as stored in a job's hash; unknown ones are kept.
 */

#ifndef SLUICE_CORE_JOB_H
#define SLUICE_CORE_JOB_H

#include <stddef.h>
#include <stdint.h>


#define SLUICE_JOB_PRIORITY_MAX  2097151            /* BullMQ's */
#define SLUICE_JOB_ATTEMPTS_MAX  10000
#define SLUICE_JOB_OPTS_MAX      352                /* bytes without a group */
#define SLUICE_JOB_GROUP         128                /* bytes of its key */
#define SLUICE_JOB_GROUP_MAX     (SLUICE_JOB_GROUP * 6)


typedef enum {
    SLUICE_JOB_BACKOFF_NONE = 0,
    SLUICE_JOB_BACKOFF_FIXED,
    SLUICE_JOB_BACKOFF_EXPONENTIAL
} sluice_job_backoff_e;

typedef struct {
    int64_t               attempts;    /* in all; 0 leaves it to the worker */
    sluice_job_backoff_e  backoff;
    int64_t               pause;       /* of the backoff, ms */
    int64_t               delay;       /* ms, 0 none */
    int64_t               priority;    /* 0 none, 1 first .. the max last */
    const char           *dedupe;      /* key, of sluice_keys_safe(), or NULL */
    size_t                dedupe_len;
    int64_t               dedupe_ttl;  /* ms */
    const char           *group;       /* of sluice_job_group() */
    size_t                group_len;   /* 0 none */
} sluice_job_opts_t;


/*
 * {"attempts":3,"backoff":{"type":"fixed","delay":5000},"priority":10,
 * "delay":60000,"de":{"id":"evt_1","ttl":86400000},"groupKey":"+49 30"}:
 * attempts always, as stock clients do, the rest when it is set.  dst has room
 * for SLUICE_JOB_OPTS_MAX and the group.  Returns the length.
 */
size_t sluice_job_opts(char *dst, const sluice_job_opts_t *opts);

/*
 * The text as the inside of a JSON string; one over SLUICE_JOB_GROUP bytes as
 * '#' and the hex digits of its SHA-1, which lua/include/group.lua makes of it
 * too.  dst has room for SLUICE_JOB_GROUP_MAX.  Returns the length, or 0 when
 * OpenSSL refuses the digest.
 */
size_t sluice_job_group(char *dst, const char *text, size_t len);

/* "high" 0, "medium" 10, "low" 100, or a number; -1 when it is none */
int64_t sluice_job_priority(const char *text, size_t len);


#endif
