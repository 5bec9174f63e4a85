/*
 * What the files of core/scheme*.c share; for core/ only.
 *
 *     scheme.c           create, ready, destroy, what a scheme is asked
 *     scheme_presets.c   the table of schemes
 *     scheme_set.c       one setting
 *     scheme_template.c  has what is signed one reading?
 *     scheme_source.c    where values are
 *     scheme_read.c      values out of headers, query, JSON and forms
 *     scheme_key.c       secrets and public keys
 *     scheme_check.c     the verdict: which of the three below
 *     scheme_signed.c    a signature over a text with the body in it
 *     scheme_twilio.c    Twilio's form and JSON
 *     scheme_bearer.c    tokens: a secret as it is, a JWT
 *     scheme_greet.c     handshakes
 *     scheme_event.c     the event's id and type
 *     scheme_sign.c      the other side, for tests and sluicectl
 *     scheme_sign_key.c  its private keys
 */

#ifndef SLUICE_CORE_SCHEME_PARTS_H
#define SLUICE_CORE_SCHEME_PARTS_H

#include <openssl/evp.h>

#include "core/form.h"
#include "core/json.h"
#include "core/scheme.h"
#include "core/signature.h"


#define SLUICE_SCHEME_SOURCES     8    /* places to look for one value */
#define SLUICE_SCHEME_PARTS      16    /* pieces of what is signed */
#define SLUICE_SCHEME_CLAIMED     8    /* signatures of one request */
#define SLUICE_SCHEME_CLAIMS      4    /* claim= of a JWT */
#define SLUICE_SCHEME_FIELDS      4
#define SLUICE_SCHEME_SCRATCH  1024    /* bytes of decoded values */
#define SLUICE_SCHEME_MACS        4    /* algorithms of an HMAC */
#define SLUICE_SCHEME_HANDSHAKE   65536    /* a longer body is none */
#define SLUICE_GREET_CRC         200    /* bytes that a CRC signs at most */
#define SLUICE_SIGN_BYTES         1024    /* of a signature; RSA has 512 */
#define SLUICE_SIGN_NO_KEY        "is no private key in PEM for this scheme"
#define SLUICE_SCHEME_NO_MEMORY   "no memory"


typedef enum {
    SLUICE_KIND_SIGNED,
    SLUICE_KIND_TWILIO,
    SLUICE_KIND_TOKEN,
    SLUICE_KIND_JWT
} sluice_scheme_kind_e;

/* The first four are sluice_signature_algorithm_e. */

typedef enum {
    SLUICE_ALGORITHM_ED25519 = SLUICE_SCHEME_MACS,
    SLUICE_ALGORITHM_ECDSA_P256
} sluice_scheme_algorithm_e;

typedef enum {
    SLUICE_GREET_NONE = 0,
    SLUICE_GREET_META,
    SLUICE_GREET_SLACK,
    SLUICE_GREET_ZOOM,
    SLUICE_GREET_DISCORD,
    SLUICE_GREET_VIBER,
    SLUICE_GREET_LINE
} sluice_scheme_greet_e;

typedef enum {
    SLUICE_SOURCE_HEADER,
    SLUICE_SOURCE_PAIR,         /* name=value in the signature's header */
    SLUICE_SOURCE_QUERY,
    SLUICE_SOURCE_JSON,
    SLUICE_SOURCE_FORM,
    SLUICE_SOURCE_CLAIM         /* of a JWT, for the event */
} sluice_source_e;

typedef struct {
    sluice_source_e        kind;
    sluice_text_t          name;        /* a header's in lower case */
    sluice_json_pointer_t  pointer;
} sluice_source_t;

typedef struct {
    size_t            n;
    sluice_source_t  *source[SLUICE_SCHEME_SOURCES];
} sluice_sources_t;

typedef enum {
    SLUICE_PART_TEXT,
    SLUICE_PART_BODY,
    SLUICE_PART_TIMESTAMP,
    SLUICE_PART_ID,
    SLUICE_PART_METHOD,
    SLUICE_PART_PATH,
    SLUICE_PART_URL
} sluice_part_e;

typedef struct {
    sluice_part_e   kind;
    sluice_text_t   text;
} sluice_part_t;

typedef struct {
    const char             *name;
    sluice_scheme_kind_e    kind;
    const char             *settings;      /* NAME=VALUE, a space between */
    sluice_scheme_greet_e   greet;
    size_t                  body_max;
    const char             *id;            /* of the event: sources; NULL is
                                              the one that is signed */
    const char             *state;         /* added to the id after a colon */
    const char             *more;          /* is there: more events than one */
    const char             *type;
    const char             *keeps;         /* fields, a space between */
} sluice_preset_t;

/* One more block of memory of the scheme's. */

typedef struct sluice_kept_s  sluice_kept_t;

struct sluice_kept_s {
    sluice_kept_t  *next;
};

typedef struct {
    sluice_text_t  name;
    sluice_text_t  value;
} sluice_claim_t;

struct sluice_scheme_s {
    const sluice_preset_t         *preset;
    sluice_kept_t                 *kept;

    sluice_sources_t               header;
    sluice_sources_t               timestamp;
    sluice_sources_t               id;

    unsigned                       algorithm;
    sluice_signature_encoding_e    encoding;
    sluice_text_t                  prefix;
    char                           separator;     /* 0: one value */
    size_t                         nparts;
    sluice_part_t                  parts[SLUICE_SCHEME_PARTS];

    int64_t                        tolerance;     /* seconds; 0 not checked */
    unsigned                       milliseconds:1;
    unsigned                       own:1;         /* all settings: "hmac" */
    unsigned                       tolerance_set:1;

    unsigned                       decode:1;      /* the secret */
    sluice_signature_encoding_e    secret_encoding;
    sluice_text_t                  secret_prefix;
    sluice_text_t                  public_prefix; /* of an Ed25519 key */
    sluice_text_t                  public_version;    /* its signature's */

    sluice_text_t                  public_url;
    sluice_text_t                  crc;

    unsigned                       algorithms;    /* of a JWT: bits */
    int64_t                        leeway;
    sluice_text_t                  issuer;
    sluice_text_t                  audience;
    sluice_text_t                  body_hash;
    sluice_text_t                  url_hash;
    size_t                         nclaims;
    sluice_claim_t                 claims[SLUICE_SCHEME_CLAIMS];

    sluice_sources_t               event_id;
    sluice_sources_t               event_state;
    sluice_sources_t               event_more;
    sluice_sources_t               event_type;

    size_t                         nkeeps;
    sluice_text_t                  keeps[SLUICE_SCHEME_FIELDS];

    /* stand for the keys that are none */
    sluice_key_t                  *dummy[SLUICE_SCHEME_KEYS];
};

struct sluice_key_s {
    sluice_signature_t  *mac[SLUICE_SCHEME_MACS];
    EVP_PKEY            *public;
    uint8_t              digest[SLUICE_SIGNATURE_SECRET];
    unsigned             nobody:1;    /* it never matches, nor signs */
};


/* A request that is being looked at. */

typedef struct {
    const sluice_scheme_t    *scheme;
    const sluice_request_t   *request;
    sluice_text_t             claim;        /* the signature's header */
    size_t                    alternative;  /* of its sources */
    sluice_text_t             body;
    unsigned                  whole:1;      /* body is there */
    size_t                    used;
    char                      scratch[SLUICE_SCHEME_SCRATCH];
} sluice_reading_t;

typedef enum {
    SLUICE_READ_FOUND = 0,
    SLUICE_READ_MISSING,        /* not there, or empty */
    SLUICE_READ_MALFORMED,      /* twice, not of the form, too long */
    SLUICE_READ_FAILED          /* the host */
} sluice_read_e;


extern const sluice_preset_t  sluice_presets[];

const sluice_preset_t *sluice_preset_find(const char *name, size_t len);

/* Adds what HMACs by a secret take, for the algorithms that are bits; NULL, or
   what is wrong. */
const char *sluice_key_macs(sluice_key_t *key, unsigned algorithms,
    const uint8_t *secret, size_t len);
/* Adds a public key: PEM, or base64 of the DER that is inside of it. */
int sluice_key_read(sluice_key_t *key, const char *text, size_t len);
/* The algorithms of a JWT that the key is for, as bits; RSA of less than 2048
   bits is for none. */
unsigned sluice_key_fits(EVP_PKEY *key);
/* A key that nobody has, of all of the scheme's kinds, for what is NULL. */
sluice_key_t *sluice_key_dummy(const sluice_scheme_t *scheme);

/* Memory of the scheme's own, freed with it; the text gets a NUL behind it. */
void *sluice_scheme_alloc(sluice_scheme_t *scheme, size_t size);
int sluice_scheme_keep(sluice_scheme_t *scheme, sluice_text_t *kept,
    const char *data, size_t len);

/* "header:x,json:/y"; NULL, or what is wrong. */
const char *sluice_scheme_sources(sluice_scheme_t *scheme,
    sluice_sources_t *sources, const char *value, size_t len);

/* What "signed" says has one reading: NULL, or which part has no end. */
const char *sluice_scheme_template(const sluice_scheme_t *scheme);

/* The signature's header, and which alternative it was. */
sluice_read_e sluice_read_claim(sluice_reading_t *reading);
/* The token in it; 0 when Authorization has no "Bearer" before it. */
int sluice_read_bearer(const sluice_reading_t *reading,
    sluice_text_t *token);
/* The value of the source that goes with that alternative. */
sluice_read_e sluice_read_with(sluice_reading_t *reading,
    const sluice_sources_t *sources, sluice_text_t *value);
/* The value of the first source that is there. */
sluice_read_e sluice_read_first(sluice_reading_t *reading,
    const sluice_sources_t *sources, sluice_text_t *value);
/* An argument of the query, decoded. */
sluice_read_e sluice_read_query(sluice_reading_t *reading,
    const sluice_text_t *name, sluice_text_t *value);
sluice_read_e sluice_read_body(sluice_reading_t *reading);
/* SHA-256 of the body, in pieces, and its length.  1, or 0: failed */
int sluice_read_hash(const sluice_reading_t *reading, uint8_t *hash,
    size_t *len);
int sluice_read_is_form(const sluice_request_t *request);
/* "1795000000": exactly 10 digits, or 13 of milliseconds.  1 or 0. */
int sluice_read_time(const sluice_scheme_t *scheme, const sluice_text_t *text,
    int64_t *time);
/* 1 when the time is inside of the tolerance, which may be 0: any. */
int sluice_read_fresh(const sluice_scheme_t *scheme, int64_t time,
    int64_t now);
/* Of the public URL or the one of the request. */
sluice_text_t sluice_read_url(const sluice_reading_t *reading);

/* The verdict of a reading that did not find what it needs. */
void sluice_verdict_read(sluice_scheme_result_t *result, sluice_read_e rc,
    const char *missing, const char *malformed);
void sluice_verdict(sluice_scheme_result_t *result,
    sluice_scheme_verdict_e verdict, const char *step);
/* The keys to try, with one of the scheme's own for each that is NULL. */
size_t sluice_verdict_keys(const sluice_scheme_t *scheme,
    sluice_key_t *const *keys, size_t nkeys, sluice_key_t **all);
/* After all were tried: one match is enough, if its key was given. */
void sluice_verdict_match(sluice_scheme_result_t *result,
    sluice_key_t *const *keys, size_t nkeys, const unsigned *matched);

void sluice_check_signed(sluice_reading_t *reading, sluice_key_t *const *keys,
    size_t nkeys, int64_t now, sluice_scheme_result_t *result);
void sluice_check_twilio(sluice_reading_t *reading, sluice_key_t *const *keys,
    size_t nkeys, sluice_scheme_result_t *result);
/* What Twilio signs for this URL, without the hash of a body.  1 or 0 */
int sluice_twilio_sign(sluice_reading_t *reading, const sluice_text_t *url,
    sluice_key_t *key, uint8_t *mac, size_t *len);
/* As a JWT's algorithm says; ECDSA is DER.  NULL, or what is wrong */
const char *sluice_sign_private(const char *pem, size_t pem_len,
    int algorithm, const char *text, size_t len, uint8_t *signature,
    size_t *signature_len);
/* The algorithms of a JWT that the private key is for, as bits; 0: no key */
unsigned sluice_sign_fits(const char *pem, size_t len);
/* DER to r and s side by side, each of half the length. */
int sluice_sign_raw(int half, uint8_t *signature, size_t *len);
void sluice_check_token(sluice_reading_t *reading, sluice_key_t *const *keys,
    size_t nkeys, sluice_scheme_result_t *result);
void sluice_check_jwt(sluice_reading_t *reading, sluice_key_t *const *keys,
    size_t nkeys, int64_t now, sluice_scheme_result_t *result);

/* Is it what a CRC would sign for anyone? */
int sluice_greet_asks(const sluice_text_t *text);

/* After a valid signature: the answer, when the body is a handshake. */
void sluice_greet_signed(sluice_reading_t *reading, const sluice_key_t *key,
    sluice_scheme_result_t *result);


static inline int
sluice_text_is(const sluice_text_t *text, const char *literal)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {
        if (literal[i] == '\0' || literal[i] != text->data[i]) {
            return 0;
        }
    }

    return literal[i] == '\0';
}


#endif
