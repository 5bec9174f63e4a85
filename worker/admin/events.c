/*
 * The events of a queue as server-sent events.  The stream is asked every half
 * second, without BLOCK, which would need a connection for each reader.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include "core/json.h"
#include "worker/admin/parts.h"


#define EVENTS_EVERY    500             /* ms */
#define EVENTS_BEAT     15000           /* ms of silence, then a comment */
#define EVENTS_WRITE    60              /* s */
#define EVENTS_COUNT    "100"           /* of one question */
#define EVENTS_READERS  64
#define EVENTS_OWN      16              /* of them, of the keys of a tenant */
#define EVENTS_BEHIND   (256 * 1024)    /* bytes that a reader may leave */
#define EVENTS_ID       48


typedef struct stream_s  stream_t;

struct stream_s {
    LIST_ENTRY(stream_s)       next;
    call_t                    *call;
    struct evhttp_connection  *connection;
    struct event              *timer;
    char                       key[SLUICE_KEYS_MAX + 8];
    char                       last[EVENTS_ID];
    int64_t                    told;       /* clock_ms() */
    bool                       asking;
    bool                       closed;
};


static void stream_ask(stream_t *stream);


static void
stream_free(stream_t *stream)
{
    LIST_REMOVE(stream, next);

    if (stream->timer) {
        event_free(stream->timer);
    }

    call_drop(stream->call);
    free(stream);
}


/*
 * The request goes with its connection, unless the connection has left it to
 * us: then an end frees it.
 */

static void
stream_on_close(struct evhttp_connection *connection, void *data)
{
    stream_t               *stream = data;
    struct evhttp_request  *request;

    request = stream->call->request;
    stream->closed = true;

    if (evhttp_request_get_connection(request) == NULL) {
        evhttp_send_reply_end(request);
    }

    if (!stream->asking) {
        stream_free(stream);
    }
}


static void
stream_write(stream_t *stream, struct evbuffer *buffer)
{
    stream->told = clock_ms();
    evhttp_send_reply_chunk(stream->call->request, buffer);
}


/* id, then its fields in pairs, of which one is the event's name */

static void
stream_event(struct evbuffer *buffer, const redisReply *entry,
    char last[EVENTS_ID])
{
    char              *text;
    size_t             i;
    json_t            *data;
    const char        *name;
    const redisReply  *id, *fields, *key, *value;

    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2) {
        return;
    }

    id = entry->element[0];
    fields = entry->element[1];

    if (id->type != REDIS_REPLY_STRING || (size_t) id->len >= EVENTS_ID
        || fields->type != REDIS_REPLY_ARRAY)
    {
        return;
    }

    memcpy(last, id->str, (size_t) id->len + 1);
    data = json_object();
    name = "message";

    for (i = 0; i + 1 < fields->elements; i += 2) {
        key = fields->element[i];
        value = fields->element[i + 1];

        if (strcmp(key->str, "event") != 0) {
            if (sluice_json_is_text((const uint8_t *) key->str,
                                    (size_t) key->len))
            {
                json_object_set_new(data, key->str,
                                    text_json(value->str,
                                                (size_t) value->len));
            }

        } else if (value->str[strspn(value->str, "abcdefghijklmnopqrstuvwxyz"
                                     "-")] == '\0' && value->len > 0)
        {
            name = value->str;
        }
    }

    text = json_dumps(data, JSON_COMPACT);
    json_decref(data);

    if (text) {
        evbuffer_add_printf(buffer, "id: %s\nevent: %s\ndata: %s\n\n", last,
                            name, text);
        free(text);
    }
}


/* [[key, [entry, ...]]] */

static void
stream_replied(void *data, const redisReply *reply)
{
    size_t             i;
    stream_t          *stream = data;
    const redisReply  *entries;
    struct evbuffer   *buffer;

    stream->asking = false;

    if (stream->closed) {
        stream_free(stream);
        return;
    }

    clock_arm(stream->timer, EVENTS_EVERY);

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements != 1
        || reply->element[0]->type != REDIS_REPLY_ARRAY
        || reply->element[0]->elements != 2
        || reply->element[0]->element[1]->type != REDIS_REPLY_ARRAY)
    {
        return;
    }

    buffer = evbuffer_new();

    if (buffer == NULL) {
        return;
    }

    entries = reply->element[0]->element[1];

    for (i = 0; i < entries->elements; i++) {
        stream_event(buffer, entries->element[i], stream->last);
    }

    stream_write(stream, buffer);
    evbuffer_free(buffer);
}


static void
stream_ask(stream_t *stream)
{
    stream->asking = sluice_redis_command(call_redis(stream->call),
                                          clock_ms(), stream_replied, stream,
                                          "XREAD", "COUNT", EVENTS_COUNT,
                                          "STREAMS", stream->key, stream->last,
                                          NULL) == SLUICE_REDIS_OK;

    if (!stream->asking) {
        clock_arm(stream->timer, EVENTS_EVERY);
    }
}


static void
stream_on_timer(evutil_socket_t fd, short what, void *data)
{
    stream_t            *stream = data;
    struct evbuffer     *buffer;
    struct bufferevent  *bev;

    /* its key or queue may be gone: who may still read comes again */

    if (!call_current(stream->call)) {
        evhttp_connection_set_closecb(stream->connection, NULL, NULL);
        evhttp_send_reply_end(stream->call->request);
        stream_free(stream);
        return;
    }

    /* whoever reads too slowly waits, and may miss what is trimmed */

    bev = evhttp_connection_get_bufferevent(stream->connection);

    if (evbuffer_get_length(bufferevent_get_output(bev)) > EVENTS_BEHIND) {
        clock_arm(stream->timer, EVENTS_EVERY);
        return;
    }

    stream_ask(stream);

    if (clock_ms() - stream->told < EVENTS_BEAT) {
        return;
    }

    /* a reader that is gone is found by writing to it */

    buffer = evbuffer_new();

    if (buffer) {
        evbuffer_add_printf(buffer, ":\n\n");
        stream_write(stream, buffer);
        evbuffer_free(buffer);
    }
}


/* A tenant's readers leave room for those of others. */

static bool
stream_room(call_t *call)
{
    size_t     all, own;
    stream_t  *stream;

    all = 0;
    own = 0;

    LIST_FOREACH (stream, call_streams(call), next) {
        all++;

        /* a tenant of settings that are no more is not looked at */

        if (call->tenant && call_current(stream->call)
            && stream->call->tenant
            && strcmp(stream->call->tenant, call->tenant) == 0)
        {
            own++;
        }
    }

    if (all >= EVENTS_READERS || own >= EVENTS_OWN) {
        call_problem(call, 503, NULL, "there are %d readers of events%s"
                     " already", own < EVENTS_OWN ? EVENTS_READERS
                     : EVENTS_OWN, own < EVENTS_OWN ? "" : " of this tenant");
        return false;
    }

    return true;
}


static void
stream_begin(call_t *call, const char *last)
{
    stream_t                  *stream;
    struct evbuffer           *buffer;
    struct evkeyvalq          *headers;
    struct evhttp_connection  *connection;
    const struct timeval       slow = { EVENTS_WRITE, 0 };

    if (!stream_room(call)) {
        return;
    }

    connection = evhttp_request_get_connection(call->request);
    stream = connection ? calloc(1, sizeof(stream_t)) : NULL;
    buffer = stream ? evbuffer_new() : NULL;

    if (buffer) {
        stream->timer = evtimer_new(evhttp_connection_get_base(connection),
                                    stream_on_timer, stream);
    }

    if (buffer == NULL || stream->timer == NULL) {
        if (buffer) {
            evbuffer_free(buffer);
        }

        free(stream);
        call_problem(call, 503, NULL, "out of memory");
        return;
    }

    stream->call = call;
    stream->connection = connection;
    snprintf(stream->last, sizeof(stream->last), "%s", last);
    snprintf(stream->key, sizeof(stream->key), "%sevents", call->queue.base);
    LIST_INSERT_HEAD(call_streams(call), stream, next);

    /* NGINX would keep the events until a buffer is full */

    headers = evhttp_request_get_output_headers(call->request);
    evhttp_add_header(headers, "Content-Type", "text/event-stream");
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_add_header(headers, "Connection", "close");
    evhttp_add_header(headers, "X-Accel-Buffering", "no");

    /* it has nothing more to say, but may not leave the events lying */

    bufferevent_set_timeouts(evhttp_connection_get_bufferevent(connection),
                             NULL, &slow);
    evhttp_connection_set_closecb(connection, stream_on_close, stream);
    evhttp_send_reply_start(call->request, 200, "OK");

    evbuffer_add_printf(buffer, "id: %s\n:\n\n", stream->last);
    stream_write(stream, buffer);
    evbuffer_free(buffer);

    clock_arm(stream->timer, 0);
}


/* what comes after the newest event that there is now */

static void
events_newest(void *data, const redisReply *reply)
{
    call_t            *call = data;
    const redisReply  *entry;

    if (!call_read(call, queue_read_kind(&call->queue, "events", reply))) {
        return;
    }

    entry = (reply->type == REDIS_REPLY_ARRAY && reply->elements == 1)
            ? reply->element[0] : NULL;

    if (entry && entry->type == REDIS_REPLY_ARRAY && entry->elements == 2
        && entry->element[0]->type == REDIS_REPLY_STRING)
    {
        stream_begin(call, entry->element[0]->str);

    } else {
        stream_begin(call, "0-0");
    }
}


/* "ms-number" */

static bool
events_id_ok(const char *id)
{
    size_t  a, b;

    a = strspn(id, "0123456789");
    b = (id[a] == '-') ? strspn(id + a + 1, "0123456789") : 0;

    return a > 0 && a < 20 && b > 0 && b < 20 && id[a + 1 + b] == '\0';
}


void
events_open(call_t *call)
{
    char         key[SLUICE_KEYS_MAX + 8];
    const char  *last;

    last = evhttp_find_header(
               evhttp_request_get_input_headers(call->request),
               "Last-Event-ID");

    if (last && !events_id_ok(last)) {
        call_problem(call, 400, "Last-Event-ID", "is not the id of an event");
        return;
    }

    if (last) {
        stream_begin(call, last);
        return;
    }

    snprintf(key, sizeof(key), "%sevents", call->queue.base);

    (void) call_sent(call, sluice_redis_command(call_redis(call), clock_ms(),
                                                events_newest, call,
                                                "XREVRANGE", key, "+", "-",
                                                "COUNT", "1", NULL));
}
