#include "core/fleet_count.h"

#include "tap.h"

#define START_TIMEOUT_MS 60000
_Static_assert(START_TIMEOUT_MS > LEASE_TTL_MS, "the two timeouts are told apart below");

#define SILENT_SHORT  0
#define SILENT_MEDIUM (LEASE_TTL_MS + 1)
#define SILENT_LONG   (START_TIMEOUT_MS + 1)

static struct fleet_policy policy_of(uint64_t workers)
{
	return (struct fleet_policy){.workers = workers, .start_timeout_ms = START_TIMEOUT_MS};
}

/* Ids are given in order, from 1. */
static void add(struct fleet_world *world, enum worker_state state, bool has_machine,
		uint64_t silent_ms)
{
	struct fleet_worker *worker = &world->workers[world->worker_count++];

	*worker =
		(struct fleet_worker){(int64_t)world->worker_count, state, has_machine, silent_ms};
}

static void expect_action(const struct fleet_plan *plan, size_t index, int rule,
			  enum fleet_action_kind kind, int64_t worker_id)
{
	EXPECT(index < plan->count);
	EXPECT_INT(plan->actions[index].rule, rule);
	EXPECT_INT(plan->actions[index].kind, kind);
	EXPECT_INT(plan->actions[index].worker_id, worker_id);
	EXPECT(plan->actions[index].reason[0] != '\0');
}

TEST(rule_101_retires_a_worker_without_machine)
{
	struct fleet_world world = {0};
	struct fleet_policy policy = policy_of(0);
	struct fleet_plan plan;

	add(&world, WORKER_PROVISIONING, false, SILENT_SHORT);
	add(&world, WORKER_ACTIVE, false, SILENT_SHORT);
	add(&world, WORKER_DRAINING, false, SILENT_LONG);
	add(&world, WORKER_TERMINATED, false, SILENT_LONG);
	add(&world, WORKER_DEAD, false, SILENT_LONG);
	add(&world, WORKER_FAILED, false, SILENT_LONG);
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.count, 3);
	for (int64_t id = 1; id <= 3; id++)
		expect_action(&plan, (size_t)id - 1, 101, FLEET_RETIRE_WORKER, id);
}

TEST(rule_103_deletes_a_worker_that_never_came_up)
{
	struct fleet_world world = {0};
	struct fleet_policy policy = policy_of(2);
	struct fleet_plan plan;

	add(&world, WORKER_PROVISIONING, true, START_TIMEOUT_MS);
	add(&world, WORKER_PROVISIONING, true, START_TIMEOUT_MS + 1);
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.count, 2);
	expect_action(&plan, 0, 103, FLEET_DELETE_WORKER, 2);
	expect_action(&plan, 1, 111, FLEET_CREATE_WORKER, 0);
}

TEST(rule_105_deletes_a_worker_without_heartbeat)
{
	struct fleet_world world = {0};
	struct fleet_policy policy = policy_of(1);
	struct fleet_plan plan;

	add(&world, WORKER_ACTIVE, true, LEASE_TTL_MS);
	add(&world, WORKER_DRAINING, true, LEASE_TTL_MS);
	add(&world, WORKER_DRAINING, true, LEASE_TTL_MS + 1);
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.count, 1);
	expect_action(&plan, 0, 105, FLEET_DELETE_WORKER, 3);

	world.workers[0].silent_ms = LEASE_TTL_MS + 1;
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.count, 3);
	expect_action(&plan, 0, 105, FLEET_DELETE_WORKER, 1);
	expect_action(&plan, 2, 111, FLEET_CREATE_WORKER, 0);
}

TEST(rule_107_drains_everything_when_the_grid_stops)
{
	struct fleet_world world = {.stopping = true};
	struct fleet_policy policy = policy_of(5);
	struct fleet_plan plan;

	add(&world, WORKER_ACTIVE, true, SILENT_SHORT);
	add(&world, WORKER_DRAINING, true, SILENT_SHORT);
	add(&world, WORKER_ACTIVE, true, SILENT_SHORT);
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.count, 2);
	expect_action(&plan, 0, 107, FLEET_DRAIN_WORKER, 1);
	expect_action(&plan, 1, 107, FLEET_DRAIN_WORKER, 3);
}

TEST(rule_109_drains_the_newest)
{
	struct fleet_world world = {0};
	struct fleet_policy policy = policy_of(2);
	struct fleet_plan plan;

	for (int i = 0; i < 4; i++)
		add(&world, WORKER_ACTIVE, true, SILENT_SHORT);
	/* the order in which workers are listed must not matter */
	world.workers[0].id = 4;
	world.workers[3].id = 1;
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.count, 2);
	expect_action(&plan, 0, 109, FLEET_DRAIN_WORKER, 4);
	expect_action(&plan, 1, 109, FLEET_DRAIN_WORKER, 3);
}

TEST(rule_109_does_not_count_the_dead)
{
	struct fleet_world world = {0};
	struct fleet_policy policy = policy_of(1);
	struct fleet_plan plan;

	add(&world, WORKER_ACTIVE, true, SILENT_LONG);
	add(&world, WORKER_ACTIVE, true, SILENT_SHORT);
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.count, 1);
	expect_action(&plan, 0, 105, FLEET_DELETE_WORKER, 1);
}

TEST(rule_111_fills_up)
{
	struct fleet_world world = {0};
	struct fleet_policy policy = policy_of(4);
	struct fleet_plan plan;

	add(&world, WORKER_ACTIVE, true, SILENT_SHORT);
	add(&world, WORKER_PROVISIONING, true, SILENT_SHORT);
	add(&world, WORKER_DRAINING, true, SILENT_SHORT);
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.count, 2);
	expect_action(&plan, 0, 111, FLEET_CREATE_WORKER, 0);
	expect_action(&plan, 1, 111, FLEET_CREATE_WORKER, 0);
}

TEST(the_systems_own_limit_holds)
{
	struct fleet_world world = {0};
	struct fleet_policy policy = policy_of(UINT64_MAX);
	struct fleet_plan plan;

	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.count, LIMIT_WORKERS);
}

TEST(a_full_plan_drops_what_the_next_tick_sees_again)
{
	struct fleet_world world = {0};
	struct fleet_policy policy = policy_of(LIMIT_WORKERS);
	struct fleet_plan plan;

	for (size_t i = 0; i < LIMIT_WORKERS * 2; i++)
		add(&world, WORKER_ACTIVE, false, SILENT_SHORT);
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.count, FLEET_PLAN_MAX);
	for (size_t i = 0; i < plan.count; i++)
		EXPECT_INT(plan.actions[i].kind, FLEET_RETIRE_WORKER);
}

/* Every small world --------------------------------------------------------------------------- */

static struct fleet_worker *find(struct fleet_world *world, int64_t id)
{
	for (size_t i = 0; i < world->worker_count; i++)
		if (world->workers[i].id == id)
			return &world->workers[i];
	return NULL;
}

/* What the world looks like once the plan has been carried out. Also checks that each action is
 * one that the worker's state allows, and that no worker is touched twice. */
static void carry_out(struct fleet_world *world, const struct fleet_plan *plan)
{
	int64_t next_id = 100;
	bool touched[8] = {false};

	for (size_t i = 0; i < plan->count; i++) {
		const struct fleet_action *action = &plan->actions[i];
		struct fleet_worker *worker = find(world, action->worker_id);

		if (action->kind != FLEET_CREATE_WORKER) {
			EXPECT(worker != NULL);
			EXPECT(!touched[action->worker_id]);
			touched[action->worker_id] = true;
		}
		switch (action->kind) {
		case FLEET_CREATE_WORKER:
			EXPECT_INT(action->worker_id, 0);
			world->workers[world->worker_count++] = (struct fleet_worker){
				next_id++, WORKER_PROVISIONING, true, SILENT_SHORT};
			break;
		case FLEET_DRAIN_WORKER:
			EXPECT(worker_state_may_become(worker->state, WORKER_DRAINING));
			worker->state = WORKER_DRAINING;
			break;
		case FLEET_RETIRE_WORKER:
			EXPECT(!worker->has_machine);
			EXPECT(worker_state_may_become(worker->state, WORKER_DEAD));
			worker->state = WORKER_DEAD;
			break;
		case FLEET_DELETE_WORKER:
			EXPECT(worker->silent_ms > 0);
			EXPECT(worker_state_may_become(worker->state, WORKER_DEAD));
			worker->state = WORKER_DEAD;
			worker->has_machine = false;
			break;
		}
	}
}

static size_t count_state(const struct fleet_world *world, enum worker_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < world->worker_count; i++)
		count += world->workers[i].state == state;
	return count;
}

static void check_world(const struct fleet_world *before, const struct fleet_policy *policy)
{
	static const uint64_t silences[] = {LEASE_TTL_MS, START_TIMEOUT_MS};
	struct fleet_world world = *before;
	struct fleet_plan plan;
	size_t active;
	size_t coming;

	fleet_decide(&world, policy, &plan);
	carry_out(&world, &plan);
	active = count_state(&world, WORKER_ACTIVE);
	coming = count_state(&world, WORKER_PROVISIONING);
	EXPECT(active <= policy->workers);
	EXPECT(world.stopping ? active == 0 : active + coming >= policy->workers);
	/* a worker is only ever created up to the number wanted */
	if (coming > count_state(before, WORKER_PROVISIONING))
		EXPECT_INT(active + coming, policy->workers);
	for (size_t i = 0; i < world.worker_count; i++) {
		const struct fleet_worker *worker = &world.workers[i];

		if (worker->state > WORKER_DRAINING)
			continue;
		EXPECT(worker->has_machine);
		EXPECT(worker->silent_ms <= silences[worker->state == WORKER_PROVISIONING]);
	}
	fleet_decide(&world, policy, &plan);
	EXPECT_INT(plan.count, 0);
}

#define KINDS (6 * 2 * 3)

static void add_kind(struct fleet_world *world, unsigned kind)
{
	static const uint64_t silences[] = {SILENT_SHORT, SILENT_MEDIUM, SILENT_LONG};

	add(world, (enum worker_state)(WORKER_PROVISIONING + kind % 6), kind / 6 % 2 == 1,
	    silences[kind / 12]);
}

TEST(every_world_of_three_workers_settles_at_once_and_within_the_policy)
{
	for (uint64_t wanted = 0; wanted <= 3; wanted++) {
		struct fleet_policy policy = policy_of(wanted);

		for (unsigned n = 0; n < 2 * KINDS * KINDS * KINDS; n++) {
			struct fleet_world world = {.stopping = n % 2 == 1};

			add_kind(&world, n / 2 % KINDS);
			add_kind(&world, n / 2 / KINDS % KINDS);
			add_kind(&world, n / 2 / KINDS / KINDS);
			check_world(&world, &policy);
		}
	}
}
