/* One script of store operations that every store has to pass: the model of the simulation and
 * PostgreSQL alike, so that what the simulation shows is true of both. It covers struct
 * fleet_store, and what workers, operators and time do to the same rows: the hands below. It starts
 * on an empty store. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fleet/model_store.h"
#include "orchestrator/ports.h"

struct conformance_lease {
	int64_t job;
	int32_t attempt;
	int64_t token;
};

struct conformance_job {
	enum model_place place;
	int32_t attempt; /* that waits or runs; 0: none */
	uint32_t losses; /* attempts lost with their worker */
	uint32_t results;
};

/* What a worker is told; 0 stands for: it was given up, or has ended, or this is not its
 * incarnation. */
#define CONFORMANCE_REFUSED 0

/* The store from two orchestrators' sides, and hands that play everybody else. */
struct conformance {
	const struct fleet_store *first;
	const struct fleet_store *second;
	void *context;

	/* A batch with this parallel limit; never 0. */
	int64_t (*add_batch)(void *context, uint32_t limit);
	/* One job of 1000 cpu millis and 512 MiB. batch 0: none. */
	int64_t (*submit)(void *context, int64_t batch);
	/* 1: it waited, and is cancelled; 2: it runs, and is to be stopped; 3: it had ended. */
	int (*cancel)(void *context, int64_t job);
	void (*look_at)(void *context, int64_t job, struct conformance_job *ret);

	/* The worker joins with two slots; false: it may not. */
	bool (*join)(void *context, int64_t worker_id, uint32_t *ret_incarnation);
	/* Claims up to `want` jobs; how many it got; -1: refused. */
	int (*claim)(void *context, int64_t worker_id, uint32_t incarnation, size_t want,
		     struct conformance_lease *ret);
	/* An enum model_verdict. */
	int (*complete)(void *context, int64_t worker_id, uint32_t incarnation,
			const struct conformance_lease *lease, bool is_cancelled);
	bool (*give_back)(void *context, int64_t worker_id, uint32_t incarnation,
			  const struct conformance_lease *lease);
	/* Names these leases, one at most; ret_wishes: what is to become of each. */
	bool (*beat)(void *context, int64_t worker_id, uint32_t incarnation,
		     const struct conformance_lease *leases, size_t count,
		     enum model_wish *ret_wishes, bool *ret_drain);
	/* Asks to leave because it was drained: an enum worker_leaving of src/store/worker_link.h.
	 */
	int (*leave)(void *context, int64_t worker_id, uint32_t incarnation);

	void (*operator_drain)(void *context, int64_t worker_id);
	void (*operator_undrain)(void *context, int64_t worker_id);

	/* Time passes in which nobody does anything. */
	void (*pass)(void *context, int64_t us);
	/* The database restarts: now it listens. */
	void (*restart)(void *context);
	/* The second orchestrator's session ends; its port is not used any more. */
	void (*hang_up_second)(void *context);
};

/* Returns -1 at the first promise that is not kept, which err then names. */
MUST_CHECK int conformance_run(const struct conformance *conformance, struct error *err);
