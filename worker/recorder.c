/*
 * read (XREADGROUP) -> write (the store, in its thread) -> forget (XDEL and
 * XACK in one go) -> read ...; one group at a time.  While one is written the
 * next gathers in Redis.
 *
 * All processes are one consumer: what another left behind is read again at
 * the start and every ten seconds, and writing it twice changes nothing.
 */

#include <stdlib.h>
#include <string.h>
#include "worker/fault.h"
#include "worker/links.h"
#include "worker/recorder.h"
#include "worker/recorder_group.h"
#include "worker/recorder_writer.h"


#define CONSUMER      "sluiced"
#define BLOCK         5000       /* ms that one read waits */
#define LINK_TIMEOUT  (BLOCK + 10000)
#define STREAM_COUNT  16         /* of one stream in one read, at least */
#define LEFT_BEHIND   10000      /* ms between two looks for it */
#define RETRY_MIN     500        /* ms until a failed step is tried again */
#define RETRY_MAX     30000
#define SAY_AGAIN     60000      /* ms between two lines of one trouble */


typedef enum {
    RECORDER_AWAY,       /* no Redis */
    RECORDER_OPENING,    /* the consumer groups are made */
    RECORDER_READING,
    RECORDER_RESTING,    /* until more has gathered, or Redis is better */
    RECORDER_WRITING,    /* the store has the group */
    RECORDER_WAITING,    /* the store failed: the same group again, later */
    RECORDER_FORGETTING
} recorder_state_e;

struct recorder_s {
    links_t            *links;
    recorder_writer_t  *writer;
    struct event       *timer;
    recorder_state_e    state;
    recorder_group_t    group;
    size_t              count;       /* of one stream in one read */
    int64_t             looked;      /* when for what was left behind */
    int64_t             retry;       /* ms, 0: the store is well */
    int64_t             said;        /* when the log heard of a trouble */
    size_t              answers;     /* that are still to come */
    unsigned            behind:1;    /* reading what was left behind */
    unsigned            full:1;      /* there is more than was read */
    unsigned            anew:1;      /* the link was lost: begin again */
    unsigned            failed:1;    /* one of the answers was an error */
    unsigned            told:1;      /* ... and the log knows */
};


static int recorder_start(recorder_t *recorder, struct event_base *base,
    const settings_t *settings);
static link_t *recorder_link(const recorder_t *recorder);
static void recorder_changed(void *data);
static void recorder_groups(recorder_t *recorder);
static void recorder_grouped(void *data, const redisReply *reply);
static void recorder_read(recorder_t *recorder);
static void recorder_entries(void *data, const redisReply *reply);
static void recorder_write(recorder_t *recorder);
static void recorder_written(void *data, const char *error);
static void recorder_failed(recorder_t *recorder, const char *error);
static void recorder_forget(recorder_t *recorder);
static void recorder_forgotten(void *data, const redisReply *reply);
static void recorder_again(recorder_t *recorder);
static void recorder_rest(recorder_t *recorder, recorder_state_e state,
    int64_t ms);
static void recorder_timer(evutil_socket_t fd, short events, void *data);
static bool recorder_answer(recorder_t *recorder, const char *what,
    const redisReply *reply);


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
    links_conf_t  conf;

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


static link_t *
recorder_link(const recorder_t *recorder)
{
    return links_of(recorder->links, recorder->group.nstreams
                                     ? recorder->group.streams[0].key : "");
}


/* a group that is being written is finished first: recorder_written() */

static void
recorder_changed(void *data)
{
    recorder_t  *recorder = data;

    recorder->anew = 1;

    if (recorder->state == RECORDER_WRITING
        || recorder->state == RECORDER_WAITING)
    {
        return;
    }

    evtimer_del(recorder->timer);
    recorder_group_drop(&recorder->group);
    recorder->state = RECORDER_AWAY;

    if (link_ready(recorder_link(recorder)) && recorder->group.nstreams > 0) {
        recorder_groups(recorder);
    }
}


static void
recorder_groups(recorder_t *recorder)
{
    size_t  i;

    recorder->state = RECORDER_OPENING;
    recorder->anew = 0;
    recorder->failed = 0;
    recorder->answers = 0;
    recorder->behind = 1;

    for (i = 0; i < recorder->group.nstreams; i++) {
        if (sluice_redis_command(link_redis(recorder_link(recorder)),
                                 clock_ms(), recorder_grouped, recorder,
                                 "XGROUP", "CREATE",
                                 recorder->group.streams[i].key,
                                 RECORDER_CONSUMERS, "0", "MKSTREAM", NULL)
            == SLUICE_REDIS_OK)
        {
            recorder->answers++;

        } else {
            recorder->failed = 1;
        }
    }

    if (recorder->answers == 0) {
        recorder_again(recorder);
    }
}


static void
recorder_grouped(void *data, const redisReply *reply)
{
    recorder_t  *recorder = data;

    if (reply != NULL && reply->type == REDIS_REPLY_ERROR
        && strncmp(reply->str, "BUSYGROUP", sizeof("BUSYGROUP") - 1) == 0)
    {
        /* it is there already */

    } else if (!recorder_answer(recorder, "XGROUP", reply)) {
        recorder->failed = 1;
    }

    if (--recorder->answers > 0 || reply == NULL) {
        return;
    }

    if (recorder->failed) {
        recorder_again(recorder);
        return;
    }

    recorder_read(recorder);
}


static void
recorder_read(recorder_t *recorder)
{
    int64_t          now;
    size_t           i;
    const char      *key;
    sluice_redis_t  *redis;

    now = clock_ms();

    if (now - recorder->looked >= LEFT_BEHIND) {
        recorder->behind = 1;
    }

    if (recorder->behind) {
        recorder->looked = now;
    }

    recorder->state = RECORDER_READING;
    recorder->full = 0;
    redis = link_redis(recorder_link(recorder));

    if (sluice_redis_begin(redis, 9 + 2 * recorder->group.nstreams, now)
        != SLUICE_REDIS_OK)
    {
        recorder_again(recorder);
        return;
    }

    sluice_redis_arg(redis, "XREADGROUP", 10);
    sluice_redis_arg(redis, "GROUP", 5);
    sluice_redis_arg(redis, RECORDER_CONSUMERS,
                     sizeof(RECORDER_CONSUMERS) - 1);
    sluice_redis_arg(redis, CONSUMER, sizeof(CONSUMER) - 1);
    sluice_redis_arg(redis, "COUNT", 5);
    sluice_redis_arg_int(redis, (int64_t) recorder->count);
    sluice_redis_arg(redis, "BLOCK", 5);
    sluice_redis_arg_int(redis, BLOCK);
    sluice_redis_arg(redis, "STREAMS", 7);

    for (i = 0; i < recorder->group.nstreams; i++) {
        key = recorder->group.streams[i].key;
        sluice_redis_arg(redis, key, strlen(key));
    }

    for (i = 0; i < recorder->group.nstreams; i++) {
        sluice_redis_arg(redis, recorder->behind ? "0" : ">", 1);
    }

    if (sluice_redis_end(redis, recorder_entries, recorder)
        != SLUICE_REDIS_OK)
    {
        recorder_again(recorder);
    }
}


static void
recorder_entries(void *data, const redisReply *reply)
{
    recorder_t  *recorder = data;

    if (reply == NULL) {
        return;
    }

    /* NOGROUP: somebody deleted the stream, so its group is made anew */

    if (!recorder_answer(recorder, "XREADGROUP", reply)
        || recorder_group_read(&recorder->group, reply) != 0)
    {
        recorder_again(recorder);
        return;
    }

    recorder->full = (recorder->group.longest >= recorder->count);

    if (recorder->group.nentries == 0) {
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

    if (recorder->anew) {
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
        recorder_group_forget(&recorder->group,
                              link_redis(recorder_link(recorder)),
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

    if (--recorder->answers > 0 || reply == NULL) {
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

static void
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

static bool
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
