/*
 * read (XREADGROUP) -> write (the store, in its thread) -> forget (XDEL and
 * XACK in one go) -> read ...; one group at a time.  While one is written the
 * next gathers in Redis.
 *
 * All processes are one consumer: what another left behind is read again at
 * the start and every ten seconds, and writing it twice changes nothing.
 *
 * In a cluster each stream is read by itself, and none waits for another's
 * node: no read blocks, and when there was nothing they are asked again after a
 * pause.
 */

#include <stdlib.h>
#include <string.h>
#include "worker/fault.h"
#include "worker/recorder_parts.h"


#define LINK_TIMEOUT  (RECORDER_BLOCK + 10000)
#define POLL          250        /* ms between two reads of a cluster, and one
                                    more a stream */
#define STREAM_COUNT  16         /* of one stream in one read, at least */
#define RETRY_MIN     500        /* ms until a failed step is tried again */
#define RETRY_MAX     30000
#define SAY_AGAIN     60000      /* ms between two lines of one trouble */


static int recorder_start(recorder_t *recorder, struct event_base *base,
    const settings_t *settings);
static void recorder_changed(void *data);
static void recorder_write(recorder_t *recorder);
static void recorder_written(void *data, const char *error);
static void recorder_failed(recorder_t *recorder, const char *error);
static void recorder_forget(recorder_t *recorder);
static void recorder_forgotten(void *data, const redisReply *reply);
static void recorder_rest(recorder_t *recorder, recorder_state_e state,
    int64_t ms);
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
        || recorder_group_init(&recorder->group, settings) != 0
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
    size_t        i;
    links_conf_t  conf;

    for (i = 0; i < recorder->group.nstreams; i++) {
        recorder->group.streams[i].owner = recorder;
    }

    recorder->cluster = (settings->redis.kind == SLUICE_URL_CLUSTER);
    recorder->count = RECORDER_GROUP;

    if (recorder->group.nstreams > RECORDER_GROUP / STREAM_COUNT) {
        recorder->count = STREAM_COUNT;

    } else if (recorder->group.nstreams > 0) {
        recorder->count /= recorder->group.nstreams;
    }

    recorder->timer = evtimer_new(base, recorder_timer, recorder);

    if (recorder->timer == NULL) {
        return -1;
    }

    memset(&conf, 0, sizeof(conf));
    conf.name = "sluiced:recorder";
    conf.timeout = LINK_TIMEOUT;
    conf.changed = recorder_changed;
    conf.data = recorder;

    recorder->links = links_open(base, settings, &conf);

    return (recorder->links != NULL) ? 0 : -1;
}


bool
recorder_idle(const recorder_t *recorder)
{
    switch (recorder->state) {

    case RECORDER_WRITING:
    case RECORDER_WAITING:
    case RECORDER_FORGETTING:
        return false;

    case RECORDER_READING:
    case RECORDER_RESTING:
        return !recorder->full;

    default:
        return true;
    }
}


void
recorder_close(recorder_t *recorder)
{
    if (recorder == NULL) {
        return;
    }

    recorder_writer_close(recorder->writer);

    links_close(recorder->links);

    if (recorder->timer != NULL) {
        event_free(recorder->timer);
    }

    recorder_group_free(&recorder->group);
    free(recorder);
}


/* a group that is being written is finished first: recorder_written() */

static void
recorder_changed(void *data)
{
    recorder_t  *recorder = data;

    recorder->anew = 1;

    if (recorder->group.nstreams == 0
        || recorder->state == RECORDER_WRITING
        || recorder->state == RECORDER_WAITING
        || (recorder->cluster && recorder->state != RECORDER_AWAY))
    {
        return;
    }

    evtimer_del(recorder->timer);
    recorder_group_drop(&recorder->group);
    recorder->state = RECORDER_AWAY;

    if (recorder->cluster || link_ready(recorder_link(recorder, 0))) {
        recorder_groups(recorder);
    }
}


void
recorder_took(recorder_t *recorder)
{
    recorder->full = (recorder->group.longest >= recorder->count);

    if (recorder->group.nentries == 0) {

        if (recorder->cluster && !recorder->behind) {
            recorder_rest(recorder, RECORDER_RESTING,
                          POLL + (int64_t) recorder->group.nstreams);
            return;
        }

        recorder->behind = 0;
        recorder_read(recorder);

    } else if (recorder->group.nrecords == 0) {
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

    if (recorder->anew && !recorder->cluster) {
        /* they will be read again, and do no harm */
        recorder->state = RECORDER_AWAY;
        recorder_changed(recorder);
        return;
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
        recorder->retry = RETRY_MIN;

    } else if (recorder->retry < RETRY_MAX / 2) {
        recorder->retry *= 2;

    } else {
        recorder->retry = RETRY_MAX;
    }

    recorder_rest(recorder, RECORDER_WAITING, recorder->retry);
}


static void
recorder_forget(recorder_t *recorder)
{
    fault_point("recorder-forget", NULL);

    recorder->state = RECORDER_FORGETTING;
    recorder->failed = 0;
    recorder->answers =
        recorder_group_forget(&recorder->group, recorder->links,
                              recorder_forgotten, recorder);

    if (recorder->answers == 0) {
        recorder_again(recorder);
    }
}


static void
recorder_forgotten(void *data, const redisReply *reply)
{
    recorder_t  *recorder = data;

    if (!recorder_answer(recorder, "XACK", reply)) {
        recorder->failed = 1;
    }

    if (--recorder->answers > 0 || (reply == NULL && !recorder->cluster)) {
        return;
    }

    if (recorder->failed) {
        recorder_again(recorder);
        return;
    }

    fault_point("recorder-forgotten", NULL);
    recorder_group_drop(&recorder->group);

    if (recorder->full) {
        recorder_read(recorder);

    } else {
        recorder_rest(recorder, RECORDER_RESTING, RECORDER_GATHER);
    }
}


/* something failed: from the start, with what is pending, a little later */

void
recorder_again(recorder_t *recorder)
{
    recorder_group_drop(&recorder->group);
    recorder->anew = 1;
    recorder_rest(recorder, RECORDER_RESTING, RETRY_MIN);
}


static void
recorder_rest(recorder_t *recorder, recorder_state_e state, int64_t ms)
{
    recorder->state = state;
    clock_arm(recorder->timer, ms);
}


static void
recorder_timer(evutil_socket_t fd, short events, void *data)
{
    recorder_t  *recorder = data;

    if (recorder->state == RECORDER_WAITING) {
        recorder_write(recorder);

    } else if (recorder->anew) {
        recorder_groups(recorder);

    } else {
        recorder_read(recorder);
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

        if (recorder->told) {
            recorder->told = 0;
            log_event(LOG_INFO_, "records_back", NULL);
        }

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
