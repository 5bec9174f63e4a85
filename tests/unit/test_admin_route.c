/* Every method and path of the REST API, and what is none. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "worker/admin/route.h"


static const struct {
    const char      *method, *path;
    route_result_e   result;
    route_e          what;
    const char      *tenant, *queue, *id;
} cases[] = {
    { "GET", "/queues", ROUTE_FOUND, ROUTE_QUEUES, "", "", "" },
    { "GET", "/tenant/acme/queues", ROUTE_FOUND, ROUTE_QUEUES, "acme", "", "" },
    { "GET", "/queue/m", ROUTE_FOUND, ROUTE_QUEUE, "", "m", "" },
    { "DELETE", "/queue/m", ROUTE_FOUND, ROUTE_OBLITERATE, "", "m", "" },
    { "POST", "/queue/m/job/delayed", ROUTE_FOUND, ROUTE_ADD, "", "m", "" },
    { "POST", "/queue/m/job/repeatable", ROUTE_FOUND, ROUTE_REPEAT_ADD, "",
      "m", "" },
    { "PATCH", "/queue/m/job/repeatable", ROUTE_FOUND, ROUTE_REPEAT_CHANGE, "",
      "m", "" },
    { "GET", "/queue/m/schedulers", ROUTE_FOUND, ROUTE_SCHEDULERS, "", "m",
      "" },
    { "DELETE", "/queue/m/job/repeatable", ROUTE_FOUND, ROUTE_REPEAT_REMOVE,
      "", "m", "" },
    { "GET", "/queue/m/jobs", ROUTE_FOUND, ROUTE_JOBS, "", "m", "" },
    { "DELETE", "/queue/m/jobs", ROUTE_FOUND, ROUTE_PURGE, "", "m", "" },
    { "GET", "/queue/m/jobs/17", ROUTE_FOUND, ROUTE_JOB, "", "m", "17" },
    { "GET", "/queue/m/jobs/a%2Fb%3ac", ROUTE_FOUND, ROUTE_JOB, "", "m",
      "a/b:c" },
    { "GET", "/tenant/a.b/queue/m/jobs/1", ROUTE_FOUND, ROUTE_JOB, "a.b", "m",
      "1" },
    { "PUT", "/queue/m/pause", ROUTE_FOUND, ROUTE_PAUSE, "", "m", "" },
    { "PUT", "/queue/m/resume", ROUTE_FOUND, ROUTE_RESUME, "", "m", "" },
    { "PUT", "/queue/m/empty", ROUTE_FOUND, ROUTE_EMPTY, "", "m", "" },
    { "PUT", "/queue/m/retry/job/delayed/1", ROUTE_FOUND, ROUTE_RETRY, "", "m",
      "1" },
    { "PUT", "/tenant/t/queue/m/promote/job/delayed/1", ROUTE_FOUND,
      ROUTE_PROMOTE, "t", "m", "1" },
    { "PATCH", "/queue/m/job/delayed/1", ROUTE_FOUND, ROUTE_CHANGE, "", "m",
      "1" },
    { "DELETE", "/queue/m/job/delayed/1", ROUTE_FOUND, ROUTE_REMOVE, "", "m",
      "1" },
    { "GET", "/queue/m/failed/errors", ROUTE_FOUND, ROUTE_ERRORS, "", "m",
      "" },
    { "PUT", "/queue/m/failed/requeue", ROUTE_FOUND, ROUTE_REQUEUE, "", "m",
      "" },
    { "GET", "/queue/m/events", ROUTE_FOUND, ROUTE_EVENTS, "", "m", "" },

    { "GET", "", ROUTE_NO_PATH, 0, "", "", "" },
    { "GET", "/", ROUTE_NO_PATH, 0, "", "", "" },
    { "GET", "/queues/", ROUTE_NO_PATH, 0, "", "", "" },
    { "GET", "queues", ROUTE_NO_PATH, 0, "", "", "" },
    { "GET", "/queue", ROUTE_NO_PATH, 0, "", "", "" },
    { "GET", "/queue/", ROUTE_NO_PATH, 0, "", "", "" },
    { "GET", "/queue//jobs", ROUTE_NO_PATH, 0, "", "", "" },
    { "GET", "/queue/m/jobs/", ROUTE_NO_PATH, 0, "", "", "" },
    { "POST", "/queue/m/job/other", ROUTE_NO_PATH, 0, "", "", "" },
    { "GET", "/tenant//queues", ROUTE_NO_PATH, 0, "", "", "" },
    { "GET", "/a/b/c/d/e/f/g/h/i/j/k/l", ROUTE_NO_PATH, 0, "", "", "" },
    { "GET", "/queue/m/jobs/%", ROUTE_BAD, 0, "", "", "" },
    { "GET", "/queue/m/jobs/%4", ROUTE_BAD, 0, "", "", "" },
    { "GET", "/queue/m/jobs/%0g", ROUTE_BAD, 0, "", "", "" },
    { "GET", "/queue/m/jobs/a%00b", ROUTE_BAD, 0, "", "", "" },
    { "PUT", "/queues", ROUTE_NO_METHOD, 0, "", "", "" },
    { "POST", "/queue/m/jobs/1", ROUTE_NO_METHOD, 0, "", "", "" }
};


static void
test_cases(void **state)
{
    size_t   i;
    route_t  route;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(route_find(&route, cases[i].method, cases[i].path),
                         cases[i].result);

        if (cases[i].result != ROUTE_FOUND) {
            continue;
        }

        assert_int_equal(route.what, cases[i].what);
        assert_string_equal(route.tenant, cases[i].tenant);
        assert_string_equal(route.queue, cases[i].queue);
        assert_string_equal(route.id, cases[i].id);
    }
}


static void
test_rest(void **state)
{
    char     path[600];
    route_t  route;

    assert_int_equal(route_find(&route, "PUT", "/queue/m/job/repeatable"),
                     ROUTE_NO_METHOD);
    assert_string_equal(route.allow, "POST, PATCH, DELETE");

    assert_int_equal(route_find(&route, "GET", "/queue/m/jobs"), ROUTE_FOUND);
    assert_true(route_query_ok(&route, "state"));
    assert_true(route_query_ok(&route, "statistics"));
    assert_false(route_query_ok(&route, "stat"));
    assert_false(route_query_ok(&route, ""));

    /* 255 bytes, and one more */

    strcpy(path, "/queue/m/jobs/");
    memset(path + 14, 'x', 256);
    path[14 + 255] = '\0';
    assert_int_equal(route_find(&route, "GET", path), ROUTE_FOUND);
    assert_int_equal(strlen(route.id), 255);

    path[14 + 255] = 'x';
    path[14 + 256] = '\0';
    assert_int_equal(route_find(&route, "GET", path), ROUTE_BAD);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_rest),
    };

    return cmocka_run_group_tests_name("admin_route", tests, NULL, NULL);
}
