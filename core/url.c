#include <string.h>
#include <strings.h>
#include "core/url_parts.h"


#define SLUICE_URL_SOCKET  107    /* sun_path of Linux without its NUL */


typedef enum {
    SLUICE_URL_DECODED = 0,
    SLUICE_URL_LONG,
    SLUICE_URL_PERCENT
} sluice_url_decoded_e;


/* The first c in [p, last), or NULL. */

const char *
sluice_url_find(const char *p, const char *last, char c)
{
    for ( /* void */ ; p < last; p++) {
        if (*p == c) {
            return p;
        }
    }

    return NULL;
}


static int
sluice_url_hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


static sluice_url_decoded_e
sluice_url_decode(char *dst, size_t size, const char *p, const char *last)
{
    int     high, low;
    char    c;
    size_t  n;

    n = 0;

    while (p < last) {
        c = *p++;

        if (c == '%') {
            if (last - p < 2) {
                return SLUICE_URL_PERCENT;
            }

            high = sluice_url_hex(p[0]);
            low = sluice_url_hex(p[1]);

            if (high < 0 || low < 0 || (high == 0 && low == 0)) {
                return SLUICE_URL_PERCENT;
            }

            c = (char) (high << 4 | low);
            p += 2;
        }

        if (n + 1 == size) {
            return SLUICE_URL_LONG;
        }

        dst[n++] = c;
    }

    dst[n] = '\0';

    return SLUICE_URL_DECODED;
}


const char *
sluice_url_user(sluice_url_t *url, const char *p, const char *last)
{
    switch (sluice_url_decode(url->user, sizeof(url->user), p, last)) {

    case SLUICE_URL_LONG:
        return "the user is longer than 127 bytes";

    case SLUICE_URL_PERCENT:
        return "a % in the user needs two hex digits behind it, not 00";

    default:
        return NULL;
    }
}


const char *
sluice_url_password(sluice_url_t *url, const char *p, const char *last)
{
    switch (sluice_url_decode(url->password, sizeof(url->password), p, last))
    {
    case SLUICE_URL_LONG:
        return "the password is longer than 511 bytes";

    case SLUICE_URL_PERCENT:
        return "a % in the password needs two hex digits behind it, not 00";

    default:
        return NULL;
    }
}


/* -1 when it is not a number of at most 9 digits */

int
sluice_url_number(const char *p, const char *last)
{
    int  n;

    if (p == last || last - p > 9) {
        return -1;
    }

    for (n = 0; p < last; p++) {
        if (*p < '0' || *p > '9') {
            return -1;
        }

        n = n * 10 + (*p - '0');
    }

    return n;
}


static const char *
sluice_url_db(sluice_url_t *url, const char *p, const char *last)
{
    url->db = sluice_url_number(p, last);

    return url->db < 0 ? "the database must be a number" : NULL;
}


const char *
sluice_url_host(sluice_node_t *node, const char *p, const char *last)
{
    int          v6;
    char         c;
    const char  *port, *start;

    v6 = p < last && *p == '[';

    if (v6) {
        p++;
        port = sluice_url_find(p, last, ']');

        if (port == NULL) {
            return "the bracket around the IPv6 address is not closed";
        }

    } else {
        port = sluice_url_find(p, last, ':');

        if (port && sluice_url_find(port + 1, last, ':')) {
            return "an IPv6 address must be in brackets";
        }

        if (port == NULL) {
            port = last;
        }
    }

    if (port == p) {
        return "the host is missing";
    }

    if ((size_t) (port - p) >= sizeof(node->host)) {
        return "the host is longer than 255 bytes";
    }

    for (start = p; p < port; p++) {
        c = *p;

        if (v6 ? sluice_url_hex(c) < 0 && c != ':' && c != '.'
               : !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
                   || (c >= '0' && c <= '9')
                   || c == '.' || c == '-' || c == '_'))
        {
            return v6 ? "not an IPv6 address in the brackets"
                      : "a character in the host that no name has";
        }
    }

    memcpy(node->host, start, (size_t) (port - start));
    node->host[port - start] = '\0';

    if (v6 && sluice_url_find(start, port, ':') == NULL) {
        return "not an IPv6 address in the brackets";
    }

    port += v6;

    if (port == last) {
        return NULL;
    }

    if (*port != ':') {
        return "only a port may follow the host";
    }

    node->port = sluice_node_port(port + 1, (size_t) (last - port - 1));

    if (node->port == -1) {
        return "the port must be a number from 1 to 65535";
    }

    return NULL;
}


const char *
sluice_url_authority(sluice_url_t *url, const char **hosts, const char **end,
    const char *last)
{
    const char  *p, *at, *colon, *error;

    p = *hosts;

    for (*end = p; *end < last && **end != '/'; (*end)++) {
        if (**end == '?' || **end == '#') {
            break;
        }
    }

    if (sluice_url_find(*end, last, '@')) {
        return "a /, ? or # in the user or password must be written "
               "%2F, %3F or %23";
    }

    at = sluice_url_find(p, *end, '@');

    if (at == NULL) {
        return NULL;
    }

    if (sluice_url_find(at + 1, *end, '@')) {
        return "an @ in the user or password must be written %40";
    }

    *hosts = at + 1;
    colon = sluice_url_find(p, at, ':');

    error = sluice_url_user(url, p, colon ? colon : at);

    if (error == NULL && colon) {
        error = sluice_url_password(url, colon + 1, at);
    }

    return error;
}


static const char *
sluice_url_redis(sluice_url_t *url, const char *p, const char *last)
{
    const char     *end, *error;
    sluice_node_t   node;

    error = sluice_url_authority(url, &p, &end, last);
    if (error) {
        return error;
    }

    memset(&node, 0, sizeof(node));
    node.port = url->port;

    error = sluice_url_host(&node, p, end);
    if (error) {
        return error;
    }

    memcpy(url->host, node.host, sizeof(url->host));
    url->port = node.port;

    if (end < last && *end != '/') {
        return "only the database may follow the host, as in /0";
    }

    return last - end > 1 ? sluice_url_db(url, end + 1, last) : NULL;
}


static const char *
sluice_url_tls(sluice_url_t *url, const char *p, const char *last)
{
    url->tls = 1;

    return sluice_url_redis(url, p, last);
}


static const char *
sluice_url_unix(sluice_url_t *url, const char *p, const char *last)
{
    size_t       len;
    const char  *end;

    static const sluice_url_parameter_t  parameters[] = {
        { "db=", 3, sluice_url_db },
        { "user=", 5, sluice_url_user },
        { "password=", 9, sluice_url_password }
    };

    /* unix:///path is the same as unix:/path */

    if (last - p >= 2 && p[0] == '/' && p[1] == '/') {
        p += 2;
    }

    end = sluice_url_find(p, last, '?');
    end = end ? end : last;
    len = (size_t) (end - p);

    if (len < 2 || *p != '/') {
        return "unix: needs the absolute path of a socket, as in "
               "unix:/run/redis.sock";
    }

    if (len > SLUICE_URL_SOCKET) {
        return "the socket's path is longer than 107 bytes";
    }

    memcpy(url->path, p, len);

    return sluice_url_parameters(url, end, last, parameters, 3,
                                 "unknown parameter of unix:, there are db, "
                                 "user and password",
                                 "a parameter of unix: is given twice");
}


const char *
sluice_url_parameters(sluice_url_t *url, const char *p, const char *last,
    const sluice_url_parameter_t *parameters, size_t n, const char *unknown,
    const char *twice)
{
    size_t       i;
    unsigned     seen;
    const char  *next, *error;

    /* *p is what goes before each of them */

    for (seen = 0; p < last; p = next) {
        p++;
        next = sluice_url_find(p, last, '&');
        next = next ? next : last;

        for (i = 0; i < n; i++) {
            if ((size_t) (next - p) >= parameters[i].len
                && memcmp(p, parameters[i].name, parameters[i].len) == 0)
            {
                break;
            }
        }

        if (i == n) {
            return unknown;
        }

        if (seen & (1u << i)) {
            return twice;
        }

        seen |= 1u << i;

        error = parameters[i].read(url, p + parameters[i].len, next);
        if (error) {
            return error;
        }
    }

    return NULL;
}


const char *
sluice_url_bytes(const char *text, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        if ((unsigned char) text[i] <= ' ' || text[i] == 0x7f) {
            return "a space or control character, to be written %XX";
        }
    }

    return NULL;
}


static const char *
sluice_url_read(sluice_url_t *url, const char *text, size_t len)
{
    size_t       i;
    const char  *error;

    static const struct {
        const char   *scheme;
        size_t        len;
        const char   *error;
        const char *(*parse)(sluice_url_t *url, const char *p,
                             const char *last);
    } schemes[] = {
        { "redis://", 8, NULL, sluice_url_redis },
        { "unix:", 5, NULL, sluice_url_unix },
        { "rediss://", 9, NULL, sluice_url_tls },
        { "redis+sentinel:", 15, "redis+sentinel: is not supported", NULL },
        { "redis+cluster:", 14, "redis+cluster: is not supported", NULL },
        { "rediss+sentinel:", 16, "rediss+sentinel: is not supported", NULL },
        { "rediss+cluster:", 15, "rediss+cluster: is not supported", NULL }
    };

    error = sluice_url_bytes(text, len);
    if (error) {
        return error;
    }

    for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (len >= schemes[i].len
            && strncasecmp(text, schemes[i].scheme, schemes[i].len) == 0)
        {
            if (schemes[i].error) {
                return schemes[i].error;
            }

            return schemes[i].parse(url, text + schemes[i].len, text + len);
        }
    }

    return "must begin with redis://, rediss:// or unix:/";
}


const char *
sluice_url_parse(sluice_url_t *url, const char *text, size_t len)
{
    const char  *error;

    memset(url, 0, sizeof(*url));
    url->port = 6379;

    error = sluice_url_read(url, text, len);

    if (error) {
        memset(url, 0, sizeof(*url));
    }

    return error;
}
