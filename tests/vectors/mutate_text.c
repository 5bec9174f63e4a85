#include "tests/vectors/mutate.h"

#include <stdlib.h>
#include <string.h>


#define FIELDS_MAX  64


uint64_t
rnd(uint64_t n)
{
    seeds.state ^= seeds.state << 13;
    seeds.state ^= seeds.state >> 7;
    seeds.state ^= seeds.state << 17;

    return (seeds.state >> 11) % n;
}


void
put(sluice_text_t *text, const char *data, size_t len)
{
    char  *p;

    p = malloc(len + 1);
    if (p == NULL) {
        abort();
    }

    memcpy(p, data, len);
    p[len] = '\0';

    free((char *) text->data);
    text->data = p;
    text->len = len;
}


void
put_body(request_t *r, const char *data, size_t len)
{
    sluice_text_t  text;

    text.data = (char *) r->body;
    put(&text, data, len);

    r->body = (uint8_t *) text.data;
    r->body_len = len;
}


void
change(char *text, size_t *len, const char *alphabet)
{
    char    c;
    size_t  i, k, n, old;

    old = *len;
    i = old ? rnd(old) : 0;
    c = alphabet ? alphabet[rnd(strlen(alphabet))] : (char) rnd(256);

    switch (old ? rnd(7) : 2) {

    case 0:
        text[i] ^= (char) (1 << rnd(8));
        break;

    case 1:
        text[i] = (text[i] == c) ? (char) (c ^ 1) : c;
        break;

    case 2:
        memmove(text + i + 1, text + i, old - i);
        text[i] = c;
        (*len)++;
        break;

    case 3:
        memmove(text + i, text + i + 1, old - i - 1);
        (*len)--;
        break;

    case 4:
        *len = i;
        break;

    case 5:
        if (i + 1 < old && text[i] != text[i + 1]) {
            c = text[i];
            text[i] = text[i + 1];
            text[i + 1] = c;

        } else {
            text[i] ^= 1;
        }

        break;

    default:
        n = 1 + rnd(16);

        for (k = 0; k < n; k++) {
            text[old + k] = alphabet ? alphabet[rnd(strlen(alphabet))]
                                     : (char) rnd(256);
        }

        *len = old + n;
    }
}


/*
 * What Twilio signs of a form: names and values, decoded, sorted, one behind
 * the other, without anything between.  Two forms of the same text are the same
 * for every verifier of this scheme: "A=BC" and "AB=C".
 */

static int
compare(const void *one, const void *two)
{
    return strcmp(*(char *const *) one, *(char *const *) two);
}


static char *
canonical(const char *form, size_t len)
{
    char                 *all, *field[FIELDS_MAX];
    size_t                i, n, used, name;
    const char           *p, *end;
    sluice_form_field_t   raw;

    n = 0;
    used = 0;
    p = form;
    end = form + len;
    all = calloc(1, len + 1);

    if (all == NULL) {
        abort();
    }

    /* name and value with a byte between, so that they are sorted by both */

    while (n < FIELDS_MAX && sluice_form_next(&p, end, &raw)) {
        field[n] = calloc(1, raw.name_len + raw.value_len + 2);
        if (field[n] == NULL) {
            abort();
        }

        name = sluice_form_decode(field[n], raw.name, raw.name_len);

        if (name != SLUICE_FORM_MALFORMED) {
            field[n][name] = '\1';
            (void) sluice_form_decode(field[n] + name + 1, raw.value,
                                      raw.value_len);
        }

        n++;
    }

    qsort(field, n, sizeof(char *), compare);

    for (i = 0; i < n; i++) {
        if (i == 0 || strcmp(field[i], field[i - 1]) != 0) {
            for (p = field[i]; *p != '\0'; p++) {
                if (*p != '\1') {
                    all[used++] = *p;
                }
            }
        }
    }

    while (n--) {
        free(field[n]);
    }

    return all;
}


int
same_form(const seed_t *seed, const char *body, size_t len)
{
    int    same;
    char  *ours, *theirs;

    if (seed->v.scheme->preset->kind != SLUICE_KIND_TWILIO
        || !sluice_read_is_form(&seed->v.request.request))
    {
        return 0;
    }

    ours = canonical((char *) seed->v.request.body,
                     seed->v.request.body_len);
    theirs = canonical(body, len);
    same = (strcmp(ours, theirs) == 0);

    free(ours);
    free(theirs);

    return same;
}
