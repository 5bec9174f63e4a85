/*
 * What recorder.c (the steps) and recorder_read.c (consumer groups and entries
 * from Redis) share.
 */

#ifndef SLUICE_WORKER_RECORDER_PARTS_H
#define SLUICE_WORKER_RECORDER_PARTS_H

#include "worker/links.h"
#include "worker/recorder.h"
#include "worker/recorder_group.h"
#include "worker/recorder_writer.h"


#define RECORDER_BLOCK  5000    /* ms that one read waits */


typedef enum {
    RECORDER_AWAY,       /* no Redis */
    RECORDER_OPENING,    /* the consumer groups are made */
    RECORDER_READING,
    RECORDER_RESTING,    /* until more has gathered, or Redis is better */
    RECORDER_WRITING,    /* the store has the group */
    RECORDER_WAITING,    /* the store failed: the same group again, later */
    RECORDER_FORGETTING
} recorder_state_e;

struct recorder_s {
    links_t            *links;
    recorder_writer_t  *writer;
    struct event       *timer;
    recorder_state_e    state;
    recorder_group_t    group;
    size_t              count;       /* of one stream in one read */
    int64_t             looked;      /* when for what was left behind */
    int64_t             retry;       /* ms, 0: the store is well */
    int64_t             said;        /* when the log heard of a trouble */
    size_t              answers;     /* that are still to come */
    unsigned            behind:1;    /* reading what was left behind */
    unsigned            full:1;      /* there is more than was read */
    unsigned            anew:1;      /* the link was lost: begin again */
    unsigned            failed:1;    /* one of the answers was an error */
    unsigned            told:1;      /* ... and the log knows */
    unsigned            cluster:1;
};


/* recorder_read.c */
link_t *recorder_link(const recorder_t *recorder, size_t i);
void recorder_groups(recorder_t *recorder);
void recorder_read(recorder_t *recorder);

/* recorder.c: what was read is in the group; something failed */
void recorder_took(recorder_t *recorder);
void recorder_again(recorder_t *recorder);

/* false: no answer, or an error, of which the log hears now and then */
bool recorder_answer(recorder_t *recorder, const char *what,
    const redisReply *reply);


#endif
