/* The orchestrator: steps fleet_loop (observe → decide → apply) whenever something may have
 * happened: jobs were submitted, a worker's process ended, time has passed. It holds no state that
 * it cannot rebuild: killed at any moment, its successor goes on from the database.
 *
 * Several may run; the one that holds the lease in the database acts, the others wait for it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "core/fleet.h"
#include "orchestrator/ports.h"

/* The processes of this machine that are workers. */
struct orchestrator_local {
	uint64_t drain_timeout_ms; /* that running jobs get at the end */
	const char *api_url;
	const char *worker_dir;
	const char *worker_program; /* path of rgrid-worker */
};

struct orchestrator_options {
	const char *conninfo;
	const char *worker_conninfo; /* how workers reach the database, without a login */
	const char *name_prefix;     /* of workers: "local-", "rgrid-worker-" */
	struct fleet_policy policy;
	/* One of both: workers are processes of this machine, or servers of a provider. */
	const struct orchestrator_local *local;
	const struct fleet_cloud *cloud;
	uint64_t quiet_ms; /* between two steps when nothing happens; 0: as fleet_loop says */
};

/* Returns after SIGTERM or SIGINT. Local workers end first: jobs that run then get drain_timeout_ms
 * to end; a second signal cuts that short. Servers are left as they are, for the next orchestrator.
 */
MUST_CHECK int orchestrator_run(const struct orchestrator_options *options, struct error *err);
/* Prints the world and the plan, and changes nothing: `rgrid orchestrator --dry-run`. */
MUST_CHECK int orchestrator_dry_run(const struct orchestrator_options *options, struct error *err);
