#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <event2/bufferevent_ssl.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <openssl/err.h>
#include "worker/link_parts.h"


struct bufferevent *
link_stream(struct event_base *base, tls_t *tls, const char *host)
{
    SSL                 *ssl;
    struct bufferevent  *bev;

    if (tls == NULL) {
        return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    }

    ssl = tls_open(tls, host);

    if (ssl == NULL) {
        return NULL;
    }

    bev = bufferevent_openssl_socket_new(base, -1, ssl,
                                         BUFFEREVENT_SSL_CONNECTING,
                                         BEV_OPT_CLOSE_ON_FREE);
    if (bev == NULL) {
        SSL_free(ssl);
        return NULL;
    }

    /* the length of each reply is known: one cut short is no reply */

    bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);

    return bev;
}


int
link_connect_unix(struct bufferevent *bev, const char *path)
{
    int                 fd;
    struct sockaddr_un  un;

    memset(&un, 0, sizeof(un));
    un.sun_family = AF_UNIX;

    if (strlen(path) >= sizeof(un.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }

    strcpy(un.sun_path, path);

    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }

    /* never EINPROGRESS: a full backlog is EAGAIN and tried again later */

    if (connect(fd, (struct sockaddr *) &un, sizeof(un)) != 0
        || bufferevent_setfd(bev, fd) != 0)
    {
        close(fd);
        return -1;
    }

    return 0;
}


void
link_failure(struct bufferevent *bev, const tls_t *tls, const char *host,
    short what, char *text, size_t size)
{
    int             err;
    SSL            *ssl;
    const char     *why;
    unsigned long   code;

    err = EVUTIL_SOCKET_ERROR();
    ssl = bufferevent_openssl_get_ssl(bev);
    code = ssl ? bufferevent_get_openssl_error(bev) : 0;

    /* an error of the socket, such as a refused connect, is none of TLS */

    if (code && ERR_reason_error_string(code)) {
        tls_why(tls, ssl, host, code, text, size);
        return;
    }

    if ((what & BEV_EVENT_EOF) || (ssl && SSL_is_init_finished(ssl))) {
        why = "closed by Redis";

    } else if (bufferevent_socket_get_dns_error(bev)) {
        why = evutil_gai_strerror(bufferevent_socket_get_dns_error(bev));

    } else {
        why = err ? strerror(err) : "connection failed";
    }

    snprintf(text, size, "%s", why);
}
