#include "hcloud/placement_group.h"

#include <inttypes.h>

#include "base/str.h"
#include "hcloud/listing.h"
#include "hcloud/quota.h"
#include "hcloud/resource.h"

#define NAME_BYTES_MAX 128
#define GROUPS_MAX     50

static bool is_in(const json_t *server, int64_t group_id)
{
	return doc_int(server, "_placement_group") == group_id;
}

int placement_group_check_room(struct call *call, int64_t group_id)
{
	const struct table *servers = &call->project->tables[KIND_SERVER];
	size_t count = 0;

	for (size_t i = 0; i < servers->count; i++)
		count += is_in(servers->docs[i], group_id);
	if (count < PLACEMENT_GROUP_SERVERS_MAX)
		return 0;
	return problem_set(&call->problem, PROBLEM_PLACEMENT_GROUP_MEMBER_LIMIT_REACHED,
			   "placement group with ID %" PRId64 " contains already %d servers",
			   group_id, PLACEMENT_GROUP_SERVERS_MAX);
}

json_t *placement_group_view(struct sim *sim, struct project *project, const json_t *group)
{
	const struct table *servers = &project->tables[KIND_SERVER];
	json_t *view = doc_public(group);
	json_t *ids = json_array();

	(void)sim;
	for (size_t i = 0; i < servers->count; i++) {
		if (is_in(servers->docs[i], doc_id(group)))
			(void)json_array_append_new(ids, json_integer(doc_id(servers->docs[i])));
	}
	doc_set(view, "servers", ids);
	return view;
}

static int placement_group_create(struct call *call)
{
	struct table *groups = sim_table(call->sim, call->project, KIND_PLACEMENT_GROUP);
	const json_t *labels = NULL;
	const char *name = NULL;
	const char *type = NULL;
	struct fields fields;

	call_fields(call, &fields);
	fields_str(&fields, "name", FIELD_REQUIRED, NAME_BYTES_MAX, &name);
	fields_str(&fields, "type", FIELD_REQUIRED, NAME_BYTES_MAX, &type);
	fields_labels(&fields, &labels);
	if (type && !str_eq(type, "spread"))
		fields_fail(&fields, "type", "Must be one of: spread.");
	if (fields_finish(&fields) < 0)
		return -1;
	if (resource_check_name(call, KIND_PLACEMENT_GROUP, name, 0) < 0 ||
	    quota_check(call, KIND_PLACEMENT_GROUP, GROUPS_MAX) < 0)
		return -1;
	json_t *group = resource_new(call->sim, name, labels);
	doc_set_str(group, "type", type);
	table_add(groups, group);
	return call_reply(call, 201,
			  json_pack("{s:o,s:n}", "placement_group",
				    placement_group_view(call->sim, call->project, group),
				    "action"));
}

static int placement_group_list(struct call *call)
{
	struct listing listing;

	listing_begin(&listing, call, KIND_PLACEMENT_GROUP);
	listing_filter(&listing, "type", "type");
	return listing_reply(&listing, "id name created");
}

static int placement_group_get(struct call *call)
{
	return resource_get(call, KIND_PLACEMENT_GROUP);
}

static int placement_group_update(struct call *call)
{
	return resource_update(call, KIND_PLACEMENT_GROUP);
}

/* Its servers stay, without a group. */
static int placement_group_delete(struct call *call)
{
	const json_t *group = call_find(call, KIND_PLACEMENT_GROUP, 0);
	const struct table *servers = sim_table(call->sim, call->project, KIND_SERVER);

	if (!group)
		return -1;
	for (size_t i = 0; i < servers->count; i++) {
		if (is_in(servers->docs[i], doc_id(group)))
			doc_set(servers->docs[i], "_placement_group", json_null());
	}
	table_remove(sim_table(call->sim, call->project, KIND_PLACEMENT_GROUP), doc_id(group));
	return call_reply(call, 204, NULL);
}

const struct route placement_group_routes[] = {
	{"GET", "/placement_groups", placement_group_list},
	{"POST", "/placement_groups", placement_group_create},
	{"GET", "/placement_groups/{id}", placement_group_get},
	{"PUT", "/placement_groups/{id}", placement_group_update},
	{"DELETE", "/placement_groups/{id}", placement_group_delete},
	{NULL, NULL, NULL},
};
