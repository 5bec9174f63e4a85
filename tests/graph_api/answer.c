#include <stdlib.h>
#include <string.h>
#include <event2/buffer.h>
#include "graph_api.h"


static const struct {
    int          code;
    int          status;
    bool         transient;
    const char  *title;
} errors[] = {
    { 0,      401, false, "Authentication error" },
    { 1,      500, false, "An unknown error occurred" },
    { 2,      503, true,  "Service temporarily unavailable" },
    { 3,      400, false, "Application does not have the capability to make "
                          "this API call" },
    { 4,      400, true,  "Application request limit reached" },
    { 10,     403, false, "Application does not have permission for this "
                          "action" },
    { 33,     400, false, "Unsupported request" },
    { 100,    400, false, "Invalid parameter" },
    { 190,    401, false, "Invalid OAuth access token" },
    { 200,    403, false, "Permissions error" },
    { 368,    403, false, "Temporarily blocked for policies violations" },
    { 613,    400, true,  "Calls to this api have exceeded the rate limit" },
    { 2200,   400, false, "Callback verification failed" },
    { 2500,   400, false, "Unknown path components" },
    { 80007,  400, true,  "Rate limit issues" },
    { 130403, 400, false, "User is blocked" },
    { 130429, 400, false, "Rate limit hit" },
    { 130472, 400, false, "User's number is part of an experiment" },
    { 130497, 403, false, "Business account is restricted from messaging "
                          "users in this country" },
    { 131000, 500, false, "Something went wrong" },
    { 131005, 403, false, "Access denied" },
    { 131008, 400, false, "Required parameter is missing" },
    { 131009, 400, false, "Parameter value is not valid" },
    { 131016, 503, false, "Service unavailable" },
    { 131021, 400, false, "Recipient cannot be sender" },
    { 131026, 400, false, "Message undeliverable" },
    { 131030, 400, false, "Recipient phone number not in allowed list" },
    { 131031, 403, false, "Account has been locked" },
    { 131042, 400, false, "Business eligibility payment issue" },
    { 131045, 400, false, "Incorrect certificate" },
    { 131047, 400, false, "Re-engagement message" },
    { 131048, 400, false, "Spam rate limit hit" },
    { 131049, 400, false, "This message was not delivered to maintain healthy "
                          "ecosystem engagement." },
    { 131050, 400, false, "User has stopped marketing messages" },
    { 131051, 400, false, "Message type is not currently supported" },
    { 131052, 400, false, "Media download error" },
    { 131053, 400, false, "Media upload error" },
    { 131056, 400, false, "(Business Account, Consumer Account) pair rate "
                          "limit hit" },
    { 131057, 503, false, "Account in maintenance mode" },
    { 131062, 400, false, "Business-scoped user ID not allowed for this "
                          "message" },
    { 132000, 400, false, "Template Param Count Mismatch" },
    { 132001, 404, false, "Template does not exist" },
    { 132015, 400, false, "Template is Paused" },
    { 132016, 400, false, "Template is Disabled" },
    { 133010, 400, false, "Phone number not registered" },
    { 135000, 400, false, "Generic user error" },
};


static size_t
find(int code)
{
    size_t  i;

    for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (errors[i].code == code) {
            break;
        }
    }

    return i;
}


int
error_status(int code)
{
    size_t  i;

    i = find(code);

    return i < sizeof(errors) / sizeof(errors[0]) ? errors[i].status : 400;
}


const char *
error_title(int code)
{
    size_t  i;

    i = find(code);

    return i < sizeof(errors) / sizeof(errors[0]) ? errors[i].title
                                                  : "Unknown error";
}


/* ids of traces: different ones, which is all that anyone may expect */

static void
trace_id(char dst[16])
{
    static uint64_t  counter;

    uint64_t     v;
    unsigned     i;
    static const char  digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

    v = (++counter + (uint64_t) now_ms()) * 0x9e3779b97f4a7c15ull;
    dst[0] = 'A';

    for (i = 1; i < 12; i++) {
        dst[i] = digits[v & 63];
        v = (v >> 6) | (v << 58);
    }

    dst[12] = '\0';
}


json_t *
error_body(int code, const char *details)
{
    char     text[512], trace[16];
    size_t   i;
    json_t  *error;

    i = find(code);
    trace_id(trace);

    if (code == 190 || code == 33 || code == 2500) {

        /* these come without the number in front and without details */

        snprintf(text, sizeof(text), "%s",
                 details ? details : error_title(code));
        details = NULL;

    } else {
        snprintf(text, sizeof(text), "(#%d) %s", code, error_title(code));
    }

    error = json_pack("{ss, ss, si}", "message", text, "type",
                      code == 33 ? "GraphMethodException" : "OAuthException",
                      "code", code == 33 ? 100 : code);

    if (code == 33) {
        json_object_set_new(error, "error_subcode", json_integer(33));
    }

    if (i < sizeof(errors) / sizeof(errors[0]) && errors[i].transient) {
        json_object_set_new(error, "is_transient", json_true());
    }

    if (code == 100 && details) {

        /* the reason stands in the message itself */

        snprintf(text, sizeof(text), "(#100) %s", details);
        json_object_set_new(error, "message", json_string(text));

    } else if (details) {
        json_object_set_new(error, "error_data",
                            json_pack("{ss, ss}", "messaging_product",
                                      "whatsapp", "details", details));
    }

    json_object_set_new(error, "fbtrace_id", json_string(trace));

    return must(json_pack("{so}", "error", error));
}


void
answer_json(standin_t *standin, struct evhttp_request *req, int status,
    json_t *body)
{
    char              *text, trace[16];
    struct evbuffer   *out;
    struct evkeyvalq  *headers;

    text = must(json_dumps(body, JSON_COMPACT));
    json_decref(body);

    trace_id(trace);

    headers = evhttp_request_get_output_headers(req);
    evhttp_add_header(headers, "Content-Type",
                      "application/json; charset=UTF-8");
    evhttp_add_header(headers, "facebook-api-version", "v26.0");
    evhttp_add_header(headers, "x-fb-trace-id", trace);

    if (standin->options.usage) {
        evhttp_add_header(headers, "x-business-use-case-usage",
                          "{\"215589112233445\":[{\"type\":\"whatsapp\","
                          "\"call_count\":1,\"total_cputime\":1,"
                          "\"total_time\":1,"
                          "\"estimated_time_to_regain_access\":0}]}");
    }

    if (standin->log) {
        fprintf(standin->log, "%lld %s %s %d %zu\n", (long long) now_ms(),
                evhttp_request_get_command(req) == EVHTTP_REQ_GET ? "GET"
                : evhttp_request_get_command(req) == EVHTTP_REQ_POST ? "POST"
                : "DELETE",
                evhttp_request_get_uri(req), status, strlen(text));
    }

    out = must(evbuffer_new());
    evbuffer_add(out, text, strlen(text));
    evhttp_send_reply(req, status, status < 400 ? "OK" : "Error", out);
    evbuffer_free(out);
    free(text);
}


void
answer_error(standin_t *standin, struct evhttp_request *req, int status,
    int code, const char *details)
{
    answer_json(standin, req, status ? status : error_status(code),
                error_body(code, details));
}
