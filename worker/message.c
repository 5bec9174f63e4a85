/*
 * A job's data -> who sends what to whom.  The Cloud API's JSON passes through
 * as it is, so only what the worker itself relies on is looked at: the sender,
 * the recipient, the type and that its object is there.
 */

#include <stdlib.h>
#include <string.h>
#include "worker/worker.h"


#define MESSAGE_TEXT_MAX  4096   /* characters of a text's body */


/* the types of the Cloud API, each with the JSON type of its own member */

static const struct {
    const char  *name;
    json_type    type;
    const char  *missing;
} message_types[] = {
    { "text",        JSON_OBJECT, "member \"text\" must be an object" },
    { "template",    JSON_OBJECT, "member \"template\" must be an object" },
    { "interactive", JSON_OBJECT, "member \"interactive\" must be an object" },
    { "image",       JSON_OBJECT, "member \"image\" must be an object" },
    { "video",       JSON_OBJECT, "member \"video\" must be an object" },
    { "audio",       JSON_OBJECT, "member \"audio\" must be an object" },
    { "document",    JSON_OBJECT, "member \"document\" must be an object" },
    { "sticker",     JSON_OBJECT, "member \"sticker\" must be an object" },
    { "location",    JSON_OBJECT, "member \"location\" must be an object" },
    { "contacts",    JSON_ARRAY,  "member \"contacts\" must be an array" },
    { "reaction",    JSON_OBJECT, "member \"reaction\" must be an object" }
};


static const char *message_envelope(message_t *message, json_t *root);
static const char *message_request(message_t *message, json_t *root);
static const char *message_check(message_t *message);
static const char *message_check_recipient(message_t *message);
static const char *message_check_type(const json_t *body);
static const char *message_check_text(const json_t *text);


const char *
message_read(message_t *message, const job_t *job)
{
    json_t      *root;
    const char  *error;

    memset(message, 0, sizeof(message_t));
    message->recipient = "";

    if (job->data == NULL) {
        return "the job has no data";
    }

    /* a zero byte in a text is the application's affair, as for Meta */

    root = json_loadb(job->data, job->data_len,
                      JSON_REJECT_DUPLICATES|JSON_ALLOW_NUL, NULL);

    if (root == NULL) {
        return "the data is not JSON, nests too deep or repeats a member";
    }

    message->hold = json_object();

    if (message->hold == NULL) {
        json_decref(root);
        return "out of memory";
    }

    if (!json_is_object(root)) {
        error = "the data must be a JSON object";

    } else if (json_object_get(root, "specversion") != NULL) {
        error = message_envelope(message, root);

    } else {
        error = message_request(message, root);
    }

    json_decref(root);

    if (error == NULL) {
        error = message_check(message);
    }

    if (error != NULL) {
        message_free(message);
    }

    return error;
}


/* the source is "<path>/<sender>/messages" */

static const char *
message_envelope(message_t *message, json_t *root)
{
    json_t      *source, *sender;
    size_t       len;
    const char  *p, *start;

    static const char  tail[] = "/messages";

    source = json_object_get(root, "source");

    if (!json_is_string(source)) {
        return "member \"source\" must be a string";
    }

    p = json_string_value(source);
    len = strcspn(p, "?");

    if (len <= sizeof(tail) - 1
        || memcmp(p + len - (sizeof(tail) - 1), tail, sizeof(tail) - 1) != 0)
    {
        return "member \"source\" must end in \"/<sender>/messages\"";
    }

    len -= sizeof(tail) - 1;

    for (start = p + len; start > p && start[-1] != '/'; start--) {
        /* void */
    }

    len = (size_t) (p + len - start);

    if (start == p || !sluice_keys_name_ok(start, len)) {
        return "member \"source\" must end in \"/<sender>/messages\"";
    }

    message->body = json_object_get(root, "data");

    if (!json_is_object(message->body)) {
        message->body = NULL;
        return "member \"data\" must be an object";
    }

    json_incref(message->body);

    sender = json_stringn(start, len);

    if (json_object_set_new(message->hold, "sender", sender) != 0) {
        return "out of memory";
    }

    message->sender = json_string_value(sender);

    return NULL;
}


/* what is for the worker is moved from the request to `hold` */

static const char *
message_request(message_t *message, json_t *root)
{
    json_t  *sender, *campaign;

    message->body = json_incref(root);

    sender = json_object_get(root, "phone_number_id");

    if (!json_is_string(sender)) {
        return "member \"phone_number_id\" must be a string";
    }

    if (!sluice_keys_name_ok(json_string_value(sender),
                             json_string_length(sender)))
    {
        return "member \"phone_number_id\" must be 1 to 64 letters or digits";
    }

    campaign = json_object_get(root, "campaign");

    if (campaign != NULL && !json_is_null(campaign)) {

        if (!json_is_string(campaign) || json_string_length(campaign) > 256) {
            return "member \"campaign\" must be a string of at most 256 bytes";
        }

        if (json_object_set(message->hold, "campaign", campaign) != 0) {
            return "out of memory";
        }

        message->campaign = json_string_value(campaign);
    }

    if (json_object_set(message->hold, "sender", sender) != 0) {
        return "out of memory";
    }

    message->sender = json_string_value(sender);

    (void) json_object_del(root, "phone_number_id");
    (void) json_object_del(root, "campaign");

    return NULL;
}


static const char *
message_check(message_t *message)
{
    json_t      *product;
    const char  *error;

    if (json_object_get(message->body, "status") != NULL
        && json_object_get(message->body, "type") == NULL)
    {
        return "member \"status\": a read receipt is not a message";
    }

    product = json_object_get(message->body, "messaging_product");

    if (product != NULL
        && (!json_is_string(product)
            || strcmp(json_string_value(product), "whatsapp") != 0))
    {
        return "member \"messaging_product\" must be \"whatsapp\"";
    }

    error = message_check_recipient(message);

    if (error != NULL) {
        return error;
    }

    return message_check_type(message->body);
}


/* when both are given the Cloud API goes by `to` */

static const char *
message_check_recipient(message_t *message)
{
    size_t       i;
    json_t      *value;
    const char  *p;

    static const struct {
        const char  *name;
        const char  *wrong;
    } members[] = {
        { "to", "member \"to\" must be a string of 1 to 256 bytes" },
        { "recipient",
          "member \"recipient\" must be a string of 1 to 256 bytes" }
    };

    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        value = json_object_get(message->body, members[i].name);

        if (value == NULL || json_is_null(value)) {
            continue;
        }

        if (!json_is_string(value)
            || json_string_length(value) == 0
            || json_string_length(value) > MESSAGE_TO_MAX)
        {
            return members[i].wrong;
        }

        for (p = json_string_value(value);
             p < json_string_value(value) + json_string_length(value);
             p++)
        {
            if ((unsigned char) *p < ' ' || *p == 0x7f) {
                return members[i].wrong;
            }
        }

        if (message->recipient[0] == '\0') {
            message->recipient = json_string_value(value);
        }
    }

    if (message->recipient[0] == '\0') {
        return "member \"to\" or \"recipient\" is missing";
    }

    return NULL;
}


static const char *
message_check_type(const json_t *body)
{
    size_t   i;
    json_t  *type, *value;

    type = json_object_get(body, "type");

    if (!json_is_string(type)) {
        return "member \"type\" must be a string";
    }

    for (i = 0; i < sizeof(message_types) / sizeof(message_types[0]); i++) {

        if (strcmp(json_string_value(type), message_types[i].name) != 0) {
            continue;
        }

        value = json_object_get(body, message_types[i].name);

        if (value == NULL || json_typeof(value) != message_types[i].type) {
            return message_types[i].missing;
        }

        return (i == 0) ? message_check_text(value) : NULL;
    }

    return "member \"type\" is none that the Cloud API sends";
}


static const char *
message_check_text(const json_t *text)
{
    size_t       i, n;
    json_t      *body;
    const char  *p;

    body = json_object_get(text, "body");

    if (!json_is_string(body)) {
        return "member \"text.body\" must be a string";
    }

    /* jansson has checked the UTF-8: count what is no continuation byte */

    p = json_string_value(body);

    for (i = 0, n = 0; i < json_string_length(body); i++) {
        n += ((unsigned char) p[i] & 0xc0) != 0x80;
    }

    if (n < 1 || n > MESSAGE_TEXT_MAX) {
        return "member \"text.body\" must have 1 to 4096 characters";
    }

    return NULL;
}


void
message_free(message_t *message)
{
    json_decref(message->body);
    json_decref(message->hold);

    memset(message, 0, sizeof(message_t));
    message->recipient = "";
}


void
message_pair(char *dst, const message_t *message)
{
    const char  *p;

    dst = stpcpy(dst, message->sender);
    *dst++ = ':';

    for (p = message->recipient; *p; p++) {
        if (strchr(" -+()", *p) == NULL) {
            *dst++ = *p;
        }
    }

    *dst = '\0';
}
