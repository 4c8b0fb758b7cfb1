/* The orchestrator: observe → decide → apply, again and again. It keeps the wanted number of
 * workers and calls rg.tick(), which moves delayed jobs, rescues lost ones and folds the batches'
 * counts. It holds no state that it cannot rebuild: killed at any moment, its successor goes on
 * from the database.
 *
 * Several may run; the one that holds an advisory lock acts, the others wait for it. */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "core/fleet.h"

struct orchestrator_options {
	const char *conninfo;
	struct fleet_policy policy;
	uint64_t drain_timeout_ms; /* that running jobs get at the end */
	const char *api_url;
	const char *worker_dir;
	const char *worker_program; /* path of rgrid-worker */
};

/* Returns after SIGTERM or SIGINT, when all workers have ended: jobs that run then get
 * drain_timeout_ms to end; a second signal cuts that short. */
MUST_CHECK int orchestrator_run(const struct orchestrator_options *options, struct error *err);
