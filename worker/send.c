#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include "worker/hub.h"
#include "worker/send.h"


#define SEND_CONNECT    10000    /* ms for a connection, at most */
#define SEND_KEEPALIVE  60L      /* s */
#define SEND_RETRY_AFTER  86400    /* s */
#define SEND_BUFFER     4096L    /* a request's, to read an answer into */
#define SEND_KEPT       4096     /* bytes for an answer kept for the next */


struct send_s {
    sender_t            *sender;
    hub_t               *hub;             /* NULL: in line */
    CURL                *easy;
    struct curl_slist   *headers;
    char                *body;
    size_t               len, size;
    send_pt              done;
    void                *data;
    send_t              *prev, *next;     /* of its list */
};

typedef struct {
    send_t  *first, *last;
    size_t   n;
} send_list_t;

struct sender_s {
    struct event_base  *base;
    struct event       *start;            /* of what waits in line */
    hub_t             **hubs;
    size_t              nhubs;
    send_list_t         open;             /* libcurl has them */
    send_list_t         line;             /* wait until it may */
    send_list_t         spare;            /* for the next requests */
    size_t              limit;
};


static void
send_list_add(send_list_t *list, send_t *send)
{
    send->next = NULL;
    send->prev = list->last;

    if (list->last) {
        list->last->next = send;
    } else {
        list->first = send;
    }

    list->last = send;
    list->n++;
}


static void
send_list_remove(send_list_t *list, send_t *send)
{
    if (send->prev) {
        send->prev->next = send->next;
    } else {
        list->first = send->next;
    }

    if (send->next) {
        send->next->prev = send->prev;
    } else {
        list->last = send->prev;
    }

    list->n--;
}


static void
send_destroy(send_t *send)
{
    curl_easy_cleanup(send->easy);
    curl_slist_free_all(send->headers);
    free(send->body);
    free(send);
}


static void
send_free(send_t *send)
{
    sender_t  *sender;

    sender = send->sender;

    if (send->hub) {
        hub_remove(send->hub, send->easy);
        send_list_remove(&sender->open, send);

    } else {
        send_list_remove(&sender->line, send);
    }

    if (sender->spare.n >= sender->limit) {
        send_destroy(send);
        return;
    }

    curl_slist_free_all(send->headers);
    send->headers = NULL;
    send->hub = NULL;
    send->len = 0;

    if (send->size > SEND_KEPT) {
        free(send->body);
        send->body = NULL;
        send->size = 0;
    }

    send_list_add(&sender->spare, send);
}


static size_t
send_on_body(char *data, size_t size, size_t n, void *user)
{
    char    *body;
    size_t   room;
    send_t  *send = user;

    n *= size;

    if (n > SEND_BODY_MAX - send->len) {
        return 0;
    }

    if (send->len + n > send->size) {
        room = (send->len + n) * 2;
        body = realloc(send->body, room);

        if (body == NULL) {
            return 0;
        }

        send->body = body;
        send->size = room;
    }

    memcpy(send->body + send->len, data, n);
    send->len += n;

    return n;
}


static void
send_finish(send_t *send, CURLcode code)
{
    long        request;
    answer_t    answer;
    sender_t   *sender;
    curl_off_t  seconds, pretransfer;

    sender = send->sender;

    memset(&answer, 0, sizeof(answer_t));
    request = 0;
    seconds = 0;
    pretransfer = 0;

    curl_easy_getinfo(send->easy, CURLINFO_RESPONSE_CODE, &answer.status);
    curl_easy_getinfo(send->easy, CURLINFO_REQUEST_SIZE, &request);
    curl_easy_getinfo(send->easy, CURLINFO_PRETRANSFER_TIME_T, &pretransfer);
    curl_easy_getinfo(send->easy, CURLINFO_RETRY_AFTER, &seconds);

    answer.curl = code;
    answer.body = send->body ? send->body : "";
    answer.body_len = send->len;
    /* any proxy's page may say so: a day at most */
    seconds = (seconds < SEND_RETRY_AFTER) ? seconds : SEND_RETRY_AFTER;
    answer.retry_after = (seconds > 0) ? seconds * 1000 : 0;

    /* pretransfer: the connection was there and the request about to go */
    answer.sent = (answer.status || request > 0 || pretransfer > 0);

    send->done(send->data, &answer);
    send_free(send);
    event_active(sender->start, 0, 0);
}


static void
send_on_end(CURL *easy, CURLcode code)
{
    send_t  *send;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &send);
    send_finish(send, code);
}


/* ------------------------------------------------------------------- sender */

static size_t
sender_part(const sender_t *sender, size_t i)
{
    size_t  before;

    before = i * HUB_REQUESTS;

    if (before >= sender->limit) {
        return 0;
    }

    return (sender->limit - before < HUB_REQUESTS) ? sender->limit - before
                                                   : HUB_REQUESTS;
}


/* the first with room, whose connections are most likely there already */

static hub_t *
sender_hub(sender_t *sender)
{
    size_t   i;
    hub_t  **hubs, *hub;

    for (i = 0; i < sender->nhubs; i++) {
        if (sender->hubs[i]->open < sender->hubs[i]->limit) {
            return sender->hubs[i];
        }
    }

    hubs = realloc(sender->hubs, (i + 1) * sizeof(hub_t *));

    if (hubs == NULL) {
        return NULL;
    }

    sender->hubs = hubs;
    hub = hub_open(sender->base, sender_part(sender, i), send_on_end);

    if (hub) {
        sender->hubs[sender->nhubs++] = hub;
    }

    return hub;
}


/*
 * No more at once than there may be connections, for libcurl's clock of a
 * transfer runs also while it waits for one: what is left of its time may then
 * be too short for an answer, and the message would be sent twice.
 */

static void
sender_on_start(evutil_socket_t fd, short what, void *data)
{
    send_t    *send;
    sender_t  *sender = data;

    while (sender->line.first && sender->open.n < sender->limit) {
        send = sender->line.first;
        send->hub = sender_hub(sender);

        if (send->hub == NULL) {
            send_finish(send, CURLE_OUT_OF_MEMORY);
            continue;
        }

        send_list_remove(&sender->line, send);
        send_list_add(&sender->open, send);

        if (!hub_add(send->hub, send->easy)) {
            send_finish(send, CURLE_FAILED_INIT);
        }
    }
}


static void
sender_spare(sender_t *sender, size_t n)
{
    send_t  *send;

    while (sender->spare.n > n) {
        send = sender->spare.first;

        send_list_remove(&sender->spare, send);
        send_destroy(send);
    }
}


void
sender_limit(sender_t *sender, int connections)
{
    size_t  i;

    sender->limit = connections;

    for (i = 0; i < sender->nhubs; i++) {
        hub_limit(sender->hubs[i], sender_part(sender, i));
    }

    sender_spare(sender, sender->limit);
    event_active(sender->start, 0, 0);
}


/* ---------------------------------------------------------------- requests */

/* what is the same for all of them */

static send_t *
send_new(sender_t *sender)
{
    CURL    *easy;
    send_t  *send;

    send = calloc(1, sizeof(send_t));
    easy = curl_easy_init();

    if (send == NULL || easy == NULL) {
        curl_easy_cleanup(easy);
        free(send);
        return NULL;
    }

    send->sender = sender;
    send->easy = easy;

    curl_easy_setopt(easy, CURLOPT_PRIVATE, send);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, SEND_KEEPALIVE);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "sluiced");
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, SEND_BUFFER);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, send_on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, send);

    return send;
}


static int
send_headers(send_t *send, char **header)
{
    struct curl_slist  *list;

    /* no round trip for "100 Continue" before a long body */
    send->headers = curl_slist_append(NULL, "Expect:");

    for ( /* void */ ; header && *header && send->headers; header++) {
        list = curl_slist_append(send->headers, *header);

        if (list == NULL) {
            return -1;
        }

        send->headers = list;
    }

    return send->headers ? 0 : -1;
}


/* all that may differ is set anew, for the handle had another request before */

static int
send_prepare(send_t *send, const request_t *request)
{
    CURL     *easy;
    int64_t   connect;

    if (send_headers(send, request->headers) != 0) {
        return -1;
    }

    easy = send->easy;
    connect = (request->timeout < SEND_CONNECT) ? request->timeout
                                                : SEND_CONNECT;

    /*
     * To share a new connection, when the handshake tells HTTP/2.  Without TLS
     * only the first answer tells, and all would wait for that.
     */

    curl_easy_setopt(easy, CURLOPT_PIPEWAIT,
                     (long) (strncmp(request->url, "https:", 6) == 0));
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) request->timeout);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long) connect);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, send->headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t) request->body_len);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);

    return (curl_easy_setopt(easy, CURLOPT_URL, request->url) == CURLE_OK)
           ? 0 : -1;
}


send_t *
sender_send(sender_t *sender, const request_t *request, send_pt done,
    void *data)
{
    send_t  *send;

    send = sender->spare.last;    /* warmest in the caches */

    if (send) {
        send_list_remove(&sender->spare, send);

    } else {
        send = send_new(sender);

        if (send == NULL) {
            return NULL;
        }
    }

    send->done = done;
    send->data = data;
    send_list_add(&sender->line, send);

    if (send_prepare(send, request) != 0) {
        send_free(send);
        return NULL;
    }

    event_active(sender->start, 0, 0);

    return send;
}


bool
sender_cancel(send_t *send)
{
    bool       waiting;
    sender_t  *sender;

    waiting = (send->hub == NULL);
    sender = send->sender;

    send_free(send);
    event_active(sender->start, 0, 0);

    return !waiting;
}


/* --------------------------------------------------------------- life time */

sender_t *
sender_open(struct event_base *base, int connections)
{
    sender_t  *sender;

    sender = calloc(1, sizeof(sender_t));

    if (sender == NULL || curl_global_init(CURL_GLOBAL_ALL) != 0) {
        free(sender);
        return NULL;
    }

    sender->base = base;
    sender->start = event_new(base, -1, 0, sender_on_start, sender);

    if (sender->start == NULL) {
        sender_close(sender);
        return NULL;
    }

    sender_limit(sender, connections);

    return sender;
}


void
sender_close(sender_t *sender)
{
    while (sender->line.first) {
        send_free(sender->line.first);
    }

    while (sender->open.first) {
        send_free(sender->open.first);
    }

    sender_spare(sender, 0);

    while (sender->nhubs) {
        hub_close(sender->hubs[--sender->nhubs]);
    }

    free(sender->hubs);

    if (sender->start) {
        event_free(sender->start);
    }

    free(sender);
    curl_global_cleanup();
}
