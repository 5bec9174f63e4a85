#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/job_new.h"


#define NEW_NAME_MAX    256
#define NEW_SAFE_MAX    INT64_C(9007199254740991)
#define NEW_ID_MAX      128


typedef enum {
    NEW_NUMBER,
    NEW_FLAG,
    NEW_TEXT,
    NEW_KEEP,       /* true, false, a number, or {age, count, limit} */
    NEW_BACKOFF,
    NEW_DEDUP
} new_kind_e;

/* who may have it */
enum { NEW_JOB = 1, NEW_SCHEDULER = 2, NEW_PLAN = 4 };

typedef struct {
    const char  *name;
    const char  *stored;
    new_kind_e   kind;
    int64_t      min, max;
    int          whose;
} new_member_t;


/* in the order in which they are stored */

static const new_member_t  new_members[] = {
    { "attempts", "attempts", NEW_NUMBER, 0, JOB_ATTEMPTS_MAX,
      NEW_JOB | NEW_SCHEDULER },
    { "delay", "delay", NEW_NUMBER, 0, JOB_DELAY_MAX, NEW_JOB },
    { "priority", "priority", NEW_NUMBER, 0, JOB_PRIORITY_MAX,
      NEW_JOB | NEW_SCHEDULER },
    { "lifo", "lifo", NEW_FLAG, 0, 0, NEW_JOB | NEW_SCHEDULER },
    { "backoff", "backoff", NEW_BACKOFF, 0, JOB_DELAY_MAX,
      NEW_JOB | NEW_SCHEDULER },
    { "removeOnComplete", "removeOnComplete", NEW_KEEP, 0, NEW_SAFE_MAX,
      NEW_JOB | NEW_SCHEDULER },
    { "removeOnFail", "removeOnFail", NEW_KEEP, 0, NEW_SAFE_MAX,
      NEW_JOB | NEW_SCHEDULER },
    { "keepLogs", "kl", NEW_NUMBER, 0, 1000000, NEW_JOB | NEW_SCHEDULER },
    { "stackTraceLimit", "stackTraceLimit", NEW_NUMBER, 0, 1000,
      NEW_JOB | NEW_SCHEDULER },
    { "groupKey", "groupKey", NEW_TEXT, 0, 0, NEW_JOB | NEW_SCHEDULER },
    { "deduplication", "de", NEW_DEDUP, 0, JOB_DELAY_MAX, NEW_JOB },
    { "every", "every", NEW_NUMBER, 1, SLUICE_SCHEDULE_MAX, NEW_PLAN },
    { "pattern", "pattern", NEW_TEXT, 0, 0, NEW_PLAN },
    { "tz", "tz", NEW_TEXT, 0, 0, NEW_PLAN },
    { "limit", "limit", NEW_NUMBER, 1, NEW_SAFE_MAX, NEW_PLAN },
    { "startDate", "startDate", NEW_NUMBER, 1, 8640000000000000, NEW_PLAN },
    { "endDate", "endDate", NEW_NUMBER, 1, 8640000000000000, NEW_PLAN },
    { "immediately", "immediately", NEW_FLAG, 0, 0, NEW_PLAN },
    { "offset", "offset", NEW_NUMBER, 0, SLUICE_SCHEDULE_MAX, NEW_PLAN }
};

#define NEW_MEMBERS  (sizeof(new_members) / sizeof(new_members[0]))


static bool
new_wrong(job_wrong_t *wrong, const char *field, const char *part,
    const char *what)
{
    snprintf(wrong->field, sizeof(wrong->field), "%s%s%s", field,
             part ? "." : "", part ? part : "");
    snprintf(wrong->what, sizeof(wrong->what), "%s", what);

    return false;
}


static bool
new_number(job_wrong_t *wrong, const char *field, const char *part,
    const json_t *value, int64_t min, int64_t max)
{
    char  what[80];

    if (json_is_integer(value) && json_integer_value(value) >= min
        && json_integer_value(value) <= max)
    {
        return true;
    }

    snprintf(what, sizeof(what), "must be a number from %lld to %lld",
             (long long) min, (long long) max);

    return new_wrong(wrong, field, part, what);
}


static bool
new_flag(job_wrong_t *wrong, const char *field, const char *part,
    const json_t *value)
{
    return json_is_boolean(value)
           ? true : new_wrong(wrong, field, part, "must be true or false");
}


static bool
new_text(job_wrong_t *wrong, const char *field, const char *part,
    const json_t *value)
{
    size_t  len;

    len = json_string_length(value);

    return (len > 0 && len <= NEW_NAME_MAX
            && strlen(json_string_value(value)) == len)
           ? true : new_wrong(wrong, field, part,
                              "must be a text of 1 to 256 bytes");
}


static bool
new_keep(job_wrong_t *wrong, const char *field, json_t *value)
{
    json_t      *part;
    const char  *name;

    if (json_is_boolean(value)) {
        return true;
    }

    if (!json_is_object(value)) {
        return new_number(wrong, field, NULL, value, 0, NEW_SAFE_MAX);
    }

    json_object_foreach (value, name, part) {
        if (strcmp(name, "age") != 0 && strcmp(name, "count") != 0
            && strcmp(name, "limit") != 0)
        {
            return new_wrong(wrong, field, name, "an unknown member");
        }

        if (!new_number(wrong, field, name, part, 0, NEW_SAFE_MAX)) {
            return false;
        }
    }

    return true;
}


/* a number is a fixed time, as stock clients store it */

static json_t *
new_backoff(job_wrong_t *wrong, json_t *value)
{
    json_t      *part;
    const char  *name;

    if (!json_is_object(value)) {
        return new_number(wrong, "backoff", NULL, value, 0, JOB_DELAY_MAX)
               ? json_pack("{s:s, s:O}", "type", "fixed", "delay", value)
               : NULL;
    }

    if (!new_text(wrong, "backoff", "type", json_object_get(value, "type"))) {
        return NULL;
    }

    json_object_foreach (value, name, part) {
        if (strcmp(name, "delay") == 0) {
            if (!new_number(wrong, "backoff", name, part, 0, JOB_DELAY_MAX)) {
                return NULL;
            }

        } else if (strcmp(name, "jitter") == 0) {
            if (!json_is_number(part) || json_number_value(part) < 0
                || json_number_value(part) > 1)
            {
                (void) new_wrong(wrong, "backoff", name,
                                 "must be a number from 0 to 1");
                return NULL;
            }

        } else if (strcmp(name, "type") != 0) {
            (void) new_wrong(wrong, "backoff", name, "an unknown member");
            return NULL;
        }
    }

    return json_incref(value);
}


static json_t *
new_dedup(job_wrong_t *wrong, json_t *value)
{
    bool         fine;
    size_t       i;
    json_t      *part;
    const char  *name;

    static const char *const  flags[] = {
        "extend", "replace", "keepLastIfActive", "reschedule"
    };

    if (!json_is_object(value)) {
        (void) new_wrong(wrong, "deduplication", NULL, "must be an object");
        return NULL;
    }

    if (!new_text(wrong, "deduplication", "id",
                  json_object_get(value, "id")))
    {
        return NULL;
    }

    json_object_foreach (value, name, part) {
        fine = strcmp(name, "id") == 0;

        if (strcmp(name, "ttl") == 0) {
            fine = true;

            if (!new_number(wrong, "deduplication", name, part, 1,
                            JOB_DELAY_MAX))
            {
                return NULL;
            }
        }

        for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
            if (strcmp(name, flags[i]) == 0) {
                fine = true;

                if (!new_flag(wrong, "deduplication", name, part)) {
                    return NULL;
                }
            }
        }

        if (!fine) {
            (void) new_wrong(wrong, "deduplication", name,
                             "an unknown member");
            return NULL;
        }
    }

    return json_incref(value);
}


/* the member as it is stored; NULL when it is wrong */

static json_t *
new_value(job_wrong_t *wrong, const new_member_t *member, json_t *value)
{
    bool  fine;

    switch (member->kind) {

    case NEW_BACKOFF:
        return new_backoff(wrong, value);

    case NEW_DEDUP:
        return new_dedup(wrong, value);

    case NEW_KEEP:
        fine = new_keep(wrong, member->name, value);
        break;

    case NEW_FLAG:
        fine = new_flag(wrong, member->name, NULL, value);
        break;

    case NEW_TEXT:
        fine = new_text(wrong, member->name, NULL, value);
        break;

    default:
        fine = new_number(wrong, member->name, NULL, value, member->min,
                          member->max);
    }

    return fine ? json_incref(value) : NULL;
}


/* the members of one kind into an object of what is stored */

static bool
new_collect(json_t *stored, json_t *object, int whose, job_wrong_t *wrong)
{
    size_t   i;
    json_t  *value;

    for (i = 0; i < NEW_MEMBERS; i++) {
        value = json_object_get(object, new_members[i].name);

        if (value == NULL || !(new_members[i].whose & whose)) {
            continue;
        }

        value = new_value(wrong, &new_members[i], value);

        if (value == NULL
            || json_object_set_new(stored, new_members[i].stored, value) != 0)
        {
            return false;
        }
    }

    return true;
}


static bool
new_known(json_t *object, int whose, job_wrong_t *wrong)
{
    size_t       i;
    json_t      *value;
    const char  *name;

    json_object_foreach (object, name, value) {
        if (strcmp(name, "name") == 0 || strcmp(name, "data") == 0
            || strcmp(name, "id") == 0)
        {
            continue;
        }

        for (i = 0; i < NEW_MEMBERS; i++) {
            if ((new_members[i].whose & whose)
                && strcmp(new_members[i].name, name) == 0)
            {
                break;
            }
        }

        if (i == NEW_MEMBERS) {
            return new_wrong(wrong, name, NULL, "an unknown member");
        }
    }

    return true;
}


bool
job_new_scheduler_members(json_t *object, job_wrong_t *wrong)
{
    return new_known(object, NEW_SCHEDULER | NEW_PLAN, wrong);
}


/* what both have; takes nothing */

static bool
new_begin(job_new_t *job, json_t *object, job_wrong_t *wrong)
{
    json_t  *data;

    new_wrong(wrong, "", NULL, "out of memory");

    if (!new_text(wrong, "name", NULL, json_object_get(object, "name"))) {
        return false;
    }

    job->name = json_string_value(json_object_get(object, "name"));
    data = json_object_get(object, "data");
    job->data = data ? json_dumps(data, JSON_COMPACT|JSON_ENCODE_ANY)
                     : strdup("{}");

    return job->data != NULL;
}


bool
job_new_read(job_new_t *job, json_t *object, const char *id,
    job_wrong_t *wrong)
{
    bool     fine;
    json_t  *opts;

    memset(job, 0, sizeof(job_new_t));
    opts = json_pack("{s:i}", "attempts", 0);

    fine = new_known(object, NEW_JOB, wrong) && new_begin(job, object, wrong)
           && new_collect(opts, object, NEW_JOB, wrong)
           && (id[0] == '\0'
               || json_object_set_new(opts, "jobId", json_string(id)) == 0)
           && (job->opts = json_dumps(opts, JSON_COMPACT)) != NULL;

    json_decref(opts);

    if (!fine) {
        job_new_free(job);
    }

    return fine;
}


/* the member that the text begins with */

static bool
new_wrong_plan(job_wrong_t *wrong, const char *text)
{
    size_t  i, len;

    len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    wrong->field[0] = '\0';

    for (i = 0; i < NEW_MEMBERS; i++) {
        if (strlen(new_members[i].name) == len
            && memcmp(new_members[i].name, text, len) == 0)
        {
            return new_wrong(wrong, new_members[i].name, NULL, text);
        }
    }

    return new_wrong(wrong, "", NULL, text);
}


bool
job_new_scheduler(job_new_t *job, json_t *object, json_t *opts,
    zones_t *zones, int bullmq, int64_t now, job_wrong_t *wrong)
{
    bool     fine;
    char     error[256];
    json_t  *plan, *stored;

    memset(job, 0, sizeof(job_new_t));
    stored = opts ? json_copy(opts) : json_object();
    plan = json_object();
    error[0] = '\0';

    fine = new_known(object, NEW_SCHEDULER | NEW_PLAN, wrong)
           && new_begin(job, object, wrong)
           && new_collect(stored, object, NEW_SCHEDULER, wrong)
           && new_collect(plan, object, NEW_PLAN, wrong);

    if (fine && json_object_get(plan, "tz")
        && json_object_get(plan, "pattern") == NULL)
    {
        fine = new_wrong(wrong, "tz", NULL, "is for a pattern only");
    }

    if (fine) {
        job->at = scheduler_first(zones, bullmq, plan, now, &job->offset,
                                  error, sizeof(error));

        if (job->at == SLUICE_SCHEDULE_NONE) {
            fine = new_wrong(wrong, "endDate", NULL,
                             "leaves no time for an iteration");

        } else if (job->at < 0) {
            fine = new_wrong_plan(wrong, error);

        } else if (job->at > JOB_DUE_MAX) {
            fine = new_wrong(wrong, "startDate", NULL,
                             "is later than a queue can hold, in 2039");
        }
    }

    if (fine) {
        job->opts = json_dumps(stored, JSON_COMPACT);
        job->plan = json_dumps(plan, JSON_COMPACT);
        fine = job->opts && job->plan;
    }

    json_decref(stored);
    json_decref(plan);

    if (!fine) {
        job_new_free(job);
    }

    return fine;
}


void
job_new_free(job_new_t *job)
{
    free(job->data);
    free(job->opts);
    free(job->plan);
    memset(job, 0, sizeof(job_new_t));
}


bool
job_new_scheduler_id_ok(const char *id)
{
    size_t       i, len;
    const char  *p = id;

    len = strlen(id);

    for (i = 0; i < len; i++) {
        if ((unsigned char) p[i] < ' ' || p[i] == 0x7f || p[i] == ':') {
            return false;
        }
    }

    return len > 0 && len <= NEW_ID_MAX;
}
