#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "worker/zones.h"


typedef struct {
    char           name[SLUICE_ZONE_NAME + 1];
    uint8_t       *data;        /* NULL: a zone without a file */
    uint64_t       used;        /* the call that asked for it last; 0: free */
    sluice_zone_t  zone;
} zones_entry_t;

struct zones_s {
    const char     *dir;
    uint64_t        calls;
    zones_entry_t   entries[ZONES_KEPT];
};


zones_t *
zones_open(const char *dir)
{
    zones_t  *zones;

    zones = calloc(1, sizeof(*zones));

    if (zones != NULL) {
        zones->dir = dir;
    }

    return zones;
}


void
zones_close(zones_t *zones)
{
    size_t  i;

    if (zones == NULL) {
        return;
    }

    for (i = 0; i < ZONES_KEPT; i++) {
        free(zones->entries[i].data);
    }

    free(zones);
}


/* The bytes of a file, at least one; NULL with errno. */

static uint8_t *
zones_read(const char *path, size_t *len)
{
    int       fd;
    ssize_t   n;
    uint8_t  *data;

    data = malloc(ZONES_FILE);

    if (data == NULL) {
        return NULL;
    }

    /* what is no file (a pipe) is not waited for */

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd == -1) {
        free(data);
        return NULL;
    }

    *len = 0;

    do {
        n = read(fd, data + *len, ZONES_FILE - *len);
        *len += (n > 0) ? (size_t) n : 0;

    } while (n > 0 || (n == -1 && errno == EINTR));

    (void) close(fd);

    if (n == -1) {
        free(data);
        return NULL;
    }

    return data;
}


static const char *
zones_load(const zones_t *zones, zones_entry_t *entry, const char *name,
    size_t len)
{
    int          n;
    char         path[PATH_MAX];
    size_t       size;
    const char  *error;

    if (sluice_zone_known(&entry->zone, name, len)) {
        return NULL;
    }

    if (len != 0) {
        n = snprintf(path, sizeof(path), "%s/%.*s", zones->dir, (int) len,
                     name);

    } else {
        n = snprintf(path, sizeof(path), "%s", ZONES_LOCAL);
    }

    if (n < 0 || (size_t) n >= sizeof(path)) {
        return "the path of the time zones is too long";
    }

    entry->data = zones_read(path, &size);

    if (entry->data == NULL) {

        if (errno == ENOENT && len == 0) {
            sluice_zone_fixed(&entry->zone, 0);
            return NULL;
        }

        return (errno == ENOENT || errno == ENOTDIR || errno == EISDIR)
               ? "there is no such time zone"
               : "the file of the time zone cannot be read";
    }

    error = sluice_zone_parse(&entry->zone, entry->data, size);

    if (error != NULL) {
        free(entry->data);
        entry->data = NULL;
    }

    return error;
}


const sluice_zone_t *
zones_get(zones_t *zones, const char *name, size_t len, const char **error)
{
    size_t          i;
    zones_entry_t  *entry, fresh, *oldest;

    memset(&fresh, 0, sizeof(fresh));

    if (len != 0 && !sluice_zone_name(name, len)
        && !sluice_zone_known(&fresh.zone, name, len))
    {
        *error = "that is no name of a time zone";
        return NULL;
    }

    oldest = zones->entries;

    for (i = 0; i < ZONES_KEPT; i++) {
        entry = &zones->entries[i];

        if (entry->used != 0 && strlen(entry->name) == len
            && memcmp(entry->name, name, len) == 0)
        {
            entry->used = ++zones->calls;
            return &entry->zone;
        }

        if (entry->used < oldest->used) {
            oldest = entry;
        }
    }

    *error = zones_load(zones, &fresh, name, len);

    if (*error != NULL) {
        return NULL;
    }

    memcpy(fresh.name, name, len);
    fresh.used = ++zones->calls;

    free(oldest->data);
    *oldest = fresh;

    return &oldest->zone;
}
