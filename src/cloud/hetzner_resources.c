/* The API's objects, read. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/str.h"
#include "cloud/hetzner_parse.h"

#define SUBNETS_MAX 64
#define ROUTES_MAX  128
#define MEMBERS_MAX 512
#define GIGA	    (1024ULL * 1024 * 1024)

static int finish(const struct hetzner_reader *reader)
{
	return reader->failed ? -1 : 0;
}

static struct hetzner_reader begin(const json_t *json, const char *what, struct error *err)
{
	struct hetzner_reader reader = {.err = err};

	if (!json_is_object(json))
		hetzner_reader_fail(&reader, "a %s is no object", what);
	return reader;
}

static void read_subnets(struct hetzner_reader *reader, const json_t *json,
			 struct hetzner_network *ret)
{
	const json_t *subnets = hetzner_read_array(reader, json, "subnets", SUBNETS_MAX);
	const json_t *subnet;
	size_t index;

	ret->subnets = xcalloc(json_array_size(subnets) + 1, sizeof(*ret->subnets));
	json_array_foreach (subnets, index, subnet) {
		struct hetzner_subnet *to = &ret->subnets[ret->subnet_count++];

		hetzner_read_text(reader, subnet, "ip_range", to->ip_range, sizeof(to->ip_range));
		hetzner_read_text(reader, subnet, "network_zone", to->network_zone,
				  sizeof(to->network_zone));
		hetzner_read_text(reader, subnet, "type", to->type, sizeof(to->type));
		hetzner_read_optional_text(reader, subnet, "gateway", to->gateway,
					   sizeof(to->gateway));
	}
}

static void read_routes(struct hetzner_reader *reader, const json_t *json,
			struct hetzner_network *ret)
{
	const json_t *routes = hetzner_read_array(reader, json, "routes", ROUTES_MAX);
	const json_t *route;
	size_t index;

	ret->routes = xcalloc(json_array_size(routes) + 1, sizeof(*ret->routes));
	json_array_foreach (routes, index, route) {
		struct hetzner_route *to = &ret->routes[ret->route_count++];

		hetzner_read_text(reader, route, "destination", to->destination,
				  sizeof(to->destination));
		hetzner_read_text(reader, route, "gateway", to->gateway, sizeof(to->gateway));
	}
}

static void read_members(struct hetzner_reader *reader, const json_t *json,
			 struct hetzner_network *ret)
{
	const json_t *servers = hetzner_read_array(reader, json, "servers", MEMBERS_MAX);
	const json_t *server;
	size_t index;

	ret->server_ids = xcalloc(json_array_size(servers) + 1, sizeof(*ret->server_ids));
	json_array_foreach (servers, index, server) {
		if (!json_is_integer(server) || json_integer_value(server) < 1 ||
		    json_integer_value(server) > HETZNER_ID_MAX) {
			hetzner_reader_fail(reader, "\"servers\" has what is no id");
			return;
		}
		ret->server_ids[ret->server_count++] = json_integer_value(server);
	}
}

int hetzner_parse_network(const json_t *json, struct hetzner_network *ret, struct error *err)
{
	struct hetzner_reader reader = begin(json, "network", err);

	*ret = (struct hetzner_network){0};
	hetzner_read_id(&reader, json, "id", &ret->id);
	hetzner_read_cut_text(&reader, json, "name", ret->name, sizeof(ret->name));
	hetzner_read_text(&reader, json, "ip_range", ret->ip_range, sizeof(ret->ip_range));
	hetzner_read_time(&reader, json, "created", &ret->created_us);
	hetzner_read_labels(&reader, json, &ret->labels);
	read_subnets(&reader, json, ret);
	read_routes(&reader, json, ret);
	read_members(&reader, json, ret);
	hetzner_read_bool(&reader, json_object_get(json, "protection"), "delete",
			  &ret->delete_protected);
	if (reader.failed)
		hetzner_network_release(ret);
	return finish(&reader);
}

void hetzner_network_release(struct hetzner_network *network)
{
	free(network->subnets);
	free(network->routes);
	free(network->server_ids);
	*network = (struct hetzner_network){0};
}

static const char *const status_names[] = {
	[HETZNER_SERVER_INITIALIZING] = "initializing",
	[HETZNER_SERVER_STARTING] = "starting",
	[HETZNER_SERVER_RUNNING] = "running",
	[HETZNER_SERVER_STOPPING] = "stopping",
	[HETZNER_SERVER_OFF] = "off",
	[HETZNER_SERVER_DELETING] = "deleting",
	[HETZNER_SERVER_MIGRATING] = "migrating",
	[HETZNER_SERVER_REBUILDING] = "rebuilding",
};

static enum hetzner_server_status status_of(const char *name)
{
	for (size_t i = HETZNER_SERVER_INITIALIZING; i < ARRAY_SIZE(status_names); i++) {
		if (str_eq(status_names[i], name))
			return (enum hetzner_server_status)i;
	}
	return HETZNER_SERVER_UNKNOWN;
}

static void read_public_net(struct hetzner_reader *reader, const json_t *json,
			    struct hetzner_server *ret)
{
	const json_t *public_net = hetzner_read_object(reader, json, "public_net");
	const json_t *ipv4 = hetzner_read_optional_object(reader, public_net, "ipv4");
	const json_t *ipv6 = hetzner_read_optional_object(reader, public_net, "ipv6");

	hetzner_read_optional_text(reader, ipv4, "ip", ret->public_ipv4, sizeof(ret->public_ipv4));
	hetzner_read_optional_text(reader, ipv6, "ip", ret->public_ipv6, sizeof(ret->public_ipv6));
}

static void read_private_net(struct hetzner_reader *reader, const json_t *json,
			     struct hetzner_server *ret)
{
	const json_t *nets = hetzner_read_array(reader, json, "private_net", HETZNER_NETWORKS_MAX);
	const json_t *net;
	size_t index;

	json_array_foreach (nets, index, net) {
		struct hetzner_private_net *to = &ret->private_nets[ret->private_net_count++];

		hetzner_read_id(reader, net, "network", &to->network_id);
		hetzner_read_text(reader, net, "ip", to->ip, sizeof(to->ip));
		hetzner_read_optional_text(reader, net, "mac_address", to->mac_address,
					   sizeof(to->mac_address));
	}
}

int hetzner_parse_server(const json_t *json, struct hetzner_server *ret, struct error *err)
{
	struct hetzner_reader reader = begin(json, "server", err);
	char status[32] = "";

	*ret = (struct hetzner_server){0};
	hetzner_read_id(&reader, json, "id", &ret->id);
	hetzner_read_cut_text(&reader, json, "name", ret->name, sizeof(ret->name));
	hetzner_read_text(&reader, json, "status", status, sizeof(status));
	ret->status = status_of(status);
	hetzner_read_bool(&reader, json, "locked", &ret->locked);
	hetzner_read_time(&reader, json, "created", &ret->created_us);
	hetzner_read_text(&reader, hetzner_read_object(&reader, json, "server_type"), "name",
			  ret->server_type, sizeof(ret->server_type));
	const json_t *location = hetzner_read_object(&reader, json, "location");
	hetzner_read_text(&reader, location, "name", ret->location, sizeof(ret->location));
	hetzner_read_optional_text(&reader, location, "network_zone", ret->network_zone,
				   sizeof(ret->network_zone));
	read_public_net(&reader, json, ret);
	read_private_net(&reader, json, ret);
	hetzner_read_optional_id(&reader,
				 hetzner_read_optional_object(&reader, json, "placement_group"),
				 "id", &ret->placement_group_id);
	hetzner_read_labels(&reader, json, &ret->labels);
	return finish(&reader);
}

static void read_amount(struct hetzner_reader *reader, const json_t *price, const char *name,
			int64_t *ret_micros)
{
	char net[64] = "";

	hetzner_read_text(reader, json_object_get(price, name), "net", net, sizeof(net));
	if (!reader->failed && !hetzner_parse_micros(net, ret_micros))
		hetzner_reader_fail(reader, "\"%s\" is no price", name);
}

static void read_price(struct hetzner_reader *reader, const json_t *json, struct hetzner_price *ret)
{
	hetzner_read_text(reader, json, "location", ret->location, sizeof(ret->location));
	read_amount(reader, json, "price_hourly", &ret->hourly_micros);
	read_amount(reader, json, "price_monthly", &ret->monthly_micros);
	ret->available = true;
}

/* What a location says of the type: since 2025 each has a word of its own. */
static void read_sales(struct hetzner_reader *reader, const json_t *json,
		       struct hetzner_server_type *ret)
{
	const json_t *location;
	size_t index;

	json_array_foreach (json_object_get(json, "locations"), index, location) {
		char name[32] = "";

		hetzner_read_text(reader, location, "name", name, sizeof(name));
		for (size_t i = 0; i < ret->price_count; i++) {
			struct hetzner_price *price = &ret->prices[i];
			const json_t *deprecation = json_object_get(location, "deprecation");

			if (!str_eq(price->location, name))
				continue;
			price->deprecated = deprecation != NULL && !json_is_null(deprecation);
			hetzner_read_optional_time(reader, deprecation, "unavailable_after",
						   &price->unavailable_us);
			hetzner_read_bool(reader, location, "available", &price->available);
		}
	}
}

int hetzner_parse_server_type(const json_t *json, struct hetzner_server_type *ret,
			      struct error *err)
{
	struct hetzner_reader reader = begin(json, "server type", err);
	const json_t *price;
	size_t index;

	*ret = (struct hetzner_server_type){0};
	hetzner_read_id(&reader, json, "id", &ret->id);
	hetzner_read_text(&reader, json, "name", ret->name, sizeof(ret->name));
	hetzner_read_optional_text(&reader, json, "architecture", ret->architecture,
				   sizeof(ret->architecture));
	hetzner_read_count(&reader, json, "cores", 4096, &ret->cores);
	hetzner_read_scaled(&reader, json, "memory", GIGA, &ret->memory_bytes);
	hetzner_read_scaled(&reader, json, "disk", GIGA, &ret->disk_bytes);
	const json_t *prices = hetzner_read_array(&reader, json, "prices", HETZNER_PRICES_MAX);
	json_array_foreach (prices, index, price)
		read_price(&reader, price, &ret->prices[ret->price_count++]);
	read_sales(&reader, json, ret);
	return finish(&reader);
}

int hetzner_parse_pricing(const json_t *json, struct hetzner_pricing *ret, struct error *err)
{
	struct hetzner_reader reader = begin(json, "price list", err);
	const json_t *address;
	const json_t *price;
	size_t index;
	size_t at;

	*ret = (struct hetzner_pricing){0};
	hetzner_read_text(&reader, json, "currency", ret->currency, sizeof(ret->currency));
	const json_t *addresses = hetzner_read_array(&reader, json, "primary_ips", 16);
	json_array_foreach (addresses, index, address) {
		char type[16] = "";

		hetzner_read_text(&reader, address, "type", type, sizeof(type));
		if (!str_eq(type, "ipv4"))
			continue;
		const json_t *prices =
			hetzner_read_array(&reader, address, "prices", HETZNER_PRICES_MAX);
		ret->primary_ipv4_count = 0;
		json_array_foreach (prices, at, price)
			read_price(&reader, price, &ret->primary_ipv4[ret->primary_ipv4_count++]);
	}
	return finish(&reader);
}

int hetzner_parse_location(const json_t *json, struct hetzner_location *ret, struct error *err)
{
	struct hetzner_reader reader = begin(json, "location", err);

	*ret = (struct hetzner_location){0};
	hetzner_read_id(&reader, json, "id", &ret->id);
	hetzner_read_text(&reader, json, "name", ret->name, sizeof(ret->name));
	hetzner_read_text(&reader, json, "network_zone", ret->network_zone,
			  sizeof(ret->network_zone));
	return finish(&reader);
}

int hetzner_parse_image(const json_t *json, struct hetzner_image *ret, struct error *err)
{
	struct hetzner_reader reader = begin(json, "image", err);

	*ret = (struct hetzner_image){0};
	hetzner_read_id(&reader, json, "id", &ret->id);
	hetzner_read_optional_cut_text(&reader, json, "name", ret->name, sizeof(ret->name));
	hetzner_read_optional_cut_text(&reader, json, "description", ret->description,
				       sizeof(ret->description));
	hetzner_read_text(&reader, json, "type", ret->type, sizeof(ret->type));
	hetzner_read_text(&reader, json, "status", ret->status, sizeof(ret->status));
	hetzner_read_optional_text(&reader, json, "architecture", ret->architecture,
				   sizeof(ret->architecture));
	hetzner_read_time(&reader, json, "created", &ret->created_us);
	hetzner_read_optional_time(&reader, json, "deprecated", &ret->deprecated_us);
	hetzner_read_labels(&reader, json, &ret->labels);
	return finish(&reader);
}

int hetzner_parse_named(const json_t *json, struct hetzner_named *ret, struct error *err)
{
	struct hetzner_reader reader = begin(json, "resource", err);

	*ret = (struct hetzner_named){0};
	hetzner_read_id(&reader, json, "id", &ret->id);
	hetzner_read_cut_text(&reader, json, "name", ret->name, sizeof(ret->name));
	hetzner_read_optional_text(&reader, json, "fingerprint", ret->fingerprint,
				   sizeof(ret->fingerprint));
	ret->server_count = json_array_size(json_object_get(json, "servers"));
	hetzner_read_labels(&reader, json, &ret->labels);
	return finish(&reader);
}

int hetzner_parse_action(const json_t *json, struct hetzner_action *ret, struct error *err)
{
	struct hetzner_reader reader = begin(json, "action", err);
	char status[32] = "";

	*ret = (struct hetzner_action){0};
	hetzner_read_id(&reader, json, "id", &ret->id);
	hetzner_read_text(&reader, json, "command", ret->command, sizeof(ret->command));
	hetzner_read_text(&reader, json, "status", status, sizeof(status));
	hetzner_read_count(&reader, json, "progress", 100, &ret->progress_percent);
	const json_t *error = json_object_get(json, "error");
	hetzner_read_optional_text(&reader, error, "code", ret->error_code,
				   sizeof(ret->error_code));
	hetzner_read_optional_cut_text(&reader, error, "message", ret->error_message,
				       sizeof(ret->error_message));
	if (str_eq(status, "running"))
		ret->status = HETZNER_ACTION_RUNNING;
	else if (str_eq(status, "success"))
		ret->status = HETZNER_ACTION_SUCCESS;
	else if (str_eq(status, "error"))
		ret->status = HETZNER_ACTION_ERROR;
	else
		hetzner_reader_fail(&reader, "an action's status is \"%s\"", status);
	return finish(&reader);
}

static int append_action(const json_t *json, struct hetzner_actions *ret, struct error *err)
{
	struct hetzner_action action;

	if (hetzner_parse_action(json, &action, err) < 0)
		return -1;
	ret->ids[ret->count++] = action.id;
	return 0;
}

int hetzner_parse_actions_begun(const json_t *reply, struct hetzner_actions *ret, struct error *err)
{
	struct hetzner_reader reader = {.err = err};
	const json_t *first = hetzner_read_object(&reader, reply, "action");
	const json_t *next = json_object_get(reply, "next_actions");
	const json_t *action;
	size_t index;

	*ret = (struct hetzner_actions){0};
	if (next != NULL && !json_is_null(next))
		(void)hetzner_read_array(&reader, reply, "next_actions", HETZNER_ACTIONS_MAX - 1);
	if (reader.failed || append_action(first, ret, err) < 0)
		return -1;
	json_array_foreach (next, index, action) {
		if (append_action(action, ret, err) < 0)
			return -1;
	}
	return 0;
}
