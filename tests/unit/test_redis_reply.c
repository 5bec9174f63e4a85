#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "core/redis.h"


static void
test_versions(void **state)
{
    size_t  i;

    static const struct {
        const char  *info;
        int          version;
    } cases[] = {
        { "redis_version:7.0.15\r\n", 70015 },
        { "# Server\r\nredis_version:6.2.0\r\nredis_mode:x\r\n", 60200 },
        { "server_name:valkey\r\nredis_version:7.2.4\r\n"
          "valkey_version:8.0.1\r\n", 70204 },
        { "old_redis_version:9.9.9\nredis_version:5.0.7", 50007 },
        { "redis_version:255.255.255\r\n", 999999 },
        { "redis_version:99999999999999999999.0.0\r\n", 990000 },
        { "redis_version:7.4.0-rc1\r\n", 70400 },
        { "redis_version:7.4\r\n", 0 },
        { "redis_version:7.4.\r\n", 0 },
        { "redis_version:.4.1\r\n", 0 },
        { "redis_version:", 0 },
        { "redis_version:7", 0 },
        { "valkey_version:8.0.1\r\n", 0 },
        { "\n", 0 },
        { "", 0 },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(sluice_redis_version(cases[i].info,
                                              strlen(cases[i].info)),
                         cases[i].version);
    }
}


static void
test_info(void **state)
{
    size_t                i;
    sluice_redis_info_t   info;

    static const struct {
        const char  *info;
        const char  *policy;
        int          evicts;
        int          no_aof;
        int          replica;
    } cases[] = {
        { "", "", 0, 0, 0 },
        { "maxmemory:0\r\nmaxmemory_policy:noeviction\r\n"
          "aof_enabled:1\r\nrole:master\r\n", "noeviction", 0, 0, 0 },
        { "maxmemory_policy:allkeys-lru\r\naof_enabled:0\r\nrole:slave\r\n",
          "allkeys-lru", 1, 1, 1 },
        { "maxmemory_policy:volatile-ttl\naof_enabled:0", "volatile-ttl", 1, 1,
          0 },
        { "maxmemory_policy:\r\naof_enabled:\r\nrole:\r\n", "", 0, 0, 0 },
        { "maxmemory_policy:\"x\r\naof_enabled:01\r\nrole:slaves\r\n", "", 0,
          0, 0 },
        { "maxmemory_policy:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 1, 0, 0 },
        { "maxmemory_policy:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", "", 0, 0,
          0 },
        { "x_maxmemory_policy:allkeys-lru\r\nmaxmemory_policy_x:b\r\n", "", 0,
          0, 0 },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&info, 0xff, sizeof(info));
        sluice_redis_info_read(&info, cases[i].info, strlen(cases[i].info));

        assert_int_equal(info.version, 0);
        assert_string_equal(info.policy, cases[i].policy);
        assert_int_equal(info.evicts, cases[i].evicts);
        assert_int_equal(info.no_aof, cases[i].no_aof);
        assert_int_equal(info.replica, cases[i].replica);
    }
}


static void
test_kinds(void **state)
{
    size_t      i;
    redisReply  reply;

    static const struct {
        const char            *text;
        sluice_redis_reply_e   kind;
    } cases[] = {
        { "LOADING Redis is loading", SLUICE_REDIS_REPLY_AWAY },
        { "OOM command not allowed", SLUICE_REDIS_REPLY_AWAY },
        { "READONLY You can't write", SLUICE_REDIS_REPLY_REPLICA },
        { "MISCONF Errors writing to the AOF", SLUICE_REDIS_REPLY_AWAY },
        { "MASTERDOWN Link", SLUICE_REDIS_REPLY_REPLICA },
        { "NOREPLICAS Not enough", SLUICE_REDIS_REPLY_AWAY },
        { "BUSY Redis is busy running a script", SLUICE_REDIS_REPLY_AWAY },
        { "UNBLOCKED force unblock", SLUICE_REDIS_REPLY_REPLICA },
        { "NOSCRIPT", SLUICE_REDIS_REPLY_AWAY },
        { "NOAUTH Authentication required.", SLUICE_REDIS_REPLY_DENIED },
        { "WRONGPASS invalid", SLUICE_REDIS_REPLY_DENIED },
        { "NOPERM this user", SLUICE_REDIS_REPLY_DENIED },
        { "MOVED 3999 127.0.0.1:6381", SLUICE_REDIS_REPLY_AWAY },
        { "ASK 3999 127.0.0.1:6381", SLUICE_REDIS_REPLY_AWAY },
        { "TRYAGAIN Multiple keys", SLUICE_REDIS_REPLY_AWAY },
        { "CLUSTERDOWN Hash slot not served", SLUICE_REDIS_REPLY_AWAY },
        { "CROSSSLOT Keys in request", SLUICE_REDIS_REPLY_WRONG },
        { "ASKING", SLUICE_REDIS_REPLY_WRONG },
        { "WRONGTYPE Operation", SLUICE_REDIS_REPLY_WRONG },
        { "BUSYKEY Target key name", SLUICE_REDIS_REPLY_WRONG },
        { "BUSYGROUP exists", SLUICE_REDIS_REPLY_WRONG },
        { "ERR OOM", SLUICE_REDIS_REPLY_WRONG },
        { "OOM-killer", SLUICE_REDIS_REPLY_WRONG },
        { "", SLUICE_REDIS_REPLY_WRONG },
        { "ERR Error running script (call to f_0): @user_script:9: "
          "@user_script: 9: -OOM command not allowed when used memory > "
          "'maxmemory'.", SLUICE_REDIS_REPLY_AWAY },
        { "ERR Error running script (call to f_0): @user_script:9: -READONLY "
          "You can't write against a read only replica.",
          SLUICE_REDIS_REPLY_REPLICA },
        { "ERR Error running script (call to f_0): @user_script:9: x - y -",
          SLUICE_REDIS_REPLY_WRONG },
        { "ERR Error running script (call to f_0): @user_script:9: key-OOM x",
          SLUICE_REDIS_REPLY_WRONG },
        { "ERR Error running script", SLUICE_REDIS_REPLY_WRONG },
    };

    memset(&reply, 0, sizeof(reply));
    reply.type = REDIS_REPLY_ERROR;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        reply.str = strdup(cases[i].text);
        reply.len = strlen(cases[i].text);
        assert_int_equal(sluice_redis_reply_kind(&reply), cases[i].kind);
        free(reply.str);
    }

    reply.type = REDIS_REPLY_STATUS;
    reply.str = NULL;
    assert_int_equal(sluice_redis_reply_kind(&reply), SLUICE_REDIS_REPLY_OK);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_kinds),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("redis replies", tests, NULL, NULL);
}
