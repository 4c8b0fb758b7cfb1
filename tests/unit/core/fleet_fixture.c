#include "fleet_fixture.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

struct fleet_choice *fixture_choice(struct fleet_world *world, const char *server_type,
				    const char *location)
{
	struct fleet_choice *choice = fleet_world_add_choice(world);

	CHECK(choice != NULL);
	(void)snprintf(choice->server_type, sizeof(choice->server_type), "%s", server_type);
	(void)snprintf(choice->location, sizeof(choice->location), "%s", location);
	choice->price_hour_micros = 8800;
	return choice;
}

void fixture_world(struct fleet_world *world)
{
	fleet_world_clear(world);
	world->now_us = NOW_US;
	world->listed_us = NOW_US;
	world->listing_is_new = true;
	(void)fixture_choice(world, "cx23", "nbg1");
}

struct fleet_policy fixture_policy(void)
{
	struct fleet_policy policy;

	fleet_policy_default(&policy);
	policy.max = 4;
	policy.slots = 2;
	return policy;
}

struct fleet_worker *fixture_worker(struct fleet_world *world, enum worker_state state,
				    int64_t age_us)
{
	struct fleet_worker *worker = fleet_world_add_worker(world);
	struct fleet_server *server = fleet_world_add_server(world);

	CHECK(worker != NULL && server != NULL);
	worker->id = (int64_t)world->worker_count;
	worker->state = state;
	worker->created_us = world->now_us - age_us;
	worker->joined_us = state == WORKER_PROVISIONING ? 0 : worker->created_us;
	worker->idle_since_us = worker->joined_us;
	worker->silent_ms = state == WORKER_PROVISIONING ? (uint64_t)age_us / 1000 : 0;
	worker->slots = 2;
	worker->price_hour_micros = 8800;
	worker->server_id = 1000 + worker->id;
	worker->server_created_us = worker->created_us;
	(void)snprintf(worker->server_type, sizeof(worker->server_type), "cx23");
	(void)snprintf(worker->location, sizeof(worker->location), "nbg1");
	*server = (struct fleet_server){
		.id = worker->server_id, .worker_id = worker->id, .created_us = worker->created_us};
	return worker;
}

struct fleet_worker *fixture_draining(struct fleet_world *world, enum fleet_drain cause,
				      int64_t age_us)
{
	struct fleet_worker *worker = fixture_worker(world, WORKER_DRAINING, age_us);

	worker->drain = cause;
	worker->drain_us = world->now_us;
	return worker;
}

void fixture_jobs(struct fleet_world *world, uint64_t count)
{
	const struct fleet_shape shape = {
		.cpu_millis = 1000, .memory_bytes = 512 * MIB, .count = count, .oldest_ms = 1};

	if (count > 0)
		fleet_world_add_shape(world, &shape);
}

void fixture_cool(struct fleet_world *world, size_t choice, enum fleet_cooling_cause cause,
		  int64_t until_us)
{
	struct fleet_cooling *cooling = fleet_world_add_cooling(world);

	CHECK(cooling != NULL);
	memcpy(cooling->server_type, world->choices[choice].server_type, FLEET_NAME_BYTES);
	memcpy(cooling->location, world->choices[choice].location, FLEET_NAME_BYTES);
	cooling->cause = cause;
	cooling->until_us = until_us;
}

static void drop_server(struct fleet_world *world, int64_t server_id)
{
	for (size_t i = 0; i < world->server_count; i++) {
		if (world->servers[i].id == server_id) {
			world->servers[i] = world->servers[--world->server_count];
			return;
		}
	}
}

void fixture_unlist(struct fleet_world *world, int64_t worker_id)
{
	for (size_t i = 0; i < world->server_count; i++) {
		if (world->servers[i].worker_id == worker_id) {
			world->servers[i] = world->servers[--world->server_count];
			return;
		}
	}
}

static struct fleet_worker *find(struct fleet_world *world, int64_t id)
{
	for (size_t i = 0; i < world->worker_count; i++) {
		if (world->workers[i].id == id)
			return &world->workers[i];
	}
	return NULL;
}

static void create(struct fleet_world *world, const struct fleet_action *action)
{
	const struct fleet_choice *choice = &world->choices[action->choice];
	struct fleet_worker *worker = fixture_worker(world, WORKER_PROVISIONING, 0);

	worker->id += 100; /* of none that was there */
	world->servers[world->server_count - 1].worker_id = worker->id;
	memcpy(worker->server_type, choice->server_type, FLEET_NAME_BYTES);
	memcpy(worker->location, choice->location, FLEET_NAME_BYTES);
}

static void end(struct fleet_world *world, struct fleet_worker *worker,
		const struct fleet_action *action)
{
	worker->state = action->end;
	worker->busy_slots = 0;
	if (action->kind == FLEET_DELETE_WORKER && worker->server_id != 0) {
		worker->delete_us = world->now_us;
		worker->absent_looks = 100;
		worker->absent_ms = 60000;
		drop_server(world, worker->server_id);
	}
	for (size_t i = 0; i < world->choice_count && action->cooling != 0; i++) {
		if (strcmp(world->choices[i].server_type, worker->server_type) == 0 &&
		    strcmp(world->choices[i].location, worker->location) == 0)
			fixture_cool(world, i, action->cooling, world->now_us + MINUTE_US);
	}
}

static void apply(struct fleet_world *world, const struct fleet_action *action)
{
	struct fleet_worker *worker = find(world, action->worker_id);

	switch (action->kind) {
	case FLEET_CREATE_WORKER:
		create(world, action);
		return;
	case FLEET_RETIRE_WORKER:
	case FLEET_DELETE_WORKER:
		end(world, worker, action);
		return;
	case FLEET_ADOPT_SERVER:
		worker->server_id = action->server_id;
		worker->server_created_us = worker->created_us;
		return;
	case FLEET_DELETE_SERVER:
		drop_server(world, action->server_id);
		if (worker != NULL) {
			worker->delete_us = world->now_us;
			worker->absent_looks = 100;
			worker->absent_ms = 60000;
		}
		return;
	case FLEET_FORGET_SERVER:
		*worker = world->workers[--world->worker_count];
		return;
	case FLEET_DRAIN_WORKER:
		worker->state = WORKER_DRAINING;
		worker->drain = action->drain;
		worker->drain_us = world->now_us;
		return;
	case FLEET_UNDRAIN_WORKER:
		worker->state = WORKER_ACTIVE;
		worker->drain = 0;
		return;
	case FLEET_ACTION_NONE:
	case FLEET_ACTION_KIND_MAX:
		break;
	}
	UNREACHABLE();
}

void fixture_apply(struct fleet_world *world, const struct fleet_plan *plan)
{
	for (size_t i = 0; i < plan->action_count; i++)
		apply(world, &plan->actions[i]);
}
