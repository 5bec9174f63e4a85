/*
 * Listens, checks the key, finds the route, reads the body.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <event2/buffer.h>
#include <event2/listener.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include "worker/admin/parts.h"


#define ADMIN_BODY      (1024 * 1024)
#define ADMIN_HEADERS   (16 * 1024)
#define ADMIN_TIMEOUT   60     /* s for a request to come, or to be taken */


struct admin_s {
    struct evhttp     *http;
    links_t           *links;
    const settings_t  *settings;
    zones_t           *zones;
    char              *path;      /* of the unix socket */
    struct streams_s   streams;
    size_t             edition;   /* of the settings */
};


typedef struct {
    call_next_pt  run;
    bool          body;     /* an object must come with it */
} operation_t;

static const operation_t  operations[ROUTE_MAX] = {
    [ROUTE_QUEUES] = { find_queues, false },
    [ROUTE_QUEUE] = { jobs_queue, false },
    [ROUTE_OBLITERATE] = { many_obliterate, false },
    [ROUTE_ADD] = { add_delayed, true },
    [ROUTE_REPEAT_ADD] = { repeat_add, true },
    [ROUTE_REPEAT_CHANGE] = { repeat_change, true },
    [ROUTE_REPEAT_REMOVE] = { repeat_remove, false },
    [ROUTE_SCHEDULERS] = { repeat_list, false },
    [ROUTE_JOBS] = { jobs_page, false },
    [ROUTE_JOB] = { jobs_one, false },
    [ROUTE_PURGE] = { many_purge, false },
    [ROUTE_PAUSE] = { change_pause, false },
    [ROUTE_RESUME] = { change_pause, false },
    [ROUTE_EMPTY] = { change_empty, false },
    [ROUTE_RETRY] = { change_retry, false },
    [ROUTE_PROMOTE] = { change_promote, false },
    [ROUTE_CHANGE] = { change_job, true },
    [ROUTE_REMOVE] = { change_remove, false },
    [ROUTE_ERRORS] = { failed_errors, false },
    [ROUTE_REQUEUE] = { many_requeue, true },
    [ROUTE_EVENTS] = { events_open, false }
};


sluice_redis_t *
call_redis(call_t *call)
{
    return link_redis(links_of(call->admin->links, call->queue.base));
}


sluice_redis_t *
call_registry(call_t *call)
{
    link_t  *link;

    link = links_of(call->admin->links, SLUICE_KEYS_REGISTRY);

    if (!link_ready(link)) {
        call_problem(call, 503, NULL, "Redis cannot be reached");
        return NULL;
    }

    return link_redis(link);
}


const settings_t *
call_settings(call_t *call)
{
    return call->admin->settings;
}


bool
call_current(call_t *call)
{
    return call->edition == call->admin->edition;
}


zones_t *
call_zones(call_t *call)
{
    return call->admin->zones;
}


struct streams_s *
call_streams(call_t *call)
{
    return &call->admin->streams;
}


/* -------------------------------------------------------------- the check */

/*
 * Hashes are compared, and always all of them: neither how much of a key is
 * right nor which one it is can be told from the time.
 */

static const admin_key_t *
http_key(call_t *call)
{
    size_t              i;
    const char         *given;
    const admin_key_t  *key, *found;
    unsigned char       a[SHA256_DIGEST_LENGTH], b[SHA256_DIGEST_LENGTH];

    given = evhttp_find_header(
                evhttp_request_get_input_headers(call->request),
                "Authorization");

    if (given == NULL || strncasecmp(given, "Bearer ", 7) != 0) {
        return NULL;
    }

    given += 7;
    found = NULL;
    SHA256((const unsigned char *) given, strlen(given), a);

    for (i = 0; i < call->admin->settings->nadmin_keys; i++) {
        key = &call->admin->settings->admin_keys[i];
        SHA256((const unsigned char *) key->secret, strlen(key->secret), b);

        if (CRYPTO_memcmp(a, b, sizeof(a)) == 0) {
            found = key;
        }
    }

    return found;
}


static bool
http_query(call_t *call)
{
    const char        *text;
    struct evkeyval   *pair, *other;

    text = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(call->request));

    if (text && text[0] && evhttp_parse_query_str(text, &call->query) != 0) {
        call_problem(call, 400, "query", "the query cannot be read");
        return false;
    }

    TAILQ_FOREACH (pair, &call->query, next) {
        if (!route_query_ok(&call->route, pair->key)) {
            call_problem(call, 400, pair->key, "an unknown parameter");
            return false;
        }

        for (other = pair->next.tqe_next; other; other = other->next.tqe_next)
        {
            if (strcmp(other->key, pair->key) == 0) {
                call_problem(call, 400, pair->key, "given twice");
                return false;
            }
        }
    }

    return true;
}


static bool
http_body(call_t *call, const operation_t *operation)
{
    size_t            len;
    const char       *text;
    json_error_t      error;
    struct evbuffer  *in;

    in = evhttp_request_get_input_buffer(call->request);
    len = evbuffer_get_length(in);

    if (!operation->body) {
        if (len > 0) {
            call_problem(call, 400, "", "this request has no body");
        }

        return len == 0;
    }

    text = len ? (const char *) evbuffer_pullup(in, -1) : "";
    call->body = text ? json_loadb(text, len,
                                   JSON_REJECT_DUPLICATES|JSON_ALLOW_NUL,
                                   &error) : NULL;

    if (!json_is_object(call->body)) {
        call_problem(call, 400, "", "the body must be a JSON object%s%s",
                     text && call->body == NULL ? ": " : "",
                     text && call->body == NULL ? error.text : "");
        return false;
    }

    return true;
}


static void
http_run(call_t *call)
{
    if (call->route.what != ROUTE_QUEUES
        && !link_ready(links_of(call->admin->links, call->queue.base)))
    {
        call_problem(call, 503, NULL, "Redis cannot be reached");

    } else {
        operations[call->route.what].run(call);
    }
}


static void
http_on_request(struct evhttp_request *request, void *data)
{
    call_t             *call;
    const char         *method, *path;
    route_result_e      rc;
    const admin_key_t  *key;

    call = calloc(1, sizeof(call_t));

    if (call == NULL) {
        evhttp_send_error(request, 503, NULL);
        return;
    }

    call->admin = data;
    call->request = request;
    call->edition = call->admin->edition;
    TAILQ_INIT(&call->query);

    key = http_key(call);

    if (key == NULL) {
        evhttp_add_header(evhttp_request_get_output_headers(request),
                          "WWW-Authenticate", "Bearer");
        call_problem(call, 401, "Authorization", "\"Bearer\" and one of the"
                     " keys of the settings is needed");
        return;
    }

    call->tenant = key->tenant;

    switch (evhttp_request_get_command(request)) {
    case EVHTTP_REQ_POST:   method = "POST";    break;
    case EVHTTP_REQ_PUT:    method = "PUT";     break;
    case EVHTTP_REQ_PATCH:  method = "PATCH";   break;
    case EVHTTP_REQ_DELETE: method = "DELETE";  break;
    default:                method = "GET";
    }

    path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
    rc = route_find(&call->route, method, path ? path : "");

    if (rc == ROUTE_BAD) {
        call_problem(call, 400, "path", "%s", call->route.error);

    } else if (rc == ROUTE_NO_PATH) {
        call_problem(call, 404, "path", "there is nothing here");

    } else if (rc == ROUTE_NO_METHOD) {
        evhttp_add_header(evhttp_request_get_output_headers(request), "Allow",
                          call->route.allow);
        call_problem(call, 405, "path", "the methods here are %s",
                     call->route.allow);

    } else if ((call->route.what == ROUTE_QUEUES || find_queue(call))
               && http_query(call)
               && http_body(call, &operations[call->route.what]))
    {
        if (call->asks) {
            find_registered(call, http_run);

        } else {
            http_run(call);
        }
    }
}


/* ------------------------------------------------------------ start, end */

/* by a process that was killed: nobody listens on it */

static bool
http_is_left(const struct sockaddr_un *un)
{
    int   fd;
    bool  left;

    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return false;
    }

    left = connect(fd, (const struct sockaddr *) un, sizeof(*un)) != 0
           && errno == ECONNREFUSED;
    close(fd);

    return left;
}


static bool
http_listen(admin_t *admin, struct event_base *base, const char *where)
{
    int                      len;
    mode_t                   mask;
    struct stat              st;
    struct sockaddr_un       un;
    struct sockaddr_storage  address;
    struct sockaddr         *sa;
    struct evconnlistener   *listener;

    memset(&un, 0, sizeof(un));
    sa = (struct sockaddr *) &address;
    len = sizeof(address);

    if (strncmp(where, "unix:", 5) == 0) {
        un.sun_family = AF_UNIX;
        strcpy(un.sun_path, where + 5);
        sa = (struct sockaddr *) &un;
        len = sizeof(un);

        if (lstat(un.sun_path, &st) == 0 && S_ISSOCK(st.st_mode)
            && http_is_left(&un))
        {
            (void) unlink(un.sun_path);
        }

    } else if (evutil_parse_sockaddr_port(where, sa, &len) != 0) {
        return false;
    }

    /* its group may come in, as NGINX does */

    mask = umask(0117);
    listener = evconnlistener_new_bind(base, NULL, NULL,
                                       LEV_OPT_CLOSE_ON_FREE
                                       | LEV_OPT_CLOSE_ON_EXEC
                                       | LEV_OPT_REUSEABLE, -1, sa, len);
    (void) umask(mask);

    if (listener == NULL) {
        return false;
    }

    if (evhttp_bind_listener(admin->http, listener) == NULL) {
        evconnlistener_free(listener);
        return false;
    }

    if (un.sun_path[0] != '\0') {
        admin->path = strdup(un.sun_path);
    }

    return true;
}


admin_t *
admin_open(struct event_base *base, const settings_t *settings, char *error,
    size_t size)
{
    admin_t      *admin;
    links_conf_t  conf;

    admin = calloc(1, sizeof(admin_t));

    if (admin == NULL) {
        snprintf(error, size, "out of memory");
        return NULL;
    }

    memset(&conf, 0, sizeof(links_conf_t));
    conf.name = "sluiced-admin";
    conf.scripts = queue_admin_scripts;
    conf.nscripts = queue_admin_nscripts;
    conf.waits = LINK_WAITS_ONCE;

    admin->settings = settings;
    admin->http = evhttp_new(base);
    admin->links = links_open(base, settings, &conf);
    admin->zones = zones_open(ZONES_DIR);

    if (admin->http == NULL || admin->links == NULL || admin->zones == NULL) {
        snprintf(error, size, "out of memory");
        admin_close(admin);
        return NULL;
    }

    evhttp_set_max_body_size(admin->http, ADMIN_BODY);
    evhttp_set_max_headers_size(admin->http, ADMIN_HEADERS);
    evhttp_set_timeout(admin->http, ADMIN_TIMEOUT);
    evhttp_set_allowed_methods(admin->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST
                               | EVHTTP_REQ_PUT | EVHTTP_REQ_PATCH
                               | EVHTTP_REQ_DELETE);
    evhttp_set_gencb(admin->http, http_on_request, admin);

    if (!http_listen(admin, base, settings->admin_listen)) {
        snprintf(error, size, "admin: cannot listen on %s: %s",
                 settings->admin_listen,
                 evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
        admin_close(admin);
        return NULL;
    }

    return admin;
}


void
admin_settings(admin_t *admin, const settings_t *settings)
{
    admin->settings = settings;
    admin->edition++;
}


void
admin_close(admin_t *admin)
{
    if (admin == NULL) {
        return;
    }

    links_close(admin->links);

    if (admin->http) {
        evhttp_free(admin->http);
    }

    if (admin->zones) {
        zones_close(admin->zones);
    }

    if (admin->path) {
        (void) unlink(admin->path);
        free(admin->path);
    }

    free(admin);
}
