/*
 * The entries of the streams, as Redis gives them and until they are gone.
 */

#include <stdlib.h>
#include <string.h>
#include "scripts.h"
#include "worker/recorder.h"
#include "worker/recorder_group.h"


static int group_room(recorder_group_t *group, size_t n);
static void group_entry(recorder_group_t *group, recorder_stream_t *stream,
    const redisReply *reply);
static size_t group_forget(const recorder_group_t *group,
    recorder_stream_t *stream, sluice_redis_t *redis,
    sluice_redis_reply_pt reply);
static size_t group_aside(recorder_entry_t *entry, sluice_redis_t *redis,
    sluice_redis_reply_pt reply);
static void group_ids(const recorder_group_t *group,
    const recorder_stream_t *stream, sluice_redis_t *redis);


/* [[key, [entry, ...]]], or nil: there is nothing */

ssize_t
recorder_group_read(recorder_group_t *group, recorder_stream_t *stream,
    const redisReply *reply)
{
    size_t             i;
    const redisReply  *list;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1
        || reply->element[0]->type != REDIS_REPLY_ARRAY
        || reply->element[0]->elements != 2
        || reply->element[0]->element[1]->type != REDIS_REPLY_ARRAY)
    {
        return 0;
    }

    list = reply->element[0]->element[1];

    if (list->elements == 0) {
        return 0;
    }

    if (group_room(group, list->elements) != 0) {
        return -1;
    }

    for (i = 0; i < list->elements; i++) {
        if (group->bytes > 2 * RECORDER_BYTES) {
            stream->behind = 1;
            stream->full = 1;
            break;
        }

        group_entry(group, stream, list->element[i]);
    }

    return (ssize_t) list->elements;
}


static int
group_room(recorder_group_t *group, size_t n)
{
    record_t          *records;
    recorder_entry_t  *entries;

    n += group->nentries;

    entries = realloc(group->entries, n * sizeof(recorder_entry_t));

    if (entries == NULL) {
        return -1;
    }

    group->entries = entries;
    records = realloc(group->records, n * sizeof(record_t));

    if (records == NULL) {
        return -1;
    }

    group->records = records;

    return 0;
}


/* one that was deleted while it was pending has no fields any more */

static void
group_entry(recorder_group_t *group, recorder_stream_t *stream,
    const redisReply *reply)
{
    size_t             i;
    const redisReply  *fields, *text;
    recorder_entry_t  *entry;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || reply->element[0]->type != REDIS_REPLY_STRING
        || reply->element[0]->len >= sizeof(entry->id))
    {
        return;
    }

    entry = &group->entries[group->nentries++];
    memset(entry, 0, sizeof(recorder_entry_t));
    entry->stream = stream;
    memcpy(entry->id, reply->element[0]->str, reply->element[0]->len);

    fields = reply->element[1];

    if (fields->type != REDIS_REPLY_ARRAY) {
        stream->n++;
        return;
    }

    text = NULL;

    for (i = 0; i + 1 < fields->elements; i += 2) {
        entry->len += fields->element[i]->len + fields->element[i + 1]->len;

        if (strcmp(fields->element[i]->str, "r") == 0) {
            text = fields->element[i + 1];
        }
    }

    group->bytes += entry->len;

    if (text != NULL
        && record_decode(&group->records[group->nrecords], &entry->hold,
                         text->str, text->len)
           == 0)
    {
        group->nrecords++;
        stream->n++;

    } else {
        entry->bad = true;
    }
}


void
recorder_group_drop(recorder_group_t *group)
{
    size_t  i;

    for (i = 0; i < group->nentries; i++) {
        json_decref(group->entries[i].hold);
    }

    free(group->entries);
    free(group->records);
    memset(group, 0, sizeof(recorder_group_t));
}


size_t
recorder_group_forget(recorder_group_t *group, links_t *links,
    sluice_redis_reply_pt reply, sluice_redis_reply_pt aside)
{
    size_t              i, answers;
    sluice_redis_t     *redis;
    recorder_stream_t  *stream;

    answers = 0;

    for (i = 0; i < group->nstreams; i++) {
        stream = group->streams[i];

        if (stream->n > 0 && !stream->failed) {
            redis = link_redis(links_of(links, stream->key));
            answers += group_forget(group, stream, redis, reply);
        }
    }

    for (i = 0; i < group->nentries; i++) {
        stream = group->entries[i].stream;

        if (group->entries[i].bad && !stream->failed) {
            redis = link_redis(links_of(links, stream->key));
            answers += group_aside(&group->entries[i], redis, aside);
        }
    }

    return answers;
}


/*
 * Deleted first: an entry that is deleted but still pending is found by the
 * next look for what was left behind, one that is only acknowledged is not.
 */

static size_t
group_forget(const recorder_group_t *group, recorder_stream_t *stream,
    sluice_redis_t *redis, sluice_redis_reply_pt reply)
{
    stream->failed = 1;

    if (sluice_redis_begin(redis, 2 + stream->n, clock_ms())
        != SLUICE_REDIS_OK)
    {
        return 0;
    }

    sluice_redis_arg(redis, "XDEL", 4);
    sluice_redis_arg(redis, stream->key, strlen(stream->key));
    group_ids(group, stream, redis);

    if (sluice_redis_end(redis, reply, stream) != SLUICE_REDIS_OK) {
        return 0;
    }

    if (sluice_redis_begin(redis, 3 + stream->n, clock_ms())
        != SLUICE_REDIS_OK)
    {
        return 1;
    }

    sluice_redis_arg(redis, "XACK", 4);
    sluice_redis_arg(redis, stream->key, strlen(stream->key));
    sluice_redis_arg(redis, RECORDER_CONSUMERS,
                     sizeof(RECORDER_CONSUMERS) - 1);
    group_ids(group, stream, redis);

    if (sluice_redis_end(redis, reply, stream) != SLUICE_REDIS_OK) {
        return 1;
    }

    stream->failed = 0;

    return 2;
}


static size_t
group_aside(recorder_entry_t *entry, sluice_redis_t *redis,
    sluice_redis_reply_pt reply)
{
    size_t              len;
    recorder_stream_t  *stream;

    stream = entry->stream;
    len = strlen(stream->key);
    stream->failed = 1;

    if (sluice_redis_script(redis, &sluice_script_reject, 2, 3, clock_ms())
        != SLUICE_REDIS_OK)
    {
        return 0;
    }

    sluice_redis_arg(redis, stream->key, len);
    sluice_redis_arg_begin(redis, len + 4);
    sluice_redis_piece(redis, stream->key, len);
    sluice_redis_piece(redis, ":bad", 4);
    sluice_redis_arg(redis, RECORDER_CONSUMERS,
                     sizeof(RECORDER_CONSUMERS) - 1);
    sluice_redis_arg(redis, entry->id, strlen(entry->id));
    sluice_redis_arg_int(redis, RECORDER_BAD);

    if (sluice_redis_end(redis, reply, entry) != SLUICE_REDIS_OK) {
        return 0;
    }

    stream->failed = 0;

    return 1;
}


static void
group_ids(const recorder_group_t *group, const recorder_stream_t *stream,
    sluice_redis_t *redis)
{
    size_t  i;

    for (i = 0; i < group->nentries; i++) {
        if (group->entries[i].stream == stream && !group->entries[i].bad) {
            sluice_redis_arg(redis, group->entries[i].id,
                             strlen(group->entries[i].id));
        }
    }
}
