/*
 * Can what is signed be read in two ways?  Then whoever has one signed request
 * can move bytes from one of its parts to the next, as from the id to the body,
 * and the signature still matches.
 */

#include "core/scheme_parts.h"


static int sluice_template_ends(const sluice_scheme_t *scheme, size_t i);
static int sluice_template_begins(const sluice_scheme_t *scheme, size_t i);
static int sluice_template_lacks(sluice_part_e kind, char c);


/*
 * From the left as far as each part has an end, then from the right: one part
 * may be left in the middle.
 */

const char *
sluice_scheme_template(const sluice_scheme_t *scheme)
{
    size_t  i, open;

#define SLUICE_TEMPLATE_OPEN(part)                                           \
    "\"signed\" does not tell where " part " ends: bytes could be moved to " \
    "the part behind it"

    static const char *const  wrong[] = {
        NULL,
        SLUICE_TEMPLATE_OPEN("{body}"),
        NULL,
        SLUICE_TEMPLATE_OPEN("{id}"),
        SLUICE_TEMPLATE_OPEN("{method}"),
        SLUICE_TEMPLATE_OPEN("{path}"),
        NULL
    };

#undef SLUICE_TEMPLATE_OPEN

    for (open = 0; open < scheme->nparts; open++) {
        if (!sluice_template_ends(scheme, open)) {
            break;
        }
    }

    for (i = open + 1; i < scheme->nparts; i++) {
        if (!sluice_template_begins(scheme, i)) {
            return wrong[scheme->parts[open].kind];
        }
    }

    return NULL;
}


/*
 * Of a known length.  A URL is taken for one: senders sign it right before the
 * body, and it has to lead here.
 */

static int
sluice_template_fixed(const sluice_scheme_t *scheme, size_t i)
{
    sluice_part_e  kind;

    kind = scheme->parts[i].kind;

    return kind == SLUICE_PART_TEXT || kind == SLUICE_PART_TIMESTAMP
           || kind == SLUICE_PART_URL;
}


static int
sluice_template_ends(const sluice_scheme_t *scheme, size_t i)
{
    const sluice_part_t  *part, *next;

    if (sluice_template_fixed(scheme, i) || i + 1 == scheme->nparts) {
        return 1;
    }

    part = &scheme->parts[i];
    next = &scheme->parts[i + 1];

    /* as they begin */

    if (next->kind == SLUICE_PART_PATH) {
        return sluice_template_lacks(part->kind, '/');
    }

    if (next->kind == SLUICE_PART_URL) {
        return sluice_template_lacks(part->kind, 'h');
    }

    if (next->kind != SLUICE_PART_TEXT) {
        return 0;
    }

    /* an id that has this character is refused with its request */

    return part->kind == SLUICE_PART_ID
           || sluice_template_lacks(part->kind, next->text.data[0]);
}


static int
sluice_template_begins(const sluice_scheme_t *scheme, size_t i)
{
    const sluice_part_t  *before;

    if (sluice_template_fixed(scheme, i)) {
        return 1;
    }

    before = &scheme->parts[i - 1];

    return before->kind == SLUICE_PART_TEXT
           && sluice_template_lacks(scheme->parts[i].kind,
                                    before->text.data[before->text.len - 1]);
}


/* No value of this part has the character, as HTTP or NGINX take it. */

static int
sluice_template_lacks(sluice_part_e kind, char c)
{
    switch (kind) {

    case SLUICE_PART_METHOD:
        return c != '_' && c != '-' && !(c >= 'A' && c <= 'Z');

    case SLUICE_PART_PATH:
        return c == '?' || (unsigned char) c <= ' ';

    default:
        return 0;
    }
}
