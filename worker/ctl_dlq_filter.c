/*
 * Which of the failed jobs.
 */

#include <string.h>
#include "worker/ctl.h"


bool
ctl_filter_any(const ctl_filter_t *filter)
{
    return filter->name == NULL && filter->error == NULL
           && filter->before == 0;
}


void
ctl_filter_ask(ctl_t *ctl, const ctl_queue_t *queue, const char *id,
    size_t len)
{
    ctl_ask(ctl, "HMGET %s%b name failedReason atm finishedOn", queue->base,
            id, len);
}


bool
ctl_filter_ok(const ctl_filter_t *filter, const redisReply *reply)
{
    const redisReply  *name, *error;

    if (ctl_filter_any(filter)) {
        return true;
    }

    name = reply->element[0];
    error = reply->element[1];

    if (filter->name != NULL
        && (name->type != REDIS_REPLY_STRING
            || strcmp(name->str, filter->name) != 0))
    {
        return false;
    }

    if (filter->error != NULL
        && (error->type != REDIS_REPLY_STRING
            || strstr(error->str, filter->error) == NULL))
    {
        return false;
    }

    /* a job without a time is not known to be old */

    return filter->before == 0
           || ctl_integer(reply->element[3], INT64_MAX) < filter->before;
}
