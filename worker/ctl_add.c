/*
 * `add`: one job.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "scripts.h"
#include "worker/ctl.h"


#define CTL_DATA_MAX  (16 * 1024 * 1024)


const char  ctl_add_help[] =
    "usage: sluicectl [-c FILE | -r URL] [--json] add QUEUE NAME"
    " [--data JSON] [OPTIONS]\n\n"
    "Adds a job, and prints its id.\n\n"
    "  --data JSON    its data, {}; \"-\" reads it from standard input: other"
    " users of\n"
    "                 the machine see what stands on the command line\n"
    "  --id ID        its id, which must not be a number; nothing is added"
    " when a job\n"
    "                 has it\n"
    "  --delay TIME   not before this time has passed, such as 90s\n"
    "  --priority N   1 first .. 2097151 last, after all jobs without one\n"
    "  --lifo         to the front of the line\n"
    "  --attempts N   so many in all, 1\n";


/* keys of a queue, which an id must not be; those with a colon cannot be */

static const char *const  own_keys[] = {
    "id", "meta", "wait", "paused", "active", "prioritized", "pc", "delayed",
    "completed", "failed", "waiting-children", "marker", "stalled",
    "stalled-check", "limiter", "events", "repeat", "delay", "priority"
};

#define NOWN  (sizeof(own_keys) / sizeof(own_keys[0]))


static void add_check_id(const char *id);
static char *add_input(void);


int
ctl_add(ctl_t *ctl, int argc, char **argv)
{
    int           c;
    bool          added;
    char          delay[24], priority[24], attempts[24], opts[256];
    char         *data;
    int64_t       wait, rank, tries;
    redisReply   *reply;
    const char   *id, *args[10];
    json_t       *json;
    json_error_t  error;
    ctl_queue_t   queue;

    static const struct option  options[] = {
        { "data", required_argument, NULL, 'd' },
        { "id", required_argument, NULL, 'i' },
        { "delay", required_argument, NULL, 'w' },
        { "priority", required_argument, NULL, 'p' },
        { "lifo", no_argument, NULL, 'f' },
        { "attempts", required_argument, NULL, 'a' },
        { NULL, 0, NULL, 0 }
    };

    data = NULL;
    id = "";
    wait = rank = 0;
    tries = 1;
    args[7] = "0";

    while ((c = ctl_option(argc, argv, options)) != -1) {
        switch (c) {

        case 'd':
            data = optarg;
            break;

        case 'i':
            id = optarg;

            add_check_id(id);
            break;

        case 'w':
            wait = ctl_age("--delay", optarg);
            break;

        case 'p':
            rank = ctl_number("--priority", optarg, 2097151);
            break;

        case 'f':
            args[7] = "1";
            break;

        default:
            tries = ctl_number("--attempts", optarg, 1000000);
        }
    }

    if (argc - optind != 2) {
        ctl_fail(CTL_USAGE, "add takes a queue and the name of the job");
    }

    if (data != NULL && strcmp(data, "-") == 0) {
        data = add_input();
    }

    if (data != NULL) {
        json = json_loads(data, JSON_DECODE_ANY|JSON_ALLOW_NUL, &error);

        if (json == NULL) {
            ctl_fail(CTL_USAGE, "--data is not JSON: line %d, column %d: %s",
                     error.line, error.column, error.text);
        }

        json_decref(json);
    }

    ctl_queue(ctl, &queue, argv[optind]);
    snprintf(delay, sizeof(delay), "%lld", (long long) wait);
    snprintf(priority, sizeof(priority), "%lld", (long long) rank);
    snprintf(attempts, sizeof(attempts), "%lld", (long long) tries);

    /* as stock BullMQ writes them: only what is given */

    c = snprintf(opts, sizeof(opts), "{\"attempts\":%s", attempts);

    if (wait > 0) {
        c += snprintf(opts + c, sizeof(opts) - (size_t) c, ",\"delay\":%s",
                      delay);
    }

    if (rank > 0) {
        c += snprintf(opts + c, sizeof(opts) - (size_t) c, ",\"priority\":%s",
                      priority);
    }

    if (id[0] != '\0') {
        c += snprintf(opts + c, sizeof(opts) - (size_t) c, ",\"jobId\":\"%s\"",
                      id);
    }

    snprintf(opts + c, sizeof(opts) - (size_t) c, "%s}",
             args[7][0] == '1' ? ",\"lifo\":true" : "");

    args[0] = (queue.bullmq == 5) ? "5" : "6";
    args[1] = id;
    args[2] = argv[optind + 1];
    args[3] = data ? data : "{}";
    args[4] = opts;
    args[5] = delay;
    args[6] = priority;
    args[8] = "";
    args[9] = "";

    reply = ctl_script(ctl, &sluice_script_add, &queue, 10, args);

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1) {
        ctl_fail(CTL_REDIS, "the script add answers with nonsense");
    }

    added = reply->element[0]->type == REDIS_REPLY_STRING
            || ctl_integer(reply->element[0], 0) == 1;

    if (reply->element[0]->type == REDIS_REPLY_STRING) {
        id = reply->element[0]->str;
    }

    if (ctl->json) {
        ctl_print_json(json_pack("{s:o, s:b}", "id",
                                 ctl_string(id, strlen(id)), "added", added));

    } else {
        ctl_print(id, strlen(id), false);
        printf(added ? "\n" : " is there already\n");
    }

    freeReplyObject(reply);

    return added ? CTL_OK : CTL_NONE;
}


static void
add_check_id(const char *id)
{
    size_t  i;

    if (!sluice_keys_name_ok(id, strlen(id))
        || strspn(id, "0123456789") == strlen(id))
    {
        ctl_fail(CTL_USAGE, "--id is 1 to 64 of A-Z a-z 0-9 _ . - and no"
                 " number");
    }

    for (i = 0; i < NOWN; i++) {
        if (strcmp(id, own_keys[i]) == 0) {
            ctl_fail(CTL_USAGE, "--id must not be \"%s\", a key of the queue",
                     id);
        }
    }
}


static char *
add_input(void)
{
    char    *text;
    size_t   n;

    text = malloc(CTL_DATA_MAX + 1);

    if (text == NULL) {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    n = fread(text, 1, CTL_DATA_MAX + 1, stdin);

    if (ferror(stdin)) {
        ctl_fail(CTL_USAGE, "standard input: %s", strerror(errno));
    }

    if (n > CTL_DATA_MAX) {
        ctl_fail(CTL_USAGE, "the data is larger than %d bytes", CTL_DATA_MAX);
    }

    text[n] = '\0';

    if (strlen(text) != n) {
        ctl_fail(CTL_USAGE, "--data is not JSON: it holds a zero byte");
    }

    return text;
}
