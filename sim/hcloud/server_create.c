#include "hcloud/server_create.h"

#include "base/check.h"
#include "base/encode.h"
#include "base/json.h"
#include "hcloud/attachment.h"
#include "hcloud/firewall.h"
#include "hcloud/primary_ip.h"
#include "hcloud/resource.h"
#include "hcloud/resources.h"
#include "hcloud/server.h"
#include "hcloud/server_network.h"
#include "hcloud/server_order.h"

/* The document, in no table yet. */
static json_t *new_server(struct sim *sim, const struct server_order *order)
{
	json_t *server = resource_new(sim, order->name, order->labels);

	doc_set_str(server, "status", "initializing");
	doc_set(server, "protection", json_pack("{s:b,s:b}", "delete", 0, "rebuild", 0));
	doc_set_bool(server, "rescue_enabled", false);
	doc_set(server, "backup_window", json_null());
	doc_set(server, "iso", json_null());
	doc_set(server, "primary_disk_size", json_copy(json_object_get(order->type, "disk")));
	doc_set_int(server, "_type", doc_id(order->type));
	doc_set_int(server, "_image", doc_id(order->image));
	doc_set_str(server, "_location", doc_str(order->location, "name"));
	doc_set_int(server, "_placement_group",
		    order->placement_group ? doc_id(order->placement_group) : 0);
	doc_set(server, "_nets", json_array());
	doc_set(server, "_ssh_keys", json_incref(order->ssh_keys));
	if (order->user_data)
		doc_set(server, "_user_data", json_copy((json_t *)(uintptr_t)order->user_data));
	return server;
}

/* Chooses an address in each network, one after the other, so that they are apart. The attachments
 * are made only to be counted, and removed again. */
static int choose_ips(struct call *call, json_t *server, const struct server_order *order,
		      uint32_t ips[SERVER_NETWORKS_MAX])
{
	const struct ip_wish any = {.has_ip = false};
	int result = 0;

	for (size_t i = 0; i < order->network_count && result == 0; i++) {
		result = server_choose_ip(call, server, order->networks[i], &any, &ips[i]);
		if (result == 0)
			attachment_add(server, doc_id(order->networks[i]), ips[i]);
	}
	doc_set(server, "_nets", json_array());
	return result;
}

static void give_address(struct call *call, const json_t *server, bool wanted, json_t *given,
			 enum ip_type type)
{
	if (wanted && given)
		primary_ip_assign(given, doc_id(server));
	else if (wanted)
		(void)primary_ip_add_for_server(call->sim, call->project, type,
						doc_str(server, "_location"), doc_id(server));
}

static const json_t *begin(struct call *call, const json_t *server, const char *command,
			   int64_t after, bool starts)
{
	return action_begin(call->sim, call->project,
			    &(const struct action_request){
				    .command = command,
				    .resources = {{KIND_SERVER, doc_id(server)}},
				    .args = json_pack("{s:b}", "starts", starts),
				    .after = after,
			    });
}

static void append_view(struct call *call, json_t *actions, const json_t *action)
{
	(void)json_array_append_new(actions, action_view(call->sim, call->project, action));
}

/* A server with a public interface starts, then joins its networks; one without has nothing to
 * start with before it has joined. Each waits for the one before. */
static void begin_next(struct call *call, json_t *server, const struct server_order *order,
		       const uint32_t ips[SERVER_NETWORKS_MAX], int64_t after, json_t *next)
{
	bool is_private = !order->has_ipv4 && !order->has_ipv6;

	if (order->starts && !is_private) {
		const json_t *start = begin(call, server, "start_server", after, true);

		append_view(call, next, start);
		after = doc_id(start);
	}
	for (size_t i = 0; i < order->network_count; i++) {
		const json_t *join = server_join(call->sim, call->project, server,
						 doc_id(order->networks[i]), ips[i], NULL, after);

		append_view(call, next, join);
		after = doc_id(join);
	}
	if (order->starts && is_private) {
		const json_t *start = begin(call, server, "start_server", after, true);

		(void)json_array_insert_new(next, 0, action_view(call->sim, call->project, start));
		after = doc_id(start);
	}
	/* Firewalls that select it by label come later and unannounced, and lock it: a client that
	 * has waited for all it was told of meets 423. */
	firewall_reconcile(call->sim, call->project, after, NULL);
}

static int reply(struct call *call, const json_t *server, const json_t *create, json_t *next)
{
	bool has_keys = json_array_size(json_object_get(server, "_ssh_keys")) > 0;
	char password[SERVER_PASSWORD_CHARS + 1];

	base62_random(password, SERVER_PASSWORD_CHARS);
	return call_reply(call, 201,
			  json_pack("{s:o,s:o,s:o,s:s?}", "server",
				    resource_view(call->sim, call->project, KIND_SERVER, server),
				    "action", action_view(call->sim, call->project, create),
				    "next_actions", next, "root_password",
				    has_keys ? NULL : password));
}

static int create(struct call *call, const struct server_order *order)
{
	CLEANUP(cleanup_json) json_t *fresh = new_server(call->sim, order);
	uint32_t ips[SERVER_NETWORKS_MAX];

	if (choose_ips(call, fresh, order, ips) < 0)
		return -1;
	json_t *server =
		table_add(sim_table(call->sim, call->project, KIND_SERVER), TAKE_PTR(fresh));
	give_address(call, server, order->has_ipv4, order->ipv4, IP_V4);
	give_address(call, server, order->has_ipv6, order->ipv6, IP_V6);
	for (size_t i = 0; i < order->firewall_count; i++)
		firewall_add_new_server(order->firewalls[i], doc_id(server));
	const json_t *action = begin(call, server, "create_server", 0, order->starts);
	json_t *next = json_array();
	begin_next(call, server, order, ips, doc_id(action), next);
	return reply(call, server, action, next);
}

int server_create(struct call *call)
{
	struct server_order order;
	int result = server_order_read(call, &order);

	if (result == 0)
		result = create(call, &order);
	server_order_release(&order);
	return result;
}

int server_created(const struct action_run *run)
{
	json_t *server = server_target(run);

	if (!server)
		return -1;
	doc_set_str(server, "status", doc_bool(run->args, "starts") ? "starting" : "off");
	return 0;
}
