#include "fleet/host.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/cleanup.h"

#define RESTART_US     INT64_C(2000000)
#define LOST_MS_MAX    (30ULL * 60 * 1000) /* as the orchestrator tells its machines */
#define REFUSED_MS_MAX (2ULL * 60 * 1000)

static int64_t now_us(const struct host *host)
{
	return *host->world->clock_us;
}

static void on_joined(void *context, int64_t worker_id, int32_t incarnation)
{
	struct host *host = context;
	(void)worker_id;
	(void)incarnation;
	host->has_standing = true;
}

static void on_fenced(void *context, const char *why)
{
	struct host *host = context;
	(void)why;
	host->has_standing = false;
	if (!host->line.was_refused)
		fault_struck(host->world->counts, FAULT_WORKER_FENCED);
}

static void on_ended(void *context, const struct error *failure)
{
	struct host *host = context;
	(void)failure;
	host->is_over = true;
}

static void on_up(void *context)
{
	struct host *host = context;
	agent_link_up(host->agent);
}

static void on_down(void *context, const struct error *err)
{
	struct host *host = context;
	agent_link_down(host->agent, err);
}

static void start(struct host *host)
{
	static const char *const unenforced[] = {NULL};
	const struct worker_link_options link = {.event = guest_loop_event(&host->loop),
						 .context = host,
						 .on_up = on_up,
						 .on_down = on_down};
	guest_loop_init(&host->loop, host->world->clock_us, host->world->prng,
			host->world->store->plant == PLANT_SLOW_CLOCK);
	guest_loop_enter(&host->loop);
	host->starting_us = INT64_MAX;
	host->link = guest_link_new(&link, &host->line);
	const struct agent_options agent = {
		.event = guest_loop_event(&host->loop),
		.link = host->link,
		.services = {.event = guest_loop_event(&host->loop), .link = host->link},
		.slots = host->slots,
		.unenforced = unenforced,
		.lost_ms_max = LOST_MS_MAX,
		.refused_ms_max = REFUSED_MS_MAX,
		.context = host,
		.on_joined = on_joined,
		.on_fenced = on_fenced,
		.on_ended = on_ended,
	};
	host->agent = agent_new(&agent);
}

static void stop(struct host *host)
{
	guest_loop_enter(&host->loop);
	worker_link_free(TAKE_PTR(host->link));
	agent_free(TAKE_PTR(host->agent));
	host->has_standing = false;
}

struct host *host_new(const struct host_world *world, int64_t worker_id, uint32_t slots,
		      int64_t starts_us)
{
	struct host *host = xcalloc(1, sizeof(*host));
	CHECK(slots <= HOST_SLOTS_MAX);
	host->world = world;
	host->worker_id = worker_id;
	host->slots = slots;
	host->starting_us = starts_us;
	host->line = (struct guest_line){.loop = &host->loop,
					 .store = world->store,
					 .worker_id = worker_id,
					 .faults = world->faults,
					 .counts = world->counts,
					 .store_down_until_us = world->store_down_until_us};
	return host;
}

void host_free(struct host *host)
{
	if (host == NULL)
		return;
	stop(host);
	free(host);
}

void host_run(struct host *host)
{
	guest_line_deliver(&host->line, now_us(host));
	if (now_us(host) >= host->starting_us && !host->is_dead)
		start(host);
	if (host->agent == NULL)
		return;
	guest_loop_run(&host->loop);
	if (host->is_over)
		stop(host);
}

int64_t host_next_us(const struct host *host)
{
	int64_t next_us = host->agent != NULL ? guest_loop_next_us(&host->loop) : INT64_MAX;
	if (host->starting_us < next_us && !host->is_dead)
		next_us = host->starting_us;
	if (host->line.straggler.due_us != 0 && host->line.straggler.due_us < next_us)
		next_us = host->line.straggler.due_us;
	return next_us;
}

void host_crash(struct host *host)
{
	if (host->agent == NULL)
		return;
	stop(host);
	host->starting_us = now_us(host) + RESTART_US;
}

void host_die(struct host *host)
{
	stop(host);
	host->is_dead = true;
}

void host_cut_off(struct host *host, int64_t until_us)
{
	if (until_us > host->line.cut_off_us)
		host->line.cut_off_us = until_us;
}

/* Of those who are not there, or have no connection, nobody hears. */
static bool listens(const struct host *host)
{
	return host->link != NULL && worker_link_is_up(host->link) &&
	       now_us(host) >= host->line.cut_off_us;
}

void host_wake(struct host *host)
{
	if (!listens(host))
		return;
	guest_loop_enter(&host->loop);
	agent_woken(host->agent);
}

void host_call(struct host *host)
{
	if (!listens(host))
		return;
	guest_loop_enter(&host->loop);
	agent_beat(host->agent);
}

const struct roster *host_roster(const struct host *host)
{
	return host->agent == NULL ? NULL : agent_roster(host->agent);
}

bool host_runs(const struct host *host, size_t job, uint64_t token)
{
	const struct roster *roster = host_roster(host);
	for (size_t i = 0; roster != NULL && i < roster->count; i++) {
		const struct run *run = roster->runs[i];
		if (run_state(run) == RUN_RUNNING && run_lease(run)->job_id == (int64_t)job &&
		    run_lease(run)->token == (int64_t)token)
			return true;
	}
	return false;
}

bool host_is_busy(const struct host *host, size_t *ret_job)
{
	const struct roster *roster = host_roster(host);
	for (size_t i = 0; roster != NULL && i < roster->count; i++) {
		if (run_state(roster->runs[i]) != RUN_RUNNING)
			continue;
		*ret_job = (size_t)run_lease(roster->runs[i])->job_id;
		return true;
	}
	return false;
}
