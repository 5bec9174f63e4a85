/*
 * What run.c (the path of a job), run_events.c (that of a webhook),
 * run_result.c (its end), run_queues.c (the queues, start to end), run_pauses.c
 * (what providers hold up), run_many.c and run_due.c (those of any tenant),
 * run_edition.c and run_reload.c (settings) share.
 */

#ifndef SLUICE_WORKER_RUN_PARTS_H
#define SLUICE_WORKER_RUN_PARTS_H

#include "worker/admit.h"
#include "worker/lane.h"
#include "worker/recorder.h"
#include "worker/roster.h"
#include "worker/run.h"
#include "worker/send.h"


/* settings as they were read once; freed with the last job begun under them */
typedef struct edition_s  edition_t;

struct edition_s {
    settings_t        *settings;
    size_t             refs;
    edition_t         *of;         /* of a tenant that is not listed: its */
    queue_settings_t   queue;      /* queue, and the edition it is of */
};

typedef struct run_queue_s  run_queue_t;
typedef struct many_s       many_t;
typedef struct work_s       work_t;

/* the jobs at once of a tenant */
typedef struct run_group_s  run_group_t;

struct run_group_s {
    run_group_t   *next;
    fair_group_t   group;
    char           name[SLUICE_KEYS_NAME_MAX + 1];
};

struct run_queue_s {
    run_t                   *run;
    run_queue_t             *next;
    edition_t               *edition;
    const queue_settings_t  *conf;       /* in the edition */
    lane_t                  *lane;
    admit_t                 *admit;
    void                    *known;      /* run_many.c's, or NULL */
    bool                     many;       /* its tenant is not listed */
    bool                     wrote;      /* records, of which nobody heard */
    bool                     leaving;    /* no longer in the settings */
};

/* until when nothing is sent for a number, or a whole queue */
typedef struct {
    char     *name;
    int64_t   until;      /* clock_ms() */
} run_pause_t;

struct run_s {
    struct event_base  *base;
    edition_t          *edition;
    links_t            *links;
    watch_t            *watch;
    sender_t           *sender;
    zones_t            *zones;
    recorder_t         *recorder;      /* NULL without a store */
    many_t             *many;         /* NULL: all queues are listed */
    fair_t              fair;
    struct event       *share;
    struct event       *read;         /* the next of the long webhooks */
    work_t             *events, *events_last;    /* those, in line */
    run_group_t        *groups;
    struct event       *tick;         /* leaving queues, the end of a drain */
    run_queue_t        *queues;
    run_pause_t        *pauses;
    size_t              npauses;
    bool                paused;       /* by run_pause() */
    bool                draining;
    bool                releasing;
    void              (*drained)(void *data);
    void               *data;
};


/* a job on its way; queues of kind noop have none */
struct work_s {
    run_queue_t             *queue;
    work_t                  *next;        /* in line to be read */
    bool                     in_line;
    edition_t               *edition;
    const queue_settings_t  *conf;
    slot_t                  *slot;
    ask_t                    ask;
    bool                     asking;
    bool                     unclaimed;   /* another's claim was deleted */
    struct event            *hold;        /* waits for its turn here */
    message_t                message;
    char                     pair[MESSAGE_PAIR_MAX];
    request_t                request;
    send_t                  *sending;
    events_t                 events;
    sluice_retry_t           schedule;
    int64_t                  began;       /* of the request, clock_ms() */
    char                    *value, *stack, *claim, *record;
    char                     reason[640];
    char                     id[SLUICE_KEYS_MAX * 2];   /* of records */
};


/* run_edition.c */
edition_t *run_edition_hold(edition_t *edition);
void run_edition_drop(edition_t *edition);

/* the edition of a tenant that is not listed, held; NULL: out of memory */
edition_t *run_edition_derive(edition_t *edition,
    const queue_settings_t *pattern, const char *tenant);

/* its tenant's, with the cap of these settings; NULL: it has none */
fair_group_t *run_group(run_t *run, const settings_t *settings,
    const char *tenant);

/* "{acme}:messages" is one of a pattern's */
bool run_works(const run_t *run, const char *name, size_t len);

/* run_queues.c */
run_queue_t *run_queue_find(run_t *run, const queue_settings_t *conf);

/*
 * One more, which is known by that record of run_many.c; its marker is watched
 * or not.  NULL: out of memory, or its name is too long.
 */
run_queue_t *run_queue_add(run_t *run, edition_t *edition,
    const queue_settings_t *conf, void *known, bool watch);

/* opens the queues that are new, all or none; 0, or -1 and why */
int run_open_queues(run_t *run, edition_t *edition, char *error, size_t size);

/* NULL and why */
recorder_t *run_recorder(run_t *run, const settings_t *settings, char *error,
    size_t size);

/*
 * run_many.c: queues of tenants that are not listed, under run->edition.  At
 * the start and when the settings have changed: 0, or -1 out of memory.
 */
int many_reload(run_t *run);
void many_close(run_t *run);

/* unless it is open; and: when its first delayed job is due, ms since 1970 */
void many_open(run_t *run, known_t *known);
void run_due(run_t *run, known_t *known, int64_t at);
void run_due_drop(known_t *known);

/* it had nothing to do for a while: it is no longer known, and to be closed */
bool many_rests(run_t *run, run_queue_t *queue);

/* it is closed for another reason */
void many_left(run_t *run, run_queue_t *queue);

/* it stays, by other settings; else it is left as it is */
void many_change(run_t *run, run_queue_t *queue);

/* run->paused or ->draining changed, or which queues are open */
void many_pause(run_t *run);

/* run.c's, for lane_conf_t and admit_open(); data is the run_queue_t */
void run_job(void *data, slot_t *slot);
void run_admitted(void *data, const admitted_t *admitted);

/*
 * run_events.c: a webhook, read now or in line; the next in line, data is the
 * run_t; and: it is to be read no more.
 */
void run_events(work_t *work);
void run_events_on_turn(evutil_socket_t fd, short what, void *data);
void run_events_drop(work_t *work);

/* run_result.c: what becomes of a job; those behind the blank settle it */
void run_id(work_t *work);
void run_record(work_t *work, const char *status, const verdict_t *verdict);
const char *run_events_value(work_t *work);

void run_fail(slot_t *slot, work_t *work, result_kind_e kind, int64_t delay);
void run_dead(work_t *work, const char *reason);
void run_delay(work_t *work, int64_t ms);
void run_complete(slot_t *slot, const char *value);

/* back to its line, unless its result is there already */
void run_give_back(run_queue_t *queue, slot_t *slot);
void run_gone(void *data, slot_t *slot);


/* ------------------------------------------------------------ run_pauses.c */

/* ms for which nothing may be sent under that name; and: pause it */
int64_t run_paused(run_t *run, const char *name);
void run_set_pause(run_t *run, const char *name, int64_t ms);
void run_forget_pauses(run_t *run);


#endif
