#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>
#include "graph_api.h"


#define SEGMENTS  4


char *
query_get(struct evhttp_request *req, const char *name)
{
    char                  *value;
    const char            *query, *found;
    struct evkeyvalq       pairs;

    query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));

    if (query == NULL || evhttp_parse_query_str(query, &pairs) != 0) {
        return NULL;
    }

    found = evhttp_find_header(&pairs, name);
    value = found ? must(strdup(found)) : NULL;
    evhttp_clear_headers(&pairs);

    return value;
}


const char *
body_get(struct evhttp_request *req, size_t *len)
{
    struct evbuffer  *in;

    in = evhttp_request_get_input_buffer(req);
    *len = evbuffer_get_length(in);

    return *len ? (const char *) evbuffer_pullup(in, -1) : "";
}


/* "/v26.0/a/b" -> "a", "b"; the version may be missing */

static size_t
split(char *path, char *parts[SEGMENTS])
{
    char    *part, *save, *p;
    size_t   n;

    n = 0;

    for (part = strtok_r(path, "/", &save);
         part;
         part = strtok_r(NULL, "/", &save))
    {
        if (n == 0 && part[0] == 'v' && isdigit((unsigned char) part[1])) {

            for (p = part + 1; isdigit((unsigned char) *p) || *p == '.'; p++) {
                /* void */
            }

            if (*p == '\0') {
                continue;
            }
        }

        if (n == SEGMENTS) {
            return SEGMENTS + 1;
        }

        parts[n++] = part;
    }

    return n;
}


static bool
authorized(standin_t *standin, struct evhttp_request *req)
{
    size_t       i;
    const char  *header;

    header = evhttp_find_header(evhttp_request_get_input_headers(req),
                                "Authorization");

    if (header == NULL || strncasecmp(header, "Bearer ", 7) != 0
        || header[7] == '\0')
    {
        answer_error(standin, req, 401, 190,
                     "An access token is required to request this resource.");
        return false;
    }

    for (i = 0; i < standin->options.ntokens; i++) {
        if (strcmp(header + 7, standin->options.tokens[i]) == 0) {
            return true;
        }
    }

    if (standin->options.ntokens == 0) {
        return true;
    }

    answer_error(standin, req, 401, 190,
                 "Error validating access token: the token is not valid.");

    return false;
}


static bool
all_digits(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}


static void
unsupported(standin_t *standin, struct evhttp_request *req, const char *id)
{
    char         text[256];
    const char  *verb;

    switch (evhttp_request_get_command(req)) {
    case EVHTTP_REQ_GET:
        verb = "get";
        break;
    case EVHTTP_REQ_DELETE:
        verb = "delete";
        break;
    default:
        verb = "post";
    }

    snprintf(text, sizeof(text), "Unsupported %s request. Object with ID "
             "'%.64s' does not exist, cannot be loaded due to missing "
             "permissions, or does not support this operation.", verb, id);
    answer_error(standin, req, 400, 33, text);
}


/* /<id>: a medium, a template or a number */

static void
route_object(standin_t *standin, struct evhttp_request *req, const char *id)
{
    bool  found;

    found = false;

    switch (evhttp_request_get_command(req)) {

    case EVHTTP_REQ_GET:
        found = media_get(standin, req, id);

        if (!found && all_digits(id)) {
            account_number(standin, req, id);
            found = true;
        }
        break;

    case EVHTTP_REQ_DELETE:
        found = media_get(standin, req, id);
        break;

    case EVHTTP_REQ_POST:
        found = templates_edit(standin, req, id);
        break;

    default:
        break;
    }

    if (!found) {
        unsupported(standin, req, id);
    }
}


static void
route_edge(standin_t *standin, struct evhttp_request *req, const char *id,
    const char *edge)
{
    int  command;

    command = evhttp_request_get_command(req);

    if (!all_digits(id)) {
        unsupported(standin, req, id);

    } else if (strcmp(edge, "messages") == 0
               && command == EVHTTP_REQ_POST)
    {
        messages_post(standin, req, id, false);

    } else if (strcmp(edge, "marketing_messages") == 0
               && command == EVHTTP_REQ_POST)
    {
        messages_post(standin, req, id, true);

    } else if (strcmp(edge, "media") == 0 && command == EVHTTP_REQ_POST) {
        media_post(standin, req);

    } else if (strcmp(edge, "message_templates") == 0) {

        if (command == EVHTTP_REQ_GET) {
            templates_list(standin, req, id);

        } else if (command == EVHTTP_REQ_DELETE) {
            templates_delete(standin, req);

        } else {
            templates_post(standin, req);
        }

    } else if (strcmp(edge, "phone_numbers") == 0
               && command == EVHTTP_REQ_GET)
    {
        account_numbers(standin, req);

    } else if (strcmp(edge, "whatsapp_business_profile") == 0) {
        account_profile(standin, req);

    } else if (strcmp(edge, "subscribed_apps") == 0) {
        account_apps(standin, req);

    } else if (command == EVHTTP_REQ_POST
               && (strcmp(edge, "register") == 0
                   || strcmp(edge, "deregister") == 0))
    {
        answer_json(standin, req, 200, json_pack("{sb}", "success", 1));

    } else {
        answer_error(standin, req, 400, 2500,
                     "Unknown path components");
    }
}


void
route(struct evhttp_request *req, void *data)
{
    char        *path, *parts[SEGMENTS + 1];
    size_t       n;
    standin_t   *standin;
    const char  *raw;

    standin = data;
    raw = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(req));

    if (raw == NULL) {
        raw = "/";
    }

    if (strncmp(raw, "/standin/", 9) == 0) {
        standin_control(standin, req, raw + 9);
        return;
    }

    if (!authorized(standin, req)) {
        return;
    }

    path = must(strdup(raw));
    n = split(path, parts);

    if (n == 1) {
        route_object(standin, req, parts[0]);

    } else if (n == 2 && strcmp(parts[0], "download") == 0) {
        media_download(standin, req, parts[1]);

    } else if (n == 2) {
        route_edge(standin, req, parts[0], parts[1]);

    } else {
        answer_error(standin, req, 400, 2500, "Unknown path components");
    }

    free(path);
}
