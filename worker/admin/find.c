/*
 * Which queues there are, and which one a request means: those of the settings,
 * and of tenants that are not listed those in the registry.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/admin/parts.h"


#define FIND_COUNT  100    /* of the registry in one answer, about */


/* that of the path, else of the key, or NULL; false: it is not the key's */

static bool
find_tenant(call_t *call, const char **tenant)
{
    *tenant = call->route.tenant[0] ? call->route.tenant : call->tenant;

    return call->tenant == NULL || strcmp(*tenant, call->tenant) == 0;
}


/* how many queues of the settings have the name; *found is the last of them */

static size_t
find_listed(call_t *call, const char *tenant, const queue_settings_t **found)
{
    size_t                   i, n;
    const settings_t        *settings;
    const queue_settings_t  *conf;

    n = 0;
    settings = call_settings(call);

    for (i = 0; i < settings->nqueues; i++) {
        conf = &settings->queues[i];

        if (strcmp(conf->name, call->route.queue) == 0
            && (tenant == NULL
                || strcmp(conf->tenant ? conf->tenant : "", tenant) == 0))
        {
            *found = conf;
            n++;
        }
    }

    return n;
}


/* of a tenant that is not listed; 0, or -1: there can be none */

static int
find_derived(call_t *call, const char *tenant)
{
    int                      rc;
    const settings_t        *settings;
    queue_settings_t         derived;
    const queue_settings_t  *pattern;

    settings = call_settings(call);
    pattern = settings_pattern(settings, call->route.queue);

    if (pattern == NULL || !sluice_keys_name_ok(tenant, strlen(tenant))
        || settings_derive(&derived, settings, pattern, tenant) != 0)
    {
        return -1;
    }

    rc = queue_init(&call->queue, &derived);
    settings_queue_free(&derived);
    call->asks = true;

    return rc;
}


static void
find_none(call_t *call)
{
    call_problem(call, 404, "name", "there is no such queue");
}


/*
 * The tenant is that of the path, else of the key; without both it is the queue
 * without tenant, or the only one of this name.
 */

bool
find_queue(call_t *call)
{
    size_t                   n;
    const char              *tenant;
    const queue_settings_t  *found;

    found = NULL;

    if (!find_tenant(call, &tenant)) {
        find_none(call);
        return false;
    }

    n = find_listed(call, tenant ? tenant : "", &found);

    if (n == 0 && tenant) {
        if (find_derived(call, tenant) == 0) {
            return true;
        }

    } else if (n == 0) {
        n = find_listed(call, NULL, &found);

        if (settings_pattern(call_settings(call), call->route.queue)) {
            n = 2;
        }
    }

    if (n > 1) {
        call_problem(call, 409, "name", "there may be several queues of this"
                     " name: say /tenant/.../queue/...");
        return false;
    }

    if (n == 0 || queue_init(&call->queue, found) != 0) {
        find_none(call);
        return false;
    }

    return true;
}


static void
find_on_registered(void *data, const redisReply *reply)
{
    call_t  *call = data;

    if (!call_read(call, queue_read_kind(&call->queue, "registry", reply))) {
        return;
    }

    if (reply->type == REDIS_REPLY_INTEGER && reply->integer == 1) {
        call->next(call);

    } else {
        find_none(call);
    }
}


void
find_registered(call_t *call, call_next_pt next)
{
    sluice_redis_t  *redis;

    call->next = next;
    redis = call_registry(call);

    if (redis) {
        (void) call_sent(call, sluice_redis_command(redis, clock_ms(),
                                                    find_on_registered, call,
                                                    "SISMEMBER",
                                                    SLUICE_KEYS_REGISTRY,
                                                    call->queue.name, NULL));
    }
}


/* ------------------------------------------------------------------- a list */

static void
find_add(call_t *call, const queue_settings_t *conf, const char *tenant)
{
    char  prefix[SLUICE_KEYS_NAME_MAX + 3];

    static const char *const  kinds[] = { "send", "events", "noop" };

    if (conf->prefix == NULL) {
        snprintf(prefix, sizeof(prefix), "{%s}", tenant);
    }

    json_array_append_new(call->answer,
                          json_pack("{s:s, s:s?, s:s, s:s, s:i}",
                                    "name", conf->name, "tenant", tenant,
                                    "prefix", conf->prefix ? conf->prefix
                                                           : prefix,
                                    "kind", kinds[conf->kind],
                                    "bullmq", conf->bullmq));
}


static void
find_answer(call_t *call, const char *next)
{
    call_answer(call, 200, json_pack("{s:O, s:s?}", "queues", call->answer,
                                     "next", next));
}


/* the i-th pattern and its queue of the tenant; NULL: that is listed */

static const queue_settings_t *
find_pattern(call_t *call, size_t i, char name[SLUICE_KEYS_MAX])
{
    char               tenant[SLUICE_KEYS_NAME_MAX + 1];
    int                n;
    const settings_t  *settings;

    settings = call_settings(call);
    n = snprintf(name, SLUICE_KEYS_MAX, "{%s}:%s", call->text,
                 settings->patterns[i].name);

    return (n < SLUICE_KEYS_MAX)
           ? settings_pattern_of(settings, name, n, tenant) : NULL;
}


static void
find_on_tenant(void *data, const redisReply *reply)
{
    call_t                  *call = data;
    char                     name[SLUICE_KEYS_MAX];
    size_t                   i, n;
    const queue_settings_t  *pattern;

    if (!call_read(call, queue_read_kind(&call->queue, "registry", reply))) {
        return;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != call->left
        || !call_current(call))
    {
        (void) call_read(call, QUEUE_READ_AWAY);
        return;
    }

    for (i = 0, n = 0; n < reply->elements; i++) {
        pattern = find_pattern(call, i, name);

        if (pattern && reply->element[n++]->integer == 1) {
            find_add(call, pattern, call->text);
        }
    }

    find_answer(call, NULL);
}


/* false: it has none but the listed ones */

static bool
find_of_tenant(call_t *call)
{
    char               name[SLUICE_KEYS_MAX];
    size_t             i;
    sluice_redis_t    *redis;
    const settings_t  *settings;

    settings = call_settings(call);

    for (i = 0; i < settings->npatterns; i++) {
        call->left += (find_pattern(call, i, name) != NULL);
    }

    if (call->left == 0) {
        return false;
    }

    redis = call_registry(call);

    if (redis == NULL
        || !call_sent(call, sluice_redis_begin(redis, 2 + call->left,
                                               clock_ms())))
    {
        return true;
    }

    sluice_redis_arg(redis, "SMISMEMBER", 10);
    sluice_redis_arg(redis, SLUICE_KEYS_REGISTRY,
                     sizeof(SLUICE_KEYS_REGISTRY) - 1);

    for (i = 0; i < settings->npatterns; i++) {
        if (find_pattern(call, i, name)) {
            sluice_redis_arg(redis, name, strlen(name));
        }
    }

    (void) call_sent(call, sluice_redis_end(redis, find_on_tenant, call));

    return true;
}


static void
find_on_page(void *data, const redisReply *reply)
{
    call_t                  *call = data;
    char                     tenant[SLUICE_KEYS_NAME_MAX + 1];
    size_t                   i;
    const redisReply        *names, *name, *next;
    const queue_settings_t  *pattern;

    if (!call_read(call, queue_read_kind(&call->queue, "registry", reply))) {
        return;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || reply->element[0]->type != REDIS_REPLY_STRING)
    {
        (void) call_read(call, queue_nonsense(&call->queue, "registry"));
        return;
    }

    next = reply->element[0];
    names = reply->element[1];

    for (i = 0; i < names->elements; i++) {
        name = names->element[i];
        pattern = settings_pattern_of(call_settings(call), name->str,
                                      name->len, tenant);

        if (pattern) {
            find_add(call, pattern, tenant);
        }
    }

    find_answer(call, strcmp(next->str, "0") == 0 ? NULL : next->str);
}


static void
find_page(call_t *call, const char *cursor)
{
    char             count[24];
    sluice_redis_t  *redis;

    redis = call_registry(call);

    if (redis) {
        snprintf(count, sizeof(count), "%lld", (long long) call->count);
        (void) call_sent(call, sluice_redis_command(redis, clock_ms(),
                                                    find_on_page, call,
                                                    "SSCAN",
                                                    SLUICE_KEYS_REGISTRY,
                                                    cursor, "COUNT", count,
                                                    NULL));
    }
}


/* a number of 64 bits, as Redis gave it */

static bool
find_cursor(call_t *call, const char *cursor)
{
    errno = 0;
    (void) strtoull(cursor, NULL, 10);

    if (errno != 0 || cursor[0] == '\0'
        || cursor[strspn(cursor, "0123456789")] != '\0')
    {
        call_problem(call, 400, "cursor", "is not the \"next\" of a page");
        return false;
    }

    return true;
}


void
find_queues(call_t *call)
{
    size_t                   i;
    const char              *tenant, *cursor;
    const settings_t        *settings;
    const queue_settings_t  *conf;

    call->count = FIND_COUNT;
    cursor = call_text(call, "cursor");

    if (!call_number(call, "count", 1, QUEUE_ADMIN_BATCH, &call->count)
        || (cursor && !find_cursor(call, cursor)))
    {
        return;
    }

    settings = call_settings(call);
    call->answer = json_array();

    if (!find_tenant(call, &tenant)) {
        find_answer(call, NULL);
        return;
    }

    for (i = 0; cursor == NULL && i < settings->nqueues; i++) {
        conf = &settings->queues[i];

        if (tenant == NULL
            || (conf->tenant && strcmp(tenant, conf->tenant) == 0))
        {
            find_add(call, conf, conf->tenant);
        }
    }

    if (tenant == NULL && settings->npatterns > 0) {
        find_page(call, cursor ? cursor : "0");
        return;
    }

    /* all that a tenant has is one page */

    if (tenant && cursor == NULL) {
        call->text = strdup(tenant);

        if (call->text && find_of_tenant(call)) {
            return;
        }
    }

    find_answer(call, NULL);
}
