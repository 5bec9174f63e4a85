#include <stdlib.h>
#include "core/json.h"
#include "worker/text.h"


json_t *
text_json(const char *text, size_t len)
{
    size_t    n;
    json_t   *value;
    uint8_t  *quoted;

    if (sluice_json_is_text((const uint8_t *) text, len)) {
        return json_stringn(text, len);
    }

    n = sluice_json_escape(NULL, (const uint8_t *) text, len);
    quoted = malloc(n + 2);

    if (quoted == NULL) {
        return NULL;
    }

    quoted[0] = '"';
    sluice_json_escape(quoted + 1, (const uint8_t *) text, len);
    quoted[n + 1] = '"';
    value = json_loadb((const char *) quoted, n + 2,
                       JSON_DECODE_ANY|JSON_ALLOW_NUL, NULL);
    free(quoted);

    return value;
}
