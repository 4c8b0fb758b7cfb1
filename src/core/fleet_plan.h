/* What fleet_decide() wants done, and why waiting jobs do not run yet. A plan owns its arrays and
 * is used again from tick to tick. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/fleet_world.h"

/* X(NAME, "name", what it means for the worker) */
#define FLEET_ACTIONS(X)                                                                   \
	X(RETIRE_WORKER, "retire", "the row of a worker whose server is gone is closed")   \
	X(DELETE_WORKER, "delete", "its row ends, its jobs are requeued, its server goes") \
	X(ADOPT_SERVER, "adopt", "a server that was found is recorded as the worker's")    \
	X(DELETE_SERVER, "delete-server", "a server without a living worker goes")         \
	X(FORGET_SERVER, "forget-server", "the books of an ended worker are closed")       \
	X(DRAIN_WORKER, "drain", "it ends the jobs it has, and takes no more")             \
	X(UNDRAIN_WORKER, "undrain", "it takes jobs again")                                \
	X(CREATE_WORKER, "create", "a row is written, then a server asked for")

enum fleet_action_kind {
	FLEET_ACTION_NONE = 0,
#define X(NAME, name, meaning) FLEET_##NAME,
	FLEET_ACTIONS(X)
#undef X
		FLEET_ACTION_KIND_MAX
};
const char *fleet_action_kind_name(enum fleet_action_kind kind); /* "create" */

#define FLEET_KEY_BYTES 48
struct fleet_action {
	enum fleet_action_kind kind;
	int64_t worker_id;	/* 0 for CREATE_WORKER and orphans */
	int64_t server_id;	/* of DELETE_SERVER, ADOPT_SERVER, and where it is known */
	size_t choice;		/* of CREATE_WORKER: place in world->choices */
	enum fleet_drain drain; /* of DRAIN_WORKER */
	enum worker_state end;	/* of RETIRE_WORKER and DELETE_WORKER: how the row ends */
	enum fleet_cooling_cause cooling; /* the worker's choice is left alone for a while; 0: no */
	int rule;			  /* number of the row of the rule table */
	const char *reason;		  /* in words, of the rule */
	/* Names what is wanted: the same want in the next tick has the same key. */
	char key[FLEET_KEY_BYTES];
};

/* X(NAME, "name", what happens next) */
#define FLEET_WAITS(X)                                                                           \
	X(CLAIM, "claim", "a worker with a free slot takes it in a moment")                      \
	X(BOOTING, "booting", "it runs when the worker that starts has come up")                 \
	X(CREATING, "creating", "a worker is being created for it")                              \
	X(BURST, "burst", "more workers are created in the next seconds")                        \
	X(STOPPING, "stopping", "it waits until the grid is started again")                      \
	X(PAUSED, "paused", "an operator has to resume provisioning")                            \
	X(MAXIMUM, "maximum", "it runs when a worker has a free slot, or the maximum is raised") \
	X(MONEY, "money", "it runs on workers that exist; the limit ends with the month")        \
	X(QUOTA, "quota", "creation is tried again when the pause is over")                      \
	X(TROUBLE, "trouble", "the provider is asked again in a moment")                         \
	X(RATE, "rate", "creation goes on when the provider's request budget has refilled")      \
	X(NETWORK, "network", "it runs when a place in the private network is free")             \
	X(PLACEMENT, "placement", "it runs when a place in a placement group is free")           \
	X(COOLING, "cooling", "creation is tried again when the first choice has cooled down")   \
	X(TOO_LARGE, "too-large",                                                                \
	  "a larger server type has to be allowed, or the job made smaller")                     \
	X(NO_CHOICE, "no-choice", "a server type and location that is sold has to be configured")

enum fleet_wait_code {
	FLEET_WAIT_NONE = 0,
#define X(NAME, name, next) FLEET_WAIT_##NAME,
	FLEET_WAITS(X)
#undef X
		FLEET_WAIT_CODE_MAX
};
const char *fleet_wait_code_name(enum fleet_wait_code code);

#define FLEET_WAIT_TEXT_BYTES 192
/* Why jobs of a shape do not run yet; the jobs of one shape may wait for several reasons. */
struct fleet_wait {
	size_t shape; /* place in world->shapes */
	uint64_t count;
	enum fleet_wait_code code;
	int64_t until_us; /* when it is looked at again at the latest; 0: not known */
	char text[FLEET_WAIT_TEXT_BYTES]; /* "cx23 is sold out in nbg1 and hel1" */
	const char *next;		  /* what happens next */
};

#define FLEET_ACTIONS_MAX (2 * FLEET_WORKERS_MAX + FLEET_SERVERS_MAX)
#define FLEET_WAITS_MAX	  (4 * FLEET_SHAPES_MAX)
struct fleet_plan {
	struct fleet_action *actions; /* in the order in which to apply them */
	size_t action_count, action_capacity;
	struct fleet_wait *waits;
	size_t wait_count, wait_capacity;
};

void fleet_plan_init(struct fleet_plan *plan);
void fleet_plan_release(struct fleet_plan *plan);
void fleet_plan_clear(struct fleet_plan *plan);
/* Adds a zeroed one, to be filled; valid until the next is added. NULL when the plan is full. */
struct fleet_action *fleet_plan_add_action(struct fleet_plan *plan);
struct fleet_wait *fleet_plan_add_wait(struct fleet_plan *plan);
