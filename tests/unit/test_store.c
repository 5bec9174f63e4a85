#include <stdarg.h>
#include <setjmp.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <sqlite3.h>
#include "worker/store/store.h"


#define MAX   7
#define FILE_ "build/test_store.db"
#define ROWS  "SELECT message_id || '|' || coalesce(provider_id, '') || '|'"  \
              " || status || '|' || coalesce(error, '') || '|' || code"       \
              " || '|' || created || '|' || updated FROM communication_logs"

/* what the worker writes itself, and what a webhook tells */
#define OWN(s_, p_, at_, e_, c_)                                              \
    { .id = "m-1", .provider_id = p_, .channel = "whatsapp",                  \
      .recipient = "+351", .status = s_, .error = e_, .code = c_,             \
      .attempts = 1, .at = at_ }
#define HOOK(i_, s_, p_, at_)                                                 \
    { .id = i_, .provider_id = p_, .recipient = "351", .status = s_,          \
      .at = at_ }


/*
 * Whatever the order in which the records come, and however often, the rows
 * are these: "message_id|provider_id|status|error|code|created|updated".
 */

static const struct {
    const char  *name;
    size_t       n;
    record_t     records[MAX];
    const char  *rows;
} cases[] = {
    { "sent, delivered, read", 3, {
        OWN("sent", "A", 3, NULL, 0),
        HOOK(NULL, "delivered", "A", 4),
        HOOK(NULL, "read", "A", 5) },
      "m-1|A|read||0|3|5\n" },
    { "read twice, delivered never", 3, {
        OWN("sent", "A", 3, NULL, 0),
        HOOK("m-1", "read", "A", 9),
        HOOK("m-1", "read", "A", 5) },
      "m-1|A|read||0|3|5\n" },
    { "with our id in the statuses", 4, {
        OWN("sent", "A", 3, NULL, 0),
        HOOK("m-1", "sent", "A", 2),
        HOOK("m-1", "delivered", "A", 4),
        HOOK("m-1", "played", "A", 6) },
      "m-1|A|played||0|2|6\n" },
    { "retry, retry, sent, failed", 4, {
        OWN("retry", NULL, 1, "slow", 130429),
        OWN("retry", NULL, 2, "slower", 131056),
        OWN("sent", "A", 3, NULL, 0),
        { .provider_id = "A", .status = "failed", .error = "no",
          .code = 131026, .at = 4 } },
      "m-1|A|failed|no|131026|1|4\n" },
    { "dead, requeued, sent", 5, {
        OWN("retry", NULL, 1, "slow", 1),
        OWN("failed", NULL, 2, "dead", 2),
        OWN("retry", NULL, 7, "slow", 1),
        OWN("sent", "A", 8, NULL, 0),
        HOOK(NULL, "delivered", "A", 9) },
      "m-1|A|delivered||0|1|9\n" },
    { "dead, requeued, not yet sent", 3, {
        OWN("retry", NULL, 1, "slow", 1),
        OWN("failed", NULL, 2, "dead", 2),
        OWN("retry", NULL, 7, "slow", 1) },
      "m-1||retry|slow|1|1|7\n" },
    { "dead for good", 4, {
        OWN("retry", NULL, 1, "slow", 1),
        OWN("retry", NULL, 2, "slow", 1),
        OWN("retry", NULL, 3, "slow", 1),
        OWN("failed", NULL, 4, "dead", 2) },
      "m-1||failed|dead|2|1|4\n" },
    { "two of one millisecond", 3, {
        OWN("retry", NULL, 1, "a", 1),
        OWN("retry", NULL, 1, "b", 1),
        OWN("retry", NULL, 1, "c", 0) },
      "m-1||retry|b|1|1|1\n" },
    { "of unknown outcome, but a status has our id", 4, {
        OWN("retry", NULL, 3, "timeout", 0),
        HOOK("m-1", "sent", "A", 2),
        HOOK(NULL, "read", "A", 9),
        OWN("failed", NULL, 5, "timeout", 0) },
      "m-1|A|read||0|2|9\n" },
    { "sent anew: the newest sending's statuses", 6, {
        OWN("sent", "A", 3, NULL, 0),
        HOOK(NULL, "delivered", "A", 4),
        OWN("sent", "B", 8, NULL, 0),
        HOOK("m-1", "read", "A", 9),
        HOOK("m-1", "delivered", "B", 10),
        HOOK(NULL, "sent", "B", 7) },
      "A|A|read||0|3|9\n"
      "m-1|B|delivered||0|7|10\n" },
    { "sent twice in one millisecond", 2, {
        OWN("sent", "A", 3, NULL, 0),
        OWN("sent", "B", 3, NULL, 0) },
      "A|A|sent||0|3|3\n"
      "m-1|B|sent||0|3|3\n" },
    { "of two messages", 4, {
        OWN("sent", "A", 3, NULL, 0),
        { .id = "m-2", .provider_id = "B", .channel = "whatsapp",
          .status = "sent", .attempts = 1, .at = 5 },
        HOOK(NULL, "read", "B", 6),
        HOOK(NULL, "delivered", "A", 7) },
      "m-1|A|delivered||0|3|7\n"
      "m-2|B|read||0|5|6\n" },
    { "nobody's message", 2, {
        HOOK(NULL, "read", "Z", 6),
        HOOK(NULL, "sent", "Z", 5) },
      "Z|Z|read||0|5|6\n" }
};


/* the first column of what is selected, a line each row */

static char *
selected(const char *sql)
{
    char          *text;
    size_t         len;
    FILE          *out;
    sqlite3       *db;
    sqlite3_stmt  *stmt;

    out = open_memstream(&text, &len);
    assert_int_equal(sqlite3_open(FILE_, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);

    while (sqlite3_step(stmt) == SQLITE_ROW) {
        fprintf(out, "%s\n", sqlite3_column_text(stmt, 0));
    }

    sqlite3_finalize(stmt);
    sqlite3_close(db);
    fclose(out);

    return text;
}


static void
forget(void)
{
    unlink(FILE_);
    unlink(FILE_ "-wal");
    unlink(FILE_ "-shm");
}


static store_t *
fresh(void)
{
    char     *error;
    store_t  *store;

    forget();
    store = store_open(FILE_, &error);

    if (store == NULL) {
        fail_msg("%s", error);
    }

    return store;
}


/* one store for all orders: each has a tenant of its own */

static void
write_order(store_t *store, const char *tenant, size_t c, const size_t *order,
    size_t n)
{
    char      *error;
    size_t     i;
    record_t   records[2 * MAX];

    for (i = 0; i < n; i++) {
        records[i] = cases[c].records[order[i]];
        records[i].tenant = tenant;
    }

    /* in one group, or one by one */

    if (tenant[strlen(tenant) - 1] % 2) {
        assert_int_equal(store_write(store, records, n, &error), 0);
        return;
    }

    for (i = 0; i < n; i++) {
        assert_int_equal(store_write(store, &records[i], 1, &error), 0);
    }
}


static bool
next_order(size_t *order, size_t n)
{
    size_t  i, k, t;

    for (i = n - 1; i > 0 && order[i - 1] > order[i]; i--) {
        /* void */
    }

    if (i == 0) {
        return false;
    }

    for (k = n - 1; order[k] < order[i - 1]; k--) {
        /* void */
    }

    t = order[i - 1];
    order[i - 1] = order[k];
    order[k] = t;

    for (k = n - 1; i < k; i++, k--) {
        t = order[i];
        order[i] = order[k];
        order[k] = t;
    }

    return true;
}


static void
check_tenant(size_t c, const char *tenant, const size_t *order, size_t n)
{
    char    *text, sql[512];
    size_t   i;

    snprintf(sql, sizeof(sql), ROWS " WHERE tenant = '%s' ORDER BY message_id",
             tenant);
    text = selected(sql);

    if (strcmp(text, cases[c].rows) != 0) {
        print_error("%s, in the order", cases[c].name);

        for (i = 0; i < n; i++) {
            print_error(" %zu", order[i]);
        }

        fail_msg(":\n%s", text);
    }

    free(text);
}


static void
test_all_orders(void **state)
{
    char      tenant[32];
    size_t    c, i, k, n, order[2 * MAX];
    store_t  *store;

    store = fresh();
    k = 0;

    for (c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        n = cases[c].n;

        for (i = 0; i < n; i++) {
            order[i] = i;
        }

        do {
            /* once, and then all of it again from the other end */

            snprintf(tenant, sizeof(tenant), "t%zu", k++);
            write_order(store, tenant, c, order, n);
            check_tenant(c, tenant, order, n);

            for (i = 0; i < n; i++) {
                order[n + i] = order[n - 1 - i];
            }

            write_order(store, tenant, c, order, 2 * n);
            check_tenant(c, tenant, order, 2 * n);
        } while (next_order(order, n));
    }

    store_close(store);
    forget();
}


/* what the message says of itself stays, whoever came first */

static void
test_blanks(void **state)
{
    char      *text, *error;
    json_t    *payload;
    size_t     i;
    store_t   *store;
    record_t   records[2];

    payload = json_pack("{s:s}", "to", "+351");

    for (i = 0; i < 2; i++) {
        memset(records, 0, sizeof(records));
        records[i].id = "m-1";
        records[i].provider_id = "A";
        records[i].tenant = "acme";
        records[i].channel = "whatsapp";
        records[i].sender = "498";
        records[i].recipient = "+351";
        records[i].payload = payload;
        records[i].campaign = "spring";
        records[i].status = "sent";
        records[i].attempts = 2;
        records[i].at = 5;
        records[1 - i].provider_id = "A";
        records[1 - i].tenant = "acme";
        records[1 - i].sender = "498";
        records[1 - i].recipient = "351";
        records[1 - i].status = "read";
        records[1 - i].at = 9;

        store = fresh();
        assert_int_equal(store_write(store, records, 2, &error), 0);
        store_close(store);

        text = selected("SELECT tenant || '|' || channel || '|' || sender ||"
                        " '|' || recipient || '|' || payload || '|' ||"
                        " campaign || '|' || attempts || '|' || accepted ||"
                        " '|' || status FROM communication_logs");
        assert_string_equal(text, "acme|whatsapp|498|+351|{\"to\":\"+351\"}|"
                            "spring|2|5|read\n");
        free(text);
    }

    json_decref(payload);
    forget();
}


/* one id in two tenants, and none: three rows */

static void
test_tenants(void **state)
{
    char      *error;
    size_t     i;
    store_t   *store;
    record_t   records[3];

    static const char *const  tenants[] = { "a", "b", NULL };

    memset(records, 0, sizeof(records));

    for (i = 0; i < 3; i++) {
        records[i].id = "m-1";
        records[i].provider_id = "A";
        records[i].tenant = tenants[i];
        records[i].status = "sent";
        records[i].at = 1;
    }

    store = fresh();
    assert_int_equal(store_write(store, records, 3, &error), 0);
    assert_int_equal(store_write(store, records, 3, &error), 0);
    store_close(store);

    error = selected(ROWS);
    assert_string_equal(error, "m-1|A|sent||0|1|1\nm-1|A|sent||0|1|1\n"
                        "m-1|A|sent||0|1|1\n");
    free(error);
    forget();
}


typedef struct {
    size_t       n;
    const char  *first;
    char         status[16];
} seen_t;


static void
see(void *data, const store_row_t *row)
{
    seen_t  *seen = data;

    if (seen->n++ == 0) {
        assert_string_equal(row->message_id, seen->first);
        snprintf(seen->status, sizeof(seen->status), "%s", row->status);
    }
}


static void
test_list(void **state)
{
    char      *error;
    seen_t     seen = { 0, "m-1", "" };
    store_t   *store;
    record_t   records[3];

    memset(records, 0, sizeof(records));
    records[0].id = "m-1";
    records[1].id = "m-3";
    records[2].id = "m-2";
    records[0].tenant = records[1].tenant = "a";
    records[2].tenant = "b";
    records[0].status = records[1].status = records[2].status = "retry";
    records[0].at = 3;
    records[1].at = 5;
    records[2].at = 2;

    store = fresh();
    assert_int_equal(store_write(store, &records[1], 2, &error), 0);
    assert_int_equal(store_write(store, records, 1, &error), 0);
    store_close(store);

    store = store_open_read(FILE_, &error);
    assert_non_null(store);
    assert_int_equal(store_list(store, NULL, NULL, 2, see, &seen, &error), 0);
    assert_int_equal(seen.n, 2);
    assert_string_equal(seen.status, "retry");

    /* of one tenant by time, not by arrival */
    seen.n = 0;
    seen.first = "m-3";
    assert_int_equal(store_list(store, "a", NULL, 10, see, &seen, &error), 0);
    assert_int_equal(seen.n, 2);

    seen.n = 0;
    assert_int_equal(store_list(store, "c", NULL, 10, see, &seen, &error), 0);
    assert_int_equal(seen.n, 0);

    seen.first = "m-2";
    assert_int_equal(store_list(store, NULL, "m-2", 9, see, &seen, &error),
                     0);
    assert_int_equal(seen.n, 1);

    seen.n = 0;
    assert_int_equal(store_list(store, "a", "m-2", 9, see, &seen, &error), 0);
    assert_int_equal(seen.n, 0);

    /* it was opened for reading only */
    assert_int_equal(store_write(store, records, 1, &error), -1);
    if (strstr(error, "readonly") == NULL) {
        fail_msg("%s", error);
    }

    free(error);

    store_close(store);
    forget();
}


static void
refused(const char *path, const char *what)
{
    char     *error;
    store_t  *store;

    store = store_open(path, &error);

    if (store != NULL) {
        fail_msg("opened %s", path);
    }

    assert_non_null(error);

    if (strstr(error, what) == NULL) {
        fail_msg("%s", error);
    }

    free(error);
}


static void
statement(const char *sql)
{
    sqlite3  *db;

    assert_int_equal(sqlite3_open(FILE_, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}


static void
test_open(void **state)
{
    FILE         *file;
    char         *error;
    store_t      *store;
    struct stat   st;

    refused("no-such-directory/store.db", "No such file");
    refused(".", "directory");

    forget();
    file = fopen(FILE_, "w");
    assert_non_null(file);
    fputs("this is a text file and surely no database at all, is it?\n", file);
    fclose(file);
    refused(FILE_, "not a database");

    forget();
    statement("CREATE TABLE communication_logs (a)");
    refused(FILE_, "not a store");

    forget();
    statement("PRAGMA user_version = 7; CREATE TABLE communication_logs (a)");
    refused(FILE_, "newer program");

    forget();
    statement("PRAGMA user_version = 1; CREATE TABLE other (a)");
    refused(FILE_, "not a store");

    forget();
    assert_null(store_open_read(FILE_, &error));
    assert_non_null(strstr(error, "No such file"));
    free(error);

    /* twice: the second finds what the first made */

    store = fresh();
    store_close(store);
    store = store_open(FILE_, &error);
    assert_non_null(store);
    store_close(store);

    assert_int_equal(stat(FILE_, &st), 0);
    assert_int_equal(st.st_mode & 07, 0);
    forget();
}


/* another has the lock: an error, nothing written, and fine afterwards */

static void
test_busy(void **state)
{
    char      *error, *text;
    sqlite3   *db;
    store_t   *store;
    record_t   record;

    memset(&record, 0, sizeof(record));
    record.id = "m-1";
    record.status = "retry";
    record.at = 1;

    store = fresh();
    assert_int_equal(sqlite3_open(FILE_, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(store_write(store, &record, 1, &error), -1);
    assert_non_null(strstr(error, "locked"));
    free(error);
    sqlite3_close(db);

    assert_int_equal(store_write(store, &record, 1, &error), 0);
    store_close(store);

    text = selected(ROWS);
    assert_string_equal(text, "m-1||retry||0|1|1\n");
    free(text);
    forget();
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_all_orders),
        cmocka_unit_test(test_blanks),
        cmocka_unit_test(test_tenants),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_busy)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
