/*
 * sluicectl: options and the table of commands.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/ctl.h"


/* options that have no letter */
enum {
    CTL_TLS_CA = 256,
    CTL_TLS_CERT,
    CTL_TLS_KEY,
    CTL_TLS_NAME,
    CTL_TLS_NO_VERIFY
};


static const ctl_command_t  commands[] = {
    { "queues", "[--limit N]", ctl_queues_help, ctl_queues, false },
    { "job", "QUEUE ID", ctl_job_help, ctl_job, false },
    { "jobs", "QUEUE [--state S] [--limit N] [--offset N] [--oldest]",
      ctl_jobs_help, ctl_jobs, false },
    { "add", "QUEUE NAME [--data JSON] [OPTIONS]", ctl_add_help, ctl_add,
      false },
    { "schedulers", "list QUEUE [--limit N] [--offset N]\n"
                    "schedulers set QUEUE ID --every TIME | --pattern CRON"
                    " [OPTIONS]\n"
                    "schedulers remove QUEUE ID... | --all",
      ctl_schedulers_help, ctl_schedulers, false },
    { "explain", "QUEUE ID", ctl_explain_help, ctl_explain, false },
    { "tail", "QUEUE... | --all", ctl_tail_help, ctl_tail, false },
    { "obliterate", "QUEUE --yes [--force]", ctl_obliterate_help,
      ctl_obliterate, false },
    { "pause", "QUEUE", ctl_pause_help, ctl_pause, false },
    { "resume", "QUEUE", ctl_resume_help, ctl_resume, false },
    { "promote", "QUEUE ID... | --all", ctl_promote_help, ctl_promote, false },
    { "retry", "QUEUE ID... | --all [--completed]", ctl_retry_help, ctl_retry,
      false },
    { "remove", "QUEUE ID... [--children]", ctl_remove_help, ctl_remove,
      false },
    { "drain", "QUEUE [--delayed]", ctl_drain_help, ctl_drain, false },
    { "clean", "QUEUE STATE [--older AGE] [--limit N]", ctl_clean_help,
      ctl_clean, false },
    { "dlq", "list QUEUE [FILTER] [--limit N] [--offset N]\n"
             "dlq errors QUEUE [--last N]\n"
             "dlq requeue QUEUE ID... | --all [FILTER]\n"
             "dlq purge QUEUE ID... | --all [FILTER]", ctl_dlq_help, ctl_dlq,
      false },
    { "log", "[ID] [--tenant T] [--limit N] [--store FILE]", ctl_log_help,
      ctl_log, false },
    { "spool", "list DIR\n"
               "spool show FILE [--data] [--limit N] [--offset N]\n"
               "spool restore FILE", ctl_spool_help, ctl_spool, true },
    { "tenants", "list | get ID | export [--open]\n"
                 "tenants set ID [OPTIONS] | import [FILE] | remove ID...",
      ctl_tenants_help, ctl_tenants, false },
    { "sign", "SCHEME NAME=VALUE... [--curl URL]", ctl_sign_help, ctl_sign,
      true },
    { "verify", "SCHEME NAME=VALUE...", ctl_verify_help, ctl_verify, true }
};

#define NCOMMANDS  (sizeof(commands) / sizeof(commands[0]))


static void ctl_usage(FILE *out);
static void ctl_help(const ctl_command_t *command);
static const ctl_command_t *ctl_command(const char *name);
static bool ctl_asks_help(int argc, char **argv);
static int ctl_json(ctl_t *ctl, int argc, char **argv);


int
main(int argc, char **argv)
{
    int                   c, rc;
    ctl_t                 ctl;
    const ctl_command_t  *command;

    static const struct option  options[] = {
        { "conf", required_argument, NULL, 'c' },
        { "redis", required_argument, NULL, 'r' },
        { "json", no_argument, NULL, 'j' },
        { "tls-ca", required_argument, NULL, CTL_TLS_CA },
        { "tls-cert", required_argument, NULL, CTL_TLS_CERT },
        { "tls-key", required_argument, NULL, CTL_TLS_KEY },
        { "tls-name", required_argument, NULL, CTL_TLS_NAME },
        { "tls-no-verify", no_argument, NULL, CTL_TLS_NO_VERIFY },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 }
    };

    memset(&ctl, 0, sizeof(ctl_t));

    /* "+": what follows the command is the command's */

    while ((c = getopt_long(argc, argv, "+c:r:jh", options, NULL)) != -1) {
        switch (c) {

        case 'c':
            ctl.conf = optarg;
            break;

        case 'r':
            ctl.url = optarg;
            break;

        case 'j':
            ctl.json = true;
            break;

        case CTL_TLS_CA:
            ctl.tls_conf.ca = optarg;
            break;

        case CTL_TLS_CERT:
            ctl.tls_conf.cert = optarg;
            break;

        case CTL_TLS_KEY:
            ctl.tls_conf.key = optarg;
            break;

        case CTL_TLS_NAME:
            ctl.tls_conf.name = optarg;
            break;

        case CTL_TLS_NO_VERIFY:
            ctl.tls_conf.unverified = true;
            break;

        case 'h':
            ctl_usage(stdout);
            return CTL_OK;

        default:
            ctl_usage(stderr);
            return CTL_USAGE;
        }
    }

    if (optind == argc) {
        ctl_usage(stderr);
        return CTL_USAGE;
    }

    command = ctl_command(argv[optind]);

    if (command == NULL) {
        ctl_fail(CTL_USAGE, "there is no command \"%s\"; see sluicectl --help",
                 argv[optind]);
    }

    argc -= optind;
    argv += optind;
    optind = 0;

    if (ctl_asks_help(argc, argv)) {
        ctl_help(command);
        return CTL_OK;
    }

    argc = ctl_json(&ctl, argc, argv);

    if (!command->alone && ctl.conf == NULL && ctl.url == NULL) {
        ctl_fail(CTL_USAGE, "give -c sluiced.conf or -r URL");
    }

    if (ctl.conf != NULL) {
        (void) ctl_settings(&ctl);
    }

    rc = command->run(&ctl, argc, argv);

    if (fflush(stdout) != 0) {
        ctl_fail(CTL_REDIS, "standard output: %s", strerror(errno));
    }

    return rc;
}


static void
ctl_usage(FILE *out)
{
    size_t  i;

    fprintf(out, "usage: sluicectl [-c FILE | -r URL] [--json] COMMAND\n\n");

    for (i = 0; i < NCOMMANDS; i++) {
        const char  *line = commands[i].arguments;
        const char  *end;

        fprintf(out, "  %s ", commands[i].name);

        while ((end = strchr(line, '\n')) != NULL) {
            fprintf(out, "%.*s\n  ", (int) (end - line), line);
            line = end + 1;
        }

        fprintf(out, "%s\n", line);
    }

    fprintf(out, "\n"
            "  -c, --conf FILE   the settings of sluiced: where Redis, the"
            " queues\n"
            "                    and the store are\n"
            "  -r, --redis URL   this Redis instead\n"
            "      --json        JSON instead of text\n"
            "      --tls-ca, --tls-cert, --tls-key, --tls-name,"
            " --tls-no-verify\n"
            "                    for -r rediss://..., as redis_tls_... of the"
            " settings\n"
            "  -h, --help        this text; behind a command, more on it\n\n"
            "QUEUE is tenant/queue or prefix:queue.  Exit status: 0 done,"
            " 1 not there or\n"
            "nothing, 2 usage or settings, 3 Redis, the store or the disk.\n");
}


static void
ctl_help(const ctl_command_t *command)
{
    fputs(command->help, stdout);
}


static const ctl_command_t *
ctl_command(const char *name)
{
    size_t  i;

    for (i = 0; i < NCOMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }

    return NULL;
}


/* needs neither settings nor Redis, and no other argument to be right */

static bool
ctl_asks_help(int argc, char **argv)
{
    int  i;

    for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }

    return false;
}


/* "--json" counts behind the command, too: it is taken out of its arguments */

static int
ctl_json(ctl_t *ctl, int argc, char **argv)
{
    int  i, n;

    for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") != 0) {
            continue;
        }

        ctl->json = true;

        for (n = i--; n < argc; n++) {
            argv[n] = argv[n + 1];
        }

        argc--;
    }

    return argc;
}


void
ctl_fail(int code, const char *format, ...)
{
    va_list  args;

    fflush(stdout);
    fputs("sluicectl: ", stderr);

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);

    fputc('\n', stderr);
    exit(code);
}


settings_t *
ctl_settings(ctl_t *ctl)
{
    if (ctl->settings != NULL) {
        return ctl->settings;
    }

    if (ctl->conf == NULL) {
        ctl_fail(CTL_USAGE, "give -c sluiced.conf");
    }

    ctl->settings = settings_load(ctl->conf, stderr);

    if (ctl->settings == NULL) {
        ctl_fail(CTL_USAGE, "the settings are not right; -r URL goes without");
    }

    return ctl->settings;
}


int64_t
ctl_number(const char *name, const char *text, int64_t max)
{
    char     *end;
    int64_t   n;

    errno = 0;
    n = strtoll(text, &end, 10);

    if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || n > max) {
        ctl_fail(CTL_USAGE, "%s must be a number up to %lld", name,
                 (long long) max);
    }

    return n;
}


int
ctl_option(int argc, char **argv, const struct option *options)
{
    int  c;

    c = getopt_long(argc, argv, "", options, NULL);

    if (c == '?') {
        ctl_fail(CTL_USAGE, "see sluicectl %s --help", argv[0]);
    }

    return c;
}
