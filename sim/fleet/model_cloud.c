#include "fleet/model_cloud.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "core/billing.h"

#define FIRST_ID  1000
#define SECOND_US INT64_C(1000000)

void model_cloud_init(struct model_cloud *cloud, const int64_t *clock_us, struct prng *prng)
{
	*cloud = (struct model_cloud){.clock_us = clock_us, .prng = prng, .quota = UINT64_MAX};
}

/* Whether that goes wrong now. */
static bool strikes(struct model_cloud *cloud, uint64_t permille, enum fault_kind kind)
{
	bool is_struck = prng_chance(cloud->prng, permille);
	if (is_struck)
		fault_struck(cloud->counts, kind);
	return is_struck;
}

void model_cloud_release(struct model_cloud *cloud)
{
	free(cloud->servers);
	*cloud = (struct model_cloud){0};
}

int64_t model_cloud_id(size_t server)
{
	return FIRST_ID + (int64_t)server;
}

bool model_cloud_exists(const struct model_cloud *cloud, size_t server)
{
	return cloud->servers[server].deleted_us == 0 ||
	       cloud->servers[server].deleted_us > *cloud->clock_us;
}

uint64_t model_cloud_count(const struct model_cloud *cloud)
{
	uint64_t count = 0;
	for (size_t i = 0; i < cloud->server_count; i++) {
		const struct model_server *server = &cloud->servers[i];
		count += !server->is_foreign && !server->is_planted && model_cloud_exists(cloud, i);
	}
	return count;
}

int64_t model_cloud_bill(const struct model_cloud *cloud, int64_t until_us)
{
	int64_t micros = 0;
	for (size_t i = 0; i < cloud->server_count; i++) {
		const struct model_server *server = &cloud->servers[i];
		int64_t end_us = server->deleted_us != 0 && server->ordered_us < until_us
					 ? server->ordered_us
					 : until_us;
		if (!server->is_foreign && !server->is_planted && !server->is_unknown)
			micros += billing_cost(
				server->price_micros,
				billing_hours_started(server->created_us, end_us, BILLING_HOUR_US));
	}
	return micros;
}

size_t model_cloud_add_server(struct model_cloud *cloud, int64_t worker_id)
{
	int64_t now_us = *cloud->clock_us;
	if (cloud->server_count == cloud->server_capacity) {
		cloud->server_capacity =
			cloud->server_capacity == 0 ? 16 : cloud->server_capacity * 2;
		cloud->servers = xreallocarray(cloud->servers, cloud->server_capacity,
					       sizeof(*cloud->servers));
	}
	const struct model_cloud_faults *faults = &cloud->faults;
	struct prng *prng = cloud->prng;
	struct model_server *server = &cloud->servers[cloud->server_count];
	*server = (struct model_server){
		.worker_id = worker_id,
		.created_us = now_us,
		.listed_from_us = now_us,
		.action_ends_us = now_us + prng_between(prng, 2, 12) * SECOND_US,
		.action_fails = strikes(cloud, faults->action_fails, FAULT_CREATE_FAILS),
		.boots_us = now_us + prng_between(prng, 20, 90) * SECOND_US,
		.price_micros = cloud->choices[0].price_hour_micros,
	};
	if (prng_chance(prng, faults->lags))
		server->listed_from_us += prng_between(prng, 1, 12) * SECOND_US;
	if (strikes(cloud, faults->slow_boot, FAULT_SLOW_BOOT))
		server->boots_us += prng_between(prng, 60, 800) * SECOND_US;
	if (server->action_fails || strikes(cloud, faults->no_boot, FAULT_NO_BOOT))
		server->boots_us = INT64_MAX;
	return cloud->server_count++;
}

static void delete_server(struct model_cloud *cloud, size_t place, bool slowly)
{
	struct model_server *server = &cloud->servers[place];
	int64_t now_us = *cloud->clock_us;
	server->ordered_us = now_us;
	server->deleted_us = now_us + (slowly ? prng_between(cloud->prng, 0, 8) * SECOND_US : 0);
	server->listed_until_us = server->deleted_us;
	if (prng_chance(cloud->prng, cloud->faults.lags))
		server->listed_until_us += prng_between(cloud->prng, 1, 12) * SECOND_US;
}

void model_cloud_vanish(struct model_cloud *cloud, size_t server)
{
	delete_server(cloud, server, false);
}

static int enter(const struct model_cloud_session *session, struct error *err)
{
	if (session->enter != NULL && session->enter(session->context, err) < 0)
		return -1;
	if (session->cloud->is_away) {
		fault_struck(session->cloud->counts, FAULT_PROVIDER_AWAY);
		return error_set(err, ERR_UNAVAILABLE, "the provider does not answer");
	}
	return 0;
}

static int leave(const struct model_cloud_session *session, struct error *err)
{
	return session->leave == NULL ? 0 : session->leave(session->context, err);
}

static int port_choices(void *context, struct fleet_world *ret, struct error *err)
{
	const struct model_cloud_session *session = context;
	if (enter(session, err) < 0)
		return -1;
	for (size_t i = 0; i < session->cloud->choice_count; i++) {
		struct fleet_choice *choice = fleet_world_add_choice(ret);
		CHECK(choice != NULL);
		*choice = session->cloud->choices[i];
	}
	return leave(session, err);
}

/* Whether a listing shows the server now. */
static bool is_listed(struct model_cloud *cloud, size_t place)
{
	struct model_server *server = &cloud->servers[place];
	int64_t now_us = *cloud->clock_us;
	if (server->is_foreign && cloud->plant != PLANT_FOREIGN)
		return false;
	bool is_listed = now_us >= server->listed_from_us &&
			 (server->deleted_us == 0 || now_us < server->listed_until_us);
	if (is_listed != model_cloud_exists(cloud, place))
		fault_struck(cloud->counts, FAULT_LISTING_STALE);
	if (!is_listed || (cloud->plant == PLANT_SHORT_LISTING && place % 2 == 0) ||
	    (cloud->plant == PLANT_NO_ORPHANS && server->is_planted))
		return false;
	if (server->omitted < MODEL_OMITTED_MAX &&
	    strikes(cloud, cloud->faults.omits, FAULT_LISTING_OMITS)) {
		server->omitted++;
		return false;
	}
	server->omitted = 0;
	return true;
}

static int port_list(void *context, struct fleet_world *ret, struct error *err)
{
	const struct model_cloud_session *session = context;
	struct model_cloud *cloud = session->cloud;
	if (enter(session, err) < 0)
		return -1;
	if (strikes(cloud, cloud->faults.before, FAULT_LISTING_LOST))
		return error_set(err, ERR_UNAVAILABLE, "the listing was not answered");
	bool is_partial = cloud->server_count > 0 &&
			  strikes(cloud, cloud->faults.partial, FAULT_LISTING_PARTIAL);
	size_t end = is_partial ? (size_t)prng_below(cloud->prng, cloud->server_count)
				: cloud->server_count;
	for (size_t i = 0; i < end; i++) {
		if (!is_listed(cloud, i))
			continue;
		struct fleet_server *server = fleet_world_add_server(ret);
		CHECK(server != NULL);
		*server = (struct fleet_server){.id = model_cloud_id(i),
						.worker_id = cloud->servers[i].worker_id,
						.created_us = cloud->servers[i].created_us,
						.is_builder = cloud->servers[i].is_builder,
						.is_off = cloud->servers[i].is_off,
						.is_deleting = cloud->servers[i].deleted_us != 0};
		ret->network_members++;
	}
	if (is_partial)
		return error_set(err, ERR_UNAVAILABLE, "the next page was not answered");
	return leave(session, err);
}

static size_t find_choice(const struct model_cloud *cloud, const struct fleet_choice *choice)
{
	for (size_t i = 0; i < cloud->choice_count; i++) {
		if (strcmp(cloud->choices[i].server_type, choice->server_type) == 0 &&
		    strcmp(cloud->choices[i].location, choice->location) == 0)
			return i;
	}
	UNREACHABLE();
}

static bool has_name(const struct model_cloud *cloud, int64_t worker_id)
{
	for (size_t i = 0; i < cloud->server_count; i++) {
		if (cloud->servers[i].worker_id == worker_id && !cloud->servers[i].is_foreign &&
		    model_cloud_exists(cloud, i))
			return true;
	}
	return false;
}

/* What stands in the way of an order; ACCEPTED: nothing. */
static enum fleet_answer judge(struct model_cloud *cloud, const struct fleet_creation *order,
			       const char **ret_message)
{
	size_t choice = find_choice(cloud, order->choice);
	uint64_t count = model_cloud_count(cloud);
	*ret_message = "";
	if (has_name(cloud, order->intent->worker_id)) {
		*ret_message = "server name is already used";
		return FLEET_ANSWER_UNKNOWN;
	}
	if (cloud->withdrawn[choice]) {
		*ret_message = "unsupported location for server type";
		fault_struck(cloud->counts, FAULT_WITHDRAWN);
		return FLEET_ANSWER_WITHDRAWN;
	}
	if (cloud->sold_out[choice]) {
		*ret_message = "error during placement";
		fault_struck(cloud->counts, FAULT_SOLD_OUT);
		return FLEET_ANSWER_SOLD_OUT;
	}
	if (count >= cloud->quota) {
		*ret_message = "server limit exceeded";
		fault_struck(cloud->counts, FAULT_QUOTA);
		return FLEET_ANSWER_QUOTA;
	}
	if (cloud->network_limit > 0 && count >= cloud->network_limit) {
		*ret_message = "no subnet or IP available";
		fault_struck(cloud->counts, FAULT_NETWORK_FULL);
		return FLEET_ANSWER_NETWORK_FULL;
	}
	return FLEET_ANSWER_ACCEPTED;
}

static void answer(struct fleet_creation *order, enum fleet_answer said, const char *message)
{
	order->ret_answer = said;
	(void)snprintf(order->ret_message, sizeof(order->ret_message), "%s", message);
}

static void create(const struct model_cloud_session *session, struct fleet_creation *order)
{
	struct model_cloud *cloud = session->cloud;
	const char *message = "";
	struct error err = {0};
	if (enter(session, &err) < 0 ||
	    strikes(cloud, cloud->faults.before, FAULT_CREATE_REFUSED)) {
		answer(order, FLEET_ANSWER_TROUBLE, "connection refused");
		return;
	}
	if (strikes(cloud, cloud->faults.unknown, FAULT_CREATE_UNKNOWN)) {
		answer(order, FLEET_ANSWER_UNKNOWN, "timeout");
		return;
	}
	enum fleet_answer said = judge(cloud, order, &message);
	if (said != FLEET_ANSWER_ACCEPTED) {
		answer(order, said, message);
		return;
	}
	size_t place = model_cloud_add_server(cloud, order->intent->worker_id);
	struct model_server *server = &cloud->servers[place];
	server->price_micros = order->choice->price_hour_micros;
	order->ret_server = (struct fleet_pending){.worker_id = order->intent->worker_id,
						   .server_id = model_cloud_id(place),
						   .action_ids = {model_cloud_id(place)},
						   .action_count = 1};
	order->ret_created_us = server->created_us;
	if (cloud->created != NULL)
		cloud->created(cloud->context, place);
	if (leave(session, &err) < 0 || strikes(cloud, cloud->faults.after, FAULT_CREATE_ANSWER))
		answer(order, FLEET_ANSWER_UNKNOWN, "timeout");
	else
		answer(order, FLEET_ANSWER_ACCEPTED, "");
}

static void port_create(void *context, struct fleet_creation *creations, size_t count)
{
	for (size_t i = 0; i < count; i++)
		create(context, &creations[i]);
}

static enum fleet_answer delete_one(const struct model_cloud_session *session,
				    struct fleet_deletion *order)
{
	struct model_cloud *cloud = session->cloud;
	size_t place = (size_t)(order->server_id - FIRST_ID);
	struct error err = {0};
	if (enter(session, &err) < 0 || strikes(cloud, cloud->faults.before, FAULT_DELETE_REFUSED))
		return FLEET_ANSWER_TROUBLE;
	CHECK(place < cloud->server_count);
	struct model_server *server = &cloud->servers[place];
	if (server->is_foreign) {
		cloud->foreign_touched = cloud->foreign_touched || cloud->plant == PLANT_FOREIGN;
		return FLEET_ANSWER_REFUSED;
	}
	order->ret_at_us = *cloud->clock_us;
	if (server->deleted_us == 0) {
		if (cloud->deleting != NULL)
			cloud->deleting(cloud->context, place);
		if (!strikes(cloud, cloud->faults.delete_fails, FAULT_DELETE_IGNORED))
			delete_server(cloud, place, true);
	}
	if (leave(session, &err) < 0 || strikes(cloud, cloud->faults.after, FAULT_DELETE_ANSWER))
		return FLEET_ANSWER_UNKNOWN;
	return FLEET_ANSWER_ACCEPTED;
}

static void port_delete(void *context, struct fleet_deletion *deletions, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		deletions[i].ret_answer = delete_one(context, &deletions[i]);
		(void)snprintf(deletions[i].ret_message, sizeof(deletions[i].ret_message), "%s",
			       deletions[i].ret_answer == FLEET_ANSWER_ACCEPTED ? "" : "timeout");
	}
}

static int port_look(void *context, const struct fleet_pending *pendings, size_t count,
		     struct fleet_look *looks, struct error *err)
{
	const struct model_cloud_session *session = context;
	struct model_cloud *cloud = session->cloud;
	if (enter(session, err) < 0)
		return -1;
	if (strikes(cloud, cloud->faults.before, FAULT_LOOK_LOST))
		return error_set(err, ERR_UNAVAILABLE, "timeout");
	for (size_t i = 0; i < count; i++) {
		size_t place = (size_t)(pendings[i].action_ids[0] - FIRST_ID);
		CHECK(place < cloud->server_count);
		looks[i].ret_ended = cloud->servers[place].action_ends_us <= *cloud->clock_us;
		looks[i].ret_failed = looks[i].ret_ended && cloud->servers[place].action_fails;
	}
	return leave(session, err);
}

static uint64_t port_requests_left(void *context)
{
	(void)context;
	return UINT64_MAX;
}

static uint64_t port_list_again_ms(void *context, bool under_way)
{
	(void)context;
	return under_way ? 2000 : 10000;
}

void model_cloud_port(struct model_cloud_session *session, struct fleet_cloud *ret)
{
	*ret = (struct fleet_cloud){
		.context = session,
		.choices = port_choices,
		.list = port_list,
		.create = port_create,
		.delete = port_delete,
		.look = port_look,
		.requests_left = port_requests_left,
		.list_again_ms = port_list_again_ms,
	};
}
