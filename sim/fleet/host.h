/* A worker as the store sees it come and go: the process on one server, which joins, beats, claims,
 * runs and completes, and kills its jobs when it cannot reach the store for too long. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fleet/model_store.h"
#include "fleet/prng.h"

#define HOST_SLOTS_MAX 4

struct host_run {
	struct model_lease lease;
	int64_t ends_us;
	bool is_running; /* else ended, and to be told to the store */
};

struct host {
	int64_t worker_id;
	uint32_t slots;
	uint32_t incarnation; /* 0: has not joined */
	int64_t contact_us;   /* last heartbeat that was answered; the host's own clock */
	int64_t beat_us;      /* next heartbeat */
	struct host_run runs[HOST_SLOTS_MAX];
	size_t run_count;
	bool is_draining; /* the last heartbeat's answer */
	bool waits;	  /* was told to wait with leaving; asks again after the next heartbeat */
	/* A completion that is still on its way: it arrives whatever has become of the worker. */
	struct model_lease late_lease;
	uint32_t late_incarnation;
	int64_t late_us;     /* 0: none */
	bool is_dead;	     /* the machine is gone, or its worker was sent away */
	int64_t cut_off_us;  /* cannot reach the store until then */
	int64_t starting_us; /* its process died, and is started again then */
};

/* How likely a call fails before and after its effect, in permille. */
struct host_faults {
	uint64_t before, after;
	uint64_t late; /* a completion arrives after a minute */
	bool store_is_down;
	struct fault_counts *counts;
};

/* One look around, about every second. */
void host_tick(struct host *host, struct model_store *store, struct prng *prng,
	       const struct host_faults *faults, int64_t now_us);
/* Its process dies, and starts anew after a moment. */
void host_crash(struct host *host, int64_t now_us);
/* It cannot reach the store until then. */
void host_cut_off(struct host *host, int64_t until_us);

/* What it holds, as far as it knows. Returns their number. */
size_t host_leases(const struct host *host, struct model_lease ret[HOST_SLOTS_MAX]);
/* Whether its process for this lease runs. */
bool host_runs(const struct host *host, size_t job, uint64_t token);
/* Whether any runs; if so, a job that does. */
bool host_is_busy(const struct host *host, size_t *ret_job);
