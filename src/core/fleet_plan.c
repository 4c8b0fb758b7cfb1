#include "core/fleet_plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"

static const char *const action_names[] = {
#define X(NAME, name, meaning) [FLEET_##NAME] = (name),
	FLEET_ACTIONS(X)
#undef X
};

static const char *const wait_names[] = {
#define X(NAME, name, next) [FLEET_WAIT_##NAME] = (name),
	FLEET_WAITS(X)
#undef X
};

const char *fleet_action_kind_name(enum fleet_action_kind kind)
{
	CHECK(kind > FLEET_ACTION_NONE);
	CHECK(kind < FLEET_ACTION_KIND_MAX);
	return action_names[kind];
}

const char *fleet_wait_code_name(enum fleet_wait_code code)
{
	CHECK(code > FLEET_WAIT_NONE);
	CHECK(code < FLEET_WAIT_CODE_MAX);
	return wait_names[code];
}

void fleet_plan_init(struct fleet_plan *plan)
{
	*plan = (struct fleet_plan){0};
}

void fleet_plan_release(struct fleet_plan *plan)
{
	free(plan->actions);
	free(plan->waits);
	fleet_plan_init(plan);
}

void fleet_plan_clear(struct fleet_plan *plan)
{
	plan->action_count = 0;
	plan->wait_count = 0;
}

static size_t grown(size_t capacity, size_t maximum)
{
	size_t wanted = capacity == 0 ? 16 : capacity * 2;

	return wanted < maximum ? wanted : maximum;
}

struct fleet_action *fleet_plan_add_action(struct fleet_plan *plan)
{
	if (plan->action_count == FLEET_ACTIONS_MAX)
		return NULL;
	if (plan->action_count == plan->action_capacity) {
		plan->action_capacity = grown(plan->action_capacity, FLEET_ACTIONS_MAX);
		plan->actions =
			xreallocarray(plan->actions, plan->action_capacity, sizeof(*plan->actions));
	}
	struct fleet_action *action = &plan->actions[plan->action_count++];
	memset(action, 0, sizeof(*action));
	return action;
}

struct fleet_wait *fleet_plan_add_wait(struct fleet_plan *plan)
{
	if (plan->wait_count == FLEET_WAITS_MAX)
		return NULL;
	if (plan->wait_count == plan->wait_capacity) {
		plan->wait_capacity = grown(plan->wait_capacity, FLEET_WAITS_MAX);
		plan->waits = xreallocarray(plan->waits, plan->wait_capacity, sizeof(*plan->waits));
	}
	struct fleet_wait *wait = &plan->waits[plan->wait_count++];
	memset(wait, 0, sizeof(*wait));
	return wait;
}
