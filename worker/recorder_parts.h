/*
 * What recorder.c (the steps) and recorder_read.c (what is read of Redis)
 * share.
 */

#ifndef SLUICE_WORKER_RECORDER_PARTS_H
#define SLUICE_WORKER_RECORDER_PARTS_H

#include "worker/links.h"
#include "worker/recorder.h"
#include "worker/recorder_group.h"
#include "worker/recorder_writer.h"


#define RECORDER_RETRY  500    /* ms until a failed step is tried again */


typedef enum {
    RECORDER_READING,
    RECORDER_RESTING,    /* until more has gathered, or somebody tells */
    RECORDER_WRITING,    /* the store has the group */
    RECORDER_WAITING,    /* the store failed: the same group again, later */
    RECORDER_FORGETTING,
    RECORDER_CLOSED
} recorder_state_e;

struct recorder_s {
    links_t             *links;
    recorder_writer_t   *writer;
    struct event        *timer;
    recorder_state_e     state;
    recorder_streams_t   streams;
    recorder_group_t     group;
    size_t               size;        /* bytes of an entry, as last seen */
    size_t               most;        /* streams of one read */
    size_t               count;       /* of one stream in one read */
    int64_t              poll;        /* ms between two reads of a stream of
                                         the settings */
    int64_t              wake;        /* the end of the rest, -1 none */
    int64_t              looked;      /* when for what was left behind */
    int64_t              retry;       /* ms, 0: the store is well */
    int64_t              said;        /* when the log heard of a trouble */
    size_t               answers;     /* that are still to come */
    unsigned             told:1;      /* of the trouble */
};


/* recorder_read.c: the next streams; false: there are none */
bool recorder_read(recorder_t *recorder);

/* recorder.c: what was read is in the group */
void recorder_took(recorder_t *recorder);

/* false: no answer, or an error, of which the log hears now and then */
bool recorder_answer(recorder_t *recorder, const char *what,
    const redisReply *reply);


#endif
