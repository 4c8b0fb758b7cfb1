/* struct fleet_store (ports.h) in PostgreSQL. Each change is one guarded function of
 * sql/functions/fleet.sql; each observation is read in one snapshot. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "orchestrator/ports.h"
#include "store/pg.h"

/* A leader that has not been heard of for this long is replaced; longer than any tick takes. When
 * its database session ends, it is replaced at once. */
#define FLEET_LEAD_MS 60000

struct fleet_store_options {
	struct pg *pg;		     /* borrowed */
	const char *worker_conninfo; /* how workers reach the database, without a login; borrowed */
	const char *name_prefix;     /* of workers and their servers: "rgrid-worker-"; borrowed */
	bool sized;		     /* jobs that are too large for a worker are left to others */
	uint64_t hour_ms;	     /* what prices are for, as the policy has it; 0: an hour */
};

struct fleet_store_pg;

/* Fills *ret, whose context is the returned object: it must live as long. */
struct fleet_store_pg *fleet_store_pg_new(const struct fleet_store_options *options,
					  struct fleet_store *ret);
void fleet_store_pg_free(struct fleet_store_pg *store);

/* Writes down why jobs wait, where servers come from and what the policy allows, for those who ask
 * (`rgrid explain`, `rgrid fleet status`, the API), if it has changed since the last time. After a
 * tick in which we led. */
MUST_CHECK int fleet_store_publish(struct fleet_store_pg *store, const struct fleet_world *world,
				   const struct fleet_plan *plan, const struct fleet_policy *policy,
				   struct error *err);
/* Leaves the lead to others at once. Should it fail, the lead runs out by itself. */
void fleet_store_resign(struct fleet_store_pg *store);
/* A hint to idle workers that jobs are ready. */
MUST_CHECK int fleet_store_wake(struct fleet_store_pg *store, struct error *err);
