/*
 * `add`: one job.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "scripts.h"
#include "worker/ctl.h"
#include "worker/job_new.h"


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
    "  --attempts N   so many in all, 1\n"
    "  --backoff T    between attempts, 5s or exponential:5s\n"
    "  --group KEY    one job of this key at a time, in order\n"
    "  --dedupe ID    nothing is added while a job with this is there; with\n"
    "  --ttl TIME     for this time, however long the job lives\n";


/* keys of a queue, which an id must not be; those with a colon cannot be */

static const char *const  own_keys[] = {
    "id", "meta", "wait", "paused", "active", "prioritized", "pc", "delayed",
    "completed", "failed", "waiting-children", "marker", "stalled",
    "stalled-check", "limiter", "events", "repeat", "delay", "priority"
};

#define NOWN  (sizeof(own_keys) / sizeof(own_keys[0]))


static void add_check_id(const char *id);
static void add_number(json_t *object, const char *name, int64_t value);
static char *add_input(void);


int
ctl_add(ctl_t *ctl, int argc, char **argv)
{
    int           c;
    bool          added;
    char         *data;
    json_t       *object, *dedup;
    redisReply   *reply;
    const char   *id, *what, *args[9];
    job_new_t     job;
    job_wrong_t   wrong;
    ctl_queue_t   queue;

    static const struct option  options[] = {
        { "data", required_argument, NULL, 'd' },
        { "id", required_argument, NULL, 'i' },
        { "delay", required_argument, NULL, 'w' },
        { "priority", required_argument, NULL, 'p' },
        { "lifo", no_argument, NULL, 'f' },
        { "attempts", required_argument, NULL, 'a' },
        { "backoff", required_argument, NULL, 'b' },
        { "group", required_argument, NULL, 'g' },
        { "dedupe", required_argument, NULL, 'u' },
        { "ttl", required_argument, NULL, 't' },
        { NULL, 0, NULL, 0 }
    };

    data = NULL;
    id = "";
    dedup = json_object();
    object = json_pack("{s:i}", "attempts", 1);

    while ((c = ctl_option(argc, argv, options)) != -1) {
        switch (c) {

        case 'd':
            json_decref(ctl_add_data(optarg, &data));
            break;

        case 'i':
            id = optarg;
            add_check_id(id);
            break;

        case 'w':
            add_number(object, "delay", ctl_age("--delay", optarg));
            break;

        case 'p':
            add_number(object, "priority",
                       ctl_number("--priority", optarg, JOB_PRIORITY_MAX));
            break;

        case 'f':
            json_object_set_new(object, "lifo", json_true());
            break;

        case 'b':
            json_object_set_new(object, "backoff", ctl_add_backoff(optarg));
            break;

        case 'g':
            json_object_set_new(object, "groupKey",
                                ctl_string(optarg, strlen(optarg)));
            break;

        case 'u':
            json_object_set_new(dedup, "id",
                                ctl_string(optarg, strlen(optarg)));
            break;

        case 't':
            json_object_set_new(dedup, "ttl",
                                json_integer(ctl_age("--ttl", optarg)));
            break;

        default:
            json_object_set_new(object, "attempts",
                                json_integer(ctl_number("--attempts", optarg,
                                                        JOB_ATTEMPTS_MAX)));
        }
    }

    if (argc - optind != 2) {
        ctl_fail(CTL_USAGE, "add takes a queue and the name of the job");
    }

    json_object_set_new(object, "name", ctl_string(argv[optind + 1],
                                                   strlen(argv[optind + 1])));

    if (json_object_size(dedup)) {
        json_object_set(object, "deduplication", dedup);
    }

    if (!job_new_read(&job, object, id, &wrong)) {
        ctl_fail(CTL_USAGE, "%s: %s", wrong.field, wrong.what);
    }

    ctl_queue(ctl, &queue, argv[optind]);

    args[0] = (queue.bullmq == 5) ? "5" : "6";
    args[1] = id;
    args[2] = job.name;
    args[3] = data ? data : "{}";
    args[4] = job.opts;
    args[5] = "";
    args[6] = "";
    args[7] = "0";
    args[8] = "";

    reply = ctl_script(ctl, &sluice_script_insert, &queue, 9, args);

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || reply->element[0]->type != REDIS_REPLY_STRING
        || reply->element[1]->type != REDIS_REPLY_STRING)
    {
        ctl_fail(CTL_REDIS, "the script insert answers with nonsense");
    }

    what = reply->element[0]->str;
    id = reply->element[1]->str;
    added = strcmp(what, "added") == 0;

    if (ctl->json) {
        ctl_print_json(json_pack("{s:o, s:b, s:s}", "id",
                                 ctl_string(id, strlen(id)), "added", added,
                                 "result", what));

    } else {
        ctl_print(id, strlen(id), false);
        printf(added ? "\n" : strcmp(what, "duplicate") == 0
               ? " is there already\n" : " is there instead\n");
    }

    return added ? CTL_OK : CTL_NONE;
}


/* none is none, also in what is stored */

static void
add_number(json_t *object, const char *name, int64_t value)
{
    if (value > 0) {
        json_object_set_new(object, name, json_integer(value));
    }
}


/* the data as JSON, and in *text as it came; "-" is standard input */

json_t *
ctl_add_data(const char *text, char **as_it_came)
{
    char          *data;
    json_t        *json;
    json_error_t   error;

    data = (strcmp(text, "-") == 0) ? add_input() : strdup(text);
    json = data ? json_loads(data, JSON_DECODE_ANY|JSON_ALLOW_NUL, &error)
                : NULL;

    if (json == NULL) {
        ctl_fail(CTL_USAGE, "--data is not JSON: line %d, column %d: %s",
                 error.line, error.column, error.text);
    }

    if (as_it_came) {
        *as_it_came = data;
    }

    return json;
}


/* "5s", or "exponential:5s" */

json_t *
ctl_add_backoff(const char *text)
{
    static const char  exponential[] = "exponential:";

    if (strncmp(text, exponential, sizeof(exponential) - 1) == 0) {
        return json_pack("{s:s, s:I}", "type", "exponential", "delay",
                         (json_int_t) ctl_age("--backoff", text
                                              + sizeof(exponential) - 1));
    }

    return json_integer(ctl_age("--backoff", text));
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
