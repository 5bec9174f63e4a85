/*
 * Several servers, blocking: the master that sentinels watch, and a cluster
 * whose nodes each get the commands of their slots.  Errors end the program.
 */

#ifndef SLUICE_WORKER_CTL_NODES_H
#define SLUICE_WORKER_CTL_NODES_H

#include "worker/ctl_server.h"


typedef struct ctl_nodes_s  ctl_nodes_t;


ctl_server_t *ctl_nodes_master(const sluice_url_nodes_t *url, tls_t *tls);

/* of a cluster; url and tls must outlive it */
ctl_nodes_t *ctl_nodes_open(const sluice_url_nodes_t *url, tls_t *tls);

/*
 * A command as hiredis formats it, which is taken; and the answers in the order
 * of the commands.  One without a key goes where the one before it went.
 */
void ctl_nodes_put(ctl_nodes_t *nodes, char *text, size_t len);
redisReply *ctl_nodes_reply(ctl_nodes_t *nodes);


#endif
