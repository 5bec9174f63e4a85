/* What the members of a new job, or of a new scheduler, become. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "worker/job_new.h"


#define NOW  INT64_C(1790000000123)


static const struct {
    const char  *name, *object, *id, *opts, *field;
} jobs[] = {
    { "a name is enough", "{\"name\":\"n\"}", "", "{\"attempts\":0}", NULL },
    { "an id is one of the options", "{\"name\":\"n\"}", "m-1",
      "{\"attempts\":0,\"jobId\":\"m-1\"}", NULL },
    { "what is given, in the order of storing",
      "{\"keepLogs\":3,\"lifo\":true,\"priority\":2,\"delay\":5,"
      "\"attempts\":4,\"name\":\"n\"}", "",
      "{\"attempts\":4,\"delay\":5,\"priority\":2,\"lifo\":true,\"kl\":3}",
      NULL },
    { "a backoff of so many ms", "{\"name\":\"n\",\"backoff\":7}", "",
      "{\"attempts\":0,\"backoff\":{\"type\":\"fixed\",\"delay\":7}}", NULL },
    { "deduplication has a short name",
      "{\"name\":\"n\",\"deduplication\":{\"id\":\"a\",\"ttl\":1,"
      "\"replace\":true}}", "",
      "{\"attempts\":0,\"de\":{\"id\":\"a\",\"ttl\":1,\"replace\":true}}",
      NULL },
    { "kept by age", "{\"name\":\"n\",\"removeOnFail\":{\"age\":5}}", "",
      "{\"attempts\":0,\"removeOnFail\":{\"age\":5}}", NULL },
    { "the largest of all",
      "{\"name\":\"n\",\"delay\":315360000000,\"priority\":2097151}", "",
      "{\"attempts\":0,\"delay\":315360000000,\"priority\":2097151}", NULL },
    { "no name", "{}", "", NULL, "name" },
    { "a name with a zero byte", "{\"name\":\"a\\u0000b\"}", "", NULL,
      "name" },
    { "an unknown member comes first", "{\"x\":1}", "", NULL, "x" },
    { "a delay over the largest", "{\"name\":\"n\",\"delay\":315360000001}",
      "", NULL, "delay" },
    { "a priority that is a text", "{\"name\":\"n\",\"priority\":\"1\"}", "",
      NULL, "priority" },
    { "attempts that are a fraction", "{\"name\":\"n\",\"attempts\":1.5}", "",
      NULL, "attempts" },
    { "null is not absent", "{\"name\":\"n\",\"lifo\":null}", "", NULL,
      "lifo" },
    { "a backoff without a type", "{\"name\":\"n\",\"backoff\":{}}", "", NULL,
      "backoff.type" },
    { "a backoff of more", "{\"name\":\"n\",\"backoff\":{\"type\":\"fixed\","
      "\"x\":1}}", "", NULL, "backoff.x" },
    { "too much jitter", "{\"name\":\"n\",\"backoff\":{\"type\":\"fixed\","
      "\"jitter\":1.01}}", "", NULL, "backoff.jitter" },
    { "kept for a text", "{\"name\":\"n\",\"removeOnComplete\":\"1d\"}", "",
      NULL, "removeOnComplete" },
    { "deduplication without an id",
      "{\"name\":\"n\",\"deduplication\":{}}", "", NULL, "deduplication.id" },
    { "deduplication for no time",
      "{\"name\":\"n\",\"deduplication\":{\"id\":\"a\",\"ttl\":0}}", "", NULL,
      "deduplication.ttl" },
    { "a flag that is a number",
      "{\"name\":\"n\",\"deduplication\":{\"id\":\"a\",\"extend\":1}}", "",
      NULL, "deduplication.extend" },
    { "a schedule", "{\"name\":\"n\",\"every\":5}", "", NULL, "every" },
    { "the name of a member is cut",
      "{\"name\":\"n\",\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\":1}", "", NULL,
      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" }
};


static void
new_jobs(void **state)
{
    bool         fine;
    size_t       i;
    json_t      *object;
    job_new_t    job;
    job_wrong_t  wrong;

    for (i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
        print_message("# %s\n", jobs[i].name);
        object = json_loads(jobs[i].object, JSON_ALLOW_NUL, NULL);
        assert_non_null(object);

        fine = job_new_read(&job, object, jobs[i].id, &wrong);

        if (jobs[i].field) {
            assert_false(fine);
            assert_string_equal(wrong.field, jobs[i].field);
            assert_true(wrong.what[0] != '\0');

        } else {
            assert_true(fine);
            assert_string_equal(job.opts, jobs[i].opts);
            assert_string_equal(job.data, "{}");
            job_new_free(&job);
        }

        json_decref(object);
    }
}


static void
new_data(void **state)
{
    json_t      *object;
    job_new_t    job;
    job_wrong_t  wrong;

    object = json_loads("{\"name\":\"n\",\"data\":[null,1.5,\"\\u00fc\"]}", 0,
                        NULL);
    assert_true(job_new_read(&job, object, "", &wrong));
    assert_string_equal(job.data, "[null,1.5,\"\xc3\xbc\"]");
    assert_string_equal(job.name, "n");
    job_new_free(&job);
    json_decref(object);
}


static const struct {
    const char  *name, *object, *opts, *stored, *plan, *field;
    int64_t      at;
} schedulers[] = {
    { "every", "{\"name\":\"n\",\"every\":1000}", NULL, "{}",
      "{\"every\":1000}", NULL, NOW },
    { "every, at an offset", "{\"name\":\"n\",\"every\":1000,\"offset\":100}",
      NULL, "{}", "{\"every\":1000,\"offset\":100}", NULL,
      1790000001100 },
    { "a pattern", "{\"name\":\"n\",\"pattern\":\"0 * * * * *\","
      "\"tz\":\"UTC\",\"limit\":3}", NULL, "{}",
      "{\"pattern\":\"0 * * * * *\",\"tz\":\"UTC\",\"limit\":3}", NULL,
      1790000040000 },
    { "at once", "{\"name\":\"n\",\"pattern\":\"0 0 1 1 *\","
      "\"immediately\":true}", NULL, "{}",
      "{\"pattern\":\"0 0 1 1 *\",\"immediately\":true}", NULL, NOW },
    { "options over those that are stored",
      "{\"name\":\"n\",\"every\":1000,\"attempts\":2}",
      "{\"attempts\":9,\"tm\":\"x\"}", "{\"attempts\":2,\"tm\":\"x\"}",
      "{\"every\":1000}", NULL, NOW },
    { "neither", "{\"name\":\"n\"}", NULL, NULL, NULL, "pattern", 0 },
    { "both", "{\"name\":\"n\",\"every\":5,\"pattern\":\"* * * * *\"}", NULL,
      NULL, NULL, "pattern", 0 },
    { "no pattern", "{\"name\":\"n\",\"pattern\":\"61 * * * *\"}", NULL, NULL,
      NULL, "pattern", 0 },
    { "an unknown zone", "{\"name\":\"n\",\"pattern\":\"* * * * *\","
      "\"tz\":\"No/Where\"}", NULL, NULL, NULL, "tz", 0 },
    { "a zone without a pattern", "{\"name\":\"n\",\"every\":5,"
      "\"tz\":\"UTC\"}", NULL, NULL, NULL, "tz", 0 },
    { "an end that is over", "{\"name\":\"n\",\"every\":5,\"endDate\":5}",
      NULL, NULL, NULL, "endDate", 0 },
    { "an end before the first", "{\"name\":\"n\",\"pattern\":\"0 0 1 1 *\","
      "\"endDate\":1790000000124}", NULL, NULL, NULL, "endDate", 0 },
    { "a start, and at once", "{\"name\":\"n\",\"every\":5,"
      "\"startDate\":1800000000000,\"immediately\":true}", NULL, NULL, NULL,
      "immediately", 0 },
    { "a start that no score holds", "{\"name\":\"n\",\"every\":5,"
      "\"startDate\":8640000000000000}", NULL, NULL, NULL, "startDate", 0 },
    { "a delay", "{\"name\":\"n\",\"every\":5,\"delay\":1}", NULL, NULL, NULL,
      "delay", 0 }
};


static void
new_schedulers(void **state)
{
    bool         fine;
    size_t       i;
    json_t      *object, *opts;
    zones_t     *zones;
    job_new_t    job;
    job_wrong_t  wrong;

    zones = zones_open(ZONES_DIR);

    for (i = 0; i < sizeof(schedulers) / sizeof(schedulers[0]); i++) {
        print_message("# %s\n", schedulers[i].name);
        object = json_loads(schedulers[i].object, 0, NULL);
        opts = schedulers[i].opts ? json_loads(schedulers[i].opts, 0, NULL)
                                  : NULL;
        fine = job_new_scheduler(&job, object, opts, zones, 6, NOW, &wrong);

        if (schedulers[i].field) {
            assert_false(fine);
            assert_string_equal(wrong.field, schedulers[i].field);

        } else {
            assert_true(fine);
            assert_string_equal(job.opts, schedulers[i].stored);
            assert_string_equal(job.plan, schedulers[i].plan);
            assert_int_equal(job.at, schedulers[i].at);
            job_new_free(&job);
        }

        json_decref(object);
        json_decref(opts);
    }

    zones_close(zones);
}


static void
new_ids(void **state)
{
    size_t  i;
    char    id[130];

    static const struct {
        const char  *id;
        bool         ok;
    } rows[] = {
        { "a", true }, { "daily report \xc3\xbc", true }, { "", false },
        { "a:b", false }, { "a\nb", false }, { "a\x7f", false }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(job_new_scheduler_id_ok(rows[i].id), rows[i].ok);
    }

    memset(id, 'x', sizeof(id));
    id[128] = '\0';
    assert_true(job_new_scheduler_id_ok(id));
    id[128] = 'x';
    id[129] = '\0';
    assert_false(job_new_scheduler_id_ok(id));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(new_jobs),
        cmocka_unit_test(new_data),
        cmocka_unit_test(new_schedulers),
        cmocka_unit_test(new_ids)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
