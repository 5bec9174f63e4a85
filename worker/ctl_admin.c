/*
 * `pause`, `resume`, `promote`, `retry`, `remove`, `drain`, `clean`.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/retry.h"
#include "scripts.h"
#include "worker/ctl.h"


#define CTL_ALL  INT64_C(1000000000)


const char  ctl_pause_help[] =
    "usage: sluicectl [-c FILE | -r URL] [--json] pause QUEUE\n\n"
    "No job of the queue is started any more; those that run go on, and new\n"
    "ones are accepted.\n";

const char  ctl_resume_help[] =
    "usage: sluicectl [-c FILE | -r URL] [--json] resume QUEUE\n\n"
    "The jobs of a paused queue are started again.\n";

const char  ctl_promote_help[] =
    "usage: sluicectl [-c FILE | -r URL] [--json] promote QUEUE ID... |"
    " --all\n\n"
    "Delayed jobs go into the line now.\n\n"
    "  --all   every job that is delayed now\n";

const char  ctl_retry_help[] =
    "usage: sluicectl [-c FILE | -r URL] [--json] retry QUEUE"
    " ID... | --all [--completed]\n\n"
    "Jobs that failed for good go back to the line with all their attempts.\n\n"
    "  --all         every job that is in the set now\n"
    "  --completed   completed jobs instead\n";

const char  ctl_remove_help[] =
    "usage: sluicectl [-c FILE | -r URL] [--json] remove QUEUE ID..."
    " [--children]\n\n"
    "Removes jobs, whatever state they are in, but for those that a worker"
    " has.\n\n"
    "  --children   also what is below them in their flows\n";

const char  ctl_drain_help[] =
    "usage: sluicectl [-c FILE | -r URL] [--json] drain QUEUE [--delayed]\n\n"
    "Removes the jobs that wait, but for the next runs of schedulers.\n\n"
    "  --delayed   also those that are delayed\n";

const char  ctl_clean_help[] =
    "usage: sluicectl [-c FILE | -r URL] [--json] clean QUEUE STATE"
    " [--older AGE] [--limit N]\n\n"
    "Removes the jobs of a state, the oldest first: completed, failed,"
    " delayed,\nprioritized, waiting, or active (those that no worker has).\n\n"
    "  --older AGE   only what was finished, else started, else added that"
    " long ago,\n"
    "                such as 90s, 12h, 7d\n"
    "  --limit N     so many at most\n";


static int admin_pause(ctl_t *ctl, int argc, char **argv, bool pause);


int
ctl_pause(ctl_t *ctl, int argc, char **argv)
{
    return admin_pause(ctl, argc, argv, true);
}


int
ctl_resume(ctl_t *ctl, int argc, char **argv)
{
    return admin_pause(ctl, argc, argv, false);
}


static int
admin_pause(ctl_t *ctl, int argc, char **argv, bool pause)
{
    int64_t       left;
    redisReply   *reply;
    ctl_queue_t   queue;
    const char   *args[3];

    static const struct option  options[] = { { NULL, 0, NULL, 0 } };

    (void) ctl_option(argc, argv, options);

    if (argc - optind != 1) {
        ctl_fail(CTL_USAGE, "%s takes a queue", argv[0]);
    }

    ctl_queue(ctl, &queue, argv[optind]);

    args[0] = (queue.bullmq == 5) ? "5" : "6";
    args[1] = pause ? "pause" : "resume";
    args[2] = "2000";

    do {
        reply = ctl_script(ctl, &sluice_script_pause, &queue, 3, args);
        left = ctl_integer(reply, 0);
        freeReplyObject(reply);
    } while (left > 0);

    if (ctl->json) {
        ctl_print_json(json_pack("{s:b}", "paused", pause));

    } else {
        printf(pause ? "paused\n" : "resumed\n");
    }

    return CTL_OK;
}


/* a queue and ids, or --all; getopt has put the ids behind the options */

static void
admin_ids(ctl_each_t *each, ctl_t *ctl, int argc, char **argv, bool all)
{
    if (optind == argc || all == (argc - optind > 1)) {
        ctl_fail(CTL_USAGE, "%s takes a queue, and either ids or --all",
                 argv[0]);
    }

    ctl_each_begin(each, ctl, argv[optind++]);
}


int
ctl_promote(ctl_t *ctl, int argc, char **argv)
{
    bool         all;
    ctl_each_t   each;

    static const struct option  options[] = {
        { "all", no_argument, NULL, 'a' },
        { NULL, 0, NULL, 0 }
    };

    static const char *const  fixed[] = { "delayed", "0" };

    all = false;

    while (ctl_option(argc, argv, options) != -1) {
        all = true;
    }

    admin_ids(&each, ctl, argc, argv, all);

    if (all) {
        ctl_move_all(&each, "delayed", false);

    } else {
        (void) ctl_each(&each, &sluice_script_requeue, fixed, 2,
                        (const char *const *) argv + optind,
                        (size_t) (argc - optind));
    }

    return ctl_each_end(&each, "promoted");
}


int
ctl_retry(ctl_t *ctl, int argc, char **argv)
{
    int          c;
    bool         all;
    ctl_each_t   each;
    const char  *fixed[] = { "failed", "1" };

    static const struct option  options[] = {
        { "all", no_argument, NULL, 'a' },
        { "completed", no_argument, NULL, 'c' },
        { NULL, 0, NULL, 0 }
    };

    all = false;

    while ((c = ctl_option(argc, argv, options)) != -1) {
        if (c == 'a') {
            all = true;

        } else {
            fixed[0] = "completed";
        }
    }

    admin_ids(&each, ctl, argc, argv, all);

    if (all) {
        ctl_move_all(&each, fixed[0], true);

    } else {
        (void) ctl_each(&each, &sluice_script_requeue, fixed, 2,
                        (const char *const *) argv + optind,
                        (size_t) (argc - optind));
    }

    return ctl_each_end(&each, "requeued");
}


int
ctl_remove(ctl_t *ctl, int argc, char **argv)
{
    ctl_each_t   each;
    const char  *fixed[] = { "0", "" };

    static const struct option  options[] = {
        { "children", no_argument, NULL, 'c' },
        { NULL, 0, NULL, 0 }
    };

    while (ctl_option(argc, argv, options) != -1) {
        fixed[0] = "1";
    }

    if (argc - optind < 2) {
        ctl_fail(CTL_USAGE, "remove takes a queue and ids");
    }

    ctl_each_begin(&each, ctl, argv[optind++]);

    (void) ctl_each(&each, &sluice_script_remove, fixed, 2,
                    (const char *const *) argv + optind,
                    (size_t) (argc - optind));

    return ctl_each_end(&each, "removed");
}


int
ctl_drain(ctl_t *ctl, int argc, char **argv)
{
    bool         delayed;
    ctl_each_t   each;

    static const struct option  options[] = {
        { "delayed", no_argument, NULL, 'd' },
        { NULL, 0, NULL, 0 }
    };

    delayed = false;

    while (ctl_option(argc, argv, options) != -1) {
        delayed = true;
    }

    if (argc - optind != 1) {
        ctl_fail(CTL_USAGE, "drain takes a queue");
    }

    ctl_each_begin(&each, ctl, argv[optind]);

    ctl_clean_all(&each, "wait", 0, CTL_ALL, false);
    ctl_clean_all(&each, "paused", 0, CTL_ALL, false);
    ctl_clean_all(&each, "prioritized", 0, CTL_ALL, false);

    if (delayed) {
        ctl_clean_all(&each, "delayed", 0, CTL_ALL, false);
    }

    (void) ctl_each_end(&each, "removed");

    return CTL_OK;
}


int64_t
ctl_age(const char *name, const char *text)
{
    int64_t  ms;

    ms = sluice_duration(text, strlen(text));

    if (ms < 0) {
        ctl_fail(CTL_USAGE, "%s must be a time such as 90s, 12h or 7d", name);
    }

    return ms;
}


int
ctl_clean(ctl_t *ctl, int argc, char **argv)
{
    int          c;
    int64_t      older, limit;
    ctl_each_t   each;
    const char  *state;

    static const struct option  options[] = {
        { "older", required_argument, NULL, 'o' },
        { "limit", required_argument, NULL, 'l' },
        { NULL, 0, NULL, 0 }
    };

    older = 0;
    limit = CTL_ALL;

    while ((c = ctl_option(argc, argv, options)) != -1) {
        if (c == 'o') {
            older = ctl_age("--older", optarg);

        } else {
            limit = ctl_number("--limit", optarg, CTL_ALL);
        }
    }

    if (argc - optind != 2) {
        ctl_fail(CTL_USAGE, "clean takes a queue and a state");
    }

    state = argv[optind + 1];

    if (strcmp(state, "waiting") != 0 && strcmp(state, "active") != 0
        && strcmp(state, "delayed") != 0 && strcmp(state, "prioritized") != 0
        && strcmp(state, "completed") != 0 && strcmp(state, "failed") != 0)
    {
        ctl_fail(CTL_USAGE, "a state is completed, failed, delayed,"
                 " prioritized, waiting or active");
    }

    ctl_each_begin(&each, ctl, argv[optind]);

    if (strcmp(state, "waiting") == 0) {
        ctl_clean_all(&each, "wait", older, limit, true);
        ctl_clean_all(&each, "paused", older, limit, true);

    } else {
        ctl_clean_all(&each, state, older, limit, true);
    }

    (void) ctl_each_end(&each, "removed");

    return CTL_OK;
}
