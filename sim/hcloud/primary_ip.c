#include "hcloud/primary_ip.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/str.h"
#include "hcloud/quota.h"
#include "hcloud/resource.h"

/* 198.18.1.0 to 198.19.255.255, without .0 and .255. */
#define IPV4_FIRST	 0xc6120100U
#define IPV4_COUNT	 (0x20000U - 0x100U)
#define IP_TEXT_BYTES	 64
#define NAME_BYTES_MAX	 64
#define TYPES_PER_SERVER 2

static const char *type_text(enum ip_type type)
{
	return type == IP_V4 ? "ipv4" : "ipv6";
}

json_t *primary_ip_view(struct sim *sim, struct project *project, const json_t *primary_ip)
{
	json_t *view = doc_public(primary_ip);
	const json_t *location =
		table_find_name(&sim->catalog[KIND_LOCATION], doc_str(primary_ip, "_location"));

	(void)project;
	CHECK(location != NULL);
	doc_set(view, "location", doc_public(location));
	return view;
}

json_t *primary_ip_of_server(const struct project *project, int64_t server_id, enum ip_type type)
{
	const struct table *ips = &project->tables[KIND_PRIMARY_IP];

	for (size_t i = 0; i < ips->count; i++) {
		if (doc_int(ips->docs[i], "assignee_id") == server_id &&
		    str_eq(doc_str(ips->docs[i], "type"), type_text(type)))
			return ips->docs[i];
	}
	return NULL;
}

static bool is_taken(const struct sim *sim, const char *ip)
{
	for (size_t i = 0; i < sim->project_count; i++) {
		const struct table *ips = &sim->projects[i]->tables[KIND_PRIMARY_IP];

		for (size_t j = 0; j < ips->count; j++) {
			if (str_eq(doc_str(ips->docs[j], "ip"), ip))
				return true;
		}
	}
	return false;
}

/* The id says where to look first, so that an address that was given back is not soon seen again.
 */
static void choose_ipv4(const struct sim *sim, int64_t id, char out[IP_TEXT_BYTES])
{
	for (uint32_t i = 0; i < IPV4_COUNT; i++) {
		uint32_t address = IPV4_FIRST + (uint32_t)(((uint64_t)id + i) % IPV4_COUNT);

		if ((address & 0xff) == 0 || (address & 0xff) == 0xff)
			continue;
		(void)snprintf(out, IP_TEXT_BYTES, "%u.%u.%u.%u", address >> 24,
			       address >> 16 & 0xff, address >> 8 & 0xff, address & 0xff);
		if (!is_taken(sim, out))
			return;
	}
	/* More servers than a computer could hold. */
	UNREACHABLE();
}

json_t *primary_ip_default_dns(const char *ip)
{
	unsigned part[4];
	char name[IP_TEXT_BYTES];

	if (sscanf(ip, "%u.%u.%u.%u", &part[0], &part[1], &part[2], &part[3]) != 4)
		return json_array();
	(void)snprintf(name, sizeof(name), "static.%u.%u.%u.%u.clients.your-server.de", part[3],
		       part[2], part[1], part[0]);
	return json_pack("[{s:s,s:s}]", "ip", ip, "dns_ptr", name);
}

void primary_ip_fill(struct sim *sim, json_t *doc, enum ip_type type, const char *location)
{
	int64_t id = doc_id(doc);
	char ip[IP_TEXT_BYTES];

	if (type == IP_V4)
		choose_ipv4(sim, id, ip);
	else
		(void)snprintf(ip, sizeof(ip), "2001:db8:%x:%x::/64", (unsigned)(id >> 16 & 0xffff),
			       (unsigned)(id & 0xffff));
	doc_set_str(doc, "type", type_text(type));
	doc_set_str(doc, "ip", ip);
	doc_set(doc, "assignee_id", json_null());
	doc_set_str(doc, "assignee_type", "unassigned");
	doc_set_bool(doc, "auto_delete", false);
	doc_set_bool(doc, "blocked", false);
	doc_set(doc, "dns_ptr", primary_ip_default_dns(ip));
	doc_set(doc, "protection", json_pack("{s:b}", "delete", 0));
	doc_set_str(doc, "_location", location);
}

json_t *primary_ip_add_for_server(struct sim *sim, struct project *project, enum ip_type type,
				  const char *location, int64_t server_id)
{
	json_t *doc = resource_new(sim, "", NULL);
	char name[NAME_BYTES_MAX];

	primary_ip_fill(sim, doc, type, location);
	(void)snprintf(name, sizeof(name), "primary_ip-%" PRId64, doc_id(doc));
	doc_set_str(doc, "name", name);
	doc_set_bool(doc, "auto_delete", true);
	primary_ip_assign(doc, server_id);
	return table_add(&project->tables[KIND_PRIMARY_IP], doc);
}

int primary_ip_check_quota(struct call *call)
{
	return quota_check(call, KIND_PRIMARY_IP,
			   TYPES_PER_SERVER * (size_t)call->sim->settings.server_limit);
}

int primary_ip_check_free(struct call *call, const json_t *primary_ip, enum ip_type type,
			  const char *location)
{
	if (!str_eq(doc_str(primary_ip, "type"), type_text(type)))
		return problem_set(&call->problem, PROBLEM_PRIMARY_IP_VERSION_MISMATCH,
				   "primary IP is not of type %s", type_text(type));
	if (doc_int(primary_ip, "assignee_id"))
		return problem_set(&call->problem, PROBLEM_PRIMARY_IP_ASSIGNED,
				   "primary IP is already assigned");
	if (!str_eq(doc_str(primary_ip, "_location"), location))
		return problem_set(&call->problem, PROBLEM_PRIMARY_IP_DATACENTER_MISMATCH,
				   "primary IP is in location '%s', not in '%s'",
				   doc_str(primary_ip, "_location"), location);
	return 0;
}

void primary_ip_assign(json_t *primary_ip, int64_t server_id)
{
	doc_set_int(primary_ip, "assignee_id", server_id);
	doc_set_str(primary_ip, "assignee_type", "server");
}

static void unassign(json_t *primary_ip)
{
	doc_set(primary_ip, "assignee_id", json_null());
	doc_set_str(primary_ip, "assignee_type", "unassigned");
}

void primary_ip_forget_server(struct project *project, int64_t server_id)
{
	struct table *ips = &project->tables[KIND_PRIMARY_IP];

	for (size_t i = ips->count; i > 0; i--) {
		json_t *ip = ips->docs[i - 1];

		if (doc_int(ip, "assignee_id") != server_id)
			continue;
		if (doc_bool(ip, "auto_delete"))
			table_remove(ips, doc_id(ip));
		else
			unassign(ip);
	}
}

void primary_ip_show_in_server(const struct project *project, int64_t server_id, json_t *public_net)
{
	const json_t *v4 = primary_ip_of_server(project, server_id, IP_V4);
	const json_t *v6 = primary_ip_of_server(project, server_id, IP_V6);
	const json_t *pointer = json_array_get(json_object_get(v4, "dns_ptr"), 0);

	doc_set(public_net, "ipv4",
		v4 ? json_pack("{s:I,s:s,s:b,s:s?}", "id", (json_int_t)doc_id(v4), "ip",
			       doc_str(v4, "ip"), "blocked", 0, "dns_ptr",
			       doc_str(pointer, "dns_ptr"))
		   : json_null());
	doc_set(public_net, "ipv6",
		v6 ? json_pack("{s:I,s:s,s:b,s:O}", "id", (json_int_t)doc_id(v6), "ip",
			       doc_str(v6, "ip"), "blocked", 0, "dns_ptr",
			       json_object_get(v6, "dns_ptr"))
		   : json_null());
}

int primary_ip_assign_effect(const struct action_run *run)
{
	json_t *ip = action_target(run, KIND_PRIMARY_IP);
	const json_t *server = action_target(run, KIND_SERVER);

	if (!ip || !server)
		return problem_set(run->problem, PROBLEM_ACTION_FAILED, "Action failed");
	primary_ip_assign(ip, doc_id(server));
	return 0;
}

int primary_ip_unassign_effect(const struct action_run *run)
{
	json_t *ip = action_target(run, KIND_PRIMARY_IP);

	if (ip)
		unassign(ip);
	return 0;
}
