#include <stdlib.h>

#include "base/check.h"
#include "fleet/sim.h"

#define RESTART_MAX_S 30
#define STALL_MAX_S                                                                    \
	20 /* shorter than adopt_ms: a process that stands still for longer may create \
	    * the server of an intent that was given up */
#define WAKE_US INT64_C(50000)

static void schedule(struct sim_orchestrator *self, int64_t delay_us)
{
	self->due_us = self->sim->now_us + delay_us;
	struct event event = {.at_us = self->due_us,
			      .kind = EVENT_STEP,
			      .who = self->index,
			      .generation = ++self->chain};
	timeline_add(&self->sim->timeline, event);
}

static int stand_still(struct sim_orchestrator *self)
{
	struct sim *sim = self->sim;
	self->stalled = true;
	fault_struck(&sim->struck, FAULT_STALL);
	sim_note(sim, "stall", (int64_t)self->index, 0);
	if (prng_chance(&sim->prng, 300)) /* its session ends meanwhile */
		model_store_hang_up(&sim->store, self->store_session.id);
	sim_pass(sim, sim->now_us + prng_between(&sim->prng, 1, STALL_MAX_S) * SIM_SECOND_US);
	return 0;
}

/* Between any two calls of a port an orchestrator may die, or stand still. */
static int enter(void *context, struct error *err)
{
	struct sim_orchestrator *self = context;
	struct sim *sim = self->sim;
	if (!self->crashed && self->in_step && prng_chance(&sim->prng, sim->faults.crash)) {
		self->crashed = true;
		sim_note(sim, "crash", (int64_t)self->index, 0);
	}
	if (self->crashed)
		return error_set(err, ERR_INTERNAL, "crashed");
	if (!self->stalled && sim->depth == 0 && prng_chance(&sim->prng, sim->faults.stall))
		return stand_still(self);
	return 0;
}

/* Sometimes the database knows so at once, and the lead is free. */
static int lose_connection(struct sim_orchestrator *self, enum fault_kind kind, struct error *err)
{
	struct sim *sim = self->sim;
	fault_struck(&sim->struck, kind);
	if (prng_chance(&sim->prng, 500))
		model_store_hang_up(&sim->store, self->store_session.id);
	return error_set(err, ERR_UNAVAILABLE, "the connection is lost");
}

static int store_enter(void *context, struct error *err)
{
	struct sim_orchestrator *self = context;
	struct sim *sim = self->sim;
	if (enter(context, err) < 0)
		return -1;
	if (sim->now_us < sim->store_down_until_us)
		return error_set(err, ERR_UNAVAILABLE, "the database does not answer");
	if (prng_chance(&sim->prng, sim->faults.store_before))
		return lose_connection(self, FAULT_STORE_REFUSES, err);
	self->fenced_changes = sim->store.fenced_changes;
	return 0;
}

static int store_leave(void *context, struct error *err)
{
	struct sim_orchestrator *self = context;
	struct sim *sim = self->sim;
	if (sim->store.fenced_changes != self->fenced_changes)
		checks_on_changed(sim, self);
	if (prng_chance(&sim->prng, sim->faults.store_after))
		return lose_connection(self, FAULT_STORE_ANSWER, err);
	return enter(context, err);
}

static void start(struct sim_orchestrator *self)
{
	struct sim *sim = self->sim;
	self->crashed = false;
	self->stops_us = 0;
	self->store_session = (struct model_session){.store = &sim->store,
						     .id = ++sim->last_session,
						     .context = self,
						     .enter = store_enter,
						     .leave = store_leave};
	self->cloud_session = (struct model_cloud_session){
		.cloud = &sim->cloud, .context = self, .enter = enter, .leave = enter};
	model_store_port(&self->store_session, &self->store);
	model_cloud_port(&self->cloud_session, &self->cloud);
	self->loop = fleet_loop_new(&self->store, &self->cloud, &sim->policy, &sim->listener);
	sim_note(sim, "start", (int64_t)self->index, 0);
}

void orchestrators_init(struct sim *sim)
{
	for (size_t i = 0; i < SIM_ORCHESTRATORS; i++) {
		struct sim_orchestrator *self = &sim->orchestrators[i];
		*self = (struct sim_orchestrator){.sim = sim, .index = i};
		start(self);
		schedule(self, (int64_t)i * SIM_SECOND_US);
	}
}

void orchestrators_release(struct sim *sim)
{
	for (size_t i = 0; i < SIM_ORCHESTRATORS; i++)
		fleet_loop_free(sim->orchestrators[i].loop);
}

void orchestrators_wake(struct sim *sim)
{
	for (size_t i = 0; i < SIM_ORCHESTRATORS; i++) {
		struct sim_orchestrator *self = &sim->orchestrators[i];
		if (self->loop != NULL && !self->in_step && self->due_us > sim->now_us + WAKE_US)
			schedule(self, WAKE_US);
	}
}

void orchestrator_stop(struct sim_orchestrator *self, int64_t us)
{
	if (self->loop == NULL || self->stops_us != 0)
		return;
	fleet_loop_stop(self->loop);
	self->stops_us = self->sim->now_us + us;
}

static void die(struct sim_orchestrator *self)
{
	struct sim *sim = self->sim;
	fleet_loop_free(self->loop);
	self->loop = NULL;
	fault_struck(&sim->struck, FAULT_CRASH);
	/* Of a machine that is gone the database does not know so at once. */
	if (prng_chance(&sim->prng, 500))
		model_store_hang_up(&sim->store, self->store_session.id);
	schedule(self, prng_between(&sim->prng, 1, RESTART_MAX_S) * SIM_SECOND_US);
}

void orchestrator_step(struct sim_orchestrator *self)
{
	struct sim *sim = self->sim;
	struct fleet_step step = {0};
	struct error err = {0};
	if (self->loop == NULL)
		start(self);
	if (self->stops_us != 0 && sim->now_us >= self->stops_us) { /* in order */
		fleet_loop_free(self->loop);
		model_store_hang_up(&sim->store, self->store_session.id);
		start(self);
	}
	self->in_step = true;
	self->stalled = false;
	int result = fleet_loop_step(self->loop, &step, &err);
	self->in_step = false;
	if (self->crashed) {
		die(self);
		return;
	}
	if (result < 0)
		sim_note(sim, "step failed", (int64_t)self->index, (int64_t)err.code);
	else if (step.action_count > 0)
		sim_note(sim, "acted", (int64_t)self->index, (int64_t)step.action_count);
	if (result == 0 && sim->is_calm && step.leads && step.action_count == 0 &&
	    checks_are_done(sim))
		sim->is_over = true;
	if (result == 0 && step.woken)
		sim_wake_hosts(sim);
	/* A loaded machine steps later than it should. */
	uint64_t delay_ms = (result == 0 ? step.next_ms : 1000) * (1 + prng_below(&sim->prng, 3));
	schedule(self, (int64_t)delay_ms * 1000);
}
