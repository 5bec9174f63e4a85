/*
 * The spool: batches that Redis does not take are written to segment files, a
 * group at a time, by a thread, and answered when they are on the disk; when
 * the link is ready again the files are replayed.  Each process writes files of
 * its own for each server, under a lock that ends with it; a file that nobody
 * holds is adopted by any process that finds it.  core/spool.h has the format
 * and why nothing doubles.
 *
 *      _spool_conf.c   the directive
 *      _spool.c        batches in groups, written and answered
 *      _held.c         those of queues that are full
 *      _spool_tick.c   what is held; each second
 *      _segment.c      files: made, adopted, set aside, removed
 *      _replay.c       files read and removed
 *      _replay_call.c  their calls
 */

#ifndef NGX_HTTP_SLUICE_SPOOL_H
#define NGX_HTTP_SLUICE_SPOOL_H

#include "core/spool_replay.h"
#include "ngx_http_sluice_link.h"


/* bytes that wait for the disk, of the links to a server: of what is held; and
   what was in flight, on each of them, fits in beside it */
#define NGX_HTTP_SLUICE_SPOOL_BYTES  NGX_HTTP_SLUICE_BYTES

/* ms until a call that was refused, or a file that failed, is tried again */
#define NGX_HTTP_SLUICE_REPLAY_PAUSE  1000

/* ms until a queue that is full is looked at again */
#define NGX_HTTP_SLUICE_REPLAY_FULL   250

/* ms from look to look for files that nobody holds, and of sync=interval */
#define NGX_HTTP_SLUICE_SPOOL_TICK   1000

/* of a queue that is full: its class (h, m, l) and 8 hex digits; of slots of a
   cluster: s and as many */
#define NGX_HTTP_SLUICE_HELD_NAME    9

/* "<server>.<name>.spool", or "<server>.<held>.<name>.spool", and NUL */
#define NGX_HTTP_SLUICE_SPOOL_FILE                                            \
    (SLUICE_KEYS_NAME_MAX + 1 + NGX_HTTP_SLUICE_HELD_NAME + 1                 \
     + SLUICE_SPOOL_NAME + sizeof(".spool"))


struct ngx_http_sluice_spool_conf_s {
    ngx_str_t                       dir;        /* ends with a slash */
    off_t                           size;
    off_t                           segment;
    int64_t                         age;        /* ms */
#if (NGX_THREADS)
    ngx_thread_pool_t              *pool;
#endif
    unsigned                        interval:1; /* sync=interval */
};


#if (NGX_THREADS)


/* A module that was built with threads also loads into an NGINX without. */

#pragma weak ngx_thread_pool_add
#pragma weak ngx_thread_task_post


/* A file, open and locked */

typedef struct {
    ngx_queue_t                     queue;      /* oldest first */
    sluice_spool_segment_t          id;
    sluice_spool_file_t             file;
    uint64_t                        records;    /* the last one's number */
    ngx_fd_t                        fd;         /* or it is still to be made */
    ngx_uint_t                      dirty;      /* not synced */
    ngx_uint_t                      taken;      /* of another process */
    char                            name[NGX_HTTP_SLUICE_SPOOL_FILE];
} ngx_http_sluice_segment_t;

typedef enum {
    NGX_HTTP_SLUICE_REPLAY_READ = 0,
    NGX_HTTP_SLUICE_REPLAY_ASIDE,      /* bytes that are no record */
    NGX_HTTP_SLUICE_REPLAY_RENAME,     /* a file that is no segment */
    NGX_HTTP_SLUICE_REPLAY_REMOVE
} ngx_http_sluice_replay_e;

typedef struct {
    ngx_http_sluice_segment_t      *segment;    /* the oldest, or NULL */
    sluice_spool_replay_t           state;
    u_char                         *buf;
    size_t                          size;
    size_t                          pos;        /* what comes next in buf */
    size_t                          len;
    off_t                           offset;     /* in the file, of buf */
    size_t                          want;       /* READ: bytes; ASIDE: bytes */
    ngx_http_sluice_replay_e        op;
    ngx_err_t                       err;
    ngx_event_t                     step;       /* posted, or a timer */
    ngx_http_sluice_link_t         *link;       /* calling: who was asked */
    sluice_cluster_call_t           routing;
    u_char                          listed[SLUICE_KEYS_MAX];
                                                /* the queue, of a cluster */
    uint64_t                        position;   /* run, of a cluster */
    ngx_msec_t                      asked;
    ngx_thread_task_t               task;
    char                            connection[NGX_HTTP_SLUICE_CONNECTION];
    unsigned                        busy:1;     /* the thread has it */
    unsigned                        calling:1;
    unsigned                        waiting:1;  /* for its turn */
    unsigned                        given:1;    /* it has it since now */
} ngx_http_sluice_replay_t;

struct ngx_http_sluice_spool_s {
    /* three pointers and an int, as in ngx_connection_t, for debug logs */
    ngx_http_sluice_link_t         *link;
    const ngx_http_sluice_spool_conf_t  *conf;
    ngx_http_sluice_segment_t      *segment;    /* that is written, or NULL */
    int                             ident;

    ngx_queue_t                     queue;      /* of the link's */
    ngx_queue_t                     segments;   /* to be replayed */

    /* of a queue that is full, or of slots; the link's own has no name */
    u_char                          held[NGX_HTTP_SLUICE_HELD_NAME + 1];
    ngx_uint_t                      class;
    ngx_str_t                       queue_base; /* len 0: not known yet */
    u_char                          base[SLUICE_KEYS_MAX];
    ngx_msec_t                      used;       /* when it was asked for */

    u_char                         *buf;        /* the group of this turn */
    size_t                          len;
    size_t                          size;
    ngx_queue_t                     gathered;   /* its batches */

    u_char                         *out;        /* the group at the thread */
    size_t                          out_len;
    size_t                          out_size;
    ngx_queue_t                     writing;
    ngx_uint_t                      jobs;       /* of its batches */
    ngx_thread_task_t               task;
    ngx_err_t                       err;
    ngx_msec_t                      synced;     /* last, sync=interval */
    ngx_msec_t                      since;      /* when it failed */
    ngx_msec_t                      full;       /* when it had no room */
    off_t                           bytes;      /* of segment */
    unsigned                        busy:1;
    unsigned                        sync:1;     /* of the group */
    unsigned                        complaint:1;
    unsigned                        failed:1;   /* the last group */
    unsigned                        refused:1;  /* `full` is set */

    ngx_event_t                     flush;      /* posted */
    ngx_event_t                     hold;       /* keeps an exit waiting */
    ngx_msec_t                      complained;

    ngx_http_sluice_replay_t        replay;
};


/* _spool.c */

/*
 * Takes a batch that Redis does not take: NGX_OK, it will be answered; or
 * NGX_DECLINED.  `call`: its call may have been run on the link's connection.
 */
ngx_int_t ngx_http_sluice_spool_take(ngx_http_sluice_batch_t *batch,
    ngx_uint_t call);
/* The link is ready: the replay begins. */
void ngx_http_sluice_spool_ready(ngx_http_sluice_link_t *link);
/* Does it take events now, as far as is known? */
ngx_uint_t ngx_http_sluice_spool_usable(ngx_http_sluice_link_t *link);
/* How long Redis remembers what was run, ms: longer than an event may wait */
#define ngx_http_sluice_spool_ttl(conf)  ((conf)->age + 3600000)
/* Into the link's spools.  NULL: out of memory */
ngx_http_sluice_spool_t *ngx_http_sluice_spool_create(
    ngx_http_sluice_link_t *link);
/* Out of them, when the threads have ended or it is idle */
void ngx_http_sluice_spool_destroy(ngx_http_sluice_spool_t *spool);
/* The disk failed a moment ago, and is not asked yet. */
ngx_uint_t ngx_http_sluice_spool_rests(const ngx_http_sluice_spool_t *spool);
/* May that many bytes more be in all files of the spool? */
ngx_uint_t ngx_http_sluice_spool_fits(const ngx_http_sluice_spool_t *spool,
    size_t len);
/* The segment that is written is done, unless the thread has it. */
void ngx_http_sluice_spool_close(ngx_http_sluice_spool_t *spool);
/* One line a second: what is with which file, or "" the directory. */
void ngx_http_sluice_spool_complain(ngx_http_sluice_spool_t *spool,
    ngx_err_t err, const char *name, const char *what);


/* _spool_tick.c */

/* In a process: looks for files now and then. */
void ngx_http_sluice_spool_start(ngx_http_sluice_main_conf_t *mcf);
void ngx_http_sluice_spool_stop(ngx_http_sluice_main_conf_t *mcf);
/* The numbers of the slot, after all that changes them */
void ngx_http_sluice_spool_count(ngx_http_sluice_main_conf_t *mcf);
/* Bytes of the files of all processes */
off_t ngx_http_sluice_spool_total(ngx_http_sluice_main_conf_t *mcf);


/*
 * _held.c: a spool of its own for the events of a queue and class that
 * sluice_queue_limit does not let in, replayed as far as the queue has room.
 * So neither another queue's, nor what is spooled since Redis is away, waits
 * behind them.
 */

/* Is it of a queue that is full? */
#define ngx_http_sluice_held_full(spool)                                      \
    ((spool)->held[0] && (spool)->held[0] != 's')

/*
 * Of a cluster: that of some slots, so that what waits for a node does not
 * hold up all others; the link's own when there is none to be had.
 */
ngx_http_sluice_spool_t *ngx_http_sluice_held_slots(
    ngx_http_sluice_link_t *link, const u_char *base, size_t len);
/* NULL: there are too many, or no memory */
ngx_http_sluice_spool_t *ngx_http_sluice_held(ngx_http_sluice_link_t *link,
    const ngx_str_t *base, ngx_uint_t class);
/* The same by the name in that of a file */
ngx_http_sluice_spool_t *ngx_http_sluice_held_named(
    ngx_http_sluice_link_t *link, const u_char *name);
/* Do events of the queue and class wait on this process' disk? */
ngx_uint_t ngx_http_sluice_held_any(ngx_http_sluice_link_t *link,
    const ngx_str_t *base, ngx_uint_t class);
/* Does it take an event of about `size` bytes now? */
ngx_uint_t ngx_http_sluice_held_takes(ngx_http_sluice_link_t *link,
    const ngx_str_t *base, ngx_uint_t class, size_t size);
/* The queue that the spool's first record is for */
void ngx_http_sluice_held_base(ngx_http_sluice_spool_t *spool,
    const char *base, size_t len);
/* Jobs that its queue has room for; those of the link's own are not asked */
size_t ngx_http_sluice_held_room(ngx_http_sluice_spool_t *spool);
/* The file is gone: so is what Redis remembers of it. */
void ngx_http_sluice_held_forget(ngx_http_sluice_spool_t *spool,
    const ngx_http_sluice_segment_t *segment);
/* Each second: frees it when there was nothing to do. */
void ngx_http_sluice_held_tick(ngx_http_sluice_spool_t *spool);


/* _segment.c: 0 or errno; those of a thread log nothing */

/* A name and a place for a file that a thread will make; NULL: no memory */
ngx_http_sluice_segment_t *ngx_http_sluice_segment_new(
    ngx_http_sluice_spool_t *spool);
/* Closes the file, which ends the lock. */
void ngx_http_sluice_segment_free(ngx_http_sluice_segment_t *segment);
/* In its place among others by age */
void ngx_http_sluice_segment_insert(ngx_queue_t *segments,
    ngx_http_sluice_segment_t *segment);
/* All files that nobody holds, to the spools of their servers */
void ngx_http_sluice_segment_adopt(ngx_http_sluice_main_conf_t *mcf);
/* By a thread: makes the file when it is not there, and appends a group. */
ngx_err_t ngx_http_sluice_segment_append(
    const ngx_http_sluice_spool_conf_t *conf,
    ngx_http_sluice_segment_t *segment, u_char *p, size_t len,
    ngx_uint_t sync);
/* By a thread: bytes to the end of the file's ".bad", which begins with its
   header */
ngx_err_t ngx_http_sluice_segment_aside(
    const ngx_http_sluice_spool_conf_t *conf,
    const ngx_http_sluice_segment_t *segment, const sluice_spool_segment_t *id,
    const u_char *p, size_t len);
/* By a thread: the file's name ends, or becomes ".bad". */
ngx_err_t ngx_http_sluice_segment_remove(
    const ngx_http_sluice_spool_conf_t *conf,
    const ngx_http_sluice_segment_t *segment, ngx_uint_t bad);
/* ms, when it was begun */
int64_t ngx_http_sluice_segment_time(const ngx_http_sluice_segment_t *segment);


/* _replay.c */

void ngx_http_sluice_replay_init(ngx_http_sluice_spool_t *spool);
/* Goes on, if there is something to be done and it can be. */
void ngx_http_sluice_replay_wake(ngx_http_sluice_spool_t *spool);
/* Of a process that is to quit: its files are free for others, but those that
   a thread or a call has, or that are to be synced. */
void ngx_http_sluice_replay_leave(ngx_http_sluice_spool_t *spool);
void ngx_http_sluice_replay_destroy(ngx_http_sluice_spool_t *spool);
/* The same after a pause, ms */
void ngx_http_sluice_replay_later(ngx_http_sluice_spool_t *spool,
    ngx_msec_t pause);
/* The turn, which it has, is the next one's that waits for it. */
void ngx_http_sluice_replay_pass(ngx_http_sluice_spool_t *spool);
/* Bytes from `pos` on are set aside. */
void ngx_http_sluice_replay_aside(ngx_http_sluice_spool_t *spool, size_t len);
/* The file was run: it ends. */
void ngx_http_sluice_replay_remove(ngx_http_sluice_spool_t *spool);


/* _replay_call.c */

/* Makes the call that core/spool_replay.h found at `pos`. */
void ngx_http_sluice_replay_call(ngx_http_sluice_spool_t *spool);
/* All was run: the file, or in a cluster the call, ends when the replicas have
   it. */
void ngx_http_sluice_replay_wait(ngx_http_sluice_spool_t *spool);


#else


#define ngx_http_sluice_held(link, base, class)  NULL
#define ngx_http_sluice_held_any(link, base, class)  0
#define ngx_http_sluice_held_takes(link, base, class, size)  0
#define ngx_http_sluice_spool_take(batch, call)  NGX_DECLINED
#define ngx_http_sluice_spool_usable(link)       0
#define ngx_http_sluice_spool_ready(link)
#define ngx_http_sluice_spool_ttl(conf)          0
#define ngx_http_sluice_spool_start(mcf)
#define ngx_http_sluice_spool_stop(mcf)


#endif


/* _spool_conf.c */

char *ngx_http_sluice_spool(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#endif
