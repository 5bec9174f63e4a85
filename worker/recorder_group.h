/*
 * What one read of the streams gave: entries, and the records that they hold.
 */

#ifndef SLUICE_WORKER_RECORDER_GROUP_H
#define SLUICE_WORKER_RECORDER_GROUP_H

#include <sys/types.h>
#include "worker/links.h"
#include "worker/recorder_streams.h"


#define RECORDER_CONSUMERS  "sluice"    /* the consumer group's name */

typedef struct {
    recorder_stream_t  *stream;
    char                id[RECORDER_ID];
    json_t             *hold;       /* of the record; NULL: it is none */
    bool                bad;        /* it is to be set aside */
    size_t              len;        /* bytes of its fields */
} recorder_entry_t;

typedef struct {
    recorder_stream_t  *streams[RECORDER_STREAMS];
    size_t              nstreams;
    recorder_entry_t   *entries;
    size_t              nentries;
    record_t           *records;
    size_t              nrecords;
    size_t              bytes;      /* of the entries' fields */
} recorder_group_t;


/*
 * The reply to XREADGROUP of one stream: how many entries, or -1 out of memory.
 * When the group has too many bytes the rest of them is left behind.
 */
ssize_t recorder_group_read(recorder_group_t *group, recorder_stream_t *stream,
    const redisReply *reply);

/* Empties it. */
void recorder_group_drop(recorder_group_t *group);

/*
 * Queues what takes the entries out of their streams, and sets aside those
 * that are no records.  Returns how many replies will come: `reply` with the
 * stream as data, `aside` with the entry; where one cannot be queued its stream
 * has failed.
 */
size_t recorder_group_forget(recorder_group_t *group, links_t *links,
    sluice_redis_reply_pt reply, sluice_redis_reply_pt aside);


#endif
