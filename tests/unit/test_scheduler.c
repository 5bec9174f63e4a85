/*
 * worker/scheduler: the next time of a job's scheduler, from its opts.
 */

#include <string.h>
#include "rows.h"
#include "worker/scheduler.h"


typedef struct {
    const char  *name;
    const char  *id, *scheduler, *opts;
    int64_t      now;
    int64_t      next;
    const char  *error;
} next_row_t;

#define T  INT64_C(1800000000000)            /* 2027-01-15 08:00:00 UTC */

static const next_row_t  next_rows[] = {
    { "every", "repeat:s:1800000000000", "s",
      "{\"repeat\":{\"every\":1000,\"count\":1}}", T, T + 1000, NULL },
    { "late by some", "repeat:s:1800000000000", "s",
      "{\"repeat\":{\"every\":1000,\"count\":1}}", T + 5500, T + 6000, NULL },
    { "colons", "repeat:a:b:1800000000000", "a:b",
      "{\"repeat\":{\"every\":1000}}", T, T + 1000, NULL },
    { "a pattern", "repeat:s:1800000000000", "s",
      "{\"repeat\":{\"pattern\":\"0 9 * * *\",\"tz\":\"UTC\"}}", T,
      T + 3600000, NULL },
    { "a zone", "repeat:s:1800000000000", "s",
      "{\"repeat\":{\"pattern\":\"0 10 * * *\",\"tz\":\"Europe/Berlin\"}}", T,
      T + 3600000, NULL },
    { "nulls", "repeat:s:1800000000000", "s", "{\"repeat\":{\"every\":1000,"
      "\"pattern\":null,\"limit\":null}}", T, T + 1000, NULL },
    { "not the last", "repeat:s:1800000000000", "s",
      "{\"repeat\":{\"every\":1000,\"count\":1,\"limit\":2}}", T, T + 1000,
      NULL },
    { "the last", "repeat:s:1800000000000", "s",
      "{\"repeat\":{\"every\":1000,\"count\":2,\"limit\":2}}", T,
      SLUICE_SCHEDULE_NONE, NULL },
    { "the end", "repeat:s:1800000000000", "s",
      "{\"repeat\":{\"every\":1000,\"endDate\":1700000000000}}", T,
      SLUICE_SCHEDULE_NONE, NULL },
    { "no pattern", "repeat:s:1800000000000", "s",
      "{\"repeat\":{\"pattern\":\"99 * * * *\"}}", T, SCHEDULER_WRONG,
      "pattern, minute, byte 0: " },
    { "a pattern that is no text", "repeat:s:1800000000000", "s",
      "{\"repeat\":{\"pattern\":5}}", T, SCHEDULER_WRONG,
      "pattern is not a text" },
    { "no zone", "repeat:s:1800000000000", "s",
      "{\"repeat\":{\"pattern\":\"* * * * *\",\"tz\":\"No/Where\"}}", T,
      SCHEDULER_WRONG, "tz: " },
    { "no number", "repeat:s:1800000000000", "s",
      "{\"repeat\":{\"every\":\"1000\"}}", T, SCHEDULER_WRONG,
      "every is not a number" },
    { "a negative limit", "repeat:s:1800000000000", "s",
      "{\"repeat\":{\"every\":1000,\"limit\":-1}}", T, SCHEDULER_WRONG,
      "limit is not a number" },
    { "far too much", "repeat:s:1800000000000", "s",
      "{\"repeat\":{\"every\":1e300}}", T, SCHEDULER_WRONG,
      "every is not a number" },
    { "both", "repeat:s:1800000000000", "s",
      "{\"repeat\":{\"every\":1,\"pattern\":\"* * * * *\",\"tz\":\"UTC\"}}",
      T, SCHEDULER_WRONG, "pattern and every exclude each other" },
    { "none", "repeat:s:1800000000000", "s", "{\"repeat\":{}}", T,
      SCHEDULER_WRONG, "pattern or every is required" },
    { "no repeat", "repeat:s:1800000000000", "s", "{}", T, SCHEDULER_WRONG,
      "the job's opts have no repeat" },
    { "no JSON", "repeat:s:1800000000000", "s", "{", T, SCHEDULER_WRONG,
      "the job's opts have no repeat" },
    { "another's id", "repeat:t:1800000000000", "s",
      "{\"repeat\":{\"every\":1000}}", T, SCHEDULER_WRONG,
      "the job's id is not" },
    { "no time", "repeat:s:", "s", "{\"repeat\":{\"every\":1000}}", T,
      SCHEDULER_WRONG, "the job's id is not" },
    { "more behind it", "repeat:s:18x", "s", "{\"repeat\":{\"every\":1000}}",
      T, SCHEDULER_WRONG, "the job's id is not" },
    { "an id of its own", "x", "s", "{\"repeat\":{\"every\":1000}}", T,
      SCHEDULER_WRONG, "the job's id is not" },
};


static void
test_next(void **state)
{
    char               id[64], scheduler[16], opts[256], error[256];
    job_t              job;
    zones_t           *zones;
    const next_row_t  *row = row_of(next_row_t, state);

    memset(&job, 0, sizeof(job));
    snprintf(id, sizeof(id), "%s", row->id);
    snprintf(scheduler, sizeof(scheduler), "%s", row->scheduler);
    snprintf(opts, sizeof(opts), "%s", row->opts);
    job.id = id;
    job.scheduler = scheduler;
    job.opts = opts;
    error[0] = '\0';

    zones = zones_open(ZONES_DIR);
    assert_non_null(zones);

    assert_int_equal(scheduler_next(zones, 6, &job, row->now, error,
                                    sizeof(error)), row->next);

    if (row->error) {
        assert_memory_equal(error, row->error, strlen(row->error));
    } else {
        assert_string_equal(error, "");
    }

    zones_close(zones);
}


int
main(void)
{
    rows_add(next_rows, test_next);

    return rows_run("scheduler");
}
