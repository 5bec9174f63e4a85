/* What `sluicectl sign` and `sluicectl verify` share. */

#ifndef SLUICE_WORKER_CTL_SCHEME_H
#define SLUICE_WORKER_CTL_SCHEME_H

#include "core/scheme.h"
#include "worker/ctl.h"


#define CTL_HEADERS  128


typedef struct {
    char    *data;
    size_t   len;
} ctl_text_t;

typedef struct {
    sluice_scheme_t  *scheme;
    size_t            nsecrets;
    ctl_text_t        secrets[SLUICE_SCHEME_KEYS];
    /* NULL when not given */
    const char       *url;
    const char       *method;
    const char       *content_type;
    const char       *id;
    const char       *time;
    const char       *token;
} ctl_scheme_t;

typedef struct {
    sluice_text_t  name;
    sluice_text_t  value;
} ctl_header_t;

typedef struct {
    sluice_request_t  request;
    size_t            nheaders;
    ctl_header_t      headers[CTL_HEADERS];
    sluice_text_t     body;
} ctl_request_t;


/* SCHEME NAME=VALUE...; ends the program when they are not right */
void ctl_scheme(ctl_scheme_t *scheme, int argc, char **argv);
/* all of standard input */
void ctl_input(ctl_text_t *input);
void ctl_request_init(ctl_request_t *request);
/* http or https, and something behind it */
bool ctl_is_url(const char *text);
/* path and query of a URL */
sluice_text_t ctl_target(const char *url);


#endif
