#include "fleet/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "core/limits.h"

#define FAULTS_MIN_S 1800
#define FAULTS_MAX_S 5400
#define SETTLE_US    (150 * SIM_MINUTE_US)

void sim_note(struct sim *sim, const char *what, int64_t a, int64_t b)
{
	uint64_t value = (uint64_t)sim->now_us ^ (uint64_t)a * 31 ^ (uint64_t)b * 1009;
	for (const char *at = what; *at != '\0'; at++)
		value = value * 131 + (unsigned char)*at;
	sim->hash = (sim->hash ^ value) * 0x100000001b3U;
	sim->hash ^= sim->hash >> 29;
	if (sim->is_traced)
		printf("%10.3f  %-18s %lld %lld\n", (double)(sim->now_us - SIM_START_US) / 1e6,
		       what, (long long)a, (long long)b);
}

void sim_fail(struct sim *sim, enum invariant broken, const char *format, ...)
{
	va_list arguments;
	if (sim->broken != INVARIANT_NONE)
		return;
	va_start(arguments, format);
	(void)vsnprintf(sim->failure, sizeof(sim->failure), format, arguments);
	va_end(arguments);
	sim->broken = broken;
	sim_note(sim, "FAILED", (int64_t)broken, 0);
}

static void add(struct sim *sim, enum event_kind kind, int64_t delay_us)
{
	struct event event = {.at_us = sim->now_us + delay_us, .kind = kind};
	timeline_add(&sim->timeline, event);
}

static void count_rule(struct sim *sim, int rule)
{
	CHECK(rule >= SIM_RULE_FIRST && rule < SIM_RULE_FIRST + SIM_RULES_MAX);
	sim->rules[rule - SIM_RULE_FIRST]++;
}

static void on_done(void *context, const struct fleet_done *done)
{
	struct sim *sim = context;
	if (done->action != NULL)
		count_rule(sim, done->action->rule);
	if (done->action != NULL)
		sim_note(sim, fleet_action_kind_name(done->action->kind), done->action->rule,
			 done->worker_id);
	if (sim->is_traced && done->err != NULL)
		printf("            %s\n", done->err->msg);
	if (sim->is_traced && done->message != NULL)
		printf("            %s\n", done->message);
}

static void plan_host(struct sim *sim, size_t place)
{
	struct host *host = sim->hosts[place];
	int64_t next_us = host_next_us(host);
	if (next_us == host->due_us || next_us == INT64_MAX)
		return;
	host->due_us = next_us;
	struct event event = {.at_us = next_us,
			      .kind = EVENT_HOST,
			      .who = place,
			      .generation = ++host->generation};
	timeline_add(&sim->timeline, event);
}

void sim_run_host(struct sim *sim, size_t place)
{
	struct host *host = sim->hosts[place];
	if (!model_cloud_exists(&sim->cloud, place) && !host->is_dead)
		host_die(host);
	host_run(host);
	if (host->is_over && !sim->cloud.servers[place].is_off) {
		sim->cloud.servers[place].is_off = true;
		fault_struck(&sim->struck, FAULT_POWERED_OFF);
	}
	plan_host(sim, place);
}

void sim_wake_hosts(struct sim *sim)
{
	for (size_t i = sim->hosts_gone; i < sim->host_count; i++) {
		if (sim->hosts[i] == NULL || sim->hosts[i]->agent == NULL)
			continue;
		if (prng_chance(&sim->prng, sim->faults.hints)) {
			fault_struck(&sim->struck, FAULT_HINT_LOST);
			continue;
		}
		host_wake(sim->hosts[i]);
		sim_run_host(sim, i);
	}
}

static void on_created(void *context, size_t server)
{
	struct sim *sim = context;
	checks_on_created(sim, server);
	sim->hosts = xreallocarray(sim->hosts, server + 1, sizeof(struct host *));
	for (; sim->host_count <= server; sim->host_count++)
		sim->hosts[sim->host_count] = NULL;
	sim->hosts[server] = host_new(&sim->host_world, sim->cloud.servers[server].worker_id,
				      sim->policy.slots, sim->cloud.servers[server].boots_us);
	sim_note(sim, "created", (int64_t)server, sim->cloud.servers[server].worker_id);
	plan_host(sim, server);
}

static void on_deleting(void *context, size_t server)
{
	checks_on_deleting(context, server);
}

/* Bursts of jobs, some of them long. */
static void submit(struct sim *sim)
{
	struct prng *prng = &sim->prng;
	if (sim->now_us >= sim->submit_until_us)
		return;
	struct model_queue *queue = &sim->store.queue;
	struct model_job job = {.cpu_millis = 1000,
				.memory_bytes = 512 * MIB,
				.submitted_us = model_store_now(&sim->store)};
	bool are_short = prng_chance(prng, 150); /* so short that workers claim ahead */
	if (prng_chance(prng, 200))
		job.batch = model_queue_add_batch(queue, 1 + prng_below(prng, 3));
	for (uint64_t i = 1 + prng_below(prng, are_short ? 40 : 8); i > 0; i--) {
		int64_t seconds = prng_chance(prng, 200) ? prng_between(prng, 60, 600)
							 : prng_between(prng, 1, 60);
		job.duration_us =
			are_short ? prng_between(prng, 10, 150) * 1000 : seconds * SIM_SECOND_US;
		(void)model_queue_submit(queue, &job);
	}
	sim_note(sim, "submitted", (int64_t)queue->job_count, 0);
	orchestrators_wake(sim);
	sim_wake_hosts(sim);
	add(sim, EVENT_SUBMIT, prng_between(prng, 30, 1200) * SIM_SECOND_US);
}

static void calm(struct sim *sim)
{
	int64_t work_us = 0;
	sim_note(sim, "calm", 0, 0);
	faults_end(sim);
	sim->is_calm = true;
	for (size_t i = 0; i < sim->store.queue.job_count; i++) {
		const struct model_job *job = &sim->store.queue.jobs[i];
		if (job->place < MODEL_DONE)
			work_us += job->duration_us;
	}
	sim->deadline_us = sim->now_us + SETTLE_US + 2 * work_us;
}

static void happen(struct sim *sim, const struct event *event)
{
	struct sim_orchestrator *orchestrator = NULL;
	switch (event->kind) {
	case EVENT_STEP:
		orchestrator = &sim->orchestrators[event->who];
		if (event->generation == orchestrator->chain && !orchestrator->in_step)
			orchestrator_step(orchestrator);
		return;
	case EVENT_SUBMIT:
		submit(sim);
		return;
	case EVENT_HOST:
		if (event->generation != sim->hosts[event->who]->generation)
			return;
		sim->hosts[event->who]->due_us = 0;
		sim_run_host(sim, event->who);
		return;
	case EVENT_FAULT:
		if (sim->is_calm)
			return;
		faults_strike(sim);
		add(sim, EVENT_FAULT, prng_between(&sim->prng, 1, 30) * SIM_SECOND_US);
		return;
	case EVENT_REGRET:
		faults_regret(sim, event->who);
		return;
	case EVENT_CALM:
		calm(sim);
		return;
	}
	UNREACHABLE();
}

void sim_pass(struct sim *sim, int64_t until_us)
{
	struct event event;
	sim->depth++;
	while (sim->broken == INVARIANT_NONE && timeline_next(&sim->timeline, until_us, &event)) {
		if (event.at_us > sim->now_us)
			sim->now_us = event.at_us;
		sim->cloud.is_away = sim->now_us < sim->provider_away_until_us;
		sim->events++;
		happen(sim, &event);
		checks_run(sim);
	}
	if (sim->now_us < until_us)
		sim->now_us = until_us;
	sim->depth--;
}

static void run_events(struct sim *sim)
{
	struct event event;
	while (sim->broken == INVARIANT_NONE && !sim->is_over &&
	       timeline_next(&sim->timeline, sim->deadline_us, &event)) {
		if (event.at_us > sim->now_us)
			sim->now_us = event.at_us;
		sim->cloud.is_away = sim->now_us < sim->provider_away_until_us;
		sim->events++;
		happen(sim, &event);
		checks_run(sim);
	}
}

static void add_foreign(struct sim *sim)
{
	for (int i = 0; i < 2; i++) {
		size_t server = model_cloud_add_server(&sim->cloud, 7000 + i);
		sim->cloud.servers[server].is_foreign = true;
	}
}

void sim_run(struct sim *sim, uint64_t seed, enum plant plant, bool is_traced)
{
	*sim = (struct sim){.seed = seed, .now_us = SIM_START_US, .is_traced = is_traced};
	prng_init(&sim->prng, seed);
	model_store_init(&sim->store, &sim->now_us);
	model_cloud_init(&sim->cloud, &sim->now_us, &sim->prng);
	sim->store.plant = plant;
	sim->store.queue.plant = plant;
	sim->store.faults = &sim->struck;
	sim->cloud.plant = plant;
	sim->cloud.counts = &sim->struck;
	sim->cloud.context = sim;
	sim->cloud.created = on_created;
	sim->cloud.deleting = on_deleting;
	sim->listener = (struct fleet_listener){.context = sim, .done = on_done};
	faults_choose(sim);
	sim->host_world = (struct host_world){.clock_us = &sim->now_us,
					      .prng = &sim->prng,
					      .store = &sim->store,
					      .counts = &sim->struck,
					      .faults = &sim->faults.hosts,
					      .store_down_until_us = &sim->store_down_until_us};
	log_init("rgrid-sim", LOG_LEVEL_ERROR); /* what happens to workers is no news here */
	add_foreign(sim);
	orchestrators_init(sim);
	int64_t faults_s = prng_between(&sim->prng, FAULTS_MIN_S, FAULTS_MAX_S);
	sim->calm_us = sim->now_us + faults_s * SIM_SECOND_US;
	sim->submit_until_us = sim->calm_us;
	sim->deadline_us = INT64_MAX;
	add(sim, EVENT_SUBMIT, prng_between(&sim->prng, 0, 600) * SIM_SECOND_US);
	add(sim, EVENT_FAULT, SIM_SECOND_US);
	add(sim, EVENT_CALM, faults_s * SIM_SECOND_US);
	run_events(sim);
	checks_at_end(sim);
}

void sim_release(struct sim *sim)
{
	orchestrators_release(sim);
	timeline_release(&sim->timeline);
	model_store_release(&sim->store);
	model_cloud_release(&sim->cloud);
	for (size_t i = 0; i < sim->host_count; i++)
		host_free(sim->hosts[i]);
	free(sim->hosts);
	free(sim->worker_states);
	free(sim->stray_since_us);
	free(sim->jobs);
}
