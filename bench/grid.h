/* A grid's database for measurements: the empty one that tests/with-postgres names, migrated, with
 * a project and workers that nobody runs. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define GRID_WORKERS_MAX 64

struct grid {
	const char *conninfo; /* as superuser; borrowed */
	int64_t project;
	size_t worker_count;
	char *worker_conninfo[GRID_WORKERS_MAX]; /* each as a worker's own login */
};

MUST_CHECK int grid_init(struct grid *grid, const char *conninfo, size_t workers,
			 struct error *err);
void grid_release(struct grid *grid);
#define cleanup_grid grid_release

/* Vacuums and analyses, as autovacuum has done in a grid that has been up for a while, and writes a
 * checkpoint, so that none falls into the measurement by chance. */
MUST_CHECK int grid_settle(const struct grid *grid, struct error *err);
/* ERR_INTERNAL unless exactly `ended` jobs have completed and `ready` wait, with as many leases as
 * given. */
MUST_CHECK int grid_expect(const struct grid *grid, uint64_t ended, uint64_t ready, uint64_t leased,
			   struct error *err);
