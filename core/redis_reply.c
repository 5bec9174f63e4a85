/*
 * What the server's words mean: the codes that error replies begin with.
 */

#include <string.h>
#include "core/redis.h"


typedef struct {
    const char            *code;
    sluice_redis_reply_e   kind;
} sluice_redis_code_t;


static const sluice_redis_code_t  sluice_redis_codes[] = {
    { "ASK",         SLUICE_REDIS_REPLY_AWAY },    /* core/cluster.h */
    { "BUSY",        SLUICE_REDIS_REPLY_AWAY },    /* a script runs */
    { "CLUSTERDOWN", SLUICE_REDIS_REPLY_AWAY },
    { "DENIED",      SLUICE_REDIS_REPLY_DENIED },  /* protected mode */
    { "LOADING",     SLUICE_REDIS_REPLY_AWAY },
    { "MASTERDOWN",  SLUICE_REDIS_REPLY_REPLICA },
    { "MISCONF",     SLUICE_REDIS_REPLY_AWAY },    /* the disk refuses */
    { "MOVED",       SLUICE_REDIS_REPLY_AWAY },    /* core/cluster.h */
    { "NOAUTH",      SLUICE_REDIS_REPLY_DENIED },
    { "NOPERM",      SLUICE_REDIS_REPLY_DENIED },
    { "NOREPLICAS",  SLUICE_REDIS_REPLY_AWAY },
    { "NOSCRIPT",    SLUICE_REDIS_REPLY_AWAY },    /* loading it failed too */
    { "OOM",         SLUICE_REDIS_REPLY_AWAY },
    { "READONLY",    SLUICE_REDIS_REPLY_REPLICA },
    { "TRYAGAIN",    SLUICE_REDIS_REPLY_AWAY },    /* slots are moving */
    { "UNBLOCKED",   SLUICE_REDIS_REPLY_REPLICA },
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
