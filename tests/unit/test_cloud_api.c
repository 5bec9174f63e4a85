#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <curl/curl.h>
#include "worker/worker.h"


#define S    1000
#define MIN  (60 * S)
#define H    (60 * MIN)
#define ID   "wamid.HBgLMzUx"


/* ------------------------------------------------------------------ render */

static channel_t  channel = {
    "whatsapp", CHANNEL_CLOUD_API, "https://graph.example", "v26.0",
    "channel-token", 30000, 0
};


static const char *
render(request_t *request, const channel_t *c, const number_t *number,
    const char *sender, const char *body, const char *job_id)
{
    message_t    message;
    const char  *error;

    memset(&message, 0, sizeof(message));
    message.body = json_loads(body, 0, NULL);
    message.sender = sender;
    message.recipient = "";

    error = channel_cloud_api.render(request, c, number, &message, job_id);
    json_decref(message.body);

    return error;
}


static void
test_render(void **state)
{
    request_t  request;

    assert_null(render(&request, &channel, NULL, "498",
                       "{\"to\":\"+351\",\"type\":\"text\"}", "m-1"));

    assert_string_equal(request.url,
                        "https://graph.example/v26.0/498/messages");
    assert_string_equal(request.headers[0],
                        "Authorization: Bearer channel-token");
    assert_string_equal(request.headers[1], "Content-Type: application/json");
    assert_null(request.headers[2]);
    assert_string_equal(request.body,
                        "{\"to\":\"+351\",\"type\":\"text\","
                        "\"messaging_product\":\"whatsapp\","
                        "\"biz_opaque_callback_data\":\"m-1\"}");
    assert_int_equal(request.body_len, strlen(request.body));
    assert_int_equal(request.timeout, 30000);

    request_free(&request);
    assert_null(request.url);
    request_free(&request);
}


static void
test_render_number(void **state)
{
    channel_t  other;
    number_t   number = { "498", "number-token", 80, -1 };
    request_t  request;

    other = channel;
    other.base_url = "http://127.0.0.1:8080/graph//";
    other.version = NULL;
    other.token = NULL;

    assert_null(render(&request, &other, &number, "498",
                       "{\"messaging_product\":\"whatsapp\","
                       "\"biz_opaque_callback_data\":\"mine\","
                       "\"location\":{\"latitude\":41.1496}}", "m-1"));

    assert_string_equal(request.url,
                        "http://127.0.0.1:8080/graph/498/messages");
    assert_string_equal(request.headers[0],
                        "Authorization: Bearer number-token");
    assert_string_equal(request.body,
                        "{\"messaging_product\":\"whatsapp\","
                        "\"biz_opaque_callback_data\":\"mine\","
                        "\"location\":{\"latitude\":41.1496}}");
    request_free(&request);

    /* a number without a token of its own */
    number.token = NULL;
    other.token = "channel-token";
    assert_null(render(&request, &other, &number, "498", "{}", "m-1"));
    assert_string_equal(request.headers[0],
                        "Authorization: Bearer channel-token");
    request_free(&request);
}


static void
test_render_refused(void **state)
{
    char         id[400];
    size_t       i;
    channel_t    other;
    request_t    request;
    const char  *error;

    static const char *const  senders[] = {
        "", "49a8", "498/../1", "-1", "123456789012345678901234567890123"
    };

    for (i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
        error = render(&request, &channel, NULL, senders[i], "{}", "m-1");
        assert_non_null(error);
        assert_non_null(strstr(error, "digits"));
        assert_null(request.url);
    }

    other = channel;
    other.token = NULL;
    assert_non_null(render(&request, &other, NULL, "498", "{}", "m-1"));
    other.token = "";
    assert_non_null(render(&request, &other, NULL, "498", "{}", "m-1"));
    other.token = "a\r\nHost: b";
    error = render(&request, &other, NULL, "498", "{}", "m-1");
    assert_non_null(error);
    assert_null(strstr(error, "Host"));
    assert_null(request.headers);

    /* an id longer than Graph takes is not sent along */
    memset(id, 'x', sizeof(id));
    id[sizeof(id) - 1] = '\0';
    assert_null(render(&request, &channel, NULL, "498", "{}", id));
    assert_string_equal(request.body, "{\"messaging_product\":\"whatsapp\"}");
    request_free(&request);
}


/* ----------------------------------------------------------------- verdict */

/* the whole table of the provider's codes, written a second time */

static const struct {
    int        code;
    verdict_e  kind;
    int64_t    after;
} codes[] = {
    { 0, VERDICT_PAUSE_TENANT, MIN },     { 1, VERDICT_RETRY, 0 },
    { 2, VERDICT_RETRY, 0 },              { 3, VERDICT_PAUSE_TENANT, MIN },
    { 4, VERDICT_PAUSE_TENANT, MIN },     { 10, VERDICT_PAUSE_NUMBER, MIN },
    { 33, VERDICT_PAUSE_NUMBER, H },      { 100, VERDICT_DEAD, 0 },
    { 104, VERDICT_PAUSE_TENANT, MIN },   { 190, VERDICT_PAUSE_TENANT, MIN },
    { 200, VERDICT_PAUSE_TENANT, MIN },   { 299, VERDICT_PAUSE_TENANT, MIN },
    { 368, VERDICT_PAUSE_TENANT, H },     { 613, VERDICT_WAIT, MIN },
    { 2500, VERDICT_DEAD, 0 },
    { 80007, VERDICT_PAUSE_TENANT, 5 * MIN },
    { 130403, VERDICT_DEAD, 0 },          { 130429, VERDICT_RETRY, 0 },
    { 130472, VERDICT_DEAD, 0 },          { 130497, VERDICT_DEAD, 0 },
    { 131000, VERDICT_RETRY, 0 },
    { 131005, VERDICT_PAUSE_TENANT, MIN },
    { 131008, VERDICT_DEAD, 0 },          { 131009, VERDICT_DEAD, 0 },
    { 131016, VERDICT_RETRY, 0 },         { 131021, VERDICT_DEAD, 0 },
    { 131026, VERDICT_DEAD, 0 },          { 131030, VERDICT_DEAD, 0 },
    { 131031, VERDICT_PAUSE_TENANT, H },  { 131037, VERDICT_PAUSE_NUMBER, H },
    { 131042, VERDICT_PAUSE_TENANT, H },  { 131045, VERDICT_PAUSE_NUMBER, H },
    { 131047, VERDICT_DEAD, 0 },
    { 131048, VERDICT_PAUSE_NUMBER, 2 * H },
    { 131049, VERDICT_RETRY, 24 * H },    { 131050, VERDICT_DEAD, 0 },
    { 131051, VERDICT_DEAD, 0 },          { 131052, VERDICT_DEAD, 0 },
    { 131053, VERDICT_DEAD, 0 },          { 131055, VERDICT_DEAD, 0 },
    { 131056, VERDICT_RETRY, 0 },
    { 131057, VERDICT_PAUSE_NUMBER, MIN },
    { 131062, VERDICT_DEAD, 0 },          { 131063, VERDICT_DEAD, 0 },
    { 131064, VERDICT_PAUSE_TENANT, H },
    { 132000, VERDICT_DEAD, 0 },          { 132001, VERDICT_DEAD, 0 },
    { 132005, VERDICT_DEAD, 0 },          { 132007, VERDICT_DEAD, 0 },
    { 132008, VERDICT_DEAD, 0 },          { 132012, VERDICT_DEAD, 0 },
    { 132015, VERDICT_DEAD, 0 },          { 132016, VERDICT_DEAD, 0 },
    { 132018, VERDICT_DEAD, 0 },          { 132068, VERDICT_DEAD, 0 },
    { 132069, VERDICT_WAIT, H },
    { 133000, VERDICT_PAUSE_NUMBER, 5 * MIN },
    { 133004, VERDICT_RETRY, 0 },
    { 133005, VERDICT_PAUSE_NUMBER, H },  { 133006, VERDICT_PAUSE_NUMBER, H },
    { 133008, VERDICT_PAUSE_NUMBER, H },  { 133009, VERDICT_PAUSE_NUMBER, H },
    { 133010, VERDICT_PAUSE_NUMBER, H },
    { 133015, VERDICT_PAUSE_NUMBER, 5 * MIN },
    { 133016, VERDICT_PAUSE_NUMBER, H },
    { 134011, VERDICT_DEAD, 0 },          { 134100, VERDICT_DEAD, 0 },
    { 134101, VERDICT_WAIT, 10 * MIN },   { 134102, VERDICT_DEAD, 0 },
    { 135000, VERDICT_RETRY, 0 },         { 137000, VERDICT_DEAD, 0 },
    { 2388001, VERDICT_DEAD, 0 },
    { 2494100, VERDICT_PAUSE_NUMBER, 5 * MIN },

    /* beside the ranges: unknown */
    { 5, VERDICT_DEAD, 0 },               { 300, VERDICT_DEAD, 0 },
    { 199, VERDICT_DEAD, 0 },             { 131010, VERDICT_DEAD, 0 }
};


static void
judge(verdict_t *verdict, long status, const char *body)
{
    answer_t  answer;

    memset(&answer, 0, sizeof(answer));
    answer.sent = true;
    answer.status = status;
    answer.body = body;
    answer.body_len = body ? strlen(body) : 0;

    memset(verdict, 0xff, sizeof(verdict_t));
    channel_cloud_api.verdict(verdict, &answer);
}


/* the status says nothing: each code means the same with all of them */

static void
test_codes(void **state)
{
    char       body[256];
    size_t     i, k;
    verdict_t  verdict;

    static const long  statuses[] = { 200, 400, 401, 403, 404 };

    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        for (k = 0; k < sizeof(statuses) / sizeof(statuses[0]); k++) {
            snprintf(body, sizeof(body), "{\"error\":{\"message\":\"no\","
                     "\"code\":%d,\"fbtrace_id\":\"AbC\"}}", codes[i].code);
            judge(&verdict, statuses[k], body);

            if (verdict.kind != codes[i].kind
                || verdict.after != codes[i].after
                || verdict.code != codes[i].code)
            {
                fail_msg("code %d with HTTP %ld: %d, %lld", codes[i].code,
                         statuses[k], verdict.kind, (long long) verdict.after);
            }

            assert_non_null(strstr(verdict.reason, "no (fbtrace AbC)"));
            assert_string_equal(verdict.provider_id, "");
        }
    }
}


static const struct {
    const char  *name;
    long         status;
    const char  *body;
    verdict_e    kind;
    int          code;
    const char  *reason;      /* all of it */
    const char  *provider_id;
} answers[] = {
    { "accepted", 200, "{\"messages\":[{\"id\":\"" ID "\"}]}",
      VERDICT_SENT, 0, "accepted", ID },
    { "a template held", 200, "{\"messages\":[{\"id\":\"" ID "\","
      "\"message_status\":\"held_for_quality_assessment\"}]}",
      VERDICT_SENT, 0, "held_for_quality_assessment", ID },
    { "201", 201, "{\"messages\":[{\"id\":\"" ID "\"}]}",
      VERDICT_SENT, 0, "accepted", ID },
    { "a template accepted", 200, "{\"messages\":[{\"id\":\"" ID "\","
      "\"message_status\":\"accepted\"}]}",
      VERDICT_SENT, 0, "accepted", ID },
    { "an id with an escape", 200, "{\"messages\":[{\"id\":\"a\\/b\"}]}",
      VERDICT_SENT, 0, "accepted", "a/b" },
    { "an error that is null", 200, "{\"error\":null,\"messages\":[{\"id\":\""
      ID "\"}]}", VERDICT_SENT, 0, "accepted", ID },
    { "an id said twice: the last", 200, "{\"messages\":[{\"id\":\"a\","
      "\"id\":\"b\"}]}", VERDICT_SENT, 0, "accepted", "b" },
    { "an error beside an id", 200, "{\"messages\":[{\"id\":\"" ID "\"}],"
      "\"error\":{\"message\":\"no\",\"code\":131000}}",
      VERDICT_RETRY, 131000, "131000 no", "" },
    { "an id with something behind it", 200, "{\"messages\":[{\"id\":\"" ID
      "\"}]}x", VERDICT_AMBIGUOUS, 0,
      "accepted without messages[0].id; it may have been sent", "" },
    { "200 without an id", 200, "{\"messages\":[]}", VERDICT_AMBIGUOUS, 0,
      "accepted without messages[0].id; it may have been sent", "" },
    { "200 of a proxy", 200, "<html>", VERDICT_AMBIGUOUS, 0,
      "accepted without messages[0].id; it may have been sent", "" },
    { "200 without a body", 200, NULL, VERDICT_AMBIGUOUS, 0,
      "accepted without messages[0].id; it may have been sent", "" },
    { "an id that is a number", 200, "{\"messages\":[{\"id\":5}]}",
      VERDICT_AMBIGUOUS, 0,
      "accepted without messages[0].id; it may have been sent", "" },
    { "an empty id", 200, "{\"messages\":[{\"id\":\"\"}]}",
      VERDICT_AMBIGUOUS, 0, "accepted with a messages[0].id that is none",
      "" },
    { "an id of two lines", 200, "{\"messages\":[{\"id\":\"a\\nb\"}]}",
      VERDICT_AMBIGUOUS, 0, "accepted with a messages[0].id that is none",
      "" },

    { "throttled with 429", 429, "{\"error\":{\"message\":\"slow\","
      "\"code\":130429}}", VERDICT_RETRY, 130429, "130429 slow", "" },
    { "the pair's limit", 400, "{\"error\":{\"message\":\"pair\","
      "\"code\":131056}}", VERDICT_RETRY, 131056, "131056 pair", "" },
    { "details as an object", 400, "{\"error\":{\"message\":\"m\",\"code\":"
      "100,\"error_data\":{\"details\":\"d\"}}}", VERDICT_DEAD, 100,
      "100 m: d", "" },
    { "details as a string", 400, "{\"error\":{\"message\":\"m\",\"code\":"
      "100,\"error_data\":\"d\"}}", VERDICT_DEAD, 100, "100 m: d", "" },
    { "a subcode", 401, "{\"error\":{\"message\":\"Session has expired\","
      "\"code\":190,\"error_subcode\":463}}", VERDICT_PAUSE_TENANT, 190,
      "190/463 Session has expired", "" },
    { "the media's host was slow", 400, "{\"error\":{\"message\":\"m\","
      "\"code\":131053,\"error_data\":{\"details\":\"Download Timed out\"}}}",
      VERDICT_RETRY, 131053, "131053 m: Download Timed out", "" },
    { "media of a wrong type", 400, "{\"error\":{\"message\":\"m\",\"code\":"
      "131053,\"error_data\":{\"details\":\"text/plain\"}}}",
      VERDICT_DEAD, 131053, "131053 m: text/plain", "" },
    { "a code as text", 400, "{\"error\":{\"message\":\"m\",\"code\":"
      "\"131026\"}}", VERDICT_DEAD, 131026, "131026 m", "" },
    { "unknown", 400, "{\"error\":{\"message\":\"m\",\"code\":777777}}",
      VERDICT_DEAD, 777777, "777777 m", "" },
    { "unknown but transient", 400, "{\"error\":{\"message\":\"m\",\"code\":"
      "777777,\"is_transient\":true}}", VERDICT_RETRY, 777777, "777777 m",
      "" },
    { "unknown and not transient", 400, "{\"error\":{\"message\":\"m\","
      "\"code\":777777,\"is_transient\":false}}", VERDICT_DEAD, 777777,
      "777777 m", "" },
    { "unknown with 500", 500, "{\"error\":{\"message\":\"m\",\"code\":"
      "777777}}", VERDICT_RETRY, 777777, "777777 m", "" },
    { "unknown with 429", 429, "{\"error\":{\"message\":\"m\",\"code\":"
      "777777}}", VERDICT_RETRY, 777777, "777777 m", "" },
    { "known as dead with 500", 500, "{\"error\":{\"message\":\"m\",\"code\":"
      "131026}}", VERDICT_DEAD, 131026, "131026 m", "" },
    { "without a code", 400, "{\"error\":{\"message\":\"m\"}}",
      VERDICT_DEAD, 0, "0 m", "" },
    { "a code out of range", 400, "{\"error\":{\"message\":\"m\",\"code\":"
      "99999999999}}", VERDICT_DEAD, 0, "0 m", "" },
    { "a code below zero", 400, "{\"error\":{\"message\":\"m\",\"code\":-1}}",
      VERDICT_DEAD, 0, "0 m", "" },
    { "a code that is a text", 400, "{\"error\":{\"message\":\"m\",\"code\":"
      "\"1x\"}}", VERDICT_DEAD, 0, "0 m", "" },
    { "without a message", 400, "{\"error\":{\"code\":100}}",
      VERDICT_DEAD, 100, "100 without a message", "" },
    { "200 with an error", 200, "{\"error\":{\"message\":\"m\",\"code\":"
      "131000}}", VERDICT_RETRY, 131000, "131000 m", "" },

    { "500 of a proxy", 500, "<html>oops", VERDICT_RETRY, 0,
      "HTTP 500 without an error object of Graph", "" },
    { "502 without a body", 502, NULL, VERDICT_RETRY, 0,
      "HTTP 502 without an error object of Graph", "" },
    { "403 of a proxy", 403, "<html>", VERDICT_RETRY, 0,
      "HTTP 403 without an error object of Graph", "" },
    { "429 of a proxy", 429, "", VERDICT_RETRY, 0,
      "HTTP 429 without an error object of Graph", "" },
    { "a redirect", 302, "", VERDICT_RETRY, 0,
      "HTTP 302 without an error object of Graph", "" },
    { "an error that is a string", 400, "{\"error\":\"no\"}", VERDICT_RETRY, 0,
      "HTTP 400 without an error object of Graph", "" },

    { "control characters", 400, "{\"error\":{\"message\":\"a\\nb\\u0007"
      "c\\u007f\",\"code\":100}}", VERDICT_DEAD, 100, "100 a b c ", "" },
    { "a token in the message", 401, "{\"error\":{\"message\":\"bad EAAGm0PX4"
      "ZCpsBAKZCZCrandomlettersanddigits0123, sorry\",\"code\":190}}",
      VERDICT_PAUSE_TENANT, 190, "190 bad *, sorry", "" },
    { "a short token in the message", 401, "{\"error\":{\"message\":"
      "\"Malformed access token hunter2 x\",\"code\":190}}",
      VERDICT_PAUSE_TENANT, 190, "190 Malformed access token * x", "" }
};


static void
test_answers(void **state)
{
    size_t     i;
    verdict_t  verdict;

    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        judge(&verdict, answers[i].status, answers[i].body);

        if (verdict.kind != answers[i].kind
            || verdict.code != answers[i].code
            || strcmp(verdict.reason, answers[i].reason) != 0
            || strcmp(verdict.provider_id, answers[i].provider_id) != 0)
        {
            fail_msg("%s: %d, code %d, after %lld, \"%s\", \"%s\"",
                     answers[i].name, verdict.kind, verdict.code,
                     (long long) verdict.after, verdict.reason,
                     verdict.provider_id);
        }
    }
}


static void
test_samples(void **state)
{
    char       *body;
    size_t      i;
    json_t     *root;
    verdict_t   verdict;

    static const struct {
        const char  *file;
        long         status;
        verdict_e    kind;
        int          code;
    } samples[] = {
        { "response-accepted", 200, VERDICT_SENT, 0 },
        { "response-template-accepted", 200, VERDICT_SENT, 0 },
        { "response-error-130429", 400, VERDICT_RETRY, 130429 },
        { "response-error-130429", 429, VERDICT_RETRY, 130429 },
        { "response-error-190", 401, VERDICT_PAUSE_TENANT, 190 }
    };

    for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        char  path[256];

        snprintf(path, sizeof(path), "tests/samples/send/%s.json",
                 samples[i].file);
        root = json_load_file(path, 0, NULL);
        assert_non_null(root);
        body = json_dumps(root, 0);
        judge(&verdict, samples[i].status, body);
        assert_int_equal(verdict.kind, samples[i].kind);
        assert_int_equal(verdict.code, samples[i].code);
        assert_int_equal(verdict.provider_id[0] != '\0',
                         samples[i].kind == VERDICT_SENT);
        json_decref(root);
        free(body);
    }
}


static void
test_transport(void **state)
{
    size_t     i;
    answer_t   answer;
    verdict_t  verdict;

    static const struct {
        int        curl;
        bool       sent;
        verdict_e  kind;
    } cases[] = {
        { CURLE_COULDNT_RESOLVE_HOST, false, VERDICT_RETRY },
        { CURLE_COULDNT_CONNECT, false, VERDICT_RETRY },
        { CURLE_SSL_CONNECT_ERROR, false, VERDICT_RETRY },
        { CURLE_OPERATION_TIMEDOUT, false, VERDICT_RETRY },
        { CURLE_OPERATION_TIMEDOUT, true, VERDICT_AMBIGUOUS },
        { CURLE_RECV_ERROR, true, VERDICT_AMBIGUOUS },
        { CURLE_GOT_NOTHING, true, VERDICT_AMBIGUOUS },
        { CURLE_PARTIAL_FILE, true, VERDICT_AMBIGUOUS },
        { 0, true, VERDICT_AMBIGUOUS },
        { 0, false, VERDICT_RETRY }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&answer, 0, sizeof(answer));
        answer.curl = cases[i].curl;
        answer.sent = cases[i].sent;
        channel_cloud_api.verdict(&verdict, &answer);

        if (verdict.kind != cases[i].kind) {
            fail_msg("curl %d: %d", cases[i].curl, verdict.kind);
        }

        assert_int_equal(strstr(verdict.reason, "may have been sent") != NULL,
                         cases[i].sent);
    }

    /* a part of a good answer is none */

    memset(&answer, 0, sizeof(answer));
    answer.curl = CURLE_PARTIAL_FILE;
    answer.sent = true;
    answer.status = 200;
    answer.body = "{\"messages\":[{\"id\":\"" ID "\"}]}";
    answer.body_len = strlen(answer.body);
    channel_cloud_api.verdict(&verdict, &answer);
    assert_int_equal(verdict.kind, VERDICT_AMBIGUOUS);
}


/* Retry-After counts when it is the longer, and not for the dead */

static void
test_retry_after(void **state)
{
    size_t     i;
    answer_t   answer;
    verdict_t  verdict;

    static const struct {
        const char  *body;
        int64_t      asked, after;
    } cases[] = {
        { "{\"error\":{\"code\":130429}}", 7 * S, 7 * S },
        { "{\"error\":{\"code\":613}}", 7 * S, MIN },
        { "{\"error\":{\"code\":613}}", H, H },
        { "{\"error\":{\"code\":100}}", H, 0 },
        { "<html>", 7 * S, 7 * S }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&answer, 0, sizeof(answer));
        answer.sent = true;
        answer.status = 429;
        answer.body = cases[i].body;
        answer.body_len = strlen(answer.body);
        answer.retry_after = cases[i].asked;
        channel_cloud_api.verdict(&verdict, &answer);
        assert_int_equal(verdict.after, cases[i].after);
    }
}


/* whatever comes: bounded, one line, whole characters, an end */

static void
test_bounds(void **state)
{
    char       *body, *text;
    size_t      n, i;
    json_t     *root;
    verdict_t   verdict;

    for (n = 0; n < 700; n += 7) {
        text = malloc(n * 4 + 1);
        assert_non_null(text);
        text[0] = '\0';

        for (i = 0; i < n; i++) {
            strcat(text, (i % 5) ? "\xe2\x82\xac" : " \n");
        }

        root = json_pack("{s:{s:i, s:s, s:s, s:s}}", "error", "code", 100,
                         "message", text, "error_data", text, "fbtrace_id",
                         text);
        body = json_dumps(root, 0);
        judge(&verdict, 400, body);
        json_decref(root);
        free(body);
        free(text);

        assert_non_null(memchr(verdict.reason, 0, sizeof(verdict.reason)));
        assert_null(strchr(verdict.reason, '\n'));
        root = json_string(verdict.reason);
        assert_non_null(root);
        json_decref(root);

        if (n > 0) {
            assert_int_equal(verdict.reason[strlen(verdict.reason) - 1], ')');
        }
    }

    /* ids of 255 and 256 bytes */

    for (n = 255; n <= 256; n++) {
        text = calloc(1, n + 1);
        assert_non_null(text);
        memset(text, 'x', n);
        root = json_pack("{s:[{s:s}]}", "messages", "id", text);
        body = json_dumps(root, 0);
        judge(&verdict, 200, body);
        assert_int_equal(verdict.kind,
                         n == 255 ? VERDICT_SENT : VERDICT_AMBIGUOUS);
        assert_int_equal(strlen(verdict.provider_id), n == 255 ? 255 : 0);
        json_decref(root);
        free(body);
        free(text);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_render),
        cmocka_unit_test(test_render_number),
        cmocka_unit_test(test_render_refused),
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_transport),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_bounds)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
