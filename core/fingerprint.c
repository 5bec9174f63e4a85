#include <stdbool.h>
#include <string.h>
#include "core/fingerprint.h"


static bool
fingerprint_digit(char c)
{
    return c >= '0' && c <= '9';
}


static bool
fingerprint_word(char c)
{
    return fingerprint_digit(c) || (c >= 'a' && c <= 'z')
           || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
}


/* is the word one after which a number tells what went wrong? */

static bool
fingerprint_names(const char *word, size_t len)
{
    size_t  i, k;

    static const char *const  names[] = { "code", "error", "http", "status" };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strlen(names[i]) != len) {
            continue;
        }

        for (k = 0; k < len && (word[k] | 0x20) == names[i][k]; k++) {
            /* void */
        }

        if (k == len) {
            return true;
        }
    }

    return false;
}


size_t
sluice_fingerprint(char dst[SLUICE_FINGERPRINT_MAX], const char *text,
    size_t len)
{
    bool    told, digits, letters, space;
    size_t  i, n, end, size;

    n = 0;
    told = true;      /* a number that comes now stays */
    space = false;

    for (i = 0; i < len && text[i] != '\n' && text[i] != '\r'; i = end) {
        end = i + 1;
        digits = letters = false;

        if (text[i] == ' ' || text[i] == '\t') {
            space = n > 0;
            continue;
        }

        if (fingerprint_word(text[i])) {
            for (end = i; end < len && fingerprint_word(text[end]); end++) {
                if (fingerprint_digit(text[end])) {
                    digits = true;

                } else {
                    letters = true;
                }
            }
        }

        size = (digits && (letters || !told)) ? 1 : end - i;

        if (n + space + size >= SLUICE_FINGERPRINT_MAX) {
            break;
        }

        if (space) {
            dst[n++] = ' ';
            space = false;
        }

        if (digits && (letters || !told)) {
            dst[n++] = '#';

        } else {
            memcpy(dst + n, text + i, size);
            n += size;
        }

        /* "code: 5", "status=503", "(#100)" */

        if (fingerprint_word(text[i])) {
            told = !digits && fingerprint_names(text + i, end - i);

        } else if (text[i] == '#') {
            told = true;

        } else if (text[i] != ':' && text[i] != '=' && text[i] != '"'
                   && text[i] != '(' && text[i] != '[')
        {
            told = false;
        }
    }

    /* not half a character: i is where it was cut, if it was */

    if (i < len && ((unsigned char) text[i] & 0xc0) == 0x80) {
        while (n > 0 && ((unsigned char) dst[n - 1] & 0xc0) == 0x80) {
            n--;
        }

        n -= (n > 0);
    }

    dst[n] = '\0';

    return n;
}
