#include <stdlib.h>
#include <string.h>
#include "worker/wake.h"


#define WAKE_PING  5000    /* ms: a connection that is dead tells nothing */


struct wake_s {
    wake_conf_t     conf;
    links_t        *links;
    const link_t   *link;       /* on which the channel was asked for */
    struct event   *ping;
    bool            listens;
    bool            refused;    /* and the log knows */
};


static void
wake_on_message(void *data, const redisReply *reply)
{
    wake_t  *wake = data;

    wake->conf.word(wake->conf.data, reply->element[2]->str,
                    reply->element[2]->len);
}


static void
wake_on_subscribed(void *data, const redisReply *reply)
{
    wake_t  *wake = data;

    if (reply == NULL) {
        return;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        if (!wake->refused) {
            wake->refused = true;
            log_event(LOG_WARN_, "wake_refused", "error", "%s", reply->str,
                      "reason", "%s", "jobs are found by sweeps only", NULL);
        }

        return;
    }

    wake->refused = false;
    wake->listens = true;
    wake->conf.listens(wake->conf.data);
}


static void
wake_on_links(void *data)
{
    link_t          *link;
    wake_t          *wake = data;
    sluice_redis_t  *redis;

    link = links_of(wake->links, WAKE_CHANNEL);

    if (!link_ready(link)) {
        wake->link = NULL;
        wake->listens = false;
        return;
    }

    if (link == wake->link) {
        return;
    }

    wake->link = link;
    wake->listens = false;

    redis = link_redis(link);
    sluice_redis_listen(redis, wake_on_message, wake);

    (void) sluice_redis_command(redis, clock_ms(), wake_on_subscribed, wake,
                                "SUBSCRIBE", WAKE_CHANNEL, NULL);
}


/* the link notices that there is no answer; a refusal may have been mended */

static void
wake_on_ping(evutil_socket_t fd, short what, void *data)
{
    link_t  *link;
    wake_t  *wake = data;

    link = links_of(wake->links, WAKE_CHANNEL);

    if (link_ready(link) && wake->refused) {
        wake->link = NULL;
        wake_on_links(wake);

    } else if (link_ready(link)) {
        (void) sluice_redis_command(link_redis(link), clock_ms(), NULL, NULL,
                                    "PING", NULL);
    }
}


wake_t *
wake_open(struct event_base *base, const settings_t *settings,
    const wake_conf_t *conf)
{
    wake_t          *wake;
    links_conf_t     links;
    struct timeval   tv = { WAKE_PING / 1000, 0 };

    wake = calloc(1, sizeof(wake_t));

    if (wake == NULL) {
        return NULL;
    }

    wake->conf = *conf;

    memset(&links, 0, sizeof(links_conf_t));
    links.peer = conf->peer;
    links.name = "sluiced:wake";
    links.changed = wake_on_links;
    links.data = wake;

    wake->links = links_open(base, settings, &links);
    wake->ping = event_new(base, -1, EV_PERSIST, wake_on_ping, wake);

    if (wake->links == NULL || wake->ping == NULL) {
        wake_close(wake);
        return NULL;
    }

    event_add(wake->ping, &tv);
    wake_on_links(wake);

    return wake;
}


void
wake_close(wake_t *wake)
{
    if (wake == NULL) {
        return;
    }

    links_close(wake->links);

    if (wake->ping) {
        event_free(wake->ping);
    }

    free(wake);
}


bool
wake_listens(const wake_t *wake)
{
    return wake->listens;
}
