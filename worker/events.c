/*
 * A Meta webhook: every entry, every change, every message and status.  An
 * item that is not of the known form never hides its neighbours: it is listed
 * under "other" with its pointer.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/worker.h"


#define EVENTS_NAME_MAX  512    /* bytes of an id or a name */


typedef struct {
    events_t    *events;
    json_t      *messages, *statuses, *other;
    const char  *tenant;
    int64_t      at;          /* ms, of what has no time of its own */
    size_t       entry, change;
    bool         failed;      /* out of memory */
} walk_t;


static const char *events_walk(walk_t *walk, const json_t *root);
static void events_change(walk_t *walk, const json_t *change);
static void events_messages(walk_t *walk, const json_t *value);
static void events_message(walk_t *walk, const json_t *value,
    const json_t *message, size_t i);
static void events_status(walk_t *walk, const json_t *value,
    const json_t *status, size_t i);
static void events_record(walk_t *walk, const record_t *record);
static void events_error(record_t *record, char *text, size_t size,
    const json_t *status);
static void events_other(walk_t *walk, const char *field,
    const json_t *value);
static void events_malformed(walk_t *walk, const char *field,
    const char *list, size_t i);
static const char *events_number(const json_t *value);
static const char *events_text(const json_t *object, const char *name);
static const char *events_string(const json_t *object, const char *name);
static int64_t events_time(const json_t *object);
static bool events_ours(const char *id);
static void events_set(walk_t *walk, json_t *object, const char *name,
    const char *text);


const char *
events_read(events_t *events, const job_t *job, const char *tenant)
{
    json_t      *root, *webhook, *result;
    walk_t       walk;
    const char  *error;

    memset(events, 0, sizeof(events_t));

    if (job->data == NULL) {
        return "the job has no data";
    }

    /* a zero byte in somebody's text must not cost the whole webhook */

    root = json_loadb(job->data, job->data_len, JSON_ALLOW_NUL, NULL);

    /* nor an integer over 2^63: then all numbers are read as real ones */

    if (root == NULL) {
        root = json_loadb(job->data, job->data_len,
                          JSON_ALLOW_NUL|JSON_DECODE_INT_AS_REAL, NULL);
    }

    if (root == NULL) {
        return "the data is not JSON";
    }

    webhook = root;

    if (json_is_string(json_object_get(root, "specversion"))) {
        webhook = json_object_get(root, "data");

        if (!json_is_object(webhook)) {
            json_decref(root);
            return "/data: must be an object";
        }
    }

    memset(&walk, 0, sizeof(walk_t));
    walk.events = events;
    walk.tenant = tenant;
    walk.at = (job->timestamp > 0) ? job->timestamp : 1;

    result = json_pack("{s:[],s:[],s:[]}", "messages", "statuses", "other");
    walk.messages = json_object_get(result, "messages");
    walk.statuses = json_object_get(result, "statuses");
    walk.other = json_object_get(result, "other");

    error = (result != NULL) ? events_walk(&walk, webhook) : "out of memory";

    if (error == NULL) {
        events->result = json_dumps(result, JSON_COMPACT);

        if (events->result == NULL || walk.failed) {
            error = "out of memory";
        }
    }

    json_decref(result);
    json_decref(root);

    if (error != NULL) {
        events_free(events);
    }

    return error;
}


static const char *
events_walk(walk_t *walk, const json_t *root)
{
    size_t   i;
    json_t  *entries, *entry, *changes, *change, *list;

    static const char *const  lists[] = { "messaging", "standby" };

    /* the test button of Meta's dashboard sends one change without wrapper */

    if (json_is_string(json_object_get(root, "field"))
        && json_is_object(json_object_get(root, "value")))
    {
        events_change(walk, root);
        return NULL;
    }

    entries = json_object_get(root, "entry");

    if (!json_is_array(entries)) {
        return "/entry: must be an array";
    }

    json_array_foreach(entries, walk->entry, entry) {

        if (!json_is_object(entry)) {
            events_malformed(walk, NULL, NULL, 0);
            continue;
        }

        changes = json_object_get(entry, "changes");

        json_array_foreach(changes, walk->change, change) {
            events_change(walk, change);
        }

        /* Messenger and Instagram have no changes but these */

        for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
            list = json_object_get(entry, lists[i]);

            json_array_foreach(list, walk->change, change) {
                events_other(walk, lists[i], NULL);
            }
        }
    }

    return NULL;
}


static void
events_change(walk_t *walk, const json_t *change)
{
    json_t      *value;
    const char  *field;

    field = events_text(change, "field");
    value = json_object_get(change, "value");

    if (field == NULL || !json_is_object(value)) {
        events_malformed(walk, field, NULL, 0);
        return;
    }

    /* only here: field "calls" has a statuses[] of its own meaning */

    if (strcmp(field, "messages") == 0
        && (json_is_array(json_object_get(value, "messages"))
            || json_is_array(json_object_get(value, "statuses"))))
    {
        events_messages(walk, value);

        if (json_object_get(value, "errors") == NULL) {
            return;
        }
    }

    events_other(walk, field, value);
}


static void
events_messages(walk_t *walk, const json_t *value)
{
    size_t   i;
    json_t  *list, *item;

    list = json_object_get(value, "messages");

    json_array_foreach(list, i, item) {
        events_message(walk, value, item, i);
    }

    list = json_object_get(value, "statuses");

    json_array_foreach(list, i, item) {
        events_status(walk, value, item, i);
    }
}


/* a user with a username may have no phone number here, only the user id */

static void
events_message(walk_t *walk, const json_t *value, const json_t *message,
    size_t i)
{
    json_t      *out, *contact;
    int64_t      time;
    const char  *id, *from, *user;

    id = events_text(message, "id");

    if (id == NULL) {
        events_malformed(walk, "messages", "messages", i);
        return;
    }

    contact = json_array_get(json_object_get(value, "contacts"), 0);

    user = events_text(message, "from_user_id");

    if (user == NULL) {
        user = events_text(contact, "user_id");
    }

    from = events_text(message, "from");

    if (from == NULL) {
        from = events_text(contact, "wa_id");
    }

    if (from == NULL) {
        from = user;
    }

    time = events_time(message);
    out = json_object();

    events_set(walk, out, "id", id);
    events_set(walk, out, "from", from);

    if (user != NULL) {
        events_set(walk, out, "user", user);
    }

    events_set(walk, out, "type", events_text(message, "type"));
    events_set(walk, out, "number", events_number(value));

    if (json_object_set_new(out, "timestamp",
                            time ? json_integer(time / 1000) : json_null())
            != 0
        || json_array_append_new(walk->messages, out) != 0)
    {
        walk->failed = true;
    }

    walk->events->nmessages++;
}


static void
events_status(walk_t *walk, const json_t *value, const json_t *status,
    size_t i)
{
    char         text[512];
    json_t      *out;
    int64_t      time;
    record_t     record;
    const char  *callback;

    memset(&record, 0, sizeof(record_t));

    record.provider_id = events_text(status, "id");
    record.status = events_text(status, "status");

    if (record.provider_id == NULL || record.status == NULL) {
        events_malformed(walk, "messages", "statuses", i);
        return;
    }

    record.recipient = events_text(status, "recipient_id");

    if (record.recipient == NULL) {
        record.recipient = events_text(status, "recipient_user_id");
    }

    record.sender = events_number(value);
    record.tenant = walk->tenant;

    callback = events_text(status, "biz_opaque_callback_data");

    if (callback != NULL && events_ours(callback)) {
        record.id = callback;
    }

    time = events_time(status);
    record.at = time ? time : walk->at;

    out = json_object();

    events_set(walk, out, "id", record.provider_id);
    events_set(walk, out, "status", record.status);
    events_set(walk, out, "recipient", record.recipient);
    events_set(walk, out, "number", record.sender);

    if (json_object_set_new(out, "timestamp",
                            time ? json_integer(time / 1000) : json_null())
            != 0
        || json_array_append_new(walk->statuses, out) != 0)
    {
        walk->failed = true;
    }

    if (record_rank(record.status) > record_rank("retry")) {
        events_error(&record, text, sizeof(text), status);
        events_record(walk, &record);
    }
}


static void
events_error(record_t *record, char *text, size_t size, const json_t *status)
{
    size_t       len;
    json_t      *error, *code;
    const char  *title, *details;

    error = json_array_get(json_object_get(status, "errors"), 0);

    if (!json_is_object(error)) {
        return;
    }

    title = events_string(error, "title");

    if (title == NULL) {
        title = events_string(error, "message");
    }

    details = events_string(json_object_get(error, "error_data"), "details");

    code = json_object_get(error, "code");

    if (json_is_integer(code)
        && json_integer_value(code) == (int) json_integer_value(code))
    {
        record->code = (int) json_integer_value(code);
    }

    len = (size_t) snprintf(text, size, "%s%s%s", title ? title : "",
                            (title && details) ? ": " : "",
                            details ? details : "");

    if (len >= size) {
        /* end before the character that was cut */
        for (len = size - 1; ((unsigned char) text[len - 1] & 0xc0) == 0x80;
             len--)
        {
            /* void */
        }

        text[len - 1] = '\0';
    }

    record->error = text;
}


static void
events_record(walk_t *walk, const record_t *record)
{
    char      *text, **records;
    events_t  *events;

    events = walk->events;
    text = record_encode(record);

    if (text == NULL) {
        walk->failed = true;
        return;
    }

    /* room grows at each power of two */

    if ((events->nrecords & (events->nrecords - 1)) == 0) {
        records = realloc(events->records,
                          (events->nrecords ? events->nrecords * 2 : 1)
                          * sizeof(char *));

        if (records == NULL) {
            free(text);
            walk->failed = true;
            return;
        }

        events->records = records;
    }

    events->records[events->nrecords++] = text;
}


static void
events_other(walk_t *walk, const char *field, const json_t *value)
{
    json_t  *out;

    out = json_object();

    events_set(walk, out, "field", field);
    events_set(walk, out, "number", events_number(value));

    if (json_array_append_new(walk->other, out) != 0) {
        walk->failed = true;
    }
}


static void
events_malformed(walk_t *walk, const char *field, const char *list, size_t i)
{
    char     pointer[128];
    json_t  *out;

    if (list != NULL) {
        snprintf(pointer, sizeof(pointer),
                 "/entry/%zu/changes/%zu/value/%s/%zu", walk->entry,
                 walk->change, list, i);

    } else {
        snprintf(pointer, sizeof(pointer), "/entry/%zu/changes/%zu",
                 walk->entry, walk->change);
    }

    out = json_object();

    events_set(walk, out, "field", field);
    events_set(walk, out, "number", NULL);
    events_set(walk, out, "malformed", pointer);

    if (json_array_append_new(walk->other, out) != 0) {
        walk->failed = true;
    }
}


static const char *
events_number(const json_t *value)
{
    return events_text(json_object_get(value, "metadata"), "phone_number_id");
}


/* NULL when there is none, or an empty one */

static const char *
events_string(const json_t *object, const char *name)
{
    const char  *text;

    text = json_string_value(json_object_get(object, name));

    return (text != NULL && *text != '\0') ? text : NULL;
}


/*
 * An id or a name.  One of a list's is repeated with each of its items, so a
 * long one is no name but somebody's way to have much made of little.
 */

static const char *
events_text(const json_t *object, const char *name)
{
    const char  *text;

    text = events_string(object, name);

    return (text != NULL && strlen(text) <= EVENTS_NAME_MAX) ? text : NULL;
}


/* seconds as a text, seconds or milliseconds as a number; ms, 0 none */

static int64_t
events_time(const json_t *object)
{
    char        *end;
    json_t      *value;
    int64_t      time;
    const char  *text;

    value = json_object_get(object, "timestamp");
    text = json_string_value(value);

    if (text != NULL) {
        time = strtoll(text, &end, 10);

        if (end == text || *end != '\0') {
            return 0;
        }

    } else {
        time = json_integer_value(value);
    }

    if (time <= 0 || time >= 100000000000000) {
        return 0;
    }

    return (time < 100000000000) ? time * 1000 : time;
}


/* "m-" and what sluice_keys_job_id() makes of anything */

static bool
events_ours(const char *id)
{
    size_t  len;

    len = strlen(id);

    return len > 2 && len < SLUICE_KEYS_ID_MAX && memcmp(id, "m-", 2) == 0
           && sluice_keys_name_ok(id + 2, len - 2);
}


static void
events_set(walk_t *walk, json_t *object, const char *name, const char *text)
{
    if (json_object_set_new(object, name,
                            text ? json_string(text) : json_null())
        != 0)
    {
        walk->failed = true;
    }
}


void
events_free(events_t *events)
{
    size_t  i;

    for (i = 0; i < events->nrecords; i++) {
        free(events->records[i]);
    }

    free(events->records);
    free(events->result);

    memset(events, 0, sizeof(events_t));
}
