#include "base/check.h"
#include "fleet/sim.h"

static uint64_t maybe(struct prng *prng, uint64_t permille_max)
{
	return prng_chance(prng, 500) ? 1 + prng_below(prng, permille_max) : 0;
}

static void choose_policy(struct sim *sim)
{
	struct prng *prng = &sim->prng;
	struct fleet_policy *policy = &sim->policy;
	fleet_policy_default(policy);
	policy->max = 1 + prng_below(prng, 6);
	policy->min = prng_below(prng, 2);
	policy->warm = prng_below(prng, 2);
	policy->slots = 1 + (uint32_t)prng_below(prng, HOST_SLOTS_MAX);
	policy->start_deadline_ms = 300000;
	policy->orphan_ms = 300000;
	policy->bake_ms = 600000;
	policy->cool_withdrawn_ms = 600000;
	policy->cool_no_start_ms = 120000;
	policy->cool_sold_out_ms = 60000;
	policy->quota_pause_ms = 60000;
	policy->creations_max = 1 + prng_below(prng, 8);
	if (prng_chance(prng, 300))
		policy->age_max_ms = 1800000;
	if (prng_chance(prng, 300))
		policy->network_limit = policy->max;
	if (prng_chance(prng, 300))
		policy->spend_limit_micros = 8800 * prng_between(prng, 1, 12);
	sim->spend_limit_micros = policy->spend_limit_micros;
	if (sim->store.plant == PLANT_SPENDTHRIFT)
		policy->spend_limit_micros = 0;
	sim->max = policy->max;
	if (sim->store.plant == PLANT_ONE_TOO_MANY)
		policy->max++;
}

void faults_choose(struct sim *sim)
{
	struct prng *prng = &sim->prng;
	static const char *const locations[MODEL_CHOICES_MAX] = {"nbg1", "hel1", "fsn1"};
	choose_policy(sim);
	sim->faults = (struct sim_faults){
		.store_before = maybe(prng, 20),
		.store_after = maybe(prng, 20),
		.crash = maybe(prng, 4),
		.stall = maybe(prng, 2),
		.cloud = {.before = maybe(prng, 100),
			  .partial = maybe(prng, 100),
			  .unknown = maybe(prng, 100),
			  .after = maybe(prng, 200),
			  .omits = maybe(prng, 100),
			  .lags = maybe(prng, 400),
			  .action_fails = maybe(prng, 200),
			  .delete_fails = maybe(prng, 200),
			  .slow_boot = maybe(prng, 300),
			  .no_boot = maybe(prng, 200)},
		.hosts = {.before = maybe(prng, 20),
			  .after = maybe(prng, 20),
			  .late = maybe(prng, 200),
			  .slow = maybe(prng, 50)},
		.hints = maybe(prng, 300),
	};
	bool *const classes[] = {
		&sim->faults.outages,	  &sim->faults.jumps,	  &sim->faults.sell_outs,
		&sim->faults.withdrawals, &sim->faults.quotas,	  &sim->faults.prices,
		&sim->faults.vanishing,	  &sim->faults.pauses,	  &sim->faults.provider_outages,
		&sim->faults.orphans,	  &sim->faults.kills,	  &sim->faults.host_crashes,
		&sim->faults.partitions,  &sim->faults.operators, &sim->faults.networks,
		&sim->faults.cancels,	  &sim->faults.limits,	  &sim->faults.stops,
	};
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		*classes[i] = prng_chance(prng, 500);
	sim->cloud.faults = sim->faults.cloud;
	sim->cloud.choice_count = 1 + prng_below(prng, MODEL_CHOICES_MAX);
	for (size_t i = 0; i < sim->cloud.choice_count; i++) {
		struct fleet_choice *choice = &sim->cloud.choices[i];
		(void)snprintf(choice->server_type, sizeof(choice->server_type), "cx23");
		(void)snprintf(choice->location, sizeof(choice->location), "%s", locations[i]);
		choice->price_hour_micros = 8800;
	}
}

static size_t random_server(struct sim *sim)
{
	return (size_t)prng_below(&sim->prng, sim->cloud.server_count);
}

static void struck(struct sim *sim, enum fault_kind kind, int64_t what)
{
	fault_struck(&sim->struck, kind);
	sim_note(sim, fault_kind_name(kind), what, 0);
}

static void strike_store(struct sim *sim, uint64_t kind)
{
	struct prng *prng = &sim->prng;
	if (kind == 0 && sim->faults.outages) {
		sim->store_down_until_us = sim->now_us + prng_between(prng, 1, 60) * SIM_SECOND_US;
		model_store_restart(&sim->store, sim->store_down_until_us);
		sim->shaken_us = sim->store_down_until_us;
		struck(sim, FAULT_STORE_RESTART, sim->store_down_until_us);
	}
	if (kind == 1 && sim->faults.jumps) {
		int64_t jump_us = prng_between(prng, -120, 120) * SIM_SECOND_US;
		sim->store.clock_jump_us += jump_us;
		sim->shaken_us = sim->now_us;
		sim->jump_count++;
		struck(sim, jump_us < 0 ? FAULT_CLOCK_BACK : FAULT_CLOCK_FORWARD, jump_us);
	}
	if (kind == 2 && sim->faults.pauses) {
		sim->store.is_paused = !sim->store.is_paused;
		struck(sim, FAULT_PAUSE, sim->store.is_paused);
	}
}

static void change_limit(uint64_t *limit, struct prng *prng, uint64_t none)
{
	*limit = *limit == none ? 1 + prng_below(prng, 4) : none;
}

static void change_price(struct sim *sim, size_t choice)
{
	sim->cloud.choices[choice].price_hour_micros = prng_between(&sim->prng, 4000, 12000);
	struck(sim, FAULT_PRICE, (int64_t)choice);
}

static void strike_provider(struct sim *sim, uint64_t kind)
{
	struct prng *prng = &sim->prng;
	size_t choice = (size_t)prng_below(prng, sim->cloud.choice_count);
	if (kind == 3 && sim->faults.sell_outs)
		sim->cloud.sold_out[choice] = !sim->cloud.sold_out[choice];
	if (kind == 4 && sim->faults.withdrawals)
		sim->cloud.withdrawn[choice] = !sim->cloud.withdrawn[choice];
	if (kind == 5 && sim->faults.quotas)
		change_limit(&sim->cloud.quota, prng, UINT64_MAX);
	if (kind == 9 && sim->faults.networks)
		change_limit(&sim->cloud.network_limit, prng, 0);
	if (kind == 6 && sim->faults.prices)
		change_price(sim, choice);
	if (kind == 7 && sim->faults.provider_outages)
		sim->provider_away_until_us =
			sim->now_us + prng_between(prng, 1, 120) * SIM_SECOND_US;
	if (kind == 8 && sim->faults.orphans && sim->cloud.server_count < 20) {
		size_t server =
			model_cloud_add_server(&sim->cloud, prng_chance(prng, 500) ? 0 : 9999);
		sim->cloud.servers[server].is_planted = true;
		sim->cloud.servers[server].is_builder = prng_chance(prng, 250);
		struck(sim, sim->cloud.servers[server].is_builder ? FAULT_BUILDER : FAULT_ORPHAN,
		       (int64_t)server);
	}
	sim_note(sim, "provider", (int64_t)kind, (int64_t)choice);
}

static void vanish(struct sim *sim, size_t place)
{
	struct model_server *server = &sim->cloud.servers[place];
	const struct model_row *row = model_store_row(&sim->store, server->worker_id);
	if (server->is_foreign || server->is_planted || server->deleted_us != 0)
		return;
	server->is_unknown = row == NULL || row->worker.server_id == 0;
	model_cloud_vanish(&sim->cloud, place);
	struck(sim, FAULT_VANISH, (int64_t)place);
}

static void switch_off(struct sim *sim, size_t place)
{
	struct model_server *server = &sim->cloud.servers[place];
	if (server->is_off || sim->hosts[place]->is_dead)
		return;
	server->is_off = true;
	host_die(sim->hosts[place]);
	struck(sim, FAULT_SWITCHED_OFF, (int64_t)place);
}

static void strike_hosts(struct sim *sim, uint64_t kind)
{
	struct prng *prng = &sim->prng;
	if (sim->cloud.server_count == 0)
		return;
	size_t place = random_server(sim);
	struct host *host = place < sim->host_count ? sim->hosts[place] : NULL;
	if (kind == 10 && sim->faults.vanishing && host != NULL && prng_chance(prng, 500))
		switch_off(sim, place);
	else if (kind == 10 && sim->faults.vanishing)
		vanish(sim, place);
	if (host == NULL || host->agent == NULL)
		return;
	if (kind == 11 && sim->faults.host_crashes) {
		host_crash(host);
		sim_run_host(sim, place);
		struck(sim, FAULT_WORKER_CRASH, (int64_t)place);
	}
	if (kind == 12 && sim->faults.partitions) {
		host_cut_off(host, sim->now_us + prng_between(prng, 1, 90) * SIM_SECOND_US);
		struck(sim, FAULT_WORKER_CUT_OFF, (int64_t)place);
	}
}

/* A worker that lives; half of the time one that drains, if there is one. */
static const struct fleet_worker *random_worker(struct sim *sim)
{
	const struct model_store *store = &sim->store;
	size_t first = store->rows_closed;
	size_t count = store->row_count - first;
	if (count == 0)
		return NULL;
	size_t start = (size_t)prng_below(&sim->prng, count);
	bool is_choosy = prng_chance(&sim->prng, 500);
	for (size_t i = 0; i < count && is_choosy; i++) {
		const struct model_row *row = &store->rows[first + (start + i) % count];
		if (row->worker.state == WORKER_DRAINING)
			return &row->worker;
	}
	return &store->rows[first + start].worker;
}

/* Everybody is asked to beat, as the database does; some do not hear it. */
static void call_hosts(struct sim *sim, int64_t worker_id)
{
	for (size_t i = sim->hosts_gone; i < sim->host_count; i++) {
		if (sim->hosts[i] == NULL ||
		    (worker_id != 0 && sim->hosts[i]->worker_id != worker_id))
			continue;
		if (prng_chance(&sim->prng, sim->faults.hints)) {
			struck(sim, FAULT_HINT_LOST, sim->hosts[i]->worker_id);
			continue;
		}
		host_call(sim->hosts[i]);
		sim_run_host(sim, i);
	}
}

/* No fault: somebody changes the configuration, or shuts the grid down for a while. What exists may
 * stay beyond a maximum that was lowered, so it is the first one that is never exceeded. */
static void strike_grid(struct sim *sim, uint64_t kind)
{
	size_t place = (size_t)prng_below(&sim->prng, SIM_ORCHESTRATORS);
	if (kind == 16 && sim->faults.limits) {
		sim->policy.max = 1 + prng_below(&sim->prng, sim->max);
		struck(sim, FAULT_LOWERED, (int64_t)sim->policy.max);
	}
	if (kind == 17 && sim->faults.stops) {
		orchestrator_stop(&sim->orchestrators[place],
				  prng_between(&sim->prng, 5, 120) * SIM_SECOND_US);
		struck(sim, FAULT_STOP, (int64_t)place);
	}
}

static void take_back(struct sim *sim, int64_t worker_id)
{
	model_store_operator_undrain(&sim->store, worker_id);
	struck(sim, FAULT_UNDRAIN, worker_id);
	call_hosts(sim, worker_id);
}

void faults_regret(struct sim *sim, size_t worker_id)
{
	const struct model_row *row = model_store_row(&sim->store, (int64_t)worker_id);
	if (row->worker.state == WORKER_DRAINING)
		take_back(sim, row->worker.id);
}

/* No fault: somebody drains a worker, or takes one back that drains for whatever reason. Some think
 * better of it while the worker is on its way out. */
static void strike_workers(struct sim *sim)
{
	const struct fleet_worker *worker = random_worker(sim);
	if (!sim->faults.operators || worker == NULL)
		return;
	if (worker->state == WORKER_DRAINING) {
		take_back(sim, worker->id);
	} else if (worker->state < WORKER_DRAINING) {
		model_store_operator_drain(&sim->store, worker->id);
		struck(sim, FAULT_DRAIN, worker->id);
		struct event event = {.at_us = sim->now_us +
					       prng_between(&sim->prng, 0, 8 * SIM_SECOND_US),
				      .kind = EVENT_REGRET,
				      .who = (size_t)worker->id};
		if (prng_chance(&sim->prng, 500))
			timeline_add(&sim->timeline, event);
	}
}

/* No fault: a user has thought better of it. */
static void strike_jobs(struct sim *sim)
{
	const struct model_queue *queue = &sim->store.queue;
	if (!sim->faults.cancels || queue->job_count == queue->jobs_ended)
		return;
	size_t job = queue->jobs_ended +
		     (size_t)prng_below(&sim->prng, queue->job_count - queue->jobs_ended);
	int verdict = job < sim->job_count ? model_queue_cancel(&sim->store.queue, job) : 3;
	if (verdict == 3)
		return;
	struck(sim, FAULT_CANCEL, (int64_t)job);
	if (verdict == 1)
		return;
	sim->jobs[job].unwanted_since_us = sim->now_us;
	call_hosts(sim, 0);
}

void faults_strike(struct sim *sim)
{
	uint64_t kind = prng_below(&sim->prng, 18);
	size_t place = (size_t)prng_below(&sim->prng, SIM_ORCHESTRATORS);
	strike_store(sim, kind);
	if (kind >= 3 && kind <= 9)
		strike_provider(sim, kind);
	if (kind >= 10 && kind <= 12)
		strike_hosts(sim, kind);
	if (kind == 13)
		strike_workers(sim);
	if (kind == 15)
		strike_jobs(sim);
	strike_grid(sim, kind);
	if (kind == 14 && sim->faults.kills) /* at its next call */
		sim->orchestrators[place].crashed = true;
}

void faults_end(struct sim *sim)
{
	sim->faults = (struct sim_faults){0};
	sim->cloud.faults = (struct model_cloud_faults){0};
	sim->cloud.quota = UINT64_MAX;
	sim->cloud.network_limit = 0;
	for (size_t i = 0; i < MODEL_CHOICES_MAX; i++) {
		sim->cloud.sold_out[i] = false;
		sim->cloud.withdrawn[i] = false;
	}
	sim->store.is_paused = false;
	sim->store_down_until_us = 0;
	sim->provider_away_until_us = 0;
	sim->policy.max = sim->max;
	sim->policy.min = 0;
	sim->policy.warm = 0;
	sim->policy.spend_limit_micros = 0;
	sim->spend_limit_micros = 0;
	for (size_t i = 0; i < sim->host_count; i++) {
		if (sim->hosts[i] != NULL)
			sim->hosts[i]->line.cut_off_us = 0;
	}
}
