/*
 * `spool`: what waits on the disk for Redis, and what was set aside.
 */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include "worker/ctl_spool.h"


#define CTL_LIMIT  20

/* of a job's arguments, as lua/add.lua lists them */
#define CTL_SPOOL_ID    0
#define CTL_SPOOL_NAME  1
#define CTL_SPOOL_DATA  2


const char  ctl_spool_help[] =
    "usage: sluicectl [--json] spool list DIR\n"
    "       sluicectl [--json] spool show FILE [--data] [--limit N]"
    " [--offset N]\n"
    "       sluicectl [--json] spool restore FILE\n\n"
    "list     the files in the directory of sluice_spool\n\n"
    "show     the jobs of a file, .spool or .bad, and where it is damaged\n\n"
    "  --data       their data too: they are people's messages\n"
    "  --limit N    so many at most, 20; up to 1000\n"
    "  --offset N   without the first N\n\n"
    "restore  gives the good records of a .bad to the edge once more, as a\n"
    "         new file beside it; the .bad is renamed to .restored\n";


typedef struct {
    size_t  records;
    size_t  jobs;
    size_t  damaged;     /* bytes */
} ctl_spool_sum_t;


static int ctl_spool_list(ctl_t *ctl, int argc, char **argv);
static int ctl_spool_order(const struct dirent **one,
    const struct dirent **two);
static void ctl_spool_sum(ctl_spool_t *spool, ctl_spool_sum_t *sum);
static void ctl_spool_line(ctl_t *ctl, ctl_spool_t *spool, json_t *list);
static int ctl_spool_show(ctl_t *ctl, int argc, char **argv);
static void ctl_spool_jobs(ctl_t *ctl, const ctl_spool_t *spool, bool data,
    int64_t from, int64_t upto, int64_t *n, json_t *list);
static int ctl_spool_back(ctl_t *ctl, int argc, char **argv);


int
ctl_spool(ctl_t *ctl, int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "list") == 0) {
        return ctl_spool_list(ctl, argc - 1, argv + 1);
    }

    if (argc > 1 && strcmp(argv[1], "show") == 0) {
        return ctl_spool_show(ctl, argc - 1, argv + 1);
    }

    if (argc > 1 && strcmp(argv[1], "restore") == 0) {
        return ctl_spool_back(ctl, argc - 1, argv + 1);
    }

    ctl_fail(CTL_USAGE, "spool list, show or restore; see sluicectl spool "
             "--help");
}


static int
ctl_spool_list(ctl_t *ctl, int argc, char **argv)
{
    int              i, n, shown;
    char            *path;
    json_t          *list;
    ctl_spool_t      spool;
    struct dirent  **entries;

    static const struct option  options[] = {
        { NULL, 0, NULL, 0 }
    };

    (void) ctl_option(argc, argv, options);

    if (argc - optind != 1) {
        ctl_fail(CTL_USAGE, "spool list takes a directory");
    }

    n = scandir(argv[optind], &entries, NULL, ctl_spool_order);

    if (n == -1) {
        ctl_fail(errno == ENOENT ? CTL_NONE : CTL_REDIS, "%s: %s",
                 argv[optind], strerror(errno));
    }

    list = json_array();
    shown = 0;

    for (i = 0; i < n; i++) {

        if (!ctl_spool_name(&spool, entries[i]->d_name)) {
            continue;
        }

        if (asprintf(&path, "%s/%s", argv[optind], entries[i]->d_name) == -1) {
            ctl_fail(CTL_REDIS, "out of memory");
        }

        /* the edge may be done with it by now */

        if (ctl_spool_open(&spool, path)) {
            ctl_spool_line(ctl, &spool, list);
            ctl_spool_close(&spool);
            shown++;
        }

        free(path);
    }

    if (ctl->json) {
        ctl_print_json(list);

    } else if (shown == 0) {
        printf("none\n");
    }

    return (shown > 0) ? CTL_OK : CTL_NONE;
}


/* By when they were begun: a name begins with the server's */

static int
ctl_spool_order(const struct dirent **one, const struct dirent **two)
{
    int          rc;
    ctl_spool_t  a, b;

    (void) ctl_spool_name(&a, (*one)->d_name);
    (void) ctl_spool_name(&b, (*two)->d_name);

    rc = strcmp(a.name, b.name);

    return (rc != 0) ? rc : strcmp((*one)->d_name, (*two)->d_name);
}


static void
ctl_spool_sum(ctl_spool_t *spool, ctl_spool_sum_t *sum)
{
    int  rc;

    memset(sum, 0, sizeof(ctl_spool_sum_t));
    ctl_spool_rewind(spool);

    while ((rc = ctl_spool_next(spool)) != -1) {

        if (rc == 0) {
            sum->damaged += spool->size;
            continue;
        }

        sum->records++;
        sum->jobs += spool->record.njobs;
    }
}


static int64_t
ctl_spool_begun(const ctl_spool_t *spool)
{
    char  time[13];

    memcpy(time, spool->name, 12);
    time[12] = '\0';

    return (int64_t) strtoull(time, NULL, 16);
}


static void
ctl_spool_line(ctl_t *ctl, ctl_spool_t *spool, json_t *list)
{
    bool              full;
    int64_t           begun;
    ctl_spool_sum_t   sum;

    begun = ctl_spool_begun(spool);
    full = spool->server[spool->server_len] != '\0';
    ctl_spool_sum(spool, &sum);

    if (ctl->json) {
        json_array_append_new(list, json_pack(
            "{s:s, s:s%, s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I}",
            "file", spool->file, "server", spool->server, spool->server_len,
            "kind", spool->bad ? "bad" : "spool", "queue_full", (int) full,
            "held", (int) spool->held,
            "begun", (json_int_t) begun, "bytes", (json_int_t) spool->len,
            "records", (json_int_t) sum.records,
            "jobs", (json_int_t) sum.jobs,
            "damaged", (json_int_t) sum.damaged));
        return;
    }

    printf("%s  begun %s  %zu jobs  %zu bytes", spool->file, ctl_time(begun),
           sum.jobs, spool->len);

    if (sum.damaged != 0) {
        printf("  %zu damaged", sum.damaged);
    }

    printf("%s%s\n", full ? "  its queue was full" : "",
           spool->bad ? "  set aside" : spool->held ? "" : "  nobody has it");
}


static int
ctl_spool_show(ctl_t *ctl, int argc, char **argv)
{
    int          c, rc;
    bool         data;
    json_t      *list, *damaged;
    int64_t      limit, offset, n;
    ctl_spool_t  spool;

    static const struct option  options[] = {
        { "data", no_argument, NULL, 'd' },
        { "limit", required_argument, NULL, 'l' },
        { "offset", required_argument, NULL, 'o' },
        { NULL, 0, NULL, 0 }
    };

    data = false;
    limit = CTL_LIMIT;
    offset = 0;

    while ((c = ctl_option(argc, argv, options)) != -1) {
        if (c == 'd') {
            data = true;

        } else if (c == 'l') {
            limit = ctl_number("--limit", optarg, CTL_PAGE_MAX);

        } else {
            offset = ctl_number("--offset", optarg, 1000000000);
        }
    }

    if (argc - optind != 1 || limit == 0) {
        ctl_fail(CTL_USAGE, "spool show takes a file, and a limit of 1 or "
                 "more");
    }

    if (!ctl_spool_open(&spool, argv[optind])) {
        ctl_fail(CTL_NONE, "%s: there is no such file", argv[optind]);
    }

    list = json_array();
    damaged = json_array();
    n = 0;

    while ((rc = ctl_spool_next(&spool)) != -1) {

        if (rc == 1) {
            ctl_spool_jobs(ctl, &spool, data, offset, offset + limit, &n,
                           list);

        } else if (ctl->json) {
            json_array_append_new(damaged,
                json_pack("{s:I, s:I}", "at", (json_int_t) spool.at,
                          "bytes", (json_int_t) spool.size));

        } else {
            printf("damaged  %zu bytes at %zu\n", spool.size, spool.at);
        }
    }

    if (ctl->json) {
        ctl_print_json(json_pack("{s:I, s:I, s:o, s:o}", "total",
                                 (json_int_t) n, "offset",
                                 (json_int_t) offset, "jobs", list,
                                 "damaged", damaged));

    } else {
        printf("%lld jobs%s\n", (long long) n,
               spool.headless ? ", the beginning of the file is damaged: its"
                                " records cannot be told" : "");
    }

    return (n > 0) ? CTL_OK : CTL_NONE;
}


/* Those of a record that are to be shown; *n of the file were before. */

static void
ctl_spool_jobs(ctl_t *ctl, const ctl_spool_t *spool, bool data, int64_t from,
    int64_t upto, int64_t *n, json_t *list)
{
    size_t                        i, j, len;
    json_t                       *job;
    const uint8_t                *at, *arg;
    sluice_text_t                 args[SLUICE_SPOOL_ARGS];
    const sluice_spool_record_t  *record;

    record = &spool->record;
    at = record->args;
    memset(args, 0, sizeof(args));

    for (i = 0; i < record->njobs; i++, (*n)++) {

        for (j = 0; j < record->nargs; j++) {
            sluice_spool_arg_next(&at, &arg, &len);
            args[j].data = (const char *) arg;
            args[j].len = len;
        }

        if (*n < from || *n >= upto) {
            continue;
        }

        if (ctl->json) {
            job = json_pack("{s:I, s:I, s:o, s:o, s:o, s:I}",
                "record", (json_int_t) record->number,
                "spooled", (json_int_t) record->time,
                "queue", ctl_string(record->base, record->base_len - 1),
                "id", ctl_string(args[CTL_SPOOL_ID].data,
                                 args[CTL_SPOOL_ID].len),
                "name", ctl_string(args[CTL_SPOOL_NAME].data,
                                   args[CTL_SPOOL_NAME].len),
                "bytes", (json_int_t) args[CTL_SPOOL_DATA].len);

            if (data) {
                json_object_set_new(job, "data",
                                    ctl_value(args[CTL_SPOOL_DATA].data,
                                              args[CTL_SPOOL_DATA].len));
            }

            json_array_append_new(list, job);
            continue;
        }

        printf("%s  ", ctl_time(record->time));
        ctl_print(record->base, record->base_len - 1, false);
        printf("  ");
        ctl_print(args[CTL_SPOOL_ID].data, args[CTL_SPOOL_ID].len, false);
        printf("  ");
        ctl_print(args[CTL_SPOOL_NAME].data, args[CTL_SPOOL_NAME].len, false);
        printf("  %zu bytes\n", args[CTL_SPOOL_DATA].len);

        if (data) {
            printf("    ");
            ctl_print(args[CTL_SPOOL_DATA].data, args[CTL_SPOOL_DATA].len,
                      false);
            putchar('\n');
        }
    }
}


static int
ctl_spool_back(ctl_t *ctl, int argc, char **argv)
{
    char             *busy;
    const char       *path;
    ctl_spool_t       spool;
    struct timeval    tv;
    ctl_spool_sum_t   sum;

    static const struct option  options[] = {
        { NULL, 0, NULL, 0 }
    };

    (void) ctl_option(argc, argv, options);

    if (argc - optind != 1) {
        ctl_fail(CTL_USAGE, "spool restore takes a file");
    }

    if (ctl_spool_name(&spool, argv[optind]) && !spool.bad) {
        ctl_fail(CTL_USAGE, "%s: the edge replays it by itself; what it sets "
                 "aside is in a .bad", argv[optind]);
    }

    /* more may be set aside yet: before it is read, or that would be missed */

    if (asprintf(&busy, "%.*s.spool", (int) strlen(argv[optind])
                 - (spool.bad ? 4 : 0), argv[optind]) == -1)
    {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    if (access(busy, F_OK) == 0) {
        ctl_fail(CTL_NONE, "%s is being replayed: wait for its end", busy);
    }

    if (!ctl_spool_open(&spool, argv[optind])) {
        ctl_fail(CTL_NONE, "%s: there is no such file", argv[optind]);
    }

    ctl_spool_sum(&spool, &sum);

    if (sum.records == 0) {
        ctl_fail(CTL_NONE, "%s: no record is good", argv[optind]);
    }

    (void) gettimeofday(&tv, NULL);

    path = ctl_spool_restore(&spool, (int64_t) tv.tv_sec * 1000
                                     + tv.tv_usec / 1000);

    if (ctl->json) {
        ctl_print_json(json_pack("{s:s, s:I, s:I, s:I}", "file", path,
                                 "records", (json_int_t) sum.records,
                                 "jobs", (json_int_t) sum.jobs,
                                 "damaged", (json_int_t) sum.damaged));

    } else {
        printf("%zu jobs to %s", sum.jobs, path);

        if (sum.damaged != 0) {
            printf("; %zu damaged bytes stay behind", sum.damaged);
        }

        putchar('\n');
    }

    return CTL_OK;
}
