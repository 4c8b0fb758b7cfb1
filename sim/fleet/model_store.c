#include "fleet/model_store.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/cleanup.h"

void model_store_init(struct model_store *store, const int64_t *clock_us)
{
	*store = (struct model_store){.clock_us = clock_us};
}

void model_store_release(struct model_store *store)
{
	free(store->rows);
	free(store->jobs);
	*store = (struct model_store){0};
}

int64_t model_store_now(const struct model_store *store)
{
	return *store->clock_us + store->clock_jump_us;
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

size_t model_store_submit(struct model_store *store, uint64_t cpu_millis, uint64_t memory_bytes,
			  int64_t duration_us)
{
	if (store->job_count == store->job_capacity) {
		store->job_capacity = store->job_capacity == 0 ? 64 : store->job_capacity * 2;
		store->jobs = xreallocarray(store->jobs, store->job_capacity, sizeof(*store->jobs));
	}
	store->jobs[store->job_count] = (struct model_job){
		.cpu_millis = cpu_millis,
		.memory_bytes = memory_bytes,
		.duration_us = duration_us,
		.submitted_us = model_store_now(store),
		.state = MODEL_READY,
	};
	return store->job_count++;
}

/* The worker's row, if this is its living incarnation. */
static struct model_row *session_row(struct model_store *store, int64_t worker_id,
				     uint32_t incarnation)
{
	struct model_row *row = model_store_row(store, worker_id);
	bool lives = row != NULL &&
		     (row->worker.state == WORKER_ACTIVE || row->worker.state == WORKER_DRAINING);
	return lives && row->incarnation == incarnation ? row : NULL;
}

static void lease_end(struct model_store *store, struct model_job *job)
{
	struct model_row *row = model_store_row(store, job->worker_id);
	CHECK(row != NULL && row->worker.busy_slots > 0);
	row->worker.busy_slots--;
	row->worker.idle_since_us = model_store_now(store);
	job->worker_id = 0;
	job->token = 0;
}

int64_t model_store_lose(struct model_store *store, int64_t worker_id)
{
	int64_t lost = 0;
	for (size_t i = store->jobs_ended; i < store->job_count; i++) {
		struct model_job *job = &store->jobs[i];
		if (job->state != MODEL_LEASED || job->worker_id != worker_id)
			continue;
		lease_end(store, job);
		lost++;
		if (++job->losses > MODEL_LOSSES_MAX) {
			job->state = MODEL_LOST;
			job->results++;
			job->ended_us = model_store_now(store);
			continue;
		}
		job->state = MODEL_DELAYED;
		job->run_at_us = model_store_now(store) + MODEL_RETRY_US;
	}
	return lost;
}

int model_store_join(struct model_store *store, int64_t worker_id, uint32_t slots,
		     uint32_t *ret_incarnation)
{
	struct model_row *row = model_store_row(store, worker_id);
	if (row == NULL || row->worker.state > WORKER_DRAINING)
		return -1;
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
		      size_t want, struct model_claim *ret_claims, size_t *ret_count)
{
	struct model_row *row = session_row(store, worker_id, incarnation);
	*ret_count = 0;
	if (row == NULL)
		return -1;
	if (row->worker.state == WORKER_DRAINING)
		return 0;
	for (size_t i = store->jobs_ended; i < store->job_count && *ret_count < want; i++) {
		struct model_job *job = &store->jobs[i];
		if (job->state != MODEL_READY)
			continue;
		job->state = MODEL_LEASED;
		job->attempt++;
		job->worker_id = worker_id;
		job->token = ++store->last_token;
		job->claimed_us = model_store_now(store);
		row->worker.busy_slots++;
		ret_claims[(*ret_count)++] = (struct model_claim){.job = i, .token = job->token};
	}
	return 0;
}

static bool holds(const struct model_store *store, int64_t worker_id,
		  const struct model_claim *claim)
{
	const struct model_job *job = &store->jobs[claim->job];
	return job->state == MODEL_LEASED && job->worker_id == worker_id &&
	       job->token == claim->token;
}

int model_store_complete(struct model_store *store, int64_t worker_id, uint32_t incarnation,
			 const struct model_claim *claim, bool *ret_lost)
{
	struct model_job *job = &store->jobs[claim->job];
	*ret_lost = false;
	if (store->plant == PLANT_NO_TOKEN) {
		if (job->state == MODEL_LEASED)
			lease_end(store, job);
		job->state = MODEL_DONE;
		job->results++;
		return 0;
	}
	if (session_row(store, worker_id, incarnation) == NULL)
		return -1;
	if (job->state == MODEL_DONE && job->done_token == claim->token)
		return 0; /* already: the answer was lost */
	*ret_lost = !holds(store, worker_id, claim);
	if (*ret_lost)
		return 0;
	lease_end(store, job);
	job->state = MODEL_DONE;
	job->results++;
	job->done_token = claim->token;
	job->ended_us = model_store_now(store);
	return 0;
}

int model_store_heartbeat(struct model_store *store, int64_t worker_id, uint32_t incarnation,
			  const struct model_claim *claims, size_t count, bool *ret_stop,
			  bool *ret_drain)
{
	struct model_row *row = session_row(store, worker_id, incarnation);
	int64_t now_us = model_store_now(store);
	if (row == NULL)
		return -1;
	row->last_seen_us = now_us;
	*ret_drain = row->worker.state == WORKER_DRAINING;
	for (size_t i = 0; i < count; i++)
		ret_stop[i] = !holds(store, worker_id, &claims[i]);
	/* What it does not name was claimed by an answer that never arrived. */
	for (size_t i = store->jobs_ended; i < store->job_count; i++) {
		struct model_job *job = &store->jobs[i];
		bool named = false;
		if (job->state != MODEL_LEASED || job->worker_id != worker_id ||
		    now_us - job->claimed_us < MODEL_UNNAMED_US)
			continue;
		for (size_t j = 0; j < count && !named; j++)
			named = claims[j].job == i && claims[j].token == job->token;
		if (named)
			continue;
		lease_end(store, job);
		job->state = MODEL_READY;
	}
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
