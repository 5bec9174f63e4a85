#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "graph_api.h"


#define TEXT_MAX      4096
#define CALLBACK_MAX  512

static const char *const  types[] = {
    "audio", "contacts", "document", "image", "interactive", "location",
    "reaction", "sticker", "template", "text", "video"
};

static const char *const  interactives[] = {
    "button", "list", "cta_url", "flow", "product", "product_list",
    "catalog_message", "location_request_message", "contact_request"
};


/* characters, not bytes */

static size_t
length(const char *text)
{
    size_t  n;

    for (n = 0; *text; text++) {
        n += ((unsigned char) *text & 0xc0) != 0x80;
    }

    return n;
}


static bool
one_of(const char *text, const char *const *list, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (strcmp(text, list[i]) == 0) {
            return true;
        }
    }

    return false;
}


bool
check_phone(char *digits, size_t size, const char *text)
{
    size_t  n;

    n = 0;

    if (*text == '+') {
        text++;
    }

    for ( /* void */ ; *text; text++) {

        if (isdigit((unsigned char) *text)) {

            if (n + 1 >= size || n == 15) {
                return false;
            }

            digits[n++] = *text;

        } else if (strchr(" -().", *text) == NULL) {
            return false;
        }
    }

    digits[n] = '\0';

    return n >= 5;
}


/* "PT.90871234567890123456", "PT.ENT.1234" */

static bool
is_user_id(const char *text)
{
    size_t  n;

    if (!isupper((unsigned char) text[0]) || !isupper((unsigned char) text[1])
        || text[2] != '.')
    {
        return false;
    }

    text += strncmp(text + 3, "ENT.", 4) == 0 ? 7 : 3;
    n = 0;

    while (isalnum((unsigned char) text[n])) {
        n++;
    }

    return n > 0 && n <= 128 && text[n] == '\0';
}


static int
missing(char *details, size_t size, const char *name)
{
    snprintf(details, size, "The parameter %s is required.", name);
    return 100;
}


static int
check_text(const json_t *text, char *details, size_t size)
{
    json_t  *body;

    body = json_object_get(text, "body");

    if (!json_is_string(body) || json_string_length(body) == 0) {
        return missing(details, size, "text['body']");
    }

    if (length(json_string_value(body)) > TEXT_MAX) {
        snprintf(details, size, "Param text['body'] must be at most %d "
                 "characters long.", TEXT_MAX);
        return 100;
    }

    return 0;
}


static int
check_template(const json_t *template, char *details, size_t size)
{
    json_t  *language;

    if (!json_is_string(json_object_get(template, "name"))) {
        return missing(details, size, "template['name']");
    }

    language = json_object_get(template, "language");

    if (!json_is_string(json_object_get(language, "code"))) {
        return missing(details, size, "template['language']['code']");
    }

    return 0;
}


static int
check_interactive(const json_t *interactive, char *details, size_t size)
{
    const char  *type;

    type = json_string_value(json_object_get(interactive, "type"));

    if (type == NULL) {
        return missing(details, size, "interactive['type']");
    }

    if (!one_of(type, interactives,
                sizeof(interactives) / sizeof(interactives[0])))
    {
        snprintf(details, size, "Invalid interactive type %.64s", type);
        return 131009;
    }

    if (!json_is_object(json_object_get(interactive, "action"))) {
        return missing(details, size, "interactive['action']");
    }

    return 0;
}


static int
check_content(const char *type, const json_t *content, char *details,
    size_t size)
{
    if (strcmp(type, "text") == 0) {
        return check_text(content, details, size);
    }

    if (strcmp(type, "template") == 0) {
        return check_template(content, details, size);
    }

    if (strcmp(type, "interactive") == 0) {
        return check_interactive(content, details, size);
    }

    if (strcmp(type, "contacts") == 0) {

        if (!json_is_array(content) || json_array_size(content) == 0) {
            return missing(details, size, "contacts");
        }

    } else if (strcmp(type, "location") == 0) {

        if (json_object_get(content, "latitude") == NULL
            || json_object_get(content, "longitude") == NULL)
        {
            return missing(details, size, "location['latitude']");
        }

    } else if (strcmp(type, "reaction") == 0) {

        if (!json_is_string(json_object_get(content, "message_id"))) {
            return missing(details, size, "reaction['message_id']");
        }

    } else if (json_object_get(content, "id") == NULL
               && json_object_get(content, "link") == NULL)
    {
        snprintf(details, size, "Parameter '%s' needs 'id' or 'link'", type);
        return 131009;
    }

    return 0;
}


static int
check_recipient(const json_t *body, char *details, size_t size)
{
    char         digits[32];
    json_t      *to, *recipient;
    const char  *kind;

    to = json_object_get(body, "to");
    recipient = json_object_get(body, "recipient");
    kind = json_string_value(json_object_get(body, "recipient_type"));

    if (kind && strcmp(kind, "individual") != 0 && strcmp(kind, "group") != 0)
    {
        snprintf(details, size, "Param recipient_type must be one of "
                 "{INDIVIDUAL, GROUP} - got \"%.64s\".", kind);
        return 100;
    }

    if (to) {

        if (!json_is_string(to)) {
            snprintf(details, size, "Param to must be a string.");
            return 100;
        }

        if (kind && strcmp(kind, "group") == 0) {
            return 0;
        }

        if (!check_phone(digits, sizeof(digits), json_string_value(to))) {
            snprintf(details, size, "Parameter 'to' is not a valid phone "
                     "number");
            return 131009;
        }

        return 0;
    }

    if (recipient) {

        if (!json_is_string(recipient)
            || !is_user_id(json_string_value(recipient)))
        {
            snprintf(details, size, "Parameter 'recipient' is not a valid "
                     "user ID");
            return 131009;
        }

        return 0;
    }

    return missing(details, size, "to");
}


int
check_message(const json_t *body, char *details, size_t size)
{
    int          code;
    json_t      *type, *content, *callback;
    const char  *name;

    if (!json_is_string(json_object_get(body, "messaging_product"))) {
        return missing(details, size, "messaging_product");
    }

    if (strcmp(json_string_value(json_object_get(body, "messaging_product")),
               "whatsapp")
        != 0)
    {
        snprintf(details, size, "Param messaging_product must be one of "
                 "{WHATSAPP}.");
        return 100;
    }

    if (json_object_get(body, "status")) {

        if (!json_is_string(json_object_get(body, "message_id"))) {
            return missing(details, size, "message_id");
        }

        if (strncmp(json_string_value(json_object_get(body, "message_id")),
                    "wamid.", 6)
            != 0)
        {
            snprintf(details, size, "Parameter 'message_id' is not a valid "
                     "message ID");
            return 131009;
        }

        return 0;
    }

    code = check_recipient(body, details, size);

    if (code) {
        return code;
    }

    callback = json_object_get(body, "biz_opaque_callback_data");

    if (callback && (!json_is_string(callback)
                     || length(json_string_value(callback)) > CALLBACK_MAX))
    {
        snprintf(details, size, "Param biz_opaque_callback_data must be at "
                 "most %d characters long.", CALLBACK_MAX);
        return 100;
    }

    type = json_object_get(body, "type");
    name = type ? json_string_value(type) : "text";

    if (name == NULL
        || !one_of(name, types, sizeof(types) / sizeof(types[0])))
    {
        snprintf(details, size, "Param type must be one of {AUDIO, CONTACTS, "
                 "DOCUMENT, IMAGE, INTERACTIVE, LOCATION, REACTION, STICKER, "
                 "TEMPLATE, TEXT, VIDEO} - got \"%.64s\".",
                 name ? name : "");
        return 100;
    }

    content = json_object_get(body, name);

    if (content == NULL) {
        snprintf(details, size, "Parameter '%s' is mandatory for type '%s'",
                 name, name);
        return 131008;
    }

    return check_content(name, content, details, size);
}
