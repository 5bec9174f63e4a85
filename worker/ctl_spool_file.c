/*
 * Files of the spool: read, and their records written anew.
 */

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "worker/ctl_spool.h"


#define CTL_SPOOL_TIME   12   /* hex digits of a name that are a time */
#define CTL_SPOOL_QUEUE  10   /* of a queue that is full, with the dot */


static void ctl_spool_fill(ctl_spool_t *spool, int fd);
static void ctl_spool_fail(const char *path);
static void ctl_spool_put(int fd, const char *path, const void *data,
    size_t len);
static void ctl_spool_sync_dir(const ctl_spool_t *spool);


bool
ctl_spool_name(ctl_spool_t *spool, const char *path)
{
    size_t       len, tail;
    const char  *file, *queue, *slash;

    memset(spool, 0, sizeof(ctl_spool_t));

    slash = strrchr(path, '/');
    file = (slash != NULL) ? slash + 1 : path;
    len = strlen(file);

    spool->path = path;
    spool->file = file;
    spool->bad = len > 4 && strcmp(file + len - 4, ".bad") == 0;

    if (!spool->bad && (len <= 6 || strcmp(file + len - 6, ".spool") != 0)) {
        return false;
    }

    tail = 1 + SLUICE_SPOOL_NAME + (spool->bad ? 4 : 6);

    if (len <= tail || len - tail >= sizeof(spool->server)
        || file[len - tail] != '.'
        || strspn(file + len - tail + 1, "0123456789abcdef")
           != SLUICE_SPOOL_NAME)
    {
        return false;
    }

    memcpy(spool->server, file, len - tail);
    memcpy(spool->name, file + len - tail + 1, SLUICE_SPOOL_NAME);

    spool->server_len = len - tail;

    /* "default.h1b2c3d4e", and "s" for slots of a cluster */

    if (len - tail > CTL_SPOOL_QUEUE) {
        queue = spool->server + len - tail - CTL_SPOOL_QUEUE;

        if (queue[0] == '.' && strchr("hmls", queue[1]) != NULL
            && strspn(queue + 2, "0123456789abcdef") == CTL_SPOOL_QUEUE - 2)
        {
            spool->server_len -= CTL_SPOOL_QUEUE;
        }
    }

    return true;
}


static void
ctl_spool_fail(const char *path)
{
    ctl_fail(CTL_REDIS, "%s: %s", path, strerror(errno));
}


bool
ctl_spool_open(ctl_spool_t *spool, const char *path)
{
    int  fd;

    if (!ctl_spool_name(spool, path)) {
        ctl_fail(CTL_USAGE, "%s: not named as a file of a spool, "
                 "\"SERVER.<32 hex digits>.spool\" or \".bad\"", path);
    }

    fd = open(path, O_RDONLY|O_CLOEXEC);

    if (fd == -1 && errno == ENOENT) {
        return false;
    }

    if (fd == -1 || fstat(fd, &spool->st) == -1) {
        ctl_spool_fail(path);
    }

    /* the edge tries again when it meets this lock */

    spool->held = !spool->bad && flock(fd, LOCK_SH|LOCK_NB) == -1;

    ctl_spool_fill(spool, fd);
    (void) close(fd);

    spool->headless = !sluice_spool_header_read(&spool->segment, spool->data,
                                                spool->len);
    ctl_spool_rewind(spool);

    return true;
}


static void
ctl_spool_fill(ctl_spool_t *spool, int fd)
{
    ssize_t  n;
    size_t   size;

    size = (size_t) spool->st.st_size;
    spool->data = malloc(size + 1);

    if (spool->data == NULL) {
        ctl_fail(CTL_REDIS, "%s: %zu bytes do not fit into memory",
                 spool->path, size);
    }

    while (spool->len < size) {
        n = read(fd, spool->data + spool->len, size - spool->len);

        if (n == -1) {
            ctl_spool_fail(spool->path);
        }

        if (n == 0) {
            break;
        }

        spool->len += (size_t) n;
    }
}


void
ctl_spool_close(ctl_spool_t *spool)
{
    free(spool->data);
    spool->data = NULL;
}


void
ctl_spool_rewind(ctl_spool_t *spool)
{
    spool->at = 0;
    spool->size = spool->headless ? 0 : SLUICE_SPOOL_HEADER;
    spool->last = 0;
}


int
ctl_spool_next(ctl_spool_t *spool)
{
    spool->at += spool->size;
    spool->size = spool->len - spool->at;

    if (spool->headless) {
        return (spool->size != 0) ? 0 : -1;
    }

    switch (sluice_spool_read(&spool->segment, spool->last,
                              spool->data + spool->at, spool->size, 1,
                              &spool->record, &spool->size))
    {
    case SLUICE_SPOOL_GOOD:
        spool->last = spool->record.number;
        return 1;

    case SLUICE_SPOOL_END:
        spool->size = 0;
        return -1;

    default:
        return 0;
    }
}


/*
 * The name is made of what is restored: a restore that was interrupted and is
 * done again makes the same file, and Redis runs what is in it once.
 */

static void
ctl_spool_to(ctl_spool_t *spool, sluice_spool_segment_t *to)
{
    int          i, rc;
    uint8_t      digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX  *ctx;

    ctx = EVP_MD_CTX_new();

    if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1
        || RAND_bytes((uint8_t *) &to->salt, sizeof(to->salt)) != 1)
    {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    ctl_spool_rewind(spool);

    while ((rc = ctl_spool_next(spool)) != -1) {
        if (rc == 1) {
            (void) EVP_DigestUpdate(ctx, spool->data + spool->at, spool->size);
        }
    }

    (void) EVP_DigestFinal_ex(ctx, digest, NULL);
    EVP_MD_CTX_free(ctx);

    memcpy(to->name, spool->name, CTL_SPOOL_TIME);

    for (i = CTL_SPOOL_TIME; i < SLUICE_SPOOL_NAME; i++) {
        to->name[i] = "0123456789abcdef"[digest[i / 2] >> (i % 2 ? 0 : 4) & 15];
    }
}


/* Its time is now, or the edge would find it too old again; its size. */

static size_t
ctl_spool_copy(const sluice_spool_record_t *record, int64_t now, uint8_t *dst)
{
    size_t                  i, len;
    const uint8_t          *at, *data;
    sluice_spool_record_t   copy;
    sluice_spool_writer_t   writer;

    copy = *record;
    copy.time = now;

    sluice_spool_begin(&writer, dst, &copy);

    at = record->args;

    for (i = 0; i < (size_t) record->njobs * record->nargs; i++) {
        sluice_spool_arg_next(&at, &data, &len);
        sluice_spool_arg(&writer, len);
        sluice_spool_piece(&writer, data, len);
    }

    return sluice_spool_end(&writer);
}


/* The edge finds the file under its name when it is whole. */

static void
ctl_spool_write(ctl_spool_t *spool, const sluice_spool_segment_t *to,
    int64_t now, const char *path)
{
    int        fd, rc;
    char      *temporary;
    size_t     len;
    uint8_t   *p;
    uint64_t   number;

    p = malloc(spool->len + SLUICE_SPOOL_HEADER);

    if (p == NULL || asprintf(&temporary, "%s.XXXXXX", path) == -1) {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    /* a name of its own: neither what somebody has put there, nor a file that
       another sluicectl is writing */

    fd = mkostemp(temporary, O_CLOEXEC);

    if (fd == -1 || fchown(fd, spool->st.st_uid, spool->st.st_gid) == -1) {
        ctl_spool_fail(temporary);
    }

    sluice_spool_header(p, to);
    ctl_spool_put(fd, temporary, p, SLUICE_SPOOL_HEADER);
    ctl_spool_rewind(spool);

    for (number = 0; (rc = ctl_spool_next(spool)) != -1; ) {
        if (rc == 1) {
            len = ctl_spool_copy(&spool->record, now, p);
            number = sluice_spool_seal(to, number, p, len);
            ctl_spool_put(fd, temporary, p, len);
        }
    }

    if (fsync(fd) == -1 || close(fd) == -1 || rename(temporary, path) == -1) {
        ctl_spool_fail(temporary);
    }

    free(temporary);
    free(p);
}


const char *
ctl_spool_restore(ctl_spool_t *spool, int64_t now)
{
    int                      len;
    char                    *path, *old;
    sluice_spool_segment_t   to;

    ctl_spool_to(spool, &to);

    len = (int) (spool->file - spool->path);

    if (asprintf(&path, "%.*s%s.%.*s.spool", len, spool->path, spool->server,
                 SLUICE_SPOOL_NAME, to.name) == -1
        || asprintf(&old, "%.*s%s.%s.restored", len, spool->path,
                    spool->server, spool->name) == -1)
    {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    /* else a restore before was interrupted here */

    if (access(path, F_OK) == -1) {
        ctl_spool_write(spool, &to, now, path);
        ctl_spool_sync_dir(spool);
    }

    if (rename(spool->path, old) == -1) {
        ctl_spool_fail(spool->path);
    }

    ctl_spool_sync_dir(spool);

    return path;
}


static void
ctl_spool_put(int fd, const char *path, const void *data, size_t len)
{
    size_t   done;
    ssize_t  n;

    for (done = 0; done < len; done += (size_t) n) {
        n = write(fd, (const uint8_t *) data + done, len - done);

        if (n == -1) {
            ctl_spool_fail(path);
        }
    }
}


static void
ctl_spool_sync_dir(const ctl_spool_t *spool)
{
    int    fd;
    char  *dir;

    if (asprintf(&dir, "%.*s.", (int) (spool->file - spool->path), spool->path)
        == -1)
    {
        ctl_fail(CTL_REDIS, "out of memory");
    }

    fd = open(dir, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == -1 || fsync(fd) == -1) {
        ctl_spool_fail(dir);
    }

    (void) close(fd);
    free(dir);
}
