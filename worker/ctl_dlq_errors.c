/*
 * `dlq errors`: what the failed jobs have in common.  No index is kept of them:
 * others add to the set and remove from it too.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/fingerprint.h"
#include "worker/ctl.h"


#define CTL_PAGE   200
#define CTL_LAST   10000
#define CTL_SHOWN  100    /* kinds of error */


typedef struct {
    char          text[SLUICE_FINGERPRINT_MAX];
    const char   *id;       /* of the newest, in its page's reply */
    int64_t       finished;
    int64_t       n;
    size_t        place;    /* the newest first */
} dlq_error_t;


static void errors_page(ctl_t *ctl, const ctl_queue_t *queue,
    const redisReply *ids, dlq_error_t *list);
static size_t errors_merge(dlq_error_t *list, size_t n);
static int errors_by_text(const void *a, const void *b);
static int errors_by_number(const void *a, const void *b);
static void errors_show(const ctl_t *ctl, const dlq_error_t *list, size_t n,
    int64_t looked, int64_t total);


int
ctl_dlq_errors(ctl_t *ctl, int argc, char **argv)
{
    size_t        i, n, kinds;
    int64_t       last, total;
    redisReply   *reply;
    dlq_error_t  *list;
    ctl_queue_t   queue;

    static const struct option  options[] = {
        { "last", required_argument, NULL, 'l' },
        { NULL, 0, NULL, 0 }
    };

    last = CTL_LAST;

    while (ctl_option(argc, argv, options) != -1) {
        last = ctl_number("--last", optarg, 1000000);
    }

    if (argc - optind != 1 || last == 0) {
        ctl_fail(CTL_USAGE, "dlq errors takes a queue, and at least the last"
                 " one");
    }

    ctl_queue(ctl, &queue, argv[optind]);
    ctl_ask(ctl, "ZCARD %sfailed", queue.base);
    reply = ctl_reply(ctl, "ZCARD");
    total = reply->integer;
    freeReplyObject(reply);

    last = (total < last) ? total : last;
    list = calloc((size_t) last + 1, sizeof(dlq_error_t));

    if (list == NULL) {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    for (n = 0; n < (size_t) last; n += i) {
        i = (size_t) last - n;
        i = (i < CTL_PAGE) ? i : CTL_PAGE;

        ctl_ask(ctl, "ZREVRANGE %sfailed %lld %lld", queue.base,
                (long long) n, (long long) (n + i) - 1);
        reply = ctl_reply(ctl, "ZREVRANGE");
        i = reply->elements;
        errors_page(ctl, &queue, reply, list + n);

        if (i == 0) {
            break;
        }
    }

    for (i = 0; i < n; i++) {
        list[i].place = i;
    }

    kinds = errors_merge(list, n);
    errors_show(ctl, list, kinds, (int64_t) n, total);

    return (n > 0) ? CTL_OK : CTL_NONE;
}


static void
errors_page(ctl_t *ctl, const ctl_queue_t *queue, const redisReply *ids,
    dlq_error_t *list)
{
    size_t        i;
    redisReply   *reply;
    const char   *error;

    for (i = 0; i < ids->elements; i++) {
        ctl_filter_ask(ctl, queue, ids->element[i]->str,
                       (size_t) ids->element[i]->len);
    }

    for (i = 0; i < ids->elements; i++) {
        reply = ctl_reply(ctl, "HMGET");
        error = reply->element[1]->str;

        if (reply->element[1]->type == REDIS_REPLY_STRING) {
            (void) sluice_fingerprint(list[i].text, error,
                                      (size_t) reply->element[1]->len);
        }

        list[i].n = 1;
        list[i].finished = ctl_integer(reply->element[3], 0);
        list[i].id = ids->element[i]->str;
        freeReplyObject(reply);
    }
}


/* one of each text, the most frequent first */

static size_t
errors_merge(dlq_error_t *list, size_t n)
{
    size_t  i, kinds;

    if (n == 0) {
        return 0;
    }

    qsort(list, n, sizeof(dlq_error_t), errors_by_text);

    for (i = 1, kinds = 1; i < n; i++) {
        if (strcmp(list[kinds - 1].text, list[i].text) == 0) {
            list[kinds - 1].n++;

        } else {
            list[kinds++] = list[i];
        }
    }

    qsort(list, kinds, sizeof(dlq_error_t), errors_by_number);

    return kinds;
}


static int
errors_by_text(const void *a, const void *b)
{
    int                 rc;
    const dlq_error_t  *x = a, *y = b;

    rc = strcmp(x->text, y->text);

    return rc ? rc : (x->place > y->place) - (x->place < y->place);
}


static int
errors_by_number(const void *a, const void *b)
{
    const dlq_error_t  *x = a, *y = b;

    if (x->n != y->n) {
        return (x->n < y->n) ? 1 : -1;
    }

    return (x->place > y->place) - (x->place < y->place);
}


static void
errors_show(const ctl_t *ctl, const dlq_error_t *list, size_t n,
    int64_t looked, int64_t total)
{
    size_t   i;
    json_t  *errors;

    errors = json_array();

    for (i = 0; i < n && i < CTL_SHOWN; i++) {
        if (ctl->json) {
            json_array_append_new(errors,
                json_pack("{s:I, s:o, s:o, s:I}",
                          "jobs", (json_int_t) list[i].n,
                          "error", ctl_string(list[i].text,
                                              strlen(list[i].text)),
                          "newest", ctl_string(list[i].id,
                                               strlen(list[i].id)),
                          "finished", (json_int_t) list[i].finished));
            continue;
        }

        printf("%8lld  %s  ", (long long) list[i].n,
               ctl_time(list[i].finished));
        ctl_print(list[i].id, strlen(list[i].id), false);
        printf("  ");

        if (list[i].text[0] != '\0') {
            ctl_print(list[i].text, strlen(list[i].text), false);

        } else {
            printf("(no error)");
        }

        putchar('\n');
    }

    if (ctl->json) {
        ctl_print_json(json_pack("{s:I, s:I, s:I, s:o}", "total",
                                 (json_int_t) total, "looked",
                                 (json_int_t) looked, "kinds",
                                 (json_int_t) n, "errors", errors));

    } else if (n > 0) {
        printf("%zu kinds in the newest %lld of %lld\n", n,
               (long long) looked, (long long) total);

    } else {
        printf("none\n");
    }
}
