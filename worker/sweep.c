#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "scripts.h"
#include "worker/sweep.h"


#define SWEEP_AGAIN  1000    /* ms after Redis refused a call, or was away */


typedef struct {
    sweep_t  *sweep;
    size_t    n;
    known_t  *known[SWEEP_BATCH];
} sweep_call_t;

struct sweep_s {
    sweep_conf_t    conf;
    struct event   *timer;
    char            cursor[24];   /* of the registry */
    size_t          place;        /* in the roster */
    size_t          calls;        /* in flight */
    int64_t         begun;        /* the round, clock_ms() */
    unsigned        round;
    bool            reading;      /* the registry */
    bool            hurried;
    bool            again;        /* from the start */
    bool            failed;       /* nobody has answered in this step */
    bool            said;         /* and the log knows why */
};


static void
sweep_begin(sweep_t *sweep)
{
    sweep->round++;
    sweep->begun = clock_ms();
    sweep->reading = true;
    sweep->again = false;
    sweep->place = 0;

    snprintf(sweep->cursor, sizeof(sweep->cursor), "0");
}


/* the step that comes next; `over`: the round is */

static void
sweep_next(sweep_t *sweep, bool over)
{
    size_t   n, steps;
    int64_t  pause, least;

    n = roster_count(sweep->conf.roster);
    steps = 2 + n / SWEEP_NAMES + n / (SWEEP_BATCH / 2);
    pause = sweep->hurried ? 0 : sweep->conf.interval / (int64_t) steps;

    if (sweep->again) {
        sweep->hurried = true;
        sweep_begin(sweep);
        pause = 0;

    } else if (over) {
        pause = sweep->begun + sweep->conf.interval - clock_ms();
        sweep->hurried = false;
        sweep_begin(sweep);
        sweep->begun += pause;
    }

    least = sweep->failed ? SWEEP_AGAIN : SWEEP_PAUSE;
    clock_arm(sweep->timer, pause > least ? pause : least);
}


/* NULL or an error: what it was for is done in the next round, or sooner */

static bool
sweep_read(sweep_t *sweep, const redisReply *reply, int type)
{
    if (reply && reply->type == type) {
        sweep->failed = false;
        return true;
    }

    if (reply && !sweep->said) {
        sweep->said = true;
        log_event(LOG_ERROR_, "sweep_failed", "error", "%s",
                  reply->type == REDIS_REPLY_ERROR ? reply->str
                  : "the reply is not of the form agreed", NULL);
    }

    return false;
}


static void
sweep_on_names(void *data, const redisReply *reply)
{
    size_t             i;
    known_t           *known;
    sweep_t           *sweep = data;
    const redisReply  *names, *name;

    sweep->calls--;

    if (!sweep_read(sweep, reply, REDIS_REPLY_ARRAY) || reply->elements != 2
        || reply->element[0]->type != REDIS_REPLY_STRING)
    {
        sweep_next(sweep, false);
        return;
    }

    names = reply->element[1];

    for (i = 0; i < names->elements; i++) {
        name = names->element[i];
        known = sweep->conf.found(sweep->conf.data, name->str, name->len);

        if (known) {
            known->round = sweep->round;
        }
    }

    snprintf(sweep->cursor, sizeof(sweep->cursor), "%s",
             reply->element[0]->str);

    sweep->reading = (strcmp(sweep->cursor, "0") != 0);
    sweep_next(sweep, false);
}


static void
sweep_on_told(void *data, const redisReply *reply)
{
    size_t              i;
    int64_t             what, due;
    sweep_t            *sweep;
    sweep_call_t       *call = data;

    sweep = call->sweep;
    sweep->calls--;

    if (sweep_read(sweep, reply, REDIS_REPLY_ARRAY)
        && reply->elements != 2 * call->n)
    {
        reply = NULL;
    }

    for (i = 0; i < call->n; i++) {
        call->known[i]->asked = 0;

        if (reply && reply->type == REDIS_REPLY_ARRAY) {
            what = reply->element[2 * i]->integer;
            due = reply->element[2 * i + 1]->integer;

            sweep->conf.tells(sweep->conf.data, call->known[i],
                              (what & 1) != 0, (what & 2) != 0,
                              (what & 4) != 0, due);
        }
    }

    free(call);

    if (sweep->calls == 0) {
        sweep_next(sweep, sweep->place == 0);
    }
}


static bool
sweep_ask(sweep_t *sweep, known_t **known, size_t n)
{
    size_t           i, len;
    char             base[SLUICE_KEYS_MAX];
    link_t          *link;
    sweep_call_t    *call;
    sluice_redis_t  *redis;

    snprintf(base, sizeof(base), "%s:", known[0]->name);

    link = links_of(sweep->conf.links, base);
    call = link_ready(link) ? malloc(sizeof(sweep_call_t)) : NULL;

    if (call == NULL) {
        return false;
    }

    call->sweep = sweep;
    call->n = n;

    redis = link_redis(link);

    if (sluice_redis_script(redis, &sluice_script_sweep, n, 0, clock_ms())
        != SLUICE_REDIS_OK)
    {
        free(call);
        return false;
    }

    for (i = 0; i < n; i++) {
        len = strlen(known[i]->name);
        sluice_redis_arg_begin(redis, len + 1);
        sluice_redis_piece(redis, known[i]->name, len);
        sluice_redis_piece(redis, ":", 1);
        call->known[i] = known[i];
    }

    if (sluice_redis_end(redis, sweep_on_told, call) != SLUICE_REDIS_OK) {
        free(call);
        return false;
    }

    for (i = 0; i < n; i++) {
        known[i]->asked = 1;
    }

    sweep->calls++;

    return true;
}


/* those that are gone need no record any more */

static size_t
sweep_choose(sweep_t *sweep, known_t **found)
{
    size_t    i, n, all;
    known_t  *known;

    n = 0;
    all = roster_next(sweep->conf.roster, &sweep->place, found, SWEEP_BATCH);

    for (i = 0; i < all; i++) {
        known = found[i];

        if (known->asked) {
            continue;
        }

        if (known->round != sweep->round && known->queue == NULL
            && known->due == NULL && known->stock == NULL)
        {
            roster_remove(sweep->conf.roster, known);
            continue;
        }

        found[n++] = known;
    }

    return n;
}


static void
sweep_visit(sweep_t *sweep)
{
    size_t     i, n;
    known_t   *found[SWEEP_BATCH];
    unsigned   slot;

    n = sweep_choose(sweep, found);

    /* the queues of a node that is away do not hold up the others */

    sweep->failed = (n > 0);

    /* the keys of a call must be of one slot */

    if (n && links_slot(sweep->conf.links, found[0]->name, &slot)) {
        for (i = 0; i < n; i++) {
            (void) sweep_ask(sweep, &found[i], 1);
        }

    } else if (n) {
        (void) sweep_ask(sweep, found, n);
    }

    if (sweep->calls == 0) {
        sweep_next(sweep, sweep->place == 0);
    }
}


static void
sweep_on_timer(evutil_socket_t fd, short what, void *data)
{
    link_t   *link;
    sweep_t  *sweep = data;

    sweep->said = false;

    if (!sweep->reading) {
        sweep_visit(sweep);
        return;
    }

    sweep->failed = true;
    link = links_of(sweep->conf.links, SLUICE_KEYS_REGISTRY);

    if (link_ready(link)
        && sluice_redis_command(link_redis(link), clock_ms(), sweep_on_names,
                                sweep, "SSCAN", SLUICE_KEYS_REGISTRY,
                                sweep->cursor, "COUNT", "500", NULL)
           == SLUICE_REDIS_OK)
    {
        sweep->calls++;
        return;
    }

    sweep_next(sweep, false);
}


sweep_t *
sweep_open(struct event_base *base, const sweep_conf_t *conf)
{
    sweep_t  *sweep;

    sweep = calloc(1, sizeof(sweep_t));

    if (sweep == NULL) {
        return NULL;
    }

    sweep->conf = *conf;
    sweep->hurried = true;
    sweep->timer = event_new(base, -1, 0, sweep_on_timer, sweep);

    if (sweep->timer == NULL) {
        free(sweep);
        return NULL;
    }

    sweep_begin(sweep);
    clock_arm(sweep->timer, 0);

    return sweep;
}


void
sweep_close(sweep_t *sweep)
{
    if (sweep) {
        event_free(sweep->timer);
        free(sweep);
    }
}


void
sweep_interval(sweep_t *sweep, int64_t interval)
{
    sweep->conf.interval = interval;
    sweep_hurry(sweep);
}


void
sweep_hurry(sweep_t *sweep)
{
    sweep->again = true;

    if (sweep->calls == 0) {
        sweep->failed = false;
        sweep_next(sweep, false);
    }
}
