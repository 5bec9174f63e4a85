/*
 * worker/fair: whose turn it is.  A small world of queues whose jobs take some
 * time each; what each got is compared with its weight.
 */

#include "rows.h"
#include "worker/fair.h"


#define QUEUES  1001
#define FLIGHT  2        /* calls of a queue at once, as a lane has */


typedef struct {
    fair_queue_t  share;
    size_t        backlog;
    size_t        concurrency, batch;
    size_t        granted, hand;
    size_t        calls;          /* on their way */
    size_t        done;
    size_t        first;          /* starts of others before its first */
} member_t;

/* a call on its way, or a job in hand, until a time */
typedef struct {
    member_t  *member;
    size_t     n, until;
    bool       call;
} flight_t;

typedef struct {
    fair_t     fair;
    member_t  *members;
    size_t     nmembers;
    flight_t  *flights;
    size_t     nflights, now, started;
    unsigned   seed;
} world_t;


static unsigned
world_random(world_t *world, unsigned n)
{
    world->seed = world->seed * 1103515245 + 12345;

    return (world->seed >> 8) % n;
}


static void
world_open(world_t *world, size_t n, size_t cap)
{
    size_t  i;

    memset(world, 0, sizeof(world_t));

    world->fair.cap = cap;
    world->seed = 7;
    world->members = calloc(n, sizeof(member_t));
    world->flights = calloc(cap * 2 + n * FLIGHT + FAIR_ASKED + 1,
                            sizeof(flight_t));
    world->nmembers = n;

    assert_non_null(world->members);
    assert_non_null(world->flights);

    for (i = 0; i < n; i++) {
        world->members[i].share.data = &world->members[i];
        world->members[i].share.weight = 1;
        world->members[i].concurrency = 50;
        world->members[i].batch = 25;
    }
}


static void
world_close(world_t *world)
{
    free(world->members);
    free(world->flights);
}


static size_t
member_asked(const world_t *world, const member_t *member)
{
    size_t  i, n;

    n = member->granted;

    for (i = 0; i < world->nflights; i++) {
        if (world->flights[i].call && world->flights[i].member == member) {
            n += world->flights[i].n;
        }
    }

    return n;
}


/* what a lane does at the end of its turn */

static void
member_turn(world_t *world, member_t *member)
{
    size_t  asked, room, used;

    asked = member_asked(world, member);
    used = asked + member->hand;
    room = (used < member->concurrency) ? member->concurrency - used : 0;
    room = (room < member->batch) ? room : member->batch;

    fair_hold(&world->fair, &member->share, used, asked);

    if (member->backlog == 0) {
        fair_rest(&world->fair, &member->share);
    } else {
        fair_want(&world->fair, &member->share,
                  member->calls + (member->granted > 0) < FLIGHT ? room : 0);
    }
}


static void
world_fly(world_t *world, member_t *member, size_t n, bool call, size_t time)
{
    flight_t  *flight;

    flight = &world->flights[world->nflights++];
    flight->member = member;
    flight->n = n;
    flight->call = call;
    flight->until = world->now + time;
}


static void
world_give(world_t *world)
{
    size_t         n;
    member_t      *member;
    fair_queue_t  *queue;

    while ((n = fair_next(&world->fair, &queue)) > 0) {
        member = queue->data;

        assert_true(world->fair.used <= world->fair.cap);
        assert_true(world->fair.asked <= FAIR_ASKED);

        member->calls++;
        world_fly(world, member, n, true, 1 + world_random(world, 2));
        member_turn(world, member);
    }
}


/* calls come back, jobs end */

static void
world_tick(world_t *world, size_t cost)
{
    size_t     i, n;
    flight_t   flight;
    member_t  *member;

    world->now++;

    for (i = 0; i < world->nflights; /* void */ ) {
        flight = world->flights[i];

        if (flight.until > world->now) {
            i++;
            continue;
        }

        world->flights[i] = world->flights[--world->nflights];
        member = flight.member;

        if (flight.call) {
            member->calls--;
            n = (flight.n < member->backlog) ? flight.n : member->backlog;
            member->backlog -= n;
            member->hand += n;
            world->started += n;

            if (member->done == 0 && n) {
                member->first = world->started;
            }

            member->done += n;

            if (n) {
                world_fly(world, member, n, false,
                          1 + world_random(world, cost));
            }

        } else {
            member->hand -= flight.n;
        }

        member_turn(world, member);
    }

    world_give(world);
}


static void
world_begin(world_t *world)
{
    size_t  i;

    for (i = 0; i < world->nmembers; i++) {
        member_turn(world, &world->members[i]);
    }

    world_give(world);
}


/* ------------------------------------------------------------------ shares */

typedef struct {
    const char  *name;
    size_t       queues, cap, concurrency;
    size_t       cost;        /* ticks of a job, at most */
    unsigned     weights;     /* 1 to so much */
} share_row_t;

static const share_row_t  share_rows[] = {
    { "1,000 tenants, alike", 1000, 2000, 50, 3, 1 },
    { "1,000 tenants, weights to 5", 1000, 2000, 50, 3, 5 },
    { "1,000 tenants, as many as may be asked", 1000, 10000, 50, 1, 5 },
    { "1,000 tenants, few at once", 1000, 20, 50, 3, 3 },
    { "50 tenants, slow jobs", 50, 100, 50, 20, 4 },
    { "10 tenants, few at once", 10, 10, 50, 3, 10 },
    { "100 tenants, calls that take long", 100, 256, 50, 2, 5 },
    { "2 tenants, slow jobs", 2, 8, 50, 40, 2 },
};


/* queue 0 has a million jobs and the least weight */

static void
test_share(void **state)
{
    double              share;
    size_t              i, total, weights;
    world_t             world;
    const share_row_t  *row = row_of(share_row_t, state);

    world_open(&world, row->queues, row->cap);
    weights = 0;

    for (i = 0; i < row->queues; i++) {
        world.members[i].share.weight = 1 + i % row->weights;
        world.members[i].concurrency = row->concurrency;
        world.members[i].backlog = i ? 1000000 : 1000000000;
        weights += world.members[i].share.weight;
    }

    world_begin(&world);

    while (world.started < weights * FAIR_QUANTUM * 30) {
        world_tick(&world, row->cost);
    }

    total = world.started;

    for (i = 0; i < row->queues; i++) {
        share = (double) world.members[i].done * weights
                / ((double) total * world.members[i].share.weight);

        if (share < 0.95 || share > 1.05) {
            fail_msg("queue %zu of weight %zu: %.3f of its share", i,
                     world.members[i].share.weight, share);
        }
    }

    world_close(&world);
}


/*
 * A queue adds again whenever it is empty: it is first each time that it comes,
 * but not more often than once a round.
 */

static void
test_drained(void **state)
{
    size_t     i, rounds;
    world_t    world;

    world_open(&world, 100, 50);

    for (i = 1; i < 100; i++) {
        world.members[i].backlog = 1000000;
    }

    world_begin(&world);
    rounds = 0;

    while (world.started < 20000) {
        if (world.members[0].backlog == 0) {
            world.members[0].backlog = 1;
            member_turn(&world, &world.members[0]);
            world_give(&world);
            rounds++;
        }

        world_tick(&world, 3);
    }

    /* a quantum is 1 here: a share is 200 */

    assert_in_range(world.members[0].done, 100, 410);

    world_close(&world);
}


/* one job of a queue that had none, beside a huge backlog of many */

static void
test_first(void **state)
{
    size_t    i;
    world_t   world;

    world_open(&world, 1001, 200);

    for (i = 1; i < 1001; i++) {
        world.members[i].backlog = 1000000;
    }

    world_begin(&world);

    while (world.started < 50000) {
        world_tick(&world, 3);
    }

    i = world.started;
    world.members[0].backlog = 1;
    member_turn(&world, &world.members[0]);

    while (world.members[0].done == 0) {
        world_tick(&world, 3);
    }

    /* only what was asked for before it */
    assert_in_range(world.members[0].first - i, 1, 2 * 200);

    world_close(&world);
}


/* -------------------------------------------------------------------- caps */

static size_t
take(fair_t *fair, fair_queue_t *queue)
{
    size_t         n;
    fair_queue_t  *next;

    n = fair_next(fair, &next);
    assert_true(n == 0 || next == queue);

    return n;
}


static void
test_group(void **state)
{
    fair_t         fair = { .cap = 1280 };
    fair_group_t   group = { .cap = 12 };
    fair_queue_t   a = { .weight = 1, .group = &group };
    fair_queue_t   b = { .weight = 1, .group = &group };
    fair_queue_t   c = { .weight = 1 };

    fair_want(&fair, &a, 64);
    assert_int_equal(take(&fair, &a), 10);
    assert_int_equal(take(&fair, &a), 2);
    assert_int_equal(take(&fair, NULL), 0);
    assert_true(a.blocked);

    fair_want(&fair, &b, 5);
    assert_int_equal(take(&fair, NULL), 0);

    /* others go on */
    fair_want(&fair, &c, 3);
    assert_int_equal(take(&fair, &c), 3);

    /* jobs of a end: what is left of its turn, then b's */
    fair_hold(&fair, &a, 3, 0);
    assert_int_equal(take(&fair, &a), 8);
    assert_int_equal(take(&fair, &b), 1);
    assert_int_equal(take(&fair, NULL), 0);

    /* nobody waits for what is gone */
    fair_want(&fair, &a, 0);
    fair_leave(&fair, &b);
    assert_null(group.first);
    assert_int_equal(group.used, 11);
    assert_int_equal(fair.used, 14);

    fair_regroup(&fair, &a, NULL);
    assert_int_equal(group.used, 0);
    fair_leave(&fair, &a);
    fair_leave(&fair, &c);
    assert_int_equal(fair.used, 0);
    assert_int_equal(fair.asked, 0);
    assert_null(fair.first);
    assert_null(fair.last);
}


static void
test_process(void **state)
{
    fair_t        fair = { .cap = 3 };
    fair_queue_t  a = { .weight = 2 }, b = { .weight = 1 };

    fair_want(&fair, &a, 10);
    assert_int_equal(take(&fair, &a), 2);
    fair_want(&fair, &b, 10);
    assert_int_equal(take(&fair, &b), 1);
    assert_int_equal(take(&fair, NULL), 0);

    fair_hold(&fair, &b, 0, 0);
    assert_int_equal(take(&fair, &a), 1);

    /* a call failed: its results are in hand again, over the cap */
    fair_hold(&fair, &b, 2, 0);
    assert_int_equal(take(&fair, NULL), 0);
    fair_hold(&fair, &b, 0, 0);
    fair_hold(&fair, &a, 2, 0);
    assert_int_equal(take(&fair, &a), 1);

    fair_leave(&fair, &a);
    fair_leave(&fair, &b);
    assert_int_equal(fair.used, 0);
}


int
main(void)
{
    rows_add(share_rows, test_share);
    rows_add_one("a queue that is often empty", test_drained, NULL);
    rows_add_one("a first job", test_first, NULL);
    rows_add_one("a tenant's cap", test_group, NULL);
    rows_add_one("the process' cap", test_process, NULL);

    return rows_run("fair");
}
