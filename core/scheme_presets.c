/*
 * The schemes, a row each: what "hmac" could be told as well, wherever the
 * sender's scheme can be said so.  From each sender's own documentation of its
 * webhooks.
 */

#include "core/scheme_parts.h"

#include <string.h>


#define SLUICE_MEGABYTE  (1024 * 1024)

/* Standard Webhooks 1.0: a key is base64 behind "whsec_"; "v1a" is Ed25519 */

#define SLUICE_STANDARD                                                      \
    "separator=space prefix=v1, encoding=base64 "                            \
    "signed={id}.{timestamp}.{body} "                                        \
    "secret_encoding=base64 secret_prefix=whsec_ "                           \
    "public_prefix=whpk_ public_version=v1a,"


const sluice_preset_t  sluice_presets[] = {

    { .name = "meta", .greet = SLUICE_GREET_META,
      .settings = "header=x-hub-signature-256 prefix=sha256=",
      .body_max = 3 * SLUICE_MEGABYTE },

    { .name = "twilio", .kind = SLUICE_KIND_TWILIO,
      .settings = "header=x-twilio-signature algorithm=sha1 encoding=base64",
      .id = "form:MessageSid,form:SmsSid,form:CallSid",
      .state = "form:MessageStatus",
      .type = "form:MessageStatus,form:SmsStatus,form:EventType,"
              "form:CallStatus",
      .keeps = "i-twilio-idempotency-token" },

    { .name = "stripe",
      .settings = "header=stripe-signature separator=comma prefix=v1= "
                  "timestamp=pair:t signed={timestamp}.{body}",
      .id = "json:/id", .type = "json:/type" },

    { .name = "github",
      .settings = "header=x-hub-signature-256 prefix=sha256=",
      .body_max = 25 * SLUICE_MEGABYTE,
      .id = "x-github-delivery", .type = "x-github-event",
      .keeps = "x-github-event x-github-delivery x-github-hook-id" },

    { .name = "gitlab",
      .settings = "header=webhook-signature id=webhook-id "
                  "timestamp=webhook-timestamp " SLUICE_STANDARD,
      .type = "x-gitlab-event",
      .keeps = "x-gitlab-event webhook-id x-gitlab-instance" },

    { .name = "gitlab_token", .kind = SLUICE_KIND_TOKEN,
      .settings = "header=x-gitlab-token",
      .id = "idempotency-key,x-gitlab-event-uuid", .type = "x-gitlab-event",
      .keeps = "x-gitlab-event idempotency-key x-gitlab-instance" },

    { .name = "slack", .greet = SLUICE_GREET_SLACK,
      .settings = "header=x-slack-signature prefix=v0= "
                  "timestamp=x-slack-request-timestamp "
                  "signed=v0:{timestamp}:{body}",
      .id = "json:/event_id", .type = "json:/event/type,json:/type",
      .keeps = "x-slack-retry-num x-slack-retry-reason" },

    { .name = "shopify",
      .settings = "header=x-shopify-hmac-sha256,shopify-hmac-sha256 "
                  "encoding=base64",
      .id = "x-shopify-webhook-id,shopify-webhook-id",
      .type = "x-shopify-topic,shopify-topic",
      .keeps = "x-shopify-topic shopify-topic x-shopify-shop-domain "
               "shopify-shop-domain" },

    { .name = "standard",
      .settings = "header=webhook-signature id=webhook-id "
                  "timestamp=webhook-timestamp " SLUICE_STANDARD,
      .type = "json:/type", .keeps = "webhook-id" },

    { .name = "svix",
      .settings = "header=svix-signature,webhook-signature "
                  "id=svix-id,webhook-id "
                  "timestamp=svix-timestamp,webhook-timestamp "
                  SLUICE_STANDARD,
      .type = "json:/type",
      .keeps = "svix-id webhook-id" },

    { .name = "square",
      .settings = "header=x-square-hmacsha256-signature encoding=base64 "
                  "signed={url}{body}",
      .id = "json:/event_id", .type = "json:/type" },

    { .name = "line", .greet = SLUICE_GREET_LINE,
      .settings = "header=x-line-signature encoding=base64",
      .id = "json:/events/0/webhookEventId", .more = "json:/events/1",
      .type = "json:/events/0/type" },

    { .name = "zoom", .greet = SLUICE_GREET_ZOOM,
      .settings = "header=x-zm-signature prefix=v0= "
                  "timestamp=x-zm-request-timestamp "
                  "signed=v0:{timestamp}:{body}",
      .type = "json:/event" },

    { .name = "discord", .greet = SLUICE_GREET_DISCORD,
      .settings = "header=x-signature-ed25519 algorithm=ed25519 "
                  "secret_encoding=hex timestamp=x-signature-timestamp "
                  "signed={timestamp}{body} tolerance=0",
      .id = "json:/id", .type = "json:/event/type,json:/type" },

    { .name = "telegram", .kind = SLUICE_KIND_TOKEN,
      .settings = "header=x-telegram-bot-api-secret-token",
      .id = "json:/update_id" },

    { .name = "viber", .greet = SLUICE_GREET_VIBER,
      .settings = "header=x-viber-content-signature,query:sig",
      .id = "json:/message_token", .type = "json:/event" },

    { .name = "sendgrid",
      .settings = "header=x-twilio-email-event-webhook-signature "
                  "algorithm=ecdsa-p256 encoding=base64 "
                  "timestamp=x-twilio-email-event-webhook-timestamp "
                  "signed={timestamp}{body} tolerance=0",
      .id = "json:/0/sg_event_id", .more = "json:/1",
      .type = "json:/0/event" },

    /* the window of five seconds is in Paddle's documentation */

    { .name = "paddle",
      .settings = "header=paddle-signature separator=semicolon prefix=h1= "
                  "timestamp=pair:ts signed={timestamp}:{body} tolerance=5",
      .id = "json:/event_id", .type = "json:/event_type" },

    /* the token is what {id} is in other schemes; inbound mail is a form */

    { .name = "mailgun",
      .settings = "header=json:/signature/signature,form:signature "
                  "timestamp=json:/signature/timestamp,form:timestamp "
                  "id=json:/signature/token,form:token "
                  "signed={timestamp}{id}",
      .id = "json:/event-data/id,form:token",
      .type = "json:/event-data/event,form:event" },

    { .name = "vonage", .kind = SLUICE_KIND_JWT,
      .settings = "header=authorization algorithms=HS256 tolerance=5m "
                  "body_hash=payload_hash",
      .id = "json:/message_uuid", .state = "json:/status",
      .type = "json:/status,json:/channel" },

    { .name = "messagebird", .kind = SLUICE_KIND_JWT,
      .settings = "header=messagebird-signature-jwt "
                  "algorithms=HS256,HS384,HS512 issuer=MessageBird leeway=5 "
                  "body_hash=payload_hash url_hash=url_hash",
      .id = "claim:jti", .type = "json:/type" },

    { .name = "intercom",
      .settings = "header=x-hub-signature algorithm=sha1 prefix=sha1=",
      .id = "json:/id", .type = "json:/topic" },

    { .name = "linear",
      .settings = "header=linear-signature timestamp=json:/webhookTimestamp "
                  "timestamp_unit=ms tolerance=60",
      .id = "linear-delivery", .type = "linear-event,json:/type",
      .keeps = "linear-event linear-delivery" },

    { .name = "wasender", .kind = SLUICE_KIND_TOKEN,
      .settings = "header=x-webhook-signature",
      .id = "json:/data/messages/key/id,json:/data/key/id",
      .state = "json:/event", .type = "json:/event" },

    { .name = "waha",
      .settings = "header=x-webhook-hmac algorithm=sha512",
      .id = "json:/id", .type = "json:/event",
      .keeps = "x-webhook-request-id x-webhook-timestamp" },

    { .name = "evolution", .kind = SLUICE_KIND_JWT,
      .settings = "header=authorization algorithms=HS256 "
                  "claim=app:evolution claim=action:webhook",
      .id = "json:/data/key/id", .state = "json:/event",
      .type = "json:/event" },

    { .name = "hmac", .settings = "header=x-signature" },

    { .name = "api_key", .kind = SLUICE_KIND_TOKEN,
      .settings = "header=authorization" },

    { .name = "jwt", .kind = SLUICE_KIND_JWT,
      .settings = "header=authorization", .id = "claim:jti" },

    { .name = NULL }
};

/* in the order of the table */

const char *const  sluice_scheme_names[] = {
    "meta", "twilio", "stripe", "github", "gitlab", "gitlab_token", "slack",
    "shopify", "standard", "svix", "square", "line", "zoom", "discord",
    "telegram", "viber", "sendgrid", "paddle", "mailgun", "vonage",
    "messagebird", "intercom", "linear", "wasender", "waha", "evolution",
    "hmac", "api_key", "jwt", NULL
};


const sluice_preset_t *
sluice_preset_find(const char *name, size_t len)
{
    const sluice_preset_t  *preset;

    for (preset = sluice_presets; preset->name != NULL; preset++) {
        if (strlen(preset->name) == len
            && memcmp(preset->name, name, len) == 0)
        {
            return preset;
        }
    }

    return NULL;
}
