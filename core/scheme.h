/*
 * Who sent this: the signature schemes of webhook senders as settings, keys and
 * a verdict.  No I/O and no clock; the raw bytes of the request come from the
 * host through functions.  Facts of the schemes: the senders' documentation,
 * named beside each preset in scheme_presets.c.
 *
 *     scheme = sluice_scheme_create("stripe", 6);
 *     sluice_scheme_set(scheme, "tolerance", 9, "10m", 3);      any number
 *     sluice_scheme_ready(scheme);
 *     key = sluice_key_create(scheme, secret, len, &why);       for each
 *     sluice_scheme_check(scheme, keys, nkeys, request, now, &result);
 *
 * A preset is a list of the same settings that "hmac" takes, wherever the
 * sender's scheme can be said in them.
 */

#ifndef SLUICE_CORE_SCHEME_H
#define SLUICE_CORE_SCHEME_H

#include <stddef.h>
#include <stdint.h>
#include "core/envelope.h"


#define SLUICE_SCHEME_KEYS    8       /* of one check */
#define SLUICE_SCHEME_ANSWER  512     /* bytes of a handshake's answer */
#define SLUICE_SCHEME_EVENT   512     /* of an event's id and type */


typedef struct sluice_scheme_s  sluice_scheme_t;
typedef struct sluice_key_s     sluice_key_t;

typedef enum {
    SLUICE_SCHEME_VALID = 0,
    SLUICE_SCHEME_MISSING,        /* no signature, token or key */
    SLUICE_SCHEME_MALFORMED,      /* not of the form, or given twice */
    SLUICE_SCHEME_MISMATCH,
    SLUICE_SCHEME_STALE,          /* signed, and outside of the tolerance */
    SLUICE_SCHEME_EMPTY,          /* no usable key: an empty secret */
    SLUICE_SCHEME_FAILED          /* out of memory, OpenSSL or the host failed:
                                     no verdict */
} sluice_scheme_verdict_e;

/* What a check reads: the host need not have the rest. */
#define SLUICE_SCHEME_NEEDS_BODY   1    /* in pieces */
#define SLUICE_SCHEME_NEEDS_WHOLE  2    /* in one piece: form, JSON inside, or
                                           a handshake, which is short: whole()
                                           is called for those that are */
#define SLUICE_SCHEME_NEEDS_URL    4    /* the public URL */
#define SLUICE_SCHEME_TAKES_TOKEN  8    /* verify_token= means something */


/* A request as the host has it; nothing is copied. */

typedef int (*sluice_scheme_piece_pt)(void *data, const uint8_t *p,
    size_t len);                                    /* 1 go on, 0 stop */

typedef struct {
    void           *data;
    sluice_text_t   method;           /* "POST" */
    sluice_text_t   url;              /* as the sender used it: scheme, host,
                                         port if it was given, path, query */
    sluice_text_t   target;           /* path and query as received */
    sluice_text_t   content_type;     /* empty when there is none */
    /* the first field of a lower case name; returns how many there are */
    size_t        (*header)(void *data, const char *name, size_t len,
                      sluice_text_t *value);
    /* calls piece for all of the body in order; 1, or 0 when it failed */
    int           (*body)(void *data, sluice_scheme_piece_pt piece,
                      void *piece_data);
    /* the body in one piece; 1, or 0 when it failed */
    int           (*whole)(void *data, sluice_text_t *body);
} sluice_request_t;

typedef struct {
    sluice_scheme_verdict_e  verdict;
    size_t                   key;             /* that matched, from 0 */
    const char              *step;            /* which check failed, for
                                                 people: static text, never a
                                                 secret or expected value */
    /* a handshake of the scheme: answered so, never enqueued; 0: it is none */
    unsigned                 status;
    const char              *type;            /* media type */
    size_t                   len;
    char                     answer[SLUICE_SCHEME_ANSWER];
} sluice_scheme_result_t;

typedef struct {
    sluice_text_t   id;               /* the sender's own id of the event, the
                                         same when it is sent again; empty when
                                         the scheme has none, or the body holds
                                         more than one event */
    sluice_text_t   type;             /* "<scheme>.<type>" is the job's name;
                                         any bytes, empty when there is none */
    char            text[SLUICE_SCHEME_EVENT];    /* where both point into */
} sluice_scheme_event_t;


/* With its preset; NULL: unknown, or out of memory. */
sluice_scheme_t *sluice_scheme_create(const char *name, size_t len);
void sluice_scheme_destroy(sluice_scheme_t *scheme);

/* The names of all schemes, ended by NULL, for messages; "none" is not one. */
extern const char *const  sluice_scheme_names[];

/*
 * One setting, as in docs/schemes.md.  NULL, or what is wrong: a static text
 * that names the setting's form and never shows the value.  Nothing of the
 * value is kept by reference.
 *
 * A scheme that signs takes header, tolerance ("5m", 0: not checked) and
 * public_url, which wins over the url of the request.  "hmac" takes as well:
 *
 *   header            [query:|json:|form:]NAME,...  the first that is there
 *   algorithm         sha1 sha256 sha384 sha512 ed25519 ecdsa-p256
 *   encoding          hex base64 base64url
 *   separator         comma semicolon space: the header is a list, of which
 *                     those count that begin with the prefix
 *   prefix            before the encoded signature
 *   signed            text with {body} {timestamp} {id} {method} {path} {url}
 *   timestamp, id     [header:|pair:|query:|json:|form:]NAME,...
 *   timestamp_unit    s ms
 *   secret_encoding   plain hex base64
 *   secret_prefix     left out of a secret that begins with it
 *   crc               name of the query's argument that a GET asks to be signed
 *
 * "api_key": header.  "jwt": header, algorithms, issuer, audience, leeway,
 * tolerance (age by "iat"), body_hash, url_hash, claim (NAME:VALUE, repeated).
 */
const char *sluice_scheme_set(sluice_scheme_t *scheme, const char *name,
    size_t name_len, const char *value, size_t len);

/* All settings are there and fit together: NULL, or what is wrong. */
const char *sluice_scheme_ready(sluice_scheme_t *scheme);

const char *sluice_scheme_name(const sluice_scheme_t *scheme);
unsigned sluice_scheme_needs(const sluice_scheme_t *scheme);
/* The largest body that the sender is known to send, 0 not known */
size_t sluice_scheme_body_max(const sluice_scheme_t *scheme);
/* The i-th lower case field that carries a secret or signature, or NULL: such
   fields are never stored with an event */
const char *sluice_scheme_field(const sluice_scheme_t *scheme, size_t i);
/* The i-th lower case field that an event of the scheme needs, or NULL */
const char *sluice_scheme_keeps(const sluice_scheme_t *scheme, size_t i);

/*
 * A secret, token or public key, ready to be used again and again by one
 * thread.  NULL: *why says what is wrong with it (empty, not base64, no key),
 * or is NULL when memory is out.  An empty secret is never a key.
 */
sluice_key_t *sluice_key_create(const sluice_scheme_t *scheme,
    const char *secret, size_t len, const char **why);
void sluice_key_destroy(sluice_key_t *key);

/*
 * In the place of a secret that is empty or unusable: never matches, and costs
 * what a sender's own costs, to make and to check with.  NULL: out of memory.
 */
sluice_key_t *sluice_key_nobody(const sluice_scheme_t *scheme);

/*
 * The verdict.  A NULL among the keys stands for a secret that is empty or
 * unusable: it costs what a key costs and never matches.  No key stands there
 * twice.  All keys are tried,
 * whichever matches.  `token` is what a subscription handshake has to bring
 * (meta's verify_token), empty when there is none.  now: Unix time, seconds.
 */
void sluice_scheme_check(const sluice_scheme_t *scheme,
    sluice_key_t *const *keys, size_t nkeys, const sluice_text_t *token,
    const sluice_request_t *request, int64_t now,
    sluice_scheme_result_t *result);

/*
 * Is it a handshake that is decided without a signature: meta's GET, a CRC?
 * 1: the result has the answer (status 403 when it is refused), 0: check it.
 * The keys are those of the check: a CRC is answered with the first.
 */
int sluice_scheme_greeting(const sluice_scheme_t *scheme,
    sluice_key_t *const *keys, size_t nkeys, const sluice_text_t *token,
    const sluice_request_t *request, sluice_scheme_result_t *result);

/* After a verdict VALID; `body` is whole. */
void sluice_scheme_event(const sluice_scheme_t *scheme,
    const sluice_request_t *request, const sluice_text_t *body,
    sluice_scheme_event_t *event);


#endif
