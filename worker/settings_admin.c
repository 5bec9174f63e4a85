/* admin { }: where the REST API listens, and for whom. */

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <event2/util.h>
#include "worker/settings_check.h"


static cfg_opt_t  admin_tenant_opts[] = {
    CFG_STR_LIST("key", NULL, CFGF_NODEFAULT),
    CFG_END()
};

cfg_opt_t  settings_admin_opts[] = {
    CFG_STR("listen", NULL, CFGF_NODEFAULT),
    CFG_STR_LIST("key", NULL, CFGF_NODEFAULT),
    CFG_SEC("tenant", admin_tenant_opts,
            CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
    CFG_END()
};


/* it is for what stands before it: NGINX, or a person on this machine */

const char *
settings_listen(const char *value)
{
    int                         len;
    const char                 *port;
    struct sockaddr_storage     address;
    const struct sockaddr_in   *in = (const struct sockaddr_in *) &address;
    const struct sockaddr_in6  *in6 = (const struct sockaddr_in6 *) &address;

    if (strncmp(value, "unix:", 5) == 0) {
        return (value[5] == '\0'
                || strlen(value + 5) >= sizeof(((struct sockaddr_un *) 0)
                                               ->sun_path))
               ? "must have a path of 1 to 107 bytes behind unix:" : NULL;
    }

    len = sizeof(address);
    port = strrchr(value, ':');

    if (port != NULL && port[1] != '\0'
        && evutil_parse_sockaddr_port(value, (struct sockaddr *) &address,
                                      &len) == 0)
    {
        if (address.ss_family == AF_INET && in->sin_port != 0
            && (ntohl(in->sin_addr.s_addr) >> 24) == 127)
        {
            return NULL;
        }

        if (address.ss_family == AF_INET6 && in6->sin6_port != 0
            && IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr))
        {
            return NULL;
        }
    }

    return "must be unix:PATH, or an address of the loopback with a port, as"
           " 127.0.0.1:8081 or [::1]:8081";
}


/* the keys of one section; `tenant` is NULL for those of all queues */

static void
settings_admin_keys(settings_t *settings, cfg_t *sec, const char *tenant)
{
    size_t        i;
    const char   *error;
    admin_key_t  *key;

    for (i = 0; i < cfg_size(sec, "key"); i++) {
        key = &settings->admin_keys[settings->nadmin_keys];

        /* the check said already what is wrong */

        if (settings_secret(cfg_getnstr(sec, "key", i), &key->secret, &error)
            == 0)
        {
            key->tenant = settings_dup(tenant);
            settings->nadmin_keys++;
        }
    }
}


void
settings_admin(settings_t *settings, cfg_t *cfg)
{
    size_t       i, n;
    cfg_t       *sec, *tenant;
    const char  *name;

    sec = cfg_getsec(cfg, "admin");
    n = cfg_size(sec, "key");

    for (i = 0; i < cfg_size(sec, "tenant"); i++) {
        tenant = cfg_getnsec(sec, "tenant", i);
        name = cfg_title(tenant);

        if (!sluice_keys_name_ok(name, strlen(name))) {
            settings_error(tenant, "admin: tenant \"%s\": the name must be 1 to"
                           " 64 characters of A-Z a-z 0-9 _ . -", name);
        }

        if (cfg_size(tenant, "key") == 0) {
            settings_error(tenant, "admin: tenant \"%s\": key is missing",
                           name);
        }

        n += cfg_size(tenant, "key");
    }

    settings->admin_listen = settings_dup(cfg_getstr(sec, "listen"));
    settings->admin_keys = settings_alloc(n, sizeof(admin_key_t));

    if (settings->admin_listen && n == 0) {
        settings_error(sec, "admin: key is missing");

    } else if (settings->admin_listen == NULL && n > 0) {
        settings_error(sec, "admin: listen is missing");
    }

    settings_admin_keys(settings, sec, NULL);

    for (i = 0; i < cfg_size(sec, "tenant"); i++) {
        tenant = cfg_getnsec(sec, "tenant", i);
        settings_admin_keys(settings, tenant, cfg_title(tenant));
    }
}


void
settings_admin_free(settings_t *settings)
{
    size_t  i;

    for (i = 0; i < settings->nadmin_keys; i++) {
        free(settings->admin_keys[i].tenant);
        free(settings->admin_keys[i].secret);
    }

    free(settings->admin_listen);
    free(settings->admin_keys);
}
