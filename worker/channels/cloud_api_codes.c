/*
 * One row a code, or a range.  Source: Meta, "Cloud API error codes", as of
 * September 2026.
 *
 *   RETRY         an attempt is used, by the job's schedule
 *   WAIT          no attempt is used
 *   PAUSE_NUMBER  a fault or limit of the sender: its messages wait
 *   PAUSE_TENANT  a token, a permission, the account: the queue waits, and an
 *                 alert, for someone has to act
 *   DEAD          the same message will never pass
 */

#include <string.h>
#include "worker/channels/cloud_api_codes.h"


#define SECOND  1000
#define MINUTE  (60 * SECOND)
#define HOUR    (60 * MINUTE)


static const struct {
    int          first, last;
    const char  *details;      /* only when these hold it */
    verdict_e    kind;
    int64_t      after;        /* ms */
} codes[] = {
    /* the application and its token */
    { 0, 0, NULL, VERDICT_PAUSE_TENANT, MINUTE },
    { 1, 2, NULL, VERDICT_RETRY, 0 },
    { 3, 3, NULL, VERDICT_PAUSE_TENANT, MINUTE },
    { 4, 4, NULL, VERDICT_PAUSE_TENANT, MINUTE },
    { 10, 10, NULL, VERDICT_PAUSE_NUMBER, MINUTE },
    { 33, 33, NULL, VERDICT_PAUSE_NUMBER, HOUR },
    { 100, 100, NULL, VERDICT_DEAD, 0 },
    { 104, 104, NULL, VERDICT_PAUSE_TENANT, MINUTE },
    { 190, 190, NULL, VERDICT_PAUSE_TENANT, MINUTE },
    { 200, 299, NULL, VERDICT_PAUSE_TENANT, MINUTE },
    { 368, 368, NULL, VERDICT_PAUSE_TENANT, HOUR },
    { 613, 613, NULL, VERDICT_WAIT, MINUTE },
    { 2500, 2500, NULL, VERDICT_DEAD, 0 },
    { 80007, 80007, NULL, VERDICT_PAUSE_TENANT, 5 * MINUTE },

    /* throughput: the schedule's steps are longer than the second asked for */
    { 130403, 130403, NULL, VERDICT_DEAD, 0 },
    { 130429, 130429, NULL, VERDICT_RETRY, 0 },
    { 130472, 130472, NULL, VERDICT_DEAD, 0 },
    { 130497, 130497, NULL, VERDICT_DEAD, 0 },

    { 131000, 131000, NULL, VERDICT_RETRY, 0 },
    { 131005, 131005, NULL, VERDICT_PAUSE_TENANT, MINUTE },
    { 131008, 131009, NULL, VERDICT_DEAD, 0 },
    { 131016, 131016, NULL, VERDICT_RETRY, 0 },
    { 131021, 131021, NULL, VERDICT_DEAD, 0 },
    { 131026, 131026, NULL, VERDICT_DEAD, 0 },
    { 131030, 131030, NULL, VERDICT_DEAD, 0 },
    { 131031, 131031, NULL, VERDICT_PAUSE_TENANT, HOUR },
    { 131037, 131037, NULL, VERDICT_PAUSE_NUMBER, HOUR },
    { 131042, 131042, NULL, VERDICT_PAUSE_TENANT, HOUR },
    { 131045, 131045, NULL, VERDICT_PAUSE_NUMBER, HOUR },
    { 131047, 131047, NULL, VERDICT_DEAD, 0 },
    { 131048, 131048, NULL, VERDICT_PAUSE_NUMBER, 2 * HOUR },

    /* marketing to one user: not before a day, and not for ever */
    { 131049, 131049, NULL, VERDICT_RETRY, 24 * HOUR },
    { 131050, 131052, NULL, VERDICT_DEAD, 0 },

    /* the host of the media was slow, or the media are wrong */
    { 131053, 131053, "timeout", VERDICT_RETRY, 0 },
    { 131053, 131053, "timed out", VERDICT_RETRY, 0 },
    { 131053, 131053, NULL, VERDICT_DEAD, 0 },
    { 131055, 131055, NULL, VERDICT_DEAD, 0 },

    /* the pair: Meta asks for 4^n s, less than the steps of the schedule */
    { 131056, 131056, NULL, VERDICT_RETRY, 0 },
    { 131057, 131057, NULL, VERDICT_PAUSE_NUMBER, MINUTE },
    { 131062, 131063, NULL, VERDICT_DEAD, 0 },
    { 131064, 131064, NULL, VERDICT_PAUSE_TENANT, HOUR },

    /* templates: others of the queue may well pass, so nothing is paused */
    { 132000, 132001, NULL, VERDICT_DEAD, 0 },
    { 132005, 132005, NULL, VERDICT_DEAD, 0 },
    { 132007, 132008, NULL, VERDICT_DEAD, 0 },
    { 132012, 132012, NULL, VERDICT_DEAD, 0 },
    { 132015, 132016, NULL, VERDICT_DEAD, 0 },
    { 132018, 132018, NULL, VERDICT_DEAD, 0 },
    { 132068, 132068, NULL, VERDICT_DEAD, 0 },
    { 132069, 132069, NULL, VERDICT_WAIT, HOUR },

    /* registration of the number */
    { 133000, 133000, NULL, VERDICT_PAUSE_NUMBER, 5 * MINUTE },
    { 133004, 133004, NULL, VERDICT_RETRY, 0 },
    { 133005, 133006, NULL, VERDICT_PAUSE_NUMBER, HOUR },
    { 133008, 133010, NULL, VERDICT_PAUSE_NUMBER, HOUR },
    { 133015, 133015, NULL, VERDICT_PAUSE_NUMBER, 5 * MINUTE },
    { 133016, 133016, NULL, VERDICT_PAUSE_NUMBER, HOUR },

    /* payment messages only; marketing template: category, syncing, gone */
    { 134011, 134011, NULL, VERDICT_DEAD, 0 },
    { 134100, 134100, NULL, VERDICT_DEAD, 0 },
    { 134101, 134101, NULL, VERDICT_WAIT, 10 * MINUTE },
    { 134102, 134102, NULL, VERDICT_DEAD, 0 },

    /* "generic": the second try may pass */
    { 135000, 135000, NULL, VERDICT_RETRY, 0 },
    { 137000, 137000, NULL, VERDICT_DEAD, 0 },
    { 2388000, 2388999, NULL, VERDICT_DEAD, 0 },
    { 2494100, 2494100, NULL, VERDICT_PAUSE_NUMBER, 5 * MINUTE }
};


bool
cloud_api_code(verdict_t *verdict, int code, const char *details)
{
    size_t  i;

    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {

        if (code < codes[i].first || code > codes[i].last) {
            continue;
        }

        if (codes[i].details != NULL
            && (details == NULL
                || strcasestr(details, codes[i].details) == NULL))
        {
            continue;
        }

        verdict->kind = codes[i].kind;
        verdict->after = codes[i].after;

        return true;
    }

    return false;
}
