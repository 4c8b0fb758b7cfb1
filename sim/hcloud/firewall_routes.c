#include <inttypes.h>

#include "base/check.h"
#include "base/json.h"
#include "base/str.h"
#include "hcloud/action_routes.h"
#include "hcloud/firewall.h"
#include "hcloud/firewall_rule.h"
#include "hcloud/listing.h"
#include "hcloud/primary_ip.h"
#include "hcloud/quota.h"
#include "hcloud/resource.h"
#include "hcloud/selector.h"

#define NAME_BYTES_MAX	   128
#define WORD_BYTES_MAX	   32
#define SELECTOR_BYTES_MAX 4096
#define TARGETS_MAX	   100
#define FIREWALLS_MAX	   50

/* One of the resources that a request applies to or removes from. */
struct wish {
	int64_t server_id; /* 0: the selector */
	const char *selector;
};

struct wishes {
	struct wish items[TARGETS_MAX];
	size_t count;
};

static int read_server(const json_t *item, const char *field, struct problem *problem,
		       int64_t *ret_id)
{
	const json_t *server = json_object_get(item, "server");
	const json_t *id = json_object_get(server, "id");

	if (!json_is_integer(id) || json_integer_value(id) < 1)
		return problem_invalid(problem, field, "server: Missing data for required field.");
	*ret_id = json_integer_value(id);
	return 0;
}

static int read_selector(const json_t *item, const char *field, struct problem *problem,
			 const char **ret)
{
	CLEANUP(cleanup_selector) struct selector *selector = NULL;
	const char *text = doc_str(json_object_get(item, "label_selector"), "selector");
	char error_text[SELECTOR_ERROR_BYTES];

	if (!text || text[0] == '\0' || strlen(text) > SELECTOR_BYTES_MAX)
		return problem_invalid(problem, field,
				       "label_selector: Missing data for required field.");
	if (selector_parse(text, &selector, error_text) < 0)
		return problem_invalid(problem, field, "invalid label_selector: %s", error_text);
	*ret = text;
	return 0;
}

static int read_wish(const json_t *item, const char *field, struct problem *problem,
		     struct wish *ret)
{
	const char *type = doc_str(item, "type");

	*ret = (struct wish){0};
	if (type && str_eq(type, "server"))
		return read_server(item, field, problem, &ret->server_id);
	if (type && str_eq(type, "label_selector"))
		return read_selector(item, field, problem, &ret->selector);
	return problem_invalid(problem, field, "type: Must be one of: server, label_selector.");
}

static bool is_same(const struct wish *a, const struct wish *b)
{
	if (a->selector && b->selector)
		return str_eq(a->selector, b->selector);
	return !a->selector && !b->selector && a->server_id == b->server_id;
}

/* The array under `field`, checked for what can be seen in it alone. */
static int read_wishes(struct call *call, const char *field, enum field_need need,
		       struct wishes *ret)
{
	const json_t *array = NULL;
	struct fields fields;

	ret->count = 0;
	call_fields(call, &fields);
	fields_array(&fields, field, need, &array);
	if (json_array_size(array) > TARGETS_MAX)
		fields_fail(&fields, field, "Longer than maximum length %d.", TARGETS_MAX);
	if (need == FIELD_REQUIRED && array && json_array_size(array) == 0)
		fields_fail(&fields, field, "Shorter than minimum length 1.");
	if (fields_finish(&fields) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(array); i++) {
		struct wish *wish = &ret->items[ret->count];

		if (read_wish(json_array_get(array, i), field, &call->problem, wish) < 0)
			return -1;
		for (size_t j = 0; j < ret->count; j++) {
			if (is_same(&ret->items[j], wish))
				return problem_set(&call->problem, PROBLEM_SERVER_ALREADY_ADDED,
						   "resource added more than once");
		}
		ret->count++;
	}
	return 0;
}

/* Under `not_found_status`, as creation answers otherwise than the actions. */
static const json_t *find_server(struct call *call, int64_t id, unsigned not_found_status)
{
	const json_t *server = table_find(&call->project->tables[KIND_SERVER], id);

	if (server)
		return server;
	problem_set(&call->problem, PROBLEM_FIREWALL_RESOURCE_NOT_FOUND,
		    "server with ID '%" PRId64 "' not found", id);
	call->problem.status = not_found_status;
	return NULL;
}

static int check_applicable(struct call *call, const json_t *firewall, const struct wish *wish,
			    unsigned not_found_status)
{
	if (firewall && firewall_has_target(firewall, wish->server_id, wish->selector))
		return problem_set(&call->problem, PROBLEM_FIREWALL_ALREADY_APPLIED,
				   "firewall is already applied to the resource");
	if (wish->selector)
		return 0;
	const json_t *server = find_server(call, wish->server_id, not_found_status);
	if (!server)
		return -1;
	if (!primary_ip_of_server(call->project, wish->server_id, IP_V4) &&
	    !primary_ip_of_server(call->project, wish->server_id, IP_V6))
		return problem_set(&call->problem, PROBLEM_PRIVATE_NET_ONLY_SERVER,
				   "server with ID '%" PRId64 "' has no public network interface",
				   wish->server_id);
	if (firewall_count_of_server(call->project, wish->server_id) >= FIREWALLS_PER_SERVER_MAX)
		return problem_named(&call->problem, PROBLEM_RESOURCE_LIMIT_EXCEEDED,
				     "firewalls_per_server_limit",
				     "more than %d firewalls for a server",
				     FIREWALLS_PER_SERVER_MAX);
	return resource_check_unlocked(call, KIND_SERVER, server);
}

static int check_all_applicable(struct call *call, const json_t *firewall,
				const struct wishes *wishes, unsigned not_found_status)
{
	for (size_t i = 0; i < wishes->count; i++) {
		if (check_applicable(call, firewall, &wishes->items[i], not_found_status) < 0)
			return -1;
	}
	return 0;
}

static void begin_set_rules(struct call *call, const json_t *firewall, json_t *actions)
{
	const json_t *action =
		action_begin(call->sim, call->project,
			     &(const struct action_request){
				     .command = "set_firewall_rules",
				     .resources = {{KIND_FIREWALL, doc_id(firewall)}},
			     });

	(void)json_array_append_new(actions, action_view(call->sim, call->project, action));
}

static int read_rules(struct call *call, enum field_need need, json_t **ret)
{
	const json_t *rules = NULL;
	struct fields fields;

	call_fields(call, &fields);
	fields_array(&fields, "rules", need, &rules);
	if (fields_finish(&fields) < 0)
		return -1;
	return firewall_rules_read(rules, ret, &call->problem);
}

static int firewall_create(struct call *call)
{
	CLEANUP(cleanup_json) json_t *rules = NULL;
	const json_t *labels = NULL;
	const char *name = NULL;
	struct wishes wishes;
	struct fields fields;

	call_fields(call, &fields);
	fields_str(&fields, "name", FIELD_REQUIRED, NAME_BYTES_MAX, &name);
	fields_labels(&fields, &labels);
	if (fields_finish(&fields) < 0 || read_rules(call, FIELD_OPTIONAL, &rules) < 0 ||
	    read_wishes(call, "apply_to", FIELD_OPTIONAL, &wishes) < 0 ||
	    resource_check_name(call, KIND_FIREWALL, name, 0) < 0 ||
	    check_all_applicable(call, NULL, &wishes, 422) < 0 ||
	    quota_check(call, KIND_FIREWALL, FIREWALLS_MAX) < 0)
		return -1;
	json_t *firewall = resource_new(call->sim, name, labels);
	json_t *actions = json_array();
	doc_set(firewall, "rules", json_incref(rules));
	doc_set(firewall, "_targets", json_array());
	doc_set(firewall, "_servers", json_array());
	table_add(&call->project->tables[KIND_FIREWALL], firewall);
	for (size_t i = 0; i < wishes.count; i++)
		firewall_add_target(firewall, wishes.items[i].server_id, wishes.items[i].selector);
	if (json_array_size(rules) > 0)
		begin_set_rules(call, firewall, actions);
	firewall_reconcile(call->sim, call->project, 0, actions);
	return call_reply(call, 201,
			  json_pack("{s:o,s:o}", "firewall",
				    firewall_view(call->sim, call->project, firewall), "actions",
				    actions));
}

static int firewall_apply(struct call *call)
{
	json_t *firewall = call_find(call, KIND_FIREWALL, 0);
	struct wishes wishes;

	if (!firewall || read_wishes(call, "apply_to", FIELD_REQUIRED, &wishes) < 0 ||
	    check_all_applicable(call, firewall, &wishes, 404) < 0)
		return -1;
	json_t *actions = json_array();
	for (size_t i = 0; i < wishes.count; i++)
		firewall_add_target(firewall, wishes.items[i].server_id, wishes.items[i].selector);
	firewall_reconcile(call->sim, call->project, 0, actions);
	return call_reply(call, 201, json_pack("{s:o}", "actions", actions));
}

/* Removing what is not applied is no error since August 2025. */
static int check_removable(struct call *call, const json_t *firewall, const struct wish *wish)
{
	if (wish->selector)
		return 0;
	const json_t *server = find_server(call, wish->server_id, 404);
	if (!server)
		return -1;
	if (firewall_has_target(firewall, wish->server_id, NULL))
		return resource_check_unlocked(call, KIND_SERVER, server);
	if (!firewall_find_server(firewall, wish->server_id))
		return 0;
	return problem_set(&call->problem, PROBLEM_FIREWALL_MANAGED_BY_LABEL_SELECTOR,
			   "firewall is applied via a label selector and cannot be removed from "
			   "the server");
}

static int firewall_remove(struct call *call)
{
	json_t *firewall = call_find(call, KIND_FIREWALL, 0);
	struct wishes wishes;

	if (!firewall || read_wishes(call, "remove_from", FIELD_REQUIRED, &wishes) < 0)
		return -1;
	for (size_t i = 0; i < wishes.count; i++) {
		if (check_removable(call, firewall, &wishes.items[i]) < 0)
			return -1;
	}
	json_t *actions = json_array();
	for (size_t i = 0; i < wishes.count; i++)
		(void)firewall_remove_target(firewall, wishes.items[i].server_id,
					     wishes.items[i].selector);
	firewall_reconcile(call->sim, call->project, 0, actions);
	return call_reply(call, 201, json_pack("{s:o}", "actions", actions));
}

static int firewall_set_rules(struct call *call)
{
	json_t *firewall = call_find(call, KIND_FIREWALL, 0);
	json_t *rules = NULL;

	if (!firewall || read_rules(call, FIELD_REQUIRED, &rules) < 0)
		return -1;
	json_t *actions = json_array();
	doc_set(firewall, "rules", rules);
	begin_set_rules(call, firewall, actions);
	firewall_renew(call->sim, call->project, firewall, actions);
	return call_reply(call, 201, json_pack("{s:o}", "actions", actions));
}

static int firewall_list(struct call *call)
{
	struct listing listing;

	listing_begin(&listing, call, KIND_FIREWALL);
	return listing_reply(&listing, "id name created");
}

static int firewall_get(struct call *call)
{
	return resource_get(call, KIND_FIREWALL);
}

static int firewall_update(struct call *call)
{
	const json_t *firewall = call_find(call, KIND_FIREWALL, 0);

	if (!firewall)
		return -1;
	if (action_is_running_on(call->sim, call->project, KIND_FIREWALL, doc_id(firewall)))
		return problem_set(&call->problem, PROBLEM_CONFLICT,
				   "another change is running on the firewall, please retry");
	return resource_update(call, KIND_FIREWALL);
}

static int firewall_delete(struct call *call)
{
	const json_t *firewall = call_find(call, KIND_FIREWALL, 0);

	if (!firewall)
		return -1;
	if (firewall_is_in_use(firewall))
		return problem_set(&call->problem, PROBLEM_RESOURCE_IN_USE,
				   "firewall with ID %" PRId64 " is still in use",
				   doc_id(firewall));
	table_remove(&call->project->tables[KIND_FIREWALL], doc_id(firewall));
	return call_reply(call, 204, NULL);
}

static int firewall_actions_list(struct call *call)
{
	return action_list_of_kind(call, KIND_FIREWALL);
}

static int firewall_actions_get(struct call *call)
{
	return action_get_of_kind(call, KIND_FIREWALL);
}

static int firewall_own_actions_list(struct call *call)
{
	return action_list_of_resource(call, KIND_FIREWALL);
}

static int firewall_own_actions_get(struct call *call)
{
	return action_get_of_resource(call, KIND_FIREWALL);
}

const struct route firewall_routes[] = {
	{"GET", "/firewalls", firewall_list},
	{"POST", "/firewalls", firewall_create},
	{"GET", "/firewalls/{id}", firewall_get},
	{"PUT", "/firewalls/{id}", firewall_update},
	{"DELETE", "/firewalls/{id}", firewall_delete},
	{"GET", "/firewalls/actions", firewall_actions_list},
	{"GET", "/firewalls/actions/{id}", firewall_actions_get},
	{"GET", "/firewalls/{id}/actions", firewall_own_actions_list},
	{"GET", "/firewalls/{id}/actions/{id}", firewall_own_actions_get},
	{"POST", "/firewalls/{id}/actions/apply_to_resources", firewall_apply},
	{"POST", "/firewalls/{id}/actions/remove_from_resources", firewall_remove},
	{"POST", "/firewalls/{id}/actions/set_rules", firewall_set_rules},
	{NULL, NULL, NULL},
};
