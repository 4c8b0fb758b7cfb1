/* The line of a simulated worker to the model store: worker/worker_link.h with calls that take
 * time, arrive late or not at all, and a connection that breaks and comes back. */
#pragma once

#include "fleet/fault_kind.h"
#include "fleet/guest_loop.h"
#include "fleet/model_store.h"
#include "store/worker_link.h"

#define GUEST_LEASES_MAX 64 /* in one call */

/* How likely calls fail, in permille. */
struct guest_faults {
	uint64_t before; /* the connection breaks before the effect */
	uint64_t after;	 /* … after it */
	uint64_t late;	 /* … and a result arrives after a minute all the same */
	uint64_t slow;	 /* takes seconds */
};

/* A result that is still on its way though its connection is gone: it arrives whatever has become
 * of the worker. */
struct guest_straggler {
	int64_t due_us; /* 0: none */
	uint32_t incarnation;
	struct model_lease lease;
	bool is_cancelled;
};

/* What is at the other end, and what can be seen of this one. Outlives the link. */
struct guest_line {
	struct guest_loop *loop;
	struct model_store *store;
	int64_t worker_id;
	const struct guest_faults *faults;
	struct fault_counts *counts;
	const int64_t *store_down_until_us;
	int64_t cut_off_us; /* nothing goes through until then */
	struct guest_straggler straggler;
	int64_t contact_us;   /* the last heartbeat that was answered */
	uint32_t incarnation; /* the last one that was told; 0: none */
	bool was_refused;     /* by the last answer */
};

struct worker_link *guest_link_new(const struct worker_link_options *options,
				   struct guest_line *line);
/* A straggler that is due arrives. */
void guest_line_deliver(struct guest_line *line, int64_t now_us);
