#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "core/billing.h"
#include "fleet/sim.h"

#define USELESS_MAX_US (45 * SIM_MINUTE_US)
#define STRAY_MAX_US   (30 * SIM_SECOND_US)
#define HEALTHY_US     (10 * SIM_SECOND_US)
#define SHAKEN_US      (60 * SIM_SECOND_US)
#define MONEY_SLACK_US (60 * SIM_SECOND_US)

static bool lives(const struct model_row *row)
{
	return row != NULL && row->worker.state <= WORKER_DRAINING;
}

static const struct host *find_host(const struct sim *sim, int64_t worker_id)
{
	for (size_t i = sim->host_count; i > sim->hosts_gone; i--) {
		const struct host *host = sim->hosts[i - 1];
		if (host != NULL && host->worker_id == worker_id && !host->is_dead &&
		    model_cloud_exists(&sim->cloud, i - 1))
			return host;
	}
	return NULL;
}

static void add_jobs(struct sim *sim)
{
	if (sim->job_count == sim->store.queue.job_count)
		return;
	sim->jobs = xreallocarray(sim->jobs, sim->store.queue.job_count, sizeof(*sim->jobs));
	for (; sim->job_count < sim->store.queue.job_count; sim->job_count++)
		sim->jobs[sim->job_count] = (struct sim_job){0};
}

/* What has become of a job since it was looked at last. */
static void check_move(struct sim *sim, size_t place, const struct sim_job *before)
{
	const struct model_job *job = &sim->store.queue.jobs[place];
	if (before->place >= MODEL_DONE && job->place != before->place)
		sim_fail(sim, INVARIANT_JOB_ENDED, "job %zu had ended, and changed", place);
	else if (before->place < MODEL_DONE && job->done_token != 0 &&
		 (before->place != MODEL_LEASED || before->token != job->done_token))
		sim_fail(sim, INVARIANT_LEASED_RESULT,
			 "job %zu has a result of a lease that it does not have", place);
	if (job->place == MODEL_LOST && before->losses <= MODEL_LOSSES_MAX)
		sim_fail(sim, INVARIANT_LOSS_BUDGET, "job %zu was given up after %u losses", place,
			 before->losses);
	if (job->rescues == before->rescues || sim->jump_count > 0)
		return;
	const struct host *host = find_host(sim, before->worker_id);
	if (host != NULL && host_runs(host, place, before->token))
		sim_fail(sim, INVARIANT_RESCUED_RUN,
			 "job %zu was rescued while worker %lld still ran it", place,
			 (long long)before->worker_id);
}

static void check_job(struct sim *sim, size_t place)
{
	const struct model_job *job = &sim->store.queue.jobs[place];
	struct sim_job *known = &sim->jobs[place];
	if (job->results > 1)
		sim_fail(sim, INVARIANT_ONE_RESULT, "job %zu has %u results", place, job->results);
	if (job->place == MODEL_NOWHERE)
		sim_fail(sim, INVARIANT_JOB_KEPT, "job %zu is nowhere", place);
	if (job->place == MODEL_LEASED && !lives(model_store_row(&sim->store, job->worker_id)))
		sim_fail(sim, INVARIANT_LIVING_LEASE,
			 "job %zu is leased by a worker that has ended", place);
	/* Only losses lead there; a lease may have come and gone within one event. */
	known->losses += known->place != job->place &&
			 (job->place == MODEL_DELAYED || job->place == MODEL_LOST);
	check_move(sim, place, known);
	known->place = job->place;
	known->worker_id = job->worker_id;
	known->token = job->token;
	known->rescues = job->rescues;
}

/* A batch keeps to its limit. */
static void check_batches(struct sim *sim)
{
	const struct model_queue *queue = &sim->store.queue;
	for (size_t i = 0; i < queue->batch_count; i++) {
		uint64_t inside = 0;
		for (size_t j = queue->jobs_ended; j < queue->job_count; j++)
			inside += queue->jobs[j].batch == i + 1 &&
				  (queue->jobs[j].place == MODEL_READY ||
				   queue->jobs[j].place == MODEL_LEASED);
		if (inside > queue->batches[i].limit)
			sim_fail(sim, INVARIANT_PARALLEL, "%llu jobs of batch %zu may run, of %llu",
				 (unsigned long long)inside, i,
				 (unsigned long long)queue->batches[i].limit);
	}
}

static void check_jobs(struct sim *sim)
{
	if (sim->moves == sim->store.queue.moves)
		return;
	sim->moves = sim->store.queue.moves;
	add_jobs(sim);
	for (size_t i = 0; i < sim->store.queue.job_count; i++)
		check_job(sim, i);
	check_batches(sim);
}

/* A process whose lease has ended: its worker hears so, or fences itself. */
static void check_stray(struct sim *sim, const struct host *host, const struct model_lease *lease)
{
	struct sim_job *job = &sim->jobs[lease->job];
	if (job->stray_token != lease->token) {
		job->stray_token = lease->token;
		job->stray_since_us = sim->now_us;
	} else if (sim->now_us - job->stray_since_us > STRAY_MAX_US) {
		sim_fail(sim, INVARIANT_STOPPED, "worker %lld still runs job %zu without a lease",
			 (long long)host->worker_id, lease->job);
	}
}

/* Notes that the host holds valid leases, which nobody else may. */
static void check_holder(struct sim *sim, const struct host *host)
{
	const struct roster *roster = host_roster(host);
	for (size_t i = 0; roster != NULL && i < roster->count; i++) {
		const struct lease_id *id = run_lease(roster->runs[i]);
		const struct model_lease lease = {.job = (size_t)id->job_id,
						  .attempt = (uint32_t)id->attempt,
						  .token = (uint64_t)id->token};
		struct sim_job *job = &sim->jobs[lease.job];
		if (!model_store_holds(&sim->store, host->worker_id, &lease)) {
			if (run_state(roster->runs[i]) == RUN_RUNNING)
				check_stray(sim, host, &lease);
			continue;
		}
		if (job->unwanted_since_us != 0 && run_state(roster->runs[i]) == RUN_RUNNING &&
		    sim->now_us - job->unwanted_since_us > STRAY_MAX_US)
			sim_fail(sim, INVARIANT_STOPPED, "worker %lld still runs cancelled job %zu",
				 (long long)host->worker_id, lease.job);
		if (job->held_at == sim->looks)
			sim_fail(sim, INVARIANT_ONE_LEASE, "job %zu has two valid leases",
				 lease.job);
		job->held_at = sim->looks;
	}
}

/* Of all that workers hold, as far as they know, a completion of one at most would be recorded. */
static void check_leases(struct sim *sim)
{
	sim->looks++;
	while (sim->hosts_gone < sim->host_count &&
	       (sim->hosts[sim->hosts_gone] == NULL || sim->hosts[sim->hosts_gone]->is_dead))
		sim->hosts_gone++;
	for (size_t i = sim->hosts_gone; i < sim->host_count; i++) {
		if (sim->hosts[i] != NULL)
			check_holder(sim, sim->hosts[i]);
	}
}

/* Everybody who looks must see that it is well, also one who stood still since he looked. */
static bool is_healthy(const struct sim *sim, const struct host *host, const struct model_row *row)
{
	return host != NULL && host->has_standing && host->line.incarnation == row->incarnation &&
	       model_store_now(&sim->store) - row->worker.joined_us > SHAKEN_US &&
	       sim->now_us - host->line.contact_us < HEALTHY_US &&
	       sim->now_us >= host->line.cut_off_us && sim->now_us > sim->shaken_us + SHAKEN_US;
}

static void check_end(struct sim *sim, const struct model_row *row)
{
	const struct host *host = find_host(sim, row->worker.id);
	size_t job = 0;
	sim_note(sim, "worker ended", row->worker.id, row->worker.state);
	if (row->worker.state == WORKER_TERMINATED && row->worker.drain_us == 0)
		sim_fail(sim, INVARIANT_WORKER_WANTED,
			 "worker %lld has left or was ended though it did not drain",
			 (long long)row->worker.id);
	if (!is_healthy(sim, host, row))
		return;
	if (row->worker.state == WORKER_DEAD)
		sim_fail(sim, INVARIANT_WORKER_WELL, "worker %lld was given up though it is well",
			 (long long)row->worker.id);
	if (row->worker.state == WORKER_TERMINATED && host_is_busy(host, &job))
		sim_fail(sim, INVARIANT_RUNNING_JOB, "worker %lld was ended while it ran job %zu",
			 (long long)row->worker.id, job);
}

static void check_rows(struct sim *sim)
{
	if (sim->worker_count < sim->store.row_count) {
		sim->worker_states = xreallocarray(sim->worker_states, sim->store.row_count,
						   sizeof(*sim->worker_states));
		for (; sim->worker_count < sim->store.row_count; sim->worker_count++)
			sim->worker_states[sim->worker_count] = WORKER_PROVISIONING;
	}
	for (size_t i = sim->store.rows_closed; i < sim->store.row_count; i++) {
		const struct model_row *row = &sim->store.rows[i];
		enum worker_state before = sim->worker_states[i];
		if (before == row->worker.state)
			continue;
		if (before > WORKER_DRAINING)
			sim_fail(sim, INVARIANT_WORKER_ENDED, "worker %zu had ended, and changed",
				 i + 1);
		sim->worker_states[i] = row->worker.state;
		if (!lives(row))
			check_end(sim, row);
	}
}

static void check_servers(struct sim *sim)
{
	uint64_t count = model_cloud_count(&sim->cloud);
	if (count > sim->max)
		sim_fail(sim, INVARIANT_MAXIMUM, "there are %llu servers, at most %llu are allowed",
			 (unsigned long long)count, (unsigned long long)sim->max);
	if (sim->cloud.foreign_touched)
		sim_fail(sim, INVARIANT_FOREIGN, "a foreign server was deleted");
	if (sim->stray_count < sim->cloud.server_count) {
		sim->stray_since_us = xreallocarray(sim->stray_since_us, sim->cloud.server_count,
						    sizeof(*sim->stray_since_us));
		for (; sim->stray_count < sim->cloud.server_count; sim->stray_count++)
			sim->stray_since_us[sim->stray_count] = 0;
	}
	for (size_t i = 0; i < sim->cloud.server_count; i++) {
		const struct model_server *server = &sim->cloud.servers[i];
		bool is_useful = server->is_foreign || !model_cloud_exists(&sim->cloud, i) ||
				 lives(model_store_row(&sim->store, server->worker_id));
		int64_t *since_us = &sim->stray_since_us[i];
		if (is_useful)
			*since_us = 0;
		else if (*since_us == 0)
			*since_us = sim->now_us;
		else if (sim->now_us - *since_us > USELESS_MAX_US)
			sim_fail(sim, INVARIANT_PURPOSE,
				 "server %zu exists without purpose for too long", i);
	}
}

void checks_run(struct sim *sim)
{
	check_jobs(sim);
	check_leases(sim);
	check_rows(sim);
	check_servers(sim);
}

void checks_on_changed(struct sim *sim, const struct sim_orchestrator *orchestrator)
{
	if (sim->store.leader != orchestrator->store_session.id)
		sim_fail(sim, INVARIANT_FENCE,
			 "orchestrator %zu changed something though it was replaced",
			 orchestrator->index);
}

void checks_on_created(struct sim *sim, size_t server)
{
	int64_t limit_micros = sim->spend_limit_micros;
	int64_t jump_us = sim->store.clock_jump_us;
	int64_t until_us = sim->now_us - MONEY_SLACK_US - (jump_us < 0 ? -jump_us : jump_us);
	int64_t micros =
		model_cloud_bill(&sim->cloud, until_us) + sim->cloud.servers[server].price_micros;
	if (limit_micros > 0 && micros > limit_micros)
		sim_fail(sim, INVARIANT_SPENDING, "a server was created for %lld of %lld",
			 (long long)micros, (long long)limit_micros);
}

void checks_on_deleting(struct sim *sim, size_t server)
{
	int64_t worker_id = sim->cloud.servers[server].worker_id;
	sim_note(sim, "deleting", (int64_t)server, worker_id);
	if (lives(model_store_row(&sim->store, worker_id)))
		sim_fail(sim, INVARIANT_SERVED, "the server of living worker %lld was deleted",
			 (long long)worker_id);
}

bool checks_are_done(struct sim *sim)
{
	if (model_queue_has_work(&sim->store.queue))
		return false;
	for (size_t i = 0; i < sim->cloud.server_count; i++) {
		if (!sim->cloud.servers[i].is_foreign && model_cloud_exists(&sim->cloud, i))
			return false;
	}
	for (size_t i = 0; i < sim->store.row_count; i++) {
		const struct model_row *row = &sim->store.rows[i];
		if (lives(row) || (row->worker.server_id != 0 && !row->is_gone))
			return false;
	}
	return true;
}

/* What was booked for a server, against its bill. Not knowing when a server went (somebody else
 * deleted it, or the answer was lost), the ledger errs on the side of more. */
static void check_bill(struct sim *sim, const struct model_row *row)
{
	const struct fleet_worker *worker = &row->worker;
	const struct model_server *server =
		&sim->cloud.servers[worker->server_id - model_cloud_id(0)];
	uint64_t hours =
		billing_hours_started(server->created_us, server->ordered_us, BILLING_HOUR_US);
	bool is_exact = sim->jump_count == 0 && worker->delete_us == server->ordered_us;
	if (worker->hours_booked < hours || (is_exact && worker->hours_booked != hours))
		sim_fail(sim, INVARIANT_LEDGER, "worker %lld: %u hours booked, %llu billed",
			 (long long)worker->id, worker->hours_booked, (unsigned long long)hours);
}

void checks_at_end(struct sim *sim)
{
	int64_t micros = 0;
	if (!sim->is_over) {
		sim_fail(sim, INVARIANT_END, "it does not come to an end");
		return;
	}
	for (size_t i = 0; i < sim->store.row_count; i++) {
		const struct model_row *row = &sim->store.rows[i];
		if (row->worker.server_id != 0)
			check_bill(sim, row);
		micros += billing_cost(row->worker.price_hour_micros, row->worker.hours_booked);
	}
	if (micros != sim->store.booked_micros)
		sim_fail(sim, INVARIANT_LEDGER, "the ledger has %lld of %lld",
			 (long long)sim->store.booked_micros, (long long)micros);
}
