#include <stdlib.h>
#include <string.h>
#include "graph_api.h"


typedef struct rule_s  rule_t;

struct rule_s {
    rule_t      *next;
    char        *to;          /* NULL: any */
    int64_t      skip;        /* messages that still pass before */
    int64_t      count;       /* failures left, -1 for ever */
    char        *mode;
    failure_t    failure;
};

struct failures_s {
    rule_t      *first;
};

static const struct {
    const char  *name;
    fail_mode_e  mode;
    int          code;
    int          status;
} modes[] = {
    { "429",           FAIL_CODE,          130429, 429 },
    { "500",           FAIL_CODE,          1,      500 },
    { "503",           FAIL_CODE,          2,      503 },
    { "131056",        FAIL_CODE,          131056, 0 },
    { "slow",          FAIL_SLOW,          0,      0 },
    { "timeout",       FAIL_TIMEOUT,       0,      0 },
    { "timeout_after", FAIL_TIMEOUT_AFTER, 0,      0 },
    { "reset",         FAIL_RESET,         0,      0 },
    { "reset_after",   FAIL_RESET_AFTER,   0,      0 },
};


failures_t *
failures_create(void)
{
    return must(calloc(1, sizeof(failures_t)));
}


static const char *
mode_read(failure_t *failure, const char *text)
{
    char    *end;
    long     code;
    size_t   i;

    for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(modes[i].name, text) == 0) {
            failure->mode = modes[i].mode;
            failure->code = modes[i].code;
            failure->status = modes[i].status;
            return NULL;
        }
    }

    if (strncmp(text, "code:", 5) == 0) {
        code = strtol(text + 5, &end, 10);

        if (end != text + 5 && *end == '\0' && code >= 0 && code < 10000000) {
            failure->mode = FAIL_CODE;
            failure->code = (int) code;
            return NULL;
        }
    }

    return "mode: one of 429 500 503 131056 code:NNN slow timeout "
           "timeout_after reset reset_after";
}


const char *
failures_add(failures_t *failures, const json_t *json)
{
    rule_t        *rule, **last;
    json_t        *match, *to, *nth, *count, *status, *ms, *mode;
    failure_t      failure;
    const char    *wrong;

    mode = json_object_get(json, "mode");
    match = json_object_get(json, "match");
    count = json_object_get(json, "count");
    status = json_object_get(json, "http");
    ms = json_object_get(json, "ms");
    to = json_object_get(match, "to");
    nth = json_object_get(match, "nth");

    if (!json_is_string(mode)) {
        return "mode: a string is required";
    }

    if (match && !json_is_object(match)) {
        return "match: an object with to or nth";
    }

    if (to && !json_is_string(to)) {
        return "match.to: a string";
    }

    if (nth && (!json_is_integer(nth) || json_integer_value(nth) < 1)) {
        return "match.nth: a number from 1";
    }

    if (count && (!json_is_integer(count) || json_integer_value(count) < -1
                  || json_integer_value(count) == 0))
    {
        return "count: a number from 1, or -1 for ever";
    }

    if (status && (!json_is_integer(status)
                   || json_integer_value(status) < 200
                   || json_integer_value(status) > 599))
    {
        return "http: a status from 200 to 599";
    }

    if (ms && (!json_is_integer(ms) || json_integer_value(ms) < 0)) {
        return "ms: milliseconds";
    }

    memset(&failure, 0, sizeof(failure));
    wrong = mode_read(&failure, json_string_value(mode));

    if (wrong) {
        return wrong;
    }

    if (status) {
        failure.status = (int) json_integer_value(status);
    }

    failure.ms = ms ? json_integer_value(ms) : 1000;

    rule = must(calloc(1, sizeof(*rule)));
    rule->failure = failure;
    rule->mode = must(strdup(json_string_value(mode)));
    rule->to = to ? must(strdup(json_string_value(to))) : NULL;
    rule->skip = nth ? json_integer_value(nth) - 1 : 0;
    rule->count = count ? json_integer_value(count) : 1;

    for (last = &failures->first; *last; last = &(*last)->next) {
        /* void */
    }

    *last = rule;

    return NULL;
}


static void
rule_free(rule_t *rule)
{
    free(rule->to);
    free(rule->mode);
    free(rule);
}


/* "+351..." and "351..." are the same recipient */

static bool
same(const char *a, const char *b)
{
    return strcmp(a + (*a == '+'), b + (*b == '+')) == 0;
}


void
failures_match(failures_t *failures, failure_t *failure, const char *to)
{
    bool     found;
    rule_t  *rule, **at;

    memset(failure, 0, sizeof(*failure));
    found = false;
    at = &failures->first;

    /* every rule counts every message that it is about, failed or not */

    while (*at) {
        rule = *at;

        if (rule->to && !same(rule->to, to)) {
            at = &rule->next;
            continue;
        }

        if (rule->skip > 0) {
            rule->skip--;
            at = &rule->next;
            continue;
        }

        if (found) {
            at = &rule->next;
            continue;
        }

        found = true;
        *failure = rule->failure;

        if (rule->count > 0 && --rule->count == 0) {
            *at = rule->next;
            rule_free(rule);
            continue;
        }

        at = &rule->next;
    }
}


json_t *
failures_list(const failures_t *failures)
{
    json_t  *list, *item;
    rule_t  *rule;

    list = must(json_array());

    for (rule = failures->first; rule; rule = rule->next) {
        item = must(json_pack("{ss, sI, sI}", "mode", rule->mode, "count",
                              (json_int_t) rule->count, "passing_before",
                              (json_int_t) rule->skip));

        if (rule->to) {
            json_object_set_new(item, "to", json_string(rule->to));
        }

        json_array_append_new(list, item);
    }

    return list;
}


void
failures_reset(failures_t *failures)
{
    rule_t  *rule;

    while ((rule = failures->first)) {
        failures->first = rule->next;
        rule_free(rule);
    }
}
