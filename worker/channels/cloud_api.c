/*
 * WhatsApp Cloud API, Graph v21 to v26:  POST /<version>/<sender>/messages
 * and what its answers mean.
 */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <curl/curl.h>
#include "core/json.h"
#include "worker/channels/cloud_api_codes.h"
#include "worker/worker.h"


#define CALLBACK_DATA_MAX  256    /* Graph takes 256 bytes at least */
#define SENDER_MAX         32
#define SECRET_MIN         32     /* a word this long may be a token */


static const char *cloud_api_render(request_t *request,
    const channel_t *channel, const number_t *number,
    const message_t *message, const char *job_id);
static const char *cloud_api_address(request_t *request,
    const channel_t *channel, const char *sender);
static const char *cloud_api_headers(request_t *request, const char *token);
static const char *cloud_api_body(request_t *request,
    const message_t *message, const char *job_id);
static void cloud_api_verdict(verdict_t *verdict, const answer_t *answer);
static void cloud_api_transport(verdict_t *verdict, const answer_t *answer);
static bool cloud_api_plain(verdict_t *verdict, const answer_t *answer);
static void cloud_api_accepted(verdict_t *verdict, const json_t *root);
static bool cloud_api_sent(verdict_t *verdict, const char *id, size_t len);
static void cloud_api_refused(verdict_t *verdict, const answer_t *answer,
    const json_t *error);
static void cloud_api_foreign(verdict_t *verdict, const answer_t *answer);
static int cloud_api_integer(const json_t *value, int *number);
static void reason_add(verdict_t *verdict, const char *text, size_t max);
static size_t reason_word(const char *text);


const channel_api_t  channel_cloud_api = {
    "cloud_api",
    cloud_api_render,
    cloud_api_verdict
};


static const char *
cloud_api_render(request_t *request, const channel_t *channel,
    const number_t *number, const message_t *message, const char *job_id)
{
    size_t       len;
    const char  *token, *error;

    memset(request, 0, sizeof(request_t));

    len = strlen(message->sender);

    if (len == 0 || len > SENDER_MAX
        || strspn(message->sender, "0123456789") != len)
    {
        return "the sender is not a phone number id: digits only";
    }

    token = (number != NULL && number->token != NULL) ? number->token
                                                      : channel->token;

    if (token == NULL || *token == '\0') {
        return "neither the number nor its channel has a token";
    }

    error = cloud_api_address(request, channel, message->sender);

    if (error == NULL) {
        error = cloud_api_headers(request, token);
    }

    if (error == NULL) {
        error = cloud_api_body(request, message, job_id);
    }

    if (error != NULL) {
        request_free(request);
        return error;
    }

    request->timeout = channel->timeout;

    return NULL;
}


static const char *
cloud_api_address(request_t *request, const channel_t *channel,
    const char *sender)
{
    int          len;
    const char  *version;

    len = (int) strlen(channel->base_url);

    while (len > 0 && channel->base_url[len - 1] == '/') {
        len--;
    }

    version = (channel->version != NULL) ? channel->version : "";

    if (asprintf(&request->url, "%.*s%s%s/%s/messages", len,
                 channel->base_url, *version ? "/" : "", version, sender)
        == -1)
    {
        request->url = NULL;
        return "out of memory";
    }

    return NULL;
}


static const char *
cloud_api_headers(request_t *request, const char *token)
{
    const char  *p;

    for (p = token; *p != '\0'; p++) {
        if (*p <= ' ' || *p == 0x7f) {
            return "the token holds a space or a control character";
        }
    }

    request->headers = calloc(3, sizeof(char *));

    if (request->headers == NULL) {
        return "out of memory";
    }

    if (asprintf(&request->headers[0], "Authorization: Bearer %s", token)
        == -1)
    {
        request->headers[0] = NULL;
        return "out of memory";
    }

    request->headers[1] = strdup("Content-Type: application/json");

    if (request->headers[1] == NULL) {
        return "out of memory";
    }

    return NULL;
}


static const char *
cloud_api_body(request_t *request, const message_t *message,
    const char *job_id)
{
    int      rc;
    json_t  *body;

    body = json_copy(message->body);

    if (body == NULL) {
        return "out of memory";
    }

    rc = 0;

    if (json_object_get(body, "messaging_product") == NULL) {
        rc |= json_object_set_new(body, "messaging_product",
                                  json_string("whatsapp"));
    }

    /* comes back in status webhooks, also when the answer was never seen */

    if (json_object_get(body, "biz_opaque_callback_data") == NULL
        && job_id != NULL && strlen(job_id) <= CALLBACK_DATA_MAX)
    {
        rc |= json_object_set_new(body, "biz_opaque_callback_data",
                                  json_string_nocheck(job_id));
    }

    if (rc == 0) {
        /* 15 digits: 41.1496 must not become 41.149599999999999 */
        request->body = json_dumps(body, JSON_COMPACT|JSON_REAL_PRECISION(15));
    }

    json_decref(body);

    if (request->body == NULL) {
        return "the message cannot be written as JSON";
    }

    request->body_len = strlen(request->body);

    return NULL;
}


/*
 * Graph's throttles come as HTTP 400 or 429 and its refusals with any status,
 * so the code in the body decides.  The status counts only for what Graph did
 * not write itself.
 */

static void
cloud_api_verdict(verdict_t *verdict, const answer_t *answer)
{
    json_t  *root, *error;

    memset(verdict, 0, sizeof(verdict_t));

    if (answer->curl != 0 || answer->status == 0) {
        cloud_api_transport(verdict, answer);
        return;
    }

    if (cloud_api_plain(verdict, answer)) {
        return;
    }

    root = (answer->body != NULL)
           ? json_loadb(answer->body, answer->body_len, JSON_ALLOW_NUL, NULL)
           : NULL;

    error = json_object_get(root, "error");

    if (json_is_object(error)) {
        cloud_api_refused(verdict, answer, error);

    } else if (answer->status >= 200 && answer->status < 300) {
        cloud_api_accepted(verdict, root);

    } else {
        cloud_api_foreign(verdict, answer);
    }

    json_decref(root);
}


/* there is no idempotency key: what reached the peer may have been sent on */

static void
cloud_api_transport(verdict_t *verdict, const answer_t *answer)
{
    const char  *what;

    what = (answer->curl != 0) ? curl_easy_strerror((CURLcode) answer->curl)
                               : "no answer";

    verdict->kind = answer->sent ? VERDICT_AMBIGUOUS : VERDICT_RETRY;

    snprintf(verdict->reason, sizeof(verdict->reason), "%s (curl %d)%s",
             what, answer->curl,
             answer->sent ? "; it may have been sent" : "");
}


/* by far the most answers, in one pass: false when it is another one */

static bool
cloud_api_plain(verdict_t *verdict, const answer_t *answer)
{
    size_t                 i, offset;
    sluice_json_value_t    values[3];
    sluice_json_pointer_t  pointers[3];

    static const char *const  members[] = {
        "/error", "/messages/0/id", "/messages/0/message_status"
    };

    if (answer->status < 200 || answer->status >= 300 || answer->body == NULL) {
        return false;
    }

    for (i = 0; i < 3; i++) {
        (void) sluice_json_pointer(&pointers[i], members[i],
                                   strlen(members[i]));
    }

    if (sluice_json_scan((const uint8_t *) answer->body, answer->body_len,
                         pointers, 3, values, &offset)
        != SLUICE_JSON_OK
        || values[0].type != SLUICE_JSON_MISSING
        || values[1].type != SLUICE_JSON_STRING || values[1].escaped
        || (values[2].type != SLUICE_JSON_MISSING
            && (values[2].len != 8
                || memcmp(values[2].data, "accepted", 8) != 0))
        || !cloud_api_sent(verdict, (const char *) values[1].data,
                           values[1].len))
    {
        return false;
    }

    reason_add(verdict, "accepted", 64);

    return true;
}


static void
cloud_api_accepted(verdict_t *verdict, const json_t *root)
{
    json_t  *id, *status;

    id = json_object_get(json_array_get(json_object_get(root, "messages"), 0),
                         "id");

    verdict->kind = VERDICT_AMBIGUOUS;

    if (!json_is_string(id)) {
        snprintf(verdict->reason, sizeof(verdict->reason),
                 "accepted without messages[0].id; it may have been sent");
        return;
    }

    if (!cloud_api_sent(verdict, json_string_value(id),
                        json_string_length(id)))
    {
        snprintf(verdict->reason, sizeof(verdict->reason),
                 "accepted with a messages[0].id that is none");
        return;
    }

    status = json_object_get(
                 json_array_get(json_object_get(root, "messages"), 0),
                 "message_status");

    reason_add(verdict, json_is_string(status) ? json_string_value(status)
                                               : "accepted", 64);
}


static bool
cloud_api_sent(verdict_t *verdict, const char *id, size_t len)
{
    size_t  i;

    for (i = 0; i < len && (unsigned char) id[i] > ' ' && id[i] != 0x7f; i++) {
        /* void */
    }

    if (len == 0 || i < len || len >= sizeof(verdict->provider_id)) {
        return false;
    }

    verdict->kind = VERDICT_SENT;
    memcpy(verdict->provider_id, id, len);
    verdict->provider_id[len] = '\0';

    return true;
}


static void
cloud_api_refused(verdict_t *verdict, const answer_t *answer,
    const json_t *error)
{
    int          code, subcode;
    bool         known;
    json_t      *data;
    const char  *message, *details, *trace;
    char         number[64];

    message = json_string_value(json_object_get(error, "message"));
    trace = json_string_value(json_object_get(error, "fbtrace_id"));

    data = json_object_get(error, "error_data");
    details = json_is_string(data)
              ? json_string_value(data)
              : json_string_value(json_object_get(data, "details"));

    known = cloud_api_integer(json_object_get(error, "code"), &code);

    if (known) {
        verdict->code = code;
        known = cloud_api_code(verdict, code, details);
    }

    if (!known) {
        verdict->kind = (answer->status >= 500 || answer->status == 429
                         || json_is_true(json_object_get(error,
                                                         "is_transient")))
                        ? VERDICT_RETRY : VERDICT_DEAD;
    }

    if (verdict->kind != VERDICT_DEAD && verdict->after < answer->retry_after)
    {
        verdict->after = answer->retry_after;
    }

    snprintf(number, sizeof(number), "%d", verdict->code);

    if (cloud_api_integer(json_object_get(error, "error_subcode"), &subcode)) {
        snprintf(number, sizeof(number), "%d/%d", verdict->code, subcode);
    }

    reason_add(verdict, number, sizeof(number));
    reason_add(verdict, " ", 1);
    reason_add(verdict, message ? message : "without a message", 200);

    if (details != NULL && *details != '\0') {
        reason_add(verdict, ": ", 2);
        reason_add(verdict, details, 180);
    }

    if (trace != NULL && *trace != '\0') {
        reason_add(verdict, " (fbtrace ", 16);
        reason_add(verdict, trace, SECRET_MIN);
        reason_add(verdict, ")", 1);
    }
}


/* a proxy's page, a wrong base_url: nothing that Graph said of the message */

static void
cloud_api_foreign(verdict_t *verdict, const answer_t *answer)
{
    verdict->kind = VERDICT_RETRY;
    verdict->after = answer->retry_after;

    snprintf(verdict->reason, sizeof(verdict->reason),
             "HTTP %ld without an error object of Graph", answer->status);
}


/* 1 and *number, or 0 when it is no integer that an int holds */

static int
cloud_api_integer(const json_t *value, int *number)
{
    char         *end;
    long long     n;
    const char   *p;

    if (json_is_integer(value)) {
        n = json_integer_value(value);

    } else if (json_is_string(value)) {
        p = json_string_value(value);

        if (*p < '0' || *p > '9' || strlen(p) > 10) {
            return 0;
        }

        n = strtoll(p, &end, 10);

        if (*end != '\0') {
            return 0;
        }

    } else {
        return 0;
    }

    if (n < 0 || n > INT_MAX) {
        return 0;
    }

    *number = (int) n;

    return 1;
}


/*
 * At most `max` bytes of the text, as one line.  Graph repeats a token that it
 * cannot read in its message, so a word that may be one is left out.
 */

static void
reason_add(verdict_t *verdict, const char *text, size_t max)
{
    size_t       word, room;
    char        *dst, *last;
    const char  *p, *hidden;

    static const char  echo[] = "Malformed access token ";

    dst = verdict->reason + strlen(verdict->reason);
    room = sizeof(verdict->reason) - 1 - strlen(verdict->reason);
    last = dst + (max < room ? max : room);

    hidden = strcasestr(text, echo);

    if (hidden != NULL) {
        hidden += sizeof(echo) - 1;
    }

    for (p = text; *p != '\0' && dst < last; /* void */ ) {
        word = reason_word(p);

        if (word >= SECRET_MIN || (word > 0 && p == hidden)) {
            *dst++ = '*';
            p += word;
            continue;
        }

        do {
            *dst++ = ((unsigned char) *p < ' ' || *p == 0x7f) ? ' ' : *p;
            p++;
        } while (word-- > 1 && dst < last);
    }

    /* cut inside a character: drop what was begun */

    if (((unsigned char) *p & 0xc0) == 0x80) {
        while (((unsigned char) dst[-1] & 0xc0) == 0x80) {
            dst--;
        }

        dst--;
    }

    *dst = '\0';
}


static size_t
reason_word(const char *text)
{
    return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                        "0123456789_-|");
}
