#include "hcloud/server.h"

#include "base/check.h"
#include "base/str.h"
#include "hcloud/action_routes.h"
#include "hcloud/attachment.h"
#include "hcloud/firewall.h"
#include "hcloud/image.h"
#include "hcloud/label.h"
#include "hcloud/listing.h"
#include "hcloud/machines.h"
#include "hcloud/primary_ip.h"
#include "hcloud/resource.h"
#include "hcloud/resources.h"
#include "hcloud/server_create.h"

#define TRAFFIC_SHOWN_BYTES 0

const json_t *server_type_of(const struct sim *sim, const json_t *server)
{
	const json_t *type = table_find(&sim->catalog[KIND_SERVER_TYPE], doc_int(server, "_type"));

	CHECK(type != NULL);
	return type;
}

static const json_t *location_of(const struct sim *sim, const json_t *server)
{
	const json_t *location =
		table_find_name(&sim->catalog[KIND_LOCATION], doc_str(server, "_location"));

	CHECK(location != NULL);
	return location;
}

const char *server_zone(const struct sim *sim, const json_t *server)
{
	return doc_str(location_of(sim, server), "network_zone");
}

/* Of the price of its type at its location. */
static json_int_t included_traffic(const struct sim *sim, const json_t *server)
{
	const json_t *prices = json_object_get(server_type_of(sim, server), "prices");

	for (size_t i = 0; i < json_array_size(prices); i++) {
		const json_t *price = json_array_get(prices, i);

		if (str_eq(doc_str(price, "location"), doc_str(server, "_location")))
			return doc_int(price, "included_traffic");
	}
	return 0;
}

static json_t *view_or_null(struct sim *sim, struct project *project, enum kind kind,
			    const json_t *doc)
{
	return doc ? resource_view(sim, project, kind, doc) : json_null();
}

json_t *server_view(struct sim *sim, struct project *project, const json_t *server)
{
	json_t *view = doc_public(server);
	json_t *public_net = json_object();
	int64_t id = doc_id(server);

	primary_ip_show_in_server(project, id, public_net);
	doc_set(public_net, "floating_ips", json_array());
	doc_set(public_net, "firewalls", firewall_list_of_server(project, id));
	doc_set(view, "public_net", public_net);
	doc_set(view, "private_net", attachment_private_net(server));
	doc_set(view, "server_type",
		resource_view(sim, project, KIND_SERVER_TYPE, server_type_of(sim, server)));
	doc_set(view, "location",
		resource_view(sim, project, KIND_LOCATION, location_of(sim, server)));
	doc_set(view, "image",
		view_or_null(sim, project, KIND_IMAGE,
			     image_find(sim, project, doc_int(server, "_image"))));
	doc_set(view, "placement_group",
		view_or_null(sim, project, KIND_PLACEMENT_GROUP,
			     table_find(&project->tables[KIND_PLACEMENT_GROUP],
					doc_int(server, "_placement_group"))));
	doc_set_bool(view, "locked", action_is_running_on(sim, project, KIND_SERVER, id));
	doc_set_int(view, "included_traffic", included_traffic(sim, server));
	doc_set_int(view, "ingoing_traffic", TRAFFIC_SHOWN_BYTES);
	doc_set_int(view, "outgoing_traffic", TRAFFIC_SHOWN_BYTES);
	doc_set(view, "volumes", json_array());
	doc_set(view, "load_balancers", json_array());
	return view;
}

json_t *server_unlocked(struct call *call)
{
	json_t *server = call_find(call, KIND_SERVER, 0);

	return server && resource_check_unlocked(call, KIND_SERVER, server) == 0 ? server : NULL;
}

json_t *server_target(const struct action_run *run)
{
	json_t *server = action_target(run, KIND_SERVER);

	if (!server)
		problem_set(run->problem, PROBLEM_NOT_FOUND, "server not found");
	return server;
}

int server_begin(struct call *call, const json_t *server, const char *command, json_t *args)
{
	const struct action_request request = {
		.command = command,
		.resources = {{KIND_SERVER, doc_id(server)}},
		.args = args,
	};

	return action_reply(call, action_begin(call->sim, call->project, &request));
}

void server_leave(struct sim *sim, struct project *project, json_t *server, int64_t network_id)
{
	const json_t *attachment = attachment_find(server, network_id);
	json_t *network = table_find(&project->tables[KIND_NETWORK], network_id);
	/* Fault: an address that is given back stays busy for a while. */
	const json_t *busy = faults_strike(&sim->faults, FAULT_IP_BUSY,
					   (const struct fault_subject[]){{NULL, NULL}});

	if (!attachment)
		return;
	if (busy && network)
		attachment_cool(network, attachment, (uint64_t)fault_int(busy, "ms", 0));
	machines_detach(sim, server, network_id);
	attachment_remove(server, network_id);
}

void server_erase(struct sim *sim, struct project *project, json_t *server)
{
	const json_t *nets = json_object_get(server, "_nets");
	int64_t id = doc_id(server);

	machines_delete(sim, server);
	while (json_array_size(nets) > 0)
		server_leave(sim, project, server, doc_int(json_array_get(nets, 0), "network"));
	primary_ip_forget_server(project, id);
	firewall_forget_server(project, id);
	table_remove(&project->tables[KIND_SERVER], id);
	machines_forget_images(sim);
}

int server_deleted(const struct action_run *run)
{
	json_t *server = server_target(run);

	if (!server)
		return -1;
	server_erase(run->sim, run->project, server);
	return 0;
}

void server_action_failed(const struct action_run *run)
{
	json_t *server = action_target(run, KIND_SERVER);
	const char *status = server ? doc_str(server, "status") : NULL;
	const char *command = doc_str(run->action, "command");

	firewall_action_failed(run);
	image_action_failed(run);
	if (!server)
		return;
	if (doc_bool(run->action, "_vanish")) {
		server_erase(run->sim, run->project, server);
		return;
	}
	/* The place in the network was only reserved. */
	if (str_eq(command, "attach_to_network"))
		attachment_remove(server, action_resource_id(run->action, KIND_NETWORK));
	if (str_eq(status, "initializing") || str_eq(status, "starting") ||
	    str_eq(status, "rebuilding") || str_eq(status, "deleting"))
		doc_set_str(server, "status", "off");
	else if (str_eq(status, "stopping"))
		doc_set_str(server, "status", "running");
}

static int server_list(struct call *call)
{
	struct listing listing;

	listing_begin(&listing, call, KIND_SERVER);
	listing_filter(&listing, "status", "status");
	return listing_reply(&listing, "id name created");
}

static int server_get(struct call *call)
{
	return resource_get(call, KIND_SERVER);
}

static int server_update(struct call *call)
{
	const char *name = doc_str(call->body, "name");

	if (name && !hostname_is_valid(name))
		return problem_invalid(&call->problem, "name",
				       "must be a valid hostname as of RFC 1123");
	if (resource_update(call, KIND_SERVER) < 0)
		return -1;
	/* Firewalls may select it by label. */
	firewall_reconcile(call->sim, call->project, 0, NULL);
	return 0;
}

static int server_delete(struct call *call)
{
	json_t *server = call_find(call, KIND_SERVER, 0);

	if (!server || resource_check_unprotected(call, server, "delete") < 0 ||
	    resource_check_unlocked(call, KIND_SERVER, server) < 0)
		return -1;
	doc_set_str(server, "status", "deleting");
	const struct action_request request = {
		.command = "delete_server",
		.resources = {{KIND_SERVER, doc_id(server)}},
	};
	const json_t *action = action_begin(call->sim, call->project, &request);
	return call_reply(
		call, 200,
		json_pack("{s:o}", "action", action_view(call->sim, call->project, action)));
}

static int list_all(struct call *call)
{
	return action_list_of_kind(call, KIND_SERVER);
}

static int get_any(struct call *call)
{
	return action_get_of_kind(call, KIND_SERVER);
}

static int list_own(struct call *call)
{
	return action_list_of_resource(call, KIND_SERVER);
}

static int get_own(struct call *call)
{
	return action_get_of_resource(call, KIND_SERVER);
}

const struct route server_routes[] = {
	{"GET", "/servers", server_list},
	{"POST", "/servers", server_create},
	{"GET", "/servers/{id}", server_get},
	{"PUT", "/servers/{id}", server_update},
	{"DELETE", "/servers/{id}", server_delete},
	{"GET", "/servers/actions", list_all},
	{"GET", "/servers/actions/{id}", get_any},
	{"GET", "/servers/{id}/actions", list_own},
	{"GET", "/servers/{id}/actions/{id}", get_own},
	{NULL, NULL, NULL},
};
