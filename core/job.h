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
#define SLUICE_JOB_OPTS_MAX      320                /* bytes of the text */


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
} sluice_job_opts_t;


/*
 * {"attempts":3,"backoff":{"type":"fixed","delay":5000},"priority":10,
 * "delay":60000,"de":{"id":"evt_1","ttl":86400000}}: attempts always, as stock
 * clients do, the rest when it is set.  dst has room for SLUICE_JOB_OPTS_MAX.
 * Returns the length.
 */
size_t sluice_job_opts(char *dst, const sluice_job_opts_t *opts);

/* "high" 0, "medium" 10, "low" 100, or a number; -1 when it is none */
int64_t sluice_job_priority(const char *text, size_t len);


#endif
