#include "setup/network_look.h"

#include "base/str.h"
#include "core/label.h"

void network_look_release(struct network_look *look)
{
	hetzner_server_list_release(&look->servers);
	hetzner_network_list_release(&look->networks);
	*look = (struct network_look){0};
}

int network_look_take(struct hetzner *hetzner, const char *network_name, struct network_look *ret,
		      struct error *err)
{
	CLEANUP(cleanup_network_look) struct network_look look = {0};

	if (hetzner_networks_list(hetzner, NULL, NULL, &look.networks, err) < 0 ||
	    hetzner_servers_list(hetzner, NULL, NULL, &look.servers, err) < 0)
		return -1;
	for (size_t i = 0; i < look.networks.count; i++) {
		if (!str_eq(look.networks.items[i].name, network_name))
			continue;
		if (look.network != NULL) {
			(void)error_set(err, ERR_CONFLICT, "there are two networks named %s",
					network_name);
			return error_hint(err, "delete or rename one, or take another --name");
		}
		look.network = &look.networks.items[i];
	}
	*ret = look;
	look = (struct network_look){0};
	return 0;
}

const char *network_look_address(const struct hetzner_server *server, int64_t network_id)
{
	for (size_t i = 0; i < server->private_net_count; i++) {
		if (server->private_nets[i].network_id == network_id)
			return server->private_nets[i].ip;
	}
	return "";
}

bool network_look_is_ours(const struct hetzner_labels *labels)
{
	const char *owner = hetzner_label_get(labels, LABEL_MANAGED_BY);
	return owner != NULL && str_eq(owner, LABEL_RGRID);
}

static void see_network(const struct hetzner_network *network, int64_t self_id,
			struct network_seen *ret)
{
	ret->exists = true;
	ret->ours = network_look_is_ours(&network->labels);
	ret->delete_protected = network->delete_protected;
	ret->ip_range = network->ip_range;
	for (size_t i = 0; i < network->subnet_count && i < NETWORK_SUBNETS_MAX; i++) {
		const struct hetzner_subnet *subnet = &network->subnets[i];
		ret->subnets[ret->subnet_count++] = (struct network_seen_subnet){
			subnet->ip_range, subnet->network_zone, subnet->type};
	}
	for (size_t i = 0; i < network->route_count && i < NETWORK_ROUTES_MAX; i++)
		ret->routes[ret->route_count++] = network->routes[i].destination;
	for (size_t i = 0; i < network->server_count; i++)
		ret->other_count += network->server_ids[i] != self_id;
}

/* Of the networks that this server is in besides the one in question. */
static void see_other_networks(const struct network_look *look, const struct hetzner_server *self,
			       const struct network_wish *wish, struct network_seen *ret)
{
	struct error ignored = {0};
	struct ipv4_range wished;

	if (ipv4_range_parse(wish->ip_range, &wished, &ignored) < 0)
		return;
	for (size_t i = 0; i < look->networks.count; i++) {
		const struct hetzner_network *network = &look->networks.items[i];
		struct ipv4_range range;
		if (network == look->network || network_look_address(self, network->id)[0] == '\0')
			continue;
		ret->network_count++;
		if (ipv4_range_parse(network->ip_range, &range, &ignored) == 0 &&
		    ipv4_range_overlaps(range, wished))
			ret->overlapping = network->name;
	}
}

void network_look_see(const struct network_look *look, const struct hetzner_server *self,
		      const struct network_wish *wish, struct network_seen *ret)
{
	*ret = (struct network_seen){.ip_range = "",
				     .holder = "",
				     .server = self->name,
				     .zone = self->network_zone,
				     .attached_ip = "",
				     .overlapping = ""};
	see_other_networks(look, self, wish, ret);
	if (look->network == NULL)
		return;
	see_network(look->network, self->id, ret);
	ret->attached_ip = network_look_address(self, look->network->id);
	for (size_t i = 0; i < look->servers.count; i++) {
		const struct hetzner_server *server = &look->servers.items[i];
		if (server != self &&
		    str_eq(network_look_address(server, look->network->id), wish->ip))
			ret->holder = server->name;
	}
}
