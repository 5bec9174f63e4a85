/*
 * A script over many ids, or over a whole set: batches, what was refused, and
 * what a command says at its end.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "scripts.h"
#include "worker/ctl.h"


#define CTL_BATCH  200    /* jobs of one call: a script blocks Redis */


static void each_refused(ctl_each_t *each, const char *id, int64_t code);
static const char *each_why(int64_t code);


void
ctl_each_begin(ctl_each_t *each, ctl_t *ctl, const char *queue)
{
    memset(each, 0, sizeof(ctl_each_t));

    each->ctl = ctl;
    each->refused = json_array();
    ctl_queue(ctl, &each->queue, queue);
}


int64_t
ctl_each(ctl_each_t *each, const sluice_script_t *script,
    const char *const *fixed, size_t nfixed, const char *const *ids, size_t n)
{
    size_t        i, some;
    int64_t       code, refused;
    redisReply   *reply;
    const char   *argv[8 + CTL_BATCH];

    argv[0] = (each->queue.bullmq == 5) ? "5" : "6";

    for (i = 0; i < nfixed; i++) {
        argv[1 + i] = fixed[i];
    }

    refused = 0;

    for ( /* void */ ; n > 0; ids += some, n -= some) {
        some = (n < CTL_BATCH) ? n : CTL_BATCH;

        memcpy(argv + 1 + nfixed, ids, some * sizeof(char *));

        reply = ctl_script(each->ctl, script, &each->queue,
                           (int) (1 + nfixed + some), argv);

        if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0
            || reply->elements > some)
        {
            ctl_fail(CTL_REDIS, "the script %s answers with nonsense",
                     script->name);
        }

        /* a call may end early: the others are of the next one */

        some = reply->elements;

        for (i = 0; i < some; i++) {
            code = ctl_integer(reply->element[i], 0);

            if (code == 1) {
                each->done++;

            } else {
                refused++;
                each->gone += code == -1;
                each_refused(each, ids[i], code);
            }
        }

        freeReplyObject(reply);
    }

    each->not_done += refused;

    return refused;
}


/* a whole number, the i-th of a script's answer */

static int64_t
each_number(const sluice_script_t *script, const redisReply *reply, size_t i)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements <= i
        || (reply->element[i]->type != REDIS_REPLY_INTEGER
            && reply->element[i]->type != REDIS_REPLY_ARRAY))
    {
        ctl_fail(CTL_REDIS, "the script %s answers with nonsense",
                 script->name);
    }

    return (reply->element[i]->type == REDIS_REPLY_ARRAY)
           ? (int64_t) reply->element[i]->elements
           : reply->element[i]->integer;
}


void
ctl_move_all(ctl_each_t *each, const char *set, bool reset)
{
    char          upto[24], passed[24], batch[24];
    int64_t       left, looked, skip;
    redisReply   *reply;

    const char   *argv[] = { (each->queue.bullmq == 5) ? "5" : "6", set,
                             reset ? "1" : "0", upto, passed, batch };

    ctl_ask(each->ctl, "TIME");
    ctl_ask(each->ctl, "ZCARD %s%s", each->queue.base, set);

    /* by the clock of Redis, which says when a job was finished */

    reply = ctl_reply(each->ctl, "TIME");
    upto[0] = '\0';

    if (strcmp(set, "delayed") != 0) {
        snprintf(upto, sizeof(upto), "%lld",
                 (long long) (ctl_integer(reply->element[0], 0) * 1000
                              + ctl_integer(reply->element[1], 0) / 1000));
    }

    freeReplyObject(reply);
    reply = ctl_reply(each->ctl, "ZCARD");
    left = reply->integer;
    freeReplyObject(reply);

    skip = 0;

    while (left > 0) {
        looked = (left < CTL_BATCH) ? left : CTL_BATCH;
        left -= looked;
        snprintf(batch, sizeof(batch), "%lld", (long long) looked);
        snprintf(passed, sizeof(passed), "%lld", (long long) skip);

        reply = ctl_script(each->ctl, &sluice_script_move, &each->queue, 6,
                           argv);

        each->done += each_number(&sluice_script_move, reply, 1);
        skip += each_number(&sluice_script_move, reply, 2);

        if (each_number(&sluice_script_move, reply, 0) < looked) {
            left = 0;
        }

        freeReplyObject(reply);
    }

    each->not_done += skip;
    each->passed += skip;
}


void
ctl_clean_all(ctl_each_t *each, const char *state, int64_t older,
    int64_t limit, bool announce)
{
    char          grace[24], passed[24], batch[24];
    int64_t       count, skip, looked, some, there;
    redisReply   *reply;

    const char   *argv[] = { (each->queue.bullmq == 5) ? "5" : "6", state,
                             grace, passed, batch, announce ? "1" : "0" };

    snprintf(grace, sizeof(grace), "%lld", (long long) older);
    skip = 0;
    looked = 0;
    there = 1;

    while (looked < there && each->done < limit) {
        count = (limit - each->done < CTL_BATCH) ? limit - each->done
                                                 : CTL_BATCH;
        snprintf(batch, sizeof(batch), "%lld", (long long) count);
        snprintf(passed, sizeof(passed), "%lld", (long long) skip);

        reply = ctl_script(each->ctl, &sluice_script_clean, &each->queue, 6,
                           argv);

        skip += each_number(&sluice_script_clean, reply, 1);
        each->done += each_number(&sluice_script_clean, reply, 2);
        some = each_number(&sluice_script_clean, reply, 0);

        /* what comes meanwhile may come faster than this goes on */

        if (looked == 0) {
            there = each_number(&sluice_script_clean, reply, 3);
        }

        looked = (some < count) ? there : looked + some;
        freeReplyObject(reply);
    }

    each->passed += skip;
}


int
ctl_each_end(ctl_each_t *each, const char *done)
{
    json_t  *result;

    if (each->ctl->json) {
        result = json_pack("{s:I, s:I, s:o}", done, (json_int_t) each->done,
                           "left", (json_int_t) each->passed, "refused",
                           each->refused);
        ctl_print_json(result);

    } else if (each->passed > 0) {
        printf("%lld %s, %lld left where they are\n", (long long) each->done,
               done, (long long) each->passed);

    } else {
        printf("%lld %s\n", (long long) each->done, done);
    }

    return (each->done > 0 && each->not_done == 0) ? CTL_OK : CTL_NONE;
}


static void
each_refused(ctl_each_t *each, const char *id, int64_t code)
{
    const char  *why;

    why = each_why(code);

    if (each->ctl->json) {
        json_array_append_new(each->refused,
                              json_pack("{s:o, s:s, s:I}", "id",
                                        ctl_string(id, strlen(id)), "why", why,
                                        "code", (json_int_t) code));
        return;
    }

    ctl_print(id, strlen(id), false);
    printf(": %s\n", why);
}


static const char *
each_why(int64_t code)
{
    switch (code) {

    case 0:
        return "a worker has it, or a job below it";

    case -1:
        return "there is no such job";

    case -3:
        return "it is not in that set";

    case -8:
        return "it is the next run of a scheduler";

    case -12:
        return "its parent's keys cannot be written; do it with a BullMQ"
               " client";

    case -13:
        return "more than 1000 jobs are below it";

    default:
        return "refused";
    }
}
