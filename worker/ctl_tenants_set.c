/*
 * `tenants set` and `tenants import`.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include "worker/ctl_tenant.h"


/* a line of an import: an entry with clear secrets, escaped at worst */
#define TENANT_LINE  (128 * 1024)


typedef struct {
    const char  *member;
    const char  *text;       /* owned by the command line */
    const char  *scheme;     /* of a secret */
    int          option;
} change_t;


static void set_option(change_t *change, int option, char *value);
static char *set_source(const char *name, const char *source);
static void set_apply(json_t *entry, const change_t *changes, size_t n);
static void set_drop(json_t *entry, const char *member);
static void set_append(json_t *entry, const char *member, json_t *value);
static size_t import_read(FILE *in, const char *name, json_t *list);


int
ctl_tenants_set(ctl_tenants_t *tenants, int argc, char **argv)
{
    int          c;
    size_t       n;
    json_t      *entry, *old;
    change_t    *changes;
    const char  *id, *what;

    static const struct option  options[] = {
        { "rate", required_argument, NULL, 'r' },
        { "burst", required_argument, NULL, 'b' },
        { "queue", required_argument, NULL, 'q' },
        { "class", required_argument, NULL, 'c' },
        { "enable", no_argument, NULL, 'e' },
        { "disable", no_argument, NULL, 'd' },
        { "path", required_argument, NULL, 'p' },
        { "number", required_argument, NULL, 'n' },
        { "secret", required_argument, NULL, 's' },
        { "api-key", required_argument, NULL, 'a' },
        { "drop", required_argument, NULL, 'x' },
        { "key-file", required_argument, NULL, 'k' },
        { NULL, 0, NULL, 0 }
    };

    changes = calloc((size_t) argc, sizeof(change_t));

    if (changes == NULL) {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    n = 0;

    while ((c = ctl_option(argc, argv, options)) != -1) {
        if (c == 'k') {
            ctl_tenant_keys(tenants, optarg);

        } else {
            set_option(&changes[n++], c, optarg);
        }
    }

    if (optind + 1 != argc) {
        ctl_fail(CTL_USAGE, "give the id of one tenant");
    }

    id = argv[optind];

    /* again when somebody else changed the table meanwhile */

    do {
        ctl_tenant_read(tenants);

        old = json_object_get(tenants->entries, id);
        entry = json_is_object(old) ? json_deep_copy(old) : json_object();

        set_apply(entry, changes, n);

        what = ctl_tenant_put(tenants, id, entry);

        if (what != NULL) {
            ctl_fail(CTL_USAGE, "%s: %s", id, what);
        }

        what = ctl_tenant_claims(tenants);

        if (what != NULL) {
            ctl_fail(CTL_USAGE, "%s", what);
        }

        json_decref(entry);

    } while (!ctl_tenant_write(tenants));

    return CTL_OK;
}


/* What is read is read once, before the first attempt. */

static void
set_option(change_t *change, int option, char *value)
{
    char  *equals;

    change->option = option;
    change->text = value;

    if (option == 's') {
        equals = strchr(value, '=');

        if (equals == NULL) {
            ctl_fail(CTL_USAGE, "--secret must be SCHEME=file:PATH or"
                     " SCHEME=-");
        }

        *equals = '\0';
        change->scheme = value;
        change->text = set_source("--secret", equals + 1);

    } else if (option == 'a') {
        change->text = set_source("--api-key", value);

    } else if (option == 'b') {
        (void) ctl_number("--burst", value, 999999999);
    }
}


/* A secret that stands on the command line is one that others have seen. */

static char *
set_source(const char *name, const char *source)
{
    FILE         *in;
    char         *line;
    size_t        len;

    line = calloc(1, SLUICE_TENANT_SECRET + 2);

    if (line == NULL) {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    if (strcmp(source, "-") == 0) {
        if (fgets(line, SLUICE_TENANT_SECRET + 2, stdin) == NULL) {
            ctl_fail(CTL_USAGE, "%s: standard input has no line", name);
        }

    } else if (strncmp(source, "file:", 5) == 0) {
        in = fopen(source + 5, "r");

        if (in == NULL) {
            ctl_fail(CTL_USAGE, "%s: %s: %s", name, source + 5,
                     strerror(errno));
        }

        /* a key may have several lines */

        len = fread(line, 1, SLUICE_TENANT_SECRET + 1, in);
        line[len] = '\0';
        fclose(in);

    } else {
        ctl_fail(CTL_USAGE, "%s: say file:PATH, or - for standard input",
                 name);
    }

    for (len = strlen(line); len > 0 && (line[len - 1] == '\n'
                                         || line[len - 1] == '\r'); len--)
    {
        line[len - 1] = '\0';
    }

    if (len == 0) {
        ctl_fail(CTL_USAGE, "%s: it is empty", name);
    }

    return line;
}


static void
set_apply(json_t *entry, const change_t *changes, size_t n)
{
    size_t           i, k;
    char             hex[2 * SLUICE_TENANT_DIGEST + 1];
    uint8_t          digest[SLUICE_TENANT_DIGEST];
    const change_t  *change;

    for (i = 0; i < n; i++) {
        if (changes[i].option == 'x') {
            set_drop(entry, changes[i].text);
        }
    }

    for (i = 0; i < n; i++) {
        change = &changes[i];

        switch (change->option) {

        case 'r':
            json_object_set_new(entry, "rate", json_string(change->text));
            break;

        case 'b':
            json_object_set_new(entry, "burst",
                                json_integer(atoll(change->text)));
            break;

        case 'q':
            json_object_set_new(entry, "queue", json_string(change->text));
            break;

        case 'c':
            json_object_set_new(entry, "class", json_string(change->text));
            break;

        case 'e':
        case 'd':
            json_object_set_new(entry, "enabled",
                                json_boolean(change->option == 'e'));
            break;

        case 'p':
            set_append(entry, "paths", json_string(change->text));
            break;

        case 'n':
            set_append(entry, "numbers", json_string(change->text));
            break;

        case 's':
            set_append(entry, "secrets",
                       json_pack("{s:s,s:o}", "scheme", change->scheme,
                                 "value", ctl_string(change->text,
                                                     strlen(change->text))));
            break;

        case 'a':
            if (!sluice_tenant_digest(digest, change->text,
                                      strlen(change->text)))
            {
                ctl_fail(CTL_USAGE, "OpenSSL has no SHA-256");
            }

            for (k = 0; k < sizeof(digest); k++) {
                snprintf(hex + 2 * k, 3, "%02x", digest[k]);
            }

            set_append(entry, "api_keys", json_string(hex));
            break;
        }
    }
}


static void
set_append(json_t *entry, const char *member, json_t *value)
{
    size_t   i;
    json_t  *element, *list;

    list = json_object_get(entry, member);

    if (!json_is_array(list)) {
        list = json_array();
        json_object_set_new(entry, member, list);
    }

    json_array_foreach(list, i, element) {
        if (json_equal(element, value)) {
            json_decref(value);
            return;
        }
    }

    json_array_append_new(list, value);
}


/* "rate", or "secrets:meta" for those of one scheme */

static void
set_drop(json_t *entry, const char *member)
{
    size_t       i;
    json_t      *list;
    const char  *scheme;

    if (strncmp(member, "secrets:", 8) != 0) {
        if (json_object_del(entry, member) != 0) {
            ctl_fail(CTL_USAGE, "--drop: there is no \"%s\"", member);
        }

        return;
    }

    list = json_object_get(entry, "secrets");

    for (i = json_array_size(list); i > 0; i--) {
        scheme = json_string_value(json_object_get(json_array_get(list, i - 1),
                                                   "scheme"));

        if (scheme != NULL && strcmp(scheme, member + 8) == 0) {
            json_array_remove(list, i - 1);
        }
    }
}


int
ctl_tenants_import(ctl_tenants_t *tenants, int argc, char **argv)
{
    int          c;
    FILE        *in;
    bool         replace;
    size_t       i, wrong;
    json_t      *element, *entry, *list;
    const char  *id, *name, *what;

    static const struct option  options[] = {
        { "key-file", required_argument, NULL, 'k' },
        { "replace", no_argument, NULL, 'r' },
        { NULL, 0, NULL, 0 }
    };

    replace = false;

    while ((c = ctl_option(argc, argv, options)) != -1) {
        if (c == 'k') {
            ctl_tenant_keys(tenants, optarg);

        } else {
            replace = true;
        }
    }

    if (optind + 1 < argc) {
        ctl_fail(CTL_USAGE, "give one file, or none");
    }

    name = (optind < argc) ? argv[optind] : "-";
    in = (strcmp(name, "-") == 0) ? stdin : fopen(name, "r");

    if (in == NULL) {
        ctl_fail(CTL_USAGE, "%s: %s", name, strerror(errno));
    }

    list = json_array();
    wrong = import_read(in, name, list);

    do {
        ctl_tenant_read(tenants);

        if (replace) {
            json_object_foreach(tenants->entries, id, entry) {
                json_object_set_new(tenants->changed, id, json_null());
            }
        }

        json_array_foreach(list, i, element) {
            entry = json_object_get(element, "entry");
            id = json_string_value(json_object_get(entry, "id"));
            entry = json_deep_copy(entry);
            what = ctl_tenant_put(tenants, id, entry);
            json_decref(entry);

            if (what != NULL) {
                fprintf(stderr, "sluicectl: %s:%lld: %s: %s\n", name,
                        json_integer_value(json_object_get(element, "line")),
                        id, what);
                wrong++;
            }
        }

        what = wrong ? NULL : ctl_tenant_claims(tenants);

        if (what != NULL) {
            fprintf(stderr, "sluicectl: %s: %s\n", name, what);
            wrong++;
        }

        if (wrong) {
            ctl_fail(CTL_USAGE, "nothing was written");
        }

    } while (json_object_size(tenants->changed) != 0
             && !ctl_tenant_write(tenants));

    if (!tenants->ctl->json) {
        printf("%zu tenants\n", json_array_size(list));
    }

    return CTL_OK;
}


/* {"line":N,"entry":{}} of each; how many are wrong */

static size_t
import_read(FILE *in, const char *name, json_t *list)
{
    char          *line;
    size_t         n, wrong;
    json_t        *entry, *seen;
    const char    *id, *what;
    json_error_t   error;

    line = malloc(TENANT_LINE);
    seen = json_object();

    if (line == NULL) {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    wrong = 0;

    for (n = 1; fgets(line, TENANT_LINE, in) != NULL; n++) {

        if (line[strspn(line, " \t\r\n")] == '\0') {
            continue;
        }

        entry = json_loads(line, JSON_REJECT_DUPLICATES, &error);
        id = json_string_value(json_object_get(entry, "id"));
        what = NULL;

        if (entry == NULL) {
            what = "it is no JSON";

        } else if (!json_is_object(entry)) {
            what = "it is no object";

        } else if (id == NULL) {
            what = "/id is not there, or no string";

        } else if (json_object_get(seen, id) != NULL) {
            what = "/id is that of a line before";
        }

        if (what != NULL) {
            fprintf(stderr, "sluicectl: %s:%zu: %s\n", name, n, what);
            wrong++;
            json_decref(entry);
            continue;
        }

        json_object_set_new(seen, id, json_true());
        json_array_append_new(list,
                              json_pack("{s:I,s:o}", "line", (json_int_t) n,
                                        "entry", entry));
    }

    if (ferror(in)) {
        ctl_fail(CTL_USAGE, "%s: %s", name, strerror(errno));
    }

    OPENSSL_cleanse(line, TENANT_LINE);
    free(line);
    json_decref(seen);

    return wrong;
}
