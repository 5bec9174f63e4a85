/*
 * Handshakes: how a sender asks whether someone is there who knows the secret.
 */

#include "core/scheme_parts.h"

#include <string.h>


#define SLUICE_GREET_CHALLENGE  128    /* bytes that are given back */
#define SLUICE_GREET_POINTERS     2


static void sluice_greet_meta(sluice_reading_t *reading,
    const sluice_text_t *token, sluice_scheme_result_t *result);
static void sluice_greet_crc(const sluice_scheme_t *scheme,
    sluice_key_t *const *keys, size_t nkeys, const sluice_text_t *token,
    sluice_scheme_result_t *result);
static int sluice_greet_harmless(const sluice_text_t *text, size_t max,
    const char *others);
static void sluice_greet_slack(sluice_scheme_result_t *result,
    const sluice_json_value_t *values);
static void sluice_greet_zoom(sluice_scheme_result_t *result,
    const sluice_json_value_t *values, const sluice_key_t *key);
static void sluice_greet_discord(sluice_scheme_result_t *result,
    const sluice_json_value_t *values);
static int sluice_greet_is(const sluice_json_value_t *value,
    const char *text);
static void sluice_greet_begin(sluice_scheme_result_t *result,
    unsigned status, const char *type);
static void sluice_greet_add(sluice_scheme_result_t *result, const void *data,
    size_t len);
static void sluice_greet_text(sluice_scheme_result_t *result,
    const char *text);


int
sluice_scheme_greeting(const sluice_scheme_t *scheme,
    sluice_key_t *const *keys, size_t nkeys, const sluice_text_t *token,
    const sluice_request_t *request, sluice_scheme_result_t *result)
{
    sluice_text_t     value;
    sluice_read_e     rc;
    sluice_reading_t  reading;

    static const sluice_text_t  mode = { "hub.mode", 8 };

    if ((scheme->preset->greet != SLUICE_GREET_META && scheme->crc.len == 0)
        || !sluice_text_is(&request->method, "GET"))
    {
        return 0;
    }

    memset(&reading, 0, offsetof(sluice_reading_t, scratch));
    reading.scheme = scheme;
    reading.request = request;

    rc = sluice_read_query(&reading,
                           (scheme->crc.len != 0) ? &scheme->crc : &mode,
                           &value);

    if (rc == SLUICE_READ_MISSING) {
        return 0;
    }

    memset(result, 0, offsetof(sluice_scheme_result_t, answer));

    /* until it turns out to be right */

    sluice_greet_begin(result, 403, "text/plain");
    sluice_verdict(result, SLUICE_SCHEME_MISMATCH,
                   "the handshake is refused");

    if (rc != SLUICE_READ_FOUND) {
        return 1;
    }

    if (scheme->crc.len != 0) {
        sluice_greet_crc(scheme, keys, nkeys, &value, result);

    } else if (sluice_text_is(&value, "subscribe")) {
        sluice_greet_meta(&reading, token, result);
    }

    return 1;
}


/* What is given back is bounded and of a harmless alphabet: anyone asks. */

static void
sluice_greet_meta(sluice_reading_t *reading, const sluice_text_t *token,
    sluice_scheme_result_t *result)
{
    sluice_text_t  claimed, challenge;

    static const sluice_text_t  token_name = { "hub.verify_token", 16 };
    static const sluice_text_t  challenge_name = { "hub.challenge", 13 };

    if (sluice_read_query(reading, &token_name, &claimed) != SLUICE_READ_FOUND
        || sluice_read_query(reading, &challenge_name, &challenge)
           != SLUICE_READ_FOUND
        || !sluice_greet_harmless(&challenge, SLUICE_GREET_CHALLENGE, "-_.")
        || !sluice_signature_secret_equal((const uint8_t *) token->data,
                                          token->len,
                                          (const uint8_t *) claimed.data,
                                          claimed.len))
    {
        return;
    }

    sluice_verdict(result, SLUICE_SCHEME_VALID, "valid");
    sluice_greet_begin(result, 200, "text/plain");
    sluice_greet_add(result, challenge.data, challenge.len);
}


/*
 * The answer is a signature, and whoever may choose what is signed could have
 * an event signed: what is of this alphabet is signed here, and so is no event
 * where there is a CRC.
 */

static void
sluice_greet_crc(const sluice_scheme_t *scheme, sluice_key_t *const *keys,
    size_t nkeys, const sluice_text_t *token, sluice_scheme_result_t *result)
{
    char                 text[2 * SLUICE_SIGNATURE_MAX];
    size_t               i, len;
    uint8_t              mac[SLUICE_SIGNATURE_MAX];
    sluice_signature_t  *signature;

    if (!sluice_greet_asks(token)) {
        return;
    }

    for (i = 0;
         i < nkeys && (keys[i] == NULL || keys[i]->nobody);
         i++)
    {
        /* void */
    }

    if (i == nkeys) {
        return;
    }

    signature = keys[i]->mac[scheme->algorithm];

    if (signature == NULL
        || !sluice_signature_begin(signature)
        || !sluice_signature_update(signature, (const uint8_t *) token->data,
                                    token->len)
        || !sluice_signature_final(signature, mac, &len))
    {
        sluice_verdict(result, SLUICE_SCHEME_FAILED, "OpenSSL failed");
        sluice_greet_begin(result, 503, "text/plain");
        return;
    }

    sluice_verdict(result, SLUICE_SCHEME_VALID, "valid");
    result->key = i;

    sluice_greet_begin(result, 200, "application/json");
    sluice_greet_text(result, "{\"response_token\":\"");
    sluice_greet_add(result, scheme->prefix.data, scheme->prefix.len);
    sluice_greet_add(result, text,
                     sluice_signature_encode(text, mac, len,
                                             scheme->encoding));
    sluice_greet_text(result, "\"}");
}


int
sluice_greet_asks(const sluice_text_t *text)
{
    return sluice_greet_harmless(text, SLUICE_GREET_CRC, "-_.+/=");
}


static int
sluice_greet_harmless(const sluice_text_t *text, size_t max,
    const char *others)
{
    char    c;
    size_t  i;

    if (text->len == 0 || text->len > max) {
        return 0;
    }

    for (i = 0; i < text->len; i++) {
        c = text->data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
              || (c >= 'a' && c <= 'z')
              || (c != '\0' && strchr(others, c) != NULL)))
        {
            return 0;
        }
    }

    return 1;
}


void
sluice_greet_signed(sluice_reading_t *reading, const sluice_key_t *key,
    sluice_scheme_result_t *result)
{
    size_t                  i, offset;
    sluice_json_value_t     values[SLUICE_GREET_POINTERS];
    sluice_json_pointer_t   pointers[SLUICE_GREET_POINTERS];
    sluice_scheme_greet_e   greet;

    static const char *const  members[][SLUICE_GREET_POINTERS] = {
        [SLUICE_GREET_SLACK] = { "/type", "/challenge" },
        [SLUICE_GREET_ZOOM] = { "/event", "/payload/plainToken" },
        [SLUICE_GREET_DISCORD] = { "/type", "/event" },
        [SLUICE_GREET_VIBER] = { "/event", "/event" },
        [SLUICE_GREET_LINE] = { "/events", "/events/0" }
    };

    if (sluice_read_is_form(reading->request)) {
        return;
    }

    if (sluice_read_body(reading) != SLUICE_READ_FOUND) {
        sluice_verdict(result, SLUICE_SCHEME_FAILED,
                       "the body could not be read");
        return;
    }

    greet = reading->scheme->preset->greet;

    for (i = 0; i < SLUICE_GREET_POINTERS; i++) {
        (void) sluice_json_pointer(&pointers[i], members[greet][i],
                                   strlen(members[greet][i]));
    }

    if (sluice_json_scan((const uint8_t *) reading->body.data,
                         reading->body.len, pointers, SLUICE_GREET_POINTERS,
                         values, &offset)
        != SLUICE_JSON_OK)
    {
        return;
    }

    switch (greet) {

    case SLUICE_GREET_SLACK:
        sluice_greet_slack(result, values);
        break;

    case SLUICE_GREET_ZOOM:
        sluice_greet_zoom(result, values, key);
        break;

    case SLUICE_GREET_DISCORD:
        sluice_greet_discord(result, values);
        break;

    case SLUICE_GREET_VIBER:
        if (sluice_greet_is(&values[0], "webhook")) {
            sluice_greet_begin(result, 200, "text/plain");
        }

        break;

    case SLUICE_GREET_LINE:
        if (values[0].type == SLUICE_JSON_ARRAY
            && values[1].type == SLUICE_JSON_MISSING)
        {
            sluice_greet_begin(result, 200, "text/plain");
        }

        break;

    default:
        break;
    }
}


/* A string of JSON goes back as it came, with its escapes. */

static void
sluice_greet_slack(sluice_scheme_result_t *result,
    const sluice_json_value_t *values)
{
    if (!sluice_greet_is(&values[0], "url_verification")) {
        return;
    }

    if (values[1].type != SLUICE_JSON_STRING
        || values[1].len > SLUICE_SCHEME_ANSWER / 2)
    {
        sluice_verdict(result, SLUICE_SCHEME_MALFORMED,
                       "the handshake has no challenge, or one too long");
        return;
    }

    sluice_greet_begin(result, 200, "application/json");
    sluice_greet_text(result, "{\"challenge\":\"");
    sluice_greet_add(result, values[1].data, values[1].len);
    sluice_greet_text(result, "\"}");
}


static void
sluice_greet_zoom(sluice_scheme_result_t *result,
    const sluice_json_value_t *values, const sluice_key_t *key)
{
    char                 text[2 * SLUICE_SIGNATURE_MAX];
    size_t               len;
    uint8_t              token[SLUICE_SCHEME_ANSWER / 4];
    uint8_t              mac[SLUICE_SIGNATURE_MAX];
    sluice_signature_t  *signature;

    if (!sluice_greet_is(&values[0], "endpoint.url_validation")) {
        return;
    }

    if (values[1].type != SLUICE_JSON_STRING
        || values[1].len > sizeof(token))
    {
        sluice_verdict(result, SLUICE_SCHEME_MALFORMED,
                       "the handshake has no plainToken, or one too long");
        return;
    }

    len = sluice_json_unescape(token, &values[1]);
    signature = key->mac[SLUICE_SIGNATURE_SHA256];

    if (!sluice_signature_begin(signature)
        || !sluice_signature_update(signature, token, len)
        || !sluice_signature_final(signature, mac, &len))
    {
        sluice_verdict(result, SLUICE_SCHEME_FAILED, "OpenSSL failed");
        return;
    }

    sluice_greet_begin(result, 200, "application/json");
    sluice_greet_text(result, "{\"plainToken\":\"");
    sluice_greet_add(result, values[1].data, values[1].len);
    sluice_greet_text(result, "\",\"encryptedToken\":\"");
    sluice_greet_add(result, text,
                     sluice_signature_encode(text, mac, len,
                                             SLUICE_SIGNATURE_HEX));
    sluice_greet_text(result, "\"}");
}


/*
 * Type 1 is the PING of interactions; webhook events have 0 for it, and 1 for
 * what has an "event".
 */

static void
sluice_greet_discord(sluice_scheme_result_t *result,
    const sluice_json_value_t *values)
{
    if (values[0].type != SLUICE_JSON_NUMBER || values[0].len != 1
        || values[1].type != SLUICE_JSON_MISSING)
    {
        return;
    }

    if (values[0].data[0] == '1') {
        sluice_greet_begin(result, 200, "application/json");
        sluice_greet_text(result, "{\"type\":1}");

    } else if (values[0].data[0] == '0') {
        sluice_greet_begin(result, 204, "text/plain");
    }
}


static int
sluice_greet_is(const sluice_json_value_t *value, const char *text)
{
    return value->type == SLUICE_JSON_STRING && value->len == strlen(text)
           && memcmp(value->data, text, value->len) == 0;
}


static void
sluice_greet_begin(sluice_scheme_result_t *result, unsigned status,
    const char *type)
{
    result->status = status;
    result->type = type;
    result->len = 0;
}


/* What does not fit is left out: the callers have looked at their lengths. */

static void
sluice_greet_add(sluice_scheme_result_t *result, const void *data, size_t len)
{
    if (len <= sizeof(result->answer) - result->len) {
        memcpy(result->answer + result->len, data, len);
        result->len += len;
    }
}


static void
sluice_greet_text(sluice_scheme_result_t *result, const char *text)
{
    sluice_greet_add(result, text, strlen(text));
}
