/*
 * `log`: rows of communication_logs.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/ctl.h"
#include "worker/store/store.h"


#define CTL_LIMIT  20


const char  ctl_log_help[] =
    "usage: sluicectl -c FILE [--json] log [ID] [--tenant T] [--limit N]"
    " [--store FILE]\n\n"
    "What became of messages, the last first; of one, by our id or the"
    " provider's.\n\n"
    "  --tenant T     of this tenant only, by the time they were made\n"
    "  --limit N      so many at most, 20; up to 1000\n"
    "  --store FILE   this file instead of the settings' `store`\n";


typedef struct {
    ctl_t   *ctl;
    json_t  *list;
    size_t   n;
} show_t;


static void log_row(void *data, const store_row_t *row);
static void log_text(const store_row_t *row);
static void log_set(json_t *object, const char *name, const char *text);


int
ctl_log(ctl_t *ctl, int argc, char **argv)
{
    int          c, limit;
    char        *error;
    show_t       show;
    store_t     *store;
    const char  *path, *tenant, *id;

    static const struct option  options[] = {
        { "tenant", required_argument, NULL, 't' },
        { "limit", required_argument, NULL, 'l' },
        { "store", required_argument, NULL, 's' },
        { NULL, 0, NULL, 0 }
    };

    limit = CTL_LIMIT;
    path = NULL;
    tenant = NULL;

    while ((c = ctl_option(argc, argv, options)) != -1) {
        if (c == 'l') {
            limit = (int) ctl_number("--limit", optarg, CTL_PAGE_MAX);

        } else if (c == 't') {
            tenant = optarg;

        } else {
            path = optarg;
        }
    }

    if (argc - optind > 1 || limit == 0) {
        ctl_fail(CTL_USAGE, "log takes one id, and a limit of 1 or more");
    }

    id = (argc > optind) ? argv[optind] : NULL;

    if (path == NULL) {
        path = ctl_settings(ctl)->store;
    }

    if (path == NULL) {
        ctl_fail(CTL_USAGE, "the settings have no `store`");
    }

    store = store_open_read(path, &error);

    if (store == NULL) {
        ctl_fail(CTL_REDIS, "%s", error ? error : "out of memory");
    }

    show.ctl = ctl;
    show.list = json_array();
    show.n = 0;

    if (store_list(store, tenant, id, limit, log_row, &show, &error) != 0) {
        ctl_fail(CTL_REDIS, "%s: %s", path, error ? error : "out of memory");
    }

    store_close(store);

    if (ctl->json) {
        ctl_print_json(show.list);

    } else if (show.n == 0) {
        printf("none\n");
    }

    return (show.n > 0) ? CTL_OK : CTL_NONE;
}


static void
log_row(void *data, const store_row_t *row)
{
    json_t  *object;
    show_t  *show = data;

    show->n++;

    if (!show->ctl->json) {
        log_text(row);
        return;
    }

    object = json_object();
    log_set(object, "message_id", row->message_id);
    log_set(object, "tenant", row->tenant);
    log_set(object, "channel", row->channel);
    log_set(object, "sender", row->sender);
    log_set(object, "recipient", row->recipient);
    log_set(object, "provider_id", row->provider_id);
    log_set(object, "status", row->status);
    log_set(object, "error", row->error);
    log_set(object, "campaign", row->campaign);
    json_object_set_new(object, "code", json_integer(row->code));
    json_object_set_new(object, "attempts", json_integer(row->attempts));
    json_object_set_new(object, "created", json_integer(row->created));
    json_object_set_new(object, "updated", json_integer(row->updated));
    json_array_append_new(show->list, object);
}


static void
log_text(const store_row_t *row)
{
    size_t       i;
    const char  *texts[5];

    texts[0] = row->message_id;
    texts[1] = row->status;
    texts[2] = row->recipient;
    texts[3] = row->provider_id;
    texts[4] = row->error;

    printf("%s  ", ctl_time(row->updated));

    for (i = 0; i < 5; i++) {
        if (texts[i] != NULL) {
            ctl_print(texts[i], strlen(texts[i]), false);

        } else if (i < 4) {
            putchar('-');
        }

        if (i < 3) {
            printf("  ");

        } else if (i == 3) {
            printf("  %d attempt%s  ", row->attempts,
                   row->attempts == 1 ? "" : "s");
        }
    }

    putchar('\n');
}


static void
log_set(json_t *object, const char *name, const char *text)
{
    json_object_set_new(object, name, text ? ctl_string(text, strlen(text))
                                           : json_null());
}
