/*
 * A redisReply of RESP, read by hiredis: of memory that ends where it does.
 */

#ifndef TESTS_UNIT_REPLY_H
#define TESTS_UNIT_REPLY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <hiredis/hiredis.h>


/* NULL for NULL; the caller frees it by freeReplyObject(). */

static inline redisReply *
reply_of(const char *resp)
{
    void         *reply;
    redisReader  *reader;

    if (resp == NULL) {
        return NULL;
    }

    reader = redisReaderCreate();
    assert_non_null(reader);
    assert_int_equal(redisReaderFeed(reader, resp, strlen(resp)), REDIS_OK);
    assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
    assert_non_null(reply);
    redisReaderFree(reader);

    return reply;
}


#endif
