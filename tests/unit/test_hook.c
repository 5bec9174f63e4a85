/* What a hook tells, and when. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "worker/hook.h"


#define WALL  INT64_C(1790000000123)


static void
hook_wanted(void **state)
{
    size_t           i;
    hook_told_t      told;
    hook_settings_t  settings;

    static const struct {
        const char  *wanted, *queue;
        bool         yes;
    } rows[] = {
        { NULL, "bull:m", true },
        { "m", "bull:m", true },
        { "m", "{acme}:m", true },
        { "acme/m", "{acme}:m", true },
        { "{acme}:m", "{acme}:m", true },
        { "bull:m", "bull:m", true },
        { "m", "bull:mm", false },
        { "mm", "bull:m", false },
        { "acme/m", "{acme}:n", false },
        { "acme/m", "{acm}:m", false },
        { "acm/m", "{acme}:m", false },
        { "acme/m", "acme:m", false },
        { "/m", "{}:m", false }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(&settings, 0, sizeof(settings));
        memset(&told, 0, sizeof(told));
        settings.on[HOOK_STALLED] = true;
        settings.queues = (char **) &rows[i].wanted;
        settings.nqueues = rows[i].wanted != NULL;
        told.queue = rows[i].queue;

        assert_false(hook_wants(&settings, &told));
        told.event = HOOK_STALLED;
        print_message("# %s %s\n", rows[i].wanted, rows[i].queue);
        assert_int_equal(hook_wants(&settings, &told), rows[i].yes);
    }

    assert_int_equal(hook_event("limited"), HOOK_LIMITED);
    assert_int_equal(hook_event("lost"), HOOK_MAX);
}


/* steps of one hook at 1r/10s: tell an event, or take what is due */

static void
hook_turns(void **data)
{
    char          *text;
    size_t         i;
    const char    *type;
    hook_told_t    told;
    hook_state_t   state;

    static const struct {
        int64_t      now;
        int          tell;      /* an event, or -1: take */
        const char  *job;
        int64_t      due;       /* before */
        const char  *part;      /* of what is taken */
    } steps[] = {
        { 0, HOOK_FAILED, "1", -1, NULL },
        { 0, -1, NULL, 0, "\"id\":\"1\"}" },
        { 0, -1, NULL, -1, NULL },
        { 100, HOOK_FAILED, "2", -1, NULL },
        { 200, HOOK_FAILED, "3", 9800, NULL },
        { 300, HOOK_STALLED, "4", 9700, NULL },
        { 400, HOOK_FAILED, "5", 9600, NULL },
        { 10000, -1, NULL, 0, "\"id\":\"5\"},\"dropped\":2}" },
        { 10001, -1, NULL, 9999, NULL },
        { 20000, -1, NULL, 0, "\"id\":\"4\"},\"dropped\":0}" },
        { 20000, -1, NULL, -1, NULL },
        { 90000, HOOK_FAILED, "6", -1, NULL },
        { 90000, -1, NULL, 0, "\"id\":\"6\"},\"dropped\":0}" },
        { 90001, HOOK_FAILED, "7", -1, NULL },
        { 90001, -1, NULL, 9999, NULL }
    };

    memset(&state, 0, sizeof(state));
    state.limit.interval = 10 * 1000000;

    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        print_message("# step %zu\n", i);
        assert_int_equal(hook_due(&state, steps[i].now), steps[i].due);

        if (steps[i].tell >= 0) {
            memset(&told, 0, sizeof(told));
            told.event = steps[i].tell;
            told.queue = "bull:m";
            told.job = steps[i].job;
            hook_tell(&state, &told, WALL);

        } else if (steps[i].due == 0) {
            text = hook_take(&state, "h", "host", steps[i].now, &type);
            assert_non_null(text);
            assert_non_null(strstr(text, steps[i].part));
            free(text);
        }
    }
}


static const struct {
    const char  *name;
    hook_told_t  told;
    const char  *text;
} messages[] = {
    { "a job of a tenant",
      { HOOK_FAILED, "{acme}:m", "e-1", "n", "no \"route\"", 3, 0 },
      "{\"type\":\"job.failed\",\"timestamp\":\"2026-09-21T14:13:20.123Z\","
      "\"data\":{\"hook\":\"h\",\"host\":\"x\",\"queue\":\"m\","
      "\"prefix\":\"{acme}\",\"tenant\":\"acme\",\"job\":{\"id\":\"e-1\","
      "\"name\":\"n\"},\"reason\":\"no \\\"route\\\"\",\"attempts\":3,"
      "\"dropped\":0}}" },
    { "a queue",
      { HOOK_LIMITED, "bull:m", NULL, NULL, NULL, 0, 500 },
      "{\"type\":\"queue.limited\",\"timestamp\":\"2026-09-21T14:13:20.123Z\","
      "\"data\":{\"hook\":\"h\",\"host\":\"x\",\"queue\":\"m\","
      "\"prefix\":\"bull\",\"tenant\":null,\"wait\":500,\"dropped\":0}}" },
    { "what is no UTF-8",
      { HOOK_STALLED, "bull:m", "\xff", NULL, NULL, 0, 0 },
      "{\"type\":\"job.stalled\",\"timestamp\":\"2026-09-21T14:13:20.123Z\","
      "\"data\":{\"hook\":\"h\",\"host\":\"x\",\"queue\":\"m\","
      "\"prefix\":\"bull\",\"tenant\":null,\"job\":{\"id\":\"\xef\xbf\xbd\"},"
      "\"dropped\":0}}" }
};


static void
hook_messages(void **data)
{
    char          *text;
    size_t         i;
    const char    *type;
    hook_state_t   state;

    for (i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        print_message("# %s\n", messages[i].name);
        memset(&state, 0, sizeof(state));
        state.limit.interval = 1;
        hook_tell(&state, &messages[i].told, WALL);
        text = hook_take(&state, "h", "x", 0, &type);
        assert_string_equal(text, messages[i].text);
        free(text);
    }
}


/* whatever is told, it is bounded, and no character is cut in two */

static void
hook_long(void **data)
{
    char          *text, reason[4000];
    size_t         i;
    const char    *type, *end;
    hook_told_t    told = { HOOK_FAILED, "bull:m", reason, reason, reason, 1,
                            0 };
    hook_state_t   state;

    for (i = 0; i + 2 < sizeof(reason); i += 2) {
        memcpy(reason + i, "\xc3\xbc", 2);
    }

    reason[i] = '\0';
    memset(&state, 0, sizeof(state));
    state.limit.interval = 1;
    hook_tell(&state, &told, WALL);
    text = hook_take(&state, "h", "x", 0, &type);
    assert_true(strlen(text) < 2000);
    assert_null(strstr(text, "\xef\xbf\xbd"));

    end = strstr(text, "\"reason\":\"") + strlen("\"reason\":\"");
    assert_int_equal(strcspn(end, "\""), 510);
    free(text);

    memset(reason, 1, sizeof(reason) - 1);
    hook_tell(&state, &told, WALL);
    text = hook_take(&state, "h", "x", 1, &type);
    assert_true(strlen(text) < 65536);
    free(text);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(hook_wanted),
        cmocka_unit_test(hook_turns),
        cmocka_unit_test(hook_messages),
        cmocka_unit_test(hook_long)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
