#include <stdlib.h>
#include "worker/links.h"


struct links_s {
    links_conf_t   conf;
    link_t        *link;
};


static void
links_on_state(void *data, bool ready)
{
    links_t  *links = data;

    if (links->conf.changed) {
        links->conf.changed(links->conf.data);
    }
}


links_t *
links_open(struct event_base *base, const settings_t *settings,
    const links_conf_t *conf)
{
    links_t      *links;
    link_conf_t   link;

    links = calloc(1, sizeof(links_t));

    if (links == NULL) {
        return NULL;
    }

    links->conf = *conf;

    link.name = conf->name;
    link.scripts = conf->scripts;
    link.nscripts = conf->nscripts;
    link.timeout = conf->timeout;
    link.state = links_on_state;
    link.data = links;

    links->link = link_open(base, settings, &link);

    if (links->link == NULL) {
        free(links);
        return NULL;
    }

    return links;
}


link_t *
links_of(links_t *links, const char *key)
{
    return links->link;
}


void
links_close(links_t *links)
{
    if (links) {
        link_close(links->link);
        free(links);
    }
}
