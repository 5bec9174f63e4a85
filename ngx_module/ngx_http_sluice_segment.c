/*
 * The files of the spool.  A lock on the open file tells that its process
 * lives: the kernel ends it with the process, whatever killed that.
 */

#include <sys/file.h>
#include <openssl/rand.h>

#include "ngx_http_sluice_spool.h"


#if (NGX_THREADS)


#define NGX_HTTP_SLUICE_SEGMENT_ACCESS  0600
#define NGX_HTTP_SLUICE_SEGMENT_YOUNG   60     /* seconds */


/* a path below the directory, and NUL */
typedef u_char  ngx_http_sluice_segment_path_t[NGX_MAX_PATH
                                               + NGX_HTTP_SLUICE_SPOOL_FILE];


static ngx_err_t ngx_http_sluice_segment_make(
    const ngx_http_sluice_spool_conf_t *conf,
    ngx_http_sluice_segment_t *segment);
static ngx_fd_t ngx_http_sluice_segment_lock(const u_char *path,
    ngx_file_info_t *fi);
static ngx_http_sluice_server_t *ngx_http_sluice_segment_server(
    ngx_http_sluice_main_conf_t *mcf, const u_char *name, size_t len,
    const u_char **held);
static ngx_uint_t ngx_http_sluice_segment_take(
    ngx_http_sluice_main_conf_t *mcf, const u_char *name, size_t len);
static ngx_err_t ngx_http_sluice_segment_sync_dir(
    const ngx_http_sluice_spool_conf_t *conf);
static void ngx_http_sluice_segment_io(sluice_spool_io_t *io,
    ngx_http_sluice_segment_t *segment);
static int ngx_http_sluice_segment_write(void *data, const void *p, size_t len,
    size_t *n);
static int ngx_http_sluice_segment_truncate(void *data, uint64_t size);
static int ngx_http_sluice_segment_sync(void *data);


static const char  ngx_http_sluice_segment_suffix[] = ".spool";


/* The same with another suffix, of the same length or shorter */

static void
ngx_http_sluice_segment_path(ngx_http_sluice_segment_path_t path,
    const ngx_http_sluice_spool_conf_t *conf, const char *name,
    const char *suffix)
{
    u_char  *p;
    size_t   len;

    len = ngx_strlen(name) - (sizeof(ngx_http_sluice_segment_suffix) - 1);

    p = ngx_cpymem(path, conf->dir.data, conf->dir.len);
    p = ngx_cpymem(p, name, len);
    (void) ngx_cpystrn(p, (u_char *) suffix, sizeof(".spool"));
}


ngx_http_sluice_segment_t *
ngx_http_sluice_segment_new(ngx_http_sluice_spool_t *spool)
{
    u_char                      name[SLUICE_KEYS_ID_MAX + 1];
    ngx_time_t                 *tp;
    ngx_http_sluice_process_t  *process;
    ngx_http_sluice_segment_t  *segment;

    segment = ngx_calloc(sizeof(ngx_http_sluice_segment_t), ngx_cycle->log);
    if (segment == NULL) {
        return NULL;
    }

    process = spool->link->main->process;
    tp = ngx_timeofday();

    /* "e-", then what is unique and sorts by time */

    (void) sluice_keys_new_id((char *) name, 'e',
                              (int64_t) tp->sec * 1000 + tp->msec,
                              process->random, process->sequence++);

    segment->fd = NGX_INVALID_FILE;
    ngx_memcpy(segment->id.name, name + 2, SLUICE_SPOOL_NAME);

    if (RAND_bytes((u_char *) &segment->id.salt, sizeof(uint32_t)) != 1) {
        segment->id.salt = (uint32_t) ngx_random();
    }

    (void) ngx_snprintf((u_char *) segment->name, sizeof(segment->name),
                        "%V.%s%s%*s%s%Z", &spool->link->server->name,
                        spool->held, spool->held[0] ? "." : "",
                        (size_t) SLUICE_SPOOL_NAME, segment->id.name,
                        ngx_http_sluice_segment_suffix);

    return segment;
}


void
ngx_http_sluice_segment_free(ngx_http_sluice_segment_t *segment)
{
    if (segment->fd != NGX_INVALID_FILE) {
        (void) ngx_close_file(segment->fd);
    }

    ngx_free(segment);
}


void
ngx_http_sluice_segment_insert(ngx_queue_t *segments,
    ngx_http_sluice_segment_t *segment)
{
    ngx_queue_t                *q;
    ngx_http_sluice_segment_t  *other;

    for (q = ngx_queue_last(segments);
         q != ngx_queue_sentinel(segments);
         q = ngx_queue_prev(q))
    {
        other = ngx_queue_data(q, ngx_http_sluice_segment_t, queue);

        if (ngx_memcmp(other->id.name, segment->id.name, SLUICE_SPOOL_NAME)
            <= 0)
        {
            break;
        }
    }

    ngx_queue_insert_after(q, &segment->queue);
}


int64_t
ngx_http_sluice_segment_time(const ngx_http_sluice_segment_t *segment)
{
    return ngx_hextoi((u_char *) segment->id.name, 12);
}


static ngx_err_t
ngx_http_sluice_segment_sync_dir(const ngx_http_sluice_spool_conf_t *conf)
{
    ngx_fd_t   fd;
    ngx_err_t  err;

    fd = open((const char *) conf->dir.data, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        return ngx_errno;
    }

    err = fsync(fd) == -1 ? ngx_errno : 0;

    (void) ngx_close_file(fd);

    return err;
}


/* The file with its header, locked, on the disk under its name */

static ngx_err_t
ngx_http_sluice_segment_make(const ngx_http_sluice_spool_conf_t *conf,
    ngx_http_sluice_segment_t *segment)
{
    u_char                          header[SLUICE_SPOOL_HEADER];
    ngx_fd_t                        fd;
    ngx_err_t                       err;
    sluice_spool_io_t               io;
    ngx_http_sluice_segment_path_t  path;

    ngx_http_sluice_segment_path(path, conf, segment->name,
                                 ngx_http_sluice_segment_suffix);

    fd = open((char *) path, O_RDWR|O_CREAT|O_EXCL|O_APPEND|O_CLOEXEC,
              NGX_HTTP_SLUICE_SEGMENT_ACCESS);

    if (fd == NGX_INVALID_FILE) {
        return ngx_errno;
    }

    if (flock(fd, LOCK_EX|LOCK_NB) == -1) {
        err = ngx_errno;
        (void) ngx_delete_file(path);
        (void) ngx_close_file(fd);
        return err;
    }

    ngx_memzero(&segment->file, sizeof(sluice_spool_file_t));
    segment->fd = fd;
    segment->records = 0;

    ngx_http_sluice_segment_io(&io, segment);

    sluice_spool_header(header, &segment->id);

    err = sluice_spool_append(&segment->file, &io, header, sizeof(header), 1);

    if (err == 0) {
        err = ngx_http_sluice_segment_sync_dir(conf);
    }

    if (err) {
        (void) ngx_delete_file(path);
        (void) ngx_close_file(fd);
        segment->fd = NGX_INVALID_FILE;
    }

    return err;
}


ngx_err_t
ngx_http_sluice_segment_append(const ngx_http_sluice_spool_conf_t *conf,
    ngx_http_sluice_segment_t *segment, u_char *p, size_t len,
    ngx_uint_t sync)
{
    uint64_t           last;
    ngx_err_t          err;
    sluice_spool_io_t  io;

    if (segment->fd == NGX_INVALID_FILE) {
        err = ngx_http_sluice_segment_make(conf, segment);
        if (err) {
            return err;
        }
    }

    ngx_http_sluice_segment_io(&io, segment);

    last = sluice_spool_seal(&segment->id, segment->records, p, len);

    err = sluice_spool_append(&segment->file, &io, p, len, (int) sync);

    if (err == 0) {
        segment->records = last;
        segment->dirty = !sync;
    }

    return err;
}


static void
ngx_http_sluice_segment_io(sluice_spool_io_t *io,
    ngx_http_sluice_segment_t *segment)
{
    io->data = segment;
    io->write = ngx_http_sluice_segment_write;
    io->truncate = ngx_http_sluice_segment_truncate;
    io->sync = ngx_http_sluice_segment_sync;
}


static int
ngx_http_sluice_segment_write(void *data, const void *p, size_t len, size_t *n)
{
    ngx_http_sluice_segment_t *segment = data;

    ssize_t  rc;

    do {
        rc = write(segment->fd, p, len);
    } while (rc == -1 && ngx_errno == NGX_EINTR);

    if (rc == -1) {
        return ngx_errno;
    }

    *n = rc;

    return 0;
}


static int
ngx_http_sluice_segment_truncate(void *data, uint64_t size)
{
    ngx_http_sluice_segment_t *segment = data;

    return ftruncate(segment->fd, (off_t) size) == -1 ? ngx_errno : 0;
}


static int
ngx_http_sluice_segment_sync(void *data)
{
    ngx_http_sluice_segment_t *segment = data;

    return fdatasync(segment->fd) == -1 ? ngx_errno : 0;
}


ngx_err_t
ngx_http_sluice_segment_aside(const ngx_http_sluice_spool_conf_t *conf,
    const ngx_http_sluice_segment_t *segment, const sluice_spool_segment_t *id,
    const u_char *p, size_t len)
{
    u_char                          header[SLUICE_SPOOL_HEADER];
    ngx_fd_t                        fd;
    ngx_err_t                       err;
    ngx_file_info_t                 fi;
    sluice_spool_io_t               io;
    ngx_http_sluice_segment_t       bad;
    ngx_http_sluice_segment_path_t  path;

    ngx_http_sluice_segment_path(path, conf, segment->name, ".bad");

    fd = open((char *) path, O_WRONLY|O_CREAT|O_APPEND|O_CLOEXEC,
              NGX_HTTP_SLUICE_SEGMENT_ACCESS);

    if (fd == NGX_INVALID_FILE) {
        return ngx_errno;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        err = ngx_errno;
        (void) ngx_close_file(fd);
        return err;
    }

    ngx_memzero(&bad, sizeof(ngx_http_sluice_segment_t));
    bad.fd = fd;
    bad.file.size = ngx_file_size(&fi);
    ngx_http_sluice_segment_io(&io, &bad);
    err = 0;

    /* without the header nobody could tell the records */

    if (bad.file.size < SLUICE_SPOOL_HEADER) {
        bad.file.size = 0;
        err = ngx_http_sluice_segment_truncate(&bad, 0);

        if (err == 0) {
            sluice_spool_header(header, id);
            err = sluice_spool_append(&bad.file, &io, header, sizeof(header),
                                      0);
        }
    }

    if (err == 0) {
        err = sluice_spool_append(&bad.file, &io, p, len, 1);
    }

    (void) ngx_close_file(fd);

    return err ? err : ngx_http_sluice_segment_sync_dir(conf);
}


ngx_err_t
ngx_http_sluice_segment_remove(const ngx_http_sluice_spool_conf_t *conf,
    const ngx_http_sluice_segment_t *segment, ngx_uint_t bad)
{
    ngx_http_sluice_segment_path_t  path, to;

    ngx_http_sluice_segment_path(path, conf, segment->name,
                                 ngx_http_sluice_segment_suffix);

    if (bad) {
        ngx_http_sluice_segment_path(to, conf, segment->name, ".bad");

        if (ngx_rename_file(path, to) == NGX_FILE_ERROR) {
            return ngx_errno;
        }

    } else if (ngx_delete_file(path) == NGX_FILE_ERROR
               && ngx_errno != NGX_ENOENT)
    {
        return ngx_errno;
    }

    return ngx_http_sluice_segment_sync_dir(conf);
}


/*
 * The open file, locked by this process and still there; or none.  A file
 * without its header is being made right now, unless it is old: its lock is
 * left to who makes it.
 */

static ngx_fd_t
ngx_http_sluice_segment_lock(const u_char *path, ngx_file_info_t *fi)
{
    ngx_fd_t  fd;

    fd = open((const char *) path, O_RDWR|O_APPEND|O_CLOEXEC|O_NOFOLLOW
                                   |O_NONBLOCK);

    if (fd == NGX_INVALID_FILE) {
        return NGX_INVALID_FILE;
    }

    if (ngx_fd_info(fd, fi) != NGX_FILE_ERROR && ngx_is_file(fi)
        && (ngx_file_size(fi) >= SLUICE_SPOOL_HEADER
            || ngx_time() - ngx_file_mtime(fi) > NGX_HTTP_SLUICE_SEGMENT_YOUNG)
        && flock(fd, LOCK_EX|LOCK_NB) == 0
        && ngx_fd_info(fd, fi) != NGX_FILE_ERROR && fi->st_nlink)
    {
        return fd;
    }

    (void) ngx_close_file(fd);

    return NGX_INVALID_FILE;
}


/*
 * Of "<server>.<name>.spool", or NULL.  *held: what stands before the name of
 * the file of a queue that is full, or NULL.
 */

static ngx_http_sluice_server_t *
ngx_http_sluice_segment_server(ngx_http_sluice_main_conf_t *mcf,
    const u_char *name, size_t len, const u_char **held)
{
    size_t                      tail;
    ngx_str_t                   own;
    ngx_http_sluice_server_t   *server;

    tail = 1 + SLUICE_SPOOL_NAME + sizeof(ngx_http_sluice_segment_suffix) - 1;
    *held = NULL;

    if (len <= tail || name[len - tail] != '.'
        || ngx_strcmp(name + len - (sizeof(ngx_http_sluice_segment_suffix) - 1),
                      ngx_http_sluice_segment_suffix)
           != 0)
    {
        return NULL;
    }

    own.data = (u_char *) name;
    own.len = len - tail;

    server = ngx_http_sluice_redis_find(mcf, &own);

    if (server || own.len <= 1 + NGX_HTTP_SLUICE_HELD_NAME) {
        return server;
    }

    own.len -= 1 + NGX_HTTP_SLUICE_HELD_NAME;

    if (own.data[own.len] != '.') {
        return NULL;
    }

    *held = own.data + own.len + 1;

    return ngx_http_sluice_redis_find(mcf, &own);
}


void
ngx_http_sluice_segment_adopt(ngx_http_sluice_main_conf_t *mcf)
{
    ngx_dir_t  dir;
    ngx_str_t  path;

    /* without the slash: a name may be long */

    path = mcf->spool->dir;

    if (ngx_open_dir(&path, &dir) == NGX_ERROR) {
        return;
    }

    for ( ;; ) {
        ngx_set_errno(0);

        if (ngx_read_dir(&dir) == NGX_ERROR) {
            break;
        }

        if (!ngx_http_sluice_segment_take(mcf, ngx_de_name(&dir),
                                          ngx_de_namelen(&dir)))
        {
            break;
        }
    }

    (void) ngx_close_dir(&dir);

    ngx_http_sluice_spool_count(mcf);
}


/* 0: out of memory */

static ngx_uint_t
ngx_http_sluice_segment_take(ngx_http_sluice_main_conf_t *mcf,
    const u_char *name, size_t len)
{
    ngx_fd_t                         fd;
    ngx_file_info_t                  fi;
    const u_char                    *held;
    ngx_http_sluice_link_t          *link;
    ngx_http_sluice_spool_t         *spool;
    ngx_http_sluice_server_t        *server;
    ngx_http_sluice_segment_t       *segment;
    ngx_http_sluice_segment_path_t   path;

    server = ngx_http_sluice_segment_server(mcf, name, len, &held);

    if (server == NULL || len >= sizeof(segment->name)) {
        return 1;
    }

    ngx_http_sluice_segment_path(path, mcf->spool, (const char *) name,
                                 ngx_http_sluice_segment_suffix);

    fd = ngx_http_sluice_segment_lock(path, &fi);

    if (fd == NGX_INVALID_FILE) {
        return 1;
    }

    link = ngx_http_sluice_redis_link(mcf, server);

    if (link == NULL) {
        (void) ngx_close_file(fd);
        return 0;
    }

    spool = held ? ngx_http_sluice_held_named(link, held) : link->spool;

    if (spool == NULL) {
        (void) ngx_close_file(fd);
        return 1;
    }

    segment = ngx_calloc(sizeof(ngx_http_sluice_segment_t), ngx_cycle->log);

    if (segment == NULL) {
        (void) ngx_close_file(fd);
        return 0;
    }

    segment->fd = fd;
    segment->taken = 1;
    segment->file.size = ngx_file_size(&fi);
    ngx_memcpy(segment->name, name, len);
    ngx_memcpy(segment->id.name,
               name + len - SLUICE_SPOOL_NAME
               - (sizeof(ngx_http_sluice_segment_suffix) - 1),
               SLUICE_SPOOL_NAME);

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "sluice_spool \"%s\" is taken over, %O bytes", name,
                  ngx_file_size(&fi));

    ngx_http_sluice_segment_insert(&spool->segments, segment);
    ngx_http_sluice_replay_wake(spool);

    return 1;
}


#endif
