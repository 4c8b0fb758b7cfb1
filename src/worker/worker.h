/* A worker's life: join the fleet, claim jobs while slots are free, report what ended, stay alive
 * by heartbeats, fence itself when it cannot, drain, leave. One event loop; what an attempt goes
 * through is in run.h. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct worker_options {
	const char *name;
	size_t slots;
	const char *state_directory;
	const char *api_url;
	const char *ca_file;  /* of the API, where it is https://; NULL: the system's */
	const char *conninfo; /* the worker's own login */
	uint64_t disk_bytes;  /* of each slot's work directory; 0: the sandbox's default */
	uint64_t
		lost_ms_max; /* without standing in the fleet, then it ends; 0: it never gives up */
	uint64_t refused_ms_max; /* of that, while the database answers but refuses the login */
};

/* A control plane that cannot be reached may come back; one that says no, without a break, is not
 * waited for: the machine costs money. Long enough for a pg_hba.conf that is being edited. */
#define WORKER_REFUSED_MS_MAX (2ULL * 60 * 1000)

/* A farewell that is not answered is given up. */
#define WORKER_LEAVE_MS 3000
#define WORKER_RETRY_MS 250

/* Runs until the worker has left: SIGTERM drains it for good, the fleet until it says otherwise; a
 * second SIGTERM or SIGINT kills its jobs, which are then tried again elsewhere. ERR_FORBIDDEN: the
 * fleet does not know this worker (any more). ERR_UNAVAILABLE: the grid was lost for lost_ms_max.
 * ERR_UNAUTHENTICATED: the database has refused the login for refused_ms_max.
 * Feeds systemd's watchdog from the loop, and says READY once it has joined. Call in the process
 * that sandbox_enclose returned in. */
MUST_CHECK int worker_run(const struct worker_options *options, struct error *err);
