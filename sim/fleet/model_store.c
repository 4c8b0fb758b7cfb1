#include "fleet/model_store.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "core/limits.h"

#define TTL_US	     ((int64_t)LEASE_TTL_MS * 1000)
#define HASTY_TTL_US INT64_C(10000000) /* a plant */
#define HOLDERS_MIN  3		       /* of whom most are silent: then it is rather us */

void model_store_init(struct model_store *store, const int64_t *clock_us)
{
	*store = (struct model_store){.clock_us = clock_us};
}

void model_store_release(struct model_store *store)
{
	free(store->rows);
	model_queue_release(&store->queue);
	*store = (struct model_store){0};
}

int64_t model_store_now(const struct model_store *store)
{
	return *store->clock_us + store->clock_jump_us;
}

void model_store_restart(struct model_store *store, int64_t up_us)
{
	store->up_since_us = up_us + store->clock_jump_us;
	store->leader_is_gone = true;
}

void model_store_hang_up(struct model_store *store, uint64_t session)
{
	if (store->leader == session)
		store->leader_is_gone = true;
}

struct model_row *model_store_row(struct model_store *store, int64_t worker_id)
{
	return worker_id >= 1 && (size_t)worker_id <= store->row_count ? &store->rows[worker_id - 1]
								       : NULL;
}

struct model_row *model_store_add_row(struct model_store *store)
{
	if (store->row_count == store->row_capacity) {
		store->row_capacity = store->row_capacity == 0 ? 16 : store->row_capacity * 2;
		store->rows = xreallocarray(store->rows, store->row_capacity, sizeof(*store->rows));
	}
	struct model_row *row = &store->rows[store->row_count++];
	*row = (struct model_row){.worker = {.id = (int64_t)store->row_count,
					     .state = WORKER_PROVISIONING,
					     .created_us = model_store_now(store)}};
	return row;
}

static bool is_up(const struct model_row *row)
{
	return row->worker.state == WORKER_ACTIVE || row->worker.state == WORKER_DRAINING;
}

/* The worker's row, if this is its living incarnation. */
static struct model_row *session_row(struct model_store *store, int64_t worker_id,
				     uint32_t incarnation)
{
	struct model_row *row = model_store_row(store, worker_id);
	bool lives = row != NULL && is_up(row) && incarnation != 0;
	return lives && row->incarnation == incarnation ? row : NULL;
}

/* Before each end of a lease. */
static void free_slot(struct model_store *store, size_t job)
{
	struct model_row *row = model_store_row(store, store->queue.jobs[job].worker_id);
	CHECK(row != NULL && row->worker.busy_slots > 0);
	row->worker.busy_slots--;
	row->worker.idle_since_us = model_store_now(store);
}

/* A plant. */
static void revive_jobs(struct model_store *store, int64_t worker_id)
{
	for (size_t i = 0; i < store->queue.job_count; i++) {
		struct model_job *job = &store->queue.jobs[i];
		if (job->place != MODEL_DONE || job->done_worker_id != worker_id)
			continue;
		job->place = MODEL_READY;
		store->queue.moves++;
		store->queue.jobs_ended = 0;
	}
}

int64_t model_store_lose(struct model_store *store, int64_t worker_id)
{
	int64_t lost = 0;
	for (size_t i = store->queue.jobs_ended; i < store->queue.job_count; i++) {
		const struct model_job *job = &store->queue.jobs[i];
		if (job->place != MODEL_LEASED || job->worker_id != worker_id)
			continue;
		free_slot(store, i);
		model_queue_lose(&store->queue, i, model_store_now(store));
		lost++;
	}
	if (store->plant == PLANT_REVIVES_JOBS)
		revive_jobs(store, worker_id);
	return lost;
}

int model_store_join(struct model_store *store, int64_t worker_id, uint32_t slots,
		     uint32_t *ret_incarnation)
{
	struct model_row *row = model_store_row(store, worker_id);
	if (row == NULL)
		return -1;
	if (row->worker.state > WORKER_DRAINING) {
		if (store->plant != PLANT_REVIVES_WORKERS)
			return -1;
		row->worker.state = WORKER_ACTIVE;
	}
	(void)model_store_lose(store, worker_id);
	if (row->worker.state == WORKER_PROVISIONING)
		row->worker.state = WORKER_ACTIVE;
	row->worker.slots = slots;
	row->worker.joined_us = model_store_now(store);
	row->worker.idle_since_us = row->worker.joined_us;
	row->last_seen_us = row->worker.joined_us;
	*ret_incarnation = ++row->incarnation;
	return 0;
}

int model_store_claim(struct model_store *store, int64_t worker_id, uint32_t incarnation,
		      size_t want, struct model_lease *ret_leases, size_t *ret_count)
{
	struct model_row *row = session_row(store, worker_id, incarnation);
	*ret_count = 0;
	if (row == NULL)
		return -1;
	while (row->worker.state == WORKER_ACTIVE && *ret_count < want &&
	       model_queue_claim(&store->queue, worker_id, model_store_now(store),
				 &ret_leases[*ret_count])) {
		const struct model_lease *lease = &ret_leases[(*ret_count)++];
		row->worker.busy_slots += store->queue.jobs[lease->job].worker_id == worker_id;
	}
	return 0;
}

bool model_store_holds(const struct model_store *store, int64_t worker_id,
		       const struct model_lease *lease)
{
	return model_queue_holds(&store->queue, worker_id, lease);
}

/* A plant: whoever says so has done it. */
static void record_whatever(struct model_store *store, int64_t worker_id,
			    const struct model_lease *lease)
{
	struct model_job *job = &store->queue.jobs[lease->job];
	if (job->place == MODEL_LEASED) {
		free_slot(store, lease->job);
		model_queue_complete(&store->queue, lease->job, false);
	} else {
		job->place = MODEL_DONE;
		job->results++;
		store->queue.moves++;
	}
	job->done_worker_id = worker_id;
	job->done_token = lease->token;
}

int model_store_complete(struct model_store *store, int64_t worker_id, uint32_t incarnation,
			 const struct model_lease *lease, bool is_cancelled,
			 enum model_verdict *ret_verdict)
{
	struct model_job *job = &store->queue.jobs[lease->job];
	*ret_verdict = MODEL_RECORDED;
	if (store->plant == PLANT_NO_TOKEN) {
		record_whatever(store, worker_id, lease);
		return 0;
	}
	if (session_row(store, worker_id, incarnation) == NULL) {
		fault_struck(store->faults, FAULT_STALE_RESULT);
		return -1;
	}
	if (model_store_holds(store, worker_id, lease)) {
		free_slot(store, lease->job);
		model_queue_complete(&store->queue, lease->job, is_cancelled);
	} else if (job->place >= MODEL_DONE && job->done_worker_id == worker_id &&
		   job->done_token == lease->token) {
		fault_struck(store->faults, FAULT_RESULT_AGAIN);
		*ret_verdict = MODEL_ALREADY;
		if (store->plant == PLANT_RECORDS_AGAIN) {
			job->results++;
			store->queue.moves++;
		}
	} else {
		fault_struck(store->faults, FAULT_STALE_RESULT);
		*ret_verdict = MODEL_LOST_LEASE;
	}
	return 0;
}

int model_store_give_back(struct model_store *store, int64_t worker_id, uint32_t incarnation,
			  const struct model_lease *lease)
{
	if (session_row(store, worker_id, incarnation) == NULL)
		return -1;
	if (model_store_holds(store, worker_id, lease)) {
		free_slot(store, lease->job);
		model_queue_give_back(&store->queue, lease->job);
	}
	return 0;
}

static bool is_named(const struct model_lease *leases, size_t count, size_t job, uint64_t token)
{
	for (size_t i = 0; i < count; i++) {
		if (leases[i].job == job && leases[i].token == token)
			return true;
	}
	return false;
}

/* What it does not name was claimed by an answer that never arrived. */
static void give_back_unnamed(struct model_store *store, int64_t worker_id,
			      const struct model_lease *leases, size_t count)
{
	for (size_t i = store->queue.jobs_ended; i < store->queue.job_count; i++) {
		const struct model_job *job = &store->queue.jobs[i];
		if (job->place != MODEL_LEASED || job->worker_id != worker_id ||
		    model_store_now(store) - job->claimed_us < MODEL_UNNAMED_US ||
		    is_named(leases, count, i, job->token))
			continue;
		fault_struck(store->faults, FAULT_UNNAMED_LEASE);
		free_slot(store, i);
		model_queue_give_back(&store->queue, i);
	}
}

static enum model_wish wish(const struct model_store *store, int64_t worker_id,
			    const struct model_lease *lease)
{
	if (store->plant == PLANT_NO_STOP)
		return MODEL_GO_ON;
	if (!model_store_holds(store, worker_id, lease))
		return MODEL_STOP;
	return store->queue.jobs[lease->job].is_unwanted ? MODEL_CANCEL : MODEL_GO_ON;
}

int model_store_heartbeat(struct model_store *store, int64_t worker_id, uint32_t incarnation,
			  const struct model_lease *leases, size_t count,
			  enum model_wish *ret_wishes, bool *ret_drain)
{
	struct model_row *row = session_row(store, worker_id, incarnation);
	if (row == NULL)
		return -1;
	row->last_seen_us = model_store_now(store);
	if (row->worker.busy_slots > 0)
		give_back_unnamed(store, worker_id, leases, count);
	*ret_drain = row->worker.state == WORKER_DRAINING;
	for (size_t i = 0; i < count; i++)
		ret_wishes[i] = wish(store, worker_id, &leases[i]);
	return 0;
}

int model_store_leave(struct model_store *store, int64_t worker_id, uint32_t incarnation,
		      enum model_leaving *ret_leaving)
{
	struct model_row *row = session_row(store, worker_id, incarnation);
	if (row == NULL)
		return -1;
	if (row->worker.state == WORKER_ACTIVE && store->plant != PLANT_DEAF) {
		*ret_leaving = MODEL_STAY;
		return 0;
	}
	if (row->worker.drain == FLEET_DRAIN_PACK) {
		*ret_leaving = MODEL_WAIT;
		return 0;
	}
	row->worker.state = WORKER_TERMINATED;
	row->ended_us = model_store_now(store);
	(void)model_store_lose(store, worker_id);
	*ret_leaving = MODEL_LEFT;
	return 0;
}

void model_store_operator_drain(struct model_store *store, int64_t worker_id)
{
	struct model_row *row = model_store_row(store, worker_id);
	if (row == NULL || row->worker.state > WORKER_DRAINING)
		return;
	if (row->worker.state != WORKER_DRAINING)
		row->worker.drain_us = model_store_now(store);
	row->worker.state = WORKER_DRAINING;
	row->worker.drain = FLEET_DRAIN_OPERATOR;
}

void model_store_operator_undrain(struct model_store *store, int64_t worker_id)
{
	struct model_row *row = model_store_row(store, worker_id);
	if (row == NULL || row->worker.state != WORKER_DRAINING)
		return;
	row->worker.state = row->worker.joined_us != 0 ? WORKER_ACTIVE : WORKER_PROVISIONING;
	row->worker.drain = 0;
	row->worker.drain_us = 0;
}

/* How long a worker may be silent: longer, when most of those that hold leases are. */
static int64_t silence_max_us(const struct model_store *store)
{
	uint64_t holders = 0;
	uint64_t silent = 0;
	if (store->plant == PLANT_HASTY_RESCUE)
		return HASTY_TTL_US;
	for (size_t i = store->rows_closed; i < store->row_count; i++) {
		const struct model_row *row = &store->rows[i];
		if (row->worker.busy_slots == 0)
			continue;
		holders++;
		silent += model_store_now(store) - row->last_seen_us > TTL_US;
	}
	return holders >= HOLDERS_MIN && silent * 2 > holders ? 2 * TTL_US : TTL_US;
}

static void rescue(struct model_store *store, struct model_row *row, struct fleet_upkeep *ret)
{
	fault_struck(store->faults, FAULT_RESCUE);
	for (size_t i = store->queue.jobs_ended; i < store->queue.job_count; i++) {
		struct model_job *job = &store->queue.jobs[i];
		job->rescues += job->place == MODEL_LEASED && job->worker_id == row->worker.id;
	}
	row->incarnation++; /* void */
	ret->rescued_count += model_store_lose(store, row->worker.id);
}

static void rescue_silent(struct model_store *store, struct fleet_upkeep *ret)
{
	int64_t max_us = silence_max_us(store);
	bool listened = model_store_now(store) - store->up_since_us >= TTL_US;
	for (size_t i = store->rows_closed; i < store->row_count; i++) {
		struct model_row *row = &store->rows[i];
		if (row->worker.busy_slots == 0 ||
		    (is_up(row) && model_store_now(store) - row->last_seen_us <= max_us))
			continue;
		if (listened)
			rescue(store, row, ret);
		else
			fault_struck(store->faults, FAULT_RESCUE_PAUSE);
	}
}

void model_store_tick(struct model_store *store, struct fleet_upkeep *ret)
{
	*ret = (struct fleet_upkeep){0};
	if (store->plant != PLANT_KEEPS_LEASES)
		rescue_silent(store, ret);
	ret->woken = model_queue_move_due(&store->queue, model_store_now(store));
	ret->woken = ret->woken || ret->rescued_count > 0;
	ret->busy = model_queue_has_work(&store->queue);
}
