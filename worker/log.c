#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "core/json.h"
#include "worker/worker.h"


#define LOG_LINE   8192
#define LOG_VALUE  1024    /* bytes of a value; the rest is cut off */


static int         log_fd = STDERR_FILENO;
static int         log_level = LOG_INFO_;
static bool        log_json;
static char       *log_file;

static const char *const  log_levels[] = { "debug", "info", "warn", "error" };


typedef struct {
    char    text[LOG_LINE];
    size_t  len;
} log_line_t;


static void
log_put(log_line_t *line, const char *data, size_t len)
{
    size_t  room;

    /* two bytes stay free for the end of the line */
    room = sizeof(line->text) - 2 - line->len;
    len = (len < room) ? len : room;

    memcpy(line->text + line->len, data, len);
    line->len += len;
}


static void
log_puts(log_line_t *line, const char *text)
{
    log_put(line, text, strlen(text));
}


/* quoted as a JSON string, which is what logfmt readers take too */

static void
log_quote(log_line_t *line, const char *data, size_t len)
{
    char    escaped[LOG_VALUE * 6 + 2];
    size_t  n;

    n = sluice_json_escape((uint8_t *) escaped, (const uint8_t *) data, len);

    log_puts(line, "\"");
    log_put(line, escaped, n);
    log_puts(line, "\"");
}


static bool
log_is_bare(const char *data, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        if ((unsigned char) data[i] <= ' ' || (unsigned char) data[i] >= 0x7f
            || strchr("\"=\\", data[i]))
        {
            return false;
        }
    }

    return len > 0;
}


static void
log_pair(log_line_t *line, const char *key, const char *data, size_t len,
    bool number)
{
    /* not in the middle of a character */

    if (len > LOG_VALUE) {
        for (len = LOG_VALUE; len > 0 && (data[len] & 0xc0) == 0x80; len--) {
            /* void */
        }
    }

    if (log_json) {
        log_puts(line, line->len ? ",\"" : "{\"");
        log_puts(line, key);
        log_puts(line, "\":");

    } else {
        log_puts(line, line->len ? " " : "");
        log_puts(line, key);
        log_puts(line, "=");
    }

    if (number || (!log_json && log_is_bare(data, len))) {
        log_put(line, data, len);

    } else {
        log_quote(line, data, len);
    }
}


/*
 * A printf of a few conversions: the standard one leaves the list of arguments
 * where nobody can go on with it.  *number is set when the value is one number.
 */

static size_t
log_format(char *dst, size_t size, const char *fmt, va_list *args,
    bool *number)
{
    int          width;
    char         spec[16];
    size_t       n, len, i;
    const char  *s;

    *number = (fmt[0] == '%' && strchr(fmt, 's') == NULL);
    len = 0;

    while (*fmt && len < size - 1) {

        if (fmt[0] != '%') {
            dst[len++] = *fmt++;
            *number = false;
            continue;
        }

        if (fmt[1] == '%') {
            dst[len++] = '%';
            fmt += 2;
            *number = false;
            continue;
        }

        i = strcspn(fmt, "sdufx");
        i += (fmt[i] != '\0');
        n = 0;

        snprintf(spec, sizeof(spec), "%.*s", (int) i, fmt);

        if (strcmp(spec, "%s") == 0) {
            s = va_arg(*args, const char *);
            n = snprintf(dst + len, size - len, "%s", s ? s : "");

        } else if (strcmp(spec, "%.*s") == 0) {
            width = va_arg(*args, int);
            s = va_arg(*args, const char *);
            n = snprintf(dst + len, size - len, "%.*s", width, s ? s : "");

        } else if (strcmp(spec, "%d") == 0) {
            n = snprintf(dst + len, size - len, "%d", va_arg(*args, int));

        } else if (strcmp(spec, "%u") == 0) {
            n = snprintf(dst + len, size - len, "%u",
                         va_arg(*args, unsigned));

        } else if (strcmp(spec, "%ld") == 0) {
            n = snprintf(dst + len, size - len, "%ld", va_arg(*args, long));

        } else if (strcmp(spec, "%lld") == 0) {
            n = snprintf(dst + len, size - len, "%lld",
                         va_arg(*args, long long));

        } else if (strcmp(spec, "%zu") == 0) {
            n = snprintf(dst + len, size - len, "%zu", va_arg(*args, size_t));

        } else if (strcmp(spec, "%.3f") == 0) {
            n = snprintf(dst + len, size - len, "%.3f",
                         va_arg(*args, double));

        } else {
            /* its argument cannot be stepped over */
            abort();
        }

        len = (len + n < size) ? len + n : size - 1;
        fmt += i;
    }

    dst[len] = '\0';

    return len;
}


void
log_event(int level, const char *event, ...)
{
    int              rc;
    bool             number;
    char             value[LOG_VALUE * 2];
    size_t           n, done;
    va_list          args;
    struct tm        tm;
    log_line_t       line;
    const char      *key;
    struct timespec  now;

    if (level < log_level) {
        return;
    }

    line.len = 0;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);

    n = strftime(value, sizeof(value), "%Y-%m-%dT%H:%M:%S", &tm);
    n += snprintf(value + n, sizeof(value) - n, ".%03ldZ",
                  now.tv_nsec / 1000000);

    log_pair(&line, "time", value, n, false);
    log_pair(&line, "level", log_levels[level], strlen(log_levels[level]),
             false);
    log_pair(&line, "event", event, strlen(event), false);

    va_start(args, event);

    for ( ;; ) {
        key = va_arg(args, const char *);

        if (key == NULL) {
            break;
        }

        n = log_format(value, sizeof(value), va_arg(args, const char *), &args,
                       &number);

        /* a pair that does not fit is left out, so that JSON stays JSON */

        if (line.len + strlen(key) + (n < LOG_VALUE ? n : LOG_VALUE) * 6 + 16
            < sizeof(line.text))
        {
            log_pair(&line, key, value, n, number);
        }
    }

    va_end(args);

    line.text[line.len] = '}';
    line.len += log_json;
    line.text[line.len++] = '\n';

    for (done = 0; done < line.len; done += rc) {
        rc = write(log_fd, line.text + done, line.len - done);

        if (rc <= 0) {
            break;
        }
    }
}


void
log_reopen(void)
{
    int  fd;

    if (log_file == NULL) {
        return;
    }

    fd = open(log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

    if (fd < 0) {
        log_event(LOG_ERROR_, "log_file", "file", "%s", log_file,
                  "error", "%s", strerror(errno), NULL);
        return;
    }

    if (log_fd != STDERR_FILENO) {
        close(log_fd);
    }

    log_fd = fd;
}


void
log_init(const char *file, int level, bool json)
{
    log_level = level;
    log_json = json;

    if (log_fd != STDERR_FILENO) {
        close(log_fd);
        log_fd = STDERR_FILENO;
    }

    free(log_file);
    log_file = file ? strdup(file) : NULL;

    log_reopen();
}
