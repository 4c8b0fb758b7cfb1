/* Checks of the private network at the provider and on this machine: what `network setup` makes,
 * against what is there. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/str.h"
#include "cloud/hetzner.h"
#include "core/label.h"
#include "setup/doctor.h"
#include "setup/network_look.h"

#define MEMBERS_WARN 90
#define MTU_MAX	     1450 /* of the provider's private network */

/* Without a network by intent, nothing is said of one; *ret is a skip. */
static bool is_on_public_side(struct doctor *doctor, struct finding *ret)
{
	CLEANUP(cleanup_buf) struct buf ip;

	buf_init(&ip, ENV_FILE_BYTES_MAX);
	if (doctor_options(doctor)->network_needed || !doctor_public_ip(doctor, &ip))
		return false;
	finding_skipped(ret, "workers use the public side");
	return true;
}

/* As doctor_need_look, with a network in it. */
static bool need_network(struct doctor *doctor, const struct network_look **look,
			 struct finding *ret)
{
	if (is_on_public_side(doctor, ret) || !doctor_need_look(doctor, look, ret))
		return false;
	if ((*look)->network != NULL)
		return true;
	finding_skipped(ret, "there is no network %s", doctor_options(doctor)->wish.name);
	return false;
}

static bool need_self(struct doctor *doctor, const struct hetzner_server **self,
		      struct finding *ret)
{
	struct error err = {0};

	if (doctor_self(doctor, self, &err) == 0)
		return true;
	finding_skipped(ret, "it is not known which server this is");
	return false;
}

static const struct hetzner_subnet *find_subnet(const struct network_look *look,
						const struct network_wish *wish)
{
	for (size_t i = 0; i < look->network->subnet_count; i++) {
		if (str_eq(look->network->subnets[i].ip_range, wish->subnet))
			return &look->network->subnets[i];
	}
	return NULL;
}

static void check_exists(struct doctor *doctor, struct finding *ret)
{
	const struct doctor_options *options = doctor_options(doctor);
	const struct network_look *look = NULL;
	const struct env_values *env = NULL;
	struct error err = {0};

	if (is_on_public_side(doctor, ret) || !doctor_need_look(doctor, &look, ret))
		return;
	if (look->network != NULL) {
		finding_ok(ret, "%s (ID: %lld), %s", look->network->name,
			   (long long)look->network->id, look->network->ip_range);
		return;
	}
	bool needed = options->network_needed ||
		      (doctor_env(doctor, &env, NULL, &err) == 0 && env->network_id[0] != '\0');
	if (needed)
		finding_broken(ret, "the project has no network %s", options->wish.name);
	else
		finding_warn(ret, "the project has no network %s", options->wish.name);
	finding_fix(ret, "rgrid network setup");
}

static void check_ours(struct doctor *doctor, struct finding *ret)
{
	const struct network_look *look = NULL;

	if (!need_network(doctor, &look, ret))
		return;
	if (network_look_is_ours(&look->network->labels)) {
		finding_ok(ret, LABEL_MANAGED_BY "=" LABEL_RGRID);
		return;
	}
	finding_broken(ret, "network %s lacks the label " LABEL_MANAGED_BY "=" LABEL_RGRID,
		       look->network->name);
	finding_fix(ret, "if it is RGrid's: rgrid network setup --adopt");
}

static void check_range(struct doctor *doctor, struct finding *ret)
{
	const struct network_look *look = NULL;
	const struct network_wish *wish = &doctor_options(doctor)->wish;

	if (!need_network(doctor, &look, ret))
		return;
	if (str_eq(look->network->ip_range, wish->ip_range)) {
		finding_ok(ret, "%s", wish->ip_range);
		return;
	}
	finding_broken(ret, "it is %s, not %s", look->network->ip_range, wish->ip_range);
	finding_fix(ret, "give doctor the --ip-range, --subnet and --ip that are meant");
}

static void check_subnet(struct doctor *doctor, struct finding *ret)
{
	const struct network_look *look = NULL;
	const struct network_wish *wish = &doctor_options(doctor)->wish;

	if (!need_network(doctor, &look, ret))
		return;
	const struct hetzner_subnet *subnet = find_subnet(look, wish);
	if (subnet == NULL) {
		finding_broken(ret, "network %s has no subnet %s", look->network->name,
			       wish->subnet);
		finding_fix(ret, "rgrid network setup");
	} else {
		finding_ok(ret, "%s", subnet->ip_range);
	}
}

static void check_zone(struct doctor *doctor, struct finding *ret)
{
	const struct network_look *look = NULL;
	const struct hetzner_server *self = NULL;

	if (!need_network(doctor, &look, ret) || !need_self(doctor, &self, ret))
		return;
	const struct hetzner_subnet *subnet = find_subnet(look, &doctor_options(doctor)->wish);
	if (subnet == NULL) {
		finding_skipped(ret, "there is no subnet");
	} else if (!str_eq(subnet->network_zone, self->network_zone)) {
		finding_broken(ret, "the subnet is in %s, server %s in %s", subnet->network_zone,
			       self->name, self->network_zone);
		finding_fix(ret, "detach what is in the network, then: rgrid network setup");
	} else {
		finding_ok(ret, "%s", subnet->network_zone);
	}
}

/* The provider routes through the first address of the network, not of the subnet. */
static void check_gateway(struct doctor *doctor, struct finding *ret)
{
	const struct network_look *look = NULL;
	struct ipv4_range range;
	struct error err = {0};
	char expected[IPV4_BYTES];

	if (!need_network(doctor, &look, ret))
		return;
	const struct hetzner_subnet *subnet = find_subnet(look, &doctor_options(doctor)->wish);
	if (subnet == NULL || ipv4_range_parse(look->network->ip_range, &range, &err) < 0) {
		finding_skipped(ret, "there is no subnet");
		return;
	}
	if (str_eq(subnet->gateway, ipv4_format(range.first + 1, expected)))
		finding_ok(ret, "%s, the first address of the network", subnet->gateway);
	else
		finding_warn(ret, "the API says %s, not %s, the first address of the network",
			     subnet->gateway, expected);
	if (ret->state == FINDING_WARN)
		finding_fix(ret,
			    "workers without a public address take %s as their way out: if they do "
			    "not come up, ask the provider which it is",
			    expected);
}

static void check_server(struct doctor *doctor, struct finding *ret)
{
	const struct network_look *look = NULL;
	const struct hetzner_server *self = NULL;
	struct error err = {0};

	if (!doctor_need_look(doctor, &look, ret))
		return;
	if (doctor_self(doctor, &self, &err) < 0) {
		finding_warn(ret, "%s", err.msg);
		finding_fix(ret, "%s", err.hint);
	} else {
		finding_ok(ret, "%s (ID: %lld)", self->name, (long long)self->id);
	}
}

static void check_address(struct doctor *doctor, struct finding *ret)
{
	const struct network_look *look = NULL;
	const struct hetzner_server *self = NULL;
	const struct network_wish *wish = &doctor_options(doctor)->wish;

	if (!need_network(doctor, &look, ret) || !need_self(doctor, &self, ret))
		return;
	const char *address = network_look_address(self, look->network->id);
	if (str_eq(address, wish->ip)) {
		finding_ok(ret, "%s", address);
		return;
	}
	const struct hetzner_subnet *subnet = find_subnet(look, wish);
	if (subnet == NULL || !str_eq(subnet->network_zone, self->network_zone)) {
		finding_skipped(ret, "there is no subnet that it could be in");
		return;
	}
	if (address[0] == '\0')
		finding_broken(ret, "server %s is not attached to network %s", self->name,
			       look->network->name);
	else
		finding_broken(ret, "server %s is attached as %s, not as %s", self->name, address,
			       wish->ip);
	finding_fix(ret, "rgrid network setup");
}

static void check_environment(struct doctor *doctor, struct finding *ret)
{
	const struct network_look *look = NULL;
	const struct env_values *env = NULL;
	const struct network_wish *wish = &doctor_options(doctor)->wish;
	struct error err = {0};
	uint32_t address = 0;
	int64_t number = 0;
	char id[24];

	if (!need_network(doctor, &look, ret))
		return;
	if (doctor_env(doctor, &env, NULL, &err) < 0 ||
	    parse_i64(env->network_id, 1, INT64_MAX, &number, &err) < 0 ||
	    ipv4_parse(env->db_ip, &address, &err) < 0) {
		finding_skipped(ret, "%s does not set both values",
				doctor_options(doctor)->env_file);
		return;
	}
	(void)snprintf(id, sizeof(id), "%lld", (long long)look->network->id);
	if (!str_eq(env->network_id, id))
		finding_broken(ret, ENV_NETWORK_ID " is %s, but network %s has the ID %s",
			       env->network_id, look->network->name, id);
	else if (!str_eq(env->db_ip, wish->ip))
		finding_broken(ret, ENV_DB_IP " is %s, but the database's server has %s",
			       env->db_ip, wish->ip);
	else
		finding_ok(ret, "both values are those of network %s", look->network->name);
	if (ret->state == FINDING_BROKEN)
		finding_fix(ret, "rgrid network setup --write-env, then restart the orchestrator");
}

static void check_members(struct doctor *doctor, struct finding *ret)
{
	const struct network_look *look = NULL;

	if (!need_network(doctor, &look, ret))
		return;
	size_t count = look->network->server_count;
	if (count < MEMBERS_WARN) {
		finding_ok(ret, "%zu of %d", count, NETWORK_MEMBERS_MAX);
		return;
	}
	if (count >= NETWORK_MEMBERS_MAX)
		finding_broken(ret, "%zu of %d: no worker can be added", count,
			       NETWORK_MEMBERS_MAX);
	else
		finding_warn(ret, "%zu of %d", count, NETWORK_MEMBERS_MAX);
	finding_fix(ret, "lower workers-max, or take larger servers");
}

/* Whoever is in the network reaches the database's port. */
static void check_strangers(struct doctor *doctor, struct finding *ret)
{
	const struct network_look *look = NULL;
	const struct hetzner_server *self = NULL;
	struct error err = {0};
	size_t count = 0;
	const char *first = "";

	if (!need_network(doctor, &look, ret))
		return;
	int64_t self_id = doctor_self(doctor, &self, &err) == 0 ? self->id : 0;
	for (size_t i = 0; i < look->servers.count; i++) {
		const struct hetzner_server *server = &look->servers.items[i];
		if (server->id == self_id || network_look_is_ours(&server->labels) ||
		    hetzner_label_get(&server->labels, LABEL_ROLE) != NULL ||
		    network_look_address(server, look->network->id)[0] == '\0')
			continue;
		first = count++ == 0 ? server->name : first;
	}
	if (count == 0) {
		finding_ok(ret, "all servers in it are RGrid's");
		return;
	}
	finding_warn(ret, "%zu server%s not RGrid's %s in the network: %s%s", count,
		     count == 1 ? "" : "s", count == 1 ? "is" : "are", first,
		     count > 1 ? ", …" : "");
	finding_fix(ret, "they reach the database's port; detach them, or give RGrid a network of "
			 "its own: --name");
}

/* Finds the interface that has the address; "" when there is none. */
static void find_interface(const char *address, char out[IF_NAMESIZE])
{
	struct ifaddrs *all = NULL;
	struct in_addr wanted;

	out[0] = '\0';
	if (inet_pton(AF_INET, address, &wanted) != 1 || getifaddrs(&all) != 0)
		return;
	for (const struct ifaddrs *at = all; at != NULL; at = at->ifa_next) {
		struct sockaddr_in found;
		if (at->ifa_addr == NULL || at->ifa_addr->sa_family != AF_INET)
			continue;
		memcpy(&found, at->ifa_addr, sizeof(found));
		if (found.sin_addr.s_addr == wanted.s_addr)
			(void)snprintf(out, IF_NAMESIZE, "%s", at->ifa_name);
	}
	freeifaddrs(all);
}

static int mtu_of(const char *interface)
{
	CLEANUP(cleanup_fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {0};

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	return fd < 0 || ioctl(fd, SIOCGIFMTU, &request) != 0 ? 0 : request.ifr_mtu;
}

static void check_interface(struct doctor *doctor, struct finding *ret)
{
	const struct network_look *look = NULL;
	const struct hetzner_server *self = NULL;
	char interface[IF_NAMESIZE];

	if (doctor_options(doctor)->server != NULL) {
		finding_skipped(ret, "--server was given, so that this may be another machine");
		return;
	}
	if (!need_network(doctor, &look, ret) || !need_self(doctor, &self, ret))
		return;
	const char *address = network_look_address(self, look->network->id);
	if (address[0] == '\0') {
		finding_skipped(ret, "this server is not attached");
		return;
	}
	find_interface(address, interface);
	int mtu = mtu_of(interface);
	if (interface[0] == '\0') {
		finding_broken(ret, "the API says %s, but no interface of this machine has it",
			       address);
		finding_fix(ret, "reboot, or bring the interface up: ip -br link; the images of "
				 "Debian have hc-utils for it");
	} else if (mtu > MTU_MAX) {
		finding_warn(ret, "%s has %s with an MTU of %d: packets over %d bytes are lost",
			     interface, address, mtu, MTU_MAX);
		finding_fix(ret, "ip link set %s mtu %d, and in its configuration", interface,
			    MTU_MAX);
	} else {
		finding_ok(ret, "%s has %s, MTU %d", interface, address, mtu);
	}
}

static const struct check checks[] = {
	{"net-exists", "the private network", check_exists},
	{"net-ours", "the network's label", check_ours},
	{"net-range", "the network's range", check_range},
	{"net-subnet", "the subnet", check_subnet},
	{"net-gateway", "the gateway", check_gateway},
	{"net-server", "this server", check_server},
	{"net-zone", "the network zone", check_zone},
	{"net-address", "this server's private address", check_address},
	{"net-interface", "the private interface", check_interface},
	{"net-env", "the environment against the network", check_environment},
	{"net-members", "servers in the network", check_members},
	{"net-strangers", "who is in the network", check_strangers},
};

const struct check_table doctor_network = {"network", checks, ARRAY_SIZE(checks)};
