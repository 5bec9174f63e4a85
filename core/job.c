/* BullMQ's opts, and the classes of priority. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <openssl/evp.h>
#include "core/job.h"
#include "core/json.h"


size_t
sluice_job_opts(char *dst, const sluice_job_opts_t *opts)
{
    int     n;
    size_t  len;

    static const char *const  backoff[] = { "", "fixed", "exponential" };

    n = snprintf(dst, SLUICE_JOB_OPTS_MAX, "{\"attempts\":%" PRId64,
                 opts->attempts);
    len = (size_t) n;

    if (opts->backoff != SLUICE_JOB_BACKOFF_NONE) {
        n = snprintf(dst + len, SLUICE_JOB_OPTS_MAX - len,
                     ",\"backoff\":{\"type\":\"%s\",\"delay\":%" PRId64 "}",
                     backoff[opts->backoff], opts->pause);
        len += (size_t) n;
    }

    if (opts->priority) {
        n = snprintf(dst + len, SLUICE_JOB_OPTS_MAX - len,
                     ",\"priority\":%" PRId64, opts->priority);
        len += (size_t) n;
    }

    if (opts->delay) {
        n = snprintf(dst + len, SLUICE_JOB_OPTS_MAX - len,
                     ",\"delay\":%" PRId64, opts->delay);
        len += (size_t) n;
    }

    if (opts->dedupe) {
        n = snprintf(dst + len, SLUICE_JOB_OPTS_MAX - len,
                     ",\"de\":{\"id\":\"%.*s\",\"ttl\":%" PRId64 "}",
                     (int) opts->dedupe_len, opts->dedupe, opts->dedupe_ttl);
        len += (size_t) n;
    }

    if (opts->group_len) {
        n = snprintf(dst + len, SLUICE_JOB_OPTS_MAX + opts->group_len - len,
                     ",\"groupKey\":\"%.*s\"",
                     (int) opts->group_len, opts->group);
        len += (size_t) n;
    }

    dst[len++] = '}';

    return len;
}


size_t
sluice_job_group(char *dst, const char *text, size_t len)
{
    unsigned int   i, n;
    unsigned char  digest[EVP_MAX_MD_SIZE];

    static const char  hex[] = "0123456789abcdef";

    if (len <= SLUICE_JOB_GROUP) {
        return sluice_json_escape((uint8_t *) dst, (const uint8_t *) text,
                                  len);
    }

    if (EVP_Digest(text, len, digest, &n, EVP_sha1(), NULL) != 1) {
        return 0;
    }

    *dst++ = '#';

    for (i = 0; i < n; i++) {
        *dst++ = hex[digest[i] >> 4];
        *dst++ = hex[digest[i] & 0xf];
    }

    return 1 + 2 * n;
}


int64_t
sluice_job_priority(const char *text, size_t len)
{
    size_t   i;
    int64_t  n;

    static const struct {
        const char  *name;
        int64_t      priority;
    } classes[] = {
        { "high",   0   },
        { "medium", 10  },
        { "low",    100 },
    };

    for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (len == strlen(classes[i].name)
            && memcmp(text, classes[i].name, len) == 0)
        {
            return classes[i].priority;
        }
    }

    if (len == 0 || len > 7) {
        return -1;
    }

    n = 0;

    for (i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }

        n = n * 10 + (text[i] - '0');
    }

    return (n > SLUICE_JOB_PRIORITY_MAX) ? -1 : n;
}
