/* Parameters of the query and members of the body. */

#include <stdlib.h>
#include <string.h>
#include "worker/admin/parts.h"


const char *
call_text(call_t *call, const char *name)
{
    return evhttp_find_header(&call->query, name);
}


bool
call_number(call_t *call, const char *name, int64_t min, int64_t max,
    int64_t *value)
{
    size_t       len;
    int64_t      number;
    const char  *text;

    text = call_text(call, name);

    if (text == NULL) {
        return true;
    }

    len = strlen(text);
    number = (len > 0 && len < 16 && strspn(text, "0123456789") == len)
             ? strtoll(text, NULL, 10) : min - 1;

    if (number < min || number > max) {
        call_problem(call, 400, name, "must be a number from %lld to %lld",
                     (long long) min, (long long) max);
        return false;
    }

    *value = number;

    return true;
}


bool
call_flag(call_t *call, const char *name, bool *value)
{
    const char  *text;

    text = call_text(call, name);

    if (text == NULL) {
        return true;
    }

    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
        call_problem(call, 400, name, "must be true or false");
        return false;
    }

    *value = text[0] == 't';

    return true;
}


bool
call_state(call_t *call, job_state_e *state)
{
    job_state_e  i;
    const char  *text;

    text = call_text(call, "state");

    if (text == NULL) {
        return true;
    }

    for (i = 0; i < STATE_MAX; i++) {
        if (strcmp(text, queue_states[i]) == 0) {
            *state = i;
            return true;
        }
    }

    call_problem(call, 400, "state", "must be waiting, active, delayed,"
                 " prioritized, waiting-children, completed or failed");

    return false;
}


bool
call_members(call_t *call, const char *const *names)
{
    size_t       i;
    json_t      *value;
    const char  *name;

    json_object_foreach (call->body, name, value) {
        for (i = 0; names[i] && strcmp(names[i], name) != 0; i++) {
            /* void */
        }

        if (names[i] == NULL) {
            call_problem(call, 400, name, "an unknown member");
            return false;
        }
    }

    return true;
}


bool
call_member_number(call_t *call, const char *name, int64_t min, int64_t max,
    int64_t *value)
{
    json_t  *member;

    member = json_object_get(call->body, name);

    if (member == NULL) {
        return true;
    }

    if (!json_is_integer(member) || json_integer_value(member) < min
        || json_integer_value(member) > max)
    {
        call_problem(call, 400, name, "must be a number from %lld to %lld",
                     (long long) min, (long long) max);
        return false;
    }

    *value = json_integer_value(member);

    return true;
}


bool
call_member_flag(call_t *call, const char *name, bool *value)
{
    json_t  *member;

    member = json_object_get(call->body, name);

    if (member == NULL) {
        return true;
    }

    if (!json_is_boolean(member)) {
        call_problem(call, 400, name, "must be true or false");
        return false;
    }

    *value = json_is_true(member);

    return true;
}
