/*
 * How the table gets its entries: one process asks Redis for the version each
 * `refresh`, over the connection that it has anyway, and on a change reads the
 * hash in pieces.  Another takes over when it ends or dies.  What cannot be
 * read leaves the table as it is.
 *
 * A Redis that has lost its data may come to a version again that it had: the
 * hash is read whatever the version after a connection was made, and after
 * there was none.
 */

#include <openssl/evp.h>
#include <signal.h>

#include "ngx_http_sluice_table.h"


/* fields of one HSCAN: what one turn of the event loop works through */
#define NGX_HTTP_SLUICE_SCAN     "64"

/* lines that a load may log */
#define NGX_HTTP_SLUICE_LINES    20

/* ms after which a poller that shows no sign is given up */
#define NGX_HTTP_SLUICE_SILENCE  5000


static void ngx_http_sluice_load_turn(ngx_event_t *ev);
static ngx_uint_t ngx_http_sluice_load_mine(
    ngx_http_sluice_tenants_t *tenants);
static void ngx_http_sluice_load_ask(ngx_http_sluice_tenants_t *tenants,
    const char *cursor);
static void ngx_http_sluice_load_version(void *data, const redisReply *reply);
static void ngx_http_sluice_load_piece(void *data, const redisReply *reply);
static void ngx_http_sluice_load_entry(ngx_http_sluice_tenants_t *tenants,
    const redisReply *field, const redisReply *value);
static ngx_uint_t ngx_http_sluice_load_elsewhere(
    ngx_http_sluice_tenants_t *tenants, const redisReply *reply);
static void ngx_http_sluice_load_done(ngx_http_sluice_tenants_t *tenants);
static void ngx_http_sluice_load_complain(ngx_http_sluice_tenants_t *tenants,
    const redisReply *reply, const char *what);


void
ngx_http_sluice_table_start(ngx_http_sluice_main_conf_t *mcf)
{
    ngx_http_sluice_tenants_t  *tenants;

    tenants = mcf->tenants;

    if (tenants == NULL) {
        return;
    }

    tenants->timer.handler = ngx_http_sluice_load_turn;
    tenants->timer.data = tenants;
    tenants->timer.log = ngx_cycle->log;
    tenants->timer.cancelable = 1;

    ngx_add_timer(&tenants->timer, 1);
}


void
ngx_http_sluice_table_exit(ngx_http_sluice_main_conf_t *mcf)
{
    ngx_http_sluice_tenants_t  *tenants;

    tenants = mcf->tenants;

    if (tenants == NULL) {
        return;
    }

    if (tenants->timer.timer_set) {
        ngx_del_timer(&tenants->timer);
    }

    (void) ngx_atomic_cmp_set(&tenants->table->poller, ngx_pid, 0);

    if (tenants->entry) {
        ngx_free(tenants->entry);
        tenants->entry = NULL;
    }
}


static void
ngx_http_sluice_load_turn(ngx_event_t *ev)
{
    ngx_http_sluice_tenants_t  *tenants = ev->data;

    if (ngx_exiting) {
        (void) ngx_atomic_cmp_set(&tenants->table->poller, ngx_pid, 0);
        return;
    }

    ngx_add_timer(ev, tenants->refresh);

    if (!ngx_http_sluice_load_mine(tenants)) {
        return;
    }

    tenants->table->beat = ngx_current_msec;

    if (tenants->load == NGX_HTTP_SLUICE_LOAD_IDLE) {
        ngx_http_sluice_load_ask(tenants, NULL);
    }
}


/* Is this process the poller, or can it become it? */

static ngx_uint_t
ngx_http_sluice_load_mine(ngx_http_sluice_tenants_t *tenants)
{
    ngx_msec_t                silence;
    ngx_atomic_uint_t         pid;
    ngx_http_sluice_table_t  *table;

    table = tenants->table;
    pid = table->poller;

    if (pid == (ngx_atomic_uint_t) ngx_pid) {
        return 1;
    }

    silence = NGX_HTTP_SLUICE_SILENCE + 2 * tenants->refresh;

    if (pid
        && (ngx_msec_int_t) (ngx_current_msec - table->beat)
           < (ngx_msec_int_t) silence
        && !(kill((ngx_pid_t) pid, 0) == -1 && ngx_errno == ESRCH))
    {
        return 0;
    }

    return ngx_atomic_cmp_set(&table->poller, pid, ngx_pid);
}


/* The version, or with a cursor the next piece. */

static void
ngx_http_sluice_load_ask(ngx_http_sluice_tenants_t *tenants,
    const char *cursor)
{
    sluice_redis_result_e    result;
    ngx_http_sluice_link_t  *link;

    tenants->load = NGX_HTTP_SLUICE_LOAD_IDLE;

    link = ngx_http_sluice_redis_link(tenants->main, tenants->server);

    if (link == NULL || !ngx_http_sluice_redis_wake(link)) {
        return;
    }

    link = ngx_http_sluice_redis_route(link, SLUICE_KEYS_TENANTS,
                                       sizeof(SLUICE_KEYS_TENANTS) - 1);

    if (link == NULL || !ngx_http_sluice_redis_wake(link)) {
        return;
    }

    /* a cursor says nothing to another server: it is loaded anew in a moment */

    if (cursor && link != tenants->link) {
        return;
    }

    tenants->link = link;

    if (cursor) {
        result = sluice_redis_command(link->client, ngx_current_msec,
                                      ngx_http_sluice_load_piece, tenants,
                                      "HSCAN", SLUICE_KEYS_TENANTS, cursor,
                                      "COUNT", NGX_HTTP_SLUICE_SCAN, NULL);
    } else {
        if (ngx_http_sluice_connect_anew(link, tenants->connection)) {
            tenants->anew = 1;
        }

        result = sluice_redis_command(link->client, ngx_current_msec,
                                      ngx_http_sluice_load_version, tenants,
                                      "GET", SLUICE_KEYS_TENANTS_VERSION,
                                      NULL);
    }

    if (result != SLUICE_REDIS_OK) {
        return;
    }

    tenants->load = cursor ? NGX_HTTP_SLUICE_LOAD_RUNS
                           : NGX_HTTP_SLUICE_LOAD_ASKED;

    ngx_post_event(&link->flush, &ngx_posted_events);
}


/* The table's slot was moved, or is: it is loaded anew in a moment. */

static ngx_uint_t
ngx_http_sluice_load_elsewhere(ngx_http_sluice_tenants_t *tenants,
    const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ERROR
        || tenants->link->first->cluster == NULL)
    {
        return 0;
    }

    ngx_http_sluice_cluster_show(tenants->link, reply);

    return sluice_redis_reply_kind(reply) == SLUICE_REDIS_REPLY_AWAY;
}


/*
 * No version is that of an empty Redis.  One that had a version has lost its
 * data, and with it nobody's tenants.
 */

static void
ngx_http_sluice_load_version(void *data, const redisReply *reply)
{
    ngx_http_sluice_tenants_t *tenants = data;

    ngx_http_sluice_table_t  *table;

    table = tenants->table;
    tenants->load = NGX_HTTP_SLUICE_LOAD_IDLE;

    if (reply == NULL || ngx_http_sluice_load_elsewhere(tenants, reply)) {
        return;
    }

    if (reply->type == REDIS_REPLY_NIL) {

        if (table->loaded && table->version_len) {
            tenants->anew = 1;
            ngx_http_sluice_load_complain(tenants, NULL,
                      "\"" SLUICE_KEYS_TENANTS_VERSION "\" is gone");
            return;
        }

        tenants->load_version_len = 0;

    } else if (reply->type == REDIS_REPLY_STRING && reply->len
               && (size_t) reply->len <= NGX_HTTP_SLUICE_TABLE_VERSION)
    {
        tenants->load_version_len = reply->len;
        ngx_memcpy(tenants->load_version, reply->str, reply->len);

    } else {
        ngx_http_sluice_load_complain(tenants, reply,
                      "\"" SLUICE_KEYS_TENANTS_VERSION "\" is no version");
        return;
    }

    if (!tenants->anew
        && table->loaded
        && table->version_len == tenants->load_version_len
        && ngx_memcmp(table->version, tenants->load_version,
                      table->version_len)
           == 0
        && ngx_memcmp(table->source, tenants->source,
                      NGX_HTTP_SLUICE_TABLE_DIGEST)
           == 0)
    {
        table->checked = ngx_time();
        return;
    }

    if (tenants->entry == NULL) {
        tenants->entry = ngx_alloc(sizeof(sluice_tenant_t), ngx_cycle->log);
        if (tenants->entry == NULL) {
            return;
        }
    }

    tenants->load_generation = ++table->generation;

    tenants->load_seen = 0;
    tenants->load_refused = 0;
    tenants->load_nomem = 0;

    ngx_http_sluice_load_ask(tenants, "0");
}


static void
ngx_http_sluice_load_piece(void *data, const redisReply *reply)
{
    ngx_http_sluice_tenants_t *tenants = data;

    size_t             i;
    const redisReply  *cursor, *fields;

    tenants->load = NGX_HTTP_SLUICE_LOAD_IDLE;

    if (reply == NULL || ngx_http_sluice_load_elsewhere(tenants, reply)) {
        return;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || reply->element[0]->type != REDIS_REPLY_STRING
        || reply->element[1]->type != REDIS_REPLY_ARRAY)
    {
        ngx_http_sluice_load_complain(tenants, reply,
                      "\"" SLUICE_KEYS_TENANTS "\" is not read");
        return;
    }

    /* taken for dead, or shutting down: another one loads */

    if (tenants->table->poller != (ngx_atomic_uint_t) ngx_pid) {
        return;
    }

    cursor = reply->element[0];
    fields = reply->element[1];

    for (i = 0; i + 1 < fields->elements; i += 2) {
        ngx_http_sluice_load_entry(tenants, fields->element[i],
                                   fields->element[i + 1]);
    }

    if (cursor->len == 1 && cursor->str[0] == '0') {
        ngx_http_sluice_load_done(tenants);
        return;
    }

    ngx_http_sluice_load_ask(tenants, cursor->str);
}


/* A wrong entry is refused alone: named, and an older version of it stays. */

static void
ngx_http_sluice_load_entry(ngx_http_sluice_tenants_t *tenants,
    const redisReply *field, const redisReply *value)
{
    u_char                  digest[EVP_MAX_MD_SIZE];
    ngx_str_t               id;
    ngx_uint_t              good, named;
    EVP_MD_CTX             *md;
    sluice_tenant_error_t   error;

    if (field->type != REDIS_REPLY_STRING || value->type != REDIS_REPLY_STRING)
    {
        return;
    }

    id.data = (u_char *) field->str;
    id.len = field->len;

    /* the same text opens otherwise under other keys */

    md = EVP_MD_CTX_new();

    good = md != NULL
           && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1
           && EVP_DigestUpdate(md, tenants->source,
                               NGX_HTTP_SLUICE_TABLE_DIGEST)
              == 1
           && EVP_DigestUpdate(md, value->str, value->len) == 1
           && EVP_DigestFinal_ex(md, digest, NULL) == 1;

    EVP_MD_CTX_free(md);

    tenants->load_seen++;

    if (good
        && ngx_http_sluice_table_known(tenants, id.data, id.len, digest, 0))
    {
        return;
    }

    named = sluice_keys_name_ok(field->str, field->len);

    if (good
        && sluice_tenant_parse(tenants->entry, field->str, field->len,
                               value->str, value->len, &tenants->keys, &error))
    {
        if (ngx_http_sluice_table_put(tenants, tenants->entry, digest)
            == NGX_OK)
        {
            sluice_tenant_cleanse(tenants->entry);
            return;
        }

        tenants->load_nomem++;
        error.pointer[0] = '\0';
        error.what = "has no room in the zone";
    }

    if (!good) {
        error.pointer[0] = '\0';
        error.what = "has no digest";
    }

    sluice_tenant_cleanse(tenants->entry);

    if (named) {
        (void) ngx_http_sluice_table_known(tenants, id.data, id.len, digest,
                                           1);
    } else {
        ngx_str_set(&id, "(no name)");
    }

    if (tenants->load_refused++ < NGX_HTTP_SLUICE_LINES) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "sluice_tenants refused the entry \"%V\": %s%s%s", &id,
                      error.pointer, error.pointer[0] ? " " : "", error.what);
    }
}


static void
ngx_http_sluice_load_done(ngx_http_sluice_tenants_t *tenants)
{
    ngx_uint_t                level, swept;
    ngx_http_sluice_table_t  *table;

    table = tenants->table;

    /* made anew meanwhile, what was seen before is gone: from the beginning */

    if (table->generation != tenants->load_generation) {
        return;
    }

    swept = ngx_http_sluice_table_sweep(tenants);

    /* nor when it was the sweep that found it half changed */

    if (table->generation != tenants->load_generation) {
        return;
    }

    table->refused = tenants->load_refused;
    table->nomem = tenants->load_nomem;
    table->loaded = ngx_time();

    /* there is room by now: without its version the table is loaded again */

    if (tenants->load_nomem && swept) {
        table->version_len = 0;
        return;
    }

    ngx_memcpy(table->version, tenants->load_version,
               tenants->load_version_len);
    table->version_len = tenants->load_version_len;

    ngx_memcpy(table->source, tenants->source, NGX_HTTP_SLUICE_TABLE_DIGEST);

    tenants->anew = 0;

    table->checked = ngx_time();
    table->loads++;

    level = tenants->load_refused ? NGX_LOG_ERR : NGX_LOG_NOTICE;

    ngx_log_error(level, ngx_cycle->log, 0,
                  "sluice_tenants loaded version \"%*s\": %uA tenants, "
                  "%ui entries refused", table->version_len, table->version,
                  table->tenants, tenants->load_refused);
}


/* Once a minute: the table stays as it is. */

static void
ngx_http_sluice_load_complain(ngx_http_sluice_tenants_t *tenants,
    const redisReply *reply, const char *what)
{
    ngx_str_t  text;

    if (ngx_time() - tenants->told < 60) {
        return;
    }

    tenants->told = ngx_time();

    ngx_str_null(&text);

    if (reply && reply->type == REDIS_REPLY_ERROR) {
        text.data = (u_char *) reply->str;
        text.len = ngx_min((size_t) reply->len, 200);
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "sluice_tenants: %s in the Redis \"%V\", the table is not "
                  "refreshed%s%V", what, &tenants->server->name,
                  text.len ? ": " : "", &text);
}
