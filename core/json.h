/*
 * A JSON text is checked against RFC 8259 and the values at a few RFC 6901
 * pointers are found, in one pass, without allocation.
 */

#ifndef SLUICE_CORE_JSON_H
#define SLUICE_CORE_JSON_H

#include <stddef.h>
#include <stdint.h>


#define SLUICE_JSON_DEPTH     128    /* deeper nesting is refused */
#define SLUICE_JSON_POINTERS   32    /* pointers of one scan */
#define SLUICE_JSON_TOKENS     16    /* reference tokens of one pointer */


typedef enum {
    SLUICE_JSON_MISSING = 0,
    SLUICE_JSON_NULL,
    SLUICE_JSON_FALSE,
    SLUICE_JSON_TRUE,
    SLUICE_JSON_NUMBER,
    SLUICE_JSON_STRING,
    SLUICE_JSON_ARRAY,
    SLUICE_JSON_OBJECT
} sluice_json_type_e;


typedef enum {
    SLUICE_JSON_OK = 0,
    SLUICE_JSON_EMPTY,        /* nothing but white space */
    SLUICE_JSON_SYNTAX,       /* not RFC 8259, or not UTF-8 */
    SLUICE_JSON_DEEP,         /* nested deeper than SLUICE_JSON_DEPTH */
    SLUICE_JSON_DUPLICATE     /* a member twice on an extracted path */
} sluice_json_result_e;


/*
 * A value in place: the raw text from its first to past its last byte.  Of a
 * string the quotes are not part and `escaped` says whether it holds a
 * backslash, so most strings can be used as they are.
 */
typedef struct {
    const uint8_t       *data;
    size_t               len;
    sluice_json_type_e   type;
    unsigned             escaped:1;
} sluice_json_value_t;


typedef struct {
    const char  *data;     /* as written, ~0 and ~1 not decoded */
    size_t       len;
    int64_t      index;    /* the array index that it also is, or -1 */
} sluice_json_token_t;


/* A compiled pointer; `text` must outlive it. */
typedef struct {
    const char           *text;
    size_t                len;
    size_t                ntokens;
    unsigned              escaped:1;    /* some token holds ~0 or ~1 */
    sluice_json_token_t   token[SLUICE_JSON_TOKENS];
} sluice_json_pointer_t;


/* Returns NULL, or what is wrong with the text ("must start with a slash"). */
const char *sluice_json_pointer(sluice_json_pointer_t *pointer,
    const char *text, size_t len);

/*
 * Scans all of `text`; n is at most SLUICE_JSON_POINTERS.  values[i] gets what
 * pointers[i] refers to, or type SLUICE_JSON_MISSING.  On any result but
 * SLUICE_JSON_OK the values are void and *offset is the byte at which the scan
 * gave up.
 */
sluice_json_result_e sluice_json_scan(const uint8_t *text, size_t len,
    const sluice_json_pointer_t *pointers, size_t n,
    sluice_json_value_t *values, size_t *offset);

/* A short text for an answer or a log line: "malformed JSON", ... */
const char *sluice_json_strerror(sluice_json_result_e result);

/*
 * Decodes the escapes of a string value of a scan into dst, which has room for
 * value->len bytes (a decoded string is never longer).  Returns the length.
 * A lone surrogate becomes U+FFFD.
 */
size_t sluice_json_unescape(uint8_t *dst, const sluice_json_value_t *value);

/*
 * Escapes len bytes for the inside of a JSON string.  With dst NULL only the
 * length needed is returned.  Bytes that are not UTF-8 become U+FFFD.
 */
size_t sluice_json_escape(uint8_t *dst, const uint8_t *src, size_t len);

/* 1 when the bytes are UTF-8 without NUL. */
int sluice_json_is_text(const uint8_t *src, size_t len);


#endif
