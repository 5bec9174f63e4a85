/*
 * The table communication_logs: one row a message.
 *
 *   message_id   ours ("m-..."), or the provider's when it is all that is known
 *   tenant, channel, sender, recipient, provider_id, payload, status, error,
 *   code, campaign, attempts, created, updated      (ms; payload JSON text)
 *   accepted     when the provider took it, by our own clock; 0 when only a
 *                status told of it
 *
 * A status only moves forward: retry < sent < delivered < read < played <
 * failed, whatever the order and however often records come.  Exceptions, both
 * by the worker's own hand: a row that no provider has accepted (provider_id is
 * null) takes any newer record, so a dead message that is requeued may become
 * sent; and a record with a new provider_id is a new sending of the message and
 * starts again.  A status that arrives before its message makes a row by
 * provider_id, which the message's own record then takes over.
 *
 * Of several sendings the message's row tells the newest; an earlier one keeps
 * a row under its provider's id, so that its statuses are not lost and cannot
 * be taken for the new one's.  What the provider has accepted is not undone by
 * a later failure to send it again.
 */

#ifndef SLUICE_WORKER_STORE_H
#define SLUICE_WORKER_STORE_H

#include "worker/worker.h"


typedef struct store_s  store_t;

/* a row as store_list() shows it; text may be NULL */
typedef struct {
    const char  *message_id, *tenant, *channel, *sender, *recipient;
    const char  *provider_id, *status, *error, *campaign;
    int          code, attempts;
    int64_t      created, updated;
} store_row_t;

typedef void (*store_row_pt)(void *data, const store_row_t *row);


/*
 * Creates what is missing.  NULL and *error (malloc()ed) when it cannot be
 * opened.  A store may be used by any one thread at a time.
 */
store_t *store_open(const char *path, char **error);
/* the same for reading only: nothing is created */
store_t *store_open_read(const char *path, char **error);
void store_close(store_t *store);

/* all in one transaction; 0, or -1 with *error: nothing was written */
int store_write(store_t *store, const record_t *records, size_t n,
    char **error);

/*
 * The last `limit` rows, of one tenant unless NULL (by `created`; else as they
 * were first written), with this id (the message's or the provider's) unless
 * NULL; 0, or -1 with *error.
 */
int store_list(store_t *store, const char *tenant, const char *id, int limit,
    store_row_pt row, void *data, char **error);


#endif
