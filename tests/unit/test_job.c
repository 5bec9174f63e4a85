#include "core/job.h"
#include "tests/unit/rows.h"


typedef struct {
    const char         *name;
    sluice_job_opts_t   opts;
    const char         *text;
} opts_row_t;

static const opts_row_t  opts_rows[] = {
    { "attempts are always written", { 0 }, "{\"attempts\":0}" },
    { "a fixed backoff",
      { .attempts = 3, .backoff = SLUICE_JOB_BACKOFF_FIXED, .pause = 5000 },
      "{\"attempts\":3,\"backoff\":{\"type\":\"fixed\",\"delay\":5000}}" },
    { "an exponential one of no time",
      { .attempts = 2, .backoff = SLUICE_JOB_BACKOFF_EXPONENTIAL },
      "{\"attempts\":2,\"backoff\":{\"type\":\"exponential\",\"delay\":0}}" },
    { "delay and priority",
      { .delay = 60000, .priority = 10 },
      "{\"attempts\":0,\"priority\":10,\"delay\":60000}" },
    { "deduplication",
      { .dedupe = "evt_1", .dedupe_len = 5, .dedupe_ttl = 86400000 },
      "{\"attempts\":0,\"de\":{\"id\":\"evt_1\",\"ttl\":86400000}}" },
    { "a group",
      { .delay = 5, .group = "+49 30", .group_len = 6 },
      "{\"attempts\":0,\"delay\":5,\"groupKey\":\"+49 30\"}" },
    { "the longest there is",
      { INT64_MIN, SLUICE_JOB_BACKOFF_EXPONENTIAL, INT64_MIN, INT64_MIN,
        INT64_MIN, "0123456789012345678901234567890123456789"
        "012345678901234567890123", 64, INT64_MIN, "g", 1 },
      "{\"attempts\":-9223372036854775808,\"backoff\":{\"type\":\"exponential\""
      ",\"delay\":-9223372036854775808},\"priority\":-9223372036854775808,"
      "\"delay\":-9223372036854775808,\"de\":{\"id\":\"01234567890"
      "12345678901234"
      "567890123456789012345678901234567890123\",\"ttl\":-9223372036854775808}"
      ",\"groupKey\":\"g\"}" }
};


static void
run_opts(void **state)
{
    char               *dst;
    size_t              len;
    const opts_row_t   *row = row_of(opts_row_t, state);

    /* on the heap: a byte too many is seen */

    dst = malloc(SLUICE_JOB_OPTS_MAX + row->opts.group_len);
    assert_non_null(dst);

    len = sluice_job_opts(dst, &row->opts);

    assert_int_equal(len, strlen(row->text));
    assert_memory_equal(dst, row->text, len);

    free(dst);
}


typedef struct {
    const char  *name;
    const char  *text;
    size_t       len;
    const char  *group;
} group_row_t;

#define K16  "kkkkkkkkkkkkkkkk"
#define K128  K16 K16 K16 K16 K16 K16 K16 K16
#define U8  "\\u0001\\u0001\\u0001\\u0001\\u0001\\u0001\\u0001\\u0001"
#define U32  U8 U8 U8 U8
#define C8  "\1\1\1\1\1\1\1\1"
#define C32  C8 C8 C8 C8

static const group_row_t  group_rows[] = {
    { "as it is", "+49 30:{x}", 10, "+49 30:{x}" },
    { "escaped", "a\"\\\n", 4, "a\\\"\\\\\\n" },
    { "not UTF-8", "a\377", 2, "a\357\277\275" },
    { "all of them escaped", C32 C32 C32 C32, 128, U32 U32 U32 U32 },
    { "128 bytes", K128, 128, K128 },
    { "129 bytes", K128 "k", 129,
      "#b4cc423df271afe3df9415c3778f5e7f557e8a29" }
};


static void
run_group(void **state)
{
    char               *dst;
    size_t              len;
    const group_row_t  *row = row_of(group_row_t, state);

    dst = malloc(SLUICE_JOB_GROUP_MAX);
    assert_non_null(dst);

    len = sluice_job_group(dst, row->text, row->len);

    assert_int_equal(len, strlen(row->group));
    assert_memory_equal(dst, row->group, len);

    free(dst);
}


typedef struct {
    const char  *name;
    int64_t      priority;
} priority_row_t;

/* the row's name is the text */

static const priority_row_t  priority_rows[] = {
    { "high", 0 },
    { "medium", 10 },
    { "low", 100 },
    { "0", 0 },
    { "1", 1 },
    { "2097151", 2097151 },
    { "2097152", -1 },
    { "99999999", -1 },
    { "-1", -1 },
    { "1.5", -1 },
    { "", -1 },
    { "High", -1 },
    { "lower", -1 }
};


static void
run_priority(void **state)
{
    const priority_row_t  *row = row_of(priority_row_t, state);

    assert_int_equal(sluice_job_priority(row->name, strlen(row->name)),
                     row->priority);
}


int
main(void)
{
    rows_add(opts_rows, run_opts);
    rows_add(group_rows, run_group);
    rows_add(priority_rows, run_priority);

    return rows_run("job");
}
