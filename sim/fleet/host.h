/* The process on one server: the real worker's conduct (src/worker/agent.c and what it is made of)
 * in a loop of ours, on a line to the model store, with runs that only take their time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fleet/guest_link.h"
#include "fleet/guest_loop.h"
#include "fleet/model_store.h"
#include "worker/agent.h"
#include "worker/roster.h"

#define HOST_SLOTS_MAX 4

/* What all hosts share; borrowed. */
struct host_world {
	const int64_t *clock_us;
	struct prng *prng;
	struct model_store *store;
	struct fault_counts *counts;
	const struct guest_faults *faults;
	const int64_t *store_down_until_us;
};

struct host {
	const struct host_world *world;
	int64_t worker_id;
	uint32_t slots;
	struct guest_loop loop;
	struct guest_line line;
	struct worker_link *link; /* NULL: no process */
	struct agent *agent;
	int64_t starting_us; /* the process starts (anew) then; INT64_MAX: never */
	bool has_standing;
	bool is_over;	     /* the worker has ended, and its machine powers itself off */
	bool is_dead;	     /* the machine is gone */
	uint64_t generation; /* of its event in the simulation's timeline */
	int64_t due_us;	     /* that event; 0: none */
};

struct host *host_new(const struct host_world *world, int64_t worker_id, uint32_t slots,
		      int64_t starts_us);
void host_free(struct host *host);

/* After each of these, and whenever it is due: host_run, then host_next_us. */
void host_run(struct host *host);
/* INT64_MAX: nothing will ever happen by itself. */
int64_t host_next_us(const struct host *host);

/* Its process dies, and starts anew after a moment. */
void host_crash(struct host *host);
/* The machine goes, and all that is on it. */
void host_die(struct host *host);
/* It cannot reach the store until then. */
void host_cut_off(struct host *host, int64_t until_us);
/* Hints, as the database sends them: jobs may be waiting; ask what is wanted of you. */
void host_wake(struct host *host);
void host_call(struct host *host);

/* Attempts that it holds, as far as it knows; NULL while there is no process. */
const struct roster *host_roster(const struct host *host);
/* Whether its process for this lease runs. */
bool host_runs(const struct host *host, size_t job, uint64_t token);
/* Whether any runs; if so, a job that does. */
bool host_is_busy(const struct host *host, size_t *ret_job);
