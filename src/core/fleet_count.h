/* The fleet's decision, pure: what is seen in, what to do out. Rules are numbered rows; an action
 * carries the rule that asked for it and the reason in words. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/job.h"
#include "core/limits.h"

struct fleet_worker {
	int64_t id;
	enum worker_state state;
	bool has_machine;   /* the provider knows its machine (locally: the process lives) */
	uint64_t silent_ms; /* since its last heartbeat, or since it was created */
};

struct fleet_world {
	struct fleet_worker workers[LIMIT_WORKERS * 2];
	size_t worker_count;
	bool stopping; /* the grid is being shut down: drain everything */
};

struct fleet_policy {
	uint64_t workers;	   /* how many to keep */
	uint64_t start_timeout_ms; /* from creation to the first heartbeat */
};

enum fleet_action_kind {
	FLEET_CREATE_WORKER = 1,
	FLEET_DRAIN_WORKER,
	FLEET_DELETE_WORKER, /* its machine goes away, its leases are rescued */
	FLEET_RETIRE_WORKER, /* its row is closed: the machine is already gone */
};

struct fleet_action {
	enum fleet_action_kind kind;
	int64_t worker_id; /* 0 for CREATE */
	int rule;
	const char *reason;
};

#define FLEET_PLAN_MAX (LIMIT_WORKERS * 2)
struct fleet_plan {
	struct fleet_action actions[FLEET_PLAN_MAX];
	size_t count;
};

/* Total: any world gives a plan, never more workers than policy->workers. */
void fleet_decide(const struct fleet_world *world, const struct fleet_policy *policy,
		  struct fleet_plan *ret_plan);
