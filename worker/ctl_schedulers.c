/*
 * `schedulers`: list, set, remove.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "scripts.h"
#include "worker/ctl.h"
#include "worker/queue_new.h"


#define SCHEDULERS_BATCH  200


const char  ctl_schedulers_help[] =
    "usage: sluicectl [-c FILE | -r URL] [--json] schedulers"
    " list QUEUE [--limit N] [--offset N]\n"
    "       ... schedulers set QUEUE ID --every TIME | --pattern CRON"
    " [OPTIONS]\n"
    "       ... schedulers remove QUEUE ID... | --all\n\n"
    "Repeatable jobs: BullMQ's job schedulers.  `set` makes one, or replaces"
    " it.\n\n"
    "  --every TIME     such as 30s, 12h\n"
    "  --pattern CRON   \"0 9 * * *\"; --tz ZONE, the machine's own\n"
    "  --times N        so many jobs in all\n"
    "  --start MS, --end MS   ms since 1970\n"
    "  --now            the first one at once\n"
    "  --name NAME      of its jobs, the id\n"
    "  --data JSON      of its jobs, {}; \"-\" reads it from standard input\n"
    "  --attempts N, --backoff TIME, --priority N, --lifo   as of add\n";


static int
schedulers_list(ctl_t *ctl, int argc, char **argv)
{
    int           c;
    size_t        i, n;
    json_t       *list, *row, *opts;
    int64_t       limit, offset, total, iterations;
    redisReply   *reply, *ids, **hashes;
    ctl_queue_t   queue;
    const char   *what;

    static const struct option  options[] = {
        { "limit", required_argument, NULL, 'l' },
        { "offset", required_argument, NULL, 'o' },
        { NULL, 0, NULL, 0 }
    };

    limit = 20;
    offset = 0;

    while ((c = ctl_option(argc, argv, options)) != -1) {
        if (c == 'l') {
            limit = ctl_number("--limit", optarg, CTL_PAGE_MAX);

        } else {
            offset = ctl_number("--offset", optarg, 1000000000);
        }
    }

    if (argc - optind != 1) {
        ctl_fail(CTL_USAGE, "schedulers list takes a queue");
    }

    ctl_queue(ctl, &queue, argv[optind]);
    ctl_ask(ctl, "ZCARD %srepeat", queue.base);
    ctl_ask(ctl, "ZRANGE %srepeat %lld %lld WITHSCORES", queue.base,
            (long long) offset, (long long) (offset + limit - 1));
    reply = ctl_reply(ctl, "ZCARD");
    total = reply->integer;
    ids = ctl_reply(ctl, "ZRANGE");
    n = limit > 0 ? ids->elements / 2 : 0;
    hashes = calloc(n ? n : 1, sizeof(redisReply *));

    if (hashes == NULL) {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    for (i = 0; i < n; i++) {
        ctl_ask(ctl, "HGETALL %srepeat:%s", queue.base,
                ids->element[2 * i]->str);
    }

    for (i = 0; i < n; i++) {
        hashes[i] = ctl_reply(ctl, "HGETALL");
    }

    list = json_array();

    for (i = 0; i < n; i++) {
        row = queue_scheduler(hashes[i], &opts, &iterations);
        row = row ? row : json_object();
        reply = ids->element[2 * i];
        json_object_set_new(row, "id", ctl_string(reply->str,
                                                  (size_t) reply->len));
        json_object_set_new(row, "next", json_integer(
                            ctl_integer(ids->element[2 * i + 1], 0)));
        json_object_set_new(row, "opts", opts ? opts : json_object());
        json_object_set_new(row, "iterations", iterations < 0
                            ? json_null() : json_integer(iterations));
        json_array_append_new(list, row);

        if (ctl->json) {
            continue;
        }

        printf("%s  ", ctl_time(ctl_integer(ids->element[2 * i + 1], 0)));
        ctl_print(reply->str, (size_t) reply->len, false);
        what = json_string_value(json_object_get(row, "pattern"));

        if (what) {
            printf("  \"");
            ctl_print(what, strlen(what), false);
            putchar('"');
            what = json_string_value(json_object_get(row, "tz"));
            printf("%s", what ? " " : "");
            ctl_print(what ? what : "", what ? strlen(what) : 0, false);

        } else {
            printf("  every %lld ms", (long long) json_integer_value(
                   json_object_get(row, "every")));
        }

        printf("%s\n", iterations < 0 ? "  (of the old kind)" : "");
    }

    if (ctl->json) {
        ctl_print_json(json_pack("{s:I, s:o}", "total", (json_int_t) total,
                                 "schedulers", list));

    } else if (n == 0) {
        printf("none\n");

    } else {
        printf("%lld to %lld of %lld\n", (long long) offset + 1,
               (long long) offset + (long long) n, (long long) total);
    }

    return n ? CTL_OK : CTL_NONE;
}


static void
schedulers_put(ctl_t *ctl, const ctl_queue_t *queue, const char *id,
    json_t *object)
{
    int           major;
    char          at[24], offset[24];
    zones_t      *zones;
    job_new_t     job;
    job_wrong_t   wrong;
    redisReply   *reply;
    const char   *args[8];

    major = queue->bullmq;
    zones = zones_open(ZONES_DIR);

    if (zones == NULL) {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    if (!job_new_scheduler(&job, object, NULL, zones, major,
                           (int64_t) time(NULL) * 1000, &wrong))
    {
        ctl_fail(CTL_USAGE, "%s: %s", wrong.field, wrong.what);
    }

    snprintf(at, sizeof(at), "%lld", (long long) job.at);
    snprintf(offset, sizeof(offset), "%lld", (long long) job.offset);
    args[0] = (major == 5) ? "5" : "6";
    args[1] = id;
    args[2] = at;
    args[3] = offset;
    args[4] = job.name;
    args[5] = job.data;
    args[6] = job.opts;
    args[7] = job.plan;
    reply = ctl_script(ctl, &sluice_script_schedule, queue, 8, args);

    if (reply->type != REDIS_REPLY_STRING) {
        ctl_fail(CTL_NONE, "%s: %s", id,
                 queue_schedule_why((int) ctl_integer(reply, 0)));
    }

    if (ctl->json) {
        ctl_print_json(json_pack("{s:o, s:o}",
                                 "id", ctl_string(id, strlen(id)),
                                 "job", ctl_string(reply->str,
                                                   (size_t) reply->len)));

    } else {
        ctl_print(reply->str, (size_t) reply->len, false);
        putchar('\n');
    }
}


static int
schedulers_set(ctl_t *ctl, int argc, char **argv)
{
    int           c;
    json_t       *object;
    ctl_queue_t   queue;

    static const struct option  options[] = {
        { "every", required_argument, NULL, 'e' },
        { "pattern", required_argument, NULL, 'p' },
        { "tz", required_argument, NULL, 'z' },
        { "times", required_argument, NULL, 't' },
        { "start", required_argument, NULL, 's' },
        { "end", required_argument, NULL, 'E' },
        { "now", no_argument, NULL, 'N' },
        { "name", required_argument, NULL, 'n' },
        { "data", required_argument, NULL, 'd' },
        { "attempts", required_argument, NULL, 'a' },
        { "backoff", required_argument, NULL, 'b' },
        { "priority", required_argument, NULL, 'r' },
        { "lifo", no_argument, NULL, 'f' },
        { NULL, 0, NULL, 0 }
    };

    object = json_object();

    while ((c = ctl_option(argc, argv, options)) != -1) {
        const char  *name;
        json_t      *value;

        switch (c) {
        case 'e':
            name = "every";
            value = json_integer(ctl_age("--every", optarg));
            break;
        case 'p':
            name = "pattern";
            value = ctl_string(optarg, strlen(optarg));
            break;
        case 'z':
            name = "tz";
            value = ctl_string(optarg, strlen(optarg));
            break;
        case 't':
            name = "limit";
            value = json_integer(ctl_number("--times", optarg, INT64_MAX));
            break;
        case 's':
            name = "startDate";
            value = json_integer(ctl_number("--start", optarg, INT64_MAX));
            break;
        case 'E':
            name = "endDate";
            value = json_integer(ctl_number("--end", optarg, INT64_MAX));
            break;
        case 'N':
            name = "immediately";
            value = json_true();
            break;
        case 'n':
            name = "name";
            value = ctl_string(optarg, strlen(optarg));
            break;
        case 'd':
            name = "data";
            value = ctl_add_data(optarg, NULL);
            break;
        case 'a':
            name = "attempts";
            value = json_integer(ctl_number("--attempts", optarg,
                                            JOB_ATTEMPTS_MAX));
            break;
        case 'b':
            name = "backoff";
            value = ctl_add_backoff(optarg);
            break;
        case 'r':
            name = "priority";
            value = json_integer(ctl_number("--priority", optarg,
                                            JOB_PRIORITY_MAX));
            break;
        default:
            name = "lifo";
            value = json_true();
        }

        json_object_set_new(object, name, value);
    }

    if (argc - optind != 2 || !job_new_scheduler_id_ok(argv[optind + 1])) {
        ctl_fail(CTL_USAGE, "schedulers set takes a queue and an id of 1 to"
                 " 128 bytes without a colon");
    }

    if (json_object_get(object, "name") == NULL) {
        json_object_set_new(object, "name",
                            ctl_string(argv[optind + 1],
                                       strlen(argv[optind + 1])));
    }

    ctl_queue(ctl, &queue, argv[optind]);
    schedulers_put(ctl, &queue, argv[optind + 1], object);

    return CTL_OK;
}


/* n <= SCHEDULERS_BATCH; how many were there */

static int64_t
schedulers_drop(ctl_t *ctl, const ctl_queue_t *queue, const char *const *ids,
    size_t n)
{
    size_t        i;
    int64_t       done;
    redisReply   *reply;
    const char   *args[1 + SCHEDULERS_BATCH];

    args[0] = (queue->bullmq == 5) ? "5" : "6";
    memcpy(args + 1, ids, n * sizeof(char *));
    reply = ctl_script(ctl, &sluice_script_unschedule, queue, (int) n + 1,
                       args);

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != n) {
        ctl_fail(CTL_REDIS, "the script unschedule answers with nonsense");
    }

    done = 0;

    for (i = 0; i < n; i++) {
        if (ctl_integer(reply->element[i], 0) == 1) {
            done++;

        } else {
            fprintf(stderr, "sluicectl: there is no scheduler %s\n", ids[i]);
        }
    }

    freeReplyObject(reply);

    return done;
}


static int
schedulers_remove(ctl_t *ctl, int argc, char **argv)
{
    bool          all;
    size_t        i, n, some;
    int64_t       done;
    redisReply   *ids;
    ctl_queue_t   queue;
    const char   *names[SCHEDULERS_BATCH];

    static const struct option  options[] = {
        { "all", no_argument, NULL, 'a' },
        { NULL, 0, NULL, 0 }
    };

    all = false;

    while (ctl_option(argc, argv, options) != -1) {
        all = true;
    }

    if (optind == argc || all == (argc - optind > 1)) {
        ctl_fail(CTL_USAGE, "schedulers remove takes a queue, and either ids or"
                 " --all");
    }

    ctl_queue(ctl, &queue, argv[optind++]);
    n = (size_t) (argc - optind);
    done = 0;

    for (i = 0; i < n; i += some) {
        some = (n - i < SCHEDULERS_BATCH) ? n - i : SCHEDULERS_BATCH;
        done += schedulers_drop(ctl, &queue,
                                (const char *const *) argv + optind + i, some);
    }

    while (all) {
        ctl_ask(ctl, "ZRANGE %srepeat 0 %d", queue.base, SCHEDULERS_BATCH - 1);
        ids = ctl_reply(ctl, "ZRANGE");

        if (ids->elements == 0 || ids->elements > SCHEDULERS_BATCH) {
            break;
        }

        for (i = 0; i < ids->elements; i++) {
            names[i] = ids->element[i]->str;
        }

        some = schedulers_drop(ctl, &queue, names, ids->elements);
        done += some;
        freeReplyObject(ids);

        if (some == 0) {
            ctl_fail(CTL_NONE, "%lld removed; these cannot be, such as ids"
                     " with a zero byte", (long long) done);
        }
    }

    if (ctl->json) {
        ctl_print_json(json_pack("{s:I}", "removed", (json_int_t) done));

    } else {
        printf("%lld removed\n", (long long) done);
    }

    return (all || (size_t) done == n) ? CTL_OK : CTL_NONE;
}


int
ctl_schedulers(ctl_t *ctl, int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "list") == 0) {
        return schedulers_list(ctl, argc - 1, argv + 1);
    }

    if (argc > 1 && strcmp(argv[1], "set") == 0) {
        return schedulers_set(ctl, argc - 1, argv + 1);
    }

    if (argc > 1 && strcmp(argv[1], "remove") == 0) {
        return schedulers_remove(ctl, argc - 1, argv + 1);
    }

    ctl_fail(CTL_USAGE, "schedulers takes list, set or remove");
}
