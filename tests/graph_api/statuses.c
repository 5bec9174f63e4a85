#include <stdlib.h>
#include <string.h>
#include "graph_api.h"


#define STEPS_MAX  16
#define POSTS_MAX  64      /* webhooks on their way at once */

typedef struct story_s  story_t;
typedef struct item_s   item_t;

/* one status that is due, in the line */
struct item_s {
    item_t       *next;
    json_t       *change;
};

/* one message and what is still to be told of it */
struct story_s {
    statuses_t   *statuses;
    story_t      *next, **prev;
    struct event *timer;
    size_t        step, nsteps;
    int           steps[STEPS_MAX];
    int64_t       delay;
    char         *wamid, *number, *wa_id, *user_id, *callback_data;
    char         *category;
};

struct statuses_s {
    standin_t    *standin;
    story_t      *stories;
    item_t       *first, **last;
    size_t        line, posts;
    int           steps[STEPS_MAX];    /* index of names, or -code: failed */
    size_t        nsteps;
    int64_t       delay;
    size_t        batch;
    uint64_t      told;
};

static const char *const  names[] = {
    "sent", "delivered", "read", "played", "failed"
};


statuses_t *
statuses_create(standin_t *standin)
{
    statuses_t  *statuses;

    statuses = must(calloc(1, sizeof(*statuses)));
    statuses->standin = standin;
    statuses->last = &statuses->first;
    statuses_reset(statuses);

    return statuses;
}


static void
story_free(story_t *story)
{
    *story->prev = story->next;

    if (story->next) {
        story->next->prev = story->prev;
    }

    event_free(story->timer);
    free(story->wamid);
    free(story->number);
    free(story->wa_id);
    free(story->user_id);
    free(story->callback_data);
    free(story->category);
    free(story);
}


void
statuses_reset(statuses_t *statuses)
{
    item_t  *item;

    while (statuses->stories) {
        story_free(statuses->stories);
    }

    while ((item = statuses->first)) {
        statuses->first = item->next;
        json_decref(item->change);
        free(item);
    }

    statuses->last = &statuses->first;
    statuses->line = 0;
    statuses->told = 0;
    statuses->nsteps = 3;
    statuses->steps[0] = 0;
    statuses->steps[1] = 1;
    statuses->steps[2] = 2;
    statuses->delay = statuses->standin->options.status_delay;
    statuses->batch = 1;
}


static json_t *
status_object(const story_t *story, int step)
{
    int          code;
    char         time[32];
    json_t      *status;
    const char  *title;

    snprintf(time, sizeof(time), "%lld", (long long) (now_ms() / 1000));

    status = json_pack("{ss, ss, ss}", "id", story->wamid, "status",
                       step < 0 ? "failed" : names[step], "timestamp", time);

    if (story->wa_id) {
        json_object_set_new(status, "recipient_id",
                            json_string(story->wa_id));
    }

    if (step < 0) {
        code = -step;
        title = error_title(code);
        json_object_set_new(status, "errors",
            json_pack("[{si, ss, ss, s{ss}, ss}]", "code", code, "title",
                      title, "message", title, "error_data", "details", title,
                      "href", "https://developers.facebook.com/docs/whatsapp/"
                              "cloud-api/support/error-codes/"));

    } else {
        json_object_set_new(status, "recipient_user_id",
                            json_string(story->user_id));
    }

    if (step == 0 || step == 1) {
        json_object_set_new(status, "pricing",
            json_pack("{sb, ss, ss, ss}", "billable", 1, "pricing_model",
                      "PMP", "type", "regular", "category", story->category));
    }

    if (story->callback_data) {
        json_object_set_new(status, "biz_opaque_callback_data",
                            json_string(story->callback_data));
    }

    return must(status);
}


static json_t *
change_object(const story_t *story, int step)
{
    char     display[32];
    json_t  *value, *contact;

    account_display(display, sizeof(display), story->number);

    value = must(json_pack("{ss, s{ss, ss}}", "messaging_product", "whatsapp",
                           "metadata", "display_phone_number", display,
                           "phone_number_id", story->number));

    if (step >= 0) {
        contact = json_pack("{s{ss}}", "profile", "name", "Stand-in Person");

        if (story->wa_id) {
            json_object_set_new(contact, "wa_id", json_string(story->wa_id));
        }

        json_object_set_new(contact, "user_id", json_string(story->user_id));
        json_object_set_new(value, "contacts", json_pack("[o]", contact));
    }

    json_object_set_new(value, "statuses",
                        json_pack("[o]", status_object(story, step)));

    return must(json_pack("{so, ss}", "value", value, "field", "messages"));
}


static void posts_start(statuses_t *statuses);


static void
post_done(void *data)
{
    statuses_t  *statuses;

    statuses = data;
    statuses->posts--;
    posts_start(statuses);
}


/* as many webhooks as may be on their way, each of up to `batch` statuses */

static void
posts_start(statuses_t *statuses)
{
    char    *text;
    item_t  *item;
    json_t  *changes, *body;

    while (statuses->first && statuses->posts < POSTS_MAX) {
        changes = must(json_array());

        while (statuses->first && json_array_size(changes) < statuses->batch) {
            item = statuses->first;
            statuses->first = item->next;
            statuses->line--;

            if (statuses->first == NULL) {
                statuses->last = &statuses->first;
            }

            json_array_append_new(changes, item->change);
            free(item);
        }

        statuses->posts++;
        statuses->told += json_array_size(changes);

        body = must(json_pack("{ss, s[{ss, so}]}", "object",
                              "whatsapp_business_account", "entry", "id",
                              statuses->standin->options.account, "changes",
                              changes));

        /* Meta writes non-ASCII and slashes escaped and signs that */

        text = must(json_dumps(body, JSON_COMPACT|JSON_ENSURE_ASCII
                                     |JSON_ESCAPE_SLASH));
        json_decref(body);
        webhook_post(statuses->standin->webhook, text, strlen(text),
                     post_done, statuses);
        free(text);
    }
}


static void
story_arm(story_t *story)
{
    struct timeval  tv;

    tv.tv_sec = story->delay / 1000;
    tv.tv_usec = story->delay % 1000 * 1000;
    evtimer_add(story->timer, &tv);
}


static void
story_on(evutil_socket_t fd, short what, void *data)
{
    item_t      *item;
    story_t     *story;
    statuses_t  *statuses;

    story = data;
    statuses = story->statuses;

    item = must(calloc(1, sizeof(*item)));
    item->change = change_object(story, story->steps[story->step]);
    *statuses->last = item;
    statuses->last = &item->next;
    statuses->line++;

    if (++story->step == story->nsteps) {
        story_free(story);

    } else {
        story_arm(story);
    }

    posts_start(statuses);
}


static char *
copy(const char *text)
{
    return text ? must(strdup(text)) : NULL;
}


void
statuses_start(statuses_t *statuses, const status_of_t *of)
{
    story_t  *story;

    if (statuses->standin->options.no_status || statuses->nsteps == 0
        || !webhook_known(statuses->standin->webhook))
    {
        return;
    }

    story = must(calloc(1, sizeof(*story)));
    story->statuses = statuses;
    story->timer = must(evtimer_new(statuses->standin->base, story_on, story));
    story->nsteps = statuses->nsteps;
    memcpy(story->steps, statuses->steps, sizeof(story->steps));
    story->delay = statuses->delay;
    story->wamid = copy(of->wamid);
    story->number = copy(of->number);
    story->wa_id = copy(of->wa_id);
    story->user_id = copy(of->user_id);
    story->callback_data = copy(of->callback_data);
    story->category = copy(of->category);

    story->next = statuses->stories;
    story->prev = &statuses->stories;

    if (story->next) {
        story->next->prev = &story->next;
    }

    statuses->stories = story;
    story_arm(story);
}


static bool
step_read(int *step, const char *text)
{
    char  *end;
    int    i;
    long   code;

    for (i = 0; i < 4; i++) {
        if (strcmp(names[i], text) == 0) {
            *step = i;
            return true;
        }
    }

    if (strncmp(text, "failed:", 7) == 0) {
        code = strtol(text + 7, &end, 10);

        if (*end == '\0' && code > 0 && code < 10000000) {
            *step = (int) -code;
            return true;
        }
    }

    return false;
}


const char *
statuses_set(statuses_t *statuses, const json_t *body)
{
    int      steps[STEPS_MAX];
    size_t   i;
    json_t  *emit, *delay, *batch, *name;

    emit = json_object_get(body, "emit");
    delay = json_object_get(body, "delay");
    batch = json_object_get(body, "batch");

    if (emit && (!json_is_array(emit) || json_array_size(emit) > STEPS_MAX)) {
        return "emit: an array of at most 16 statuses";
    }

    json_array_foreach(emit, i, name) {
        if (!json_is_string(name)
            || !step_read(&steps[i], json_string_value(name)))
        {
            return "emit: of sent, delivered, read, played, failed:NNN";
        }
    }

    if (delay && (!json_is_integer(delay) || json_integer_value(delay) < 0)) {
        return "delay: milliseconds";
    }

    if (batch && (!json_is_integer(batch) || json_integer_value(batch) < 1
                  || json_integer_value(batch) > 1000))
    {
        return "batch: from 1 to 1000";
    }

    if (emit) {
        statuses->nsteps = json_array_size(emit);
        memcpy(statuses->steps, steps, sizeof(int) * statuses->nsteps);
    }

    if (delay) {
        statuses->delay = json_integer_value(delay);
    }

    if (batch) {
        statuses->batch = (size_t) json_integer_value(batch);
    }

    return NULL;
}


json_t *
statuses_state(const statuses_t *statuses)
{
    json_int_t      stories;
    const story_t  *story;

    stories = 0;

    for (story = statuses->stories; story; story = story->next) {
        stories++;
    }

    return must(json_pack("{sI, sI, sI, sI}", "to_come", stories, "in_line",
                          (json_int_t) statuses->line, "on_their_way",
                          (json_int_t) statuses->posts, "told",
                          (json_int_t) statuses->told));
}
