/*
 * A scheme of the command line, its secrets, and standard input, for `sign`
 * and `verify`.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/ctl_scheme.h"


#define CTL_INPUT_MAX   (64 * 1024 * 1024)
#define CTL_SECRET_MAX  65536


static void ctl_secret(const char *text, ctl_text_t *secret);
static bool ctl_own(ctl_scheme_t *scheme, const char *name, size_t len,
    const char *value);


void
ctl_scheme(ctl_scheme_t *scheme, int argc, char **argv)
{
    int          i;
    size_t       len;
    const char  *equals, *wrong;

    memset(scheme, 0, sizeof(ctl_scheme_t));

    if (argc < 1) {
        ctl_fail(CTL_USAGE, "which scheme?  meta, stripe, hmac, ...");
    }

    scheme->scheme = sluice_scheme_create(argv[0], strlen(argv[0]));

    if (scheme->scheme == NULL) {
        ctl_fail(CTL_USAGE, "no scheme is named \"%s\"", argv[0]);
    }

    for (i = 1; i < argc; i++) {
        equals = strchr(argv[i], '=');

        if (equals == NULL) {
            ctl_fail(CTL_USAGE, "argument %d is not NAME=VALUE", i + 1);
        }

        len = (size_t) (equals - argv[i]);

        if (ctl_own(scheme, argv[i], len, equals + 1)) {
            continue;
        }

        wrong = sluice_scheme_set(scheme->scheme, argv[i], len, equals + 1,
                                  strlen(equals + 1));
        if (wrong != NULL) {
            ctl_fail(CTL_USAGE, "\"%.*s\" of %s: %s", (int) len, argv[i],
                     argv[0], wrong);
        }
    }

    wrong = sluice_scheme_ready(scheme->scheme);

    if (wrong != NULL) {
        ctl_fail(CTL_USAGE, "%s: %s", argv[0], wrong);
    }

    if (scheme->nsecrets == 0) {
        ctl_fail(CTL_USAGE, "secret= is missing");
    }

    if (scheme->url != NULL && !ctl_is_url(scheme->url)) {
        ctl_fail(CTL_USAGE, "url= is not a URL: https://host/path");
    }
}


bool
ctl_is_url(const char *text)
{
    return strncmp(text, "http://", 7) == 0 ? text[7] != '\0'
           : strncmp(text, "https://", 8) == 0 && text[8] != '\0';
}


/* What is not a setting of the scheme. */

static bool
ctl_own(ctl_scheme_t *scheme, const char *name, size_t len, const char *value)
{
    size_t        i;
    const char  **text;

    const struct {
        const char   *name;
        const char  **text;
    } names[] = {
        { "url", &scheme->url },
        { "method", &scheme->method },
        { "content_type", &scheme->content_type },
        { "event", &scheme->id },
        { "time", &scheme->time },
        { "verify_token", &scheme->token }
    };

    if (len == 6 && memcmp(name, "secret", 6) == 0) {

        if (scheme->nsecrets == SLUICE_SCHEME_KEYS) {
            ctl_fail(CTL_USAGE, "at most %d times secret=",
                     SLUICE_SCHEME_KEYS);
        }

        ctl_secret(value, &scheme->secrets[scheme->nsecrets++]);
        return true;
    }

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strlen(names[i].name) == len
            && memcmp(names[i].name, name, len) == 0)
        {
            text = names[i].text;
            *text = value;
            return true;
        }
    }

    return false;
}


/* A key in PEM has lines: not settings_secret(), which is for headers. */

static void
ctl_secret(const char *text, ctl_text_t *secret)
{
    FILE    *file;
    size_t   n;

    if (strncmp(text, "env:", 4) == 0) {
        text = getenv(text + 4);

        if (text == NULL) {
            ctl_fail(CTL_USAGE, "secret=env: names no variable of the "
                     "environment");
        }

    } else if (strncmp(text, "file:", 5) == 0) {
        text += 5;
        file = fopen(text, "r");

        if (file == NULL) {
            ctl_fail(CTL_USAGE, "%s: %s", text, strerror(errno));
        }

        secret->data = malloc(CTL_SECRET_MAX);
        if (secret->data == NULL) {
            ctl_fail(CTL_USAGE, "out of memory");
        }

        n = fread(secret->data, 1, CTL_SECRET_MAX, file);

        if (ferror(file) || n == CTL_SECRET_MAX) {
            ctl_fail(CTL_USAGE, "%s cannot be read, or is too long", text);
        }

        fclose(file);

        /* the end of the line is the editor's */

        if (n != 0 && secret->data[n - 1] == '\n') {
            n--;
        }

        if (n != 0 && secret->data[n - 1] == '\r') {
            n--;
        }

        secret->len = n;
        return;
    }

    secret->data = (char *) text;
    secret->len = strlen(text);
}


void
ctl_input(ctl_text_t *input)
{
    char    *p;
    size_t   n, size;

    size = 0;
    input->data = NULL;
    input->len = 0;

    do {
        if (input->len == size) {
            size = size ? size * 2 : 65536;
            p = (size <= CTL_INPUT_MAX) ? realloc(input->data, size) : NULL;

            if (p == NULL) {
                ctl_fail(CTL_USAGE, "standard input is too long");
            }

            input->data = p;
        }

        n = fread(input->data + input->len, 1, size - input->len, stdin);
        input->len += n;

    } while (n != 0);

    if (ferror(stdin)) {
        ctl_fail(CTL_USAGE, "standard input cannot be read");
    }
}


static size_t
ctl_request_header(void *data, const char *name, size_t len,
    sluice_text_t *value)
{
    ctl_request_t *request = data;

    size_t  i, n;

    n = 0;

    for (i = 0; i < request->nheaders; i++) {
        if (request->headers[i].name.len == len
            && strncasecmp(request->headers[i].name.data, name, len) == 0
            && n++ == 0)
        {
            *value = request->headers[i].value;
        }
    }

    return n;
}


static int
ctl_request_body(void *data, sluice_scheme_piece_pt piece, void *piece_data)
{
    ctl_request_t *request = data;

    return piece(piece_data, (const uint8_t *) request->body.data,
                 request->body.len);
}


static int
ctl_request_whole(void *data, sluice_text_t *body)
{
    ctl_request_t *request = data;

    *body = request->body;

    return 1;
}


void
ctl_request_init(ctl_request_t *request)
{
    memset(request, 0, sizeof(ctl_request_t));

    request->request.data = request;
    request->request.header = ctl_request_header;
    request->request.body = ctl_request_body;
    request->request.whole = ctl_request_whole;
    request->request.content_type.data = "";
}


sluice_text_t
ctl_target(const char *url)
{
    const char     *p;
    sluice_text_t   target;

    p = strstr(url, "://");
    p = (p != NULL) ? strchr(p + 3, '/') : strchr(url, '/');

    target.data = (p != NULL) ? p : "/";
    target.len = strlen(target.data);

    return target;
}
