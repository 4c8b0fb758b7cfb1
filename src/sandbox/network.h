/* NETWORK_PUBLIC: the public internet and nothing else. Each slot that needs it gets a network
 * namespace joined to the worker's by a veth pair; packets are masqueraded, and an nftables table in
 * the worker's namespace drops what goes to private, link-local (metadata), shared, loopback or
 * multicast addresses, to the worker itself and to other jobs. There is no IPv6 inside.
 *
 * Made at a slot's first networked job and kept until network_free. When the rules do not load there
 * is no network. The namespaces are anonymous: they die with the worker, and their veth pairs with
 * them; the table and the forwarding switch of a killed worker are cleared by the next open.
 *
 * If forwarding of packets had to be switched on for the jobs, the table keeps the host from
 * forwarding anything else, and it is switched off again at the end. The table's name tells. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct network;

/* identity: of the worker on this machine, NETWORK_IDENTITY_CHARS characters, part of names.
 * directory: ours, for the jobs' resolv.conf. Succeeds where no network can be given; the error is
 * about leftovers that cannot be cleared. */
#define NETWORK_IDENTITY_CHARS 8
MUST_CHECK int network_open(const char *identity, const char *directory, size_t slots,
			    struct network **ret, struct error *err);
void network_free(struct network *network);
/* NULL: networked jobs can run; else why not. */
const char *network_missing(const struct network *network);

/* The path of the slot's network namespace, good as long as the network is open. */
MUST_CHECK int network_slot(struct network *network, size_t slot, const char **ret_path,
			    struct error *err);
const char *network_resolv_conf(const struct network *network);

/* The name servers of `host_resolv_conf` that jobs can reach, as a resolv.conf; where none is public,
 * two that are. To be freed. */
char *network_resolv_conf_text(const char *host_resolv_conf);
