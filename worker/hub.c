#include <stdlib.h>
#include "worker/hub.h"
#include "worker/link.h"


static void
hub_check(hub_t *hub)
{
    int       left;
    CURLMsg  *message;

    while ((message = curl_multi_info_read(hub->multi, &left)) != NULL) {

        if (message->msg == CURLMSG_DONE) {
            hub->done(message->easy_handle, message->data.result);
        }
    }
}


static void
hub_on_event(evutil_socket_t fd, short what, void *data)
{
    int     running;
    hub_t  *hub = data;

    curl_multi_socket_action(hub->multi, fd,
                             ((what & EV_READ) ? CURL_CSELECT_IN : 0)
                             | ((what & EV_WRITE) ? CURL_CSELECT_OUT : 0),
                             &running);
    hub_check(hub);
}


static void
hub_on_timer(evutil_socket_t fd, short what, void *data)
{
    int     running;
    hub_t  *hub = data;

    curl_multi_socket_action(hub->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    hub_check(hub);
}


static int
hub_want_socket(CURL *easy, curl_socket_t fd, int what, void *user,
    void *socket)
{
    short          events;
    hub_t         *hub = user;
    struct event  *event = socket;

    if (event) {
        event_free(event);
        curl_multi_assign(hub->multi, fd, NULL);
    }

    if (what == CURL_POLL_REMOVE) {
        return 0;
    }

    events = EV_PERSIST | ((what & CURL_POLL_IN) ? EV_READ : 0)
             | ((what & CURL_POLL_OUT) ? EV_WRITE : 0);

    event = event_new(hub->base, fd, events, hub_on_event, hub);

    if (event == NULL || event_add(event, NULL) != 0) {
        return -1;
    }

    curl_multi_assign(hub->multi, fd, event);

    return 0;
}


static int
hub_want_timer(CURLM *multi, long ms, void *user)
{
    hub_t  *hub = user;

    if (ms < 0) {
        event_del(hub->timer);
        return 0;
    }

    clock_arm(hub->timer, ms);

    return 0;
}


bool
hub_add(hub_t *hub, CURL *easy)
{
    hub->open++;

    return curl_multi_add_handle(hub->multi, easy) == CURLM_OK;
}


void
hub_remove(hub_t *hub, CURL *easy)
{
    hub->open--;

    curl_multi_remove_handle(hub->multi, easy);
}


void
hub_limit(hub_t *hub, size_t limit)
{
    long  connections;

    hub->limit = limit;
    connections = limit ? (long) limit : 1;    /* of 0 it takes any number */

    curl_multi_setopt(hub->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
    curl_multi_setopt(hub->multi, CURLMOPT_MAXCONNECTS, connections);
}


hub_t *
hub_open(struct event_base *base, size_t limit, hub_pt done)
{
    hub_t  *hub;

    hub = calloc(1, sizeof(hub_t));

    if (hub == NULL) {
        return NULL;
    }

    hub->base = base;
    hub->done = done;
    hub->multi = curl_multi_init();
    hub->timer = event_new(base, -1, 0, hub_on_timer, hub);

    if (hub->multi == NULL || hub->timer == NULL) {
        hub_close(hub);
        return NULL;
    }

    curl_multi_setopt(hub->multi, CURLMOPT_SOCKETFUNCTION, hub_want_socket);
    curl_multi_setopt(hub->multi, CURLMOPT_SOCKETDATA, hub);
    curl_multi_setopt(hub->multi, CURLMOPT_TIMERFUNCTION, hub_want_timer);
    curl_multi_setopt(hub->multi, CURLMOPT_TIMERDATA, hub);
    hub_limit(hub, limit);

    return hub;
}


void
hub_close(hub_t *hub)
{
    /* it still stops its timer and sockets */

    if (hub->multi) {
        curl_multi_cleanup(hub->multi);
    }

    if (hub->timer) {
        event_free(hub->timer);
    }

    free(hub);
}
