#include "fleet/host.h"

#include "base/check.h"

#define SECOND_US  INT64_C(1000000)
#define RESTART_US (2 * SECOND_US)

static void kill_jobs(struct host *host)
{
	host->run_count = 0;
}

void host_crash(struct host *host, int64_t now_us)
{
	kill_jobs(host);
	host->incarnation = 0;
	host->starting_us = now_us + RESTART_US;
}

void host_cut_off(struct host *host, int64_t until_us)
{
	if (until_us > host->cut_off_us)
		host->cut_off_us = until_us;
}

/* The worker has to join anew, if it still may. */
static void lose_standing(struct host *host, const struct host_faults *faults, enum fault_kind why)
{
	fault_struck(faults->counts, why);
	kill_jobs(host);
	host->incarnation = 0;
}

static bool loses_answer(struct prng *prng, const struct host_faults *faults)
{
	bool is_lost = prng_chance(prng, faults->after);
	if (is_lost)
		fault_struck(faults->counts, FAULT_CALL_ANSWER);
	return is_lost;
}

static bool reaches(const struct host *host, struct prng *prng, const struct host_faults *faults,
		    int64_t now_us)
{
	if (now_us < host->cut_off_us || faults->store_is_down)
		return false;
	if (!prng_chance(prng, faults->before))
		return true;
	fault_struck(faults->counts, FAULT_CALL_LOST);
	return false;
}

static void join(struct host *host, struct model_store *store, struct prng *prng,
		 const struct host_faults *faults, int64_t now_us)
{
	uint32_t incarnation = 0;
	if (model_store_join(store, host->worker_id, host->slots, &incarnation) < 0) {
		host->is_dead = true; /* not part of the fleet: it powers itself off */
		return;
	}
	if (loses_answer(prng, faults))
		return;
	host->incarnation = incarnation;
	host->is_draining = false;
	host->waits = false;
	host->contact_us = now_us;
	host->beat_us = now_us + (int64_t)HEARTBEAT_MS * 1000;
}

static void beat(struct host *host, struct model_store *store, struct prng *prng,
		 const struct host_faults *faults, int64_t now_us)
{
	struct model_lease leases[HOST_SLOTS_MAX];
	bool stop[HOST_SLOTS_MAX] = {0};
	bool drain = false;
	size_t kept = 0;
	for (size_t i = 0; i < host->run_count; i++)
		leases[i] = host->runs[i].lease;
	if (model_store_heartbeat(store, host->worker_id, host->incarnation, leases,
				  host->run_count, stop, &drain) < 0) {
		lose_standing(host, faults, FAULT_WORKER_GIVEN_UP);
		return;
	}
	if (loses_answer(prng, faults))
		return;
	host->contact_us = now_us;
	host->beat_us = now_us + (int64_t)HEARTBEAT_MS * 1000;
	host->is_draining = drain;
	host->waits = false;
	for (size_t i = 0; i < host->run_count; i++) {
		if (!stop[i])
			host->runs[kept++] = host->runs[i];
	}
	host->run_count = kept;
}

#define LATE_US (60 * SECOND_US)

static void deliver_late(struct host *host, struct model_store *store,
			 const struct host_faults *faults, int64_t now_us)
{
	enum model_verdict verdict = 0;
	if (host->late_us == 0 || now_us < host->late_us)
		return;
	host->late_us = 0;
	fault_struck(faults->counts, FAULT_CALL_LATE);
	/* The worker does not hear the answer. */
	(void)!model_store_complete(store, host->worker_id, host->late_incarnation,
				    &host->late_lease, &verdict);
}

static void complete(struct host *host, struct model_store *store, struct prng *prng,
		     const struct host_faults *faults, int64_t now_us)
{
	for (size_t i = 0; i < host->run_count; i++) {
		struct host_run *run = &host->runs[i];
		enum model_verdict verdict = 0;
		if (run->is_running || !reaches(host, prng, faults, now_us))
			continue;
		if (host->late_us == 0 && prng_chance(prng, faults->late)) {
			host->late_lease = run->lease;
			host->late_incarnation = host->incarnation;
			host->late_us = now_us + LATE_US;
			host_cut_off(host, now_us + LATE_US / 2); /* the cause of it */
			return;
		}
		if (model_store_complete(store, host->worker_id, host->incarnation, &run->lease,
					 &verdict) < 0) {
			lose_standing(host, faults, FAULT_WORKER_GIVEN_UP);
			return;
		}
		if (loses_answer(prng, faults))
			continue; /* told again: it is recorded already then */
		host->runs[i--] = host->runs[--host->run_count];
	}
}

static void claim(struct host *host, struct model_store *store, struct prng *prng,
		  const struct host_faults *faults, int64_t now_us)
{
	struct model_lease leases[HOST_SLOTS_MAX];
	size_t count = 0;
	if (host->is_draining || host->run_count == host->slots)
		return;
	if (model_store_claim(store, host->worker_id, host->incarnation,
			      host->slots - host->run_count, leases, &count) < 0) {
		lose_standing(host, faults, FAULT_WORKER_GIVEN_UP);
		return;
	}
	if (loses_answer(prng, faults))
		return; /* its heartbeats do not name them: they are given back */
	for (size_t i = 0; i < count; i++)
		host->runs[host->run_count++] = (struct host_run){
			.lease = leases[i],
			.ends_us = now_us + store->queue.jobs[leases[i].job].duration_us,
			.is_running = true};
}

/* What it believes of draining may be as old as its last heartbeat. */
static void leave(struct host *host, struct model_store *store, struct prng *prng,
		  const struct host_faults *faults)
{
	enum model_leaving leaving = MODEL_WAIT;
	if (!host->is_draining || host->run_count > 0 || host->waits)
		return;
	if (model_store_leave(store, host->worker_id, host->incarnation, &leaving) < 0) {
		lose_standing(host, faults, FAULT_WORKER_GIVEN_UP);
		return;
	}
	if (loses_answer(prng, faults))
		return; /* asks again, and is refused if it has left */
	host->is_dead = leaving == MODEL_LEFT;
	host->waits = leaving == MODEL_WAIT;
	if (leaving == MODEL_STAY)
		host->is_draining = false;
}

void host_tick(struct host *host, struct model_store *store, struct prng *prng,
	       const struct host_faults *faults, int64_t now_us)
{
	bool was_draining = host->is_draining; /* it has heard so a moment ago */
	CHECK(host->slots <= HOST_SLOTS_MAX);
	deliver_late(host, store, faults, now_us);
	if (host->is_dead || now_us < host->starting_us)
		return;
	for (size_t i = 0; i < host->run_count; i++) {
		if (now_us >= host->runs[i].ends_us)
			host->runs[i].is_running = false;
	}
	/* Before its leases end elsewhere. */
	if (host->incarnation != 0 && now_us - host->contact_us > (int64_t)SELF_FENCE_MS * 1000)
		lose_standing(host, faults, FAULT_WORKER_FENCED);
	if (!reaches(host, prng, faults, now_us))
		return;
	if (host->incarnation == 0) {
		join(host, store, prng, faults, now_us);
		return;
	}
	if (now_us >= host->beat_us)
		beat(host, store, prng, faults, now_us);
	if (host->incarnation != 0)
		complete(host, store, prng, faults, now_us);
	if (host->incarnation != 0)
		claim(host, store, prng, faults, now_us);
	if (host->incarnation != 0 && was_draining)
		leave(host, store, prng, faults);
}

size_t host_leases(const struct host *host, struct model_lease ret[HOST_SLOTS_MAX])
{
	for (size_t i = 0; i < host->run_count; i++)
		ret[i] = host->runs[i].lease;
	return host->run_count;
}

bool host_runs(const struct host *host, size_t job, uint64_t token)
{
	for (size_t i = 0; i < host->run_count; i++) {
		const struct host_run *run = &host->runs[i];
		if (run->is_running && run->lease.job == job && run->lease.token == token)
			return true;
	}
	return false;
}

bool host_is_busy(const struct host *host, size_t *ret_job)
{
	for (size_t i = 0; i < host->run_count; i++) {
		if (!host->runs[i].is_running)
			continue;
		*ret_job = host->runs[i].lease.job;
		return true;
	}
	return false;
}
