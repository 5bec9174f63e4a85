/* New jobs. */

#include <stdlib.h>
#include <string.h>
#include "core/cron.h"
#include "scripts.h"
#include "worker/admin/parts.h"


#define ADD_ATTEMPTS  1000000


static bool
add_name(call_t *call, const char **name)
{
    json_t  *member;

    member = json_object_get(call->body, "name");

    if (!json_is_string(member) || json_string_length(member) == 0
        || json_string_length(member) > 256
        || strlen(json_string_value(member)) != json_string_length(member))
    {
        call_problem(call, 400, "name", "must be a text of 1 to 256 bytes");
        return false;
    }

    *name = json_string_value(member);

    return true;
}


static void
add_replied(void *data, const redisReply *reply)
{
    call_t            *call = data;
    const redisReply  *id;

    if (!call_read(call, queue_read_kind(&call->queue, "add", reply))) {
        return;
    }

    id = (reply->type == REDIS_REPLY_ARRAY && reply->elements == 1)
         ? reply->element[0] : reply;

    if (id->type != REDIS_REPLY_STRING) {
        call_problem(call, 500, NULL, "the reply is not of the form agreed");
        return;
    }

    call_answer(call, 201, json_pack("{s:o}", "id",
                                     call_string(id->str, (size_t) id->len)));
}


/* as stock BullMQ writes them: only what is given */

static char *
add_opts(call_t *call)
{
    char    *text;
    size_t   i;
    json_t  *opts, *member;

    static const char *const  names[] = {
        "attempts", "delay", "priority", "lifo"
    };

    opts = json_object();

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        member = json_object_get(call->body, names[i]);

        if (member) {
            json_object_set(opts, names[i], member);
        }
    }

    if (json_object_get(opts, "attempts") == NULL) {
        json_object_set_new(opts, "attempts", json_integer(0));
    }

    text = json_dumps(opts, JSON_COMPACT);
    json_decref(opts);

    return text;
}


void
add_delayed(call_t *call)
{
    bool                    lifo;
    char                   *opts;
    json_t                 *data;
    int64_t                 delay, priority, attempts;
    const char             *name;
    sluice_redis_t         *redis;
    sluice_redis_result_e   rc;

    static const char *const  names[] = {
        "name", "data", "delay", "priority", "attempts", "lifo", NULL
    };

    lifo = false;
    delay = priority = attempts = 0;

    if (!call_members(call, names) || !add_name(call, &name)
        || !call_member_number(call, "delay", 0, ADMIN_DELAY_MAX, &delay)
        || !call_member_number(call, "priority", 0, ADMIN_PRIORITY_MAX,
                               &priority)
        || !call_member_number(call, "attempts", 0, ADD_ATTEMPTS, &attempts)
        || !call_member_flag(call, "lifo", &lifo))
    {
        return;
    }

    data = json_object_get(call->body, "data");
    call->text = data ? json_dumps(data, JSON_COMPACT|JSON_ENCODE_ANY)
                      : strdup("{}");
    opts = add_opts(call);

    if (call->text == NULL || opts == NULL) {
        free(opts);
        call_problem(call, 500, NULL, "out of memory");
        return;
    }

    redis = call_redis(call);
    rc = sluice_redis_script(redis, &sluice_script_add, 1, 10, clock_ms());

    if (rc == SLUICE_REDIS_OK) {
        sluice_redis_arg(redis, call->queue.base, strlen(call->queue.base));
        sluice_redis_arg_int(redis, call->queue.bullmq);
        sluice_redis_arg(redis, "", 0);
        sluice_redis_arg(redis, name, strlen(name));
        sluice_redis_arg(redis, call->text, strlen(call->text));
        sluice_redis_arg(redis, opts, strlen(opts));
        sluice_redis_arg_int(redis, delay);
        sluice_redis_arg_int(redis, priority);
        sluice_redis_arg_int(redis, lifo);
        sluice_redis_arg(redis, "", 0);
        sluice_redis_arg(redis, "", 0);
        rc = sluice_redis_end(redis, add_replied, call);
    }

    free(opts);
    (void) call_sent(call, rc);
}


/* ------------------------------------------------------------- repeatable */

static bool
repeat_check(call_t *call)
{
    int64_t               number;
    json_t               *pattern;
    const char           *name;
    sluice_cron_t         cron;
    sluice_cron_error_t   error;

    static const char *const  names[] = {
        "name", "data", "pattern", "every", "tz", "limit", "attempts",
        "priority", NULL
    };

    if (!call_members(call, names) || !add_name(call, &name)
        || !call_member_number(call, "every", 1, ADMIN_DELAY_MAX, &number)
        || !call_member_number(call, "limit", 1, ADMIN_DELAY_MAX, &number)
        || !call_member_number(call, "attempts", 0, ADD_ATTEMPTS, &number)
        || !call_member_number(call, "priority", 0, ADMIN_PRIORITY_MAX,
                               &number))
    {
        return false;
    }

    pattern = json_object_get(call->body, "pattern");

    if ((pattern != NULL) && json_object_get(call->body, "every")) {
        call_problem(call, 400, "every", "must not be beside pattern");
        return false;
    }

    if (call->route.what == ROUTE_REPEAT_ADD && pattern == NULL
        && json_object_get(call->body, "every") == NULL)
    {
        call_problem(call, 400, "pattern", "pattern or every is needed");
        return false;
    }

    if (pattern && !json_is_string(pattern)) {
        call_problem(call, 400, "pattern", "must be a text");
        return false;
    }

    if (pattern
        && sluice_cron_parse(&cron, call->queue.bullmq,
                             json_string_value(pattern),
                             json_string_length(pattern), &error) != 0)
    {
        call_problem(call, 400, "pattern", "%s, byte %zu: %s", error.field,
                     error.at, error.what);
        return false;
    }

    return true;
}


/* the body is checked already; what runs a scheduler is not there yet */

void
add_repeatable(call_t *call)
{
    if (call->body == NULL || repeat_check(call)) {
        call_problem(call, 501, NULL, "job schedulers are not built yet: use"
                     " a BullMQ client");
    }
}
