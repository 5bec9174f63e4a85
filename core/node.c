#include <string.h>
#include <strings.h>
#include "core/node.h"


int
sluice_node_is(const sluice_node_t *one, const sluice_node_t *other)
{
    return one->port == other->port
           && strcasecmp(one->host, other->host) == 0;
}


int
sluice_node_host(sluice_node_t *node, const char *text, size_t len)
{
    char    c;
    size_t  i;

    if (len == 0 || len >= sizeof(node->host)) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        c = text[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_'
              || c == ':' || c == '%'))
        {
            return 0;
        }
    }

    memcpy(node->host, text, len);
    node->host[len] = '\0';

    return 1;
}


int
sluice_node_port(const char *text, size_t len)
{
    int     port;
    size_t  i;

    if (len == 0 || len > 5) {
        return -1;
    }

    for (port = 0, i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }

        port = port * 10 + (text[i] - '0');
    }

    return port >= 1 && port <= 65535 ? port : -1;
}
