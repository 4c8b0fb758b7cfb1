#include "hcloud/machine_netns_router.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/str.h"

/* As at the provider: the same for everybody, and in no subnet. */
#define PUBLIC_GATEWAY	     "172.31.1.1"
#define PUBLIC_DEVICE	     "eth0"
#define PRIVATE_DEVICE_FIRST 7 /* enp7s0 */
#define PRIVATE_MTU	     1450
#define METADATA_METRIC	     100
#define LINES_BYTES_MAX	     16384

struct hop {
	char destination[32];
	char gateway[16];
};

/* A namespace while it has members; known as long as it has members or routes. */
struct network {
	int64_t id;
	uint64_t member_count;
	struct hop hops[NETWORK_HOPS_MAX];
	size_t hop_count;
	struct network *next;
};

struct router {
	char instance[16];
	char space[SPACE_NAME_BYTES];
	struct network *networks;
};

static int add_space(const char *name, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf lines;

	buf_init(&lines, LINES_BYTES_MAX);
	buf_append_str(&lines, "addr add " ROUTER_METADATA_ADDRESS "/32 dev lo\n");
	if (space_new(name, true, err) != 0)
		return -1;
	if (space_ip(name, &lines, err) == 0)
		return 0;
	space_remove(name);
	return -1;
}

int router_new(const char *instance, struct router **ret, struct error *err)
{
	struct router *router = xcalloc(1, sizeof(*router));

	(void)snprintf(router->instance, sizeof(router->instance), "%s", instance);
	(void)snprintf(router->space, sizeof(router->space), "hcs-%s-router", instance);
	if (add_space(router->space, err) != 0) {
		free(router);
		return -1;
	}
	*ret = router;
	return 0;
}

static void network_name(const struct router *router, int64_t id, char ret[SPACE_NAME_BYTES])
{
	(void)snprintf(ret, SPACE_NAME_BYTES, "hcs-%s-net-%" PRId64, router->instance, id);
}

static void remove_network_space(const struct router *router, const struct network *network)
{
	char name[SPACE_NAME_BYTES];

	network_name(router, network->id, name);
	space_remove(name);
}

static void forget_network(struct network **at)
{
	struct network *network = *at;

	CHECK(network != NULL);
	*at = network->next;
	free(network);
}

void router_free(struct router *router)
{
	if (router == NULL)
		return;
	while (router->networks != NULL) {
		if (router->networks->member_count > 0)
			remove_network_space(router, router->networks);
		forget_network(&router->networks);
	}
	space_remove(router->space);
	free(router);
}

static struct network **find_network(struct router *router, int64_t id)
{
	struct network **at = &router->networks;

	while (*at != NULL && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

static struct network *know_network(struct router *router, int64_t id)
{
	struct network **at = find_network(router, id);

	if (*at == NULL) {
		*at = xcalloc(1, sizeof(**at));
		(*at)->id = id;
	}
	return *at;
}

/* Makes the network for its first member; network_leave undoes it. */
static int network_join(struct router *router, int64_t id, struct error *err)
{
	struct network *network = know_network(router, id);
	char name[SPACE_NAME_BYTES];

	network_name(router, id, name);
	if (network->member_count == 0 && add_space(name, err) != 0) {
		if (network->hop_count == 0)
			forget_network(find_network(router, id));
		return -1;
	}
	network->member_count++;
	return 0;
}

static void network_leave(struct router *router, int64_t id)
{
	struct network **at = find_network(router, id);

	CHECK(*at != NULL && (*at)->member_count > 0);
	if (--(*at)->member_count > 0)
		return;
	remove_network_space(router, *at);
	if ((*at)->hop_count == 0)
		forget_network(at);
}

/* Unique in its namespace, and short enough for any id. */
static void name_device(char ret[ROUTER_DEVICE_BYTES], int64_t server_id)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	char reversed[ROUTER_DEVICE_BYTES];
	uint64_t rest = (uint64_t)server_id;
	size_t count = 0;

	do {
		reversed[count++] = digits[rest % 36];
		rest /= 36;
	} while (rest > 0);
	ret[0] = 'm';
	for (size_t i = 0; i < count; i++)
		ret[1 + i] = reversed[count - 1 - i];
	ret[1 + count] = '\0';
}

static bool has_address(const struct cable *cable, const char *address)
{
	for (size_t i = 0; i < cable->address_count; i++) {
		if (str_eq(cable->addresses[i], address))
			return true;
	}
	return false;
}

/* The aliases behind the cable's own address. */
static void set_aliases(struct cable *cable, const char *const *alias_ips)
{
	cable->address_count = 1;
	for (const char *const *alias = alias_ips; alias != NULL && *alias != NULL; alias++) {
		if (cable->address_count < CABLE_ADDRESSES_MAX)
			(void)snprintf(cable->addresses[cable->address_count++],
				       sizeof(cable->addresses[0]), "%s", *alias);
	}
}

/* What leads to the cable: its addresses, and what the network sends to them. Without a way back to
 * it, what comes from the machine is dropped too; so a cut is routes that lead nowhere. */
static void append_routes(struct router *router, const struct cable *cable, struct buf *lines)
{
	const struct network *network = *find_network(router, cable->network_id);

	for (size_t i = 0; i < cable->address_count; i++) {
		if (cable->is_cut)
			buf_appendf(lines, "route replace blackhole %s/32\n", cable->addresses[i]);
		else
			buf_appendf(lines, "route replace %s/32 dev %s\n", cable->addresses[i],
				    cable->device);
	}
	for (size_t i = 0; network != NULL && i < network->hop_count; i++) {
		const struct hop *hop = &network->hops[i];

		if (!has_address(cable, hop->gateway))
			continue;
		if (cable->is_cut)
			buf_appendf(lines, "route replace blackhole %s\n", hop->destination);
		else
			buf_appendf(lines, "route replace %s via %s dev %s onlink\n",
				    hop->destination, hop->gateway, cable->device);
	}
}

/* The machine's end is configured from outside, in place of the DHCP client of a real image. */
static int plug(struct router *router, const struct cable *cable, const char *machine_space,
		const char *gateway, unsigned int mtu, struct buf *machine_lines, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf lines;

	buf_init(&lines, LINES_BYTES_MAX);
	buf_appendf(&lines, "link add %s mtu %u type veth peer name %s mtu %u netns %s\n",
		    cable->device, mtu, cable->machine_device, mtu, machine_space);
	buf_appendf(&lines, "addr add %s/32 dev %s\n", gateway, cable->device);
	buf_appendf(&lines, "link set %s up\n", cable->device);
	append_routes(router, cable, &lines);
	if (space_ip(cable->space, &lines, err) == 0 &&
	    space_ip(machine_space, machine_lines, err) == 0)
		return 0;
	space_ip_try(cable->space, "link delete %s\n", cable->device);
	return -1;
}

int router_plug_public(struct router *router, const char *machine_space, int64_t server_id,
		       const char *address, struct cable *ret, struct error *err)
{
	struct cable cable = {.network_id = 0, .machine_device = PUBLIC_DEVICE};
	CLEANUP(cleanup_buf) struct buf lines;

	name_device(cable.device, server_id);
	(void)snprintf(cable.space, sizeof(cable.space), "%s", router->space);
	(void)snprintf(cable.addresses[0], sizeof(cable.addresses[0]), "%s", address);
	cable.address_count = 1;
	buf_init(&lines, LINES_BYTES_MAX);
	buf_appendf(&lines, "link set " PUBLIC_DEVICE " up\naddr add %s/32 dev " PUBLIC_DEVICE "\n",
		    address);
	buf_append_str(&lines, "route add " PUBLIC_GATEWAY " dev " PUBLIC_DEVICE " scope link\n"
			       "route add default via " PUBLIC_GATEWAY " dev " PUBLIC_DEVICE "\n");
	if (plug(router, &cable, machine_space, PUBLIC_GATEWAY, 1500, &lines, err) != 0)
		return -1;
	*ret = cable;
	return 0;
}

int router_plug_private(struct router *router, const char *machine_space, int64_t server_id,
			const struct machine_private_net *net, uint64_t slot, bool routes_metadata,
			struct cable *ret, struct error *err)
{
	struct cable cable = {.network_id = net->network_id};
	CLEANUP(cleanup_buf) struct buf lines;

	name_device(cable.device, server_id);
	network_name(router, net->network_id, cable.space);
	(void)snprintf(cable.machine_device, sizeof(cable.machine_device), "enp%us0",
		       PRIVATE_DEVICE_FIRST + (unsigned int)slot);
	(void)snprintf(cable.addresses[0], sizeof(cable.addresses[0]), "%s", net->ip);
	set_aliases(&cable, net->alias_ips);
	const char *device = cable.machine_device;

	buf_init(&lines, LINES_BYTES_MAX);
	buf_appendf(&lines, "link set %s address %s up\n", device, net->mac_address);
	buf_appendf(&lines, "addr add %s/32 dev %s\n", net->ip, device);
	buf_appendf(&lines, "route add %s dev %s scope link\n", net->gateway, device);
	buf_appendf(&lines, "route add %s via %s dev %s\n", net->network_range, net->gateway,
		    device);
	if (routes_metadata)
		buf_appendf(&lines,
			    "route add " ROUTER_METADATA_ADDRESS " via %s dev %s metric %u\n",
			    net->gateway, device, METADATA_METRIC + (unsigned int)slot);
	if (network_join(router, net->network_id, err) != 0)
		return -1;
	if (plug(router, &cable, machine_space, net->gateway, PRIVATE_MTU, &lines, err) != 0) {
		network_leave(router, net->network_id);
		return -1;
	}
	*ret = cable;
	return 0;
}

/* Those that a cut has put in the place of the device's, which go with it. */
static void remove_cut_routes(struct router *router, const struct cable *cable)
{
	const struct network *network = *find_network(router, cable->network_id);

	for (size_t i = 0; i < cable->address_count; i++)
		space_ip_try(cable->space, "route delete blackhole %s/32\n", cable->addresses[i]);
	for (size_t i = 0; network != NULL && i < network->hop_count; i++) {
		if (has_address(cable, network->hops[i].gateway))
			space_ip_try(cable->space, "route delete blackhole %s\n",
				     network->hops[i].destination);
	}
}

void router_unplug(struct router *router, struct cable *cable)
{
	if (cable->space[0] == '\0')
		return;
	/* Both ends go at once, unlike with the namespace's own end. */
	space_ip_try(cable->space, "link delete %s\n", cable->device);
	if (cable->is_cut)
		remove_cut_routes(router, cable);
	if (cable->network_id != 0)
		network_leave(router, cable->network_id);
	*cable = (struct cable){.network_id = 0};
}

int router_refresh(struct router *router, const struct cable *cable, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf lines;

	buf_init(&lines, LINES_BYTES_MAX);
	append_routes(router, cable, &lines);
	return space_ip(cable->space, &lines, err);
}

int router_cut(struct router *router, struct cable *cable, bool cut, struct error *err)
{
	if (cable->space[0] == '\0')
		return 0;
	cable->is_cut = cut;
	return router_refresh(router, cable, err);
}

int router_set_aliases(struct router *router, struct cable *cable, const char *const *alias_ips,
		       struct error *err)
{
	const struct network *network = *find_network(router, cable->network_id);
	const struct cable before = *cable;

	set_aliases(cable, alias_ips);
	for (size_t i = 0; i < before.address_count; i++) {
		if (!has_address(cable, before.addresses[i]))
			space_ip_try(cable->space, "route delete %s/32\n", before.addresses[i]);
	}
	for (size_t i = 0; network != NULL && i < network->hop_count; i++) {
		const struct hop *hop = &network->hops[i];

		if (has_address(&before, hop->gateway) && !has_address(cable, hop->gateway))
			space_ip_try(cable->space, "route delete %s\n", hop->destination);
	}
	return router_refresh(router, cable, err);
}

static bool has_route(const struct machine_route *routes, uint64_t count, const struct hop *hop)
{
	for (uint64_t i = 0; i < count; i++) {
		if (str_eq(routes[i].destination, hop->destination) &&
		    str_eq(routes[i].gateway, hop->gateway))
			return true;
	}
	return false;
}

static void remove_old_routes(const struct router *router, const struct network *network,
			      const struct machine_route *routes, uint64_t count)
{
	char name[SPACE_NAME_BYTES];

	network_name(router, network->id, name);
	for (size_t i = 0; network->member_count > 0 && i < network->hop_count; i++) {
		if (!has_route(routes, count, &network->hops[i]))
			space_ip_try(name, "route delete %s\n", network->hops[i].destination);
	}
}

int router_set_routes(struct router *router, int64_t network_id, const struct machine_route *routes,
		      uint64_t count, struct error *err)
{
	if (count > NETWORK_HOPS_MAX)
		return error_set(err, ERR_TOO_LARGE, "a network has at most %d routes",
				 NETWORK_HOPS_MAX);
	for (uint64_t i = 0; i < count; i++) {
		if (identity_check_route(&routes[i], err) != 0)
			return -1;
	}
	struct network *network = know_network(router, network_id);

	remove_old_routes(router, network, routes, count);
	for (uint64_t i = 0; i < count; i++) {
		struct hop *hop = &network->hops[i];

		(void)snprintf(hop->destination, sizeof(hop->destination), "%s",
			       routes[i].destination);
		(void)snprintf(hop->gateway, sizeof(hop->gateway), "%s", routes[i].gateway);
	}
	network->hop_count = count;
	if (network->hop_count == 0 && network->member_count == 0)
		forget_network(find_network(router, network_id));
	return 0;
}
