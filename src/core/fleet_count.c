#include "core/fleet_count.h"

#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"

#define WORLD_WORKERS_MAX (LIMIT_WORKERS * 2)

/* One decision under way: the facts, and which workers already have their action. */
struct decision {
	const struct fleet_world *world;
	const struct fleet_policy *policy;
	uint64_t target; /* workers to keep, within the system's limit */
	bool decided[WORLD_WORKERS_MAX];
};

/* Either `applies` judges each worker that has no action yet, or `missing` counts how often the
 * action is due for the fleet as a whole. Rows are tried from top to bottom and a worker gets the
 * action of the first row that applies to it. Numbers are stored with events: never reuse one. */
struct fleet_rule {
	int number;
	enum fleet_action_kind kind;
	bool (*applies)(const struct decision *decision, const struct fleet_worker *worker);
	uint64_t (*missing)(const struct decision *decision);
	const char *reason;
};

static bool is_live(const struct fleet_worker *worker)
{
	return worker->state == WORKER_PROVISIONING || worker->state == WORKER_ACTIVE ||
	       worker->state == WORKER_DRAINING;
}

static bool machine_gone(const struct decision *decision, const struct fleet_worker *worker)
{
	(void)decision;
	return is_live(worker) && !worker->has_machine;
}

static bool never_came_up(const struct decision *decision, const struct fleet_worker *worker)
{
	return worker->state == WORKER_PROVISIONING &&
	       worker->silent_ms > decision->policy->start_timeout_ms;
}

static bool fell_silent(const struct decision *decision, const struct fleet_worker *worker)
{
	(void)decision;
	return (worker->state == WORKER_ACTIVE || worker->state == WORKER_DRAINING) &&
	       worker->silent_ms > LEASE_TTL_MS;
}

static bool grid_stops(const struct decision *decision, const struct fleet_worker *worker)
{
	return decision->world->stopping && worker->state == WORKER_ACTIVE;
}

/* Active, while as many older ones as are wanted stay. Ids grow with time. */
static bool one_too_many(const struct decision *decision, const struct fleet_worker *worker)
{
	uint64_t older = 0;

	if (worker->state != WORKER_ACTIVE)
		return false;
	for (size_t i = 0; i < decision->world->worker_count; i++) {
		const struct fleet_worker *other = &decision->world->workers[i];

		if (!decision->decided[i] && other->state == WORKER_ACTIVE &&
		    other->id < worker->id)
			older++;
	}
	return older >= decision->target;
}

static uint64_t workers_missing(const struct decision *decision)
{
	uint64_t kept = 0;

	if (decision->world->stopping)
		return 0;
	for (size_t i = 0; i < decision->world->worker_count; i++) {
		enum worker_state state = decision->world->workers[i].state;

		if (!decision->decided[i] &&
		    (state == WORKER_PROVISIONING || state == WORKER_ACTIVE))
			kept++;
	}
	return kept < decision->target ? decision->target - kept : 0;
}

static const struct fleet_rule fleet_rules[] = {
	{101, FLEET_RETIRE_WORKER, machine_gone, NULL, "its machine is gone"},
	{103, FLEET_DELETE_WORKER, never_came_up, NULL, "it did not start within the time limit"},
	{105, FLEET_DELETE_WORKER, fell_silent, NULL, "its heartbeat stopped"},
	{107, FLEET_DRAIN_WORKER, grid_stops, NULL, "the grid is shutting down"},
	{109, FLEET_DRAIN_WORKER, one_too_many, NULL, "there are more workers than wanted"},
	{111, FLEET_CREATE_WORKER, NULL, workers_missing, "there are fewer workers than wanted"},
};

/* A full plan drops the rest: what is still due is seen again at the next tick. */
static bool plan_append(struct fleet_plan *plan, const struct fleet_rule *rule, int64_t worker_id)
{
	if (plan->count == ARRAY_SIZE(plan->actions))
		return false;
	plan->actions[plan->count++] = (struct fleet_action){
		.kind = rule->kind,
		.worker_id = worker_id,
		.rule = rule->number,
		.reason = rule->reason,
	};
	return true;
}

static void apply_rule(struct decision *decision, const struct fleet_rule *rule,
		       struct fleet_plan *plan)
{
	if (rule->missing != NULL) {
		for (uint64_t due = rule->missing(decision); due > 0; due--)
			if (!plan_append(plan, rule, 0))
				return;
		return;
	}
	for (size_t i = 0; i < decision->world->worker_count; i++) {
		const struct fleet_worker *worker = &decision->world->workers[i];

		if (!decision->decided[i] && rule->applies(decision, worker))
			decision->decided[i] = plan_append(plan, rule, worker->id);
	}
}

void fleet_decide(const struct fleet_world *world, const struct fleet_policy *policy,
		  struct fleet_plan *ret_plan)
{
	struct decision decision = {
		.world = world,
		.policy = policy,
		.target = policy->workers < LIMIT_WORKERS ? policy->workers : LIMIT_WORKERS,
	};

	CHECK(world->worker_count <= ARRAY_SIZE(world->workers));
	ret_plan->count = 0;
	for (size_t i = 0; i < ARRAY_SIZE(fleet_rules); i++)
		apply_rule(&decision, &fleet_rules[i], ret_plan);
}
