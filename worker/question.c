#include <stdlib.h>
#include <string.h>
#include "worker/question.h"


struct question_s {
    struct event_base      *base;
    settings_t              settings;    /* what a link needs */
    link_to_e               to;
    link_t                 *link;
    struct event           *end;
    sluice_redis_reply_pt   reply;
    void                   *data;
};


/* a link cannot be closed from its reply */

static void
question_on_end(evutil_socket_t fd, short what, void *data)
{
    question_t  *question = data;

    link_close(question->link);
    question->link = NULL;
}


static void
question_on_reply(void *data, const redisReply *reply)
{
    question_t  *question = data;

    if (question->reply) {
        event_active(question->end, 0, 0);
        question->reply(question->data, reply);
    }
}


question_t *
question_open(struct event_base *base, const settings_t *settings,
    link_to_e to, sluice_redis_reply_pt reply, void *data)
{
    question_t  *question;

    question = calloc(1, sizeof(question_t));

    if (question == NULL) {
        return NULL;
    }

    question->base = base;
    question->settings.redis = settings->redis;
    question->settings.redis_tls = tls_hold(settings->redis_tls);
    question->to = to;
    question->reply = reply;
    question->data = data;
    question->end = event_new(base, -1, 0, question_on_end, question);

    if (question->end == NULL) {
        question_close(question);
        return NULL;
    }

    return question;
}


int
question_ask(question_t *question, const sluice_node_t *node,
    const char *first, const char *second, const char *third)
{
    link_conf_t  conf;

    question_on_end(-1, 0, question);

    memset(&conf, 0, sizeof(link_conf_t));
    conf.to = question->to;
    conf.node = node;
    conf.timeout = QUESTION_TIMEOUT;

    question->link = link_open(question->base, &question->settings, &conf);

    if (question->link == NULL) {
        return -1;
    }

    return sluice_redis_command(link_redis(question->link), clock_ms(),
                                question_on_reply, question, first, second,
                                third, NULL)
           == SLUICE_REDIS_OK ? 0 : -1;
}


const char *
question_why(const question_t *question)
{
    return question->link ? link_why(question->link) : "";
}


void
question_close(question_t *question)
{
    if (question == NULL) {
        return;
    }

    question->reply = NULL;

    if (question->link) {
        link_close(question->link);
    }

    if (question->end) {
        event_free(question->end);
    }

    tls_drop(question->settings.redis_tls);
    free(question);
}
