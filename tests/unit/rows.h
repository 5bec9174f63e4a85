/*
 * Tables of rows, a TAP line each: a row is a struct whose first member is its
 * name.  rows_add() takes a table, rows_run() runs all that were added.
 */

#ifndef TESTS_UNIT_ROWS_H
#define TESTS_UNIT_ROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>


#define ROWS_MAX  1024

#define rows_add(rows, run)                                                   \
    rows_add_sized(rows, sizeof(rows) / sizeof((rows)[0]),                    \
                   sizeof((rows)[0]), run)

/* the row of a test function */
#define row_of(type, state)  ((const type *) *(state))


static struct CMUnitTest  rows_tests[ROWS_MAX];
static size_t             rows_count;


static inline void
rows_add_one(const char *name, CMUnitTestFunction run, const void *row)
{
    struct CMUnitTest  *test;

    if (rows_count == ROWS_MAX) {
        fprintf(stderr, "rows.h: more than ROWS_MAX rows\n");
        abort();
    }

    test = &rows_tests[rows_count++];
    test->name = name;
    test->test_func = run;

    /* cmocka does not write through it, nor do the tests */

    test->initial_state = (void *) (uintptr_t) row;
}


static inline void
rows_add_sized(const void *rows, size_t n, size_t size,
    CMUnitTestFunction run)
{
    size_t       i;
    const char  *row;

    for (i = 0; i < n; i++) {
        row = (const char *) rows + i * size;
        rows_add_one(*(const char *const *) (const void *) row, run, row);
    }
}


static inline int
rows_run(const char *group)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);

    return _cmocka_run_group_tests(group, rows_tests, rows_count, NULL, NULL);
}


/* Exactly len bytes of the heap, so that the sanitizer sees a byte beyond. */

static inline uint8_t *
rows_bytes(const void *data, size_t len)
{
    uint8_t  *copy;

    copy = malloc(len);

    if (len != 0) {
        assert_non_null(copy);
        memcpy(copy, data, len);
    }

    return copy;
}


#endif
