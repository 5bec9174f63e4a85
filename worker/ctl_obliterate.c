/*
 * `obliterate`: a queue with all that is in it.
 */

#include <stdio.h>
#include <string.h>
#include "scripts.h"
#include "worker/ctl.h"


const char  ctl_obliterate_help[] =
    "usage: sluicectl [-c FILE | -r URL] [--json] obliterate QUEUE --yes"
    " [--force]\n\n"
    "Removes a paused queue with all its jobs, schedulers and settings.\n\n"
    "  --yes     it is meant\n"
    "  --force   also when jobs are active\n";


int
ctl_obliterate(ctl_t *ctl, int argc, char **argv)
{
    int           c;
    bool          yes;
    char          state[64];
    redisReply   *reply;
    ctl_queue_t   queue;
    const char   *args[4];

    static const struct option  options[] = {
        { "yes", no_argument, NULL, 'y' },
        { "force", no_argument, NULL, 'f' },
        { NULL, 0, NULL, 0 }
    };

    yes = false;
    state[0] = '\0';
    args[1] = "0";
    args[2] = "200";
    args[3] = state;

    while ((c = ctl_option(argc, argv, options)) != -1) {
        if (c == 'y') {
            yes = true;

        } else {
            args[1] = "1";
        }
    }

    if (argc - optind != 1 || !yes) {
        ctl_fail(CTL_USAGE, "obliterate takes a queue, and --yes");
    }

    ctl_queue(ctl, &queue, argv[optind]);
    args[0] = (queue.bullmq == 5) ? "5" : "6";

    do {
        reply = ctl_script(ctl, &sluice_script_obliterate, &queue, 4, args);

        if (reply->type == REDIS_REPLY_INTEGER) {
            ctl_fail(CTL_NONE, reply->integer == -1
                     ? "%s is not paused: sluicectl pause, and wait for its"
                       " jobs" : "%s has active jobs: wait for them, or"
                     " --force", queue.shown);
        }

        if (reply->type != REDIS_REPLY_STRING
            || (size_t) reply->len >= sizeof(state))
        {
            ctl_fail(CTL_REDIS, "the script obliterate answers with nonsense");
        }

        strcpy(state, reply->str);
        freeReplyObject(reply);
    } while (state[0]);

    if (ctl->json) {
        ctl_print_json(json_pack("{s:b}", "obliterated", 1));

    } else {
        printf("obliterated\n");
    }

    return CTL_OK;
}
