#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include "worker/link.h"
#include "worker/send.h"


#define SEND_CONNECT    10000    /* ms for a connection, at most */
#define SEND_SPARE      256      /* handles kept for the next requests */
#define SEND_KEEPALIVE  60L      /* s */
#define SEND_RETRY_AFTER  86400    /* s */


struct send_s {
    sender_t            *sender;
    CURL                *easy;
    struct curl_slist   *headers;
    char                *body;
    size_t               len, size;
    send_pt              done;
    void                *data;
    send_t              *prev, *next;     /* of those open, or in line */
    unsigned             waiting:1;       /* in line */
};

typedef struct {
    send_t  *first, *last;
    size_t   n;
} send_list_t;

struct sender_s {
    struct event_base  *base;
    CURLM              *multi;
    struct event       *timer;
    struct event       *start;            /* of what waits in line */
    send_list_t         open;             /* libcurl has them */
    send_list_t         line;             /* wait until it may */
    size_t              limit;
    CURL               *spare[SEND_SPARE];
    size_t              nspare;
};


static void sender_check(sender_t *sender);
static void sender_next(sender_t *sender);


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
send_free(send_t *send)
{
    sender_t  *sender;

    sender = send->sender;

    send_list_remove(send->waiting ? &sender->line : &sender->open, send);

    if (send->easy) {
        if (!send->waiting) {
            curl_multi_remove_handle(sender->multi, send->easy);
        }

        if (sender->nspare < SEND_SPARE) {
            curl_easy_reset(send->easy);
            sender->spare[sender->nspare++] = send->easy;

        } else {
            curl_easy_cleanup(send->easy);
        }
    }

    curl_slist_free_all(send->headers);
    free(send->body);
    free(send);
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
    curl_off_t  seconds, pretransfer;

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
}


/*
 * No more at once than there may be connections, for libcurl's clock of a
 * transfer runs also while it waits for one: what is left of its time may then
 * be too short for an answer, and the message would be sent twice.
 */

static void
sender_next(sender_t *sender)
{
    send_t  *send;

    while (sender->line.first && sender->open.n < sender->limit) {
        send = sender->line.first;

        send_list_remove(&sender->line, send);
        send_list_add(&sender->open, send);
        send->waiting = 0;

        if (curl_multi_add_handle(sender->multi, send->easy) != CURLM_OK) {
            send_finish(send, CURLE_FAILED_INIT);
        }
    }
}


/* --------------------------------------------------- libcurl on libevent */

static void
sender_on_event(evutil_socket_t fd, short what, void *data)
{
    int        running;
    sender_t  *sender = data;

    curl_multi_socket_action(sender->multi, fd,
                             ((what & EV_READ) ? CURL_CSELECT_IN : 0)
                             | ((what & EV_WRITE) ? CURL_CSELECT_OUT : 0),
                             &running);
    sender_check(sender);
}


static void
sender_on_timer(evutil_socket_t fd, short what, void *data)
{
    int        running;
    sender_t  *sender = data;

    curl_multi_socket_action(sender->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    sender_check(sender);
}


static int
sender_want_socket(CURL *easy, curl_socket_t fd, int what, void *user,
    void *socket)
{
    short          events;
    sender_t      *sender = user;
    struct event  *event = socket;

    if (event) {
        event_free(event);
        curl_multi_assign(sender->multi, fd, NULL);
    }

    if (what == CURL_POLL_REMOVE) {
        return 0;
    }

    events = EV_PERSIST | ((what & CURL_POLL_IN) ? EV_READ : 0)
             | ((what & CURL_POLL_OUT) ? EV_WRITE : 0);

    event = event_new(sender->base, fd, events, sender_on_event, sender);

    if (event == NULL || event_add(event, NULL) != 0) {
        return -1;
    }

    curl_multi_assign(sender->multi, fd, event);

    return 0;
}


static int
sender_want_timer(CURLM *multi, long ms, void *user)
{
    sender_t  *sender = user;

    if (ms < 0) {
        event_del(sender->timer);
        return 0;
    }

    clock_arm(sender->timer, ms);

    return 0;
}


static void
sender_check(sender_t *sender)
{
    int       left;
    send_t   *send;
    CURLMsg  *message;

    while ((message = curl_multi_info_read(sender->multi, &left)) != NULL) {

        if (message->msg == CURLMSG_DONE) {
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &send);
            send_finish(send, message->data.result);
        }
    }

    sender_next(sender);
}


/* ---------------------------------------------------------------- requests */

static int
send_prepare(send_t *send, const request_t *request)
{
    char               **header;
    CURL                *easy;
    int64_t              connect;
    struct curl_slist   *list;

    /* no round trip for "100 Continue" before a long body */
    send->headers = curl_slist_append(NULL, "Expect:");

    for (header = request->headers; header && *header && send->headers;
         header++)
    {
        list = curl_slist_append(send->headers, *header);

        if (list == NULL) {
            return -1;
        }

        send->headers = list;
    }

    if (send->headers == NULL) {
        return -1;
    }

    easy = send->easy;
    connect = (request->timeout < SEND_CONNECT) ? request->timeout
                                                : SEND_CONNECT;

    curl_easy_setopt(easy, CURLOPT_PRIVATE, send);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);

    /*
     * To share a new connection, when the handshake tells HTTP/2.  Without TLS
     * only the first answer tells, and all would wait for that.
     */

    curl_easy_setopt(easy, CURLOPT_PIPEWAIT,
                     (long) (strncmp(request->url, "https:", 6) == 0));
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, SEND_KEEPALIVE);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) request->timeout);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long) connect);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "sluiced");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, send_on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, send);
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

    send = calloc(1, sizeof(send_t));

    if (send == NULL) {
        return NULL;
    }

    send->sender = sender;
    send->done = done;
    send->data = data;
    send->easy = sender->nspare ? sender->spare[--sender->nspare]
                                : curl_easy_init();

    send->waiting = 1;
    send_list_add(&sender->line, send);

    if (send->easy == NULL || send_prepare(send, request) != 0) {
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

    waiting = send->waiting;
    sender = send->sender;

    send_free(send);
    event_active(sender->start, 0, 0);

    return !waiting;
}


static void
sender_on_start(evutil_socket_t fd, short what, void *data)
{
    sender_next(data);
}


void
sender_limit(sender_t *sender, int connections)
{
    curl_multi_setopt(sender->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                      (long) connections);
    curl_multi_setopt(sender->multi, CURLMOPT_MAXCONNECTS,
                      (long) connections);

    sender->limit = connections;
    event_active(sender->start, 0, 0);
}


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
    sender->multi = curl_multi_init();
    sender->timer = event_new(base, -1, 0, sender_on_timer, sender);
    sender->start = event_new(base, -1, 0, sender_on_start, sender);

    if (sender->multi == NULL || sender->timer == NULL
        || sender->start == NULL)
    {
        sender_close(sender);
        return NULL;
    }

    curl_multi_setopt(sender->multi, CURLMOPT_SOCKETFUNCTION,
                      sender_want_socket);
    curl_multi_setopt(sender->multi, CURLMOPT_SOCKETDATA, sender);
    curl_multi_setopt(sender->multi, CURLMOPT_TIMERFUNCTION,
                      sender_want_timer);
    curl_multi_setopt(sender->multi, CURLMOPT_TIMERDATA, sender);

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

    while (sender->nspare) {
        curl_easy_cleanup(sender->spare[--sender->nspare]);
    }

    if (sender->multi) {
        curl_multi_cleanup(sender->multi);
    }

    if (sender->start) {
        event_free(sender->start);
    }

    if (sender->timer) {
        event_free(sender->timer);
    }

    free(sender);
    curl_global_cleanup();
}
