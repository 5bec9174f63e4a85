/* How a call ends: an answer, or what is wrong. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <event2/buffer.h>
#include "worker/admin/parts.h"


void
call_drop(call_t *call)
{
    json_decref(call->body);
    json_decref(call->answer);
    evhttp_clear_headers(&call->query);
    free(call->ids);
    free(call->text);
    free(call);
}


static void
call_end(call_t *call, int status, const char *type, json_t *answer)
{
    char             *text;
    struct evbuffer  *out;

    out = evhttp_request_get_output_buffer(call->request);
    text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;

    if (text) {
        evbuffer_add_printf(out, "%s\n", text);

    } else {
        status = 500;
    }

    evhttp_add_header(evhttp_request_get_output_headers(call->request),
                      "Content-Type", type);
    evhttp_send_reply(call->request, status, NULL, NULL);

    free(text);
    json_decref(answer);
    call_drop(call);
}


void
call_answer(call_t *call, int status, json_t *answer)
{
    call_end(call, status, "application/json", answer);
}


void
call_problem(call_t *call, int status, const char *field, const char *fmt,
    ...)
{
    char         text[512];
    json_t      *problem;
    va_list      args;
    const char  *title;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    title = (status == 400) ? "Bad request" : (status == 401) ? "No valid key"
            : (status == 404) ? "Not found" : (status == 405)
            ? "Not allowed" : (status == 409) ? "Conflict"
            : (status == 503) ? "Redis is away" : "Error";

    problem = json_pack("{s:s, s:s, s:i, s:o}", "type", "about:blank",
                        "title", title, "status", status, "detail",
                        text_json(text, strlen(text)));

    if (problem && field) {
        json_object_set_new(problem, "field",
                            text_json(field, strlen(field)));
    }

    call_end(call, status, "application/problem+json", problem);
}


bool
call_sent(call_t *call, sluice_redis_result_e rc)
{
    if (rc != SLUICE_REDIS_OK) {
        call_problem(call, 503, NULL, "too much waits for Redis: try later");
        return false;
    }

    return true;
}


bool
call_read(call_t *call, queue_read_e rc)
{
    if (rc == QUEUE_READ_AWAY) {
        call_problem(call, 503, NULL, "Redis does not answer, or refuses: it"
                     " is not known whether this was done");
        return false;
    }

    if (rc == QUEUE_READ_WRONG) {
        call_problem(call, 500, NULL, "Redis answers with an error, which is"
                     " in the log of sluiced");
        return false;
    }

    return true;
}


const char *
call_why(int code)
{
    switch (code) {

    case 0:
        return "a worker has the job, or one below it";

    case -1:
        return "there is no such job";

    case -3:
        return "the job is not in that state";

    case -8:
        return "the job is the next run of a scheduler";

    case -12:
        return "the job belongs to a scheduler, or its parent's keys cannot be"
               " written";

    case -13:
        return "more than 1000 jobs are below it";

    default:
        return "refused";
    }
}


void
call_refused(call_t *call, int code)
{
    call_problem(call, code == -1 ? 404 : 409, "id", "%s", call_why(code));
}


sluice_redis_result_e
call_key(call_t *call, const char *command, const char *head,
    const char *rest, sluice_redis_reply_pt reply)
{
    char                   *key;
    sluice_redis_result_e   rc;

    key = malloc(strlen(head) + strlen(rest) + 1);

    if (key == NULL) {
        return SLUICE_REDIS_NOMEM;
    }

    strcpy(stpcpy(key, head), rest);
    rc = sluice_redis_command(call_redis(call), clock_ms(), reply, call,
                              command, key, NULL);
    free(key);

    return rc;
}
