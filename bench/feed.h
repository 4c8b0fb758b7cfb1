/* Submits jobs as the API does: several connections at once, each call durable before the next. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "grid.h"

#define FEED_WRITERS_MAX 64

struct feed {
	const struct grid *grid;
	uint64_t jobs;
	size_t batch;	/* jobs of one call; 1: the call for single jobs */
	size_t writers; /* connections; `jobs` is a multiple of batch * writers */
};

struct feed_run; /* under way */

void feed_start(const struct feed *feed, struct feed_run **ret);
/* Waits for the end and frees. *ret_us: from the first call to the last answer. */
MUST_CHECK int feed_join(struct feed_run *run, uint64_t *ret_us, struct error *err);
