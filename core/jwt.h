/*
 * A signed JSON Web Token in its compact form (RFC 7515, 7519): its parts and
 * its claims.  The signature itself is scheme_bearer.c's.  No allocation.
 */

#ifndef SLUICE_CORE_JWT_H
#define SLUICE_CORE_JWT_H

#include <stddef.h>
#include <stdint.h>
#include "core/envelope.h"


#define SLUICE_JWT_HEADER      512    /* bytes, decoded */
#define SLUICE_JWT_PAYLOAD    4096
#define SLUICE_JWT_SIGNATURE   512    /* RSA of 4096 bits */
#define SLUICE_JWT_AUDIENCES     8


typedef enum {
    SLUICE_JWT_HS256,
    SLUICE_JWT_HS384,
    SLUICE_JWT_HS512,
    SLUICE_JWT_RS256,
    SLUICE_JWT_RS384,
    SLUICE_JWT_RS512,
    SLUICE_JWT_PS256,
    SLUICE_JWT_PS384,
    SLUICE_JWT_PS512,
    SLUICE_JWT_ES256,
    SLUICE_JWT_ES384,
    SLUICE_JWT_EDDSA
} sluice_jwt_algorithm_e;

typedef struct {
    int             algorithm;
    sluice_text_t   input;            /* what is signed, in the token */
    size_t          payload_len;
    size_t          signature_len;
    uint8_t         payload[SLUICE_JWT_PAYLOAD];
    uint8_t         signature[SLUICE_JWT_SIGNATURE];
} sluice_jwt_t;


/* The algorithm of a name, -1 for any other: "none" has no number. */
int sluice_jwt_algorithm(const char *name, size_t len);

/*
 * NULL, or what is wrong.  A token that says "crit" is refused: no extension
 * is known here.
 */
const char *sluice_jwt_parse(sluice_jwt_t *jwt, const char *token,
    size_t len);

/*
 * A claim that is a string, still escaped, or a number.  1 when it is there
 * once, 0 when not, -1 when the payload is no JSON or has it twice.
 */
int sluice_jwt_claim(const sluice_jwt_t *jwt, const char *name, size_t len,
    sluice_text_t *value);
/* The same of a time: seconds, a fraction is left out; -1 also no number. */
int sluice_jwt_time(const sluice_jwt_t *jwt, const char *name,
    int64_t *time);
/* 1 when a claim is this string. */
int sluice_jwt_is(const sluice_jwt_t *jwt, const sluice_text_t *name,
    const sluice_text_t *text);
/* 1 when "aud" is this text or an array that has it. */
int sluice_jwt_audience(const sluice_jwt_t *jwt, const sluice_text_t *text);


#endif
