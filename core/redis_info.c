/*
 * What INFO tells of a server.
 */

#include <string.h>
#include "core/redis.h"


/* The text behind "name:" at the start of a line, or NULL. */

static const char *
sluice_redis_info_field(const char *info, size_t size, const char *name,
    size_t *len)
{
    size_t       n;
    const char  *p, *last, *end;

    n = strlen(name);
    last = info + size;

    for (p = info; ; p++) {

        if ((size_t) (last - p) <= n) {
            return NULL;
        }

        /* p is at the start of a line */

        if (memcmp(p, name, n) == 0 && p[n] == ':') {
            break;
        }

        p = memchr(p, '\n', (size_t) (last - p));
        if (p == NULL) {
            return NULL;
        }
    }

    p += n + 1;

    for (end = p; end < last && *end != '\r' && *end != '\n'; end++) {
        /* to the end of the line */
    }

    *len = (size_t) (end - p);

    return p;
}


int
sluice_redis_version(const char *info, size_t len)
{
    int          part[3];
    size_t       i, n;
    const char  *p, *last;

    p = sluice_redis_info_field(info, len, "redis_version", &n);
    if (p == NULL) {
        return 0;
    }

    last = p + n;

    for (i = 0; i < 3; i++) {

        if (i && (p == last || *p++ != '.')) {
            return 0;
        }

        if (p == last || *p < '0' || *p > '9') {
            return 0;
        }

        /* two digits a part: an unstable build calls itself 255.255.255 */

        for (part[i] = 0; p < last && *p >= '0' && *p <= '9'; p++) {
            part[i] = part[i] * 10 + (*p - '0');

            if (part[i] > 99) {
                part[i] = 99;
            }
        }
    }

    return part[0] * 10000 + part[1] * 100 + part[2];
}


static int
sluice_redis_info_is(const char *info, size_t size, const char *name,
    const char *value)
{
    size_t       len;
    const char  *p;

    p = sluice_redis_info_field(info, size, name, &len);

    return p && len == strlen(value) && memcmp(p, value, len) == 0;
}


void
sluice_redis_info_read(sluice_redis_info_t *info, const char *text,
    size_t size)
{
    size_t       i, len;
    const char  *p;

    memset(info, 0, sizeof(*info));

    info->version = sluice_redis_version(text, size);
    info->replica = sluice_redis_info_is(text, size, "role", "slave");
    info->no_aof = sluice_redis_info_is(text, size, "aof_enabled", "0");

    p = sluice_redis_info_field(text, size, "maxmemory_policy", &len);

    if (p == NULL || len >= sizeof(info->policy)) {
        return;
    }

    /* it is shown in logs and in JSON */

    for (i = 0; i < len; i++) {
        if ((p[i] < 'a' || p[i] > 'z') && p[i] != '-') {
            return;
        }
    }

    memcpy(info->policy, p, len);
    info->evicts = len && strcmp(info->policy, "noeviction") != 0;
}
