#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "worker/worker.h"


static void
test_round_trip(void **state)
{
    char      *text;
    json_t    *hold, *payload;
    record_t   in, out;

    payload = json_pack("{s:s, s:f}", "to", "+351", "latitude", 41.1496);

    memset(&in, 0, sizeof(in));
    in.id = "m-1";
    in.provider_id = "wamid.A";
    in.tenant = "acme";
    in.channel = "whatsapp";
    in.sender = "498";
    in.recipient = "+351";
    in.payload = payload;
    in.status = "sent";
    in.error = "two\nlines \"quoted\"";
    in.code = 131026;
    in.campaign = "spring";
    in.attempts = 3;
    in.at = 1795000000123;

    text = record_encode(&in);
    assert_non_null(text);
    assert_non_null(strstr(text, "41.1496}"));
    assert_null(strchr(text, '\n'));
    assert_int_equal(record_decode(&out, &hold, text, strlen(text)), 0);

    assert_string_equal(out.id, in.id);
    assert_string_equal(out.provider_id, in.provider_id);
    assert_string_equal(out.tenant, in.tenant);
    assert_string_equal(out.channel, in.channel);
    assert_string_equal(out.sender, in.sender);
    assert_string_equal(out.recipient, in.recipient);
    assert_string_equal(out.status, in.status);
    assert_string_equal(out.error, in.error);
    assert_string_equal(out.campaign, in.campaign);
    assert_int_equal(out.code, in.code);
    assert_int_equal(out.attempts, in.attempts);
    assert_true(out.at == in.at);
    assert_true(json_equal(out.payload, payload));

    json_decref(hold);
    json_decref(payload);
    free(text);
}


/* what is empty is left out */

static void
test_smallest(void **state)
{
    char      *text;
    record_t   record;

    memset(&record, 0, sizeof(record));
    record.provider_id = "w";
    record.tenant = "";
    record.status = "read";
    record.at = 7;

    text = record_encode(&record);
    assert_string_equal(text, "{\"provider_id\":\"w\",\"status\":\"read\","
                        "\"at\":7}");
    free(text);
}


static void
test_not_utf8(void **state)
{
    char      *text;
    json_t    *hold;
    record_t   record;

    memset(&record, 0, sizeof(record));
    record.id = "m-\xff\xfe";
    record.status = "failed";
    record.at = 7;

    text = record_encode(&record);
    assert_non_null(text);
    assert_int_equal(record_decode(&record, &hold, text, strlen(text)), 0);
    assert_string_equal(record.id, "m-??");

    json_decref(hold);
    free(text);
}


static const char *const  malformed[] = {
    "",
    "[]",
    "nonsense",
    "{\"id\":\"m\",\"status\":\"sent\",\"at\":1",
    "{\"id\":\"m\",\"status\":\"sent\"}",
    "{\"id\":\"m\",\"status\":\"sent\",\"at\":0}",
    "{\"id\":\"m\",\"status\":\"sent\",\"at\":-5}",
    "{\"id\":\"m\",\"status\":\"sent\",\"at\":1.5}",
    "{\"id\":\"m\",\"status\":\"lost\",\"at\":1}",
    "{\"id\":\"m\",\"at\":1}",
    "{\"status\":\"sent\",\"at\":1}",
    "{\"id\":\"\",\"status\":\"sent\",\"at\":1}",
    "{\"id\":5,\"status\":\"sent\",\"at\":1}",
    "{\"id\":\"m\",\"error\":{},\"status\":\"sent\",\"at\":1}",
    "{\"id\":\"m\",\"status\":\"sent\",\"at\":1,\"code\":\"5\"}",
    "{\"id\":\"m\",\"status\":\"sent\",\"at\":1,\"code\":99999999999}",
    "{\"id\":\"m\",\"status\":\"sent\",\"at\":1,\"attempts\":-1}",
    "{\"id\":\"m\",\"id\":\"n\",\"status\":\"sent\",\"at\":1}"
};


static void
test_malformed(void **state)
{
    size_t     i;
    json_t    *hold;
    record_t   record;

    for (i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        if (record_decode(&record, &hold, malformed[i], strlen(malformed[i]))
            != -1)
        {
            fail_msg("taken: %s", malformed[i]);
        }

        assert_null(hold);
    }
}


static void
test_rank(void **state)
{
    size_t  i;

    static const char *const  order[] = {
        "nonsense", "retry", "sent", "delivered", "read", "played", "failed"
    };

    for (i = 1; i < sizeof(order) / sizeof(order[0]); i++) {
        assert_true(record_rank(order[i - 1]) < record_rank(order[i]));
    }

    assert_int_equal(record_rank(NULL), -1);
    assert_int_equal(record_rank("nonsense"), -1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_smallest),
        cmocka_unit_test(test_not_utf8),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_rank)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
