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
#define SLUICE_SCHEME_NEEDS_WHOLE  2    /* in one piece: form, JSON inside */
#define SLUICE_SCHEME_NEEDS_URL    4    /* the public URL */


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
                                         the scheme has none */
    sluice_text_t   type;             /* "<scheme>.<type>" is the job's name */
} sluice_scheme_event_t;


/* With its preset; NULL: unknown, or out of memory. */
sluice_scheme_t *sluice_scheme_create(const char *name, size_t len);
void sluice_scheme_destroy(sluice_scheme_t *scheme);

/* The names of all schemes, ended by NULL, for messages. */
extern const char *const  sluice_scheme_names[];

/*
 * One setting.  NULL, or what is wrong: a static text that names the setting's
 * form and never shows the value.  All schemes that have them: header,
 * tolerance (0: not checked), public_url (a value may also come with the
 * request).  "hmac" and the schemes written in it:
 *
 *   algorithm   sha1 sha256 sha384 sha512
 *   encoding    hex base64 base64url
 *   prefix      before the encoded signature
 *   signed      what is signed: text with {body} {timestamp} {id} {method}
 *               {path} {url}; "{body}" when not given
 *   timestamp   header=NAME, or the name of a pair of the signature's header
 *   ...         (the complete list: docs/verify.md)
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
 * The verdict.  A NULL among the keys stands for a secret that is empty or
 * unusable: it costs what a key costs and never matches.  All keys are tried,
 * whichever matches.  `token` is what a subscription handshake has to bring
 * (meta's verify_token), empty when there is none.  now: Unix time, seconds.
 */
void sluice_scheme_check(const sluice_scheme_t *scheme,
    sluice_key_t *const *keys, size_t nkeys, const sluice_text_t *token,
    const sluice_request_t *request, int64_t now,
    sluice_scheme_result_t *result);

/*
 * Is it a handshake that is decided without a signature (meta's GET)?  1: the
 * result has the answer (status 403 when it is refused), 0: check it.
 */
int sluice_scheme_greeting(const sluice_scheme_t *scheme,
    const sluice_text_t *token, const sluice_request_t *request,
    sluice_scheme_result_t *result);

/* After a verdict VALID; `body` is whole.  Texts point into the request. */
void sluice_scheme_event(const sluice_scheme_t *scheme,
    const sluice_request_t *request, const sluice_text_t *body,
    sluice_scheme_event_t *event);


#endif
