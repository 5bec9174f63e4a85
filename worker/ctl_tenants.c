/*
 * `tenants`: the table that the edge reads.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include "worker/ctl_tenant.h"


const char  ctl_tenants_help[] =
    "usage: sluicectl -r URL [--json] tenants COMMAND\n\n"
    "The tenant table of sluice_tenants.  A change is live at the edge within"
    " its\nrefresh time.\n\n"
    "  tenants list [--limit N]     one line a tenant\n"
    "  tenants get ID [--open]      its entry\n"
    "  tenants remove ID...\n"
    "  tenants export [--open]      all entries, one a line\n"
    "  tenants import [FILE]        such lines, from standard input when no"
    " file is\n"
    "                               given: all of them, or none when one is"
    " wrong\n"
    "  tenants set ID [OPTIONS]     makes or changes an entry\n\n"
    "  --key-file PATH    the keys that seal and open secrets, as in"
    " sluice_tenants\n"
    "  --open             secrets in clear\n"
    "  --replace          import: remove what is not in the file\n\n"
    "Options of set:\n\n"
    "  --rate R  --burst N  --queue Q  --class high|medium|low\n"
    "  --enable  --disable\n"
    "  --path P  --number N         added to those that are there\n"
    "  --secret SCHEME=SOURCE       added; SOURCE is file:PATH, or - for a"
    " line of\n"
    "                               standard input\n"
    "  --api-key SOURCE             added, as its digest\n"
    "  --drop MEMBER                removed first: paths, numbers, api_keys,"
    " rate, ...,\n"
    "                               secrets, or secrets:SCHEME\n";


static int tenants_list(ctl_tenants_t *tenants, int argc, char **argv);
static int tenants_get(ctl_tenants_t *tenants, int argc, char **argv);
static int tenants_export(ctl_tenants_t *tenants, int argc, char **argv);
static int tenants_remove(ctl_tenants_t *tenants, int argc, char **argv);
static bool tenants_options(ctl_tenants_t *tenants, int argc, char **argv);
static void tenants_row(const char *id, const json_t *entry);


int
ctl_tenants(ctl_t *ctl, int argc, char **argv)
{
    int            rc;
    size_t         i;
    ctl_tenants_t  tenants;

    static const struct {
        const char  *name;
        int        (*run)(ctl_tenants_t *tenants, int argc, char **argv);
    } commands[] = {
        { "list", tenants_list },
        { "get", tenants_get },
        { "export", tenants_export },
        { "remove", tenants_remove },
        { "set", ctl_tenants_set },
        { "import", ctl_tenants_import }
    };

    memset(&tenants, 0, sizeof(tenants));
    tenants.ctl = ctl;

    for (i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {

        if (strcmp(argv[1], commands[i].name) == 0) {

            /* errors of getopt name the command */

            argv[1] = argv[0];
            rc = commands[i].run(&tenants, argc - 1, argv + 1);
            OPENSSL_cleanse(&tenants.keys, sizeof(tenants.keys));

            return rc;
        }
    }

    ctl_fail(CTL_USAGE, "see sluicectl tenants --help");
}


/* --key-file and --open: is the latter there? */

static bool
tenants_options(ctl_tenants_t *tenants, int argc, char **argv)
{
    int   c;
    bool  open;

    static const struct option  options[] = {
        { "key-file", required_argument, NULL, 'k' },
        { "open", no_argument, NULL, 'o' },
        { NULL, 0, NULL, 0 }
    };

    open = false;

    while ((c = ctl_option(argc, argv, options)) != -1) {
        if (c == 'k') {
            ctl_tenant_keys(tenants, optarg);

        } else {
            open = true;
        }
    }

    return open;
}


static int
tenants_list(ctl_tenants_t *tenants, int argc, char **argv)
{
    int          c;
    size_t       limit, n;
    json_t      *entry, *list;
    const char  *id, *why;

    static const struct option  options[] = {
        { "limit", required_argument, NULL, 'l' },
        { NULL, 0, NULL, 0 }
    };

    limit = SIZE_MAX;

    while ((c = ctl_option(argc, argv, options)) != -1) {
        limit = (size_t) ctl_number("--limit", optarg, INT32_MAX);
    }

    if (optind != argc) {
        ctl_fail(CTL_USAGE, "see sluicectl tenants --help");
    }

    ctl_tenant_read(tenants);

    list = json_array();
    n = 0;

    json_object_foreach(tenants->entries, id, entry) {

        if (n++ == limit) {
            break;
        }

        if (tenants->ctl->json) {
            json_array_append_new(list,
                                  json_is_object(entry)
                                  ? ctl_tenant_shown(tenants, id, entry, false,
                                                     &why)
                                  : json_pack("{s:s,s:O}", "id", id, "error",
                                              entry));
            continue;
        }

        if (n == 1) {
            printf("%-20s %-8s %-10s %8s  %-12s %-6s %7s %4s %5s %7s\n", "id",
                   "enabled", "rate", "burst", "queue", "class", "secrets",
                   "keys", "paths", "numbers");
        }

        tenants_row(id, entry);
    }

    if (tenants->ctl->json) {
        ctl_print_json(list);
    }

    return n ? CTL_OK : CTL_NONE;
}


static const char *
tenants_text(const json_t *entry, const char *name)
{
    const char  *text;

    text = json_string_value(json_object_get(entry, name));

    return text ? text : "-";
}


static void
tenants_row(const char *id, const json_t *entry)
{
    json_t  *burst;
    char     number[24];

    if (!json_is_object(entry)) {
        printf("%-20s malformed\n", id);
        return;
    }

    burst = json_object_get(entry, "burst");
    snprintf(number, sizeof(number), "%lld", (long long)
             json_integer_value(burst));

    printf("%-20s %-8s %-10s %8s  %-12s %-6s %7zu %4zu %5zu %7zu\n", id,
           json_is_false(json_object_get(entry, "enabled")) ? "no" : "yes",
           tenants_text(entry, "rate"), burst ? number : "-",
           tenants_text(entry, "queue"), tenants_text(entry, "class"),
           json_array_size(json_object_get(entry, "secrets")),
           json_array_size(json_object_get(entry, "api_keys")),
           json_array_size(json_object_get(entry, "paths")),
           json_array_size(json_object_get(entry, "numbers")));
}


static int
tenants_get(ctl_tenants_t *tenants, int argc, char **argv)
{
    bool         open;
    json_t      *entry, *shown;
    const char  *why;

    open = tenants_options(tenants, argc, argv);

    if (optind + 1 != argc) {
        ctl_fail(CTL_USAGE, "give the id of one tenant");
    }

    ctl_tenant_read(tenants);

    entry = json_object_get(tenants->entries, argv[optind]);

    if (entry == NULL) {
        ctl_fail(CTL_NONE, "there is no tenant \"%s\"", argv[optind]);
    }

    if (!json_is_object(entry)) {
        ctl_fail(CTL_NONE, "the entry of \"%s\" is malformed", argv[optind]);
    }

    shown = ctl_tenant_shown(tenants, argv[optind], entry, open, &why);

    if (shown == NULL) {
        ctl_fail(CTL_NONE, "%s: a secret %s", argv[optind], why);
    }

    ctl_print_json(shown);

    return CTL_OK;
}


/* What import takes: no secret is left in clear that nobody asked for. */

static int
tenants_export(ctl_tenants_t *tenants, int argc, char **argv)
{
    int          rc;
    bool         open;
    char        *text;
    size_t       i;
    json_t      *entry, *secret, *shown;
    const char  *id, *why;

    open = tenants_options(tenants, argc, argv);

    if (optind != argc) {
        ctl_fail(CTL_USAGE, "see sluicectl tenants --help");
    }

    ctl_tenant_read(tenants);
    rc = CTL_OK;

    json_object_foreach(tenants->entries, id, entry) {

        if (!json_is_object(entry)) {
            fprintf(stderr, "sluicectl: %s is malformed and left out\n", id);
            rc = CTL_NONE;
            continue;
        }

        json_array_foreach(json_object_get(entry, "secrets"), i, secret) {
            if (json_object_get(secret, "value") && !open
                && tenants->keys.n == 0)
            {
                ctl_fail(CTL_USAGE, "%s has a secret in clear: give --key-file"
                         " to seal it, or --open", id);
            }
        }

        shown = ctl_tenant_shown(tenants, id, entry, open, &why);

        if (shown == NULL) {
            ctl_fail(CTL_NONE, "%s: a secret %s", id, why);
        }

        text = json_dumps(shown, JSON_COMPACT);
        puts(text);
        OPENSSL_cleanse(text, strlen(text));
        free(text);
        json_decref(shown);
    }

    return rc;
}


static int
tenants_remove(ctl_tenants_t *tenants, int argc, char **argv)
{
    int  i, rc;

    (void) tenants_options(tenants, argc, argv);

    if (optind == argc) {
        ctl_fail(CTL_USAGE, "give the ids of tenants");
    }

    do {
        ctl_tenant_read(tenants);
        rc = CTL_OK;

        for (i = optind; i < argc; i++) {

            if (json_object_get(tenants->entries, argv[i]) == NULL) {
                fprintf(stderr, "sluicectl: there is no tenant \"%s\"\n",
                        argv[i]);
                rc = CTL_NONE;
                continue;
            }

            json_object_set_new(tenants->changed, argv[i], json_null());
        }

    } while (json_object_size(tenants->changed) != 0
             && !ctl_tenant_write(tenants));

    return rc;
}
