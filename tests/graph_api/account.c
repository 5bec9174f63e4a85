#include <stdlib.h>
#include <string.h>
#include "graph_api.h"


void
account_display(char *dst, size_t size, const char *id)
{
    size_t  n;

    n = strlen(id);
    snprintf(dst, size, "1555%s", n > 7 ? id + n - 7 : id);
}


static json_t *
number_object(const char *id)
{
    char  display[32];

    account_display(display, sizeof(display), id);

    return must(json_pack("{ss, ss, ss, ss, ss, ss, ss, ss, s{ss}, ss, ss}",
                          "verified_name", "Stand-in",
                          "display_phone_number", display,
                          "quality_rating", "GREEN", "status", "CONNECTED",
                          "name_status", "APPROVED",
                          "code_verification_status", "VERIFIED",
                          "platform_type", "CLOUD_API",
                          "account_mode", "LIVE",
                          "throughput", "level", "STANDARD",
                          "whatsapp_business_manager_messaging_limit",
                          "TIER_10K", "id", id));
}


/* only the fields asked for; the id always */

static json_t *
only_fields(json_t *object, struct evhttp_request *req)
{
    char    *fields, *name, *save;
    json_t  *chosen;

    fields = query_get(req, "fields");

    if (fields == NULL) {
        return object;
    }

    chosen = must(json_object());

    for (name = strtok_r(fields, ",", &save);
         name;
         name = strtok_r(NULL, ",", &save))
    {
        if (json_object_get(object, name)) {
            json_object_set(chosen, name, json_object_get(object, name));
        }
    }

    json_object_set(chosen, "id", json_object_get(object, "id"));
    json_decref(object);
    free(fields);

    return chosen;
}


void
account_number(standin_t *standin, struct evhttp_request *req, const char *id)
{
    answer_json(standin, req, 200, only_fields(number_object(id), req));
}


void
account_numbers(standin_t *standin, struct evhttp_request *req)
{
    static const char  id[] = "498877665544332";

    answer_json(standin, req, 200,
                json_pack("{s[o], s{s{ss, ss}}}", "data",
                          only_fields(number_object(id), req), "paging",
                          "cursors", "before", id, "after", id));
}


void
account_profile(standin_t *standin, struct evhttp_request *req)
{
    if (evhttp_request_get_command(req) == EVHTTP_REQ_GET) {
        answer_json(standin, req, 200,
                    json_pack("{s[{ss, ss}]}", "data", "about", "Stand-in",
                              "messaging_product", "whatsapp"));
        return;
    }

    answer_json(standin, req, 200, json_pack("{sb}", "success", 1));
}


void
account_apps(standin_t *standin, struct evhttp_request *req)
{
    if (evhttp_request_get_command(req) == EVHTTP_REQ_GET) {
        answer_json(standin, req, 200,
                    json_pack("{s[{s{ss, ss}}]}", "data",
                              "whatsapp_business_api_data", "name",
                              "Stand-in", "id", "670843887433847"));
        return;
    }

    answer_json(standin, req, 200, json_pack("{sb}", "success", 1));
}
