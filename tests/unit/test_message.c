#include <stdarg.h>
#include <setjmp.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "worker/worker.h"


#define SEND  "tests/samples/send"
#define TEXT  "\"type\":\"text\",\"text\":{\"body\":\"hi\"}"
#define FROM  "\"phone_number_id\":\"498\","

#define EVENT(source, data)                                                   \
    "{\"specversion\":\"1.0\",\"source\":\"" source "\",\"data\":" data "}"


static const struct {
    const char  *name;
    const char  *data;
    const char  *error;        /* a part of it, NULL: taken */
    const char  *sender;
    const char  *recipient;
} cases[] = {
    { "a request with its sender",
      "{" FROM "\"to\":\"+351\"," TEXT "}", NULL, "498", "+351" },
    { "an envelope of the edge",
      EVENT("/v26.0/498/messages", "{\"to\":\"+351\"," TEXT "}"),
      NULL, "498", "+351" },
    { "an envelope below a path",
      EVENT("/api/acme/v26.0/498/messages?x=/y",
            "{\"to\":\"+351\"," TEXT "}"), NULL, "498", "+351" },
    { "a user id",
      "{" FROM "\"recipient\":\"PT.9087\"," TEXT "}", NULL, "498", "PT.9087" },
    { "both: `to` wins",
      "{" FROM "\"recipient\":\"PT.9087\",\"to\":\"+351\"," TEXT "}",
      NULL, "498", "+351" },
    { "a zero byte in the text",
      "{" FROM "\"to\":\"+351\",\"type\":\"text\","
      "\"text\":{\"body\":\"a\\u0000b\"}}", NULL, "498", "+351" },

    { "not JSON", "{", "not JSON", NULL, NULL },
    { "empty", "", "not JSON", NULL, NULL },
    { "not UTF-8", "{\"to\":\"\xff\"}", "not JSON", NULL, NULL },
    { "an array", "[]", "must be a JSON object", NULL, NULL },
    { "a member twice", "{\"to\":\"1\",\"to\":\"2\"}", "repeats", NULL, NULL },
    { "no sender", "{\"to\":\"+351\"," TEXT "}", "\"phone_number_id\"",
      NULL, NULL },
    { "a sender that is a number",
      "{\"phone_number_id\":498,\"to\":\"+351\"," TEXT "}",
      "\"phone_number_id\"", NULL, NULL },
    { "a sender with a slash",
      "{\"phone_number_id\":\"4/8\",\"to\":\"+351\"," TEXT "}",
      "\"phone_number_id\"", NULL, NULL },
    { "an envelope without source",
      "{\"specversion\":\"1.0\",\"data\":{}}", "\"source\"", NULL, NULL },
    { "a source that is another path",
      EVENT("/v26.0/498/media", "{}"), "\"source\"", NULL, NULL },
    { "a source without sender",
      EVENT("/messages", "{}"), "\"source\"", NULL, NULL },
    { "a source with an empty sender",
      EVENT("/v26.0//messages", "{}"), "\"source\"", NULL, NULL },
    { "an envelope without data",
      "{\"specversion\":\"1.0\",\"source\":\"/1/messages\"}", "\"data\"",
      NULL, NULL },
    { "an envelope with text", EVENT("/1/messages", "\"x\""), "\"data\"",
      NULL, NULL },
    { "no recipient", "{" FROM TEXT "}", "\"to\" or \"recipient\"",
      NULL, NULL },
    { "an empty recipient", "{" FROM "\"to\":\"\"," TEXT "}", "\"to\"",
      NULL, NULL },
    { "a recipient that is a number", "{" FROM "\"to\":351," TEXT "}",
      "\"to\"", NULL, NULL },
    { "a recipient of two lines", "{" FROM "\"to\":\"3\\n5\"," TEXT "}",
      "\"to\"", NULL, NULL },
    { "a wrong second recipient",
      "{" FROM "\"to\":\"3\",\"recipient\":[]," TEXT "}", "\"recipient\"",
      NULL, NULL },
    { "no type", "{" FROM "\"to\":\"+351\"}", "\"type\" must", NULL, NULL },
    { "an unknown type", "{" FROM "\"to\":\"1\",\"type\":\"fax\"}",
      "\"type\" is none", NULL, NULL },
    { "no text", "{" FROM "\"to\":\"1\",\"type\":\"text\"}", "\"text\"",
      NULL, NULL },
    { "a text that is a string",
      "{" FROM "\"to\":\"1\",\"type\":\"text\",\"text\":\"hi\"}", "\"text\"",
      NULL, NULL },
    { "no body",
      "{" FROM "\"to\":\"1\",\"type\":\"text\",\"text\":{}}", "\"text.body\"",
      NULL, NULL },
    { "an empty body",
      "{" FROM "\"to\":\"1\",\"type\":\"text\",\"text\":{\"body\":\"\"}}",
      "1 to 4096", NULL, NULL },
    { "contacts that are no array",
      "{" FROM "\"to\":\"1\",\"type\":\"contacts\",\"contacts\":{}}",
      "\"contacts\" must be an array", NULL, NULL },
    { "another product",
      "{" FROM "\"messaging_product\":\"sms\",\"to\":\"1\"," TEXT "}",
      "\"messaging_product\"", NULL, NULL },
    { "a read receipt",
      "{" FROM "\"status\":\"read\",\"message_id\":\"wamid.A\"}",
      "read receipt", NULL, NULL },
    { "a campaign that is a number",
      "{" FROM "\"campaign\":5,\"to\":\"1\"," TEXT "}", "\"campaign\"",
      NULL, NULL }
};


static const char *
read_text(message_t *message, const char *data, size_t len)
{
    job_t  job;

    memset(&job, 0, sizeof(job));
    job.data = (char *) data;
    job.data_len = len;

    return message_read(message, &job);
}


static void
test_cases(void **state)
{
    size_t       i;
    message_t    message;
    const char  *error;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        error = read_text(&message, cases[i].data, strlen(cases[i].data));

        if (cases[i].error != NULL) {
            if (error == NULL || strstr(error, cases[i].error) == NULL) {
                fail_msg("%s: %s", cases[i].name, error ? error : "taken");
            }

            assert_null(message.body);
            continue;
        }

        if (error != NULL) {
            fail_msg("%s: %s", cases[i].name, error);
        }

        assert_string_equal(message.sender, cases[i].sender);
        assert_string_equal(message.recipient, cases[i].recipient);
        assert_null(json_object_get(message.body, "phone_number_id"));
        message_free(&message);
    }
}


static void
test_no_data(void **state)
{
    job_t      job;
    message_t  message;

    memset(&job, 0, sizeof(job));
    assert_non_null(message_read(&message, &job));
}


static void
test_campaign(void **state)
{
    message_t  message;

    static const char  data[] = "{" FROM "\"campaign\":\"spring\","
                                "\"to\":\"1\"," TEXT "}";

    assert_null(read_text(&message, data, sizeof(data) - 1));
    assert_string_equal(message.campaign, "spring");
    assert_null(json_object_get(message.body, "campaign"));
    assert_string_equal(json_string_value(json_object_get(message.body,
                                                          "type")), "text");
    message_free(&message);
}


/* 4096 characters of three bytes each, and one more */

static void
test_longest_text(void **state)
{
    size_t       i, n;
    json_t      *root;
    char        *data, *body;
    message_t    message;
    const char  *error;

    for (n = 4096; n <= 4097; n++) {
        body = malloc(3 * n + 1);
        assert_non_null(body);

        for (i = 0; i < n; i++) {
            memcpy(body + 3 * i, "\xe2\x82\xac", 3);
        }

        body[3 * n] = '\0';

        root = json_pack("{s:s, s:s, s:s, s:{s:s}}", "phone_number_id", "1",
                         "to", "1", "type", "text", "text", "body", body);
        data = json_dumps(root, 0);
        error = read_text(&message, data, strlen(data));

        if (n == 4096) {
            assert_null(error);
            message_free(&message);

        } else {
            assert_non_null(error);
        }

        json_decref(root);
        free(data);
        free(body);
    }
}


/* every sample of a request is taken and left as it is */

static void
test_samples(void **state)
{
    DIR            *dir;
    char           *data, path[512];
    json_t         *root;
    size_t          n;
    message_t       message;
    const char     *error;
    struct dirent  *entry;

    n = 0;
    dir = opendir(SEND);
    assert_non_null(dir);

    while ((entry = readdir(dir)) != NULL) {

        if (strstr(entry->d_name, ".json") == NULL
            || strncmp(entry->d_name, "response-", 9) == 0)
        {
            continue;
        }

        snprintf(path, sizeof(path), SEND "/%s", entry->d_name);
        root = json_load_file(path, 0, NULL);
        assert_non_null(root);
        json_object_set_new(root, "phone_number_id", json_string("498"));
        data = json_dumps(root, 0);
        json_object_del(root, "phone_number_id");

        error = read_text(&message, data, strlen(data));

        if (strncmp(entry->d_name, "mark-read", 9) == 0) {
            assert_non_null(error);

        } else if (error != NULL) {
            fail_msg("%s: %s", entry->d_name, error);

        } else {
            assert_true(json_equal(message.body, root));
            message_free(&message);
        }

        json_decref(root);
        free(data);
        n++;
    }

    closedir(dir);
    assert_int_equal(n, 27);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_no_data),
        cmocka_unit_test(test_campaign),
        cmocka_unit_test(test_longest_text),
        cmocka_unit_test(test_samples)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
