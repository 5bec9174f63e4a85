#include "core/scheme_parts.h"

#include <stdlib.h>
#include <string.h>


static int sluice_scheme_preset(sluice_scheme_t *scheme);
static int sluice_scheme_events(sluice_scheme_t *scheme);
static int sluice_scheme_dummies(sluice_scheme_t *scheme);
static int sluice_scheme_signs(const sluice_scheme_t *scheme,
    sluice_part_e kind);
static int sluice_scheme_reads(const sluice_sources_t *sources,
    sluice_source_e kind);
static int sluice_scheme_inside(const sluice_sources_t *sources);


sluice_scheme_t *
sluice_scheme_create(const char *name, size_t len)
{
    sluice_scheme_t        *scheme;
    const sluice_preset_t  *preset;

    preset = sluice_preset_find(name, len);
    if (preset == NULL) {
        return NULL;
    }

    scheme = calloc(1, sizeof(sluice_scheme_t));
    if (scheme == NULL) {
        return NULL;
    }

    scheme->preset = preset;
    scheme->algorithm = SLUICE_SIGNATURE_SHA256;
    scheme->encoding = SLUICE_SIGNATURE_HEX;
    scheme->prefix.data = "";
    scheme->own = 1;

    if (!sluice_scheme_preset(scheme) || !sluice_scheme_events(scheme)) {
        sluice_scheme_destroy(scheme);
        return NULL;
    }

    /* from now on the settings are the user's */

    scheme->own = (strcmp(preset->name, "hmac") == 0);
    scheme->tolerance_set = 0;

    return scheme;
}


void
sluice_scheme_destroy(sluice_scheme_t *scheme)
{
    size_t          i;
    sluice_kept_t  *kept;

    if (scheme == NULL) {
        return;
    }

    for (i = 0; i < SLUICE_SCHEME_KEYS; i++) {
        sluice_key_destroy(scheme->dummy[i]);
    }

    while (scheme->kept != NULL) {
        kept = scheme->kept;
        scheme->kept = kept->next;
        free(kept);
    }

    free(scheme);
}


static int
sluice_scheme_preset(sluice_scheme_t *scheme)
{
    const char  *p, *end, *equals;

    for (p = scheme->preset->settings; *p != '\0'; p = end + (*end == ' ')) {
        end = p + strcspn(p, " ");
        equals = p + strcspn(p, "=");

        if (sluice_scheme_set(scheme, p, (size_t) (equals - p), equals + 1,
                              (size_t) (end - equals - 1))
            != NULL)
        {
            return 0;
        }
    }

    return 1;
}


static int
sluice_scheme_events(sluice_scheme_t *scheme)
{
    size_t                  i, len;
    const char             *p;
    const sluice_preset_t  *preset;

    preset = scheme->preset;

    const struct {
        const char        *text;
        sluice_sources_t  *sources;
    } all[] = {
        { preset->id, &scheme->event_id },
        { preset->state, &scheme->event_state },
        { preset->more, &scheme->event_more },
        { preset->type, &scheme->event_type }
    };

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i].text != NULL
            && sluice_scheme_sources(scheme, all[i].sources, all[i].text,
                                     strlen(all[i].text))
               != NULL)
        {
            return 0;
        }
    }

    for (p = preset->keeps; p != NULL && *p != '\0'; p += (*p == ' ')) {
        len = strcspn(p, " ");

        if (!sluice_scheme_keep(scheme, &scheme->keeps[scheme->nkeeps++], p,
                                len))
        {
            return 0;
        }

        p += len;
    }

    return 1;
}


const char *
sluice_scheme_ready(sluice_scheme_t *scheme)
{
    const char  *wrong;

    if (scheme->preset->kind == SLUICE_KIND_JWT) {
        if (scheme->algorithms == 0) {
            return "\"algorithms\" is missing";
        }
    }

    if (scheme->preset->kind == SLUICE_KIND_SIGNED) {

        if (scheme->nparts == 0) {
            scheme->parts[scheme->nparts++].kind = SLUICE_PART_BODY;
        }

        if (sluice_scheme_signs(scheme, SLUICE_PART_TIMESTAMP)
            && scheme->timestamp.n == 0)
        {
            return "\"{timestamp}\" is signed, \"timestamp\" is missing";
        }

        if (sluice_scheme_signs(scheme, SLUICE_PART_ID) && scheme->id.n == 0) {
            return "\"{id}\" is signed, \"id\" is missing";
        }

        /* what is not signed proves nothing */

        if (scheme->timestamp.n != 0
            && !sluice_scheme_signs(scheme, SLUICE_PART_TIMESTAMP)
            && !(sluice_scheme_signs(scheme, SLUICE_PART_BODY)
                 && (scheme->timestamp.source[0]->kind == SLUICE_SOURCE_JSON
                     || scheme->timestamp.source[0]->kind
                        == SLUICE_SOURCE_FORM)))
        {
            return "the \"timestamp\" is not signed: \"signed\" has no "
                   "\"{timestamp}\"";
        }

        if (scheme->tolerance_set && scheme->timestamp.n == 0) {
            return "\"tolerance\", but the scheme has no \"timestamp\"";
        }

        if (scheme->separator == 0
            && (sluice_scheme_reads(&scheme->timestamp, SLUICE_SOURCE_PAIR)
                || sluice_scheme_reads(&scheme->id, SLUICE_SOURCE_PAIR)))
        {
            return "\"pair:\", but \"separator\" is missing";
        }

        if (scheme->separator != 0 && scheme->prefix.len == 0) {
            return "\"separator\", but \"prefix\" is missing";
        }

        if (scheme->crc.len != 0
            && scheme->algorithm >= SLUICE_SCHEME_MACS)
        {
            return "\"crc\" needs an HMAC";
        }

        wrong = sluice_scheme_template(scheme);

        if (wrong != NULL) {
            return wrong;
        }
    }

    if (!sluice_scheme_dummies(scheme)) {
        return "OpenSSL refuses the algorithm, or memory is out";
    }

    return NULL;
}


/* An HMAC takes one for each key: the body is read once for all of them. */

static int
sluice_scheme_dummies(sluice_scheme_t *scheme)
{
    size_t  i, n;

    n = (scheme->preset->kind == SLUICE_KIND_SIGNED
         && scheme->algorithm < SLUICE_SCHEME_MACS)
        ? SLUICE_SCHEME_KEYS : 1;

    for (i = 0; i < n; i++) {
        if (scheme->dummy[i] == NULL) {
            scheme->dummy[i] = sluice_key_dummy(scheme);
        }

        if (scheme->dummy[i] == NULL) {
            return 0;
        }
    }

    return 1;
}


const char *
sluice_scheme_name(const sluice_scheme_t *scheme)
{
    return scheme->preset->name;
}


unsigned
sluice_scheme_needs(const sluice_scheme_t *scheme)
{
    unsigned  needs;

    needs = 0;

    switch (scheme->preset->kind) {

    case SLUICE_KIND_SIGNED:

        if (sluice_scheme_signs(scheme, SLUICE_PART_BODY)) {
            needs |= SLUICE_SCHEME_NEEDS_BODY;
        }

        if (sluice_scheme_signs(scheme, SLUICE_PART_URL)) {
            needs |= SLUICE_SCHEME_NEEDS_URL;
        }

        if (scheme->preset->greet > SLUICE_GREET_META
            || sluice_scheme_inside(&scheme->header)
            || sluice_scheme_inside(&scheme->timestamp)
            || sluice_scheme_inside(&scheme->id))
        {
            needs |= SLUICE_SCHEME_NEEDS_WHOLE;
        }

        break;

    case SLUICE_KIND_TWILIO:
        needs |= SLUICE_SCHEME_NEEDS_BODY|SLUICE_SCHEME_NEEDS_WHOLE
                 |SLUICE_SCHEME_NEEDS_URL;
        break;

    case SLUICE_KIND_TOKEN:
        break;

    case SLUICE_KIND_JWT:

        if (scheme->body_hash.len != 0) {
            needs |= SLUICE_SCHEME_NEEDS_BODY;
        }

        if (scheme->url_hash.len != 0) {
            needs |= SLUICE_SCHEME_NEEDS_URL;
        }

        break;
    }

    if (scheme->preset->greet == SLUICE_GREET_META) {
        needs |= SLUICE_SCHEME_TAKES_TOKEN;
    }

    return needs;
}


size_t
sluice_scheme_body_max(const sluice_scheme_t *scheme)
{
    return scheme->preset->body_max;
}


const char *
sluice_scheme_field(const sluice_scheme_t *scheme, size_t i)
{
    size_t  k;

    for (k = 0; k < scheme->header.n; k++) {
        if (scheme->header.source[k]->kind == SLUICE_SOURCE_HEADER
            && i-- == 0)
        {
            return scheme->header.source[k]->name.data;
        }
    }

    /* Meta's and GitHub's second signature, over SHA-1 */

    if (i == 0 && scheme->header.n != 0
        && sluice_text_is(&scheme->header.source[0]->name,
                          "x-hub-signature-256"))
    {
        return "x-hub-signature";
    }

    return NULL;
}


const char *
sluice_scheme_keeps(const sluice_scheme_t *scheme, size_t i)
{
    return (i < scheme->nkeeps) ? scheme->keeps[i].data : NULL;
}


void *
sluice_scheme_alloc(sluice_scheme_t *scheme, size_t size)
{
    sluice_kept_t  *kept;

    kept = calloc(1, sizeof(sluice_kept_t) + size);
    if (kept == NULL) {
        return NULL;
    }

    kept->next = scheme->kept;
    scheme->kept = kept;

    return kept + 1;
}


int
sluice_scheme_keep(sluice_scheme_t *scheme, sluice_text_t *kept,
    const char *data, size_t len)
{
    char  *p;

    p = sluice_scheme_alloc(scheme, len + 1);
    if (p == NULL) {
        return 0;
    }

    memcpy(p, data, len);
    kept->data = p;
    kept->len = len;

    return 1;
}


static int
sluice_scheme_signs(const sluice_scheme_t *scheme, sluice_part_e kind)
{
    size_t  i;

    for (i = 0; i < scheme->nparts; i++) {
        if (scheme->parts[i].kind == kind) {
            return 1;
        }
    }

    return 0;
}


static int
sluice_scheme_reads(const sluice_sources_t *sources, sluice_source_e kind)
{
    size_t  i;

    for (i = 0; i < sources->n; i++) {
        if (sources->source[i]->kind == kind) {
            return 1;
        }
    }

    return 0;
}


static int
sluice_scheme_inside(const sluice_sources_t *sources)
{
    return sluice_scheme_reads(sources, SLUICE_SOURCE_JSON)
           || sluice_scheme_reads(sources, SLUICE_SOURCE_FORM);
}
