/*
 * What one read of the streams gave: entries, and the records that they hold.
 */

#ifndef SLUICE_WORKER_RECORDER_GROUP_H
#define SLUICE_WORKER_RECORDER_GROUP_H

#include "worker/links.h"


#define RECORDER_CONSUMERS  "sluice"    /* the consumer group's name */

typedef struct {
    char       key[SLUICE_KEYS_MAX];
    char       bad[SLUICE_KEYS_MAX + sizeof(":bad")];
    size_t     n;          /* entries of it in the group */
    bool       made;       /* its consumer group is there */
    void      *owner;      /* recorder.c's */
} recorder_stream_t;

typedef struct {
    recorder_stream_t  *stream;
    char                id[48];
    json_t             *hold;       /* of the record; NULL: it is none */
    bool                bad;        /* its text is to be set aside: */
    size_t              at, len;    /* in `aside` */
} recorder_entry_t;

typedef struct {
    recorder_stream_t  *streams;
    size_t              nstreams;
    recorder_entry_t   *entries;
    size_t              nentries;
    record_t           *records;
    size_t              nrecords;
    char               *aside;
    size_t              naside;
    size_t              longest;    /* entries of one stream */
} recorder_group_t;


/* One stream of each prefix.  0, or -1. */
int recorder_group_init(recorder_group_t *group, const settings_t *settings);
void recorder_group_free(recorder_group_t *group);

/* Before what one read gives, and each reply to XREADGROUP: 0, or -1 out of
   memory. */
void recorder_group_begin(recorder_group_t *group);
int recorder_group_read(recorder_group_t *group, const redisReply *reply);

/* Empties it; the streams stay. */
void recorder_group_drop(recorder_group_t *group);

/*
 * Queues what takes the entries out of their streams, and sets aside those
 * that are no records.  Returns how many replies will come.
 */
size_t recorder_group_forget(const recorder_group_t *group, links_t *links,
    sluice_redis_reply_pt reply, void *data);


#endif
