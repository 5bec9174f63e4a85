/* New jobs. */

#include <string.h>
#include "worker/admin/parts.h"


/* an id from outside is never a job's id as it is: see core/keys.h */

static bool
add_id(call_t *call, char id[SLUICE_KEYS_ID_MAX + 1])
{
    size_t   len;
    json_t  *member;

    id[0] = '\0';
    member = json_object_get(call->body, "id");

    if (member == NULL) {
        return true;
    }

    len = json_string_length(member);

    if (len == 0 || len > 256) {
        call_problem(call, 400, "id", "must be a text of 1 to 256 bytes");
        return false;
    }

    len = sluice_keys_job_id(id, 'm', json_string_value(member), len);

    if (len == 0) {
        call_problem(call, 500, NULL, "no digest");
        return false;
    }

    id[len] = '\0';

    return true;
}


static void
add_replied(void *data, const redisReply *reply)
{
    call_t      *call = data;
    const char  *what, *id;

    if (!call_read(call, queue_read_inserted(&call->queue, reply, &what,
                                             &id)))
    {
        return;
    }

    call_answer(call, strcmp(what, "added") == 0 ? 201 : 200,
                json_pack("{s:o, s:s}", "id", text_json(id, strlen(id)),
                          "result", what));
}


void
add_delayed(call_t *call)
{
    char                   id[SLUICE_KEYS_ID_MAX + 1];
    job_new_t              job;
    job_wrong_t            wrong;
    sluice_redis_result_e  rc;

    if (!add_id(call, id)) {
        return;
    }

    if (!job_new_read(&job, call->body, id, &wrong)) {
        call_problem(call, 400, wrong.field, "%s", wrong.what);
        return;
    }

    rc = queue_insert(call_redis(call), &call->queue, id, &job, add_replied,
                      call);
    job_new_free(&job);

    (void) call_sent(call, rc);
}
