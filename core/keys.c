#include <string.h>
#include <openssl/evp.h>
#include "core/keys.h"


#define SLUICE_KEYS_DIGEST  40    /* hex digits of SHA-256 in a job id */


typedef struct {
    const char  *data;
    size_t       len;
} sluice_keys_part_t;


static const char  sluice_keys_hex[] = "0123456789abcdef";


int
sluice_keys_name_ok(const char *name, size_t len)
{
    size_t  i;
    char    c;

    if (len == 0 || len > SLUICE_KEYS_NAME_MAX) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        c = name[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-'))
        {
            return 0;
        }
    }

    return 1;
}


static size_t
sluice_keys_join(char *dst, size_t size, const sluice_keys_part_t *parts,
    size_t n)
{
    size_t  i, len;

    len = 0;

    for (i = 0; i < n; i++) {

        /* one byte stays for the NUL */

        if (size == 0 || parts[i].len > size - 1 - len) {
            return 0;
        }

        if (parts[i].len) {
            memcpy(dst + len, parts[i].data, parts[i].len);
            len += parts[i].len;
        }
    }

    dst[len] = '\0';

    return len;
}


size_t
sluice_keys_tenant_prefix(char *dst, size_t size, const char *tenant,
    size_t len)
{
    const sluice_keys_part_t  parts[] = {
        { "{", 1 }, { tenant, len }, { "}", 1 }
    };

    return sluice_keys_join(dst, size, parts, 3);
}


size_t
sluice_keys_base(char *dst, size_t size, const char *prefix,
    size_t prefix_len, const char *queue, size_t queue_len)
{
    const sluice_keys_part_t  parts[] = {
        { prefix, prefix_len }, { ":", 1 }, { queue, queue_len }, { ":", 1 }
    };

    return sluice_keys_join(dst, size, parts, 4);
}


static size_t
sluice_keys_own(char *dst, size_t size, const char *prefix,
    size_t prefix_len, const char *what, const char *name, size_t name_len)
{
    const sluice_keys_part_t  parts[] = {
        { prefix, prefix_len }, { "::sluice:", 9 }, { what, strlen(what) },
        { name, name_len }
    };

    return sluice_keys_join(dst, size, parts, 4);
}


size_t
sluice_keys_records(char *dst, size_t size, const char *prefix,
    size_t prefix_len)
{
    return sluice_keys_own(dst, size, prefix, prefix_len, "records", NULL, 0);
}


size_t
sluice_keys_claim(char *dst, size_t size, const char *prefix,
    size_t prefix_len, const char *id, size_t id_len)
{
    return sluice_keys_own(dst, size, prefix, prefix_len, "claim:", id,
                           id_len);
}


size_t
sluice_keys_pace(char *dst, size_t size, const char *prefix,
    size_t prefix_len, const char *sender, size_t sender_len)
{
    return sluice_keys_own(dst, size, prefix, prefix_len, "pace:", sender,
                           sender_len);
}


/* The prefix may hold colons, the queue does not. */

static size_t
sluice_keys_prefix(const char *base, size_t len)
{
    size_t  n;

    for (n = len; n > 1; n--) {
        if (base[n - 2] == ':') {
            return n - 2;
        }
    }

    return 0;
}


size_t
sluice_keys_edge(char *dst, size_t size, const char *base, size_t base_len,
    const char *name, size_t name_len)
{
    return sluice_keys_own(dst, size, base,
                           sluice_keys_prefix(base, base_len), "edge:", name,
                           name_len);
}


size_t
sluice_keys_spool(char *dst, size_t size, const char *base, size_t base_len,
    const char *name, size_t name_len)
{
    return sluice_keys_own(dst, size, base,
                           sluice_keys_prefix(base, base_len), "spool:", name,
                           name_len);
}


/* Could it be a digest of something else? */

static int
sluice_keys_digest_like(const char *source, size_t len)
{
    size_t  i;

    if (len != SLUICE_KEYS_DIGEST) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (!((source[i] >= '0' && source[i] <= '9')
              || (source[i] >= 'a' && source[i] <= 'f')))
        {
            return 0;
        }
    }

    return 1;
}


size_t
sluice_keys_job_id(char *dst, char kind, const char *source, size_t len)
{
    dst[0] = kind;
    dst[1] = '-';

    len = sluice_keys_safe(dst + 2, source, len);

    return len ? 2 + len : 0;
}


size_t
sluice_keys_safe(char *dst, const char *source, size_t len)
{
    size_t         i;
    unsigned int   n;
    unsigned char  digest[EVP_MAX_MD_SIZE];

    /*
     * Who may choose an id could otherwise take that of another's longer
     * source, whose event would be a duplicate then.
     */

    if (sluice_keys_name_ok(source, len)
        && !sluice_keys_digest_like(source, len))
    {
        memcpy(dst, source, len);
        dst[len] = '\0';

        return len;
    }

    if (EVP_Digest(len ? source : "", len, digest, &n, EVP_sha256(), NULL)
        != 1)
    {
        return 0;
    }

    for (i = 0; i < SLUICE_KEYS_DIGEST; i += 2) {
        dst[i] = sluice_keys_hex[digest[i / 2] >> 4];
        dst[i + 1] = sluice_keys_hex[digest[i / 2] & 0xf];
    }

    dst[i] = '\0';

    return i;
}


static char *
sluice_keys_number(char *dst, uint64_t n, int digits)
{
    int  i;

    for (i = digits - 1; i >= 0; i--) {
        dst[i] = sluice_keys_hex[n & 0xf];
        n >>= 4;
    }

    return dst + digits;
}


size_t
sluice_keys_new_id(char *dst, char kind, int64_t now_ms, uint64_t process,
    uint32_t counter)
{
    char  *p;

    p = dst;
    *p++ = kind;
    *p++ = '-';

    p = sluice_keys_number(p, (uint64_t) now_ms, 12);
    p = sluice_keys_number(p, process, 12);
    p = sluice_keys_number(p, counter, 8);

    *p = '\0';

    return (size_t) (p - dst);
}
