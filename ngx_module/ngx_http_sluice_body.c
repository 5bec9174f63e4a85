/*
 * The request body where NGINX has left it: in memory, in several buffers when
 * it was chunked, in a temporary file when it was large.
 */

#include "ngx_http_sluice_module.h"


/* read from the temporary file at a time */
#define NGX_HTTP_SLUICE_PIECE  65536


static ngx_int_t ngx_http_sluice_body_file(ngx_http_request_t *r,
    ngx_buf_t *b, ngx_http_sluice_piece_pt piece, void *data);
static ngx_int_t ngx_http_sluice_body_copy(void *data, u_char *p, size_t len);


ngx_int_t
ngx_http_sluice_body_pieces(ngx_http_request_t *r,
    ngx_http_sluice_piece_pt piece, void *data)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_in_memory(b)) {

            if (b->pos != b->last
                && piece(data, b->pos, b->last - b->pos) != NGX_OK)
            {
                return NGX_ERROR;
            }

        } else if (b->in_file) {

            if (ngx_http_sluice_body_file(r, b, piece, data) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sluice_body_file(ngx_http_request_t *r, ngx_buf_t *b,
    ngx_http_sluice_piece_pt piece, void *data)
{
    off_t       offset;
    size_t      size;
    u_char     *buf;
    ssize_t     n;
    ngx_int_t   rc;

    buf = ngx_alloc(NGX_HTTP_SLUICE_PIECE, r->connection->log);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_OK;

    for (offset = b->file_pos; offset < b->file_last; offset += n) {

        size = (size_t) ngx_min(b->file_last - offset, NGX_HTTP_SLUICE_PIECE);

        n = ngx_read_file(b->file, buf, size, offset);

        if (n <= 0) {
            ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                          "sluice: the request body in \"%V\" is cut",
                          &b->file->name);
            rc = NGX_ERROR;
            break;
        }

        if (piece(data, buf, n) != NGX_OK) {
            rc = NGX_ERROR;
            break;
        }
    }

    ngx_free(buf);

    return rc;
}


ngx_int_t
ngx_http_sluice_body_join(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx)
{
    off_t         size;
    u_char       *p;
    ngx_buf_t    *b, *single;
    ngx_uint_t    n;
    ngx_chain_t  *cl;

    if (ctx->body_known) {
        return NGX_OK;
    }

    ngx_str_null(&ctx->body);

    size = 0;
    n = 0;
    single = NULL;

    if (r->request_body) {

        for (cl = r->request_body->bufs; cl; cl = cl->next) {
            b = cl->buf;

            if (ngx_buf_size(b) == 0) {
                continue;
            }

            size += ngx_buf_size(b);
            single = b;
            n++;
        }
    }

    if (size > NGX_HTTP_SLUICE_DATA_MAX) {
        return NGX_DECLINED;
    }

    if (n == 1 && ngx_buf_in_memory(single)) {
        ctx->body.data = single->pos;
        ctx->body.len = single->last - single->pos;

    } else if (n) {
        p = ngx_pnalloc(r->pool, (size_t) size);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ctx->body.data = p;

        if (ngx_http_sluice_body_pieces(r, ngx_http_sluice_body_copy, &p)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        ctx->body.len = p - ctx->body.data;
    }

    ctx->body_known = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_sluice_body_copy(void *data, u_char *p, size_t len)
{
    u_char **last = data;

    *last = ngx_cpymem(*last, p, len);

    return NGX_OK;
}
