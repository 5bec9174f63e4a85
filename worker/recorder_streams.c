#include <stdlib.h>
#include <string.h>
#include "worker/recorder_streams.h"


int
recorder_streams_init(recorder_streams_t *streams, void *owner)
{
    memset(streams, 0, sizeof(recorder_streams_t));
    TAILQ_INIT(&streams->list);
    streams->owner = owner;
    streams->names = roster_open();

    return (streams->names != NULL) ? 0 : -1;
}


void
recorder_streams_free(recorder_streams_t *streams)
{
    recorder_stream_t  *stream;

    while ((stream = TAILQ_FIRST(&streams->list)) != NULL) {
        TAILQ_REMOVE(&streams->list, stream, next);
        free(stream);
    }

    roster_close(streams->names);
    memset(streams, 0, sizeof(recorder_streams_t));
}


static recorder_stream_t *
streams_add(recorder_streams_t *streams, const char *key)
{
    size_t              len;
    recorder_stream_t  *stream;

    len = strlen(key);
    stream = calloc(1, sizeof(recorder_stream_t) + len + 1);

    if (stream == NULL) {
        return NULL;
    }

    stream->known = roster_add(streams->names, key, len);

    if (stream->known == NULL) {
        free(stream);
        return NULL;
    }

    memcpy(stream->key, key, len);
    stream->known->queue = stream;
    stream->owner = streams->owner;
    stream->at = -1;
    stream->behind = 1;
    TAILQ_INSERT_TAIL(&streams->list, stream, next);

    return stream;
}


recorder_stream_t *
recorder_streams_tell(recorder_streams_t *streams, const char *key,
    int64_t at, bool behind)
{
    known_t            *known;
    recorder_stream_t  *stream;

    known = roster_find(streams->names, key, strlen(key));
    stream = known ? known->queue : streams_add(streams, key);

    if (stream == NULL) {
        return NULL;
    }

    stream->idle = 0;
    stream->again = stream->reading;

    /* while it fails a word is no reason to hurry */

    if (stream->at == -1 || (at < stream->at && !stream->failed)) {
        stream->at = at;
    }

    if (behind) {
        stream->behind = 1;
    }

    return stream;
}


size_t
recorder_streams_next(recorder_streams_t *streams, int64_t now,
    recorder_stream_t **chosen, size_t max)
{
    size_t              i, n;
    recorder_stream_t  *stream;

    n = 0;

    TAILQ_FOREACH (stream, &streams->list, next) {
        if (n == max) {
            break;
        }

        if (stream->at != -1 && stream->at <= now) {
            chosen[n++] = stream;
        }
    }

    for (i = 0; i < n; i++) {
        stream = chosen[i];
        TAILQ_REMOVE(&streams->list, stream, next);
        TAILQ_INSERT_TAIL(&streams->list, stream, next);

        stream->at = -1;
        stream->n = 0;
        stream->reading = 1;
        stream->again = 0;
        stream->full = 0;
        stream->failed = 0;
    }

    return n;
}


void
recorder_streams_end(recorder_stream_t *stream, int64_t at)
{
    stream->reading = 0;

    if (!stream->again || stream->failed) {
        stream->at = at;
    }
}


void
recorder_streams_look(recorder_streams_t *streams)
{
    recorder_stream_t  *stream, *next;

    for (stream = TAILQ_FIRST(&streams->list); stream != NULL; stream = next) {
        next = TAILQ_NEXT(stream, next);

        if (stream->stays || stream->refused) {
            stream->behind = 1;

        } else if (stream->idle && stream->at == -1 && !stream->reading) {
            TAILQ_REMOVE(&streams->list, stream, next);
            roster_remove(streams->names, stream->known);
            free(stream);

        } else {
            stream->idle = 1;
        }
    }
}


int64_t
recorder_streams_when(const recorder_streams_t *streams)
{
    int64_t             at;
    recorder_stream_t  *stream;

    at = -1;

    TAILQ_FOREACH (stream, &streams->list, next) {
        if (stream->at != -1 && (at == -1 || stream->at < at)) {
            at = stream->at;
        }
    }

    return at;
}
