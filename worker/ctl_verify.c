/*
 * sluicectl verify SCHEME NAME=VALUE...: which check of a request fails.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include "worker/ctl_scheme.h"


const char  ctl_verify_help[] =
    "sluicectl verify SCHEME NAME=VALUE... < REQUEST\n"
    "\n"
    "Checks a raw HTTP request on standard input (request line, headers, an\n"
    "empty line, the body as it came) as the edge would, and says which\n"
    "check fails and why.\n"
    "\n"
    "  secret=VALUE        a secret or public key, file:PATH or env:NAME; up\n"
    "                      to eight\n"
    "  url=URL             the public URL; https, Host and path else\n"
    "  time=UNIX           the clock; now when not given\n"
    "  verify_token=TEXT   of meta's subscription\n"
    "\n"
    "All else is a setting of the scheme, as of \"sluice_verify\": header=,\n"
    "tolerance=, signed=, ...; see docs/schemes.md.\n"
    "\n"
    "Exit status: 0 valid, 1 refused, 2 usage, or input that is no request.\n";


static void ctl_parse(ctl_request_t *request, const ctl_text_t *input);
static bool ctl_line(const char **p, const char *end, sluice_text_t *line);
static void ctl_parse_header(ctl_request_t *request,
    const sluice_text_t *line);
static void ctl_parse_body(ctl_request_t *request, const char *p,
    const char *end);
static const char *ctl_public_url(const ctl_request_t *request);
static int ctl_told(const ctl_scheme_t *scheme, const ctl_request_t *request,
    const sluice_scheme_result_t *result);
static const char *ctl_verdict(sluice_scheme_verdict_e verdict);


int
ctl_verify(ctl_t *ctl, int argc, char **argv)
{
    size_t                  i;
    int64_t                 now;
    const char             *why;
    ctl_text_t              input;
    ctl_scheme_t            scheme;
    ctl_request_t           request;
    sluice_key_t           *keys[SLUICE_SCHEME_KEYS];
    sluice_text_t           token;
    sluice_scheme_result_t  result;

    static const struct option  options[] = { { NULL, 0, NULL, 0 } };

    (void) ctl_option(argc, argv, options);
    ctl_scheme(&scheme, argc - optind, argv + optind);

    for (i = 0; i < scheme.nsecrets; i++) {
        keys[i] = sluice_key_create(scheme.scheme, scheme.secrets[i].data,
                                    scheme.secrets[i].len, &why);
        if (keys[i] == NULL) {
            ctl_fail(CTL_USAGE, "secret %zu %s", i + 1,
                     why ? why : "cannot be kept: out of memory");
        }
    }

    now = (scheme.time != NULL) ? ctl_number("time", scheme.time, INT64_MAX)
                                : (int64_t) time(NULL);

    ctl_input(&input);
    ctl_request_init(&request);
    ctl_parse(&request, &input);

    request.request.url.data = scheme.url ? scheme.url
                                          : ctl_public_url(&request);
    request.request.url.len = strlen(request.request.url.data);

    token.data = scheme.token ? scheme.token : "";
    token.len = strlen(token.data);

    if (!sluice_scheme_greeting(scheme.scheme, keys, scheme.nsecrets, &token,
                                &request.request, &result))
    {
        sluice_scheme_check(scheme.scheme, keys, scheme.nsecrets, &token,
                            &request.request, now, &result);
    }

    return ctl_told(&scheme, &request, &result);
}


static int
ctl_told(const ctl_scheme_t *scheme, const ctl_request_t *request,
    const sluice_scheme_result_t *result)
{
    unsigned               needs;
    sluice_scheme_event_t  event;

    if (result->verdict != SLUICE_SCHEME_VALID) {
        printf("%s: %s\n", ctl_verdict(result->verdict), result->step);

        needs = sluice_scheme_needs(scheme->scheme);

        if ((needs & SLUICE_SCHEME_NEEDS_URL)
            && result->verdict == SLUICE_SCHEME_MISMATCH)
        {
            printf("the URL that was taken: %s\n", request->request.url.data);
        }

        if (needs & SLUICE_SCHEME_NEEDS_BODY) {
            printf("the body that was taken: %zu bytes\n", request->body.len);
        }

        return CTL_NONE;
    }

    printf("valid, secret %zu\n", result->key + 1);

    if (result->status != 0) {
        printf("a handshake, answered %u: ", result->status);
        ctl_print(result->answer, result->len, false);
        putchar('\n');
        return CTL_OK;
    }

    sluice_scheme_event(scheme->scheme, &request->request, &request->body,
                        &event);

    printf("event id: ");
    ctl_print(event.id.len ? event.id.data : "-",
              event.id.len ? event.id.len : 1, false);
    printf("\nevent type: ");
    ctl_print(event.type.len ? event.type.data : "-",
              event.type.len ? event.type.len : 1, false);
    putchar('\n');

    return CTL_OK;
}


static const char *
ctl_verdict(sluice_scheme_verdict_e verdict)
{
    switch (verdict) {

    case SLUICE_SCHEME_MISSING:
        return "missing";

    case SLUICE_SCHEME_MALFORMED:
        return "malformed";

    case SLUICE_SCHEME_MISMATCH:
        return "mismatch";

    case SLUICE_SCHEME_STALE:
        return "stale";

    case SLUICE_SCHEME_EMPTY:
        return "no secret";

    default:
        return "failed";
    }
}


static void
ctl_parse(ctl_request_t *request, const ctl_text_t *input)
{
    const char     *p, *end, *space;
    sluice_text_t   line;

    p = input->data;
    end = p + input->len;

    if (!ctl_line(&p, end, &line)) {
        ctl_fail(CTL_USAGE, "standard input is empty: give a request");
    }

    space = memchr(line.data, ' ', line.len);

    if (space == NULL) {
        ctl_fail(CTL_USAGE, "line 1 is no request line: POST /path HTTP/1.1");
    }

    request->request.method.data = line.data;
    request->request.method.len = (size_t) (space - line.data);

    line.len -= (size_t) (space + 1 - line.data);
    line.data = space + 1;

    space = memchr(line.data, ' ', line.len);

    request->request.target.data = line.data;
    request->request.target.len = space ? (size_t) (space - line.data)
                                        : line.len;

    if (line.len == 0 || line.data[0] != '/') {
        ctl_fail(CTL_USAGE, "line 1 is no request line: POST /path HTTP/1.1");
    }

    while (ctl_line(&p, end, &line) && line.len != 0) {
        ctl_parse_header(request, &line);
    }

    ctl_parse_body(request, p, end);

    (void) request->request.header(request, "content-type", 12,
                                   &request->request.content_type);
}


/* Up to LF or CRLF, which are not part of it. */

static bool
ctl_line(const char **p, const char *end, sluice_text_t *line)
{
    const char  *stop;

    if (*p == end) {
        return false;
    }

    stop = memchr(*p, '\n', (size_t) (end - *p));

    line->data = *p;
    line->len = (size_t) ((stop != NULL ? stop : end) - *p);
    *p = (stop != NULL) ? stop + 1 : end;

    if (line->len != 0 && line->data[line->len - 1] == '\r') {
        line->len--;
    }

    return true;
}


static void
ctl_parse_header(ctl_request_t *request, const sluice_text_t *line)
{
    const char    *colon;
    ctl_header_t  *header;

    colon = memchr(line->data, ':', line->len);

    if (request->nheaders == CTL_HEADERS) {
        ctl_fail(CTL_USAGE, "more than %d headers", CTL_HEADERS);
    }

    if (colon == NULL || colon == line->data) {
        ctl_fail(CTL_USAGE, "header %zu has no %s", request->nheaders + 1,
                 colon ? "name" : "colon");
    }

    header = &request->headers[request->nheaders++];
    header->name.data = line->data;
    header->name.len = (size_t) (colon - line->data);
    header->value.data = colon + 1;
    header->value.len = line->len - header->name.len - 1;

    while (header->value.len != 0
           && strchr(" \t", header->value.data[0]) != NULL)
    {
        header->value.data++;
        header->value.len--;
    }

    while (header->value.len != 0
           && strchr(" \t", header->value.data[header->value.len - 1])
              != NULL)
    {
        header->value.len--;
    }
}


/* What follows is the body, but for what a shell put behind it. */

static void
ctl_parse_body(ctl_request_t *request, const char *p, const char *end)
{
    size_t          n;
    int64_t         length;
    char            text[32];
    sluice_text_t   value;

    request->body.data = p;
    request->body.len = (size_t) (end - p);

    if (request->request.header(request, "transfer-encoding", 17, &value)
        != 0)
    {
        ctl_fail(CTL_USAGE, "a chunked body is not decoded: give the body as "
                 "it is, and no Transfer-Encoding");
    }

    n = request->request.header(request, "content-length", 14, &value);

    if (n == 0) {
        return;
    }

    if (n > 1) {
        ctl_fail(CTL_USAGE, "Content-Length is there twice");
    }

    snprintf(text, sizeof(text), "%.*s", (int) value.len, value.data);
    length = ctl_number("Content-Length", text, INT64_MAX);

    if ((uint64_t) length > request->body.len) {
        ctl_fail(CTL_USAGE, "the body has %zu bytes, Content-Length says %lld",
                 request->body.len, (long long) length);
    }

    request->body.len = (size_t) length;
}


static const char *
ctl_public_url(const ctl_request_t *request)
{
    char           *url;
    sluice_text_t   host;

    if (request->request.header(request->request.data, "host", 4, &host) != 1)
    {
        host.data = "localhost";
        host.len = 9;
    }

    if (asprintf(&url, "https://%.*s%.*s", (int) host.len, host.data,
                 (int) request->request.target.len,
                 request->request.target.data)
        < 0)
    {
        ctl_fail(CTL_USAGE, "out of memory");
    }

    return url;
}
