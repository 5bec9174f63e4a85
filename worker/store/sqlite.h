/*
 * What the two halves of the SQLite store share: sqlite.c opens and reads,
 * sqlite_write.c brings records in.
 */

#ifndef SLUICE_WORKER_STORE_SQLITE_H
#define SLUICE_WORKER_STORE_SQLITE_H

#include <sqlite3.h>
#include "worker/store/store.h"


typedef enum {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_BY_ID,
    SQL_BY_PROVIDER,
    SQL_INSERT,
    SQL_TAKE,
    SQL_FILL,
    SQL_RENAME,
    SQL_ABSORB,
    SQL_DELETE,
    SQL_N
} sql_e;

struct store_s {
    sqlite3       *db;
    sqlite3_stmt  *sql[SQL_N];
};


/* the statements of store->sql; a result code of SQLite */
int store_prepare_write(store_t *store);

int store_text(sqlite3_stmt *stmt, int n, const char *text);
const char *store_column(sqlite3_stmt *stmt, int i);
void store_error(char **error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));


#endif
