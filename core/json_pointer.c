#include "core/json_path.h"
#include "core/json_text.h"


static int64_t sluice_json_index(const char *text, size_t len);
static int sluice_json_same_name(const uint8_t *name, size_t len,
    const sluice_json_token_t *token);


const char *
sluice_json_pointer(sluice_json_pointer_t *pointer, const char *text,
    size_t len)
{
    size_t       i, n;
    const char  *first, *last, *p;

    pointer->text = text;
    pointer->len = len;
    pointer->ntokens = 0;
    pointer->escaped = 0;

    if (len == 0) {
        return NULL;
    }

    if (*text != '/') {
        return "must start with a slash";
    }

    if (!sluice_json_is_text((const uint8_t *) text, len)) {
        return "is not UTF-8";
    }

    last = text + len;

    for (p = text; p < last; p = first + n) {
        first = p + 1;
        n = 0;

        while (first + n < last && first[n] != '/') {
            n++;
        }

        i = pointer->ntokens;

        if (i == SLUICE_JSON_TOKENS) {
            return "has too many reference tokens";
        }

        pointer->token[i].data = first;
        pointer->token[i].len = n;
        pointer->token[i].index = sluice_json_index(first, n);
        pointer->ntokens++;
    }

    for (p = text; p < last; p++) {
        if (*p != '~') {
            continue;
        }

        if (p + 1 == last || (p[1] != '0' && p[1] != '1')) {
            return "has a ~ that is neither ~0 nor ~1";
        }

        pointer->escaped = 1;
    }

    return NULL;
}


/* "0", or digits that do not begin with 0; "-" is past the end of any array */

static int64_t
sluice_json_index(const char *text, size_t len)
{
    size_t   i;
    int64_t  index;

    if (len == 0 || len > 18 || (text[0] == '0' && len != 1)) {
        return -1;
    }

    index = 0;

    for (i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }

        index = index * 10 + (text[i] - '0');
    }

    return index;
}


uint32_t
sluice_json_member_decoded(const sluice_json_paths_t *paths,
    uint32_t through, size_t depth, const uint8_t *name, size_t len)
{
    uint32_t  left;

    left = through;

    do {
        if (!sluice_json_same_name(name, len,
                                   &paths->token[__builtin_ctz(left)][depth]))
        {
            through ^= left & -left;
        }

        left &= left - 1;

    } while (left != 0);

    return through;
}


/* Both sides decoded as they are compared: \u0061 is a, ~1 is a slash. */

static int
sluice_json_same_name(const uint8_t *name, size_t len,
    const sluice_json_token_t *token)
{
    size_t          i, n;
    uint8_t         bytes[4], c;
    uint32_t        code;
    const char     *t, *last;
    const uint8_t  *end;

    end = name + len;
    t = token->data;
    last = t + token->len;

    while (name < end) {

        if (*name == '\\') {
            code = sluice_json_escaped(&name, end);

            /* a lone surrogate gives bytes that no pointer, being UTF-8, has */

            n = (size_t) (sluice_json_encode(bytes, code) - bytes);

        } else {
            bytes[0] = *name++;
            n = 1;
        }

        for (i = 0; i < n; i++) {

            if (t == last) {
                return 0;
            }

            c = (uint8_t) *t++;

            if (c == '~') {
                c = (*t++ == '0') ? '~' : '/';
            }

            if (c != bytes[i]) {
                return 0;
            }
        }
    }

    return t == last;
}
