/*
 * sluicectl sign SCHEME NAME=VALUE...: the headers that a sender would send.
 */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/scheme_sign.h"
#include "worker/ctl_scheme.h"


const char  ctl_sign_help[] =
    "sluicectl sign SCHEME NAME=VALUE... < BODY\n"
    "sluicectl sign SCHEME NAME=VALUE... --curl URL < BODY\n"
    "\n"
    "The header lines that a sender of the scheme would send with the body\n"
    "on standard input, or a command line of curl.  Nothing is sent.  What a\n"
    "scheme has inside of the body is shown with its place (json:/pointer).\n"
    "\n"
    "  secret=VALUE   the secret, file:PATH or env:NAME; a private key in\n"
    "                 PEM for discord, sendgrid, and jwt but for HS\n"
    "  url=URL        where it goes, for schemes that sign it\n"
    "  method=POST  content_type=application/json  time=UNIX  event=ID\n"
    "\n"
    "All else is a setting of the scheme, as of \"sluice_verify\": header=,\n"
    "algorithm=, signed=, ...; see docs/schemes.md.\n"
    "\n"
    "Exit status: 0 signed, 2 usage.\n";


static void ctl_sign_check(const sluice_signed_request_t *result);
static void ctl_sign_lines(const sluice_signed_request_t *result);
static void ctl_sign_curl(const sluice_signed_request_t *result,
    const ctl_request_t *request, const char *url);
static void ctl_quote(const char *text, size_t len);


int
ctl_sign(ctl_t *ctl, int argc, char **argv)
{
    int                       c;
    int64_t                   now;
    const char               *curl, *wrong;
    ctl_text_t                input;
    ctl_scheme_t              scheme;
    ctl_request_t             request;
    sluice_text_t             id;
    sluice_signed_request_t  *result;

    static const struct option  options[] = {
        { "curl", required_argument, NULL, 'u' },
        { NULL, 0, NULL, 0 }
    };

    curl = NULL;

    while ((c = ctl_option(argc, argv, options)) != -1) {
        curl = optarg;
    }

    ctl_scheme(&scheme, argc - optind, argv + optind);

    if (scheme.nsecrets > 1) {
        ctl_fail(CTL_USAGE, "one secret= signs");
    }

    if (curl != NULL && !ctl_is_url(curl)) {
        ctl_fail(CTL_USAGE, "--curl has no URL: https://host/path");
    }

    if (scheme.url == NULL) {
        scheme.url = curl;
    }

    if (scheme.url == NULL
        && (sluice_scheme_needs(scheme.scheme) & SLUICE_SCHEME_NEEDS_URL))
    {
        ctl_fail(CTL_USAGE, "the scheme signs the URL: url=");
    }

    now = (scheme.time != NULL) ? ctl_number("time", scheme.time, INT64_MAX)
                                : (int64_t) time(NULL);

    ctl_input(&input);
    ctl_request_init(&request);

    request.body.data = input.data;
    request.body.len = input.len;

    request.request.method.data = scheme.method ? scheme.method : "POST";
    request.request.method.len = strlen(request.request.method.data);
    request.request.url.data = scheme.url ? scheme.url : "";
    request.request.url.len = strlen(request.request.url.data);
    request.request.target = ctl_target(request.request.url.data);
    request.request.content_type.data = scheme.content_type
                                        ? scheme.content_type
                                        : "application/json";
    request.request.content_type.len
        = strlen(request.request.content_type.data);

    id.data = scheme.id ? scheme.id : "";
    id.len = strlen(id.data);

    result = malloc(sizeof(sluice_signed_request_t));
    if (result == NULL) {
        ctl_fail(CTL_USAGE, "out of memory");
    }

    wrong = sluice_scheme_sign(scheme.scheme, scheme.secrets[0].data,
                               scheme.secrets[0].len, &id, &request.request,
                               now, result);
    if (wrong != NULL) {
        ctl_fail(CTL_USAGE, "%s: %s%s", sluice_scheme_name(scheme.scheme),
                 (strncmp(wrong, "is ", 3) == 0) ? "the secret " : "", wrong);
    }

    ctl_sign_check(result);

    if (curl != NULL) {
        ctl_sign_curl(result, &request, curl);

    } else {
        ctl_sign_lines(result);
    }

    return CTL_OK;
}


/* A line of its own in a header would be another header. */

static void
ctl_sign_check(const sluice_signed_request_t *result)
{
    size_t                i, k;
    const sluice_text_t  *value;

    for (i = 0; i < result->n; i++) {
        value = &result->values[i].value;

        for (k = 0; k < value->len; k++) {
            if (iscntrl((unsigned char) value->data[k])) {
                ctl_fail(CTL_USAGE, "the value of %s has a control character, "
                         "such as the end of a line", result->values[i].place);
            }
        }
    }
}


static void
ctl_sign_lines(const sluice_signed_request_t *result)
{
    size_t  i;

    if (result->url.len != 0) {
        printf("# to %s\n", result->url.data);
    }

    for (i = 0; i < result->n; i++) {
        printf("%s: %s\n", result->values[i].place,
               result->values[i].value.data);
    }
}


static void
ctl_sign_curl(const sluice_signed_request_t *result,
    const ctl_request_t *request, const char *url)
{
    size_t  i;

    if (request->body.len != 0
        && memchr(request->body.data, '\0', request->body.len) != NULL)
    {
        ctl_fail(CTL_USAGE, "a body with a NUL is no argument of a command");
    }

    printf("curl -sS -X %s -H 'content-type: %s'",
           request->request.method.data, request->request.content_type.data);

    for (i = 0; i < result->n; i++) {

        if (strchr(result->values[i].place, ':') != NULL) {
            ctl_fail(CTL_USAGE, "the scheme has its signature inside of the "
                     "body: sign without --curl");
        }

        printf(" -H '%s: ", result->values[i].place);
        ctl_quote(result->values[i].value.data, result->values[i].value.len);
        putchar('\'');
    }

    printf(" --data-binary '");
    ctl_quote(request->body.data, request->body.len);
    printf("' '");

    if (result->url.len != 0) {
        url = result->url.data;
    }

    ctl_quote(url, strlen(url));
    printf("'\n");
}


/* Inside of single quotes of a shell. */

static void
ctl_quote(const char *text, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        if (text[i] == '\'') {
            fputs("'\\''", stdout);

        } else {
            putchar(text[i]);
        }
    }
}
