/*
 * `job`: one job with all that Redis holds of it.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/ctl.h"


const char  ctl_job_help[] =
    "usage: sluicectl [-c FILE | -r URL] [--json] job QUEUE ID\n\n"
    "State, times, attempts, options, data and result of one job.\n";


/* a state is where the id is; in the order in which BullMQ looks */

static const struct {
    const char  *state;
    const char  *format;    /* suffix, id */
    const char  *suffix;
} states[] = {
    { "completed", "ZSCORE %s%s %s", "completed" },
    { "failed", "ZSCORE %s%s %s", "failed" },
    { "delayed", "ZSCORE %s%s %s", "delayed" },
    { "prioritized", "ZSCORE %s%s %s", "prioritized" },
    { "active", "LPOS %s%s %s", "active" },
    { "waiting", "LPOS %s%s %s", "wait" },
    { "waiting (paused)", "LPOS %s%s %s", "paused" },
    { "waiting-children", "ZSCORE %s%s %s", "waiting-children" }
};

#define NSTATES  (sizeof(states) / sizeof(states[0]))


/* the fields that BullMQ knows by short names, and how each is shown */

typedef enum { FIELD_TEXT, FIELD_TIME, FIELD_JSON } field_e;

static const struct {
    const char  *field;
    const char  *title;
    field_e      kind;
} fields[] = {
    { "name", "name", FIELD_TEXT },
    { "timestamp", "added", FIELD_TIME },
    { "processedOn", "started", FIELD_TIME },
    { "finishedOn", "finished", FIELD_TIME },
    { "atm", "attempts made", FIELD_TEXT },
    { "ats", "attempts started", FIELD_TEXT },
    { "stc", "stalls", FIELD_TEXT },
    { "delay", "delay", FIELD_TEXT },
    { "priority", "priority", FIELD_TEXT },
    { "pb", "worker", FIELD_TEXT },
    { "rjk", "scheduler", FIELD_TEXT },
    { "deid", "deduplication", FIELD_TEXT },
    { "parentKey", "parent", FIELD_TEXT },
    { "defa", "to fail with", FIELD_TEXT },
    { "failedReason", "error", FIELD_TEXT },
    { "stacktrace", "stack", FIELD_JSON },
    { "progress", "progress", FIELD_JSON },
    { "opts", "options", FIELD_JSON },
    { "data", "data", FIELD_JSON },
    { "returnvalue", "result", FIELD_JSON }
};

#define NFIELDS  (sizeof(fields) / sizeof(fields[0]))


static const char *job_state(ctl_t *ctl, int64_t *score);
static void job_text(const char *id, const ctl_queue_t *queue,
    const char *state, int64_t due, const redisReply *hash);
static void job_line(const char *title, field_e kind, const redisReply *value);
static json_t *job_json(const char *id, const ctl_queue_t *queue,
    const char *state, int64_t due, const redisReply *hash);
static const redisReply *job_field(const redisReply *hash, const char *name);
static int job_known(const char *name);


int
ctl_job(ctl_t *ctl, int argc, char **argv)
{
    size_t        i;
    int64_t       score, due;
    redisReply   *hash;
    const char   *id, *state;
    ctl_queue_t   queue;

    static const struct option  options[] = { { NULL, 0, NULL, 0 } };

    (void) ctl_option(argc, argv, options);

    if (argc - optind != 2 || argv[optind + 1][0] == '\0') {
        ctl_fail(CTL_USAGE, "job takes a queue and an id");
    }

    ctl_queue(ctl, &queue, argv[optind]);
    id = argv[optind + 1];

    ctl_ask(ctl, "HGETALL %s%s", queue.base, id);

    for (i = 0; i < NSTATES; i++) {
        ctl_ask(ctl, states[i].format, queue.base, states[i].suffix, id);
    }

    hash = ctl_reply_any(ctl);
    state = job_state(ctl, &score);

    /* the queue's own keys are of other types, but for `meta` */

    if (hash->type != REDIS_REPLY_ARRAY || hash->elements == 0
        || (state == NULL && job_field(hash, "name") == NULL))
    {
        ctl_fail(CTL_NONE, "there is no job %s in %s%s", id, queue.shown,
                 state ? ", though its id is in a list" : "");
    }

    due = (state != NULL && strcmp(state, "delayed") == 0) ? score / 4096 : 0;

    if (ctl->json) {
        ctl_print_json(job_json(id, &queue, state, due, hash));

    } else {
        job_text(id, &queue, state, due, hash);
    }

    freeReplyObject(hash);

    return CTL_OK;
}


static const char *
job_state(ctl_t *ctl, int64_t *score)
{
    size_t       i;
    const char  *state;
    redisReply  *reply;

    state = NULL;

    for (i = 0; i < NSTATES; i++) {
        reply = ctl_reply_any(ctl);

        if (state == NULL && (reply->type == REDIS_REPLY_STRING
                              || reply->type == REDIS_REPLY_INTEGER))
        {
            state = states[i].state;
            *score = ctl_integer(reply, 0);
        }

        freeReplyObject(reply);
    }

    return state;
}


static void
job_text(const char *id, const ctl_queue_t *queue, const char *state,
    int64_t due, const redisReply *hash)
{
    size_t             i;
    const redisReply  *value;

    printf("%-17s ", "job");
    ctl_print(id, strlen(id), false);
    printf("\n%-17s ", "queue");
    ctl_print(queue->shown, strlen(queue->shown), false);
    printf("\n%-17s %s\n", "state", state ? state : "unknown");

    if (due > 0) {
        printf("%-17s %s\n", "due", ctl_time(due));
    }

    for (i = 0; i < NFIELDS; i++) {
        value = job_field(hash, fields[i].field);

        if (value != NULL) {
            job_line(fields[i].title, fields[i].kind, value);
        }
    }

    for (i = 0; i + 1 < hash->elements; i += 2) {
        if (!job_known(hash->element[i]->str)) {
            job_line(hash->element[i]->str, FIELD_TEXT, hash->element[i + 1]);
        }
    }
}


static void
job_line(const char *title, field_e kind, const redisReply *value)
{
    ctl_print(title, strlen(title), false);
    printf("%*s", strlen(title) < 18 ? 18 - (int) strlen(title) : 1, "");

    if (kind == FIELD_TIME) {
        fputs(ctl_time(ctl_integer(value, 0)), stdout);

    } else {
        ctl_print(value->str, (size_t) value->len, kind == FIELD_JSON);
    }

    putchar('\n');
}


static json_t *
job_json(const char *id, const ctl_queue_t *queue, const char *state,
    int64_t due, const redisReply *hash)
{
    int                known;
    size_t             i;
    json_t            *object, *value;
    const redisReply  *field;

    object = json_object();
    json_object_set_new(object, "id", ctl_string(id, strlen(id)));
    json_object_set_new(object, "queue", ctl_string(queue->shown,
                                                strlen(queue->shown)));
    json_object_set_new(object, "state", json_string(state ? state
                                                           : "unknown"));
    if (due > 0) {
        json_object_set_new(object, "due", json_integer(due));
    }

    for (i = 0; i + 1 < hash->elements; i += 2) {
        field = hash->element[i + 1];
        known = job_known(hash->element[i]->str);

        /* a text that happens to be JSON is still a text */

        if (known && fields[known - 1].kind == FIELD_JSON) {
            value = ctl_value(field->str, (size_t) field->len);

        } else if (known && fields[known - 1].kind == FIELD_TIME) {
            value = json_integer(ctl_integer(field, 0));

        } else {
            value = ctl_string(field->str, (size_t) field->len);
        }

        if (json_object_set_new(object, hash->element[i]->str, value) != 0) {
            ctl_fail(CTL_REDIS, "a field's name is not UTF-8");
        }
    }

    return object;
}


static const redisReply *
job_field(const redisReply *hash, const char *name)
{
    size_t  i;

    for (i = 0; i + 1 < hash->elements; i += 2) {
        if (strcmp(hash->element[i]->str, name) == 0) {
            return hash->element[i + 1];
        }
    }

    return NULL;
}


/* its place in `fields` and one, or 0 */

static int
job_known(const char *name)
{
    size_t  i;

    for (i = 0; i < NFIELDS; i++) {
        if (strcmp(fields[i].field, name) == 0) {
            return (int) i + 1;
        }
    }

    return 0;
}
