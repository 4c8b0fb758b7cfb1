#include "hcloud/machine_netns_identity.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>

#include "base/check.h"
#include "base/str.h"

#define SSH_KEYS_MAX 100

static char *copy_or_null(const char *text)
{
	return text == NULL ? NULL : xstrdup(text);
}

/* NULL-terminated, also when there was nothing. */
static char **copy_list(const char *const *list, size_t count_max)
{
	size_t count = 0;

	while (list != NULL && list[count] != NULL && count < count_max)
		count++;
	char **copy = xcalloc(count + 1, sizeof(*copy));

	for (size_t i = 0; i < count; i++)
		copy[i] = xstrdup(list[i]);
	return copy;
}

static void free_list(char **list)
{
	for (char **at = list; at != NULL && *at != NULL; at++)
		free(*at);
	free(list);
}

/* The members are const for those who read them; these are our own copies. */
static void free_text(const char *text)
{
	union {
		const char *text;
		void *memory;
	} both = {.text = text};

	free(both.memory);
}

static void free_aliases(struct machine_private_net *net)
{
	union {
		const char *const *list;
		char **ours;
	} aliases = {.list = net->alias_ips};

	free_list(aliases.ours);
	net->alias_ips = NULL;
}

static void set_aliases(struct machine_private_net *net, const char *const *alias_ips)
{
	union {
		char **ours;
		const char *const *list;
	} aliases = {.ours = copy_list(alias_ips, MACHINE_ALIAS_IPS_MAX)};

	net->alias_ips = aliases.list;
}

static void release_net(struct machine_private_net *net)
{
	free_text(net->network_name);
	free_text(net->network_range);
	free_text(net->subnet_range);
	free_text(net->gateway);
	free_text(net->ip);
	free_text(net->mac_address);
	free_aliases(net);
	*net = (struct machine_private_net){.network_id = 0};
}

void identity_free(struct identity *identity)
{
	if (identity == NULL)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(identity->private_nets); i++)
		release_net(&identity->private_nets[i]);
	free(identity->name);
	free(identity->location);
	free(identity->network_zone);
	free(identity->public_ipv4);
	free(identity->public_ipv6);
	free(identity->user_data);
	free_list(identity->ssh_keys);
	free(identity);
}

static bool is_ipv4(const char *text)
{
	struct in_addr address;

	return text != NULL && inet_pton(AF_INET, text, &address) == 1;
}

/* These become words of ip(8)'s lines. */
static bool is_range(const char *text)
{
	char address[32];
	const char *slash = text == NULL ? NULL : strchr(text, '/');

	if (slash == NULL || (size_t)(slash - text) >= sizeof(address))
		return false;
	(void)snprintf(address, sizeof(address), "%.*s", (int)(slash - text), text);
	struct error err;
	uint64_t bits;

	return is_ipv4(address) && parse_u64(slash + 1, 0, 32, &bits, &err) == 0;
}

static bool is_mac(const char *text)
{
	return text != NULL && strlen(text) == 17 && strspn(text, "0123456789abcdefABCDEF:") == 17;
}

static int check_aliases(const char *const *alias_ips, struct error *err)
{
	for (const char *const *alias = alias_ips; alias != NULL && *alias != NULL; alias++) {
		if (!is_ipv4(*alias))
			return error_set(err, ERR_INVALID, "%s is not an IPv4 address", *alias);
	}
	return 0;
}

int identity_check_route(const struct machine_route *route, struct error *err)
{
	if (!is_range(route->destination) || !is_ipv4(route->gateway))
		return error_set(err, ERR_INVALID, "there is no route to %s by %s",
				 route->destination, route->gateway);
	return 0;
}

static int check_net(const struct machine_private_net *net, struct error *err)
{
	if (net->network_id <= 0 || net->network_name == NULL || !is_range(net->network_range) ||
	    !is_range(net->subnet_range) || !is_ipv4(net->gateway) || !is_ipv4(net->ip) ||
	    !is_mac(net->mac_address))
		return error_set(err, ERR_INVALID, "network %" PRId64 " is not well described",
				 net->network_id);
	return check_aliases(net->alias_ips, err);
}

int identity_attach(struct identity *identity, const struct machine_private_net *net,
		    uint64_t *ret_slot, struct error *err)
{
	uint64_t slot = MACHINE_PRIVATE_NETS_MAX;

	if (check_net(net, err) != 0)
		return -1;
	for (uint64_t i = MACHINE_PRIVATE_NETS_MAX; i > 0; i--) {
		if (identity->private_nets[i - 1].network_id == net->network_id)
			return error_set(err, ERR_CONFLICT, "the server is in network %" PRId64,
					 net->network_id);
		if (identity->private_nets[i - 1].network_id == 0)
			slot = i - 1;
	}
	if (slot == MACHINE_PRIVATE_NETS_MAX)
		return error_set(err, ERR_TOO_LARGE, "a machine has at most %d private networks",
				 MACHINE_PRIVATE_NETS_MAX);
	identity->private_nets[slot] = (struct machine_private_net){
		.network_id = net->network_id,
		.network_name = xstrdup(net->network_name),
		.network_range = xstrdup(net->network_range),
		.subnet_range = xstrdup(net->subnet_range),
		.gateway = xstrdup(net->gateway),
		.ip = xstrdup(net->ip),
		.mac_address = xstrdup(net->mac_address),
	};
	set_aliases(&identity->private_nets[slot], net->alias_ips);
	*ret_slot = slot;
	return 0;
}

void identity_detach(struct identity *identity, int64_t network_id)
{
	for (size_t i = 0; i < ARRAY_SIZE(identity->private_nets); i++) {
		if (identity->private_nets[i].network_id == network_id)
			release_net(&identity->private_nets[i]);
	}
}

int identity_set_aliases(struct identity *identity, int64_t network_id,
			 const char *const *alias_ips, struct error *err)
{
	if (check_aliases(alias_ips, err) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(identity->private_nets); i++) {
		struct machine_private_net *net = &identity->private_nets[i];

		if (net->network_id != network_id)
			continue;
		free_aliases(net);
		set_aliases(net, alias_ips);
		return 0;
	}
	return error_set(err, ERR_NOT_FOUND, "the server is not in network %" PRId64, network_id);
}

int identity_new(const struct machine_spec *spec, struct identity **ret, struct error *err)
{
	if (spec->server_id <= 0)
		return error_set(err, ERR_INVALID, "a server's id is positive");
	if (spec->public_ipv4 != NULL && !is_ipv4(spec->public_ipv4))
		return error_set(err, ERR_INVALID, "%s is not an IPv4 address", spec->public_ipv4);
	CLEANUP(cleanup_identity) struct identity *identity = xcalloc(1, sizeof(*identity));

	identity->server_id = spec->server_id;
	identity->name = xstrdup(spec->name);
	identity->location = xstrdup(spec->location);
	identity->network_zone = xstrdup(spec->network_zone);
	identity->public_ipv4 = copy_or_null(spec->public_ipv4);
	identity->public_ipv6 = copy_or_null(spec->public_ipv6);
	identity->ssh_keys = copy_list(spec->ssh_keys, SSH_KEYS_MAX);
	identity->image_id = spec->image_id;
	identity->memory_bytes = spec->memory_bytes;
	identity->boot_delay_ms = spec->boot_delay_ms;
	identity->private_net_delay_ms = spec->private_net_delay_ms;
	identity->boot_fails = spec->boot_fails;
	if (spec->user_data != NULL) {
		identity->user_data = xcalloc(1, spec->user_data_bytes + 1);
		memcpy(identity->user_data, spec->user_data, spec->user_data_bytes);
		identity->user_data_bytes = spec->user_data_bytes;
	}
	for (uint64_t i = 0; i < spec->private_net_count; i++) {
		uint64_t slot;

		if (identity_attach(identity, &spec->private_nets[i], &slot, err) != 0)
			return -1;
	}
	*ret = TAKE_PTR(identity);
	return 0;
}

/* Text of users, as YAML: a JSON string is one. */
static void append_quoted(struct buf *out, const char *text)
{
	json_t *value = json_string(text);
	char *quoted = value == NULL ? NULL : json_dumps(value, JSON_ENCODE_ANY);

	buf_append_str(out, quoted == NULL ? "\"\"" : quoted);
	free(quoted);
	json_decref(value);
}

static const char *availability_zone(const char *location)
{
	static const char *const zones[] = {"fsn1-dc14", "nbg1-dc3", "hel1-dc2",
					    "ash-dc1",	 "hil-dc1",  "sin-dc1"};

	for (size_t i = 0; i < ARRAY_SIZE(zones); i++) {
		if (str_has_prefix(zones[i], location) && zones[i][strlen(location)] == '-')
			return zones[i];
	}
	return location;
}

static void append_private_networks(const struct identity *identity, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(identity->private_nets); i++) {
		const struct machine_private_net *net = &identity->private_nets[i];

		if (net->network_id == 0)
			continue;
		buf_appendf(out, "- ip: %s\n  alias_ips: [", net->ip);
		for (const char *const *alias = net->alias_ips; *alias != NULL; alias++)
			buf_appendf(out, "%s%s", alias == net->alias_ips ? "" : ", ", *alias);
		buf_appendf(out, "]\n  interface_num: %zu\n  mac_address: %s\n", i + 1,
			    net->mac_address);
		buf_appendf(out, "  network_id: %" PRId64 "\n  network_name: ", net->network_id);
		append_quoted(out, net->network_name);
		buf_appendf(out, "\n  network: %s\n  subnet: %s\n  gateway: %s\n",
			    net->network_range, net->subnet_range, net->gateway);
	}
}

static void append_metadata(const struct identity *identity, struct buf *out)
{
	const char *public_ipv4 = identity->public_ipv4 == NULL ? "" : identity->public_ipv4;

	buf_appendf(out,
		    "availability-zone: %s\nhostname: ", availability_zone(identity->location));
	append_quoted(out, identity->name);
	buf_appendf(out, "\ninstance-id: %" PRId64 "\nlocal-ipv4: ''\n", identity->server_id);
	buf_append_str(out, "network-config:\n  config:\n");
	if (identity->public_ipv4 != NULL)
		buf_append_str(out, "  - name: eth0\n    subnets:\n    - ipv4: true\n"
				    "      type: dhcp\n    type: physical\n");
	buf_append_str(out, "  version: 1\nprivate-networks:\n");
	append_private_networks(identity, out);
	buf_appendf(out, "public-ipv4: '%s'\npublic-keys:\n", public_ipv4);
	for (char *const *key = identity->ssh_keys; *key != NULL; key++) {
		buf_append_str(out, "- ");
		append_quoted(out, *key);
		buf_append_char(out, '\n');
	}
	buf_appendf(out, "region: %s\nvendor_data: |\n  #cloud-config\n  {}\n",
		    identity->network_zone);
}

bool identity_document(const struct identity *identity, const char *path, struct buf *out)
{
	static const char metadata[] = "/hetzner/v1/metadata";

	if (str_eq(path, "/hetzner/v1/userdata")) {
		/* Without user data it is empty: cloud-init takes a refusal for a failure. */
		buf_append(out, identity->user_data == NULL ? "" : identity->user_data,
			   identity->user_data_bytes);
		return true;
	}
	if (!str_has_prefix(path, metadata))
		return false;
	path += strlen(metadata);
	if (*path == '\0')
		append_metadata(identity, out);
	else if (str_eq(path, "/hostname"))
		buf_append_str(out, identity->name);
	else if (str_eq(path, "/instance-id"))
		buf_appendf(out, "%" PRId64, identity->server_id);
	else if (str_eq(path, "/public-ipv4"))
		buf_append_str(out, identity->public_ipv4 == NULL ? "" : identity->public_ipv4);
	else if (str_eq(path, "/private-networks"))
		append_private_networks(identity, out);
	else if (str_eq(path, "/availability-zone"))
		buf_append_str(out, availability_zone(identity->location));
	else if (str_eq(path, "/region"))
		buf_append_str(out, identity->network_zone);
	else
		return false;
	return true;
}
