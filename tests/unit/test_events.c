#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "worker/worker.h"


#define SAMPLES  "tests/samples/webhooks"
#define WABA(changes)                                                         \
    "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"2\","    \
    "\"changes\":[" changes "]}]}"
#define VALUE(value)  "{\"field\":\"messages\",\"value\":{" value "}}"


/* by hand from tests/samples/webhooks/INDEX.md; -1: no webhook of Meta */

static const struct {
    const char  *name;
    int          messages, statuses, other;
} samples[] = {
    { "account-alerts", 0, 0, 1 },
    { "account-review-update", 0, 0, 1 },
    { "account-update-disabled", 0, 0, 1 },
    { "account-update-restriction", 0, 0, 1 },
    { "account-update-violation", 0, 0, 1 },
    { "account-update-volume-tier", 0, 0, 1 },
    { "batch-mixed", 1, 4, 1 },
    { "business-capability-update", 0, 0, 1 },
    { "business-username-update", 0, 0, 1 },
    { "call-status", 0, 0, 1 },
    { "instagram-message", 0, 0, 1 },
    { "legacy-msg-text", 1, 0, 0 },
    { "legacy-status-sent", 0, 1, 0 },
    { "messenger-message", 0, 0, 1 },
    { "meta-test-button", 1, 0, 0 },
    { "msg-ad-referral", 1, 0, 0 },
    { "msg-audio-voice", 1, 0, 0 },
    { "msg-button-reply", 1, 0, 0 },
    { "msg-contact-request-answer", 1, 0, 0 },
    { "msg-contacts", 1, 0, 0 },
    { "msg-document", 1, 0, 0 },
    { "msg-edit", 1, 0, 0 },
    { "msg-flow-reply", 1, 0, 0 },
    { "msg-forwarded", 1, 0, 0 },
    { "msg-group-text", 1, 0, 0 },
    { "msg-image", 1, 0, 0 },
    { "msg-list-reply", 1, 0, 0 },
    { "msg-location", 1, 0, 0 },
    { "msg-media-download-error", 1, 0, 0 },
    { "msg-order", 1, 0, 0 },
    { "msg-product-inquiry", 1, 0, 0 },
    { "msg-reaction-removed", 1, 0, 0 },
    { "msg-reaction", 1, 0, 0 },
    { "msg-reply", 1, 0, 0 },
    { "msg-revoke", 1, 0, 0 },
    { "msg-sticker", 1, 0, 0 },
    { "msg-system-number-changed", 1, 0, 0 },
    { "msg-system-user-id-changed", 1, 0, 0 },
    { "msg-template-quick-reply", 1, 0, 0 },
    { "msg-text-bsuid-no-phone", 1, 0, 0 },
    { "msg-text-unicode", 1, 0, 0 },
    { "msg-text-username", 1, 0, 0 },
    { "msg-text", 1, 0, 0 },
    { "msg-unsupported", 1, 0, 0 },
    { "msg-video", 1, 0, 0 },
    { "other-evolution-connection-update", -1, 0, 0 },
    { "other-evolution-messages-upsert", -1, 0, 0 },
    { "other-slack-event", -1, 0, 0 },
    { "other-telegram-update", -1, 0, 0 },
    { "other-waha-message", -1, 0, 0 },
    { "other-waha-session-status", -1, 0, 0 },
    { "other-wasender-message-received", -1, 0, 0 },
    { "other-wasender-message-sent", -1, 0, 0 },
    { "other-wasender-session-status", -1, 0, 0 },
    { "phone-name-update", 0, 0, 1 },
    { "phone-quality-throughput-upgrade", 0, 0, 1 },
    { "security-pin-changed", 0, 0, 1 },
    { "smb-message-echo", 0, 0, 1 },
    { "status-delivered-bsuid", 0, 1, 0 },
    { "status-delivered-callback-data", 0, 1, 0 },
    { "status-delivered", 0, 1, 0 },
    { "status-failed-130472", 0, 1, 0 },
    { "status-failed-131026", 0, 1, 0 },
    { "status-failed-131047", 0, 1, 0 },
    { "status-failed-131049", 0, 1, 0 },
    { "status-failed-131050", 0, 1, 0 },
    { "status-failed-131053", 0, 1, 0 },
    { "status-group-read", 0, 1, 0 },
    { "status-played", 0, 1, 0 },
    { "status-read", 0, 1, 0 },
    { "status-sent-free-entry-point", 0, 1, 0 },
    { "status-sent-v23", 0, 1, 0 },
    { "status-sent-v24", 0, 1, 0 },
    { "template-approved", 0, 0, 1 },
    { "template-category", 0, 0, 1 },
    { "template-disabled", 0, 0, 1 },
    { "template-paused", 0, 0, 1 },
    { "template-quality", 0, 0, 1 },
    { "template-rejected", 0, 0, 1 },
    { "user-id-update", 0, 0, 1 },
    { "user-preferences-resume", 0, 0, 1 },
    { "user-preferences-stop", 0, 0, 1 },
    { "value-errors", 0, 0, 1 }
};


static const struct {
    const char  *name;
    const char  *data;
    const char  *expected;    /* the result, or the start of the error */
} cases[] = {
    { "a user without a phone number",
      WABA(VALUE("\"metadata\":{\"phone_number_id\":\"498\"},\"messages\":["
                 "{\"id\":\"w1\",\"from_user_id\":\"PT.9\",\"type\":\"text\","
                 "\"timestamp\":\"1795000000\"}]")),
      "{\"messages\":[{\"id\":\"w1\",\"from\":\"PT.9\",\"user\":\"PT.9\","
      "\"type\":\"text\",\"number\":\"498\",\"timestamp\":1795000000}],"
      "\"statuses\":[],\"other\":[]}" },
    { "only the contact knows who",
      WABA(VALUE("\"contacts\":[{\"wa_id\":\"351\"}],\"messages\":["
                 "{\"id\":\"w1\",\"timestamp\":1795000000}]")),
      "{\"messages\":[{\"id\":\"w1\",\"from\":\"351\",\"type\":null,"
      "\"number\":null,\"timestamp\":1795000000}],\"statuses\":[],"
      "\"other\":[]}" },
    { "milliseconds, and a time that is none",
      WABA(VALUE("\"statuses\":[{\"id\":\"w1\",\"status\":\"new\","
                 "\"timestamp\":1795000000123},{\"id\":\"w2\",\"status\":"
                 "\"new\",\"timestamp\":\"soon\"}]")),
      "{\"messages\":[],\"statuses\":[{\"id\":\"w1\",\"status\":\"new\","
      "\"recipient\":null,\"number\":null,\"timestamp\":1795000000},"
      "{\"id\":\"w2\",\"status\":\"new\",\"recipient\":null,\"number\":null,"
      "\"timestamp\":null}],\"other\":[]}" },
    { "malformed items do not hide their neighbours",
      WABA("5," VALUE("\"statuses\":[{\"id\":\"w1\"},7,{\"id\":\"w2\","
                      "\"status\":\"new\"}],\"messages\":[{}]")
           ",{\"field\":\"x\"}"),
      "{\"messages\":[],\"statuses\":[{\"id\":\"w2\",\"status\":\"new\","
      "\"recipient\":null,\"number\":null,\"timestamp\":null}],\"other\":["
      "{\"field\":null,\"number\":null,\"malformed\":\"/entry/0/changes/0\"},"
      "{\"field\":\"messages\",\"number\":null,\"malformed\":"
      "\"/entry/0/changes/1/value/messages/0\"},"
      "{\"field\":\"messages\",\"number\":null,\"malformed\":"
      "\"/entry/0/changes/1/value/statuses/0\"},"
      "{\"field\":\"messages\",\"number\":null,\"malformed\":"
      "\"/entry/0/changes/1/value/statuses/1\"},"
      "{\"field\":\"x\",\"number\":null,\"malformed\":"
      "\"/entry/0/changes/2\"}]}" },
    { "the statuses of calls are not messages'",
      WABA("{\"field\":\"calls\",\"value\":{\"statuses\":[{\"id\":\"c\","
           "\"status\":\"sent\"}]}}"),
      "{\"messages\":[],\"statuses\":[],\"other\":[{\"field\":\"calls\","
      "\"number\":null}]}" },
    { "statuses and errors together",
      WABA(VALUE("\"statuses\":[],\"errors\":[{\"code\":1}]")),
      "{\"messages\":[],\"statuses\":[],\"other\":[{\"field\":\"messages\","
      "\"number\":null}]}" },
    { "a zero byte", WABA(VALUE("\"messages\":[{\"id\":\"w\",\"text\":"
                                "{\"body\":\"\\u0000\"}}]")),
      "{\"messages\":[{\"id\":\"w\",\"from\":null,\"type\":null,\"number\":"
      "null,\"timestamp\":null}],\"statuses\":[],\"other\":[]}" },
    { "no entries", "{\"entry\":[]}",
      "{\"messages\":[],\"statuses\":[],\"other\":[]}" },

    { "not JSON", "{", "the data is not JSON" },
    { "empty", "", "the data is not JSON" },
    { "no entry", "{}", "/entry: must be an array" },
    { "an array", "[]", "/entry: must be an array" },
    { "an entry that is an object", "{\"entry\":{}}",
      "/entry: must be an array" },
    { "an envelope of text",
      "{\"specversion\":\"1.0\",\"data\":\"entry\"}",
      "/data: must be an object" },
    { "an envelope without data", "{\"specversion\":\"1.0\"}",
      "/data: must be an object" }
};


static const char *
read_text(events_t *events, const char *data, size_t len)
{
    job_t  job;

    memset(&job, 0, sizeof(job));
    job.data = (char *) data;
    job.data_len = len;
    job.timestamp = 1700000000000;

    return events_read(events, &job, "acme");
}


static size_t
count(const char *result, const char *member)
{
    size_t   n;
    json_t  *root;

    root = json_loads(result, 0, NULL);
    n = json_array_size(json_object_get(root, member));
    json_decref(root);

    return n;
}


/* as the body itself, and in the edge's envelope */

static void
test_samples(void **state)
{
    int          envelope;
    char        *data, path[512];
    size_t       i;
    json_t      *root;
    events_t     events;
    const char  *error;

    for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        snprintf(path, sizeof(path), SAMPLES "/%s.json", samples[i].name);

        for (envelope = 0; envelope < 2; envelope++) {
            root = json_load_file(path, 0, NULL);
            assert_non_null(root);

            if (envelope) {
                root = json_pack("{s:s, s:s, s:o}", "specversion", "1.0",
                                 "source", "/hooks/meta", "data", root);
            }

            data = json_dumps(root, 0);
            error = read_text(&events, data, strlen(data));

            if (samples[i].messages == -1) {
                assert_non_null(error);

            } else if (error != NULL) {
                fail_msg("%s: %s", samples[i].name, error);

            } else if ((int) count(events.result, "messages")
                       != samples[i].messages
                       || (int) count(events.result, "statuses")
                          != samples[i].statuses
                       || (int) count(events.result, "other")
                          != samples[i].other
                       || (int) events.nrecords != samples[i].statuses
                       || (int) events.nmessages != samples[i].messages
                       || strstr(events.result, "malformed") != NULL)
            {
                fail_msg("%s: %s", samples[i].name, events.result);
            }

            events_free(&events);
            json_decref(root);
            free(data);
        }
    }

    assert_int_equal(i, 83);
}


static void
test_cases(void **state)
{
    size_t       i;
    events_t     events;
    const char  *error;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        error = read_text(&events, cases[i].data, strlen(cases[i].data));

        if (error == NULL) {
            error = events.result;
        }

        if (strcmp(error, cases[i].expected) != 0) {
            fail_msg("%s: %s", cases[i].name, error);
        }

        events_free(&events);
    }
}


static const struct {
    const char  *name;
    const char  *status;
    const char  *record;      /* NULL: none */
} records[] = {
    { "sent by us",
      "{\"id\":\"w\",\"status\":\"sent\",\"timestamp\":\"1795000000\","
      "\"recipient_id\":\"351\",\"biz_opaque_callback_data\":\"m-01JC\"}",
      "{\"id\":\"m-01JC\",\"provider_id\":\"w\",\"tenant\":\"acme\","
      "\"sender\":\"498\",\"recipient\":\"351\",\"status\":\"sent\","
      "\"at\":1795000000000}" },
    { "data of the application's own",
      "{\"id\":\"w\",\"status\":\"read\",\"timestamp\":1795000000,"
      "\"recipient_user_id\":\"PT.9\",\"biz_opaque_callback_data\":"
      "\"tenant=7;job=01JC3W\"}",
      "{\"provider_id\":\"w\",\"tenant\":\"acme\",\"sender\":\"498\","
      "\"recipient\":\"PT.9\",\"status\":\"read\",\"at\":1795000000000}" },
    { "what looks like ours but cannot be",
      "{\"id\":\"w\",\"status\":\"read\",\"timestamp\":1795000000,"
      "\"biz_opaque_callback_data\":\"m-a:b\"}",
      "{\"provider_id\":\"w\",\"tenant\":\"acme\",\"sender\":\"498\","
      "\"status\":\"read\",\"at\":1795000000000}" },
    { "without a time: the job's",
      "{\"id\":\"w\",\"status\":\"played\"}",
      "{\"provider_id\":\"w\",\"tenant\":\"acme\",\"sender\":\"498\","
      "\"status\":\"played\",\"at\":1700000000000}" },
    { "failed",
      "{\"id\":\"w\",\"status\":\"failed\",\"timestamp\":\"1795000000\","
      "\"errors\":[{\"code\":131026,\"title\":\"Message undeliverable\","
      "\"error_data\":{\"details\":\"Not on WhatsApp.\"}}]}",
      "{\"provider_id\":\"w\",\"tenant\":\"acme\",\"sender\":\"498\","
      "\"status\":\"failed\",\"error\":\"Message undeliverable: Not on "
      "WhatsApp.\",\"at\":1795000000000,\"code\":131026}" },
    { "failed without a title",
      "{\"id\":\"w\",\"status\":\"failed\",\"timestamp\":\"1795000000\","
      "\"errors\":[{\"code\":1}]}",
      "{\"provider_id\":\"w\",\"tenant\":\"acme\",\"sender\":\"498\","
      "\"status\":\"failed\",\"at\":1795000000000,\"code\":1}" },
    { "a status that we do not know",
      "{\"id\":\"w\",\"status\":\"warning\"}", NULL },
    { "a status that only we may give",
      "{\"id\":\"w\",\"status\":\"retry\"}", NULL }
};


static void
test_records(void **state)
{
    char      data[2048];
    size_t    i;
    events_t  events;

    for (i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        snprintf(data, sizeof(data),
                 WABA(VALUE("\"metadata\":{\"phone_number_id\":\"498\"},"
                            "\"statuses\":[%s]")), records[i].status);

        assert_null(read_text(&events, data, strlen(data)));

        if (records[i].record == NULL) {
            assert_int_equal(events.nrecords, 0);

        } else {
            assert_int_equal(events.nrecords, 1);

            if (strcmp(events.records[0], records[i].record) != 0) {
                fail_msg("%s: %s", records[i].name, events.records[0]);
            }
        }

        events_free(&events);
    }
}


/* a title longer than the room ends with a whole character */

static void
test_long_error(void **state)
{
    size_t       i, shift;
    char         title[2048], data[4096];
    json_t      *hold;
    record_t     record;
    events_t     events;

    for (shift = 0; shift < 3; shift++) {
        memset(title, 'x', shift);

        for (i = shift; i + 3 < sizeof(title); i += 3) {
            memcpy(title + i, "\xe2\x82\xac", 3);
        }

        title[i] = '\0';

        snprintf(data, sizeof(data),
                 WABA(VALUE("\"statuses\":[{\"id\":\"w\",\"status\":"
                            "\"failed\",\"errors\":[{\"title\":\"%s\"}]}]")),
                 title);

        assert_null(read_text(&events, data, strlen(data)));
        assert_int_equal(record_decode(&record, &hold, events.records[0],
                                       strlen(events.records[0])), 0);
        assert_in_range(strlen(record.error), 500, 511);
        assert_int_equal(strncmp(record.error, title, strlen(record.error)),
                         0);
        assert_null(strchr(record.error, '?'));
        json_decref(hold);
        events_free(&events);
    }
}


/* no item costs its neighbours: a number too large, a name too long */

static void
test_neighbours(void **state)
{
    char      name[600], data[4096];
    events_t  events;

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';

    snprintf(data, sizeof(data),
             WABA(VALUE("\"metadata\":{\"phone_number_id\":\"%s\"},"
                        "\"statuses\":[{\"id\":\"w\",\"status\":\"sent\","
                        "\"x\":18446744073709551616},"
                        "{\"id\":\"%s\",\"status\":\"sent\"}]")),
             name, name);

    assert_null(read_text(&events, data, strlen(data)));
    assert_int_equal(events.nrecords, 1);
    assert_int_equal(count(events.result, "statuses"), 1);
    assert_int_equal(count(events.result, "other"), 1);
    assert_null(strstr(events.result, "nnn"));
    events_free(&events);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_long_error),
        cmocka_unit_test(test_neighbours)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
