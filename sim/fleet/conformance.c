#include "fleet/conformance.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define PRICE_MICROS 8800
#define SERVER	     4711
#define DAY_US	     INT64_C(86400000000)

enum leaving { LEFT = 1, STAY, WAIT };

struct script {
	const struct conformance *side;
	const struct fleet_store *store;
	struct fleet_world world;
	int64_t fence;
	int64_t now_us;
	struct error *err;
};

static const struct fleet_choice choice = {.server_type = "cx23",
					   .location = "nbg1",
					   .cpu_millis = 2000,
					   .memory_bytes = 4 * GIB,
					   .price_hour_micros = PRICE_MICROS};
static const struct fleet_note note = {
	.rule = 117, .reason = "for the conformance suite", .key = "conformance"};

#define PROMISE(script, condition)                                                             \
	do {                                                                                   \
		if (!(condition))                                                              \
			return error_set((script)->err, ERR_CONFLICT, "line %d: %s", __LINE__, \
					 #condition);                                          \
	} while (0)
#define OK(script, call)                                                       \
	do {                                                                   \
		if ((call) < 0)                                                \
			return error_wrap((script)->err, "line %d", __LINE__); \
	} while (0)
#define REFUSED(script, call, refusal)                             \
	do {                                                       \
		PROMISE(script, (call) < 0);                       \
		PROMISE(script, (script)->err->code == (refusal)); \
		error_clear((script)->err);                        \
	} while (0)

static int look(struct script *self)
{
	fleet_world_clear(&self->world);
	OK(self, self->store->observe(self->store->context, &self->world, self->err));
	return 0;
}

static const struct fleet_worker *find(const struct script *self, int64_t id)
{
	for (size_t i = 0; i < self->world.worker_count; i++) {
		if (self->world.workers[i].id == id)
			return &self->world.workers[i];
	}
	return NULL;
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
	OK(self, look(self));
	PROMISE(self, self->world.worker_count == 0 && waiting(self) == 0);
	return 0;
}

static int intend(struct script *self, int64_t fence, int64_t *ret_id)
{
	struct fleet_intent intent = {0};
	if (self->store->intend(self->store->context, fence, &choice, 2, &note, &intent,
				self->err) < 0)
		return -1;
	free(intent.login);
	PROMISE(self, intent.worker_id != 0 && intent.name[0] != '\0');
	*ret_id = intent.worker_id;
	return 0;
}

static int check_intent(struct script *self, int64_t *ret_id)
{
	int64_t ignored = 0;
	OK(self, intend(self, self->fence, ret_id));
	REFUSED(self, intend(self, self->fence - 1, &ignored), ERR_FORBIDDEN);
	OK(self, look(self));
	PROMISE(self, self->world.worker_count == 1);
	const struct fleet_worker *worker = find(self, *ret_id);
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
					      &note, self->err));
	REFUSED(self,
		store->record_server(store->context, self->fence, &other, self->now_us, &note,
				     self->err),
		ERR_CONFLICT);
	OK(self, look(self));
	const struct fleet_worker *worker = find(self, id);
	PROMISE(self, worker != NULL && worker->server_id == SERVER);
	PROMISE(self, worker->server_created_us == self->now_us);
	PROMISE(self, worker->operation == FLEET_OPERATION_RUNNING);
	PROMISE(self, self->world.pending_count == 1);
	PROMISE(self, self->world.pendings[0].worker_id == id);
	PROMISE(self, self->world.pendings[0].action_count == 2);
	OK(self, store->settle(store->context, self->fence, id, false, "", self->err));
	OK(self, look(self));
	PROMISE(self, self->world.pending_count == 0);
	PROMISE(self, find(self, id)->operation == 0);
	return 0;
}

static int check_work(struct script *self, int64_t id)
{
	const struct fleet_store *store = self->store;
	const struct conformance *side = self->side;
	int64_t requeued = 0;
	for (int i = 0; i < 3; i++)
		side->submit(side->context);
	OK(self, look(self));
	PROMISE(self, waiting(self) == 3);
	PROMISE(self, side->join(side->context, id));
	PROMISE(self, side->claim(side->context, id, 2) == 2);
	OK(self, look(self));
	PROMISE(self, waiting(self) == 1);
	PROMISE(self, find(self, id)->state == WORKER_ACTIVE);
	PROMISE(self, find(self, id)->joined_us > 0 && find(self, id)->busy_slots == 2);
	/* Nothing takes a worker with jobs by surprise. */
	REFUSED(self,
		store->end(store->context, self->fence, id, WORKER_TERMINATED, true, &note,
			   &requeued, self->err),
		ERR_CONFLICT);
	side->complete(side->context, id);
	OK(self, look(self));
	PROMISE(self, find(self, id)->state == WORKER_ACTIVE);
	PROMISE(self, find(self, id)->busy_slots == 1);
	return 0;
}

static int check_drain(struct script *self, int64_t id)
{
	const struct fleet_store *store = self->store;
	const struct conformance *side = self->side;
	REFUSED(self,
		store->drain(store->context, self->fence - 1, id, FLEET_DRAIN_IDLE, &note,
			     self->err),
		ERR_FORBIDDEN);
	PROMISE(self, side->leave(side->context, id) == STAY);
	OK(self, store->drain(store->context, self->fence, id, FLEET_DRAIN_PACK, &note, self->err));
	PROMISE(self, side->leave(side->context, id) == WAIT);
	OK(self, store->drain(store->context, self->fence, id, FLEET_DRAIN_IDLE, &note, self->err));
	PROMISE(self, side->claim(side->context, id, 1) == 0);
	OK(self, look(self));
	PROMISE(self, find(self, id)->state == WORKER_DRAINING);
	PROMISE(self, find(self, id)->drain == FLEET_DRAIN_IDLE && find(self, id)->drain_us > 0);
	OK(self, store->undrain(store->context, self->fence, id, &note, self->err));
	OK(self, look(self));
	PROMISE(self, find(self, id)->state == WORKER_ACTIVE);
	PROMISE(self, side->leave(side->context, id) == STAY);
	REFUSED(self, store->undrain(store->context, self->fence, id, &note, self->err),
		ERR_CONFLICT);
	return 0;
}

/* Who drains, who takes back, who leaves: a second worker, without a server. */
static int check_leaving(struct script *self)
{
	const struct fleet_store *store = self->store;
	const struct conformance *side = self->side;
	int64_t requeued = 0;
	int64_t id = 0;
	OK(self, intend(self, self->fence, &id));
	PROMISE(self, side->join(side->context, id));
	OK(self, store->drain(store->context, self->fence, id, FLEET_DRAIN_IDLE, &note, self->err));
	OK(self, store->undrain(store->context, self->fence, id, &note, self->err));
	PROMISE(self, side->leave(side->context, id) == STAY);
	REFUSED(self,
		store->end(store->context, self->fence, id, WORKER_TERMINATED, true, &note,
			   &requeued, self->err),
		ERR_CONFLICT);
	/* What an operator drains is not taken back, whatever the fleet has wanted before or wants
	 * later. */
	OK(self, store->drain(store->context, self->fence, id, FLEET_DRAIN_PACK, &note, self->err));
	side->operator_drain(side->context, id);
	REFUSED(self, store->undrain(store->context, self->fence, id, &note, self->err),
		ERR_CONFLICT);
	OK(self, store->drain(store->context, self->fence, id, FLEET_DRAIN_PACK, &note, self->err));
	OK(self, look(self));
	PROMISE(self, find(self, id)->drain == FLEET_DRAIN_OPERATOR);
	PROMISE(self, side->leave(side->context, id) == LEFT);
	/* It has left: too late. */
	REFUSED(self, store->undrain(store->context, self->fence, id, &note, self->err),
		ERR_CONFLICT);
	REFUSED(self,
		store->drain(store->context, self->fence, id, FLEET_DRAIN_IDLE, &note, self->err),
		ERR_CONFLICT);
	OK(self, look(self));
	PROMISE(self, find(self, id) != NULL && find(self, id)->state == WORKER_TERMINATED);
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
	OK(self, look(self));
	PROMISE(self, self->world.spent_micros == PRICE_MICROS);
	PROMISE(self, find(self, id)->hours_booked == 1);
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
	OK(self, look(self));
	PROMISE(self, self->world.cooling_count == 1);
	PROMISE(self, self->world.coolings[0].until_us == later_us);
	PROMISE(self, self->world.coolings[0].cause == FLEET_COOLING_SOLD_OUT);
	PROMISE(self, self->world.quota_until_us == later_us);
	OK(self, store->note(store->context, self->fence, "orphan.delete", 0, &note, self->err));
	REFUSED(self,
		store->note(store->context, self->fence - 1, "orphan.delete", 0, &note, self->err),
		ERR_FORBIDDEN);
	return 0;
}

static int check_end(struct script *self, int64_t id)
{
	const struct fleet_store *store = self->store;
	int64_t requeued = -1;
	REFUSED(self, store->server_gone(store->context, self->fence, id, &note, self->err),
		ERR_CONFLICT);
	OK(self, store->end(store->context, self->fence, id, WORKER_FAILED, false, &note, &requeued,
			    self->err));
	PROMISE(self, requeued == 1);
	OK(self, store->end(store->context, self->fence, id, WORKER_TERMINATED, false, &note,
			    &requeued, self->err));
	PROMISE(self, requeued == 0);
	PROMISE(self, !self->side->join(self->side->context, id));
	OK(self, look(self));
	/* Failed becomes dead, for it had come up; the first end stays. */
	PROMISE(self, find(self, id) != NULL && find(self, id)->state == WORKER_DEAD);
	PROMISE(self, find(self, id)->busy_slots == 0);
	PROMISE(self, waiting(self) + self->world.delayed_count == 2);
	REFUSED(self,
		store->drain(store->context, self->fence, id, FLEET_DRAIN_IDLE, &note, self->err),
		ERR_CONFLICT);
	OK(self,
	   store->server_deleting(store->context, self->fence, id, self->now_us + 1, self->err));
	OK(self, look(self));
	PROMISE(self, find(self, id)->delete_us == self->now_us + 1);
	OK(self, store->server_gone(store->context, self->fence, id, &note, self->err));
	OK(self, look(self));
	PROMISE(self, find(self, id) == NULL);
	return 0;
}

/* The answer of the provider was lost, and the server shows up after its row has ended. */
static int check_late_server(struct script *self)
{
	const struct fleet_store *store = self->store;
	int64_t id = 0;
	int64_t requeued = 0;
	OK(self, intend(self, self->fence, &id));
	OK(self, store->end(store->context, self->fence, id, WORKER_FAILED, false, &note, &requeued,
			    self->err));
	OK(self, look(self));
	PROMISE(self, find(self, id) != NULL && find(self, id)->state == WORKER_FAILED);
	const struct fleet_pending server = {.worker_id = id, .server_id = SERVER + 2};
	OK(self, store->record_server(store->context, self->fence, &server, self->now_us, &note,
				      self->err));
	OK(self, look(self));
	PROMISE(self, find(self, id) != NULL && find(self, id)->server_id == SERVER + 2);
	return 0;
}

static int run(struct script *self)
{
	int64_t id = 0;
	OK(self, check_lead(self));
	OK(self, check_intent(self, &id));
	OK(self, check_server(self, id));
	OK(self, check_work(self, id));
	OK(self, check_drain(self, id));
	OK(self, check_money(self, id));
	OK(self, check_waits(self));
	OK(self, check_end(self, id));
	OK(self, check_late_server(self));
	OK(self, check_leaving(self));
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
