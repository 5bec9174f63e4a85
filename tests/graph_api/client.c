#include <stdlib.h>
#include <string.h>
#include <curl/curl.h>
#include "graph_api.h"


#define TIMEOUT    10000L        /* ms; Meta waits about as long */
#define REPLY_MAX  (64 * 1024)   /* of a reply's body, the rest is dropped */

struct client_s {
    struct event_base  *base;
    CURLM              *multi;
    struct event       *timer;
};

typedef struct {
    CURL               *easy;
    struct curl_slist  *headers;
    client_done_pt      done;
    void               *data;
    char               *body;
    size_t              len;
    char                retry_after[64];
    char                error[CURL_ERROR_SIZE];
} call_t;


static void
call_end(CURL *easy, CURLcode code)
{
    call_t   *call;
    reply_t   reply;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **) &call);

    memset(&reply, 0, sizeof(reply));
    reply.body = call->body ? call->body : "";
    reply.body_len = call->len;
    reply.retry_after = call->retry_after[0] ? call->retry_after : NULL;

    if (code == CURLE_OK) {
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &reply.status);

    } else {
        reply.error = call->error[0] ? call->error : curl_easy_strerror(code);
    }

    call->done(call->data, &reply);

    curl_easy_cleanup(easy);
    curl_slist_free_all(call->headers);
    free(call->body);
    free(call);
}


static void
collect(client_t *client)
{
    int       left;
    CURL     *easy;
    CURLMsg  *message;
    CURLcode  code;

    while ((message = curl_multi_info_read(client->multi, &left))) {

        if (message->msg != CURLMSG_DONE) {
            continue;
        }

        easy = message->easy_handle;
        code = message->data.result;
        curl_multi_remove_handle(client->multi, easy);
        call_end(easy, code);
    }
}


static void
on_socket(evutil_socket_t fd, short what, void *data)
{
    int        running, flags;
    client_t  *client;

    client = data;
    flags = ((what & EV_READ) ? CURL_CSELECT_IN : 0)
            | ((what & EV_WRITE) ? CURL_CSELECT_OUT : 0);

    curl_multi_socket_action(client->multi, fd, flags, &running);
    collect(client);
}


static void
on_timer(evutil_socket_t fd, short what, void *data)
{
    int        running;
    client_t  *client;

    client = data;
    curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(client);
}


static int
want_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *socket)
{
    short          events;
    client_t      *client;
    struct event  *event;

    client = data;
    event = socket;

    if (event) {
        event_free(event);
        curl_multi_assign(client->multi, fd, NULL);
    }

    if (what == CURL_POLL_REMOVE) {
        return 0;
    }

    events = EV_PERSIST | ((what & CURL_POLL_IN) ? EV_READ : 0)
             | ((what & CURL_POLL_OUT) ? EV_WRITE : 0);
    event = must(event_new(client->base, fd, events, on_socket, client));
    event_add(event, NULL);
    curl_multi_assign(client->multi, fd, event);

    return 0;
}


static int
want_timer(CURLM *multi, long ms, void *data)
{
    client_t        *client;
    struct timeval   tv;

    client = data;

    if (ms < 0) {
        evtimer_del(client->timer);
        return 0;
    }

    tv.tv_sec = ms / 1000;
    tv.tv_usec = ms % 1000 * 1000;
    evtimer_add(client->timer, &tv);

    return 0;
}


client_t *
client_create(struct event_base *base)
{
    client_t  *client;

    client = must(calloc(1, sizeof(*client)));
    client->base = base;
    client->multi = must(curl_multi_init());
    client->timer = must(evtimer_new(base, on_timer, client));

    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, want_timer);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);

    return client;
}


static size_t
on_body(char *data, size_t size, size_t n, void *arg)
{
    size_t   take;
    call_t  *call;

    call = arg;
    n *= size;
    take = call->len + n > REPLY_MAX ? REPLY_MAX - call->len : n;

    call->body = must(realloc(call->body, call->len + take + 1));
    memcpy(call->body + call->len, data, take);
    call->len += take;
    call->body[call->len] = '\0';

    return n;
}


static size_t
on_header(char *data, size_t size, size_t n, void *arg)
{
    int      len;
    call_t  *call;

    call = arg;
    n *= size;

    if (n > 13 && strncasecmp(data, "Retry-After: ", 13) == 0) {
        len = (int) (n - 13);

        while (len > 0 && (data[12 + len] == '\n' || data[12 + len] == '\r'))
        {
            len--;
        }

        snprintf(call->retry_after, sizeof(call->retry_after), "%.*s", len,
                 data + 13);
    }

    return n;
}


static void
set_url(CURL *easy, const char *url)
{
    char        *path, *full;
    size_t       size;
    const char  *uri;

    if (strncmp(url, "unix:", 5) != 0) {
        curl_easy_setopt(easy, CURLOPT_URL, url);
        return;
    }

    uri = strchr(url + 5, ':');
    path = must(uri ? strndup(url + 5, (size_t) (uri - url - 5))
                    : strdup(url + 5));
    uri = uri ? uri + 1 : "/";

    size = strlen(uri) + sizeof("http://localhost");
    full = must(malloc(size));
    snprintf(full, size, "http://localhost%s", uri);

    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, path);
    curl_easy_setopt(easy, CURLOPT_URL, full);

    free(full);
    free(path);
}


void
client_request(client_t *client, const char *url, const char *body,
    size_t len, const char *const *headers, client_done_pt done, void *data)
{
    call_t  *call;

    call = must(calloc(1, sizeof(*call)));
    call->easy = must(curl_easy_init());
    call->done = done;
    call->data = data;

    for ( /* void */ ; headers && *headers; headers++) {
        call->headers = must(curl_slist_append(call->headers, *headers));
    }

    set_url(call->easy, url);
    curl_easy_setopt(call->easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(call->easy, CURLOPT_ERRORBUFFER, call->error);
    curl_easy_setopt(call->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(call->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, TIMEOUT);
    curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
    curl_easy_setopt(call->easy, CURLOPT_USERAGENT,
                     "facebookexternalua");
    curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(call->easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(call->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(call->easy, CURLOPT_HEADERDATA, call);

    if (body) {
        curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t) len);
        curl_easy_setopt(call->easy, CURLOPT_COPYPOSTFIELDS, body);
    }

    curl_multi_add_handle(client->multi, call->easy);
}
