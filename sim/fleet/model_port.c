#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "core/limits.h"
#include "fleet/model_store.h"

static int enter(const struct model_session *session, struct error *err)
{
	return session->enter == NULL ? 0 : session->enter(session->context, err);
}

static int leave(const struct model_session *session, int result, struct error *err)
{
	if (result < 0 || session->leave == NULL)
		return result;
	return session->leave(session->context, err);
}

/* A port function: what goes wrong before, the model's own, what goes wrong after. */
#define CALL(session, call, err) \
	(enter((session), (err)) < 0 ? -1 : leave((session), (call), (err)))

static int check_fence(struct model_store *store, int64_t fence, struct error *err)
{
	if (fence == store->fence || store->plant == PLANT_NO_FENCE) {
		store->fenced_changes++;
		return 0;
	}
	fault_struck(store->faults, FAULT_TWO_LEADERS);
	return error_set(err, ERR_FORBIDDEN, "another orchestrator leads");
}

/* The row, if the fence holds. */
static struct model_row *changed(struct model_store *store, int64_t fence, int64_t worker_id,
				 struct error *err)
{
	if (check_fence(store, fence, err) < 0)
		return NULL;
	struct model_row *row = model_store_row(store, worker_id);
	if (row == NULL)
		(void)error_set(err, ERR_NOT_FOUND, "there is no such worker");
	return row;
}

static int lead(struct model_session *session, struct fleet_lead *ret)
{
	struct model_store *store = session->store;
	int64_t now_us = model_store_now(store);
	bool is_free = store->leader == 0 || store->leader_is_gone || now_us > store->lead_until_us;
	if (store->leader != session->id && is_free) {
		store->leader = session->id;
		store->fence++;
	}
	ret->leads = store->leader == session->id;
	if (ret->leads) {
		store->leader_is_gone = false;
		store->lead_until_us = now_us + MODEL_LEAD_US;
	}
	ret->fence = store->fence;
	ret->now_us = now_us;
	return 0;
}

static int port_lead(void *context, struct fleet_lead *ret, struct error *err)
{
	return CALL(context, lead(context, ret), err);
}

static bool is_listed(const struct model_row *row, int64_t now_us)
{
	if (row->worker.state <= WORKER_DRAINING)
		return true;
	return !row->is_gone &&
	       (row->worker.server_id != 0 || now_us - row->ended_us < MODEL_FORGET_US);
}

static void observe_rows(struct model_store *store, struct fleet_world *world)
{
	int64_t now_us = world->now_us;
	while (store->rows_closed < store->row_count &&
	       !is_listed(&store->rows[store->rows_closed], now_us))
		store->rows_closed++;
	for (size_t i = store->rows_closed; i < store->row_count; i++) {
		const struct model_row *row = &store->rows[i];
		if (!is_listed(row, now_us) ||
		    (store->plant == PLANT_FORGETS_ROWS && row->worker.id % 3 == 0))
			continue;
		struct fleet_worker *worker = fleet_world_add_worker(world);
		CHECK(worker != NULL);
		*worker = row->worker;
		int64_t seen_us = row->last_seen_us != 0 ? row->last_seen_us : worker->created_us;
		worker->silent_ms = now_us > seen_us ? (uint64_t)(now_us - seen_us) / 1000 : 0;
		if (store->plant == PLANT_BLIND)
			worker->busy_slots = 0;
		if (store->plant == PLANT_HARD_OF_HEARING)
			worker->silent_ms += 2 * LEASE_TTL_MS;
		if (worker->operation == FLEET_OPERATION_RUNNING) {
			struct fleet_pending *pending = fleet_world_add_pending(world);
			CHECK(pending != NULL);
			*pending = row->pending;
		}
	}
}

static void observe_jobs(const struct model_queue *queue, struct fleet_world *world)
{
	for (size_t i = queue->jobs_ended; i < queue->job_count; i++) {
		const struct model_job *job = &queue->jobs[i];
		int64_t waits_us = world->now_us - job->submitted_us;
		const struct fleet_shape shape = {
			.cpu_millis = job->cpu_millis,
			.memory_bytes = job->memory_bytes,
			.count = 1,
			.oldest_ms = waits_us > 0 ? (uint64_t)waits_us / 1000 : 0};
		if (job->place == MODEL_READY)
			fleet_world_add_shape(world, &shape);
		world->delayed_count += job->place == MODEL_DELAYED;
		world->parked_count += job->place == MODEL_PARKED;
	}
}

static int observe(struct model_store *store, struct fleet_world *world)
{
	world->now_us = model_store_now(store);
	world->is_paused = store->is_paused;
	world->quota_until_us = store->quota_until_us;
	world->spent_micros = store->booked_micros;
	observe_rows(store, world);
	observe_jobs(&store->queue, world);
	for (size_t i = 0; i < store->cooling_count; i++) {
		if (store->coolings[i].until_us <= world->now_us)
			continue;
		struct fleet_cooling *cooling = fleet_world_add_cooling(world);
		CHECK(cooling != NULL);
		*cooling = store->coolings[i];
	}
	return 0;
}

static int port_observe(void *context, struct fleet_world *ret, struct error *err)
{
	const struct model_session *session = context;
	return CALL(session, observe(session->store, ret), err);
}

static int upkeep(struct model_store *store, struct fleet_upkeep *ret)
{
	model_store_tick(store, ret);
	return 0;
}

static int port_upkeep(void *context, struct fleet_upkeep *ret, struct error *err)
{
	const struct model_session *session = context;
	return CALL(session, upkeep(session->store, ret), err);
}

static int intend(struct model_store *store, int64_t fence, const struct fleet_choice *choice,
		  uint32_t slots, struct fleet_intent *ret, struct error *err)
{
	if (check_fence(store, fence, err) < 0)
		return -1;
	struct model_row *row = model_store_add_row(store);
	struct fleet_worker *worker = &row->worker;
	worker->slots = slots;
	worker->cpu_millis = choice->cpu_millis;
	worker->memory_bytes = choice->memory_bytes;
	worker->price_hour_micros = choice->price_hour_micros;
	memcpy(worker->server_type, choice->server_type, sizeof(worker->server_type));
	memcpy(worker->location, choice->location, sizeof(worker->location));
	(void)snprintf(row->name, sizeof(row->name), "worker-%lld", (long long)worker->id);
	ret->worker_id = worker->id;
	memcpy(ret->name, row->name, sizeof(ret->name));
	return 0;
}

static int port_intend(void *context, int64_t fence, const struct fleet_choice *choice,
		       uint32_t slots, const struct fleet_note *note, struct fleet_intent *ret,
		       struct error *err)
{
	const struct model_session *session = context;
	(void)note;
	return CALL(session, intend(session->store, fence, choice, slots, ret, err), err);
}

static int record_server(struct model_store *store, int64_t fence,
			 const struct fleet_pending *server, int64_t created_us, struct error *err)
{
	struct model_row *row = changed(store, fence, server->worker_id, err);
	if (row == NULL)
		return -1;
	if (row->worker.server_id != 0 && row->worker.server_id != server->server_id)
		return error_set(err, ERR_CONFLICT, "the worker has another server");
	if (row->worker.server_id != 0 || store->plant == PLANT_LOST_RECORD)
		return 0;
	row->worker.server_id = server->server_id;
	row->worker.server_created_us = created_us;
	row->pending = *server;
	row->worker.operation = server->action_count > 0 ? FLEET_OPERATION_RUNNING : 0;
	row->is_gone = false;
	return 0;
}

static int port_record_server(void *context, int64_t fence, const struct fleet_pending *server,
			      int64_t created_us, const struct fleet_note *note, struct error *err)
{
	const struct model_session *session = context;
	(void)note;
	return CALL(session, record_server(session->store, fence, server, created_us, err), err);
}

static int settle(struct model_store *store, int64_t fence, int64_t worker_id, bool failed,
		  struct error *err)
{
	struct model_row *row = changed(store, fence, worker_id, err);
	if (row == NULL)
		return -1;
	if (row->worker.operation == FLEET_OPERATION_RUNNING)
		row->worker.operation = failed ? FLEET_OPERATION_FAILED : 0;
	return 0;
}

static int port_settle(void *context, int64_t fence, int64_t worker_id, bool failed,
		       const char *message, struct error *err)
{
	const struct model_session *session = context;
	(void)message;
	return CALL(session, settle(session->store, fence, worker_id, failed, err), err);
}

static int drain(struct model_store *store, int64_t fence, int64_t worker_id,
		 enum fleet_drain cause, struct error *err)
{
	struct model_row *row = changed(store, fence, worker_id, err);
	if (row == NULL)
		return -1;
	if (row->worker.state > WORKER_DRAINING)
		return error_set(err, ERR_CONFLICT, "the worker has ended");
	if (row->worker.state != WORKER_DRAINING)
		row->worker.drain_us = model_store_now(store);
	row->worker.state = WORKER_DRAINING;
	/* An operator's wish is not forgotten over one of the fleet's own. */
	if (row->worker.drain != FLEET_DRAIN_OPERATOR)
		row->worker.drain = cause;
	return 0;
}

static int port_drain(void *context, int64_t fence, int64_t worker_id, enum fleet_drain cause,
		      const struct fleet_note *note, struct error *err)
{
	const struct model_session *session = context;
	(void)note;
	return CALL(session, drain(session->store, fence, worker_id, cause, err), err);
}

static int undrain(struct model_store *store, int64_t fence, int64_t worker_id, struct error *err)
{
	struct model_row *row = changed(store, fence, worker_id, err);
	if (row == NULL)
		return -1;
	if (row->worker.state != WORKER_DRAINING || row->worker.drain == FLEET_DRAIN_OPERATOR)
		return error_set(err, ERR_CONFLICT, "the worker does not drain for the fleet");
	model_store_operator_undrain(store, worker_id);
	return 0;
}

static int port_undrain(void *context, int64_t fence, int64_t worker_id,
			const struct fleet_note *note, struct error *err)
{
	const struct model_session *session = context;
	(void)note;
	return CALL(session, undrain(session->store, fence, worker_id, err), err);
}

static int end(struct model_store *store, int64_t fence, int64_t worker_id, enum worker_state state,
	       bool only_drained, int64_t *ret_requeued, struct error *err)
{
	struct model_row *row = changed(store, fence, worker_id, err);
	if (row == NULL)
		return -1;
	*ret_requeued = 0;
	if (row->worker.state > WORKER_DRAINING)
		return 0;
	if (only_drained && row->worker.busy_slots > 0 && store->plant != PLANT_BLIND)
		return error_set(err, ERR_CONFLICT, "the worker has jobs");
	if (only_drained && row->worker.state != WORKER_DRAINING)
		return error_set(err, ERR_CONFLICT, "the worker does not drain any more");
	row->worker.state =
		state == WORKER_FAILED && row->worker.joined_us != 0 ? WORKER_DEAD : state;
	row->ended_us = model_store_now(store);
	if (store->plant != PLANT_KEEPS_LEASES)
		*ret_requeued = model_store_lose(store, worker_id);
	return 0;
}

static int port_end(void *context, int64_t fence, int64_t worker_id, enum worker_state state,
		    bool only_drained, const struct fleet_note *note, int64_t *ret_requeued,
		    struct error *err)
{
	const struct model_session *session = context;
	(void)note;
	return CALL(session,
		    end(session->store, fence, worker_id, state, only_drained, ret_requeued, err),
		    err);
}

static int server_deleting(struct model_store *store, int64_t fence, int64_t worker_id,
			   int64_t at_us, struct error *err)
{
	struct model_row *row = changed(store, fence, worker_id, err);
	if (row == NULL)
		return -1;
	if (row->worker.state > WORKER_DRAINING)
		row->worker.delete_us = at_us;
	return 0;
}

static int port_server_deleting(void *context, int64_t fence, int64_t worker_id, int64_t at_us,
				struct error *err)
{
	const struct model_session *session = context;
	return CALL(session, server_deleting(session->store, fence, worker_id, at_us, err), err);
}

static int server_gone(struct model_store *store, int64_t fence, int64_t worker_id,
		       struct error *err)
{
	struct model_row *row = changed(store, fence, worker_id, err);
	if (row == NULL)
		return -1;
	if (row->worker.state <= WORKER_DRAINING)
		return error_set(err, ERR_CONFLICT, "the worker has not ended");
	row->is_gone = true;
	return 0;
}

static int port_server_gone(void *context, int64_t fence, int64_t worker_id,
			    const struct fleet_note *note, struct error *err)
{
	const struct model_session *session = context;
	(void)note;
	return CALL(session, server_gone(session->store, fence, worker_id, err), err);
}

static int port_note(void *context, int64_t fence, const char *kind, int64_t worker_id,
		     const struct fleet_note *note, struct error *err)
{
	const struct model_session *session = context;
	(void)kind, (void)worker_id, (void)note;
	return CALL(session, check_fence(session->store, fence, err), err);
}

static int cool(struct model_store *store, int64_t fence, const struct fleet_cooling *cooling,
		struct error *err)
{
	if (check_fence(store, fence, err) < 0)
		return -1;
	for (size_t i = 0; i < store->cooling_count; i++) {
		struct fleet_cooling *known = &store->coolings[i];
		if (strcmp(known->server_type, cooling->server_type) != 0 ||
		    strcmp(known->location, cooling->location) != 0)
			continue;
		if (known->until_us < cooling->until_us)
			*known = *cooling;
		return 0;
	}
	CHECK(store->cooling_count < FLEET_COOLINGS_MAX);
	store->coolings[store->cooling_count++] = *cooling;
	return 0;
}

static int port_cool(void *context, int64_t fence, const struct fleet_cooling *cooling,
		     const char *message, struct error *err)
{
	const struct model_session *session = context;
	(void)message;
	return CALL(session, cool(session->store, fence, cooling, err), err);
}

static int pause_quota(struct model_store *store, int64_t fence, int64_t until_us,
		       struct error *err)
{
	if (check_fence(store, fence, err) < 0)
		return -1;
	store->quota_until_us = until_us;
	return 0;
}

static int port_pause_quota(void *context, int64_t fence, int64_t until_us, const char *message,
			    struct error *err)
{
	const struct model_session *session = context;
	(void)message;
	return CALL(session, pause_quota(session->store, fence, until_us, err), err);
}

static int book(struct model_store *store, int64_t fence, const struct fleet_ledger_row *rows,
		size_t count, struct error *err)
{
	if (check_fence(store, fence, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct model_row *row = model_store_row(store, rows[i].worker_id);
		CHECK(row != NULL);
		if (rows[i].hour < row->worker.hours_booked)
			continue;
		CHECK(rows[i].hour == row->worker.hours_booked);
		row->worker.hours_booked++;
		if (store->plant == PLANT_FREE_HOURS && ++store->booked_hours % 3 == 0)
			continue;
		store->booked_micros += rows[i].price_micros;
	}
	return 0;
}

static int port_book(void *context, int64_t fence, const struct fleet_ledger_row *rows,
		     size_t count, struct error *err)
{
	const struct model_session *session = context;
	return CALL(session, book(session->store, fence, rows, count, err), err);
}

void model_store_port(struct model_session *session, struct fleet_store *ret)
{
	*ret = (struct fleet_store){
		.context = session,
		.lead = port_lead,
		.observe = port_observe,
		.upkeep = port_upkeep,
		.intend = port_intend,
		.record_server = port_record_server,
		.settle = port_settle,
		.drain = port_drain,
		.undrain = port_undrain,
		.end = port_end,
		.server_deleting = port_server_deleting,
		.server_gone = port_server_gone,
		.note = port_note,
		.cool = port_cool,
		.pause_quota = port_pause_quota,
		.book = port_book,
	};
}
