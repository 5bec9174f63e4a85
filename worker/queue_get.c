/*
 * The getters of queue_admin.h.  The answers of a call's commands come in their
 * order, and are gathered in one piece of memory until the last is there.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/link.h"
#include "worker/queue_admin.h"


#define GET_FIELDS  12
#define GET_AHEAD   8     /* rows asked for at once: what is over `most` */


const char *const  queue_states[] = {
    "waiting", "active", "delayed", "prioritized", "waiting-children",
    "completed", "failed", "unknown"
};


/* by job_state_e, then `paused`, which stands for `wait` in BullMQ 5 */

static const struct {
    const char  *suffix;
    bool         list;
} get_keys[] = {
    { "wait", true },
    { "active", true },
    { "delayed", false },
    { "prioritized", false },
    { "waiting-children", false },
    { "completed", false },
    { "failed", false },
    { "paused", true }
};

#define GET_KEYS    (sizeof(get_keys) / sizeof(get_keys[0]))
#define GET_PAUSED  (GET_KEYS - 1)


typedef struct get_s  get_t;

struct get_s {
    sluice_redis_t    *redis;
    const queue_t     *queue;
    void             (*answer)(get_t *get, size_t i, const redisReply *reply);
    void             (*finish)(get_t *get);
    size_t             sent, answered;
    bool               all;          /* no more will be sent */
    bool               dropped;      /* the call failed: nobody is told */
    queue_read_e       result;

    union {
        queue_counted_pt   counted;
        queue_stated_pt    stated;
        queue_paged_pt     paged;
    } done;

    void              *data;
    queue_counts_t     counts;
    job_state_e        state;
    bool               reversed;     /* the ids of a page */
    size_t             asked;        /* rows */
    size_t             bytes, most;  /* of their text */
    queue_row_t       *rows;
    char             **texts;        /* GET_FIELDS a row, then the ids */
    size_t             n;
};


static void
get_free(get_t *get)
{
    size_t  i;

    for (i = 0; get->texts && i < get->n * (GET_FIELDS + 1); i++) {
        free(get->texts[i]);
    }

    free(get->texts);
    free(get->rows);
    free(get);
}


static void
get_end(get_t *get)
{
    if (!get->all || get->answered < get->sent) {
        return;
    }

    if (!get->dropped) {
        get->finish(get);
    }

    get_free(get);
}


static void
get_reply(void *data, const redisReply *reply)
{
    get_t   *get = data;
    size_t   i;

    i = get->answered++;

    if (reply == NULL || (reply->type == REDIS_REPLY_ERROR
                          && sluice_redis_reply_kind(reply)
                             != SLUICE_REDIS_REPLY_WRONG))
    {
        get->result = QUEUE_READ_AWAY;

    } else if (!get->dropped && get->result == QUEUE_READ_OK) {
        get->answer(get, i, reply);
    }

    get_end(get);
}


/* COMMAND base+suffix [more...] */

static sluice_redis_result_e
get_send(get_t *get, const char *command, const char *suffix,
    const char *const *more, size_t n)
{
    size_t                 i, base, len;
    sluice_redis_result_e  rc;

    base = strlen(get->queue->base);
    len = strlen(suffix);

    rc = sluice_redis_begin(get->redis, 2 + n, clock_ms());

    if (rc != SLUICE_REDIS_OK) {
        return rc;
    }

    sluice_redis_arg(get->redis, command, strlen(command));
    sluice_redis_arg_begin(get->redis, base + len);
    sluice_redis_piece(get->redis, get->queue->base, base);
    sluice_redis_piece(get->redis, suffix, len);

    for (i = 0; i < n; i++) {
        sluice_redis_arg(get->redis, more[i], strlen(more[i]));
    }

    rc = sluice_redis_end(get->redis, get_reply, get);

    if (rc == SLUICE_REDIS_OK) {
        get->sent++;
    }

    return rc;
}


/* `rc` of the last command: when it was not queued the others are not told */

static sluice_redis_result_e
get_sent(get_t *get, sluice_redis_result_e rc)
{
    get->dropped = rc != SLUICE_REDIS_OK;
    get->all = true;
    get_end(get);

    return rc;
}


static get_t *
get_create(sluice_redis_t *redis, const queue_t *queue, void *data)
{
    get_t  *get;

    get = calloc(1, sizeof(get_t));

    if (get != NULL) {
        get->redis = redis;
        get->queue = queue;
        get->data = data;
        get->state = STATE_UNKNOWN;
    }

    return get;
}


/* ----------------------------------------------------------------- counts */

static void
counts_answer(get_t *get, size_t i, const redisReply *reply)
{
    int64_t  n;

    if (i == GET_KEYS) {
        get->counts.paused = reply->type == REDIS_REPLY_INTEGER
                             && reply->integer == 1;
        return;
    }

    n = (reply->type == REDIS_REPLY_INTEGER) ? reply->integer : -1;

    if (i < GET_PAUSED) {
        get->counts.jobs[i] = n;

    } else if (get->counts.jobs[STATE_WAITING] >= 0 && n > 0) {
        get->counts.jobs[STATE_WAITING] += n;
    }
}


static void
counts_finish(get_t *get)
{
    get->done.counted(get->data, get->result, &get->counts);
}


sluice_redis_result_e
queue_counts(sluice_redis_t *redis, const queue_t *queue,
    queue_counted_pt done, void *data)
{
    get_t                  *get;
    size_t                  i;
    sluice_redis_result_e   rc;

    static const char *const  paused[] = { "paused" };

    get = get_create(redis, queue, data);

    if (get == NULL) {
        return SLUICE_REDIS_NOMEM;
    }

    get->answer = counts_answer;
    get->finish = counts_finish;
    get->done.counted = done;
    rc = SLUICE_REDIS_OK;

    for (i = 0; rc == SLUICE_REDIS_OK && i < GET_KEYS; i++) {
        rc = get_send(get, get_keys[i].list ? "LLEN" : "ZCARD",
                      get_keys[i].suffix, NULL, 0);
    }

    if (rc == SLUICE_REDIS_OK) {
        rc = get_send(get, "HEXISTS", "meta", paused, 1);
    }

    return get_sent(get, rc);
}


/* ------------------------------------------------------------------ state */

static const job_state_e  state_order[] = {
    STATE_COMPLETED, STATE_FAILED, STATE_DELAYED, STATE_PRIORITIZED,
    STATE_CHILDREN, STATE_ACTIVE
};

#define STATE_ORDER  (sizeof(state_order) / sizeof(state_order[0]))


static void
state_answer(get_t *get, size_t i, const redisReply *reply)
{
    bool  found;

    if (i < STATE_ORDER) {
        found = reply->type == REDIS_REPLY_STRING
                || reply->type == REDIS_REPLY_INTEGER;

        if (found && get->state == STATE_UNKNOWN) {
            get->state = state_order[i];
        }

        return;
    }

    /* the fields of a job, which `meta` has not */

    found = reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
            && (reply->element[0]->type == REDIS_REPLY_STRING
                || reply->element[1]->type == REDIS_REPLY_STRING);

    if (!found) {
        get->state = STATE_UNKNOWN;

    } else if (get->state == STATE_UNKNOWN) {
        get->state = STATE_WAITING;
    }
}


static void
state_finish(get_t *get)
{
    get->done.stated(get->data, get->result, get->state);
}


sluice_redis_result_e
queue_state(sluice_redis_t *redis, const queue_t *queue, const char *id,
    queue_stated_pt done, void *data)
{
    get_t                  *get;
    size_t                  i;
    sluice_redis_result_e   rc;

    static const char *const  fields[] = { "name", "timestamp" };

    get = get_create(redis, queue, data);

    if (get == NULL) {
        return SLUICE_REDIS_NOMEM;
    }

    get->answer = state_answer;
    get->finish = state_finish;
    get->done.stated = done;
    rc = SLUICE_REDIS_OK;

    for (i = 0; rc == SLUICE_REDIS_OK && i < STATE_ORDER; i++) {
        rc = get_send(get, get_keys[state_order[i]].list ? "LPOS" : "ZSCORE",
                      get_keys[state_order[i]].suffix, &id, 1);
    }

    if (rc == SLUICE_REDIS_OK) {
        rc = get_send(get, "HMGET", id, fields, 2);
    }

    return get_sent(get, rc);
}


/* ------------------------------------------------------------------- page */

static const char *const  page_fields[GET_FIELDS] = {
    "name", "data", "opts", "progress", "returnvalue", "failedReason",
    "timestamp", "processedOn", "finishedOn", "atm", "delay", "priority"
};


/* a copy that is the page's to free; "" where there is none */

static const char *
page_text(get_t *get, size_t i, const redisReply *reply)
{
    char  *text;

    if (reply->type != REDIS_REPLY_STRING) {
        return "";
    }

    text = malloc((size_t) reply->len + 1);

    if (text == NULL) {
        get->result = QUEUE_READ_AWAY;
        return "";
    }

    memcpy(text, reply->str, (size_t) reply->len + 1);
    get->texts[i] = text;
    get->bytes += (size_t) reply->len;

    return text;
}


static void
page_row(get_t *get, size_t i, const redisReply *reply)
{
    size_t        k;
    queue_row_t  *row;
    const char   *text[GET_FIELDS];

    row = &get->rows[i];

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != GET_FIELDS) {
        row->gone = true;
        return;
    }

    row->gone = reply->element[0]->type == REDIS_REPLY_NIL
                && reply->element[1]->type == REDIS_REPLY_NIL;

    for (k = 0; k < GET_FIELDS; k++) {
        text[k] = page_text(get, i * GET_FIELDS + k, reply->element[k]);
    }

    row->name = text[0];
    row->data = text[1];
    row->opts = text[2];
    row->progress = text[3];
    row->returnvalue = text[4];
    row->reason = text[5];
    row->timestamp = strtoll(text[6], NULL, 10);
    row->started = strtoll(text[7], NULL, 10);
    row->finished = strtoll(text[8], NULL, 10);
    row->attempts = strtoll(text[9], NULL, 10);
    row->delay = strtoll(text[10], NULL, 10);
    row->priority = strtoll(text[11], NULL, 10);
}


static bool
page_fits(const get_t *get)
{
    return get->n <= 1 || get->bytes <= get->most;
}


static void
page_ask(get_t *get)
{
    while (get->asked < get->n && page_fits(get)
           && get->sent - get->answered < GET_AHEAD)
    {
        if (get_send(get, "HMGET", get->rows[get->asked++].id, page_fields,
                     GET_FIELDS)
            != SLUICE_REDIS_OK)
        {
            get->result = QUEUE_READ_AWAY;
            return;
        }
    }
}


/* the ids, then a row each */

static void
page_answer(get_t *get, size_t i, const redisReply *reply)
{
    size_t        k, n;
    queue_row_t  *row;

    if (i > 0) {
        if (page_fits(get)) {
            page_row(get, i - 1, reply);
            page_ask(get);
        }

        return;
    }

    if (reply->type != REDIS_REPLY_ARRAY) {
        get->result = queue_read_kind(get->queue, "page", reply);
        return;
    }

    n = reply->elements;
    get->rows = calloc(n ? n : 1, sizeof(queue_row_t));
    get->texts = calloc((n ? n : 1) * (GET_FIELDS + 1), sizeof(char *));

    if (get->rows == NULL || get->texts == NULL) {
        get->result = QUEUE_READ_AWAY;
        return;
    }

    get->n = n;

    for (k = 0; k < n; k++) {
        row = &get->rows[k];
        row->id = row->name = row->data = row->opts = row->progress =
            row->returnvalue = row->reason = "";
    }

    for (k = 0; k < n && get->result == QUEUE_READ_OK; k++) {
        row = &get->rows[k];
        row->id = page_text(get, n * GET_FIELDS + k,
                            reply->element[get->reversed ? n - 1 - k : k]);
    }

    if (get->result == QUEUE_READ_OK) {
        page_ask(get);
    }
}


static void
page_finish(get_t *get)
{
    bool  fine;

    fine = get->result == QUEUE_READ_OK;
    get->done.paged(get->data, get->result,
                    fine && page_fits(get) ? get->rows : NULL,
                    fine ? get->n : 0);
}


sluice_redis_result_e
queue_page(sluice_redis_t *redis, const queue_t *queue, job_state_e state,
    bool paused, bool newest, int64_t offset, size_t n, size_t most,
    queue_paged_pt done, void *data)
{
    char         first[24], last[24];
    get_t       *get;
    size_t       key;
    int64_t      from, to;
    const char  *range[] = { first, last };

    get = get_create(redis, queue, data);

    if (get == NULL) {
        return SLUICE_REDIS_NOMEM;
    }

    get->answer = page_answer;
    get->finish = page_finish;
    get->done.paged = done;
    get->most = most;
    key = (state == STATE_WAITING && paused) ? GET_PAUSED : (size_t) state;
    from = offset;
    to = offset + (int64_t) n - 1;

    /* the next job of a list is its last */

    get->reversed = get_keys[key].list && !newest;

    if (get->reversed) {
        from = -offset - (int64_t) n;
        to = -offset - 1;
    }

    snprintf(first, sizeof(first), "%lld", (long long) from);
    snprintf(last, sizeof(last), "%lld", (long long) to);

    return get_sent(get, get_send(get, get_keys[key].list ? "LRANGE"
                                       : newest ? "ZREVRANGE" : "ZRANGE",
                                  get_keys[key].suffix, range, 2));
}
