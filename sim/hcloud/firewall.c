#include "hcloud/firewall.h"

#include "base/check.h"
#include "base/json.h"
#include "base/str.h"
#include "hcloud/primary_ip.h"
#include "hcloud/selector.h"

static json_t *targets_of(const json_t *firewall)
{
	return json_object_get(firewall, "_targets");
}

static json_t *servers_of(const json_t *firewall)
{
	return json_object_get(firewall, "_servers");
}

static bool has_public_interface(const struct project *project, int64_t server_id)
{
	return primary_ip_of_server(project, server_id, IP_V4) ||
	       primary_ip_of_server(project, server_id, IP_V6);
}

static bool selector_selects(const char *text, const json_t *server)
{
	CLEANUP(cleanup_selector) struct selector *selector = NULL;
	char error_text[SELECTOR_ERROR_BYTES];

	return selector_parse(text, &selector, error_text) == 0 &&
	       selector_matches(selector, json_object_get(server, "labels"));
}

/* A target is {"server": id} or {"selector": text}. */
static bool target_covers(const json_t *target, const json_t *server)
{
	const char *selector = doc_str(target, "selector");

	return selector ? selector_selects(selector, server)
			: doc_int(target, "server") == doc_id(server);
}

static bool wants(const struct project *project, const json_t *firewall, const json_t *server)
{
	const json_t *targets = targets_of(firewall);

	if (!has_public_interface(project, doc_id(server)))
		return false;
	for (size_t i = 0; i < json_array_size(targets); i++) {
		if (target_covers(json_array_get(targets, i), server))
			return true;
	}
	return false;
}

static bool target_is(const json_t *target, int64_t server_id, const char *selector)
{
	const char *own = doc_str(target, "selector");

	if (selector)
		return own && str_eq(own, selector);
	return !own && doc_int(target, "server") == server_id;
}

bool firewall_has_target(const json_t *firewall, int64_t server_id, const char *selector)
{
	const json_t *targets = targets_of(firewall);

	for (size_t i = 0; i < json_array_size(targets); i++) {
		if (target_is(json_array_get(targets, i), server_id, selector))
			return true;
	}
	return false;
}

void firewall_add_target(json_t *firewall, int64_t server_id, const char *selector)
{
	json_t *target = selector ? json_pack("{s:s}", "selector", selector)
				  : json_pack("{s:I}", "server", (json_int_t)server_id);

	(void)json_array_append_new(targets_of(firewall), target);
}

bool firewall_remove_target(json_t *firewall, int64_t server_id, const char *selector)
{
	json_t *targets = targets_of(firewall);

	for (size_t i = 0; i < json_array_size(targets); i++) {
		if (target_is(json_array_get(targets, i), server_id, selector))
			return json_array_remove(targets, i) == 0;
	}
	return false;
}

json_t *firewall_find_server(const json_t *firewall, int64_t server_id)
{
	const json_t *servers = servers_of(firewall);

	for (size_t i = 0; i < json_array_size(servers); i++) {
		if (doc_id(json_array_get(servers, i)) == server_id)
			return json_array_get(servers, i);
	}
	return NULL;
}

static void add_server(json_t *firewall, int64_t server_id, const char *status)
{
	(void)json_array_append_new(
		servers_of(firewall),
		json_pack("{s:I,s:s}", "id", (json_int_t)server_id, "status", status));
}

static void remove_server(json_t *firewall, int64_t server_id)
{
	json_t *servers = servers_of(firewall);

	for (size_t i = json_array_size(servers); i > 0; i--) {
		if (doc_id(json_array_get(servers, i - 1)) == server_id)
			(void)json_array_remove(servers, i - 1);
	}
}

bool firewall_is_in_use(const json_t *firewall)
{
	return json_array_size(targets_of(firewall)) > 0 ||
	       json_array_size(servers_of(firewall)) > 0;
}

void firewall_add_new_server(json_t *firewall, int64_t server_id)
{
	firewall_add_target(firewall, server_id, NULL);
	add_server(firewall, server_id, "applied");
}

void firewall_forget_server(struct project *project, int64_t server_id)
{
	struct table *firewalls = &project->tables[KIND_FIREWALL];

	for (size_t i = 0; i < firewalls->count; i++) {
		(void)firewall_remove_target(firewalls->docs[i], server_id, NULL);
		remove_server(firewalls->docs[i], server_id);
	}
}

static void begin(struct sim *sim, struct project *project, const char *command,
		  const json_t *server, const json_t *firewall, int64_t after, json_t *actions)
{
	const json_t *action =
		action_begin(sim, project,
			     &(const struct action_request){
				     .command = command,
				     .resources = {{KIND_SERVER, doc_id(server)},
						   {KIND_FIREWALL, doc_id(firewall)}},
				     .after = after,
			     });

	if (actions)
		(void)json_array_append_new(actions, action_view(sim, project, action));
}

static void reconcile(struct sim *sim, struct project *project, json_t *firewall,
		      const json_t *server, int64_t after, json_t *actions)
{
	bool wanted = wants(project, firewall, server);
	json_t *entry = firewall_find_server(firewall, doc_id(server));
	bool is_leaving = entry && str_eq(doc_str(entry, "status"), "removing");

	if (wanted && (!entry || is_leaving)) {
		if (entry)
			doc_set_str(entry, "status", "pending");
		else
			add_server(firewall, doc_id(server), "pending");
		begin(sim, project, "apply_firewall", server, firewall, after, actions);
	} else if (!wanted && entry && !is_leaving) {
		doc_set_str(entry, "status", "removing");
		begin(sim, project, "remove_firewall", server, firewall, after, actions);
	}
}

void firewall_reconcile(struct sim *sim, struct project *project, int64_t after, json_t *actions)
{
	const struct table *firewalls = &project->tables[KIND_FIREWALL];
	const struct table *servers = &project->tables[KIND_SERVER];

	for (size_t i = 0; i < firewalls->count; i++) {
		for (size_t j = 0; j < servers->count; j++)
			reconcile(sim, project, firewalls->docs[i], servers->docs[j], after,
				  actions);
	}
}

void firewall_renew(struct sim *sim, struct project *project, const json_t *firewall,
		    json_t *actions)
{
	const json_t *entries = servers_of(firewall);

	for (size_t i = 0; i < json_array_size(entries); i++) {
		const json_t *server = table_find(&project->tables[KIND_SERVER],
						  doc_id(json_array_get(entries, i)));

		if (server)
			begin(sim, project, "apply_firewall", server, firewall, 0, actions);
	}
}

int firewall_apply_effect(const struct action_run *run)
{
	const json_t *firewall = action_target(run, KIND_FIREWALL);
	const json_t *server = action_target(run, KIND_SERVER);
	json_t *entry = server ? firewall_find_server(firewall, doc_id(server)) : NULL;

	if (entry && str_eq(doc_str(entry, "status"), "pending"))
		doc_set_str(entry, "status", "applied");
	return 0;
}

int firewall_remove_effect(const struct action_run *run)
{
	json_t *firewall = action_target(run, KIND_FIREWALL);
	const json_t *server = action_target(run, KIND_SERVER);
	const json_t *entry = server ? firewall_find_server(firewall, doc_id(server)) : NULL;

	if (entry && str_eq(doc_str(entry, "status"), "removing"))
		remove_server(firewall, doc_id(server));
	return 0;
}

void firewall_action_failed(const struct action_run *run)
{
	json_t *firewall = action_target(run, KIND_FIREWALL);
	const json_t *server = action_target(run, KIND_SERVER);
	json_t *entry = server ? firewall_find_server(firewall, doc_id(server)) : NULL;
	const char *status = entry ? doc_str(entry, "status") : "";

	if (str_eq(status, "pending"))
		remove_server(firewall, doc_id(server));
	else if (str_eq(status, "removing"))
		doc_set_str(entry, "status", "applied");
}

json_t *firewall_list_of_server(const struct project *project, int64_t server_id)
{
	const struct table *firewalls = &project->tables[KIND_FIREWALL];
	json_t *list = json_array();

	for (size_t i = 0; i < firewalls->count; i++) {
		const json_t *entry = firewall_find_server(firewalls->docs[i], server_id);

		if (entry)
			(void)json_array_append_new(
				list,
				json_pack("{s:I,s:s}", "id", (json_int_t)doc_id(firewalls->docs[i]),
					  "status",
					  str_eq(doc_str(entry, "status"), "applied") ? "applied"
										      : "pending"));
	}
	return list;
}

size_t firewall_count_of_server(const struct project *project, int64_t server_id)
{
	CLEANUP(cleanup_json) json_t *list = firewall_list_of_server(project, server_id);

	return json_array_size(list);
}

static json_t *server_json(int64_t server_id)
{
	return json_pack("{s:s,s:{s:I}}", "type", "server", "server", "id", (json_int_t)server_id);
}

static json_t *target_view(const struct project *project, const json_t *firewall,
			   const json_t *target)
{
	const char *selector = doc_str(target, "selector");
	const json_t *servers = servers_of(firewall);
	json_t *resources = json_array();

	if (!selector) {
		json_decref(resources);
		return server_json(doc_int(target, "server"));
	}
	for (size_t i = 0; i < json_array_size(servers); i++) {
		int64_t id = doc_id(json_array_get(servers, i));
		const json_t *server = table_find(&project->tables[KIND_SERVER], id);

		if (server && target_covers(target, server))
			(void)json_array_append_new(resources, server_json(id));
	}
	return json_pack("{s:s,s:{s:s},s:o}", "type", "label_selector", "label_selector",
			 "selector", selector, "applied_to_resources", resources);
}

json_t *firewall_view(struct sim *sim, struct project *project, const json_t *firewall)
{
	const json_t *targets = targets_of(firewall);
	json_t *view = doc_public(firewall);
	json_t *applied_to = json_array();

	(void)sim;
	for (size_t i = 0; i < json_array_size(targets); i++)
		(void)json_array_append_new(
			applied_to, target_view(project, firewall, json_array_get(targets, i)));
	doc_set(view, "applied_to", applied_to);
	return view;
}
