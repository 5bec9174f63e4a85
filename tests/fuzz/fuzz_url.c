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


static void
check_nodes(const uint8_t *data, size_t size)
{
    size_t                     i;
    const char                *error;
    sluice_url_nodes_t         nodes;

    static sluice_url_nodes_t  zero;

    memset(&nodes, 0xa5, sizeof(nodes));

    error = sluice_url_parse_nodes(&nodes, (const char *) data, size);

    if (error) {
        check(error[0] != '\0');
        check(memcmp(&nodes, &zero, sizeof(nodes)) == 0);
        return;
    }

    check(nodes.nnodes <= SLUICE_URL_NODES);
    check((nodes.nnodes == 0) == (nodes.kind == SLUICE_URL_ONE));
    check((nodes.name[0] != '\0') == (nodes.kind == SLUICE_URL_SENTINEL));
    check(memchr(nodes.name, '\0', sizeof(nodes.name)) != NULL);
    check(nodes.url.db >= 0);

    for (i = 0; i < nodes.nnodes; i++) {
        check(nodes.nodes[i].host[0] != '\0');
        check(memchr(nodes.nodes[i].host, '\0', 256) != NULL);
        check(nodes.nodes[i].port >= 1 && nodes.nodes[i].port <= 65535);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char           *error;
    sluice_url_t          url;

    static sluice_url_t   zero;

    check_nodes(data, size);
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
