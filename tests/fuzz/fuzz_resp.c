/*
 * A server of any bytes: a byte for how the client stands, a byte for the size
 * of the reads, then what is read.  Whatever comes, each command that was taken
 * is answered once, and what is pending adds up.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "core/redis.h"


#define BYTES  4096
#define COUNT  24


typedef struct {
    sluice_redis_t  *redis;
    unsigned         taken;
    unsigned         answered;
    unsigned         budget;    /* commands that answers may still queue */
    unsigned         sum;       /* of every byte that is read or written */
} run_t;


static const sluice_script_t  script = {
    "one", "return 1", 8, "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
};
static const sluice_script_t  *const scripts[] = { &script };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check(int ok)
{
    if (!ok) {
        abort();
    }
}


static void  ask(run_t *run, unsigned what);


static void
touch(run_t *run, const redisReply *reply)
{
    size_t  i;

    if (reply->type == REDIS_REPLY_ARRAY) {
        for (i = 0; i < reply->elements; i++) {
            touch(run, reply->element[i]);
        }
    }

    if (reply->str) {
        for (i = 0; i <= (size_t) reply->len; i++) {
            run->sum += (unsigned char) reply->str[i];
        }
    }

    (void) sluice_redis_reply_kind(reply);
}


static void
answered(void *data, const redisReply *reply)
{
    run_t  *run = data;

    run->answered++;

    if (reply) {
        touch(run, reply);
    }

    if (run->budget) {
        run->budget--;
        ask(run, run->budget);
    }
}


static void
ask(run_t *run, unsigned what)
{
    sluice_redis_result_e  result;

    if (what & 1) {
        result = sluice_redis_script(run->redis, &script, 1, 0, what);

        if (result == SLUICE_REDIS_OK) {
            sluice_redis_arg(run->redis, "key", 3);
            result = sluice_redis_end(run->redis, answered, run);
        }

    } else {
        result = sluice_redis_command(run->redis, what, answered, run, "GET",
                                      "key", NULL);
    }

    check(result == SLUICE_REDIS_OK || result == SLUICE_REDIS_FULL);
    run->taken += result == SLUICE_REDIS_OK;
}


static void
write_out(run_t *run, size_t most)
{
    size_t          i, len;
    const uint8_t  *p;

    p = sluice_redis_output(run->redis, &len);
    len = len < most ? len : most;

    for (i = 0; i < len; i++) {
        run->sum += p[i];
    }

    sluice_redis_sent(run->redis, len);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    run_t                run;
    size_t               n, step;
    unsigned             i, flags;
    sluice_url_t         url;
    sluice_redis_conf_t  conf;

    if (size < 2) {
        return 0;
    }

    flags = data[0];
    step = data[1] ? data[1] : 65536;
    data += 2;
    size -= 2;

    memset(&run, 0, sizeof(run));
    memset(&url, 0, sizeof(url));
    memset(&conf, 0, sizeof(conf));

    conf.url = &url;
    conf.max_bytes = BYTES;
    conf.max_count = COUNT;

    if (flags & 1) {
        strcpy(url.password, "secret");
        url.db = 2;
        conf.name = "fuzz";
        conf.scripts = scripts;
        conf.nscripts = 1;
    }

    run.budget = flags >> 2 & 15;
    run.redis = sluice_redis_create(&conf);
    check(run.redis != NULL);

    for (i = 0; i < 8; i++) {
        ask(&run, flags >> 6 | i);
    }

    check(sluice_redis_connected(run.redis, 0) == SLUICE_REDIS_OK);
    write_out(&run, SIZE_MAX);

    if (!(flags & 1)) {
        sluice_redis_feed(run.redis, "$21\r\nredis_version:7.2.4\r\n\r\n", 28);
        check(sluice_redis_state(run.redis) == SLUICE_REDIS_READY);
    }

    while (size) {
        write_out(&run, flags & 2 ? SIZE_MAX : 70);

        n = size < step ? size : step;

        if (sluice_redis_feed(run.redis, data, n) != SLUICE_REDIS_OK) {
            check(sluice_redis_error(run.redis)[0] != '\0');
            check(url.password[0] == '\0'
                  || strstr(sluice_redis_error(run.redis), url.password)
                     == NULL);
            break;
        }

        check(run.taken - run.answered == sluice_redis_pending(run.redis));
        check(strlen(sluice_redis_info(run.redis)->policy) < 32);
        check(sluice_redis_pending(run.redis) <= COUNT);
        check((sluice_redis_pending(run.redis) == 0)
              == (sluice_redis_pending_bytes(run.redis) == 0));

        data += n;
        size -= n;
    }

    run.budget = 2;
    sluice_redis_lost(run.redis);
    check(run.taken - run.answered == sluice_redis_pending(run.redis));

    run.budget = 0;
    sluice_redis_lost(run.redis);
    check(run.taken == run.answered);
    check(sluice_redis_pending_bytes(run.redis) == 0);

    sluice_redis_destroy(run.redis);

    return 0;
}
