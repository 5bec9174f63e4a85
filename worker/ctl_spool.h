/* `spool`: a file of the edge's spool, read whole (core/spool.h). */

#ifndef SLUICE_WORKER_CTL_SPOOL_H
#define SLUICE_WORKER_CTL_SPOOL_H

#include <sys/stat.h>
#include "core/spool.h"
#include "worker/ctl.h"


typedef struct {
    const char              *path;
    const char              *file;        /* the last part of it */
    char                     server[SLUICE_KEYS_MAX];  /* as in the name */
    size_t                   server_len;  /* without the queue that is full */
    char                     name[SLUICE_SPOOL_NAME + 1];
    bool                     bad;         /* what was set aside */
    bool                     held;        /* a process of the edge has it */
    bool                     headless;    /* no record can be told */
    struct stat              st;
    uint8_t                 *data;
    size_t                   len;

    /* of ctl_spool_next() */
    sluice_spool_segment_t   segment;
    uint64_t                 last;
    size_t                   at;          /* of the piece */
    size_t                   size;
    sluice_spool_record_t    record;
} ctl_spool_t;


/* Is it named "<server>.<32 hex digits>.spool" or ".bad"? */
bool ctl_spool_name(ctl_spool_t *spool, const char *path);

/*
 * The file, read; false: it is not there any more.  One that is no file of a
 * spool or cannot be read ends the program.
 */
bool ctl_spool_open(ctl_spool_t *spool, const char *path);
void ctl_spool_close(ctl_spool_t *spool);

/*
 * The next piece: 1 a record, 0 bytes that are none, -1 the end.  A record that
 * was set aside twice is none the second time.
 */
int ctl_spool_next(ctl_spool_t *spool);

/* Back to before the first piece */
void ctl_spool_rewind(ctl_spool_t *spool);

/*
 * Its records in a new file beside it, which the edge will find, under the
 * server's name; it itself becomes ".restored".  The new file is owned by who
 * owns the old one.  Returns its path.
 */
const char *ctl_spool_restore(ctl_spool_t *spool, int64_t now);


#endif
