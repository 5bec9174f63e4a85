#include <stdlib.h>
#include <string.h>
#include "graph_api.h"


#define PAGE  25

struct templates_s {
    json_t    *list;       /* of {id, name, language, status, category, ...} */
    uint64_t   counter;
};


static json_t *
template_new(templates_t *templates, const char *name, const char *language,
    const char *category, json_t *components)
{
    char     id[32];
    json_t  *template;

    snprintf(id, sizeof(id), "77%013llu",
             (unsigned long long) ++templates->counter);

    template = json_pack("{ss, ss, ss, ss, ss, so}", "id", id, "name", name,
                         "language", language, "status", "APPROVED",
                         "category", category, "components",
                         components ? components : json_array());
    json_array_append_new(templates->list, must(template));

    return template;
}


templates_t *
templates_create(void)
{
    templates_t  *templates;

    templates = must(calloc(1, sizeof(*templates)));
    templates_reset(templates);

    return templates;
}


void
templates_reset(templates_t *templates)
{
    json_decref(templates->list);
    templates->list = must(json_array());
    templates->counter = 0;

    template_new(templates, "hello_world", "en_US", "UTILITY",
                 json_pack("[{ss, ss}]", "type", "BODY", "text",
                           "Welcome and congratulations!!"));
}


static bool
wanted(const json_t *template, struct evhttp_request *req)
{
    bool         same;
    char        *value;
    size_t       i;
    const char  *have;
    static const char *const  filters[] = {
        "name", "status", "category", "language"
    };

    for (i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        value = query_get(req, filters[i]);

        if (value == NULL) {
            continue;
        }

        have = json_string_value(json_object_get(template, filters[i]));
        same = i == 0 ? strstr(have, value) != NULL
                      : strcasecmp(have, value) == 0;
        free(value);

        if (!same) {
            return false;
        }
    }

    return true;
}


/* a cursor is the id of the last template that was seen */

void
templates_list(standin_t *standin, struct evhttp_request *req,
    const char *account)
{
    char        *limit, *after, next[512];
    long         max;
    bool         more, skip;
    size_t       i;
    json_t      *data, *template, *paging;
    const char  *host, *id;

    limit = query_get(req, "limit");
    after = query_get(req, "after");
    max = limit ? strtol(limit, NULL, 10) : PAGE;

    if (max < 1) {
        max = PAGE;
    }

    data = must(json_array());
    skip = after != NULL;
    more = false;

    json_array_foreach(standin->templates->list, i, template) {
        id = json_string_value(json_object_get(template, "id"));

        if (skip) {
            skip = strcmp(id, after) != 0;
            continue;
        }

        if (!wanted(template, req)) {
            continue;
        }

        if (json_array_size(data) == (size_t) max) {
            more = true;
            break;
        }

        json_array_append(data, template);
    }

    paging = must(json_object());

    if (json_array_size(data) > 0) {
        json_object_set_new(paging, "cursors",
            json_pack("{sO, sO}", "before",
                      json_object_get(json_array_get(data, 0), "id"), "after",
                      json_object_get(json_array_get(data,
                                          json_array_size(data) - 1), "id")));
    }

    if (more) {
        host = evhttp_find_header(evhttp_request_get_input_headers(req),
                                  "Host");
        snprintf(next, sizeof(next),
                 "http://%s/v26.0/%s/message_templates?limit=%ld&after=%s",
                 host ? host : "localhost", account, max,
                 json_string_value(json_object_get(json_array_get(data,
                                       json_array_size(data) - 1), "id")));
        json_object_set_new(paging, "next", json_string(next));
    }

    free(limit);
    free(after);

    answer_json(standin, req, 200,
                json_pack("{so, so}", "data", data, "paging", paging));
}


static json_t *
body_object(standin_t *standin, struct evhttp_request *req)
{
    size_t       len;
    json_t      *body;
    const char  *text;

    text = body_get(req, &len);
    body = json_loadb(text, len, 0, NULL);

    if (!json_is_object(body)) {
        json_decref(body);
        answer_error(standin, req, 400, 100,
                     "The body must be a JSON object.");
        return NULL;
    }

    return body;
}


void
templates_post(standin_t *standin, struct evhttp_request *req)
{
    json_t      *body, *template;
    const char  *name, *language, *category;

    body = body_object(standin, req);

    if (body == NULL) {
        return;
    }

    name = json_string_value(json_object_get(body, "name"));
    language = json_string_value(json_object_get(body, "language"));
    category = json_string_value(json_object_get(body, "category"));

    if (name == NULL || *name == '\0' || strlen(name) > 512
        || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")])
    {
        answer_error(standin, req, 400, 100,
                     "Param name must be lower case letters, digits and _.");

    } else if (language == NULL || category == NULL) {
        answer_error(standin, req, 400, 100,
                     "The parameters language and category are required.");

    } else {
        template = template_new(standin->templates, name, language, category,
                                json_incref(json_object_get(body,
                                                            "components")));
        answer_json(standin, req, 200,
                    json_pack("{sO, ss, sO}", "id",
                              json_object_get(template, "id"), "status",
                              "PENDING", "category",
                              json_object_get(template, "category")));
    }

    json_decref(body);
}


bool
templates_edit(standin_t *standin, struct evhttp_request *req, const char *id)
{
    size_t   i;
    json_t  *template, *body;

    json_array_foreach(standin->templates->list, i, template) {

        if (strcmp(json_string_value(json_object_get(template, "id")), id)
            != 0)
        {
            continue;
        }

        body = body_object(standin, req);

        if (body) {
            json_object_update_existing(template, body);
            json_object_set_new(template, "id", json_string(id));
            json_decref(body);
            answer_json(standin, req, 200, json_pack("{sb}", "success", 1));
        }

        return true;
    }

    return false;
}


void
templates_delete(standin_t *standin, struct evhttp_request *req)
{
    char    *name, *id;
    bool     found;
    size_t   i;
    json_t  *list, *template;

    name = query_get(req, "name");
    id = query_get(req, "hsm_id");
    list = standin->templates->list;
    found = false;

    for (i = json_array_size(list); i-- > 0 && (name || id); /* void */ ) {
        template = json_array_get(list, i);

        if ((name == NULL
             || strcmp(json_string_value(json_object_get(template, "name")),
                       name) == 0)
            && (id == NULL
                || strcmp(json_string_value(json_object_get(template, "id")),
                          id) == 0))
        {
            json_array_remove(list, i);
            found = true;
        }
    }

    free(name);
    free(id);

    if (found) {
        answer_json(standin, req, 200, json_pack("{sb}", "success", 1));

    } else {
        answer_error(standin, req, 400, 100,
                     "The message template was not found.");
    }
}
