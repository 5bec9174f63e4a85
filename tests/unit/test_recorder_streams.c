/*
 * worker/recorder_streams: which streams of records are read next.
 */

#include <stdio.h>
#include "rows.h"
#include "worker/recorder_streams.h"


static recorder_stream_t *
tell(recorder_streams_t *streams, int i, int64_t at)
{
    char  key[64];

    snprintf(key, sizeof(key), "{t%d}::sluice:records", i);

    return recorder_streams_tell(streams, key, at, false);
}


static size_t
next(recorder_streams_t *streams, int64_t now, recorder_stream_t **chosen)
{
    return recorder_streams_next(streams, now, chosen, RECORDER_STREAMS);
}


static void
test_once(void **state)
{
    recorder_stream_t   *a, *chosen[RECORDER_STREAMS];
    recorder_streams_t   streams;

    assert_int_equal(recorder_streams_init(&streams, NULL), 0);
    assert_int_equal(recorder_streams_when(&streams), -1);
    assert_int_equal(next(&streams, 100, chosen), 0);

    a = tell(&streams, 1, 50);
    assert_ptr_equal(tell(&streams, 1, 70), a);
    assert_true(a->behind);
    assert_int_equal(recorder_streams_when(&streams), 50);
    assert_int_equal(next(&streams, 49, chosen), 0);

    assert_int_equal(next(&streams, 50, chosen), 1);
    assert_ptr_equal(chosen[0], a);
    assert_int_equal(recorder_streams_when(&streams), -1);
    assert_int_equal(next(&streams, 100, chosen), 0);

    recorder_streams_look(&streams);
    recorder_streams_look(&streams);
    assert_ptr_equal(TAILQ_FIRST(&streams.list), a);
    assert_ptr_equal(tell(&streams, 1, 80), a);
    assert_int_equal(recorder_streams_when(&streams), 80);
    recorder_streams_end(a, -1);

    assert_int_equal(next(&streams, 80, chosen), 1);
    recorder_streams_end(a, -1);
    recorder_streams_look(&streams);
    assert_ptr_equal(TAILQ_FIRST(&streams.list), a);
    recorder_streams_look(&streams);
    assert_null(TAILQ_FIRST(&streams.list));
    assert_int_equal(roster_count(streams.names), 0);

    recorder_streams_free(&streams);
}


/* told of while it is read: it is read once more */

static void
test_again(void **state)
{
    recorder_stream_t   *a, *chosen[RECORDER_STREAMS];
    recorder_streams_t   streams;

    assert_int_equal(recorder_streams_init(&streams, NULL), 0);
    a = tell(&streams, 1, 1);
    assert_int_equal(next(&streams, 1, chosen), 1);
    a->behind = 0;
    assert_ptr_equal(tell(&streams, 1, 60), a);
    assert_false(a->behind);
    recorder_streams_end(a, -1);
    assert_int_equal(recorder_streams_when(&streams), 60);

    assert_int_equal(next(&streams, 60, chosen), 1);
    recorder_streams_end(a, -1);
    assert_int_equal(recorder_streams_when(&streams), -1);
    recorder_streams_free(&streams);
}


/* while it fails nobody makes it hurry */

static void
test_failed(void **state)
{
    recorder_stream_t   *a, *chosen[RECORDER_STREAMS];
    recorder_streams_t   streams;

    assert_int_equal(recorder_streams_init(&streams, NULL), 0);
    a = tell(&streams, 1, 1);
    assert_int_equal(next(&streams, 1, chosen), 1);
    a->failed = 1;
    (void) tell(&streams, 1, 10);
    recorder_streams_end(a, 500);
    assert_int_equal(recorder_streams_when(&streams), 500);
    (void) tell(&streams, 1, 60);
    assert_int_equal(recorder_streams_when(&streams), 500);
    assert_int_equal(next(&streams, 500, chosen), 1);
    assert_false(a->failed);
    recorder_streams_end(a, -1);
    recorder_streams_free(&streams);
}


static void
test_stays(void **state)
{
    recorder_stream_t   *a, *chosen[RECORDER_STREAMS];
    recorder_streams_t   streams;

    assert_int_equal(recorder_streams_init(&streams, NULL), 0);
    a = tell(&streams, 1, 0);
    a->stays = 1;
    assert_int_equal(next(&streams, 0, chosen), 1);
    recorder_streams_end(a, 1000);
    assert_ptr_equal(tell(&streams, 1, 50), a);
    assert_int_equal(recorder_streams_when(&streams), 50);
    assert_int_equal(next(&streams, 50, chosen), 1);
    a->behind = 0;
    recorder_streams_end(a, -1);
    recorder_streams_look(&streams);
    recorder_streams_look(&streams);
    assert_ptr_equal(TAILQ_FIRST(&streams.list), a);
    assert_true(a->behind);
    recorder_streams_free(&streams);
}


/* what could not be set aside keeps its stream, and is looked for again */

static void
test_refused(void **state)
{
    recorder_stream_t   *a, *chosen[RECORDER_STREAMS];
    recorder_streams_t   streams;

    assert_int_equal(recorder_streams_init(&streams, NULL), 0);
    a = tell(&streams, 1, 0);
    assert_int_equal(next(&streams, 0, chosen), 1);
    a->behind = 0;
    a->refused = 1;
    recorder_streams_end(a, -1);
    recorder_streams_look(&streams);
    recorder_streams_look(&streams);
    assert_ptr_equal(TAILQ_FIRST(&streams.list), a);
    assert_true(a->behind);
    a->refused = 0;
    recorder_streams_look(&streams);
    recorder_streams_look(&streams);
    assert_null(TAILQ_FIRST(&streams.list));
    recorder_streams_free(&streams);
}


/* no more than are wanted, and the others are next */

static void
test_few(void **state)
{
    recorder_stream_t   *a, *b, *c, *chosen[2];
    recorder_streams_t   streams;

    assert_int_equal(recorder_streams_init(&streams, NULL), 0);
    a = tell(&streams, 1, 0);
    b = tell(&streams, 2, 0);
    c = tell(&streams, 3, 0);
    assert_int_equal(recorder_streams_next(&streams, 0, chosen, 2), 2);
    assert_ptr_equal(chosen[0], a);
    assert_ptr_equal(chosen[1], b);
    recorder_streams_end(a, 0);
    recorder_streams_end(b, 0);
    assert_int_equal(recorder_streams_next(&streams, 0, chosen, 2), 2);
    assert_ptr_equal(chosen[0], c);
    assert_ptr_equal(chosen[1], a);
    recorder_streams_end(c, -1);
    recorder_streams_end(a, -1);
    recorder_streams_free(&streams);
}


/* one that always has more does not keep the others away */

static void
test_turns(void **state)
{
    int                  i, seen;
    size_t               n, k, rounds;
    recorder_stream_t   *busy, *chosen[RECORDER_STREAMS];
    recorder_streams_t   streams;

    assert_int_equal(recorder_streams_init(&streams, NULL), 0);
    busy = tell(&streams, 0, 0);

    for (i = 1; i <= 1000; i++) {
        assert_non_null(tell(&streams, i, 0));
    }

    seen = 0;
    rounds = 0;

    while (seen < 1000) {
        n = next(&streams, 0, chosen);
        assert_true(n > 1 && n <= RECORDER_STREAMS);
        rounds++;

        for (k = 0; k < n; k++) {
            seen += (chosen[k] != busy);
            recorder_streams_end(chosen[k],
                                 chosen[k] == busy ? 0 : -1);
        }
    }

    assert_int_equal(rounds, 1000 / RECORDER_STREAMS + 1);
    recorder_streams_look(&streams);
    recorder_streams_look(&streams);
    assert_ptr_equal(TAILQ_FIRST(&streams.list), busy);
    assert_null(TAILQ_NEXT(busy, next));
    recorder_streams_free(&streams);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_failed),
        cmocka_unit_test(test_stays),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_few),
        cmocka_unit_test(test_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
