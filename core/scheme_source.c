/*
 * Where values of a request are: "header:x-id,json:/id".
 */

#include "core/scheme_parts.h"

#include <string.h>


static const char *sluice_source_add(sluice_scheme_t *scheme,
    sluice_sources_t *sources, const char *value, size_t len);


const char *
sluice_scheme_sources(sluice_scheme_t *scheme, sluice_sources_t *sources,
    const char *value, size_t len)
{
    size_t       n;
    const char  *comma, *error;

    sources->n = 0;

    for ( ;; ) {
        comma = memchr(value, ',', len);
        n = (comma != NULL) ? (size_t) (comma - value) : len;

        error = sluice_source_add(scheme, sources, value, n);
        if (error != NULL) {
            return error;
        }

        if (comma == NULL) {
            return NULL;
        }

        value += n + 1;
        len -= n + 1;
    }
}


static const char *
sluice_source_add(sluice_scheme_t *scheme, sluice_sources_t *sources,
    const char *value, size_t len)
{
    char             *p;
    size_t            i, n;
    sluice_source_t  *source;

    static const struct {
        const char       *text;
        sluice_source_e   kind;
    } kinds[] = {
        { "header:", SLUICE_SOURCE_HEADER },
        { "pair:", SLUICE_SOURCE_PAIR },
        { "query:", SLUICE_SOURCE_QUERY },
        { "json:", SLUICE_SOURCE_JSON },
        { "form:", SLUICE_SOURCE_FORM },
        { "claim:", SLUICE_SOURCE_CLAIM }
    };

    if (sources->n == SLUICE_SCHEME_SOURCES) {
        return "names too many places";
    }

    source = sluice_scheme_alloc(scheme, sizeof(sluice_source_t));
    if (source == NULL) {
        return SLUICE_SCHEME_NO_MEMORY;
    }

    source->kind = SLUICE_SOURCE_HEADER;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        n = strlen(kinds[i].text);

        if (len >= n && memcmp(value, kinds[i].text, n) == 0) {
            source->kind = kinds[i].kind;
            value += n;
            len -= n;
            break;
        }
    }

    if (len == 0) {
        return "has an empty name";
    }

    if (!sluice_scheme_keep(scheme, &source->name, value, len)) {
        return SLUICE_SCHEME_NO_MEMORY;
    }

    if (source->kind == SLUICE_SOURCE_JSON
        && sluice_json_pointer(&source->pointer, source->name.data, len)
           != NULL)
    {
        return "has no JSON pointer after \"json:\"";
    }

    if (source->kind == SLUICE_SOURCE_HEADER) {

        for (p = (char *) source->name.data; *p != '\0'; p++) {

            if (*p >= 'A' && *p <= 'Z') {
                *p += 'a' - 'A';
            }

            if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9')
                  || *p == '-' || *p == '_'))
            {
                return "is not the name of a header";
            }
        }
    }

    sources->source[sources->n++] = source;

    return NULL;
}
