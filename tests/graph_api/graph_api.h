/*
 * A stand-in for Meta's Graph API, as far as a sender of WhatsApp messages
 * meets it: for `make run`, for tests and for benchmarks.  It shares no code
 * with what it stands against.
 *
 *   main.c       options, listening, the loop
 *   route.c      path and method -> the function that answers; the token
 *   answer.c     JSON answers and Meta's error shape
 *   exchange.c   the end of one exchange: at once, later, never, cut off
 *   records.c    what was asked and when it was answered
 *   failures.c   failures by script
 *   check.c      is a message's body what the Cloud API takes?         (pure)
 *   messages.c   /<phone number id>/messages
 *   media.c      uploads and downloads
 *   templates.c  message templates, with cursors
 *   account.c    phone numbers and the rest of the management calls
 *   client.c     libcurl multi on the same loop
 *   webhook.c    signed webhooks, repeated until they are taken; subscribing
 *   statuses.c   sent, delivered, read of each accepted message
 *   standin.c    the control endpoints below /standin/
 *
 * Times are milliseconds since 1970.
 */

#ifndef GRAPH_API_H
#define GRAPH_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <event2/event.h>
#include <event2/http.h>
#include <jansson.h>


#define TOKENS_MAX  16

typedef struct records_s    records_t;
typedef struct failures_s   failures_t;
typedef struct client_s     client_t;
typedef struct webhook_s    webhook_t;
typedef struct statuses_s   statuses_t;
typedef struct templates_s  templates_t;
typedef struct media_s      media_t;

typedef struct {
    const char         *listen;
    const char         *tokens[TOKENS_MAX];    /* none: any token will do */
    size_t              ntokens;
    const char         *app_secret;
    const char         *webhook;               /* NULL until subscribed */
    const char         *verify_token;
    const char         *account;               /* WhatsApp business account */
    int64_t             delay;
    int64_t             status_delay;
    int64_t             retry;                 /* first repeat of a webhook */
    bool                no_status;
    bool                usage;
    const char         *log;
} options_t;

typedef struct {
    options_t           options;
    struct event_base  *base;
    struct evhttp      *http;
    FILE               *log;
    records_t          *records;
    failures_t         *failures;
    client_t           *client;
    webhook_t          *webhook;
    statuses_t         *statuses;
    templates_t        *templates;
    media_t            *media;
} standin_t;


/* ----------------------------------------------------------------- main.c */

int64_t now_ms(void);
/* every allocation here: an answer or the end of the program */
void *must(void *memory);


/* ---------------------------------------------------------------- route.c */

void route(struct evhttp_request *req, void *standin);

/* a parameter of the query string, malloc()ed, or NULL */
char *query_get(struct evhttp_request *req, const char *name);
/* the whole body, not NUL-terminated */
const char *body_get(struct evhttp_request *req, size_t *len);


/* --------------------------------------------------------------- answer.c */

/* body is stolen */
void answer_json(standin_t *standin, struct evhttp_request *req, int status,
    json_t *body);
/* details may be NULL; status 0: the one Meta gives with this code */
void answer_error(standin_t *standin, struct evhttp_request *req, int status,
    int code, const char *details);
json_t *error_body(int code, const char *details);
int error_status(int code);
/* what a status webhook says of the code */
const char *error_title(int code);


/* --------------------------------------------------------------- records.c */

typedef struct {
    uint64_t   seq;            /* from 1 */
    char      *wamid;          /* NULL: not accepted */
    char      *to;             /* to or recipient as asked for */
    char      *number;         /* phone number id */
    char      *callback_data;  /* or NULL */
    uint64_t   connection;
    int64_t    arrived;
    int64_t    answered;       /* 0: not yet, or never */
    int64_t    closed;         /* the client went before the answer; or 0 */
    int        status;         /* HTTP, 0 none */
} record_t;

records_t *records_create(void);
/* the strings are copied; the answer is the record's number */
uint64_t records_add(records_t *records, const record_t *record);
/* NULL when it was pushed out by later ones */
record_t *records_at(records_t *records, uint64_t seq);
uint64_t records_total(const records_t *records);
void records_reset(records_t *records);
/* the number of the connection that a request came by */
uint64_t records_connection(records_t *records, struct evhttp_request *req);


/* -------------------------------------------------------------- exchange.c */

typedef enum {
    EXCHANGE_ANSWER,
    EXCHANGE_NEVER,      /* keep silent until the client goes */
    EXCHANGE_RESET       /* cut the connection */
} exchange_end_e;

/* body is stolen; seq 0: no record of it */
void exchange_end(standin_t *standin, struct evhttp_request *req,
    uint64_t seq, exchange_end_e end, int64_t delay, int status,
    json_t *body);


/* -------------------------------------------------------------- failures.c */

typedef enum {
    FAIL_NONE,
    FAIL_CODE,           /* an error answer */
    FAIL_SLOW,           /* accepted, answered after ms */
    FAIL_TIMEOUT,        /* not accepted, never answered */
    FAIL_TIMEOUT_AFTER,  /* accepted, never answered */
    FAIL_RESET,          /* not accepted, connection reset */
    FAIL_RESET_AFTER     /* accepted, connection reset */
} fail_mode_e;

typedef struct {
    fail_mode_e  mode;
    int          code;
    int          status;
    int64_t      ms;
} failure_t;

failures_t *failures_create(void);
/* NULL, or what is wrong with the script's line */
const char *failures_add(failures_t *failures, const json_t *rule);
void failures_match(failures_t *failures, failure_t *failure, const char *to);
json_t *failures_list(const failures_t *failures);
void failures_reset(failures_t *failures);


/* ----------------------------------------------------------------- check.c */

/* 0, or the error code with its details in `details` */
int check_message(const json_t *body, char *details, size_t size);
/* "+351 912 000-111" -> "351912000111"; false when it is no phone number */
bool check_phone(char *digits, size_t size, const char *text);


/* ------------------------------------- messages, media, templates, account */

void messages_post(standin_t *standin, struct evhttp_request *req,
    const char *number, bool marketing);

media_t *media_create(void);
void media_post(standin_t *standin, struct evhttp_request *req);
/* false when there is none of this id */
bool media_get(standin_t *standin, struct evhttp_request *req,
    const char *id);
void media_download(standin_t *standin, struct evhttp_request *req,
    const char *id);
void media_reset(media_t *media);

templates_t *templates_create(void);
void templates_list(standin_t *standin, struct evhttp_request *req,
    const char *account);
void templates_post(standin_t *standin, struct evhttp_request *req);
void templates_delete(standin_t *standin, struct evhttp_request *req);
/* false when there is none of this id */
bool templates_edit(standin_t *standin, struct evhttp_request *req,
    const char *id);
void templates_reset(templates_t *templates);

void account_numbers(standin_t *standin, struct evhttp_request *req);
void account_number(standin_t *standin, struct evhttp_request *req,
    const char *id);
void account_profile(standin_t *standin, struct evhttp_request *req);
void account_apps(standin_t *standin, struct evhttp_request *req);
/* the number as people read it */
void account_display(char *dst, size_t size, const char *id);


/* ---------------------------------------------------------------- client.c */

typedef struct {
    long         status;      /* 0: nothing came back, see error */
    const char  *error;
    const char  *body;
    size_t       body_len;
    const char  *retry_after; /* header, or NULL */
} reply_t;

typedef void (*client_done_pt)(void *data, const reply_t *reply);

client_t *client_create(struct event_base *base);
/*
 * GET when body is NULL.  url is http(s)://... or unix:/socket:/uri; headers
 * are NULL-terminated.  All is copied.  done is called once.
 */
void client_request(client_t *client, const char *url, const char *body,
    size_t len, const char *const *headers, client_done_pt done, void *data);


/* --------------------------------------------------------------- webhook.c */

typedef enum { SIGN_GOOD, SIGN_BAD, SIGN_MISSING, SIGN_DOUBLE } sign_e;

webhook_t *webhook_create(standin_t *standin);
bool webhook_known(const webhook_t *webhook);
/* signed, and again with a backoff until it is answered 200; done after that */
void webhook_post(webhook_t *webhook, const char *body, size_t len,
    void (*done)(void *data), void *data);
/* once; the request is answered with what came back */
void webhook_send(webhook_t *webhook, struct evhttp_request *req,
    sign_e sign);
void webhook_subscribe(webhook_t *webhook, struct evhttp_request *req,
    const json_t *body);
json_t *webhook_state(const webhook_t *webhook);
/* what waits for a repeat is forgotten */
void webhook_reset(webhook_t *webhook);


/* -------------------------------------------------------------- statuses.c */

typedef struct {
    const char  *wamid;
    const char  *number;
    const char  *wa_id;          /* or NULL */
    const char  *user_id;
    const char  *callback_data;  /* or NULL */
    const char  *category;       /* of the price: service, utility, ... */
} status_of_t;

statuses_t *statuses_create(standin_t *standin);
/* starts the story of a message: sent, delivered, read unless set otherwise */
void statuses_start(statuses_t *statuses, const status_of_t *of);
/* NULL, or what is wrong */
const char *statuses_set(statuses_t *statuses, const json_t *body);
json_t *statuses_state(const statuses_t *statuses);
void statuses_reset(statuses_t *statuses);


/* --------------------------------------------------------------- standin.c */

/* path after "/standin/" */
void standin_control(standin_t *standin, struct evhttp_request *req,
    const char *path);


#endif
