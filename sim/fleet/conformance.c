#include "fleet/conformance.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "core/limits.h"
#include "fleet/conformance_script.h"
#include "fleet/model_store.h"

#define PRICE_MICROS 8800
#define SERVER	     4711
#define DAY_US	     INT64_C(86400000000)

enum leaving { LEFT = 1, STAY, WAIT };

static const struct fleet_choice choice = {.server_type = "cx23",
					   .location = "nbg1",
					   .cpu_millis = 2000,
					   .memory_bytes = 4 * GIB,
					   .price_hour_micros = PRICE_MICROS};
const struct fleet_note script_note = {
	.rule = 117, .reason = "for the conformance suite", .key = "conformance"};

int script_look(struct script *self)
{
	fleet_world_clear(&self->world);
	OK(self, self->store->observe(self->store->context, &self->world, self->err));
	return 0;
}

const struct fleet_worker *script_find(const struct script *self, int64_t id)
{
	for (size_t i = 0; i < self->world.worker_count; i++) {
		if (self->world.workers[i].id == id)
			return &self->world.workers[i];
	}
	return NULL;
}

int script_intend(struct script *self, int64_t fence, int64_t *ret_id)
{
	struct fleet_intent intent = {0};
	if (self->store->intend(self->store->context, fence, &choice, 2, &script_note, &intent,
				self->err) < 0)
		return -1;
	free(intent.login);
	PROMISE(self, intent.worker_id != 0 && intent.name[0] != '\0');
	*ret_id = intent.worker_id;
	return 0;
}

int script_hire(struct script *self, struct script_worker *ret)
{
	OK(self, script_intend(self, self->fence, &ret->id));
	PROMISE(self, self->side->join(self->side->context, ret->id, &ret->incarnation));
	return 0;
}

int script_dismiss(struct script *self, const struct script_worker *worker)
{
	int64_t requeued = 0;
	OK(self, self->store->end(self->store->context, self->fence, worker->id, WORKER_DEAD, false,
				  &script_note, &requeued, self->err));
	return 0;
}

static uint64_t waiting(const struct script *self)
{
	uint64_t count = 0;
	for (size_t i = 0; i < self->world.shape_count; i++)
		count += self->world.shapes[i].count;
	return count;
}

static int check_lead(struct script *self)
{
	const struct fleet_store *second = self->side->second;
	struct fleet_lead lead = {0};
	for (int i = 0; i < 2; i++) { /* renewing keeps the fence */
		OK(self, self->store->lead(self->store->context, &lead, self->err));
		PROMISE(self, lead.leads);
		PROMISE(self, self->fence == 0 || lead.fence == self->fence);
		self->fence = lead.fence;
	}
	self->now_us = lead.now_us;
	OK(self, second->lead(second->context, &lead, self->err));
	PROMISE(self, !lead.leads);
	OK(self, script_look(self));
	PROMISE(self, self->world.worker_count == 0 && waiting(self) == 0);
	return 0;
}

static int check_intent(struct script *self, int64_t *ret_id)
{
	int64_t ignored = 0;
	OK(self, script_intend(self, self->fence, ret_id));
	REFUSED(self, script_intend(self, self->fence - 1, &ignored), ERR_FORBIDDEN);
	OK(self, script_look(self));
	PROMISE(self, self->world.worker_count == 1);
	const struct fleet_worker *worker = script_find(self, *ret_id);
	PROMISE(self, worker != NULL);
	PROMISE(self, worker->state == WORKER_PROVISIONING && worker->server_id == 0);
	PROMISE(self, worker->joined_us == 0 && worker->created_us > 0);
	PROMISE(self, worker->price_hour_micros == PRICE_MICROS);
	PROMISE(self, strcmp(worker->server_type, "cx23") == 0);
	PROMISE(self, strcmp(worker->location, "nbg1") == 0);
	return 0;
}

static int check_server(struct script *self, int64_t id)
{
	const struct fleet_store *store = self->store;
	const struct fleet_pending server = {
		.worker_id = id, .server_id = SERVER, .action_ids = {1, 2}, .action_count = 2};
	const struct fleet_pending other = {.worker_id = id, .server_id = SERVER + 1};
	for (int i = 0; i < 2; i++)
		OK(self, store->record_server(store->context, self->fence, &server, self->now_us,
					      &script_note, self->err));
	REFUSED(self,
		store->record_server(store->context, self->fence, &other, self->now_us,
				     &script_note, self->err),
		ERR_CONFLICT);
	OK(self, script_look(self));
	const struct fleet_worker *worker = script_find(self, id);
	PROMISE(self, worker != NULL && worker->server_id == SERVER);
	PROMISE(self, worker->server_created_us == self->now_us);
	PROMISE(self, worker->operation == FLEET_OPERATION_RUNNING);
	PROMISE(self, self->world.pending_count == 1);
	PROMISE(self, self->world.pendings[0].worker_id == id);
	PROMISE(self, self->world.pendings[0].action_count == 2);
	OK(self, store->settle(store->context, self->fence, id, false, "", self->err));
	OK(self, script_look(self));
	PROMISE(self, self->world.pending_count == 0);
	PROMISE(self, script_find(self, id)->operation == 0);
	return 0;
}

static int check_work(struct script *self, const struct script_worker *worker,
		      struct conformance_lease leases[2])
{
	const struct fleet_store *store = self->store;
	const struct conformance *side = self->side;
	int64_t requeued = 0;
	for (int i = 0; i < 3; i++)
		(void)side->submit(side->context, 0);
	OK(self, script_look(self));
	PROMISE(self, waiting(self) == 3);
	PROMISE(self, side->claim(side->context, worker->id, worker->incarnation, 2, leases) == 2);
	OK(self, script_look(self));
	PROMISE(self, waiting(self) == 1);
	PROMISE(self, script_find(self, worker->id)->state == WORKER_ACTIVE);
	PROMISE(self, script_find(self, worker->id)->joined_us > 0);
	PROMISE(self, script_find(self, worker->id)->busy_slots == 2);
	/* Nothing takes a worker with jobs by surprise. */
	REFUSED(self,
		store->end(store->context, self->fence, worker->id, WORKER_TERMINATED, true,
			   &script_note, &requeued, self->err),
		ERR_CONFLICT);
	PROMISE(self, side->complete(side->context, worker->id, worker->incarnation, &leases[0],
				     false) == MODEL_RECORDED);
	OK(self, script_look(self));
	PROMISE(self, script_find(self, worker->id)->state == WORKER_ACTIVE);
	PROMISE(self, script_find(self, worker->id)->busy_slots == 1);
	return 0;
}

/* What its heartbeats say, which name the lease that it still has. */
static int check_told(struct script *self, const struct script_worker *worker,
		      const struct conformance_lease *lease, bool drains)
{
	bool drain = !drains;
	enum model_wish wish = 0;
	PROMISE(self, self->side->beat(self->side->context, worker->id, worker->incarnation, lease,
				       1, &wish, &drain));
	PROMISE(self, drain == drains && wish == MODEL_GO_ON);
	return 0;
}

static int check_drain(struct script *self, const struct script_worker *worker,
		       const struct conformance_lease *lease)
{
	const struct fleet_store *store = self->store;
	const struct conformance *side = self->side;
	struct conformance_lease ignored = {0};
	int64_t id = worker->id;
	REFUSED(self,
		store->drain(store->context, self->fence - 1, id, FLEET_DRAIN_IDLE, &script_note,
			     self->err),
		ERR_FORBIDDEN);
	OK(self, check_told(self, worker, lease, false));
	PROMISE(self, side->leave(side->context, id, worker->incarnation) == STAY);
	OK(self, store->drain(store->context, self->fence, id, FLEET_DRAIN_PACK, &script_note,
			      self->err));
	PROMISE(self, side->leave(side->context, id, worker->incarnation) == WAIT);
	OK(self, store->drain(store->context, self->fence, id, FLEET_DRAIN_IDLE, &script_note,
			      self->err));
	OK(self, check_told(self, worker, lease, true));
	PROMISE(self, side->claim(side->context, id, worker->incarnation, 1, &ignored) == 0);
	OK(self, script_look(self));
	PROMISE(self, script_find(self, id)->state == WORKER_DRAINING);
	PROMISE(self, script_find(self, id)->drain == FLEET_DRAIN_IDLE);
	PROMISE(self, script_find(self, id)->drain_us > 0);
	OK(self, store->undrain(store->context, self->fence, id, &script_note, self->err));
	OK(self, check_told(self, worker, lease, false));
	OK(self, script_look(self));
	PROMISE(self, script_find(self, id)->state == WORKER_ACTIVE);
	PROMISE(self, script_find(self, id)->drain == 0);
	PROMISE(self, side->leave(side->context, id, worker->incarnation) == STAY);
	REFUSED(self, store->undrain(store->context, self->fence, id, &script_note, self->err),
		ERR_CONFLICT);
	return 0;
}

/* It has left: too late for everybody, itself included. */
static int check_left(struct script *self, const struct script_worker *worker)
{
	const struct fleet_store *store = self->store;
	const struct conformance *side = self->side;
	struct conformance_lease lease = {0};
	uint32_t incarnation = 0;
	bool drain = false;
	REFUSED(self,
		store->undrain(store->context, self->fence, worker->id, &script_note, self->err),
		ERR_CONFLICT);
	REFUSED(self,
		store->drain(store->context, self->fence, worker->id, FLEET_DRAIN_IDLE,
			     &script_note, self->err),
		ERR_CONFLICT);
	PROMISE(self,
		side->leave(side->context, worker->id, worker->incarnation) == CONFORMANCE_REFUSED);
	PROMISE(self, side->claim(side->context, worker->id, worker->incarnation, 1, &lease) < 0);
	PROMISE(self,
		!side->beat(side->context, worker->id, worker->incarnation, NULL, 0, NULL, &drain));
	PROMISE(self, !side->join(side->context, worker->id, &incarnation));
	OK(self, script_look(self));
	PROMISE(self, script_find(self, worker->id) != NULL);
	PROMISE(self, script_find(self, worker->id)->state == WORKER_TERMINATED);
	return 0;
}

/* Who drains, who takes back, who leaves: a second worker, without a server. */
static int check_leaving(struct script *self)
{
	const struct fleet_store *store = self->store;
	const struct conformance *side = self->side;
	struct script_worker worker = {0};
	int64_t requeued = 0;
	OK(self, script_hire(self, &worker));
	OK(self, store->drain(store->context, self->fence, worker.id, FLEET_DRAIN_IDLE,
			      &script_note, self->err));
	OK(self, store->undrain(store->context, self->fence, worker.id, &script_note, self->err));
	PROMISE(self, side->leave(side->context, worker.id, worker.incarnation) == STAY);
	REFUSED(self,
		store->end(store->context, self->fence, worker.id, WORKER_TERMINATED, true,
			   &script_note, &requeued, self->err),
		ERR_CONFLICT);
	/* An operator takes back whatever drains. */
	OK(self, store->drain(store->context, self->fence, worker.id, FLEET_DRAIN_IDLE,
			      &script_note, self->err));
	side->operator_undrain(side->context, worker.id);
	PROMISE(self, side->leave(side->context, worker.id, worker.incarnation) == STAY);
	/* What an operator drains is not taken back, whatever the fleet has wanted before or wants
	 * later. */
	OK(self, store->drain(store->context, self->fence, worker.id, FLEET_DRAIN_PACK,
			      &script_note, self->err));
	side->operator_drain(side->context, worker.id);
	REFUSED(self,
		store->undrain(store->context, self->fence, worker.id, &script_note, self->err),
		ERR_CONFLICT);
	OK(self, store->drain(store->context, self->fence, worker.id, FLEET_DRAIN_PACK,
			      &script_note, self->err));
	OK(self, script_look(self));
	PROMISE(self, script_find(self, worker.id)->drain == FLEET_DRAIN_OPERATOR);
	PROMISE(self, side->leave(side->context, worker.id, worker.incarnation + 1) ==
			      CONFORMANCE_REFUSED);
	PROMISE(self, side->leave(side->context, worker.id, worker.incarnation) == LEFT);
	OK(self, check_left(self, &worker));
	return 0;
}

static int check_money(struct script *self, int64_t id)
{
	const struct fleet_store *store = self->store;
	const struct fleet_ledger_row row = {.worker_id = id,
					     .server_id = SERVER,
					     .from_us = self->now_us,
					     .price_micros = PRICE_MICROS};
	REFUSED(self, store->book(store->context, self->fence - 1, &row, 1, self->err),
		ERR_FORBIDDEN);
	for (int i = 0; i < 2; i++)
		OK(self, store->book(store->context, self->fence, &row, 1, self->err));
	OK(self, script_look(self));
	PROMISE(self, self->world.spent_micros == PRICE_MICROS);
	PROMISE(self, script_find(self, id)->hours_booked == 1);
	/* The price of an hour is that of its booking; what is booked already stays as it is. */
	const struct fleet_ledger_row rows[] = {
		{.worker_id = id, .server_id = SERVER, .from_us = self->now_us, .price_micros = 1},
		{.worker_id = id,
		 .server_id = SERVER,
		 .hour = 1,
		 .from_us = self->now_us + 1,
		 .price_micros = PRICE_MICROS / 2},
		{.worker_id = id,
		 .server_id = SERVER,
		 .hour = 2,
		 .from_us = self->now_us + 2,
		 .price_micros = PRICE_MICROS / 2}};
	OK(self, store->book(store->context, self->fence, rows, 3, self->err));
	OK(self, store->book(store->context, self->fence, rows, 2, self->err));
	OK(self, script_look(self));
	PROMISE(self, self->world.spent_micros == 2 * PRICE_MICROS);
	PROMISE(self, script_find(self, id)->hours_booked == 3);
	return 0;
}

static int check_waits(struct script *self)
{
	const struct fleet_store *store = self->store;
	struct fleet_cooling cooling = {.server_type = "cx23",
					.location = "nbg1",
					.until_us = self->now_us + DAY_US,
					.cause = FLEET_COOLING_SOLD_OUT};
	int64_t later_us = cooling.until_us;
	OK(self, store->cool(store->context, self->fence, &cooling, "sold out", self->err));
	cooling.until_us = self->now_us + DAY_US / 2;
	OK(self, store->cool(store->context, self->fence, &cooling, "sold out", self->err));
	OK(self, store->pause_quota(store->context, self->fence, later_us, "limit", self->err));
	OK(self, script_look(self));
	PROMISE(self, self->world.cooling_count == 1);
	PROMISE(self, self->world.coolings[0].until_us == later_us);
	PROMISE(self, self->world.coolings[0].cause == FLEET_COOLING_SOLD_OUT);
	PROMISE(self, self->world.quota_until_us == later_us);
	OK(self,
	   store->note(store->context, self->fence, "orphan.delete", 0, &script_note, self->err));
	REFUSED(self,
		store->note(store->context, self->fence - 1, "orphan.delete", 0, &script_note,
			    self->err),
		ERR_FORBIDDEN);
	return 0;
}

static int check_end(struct script *self, int64_t id)
{
	const struct fleet_store *store = self->store;
	int64_t requeued = -1;
	uint32_t incarnation = 0;
	REFUSED(self, store->server_gone(store->context, self->fence, id, &script_note, self->err),
		ERR_CONFLICT);
	OK(self,
	   store->server_deleting(store->context, self->fence, id, self->now_us + 1, self->err));
	OK(self, script_look(self));
	PROMISE(self, script_find(self, id)->delete_us == 0); /* nor is it noted: it lives */
	OK(self, store->end(store->context, self->fence, id, WORKER_FAILED, false, &script_note,
			    &requeued, self->err));
	PROMISE(self, requeued == 1);
	OK(self, store->end(store->context, self->fence, id, WORKER_TERMINATED, false, &script_note,
			    &requeued, self->err));
	PROMISE(self, requeued == 0);
	PROMISE(self, !self->side->join(self->side->context, id, &incarnation));
	OK(self, script_look(self));
	/* Failed becomes dead, for it had come up; the first end stays. */
	PROMISE(self, script_find(self, id) != NULL && script_find(self, id)->state == WORKER_DEAD);
	PROMISE(self, script_find(self, id)->busy_slots == 0);
	PROMISE(self, waiting(self) + self->world.delayed_count == 2);
	REFUSED(self,
		store->drain(store->context, self->fence, id, FLEET_DRAIN_IDLE, &script_note,
			     self->err),
		ERR_CONFLICT);
	OK(self,
	   store->server_deleting(store->context, self->fence, id, self->now_us + 1, self->err));
	OK(self, script_look(self));
	PROMISE(self, script_find(self, id)->delete_us == self->now_us + 1);
	OK(self, store->server_gone(store->context, self->fence, id, &script_note, self->err));
	OK(self, script_look(self));
	PROMISE(self, script_find(self, id) == NULL);
	return 0;
}

/* The answer of the provider was lost, and the server shows up after its row has ended. */
static int check_late_server(struct script *self)
{
	const struct fleet_store *store = self->store;
	int64_t id = 0;
	int64_t requeued = 0;
	OK(self, script_intend(self, self->fence, &id));
	OK(self, store->end(store->context, self->fence, id, WORKER_FAILED, false, &script_note,
			    &requeued, self->err));
	OK(self, script_look(self));
	PROMISE(self,
		script_find(self, id) != NULL && script_find(self, id)->state == WORKER_FAILED);
	const struct fleet_pending server = {.worker_id = id, .server_id = SERVER + 2};
	OK(self, store->record_server(store->context, self->fence, &server, self->now_us,
				      &script_note, self->err));
	OK(self, script_look(self));
	PROMISE(self,
		script_find(self, id) != NULL && script_find(self, id)->server_id == SERVER + 2);
	return 0;
}

/* Who leads: by time, and by whose session is gone. */
static int check_takeover(struct script *self)
{
	const struct conformance *side = self->side;
	const struct fleet_store *second = side->second;
	struct fleet_lead lead = {0};
	int64_t ignored = 0;
	int64_t old_fence = self->fence;
	OK(self, self->store->lead(self->store->context, &lead, self->err));
	PROMISE(self, lead.leads && lead.fence == old_fence);
	side->pass(side->context, MODEL_LEAD_US - CONFORMANCE_SECOND_US);
	OK(self, second->lead(second->context, &lead, self->err));
	PROMISE(self, !lead.leads);
	side->pass(side->context, 2 * CONFORMANCE_SECOND_US);
	/* Over, but nobody has taken it: what it decides still holds. */
	OK(self, self->store->note(self->store->context, old_fence, "orphan.delete", 0,
				   &script_note, self->err));
	OK(self, second->lead(second->context, &lead, self->err));
	PROMISE(self, lead.leads && lead.fence > old_fence);
	REFUSED(self, script_intend(self, old_fence, &ignored), ERR_FORBIDDEN);
	REFUSED(self,
		self->store->note(self->store->context, old_fence, "orphan.delete", 0, &script_note,
				  self->err),
		ERR_FORBIDDEN);
	old_fence = lead.fence;
	OK(self, self->store->lead(self->store->context, &lead, self->err));
	PROMISE(self, !lead.leads);
	side->hang_up_second(side->context);
	OK(self, self->store->lead(self->store->context, &lead, self->err));
	PROMISE(self, lead.leads && lead.fence > old_fence);
	self->fence = lead.fence;
	REFUSED(self, script_intend(self, old_fence, &ignored), ERR_FORBIDDEN);
	return 0;
}

static int run(struct script *self)
{
	struct conformance_lease leases[2] = {0};
	struct script_worker worker = {0};
	OK(self, check_lead(self));
	OK(self, check_intent(self, &worker.id));
	OK(self, check_server(self, worker.id));
	PROMISE(self, self->side->join(self->side->context, worker.id, &worker.incarnation));
	OK(self, check_work(self, &worker, leases));
	OK(self, check_drain(self, &worker, &leases[1]));
	OK(self, check_money(self, worker.id));
	OK(self, check_waits(self));
	OK(self, check_end(self, worker.id));
	OK(self, check_late_server(self));
	OK(self, check_leaving(self));
	OK(self, conformance_check_queue(self));
	OK(self, conformance_check_silence(self));
	OK(self, check_takeover(self));
	return 0;
}

int conformance_run(const struct conformance *conformance, struct error *err)
{
	struct script script = {.side = conformance, .store = conformance->first, .err = err};
	fleet_world_init(&script.world);
	int result = run(&script);
	fleet_world_release(&script.world);
	return result;
}
