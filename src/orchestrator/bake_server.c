#include "orchestrator/bake_server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/str.h"
#include "core/label.h"

#define NAME_PREFIX    "rgrid-bake-"
#define SELECTOR_BYTES 256
#define ORDERS_MAX     3 /* of one whose answers are lost */
#define LOOKS_MAX      5 /* for one whose answer was lost; listings may be late */
#define LOOK_MS	       1000
#define POLL_MS	       2000
#define REMOVALS_MAX   60 /* an action may hold it up */

bool bake_pause(uint64_t ms)
{
	uint64_t until_ms = clock_boottime_ms() + ms;
	const struct timespec moment = {.tv_nsec = 50000000};

	while (clock_boottime_ms() < until_ms) {
		if (provider_is_told_to_stop(NULL))
			return false;
		(void)nanosleep(&moment, NULL);
	}
	return !provider_is_told_to_stop(NULL);
}

static int stopped(struct error *err)
{
	return error_set(err, ERR_TIMEOUT, "stopped by a signal");
}

/* Places */

static const struct hetzner_server_type *type_at(const struct hetzner_server_type_list *types,
						 const struct server_choice *choice)
{
	for (size_t i = 0; i < types->count; i++) {
		const struct hetzner_server_type *type = &types->items[i];

		for (size_t k = 0; str_eq(type->name, choice->server_type) && k < type->price_count;
		     k++) {
			if (str_eq(type->prices[k].location, choice->location))
				return type;
		}
	}
	return NULL;
}

int bake_places_find(const struct provider_parts *parts, struct bake_places *ret, struct error *err)
{
	CLEANUP(cleanup_hetzner_server_type_list) struct hetzner_server_type_list types = {0};
	CLEANUP(cleanup_free) struct bake_places *places = xcalloc(1, sizeof(*places));
	uint64_t disks[FLEET_CHOICES_MAX];

	if (hetzner_server_types_list(parts->hetzner, &types, err) < 0)
		return -1;
	for (size_t i = 0; i < parts->choice_count; i++) {
		const struct hetzner_server_type *type = type_at(&types, &parts->choices[i]);
		size_t at = places->count;

		if (type == NULL)
			continue;
		if (at == 0)
			(void)snprintf(places->architecture, sizeof(places->architecture), "%s",
				       type->architecture);
		if (!str_eq(type->architecture, places->architecture)) {
			places->others = true;
			continue;
		}
		for (; at > 0 && disks[at - 1] > type->disk_bytes; at--) {
			disks[at] = disks[at - 1];
			places->items[at] = places->items[at - 1];
		}
		disks[at] = type->disk_bytes;
		places->items[at] = parts->choices[i];
		places->count++;
	}
	if (places->count == 0) {
		(void)error_set(err, ERR_NOT_FOUND, "none of the server types is sold");
		return error_hint(err, "see server-types; `rgrid doctor` checks it");
	}
	*ret = *places;
	return 0;
}

/* Orders */

static bool has_label(const struct hetzner_labels *labels, const char *key, const char *wanted)
{
	const char *value = hetzner_label_get(labels, key);

	return value != NULL && str_eq(value, wanted);
}

/* The selector's word is not enough for what gets deleted. */
static bool is_builder(const struct provider_parts *parts, const struct hetzner_labels *labels)
{
	return has_label(labels, LABEL_MANAGED_BY, LABEL_RGRID) &&
	       has_label(labels, LABEL_GRID, parts->grid_id) &&
	       has_label(labels, LABEL_ROLE, LABEL_ROLE_BAKE);
}

static void make_labels(const struct bake_server *server, struct hetzner_labels *ret)
{
	*ret = (struct hetzner_labels){0};
	hetzner_label_set(ret, LABEL_MANAGED_BY, LABEL_RGRID);
	hetzner_label_set(ret, LABEL_GRID, server->parts->grid_id);
	hetzner_label_set(ret, LABEL_ROLE, LABEL_ROLE_BAKE);
	hetzner_label_set(ret, LABEL_BAKE, server->run);
}

/* Whether it is there; also when the look failed, it is not known to be. */
static bool find_by_name(struct bake_server *server, const char *name)
{
	for (int look = 0; look < LOOKS_MAX; look++) {
		CLEANUP(cleanup_hetzner_server_list) struct hetzner_server_list found = {0};
		struct error ignored = {0};

		if (hetzner_servers_list(server->parts->hetzner, name, NULL, &found, &ignored) ==
			    0 &&
		    found.count == 1 && is_builder(server->parts, &found.items[0].labels)) {
			server->id = found.items[0].id;
			return true;
		}
		if (!bake_pause(LOOK_MS))
			return false;
	}
	return false;
}

/* The same name each time: what was made by an order whose answer was lost refuses the next. */
static int order_at(struct bake_server *server, const struct hetzner_server_request *request,
		    struct error *err)
{
	struct hetzner *hetzner = server->parts->hetzner;

	for (int order = 0; order < ORDERS_MAX; order++) {
		struct hetzner_actions actions = {0};
		struct hetzner_server made;

		if (hetzner_server_create(hetzner, request, &made, &actions, err) == 0) {
			server->id = made.id;
			if (hetzner_actions_wait(hetzner, &actions, err) < 0)
				return error_wrap(err, "the builder was not set up");
			server->has_run = true;
			return 0;
		}
		const struct hetzner_failure *failure = hetzner_last_failure(hetzner);

		if (!failure->outcome_unknown && failure->code != HETZNER_UNIQUENESS_ERROR)
			return -1;
		if (find_by_name(server, request->name))
			return 0;
		if (provider_is_told_to_stop(NULL))
			return stopped(err);
	}
	return -1;
}

int bake_server_order(struct bake_server *server, const struct bake_places *places,
		      struct error *err)
{
	const struct provider_parts *parts = server->parts;
	bool public_ipv4 = conf_number(server->conf, CONF_SERVER_IPV4) != 0;
	int64_t network_id = (int64_t)conf_number(server->conf, CONF_NETWORK_ID);
	CLEANUP(cleanup_free) char *name = xasprintf(NAME_PREFIX "%s", server->run);
	struct hetzner_labels labels;

	make_labels(server, &labels);
	for (size_t i = 0; i < places->count; i++) {
		const struct hetzner_server_request request = {
			.name = name,
			.server_type = places->items[i].server_type,
			.location = places->items[i].location,
			.image = server->image,
			.user_data = server->user_data,
			.labels = &labels,
			.network_ids = &network_id,
			.network_count = 1,
			.firewall_ids = parts->firewall_ids,
			/* A firewall filters the public side, and is refused without one. */
			.firewall_count = public_ipv4 ? parts->firewall_count : 0,
			.ssh_key_ids = parts->ssh_key_ids,
			.ssh_key_count = parts->ssh_key_count,
			.public_ipv4 = public_ipv4,
			.public_ipv6 = public_ipv4,
			.start_after_create = true,
		};

		server->place = places->items[i];
		if (order_at(server, &request, err) == 0)
			return 0;
		enum hetzner_code code = hetzner_last_failure(parts->hetzner)->code;

		if (server->id != 0 ||
		    (code != HETZNER_RESOURCE_UNAVAILABLE && code != HETZNER_LOCATION_UNSUPPORTED))
			return error_wrap(err, "cannot make the builder");
	}
	return error_wrap(err, "cannot make the builder anywhere");
}

/* Waiting */

/* 1 it has powered itself off, 0 not yet, -1 it never will. */
static int look_at(struct bake_server *server, struct error *err)
{
	struct hetzner_server seen;

	if (hetzner_server_get(server->parts->hetzner, server->id, &seen, err) < 0) {
		if (err->code == ERR_NOT_FOUND)
			return error_wrap(err, "the builder was deleted behind our back");
		return err->code == ERR_UNAUTHENTICATED || err->code == ERR_FORBIDDEN ? -1 : 0;
	}
	server->has_run = server->has_run || seen.status == HETZNER_SERVER_RUNNING;
	return server->has_run && seen.status == HETZNER_SERVER_OFF ? 1 : 0;
}

int bake_server_wait_off(struct bake_server *server, uint64_t timeout_ms, struct error *err)
{
	uint64_t deadline_ms = clock_boottime_ms() + timeout_ms;
	char time[32];

	for (;;) {
		int seen = look_at(server, err);

		if (seen != 0)
			return seen < 0 ? -1 : 0;
		if (clock_boottime_ms() >= deadline_ms)
			break;
		if (!bake_pause(POLL_MS < timeout_ms ? POLL_MS : timeout_ms))
			return stopped(err);
	}
	(void)error_set(err, ERR_TIMEOUT,
			"the builder has not powered itself off within %s, as it does when it has "
			"all it needs",
			format_duration(timeout_ms, time, sizeof(time)));
	return error_hint(err,
			  "see whether the workers' API was asked for the bundle: journalctl -u "
			  "rgrid-api-workers; or bake again with a long --timeout and --ssh-keys, "
			  "and look on the builder: journalctl -u rgrid-bake");
}

/* Removal */

int bake_servers_list(const struct provider_parts *parts, struct hetzner_server_list *ret,
		      struct error *err)
{
	char selector[SELECTOR_BYTES];
	size_t count = 0;

	(void)snprintf(selector, sizeof(selector), "%s=%s,%s=%s,%s=%s", LABEL_MANAGED_BY,
		       LABEL_RGRID, LABEL_GRID, parts->grid_id, LABEL_ROLE, LABEL_ROLE_BAKE);
	if (hetzner_servers_list(parts->hetzner, NULL, selector, ret, err) < 0)
		return error_wrap(err, "cannot look for builders that were left");
	for (size_t i = 0; i < ret->count; i++) {
		if (is_builder(parts, &ret->items[i].labels))
			ret->items[count++] = ret->items[i];
	}
	ret->count = count;
	return 0;
}

int bake_server_remove(struct hetzner *hetzner, int64_t id, struct error *err)
{
	const struct timespec second = {.tv_sec = 1};

	for (int removal = 0; removal < REMOVALS_MAX; removal++) {
		struct hetzner_actions actions = {0};

		if (hetzner_server_delete(hetzner, id, &actions, err) == 0)
			return actions.count == 0 ? 0
						  : hetzner_actions_wait(hetzner, &actions, err);
		const struct hetzner_failure *failure = hetzner_last_failure(hetzner);

		if (failure->code != HETZNER_LOCKED && failure->code != HETZNER_CONFLICT &&
		    !failure->outcome_unknown)
			return -1;
		(void)nanosleep(&second, NULL);
	}
	return -1;
}
