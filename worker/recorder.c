/*
 * read (XREADGROUP) -> write (the store, in its thread) -> forget (XDEL and
 * XACK in one go) -> read ...; one group at a time.  While one is written the
 * next gathers in Redis.
 *
 * All processes are one consumer: what another left behind is read again, and
 * writing it twice changes nothing.
 */

#include <stdlib.h>
#include <string.h>
#include "scripts.h"
#include "worker/fault.h"
#include "worker/recorder_parts.h"


#define POLL       1000     /* ms between two reads of a stream that stays, and
                               one more a stream: others may write, too */
#define RETRY_MAX  30000    /* ms until a failed write is tried again */
#define SAY_AGAIN  60000    /* ms between two lines of one trouble */

/* the size of entries when none was seen: one of each stream at first */
#define SIZE_FIRST  (RECORDER_BYTES / RECORDER_STREAMS)


static const sluice_script_t *const  scripts[] = { &sluice_script_reject };


static int recorder_start(recorder_t *recorder, struct event_base *base,
    const settings_t *settings);
static void recorder_write(recorder_t *recorder);
static void recorder_written(void *data, const char *error);
static void recorder_failed(recorder_t *recorder, const char *error);
static void recorder_forget(recorder_t *recorder);
static void recorder_forgotten(void *data, const redisReply *reply);
static void recorder_rejected(void *data, const redisReply *reply);
static void recorder_answered(recorder_t *recorder);
static void recorder_end(recorder_t *recorder);
static void recorder_well(recorder_t *recorder);
static void recorder_rest(recorder_t *recorder, int64_t least);
static void recorder_timer(evutil_socket_t fd, short events, void *data);


recorder_t *
recorder_open(struct event_base *base, const settings_t *settings,
    char **error)
{
    recorder_t  *recorder;

    *error = NULL;
    recorder = calloc(1, sizeof(recorder_t));

    if (recorder == NULL) {
        return NULL;
    }

    recorder->writer = recorder_writer_open(base, settings->store,
                                            recorder_written, recorder, error);

    if (recorder->writer == NULL
        || recorder_streams_init(&recorder->streams, recorder) != 0
        || recorder_start(recorder, base, settings) != 0)
    {
        recorder_close(recorder);
        return NULL;
    }

    return recorder;
}


static int
recorder_start(recorder_t *recorder, struct event_base *base,
    const settings_t *settings)
{
    char                key[SLUICE_KEYS_MAX];
    size_t              i;
    const char         *prefix;
    links_conf_t        conf;
    recorder_stream_t  *stream;

    recorder->poll = POLL;
    recorder->size = SIZE_FIRST;

    for (i = 0; i < settings->nqueues; i++) {
        prefix = settings->queues[i].prefix;

        if (sluice_keys_records(key, sizeof(key), prefix, strlen(prefix))
            == 0)
        {
            return -1;
        }

        stream = recorder_streams_tell(&recorder->streams, key, 0, true);

        if (stream == NULL) {
            return -1;
        }

        recorder->poll += !stream->stays;
        stream->stays = 1;
    }

    recorder->timer = evtimer_new(base, recorder_timer, recorder);

    if (recorder->timer == NULL) {
        return -1;
    }

    memset(&conf, 0, sizeof(conf));
    conf.name = "sluiced:recorder";
    conf.scripts = scripts;
    conf.nscripts = 1;

    recorder->links = links_open(base, settings, &conf);

    if (recorder->links == NULL) {
        return -1;
    }

    recorder_rest(recorder, RECORDER_GATHER);

    return 0;
}


void
recorder_tell(recorder_t *recorder, const char *prefix, bool behind)
{
    char     key[SLUICE_KEYS_MAX];
    int64_t  at;

    at = clock_ms() + RECORDER_GATHER;

    /* out of memory: a sweep will tell of it */

    if (sluice_keys_records(key, sizeof(key), prefix, strlen(prefix)) == 0
        || recorder_streams_tell(&recorder->streams, key, at, behind) == NULL)
    {
        return;
    }

    if (recorder->state == RECORDER_RESTING
        && (recorder->wake == -1 || at < recorder->wake))
    {
        recorder->wake = at;
        clock_arm(recorder->timer, RECORDER_GATHER);
    }
}


void
recorder_close(recorder_t *recorder)
{
    if (recorder == NULL) {
        return;
    }

    recorder->state = RECORDER_CLOSED;
    recorder_writer_close(recorder->writer);

    links_close(recorder->links);

    if (recorder->timer != NULL) {
        event_free(recorder->timer);
    }

    recorder_group_drop(&recorder->group);
    recorder_streams_free(&recorder->streams);
    free(recorder);
}


void
recorder_took(recorder_t *recorder)
{
    size_t  mean;

    if (recorder->group.nentries == 0) {
        recorder_end(recorder);
        return;
    }

    /* larger at once, smaller by and by */

    mean = recorder->group.bytes / recorder->group.nentries + 1;
    recorder->size /= 2;

    if (recorder->size < mean) {
        recorder->size = mean;
    }

    if (recorder->group.nrecords == 0) {
        recorder_forget(recorder);

    } else {
        fault_point("recorder-read", NULL);
        recorder_write(recorder);
    }
}


static void
recorder_write(recorder_t *recorder)
{
    recorder->state = RECORDER_WRITING;

    recorder_writer_give(recorder->writer, recorder->group.records,
                         recorder->group.nrecords);
}


static void
recorder_written(void *data, const char *error)
{
    recorder_t  *recorder = data;

    if (error != NULL) {
        recorder_failed(recorder, error);
        return;
    }

    if (recorder->retry != 0) {
        recorder->retry = 0;
        log_event(LOG_INFO_, "store_back", "records", "%zu",
                  recorder->group.nrecords, NULL);
    }

    recorder_forget(recorder);
}


static void
recorder_failed(recorder_t *recorder, const char *error)
{
    if (recorder->retry == 0 || clock_ms() - recorder->said > SAY_AGAIN) {
        recorder->said = clock_ms();
        log_event(LOG_ERROR_, "store_failed", "error", "%s", error, "records",
                  "%zu", recorder->group.nrecords, NULL);
    }

    if (recorder->retry == 0) {
        recorder->retry = RECORDER_RETRY;

    } else if (recorder->retry < RETRY_MAX / 2) {
        recorder->retry *= 2;

    } else {
        recorder->retry = RETRY_MAX;
    }

    recorder->state = RECORDER_WAITING;
    clock_arm(recorder->timer, recorder->retry);
}


static void
recorder_forget(recorder_t *recorder)
{
    fault_point("recorder-forget", NULL);

    recorder->state = RECORDER_FORGETTING;
    recorder->answers =
        recorder_group_forget(&recorder->group, recorder->links,
                              recorder_forgotten, recorder_rejected);

    if (recorder->answers == 0) {
        recorder_end(recorder);
    }
}


static void
recorder_forgotten(void *data, const redisReply *reply)
{
    recorder_t         *recorder;
    recorder_stream_t  *stream = data;

    recorder = stream->owner;

    if (!recorder_answer(recorder, "XACK", reply)) {
        stream->failed = 1;
    }

    recorder_answered(recorder);
}


/* refused, it holds up nothing else of its stream */

static void
recorder_rejected(void *data, const redisReply *reply)
{
    recorder_t              *recorder;
    recorder_stream_t       *stream;
    const recorder_entry_t  *entry = data;

    stream = entry->stream;
    recorder = stream->owner;

    if (!recorder_answer(recorder, "reject", reply)) {
        stream->failed |= (reply == NULL);
        stream->refused = 1;

    } else if (reply->integer == 1) {
        log_event(LOG_ERROR_, "record_malformed", "stream", "%s", stream->key,
                  "entry", "%s", entry->id, "bytes", "%zu", entry->len,
                  "kept_in", "%s:bad", stream->key, NULL);
    }

    recorder_answered(recorder);
}


static void
recorder_answered(recorder_t *recorder)
{
    if (--recorder->answers == 0 && recorder->state == RECORDER_FORGETTING) {
        fault_point("recorder-forgotten", NULL);
        recorder_end(recorder);
    }
}


/* what failed: again with what is pending, a little later */

static void
recorder_end(recorder_t *recorder)
{
    bool                more;
    size_t              i, failed;
    int64_t             at, now;
    recorder_stream_t  *stream;

    more = (recorder->group.nstreams == recorder->most);
    failed = 0;
    now = clock_ms();

    for (i = 0; i < recorder->group.nstreams; i++) {
        stream = recorder->group.streams[i];

        if (stream->failed) {
            failed++;
            stream->behind = 1;
            stream->left[0] = '\0';
            at = now + RECORDER_RETRY;

        } else if (stream->full) {
            more = true;
            at = now;

        } else {
            at = (stream->stays || stream->refused) ? now + recorder->poll
                                                    : -1;
        }

        recorder_streams_end(stream, at);
    }

    if (failed == 0) {
        recorder_well(recorder);
    }

    /* thousands that Redis refuses are no reason to hurry */

    more = more && failed < recorder->group.nstreams;

    recorder_group_drop(&recorder->group);
    recorder_rest(recorder, more ? 0 : RECORDER_GATHER);
}


static void
recorder_well(recorder_t *recorder)
{
    const recorder_stream_t  *stream;

    if (!recorder->told) {
        return;
    }

    TAILQ_FOREACH (stream, &recorder->streams.list, next) {
        if (stream->failed || stream->refused) {
            return;
        }
    }

    recorder->told = 0;
    log_event(LOG_INFO_, "records_back", NULL);
}


/* until the next stream is to be read, and so long at least */

static void
recorder_rest(recorder_t *recorder, int64_t least)
{
    int64_t  now;

    recorder->state = RECORDER_RESTING;
    recorder->wake = recorder_streams_when(&recorder->streams);

    if (recorder->wake == -1) {
        return;
    }

    now = clock_ms();

    if (recorder->wake < now + least) {
        recorder->wake = now + least;
    }

    clock_arm(recorder->timer, recorder->wake - now);
}


static void
recorder_timer(evutil_socket_t fd, short events, void *data)
{
    recorder_t  *recorder = data;

    if (recorder->state == RECORDER_WAITING) {
        recorder_write(recorder);

    } else if (!recorder_read(recorder)) {
        recorder_rest(recorder, RECORDER_GATHER);
    }
}


/* false: an error, of which the log hears once a minute until all is well */

bool
recorder_answer(recorder_t *recorder, const char *what,
    const redisReply *reply)
{
    if (reply == NULL) {
        return false;
    }

    if (reply->type != REDIS_REPLY_ERROR) {
        return true;
    }

    if (!recorder->told || clock_ms() - recorder->said > SAY_AGAIN) {
        recorder->told = 1;
        recorder->said = clock_ms();
        log_event(LOG_WARN_, "records_failed", "command", "%s", what,
                  "error", "%s", reply->str, NULL);
    }

    return false;
}
