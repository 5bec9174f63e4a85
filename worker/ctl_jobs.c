/*
 * `jobs`: a page of the jobs of a state.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/ctl.h"


#define CTL_LIMIT  20


const char  ctl_jobs_help[] =
    "usage: sluicectl [-c FILE | -r URL] [--json] jobs QUEUE [--state S]"
    " [--limit N] [--offset N] [--oldest]\n\n"
    "Jobs of a state, the newest first: waiting (which is the default),"
    " active,\ndelayed, prioritized, waiting-children, completed or failed.\n\n"
    "  --limit N    so many at most, 20; up to 1000\n"
    "  --offset N   without the first N\n"
    "  --oldest     the other way round: of those that wait the next one"
    " first\n";


static const struct {
    const char  *state;
    const char  *suffix;
    bool         list;
} states[] = {
    { "waiting", "wait", true },
    { "active", "active", true },
    { "delayed", "delayed", false },
    { "prioritized", "prioritized", false },
    { "waiting-children", "waiting-children", false },
    { "completed", "completed", false },
    { "failed", "failed", false }
};

#define NSTATES  (sizeof(states) / sizeof(states[0]))


static const char *const  fields[] = {
    "name", "timestamp", "processedOn", "finishedOn", "atm", "failedReason"
};

#define NFIELDS  (sizeof(fields) / sizeof(fields[0]))


static void jobs_show(ctl_t *ctl, const redisReply *id, json_t *list);


int
ctl_jobs(ctl_t *ctl, int argc, char **argv)
{
    int           c;
    bool          oldest;
    size_t        i, k, n;
    json_t       *list;
    int64_t       limit, offset, total, from, to;
    redisReply   *reply, *ids;
    const char   *state, *suffix;
    ctl_queue_t   queue;

    static const struct option  options[] = {
        { "state", required_argument, NULL, 's' },
        { "limit", required_argument, NULL, 'l' },
        { "offset", required_argument, NULL, 'o' },
        { "oldest", no_argument, NULL, 'r' },
        { NULL, 0, NULL, 0 }
    };

    state = "waiting";
    limit = CTL_LIMIT;
    offset = 0;
    oldest = false;

    while ((c = ctl_option(argc, argv, options)) != -1) {
        switch (c) {

        case 's':
            state = optarg;
            break;

        case 'l':
            limit = ctl_number("--limit", optarg, CTL_PAGE_MAX);
            break;

        case 'o':
            offset = ctl_number("--offset", optarg, 1000000000);
            break;

        default:
            oldest = true;
        }
    }

    for (k = 0; k < NSTATES && strcmp(state, states[k].state) != 0; k++) {
        /* void */
    }

    if (k == NSTATES) {
        ctl_fail(CTL_USAGE, "a state is waiting, active, delayed, prioritized,"
                 " waiting-children, completed or failed");
    }

    if (argc - optind != 1 || limit == 0) {
        ctl_fail(CTL_USAGE, "jobs takes a queue, and a limit of 1 or more");
    }

    ctl_queue(ctl, &queue, argv[optind]);
    suffix = states[k].suffix;

    /* BullMQ 5 moves the line of a paused queue to another list */

    if (k == 0) {
        ctl_ask(ctl, "EXISTS %spaused", queue.base);
        reply = ctl_reply(ctl, "EXISTS");
        suffix = (reply->integer == 1) ? "paused" : suffix;
        freeReplyObject(reply);
    }

    /* the newest of a list is its first */

    from = offset;
    to = offset + limit - 1;

    if (states[k].list && oldest) {
        from = -offset - limit;
        to = -offset - 1;
    }

    ctl_ask(ctl, "%s %s%s", states[k].list ? "LLEN" : "ZCARD", queue.base,
            suffix);
    ctl_ask(ctl, "%s %s%s %lld %lld", states[k].list ? "LRANGE"
                 : oldest ? "ZRANGE" : "ZREVRANGE", queue.base, suffix,
            (long long) from, (long long) to);

    reply = ctl_reply(ctl, "LLEN or ZCARD");
    total = reply->integer;
    freeReplyObject(reply);
    ids = ctl_reply(ctl, "the page");
    n = ids->elements;

    if (states[k].list && oldest) {
        for (i = 0; i < n / 2; i++) {
            reply = ids->element[i];
            ids->element[i] = ids->element[n - 1 - i];
            ids->element[n - 1 - i] = reply;
        }
    }

    for (i = 0; i < n; i++) {
        ctl_ask(ctl, "HMGET %s%b %s %s %s %s %s %s", queue.base,
                ids->element[i]->str, (size_t) ids->element[i]->len,
                fields[0], fields[1], fields[2], fields[3], fields[4],
                fields[5]);
    }

    list = json_array();

    for (i = 0; i < n; i++) {
        jobs_show(ctl, ids->element[i], list);
    }

    freeReplyObject(ids);

    if (ctl->json) {
        ctl_print_json(json_pack("{s:s, s:I, s:I, s:o}", "state", state,
                                 "total", (json_int_t) total, "offset",
                                 (json_int_t) offset, "jobs", list));

    } else if (n > 0) {
        printf("%lld to %lld of %lld %s\n", (long long) offset + 1,
               (long long) offset + (long long) n, (long long) total, state);

    } else {
        printf("none\n");
    }

    return (n > 0) ? CTL_OK : CTL_NONE;
}


static void
jobs_show(ctl_t *ctl, const redisReply *id, json_t *list)
{
    size_t        i;
    json_t       *object;
    redisReply   *reply, *field;

    reply = ctl_reply_any(ctl);

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != NFIELDS) {
        freeReplyObject(reply);
        reply = NULL;
    }

    if (ctl->json) {
        object = json_object();
        json_object_set_new(object, "id",
                            ctl_string(id->str, (size_t) id->len));

        for (i = 0; reply != NULL && i < NFIELDS; i++) {
            field = reply->element[i];

            if (field->type == REDIS_REPLY_STRING) {
                json_object_set_new(object, fields[i],
                                    i > 0 && i < NFIELDS - 1
                                    ? json_integer(ctl_integer(field, 0))
                                    : ctl_string(field->str,
                                                 (size_t) field->len));
            }
        }

        json_array_append_new(list, object);

    } else {
        ctl_print(id->str, (size_t) id->len, false);

        if (reply == NULL || reply->element[0]->type != REDIS_REPLY_STRING) {
            printf("  (the job itself is gone)\n");

        } else {
            printf("  %s  ", ctl_time(ctl_integer(reply->element[1], 0)));
            ctl_print(reply->element[0]->str,
                      (size_t) reply->element[0]->len, false);

            field = reply->element[5];

            if (field->type == REDIS_REPLY_STRING) {
                printf("  ");
                ctl_print(field->str, (size_t) field->len, false);
            }

            putchar('\n');
        }
    }

    if (reply != NULL) {
        freeReplyObject(reply);
    }
}
