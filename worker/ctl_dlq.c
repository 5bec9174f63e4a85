/*
 * `dlq`: the failed set, which is the dead letter queue.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "scripts.h"
#include "worker/ctl.h"


#define CTL_LIMIT  20
#define CTL_PAGE   200    /* failed jobs looked at in one go */


const char  ctl_dlq_help[] =
    "usage: sluicectl [-c FILE | -r URL] [--json] dlq list QUEUE [FILTER]"
    " [--limit N] [--offset N]\n"
    "       sluicectl [-c FILE | -r URL] [--json] dlq errors QUEUE"
    " [--last N]\n"
    "       sluicectl [-c FILE | -r URL] [--json] dlq requeue QUEUE"
    " ID... | --all [FILTER]\n"
    "       sluicectl [-c FILE | -r URL] [--json] dlq purge QUEUE"
    " ID... | --all [FILTER]\n\n"
    "list     jobs that failed for good, the newest first\n\n"
    "  --limit N    so many at most, 20; up to 1000\n"
    "  --offset N   without the first N\n\n"
    "errors   kinds of errors, the most frequent first: how many jobs, the"
    " newest\n"
    "         of them, and the text in which numbers and ids are #\n\n"
    "  --last N     of the newest N failed jobs, 10000\n\n"
    "requeue  brings them back to the line with all their attempts\n"
    "purge    removes them\n\n"
    "  --all        every job that is in the set now, and that the filter"
    " takes\n\n"
    "A filter is one or more of\n\n"
    "  --name NAME   jobs of this name\n"
    "  --error TEXT  whose error holds this text\n"
    "  --older AGE   that failed so long ago, such as 90s, 12h, 7d\n";


typedef struct {
    const char              *done;        /* "requeued" */
    const sluice_script_t   *script;
    const char              *fixed[2];
} dlq_action_t;


static const dlq_action_t  dlq_requeue = {
    "requeued", &sluice_script_requeue, { "failed", "1" }
};

static const dlq_action_t  dlq_purge = {
    "removed", &sluice_script_remove, { "0", "failed" }
};


static int dlq_list(ctl_t *ctl, int argc, char **argv);
static bool dlq_filter(ctl_filter_t *filter, int option);
static void dlq_show(const ctl_t *ctl, const char *id, size_t len,
    const redisReply *reply, json_t *list);
static int dlq_act(ctl_t *ctl, const dlq_action_t *action, int argc,
    char **argv);
static void dlq_act_all(ctl_each_t *each, const dlq_action_t *action,
    const ctl_filter_t *filter);
static int64_t dlq_total(ctl_t *ctl, const ctl_queue_t *queue);


#define DLQ_FILTERS                                                           \
        { "name", required_argument, NULL, 'n' },                             \
        { "error", required_argument, NULL, 'e' },                            \
        { "older", required_argument, NULL, 'b' }


int
ctl_dlq(ctl_t *ctl, int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "list") == 0) {
        return dlq_list(ctl, argc - 1, argv + 1);
    }

    if (argc > 1 && strcmp(argv[1], "requeue") == 0) {
        return dlq_act(ctl, &dlq_requeue, argc - 1, argv + 1);
    }

    if (argc > 1 && strcmp(argv[1], "purge") == 0) {
        return dlq_act(ctl, &dlq_purge, argc - 1, argv + 1);
    }

    if (argc > 1 && strcmp(argv[1], "errors") == 0) {
        return ctl_dlq_errors(ctl, argc - 1, argv + 1);
    }

    ctl_fail(CTL_USAGE, "dlq list, dlq errors, dlq requeue or dlq purge; see"
             " sluicectl dlq --help");
}


/* false: it is another option */

static bool
dlq_filter(ctl_filter_t *filter, int option)
{
    switch (option) {

    case 'n':
        filter->name = optarg;
        return true;

    case 'e':
        filter->error = optarg;
        return true;

    case 'b':
        filter->before = (int64_t) time(NULL) * 1000
                         - ctl_age("--older", optarg);
        return true;

    default:
        return false;
    }
}


static int64_t
dlq_total(ctl_t *ctl, const ctl_queue_t *queue)
{
    int64_t      total;
    redisReply  *reply;

    ctl_ask(ctl, "ZCARD %sfailed", queue->base);
    reply = ctl_reply(ctl, "ZCARD");
    total = reply->integer;
    freeReplyObject(reply);

    return total;
}


/* without a filter the page is read alone; with one the set is, from its end */

static int
dlq_list(ctl_t *ctl, int argc, char **argv)
{
    int            c;
    bool           all;
    size_t         i, n;
    json_t        *list;
    int64_t        limit, offset, total, at, passed, shown;
    redisReply    *reply, *ids;
    ctl_queue_t    queue;
    ctl_filter_t   filter;

    static const struct option  options[] = {
        { "limit", required_argument, NULL, 'l' },
        { "offset", required_argument, NULL, 'o' },
        DLQ_FILTERS,
        { NULL, 0, NULL, 0 }
    };

    limit = CTL_LIMIT;
    offset = 0;
    memset(&filter, 0, sizeof(ctl_filter_t));

    while ((c = ctl_option(argc, argv, options)) != -1) {
        if (c == 'l') {
            limit = ctl_number("--limit", optarg, CTL_PAGE_MAX);

        } else if (!dlq_filter(&filter, c)) {
            offset = ctl_number("--offset", optarg, 1000000000);
        }
    }

    if (argc - optind != 1 || limit == 0) {
        ctl_fail(CTL_USAGE, "dlq list takes a queue, and a limit of 1 or more");
    }

    ctl_queue(ctl, &queue, argv[optind]);
    total = dlq_total(ctl, &queue);
    all = ctl_filter_any(&filter);
    list = json_array();
    at = all ? offset : 0;
    passed = all ? offset : 0;
    shown = 0;

    do {
        n = (all && limit - shown < CTL_PAGE) ? (size_t) (limit - shown)
                                              : CTL_PAGE;

        ctl_ask(ctl, "ZREVRANGE %sfailed %lld %lld", queue.base,
                (long long) at, (long long) at + (long long) n - 1);
        ids = ctl_reply(ctl, "ZREVRANGE");
        n = ids->elements;
        at += (int64_t) n;

        for (i = 0; i < n; i++) {
            ctl_filter_ask(ctl, &queue, ids->element[i]->str,
                           (size_t) ids->element[i]->len);
        }

        for (i = 0; i < n; i++) {
            reply = ctl_reply(ctl, "HMGET");

            if (ctl_filter_ok(&filter, reply)) {
                if (passed < offset) {
                    passed++;

                } else if (shown < limit) {
                    dlq_show(ctl, ids->element[i]->str,
                             (size_t) ids->element[i]->len, reply, list);
                    shown++;
                }
            }

            freeReplyObject(reply);
        }

        freeReplyObject(ids);
    } while (n > 0 && shown < limit && at < total);

    if (ctl->json) {
        ctl_print_json(json_pack("{s:I, s:I, s:o}", "total",
                                 (json_int_t) total, "offset",
                                 (json_int_t) offset, "jobs", list));

    } else if (shown > 0 && all) {
        printf("%lld to %lld of %lld\n", (long long) offset + 1,
               (long long) (offset + shown), (long long) total);

    } else if (shown > 0) {
        printf("%lld, of %lld that failed\n", (long long) shown,
               (long long) total);

    } else if (total > 0 && all) {
        printf("none after the first %lld\n", (long long) total);

    } else {
        printf("none\n");
    }

    return (shown > 0) ? CTL_OK : CTL_NONE;
}


static void
dlq_show(const ctl_t *ctl, const char *id, size_t len,
    const redisReply *reply, json_t *list)
{
    size_t             i;
    json_t            *object;
    int64_t            finished, made;
    const redisReply  *field;

    static const char *const  members[] = { "name", "error" };

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
}


static int
dlq_act(ctl_t *ctl, const dlq_action_t *action, int argc, char **argv)
{
    int            c;
    bool           all;
    ctl_each_t     each;
    ctl_filter_t   filter;

    static const struct option  options[] = {
        { "all", no_argument, NULL, 'a' },
        DLQ_FILTERS,
        { NULL, 0, NULL, 0 }
    };

    all = false;
    memset(&filter, 0, sizeof(ctl_filter_t));

    while ((c = ctl_option(argc, argv, options)) != -1) {
        if (!dlq_filter(&filter, c)) {
            all = true;
        }
    }

    if (optind == argc || all == (argc - optind > 1)
        || (!all && !ctl_filter_any(&filter)))
    {
        ctl_fail(CTL_USAGE, "dlq %s takes a queue, and either ids or --all,"
                 " which takes a filter", argv[0]);
    }

    ctl_each_begin(&each, ctl, argv[optind++]);

    if (all) {
        dlq_act_all(&each, action, &filter);

    } else {
        (void) ctl_each(&each, action->script, action->fixed, 2,
                        (const char *const *) argv + optind,
                        (size_t) (argc - optind));
    }

    return ctl_each_end(&each, action->done);
}


/*
 * As many as there were at the start, the oldest first: what fails again
 * meanwhile comes behind them and stays.  What is refused, or is not asked for,
 * stays in front.
 */

static void
dlq_act_all(ctl_each_t *each, const dlq_action_t *action,
    const ctl_filter_t *filter)
{
    size_t        i, n, some;
    int64_t       left, stay, gone;
    redisReply   *reply, *job;
    const char   *ids[CTL_PAGE];

    left = dlq_total(each->ctl, &each->queue);
    stay = 0;

    while (left > 0) {
        n = (left < CTL_PAGE) ? (size_t) left : CTL_PAGE;

        ctl_ask(each->ctl, "ZRANGE %sfailed %lld %lld", each->queue.base,
                (long long) stay, (long long) stay + (long long) n - 1);
        reply = ctl_reply(each->ctl, "ZRANGE");
        n = reply->elements;

        if (n == 0) {
            freeReplyObject(reply);
            return;
        }

        for (i = 0; i < n && !ctl_filter_any(filter); i++) {
            ctl_filter_ask(each->ctl, &each->queue, reply->element[i]->str,
                           (size_t) reply->element[i]->len);
        }

        for (i = 0, some = 0; i < n; i++) {
            job = ctl_filter_any(filter) ? NULL
                                         : ctl_reply(each->ctl, "HMGET");

            if (job == NULL || ctl_filter_ok(filter, job)) {
                ids[some++] = reply->element[i]->str;
            }

            if (job != NULL) {
                freeReplyObject(job);
            }
        }

        stay += (int64_t) (n - some);
        gone = each->gone;

        if (some > 0) {
            stay += ctl_each(each, action->script, action->fixed, 2, ids,
                             some);
        }

        /* an id without a job leaves the set */

        stay -= each->gone - gone;
        left -= (int64_t) n;
        freeReplyObject(reply);
    }
}
