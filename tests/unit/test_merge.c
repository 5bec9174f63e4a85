#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "worker/store/merge.h"


/* what the worker writes itself, and what a webhook tells */
#define OWN(s_, p_, at_, e_, c_)                                              \
    { .id = "m-1", .provider_id = p_, .channel = "whatsapp",                  \
      .recipient = "+351", .status = s_, .error = e_, .code = c_,             \
      .attempts = 1, .at = at_ }
#define HOOK(i_, s_, p_, at_)                                                 \
    { .id = i_, .provider_id = p_, .recipient = "351", .status = s_,          \
      .at = at_ }


static const struct {
    const char  *name;
    merge_row_t  row;
    record_t     record;
    merge_e      expected;
} decisions[] = {
    { "a later failure does not undo what was accepted",
      { "A", "sent", NULL, 0, 5, 5 }, OWN("failed", NULL, 9, NULL, 0),
      MERGE_KEEP },
    { "an older attempt", { NULL, "retry", NULL, 0, 5, 0 },
      OWN("failed", NULL, 4, NULL, 0), MERGE_KEEP },
    { "a newer attempt", { NULL, "failed", NULL, 0, 5, 0 },
      OWN("retry", NULL, 6, NULL, 0), MERGE_TAKE },
    { "accepted at last", { NULL, "failed", NULL, 0, 5, 0 },
      OWN("sent", "A", 4, NULL, 0), MERGE_TAKE },
    { "forward", { "A", "sent", NULL, 0, 5, 5 },
      HOOK(NULL, "read", "A", 4), MERGE_TAKE },
    { "backward", { "A", "read", NULL, 0, 5, 5 },
      HOOK(NULL, "delivered", "A", 9), MERGE_KEEP },
    { "failed is the last", { "A", "failed", NULL, 0, 5, 5 },
      HOOK(NULL, "read", "A", 9), MERGE_KEEP },
    { "a new sending", { "A", "read", NULL, 0, 9, 5 },
      OWN("sent", "B", 6, NULL, 0), MERGE_RESEND },
    { "an earlier sending", { "B", "read", NULL, 0, 9, 5 },
      OWN("sent", "A", 4, NULL, 0), MERGE_OTHER },
    { "another sending's status", { "B", "sent", NULL, 0, 5, 5 },
      HOOK("m-1", "read", "A", 9), MERGE_OTHER },
    { "the same again", { "A", "sent", NULL, 0, 5, 5 },
      OWN("sent", "A", 5, NULL, 0), MERGE_KEEP }
};


static void
test_decide(void **state)
{
    size_t   i;
    merge_e  merge;

    for (i = 0; i < sizeof(decisions) / sizeof(decisions[0]); i++) {
        merge = merge_decide(&decisions[i].row, &decisions[i].record);

        if (merge != decisions[i].expected) {
            fail_msg("%s: %d", decisions[i].name, merge);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_decide)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
