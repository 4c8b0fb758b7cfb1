/* One script of store operations that every implementation of struct fleet_store has to pass: the
 * model of the simulation and PostgreSQL alike, so that what the simulation shows is true of both.
 * It starts on an empty store, and needs no time to pass. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orchestrator/ports.h"

/* The store from two orchestrators' sides, and hands that play its users and workers. */
struct conformance {
	const struct fleet_store *first;
	const struct fleet_store *second;
	void *context;
	/* One job of 1000 cpu millis and 512 MiB. */
	void (*submit)(void *context);
	/* The worker joins with two slots; false: it may not. */
	bool (*join)(void *context, int64_t worker_id);
	/* Claims up to `want` jobs; how many it got. */
	size_t (*claim)(void *context, int64_t worker_id, size_t want);
	/* Completes one of the jobs that the worker has claimed. */
	void (*complete)(void *context, int64_t worker_id);
	/* Asks to leave because it was drained: an enum worker_leaving of src/store/worker_link.h.
	 */
	int (*leave)(void *context, int64_t worker_id);
	/* An operator drains it. */
	void (*operator_drain)(void *context, int64_t worker_id);
};

/* Returns -1 at the first promise that is not kept, which err then names. */
MUST_CHECK int conformance_run(const struct conformance *conformance, struct error *err);
