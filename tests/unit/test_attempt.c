/*
 * What becomes of a job after an attempt.
 */

#include "rows.h"
#include "worker/attempt.h"


typedef struct {
    const char      *name;
    const char      *opts;
    int              made;
    verdict_e        verdict;
    int64_t          after;
    attempt_kind_e   kind;
    int64_t          delay;
    bool             exhausted;
} decide_row_t;

static const decide_row_t  decide_rows[] = {
    { "sent", "{}", 0, VERDICT_SENT, 0, ATTEMPT_DONE, 0, false },
    { "dead", "{\"attempts\":9}", 0, VERDICT_DEAD, 0, ATTEMPT_DEAD, 0, false },
    { "the first retry of the schedule", "{\"attempts\":0}", 0, VERDICT_RETRY,
      0, ATTEMPT_RETRY, 5000, false },
    { "the second", "{}", 1, VERDICT_RETRY, 0, ATTEMPT_RETRY, 15000, false },
    { "the third", "{}", 2, VERDICT_RETRY, 0, ATTEMPT_RETRY, 45000, false },
    { "no fourth", "{}", 3, VERDICT_RETRY, 0, ATTEMPT_DEAD, 0, true },
    { "not before the provider says", "{}", 0, VERDICT_RETRY, 9000,
      ATTEMPT_RETRY, 9000, false },
    { "nor before the schedule says", "{}", 0, VERDICT_RETRY, 10,
      ATTEMPT_RETRY, 5000, false },
    { "a later time does not add attempts", "{}", 3, VERDICT_RETRY, 9000,
      ATTEMPT_DEAD, 0, true },
    { "ambiguous is tried again", "{}", 0, VERDICT_AMBIGUOUS, 0, ATTEMPT_RETRY,
      5000, false },
    { "ambiguous, the last", "{}", 3, VERDICT_AMBIGUOUS, 0, ATTEMPT_DEAD, 0,
      true },
    { "a throttle uses no attempt", "{}", 3, VERDICT_WAIT, 700, ATTEMPT_DELAY,
      700, false },
    { "a throttle without a time", "{}", 0, VERDICT_WAIT, 0, ATTEMPT_DELAY,
      1000, false },
    { "a pause of the number", "{}", 9, VERDICT_PAUSE_NUMBER, 60000,
      ATTEMPT_DELAY, 60000, false },
    { "a pause of the tenant", "{}", 9, VERDICT_PAUSE_TENANT, 60000,
      ATTEMPT_DELAY, 60000, false },
    { "own attempts, none left", "{\"attempts\":1}", 0, VERDICT_RETRY, 0,
      ATTEMPT_DEAD, 0, true },
    { "own attempts without a backoff", "{\"attempts\":2}", 0, VERDICT_RETRY,
      0, ATTEMPT_RETRY, 0, false },
    { "own, beyond the schedule's", "{\"attempts\":9}", 7, VERDICT_RETRY, 0,
      ATTEMPT_RETRY, 0, false },
    { "a backoff that is a number", "{\"attempts\":3,\"backoff\":250}", 1,
      VERDICT_RETRY, 0, ATTEMPT_RETRY, 250, false },
    { "fixed", "{\"attempts\":3,\"backoff\":{\"type\":\"fixed\",\"delay\":30}}",
      1, VERDICT_RETRY, 0, ATTEMPT_RETRY, 30, false },
    { "exponential", "{\"attempts\":9,\"backoff\":{\"type\":\"exponential\","
      "\"delay\":100}}", 3, VERDICT_RETRY, 0, ATTEMPT_RETRY, 800, false },
    { "jitter, half of it drawn", "{\"attempts\":3,\"backoff\":{\"type\":"
      "\"fixed\",\"delay\":100,\"jitter\":0.5}}", 0, VERDICT_RETRY, 0,
      ATTEMPT_RETRY, 75, false },
    { "a type of somebody's own", "{\"attempts\":3,\"backoff\":{\"type\":"
      "\"mine\",\"delay\":1}}", 1, VERDICT_RETRY, 0, ATTEMPT_RETRY, 15000,
      false },
    { "a negative backoff", "{\"attempts\":3,\"backoff\":-5}", 0,
      VERDICT_RETRY, 0, ATTEMPT_RETRY, 0, false },
    { "a backoff that is text", "{\"attempts\":3,\"backoff\":\"5\"}", 0,
      VERDICT_RETRY, 0, ATTEMPT_RETRY, 0, false },
    { "attempts with a fraction", "{\"attempts\":0.5}", 0, VERDICT_RETRY, 0,
      ATTEMPT_RETRY, 5000, false },
    { "attempts said twice: the last", "{\"attempts\":0,\"attempts\":1}", 0,
      VERDICT_RETRY, 0, ATTEMPT_DEAD, 0, true },
    { "attempts of another member", "{\"a\":{\"attempts\":1}}", 0,
      VERDICT_RETRY, 0, ATTEMPT_RETRY, 5000, false },
    { "options that are no object", "[]", 0, VERDICT_RETRY, 0, ATTEMPT_RETRY,
      5000, false },
    { "options that are no JSON", "{", 0, VERDICT_RETRY, 0, ATTEMPT_RETRY,
      5000, false },
    { "no options", "", 0, VERDICT_RETRY, 0, ATTEMPT_RETRY, 5000, false },
};


static void
test_decide(void **state)
{
    char                 opts[256];
    job_t                job;
    attempt_t            attempt;
    verdict_t            verdict;
    sluice_retry_t       queue, schedule;
    const decide_row_t  *row = row_of(decide_row_t, state);

    memset(&job, 0, sizeof(job));
    memset(&verdict, 0, sizeof(verdict));

    snprintf(opts, sizeof(opts), "%s", row->opts);
    job.opts = opts;
    job.made = row->made;
    verdict.kind = row->verdict;
    verdict.after = row->after;

    sluice_retry_messages(&queue);
    attempt_schedule(&schedule, &job, &queue);
    attempt_decide(&attempt, &verdict, &job, &schedule, 0.5);

    assert_int_equal(attempt.kind, row->kind);
    assert_int_equal(attempt.delay, row->delay);
    assert_int_equal(attempt.exhausted, row->exhausted);
}


typedef struct {
    const char  *name;
    const char  *opts;
    bool         completed;
    const char  *keep;
} keep_row_t;

static const keep_row_t  keep_rows[] = {
    { "nothing said", "{\"attempts\":0}", true, "" },
    { "of the other end", "{\"removeOnFail\":true}", true, "" },
    { "true", "{\"removeOnComplete\":true}", true, "0:0:1000" },
    { "false", "{\"removeOnFail\":false}", false, "-1:0:1000" },
    { "a number", "{\"removeOnComplete\":7}", true, "7:0:1000" },
    { "a count", "{\"removeOnFail\":{\"count\":3}}", false, "3:0:1000" },
    { "an age", "{\"removeOnComplete\":{\"age\":60}}", true, "-1:60:1000" },
    { "all of them", "{\"removeOnComplete\":{\"age\":60,\"count\":5,"
      "\"limit\":9}}", true, "5:60:9" },
    { "negative", "{\"removeOnComplete\":-4}", true, "-1:0:1000" },
    { "far too many", "{\"removeOnComplete\":{\"age\":1e300,\"count\":1e300,"
      "\"limit\":1e300}}", true, "1000000000:1000000000:1000" },
    { "a fraction", "{\"removeOnComplete\":2.9}", true, "2:0:1000" },
    { "text", "{\"removeOnComplete\":\"7\"}", true, "" },
    { "no JSON", "{\"removeOnComplete\":", true, "" },
};


static void
test_keep(void **state)
{
    char               opts[256], keep[64];
    job_t              job;
    const keep_row_t  *row = row_of(keep_row_t, state);

    memset(&job, 0, sizeof(job));
    snprintf(opts, sizeof(opts), "%s", row->opts);
    job.opts = opts;

    attempt_keep(keep, sizeof(keep), &job, row->completed);
    assert_string_equal(keep, row->keep);
}


typedef struct {
    const char  *name;
    const char  *reason;
    const char  *stack;
} stack_row_t;

static const stack_row_t  stack_rows[] = {
    { "a reason", "no such number", "[\"no such number\"]" },
    { "an empty one", "", "[\"\"]" },
    { "quotes and lines", "a \"b\"\n\\c", "[\"a \\\"b\\\"\\n\\\\c\"]" },
    { "no UTF-8", "a\xff", "[\"a\xef\xbf\xbd\"]" },
};


static void
test_stack(void **state)
{
    char               *stack;
    const stack_row_t  *row = row_of(stack_row_t, state);

    stack = attempt_stack(row->reason);
    assert_string_equal(stack, row->stack);
    free(stack);
}


int
main(void)
{
    rows_add(decide_rows, test_decide);
    rows_add(keep_rows, test_keep);
    rows_add(stack_rows, test_stack);

    return rows_run("attempt");
}
