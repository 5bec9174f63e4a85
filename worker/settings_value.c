/* What the text of a single setting may be, and what it becomes. */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "worker/settings_check.h"


#define SETTINGS_SECRET_MAX  4096


bool
settings_is_clean(const char *text)
{
    for ( /* void */ ; *text; text++) {
        if ((unsigned char) *text <= ' ' || *text == 0x7f) {
            return false;
        }
    }

    return true;
}


const char *
settings_url(sluice_url_nodes_t *url, const char *text)
{
    char         full[sizeof(url->url.path) + 1024];
    char         here[sizeof(url->url.path)];
    const char  *path;

    path = (strncmp(text, "unix:", 5) == 0) ? text + 5 : "/";

    if (*path != '/' && *path != '\0' && getcwd(here, sizeof(here)) != NULL) {
        snprintf(full, sizeof(full), "unix:%s/%s", here, path);
        text = full;
    }

    return sluice_url_parse_nodes(url, text, strlen(text));
}


static int
settings_secret_file(const char *path, char *dst, size_t size,
    const char **error)
{
    FILE    *fp;
    size_t   n;

    fp = fopen(path, "r");

    if (fp == NULL) {
        *error = (errno == ENOENT) ? "names a file that does not exist"
                                   : "names a file that cannot be read";
        return -1;
    }

    n = fread(dst, 1, size - 1, fp);

    if (ferror(fp) || n == size - 1) {
        *error = ferror(fp) ? "names a file that cannot be read"
                            : "names a file that is too long";
        fclose(fp);
        return -1;
    }

    fclose(fp);

    while (n && (dst[n - 1] == '\n' || dst[n - 1] == '\r')) {
        n--;
    }

    dst[n] = '\0';

    if (strlen(dst) != n) {
        *error = "names a file that is not text";
        return -1;
    }

    return 0;
}


int
settings_secret(const char *text, char **secret, const char **error)
{
    int          rc;
    char         buf[SETTINGS_SECRET_MAX];
    const char  *value;

    rc = -1;
    value = text;
    buf[0] = '\0';

    if (strncmp(text, "file:", 5) == 0) {
        if (settings_secret_file(text + 5, buf, sizeof(buf), error) != 0) {
            goto done;
        }

        value = buf;

    } else if (strncmp(text, "env:", 4) == 0) {
        value = getenv(text + 4);

        if (value == NULL) {
            *error = "names an environment variable that is not set";
            goto done;
        }
    }

    if (value[0] == '\0') {
        *error = "is empty";
        goto done;
    }

    /* it becomes a header line */

    if (!settings_is_clean(value)) {
        *error = "holds white space or a control character";
        goto done;
    }

    *secret = strdup(value);

    if (*secret == NULL) {
        *error = "cannot be kept: out of memory";
        goto done;
    }

    rc = 0;

done:

    explicit_bzero(buf, sizeof(buf));

    return rc;
}


const char *
settings_queue_name(const char *name)
{
    const char  *p;

    if (name[0] == '\0' || strlen(name) > SLUICE_KEYS_NAME_MAX) {
        return "must be 1 to 64 characters";
    }

    for (p = name; *p; p++) {
        if (iscntrl((unsigned char) *p) || *p == ':') {
            return "must have no colon and no control character";
        }
    }

    return NULL;
}


int
settings_log_level(const char *name)
{
    int  i;

    static const char *const  names[] = { "debug", "info", "warn", "error" };

    for (i = LOG_DEBUG_; i <= LOG_ERROR_; i++) {
        if (strcmp(name, names[i]) == 0) {
            return i;
        }
    }

    return -1;
}
