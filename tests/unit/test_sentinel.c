/*
 * Stories: a word an event, the answers in between are what is to be done.
 *
 *   next          ASK host, CONNECT host, WAIT ms, or "-" (nothing)
 *   +MS           so much later
 *   master=host   the sentinel says so, port 6379
 *   nil error bad silent   other answers
 *   met lost      of the master's connection
 *   look=host     LOOK sentinel, which says so; then LEFT, or nothing
 *   look          it is silent
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "core/sentinel.h"
#include "reply.h"
#include "rows.h"


typedef struct {
    const char  *name;
    const char  *url;
    const char  *story;
    const char  *log;
} story_t;


static void
answer(sluice_sentinel_t *sentinel, const char *resp, int64_t now)
{
    redisReply  *reply;

    reply = reply_of(resp);
    (void) sluice_sentinel_answered(sentinel, reply, now);

    if (reply) {
        freeReplyObject(reply);
    }
}


static void
next(sluice_sentinel_t *sentinel, int64_t now, char *log)
{
    sluice_sentinel_step_t  step;

    sluice_sentinel_next(sentinel, now, &step);
    log += strlen(log);

    switch (step.step) {

    case SLUICE_SENTINEL_ASK:
        sprintf(log, "ASK %s ", step.node.host);
        break;

    case SLUICE_SENTINEL_CONNECT:
        assert_int_equal(step.node.port, 6379);
        sprintf(log, "CONNECT %s ", step.node.host);
        break;

    case SLUICE_SENTINEL_WAIT:
        sprintf(log, "WAIT %d ", (int) step.wait);
        break;

    default:
        strcpy(log, "- ");
    }
}


static void
look(sluice_sentinel_t *sentinel, const char *host, char *log)
{
    char                  resp[128];
    redisReply           *reply;
    const sluice_node_t  *node;

    node = sluice_sentinel_look(sentinel);
    snprintf(resp, sizeof(resp), "*2\r\n$%d\r\n%s\r\n$4\r\n6379\r\n",
             (int) strlen(host), host);
    reply = host[0] ? reply_of(resp) : NULL;

    sprintf(log + strlen(log), "LOOK %s ", node ? node->host : "-");

    if (sluice_sentinel_looked(sentinel, reply)) {
        strcat(log, "LEFT ");
    }

    if (reply) {
        freeReplyObject(reply);
    }
}


static void
test_story(void **state)
{
    char                *word, *save, text[1024], log[2048], resp[128];
    int64_t              now;
    const story_t       *row;
    sluice_sentinel_t    sentinel;
    sluice_url_nodes_t   nodes;

    row = row_of(story_t, state);
    assert_null(sluice_url_parse_nodes(&nodes, row->url, strlen(row->url)));

    sluice_sentinel_init(&sentinel, &nodes);
    strcpy(text, row->story);
    log[0] = '\0';
    now = 1000000;

    for (word = strtok_r(text, " ", &save);
         word;
         word = strtok_r(NULL, " ", &save))
    {
        if (strcmp(word, "next") == 0) {
            next(&sentinel, now, log);

        } else if (word[0] == '+') {
            now += atoi(word + 1);

        } else if (strncmp(word, "master=", 7) == 0) {
            snprintf(resp, sizeof(resp), "*2\r\n$%d\r\n%s\r\n$4\r\n6379\r\n",
                     (int) strlen(word + 7), word + 7);
            answer(&sentinel, resp, now);

        } else if (strcmp(word, "nil") == 0) {
            answer(&sentinel, "*-1\r\n", now);

        } else if (strcmp(word, "error") == 0) {
            answer(&sentinel, "-NOAUTH Authentication required.\r\n", now);

        } else if (strcmp(word, "bad") == 0) {
            answer(&sentinel, "*2\r\n$1\r\nm\r\n$5\r\n65536\r\n", now);

        } else if (strcmp(word, "silent") == 0) {
            answer(&sentinel, NULL, now);

        } else if (strncmp(word, "look", 4) == 0) {
            look(&sentinel, word + (word[4] ? 5 : 4), log);

        } else if (strcmp(word, "met") == 0) {
            sluice_sentinel_met(&sentinel, now);

        } else {
            assert_string_equal(word, "lost");
            sluice_sentinel_lost(&sentinel, now);
        }
    }

    if (log[0]) {
        log[strlen(log) - 1] = '\0';
    }

    assert_string_equal(log, row->log);
}


#define ABC  "redis+sentinel://a,b,c/m"
#define A    "redis+sentinel://a/m"
#define AB   "redis+sentinel://a,b/m"


static const story_t  stories[] = {
    { "the first sentinel knows", ABC, "next next master=x next next met next",
      "ASK a - CONNECT x - -" },
    { "IPv6", A, "next master=::1 next", "ASK a CONNECT ::1" },
    { "the next is asked when one is silent", ABC,
      "next silent next silent next master=x next",
      "ASK a ASK b ASK c CONNECT x" },
    { "or does not know the name, refuses, talks nonsense", ABC,
      "next nil next error next bad next",
      "ASK a ASK b ASK c WAIT 100" },
    { "the pause ends with another round, and grows", AB,
      "next nil next nil next +99 next +1 next nil next nil next",
      "ASK a ASK b WAIT 100 WAIT 1 ASK a ASK b WAIT 200" },
    { "the pause has a bound", A,
      "next nil next +100 next nil next +200 next nil next +400 next nil next "
      "+800 next nil next +1600 next nil next",
      "ASK a WAIT 100 ASK a WAIT 200 ASK a WAIT 400 ASK a WAIT 800 ASK a "
      "WAIT 1600 ASK a WAIT 1600" },
    { "who answered is asked first from then on", ABC,
      "next nil next master=x next met +5000 lost next",
      "ASK a ASK b CONNECT x ASK b" },
    { "who was silent is left out of the next rounds", ABC,
      "next silent next nil next nil next +100 next nil next nil next",
      "ASK a ASK b ASK c WAIT 100 ASK b ASK c WAIT 200" },
    { "until its quarantine is over", AB,
      "next silent +4999 next nil next +100 next nil next",
      "ASK a ASK b WAIT 100 ASK b ASK a" },
    { "all in quarantine: the first is asked all the same", AB,
      "next silent next silent next +100 next silent next",
      "ASK a ASK b WAIT 100 ASK a WAIT 200" },
    { "a master that is a replica: another sentinel, after a pause", ABC,
      "next master=old next lost next +100 next master=new next met next",
      "ASK a CONNECT old WAIT 100 ASK b CONNECT new -" },
    { "whoever sent to it comes last", ABC,
      "next master=old next lost +100 next master=old next lost +200 next "
      "master=old next lost +400 next",
      "ASK a CONNECT old ASK b CONNECT old ASK c CONNECT old ASK a" },
    { "a master that was good is asked for at once", A,
      "next master=x next met +1000 lost next master=y next",
      "ASK a CONNECT x ASK a CONNECT y" },
    { "one that fails at once is not", A,
      "next master=x next met +999 lost next +100 next master=x next met lost "
      "next",
      "ASK a CONNECT x WAIT 100 ASK a CONNECT x WAIT 200" },
    { "after a good one the pause is short again", A,
      "next nil next +100 next nil next +200 next master=x next met +1000 lost "
      "next nil next",
      "ASK a WAIT 100 ASK a WAIT 200 ASK a CONNECT x ASK a WAIT 100" },
    { "what comes late changes nothing", A,
      "master=x met lost next lost met master=x next master=y met met lost "
      "next +1000 lost lost next",
      "ASK a CONNECT x WAIT 100 ASK a" },
    { "the address is new after a failover", ABC,
      "next master=x next met +9000 lost next master=x next lost next +100 "
      "next silent next master=y next met next",
      "ASK a CONNECT x ASK a CONNECT x WAIT 100 ASK b ASK c CONNECT y -" },
    { "another master since", ABC,
      "look=x next silent next look=x master=x next look=x met look=x look=x "
      "look=y look=y lost look=y",
      "LOOK - ASK a ASK b LOOK - CONNECT x LOOK - LOOK b LOOK b LOOK b LEFT "
      "LOOK b LEFT LOOK -" },
    { "a sentinel that is silent: the next, when it knew of this one", ABC,
      "next master=x next met look look=y look=x look=x look=y",
      "ASK a CONNECT x LOOK a LOOK b LOOK c LOOK c LOOK c LEFT" },
    { "a sentinel that is behind the others is none to look at", AB,
      "next master=x next met look look=old look=x look look=old look=x",
      "ASK a CONNECT x LOOK a LOOK b LOOK a LOOK a LOOK b LOOK a" },
};


int
main(void)
{
    rows_add(stories, test_story);

    return rows_run("sentinel");
}
