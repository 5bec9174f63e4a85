/* Why a job is not running. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "worker/explain.h"


#define NOW  INT64_C(1790000000000)

/* what a row leaves out, and may have in another way */
#pragma GCC diagnostic ignored "-Woverride-init"
#define PLAIN  .there = true, .now = NOW, .error = "", .doom = "",            \
               .worker = "", .lock = -1, .token = "", .child = "",            \
               .scheduler = "", .group = "", .first = "", .owner = "",        \
               .workers = 1


static const struct {
    const char       *name;
    explain_facts_t   facts;
    const char       *codes;     /* with spaces */
    const char       *text;      /* of the first */
} rows[] = {
    { "the next one", { PLAIN, .state = STATE_WAITING }, "next",
      "it is the next of its line" },
    { "behind", { PLAIN, .state = STATE_WAITING, .ahead = 7 }, "behind",
      "7 jobs are before it" },
    { "behind, by priority",
      { PLAIN, .state = STATE_PRIORITIZED, .ahead = 7, .priority = 3 },
      "behind", "7 jobs are before it, by their priority or their time" },
    { "all that can hold a queue",
      { PLAIN, .state = STATE_WAITING, .ahead = 1, .paused = true,
        .limited = 90000, .limit = 5, .used = 5, .concurrency = 2,
        .active = 3, .workers = 0 },
      "paused limited concurrency no-worker behind", NULL },
    { "a rate", { PLAIN, .state = STATE_WAITING, .ahead = -1,
                  .limited = 90000, .limit = 5, .used = 5 }, "limited",
      "the queue has started 5 of the 5 jobs that its rate allows, for 1m 30s"
      " more" },
    { "a rate by hand", { PLAIN, .state = STATE_WAITING, .ahead = -1,
                          .limited = 500 }, "limited",
      "the queue is held by a rate limit for 500ms more" },
    { "fewer than the concurrency",
      { PLAIN, .state = STATE_WAITING, .concurrency = 2, .active = 1 },
      "next", NULL },
    { "nobody knows of workers",
      { PLAIN, .state = STATE_WAITING, .workers = -1 }, "next", NULL },
    { "doomed", { PLAIN, .state = STATE_WAITING, .doom = "stalled" },
      "next doomed", NULL },
    { "delayed", { PLAIN, .state = STATE_DELAYED, .due = NOW + 7500000 },
      "delayed", "it is delayed until 2h 5m from now" },
    { "delayed for long",
      { PLAIN, .state = STATE_DELAYED, .due = NOW + INT64_C(259200000) },
      "delayed", "it is delayed until 3d from now" },
    { "tried again",
      { PLAIN, .state = STATE_DELAYED, .due = NOW + 5000, .attempts = 2,
        .error = "no route" }, "retry error",
      "its next attempt is 5s from now" },
    { "due, and paused",
      { PLAIN, .state = STATE_DELAYED, .due = NOW, .paused = true },
      "due paused", NULL },
    { "another of its group",
      { PLAIN, .state = STATE_DELAYED, .due = NOW + 5000, .group = "g",
        .first = "e-1" }, "group",
      "job e-1 of its group \"g\" comes first" },
    { "running",
      { PLAIN, .state = STATE_ACTIVE, .lock = 12000, .token = "t:1",
        .worker = "w", .paused = true }, "running",
      "worker w has it, under the lease t:1, for 12s more" },
    { "stalled", { PLAIN, .state = STATE_ACTIVE, .stalls = 2 },
      "stalled stalls", NULL },
    { "stalled, and nobody there",
      { PLAIN, .state = STATE_ACTIVE, .workers = 0 }, "stalled",
      "no worker holds its lease: the next check for stalled jobs puts it back"
      ", and no worker is there to make it" },
    { "children",
      { PLAIN, .state = STATE_CHILDREN, .children = 3, .child = "bull:q:7" },
      "children", "it waits for 3 children, such as bull:q:7" },
    { "children that nobody added", { PLAIN, .state = STATE_CHILDREN },
      "children", "it waits for children, of which 0 are left: they were not"
      " added, or a worker releases it now" },
    { "done", { PLAIN, .state = STATE_COMPLETED, .finished = NOW - 5000 },
      "completed", "it is done, 5s ago" },
    { "done at no time", { PLAIN, .state = STATE_COMPLETED,
                           .finished = INT64_MIN },
      "completed", "it is done, some time ago" },
    { "failed", { PLAIN, .state = STATE_FAILED, .finished = NOW - 5000,
                  .attempts = 3, .error = "no route" }, "failed",
      "it failed for good 5s ago, after 3 attempts: no route" },
    { "of a scheduler",
      { PLAIN, .state = STATE_WAITING, .scheduler = "s" }, "next scheduler",
      NULL },
    { "nowhere", { PLAIN, .there = false, .state = STATE_UNKNOWN }, "unknown",
      NULL },
    { "in no list", { PLAIN, .state = STATE_UNKNOWN }, "lost", NULL },
    { "only in a list", { PLAIN, .there = false, .state = STATE_WAITING },
      "gone", NULL },
    { "a deduplication id",
      { PLAIN, .there = false, .state = STATE_UNKNOWN, .owner = "7" },
      "deduplicated", NULL }
};


static void
explain_rows(void **state)
{
    char        codes[256];
    size_t      i, k;
    explain_t   answer;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("# %s\n", rows[i].name);
        explain(&answer, &rows[i].facts);
        codes[0] = '\0';

        for (k = 0; k < answer.n; k++) {
            strcat(codes, k ? " " : "");
            strcat(codes, answer.why[k].code);
        }

        assert_string_equal(codes, rows[i].codes);

        if (rows[i].text) {
            assert_string_equal(answer.why[0].text, rows[i].text);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = { cmocka_unit_test(explain_rows) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
