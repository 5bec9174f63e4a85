#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/dns.h>
#include "worker/link.h"
#include "worker/link_parts.h"
#include "worker/master.h"


#define LINK_MAX_BYTES   (128 * 1024 * 1024)   /* unanswered */
#define LINK_MAX_COUNT   65536
#define LINK_READ        (256 * 1024)          /* bytes of one read */
#define LINK_SAY_AGAIN   60000                 /* ms between equal complaints */
#define LINK_GOOD        10000                 /* ms without another refusal */


struct link_s {
    struct event_base    *base;
    struct evdns_base    *dns;        /* of a host by name, else NULL */
    struct bufferevent   *bev;        /* NULL while between two connections */
    struct event         *flush;      /* at the end of the turn */
    struct event         *connect;    /* the pause before a connect */
    struct event         *tick;       /* deadlines */
    sluice_redis_t       *redis;
    sluice_redis_conf_t   conf;
    sluice_url_t          url;
    tls_t                *tls;        /* of rediss://, else NULL */
    char                 *name;
    master_t             *master;     /* where it is, with sentinels */
    link_to_e             to;
    link_state_pt         state;
    sluice_redis_reply_pt refused;
    link_mark_pt          mark;
    void                 *data;
    int64_t               timeout;
    link_replicas_t       replicas;
    int64_t               since;      /* when the connect was begun */
    int64_t               heard;      /* when a part of an answer came */
    int64_t               said;       /* when the last complaint was logged */
    char                  complaint[256];
    unsigned              failures;
    bool                  ready;
    bool                  replica;    /* it is no master any more */
    bool                  wary;       /* a WAIT or its write was refused */
    bool                  dirty;      /* flush is on its way */
};


static void link_lose(link_t *link, const char *why);


static void
link_complain(link_t *link, const char *why, int64_t pause)
{
    int64_t  now;

    now = clock_ms();

    if (strcmp(why, link->complaint) == 0
        && now - link->said < LINK_SAY_AGAIN)
    {
        return;
    }

    snprintf(link->complaint, sizeof(link->complaint), "%s", why);
    link->said = now;

    if (link->to != LINK_SERVER) {
        return;
    }

    log_event(LOG_ERROR_, "redis_away", "link", "%s", link->name,
              "error", "%s", why, "failures", "%u", link->failures,
              "retry_ms", "%lld", (long long) pause, NULL);
}


/*
 * The connection is given back, everything pending is answered, and another
 * is made after a pause.
 */

static void
link_lose(link_t *link, const char *why)
{
    char     text[256];
    int64_t  pause;

    /* the text may be the client's, which _lost may change */
    snprintf(text, sizeof(text), "%s", why);

    if (link->bev) {
        bufferevent_free(link->bev);
        link->bev = NULL;
    }

    link->ready = false;
    link->failures++;

    pause = sluice_retry_reconnect(link->failures, random_unit());

    if (link->master) {
        /* they are asked, and know how long to wait */
        master_lost(link->master);
        pause = 0;
    }

    link_complain(link, text, pause);
    clock_arm(link->connect, pause);

    sluice_redis_lost(link->redis);

    if (link->state) {
        link->state(link->data, false);
    }
}


static void
link_write(link_t *link)
{
    size_t           len;
    ssize_t          n;
    const void      *out;
    struct evbuffer *waiting;

    if (link->bev == NULL
        || sluice_redis_state(link->redis) == SLUICE_REDIS_CLOSED)
    {
        return;
    }

    waiting = bufferevent_get_output(link->bev);

    for ( ;; ) {
        out = sluice_redis_output(link->redis, &len);

        if (len == 0) {
            return;
        }

        /*
         * Past an empty buffer straight to the socket: spares a copy and two
         * epoll_ctl() a write.  An error shows in the next read.
         */

        n = 0;

        if (link->tls == NULL && evbuffer_get_length(waiting) == 0) {
            n = send(bufferevent_getfd(link->bev), out, len,
                     MSG_NOSIGNAL | MSG_DONTWAIT);
            n = (n < 0) ? 0 : n;
        }

        if ((size_t) n < len
            && bufferevent_write(link->bev, (const char *) out + n, len - n)
               != 0)
        {
            link_lose(link, "out of memory");
            return;
        }

        sluice_redis_sent(link->redis, len);
    }
}


static void
link_on_flush(evutil_socket_t fd, short what, void *data)
{
    link_t  *link = data;

    link->dirty = false;
    link_write(link);
}


/* somebody else has taken its place: a new connection leads there */

static void
link_on_refused(void *data, const redisReply *reply)
{
    link_t  *link = data;

    if (sluice_redis_reply_kind(reply) == SLUICE_REDIS_REPLY_REPLICA) {
        link->replica = true;
    }

    if (link->refused) {
        link->refused(link->data, reply);
    }
}


static void
link_on_mark(void *data, char key[SLUICE_REDIS_MARK], int another)
{
    link_t  *link = data;

    link->mark(link->data, key, another);
}


/* it can be worked with */

static void
link_good(link_t *link)
{
    link->wary = false;
    link->failures = 0;
    link->complaint[0] = '\0';

    if (link->to == LINK_SERVER) {
        log_event(LOG_INFO_, "redis_ready", "link", "%s", link->name, NULL);
    }
}


static void
link_on_waited(void *data, const redisReply *reply)
{
    link_t  *link = data;

    if (link->wary) {
        link_good(link);
    }

    link_replicas_told(&link->replicas, link->name, link->conf.replicas,
                       reply->integer);
}


static void
link_on_read(struct bufferevent *bev, void *data)
{
    link_t                 *link = data;
    struct evbuffer        *in;
    struct evbuffer_iovec   piece;
    sluice_redis_result_e   rc;

    in = bufferevent_get_input(bev);
    link->heard = clock_ms();

    while (evbuffer_peek(in, -1, NULL, &piece, 1) > 0) {
        rc = sluice_redis_feed(link->redis, piece.iov_base, piece.iov_len);

        if (rc != SLUICE_REDIS_OK) {

            /* it greets well: only a WAIT tells when it is better */

            link->wary |= (link->ready && rc == SLUICE_REDIS_REFUSED);
            link_lose(link, rc == SLUICE_REDIS_NOMEM
                            ? "out of memory"
                            : sluice_redis_error(link->redis));
            return;
        }

        evbuffer_drain(in, piece.iov_len);
    }

    if (link->replica) {
        link_lose(link, "it is a replica now, not the master");
        return;
    }

    /* the greeting goes on, and a lost script is loaded, from inside */
    link_write(link);

    if (link->bev == NULL || link->ready
        || sluice_redis_state(link->redis) != SLUICE_REDIS_READY)
    {
        return;
    }

    link->ready = true;

    if (link->master) {
        master_met(link->master);
    }

    if (!link->wary) {
        link_good(link);
    }

    if (link->state) {
        link->state(link->data, true);
    }
}


static void
link_connected(link_t *link)
{
    int  fd, on;

    fd = bufferevent_getfd(link->bev);
    on = 1;

    if (link->url.path[0] == '\0') {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    }

    if (sluice_redis_connected(link->redis, clock_ms()) != SLUICE_REDIS_OK) {
        link_lose(link, sluice_redis_error(link->redis));
        return;
    }

    link_write(link);
}


static void
link_on_event(struct bufferevent *bev, short what, void *data)
{
    char     text[256];
    link_t  *link = data;

    if (what & BEV_EVENT_CONNECTED) {
        link_connected(link);
        return;
    }

    link_failure(bev, link->tls, link->url.host, what, text, sizeof(text));
    link_lose(link, text);
}


static void
link_dial(link_t *link)
{
    link->since = clock_ms();
    link->replica = false;
    link->bev = link_stream(link->base, link->tls, link->url.host);

    if (link->bev == NULL) {
        link_lose(link, "out of memory");
        return;
    }

    bufferevent_setcb(link->bev, link_on_read, NULL, link_on_event, link);
    bufferevent_set_max_single_read(link->bev, LINK_READ);
    bufferevent_set_max_single_write(link->bev, LINK_READ);

    if (link->url.path[0]) {
        if (link_connect_unix(link->bev, link->url.path) != 0) {
            link_lose(link, strerror(errno));
            return;
        }

        bufferevent_enable(link->bev, EV_READ | EV_WRITE);
        link_connected(link);
        return;
    }

    bufferevent_enable(link->bev, EV_READ | EV_WRITE);

    /* a failure may also be told by link_on_event, from inside the call */

    if (bufferevent_socket_connect_hostname(link->bev, link->dns, AF_UNSPEC,
                                            link->url.host, link->url.port)
        != 0
        && link->bev)
    {
        link_lose(link, "cannot connect");
    }
}


static void
link_on_master(void *data, const sluice_node_t *node)
{
    link_t  *link = data;

    if (node == NULL) {
        link_lose(link, "the sentinels tell of another master");
        return;
    }

    memcpy(link->url.host, node->host, sizeof(link->url.host));
    link->url.port = node->port;
    link_dial(link);
}


static void
link_on_connect(evutil_socket_t fd, short what, void *data)
{
    link_t  *link = data;

    if (link->master) {
        master_find(link->master);

    } else if (link->to != LINK_NOWHERE) {
        link_dial(link);
    }
}


static void
link_on_tick(evutil_socket_t fd, short what, void *data)
{
    link_t   *link = data;
    int64_t   now, oldest;

    now = clock_ms();
    oldest = sluice_redis_oldest(link->redis);

    if (link->bev == NULL) {

        /* nobody waits for an answer longer than for a slow one */

        if (oldest != -1 && now - oldest > link->timeout) {
            sluice_redis_lost(link->redis);
        }

        return;
    }

    if (!link->ready && now - link->since > link->timeout) {
        link_lose(link, "timed out connecting");
        return;
    }

    if (link->ready && link->wary && now - link->since > LINK_GOOD) {
        link_good(link);
    }

    /* jobs of many megabytes may take longer: they must not be lost halfway */

    if (oldest != -1 && now - oldest > link->timeout
        && now - link->heard > link->timeout)
    {
        link_lose(link, "timed out waiting for an answer");
    }
}


link_t *
link_open(struct event_base *base, const settings_t *settings,
    const link_conf_t *conf)
{
    link_t         *link;
    int64_t         tick;
    struct timeval  tv;

    link = calloc(1, sizeof(link_t));

    if (link == NULL) {
        return NULL;
    }

    link->base = base;
    link->url = (conf->to == LINK_SENTINEL) ? settings->redis.sentinel
                                            : settings->redis.url;
    link->tls = tls_hold(settings->redis_tls);
    link->to = conf->to;
    link->state = conf->state;
    link->refused = conf->refused;
    link->data = conf->data;
    link->timeout = conf->timeout ? conf->timeout : settings->redis_timeout;
    link->name = strdup(conf->name ? conf->name : "");

    link->conf.url = &link->url;
    link->conf.scripts = conf->scripts;
    link->conf.nscripts = conf->nscripts;
    link->conf.name = conf->name ? link->name : NULL;
    link->conf.max_bytes = LINK_MAX_BYTES;
    link->conf.max_count = LINK_MAX_COUNT;
    link->conf.replica = (conf->to == LINK_ANY);
    link->conf.refused = link_on_refused;
    link->conf.data = link;

    if (conf->waits != LINK_WAITS_NOT) {
        link->mark = conf->mark;
        link->conf.replicas = settings->wait_replicas;
        link->conf.wait = settings->wait_timeout;
        link->conf.unsure = (conf->waits == LINK_WAITS_ONCE);
        link->conf.mark = conf->mark ? link_on_mark : NULL;
        link->conf.waited = link_on_waited;
    }

    if (conf->node) {
        memcpy(link->url.host, conf->node->host, sizeof(link->url.host));
        link->url.port = conf->node->port;
    }

    if (conf->node == NULL && settings->redis.kind == SLUICE_URL_SENTINEL) {
        link->master = master_open(base, settings, link_on_master, link);

        if (link->master == NULL) {
            link_close(link);
            return NULL;
        }
    }

    link->redis = sluice_redis_create(&link->conf);
    link->flush = event_new(base, -1, 0, link_on_flush, link);
    link->connect = event_new(base, -1, 0, link_on_connect, link);
    link->tick = event_new(base, -1, EV_PERSIST, link_on_tick, link);

    if (link->url.path[0] == '\0') {
        link->dns = evdns_base_new(base, EVDNS_BASE_INITIALIZE_NAMESERVERS
                                         | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    }

    if (link->name == NULL || link->redis == NULL || link->flush == NULL
        || link->connect == NULL || link->tick == NULL
        || (link->url.path[0] == '\0' && link->dns == NULL))
    {
        link_close(link);
        return NULL;
    }

    tick = link->timeout / 8;
    tick = (tick < 10) ? 10 : (tick > 500) ? 500 : tick;

    tv.tv_sec = 0;
    tv.tv_usec = tick * 1000;

    event_add(link->tick, &tv);
    clock_arm(link->connect, 0);

    return link;
}


sluice_redis_t *
link_redis(link_t *link)
{
    if (!link->dirty) {
        link->dirty = true;
        event_active(link->flush, 0, 0);
    }

    return link->redis;
}


const char *
link_why(const link_t *link)
{
    return link->complaint;
}


bool
link_ready(const link_t *link)
{
    return link->ready;
}


void
link_close(link_t *link)
{
    if (link == NULL) {
        return;
    }

    link->state = NULL;
    link->refused = NULL;
    link->ready = false;

    master_close(link->master);

    if (link->redis) {
        sluice_redis_lost(link->redis);
        sluice_redis_destroy(link->redis);
    }

    if (link->bev) {
        bufferevent_free(link->bev);
    }

    if (link->dns) {
        evdns_base_free(link->dns, 0);
    }

    if (link->flush) {
        event_free(link->flush);
    }

    if (link->connect) {
        event_free(link->connect);
    }

    if (link->tick) {
        event_free(link->tick);
    }

    tls_drop(link->tls);
    free(link->name);
    free(link);
}
