#include <stdlib.h>
#include <string.h>
#include "graph_api.h"


static json_t *
integer_or_null(int64_t value)
{
    return value ? json_integer(value) : json_null();
}


static json_t *
record_json(const record_t *record)
{
    return must(json_pack("{sI, ss?, ss, ss, ss?, sI, sI, so, so, so}",
                          "seq", (json_int_t) record->seq, "wamid",
                          record->wamid, "to", record->to, "number",
                          record->number, "biz_opaque_callback_data",
                          record->callback_data, "connection",
                          (json_int_t) record->connection, "arrived",
                          (json_int_t) record->arrived, "answered",
                          integer_or_null(record->answered), "closed",
                          integer_or_null(record->closed), "status",
                          integer_or_null(record->status)));
}


static int64_t
query_number(struct evhttp_request *req, const char *name, int64_t missing)
{
    char     *text;
    int64_t   value;

    text = query_get(req, name);
    value = text ? strtoll(text, NULL, 10) : missing;
    free(text);

    return value;
}


static void
get_requests(standin_t *standin, struct evhttp_request *req)
{
    char      *to;
    json_t    *list;
    int64_t    after, limit;
    record_t  *record;
    uint64_t   seq, total;

    after = query_number(req, "after", 0);
    limit = query_number(req, "limit", INT64_MAX);
    to = query_get(req, "to");
    total = records_total(standin->records);
    list = must(json_array());

    for (seq = (uint64_t) (after < 0 ? 0 : after) + 1;
         seq <= total && (int64_t) json_array_size(list) < limit;
         seq++)
    {
        record = records_at(standin->records, seq);

        if (record && (to == NULL || strcmp(record->to, to) == 0)) {
            json_array_append_new(list, record_json(record));
        }
    }

    free(to);
    answer_json(standin, req, 200,
                json_pack("{sI, so}", "total", (json_int_t) total, "requests",
                          list));
}


/*
 * An answer that was written is not yet an answer that was read: after a kill,
 * `within` adds those that the client may not have come to.
 */

static void
get_open(standin_t *standin, struct evhttp_request *req)
{
    json_t    *list;
    int64_t    within, newest;
    record_t  *record;
    uint64_t   seq, total;

    within = query_number(req, "within", 0);
    total = records_total(standin->records);
    newest = 0;

    for (seq = 1; seq <= total; seq++) {
        record = records_at(standin->records, seq);

        if (record && record->arrived > newest) {
            newest = record->arrived;
        }

        if (record && record->answered > newest) {
            newest = record->answered;
        }
    }

    list = must(json_array());

    for (seq = 1; seq <= total; seq++) {
        record = records_at(standin->records, seq);

        if (record && (record->answered == 0
                       || (within && record->answered > newest - within)))
        {
            json_array_append_new(list, record_json(record));
        }
    }

    answer_json(standin, req, 200, json_pack("{so}", "requests", list));
}


static void
post_send_webhook(standin_t *standin, struct evhttp_request *req)
{
    char    *text;
    size_t   i;
    static const char *const  signatures[] = {
        [SIGN_GOOD] = "good", [SIGN_BAD] = "bad", [SIGN_MISSING] = "missing",
        [SIGN_DOUBLE] = "double"
    };

    text = query_get(req, "signature");

    for (i = 0; text && i <= SIGN_DOUBLE; i++) {
        if (strcmp(signatures[i], text) == 0) {
            break;
        }
    }

    if (text && i > SIGN_DOUBLE) {
        answer_json(standin, req, 400,
                    json_pack("{ss}", "error", "signature: one of good, bad, "
                              "missing, double"));

    } else {
        webhook_send(standin->webhook, req,
                     text ? (sign_e) i : SIGN_GOOD);
    }

    free(text);
}


static void
get_webhooks(standin_t *standin, struct evhttp_request *req)
{
    json_t  *state, *statuses;

    state = webhook_state(standin->webhook);
    statuses = statuses_state(standin->statuses);
    json_object_update(state, statuses);
    json_decref(statuses);
    answer_json(standin, req, 200, state);
}


static void
post_with_body(standin_t *standin, struct evhttp_request *req,
    const char *path)
{
    size_t        len;
    json_t       *body;
    const char   *text, *wrong;
    json_error_t  error;

    text = body_get(req, &len);
    body = len ? json_loadb(text, len, 0, &error) : json_object();

    if (!json_is_object(body)) {
        answer_json(standin, req, 400,
                    json_pack("{ss}", "error", "the body is no JSON object"));
        json_decref(body);
        return;
    }

    if (strcmp(path, "subscribe") == 0) {
        webhook_subscribe(standin->webhook, req, body);

    } else {
        wrong = strcmp(path, "fail") == 0
                ? failures_add(standin->failures, body)
                : statuses_set(standin->statuses, body);

        if (wrong) {
            answer_json(standin, req, 400, json_pack("{ss}", "error", wrong));

        } else {
            answer_json(standin, req, 200, json_pack("{sb}", "success", 1));
        }
    }

    json_decref(body);
}


static void
post_reset(standin_t *standin, struct evhttp_request *req)
{
    records_reset(standin->records);
    failures_reset(standin->failures);
    statuses_reset(standin->statuses);
    webhook_reset(standin->webhook);
    templates_reset(standin->templates);
    media_reset(standin->media);

    answer_json(standin, req, 200, json_pack("{sb}", "success", 1));
}


void
standin_control(standin_t *standin, struct evhttp_request *req,
    const char *path)
{
    bool  get, post;

    get = evhttp_request_get_command(req) == EVHTTP_REQ_GET;
    post = evhttp_request_get_command(req) == EVHTTP_REQ_POST;

    if (get && strcmp(path, "health") == 0) {
        answer_json(standin, req, 200, json_pack("{ss}", "status", "ok"));

    } else if (get && strcmp(path, "requests") == 0) {
        get_requests(standin, req);

    } else if (get && strcmp(path, "open") == 0) {
        get_open(standin, req);

    } else if (get && strcmp(path, "webhooks") == 0) {
        get_webhooks(standin, req);

    } else if (get && strcmp(path, "fail") == 0) {
        answer_json(standin, req, 200,
                    json_pack("{so}", "rules",
                              failures_list(standin->failures)));

    } else if (post && strcmp(path, "send-webhook") == 0) {
        post_send_webhook(standin, req);

    } else if (post && strcmp(path, "reset") == 0) {
        post_reset(standin, req);

    } else if (post && (strcmp(path, "fail") == 0
                        || strcmp(path, "statuses") == 0
                        || strcmp(path, "subscribe") == 0))
    {
        post_with_body(standin, req, path);

    } else {
        answer_json(standin, req, 404,
                    json_pack("{ss}", "error", "no such control endpoint, "
                              "see graph-api --help"));
    }
}
