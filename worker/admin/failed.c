/*
 * What the newest failed jobs have in common (core/fingerprint.h), with the ids
 * of some of each kind, which a requeue takes.
 */

#include <stdlib.h>
#include <string.h>
#include "core/fingerprint.h"
#include "worker/admin/parts.h"


#define FAILED_LOOK  1000    /* jobs that are looked at, unless told */
#define FAILED_MOST  5000
#define FAILED_KIND  100     /* ids shown of a kind */


static int
failed_by_number(const void *a, const void *b)
{
    json_int_t           x, y;
    json_t *const       *one = a, *const *two = b;

    x = json_integer_value(json_object_get(*one, "jobs"));
    y = json_integer_value(json_object_get(*two, "jobs"));

    return (x < y) - (x > y);
}


/* the most frequent first */

static void
failed_end(call_t *call)
{
    size_t        i, n;
    json_t       *kind, *list, **kinds;
    const char   *text;

    n = json_object_size(call->answer);
    kinds = calloc(n ? n : 1, sizeof(json_t *));

    if (kinds == NULL) {
        call_problem(call, 500, NULL, "out of memory");
        return;
    }

    i = 0;

    json_object_foreach (call->answer, text, kind) {
        kinds[i++] = kind;
    }

    qsort(kinds, n, sizeof(json_t *), failed_by_number);
    list = json_array();

    for (i = 0; i < n; i++) {
        json_array_append(list, kinds[i]);
    }

    free(kinds);

    call_answer(call, 200, json_pack("{s:I, s:o}",
                                     "looked", (json_int_t) call->nids,
                                     "errors", list));
}


static void
failed_count(call_t *call, const char *id, const char *error, size_t len)
{
    char     text[SLUICE_FINGERPRINT_MAX];
    json_t  *kind, *ids, *name;

    text[0] = '\0';
    (void) sluice_fingerprint(text, error, len);

    /* the fingerprint of bytes that are no text may be none */

    name = text_json(text, strlen(text));
    kind = json_object_get(call->answer, json_string_value(name));

    if (kind == NULL) {
        kind = json_pack("{s:O, s:I, s:[]}", "error", name,
                         "jobs", (json_int_t) 0, "ids");
        json_object_set_new(call->answer, json_string_value(name), kind);
    }

    ids = json_object_get(kind, "ids");
    json_object_set_new(kind, "jobs",
                        json_integer(json_integer_value(
                            json_object_get(kind, "jobs")) + 1));

    if (json_array_size(ids) < FAILED_KIND) {
        json_array_append_new(ids, text_json(id, strlen(id)));
    }

    json_decref(name);
}


/* as many replies as commands were sent, then the answer */

static void
failed_replied(void *data, const redisReply *reply)
{
    call_t      *call = data;
    const char  *id;

    id = call->ids[call->at++];

    if (reply == NULL) {
        call->flag = true;

    } else if (reply->type == REDIS_REPLY_STRING) {
        failed_count(call, id, reply->str, (size_t) reply->len);
    }

    if (call->at < call->left) {
        return;
    }

    if (call->flag) {
        call_read(call, QUEUE_READ_AWAY);
        return;
    }

    failed_end(call);
}


/* the ids and their texts, in one piece of memory each */

static bool
failed_keep(call_t *call, const redisReply *reply)
{
    char    *p;
    size_t   i, size;

    size = 1;

    for (i = 0; i < reply->elements; i++) {
        size += (size_t) reply->element[i]->len + 1;
    }

    call->nids = reply->elements;
    call->ids = calloc(call->nids + 1, sizeof(char *));
    call->text = malloc(size);

    if (call->ids == NULL || call->text == NULL) {
        return false;
    }

    for (i = 0, p = call->text; i < call->nids; i++) {
        call->ids[i] = p;
        size = (size_t) reply->element[i]->len + 1;
        memcpy(p, reply->element[i]->str, size);
        p += size;
    }

    return true;
}


static void
failed_listed(void *data, const redisReply *reply)
{
    char    key[SLUICE_KEYS_MAX + 1024];
    call_t *call = data;
    size_t  i;

    if (!call_read(call, queue_read_kind(&call->queue, "errors", reply))) {
        return;
    }

    if (reply->type != REDIS_REPLY_ARRAY || !failed_keep(call, reply)) {
        call_problem(call, 500, NULL, "out of memory");
        return;
    }

    for (i = 0; i < call->nids; i++) {
        snprintf(key, sizeof(key), "%s%s", call->queue.base, call->ids[i]);

        if (sluice_redis_command(call_redis(call), clock_ms(), failed_replied,
                                 call, "HGET", key, "failedReason", NULL)
            != SLUICE_REDIS_OK)
        {
            break;
        }
    }

    /* no reply comes before this function ends */

    call->left = i;
    call->flag = i < call->nids;

    if (call->nids == 0) {
        failed_end(call);

    } else if (i == 0) {
        (void) call_sent(call, SLUICE_REDIS_FULL);
    }
}


void
failed_errors(call_t *call)
{
    char  key[SLUICE_KEYS_MAX + 8], last[24];

    call->count = FAILED_LOOK;

    if (!call_number(call, "count", 1, FAILED_MOST, &call->count)) {
        return;
    }

    call->answer = json_object();
    snprintf(key, sizeof(key), "%sfailed", call->queue.base);
    snprintf(last, sizeof(last), "%lld", (long long) call->count - 1);

    (void) call_sent(call, sluice_redis_command(call_redis(call), clock_ms(),
                                                failed_listed, call,
                                                "ZREVRANGE", key, "0", last,
                                                NULL));
}
