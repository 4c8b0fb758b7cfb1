#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "core/billing.h"
#include "fleet/sim.h"

#define USELESS_MAX_US (45 * SIM_MINUTE_US)
#define HEALTHY_US     (10 * SIM_SECOND_US)
#define SHAKEN_US      (60 * SIM_SECOND_US)
#define MONEY_SLACK_US (60 * SIM_SECOND_US)

static bool lives(const struct model_row *row)
{
	return row != NULL && row->worker.state <= WORKER_DRAINING;
}

/* Each job in one state, ended ones for good, leases only of living workers. */
static void check_jobs(struct sim *sim)
{
	if (sim->job_count < sim->store.job_count) {
		sim->job_states = xreallocarray(sim->job_states, sim->store.job_count,
						sizeof(*sim->job_states));
		for (; sim->job_count < sim->store.job_count; sim->job_count++)
			sim->job_states[sim->job_count] = 0;
	}
	for (size_t i = 0; i < sim->store.job_count; i++) {
		const struct model_job *job = &sim->store.jobs[i];
		if (job->results > 1)
			sim_fail(sim, "job %zu has %u results", i, job->results);
		if (sim->job_states[i] != 0 && job->state != sim->job_states[i])
			sim_fail(sim, "job %zu had ended, and changed", i);
		if (job->state >= MODEL_DONE)
			sim->job_states[i] = job->state;
		if (job->state == MODEL_LEASED &&
		    !lives(model_store_row(&sim->store, job->worker_id)))
			sim_fail(sim, "job %zu is leased by a worker that has ended", i);
	}
}

static const struct host *find_host(const struct sim *sim, int64_t worker_id)
{
	for (size_t i = sim->host_count; i > 0; i--) {
		if (sim->hosts[i - 1].worker_id == worker_id && !sim->hosts[i - 1].is_dead &&
		    model_cloud_exists(&sim->cloud, i - 1))
			return &sim->hosts[i - 1];
	}
	return NULL;
}

/* Everybody who looks must see that it is well, also one who stood still since he looked. */
static bool is_healthy(const struct sim *sim, const struct host *host, const struct model_row *row)
{
	return host != NULL && host->incarnation == row->incarnation &&
	       model_store_now(&sim->store) - row->worker.joined_us > SHAKEN_US &&
	       sim->now_us - host->contact_us < HEALTHY_US && sim->now_us >= host->cut_off_us &&
	       sim->now_us > sim->shaken_us + SHAKEN_US;
}

static void check_end(struct sim *sim, const struct model_row *row)
{
	const struct host *host = find_host(sim, row->worker.id);
	sim_note(sim, "worker ended", row->worker.id, row->worker.state);
	if (row->worker.state == WORKER_TERMINATED && row->worker.drain_us == 0)
		sim_fail(sim, "worker %lld has left or was ended though it did not drain",
			 (long long)row->worker.id);
	if (!is_healthy(sim, host, row))
		return;
	if (row->worker.state == WORKER_DEAD)
		sim_fail(sim, "worker %lld was given up though it is well",
			 (long long)row->worker.id);
	for (size_t i = 0; i < host->run_count && row->worker.state == WORKER_TERMINATED; i++) {
		if (host->runs[i].is_running)
			sim_fail(sim, "worker %lld was ended while it ran job %zu",
				 (long long)row->worker.id, host->runs[i].claim.job);
	}
}

static void check_rows(struct sim *sim)
{
	if (sim->shadow_count < sim->store.row_count) {
		sim->shadows =
			xreallocarray(sim->shadows, sim->store.row_count, sizeof(*sim->shadows));
		for (; sim->shadow_count < sim->store.row_count; sim->shadow_count++)
			sim->shadows[sim->shadow_count] =
				(struct sim_shadow){.state = WORKER_PROVISIONING};
	}
	for (size_t i = sim->store.rows_closed; i < sim->store.row_count; i++) {
		const struct model_row *row = &sim->store.rows[i];
		struct sim_shadow *shadow = &sim->shadows[i];
		if (shadow->state == row->worker.state)
			continue;
		if (shadow->state > WORKER_DRAINING)
			sim_fail(sim, "worker %zu had ended, and changed", i + 1);
		shadow->state = row->worker.state;
		if (!lives(row))
			check_end(sim, row);
	}
}

static void check_servers(struct sim *sim)
{
	uint64_t count = model_cloud_count(&sim->cloud);
	if (count > sim->max)
		sim_fail(sim, "there are %llu servers, at most %llu are allowed",
			 (unsigned long long)count, (unsigned long long)sim->max);
	if (sim->cloud.foreign_touched)
		sim_fail(sim, "a foreign server was deleted");
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
			sim_fail(sim, "server %zu exists without purpose for too long", i);
	}
}

void checks_run(struct sim *sim)
{
	check_jobs(sim);
	check_rows(sim);
	check_servers(sim);
}

void checks_on_created(struct sim *sim, size_t server)
{
	int64_t limit_micros = sim->policy.spend_limit_micros;
	int64_t jump_us = sim->store.clock_jump_us;
	int64_t until_us = sim->now_us - MONEY_SLACK_US - (jump_us < 0 ? -jump_us : jump_us);
	int64_t micros =
		model_cloud_bill(&sim->cloud, until_us) + sim->cloud.servers[server].price_micros;
	if (limit_micros > 0 && micros > limit_micros)
		sim_fail(sim, "a server was created for %lld of %lld", (long long)micros,
			 (long long)limit_micros);
}

void checks_on_deleting(struct sim *sim, size_t server)
{
	int64_t worker_id = sim->cloud.servers[server].worker_id;
	sim_note(sim, "deleting", (int64_t)server, worker_id);
	if (lives(model_store_row(&sim->store, worker_id)))
		sim_fail(sim, "the server of living worker %lld was deleted", (long long)worker_id);
}

bool checks_are_done(struct sim *sim)
{
	for (size_t i = 0; i < sim->store.job_count; i++) {
		if (sim->store.jobs[i].state < MODEL_DONE)
			return false;
	}
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
		sim_fail(sim, "worker %lld: %u hours booked, %llu billed", (long long)worker->id,
			 worker->hours_booked, (unsigned long long)hours);
}

void checks_at_end(struct sim *sim)
{
	int64_t micros = 0;
	if (!sim->is_over) {
		sim_fail(sim, "it does not come to an end");
		return;
	}
	for (size_t i = 0; i < sim->store.row_count; i++) {
		const struct model_row *row = &sim->store.rows[i];
		if (row->worker.server_id != 0)
			check_bill(sim, row);
		micros += billing_cost(row->worker.price_hour_micros, row->worker.hours_booked);
	}
	if (micros != sim->store.booked_micros)
		sim_fail(sim, "the ledger has %lld of %lld", (long long)sim->store.booked_micros,
			 (long long)micros);
}
