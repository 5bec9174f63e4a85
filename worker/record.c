/*
 * A record as JSON text, for the stream between the path of a job and the
 * recorder.
 */

#include <stdlib.h>
#include <string.h>
#include "worker/worker.h"


static int record_set(json_t *root, const char *name, const char *text);
static int record_get(const json_t *root, const char *name,
    const char **value);
static int record_get_int(const json_t *root, const char *name, int64_t min,
    int64_t max, int64_t *value);


char *
record_encode(const record_t *record)
{
    int      rc;
    char    *text;
    json_t  *root;

    root = json_object();

    if (root == NULL) {
        return NULL;
    }

    rc = record_set(root, "id", record->id)
         | record_set(root, "provider_id", record->provider_id)
         | record_set(root, "tenant", record->tenant)
         | record_set(root, "channel", record->channel)
         | record_set(root, "sender", record->sender)
         | record_set(root, "recipient", record->recipient)
         | record_set(root, "status", record->status)
         | record_set(root, "error", record->error)
         | record_set(root, "campaign", record->campaign)
         | json_object_set_new(root, "at", json_integer(record->at));

    if (record->code != 0) {
        rc |= json_object_set_new(root, "code", json_integer(record->code));
    }

    if (record->attempts != 0) {
        rc |= json_object_set_new(root, "attempts",
                                  json_integer(record->attempts));
    }

    if (record->payload != NULL) {
        rc |= json_object_set(root, "payload", (json_t *) record->payload);
    }

    text = (rc == 0) ? json_dumps(root, JSON_COMPACT|JSON_REAL_PRECISION(15))
                     : NULL;
    json_decref(root);

    return text;
}


/*
 * A foreign job id or a peer's error text need not be UTF-8: what is not is
 * kept as far as it can be, for a record must never be lost over a byte.
 */

static int
record_set(json_t *root, const char *name, const char *text)
{
    int      rc;
    char    *copy, *p;
    json_t  *value;

    if (text == NULL || *text == '\0') {
        return 0;
    }

    value = json_string(text);

    if (value != NULL) {
        return json_object_set_new(root, name, value);
    }

    copy = strdup(text);

    if (copy == NULL) {
        return -1;
    }

    for (p = copy; *p != '\0'; p++) {
        if ((unsigned char) *p >= 0x80) {
            *p = '?';
        }
    }

    rc = json_object_set_new(root, name, json_string(copy));
    free(copy);

    return rc;
}


int
record_decode(record_t *record, json_t **hold, const char *text, size_t len)
{
    json_t   *root;
    int64_t   code, attempts;

    memset(record, 0, sizeof(record_t));
    *hold = NULL;

    root = json_loadb(text, len, JSON_REJECT_DUPLICATES|JSON_ALLOW_NUL, NULL);

    if (!json_is_object(root)
        || record_get(root, "id", &record->id) != 0
        || record_get(root, "provider_id", &record->provider_id) != 0
        || record_get(root, "tenant", &record->tenant) != 0
        || record_get(root, "channel", &record->channel) != 0
        || record_get(root, "sender", &record->sender) != 0
        || record_get(root, "recipient", &record->recipient) != 0
        || record_get(root, "status", &record->status) != 0
        || record_get(root, "error", &record->error) != 0
        || record_get(root, "campaign", &record->campaign) != 0
        || record_get_int(root, "code", INT32_MIN, INT32_MAX, &code) != 0
        || record_get_int(root, "attempts", 0, INT32_MAX, &attempts) != 0
        || record_get_int(root, "at", 1, INT64_MAX, &record->at) != 0
        || record_rank(record->status) < 0
        || record->at == 0
        || (record->id == NULL && record->provider_id == NULL))
    {
        json_decref(root);
        memset(record, 0, sizeof(record_t));
        return -1;
    }

    record->code = (int) code;
    record->attempts = (int) attempts;
    record->payload = json_object_get(root, "payload");
    *hold = root;

    return 0;
}


static int
record_get(const json_t *root, const char *name, const char **value)
{
    json_t  *member;

    member = json_object_get(root, name);

    if (member == NULL) {
        return 0;
    }

    if (!json_is_string(member)) {
        return -1;
    }

    *value = json_string_value(member);

    if (**value == '\0') {
        *value = NULL;
    }

    return 0;
}


/* 0 when there is none */

static int
record_get_int(const json_t *root, const char *name, int64_t min, int64_t max,
    int64_t *value)
{
    json_t  *member;

    *value = 0;
    member = json_object_get(root, name);

    if (member == NULL) {
        return 0;
    }

    if (!json_is_integer(member)
        || json_integer_value(member) < min
        || json_integer_value(member) > max)
    {
        return -1;
    }

    *value = json_integer_value(member);

    return 0;
}


int
record_rank(const char *status)
{
    int  i;

    static const char *const  order[] = {
        "retry", "sent", "delivered", "read", "played", "failed"
    };

    if (status == NULL) {
        return -1;
    }

    for (i = 0; i < (int) (sizeof(order) / sizeof(order[0])); i++) {
        if (strcmp(status, order[i]) == 0) {
            return i;
        }
    }

    return -1;
}
