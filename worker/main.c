/*
 * sluiced: arguments, signals, start, drain.
 */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "worker/admin/admin.h"
#include "worker/fault.h"
#include "worker/hooks.h"
#include "worker/link.h"
#include "worker/run.h"


#define MAIN_GIVE_BACK  3       /* s that giving jobs back may take */

#ifndef SLUICE_VERSION
#define SLUICE_VERSION  "0.1.0"
#endif


typedef struct {
    struct event_base  *base;
    const char         *file;
    run_t              *run;
    admin_t            *admin;          /* NULL without admin { } */
    struct event       *deadline;
    struct event       *watchdog;
    int64_t             drain;          /* ms */
    bool                stopping;
    bool                hurried;
    bool                paused;         /* by TSTP */
} daemon_t;


static const char  main_usage[] =
    "usage: sluiced -c FILE [-t]\n"
    "\n"
    "  -c FILE     the settings\n"
    "  -t          test the settings and leave\n"
    "  -h, --help  this text\n"
    "  -V          the version\n"
    "\n"
    "signals: TERM finishes what is here, within `drain`, and gives the rest\n"
    "back; a second TERM, or INT, gives back at once; HUP reads the settings\n"
    "anew; USR1 reopens the log; TSTP stops taking jobs, CONT takes again.\n";


/* the protocol of systemd's Type=notify; without it nobody listens */

static void
main_notify(const char *state)
{
    int                 fd;
    size_t              len;
    const char         *path;
    struct sockaddr_un  un;

    path = getenv("NOTIFY_SOCKET");
    memset(&un, 0, sizeof(un));

    if (path == NULL || strlen(path) < 2 || strlen(path) >= sizeof(un.sun_path))
    {
        return;
    }

    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return;
    }

    un.sun_family = AF_UNIX;
    strcpy(un.sun_path, path);

    len = offsetof(struct sockaddr_un, sun_path) + strlen(path);

    if (path[0] == '@') {
        un.sun_path[0] = '\0';
    }

    (void) sendto(fd, state, strlen(state), MSG_NOSIGNAL,
                  (struct sockaddr *) &un, len);
    close(fd);
}


static void
main_on_watchdog(evutil_socket_t fd, short what, void *data)
{
    main_notify("WATCHDOG=1");
}


static void
main_watchdog(daemon_t *daemon)
{
    char            *end;
    long long        usec;
    const char      *text;
    struct timeval   tv;

    text = getenv("WATCHDOG_USEC");

    if (text == NULL) {
        return;
    }

    usec = strtoll(text, &end, 10) / 2;

    if (*end || usec <= 0) {
        return;
    }

    tv.tv_sec = usec / 1000000;
    tv.tv_usec = usec % 1000000;

    daemon->watchdog = event_new(daemon->base, -1, EV_PERSIST,
                                 main_on_watchdog, NULL);

    if (daemon->watchdog) {
        event_add(daemon->watchdog, &tv);
    }
}


static void
main_on_drained(void *data)
{
    daemon_t  *daemon = data;

    fault_point("drained", NULL);
    event_base_loopbreak(daemon->base);
}


static void
main_give_back(daemon_t *daemon)
{
    struct timeval  tv = { MAIN_GIVE_BACK, 0 };

    daemon->hurried = true;
    log_event(LOG_INFO_, "give_back", "jobs", "%zu", run_jobs(daemon->run),
              NULL);

    event_add(daemon->deadline, &tv);
    run_release(daemon->run);
    fault_point("release", NULL);
}


static void
main_on_deadline(evutil_socket_t fd, short what, void *data)
{
    daemon_t  *daemon = data;

    if (!daemon->hurried) {
        main_give_back(daemon);
        return;
    }

    log_event(LOG_WARN_, "left_behind", "jobs", "%zu", run_jobs(daemon->run),
              "reason", "%s", "Redis does not answer: the stalled check of"
              " another worker, or the next start, recovers them", NULL);
    event_base_loopbreak(daemon->base);
}


static void
main_on_stop(evutil_socket_t fd, short what, void *data)
{
    daemon_t        *daemon = data;

    main_notify("STOPPING=1");

    if (daemon->stopping || fd == SIGINT) {
        daemon->stopping = true;

        if (!daemon->hurried) {
            main_give_back(daemon);
        }

        return;
    }

    daemon->stopping = true;
    log_event(LOG_INFO_, "drain", "jobs", "%zu", run_jobs(daemon->run),
              "within_ms", "%lld", (long long) daemon->drain, NULL);

    clock_arm(daemon->deadline, daemon->drain);
    run_drain(daemon->run);
    fault_point("drain", NULL);
}


/* each line of the errors as one event */

static void
main_log_errors(char *errors)
{
    char  *line, *rest;

    for (line = strtok_r(errors, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest))
    {
        log_event(LOG_ERROR_, "settings", "error", "%s", line, NULL);
    }
}


static void
main_on_reload(evutil_socket_t fd, short what, void *data)
{
    char         why[512], *errors;
    FILE        *fp;
    size_t       len;
    daemon_t    *daemon = data;
    settings_t  *settings;

    errors = NULL;
    fp = open_memstream(&errors, &len);

    if (fp == NULL) {
        return;
    }

    main_notify("RELOADING=1");

    settings = settings_load(daemon->file, fp);
    fclose(fp);

    if (settings == NULL) {
        main_log_errors(errors);
        log_event(LOG_ERROR_, "reload_refused", "file", "%s", daemon->file,
                  "reason", "%s", "the settings are wrong; the old ones stay",
                  NULL);

    } else if (run_reload(daemon->run, settings, why, sizeof(why)) != 0) {
        log_event(LOG_ERROR_, "reload_refused", "file", "%s", daemon->file,
                  "reason", "%s", why, NULL);
        settings_free(settings);

    } else {
        daemon->drain = settings->drain;

        if (daemon->admin) {
            admin_settings(daemon->admin, settings);
        }

        hooks_settings(settings);

        log_init(settings->log_file, settings->log_level, settings->log_json);
        log_event(LOG_INFO_, "reloaded", "file", "%s", daemon->file, NULL);
    }

    free(errors);
    main_notify("READY=1");
}


static void
main_on_reopen(evutil_socket_t fd, short what, void *data)
{
    log_reopen();
    log_event(LOG_INFO_, "log_reopened", NULL);
}


static void
main_on_pause(evutil_socket_t fd, short what, void *data)
{
    daemon_t  *daemon = data;

    /* CONT comes from many sides */

    if (daemon->paused != (fd == SIGTSTP)) {
        daemon->paused = (fd == SIGTSTP);
        log_event(LOG_INFO_, daemon->paused ? "paused" : "resumed", NULL);
        run_pause(daemon->run, daemon->paused);
    }
}


static int
main_run(daemon_t *daemon, settings_t *settings)
{
    char           why[512];
    size_t         i;
    struct event  *signals[8];

    static const struct {
        int                 number;
        event_callback_fn   handler;
    } handlers[] = {
        { SIGTERM, main_on_stop },
        { SIGINT, main_on_stop },
        { SIGHUP, main_on_reload },
        { SIGUSR1, main_on_reopen },
        { SIGTSTP, main_on_pause },
        { SIGCONT, main_on_pause }
    };

    daemon->base = event_base_new();

    if (daemon->base == NULL) {
        fprintf(stderr, "sluiced: out of memory\n");
        settings_free(settings);
        return 1;
    }

    daemon->drain = settings->drain;
    daemon->deadline = event_new(daemon->base, -1, 0, main_on_deadline, daemon);

    if (hooks_open(daemon->base, settings) != 0) {
        fprintf(stderr, "sluiced: out of memory\n");
        event_free(daemon->deadline);
        event_base_free(daemon->base);
        settings_free(settings);
        return 1;
    }

    daemon->run = run_open(daemon->base, settings, main_on_drained, daemon,
                           why, sizeof(why));

    if (daemon->run && settings->admin_listen) {
        daemon->admin = admin_open(daemon->base, settings, why, sizeof(why));
    }

    if (daemon->run == NULL || (settings->admin_listen && !daemon->admin)) {
        fprintf(stderr, "sluiced: %s\n", why);
        log_event(LOG_ERROR_, "not_started", "reason", "%s", why, NULL);

        if (daemon->run) {
            run_close(daemon->run);

        } else {
            settings_free(settings);
        }

        hooks_close();
        event_free(daemon->deadline);
        event_base_free(daemon->base);
        return 1;
    }

    for (i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        signals[i] = evsignal_new(daemon->base, handlers[i].number,
                                  handlers[i].handler, daemon);
        event_add(signals[i], NULL);
    }

    signal(SIGPIPE, SIG_IGN);

    log_event(LOG_INFO_, "started", "version", "%s", SLUICE_VERSION,
              "queues", "%zu", settings->nqueues, NULL);

    main_watchdog(daemon);
    main_notify("READY=1");

    event_base_dispatch(daemon->base);

    admin_close(daemon->admin);
    run_close(daemon->run);
    hooks_close();
    log_event(LOG_INFO_, "stopped", NULL);

    while (i) {
        event_free(signals[--i]);
    }

    if (daemon->watchdog) {
        event_free(daemon->watchdog);
    }

    event_free(daemon->deadline);
    event_base_free(daemon->base);
    libevent_global_shutdown();

    return 0;
}


int
main(int argc, char **argv)
{
    int           opt;
    bool          test;
    daemon_t      daemon;
    settings_t   *settings;

    static const struct option  options[] = {
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { NULL, 0, NULL, 0 }
    };

    memset(&daemon, 0, sizeof(daemon_t));
    test = false;

    while ((opt = getopt_long(argc, argv, "c:thV", options, NULL)) != -1) {

        switch (opt) {

        case 'c':
            daemon.file = optarg;
            break;

        case 't':
            test = true;
            break;

        case 'h':
            fputs(main_usage, stdout);
            return 0;

        case 'V':
            puts("sluiced " SLUICE_VERSION);
            return 0;

        default:
            fputs(main_usage, stderr);
            return 2;
        }
    }

    if (daemon.file == NULL || optind != argc) {
        fputs(main_usage, stderr);
        return 2;
    }

    settings = settings_load(daemon.file, stderr);

    if (settings == NULL) {
        return 1;
    }

    if (test) {
        printf("%s: ok\n", daemon.file);
        settings_free(settings);
        return 0;
    }

    log_init(settings->log_file, settings->log_level, settings->log_json);

    return main_run(&daemon, settings);
}
