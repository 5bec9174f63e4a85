#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "worker/store/sqlite.h"


#define FILE_  "build/test_store_disk.db"


static const char *
pragma(store_t *store, const char *sql)
{
    static char    value[32];
    sqlite3_stmt  *stmt;

    assert_int_equal(sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    snprintf(value, sizeof(value), "%s", store_column(stmt, 0));
    sqlite3_finalize(stmt);

    return value;
}


/* a group is deleted from its stream after the commit: that is on the disk */

static void
test_durable(void **state)
{
    char     *error;
    store_t  *store;

    (void) unlink(FILE_);
    store = store_open(FILE_, &error);
    assert_non_null(store);

    assert_string_equal(pragma(store, "PRAGMA journal_mode"), "wal");
    assert_string_equal(pragma(store, "PRAGMA synchronous"), "2");

    store_close(store);
    (void) unlink(FILE_);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_durable)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
