/*
 * Method and path of a request -> what is asked for, without I/O.
 *
 *     /queue/:name/...                     a queue
 *     /tenant/:tenant/queue/:name/...      the queue of a tenant
 */

#ifndef SLUICE_WORKER_ADMIN_ROUTE_H
#define SLUICE_WORKER_ADMIN_ROUTE_H

#include <stddef.h>


#define ROUTE_TEXT  256    /* bytes of a name or an id, its end included */


typedef enum {
    ROUTE_QUEUES,
    ROUTE_QUEUE,
    ROUTE_OBLITERATE,
    ROUTE_ADD,
    ROUTE_REPEAT_ADD,
    ROUTE_REPEAT_CHANGE,
    ROUTE_REPEAT_REMOVE,
    ROUTE_SCHEDULERS,
    ROUTE_JOBS,
    ROUTE_JOB,
    ROUTE_PURGE,
    ROUTE_PAUSE,
    ROUTE_RESUME,
    ROUTE_EMPTY,
    ROUTE_RETRY,
    ROUTE_PROMOTE,
    ROUTE_CHANGE,
    ROUTE_REMOVE,
    ROUTE_ERRORS,
    ROUTE_REQUEUE,
    ROUTE_EVENTS,
    ROUTE_MAX
} route_e;

typedef enum {
    ROUTE_FOUND,
    ROUTE_NO_PATH,      /* 404 */
    ROUTE_NO_METHOD,    /* 405: `allow` is for the header */
    ROUTE_BAD           /* 400: `error` */
} route_result_e;

typedef struct {
    route_e      what;
    char         tenant[ROUTE_TEXT];     /* "" none */
    char         queue[ROUTE_TEXT];
    char         id[ROUTE_TEXT];
    const char  *query;                  /* names that may be in the query,
                                            with spaces between */
    char         allow[40];
    const char  *error;
} route_t;


/* `path` is as it was sent, without the query: each part is %-decoded here */
route_result_e route_find(route_t *route, const char *method,
    const char *path);

/* 1 when the name is one of route->query */
int route_query_ok(const route_t *route, const char *name);


#endif
