#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/watch.h"
#include "worker/watch_poll.h"


#define WATCH_NAME   "sluiced:watch"
#define WATCH_AGAIN  100    /* ms after Redis refused to wait */


typedef struct watch_group_s  watch_group_t;

struct watched_s {
    watch_group_t  *group;         /* NULL: polled */
    polled_t       *polled;
    const char     *marker;
    watch_pt        marked;
    void           *data;
    char            name[512];     /* as BullMQ names a worker's connection */
    bool            wanted;
    bool            waited;        /* part of the wait that is open */
    bool            bad;           /* its marker is no sorted set */
};

struct watch_group_s {
    watch_t        *watch;
    links_t        *links;
    const link_t   *link;          /* when it was ready last: to compare */
    struct event   *turn;          /* at the end of the loop's turn */
    watched_t      *queues[WATCH_GROUP];
    size_t          nqueues;
    unsigned        slot;          /* of a cluster */
    char            name[512];     /* that Redis knows; "" not yet */
    long long       id;            /* CLIENT ID, 0 not known */
    size_t          probe;         /* of queues, whose type is asked for */
    watched_t      *probed;        /* that one; NULL: it is gone */
    bool            probing;
    bool            found;         /* a bad one */
    bool            waiting;
    bool            unblocking;
};

struct watch_s {
    struct event_base  *base;
    settings_t          settings;    /* what a link needs */
    links_t            *main_links;
    poll_t             *poll;        /* of a cluster */
    watch_group_t     **groups;
    size_t              ngroups;
};


/* its queues' markers are on one link */

static link_t *
watch_link(const watch_group_t *group)
{
    return links_of(group->links, group->nqueues ? group->queues[0]->marker
                                                 : "");
}


static void
watch_touch(watch_group_t *group)
{
    event_active(group->turn, 0, 0);
}


/* "<prefix>:<base64 of the queue>": how dashboards find a queue's workers */

static void
watch_name(char *dst, size_t size, const char *prefix, const char *queue)
{
    size_t          i, n, len;
    uint32_t        bits;
    unsigned char   b[3];

    static const char  digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    n = snprintf(dst, size, "%s:", prefix);
    len = strlen(queue);

    for (i = 0; i < len && n + 5 < size; i += 3) {
        b[0] = queue[i];
        b[1] = (i + 1 < len) ? queue[i + 1] : 0;
        b[2] = (i + 2 < len) ? queue[i + 2] : 0;

        bits = (uint32_t) b[0] << 16 | (uint32_t) b[1] << 8 | b[2];

        dst[n++] = digits[bits >> 18];
        dst[n++] = digits[bits >> 12 & 63];
        dst[n++] = (i + 1 < len) ? digits[bits >> 6 & 63] : '=';
        dst[n++] = (i + 2 < len) ? digits[bits & 63] : '=';
    }

    dst[n] = '\0';

    /* Redis takes no white space or control character in a name */

    for (i = 0; i < n; i++) {
        if (dst[i] <= ' ' || dst[i] > '~') {
            dst[i] = '_';
        }
    }
}


static void
watch_popped(watch_group_t *group, const redisReply *reply)
{
    size_t       i;
    int64_t      due;
    watched_t   *queue;
    redisReply  *key, *member, *score;

    key = reply->element[0];
    member = reply->element[1];
    score = reply->element[2];

    if (key->type != REDIS_REPLY_STRING || !poll_due(member, score, &due)) {
        return;
    }

    for (i = 0; i < group->nqueues; i++) {
        queue = group->queues[i];

        if (strcmp(queue->marker, key->str) == 0) {
            if (queue->marked(queue->data, due)) {
                return;
            }

            break;
        }
    }

    /* of a full queue, or one that is no longer ours */
    poll_put_back(group->watch->main_links, key->str, member, score);
}


/*
 * One marker that is no sorted set ends the wait of all: which is it?  Its
 * queue looks by itself every few seconds, and asks for a wait again each time.
 */

static void watch_on_type(void *data, const redisReply *reply);


static void
watch_probe(watch_group_t *group)
{
    link_t  *link;

    link = watch_link(group);
    group->probed = (group->probe < group->nqueues)
                    ? group->queues[group->probe] : NULL;
    group->probing =
        group->probed && link_ready(link)
        && sluice_redis_command(link_redis(link), clock_ms(), watch_on_type,
                                group, "TYPE", group->probed->marker, NULL)
           == SLUICE_REDIS_OK;

    if (!group->probing && group->found) {
        clock_arm(group->turn, WATCH_AGAIN);
    }
}


static void
watch_on_type(void *data, const redisReply *reply)
{
    watched_t      *queue;
    watch_group_t  *group = data;

    queue = group->probed;

    if (queue && reply && reply->type == REDIS_REPLY_STATUS
        && strcmp(reply->str, "zset") != 0 && strcmp(reply->str, "none") != 0)
    {
        queue->bad = true;
        group->found = true;
        log_event(LOG_ERROR_, "watch_failed", "key", "%s", queue->marker,
                  "reason", "%s", "it is no sorted set", NULL);
    }

    group->probe++;
    watch_probe(group);
}


static void
watch_on_pop(void *data, const redisReply *reply)
{
    size_t          i;
    watch_group_t  *group = data;

    group->waiting = false;

    for (i = 0; i < group->nqueues; i++) {
        group->queues[i]->waited = false;
    }

    if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 3) {
        watch_popped(group, reply);

    } else if (reply && reply->type == REDIS_REPLY_ERROR) {

        if (sluice_redis_reply_kind(reply) != SLUICE_REDIS_REPLY_WRONG) {
            clock_arm(group->turn, WATCH_AGAIN);
            return;
        }

        log_event(LOG_DEBUG_, "watch_refused", "error", "%s", reply->str, NULL);
        group->probe = 0;
        group->found = false;
        watch_probe(group);
        return;
    }

    watch_touch(group);
}


static void
watch_on_id(void *data, const redisReply *reply)
{
    watch_group_t  *group = data;

    group->id = (reply && reply->type == REDIS_REPLY_INTEGER) ? reply->integer
                                                              : 0;

    /* a queue that came meanwhile could not end the wait without it */
    watch_touch(group);
}


static void
watch_rename(watch_group_t *group, link_t *link)
{
    const char  *name;

    name = (group->nqueues == 1) ? group->queues[0]->name : WATCH_NAME;

    if (strcmp(name, group->name) != 0) {
        snprintf(group->name, sizeof(group->name), "%s", name);
        (void) sluice_redis_command(link_redis(link), clock_ms(), NULL, NULL,
                                    "CLIENT", "SETNAME", name, NULL);
    }
}


/*
 * It may have overtaken the wait that it was to end, on another connection:
 * then nobody was woken, and it is said again.
 */

static void
watch_on_unblocked(void *data, const redisReply *reply)
{
    watch_group_t  *group = data;

    group->unblocking = false;

    if (reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == 0) {
        watch_touch(group);
    }
}


static void
watch_unblock(watch_group_t *group)
{
    char     id[24];
    link_t  *link;

    link = links_of(group->watch->main_links, group->queues[0]->marker);

    if (group->unblocking || group->id == 0 || !link_ready(link)) {
        return;
    }

    snprintf(id, sizeof(id), "%lld", group->id);

    group->unblocking =
        sluice_redis_command(link_redis(link), clock_ms(), watch_on_unblocked,
                             group, "CLIENT", "UNBLOCK", id, NULL)
        == SLUICE_REDIS_OK;
}


static void
watch_on_turn(evutil_socket_t fd, short what, void *data)
{
    size_t           i, n, missing;
    link_t          *link;
    watched_t       *queue;
    watch_group_t   *group = data;
    sluice_redis_t  *redis;

    link = watch_link(group);

    if (!link_ready(link) || group->probing) {
        return;
    }

    n = 0;
    missing = 0;

    for (i = 0; i < group->nqueues; i++) {
        queue = group->queues[i];
        n += (queue->wanted && !queue->bad);
        missing += (queue->wanted && !queue->bad && !queue->waited);
    }

    if (group->waiting) {
        if (missing) {
            watch_unblock(group);
        }

        return;
    }

    if (n == 0) {
        return;
    }

    watch_rename(group, link);
    redis = link_redis(link);

    if (sluice_redis_begin(redis, n + 2, clock_ms()) != SLUICE_REDIS_OK) {
        return;
    }

    sluice_redis_arg(redis, "BZPOPMIN", 8);

    for (i = 0; i < group->nqueues; i++) {
        queue = group->queues[i];
        queue->waited = (queue->wanted && !queue->bad);

        if (queue->waited) {
            sluice_redis_arg(redis, queue->marker, strlen(queue->marker));
        }
    }

    sluice_redis_arg_int(redis, WATCH_WAIT);

    group->waiting = (sluice_redis_end(redis, watch_on_pop, group)
                      == SLUICE_REDIS_OK);
}


static void
watch_on_change(void *data)
{
    link_t         *link;
    watch_group_t  *group = data;

    link = watch_link(group);
    link = link_ready(link) ? link : NULL;

    if (link == group->link) {
        return;
    }

    group->link = link;
    group->id = 0;
    group->name[0] = '\0';

    if (link) {
        (void) sluice_redis_command(link_redis(link), clock_ms(), watch_on_id,
                                    group, "CLIENT", "ID", NULL);
        watch_touch(group);
    }
}


/* the group of a queue; NULL: out of memory, or there is none for it */

static watch_group_t *
watch_group(watch_t *watch, const char *marker)
{
    size_t          i;
    unsigned        slot;
    links_conf_t    conf;
    watch_group_t  *group, **groups;

    links_slot(watch->main_links, marker, &slot);

    /* one that is empty and does not wait is anybody's */

    for (i = 0; i < watch->ngroups; i++) {
        group = watch->groups[i];

        if (group->nqueues < WATCH_GROUP
            && (group->slot == slot
                || (group->nqueues == 0 && !group->waiting)))
        {
            group->slot = slot;
            return group;
        }
    }

    if (watch->poll && watch->ngroups >= WATCH_SLOTS) {
        return NULL;
    }

    groups = realloc(watch->groups, (watch->ngroups + 1) * sizeof(*groups));

    if (groups == NULL) {
        return NULL;
    }

    watch->groups = groups;
    group = calloc(1, sizeof(watch_group_t));

    if (group == NULL) {
        return NULL;
    }

    memset(&conf, 0, sizeof(conf));
    conf.peer = watch->main_links;
    conf.name = WATCH_NAME;
    conf.timeout = watch->settings.redis_timeout + WATCH_WAIT * 1000;
    conf.changed = watch_on_change;
    conf.data = group;

    group->watch = watch;
    group->slot = slot;
    group->turn = event_new(watch->base, -1, 0, watch_on_turn, group);
    group->links = links_open(watch->base, &watch->settings, &conf);

    if (group->turn == NULL || group->links == NULL) {
        if (group->turn) {
            event_free(group->turn);
        }

        links_close(group->links);
        free(group);
        return NULL;
    }

    watch->groups[watch->ngroups++] = group;

    return group;
}


watch_t *
watch_open(struct event_base *base, const settings_t *settings,
    links_t *main_links)
{
    watch_t   *watch;
    unsigned   slot;

    watch = calloc(1, sizeof(watch_t));

    if (watch) {
        watch->base = base;
        watch->settings.redis = settings->redis;
        watch->settings.redis_tls = tls_hold(settings->redis_tls);
        watch->settings.redis_timeout = settings->redis_timeout;
        watch->main_links = main_links;

        if (links_slot(main_links, "", &slot)) {
            watch->poll = poll_open(base, main_links);

            if (watch->poll == NULL) {
                watch_close(watch);
                return NULL;
            }
        }
    }

    return watch;
}


void
watch_close(watch_t *watch)
{
    size_t  i, j;

    for (i = 0; watch && i < watch->ngroups; i++) {
        links_close(watch->groups[i]->links);
        event_free(watch->groups[i]->turn);

        for (j = 0; j < watch->groups[i]->nqueues; j++) {
            free(watch->groups[i]->queues[j]);
        }

        free(watch->groups[i]);
    }

    if (watch) {
        poll_close(watch->poll);
        tls_drop(watch->settings.redis_tls);
        free(watch->groups);
        free(watch);
    }
}


watched_t *
watch_add(watch_t *watch, const char *marker, const char *prefix,
    const char *queue, watch_pt marked, void *data)
{
    watched_t      *watched;
    watch_group_t  *group;

    group = watch_group(watch, marker);

    if (group == NULL && watch->poll == NULL) {
        return NULL;
    }

    watched = calloc(1, sizeof(watched_t));

    if (watched == NULL) {
        return NULL;
    }

    if (group == NULL) {
        watched->polled = poll_add(watch->poll, marker, marked, data);

        if (watched->polled == NULL) {
            free(watched);
            return NULL;
        }

        return watched;
    }

    watched->group = group;
    watched->marker = marker;
    watched->marked = marked;
    watched->data = data;
    watch_name(watched->name, sizeof(watched->name), prefix, queue);

    group->queues[group->nqueues++] = watched;

    watch_on_change(group);

    return watched;
}


void
watch_remove(watched_t *watched)
{
    size_t          i;
    watch_group_t  *group;

    if (watched->polled) {
        poll_remove(watched->polled);
        free(watched);
        return;
    }

    group = watched->group;

    for (i = 0; group->queues[i] != watched; i++) {
        /* it is there */
    }

    group->queues[i] = group->queues[--group->nqueues];

    if (group->probed == watched) {
        group->probed = NULL;
    }

    /* what it may pop yet is put back */
    free(watched);
}


void
watch_want(watched_t *watched, bool wanted)
{
    if (watched->wanted == wanted) {
        return;
    }

    watched->wanted = wanted;
    watched->bad = false;

    if (watched->polled) {
        poll_want(watched->polled, wanted);
        return;
    }

    if (wanted && !watched->waited) {
        watch_touch(watched->group);
    }
}
