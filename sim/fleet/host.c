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

/* A call that is given up: the worker has to join anew, if it still may. */
static void be_given_up(struct host *host)
{
	kill_jobs(host);
	host->incarnation = 0;
}

static bool reaches(const struct host *host, struct prng *prng, const struct host_faults *faults,
		    int64_t now_us)
{
	return now_us >= host->cut_off_us && !faults->store_is_down &&
	       !prng_chance(prng, faults->before);
}

static void join(struct host *host, struct model_store *store, struct prng *prng,
		 const struct host_faults *faults, int64_t now_us)
{
	uint32_t incarnation = 0;
	if (model_store_join(store, host->worker_id, host->slots, &incarnation) < 0) {
		host->is_dead = true; /* not part of the fleet: it powers itself off */
		return;
	}
	if (prng_chance(prng, faults->after))
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
	struct model_claim claims[HOST_SLOTS_MAX];
	bool stop[HOST_SLOTS_MAX] = {0};
	bool drain = false;
	size_t kept = 0;
	for (size_t i = 0; i < host->run_count; i++)
		claims[i] = host->runs[i].claim;
	if (model_store_heartbeat(store, host->worker_id, host->incarnation, claims,
				  host->run_count, stop, &drain) < 0) {
		be_given_up(host);
		return;
	}
	if (prng_chance(prng, faults->after))
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

static void deliver_late(struct host *host, struct model_store *store, int64_t now_us)
{
	bool lost = false;
	if (host->late_us == 0 || now_us < host->late_us)
		return;
	host->late_us = 0;
	/* The worker does not hear the answer. */
	(void)!model_store_complete(store, host->worker_id, host->late_incarnation,
				    &host->late_claim, &lost);
}

static void complete(struct host *host, struct model_store *store, struct prng *prng,
		     const struct host_faults *faults, int64_t now_us)
{
	for (size_t i = 0; i < host->run_count; i++) {
		struct host_run *run = &host->runs[i];
		bool lost = false;
		if (run->is_running || prng_chance(prng, faults->before))
			continue;
		if (host->late_us == 0 && prng_chance(prng, faults->late)) {
			host->late_claim = run->claim;
			host->late_incarnation = host->incarnation;
			host->late_us = now_us + LATE_US;
			host_cut_off(host, now_us + LATE_US / 2); /* the cause of it */
			return;
		}
		if (model_store_complete(store, host->worker_id, host->incarnation, &run->claim,
					 &lost) < 0) {
			be_given_up(host);
			return;
		}
		if (prng_chance(prng, faults->after))
			continue; /* told again: it is recorded already then */
		host->runs[i--] = host->runs[--host->run_count];
	}
}

static void claim(struct host *host, struct model_store *store, struct prng *prng,
		  const struct host_faults *faults, int64_t now_us)
{
	struct model_claim claims[HOST_SLOTS_MAX];
	size_t count = 0;
	if (host->is_draining || host->run_count == host->slots)
		return;
	if (model_store_claim(store, host->worker_id, host->incarnation,
			      host->slots - host->run_count, claims, &count) < 0) {
		be_given_up(host);
		return;
	}
	if (prng_chance(prng, faults->after))
		return; /* its heartbeats do not name them: they are given back */
	for (size_t i = 0; i < count; i++)
		host->runs[host->run_count++] = (struct host_run){
			.claim = claims[i],
			.ends_us = now_us + store->jobs[claims[i].job].duration_us,
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
		be_given_up(host);
		return;
	}
	if (prng_chance(prng, faults->after))
		return; /* asks again, and is refused if it has left */
	host->is_dead = leaving == MODEL_LEFT;
	host->waits = leaving == MODEL_WAIT;
	if (leaving == MODEL_STAY)
		host->is_draining = false;
}

void host_tick(struct host *host, struct model_store *store, struct prng *prng,
	       const struct host_faults *faults, int64_t now_us)
{
	CHECK(host->slots <= HOST_SLOTS_MAX);
	deliver_late(host, store, now_us);
	if (host->is_dead || now_us < host->starting_us)
		return;
	for (size_t i = 0; i < host->run_count; i++) {
		if (now_us >= host->runs[i].ends_us)
			host->runs[i].is_running = false;
	}
	/* Before its leases end elsewhere. */
	if (host->incarnation != 0 && now_us - host->contact_us > (int64_t)SELF_FENCE_MS * 1000)
		be_given_up(host);
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
	if (host->incarnation != 0)
		leave(host, store, prng, faults);
}
