/*
 * The other side of core/scheme.h: what a sender would send.  For tests, for
 * `sluicectl sign`, and to show that a preset is what its sender does.
 */

#ifndef SLUICE_CORE_SCHEME_SIGN_H
#define SLUICE_CORE_SCHEME_SIGN_H

#include "core/scheme.h"


#define SLUICE_SIGN_VALUES  4
#define SLUICE_SIGN_TEXT    16384


typedef struct {
    /* a header's name, or "json:/pointer", "form:name", "query:name" */
    const char     *place;
    sluice_text_t   value;
} sluice_sign_value_t;

typedef struct {
    size_t                n;
    sluice_sign_value_t   values[SLUICE_SIGN_VALUES];
    /* the URL to send to, when it is another than that of the request */
    sluice_text_t         url;
    size_t                used;
    char                  text[SLUICE_SIGN_TEXT];
} sluice_signed_request_t;


/*
 * Signs with one secret, or a private key in PEM where the scheme has public
 * keys.  `id` is the event's where the scheme signs one.  Of the request the
 * method, url, target, content_type and body are read.  NULL, or what is
 * wrong: with the secret, when it begins with "is ".
 */
const char *sluice_scheme_sign(const sluice_scheme_t *scheme,
    const char *secret, size_t len, const sluice_text_t *id,
    const sluice_request_t *request, int64_t now,
    sluice_signed_request_t *result);


#endif
