#include <arpa/inet.h>
#include <stdio.h>

#include "base/check.h"
#include "base/json.h"
#include "base/str.h"
#include "hcloud/action_routes.h"
#include "hcloud/catalog.h"
#include "hcloud/listing.h"
#include "hcloud/primary_ip.h"
#include "hcloud/protection.h"
#include "hcloud/resource.h"

#define NAME_BYTES_MAX	  253
#define WORD_BYTES_MAX	  64
#define IPV6_PREFIX_BYTES 8
#define IPV6_POINTERS_MAX 100

struct wish {
	const char *name;
	const char *type;
	const char *assignee_type;
	const json_t *location;
	const json_t *labels;
	int64_t assignee_id;
	bool auto_delete;
};

static enum ip_type type_of(const json_t *ip)
{
	return str_eq(doc_str(ip, "type"), "ipv4") ? IP_V4 : IP_V6;
}

/* An existing server, unlocked, that is off and has no address of the type. */
static const json_t *find_assignee(struct call *call, int64_t server_id, enum ip_type type)
{
	const json_t *server = table_find(&call->project->tables[KIND_SERVER], server_id);

	if (!server)
		call_not_found(call, KIND_SERVER, server_id);
	else if (resource_check_unlocked(call, KIND_SERVER, server) < 0)
		return NULL;
	else if (!str_eq(doc_str(server, "status"), "off"))
		problem_set(&call->problem, PROBLEM_SERVER_NOT_STOPPED,
			    "server must be stopped to change its public network");
	else if (primary_ip_of_server(call->project, server_id, type))
		problem_set(&call->problem,
			    type == IP_V4 ? PROBLEM_SERVER_HAS_IPV4 : PROBLEM_SERVER_HAS_IPV6,
			    "server already has an %s address", type == IP_V4 ? "IPv4" : "IPv6");
	else
		return server;
	return NULL;
}

static void read_assignee(struct fields *fields, enum field_need need, const char **ret_type,
			  int64_t *ret_id)
{
	fields_str(fields, "assignee_type", need, WORD_BYTES_MAX, ret_type);
	fields_id(fields, "assignee_id", need, ret_id);
	if (*ret_type && !str_eq(*ret_type, "server") &&
	    (need == FIELD_REQUIRED || !str_eq(*ret_type, "unassigned")))
		fields_fail(fields, "assignee_type", "Must be one of: server.");
}

static int read_wish(struct call *call, struct wish *ret)
{
	struct fields fields;

	*ret = (struct wish){0};
	call_fields(call, &fields);
	fields_str(&fields, "name", FIELD_REQUIRED, NAME_BYTES_MAX, &ret->name);
	fields_str(&fields, "type", FIELD_REQUIRED, WORD_BYTES_MAX, &ret->type);
	if (ret->type && !str_eq(ret->type, "ipv4") && !str_eq(ret->type, "ipv6"))
		fields_fail(&fields, "type", "Must be one of: ipv4, ipv6.");
	read_assignee(&fields, FIELD_OPTIONAL, &ret->assignee_type, &ret->assignee_id);
	fields_id_or_name(&fields, "location", FIELD_OPTIONAL, &ret->location);
	fields_bool(&fields, "auto_delete", FIELD_OPTIONAL, &ret->auto_delete);
	fields_labels(&fields, &ret->labels);
	/* "datacenter" is not looked at: it went in July 2026. */
	if (ret->location && ret->assignee_id)
		fields_fail(&fields, "location", "must not be given together with assignee_id");
	if (!ret->location && !ret->assignee_id)
		fields_fail(&fields, "location", "Missing data for required field.");
	return fields_finish(&fields);
}

static json_t *begin(struct call *call, const char *command, const json_t *server, const json_t *ip)
{
	return action_begin(
		call->sim, call->project,
		&(const struct action_request){
			.command = command,
			.resources = {{KIND_SERVER, doc_id(server)}, {KIND_PRIMARY_IP, doc_id(ip)}},
		});
}

/* Where the new one is: as asked for, or where its server is. NULL with the problem filled. */
static const char *place_of(struct call *call, const struct wish *wish, const json_t *server)
{
	if (server)
		return doc_str(server, "_location");
	const json_t *location = catalog_find(call->sim, KIND_LOCATION, wish->location);
	if (!location)
		problem_invalid(&call->problem, "location", "location not found");
	return doc_str(location, "name");
}

static int primary_ip_create(struct call *call)
{
	const json_t *server = NULL;
	struct wish wish;

	if (read_wish(call, &wish) < 0)
		return -1;
	enum ip_type type = str_eq(wish.type, "ipv4") ? IP_V4 : IP_V6;
	if (wish.assignee_id && !(server = find_assignee(call, wish.assignee_id, type)))
		return -1;
	const char *place = place_of(call, &wish, server);
	if (!place || resource_check_name(call, KIND_PRIMARY_IP, wish.name, 0) < 0 ||
	    primary_ip_check_quota(call) < 0)
		return -1;
	json_t *ip = resource_new(call->sim, wish.name, wish.labels);
	primary_ip_fill(call->sim, ip, type, place);
	doc_set_bool(ip, "auto_delete", wish.auto_delete);
	table_add(&call->project->tables[KIND_PRIMARY_IP], ip);
	json_t *action = json_null();
	if (server) {
		primary_ip_assign(ip, doc_id(server));
		action = action_view(call->sim, call->project,
				     begin(call, "create_primary_ip", server, ip));
	}
	return call_reply(call, 201,
			  json_pack("{s:o,s:o}", "primary_ip",
				    primary_ip_view(call->sim, call->project, ip), "action",
				    action));
}

static int primary_ip_list(struct call *call)
{
	struct listing listing;

	listing_begin(&listing, call, KIND_PRIMARY_IP);
	listing_filter(&listing, "ip", "ip");
	return listing_reply(&listing, "id created");
}

static int primary_ip_get(struct call *call)
{
	return resource_get(call, KIND_PRIMARY_IP);
}

static int primary_ip_update(struct call *call)
{
	json_t *ip = call_find(call, KIND_PRIMARY_IP, 0);
	struct fields fields;

	if (!ip)
		return -1;
	if (action_is_running_on(call->sim, call->project, KIND_PRIMARY_IP, doc_id(ip)))
		return problem_set(&call->problem, PROBLEM_CONFLICT,
				   "another change is running on the primary IP, please retry");
	bool before = doc_bool(ip, "auto_delete");
	bool after = before;
	call_fields(call, &fields);
	fields_bool(&fields, "auto_delete", FIELD_OPTIONAL, &after);
	if (after && doc_flag(ip, "protection", "delete"))
		fields_fail(&fields, "auto_delete", "the primary IP is protected");
	if (fields_finish(&fields) < 0)
		return -1;
	doc_set_bool(ip, "auto_delete", after);
	if (resource_update(call, KIND_PRIMARY_IP) < 0) {
		doc_set_bool(ip, "auto_delete", before);
		return -1;
	}
	return 0;
}

static int primary_ip_delete(struct call *call)
{
	const json_t *ip = call_find(call, KIND_PRIMARY_IP, 0);

	if (!ip || resource_check_unprotected(call, ip, "delete") < 0)
		return -1;
	if (doc_int(ip, "assignee_id"))
		return problem_set(&call->problem, PROBLEM_MUST_BE_UNASSIGNED,
				   "primary IP must be unassigned before it can be deleted");
	if (resource_check_unlocked(call, KIND_PRIMARY_IP, ip) < 0)
		return -1;
	table_remove(&call->project->tables[KIND_PRIMARY_IP], doc_id(ip));
	return call_reply(call, 204, NULL);
}

static int primary_ip_assign_route(struct call *call)
{
	const json_t *ip = call_find(call, KIND_PRIMARY_IP, 0);
	const char *assignee_type = NULL;
	int64_t assignee_id = 0;
	struct fields fields;

	if (!ip)
		return -1;
	call_fields(call, &fields);
	read_assignee(&fields, FIELD_REQUIRED, &assignee_type, &assignee_id);
	if (fields_finish(&fields) < 0 || resource_check_unlocked(call, KIND_PRIMARY_IP, ip) < 0)
		return -1;
	if (doc_int(ip, "assignee_id"))
		return problem_set(&call->problem, PROBLEM_PRIMARY_IP_ALREADY_ASSIGNED,
				   "primary IP is already assigned");
	const json_t *server = find_assignee(call, assignee_id, type_of(ip));
	if (!server || primary_ip_check_free(call, ip, type_of(ip), doc_str(server, "_location")))
		return -1;
	return action_reply(call, begin(call, "assign_primary_ip", server, ip));
}

static int primary_ip_unassign(struct call *call)
{
	const json_t *ip = call_find(call, KIND_PRIMARY_IP, 0);

	if (!ip)
		return -1;
	const json_t *server =
		table_find(&call->project->tables[KIND_SERVER], doc_int(ip, "assignee_id"));
	if (!server)
		return problem_set(&call->problem, PROBLEM_UNSUPPORTED_ERROR,
				   "primary IP is not assigned");
	if (resource_check_unlocked(call, KIND_SERVER, server) < 0)
		return -1;
	if (!str_eq(doc_str(server, "status"), "off"))
		return problem_set(&call->problem, PROBLEM_SERVER_NOT_STOPPED,
				   "server must be stopped to change its public network");
	return action_reply(call, begin(call, "unassign_primary_ip", server, ip));
}

/* Whether reverse DNS of that address is the primary IP's to set. */
static bool covers(const json_t *ip, const char *address)
{
	char network[WORD_BYTES_MAX];
	unsigned char wanted[sizeof(struct in6_addr)];
	unsigned char own[sizeof(struct in6_addr)];

	if (type_of(ip) == IP_V4)
		return str_eq(doc_str(ip, "ip"), address);
	(void)snprintf(network, sizeof(network), "%s", doc_str(ip, "ip"));
	network[strcspn(network, "/")] = '\0';
	return inet_pton(AF_INET6, network, own) == 1 &&
	       inet_pton(AF_INET6, address, wanted) == 1 &&
	       memcmp(own, wanted, IPV6_PREFIX_BYTES) == 0;
}

static int read_pointer(struct call *call, const char **ret_address, json_t **ret_args)
{
	const char *pointer = NULL;
	struct fields fields;

	*ret_address = "";
	call_fields(call, &fields);
	fields_str(&fields, "ip", FIELD_REQUIRED, WORD_BYTES_MAX, ret_address);
	fields_str(&fields, "dns_ptr", FIELD_OPTIONAL, NAME_BYTES_MAX, &pointer);
	if (!pointer && !fields_is_null(&fields, "dns_ptr"))
		fields_fail(&fields, "dns_ptr", "Missing data for required field.");
	if (fields_finish(&fields) < 0)
		return -1;
	*ret_args = json_pack("{s:s,s:s?}", "ip", *ret_address, "dns_ptr", pointer);
	CHECK(*ret_args != NULL);
	return 0;
}

static int change_pointer(struct call *call, const json_t *ip, struct action_resource about,
			  json_t *args)
{
	doc_set_int(args, "primary_ip", doc_id(ip));
	return action_reply(call, action_begin(call->sim, call->project,
					       &(const struct action_request){
						       .command = "change_dns_ptr",
						       .resources = {about},
						       .args = args,
					       }));
}

static int primary_ip_change_dns(struct call *call)
{
	const json_t *ip = call_find(call, KIND_PRIMARY_IP, 0);
	CLEANUP(cleanup_json) json_t *args = NULL;
	const char *address;

	if (!ip || read_pointer(call, &address, &args) < 0)
		return -1;
	if (!covers(ip, address))
		return problem_invalid(&call->problem, "ip", "is not an address of the primary IP");
	return change_pointer(call, ip, (struct action_resource){KIND_PRIMARY_IP, doc_id(ip)},
			      TAKE_PTR(args));
}

static int server_change_dns(struct call *call)
{
	const json_t *server = call_find(call, KIND_SERVER, 0);
	CLEANUP(cleanup_json) json_t *args = NULL;
	const char *address;

	if (!server || resource_check_unlocked(call, KIND_SERVER, server) < 0 ||
	    read_pointer(call, &address, &args) < 0)
		return -1;
	for (enum ip_type type = IP_V4; type <= IP_V6; type++) {
		const json_t *ip = primary_ip_of_server(call->project, doc_id(server), type);

		if (ip && covers(ip, address))
			return change_pointer(call, ip,
					      (struct action_resource){KIND_SERVER, doc_id(server)},
					      TAKE_PTR(args));
	}
	return problem_invalid(&call->problem, "ip", "is not an address of the server");
}

int primary_ip_dns_effect(const struct action_run *run)
{
	json_t *ip = table_find(&run->project->tables[KIND_PRIMARY_IP],
				doc_int(run->args, "primary_ip"));
	const char *address = doc_str(run->args, "ip");
	const char *name = doc_str(run->args, "dns_ptr");
	json_t *pointers = json_object_get(ip, "dns_ptr");

	for (size_t i = json_array_size(pointers); i > 0; i--) {
		if (str_eq(doc_str(json_array_get(pointers, i - 1), "ip"), address))
			(void)json_array_remove(pointers, i - 1);
	}
	if (!ip || (!name && type_of(ip) == IP_V6))
		return 0;
	if (json_array_size(pointers) >= IPV6_POINTERS_MAX)
		return problem_set(run->problem, PROBLEM_ACTION_FAILED,
				   "too many reverse DNS names");
	if (name)
		(void)json_array_append_new(pointers,
					    json_pack("{s:s,s:s}", "ip", address, "dns_ptr", name));
	else
		doc_set(ip, "dns_ptr", primary_ip_default_dns(address));
	return 0;
}

static int primary_ip_change_protection(struct call *call)
{
	const json_t *ip = call_find(call, KIND_PRIMARY_IP, 0);

	if (!ip)
		return -1;
	if (doc_bool(ip, "auto_delete") && json_is_true(json_object_get(call->body, "delete")))
		return problem_invalid(&call->problem, "delete",
				       "a primary IP with auto_delete cannot be protected");
	return protection_change(call, KIND_PRIMARY_IP, ip);
}

static int primary_ip_actions_list(struct call *call)
{
	return action_list_of_kind(call, KIND_PRIMARY_IP);
}

static int primary_ip_actions_get(struct call *call)
{
	return action_get_of_kind(call, KIND_PRIMARY_IP);
}

const struct route primary_ip_routes[] = {
	{"GET", "/primary_ips", primary_ip_list},
	{"POST", "/primary_ips", primary_ip_create},
	{"GET", "/primary_ips/{id}", primary_ip_get},
	{"PUT", "/primary_ips/{id}", primary_ip_update},
	{"DELETE", "/primary_ips/{id}", primary_ip_delete},
	{"GET", "/primary_ips/actions", primary_ip_actions_list},
	{"GET", "/primary_ips/actions/{id}", primary_ip_actions_get},
	{"POST", "/primary_ips/{id}/actions/assign", primary_ip_assign_route},
	{"POST", "/primary_ips/{id}/actions/unassign", primary_ip_unassign},
	{"POST", "/primary_ips/{id}/actions/change_dns_ptr", primary_ip_change_dns},
	{"POST", "/primary_ips/{id}/actions/change_protection", primary_ip_change_protection},
	{"POST", "/servers/{id}/actions/change_dns_ptr", server_change_dns},
	{NULL, NULL, NULL},
};
