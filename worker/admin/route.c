#include <stdio.h>
#include <string.h>
#include "worker/admin/route.h"


#define ROUTE_PARTS  8


typedef struct {
    const char  *method, *pattern;
    route_e      what;
    const char  *query;
} route_row_t;


/* docs/openapi.json has the same, and tests/worker/admin.t compares them */

static const route_row_t  rows[] = {
    { "GET", "/queues", ROUTE_QUEUES, "cursor count" },
    { "GET", "/queue/:name", ROUTE_QUEUE, "" },
    { "DELETE", "/queue/:name", ROUTE_OBLITERATE, "confirm force" },
    { "POST", "/queue/:name/job/delayed", ROUTE_ADD, "" },
    { "POST", "/queue/:name/job/repeatable", ROUTE_REPEAT_ADD, "" },
    { "PATCH", "/queue/:name/job/repeatable", ROUTE_REPEAT_CHANGE, "" },
    { "DELETE", "/queue/:name/job/repeatable", ROUTE_REPEAT_REMOVE, "id" },
    { "GET", "/queue/:name/schedulers", ROUTE_SCHEDULERS, "page count" },
    { "GET", "/queue/:name/jobs", ROUTE_JOBS, "state page count statistics" },
    { "DELETE", "/queue/:name/jobs", ROUTE_PURGE, "state age" },
    { "GET", "/queue/:name/jobs/:id", ROUTE_JOB, "" },
    { "PUT", "/queue/:name/pause", ROUTE_PAUSE, "" },
    { "PUT", "/queue/:name/resume", ROUTE_RESUME, "" },
    { "PUT", "/queue/:name/empty", ROUTE_EMPTY, "delayed" },
    { "PUT", "/queue/:name/retry/job/delayed/:id", ROUTE_RETRY, "reset" },
    { "PUT", "/queue/:name/promote/job/delayed/:id", ROUTE_PROMOTE, "" },
    { "PATCH", "/queue/:name/job/delayed/:id", ROUTE_CHANGE, "" },
    { "DELETE", "/queue/:name/job/delayed/:id", ROUTE_REMOVE, "" },
    { "GET", "/queue/:name/failed/errors", ROUTE_ERRORS, "count" },
    { "PUT", "/queue/:name/failed/requeue", ROUTE_REQUEUE, "" },
    { "GET", "/queue/:name/events", ROUTE_EVENTS, "" }
};

#define ROUTE_ROWS  (sizeof(rows) / sizeof(rows[0]))


static int
route_hex(char c)
{
    return (c >= '0' && c <= '9') ? c - '0'
           : (c >= 'a' && c <= 'f') ? c - 'a' + 10
           : (c >= 'A' && c <= 'F') ? c - 'A' + 10 : -1;
}


/* one part, up to a slash or the end; NULL or what is wrong with it */

static const char *
route_decode(char dst[ROUTE_TEXT], const char *src, size_t len)
{
    int     c, high, low;
    size_t  i, n;

    for (i = 0, n = 0; i < len; i++) {
        c = (unsigned char) src[i];

        if (c == '%') {
            high = (i + 2 < len) ? route_hex(src[i + 1]) : -1;
            low = (i + 2 < len) ? route_hex(src[i + 2]) : -1;

            if (high < 0 || low < 0) {
                return "the path has a % without two hex digits";
            }

            c = high * 16 + low;
            i += 2;
        }

        if (c == 0) {
            return "the path holds a zero byte";
        }

        if (n == ROUTE_TEXT - 1) {
            return "a part of the path is longer than 255 bytes";
        }

        dst[n++] = (char) c;
    }

    dst[n] = '\0';

    return NULL;
}


/* the parts of the path against those of the pattern */

static int
route_match(route_t *route, const char *pattern,
    char parts[ROUTE_PARTS][ROUTE_TEXT], size_t n)
{
    size_t       i, len;
    const char  *p;

    for (i = 0, p = pattern; *p == '/'; i++) {
        p++;
        len = strcspn(p, "/");

        if (i == n) {
            return 0;
        }

        if (*p == ':') {
            strcpy(len == 5 ? route->queue : route->id, parts[i]);

            if (parts[i][0] == '\0') {
                return 0;
            }

        } else if (strlen(parts[i]) != len
                   || memcmp(parts[i], p, len) != 0)
        {
            return 0;
        }

        p += len;
    }

    return i == n;
}


route_result_e
route_find(route_t *route, const char *method, const char *path)
{
    char        (*at)[ROUTE_TEXT];
    char          parts[ROUTE_PARTS + 2][ROUTE_TEXT];
    size_t        i, n, len;

    memset(route, 0, sizeof(route_t));

    for (n = 0; *path == '/' && n < ROUTE_PARTS + 2; n++, path += len) {
        path++;
        len = strcspn(path, "/");
        route->error = route_decode(parts[n], path, len);

        if (route->error) {
            return ROUTE_BAD;
        }
    }

    if (*path != '\0') {
        return ROUTE_NO_PATH;
    }

    at = parts;

    if (n > 2 && strcmp(parts[0], "tenant") == 0 && parts[1][0] != '\0') {
        strcpy(route->tenant, parts[1]);
        at += 2;
        n -= 2;
    }

    for (i = 0; n <= ROUTE_PARTS && i < ROUTE_ROWS; i++) {
        if (!route_match(route, rows[i].pattern, at, n)) {
            continue;
        }

        if (strcmp(rows[i].method, method) == 0) {
            route->what = rows[i].what;
            route->query = rows[i].query;

            return ROUTE_FOUND;
        }

        len = strlen(route->allow);
        snprintf(route->allow + len, sizeof(route->allow) - len, "%s%s",
                 len ? ", " : "", rows[i].method);
    }

    return route->allow[0] ? ROUTE_NO_METHOD : ROUTE_NO_PATH;
}


int
route_query_ok(const route_t *route, const char *name)
{
    size_t       len;
    const char  *p;

    for (p = route->query; *p; p += len + (p[len] == ' ')) {
        len = strcspn(p, " ");

        if (strlen(name) == len && memcmp(p, name, len) == 0) {
            return 1;
        }
    }

    return 0;
}
