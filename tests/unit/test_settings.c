/*
 * What a good file becomes; what is wrong with a bad one is told by
 * tests/worker/settings.t.
 */

#include <unistd.h>
#include "rows.h"
#include "worker/settings_check.h"


static char  path[] = "/tmp/sluice-settings-XXXXXX";


static settings_t *
load(const char *text)
{
    FILE        *fp, *errors;
    char        *why;
    size_t       len;
    settings_t  *settings;

    fp = fopen(path, "w");
    assert_non_null(fp);
    assert_int_equal(fputs(text, fp) < 0, 0);
    assert_int_equal(fclose(fp), 0);

    errors = open_memstream(&why, &len);
    assert_non_null(errors);

    settings = settings_load(path, errors);
    fclose(errors);

    if (settings) {
        assert_string_equal(why, "");
    } else {
        assert_string_not_equal(why, "");
    }

    free(why);

    return settings;
}


static void
test_defaults(void **state)
{
    settings_t        *s;
    queue_settings_t  *q;

    s = load("redis = \"unix:/run/redis.sock\"\n"
             "channel \"c\" { }\n"
             "queue \"q\" { channel = \"c\" }\n");
    assert_non_null(s);

    assert_string_equal(s->redis.url.path, "/run/redis.sock");
    assert_int_equal(s->redis_timeout, 5000);
    assert_int_equal(s->wait_replicas, 0);
    assert_int_equal(s->wait_timeout, 1250);
    assert_null(s->store);
    assert_null(s->log_file);
    assert_int_equal(s->log_level, LOG_INFO_);
    assert_false(s->log_json);
    assert_true(s->pace == 0.9);
    assert_int_equal(s->drain, 30000);
    assert_int_equal(s->claim_ttl, 86400000);
    assert_int_equal(s->connections, 512);
    assert_null(s->admin_listen);
    assert_int_equal(s->nadmin_keys, 0);

    assert_int_equal(s->nchannels, 1);
    assert_string_equal(s->channels[0].name, "c");
    assert_string_equal(s->channels[0].base_url, "https://graph.facebook.com");
    assert_string_equal(s->channels[0].version, "v26.0");
    assert_null(s->channels[0].token);
    assert_int_equal(s->channels[0].timeout, 30000);

    assert_int_equal(s->nqueues, 1);
    q = &s->queues[0];
    assert_string_equal(q->name, "q");
    assert_string_equal(q->prefix, "bull");
    assert_null(q->tenant);
    assert_int_equal(q->kind, QUEUE_SEND);
    assert_ptr_equal(q->channel, &s->channels[0]);
    assert_int_equal(q->bullmq, 6);
    assert_int_equal(q->concurrency, 50);
    assert_int_equal(q->retry.attempts, 4);
    assert_int_equal(q->retry.delay[2], 45000);
    assert_int_equal(q->lock, 30000);
    assert_int_equal(q->stalled, 30000);
    assert_int_equal(q->max_stalled, 1);
    assert_int_equal(q->keep_completed, 1000);
    assert_int_equal(q->keep_failed, -1);
    assert_int_equal(q->keep_completed_age, 86400);
    assert_int_equal(q->keep_failed_age, 14 * 86400);
    assert_int_equal(q->keep_completed_bytes, 0);
    assert_int_equal(q->keep_failed_bytes, 0);
    assert_int_equal(q->metrics, 0);

    assert_null(settings_number(s, "1"));

    settings_free(s);
}


static void
test_all(void **state)
{
    settings_t        *s;
    queue_settings_t  *q;

    assert_int_equal(setenv("SLUICE_TEST_TOKEN", "t2", 1), 0);

    s = load("redis = \"redis://:pw@127.0.0.1:7/2\"\n"
             "store = \"/x.db\"  pace = 0.5  drain = \"1m\"\n"
             "claim_ttl = \"2h\"  redis_timeout = \"2s\"  connections = 9\n"
             "wait_replicas = 2  wait_timeout = \"300ms\"\n"
             "log { file = \"/x.log\"  level = debug  format = json }\n"
             "admin { listen = \"[::1]:81\"  key = \"k1\"\n"
             "  tenant \"acme\" { key = {\"k2\","
             " \"env:SLUICE_TEST_TOKEN\"} } }\n"
             "schedule \"slow\" { retry = \"exponential base=1s factor=3"
             " max=1m attempts=5\" }\n"
             "schedule \"messages\" { retry = \"7s\" }\n"
             "channel \"c\" { kind = cloud_api base_url = \"http://h:1\"\n"
             "  version = \"v1.0\" token = \"t1\" timeout = \"3s\" }\n"
             "number \"11\" { rate = 20.5\n"
             "  token = \"env:SLUICE_TEST_TOKEN\" }\n"
             "number \"12\" { }\n"
             "queue \"out\" { tenants = {\"acme\", \"globex\"}\n"
             "  name = \"msgs\" channel = \"c\" schedule = \"slow\"\n"
             "  bullmq = 5\n"
             "  concurrency = 7 lock = \"10s\" stalled = \"20s\"\n"
             "  max_stalled = 3 keep_completed = 1 keep_failed = 2\n"
             "  keep_completed_age = \"3s\" keep_failed_age = \"0s\"\n"
             "  keep_completed_bytes = 5000000000 keep_failed_bytes = 7\n"
             "  metrics = 60 }\n"
             "queue \"in\" { kind = events prefix = \"p:q\" }\n");
    assert_non_null(s);

    assert_string_equal(s->redis.url.host, "127.0.0.1");
    assert_int_equal(s->redis.url.db, 2);
    assert_string_equal(s->store, "/x.db");
    assert_string_equal(s->log_file, "/x.log");
    assert_int_equal(s->log_level, LOG_DEBUG_);
    assert_true(s->log_json);
    assert_true(s->pace == 0.5);
    assert_int_equal(s->drain, 60000);
    assert_int_equal(s->claim_ttl, 7200000);
    assert_int_equal(s->redis_timeout, 2000);
    assert_int_equal(s->wait_replicas, 2);
    assert_int_equal(s->wait_timeout, 300);
    assert_int_equal(s->connections, 9);
    assert_string_equal(s->admin_listen, "[::1]:81");
    assert_int_equal(s->nadmin_keys, 3);
    assert_string_equal(s->admin_keys[0].secret, "k1");
    assert_null(s->admin_keys[0].tenant);
    assert_string_equal(s->admin_keys[1].secret, "k2");
    assert_string_equal(s->admin_keys[1].tenant, "acme");
    assert_string_equal(s->admin_keys[2].secret, "t2");
    assert_string_equal(s->admin_keys[2].tenant, "acme");
    assert_string_equal(s->channels[0].token, "t1");
    assert_int_equal(s->channels[0].timeout, 3000);

    assert_string_equal(settings_number(s, "11")->token, "t2");
    assert_true(settings_number(s, "11")->rate == 20.5);
    assert_null(settings_number(s, "12")->token);
    assert_true(settings_number(s, "12")->rate == 80);

    assert_int_equal(s->nqueues, 3);
    q = &s->queues[1];
    assert_string_equal(q->name, "msgs");
    assert_string_equal(q->tenant, "globex");
    assert_string_equal(q->prefix, "{globex}");
    assert_int_equal(q->retry.kind, SLUICE_RETRY_EXPONENTIAL);
    assert_int_equal(q->retry.attempts, 5);
    assert_int_equal(q->bullmq, 5);
    assert_int_equal(q->concurrency, 7);
    assert_int_equal(q->lock, 10000);
    assert_int_equal(q->stalled, 20000);
    assert_int_equal(q->max_stalled, 3);
    assert_int_equal(q->keep_completed, 1);
    assert_int_equal(q->keep_failed, 2);
    assert_int_equal(q->keep_completed_age, 3);
    assert_int_equal(q->keep_failed_age, 0);
    assert_int_equal(q->keep_completed_bytes, 5000000000);
    assert_int_equal(q->keep_failed_bytes, 7);
    assert_int_equal(q->metrics, 60);

    q = &s->queues[2];
    assert_string_equal(q->prefix, "p:q");
    assert_int_equal(q->kind, QUEUE_EVENTS);
    assert_int_equal(q->retry.attempts, 2);
    assert_int_equal(q->retry.delay[0], 7000);

    settings_free(s);
}


/* a bad load leaves nothing behind in the next */

static void
test_again(void **state)
{
    settings_t  *s;

    assert_null(load("redis = \"unix:/r\"\nqueue \"q\" { kind = x }\n"));
    assert_null(load("redis = \"unix:/r\"\nx = 1\n"));
    assert_null(load("redis = \"redis+cluster://h\"\n"
                     "queue \"q\" { kind = noop }\n"));

    s = load("redis = \"unix:/r\"\nqueue \"q\" { kind = noop }\n");
    assert_non_null(s);
    settings_free(s);

    /* a cluster, with prefixes that have a hash tag */

    s = load("redis = \"redis+cluster://h,i:7\"\n"
             "queue \"q\" { kind = noop tenants = {acme} }\n"
             "queue \"r\" { kind = noop prefix = \"x{y}\" }\n");
    assert_non_null(s);
    assert_int_equal(s->redis.kind, SLUICE_URL_CLUSTER);
    assert_int_equal(s->redis.nnodes, 2);
    settings_free(s);

    s = load("redis = \"redis+sentinel://:p@h/m?sentinel_password=q\"\n"
             "queue \"q\" { kind = noop }\n");
    assert_non_null(s);
    assert_string_equal(s->redis.name, "m");
    assert_string_equal(s->redis.sentinel.password, "q");
    settings_free(s);
}


typedef struct {
    const char  *name;
    const char  *text;
    const char  *secret;    /* NULL: an error */
} secret_row_t;

static const secret_row_t  secret_rows[] = {
    { "a secret as it is", "EAAG|x", "EAAG|x" },
    { "no secret", "", NULL },
    { "a line end", "a\nX-Header: b", NULL },
    { "a space", "a b", NULL },
    { "a variable", "env:SLUICE_TEST_TOKEN", "t2" },
    { "no such variable", "env:SLUICE_TEST_NONE", NULL },
    { "no such file", "file:/nonexistent", NULL },
    { "a directory", "file:/tmp", NULL },
    { "bytes without an end", "file:/dev/zero", NULL },
    { "an empty file", "file:/dev/null", NULL },
};


static void
test_secret(void **state)
{
    int                  rc;
    char                *secret;
    const char          *error;
    const secret_row_t  *row = row_of(secret_row_t, state);

    assert_int_equal(setenv("SLUICE_TEST_TOKEN", "t2", 1), 0);

    secret = NULL;
    error = NULL;
    rc = settings_secret(row->text, &secret, &error);

    if (row->secret) {
        assert_int_equal(rc, 0);
        assert_string_equal(secret, row->secret);
        free(secret);

    } else {
        assert_int_equal(rc, -1);
        assert_non_null(error);
    }
}


int
main(void)
{
    int     rc, fd;
    size_t  i;

    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_again),
    };

    fd = mkstemp(path);

    if (fd < 0) {
        perror(path);
        return 1;
    }

    close(fd);

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        rows_tests[rows_count++] = tests[i];
    }

    rows_add(secret_rows, test_secret);
    rc = rows_run("settings");
    unlink(path);

    return rc;
}
