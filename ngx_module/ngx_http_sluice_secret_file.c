/*
 * Secrets in files, one a line, read again when a file changes.  A process
 * looks at most once a second; what cannot be used leaves the last that could.
 */

#include "ngx_http_sluice_module.h"


#define NGX_HTTP_SLUICE_SECRET_FILE  65536    /* bytes at most */


static void ngx_http_sluice_secret_file_gone(void *data);
static const char *ngx_http_sluice_secret_file_read(
    ngx_http_sluice_secret_file_t *file, ngx_err_t *err);
static const char *ngx_http_sluice_secret_file_keys(
    ngx_http_sluice_secret_file_t *file);
static ngx_int_t ngx_http_sluice_secret_file_lines(
    ngx_http_sluice_secret_file_t *file, size_t len);
static void ngx_http_sluice_secret_file_clear(
    ngx_http_sluice_secret_file_t *file);


ngx_http_sluice_secret_file_t *
ngx_http_sluice_secret_file(ngx_conf_t *cf, const ngx_str_t *path)
{
    ngx_pool_cleanup_t              *cln;
    ngx_http_sluice_main_conf_t     *mcf;
    ngx_http_sluice_secret_file_t  **entry, *file;

    file = ngx_pcalloc(cf->pool, sizeof(ngx_http_sluice_secret_file_t));
    if (file == NULL) {
        return NULL;
    }

    file->path = *path;

    if (ngx_conf_full_name(cf->cycle, &file->path, 1) != NGX_OK) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_sluice_secret_file_gone;
    cln->data = file;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_sluice_module);

    entry = ngx_array_push(&mcf->files);
    if (entry == NULL) {
        return NULL;
    }

    *entry = file;

    return file;
}


static void
ngx_http_sluice_secret_file_gone(void *data)
{
    ngx_http_sluice_secret_file_clear(data);
}


char *
ngx_http_sluice_secret_file_first(ngx_conf_t *cf, const char *name,
    ngx_http_sluice_secret_file_t *file)
{
    ngx_err_t    err;
    const char  *why;

    why = ngx_http_sluice_secret_file_read(file, &err);

    if (why) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, err,
                           "\"%s\" in \"sluice_verify\": the file \"%V\" %s",
                           name, &file->path, why);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* The master reads as root; that a worker may not shows at the next change. */

void
ngx_http_sluice_secret_begin(ngx_http_sluice_main_conf_t *mcf, ngx_log_t *log)
{
    ngx_fd_t                         fd;
    ngx_uint_t                       i;
    ngx_http_sluice_secret_file_t  **file;

    file = mcf->files.elts;

    for (i = 0; i < mcf->files.nelts; i++) {

        fd = ngx_open_file(file[i]->path.data,
                           NGX_FILE_RDONLY|NGX_FILE_NONBLOCK, NGX_FILE_OPEN,
                           0);

        if (fd == NGX_INVALID_FILE) {
            ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                          "the secret file \"%V\" cannot be read by worker "
                          "processes: a change needs a reload",
                          &file[i]->path);
            continue;
        }

        if (ngx_close_file(fd) == NGX_FILE_ERROR) {
            ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                          ngx_close_file_n " \"%V\" failed", &file[i]->path);
        }
    }
}


void
ngx_http_sluice_secret_file_fresh(ngx_http_sluice_secret_file_t *file,
    ngx_log_t *log)
{
    time_t           now;
    ngx_err_t        err;
    const char      *why;
    ngx_file_info_t  fi;

    now = ngx_time();

    if (file->checked == now) {
        return;
    }

    file->checked = now;

    if (ngx_file_info(file->path.data, &fi) == NGX_FILE_ERROR) {
        err = ngx_errno;
        why = "cannot be found";

    } else {

        /*
         * A file may change twice within the second that its time counts: what
         * was read so soon after a change is read once more.
         */

        if (ngx_file_size(&fi) == file->size
            && ngx_file_mtime(&fi) == file->mtime
            && ngx_file_uniq(&fi) == file->uniq
            && file->mtime + 1 < file->read)
        {
            return;
        }

        why = ngx_http_sluice_secret_file_read(file, &err);
    }

    if (why == NULL) {
        file->told = 0;
        return;
    }

    if (file->told == 0 || now - file->told >= 60) {
        file->told = now;

        ngx_log_error(NGX_LOG_ERR, log, err,
                      "the secret file \"%V\" %s: the secrets that were read "
                      "before are used", &file->path, why);
    }
}


/* NULL, or what is wrong; then all is as it was. */

static const char *
ngx_http_sluice_secret_file_read(ngx_http_sluice_secret_file_t *file,
    ngx_err_t *err)
{
    size_t                          len;
    ssize_t                         n;
    ngx_fd_t                        fd;
    const char                     *why;
    ngx_file_info_t                 fi;
    ngx_http_sluice_secret_file_t   fresh;

    *err = 0;
    len = 0;
    fresh = *file;
    fresh.n = 0;

    fd = ngx_open_file(file->path.data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        *err = ngx_errno;
        return "cannot be opened";
    }

    fresh.data = malloc(NGX_HTTP_SLUICE_SECRET_FILE + 1);

    if (fresh.data == NULL) {
        why = "cannot be read: out of memory";
        goto done;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        *err = ngx_errno;
        why = "cannot be read";
        goto done;
    }

    if (!ngx_is_file(&fi)) {
        why = "is not a regular file";
        goto done;
    }

    fresh.size = ngx_file_size(&fi);
    fresh.mtime = ngx_file_mtime(&fi);
    fresh.uniq = ngx_file_uniq(&fi);
    fresh.read = ngx_time();

    do {
        n = ngx_read_fd(fd, fresh.data + len,
                        NGX_HTTP_SLUICE_SECRET_FILE + 1 - len);

        if (n == -1) {
            *err = ngx_errno;
            why = "cannot be read";
            goto done;
        }

        len += n;

    } while (n && len <= NGX_HTTP_SLUICE_SECRET_FILE);

    if (len > NGX_HTTP_SLUICE_SECRET_FILE) {
        why = "is larger than 64k";
        goto done;
    }

    if (ngx_http_sluice_secret_file_lines(&fresh, len) != NGX_OK) {
        why = "has more than 8 secrets";
        goto done;
    }

    if (fresh.n == 0) {
        why = "has no secret";
        goto done;
    }

    why = ngx_http_sluice_secret_file_keys(&fresh);

done:

    (void) ngx_close_file(fd);

    if (why) {

        if (fresh.data) {
            ngx_explicit_memzero(fresh.data, len);
            free(fresh.data);
        }

        return why;
    }

    ngx_http_sluice_secret_file_clear(file);

    *file = fresh;

    return NULL;
}


static const char *
ngx_http_sluice_secret_file_keys(ngx_http_sluice_secret_file_t *file)
{
    ngx_uint_t   i;
    const char  *why;

    if (file->scheme == NULL) {
        return NULL;
    }

    for (i = 0; i < file->n; i++) {

        file->keys[i] = sluice_key_create(file->scheme,
                                          (char *) file->texts[i].data,
                                          file->texts[i].len, &why);
        if (file->keys[i] == NULL) {

            while (i--) {
                sluice_key_destroy(file->keys[i]);
            }

            return why ? "has what is no secret of the scheme"
                       : "cannot be used: out of memory";
        }
    }

    return NULL;
}


/* Lines that are not empty; a PEM block, which has many, is one secret. */

static ngx_int_t
ngx_http_sluice_secret_file_lines(ngx_http_sluice_secret_file_t *file,
    size_t len)
{
    u_char     *end, *last, *p;
    ngx_str_t  *block, line;

    block = NULL;
    end = file->data + len;

    for (p = file->data; p < end; p = last + 1) {

        last = memchr(p, LF, end - p);

        if (last == NULL) {
            last = end;
        }

        line.data = p;
        line.len = last - p;

        if (line.len && line.data[line.len - 1] == CR) {
            line.len--;
        }

        if (block) {
            block->len = line.data + line.len - block->data;

            if (line.len >= 9 && ngx_strncmp(p, "-----END ", 9) == 0) {
                block = NULL;
            }

            continue;
        }

        if (line.len == 0) {
            continue;
        }

        if (file->n == NGX_HTTP_SLUICE_SECRETS) {
            return NGX_ERROR;
        }

        file->texts[file->n] = line;

        if (line.len >= 11 && ngx_strncmp(p, "-----BEGIN ", 11) == 0) {
            block = &file->texts[file->n];
        }

        file->n++;
    }

    return NGX_OK;
}


static void
ngx_http_sluice_secret_file_clear(ngx_http_sluice_secret_file_t *file)
{
    ngx_uint_t  i;

    for (i = 0; file->scheme && i < file->n; i++) {
        sluice_key_destroy(file->keys[i]);
    }

    if (file->data) {
        ngx_explicit_memzero(file->data, NGX_HTTP_SLUICE_SECRET_FILE);
        free(file->data);
    }

    file->data = NULL;
    file->n = 0;
}
