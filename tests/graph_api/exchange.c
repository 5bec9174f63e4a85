#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <event2/bufferevent.h>
#include "graph_api.h"


/*
 * libevent reads nothing from a connection whose request is being answered,
 * so that a client which goes meanwhile is only seen by an event of our own.
 */

typedef struct {
    standin_t              *standin;
    struct evhttp_request  *req;
    uint64_t                seq;
    exchange_end_e          end;
    int                     status;
    json_t                 *body;
    struct event           *timer;
    struct event           *gone;
} exchange_t;


static void
exchange_free(exchange_t *exchange)
{
    if (exchange->gone) {
        event_free(exchange->gone);
    }

    event_free(exchange->timer);
    json_decref(exchange->body);
    free(exchange);
}


/* a reset and not a regular end, which shutdown() would begin */

static void
cut(struct evhttp_request *req)
{
    struct sockaddr            none;
    struct evhttp_connection  *connection;

    connection = evhttp_request_get_connection(req);

    memset(&none, 0, sizeof(none));
    none.sa_family = AF_UNSPEC;
    (void) connect(bufferevent_getfd(
                       evhttp_connection_get_bufferevent(connection)),
                   &none, sizeof(none));

    evhttp_connection_free(connection);
}


static void
exchange_gone(evutil_socket_t fd, short what, void *data)
{
    record_t                  *record;
    exchange_t                *exchange;
    struct evhttp_connection  *connection;

    exchange = data;
    record = records_at(exchange->standin->records, exchange->seq);

    if (record) {
        record->closed = now_ms();
    }

    connection = evhttp_request_get_connection(exchange->req);
    exchange_free(exchange);
    evhttp_connection_free(connection);
}


static void
exchange_due(evutil_socket_t fd, short what, void *data)
{
    record_t    *record;
    exchange_t  *exchange;

    exchange = data;

    if (exchange->end == EXCHANGE_RESET) {
        record = records_at(exchange->standin->records, exchange->seq);

        if (record) {
            record->closed = now_ms();
        }

        cut(exchange->req);

    } else {
        record = records_at(exchange->standin->records, exchange->seq);

        if (record) {
            record->answered = now_ms();
            record->status = exchange->status;
        }

        answer_json(exchange->standin, exchange->req, exchange->status,
                    json_incref(exchange->body));
    }

    exchange_free(exchange);
}


void
exchange_end(standin_t *standin, struct evhttp_request *req, uint64_t seq,
    exchange_end_e end, int64_t delay, int status, json_t *body)
{
    int             fd;
    record_t       *record;
    exchange_t     *exchange;
    struct timeval  tv;

    if (end == EXCHANGE_ANSWER && delay == 0) {
        record = records_at(standin->records, seq);

        if (record) {
            record->answered = now_ms();
            record->status = status;
        }

        answer_json(standin, req, status, body);
        return;
    }

    fd = bufferevent_getfd(evhttp_connection_get_bufferevent(
                               evhttp_request_get_connection(req)));

    exchange = must(calloc(1, sizeof(*exchange)));
    exchange->standin = standin;
    exchange->req = req;
    exchange->seq = seq;
    exchange->end = end;
    exchange->status = status;
    exchange->body = body;
    exchange->timer = must(evtimer_new(standin->base, exchange_due, exchange));
    exchange->gone = must(event_new(standin->base, fd, EV_CLOSED,
                                    exchange_gone, exchange));
    event_add(exchange->gone, NULL);

    if (end != EXCHANGE_NEVER) {
        tv.tv_sec = delay / 1000;
        tv.tv_usec = delay % 1000 * 1000;
        evtimer_add(exchange->timer, &tv);
    }
}
