#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "worker/hook_command.h"
#include "worker/link.h"


#define COMMAND_ENV  8


struct command_s {
    pid_t              pid;
    struct event      *child;      /* SIGCHLD: of any child */
    struct event      *timer;
    bool               killed;
    command_ended_pt   ended;
    void              *data;
};


static void
command_free(command_t *command)
{
    if (command->child) {
        event_free(command->child);
    }

    if (command->timer) {
        event_free(command->timer);
    }

    free(command);
}


static void
command_on_child(evutil_socket_t fd, short what, void *data)
{
    int               status = 0;
    void             *ended_data;
    bool              killed;
    command_t        *command = data;
    command_ended_pt  ended;

    if (waitpid(command->pid, &status, WNOHANG) == 0) {
        return;
    }

    ended = command->ended;
    ended_data = command->data;
    killed = command->killed;

    command_free(command);
    ended(ended_data, killed ? -1 : status);
}


/* with what it has started */

static void
command_on_timer(evutil_socket_t fd, short what, void *data)
{
    command_t  *command = data;

    command->killed = true;
    (void) kill(-command->pid, SIGKILL);
}


static int
command_spawn(command_t *command, const char *path, const char *const *env,
    int in)
{
    int                          rc;
    char                        *argv[2];
    size_t                       i;
    sigset_t                     none, all;
    const char                  *envp[COMMAND_ENV + 2];
    posix_spawnattr_t            attr;
    posix_spawn_file_actions_t   files;

    argv[0] = (char *) path;
    argv[1] = NULL;
    envp[0] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:"
              "/bin";

    for (i = 0; env[i] && i < COMMAND_ENV; i++) {
        envp[i + 1] = env[i];
    }

    envp[i + 1] = NULL;
    sigemptyset(&none);
    sigfillset(&all);

    if (posix_spawnattr_init(&attr) != 0) {
        return ENOMEM;
    }

    if (posix_spawn_file_actions_init(&files) != 0) {
        posix_spawnattr_destroy(&attr);
        return ENOMEM;
    }

    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP
                             | POSIX_SPAWN_SETSIGDEF
                             | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setsigmask(&attr, &none);

    rc = posix_spawn_file_actions_adddup2(&files, in, 0);
    rc |= posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY,
                                           0);
    rc |= posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY,
                                           0);
    rc |= posix_spawn_file_actions_addclosefrom_np(&files, 3);

    rc = rc ? ENOMEM : posix_spawn(&command->pid, path, &files, &attr, argv,
                                   (char *const *) envp);

    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);

    return rc;
}


command_t *
command_start(struct event_base *base, const char *path,
    const char *const *env, const char *text, int64_t timeout,
    command_ended_pt ended, void *data)
{
    int         rc, pipes[2];
    command_t  *command;

    command = calloc(1, sizeof(command_t));

    if (command == NULL) {
        return NULL;
    }

    command->ended = ended;
    command->data = data;
    command->timer = evtimer_new(base, command_on_timer, command);
    command->child = evsignal_new(base, SIGCHLD, command_on_child, command);

    if (command->timer == NULL || command->child == NULL
        || event_add(command->child, NULL) != 0)
    {
        command_free(command);
        errno = ENOMEM;
        return NULL;
    }

    if (pipe2(pipes, O_CLOEXEC) != 0) {
        rc = errno;
        command_free(command);
        errno = rc;
        return NULL;
    }

    rc = command_spawn(command, path, env, pipes[0]);
    close(pipes[0]);

    if (rc != 0) {
        close(pipes[1]);
        command_free(command);
        errno = rc;
        return NULL;
    }

    /* a new pipe has room for it: this does not wait, nor cut it */

    (void) fcntl(pipes[1], F_SETFL, O_NONBLOCK);

    if (write(pipes[1], text, strlen(text)) < 0) {
        log_event(LOG_DEBUG_, "hook_command", "error", "%s", strerror(errno),
                  NULL);
    }

    close(pipes[1]);
    clock_arm(command->timer, timeout);

    return command;
}


void
command_leave(command_t *command)
{
    command_free(command);
}
