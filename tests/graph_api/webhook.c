#include <stdlib.h>
#include <string.h>
#include <event2/util.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include "graph_api.h"


#define RETRY_MAX   60000                /* ms between two repeats */
#define HEADER_LEN  (sizeof("X-Hub-Signature-256: sha256=") + 64)

typedef struct letter_s  letter_t;

/* a webhook on its way */
struct letter_s {
    letter_t       *next, **prev;        /* in the list of those that wait */
    webhook_t      *webhook;
    char           *body;
    size_t          len;
    char            signature[HEADER_LEN];
    unsigned        failures;
    struct event   *timer;
    void          (*done)(void *data);
    void           *data;
};

struct webhook_s {
    standin_t      *standin;
    char           *url;
    letter_t       *waiting;
    uint64_t        posted, taken, refused;
    long            last_status;
};

/* a question of a client of ours that waits for an answer of the webhook's */
typedef struct {
    webhook_t              *webhook;
    struct evhttp_request  *req;
    char                    challenge[16];
    char                   *url;
} question_t;


static const char *const  plain_headers[] = {
    "Content-Type: application/json", "Accept: */*", "Expect:", NULL
};


webhook_t *
webhook_create(standin_t *standin)
{
    webhook_t  *webhook;

    webhook = must(calloc(1, sizeof(*webhook)));
    webhook->standin = standin;

    if (standin->options.webhook) {
        webhook->url = must(strdup(standin->options.webhook));
    }

    return webhook;
}


bool
webhook_known(const webhook_t *webhook)
{
    return webhook->url != NULL;
}


static void
sign(char dst[HEADER_LEN], const char *secret, const char *body, size_t len)
{
    size_t         n;
    unsigned       i, size;
    unsigned char  mac[EVP_MAX_MD_SIZE];

    must(HMAC(EVP_sha256(), secret, (int) strlen(secret),
              (const unsigned char *) body, len, mac, &size));

    n = (size_t) snprintf(dst, HEADER_LEN, "X-Hub-Signature-256: sha256=");

    for (i = 0; i < size; i++) {
        snprintf(dst + n + 2 * i, 3, "%02x", mac[i]);
    }
}


static void
letter_unlink(letter_t *letter)
{
    if (letter->prev) {
        *letter->prev = letter->next;

        if (letter->next) {
            letter->next->prev = letter->prev;
        }

        letter->prev = NULL;
    }
}


static void
letter_free(letter_t *letter)
{
    letter_unlink(letter);

    if (letter->timer) {
        event_free(letter->timer);
    }

    letter->done(letter->data);
    free(letter->body);
    free(letter);
}


static void letter_post(letter_t *letter);


static void
letter_again(evutil_socket_t fd, short what, void *data)
{
    letter_unlink(data);
    letter_post(data);
}


static void
letter_answered(void *data, const reply_t *reply)
{
    int64_t          wait;
    letter_t        *letter;
    webhook_t       *webhook;
    struct timeval   tv;

    letter = data;
    webhook = letter->webhook;
    webhook->last_status = reply->status;

    if (reply->status == 200) {
        webhook->taken++;
        letter_free(letter);
        return;
    }

    webhook->refused++;

    wait = webhook->standin->options.retry;

    if (letter->failures < 16) {
        wait <<= letter->failures;
    }

    if (letter->failures >= 16 || wait > RETRY_MAX) {
        wait = RETRY_MAX;
    }

    letter->failures++;

    letter->next = webhook->waiting;
    letter->prev = &webhook->waiting;

    if (letter->next) {
        letter->next->prev = &letter->next;
    }

    webhook->waiting = letter;

    if (letter->timer == NULL) {
        letter->timer = must(evtimer_new(webhook->standin->base, letter_again,
                                         letter));
    }

    tv.tv_sec = wait / 1000;
    tv.tv_usec = wait % 1000 * 1000;
    evtimer_add(letter->timer, &tv);
}


static void
letter_post(letter_t *letter)
{
    const char  *headers[] = {
        plain_headers[0], plain_headers[1], plain_headers[2],
        letter->signature, NULL
    };

    letter->webhook->posted++;
    client_request(letter->webhook->standin->client, letter->webhook->url,
                   letter->body, letter->len, headers, letter_answered,
                   letter);
}


void
webhook_post(webhook_t *webhook, const char *body, size_t len,
    void (*done)(void *data), void *data)
{
    letter_t  *letter;

    letter = must(calloc(1, sizeof(*letter)));
    letter->webhook = webhook;
    letter->body = must(malloc(len + 1));
    memcpy(letter->body, body, len);
    letter->len = len;
    letter->done = done;
    letter->data = data;

    sign(letter->signature, webhook->standin->options.app_secret, body, len);
    letter_post(letter);
}


void
webhook_reset(webhook_t *webhook)
{
    while (webhook->waiting) {
        letter_free(webhook->waiting);
    }

    webhook->posted = 0;
    webhook->taken = 0;
    webhook->refused = 0;
    webhook->last_status = 0;
}


json_t *
webhook_state(const webhook_t *webhook)
{
    json_int_t  waiting;
    letter_t   *letter;

    waiting = 0;

    for (letter = webhook->waiting; letter; letter = letter->next) {
        waiting++;
    }

    return must(json_pack("{ss?, sI, sI, sI, sI, sI}", "url", webhook->url,
                          "posted", (json_int_t) webhook->posted, "taken",
                          (json_int_t) webhook->taken, "refused",
                          (json_int_t) webhook->refused, "waiting", waiting,
                          "last_status", (json_int_t) webhook->last_status));
}


static void
question_answer(question_t *question, int status, json_t *body)
{
    answer_json(question->webhook->standin, question->req, status, body);
    free(question->url);
    free(question);
}


static void
sent_answered(void *data, const reply_t *reply)
{
    json_t      *body;
    question_t  *question;

    question = data;
    body = json_stringn(reply->body, reply->body_len);

    if (body == NULL) {
        body = json_string("(not UTF-8)");
    }

    question_answer(question, 200,
                    json_pack("{sI, so, ss?, ss?}", "status",
                              (json_int_t) reply->status, "body", body,
                              "retry_after", reply->retry_after, "error",
                              reply->error));
}


void
webhook_send(webhook_t *webhook, struct evhttp_request *req, sign_e how)
{
    char         good[HEADER_LEN], bad[HEADER_LEN], *url;
    size_t       len, n;
    const char  *body, *headers[6];
    question_t  *question;

    url = query_get(req, "url");

    if (url == NULL && webhook->url == NULL) {
        answer_json(webhook->standin, req, 400,
                    json_pack("{ss}", "error", "no webhook is known: start "
                              "with --webhook, subscribe, or give url="));
        return;
    }

    body = body_get(req, &len);

    sign(good, webhook->standin->options.app_secret, body, len);
    sign(bad, "not the secret of this app", body, len);

    for (n = 0; n < 3; n++) {
        headers[n] = plain_headers[n];
    }

    if (how == SIGN_GOOD || how == SIGN_DOUBLE) {
        headers[n++] = good;
    }

    if (how == SIGN_BAD || how == SIGN_DOUBLE) {
        headers[n++] = bad;
    }

    headers[n] = NULL;

    question = must(calloc(1, sizeof(*question)));
    question->webhook = webhook;
    question->req = req;
    question->url = url;

    client_request(webhook->standin->client, url ? url : webhook->url, body,
                   len, headers, sent_answered, question);
}


static void
challenge_answered(void *data, const reply_t *reply)
{
    char         text[256];
    json_t      *body;
    question_t  *question;

    question = data;

    if (reply->status == 200
        && reply->body_len == strlen(question->challenge)
        && memcmp(reply->body, question->challenge, reply->body_len) == 0)
    {
        free(question->webhook->url);
        question->webhook->url = must(strdup(question->url));
        question_answer(question, 200,
                        json_pack("{sb, sI, ss}", "success", 1, "status",
                                  (json_int_t) reply->status, "challenge",
                                  question->challenge));
        return;
    }

    if (reply->status == 200) {
        snprintf(text, sizeof(text), "Callback verification failed with the "
                 "following errors: the challenge %s did not come back "
                 "exactly", question->challenge);

    } else {
        snprintf(text, sizeof(text), "Callback verification failed with the "
                 "following errors: HTTP Status Code = %ld; %.128s",
                 reply->status, reply->error ? reply->error : "");
    }

    body = error_body(2200, text);
    json_object_set_new(body, "status",
                        json_integer((json_int_t) reply->status));
    question_answer(question, 400, body);
}


void
webhook_subscribe(webhook_t *webhook, struct evhttp_request *req,
    const json_t *body)
{
    char        *full, *encoded;
    size_t       size;
    unsigned     number;
    const char  *url, *token;
    question_t  *question;

    url = json_string_value(json_object_get(body, "callback_url"));
    token = json_string_value(json_object_get(body, "verify_token"));

    url = url ? url : webhook->url;
    token = token ? token : webhook->standin->options.verify_token;

    if (url == NULL || token == NULL) {
        answer_json(webhook->standin, req, 400,
                    json_pack("{ss}", "error", "callback_url and "
                              "verify_token are required"));
        return;
    }

    question = must(calloc(1, sizeof(*question)));
    question->webhook = webhook;
    question->req = req;
    question->url = must(strdup(url));

    RAND_bytes((unsigned char *) &number, sizeof(number));
    snprintf(question->challenge, sizeof(question->challenge), "%u", number);

    encoded = must(evhttp_encode_uri(token));
    size = strlen(url) + strlen(encoded) + 128;
    full = must(malloc(size));
    snprintf(full, size, "%s%chub.mode=subscribe&hub.challenge=%s"
             "&hub.verify_token=%s", url, strchr(url, '?') ? '&' : '?',
             question->challenge, encoded);

    client_request(webhook->standin->client, full, NULL, 0, NULL,
                   challenge_answered, question);

    free(full);
    free(encoded);
}
