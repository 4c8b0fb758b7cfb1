/* The fleet's side of the database, in the words of core/fleet: reads the workers, makes and ends
 * them, notes why. Everything may be repeated. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "core/fleet.h"
#include "store/pg.h"

/* Whether we are the one that acts. */
MUST_CHECK int fleet_store_lead(struct pg *pg, bool *ret_leads, struct error *err);
/* Fills a world with the living workers: id, state, silence, and whether they have joined. */
MUST_CHECK int fleet_store_read(struct pg *pg, struct fleet_world *ret, struct error *err);

struct fleet_upkeep {
	bool woken; /* jobs became ready */
	bool busy;  /* there is more to come */
	int64_t rescued_count;
};
/* rg.tick(), and a NOTIFY to the workers if it made jobs ready. */
MUST_CHECK int fleet_store_upkeep(struct pg *pg, struct fleet_upkeep *ret, struct error *err);
MUST_CHECK int fleet_store_wake(struct pg *pg, struct error *err);

/* Makes the worker's row and login under a new name; appends the login's connection string to
 * ret_conninfo. ret_name is to be freed. */
MUST_CHECK int fleet_store_create(struct pg *pg, const char *conninfo, int64_t *ret_id,
				  char **ret_name, struct buf *ret_conninfo, struct error *err);
MUST_CHECK int fleet_store_end(struct pg *pg, int64_t worker_id, const char *reason,
			       enum worker_state state, int64_t *ret_lost, struct error *err);
MUST_CHECK int fleet_store_drain(struct pg *pg, int64_t worker_id, struct error *err);
MUST_CHECK int fleet_store_note(struct pg *pg, const char *kind, int64_t worker_id, int rule,
				const char *reason, struct error *err);
