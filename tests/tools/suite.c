/*
 * suite SECONDS LOG COMMAND [ARGUMENT...]
 *
 * Runs one suite of tests: its output goes to LOG, it may take SECONDS, and
 * none of its processes may outlive it.  As a subreaper this process becomes
 * the parent of every orphan below it, daemons too, so that what is left over
 * is known by number and not guessed by name.  What is wrong is added to LOG as
 * a failed test.  Exits as the command does; 124 when it took too long.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>


#define GRACE    5000    /* ms for what is about to end by itself */
#define PIDS     4096

static volatile sig_atomic_t  stopped;


static void
on_signal(int sig)
{
    stopped = sig;
}


static long long
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (long long) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


static void
rest(void)
{
    struct timespec  ts = { 0, 20000000 };

    nanosleep(&ts, NULL);
}


/* the parent of a process and whether it still runs; 0 when it is gone */

static pid_t
parent_of(pid_t pid, int *zombie)
{
    int    ppid;
    char   path[64], line[512], state, *p;
    FILE  *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);
    f = fopen(path, "r");

    if (f == NULL) {
        return 0;
    }

    p = fgets(line, sizeof(line), f);
    fclose(f);

    /* the name is in brackets and may hold brackets */

    p = p ? strrchr(line, ')') : NULL;

    if (p == NULL || sscanf(p + 1, " %c %d", &state, &ppid) != 2) {
        return 0;
    }

    *zombie = state == 'Z';

    return ppid;
}


static int
is_below(pid_t pid, pid_t top)
{
    int    zombie, depth;
    pid_t  at;

    at = pid;

    for (depth = 0; depth < 64 && at > 1; depth++) {
        at = parent_of(at, &zombie);

        if (at == top) {
            return 1;
        }
    }

    return 0;
}


static size_t
descendants(pid_t *pids)
{
    int             zombie;
    DIR            *dir;
    pid_t           pid;
    size_t          n;
    struct dirent  *entry;

    n = 0;
    dir = opendir("/proc");

    if (dir == NULL) {
        perror("suite: /proc");
        exit(125);
    }

    while ((entry = readdir(dir)) && n < PIDS) {
        pid = atoi(entry->d_name);

        if (pid > 1 && parent_of(pid, &zombie) && !zombie
            && is_below(pid, getpid()))
        {
            pids[n++] = pid;
        }
    }

    closedir(dir);

    return n;
}


static void
reap(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0) {
        /* void */
    }
}


static void
command_line(char *dst, size_t size, pid_t pid)
{
    char    path[64];
    FILE   *f;
    size_t  i, n;

    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int) pid);
    f = fopen(path, "r");
    n = f ? fread(dst, 1, size - 1, f) : 0;

    if (f) {
        fclose(f);
    }

    while (n > 0 && dst[n - 1] == '\0') {
        n--;
    }

    for (i = 0; i < n; i++) {
        if (dst[i] < ' ') {
            dst[i] = ' ';
        }
    }

    dst[n] = '\0';
}


static int
end_all(FILE *log, const char *why, long long grace)
{
    int        i, found;
    char       line[256];
    pid_t      pids[PIDS];
    size_t     n, j;
    long long  until;

    until = now() + grace;

    while ((n = descendants(pids)) > 0 && now() < until) {
        reap();
        rest();
    }

    found = (int) n;

    for (j = 0; j < n; j++) {
        command_line(line, sizeof(line), pids[j]);
        fprintf(log, "not ok - %s: process %d: %s\n", why, (int) pids[j],
                line);
    }

    /* first as one asks, then as one does not */

    for (i = 0; i < 250 && (n = descendants(pids)) > 0; i++) {

        for (j = 0; j < n; j++) {
            if (i == 0) {
                kill(pids[j], SIGTERM);

            } else if (i >= 100) {
                kill(pids[j], SIGKILL);
            }
        }

        reap();
        rest();
    }

    reap();

    return found;
}


int
main(int argc, char **argv)
{
    int        fd, status, code;
    FILE      *log;
    pid_t      child;
    long long  until;

    if (argc < 4 || atoi(argv[1]) <= 0) {
        fprintf(stderr, "usage: suite SECONDS LOG COMMAND [ARGUMENT...]\n");
        return 125;
    }

    log = fopen(argv[2], "we");

    if (log == NULL) {
        perror(argv[2]);
        return 125;
    }

    fclose(log);
    log = fopen(argv[2], "ae");
    fd = open(argv[2], O_WRONLY|O_APPEND|O_CLOEXEC);

    if (log == NULL || fd < 0
        || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
    {
        perror("suite");
        return 125;
    }

    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);

    child = fork();

    if (child < 0) {
        perror("suite: fork");
        return 125;
    }

    if (child == 0) {
        dup2(fd, 1);
        dup2(fd, 2);
        fd = open("/dev/null", O_RDONLY);
        dup2(fd, 0);
        execvp(argv[3], argv + 3);
        perror(argv[3]);
        _exit(127);
    }

    until = now() + atoi(argv[1]) * 1000LL;
    code = 124;

    while (now() < until && !stopped) {

        if (waitpid(child, &status, WNOHANG) == child) {
            code = WIFEXITED(status) ? WEXITSTATUS(status)
                                     : 128 + WTERMSIG(status);
            break;
        }

        rest();
    }

    if (stopped) {
        end_all(log, "interrupted", 0);
        return 128 + stopped;
    }

    if (code == 124) {
        fprintf(log, "not ok - took longer than %s s\n", argv[1]);
        fflush(log);
        end_all(log, "still running", 0);
        fclose(log);
        return code;
    }

    if (end_all(log, "left over", GRACE) > 0 && code == 0) {
        code = 1;
    }

    fclose(log);

    return code;
}
