/* What fleet_loop remembers of what it has seen: the last complete listing, how often each worker's
 * server was missing from listings in a row, and since when somebody has been looking at all. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/fleet.h"
#include "orchestrator/ports.h"

struct fleet_absence {
	int64_t worker_id;
	int64_t server_id;
	int64_t delete_us;
	uint32_t looks;
	int64_t since_us; /* the first of them */
};

struct fleet_sight {
	struct fleet_world listing;	/* servers and network_members of it */
	int64_t listed_us;		/* 0: there is none */
	bool is_new;			/* not yet seen by a decision */
	struct fleet_absence *absences; /* by worker id */
	size_t absence_count;
	int64_t observed_us; /* last successful look at the store; 0: never */
	int64_t watching_since_us;
	int64_t list_failed_us; /* the last time; 0: never */
};

void fleet_sight_init(struct fleet_sight *sight);
void fleet_sight_release(struct fleet_sight *sight);
/* Forgets everything: somebody else has led meanwhile. */
void fleet_sight_clear(struct fleet_sight *sight);
/* Takes a new listing, asked for at now_us. On failure the old one stays. */
MUST_CHECK int fleet_sight_list(struct fleet_sight *sight, const struct fleet_cloud *cloud,
				int64_t now_us, struct error *err);
/* Adds to an observed world what is remembered, and counts absences when the listing is new. */
void fleet_sight_complete(struct fleet_sight *sight, struct fleet_world *world);
/* The listing is not new any more. */
void fleet_sight_used(struct fleet_sight *sight);
/* How long the deletion of a worker's server took that is gone by what the world, completed above,
 * says of it: from the order until the first listing that lacked it. False when nobody looked for a
 * while in between: then that listing came too late to tell. */
bool fleet_sight_measure_deletion(const struct fleet_sight *sight,
				  const struct fleet_worker *worker, uint64_t *ret_ms);
