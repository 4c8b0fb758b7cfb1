#include "hcloud/network.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/json.h"
#include "base/str.h"
#include "hcloud/attachment.h"
#include "hcloud/listing.h"
#include "hcloud/machines.h"
#include "hcloud/network_actions.h"
#include "hcloud/quota.h"
#include "hcloud/resource.h"

#define RANGE_BYTES_MAX 32
#define ZONE_BYTES_MAX	64
#define NETWORKS_MAX	50

static const char *const subnet_types[] = {
	[SUBNET_CLOUD] = "cloud", [SUBNET_SERVER] = "server", [SUBNET_VSWITCH] = "vswitch"};

json_t *network_view(struct sim *sim, struct project *project, const json_t *network)
{
	json_t *view = doc_public(network);

	(void)sim;
	doc_set(view, "servers", attachment_servers(project, doc_id(network)));
	doc_set(view, "load_balancers", json_array());
	return view;
}

static enum subnet_type subnet_type_parse(const char *text)
{
	for (enum subnet_type type = SUBNET_CLOUD; type <= SUBNET_VSWITCH; type++) {
		if (str_eq(text, subnet_types[type]))
			return type;
	}
	return 0;
}

void network_plan_read(const json_t *network, struct network_plan *ret)
{
	const json_t *subnets = json_object_get(network, "subnets");
	const json_t *routes = json_object_get(network, "routes");

	*ret = (struct network_plan){.subnet_count = 0};
	CHECK(ip_range_read(doc_str(network, "ip_range"), &ret->range));
	for (size_t i = 0; i < json_array_size(subnets) && i < NETWORK_SUBNETS_MAX; i++) {
		const json_t *json = json_array_get(subnets, i);
		struct subnet *subnet = &ret->subnets[ret->subnet_count++];

		subnet->type = subnet_type_parse(doc_str(json, "type"));
		subnet->zone = doc_str(json, "network_zone");
		subnet->vswitch_id = doc_int(json, "vswitch_id");
		CHECK(ip_range_read(doc_str(json, "ip_range"), &subnet->range));
	}
	for (size_t i = 0; i < json_array_size(routes) && i < NETWORK_ROUTES_MAX; i++) {
		const json_t *json = json_array_get(routes, i);
		struct network_route *route = &ret->routes[ret->route_count++];

		CHECK(ip_range_read(doc_str(json, "destination"), &route->destination));
		CHECK(ip_read(doc_str(json, "gateway"), &route->gateway));
	}
}

static bool is_zone(const struct sim *sim, const char *zone)
{
	const struct table *locations = &sim->catalog[KIND_LOCATION];

	for (size_t i = 0; i < locations->count; i++) {
		if (str_eq(doc_str(locations->docs[i], "network_zone"), zone))
			return true;
	}
	return false;
}

/* By another network of the project, or by the one that `plan` is of. */
static bool vswitch_is_used(const struct project *project, const struct network_plan *plan,
			    int64_t vswitch_id)
{
	const struct table *networks = &project->tables[KIND_NETWORK];

	for (size_t i = 0; i < plan->subnet_count; i++) {
		if (plan->subnets[i].vswitch_id == vswitch_id)
			return true;
	}
	for (size_t i = 0; i < networks->count; i++) {
		const json_t *subnets = json_object_get(networks->docs[i], "subnets");

		for (size_t j = 0; j < json_array_size(subnets); j++) {
			if (doc_int(json_array_get(subnets, j), "vswitch_id") == vswitch_id)
				return true;
		}
	}
	return false;
}

int network_subnet_read(struct call *call, const struct network_plan *plan, const json_t *json,
			struct subnet *ret)
{
	const char *type = NULL;
	const char *range = NULL;
	const char *zone = NULL;
	int64_t vswitch_id = 0;
	struct fields fields;

	fields_init(&fields, json, &call->problem);
	fields_str(&fields, "type", FIELD_REQUIRED, ZONE_BYTES_MAX, &type);
	fields_str(&fields, "network_zone", FIELD_REQUIRED, ZONE_BYTES_MAX, &zone);
	fields_str(&fields, "ip_range", FIELD_OPTIONAL, RANGE_BYTES_MAX, &range);
	fields_id(&fields, "vswitch_id", FIELD_OPTIONAL, &vswitch_id);
	if (type && !subnet_type_parse(type))
		fields_fail(&fields, "type", "Not a valid choice.");
	if (zone && !is_zone(call->sim, zone))
		fields_fail(&fields, "network_zone", "Not a valid choice.");
	if (range && !ip_range_read(range, &ret->range))
		fields_fail(&fields, "ip_range", "Not a valid IPv4 network.");
	if (type && (subnet_type_parse(type) == SUBNET_VSWITCH) != (vswitch_id != 0))
		fields_fail(&fields, "vswitch_id",
			    "is for subnets of type vswitch, and only those");
	if (fields_finish(&fields) < 0)
		return -1;
	CHECK(type != NULL);
	if (vswitch_id && vswitch_is_used(call->project, plan, vswitch_id))
		return problem_set(&call->problem, PROBLEM_VSWITCH_ID_ALREADY_USED,
				   "the vSwitch is already used");
	ret->type = subnet_type_parse(type);
	ret->zone = zone;
	ret->vswitch_id = vswitch_id;
	if (range)
		return network_check_subnet(plan, &ret->range, &call->problem);
	if (network_check_subnet_count(plan, &call->problem) < 0)
		return -1;
	if (!network_free_subnet(plan, &ret->range))
		return problem_invalid(&call->problem, "ip_range", "no free range in the network");
	return 0;
}

int network_route_read(struct call *call, const struct network_plan *plan, const json_t *json,
		       struct network_route *ret)
{
	const char *destination = NULL;
	const char *gateway = NULL;
	struct fields fields;

	fields_init(&fields, json, &call->problem);
	fields_str(&fields, "destination", FIELD_REQUIRED, RANGE_BYTES_MAX, &destination);
	fields_str(&fields, "gateway", FIELD_REQUIRED, RANGE_BYTES_MAX, &gateway);
	if (destination && !ip_range_read(destination, &ret->destination))
		fields_fail(&fields, "destination", "Not a valid IPv4 network.");
	if (gateway && !ip_read(gateway, &ret->gateway))
		fields_fail(&fields, "gateway", "Not a valid IPv4 address.");
	if (fields_finish(&fields) < 0)
		return -1;
	return network_check_route(plan, ret, &call->problem);
}

json_t *network_subnet_json(const struct network_plan *plan, const struct subnet *subnet)
{
	char range[IPV4_RANGE_BYTES];
	char gateway[IPV4_RANGE_BYTES];

	return json_pack("{s:s,s:s,s:s,s:s,s:o}", "type", subnet_types[subnet->type], "ip_range",
			 ip_range_format(&subnet->range, range), "network_zone", subnet->zone,
			 "gateway", ipv4_format(network_gateway(plan), gateway), "vswitch_id",
			 subnet->vswitch_id ? json_integer(subnet->vswitch_id) : json_null());
}

json_t *network_route_json(const struct network_route *route)
{
	char destination[IPV4_RANGE_BYTES];
	char gateway[IPV4_RANGE_BYTES];

	return json_pack("{s:s,s:s}", "destination",
			 ip_range_format(&route->destination, destination), "gateway",
			 ipv4_format(route->gateway, gateway));
}

int network_check_idle(struct call *call, const json_t *network)
{
	if (!action_is_changing(call->sim, call->project, KIND_NETWORK, doc_id(network)))
		return 0;
	return problem_set(&call->problem, PROBLEM_CONFLICT,
			   "network is being changed, please retry");
}

static int read_subnets(struct call *call, struct network_plan *plan, json_t *ret)
{
	const json_t *subnets = json_object_get(call->body, "subnets");

	for (size_t i = 0; i < json_array_size(subnets); i++) {
		const json_t *json = json_array_get(subnets, i);
		struct subnet subnet;

		if (!json_is_object(json))
			return problem_invalid(&call->problem, "subnets",
					       "Not a valid mapping type.");
		if (network_subnet_read(call, plan, json, &subnet) < 0)
			return -1;
		plan->subnets[plan->subnet_count++] = subnet;
		(void)json_array_append_new(ret, network_subnet_json(plan, &subnet));
	}
	return 0;
}

static int read_routes(struct call *call, struct network_plan *plan, json_t *ret)
{
	const json_t *routes = json_object_get(call->body, "routes");

	for (size_t i = 0; i < json_array_size(routes); i++) {
		const json_t *json = json_array_get(routes, i);
		struct network_route route = {0};

		if (!json_is_object(json))
			return problem_invalid(&call->problem, "routes",
					       "Not a valid mapping type.");
		if (network_route_read(call, plan, json, &route) < 0)
			return -1;
		plan->routes[plan->route_count++] = route;
		(void)json_array_append_new(ret, network_route_json(&route));
	}
	return 0;
}

struct new_network {
	const char *name;
	const char *range;
	const json_t *labels;
	bool expose;
};

static int read_new(struct call *call, struct new_network *ret, struct network_plan *plan)
{
	const json_t *ignored = NULL;
	struct fields fields;

	call_fields(call, &fields);
	fields_str(&fields, "name", FIELD_REQUIRED, RESOURCE_NAME_BYTES_MAX, &ret->name);
	fields_str(&fields, "ip_range", FIELD_REQUIRED, RANGE_BYTES_MAX, &ret->range);
	fields_labels(&fields, &ret->labels);
	fields_bool(&fields, "expose_routes_to_vswitch", FIELD_OPTIONAL, &ret->expose);
	fields_array(&fields, "subnets", FIELD_OPTIONAL, &ignored);
	fields_array(&fields, "routes", FIELD_OPTIONAL, &ignored);
	if (ret->range && !ip_range_read(ret->range, &plan->range))
		fields_fail(&fields, "ip_range", "Not a valid IPv4 network.");
	if (fields_finish(&fields) < 0)
		return -1;
	return network_check_range(&plan->range, &call->problem);
}

static int network_create(struct call *call)
{
	CLEANUP(cleanup_json) json_t *subnets = json_array();
	CLEANUP(cleanup_json) json_t *routes = json_array();
	struct new_network new_network = {.expose = false};
	struct network_plan plan = {.subnet_count = 0};

	if (read_new(call, &new_network, &plan) < 0 || read_subnets(call, &plan, subnets) < 0 ||
	    read_routes(call, &plan, routes) < 0 ||
	    resource_check_name(call, KIND_NETWORK, new_network.name, 0) < 0 ||
	    quota_check(call, KIND_NETWORK, NETWORKS_MAX) < 0)
		return -1;
	json_t *network = resource_new(call->sim, new_network.name, new_network.labels);
	doc_set_str(network, "ip_range", new_network.range);
	doc_set(network, "subnets", TAKE_PTR(subnets));
	doc_set(network, "routes", TAKE_PTR(routes));
	doc_set(network, "protection", json_pack("{s:b}", "delete", 0));
	doc_set_bool(network, "expose_routes_to_vswitch", new_network.expose);
	table_add(sim_table(call->sim, call->project, KIND_NETWORK), network);
	return resource_reply(call, 201, KIND_NETWORK, network);
}

static int network_list(struct call *call)
{
	struct listing listing;

	listing_begin(&listing, call, KIND_NETWORK);
	return listing_reply(&listing, "id name created");
}

static int network_get(struct call *call)
{
	return resource_get(call, KIND_NETWORK);
}

static int network_update(struct call *call)
{
	json_t *network = call_find(call, KIND_NETWORK, 0);
	bool expose = network && doc_bool(network, "expose_routes_to_vswitch");
	struct fields fields;

	if (!network || network_check_idle(call, network) < 0)
		return -1;
	call_fields(call, &fields);
	fields_bool(&fields, "expose_routes_to_vswitch", FIELD_OPTIONAL, &expose);
	if (fields_finish(&fields) < 0)
		return -1;
	bool before = doc_bool(network, "expose_routes_to_vswitch");
	doc_set_bool(network, "expose_routes_to_vswitch", expose);
	if (resource_update(call, KIND_NETWORK) == 0)
		return 0;
	doc_set_bool(network, "expose_routes_to_vswitch", before);
	return -1;
}

/* Servers that are in it are detached. */
static int network_delete(struct call *call)
{
	const json_t *network = call_find(call, KIND_NETWORK, 0);

	if (!network || resource_check_unprotected(call, network, "delete") < 0 ||
	    network_check_idle(call, network) < 0)
		return -1;
	network_detach_all(call->sim, call->project, doc_id(network));
	if (machines_set_routes(call->sim, network, true, &call->problem) < 0)
		return -1;
	table_remove(sim_table(call->sim, call->project, KIND_NETWORK), doc_id(network));
	return call_reply(call, 204, NULL);
}

const struct route network_routes[] = {
	{"GET", "/networks", network_list},	      {"POST", "/networks", network_create},
	{"GET", "/networks/{id}", network_get},	      {"PUT", "/networks/{id}", network_update},
	{"DELETE", "/networks/{id}", network_delete}, {NULL, NULL, NULL},
};
