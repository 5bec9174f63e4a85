#include "worker/fair.h"


static size_t
fair_min(size_t a, size_t b)
{
    return (a < b) ? a : b;
}


/* --------------------------------------------------------------- the round */

static void
fair_unlist(fair_t *fair, fair_queue_t *queue)
{
    if (queue->prev) {
        queue->prev->next = queue->next;
    } else {
        fair->first = queue->next;
    }

    if (queue->next) {
        queue->next->prev = queue->prev;
    } else {
        fair->last = queue->prev;
    }

    queue->prev = NULL;
    queue->next = NULL;
    queue->listed = 0;
}


static void
fair_append(fair_t *fair, fair_queue_t *queue)
{
    queue->prev = fair->last;
    queue->next = NULL;
    queue->listed = 1;

    if (fair->last) {
        fair->last->next = queue;
    } else {
        fair->first = queue;
    }

    fair->last = queue;
}


static void
fair_prepend(fair_t *fair, fair_queue_t *queue)
{
    queue->prev = NULL;
    queue->next = fair->first;
    queue->listed = 1;

    if (fair->first) {
        fair->first->prev = queue;
    } else {
        fair->last = queue;
    }

    fair->first = queue;
}


/* those that wait for their group are linked by `next` alone */

static void
fair_unblock(fair_queue_t *queue)
{
    fair_queue_t  **p;

    for (p = &queue->group->first; *p != queue; p = &(*p)->next) {
        /* it is there */
    }

    *p = queue->next;
    queue->next = NULL;
    queue->blocked = 0;
}


static size_t
fair_group_room(const fair_group_t *group)
{
    if (group == NULL || group->cap == 0) {
        return (size_t) -1;
    }

    return (group->used < group->cap) ? group->cap - group->used : 0;
}


static void
fair_release_group(fair_t *fair, fair_group_t *group)
{
    fair_queue_t  *queue;

    while (group && group->first && fair_group_room(group) > 0) {
        queue = group->first;
        group->first = queue->next;
        queue->blocked = 0;

        fair_append(fair, queue);
    }
}


/* small where few jobs are permitted, and large calls where many are */

static size_t
fair_quantum(const fair_t *fair)
{
    size_t  n;

    n = fair->cap / 128;

    return (n < 1) ? 1 : fair_min(n, FAIR_QUANTUM);
}


/* ------------------------------------------------------------ what is said */

void
fair_want(fair_t *fair, fair_queue_t *queue, size_t want)
{
    queue->want = want;
    queue->busy = (want == 0);

    if (queue->listed || queue->blocked || want == 0) {
        return;
    }

    if (queue->deficit > 0 || !queue->known) {
        queue->known = 1;
        fair_prepend(fair, queue);
        return;
    }

    fair_append(fair, queue);
}


/*
 * It stays in the round until its turn is there: one that comes back before is
 * not first again.
 */

void
fair_rest(fair_t *fair, fair_queue_t *queue)
{
    queue->want = 0;
    queue->busy = 0;
    queue->deficit = 0;

    if (queue->blocked) {
        fair_unblock(queue);
    }

    if (queue->known && !queue->listed) {
        fair_append(fair, queue);
    }
}


void
fair_hold(fair_t *fair, fair_queue_t *queue, size_t used, size_t asked)
{
    fair->used += used - queue->used;
    fair->asked += asked - queue->asked;

    if (queue->group) {
        queue->group->used += used - queue->used;
    }

    queue->used = used;
    queue->asked = asked;

    fair_release_group(fair, queue->group);
}


void
fair_leave(fair_t *fair, fair_queue_t *queue)
{
    if (queue->blocked) {
        fair_unblock(queue);
    }

    if (queue->listed) {
        fair_unlist(fair, queue);
    }

    queue->want = 0;
    queue->deficit = 0;
    queue->known = 0;

    fair_hold(fair, queue, 0, 0);
}


void
fair_regroup(fair_t *fair, fair_queue_t *queue, fair_group_t *group)
{
    if (queue->blocked) {
        fair_unblock(queue);
        fair_append(fair, queue);
    }

    if (queue->group) {
        queue->group->used -= queue->used;
        fair_release_group(fair, queue->group);
    }

    queue->group = group;

    if (group) {
        group->used += queue->used;
    }
}


/* ------------------------------------------------------------- who is next */

static void
fair_block(fair_t *fair, fair_queue_t *queue)
{
    fair_queue_t  **p;

    fair_unlist(fair, queue);

    for (p = &queue->group->first; *p; p = &(*p)->next) {
        /* to the end: in the order in which they came */
    }

    *p = queue;
    queue->blocked = 1;
}


static size_t
fair_give(fair_t *fair, fair_queue_t *queue, size_t n)
{
    queue->want -= n;
    queue->deficit -= n;

    fair->used += n;
    fair->asked += n;
    queue->used += n;
    queue->asked += n;

    if (queue->group) {
        queue->group->used += n;
    }

    queue->busy = (queue->want == 0);

    if (queue->deficit == 0) {
        fair_unlist(fair, queue);
        fair_append(fair, queue);

    } else if (queue->busy) {
        fair_unlist(fair, queue);
    }

    return n;
}


size_t
fair_next(fair_t *fair, fair_queue_t **next)
{
    size_t         n, room;
    fair_queue_t  *queue;

    while ((queue = fair->first) != NULL
           && fair->used < fair->cap && fair->asked < FAIR_ASKED)
    {
        if (queue->want == 0 && !queue->busy) {
            queue->known = 0;
            fair_unlist(fair, queue);
            continue;
        }

        if (queue->deficit == 0) {
            queue->deficit = queue->weight * fair_quantum(fair);
        }

        if (queue->busy) {
            fair_unlist(fair, queue);
            continue;
        }

        room = fair_group_room(queue->group);

        if (room == 0) {
            fair_block(fair, queue);
            continue;
        }

        n = fair_min(fair_min(queue->want, queue->deficit), room);
        n = fair_min(n, fair->cap - fair->used);
        n = fair_min(n, FAIR_ASKED - fair->asked);

        *next = queue;

        return fair_give(fair, queue, n);
    }

    return 0;
}
