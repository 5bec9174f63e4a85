/*
 * communication_logs in a SQLite file: WAL, so that readers and the writer do
 * not wait for each other; synchronous FULL, for a group is deleted from its
 * stream after the commit, and a power cut must not take that back.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "worker/store/sqlite.h"


#define SCHEMA_VERSION  1
#define BUSY_TIMEOUT    2000    /* ms; then the group is tried again later */


static const char  schema[] =
    "CREATE TABLE communication_logs ("
    " message_id TEXT NOT NULL,"
    " tenant TEXT NOT NULL DEFAULT '',"
    " channel TEXT,"
    " sender TEXT,"
    " recipient TEXT,"
    " provider_id TEXT,"
    " payload TEXT,"
    " status TEXT NOT NULL,"
    " error TEXT,"
    " code INTEGER NOT NULL DEFAULT 0,"
    " campaign TEXT,"
    " attempts INTEGER NOT NULL DEFAULT 0,"
    " created INTEGER NOT NULL,"
    " updated INTEGER NOT NULL,"
    " accepted INTEGER NOT NULL DEFAULT 0);"
    "CREATE UNIQUE INDEX communication_logs_message"
    " ON communication_logs (tenant, message_id);"
    "CREATE UNIQUE INDEX communication_logs_provider"
    " ON communication_logs (tenant, provider_id);"
    "CREATE INDEX communication_logs_created"
    " ON communication_logs (tenant, created);"
    "CREATE INDEX communication_logs_recipient"
    " ON communication_logs (tenant, recipient);"
    "CREATE INDEX communication_logs_status"
    " ON communication_logs (tenant, status);"
    "PRAGMA user_version = 1;";

static store_t *store_open_flags(const char *path, int flags, char **error);
static int store_schema(store_t *store, char **error);
static int store_integer(store_t *store, const char *sql, int *value);


store_t *
store_open(const char *path, char **error)
{
    int  fd;

    /* made here, for these are people's messages: not for others to read */

    if (strcmp(path, ":memory:") != 0) {
        fd = open(path, O_RDWR|O_CREAT|O_CLOEXEC, 0640);

        if (fd == -1) {
            store_error(error, "cannot open \"%s\": %s", path,
                        strerror(errno));
            return NULL;
        }

        close(fd);
    }

    return store_open_flags(path, SQLITE_OPEN_READWRITE|SQLITE_OPEN_CREATE,
                            error);
}


store_t *
store_open_read(const char *path, char **error)
{
    if (access(path, R_OK) != 0) {
        store_error(error, "cannot open \"%s\": %s", path, strerror(errno));
        return NULL;
    }

    return store_open_flags(path, SQLITE_OPEN_READONLY, error);
}


static store_t *
store_open_flags(const char *path, int flags, char **error)
{
    int       rc;
    store_t  *store;

    *error = NULL;
    store = calloc(1, sizeof(store_t));

    if (store == NULL) {
        return NULL;
    }

    rc = sqlite3_open_v2(path, &store->db, flags, NULL);

    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(store->db, BUSY_TIMEOUT);
        rc = store_schema(store, error);
    }

    if (rc == SQLITE_OK && (flags & SQLITE_OPEN_READWRITE)) {
        rc = sqlite3_exec(store->db, "PRAGMA journal_mode = WAL;"
                          "PRAGMA synchronous = FULL", NULL, NULL, NULL);
    }

    if (rc == SQLITE_OK) {
        rc = store_prepare_write(store);
    }

    if (rc != SQLITE_OK) {
        if (*error == NULL) {
            store_error(error, "cannot open \"%s\": %s", path,
                        sqlite3_errmsg(store->db));
        }

        store_close(store);
        return NULL;
    }

    return store;
}


/* the version is raised with each change; the steps from the one before */

static int
store_schema(store_t *store, char **error)
{
    int  rc, version, tables;

    if (sqlite3_db_readonly(store->db, "main") == 0) {
        rc = sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    rc = store_integer(store, "PRAGMA user_version", &version);

    if (rc == SQLITE_OK) {
        rc = store_integer(store, "SELECT count(*) FROM sqlite_master"
                           " WHERE name = 'communication_logs'", &tables);
    }

    if (rc != SQLITE_OK) {
        /* void */

    } else if (version > SCHEMA_VERSION) {
        store_error(error, "the store is of version %d, made by a newer"
                    " program; this one knows %d", version, SCHEMA_VERSION);
        rc = SQLITE_ERROR;

    } else if ((version == SCHEMA_VERSION) != (tables == 1)) {
        store_error(error, "the file holds a database that is not a store"
                    " (user_version %d, %d table communication_logs)",
                    version, tables);
        rc = SQLITE_ERROR;

    } else if (version == 0) {
        rc = sqlite3_exec(store->db, schema, NULL, NULL, NULL);
    }

    if (sqlite3_get_autocommit(store->db)) {
        return rc;
    }

    if (rc != SQLITE_OK) {
        if (*error == NULL) {
            store_error(error, "%s", sqlite3_errmsg(store->db));
        }

        (void) sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
        return rc;
    }

    return sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL);
}


static int
store_integer(store_t *store, const char *sql, int *value)
{
    int            rc;
    sqlite3_stmt  *stmt;

    rc = sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL);

    if (rc != SQLITE_OK) {
        return rc;
    }

    rc = sqlite3_step(stmt);
    *value = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);

    return (rc == SQLITE_ROW) ? SQLITE_OK : rc;
}


void
store_close(store_t *store)
{
    int  i;

    if (store == NULL) {
        return;
    }

    for (i = 0; i < SQL_N; i++) {
        sqlite3_finalize(store->sql[i]);
    }

    sqlite3_close(store->db);
    free(store);
}


int
store_text(sqlite3_stmt *stmt, int n, const char *text)
{
    return sqlite3_bind_text(stmt, n, text, -1, SQLITE_TRANSIENT);
}


const char *
store_column(sqlite3_stmt *stmt, int i)
{
    return (const char *) sqlite3_column_text(stmt, i);
}


int
store_list(store_t *store, const char *tenant, const char *id, int limit,
    store_row_pt row, void *data, char **error)
{
    int            rc;
    char          *sql;
    store_row_t    r;
    sqlite3_stmt  *stmt;

    *error = NULL;

    /* in the order of an index, or of the table itself */

    sql = sqlite3_mprintf("SELECT message_id, tenant, channel, sender,"
                          " recipient, provider_id, status, error, campaign,"
                          " code, attempts, created, updated"
                          " FROM communication_logs WHERE 1 %s %s"
                          " ORDER BY %s DESC LIMIT ?2",
                          tenant ? "AND tenant = ?1" : "",
                          id ? "AND (message_id = ?3 OR provider_id = ?3)"
                             : "",
                          (tenant && id == NULL) ? "created" : "rowid");
    stmt = NULL;
    rc = sqlite3_prepare_v2(store->db, sql ? sql : "", -1, &stmt, NULL);
    sqlite3_free(sql);

    if (rc == SQLITE_OK && tenant != NULL) {
        rc = store_text(stmt, 1, tenant);
    }

    if (rc == SQLITE_OK && id != NULL) {
        rc = store_text(stmt, 3, id);
    }

    if (rc == SQLITE_OK) {
        rc = sqlite3_bind_int(stmt, 2, limit);
    }

    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        r.message_id = store_column(stmt, 0);
        r.tenant = store_column(stmt, 1);
        r.channel = store_column(stmt, 2);
        r.sender = store_column(stmt, 3);
        r.recipient = store_column(stmt, 4);
        r.provider_id = store_column(stmt, 5);
        r.status = store_column(stmt, 6);
        r.error = store_column(stmt, 7);
        r.campaign = store_column(stmt, 8);
        r.code = sqlite3_column_int(stmt, 9);
        r.attempts = sqlite3_column_int(stmt, 10);
        r.created = sqlite3_column_int64(stmt, 11);
        r.updated = sqlite3_column_int64(stmt, 12);

        row(data, &r);
        rc = SQLITE_OK;
    }

    sqlite3_finalize(stmt);

    if (rc == SQLITE_DONE) {
        return 0;
    }

    store_error(error, "%s", sqlite3_errstr(rc));

    return -1;
}


void
store_error(char **error, const char *format, ...)
{
    va_list  args;

    va_start(args, format);

    if (vasprintf(error, format, args) == -1) {
        *error = NULL;
    }

    va_end(args);
}
