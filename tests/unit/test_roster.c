/*
 * worker/roster: the queues that are known.
 */

#include "rows.h"
#include "worker/roster.h"


#define MANY  10000


static void
name_of(char *dst, size_t size, int i)
{
    snprintf(dst, size, "{t%d}:messages", i);
}


static known_t *
add(roster_t *roster, int i)
{
    char  name[64];

    name_of(name, sizeof(name), i);

    return roster_add(roster, name, strlen(name));
}


static known_t *
find(roster_t *roster, int i)
{
    char  name[64];

    name_of(name, sizeof(name), i);

    return roster_find(roster, name, strlen(name));
}


static void
test_names(void **state)
{
    int        i;
    known_t   *known;
    roster_t  *roster;

    roster = roster_open();
    assert_non_null(roster);

    for (i = 0; i < MANY; i++) {
        assert_null(find(roster, i));
        assert_non_null(add(roster, i));
    }

    assert_int_equal(roster_count(roster), MANY);

    for (i = 0; i < MANY; i += 2) {
        roster_remove(roster, find(roster, i));
    }

    assert_int_equal(roster_count(roster), MANY / 2);

    for (i = 0; i < MANY; i++) {
        known = find(roster, i);
        assert_true((known != NULL) == (i % 2 == 1));
    }

    /* no NUL is needed behind a name, and none that is longer is found */

    assert_ptr_equal(roster_find(roster, "{t1}:messages-", 13),
                     find(roster, 1));
    assert_null(roster_find(roster, "{t1}:message", 12));
    assert_null(roster_find(roster, "{t1}:messagesx", 14));

    roster_close(roster);
}


/* each that stays is seen, while others come and go and the table grows */

static void
test_places(void **state)
{
    int        i;
    size_t     n, place, rounds;
    known_t   *found[64];
    roster_t  *roster;

    roster = roster_open();
    assert_non_null(roster);

    for (i = 0; i < 1000; i++) {
        (void) add(roster, i);
    }

    place = 0;
    rounds = 0;

    do {
        n = roster_next(roster, &place, found, 64);
        assert_in_range(n, 0, 64);

        while (n) {
            found[--n]->round = 1;
        }

        for (i = 0; i < 20; i++) {
            (void) add(roster, 1000 + rounds * 20 + i);
        }

        if (rounds > 2) {
            roster_remove(roster, find(roster, 1000 + (rounds - 2) * 20));
        }

        rounds++;

    } while (place && rounds < 1000);

    assert_int_equal(place, 0);

    for (i = 0; i < 1000; i++) {
        assert_int_equal(find(roster, i)->round, 1);
    }

    roster_close(roster);
}


/* names that were made to fall into one bucket: each has its turn */

static void
test_collisions(void **state)
{
    int        i, k, rounds;
    char       name[64];
    size_t     n, len, place;
    known_t   *found[64];
    uint64_t   hash;
    roster_t  *roster;

    roster = roster_open();
    assert_non_null(roster);

    for (i = 0; roster_count(roster) < 150; i++) {
        name_of(name, sizeof(name), i);
        len = strlen(name);
        hash = 14695981039346656037u;

        for (k = 0; k < (int) len; k++) {
            hash = (hash ^ (unsigned char) name[k]) * 1099511628211u;
        }

        if (((hash ^ hash >> 32) & 1023) == 5) {
            assert_non_null(roster_add(roster, name, len));
        }
    }

    place = 0;

    for (rounds = 0, k = 0; rounds < 3; rounds += (place == 0)) {
        n = roster_next(roster, &place, found, 64);

        while (n) {
            n--;
            k += (found[n]->round == 0);
            found[n]->round = 1;
        }
    }

    assert_int_equal(k, 150);
    assert_int_equal(roster_count(roster), 150);

    while (--i >= 0) {
        if (find(roster, i)) {
            roster_remove(roster, find(roster, i));
        }
    }

    assert_int_equal(roster_count(roster), 0);

    roster_close(roster);
}


int
main(void)
{
    rows_add_one("names", test_names, NULL);
    rows_add_one("places", test_places, NULL);
    rows_add_one("collisions", test_collisions, NULL);

    return rows_run("roster");
}
