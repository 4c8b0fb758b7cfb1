/* Properties that hold for every world: all small ones, and many random ones. */
#include <stdlib.h>

#include "core/fleet.h"
#include "core/job.h"
#include "fleet_fixture.h"
#include "tap.h"

enum kind {
	ABSENT,
	INTENT,
	INTENT_OLD,
	BOOTING,
	BOOTING_LATE,
	BROKEN,
	IDLE,
	IDLE_ENDING,
	BUSY,
	BUSY_PACKABLE,
	SILENT,
	VANISHED,
	DRAINED,
	DRAINED_BY_OPERATOR,
	DRAINING_BUSY,
	PACKED_TOO_LONG,
	ENDED,
	ENDED_DELETED,
	KIND_MAX
};

static void be_missed(struct fleet_worker *worker, struct fleet_world *world)
{
	worker->absent_looks = 9;
	worker->absent_ms = 60000;
	fixture_unlist(world, worker->id);
}

static void add(struct fleet_world *world, enum kind kind)
{
	struct fleet_worker *worker = NULL;

	switch (kind) {
	case ABSENT:
	case KIND_MAX:
		return;
	case INTENT:
	case INTENT_OLD:
		worker = fixture_worker(world, WORKER_PROVISIONING,
					kind == INTENT ? SECOND_US : 2 * MINUTE_US);
		worker->server_id = 0;
		worker->server_created_us = 0;
		worker->absent_looks = kind == INTENT ? 0 : 9;
		worker->absent_ms = 60000;
		fixture_unlist(world, worker->id);
		return;
	case BOOTING:
		(void)fixture_worker(world, WORKER_PROVISIONING, 20 * SECOND_US);
		return;
	case BOOTING_LATE:
		(void)fixture_worker(world, WORKER_PROVISIONING, 11 * MINUTE_US);
		return;
	case BROKEN:
		worker = fixture_worker(world, WORKER_PROVISIONING, 20 * SECOND_US);
		worker->operation = FLEET_OPERATION_FAILED;
		return;
	case IDLE:
		(void)fixture_worker(world, WORKER_ACTIVE, 20 * MINUTE_US);
		return;
	case IDLE_ENDING:
		(void)fixture_worker(world, WORKER_ACTIVE, 59 * MINUTE_US);
		return;
	case BUSY:
		fixture_worker(world, WORKER_ACTIVE, 20 * MINUTE_US)->busy_slots = 1;
		return;
	case BUSY_PACKABLE:
		fixture_worker(world, WORKER_ACTIVE, 55 * MINUTE_US)->busy_slots = 1;
		return;
	case SILENT:
		worker = fixture_worker(world, WORKER_ACTIVE, 20 * MINUTE_US);
		worker->busy_slots = 1;
		worker->silent_ms = LEASE_TTL_MS + 1;
		return;
	case VANISHED:
		worker = fixture_worker(world, WORKER_ACTIVE, 20 * MINUTE_US);
		worker->silent_ms = 20000;
		be_missed(worker, world);
		return;
	case DRAINED:
		(void)fixture_draining(world, FLEET_DRAIN_IDLE, 59 * MINUTE_US);
		return;
	case DRAINED_BY_OPERATOR:
		(void)fixture_draining(world, FLEET_DRAIN_OPERATOR, 20 * MINUTE_US);
		return;
	case DRAINING_BUSY:
		fixture_draining(world, FLEET_DRAIN_SURPLUS, 20 * MINUTE_US)->busy_slots = 2;
		return;
	case PACKED_TOO_LONG:
		fixture_draining(world, FLEET_DRAIN_PACK, 61 * MINUTE_US)->busy_slots = 1;
		return;
	case ENDED:
		(void)fixture_worker(world, WORKER_DEAD, 20 * MINUTE_US);
		return;
	case ENDED_DELETED:
		worker = fixture_worker(world, WORKER_TERMINATED, 20 * MINUTE_US);
		worker->delete_us = NOW_US - MINUTE_US;
		be_missed(worker, world);
		return;
	}
}

static const struct fleet_worker *find(const struct fleet_world *world, int64_t id)
{
	for (size_t i = 0; i < world->worker_count; i++) {
		if (world->workers[i].id == id)
			return &world->workers[i];
	}
	return NULL;
}

static bool lives(const struct fleet_worker *worker)
{
	return worker->state <= WORKER_DRAINING;
}

static void check_action(const struct fleet_world *world, const struct fleet_action *action)
{
	const struct fleet_worker *worker = find(world, action->worker_id);
	bool is_lost =
		worker != NULL && (worker->silent_ms > LEASE_TTL_MS || worker->absent_looks > 0 ||
				   worker->operation == FLEET_OPERATION_FAILED);
	enum worker_state end = action->end;

	switch (action->kind) {
	case FLEET_CREATE_WORKER:
		EXPECT(!world->stopping && !world->is_paused);
		EXPECT(action->choice < world->choice_count);
		return;
	case FLEET_RETIRE_WORKER:
	case FLEET_DELETE_WORKER:
		EXPECT(worker != NULL && lives(worker));
		EXPECT(worker->busy_slots == 0 || is_lost);
		/* The store makes dead of failed when it has come up. */
		if (end == WORKER_FAILED && worker->state != WORKER_PROVISIONING)
			end = WORKER_DEAD;
		EXPECT(worker_state_may_become(worker->state, end));
		return;
	case FLEET_ADOPT_SERVER:
		EXPECT(worker != NULL && worker->server_id == 0 && action->server_id != 0);
		return;
	case FLEET_DELETE_SERVER:
		EXPECT(worker == NULL || !lives(worker));
		EXPECT(action->server_id != 0);
		return;
	case FLEET_FORGET_SERVER:
		EXPECT(worker != NULL && !lives(worker));
		return;
	case FLEET_DRAIN_WORKER:
		EXPECT(worker != NULL && worker_state_may_become(worker->state, WORKER_DRAINING));
		EXPECT(action->drain != 0);
		EXPECT((action->drain == FLEET_DRAIN_IDLE) <= (worker->busy_slots == 0));
		return;
	case FLEET_UNDRAIN_WORKER:
		EXPECT(worker != NULL && worker->state == WORKER_DRAINING);
		EXPECT(worker->drain != FLEET_DRAIN_OPERATOR && worker->drain != FLEET_DRAIN_STOP);
		return;
	case FLEET_ACTION_NONE:
	case FLEET_ACTION_KIND_MAX:
		break;
	}
	tap_fail(__FILE__, __LINE__, "an action of no kind");
}

static uint64_t servers(const struct fleet_world *world)
{
	uint64_t count = 0;

	for (size_t i = 0; i < world->worker_count; i++)
		count += lives(&world->workers[i]) || world->workers[i].server_id != 0;
	for (size_t i = 0; i < world->server_count; i++)
		count += find(world, world->servers[i].worker_id) == NULL;
	return count;
}

static void check(const struct fleet_world *world, const struct fleet_policy *policy,
		  const struct fleet_plan *plan)
{
	uint64_t created = 0;
	uint64_t waiting = 0;
	uint64_t explained = 0;

	for (size_t i = 0; i < plan->action_count; i++) {
		const struct fleet_action *action = &plan->actions[i];
		check_action(world, action);
		created += action->kind == FLEET_CREATE_WORKER;
		for (size_t j = 0; j < i; j++) {
			EXPECT(strcmp(plan->actions[j].key, action->key) != 0);
			EXPECT(action->worker_id == 0 ||
			       plan->actions[j].worker_id != action->worker_id);
		}
	}
	if (created > 0)
		EXPECT(created + servers(world) <= policy->max);
	for (size_t i = 0; i < world->shape_count; i++)
		waiting += world->shapes[i].count;
	for (size_t i = 0; i < plan->wait_count; i++)
		explained += plan->waits[i].count;
	EXPECT_INT(explained, waiting);
}

#define SETTLED_TICKS 8

/* With every order done and no time passing, soon nothing is left to order. */
static void settle(struct fleet_world *world, const struct fleet_policy *policy,
		   struct fleet_plan *plan)
{
	for (int tick = 0; tick < SETTLED_TICKS; tick++) {
		fleet_decide(world, policy, plan);
		check(world, policy, plan);
		if (plan->action_count == 0)
			return;
		fixture_apply(world, plan);
	}
	tap_fail(__FILE__, __LINE__, "rule %d is never content", plan->actions[0].rule);
}

static void vary(struct fleet_world *world, struct fleet_policy *policy, unsigned variant)
{
	*policy = fixture_policy();
	policy->min = variant % 2;
	policy->max = variant / 2 % 4;
	policy->warm = variant / 8 % 2;
	switch (variant / 16 % 5) {
	case 1:
		world->is_paused = true;
		break;
	case 2:
		world->stopping = true;
		break;
	case 3:
		fixture_cool(world, 0, FLEET_COOLING_SOLD_OUT, NOW_US + MINUTE_US);
		break;
	case 4:
		policy->spend_limit_micros = 9000;
		world->spent_micros = 8800;
		break;
	default:
		break;
	}
}

#define VARIANTS (2U * 4 * 2 * 5)

TEST(all_small_worlds_settle_without_harm)
{
	struct fleet_world world;
	struct fleet_plan plan;
	fleet_world_init(&world);
	fleet_plan_init(&plan);

	for (unsigned one = 0; one < KIND_MAX; one++) {
		for (unsigned other = 0; other < KIND_MAX; other++) {
			for (unsigned variant = 0; variant < VARIANTS; variant++) {
				struct fleet_policy policy;
				fixture_world(&world);
				add(&world, (enum kind)one);
				add(&world, (enum kind)other);
				fixture_jobs(&world, variant % 4);
				vary(&world, &policy, variant);
				settle(&world, &policy, &plan);
			}
		}
	}
	fleet_world_release(&world);
	fleet_plan_release(&plan);
}

static uint64_t random_below(uint64_t *state, uint64_t bound)
{
	*state = *state * 6364136223846793005U + 1442695040888963407U;
	return (*state >> 33) % bound;
}

static void random_world(struct fleet_world *world, struct fleet_policy *policy, uint64_t *state)
{
	fixture_world(world);
	fixture_choice(world, "cx33", "hel1")->cpu_millis = 2000;
	for (uint64_t i = random_below(state, 24); i > 0; i--) {
		add(world, (enum kind)random_below(state, KIND_MAX));
		if (world->worker_count > 0)
			world->workers[world->worker_count - 1].server_created_us -=
				(int64_t)random_below(state, 3600) * SECOND_US;
	}
	for (uint64_t i = random_below(state, 6); i > 0; i--) {
		struct fleet_shape shape = {.cpu_millis = 500 * (1 + random_below(state, 8)),
					    .memory_bytes = GIB * (1 + random_below(state, 4)),
					    .count = 1 + random_below(state, 9),
					    .oldest_ms = random_below(state, 1000)};
		fleet_world_add_shape(world, &shape);
	}
	if (random_below(state, 3) == 0)
		fixture_cool(world, random_below(state, 2), FLEET_COOLING_NO_START,
			     NOW_US + MINUTE_US);
	*policy = fixture_policy();
	policy->min = random_below(state, 4);
	policy->max = random_below(state, 32);
	policy->warm = random_below(state, 3);
	policy->creations_max = 4;
}

#define SHUFFLE(items, count, state)                                    \
	do {                                                            \
		for (size_t i_ = (count); i_ > 1; i_--) {               \
			size_t j_ = (size_t)random_below((state), i_);  \
			__typeof__((items)[0]) kept_ = (items)[i_ - 1]; \
			(items)[i_ - 1] = (items)[j_];                  \
			(items)[j_] = kept_;                            \
		}                                                       \
	} while (0)

static void expect_same(const struct fleet_plan *plan, const struct fleet_plan *other)
{
	EXPECT_INT(plan->action_count, other->action_count);
	for (size_t i = 0; i < plan->action_count; i++) {
		EXPECT_STR(plan->actions[i].key, other->actions[i].key);
		EXPECT_INT(plan->actions[i].rule, other->actions[i].rule);
		EXPECT_INT(plan->actions[i].choice, other->actions[i].choice);
	}
	EXPECT_INT(plan->wait_count, other->wait_count);
	for (size_t i = 0; i < plan->wait_count; i++) {
		EXPECT_STR(plan->waits[i].text, other->waits[i].text);
		EXPECT_INT(plan->waits[i].count, other->waits[i].count);
	}
}

TEST(the_order_of_what_is_seen_does_not_matter)
{
	struct fleet_world world;
	struct fleet_plan plan;
	struct fleet_plan again;
	uint64_t state = 1;
	fleet_world_init(&world);
	fleet_plan_init(&plan);
	fleet_plan_init(&again);

	for (int round = 0; round < 3000; round++) {
		struct fleet_policy policy;
		random_world(&world, &policy, &state);
		fleet_decide(&world, &policy, &plan);
		check(&world, &policy, &plan);
		SHUFFLE(world.workers, world.worker_count, &state);
		SHUFFLE(world.servers, world.server_count, &state);
		SHUFFLE(world.shapes, world.shape_count, &state);
		fleet_decide(&world, &policy, &again);
		expect_same(&plan, &again);
	}
	fleet_world_release(&world);
	fleet_plan_release(&plan);
	fleet_plan_release(&again);
}

#define MANY 10000

TEST(ten_thousand_workers_are_one_decision)
{
	struct fleet_world world;
	struct fleet_plan plan;
	struct fleet_policy policy = fixture_policy();
	fleet_world_init(&world);
	fleet_plan_init(&plan);
	fixture_world(&world);
	for (int i = 0; i < MANY; i++)
		(void)fixture_worker(&world, WORKER_ACTIVE, 59 * MINUTE_US);
	for (int i = 0; i < FLEET_SHAPES_MAX + 10; i++) {
		struct fleet_shape shape = {
			.cpu_millis = 100 + (uint64_t)i, .count = 1, .oldest_ms = 1};
		fleet_world_add_shape(&world, &shape);
	}
	EXPECT_INT(world.shape_count, FLEET_SHAPES_MAX);
	policy.max = MANY;
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.action_count, MANY - (FLEET_SHAPES_MAX + 10) / 2);
	fleet_world_release(&world);
	fleet_plan_release(&plan);
}
