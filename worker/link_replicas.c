#include "worker/link.h"
#include "worker/link_parts.h"


#define REPLICAS_SAY_AGAIN  60000    /* ms */


void
link_replicas_told(link_replicas_t *replicas, const char *name,
    unsigned wanted, long long n)
{
    bool  few;

    few = (n < (long long) wanted);
    replicas->misses += few;

    if (!few && replicas->misses) {
        log_event(LOG_INFO_, "replicas_back", "link", "%s", name,
                  "waits", "%u", replicas->misses, NULL);
        replicas->misses = 0;

    } else if (few && (replicas->misses == 1
                       || clock_ms() - replicas->said >= REPLICAS_SAY_AGAIN))
    {
        replicas->said = clock_ms();
        log_event(LOG_ERROR_, "replicas_missing", "link", "%s", name,
                  "have", "%lld", n, "wanted", "%u", wanted,
                  "waits", "%u", replicas->misses, NULL);
    }
}
