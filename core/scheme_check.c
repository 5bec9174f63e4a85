/*
 * The verdict: which of the ways to check, and how several keys come to one.
 */

#include "core/scheme_parts.h"

#include <string.h>


void
sluice_scheme_check(const sluice_scheme_t *scheme, sluice_key_t *const *keys,
    size_t nkeys, const sluice_text_t *token, const sluice_request_t *request,
    int64_t now, sluice_scheme_result_t *result)
{
    sluice_read_e     rc;
    sluice_reading_t  reading;

    memset(result, 0, offsetof(sluice_scheme_result_t, answer));

    if (nkeys == 0 || nkeys > SLUICE_SCHEME_KEYS) {
        sluice_verdict(result, SLUICE_SCHEME_EMPTY, "there is no secret");
        return;
    }

    memset(&reading, 0, offsetof(sluice_reading_t, scratch));
    reading.scheme = scheme;
    reading.request = request;

    rc = sluice_read_claim(&reading);

    if (rc != SLUICE_READ_FOUND) {
        sluice_verdict_read(result, rc, "the signature is missing",
                            "the signature is not of the form, or is there "
                            "twice");
        return;
    }

    switch (scheme->preset->kind) {

    case SLUICE_KIND_SIGNED:
        sluice_check_signed(&reading, keys, nkeys, now, result);
        break;

    case SLUICE_KIND_TWILIO:
        sluice_check_twilio(&reading, keys, nkeys, result);
        break;

    case SLUICE_KIND_TOKEN:
        sluice_check_token(&reading, keys, nkeys, result);
        break;

    case SLUICE_KIND_JWT:
        sluice_check_jwt(&reading, keys, nkeys, now, result);
        break;
    }
}


void
sluice_verdict(sluice_scheme_result_t *result,
    sluice_scheme_verdict_e verdict, const char *step)
{
    result->verdict = verdict;
    result->step = step;
}


void
sluice_verdict_read(sluice_scheme_result_t *result, sluice_read_e rc,
    const char *missing, const char *malformed)
{
    switch (rc) {

    case SLUICE_READ_FAILED:
        sluice_verdict(result, SLUICE_SCHEME_FAILED,
                       "the body could not be read");
        break;

    case SLUICE_READ_MISSING:
        sluice_verdict(result, SLUICE_SCHEME_MISSING, missing);
        break;

    default:
        sluice_verdict(result, SLUICE_SCHEME_MALFORMED, malformed);
    }
}


/* As many as there are: what is empty costs the same and never matches. */

size_t
sluice_verdict_keys(const sluice_scheme_t *scheme, sluice_key_t *const *keys,
    size_t nkeys, sluice_key_t **all)
{
    size_t  i;

    for (i = 0; i < nkeys; i++) {
        all[i] = keys[i];

        if (all[i] == NULL) {
            all[i] = (scheme->dummy[i] != NULL) ? scheme->dummy[i]
                                                : scheme->dummy[0];
        }
    }

    return nkeys;
}


void
sluice_verdict_match(sluice_scheme_result_t *result,
    sluice_key_t *const *keys, size_t nkeys, const unsigned *matched)
{
    size_t  i, usable;

    usable = 0;
    sluice_verdict(result, SLUICE_SCHEME_MISMATCH,
                   "the signature is of another secret or another request");

    for (i = nkeys; i-- > 0; /* void */ ) {

        if (keys[i] == NULL || keys[i]->nobody) {
            continue;
        }

        usable++;

        if (matched[i]) {
            sluice_verdict(result, SLUICE_SCHEME_VALID, "valid");
            result->key = i;
        }
    }

    if (usable == 0) {
        sluice_verdict(result, SLUICE_SCHEME_EMPTY,
                       "the secret is empty or of no use");
    }
}
