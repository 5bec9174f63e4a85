#include <string.h>
#include <strings.h>
#include "core/url_parts.h"


static const char *
sluice_url_hosts(sluice_url_nodes_t *nodes, int port, const char *p,
    const char *last)
{
    size_t          i;
    const char     *end, *error;
    sluice_node_t  *node;

    for ( ;; ) {
        end = sluice_url_find(p, last, ',');
        end = end ? end : last;

        if (nodes->nnodes == SLUICE_URL_NODES) {
            return "more than 16 hosts";
        }

        node = &nodes->nodes[nodes->nnodes];
        node->port = port;

        error = sluice_url_host(node, p, end);
        if (error) {
            return error;
        }

        for (i = 0; i < nodes->nnodes; i++) {
            if (sluice_node_is(&nodes->nodes[i], node)) {
                return "a host is given twice";
            }
        }

        nodes->nnodes++;

        if (end == last) {
            return NULL;
        }

        p = end + 1;
    }
}


/* The name between the slashes: of the bytes that a sentinel takes. */

static const char *
sluice_url_name(sluice_url_nodes_t *nodes, const char *p, const char *last)
{
    char    c;
    size_t  i, len;

    len = (size_t) (last - p);

    if (len == 0) {
        return "redis+sentinel: needs the name that the sentinels watch, as "
               "in /mymaster";
    }

    if (len >= sizeof(nodes->name)) {
        return "the name is longer than 127 bytes";
    }

    for (i = 0; i < len; i++) {
        c = p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_'))
        {
            return "a character in the name that no sentinel takes";
        }
    }

    memcpy(nodes->name, p, len);

    return NULL;
}


static const char *
sluice_url_sentinel(sluice_url_nodes_t *nodes, const char *p,
    const char *last)
{
    const char  *end, *query, *db, *error;

    static const sluice_url_parameter_t  parameters[] = {
        { "sentinel_user=", 14, sluice_url_user },
        { "sentinel_password=", 18, sluice_url_password }
    };

    nodes->kind = SLUICE_URL_SENTINEL;

    error = sluice_url_authority(&nodes->url, &p, &end, last);

    if (error == NULL) {
        error = sluice_url_hosts(nodes, 26379, p, end);
    }

    if (error) {
        return error;
    }

    if (sluice_url_find(end, last, '#')) {
        return "a # in a name or parameter must be written %23";
    }

    query = sluice_url_find(end, last, '?');
    query = query ? query : last;
    p = end < query ? end + 1 : end;

    db = sluice_url_find(p, query, '/');

    error = sluice_url_name(nodes, p, db ? db : query);
    if (error) {
        return error;
    }

    if (db && db + 1 < query) {
        nodes->url.db = sluice_url_number(db + 1, query);

        if (nodes->url.db < 0) {
            return "the database must be a number";
        }
    }

    return sluice_url_parameters(&nodes->sentinel, query, last, parameters, 2,
                                 "unknown parameter of redis+sentinel:, there "
                                 "are sentinel_user and sentinel_password",
                                 "a parameter of redis+sentinel: is given "
                                 "twice");
}


static const char *
sluice_url_cluster(sluice_url_nodes_t *nodes, const char *p, const char *last)
{
    const char  *end, *error;

    nodes->kind = SLUICE_URL_CLUSTER;

    error = sluice_url_authority(&nodes->url, &p, &end, last);

    if (error == NULL) {
        error = sluice_url_hosts(nodes, 6379, p, end);
    }

    if (error) {
        return error;
    }

    /* "/" and "/0" are what there is */

    if (end == last || (*end == '/' && end + 1 == last)
        || (*end == '/' && end + 2 == last && end[1] == '0'))
    {
        return NULL;
    }

    return "nothing may follow the hosts, a cluster has no databases";
}


static const char *
sluice_url_nodes_read(sluice_url_nodes_t *nodes, const char *text, size_t len)
{
    size_t       i;
    const char  *error;

    static const struct {
        const char  *scheme;
        size_t       len;
        int          tls;
        const char *(*parse)(sluice_url_nodes_t *nodes, const char *p,
                             const char *last);
    } schemes[] = {
        { "redis+sentinel://", 17, 0, sluice_url_sentinel },
        { "rediss+sentinel://", 18, 1, sluice_url_sentinel },
        { "redis+cluster://", 16, 0, sluice_url_cluster },
        { "rediss+cluster://", 17, 1, sluice_url_cluster }
    };

    for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (len >= schemes[i].len
            && strncasecmp(text, schemes[i].scheme, schemes[i].len) == 0)
        {
            error = sluice_url_bytes(text, len);
            if (error) {
                return error;
            }

            nodes->url.tls = schemes[i].tls;
            nodes->sentinel.tls = schemes[i].tls;

            return schemes[i].parse(nodes, text + schemes[i].len, text + len);
        }
    }

    return sluice_url_parse(&nodes->url, text, len);
}


const char *
sluice_url_parse_nodes(sluice_url_nodes_t *nodes, const char *text,
    size_t len)
{
    const char  *error;

    memset(nodes, 0, sizeof(*nodes));
    error = sluice_url_nodes_read(nodes, text, len);

    if (error) {
        memset(nodes, 0, sizeof(*nodes));
    }

    return error;
}
