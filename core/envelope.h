/*
 * The CloudEvents 1.0 JSON object around a request body, written as a head
 * and a tail so that the body's bytes are never copied or changed between
 * them:  head + body + tail  (datatype JSON), or head + encoded body + tail.
 *
 *   {"specversion":"1.0","id":"e-...","source":"/hooks/meta",
 *    "type":"meta.messages","time":"2026-11-20T10:00:00.000Z",
 *    "tenant":"acme","signaturescheme":"meta","verified":true,
 *    "headers":{"x-topic":"..."},
 *    "datacontenttype":"application/json","data":<body>}
 *
 * Sources: CloudEvents 1.0.2, sections "Required attributes" and "JSON event
 * format" (data, data_base64).
 */

#ifndef SLUICE_CORE_ENVELOPE_H
#define SLUICE_CORE_ENVELOPE_H

#include <stddef.h>
#include <stdint.h>


typedef struct {
    const char  *data;
    size_t       len;
} sluice_text_t;

typedef enum {
    SLUICE_ENVELOPE_JSON,      /* "data":<body> */
    SLUICE_ENVELOPE_TEXT,      /* "data":"<escaped body>" */
    SLUICE_ENVELOPE_BINARY,    /* "data_base64":"<base64>" */
    SLUICE_ENVELOPE_NONE       /* no data member at all */
} sluice_envelope_data_e;

typedef struct {
    sluice_text_t           id;
    sluice_text_t           source;         /* the request's path */
    sluice_text_t           type;
    int64_t                 time_ms;        /* Unix time */
    sluice_text_t           tenant;         /* left out when empty */
    sluice_text_t           scheme;         /* left out when empty */
    unsigned                verified:1;
    sluice_text_t           content_type;   /* left out when empty */
    const sluice_text_t    *headers;        /* name, value, name, value, ... */
    size_t                  nheaders;       /* pairs */
    sluice_envelope_data_e  data;
} sluice_envelope_t;


/* No head of it is longer: quick to know, and far more than most need. */
size_t sluice_envelope_room(const sluice_envelope_t *envelope);

/* With dst NULL only the length; else writes it and returns the same. */
size_t sluice_envelope_head(uint8_t *dst, const sluice_envelope_t *envelope);
size_t sluice_envelope_tail(uint8_t *dst, const sluice_envelope_t *envelope);

/* What stands between head and tail for TEXT and BINARY; same convention. */
size_t sluice_envelope_body(uint8_t *dst, const sluice_envelope_t *envelope,
    const uint8_t *body, size_t len);


#endif
