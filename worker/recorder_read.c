/*
 * Each stream is read by itself, those of one read in one go, and none blocks:
 * none waits for another, or for another's node of a cluster.
 */

#include <string.h>
#include "worker/recorder_parts.h"


#define CONSUMER      "sluiced"
#define LEFT_BEHIND   10000    /* ms between two looks for what others left,
                                  and for streams that are no longer written */
#define STREAM_COUNT  16       /* of one stream in one read, at least */


static void recorder_asked(recorder_t *recorder);
static void recorder_ask(recorder_t *recorder, recorder_stream_t *stream);
static void recorder_make(recorder_stream_t *stream, sluice_redis_t *redis);
static void recorder_made(void *data, const redisReply *reply);
static void recorder_read_from(recorder_stream_t *stream,
    sluice_redis_t *redis, const char *from, sluice_redis_reply_pt entries);
static void recorder_left(void *data, const redisReply *reply);
static void recorder_new(void *data, const redisReply *reply);


bool
recorder_read(recorder_t *recorder)
{
    size_t             i, most, reads;
    int64_t            now;
    recorder_group_t  *group;

    now = clock_ms();
    group = &recorder->group;

    if (now - recorder->looked >= LEFT_BEHIND) {
        recorder->looked = now;
        recorder_streams_look(&recorder->streams);
    }

    most = RECORDER_BYTES / recorder->size;

    recorder->most = (most < RECORDER_STREAMS) ? most + (most == 0)
                                               : RECORDER_STREAMS;

    group->nstreams = recorder_streams_next(&recorder->streams, now,
                                            group->streams, recorder->most);

    if (group->nstreams == 0) {
        return false;
    }

    reads = group->nstreams;

    for (i = 0; i < group->nstreams; i++) {
        reads += group->streams[i]->behind;
    }

    recorder->state = RECORDER_READING;
    recorder->count = RECORDER_GROUP / group->nstreams;

    if (recorder->count < STREAM_COUNT) {
        recorder->count = STREAM_COUNT;
    }

    if (recorder->count > most / reads) {
        recorder->count = (most < reads) ? 1 : most / reads;
    }

    /* one more, so that no answer is the last before all are asked */

    recorder->answers = 1;

    for (i = 0; i < group->nstreams; i++) {
        recorder_ask(recorder, group->streams[i]);
    }

    recorder_asked(recorder);

    return true;
}


static void
recorder_asked(recorder_t *recorder)
{
    if (--recorder->answers == 0 && recorder->state == RECORDER_READING) {
        recorder_took(recorder);
    }
}


static void
recorder_ask(recorder_t *recorder, recorder_stream_t *stream)
{
    link_t  *link;

    link = links_of(recorder->links, stream->key);

    if (!link_ready(link)) {
        stream->failed = 1;
        return;
    }

    if (!stream->made) {
        recorder_make(stream, link_redis(link));
    }

    if (stream->behind) {
        stream->behind = 0;

        if (stream->left[0] == '\0') {
            stream->refused = 0;
        }

        recorder_read_from(stream, link_redis(link),
                           stream->left[0] ? stream->left : "0",
                           recorder_left);
    }

    recorder_read_from(stream, link_redis(link), ">", recorder_new);
}


static void
recorder_make(recorder_stream_t *stream, sluice_redis_t *redis)
{
    recorder_t  *recorder;

    recorder = stream->owner;

    if (sluice_redis_command(redis, clock_ms(), recorder_made, stream,
                             "XGROUP", "CREATE", stream->key,
                             RECORDER_CONSUMERS, "0", "MKSTREAM", NULL)
        == SLUICE_REDIS_OK)
    {
        recorder->answers++;

    } else {
        stream->failed = 1;
    }
}


/* or it is there already */

static void
recorder_made(void *data, const redisReply *reply)
{
    recorder_t         *recorder;
    recorder_stream_t  *stream = data;

    recorder = stream->owner;

    stream->made = (reply != NULL && reply->type == REDIS_REPLY_ERROR
                    && strncmp(reply->str, "BUSYGROUP",
                               sizeof("BUSYGROUP") - 1) == 0)
                   || recorder_answer(recorder, "XGROUP", reply);

    if (!stream->made) {
        stream->failed = 1;
    }

    recorder_asked(recorder);
}


static void
recorder_read_from(recorder_stream_t *stream, sluice_redis_t *redis,
    const char *from, sluice_redis_reply_pt entries)
{
    recorder_t  *recorder;

    recorder = stream->owner;

    if (sluice_redis_begin(redis, 9, clock_ms()) != SLUICE_REDIS_OK) {
        stream->failed = 1;
        return;
    }

    sluice_redis_arg(redis, "XREADGROUP", 10);
    sluice_redis_arg(redis, "GROUP", 5);
    sluice_redis_arg(redis, RECORDER_CONSUMERS,
                     sizeof(RECORDER_CONSUMERS) - 1);
    sluice_redis_arg(redis, CONSUMER, sizeof(CONSUMER) - 1);
    sluice_redis_arg(redis, "COUNT", 5);
    sluice_redis_arg_int(redis, (int64_t) recorder->count);
    sluice_redis_arg(redis, "STREAMS", 7);
    sluice_redis_arg(redis, stream->key, strlen(stream->key));
    sluice_redis_arg(redis, from, strlen(from));

    if (sluice_redis_end(redis, entries, stream) == SLUICE_REDIS_OK) {
        recorder->answers++;

    } else {
        stream->failed = 1;
    }
}


static void
recorder_entries(recorder_stream_t *stream, const redisReply *reply)
{
    ssize_t      n;
    recorder_t  *recorder;

    n = -1;
    recorder = stream->owner;

    if (recorder_answer(recorder, "XREADGROUP", reply)) {
        n = recorder_group_read(&recorder->group, stream, reply);
    }

    /* NOGROUP: somebody deleted the stream, so its group is made anew */

    if (n < 0) {
        stream->failed = 1;
        stream->made = 0;
    }

    if (n >= (ssize_t) recorder->count) {
        stream->full = 1;
    }
}


/* on behind what was read: some of it may have to stay */

static void
recorder_left(void *data, const redisReply *reply)
{
    size_t              n;
    recorder_t         *recorder;
    recorder_group_t   *group;
    recorder_stream_t  *stream = data;

    recorder = stream->owner;
    group = &recorder->group;
    n = group->nentries;

    recorder_entries(stream, reply);

    if (!stream->full) {
        stream->left[0] = '\0';

    } else {
        stream->behind = 1;

        if (group->nentries > n) {
            strcpy(stream->left, group->entries[group->nentries - 1].id);
        }
    }

    recorder_asked(recorder);
}


static void
recorder_new(void *data, const redisReply *reply)
{
    recorder_t         *recorder;
    recorder_stream_t  *stream = data;

    recorder = stream->owner;

    recorder_entries(stream, reply);

    recorder_asked(recorder);
}
