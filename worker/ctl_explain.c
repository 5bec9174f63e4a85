/*
 * `explain`: why a job is not running.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/ctl.h"
#include "worker/explain.h"


const char  ctl_explain_help[] =
    "usage: sluicectl [-c FILE | -r URL] [--json] explain QUEUE ID\n\n"
    "Why is this job not running?  Reasons, the strongest first.\n";


/* the answers of explain_ask(), in order */

enum {
    ASK_HASH,
    ASK_COMPLETED,
    ASK_FAILED,
    ASK_DELAYED,
    ASK_PRIORITIZED,
    ASK_CHILDREN,
    ASK_ACTIVE,
    ASK_WAIT,
    ASK_PAUSED,
    ASK_META,
    ASK_ACTIVE_N,
    ASK_WAIT_N,
    ASK_PAUSED_N,
    ASK_RANK,
    ASK_BEFORE,
    ASK_LIMITER,
    ASK_LIMITED,
    ASK_LOCK,
    ASK_LEASE,
    ASK_KIDS,
    ASK_KID,
    ASK_OWNER,
    ASK_TIME,
    ASK_CLIENTS,
    ASK_N
};


/* one pipeline; what a key of another type answers is an error, and passed */

static void
explain_ask(ctl_t *ctl, const char *base, const char *id)
{
    ctl_ask(ctl, "HMGET %s%s name priority finishedOn atm stc"
            " failedReason defa pb rjk gk", base, id);
    ctl_ask(ctl, "ZSCORE %scompleted %s", base, id);
    ctl_ask(ctl, "ZSCORE %sfailed %s", base, id);
    ctl_ask(ctl, "ZSCORE %sdelayed %s", base, id);
    ctl_ask(ctl, "ZSCORE %sprioritized %s", base, id);
    ctl_ask(ctl, "ZSCORE %swaiting-children %s", base, id);
    ctl_ask(ctl, "LPOS %sactive %s", base, id);
    ctl_ask(ctl, "LPOS %swait %s", base, id);
    ctl_ask(ctl, "LPOS %spaused %s", base, id);
    ctl_ask(ctl, "HMGET %smeta paused concurrency max duration", base);
    ctl_ask(ctl, "LLEN %sactive", base);
    ctl_ask(ctl, "LLEN %swait", base);
    ctl_ask(ctl, "LLEN %spaused", base);
    ctl_ask(ctl, "ZRANK %sprioritized %s", base, id);
    ctl_ask(ctl, "ZCARD %sprioritized", base);
    ctl_ask(ctl, "GET %slimiter", base);
    ctl_ask(ctl, "PTTL %slimiter", base);
    ctl_ask(ctl, "GET %s%s:lock", base, id);
    ctl_ask(ctl, "PTTL %s%s:lock", base, id);
    ctl_ask(ctl, "SCARD %s%s:dependencies", base, id);
    ctl_ask(ctl, "SRANDMEMBER %s%s:dependencies", base, id);
    ctl_ask(ctl, "GET %sde:%s", base, id);
    ctl_ask(ctl, "TIME");
    ctl_ask(ctl, "CLIENT LIST");
}


static const char *
explain_text(const redisReply *reply)
{
    return (reply && reply->type == REDIS_REPLY_STRING) ? reply->str : "";
}


static int64_t
explain_number(const redisReply *reply)
{
    return ctl_integer(reply, 0);
}


static bool
explain_is(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING
           || reply->type == REDIS_REPLY_INTEGER;
}


/*
 * Connections that take jobs: those of sluiced say so, a stock worker's name is
 * "<prefix>:<queue in base64>".  Of sluiced it cannot be seen which queues it
 * works on.  -1: Redis does not tell.
 */

static int64_t
explain_workers(const ctl_queue_t *queue, const redisReply *clients)
{
    int          bits, n;
    char         name[64 + SLUICE_KEYS_MAX * 3];
    size_t       i, len, at;
    int64_t      workers;
    unsigned     word;
    const char  *p;

    static const char  digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                                  "qrstuvwxyz0123456789+/";

    if (clients->type != REDIS_REPLY_STRING) {
        return -1;
    }

    at = (size_t) snprintf(name, sizeof(name), " name=%s:", queue->prefix);
    len = strlen(queue->name);

    for (i = 0; i < len; i += 3) {
        word = 0;

        for (n = 0; n < 3; n++) {
            word = (word << 8) | (i + (size_t) n < len
                                  ? (unsigned char) queue->name[i + (size_t) n]
                                  : 0);
        }

        for (bits = 18, n = 0; bits >= 0; bits -= 6, n++) {
            name[at++] = (i + (size_t) n > len) ? '='
                         : digits[(word >> bits) & 63];
        }
    }

    name[at] = '\0';
    workers = 0;

    for (p = clients->str; (p = strstr(p, name)) != NULL; p += at) {
        workers += p[at] == ' ' || p[at] == ':';
    }

    for (p = clients->str; (p = strstr(p, " name=sluiced ")) != NULL; p++) {
        workers++;
    }

    return workers;
}


static job_state_e
explain_state(redisReply *const *reply)
{
    size_t  i;

    static const struct {
        int          ask;
        job_state_e  state;
    } states[] = {
        { ASK_COMPLETED, STATE_COMPLETED },
        { ASK_FAILED, STATE_FAILED },
        { ASK_DELAYED, STATE_DELAYED },
        { ASK_PRIORITIZED, STATE_PRIORITIZED },
        { ASK_CHILDREN, STATE_CHILDREN },
        { ASK_ACTIVE, STATE_ACTIVE },
        { ASK_WAIT, STATE_WAITING },
        { ASK_PAUSED, STATE_WAITING }
    };

    for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (explain_is(reply[states[i].ask])) {
            return states[i].state;
        }
    }

    return STATE_UNKNOWN;
}


/* lists are taken from their right end, and before what has a priority */

static int64_t
explain_ahead(redisReply *const *reply)
{
    if (explain_is(reply[ASK_WAIT])) {
        return explain_number(reply[ASK_WAIT_N]) - 1
               - explain_number(reply[ASK_WAIT]);
    }

    if (explain_is(reply[ASK_PAUSED])) {
        return explain_number(reply[ASK_PAUSED_N]) - 1
               - explain_number(reply[ASK_PAUSED]);
    }

    return explain_is(reply[ASK_RANK])
           ? explain_number(reply[ASK_RANK])
             + explain_number(reply[ASK_WAIT_N])
             + explain_number(reply[ASK_PAUSED_N])
           : -1;
}


/* what a second look is needed for: the scheduler, the group */

static void
explain_more(ctl_t *ctl, const ctl_queue_t *queue, const char *id,
    explain_facts_t *facts)
{
    redisReply  *reply;

    if (facts->scheduler[0]) {
        ctl_ask(ctl, "ZSCORE %srepeat %s", queue->base, facts->scheduler);
        facts->scheduled = explain_is(ctl_reply_any(ctl));
    }

    if (facts->state != STATE_DELAYED || facts->group[0] == '\0') {
        return;
    }

    ctl_ask(ctl, "ZRANGE %s::sluice:group:%s:%s 0 0", queue->prefix,
            queue->name, facts->group);
    reply = ctl_reply_any(ctl);

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 1
        && strcmp(reply->element[0]->str, id) != 0)
    {
        facts->first = reply->element[0]->str;
    }
}


int
ctl_explain(ctl_t *ctl, int argc, char **argv)
{
    size_t            i;
    json_t           *list;
    explain_t         answer;
    redisReply       *reply[ASK_N], **hash, **meta;
    const char       *id;
    ctl_queue_t       queue;
    explain_facts_t   facts;

    static const struct option  options[] = { { NULL, 0, NULL, 0 } };

    (void) ctl_option(argc, argv, options);

    if (argc - optind != 2 || argv[optind + 1][0] == '\0') {
        ctl_fail(CTL_USAGE, "explain takes a queue and an id");
    }

    ctl_queue(ctl, &queue, argv[optind]);
    id = argv[optind + 1];
    explain_ask(ctl, queue.base, id);

    for (i = 0; i < ASK_N; i++) {
        reply[i] = ctl_reply_any(ctl);
    }

    if (reply[ASK_HASH]->type != REDIS_REPLY_ARRAY
        || reply[ASK_META]->type != REDIS_REPLY_ARRAY
        || reply[ASK_TIME]->type != REDIS_REPLY_ARRAY)
    {
        ctl_fail(CTL_NONE, "there is no job %s in %s", id, queue.shown);
    }

    hash = reply[ASK_HASH]->element;
    meta = reply[ASK_META]->element;
    memset(&facts, 0, sizeof(facts));

    facts.state = explain_state(reply);
    facts.there = explain_is(hash[0]);
    facts.now = explain_number(reply[ASK_TIME]->element[0]) * 1000
                + explain_number(reply[ASK_TIME]->element[1]) / 1000;
    facts.due = explain_number(reply[ASK_DELAYED]) / 4096;
    facts.ahead = explain_ahead(reply);
    facts.priority = explain_number(hash[1]);
    facts.finished = explain_number(hash[2]);
    facts.attempts = explain_number(hash[3]);
    facts.stalls = explain_number(hash[4]);
    facts.error = explain_text(hash[5]);
    facts.doom = explain_text(hash[6]);
    facts.worker = explain_text(hash[7]);
    facts.scheduler = explain_text(hash[8]);
    facts.paused = explain_is(meta[0]);
    facts.concurrency = explain_number(meta[1]);
    facts.active = explain_number(reply[ASK_ACTIVE_N]);
    facts.limit = explain_number(meta[2]);
    facts.used = explain_number(reply[ASK_LIMITER]);
    facts.limited = explain_number(reply[ASK_LIMITED]);

    /* a limit of the queue holds when it is used up, another's by hand */

    if (facts.limit > 0 && facts.used < facts.limit) {
        facts.limited = 0;

    } else if (facts.used > facts.limit && facts.used > 1000000000000) {
        facts.limit = 0;
    }

    if (facts.limit == 0 && facts.used < 1000000000000) {
        facts.limited = 0;
    }

    facts.lock = explain_is(reply[ASK_LOCK])
                 ? explain_number(reply[ASK_LEASE]) : -1;
    facts.token = explain_text(reply[ASK_LOCK]);
    facts.children = explain_number(reply[ASK_KIDS]);
    facts.child = explain_text(reply[ASK_KID]);
    facts.group = explain_text(hash[9]);
    facts.first = "";
    facts.owner = explain_text(reply[ASK_OWNER]);

    /* one node of a cluster does not know who is connected to the others */

    facts.workers = ctl_is_cluster(ctl)
                    ? -1 : explain_workers(&queue, reply[ASK_CLIENTS]);

    explain_more(ctl, &queue, id, &facts);
    explain(&answer, &facts);

    if (ctl->json) {
        list = json_array();

        for (i = 0; i < answer.n; i++) {
            json_array_append_new(list,
                                  json_pack("{s:s, s:o}", "code",
                                            answer.why[i].code, "text",
                                            ctl_string(answer.why[i].text,
                                                       strlen(answer.why[i]
                                                              .text))));
        }

        ctl_print_json(json_pack("{s:o, s:s, s:s, s:o}",
                                 "id", ctl_string(id, strlen(id)),
                                 "queue", queue.shown,
                                 "state", facts.state == STATE_UNKNOWN
                                 ? "unknown" : queue_states[facts.state],
                                 "why", list));

    } else {
        printf("%s\n", facts.state == STATE_UNKNOWN
               ? "unknown" : queue_states[facts.state]);

        for (i = 0; i < answer.n; i++) {
            printf("  %-13s", answer.why[i].code);
            ctl_print(answer.why[i].text, strlen(answer.why[i].text), false);
            putchar('\n');
        }
    }

    return facts.there ? CTL_OK : CTL_NONE;
}
