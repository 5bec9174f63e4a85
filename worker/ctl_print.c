/*
 * Text and JSON on standard output.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "worker/ctl.h"
#include "worker/text.h"


void
ctl_print(const char *text, size_t len, bool lines)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < len; i++) {
        c = (unsigned char) text[i];

        if (c == '\t' || (c == '\n' && lines)) {
            putchar(c);

        } else if (c < ' ' || c == 0x7f) {
            printf("\\x%02x", c);

        } else if (c == 0xc2 && i + 1 < len
                   && (unsigned char) text[i + 1] >= 0x80
                   && (unsigned char) text[i + 1] < 0xa0)
        {
            /* a control character of eight bits */
            printf("\\x%02x", (unsigned char) text[++i]);

        } else {
            putchar(c);
        }
    }
}


const char *
ctl_time(int64_t ms)
{
    time_t     seconds;
    size_t     n;
    char      *text;
    struct tm  tm;

    static unsigned  next;
    static char      texts[4][40];

    if (ms <= 0) {
        return "-";
    }

    text = texts[next++ % 4];
    seconds = (time_t) (ms / 1000);

    if (gmtime_r(&seconds, &tm) == NULL) {
        return "-";
    }

    n = strftime(text, sizeof(texts[0]), "%Y-%m-%d %H:%M:%S", &tm);
    snprintf(text + n, sizeof(texts[0]) - n, ".%03d", (int) (ms % 1000));

    return text;
}


json_t *
ctl_string(const char *text, size_t len)
{
    json_t  *value;

    value = text_json(text, len);

    if (value == NULL) {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    return value;
}


json_t *
ctl_value(const char *text, size_t len)
{
    json_t  *value;

    value = json_loadb(text, len, JSON_DECODE_ANY|JSON_ALLOW_NUL, NULL);

    return value ? value : ctl_string(text, len);
}


void
ctl_print_json(json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2)|JSON_ENCODE_ANY
                              |JSON_REAL_PRECISION(15));
    putchar('\n');
    json_decref(value);
}
