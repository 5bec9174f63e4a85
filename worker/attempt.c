#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/json.h"
#include "worker/attempt.h"


#define ATTEMPT_WAIT   1000          /* ms, of a throttle that names no time */
#define ATTEMPT_MAX    1000          /* attempts of a job */
#define ATTEMPT_LIMIT  1000          /* jobs removed by age in one call */
#define ATTEMPT_DELAY_MAX  315360000000


static int64_t
attempt_ms(const json_t *value)
{
    double  ms;

    ms = json_number_value(value);

    if (!(ms > 0)) {
        return 0;
    }

    return (ms < ATTEMPT_DELAY_MAX) ? (int64_t) ms : ATTEMPT_DELAY_MAX;
}


/* BullMQ writes "attempts":0 into each job; few say more of them */

static bool
attempt_is_own(const char *opts)
{
    size_t                 offset;
    sluice_json_value_t    value;
    sluice_json_pointer_t  pointer;

    (void) sluice_json_pointer(&pointer, "/attempts", 9);

    return sluice_json_scan((const uint8_t *) opts, strlen(opts), &pointer, 1,
                            &value, &offset)
           != SLUICE_JSON_OK
           || (value.type == SLUICE_JSON_NUMBER
               && (value.len != 1 || value.data[0] != '0'));
}


void
attempt_schedule(sluice_retry_t *schedule, const job_t *job,
    const sluice_retry_t *queue)
{
    double       attempts, jitter;
    json_t      *opts, *backoff;
    const char  *type;

    *schedule = *queue;

    if (!attempt_is_own(job->opts)) {
        return;
    }

    opts = json_loads(job->opts, 0, NULL);
    attempts = json_number_value(json_object_get(opts, "attempts"));

    if (!(attempts >= 1)) {
        json_decref(opts);
        return;
    }

    attempts = (attempts < ATTEMPT_MAX) ? attempts : ATTEMPT_MAX;
    backoff = json_object_get(opts, "backoff");
    type = json_string_value(json_object_get(backoff, "type"));

    if (json_is_object(backoff)
        && (type == NULL
            || (strcmp(type, "fixed") != 0
                && strcmp(type, "exponential") != 0)))
    {
        schedule->attempts = attempts;
        json_decref(opts);
        return;
    }

    memset(schedule, 0, sizeof(sluice_retry_t));
    schedule->attempts = attempts;
    schedule->kind = SLUICE_RETRY_FIXED;

    if (json_is_number(backoff)) {
        schedule->delay[0] = attempt_ms(backoff);

    } else if (type) {
        schedule->delay[0] = attempt_ms(json_object_get(backoff, "delay"));
        jitter = json_number_value(json_object_get(backoff, "jitter"));
        schedule->jitter = (jitter > 0 && jitter <= 1) ? jitter : 0;

        if (strcmp(type, "exponential") == 0) {
            schedule->kind = SLUICE_RETRY_EXPONENTIAL;
            schedule->factor = 2;
        }
    }

    json_decref(opts);
}


void
attempt_decide(attempt_t *attempt, const verdict_t *verdict, const job_t *job,
    const sluice_retry_t *schedule, double random)
{
    int64_t  delay;

    memset(attempt, 0, sizeof(attempt_t));

    switch (verdict->kind) {

    case VERDICT_SENT:
        attempt->kind = ATTEMPT_DONE;
        return;

    case VERDICT_DEAD:
        attempt->kind = ATTEMPT_DEAD;
        return;

    case VERDICT_WAIT:
    case VERDICT_PAUSE_NUMBER:
    case VERDICT_PAUSE_TENANT:
        attempt->kind = ATTEMPT_DELAY;
        attempt->delay = (verdict->after > 0) ? verdict->after : ATTEMPT_WAIT;
        return;

    default:

        /* ambiguous too: sent twice rather than not at all */

        delay = sluice_retry_next(schedule, job->made + 1, random);

        if (delay < 0) {
            attempt->kind = ATTEMPT_DEAD;
            attempt->exhausted = true;
            return;
        }

        attempt->kind = ATTEMPT_RETRY;
        attempt->delay = (verdict->after > delay) ? verdict->after : delay;
    }
}


void
attempt_keep(char *dst, size_t size, const job_t *job, bool completed)
{
    double   n, age, limit;
    json_t  *opts, *keep;

    dst[0] = '\0';

    /* few jobs say it, and this is asked of every job */

    if (strstr(job->opts, "removeOn") == NULL) {
        return;
    }

    opts = json_loads(job->opts, 0, NULL);
    keep = json_object_get(opts, completed ? "removeOnComplete"
                                           : "removeOnFail");

    n = -1;
    age = 0;
    limit = ATTEMPT_LIMIT;

    if (json_is_boolean(keep)) {
        n = json_is_true(keep) ? 0 : -1;

    } else if (json_is_number(keep)) {
        n = json_number_value(keep);

    } else if (json_is_object(keep)) {
        if (json_is_number(json_object_get(keep, "count"))) {
            n = json_number_value(json_object_get(keep, "count"));
        }

        age = json_number_value(json_object_get(keep, "age"));

        if (json_is_number(json_object_get(keep, "limit"))) {
            limit = json_number_value(json_object_get(keep, "limit"));
        }

    } else {
        json_decref(opts);
        return;
    }

    n = (n >= 0) ? fmin(n, 1e9) : -1;
    age = (age > 0) ? fmin(age, 1e9) : 0;
    limit = (limit >= 1) ? fmin(limit, ATTEMPT_LIMIT) : 1;

    snprintf(dst, size, "%.0f:%.0f:%.0f", floor(n), floor(age), floor(limit));

    json_decref(opts);
}


char *
attempt_stack(const char *reason)
{
    char    *stack;
    size_t   n;

    n = sluice_json_escape(NULL, (const uint8_t *) reason, strlen(reason));
    stack = malloc(n + sizeof("[\"\"]"));

    if (stack) {
        memcpy(stack, "[\"", 2);
        sluice_json_escape((uint8_t *) stack + 2, (const uint8_t *) reason,
                           strlen(reason));
        memcpy(stack + 2 + n, "\"]", 3);
    }

    return stack;
}
