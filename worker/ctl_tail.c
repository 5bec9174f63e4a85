/*
 * `tail`: the events of queues as they come.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "worker/ctl.h"


#define TAIL_COUNT   100      /* events of one queue and look */
#define TAIL_BATCH   200      /* queues of one pipeline */
#define TAIL_EVERY   250      /* ms between looks, and a ms more a queue */
#define TAIL_QUEUES  10000


const char  ctl_tail_help[] =
    "usage: sluicectl [-c FILE | -r URL] [--json] tail QUEUE... | --all\n\n"
    "The events of queues from now on, a line each, until a signal; with --json"
    " a line\nof JSON each.  When Redis was away it goes on behind the last"
    " event.\n\n"
    "  --all   of every queue of the registry and of the settings, as of now\n";


typedef char  tail_id_t[48];

typedef struct {
    bool         begun;
    size_t       n;
    ctl_queue_t  queues[TAIL_QUEUES];
    tail_id_t    last[TAIL_QUEUES];      /* "" before the first look */
} shared_t;


static volatile sig_atomic_t  tail_over;


static void
tail_on_signal(int number)
{
    tail_over = 1;
}


static void
tail_event(ctl_t *ctl, const ctl_queue_t *queue, const char *id,
    const redisReply *fields)
{
    size_t             i;
    json_t            *object;
    const redisReply  *name, *value;

    if (ctl->json) {
        object = json_pack("{s:s, s:s, s:I}", "queue", queue->shown,
                           "id", id, "at",
                           (json_int_t) strtoll(id, NULL, 10));

        for (i = 0; i + 1 < fields->elements; i += 2) {
            name = fields->element[i];
            value = fields->element[i + 1];
            (void) json_object_set_new(object, name->str,
                                       ctl_string(value->str,
                                                  (size_t) value->len));
        }

        json_dumpf(object, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(object);
        return;
    }

    printf("%s  %s", ctl_time(strtoll(id, NULL, 10)), queue->shown);

    for (i = 0; i + 1 < fields->elements; i += 2) {
        name = fields->element[i];
        value = fields->element[i + 1];
        putchar(' ');

        if (strcmp(name->str, "event") != 0) {
            ctl_print(name->str, (size_t) name->len, false);
            putchar('=');
        }

        ctl_print(value->str, (size_t) value->len, false);
    }

    putchar('\n');
}


static bool
tail_is_entry(const redisReply *entry)
{
    return entry->type == REDIS_REPLY_ARRAY && entry->elements == 2
           && entry->element[0]->type == REDIS_REPLY_STRING
           && (size_t) entry->element[0]->len < sizeof(tail_id_t)
           && entry->element[1]->type == REDIS_REPLY_ARRAY;
}


/* the newest event at first, then what came behind it; how many */

static size_t
tail_look(ctl_t *ctl, const ctl_queue_t *queues, tail_id_t *last, size_t n)
{
    size_t       i, k, got;
    redisReply  *reply, *list, *entry;

    got = 0;

    for (i = 0; i < n; i++) {
        if (last[i][0] == '\0') {
            ctl_ask(ctl, "XREVRANGE %sevents + - COUNT 1",
                    queues[i].base);
        } else {
            ctl_ask(ctl, "XREAD COUNT %d STREAMS %sevents %s", TAIL_COUNT,
                    queues[i].base, last[i]);
        }
    }

    for (i = 0; i < n; i++) {
        reply = ctl_reply(ctl, "the events");
        list = reply;

        if (last[i][0] == '\0') {
            entry = (reply->type == REDIS_REPLY_ARRAY && reply->elements == 1)
                    ? reply->element[0] : NULL;
            strcpy(last[i], entry && tail_is_entry(entry)
                                  ? entry->element[0]->str : "0-0");
            freeReplyObject(reply);
            continue;
        }

        if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1
            || reply->element[0]->type != REDIS_REPLY_ARRAY
            || reply->element[0]->elements != 2)
        {
            freeReplyObject(reply);
            continue;
        }

        list = reply->element[0]->element[1];

        for (k = 0; k < list->elements; k++) {
            entry = list->element[k];

            if (tail_is_entry(entry)) {
                strcpy(last[i], entry->element[0]->str);
                tail_event(ctl, &queues[i], last[i], entry->element[1]);
                got++;
            }
        }

        freeReplyObject(reply);
    }

    return got;
}


static size_t
tail_round(ctl_t *ctl, shared_t *shared)
{
    size_t  i, left, got;

    got = 0;

    for (i = 0; i < shared->n; i += TAIL_BATCH) {
        left = shared->n - i;
        got += tail_look(ctl, shared->queues + i, shared->last + i,
                         left < TAIL_BATCH ? left : TAIL_BATCH);
    }

    return got;
}


/* the life of one connection; it ends with the program */

static void
tail_run(ctl_t *ctl, shared_t *shared, bool all, char **names, size_t n)
{
    size_t  i, got;

    /* a Redis that goes is an error, and no end */

    (void) signal(SIGPIPE, SIG_IGN);
    (void) prctl(PR_SET_PDEATHSIG, SIGTERM);

    if (!shared->begun) {
        shared->n = all ? ctl_queue_all(ctl, shared->queues, TAIL_QUEUES) : n;

        for (i = 0; i < n; i++) {
            ctl_queue(ctl, &shared->queues[i], names[i]);
        }

        if (shared->n == 0) {
            ctl_fail(CTL_NONE, "there are no queues");
        }

        (void) tail_round(ctl, shared);
        shared->begun = true;
    }

    while (!tail_over) {
        got = tail_round(ctl, shared);

        if (fflush(stdout) != 0) {
            break;
        }

        if (got < TAIL_COUNT) {
            usleep((useconds_t) (TAIL_EVERY + shared->n) * 1000);
        }
    }

    exit(CTL_OK);
}


/*
 * An error ends a program, so each connection is one; where it was is
 * shared with the next.
 */

int
ctl_tail(ctl_t *ctl, int argc, char **argv)
{
    int                status;
    bool               all;
    pid_t              pid;
    size_t             n;
    shared_t          *shared;
    struct sigaction   action;

    static const struct option  options[] = {
        { "all", no_argument, NULL, 'a' },
        { NULL, 0, NULL, 0 }
    };

    all = false;

    while (ctl_option(argc, argv, options) != -1) {
        all = true;
    }

    n = (size_t) (argc - optind);

    if (all == (n > 0) || n > TAIL_QUEUES) {
        ctl_fail(CTL_USAGE, "tail takes queues, or --all");
    }

    shared = mmap(NULL, sizeof(shared_t), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (shared == MAP_FAILED) {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    memset(&action, 0, sizeof(action));
    action.sa_handler = tail_on_signal;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);

    do {
        pid = fork();

        if (pid == 0) {
            tail_run(ctl, shared, all, argv + optind, n);
        }

        if (pid < 0) {
            ctl_fail(CTL_REDIS, "%s", strerror(errno));
        }

        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
            (void) kill(pid, SIGTERM);
        }

        if (tail_over || WIFSIGNALED(status)) {
            return CTL_OK;
        }

        if (WEXITSTATUS(status) != CTL_REDIS || !shared->begun) {
            return WEXITSTATUS(status);
        }

        sleep(1);
    } while (!tail_over);

    return CTL_OK;
}
