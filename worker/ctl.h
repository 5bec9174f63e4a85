/*
 * sluicectl: one command, blocking, then the end.
 *
 *   ctl_main.c    options and the table of commands
 *   ctl_redis.c   the connection, calls and their errors
 *   ctl_nodes.c   sentinels and clusters
 *   ctl_server.c  one server
 *   ctl_queue.c   names of queues; `queues`
 *   ctl_job.c     `job`
 *   ctl_jobs.c    `jobs`
 *   ctl_add.c     `add`
 *   ctl_admin.c   `pause`, `resume`, `promote`, `retry`, `remove`, `drain`,
 *                 `clean`
 *   ctl_dlq.c     `dlq`, with ctl_dlq_filter.c and ctl_dlq_errors.c
 *   ctl_schedulers.c, ctl_obliterate.c, ctl_explain.c, ctl_tail.c
 *   ctl_each.c    scripts over many jobs
 *   ctl_log.c     `log`
 *   ctl_spool.c   `spool`, with ctl_spool_file.c
 *   ctl_scheme.c  what `sign` and `verify` share
 *   ctl_tenants.c `tenants`, with ctl_tenants_set.c and ctl_tenant.c
 *   ctl_sign.c    `sign`
 *   ctl_verify.c  `verify`
 *   ctl_print.c   text and JSON on standard output
 *
 * Nothing is freed at the end of a command, and errors end the program where
 * they happen: ctl_fail().
 */

#ifndef SLUICE_WORKER_CTL_H
#define SLUICE_WORKER_CTL_H

#include <getopt.h>
#include <hiredis/hiredis.h>
#include "worker/worker.h"


enum {
    CTL_OK,
    CTL_NONE,       /* not there, or nothing to show */
    CTL_USAGE,      /* the command line or the settings */
    CTL_REDIS       /* Redis or the store does not answer, or refuses */
};

#define CTL_PAGE_MAX  1000
#define CTL_MEMBERS   64          /* fields of a job */


typedef struct ctl_redis_s  ctl_redis_t;

typedef struct {
    const char    *conf;          /* -c, or NULL */
    const char    *url;           /* -r, or NULL */
    tls_conf_t     tls_conf;      /* --tls-..., for -r */
    bool           json;
    settings_t    *settings;      /* NULL without -c */
    ctl_redis_t   *redis;         /* ctl_redis.c's */
} ctl_t;

typedef struct {
    char    prefix[SLUICE_KEYS_MAX];
    char    name[SLUICE_KEYS_MAX];
    char    base[SLUICE_KEYS_MAX];     /* "<prefix>:<name>:" */
    char    shown[2 * SLUICE_KEYS_MAX];    /* "tenant/queue" */
    int     bullmq;
} ctl_queue_t;

typedef struct {
    const char  *name;
    const char  *arguments;
    const char  *help;
    int        (*run)(ctl_t *ctl, int argc, char **argv);
    bool         alone;         /* needs neither settings nor Redis */
} ctl_command_t;


/* "sluicectl: ..." on standard error, and the end */
void ctl_fail(int code, const char *format, ...)
    __attribute__((noreturn, format(printf, 2, 3)));

/* the settings of -c; only for what cannot do without */
settings_t *ctl_settings(ctl_t *ctl);

/*
 * The value of an option, 0 to max; `name` for the error.
 */
int64_t ctl_number(const char *name, const char *text, int64_t max);

/* getopt_long() of a command: an unknown option ends the program */
int ctl_option(int argc, char **argv, const struct option *options);


/* ------------------------------------------------------------ ctl_redis.c */

/* keys are in slots */
bool ctl_is_cluster(ctl_t *ctl);

/* queued; ctl_reply() gives the answers in order */
void ctl_ask(ctl_t *ctl, const char *format, ...);
void ctl_ask_argv(ctl_t *ctl, int argc, const char **argv);

/* any reply; an error reply ends the program, with `what` in its text */
redisReply *ctl_reply(ctl_t *ctl, const char *what);

/* the same, but an error is given back */
redisReply *ctl_reply_any(ctl_t *ctl);

/* a script on one queue: `argc` arguments behind KEYS[1] */
redisReply *ctl_script(ctl_t *ctl, const sluice_script_t *script,
    const ctl_queue_t *queue, int argc, const char **argv);

/* any script */
redisReply *ctl_eval(ctl_t *ctl, const sluice_script_t *script, int nkeys,
    const char **keys, int argc, const char **argv);

/* integer, or text that is one; `otherwise` for all else */
int64_t ctl_integer(const redisReply *reply, int64_t otherwise);


/* ------------------------------------------------------------ ctl_queue.c */

extern const char  ctl_queues_help[];
int ctl_queues(ctl_t *ctl, int argc, char **argv);

/* "tenant/queue" or "prefix:queue"; ends the program when there is none */
void ctl_queue(ctl_t *ctl, ctl_queue_t *queue, const char *text);

/* all of the registry and the settings, at most `max`; how many */
size_t ctl_queue_all(ctl_t *ctl, ctl_queue_t *list, size_t max);


/* -------------------------------------------------- ctl_job.c and the rest */

extern const char  ctl_job_help[], ctl_dlq_help[], ctl_log_help[];
extern const char  ctl_spool_help[];
int ctl_job(ctl_t *ctl, int argc, char **argv);
int ctl_dlq(ctl_t *ctl, int argc, char **argv);
int ctl_log(ctl_t *ctl, int argc, char **argv);
int ctl_spool(ctl_t *ctl, int argc, char **argv);


/* ------------------------------------------------------------- ctl_each.c */

/* what came of a command over many jobs */
typedef struct {
    ctl_t        *ctl;
    ctl_queue_t   queue;
    json_t       *refused;          /* with --json */
    int64_t       done, not_done;
    int64_t       gone;             /* of not_done: no such job */
    int64_t       passed;           /* over: left where they are */
} ctl_each_t;

void ctl_each_begin(ctl_each_t *each, ctl_t *ctl, const char *queue);

/*
 * A script that answers with one code an id.  Behind the major stand at most 7
 * `fixed` arguments, then the ids.  Says which are refused; returns how many.
 */
int64_t ctl_each(ctl_each_t *each, const sluice_script_t *script,
    const char *const *fixed, size_t nfixed, const char *const *ids, size_t n);

/* all jobs that are in the set now, by move.lua */
void ctl_move_all(ctl_each_t *each, const char *set, bool reset);

/* all of a state, by clean.lua, until `limit` are done; `older` in ms */
void ctl_clean_all(ctl_each_t *each, const char *state, int64_t older,
    int64_t limit, bool announce);

/* "3 requeued"; the exit status */
int ctl_each_end(ctl_each_t *each, const char *done);


/* ---------------------------------------------- ctl_admin.c and the others */

extern const char  ctl_pause_help[], ctl_resume_help[], ctl_promote_help[];
extern const char  ctl_retry_help[], ctl_remove_help[], ctl_drain_help[];
extern const char  ctl_clean_help[], ctl_jobs_help[], ctl_add_help[];
int ctl_pause(ctl_t *ctl, int argc, char **argv);
int ctl_resume(ctl_t *ctl, int argc, char **argv);
int ctl_promote(ctl_t *ctl, int argc, char **argv);
int ctl_retry(ctl_t *ctl, int argc, char **argv);
int ctl_remove(ctl_t *ctl, int argc, char **argv);
int ctl_drain(ctl_t *ctl, int argc, char **argv);
int ctl_clean(ctl_t *ctl, int argc, char **argv);
int ctl_jobs(ctl_t *ctl, int argc, char **argv);
int ctl_add(ctl_t *ctl, int argc, char **argv);

extern const char  ctl_schedulers_help[], ctl_obliterate_help[];
extern const char  ctl_explain_help[], ctl_tail_help[];
int ctl_schedulers(ctl_t *ctl, int argc, char **argv);
int ctl_obliterate(ctl_t *ctl, int argc, char **argv);
int ctl_explain(ctl_t *ctl, int argc, char **argv);
int ctl_tail(ctl_t *ctl, int argc, char **argv);

/* ctl_add.c: values of --data, of which *text is as it came, and --backoff */
json_t *ctl_add_data(const char *value, char **text);
json_t *ctl_add_backoff(const char *value);

/* "7d", "90s" in ms; `name` for the error */
int64_t ctl_age(const char *name, const char *text);


/* ----------------------------------- ctl_dlq_errors.c, ctl_dlq_filter.c */

int ctl_dlq_errors(ctl_t *ctl, int argc, char **argv);

/* which of the failed jobs; all members NULL or 0: any */
typedef struct {
    const char  *name;
    const char  *error;     /* is part of the reason */
    int64_t      before;    /* ms since 1970 */
} ctl_filter_t;

bool ctl_filter_any(const ctl_filter_t *filter);

/*
 * What of these failed jobs is asked for: ctl_filter_ask() for all, then for
 * each in the same order a reply (name, failedReason, atm, finishedOn) and
 * ctl_filter_ok().
 */
void ctl_filter_ask(ctl_t *ctl, const ctl_queue_t *queue, const char *id,
    size_t len);
bool ctl_filter_ok(const ctl_filter_t *filter, const redisReply *reply);


/* ---------------------------------------------------------- ctl_tenants.c */

extern const char  ctl_tenants_help[];
int ctl_tenants(ctl_t *ctl, int argc, char **argv);


/* ----------------------------------------------- ctl_sign.c, ctl_verify.c */

extern const char  ctl_sign_help[], ctl_verify_help[];
int ctl_sign(ctl_t *ctl, int argc, char **argv);
int ctl_verify(ctl_t *ctl, int argc, char **argv);


/* ------------------------------------------------------------ ctl_print.c */

/*
 * Text from elsewhere: what would steer a terminal is shown as \xNN, a line
 * break too unless `lines`.
 */
void ctl_print(const char *text, size_t len, bool lines);

/* "2026-11-20 10:00:00.123" UTC, "-" for 0; one of a few static buffers */
const char *ctl_time(int64_t ms);

/* a string, whatever its bytes */
json_t *ctl_string(const char *text, size_t len);

/* JSON text as the value that it is, else as a string */
json_t *ctl_value(const char *text, size_t len);

/* the result of a command with --json; takes the value */
void ctl_print_json(json_t *value);


#endif
