/*
 * The spool on disk: calls of lua/add.lua that Redis did not take, kept in
 * segment files until it does.  What a file looks like, how it is written and
 * what is read back after a crash is decided here; files, threads and the clock
 * are the host's.
 *
 *      <server>.<32 hex digits>.spool      sorts by the time it was begun
 *      <server>.<32 hex digits>.bad        of the same form: what was set aside
 *
 * The server's name has ".<h|m|l><8 hex digits>" behind it, a class and a hash
 * of the queue, where that is full.
 *
 * A segment is two copies of a header (magic, version, its name, a random salt,
 * CRC), then records.  Numbers are little-endian:
 *
 *      u32 magic, u32 length of the payload, u64 number from 1,
 *      u32 CRC of the payload, u32 CRC of these 20 bytes
 *      payload: i64 time (ms), u64 call, u16 BullMQ major, u16 jobs,
 *               u16 arguments a job, u16 length of base, u16 length of
 *               connection; base; connection; each argument: u32 length, bytes
 *
 * The CRCs are CRC-32C, begun with the salt: what a sender puts into a body
 * cannot pass for a record.  A record is one call, so the jobs of a call are
 * replayed together.
 *
 * What is remembered in Redis makes the replay exact (lua/add.lua, `once`):
 *
 *   - a call whose connection was lost is not known to have been run.  Its
 *     record has the connection's name and the call's number there, and the
 *     replay makes the same call: whichever of the two comes first is the one
 *     that is run, also when the old one was on its way for minutes;
 *   - other records were never run.  They are replayed in order, one call at a
 *     time, under the segment's name and their numbers: a replay that was
 *     interrupted anywhere begins again with the first record, and what was run
 *     before is not run again.  So no position is kept on disk.
 */

#ifndef SLUICE_CORE_SPOOL_H
#define SLUICE_CORE_SPOOL_H

#include <stddef.h>
#include <stdint.h>


#define SLUICE_SPOOL_NAME        32     /* hex digits of a segment's name */
#define SLUICE_SPOOL_HEADER      256    /* bytes, both copies */
#define SLUICE_SPOOL_HEAD        24     /* bytes before a payload */
#define SLUICE_SPOOL_PAYLOAD     (64 * 1024 * 1024)   /* bytes at most */
#define SLUICE_SPOOL_CONNECTION  32     /* bytes of its name at most */
#define SLUICE_SPOOL_JOBS        1000   /* of a record at most */
#define SLUICE_SPOOL_ARGS        64     /* of a job at most */


typedef struct {
    char      name[SLUICE_SPOOL_NAME];
    uint32_t  salt;
} sluice_spool_segment_t;

typedef struct {
    uint64_t        number;        /* in the segment, from 1 */
    int64_t         time;          /* ms, when it was spooled */
    uint64_t        call;          /* on the connection, 0 was never made */
    unsigned        major;
    unsigned        njobs;
    unsigned        nargs;         /* of each job */
    const char     *base;          /* "<prefix>:<queue>:" */
    size_t          base_len;
    const char     *connection;
    size_t          connection_len;
    const uint8_t  *args;          /* read: for sluice_spool_arg_next() */
    size_t          args_len;
} sluice_spool_record_t;


/* CRC-32C of data, after that of what came before (0: nothing). */
uint32_t sluice_spool_crc(uint32_t crc, const void *data, size_t len);


/* Writes SLUICE_SPOOL_HEADER bytes. */
void sluice_spool_header(uint8_t *dst, const sluice_spool_segment_t *segment);

/* Reads them: 1, or 0 when neither copy is good. */
int sluice_spool_header_read(sluice_spool_segment_t *segment,
    const uint8_t *p, size_t len);


/*
 * A record is written by begin, njobs * nargs arguments, each whole or in
 * pieces, and end, which returns its size.  With dst NULL only the size is
 * found; 0: it is larger than a record can be, or the arguments are not those
 * that were announced.  Its number is left open.
 */
typedef struct {
    uint8_t  *dst;
    uint8_t  *p;
    size_t    len;
    size_t    args;     /* still to come */
    size_t    piece;    /* bytes still to come */
    int       wrong;
} sluice_spool_writer_t;

void sluice_spool_begin(sluice_spool_writer_t *writer, uint8_t *dst,
    const sluice_spool_record_t *record);
void sluice_spool_arg(sluice_spool_writer_t *writer, size_t len);
void sluice_spool_piece(sluice_spool_writer_t *writer, const void *data,
    size_t len);
size_t sluice_spool_end(sluice_spool_writer_t *writer);

/*
 * Records that lie side by side get their numbers in a segment, after `last`,
 * and their CRCs.  Returns the number of the last one.  It may be done again
 * for another segment.
 */
uint64_t sluice_spool_seal(const sluice_spool_segment_t *segment,
    uint64_t last, uint8_t *p, size_t len);


typedef enum {
    SLUICE_SPOOL_GOOD = 0,   /* a record: *size bytes */
    SLUICE_SPOOL_MORE,       /* *size bytes from here are needed */
    SLUICE_SPOOL_BAD,        /* *size bytes are none: set them aside */
    SLUICE_SPOOL_TORN,       /* the file ends within a record */
    SLUICE_SPOOL_END         /* or after one */
} sluice_spool_read_e;

/*
 * What stands at p, `len` bytes being there and no more in the file when `end`
 * is set; `last` is the number of the record before, 0 none.  The record points
 * into p.  After GOOD and BAD the reader goes on *size bytes further, which is
 * never 0.
 */
sluice_spool_read_e sluice_spool_read(const sluice_spool_segment_t *segment,
    uint64_t last, const uint8_t *p, size_t len, int end,
    sluice_spool_record_t *record, size_t *size);

/* The next argument, from *at = record->args: njobs * nargs of them. */
void sluice_spool_arg_next(const uint8_t **at, const uint8_t **data,
    size_t *len);

/*
 * May `next` be in one call with the record before, which has `njobs` jobs and
 * `bytes` of arguments with those it was joined to?  Only what was never called
 * can.
 */
int sluice_spool_joins(const sluice_spool_record_t *record, size_t njobs,
    size_t bytes, const sluice_spool_record_t *next);


/*
 * Appending.  Each function returns 0 or what failed (errno); write returns in
 * *n how much it took.
 */
typedef struct {
    void  *data;
    int  (*write)(void *data, const void *p, size_t len, size_t *n);
    int  (*truncate)(void *data, uint64_t size);
    int  (*sync)(void *data);
} sluice_spool_io_t;

typedef struct {
    uint64_t  size;      /* of what was appended for good */
    int       broken;    /* nothing more is appended */
} sluice_spool_file_t;

/*
 * Whole records, one group.  0: they are there, on the disk with `sync`.  Else
 * errno, and none of them is in the file, or the file is broken: what was
 * appended before stays good and nothing comes after it.
 */
int sluice_spool_append(sluice_spool_file_t *file,
    const sluice_spool_io_t *io, const void *data, size_t len, int sync);


#endif
