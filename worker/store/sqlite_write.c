/*
 * Records into rows.  merge.h decides; what is here finds the rows that a
 * record may concern, its message's and its sending's, and writes.
 */

#include <stdlib.h>
#include <string.h>
#include "worker/fault.h"
#include "worker/store/merge.h"
#include "worker/store/sqlite.h"


/* a row found; the text lives until the next step of the same statement */
typedef struct {
    int64_t       rowid;         /* 0: there is none */
    bool          orphan;        /* it stands under its provider's id */
    merge_row_t   state;
} found_t;


/*
 * OR IGNORE: no record that cannot be placed may hold up all that follow.
 *
 * The numbers are the same in all: 1 rowid, 2 tenant, 3 id, 4 provider_id,
 * 5 channel, 6 sender, 7 recipient, 8 payload, 9 status, 10 error, 11 code,
 * 12 campaign, 13 attempts, 14 at, 15 accepted, 16 by our own hand.
 */

#define FOUND  "SELECT rowid, message_id = provider_id, provider_id, status," \
               " error, code, updated, accepted FROM communication_logs"

#define MINE(column, n)                                                        \
    column " = CASE WHEN ?16 THEN coalesce(?" #n ", " column ")"               \
    " ELSE coalesce(" column ", ?" #n ") END, "

static const char *const  statements[SQL_N] = {
    "BEGIN IMMEDIATE",
    "COMMIT",
    FOUND " WHERE tenant = ?2 AND message_id = ?3",
    FOUND " WHERE tenant = ?2 AND provider_id = ?4",

    "INSERT OR IGNORE INTO communication_logs (message_id, tenant, channel,"
    " sender, recipient, provider_id, payload, status, error, code, campaign,"
    " attempts, created, updated, accepted) VALUES (coalesce(?3, ?4), ?2, ?5,"
    " ?6, ?7, ?4, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?14, ?15)",

    "UPDATE OR IGNORE communication_logs SET provider_id ="
    " coalesce(?4, provider_id), status = ?9, error = ?10, code = ?11,"
    " updated = ?14 WHERE rowid = ?1",

    "UPDATE communication_logs SET "
    MINE("channel", 5) MINE("sender", 6) MINE("recipient", 7)
    MINE("payload", 8) MINE("campaign", 12)
    "attempts = max(attempts, ?13), created = min(created, ?14),"
    " accepted = CASE WHEN ?15 = 0 THEN accepted"
    " WHEN accepted = 0 THEN ?15 ELSE min(accepted, ?15) END"
    " WHERE rowid = ?1",

    "UPDATE OR IGNORE communication_logs SET message_id ="
    " coalesce(?3, provider_id) WHERE rowid = ?1",

    /* 2 the rowid of what is taken over: it has the message's own account */
    "UPDATE communication_logs AS s SET channel = coalesce(m.channel,"
    " s.channel), sender = coalesce(m.sender, s.sender), recipient ="
    " coalesce(m.recipient, s.recipient), payload = coalesce(m.payload,"
    " s.payload), campaign = coalesce(m.campaign, s.campaign), attempts ="
    " max(s.attempts, m.attempts), created = min(s.created, m.created)"
    " FROM communication_logs AS m WHERE s.rowid = ?1 AND m.rowid = ?2",

    "DELETE FROM communication_logs WHERE rowid = ?1"
};


static int store_record(store_t *store, const record_t *record);
static int store_message(store_t *store, const record_t *record,
    const found_t *message, const found_t *sending);
static int store_adopt(store_t *store, const record_t *record,
    const found_t *message, const found_t *sending, merge_e merge);
static int store_merge(store_t *store, const record_t *record, int64_t rowid,
    merge_e merge);
static int store_find(store_t *store, sql_e what, const record_t *record,
    found_t *found);
static int store_run(store_t *store, sql_e what, int64_t rowid,
    const char *id, const record_t *record);
static int store_bind(sqlite3_stmt *stmt, int64_t rowid, const char *id,
    const record_t *record);


int
store_prepare_write(store_t *store)
{
    int  i, rc;

    for (i = 0; i < SQL_N; i++) {
        rc = sqlite3_prepare_v3(store->db, statements[i], -1,
                                SQLITE_PREPARE_PERSISTENT, &store->sql[i],
                                NULL);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    return SQLITE_OK;
}


int
store_write(store_t *store, const record_t *records, size_t n, char **error)
{
    int     rc;
    size_t  i;

    *error = NULL;
    rc = store_run(store, SQL_BEGIN, 0, NULL, NULL);

    for (i = 0; i < n && rc == SQLITE_OK; i++) {
        rc = store_record(store, &records[i]);
    }

    if (rc == SQLITE_OK) {
        fault_point("store-commit", NULL);
        rc = store_run(store, SQL_COMMIT, 0, NULL, NULL);
    }

    if (rc == SQLITE_OK) {
        return 0;
    }

    store_error(error, "%s", sqlite3_errstr(rc));

    if (!sqlite3_get_autocommit(store->db)) {
        (void) sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    }

    return -1;
}


static int
store_record(store_t *store, const record_t *record)
{
    int      rc;
    found_t  message, sending;

    memset(&message, 0, sizeof(found_t));
    memset(&sending, 0, sizeof(found_t));

    rc = SQLITE_OK;

    if (record->id != NULL) {
        rc = store_find(store, SQL_BY_ID, record, &message);
    }

    if (rc == SQLITE_OK && record->provider_id != NULL) {
        rc = store_find(store, SQL_BY_PROVIDER, record, &sending);
    }

    if (rc != SQLITE_OK) {
        /* void */

    } else if (message.rowid != 0) {
        rc = store_message(store, record, &message, &sending);

    } else if (sending.rowid != 0) {
        rc = store_merge(store, record, sending.rowid,
                         merge_decide(&sending.state, record));

        if (rc == SQLITE_OK && record->id != NULL && sending.orphan) {
            rc = store_run(store, SQL_RENAME, sending.rowid, record->id, NULL);
        }

    } else {
        rc = store_run(store, SQL_INSERT, 0, record->id, record);
    }

    /* what was found points into these */

    sqlite3_reset(store->sql[SQL_BY_ID]);
    sqlite3_reset(store->sql[SQL_BY_PROVIDER]);

    return rc;
}


/* the message has a row; its sending may have another */

static int
store_message(store_t *store, const record_t *record, const found_t *message,
    const found_t *sending)
{
    int      rc;
    merge_e  merge;

    merge = merge_decide(&message->state, record);

    if (sending->rowid != 0 && sending->rowid != message->rowid) {
        return store_adopt(store, record, message, sending, merge);
    }

    switch (merge) {

    case MERGE_OTHER:
        return store_run(store, SQL_INSERT, 0, NULL, record);

    case MERGE_RESEND:
        rc = store_run(store, SQL_RENAME, message->rowid, NULL, NULL);

        return (rc == SQLITE_OK)
               ? store_run(store, SQL_INSERT, 0, record->id, record) : rc;

    default:
        return store_merge(store, record, message->rowid, merge);
    }
}


/*
 * Statuses came before the record that says whose they are, or of an earlier
 * sending.  A row of another message is left to it.
 */

static int
store_adopt(store_t *store, const record_t *record, const found_t *message,
    const found_t *sending, merge_e merge)
{
    int  rc;

    rc = store_merge(store, record, sending->rowid,
                     merge_decide(&sending->state, record));

    if (rc != SQLITE_OK || !sending->orphan
        || (merge != MERGE_TAKE && merge != MERGE_RESEND))
    {
        return rc;
    }

    if (merge == MERGE_RESEND) {
        rc = store_run(store, SQL_RENAME, message->rowid, NULL, NULL);

    } else {
        sqlite3_bind_int64(store->sql[SQL_ABSORB], 2, message->rowid);
        rc = store_run(store, SQL_ABSORB, sending->rowid, NULL, NULL);

        if (rc == SQLITE_OK) {
            rc = store_run(store, SQL_DELETE, message->rowid, NULL, NULL);
        }
    }

    if (rc != SQLITE_OK) {
        return rc;
    }

    return store_run(store, SQL_RENAME, sending->rowid, record->id, NULL);
}


static int
store_merge(store_t *store, const record_t *record, int64_t rowid,
    merge_e merge)
{
    int  rc;

    if (merge == MERGE_TAKE) {
        rc = store_run(store, SQL_TAKE, rowid, NULL, record);

        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    return store_run(store, SQL_FILL, rowid, NULL, record);
}


static int
store_find(store_t *store, sql_e what, const record_t *record, found_t *found)
{
    int            rc;
    sqlite3_stmt  *stmt;

    stmt = store->sql[what];

    rc = store_bind(stmt, 0, record->id, record);

    if (rc != SQLITE_OK) {
        return rc;
    }

    rc = sqlite3_step(stmt);

    if (rc != SQLITE_ROW) {
        return (rc == SQLITE_DONE) ? SQLITE_OK : rc;
    }

    found->rowid = sqlite3_column_int64(stmt, 0);
    found->orphan = sqlite3_column_int(stmt, 1);
    found->state.provider_id = store_column(stmt, 2);
    found->state.status = store_column(stmt, 3);
    found->state.error = store_column(stmt, 4);
    found->state.code = sqlite3_column_int(stmt, 5);
    found->state.updated = sqlite3_column_int64(stmt, 6);
    found->state.accepted = sqlite3_column_int64(stmt, 7);

    return SQLITE_OK;
}


static int
store_run(store_t *store, sql_e what, int64_t rowid, const char *id,
    const record_t *record)
{
    int            rc;
    sqlite3_stmt  *stmt;

    stmt = store->sql[what];

    rc = store_bind(stmt, rowid, id, record);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }

    sqlite3_reset(stmt);

    return (rc == SQLITE_DONE) ? SQLITE_OK : rc;
}


/* each statement takes the numbers that it has */

static int
store_bind(sqlite3_stmt *stmt, int64_t rowid, const char *id,
    const record_t *record)
{
    int    n, rc;
    bool   own;
    char  *payload;

    n = sqlite3_bind_parameter_count(stmt);

    if (n == 0) {
        return SQLITE_OK;
    }

    (void) sqlite3_bind_int64(stmt, 1, rowid);

    if (record == NULL) {
        return (n < 3) ? SQLITE_OK : store_text(stmt, 3, id);
    }

    rc = store_text(stmt, 2, record->tenant ? record->tenant : "");

    if (n >= 3) {
        rc |= store_text(stmt, 3, id);
    }

    if (n >= 4) {
        rc |= store_text(stmt, 4, record->provider_id);
    }

    if (n < 5) {
        return rc ? SQLITE_NOMEM : SQLITE_OK;
    }

    own = merge_own(record);
    payload = NULL;

    if (record->payload != NULL) {
        payload = json_dumps(record->payload,
                             JSON_COMPACT|JSON_ENCODE_ANY
                             |JSON_REAL_PRECISION(15));
    }

    rc |= store_text(stmt, 5, record->channel)
          | store_text(stmt, 6, record->sender)
          | store_text(stmt, 7, record->recipient)
          | store_text(stmt, 8, payload)
          | store_text(stmt, 9, record->status)
          | store_text(stmt, 10, record->error)
          | sqlite3_bind_int(stmt, 11, record->code)
          | store_text(stmt, 12, record->campaign)
          | sqlite3_bind_int(stmt, 13, record->attempts)
          | sqlite3_bind_int64(stmt, 14, record->at);

    if (n >= 15) {
        rc |= sqlite3_bind_int64(stmt, 15,
                                 (own && record->provider_id != NULL)
                                 ? record->at : 0);
    }

    if (n >= 16) {
        rc |= sqlite3_bind_int(stmt, 16, own);
    }

    free(payload);

    return rc ? SQLITE_NOMEM : SQLITE_OK;
}
