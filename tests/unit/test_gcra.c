#include "core/gcra.h"
#include "tests/unit/rows.h"


typedef struct {
    const char           *name;
    sluice_gcra_limit_t   limit;
    int64_t               tat;
    int64_t               now;
    int64_t               cost;
    int64_t               wait;
    int64_t               next;
} check_t;

typedef struct {
    const char           *name;
    sluice_gcra_limit_t   limit;
    int64_t               tat;
    int64_t               now;
    int64_t               cost;
    int64_t               horizon;
    int64_t               wait;
    int64_t               next;
} reserve_t;

typedef struct {
    const char           *name;
    sluice_gcra_limit_t   limit;
    int64_t               tat;
    int64_t               now;
    int64_t               left;
} left_t;

typedef struct {
    const char  *name;
    int64_t      interval;
} rate_t;


/* 10 a second, burst of 2 */
#define TEN    { 100000, 200000 }
#define PLAIN  { 100000, 0 }


static const check_t  checks[] = {
    { "idle key passes", TEN, 0, 1000000, 1, 0, 1100000 },
    { "the burst is spent", TEN, 1200000, 1000000, 1, 0, 1300000 },
    { "one more waits 100 ms", TEN, 1300000, 1000000, 1, 100000, 1300000 },
    { "one µs too early", TEN, 1300000, 1099999, 1, 1, 1300000 },
    { "waited exactly long enough", TEN, 1300000, 1100000, 1, 0, 1400000 },
    { "clock set back: pulled in", TEN, 9000000, 1000000, 1, 100000,
      1300000 },
    { "pulled in further as time goes on", TEN, 9000000, 1100000, 1, 100000,
      1400000 },
    { "clock of now 0", TEN, 0, 0, 1, 0, 100000 },
    { "cost 3 takes the whole burst", TEN, 0, 1000000, 3, 0, 1300000 },
    { "cost 2 of 2 left", TEN, 1100000, 1000000, 2, 0, 1300000 },
    { "cost 2 of 1 left", TEN, 1200000, 1000000, 2, 100000, 1200000 },
    { "cost 4 is above the burst", TEN, 0, 1000000, 4, 100000, 0 },
    { "no burst: the first passes", PLAIN, 0, 1000000, 1, 0, 1100000 },
    { "no burst: the second waits", PLAIN, 1100000, 1000000, 1, 100000,
      1100000 },
    { "no burst: cost 2 never passes", PLAIN, 0, 1000000, 2, 100000, 0 },
    { "a cost beyond the type waits for ever", TEN, 0, 1000000, INT64_MAX,
      INT64_MAX - 1300000, 0 },
    { "a product beyond the type waits for ever", { INT64_MAX / 2, 0 }, 0, 1,
      3, INT64_MAX / 2, 0 },
    { "a burst beyond the type passes", { 100000, INT64_MAX }, 0, 1000000, 1,
      0, 1100000 },
};


static const reserve_t  reserves[] = {
    { "idle key goes at once", TEN, 0, 1000000, 1, 900000, 0, 1100000 },
    { "the last of the burst", TEN, 1200000, 1000000, 1, 900000, 0, 1300000 },
    { "the next one later", TEN, 1300000, 1000000, 1, 900000, 100000,
      1400000 },
    { "behind all that wait", TEN, 1900000, 1000000, 1, 900000, 700000,
      2000000 },
    { "3 units", TEN, 1300000, 1000000, 3, 900000, 300000, 1600000 },
    { "above the burst, later", TEN, 0, 1000000, 5, 900000, 200000, 1500000 },
    { "not beyond the horizon", TEN, 2200000, 1000000, 1, 900000, 900000,
      2200000 },
    { "pulled in to the horizon", TEN, INT64_MAX, 1000000, 1, 900000, 900000,
      2200000 },
    { "no horizon: nothing waits", PLAIN, 1100000, 1000000, 1, 0, 0,
      1100000 },
    { "a cost beyond the type", TEN, 0, 1000000, INT64_MAX, 900000, 900000,
      2200000 },
};


static const left_t  lefts[] = {
    { "all of an idle key", TEN, 0, 1000000, 3 },
    { "all, the clock is later", TEN, 900000, 1000000, 3 },
    { "one is used", TEN, 1100000, 1000000, 2 },
    { "a part of a unit is none", TEN, 1100001, 1000000, 1 },
    { "nothing", TEN, 1300000, 1000000, 0 },
    { "a backlog", TEN, 9000000, 1000000, 0 },
};


static const rate_t  rates[] = {
    { "50r/s", 20000 },
    { "10r/5s", 500000 },
    { "300r/m", 200000 },
    { "1000r/1h", 3600000 },
    { "1r/d", INT64_C(86400000000) },
    { "1r/366d", INT64_C(366) * 86400000000 },
    { "3r/s", 333334 },
    { "1000000r/s", 1 },
    { "999999999r/s", 1 },
    { "01r/s", 1000000 },
    { "1r/367d", 0 },
    { "1r/999999999d", 0 },
    { "0r/s", 0 },
    { "1r/0s", 0 },
    { "1000000000r/s", 0 },
    { "", 0 },
    { "r/s", 0 },
    { "50", 0 },
    { "50r", 0 },
    { "50r/", 0 },
    { "50r/5", 0 },
    { "50/s", 0 },
    { "50r/ms", 0 },
    { "50r/s ", 0 },
    { " 50r/s", 0 },
    { "-5r/s", 0 },
    { "+5r/s", 0 },
    { "5.5r/s", 0 },
    { "50R/s", 0 },
    { "50r/w", 0 },
    { "50r/-1s", 0 },
};


static void
test_check(void **state)
{
    int64_t         next, wait;
    const check_t  *row;

    row = row_of(check_t, state);
    next = -1;

    wait = sluice_gcra_check(row->tat, row->now, row->cost, &row->limit,
                             &next);

    assert_int_equal(wait, row->wait);
    assert_int_equal(next, row->next);
}


static void
test_reserve(void **state)
{
    int64_t           next, wait;
    const reserve_t  *row;

    row = row_of(reserve_t, state);
    next = -1;

    wait = sluice_gcra_reserve(row->tat, row->now, row->cost, &row->limit,
                               row->horizon, &next);

    assert_int_equal(wait, row->wait);
    assert_int_equal(next, row->next);
}


static void
test_left(void **state)
{
    const left_t  *row;

    row = row_of(left_t, state);

    assert_int_equal(sluice_gcra_left(row->tat, row->now, &row->limit),
                     row->left);
}


static void
test_rate(void **state)
{
    size_t         len;
    uint8_t       *text;
    const rate_t  *row;

    row = row_of(rate_t, state);
    len = strlen(row->name);
    text = rows_bytes(row->name, len);

    assert_int_equal(sluice_gcra_rate((char *) text, len), row->interval);

    free(text);
}


/* asked every 7 ms for a minute: the burst and 10 a second, not one more */

static void
test_sustained(void **state)
{
    int                        passed;
    int64_t                    next, now, tat;

    static const sluice_gcra_limit_t  limit = TEN;

    tat = 0;
    passed = 0;

    for (now = 1000000; now < 61000000; now += 7000) {
        if (sluice_gcra_check(tat, now, 1, &limit, &next) == 0) {
            passed++;
        }

        tat = next;
    }

    assert_int_equal(passed, 602);
}


/* whoever waits as told passes then, and not a microsecond before */

static void
test_wait_is_exact(void **state)
{
    int64_t  cost, next, tat, wait;

    static const sluice_gcra_limit_t  limit = TEN;

    for (tat = 900000; tat < 1600000; tat += 33333) {
        for (cost = 1; cost <= 3; cost++) {
            wait = sluice_gcra_check(tat, 1000000, cost, &limit, &next);

            if (wait == 0) {
                continue;
            }

            assert_int_equal(sluice_gcra_check(next, 1000000 + wait, cost,
                                               &limit, &next), 0);

            (void) sluice_gcra_check(tat, 1000000, cost, &limit, &next);
            assert_int_equal(sluice_gcra_check(next, 1000000 + wait - 1, cost,
                                               &limit, &next), 1);
        }
    }
}


/* 1000 at once: each has its own time, a burst and then 10 a second */

static void
test_schedule(void **state)
{
    int      i;
    int64_t  tat, wait;

    static const sluice_gcra_limit_t  limit = TEN;

    tat = 0;

    for (i = 0; i < 1000; i++) {
        wait = sluice_gcra_reserve(tat, 1000000, 1, &limit,
                                   INT64_C(3600000000), &tat);

        assert_int_equal(wait, i < 3 ? 0 : (i - 2) * 100000);
    }
}


int
main(void)
{
    rows_add(checks, test_check);
    rows_add(reserves, test_reserve);
    rows_add(lefts, test_left);
    rows_add(rates, test_rate);
    rows_add_one("sustained rate", test_sustained, NULL);
    rows_add_one("a schedule", test_schedule, NULL);
    rows_add_one("the wait is exact", test_wait_is_exact, NULL);

    return rows_run("gcra");
}
