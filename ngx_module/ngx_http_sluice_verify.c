/*
 * Who sent this: a verdict on the raw bytes of a request.
 */

#include "ngx_http_sluice_module.h"


typedef struct {
    ngx_uint_t           n;
    sluice_signature_t  *signatures[NGX_HTTP_SLUICE_SECRETS];
} ngx_http_sluice_macs_t;


static ngx_int_t ngx_http_sluice_verify_mac(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_verify_t *verify,
    const ngx_str_t *claim);
static ngx_int_t ngx_http_sluice_verify_piece(void *data, u_char *p,
    size_t len);
static ngx_int_t ngx_http_sluice_verify_key(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_verify_t *verify,
    ngx_str_t claim);
static void ngx_http_sluice_verify_unknown(ngx_http_sluice_ctx_t *ctx,
    ngx_http_sluice_why_e why);
static ngx_int_t ngx_http_sluice_verify_arg(ngx_http_request_t *r,
    const char *name, ngx_str_t *value);


ngx_uint_t
ngx_http_sluice_verify_body(const ngx_http_sluice_verify_t *verify)
{
    return verify->scheme == NGX_HTTP_SLUICE_SCHEME_META
           || verify->scheme == NGX_HTTP_SLUICE_SCHEME_HMAC;
}


ngx_int_t
ngx_http_sluice_verify_check(ngx_http_request_t *r,
    ngx_http_sluice_ctx_t *ctx, const ngx_http_sluice_verify_t *verify)
{
    ngx_uint_t        n;
    ngx_table_elt_t  *h;

    ctx->verified = verify;
    ctx->verdict = NGX_HTTP_SLUICE_UNKNOWN;
    ctx->secret = 0;

    h = ngx_http_sluice_header(r, &verify->header, verify->header_hash, &n);

    if (h == NULL) {
        ctx->failure = NGX_HTTP_SLUICE_WHY_MISSING;
        return NGX_OK;
    }

    if (n > 1) {
        ctx->failure = NGX_HTTP_SLUICE_WHY_MALFORMED;
        return NGX_OK;
    }

    if (verify->scheme == NGX_HTTP_SLUICE_SCHEME_API_KEY) {
        return ngx_http_sluice_verify_key(r, ctx, verify, h->value);
    }

    return ngx_http_sluice_verify_mac(r, ctx, verify, &h->value);
}


/*
 * All secrets are tried, whichever matches: neither the time nor the answer
 * tells which.  An empty one, of a tenant that is unknown, costs the same: its
 * MAC has a key of our own, and whatever comes of it is dropped.  A body in a
 * file is read once for all.
 */

static ngx_int_t
ngx_http_sluice_verify_mac(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_verify_t *verify, const ngx_str_t *claim)
{
    size_t                           len;
    uint8_t                          mac[SLUICE_SIGNATURE_MAX];
    ngx_int_t                        rc;
    ngx_str_t                        key;
    ngx_uint_t                       i, index[NGX_HTTP_SLUICE_SECRETS];
    ngx_uint_t                       usable;
    sluice_signature_t              *own[NGX_HTTP_SLUICE_SECRETS];
    ngx_http_sluice_macs_t           macs;
    sluice_signature_result_e        result;
    const ngx_http_sluice_secret_t  *secret;

    static const ngx_str_t           dummy = ngx_string("never matches");

    macs.n = 0;
    rc = NGX_ERROR;

    ctx->failure = NGX_HTTP_SLUICE_WHY_SECRET;

    for (i = 0; i < verify->nsecrets; i++) {
        secret = &verify->secrets[i];
        own[i] = NULL;
        usable = 1;

        if (secret->signature == NULL) {

            if (ngx_http_complex_value(r,
                            (ngx_http_complex_value_t *) &secret->value, &key)
                != NGX_OK)
            {
                goto done;
            }

            if (key.len == 0) {
                key = dummy;
                usable = 0;
            }

            own[i] = sluice_signature_create(verify->algorithm, key.data,
                                             key.len);
            if (own[i] == NULL) {
                i++;
                goto done;
            }
        }

        index[macs.n] = usable ? i + 1 : 0;
        macs.signatures[macs.n] = own[i] ? own[i] : secret->signature;

        if (!sluice_signature_begin(macs.signatures[macs.n++])) {
            i++;
            goto done;
        }
    }

    if (ngx_http_sluice_body_pieces(r, ngx_http_sluice_verify_piece, &macs)
        != NGX_OK)
    {
        goto done;
    }

    rc = NGX_OK;

    while (macs.n--) {

        if (!sluice_signature_final(macs.signatures[macs.n], mac, &len)) {
            rc = NGX_ERROR;
            goto done;
        }

        result = sluice_signature_check(mac, len, claim->data, claim->len,
                                        (char *) verify->prefix.data,
                                        verify->prefix.len, verify->encoding);

        if (index[macs.n] == 0) {
            continue;
        }

        if (result == SLUICE_SIGNATURE_VALID) {
            ctx->verdict = NGX_HTTP_SLUICE_VALID;
            ctx->secret = index[macs.n];

        } else {
            ngx_http_sluice_verify_unknown(ctx,
                                result == SLUICE_SIGNATURE_MALFORMED
                                ? NGX_HTTP_SLUICE_WHY_MALFORMED
                                : NGX_HTTP_SLUICE_WHY_MISMATCH);
        }
    }

done:

    while (i--) {
        sluice_signature_destroy(own[i]);
    }

    if (rc != NGX_OK) {
        ctx->verdict = NGX_HTTP_SLUICE_UNVERIFIED;
        ctx->verified = NULL;
    }

    return rc;
}


static ngx_int_t
ngx_http_sluice_verify_piece(void *data, u_char *p, size_t len)
{
    ngx_http_sluice_macs_t *macs = data;

    ngx_uint_t  i;

    for (i = 0; i < macs->n; i++) {
        if (!sluice_signature_update(macs->signatures[i], p, len)) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_sluice_verify_key(ngx_http_request_t *r, ngx_http_sluice_ctx_t *ctx,
    const ngx_http_sluice_verify_t *verify, ngx_str_t claim)
{
    ngx_str_t                        key;
    ngx_uint_t                       i, usable;
    const ngx_http_sluice_secret_t  *secret;

    if (verify->bearer) {

        if (claim.len < sizeof("Bearer ") - 1
            || ngx_strncasecmp(claim.data, (u_char *) "Bearer ",
                               sizeof("Bearer ") - 1)
               != 0)
        {
            ctx->failure = NGX_HTTP_SLUICE_WHY_MALFORMED;
            return NGX_OK;
        }

        claim.data += sizeof("Bearer ") - 1;
        claim.len -= sizeof("Bearer ") - 1;
    }

    usable = 0;

    for (i = 0; i < verify->nsecrets; i++) {
        secret = &verify->secrets[i];

        if (ngx_http_complex_value(r,
                            (ngx_http_complex_value_t *) &secret->value, &key)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        usable |= key.len;

        if (sluice_signature_secret_equal(key.data, key.len, claim.data,
                                          claim.len))
        {
            ctx->verdict = NGX_HTTP_SLUICE_VALID;
            ctx->secret = i + 1;
        }
    }

    ctx->failure = usable ? NGX_HTTP_SLUICE_WHY_MISMATCH
                      : NGX_HTTP_SLUICE_WHY_SECRET;

    return NGX_OK;
}


static void
ngx_http_sluice_verify_unknown(ngx_http_sluice_ctx_t *ctx,
    ngx_http_sluice_why_e why)
{
    if (ctx->verdict != NGX_HTTP_SLUICE_VALID) {
        ctx->failure = why;
    }
}


/*
 * Meta's subscription: GET hub.mode=subscribe, hub.verify_token and
 * hub.challenge, a number.  What is given back is bounded and of a harmless
 * alphabet: it came from anyone.
 */

ngx_int_t
ngx_http_sluice_verify_handshake(ngx_http_request_t *r,
    const ngx_http_sluice_verify_t *verify, ngx_str_t *challenge)
{
    u_char      c;
    ngx_str_t   claim, mode, token;
    ngx_uint_t  i;

    if (verify->scheme != NGX_HTTP_SLUICE_SCHEME_META
        || r->method != NGX_HTTP_GET
        || ngx_http_sluice_verify_arg(r, "hub.mode", &mode) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (verify->verify_token == NULL
        || ngx_http_complex_value(r, verify->verify_token, &token) != NGX_OK
        || mode.len != sizeof("subscribe") - 1
        || ngx_strncmp(mode.data, "subscribe", mode.len) != 0
        || ngx_http_sluice_verify_arg(r, "hub.verify_token", &claim) != NGX_OK
        || ngx_http_sluice_verify_arg(r, "hub.challenge", challenge) != NGX_OK)
    {
        return NGX_HTTP_FORBIDDEN;
    }

    if (!sluice_signature_secret_equal(token.data, token.len, claim.data,
                                       claim.len))
    {
        return NGX_HTTP_FORBIDDEN;
    }

    if (challenge->len == 0 || challenge->len > NGX_HTTP_SLUICE_CHALLENGE) {
        return NGX_HTTP_FORBIDDEN;
    }

    for (i = 0; i < challenge->len; i++) {
        c = challenge->data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
              || (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '.'))
        {
            return NGX_HTTP_FORBIDDEN;
        }
    }

    return NGX_OK;
}


/* The value of an argument, unescaped. */

static ngx_int_t
ngx_http_sluice_verify_arg(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    u_char     *dst, *src;
    ngx_str_t   raw;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &raw) != NGX_OK) {
        return NGX_DECLINED;
    }

    dst = ngx_pnalloc(r->pool, raw.len + 1);
    if (dst == NULL) {
        return NGX_DECLINED;
    }

    value->data = dst;
    src = raw.data;

    ngx_unescape_uri(&dst, &src, raw.len, 0);

    value->len = dst - value->data;

    return NGX_OK;
}


ngx_table_elt_t *
ngx_http_sluice_header(ngx_http_request_t *r, const ngx_str_t *name,
    ngx_uint_t hash, ngx_uint_t *n)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *found, *h;

    *n = 0;
    found = NULL;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].hash == hash
            && h[i].key.len == name->len
            && ngx_strncmp(h[i].lowcase_key, name->data, name->len) == 0)
        {
            if (found == NULL) {
                found = &h[i];
            }

            (*n)++;
        }
    }

    return found;
}
