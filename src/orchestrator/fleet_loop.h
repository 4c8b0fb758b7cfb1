/* The orchestrator's loop: observe -> decide -> apply, against the ports alone. The caller steps
 * it: after ret->next_ms, and at once when jobs arrive or a machine has ended.
 *
 * It holds nothing that a successor could not do without: how often a server was missing from the
 * listings, since when there is somebody who looks, when to ask the provider again, how long
 * deletions took. A new one starts with the cautious value of each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "core/fleet.h"
#include "orchestrator/ports.h"

struct fleet_loop;

/* What was done, told as it happens; for logs. */
struct fleet_done {
	const struct fleet_action *action; /* NULL, with err: the world could not be looked at */
	int64_t worker_id;		   /* also of CREATE_WORKER, once its row is written */
	int64_t server_id;
	const char *name;	 /* of a created worker; else NULL */
	const char *message;	 /* of the provider, when it refused; else NULL */
	const struct error *err; /* when a call failed; else NULL */
	int64_t requeued;	 /* jobs that an end gave back */
	bool is_order; /* of DELETE_WORKER, whose row's end was told before: its server's deletion
			*/
};
struct fleet_listener {
	void *context;
	void (*done)(void *context, const struct fleet_done *done);
};

struct fleet_step {
	bool leads;
	bool woken; /* jobs became ready: idle workers are to be woken */
	int64_t rescued_count;
	size_t action_count;
	size_t failed_count; /* of them */
	uint64_t next_ms;    /* when to step again, if nothing happens before */
};

/* Ports, policy and listener are borrowed for the loop's life; listener may be NULL. */
struct fleet_loop *fleet_loop_new(const struct fleet_store *store, const struct fleet_cloud *cloud,
				  const struct fleet_policy *policy,
				  const struct fleet_listener *listener);
void fleet_loop_free(struct fleet_loop *loop);
void cleanup_fleet_loop(struct fleet_loop **loop);

/* From now on workers drain and none is made. */
void fleet_loop_stop(struct fleet_loop *loop);
/* List the servers at the next step, however short ago that was. */
void fleet_loop_look(struct fleet_loop *loop);

/* One tick. Fails when the store could not be asked; failures of single actions and of the cloud
 * are told to the listener, and are tried again by themselves. */
MUST_CHECK int fleet_loop_step(struct fleet_loop *loop, struct fleet_step *ret, struct error *err);
/* Observes and decides without taking the lead, and changes nothing: for --dry-run. */
MUST_CHECK int fleet_loop_plan(struct fleet_loop *loop, struct error *err);
/* The last tick's; for showing. */
const struct fleet_world *fleet_loop_world(const struct fleet_loop *loop);
const struct fleet_plan *fleet_loop_last_plan(const struct fleet_loop *loop);
