#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "worker/explain.h"


static void explain_say(explain_t *answer, const char *code,
    const char *format, ...) __attribute__((format(printf, 3, 4)));


static void
explain_say(explain_t *answer, const char *code, const char *format, ...)
{
    va_list  args;

    if (answer->n == EXPLAIN_MAX) {
        return;
    }

    answer->why[answer->n].code = code;

    va_start(args, format);
    vsnprintf(answer->why[answer->n].text, sizeof(answer->why[0].text), format,
              args);
    va_end(args);

    answer->n++;
}


/* "1h 5m", "12s", "300ms" */

static const char *
explain_time(char text[40], int64_t ms)
{
    if (ms < 1000) {
        snprintf(text, 40, "%lldms", (long long) (ms < 0 ? 0 : ms));

    } else if (ms < 60000) {
        snprintf(text, 40, "%llds", (long long) (ms / 1000));

    } else if (ms < 3600000) {
        snprintf(text, 40, "%lldm %llds", (long long) (ms / 60000),
                 (long long) (ms / 1000 % 60));

    } else if (ms < INT64_C(172800000)) {
        snprintf(text, 40, "%lldh %lldm", (long long) (ms / 3600000),
                 (long long) (ms / 60000 % 60));

    } else {
        snprintf(text, 40, "%lldd", (long long) (ms / 86400000));
    }

    return text;
}


/* others write it, or do not */

static const char *
explain_since(char text[40], const explain_facts_t *facts)
{
    return facts->finished > 0
           ? explain_time(text, facts->now - facts->finished) : "some time";
}


/* what holds all jobs of the queue */

static void
explain_queue(explain_t *answer, const explain_facts_t *facts)
{
    char  time[40];

    if (facts->paused) {
        explain_say(answer, "paused", "the queue is paused: sluicectl resume");
    }

    if (facts->limited > 0 && facts->limit > 0) {
        explain_say(answer, "limited", "the queue has started %lld of the %lld"
                    " jobs that its rate allows, for %s more",
                    (long long) facts->used, (long long) facts->limit,
                    explain_time(time, facts->limited));

    } else if (facts->limited > 0) {
        explain_say(answer, "limited", "the queue is held by a rate limit for"
                    " %s more", explain_time(time, facts->limited));
    }

    if (facts->concurrency > 0 && facts->active >= facts->concurrency) {
        explain_say(answer, "concurrency", "%lld jobs are active, and the"
                    " queue runs %lld at once", (long long) facts->active,
                    (long long) facts->concurrency);
    }

    if (facts->workers == 0) {
        explain_say(answer, "no-worker", "no worker of the queue is connected"
                    " to Redis");
    }
}


static void
explain_line(explain_t *answer, const explain_facts_t *facts)
{
    explain_queue(answer, facts);

    if (facts->ahead > 0) {
        explain_say(answer, "behind", "%lld jobs are before it%s",
                    (long long) facts->ahead, facts->priority > 0
                    ? ", by their priority or their time" : "");

    } else if (facts->ahead == 0) {
        explain_say(answer, "next", "it is the next of its line");
    }

    if (facts->doom[0]) {
        explain_say(answer, "doomed", "its worker was gone too often: it is"
                    " failed when it is taken: %.400s", facts->doom);
    }
}


static void
explain_active(explain_t *answer, const explain_facts_t *facts)
{
    char  time[40];

    if (facts->lock < 0) {
        explain_say(answer, "stalled", "no worker holds its lease: the next"
                    " check for stalled jobs puts it back%s",
                    facts->workers == 0 ? ", and no worker is there to make it"
                    : "");
        return;
    }

    explain_say(answer, "running", "%s%.200s has it, under the lease %.200s,"
                " for %s more", facts->worker[0] ? "worker " : "a worker",
                facts->worker, facts->token[0] ? facts->token : "of no name",
                explain_time(time, facts->lock));
}


static void
explain_delayed(explain_t *answer, const explain_facts_t *facts)
{
    char  time[40];

    if (facts->first[0]) {
        explain_say(answer, "group", "job %.200s of its group \"%.200s\" comes"
                    " first", facts->first, facts->group);

    } else if (facts->due > facts->now) {
        explain_say(answer, facts->attempts > 0 ? "retry" : "delayed",
                    "%s %s from now", facts->attempts > 0
                    ? "its next attempt is" : "it is delayed until",
                    explain_time(time, facts->due - facts->now));

    } else {
        explain_say(answer, "due", "its time has come: the next take of a"
                    " worker moves it to its line");
        explain_queue(answer, facts);
    }

    if (facts->attempts > 0 && facts->error[0]) {
        explain_say(answer, "error", "attempt %lld failed: %.400s",
                    (long long) facts->attempts, facts->error);
    }
}


static void
explain_gone(explain_t *answer, const explain_facts_t *facts)
{
    if (facts->owner[0]) {
        explain_say(answer, "deduplicated", "this is no job but a"
                    " deduplication id, which job %.200s has: what is added"
                    " with it meanwhile is left out", facts->owner);

    } else if (facts->there) {
        explain_say(answer, "lost", "its data is there, but it is in no list"
                    " of the queue: sluicectl job shows it");

    } else if (facts->state != STATE_UNKNOWN) {
        explain_say(answer, "gone", "its id is in a list, the job itself is"
                    " gone: a worker drops it");

    } else {
        explain_say(answer, "unknown", "there is no such job: it never was, or"
                    " was removed");
    }
}


void
explain(explain_t *answer, const explain_facts_t *facts)
{
    char  time[40];

    answer->n = 0;

    if (!facts->there || facts->state == STATE_UNKNOWN) {
        explain_gone(answer, facts);
        return;
    }

    switch (facts->state) {

    case STATE_COMPLETED:
        explain_say(answer, "completed", "it is done, %s ago",
                    explain_since(time, facts));
        break;

    case STATE_FAILED:
        explain_say(answer, "failed", "it failed for good %s ago, after %lld"
                    " attempts: %.400s", explain_since(time, facts),
                    (long long) facts->attempts, facts->error);
        break;

    case STATE_CHILDREN:
        explain_say(answer, "children", facts->children
                    ? "it waits for %lld children, such as %.300s"
                    : "it waits for children, of which %lld are left%.0s: they"
                      " were not added, or a worker releases it now",
                    (long long) facts->children, facts->child);
        break;

    case STATE_ACTIVE:
        explain_active(answer, facts);
        break;

    case STATE_DELAYED:
        explain_delayed(answer, facts);
        break;

    default:
        explain_line(answer, facts);
    }

    if (facts->stalls > 0) {
        explain_say(answer, "stalls", "a worker was gone with it %lld times",
                    (long long) facts->stalls);
    }

    if (facts->scheduler[0]) {
        explain_say(answer, "scheduler", "it is the job of scheduler"
                    " \"%.300s\"%s", facts->scheduler, facts->scheduled
                    ? "" : ", which was removed");
    }
}
