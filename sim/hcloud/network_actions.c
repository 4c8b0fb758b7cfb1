#include "hcloud/network_actions.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/json.h"
#include "base/str.h"
#include "hcloud/action_routes.h"
#include "hcloud/attachment.h"
#include "hcloud/machines.h"
#include "hcloud/network.h"
#include "hcloud/protection.h"
#include "hcloud/resource.h"
#include "hcloud/server.h"

#define RANGE_BYTES_MAX 32

/* The network of the path, if it may be changed now. */
static json_t *changeable(struct call *call)
{
	json_t *network = call_find(call, KIND_NETWORK, 0);

	return network && network_check_idle(call, network) == 0 ? network : NULL;
}

static int begin(struct call *call, const char *command, const json_t *network, json_t *args)
{
	const struct action_request request = {
		.command = command,
		.resources = {{KIND_NETWORK, doc_id(network)}},
		.args = args,
	};

	return action_reply(call, action_begin(call->sim, call->project, &request));
}

static int add_subnet(struct call *call)
{
	const json_t *network = changeable(call);
	struct network_plan plan;
	struct subnet subnet;

	if (!network)
		return -1;
	network_plan_read(network, &plan);
	if (network_subnet_read(call, &plan, call->body, &subnet) < 0)
		return -1;
	return begin(call, "add_subnet", network,
		     json_pack("{s:o}", "subnet", network_subnet_json(&plan, &subnet)));
}

static bool has_servers(const struct project *project, int64_t network_id,
			const struct ipv4_range *range)
{
	CLEANUP(cleanup_free) uint32_t *ips = NULL;
	size_t count;

	attachment_taken(project, network_id, 0, &ips, &count);
	for (size_t i = 0; i < count; i++) {
		if (ipv4_range_has(*range, ips[i]))
			return true;
	}
	return false;
}

/* Index of the member of the array whose texts are all as in `like`; SIZE_MAX for none. */
static size_t find_like(const json_t *array, const json_t *like)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *item = json_array_get(array, i);
		const char *name;
		json_t *value;
		bool is_like = true;

		json_object_foreach ((json_t *)(uintptr_t)like, name, value)
			is_like = is_like && json_equal(json_object_get(item, name), value);
		if (is_like)
			return i;
	}
	return SIZE_MAX;
}

static int delete_subnet(struct call *call)
{
	const json_t *network = changeable(call);
	const char *text = NULL;
	struct fields fields;
	struct ipv4_range range = {0};

	if (!network)
		return -1;
	call_fields(call, &fields);
	fields_str(&fields, "ip_range", FIELD_REQUIRED, RANGE_BYTES_MAX, &text);
	if (text && !ip_range_read(text, &range))
		fields_fail(&fields, "ip_range", "Not a valid IPv4 network.");
	if (fields_finish(&fields) < 0)
		return -1;
	CLEANUP(cleanup_json) json_t *like = json_pack("{s:s}", "ip_range", text);
	if (find_like(json_object_get(network, "subnets"), like) == SIZE_MAX)
		return problem_set(&call->problem, PROBLEM_NOT_FOUND, "subnet not found");
	if (has_servers(call->project, doc_id(network), &range))
		return problem_set(&call->problem, PROBLEM_SERVICE_ERROR,
				   "cannot remove subnet because servers are attached to it");
	return begin(call, "delete_subnet", network, TAKE_PTR(like));
}

static int add_route(struct call *call)
{
	const json_t *network = changeable(call);
	struct network_plan plan;
	struct network_route route = {0};

	if (!network)
		return -1;
	network_plan_read(network, &plan);
	if (network_route_read(call, &plan, call->body, &route) < 0)
		return -1;
	return begin(call, "add_route", network, network_route_json(&route));
}

static int delete_route(struct call *call)
{
	const json_t *network = changeable(call);
	const char *destination = NULL;
	const char *gateway = NULL;
	struct fields fields;

	if (!network)
		return -1;
	call_fields(call, &fields);
	fields_str(&fields, "destination", FIELD_REQUIRED, RANGE_BYTES_MAX, &destination);
	fields_str(&fields, "gateway", FIELD_REQUIRED, RANGE_BYTES_MAX, &gateway);
	if (fields_finish(&fields) < 0)
		return -1;
	CLEANUP(cleanup_json)
	json_t *like = json_pack("{s:s,s:s}", "destination", destination, "gateway", gateway);
	if (find_like(json_object_get(network, "routes"), like) == SIZE_MAX)
		return problem_set(&call->problem, PROBLEM_NOT_FOUND, "route not found");
	return begin(call, "delete_route", network, TAKE_PTR(like));
}

static int change_ip_range(struct call *call)
{
	const json_t *network = changeable(call);
	const char *text = NULL;
	struct network_plan plan;
	struct fields fields;
	struct ipv4_range range = {0};

	if (!network)
		return -1;
	call_fields(call, &fields);
	fields_str(&fields, "ip_range", FIELD_REQUIRED, RANGE_BYTES_MAX, &text);
	if (text && !ip_range_read(text, &range))
		fields_fail(&fields, "ip_range", "Not a valid IPv4 network.");
	if (fields_finish(&fields) < 0)
		return -1;
	network_plan_read(network, &plan);
	if (network_check_growth(&plan, &range, &call->problem) < 0)
		return -1;
	return begin(call, "change_ip_range", network, json_pack("{s:s}", "ip_range", text));
}

static int change_protection(struct call *call)
{
	const json_t *network = changeable(call);

	return network ? protection_change(call, KIND_NETWORK, network) : -1;
}

/* The network may be gone when its action's time has come. */
static json_t *target(const struct action_run *run)
{
	json_t *network = action_target(run, KIND_NETWORK);

	if (!network)
		problem_set(run->problem, PROBLEM_NOT_FOUND, "network not found");
	return network;
}

int network_subnet_added(const struct action_run *run)
{
	const json_t *network = target(run);

	if (!network)
		return -1;
	(void)json_array_append(json_object_get(network, "subnets"),
				json_object_get(run->args, "subnet"));
	return 0;
}

static int remove_like(const struct action_run *run, const char *member)
{
	const json_t *network = target(run);
	json_t *array = json_object_get(network, member);
	size_t at = find_like(array, run->args);

	if (!network)
		return -1;
	if (at == SIZE_MAX)
		return problem_set(run->problem, PROBLEM_NOT_FOUND, "not found");
	(void)json_array_remove(array, at);
	return 0;
}

int network_subnet_deleted(const struct action_run *run)
{
	return remove_like(run, "subnets");
}

int network_route_added(const struct action_run *run)
{
	const json_t *network = target(run);

	if (!network)
		return -1;
	(void)json_array_append_new(json_object_get(network, "routes"), json_deep_copy(run->args));
	return machines_set_routes(run->sim, network, false, run->problem);
}

int network_route_deleted(const struct action_run *run)
{
	if (remove_like(run, "routes") < 0)
		return -1;
	return machines_set_routes(run->sim, target(run), false, run->problem);
}

int network_range_changed(const struct action_run *run)
{
	json_t *network = target(run);

	if (!network)
		return -1;
	doc_set_str(network, "ip_range", doc_str(run->args, "ip_range"));
	return 0;
}

void network_detach_all(struct sim *sim, struct project *project, int64_t network_id)
{
	const struct table *servers = &project->tables[KIND_SERVER];

	for (size_t i = 0; i < servers->count; i++)
		server_leave(sim, project, servers->docs[i], network_id);
}

static int list_all(struct call *call)
{
	return action_list_of_kind(call, KIND_NETWORK);
}

static int get_any(struct call *call)
{
	return action_get_of_kind(call, KIND_NETWORK);
}

static int list_own(struct call *call)
{
	return action_list_of_resource(call, KIND_NETWORK);
}

static int get_own(struct call *call)
{
	return action_get_of_resource(call, KIND_NETWORK);
}

const struct route network_action_routes[] = {
	{"GET", "/networks/actions", list_all},
	{"GET", "/networks/actions/{id}", get_any},
	{"GET", "/networks/{id}/actions", list_own},
	{"GET", "/networks/{id}/actions/{id}", get_own},
	{"POST", "/networks/{id}/actions/add_subnet", add_subnet},
	{"POST", "/networks/{id}/actions/delete_subnet", delete_subnet},
	{"POST", "/networks/{id}/actions/add_route", add_route},
	{"POST", "/networks/{id}/actions/delete_route", delete_route},
	{"POST", "/networks/{id}/actions/change_ip_range", change_ip_range},
	{"POST", "/networks/{id}/actions/change_protection", change_protection},
	{NULL, NULL, NULL},
};
