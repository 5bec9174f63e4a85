/*
 * A request of any bytes against each scheme.  What was not signed with the
 * secret is never valid; what sluice_scheme_sign() made is, and then handshakes
 * and events are read from a body of any bytes.  Much of the corpus is signed,
 * to come as far as it can: it asks for the secret by a flag, and may be valid.
 *
 * The input: the scheme, flags, then claim, timestamp, id, target and content
 * type, each ended by a NUL, then the body.
 */

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/jwt.h"
#include "core/scheme_parts.h"
#include "core/scheme_sign.h"


#define NOW      1795000000
#define SCHEMES  40

#define FLAG_SIGN     1
#define FLAG_PIECES   2
#define FLAG_TWICE    4
#define FLAG_UNKNOWN  8
#define FLAG_GET      16
#define FLAG_CORPUS   32


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


typedef struct {
    sluice_request_t                request;
    unsigned                        flags;
    const sluice_scheme_t          *scheme;
    sluice_text_t                   claim;
    sluice_text_t                   timestamp;
    sluice_text_t                   id;
    sluice_text_t                   body;
    const sluice_signed_request_t  *made;
} host_t;


static sluice_scheme_t  *schemes[SCHEMES];
static sluice_key_t     *keys[SCHEMES];
static sluice_key_t     *others[SCHEMES];     /* of which nothing is signed */
static const char       *signers[SCHEMES];    /* what signs for it */
static size_t            nschemes;

static const char        secret[] = "whsec_Zm9yIHRoZSBmdXp6ZXIgb25seQ==";
static const char        other[] = "whsec_bm90IGluIHRoZSBjb3JwdXMgIQ==";
/* for the fuzzer only */

static const char        ed25519[] =
    "18798195d61fe656377cdeccfb4d5445298f51a3358409e52e14f4b67cea2cf2";
static const char        ed25519_pem[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAGHmBldYf5lY3fN7M+01URSmPUaM1hAnlLhT0tnzqLPI=\n"
    "-----END PUBLIC KEY-----\n";
static const char        ed25519_private[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEID8OHTset31Qn2VT8yqyq5ThME0NaPOnmlPm7iCpsk3c\n"
    "-----END PRIVATE KEY-----\n";
static const char        p256_pem[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEv7Sq+0k5HxsHZuhc40Ft2TU9VCy5\n"
    "5PPWV7ZTpMlVwRMpmi/ZMTI4l+Q2978f6QlbDze2eV/VVAqonKQV41e60Q==\n"
    "-----END PUBLIC KEY-----\n";
static const char        p256_private[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgXU5TWVO/OUfhEAq0\n"
    "VNKkC/WF8jZjfbgkPCI0qclU5ZyhRANCAAS/tKr7STkfGwdm6FzjQW3ZNT1ULLnk\n"
    "89ZXtlOkyVXBEymaL9kxMjiX5Db3vx/pCVsPN7Z5X9VUCqicpBXjV7rR\n"
    "-----END PRIVATE KEY-----\n";


static void
create(const char *name, const char *const *settings)
{
    const char       *equals, *why, *text;
    sluice_scheme_t  *scheme;

    scheme = sluice_scheme_create(name, strlen(name));
    assert(scheme != NULL);

    for ( /* void */ ; settings != NULL && *settings != NULL; settings++) {
        equals = strchr(*settings, '=');
        assert(sluice_scheme_set(scheme, *settings,
                                 (size_t) (equals - *settings), equals + 1,
                                 strlen(equals + 1))
               == NULL);
    }

    assert(sluice_scheme_ready(scheme) == NULL);

    text = secret;
    signers[nschemes] = secret;

    if (scheme->algorithm == SLUICE_ALGORITHM_ED25519) {
        text = ed25519;
        signers[nschemes] = ed25519_private;

    } else if (scheme->algorithms & (1u << SLUICE_JWT_EDDSA)) {
        text = ed25519_pem;
        signers[nschemes] = ed25519_private;

    } else if (scheme->algorithm == SLUICE_ALGORITHM_ECDSA_P256
               || scheme->algorithms & (1u << SLUICE_JWT_ES256))
    {
        text = p256_pem;
        signers[nschemes] = p256_private;
    }

    schemes[nschemes] = scheme;
    keys[nschemes] = sluice_key_create(scheme, text, strlen(text), &why);
    assert(keys[nschemes] != NULL);

    others[nschemes] = keys[nschemes];

    if (text == secret) {
        others[nschemes] = sluice_key_create(scheme, other, strlen(other),
                                             &why);
        assert(others[nschemes] != NULL);
    }

    nschemes++;
}


static void
create_all(void)
{
    const char *const        *name;

    static const char *const  jwt[] = {
        "algorithms=HS256,HS384", "issuer=i", "audience=a", "leeway=5",
        "body_hash=h", "claim=c:d", NULL
    };

    static const char *const  es[] = { "algorithms=ES256,RS256", NULL };
    static const char *const  ed[] = { "algorithms=EdDSA,PS512", NULL };
    static const char *const  crc[] = { "crc=crc", NULL };

    static const char *const  all[] = {
        "signed={method} {path} {url} {id}.{timestamp}{body}",
        "timestamp=pair:t,query:t", "id=x-id,form:id", "separator=comma",
        "prefix=v=", "encoding=base64url", "timestamp_unit=ms",
        "algorithm=sha512", "crc=crc", NULL
    };

    static const char *const  inside[] = {
        "header=json:/s/0,form:s", "timestamp=json:/t,form:t",
        "id=json:/i~1d,form:i", "signed={timestamp}{id}", NULL
    };

    for (name = sluice_scheme_names; *name != NULL; name++) {
        create(*name, (strcmp(*name, "jwt") == 0) ? jwt : NULL);
    }

    create("hmac", all);
    create("hmac", inside);
    create("hmac", crc);
    create("jwt", es);
    create("jwt", ed);
    assert(nschemes <= SCHEMES);
}


static size_t
get_header(void *data, const char *name, size_t len, sluice_text_t *value)
{
    size_t                 i;
    const host_t          *host;
    const sluice_source_t *source;

    host = data;

    if (host->made != NULL) {
        for (i = 0; i < host->made->n; i++) {
            if (strlen(host->made->values[i].place) == len
                && memcmp(host->made->values[i].place, name, len) == 0)
            {
                *value = host->made->values[i].value;
                return 1;
            }
        }

        return 0;
    }

    *value = host->id;

    for (i = 0; i < host->scheme->timestamp.n; i++) {
        source = host->scheme->timestamp.source[i];

        if (source->name.len == len
            && memcmp(source->name.data, name, len) == 0)
        {
            *value = host->timestamp;
        }
    }

    for (i = 0; i < host->scheme->header.n; i++) {
        source = host->scheme->header.source[i];

        if (source->name.len == len
            && memcmp(source->name.data, name, len) == 0)
        {
            *value = host->claim;
        }
    }

    return (host->flags & FLAG_TWICE) ? 2 : 1;
}


static int
get_body(void *data, sluice_scheme_piece_pt piece, void *piece_data)
{
    size_t         half;
    const host_t  *host;

    host = data;
    half = (host->flags & FLAG_PIECES) ? host->body.len / 2 : 0;

    return piece(piece_data, (const uint8_t *) host->body.data, half)
           && piece(piece_data, (const uint8_t *) host->body.data + half,
                    host->body.len - half);
}


static int
get_whole(void *data, sluice_text_t *body)
{
    *body = ((host_t *) data)->body;

    return 1;
}


static sluice_text_t
section(const uint8_t **data, size_t *size)
{
    size_t          len;
    sluice_text_t   text;
    const uint8_t  *end;

    end = (*size != 0) ? memchr(*data, '\0', *size) : NULL;
    len = (end != NULL) ? (size_t) (end - *data) : *size;

    text.data = (const char *) *data;
    text.len = len;

    *data += len + (end != NULL);
    *size -= len + (end != NULL);

    return text;
}


static void
check_event(host_t *host)
{
    sluice_scheme_event_t  event;

    sluice_scheme_event(host->scheme, &host->request, &host->body, &event);

    if (event.id.len != 0) {
        assert(event.id.data >= event.text);
        assert(event.id.data + event.id.len
               <= event.text + sizeof(event.text));
    }

    if (event.type.len != 0) {
        assert(event.type.data >= event.text);
        assert(event.type.data + event.type.len
               <= event.text + sizeof(event.text));
    }
}


/* What is signed right is taken; the time and the id are of the right form. */

static void
check_signed(host_t *host, sluice_key_t *const *key, const char *signer)
{
    const char               *wrong;
    sluice_text_t             id, none;
    sluice_signed_request_t  *made;
    sluice_scheme_result_t    result;

    id.data = "msg_1";
    id.len = 5;
    none.data = "";
    none.len = 0;

    made = malloc(sizeof(sluice_signed_request_t));
    assert(made != NULL);

    wrong = sluice_scheme_sign(host->scheme, signer, strlen(signer), &id,
                               &host->request, NOW, made);

    /* of a malformed form there is no signature */

    if (wrong == NULL
        && host->scheme->header.source[0]->kind == SLUICE_SOURCE_HEADER)
    {
        host->made = made;

        if (made->url.len != 0) {
            host->request.url = made->url;
            host->request.target = made->url;
        }

        sluice_scheme_check(host->scheme, key, 1, &none, &host->request, NOW,
                            &result);

        assert(result.len <= sizeof(result.answer));
        assert(result.step != NULL);

        /*
         * What may be wrong then is inside of the body: Linear's time, a
         * handshake that is too long, a hash in Twilio's URL, what a "crc"
         * signs as well.
         */

        if (host->scheme->preset->kind != SLUICE_KIND_TWILIO
            && host->scheme->preset->greet == SLUICE_GREET_NONE
            && host->scheme->crc.len == 0
            && strcmp(host->scheme->preset->name, "linear") != 0)
        {
            assert(result.verdict == SLUICE_SCHEME_VALID);
        }

        if (result.verdict == SLUICE_SCHEME_VALID) {
            check_event(host);
        }
    }

    host->made = NULL;
    free(made);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                     url[4200];
    host_t                   host;
    size_t                   i;
    sluice_key_t            *key;
    sluice_text_t            type, target, token;
    sluice_scheme_result_t   result;

    if (nschemes == 0) {
        create_all();
    }

    if (size < 2) {
        return 0;
    }

    memset(&host, 0, sizeof(host));

    i = data[0] % nschemes;
    host.scheme = schemes[i];
    host.flags = data[1];
    data += 2;
    size -= 2;

    host.claim = section(&data, &size);
    host.timestamp = section(&data, &size);
    host.id = section(&data, &size);
    target = section(&data, &size);
    type = section(&data, &size);
    host.body.data = (const char *) data;
    host.body.len = size;

    host.request.data = &host;
    host.request.method.data = (host.flags & FLAG_GET) ? "GET" : "POST";
    host.request.method.len = strlen(host.request.method.data);
    host.request.target = target;
    host.request.url.data = url;
    host.request.url.len = (size_t) snprintf(url, sizeof(url), "https://%.*s",
                                             (int) target.len, target.data);
    host.request.content_type = type;
    host.request.header = get_header;
    host.request.body = get_body;
    host.request.whole = get_whole;

    token.data = "token";
    token.len = 5;
    key = (host.flags & FLAG_UNKNOWN) ? NULL
          : (host.flags & (FLAG_CORPUS|FLAG_SIGN)) ? keys[i] : others[i];

    if (sluice_scheme_greeting(host.scheme, &key, 1, &token, &host.request,
                               &result))
    {
        assert(result.status == 200 || result.status == 403);
        assert(result.len <= sizeof(result.answer));
    }

    sluice_scheme_check(host.scheme, &key, 1, &token, &host.request, NOW,
                        &result);

    assert(result.verdict != SLUICE_SCHEME_FAILED);
    assert(result.status == 0);

    if (!(host.flags & FLAG_CORPUS)) {
        assert(result.verdict != SLUICE_SCHEME_VALID);
        assert(result.step != NULL);
    }

    if ((host.flags & FLAG_SIGN) && key != NULL) {
        check_signed(&host, &key, signers[i]);
    }

    return 0;
}
