#include "orchestrator/hetzner_fleet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "core/id.h"
#include "core/label.h"
#include "orchestrator/hetzner_groups.h"

#define CATALOG_MS   (3600ULL * 1000) /* prices change seldom, types are withdrawn with notice */
#define MEMBERS_MS   30000ULL	      /* the network is full or not */
#define LIST_BUSY_MS 4000	      /* for each of its requests: a quarter of 3,600 an hour */
#define LIST_IDLE_MS 60000

struct hetzner_fleet {
	struct hetzner_fleet_options options;
	struct hetzner_groups *groups;
	char selector[256];
	/* The catalog, as last read. */
	struct fleet_choice choices[FLEET_CHOICES_MAX];
	uint64_t catalog_ms; /* when it was read; 0: never */
	uint64_t members_ms;
	uint64_t members;
	/* Ids of the last complete listing: known to be ours. */
	int64_t *ours;
	size_t our_count;
};

/* The catalog */

static const struct hetzner_price *price_at(const struct hetzner_price *prices, size_t count,
					    const char *location)
{
	for (size_t i = 0; i < count; i++) {
		if (str_eq(prices[i].location, location))
			return &prices[i];
	}
	return NULL;
}

static const struct hetzner_server_type *type_named(const struct hetzner_server_type_list *types,
						    const char *name)
{
	for (size_t i = 0; i < types->count; i++) {
		if (str_eq(types->items[i].name, name))
			return &types->items[i];
	}
	return NULL;
}

static void choice_make(const struct hetzner_fleet *fleet, const struct server_choice *wanted,
			const struct hetzner_server_type_list *types,
			const struct hetzner_pricing *pricing, struct fleet_choice *ret)
{
	const struct hetzner_server_type *type = type_named(types, wanted->server_type);
	const struct hetzner_price *price =
		type ? price_at(type->prices, type->price_count, wanted->location) : NULL;
	const struct hetzner_price *ipv4 =
		fleet->options.public_ipv4 ? price_at(pricing->primary_ipv4,
						      pricing->primary_ipv4_count, wanted->location)
					   : NULL;

	*ret = (struct fleet_choice){.withdrawn = price == NULL};
	(void)snprintf(ret->server_type, sizeof(ret->server_type), "%s", wanted->server_type);
	(void)snprintf(ret->location, sizeof(ret->location), "%s", wanted->location);
	if (!price)
		return;
	ret->cpu_millis = type->cores * 1000;
	ret->memory_bytes = type->memory_bytes;
	ret->price_hour_micros = price->hourly_micros + (ipv4 ? ipv4->hourly_micros : 0);
}

static int catalog_read(struct hetzner_fleet *fleet, struct error *err)
{
	CLEANUP(cleanup_hetzner_server_type_list) struct hetzner_server_type_list types = {0};
	struct hetzner_pricing pricing = {0};

	if (hetzner_server_types_list(fleet->options.hetzner, &types, err) < 0 ||
	    hetzner_pricing_get(fleet->options.hetzner, &pricing, err) < 0)
		return error_wrap(err, "cannot read the provider's prices");
	for (size_t i = 0; i < fleet->options.choice_count; i++)
		choice_make(fleet, &fleet->options.choices[i], &types, &pricing,
			    &fleet->choices[i]);
	fleet->catalog_ms = clock_boottime_ms();
	return 0;
}

/* An old catalog is better than none. */
static int provider_choices(void *context, struct fleet_world *ret, struct error *err)
{
	struct hetzner_fleet *fleet = context;
	bool due = fleet->catalog_ms == 0 || clock_boottime_ms() - fleet->catalog_ms > CATALOG_MS;

	if (due && catalog_read(fleet, err) < 0 && fleet->catalog_ms == 0)
		return -1;
	for (size_t i = 0; i < fleet->options.choice_count; i++) {
		struct fleet_choice *choice = fleet_world_add_choice(ret);

		CHECK(choice != NULL);
		*choice = fleet->choices[i];
	}
	return 0;
}

/* The listing */

/* The id in a label is the worker's as it is shown; 0: unreadable. */
static int64_t worker_of(const struct hetzner_labels *labels)
{
	const char *text = hetzner_label_get(labels, LABEL_WORKER);
	int64_t low = 0;
	int64_t high = 0;

	if (!text || !id_parse(ID_WORKER, text, &low, &high) || low != high)
		return 0;
	return low;
}

static bool has_role(const struct hetzner_labels *labels, const char *role)
{
	const char *own = hetzner_label_get(labels, LABEL_ROLE);

	return own && str_eq(own, role);
}

static bool is_ours(const struct hetzner_fleet *fleet, const struct hetzner_labels *labels)
{
	const char *managed_by = hetzner_label_get(labels, LABEL_MANAGED_BY);
	const char *grid = hetzner_label_get(labels, LABEL_GRID);

	return managed_by && grid && str_eq(managed_by, LABEL_RGRID) &&
	       str_eq(grid, fleet->options.grid_id) &&
	       (has_role(labels, LABEL_ROLE_WORKER) || has_role(labels, LABEL_ROLE_BAKE));
}

static int members_read(struct hetzner_fleet *fleet, struct error *err)
{
	CLEANUP(cleanup_hetzner_network_list) struct hetzner_network_list networks = {0};
	uint64_t now_ms = clock_boottime_ms();

	if (fleet->options.network_id == 0 ||
	    (fleet->members_ms != 0 && now_ms - fleet->members_ms < MEMBERS_MS))
		return 0;
	if (hetzner_network_get(fleet->options.hetzner, fleet->options.network_id, &networks, err) <
	    0)
		return error_wrap(err, "the private network");
	fleet->members = networks.items[0].server_count;
	fleet->members_ms = now_ms;
	return 0;
}

/* Nothing is lost when it fails: the next listing tries again. */
static void publish(struct hetzner_fleet *fleet)
{
	struct error err = {0};

	if (fleet->options.public_list != NULL &&
	    public_list_publish(fleet->options.public_list, &err) < 0)
		log_error("workers' public addresses are not told", F_ERROR(&err));
}

static void publish_listed(struct hetzner_fleet *fleet, const struct hetzner_server_list *servers)
{
	struct public_list *list = fleet->options.public_list;

	if (list == NULL)
		return;
	public_list_clear(list);
	for (size_t i = 0; i < servers->count; i++) {
		const struct hetzner_server *server = &servers->items[i];

		if (is_ours(fleet, &server->labels) && server->status != HETZNER_SERVER_DELETING)
			public_list_add(list, server->id, server->public_ipv4);
	}
	publish(fleet);
}

static int provider_list(void *context, struct fleet_world *ret, struct error *err)
{
	struct hetzner_fleet *fleet = context;
	CLEANUP(cleanup_hetzner_server_list) struct hetzner_server_list servers = {0};

	if (hetzner_servers_list(fleet->options.hetzner, NULL, fleet->selector, &servers, err) <
		    0 ||
	    members_read(fleet, err) < 0)
		return -1;
	fleet->ours = xreallocarray(fleet->ours, servers.count + 1, sizeof(*fleet->ours));
	fleet->our_count = 0;
	for (size_t i = 0; i < servers.count; i++) {
		const struct hetzner_server *server = &servers.items[i];

		if (!is_ours(fleet, &server->labels)) /* the selector's word is not enough */
			continue;
		struct fleet_server *seen = fleet_world_add_server(ret);
		if (!seen)
			return error_set(err, ERR_LIMIT, "there are more than %d servers",
					 FLEET_SERVERS_MAX);
		*seen = (struct fleet_server){
			.id = server->id,
			.worker_id = worker_of(&server->labels),
			.created_us = server->created_us,
			.is_deleting = server->status == HETZNER_SERVER_DELETING,
			.is_off = server->status == HETZNER_SERVER_OFF,
			.is_builder = has_role(&server->labels, LABEL_ROLE_BAKE)};
		fleet->ours[fleet->our_count++] = server->id;
	}
	ret->network_members = fleet->members;
	publish_listed(fleet, &servers);
	hetzner_groups_sweep(fleet->groups);
	return 0;
}

/* Orders */

enum fleet_answer hetzner_fleet_answer(const struct hetzner_failure *failure)
{
	if (failure->code == HETZNER_OK)
		return FLEET_ANSWER_ACCEPTED;
	if (failure->outcome_unknown || failure->code == HETZNER_UNIQUENESS_ERROR)
		return FLEET_ANSWER_UNKNOWN; /* taken by an order of ours whose answer was lost */
	if (failure->code == HETZNER_RESOURCE_UNAVAILABLE)
		return FLEET_ANSWER_SOLD_OUT;
	if (failure->code == HETZNER_LOCATION_UNSUPPORTED)
		return FLEET_ANSWER_WITHDRAWN;
	if (failure->code == HETZNER_RESOURCE_LIMIT_EXCEEDED)
		return FLEET_ANSWER_QUOTA;
	if (failure->code == HETZNER_NO_SUBNET_AVAILABLE ||
	    failure->code == HETZNER_PLACEMENT_ERROR || failure->code == HETZNER_IP_NOT_AVAILABLE ||
	    (failure->code == HETZNER_SERVICE_ERROR && strstr(failure->message, "no subnet")))
		return FLEET_ANSWER_NETWORK_FULL;
	if (failure->code == HETZNER_INVALID_INPUT || failure->code == HETZNER_NOT_FOUND ||
	    failure->code == HETZNER_JSON_ERROR || failure->code == HETZNER_UNSUPPORTED_ERROR)
		return FLEET_ANSWER_REFUSED;
	/* Rate limit, maintenance, a token that was revoked: nothing is wrong with the choice. */
	return FLEET_ANSWER_TROUBLE;
}

static void label_server(const struct hetzner_fleet *fleet, int64_t worker_id,
			 struct hetzner_labels *ret)
{
	char id[ID_TEXT_BYTES];

	*ret = (struct hetzner_labels){0};
	hetzner_label_set(ret, LABEL_MANAGED_BY, LABEL_RGRID);
	hetzner_label_set(ret, LABEL_GRID, fleet->options.grid_id);
	hetzner_label_set(ret, LABEL_ROLE, LABEL_ROLE_WORKER);
	hetzner_label_set(ret, LABEL_WORKER, id_format(ID_WORKER, worker_id, id));
}

/* One creation on its way: what its request borrows. */
struct order {
	struct hetzner_labels labels;
	char *user_data;
};

static int order_make(const struct hetzner_fleet *fleet, const struct fleet_creation *creation,
		      int64_t group_id, struct order *order, struct hetzner_server_request *ret,
		      struct error *err)
{
	const struct hetzner_fleet_options *options = &fleet->options;

	if (options->user_data(options->context, creation, &order->user_data, err) < 0)
		return -1;
	label_server(fleet, creation->intent->worker_id, &order->labels);
	*ret = (struct hetzner_server_request){
		.name = creation->intent->name,
		.server_type = creation->choice->server_type,
		.location = creation->choice->location,
		.image = options->image,
		.user_data = order->user_data,
		.labels = &order->labels,
		.network_ids = &options->network_id,
		.network_count = options->network_id != 0,
		.firewall_ids = options->firewall_ids,
		/* A firewall filters the public side, and is refused without one. */
		.firewall_count = options->public_ipv4 ? options->firewall_count : 0,
		.ssh_key_ids = options->ssh_key_ids,
		.ssh_key_count = options->ssh_key_count,
		.placement_group_id = group_id,
		.public_ipv4 = options->public_ipv4,
		.public_ipv6 = options->public_ipv4,
		.start_after_create = true,
	};
	return 0;
}

static void creation_answer(struct fleet_creation *creation, const struct hetzner_outcome *outcome)
{
	creation->ret_answer = hetzner_fleet_answer(&outcome->failure);
	if (outcome->result < 0) {
		if (creation->ret_answer == FLEET_ANSWER_ACCEPTED)
			creation->ret_answer = FLEET_ANSWER_TROUBLE; /* it was never sent */
		(void)snprintf(creation->ret_message, sizeof(creation->ret_message), "%s",
			       outcome->err.msg);
		return;
	}
	struct fleet_pending *server = &creation->ret_server;
	*server = (struct fleet_pending){.worker_id = creation->intent->worker_id,
					 .server_id = outcome->server.id};
	for (size_t i = 0;
	     i < outcome->actions.count && server->action_count < FLEET_PENDING_ACTIONS_MAX; i++)
		server->action_ids[server->action_count++] = outcome->actions.ids[i];
	creation->ret_created_us = outcome->server.created_us;
}

static void creation_fail(struct fleet_creation *creation, enum fleet_answer answer,
			  const struct error *err)
{
	creation->ret_answer = answer;
	(void)snprintf(creation->ret_message, sizeof(creation->ret_message), "%s", err->msg);
}

/* A group for each server that can have one; the others are not ordered. Returns for how many of
 * the first creations an order can be made. */
static size_t groups_find(struct hetzner_fleet *fleet, struct fleet_creation *creations,
			  size_t count, int64_t *ret_ids)
{
	struct error err = {0};
	size_t found = 0;

	if (!fleet->options.spread)
		return count;
	if (hetzner_groups_take(fleet->groups, count, ret_ids, &found, &err) == 0)
		return count;
	enum fleet_answer answer =
		hetzner_fleet_answer(hetzner_last_failure(fleet->options.hetzner));
	/* Whatever became of the group, no server was asked for. */
	if (answer != FLEET_ANSWER_QUOTA)
		answer = FLEET_ANSWER_TROUBLE;
	for (size_t i = found; i < count; i++)
		creation_fail(&creations[i], answer, &err);
	return found;
}

static void provider_create(void *context, struct fleet_creation *creations, size_t count)
{
	struct hetzner_fleet *fleet = context;
	CLEANUP(cleanup_free) struct order *orders = xcalloc(count + 1, sizeof(*orders));
	CLEANUP(cleanup_free)
	struct hetzner_server_request *requests = xcalloc(count + 1, sizeof(*requests));
	CLEANUP(cleanup_free)
	struct hetzner_outcome *outcomes = xcalloc(count + 1, sizeof(*outcomes));
	CLEANUP(cleanup_free) size_t *places = xcalloc(count + 1, sizeof(*places));
	CLEANUP(cleanup_free) int64_t *group_ids = xcalloc(count + 1, sizeof(*group_ids));
	size_t possible = groups_find(fleet, creations, count, group_ids);
	size_t sent = 0;

	for (size_t i = 0; i < possible; i++) {
		struct error err = {0};

		if (order_make(fleet, &creations[i], group_ids[i], &orders[i], &requests[sent],
			       &err) < 0) {
			creation_fail(&creations[i], FLEET_ANSWER_TROUBLE, &err);
			continue;
		}
		places[sent++] = i;
	}
	hetzner_servers_create(fleet->options.hetzner, requests, sent, outcomes);
	for (size_t i = 0; i < sent; i++) {
		creation_answer(&creations[places[i]], &outcomes[i]);
		if (fleet->options.public_list != NULL && outcomes[i].result == 0)
			public_list_add(fleet->options.public_list, outcomes[i].server.id,
					outcomes[i].server.public_ipv4);
	}
	/* Before the machine has booted, and long before it asks for its programs. */
	publish(fleet);
	for (size_t i = 0; i < count; i++)
		free(orders[i].user_data);
}

/* 1 ours, 0 there is none, -1 not ours or not to be found out. */
static int deletion_check(struct hetzner_fleet *fleet, struct fleet_deletion *deletion)
{
	struct hetzner_server server;
	struct error err = {0};

	for (size_t i = 0; i < fleet->our_count; i++) {
		if (fleet->ours[i] == deletion->server_id)
			return 1;
	}
	if (hetzner_server_get(fleet->options.hetzner, deletion->server_id, &server, &err) < 0) {
		if (err.code == ERR_NOT_FOUND)
			return 0;
		deletion->ret_answer = FLEET_ANSWER_TROUBLE;
		(void)snprintf(deletion->ret_message, sizeof(deletion->ret_message), "%s", err.msg);
		return -1;
	}
	if (is_ours(fleet, &server.labels))
		return 1;
	deletion->ret_answer = FLEET_ANSWER_REFUSED;
	(void)snprintf(deletion->ret_message, sizeof(deletion->ret_message),
		       "server %" PRId64 " does not carry the labels of this grid",
		       deletion->server_id);
	return -1;
}

/* Somebody has protected this server from deletion: nothing is wrong with the provider, and the row
 * of its worker has it asked for again. An orphan has no row that would space that out. */
static enum fleet_answer deletion_answer(const struct fleet_deletion *deletion,
					 const struct hetzner_failure *failure)
{
	if (failure->code == HETZNER_PROTECTED && deletion->worker_id != 0)
		return FLEET_ANSWER_REFUSED;
	return hetzner_fleet_answer(failure);
}

static void provider_delete(void *context, struct fleet_deletion *deletions, size_t count)
{
	struct hetzner_fleet *fleet = context;
	CLEANUP(cleanup_free) int64_t *ids = xcalloc(count + 1, sizeof(*ids));
	CLEANUP(cleanup_free) size_t *places = xcalloc(count + 1, sizeof(*places));
	CLEANUP(cleanup_free)
	struct hetzner_outcome *outcomes = xcalloc(count + 1, sizeof(*outcomes));
	size_t sent = 0;

	for (size_t i = 0; i < count; i++) {
		int ours = deletion_check(fleet, &deletions[i]);

		if (ours == 0)
			deletions[i].ret_answer = FLEET_ANSWER_ACCEPTED;
		if (ours <= 0)
			continue;
		ids[sent] = deletions[i].server_id;
		places[sent++] = i;
	}
	hetzner_servers_delete(fleet->options.hetzner, ids, sent, outcomes);
	for (size_t i = 0; i < sent; i++) {
		struct fleet_deletion *deletion = &deletions[places[i]];

		if (fleet->options.public_list != NULL && outcomes[i].result == 0)
			public_list_remove(fleet->options.public_list, deletion->server_id);
		deletion->ret_answer = outcomes[i].result == 0
					       ? FLEET_ANSWER_ACCEPTED
					       : deletion_answer(deletion, &outcomes[i].failure);
		if (outcomes[i].result < 0)
			(void)snprintf(deletion->ret_message, sizeof(deletion->ret_message), "%s",
				       outcomes[i].err.msg);
	}
	publish(fleet);
}

/* Actions */

static void look_judge(const struct hetzner_action *actions, size_t count, struct fleet_look *look)
{
	*look = (struct fleet_look){.ret_ended = true};
	for (size_t i = 0; i < count; i++) {
		if (actions[i].status == HETZNER_ACTION_RUNNING)
			look->ret_ended = false;
		if (actions[i].status == HETZNER_ACTION_ERROR) {
			look->ret_failed = true;
			(void)snprintf(look->ret_message, sizeof(look->ret_message), "%s: %s (%s)",
				       actions[i].command, actions[i].error_message,
				       actions[i].error_code);
		}
	}
	look->ret_ended = look->ret_ended || look->ret_failed;
}

/* Where the provider has forgotten some action, that one has ended. */
static int look_at_one(struct hetzner *hetzner, const struct fleet_pending *pending,
		       struct fleet_look *look, struct error *err)
{
	struct hetzner_action actions[FLEET_PENDING_ACTIONS_MAX];
	int result = hetzner_actions_get(hetzner, pending->action_ids, pending->action_count,
					 actions, err);

	if (result < 0 && err->code != ERR_NOT_FOUND)
		return -1;
	look_judge(actions, result < 0 ? 0 : pending->action_count, look);
	return 0;
}

static int provider_look(void *context, const struct fleet_pending *pendings, size_t count,
			 struct fleet_look *looks, struct error *err)
{
	struct hetzner_fleet *fleet = context;
	CLEANUP(cleanup_free)
	int64_t *ids = xcalloc(count * FLEET_PENDING_ACTIONS_MAX + 1, sizeof(*ids));
	CLEANUP(cleanup_free)
	struct hetzner_action *actions =
		xcalloc(count * FLEET_PENDING_ACTIONS_MAX + 1, sizeof(*actions));
	size_t asked = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < pendings[i].action_count; k++)
			ids[asked++] = pendings[i].action_ids[k];
	if (hetzner_actions_get(fleet->options.hetzner, ids, asked, actions, err) == 0) {
		for (size_t i = 0, at = 0; i < count; at += pendings[i].action_count, i++)
			look_judge(actions + at, pendings[i].action_count, &looks[i]);
		return 0;
	}
	if (err->code != ERR_NOT_FOUND)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (look_at_one(fleet->options.hetzner, &pendings[i], &looks[i], err) < 0)
			return -1;
	}
	return 0;
}

static uint64_t provider_requests_left(void *context)
{
	struct hetzner_fleet *fleet = context;
	struct hetzner_budget budget;

	hetzner_budget(fleet->options.hetzner, &budget);
	return budget.limit == 0 ? UINT64_MAX : budget.remaining;
}

uint64_t hetzner_fleet_list_again_ms(size_t server_count, bool under_way)
{
	uint64_t busy_ms = LIST_BUSY_MS * hetzner_listing_requests(server_count);

	return under_way || busy_ms > LIST_IDLE_MS ? busy_ms : LIST_IDLE_MS;
}

static uint64_t provider_list_again_ms(void *context, bool under_way)
{
	const struct hetzner_fleet *fleet = context;

	return hetzner_fleet_list_again_ms(fleet->our_count, under_way);
}

struct hetzner_fleet *hetzner_fleet_new(const struct hetzner_fleet_options *options,
					struct fleet_cloud *ret)
{
	struct hetzner_fleet *fleet = xcalloc(1, sizeof(*fleet));

	CHECK(options->choice_count <= FLEET_CHOICES_MAX);
	fleet->options = *options;
	fleet->groups = hetzner_groups_new(options->hetzner, options->grid_id, options->sweep_ms);
	(void)snprintf(fleet->selector, sizeof(fleet->selector), "%s=%s,%s=%s,%s in (%s,%s)",
		       LABEL_MANAGED_BY, LABEL_RGRID, LABEL_GRID, options->grid_id, LABEL_ROLE,
		       LABEL_ROLE_WORKER, LABEL_ROLE_BAKE);
	*ret = (struct fleet_cloud){
		.context = fleet,
		.choices = provider_choices,
		.list = provider_list,
		.create = provider_create,
		.delete = provider_delete,
		.look = provider_look,
		.requests_left = provider_requests_left,
		.list_again_ms = provider_list_again_ms,
	};
	return fleet;
}

void hetzner_fleet_free(struct hetzner_fleet *fleet)
{
	if (!fleet)
		return;
	hetzner_groups_free(fleet->groups);
	free(fleet->ours);
	free(fleet);
}
