#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include "graph_api.h"


#define WAMID_MAX  160


/* the same person has the same user id every time */

static void
user_id(char *dst, size_t size, const char *digits)
{
    size_t       i;
    uint64_t     hash;
    const char  *p, *country;
    static const struct {
        const char  *prefix, *country;
    } countries[] = {
        { "351", "PT" }, { "353", "IE" }, { "234", "NG" }, { "1", "US" },
        { "33", "FR" }, { "34", "ES" }, { "39", "IT" }, { "44", "GB" },
        { "49", "DE" }, { "52", "MX" }, { "55", "BR" }, { "62", "ID" },
        { "91", "IN" }
    };

    country = "ZZ";

    for (i = 0; i < sizeof(countries) / sizeof(countries[0]); i++) {
        if (strncmp(digits, countries[i].prefix,
                    strlen(countries[i].prefix)) == 0)
        {
            country = countries[i].country;
            break;
        }
    }

    hash = 14695981039346656037ull;

    for (p = digits; *p; p++) {
        hash = (hash ^ (unsigned char) *p) * 1099511628211ull;
    }

    snprintf(dst, size, "%s.%020llu", country, (unsigned long long) hash);
}


/* shaped as Meta's: base64 of the recipient and 16 bytes in hex */

static void
new_wamid(char dst[WAMID_MAX], const char *to)
{
    static uint64_t  process, counter;

    char           hex[33];
    size_t         n;
    unsigned char  raw[96];

    if (process == 0) {
        RAND_bytes((unsigned char *) &process, sizeof(process));
    }

    snprintf(hex, sizeof(hex), "%016llX%016llX", (unsigned long long) process,
             (unsigned long long) ++counter);

    n = strlen(to);
    n = n > 40 ? 40 : n;

    raw[0] = 0x1d;
    raw[1] = 0x16;
    raw[2] = (unsigned char) n;
    memcpy(raw + 3, to, n);
    memcpy(raw + 3 + n, "\x15\x02\x00\x12\x18\x20", 6);
    memcpy(raw + 9 + n, hex, 32);
    raw[41 + n] = 0;

    memcpy(dst, "wamid.", 6);
    EVP_EncodeBlock((unsigned char *) dst + 6, raw, (int) (42 + n));
}


/* who is written to, in the forms in which Meta gives him back */
typedef struct {
    const char  *input;
    const char  *wa_id;      /* NULL: addressed by user id, or a group */
    const char  *user_id;
    bool         group;
    char         digits[32];
    char         hold[64];
} contact_t;


static void
contact_of(contact_t *contact, const json_t *body)
{
    const char  *kind;

    memset(contact, 0, sizeof(*contact));

    kind = json_string_value(json_object_get(body, "recipient_type"));
    contact->group = kind && strcmp(kind, "group") == 0;
    contact->input = json_string_value(json_object_get(body, "to"));

    if (contact->input == NULL) {
        contact->input = json_string_value(json_object_get(body, "recipient"));
        contact->user_id = contact->input;
        return;
    }

    if (!contact->group
        && check_phone(contact->digits, sizeof(contact->digits),
                       contact->input))
    {
        contact->wa_id = contact->digits;
        user_id(contact->hold, sizeof(contact->hold), contact->digits);
        contact->user_id = contact->hold;
    }
}


static json_t *
accepted(const contact_t *contact, const char *wamid, bool template)
{
    json_t  *person, *message;

    person = json_pack("{ss}", "input", contact->input);
    message = json_pack("{ss}", "id", wamid);

    if (contact->wa_id) {
        json_object_set_new(person, "wa_id", json_string(contact->wa_id));
    }

    if (contact->user_id && (template || contact->wa_id == NULL)) {
        json_object_set_new(person, "user_id", json_string(contact->user_id));
    }

    if (contact->group) {
        json_object_set_new(message, "group_id", json_string(contact->input));
    }

    if (template) {
        json_object_set_new(message, "message_status",
                            json_string("accepted"));
    }

    return must(json_pack("{ss, s[o], s[o]}", "messaging_product", "whatsapp",
                          "contacts", person, "messages", message));
}


static void
tell_statuses(standin_t *standin, const char *number, const char *wamid,
    const contact_t *contact, const json_t *body, bool template)
{
    status_of_t  of;

    memset(&of, 0, sizeof(of));
    of.wamid = wamid;
    of.number = number;
    of.wa_id = contact->wa_id;
    of.user_id = contact->user_id ? contact->user_id : contact->input;
    of.callback_data = json_string_value(
                           json_object_get(body, "biz_opaque_callback_data"));
    of.category = template ? "marketing" : "service";

    statuses_start(standin->statuses, &of);
}


static void
send_one(standin_t *standin, struct evhttp_request *req, const char *number,
    const json_t *body, bool marketing)
{
    int             code, status;
    bool            template, taken;
    char            wamid[WAMID_MAX], details[512], display[32];
    json_t         *answer;
    int64_t         delay;
    record_t        record;
    uint64_t        seq;
    contact_t       contact;
    failure_t       failure;
    const char     *type;
    exchange_end_e  end;

    contact_of(&contact, body);
    failures_match(standin->failures, &failure,
                   contact.input ? contact.input : "");

    code = check_message(body, details, sizeof(details));
    account_display(display, sizeof(display), number);

    if (code == 0 && contact.wa_id && strcmp(contact.wa_id, display) == 0) {
        code = 131021;
        strcpy(details, "Recipient phone number cannot be the sender's");
    }

    type = json_string_value(json_object_get(body, "type"));
    template = type && strcmp(type, "template") == 0;

    if (code == 0 && marketing && !template) {
        code = 131055;
        strcpy(details, "Only messages of type template can be sent here");
    }

    end = EXCHANGE_ANSWER;
    delay = standin->options.delay;
    taken = code == 0;

    switch (failure.mode) {
    case FAIL_NONE:
        break;
    case FAIL_CODE:
        taken = false;
        code = failure.code;
        snprintf(details, sizeof(details), "Failure %d by script", code);
        break;
    case FAIL_SLOW:
        delay = failure.ms;
        break;
    case FAIL_TIMEOUT:
        taken = false;
        end = EXCHANGE_NEVER;
        break;
    case FAIL_TIMEOUT_AFTER:
        end = EXCHANGE_NEVER;
        break;
    case FAIL_RESET:
        taken = false;
        end = EXCHANGE_RESET;
        break;
    case FAIL_RESET_AFTER:
        end = EXCHANGE_RESET;
        break;
    }

    status = 0;
    answer = NULL;

    if (taken) {
        new_wamid(wamid, contact.wa_id ? contact.wa_id : contact.input);
        status = 200;
        answer = accepted(&contact, wamid, template);

    } else if (end == EXCHANGE_ANSWER) {
        status = failure.mode == FAIL_CODE && failure.status
                 ? failure.status : error_status(code);
        answer = error_body(code, details);
    }

    memset(&record, 0, sizeof(record));
    record.wamid = taken ? wamid : NULL;
    record.to = (char *) (contact.input ? contact.input : "");
    record.number = (char *) number;
    record.callback_data = (char *) json_string_value(
                           json_object_get(body, "biz_opaque_callback_data"));
    record.connection = records_connection(standin->records, req);
    record.arrived = now_ms();
    seq = records_add(standin->records, &record);

    if (taken) {
        tell_statuses(standin, number, wamid, &contact, body, template);
    }

    exchange_end(standin, req, seq, end, delay, status, answer);
}


void
messages_post(standin_t *standin, struct evhttp_request *req,
    const char *number, bool marketing)
{
    int           code;
    char          details[512];
    size_t        len;
    json_t       *body;
    const char   *text, *status;
    json_error_t  error;

    text = body_get(req, &len);
    body = json_loadb(text, len, 0, &error);

    if (!json_is_object(body)) {
        json_decref(body);
        answer_error(standin, req, 400, 100,
                     "The body must be a JSON object.");
        return;
    }

    if (json_object_get(body, "status") == NULL) {
        send_one(standin, req, number, body, marketing);
        json_decref(body);
        return;
    }

    /* mark read, typing: no message, so no record and no statuses */

    code = check_message(body, details, sizeof(details));
    status = json_string_value(json_object_get(body, "status"));

    if (code == 0 && (status == NULL || strcmp(status, "read") != 0)) {
        code = 100;
        strcpy(details, "Param status must be one of {READ}.");
    }

    if (code) {
        answer_error(standin, req, 0, code, details);

    } else {
        answer_json(standin, req, 200, json_pack("{sb}", "success", 1));
    }

    json_decref(body);
}
