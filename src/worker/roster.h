/* All attempts that this worker holds, in the order of their claims, and which slot each has. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "worker/run.h"

struct roster {
	struct run **runs;
	size_t count;
	size_t capacity;
	size_t slots;
};

void roster_init(struct roster *roster, size_t slots);
void roster_release(struct roster *roster); /* frees all runs, killing what still runs */

void roster_add(struct roster *roster, struct run *run);
/* Frees what is over. */
void roster_sweep(struct roster *roster);
/* NULL: none that is still ours. */
struct run *roster_find(const struct roster *roster, int64_t job_id, int32_t attempt);

size_t roster_count(const struct roster *roster, enum run_state state);
/* Attempts that have a slot or will need one. */
size_t roster_held(const struct roster *roster);
/* Gives free slots to those who wait, longest first. */
void roster_start_waiting(struct roster *roster);
/* The leases to name in a heartbeat: all that are not thrown away. To be freed. */
struct lease_id *roster_leases(const struct roster *roster, size_t *ret_count);
