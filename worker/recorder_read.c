#include <string.h>
#include "worker/recorder_parts.h"


#define CONSUMER     "sluiced"
#define LEFT_BEHIND  10000    /* ms between two looks for it */


static void recorder_grouped(void *data, const redisReply *reply);
static bool recorder_read_from(recorder_t *recorder, size_t first, size_t n);
static void recorder_entries(void *data, const redisReply *reply);


/* of the i-th stream */

link_t *
recorder_link(const recorder_t *recorder, size_t i)
{
    return links_of(recorder->links, recorder->group.streams[i].key);
}


void
recorder_groups(recorder_t *recorder)
{
    size_t              i;
    link_t             *link;
    recorder_stream_t  *stream;

    recorder->state = RECORDER_OPENING;
    recorder->anew = 0;
    recorder->failed = 0;
    recorder->answers = 0;
    recorder->behind = 1;

    for (i = 0; i < recorder->group.nstreams; i++) {
        stream = &recorder->group.streams[i];
        link = recorder_link(recorder, i);

        if (recorder->cluster && (stream->made || !link_ready(link))) {
            continue;
        }

        stream->made = false;

        if (sluice_redis_command(link_redis(link), clock_ms(),
                                 recorder_grouped, stream, "XGROUP", "CREATE",
                                 stream->key, RECORDER_CONSUMERS, "0",
                                 "MKSTREAM", NULL)
            == SLUICE_REDIS_OK)
        {
            recorder->answers++;

        } else {
            recorder->failed = 1;
        }
    }

    if (recorder->answers == 0 && recorder->cluster) {
        recorder_read(recorder);

    } else if (recorder->answers == 0) {
        recorder_again(recorder);
    }
}


static void
recorder_grouped(void *data, const redisReply *reply)
{
    recorder_t         *recorder;
    recorder_stream_t  *stream = data;

    recorder = stream->owner;

    /* or it is there already */

    stream->made = (reply != NULL && reply->type == REDIS_REPLY_ERROR
                    && strncmp(reply->str, "BUSYGROUP",
                               sizeof("BUSYGROUP") - 1) == 0)
                   || recorder_answer(recorder, "XGROUP", reply);

    if (!stream->made) {
        recorder->failed = 1;
    }

    if (--recorder->answers > 0 || (reply == NULL && !recorder->cluster)) {
        return;
    }

    if (recorder->failed && !recorder->cluster) {
        recorder_again(recorder);
        return;
    }

    recorder_read(recorder);
}


void
recorder_read(recorder_t *recorder)
{
    int64_t  now;
    size_t   i;

    now = clock_ms();

    if (now - recorder->looked >= LEFT_BEHIND) {
        recorder->behind = 1;
    }

    if (recorder->behind) {
        recorder->looked = now;
    }

    recorder->state = RECORDER_READING;
    recorder->full = 0;
    recorder->answers = 0;
    recorder_group_begin(&recorder->group);

    if (!recorder->cluster) {
        (void) recorder_read_from(recorder, 0, recorder->group.nstreams);

    } else {
        for (i = 0; i < recorder->group.nstreams; i++) {
            if (!recorder->group.streams[i].made) {
                recorder->anew = 1;

            } else if (link_ready(recorder_link(recorder, i))) {
                (void) recorder_read_from(recorder, i, 1);
            }
        }
    }

    if (recorder->answers == 0) {
        recorder_again(recorder);
    }
}


static bool
recorder_read_from(recorder_t *recorder, size_t first, size_t n)
{
    size_t              i;
    sluice_redis_t     *redis;
    recorder_stream_t  *streams;

    streams = recorder->group.streams + first;
    redis = link_redis(recorder_link(recorder, first));

    if (sluice_redis_begin(redis, (recorder->cluster ? 7 : 9) + 2 * n,
                           clock_ms())
        != SLUICE_REDIS_OK)
    {
        return false;
    }

    sluice_redis_arg(redis, "XREADGROUP", 10);
    sluice_redis_arg(redis, "GROUP", 5);
    sluice_redis_arg(redis, RECORDER_CONSUMERS,
                     sizeof(RECORDER_CONSUMERS) - 1);
    sluice_redis_arg(redis, CONSUMER, sizeof(CONSUMER) - 1);
    sluice_redis_arg(redis, "COUNT", 5);
    sluice_redis_arg_int(redis, (int64_t) recorder->count);

    if (!recorder->cluster) {
        sluice_redis_arg(redis, "BLOCK", 5);
        sluice_redis_arg_int(redis, RECORDER_BLOCK);
    }

    sluice_redis_arg(redis, "STREAMS", 7);

    for (i = 0; i < n; i++) {
        sluice_redis_arg(redis, streams[i].key, strlen(streams[i].key));
    }

    for (i = 0; i < n; i++) {
        sluice_redis_arg(redis, recorder->behind ? "0" : ">", 1);
    }

    if (sluice_redis_end(redis, recorder_entries, streams) != SLUICE_REDIS_OK) {
        return false;
    }

    recorder->answers++;

    return true;
}


static void
recorder_entries(void *data, const redisReply *reply)
{
    recorder_t         *recorder;
    recorder_stream_t  *stream = data;

    recorder = stream->owner;

    if (reply == NULL && !recorder->cluster) {
        return;
    }

    /* NOGROUP: somebody deleted the stream, so its group is made anew */

    if (!recorder_answer(recorder, "XREADGROUP", reply)
        || recorder_group_read(&recorder->group, reply) != 0)
    {
        if (!recorder->cluster) {
            recorder_again(recorder);
            return;
        }

        stream->made = false;
        recorder->anew = 1;
    }

    if (--recorder->answers == 0) {
        recorder_took(recorder);
    }
}
