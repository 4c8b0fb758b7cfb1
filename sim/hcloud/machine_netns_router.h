/* The networks between the machines, and the ends of their cables.
 *
 * All traffic is routed, nothing is bridged, as at the provider: each machine has a cable of its
 * own to the router, addresses are /32, and no two machines see each other's frames. The public
 * network is the namespace hcs-INSTANCE-router; each private network is a namespace of its own,
 * hcs-INSTANCE-net-ID, made for its first member and gone with its last: isolation is that there
 * is no cable. Routers know one route for each address of a cable, and those that the network was
 * given; they drop packets whose source they would not answer through the same cable.
 *
 * 169.254.169.254 is an address of every router, so that the metadata service can listen at the
 * near end of each machine's cable. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "hcloud/machine.h"
#include "hcloud/machine_netns_identity.h"
#include "hcloud/machine_netns_space.h"

#define ROUTER_METADATA_ADDRESS "169.254.169.254"
#define ROUTER_DEVICE_BYTES	16
#define CABLE_ADDRESSES_MAX	(1 + MACHINE_ALIAS_IPS_MAX)
#define NETWORK_HOPS_MAX	100

struct router;

MUST_CHECK int router_new(const char *instance, struct router **ret, struct error *err);
/* All its namespaces are gone. NULL is fine. */
void router_free(struct router *router);

/* A cable from a router to a machine, plugged in at both ends. Plain data, so that machines keep
 * it; empty while `space` is "". */
struct cable {
	int64_t network_id;		  /* 0: the public network */
	char space[SPACE_NAME_BYTES];	  /* the router's end */
	char device[ROUTER_DEVICE_BYTES]; /* the router's end */
	char machine_device[ROUTER_DEVICE_BYTES];
	char addresses[CABLE_ADDRESSES_MAX][16]; /* the interface's, then its aliases */
	size_t address_count;
	bool is_cut;
};

/* eth0 in the machine's namespace, with the default route. */
MUST_CHECK int router_plug_public(struct router *router, const char *machine_space,
				  int64_t server_id, const char *address, struct cable *ret,
				  struct error *err);
/* The machine's `slot`th private interface, from 0: enp7s0, enp8s0, …. A machine without a public
 * one reaches its metadata through it. */
MUST_CHECK int router_plug_private(struct router *router, const char *machine_space,
				   int64_t server_id, const struct machine_private_net *net,
				   uint64_t slot, bool routes_metadata, struct cable *ret,
				   struct error *err);
/* The aliases of a private cable, in place of those that it has. */
MUST_CHECK int router_set_aliases(struct router *router, struct cable *cable,
				  const char *const *alias_ips, struct error *err);
/* Empties the cable; an empty one is fine. */
void router_unplug(struct router *router, struct cable *cable);
/* Nothing passes in either direction, and nobody is told; or it passes again. */
MUST_CHECK int router_cut(struct router *router, struct cable *cable, bool cut, struct error *err);

/* The network's own routes, in place of those that it has. The router follows each while its
 * gateway is an address of a cable: those that are plugged in already need router_refresh. */
MUST_CHECK int router_set_routes(struct router *router, int64_t network_id,
				 const struct machine_route *routes, uint64_t count,
				 struct error *err);
MUST_CHECK int router_refresh(struct router *router, const struct cable *cable, struct error *err);
