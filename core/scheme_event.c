/*
 * The event's id and type in the sender's own words.
 */

#include "core/scheme_parts.h"

#include <string.h>


#define SLUICE_EVENT_META       11    /* members of Meta's that are looked at */
#define SLUICE_EVENT_TELEGRAM   23

static void sluice_event_named(const sluice_scheme_t *scheme,
    sluice_reading_t *reading, sluice_scheme_event_t *event);
static void sluice_event_meta(const sluice_text_t *body,
    sluice_scheme_event_t *event);
static void sluice_event_telegram(const sluice_text_t *body,
    sluice_scheme_event_t *event);
static int sluice_event_scan(const sluice_text_t *body,
    const char *const *members, size_t n, sluice_json_value_t *values);
static void sluice_event_put(sluice_scheme_event_t *event,
    sluice_text_t *value, size_t *used, const sluice_text_t *one,
    char between, const sluice_text_t *two);


void
sluice_scheme_event(const sluice_scheme_t *scheme,
    const sluice_request_t *request, const sluice_text_t *body,
    sluice_scheme_event_t *event)
{
    sluice_reading_t  reading;

    memset(event, 0, offsetof(sluice_scheme_event_t, text));

    if (scheme->preset->greet == SLUICE_GREET_META) {
        sluice_event_meta(body, event);
        return;
    }

    memset(&reading, 0, offsetof(sluice_reading_t, scratch));
    reading.scheme = scheme;
    reading.request = request;
    reading.body = *body;
    reading.whole = 1;

    sluice_event_named(scheme, &reading, event);

    if (strcmp(scheme->preset->name, "telegram") == 0) {
        sluice_event_telegram(body, event);
    }
}


static void
sluice_event_named(const sluice_scheme_t *scheme, sluice_reading_t *reading,
    sluice_scheme_event_t *event)
{
    int            has_state;
    size_t         used;
    sluice_text_t  id, state, type;
    sluice_read_e  rc;

    used = 0;

    /* an id that is signed is the one that was, whatever else there is */

    (void) sluice_read_claim(reading);

    rc = (scheme->event_id.n != 0)
         ? sluice_read_first(reading, &scheme->event_id, &id)
         : (scheme->id.n != 0) ? sluice_read_with(reading, &scheme->id, &id)
                               : SLUICE_READ_MISSING;

    if (rc == SLUICE_READ_FOUND
        && sluice_read_first(reading, &scheme->event_more, &type)
           == SLUICE_READ_MISSING)
    {
        has_state = sluice_read_first(reading, &scheme->event_state, &state)
                    == SLUICE_READ_FOUND;

        sluice_event_put(event, &event->id, &used, &id, ':',
                         has_state ? &state : NULL);
    }

    if (sluice_read_first(reading, &scheme->event_type, &type)
        == SLUICE_READ_FOUND)
    {
        sluice_event_put(event, &event->type, &used, &type, 0, NULL);
    }
}


/*
 * A wamid is sent, delivered and read: the state is part of the id.  Of more
 * than one message, status or change there is no id for all.
 */

static void
sluice_event_meta(const sluice_text_t *body, sluice_scheme_event_t *event)
{
    int                  is[SLUICE_EVENT_META];
    size_t               i, used;
    sluice_text_t        t[SLUICE_EVENT_META];
    sluice_json_value_t  v[SLUICE_EVENT_META];

    enum {
        ENTRIES, CHANGES, FIELD, MESSAGES, MESSAGE, STATUSES, STATUS, STATE,
        MESSAGINGS, MESSAGING, MID
    };

    static const char *const  members[] = {
        "/entry/1",
        "/entry/0/changes/1",
        "/entry/0/changes/0/field",
        "/entry/0/changes/0/value/messages/1",
        "/entry/0/changes/0/value/messages/0/id",
        "/entry/0/changes/0/value/statuses/1",
        "/entry/0/changes/0/value/statuses/0/id",
        "/entry/0/changes/0/value/statuses/0/status",
        "/entry/0/messaging/1",
        "/entry/0/messaging/0",
        "/entry/0/messaging/0/message/mid"
    };

    static const sluice_text_t  statuses = { "statuses", 8 };
    static const sluice_text_t  messaging = { "messaging", 9 };

    if (!sluice_event_scan(body, members, SLUICE_EVENT_META, v)) {
        return;
    }

    used = 0;

    for (i = 0; i < SLUICE_EVENT_META; i++) {
        t[i].data = (const char *) v[i].data;
        t[i].len = v[i].len;
        is[i] = (v[i].type == SLUICE_JSON_STRING);
    }

    if (is[FIELD]) {
        sluice_event_put(event, &event->type, &used, &t[FIELD], '.',
                         (is[STATUS] && !is[MESSAGE]) ? &statuses : NULL);

    } else if (v[MESSAGING].type == SLUICE_JSON_OBJECT) {
        sluice_event_put(event, &event->type, &used, &messaging, 0, NULL);
    }

    if (v[ENTRIES].type != SLUICE_JSON_MISSING
        || v[CHANGES].type != SLUICE_JSON_MISSING
        || v[MESSAGES].type != SLUICE_JSON_MISSING
        || v[STATUSES].type != SLUICE_JSON_MISSING
        || v[MESSAGINGS].type != SLUICE_JSON_MISSING
        || (is[MESSAGE] && is[STATUS]))
    {
        return;
    }

    if (is[MESSAGE]) {
        sluice_event_put(event, &event->id, &used, &t[MESSAGE], 0, NULL);

    } else if (is[STATUS] && is[STATE]) {
        sluice_event_put(event, &event->id, &used, &t[STATUS], ':',
                         &t[STATE]);

    } else if (is[MID]) {
        sluice_event_put(event, &event->id, &used, &t[MID], 0, NULL);
    }
}


/* The type is the name of the member beside "update_id". */

static void
sluice_event_telegram(const sluice_text_t *body, sluice_scheme_event_t *event)
{
    size_t               i, used;
    sluice_text_t        type;
    sluice_json_value_t  values[SLUICE_EVENT_TELEGRAM];

    static const char *const  members[] = {
        "/message", "/edited_message", "/channel_post",
        "/edited_channel_post", "/business_connection", "/business_message",
        "/edited_business_message", "/deleted_business_messages",
        "/message_reaction", "/message_reaction_count", "/inline_query",
        "/chosen_inline_result", "/callback_query", "/shipping_query",
        "/pre_checkout_query", "/purchased_paid_media", "/poll",
        "/poll_answer", "/my_chat_member", "/chat_member",
        "/chat_join_request", "/chat_boost", "/removed_chat_boost"
    };

    if (!sluice_event_scan(body, members, SLUICE_EVENT_TELEGRAM, values))
    {
        return;
    }

    used = event->id.len;

    for (i = 0; i < SLUICE_EVENT_TELEGRAM; i++) {
        if (values[i].type != SLUICE_JSON_MISSING) {
            type.data = members[i] + 1;
            type.len = strlen(type.data);

            sluice_event_put(event, &event->type, &used, &type, 0, NULL);
            return;
        }
    }
}


static int
sluice_event_scan(const sluice_text_t *body, const char *const *members,
    size_t n, sluice_json_value_t *values)
{
    size_t                 i, offset;
    sluice_json_pointer_t  pointers[SLUICE_JSON_POINTERS];

    for (i = 0; i < n; i++) {
        (void) sluice_json_pointer(&pointers[i], members[i],
                                   strlen(members[i]));
    }

    return sluice_json_scan((const uint8_t *) body->data, body->len, pointers,
                            n, values, &offset)
           == SLUICE_JSON_OK;
}


/* "one" or "one:two"; what is too long is none. */

static void
sluice_event_put(sluice_scheme_event_t *event, sluice_text_t *value,
    size_t *used, const sluice_text_t *one, char between,
    const sluice_text_t *two)
{
    char    *p;
    size_t   len;

    len = one->len + (two != NULL ? 1 + two->len : 0);

    if (len > sizeof(event->text) - *used) {
        return;
    }

    p = event->text + *used;
    memcpy(p, one->data, one->len);

    if (two != NULL) {
        p[one->len] = between;
        memcpy(p + one->len + 1, two->data, two->len);
    }

    value->data = p;
    value->len = len;
    *used += len;
}
