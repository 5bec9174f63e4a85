#include <string.h>
#include "core/retry.h"


/*
 * A delay that no schedule passes, ten years: BullMQ multiplies the due time
 * by 4096 and keeps it in a double, which is exact up to about the year 2039.
 */
#define SLUICE_RETRY_MAX       315360000000

#define SLUICE_RETRY_ATTEMPTS  1000
#define SLUICE_RETRY_FACTOR    1000.0


typedef struct {
    const char  *data;
    size_t       len;
} sluice_retry_word_t;


/* -------------------------------------------------------------- decisions */

int64_t
sluice_retry_next(const sluice_retry_t *retry, int made, double random)
{
    int     n;
    double  delay, factor, max;

    if (made >= retry->attempts) {
        return -1;
    }

    n = made > 1 ? made - 1 : 0;
    max = retry->max > 0 ? (double) retry->max : (double) SLUICE_RETRY_MAX;

    if (retry->kind == SLUICE_RETRY_LIST) {

        if (retry->ndelays == 0) {
            return 0;
        }

        /* more attempts than delays: the last one stays */

        if ((size_t) n >= retry->ndelays) {
            n = (int) retry->ndelays - 1;
        }

        delay = (double) retry->delay[n];

    } else {
        delay = (double) retry->delay[0];
    }

    if (retry->kind == SLUICE_RETRY_EXPONENTIAL && delay > 0) {

        for (factor = retry->factor; n && delay < max; n >>= 1) {

            if (n & 1) {
                delay *= factor;
            }

            factor *= factor;
        }

        if (delay > max) {
            delay = max;
        }
    }

    if (delay > (double) SLUICE_RETRY_MAX) {
        delay = (double) SLUICE_RETRY_MAX;
    }

    delay = delay * (1 - retry->jitter) + random * delay * retry->jitter;

    return (int64_t) delay;
}


int64_t
sluice_retry_reconnect(unsigned failures, double random)
{
    int64_t  delay;

    delay = 200;

    while (failures-- > 1 && delay < 5000) {
        delay *= 2;
    }

    if (delay > 5000) {
        delay = 5000;
    }

    return delay / 2 + (int64_t) (random * (double) (delay / 2));
}


void
sluice_retry_messages(sluice_retry_t *retry)
{
    memset(retry, 0, sizeof(*retry));

    retry->kind = SLUICE_RETRY_LIST;
    retry->delay[0] = 5000;
    retry->delay[1] = 15000;
    retry->delay[2] = 45000;
    retry->ndelays = 3;
    retry->attempts = 4;
}


/* ------------------------------------------------------------------- texts */

int64_t
sluice_duration(const char *text, size_t len)
{
    size_t         i, start;
    int64_t        n, total, last;

    static const struct {
        const char  *name;
        size_t       len;
        int64_t      ms;
    } units[] = {
        { "d", 1, 86400000 }, { "h", 1, 3600000 }, { "ms", 2, 1 },
        { "m", 1, 60000 }, { "s", 1, 1000 }
    };

    const size_t  nunits = sizeof(units) / sizeof(units[0]);

    total = 0;
    last = INT64_MAX;

    if (len == 0) {
        return -1;
    }

    while (len) {
        n = 0;

        for (start = len; len && *text >= '0' && *text <= '9'; len--) {
            n = n * 10 + (*text++ - '0');

            if (n > INT64_MAX / 86400000 / 16) {
                return -1;
            }
        }

        if (len == start) {
            return -1;
        }

        for (i = 0; i < nunits; i++) {
            if (len >= units[i].len
                && memcmp(text, units[i].name, units[i].len) == 0)
            {
                break;
            }
        }

        /* from the largest unit to the smallest, each once */

        if (i == nunits || units[i].ms >= last) {
            return -1;
        }

        last = units[i].ms;
        total += n * last;
        text += units[i].len;
        len -= units[i].len;
    }

    return total;
}


static sluice_retry_word_t
sluice_retry_word(const char **text, const char *last)
{
    const char           *p;
    sluice_retry_word_t   word;

    for (p = *text; p < last && (*p == ' ' || *p == '\t'); p++) {
        /* before the word */
    }

    word.data = p;

    while (p < last && *p != ' ' && *p != '\t') {
        p++;
    }

    word.len = (size_t) (p - word.data);
    *text = p;

    return word;
}


/* The value when the word is "<name>=<value>" */

static int
sluice_retry_named(const sluice_retry_word_t *word, const char *name,
    sluice_retry_word_t *value)
{
    size_t  n;

    n = strlen(name);

    if (word->len < n || memcmp(word->data, name, n) != 0) {
        return 0;
    }

    value->data = word->data + n;
    value->len = word->len - n;

    return 1;
}


/* "12" or "0.25" of at most 9 digits; -1 when it is neither */

static double
sluice_retry_decimal(const sluice_retry_word_t *word)
{
    int     digits, point;
    char    c;
    double  n, scale;
    size_t  i;

    n = 0;
    scale = 1;
    digits = 0;
    point = 0;

    for (i = 0; i < word->len; i++) {
        c = word->data[i];

        if (c == '.' && digits && !point) {
            point = 1;
            continue;
        }

        if (c < '0' || c > '9' || ++digits > 9) {
            return -1;
        }

        n = n * 10 + (c - '0');
        scale = point ? scale * 10 : scale;
    }

    if (digits == 0 || word->data[word->len - 1] == '.') {
        return -1;
    }

    return n / scale;
}


static const char *
sluice_retry_setting(sluice_retry_t *retry, const sluice_retry_word_t *word)
{
    double               n;
    sluice_retry_word_t  value;

    if (sluice_retry_named(word, "attempts=", &value)) {
        n = sluice_retry_decimal(&value);

        if (n < 1 || n > SLUICE_RETRY_ATTEMPTS || n != (double) (int) n) {
            return "attempts must be a whole number from 1 to 1000";
        }

        retry->attempts = (int) n;
        return NULL;
    }

    if (sluice_retry_named(word, "jitter=", &value)) {
        n = sluice_retry_decimal(&value);

        if (n < 0 || n > 1) {
            return "jitter must be a number from 0 to 1";
        }

        retry->jitter = n;
        return NULL;
    }

    if (retry->kind != SLUICE_RETRY_EXPONENTIAL) {
        return "what follows the delays is neither attempts= nor jitter=";
    }

    if (sluice_retry_named(word, "factor=", &value)) {
        n = sluice_retry_decimal(&value);

        if (n < 1 || n > SLUICE_RETRY_FACTOR) {
            return "factor must be a number from 1 to 1000";
        }

        retry->factor = n;
        return NULL;
    }

    if (sluice_retry_named(word, "base=", &value)) {
        retry->delay[0] = sluice_duration(value.data, value.len);

        if (retry->delay[0] < 0 || retry->delay[0] > SLUICE_RETRY_MAX) {
            return "base must be a duration of at most ten years, as 5s";
        }

        retry->ndelays = 1;
        return NULL;
    }

    if (sluice_retry_named(word, "max=", &value)) {
        retry->max = sluice_duration(value.data, value.len);

        if (retry->max <= 0 || retry->max > SLUICE_RETRY_MAX) {
            return "max must be a duration of at most ten years, as 1h";
        }

        return NULL;
    }

    return "exponential takes base=, factor=, max=, jitter= and attempts=";
}


static const char *
sluice_retry_read(sluice_retry_t *retry, const char *text, const char *last)
{
    int64_t               delay;
    const char           *error;
    sluice_retry_word_t   word;

    word = sluice_retry_word(&text, last);

    retry->kind = SLUICE_RETRY_LIST;
    retry->factor = 2;

    if (word.len == 11 && memcmp(word.data, "exponential", 11) == 0) {
        retry->kind = SLUICE_RETRY_EXPONENTIAL;
        word = sluice_retry_word(&text, last);

    } else if (word.len == 5 && memcmp(word.data, "fixed", 5) == 0) {
        retry->kind = SLUICE_RETRY_FIXED;
        word = sluice_retry_word(&text, last);
    }

    /* the delays, which an exponential schedule does not list */

    while (retry->kind != SLUICE_RETRY_EXPONENTIAL && word.len
           && memchr(word.data, '=', word.len) == NULL)
    {
        delay = sluice_duration(word.data, word.len);

        if (delay < 0 || delay > SLUICE_RETRY_MAX) {
            return "a delay must be a duration of at most ten years, as 5s";
        }

        if (retry->ndelays
            == (retry->kind == SLUICE_RETRY_FIXED ? 1 : SLUICE_RETRY_STEPS))
        {
            return retry->kind == SLUICE_RETRY_FIXED
                   ? "fixed takes one delay" : "more than 32 delays";
        }

        retry->delay[retry->ndelays++] = delay;

        word = sluice_retry_word(&text, last);
    }

    for ( /* void */ ; word.len; word = sluice_retry_word(&text, last)) {

        error = sluice_retry_setting(retry, &word);
        if (error) {
            return error;
        }
    }

    if (retry->ndelays == 0) {
        return retry->kind == SLUICE_RETRY_EXPONENTIAL
               ? "exponential needs base=, as base=1s"
               : "a delay is missing, as 5s";
    }

    if (retry->attempts == 0) {

        if (retry->kind != SLUICE_RETRY_LIST) {
            return "attempts= is missing";
        }

        retry->attempts = (int) retry->ndelays + 1;
    }

    if (retry->max && retry->max < retry->delay[0]) {
        return "max is below base";
    }

    return NULL;
}


const char *
sluice_retry_parse(sluice_retry_t *retry, const char *text, size_t len)
{
    memset(retry, 0, sizeof(*retry));

    return sluice_retry_read(retry, text, text + len);
}
