#include "hcloud/server_network.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/json.h"
#include "base/rand.h"
#include "hcloud/attachment.h"
#include "hcloud/machines.h"
#include "hcloud/network.h"
#include "hcloud/resource.h"

#define IP_BYTES_MAX 32

static int check_counts(struct call *call, const json_t *server, const json_t *network)
{
	if (attachment_find(server, doc_id(network)))
		return problem_set(&call->problem, PROBLEM_SERVER_ALREADY_ATTACHED,
				   "server is already attached to this network");
	if (attachment_count(server) >= SERVER_NETWORKS_MAX)
		return problem_named(
			&call->problem, PROBLEM_RESOURCE_LIMIT_EXCEEDED, "server_networks_limit",
			"a server can be attached to at most %d networks", SERVER_NETWORKS_MAX);
	if (attachment_count_in(call->project, doc_id(network)) >= NETWORK_SERVERS_MAX)
		return problem_named(
			&call->problem, PROBLEM_RESOURCE_LIMIT_EXCEEDED, "network_servers_limit",
			"a network can have at most %d servers attached", NETWORK_SERVERS_MAX);
	return 0;
}

static int check_overlap(struct call *call, const json_t *server, const struct ipv4_range *range)
{
	const json_t *nets = json_object_get(server, "_nets");

	for (size_t i = 0; i < json_array_size(nets); i++) {
		const json_t *other = table_find(sim_table(call->sim, call->project, KIND_NETWORK),
						 doc_int(json_array_get(nets, i), "network"));
		struct ipv4_range other_range;

		if (other && ip_range_read(doc_str(other, "ip_range"), &other_range) &&
		    ipv4_range_overlaps(*range, other_range))
			return problem_set(&call->problem, PROBLEM_NETWORKS_OVERLAP,
					   "the network overlaps with another one of the server");
	}
	return 0;
}

int server_choose_ip(struct call *call, const json_t *server, const json_t *network,
		     const struct ip_wish *wish, uint32_t *ret_ip)
{
	CLEANUP(cleanup_free) uint32_t *ips = NULL;
	struct ip_wish full = *wish;
	struct network_plan plan;
	struct taken_ips taken;

	network_plan_read(network, &plan);
	if (check_counts(call, server, network) < 0 || check_overlap(call, server, &plan.range) < 0)
		return -1;
	attachment_taken(call->project, doc_id(network), 0, &ips, &taken.count);
	taken.ips = ips;
	full.zone = server_zone(call->sim, server);
	full.order = call->sim->settings.ip_order;
	full.random = rand_u64();
	return network_assign_ip(&plan, &full, &taken, ret_ip, &call->problem);
}

const json_t *server_join(struct sim *sim, struct project *project, json_t *server,
			  int64_t network_id, uint32_t ip, const json_t *alias_ips, int64_t after)
{
	json_t *attachment = attachment_add(server, network_id, ip);
	const json_t *late = faults_strike(
		&sim->faults, FAULT_PRIVATE_NET,
		(const struct fault_subject[]){{"server", doc_str(server, "name")}, {NULL, NULL}});
	const struct action_request request = {
		.command = "attach_to_network",
		.resources = {{KIND_SERVER, doc_id(server)}, {KIND_NETWORK, network_id}},
		.after = after,
		.extra_ms = late ? (uint64_t)fault_int(late, "ms", 0) : 0,
	};

	if (alias_ips)
		doc_set(attachment, "alias_ips", json_deep_copy(alias_ips));
	return action_begin(sim, project, &request);
}

/* The network that the body names, if it is not being changed. */
static json_t *named_network(struct call *call, int64_t id)
{
	json_t *network = table_find(sim_table(call->sim, call->project, KIND_NETWORK), id);

	if (!network)
		call_not_found(call, KIND_NETWORK, id);
	else if (network_check_idle(call, network) < 0)
		return NULL;
	return network;
}

/* Aliases: each in a subnet, reserved by nobody. `taken` is of others, `own` the main address. */
static int check_alias(struct call *call, const struct network_plan *plan,
		       const struct taken_ips *taken, const json_t *json, uint32_t own)
{
	uint32_t ip;

	if (!json_is_string(json) || !ip_read(json_string_value(json), &ip))
		return problem_invalid(&call->problem, "alias_ips", "Not a valid IPv4 address.");
	if (ip == own || network_ip_is_reserved(plan, ip) || !network_subnet_of(plan, ip))
		return problem_invalid(&call->problem, "alias_ips",
				       "%s cannot be assigned in this network",
				       json_string_value(json));
	for (size_t i = 0; i < taken->count; i++) {
		if (taken->ips[i] == ip)
			return problem_set(&call->problem, PROBLEM_IP_NOT_AVAILABLE,
					   "IP not available");
	}
	return 0;
}

static int check_aliases(struct call *call, const json_t *network, const json_t *server,
			 const json_t *aliases, uint32_t own)
{
	CLEANUP(cleanup_free) uint32_t *ips = NULL;
	struct network_plan plan;
	struct taken_ips taken;

	if (json_array_size(aliases) > SERVER_ALIASES_MAX)
		return problem_invalid(&call->problem, "alias_ips",
				       "Longer than maximum length %d.", SERVER_ALIASES_MAX);
	network_plan_read(network, &plan);
	attachment_taken(call->project, doc_id(network), doc_id(server), &ips, &taken.count);
	taken.ips = ips;
	for (size_t i = 0; i < json_array_size(aliases); i++) {
		if (check_alias(call, &plan, &taken, json_array_get(aliases, i), own) < 0)
			return -1;
		for (size_t j = 0; j < i; j++) {
			if (json_equal(json_array_get(aliases, i), json_array_get(aliases, j)))
				return problem_invalid(&call->problem, "alias_ips",
						       "the same address twice");
		}
	}
	return 0;
}

struct attach_request {
	int64_t network_id;
	struct ip_wish wish;
	const json_t *alias_ips;
};

static int read_attach(struct call *call, struct attach_request *ret)
{
	const char *ip = NULL;
	const char *range = NULL;
	struct fields fields;

	call_fields(call, &fields);
	fields_id(&fields, "network", FIELD_REQUIRED, &ret->network_id);
	fields_str(&fields, "ip", FIELD_OPTIONAL, IP_BYTES_MAX, &ip);
	fields_str(&fields, "ip_range", FIELD_OPTIONAL, IP_BYTES_MAX, &range);
	fields_array(&fields, "alias_ips", FIELD_OPTIONAL, &ret->alias_ips);
	if (ip && !ip_read(ip, &ret->wish.ip))
		fields_fail(&fields, "ip", "Not a valid IPv4 address.");
	if (range && !ip_range_read(range, &ret->wish.range))
		fields_fail(&fields, "ip_range", "Not a valid IPv4 network.");
	ret->wish.has_ip = ip != NULL;
	ret->wish.has_range = range != NULL;
	return fields_finish(&fields);
}

static int attach_to_network(struct call *call)
{
	json_t *server = server_unlocked(call);
	struct attach_request request = {.network_id = 0};
	uint32_t ip;

	if (!server || read_attach(call, &request) < 0)
		return -1;
	const json_t *network = named_network(call, request.network_id);
	if (!network || server_choose_ip(call, server, network, &request.wish, &ip) < 0 ||
	    check_aliases(call, network, server, request.alias_ips, ip) < 0)
		return -1;
	return action_reply(call, server_join(call->sim, call->project, server, doc_id(network), ip,
					      request.alias_ips, 0));
}

/* The server's attachment that the body names, or NULL. */
static json_t *named_attachment(struct call *call, const json_t *server, const json_t **ret_network)
{
	int64_t id = 0;
	struct fields fields;

	call_fields(call, &fields);
	fields_id(&fields, "network", FIELD_REQUIRED, &id);
	if (fields_finish(&fields) < 0)
		return NULL;
	*ret_network = named_network(call, id);
	json_t *attachment = *ret_network ? attachment_find(server, id) : NULL;
	if (*ret_network && !attachment)
		problem_invalid(&call->problem, "network",
				"server is not attached to network with ID '%" PRId64 "'", id);
	return attachment;
}

static int begin_with_network(struct call *call, const json_t *server, const json_t *network,
			      const char *command, json_t *args)
{
	const struct action_request request = {
		.command = command,
		.resources = {{KIND_SERVER, doc_id(server)}, {KIND_NETWORK, doc_id(network)}},
		.args = args,
	};

	return action_reply(call, action_begin(call->sim, call->project, &request));
}

static int detach_from_network(struct call *call)
{
	const json_t *server = server_unlocked(call);
	const json_t *network = NULL;

	if (!server || !named_attachment(call, server, &network))
		return -1;
	return begin_with_network(call, server, network, "detach_from_network", NULL);
}

static int change_alias_ips(struct call *call)
{
	const json_t *server = server_unlocked(call);
	const json_t *network = NULL;
	const json_t *attachment = server ? named_attachment(call, server, &network) : NULL;
	const json_t *aliases = NULL;
	struct fields fields;
	uint32_t own;

	if (!attachment)
		return -1;
	call_fields(call, &fields);
	fields_array(&fields, "alias_ips", FIELD_REQUIRED, &aliases);
	if (fields_finish(&fields) < 0)
		return -1;
	CHECK(ip_read(doc_str(attachment, "ip"), &own));
	if (check_aliases(call, network, server, aliases, own) < 0)
		return -1;
	return begin_with_network(call, server, network, "change_alias_ips",
				  json_pack("{s:O}", "alias_ips", aliases));
}

int server_attached(const struct action_run *run)
{
	const json_t *server = server_target(run);
	int64_t network_id = action_resource_id(run->action, KIND_NETWORK);
	json_t *attachment = server ? attachment_find(server, network_id) : NULL;

	if (!server)
		return -1;
	/* Detached meanwhile, because the network was deleted. */
	if (!attachment)
		return problem_set(run->problem, PROBLEM_NOT_FOUND, "network not found");
	doc_set_bool(attachment, "pending", false);
	return machines_attach(run->sim, run->project, server, network_id, run->problem);
}

int server_detached(const struct action_run *run)
{
	json_t *server = server_target(run);
	int64_t network_id = action_resource_id(run->action, KIND_NETWORK);

	if (!server)
		return -1;
	server_leave(run->sim, run->project, server, network_id);
	return 0;
}

int server_aliases_changed(const struct action_run *run)
{
	const json_t *server = server_target(run);
	int64_t network_id = action_resource_id(run->action, KIND_NETWORK);
	json_t *attachment = server ? attachment_find(server, network_id) : NULL;

	if (!attachment)
		return problem_set(run->problem, PROBLEM_NOT_FOUND, "network not found");
	doc_set(attachment, "alias_ips", json_deep_copy(json_object_get(run->args, "alias_ips")));
	return machines_set_aliases(run->sim, server, network_id, run->problem);
}

const struct route server_network_routes[] = {
	{"POST", "/servers/{id}/actions/attach_to_network", attach_to_network},
	{"POST", "/servers/{id}/actions/detach_from_network", detach_from_network},
	{"POST", "/servers/{id}/actions/change_alias_ips", change_alias_ips},
	{NULL, NULL, NULL},
};
