#include "hcloud/server_order.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/str.h"
#include "hcloud/catalog.h"
#include "hcloud/firewall.h"
#include "hcloud/image.h"
#include "hcloud/label.h"
#include "hcloud/placement_group.h"
#include "hcloud/primary_ip.h"
#include "hcloud/quota.h"
#include "hcloud/resource.h"

#define USER_DATA_BYTES_MAX 32768
#define SSH_KEYS_MAX	    100

/* The fields as the body has them, before anything is looked up. */
struct raw_order {
	const json_t *type;
	const json_t *image;
	const json_t *location;
	const json_t *ssh_keys;
	const json_t *networks;
	const json_t *firewalls;
	const json_t *volumes;
	const json_t *public_net;
	int64_t placement_group;
};

static int read_public_net(struct call *call, const json_t *json, struct server_order *ret,
			   int64_t *ret_ipv4, int64_t *ret_ipv6)
{
	struct fields fields;

	ret->has_ipv4 = true;
	ret->has_ipv6 = true;
	fields_init(&fields, json, &call->problem);
	fields_bool(&fields, "enable_ipv4", FIELD_OPTIONAL, &ret->has_ipv4);
	fields_bool(&fields, "enable_ipv6", FIELD_OPTIONAL, &ret->has_ipv6);
	fields_id(&fields, "ipv4", FIELD_OPTIONAL, ret_ipv4);
	fields_id(&fields, "ipv6", FIELD_OPTIONAL, ret_ipv6);
	return fields_finish(&fields);
}

static void read_user_data(struct fields *fields, struct server_order *ret)
{
	const char *text = NULL;

	fields_str(fields, "user_data", FIELD_OPTIONAL, USER_DATA_BYTES_MAX, &text);
	if (text)
		ret->user_data = json_object_get(fields->object, "user_data");
}

static int read_raw(struct call *call, struct raw_order *raw, struct server_order *ret)
{
	bool automount = false;
	struct fields fields;

	call_fields(call, &fields);
	fields_str(&fields, "name", FIELD_REQUIRED, RESOURCE_NAME_BYTES_MAX, &ret->name);
	fields_id_or_name(&fields, "server_type", FIELD_REQUIRED, &raw->type);
	fields_id_or_name(&fields, "image", FIELD_REQUIRED, &raw->image);
	fields_id_or_name(&fields, "location", FIELD_OPTIONAL, &raw->location);
	fields_array(&fields, "ssh_keys", FIELD_OPTIONAL, &raw->ssh_keys);
	read_user_data(&fields, ret);
	fields_labels(&fields, &ret->labels);
	fields_ids(&fields, "networks", &raw->networks);
	fields_array(&fields, "firewalls", FIELD_OPTIONAL, &raw->firewalls);
	fields_ids(&fields, "volumes", &raw->volumes);
	fields_id(&fields, "placement_group", FIELD_OPTIONAL, &raw->placement_group);
	fields_object(&fields, "public_net", FIELD_OPTIONAL, &raw->public_net);
	fields_bool(&fields, "start_after_create", FIELD_OPTIONAL, &ret->starts);
	fields_bool(&fields, "automount", FIELD_OPTIONAL, &automount);
	if (ret->name && !hostname_is_valid(ret->name))
		fields_fail(&fields, "name", "must be a valid hostname as of RFC 1123");
	if (json_is_string(json_object_get(call->body, "datacenter")) ||
	    json_is_integer(json_object_get(call->body, "datacenter")))
		fields_fail(&fields, "datacenter", "is no longer supported, use location");
	return fields_finish(&fields);
}

/* Without a location, the first where such a server can be had. */
static const json_t *any_location(const struct sim *sim, const json_t *type)
{
	const struct table *locations = &sim->catalog[KIND_LOCATION];

	for (size_t i = 0; i < locations->count; i++) {
		if (server_type_is_at(type, doc_str(locations->docs[i], "name")))
			return locations->docs[i];
	}
	return locations->docs[0];
}

int server_check_image(struct call *call, const json_t *image, const json_t *type)
{
	if (!str_eq(doc_str(image, "architecture"), doc_str(type, "architecture")))
		return problem_invalid(&call->problem, "image",
				       "image has another architecture than the server type");
	if (!str_eq(doc_str(image, "status"), "available"))
		return problem_invalid(&call->problem, "image", "image is not available");
	if (json_number_value(json_object_get(image, "disk_size")) >
	    json_number_value(json_object_get(type, "disk")))
		return problem_invalid(&call->problem, "image",
				       "image disk is bigger than server type disk");
	return 0;
}

static int find_catalog(struct call *call, const struct raw_order *raw, struct server_order *ret)
{
	ret->type = catalog_find(call->sim, KIND_SERVER_TYPE, raw->type);
	if (!ret->type)
		return problem_invalid(&call->problem, "server_type", "server type not found");
	ret->image = image_find_for(call->sim, call->project, raw->image,
				    doc_str(ret->type, "architecture"));
	if (!ret->image)
		return problem_invalid(&call->problem, "image", "image not found");
	ret->location = raw->location ? catalog_find(call->sim, KIND_LOCATION, raw->location)
				      : any_location(call->sim, ret->type);
	if (!ret->location)
		return problem_invalid(&call->problem, "location", "location not found");
	return server_check_image(call, ret->image, ret->type);
}

int server_check_available(struct call *call, const json_t *type, const char *location)
{
	const struct fault_subject subject[] = {
		{"type", doc_str(type, "name")}, {"location", location}, {NULL, NULL}};
	struct faults *faults = &call->sim->faults;

	if (!server_type_is_at(type, location) || faults_strike(faults, FAULT_UNSUPPORTED, subject))
		return problem_set(&call->problem, PROBLEM_INVALID_INPUT,
				   "unsupported location for server type");
	const json_t *fault = faults_strike(faults, FAULT_UNAVAILABLE, subject);
	if (fault)
		return problem_set(&call->problem, PROBLEM_RESOURCE_UNAVAILABLE, "%s",
				   fault_str(fault, "message", "error during placement"));
	return 0;
}

/* By id or name; names may look like ids. */
static const json_t *find_ssh_key(struct call *call, const json_t *id_or_name)
{
	const struct table *keys = sim_table(call->sim, call->project, KIND_SSH_KEY);
	struct error err;
	int64_t id = 0;

	if (json_is_integer(id_or_name))
		return table_find(keys, json_integer_value(id_or_name));
	if (!json_is_string(id_or_name))
		return NULL;
	const json_t *key = table_find_name(keys, json_string_value(id_or_name));
	if (!key && parse_i64(json_string_value(id_or_name), 1, INT64_MAX, &id, &err) == 0)
		key = table_find(keys, id);
	return key;
}

static int find_ssh_keys(struct call *call, const json_t *wanted, struct server_order *ret)
{
	ret->ssh_keys = json_array();
	if (json_array_size(wanted) > SSH_KEYS_MAX)
		return problem_invalid(&call->problem, "ssh_keys", "Longer than maximum length %d.",
				       SSH_KEYS_MAX);
	for (size_t i = 0; i < json_array_size(wanted); i++) {
		const json_t *key = find_ssh_key(call, json_array_get(wanted, i));

		if (!key)
			return problem_invalid(&call->problem, "ssh_keys", "SSH key not found");
		(void)json_array_append(ret->ssh_keys, json_object_get(key, "public_key"));
	}
	return 0;
}

static int find_networks(struct call *call, const json_t *ids, struct server_order *ret)
{
	if (json_array_size(ids) > SERVER_NETWORKS_MAX)
		return problem_named(
			&call->problem, PROBLEM_RESOURCE_LIMIT_EXCEEDED, "server_networks_limit",
			"a server can be attached to at most %d networks", SERVER_NETWORKS_MAX);
	for (size_t i = 0; i < json_array_size(ids); i++) {
		int64_t id = json_integer_value(json_array_get(ids, i));
		json_t *network = table_find(sim_table(call->sim, call->project, KIND_NETWORK), id);

		if (!network)
			return call_not_found(call, KIND_NETWORK, id);
		ret->networks[ret->network_count++] = network;
	}
	return 0;
}

static void add_firewall(struct server_order *order, json_t *firewall)
{
	for (size_t i = 0; i < order->firewall_count; i++) {
		if (order->firewalls[i] == firewall)
			return;
	}
	order->firewalls[order->firewall_count++] = firewall;
}

static int find_firewalls(struct call *call, const json_t *wanted, struct server_order *ret)
{
	if (json_array_size(wanted) > SERVER_FIREWALLS_MAX)
		return problem_named(&call->problem, PROBLEM_RESOURCE_LIMIT_EXCEEDED,
				     "firewalls_per_server_limit",
				     "a server can have at most %d firewalls",
				     SERVER_FIREWALLS_MAX);
	for (size_t i = 0; i < json_array_size(wanted); i++) {
		int64_t id = 0;
		struct fields fields;

		fields_init(&fields, json_array_get(wanted, i), &call->problem);
		fields_id(&fields, "firewall", FIELD_REQUIRED, &id);
		if (fields_finish(&fields) < 0)
			return -1;
		json_t *firewall =
			table_find(sim_table(call->sim, call->project, KIND_FIREWALL), id);
		if (!firewall)
			return call_not_found(call, KIND_FIREWALL, id);
		add_firewall(ret, firewall);
	}
	if (ret->firewall_count > 0 && !ret->has_ipv4 && !ret->has_ipv6)
		return problem_set(&call->problem, PROBLEM_PRIVATE_NET_ONLY_SERVER,
				   "firewalls cannot be applied to servers without a public "
				   "network interface");
	return 0;
}

static int find_placement_group(struct call *call, int64_t id, struct server_order *ret)
{
	if (id == 0)
		return 0;
	ret->placement_group =
		table_find(sim_table(call->sim, call->project, KIND_PLACEMENT_GROUP), id);
	if (!ret->placement_group)
		return call_not_found(call, KIND_PLACEMENT_GROUP, id);
	return placement_group_check_room(call, id);
}

static int find_address(struct call *call, int64_t id, enum ip_type type,
			const struct server_order *order, json_t **ret)
{
	if (id == 0)
		return 0;
	*ret = table_find(sim_table(call->sim, call->project, KIND_PRIMARY_IP), id);
	if (!*ret)
		return call_not_found(call, KIND_PRIMARY_IP, id);
	return primary_ip_check_free(call, *ret, type, doc_str(order->location, "name"));
}

static int check_quota(struct call *call, const struct server_order *order)
{
	size_t servers_max = (size_t)call->sim->settings.server_limit;
	bool needs_address = (order->has_ipv4 && !order->ipv4) || (order->has_ipv6 && !order->ipv6);

	if (quota_check(call, KIND_SERVER, servers_max) < 0)
		return -1;
	return needs_address ? primary_ip_check_quota(call) : 0;
}

int server_order_read(struct call *call, struct server_order *ret)
{
	struct raw_order raw = {.type = NULL};
	int64_t ipv4 = 0;
	int64_t ipv6 = 0;

	*ret = (struct server_order){.starts = true};
	if (read_raw(call, &raw, ret) < 0 ||
	    read_public_net(call, raw.public_net, ret, &ipv4, &ipv6) < 0 ||
	    find_catalog(call, &raw, ret) < 0 ||
	    resource_check_name(call, KIND_SERVER, ret->name, 0) < 0 ||
	    find_ssh_keys(call, raw.ssh_keys, ret) < 0 ||
	    find_networks(call, raw.networks, ret) < 0 ||
	    find_firewalls(call, raw.firewalls, ret) < 0 ||
	    find_placement_group(call, raw.placement_group, ret) < 0 ||
	    find_address(call, ipv4, IP_V4, ret, &ret->ipv4) < 0 ||
	    find_address(call, ipv6, IP_V6, ret, &ret->ipv6) < 0 || check_quota(call, ret) < 0)
		return -1;
	if (json_array_size(raw.volumes) > 0)
		return call_not_found(call, KIND_VOLUME,
				      json_integer_value(json_array_get(raw.volumes, 0)));
	return server_check_available(call, ret->type, doc_str(ret->location, "name"));
}

void server_order_release(struct server_order *order)
{
	json_decref(order->ssh_keys);
	order->ssh_keys = NULL;
}
