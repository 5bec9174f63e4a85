/*
 * Names of queues, and `queues`: those of the registry and of the settings.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/slot.h"
#include "worker/ctl.h"


#define CTL_BATCH  100    /* queues asked about in one go */


const char  ctl_queues_help[] =
    "usage: sluicectl [-c FILE | -r URL] [--json] queues [--limit N]\n\n"
    "Every queue that is registered in Redis or named in the settings, with\n"
    "the number of its jobs in each state.  \"?\": the key is of another\n"
    "type.\n\n"
    "  --limit N   so many queues at most, 1000\n";


/* what is counted; `paused` of BullMQ 5 is a list that stands for `wait` */

static const struct {
    const char  *title;
    const char  *command;
    const char  *suffix;
} counts[] = {
    { "waiting", "LLEN", "wait" },
    { "active", "LLEN", "active" },
    { "delayed", "ZCARD", "delayed" },
    { "prioritized", "ZCARD", "prioritized" },
    { "children", "ZCARD", "waiting-children" },
    { "completed", "ZCARD", "completed" },
    { "failed", "ZCARD", "failed" },
    { NULL, "LLEN", "paused" }
};

#define NCOUNTS  (sizeof(counts) / sizeof(counts[0]))
#define NSHOWN   (NCOUNTS - 1)

typedef struct {
    ctl_queue_t  *list;
    size_t        n, room;
} queues_t;


static void queues_add(queues_t *queues, const char *name);
static void queues_registry(ctl_t *ctl, queues_t *queues);
static void queues_settings(ctl_t *ctl, queues_t *queues);
static void queues_sort(queues_t *queues);
static int queue_compare(const void *a, const void *b);
static const char *queue_parse(ctl_queue_t *queue, const char *text);
static void queue_ask(ctl_t *ctl, const ctl_queue_t *queue);
static void queue_show(ctl_t *ctl, const ctl_queue_t *queue, json_t *list);
static const queue_settings_t *queue_settings(const ctl_t *ctl,
    const ctl_queue_t *queue);


int
ctl_queues(ctl_t *ctl, int argc, char **argv)
{
    size_t     i, k, n, limit;
    json_t    *list;
    queues_t   queues;

    static const struct option  options[] = {
        { "limit", required_argument, NULL, 'l' },
        { NULL, 0, NULL, 0 }
    };

    limit = CTL_PAGE_MAX;

    while (ctl_option(argc, argv, options) != -1) {
        limit = (size_t) ctl_number("--limit", optarg, 1000000);
    }

    if (optind != argc) {
        ctl_fail(CTL_USAGE, "queues takes no argument \"%s\"", argv[optind]);
    }

    memset(&queues, 0, sizeof(queues_t));
    queues_registry(ctl, &queues);
    queues_settings(ctl, &queues);
    queues_sort(&queues);
    n = queues.n;
    list = ctl->json ? json_array() : NULL;

    if (!ctl->json && n > 0) {
        for (k = 0; k < NSHOWN; k++) {
            printf("%11s ", counts[k].title);
        }

        printf("%7s queue\n", "paused");
    }

    for (i = 0; i < n && i < limit; i++) {
        if (i % CTL_BATCH == 0) {
            for (k = i; k < n && k < limit && k < i + CTL_BATCH; k++) {
                queue_ask(ctl, &queues.list[k]);
            }
        }

        queue_show(ctl, &queues.list[i], list);
    }

    if (ctl->json) {
        ctl_print_json(list);

    } else if (n > limit) {
        printf("%zu of %zu queues\n", limit, n);

    } else if (n == 0) {
        printf("no queues\n");
    }

    free(queues.list);

    return (n > 0) ? CTL_OK : CTL_NONE;
}


size_t
ctl_queue_all(ctl_t *ctl, ctl_queue_t *list, size_t max)
{
    size_t    n;
    queues_t  queues;

    memset(&queues, 0, sizeof(queues_t));
    queues_registry(ctl, &queues);
    queues_settings(ctl, &queues);
    queues_sort(&queues);
    n = (queues.n < max) ? queues.n : max;

    if (n) {
        memcpy(list, queues.list, n * sizeof(ctl_queue_t));
    }

    free(queues.list);

    return n;
}


static void
queue_ask(ctl_t *ctl, const ctl_queue_t *queue)
{
    size_t  i;

    for (i = 0; i < NCOUNTS; i++) {
        ctl_ask(ctl, "%s %s%s", counts[i].command, queue->base,
                counts[i].suffix);
    }

    ctl_ask(ctl, "HMGET %smeta paused version", queue->base);
}


static void
queue_show(ctl_t *ctl, const ctl_queue_t *queue, json_t *list)
{
    bool         paused;
    size_t       i;
    json_t      *object;
    int64_t      n[NCOUNTS];
    redisReply  *reply;

    for (i = 0; i < NCOUNTS; i++) {
        reply = ctl_reply_any(ctl);
        n[i] = ctl_integer(reply, -1);
        freeReplyObject(reply);
    }

    if (n[NSHOWN] > 0 && n[0] >= 0) {
        n[0] += n[NSHOWN];
    }

    reply = ctl_reply_any(ctl);
    paused = reply->type == REDIS_REPLY_ARRAY
             && reply->element[0]->type != REDIS_REPLY_NIL;

    if (list == NULL) {
        for (i = 0; i < NSHOWN; i++) {
            if (n[i] < 0) {
                printf("%11s ", "?");

            } else {
                printf("%11lld ", (long long) n[i]);
            }
        }

        printf("%7s ", paused ? "yes" : "-");
        ctl_print(queue->shown, strlen(queue->shown), false);
        putchar('\n');

    } else {
        object = json_object();
        json_object_set_new(object, "queue", ctl_string(queue->shown,
                                                    strlen(queue->shown)));
        json_object_set_new(object, "prefix", ctl_string(queue->prefix,
                                                    strlen(queue->prefix)));
        json_object_set_new(object, "name", ctl_string(queue->name,
                                                    strlen(queue->name)));

        for (i = 0; i < NSHOWN; i++) {
            json_object_set_new(object, counts[i].title,
                                n[i] < 0 ? json_null() : json_integer(n[i]));
        }

        json_object_set_new(object, "paused", json_boolean(paused));

        if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 1
            && reply->element[1]->type == REDIS_REPLY_STRING)
        {
            json_object_set_new(object, "version",
                                ctl_string(reply->element[1]->str,
                                       (size_t) reply->element[1]->len));
        }

        json_array_append_new(list, object);
    }

    freeReplyObject(reply);
}


/* what a queue cannot be called is not one */

static void
queues_add(queues_t *queues, const char *name)
{
    size_t        room;
    ctl_queue_t  *more;

    if (queues->n == queues->room) {
        room = queues->room ? 2 * queues->room : 64;
        more = realloc(queues->list, room * sizeof(ctl_queue_t));

        if (more == NULL) {
            ctl_fail(CTL_REDIS, "out of memory");
        }

        queues->list = more;
        queues->room = room;
    }

    if (queue_parse(&queues->list[queues->n], name) == NULL) {
        queues->n++;
    }
}


/* by name, each once */

static void
queues_sort(queues_t *queues)
{
    size_t  i, n;

    if (queues->n == 0) {
        return;
    }

    qsort(queues->list, queues->n, sizeof(ctl_queue_t), queue_compare);

    for (i = 1, n = 1; i < queues->n; i++) {
        if (queue_compare(&queues->list[n - 1], &queues->list[i]) != 0) {
            queues->list[n++] = queues->list[i];
        }
    }

    queues->n = n;
}


static int
queue_compare(const void *a, const void *b)
{
    return strcmp(((const ctl_queue_t *) a)->shown,
                  ((const ctl_queue_t *) b)->shown);
}


static void
queues_registry(ctl_t *ctl, queues_t *queues)
{
    size_t       i;
    char         cursor[32] = "0";
    redisReply  *reply;

    do {
        ctl_ask(ctl, "SSCAN " SLUICE_KEYS_REGISTRY " %s COUNT 1000", cursor);
        reply = ctl_reply(ctl, "SSCAN");

        if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
            ctl_fail(CTL_REDIS, "Redis answers SSCAN with nonsense");
        }

        snprintf(cursor, sizeof(cursor), "%s", reply->element[0]->str);

        for (i = 0; i < reply->element[1]->elements; i++) {
            queues_add(queues, reply->element[1]->element[i]->str);
        }

        freeReplyObject(reply);
    } while (strcmp(cursor, "0") != 0);
}


static void
queues_settings(ctl_t *ctl, queues_t *queues)
{
    char                     name[2 * SLUICE_KEYS_MAX];
    size_t                   i;
    const queue_settings_t  *queue;

    for (i = 0; ctl->settings && i < ctl->settings->nqueues; i++) {
        queue = &ctl->settings->queues[i];
        snprintf(name, sizeof(name), "%s:%s", queue->prefix, queue->name);
        queues_add(queues, name);
    }
}


/* NULL, or what is wrong; BullMQ's names hold no colon, its prefixes may */

static const char *
queue_parse(ctl_queue_t *queue, const char *text)
{
    size_t       len;
    const char  *end;

    memset(queue, 0, sizeof(ctl_queue_t));
    queue->bullmq = 6;
    end = strrchr(text, ':');

    if (end != NULL) {
        len = (size_t) (end - text);

        if (len == 0 || len >= sizeof(queue->prefix)) {
            return "the prefix is empty or too long";
        }

        memcpy(queue->prefix, text, len);

    } else {
        end = strchr(text, '/');

        if (end == NULL) {
            return "it is tenant/queue or prefix:queue";
        }

        len = (size_t) (end - text);

        if (!sluice_keys_name_ok(text, len)
            || sluice_keys_tenant_prefix(queue->prefix, sizeof(queue->prefix),
                                         text, len)
               == 0)
        {
            return "a tenant is 1 to 64 of A-Z a-z 0-9 _ . -";
        }
    }

    end++;
    len = strlen(end);

    if (len == 0 || len >= sizeof(queue->name)
        || sluice_keys_base(queue->base, sizeof(queue->base), queue->prefix,
                            strlen(queue->prefix), end, len)
           == 0)
    {
        return "the name is empty or too long";
    }

    memcpy(queue->name, end, len);
    len = strlen(queue->prefix);

    if (len > 2 && queue->prefix[0] == '{' && queue->prefix[len - 1] == '}'
        && sluice_keys_name_ok(queue->prefix + 1, len - 2))
    {
        snprintf(queue->shown, sizeof(queue->shown), "%.*s/%s",
                 (int) len - 2, queue->prefix + 1, queue->name);

    } else {
        snprintf(queue->shown, sizeof(queue->shown), "%s:%s", queue->prefix,
                 queue->name);
    }

    return NULL;
}


/*
 * A queue is one when the settings or the registry name it, or a BullMQ client
 * has written its `meta`.
 */

void
ctl_queue(ctl_t *ctl, ctl_queue_t *queue, const char *text)
{
    bool                     known;
    const char              *error;
    redisReply              *member, *version;
    const queue_settings_t  *settings;

    error = queue_parse(queue, text);

    if (error != NULL) {
        ctl_fail(CTL_USAGE, "queue \"%s\": %s", text, error);
    }

    if (ctl_is_cluster(ctl)
        && !sluice_slot_tagged(queue->prefix, strlen(queue->prefix)))
    {
        ctl_fail(CTL_USAGE, "queue \"%s\": the keys of a prefix without a"
                 " hash tag, as in {acme}, are all over the cluster", text);
    }

    settings = queue_settings(ctl, queue);

    ctl_ask(ctl, "SISMEMBER " SLUICE_KEYS_REGISTRY " %s:%s", queue->prefix,
            queue->name);
    ctl_ask(ctl, "HMGET %smeta version opts.maxLenEvents", queue->base);

    member = ctl_reply(ctl, "SISMEMBER");
    version = ctl_reply(ctl, "HMGET");

    known = settings != NULL || ctl_integer(member, 0) == 1
            || version->element[0]->type != REDIS_REPLY_NIL
            || version->element[1]->type != REDIS_REPLY_NIL;

    if (!known) {
        ctl_fail(CTL_NONE, "there is no queue %s: neither the registry nor"
                 " the settings name it, and Redis has no %smeta",
                 queue->shown, queue->base);
    }

    if (settings != NULL) {
        queue->bullmq = settings->bullmq;

    } else if (version->element[0]->type == REDIS_REPLY_STRING
               && strncmp(version->element[0]->str, "bullmq:5", 8) == 0)
    {
        queue->bullmq = 5;
    }

    freeReplyObject(member);
    freeReplyObject(version);
}


static const queue_settings_t *
queue_settings(const ctl_t *ctl, const ctl_queue_t *queue)
{
    size_t  i;

    for (i = 0; ctl->settings && i < ctl->settings->nqueues; i++) {
        if (strcmp(ctl->settings->queues[i].prefix, queue->prefix) == 0
            && strcmp(ctl->settings->queues[i].name, queue->name) == 0)
        {
            return &ctl->settings->queues[i];
        }
    }

    return NULL;
}
