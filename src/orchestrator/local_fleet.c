#include "orchestrator/local_fleet.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "conf/environment.h"

#define LOCAL_TYPE     "process"
#define LOCAL_LOCATION "here"
#define LIST_MS	       100 /* a listing costs nothing, but ticks can come in bursts */

struct local_fleet {
	struct cloud *cloud;
};

static int local_choices(void *context, struct fleet_world *ret, struct error *err)
{
	struct fleet_choice *choice = fleet_world_add_choice(ret);

	(void)context, (void)err;
	CHECK(choice != NULL);
	(void)snprintf(choice->server_type, sizeof(choice->server_type), "%s", LOCAL_TYPE);
	(void)snprintf(choice->location, sizeof(choice->location), "%s", LOCAL_LOCATION);
	return 0;
}

static void list_one(void *context, int64_t worker_id, int64_t started_us)
{
	struct fleet_server *server = fleet_world_add_server(context);

	CHECK(server != NULL);
	*server = (struct fleet_server){
		.id = worker_id, .worker_id = worker_id, .created_us = started_us};
}

static int local_list(void *context, struct fleet_world *ret, struct error *err)
{
	struct local_fleet *fleet = context;

	(void)err;
	cloud_each(fleet->cloud, list_one, ret);
	return 0;
}

static void create_one(struct local_fleet *fleet, struct fleet_creation *creation)
{
	const struct fleet_intent *intent = creation->intent;
	struct error err = {0};
	CLEANUP(cleanup_free)
	char *database = xasprintf("RGRID_WORKER_DATABASE=%s", intent->login);
	const char *const added[] = {database, NULL};
	struct environment environment;
	environment_make(added, &environment);
	struct cloud_machine machine = {.worker_id = intent->worker_id,
					.name = intent->name,
					.slots = creation->slots,
					.environment = environment.entries};

	if (cloud_create(fleet->cloud, &machine, &err) < 0) {
		creation->ret_answer = FLEET_ANSWER_REFUSED;
		(void)snprintf(creation->ret_message, sizeof(creation->ret_message), "%s", err.msg);
		return;
	}
	creation->ret_answer = FLEET_ANSWER_ACCEPTED;
	creation->ret_server = (struct fleet_pending){.worker_id = intent->worker_id,
						      .server_id = intent->worker_id};
	creation->ret_created_us = clock_wall_us();
}

static void local_create(void *context, struct fleet_creation *creations, size_t count)
{
	for (size_t i = 0; i < count; i++)
		create_one(context, &creations[i]);
}

static void local_delete(void *context, struct fleet_deletion *deletions, size_t count)
{
	struct local_fleet *fleet = context;

	for (size_t i = 0; i < count; i++) {
		cloud_delete(fleet->cloud, deletions[i].server_id);
		deletions[i].ret_answer = FLEET_ANSWER_ACCEPTED;
	}
}

/* A process has no actions that could be under way. */
static int local_look(void *context, const struct fleet_pending *pendings, size_t count,
		      struct fleet_look *looks, struct error *err)
{
	(void)context, (void)pendings, (void)err;
	for (size_t i = 0; i < count; i++)
		looks[i] = (struct fleet_look){.ret_ended = true};
	return 0;
}

static uint64_t local_requests_left(void *context)
{
	(void)context;
	return UINT64_MAX;
}

static void local_drain(void *context, int64_t worker_id)
{
	struct local_fleet *fleet = context;

	cloud_shut_down(fleet->cloud, worker_id);
}

static uint64_t local_list_again_ms(void *context, bool under_way)
{
	(void)context, (void)under_way;
	return LIST_MS;
}

struct local_fleet *local_fleet_new(struct cloud *cloud, struct fleet_cloud *ret)
{
	struct local_fleet *fleet = xcalloc(1, sizeof(*fleet));

	fleet->cloud = cloud;
	*ret = (struct fleet_cloud){
		.context = fleet,
		.choices = local_choices,
		.list = local_list,
		.create = local_create,
		.delete = local_delete,
		.look = local_look,
		.requests_left = local_requests_left,
		.drain = local_drain,
		.list_again_ms = local_list_again_ms,
	};
	return fleet;
}

void local_fleet_free(struct local_fleet *fleet)
{
	free(fleet);
}
