/*
 * Queues of tenants that are not listed (tenants = {"*"}): known by name, and
 * opened when there is work: a word came, a delayed job is due, a stock
 * producer's marker is there, or a sweep found something.  One that had nothing
 * to do for a while is a name again.
 */

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/roster.h"
#include "worker/run_parts.h"
#include "worker/sweep.h"
#include "worker/wake.h"


#define MANY_PREFIX  (SLUICE_KEYS_NAME_MAX + 3)
#define MANY_REST  10000    /* ms without a job until a queue is closed */
#define MANY_TRIM  1024     /* closed queues whose memory is given back */
#define MANY_NEW   1000     /* queues that words alone told of, in MANY_REST */


/* a queue with a producer who says no word: its marker is watched */
typedef struct stock_s  stock_t;

struct stock_s {
    stock_t     *prev, *next;
    run_t       *run;
    known_t     *known;
    watched_t   *watched;
    char         marker[SLUICE_KEYS_MAX];
};

struct many_s {
    roster_t  *roster;
    wake_t    *wake;
    sweep_t   *sweep;
    stock_t   *first, *last;    /* the last one was of use longest ago */
    size_t     nstock;
    size_t     nclosed;
    size_t     nnew;
    int64_t    since;           /* when nnew was 0, clock_ms() */
    int64_t    listens;         /* since when words come, clock_ms(); or 0 */
};


static known_t *
many_found(void *data, const char *name, size_t len)
{
    run_t    *run = data;
    known_t  *known;

    if (!run_works(run, name, len)) {
        return NULL;
    }

    known = roster_find(run->many->roster, name, len);

    return known ? known : roster_add(run->many->roster, name, len);
}


/* "{acme}" of "{acme}:messages", and where it ends there */

static const char *
many_prefix(char prefix[MANY_PREFIX], const known_t *known)
{
    const char  *end;

    end = strchr(known->name, '}');
    snprintf(prefix, MANY_PREFIX, "%.*s", (int) (end + 1 - known->name),
             known->name);

    return end;
}


/* ------------------------------------------------------------------ to open */

void
many_open(run_t *run, known_t *known)
{
    char                     tenant[SLUICE_KEYS_NAME_MAX + 1];
    edition_t               *edition;
    run_queue_t             *queue;
    const queue_settings_t  *pattern;

    pattern = settings_pattern_of(run->edition->settings, known->name,
                                  strlen(known->name), tenant);

    if (known->queue || pattern == NULL || run->draining) {
        return;
    }

    run_due_drop(known);

    queue = NULL;
    edition = run_edition_derive(run->edition, pattern, tenant);

    if (edition) {
        queue = run_queue_add(run, edition, &edition->queue, known,
                              known->stock != NULL);
        run_edition_drop(edition);
    }

    if (queue == NULL) {
        log_event(LOG_ERROR_, "queue_not_opened", "queue", "%s", known->name,
                  "reason", "%s", "out of memory, or its name is too long",
                  NULL);
        return;
    }

    known->queue = queue;

    if (known->stock) {
        watch_want(((stock_t *) known->stock)->watched, false);
    }

    log_event(LOG_DEBUG_, "queue_opened", "queue", "%s", known->name, NULL);
}


bool
many_rests(run_t *run, run_queue_t *queue)
{
    int64_t   due;
    known_t  *known;

    known = queue->known;

    if (!lane_resting(queue->lane, MANY_REST, &due)
        || (due && due - clock_wall_ms() < 1000))
    {
        return false;
    }

    many_left(run, queue);
    run_due(run, known, due);

    log_event(LOG_DEBUG_, "queue_closed", "queue", "%s", known->name, NULL);

    if (++run->many->nclosed % MANY_TRIM == 0) {
        malloc_trim(0);
    }

    return true;
}


void
many_left(run_t *run, run_queue_t *queue)
{
    known_t  *known;

    known = queue->known;
    queue->known = NULL;

    if (known) {
        known->queue = NULL;
        many_pause(run);
    }
}


void
many_change(run_t *run, run_queue_t *queue)
{
    char                     tenant[SLUICE_KEYS_NAME_MAX + 1];
    edition_t               *edition;
    const char              *name;
    const queue_settings_t  *pattern;

    name = ((known_t *) queue->known)->name;
    pattern = settings_pattern_of(run->edition->settings, name, strlen(name),
                                  tenant);
    edition = pattern ? run_edition_derive(run->edition, pattern, tenant)
                      : NULL;

    if (edition == NULL) {
        return;
    }

    run_edition_drop(queue->edition);
    queue->edition = edition;
    queue->conf = &edition->queue;
    queue->leaving = false;

    (void) lane_reload(queue->lane, queue->conf,
                       run_group(run, edition->settings, tenant));
}


/* ---------------------------------------------------------- stock producers */

static void
many_stock_unlink(many_t *many, stock_t *stock)
{
    if (stock->prev) {
        stock->prev->next = stock->next;
    } else {
        many->first = stock->next;
    }

    if (stock->next) {
        stock->next->prev = stock->prev;
    } else {
        many->last = stock->prev;
    }
}


static void
many_stock_first(many_t *many, stock_t *stock)
{
    stock->prev = NULL;
    stock->next = many->first;

    if (many->first) {
        many->first->prev = stock;
    } else {
        many->last = stock;
    }

    many->first = stock;
}


static void
many_stock_drop(many_t *many, stock_t *stock)
{
    many_stock_unlink(many, stock);
    many->nstock--;

    watch_remove(stock->watched);
    stock->known->stock = NULL;
    free(stock);
}


/* the marker of a queue that is not worked on any more is another's */

static void
many_stock_check(run_t *run)
{
    size_t       n;
    stock_t     *stock, *next;
    const char  *name;

    n = run->edition->settings->watch;

    for (stock = run->many->first; stock; stock = next) {
        next = stock->next;

        name = stock->known->name;

        if (n && run_works(run, name, strlen(name))) {
            n--;
        } else {
            many_stock_drop(run->many, stock);
        }
    }
}


static bool
many_on_marker(void *data, int64_t due)
{
    run_t    *run;
    stock_t  *stock = data;
    known_t  *known;

    run = stock->run;
    known = stock->known;

    if (run->paused || run->draining) {
        return false;
    }

    many_stock_unlink(run->many, stock);
    many_stock_first(run->many, stock);

    if (known->queue) {
        lane_word(((run_queue_t *) known->queue)->lane);

    } else if (due > clock_wall_ms()) {
        run_due(run, known, due);

    } else {
        /* it looks when it can; the marker is for who can now */
        many_open(run, known);
        return run->fair.used < run->fair.cap;
    }

    return true;
}


/* the wait for a marker is of use to those that nobody else tells of */

static void
many_stock(run_t *run, known_t *known)
{
    int          n;
    char         prefix[MANY_PREFIX];
    many_t      *many;
    stock_t     *stock;
    const char  *end;

    many = run->many;

    if (known->stock || run->edition->settings->watch == 0) {
        return;
    }

    while (many->nstock >= (size_t) run->edition->settings->watch) {
        many_stock_drop(many, many->last);
    }

    stock = calloc(1, sizeof(stock_t));

    if (stock == NULL) {
        return;
    }

    stock->run = run;
    stock->known = known;

    end = many_prefix(prefix, known);
    n = snprintf(stock->marker, sizeof(stock->marker), "%s:marker",
                 known->name);

    stock->watched = (n < (int) sizeof(stock->marker))
                     ? watch_add(run->watch, stock->marker, prefix, end + 2,
                                 many_on_marker, stock)
                     : NULL;

    if (stock->watched == NULL) {
        free(stock);
        return;
    }

    known->stock = stock;
    many->nstock++;
    many_stock_first(many, stock);
    many_pause(run);
}


/* a lane that is open waits by itself */

void
many_pause(run_t *run)
{
    stock_t  *stock;

    for (stock = run->many ? run->many->first : NULL; stock;
         stock = stock->next)
    {
        watch_want(stock->watched, !run->paused && !run->draining
                                   && stock->known->queue == NULL);
    }
}


/* ------------------------------------------------------------ what is heard */

/*
 * Anybody may say a word.  Names that nobody has registered open so many queues
 * at most, and the sweep finds what it is not said of.
 */

static known_t *
many_heard(run_t *run, const char *name, size_t len)
{
    many_t   *many;
    known_t  *known;

    many = run->many;
    known = roster_find(many->roster, name, len);

    if (known) {
        return known;
    }

    if (clock_ms() - many->since > MANY_REST) {
        many->since = clock_ms();
        many->nnew = 0;
    }

    if (many->nnew >= MANY_NEW) {
        return NULL;
    }

    known = many_found(run, name, len);
    many->nnew += (known != NULL);

    return known;
}


static void
many_on_word(void *data, const char *name, size_t len)
{
    run_t    *run = data;
    known_t  *known;

    known = many_heard(run, name, len);

    if (known && known->queue) {
        lane_word(((run_queue_t *) known->queue)->lane);

    } else if (known) {
        many_open(run, known);
    }
}


static void
many_on_listen(void *data)
{
    run_t  *run = data;

    run->many->listens = clock_ms();
    sweep_hurry(run->many->sweep);
}


static void
many_told(void *data, known_t *known, bool jobs, bool stalled, bool records,
    int64_t due)
{
    char         prefix[MANY_PREFIX];
    run_t       *run = data;
    many_t      *many;

    many = run->many;

    if (records && run->recorder) {
        (void) many_prefix(prefix, known);
        recorder_tell(run->recorder, prefix, true);
    }

    /* the settings may have changed since it was asked for */

    if (known->queue || !run_works(run, known->name, strlen(known->name))) {
        return;
    }

    if (!jobs && !stalled) {
        run_due(run, known, due);
        return;
    }

    /* words came all the time since the round before, and none of this one */

    if (jobs && wake_listens(many->wake)
        && clock_ms() - many->listens > run->edition->settings->sweep)
    {
        many_stock(run, known);
    }

    many_open(run, known);
}


/* --------------------------------------------------------------- life time */

int
many_reload(run_t *run)
{
    many_t        *many;
    wake_conf_t    wake;
    sweep_conf_t   sweep;
    settings_t    *settings;

    many = run->many;
    settings = run->edition->settings;

    if (many) {
        many_stock_check(run);
        sweep_interval(many->sweep, settings->sweep);
        return 0;
    }

    if (settings->npatterns == 0) {
        return 0;
    }

    many = calloc(1, sizeof(many_t));

    if (many == NULL) {
        return -1;
    }

    run->many = many;
    many->roster = roster_open();

    memset(&sweep, 0, sizeof(sweep_conf_t));
    sweep.links = run->links;
    sweep.roster = many->roster;
    sweep.interval = settings->sweep;
    sweep.found = many_found;
    sweep.tells = many_told;
    sweep.data = run;

    memset(&wake, 0, sizeof(wake_conf_t));
    wake.peer = run->links;
    wake.word = many_on_word;
    wake.listens = many_on_listen;
    wake.data = run;

    if (many->roster) {
        many->sweep = sweep_open(run->base, &sweep);
    }

    if (many->sweep) {
        many->wake = wake_open(run->base, settings, &wake);
    }

    if (many->wake) {
        return 0;
    }

    many_close(run);

    return -1;
}


void
many_close(run_t *run)
{
    size_t    i, n, place;
    many_t   *many;
    known_t  *found[SWEEP_BATCH];

    many = run->many;
    run->many = NULL;

    if (many == NULL) {
        return;
    }

    while (many->first) {
        many_stock_drop(many, many->first);
    }

    wake_close(many->wake);
    sweep_close(many->sweep);

    place = 0;

    while (many->roster && roster_count(many->roster)) {
        n = roster_next(many->roster, &place, found, SWEEP_BATCH);

        for (i = 0; i < n; i++) {
            run_due_drop(found[i]);
            roster_remove(many->roster, found[i]);
        }
    }

    roster_close(many->roster);
    free(many);
}
