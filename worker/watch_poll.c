#include <stdlib.h>
#include <string.h>
#include "worker/watch_poll.h"


struct polled_s {
    poll_t     *poll;
    polled_t   *prev, *next;
    char       *marker;
    watch_pt    marked;      /* NULL: removed while it is asked for */
    void       *data;
    bool        wanted;
    bool        asked;
};

struct poll_s {
    links_t       *links;
    struct event  *turn;
    polled_t      *queues;
    size_t         n;
    bool           planned;
};


bool
poll_due(const redisReply *member, const redisReply *score, int64_t *due)
{
    if (member->type != REDIS_REPLY_STRING || score->type != REDIS_REPLY_STRING)
    {
        return false;
    }

    *due = (strcmp(member->str, "0") == 0) ? 0
                                           : (int64_t) strtod(score->str, NULL);

    return true;
}


void
poll_put_back(links_t *links, const char *marker, const redisReply *member,
    const redisReply *score)
{
    link_t  *link;

    link = links_of(links, marker);

    if (link_ready(link)) {
        (void) sluice_redis_command(link_redis(link), clock_ms(), NULL, NULL,
                                    "ZADD", marker, score->str, member->str,
                                    NULL);
    }
}


static void
poll_plan(poll_t *poll)
{
    if (!poll->planned) {
        poll->planned = true;
        clock_arm(poll->turn, WATCH_POLL + (int64_t) poll->n);
    }
}


static void
poll_free(polled_t *polled)
{
    free(polled->marker);
    free(polled);
}


static void
poll_on_reply(void *data, const redisReply *reply)
{
    int64_t    due;
    polled_t  *polled = data;

    polled->asked = false;

    if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
        && poll_due(reply->element[0], reply->element[1], &due)
        && (polled->marked == NULL || !polled->marked(polled->data, due)))
    {
        poll_put_back(polled->poll->links, polled->marker, reply->element[0],
                      reply->element[1]);
    }

    if (polled->marked == NULL) {
        poll_free(polled);
    }
}


static void
poll_on_turn(evutil_socket_t fd, short what, void *data)
{
    bool       more;
    link_t    *link;
    poll_t    *poll = data;
    polled_t  *polled;

    more = false;
    poll->planned = false;

    for (polled = poll->queues; polled; polled = polled->next) {

        if (!polled->wanted) {
            continue;
        }

        more = true;
        link = links_of(poll->links, polled->marker);

        if (!polled->asked && link_ready(link)) {
            polled->asked = sluice_redis_command(link_redis(link), clock_ms(),
                                                 poll_on_reply, polled,
                                                 "ZPOPMIN", polled->marker,
                                                 NULL)
                            == SLUICE_REDIS_OK;
        }
    }

    if (more) {
        poll_plan(poll);
    }
}


poll_t *
poll_open(struct event_base *base, links_t *links)
{
    poll_t  *poll;

    poll = calloc(1, sizeof(poll_t));

    if (poll == NULL) {
        return NULL;
    }

    poll->links = links;
    poll->turn = event_new(base, -1, 0, poll_on_turn, poll);

    if (poll->turn == NULL) {
        free(poll);
        return NULL;
    }

    return poll;
}


void
poll_close(poll_t *poll)
{
    polled_t  *polled;

    if (poll == NULL) {
        return;
    }

    while (poll->queues) {
        polled = poll->queues;
        poll->queues = polled->next;
        poll_free(polled);
    }

    event_free(poll->turn);
    free(poll);
}


polled_t *
poll_add(poll_t *poll, const char *marker, watch_pt marked, void *data)
{
    polled_t  *polled;

    polled = calloc(1, sizeof(polled_t));

    if (polled == NULL) {
        return NULL;
    }

    polled->poll = poll;
    polled->marker = strdup(marker);
    polled->marked = marked;
    polled->data = data;

    if (polled->marker == NULL) {
        free(polled);
        return NULL;
    }

    polled->next = poll->queues;

    if (polled->next) {
        polled->next->prev = polled;
    }

    poll->queues = polled;
    poll->n++;

    return polled;
}


void
poll_remove(polled_t *polled)
{
    if (polled->prev) {
        polled->prev->next = polled->next;

    } else {
        polled->poll->queues = polled->next;
    }

    if (polled->next) {
        polled->next->prev = polled->prev;
    }

    polled->poll->n--;
    polled->marked = NULL;

    if (!polled->asked) {
        poll_free(polled);
    }
}


void
poll_want(polled_t *polled, bool wanted)
{
    polled->wanted = wanted;

    if (wanted) {
        poll_plan(polled->poll);
    }
}
