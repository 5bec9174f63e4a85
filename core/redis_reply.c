/*
 * What the server's words mean: the codes that error replies begin with, and
 * its version.
 */

#include <string.h>
#include "core/redis.h"


typedef struct {
    const char            *code;
    sluice_redis_reply_e   kind;
} sluice_redis_code_t;


static const sluice_redis_code_t  sluice_redis_codes[] = {
    { "BUSY",        SLUICE_REDIS_REPLY_AWAY },    /* a script runs */
    { "CLUSTERDOWN", SLUICE_REDIS_REPLY_AWAY },
    { "DENIED",      SLUICE_REDIS_REPLY_DENIED },  /* protected mode */
    { "LOADING",     SLUICE_REDIS_REPLY_AWAY },
    { "MASTERDOWN",  SLUICE_REDIS_REPLY_AWAY },
    { "MISCONF",     SLUICE_REDIS_REPLY_AWAY },    /* the disk refuses */
    { "NOAUTH",      SLUICE_REDIS_REPLY_DENIED },
    { "NOPERM",      SLUICE_REDIS_REPLY_DENIED },
    { "NOREPLICAS",  SLUICE_REDIS_REPLY_AWAY },
    { "NOSCRIPT",    SLUICE_REDIS_REPLY_AWAY },    /* loading it failed too */
    { "OOM",         SLUICE_REDIS_REPLY_AWAY },
    { "READONLY",    SLUICE_REDIS_REPLY_AWAY },
    { "TRYAGAIN",    SLUICE_REDIS_REPLY_AWAY },    /* slots are moving */
    { "UNBLOCKED",   SLUICE_REDIS_REPLY_AWAY },    /* now a replica */
    { "WRONGPASS",   SLUICE_REDIS_REPLY_DENIED },
};


static sluice_redis_reply_e
sluice_redis_code(const char *text, size_t len)
{
    size_t                      i, n;
    const sluice_redis_code_t  *code;

    for (n = 0; n < len && text[n] >= 'A' && text[n] <= 'Z'; n++) {
        /* the first word */
    }

    for (i = 0; i < sizeof(sluice_redis_codes) / sizeof(*code); i++) {
        code = &sluice_redis_codes[i];

        if (strlen(code->code) == n && memcmp(text, code->code, n) == 0
            && (n == len || text[n] == ' '))
        {
            return code->kind;
        }
    }

    return SLUICE_REDIS_REPLY_WRONG;
}


sluice_redis_reply_e
sluice_redis_reply_kind(const redisReply *reply)
{
    size_t                 len;
    const char            *p, *last;
    sluice_redis_reply_e   kind;

    /* what a command inside of a script met, before Redis 7 */
    static const char      inside[] = "ERR Error running script";

    if (reply->type != REDIS_REPLY_ERROR) {
        return SLUICE_REDIS_REPLY_OK;
    }

    p = reply->str;
    len = (size_t) reply->len;
    last = p + len;

    kind = sluice_redis_code(p, len);

    if (kind != SLUICE_REDIS_REPLY_WRONG || len < sizeof(inside) - 1
        || memcmp(p, inside, sizeof(inside) - 1) != 0)
    {
        return kind;
    }

    for (p += sizeof(inside) - 1; last - p > 2; p++) {

        if (p[0] == ' ' && p[1] == '-') {
            kind = sluice_redis_code(p + 2, (size_t) (last - p - 2));

            if (kind != SLUICE_REDIS_REPLY_WRONG) {
                return kind;
            }
        }
    }

    return SLUICE_REDIS_REPLY_WRONG;
}


int
sluice_redis_version(const char *info, size_t len)
{
    int                part[3];
    size_t             i, n;
    const char        *p, *last;

    static const char  name[] = "redis_version:";

    n = sizeof(name) - 1;
    last = info + len;

    for (p = info; ; p++) {

        if ((size_t) (last - p) <= n) {
            return 0;
        }

        /* p is at the start of a line */

        if (memcmp(p, name, n) == 0) {
            break;
        }

        p = memchr(p, '\n', (size_t) (last - p));
        if (p == NULL) {
            return 0;
        }
    }

    p += n;

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
