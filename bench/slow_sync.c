/*
 * For LD_PRELOAD: a disk that needs 2 ms more for each sync, as network disks
 * do.
 */

#define _GNU_SOURCE
#include <sys/syscall.h>
#include <unistd.h>


int
fdatasync(int fd)
{
    usleep(2000);

    return (int) syscall(SYS_fdatasync, fd);
}
