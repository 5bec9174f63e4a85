/*
 * What the files of the REST API share: a call is one request, from its check
 * to its answer.  For worker/admin/ only.
 */

#ifndef SLUICE_WORKER_ADMIN_PARTS_H
#define SLUICE_WORKER_ADMIN_PARTS_H

#include <sys/queue.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include "worker/admin/admin.h"
#include "worker/admin/route.h"
#include "worker/links.h"
#include "worker/queue_admin.h"
#include "worker/queue_new.h"
#include "worker/text.h"


typedef struct call_s  call_t;

/* of events, now: events.c */
LIST_HEAD(streams_s, stream_s);

/* what is next, when a call over many jobs goes on */
typedef void (*call_next_pt)(call_t *call);

struct call_s {
    admin_t             *admin;
    struct evhttp_request *request;
    const char          *tenant;       /* of the key, NULL any */
    size_t               edition;      /* of the settings */
    route_t              route;
    struct evkeyvalq     query;
    queue_t              queue;
    bool                 asks;         /* whether the queue is registered */
    call_next_pt         next;
    json_t              *body;         /* an object, or NULL */
    json_t              *answer;

    /* of the operations */
    job_state_e          state;
    int64_t              page, count;
    bool                 statistics, flag;
    queue_counts_t       counts;
    queue_walk_t         walk;
    queue_obliterate_t   obliterate;
    const char         **ids;
    size_t               nids, at;
    int64_t              value;
    int64_t              done;
    char                *text;
    size_t               step, left;
};


/* ----------------------------------------------------------------- http.c */

sluice_redis_t *call_redis(call_t *call);

/* where the registry is; NULL: the call has been ended, it is away */
sluice_redis_t *call_registry(call_t *call);
const settings_t *call_settings(call_t *call);
struct streams_s *call_streams(call_t *call);
bool call_current(call_t *call);        /* no reload since its check */
zones_t *call_zones(call_t *call);


/* ----------------------------------------------------------------- call.c */

/* Each ends the call.  `answer` is taken. */
void call_answer(call_t *call, int status, json_t *answer);

/* problem+json, RFC 9457; `field` names what is wrong, or is NULL */
void call_problem(call_t *call, int status, const char *field,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* false: the call has been ended, Redis cannot be asked */
bool call_sent(call_t *call, sluice_redis_result_e rc);
bool call_read(call_t *call, queue_read_e rc);

/* the code of a script for one job, which is not 1: ends the call */
void call_refused(call_t *call, int code);
const char *call_why(int code);

/* frees the call without an answer: its request has another owner */
void call_drop(call_t *call);

/* a command of one key, the head and what is behind it */
sluice_redis_result_e call_key(call_t *call, const char *command,
    const char *head, const char *rest, sluice_redis_reply_pt reply);


/* --------------------------------------------------------------- params.c */

/*
 * Parameters of the query.  Each is false when it ended the call.  Absent:
 * *value stays.
 */
bool call_number(call_t *call, const char *name, int64_t min, int64_t max,
    int64_t *value);
bool call_flag(call_t *call, const char *name, bool *value);
bool call_state(call_t *call, job_state_e *state);
const char *call_text(call_t *call, const char *name);

/*
 * Members of the body.  False: the call has been ended.  call_members() takes
 * the names that may be there, ended by NULL.
 */
bool call_members(call_t *call, const char *const *names);
bool call_member_number(call_t *call, const char *name, int64_t min,
    int64_t max, int64_t *value);
bool call_member_flag(call_t *call, const char *name, bool *value);


/* ----------------------------------------------------------------- find.c */

/* The queue that the path means; false: the call has been ended. */
bool find_queue(call_t *call);

/* call->asks: goes on with `next` when the queue is there */
void find_registered(call_t *call, call_next_pt next);


/* -------------------------------------------------------- the operations */

/* find.c: the queues that there are */
void find_queues(call_t *call);

/* jobs.c: what there is in one */
void jobs_queue(call_t *call);
void jobs_page(call_t *call);
void jobs_one(call_t *call);

/* change.c: the queue, or one job */
void change_pause(call_t *call);
void change_empty(call_t *call);
void change_retry(call_t *call);
void change_promote(call_t *call);
void change_remove(call_t *call);
void change_job(call_t *call);

/* many.c: many jobs */
void many_purge(call_t *call);
void many_requeue(call_t *call);
void many_obliterate(call_t *call);

/* failed.c: what failed jobs have in common */
void failed_errors(call_t *call);

/* add.c */
void add_delayed(call_t *call);

/* repeat.c: job schedulers */
void repeat_add(call_t *call);
void repeat_change(call_t *call);
void repeat_remove(call_t *call);
void repeat_list(call_t *call);

/* events.c: as server-sent events; the call stays until the client goes */
void events_open(call_t *call);


#endif
