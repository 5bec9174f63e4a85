/*
 * `dlq`: the failed set, which is the dead letter queue.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "scripts.h"
#include "worker/ctl.h"


#define CTL_LIMIT  20
#define CTL_BATCH  200    /* ids of one call: a script blocks Redis */


const char  ctl_dlq_help[] =
    "usage: sluicectl [-c FILE | -r URL] [--json] dlq list QUEUE"
    " [--limit N] [--offset N]\n"
    "       sluicectl [-c FILE | -r URL] [--json] dlq requeue QUEUE"
    " ID... | --all\n\n"
    "list     jobs that failed for good, the newest first\n\n"
    "  --limit N    so many at most, 20; up to 1000\n"
    "  --offset N   without the first N\n\n"
    "requeue  brings them back to the line with all their attempts\n\n"
    "  --all        every job that is in the set now\n";


typedef struct {
    ctl_t        *ctl;
    ctl_queue_t   queue;
    json_t       *refused;      /* with --json */
    int64_t       done, not_done;
} requeue_t;


static int dlq_list(ctl_t *ctl, int argc, char **argv);
static void dlq_show(ctl_t *ctl, const char *id, size_t len, json_t *list);
static int dlq_requeue(ctl_t *ctl, int argc, char **argv);
static void dlq_requeue_all(requeue_t *requeue);
static int64_t dlq_requeue_some(requeue_t *requeue, size_t n,
    const char **ids);
static void dlq_refused(requeue_t *requeue, const char *id, int64_t code);


int
ctl_dlq(ctl_t *ctl, int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "list") == 0) {
        return dlq_list(ctl, argc - 1, argv + 1);
    }

    if (argc > 1 && strcmp(argv[1], "requeue") == 0) {
        return dlq_requeue(ctl, argc - 1, argv + 1);
    }

    ctl_fail(CTL_USAGE, "dlq list or dlq requeue; see sluicectl dlq --help");
}


static int
dlq_list(ctl_t *ctl, int argc, char **argv)
{
    int           c;
    size_t        i, n;
    json_t       *list;
    int64_t       limit, offset, total;
    redisReply   *reply, *ids;
    ctl_queue_t   queue;

    static const struct option  options[] = {
        { "limit", required_argument, NULL, 'l' },
        { "offset", required_argument, NULL, 'o' },
        { NULL, 0, NULL, 0 }
    };

    limit = CTL_LIMIT;
    offset = 0;

    while ((c = ctl_option(argc, argv, options)) != -1) {
        if (c == 'l') {
            limit = ctl_number("--limit", optarg, CTL_PAGE_MAX);

        } else {
            offset = ctl_number("--offset", optarg, 1000000000);
        }
    }

    if (argc - optind != 1 || limit == 0) {
        ctl_fail(CTL_USAGE, "dlq list takes a queue, and a limit of 1 or more");
    }

    ctl_queue(ctl, &queue, argv[optind]);

    ctl_ask(ctl, "ZCARD %sfailed", queue.base);
    ctl_ask(ctl, "ZREVRANGE %sfailed %lld %lld", queue.base,
            (long long) offset, (long long) (offset + limit - 1));

    reply = ctl_reply(ctl, "ZCARD");
    total = reply->integer;
    freeReplyObject(reply);
    ids = ctl_reply(ctl, "ZREVRANGE");
    n = ids->elements;

    for (i = 0; i < n; i++) {
        ctl_ask(ctl, "HMGET %s%b name failedReason atm finishedOn",
                queue.base, ids->element[i]->str,
                (size_t) ids->element[i]->len);
    }

    list = json_array();

    for (i = 0; i < n; i++) {
        dlq_show(ctl, ids->element[i]->str, (size_t) ids->element[i]->len,
                 list);
    }

    freeReplyObject(ids);

    if (ctl->json) {
        ctl_print_json(json_pack("{s:I, s:I, s:o}", "total",
                                 (json_int_t) total, "offset",
                                 (json_int_t) offset, "jobs", list));

    } else if (n > 0) {
        printf("%lld to %lld of %lld\n", (long long) offset + 1,
               (long long) offset + (long long) n, (long long) total);

    } else if (total > 0) {
        printf("none after the first %lld\n", (long long) total);

    } else {
        printf("none\n");
    }

    return (n > 0) ? CTL_OK : CTL_NONE;
}


static void
dlq_show(ctl_t *ctl, const char *id, size_t len, json_t *list)
{
    size_t        i;
    json_t       *object;
    int64_t       finished, made;
    redisReply   *reply, *field;

    static const char *const  members[] = { "name", "error" };

    reply = ctl_reply(ctl, "HMGET");
    finished = ctl_integer(reply->element[3], 0);

    if (ctl->json) {
        object = json_object();
        json_object_set_new(object, "id", ctl_string(id, len));

        for (i = 0; i < 2; i++) {
            field = reply->element[i];
            json_object_set_new(object, members[i],
                                field->type == REDIS_REPLY_STRING
                                ? ctl_string(field->str, (size_t) field->len)
                                : json_null());
        }

        json_object_set_new(object, "attempts",
                            json_integer(ctl_integer(reply->element[2], 0)));
        json_object_set_new(object, "finished", json_integer(finished));
        json_array_append_new(list, object);

    } else {
        ctl_print(id, len, false);
        made = ctl_integer(reply->element[2], 0);
        printf("  %s  %lld attempt%s  ", ctl_time(finished),
               (long long) made, made == 1 ? "" : "s");

        field = reply->element[1];

        if (field->type == REDIS_REPLY_STRING) {
            ctl_print(field->str, (size_t) field->len, false);

        } else if (reply->element[0]->type == REDIS_REPLY_NIL) {
            printf("(the job itself is gone)");
        }

        putchar('\n');
    }

    freeReplyObject(reply);
}


static int
dlq_requeue(ctl_t *ctl, int argc, char **argv)
{
    int          n;
    bool         all;
    json_t      *result;
    requeue_t    requeue;

    static const struct option  options[] = {
        { "all", no_argument, NULL, 'a' },
        { NULL, 0, NULL, 0 }
    };

    all = false;

    while (ctl_option(argc, argv, options) != -1) {
        all = true;
    }

    if (optind == argc || all == (argc - optind > 1)) {
        ctl_fail(CTL_USAGE, "dlq requeue takes a queue, and either ids or"
                 " --all");
    }

    memset(&requeue, 0, sizeof(requeue_t));
    requeue.ctl = ctl;
    requeue.refused = json_array();
    ctl_queue(ctl, &requeue.queue, argv[optind++]);

    if (all) {
        dlq_requeue_all(&requeue);
    }

    for ( /* void */ ; optind < argc; optind += n) {
        n = (argc - optind < CTL_BATCH) ? argc - optind : CTL_BATCH;

        (void) dlq_requeue_some(&requeue, (size_t) n,
                                (const char **) argv + optind);
    }

    if (ctl->json) {
        result = json_pack("{s:I, s:o}", "requeued",
                           (json_int_t) requeue.done, "refused",
                           requeue.refused);
        ctl_print_json(result);

    } else {
        printf("%lld requeued\n", (long long) requeue.done);
    }

    return (requeue.done > 0 && requeue.not_done == 0) ? CTL_OK : CTL_NONE;
}


/*
 * As many as there were at the start, the oldest first: what fails again
 * meanwhile comes behind them and stays.  What is refused stays in front.
 */

static void
dlq_requeue_all(requeue_t *requeue)
{
    size_t        i, n;
    int64_t       left, stay;
    redisReply   *reply;
    const char   *ids[CTL_BATCH];

    ctl_ask(requeue->ctl, "ZCARD %sfailed", requeue->queue.base);
    reply = ctl_reply(requeue->ctl, "ZCARD");
    left = reply->integer;
    freeReplyObject(reply);

    stay = 0;

    while (left > 0) {
        n = (left < CTL_BATCH) ? (size_t) left : CTL_BATCH;

        ctl_ask(requeue->ctl, "ZRANGE %sfailed %lld %lld",
                requeue->queue.base, (long long) stay,
                (long long) stay + (long long) n - 1);
        reply = ctl_reply(requeue->ctl, "ZRANGE");
        n = reply->elements;

        if (n == 0) {
            freeReplyObject(reply);
            return;
        }

        for (i = 0; i < n; i++) {
            ids[i] = reply->element[i]->str;
        }

        stay += dlq_requeue_some(requeue, n, ids);
        left -= (int64_t) n;
        freeReplyObject(reply);
    }
}


/* how many were not */

static int64_t
dlq_requeue_some(requeue_t *requeue, size_t n, const char **ids)
{
    size_t        i;
    int64_t       code, refused;
    redisReply   *reply;
    const char   *argv[3 + CTL_BATCH];

    argv[0] = (requeue->queue.bullmq == 5) ? "5" : "6";
    argv[1] = "failed";
    argv[2] = "1";

    for (i = 0; i < n; i++) {
        argv[3 + i] = ids[i];
    }

    reply = ctl_script(requeue->ctl, &sluice_script_requeue, &requeue->queue,
                       3 + (int) n, argv);

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != n) {
        ctl_fail(CTL_REDIS, "the script requeue answers with nonsense");
    }

    refused = 0;

    for (i = 0; i < n; i++) {
        code = ctl_integer(reply->element[i], 0);

        if (code == 1) {
            requeue->done++;

        } else {
            refused++;
            dlq_refused(requeue, ids[i], code);
        }
    }

    requeue->not_done += refused;
    freeReplyObject(reply);

    return refused;
}


static void
dlq_refused(requeue_t *requeue, const char *id, int64_t code)
{
    const char  *why;

    switch (code) {

    case -1:
        why = "there is no such job";
        break;

    case -3:
        why = "it is not in the failed set";
        break;

    case -12:
        why = "it belongs to a scheduler, or its parent's keys cannot be"
              " written; requeue it with a BullMQ client";
        break;

    default:
        why = "refused";
        break;
    }

    if (requeue->ctl->json) {
        json_array_append_new(requeue->refused,
                              json_pack("{s:o, s:s, s:I}", "id",
                                        ctl_string(id, strlen(id)), "why", why,
                                        "code", (json_int_t) code));
        return;
    }

    ctl_print(id, strlen(id), false);
    printf(": %s\n", why);
}
