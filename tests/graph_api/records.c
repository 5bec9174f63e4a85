#include <stdlib.h>
#include <string.h>
#include <event2/bufferevent.h>
#include "graph_api.h"


#define RECORDS_MAX  (1024 * 1024)    /* later ones push out the oldest */

typedef struct {
    struct evhttp_connection  *connection;
    uint64_t                   number;
} seat_t;

struct records_s {
    record_t   *ring;
    uint64_t    size;
    uint64_t    total;
    seat_t     *seats;         /* by descriptor */
    size_t      nseats;
    uint64_t    connections;
};


records_t *
records_create(void)
{
    records_t  *records;

    records = must(calloc(1, sizeof(*records)));
    records->size = 1024;
    records->ring = must(calloc(records->size, sizeof(record_t)));

    return records;
}


static char *
copy(const char *text)
{
    return text ? must(strdup(text)) : NULL;
}


static void
record_clear(record_t *record)
{
    free(record->wamid);
    free(record->to);
    free(record->number);
    free(record->callback_data);
    memset(record, 0, sizeof(*record));
}


uint64_t
records_add(records_t *records, const record_t *record)
{
    record_t  *place;
    uint64_t   old;

    if (records->total == records->size && records->size < RECORDS_MAX) {
        old = records->size;
        records->size *= 2;
        records->ring = must(realloc(records->ring,
                                     records->size * sizeof(record_t)));
        memset(records->ring + old, 0, old * sizeof(record_t));
    }

    place = &records->ring[records->total % records->size];
    record_clear(place);

    *place = *record;
    place->seq = ++records->total;
    place->wamid = copy(record->wamid);
    place->to = copy(record->to);
    place->number = copy(record->number);
    place->callback_data = copy(record->callback_data);

    return place->seq;
}


record_t *
records_at(records_t *records, uint64_t seq)
{
    record_t  *record;

    if (seq == 0) {
        return NULL;
    }

    record = &records->ring[(seq - 1) % records->size];

    return record->seq == seq ? record : NULL;
}


uint64_t
records_total(const records_t *records)
{
    return records->total;
}


void
records_reset(records_t *records)
{
    uint64_t  i;

    for (i = 0; i < records->size; i++) {
        record_clear(&records->ring[i]);
    }

    records->total = 0;
}


static void
connection_closed(struct evhttp_connection *connection, void *data)
{
    size_t      i;
    records_t  *records;

    records = data;

    for (i = 0; i < records->nseats; i++) {
        if (records->seats[i].connection == connection) {
            records->seats[i].connection = NULL;
            return;
        }
    }
}


uint64_t
records_connection(records_t *records, struct evhttp_request *req)
{
    int                        fd;
    size_t                     n;
    seat_t                    *seat;
    struct evhttp_connection  *connection;

    connection = evhttp_request_get_connection(req);
    fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));

    if (fd < 0) {
        return 0;
    }

    if ((size_t) fd >= records->nseats) {
        n = (size_t) fd + 64;
        records->seats = must(realloc(records->seats, n * sizeof(seat_t)));
        memset(records->seats + records->nseats, 0,
               (n - records->nseats) * sizeof(seat_t));
        records->nseats = n;
    }

    seat = &records->seats[fd];

    if (seat->connection != connection) {
        seat->connection = connection;
        seat->number = ++records->connections;
        evhttp_connection_set_closecb(connection, connection_closed, records);
    }

    return seat->number;
}
