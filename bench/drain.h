/* Workers that run nothing: each claims through the worker's own line to the database and reports
 * what it claimed as completed in the next step, which claims again. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "grid.h"

struct drain {
	const struct grid *grid; /* one worker for each of its logins */
	uint64_t jobs;		 /* complete so many, then stop */
	size_t batch;		 /* jobs of one step */
	/* Microseconds from sending a step to its answer, of the first step_us_max steps; NULL:
	 * none. */
	uint64_t *step_us;
	size_t step_us_max;
};

struct drain_result {
	uint64_t elapsed_us; /* from the first step to the last answer; connecting is not counted */
	uint64_t completed;
	uint64_t leased; /* claimed in the last steps, never completed */
	size_t steps;
};

MUST_CHECK int drain_run(const struct drain *drain, struct drain_result *ret, struct error *err);
