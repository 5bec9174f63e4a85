/*
 * The streams of records that there are to read, and which of them are next.
 * Those of the settings stay; those that somebody told of go when nobody has
 * for a while.  Pure.
 */

#ifndef SLUICE_WORKER_RECORDER_STREAMS_H
#define SLUICE_WORKER_RECORDER_STREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include "worker/roster.h"


#define RECORDER_STREAMS  64    /* of one read */
#define RECORDER_ID       48    /* bytes of an entry's id, its NUL too */


typedef struct recorder_stream_s  recorder_stream_t;

struct recorder_stream_s {
    TAILQ_ENTRY(recorder_stream_s)  next;

    known_t            *known;
    void               *owner;       /* recorder.c's */
    int64_t             at;          /* when it is to be read, ms */
    size_t              n;           /* entries of it in the group */
    unsigned            stays:1;     /* it is of the settings */
    unsigned            reading:1;   /* from its choice to its end */
    unsigned            again:1;     /* somebody told of it meanwhile */
    unsigned            idle:1;      /* nobody has since the last look */

    /* recorder_read.c's; the last two of one reading */
    char                left[RECORDER_ID];  /* behind which to look for what was
                                               left; "" from the start */
    unsigned            made:1;      /* its consumer group is there */
    unsigned            behind:1;    /* some may have been left behind */
    unsigned            refused:1;   /* some could not be set aside: looked for
                                        as in one that stays */
    unsigned            full:1;      /* it may have more than was read */
    unsigned            failed:1;    /* a command was not, or badly, answered */
    char                key[];
};

typedef struct {
    TAILQ_HEAD(, recorder_stream_s)  list;    /* the last was read last */

    roster_t  *names;
    void      *owner;
} recorder_streams_t;


/* 0, or -1 out of memory */
int recorder_streams_init(recorder_streams_t *streams, void *owner);
void recorder_streams_free(recorder_streams_t *streams);

/*
 * There are records in the stream of that key, to be read from `at` on; with
 * `behind`, maybe some that another reader left.  NULL: out of memory.
 */
recorder_stream_t *recorder_streams_tell(recorder_streams_t *streams,
    const char *key, int64_t at, bool behind);

/* Those that are next, at most `max`: each must be ended. */
size_t recorder_streams_next(recorder_streams_t *streams, int64_t now,
    recorder_stream_t **chosen, size_t max);

/* It was read: again from `at` on, or when somebody tells of it (-1). */
void recorder_streams_end(recorder_stream_t *stream, int64_t at);

/*
 * Now and then: in those that stay, or that hold what could not be set aside,
 * some may have been left behind, and of the others those go that nobody told
 * of since the last two looks.
 */
void recorder_streams_look(recorder_streams_t *streams);

/* When one is to be read, as `at` of the first; -1 none. */
int64_t recorder_streams_when(const recorder_streams_t *streams);


#endif
