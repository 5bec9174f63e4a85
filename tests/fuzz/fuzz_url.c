/*
 * Any text as a URL: an error leaves nothing of it, a success holds together.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "core/url.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check(int ok)
{
    if (!ok) {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char           *error;
    sluice_url_t          url;

    static sluice_url_t   zero;

    memset(&url, 0xa5, sizeof(url));

    error = sluice_url_parse(&url, (const char *) data, size);

    if (error) {
        check(error[0] != '\0');
        check(memcmp(&url, &zero, sizeof(url)) == 0);
        return 0;
    }

    check((url.path[0] != '\0') != (url.host[0] != '\0'));
    check(url.path[0] == '\0' || url.path[0] == '/');
    check(strlen(url.path) <= 107);
    check(memchr(url.host, '\0', sizeof(url.host)) != NULL);
    check(memchr(url.user, '\0', sizeof(url.user)) != NULL);
    check(memchr(url.password, '\0', sizeof(url.password)) != NULL);
    check(url.port >= 1 && url.port <= 65535);
    check(url.db >= 0);
    check(url.tls == 0 || (url.tls == 1 && url.host[0] != '\0'));

    return 0;
}
